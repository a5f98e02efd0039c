// SPDX-License-Identifier: Apache-2.0
// The passwords this process knows, and their removal from text.
#include "common/base/secrets.h"

#include "common/base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SECRETS = 16, MIN_LENGTH = 3 };

static struct {
    pthread_mutex_t lock;
    char *secret[MAX_SECRETS];
    size_t count;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

void secrets_register(const char *secret)
{
    if (!secret || strlen(secret) < MIN_LENGTH)
        return;
    pthread_mutex_lock(&known.lock);
    size_t i = 0;
    while (i < known.count && strcmp(known.secret[i], secret) != 0)
        i++;
    if (i == known.count && known.count < MAX_SECRETS)
        known.secret[known.count++] = memory_strdup(secret);
    pthread_mutex_unlock(&known.lock);
}

void secrets_wipe_variable(const char *name)
{
    char *value = getenv(name);

    if (!value)
        return;
    memset(value, '*', strlen(value));
    unsetenv(name);
}

void secrets_scrub(char *text)
{
    pthread_mutex_lock(&known.lock);
    for (size_t i = 0; i < known.count; i++) {
        size_t len = strlen(known.secret[i]);
        for (char *hit = strstr(text, known.secret[i]); hit; hit = strstr(hit + len, known.secret[i]))
            memset(hit, '*', len);
    }
    pthread_mutex_unlock(&known.lock);
}
