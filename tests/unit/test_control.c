// SPDX-License-Identifier: Apache-2.0
// The control socket: what it refuses, and what status, trace and pauses do to a running dispatcher.
#include "tests/unit/test_control.h"

#include "http-front/admin/metrics.h"

static void add_key(void *arg, dispatcher_key_fn *each, void *each_arg)
{
    assert_string_equal(arg, "keys");
    each(each_arg, "freshchat", "/etc/a.pem", 0);
    each(each_arg, "freshdesk", "/etc/b.token", 1234);
}

// A request must come as it is declared; whatever else comes is answered, counted, and changes nothing.
static void what_cannot_be_read_is_refused_and_counted(void **state)
{
    struct fixture *f = *state;
    bool ok = true;
    begin(f);
    uint64_t before = metrics_get(METRIC_FRAMES_BAD_REQUEST);
    static const char *const bytes[] = {"", "x", "\xdf\xff\xff\xff\xff", "{\"command\":\"status\"}"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        json_t *answer = ask_bytes(f, bytes[i], strlen(bytes[i]), &ok);
        assert_false(ok);
        assert_true(strlen(text_at(answer, "error")) > 10);
        json_decref(answer);
    }
    // Another record, and a whole request that more follows.
    struct record_buffer buffer;
    assert_true(record_encode(RECORD_ack, &(struct ack){0}, &buffer));
    json_decref(ask_bytes(f, buffer.data, buffer.size, &ok));
    assert_false(ok);
    record_buffer_free(&buffer);
    assert_true(record_encode(RECORD_control_request, &(struct control_request){.command = "status"}, &buffer));
    zframe_t *frames[] = {zframe_new(buffer.data, buffer.size), zframe_new("x", 1), NULL};
    json_decref(ask_frames(f, frames, &ok));
    assert_false(ok);
    // A later version says that it is one.
    buffer.data[2]++;
    json_t *answer = ask_bytes(f, buffer.data, buffer.size, &ok);
    assert_false(ok);
    assert_non_null(strstr(text_at(answer, "error"), "newer"));
    json_decref(answer);
    record_buffer_free(&buffer);
    assert_int_equal(metrics_get(METRIC_FRAMES_BAD_REQUEST) - before, 7);
    done(f, "status");
}

static void what_is_asked_wrongly_is_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    begin(f);
    refused(f, "reboot");
    refused(f, "");
    refused(f, "status", "more");
    refused(f, "trace");
    refused(f, "trace", "");
    refused(f, "trace", "c1");
    refused(f, "trace", "42");
    refused(f, "trace", "18446744073709551616");
    refused(f, "pause", "up");
    refused(f, "dead-show", "-1");
    refused(f, "dead-show", "1");
    refused(f, "dead-retry", "seq", "1", "", "0");
    refused(f, "dead-retry", "cause", "", "", "0");
    refused(f, "dead-retry", "most", "", "", "0");
    refused(f, "dead-retry", "all", "", "wet-run", "0");
    refused(f, "dead-retry", "all", "", "", "x");
    refused(f, "backup", "relative/folder");
    refused(f, "backup-last");
    char large[4097];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    large[4096] = '\0';
    refused(f, "trace", large);
    done(f, "status");
}

static const json_t *direction(const json_t *status, int side)
{
    return json_array_get(json_object_get(status, "directions"), (size_t)side);
}

static void a_paused_direction_holds_its_lanes_over_restarts(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    struct job job;
    knows(f, (struct lane){.conversation = "c1", .user = "u", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    json_t *answer = asks(f, "pause", "chat-to-desk");
    assert_true(yes_at(answer, "changed"));
    json_decref(answer);
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m1");
    hints(f, 42);
    expect_job(f, STEP_LIST_ENTRIES, &by); // the other direction goes on
    assert_false(next_job(f, 300, STEP_NONE, &job, &by));
    json_t *status = asks(f, "status");
    assert_true(yes_at(direction(status, SIDE_DESK), "paused"));
    assert_false(yes_at(direction(status, SIDE_CHAT), "paused"));
    assert_int_equal(number_at(direction(status, SIDE_DESK), "waiting"), 1);
    json_decref(status);

    end(f);
    begin(f);
    worker(f, 1, 8);
    roster(f);
    expect_job(f, STEP_LIST_ENTRIES, &by); // the hint of before
    assert_false(next_job(f, 300, STEP_NONE, &job, &by));
    done(f, "resume", "chat-to-desk");
    job = expect_job(f, STEP_APPEND_NOTE, &by);
    assert_string_equal(job.lane.conversation, "c1");
    // Resumed for good.
    end(f);
    begin(f);
    status = asks(f, "status");
    assert_false(yes_at(direction(status, SIDE_DESK), "paused"));
    json_decref(status);
}

static void a_restored_ledger_begins_paused_until_both_directions_are_resumed(void **state)
{
    struct fixture *f = *state;
    char dir[96], why[512] = "";
    snprintf(dir, sizeof dir, "%s/copy", f->folder);
    assert_true(ledger_backup(f->ledger, dir, why, sizeof why));
    ledger_close(&f->ledger);
    snprintf(why, sizeof why, "%s/ledger", f->folder);
    assert_int_equal(nftw(why, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(rename(dir, why), 0);
    for (int turn = 0; turn < 3; turn++) {
        begin(f);
        json_t *status = asks(f, "status");
        bool paused = turn < 2;
        assert_int_equal(yes_at(direction(status, SIDE_DESK), "paused"), paused);
        assert_int_equal(yes_at(direction(status, SIDE_CHAT), "paused"), paused);
        assert_true(number_at(status, "restored_ms") > 0); // until everything said before it is settled
        json_decref(status);
        if (turn == 0) {
            done(f, "resume", "desk-to-chat"); // half a word is none
        } else if (turn == 1) {
            done(f, "resume", "desk-to-chat");
            done(f, "resume", "chat-to-desk");
        }
        end(f);
    }
    f->dispatcher = NULL;
}

static void trace_tells_what_waits_and_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct written entry = {"77", 1000};
    knows(f, (struct lane){.conversation = "c1",
                           .user = "u",
                           .ticket_id = 42,
                           .context = {.name = "Ada Lovelace", .email = "ada@example.org", .phone = "+4930123"},
                           .delivered = {&entry, 1},
                           .updated_ms = wall()});
    begin(f);
    done(f, "pause", "chat-to-desk");
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m1");
    json_t *answer = NULL;
    for (int64_t until = clock_mono_ms() + PATIENCE_MS;;) { // its mail is on the way to the dispatcher
        answer = asks(f, "trace", "42");
        if (json_array_size(json_object_get(answer, "waiting")) == 1)
            break;
        json_decref(answer);
        assert_true(clock_mono_ms() < until);
    }
    const json_t *item = json_array_get(json_object_get(answer, "waiting"), 0);
    assert_string_equal(text_at(item, "kind"), "customer message");
    assert_string_equal(text_at(item, "direction"), "chat-to-desk");
    assert_string_equal(text_at(answer, "conversation"), "c1");
    assert_string_equal(text_at(json_array_get(json_object_get(answer, "relayed_entries"), 0), "id"), "77");
    char *text = json_dumps(answer, 0);
    assert_null(strstr(text, "Ada"));
    assert_null(strstr(text, "ada@"));
    assert_null(strstr(text, "4930123"));
    free(text);
    json_decref(answer);
}

static void keys_are_told_as_the_front_knows_them(void **state)
{
    struct fixture *f = *state;
    char why[512];
    assert_int_equal(mkdir(strcat(strcpy(f->runtime, f->folder), "/run"), 0700), 0);
    f->config.runtime_dir = f->runtime;
    f->mailbox = mailbox_new();
    f->committer = committer_new(f->ledger, f->mailbox, &(struct committer_options){.now_ms = wall});
    assert_int_equal(pipe2(f->control, O_CLOEXEC | O_NONBLOCK), 0);
    struct dispatcher_options options = {.config = &f->config,
                                         .ledger = f->ledger,
                                         .committer = f->committer,
                                         .mailbox = f->mailbox,
                                         .control_fd = f->control[0],
                                         .status_fd = -1,
                                         .leave = leaves,
                                         .leave_arg = f,
                                         .each_key = add_key,
                                         .keys_arg = "keys"};
    f->dispatcher = dispatcher_new(&options, why, sizeof why);
    assert_non_null(f->dispatcher);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f->dispatcher), 0);
    json_t *answer = asks(f, "keys");
    const json_t *keys = json_object_get(answer, "keys");
    assert_int_equal(json_array_size(keys), 2);
    assert_true(json_is_null(json_object_get(json_array_get(keys, 0), "last_used_ms")));
    assert_int_equal(number_at(json_array_get(keys, 1), "last_used_ms"), 1234);
    assert_string_equal(text_at(json_array_get(keys, 1), "name"), "/etc/b.token");
    json_decref(answer);
}

int main(void)
{
    zsys_init();
    zsys_handler_set(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_refused_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_asked_wrongly_is_refused_with_a_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_paused_direction_holds_its_lanes_over_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restored_ledger_begins_paused_until_both_directions_are_resumed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(trace_tells_what_waits_and_what_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_told_as_the_front_knows_them, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
