// SPDX-License-Identifier: Apache-2.0
// The table of held jobs, and the agents cache beside it: order, bounds, look-ups, what is freed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "workers/agents.h"
#include "workers/held.h"

static struct held_job *add(struct held *held, uint64_t job_id)
{
    struct arena *arena = arena_new();
    struct held_job *job = held_add(held, job_id, arena);
    if (!job)
        arena_free(&arena);
    return job;
}

static void jobs_keep_their_order_in_each_state(void **state)
{
    (void)state;
    struct held *held = held_new();
    for (uint64_t id = 1; id <= 5; id++)
        assert_non_null(add(held, id));
    held_move(held, held_find(held, 3), HELD_IN_FLIGHT);
    held_move(held, held_find(held, 1), HELD_IN_FLIGHT);
    held_move(held, held_find(held, 5), HELD_REPORTED);
    assert_int_equal(held_count(held, HELD_QUEUED), 2);
    assert_int_equal(held_count(held, HELD_IN_FLIGHT), 2);
    assert_int_equal(held_count(held, HELD_REPORTED), 1);
    assert_int_equal(held_total(held), 5);
    struct held_job *first = held_first(held, HELD_QUEUED);
    assert_int_equal(first->job_id, 2);
    assert_int_equal(first->after->job_id, 4);
    assert_null(first->after->after);
    first = held_first(held, HELD_IN_FLIGHT);
    assert_int_equal(first->job_id, 3);
    assert_int_equal(first->after->job_id, 1);
    uint64_t ids[HELD_MOST];
    assert_int_equal(held_ids(held, ids), 5);
    static const uint64_t expected[] = {2, 4, 3, 1, 5};
    assert_memory_equal(ids, expected, sizeof expected);
    held_free(&held);
    assert_null(held);
}

static void a_job_is_held_once(void **state)
{
    (void)state;
    struct held *held = held_new();
    struct held_job *job = add(held, 7);
    assert_non_null(job);
    assert_null(add(held, 7));
    assert_ptr_equal(held_find(held, 7), job);
    held_move(held, job, HELD_REPORTED);
    assert_null(add(held, 7));
    held_remove(held, &job);
    assert_null(job);
    assert_null(held_find(held, 7));
    assert_int_equal(held_total(held), 0);
    assert_non_null(add(held, 7));
    held_free(&held);
}

static void no_more_than_a_census_can_name(void **state)
{
    (void)state;
    struct held *held = held_new();
    uint64_t epoch = (uint64_t)9 << 40;
    for (uint64_t i = 0; i < HELD_MOST; i++)
        assert_non_null(add(held, epoch | i));
    assert_null(add(held, epoch | HELD_MOST));
    for (uint64_t i = 0; i < HELD_MOST; i += 2) {
        struct held_job *job = held_find(held, epoch | i);
        assert_int_equal(job->job_id, epoch | i);
        held_remove(held, &job);
    }
    assert_int_equal(held_total(held), HELD_MOST / 2);
    assert_non_null(add(held, 1));
    assert_non_null(held_find(held, epoch | 1));
    assert_null(held_find(held, epoch | 2));
    held_free(&held);
}

static int64_t now_ms;

static int64_t clock_of_test(void)
{
    return now_ms;
}

static void agents_are_found_by_id_and_by_email(void **state)
{
    (void)state;
    struct agents *agents = agents_new(clock_of_test);
    struct agent ann = {
        .exists = true, .id = "u-1", .email = "Ann@Example.org", .name = "Ann Lee", .first_name = "Ann"};
    agents_put(agents, UPSTREAM_FRESHCHAT, &ann);
    const struct agent *found = agents_by_email(agents, UPSTREAM_FRESHCHAT, "ann@example.ORG");
    assert_non_null(found);
    assert_true(found->exists);
    assert_string_equal(found->id, "u-1");
    assert_string_equal(found->email, "Ann@Example.org");
    assert_string_equal(found->first_name, "Ann");
    assert_ptr_equal(agents_by_id(agents, UPSTREAM_FRESHCHAT, "u-1"), found);
    assert_null(agents_by_id(agents, UPSTREAM_FRESHDESK, "u-1"));
    assert_null(agents_by_id(agents, UPSTREAM_FRESHCHAT, "U-1"));
    assert_null(agents_by_email(agents, UPSTREAM_FRESHCHAT, ""));
    agents_put(agents, UPSTREAM_FRESHCHAT, &(struct agent){.exists = true}); // no id: nothing to remember
    agents_put(agents, UPSTREAM_FRESHDESK, &(struct agent){.exists = true, .id = "12"});
    found = agents_by_id(agents, UPSTREAM_FRESHDESK, "12");
    assert_string_equal(found->email, "");
    assert_string_equal(found->name, "");
    agents_free(&agents);
    assert_null(agents);
}

static void agents_are_forgotten_in_time(void **state)
{
    (void)state;
    struct agents *agents = agents_new(clock_of_test);
    now_ms = 1000;
    agents_put(agents, UPSTREAM_FRESHDESK, &(struct agent){.exists = true, .id = "1", .email = "a@example.org"});
    agents_put_absent_email(agents, UPSTREAM_FRESHCHAT, "b@example.org");
    agents_put_absent_id(agents, UPSTREAM_FRESHCHAT, "gone");
    assert_false(agents_by_email(agents, UPSTREAM_FRESHCHAT, "B@example.org")->exists);
    assert_false(agents_by_id(agents, UPSTREAM_FRESHCHAT, "gone")->exists);
    now_ms += AGENTS_KEEP_ABSENT_MS;
    assert_null(agents_by_email(agents, UPSTREAM_FRESHCHAT, "b@example.org"));
    assert_null(agents_by_id(agents, UPSTREAM_FRESHCHAT, "gone"));
    assert_non_null(agents_by_id(agents, UPSTREAM_FRESHDESK, "1"));
    now_ms = 1000 + AGENTS_KEEP_MS;
    assert_null(agents_by_id(agents, UPSTREAM_FRESHDESK, "1"));
    assert_null(agents_by_email(agents, UPSTREAM_FRESHDESK, "a@example.org"));
    agents_free(&agents);
}

// An agent whose address went to somebody else, and one that was absent before.
static void newer_knowledge_replaces_older(void **state)
{
    (void)state;
    struct agents *agents = agents_new(clock_of_test);
    agents_put_absent_email(agents, UPSTREAM_FRESHDESK, "x@example.org");
    agents_put(agents, UPSTREAM_FRESHDESK, &(struct agent){.exists = true, .id = "1", .email = "x@example.org"});
    assert_string_equal(agents_by_email(agents, UPSTREAM_FRESHDESK, "x@example.org")->id, "1");
    agents_put(agents, UPSTREAM_FRESHDESK, &(struct agent){.exists = true, .id = "2", .email = "x@example.org"});
    assert_string_equal(agents_by_email(agents, UPSTREAM_FRESHDESK, "x@example.org")->id, "2");
    assert_null(agents_by_id(agents, UPSTREAM_FRESHDESK, "1"));
    agents_put(agents, UPSTREAM_FRESHDESK, &(struct agent){.exists = true, .id = "2", .email = "y@example.org"});
    assert_null(agents_by_email(agents, UPSTREAM_FRESHDESK, "x@example.org"));
    agents_put_absent_id(agents, UPSTREAM_FRESHDESK, "2");
    assert_null(agents_by_email(agents, UPSTREAM_FRESHDESK, "y@example.org"));
    assert_false(agents_by_id(agents, UPSTREAM_FRESHDESK, "2")->exists);
    agents_free(&agents);
}

static void agents_are_bounded(void **state)
{
    (void)state;
    struct agents *agents = agents_new(clock_of_test);
    char id[32];
    for (int i = 0; i <= AGENTS_MOST; i++) {
        snprintf(id, sizeof id, "%d", i);
        agents_put(agents, UPSTREAM_FRESHDESK, &(struct agent){.exists = true, .id = id});
    }
    assert_null(agents_by_id(agents, UPSTREAM_FRESHDESK, "0"));
    assert_non_null(agents_by_id(agents, UPSTREAM_FRESHDESK, "1"));
    assert_non_null(agents_by_id(agents, UPSTREAM_FRESHDESK, id));
    agents_free(&agents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_keep_their_order_in_each_state),
        cmocka_unit_test(a_job_is_held_once),
        cmocka_unit_test(no_more_than_a_census_can_name),
        cmocka_unit_test(agents_are_found_by_id_and_by_email),
        cmocka_unit_test(agents_are_forgotten_in_time),
        cmocka_unit_test(newer_knowledge_replaces_older),
        cmocka_unit_test(agents_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
