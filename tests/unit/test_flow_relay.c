// SPDX-License-Identifier: Apache-2.0
// workers/flow_relay: unknown tickets, which entries are relayed, and who speaks them.
#include "tests/unit/flow_case.h"

#define ENTRIES_PATH(p) "/tickets/42/conversations?per_page=100&page=" p
#define AT(minute)      "\"created_at\":\"2025-03-04T10:" minute ":00Z\""
#define REPLY(id, minute, body)                                                                                        \
    "{\"id\":" id "," AT(minute) ",\"incoming\":false,\"private\":false,\"user_id\":9,\"source\":0,\"body\":\"" body   \
                                 "\"}"

static const uint64_t ten_ms = UINT64_C(1741082400000); // 2025-03-04T10:00:00Z

static struct flow_case *hinted(void)
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
    return c;
}

// The desk agent 9 and their chat identity are known.
static void know_agent(struct flow_case *c)
{
    struct agent desk = {
        .exists = true, .id = "9", .email = "Ida@shop.example", .name = "Ida Berg", .first_name = "Ida"};
    struct agent chat = {
        .exists = true, .id = AGENT, .email = "ida@shop.example", .name = "Ida B", .first_name = "Ida"};
    agents_put(c->agents, UPSTREAM_FRESHDESK, &desk);
    agents_put(c->agents, UPSTREAM_FRESHCHAT, &chat);
}

// ---- unknown tickets ------------------------------------------------------------------------------------------------

static void a_ticket_tells_its_conversation(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    c->job.lane.ticket_id = 0;
    case_calls(c, STEP_READ_TICKET, "GET", "/tickets/42", NULL);
    case_answer(c, ANSWER_OK, 200, SAID_MS,
                "{\"id\":42,\"requester_id\":77,\"custom_fields\":{\"cf_freshchat_conversation_id\":\"" CONVERSATION
                "\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.link_conversation, CONVERSATION);
    assert_int_equal(c->report.ticket_id, 42);
    assert_int_equal(c->report.requester_id, 77);
    assert_int_equal(c->report.rebuilt_ms, SAID_MS);
    static const char *const unlinked[] = {"{\"id\":42,\"custom_fields\":{\"cf_freshchat_conversation_id\":null}}",
                                           "{\"id\":42}", "{\"custom_fields\":[]}"};
    for (size_t i = 0; i < 3; i++) {
        case_begin(c, STEP_READ_TICKET);
        case_ok(c, unlinked[i]);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_string_equal(c->report.link_conversation, "");
        assert_int_equal(c->report.ticket_id, 0);
    }
    char json[600] = "{\"custom_fields\":{\"cf_freshchat_conversation_id\":\"";
    memset(json + strlen(json), 'x', 300);
    strcat(json, "\"}}");
    case_begin(c, STEP_READ_TICKET);
    case_ok(c, json);
    assert_string_equal(c->report.link_conversation, "");
    case_begin(c, STEP_READ_TICKET);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_begin(c, STEP_READ_TICKET);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_free(c);
}

// ---- entries --------------------------------------------------------------------------------------------------------

static void only_what_agents_said_to_the_customer_is_relayed(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    struct written ours = {.id = "106", .time_ms = ten_ms}, told = {.id = "107", .time_ms = ten_ms};
    know_agent(c);
    c->job.lane.mark_ms = ten_ms + 10 * 60000; // 10:10
    c->job.lane.desk_written.items = &ours;
    c->job.lane.desk_written.count = 1;
    c->job.lane.delivered.items = &told;
    c->job.lane.delivered.count = 1;
    case_calls(c, STEP_LIST_ENTRIES, "GET", ENTRIES_PATH("1"), NULL);
    case_ok(
        c,
        "[" REPLY(
            "112", "20",
            "<div>third</div>") ","
                                "{\"id\":101," AT(
                                    "19") ",\"incoming\":false,\"private\":true,\"user_id\":9,\"source\":2,\"body\":"
                                          "\"secret\"},"
                                          "{\"id\":102," AT(
                                              "19") ",\"incoming\":true,\"private\":false,\"user_id\":77,\"source\":"
                                                    "2,\"body\":\"customer\"},"
                                                    "{\"id\":103," AT(
                                                        "19") ",\"incoming\":false,\"private\":false,\"user_id\":9,"
                                                              "\"source\":6,\"body\":\"survey\"},"
                                                              "{\"id\":104," AT(
                                                                  "19") ",\"incoming\":false,\"private\":false,"
                                                                        "\"user_id\":null,\"source\":2,\"body\":"
                                                                        "\"automation\"},"
                                                                        "{\"id\":105," AT(
                                                                            "19") ",\"user_id\":9,"
                                                                                  "\"source\":2,"
                                                                                  "\"body\":\"says "
                                                                                  "not whether it is "
                                                                                  "public\"}," REPLY("106", "19", "written by Deskbell") "," REPLY("107", "19", "already there") "," REPLY(
                                                                                      "108", "04",
                                                                                      "settled long "
                                                                                      "ago") ",7,{"
                                                                                             "\"id\":"
                                                                                             "\"x\"},"
                                                                                             "{\"id\":"
                                                                                             "110," AT(
                                                                                                 "06") ",\"incomi"
                                                                                                       "ng\":"
                                                                                                       "false,"
                                                                                                       "\"private"
                                                                                                       "\":false,"
                                                                                                       "\"user_"
                                                                                                       "id\":9,"
                                                                                                       "\"source"
                                                                                                       "\":2,"
                                                                                                       "\"body\":"
                                                                                                       "\"late "
                                                                                                       "but "
                                                                                                       "new\"}"
                                                                                                       "," REPLY(
                                                                                                           "111", "20",
                                                                                                           "seco"
                                                                                                           "nd") "," REPLY("113",
                                                                                                                           "21",
                                                                                                                           "<p> </p>") "]");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    struct found *found = &c->context.found;
    assert_int_equal(found->entries.count, 3);
    assert_string_equal(found->entries.items[0].id, "110");
    assert_string_equal(found->entries.items[0].text, "late but new");
    assert_string_equal(found->entries.items[1].id, "111");
    assert_string_equal(found->entries.items[2].text, "third");
    assert_int_equal(found->entries.items[0].author, 9);
    assert_false(found->entries.items[0].look_first);
    assert_int_equal(found->mark_ms, ten_ms + 21 * 60000);
    assert_int_equal(c->report.mark_ms, 0);         // not before all is posted
    assert_int_equal(c->report.delivered.count, 1); // nothing to say in it
    assert_string_equal(c->report.delivered.items[0].id, "113");
    assert_string_equal(found->chat_agent, AGENT);
    assert_string_equal(found->agent_name, "Ida");
    case_free(c);
}

static void nothing_new_moves_the_mark_only(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[{\"id\":102," AT(
                   "19") ",\"incoming\":true,\"private\":false,\"user_id\":77,\"source\":2,\"body\":\"x\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, ten_ms + 19 * 60000);
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, 0);
    case_begin(c, STEP_LIST_ENTRIES);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_fails_plainly(c, STEP_LIST_ENTRIES, false);
    case_free(c);
}

static void what_is_not_newer_than_a_rebuilt_link_is_looked_for_first(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    know_agent(c);
    c->job.lane.rebuilt_ms = ten_ms + 19 * 60000;
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[" REPLY("1", "19", "old") "," REPLY("2", "20", "new") "]");
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_MESSAGE);
    assert_true(c->context.found.entries.items[0].look_first);
    assert_false(c->context.found.entries.items[1].look_first);
    case_free(c);
}

static void all_pages_are_read_and_sorted(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    know_agent(c);
    json_t *list = json_array();
    for (int i = 0; i < 100; i++)
        json_array_append_new(list, json_pack("{s:i,s:s,s:b,s:b,s:i,s:i,s:s}", "id", 1000 + i, "created_at",
                                              "2025-03-04T10:20:31Z", "incoming", 0, "private", 0, "user_id", 9,
                                              "source", 0, "body", "text"));
    char *full = json_dumps(list, 0);
    case_begin(c, STEP_LIST_ENTRIES);
    case_answer(c, ANSWER_OK, 200, SAID_MS, full);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_ENTRIES);
    assert_int_equal(c->report.listed_ms, 0);
    case_calls(c, STEP_LIST_ENTRIES, "GET", ENTRIES_PATH("2"), NULL);
    // the pages moved: one entry comes twice; and an older one comes last
    case_answer(
        c, ANSWER_OK, 200, SAID_MS + 60000,
        "[{\"id\":1099,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":false,\"private\":false,\"user_id\":"
        "9,\"source\":0,\"body\":\"text\"}," REPLY("5", "01", "oldest") "]");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_int_equal(c->context.found.entries.count, 101);
    assert_string_equal(c->context.found.entries.items[0].id, "5");
    assert_string_equal(c->context.found.entries.items[100].id, "1099");
    assert_int_equal(c->context.found.page, 0);
    assert_int_equal(c->report.listed_ms, SAID_MS - 2000); // of the first page: what came later may be missing
    assert_int_equal(c->context.found.clock_ahead_ms, 0);  // a look's own place is free again
    free(full);
    json_decref(list);
    case_free(c);
}

static void more_than_one_job_carries_is_listed_again(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    know_agent(c);
    for (int page = 0; page < 3; page++) {
        json_t *list = json_array();
        for (int i = 0; i < 100; i++) {
            char time[32];
            snprintf(time, sizeof time, "2025-03-04T10:%02d:%02dZ", page * 10 + i / 60, i % 60);
            json_array_append_new(list, json_pack("{s:i,s:s,s:b,s:b,s:i,s:i,s:s}", "id", page * 100 + i + 1,
                                                  "created_at", time, "incoming", 0, "private", 0, "user_id", 9,
                                                  "source", 0, "body", i == 99 && page == 1 ? "" : "t"));
        }
        char *text = json_dumps(list, 0);
        case_begin(c, STEP_LIST_ENTRIES);
        case_answer(c, ANSWER_OK, 200, SAID_MS, text);
        free(text);
        json_decref(list);
    }
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[]");
    assert_int_equal(c->report.listed_ms, 0); // more was listed than is carried
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_int_equal(c->context.found.entries.count, 199);
    assert_int_equal(c->report.delivered.count, 1);
    assert_int_equal(c->context.found.mark_ms, ten_ms + 11 * 60000 + 39000); // of the last that is carried
    c->context.found.entries.count = 1;
    case_begin(c, STEP_POST_MESSAGE);
    case_ok(c, "{\"id\":\"m1\"}");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_ENTRIES);
    assert_int_equal(c->report.mark_ms, ten_ms + 11 * 60000 + 39000);
    case_calls(c, STEP_LIST_ENTRIES, "GET", ENTRIES_PATH("1"), NULL);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

static const char *text_of(struct flow_case *c, const char *entry)
{
    know_agent(c);
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, entry);
    assert_int_equal(c->context.found.entries.count, 1);
    return c->context.found.entries.items[0].text;
}

static void entries_become_plain_text(void **state)
{
    (void)state;
    struct flow_case *c = hinted();
    assert_string_equal(
        text_of(c, "[" REPLY("1", "10",
                             "<div>Hi,<br>see <a href=\\\"https://s.example/x\\\">our page</a> &amp; call.</div>"
                             "<div class=\\\"freshdesk_quote\\\"><blockquote>earlier</blockquote></div>") "]"),
        "Hi,\nsee our page (https://s.example/x) & call.");
    assert_string_equal(
        text_of(c, "[{\"id\":2," AT("11") ",\"incoming\":false,\"private\":false,\"user_id\":9,\"source\":2,"
                                          "\"body\":\"<blockquote>quoted in a note</blockquote>yes\"}]"),
        "> quoted in a note\n\nyes");
    assert_string_equal(
        text_of(c, "[{\"id\":3," AT("12") ",\"incoming\":false,\"private\":false,\"user_id\":9,\"source\":0,"
                                          "\"body\":\"\",\"body_text\":\"only\\ntext\",\"attachments\":[{\"name\":\"a "
                                          "b.pdf\",\"attachment_url\":\"https://f.example/1?x=1\"},"
                                          "{\"name\":\"evil\",\"attachment_url\":\"javascript:x\"},{\"attachment_url\":"
                                          "\"https://f.example/2\"},7]}]"),
        "only\ntext\na b.pdf: https://f.example/1?x=1\nattachment: https://f.example/2");
    case_free(c);
}

// ---- who speaks -----------------------------------------------------------------------------------------------------

static struct flow_case *listed(const char *config)
{
    struct flow_case *c = case_new(config);
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
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[" REPLY("1", "19", "hello") "]");
    case_outcome(c, OUTCOME_DONE, STEP_READ_DESK_AGENT);
    return c;
}

#define DESK_AGENT "{\"id\":9,\"contact\":{\"name\":\"Ida Berg\",\"email\":\"Ida@Shop.example\"}}"
#define CHAT_AGENTS                                                                                                    \
    "[{\"id\":\"gone\",\"email\":\"ida@shop.example\",\"is_deactivated\":true},"                                       \
    "{\"id\":\"" AGENT                                                                                                 \
    "\",\"email\":\"ida@shop.EXAMPLE\",\"first_name\":\"Ida\",\"last_name\":\"B\"},{\"id\":7},null]"

static void the_agents_own_identity_is_found_by_mail(void **state)
{
    static const char *const lists[] = {"{\"agents\":" CHAT_AGENTS "}", CHAT_AGENTS};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct flow_case *c = listed("");
        case_calls(c, STEP_READ_DESK_AGENT, "GET", "/agents/9", NULL);
        case_ok(c, DESK_AGENT);
        case_outcome(c, OUTCOME_DONE, STEP_LIST_CHAT_AGENTS);
        assert_string_equal(c->context.found.agent_email, "Ida@Shop.example");
        case_calls(c, STEP_LIST_CHAT_AGENTS, "GET", "/agents?items_per_page=50&page=1", NULL);
        case_ok(c, lists[i]);
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        assert_string_equal(c->context.found.chat_agent, AGENT);
        assert_true(c->context.found.agent_known);
        // and is asked for no more
        case_begin(c, STEP_LIST_ENTRIES);
        case_ok(c, "[" REPLY("2", "20", "again") "]");
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        assert_string_equal(c->context.found.chat_agent, AGENT);
        case_free(c);
    }
}

static void the_list_of_agents_is_read_as_far_as_needed(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    case_begin(c, STEP_READ_DESK_AGENT);
    case_ok(c, DESK_AGENT);
    case_begin(c, STEP_LIST_CHAT_AGENTS);
    case_ok(c, "{\"agents\":[{\"id\":\"x\",\"email\":\"x@shop.example\"}],\"link\":{\"href\":\"/v2/agents?page=2\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_CHAT_AGENTS);
    case_calls(c, STEP_LIST_CHAT_AGENTS, "GET", "/agents?items_per_page=50&page=2", NULL);
    case_ok(c, "{\"agents\":[{\"id\":\"y\",\"email\":\"y@shop.example\"}],\"pagination\":{\"current_page\":2,\"total_"
               "pages\":3}}");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_CHAT_AGENTS);
    case_calls(c, STEP_LIST_CHAT_AGENTS, "GET", "/agents?items_per_page=50&page=3", NULL);
    case_ok(c, "{\"agents\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_string_equal(c->context.found.chat_agent, "");
    assert_int_equal(c->context.found.page, 0);
    // that there is none is known as well
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[" REPLY("2", "20", "again") "]");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_string_equal(c->context.found.agent_name, "Ida");
    case_free(c);
}

static void a_failing_look_up_holds_no_reply_up(void **state)
{
    const struct {
        enum answer answer;
        long status;
        const char *json;
    } rows[] = {{ANSWER_RETRY, 429, NULL},    {ANSWER_AUTH, 403, NULL},  {ANSWER_NOT_FOUND, 404, NULL},
                {ANSWER_RETRY, 0, NULL},      {ANSWER_RETRY, 200, NULL}, {ANSWER_REFUSED, 400, "{}"},
                {ANSWER_OK, 200, "{\"x\":1}"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_case *c = listed("");
        case_begin(c, STEP_READ_DESK_AGENT);
        case_answer(c, rows[i].answer, rows[i].status, 0, rows[i].json);
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        assert_string_equal(c->context.found.chat_agent, "");
        case_free(c);
        c = listed("");
        case_begin(c, STEP_READ_DESK_AGENT);
        case_ok(c, DESK_AGENT);
        case_begin(c, STEP_LIST_CHAT_AGENTS);
        case_answer(c, rows[i].answer, rows[i].status, 0, rows[i].json);
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        assert_string_equal(c->context.found.agent_name, "Ida");
        case_free(c);
    }
    // with nobody to fall back on it is tried again while that can help
    struct flow_case *c = listed("no agent");
    case_begin(c, STEP_READ_DESK_AGENT);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_begin(c, STEP_READ_DESK_AGENT);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    case_free(c);
}

// ---- the key's owner ------------------------------------------------------------------------------------------------

#define OWNERS(id, minute)                                                                                             \
    "{\"id\":" id "," AT(minute) ",\"incoming\":false,\"private\":false,\"user_id\":5,\"source\":2,\"body\":\"by a "   \
                                 "program\"}"

static struct flow_case *owned(bool answers)
{
    struct flow_case *c = hinted();
    c->config->freshdesk.key_owner_answers = answers;
    know_agent(c);
    struct agent owner = {.exists = true, .id = "5", .email = "", .name = "Deskbell", .first_name = "Deskbell"};
    agents_put(c->agents, UPSTREAM_FRESHDESK, &owner);
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[" OWNERS("1", "19") "," REPLY("2", "20", "hello") "]");
    return c;
}

static void what_the_keys_owner_writes_is_said_unless_it_is_nobody(void **state)
{
    (void)state;
    struct flow_case *c = owned(true);
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_int_equal(c->context.found.entries.count, 2);
    case_free(c);

    c = owned(false);
    case_outcome(c, OUTCOME_DONE, STEP_READ_KEY_OWNER);
    case_calls(c, STEP_READ_KEY_OWNER, "GET", "/agents/me", NULL);
    case_ok(c, "{\"id\":5,\"contact\":{\"name\":\"Deskbell\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_int_equal(c->context.found.entries.count, 1);
    assert_string_equal(c->context.found.entries.items[0].id, "2");
    assert_int_equal(c->report.delivered.count, 1);
    assert_string_equal(c->report.delivered.items[0].id, "1");
    // asked once: the next list knows
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, "[" OWNERS("3", "21") "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.delivered.items[0].id, "3");
    assert_int_equal(c->report.mark_ms, ten_ms + 21 * 60000);
    case_free(c);
}

static void an_owner_who_cannot_be_read_holds_up_nobody(void **state)
{
    static const struct {
        enum answer answer;
        const char *json;
    } rows[] = {{ANSWER_RETRY, NULL}, {ANSWER_AUTH, NULL}, {ANSWER_REFUSED, "{}"}, {ANSWER_OK, "[]"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_case *c = owned(false);
        case_begin(c, STEP_READ_KEY_OWNER);
        case_answer(c, rows[i].answer, 200, 0, rows[i].json);
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        assert_int_equal(c->context.found.entries.count, 2);
        assert_int_equal(case_begin(c, STEP_READ_KEY_OWNER), STEP_ANSWER); // not asked again at once
        case_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_tells_its_conversation),
        cmocka_unit_test(only_what_agents_said_to_the_customer_is_relayed),
        cmocka_unit_test(nothing_new_moves_the_mark_only),
        cmocka_unit_test(what_is_not_newer_than_a_rebuilt_link_is_looked_for_first),
        cmocka_unit_test(all_pages_are_read_and_sorted),
        cmocka_unit_test(more_than_one_job_carries_is_listed_again),
        cmocka_unit_test(entries_become_plain_text),
        cmocka_unit_test(the_agents_own_identity_is_found_by_mail),
        cmocka_unit_test(the_list_of_agents_is_read_as_far_as_needed),
        cmocka_unit_test(a_failing_look_up_holds_no_reply_up),
        cmocka_unit_test(what_the_keys_owner_writes_is_said_unless_it_is_nobody),
        cmocka_unit_test(an_owner_who_cannot_be_read_holds_up_nobody),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
