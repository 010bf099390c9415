// SPDX-License-Identifier: Apache-2.0
// The latest picture of the front's state. A lock held for a pointer's exchange or one copy; nobody waits for anything
// else.
#include "http-front/admin/status.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *latest;

void status_publish(char *json)
{
    pthread_mutex_lock(&lock);
    char *old = latest;
    latest = json;
    pthread_mutex_unlock(&lock);
    free(old);
}

char *status_latest(void)
{
    pthread_mutex_lock(&lock);
    char *copy = strdup(latest ? latest : "{}");
    pthread_mutex_unlock(&lock);
    if (!copy)
        abort();
    return copy;
}
