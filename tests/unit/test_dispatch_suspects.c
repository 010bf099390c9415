// SPDX-License-Identifier: Apache-2.0
// Jobs whose worker died run alone: what that asks of the workers that are left, and what it must not cost.
#include "http-front/dispatch/links.h"
#include "tests/unit/test_dispatch.h"

enum { IN_FLIGHT = 4, FRONT = 5 };

static struct link *answered(struct links *links, uint32_t slot, uint64_t generation)
{
    struct census census = {.slot = slot, .worker_generation = generation, .front_generation = FRONT};
    links_roster_add(links, slot, generation, 1, false);
    struct link *link = links_census(links, &census, 1);
    assert_non_null(link);
    return link;
}

static void one_worker_at_a_time_is_kept_free_for_a_suspect(void **state)
{
    struct fixture *f = *state;
    struct links *links = links_new(f->folder, FRONT, IN_FLIGHT);
    struct link *a = answered(links, 1, 7);
    struct link *b = answered(links, 2, 8);
    a->jobs = 3;
    b->jobs = 2;
    assert_null(links_pick(links, true));
    assert_true(b->reserved);
    assert_ptr_equal(links_pick(links, false), a);
    a->jobs = 1; // it was quicker, but b is being emptied already
    assert_null(links_pick(links, true));
    assert_false(a->reserved && b->reserved);
    assert_non_null(links_pick(links, false));
    a->jobs = 0; // who is empty first gets it, and then nobody needs to be kept free
    assert_ptr_equal(links_pick(links, true), a);
    assert_false(a->reserved || b->reserved);
    a->jobs = b->jobs = 0;
    links_free(&links);
}

// While a worker is kept free, a suspect may be settled without it. The worker must get work again.
static void a_worker_kept_free_in_vain_works_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    knows(f, (struct lane){.conversation = "d", .ticket_id = 43, .updated_ms = 1});
    knows(f, (struct lane){.conversation = "e", .ticket_id = 44, .updated_ms = 1});
    begin(f);
    worker(f, 1, 7);
    worker(f, 2, 8);
    roster(f);
    answer_first_polls(f);
    struct worker *first, *second;
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job suspect = expect_job(f, STEP_APPEND_NOTE, &first);
    says(f, EVENT_CUSTOMER_MESSAGE, "d", "m2");
    struct job busy = expect_job(f, STEP_APPEND_NOTE, &second);
    assert_ptr_not_equal(first, second);
    reaped(first); // the look for what it wrote has to wait until the second worker is empty
    struct job none;
    assert_false(next_job(f, 300, STEP_NONE, &none, &w));
    struct written wrote = {.id = "77", .time_ms = wall()};
    send_report(first, &suspect, (struct report){.outcome = OUTCOME_DONE, .desk_written = {&wrote, 1}});
    assert_false(next_job(f, 100, STEP_NONE, &none, &w)); // now nobody waits for it any more
    send_report(second, &busy, (struct report){.outcome = OUTCOME_DONE});
    await_ack(second, busy.job_id);
    says(f, EVENT_CUSTOMER_MESSAGE, "e", "m3");
    struct job next = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_string_equal(next.lane.conversation, "e");
}

// A suspect that waits for an empty worker gets the first one that is, however much else waits.
static void a_suspect_is_not_overtaken_for_ever(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    char id[16];
    f->config.workers.in_flight = 1;
    for (uint64_t i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "c%d", (int)i);
        knows(f, (struct lane){.conversation = id, .ticket_id = 42 + i, .updated_ms = 1});
    }
    begin(f);
    worker(f, 1, 7);
    worker(f, 2, 8);
    roster(f);
    answer_first_polls(f);
    struct worker *first, *second;
    says(f, EVENT_CUSTOMER_MESSAGE, "c0", "m0");
    expect_job(f, STEP_APPEND_NOTE, &first);
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m1");
    struct job busy = expect_job(f, STEP_APPEND_NOTE, &second);
    assert_ptr_not_equal(first, second);
    reaped(first);
    for (int i = 2; i < 6; i++) {
        char key[16];
        snprintf(id, sizeof id, "c%d", i);
        snprintf(key, sizeof key, "m%d", i);
        says(f, EVENT_CUSTOMER_MESSAGE, id, key);
    }
    bool looked = false;
    for (int i = 0; i < 6; i++) { // six notes and the look
        send_report(second, &busy, (struct report){.outcome = OUTCOME_DONE});
        assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &busy, &w));
        looked |= busy.step == STEP_LOOK_NOTE;
        if (looked)
            break;
    }
    assert_true(looked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_worker_at_a_time_is_kept_free_for_a_suspect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_kept_free_in_vain_works_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_suspect_is_not_overtaken_for_ever, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
