// SPDX-License-Identifier: Apache-2.0
// What the user wants: spec of a MigrationTask as a struct (crds/datamigration.apecloud.io_migrationtasks.yaml). Null,
// absent and empty fields are the same. Must not judge more than whether a field is supported.
#pragma once

#include "common/base/buffer.h"
#include "common/contract/steps.h"

#include <json-c/json.h>
#include <stdint.h>

typedef struct SpecEndpoint { // texts: "" when not given
    const char *address, *database, *user, *password;
    const char *secret, *secret_namespace, *user_key, *password_key;
    const char *tls_mode, *ca_secret, *ca_key, *client_secret, *cert_key, *key_key;
} SpecEndpoint;

typedef struct SpecConfig { // of one step; JSON: NULL when not given or empty
    json_object *resource, *tolerations, *param;
    const char *volume_claim;
    int jobs, parallelism; // 0: not given
    bool metrics_off;
    int metrics_seconds; // 0: not given
} SpecConfig;

typedef struct SpecVerification {
    const char *request; // "": none
    int every_minutes;   // 0: only when asked to
    int sample;          // per cent of the rows; 0: not given
} SpecVerification;

typedef struct SpecSwitch { // cutover or rollback; texts: "" when not given; numbers: 0
    bool requested;
    const char *request, *block, *verification;
    int timeout_seconds, max_lag_seconds;
    json_object *service; // NULL: none
} SpecSwitch;

typedef struct TaskSpec { // everything is borrowed from root
    json_object *root;
    const char *template, *task_type; // task_type: never ""
    bool suspend, force_delete;
    SpecEndpoint source, sink;
    bool steps_given;
    bool steps[STEP_COUNT]; // as listed in initialization.steps; cdc is told by task_type
    SpecConfig config[STEP_COUNT];
    json_object *white_list, *black_list;
    json_object *tolerations, *resources;
    int64_t slot_guard_bytes, sequence_margin;
    SpecVerification verification;
    SpecSwitch cutover, rollback;
} TaskSpec;

// Reads leniently: the schema has been checked by the API server. What is no JSON object reads as an empty one.
void task_spec_read(const char *text, size_t len, TaskSpec *out);
void task_spec_free(TaskSpec *spec);
bool task_spec_wants_init(const TaskSpec *spec); // task_type takes in the steps before cdc
bool task_spec_wants_cdc(const TaskSpec *spec);
bool task_spec_both_ways(const TaskSpec *spec); // leaves a way back at the switch
// Names every field that asks for something that is not built, one after the other, with what to do; false when there
// is none. namespace_name: of the task.
bool task_spec_unsupported(const TaskSpec *spec, const char *namespace_name, Buffer *out);
