// SPDX-License-Identifier: Apache-2.0
// supervisor's smaller parts: the instance lock and its numbers, the snapshot, the listening sockets, systemd's
// datagrams.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/log.h"
#include "supervisor/instance.h"
#include "supervisor/listeners.h"
#include "supervisor/notify.h"
#include "supervisor/snapshot.h"

static char folder[64], state_dir[96], runtime_dir[96];
static char why[2048];

static int make_folder(void **state)
{
    (void)state;
    log_init("test", LOG_LEVEL_ERROR);
    strcpy(folder, "/tmp/deskbell-parts-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(state_dir, sizeof state_dir, "%s/state", folder);
    snprintf(runtime_dir, sizeof runtime_dir, "%s/run", folder);
    why[0] = '\0';
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void a_second_instance_is_refused_with_a_sentence(void **state)
{
    struct instance first, second;
    char pid[32];

    (void)state;
    assert_true(instance_open(&first, state_dir, runtime_dir, why, sizeof why));
    assert_false(instance_open(&second, state_dir, runtime_dir, why, sizeof why));
    snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
    assert_non_null(strstr(why, "another deskbelld"));
    assert_non_null(strstr(why, pid));
    assert_non_null(strstr(why, state_dir));
    instance_close(&first);
    assert_true(instance_open(&second, state_dir, runtime_dir, why, sizeof why));
    instance_close(&second);
}

// A copy with another state_dir: the sockets of the one that runs are not its to clear.
static void a_second_instance_on_the_same_sockets_is_refused(void **state)
{
    struct instance first, second;
    char other[200], socket_path[200];

    (void)state;
    assert_true(instance_open(&first, state_dir, runtime_dir, why, sizeof why));
    snprintf(socket_path, sizeof socket_path, "%s/front.sock", runtime_dir);
    close(open(socket_path, O_WRONLY | O_CREAT, 0600));
    snprintf(other, sizeof other, "%s/other-state", folder);
    assert_false(instance_open(&second, other, runtime_dir, why, sizeof why));
    assert_non_null(strstr(why, "another deskbelld"));
    assert_non_null(strstr(why, runtime_dir));
    assert_int_equal(access(socket_path, F_OK), 0);
    instance_close(&first);
    assert_true(instance_open(&second, other, runtime_dir, why, sizeof why));
    assert_int_equal(access(socket_path, F_OK), -1);
    instance_close(&second);
}

// The children hold a copy of the descriptor: the lock is theirs as well.
static void the_lock_lives_as_long_as_any_copy(void **state)
{
    struct instance first, second;
    int copy;

    (void)state;
    assert_true(instance_open(&first, state_dir, runtime_dir, why, sizeof why));
    copy = dup(first.lock_fd);
    instance_close(&first);
    assert_false(instance_open(&second, state_dir, runtime_dir, why, sizeof why));
    close(copy);
    assert_true(instance_open(&second, state_dir, runtime_dir, why, sizeof why));
    instance_close(&second);
}

static void generations_never_repeat(void **state)
{
    struct instance instance;
    uint64_t last = 0;
    char path[128];
    int fd;

    (void)state;
    for (int start = 0; start < 3; start++) {
        assert_true(instance_open(&instance, state_dir, runtime_dir, why, sizeof why));
        for (int i = 0; i < 1000; i++) {
            uint64_t g = instance_next_generation(&instance);
            assert_true(g > last);
            last = g;
        }
        instance_close(&instance);
    }
    // A clock that was set back: the lock file remembers a later number.
    snprintf(path, sizeof path, "%s/lock", state_dir);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "pid 1            generation 9000000000000000000           ", 56, 0), 56);
    close(fd);
    assert_true(instance_open(&instance, state_dir, runtime_dir, why, sizeof why));
    assert_true(instance_next_generation(&instance) == 9000000000000000001);
    instance_close(&instance);
}

static void folders_are_made_and_closed_to_others(void **state)
{
    struct instance instance;
    struct stat st;
    char other[200];

    (void)state;
    assert_int_equal(mkdir(runtime_dir, 0755), 0);
    assert_true(instance_open(&instance, state_dir, runtime_dir, why, sizeof why));
    assert_int_equal(stat(state_dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(runtime_dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    instance_close(&instance);

    snprintf(other, sizeof other, "%s/no/such", folder);
    assert_false(instance_open(&instance, other, runtime_dir, why, sizeof why));
    assert_non_null(strstr(why, "cannot be made"));
    snprintf(other, sizeof other, "%s/link", folder);
    assert_int_equal(symlink(runtime_dir, other), 0);
    assert_false(instance_open(&instance, state_dir, other, why, sizeof why));
    assert_non_null(strstr(why, "no link"));
    snprintf(other, sizeof other, "%s/lock", state_dir);
    assert_false(instance_open(&instance, other, runtime_dir, why, sizeof why));
    assert_non_null(strstr(why, "must be a folder"));
}

static void touch(const char *dir, const char *name)
{
    char path[200];
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static bool there_is(const char *dir, const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void sockets_of_the_dead_are_removed_and_nothing_else(void **state)
{
    struct instance instance;

    (void)state;
    assert_int_equal(mkdir(runtime_dir, 0700), 0);
    touch(runtime_dir, "worker-1-77.sock");
    touch(runtime_dir, "front.sock");
    touch(runtime_dir, "worker-notes.txt");
    touch(runtime_dir, "control.sock");
    assert_true(instance_open(&instance, state_dir, runtime_dir, why, sizeof why));
    assert_false(there_is(runtime_dir, "worker-1-77.sock"));
    assert_false(there_is(runtime_dir, "front.sock"));
    assert_true(there_is(runtime_dir, "worker-notes.txt"));
    assert_true(there_is(runtime_dir, "control.sock"));
    touch(runtime_dir, "worker-2-78.sock");
    touch(runtime_dir, "worker-2-79.sock");
    instance_remove_socket(&instance, 2, 78);
    assert_false(there_is(runtime_dir, "worker-2-78.sock"));
    assert_true(there_is(runtime_dir, "worker-2-79.sock"));
    instance_close(&instance);
}

static void a_snapshot_cannot_be_changed(void **state)
{
    int fd = snapshot_new("text", 4), copy = dup(fd);
    char bytes[8] = "";

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_int_equal(pwrite(copy, "evil", 4, 0), -1);
    assert_int_equal(ftruncate(copy, 0), -1);
    assert_int_equal(pread(fd, bytes, sizeof bytes, 0), 4);
    assert_string_equal(bytes, "text");
    close(fd);
    close(copy);
}

static void configuration_files_are_read_whole_or_refused(void **state)
{
    char path[128], *text;
    size_t len;
    FILE *out;

    (void)state;
    snprintf(path, sizeof path, "%s/x.conf", folder);
    assert_null(snapshot_read_file(path, &len, why, sizeof why));
    assert_non_null(strstr(why, "No such file"));
    assert_null(snapshot_read_file(folder, &len, why, sizeof why));
    assert_non_null(strstr(why, "no regular file"));
    out = fopen(path, "w");
    for (int i = 0; i < 100000; i++)
        fputs("0123456789", out);
    fclose(out);
    text = snapshot_read_file(path, &len, why, sizeof why);
    assert_non_null(text);
    assert_int_equal(len, 1000000);
    assert_int_equal(strlen(text), len);
    free(text);
    out = fopen(path, "a");
    for (int i = 0; i < 10000; i++)
        fputs("0123456789", out);
    fclose(out);
    assert_null(snapshot_read_file(path, &len, why, sizeof why));
    assert_non_null(strstr(why, "longer than"));
}

static void both_sockets_listen_without_blocking(void **state)
{
    struct config_front config = {.listen = (char[]){"127.0.0.1:0"}, .admin_listen = (char[]){"127.0.0.1:0"}};
    struct listeners listeners, second;
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    char taken[64];

    (void)state;
    assert_true(listeners_open(&listeners, &config, why, sizeof why));
    assert_true(fcntl(listeners.front, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(listeners.admin, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(accept(listeners.front, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(getsockname(listeners.front, (struct sockaddr *)&address, &len), 0);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", ntohs(address.sin_port));
    config.admin_listen = taken;
    assert_false(listeners_open(&second, &config, why, sizeof why));
    assert_non_null(strstr(why, taken));
    assert_non_null(strstr(why, "front.admin_listen"));
    assert_non_null(strstr(why, "in use"));
    assert_int_equal(second.front, -1);
    listeners_close(&listeners);
}

static unsigned port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

// For a new configuration: the same address is the same socket, though it be the other one's now.
static void sockets_follow_a_new_configuration(void **state)
{
    struct config_front before = {.listen = (char[]){"127.0.0.1:0"}, .admin_listen = (char[]){"127.0.0.2:0"}};
    struct config_front after = {.listen = (char[]){"127.0.0.2:0"}, .admin_listen = (char[]){"127.0.0.3:0"}};
    struct listeners old, fresh, third;
    char taken[64];

    (void)state;
    assert_true(listeners_open(&old, &before, why, sizeof why));
    assert_true(listeners_follow(&fresh, &after, &old, &before, why, sizeof why));
    assert_int_equal(port_of(fresh.front), port_of(old.admin));
    assert_int_not_equal(fresh.front, old.admin);
    assert_int_not_equal(port_of(fresh.admin), port_of(old.front));
    assert_true(fcntl(fresh.front, F_GETFD) & FD_CLOEXEC);
    // An address that is taken is a refusal, and what was stays.
    snprintf(taken, sizeof taken, "127.0.0.3:%u", port_of(fresh.admin));
    after.listen = taken;
    assert_false(listeners_follow(&third, &after, &old, &before, why, sizeof why));
    assert_non_null(strstr(why, taken));
    assert_int_equal(third.front, -1);
    assert_int_equal(third.admin, -1);
    assert_true(fcntl(old.front, F_GETFD) >= 0);
    // Our own other address may be in the way of one for all addresses.
    char ours[64];
    snprintf(ours, sizeof ours, "127.0.0.1:%u", port_of(old.front));
    before.listen = ours;
    snprintf(taken, sizeof taken, "0.0.0.0:%u", port_of(old.front));
    assert_false(listeners_follow(&third, &after, &old, &before, why, sizeof why));
    assert_non_null(strstr(why, "in use; 127.0.0.1:"));
    assert_non_null(strstr(why, "restart"));
    // What systemd passed stays, whatever the configuration says.
    old.front_passed = true;
    assert_true(listeners_follow(&third, &after, &old, &before, why, sizeof why));
    assert_int_equal(port_of(third.front), port_of(old.front));
    assert_true(third.front_passed);
    listeners_close(&third);
    listeners_close(&fresh);
    listeners_close(&old);
}

static void systemd_is_told(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char text[64] = "", pid[32];

    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    assert_int_equal(recv(fd, text, sizeof text, 0), -1);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    notify_send("READY=1\nSTATUS=x");
    assert_int_equal(recv(fd, text, sizeof text, 0), 16);
    assert_string_equal(text, "READY=1\nSTATUS=x");
    unsetenv("NOTIFY_SOCKET");
    close(fd);

    assert_int_equal(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

#define PARTS_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARTS_TEST(a_second_instance_is_refused_with_a_sentence),
        PARTS_TEST(a_second_instance_on_the_same_sockets_is_refused),
        PARTS_TEST(the_lock_lives_as_long_as_any_copy),
        PARTS_TEST(generations_never_repeat),
        PARTS_TEST(folders_are_made_and_closed_to_others),
        PARTS_TEST(sockets_of_the_dead_are_removed_and_nothing_else),
        PARTS_TEST(a_snapshot_cannot_be_changed),
        PARTS_TEST(configuration_files_are_read_whole_or_refused),
        PARTS_TEST(both_sockets_listen_without_blocking),
        PARTS_TEST(sockets_follow_a_new_configuration),
        PARTS_TEST(systemd_is_told),
    };

    return cmocka_run_group_tests_name("supervisor_parts", tests, NULL, NULL);
}
