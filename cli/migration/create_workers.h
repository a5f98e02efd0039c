// SPDX-License-Identifier: Apache-2.0
// --tolerations and --resources: settings of the workers, for one step or for all.
#pragma once

#include "common/base/options.h"

#include <json-c/json.h>

// Grammar: items as in CSV, each in double quotes and made of key=value with commas between; a text without quotes is
// one item. The key `step` says for which; without it, or with step=global, for all. Adds to spec.globalTolerations,
// spec.initialization.config and spec.cdc.config. ERROR_USAGE names the option and what was read.
MUST_CHECK int create_workers_tolerations(const OptionValue *option, json_object *spec, Error *err);
MUST_CHECK int create_workers_resources(const OptionValue *option, json_object *spec, Error *err);
