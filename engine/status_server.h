// SPDX-License-Identifier: Apache-2.0
// What the engine shows over HTTP: /progress (the progress document), /metrics (Prometheus), /healthz.
#pragma once

#include "common/base/http_server.h"
#include "common/contract/progress_document.h"

// progress is borrowed until http_server_stop.
MUST_CHECK int status_server_start(const char *listen, Progress *progress, HttpServer **out, Error *err);
