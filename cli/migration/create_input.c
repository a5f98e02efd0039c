// SPDX-License-Identifier: Apache-2.0
// Must never put the text of an endpoint into an error: a password may stand anywhere in it.
#include "cli/migration/create_input.h"

#include "cli/commands.h"
#include "cli/prompt.h"
#include "common/base/memory.h"
#include "common/contract/task_document.h"

#include <string.h>

#define EXAMPLE_END "user:password@db.example.com:5432/shop"

static const struct {
    const char *which, *option, *question;
    int endpoint, secret;
} ENDS[CREATE_ENDS] = {
    [CREATE_SOURCE] = {"source", "--source", "Source", O_SOURCE, O_SOURCE_SECRET},
    [CREATE_SINK] = {"sink", "--sink", "Sink", O_SINK, O_SINK_SECRET},
};

// ---- the name ------------------------------------------------------------------------------------------------------

static int check_name(const char *name, Error *err)
{
    size_t len = strlen(name), good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (len > 0 && len <= TASK_NAME_MAX && good == len && name[0] != '-' && name[len - 1] != '-')
        return 0;
    if (len > TASK_NAME_MAX)
        error_set(err, ERROR_USAGE, "NAME: '%.80s' has %zu characters, and %d are the most", name, len, TASK_NAME_MAX);
    else
        error_set(err, ERROR_USAGE, "NAME: '%.80s' cannot be the name of a task", name);
    return error_hint(err, "write a-z, 0-9 and -, beginning and ending with a letter or digit, for example mytask");
}

static int read_name(const Cli *cli, CreateInput *input, bool asking, Error *err)
{
    if (cli_given(cli, O_NAME))
        input->name = memory_strdup(cli_text(cli, O_NAME));
    else if (!asking)
        return error_set(err, ERROR_USAGE, "NAME: the name of the task is missing"),
               error_hint(err, "for example: kubeferry migration create mytask --source " EXAMPLE_END " --sink …");
    else if (prompt_line("Name of the task: ", false, &input->name, err))
        return -1;
    return check_name(input->name, err);
}

// ---- an end --------------------------------------------------------------------------------------------------------

static int ask_end(CreateEnd *end, const char *question, Error *err)
{
    auto_free char *where = memory_printf("%s (user@host:port/database): ", question);
    char *answer = NULL;

    if (prompt_line(where, false, &answer, err))
        return -1;
    auto_free char *typed = answer;
    return endpoint_parse(typed, &end->endpoint, err) ? error_wrap(err, "%s", end->which) : 0;
}

static int ask_password(CreateEnd *end, Error *err)
{
    auto_free char *label = endpoint_label(&end->endpoint);
    auto_free char *question = memory_printf("Password of %s (empty: none): ", label);
    char *answer = NULL;

    if (prompt_line(question, true, &answer, err))
        return -1;
    if (*answer)
        endpoint_set(&end->endpoint, "password", answer);
    explicit_bzero(answer, strlen(answer));
    free(answer);
    return 0;
}

static int refuse_end(const CreateEnd *end, const char *what, Error *err)
{
    auto_free char *label = endpoint_label(&end->endpoint);

    error_set(err, ERROR_USAGE, "%s: %s in '%s'", end->option, what, label);
    return error_hint(err, "write user:password@host:port/database, for example %s " EXAMPLE_END, end->option);
}

// A task holds host, port, database, user and the TLS mode, and nothing else that libpq knows.
static int check_keywords(const CreateEnd *end, Error *err)
{
    static const char *const KNOWN[] = {"host", "hostaddr", "port", "dbname", "user", "password", "sslmode"};

    for (size_t i = 0; i < end->endpoint.count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof KNOWN / sizeof *KNOWN; k++)
            known = known || strcmp(end->endpoint.keywords[i], KNOWN[k]) == 0;
        if (!known) {
            error_set(err, ERROR_USAGE, "%s: a task cannot hold %s", end->option, end->endpoint.keywords[i]);
            return error_hint(err, "leave it out, for example %s " EXAMPLE_END "?sslmode=require", end->option);
        }
    }
    return 0;
}

static int make_address(CreateEnd *end, Error *err)
{
    const char *host = endpoint_get(&end->endpoint, "host"), *port = endpoint_get(&end->endpoint, "port");

    if (!host || !*host)
        host = endpoint_get(&end->endpoint, "hostaddr");
    if (!host || !*host)
        return refuse_end(end, "the host is missing", err);
    if (*host == '/')
        return refuse_end(end, "the host is a socket of this machine, which the cluster cannot reach,", err);
    if (strchr(host, ','))
        return refuse_end(end, "there is more than one host", err);
    if (!port || !*port)
        return refuse_end(end, "the port is missing", err);
    end->address = memory_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return 0;
}

// NAME[,key=VALUE]…: which keys the Secret has.
static int read_secret(const char *option, const char *text, CreateSecret *secret, Error *err)
{
    const struct {
        const char *name;
        char **target;
    } KEYS[] = {{"user=", &secret->user_key}, {"password=", &secret->password_key}, {"key=", &secret->key}};
    auto_free char *copy = memory_strdup(text);
    char *rest = copy;

    secret->name = memory_strdup(strsep(&rest, ","));
    for (char *word; (word = strsep(&rest, ","));) {
        bool known = false;
        for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
            size_t len = strlen(KEYS[i].name);
            if (strncmp(word, KEYS[i].name, len) != 0 || !word[len])
                continue;
            free(*KEYS[i].target);
            *KEYS[i].target = memory_strdup(word + len);
            known = true;
        }
        if (!known) {
            error_set(err, ERROR_USAGE, "%s: cannot understand '%.80s'", option, word);
            return error_hint(err, "for example %s old-db or %s old-db,user=login,password=pass", option, option);
        }
    }
    if (*secret->name)
        return 0;
    return error_set(err, ERROR_USAGE, "%s: the name of the Secret is missing in '%.80s'", option, text);
}

static int read_end(const Cli *cli, CreateEnd *end, int which, bool asking, Error *err)
{
    bool asked = false;

    end->which = ENDS[which].which;
    end->option = ENDS[which].option;
    if (cli_given(cli, ENDS[which].endpoint)) {
        if (endpoint_parse(cli_text(cli, ENDS[which].endpoint), &end->endpoint, err))
            return error_wrap(err, "%s", end->option);
    } else if (!asking) {
        error_set(err, ERROR_USAGE, "%s is missing", end->option);
        return error_hint(err, "for example %s " EXAMPLE_END, end->option);
    } else if (ask_end(end, ENDS[which].question, err)) {
        return -1;
    } else {
        asked = true;
    }
    if (check_keywords(end, err) || make_address(end, err))
        return -1;
    if (cli_given(cli, ENDS[which].secret)) {
        auto_free char *option = memory_printf("%s-secret", end->option);
        if (endpoint_get(&end->endpoint, "password"))
            return error_set(err, ERROR_USAGE, "%s: it holds a password, and %s names another one: leave one out",
                             end->option, option);
        return read_secret(option, cli_text(cli, ENDS[which].secret), &end->secret, err);
    }
    if (!endpoint_get(&end->endpoint, "user"))
        return refuse_end(end, "the user is missing", err);
    if (!endpoint_get(&end->endpoint, "password") && (asked || asking))
        return ask_password(end, err);
    return 0;
}

// ---- the rest ------------------------------------------------------------------------------------------------------

static int read_objects(const Cli *cli, CreateInput *input, bool asking, bool asked, Error *err)
{
    auto_free char *answer = NULL;
    const char *text = cli_text(cli, O_OBJECTS);

    if (!text && asking && asked) {
        if (prompt_line("What to move, as \"public.orders\",\"sales\" (empty: all user tables): ", false, &answer, err))
            return -1;
        text = *answer ? answer : NULL;
    }
    if (!text || object_list_parse(text, &input->objects, err) == 0)
        return 0;
    error_wrap(err, "--migration-object: cannot read '%.200s'", text);
    return error_hint(err, "for example --migration-object '\"public.orders\",\"public.items\"'");
}

static int read_steps(const Cli *cli, CreateInput *input, Error *err)
{
    static const char EXAMPLE[] = "for example --steps precheck=true,init-struct=false,init-data=true,cdc=true";
    TaskDocument defaults;
    const char *text = cli_text(cli, O_STEPS);

    task_document_init(&defaults);
    int rc = text ? task_document_set_steps(&defaults, text, err) : 0;
    if (rc == 0)
        memcpy(input->steps, defaults.steps, sizeof input->steps);
    task_document_free(&defaults);
    if (rc) {
        error_wrap(err, "--steps: cannot read '%.200s'", text);
        return error_hint(err, "%s", EXAMPLE);
    }
    if (input->steps[STEP_INIT_DATA])
        return 0;
    error_set(err, ERROR_USAGE, "--steps: step init-data is needed, and '%.200s' switches it off", text);
    return error_hint(err, "%s", EXAMPLE);
}

static int read_ca(const Cli *cli, CreateInput *input, Error *err)
{
    const char *text = cli_text(cli, O_TLS_CA_SECRET);

    return text ? read_secret("--tls-ca-secret", text, &input->ca, err) : 0;
}

int create_input_read(const Cli *cli, CreateInput *input, Error *err)
{
    bool needed = !cli_given(cli, O_NAME) || !cli_given(cli, O_SOURCE) || !cli_given(cli, O_SINK);
    bool possible = prompt_possible();

    *input = (CreateInput){0};
    input->template_name = memory_strdup(cli_text(cli, O_TEMPLATE) ?: "apecloud-pg2pg");
    if (read_steps(cli, input, err) || read_name(cli, input, possible, err) ||
        read_end(cli, &input->ends[CREATE_SOURCE], CREATE_SOURCE, possible, err) ||
        read_end(cli, &input->ends[CREATE_SINK], CREATE_SINK, possible, err) ||
        read_objects(cli, input, possible, needed, err) || read_ca(cli, input, err)) {
        create_input_free(input);
        return -1;
    }
    return 0;
}

static void free_secret(CreateSecret *secret)
{
    free(secret->name);
    free(secret->user_key);
    free(secret->password_key);
    free(secret->key);
}

void create_input_free(CreateInput *input)
{
    for (int i = 0; i < CREATE_ENDS; i++) {
        endpoint_free(&input->ends[i].endpoint);
        free_secret(&input->ends[i].secret);
        free(input->ends[i].address);
    }
    free_secret(&input->ca);
    object_list_free(&input->objects);
    free(input->name);
    free(input->template_name);
    *input = (CreateInput){0};
}
