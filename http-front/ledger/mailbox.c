// SPDX-License-Identifier: Apache-2.0
// The mailbox: a locked list and an eventfd. The descriptor is written only when the list goes from empty to not empty,
// so a burst costs one system call; both change under one lock, so it is readable exactly while something waits.
#include "http-front/ledger/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    pthread_mutex_t lock;
    struct mail *first;
    struct mail **end; // where the next one is hung
    int fd;
};

struct mailbox *mailbox_new(void)
{
    struct mailbox *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd < 0 || pthread_mutex_init(&self->lock, NULL) != 0)
        abort(); // out of descriptors before the first request: nothing to go on with
    self->end = &self->first;
    return self;
}

void mail_free(struct mail **self)
{
    if (!*self)
        return;
    free((*self)->conversation);
    free(*self);
    *self = NULL;
}

void mailbox_free(struct mailbox **self)
{
    if (!*self)
        return;
    struct mail *mail = mailbox_take_all(*self);
    while (mail) {
        struct mail *next = mail->next;
        mail_free(&mail);
        mail = next;
    }
    close((*self)->fd);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

int mailbox_fd(const struct mailbox *self)
{
    return self->fd;
}

void mailbox_put(struct mailbox *self, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&self->lock);
    if (!self->first && eventfd_write(self->fd, 1) != 0)
        abort(); // its counter is 0 here, so it cannot be full
    *self->end = mail;
    self->end = &mail->next;
    pthread_mutex_unlock(&self->lock);
}

struct mail *mailbox_take_all(struct mailbox *self)
{
    eventfd_t count;
    pthread_mutex_lock(&self->lock);
    struct mail *mail = self->first;
    if (mail && eventfd_read(self->fd, &count) != 0)
        abort();
    self->first = NULL;
    self->end = &self->first;
    pthread_mutex_unlock(&self->lock);
    return mail;
}
