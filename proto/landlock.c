// SPDX-License-Identifier: Apache-2.0
// Landlock by its three system calls: the C library has no functions for them, and the kernel headers a distribution
// builds with are older than the kernels it may meet, so what is newer than version 1 is spelled out here.
// Runs in main() of front and workers.
#include "proto/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/log.h"

// The kernel's numbers, the same on all machines (include/uapi/linux/landlock.h, asm-generic/unistd.h).
enum { CALL_CREATE = 444, CALL_ADD = 445, CALL_RESTRICT = 446, FLAG_VERSION = 1, RULE_PATH = 1 };

#define EXECUTE     (UINT64_C(1) << 0)
#define WRITE_FILE  (UINT64_C(1) << 1)
#define READ_FILE   (UINT64_C(1) << 2)
#define READ_DIR    (UINT64_C(1) << 3)
#define REMOVE_DIR  (UINT64_C(1) << 4)
#define REMOVE_FILE (UINT64_C(1) << 5)
#define MAKE_CHAR   (UINT64_C(1) << 6)
#define MAKE_DIR    (UINT64_C(1) << 7)
#define MAKE_REG    (UINT64_C(1) << 8)
#define MAKE_SOCK   (UINT64_C(1) << 9)
#define MAKE_FIFO   (UINT64_C(1) << 10)
#define MAKE_BLOCK  (UINT64_C(1) << 11)
#define MAKE_SYM    (UINT64_C(1) << 12)
#define REFER       (UINT64_C(1) << 13) // version 2: link and rename between folders
#define TRUNCATE    (UINT64_C(1) << 14) // version 3
#define IOCTL_DEV   (UINT64_C(1) << 15) // version 5

#define SCOPE_ABSTRACT_SOCKET (UINT64_C(1) << 0) // version 6
#define SCOPE_SIGNAL          (UINT64_C(1) << 1)

// What a rule on something that is no folder may allow.
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

struct ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; // version 4
    uint64_t scoped;             // version 6
};

struct path_rule {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

static const uint64_t accesses[] = {
    [LANDLOCK_READ] = READ_FILE | READ_DIR,
    [LANDLOCK_DEVICE] = READ_FILE | WRITE_FILE,
    [LANDLOCK_APPEND] = WRITE_FILE,
    [LANDLOCK_SOCKET] = READ_FILE | WRITE_FILE | READ_DIR | MAKE_SOCK | REMOVE_FILE,
    [LANDLOCK_OWN] = READ_FILE | WRITE_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM |
                     REFER | TRUNCATE,
};

int landlock_abi(void)
{
    long abi = syscall(CALL_CREATE, NULL, (size_t)0, FLAG_VERSION);
    return abi > 0 ? (int)abi : 0;
}

// Every kind of access that this version can refuse.
static uint64_t handled_by(int abi)
{
    uint64_t handled = (REFER - 1);
    if (abi >= 2)
        handled |= REFER;
    if (abi >= 3)
        handled |= TRUNCATE;
    if (abi >= 5)
        handled |= IOCTL_DEV;
    return handled;
}

static bool allow(int ruleset, const struct landlock_path *path, uint64_t handled)
{
    struct stat info;
    int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
    struct path_rule rule = {.allowed_access = accesses[path->access] & handled, .parent_fd = fd};
    bool ok = fstat(fd, &info) == 0;
    if (ok && !S_ISDIR(info.st_mode))
        rule.allowed_access &= OF_FILES;
    ok = ok && syscall(CALL_ADD, ruleset, RULE_PATH, &rule, 0) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

bool landlock_confine(const struct landlock_path *paths, size_t count)
{
    int abi = landlock_abi();
    if (abi == 0) {
        log_info("landlock", "abi=0 meaning=%s",
                 "this kernel does not confine programs so: file permissions alone decide");
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    }
    struct ruleset rules = {.handled_access_fs = handled_by(abi)};
    if (abi >= 6)
        rules.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
    size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int ruleset = (int)syscall(CALL_CREATE, &rules, size, 0);
    if (ruleset < 0)
        return false;
    bool ok = fcntl(ruleset, F_SETFD, FD_CLOEXEC) == 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = allow(ruleset, &paths[i], rules.handled_access_fs);
    ok = ok && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(CALL_RESTRICT, ruleset, 0) == 0;
    int error = errno;
    close(ruleset);
    errno = error;
    if (ok)
        log_info("landlock", "abi=%d paths=%zu", abi, count);
    return ok;
}
