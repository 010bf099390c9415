// SPDX-License-Identifier: Apache-2.0
// proto/pipes: records survive any split of their bytes, and the end of the other process is seen.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "proto/pipes.h"

struct fixture {
    int read_fd, write_fd;
    struct pipes_reader reader;
};

static struct fixture f;

static int open_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    f = (struct fixture){.read_fd = fds[0], .write_fd = fds[1]};
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    close(f.read_fd);
    if (f.write_fd >= 0)
        close(f.write_fd);
    return 0;
}

static void close_writer(void)
{
    close(f.write_fd);
    f.write_fd = -1;
}

static void records_arrive_in_order(void **state)
{
    struct pipes_control record;

    (void)state;
    assert_int_equal(pipes_read_control(&f.reader, f.read_fd, &record), PIPES_NOTHING);
    assert_true(pipes_write_control(f.write_fd, PIPES_CONTROL_ROSTER_BEGIN, 0, 0, 0));
    assert_true(pipes_write_control(f.write_fd, PIPES_CONTROL_ROSTER_WORKER, 3, UINT64_MAX, 4711));
    assert_true(pipes_write_control(f.write_fd, PIPES_CONTROL_ROSTER_END, 0, 0, 0));
    assert_int_equal(pipes_read_control(&f.reader, f.read_fd, &record), PIPES_RECORD);
    assert_int_equal(record.kind, PIPES_CONTROL_ROSTER_BEGIN);
    assert_int_equal(pipes_read_control(&f.reader, f.read_fd, &record), PIPES_RECORD);
    assert_int_equal(record.kind, PIPES_CONTROL_ROSTER_WORKER);
    assert_int_equal(record.slot, 3);
    assert_true(record.generation == UINT64_MAX);
    assert_int_equal(record.pid, 4711);
    assert_int_equal(pipes_read_control(&f.reader, f.read_fd, &record), PIPES_RECORD);
    assert_int_equal(record.kind, PIPES_CONTROL_ROSTER_END);
    assert_int_equal(pipes_read_control(&f.reader, f.read_fd, &record), PIPES_NOTHING);
    close_writer();
    assert_int_equal(pipes_read_control(&f.reader, f.read_fd, &record), PIPES_EOF);
}

static void a_record_split_anywhere_is_put_together(void **state)
{
    struct pipes_status record;
    unsigned char bytes[2 * sizeof record];

    (void)state;
    assert_true(pipes_write_status(f.write_fd, PIPES_STATUS_READY, 1));
    assert_true(pipes_write_status(f.write_fd, PIPES_STATUS_BEAT, 0x0123456789abcdef));
    assert_int_equal(read(f.read_fd, bytes, sizeof bytes), sizeof bytes);
    for (size_t cut = 1; cut < sizeof bytes; cut++) {
        size_t records = 0;
        assert_int_equal(write(f.write_fd, bytes, cut), cut);
        while (pipes_read_status(&f.reader, f.read_fd, &record) == PIPES_RECORD)
            records++;
        assert_int_equal(records, cut / sizeof record);
        assert_int_equal(write(f.write_fd, bytes + cut, sizeof bytes - cut), sizeof bytes - cut);
        while (pipes_read_status(&f.reader, f.read_fd, &record) == PIPES_RECORD)
            records++;
        assert_int_equal(records, 2);
        assert_true(record.kind == PIPES_STATUS_BEAT && record.progress == 0x0123456789abcdef);
    }
}

static void a_torn_last_record_is_end_of_file(void **state)
{
    struct pipes_status record;
    unsigned char bytes[sizeof record];

    (void)state;
    assert_true(pipes_write_status(f.write_fd, PIPES_STATUS_READY, 1));
    assert_int_equal(read(f.read_fd, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(write(f.write_fd, bytes, 5), 5);
    close_writer();
    assert_int_equal(pipes_read_status(&f.reader, f.read_fd, &record), PIPES_EOF);
}

static void other_bytes_are_no_record(void **state)
{
    struct pipes_status record;
    struct pipes_control control;
    struct pipes_reader other = {0};

    (void)state;
    assert_int_equal(write(f.write_fd, "this is no record of any of ours", 32), 32);
    assert_int_equal(pipes_read_status(&f.reader, f.read_fd, &record), PIPES_BROKEN);
    // The right mark with a kind that does not exist.
    assert_true(pipes_write_status(f.write_fd, (enum pipes_status_kind)99, 0));
    memset(&f.reader, 0, sizeof f.reader);
    assert_int_equal(pipes_read_status(&f.reader, f.read_fd, &record), PIPES_BROKEN);
    // One pipe's records on the other.
    assert_true(pipes_write_status(f.write_fd, PIPES_STATUS_READY, 0));
    assert_true(pipes_write_status(f.write_fd, PIPES_STATUS_READY, 0));
    assert_int_equal(pipes_read_control(&other, f.read_fd, &control), PIPES_BROKEN);
}

static void a_full_pipe_loses_beats_but_nothing_else(void **state)
{
    struct pipes_status record;
    unsigned written = 0;

    (void)state;
    while (pipes_write_status(f.write_fd, PIPES_STATUS_DRAINED, written))
        written++;
    assert_int_equal(errno, EAGAIN);
    assert_true(written > 100);
    assert_true(pipes_write_status(f.write_fd, PIPES_STATUS_BEAT, 0));
    for (unsigned i = 0; i < written; i++) {
        assert_int_equal(pipes_read_status(&f.reader, f.read_fd, &record), PIPES_RECORD);
        assert_int_equal(record.progress, i);
    }
    assert_int_equal(pipes_read_status(&f.reader, f.read_fd, &record), PIPES_NOTHING);
}

static void a_gone_reader_is_an_error_of_the_write(void **state)
{
    (void)state;
    close(f.read_fd);
    f.read_fd = -1;
    assert_false(pipes_write_status(f.write_fd, PIPES_STATUS_BEAT, 0));
    assert_int_equal(errno, EPIPE);
}

static bool parses(struct pipes_identity *identity, int argc, ...)
{
    char *argv[8];
    va_list args;

    va_start(args, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(args, char *);
    va_end(args);
    argv[argc] = NULL;
    return pipes_parse_args(argc, argv, identity);
}

static void arguments_are_read_strictly(void **state)
{
    struct pipes_identity id = {0};

    (void)state;
    assert_true(parses(&id, 5, "x", "--slot", "2", "--generation", "18446744073709551615"));
    assert_int_equal(id.slot, 2);
    assert_true(id.generation == UINT64_MAX);
    assert_true(parses(&id, 5, "x", "--generation", "7", "--slot", "0"));
    assert_false(parses(&id, 1, "x"));
    assert_false(parses(&id, 3, "x", "--slot", "2"));
    assert_false(parses(&id, 5, "x", "--slot", "2", "--slot", "2"));
    assert_false(parses(&id, 5, "x", "--slot", "-1", "--generation", "1"));
    assert_false(parses(&id, 5, "x", "--slot", " 1", "--generation", "1"));
    assert_false(parses(&id, 5, "x", "--slot", "1x", "--generation", "1"));
    assert_false(parses(&id, 5, "x", "--slot", "", "--generation", "1"));
    assert_false(parses(&id, 5, "x", "--slot", "4294967296", "--generation", "1"));
    assert_false(parses(&id, 5, "x", "--slot", "1", "--generation", "18446744073709551616"));
}

static void endpoints_are_bounded(void **state)
{
    char endpoint[PIPES_ENDPOINT_BYTES], dir[200];

    (void)state;
    assert_true(pipes_worker_endpoint("/run/deskbell", 2, 77, endpoint));
    assert_string_equal(endpoint, "ipc:///run/deskbell/worker-2-77.sock");
    assert_true(pipes_front_endpoint("/run/deskbell", endpoint));
    assert_string_equal(endpoint, "ipc:///run/deskbell/front.sock");
    for (size_t len = 1; len < sizeof dir; len++) {
        memset(dir, 'd', len);
        dir[0] = '/';
        dir[len] = '\0';
        // "/worker-4294967295-18446744073709551615.sock" takes 44 bytes.
        assert_int_equal(pipes_runtime_dir_fits(dir), len + 44 <= PIPES_SOCKET_PATH_MAX);
        assert_int_equal(pipes_worker_endpoint(dir, UINT32_MAX, UINT64_MAX, endpoint),
                         len + 44 <= PIPES_SOCKET_PATH_MAX);
    }
}

#define PIPE_TEST(t) cmocka_unit_test_setup_teardown(t, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPE_TEST(records_arrive_in_order),
        PIPE_TEST(a_record_split_anywhere_is_put_together),
        PIPE_TEST(a_torn_last_record_is_end_of_file),
        PIPE_TEST(other_bytes_are_no_record),
        PIPE_TEST(a_full_pipe_loses_beats_but_nothing_else),
        PIPE_TEST(a_gone_reader_is_an_error_of_the_write),
        cmocka_unit_test(arguments_are_read_strictly),
        cmocka_unit_test(endpoints_are_bounded),
    };

    return cmocka_run_group_tests_name("pipes", tests, NULL, NULL);
}
