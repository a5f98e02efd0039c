// SPDX-License-Identifier: Apache-2.0
// The options of all commands. --help, docs/commands.md, the manual pages and the completions come from here.
#include "cli/commands.h"

#define VERB(id) (1u << VERB_##id)
#define TASK_VERBS                                                                                                     \
    (VERB(MIGRATION_CREATE) | VERB(MIGRATION_DESCRIBE) | VERB(MIGRATION_LOGS) | VERB(MIGRATION_SUSPEND) |              \
     VERB(MIGRATION_RESUME) | VERB(MIGRATION_VERIFY) | SWITCH_VERBS)
#define SWITCH_VERBS (VERB(MIGRATION_CUTOVER) | VERB(MIGRATION_ROLLBACK))
#define SHOWING_VERBS                                                                                                  \
    (VERB(MIGRATION_CREATE) | VERB(MIGRATION_LIST) | VERB(MIGRATION_DESCRIBE) | VERB(MIGRATION_TEMPLATES))

_Static_assert(VERB_COUNT <= 32, "a bit for each verb");

static const OptionVerb VERBS[VERB_COUNT] = {
#define VERB_ROW(id, name, run, help, example) [VERB_##id] = {name, help},
    COMMANDS(VERB_ROW)
#undef VERB_ROW
};

static const char *const EXAMPLES[VERB_COUNT] = {
#define EXAMPLE_ROW(id, name, run, help, example) [VERB_##id] = example,
    COMMANDS(EXAMPLE_ROW)
#undef EXAMPLE_ROW
};

const CommandFunction CLI_FUNCTIONS[VERB_COUNT] = {
#define FUNCTION_ROW(id, name, run, help, example) [VERB_##id] = run,
    COMMANDS(FUNCTION_ROW)
#undef FUNCTION_ROW
};

#define ENDPOINT_FORMS                                                                                                 \
    ": user:password@host:port/database, a libpq URI or a conninfo string. The password may hold any character and "   \
    "goes to a Secret"

static const OptionSpec SPECS[O_COUNT] = {
    [O_NAME] = {.name = "name", .argument = "NAME", .type = OPTION_TEXT, .word = true, .verbs = TASK_VERBS, .help = "name of the task: a-z, 0-9 and -, at most 63 characters. The slot on the source is called so, with _ for -"},
    [O_NAMES] = {.name = "names", .argument = "NAME...", .type = OPTION_TEXT, .word = true, .repeat = true, .verbs = VERB(MIGRATION_TERMINATE), .help = "names of tasks"},
    [O_TEMPLATE_NAME] = {.name = "template-name", .argument = "[TEMPLATE]", .type = OPTION_TEXT, .word = true, .verbs = VERB(MIGRATION_TEMPLATES), .help = "only this one"},
    [O_ADDON] = {.name = "addon", .argument = "migration", .type = OPTION_TEXT, .word = true, .verbs = VERB(ADDON_DESCRIBE) | VERB(ADDON_ENABLE) | VERB(ADDON_DISABLE) | VERB(ADDON_UPGRADE), .help = "the add-on; migration is the only one and need not be named"},
    [O_SHELL] = {.name = "shell", .argument = "bash|zsh|fish", .type = OPTION_CHOICE, .range = "bash|zsh|fish", .word = true, .verbs = VERB(COMPLETION), .help = "the shell"},
    [O_TEMPLATE] = {.name = "template", .argument = "NAME", .type = OPTION_TEXT, .fallback = "apecloud-pg2pg", .verbs = VERB(MIGRATION_CREATE), .help = "from which kind of database to which; kubeferry migration templates lists them"},
    [O_SOURCE] = {.name = "source", .env = "KUBEFERRY_SOURCE", .argument = "ENDPOINT", .type = OPTION_TEXT, .secret = true, .verbs = VERB(MIGRATION_CREATE), .help = "the database to move" ENDPOINT_FORMS},
    [O_SINK] = {.name = "sink", .env = "KUBEFERRY_SINK", .argument = "ENDPOINT", .type = OPTION_TEXT, .secret = true, .verbs = VERB(MIGRATION_CREATE), .help = "the database to fill, in the same forms"},
    [O_SOURCE_SECRET] = {.name = "source-secret", .argument = "SECRET", .type = OPTION_TEXT, .verbs = VERB(MIGRATION_CREATE), .help = "a Secret in the namespace of the task that holds the source's password, and its user unless --source names one: NAME, or NAME,user=KEY,password=KEY when its keys are not username and password"},
    [O_SINK_SECRET] = {.name = "sink-secret", .argument = "SECRET", .type = OPTION_TEXT, .verbs = VERB(MIGRATION_CREATE), .help = "the same for the sink"},
    [O_TLS] = {.name = "tls", .argument = "MODE", .type = OPTION_CHOICE, .range = "disable|allow|prefer|require|verify-ca|verify-full", .fallback = "prefer", .verbs = VERB(MIGRATION_CREATE), .help = "encryption of the connections to both ends, as libpq's sslmode. ?sslmode=… in an endpoint wins for that end"},
    [O_TLS_CA_SECRET] = {.name = "tls-ca-secret", .argument = "SECRET", .type = OPTION_TEXT, .verbs = VERB(MIGRATION_CREATE), .help = "the Secret that holds the servers' certificate authority, under ca.crt: NAME or NAME,key=KEY. verify-ca and verify-full need it"},
    [O_OBJECTS] = {.name = "migration-object", .argument = "LIST", .type = OPTION_TEXT, .fallback = "all user tables", .verbs = VERB(MIGRATION_CREATE), .help = "what to move: '\"public.a\",\"public.b\",\"sales\"'; a bare name is a whole schema. Names are taken as written; one that holds a dot, comma or quote stands in doubled quotes: '\"public.\"\"a.b\"\"\"'"},
    [O_STEPS] = {.name = "steps", .argument = "LIST", .type = OPTION_TEXT, .fallback = "precheck=true,init-struct=true,init-data=true,cdc=true", .verbs = VERB(MIGRATION_CREATE), .help = "which steps the task has; those not named stay on. init-data is always needed; init-struct-later=true adds one more look at indexes and constraints"},
    [O_TOLERATIONS] = {.name = "tolerations", .argument = "LIST", .type = OPTION_TEXT, .repeat = true, .verbs = VERB(MIGRATION_CREATE), .help = "taints of nodes that the workers put up with: '\"step=init-data,key=dedicated,value=pg,operator=Equal,effect=NoSchedule\",\"key=spot,operator=Exists\"'; without step for all steps"},
    [O_RESOURCES] = {.name = "resources", .argument = "LIST", .type = OPTION_TEXT, .repeat = true, .verbs = VERB(MIGRATION_CREATE), .help = "limits of the workers: '\"step=init-data,cpu=1000m,memory=1Gi\",\"memory=512Mi\"'; without step for all steps"},
    [O_DRY_RUN] = {.name = "dry-run", .argument = "WHERE", .type = OPTION_CHOICE, .range = "none|client|server", .fallback = "none", .verbs = VERB(MIGRATION_CREATE), .help = "make nothing: client shows what would be sent, server lets the API server check it, too"},
    [O_WAIT] = {.name = "wait", .type = OPTION_FLAG, .verbs = VERB(MIGRATION_CREATE) | VERB(MIGRATION_TERMINATE) | VERB(MIGRATION_VERIFY) | SWITCH_VERBS, .help = "wait until changes are followed or everything is done (create), the task is gone (terminate), or it has come to an end (verify, cutover); exit 1 when a person must do something first"},
    [O_FOLLOW] = {.name = "follow", .letter = 'f', .type = OPTION_FLAG, .verbs = VERB(MIGRATION_CREATE) | VERB(MIGRATION_LOGS), .help = "create: wait, and show how far it is. logs: go on with what is being logged, over restarts of the worker"},
    [O_STEP] = {.name = "step", .argument = "STEP", .type = OPTION_TEXT, .fallback = "the step at work", .range = "precheck, init-struct, init-data, init-struct-later, cdc", .verbs = VERB(MIGRATION_LOGS), .help = "whose log"},
    [O_TAIL] = {.name = "tail", .argument = "N", .type = OPTION_INTEGER, .fallback = "everything", .range = "0-1000000", .min = 0, .max = 1000000, .verbs = VERB(MIGRATION_LOGS), .help = "only the last N lines"},
    [O_PREVIOUS] = {.name = "previous", .letter = 'p', .type = OPTION_FLAG, .verbs = VERB(MIGRATION_LOGS), .help = "of the container before the last restart"},
    [O_WATCH] = {.name = "watch", .letter = 'w', .type = OPTION_FLAG, .verbs = VERB(MIGRATION_LIST) | VERB(MIGRATION_DESCRIBE), .help = "go on showing it, until Ctrl-C"},
    [O_AUTO_APPROVE] = {.name = "auto-approve", .type = OPTION_FLAG, .verbs = VERB(MIGRATION_TERMINATE) | SWITCH_VERBS, .help = "do not ask for the name to be typed again"},
    [O_BLOCK] = {.name = "block", .argument = "HOW", .type = OPTION_CHOICE, .range = "none|read-only|lock", .fallback = "read-only", .verbs = SWITCH_VERBS, .help = "how writes are kept from the source (rollback: the sink). read-only: the database is made read-only and the sessions of others are ended. lock: the tables are locked, and writers wait. none: you have stopped the applications, which is checked"},
    [O_VERIFICATION] = {.name = "verification", .argument = "WHICH", .type = OPTION_CHOICE, .range = "if-known|ignored|required|final", .fallback = "if-known", .verbs = SWITCH_VERBS, .help = "what must be known of both ends being equal. if-known: the last verification, if there was one, found no difference. required: there was one. final: they are compared while writes are kept away"},
    [O_LIMIT] = {.name = "limit", .argument = "SECONDS", .type = OPTION_INTEGER, .range = "1-3600", .min = 1, .max = 3600, .fallback = "30", .verbs = SWITCH_VERBS, .help = "how long writes may be kept away at most; beyond it all is undone"},
    [O_MAX_LAG] = {.name = "max-lag", .argument = "SECONDS", .type = OPTION_INTEGER, .range = "1-3600", .min = 1, .max = 3600, .fallback = "10", .verbs = SWITCH_VERBS, .help = "it does not begin while the other end is further behind"},
    [O_CANCEL] = {.name = "cancel", .type = OPTION_FLAG, .verbs = SWITCH_VERBS, .help = "take it back, as long as it has not taken place"},
    [O_FORCE] = {.name = "force", .type = OPTION_FLAG, .verbs = VERB(MIGRATION_TERMINATE) | VERB(ADDON_DISABLE), .help = "terminate: let the task go even when slot and publication on the source cannot be dropped; drop them by hand then. disable: even while there are tasks, which stay as they are and cannot be deleted until it is enabled again"},
    [O_TIMEOUT] = {.name = "timeout", .argument = "SECONDS", .type = OPTION_INTEGER, .fallback = "0, for ever; 300 for addon", .range = "0-604800", .min = 0, .max = 604800, .verbs = VERB(MIGRATION_CREATE) | VERB(MIGRATION_TERMINATE) | VERB(MIGRATION_VERIFY) | SWITCH_VERBS | VERB(ADDON_ENABLE) | VERB(ADDON_DISABLE) | VERB(ADDON_UPGRADE), .help = "how long to wait"},
    [O_SET] = {.name = "set", .argument = "KEY=VALUE", .type = OPTION_TEXT, .repeat = true, .verbs = VERB(ADDON_ENABLE) | VERB(ADDON_UPGRADE), .help = "a value of the chart (helm/migration/values.yaml); may be given several times"},
    [O_CHART] = {.name = "chart", .env = "KUBEFERRY_CHART", .argument = "CHART", .type = OPTION_TEXT, .fallback = "the one that was installed with this command", .verbs = VERB(ADDON_LIST) | VERB(ADDON_DESCRIBE) | VERB(ADDON_ENABLE) | VERB(ADDON_UPGRADE), .help = "where helm finds the chart: a folder, a .tgz file or an oci:// or https:// address"},
    [O_OUTPUT] = {.name = "output", .letter = 'o', .argument = "FORM", .type = OPTION_CHOICE, .range = "json|yaml|name|wide", .verbs = SHOWING_VERBS, .help = "show the objects themselves, or their names, or more columns. Passwords are masked"},
    [O_NO_HEADERS] = {.name = "no-headers", .type = OPTION_FLAG, .verbs = VERB(MIGRATION_LIST) | VERB(MIGRATION_TEMPLATES) | VERB(ADDON_LIST), .help = "leave out the line of titles"},
    [O_ALL_NAMESPACES] = {.name = "all-namespaces", .letter = 'A', .type = OPTION_FLAG, .verbs = VERB(MIGRATION_LIST), .help = "of all namespaces"},
    [O_NAMESPACE] = {.name = "namespace", .letter = 'n', .argument = "NAME", .type = OPTION_TEXT, .fallback = "the context's", .help = "the namespace"},
    [O_KUBECONFIG] = {.name = "kubeconfig", .argument = "FILE", .type = OPTION_TEXT, .fallback = "$KUBECONFIG, in a pod its service account, else ~/.kube/config", .help = "how to reach the cluster"},
    [O_CONTEXT] = {.name = "context", .argument = "NAME", .type = OPTION_TEXT, .fallback = "the current one", .help = "which context of the kubeconfig"},
    [O_AS] = {.name = "as", .argument = "USER", .type = OPTION_TEXT, .help = "act as this user, if the cluster lets you"},
    [O_REQUEST_TIMEOUT] = {.name = "request-timeout", .argument = "SECONDS", .type = OPTION_INTEGER, .range = "1-3600", .min = 1, .max = 3600, .fallback = "30", .help = "how long to wait for an answer of the API server"},
    [O_COLOR] = {.name = "color", .argument = "WHEN", .type = OPTION_CHOICE, .range = "auto|always|never", .fallback = "auto: on a terminal, unless NO_COLOR is set", .help = "colours"},
    [O_HELP] = {.name = "help", .letter = 'h', .type = OPTION_FLAG, .help = "this page; after a verb, the page of that verb"},
    [O_HELP_MARKDOWN] = {.name = "help-markdown", .type = OPTION_FLAG, .help = "docs/commands.md"},
    [O_HELP_MAN] = {.name = "help-man", .type = OPTION_FLAG, .help = "the manual page; after migration or addon, theirs"},
    [O_VERSION] = {.name = "version", .type = OPTION_FLAG, .help = "the version of this command"},
};

const OptionTable CLI_TABLE = {
    .program = "kubeferry",
    .summary = "Moves a live PostgreSQL database into another one, on Kubernetes or from here.",
    .verbs = VERBS,
    .verb_count = VERB_COUNT,
    .specs = SPECS,
    .spec_count = O_COUNT,
    .notes = "The migration commands are a plugin of kubectl, too: kubectl migration list.\n\n"
             "A connection string on the command line is overwritten there at once, yet others on the machine may have "
             "seen it: give it in the environment, leave the password out and type it when asked, or name a Secret.\n\n"
             "Exit codes: 0 done; 1 it failed, or what was waited for cannot come without a person; 64 the command line "
             "cannot be understood. kubeferry run has those of kubeferry-engine.",
    .examples = EXAMPLES,
    .brief = true,
};
