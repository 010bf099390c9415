// SPDX-License-Identifier: Apache-2.0
// The step table: that it hangs together, and what is asked of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/records.h"
#include "proto/steps.h"

static void every_write_has_a_look_that_reads_the_same_upstream(void **state)
{
    int writes = 0;

    (void)state;
    for (uint64_t step = 1; step < STEPS_END; step++) {
        const struct step_info *info = steps_info(step);
        assert_non_null(info);
        if (info->kind != STEP_WRITE) {
            assert_int_equal(info->look, STEP_NONE);
            continue;
        }
        writes++;
        const struct step_info *look = steps_info(info->look);
        assert_non_null(look);
        assert_int_equal(look->kind, STEP_READ);
        assert_int_equal(look->upstream, info->upstream);
        assert_int_equal(look->rank, info->rank);             // doubt is settled as urgently as the write was wanted
        assert_int_equal(steps_looked_for(info->look), step); // and each look is one write's
        assert_false(look->impatient);
    }
    assert_int_equal(writes, 9);
}

static void only_looks_look_for_something(void **state)
{
    (void)state;
    assert_int_equal(steps_looked_for(STEP_NONE), STEP_NONE);
    assert_int_equal(steps_looked_for(STEP_LOOK_TICKET), STEP_CREATE_TICKET);
    assert_int_equal(steps_looked_for(STEP_CREATE_TICKET), STEP_NONE);
    assert_int_equal(steps_looked_for(STEPS_END), STEP_NONE);
    assert_int_equal(steps_looked_for(UINT64_MAX), STEP_NONE);
}

static void names_are_different_words(void **state)
{
    (void)state;
    for (uint64_t a = 1; a < STEPS_END; a++) {
        assert_int_equal(strspn(steps_name(a), "abcdefghijklmnopqrstuvwxyz_"), strlen(steps_name(a)));
        for (uint64_t b = 1; b < a; b++)
            assert_string_not_equal(steps_name(a), steps_name(b));
    }
    assert_string_equal(steps_name(STEP_CREATE_TICKET), "create_ticket");
    assert_string_equal(steps_name(STEP_NONE), "none");
    assert_string_equal(steps_name(STEPS_END), "unknown");
    assert_string_equal(steps_name(UINT64_MAX), "unknown");
}

static void numbers_that_are_no_step_have_no_row(void **state)
{
    (void)state;
    assert_null(steps_info(STEP_NONE));
    assert_null(steps_info(STEPS_END));
    assert_null(steps_info(UINT64_MAX));
}

static void every_step_has_an_upstream_and_a_class_of_its_own_account(void **state)
{
    (void)state;
    for (uint64_t step = 1; step < STEPS_END; step++) {
        const struct step_info *info = steps_info(step);
        assert_true(info->upstream < UPSTREAMS);
        if (info->upstream == UPSTREAM_NONE) // decides without a call, so nothing can be in doubt
            assert_int_equal(info->kind, STEP_READ);
        assert_true(info->limit < LIMIT_CLASSES);
        assert_true(info->rank < RANKS);
        if (info->limit != LIMIT_ANY) // only the helpdesk counts classes apart
            assert_int_equal(info->upstream, UPSTREAM_FRESHDESK);
        if (info->impatient) {
            assert_int_equal(info->kind, STEP_READ); // a write cannot be left alone half done
            assert_non_null(steps_info(info->otherwise));
        } else {
            assert_int_equal(info->otherwise, STEP_NONE);
        }
    }
    assert_int_equal(steps_info(STEP_READ_CUSTOMER)->otherwise, STEP_CREATE_TICKET);
    assert_int_equal(steps_info(STEP_CREATE_TICKET)->limit, LIMIT_TICKET_CREATE);
    assert_int_equal(steps_info(STEP_LOOK_TICKET)->limit, LIMIT_TICKET_LIST);
}

static void events_begin_where_they_should(void **state)
{
    (void)state;
    assert_int_equal(steps_entry(EVENT_CUSTOMER_MESSAGE, false), STEP_READ_CUSTOMER);
    assert_int_equal(steps_entry(EVENT_CUSTOMER_MESSAGE, true), STEP_APPEND_NOTE);
    assert_int_equal(steps_entry(EVENT_AGENT_MESSAGE, false), STEP_NONE);
    assert_int_equal(steps_entry(EVENT_AGENT_MESSAGE, true), STEP_MIRROR_CHAT_AGENT);
    assert_int_equal(steps_entry(EVENT_HINT, false), STEP_READ_TICKET);
    assert_int_equal(steps_entry(EVENT_HINT, true), STEP_LIST_ENTRIES);
    assert_int_equal(steps_entry(EVENT_CONTEXT, false), STEP_NONE);
    assert_int_equal(steps_entry(EVENT_CONTEXT, true), STEP_REREAD_CUSTOMER);
    assert_int_equal(steps_entry(EVENT_NOTICE, false), STEP_NONE);
    assert_int_equal(steps_entry(EVENT_NOTICE, true), STEP_NOTICE_NOTE);
    assert_int_equal(steps_entry(EVENT_CALL, false), STEP_JOIN_CALL);
    assert_int_equal(steps_entry(EVENT_CALL, true), STEP_JOIN_CALL);
    assert_int_equal(steps_entry(EVENT_CALLBACK, false), STEP_JOIN_CALL);
    assert_int_equal(steps_entry(EVENT_POLL_CALLS, false), STEP_LIST_CALLS);
    assert_int_equal(steps_entry(0, true), STEP_NONE);
    assert_int_equal(steps_entry(200, false), STEP_NONE);
    assert_int_equal(steps_side(EVENT_HINT), SIDE_CHAT);
    assert_int_equal(steps_side(EVENT_CUSTOMER_MESSAGE), SIDE_DESK);
    assert_int_equal(steps_side(EVENT_AGENT_MESSAGE), SIDE_DESK);
    assert_int_equal(steps_side(EVENT_CONTEXT), SIDE_DESK);
    assert_int_equal(steps_side(EVENT_NOTICE), SIDE_DESK);
    assert_int_equal(steps_entry(EVENT_OFFER, false), STEP_NONE);
    assert_int_equal(steps_entry(EVENT_OFFER, true), STEP_POST_OFFER);
    assert_int_equal(steps_side(EVENT_OFFER), SIDE_CHAT);
    assert_int_equal(steps_entry(EVENT_KEEP_OPEN, false), STEP_NONE);
    assert_int_equal(steps_entry(EVENT_KEEP_OPEN, true), STEP_READ_WHETHER_OPEN);
    assert_int_equal(steps_side(EVENT_KEEP_OPEN), SIDE_DESK);
    assert_int_equal(steps_entry(EVENT_REFRESH, false), STEP_NONE);
    assert_int_equal(steps_entry(EVENT_REFRESH, true), STEP_REFRESH_CUSTOMER);
    assert_int_equal(steps_side(EVENT_REFRESH), SIDE_DESK);
    assert_int_equal(steps_side(EVENT_POLL_CHAT), SIDE_CHAT);
    assert_true(steps_is_poll(EVENT_REFRESH));
    assert_int_equal(steps_info(STEP_REFRESH_CUSTOMER)->rank, RANK_POLL);
    assert_int_equal(steps_side(EVENT_CALL), SIDE_DESK);
    assert_int_equal(steps_side(EVENT_CALLBACK), SIDE_DESK);
    assert_true(steps_is_poll(EVENT_POLL_CALLS));
    assert_false(steps_is_poll(EVENT_CALL));
}

static void upstreams_have_names(void **state)
{
    (void)state;
    assert_string_equal(steps_upstream_name(UPSTREAM_NONE), "none");
    assert_string_equal(steps_upstream_name(UPSTREAM_FRESHCHAT), "freshchat");
    assert_string_equal(steps_upstream_name(UPSTREAM_FRESHDESK), "freshdesk");
    assert_string_equal(steps_upstream_name(UPSTREAM_FRESHCALLER), "freshcaller");
    assert_string_equal(steps_upstream_name(UPSTREAMS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write_has_a_look_that_reads_the_same_upstream),
        cmocka_unit_test(only_looks_look_for_something),
        cmocka_unit_test(names_are_different_words),
        cmocka_unit_test(numbers_that_are_no_step_have_no_row),
        cmocka_unit_test(every_step_has_an_upstream_and_a_class_of_its_own_account),
        cmocka_unit_test(events_begin_where_they_should),
        cmocka_unit_test(upstreams_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
