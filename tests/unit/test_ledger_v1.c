// SPDX-License-Identifier: Apache-2.0
// A ledger written by the first version of the format (tests/data/ledger-v1) is opened and gives back every record
// exactly; what later versions added is empty. Another format gets another folder and test, and this one stays.
#include "test_ledger.h"

#include <dirent.h>

#include "ledger_v1.h"

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    ssize_t size = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((size = read(in, buffer, sizeof buffer)) > 0)
        assert_int_equal(write(out, buffer, (size_t)size), size);
    assert_int_equal(size, 0);
    close(in);
    close(out);
}

static void set_up_copy(struct fixture *f)
{
    const char *source = TEST_DATA_DIR "/ledger-v1";
    *f = (struct fixture){.arena = arena_new()};
    strcpy(f->dir, "/tmp/deskbell-ledger-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    strcat(f->dir, "/db");
    assert_int_equal(mkdir(f->dir, 0700), 0);
    DIR *folder = opendir(source);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char from[512];
        char to[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(from, sizeof from, "%s/%s", source, entry->d_name);
        snprintf(to, sizeof to, "%s/%s", f->dir, entry->d_name);
        copy_file(from, to);
    }
    closedir(folder);
    test_now_ms = V1_NOW_MS;
    open_again(f);
}

// Equal in every field of today: both encode to the same bytes.
static void assert_same(enum record_kind kind, const void *got, const void *expected)
{
    struct record_buffer a;
    struct record_buffer b;
    assert_true(record_encode(kind, got, &a));
    assert_true(record_encode(kind, expected, &b));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    record_buffer_free(&a);
    record_buffer_free(&b);
}

// The bytes of `found` belong to the workers; they are read as a worker would.
static void assert_pending(const struct pending *got)
{
    struct arena *arena = arena_new();
    struct found found;
    struct found expected_found = v1_found();
    struct pending expected = v1_pending(got->found);
    assert_same(RECORD_pending, got, &expected);
    assert_int_equal(record_decode(RECORD_found, got->found.data, got->found.size, &found, arena), RECORD_OK);
    assert_same(RECORD_found, &found, &expected_found);
    arena_free(&arena);
}

static bool is_the_pending(void *arg, const struct pending *pending)
{
    assert_pending(pending);
    (*(int *)arg)++;
    return true;
}

static bool is_the_hint(void *arg, uint64_t ticket_id, const struct hint *hint)
{
    assert_int_equal(ticket_id, 42);
    assert_same(RECORD_hint, hint, &v1_hint);
    (*(int *)arg)++;
    return true;
}

static bool is_the_dead(void *arg, uint64_t seq, const struct dead *dead)
{
    assert_int_equal(seq, V1_SEQ + 9);
    assert_string_equal(dead->cause, "the helpdesk refused it");
    assert_int_equal(dead->time_ms, V1_NOW_MS - 500);
    assert_pending(&dead->pending);
    (*(int *)arg)++;
    return true;
}

static bool is_a_history(void *arg, const struct history *history)
{
    int *count = arg;
    struct history expected = v1_history((uint64_t)*count);
    assert_same(RECORD_history, history, &expected);
    (*count)++;
    return true;
}

static void assert_all(struct fixture *f)
{
    struct seen seen;
    struct lane lane;
    struct lane expected_lane = v1_lane();
    struct ticket ticket;
    struct pending pending;
    int pendings = 0;
    int hints = 0;
    int dead = 0;
    int histories = 0;

    assert_int_equal(ledger_seen(f->ledger, "freshchat:message:v1", &seen), LEDGER_OK);
    assert_int_equal(seen.outcome, SEEN_ACCEPTED);
    assert_int_equal(seen.time_ms, V1_NOW_MS - 4000);
    assert_int_equal(ledger_seen(f->ledger, "freshchat:message:ours", &seen), LEDGER_OK);
    assert_int_equal(seen.outcome, SEEN_OURS);
    assert_int_equal(seen.time_ms, V1_NOW_MS - 3000);
    assert_int_equal(ledger_lane(f->ledger, "conversation-v1", &lane, f->arena), LEDGER_OK);
    assert_same(RECORD_lane, &lane, &expected_lane);
    assert_int_equal(ledger_ticket(f->ledger, 41, &ticket, f->arena), LEDGER_OK);
    assert_same(RECORD_ticket, &ticket, &v1_ticket);
    assert_int_equal(ledger_pending(f->ledger, V1_SEQ, &pending, f->arena), LEDGER_OK);
    assert_pending(&pending);
    assert_int_equal(ledger_each_pending(f->ledger, is_the_pending, &pendings), LEDGER_OK);
    assert_int_equal(ledger_each_hint(f->ledger, is_the_hint, &hints), LEDGER_OK);
    assert_int_equal(ledger_each_dead(f->ledger, is_the_dead, &dead), LEDGER_OK);
    assert_int_equal(ledger_each_history(f->ledger, "conversation-v1", is_a_history, &histories), LEDGER_OK);
    assert_int_equal(pendings, 1);
    assert_int_equal(hints, 1);
    assert_int_equal(dead, 1);
    assert_int_equal(histories, 2);
}

static void opens_a_ledger_of_the_first_format(void **state)
{
    struct fixture f;

    (void)state;
    set_up_copy(&f);
    assert_int_equal(ledger_epoch(f.ledger), 2); // written by epoch 1
    assert_int_equal(ledger_restored_ms(f.ledger), 0);
    assert_all(&f);
    // Compacted by today's program, and again from tables and a later log.
    ledger_expire(f.ledger);
    assert_all(&f);
    open_again(&f);
    assert_all(&f);
    tear_down(&f);
}

static void writes_on_in_a_ledger_of_the_first_format(void **state)
{
    struct fixture f;
    struct lane lane;

    (void)state;
    set_up_copy(&f);
    assert_int_equal(ledger_lane(f.ledger, "conversation-v1", &lane, f.arena), LEDGER_OK);
    lane.ticket_id = 43;
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_lane(batch, &lane);
    ledger_delete_pending(batch, V1_SEQ);
    write_and_free(&f, &batch);
    open_again(&f);
    struct pending pending;
    assert_int_equal(ledger_lane(f.ledger, "conversation-v1", &lane, f.arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, 43);
    assert_int_equal(lane.chat_written.count, 3);
    assert_int_equal(ledger_pending(f.ledger, V1_SEQ, &pending, f.arena), LEDGER_ABSENT);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    (void)argc;
    test_program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_a_ledger_of_the_first_format),
        cmocka_unit_test(writes_on_in_a_ledger_of_the_first_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
