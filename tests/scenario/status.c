// SPDX-License-Identifier: Apache-2.0
// What a running scenario shows of itself: /status, and deskbelld run once more beside it.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/scenario/inside.h"
#include "tests/scenario/processes.h"
#include "tests/scenario/wire.h"

bool scenario_status(struct scenario *s, struct scenario_status *status)
{
    char *body = NULL;
    json_t *root = NULL;
    bool whole = false;
    *status = (struct scenario_status){0};
    if (wire_get(s->address, s->admin_port, "/status", &body) == 200)
        root = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    json_t *workers = json_object_get(root, "workers"), *worker;
    json_t *pid = json_object_get(root, "pid");
    if (!json_is_array(workers) || !json_is_integer(pid))
        goto done;
    status->front = (pid_t)json_integer_value(pid);
    status->generation = (uint64_t)json_integer_value(json_object_get(root, "generation"));
    status->lanes = json_integer_value(json_object_get(root, "lanes"));
    status->waiting = json_integer_value(json_object_get(root, "waiting"));
    status->out = json_integer_value(json_object_get(root, "out"));
    status->dead = json_integer_value(json_object_get(root, "dead"));
    size_t i;
    json_array_foreach(workers, i, worker)
    {
        if (status->worker_count == SCENARIO_WORKERS)
            break;
        status->workers[status->worker_count++] = (struct scenario_worker){
            .slot = (int)json_integer_value(json_object_get(worker, "slot")),
            .generation = (uint64_t)json_integer_value(json_object_get(worker, "generation")),
            .pid = (pid_t)json_integer_value(json_object_get(worker, "pid")),
            .jobs = (int)json_integer_value(json_object_get(worker, "jobs")),
            .ready = json_is_true(json_object_get(worker, "ready")),
        };
    }
    whole = true;
done:
    json_decref(root);
    free(body);
    return whole;
}

struct status_wait {
    struct scenario *s;
    struct scenario_status status;
    pid_t pid;
};

static bool has_status(void *arg)
{
    struct status_wait *wait = arg;
    return scenario_status(wait->s, &wait->status);
}

struct scenario_status scenario_status_now(struct scenario *s)
{
    struct status_wait wait = {.s = s};
    if (!scenario_wait(has_status, &wait, 5000))
        scenario_fail("the front tells no status");
    return wait.status;
}

static bool has_busy_worker(void *arg)
{
    struct status_wait *wait = arg;
    if (!scenario_status(wait->s, &wait->status))
        return false;
    for (size_t i = 0; i < wait->status.worker_count; i++) {
        if (wait->status.workers[i].jobs > 0) {
            wait->pid = wait->status.workers[i].pid;
            return wait->pid > 1;
        }
    }
    return false;
}

pid_t scenario_busy_worker(struct scenario *s, int timeout_ms)
{
    struct status_wait wait = {.s = s};
    if (!scenario_wait(has_busy_worker, &wait, timeout_ms))
        scenario_fail("no worker held a job within %d ms", timeout_ms);
    return wait.pid;
}

static bool is_process_gone(void *arg)
{
    return !processes_alive(*(pid_t *)arg);
}

void scenario_process_gone_within(struct scenario *s, pid_t pid, int timeout_ms)
{
    (void)s;
    if (!scenario_wait(is_process_gone, &pid, timeout_ms))
        scenario_fail("process %d is still there after %d ms", (int)pid, timeout_ms);
}

struct run {
    pid_t pid;
    int status;
};

static bool has_ended(void *arg)
{
    struct run *run = arg;
    return processes_reap(run->pid, &run->status);
}

int scenario_run_deskbelld(struct scenario *s, const char *const *arguments, int timeout_ms, char **output)
{
    static int number;
    char name[32];
    snprintf(name, sizeof name, "output.%d", number++);
    const char *path = scenario_path(s, name);
    struct run run = {.pid = processes_start(DESKBELL_BIN_DIR "/deskbelld", arguments, NULL, 0, path)};
    if (run.pid < 0)
        scenario_fail("cannot start deskbelld: %s", strerror(errno));
    bool ended = scenario_wait(has_ended, &run, timeout_ms);
    if (!ended) {
        kill(run.pid, SIGKILL);
        waitpid(run.pid, &run.status, 0);
    }
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "re");
    if (!text || !file || (fread(text, 1, 65535, file) == 0 && ferror(file)))
        scenario_fail("cannot read %s", path);
    fclose(file);
    *output = text;
    return ended && WIFEXITED(run.status) ? WEXITSTATUS(run.status) : -1;
}
