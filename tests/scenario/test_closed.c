// SPDX-License-Identifier: Apache-2.0
// A customer comes back to a ticket that was closed at the desk: it is open again, cart and priority follow, and what
// was said is there once, whatever is lost meanwhile. What agents and Deskbell itself write opens nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

enum { OPEN = 2, RESOLVED = 4, CLOSED = 5 };

static struct scenario *with_a_closed_ticket(void **state, int status, int64_t *id)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.timing_more = "  context_refresh_seconds = 60"; // only the reopening itself may bring the context in time
    struct scenario *s = scenario_begin(state, &options);
    const struct sandbox_customer_info info = {.first_name = "Ada",
                                               .email = "ada@customer.example",
                                               .cart_value = "20",
                                               .friction_score = "10",
                                               .screen = "cart"};
    customer_arrives(s, "ada", &info);
    customer_writes(s, "ada", "Do you have it in blue?");
    *id = ticket_appears_within(s, "ada", 2000);
    everything_settles_within(s, 5000); // the first looks at a running chat are over
    assert_true(sandbox_ticket_status(scenario_sandbox(s), *id, STORY_ANNA, status));
    return s;
}

struct state_of {
    int64_t id;
    int status, priority;
    const char *cart;
};

static bool is_so(struct sandbox *sb, void *arg)
{
    const struct state_of *wanted = arg;
    struct sandbox_ticket ticket;
    if (!sandbox_ticket(sb, wanted->id, &ticket))
        return false;
    bool so = ticket.status == wanted->status && (!wanted->priority || ticket.priority == wanted->priority) &&
              (!wanted->cart || (ticket.cart && strcmp(ticket.cart, wanted->cart) == 0));
    sandbox_ticket_clear(&ticket);
    return so;
}

static void ticket_is_within(struct scenario *s, struct state_of wanted, int timeout_ms)
{
    if (!sandbox_wait(scenario_sandbox(s), is_so, &wanted, timeout_ms))
        scenario_fail("ticket %lld has not status %d, priority %d and cart %s after %d ms", (long long)wanted.id,
                      wanted.status, wanted.priority, wanted.cart ? wanted.cart : "any", timeout_ms);
}

static void a_customer_who_comes_back_opens_the_ticket(void **state)
{
    int64_t id = 0;
    struct scenario *s = with_a_closed_ticket(state, CLOSED, &id);
    struct sandbox *sb = scenario_sandbox(s);
    const struct sandbox_fault lost = {.endpoint = SANDBOX_FD_TICKET_PUT, .kind = SANDBOX_FAULT_LOST, .count = 1};
    int fault = sandbox_fault_add(sb, &lost);
    size_t puts = sandbox_call_count(sb, SANDBOX_FD_TICKET_PUT);
    sandbox_customer_property(sb, customer_of(s, "ada"), "cart_value", "5000");
    customer_writes(s, "ada", "I want to buy for 5000 now");
    ticket_is_within(s, (struct state_of){id, OPEN, 4, "5000.0"}, 8000);
    ticket_shows_within(s, "ada", "Rule high-value: priority urgent, tag high-value.", 3000);
    everything_settles_within(s, 8000);
    assert_int_equal(sandbox_fault_hits(sb, fault), 1);
    assert_int_equal(sandbox_call_count(sb, SANDBOX_FD_TICKET_PUT) - puts, 2); // opened once, then the context
    ticket_shows_times(s, "ada", "I want to buy for 5000 now", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);

    // The agent closes it again, on purpose: so it stays. It is no loop, and the next message counts again.
    assert_true(sandbox_ticket_status(sb, id, STORY_ANNA, CLOSED));
    everything_settles_within(s, 5000);
    ticket_is_within(s, (struct state_of){id, CLOSED, 4, NULL}, 1);
    customer_writes(s, "ada", "One thing more");
    ticket_is_within(s, (struct state_of){id, OPEN, 4, NULL}, 5000);
    ticket_shows_times(s, "ada", "One thing more", 1);
    no_dead_letters(s);
    scenario_end(s);
}

static void what_agents_and_deskbell_write_opens_nothing(void **state)
{
    int64_t id = 0;
    struct scenario *s = with_a_closed_ticket(state, RESOLVED, &id);
    struct sandbox *sb = scenario_sandbox(s);
    size_t puts = sandbox_call_count(sb, SANDBOX_FD_TICKET_PUT);
    agent_types_in_chat(s, "ada", STORY_ANNA, "Have a nice day");
    ticket_shows_within(s, "ada", "Have a nice day", 5000);
    agent_replies(s, "ada", STORY_ANNA, "<p>See you soon</p>");
    chat_shows_within(s, "ada", "See you soon", 5000);
    agent_notes_privately(s, "ada", STORY_ANNA, "<p>What a customer</p>");
    everything_settles_within(s, 8000);
    ticket_is_within(s, (struct state_of){id, RESOLVED, 0, NULL}, 1);
    assert_int_equal(sandbox_call_count(sb, SANDBOX_FD_TICKET_PUT), puts);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest stories[] = {
        cmocka_unit_test_teardown(a_customer_who_comes_back_opens_the_ticket, scenario_teardown),
        cmocka_unit_test_teardown(what_agents_and_deskbell_write_opens_nothing, scenario_teardown),
    };
    return cmocka_run_group_tests_name("closed", stories, NULL, NULL);
}
