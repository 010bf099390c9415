// SPDX-License-Identifier: Apache-2.0
// workers/flow_open_ticket: the customer read or not, the ticket as it is sent, refusals, doubt and the look.
#include "tests/unit/flow_case.h"
#include "workers/ticket.h"

#define RULES                                                                                                          \
    "priority high-value { min_cart_value = 200.0 level = \"urgent\" tags = {\"high-value\"} group_id = 9 }\n"         \
    "priority struggling { min_cart_value = 50.0 min_friction = 60 level = \"high\" }\n"                               \
    "ticket { type = \"Question\" group_id = 5 product_id = 6 fields = {\"cf_region=EU\"} }\n"

#define READ_PATH "/users/" USER

static const char ANNA[] =
    "{\"id\":\"" USER "\",\"first_name\":\"Anna\",\"last_name\":\"<b>Rossi\",\"email\":\"anna@a.example\","
    "\"phone\":\"+49123456\",\"properties\":[{\"name\":\"cart_value\",\"value\":\"249.00\"},"
    "{\"name\":\"friction_score\",\"value\":\"71\"},{\"name\":\"screen\",\"value\":\"/checkout\"}]}";

static const char LINES[] =
    "\"description\":\"<div><b>10:20:30 UTC</b> My boiler is cold</div><hr><div>From the shop&#39;s chat";

static void the_whole_way(void **state)
{
    (void)state;
    struct flow_case *c = case_new(RULES);
    case_calls(c, STEP_READ_CUSTOMER, "GET", READ_PATH, NULL);
    assert_int_equal(c->request.timeout_ms, 1000);
    case_ok(c, ANNA);
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
    assert_int_equal(c->report.worth_cents, 24900); // before the ticket exists: it orders the queue for it
    case_calls(c, STEP_CREATE_TICKET, "POST", "/tickets",
               "{\"subject\":\"249.00 · Anna <b>Rossi: My boiler is cold\","
               "\"description\":\"<div><b>10:20:30 UTC</b> My boiler is cold</div><hr><div>From the shop&#39;s chat"
               "<br>Name: Anna &lt;b&gt;Rossi<br>E-mail: anna@a.example<br>Phone: +49123456<br>Cart value: 249.00"
               "<br>Friction: 71, high<br>Screen: /checkout<br>Conversation: " CONVERSATION "</div>\","
               "\"source\":7,\"status\":2,\"priority\":4,\"email\":\"anna@a.example\",\"name\":\"Anna <b>Rossi\","
               "\"type\":\"Question\",\"group_id\":9,\"product_id\":6,\"tags\":[\"high-value\"],"
               "\"custom_fields\":{\"cf_freshchat_conversation_id\":\"" CONVERSATION "\",\"cf_cart_value\":249.0,"
               "\"cf_friction_score\":71,\"cf_screen\":\"/checkout\",\"cf_region\":\"EU\"}}");
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":9007199254740993,\"requester_id\":77,\"subject\":\"x\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 9007199254740993);
    assert_int_equal(c->report.requester_id, 77);
    assert_string_equal(c->report.user, USER);
    assert_true(c->report.context_known);
    assert_true(c->report.context.read);
    assert_int_equal(c->report.context.priority, 4);
    assert_int_equal(c->report.worth_cents, 24900);
    assert_int_equal(c->report.followups.count, 0);
    assert_string_equal(c->report.what, "ticket opened");
    case_free(c);
}

// Anna is read; the helpdesk's agents are not known yet.
static struct flow_case *claimed(const char *properties)
{
    struct flow_case *c = case_new("");
    agents_free(&c->agents);
    c->context.agents = c->agents = agents_new(clock_mono_ms);
    case_begin(c, STEP_READ_CUSTOMER);
    case_ok(c, properties);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_DESK_AGENTS);
    return c;
}

static void opens_as(struct flow_case *c, const char *requester)
{
    assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_CALL);
    if (!case_has(c->request.body, requester))
        fail_msg("no %s in %s", requester, c->request.body);
    case_free(c);
}

#define AGENTS_PATH(page) "/agents?per_page=100&page=" page
#define DESK_AGENT(id, email, phone)                                                                                   \
    "{\"id\":" id ",\"contact\":{\"name\":\"x\",\"email\":\"" email "\",\"phone\":" phone "}}"
#define AS_USER "\"unique_external_id\":\"" USER "\",\"name\":\"Anna\""

static void whoever_claims_to_be_an_agent_is_a_shopper(void **state)
{
    static const char person[] = "{\"first_name\":\"Anna\",\"email\":\"%s\",\"phone\":\"%s\"}";
    static const struct {
        const char *email;
        const char *phone;
        const char *requester;
    } rows[] = {
        {"IDA@shop.example", "", AS_USER},
        {"ida@shop.example", "+49 30 99999", AS_USER}, // nor by the number beside it
        {"", "030 / 123 45 67", AS_USER},              // an agent's, written in another way
        {"", "+4930999999", "\"phone\":\"+4930999999\""},
        {"anna@a.example", "+49 30 123 45 67", "\"email\":\"anna@a.example\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[400];
        snprintf(json, sizeof json, person, rows[i].email, rows[i].phone);
        struct flow_case *c = claimed(json);
        case_calls(c, STEP_LIST_DESK_AGENTS, "GET", AGENTS_PATH("1"), NULL);
        case_ok(c, "[" DESK_AGENT("8", "bo@shop.example", "null") "," DESK_AGENT("9", "ida@shop.example",
                                                                                 "\"+49 (0)30 1234567\"") "]");
        case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
        assert_int_equal(agents_wanted_page(c->agents), 0); // and the next customer costs no call
        opens_as(c, rows[i].requester);
    }
}

static void all_pages_of_the_agents_are_read(void **state)
{
    (void)state;
    struct flow_case *c = claimed(ANNA);
    const char *page = "[";
    for (int i = 0; i < 100; i++)
        page = arena_printf(c->arena, "%s%s{\"id\":%d,\"contact\":{}}", page, i ? "," : "", 100 + i);
    page = arena_printf(c->arena, "%s]", page);
    case_begin(c, STEP_LIST_DESK_AGENTS);
    case_ok(c, page);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_DESK_AGENTS);
    case_calls(c, STEP_LIST_DESK_AGENTS, "GET", AGENTS_PATH("2"), NULL);
    case_ok(c, "[" DESK_AGENT("9", "anna@a.example", "null") "]");
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
    assert_int_equal(c->context.found.page, 0);
    // Another worker, which knows no agents, may get the next step: what was found says it.
    assert_true(c->context.found.omit & TICKET_OMIT_IDENTITY);
    c->context.found.omit = 0;
    assert_int_equal(case_begin(c, STEP_LIST_DESK_AGENTS), STEP_ANSWER);
    assert_true(c->context.found.omit & TICKET_OMIT_IDENTITY);
    opens_as(c, "\"unique_external_id\":\"" USER "\"");
}

static void agents_that_cannot_be_listed_hold_up_no_ticket(void **state)
{
    static const struct {
        enum answer answer;
        long status;
        const char *json;
    } rows[] = {{ANSWER_RETRY, 0, NULL}, {ANSWER_REFUSED, 403, "{}"}, {ANSWER_AUTH, 401, NULL}, {ANSWER_OK, 200, "{}"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_case *c = claimed(ANNA);
        case_begin(c, STEP_LIST_DESK_AGENTS);
        case_answer(c, rows[i].answer, rows[i].status, 0, rows[i].json);
        case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
        assert_int_equal(agents_wanted_page(c->agents), 0); // not by every ticket: again in some minutes
        opens_as(c, "\"email\":\"anna@a.example\"");
    }
}

static void whatever_keeps_the_customer_unread_the_ticket_is_opened(void **state)
{
    const struct {
        enum answer answer;
        long status;
        const char *json;
    } rows[] = {
        {ANSWER_RETRY, 0, NULL},
        {ANSWER_RETRY, 429, NULL},
        {ANSWER_RETRY, 200, NULL},
        {ANSWER_AUTH, 401, NULL},
        {ANSWER_NOT_FOUND, 404, "{\"code\":404}"},
        {ANSWER_REFUSED, 400, "{}"},
        {ANSWER_OK, 200, "[1]"},
        {ANSWER_RETRY, 503, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_case *c = case_new("");
        case_calls(c, STEP_READ_CUSTOMER, "GET", READ_PATH, NULL);
        case_answer(c, rows[i].answer, rows[i].status, 0, rows[i].json);
        case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
        assert_false(c->context.found.context.read);
        case_calls(
            c, STEP_CREATE_TICKET, "POST", "/tickets",
            "{\"subject\":\"My boiler is cold\",\"description\":\"<div><b>10:20:30 UTC</b> My boiler is cold</div>"
            "<hr><div>From the shop&#39;s chat; the customer could not be read yet<br>Conversation: " CONVERSATION
            "</div>\",\"source\":7,\"status\":2,\"priority\":2,\"unique_external_id\":\"" USER
            "\",\"name\":\"Chat visitor\","
            "\"custom_fields\":{\"cf_freshchat_conversation_id\":\"" CONVERSATION "\"}}");
        case_ok(c, "{\"id\":42,\"requester_id\":77}");
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_int_equal(c->report.followups.count, 2);
        assert_int_equal(c->report.followups.items[0].kind, EVENT_CONTEXT);
        assert_int_equal(c->report.followups.items[0].delay_ms, 2000);
        assert_int_equal(c->report.followups.items[0].round, 1);
        assert_int_equal(c->report.followups.items[1].delay_ms, 10000);
        assert_int_equal(c->report.followups.items[1].round, 2);
        assert_true(c->report.context_known);
        assert_false(c->report.context.read);
        case_free(c);
    }
}

static void a_customer_is_asked_for_a_second_at_most(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    c->job.age_ms = 400;
    case_calls(c, STEP_READ_CUSTOMER, "GET", READ_PATH, NULL);
    assert_int_equal(c->request.timeout_ms, 600);
    c->job.age_ms = 990;
    assert_int_equal(case_begin(c, STEP_READ_CUSTOMER), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
    c->job.age_ms = 3600000;
    assert_int_equal(case_begin(c, STEP_READ_CUSTOMER), STEP_ANSWER);
    c->job.age_ms = 0;
    c->events[0].user = c->job.lane.user = "";
    assert_int_equal(case_begin(c, STEP_READ_CUSTOMER), STEP_ANSWER);
    c->events[0].user = "a/../b?x";
    case_calls(c, STEP_READ_CUSTOMER, "GET", "/users/a%2F..%2Fb%3Fx", NULL);
    case_free(c);
}

// Reads a customer and returns the ticket's body.
static const char *ticket_for(struct flow_case *c, const char *user)
{
    case_begin(c, STEP_READ_CUSTOMER);
    case_ok(c, user);
    assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_CALL);
    return c->request.body;
}

static void what_is_no_number_is_shown_and_raises_nothing(void **state)
{
    (void)state;
    struct flow_case *c = case_new(RULES);
    const char *body = ticket_for(c, "{\"properties\":[{\"name\":\"cart_value\",\"value\":\"a <million>\"},"
                                     "{\"name\":\"friction_score\",\"value\":\"NaN\"}]}");
    assert_true(case_has(body, "\"subject\":\"\\\"a <million>\\\", as the browser says · My boiler is cold\""));
    assert_true(case_has(body, "\"priority\":2"));
    assert_true(case_has(body, "\"cf_cart_value\":\"a <million>\",\"cf_friction_score\":\"NaN\""));
    assert_true(case_has(body, "Cart value: &quot;a &lt;million&gt;&quot;, as the browser says"));
    assert_false(case_has(body, "cf_screen"));
    case_free(c);

    // missing is empty, never 0; 0 is 0; too much is clamped
    c = case_new(RULES);
    body = ticket_for(
        c, "{\"properties\":[{\"name\":\"friction_score\",\"value\":null},{\"name\":\"cart_value\",\"value\":0}]}");
    assert_false(case_has(body, "friction"));
    assert_true(case_has(body, "\"cf_cart_value\":0.0"));
    case_free(c);

    c = case_new(RULES);
    body = ticket_for(
        c, "{\"properties\":[{\"name\":\"friction_score\",\"value\":1000},{\"name\":\"cart_value\",\"value\":60.5},"
           "{\"name\":\"currency\",\"value\":\"EUR\"}]}");
    assert_true(case_has(body, "\"cf_friction_score\":100"));
    assert_true(case_has(body, "\"cf_cart_value\":60.5"));
    assert_true(case_has(body, "\"subject\":\"60.5 EUR · My boiler is cold\""));
    assert_true(case_has(body, "\"priority\":3"));
    assert_true(case_has(body, "\"group_id\":5"));
    case_free(c);

    // other shapes of the same: an object, names of custom fields, junk between
    c = case_new(RULES);
    body = ticket_for(c, "{\"properties\":{\"cart_value\":\"210\",\"cf_screen\":\"cart\",\"x\":{}}}");
    assert_true(case_has(body, "\"cf_cart_value\":210.0,\"cf_screen\":\"cart\""));
    assert_true(case_has(body, "\"priority\":4"));
    case_free(c);
    c = case_new(RULES);
    body = ticket_for(c, "{\"properties\":[1,null,[],{\"name\":5},{\"name\":\"cart_value\",\"value\":{}}],\"email\":7,"
                         "\"first_name\":[]}");
    assert_false(case_has(body, "cf_cart_value"));
    assert_true(case_has(body, "\"unique_external_id\":\"" USER "\""));
    case_free(c);
}

static void one_identity_only(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    const char *body = ticket_for(c, "{\"email\":\"a@b.example\",\"phone\":\"+4912345\"}");
    assert_true(case_has(body, "\"priority\":2,\"email\":\"a@b.example\",\"custom_fields\""));
    assert_false(case_has(body, "\"phone\""));
    case_free(c);
    c = case_new("");
    body = ticket_for(c, "{\"phone\":\"+49 (123) 45\"}");
    assert_true(case_has(body, "\"phone\":\"+49 (123) 45\",\"name\":\"Chat visitor\""));
    assert_false(case_has(body, "unique_external_id"));
    case_free(c);
    c = case_new("");
    body = ticket_for(c, "{\"email\":\"not an address\",\"phone\":\"call me\",\"first_name\":\"Bo\"}");
    assert_true(case_has(body, "\"unique_external_id\":\"" USER "\",\"name\":\"Bo\""));
    assert_false(case_has(body, "\"email\""));
    case_free(c);
}

static void the_subject_is_one_short_line(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    c->parts[0].text = "line one\n\n\tline  two \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 and so on and on, far "
                       "beyond the sixtieth character";
    case_begin(c, STEP_CREATE_TICKET);
    assert_true(case_has(c->request.body, "\"subject\":\"line one line two \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"
                                          " and so on and on, far beyond the sixti\""));
    c->parts[0] = (struct part){.kind = PART_IMAGE, .text = "", .label = "", .url = "https://i.example/a.png"};
    case_begin(c, STEP_CREATE_TICKET);
    assert_true(case_has(c->request.body, "\"subject\":\"Image\""));
    c->events[0].parts.count = 0;
    case_begin(c, STEP_CREATE_TICKET);
    assert_true(case_has(c->request.body, "\"subject\":\"Chat message\""));
    case_free(c);
}

// ---- refusals -------------------------------------------------------------------------------------------------------

static void refuse(struct flow_case *c, const char *field)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"description\":\"Validation "
             "failed\",\"errors\":[{\"field\":\"%s\",\"message\":\"no\",\"code\":\"invalid_value\"}]}",
             field);
    case_answer(c, ANSWER_REFUSED, 400, 0, json);
}

static void mistyped(struct flow_case *c, const char *field)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"description\":\"Validation failed\",\"errors\":[{\"field\":\"custom_fields.%s\",\"message\":\"no\","
             "\"code\":\"datatype_mismatch\"}]}",
             field);
    case_answer(c, ANSWER_REFUSED, 400, 0, json);
}

static void fields_that_hold_text_get_text(void **state)
{
    (void)state;
    struct flow_case *c = case_new(RULES);
    assert_true(case_has(ticket_for(c, ANNA), "\"cf_cart_value\":249.0,\"cf_friction_score\":71,"));
    mistyped(c, "cf_cart_value");
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
    case_begin(c, STEP_CREATE_TICKET);
    assert_true(case_has(c->request.body, "\"cf_cart_value\":\"249.00\",\"cf_friction_score\":71,"));
    case_free(c);
    // the next ticket knows
    c = case_new(RULES);
    assert_true(case_has(ticket_for(c, ANNA), "\"cf_cart_value\":\"249.00\",\"cf_friction_score\":71,"));
    // and when it is wrong by now, the ticket opens without it, and the one after begins anew
    mistyped(c, "cf_cart_value");
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
    case_begin(c, STEP_CREATE_TICKET);
    assert_false(case_has(c->request.body, "cf_cart_value"));
    case_free(c);
    c = case_new(RULES);
    assert_true(case_has(ticket_for(c, ANNA), "\"cf_cart_value\":249.0,"));
    case_free(c);
}

static void two_tickets_at_once_learn_the_same(void **state)
{
    (void)state;
    struct flow_case *a = case_new(RULES), *b = case_new(RULES);
    ticket_for(a, ANNA);
    ticket_for(b, ANNA);
    mistyped(a, "cf_cart_value");
    mistyped(b, "cf_cart_value"); // it said a number too: that the other ticket learnt meanwhile is not its own mistake
    case_begin(b, STEP_CREATE_TICKET);
    assert_true(case_has(b->request.body, "\"cf_cart_value\":\"249.00\""));
    mistyped(b, "cf_cart_value"); // unlearns for the tests after this one
    case_free(a);
    case_free(b);
}

static void what_the_helpdesk_refuses_is_left_out(void **state)
{
    static const struct {
        const char *field, *member;
    } rows[] = {
        {"custom_fields.cf_cart_value", "\"cf_cart_value\""},
        {"cf_friction_score", "\"cf_friction_score\""},
        {"custom_fields.cf_screen", "\"cf_screen\""},
        {"custom_fields.cf_freshchat_conversation_id", "\"cf_freshchat_conversation_id\""},
        {"type", "\"type\""},
        {"group_id", "\"group_id\""},
        {"product_id", "\"product_id\""},
        {"tags", "\"tags\""},
        {"email", "\"email\""},
    };
    (void)state;
    struct flow_case *c = case_new(RULES);
    ticket_for(c, ANNA);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(case_has(c->request.body, rows[i].member));
        refuse(c, rows[i].field);
        case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
        assert_string_not_equal(c->report.cause, "");
        assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_CALL);
        assert_false(case_has(c->request.body, rows[i].member));
        assert_true(case_has(c->request.body, LINES));
    }
    assert_true(case_has(c->request.body, "\"unique_external_id\":\"" USER "\""));
    // the same again is no news: it is refused for good
    refuse(c, "email");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_begin(c, STEP_CREATE_TICKET);
    refuse(c, "description");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    // required fields: once as numbers, then not at all
    case_begin(c, STEP_CREATE_TICKET);
    refuse(c, "cf_region");
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
    case_begin(c, STEP_CREATE_TICKET);
    assert_true(case_has(c->request.body, "\"cf_region\":\"EU\""));
    refuse(c, "cf_region");
    case_begin(c, STEP_CREATE_TICKET);
    assert_false(case_has(c->request.body, "cf_region"));
    refuse(c, "cf_region");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_free(c);
}

static void failures_of_the_ticket_call(void **state)
{
    (void)state;
    struct flow_case *c = case_new(RULES);
    case_fails_plainly(c, STEP_CREATE_TICKET, true);
    case_begin(c, STEP_CREATE_TICKET);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_begin(c, STEP_CREATE_TICKET);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":{\"field\":1}}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_free(c);
}

static void a_conversation_with_a_ticket_never_gets_a_second(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    c->job.lane.ticket_id = 41;
    assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_APPEND_NOTE);
    case_free(c);
}

// ---- the look -------------------------------------------------------------------------------------------------------

#define TICKET(id, conversation, created)                                                                              \
    "{\"id\":" id ",\"requester_id\":7,\"created_at\":\"" created "\",\"updated_at\":\"" created                       \
    "\",\"custom_fields\":{\"cf_freshchat_conversation_id\":" conversation "}}"
#define OURS "\"" CONVERSATION "\""
#define LOOK_PATH(page)                                                                                                \
    "/tickets?updated_since=2025-03-04T10%3A10%3A25Z&order_by=updated_at&order_type=asc&per_page=100&page=" page

#define LOOK_FROM(second)                                                                                              \
    "/tickets?updated_since=2025-03-04T10%3A20%3A" second "Z&order_by=updated_at&order_type=asc&per_page=100&page="

static void a_look_adopts_the_ticket(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_PATH("1"), NULL);
    case_ok(c, "[" TICKET("40", "\"" CONVERSATION "x\"", "2025-03-04T10:20:31Z") "," TICKET(
                   "41", "null",
                   "2025-03-04T10:20:31Z") "," TICKET("43", OURS,
                                                      "2025-03-04T10:20:33Z") "," TICKET("42", OURS,
                                                                                         "2025-03-04T10:20:32Z") "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 42); // the oldest
    assert_int_equal(c->report.requester_id, 7);
    assert_true(c->report.context_known);
    assert_int_equal(c->report.followups.count, 2);
    case_free(c);
}

// Between two calls the first ticket of the list changes and moves to its end, so that ours moves up to where the list
// was read already. Page 2 would not have it.
static void a_look_passes_over_no_ticket_that_moved_up(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    json_t *page = json_array();
    for (int i = 0; i < 100; i++) {
        char when[32];
        snprintf(when, sizeof when, "2025-03-04T10:20:%02dZ", i / 2);
        json_array_append_new(page, json_pack("{s:i,s:s}", "id", i + 1, "updated_at", when));
    }
    char *full = json_dumps(page, 0);
    json_decref(page);
    case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_PATH("1"), NULL);
    case_ok(c, full);
    free(full);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_TICKET);
    case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_FROM("48") "1", NULL);
    case_ok(c, "[" TICKET("142", OURS, "2025-03-04T10:20:49Z") "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 142);
    assert_int_equal(c->context.found.mark_ms, 0);
    case_free(c);
}

static void a_look_reads_page_after_page(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    json_t *page = json_array();
    for (int i = 0; i < 100; i++)
        json_array_append_new(page, json_pack("{s:i,s:s}", "id", i + 1, "updated_at", "2025-03-04T10:20:31Z"));
    char *full = json_dumps(page, 0);
    case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_PATH("1"), NULL);
    case_ok(c, full);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_TICKET);
    // A page of one second's changes: then the second of the same list.
    case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_FROM("30") "1", NULL);
    case_ok(c, full);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_TICKET);
    case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_FROM("30") "2", NULL);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_int_equal(c->context.found.page, 0);
    assert_int_equal(c->context.found.mark_ms, 0);
    // A list that stands still for 300 pages is not "not found".
    case_begin(c, STEP_LOOK_TICKET);
    case_ok(c, full);
    c->context.found.page = 300;
    case_begin(c, STEP_LOOK_TICKET);
    case_ok(c, full);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    free(full);
    json_decref(page);
    case_fails_plainly(c, STEP_LOOK_TICKET, false);
    case_free(c);
}

static void a_helpdesk_clock_far_off_is_looked_at_again(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    int64_t ahead = -3600000; // the helpdesk's clock is an hour behind the chat's
    c->job.since_there_ms = 0;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    assert_int_equal(case_begin(c, STEP_LOOK_TICKET), STEP_CALL);
    assert_true(case_has(c->request.path, "updated_since=2025-03-04T10%3A09%3A"));
    case_answer(c, ANSWER_OK, 200, (uint64_t)(clock_wall_ms() + ahead), "[]");
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_TICKET);
    assert_int_equal(case_begin(c, STEP_LOOK_TICKET), STEP_CALL);
    assert_true(case_has(c->request.path, "updated_since=2025-03-04T09%3A09%3A"));
    case_answer(c, ANSWER_OK, 200, (uint64_t)(clock_wall_ms() + ahead), "[]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    // a near one is not
    case_begin(c, STEP_LOOK_TICKET);
    case_answer(c, ANSWER_OK, 200, (uint64_t)(clock_wall_ms() + 2000), "[]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_free(c);
}

static void a_clock_that_was_set_since_the_claim_is_not_believed(void **state)
{
    static const int64_t steps_ms[] = {20000, -20000, 60 * 86400000LL, -60 * 86400000LL};
    (void)state;
    for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
        struct flow_case *c = case_new("");
        c->context.clock_known[UPSTREAM_FRESHDESK] = true;
        c->job.since_ms = (uint64_t)((int64_t)SAID_MS + steps_ms[i]);
        case_calls(c, STEP_LOOK_TICKET, "GET", LOOK_PATH("1"), NULL);
        c->job.since_there_ms = 0; // then the words themselves say since when
        assert_int_equal(case_begin(c, STEP_LOOK_TICKET), STEP_CALL);
        assert_true(case_has(c->request.path, "updated_since=2025-03-04T10%3A09%3A30Z"));
        case_free(c);
    }
}

static void without_the_field_the_description_tells(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    case_begin(c, STEP_CREATE_TICKET);
    refuse(c, "custom_fields.cf_freshchat_conversation_id");
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    assert_int_equal(case_begin(c, STEP_LOOK_TICKET), STEP_CALL);
    assert_true(case_has(c->request.path, "&page=1&include=description"));
    case_ok(c, "[{\"id\":41,\"created_at\":\"2025-03-04T10:19:00Z\",\"description\":\"" CONVERSATION "\"},"
               "{\"id\":42,\"created_at\":\"2025-03-04T10:20:31Z\",\"description\":\"other\"},"
               "{\"id\":43,\"created_at\":\"2025-03-04T10:20:31Z\",\"description_text\":\"x " CONVERSATION " y\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 43);
    case_free(c);
}

// Another message of the conversation has opened the one that follows meanwhile.
static void a_ticket_that_was_followed_already_is_not_followed_again(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    c->job.lane.ticket_id = 50;
    c->context.found.closed_ticket = "41";
    assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_APPEND_NOTE);
    case_free(c);
}

static void a_ticket_that_follows_another_is_not_taken_for_it(void **state)
{
    (void)state;
    struct flow_case *c = case_new("");
    c->job.lane.ticket_id = 41;
    c->job.lane.requester_id = 77;
    c->context.found.closed_ticket = "41";
    assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "Follows ticket #41, which takes no messages any more"));
    assert_true(case_has(c->request.body, "\"requester_id\":77"));
    assert_false(case_has(c->request.body, "unique_external_id"));
    refuse(c, "requester_id");
    case_begin(c, STEP_CREATE_TICKET);
    assert_true(case_has(c->request.body, "\"unique_external_id\":\"" USER "\""));
    case_begin(c, STEP_LOOK_TICKET);
    case_ok(c, "[" TICKET("41", OURS, "2025-03-04T10:00:00Z") "]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_begin(c, STEP_LOOK_TICKET);
    case_ok(c, "[" TICKET("41", OURS, "2025-03-04T10:00:00Z") "," TICKET("50", OURS, "2025-03-04T10:20:31Z") "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 50);
    case_free(c);
}

static void who_struggles_is_told_where_to_call(void **state)
{
    static const char offers[] = "freshcaller { phone_number = \"+31 20 123 45 67\" }\n"
                                 "widget { public_url = \"https://desk.shop.example\" call_message = \"Call us\" }\n";
    static const struct {
        const char *config, *closed;
        uint64_t friction;
        bool valid, restored, offer;
    } cases[] = {
        {offers, "", 60, true, false, true},   {offers, "", 59, true, false, false},
        {offers, "", 60, false, false, false}, {offers, "41", 90, true, false, false},
        {offers, "", 90, true, true, false},   {"", "", 90, true, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct flow_case *c = case_new(cases[i].config);
        c->context.found.closed_ticket = cases[i].closed;
        c->context.found.context.read = true;
        c->context.found.context.friction = "60";
        c->context.found.context.friction_valid = cases[i].valid;
        c->context.found.context.friction_value = cases[i].friction;
        c->job.restored = cases[i].restored;
        case_begin(c, STEP_CREATE_TICKET);
        case_answer(c, ANSWER_OK, 201, 0, "{\"id\":42,\"requester_id\":77}");
        size_t found = 0;
        for (size_t k = 0; k < c->report.followups.count; k++)
            found += c->report.followups.items[k].kind == EVENT_OFFER;
        assert_int_equal(found, cases[i].offer);
        case_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_way),
        cmocka_unit_test(whoever_claims_to_be_an_agent_is_a_shopper),
        cmocka_unit_test(all_pages_of_the_agents_are_read),
        cmocka_unit_test(agents_that_cannot_be_listed_hold_up_no_ticket),
        cmocka_unit_test(whatever_keeps_the_customer_unread_the_ticket_is_opened),
        cmocka_unit_test(a_customer_is_asked_for_a_second_at_most),
        cmocka_unit_test(what_is_no_number_is_shown_and_raises_nothing),
        cmocka_unit_test(one_identity_only),
        cmocka_unit_test(the_subject_is_one_short_line),
        cmocka_unit_test(fields_that_hold_text_get_text),
        cmocka_unit_test(two_tickets_at_once_learn_the_same),
        cmocka_unit_test(what_the_helpdesk_refuses_is_left_out),
        cmocka_unit_test(failures_of_the_ticket_call),
        cmocka_unit_test(a_conversation_with_a_ticket_never_gets_a_second),
        cmocka_unit_test(a_look_adopts_the_ticket),
        cmocka_unit_test(a_look_passes_over_no_ticket_that_moved_up),
        cmocka_unit_test(a_look_reads_page_after_page),
        cmocka_unit_test(a_helpdesk_clock_far_off_is_looked_at_again),
        cmocka_unit_test(a_clock_that_was_set_since_the_claim_is_not_believed),
        cmocka_unit_test(without_the_field_the_description_tells),
        cmocka_unit_test(a_ticket_that_was_followed_already_is_not_followed_again),
        cmocka_unit_test(a_ticket_that_follows_another_is_not_taken_for_it),
        cmocka_unit_test(who_struggles_is_told_where_to_call),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
