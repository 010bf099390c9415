// SPDX-License-Identifier: Apache-2.0
// The child table with a clock, a spawn and a kill of our own, for the tests of what works on it. A child's side of its
// pipes is played by the test.
#ifndef TESTS_UNIT_CHILDREN_CASE_H
#define TESTS_UNIT_CHILDREN_CASE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "supervisor/children.h"

#define SILENT_MS 10000
#define STOP_MS   20000

// What happened, in order, as words: "start 1 g101", "signal 1001 15", "buried 1 g101".
static char story[4096];
static struct children children;
static int64_t now_ms;
static pid_t next_pid;
static uint64_t generation;
static bool fork_fails;
static uint64_t last_edition; // of the last start
// The child's ends of its slot's pipes.
static int status_fds[CHILDREN_SLOTS], control_fds[CHILDREN_SLOTS];

static inline void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void tell(const char *format, ...)
{
    size_t len = strlen(story);
    va_list args;

    va_start(args, format);
    vsnprintf(story + len, sizeof story - len, format, args);
    va_end(args);
}

static inline void expect_story(const char *expected)
{
    assert_string_equal(story, expected);
    story[0] = '\0';
}

static inline void close_child_ends(uint32_t slot)
{
    if (status_fds[slot] >= 0) {
        close(status_fds[slot]);
        close(control_fds[slot]);
    }
    status_fds[slot] = control_fds[slot] = -1;
}

static inline pid_t fake_spawn(void *context, uint32_t slot, uint64_t g, uint64_t edition, int *status_fd,
                               int *control_fd)
{
    int status[2], control[2];

    (void)context;
    last_edition = edition;
    *status_fd = *control_fd = -1;
    if (fork_fails) {
        tell("fork failed; ");
        return -1;
    }
    close_child_ends(slot);
    assert_int_equal(pipe2(status, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(pipe2(control, O_NONBLOCK | O_CLOEXEC), 0);
    *status_fd = status[0];
    *control_fd = control[1];
    status_fds[slot] = status[1];
    control_fds[slot] = control[0];
    tell("start %u g%llu; ", slot, (unsigned long long)g);
    return next_pid++;
}

static inline void fake_signal(void *context, pid_t pid, int number)
{
    (void)context;
    tell("%s %d; ", sigabbrev_np(number), (int)pid);
}

static inline uint64_t fake_generation(void *context)
{
    (void)context;
    return ++generation;
}

static inline uint32_t fake_random(void *context)
{
    (void)context;
    return 512; // the middle of the jitter
}

static inline void fake_buried(void *context, const struct child *child)
{
    (void)context;
    tell("buried %u g%llu; ", child->slot, (unsigned long long)child->generation);
}

static const struct children_ops ops = {fake_spawn, fake_signal, fake_generation, fake_random, fake_buried};

static inline int open_table(void **state)
{
    (void)state;
    log_init("test", LOG_LEVEL_ERROR);
    log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    signal(SIGPIPE, SIG_IGN);
    now_ms = 1000000;
    next_pid = 1000;
    generation = 100;
    fork_fails = false;
    story[0] = '\0';
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        status_fds[slot] = control_fds[slot] = -1;
    children_init(&children, &ops, NULL, 1, SILENT_MS, STOP_MS);
    return 0;
}

static inline int close_table(void **state)
{
    (void)state;
    children_close(&children);
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        close_child_ends(slot);
    return 0;
}

static inline void says(uint32_t slot, enum pipes_status_kind kind)
{
    static uint64_t progress = 7;

    assert_true(pipes_write_status(status_fds[slot], kind, progress++));
    children_read(&children, slot, now_ms);
}

static inline void dies(uint32_t slot, int wait_status)
{
    pid_t pid = children.slots[slot].pid;

    close_child_ends(slot);
    assert_true(children_reap(&children, pid, wait_status, now_ms));
}

static inline void pass(int64_t ms)
{
    now_ms += ms;
    children_tick(&children, now_ms);
}

static inline void start_ready(uint32_t slot)
{
    children_want(&children, slot, 1, now_ms);
    says(slot, PIPES_STATUS_READY);
    assert_int_equal(children.slots[slot].state, CHILD_READY);
}

// What the front has been told since the last look, as words: "[1:g101] reaped 1:g101".
static inline const char *control_story(void)
{
    static char text[2048];
    struct pipes_reader reader = {0};
    struct pipes_control record;
    size_t n = 0;

    text[0] = '\0';
    assert_false(roster_flush(&children.roster));
    while (pipes_read_control(&reader, control_fds[0], &record) == PIPES_RECORD) {
        unsigned long long g = record.generation;
        if (record.kind == PIPES_CONTROL_OPEN)
            n += (size_t)snprintf(text + n, sizeof text - n, "open ");
        else if (record.kind == PIPES_CONTROL_HANDOVER)
            n += (size_t)snprintf(text + n, sizeof text - n, "handover ");
        else if (record.kind == PIPES_CONTROL_ROSTER_LEAVING)
            n += (size_t)snprintf(text + n, sizeof text - n, "%u:g%llu:leaving ", record.slot, g);
        else if (record.kind == PIPES_CONTROL_ROSTER_BEGIN)
            n += (size_t)snprintf(text + n, sizeof text - n, "[ ");
        else if (record.kind == PIPES_CONTROL_ROSTER_WORKER)
            n += (size_t)snprintf(text + n, sizeof text - n, "%u:g%llu:%u ", record.slot, g, record.pid);
        else if (record.kind == PIPES_CONTROL_ROSTER_END)
            n += (size_t)snprintf(text + n, sizeof text - n, "] ");
        else if (record.kind == PIPES_CONTROL_REAPED)
            n += (size_t)snprintf(text + n, sizeof text - n, "reaped %u:g%llu ", record.slot, g);
    }
    return text;
}

#endif
