// SPDX-License-Identifier: Apache-2.0
// What the API server refuses, in words for a person: one readable line.
#pragma once

#include "common/k8s/k8s_client.h"

// reply: a failed one; err: what k8s_client made of it, replaced by something better where there is something.
void refusal_explain(const K8sReply *reply, const K8sConfig *config, Error *err);
