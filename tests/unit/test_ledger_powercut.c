// SPDX-License-Identifier: Apache-2.0
// Power cuts. A committer with several request threads works on a ledger through openings, flushes and compactions, on
// a disk that records every call (recorded_disk.h) and, between them, every promise: accepted, committed. Then the
// folder is made again as each call could have left it, whole, in part, or with only what was synced, and opened: every
// promise made until then is kept, and nothing is half there. An argument sets how many of these cuts are tried
// ("all": each of them); they are spread evenly.
#include "test_ledger.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "http-front/ledger/committer.h"
#include "proto/clock.h"
#include "recorded_disk.h"

enum {
    SESSIONS = 3,
    THREADS = 6,
    EACH = 14,
    EVENTS = SESSIONS * THREADS * EACH,
    CHECKERS = 4,
    RANDOM_PLACES = 6, // in each write to a log
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    CUTS = 200, // an opening takes five times as long there
#else
    CUTS = 3000,
#endif
    COMMITTED = 1 << 20, // added to an event's number in the mark of its commit
    WAL_BLOCK = 32768,
};

static size_t wanted_cuts;

// ---- the work -------------------------------------------------------------------------------------------------------

// Some longer than a block of the log, so that records go in pieces.
static size_t text_bytes(size_t number)
{
    return number % 29 == 7 ? 40000 : 20 + number * 37 % 1500;
}

static char *text_of(size_t number)
{
    size_t size = text_bytes(number);
    char *text = malloc(size + 1);
    if (!text)
        abort();
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + (number * 7 + i) % 26);
    text[size] = 0;
    return text;
}

struct session {
    struct committer *committer;
    size_t first;
};

static void *accept_some(void *arg)
{
    const struct session *session = arg;
    for (size_t number = session->first; number < session->first + EACH; number++) {
        char key[32];
        char conversation[32];
        char *text = text_of(number);
        struct part part = {.kind = PART_TEXT, .text = text};
        snprintf(key, sizeof key, "k%zu", number);
        snprintf(conversation, sizeof conversation, "c%zu", number);
        struct event event = {
            .kind = EVENT_CUSTOMER_MESSAGE, .key = key, .conversation = conversation, .parts = {&part, 1}};
        if (committer_accept(session->committer, &event) != ACCEPT_STORED)
            abort();
        disk_mark(number);
        free(text);
    }
    return NULL;
}

// What the dispatcher does with every third event: in one batch the event is gone and its lane is there.
static void finish(struct committer *committer, uint64_t seq, const char *conversation)
{
    size_t number = strtoul(conversation + 1, NULL, 10);
    if (number % 3 != 0)
        return;
    struct commit *commit = calloc(1, sizeof *commit);
    if (!commit)
        abort();
    commit->batch = ledger_batch_new();
    commit->token = (void *)(uintptr_t)(COMMITTED + number);
    ledger_delete_pending(commit->batch, seq);
    ledger_put_lane(commit->batch,
                    &(struct lane){.conversation = conversation, .ticket_id = number + 1, .updated_ms = test_now_ms});
    committer_submit(committer, commit);
}

static size_t take_mail(struct committer *committer, struct mailbox *mailbox)
{
    size_t finished = 0;
    for (struct mail *mail = mailbox_take_all(mailbox); mail;) {
        struct mail *next = mail->next;
        if (mail->kind == MAIL_ACCEPTED) {
            finish(committer, mail->seq, mail->conversation);
        } else {
            assert_true(mail->ok);
            disk_mark((uintptr_t)mail->token);
            finished++;
        }
        mail_free(&mail);
        mail = next;
    }
    return finished;
}

static void work_session(struct fixture *f, size_t session)
{
    struct session each[THREADS];
    pthread_t threads[THREADS];
    size_t to_finish = 0;
    open_again(f);
    struct mailbox *mailbox = mailbox_new();
    struct committer *committer = committer_new(f->ledger, mailbox, &(struct committer_options){0, now_ms});
    for (size_t i = 0; i < THREADS; i++) {
        each[i] = (struct session){committer, (session * THREADS + i) * EACH};
        for (size_t number = each[i].first; number < each[i].first + EACH; number++)
            to_finish += number % 3 == 0;
        assert_int_equal(pthread_create(&threads[i], NULL, accept_some, &each[i]), 0);
    }
    size_t finished = 0;
    bool expired = false;
    while (finished < to_finish) {
        finished += take_mail(committer, mailbox);
        // In the middle: new log, tables written and merged, old files deleted, while requests go on.
        if (!expired && finished > to_finish / 2 && session < SESSIONS - 1) {
            ledger_expire(f->ledger);
            expired = true;
        }
        sched_yield();
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    committer_free(&committer);
    (void)take_mail(NULL, mailbox);
    mailbox_free(&mailbox);
    ledger_close(&f->ledger);
}

// ---- the cuts -------------------------------------------------------------------------------------------------------

// The moment after `op` calls; `part` of the next one, a write, is there, too.
struct cut {
    size_t op;
    enum disk_left left;
    size_t part;
};

struct cuts {
    struct cut *items;
    size_t count;
    size_t room;
};

static void add_cut(struct cuts *cuts, size_t op, enum disk_left left, size_t part)
{
    if (cuts->count == cuts->room) {
        cuts->room = cuts->room ? 2 * cuts->room : 1024;
        cuts->items = realloc(cuts->items, cuts->room * sizeof *cuts->items);
        assert_non_null(cuts->items);
    }
    cuts->items[cuts->count++] = (struct cut){op, left, part};
}

static bool is_log(const struct disk_op *op)
{
    const char *dot = strrchr(op->name, '.');
    return dot && strcmp(dot, ".log") == 0;
}

// Within a write to a log: in the header, behind it, behind the record's own head, in the middle, at each block's end,
// one byte before the end; within one to another file: in the middle.
static void add_parts(struct cuts *cuts, size_t op, const struct disk_op *write, size_t begins)
{
    const size_t places[] = {1, 6, 7, 15, 19, write->size / 2, write->size - 1};
    if (!is_log(write)) {
        add_cut(cuts, op, DISK_ALL, write->size / 2);
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i] > 0 && places[i] < write->size)
            add_cut(cuts, op, DISK_ALL, places[i]);
    for (size_t i = 1; i <= RANDOM_PLACES && write->size > 1; i++)
        add_cut(cuts, op, DISK_ALL, 1 + (op * 2654435761u + i * 40503u) % (write->size - 1));
    for (size_t at = WAL_BLOCK - begins % WAL_BLOCK; at < write->size; at += WAL_BLOCK) {
        add_cut(cuts, op, DISK_ALL, at);
        add_cut(cuts, op, DISK_ALL, at + 3);
    }
}

static struct cuts list_cuts(const struct disk_op *ops, size_t count)
{
    struct cuts cuts = {0};
    char log[32] = "";
    size_t log_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].call == DISK_MARK)
            continue;
        if (ops[i].call == DISK_WRITE) {
            if (is_log(&ops[i]) && strcmp(log, ops[i].name) != 0) {
                strcpy(log, ops[i].name);
                log_bytes = 0;
            }
            add_parts(&cuts, i, &ops[i], log_bytes);
            log_bytes += is_log(&ops[i]) ? ops[i].size : 0;
        } else {
            add_cut(&cuts, i + 1, DISK_SYNCED, 0);
            add_cut(&cuts, i + 1, DISK_SYNCED_FOLDER, 0);
        }
        add_cut(&cuts, i + 1, DISK_ALL, 0);
    }
    return cuts;
}

// ---- checking one ---------------------------------------------------------------------------------------------------

struct waiting_events {
    bool pending[EVENTS];
    const char *wrong;
};

static bool look_at(void *arg, const struct pending *pending)
{
    struct waiting_events *found = arg;
    size_t number = strtoul(pending->event.key + 1, NULL, 10);
    if (number >= EVENTS || found->pending[number] || pending->event.parts.count != 1) {
        found->wrong = "a waiting event that nobody sent";
        return false;
    }
    char *text = text_of(number);
    if (strcmp(pending->event.parts.items[0].text, text) != 0)
        found->wrong = "a waiting event with another text";
    free(text);
    found->pending[number] = true;
    return !found->wrong;
}

// What is in the ledger of event `number`, against what was promised; NULL when that is right.
static const char *judge(struct ledger *ledger, size_t number, bool waits, bool accepted, bool committed)
{
    char key[32];
    struct seen seen;
    struct lane lane;
    struct arena *arena = arena_new();
    snprintf(key, sizeof key, "k%zu", number);
    bool known = ledger_seen(ledger, key, &seen) == LEDGER_OK;
    snprintf(key, sizeof key, "c%zu", number);
    bool done = ledger_lane(ledger, key, &lane, arena) == LEDGER_OK;
    arena_free(&arena);
    if (accepted && !known)
        return "an accepted event is lost";
    if (committed && !done)
        return "a commit is lost";
    if (known != (waits || done) || (waits && done))
        return "a batch is half there";
    return NULL;
}

static const char *check_ledger(struct ledger *ledger, const struct disk_op *ops, size_t count)
{
    static _Thread_local bool accepted[EVENTS];
    static _Thread_local bool committed[EVENTS];
    struct waiting_events found = {0};
    memset(accepted, 0, sizeof accepted);
    memset(committed, 0, sizeof committed);
    for (size_t i = 0; i < count; i++)
        if (ops[i].call == DISK_MARK)
            *(ops[i].mark >= COMMITTED ? &committed[ops[i].mark - COMMITTED] : &accepted[ops[i].mark]) = true;
    if (ledger_each_pending(ledger, look_at, &found) != LEDGER_OK)
        return "a waiting event cannot be read";
    for (size_t i = 0; !found.wrong && i < EVENTS; i++)
        found.wrong = judge(ledger, i, found.pending[i], accepted[i], committed[i]);
    return found.wrong;
}

struct checker {
    pthread_t thread;
    const struct disk_op *ops;
    const struct cuts *cuts;
    size_t from;
    size_t until;
    size_t step;
    size_t failures;
    char dir[64];
};

static void check_cut(struct checker *checker, const struct disk_state *state, const struct cut *cut)
{
    char error[512] = "";
    if (!disk_state_make(state, checker->dir, cut->left, cut->part ? &checker->ops[cut->op] : NULL, cut->part))
        abort();
    struct ledger *ledger = ledger_open(checker->dir, &options, error, sizeof error);
    const char *wrong = ledger ? check_ledger(ledger, checker->ops, cut->op) : error;
    ledger_close(&ledger);
    if (wrong) {
        checker->failures++;
        print_message("cut after call %zu, left %d, part %zu: %s\n", cut->op, cut->left, cut->part, wrong);
    }
    if (nftw(checker->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
}

// Plays the record once, and stops at each of its cuts.
static void *check_some(void *arg)
{
    struct checker *checker = arg;
    struct disk_state *state = disk_state_new();
    size_t played = 0;
    for (size_t i = checker->from; i < checker->until; i += checker->step) {
        const struct cut *cut = &checker->cuts->items[i];
        for (; played < cut->op; played++)
            disk_state_apply(state, &checker->ops[played]);
        check_cut(checker, state, cut);
    }
    disk_state_free(&state);
    return NULL;
}

static const char *memory_folder(void)
{
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

static void everything_promised_survives_a_cut_anywhere(void **state)
{
    struct fixture f = {0};
    struct checker checkers[CHECKERS];
    size_t count = 0;
    size_t failures = 0;

    (void)state;
    strcpy(f.dir, "/tmp/deskbell-ledger-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    strcat(f.dir, "/db");
    f.arena = arena_new();
    disk_record(f.dir);
    for (size_t i = 0; i < SESSIONS; i++)
        work_session(&f, i);
    const struct disk_op *ops = disk_recorded(&count);

    struct cuts cuts = list_cuts(ops, count);
    size_t step = (cuts.count + wanted_cuts - 1) / wanted_cuts;
    int64_t begin = clock_mono_ms();
    for (size_t i = 0; i < CHECKERS; i++) {
        // Neighbouring slices, each with every step-th cut.
        checkers[i] = (struct checker){.ops = ops,
                                       .cuts = &cuts,
                                       .from = cuts.count * i / CHECKERS,
                                       .until = cuts.count * (i + 1) / CHECKERS,
                                       .step = step};
        snprintf(checkers[i].dir, sizeof checkers[i].dir, "%s/deskbell-cut-%ld-%zu", memory_folder(), (long)getpid(),
                 i);
        assert_int_equal(pthread_create(&checkers[i].thread, NULL, check_some, &checkers[i]), 0);
    }
    for (size_t i = 0; i < CHECKERS; i++) {
        pthread_join(checkers[i].thread, NULL);
        failures += checkers[i].failures;
    }
    print_message("%zu calls recorded, %zu possible cuts, every %zu. tried in %lld ms\n", count, cuts.count, step,
                  (long long)(clock_mono_ms() - begin));
    assert_true(cuts.count > 1000);
    assert_int_equal(failures, 0);
    free(cuts.items);
    disk_forget();
    tear_down(&f);
}

int main(int argc, char **argv)
{
    test_program = argv[0];
    if (argc == 2)
        wanted_cuts = strcmp(argv[1], "all") == 0 ? SIZE_MAX / 2 : strtoul(argv[1], NULL, 10);
    else
        wanted_cuts = rather(CUTS, 6);
    if (wanted_cuts == 0)
        return 2;
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_promised_survives_a_cut_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
