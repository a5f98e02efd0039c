// SPDX-License-Identifier: Apache-2.0
// Objects themselves: -o json, yaml and name.
#pragma once

#include "cli/cli.h"

typedef enum OutputForm { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME, OUTPUT_WIDE } OutputForm;

OutputForm object_output_form(const Cli *cli);
// Takes out what is not for people (managedFields) and masks every password, also in the annotation that kubectl apply
// leaves. object: one, or a list of them; changed in place.
void object_output_clean(json_object *object);
// form: JSON, YAML or NAME. resource: "migrationtask.datamigration.apecloud.io", for NAME. Cleans the object.
void object_output_print(json_object *object, OutputForm form, const char *resource);
