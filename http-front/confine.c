// SPDX-License-Identifier: Apache-2.0
// deskbell-front's confinement. The front is the process that the world talks to, so it is the one that holds no API
// key, and after this it can read none either: whoever takes it over finds the ledger and the webhook keys, no more.
#include "http-front/confine.h"

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/config.h"
#include "proto/landlock.h"
#include "proto/log.h"
#include "proto/seam.h"

void confine_early(void)
{
    struct rlimit none = {0, 0};
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    bool ok = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
#ifndef __SANITIZE_ADDRESS__ // LeakSanitizer looks at the process from a second one
    ok = ok && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
    if (!ok)
        log_warn("confine", "problem=%s", strerror(errno));
}

bool confine_files(const struct config *config)
{
    char log[PATH_MAX]; // opened anew on USR1
    const struct landlock_path paths[] = {
        {config->state_dir, LANDLOCK_OWN},
        {*config->backup_dir ? config->backup_dir : config->state_dir, LANDLOCK_OWN},
        {config->runtime_dir, LANDLOCK_SOCKET},
        {log_folder(config->log_file, log, sizeof log), LANDLOCK_APPEND},
        {seam_once_folder(), LANDLOCK_OWN}, // tests only
        {"/dev/null", LANDLOCK_DEVICE},
        {"/dev/urandom", LANDLOCK_READ},
        {"/etc/localtime", LANDLOCK_READ},
        {"/etc/ssl/openssl.cnf", LANDLOCK_READ},
        // ZeroMQ and CivetWeb ask the C library for names of protocols and groups.
        {"/etc/nsswitch.conf", LANDLOCK_READ},
        {"/etc/protocols", LANDLOCK_READ},
        {"/etc/group", LANDLOCK_READ},
        // libgcc, when a thread is cancelled or the process aborts; OpenSSL's providers.
        {"/etc/ld.so.cache", LANDLOCK_READ},
        {"/usr/lib", LANDLOCK_READ},
        {"/lib", LANDLOCK_READ},
        {"/lib64", LANDLOCK_READ},
        // RocksDB and the allocator count processors; RocksDB reads the size of the disk's blocks, and names itself.
        {"/sys/devices", LANDLOCK_READ},
        {"/sys/dev", LANDLOCK_READ},
        {"/proc/sys/kernel/random/uuid", LANDLOCK_READ},
        {"/sys/fs/cgroup", LANDLOCK_READ},
        {"/proc/self", LANDLOCK_READ},
        {"/proc/meminfo", LANDLOCK_READ},
        {"/proc/cpuinfo", LANDLOCK_READ},
        {"/proc/stat", LANDLOCK_READ},
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        {"/proc/self/exe", LANDLOCK_READ}, // for the lines in a report
#endif
    };
    if (landlock_confine(paths, sizeof paths / sizeof *paths))
        return true;
    log_error("landlock", "problem=%s", strerror(errno));
    return false;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
#define LOAD(member)            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define JUMP(test, value, t, f) BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), (t), (f))
#define ANSWER(action)          BPF_STMT(BPF_RET | BPF_K, (action))
#define NOT_PERMITTED           ANSWER(SECCOMP_RET_ERRNO | EPERM)
#define REFUSE(call)            JUMP(BPF_JEQ, call, 0, 1), NOT_PERMITTED

void confine_calls(void)
{
    static struct sock_filter filter[] = {
        LOAD(arch),
        JUMP(BPF_JEQ, ARCHITECTURE, 1, 0),
        NOT_PERMITTED, // another set of calls that this kernel offers too
        LOAD(nr),
#ifdef __x86_64__
        JUMP(BPF_JGE, 0x40000000, 0, 1), // x32
        NOT_PERMITTED,
#endif
        REFUSE(__NR_execve),
        REFUSE(__NR_execveat),
        REFUSE(__NR_process_vm_readv),
        REFUSE(__NR_process_vm_writev),
        REFUSE(__NR_io_uring_setup), // opens sockets without asking for them by name
#ifndef __SANITIZE_ADDRESS__         // LeakSanitizer stops the threads with it
        REFUSE(__NR_ptrace),
#endif
        JUMP(BPF_JEQ, __NR_socket, 0, 3),
        LOAD(args[0]),
        JUMP(BPF_JEQ, AF_UNIX, 1, 0),
        NOT_PERMITTED,
        ANSWER(SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    // The flag binds the threads that run already.
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        log_info("seccomp", "problem=%s meaning=%s", strerror(errno), "the front may open sockets of its own");
}
#else
void confine_calls(void)
{
    log_info("seccomp", "meaning=%s", "no filter is written for this kind of machine");
}
#endif
