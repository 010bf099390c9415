// SPDX-License-Identifier: Apache-2.0
// The mailbox: order, the descriptor's readiness, ownership, several senders.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "http-front/ledger/mailbox.h"

enum { SENDERS = 4, LETTERS = 5000 };

static struct mail *letter(uint64_t seq)
{
    struct mail *mail = calloc(1, sizeof *mail);
    assert_non_null(mail);
    mail->seq = seq;
    mail->conversation = strdup("c");
    return mail;
}

static bool readable(const struct mailbox *box, int timeout_ms)
{
    struct pollfd fd = {.fd = mailbox_fd(box), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void gives_mail_in_order_and_clears_the_descriptor(void **state)
{
    struct mailbox *box = mailbox_new();
    (void)state;
    assert_false(readable(box, 0));
    assert_null(mailbox_take_all(box));
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= 3; i++)
            mailbox_put(box, letter(i));
        assert_true(readable(box, 0));
        struct mail *mail = mailbox_take_all(box);
        assert_false(readable(box, 0));
        for (uint64_t i = 1; i <= 3; i++) {
            struct mail *next = mail->next;
            assert_int_equal(mail->seq, i);
            mail_free(&mail);
            assert_null(mail);
            mail = next;
        }
        assert_null(mail);
    }
    mailbox_free(&box);
    assert_null(box);
}

static void frees_what_nobody_took(void **state)
{
    struct mailbox *box = mailbox_new();
    (void)state;
    mailbox_put(box, letter(1));
    mailbox_put(box, letter(2));
    mailbox_free(&box); // the leak checker looks on
}

struct sender {
    struct mailbox *box;
    uint64_t number;
};

static void *send_all(void *arg)
{
    const struct sender *sender = arg;
    for (uint64_t i = 0; i < LETTERS; i++)
        mailbox_put(sender->box, letter(sender->number << 32 | i));
    return NULL;
}

static void loses_nothing_of_several_senders(void **state)
{
    struct mailbox *box = mailbox_new();
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    uint64_t expected[SENDERS] = {0};

    (void)state;
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){box, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    for (size_t got = 0; got < (size_t)SENDERS * LETTERS;) {
        assert_true(readable(box, 10000));
        struct mail *mail = mailbox_take_all(box);
        assert_non_null(mail); // readable means something is there
        while (mail) {
            struct mail *next = mail->next;
            assert_int_equal(mail->seq & UINT32_MAX, expected[mail->seq >> 32]++);
            mail_free(&mail);
            mail = next;
            got++;
        }
    }
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(readable(box, 0));
    mailbox_free(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_mail_in_order_and_clears_the_descriptor),
        cmocka_unit_test(frees_what_nobody_took),
        cmocka_unit_test(loses_nothing_of_several_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
