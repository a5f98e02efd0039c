// SPDX-License-Identifier: Apache-2.0
// The one table of the engine's options. --help, docs/options.md and the parser come from it.
#include "engine/options_table.h"

#include "common/base/memory.h"
#include "common/base/options.h"

#include <string.h>

#define VERBS(verb) (1u << (verb))
#define CUTOVERS    (VERBS(VERB_CUTOVER) | VERBS(VERB_ROLLBACK))

static const OptionVerb VERB_TABLE[VERB_COUNT] = {
    [VERB_PRECHECK] = {"precheck", "runs every check on both ends and reports them all; changes nothing"},
    [VERB_INIT_STRUCT] = {"init-struct", "makes the schemas, types, functions and tables on the sink"},
    [VERB_INIT_DATA] = {"init-data", "makes publication and slot, copies all rows, builds indexes and constraints"},
    [VERB_INIT_STRUCT_LATER] =
        {"init-struct-later",
         "makes indexes, constraints and what else comes after the rows, as far as init-data has not"},
    [VERB_CDC] = {"cdc", "applies what was and is being committed on the source; without a step init-data it makes "
                         "publication and slot itself and follows from now on"},
    [VERB_VERIFY] = {"verify", "compares both ends row by row at one moment; exits 1 when they differ"},
    [VERB_CUTOVER] = {"cutover",
                      "lets the sink take over: keeps writes from the source, applies the rest, sets sequences, "
                      "turns on what was held back; undone as a whole if it fails. Needs a running cdc"},
    [VERB_REVERSE] = {"reverse",
                      "after a cutover with --reverse: applies to the source what is being committed on the sink, as "
                      "cdc did in the other direction"},
    [VERB_ROLLBACK] = {"rollback", "the cutover in the other direction: the source takes over again, with all that was "
                                   "committed on the sink. Needs a running reverse"},
    [VERB_CLEANUP] = {"cleanup", "drops slot and publication on the source and the bookkeeping on the sink"},
    [VERB_RUN] = {"run", "precheck, init-struct, init-data and cdc in one go"},
};

enum { VERIFY_JOBS = 1 };

enum {
    O_NAME,
    O_SOURCE,
    O_SINK,
    O_OBJECTS,
    O_STEPS,
    O_JOBS,
    O_UNTIL,
    O_LISTEN,
    O_LOG_FORMAT,
    O_WORK_DIR,
    O_WAIT,
    O_WORKERS,
    O_SEQUENCE_MARGIN,
    O_SAMPLE,
    O_RESUME,
    O_BLOCK,
    O_TIMEOUT,
    O_MAX_LAG,
    O_VERIFICATION,
    O_REVERSE,
    O_CHECK,
    O_ABORT,
    O_WORKER_INDEX,
    O_TASK,
    O_FORCE,
    O_HELP,
    O_HELP_MARKDOWN,
    O_HELP_MAN,
    O_VERSION,
    O_COUNT
};

#define ENDPOINT_HELP                                                                                                  \
    ": a libpq URI (postgresql://user:password@host:port/database), a conninfo string ('host=… dbname=…') or "     \
    "user:password@host:port/database. The password may hold any character"

static const OptionSpec SPECS[O_COUNT] = {
    [O_NAME] = {.name = "name",
                .env = "KUBEFERRY_NAME",
                .argument = "NAME",
                .type = OPTION_TEXT,
                .fallback = "kubeferry",
                .help =
                    "name of the task: the slot on the source is called so, and the same name resumes the same task. "
                    "1 to 63 characters of a-z and 0-9, with - _ . inside"},
    [O_SOURCE] = {.name = "source",
                  .env = "KUBEFERRY_SOURCE",
                  .argument = "CONNECTION",
                  .type = OPTION_TEXT,
                  .secret = true,
                  .help = "the database to move" ENDPOINT_HELP},
    [O_SINK] = {.name = "sink",
                .env = "KUBEFERRY_SINK",
                .argument = "CONNECTION",
                .type = OPTION_TEXT,
                .secret = true,
                .help = "the database to fill, in the same forms"},
    [O_OBJECTS] =
        {.name = "migration-object",
         .env = "KUBEFERRY_MIGRATION_OBJECT",
         .argument = "LIST",
         .type = OPTION_TEXT,
         .fallback = "all user tables",
         .help = "what to move: '\"public.a\",\"public.b\",\"sales\"'; a bare schema takes the whole schema. Names "
                 "are taken as written; one that holds a dot, comma or quote stands in doubled quotes: "
                 "'\"public.\"\"a.b\"\"\"'"},
    [O_STEPS] = {.name = "steps",
                 .env = "KUBEFERRY_STEPS",
                 .argument = "LIST",
                 .type = OPTION_TEXT,
                 .fallback = "precheck=true,init-struct=true,init-data=true,cdc=true",
                 .help = "which steps the task has; those not named stay as they are. A verb does its own step in any "
                         "case, and asks here whether cdc will follow, and whether init-data went before. "
                         "init-struct-later is off, since init-data does its work; on, it looks again afterwards"},
    [O_JOBS] = {.name = "jobs",
                .env = "KUBEFERRY_JOBS",
                .argument = "N",
                .type = OPTION_INTEGER,
                .fallback = "2; verify 1",
                .range = "1-64",
                .min = 1,
                .max = TASK_JOBS_MAX,
                .help =
                    "tables copied, indexed or compared at once; each takes a connection on both ends. verify takes "
                    "one, so that it keeps no more than a core of the source from the applications"},
    [O_UNTIL] =
        {.name = "until",
         .env = "KUBEFERRY_UNTIL",
         .argument = "WHEN",
         .type = OPTION_CHOICE,
         .fallback = "stopped",
         .range = "stopped|caught-up|forever",
         .verbs = VERBS(VERB_CDC) | VERBS(VERB_RUN),
         .help =
             "caught-up: exit 0 once everything is applied that was committed when the copy ended (for cdc: when "
             "it was started). stopped: go on until SIGTERM, after which the same command resumes (exit code 0). "
             "forever: the same, but a stop is an interruption (exit code 75), so that a supervisor or a Job starts "
             "it again"},
    [O_LISTEN] = {.name = "listen",
                  .env = "KUBEFERRY_LISTEN",
                  .argument = "ADDR:PORT",
                  .type = OPTION_TEXT,
                  .help = "serve /progress, /metrics and /healthz there; port 0 takes a free one and logs it"},
    [O_LOG_FORMAT] = {.name = "log-format",
                      .env = "KUBEFERRY_LOG_FORMAT",
                      .argument = "FORMAT",
                      .type = OPTION_CHOICE,
                      .fallback = "text",
                      .range = "text|json",
                      .help = "form of the log on stderr and of results on stdout; json switches the live view off"},
    [O_WORK_DIR] = {.name = "work-dir",
                    .env = "KUBEFERRY_WORK_DIR",
                    .argument = "DIR",
                    .type = OPTION_TEXT,
                    .fallback = "a directory of its own under TMPDIR",
                    .help = "where the dump of the structure is put; it may stay for a later look"},
    [O_WAIT] =
        {.name = "wait",
         .env = "KUBEFERRY_WAIT",
         .argument = "SECONDS",
         .type = OPTION_INTEGER,
         .fallback = "0",
         .range = "0-86400",
         .min = 0,
         .max = TASK_WAIT_MAX,
         .help = "how long to go on trying when an end does not answer at the start, or another process still "
                 "holds the task; precheck takes at most 10 of them, cleanup none: it has a short patience of its own"},
    [O_WORKERS] = {.name = "workers",
                   .env = "KUBEFERRY_WORKERS",
                   .argument = "N",
                   .type = OPTION_INTEGER,
                   .fallback = "1",
                   .range = "1-64",
                   .min = 1,
                   .max = TASK_WORKERS_MAX,
                   .help = "how many processes copy the rows of the task (see --worker-index); the work is cut "
                           "accordingly"},
    [O_SEQUENCE_MARGIN] = {.name = "sequence-margin",
                           .env = "KUBEFERRY_SEQUENCE_MARGIN",
                           .argument = "N",
                           .type = OPTION_INTEGER,
                           .fallback = "0",
                           .range = "0-1000000000000",
                           .min = 0,
                           .max = 1000000000000,
                           .help = "set each sequence of the sink N values further than the source's, in its own "
                                   "direction. They are exact at a cutover; between, they are some seconds behind: a "
                                   "margin covers a switch to the sink when the source is lost"},
    [O_SAMPLE] = {.name = "sample",
                  .env = "KUBEFERRY_SAMPLE",
                  .argument = "PERCENT",
                  .type = OPTION_INTEGER,
                  .fallback = "100",
                  .range = "1-100",
                  .min = 1,
                  .max = 100,
                  .verbs = VERBS(VERB_VERIFY),
                  .help =
                      "compare a part of the rows, chosen by a hash of their key: the same ones on both ends, and the "
                      "same ones each time. Every table is read all the same, yet costs less"},
    [O_RESUME] = {.name = "resume",
                  .type = OPTION_FLAG,
                  .verbs = VERBS(VERB_VERIFY),
                  .help =
                      "pass over the tables that a verify which was interrupted has found equal; they were so at its "
                      "moment, the others are compared at this one's"},
    [O_BLOCK] = {.name = "block",
                 .env = "KUBEFERRY_BLOCK",
                 .argument = "HOW",
                 .type = OPTION_CHOICE,
                 .fallback = "read-only",
                 .range = "none|read-only|lock",
                 .verbs = CUTOVERS,
                 .help = "how writes are kept from the source. none: the applications were stopped by you; the cutover "
                         "fails when something is committed all the same. read-only: the database is made read-only by "
                         "default and the sessions of others are ended. lock: the tables are locked, so writers wait; "
                         "at the end the database is made read-only, if the role may, and the sessions are ended"},
    [O_TIMEOUT] = {.name = "timeout",
                   .env = "KUBEFERRY_TIMEOUT",
                   .argument = "SECONDS",
                   .type = OPTION_INTEGER,
                   .fallback = "30",
                   .range = "1-3600",
                   .min = 1,
                   .max = TASK_CUTOVER_MAX,
                   .verbs = CUTOVERS,
                   .help = "how long writes may be kept away at most. Beyond it everything is undone: the source takes "
                           "writes again and cdc goes on"},
    [O_MAX_LAG] = {.name = "max-lag",
                   .env = "KUBEFERRY_MAX_LAG",
                   .argument = "SECONDS",
                   .type = OPTION_INTEGER,
                   .fallback = "10",
                   .range = "1-3600",
                   .min = 1,
                   .max = TASK_CUTOVER_MAX,
                   .verbs = CUTOVERS,
                   .help =
                       "the cutover does not begin when the sink needs longer than this to reach what the source has "
                       "committed"},
    [O_VERIFICATION] = {.name = "verification",
                        .env = "KUBEFERRY_VERIFICATION",
                        .argument = "WHICH",
                        .type = OPTION_CHOICE,
                        .fallback = "if-known",
                        .range = "if-known|ignored|required|final",
                        .verbs = CUTOVERS,
                        .help = "if-known: refuse when the last verify found a difference. ignored: do not look. "
                                "required: refuse also when there was none. final: compare both ends while writes are "
                                "kept away; takes as long as reading all tables once"},
    [O_REVERSE] = {.name = "reverse",
                   .type = OPTION_FLAG,
                   .verbs = CUTOVERS | VERBS(VERB_PRECHECK) | VERBS(VERB_RUN),
                   .help =
                       "leave a way back: publication and slot on the sink, from which the verb reverse follows, and "
                       "with which rollback loses nothing. It keeps WAL on the sink until it is followed, or cleanup "
                       "removes it. The ledger of the way back is a schema kubeferry on the source. For precheck: ask "
                       "whether that will be possible"},
    [O_CHECK] = {.name = "check",
                 .type = OPTION_FLAG,
                 .verbs = CUTOVERS,
                 .help = "only say whether it could begin, and why not, with numbers; exits 0 when it could"},
    [O_ABORT] = {.name = "abort",
                 .type = OPTION_FLAG,
                 .verbs = CUTOVERS,
                 .help = "undo what a cutover left that was killed: the source takes writes again"},
    [O_WORKER_INDEX] =
        {.name = "worker-index",
         .env = "JOB_COMPLETION_INDEX",
         .argument = "N",
         .type = OPTION_INTEGER,
         .range = "0-63",
         .min = 0,
         .max = TASK_WORKERS_MAX - 1,
         .verbs = VERBS(VERB_INIT_DATA),
         .help = "which of several processes that copy the rows of one task this is, each with --jobs of its own: 0 "
                 "coordinates and must always run, the others take chunks from its queue in the sink and exit 0 when "
                 "all rows are in. They wait for a coordinator, 10 minutes or --wait if that is longer. Kubernetes "
                 "sets the variable in the pods of an Indexed Job"},
    [O_TASK] = {.name = "task",
                .env = "KUBEFERRY_TASK",
                .argument = "FILE",
                .type = OPTION_TEXT,
                .help =
                    "read the task document (docs/task-document.md) in place of the options; an option given beside it "
                    "wins over the document"},
    [O_FORCE] = {.name = "force",
                 .type = OPTION_FLAG,
                 .verbs = VERBS(VERB_CLEANUP),
                 .help = "drop slot and publication by their names even if nothing shows that this task made them, "
                         "do without the sink if it is gone, and end what is left of a process that holds the task"},
    [O_HELP] = {.name = "help", .type = OPTION_FLAG, .help = "this page; after a verb, the page of that verb"},
    [O_HELP_MARKDOWN] = {.name = "help-markdown", .type = OPTION_FLAG, .help = "docs/options.md"},
    [O_HELP_MAN] = {.name = "help-man", .type = OPTION_FLAG, .help = "the manual page"},
    [O_VERSION] = {.name = "version", .type = OPTION_FLAG, .help = "the version"},
};

static const OptionTable TABLE = {
    .program = "kubeferry-engine",
    .summary = "Moves a live PostgreSQL database into another one.",
    .verbs = VERB_TABLE,
    .verb_count = VERB_COUNT,
    .specs = SPECS,
    .spec_count = O_COUNT,
    .notes = "A connection string on the command line is overwritten there at once, yet others on the machine may have "
             "seen it: "
             "give it in the environment, or leave the password to PGPASSFILE, a service file, PGPASSWORD or the task "
             "document's passwordFile.\n\n"
             "Exit codes: 0 done; 1 verify found a difference; 64 bad configuration or credentials; 69 an endpoint "
             "cannot be "
             "reached; 75 try again; 78 precheck failed, or another condition that a person must change.",
};

const char *engine_verb_name(EngineVerb verb)
{
    return verb < VERB_COUNT ? VERB_TABLE[verb].name : "";
}

static void set_text(char **target, const OptionValue *value)
{
    free(*target);
    *target = memory_strdup(value->text);
}

static int set_endpoint(Endpoint *target, const OptionValue *value, Error *err)
{
    Endpoint found;
    if (endpoint_parse(value->text, &found, err))
        return -1;
    endpoint_free(target);
    *target = found;
    return 0;
}

static int set_objects(ObjectList *target, const OptionValue *value, Error *err)
{
    ObjectList found;
    if (object_list_parse(value->text, &found, err))
        return -1;
    object_list_free(target);
    *target = found;
    return 0;
}

static int apply_option(int option, const OptionValue *value, TaskDocument *task, Error *err)
{
    switch (option) {
    case O_NAME:
        set_text(&task->name, value);
        return 0;
    case O_SOURCE:
        return set_endpoint(&task->source, value, err);
    case O_SINK:
        return set_endpoint(&task->sink, value, err);
    case O_OBJECTS:
        return set_objects(&task->objects, value, err);
    case O_STEPS:
        return task_document_set_steps(task, value->text, err);
    case O_JOBS:
        task->jobs = (int)value->integer;
        return 0;
    case O_WORKERS:
        task->workers = (int)value->integer;
        return 0;
    case O_UNTIL:
        task->until = (TaskUntil)value->integer; // in the order of the choices
        return 0;
    case O_LISTEN:
        set_text(&task->listen, value);
        return 0;
    case O_LOG_FORMAT:
        task->log_format = value->integer == 1 ? LOG_JSON : LOG_TEXT;
        return 0;
    case O_WORK_DIR:
        set_text(&task->work_dir, value);
        return 0;
    case O_WAIT:
        task->wait_seconds = (int)value->integer;
        return 0;
    case O_SAMPLE:
        task->verify_sample = (int)value->integer;
        return 0;
    case O_BLOCK:
        task->cutover.block = (TaskBlock)value->integer;
        return 0;
    case O_TIMEOUT:
        task->cutover.timeout_seconds = (int)value->integer;
        return 0;
    case O_MAX_LAG:
        task->cutover.max_lag_seconds = (int)value->integer;
        return 0;
    case O_REVERSE:
        task->cutover.reverse = true;
        return 0;
    case O_VERIFICATION:
        task->cutover.verification = (TaskVerification)value->integer;
        return 0;
    case O_SEQUENCE_MARGIN:
        task->sequence_margin = value->integer;
        return 0;
    default:
        return 0;
    }
}

static int apply_options(const OptionValue values[O_COUNT], OptionOrigin origin, TaskDocument *task, Error *err)
{
    for (int i = 0; i < O_COUNT; i++)
        if (values[i].origin == origin && apply_option(i, &values[i], task, err))
            return error_wrap(err, origin == OPTION_FROM_ARGUMENTS ? "--%s" : "%s",
                              origin == OPTION_FROM_ARGUMENTS ? SPECS[i].name : SPECS[i].env);
    return 0;
}

// Without a number of workers any may help.
static int check_worker(const EngineOptions *options, Error *err)
{
    int workers = options->task.workers;

    if (workers == 1 || options->worker_index < workers)
        return 0;
    return error_set(err, ERROR_USAGE, "worker-index: expected 0 to %d, since there are %d workers, found %d",
                     workers - 1, workers, options->worker_index);
}

bool engine_options_want_page(const EngineOptions *options)
{
    return options->help || options->help_markdown || options->help_man || options->version;
}

static int fill(const OptionValue values[O_COUNT], int verb, EngineOptions *out, Error *err)
{
    out->verb = verb < 0 ? VERB_NONE : (EngineVerb)verb;
    out->worker_index = values[O_WORKER_INDEX].origin == OPTION_UNSET ? -1 : (int)values[O_WORKER_INDEX].integer;
    out->force = values[O_FORCE].origin != OPTION_UNSET;
    out->resume = values[O_RESUME].origin != OPTION_UNSET;
    out->check = values[O_CHECK].origin != OPTION_UNSET;
    out->abort = values[O_ABORT].origin != OPTION_UNSET;
    out->help = values[O_HELP].origin != OPTION_UNSET;
    out->help_markdown = values[O_HELP_MARKDOWN].origin != OPTION_UNSET;
    out->help_man = values[O_HELP_MAN].origin != OPTION_UNSET;
    out->version = values[O_VERSION].origin != OPTION_UNSET;
    if (engine_options_want_page(out))
        return 0;
    if (verb < 0) {
        error_set(err, ERROR_USAGE, "no verb was given");
        return error_hint(err, "kubeferry-engine --help lists the verbs and options");
    }
    if (verb == VERB_VERIFY)
        out->task.jobs = VERIFY_JOBS;
    if (apply_options(values, OPTION_FROM_ENVIRONMENT, &out->task, err))
        return -1;
    if (values[O_TASK].origin != OPTION_UNSET && task_document_load(values[O_TASK].text, &out->task, err))
        return -1;
    if (apply_options(values, OPTION_FROM_ARGUMENTS, &out->task, err))
        return -1;
    if (task_document_check(&out->task, err) || check_worker(out, err))
        return -1;
    if (verb == VERB_REVERSE || verb == VERB_ROLLBACK)
        task_document_turn(&out->task);
    return 0;
}

int engine_options_parse(int argc, char **argv, EngineOptions *out, Error *err)
{
    OptionValue values[O_COUNT] = {0};
    int verb = -1;

    *out = (EngineOptions){.verb = VERB_NONE, .worker_index = -1};
    task_document_init(&out->task);
    int result = options_parse(&TABLE, argc, argv, &verb, values, err);
    if (result == 0)
        result = fill(values, verb, out, err);
    options_free(&TABLE, values);
    return result;
}

void engine_options_free(EngineOptions *options)
{
    task_document_free(&options->task);
}

void engine_options_answer(const EngineOptions *options, FILE *out)
{
    auto_buffer Buffer text = {0};

    if (options->help)
        options_help(&TABLE, options->verb == VERB_NONE ? -1 : (int)options->verb, &text);
    else if (options->help_markdown)
        options_markdown(&TABLE, &text);
    else if (options->help_man)
        options_man(&TABLE, -1, &text);
    else
        buffer_puts(&text, "kubeferry-engine " KUBEFERRY_VERSION "\n");
    fputs(buffer_text(&text), out);
}
