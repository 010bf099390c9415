// SPDX-License-Identifier: Apache-2.0
// deskbellctl as an operator's hands.
#include "tests/scenario/operator.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/scenario/processes.h"

enum { LEAVES_WITHIN_MS = 30000, OUTPUT_BYTES = 1 << 20 };

struct run {
    pid_t pid;
    int status;
};

static bool has_ended(void *arg)
{
    struct run *run = arg;
    return processes_reap(run->pid, &run->status);
}

static char *read_output(const char *path)
{
    char *text = calloc(1, OUTPUT_BYTES);
    FILE *file = fopen(path, "re");
    if (!text || !file || (fread(text, 1, OUTPUT_BYTES - 1, file) == 0 && ferror(file)))
        scenario_fail("cannot read %s", path);
    fclose(file);
    return text;
}

int operator_types(struct scenario *s, const char *const *arguments, char **output)
{
    char path[96];
    snprintf(path, sizeof path, "%s/deskbellctl.output", scenario_folder(s));
    unlink(path);
    struct run run = {.pid = processes_start(DESKBELL_BIN_DIR "/deskbellctl", arguments, NULL, 0, path)};
    if (run.pid < 0)
        scenario_fail("cannot start deskbellctl: %s", strerror(errno));
    if (!scenario_wait(has_ended, &run, LEAVES_WITHIN_MS)) {
        kill(run.pid, SIGKILL);
        waitpid(run.pid, &run.status, 0);
        scenario_fail("deskbellctl %s did not come to an end", arguments[0]);
    }
    char *text = read_output(path);
    static const char *const reports[] = {"AddressSanitizer", "LeakSanitizer", "runtime error:"};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        if (strstr(text, reports[i]))
            scenario_fail("deskbellctl: %s", text);
    if (output)
        *output = text;
    else
        free(text);
    return WIFEXITED(run.status) ? WEXITSTATUS(run.status) : -1;
}

int operator_runs(struct scenario *s, const char *const *arguments, char **output)
{
    char dir[96];
    const char *all[OPERATOR_WORDS + 3] = {"--runtime-dir", dir};
    size_t count = 2;
    snprintf(dir, sizeof dir, "%s/run", scenario_folder(s));
    for (size_t i = 0; arguments[i] && i < OPERATOR_WORDS; i++)
        all[count++] = arguments[i];
    all[count] = NULL;
    return operator_types(s, all, output);
}

void operator_expects(struct scenario *s, int code, const char *const *arguments)
{
    char *output = NULL;
    int left = operator_runs(s, arguments, &output);
    if (left != code)
        scenario_fail("deskbellctl %s ... left with %d instead of %d: %s", arguments[0] ? arguments[0] : "", left, code,
                      output);
    free(output);
}

json_t *operator_answer(struct scenario *s, const char *const *arguments)
{
    char *output = NULL;
    json_error_t problem;
    int left = operator_runs(s, arguments, &output);
    json_t *answer = left == 0 ? json_loads(output, JSON_REJECT_DUPLICATES, &problem) : NULL;
    if (!json_is_object(answer))
        scenario_fail("deskbellctl --json %s ... left with %d and said: %s", arguments[1], left, output);
    free(output);
    return answer;
}

struct wanted {
    struct scenario *s;
    const char *direction; // NULL: dead letters
    int64_t count, seen;
};

static int64_t count_of(const struct wanted *wanted, const json_t *status)
{
    json_t *row;
    size_t i;
    if (!wanted->direction)
        return json_integer_value(json_object_get(status, "dead"));
    json_array_foreach(json_object_get(status, "directions"), i,
                       row) if (strcmp(json_string_value(json_object_get(row, "direction")), wanted->direction) ==
                                0) return json_integer_value(json_object_get(row, "waiting"));
    return -1;
}

static bool is_so_many(void *arg)
{
    struct wanted *wanted = arg;
    json_t *status = operator_asks(wanted->s, "status");
    wanted->seen = count_of(wanted, status);
    json_decref(status);
    return wanted->seen == wanted->count;
}

void operator_sees_dead_within(struct scenario *s, int64_t dead, int timeout_ms)
{
    struct wanted wanted = {s, NULL, dead, -1};
    if (!scenario_wait(is_so_many, &wanted, timeout_ms))
        scenario_fail("%lld dead letters instead of %lld after %d ms", (long long)wanted.seen, (long long)dead,
                      timeout_ms);
}

void operator_sees_waiting_within(struct scenario *s, const char *direction, int64_t waiting, int timeout_ms)
{
    struct wanted wanted = {s, direction, waiting, -1};
    if (!scenario_wait(is_so_many, &wanted, timeout_ms))
        scenario_fail("%s: %lld waiting instead of %lld after %d ms", direction, (long long)wanted.seen,
                      (long long)waiting, timeout_ms);
}
