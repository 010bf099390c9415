// SPDX-License-Identifier: Apache-2.0
// See snapshot.h.
#include "supervisor/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/config.h"

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

int snapshot_new(const char *text, size_t len)
{
    int fd = memfd_create("deskbell.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (!write_all(fd, text, len) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

char *snapshot_read_file(const char *path, size_t *len, char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *text = NULL;
    ssize_t n = 1;

    *len = 0;
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, why_size, "%s cannot be opened: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_size, "%s is no regular file", path);
        goto done;
    }
    text = malloc(CONFIG_MAX_BYTES + 2);
    if (!text)
        abort();
    while (n > 0 && *len <= CONFIG_MAX_BYTES) {
        n = read(fd, text + *len, CONFIG_MAX_BYTES + 1 - *len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            *len += (size_t)n;
    }
    if (n < 0 || *len > CONFIG_MAX_BYTES) {
        snprintf(why, why_size, "%s cannot be read: %s", path,
                 n < 0 ? strerror(errno) : "it is longer than 1048576 bytes");
        free(text);
        text = NULL;
    } else {
        text[*len] = '\0';
    }
done:
    if (fd >= 0)
        close(fd);
    return text;
}
