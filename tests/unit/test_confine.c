// SPDX-License-Identifier: Apache-2.0
// The front's confinement, tried in a process of its own: the thread that asks for it, threads that run already (system
// calls) and threads made later (files and calls) are all bound.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "http-front/confine.h"
#include "proto/config.h"
#include "proto/landlock.h"
#include "proto/log.h"

static char folder[64], state_dir[128], runtime_dir[128], secret[128];

static void write_to(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/confine.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(state_dir, sizeof state_dir, "%s/state", folder);
    snprintf(runtime_dir, sizeof runtime_dir, "%s/run", folder);
    snprintf(secret, sizeof secret, "%s/secret", folder);
    assert_int_equal(mkdir(state_dir, 0700), 0);
    assert_int_equal(mkdir(runtime_dir, 0700), 0);
    write_to(secret);
    log_init("test", LOG_LEVEL_ERROR);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/file", state_dir);
    unlink(path);
    unlink(secret);
    rmdir(state_dir);
    rmdir(runtime_dir);
    return rmdir(folder);
}

static int errno_of_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int errno_of_socket(int domain)
{
    int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static void check(const char *what, int found, int expected)
{
    if (found == expected)
        return;
    fprintf(stderr, "%s: %d instead of %d\n", what, found, expected);
    _exit(1);
}

static void *try_files(void *arg)
{
    (void)arg;
    char path[200], moved[200];
    bool confined = landlock_abi() > 0;
    snprintf(path, sizeof path, "%s/file", state_dir);
    snprintf(moved, sizeof moved, "%s/moved", runtime_dir);
    check("own file", errno_of_open(path, O_WRONLY | O_CREAT), 0);
    check("own file again", errno_of_open(path, O_RDWR | O_TRUNC), 0);
    if (!confined)
        return NULL;
    check("secret", errno_of_open(secret, O_RDONLY), EACCES);
    check("secret by another way", errno_of_open("/proc/self/root/etc/passwd", O_RDONLY), EACCES);
    check("beside", errno_of_open(folder, O_RDONLY), EACCES);
    check("file among sockets", errno_of_open(moved, O_WRONLY | O_CREAT), EACCES);
    check("/etc/passwd", errno_of_open("/etc/passwd", O_RDONLY), EACCES);
    check("/proc/1", errno_of_open("/proc/1/status", O_RDONLY), EACCES);
    check("removal", unlink(secret) == 0 ? 0 : errno, EACCES);
    check("link out of the way",
          link(secret, path) == 0             ? 0
          : errno == EXDEV || errno == EEXIST ? EACCES
                                              : errno,
          EACCES);
    return NULL;
}

static void *try_calls(void *arg)
{
    pthread_barrier_t *barrier = arg;
    if (barrier) {
        check("IP socket before", errno_of_socket(AF_INET), 0);
        pthread_barrier_wait(barrier);
        pthread_barrier_wait(barrier); // confined meanwhile
    }
#if defined(__x86_64__) || defined(__aarch64__)
    check("IP socket", errno_of_socket(AF_INET), EPERM);
    check("IPv6 socket", errno_of_socket(AF_INET6), EPERM);
    check("netlink", errno_of_socket(AF_NETLINK), EPERM);
    char *const none[] = {NULL};
    check("program", execve("/bin/true", none, none) ? errno : 0, EPERM);
#endif
    check("local socket", errno_of_socket(AF_UNIX), 0);
    return NULL;
}

static void in_thread(void *(*work)(void *))
{
    pthread_t thread;
    check("thread", pthread_create(&thread, NULL, work, NULL), 0);
    pthread_join(thread, NULL);
}

// Valgrind does not pass this call on, and has the program believe that the kernel lacks it.
static bool filters_calls(void)
{
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void confined_life(void)
{
    char nothing[] = "";
    struct config config = {
        .state_dir = state_dir, .runtime_dir = runtime_dir, .backup_dir = nothing, .log_file = nothing};
    struct rlimit core;
    confine_early();
    check("core", getrlimit(RLIMIT_CORE, &core) || core.rlim_max != 0, 0);
    check("new privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
#ifndef __SANITIZE_ADDRESS__
    check("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
#endif
    check("secret before", errno_of_open(secret, O_RDONLY), 0);
    check("confinement", confine_files(&config), 1);
    try_files(NULL);
    in_thread(try_files);

    if (!filters_calls()) {
        if (!getenv("DESKBELL_TEST_SLOW"))
            check("seccomp", errno, 0); // missing where it must be there
        confine_calls();                // says so, and goes on
        _exit(0);
    }
    pthread_barrier_t barrier;
    pthread_t earlier;
    pthread_barrier_init(&barrier, NULL, 2);
    check("thread", pthread_create(&earlier, NULL, try_calls, &barrier), 0);
    pthread_barrier_wait(&barrier);
    confine_calls();
    pthread_barrier_wait(&barrier);
    pthread_join(earlier, NULL);
    try_calls(NULL);
    in_thread(try_calls);
    _exit(0);
}

static void all_threads_are_bound(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    int status = -1;
    assert_true(child >= 0);
    if (child == 0)
        confined_life();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    // Only the child is.
    assert_int_equal(errno_of_open(secret, O_RDONLY), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_threads_are_bound, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
