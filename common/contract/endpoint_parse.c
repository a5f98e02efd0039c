// SPDX-License-Identifier: Apache-2.0
// The three forms of an endpoint: URI, conninfo string, user:password@host:port/database.
// Must never put any of the text into an error: a password may stand anywhere in what was mistyped.
#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/contract/endpoint.h"

#include <ctype.h>
#include <string.h>

// What libpq 10 to 18 take. A keyword that the installed libpq is too old for is refused by libpq itself.
static const char *const KEYWORDS[] = {
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "passfile",
    "service",
    "require_auth",
    "channel_binding",
    "connect_timeout",
    "client_encoding",
    "options",
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslmode",
    "sslnegotiation",
    "sslcompression",
    "sslcert",
    "sslkey",
    "sslkeylogfile",
    "sslpassword",
    "sslcertmode",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "requiressl",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "min_protocol_version",
    "max_protocol_version",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "scram_client_key",
    "scram_server_key",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "target_session_attrs",
    "load_balance_hosts",
    "servicefile",
};
enum { KEYWORD_COUNT = sizeof KEYWORDS / sizeof *KEYWORDS };

typedef struct Reader {
    const char *text; // all of it, to tell the place
    Endpoint *out;
    Error *err;
} Reader;

static int fail(const Reader *r, const char *what, const char *at)
{
    error_set(r->err, ERROR_USAGE, "%s at character %td", what, at - r->text + 1);
    return error_hint(r->err,
                      "give it as postgresql://user:password@host:port/database, as 'host=… port=… dbname=… user=…' or "
                      "as user:password@host:port/database");
}

static bool known_keyword(const char *word, size_t len)
{
    for (size_t i = 0; i < KEYWORD_COUNT; i++)
        if (strlen(KEYWORDS[i]) == len && memcmp(KEYWORDS[i], word, len) == 0)
            return true;
    return false;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Percent-decodes; what is no valid encoding (or would be a NUL) stays as written. Caller frees.
static char *decode(const char *from, size_t len)
{
    char *out = memory_alloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '%' && i + 2 < len && hex_value(from[i + 1]) >= 0 && hex_value(from[i + 2]) >= 0) {
            char c = (char)(hex_value(from[i + 1]) * 16 + hex_value(from[i + 2]));
            if (c != '\0') {
                out[n++] = c;
                i += 2;
                continue;
            }
        }
        out[n++] = from[i];
    }
    out[n] = '\0';
    return out;
}

static void set_decoded(Endpoint *e, const char *keyword, const char *from, size_t len)
{
    if (len == 0)
        return;
    auto_free char *value = decode(from, len);
    endpoint_set(e, keyword, value);
}

static const char *port_problem(const char *port, size_t len)
{
    unsigned number = 0;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)port[i]))
            return "a port that is no number";
        if (number <= 65535)
            number = number * 10 + (unsigned)(port[i] - '0');
    }
    return len > 0 && (number == 0 || number > 65535) ? "a port number outside of 1 to 65535" : NULL;
}

// One "host:port" or "[v6]:port" of a comma-separated list, appended to hosts and ports. Returns the place behind it;
// NULL and *problem, *at when it is none.
static const char *read_host(const char *p, Buffer *hosts, Buffer *ports, const char **problem, const char **at)
{
    const char *end;
    *at = p;
    if (*p == '[') {
        end = strchr(p, ']');
        if (!end || end == p + 1) {
            *problem = "a bracket that is not closed";
            return NULL;
        }
        for (const char *q = p + 1; q < end; q++)
            if (!isalnum((unsigned char)*q) && !strchr(":.%-_", *q)) {
                *problem = "what is no IPv6 address";
                return NULL;
            }
        buffer_append(hosts, p + 1, (size_t)(end - p - 1));
        end++;
    } else {
        end = p + strcspn(p, ":/?,");
        for (const char *q = p; q < end; q++)
            if ((unsigned char)*q <= ' ' || strchr("@=[]\"'\\<>#&;", *q)) {
                *at = q;
                *problem = "a character that no host name holds";
                return NULL;
            }
        auto_free char *host = decode(p, (size_t)(end - p)); // %2Fvar%2Frun is a socket directory
        buffer_puts(hosts, host);
    }
    if (*end == ':') {
        const char *port = ++end;
        end += strcspn(end, "/?,");
        *at = port;
        if ((*problem = port_problem(port, (size_t)(end - port))))
            return NULL;
        buffer_append(ports, port, (size_t)(end - port));
    }
    *at = end;
    *problem = "what is neither ':', '/' nor the end behind a host";
    return strchr(",/?", *end) ? end : NULL; // also the end: strchr finds the NUL
}

static const char *read_parameters(const char *p, Endpoint *out, const char **problem, const char **at)
{
    while (*p) {
        size_t len = strcspn(p, "=&");
        const char *value = p + len + 1;
        *at = p;
        if (p[len] != '=') {
            *problem = "a parameter without a value";
            return NULL;
        }
        size_t value_len = strcspn(value, "&");
        if (len == 3 && memcmp(p, "ssl", 3) == 0 && value_len == 4 && memcmp(value, "true", 4) == 0) {
            endpoint_set(out, "sslmode", "require"); // JDBC's way, which libpq takes too
        } else if (known_keyword(p, len)) {
            auto_free char *keyword = memory_printf("%.*s", (int)len, p);
            auto_free char *decoded = decode(value, value_len);
            endpoint_set(out, keyword, decoded);
        } else {
            *problem = "a parameter that libpq does not know";
            return NULL;
        }
        p = value + value_len;
        if (*p == '&')
            p++;
    }
    return p;
}

// host[:port][,…][/database][?parameters], to the end. 0, or -1 with *problem and *at. strict: a database name that
// looks like the rest of a password is refused.
static int read_tail(const char *p, bool strict, Endpoint *out, const char **problem, const char **at)
{
    auto_buffer Buffer hosts = {0}, ports = {0};
    bool any_port = false;

    for (;; p++) {
        size_t before = ports.len;
        p = read_host(p, &hosts, &ports, problem, at);
        if (!p)
            return -1;
        any_port = any_port || ports.len > before;
        if (*p != ',')
            break;
        buffer_putc(&hosts, ',');
        buffer_putc(&ports, ',');
    }
    if (hosts.len)
        endpoint_set(out, "host", hosts.data);
    if (any_port)
        endpoint_set(out, "port", ports.data);
    if (*p == '/') {
        size_t len = strcspn(++p, "?");
        for (size_t i = 0; i < len; i++)
            if (strict ? p[i] == '@' || p[i] == '/' : p[i] == '/') {
                *problem = "a database name with a character that must be percent-encoded";
                *at = p + i;
                return -1;
            }
        set_decoded(out, "dbname", p, len);
        p += len;
    }
    if (*p == '?')
        return read_parameters(p + 1, out, problem, at) ? 0 : -1;
    return 0;
}

static int read_address(const char *start, const char *sign, bool strict, Endpoint *out, const char **problem,
                        const char **at)
{
    if (sign) {
        const char *colon = memchr(start, ':', (size_t)(sign - start));
        const char *user_end = colon ? colon : sign;
        for (const char *p = start; p < user_end; p++)
            if (strchr("/?@", *p)) {
                *problem = "a user name with a character that must be percent-encoded";
                *at = p;
                return -1;
            }
        set_decoded(out, "user", start, (size_t)(user_end - start));
        if (colon)
            set_decoded(out, "password", colon + 1, (size_t)(sign - colon - 1));
    }
    return read_tail(sign ? sign + 1 : start, strict, out, problem, at);
}

static const char *last_sign(const char *from, const char *to)
{
    while (to > from)
        if (*--to == '@')
            return to;
    return NULL;
}

// [user[:password]@]hosts[/database][?parameters]. First as the standard has it, with the authority ending at the first
// '/' or '?'. When that makes no sense, some '@', '/' or '?' belongs to the password: then the last '@' that a host can
// follow divides.
static int parse_address(Reader *r, const char *start)
{
    const char *authority_end = start + strcspn(start, "/?");
    const char *sign = last_sign(start, authority_end);
    const char *problem = "nothing", *at = start;
    Endpoint found = {0};

    if (read_address(start, sign, true, &found, &problem, &at) == 0) {
        *r->out = found;
        return 0;
    }
    endpoint_free(&found);
    for (const char *loose = last_sign(start, start + strlen(start)); loose; loose = last_sign(start, loose)) {
        const char *ignored_problem, *ignored_at;
        if (loose != sign && read_address(start, loose, false, &found, &ignored_problem, &ignored_at) == 0) {
            *r->out = found;
            return 0;
        }
        endpoint_free(&found);
    }
    return fail(r, problem, at);
}

// A conninfo value: bare up to a space, or in single quotes; a backslash takes the next character as it is.
static const char *read_value(Reader *r, const char *p, Buffer *value)
{
    bool quoted = *p == '\'';
    const char *opening = p;

    if (quoted)
        p++;
    while (*p && (quoted ? *p != '\'' : !isspace((unsigned char)*p))) {
        if (*p == '\\' && p[1])
            p++;
        buffer_putc(value, *p++);
    }
    if (!quoted)
        return p;
    if (*p != '\'') {
        fail(r, "a quote that is not closed", opening);
        return NULL;
    }
    return p + 1;
}

static int parse_conninfo(Reader *r, const char *p)
{
    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (!*p)
            return 0;
        const char *word = p;
        p += strcspn(p, "= \t\n\r\f\v");
        size_t len = (size_t)(p - word);
        while (isspace((unsigned char)*p))
            p++;
        if (*p != '=')
            return fail(r, "expected keyword=value (a value with spaces stands in single quotes)", word);
        if (!known_keyword(word, len)) {
            auto_free char *typed = memory_printf("%.*s", (int)len, word);
            const char *near = nearest_word(typed, KEYWORDS, KEYWORD_COUNT);
            fail(r, "a keyword that libpq does not know", word);
            return near ? error_hint(r->err, "did you mean %s=?", near) : -1;
        }
        for (p++; isspace((unsigned char)*p);)
            p++;
        auto_buffer Buffer value = {0};
        p = read_value(r, p, &value);
        if (!p)
            return -1;
        auto_free char *keyword = memory_printf("%.*s", (int)len, word);
        if (value.len)
            endpoint_set(r->out, keyword, value.data);
    }
}

// A conninfo string starts with a word and '='; in the other forms a ':' or '@' comes before any '='.
static bool looks_like_conninfo(const char *p)
{
    size_t len = 0;
    while (islower((unsigned char)p[len]) || p[len] == '_')
        len++;
    size_t gap = len;
    while (isspace((unsigned char)p[gap]))
        gap++;
    return len > 0 && p[gap] == '=';
}

static int parse(Reader *r)
{
    static const char *const SCHEMES[] = {"postgresql://", "postgres://"};
    const char *p = r->text;

    while (isspace((unsigned char)*p))
        p++;
    if (!*p) {
        error_set(r->err, ERROR_USAGE, "it is empty");
        return error_hint(r->err, "give it as postgresql://user:password@host:port/database");
    }
    for (int i = 0; i < 2; i++)
        if (strncmp(p, SCHEMES[i], strlen(SCHEMES[i])) == 0)
            return parse_address(r, p + strlen(SCHEMES[i]));
    size_t scheme = strspn(p, "abcdefghijklmnopqrstuvwxyz");
    if (scheme > 0 && strncmp(p + scheme, "://", 3) == 0) {
        error_set(r->err, ERROR_USAGE, "its scheme is %.*s://, and only PostgreSQL can be moved",
                  (int)(scheme < 20 ? scheme : 20), p);
        return error_hint(r->err, "give it as postgresql://user:password@host:port/database");
    }
    if (looks_like_conninfo(p))
        return parse_conninfo(r, p);
    if (!strchr(p, '@') && !strpbrk(p, ":/"))
        return fail(r, "expected a connection string", p);
    return parse_address(r, p);
}

int endpoint_parse(const char *text, Endpoint *out, Error *err)
{
    Reader r = {.text = text, .out = out, .err = err};

    *out = (Endpoint){0};
    if (parse(&r)) {
        endpoint_free(out);
        return -1;
    }
    const char *port = endpoint_get(out, "port");
    for (; port; port = strchr(port, ',') ? strchr(port, ',') + 1 : NULL) {
        const char *problem = port_problem(port, strcspn(port, ","));
        if (problem) {
            endpoint_free(out);
            error_set(err, ERROR_USAGE, "it has %s", problem);
            return error_hint(err, "PostgreSQL listens on port 5432 unless its configuration says otherwise");
        }
    }
    return 0;
}
