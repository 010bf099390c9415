// SPDX-License-Identifier: Apache-2.0
// A helpdesk that is away for days: very many events wait. Accepting goes on, and what ledger and committer hold in
// memory does not grow with what waits. The number is an argument (default 200000, a tenth of that under a sanitizer,
// less under valgrind); figures are printed, only memory is judged.
#include "test_ledger.h"

#include <pthread.h>
#include <stdatomic.h>

#include "http-front/ledger/committer.h"
#include "proto/clock.h"

enum {
    THREADS = 64,
    TEXT_BYTES = 300,
    TWENTIETHS = 20,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    EVENTS = 20000,
    SANITIZED = 1,
#else
    EVENTS = 200000,
    SANITIZED = 0,
#endif
};

// What memory may grow by between a tenth of the events and all of them: table readers and the rest of the cache, not
// the events, which are more than twice that.
static const size_t growth_bytes = (size_t)64 << 20;

static size_t wanted;

struct intake {
    struct committer *committer;
    _Atomic size_t next;
    size_t until;
    _Atomic size_t refused;
    _Atomic uint64_t slowest_us;
};

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void *accept_many(void *arg)
{
    struct intake *intake = arg;
    char text[TEXT_BYTES + 1];
    for (;;) {
        size_t number = atomic_fetch_add(&intake->next, 1);
        char key[48];
        char conversation[48];
        struct part part = {.kind = PART_TEXT, .text = text};
        if (number >= intake->until)
            return NULL;
        unsigned seed = (unsigned)number;
        for (size_t i = 0; i < TEXT_BYTES; i++)
            text[i] = (char)(' ' + rand_r(&seed) % 90);
        text[TEXT_BYTES] = 0;
        snprintf(key, sizeof key, "freshchat:message:%016zx", number * UINT64_C(0x9e3779b97f4a7c15));
        snprintf(conversation, sizeof conversation, "conversation-%zu", number / 5);
        struct event event = {
            .kind = EVENT_CUSTOMER_MESSAGE, .key = key, .conversation = conversation, .parts = {&part, 1}};
        int64_t begin = clock_mono_us();
        if (committer_accept(intake->committer, &event) != ACCEPT_STORED)
            atomic_fetch_add(&intake->refused, 1);
        uint64_t took = (uint64_t)(clock_mono_us() - begin);
        uint64_t slowest = atomic_load(&intake->slowest_us);
        while (slowest < took && !atomic_compare_exchange_weak(&intake->slowest_us, &slowest, took))
            ;
    }
}

// The dispatcher's part, here only to keep the mailbox empty.
struct reader {
    struct mailbox *mailbox;
    atomic_bool stop;
    size_t mails;
};

static void *read_mail(void *arg)
{
    struct reader *reader = arg;
    bool last = false;
    for (;;) {
        for (struct mail *mail = mailbox_take_all(reader->mailbox); mail;) {
            struct mail *next = mail->next;
            reader->mails++;
            mail_free(&mail);
            mail = next;
        }
        if (last)
            return NULL;
        last = atomic_load(&reader->stop);
        usleep(1000); // how often a loop comes by; nothing waits for it
    }
}

static void accept_until(struct intake *intake, size_t until)
{
    pthread_t threads[THREADS];
    intake->until = until;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, accept_many, intake), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&intake->next, until); // each thread had counted one further
}

static bool count_one(void *arg, const struct pending *pending)
{
    (void)pending;
    (*(size_t *)arg)++;
    return true;
}

static void memory_does_not_grow_with_what_waits(void **state)
{
    struct fixture f;
    struct intake intake = {0};
    struct reader reader = {0};
    pthread_t reading;
    size_t early = 0;
    size_t most = 0;

    (void)state;
    set_up(&f);
    reader.mailbox = mailbox_new();
    intake.committer = committer_new(f.ledger, reader.mailbox, &(struct committer_options){0, now_ms});
    assert_int_equal(pthread_create(&reading, NULL, read_mail, &reader), 0);
    int64_t begin = clock_mono_ms();
    for (size_t part = 1; part <= TWENTIETHS; part++) {
        accept_until(&intake, wanted * part / TWENTIETHS);
        size_t now = resident_bytes();
        if (part == 2)
            early = now;
        most = now > most ? now : most;
    }
    int64_t took = clock_mono_ms() - begin;
    print_message(
        "%zu accepted in %.1f s (%zu per second, slowest %.1f ms), %d threads; resident %zu MB at a tenth, at "
        "most %zu MB\n",
        wanted, (double)took / 1000, wanted * 1000 / (size_t)(took + 1), (double)atomic_load(&intake.slowest_us) / 1000,
        THREADS, early >> 20, most >> 20);
    assert_int_equal(atomic_load(&intake.refused), 0);
    assert_true(SANITIZED || most < early + growth_bytes);
    committer_free(&intake.committer);
    atomic_store(&reader.stop, true);
    pthread_join(reading, NULL);
    assert_int_equal(reader.mails, wanted);
    mailbox_free(&reader.mailbox);

    begin = clock_mono_ms();
    open_again(&f);
    int64_t opened = clock_mono_ms() - begin;
    size_t count = 0;
    begin = clock_mono_ms();
    assert_int_equal(ledger_each_pending(f.ledger, count_one, &count), LEDGER_OK);
    print_message("opened in %lld ms, all waiting events read in %lld ms, resident %zu MB\n", (long long)opened,
                  (long long)(clock_mono_ms() - begin), resident_bytes() >> 20);
    assert_int_equal(count, wanted);
    assert_true(SANITIZED || resident_bytes() < early + growth_bytes);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    test_program = argv[0];
    wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : rather(EVENTS, 1500);
    if (wanted < TWENTIETHS)
        return 2;
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_does_not_grow_with_what_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
