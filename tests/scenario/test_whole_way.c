// SPDX-License-Identifier: Apache-2.0
// The mission in one story: what a customer writes is a ticket at once, and what the agent answers is in the chat. With
// it, a delivery that a live account once made, and the times.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"

#define CHATS 30

static void a_customer_and_an_agent_talk(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);

    customer_writes(s, "ada", "My parcel is late");
    int64_t id = ticket_appears_within(s, "ada", 2000);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_string_equal(ticket.subject, "249.50 · ada: My parcel is late");
    assert_non_null(strstr(ticket.description_text, "My parcel is late"));
    assert_int_equal(ticket.source, 7);
    assert_int_equal(ticket.status, 2);
    assert_int_equal(ticket.priority, 4); // the rule high-value
    assert_int_equal(ticket.tag_count, 1);
    assert_string_equal(ticket.tags[0], "high-value");
    assert_string_equal(ticket.conversation_id, customer_of(s, "ada")->conversation_id);
    assert_non_null(ticket.cart);
    assert_true(strtod(ticket.cart, NULL) == 249.5);
    assert_non_null(ticket.friction);
    assert_int_equal(strtol(ticket.friction, NULL, 10), 72);
    assert_string_equal(ticket.screen, "\"basket\"");
    sandbox_ticket_clear(&ticket);

    customer_writes(s, "ada", "It was promised for Monday");
    ticket_shows_within(s, "ada", "It was promised for Monday", 2000);

    agent_replies(s, "ada", STORY_ANNA,
                  "<p>I look at it, see <a href=\"https://shop.example/track/7\">your parcel</a></p>");
    chat_shows_within(s, "ada", "I look at it", 2000);
    chat_shows_within(s, "ada", "https://shop.example/track/7", 1);
    chat_message_is_by(s, "ada", "I look at it", STORY_ANNA);

    agent_notes(s, "ada", STORY_ANNA, "<p>It arrives tomorrow</p>");
    chat_shows_within(s, "ada", "It arrives tomorrow", 2000);

    agent_types_in_chat(s, "ada", STORY_CHRIS, "Anything else we can do?");
    ticket_shows_within(s, "ada", "Anything else we can do?", 2000);

    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "I look at it", 1);
    chat_shows_times(s, "ada", "It arrives tomorrow", 1);
    chat_shows_times(s, "ada", "Anything else we can do?", 1);
    ticket_shows_times(s, "ada", "It was promised for Monday", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    no_dead_letters(s);
    scenario_end(s);
}

static char *read_data(const char *name, size_t *length)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, name);
    char *text = calloc(1, 8192);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(text);
    *length = fread(text, 1, 8191, file);
    assert_true(*length > 0);
    fclose(file);
    return text;
}

static void a_real_delivery_of_2019_becomes_a_ticket(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.replay_window_seconds = 0;
    options.webhook_key_file = TEST_DATA_DIR "/freshchat-message-2019.key.txt";
    struct scenario *s = scenario_begin(state, &options);

    size_t length, signature_length;
    char *body = read_data("freshchat-message-2019.json", &length);
    char *signature = read_data("freshchat-message-2019.sig.b64", &signature_length);
    signature[strcspn(signature, "\r\n")] = '\0';
    char headers[1024], *answer = NULL;
    snprintf(headers, sizeof headers, "Content-Type: application/json\r\nX-Freshchat-Signature: %s\r\n", signature);
    assert_int_equal(
        wire_post(scenario_address(s), scenario_port(s), "/webhooks/freshchat", headers, body, length, &answer), 200);
    assert_non_null(strstr(answer, "accepted"));
    free(answer);

    struct sandbox_ticket ticket;
    int64_t id = sandbox_wait_ticket(scenario_sandbox(s), "c327498e-f713-481e-8d83-0603e03d2521", 5000);
    assert_true(id != 0);
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_non_null(strstr(ticket.description_text, "Test 2"));
    sandbox_ticket_clear(&ticket);

    // The same bytes with one of them changed are nobody's.
    body[length / 2] ^= 1;
    assert_int_equal(
        wire_post(scenario_address(s), scenario_port(s), "/webhooks/freshchat", headers, body, length, NULL), 401);
    free(body);
    free(signature);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 1);
    scenario_end(s);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void a_ticket_exists_within_milliseconds(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    double took[CHATS];
    for (int i = 0; i < CHATS; i++) {
        char who[16];
        snprintf(who, sizeof who, "chat%d", i);
        customer_of(s, who);
        int64_t wrote = customer_writes(s, who, "How long does this take?");
        int64_t id = ticket_appears_within(s, who, 2000);
        struct sandbox_ticket ticket;
        assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
        took[i] = (double)(ticket.at_us - wrote) / 1000;
        assert_true(took[i] > 0 && took[i] < 2000);
        sandbox_ticket_clear(&ticket);
    }
    qsort(took, CHATS, sizeof *took, by_value);
    print_message("webhook to ticket over %d chats: median %.1f ms, worst %.1f ms\n", CHATS, took[CHATS / 2],
                  took[CHATS - 1]);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_customer_and_an_agent_talk, scenario_teardown),
        cmocka_unit_test_teardown(a_real_delivery_of_2019_becomes_a_ticket, scenario_teardown),
        cmocka_unit_test_teardown(a_ticket_exists_within_milliseconds, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
