// SPDX-License-Identifier: Apache-2.0
// workers/flow_repeat: late twins of our own notes stay out of the chat; whoever quotes such a note is heard.
#include "tests/unit/flow_case.h"

#define READ_PATH(page)                                                                                                \
    "/conversations/" CONVERSATION "/messages?from_time=2025-03-02T10%3A21%3A40.000Z&items_per_page=50&page=" page
#define MIRROR "<div><b>Ida B</b> (in chat, 10:20:30 UTC): "
#define CHAT(type, actor, second, parts)                                                                               \
    "{\"id\":\"m1\",\"created_time\":\"2025-03-04T10:20:" second ".456Z\",\"actor_type\":\"" type                      \
    "\",\"actor_id\":\"" actor "\",\"message_parts\":[" parts "]}"
#define TEXT(words) "{\"text\":{\"content\":\"" words "\"}}"

// An entry of source 2 (a note) or 0 (a reply) by the agent 9, who is known in both products.
static struct flow_case *listed(const char *body, int source, const char *more)
{
    struct flow_case *c = case_new("");
    c->events[0] = (struct event){.kind = EVENT_HINT,
                                  .key = "",
                                  .conversation = CONVERSATION,
                                  .conversation_twin = "",
                                  .channel = "",
                                  .user = "",
                                  .actor = "",
                                  .message = "",
                                  .reason = "",
                                  .ticket_id = 42};
    c->job.lane.ticket_id = 42;
    struct agent desk = {.exists = true, .id = "9", .email = "ida@shop.example", .name = "Ida Berg", .first_name = ""};
    struct agent chat = {.exists = true, .id = AGENT, .email = "ida@shop.example", .name = "Ida B", .first_name = ""};
    agents_put(c->agents, UPSTREAM_FRESHDESK, &desk);
    agents_put(c->agents, UPSTREAM_FRESHCHAT, &chat);
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, arena_printf(c->arena,
                            "[{\"id\":101,\"created_at\":\"2025-03-04T10:21:40Z\",\"incoming\":false,\"private\":false,"
                            "\"user_id\":9,\"source\":%d,\"body\":\"%s\"%s}]",
                            source, body, more));
    return c;
}

// Whether an entry with that body is taken for a repetition of a chat message.
static void is_repeated(const char *body, const char *messages, bool repeated)
{
    struct flow_case *c = listed(body, 2, "");
    case_outcome(c, OUTCOME_DONE, STEP_READ_CHAT);
    case_calls(c, STEP_READ_CHAT, "GET", READ_PATH("1"), NULL);
    case_ok(c, arena_printf(c->arena, "{\"messages\":[%s]}", messages));
    case_outcome(c, OUTCOME_DONE, repeated ? STEP_NONE : STEP_POST_MESSAGE);
    assert_int_equal(c->report.delivered.count, repeated ? 1 : 0);
    if (repeated) {
        assert_string_equal(c->report.delivered.items[0].id, "101");
        assert_int_equal(c->report.mark_ms, c->report.delivered.items[0].time_ms);
    } else {
        assert_int_equal(case_begin(c, STEP_POST_MESSAGE), STEP_CALL);
    }
    case_free(c);
}

static void a_late_twin_of_a_mirror_note_is_not_said(void **state)
{
    (void)state;
    is_repeated(MIRROR "typed in chat</div>", CHAT("agent", AGENT, "30", TEXT("typed in chat")), true);
    is_repeated("<b>Ida B</b> (in chat, 2025-03-04 10:20:30 UTC): typed in chat",
                CHAT("agent", AGENT, "30", TEXT("typed in chat")), true);
    // wrapped, with lines, under the name that stands where none could be had, of somebody who is not known here
    is_repeated("<div>" MIRROR "one<br>two</div></div>", CHAT("agent", AGENT, "30", TEXT("one\\ntwo")), true);
    is_repeated("<b>An agent</b> (in chat, 10:20:30 UTC): x", CHAT("agent", AGENT, "30", TEXT("x")), true);
    is_repeated("<b>Bo</b> (in chat, 10:20:30 UTC): x", CHAT("agent", OTHER_AGENT, "30", TEXT("x")), true);
    // what an agent's editor made, several parts, files, and a card number that was masked
    is_repeated(MIRROR "so <b>it</b> is", CHAT("agent", AGENT, "30", TEXT("<p>so <i>it</i> is</p>")), true);
    is_repeated(MIRROR "one<br>two", CHAT("agent", AGENT, "30", TEXT("one") "," TEXT("two")), true);
    is_repeated(MIRROR "see<br>Image: <a href=\\\"https://x.example/1\\\">boiler.png</a>",
                CHAT("agent", AGENT, "30", TEXT("see") ",{\"image\":{\"url\":\"https://x.example/1\"}}"), true);
    is_repeated(MIRROR "card 411111******1111", CHAT("agent", AGENT, "30", TEXT("card 4111111111111111")), true);
    // among others
    is_repeated(MIRROR "typed",
                CHAT("user", USER, "30", TEXT("typed")) "," CHAT("agent", AGENT, "29", TEXT("typed")) "," CHAT(
                    "agent", AGENT, "30", TEXT("typed")),
                true);
}

static void an_agent_who_quotes_a_mirror_is_heard(void **state)
{
    (void)state;
    const char *said = CHAT("agent", AGENT, "30", TEXT("typed in chat"));
    is_repeated(MIRROR "typed in chat. As I said.</div>", said, false);
    is_repeated(MIRROR "typed</div>", said, false);
    is_repeated("<div>As <b>Ida B</b> (in chat, 10:20:30 UTC): typed in chat</div>", said, false);
    is_repeated(MIRROR "typed in chat</div>", CHAT("agent", AGENT, "31", TEXT("typed in chat")), false);
    is_repeated(MIRROR "typed in chat</div>", CHAT("user", USER, "30", TEXT("typed in chat")), false);
    is_repeated(MIRROR "typed in chat</div>", "", false);
    is_repeated(MIRROR "see this<br>please",
                CHAT("agent", AGENT, "30", TEXT("see that") ",{\"image\":{\"url\":\"https://x.example/1\"}}"), false);
}

static void what_has_not_the_form_costs_no_call(void **state)
{
    static const struct {
        const char *body;
        int source;
        const char *more;
    } rows[] = {
        {MIRROR "typed", 0, ""}, // a reply: Deskbell writes none
        {MIRROR "typed", 2, ",\"attachments\":[{\"name\":\"a\",\"attachment_url\":\"https://x.example/a\"}]"},
        {MIRROR "", 2, ""},
        {"(in chat, 10:20:30 UTC): typed", 2, ""},
        {"<b>Ida B</b> (in chat, 10:20 UTC): typed", 2, ""},
        {"<b>Ida B</b> (in chat, 30:20:30 UTC): typed", 2, ""},
        {"you said it (in chat, yesterday)", 2, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_case *c = listed(rows[i].body, rows[i].source, rows[i].more);
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        case_free(c);
    }
}

static void the_chat_is_read_to_its_end(void **state)
{
    (void)state;
    struct flow_case *c = listed(MIRROR "typed", 2, "");
    c->job.lane.conversation_twin = "9001";
    case_calls(c, STEP_READ_CHAT, "GET", READ_PATH("1"), NULL);
    case_ok(c, "{\"messages\":[" CHAT("agent", AGENT, "31", TEXT("later")) "],\"link\":{\"href\":\"/v2/next\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_READ_CHAT);
    case_calls(c, STEP_READ_CHAT, "GET", READ_PATH("2"), NULL);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL); // known under its numeric id only
    case_outcome(c, OUTCOME_DONE, STEP_READ_CHAT);
    case_begin(c, STEP_READ_CHAT);
    assert_true(case_has(c->request.path, "/conversations/9001/messages?"));
    assert_true(case_has(c->request.path, "&page=2"));
    case_ok(c, "{\"messages\":[" CHAT("agent", AGENT, "30", TEXT("typed")) "]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->context.found.page, 0);
    case_free(c);
}

static void a_chat_that_cannot_be_read_is_asked_again(void **state)
{
    (void)state;
    struct flow_case *c = listed(MIRROR "typed", 2, "");
    case_fails_plainly(c, STEP_READ_CHAT, false);
    // for good: then an agent's word is not held back
    case_begin(c, STEP_READ_CHAT);
    case_answer(c, ANSWER_AUTH, 403, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    case_free(c);
}

// The mirror was on its way while the list was read; its report came meanwhile.
static void a_note_whose_id_is_known_by_now_is_passed_over(void **state)
{
    (void)state;
    struct flow_case *c = listed(MIRROR "typed", 2, "");
    struct written ours = {.id = "101", .time_ms = SAID_MS};
    c->job.lane.desk_written.items = &ours;
    c->job.lane.desk_written.count = 1;
    assert_int_equal(case_begin(c, STEP_READ_CHAT), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

static void what_stands_behind_a_note_of_ours_is_asked_for_too(void **state)
{
    (void)state;
    struct flow_case *c = listed("<p>hello</p>", 0, "");
    struct entry items[2] = {c->context.found.entries.items[0], c->context.found.entries.items[0]};
    items[1].id = "102";
    items[1].text = "Ida B (in chat, 10:20:30 UTC): typed";
    items[1].repeats = true;
    c->context.found.entries.items = items;
    c->context.found.entries.count = 2;
    struct written ours = {.id = "101", .time_ms = SAID_MS};
    c->job.lane.desk_written.items = &ours;
    c->job.lane.desk_written.count = 1;
    assert_int_equal(case_begin(c, STEP_POST_MESSAGE), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_READ_CHAT);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_twin_of_a_mirror_note_is_not_said),
        cmocka_unit_test(an_agent_who_quotes_a_mirror_is_heard),
        cmocka_unit_test(what_has_not_the_form_costs_no_call),
        cmocka_unit_test(the_chat_is_read_to_its_end),
        cmocka_unit_test(a_chat_that_cannot_be_read_is_asked_again),
        cmocka_unit_test(a_note_whose_id_is_known_by_now_is_passed_over),
        cmocka_unit_test(what_stands_behind_a_note_of_ours_is_asked_for_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
