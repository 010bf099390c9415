// SPDX-License-Identifier: Apache-2.0
// What must never cross: private notes, what Deskbell itself wrote, what bots say. And who speaks as whom.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

static void private_notes_never_leave(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Can I return this?");
    ticket_appears_within(s, "ada", 2000);
    agent_notes_privately(s, "ada", STORY_ANNA, "<p>this customer is difficult</p>");
    agent_replies(s, "ada", STORY_ANNA, "<p>Of course you can</p>");
    chat_shows_within(s, "ada", "Of course you can", 2000);
    agent_notes_privately(s, "ada", STORY_BEN, "<p>look out for fraud</p>");
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "difficult", 0);
    chat_shows_times(s, "ada", "fraud", 0);
    scenario_end(s);
}

static void private_messages_of_agents_in_the_chat_are_not_mirrored(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Can I return this?");
    ticket_appears_within(s, "ada", 2000);
    assert_true(sandbox_agent_types(scenario_sandbox(s), customer_of(s, "ada")->conversation_id, STORY_ANNA,
                                    "between us agents", "private", NULL));
    agent_types_in_chat(s, "ada", STORY_ANNA, "Hello Ada");
    ticket_shows_within(s, "ada", "Hello Ada", 2000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "between us agents", 0);
    ticket_shows_times(s, "ada", "Hello Ada", 1);
    scenario_end(s);
}

static void a_relayed_reply_does_not_come_back_as_a_note(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "When do you open?");
    ticket_appears_within(s, "ada", 2000);
    agent_replies(s, "ada", STORY_ANNA, "<p>At nine o'clock</p>");
    chat_shows_within(s, "ada", "At nine o'clock", 2000);
    everything_settles_within(s, 10000);
    // The echo webhook of that message was sent and taken.
    struct sandbox_delivery *deliveries = NULL;
    size_t count = sandbox_deliveries(scenario_sandbox(s), &deliveries), echoes = 0;
    for (size_t i = 0; i < count; i++)
        echoes += !deliveries[i].hint && strstr(deliveries[i].body, "At nine o'clock") && deliveries[i].status == 200;
    sandbox_deliveries_free(deliveries, count);
    assert_true(echoes > 0);
    ticket_shows_times(s, "ada", "At nine o'clock", 1); // the agent's own entry
    chat_shows_times(s, "ada", "At nine o'clock", 1);
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 1);
    scenario_end(s);
}

static void a_mirrored_message_does_not_go_back_to_the_chat(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "When do you open?");
    ticket_appears_within(s, "ada", 2000);
    agent_types_in_chat(s, "ada", STORY_ANNA, "We open at ten");
    ticket_shows_within(s, "ada", "We open at ten", 2000);
    everything_settles_within(s, 10000);
    // A hint of the mirrored note itself, or of anything else, must not relay it.
    agent_replies(s, "ada", STORY_BEN, "<p>On Sundays too</p>");
    chat_shows_within(s, "ada", "On Sundays too", 2000);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "We open at ten", 1);
    ticket_shows_times(s, "ada", "We open at ten", 1);
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 1);
    scenario_end(s);
}

// The helpdesk carries the mirror's note out when its look has long settled and the note was repeated: it stands there
// twice, and of one of them nobody knows the id.
static bool note_is_there_twice(struct sandbox *sb, void *arg)
{
    return sandbox_entries_with(sb, *(int64_t *)arg, "We open at ten") == 2;
}

static void a_mirror_that_came_twice_does_not_go_back_to_the_chat(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "When do you open?");
    int64_t ticket = ticket_appears_within(s, "ada", 2000);
    const struct sandbox_fault late = {
        .endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_LATE_WORK, .ms = 5000, .count = 1};
    sandbox_fault_add(scenario_sandbox(s), &late);
    agent_types_in_chat(s, "ada", STORY_ANNA, "We open at ten");
    assert_true(sandbox_wait(scenario_sandbox(s), note_is_there_twice, &ticket, 15000));
    // An agent who quotes the line is heard, and by then the twin had its turn.
    agent_notes(s, "ada", STORY_ANNA,
                "<b>Anna Berg</b> (in chat, 10:00:00 UTC): We open at ten, as you can read above");
    chat_shows_within(s, "ada", "as you can read above", 5000);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "We open at ten", 2);
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 1);
    scenario_end(s);
}

// Anybody can type anybody's address into the chat.
static void a_shopper_with_an_agents_address_does_not_become_the_agent(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    const struct sandbox_customer_info info = {
        .first_name = "Eve", .email = STORY_ANNA, .cart_value = "10", .friction_score = "5", .screen = "basket"};
    customer_arrives(s, "eve", &info);
    customer_writes(s, "eve", "I am an agent");
    int64_t id = ticket_appears_within(s, "eve", 2000);
    customer_writes(s, "eve", "and I say so again");
    ticket_shows_within(s, "eve", "and I say so again", 3000);
    agent_replies(s, "eve", STORY_ANNA, "<p>I am the agent</p>");
    chat_shows_within(s, "eve", "I am the agent", 3000);
    everything_settles_within(s, 10000);
    struct sandbox_entry *entries = NULL;
    size_t count = sandbox_entries(scenario_sandbox(s), id, &entries);
    assert_int_equal(count, 2);
    assert_int_not_equal(entries[0].user_id, entries[1].user_id); // hers, and Anna's
    sandbox_entries_free(entries, count);
    calls_are(s, SANDBOX_FD_AGENT_LIST, 1);
    scenario_end(s);
}

static void agents_in_a_second_ticket_are_told_once_that_it_is_not_the_chats(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    customer_writes(s, "ada", "Where is my order?");
    int64_t ticket = ticket_appears_within(s, "ada", 2000);
    char told[120];
    snprintf(told, sizeof told, "Replies in this ticket do not reach the chat; the chat's ticket is #%" PRId64 ".",
             ticket);
    int64_t second = sandbox_ticket_new(sb, "split copy", "o@example.com", customer_of(s, "ada")->conversation_id);
    sandbox_agent_writes(sb, second, STORY_ANNA, SANDBOX_REPLY, "<p>from the second ticket</p>");
    assert_true(sandbox_wait_entry(sb, second, told, 5000));
    scenario_stop(s);
    scenario_start(s);
    sandbox_agent_writes(sb, second, STORY_ANNA, SANDBOX_REPLY, "<p>once more from there</p>");
    sandbox_agent_writes(sb, ticket, STORY_ANNA, SANDBOX_REPLY, "<p>from the first</p>");
    chat_shows_within(s, "ada", "from the first", 5000);
    everything_settles_within(s, 10000);
    assert_int_equal(sandbox_entries_with(sb, second, "Deskbell:"), 1);
    assert_int_equal(sandbox_entries_with(sb, ticket, "Deskbell:"), 0);
    struct sandbox_entry *entries = NULL;
    size_t count = sandbox_entries(sb, second, &entries);
    for (size_t i = 0; i < count; i++)
        assert_true(!strstr(entries[i].body, "Deskbell:") == !entries[i].is_private);
    sandbox_entries_free(entries, count);
    chat_shows_times(s, "ada", "from the second ticket", 0);
    chat_shows_times(s, "ada", "once more from there", 0);
    scenario_end(s);
}

static void what_the_customer_e_mails_is_not_relayed(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "When do you open?");
    int64_t ticket = ticket_appears_within(s, "ada", 2000);
    assert_true(sandbox_customer_emails(scenario_sandbox(s), ticket, "<p>I also write by post</p>") != 0);
    agent_replies(s, "ada", STORY_ANNA, "<p>Thank you for both</p>");
    chat_shows_within(s, "ada", "Thank you for both", 2000);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "I also write by post", 0);
    scenario_end(s);
}

static void agents_speak_as_themselves_where_the_e_mail_matches(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Who is there?");
    ticket_appears_within(s, "ada", 2000);
    agent_replies(s, "ada", STORY_ANNA, "<p>here am I</p>");
    chat_shows_within(s, "ada", "here am I", 2000);
    chat_message_is_by(s, "ada", "here am I", STORY_ANNA);
    agent_replies(s, "ada", STORY_BEN, "<p>and so am I</p>");
    chat_shows_within(s, "ada", "and so am I", 2000);
    chat_message_is_by(s, "ada", "and so am I", SANDBOX_ASSISTANT);
    everything_settles_within(s, 10000);

    // Whose words they are is said where the identity does not say it, and only there.
    struct sandbox_message *messages = NULL;
    size_t count = sandbox_messages(scenario_sandbox(s), customer_of(s, "ada")->conversation_id, &messages), seen = 0;
    for (size_t i = 0; i < count; i++) {
        if (strstr(messages[i].text, "here am I")) {
            assert_string_equal(messages[i].text, "here am I");
            seen++;
        } else if (strstr(messages[i].text, "and so am I")) {
            assert_int_equal(strncmp(messages[i].text, "Ben", 3), 0);
            seen++;
        }
    }
    sandbox_messages_free(messages, count);
    assert_int_equal(seen, 2);
    scenario_end(s);
}

static void an_unknown_ticket_rebuilds_its_link_from_the_field(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Do you still know me?");
    ticket_appears_within(s, "ada", 2000);
    agent_replies(s, "ada", STORY_ANNA, "<p>today we do</p>");
    chat_shows_within(s, "ada", "today we do", 2000);
    everything_settles_within(s, 10000);
    scenario_stop(s);
    scenario_forget_state(s);
    scenario_start(s);

    agent_replies(s, "ada", STORY_ANNA, "<p>tomorrow as well</p>");
    chat_shows_within(s, "ada", "tomorrow as well", 6000);
    everything_settles_within(s, 15000);
    chat_shows_times(s, "ada", "today we do", 1);
    chat_shows_times(s, "ada", "tomorrow as well", 1);

    // The link holds for the way to the desk too.
    customer_writes(s, "ada", "That is good");
    ticket_shows_within(s, "ada", "That is good", 4000);
    everything_settles_within(s, 15000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    scenario_end(s);
}

static void a_hint_of_a_foreign_ticket_changes_nothing(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    assert_int_equal(sandbox_deliver_hint(scenario_sandbox(s), "{\"ticket_id\": 987654321987}", NULL), 200);
    assert_int_equal(sandbox_deliver_hint(scenario_sandbox(s), "{\"ticket_id\": \"987654321988\"}", NULL), 200);
    assert_true(sandbox_wait_calls(scenario_sandbox(s), SANDBOX_FD_TICKET_GET, 2, 5000));
    everything_settles_within(s, 10000);
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 0);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 0);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(private_notes_never_leave, scenario_teardown),
        cmocka_unit_test_teardown(private_messages_of_agents_in_the_chat_are_not_mirrored, scenario_teardown),
        cmocka_unit_test_teardown(a_relayed_reply_does_not_come_back_as_a_note, scenario_teardown),
        cmocka_unit_test_teardown(a_mirrored_message_does_not_go_back_to_the_chat, scenario_teardown),
        cmocka_unit_test_teardown(a_mirror_that_came_twice_does_not_go_back_to_the_chat, scenario_teardown),
        cmocka_unit_test_teardown(a_shopper_with_an_agents_address_does_not_become_the_agent, scenario_teardown),
        cmocka_unit_test_teardown(agents_in_a_second_ticket_are_told_once_that_it_is_not_the_chats, scenario_teardown),
        cmocka_unit_test_teardown(what_the_customer_e_mails_is_not_relayed, scenario_teardown),
        cmocka_unit_test_teardown(agents_speak_as_themselves_where_the_e_mail_matches, scenario_teardown),
        cmocka_unit_test_teardown(an_unknown_ticket_rebuilds_its_link_from_the_field, scenario_teardown),
        cmocka_unit_test_teardown(a_hint_of_a_foreign_ticket_changes_nothing, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
