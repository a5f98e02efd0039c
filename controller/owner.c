// SPDX-License-Identifier: Apache-2.0
// https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
#include "controller/owner.h"

#include "controller/names.h"

static json_object *owner_references(const Task *task)
{
    json_object *owner = json_object_new_object(), *list = json_object_new_array();

    json_object_object_add(owner, "apiVersion", json_object_new_string(API_VERSION));
    json_object_object_add(owner, "kind", json_object_new_string(KIND_TASK));
    json_object_object_add(owner, "name", json_object_new_string(task->name));
    json_object_object_add(owner, "uid", json_object_new_string(task->uid));
    json_object_object_add(owner, "controller", json_object_new_boolean(true));
    json_object_object_add(owner, "blockOwnerDeletion", json_object_new_boolean(true));
    json_object_array_add(list, owner);
    return list;
}

json_object *owner_metadata(const Task *task, const char *name)
{
    json_object *metadata = json_object_new_object(), *labels = json_object_new_object();

    json_object_object_add(labels, LABEL_NAME, json_object_new_string(LABEL_NAME_VALUE));
    json_object_object_add(labels, LABEL_MANAGED_BY, json_object_new_string(LABEL_MANAGED_BY_VALUE));
    json_object_object_add(labels, LABEL_TASK, json_object_new_string(task->name));
    json_object_object_add(metadata, "name", json_object_new_string(name));
    json_object_object_add(metadata, "namespace", json_object_new_string(task->namespace_name));
    json_object_object_add(metadata, "labels", labels);
    json_object_object_add(metadata, "ownerReferences", owner_references(task));
    return metadata;
}
