// SPDX-License-Identifier: Apache-2.0
#include "controller/task_plan.h"

#include "common/base/memory.h"
#include "controller/json_hash.h"

#include <string.h>

enum { NAME_MAX_BYTES = 63, HASH_DIGITS = 5 };

static bool in_template(const Template *template, Step step)
{
    for (size_t i = 0; i < template->step_count; i++)
        if (template->order[i] == step)
            return true;
    return false;
}

static bool wants(const TaskSpec *spec, Step step)
{
    if (spec->steps_given)
        return spec->steps[step];
    return task_spec_wants_init(spec); // all of the template's; following alone needs none of them
}

bool task_plan_make(const TaskSpec *spec, const Template *template, TaskPlan *plan, Buffer *problem)
{
    *plan = (TaskPlan){0};
    if (template->problem) {
        buffer_printf(problem, "template %s cannot be used: %s", template->name, template->problem);
        return false;
    }
    if (!template_takes(template, spec->task_type)) {
        buffer_printf(problem, "template %s has no tasks of type %s: its taskType list must name it", template->name,
                      spec->task_type);
        return false;
    }
    for (int step = 0; step < STEP_CDC; step++)
        if (spec->steps_given && spec->steps[step] && !in_template(template, (Step)step)) {
            buffer_printf(problem, "template %s has no step %s: take it out of initialization.steps", template->name,
                          step_api_name((Step)step));
            return false;
        }
    for (size_t i = 0; i < template->step_count; i++)
        if (wants(spec, template->order[i]))
            plan->works[plan->count++] = (int)template->order[i];
    plan->init_count = plan->count;
    if (task_spec_wants_cdc(spec))
        plan->works[plan->count++] = STEP_CDC;
    if (plan->count == 0) {
        buffer_puts(problem, "the task has no step: name some in initialization.steps");
        return false;
    }
    return true;
}

void task_plan_guess(const TaskSpec *spec, TaskPlan *plan)
{
    *plan = (TaskPlan){0};
    for (int step = 0; step < STEP_CDC; step++)
        if (spec->steps_given ? spec->steps[step] : task_spec_wants_init(spec) && step != STEP_INIT_STRUCT_LATER)
            plan->works[plan->count++] = step;
    plan->init_count = plan->count;
    if (task_spec_wants_cdc(spec))
        plan->works[plan->count++] = STEP_CDC;
}

bool task_plan_has(const TaskPlan *plan, int work)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->works[i] == work)
            return true;
    return false;
}

size_t task_plan_order(const TaskPlan *plan, int work)
{
    for (size_t i = 0; i < plan->init_count; i++)
        if (plan->works[i] == work)
            return i;
    return 0;
}

char *task_plan_job_name(const char *task_name, int work, size_t order)
{
    const char *part = work_info(work)->job_part;
    auto_free char *suffix = work < STEP_CDC ? memory_printf("-%s-%zu", part, order) : memory_printf("-%s", part);

    if (strlen(task_name) + strlen(suffix) <= NAME_MAX_BYTES)
        return memory_printf("%s%s", task_name, suffix);
    size_t room = NAME_MAX_BYTES - strlen(suffix) - 1 - HASH_DIGITS;
    while (room > 0 && task_name[room - 1] == '-')
        room--;
    return memory_printf("%.*s-%05x%s", (int)room, task_name, (unsigned)(json_hash_text(task_name) & 0xfffff), suffix);
}
