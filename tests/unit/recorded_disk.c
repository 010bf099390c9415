// SPDX-License-Identifier: Apache-2.0
// See recorded_disk.h. The functions of libc stand here under their own names, so the shared library of the engine
// finds these first; no preloading is needed. What the engine's own log ("LOG") says is not recorded.
#include "recorded_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool recording;
static atomic_bool free_syncs;
static char folder[PATH_MAX];
static struct disk_op *ops;
static size_t op_count;
static size_t op_room;

// How long each file is by the record; to know what a sync covers.
static struct disk_state *now;

struct file {
    char name[32];    // "": unlinked
    char durable[32]; // its name when the folder was last synced
    uint8_t *data;
    size_t size;
    size_t synced;
};

struct disk_state {
    struct file files[FILES];
    size_t count;
};

// ---- playing again --------------------------------------------------------------------------------------------------

struct disk_state *disk_state_new(void)
{
    struct disk_state *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

void disk_state_free(struct disk_state **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        free((*self)->files[i].data);
    free(*self);
    *self = NULL;
}

static struct file *find(struct disk_state *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->files[i].name, name) == 0)
            return &self->files[i];
    return NULL;
}

static void append(struct disk_state *self, const struct disk_op *op)
{
    struct file *file = find(self, op->name);
    if (!file) {
        if (self->count == FILES)
            abort();
        file = &self->files[self->count++];
        strcpy(file->name, op->name);
    }
    file->data = realloc(file->data, file->size + op->size);
    if (!file->data)
        abort();
    memcpy(file->data + file->size, op->data, op->size);
    file->size += op->size;
}

void disk_state_apply(struct disk_state *self, const struct disk_op *op)
{
    struct file *file = op->call == DISK_WRITE ? NULL : find(self, op->name);
    switch (op->call) {
    case DISK_WRITE:
        append(self, op);
        break;
    case DISK_SYNC:
        if (file && op->size > file->synced)
            file->synced = op->size;
        break;
    case DISK_SYNC_FOLDER:
        for (size_t i = 0; i < self->count; i++)
            strcpy(self->files[i].durable, self->files[i].name);
        break;
    case DISK_RENAME: {
        struct file *old = find(self, op->to);
        if (old)
            old->name[0] = 0;
        if (file)
            strcpy(file->name, op->to);
        break;
    }
    case DISK_UNLINK:
        if (file)
            file->name[0] = 0;
        break;
    case DISK_MARK:
        break;
    }
}

static bool make_file(const char *dir, const char *name, const struct file *file, size_t size, const uint8_t *more,
                      size_t more_size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = (size == 0 || write(fd, file->data, size) == (ssize_t)size) &&
              (more_size == 0 || write(fd, more, more_size) == (ssize_t)more_size);
    close(fd);
    return ok;
}

bool disk_state_make(const struct disk_state *self, const char *dir, enum disk_left left, const struct disk_op *last,
                     size_t part)
{
    bool last_there = last == NULL;
    bool ok = mkdir(dir, 0700) == 0;
    for (size_t i = 0; ok && i < self->count; i++) {
        const struct file *file = &self->files[i];
        const char *name = left == DISK_SYNCED_FOLDER ? file->durable : file->name;
        bool grows = last && strcmp(file->name, last->name) == 0;
        last_there = last_there || grows;
        if (*name)
            ok = make_file(dir, name, file, left == DISK_ALL ? file->size : file->synced, grows ? last->data : NULL,
                           grows ? part : 0);
    }
    return ok && (last_there || make_file(dir, last->name, NULL, 0, last->data, part));
}

// ---- recording ------------------------------------------------------------------------------------------------------

// Appends an operation; under the lock.
static struct disk_op *add(enum disk_call call, const char *name)
{
    if (op_count == op_room) {
        op_room = op_room ? 2 * op_room : 1024;
        ops = realloc(ops, op_room * sizeof *ops);
        if (!ops)
            abort();
    }
    struct disk_op *op = &ops[op_count++];
    *op = (struct disk_op){.call = call};
    snprintf(op->name, sizeof op->name, "%s", name);
    return op;
}

// The name within the folder; NULL when the path lies elsewhere or is the engine's own log. "" is the folder itself.
static const char *inside(const char *path)
{
    size_t length = strlen(folder);
    if (strncmp(path, folder, length) != 0 || (path[length] != '/' && path[length] != 0))
        return NULL;
    const char *name = path[length] ? path + length + 1 : path + length;
    return strchr(name, '/') || strncmp(name, "LOG", 3) == 0 || strcmp(name, "LOCK") == 0 || strlen(name) >= 32 ? NULL
                                                                                                                : name;
}

static const char *name_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return NULL;
    path[length] = 0;
    return inside(path);
}

void disk_record(const char *dir)
{
    snprintf(folder, sizeof folder, "%s", dir);
    now = disk_state_new();
    atomic_store(&free_syncs, false);
    atomic_store(&recording, true);
}

void disk_mark(uint64_t mark)
{
    pthread_mutex_lock(&lock);
    add(DISK_MARK, "")->mark = mark;
    pthread_mutex_unlock(&lock);
}

const struct disk_op *disk_recorded(size_t *count)
{
    atomic_store(&recording, false);
    atomic_store(&free_syncs, true);
    disk_state_free(&now);
    *count = op_count;
    return ops;
}

void disk_forget(void)
{
    for (size_t i = 0; i < op_count; i++)
        free(ops[i].data);
    free(ops);
    ops = NULL;
    op_count = op_room = 0;
    atomic_store(&free_syncs, false);
}

ssize_t write(int fd, const void *data, size_t size)
{
    char path[PATH_MAX];
    ssize_t written = syscall(SYS_write, fd, data, size);
    int error = errno;
    const char *name = atomic_load(&recording) && written > 0 ? name_of(fd, path) : NULL;
    if (name && *name) {
        pthread_mutex_lock(&lock);
        struct disk_op *op = add(DISK_WRITE, name);
        op->size = (size_t)written;
        op->data = malloc(op->size);
        if (!op->data)
            abort();
        memcpy(op->data, data, op->size);
        disk_state_apply(now, op);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return written;
}

// A sync covers what was written before it began.
static int sync_file(int fd, long call)
{
    char path[PATH_MAX];
    const char *name = atomic_load(&recording) ? name_of(fd, path) : NULL;
    size_t covered = 0;
    if (atomic_load(&free_syncs))
        return 0;
    if (name) {
        pthread_mutex_lock(&lock);
        const struct file *file = find(now, name);
        covered = file ? file->size : 0;
        pthread_mutex_unlock(&lock);
    }
    int result = (int)syscall(call, fd);
    int error = errno;
    if (name && result == 0) {
        pthread_mutex_lock(&lock);
        add(*name ? DISK_SYNC : DISK_SYNC_FOLDER, name)->size = covered;
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return result;
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int rename(const char *from, const char *to)
{
    int result = (int)syscall(SYS_rename, from, to);
    int error = errno;
    const char *old = atomic_load(&recording) && result == 0 ? inside(from) : NULL;
    const char *new = old ? inside(to) : NULL;
    if (new) {
        pthread_mutex_lock(&lock);
        struct disk_op *op = add(DISK_RENAME, old);
        snprintf(op->to, sizeof op->to, "%s", new);
        disk_state_apply(now, op);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return result;
}

int unlink(const char *path)
{
    int result = (int)syscall(SYS_unlink, path);
    int error = errno;
    const char *name = atomic_load(&recording) && result == 0 ? inside(path) : NULL;
    if (name) {
        pthread_mutex_lock(&lock);
        disk_state_apply(now, add(DISK_UNLINK, name));
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return result;
}
