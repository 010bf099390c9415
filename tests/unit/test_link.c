// SPDX-License-Identifier: Apache-2.0
// The worker's loop and link with real sockets in a folder of the test's own. The test plays the front and the
// supervisor; the loop runs in a thread with steps made for the test, and calls a raw HTTP server.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <czmq.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/records.h"
#include "tests/unit/http_stub.h"
#include "workers/loop.h"
#include "workers/observe.h"

enum { PATIENCE_MS = 10000, WORKER = 77, FRONT = 5 };

struct fixture {
    char folder[64];
    char api_url[64];
    struct config config;
    struct keys *keys;
    struct stub *stub;
    struct loop *loop;
    pthread_t thread;
    bool joined;
    int exit_code;
    int status[2];  // [0] ours
    int control[2]; // [1] ours
    struct pipes_reader reader;
    zsock_t *push; // to the worker
    zsock_t *pull; // from it
    bool observe;  // said in each job
    uint64_t sequence;
    struct arena *arena; // of the last frame
};

// ---- steps of the test ----------------------------------------------------------------------------------------------

static enum step_choice begin_without_call(struct job_context *context, struct request *request, struct report *report)
{
    (void)request;
    report->outcome = OUTCOME_DONE;
    report->next_step = STEP_LOOK_NOTE;
    context->found.page = context->found.page + 1;
    return STEP_ANSWER;
}

static enum step_choice begin_post(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    *request = (struct request){.upstream = UPSTREAM_FRESHDESK,
                                .method = "POST",
                                .path = arena_printf(context->arena, "/%s", context->job->events.items[0].message),
                                .body = "{}"};
    return STEP_CALL;
}

static enum step_choice begin_read(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    *request = (struct request){.upstream = UPSTREAM_FRESHCHAT,
                                .method = "GET",
                                .path = arena_printf(context->arena, "/%s", context->job->events.items[0].message)};
    return STEP_CALL;
}

static void finish_call(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    report->outcome = OUTCOME_DONE;
    report->ticket_id = (uint64_t)json_integer_value(json_object_get(response->json, "id"));
    report->what = "ticket opened";
    if (strcmp(context->job->events.items[0].message, "bad-report") == 0)
        report->what = "\xff\xfe"; // a bug of a step: the front could not decode it
    if (strcmp(context->job->events.items[0].message, "clock") == 0)
        report->mark_ms = context->clock_known[UPSTREAM_FRESHDESK];
}

static const struct step_code *find_step(uint64_t step)
{
    static const struct step_code plain = {STEP_APPEND_NOTE, begin_without_call, NULL};
    static const struct step_code post = {STEP_CREATE_TICKET, begin_post, finish_call};
    static const struct step_code read = {STEP_READ_CUSTOMER, begin_read, finish_call};
    return step == STEP_APPEND_NOTE     ? &plain
           : step == STEP_CREATE_TICKET ? &post
           : step == STEP_READ_CUSTOMER ? &read
                                        : NULL;
}

static void answer(void *context, const struct stub_request *request, struct stub_reply *reply)
{
    (void)context;
    if (strstr(request->line, "/die"))
        reply->close = true;
    else if (!strstr(request->line, "/silent"))
        stub_reply_with(reply, "201 Created", "Date: Sun, 22 Nov 2026 08:00:00 GMT\r\nX-RateLimit-Remaining: 12\r\n",
                        "{\"id\":42}");
}

// ---- the other two processes ----------------------------------------------------------------------------------------

static void *run_loop(void *context)
{
    struct fixture *f = context;
    f->exit_code = loop_run(f->loop);
    return NULL;
}

static void send_record(struct fixture *f, enum record_kind kind, const void *record)
{
    struct record_buffer frame;
    assert_true(record_encode(kind, record, &frame));
    zmq_send(zsock_resolve(f->push), frame.data, frame.size, 0);
    record_buffer_free(&frame);
}

static void say_hello(struct fixture *f, uint64_t front)
{
    f->sequence = 1;
    send_record(f, RECORD_hello,
                &(struct hello){.front_generation = front, .worker_generation = WORKER, .link_seq = f->sequence});
}

static void send_job(struct fixture *f, uint64_t front, uint64_t job_id, enum step step, const char *message)
{
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE, .key = "k", .conversation = "c1", .message = message};
    struct job job = {.front_generation = front,
                      .worker_generation = WORKER,
                      .link_seq = ++f->sequence,
                      .job_id = job_id,
                      .step = step,
                      .events = {&event, 1},
                      .observe = f->observe};
    send_record(f, RECORD_job, &job);
}

static void send_ack(struct fixture *f, uint64_t front, uint64_t job_id)
{
    send_record(
        f, RECORD_ack,
        &(struct ack){
            .front_generation = front, .worker_generation = WORKER, .link_seq = ++f->sequence, .job_id = job_id});
}

// The next frame of that kind; others are thrown away. Fails the test when none comes.
static void next_record(struct fixture *f, enum record_kind kind, void *record)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    for (bool got = false; !got;) {
        zmq_pollitem_t item = {.socket = zsock_resolve(f->pull), .events = ZMQ_POLLIN};
        assert_true(clock_mono_ms() < until_ms);
        if (zmq_poll(&item, 1, 200) <= 0)
            continue;
        zmq_msg_t message;
        zmq_msg_init(&message);
        zmq_msg_recv(&message, item.socket, 0);
        enum record_kind came = record_peek(zmq_msg_data(&message), zmq_msg_size(&message));
        assert_true(came == RECORD_report || came == RECORD_census);
        arena_reset(f->arena);
        got = came == kind;
        if (got)
            assert_int_equal(record_decode(kind, zmq_msg_data(&message), zmq_msg_size(&message), record, f->arena),
                             RECORD_OK);
        zmq_msg_close(&message);
    }
}

static struct report next_report(struct fixture *f)
{
    struct report report;
    next_record(f, RECORD_report, &report);
    assert_int_equal(report.slot, 3);
    assert_int_equal(report.worker_generation, WORKER);
    return report;
}

// Waits for a census of that front whose highest sequence is `sequence`.
static struct census census_at(struct fixture *f, uint64_t front, uint64_t sequence)
{
    struct census census;
    do
        next_record(f, RECORD_census, &census);
    while (census.front_generation != front || census.link_seq < sequence);
    assert_int_equal(census.link_seq, sequence);
    assert_int_equal(census.worker_generation, WORKER);
    return census;
}

static enum pipes_status_kind next_status(struct fixture *f)
{
    struct pipes_status status;
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    enum pipes_result result = PIPES_NOTHING;
    while (result == PIPES_NOTHING) {
        struct pollfd item = {f->status[0], POLLIN, 0};
        assert_true(clock_mono_ms() < until_ms);
        poll(&item, 1, 200);
        result = pipes_read_status(&f->reader, f->status[0], &status);
    }
    assert_int_equal(result, PIPES_RECORD);
    return status.kind;
}

static void open_front(struct fixture *f)
{
    char endpoint[PIPES_ENDPOINT_BYTES];
    f->pull = zsock_new(ZMQ_PULL);
    f->push = zsock_new(ZMQ_PUSH);
    assert_true(pipes_front_endpoint(f->folder, endpoint));
    assert_true(zsock_bind(f->pull, "%s", endpoint) >= 0);
    assert_true(pipes_worker_endpoint(f->folder, 3, WORKER, endpoint));
    assert_int_equal(zsock_connect(f->push, "%s", endpoint), 0);
}

static void close_front(struct fixture *f)
{
    zsock_destroy(&f->push);
    zsock_destroy(&f->pull);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char why[300] = "";
    strcpy(f->folder, "/tmp/deskbell-link-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->stub = stub_new(answer, NULL);
    snprintf(f->api_url, sizeof f->api_url, "http://127.0.0.1:%d", stub_port(f->stub));
    f->config.runtime_dir = f->folder;
    f->config.freshchat.api_url = f->config.freshdesk.api_url = f->api_url;
    f->config.freshchat.proxy = f->config.freshdesk.proxy = (char *)"";
    f->config.freshchat.ca_file = f->config.freshdesk.ca_file = (char *)"";
    f->config.workers.in_flight = 2;
    f->config.timing.connect_timeout_ms = 2000;
    f->config.timing.request_timeout_ms = 60000;
    f->config.timing.context_wait_ms = 150;
    f->config.timing.stop_seconds = 30;
    f->keys = keys_new("chat", "desk", NULL);
    f->arena = arena_new();
    assert_int_equal(pipe2(f->status, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(pipe2(f->control, O_NONBLOCK | O_CLOEXEC), 0);
    struct loop_settings settings = {.config = &f->config,
                                     .keys = f->keys,
                                     .identity = {3, WORKER},
                                     .status_fd = f->status[1],
                                     .control_fd = f->control[0],
                                     .signal_fd = -1,
                                     .find_step = find_step};
    f->loop = loop_new(&settings, why, sizeof why);
    assert_string_equal(why, "");
    assert_non_null(f->loop);
    open_front(f);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f), 0);
    assert_int_equal(next_status(f), PIPES_STATUS_READY);
    *state = f;
    return 0;
}

static void join_loop(struct fixture *f)
{
    if (!f->joined)
        pthread_join(f->thread, NULL);
    f->joined = true;
    assert_int_equal(f->exit_code, PIPES_EXIT_ASKED);
}

// Ends the loop as a dead supervisor would, unless the test has ended it.
static int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->control[1] >= 0)
        close(f->control[1]);
    join_loop(f);
    loop_free(&f->loop);
    close_front(f);
    stub_free(&f->stub);
    keys_free(&f->keys);
    arena_free(&f->arena);
    close(f->control[0]);
    close(f->status[0]);
    close(f->status[1]);
    char endpoint[PIPES_ENDPOINT_BYTES];
    assert_true(pipes_front_endpoint(f->folder, endpoint));
    unlink(endpoint + strlen("ipc://"));
    rmdir(f->folder); // empty: the worker has removed its endpoint
    assert_int_not_equal(access(f->folder, F_OK), 0);
    free(f);
    return 0;
}

// ---- tests ----------------------------------------------------------------------------------------------------------

static void hello_is_answered_with_a_census_at_once(void **state)
{
    struct fixture *f = *state;
    int64_t began_ms = clock_mono_ms();
    say_hello(f, FRONT);
    struct census census = census_at(f, FRONT, 1);
    assert_in_range(clock_mono_ms() - began_ms, 0, 900);
    assert_int_equal(census.slot, 3);
    assert_int_equal(census.jobs.count, 0);
    assert_int_equal(next_status(f), PIPES_STATUS_BEAT);
    census_at(f, FRONT, 1); // and then every second
}

static void job_is_reported_until_it_is_acked(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    struct report report = next_report(f);
    int64_t first_ms = clock_mono_ms();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(report.job_id, 900);
        assert_int_equal(report.step, STEP_CREATE_TICKET);
        assert_int_equal(report.outcome, OUTCOME_DONE);
        assert_int_equal(report.next_step, STEP_NONE);
        assert_int_equal(report.ticket_id, 42);
        assert_int_equal(report.upstream, UPSTREAM_FRESHDESK);
        assert_int_equal(report.http_status, 201);
        assert_true(report.sent);
        assert_true(report.rate_known);
        assert_int_equal(report.rate_remaining, 12);
        assert_int_equal(report.date_ms, 1795334400000);
        assert_string_equal(report.what, "ticket opened");
        report = next_report(f); // not acked: the same again
    }
    assert_in_range(clock_mono_ms() - first_ms, 1900, 6000);
    struct census census = census_at(f, FRONT, 2);
    assert_int_equal(census.jobs.count, 1);
    assert_int_equal(census.jobs.items[0], 900);
    send_ack(f, FRONT, 900);
    census = census_at(f, FRONT, 3);
    assert_int_equal(census.jobs.count, 0);
    assert_int_equal(stub_requests(f->stub, "POST /tickets"), 1);
}

static void job_that_is_held_is_not_done_twice(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    next_report(f);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    send_job(f, FRONT, 901, STEP_CREATE_TICKET, "silent");
    send_job(f, FRONT, 901, STEP_CREATE_TICKET, "silent");
    struct census census = census_at(f, FRONT, 5);
    assert_int_equal(census.jobs.count, 2);
    assert_int_equal(stub_requests(f->stub, "POST"), 2);
    send_ack(f, FRONT, 901); // of a job that was never reported: it stays
    census = census_at(f, FRONT, 6);
    assert_int_equal(census.jobs.count, 2);
}

static void step_without_call_carries_what_was_found(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_APPEND_NOTE, "");
    struct report report = next_report(f);
    struct found found;
    assert_int_equal(report.outcome, OUTCOME_DONE);
    assert_int_equal(report.next_step, STEP_LOOK_NOTE);
    assert_int_equal(report.http_status, 0);
    assert_false(report.sent);
    assert_int_equal(record_decode(RECORD_found, report.found.data, report.found.size, &found, f->arena), RECORD_OK);
    assert_int_equal(found.page, 1);
    assert_string_equal(found.context.name, "");
}

static void jobs_beyond_in_flight_wait_their_turn(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    census_at(f, FRONT, 1); // it is connected: what could not be sent at first would come later, in another order
    send_job(f, FRONT, 1, STEP_CREATE_TICKET, "silent");
    send_job(f, FRONT, 2, STEP_CREATE_TICKET, "first");
    for (uint64_t id = 3; id <= 20; id++)
        send_job(f, FRONT, id, STEP_CREATE_TICKET, "later");
    for (uint64_t id = 2; id <= 20; id++) { // one place is taken by the silent call, so the rest go one by one
        struct report report = next_report(f);
        while (report.job_id < id) // sent again meanwhile
            report = next_report(f);
        assert_int_equal(report.job_id, id);
    }
    struct census census = census_at(f, FRONT, 21);
    assert_int_equal(census.jobs.count, 20);
}

static void impatient_step_ends_in_time(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    int64_t began_ms = clock_mono_ms();
    send_job(f, FRONT, 900, STEP_READ_CUSTOMER, "silent");
    struct report report = next_report(f);
    assert_in_range(clock_mono_ms() - began_ms, 100, 2000);
    assert_int_equal(report.outcome, OUTCOME_RETRY);
    assert_true(report.sent);
    assert_true(report.cut_short);
    // its event is older than the patience already: no call is made
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE, .message = "other"};
    send_record(f, RECORD_job,
                &(struct job){.front_generation = FRONT,
                              .worker_generation = WORKER,
                              .link_seq = ++f->sequence,
                              .job_id = 901,
                              .step = STEP_READ_CUSTOMER,
                              .age_ms = 150,
                              .events = {&event, 1}});
    do
        report = next_report(f);
    while (report.job_id != 901);
    assert_int_equal(report.outcome, OUTCOME_RETRY);
    assert_false(report.sent);
    assert_true(report.cut_short);
    assert_int_equal(stub_requests(f->stub, "GET /other"), 0);
}

static void lost_answer_of_a_write_is_doubt(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "die");
    struct report report = next_report(f);
    assert_int_equal(report.outcome, OUTCOME_DOUBT);
    assert_true(report.sent);
    assert_int_equal(report.http_status, 0);
    assert_non_null(strstr(report.cause, "Freshdesk gave no complete answer"));
}

static void clocks_are_learnt(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "first");
    next_report(f);
    send_ack(f, FRONT, 900);
    send_job(f, FRONT, 901, STEP_CREATE_TICKET, "clock");
    struct report report = next_report(f);
    while (report.job_id != 901)
        report = next_report(f);
    assert_int_equal(report.mark_ms, 1);
}

static void impossible_jobs_and_reports_are_refused_in_words(void **state)
{
    struct fixture *f = *state;
    struct event event = {.message = "x"};
    say_hello(f, FRONT);
    send_job(f, FRONT, 1, (enum step)200, "x");
    struct report report = next_report(f);
    assert_int_equal(report.outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(report.cause, "does not know the step"));
    send_ack(f, FRONT, 1);
    send_record(f, RECORD_job,
                &(struct job){.front_generation = FRONT,
                              .worker_generation = WORKER,
                              .link_seq = ++f->sequence,
                              .job_id = 2,
                              .step = STEP_CREATE_TICKET,
                              .events = {&event, 1},
                              .found = {(const uint8_t *)"junk", 4}});
    do
        report = next_report(f);
    while (report.job_id != 2);
    assert_int_equal(report.outcome, OUTCOME_REFUSED);
    send_ack(f, FRONT, 2);
    send_record(f, RECORD_job,
                &(struct job){.front_generation = FRONT,
                              .worker_generation = WORKER,
                              .link_seq = ++f->sequence,
                              .job_id = 3,
                              .step = STEP_CREATE_TICKET});
    do
        report = next_report(f);
    while (report.job_id != 3);
    assert_int_equal(report.outcome, OUTCOME_REFUSED);
    send_ack(f, FRONT, 3);
    assert_int_equal(stub_requests(f->stub, "POST"), 0);
    send_job(f, FRONT, 4, STEP_CREATE_TICKET, "bad-report");
    do
        report = next_report(f);
    while (report.job_id != 4);
    assert_int_equal(report.outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(report.cause, "a bug in Deskbell"));
    assert_int_equal(report.ticket_id, 42); // what exists there is not forgotten
}

static void send_bytes(struct fixture *f, const char *bytes, size_t size, int flags)
{
    assert_int_equal(zmq_send(zsock_resolve(f->push), bytes, size, flags), (int)size);
}

static void frames_that_are_not_for_this_worker_are_refused(void **state)
{
    struct fixture *f = *state;
    struct event event = {.message = "x"};
    struct job job = {.front_generation = FRONT,
                      .worker_generation = WORKER,
                      .link_seq = 1,
                      .job_id = 1,
                      .step = STEP_CREATE_TICKET,
                      .events = {&event, 1}};
    send_record(f, RECORD_job, &job); // no hello yet
    say_hello(f, FRONT);
    census_at(f, FRONT, 1);
    job.link_seq = 1; // not above the last
    send_record(f, RECORD_job, &job);
    job.link_seq = 2;
    job.worker_generation = WORKER - 1;
    send_record(f, RECORD_job, &job);
    job.worker_generation = WORKER + 1;
    send_record(f, RECORD_job, &job);
    job.worker_generation = WORKER;
    job.front_generation = FRONT - 1;
    send_record(f, RECORD_job, &job);
    job.front_generation = FRONT + 1; // it would have said hello
    send_record(f, RECORD_job, &job);
    send_record(f, RECORD_hello,
                &(struct hello){.front_generation = FRONT - 1, .worker_generation = WORKER, .link_seq = 100});
    send_bytes(f, "\x01\x02", 2, 0);
    send_bytes(f, "", 0, 0);
    send_bytes(f, "a", 1, ZMQ_SNDMORE);
    send_bytes(f, "b", 1, 0);
    send_record(f, RECORD_census, &(struct census){.worker_generation = WORKER}); // no frame for a worker
    f->sequence = 9;
    send_job(f, FRONT, 5, STEP_CREATE_TICKET, "tickets"); // after all that, a good one
    struct report report = next_report(f);
    assert_int_equal(report.job_id, 5);
    struct census census = census_at(f, FRONT, 10);
    assert_int_equal(census.jobs.count, 1);
    assert_int_equal(stub_requests(f->stub, "POST"), 1);
}

static void new_front_is_told_at_once_what_is_held(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    send_job(f, FRONT, 901, STEP_CREATE_TICKET, "silent");
    next_report(f);
    close_front(f);
    open_front(f);
    say_hello(f, FRONT + 1);
    struct census census = census_at(f, FRONT + 1, 1);
    assert_int_equal(census.jobs.count, 2);
    struct report report = next_report(f);
    assert_int_equal(report.job_id, 900);
    send_ack(f, FRONT, 900); // of the earlier front: refused
    send_ack(f, FRONT + 1, 900);
    census = census_at(f, FRONT + 1, 3);
    assert_int_equal(census.jobs.count, 1);
    assert_int_equal(census.jobs.items[0], 901);
}

static void asked_to_stop_it_finishes_and_says_drained(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    next_report(f);
    assert_true(pipes_write_control(f->control[1], PIPES_CONTROL_STOP, 0, 0, 0));
    next_report(f); // still there, still telling
    send_ack(f, FRONT, 900);
    enum pipes_status_kind kind = PIPES_STATUS_BEAT;
    while (kind == PIPES_STATUS_BEAT)
        kind = next_status(f);
    assert_int_equal(kind, PIPES_STATUS_DRAINED);
    join_loop(f);
}

static void asked_twice_it_leaves_with_work_undone(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "silent");
    census_at(f, FRONT, 2);
    int64_t began_ms = clock_mono_ms();
    assert_true(pipes_write_control(f->control[1], PIPES_CONTROL_STOP, 0, 0, 0));
    assert_true(pipes_write_control(f->control[1], PIPES_CONTROL_STOP, 0, 0, 0));
    join_loop(f);
    assert_in_range(clock_mono_ms() - began_ms, 0, 5000);
}

static void a_job_to_observe_is_observed_by_a_live_worker(void **state)
{
    struct fixture *f = *state;
    say_hello(f, FRONT);
    f->observe = true;
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    struct report report = next_report(f);
    assert_int_equal(report.outcome, OUTCOME_DONE);
    assert_true(report.observed);
    assert_int_equal(stub_requests(f->stub, ""), 0);
}

static void observed_fields_are_names_and_numbers(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_string_equal(observe_fields(arena, NULL), "");
    assert_string_equal(observe_fields(arena, "no JSON"), "");
    assert_string_equal(observe_fields(arena,
                                       "{\"name\":\"Ada\",\"status\":2,\"tags\":[\"x\"],\"custom_fields\":{\"cf_a\":"
                                       "7,\"cf_b\":\"secret\"}}"),
                        "name,status=2,tags,custom_fields.cf_a,custom_fields.cf_b");
    arena_free(&arena);
}

static void observe_mode_writes_nothing(void **state)
{
    struct fixture *f = *state;
    f->config.mode = CONFIG_MODE_OBSERVE; // read by the loop after the next frame only
    say_hello(f, FRONT);
    send_job(f, FRONT, 900, STEP_CREATE_TICKET, "tickets");
    struct report report = next_report(f);
    assert_int_equal(report.outcome, OUTCOME_DONE);
    assert_int_equal(report.next_step, STEP_NONE);
    assert_false(report.sent);
    assert_true(report.observed);
    assert_int_equal(stub_requests(f->stub, ""), 0);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(hello_is_answered_with_a_census_at_once),
        WITH_LOOP(job_is_reported_until_it_is_acked),
        WITH_LOOP(job_that_is_held_is_not_done_twice),
        WITH_LOOP(step_without_call_carries_what_was_found),
        WITH_LOOP(jobs_beyond_in_flight_wait_their_turn),
        WITH_LOOP(impatient_step_ends_in_time),
        WITH_LOOP(lost_answer_of_a_write_is_doubt),
        WITH_LOOP(clocks_are_learnt),
        WITH_LOOP(impossible_jobs_and_reports_are_refused_in_words),
        WITH_LOOP(frames_that_are_not_for_this_worker_are_refused),
        WITH_LOOP(new_front_is_told_at_once_what_is_held),
        WITH_LOOP(asked_to_stop_it_finishes_and_says_drained),
        WITH_LOOP(asked_twice_it_leaves_with_work_undone),
        WITH_LOOP(observe_mode_writes_nothing),
        WITH_LOOP(a_job_to_observe_is_observed_by_a_live_worker),
        cmocka_unit_test(observed_fields_are_names_and_numbers),
    };
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
