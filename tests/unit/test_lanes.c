// SPDX-License-Identifier: Apache-2.0
// The rules of docs/design.md 4, one test each, with a clock made of numbers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http-front/dispatch/lanes.h"

static const struct lane_rules rules = {.gather_quiet_ms = 1000,
                                        .gather_max_ms = 1500,
                                        .context_wait_ms = 1000,
                                        .ticket_wait_ms = 60000,
                                        .settle_ms = 5000};

static struct conversation *with_ticket(uint64_t ticket_id)
{
    struct lane record = {.conversation = "c", .ticket_id = ticket_id};
    return lanes_conversation_new("c", &record);
}

static struct item *add(struct conversation *c, uint64_t kind, uint64_t seq, uint64_t time_ms, uint64_t arrived)
{
    struct item *item = lanes_item_new(kind, seq);
    item->time_ms = time_ms;
    item->accepted_ms = time_ms;
    item->arrived_mono_ms = arrived;
    lanes_add(&c->sides[steps_side(kind)], item);
    return item;
}

static struct lane_choice next(struct conversation *c, enum lane_side side, uint64_t now)
{
    return lanes_next(&c->sides[side], &rules, now);
}

static void an_empty_lane_rests(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    assert_int_equal(next(c, SIDE_DESK, 10).verdict, LANE_NOTHING);
    assert_true(lanes_is_idle(c));
    lanes_conversation_free(&c);
    assert_null(c);
}

static void a_first_message_goes_at_once_and_alone(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    struct item *first = add(c, EVENT_CUSTOMER_MESSAGE, 1, 100, 10);
    add(c, EVENT_CUSTOMER_MESSAGE, 2, 200, 10);
    struct lane_choice choice = next(c, SIDE_DESK, 10);
    assert_int_equal(choice.verdict, LANE_READY);
    assert_ptr_equal(choice.item, first);
    assert_int_equal(choice.step, STEP_READ_CUSTOMER);
    assert_int_equal(choice.wake_mono_ms, 1010);
    lanes_conversation_free(&c);
}

static void a_customer_who_cannot_be_read_in_time_gets_a_ticket_all_the_same(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    add(c, EVENT_CUSTOMER_MESSAGE, 1, 100, 10);
    assert_int_equal(next(c, SIDE_DESK, 1009).step, STEP_READ_CUSTOMER);
    assert_int_equal(next(c, SIDE_DESK, 1010).step, STEP_CREATE_TICKET);
    lanes_conversation_free(&c);
}

static void the_order_is_when_it_was_said(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    add(c, EVENT_CUSTOMER_MESSAGE, 5, 300, 10);
    struct item *early = add(c, EVENT_CUSTOMER_MESSAGE, 7, 100, 20);
    add(c, EVENT_CUSTOMER_MESSAGE, 6, 300, 15);
    assert_ptr_equal(c->sides[SIDE_DESK].head, early);
    assert_int_equal(early->next->seq, 5);
    assert_int_equal(early->next->next->seq, 6);
    lanes_conversation_free(&c);
}

static void messages_gather_until_it_is_quiet(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *head = add(c, EVENT_CUSTOMER_MESSAGE, 1, 100, 1000);
    struct lane_choice choice = next(c, SIDE_DESK, 1000);
    assert_int_equal(choice.verdict, LANE_LATER);
    assert_int_equal(choice.wake_mono_ms, 2000);
    add(c, EVENT_CUSTOMER_MESSAGE, 2, 200, 1400);
    assert_int_equal(next(c, SIDE_DESK, 2000).wake_mono_ms, 2400);
    // Never longer than gather_max_ms after the first.
    add(c, EVENT_CUSTOMER_MESSAGE, 3, 300, 1900);
    assert_int_equal(next(c, SIDE_DESK, 2400).wake_mono_ms, 2500);
    choice = next(c, SIDE_DESK, 2500);
    assert_int_equal(choice.verdict, LANE_READY);
    assert_int_equal(choice.step, STEP_APPEND_NOTE);
    struct item *others[8];
    assert_int_equal(lanes_gather(&c->sides[SIDE_DESK], head, others, 8), 2);
    assert_int_equal(others[0]->seq, 2);
    assert_int_equal(others[1]->seq, 3);
    lanes_conversation_free(&c);
}

static void an_agents_message_between_divides_the_note(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *head = add(c, EVENT_CUSTOMER_MESSAGE, 1, 100, 0);
    add(c, EVENT_AGENT_MESSAGE, 2, 200, 0);
    add(c, EVENT_CUSTOMER_MESSAGE, 3, 300, 0);
    struct item *others[8];
    assert_int_equal(lanes_gather(&c->sides[SIDE_DESK], head, others, 8), 0);
    lanes_conversation_free(&c);
}

static void a_retry_holds_the_lane_but_a_context_read_does_not(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *context = add(c, EVENT_CONTEXT, 1, 50, 0);
    context->not_before_mono_ms = 9000;
    struct item *first = add(c, EVENT_CUSTOMER_MESSAGE, 2, 100, 0);
    add(c, EVENT_AGENT_MESSAGE, 3, 200, 0);
    assert_ptr_equal(next(c, SIDE_DESK, 5000).item, first);
    first->not_before_mono_ms = 7000;
    struct lane_choice choice = next(c, SIDE_DESK, 5000);
    assert_int_equal(choice.verdict, LANE_LATER);
    assert_int_equal(choice.wake_mono_ms, 7000);
    lanes_conversation_free(&c);
}

static void what_has_begun_is_finished_first(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    struct item *begun = add(c, EVENT_CUSTOMER_MESSAGE, 1, 500, 0);
    begun->step = STEP_CREATE_TICKET;
    c->sides[SIDE_DESK].active = begun;
    add(c, EVENT_CUSTOMER_MESSAGE, 2, 100, 0); // said earlier, arrived later
    struct lane_choice choice = next(c, SIDE_DESK, 5000);
    assert_ptr_equal(choice.item, begun);
    assert_int_equal(choice.step, STEP_CREATE_TICKET);
    lanes_conversation_free(&c);
}

static void a_ticket_is_opened_with_what_was_said_first(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    struct side *side = &c->sides[SIDE_DESK];
    struct item *begun = add(c, EVENT_CUSTOMER_MESSAGE, 1, 500, 0);
    begun->step = STEP_CREATE_TICKET;
    lanes_set_bytes(&begun->found, (const uint8_t *)"found", 5);
    side->active = begun;
    assert_ptr_equal(lanes_first_said(side, begun), begun);
    add(c, EVENT_AGENT_MESSAGE, 2, 50, 0); // agents open no tickets
    struct item *earlier = add(c, EVENT_CUSTOMER_MESSAGE, 3, 100, 0);
    begun->claimed = true;
    assert_ptr_equal(lanes_first_said(side, begun), begun); // it may have left already
    begun->claimed = false;
    assert_ptr_equal(lanes_first_said(side, begun), earlier);
    assert_ptr_equal(side->active, earlier);
    assert_int_equal(earlier->step, STEP_CREATE_TICKET);
    assert_int_equal(earlier->found.size, 5);
    assert_int_equal(begun->step, STEP_NONE);
    assert_int_equal(begun->found.size, 0);
    lanes_conversation_free(&c);
}

static void doubt_looks_before_it_repeats(void **state)
{
    (void)state;
    static const struct {
        uint64_t kind;
        enum step write;
        enum step look;
    } cases[] = {{EVENT_CUSTOMER_MESSAGE, STEP_CREATE_TICKET, STEP_LOOK_TICKET},
                 {EVENT_CUSTOMER_MESSAGE, STEP_APPEND_NOTE, STEP_LOOK_NOTE},
                 {EVENT_AGENT_MESSAGE, STEP_MIRROR_NOTE, STEP_LOOK_MIRROR},
                 {EVENT_NOTICE, STEP_NOTICE_NOTE, STEP_LOOK_NOTICE},
                 {EVENT_OFFER, STEP_POST_OFFER, STEP_LOOK_OFFER},
                 {EVENT_CALL, STEP_CREATE_CALL_TICKET, STEP_LOOK_CALL_TICKET},
                 {EVENT_CALL, STEP_CALL_NOTE, STEP_LOOK_CALL_NOTE},
                 {EVENT_HINT, STEP_POST_MESSAGE, STEP_LOOK_MESSAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conversation *c = with_ticket(42);
        struct item *item = add(c, cases[i].kind, 1, 100, 0);
        struct side *side = &c->sides[steps_side(cases[i].kind)];
        item->step = (uint8_t)cases[i].write;
        item->claimed = item->doubt = true;
        side->active = item;
        assert_int_equal(lanes_next(side, &rules, 10).step, cases[i].look);
        item->doubt = false;
        assert_int_equal(lanes_next(side, &rules, 10).step, cases[i].write);
        lanes_conversation_free(&c);
    }
}

static void a_call_does_not_wait_for_freshcaller_for_ever(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    struct item *item = add(c, EVENT_CALL, 1, 100, 1000);
    struct side *side = &c->sides[SIDE_DESK];
    assert_int_equal(lanes_next(side, &rules, 5000).step, STEP_JOIN_CALL);
    item->step = STEP_READ_CALL;
    item->not_before_mono_ms = 11000; // Freshcaller's own link has its moment
    side->active = item;
    assert_int_equal(lanes_next(side, &rules, 5000).verdict, LANE_LATER);
    struct lane_choice choice = lanes_next(side, &rules, 11000);
    assert_int_equal(choice.step, STEP_READ_CALL);
    assert_int_equal(choice.wake_mono_ms, 71000); // its gate may stay shut
    assert_int_equal(lanes_next(side, &rules, 71000).step, STEP_FIND_CALLER);
    lanes_conversation_free(&c);
}

static void a_mirror_waits_for_an_undecided_relay_and_lets_customers_pass(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *relay = add(c, EVENT_HINT, 1, 100, 0);
    relay->step = STEP_POST_MESSAGE;
    relay->claimed = true;
    c->sides[SIDE_CHAT].active = relay;
    assert_true(lanes_undecided(&c->sides[SIDE_CHAT]));
    add(c, EVENT_AGENT_MESSAGE, 2, 150, 0);
    assert_int_equal(next(c, SIDE_DESK, 5000).verdict, LANE_NOTHING);
    struct item *customer = add(c, EVENT_CUSTOMER_MESSAGE, 3, 200, 0);
    assert_ptr_equal(next(c, SIDE_DESK, 5000).item, customer);
    relay->claimed = false;
    assert_int_equal(next(c, SIDE_DESK, 5000).item->seq, 2);
    assert_int_equal(next(c, SIDE_DESK, 5000).step, STEP_MIRROR_CHAT_AGENT);
    lanes_conversation_free(&c);
}

static void an_offer_holds_up_its_echo_but_no_reply(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *offer = add(c, EVENT_OFFER, 1, 100, 0);
    assert_int_equal(next(c, SIDE_CHAT, 10).step, STEP_POST_OFFER);
    // It failed and waits for its next try: what an agent says goes first.
    offer->not_before_mono_ms = 9000;
    struct item *relay = add(c, EVENT_HINT, 2, 150, 0);
    assert_ptr_equal(next(c, SIDE_CHAT, 5000).item, relay);
    // It is out, and may be there: what was typed in the chat may be its echo.
    offer->not_before_mono_ms = 0;
    offer->step = STEP_POST_OFFER;
    offer->claimed = true;
    c->sides[SIDE_CHAT].active = offer;
    add(c, EVENT_AGENT_MESSAGE, 3, 160, 0);
    assert_int_equal(next(c, SIDE_DESK, 5000).verdict, LANE_NOTHING);
    offer->claimed = false;
    assert_int_equal(next(c, SIDE_DESK, 5000).item->seq, 3);
    lanes_conversation_free(&c);
}

static void a_relay_does_not_post_while_a_mirror_is_undecided(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *mirror = add(c, EVENT_AGENT_MESSAGE, 1, 100, 0);
    mirror->step = STEP_MIRROR_NOTE;
    mirror->claimed = mirror->doubt = true;
    c->sides[SIDE_DESK].active = mirror;
    struct item *relay = add(c, EVENT_HINT, 2, 100, 0);
    // Reading is allowed, posting is not.
    assert_int_equal(next(c, SIDE_CHAT, 10).step, STEP_LIST_ENTRIES);
    relay->step = STEP_POST_MESSAGE;
    c->sides[SIDE_CHAT].active = relay;
    assert_int_equal(next(c, SIDE_CHAT, 10).verdict, LANE_NOTHING);
    mirror->claimed = mirror->doubt = false;
    assert_int_equal(next(c, SIDE_CHAT, 10).step, STEP_POST_MESSAGE);
    // A customer's note in doubt is no obstacle: what customers said is never relayed.
    mirror->kind = EVENT_CUSTOMER_MESSAGE;
    mirror->step = STEP_APPEND_NOTE;
    mirror->claimed = mirror->doubt = true;
    assert_int_equal(next(c, SIDE_CHAT, 10).step, STEP_POST_MESSAGE);
    lanes_conversation_free(&c);
}

static void what_needs_a_ticket_waits_for_it_but_not_for_ever(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    struct item *agent = add(c, EVENT_AGENT_MESSAGE, 1, 100, 1000);
    struct lane_choice choice = next(c, SIDE_DESK, 2000);
    assert_int_equal(choice.verdict, LANE_LATER);
    assert_int_equal(choice.wake_mono_ms, 61000);
    choice = next(c, SIDE_DESK, 61000);
    assert_int_equal(choice.verdict, LANE_EXPIRED);
    assert_ptr_equal(choice.item, agent);
    // A customer's message behind it opens the ticket.
    struct item *customer = add(c, EVENT_CUSTOMER_MESSAGE, 2, 200, 2000);
    assert_ptr_equal(next(c, SIDE_DESK, 2000).item, customer);
    // However long that takes: while the helpdesk is away, nothing is finished without it.
    customer->not_before_mono_ms = 90000;
    choice = next(c, SIDE_DESK, 61000);
    assert_int_equal(choice.verdict, LANE_LATER);
    assert_int_equal(choice.wake_mono_ms, 90000);
    lanes_conversation_free(&c);
}

static void a_resolution_that_overtook_its_message_waits_for_the_ticket(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(0);
    struct item *resolved = add(c, EVENT_RESOLVED, 1, 500, 0);
    assert_int_equal(next(c, SIDE_DESK, 10).verdict, LANE_LATER);
    struct item *said = add(c, EVENT_CUSTOMER_MESSAGE, 2, 100, 5);
    assert_ptr_equal(next(c, SIDE_DESK, 10).item, said);
    // It divides what was said before from what was said after it.
    struct item *after = add(c, EVENT_CUSTOMER_MESSAGE, 3, 900, 6);
    c->ticket_id = 42;
    struct item *others[4];
    assert_int_equal(lanes_gather(&c->sides[SIDE_DESK], said, others, 4), 0);
    lanes_remove(&c->sides[SIDE_DESK], said);
    lanes_item_free(&said);
    assert_ptr_equal(next(c, SIDE_DESK, 5000).item, resolved);
    assert_int_equal(next(c, SIDE_DESK, 5000).step, STEP_NOTICE_NOTE);
    assert_ptr_equal(resolved->next, after);
    lanes_conversation_free(&c);
}

static void a_resolution_lets_messages_said_before_it_arrive(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *resolved = add(c, EVENT_RESOLVED, 1, 500, 10);
    struct lane_choice choice = next(c, SIDE_DESK, 500);
    assert_int_equal(choice.verdict, LANE_LATER);
    assert_int_equal(choice.wake_mono_ms, 1510);
    // Said before, heard of after: it goes first, and so do its gathering and its tries.
    struct item *said = add(c, EVENT_CUSTOMER_MESSAGE, 2, 400, 510);
    assert_int_equal(next(c, SIDE_DESK, 1509).verdict, LANE_LATER);
    assert_ptr_equal(next(c, SIDE_DESK, 1510).item, said);
    // Said after it: that goes behind it, and is no reason to go sooner.
    add(c, EVENT_AGENT_MESSAGE, 3, 600, 520);
    lanes_remove(&c->sides[SIDE_DESK], said);
    lanes_item_free(&said);
    assert_int_equal(next(c, SIDE_DESK, 1509).verdict, LANE_LATER);
    choice = next(c, SIDE_DESK, 1510);
    assert_ptr_equal(choice.item, resolved);
    assert_int_equal(choice.step, STEP_NOTICE_NOTE);
    lanes_conversation_free(&c);
}

static void the_record_is_kept_as_a_copy(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(c, arena);
    assert_string_equal(lane.conversation, "c");
    char user[] = "someone";
    lane.user = user;
    lane.ticket_id = 43;
    lanes_set_record(c, &lane);
    memset(user, 'x', sizeof user - 1);
    lane = lanes_record(c, arena);
    assert_string_equal(lane.user, "someone");
    assert_int_equal(c->ticket_id, 43);
    arena_free(&arena);
    lanes_conversation_free(&c);
}

// Who writes without end while the helpdesk is down must not bring the others to a stop.
static void a_long_lane_is_no_burden(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *poll = add(c, EVENT_POLL_CHAT, 1, UINT64_MAX, 0);
    for (uint64_t i = 0; i < 500000; i++) {
        add(c, EVENT_CUSTOMER_MESSAGE, 10 + i, 1000 + i, 0);
        if (i % 100 == 0) { // hints join the poll on the other side
            struct item *hint = add(c, EVENT_HINT, 10 + i, 1000 + i, 0);
            assert_ptr_equal(hint->next, poll);
        }
    }
    struct item *early = add(c, EVENT_CUSTOMER_MESSAGE, 2, 500, 0); // said first, arrived last
    assert_ptr_equal(c->sides[SIDE_DESK].head, early);
    struct item *second = early->next;
    lanes_remove(&c->sides[SIDE_DESK], early);
    lanes_item_free(&early);
    struct item *last = add(c, EVENT_CUSTOMER_MESSAGE, 3, 999, 0);
    assert_ptr_equal(last->next, second);
    uint64_t before = 0;
    for (struct item *item = c->sides[SIDE_DESK].head; item; item = item->next) {
        assert_true(item->time_ms > before);
        before = item->time_ms;
    }
    lanes_conversation_free(&c);
}

// Rule 7.
static void what_was_said_before_a_restoring_is_looked_for_first(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct item *first = add(c, EVENT_CUSTOMER_MESSAGE, 1, 100, 10);
    struct item *second = add(c, EVENT_CUSTOMER_MESSAGE, 2, 200, 10);
    struct item *third = add(c, EVENT_CUSTOMER_MESSAGE, 3, 300, 10);
    struct item *gathered[4];
    first->look_first = second->look_first = true;
    struct lane_choice choice = next(c, SIDE_DESK, 10); // at once: it does not gather
    assert_int_equal(choice.verdict, LANE_READY);
    assert_ptr_equal(choice.item, first);
    assert_int_equal(choice.step, STEP_LOOK_NOTE);
    assert_int_equal(lanes_gather(&c->sides[SIDE_DESK], first, gathered, 4), 0);
    // It is not there.
    first->step = STEP_APPEND_NOTE;
    first->looked = true;
    c->sides[SIDE_DESK].active = first;
    assert_int_equal(next(c, SIDE_DESK, 10).step, STEP_APPEND_NOTE);
    lanes_remove(&c->sides[SIDE_DESK], first);
    lanes_item_free(&first);
    assert_int_equal(next(c, SIDE_DESK, 10).step, STEP_LOOK_NOTE);
    lanes_remove(&c->sides[SIDE_DESK], second);
    lanes_item_free(&second);
    assert_int_equal(next(c, SIDE_DESK, 10).verdict, LANE_LATER); // as always
    assert_int_equal(next(c, SIDE_DESK, 1010).step, STEP_APPEND_NOTE);
    assert_ptr_equal(next(c, SIDE_DESK, 1010).item, third);
    struct item *hint = add(c, EVENT_HINT, 4, 100, 10);
    hint->look_first = true;
    assert_int_equal(next(c, SIDE_CHAT, 10).step, STEP_LIST_ENTRIES); // reads change nothing
    hint->step = STEP_POST_MESSAGE;
    c->sides[SIDE_CHAT].active = hint;
    assert_int_equal(next(c, SIDE_CHAT, 10).step, STEP_LOOK_MESSAGE);
    lanes_conversation_free(&c);
}

static void no_ticket_is_opened_after_a_restoring_without_a_look(void **state)
{
    (void)state;
    struct lane_rules restored = rules;
    restored.restored = true;
    struct conversation *c = with_ticket(0);
    struct item *late = add(c, EVENT_CUSTOMER_MESSAGE, 1, 500, 10); // said since
    assert_int_equal(lanes_next(&c->sides[SIDE_DESK], &restored, 10).step, STEP_READ_CUSTOMER);
    assert_int_equal(lanes_next(&c->sides[SIDE_DESK], &restored, 1010).step, STEP_LOOK_TICKET); // waited long enough
    late->step = STEP_CREATE_TICKET;
    c->sides[SIDE_DESK].active = late;
    assert_int_equal(lanes_next(&c->sides[SIDE_DESK], &restored, 20).step, STEP_LOOK_TICKET);
    // One that was said earlier, before the restoring, opens it in its place.
    struct item *early = add(c, EVENT_CUSTOMER_MESSAGE, 2, 100, 20);
    early->look_first = true;
    assert_ptr_equal(lanes_first_said(&c->sides[SIDE_DESK], late), early);
    assert_int_equal(lanes_next(&c->sides[SIDE_DESK], &restored, 20).step, STEP_LOOK_TICKET);
    early->looked = true;
    assert_int_equal(lanes_next(&c->sides[SIDE_DESK], &restored, 20).step, STEP_CREATE_TICKET);
    lanes_conversation_free(&c);
}

// Rule 8.
static void context_gives_way_between_its_steps(void **state)
{
    (void)state;
    struct conversation *c = with_ticket(42);
    struct side *desk = &c->sides[SIDE_DESK];
    struct item *context = add(c, EVENT_CONTEXT, 1, 50, 0);
    struct item *refresh = add(c, EVENT_REFRESH, 2, UINT64_C(1) << 50, 0);
    assert_ptr_equal(next(c, SIDE_DESK, 100).item, context);
    desk->active = context; // it was begun and goes on
    context->step = STEP_READ_TO_UPDATE;
    struct lane_choice choice = next(c, SIDE_DESK, 100);
    assert_ptr_equal(choice.item, context);
    assert_int_equal(choice.step, STEP_READ_TO_UPDATE);
    // a message that gathers is not kept waiting by what is begun meanwhile
    struct item *message = add(c, EVENT_CUSTOMER_MESSAGE, 3, 200, 100);
    choice = next(c, SIDE_DESK, 200);
    assert_int_equal(choice.verdict, LANE_LATER);
    assert_int_equal(choice.wake_mono_ms, 1100);
    assert_ptr_equal(next(c, SIDE_DESK, 1100).item, message);
    // nor one that waits for its retry
    message->not_before_mono_ms = 5000;
    message->attempts = 1;
    assert_int_equal(next(c, SIDE_DESK, 1100).verdict, LANE_LATER);
    lanes_remove(desk, message);
    lanes_item_free(&message);
    // a note that may be written already is looked for before anything else
    context->step = STEP_CHANGE_NOTE;
    context->claimed = context->doubt = true;
    message = add(c, EVENT_CUSTOMER_MESSAGE, 4, 40, 0);
    choice = next(c, SIDE_DESK, 9000);
    assert_ptr_equal(choice.item, context);
    assert_int_equal(choice.step, STEP_LOOK_CHANGE);
    lanes_remove(desk, message);
    lanes_item_free(&message);
    // what waits for its budget does not keep others from their time
    context->claimed = context->doubt = false;
    context->step = STEP_NONE;
    add(c, EVENT_NOTICE, 5, 60, 0)->not_before_mono_ms = 9500;
    choice = next(c, SIDE_DESK, 9000);
    assert_ptr_equal(choice.item, context);
    assert_int_equal(choice.wake_mono_ms, 9500);
    context->not_before_mono_ms = 20000;
    assert_ptr_equal(next(c, SIDE_DESK, 9000).item, refresh);
    lanes_conversation_free(&c);
}

static void a_ticket_that_may_exist_is_looked_for_before_one_is_opened(void **state)
{
    (void)state;
    struct lane record = {.conversation = "c", .doubt_ms = 7};
    struct conversation *c = lanes_conversation_new("c", &record);
    struct item *message = add(c, EVENT_CUSTOMER_MESSAGE, 1, 100, 0);
    message->step = STEP_CREATE_TICKET;
    assert_int_equal(next(c, SIDE_DESK, 10).step, STEP_LOOK_TICKET);
    message->looked = true;
    assert_int_equal(next(c, SIDE_DESK, 10).step, STEP_CREATE_TICKET);
    lanes_conversation_free(&c);
    record.conversation = "call:51"; // of a call, too
    c = lanes_conversation_new("call:51", &record);
    struct item *call = add(c, EVENT_CALL, 1, 100, 0);
    call->step = STEP_CREATE_CALL_TICKET;
    assert_int_equal(next(c, SIDE_DESK, 10).step, STEP_LOOK_CALL_TICKET);
    call->looked = true;
    assert_int_equal(next(c, SIDE_DESK, 10).step, STEP_CREATE_CALL_TICKET);
    lanes_conversation_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_lane_rests),
        cmocka_unit_test(a_first_message_goes_at_once_and_alone),
        cmocka_unit_test(a_customer_who_cannot_be_read_in_time_gets_a_ticket_all_the_same),
        cmocka_unit_test(the_order_is_when_it_was_said),
        cmocka_unit_test(a_long_lane_is_no_burden),
        cmocka_unit_test(messages_gather_until_it_is_quiet),
        cmocka_unit_test(an_agents_message_between_divides_the_note),
        cmocka_unit_test(a_retry_holds_the_lane_but_a_context_read_does_not),
        cmocka_unit_test(what_has_begun_is_finished_first),
        cmocka_unit_test(a_ticket_is_opened_with_what_was_said_first),
        cmocka_unit_test(doubt_looks_before_it_repeats),
        cmocka_unit_test(a_call_does_not_wait_for_freshcaller_for_ever),
        cmocka_unit_test(a_mirror_waits_for_an_undecided_relay_and_lets_customers_pass),
        cmocka_unit_test(an_offer_holds_up_its_echo_but_no_reply),
        cmocka_unit_test(a_relay_does_not_post_while_a_mirror_is_undecided),
        cmocka_unit_test(what_needs_a_ticket_waits_for_it_but_not_for_ever),
        cmocka_unit_test(a_resolution_that_overtook_its_message_waits_for_the_ticket),
        cmocka_unit_test(a_resolution_lets_messages_said_before_it_arrive),
        cmocka_unit_test(the_record_is_kept_as_a_copy),
        cmocka_unit_test(what_was_said_before_a_restoring_is_looked_for_first),
        cmocka_unit_test(no_ticket_is_opened_after_a_restoring_without_a_look),
        cmocka_unit_test(context_gives_way_between_its_steps),
        cmocka_unit_test(a_ticket_that_may_exist_is_looked_for_before_one_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
