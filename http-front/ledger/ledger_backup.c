// SPDX-License-Identifier: Apache-2.0
// Backups: a whole copy of the running ledger in a folder of its own, and what a ledger that was restored from one
// knows of that. The copy is complete or not there: it is made under another name and renamed when all of it is on
// disk. It holds a marker, so that whoever opens it knows that the world has gone on since; where the copy is made is
// no matter to restoring, which is: stop Deskbell, put the folder in the ledger's place, start.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "http-front/ledger/ledger_backup.h"
#include "http-front/ledger/ledger_engine.h"
#include "proto/log.h"

static const char marker_name[] = "RESTORED-FROM-BACKUP";
static const char marker_format[] = "Deskbell ledger, backup taken at %" SCNu64 " ms since 1970, number %" SCNu64 ".\n";

enum { MARKER_BYTES = 200 };

// What a copy leaves free at its target beside its own size.
static const uint64_t spare_bytes = (uint64_t)16 << 20;

static bool failed(char *error, size_t error_size, const char *dir, const char *why)
{
    snprintf(error, error_size, "%s: %s", dir, why);
    return false;
}

static bool sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

// The folder that holds `path`, in `out`.
static void parent_of(const char *path, char out[PATH_MAX])
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(out, PATH_MAX, "%s", dirname(copy));
}

typedef bool file_fn(const char *path, const struct stat *info, void *arg);

// Calls `each` for every file of a folder; false as soon as one call is, or the folder cannot be read.
static bool each_file(const char *dir, file_fn *each, void *arg)
{
    bool ok = true;
    DIR *folder = opendir(dir);
    if (!folder)
        return false;
    for (const struct dirent *entry = readdir(folder); ok && entry; entry = readdir(folder)) {
        char path[PATH_MAX];
        struct stat info;
        int length = snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (length < 0 || (size_t)length >= sizeof path)
            ok = false;
        // The engine deletes files while we look; those are nobody's any more.
        else if (lstat(path, &info) == 0 && S_ISREG(info.st_mode))
            ok = each(path, &info, arg);
    }
    closedir(folder);
    return ok;
}

static bool add_size(const char *path, const struct stat *info, void *arg)
{
    uint64_t *total = arg;
    (void)path;
    *total += (uint64_t)info->st_size;
    return true;
}

static bool sync_one(const char *path, const struct stat *info, void *arg)
{
    (void)info;
    (void)arg;
    return sync_path(path);
}

static bool remove_one(const char *path, const struct stat *info, void *arg)
{
    (void)info;
    (void)arg;
    return unlink(path) == 0;
}

// ---- the marker -----------------------------------------------------------------------------------------------------

static bool write_marker(const char *dir, uint64_t taken_ms)
{
    char path[PATH_MAX + 64];
    char temporary[PATH_MAX + 64];
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return false;
    snprintf(path, sizeof path, "%s/%s", dir, marker_name);
    snprintf(temporary, sizeof temporary, "%s/%s.new", dir, marker_name);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    // Never 0, which stands for "never restored" in the ledger.
    bool ok = dprintf(fd, marker_format, taken_ms, number | 1) > 0 && fsync(fd) == 0;
    close(fd);
    return ok && rename(temporary, path) == 0;
}

bool ledger_marker_read(const char *dir, struct ledger_marker *out, char *error, size_t error_size)
{
    char path[PATH_MAX + 64];
    char text[MARKER_BYTES] = "";
    char again[MARKER_BYTES];
    *out = (struct ledger_marker){0};
    snprintf(path, sizeof path, "%s/%s", dir, marker_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (length > 0 && sscanf(text, marker_format, &out->taken_ms, &out->number) == 2 && out->number != 0) {
        snprintf(again, sizeof again, marker_format, out->taken_ms, out->number);
        if (strcmp(text, again) == 0)
            return true;
    }
    snprintf(error, error_size,
             "the ledger in %s was restored from a backup, but its file %s cannot be read; restore the backup again",
             dir, marker_name);
    return false;
}

uint64_t ledger_restored_ms(const struct ledger *self)
{
    return atomic_load(&self->restored_ms);
}

bool ledger_restored_done(struct ledger *self)
{
    char path[PATH_MAX + 64];
    if (atomic_load(&self->restored_ms) == 0)
        return true;
    snprintf(path, sizeof path, "%s/%s", self->dir, marker_name);
    if ((unlink(path) != 0 && errno != ENOENT) || !sync_path(self->dir)) {
        log_error("ledger_restored_mark_stays", "path=%s error=%s", path, strerror(errno));
        return false;
    }
    atomic_store(&self->restored_ms, 0);
    return true;
}

// The original may have gone on for long after the copy was made, and the same copy may be restored twice. Openings
// count one each, so 2^14 is beyond any that the original had since; minutes since 2026 keep two restorations of one
// copy apart, and chance those within the same minutes. 2^24 epochs are enough for hundreds of restorations one upon
// the other.
uint64_t ledger_epoch_after_restore(uint64_t epoch, uint64_t now_ms)
{
    const uint64_t year_2026_ms = UINT64_C(1767225600000);
    const uint64_t jump = UINT64_C(1) << 14;
    const uint64_t believable = UINT64_C(1) << 23; // minutes: until 2041, then the jump alone has to do
    uint64_t chance = 0;
    uint64_t minutes = now_ms > year_2026_ms ? (now_ms - year_2026_ms) / 60000 : 0;
    if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        chance = now_ms;
    if (minutes < believable && minutes > epoch)
        epoch = minutes;
    return epoch + jump + chance % jump;
}

// ---- the copy -------------------------------------------------------------------------------------------------------

// A copy beside the ledger shares its files (hard links) and costs next to nothing; one elsewhere needs its size. A
// full disk is found out before the engine meets it.
static bool has_room(const struct ledger *self, const char *parent)
{
    struct stat here;
    struct stat there;
    struct statvfs space;
    uint64_t needed = 0;
    if (stat(self->dir, &here) != 0 || stat(parent, &there) != 0 || statvfs(parent, &space) != 0)
        return false;
    if (here.st_dev != there.st_dev)
        (void)each_file(self->dir, add_size, &needed);
    return (uint64_t)space.f_bavail * space.f_frsize >= needed + spare_bytes;
}

static char *checkpoint(struct ledger *self, const char *dir)
{
    char *problem = NULL;
    rocksdb_checkpoint_t *copy = rocksdb_checkpoint_object_create(self->db, &problem);
    if (!problem)
        rocksdb_checkpoint_create(copy, dir, 0, &problem);
    if (copy)
        rocksdb_checkpoint_object_destroy(copy);
    return problem;
}

static bool fill_copy(struct ledger *self, const char *dir, const char *copy, char *error, size_t error_size)
{
    // The time before the copy: what is as old as that or older is in it.
    uint64_t taken_ms = self->options.now_ms();
    char *problem = checkpoint(self, copy);
    if (problem) {
        failed(error, error_size, dir, problem);
        rocksdb_free(problem);
        return false;
    }
    if (chmod(copy, 0700) != 0 || !write_marker(copy, taken_ms) || !each_file(copy, sync_one, NULL) || !sync_path(copy))
        return failed(error, error_size, dir, strerror(errno));
    return true;
}

bool ledger_backup(struct ledger *self, const char *dir, char *error, size_t error_size)
{
    char parent[PATH_MAX];
    char outer[PATH_MAX];
    char copy[PATH_MAX + 16];
    struct stat info;

    if (snprintf(outer, sizeof outer, "%s.partial", dir) >= (int)sizeof outer)
        return failed(error, error_size, dir, "the name is too long");
    snprintf(copy, sizeof copy, "%s/ledger", outer);
    parent_of(dir, parent);
    if (lstat(dir, &info) == 0)
        return failed(error, error_size, dir, "that exists already; name a folder that does not");
    if (stat(parent, &info) != 0 || !S_ISDIR(info.st_mode))
        return failed(error, error_size, dir, "the folder that should hold it does not exist");
    if (!has_room(self, parent))
        return failed(error, error_size, dir, "there is not enough space left for it");
    if (mkdir(outer, 0700) != 0) {
        snprintf(error, error_size, "%s: %s%s", outer, strerror(errno),
                 errno == EEXIST ? "; another backup runs, or one was interrupted and this has to be removed"
                                 : "; deskbelld can write below state_dir and, where it is set, backup_dir only");
        return false;
    }
    bool ok = fill_copy(self, dir, copy, error, error_size);
    if (ok && renameat2(AT_FDCWD, copy, AT_FDCWD, dir, RENAME_NOREPLACE) != 0)
        ok = failed(error, error_size, dir, strerror(errno));
    else if (ok && !sync_path(parent))
        ok = failed(error, error_size, dir, strerror(errno));
    if (!ok && each_file(copy, remove_one, NULL))
        (void)rmdir(copy);
    if (rmdir(outer) != 0)
        log_warn("ledger_backup_leftover", "path=%s error=%s", outer, strerror(errno));
    return ok;
}
