// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/create_workers.h"

#include "cli/pairs.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/contract/steps.h"
#include "common/k8s/k8s_object.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

// As in the CRD's schema.
#define QUANTITY "^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"

typedef struct Kind { // of setting
    const char *option, *example;
    // Puts one key=value into the item.
    int (*take)(const char *key, const char *value, json_object *item, Error *err);
    // Adds the item to a step's settings (or to spec itself, for all).
    void (*add)(json_object *place, bool global, json_object *item);
} Kind;

// The object below, made when it is not there.
static json_object *below(json_object *parent, const char *name)
{
    json_object *found = k8s_member(parent, name);

    if (!found) {
        found = json_object_new_object();
        json_object_object_add(parent, name, found);
    }
    return found;
}

static json_object *place_of(json_object *spec, const char *step_text, bool *global, bool *known)
{
    Step step;

    *global = !*step_text || strcmp(step_text, "global") == 0;
    *known = *global || step_parse(step_text, strlen(step_text), &step);
    if (*global || !*known)
        return spec;
    if (step == STEP_CDC)
        return below(below(spec, "cdc"), "config");
    return below(below(below(spec, "initialization"), "config"), step_api_name(step));
}

static int refuse(const Kind *kind, const char *item, const char *what, Error *err)
{
    error_set(err, ERROR_USAGE, "%s: %s in '%.120s'", kind->option, what, item);
    return error_hint(err, "for example %s '%s'", kind->option, kind->example);
}

static int take_item(const Kind *kind, const char *text, json_object *spec, Error *err)
{
    auto_free char *copy = memory_strdup(text);
    auto_free char *step = memory_strdup("");
    json_object *item = json_object_new_object();
    bool global, known;
    int rc = 0;

    for (char *rest = copy, *key, *value; rc == 0 && rest;) {
        if (!pairs_next(&rest, &key, &value)) {
            rc = refuse(kind, text, "expected key=value", err);
        } else if (strcmp(key, "step") == 0) {
            free(step);
            step = memory_strdup(value);
        } else if (kind->take(key, value, item, err)) {
            auto_free char *what = memory_strdup(err->message);
            rc = refuse(kind, text, what, err);
        }
    }
    json_object *place = place_of(spec, step, &global, &known);
    if (rc == 0 && !known)
        rc = refuse(kind, text, "the step is none of precheck, init-struct, init-data, init-struct-later, cdc, global",
                    err);
    if (rc == 0 && json_object_object_length(item) == 0)
        rc = refuse(kind, text, "nothing but the step is given", err);
    if (rc == 0)
        kind->add(place, global, json_object_get(item));
    json_object_put(item);
    return rc;
}

// A list of quoted items, or one without quotes.
static int take_text(const Kind *kind, const char *text, json_object *spec, Error *err)
{
    const char *p = text + strspn(text, " ");

    if (*p != '"')
        return take_item(kind, p, spec, err);
    for (;;) {
        const char *end = strchr(p + 1, '"');
        if (!end)
            return refuse(kind, text, "a quote is not closed", err);
        auto_free char *item = memory_printf("%.*s", (int)(end - p - 1), p + 1);
        if (take_item(kind, item, spec, err))
            return -1;
        p = end + 1 + strspn(end + 1, " ");
        if (!*p)
            return 0;
        p += 1 + strspn(p + 1, " ");
        if (p[-1] == '"' || *p != '"')
            return refuse(kind, text, "expected a comma between two quoted items", err);
    }
}

static int take_all(const Kind *kind, const OptionValue *option, json_object *spec, Error *err)
{
    for (size_t i = 0; i < option->count; i++)
        if (take_text(kind, option->all[i], spec, err))
            return -1;
    return 0;
}

// ---- tolerations ---------------------------------------------------------------------------------------------------

static const char *const OPERATORS[] = {"Exists", "Equal", NULL};
static const char *const EFFECTS[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static int take_toleration(const char *key, const char *value, json_object *item, Error *err)
{
    char *end;

    if (strcmp(key, "tolerationSeconds") == 0) {
        long long seconds = strtoll(value, &end, 10);
        if (!*value || *end)
            return error_set(err, ERROR_USAGE, "tolerationSeconds is no number");
        json_object_object_add(item, key, json_object_new_int64(seconds));
        return 0;
    }
    if (strcmp(key, "operator") == 0 && !is_one_of(value, OPERATORS))
        return error_set(err, ERROR_USAGE, "operator is neither Exists nor Equal");
    if (strcmp(key, "effect") == 0 && !is_one_of(value, EFFECTS))
        return error_set(err, ERROR_USAGE, "effect is none of NoSchedule, PreferNoSchedule, NoExecute");
    if (!is_one_of(key, (const char *const[]){"key", "value", "operator", "effect", NULL}))
        return error_set(err, ERROR_USAGE, "%.40s is none of step, key, operator, value, effect, tolerationSeconds",
                         key);
    json_object_object_add(item, key, json_object_new_string(value));
    return 0;
}

static void add_toleration(json_object *place, bool global, json_object *item)
{
    const char *name = global ? "globalTolerations" : "tolerations";
    json_object *list = k8s_member(place, name);

    if (!list) {
        list = json_object_new_array();
        json_object_object_add(place, name, list);
    }
    json_object_array_add(list, item);
}

int create_workers_tolerations(const OptionValue *option, json_object *spec, Error *err)
{
    static const Kind TOLERATIONS = {"--tolerations",
                                     "step=init-data,key=dedicated,operator=Equal,value=pg,effect=NoSchedule",
                                     take_toleration, add_toleration};

    return take_all(&TOLERATIONS, option, spec, err);
}

// ---- resources -----------------------------------------------------------------------------------------------------

static int take_resource(const char *key, const char *value, json_object *item, Error *err)
{
    regex_t quantity;

    if (!is_one_of(key, (const char *const[]){"cpu", "memory", "ephemeral-storage", NULL}))
        return error_set(err, ERROR_USAGE, "%.40s is none of step, cpu, memory, ephemeral-storage", key);
    if (regcomp(&quantity, QUANTITY, REG_EXTENDED | REG_NOSUB))
        abort(); // the pattern is a literal
    int bad = regexec(&quantity, value, 0, NULL, 0);
    regfree(&quantity);
    if (bad)
        return error_set(err, ERROR_USAGE, "'%.40s' is no amount such as 500m, 2, 512Mi or 1Gi", value);
    json_object_object_add(item, key, json_object_new_string(value));
    return 0;
}

static void add_limits(json_object *place, bool global, json_object *item)
{
    json_object *limits = below(below(place, global ? "globalResources" : "resource"), "limits");

    json_object_object_foreach(item, key, value) json_object_object_add(limits, key, json_object_get(value));
    json_object_put(item);
}

int create_workers_resources(const OptionValue *option, json_object *spec, Error *err)
{
    static const Kind RESOURCES = {"--resources", "step=init-data,cpu=1000m,memory=1Gi", take_resource, add_limits};

    return take_all(&RESOURCES, option, spec, err);
}
