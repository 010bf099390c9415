// SPDX-License-Identifier: Apache-2.0
// See instance.h. Run by deskbelld's one thread. The lock is a flock on an open file description that the children
// inherit: it is free only when the last of them is gone, so a second deskbelld cannot open the ledger beside them.
#include "supervisor/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/pipes.h"

// Generations are noted in the lock file by so many at a time.
#define GENERATION_BLOCK 1000000
// The lock file is one line of this length, so that it is always overwritten whole.
#define LOCK_LINE_BYTES 64

static bool make_dir(const char *path, const char *key, char *why, size_t why_size)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "%s %s cannot be made: %s; make it and give it to the user deskbelld runs as", key,
                 path, strerror(errno));
        return false;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode) || access(path, R_OK | W_OK | X_OK) != 0) {
        snprintf(why, why_size, "%s %s must be a folder that the user deskbelld runs as can write to", key, path);
        return false;
    }
    return true;
}

// Whoever reaches the sockets speaks for our processes, so the folder is for our user only.
static bool close_to_others(const char *path, char *why, size_t why_size)
{
    struct stat st;

    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        snprintf(why, why_size, "runtime_dir %s must be a folder (no link) that belongs to the user deskbelld runs as",
                 path);
        return false;
    }
    if ((st.st_mode & 07777) != 0700 && chmod(path, 0700) != 0) {
        snprintf(why, why_size, "runtime_dir %s must have mode 0700: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool write_lock_line(struct instance *instance, uint64_t reserved)
{
    char line[LOCK_LINE_BYTES + 1];

    snprintf(line, sizeof line, "pid %-12d generation %-30" PRIu64, (int)getpid(), reserved);
    memset(line + strlen(line), ' ', LOCK_LINE_BYTES - strlen(line));
    line[LOCK_LINE_BYTES - 1] = '\n';
    if (pwrite(instance->lock_fd, line, LOCK_LINE_BYTES, 0) != LOCK_LINE_BYTES || fdatasync(instance->lock_fd) != 0)
        return false;
    instance->reserved = reserved;
    return true;
}

// What the last holder of the lock wrote; zeroes when there was none.
static void read_lock_line(int fd, int *pid, uint64_t *generation)
{
    char line[LOCK_LINE_BYTES + 1] = "";

    *pid = 0;
    *generation = 0;
    if (pread(fd, line, LOCK_LINE_BYTES, 0) > 0 && sscanf(line, "pid %d generation %" SCNu64, pid, generation) != 2)
        *generation = 0;
}

static bool take_lock(struct instance *instance, const char *state_dir, char *why, size_t why_size)
{
    char path[1100];
    uint64_t noted = 0, now = (uint64_t)clock_wall_ms() * 1000;
    int pid = 0;

    snprintf(path, sizeof path, "%s/lock", state_dir);
    instance->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (instance->lock_fd < 0) {
        snprintf(why, why_size, "the lock %s cannot be opened: %s", path, strerror(errno));
        return false;
    }
    read_lock_line(instance->lock_fd, &pid, &noted);
    if (flock(instance->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            snprintf(why, why_size,
                     "another deskbelld (pid %d) or one of its processes is running with state_dir %s: stop it first, "
                     "or choose another state_dir",
                     pid, state_dir);
        else
            snprintf(why, why_size, "the lock %s cannot be taken: %s", path, strerror(errno));
        return false;
    }
    // Read again under the lock: the holder before may have written meanwhile.
    read_lock_line(instance->lock_fd, &pid, &noted);
    // The clock alone would do, but a clock may be set back.
    instance->generation = noted > now ? noted : now;
    if (!write_lock_line(instance, instance->generation + GENERATION_BLOCK)) {
        snprintf(why, why_size, "the lock %s cannot be written: %s", path, strerror(errno));
        return false;
    }
    return true;
}

// Another state_dir may come with the same runtime_dir, which has a default: its instance would lose its sockets to us.
static bool lock_runtime_dir(struct instance *instance, char *why, size_t why_size)
{
    instance->runtime_fd = open(instance->runtime_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (instance->runtime_fd >= 0 && flock(instance->runtime_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (instance->runtime_fd >= 0 && errno == EWOULDBLOCK)
        snprintf(why, why_size,
                 "another deskbelld is running with runtime_dir %s: stop it first, or choose another runtime_dir for "
                 "one of them",
                 instance->runtime_dir);
    else
        snprintf(why, why_size, "runtime_dir %s cannot be locked: %s", instance->runtime_dir, strerror(errno));
    return false;
}

// A killed instance leaves its sockets' names; nobody listens there while we hold the locks.
static void clear_sockets(const char *runtime_dir)
{
    DIR *dir = opendir(runtime_dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        if ((strncmp(entry->d_name, "worker-", 7) == 0 && len > 5 && strcmp(entry->d_name + len - 5, ".sock") == 0) ||
            strcmp(entry->d_name, "front.sock") == 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

bool instance_open(struct instance *instance, const char *state_dir, const char *runtime_dir, char *why,
                   size_t why_size)
{
    memset(instance, 0, sizeof *instance);
    instance->lock_fd = instance->runtime_fd = -1;
    instance->runtime_dir = strdup(runtime_dir);
    if (!instance->runtime_dir)
        abort();
    if (!make_dir(state_dir, "state_dir", why, why_size) || !take_lock(instance, state_dir, why, why_size) ||
        !make_dir(runtime_dir, "runtime_dir", why, why_size) || !close_to_others(runtime_dir, why, why_size) ||
        !lock_runtime_dir(instance, why, why_size)) {
        instance_close(instance);
        return false;
    }
    clear_sockets(runtime_dir);
    return true;
}

void instance_close(struct instance *instance)
{
    if (instance->lock_fd >= 0)
        close(instance->lock_fd);
    if (instance->runtime_fd >= 0)
        close(instance->runtime_fd);
    instance->lock_fd = instance->runtime_fd = -1;
    free(instance->runtime_dir);
    instance->runtime_dir = NULL;
}

uint64_t instance_next_generation(struct instance *instance)
{
    // Starting goes on when the disk is full; only a clock set back before the next start could then repeat a number.
    if (instance->generation >= instance->reserved &&
        !write_lock_line(instance, instance->generation + GENERATION_BLOCK))
        log_error("lock_file_write_failed", "error=%s", strerror(errno));
    return ++instance->generation;
}

void instance_remove_socket(const struct instance *instance, uint32_t slot, uint64_t generation)
{
    char endpoint[PIPES_ENDPOINT_BYTES];

    if (!pipes_worker_endpoint(instance->runtime_dir, slot, generation, endpoint))
        abort(); // config_parse made sure that it fits
    (void)unlink(endpoint + strlen("ipc://"));
}
