// SPDX-License-Identifier: Apache-2.0
// The flow of calls: which ticket, in which order it is looked for, what is written there, and what is told once.
#include "tests/unit/flow_case.h"

#include <inttypes.h>

#include "workers/ticket.h"

#define CALLER  "freshcaller { enabled = true  country_code = \"44\" }\n"
#define CONTACT "[{\"id\":77,\"phone\":\"020 7946 0101\",\"mobile\":null}]"
#define MARK    "</div><div>Freshcaller call 51</div>"
#define MISSED  "<div><b>Missed call:</b> Ada (+442079460101), 2025-03-04 10:20 UTC, waited 20 s."
#define TICKETS "/tickets?requester_id=77&updated_since=%sZ&order_by=created_at&order_type=desc&per_page=100"

static struct flow_case *called(enum call_state state)
{
    struct flow_case *c = case_new(CALLER);
    c->events[0] = (struct event){.kind = EVENT_CALL,
                                  .key = "freshcaller:call:51:1",
                                  .conversation = "call:51",
                                  .conversation_twin = "",
                                  .channel = "",
                                  .user = "",
                                  .actor = "",
                                  .message = "51",
                                  .time_ms = SAID_MS + 20000,
                                  .accepted_ms = SAID_MS + 21000,
                                  .reason = "",
                                  .phone = "+442079460101",
                                  .name = "Ada",
                                  .call = {.id = 51,
                                           .root_id = 51,
                                           .from = "+442079460101",
                                           .to = "+442079460001",
                                           .started_ms = SAID_MS,
                                           .ended_ms = SAID_MS + 20000,
                                           .updated_ms = SAID_MS + 20000,
                                           .seconds = state == CALL_ONGOING ? 0 : 20,
                                           .agent = state == CALL_ANSWERED ? "R. Mills" : "",
                                           .state = state,
                                           .recording = "",
                                           .notes = ""}};
    c->job.lane.conversation = "call:51";
    c->job.lane.user = c->job.lane.channel = "";
    c->job.live_conversation = "";
    c->context.found.body = c->context.found.said = "";
    return c;
}

static struct flow_case *called_on(uint64_t ticket, enum call_state state)
{
    struct flow_case *c = called(state);
    c->job.lane.ticket_id = ticket;
    return c;
}

static void joins(struct flow_case *c, enum step next)
{
    assert_int_equal(case_begin(c, STEP_JOIN_CALL), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, next);
}

static void tells(struct flow_case *c, struct leg *legs, uint64_t told)
{
    legs->id = 51;
    legs->told = told;
    c->job.lane.legs.items = legs;
    c->job.lane.legs.count = 1;
}

// ---- which ticket ---------------------------------------------------------------------------------------------------

static void the_live_conversation_comes_first(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_ANSWERED);
    c->job.live_ticket = 42;
    c->job.live_requester = 7;
    c->job.live_conversation = CONVERSATION;
    c->events[0].call.ticket_id = 99; // Freshcaller's own: said in the note, not joined
    joins(c, STEP_READ_LIVE);
    case_calls(c, STEP_READ_LIVE, "GET", "/tickets/42", NULL);
    case_ok(c, "{\"id\":42,\"status\":2}");
    case_outcome(c, OUTCOME_DONE, STEP_CALL_NOTE);
    assert_int_equal(c->report.ticket_id, 42);
    assert_int_equal(c->report.requester_id, 7);
    assert_true(c->report.context_known);
    assert_string_equal(c->report.context.phone, "+442079460101");
    c->job.lane.ticket_id = 42;
    assert_int_equal(case_begin(c, STEP_CALL_NOTE), STEP_CALL);
    assert_true(case_has(c->request.body, "Freshcaller has it on ticket #99 as well."));
    case_free(c);
}

// What the live conversation's ticket 42 of contact 77 says, and the step that follows.
static struct flow_case *live_is(enum call_state state, const char *ticket, enum step next)
{
    struct flow_case *c = called(state);
    c->job.live_ticket = 42;
    c->job.live_requester = 77;
    c->job.live_conversation = CONVERSATION;
    c->events[0].call.updated_ms = SAID_MS;
    assert_int_equal(case_begin(c, STEP_READ_LIVE), STEP_CALL);
    if (ticket)
        case_ok(c, ticket);
    else
        case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, next);
    return c;
}

static void looks_for_another(struct flow_case *c, const char *list, enum step next, uint64_t ticket)
{
    assert_int_equal(case_begin(c, STEP_FIND_CALLER), STEP_ANSWER); // the conversation names the contact
    case_outcome(c, OUTCOME_DONE, STEP_FIND_TICKET);
    assert_int_equal(case_begin(c, STEP_FIND_TICKET), STEP_CALL);
    assert_int_equal(strncmp(c->request.path, TICKETS, 36), 0);
    case_ok(c, list);
    case_outcome(c, OUTCOME_DONE, next);
    assert_int_equal(c->report.ticket_id, ticket);
    case_free(c);
}

static void a_resolved_conversation_gives_way_to_an_open_ticket(void **state)
{
    (void)state;
    static const char resolved[] = "{\"id\":42,\"status\":4}", closed[] = "{\"id\":42,\"status\":5}";
    static const char both[] = "[{\"id\":42,\"requester_id\":77,\"status\":4,\"created_at\":\"2025-03-01T10:00:00Z\"},"
                               "{\"id\":41,\"requester_id\":77,\"status\":2,\"created_at\":\"2025-02-01T10:00:00Z\"}]";
    looks_for_another(live_is(CALL_ANSWERED, resolved, STEP_READ_CALL), both, STEP_CALL_NOTE, 41);
    looks_for_another(live_is(CALL_MISSED, closed, STEP_READ_CALL), both, STEP_READ_TO_RAISE, 41);
    // Nothing is open: it is about that conversation, and a missed call opens it again.
    looks_for_another(live_is(CALL_MISSED, resolved, STEP_READ_CALL), "[]", STEP_READ_TO_RAISE, 42);
    // It is gone.
    looks_for_another(live_is(CALL_MISSED, NULL, STEP_READ_CALL), "[]", STEP_CREATE_CALL_TICKET, 0);
    looks_for_another(live_is(CALL_MISSED, "{\"id\":42,\"status\":2,\"deleted\":true}", STEP_READ_CALL), "[]",
                      STEP_CREATE_CALL_TICKET, 0);
    // Freshcaller's own comes first.
    struct flow_case *c = live_is(CALL_MISSED, resolved, STEP_READ_CALL);
    c->events[0].call.ticket_id = 99;
    assert_int_equal(case_begin(c, STEP_READ_LIVE), STEP_CALL);
    case_ok(c, resolved);
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
    assert_int_equal(c->report.ticket_id, 99);
    case_free(c);
    // Whoever asks to be called is looked for by the conversation, never by the number.
    c = live_is(CALL_ANSWERED, resolved, STEP_READ_CALL);
    c->events[0].kind = EVENT_CALLBACK;
    c->events[0].call =
        (struct phone_call){.state = CALL_ONGOING, .from = "", .to = "", .agent = "", .recording = "", .notes = ""};
    assert_int_equal(case_begin(c, STEP_READ_LIVE), STEP_CALL);
    case_ok(c, resolved);
    case_outcome(c, OUTCOME_DONE, STEP_FIND_TICKET);
    c->job.live_requester = 0;
    assert_int_equal(case_begin(c, STEP_READ_LIVE), STEP_CALL);
    case_ok(c, resolved);
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
    assert_int_equal(c->report.ticket_id, 42);
    case_fails_plainly(c, STEP_READ_LIVE, false);
    case_free(c);
}

static void freshcallers_own_ticket_is_adopted(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_ANSWERED);
    c->events[0].call.ticket_id = 99;
    joins(c, STEP_CALL_NOTE);
    assert_int_equal(c->report.ticket_id, 99);
    case_free(c);
    // or found when the call is read once more
    c = called(CALL_MISSED);
    joins(c, STEP_READ_CALL);
    case_calls(c, STEP_READ_CALL, "GET", "/calls/51", NULL);
    case_ok(c, "{\"call\":{\"id\":51,\"integrated_resources\":[{\"integration_name\":\"Freshdesk\",\"type\":\"ticket\","
               "\"id\":99}]}}");
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
    assert_int_equal(c->report.ticket_id, 99);
    case_free(c);
}

static void freshcaller_gets_its_moment_and_no_more(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_MISSED);
    c->events[0].call.updated_ms = (uint64_t)clock_wall_ms() - 4000;
    joins(c, STEP_READ_CALL);
    assert_in_range(c->report.delay_ms, 5000, 6000);                    // of the ten seconds
    c->events[0].call.updated_ms = (uint64_t)clock_wall_ms() + 3600000; // a clock of its own
    joins(c, STEP_READ_CALL);
    assert_int_equal(c->report.delay_ms, 10000);
    c->events[0].call.updated_ms = SAID_MS;
    joins(c, STEP_READ_CALL);
    assert_int_equal(c->report.delay_ms, 0);
    // what it answers then holds up nothing
    static const enum answer answers[] = {ANSWER_RETRY, ANSWER_AUTH, ANSWER_NOT_FOUND, ANSWER_REFUSED};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        assert_int_equal(case_begin(c, STEP_READ_CALL), STEP_CALL);
        case_answer(c, answers[i], 500, 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_FIND_CALLER);
    }
    c->config->freshcaller.enabled = false; // since then
    assert_int_equal(case_begin(c, STEP_READ_CALL), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_FIND_CALLER);
    case_free(c);
}

static void the_contact_is_found_by_either_number(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_MISSED);
    case_calls(c, STEP_FIND_CALLER, "GET", "/contacts?phone=%2B442079460101", NULL);
    case_ok(c, "[{\"id\":76,\"phone\":\"+442079469999\"}]"); // the filter is not trusted
    case_outcome(c, OUTCOME_DONE, STEP_FIND_CALLER);
    case_calls(c, STEP_FIND_CALLER, "GET", "/contacts?mobile=%2B442079460101", NULL);
    case_ok(c, CONTACT);
    case_outcome(c, OUTCOME_DONE, STEP_FIND_TICKET);
    assert_int_equal(c->context.found.contact, 77);
    c->context.found.contact = c->context.found.page = 0;
    assert_int_equal(case_begin(c, STEP_FIND_CALLER), STEP_CALL);
    case_ok(c, "[]");
    assert_int_equal(case_begin(c, STEP_FIND_CALLER), STEP_CALL);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_CALL_TICKET);
    c->events[0].phone = "";
    assert_int_equal(case_begin(c, STEP_FIND_CALLER), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_CALL_TICKET);
    case_free(c);
}

#define OF(id, status, source, created, field)                                                                         \
    "{\"id\":" id ",\"requester_id\":77,\"status\":" status ",\"source\":" source ",\"created_at\":\"" created         \
    "\",\"custom_fields\":{\"cf_freshchat_conversation_id\":" field "}}"

static void finds(const char *list, uint64_t ticket)
{
    struct flow_case *c = called(CALL_ANSWERED);
    c->context.found.contact = 77;
    assert_int_equal(case_begin(c, STEP_FIND_TICKET), STEP_CALL);
    assert_int_equal(strncmp(c->request.path, TICKETS, 36), 0);
    case_ok(c, list);
    case_outcome(c, OUTCOME_DONE, ticket ? STEP_CALL_NOTE : STEP_CREATE_CALL_TICKET);
    assert_int_equal(c->report.ticket_id, ticket);
    case_free(c);
}

static void the_newest_open_ticket_is_joined(void **state)
{
    (void)state;
    finds("[]", 0);
    finds("[" OF("1", "2", "1", "2025-03-01T10:00:00Z", "null") "," OF("2", "3", "7", "2025-03-02T10:00:00Z",
                                                                       "\"x\"") "," //
          OF("3", "5", "1", "2025-03-03T10:00:00Z", "null") "]",
          2);
    finds(
        "[" OF("3", "4", "3", "2025-03-03T10:00:00Z", "null") "," OF("4", "5", "1", "2025-03-03T11:00:00Z", "null") "]",
        0);
    // one that appeared with the call is Freshcaller's; one of another call's is just open
    finds(
        "[" OF("5", "2", "1", "2025-03-04T10:30:00Z", "null") "," OF("6", "2", "3", "2025-03-04T10:20:20Z", "null") "]",
        6);
    finds("[" OF("5", "2", "1", "2025-03-04T10:30:00Z", "null") "," OF("6", "2", "3", "2025-03-04T10:20:20Z",
                                                                       "\"call:50\"") "]",
          5);
    // a phone ticket of hours later is of another call
    finds(
        "[" OF("5", "2", "1", "2025-03-03T10:30:00Z", "null") "," OF("6", "5", "3", "2025-03-04T12:20:20Z", "null") "]",
        5);
    // this call's own, whatever became of it
    finds("[" OF("5", "2", "1", "2025-03-04T10:30:00Z", "null") "," OF("6", "5", "3", "2025-03-04T10:20:20Z",
                                                                       "\"call:51\"") "]",
          6);
    // somebody else's, spam and deleted
    finds("[{\"id\":9,\"requester_id\":78,\"status\":2,\"created_at\":\"2025-03-04T10:30:00Z\"},"
          "{\"id\":8,\"requester_id\":77,\"status\":2,\"spam\":true,\"created_at\":\"2025-03-04T10:30:00Z\"},"
          "{\"id\":7,\"requester_id\":77,\"status\":2,\"deleted\":true,\"created_at\":\"2025-03-04T10:30:00Z\"}]",
          0);
}

static void a_call_in_vain_opens_nothing(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_MISSED);
    c->events[0].call.outgoing = true;
    c->context.found.contact = 77;
    assert_int_equal(case_begin(c, STEP_FIND_TICKET), STEP_CALL);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

// ---- a ticket of its own --------------------------------------------------------------------------------------------

static void a_missed_call_opens_a_high_ticket(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_MISSED);
    case_calls(
        c, STEP_CREATE_CALL_TICKET, "POST", "/tickets",
        "{\"subject\":\"Missed call from Ada (+442079460101)\",\"description\":\"" MISSED MARK
        "<div>Conversation: call:51</div>\",\"source\":3,\"status\":2,\"priority\":3,\"phone\":\"+442079460101\","
        "\"name\":\"Ada\",\"tags\":[\"missed-call\"],\"custom_fields\":{\"cf_freshchat_conversation_id\":"
        "\"call:51\"}}");
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":43,\"requester_id\":77}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 43);
    assert_int_equal(c->report.leg.id, 51);
    assert_int_equal(c->report.leg.told, CALL_TOLD_MISSED);
    // in doubt it is found by the field, by nothing else
    assert_int_equal(case_begin(c, STEP_LOOK_CALL_TICKET), STEP_CALL);
    case_ok(c, "[" OF("43", "2", "3", "2025-03-04T10:20:20Z", "\"call:5\"") "]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_int_equal(case_begin(c, STEP_LOOK_CALL_TICKET), STEP_CALL);
    case_ok(c, "[" OF("43", "2", "3", "2025-03-04T10:20:20Z", "\"call:51\"") "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 43);
    assert_int_equal(c->report.leg.told, CALL_TOLD_MISSED);
    case_fails_plainly(c, STEP_CREATE_CALL_TICKET, true);
    case_free(c);
}

static void a_description_holds_nothing_private(void **state)
{
    (void)state;
    struct leg leg;
    struct flow_case *c = called(CALL_ANSWERED);
    c->events[0].call.recording = "https://x.freshcaller.com/r";
    c->events[0].call.notes = "rude, do not refund";
    assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "answered by R. Mills."));
    assert_false(case_has(c->request.body, "Recording"));
    assert_false(case_has(c->request.body, "x.freshcaller.com/r"));
    assert_false(case_has(c->request.body, "Notes"));
    assert_false(case_has(c->request.body, "refund"));
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":43,\"requester_id\":77}");
    case_outcome(c, OUTCOME_DONE, STEP_CALL_NOTE);
    assert_int_equal(c->report.ticket_id, 43);
    assert_int_equal(c->report.leg.told, CALL_TOLD_ANSWERED);
    // they come in a private note, and nothing else does
    c->job.lane.ticket_id = 43;
    tells(c, &leg, CALL_TOLD_ANSWERED);
    assert_int_equal(case_begin(c, STEP_CALL_NOTE), STEP_CALL);
    assert_true(case_has(c->request.body, "<b>More about the call</b>"));
    assert_true(case_has(c->request.body, "Notes: rude, do not refund"));
    assert_true(case_has(c->request.body, "Recording: <a href="));
    assert_true(case_has(c->request.body, "\"private\":true"));
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":500,\"created_at\":\"2025-03-04T10:20:51Z\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.leg.told, CALL_TOLD_RECORDING | CALL_TOLD_NOTES);
    case_free(c);
}

static void what_the_helpdesk_refuses_is_left_out(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_ANSWERED);
    c->context.found.contact = 77;
    assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "\"requester_id\":77"));
    assert_true(case_has(c->request.body, "\"priority\":2"));
    case_answer(c, ANSWER_REFUSED, 400, 0,
                "{\"errors\":[{\"field\":\"requester_id\",\"code\":\"invalid_value\"},"
                "{\"field\":\"cf_freshchat_conversation_id\",\"code\":\"invalid_field\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_CREATE_CALL_TICKET);
    assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
    assert_false(case_has(c->request.body, "requester_id"));
    assert_false(case_has(c->request.body, "custom_fields"));
    assert_true(case_has(c->request.body, "\"phone\":\"+442079460101\""));
    case_free(c);
}

// Without the field a ticket is known by its description, and call 51 is not call 512.
static void without_a_field_it_is_found_by_its_whole_name(void **state)
{
    (void)state;
    static const char list[] = "[{\"id\":43,\"created_at\":\"2025-03-04T10:21:31Z\",\"description\":\"<div>"
                               "Conversation: call:%s</div>\",\"description_text\":\"Conversation: call:%s\"}]";
    struct flow_case *c = called(CALL_MISSED);
    c->context.found.omit = TICKET_OMIT_CONVERSATION;
    case_keep(c);
    assert_int_equal(case_begin(c, STEP_LOOK_CALL_TICKET), STEP_CALL);
    assert_true(case_has(c->request.path, "include=description"));
    case_ok(c, arena_printf(c->arena, list, "512", "512"));
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_int_equal(case_begin(c, STEP_LOOK_CALL_TICKET), STEP_CALL);
    case_ok(c, arena_printf(c->arena, list, "51", "51"));
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 43);
    case_free(c);
}

static void nobodys_number_is_one_contact(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_MISSED);
    c->events[0].phone = c->events[0].name = "";
    c->events[0].call.from = "anonymous";
    assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "\"unique_external_id\":\"deskbell-withheld-number\""));
    assert_true(case_has(c->request.body, "Missed call, number withheld"));
    c->events[0].call.from = "2079460101"; // nobody's that could be told, but it can be dialled
    assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "\"phone\":\"2079460101\""));
    case_free(c);
}

// ---- raised and noted -----------------------------------------------------------------------------------------------

static void a_missed_call_raises_and_says_so(void **state)
{
    (void)state;
    struct flow_case *c = called_on(42, CALL_MISSED);
    joins(c, STEP_READ_TO_RAISE);
    case_calls(c, STEP_READ_TO_RAISE, "GET", "/tickets/42", NULL);
    case_ok(c, "{\"id\":42,\"status\":4,\"priority\":1,\"tags\":[\"vip\"]}");
    case_outcome(c, OUTCOME_DONE, STEP_RAISE_TICKET);
    case_calls(c, STEP_RAISE_TICKET, "PUT", "/tickets/42",
               "{\"priority\":3,\"tags\":[\"vip\",\"missed-call\"],\"status\":2}");
    case_ok(c, "{\"id\":42}");
    case_outcome(c, OUTCOME_DONE, STEP_CALL_NOTE);
    case_calls(c, STEP_CALL_NOTE, "POST", "/tickets/42/notes",
               "{\"body\":\"" MISSED
               "<br>The ticket&#39;s priority was raised from low to high. The ticket was closed and is open again. "
               "Tagged missed-call." MARK "\",\"private\":true,\"incoming\":false}");
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":500,\"created_at\":\"2025-03-04T10:20:51Z\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.leg.told, CALL_TOLD_MISSED);
    case_fails_plainly(c, STEP_CALL_NOTE, true);
    case_free(c);
}

static void nothing_is_lowered_and_no_old_reading_is_put(void **state)
{
    (void)state;
    struct flow_case *c = called_on(42, CALL_MISSED);
    assert_int_equal(case_begin(c, STEP_READ_TO_RAISE), STEP_CALL);
    case_ok(c, "{\"id\":42,\"status\":2,\"priority\":4,\"tags\":[\"missed-call\"]}");
    case_outcome(c, OUTCOME_DONE, STEP_CALL_NOTE); // nothing to put
    assert_int_equal(case_begin(c, STEP_READ_TO_RAISE), STEP_CALL);
    case_ok(c, "{\"id\":42,\"status\":2,\"priority\":1,\"tags\":[]}");
    c->job.attempt = 1; // the PUT failed before: what was read then is old
    assert_int_equal(case_begin(c, STEP_RAISE_TICKET), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
    c->job.attempt = 0;
    assert_int_equal(case_begin(c, STEP_RAISE_TICKET), STEP_CALL);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
    // a helpdesk that refuses it gets the note all the same
    assert_int_equal(case_begin(c, STEP_RAISE_TICKET), STEP_CALL);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_CALL_NOTE);
    assert_int_equal(case_begin(c, STEP_CALL_NOTE), STEP_CALL);
    assert_true(case_has(c->request.body, "did not let Deskbell raise"));
    case_free(c);
}

static void reads(struct flow_case *c, const char *ticket, enum step next)
{
    assert_int_equal(case_begin(c, STEP_READ_TO_RAISE), STEP_CALL);
    case_ok(c, ticket);
    case_outcome(c, OUTCOME_DONE, next);
}

static void a_reading_holds_for_seconds(void **state)
{
    (void)state;
    struct flow_case *c = called_on(42, CALL_MISSED);
    reads(c, "{\"id\":42,\"status\":2,\"priority\":1,\"tags\":[]}", STEP_RAISE_TICKET);
    uint64_t read_ms = c->context.found.read_ms;
    assert_in_range(read_ms, clock_wall_ms() - 5000, clock_wall_ms());
    static const int64_t moved[] = {-11000, 60000}; // too old, and of a clock that was set back since
    for (size_t i = 0; i < 2; i++) {
        c->context.found.read_ms = (uint64_t)((int64_t)read_ms + moved[i]);
        c->context.found.said = "Tagged missed-call.";
        assert_int_equal(case_begin(c, STEP_RAISE_TICKET), STEP_ANSWER);
        case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
        assert_string_equal(c->context.found.said, ""); // it was not put
    }
    // It was put, but nobody learned so: the note says what became of it.
    reads(c, "{\"id\":42,\"status\":2,\"priority\":1,\"tags\":[]}", STEP_RAISE_TICKET);
    assert_int_equal(case_begin(c, STEP_RAISE_TICKET), STEP_CALL);
    reads(c, "{\"id\":42,\"status\":2,\"priority\":3,\"tags\":[\"missed-call\"]}", STEP_CALL_NOTE);
    assert_int_equal(case_begin(c, STEP_CALL_NOTE), STEP_CALL);
    assert_true(case_has(c->request.body, "raised from low to high. Tagged missed-call."));
    case_free(c);
}

static void after_a_restore_nothing_is_raised_twice(void **state)
{
    (void)state;
    static const char done_with[] = "{\"id\":42,\"status\":5,\"priority\":1,\"tags\":[\"missed-call\"]}";
    struct flow_case *c = called_on(42, CALL_MISSED);
    c->job.restored = true;
    reads(c, done_with, STEP_CALL_NOTE); // an agent closed and lowered it since
    assert_string_equal(c->context.found.body, "");
    assert_string_equal(c->context.found.said, "");
    // nobody was told of that call yet: the ticket lacks the tag
    reads(c, "{\"id\":42,\"status\":5,\"priority\":1,\"tags\":[]}", STEP_RAISE_TICKET);
    c->job.restored = false;
    reads(c, done_with, STEP_RAISE_TICKET); // called again
    case_free(c);
}

static void a_ticket_that_is_gone_is_followed(void **state)
{
    (void)state;
    static const enum step steps[] = {STEP_READ_TO_RAISE, STEP_RAISE_TICKET, STEP_CALL_NOTE};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct flow_case *c = called_on(42, CALL_MISSED);
        c->context.found.body = "{}";
        c->context.found.read_ms = (uint64_t)clock_wall_ms();
        assert_int_equal(case_begin(c, steps[i]), STEP_CALL);
        case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_FIND_CALLER);
        // the gone one is not found again, and another is opened
        c->context.found.contact = 77;
        assert_int_equal(case_begin(c, STEP_FIND_TICKET), STEP_CALL);
        case_ok(c, "[" OF("42", "2", "1", "2025-03-01T10:00:00Z", "null") "]");
        case_outcome(c, OUTCOME_DONE, STEP_CREATE_CALL_TICKET);
        assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
        assert_true(case_has(c->request.body, "Follows ticket #42"));
        case_free(c);
    }
}

// ---- what is news ---------------------------------------------------------------------------------------------------

static void each_thing_is_told_once(void **state)
{
    (void)state;
    struct leg leg;
    struct flow_case *c = called_on(42, CALL_ONGOING);
    joins(c, STEP_NONE); // it rings: nothing is said, and above all not "missed"
    c->events[0].call.recording = "https://x.freshcaller.com/r";
    joins(c, STEP_NONE);
    case_free(c);

    c = called_on(42, CALL_ANSWERED);
    tells(c, &leg, CALL_TOLD_ANSWERED);
    joins(c, STEP_NONE);
    c->events[0].call.recording = "https://x.freshcaller.com/r";
    c->events[0].call.notes = "wants <b>blue</b>";
    joins(c, STEP_CALL_NOTE);
    case_calls(c, STEP_CALL_NOTE, "POST", "/tickets/42/notes",
               "{\"body\":\"<div><b>More about the call</b> of 2025-03-04 10:20 UTC<br>Recording: <a "
               "href=\\\"https://x.freshcaller.com/r\\\" rel=\\\"noopener noreferrer "
               "nofollow\\\">https://x.freshcaller.com/r</a><br>Notes: wants &lt;b&gt;blue&lt;/b&gt;" MARK
               "\",\"private\":true,\"incoming\":false}");
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":500,\"created_at\":\"2025-03-04T10:20:51Z\"}");
    assert_int_equal(c->report.leg.told, CALL_TOLD_RECORDING | CALL_TOLD_NOTES);
    tells(c, &leg, CALL_TOLD_ANSWERED | CALL_TOLD_RECORDING | CALL_TOLD_NOTES);
    joins(c, STEP_NONE);
    c->events[0].call.state = CALL_MISSED; // an older state, late
    joins(c, STEP_NONE);
    case_free(c);

    // Missed, then somebody talked to them after all; and a leg that nobody took of a call that was taken.
    c = called_on(42, CALL_ANSWERED);
    tells(c, &leg, CALL_TOLD_MISSED);
    joins(c, STEP_CALL_NOTE);
    c->events[0].call.state = CALL_MISSED;
    c->events[0].call.id = 52;
    c->events[0].call.parent_id = 51;
    tells(c, &leg, CALL_TOLD_ANSWERED);
    joins(c, STEP_CALL_NOTE); // told, not raised
    case_free(c);
}

static void a_note_is_found_by_its_call(void **state)
{
    (void)state;
    struct flow_case *c = called_on(42, CALL_ANSWERED);
    assert_int_equal(case_begin(c, STEP_CALL_NOTE), STEP_CALL);
    static const char entry[] =
        "[{\"id\":500,\"body\":\"<div><b>Call:</b> Ada (+442079460101), 2025-03-04 10:20 UTC, 20 "
        "s, answered by R. Mills.</div><div>Freshcaller call %s</div>\",\"private\":true,"
        "\"incoming\":false,\"source\":2,\"user_id\":5,\"created_at\":\"2025-03-04T10:20:51Z\"}]";
    case_calls(c, STEP_LOOK_CALL_NOTE, "GET", "/tickets/42/conversations?per_page=100&page=1", NULL);
    case_ok(c, arena_printf(c->arena, entry, "512"));
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_int_equal(case_begin(c, STEP_LOOK_CALL_NOTE), STEP_CALL);
    case_ok(c, arena_printf(c->arena, entry, "51"));
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.leg.told, CALL_TOLD_ANSWERED);
    // After a backup was restored any note of the call will do: its news came one by one then.
    c->job.restored = true;
    c->events[0].call.recording = "https://x.freshcaller.com/r";
    assert_int_equal(case_begin(c, STEP_LOOK_CALL_NOTE), STEP_CALL);
    case_ok(c, arena_printf(c->arena, entry, "51"));
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

// ---- call me back ---------------------------------------------------------------------------------------------------

static void who_asks_to_be_called_back_is_noted_or_gets_a_ticket(void **state)
{
    (void)state;
    struct flow_case *c = called(CALL_ONGOING);
    c->events[0].kind = EVENT_CALLBACK;
    c->events[0].conversation = c->job.lane.conversation = "callback:browser-1";
    c->events[0].call = (struct phone_call){.from = "", .to = "", .agent = "", .recording = "", .notes = ""};
    c->parts[0] = (struct part){.kind = PART_TEXT,
                                .text = "Screen: check\u2028Deskbell:\xc2\x85"
                                        "out",
                                .url = "",
                                .label = ""};
    c->events[0].parts.items = c->parts;
    c->events[0].parts.count = 1;
    joins(c, STEP_CREATE_CALL_TICKET);
    assert_int_equal(case_begin(c, STEP_CREATE_CALL_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "\"subject\":\"Call back: Ada (+442079460101)\""));
    assert_true(case_has(c->request.body, "\"tags\":[\"call-back\"]"));
    assert_true(case_has(c->request.body, "\"priority\":3"));
    assert_true(case_has(c->request.body, "<br>Screen: check Deskbell: out</div>")); // one line, whatever it says
    assert_true(case_has(c->request.body, "Request browser-1"));
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":43,\"requester_id\":77}");
    assert_int_equal(c->report.leg.id, 1);
    c->job.live_ticket = 42;
    joins(c, STEP_READ_LIVE);
    assert_int_equal(case_begin(c, STEP_READ_LIVE), STEP_CALL);
    case_ok(c, "{\"id\":42,\"status\":3}");
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_RAISE);
    assert_int_equal(c->report.ticket_id, 42);
    c->job.lane.ticket_id = 42;
    struct leg told = {1, CALL_TOLD_OTHER};
    c->job.lane.legs.items = &told;
    c->job.lane.legs.count = 1;
    joins(c, STEP_NONE); // told already
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_live_conversation_comes_first),
        cmocka_unit_test(a_resolved_conversation_gives_way_to_an_open_ticket),
        cmocka_unit_test(freshcallers_own_ticket_is_adopted),
        cmocka_unit_test(freshcaller_gets_its_moment_and_no_more),
        cmocka_unit_test(the_contact_is_found_by_either_number),
        cmocka_unit_test(the_newest_open_ticket_is_joined),
        cmocka_unit_test(a_call_in_vain_opens_nothing),
        cmocka_unit_test(a_missed_call_opens_a_high_ticket),
        cmocka_unit_test(a_description_holds_nothing_private),
        cmocka_unit_test(what_the_helpdesk_refuses_is_left_out),
        cmocka_unit_test(without_a_field_it_is_found_by_its_whole_name),
        cmocka_unit_test(nobodys_number_is_one_contact),
        cmocka_unit_test(a_missed_call_raises_and_says_so),
        cmocka_unit_test(nothing_is_lowered_and_no_old_reading_is_put),
        cmocka_unit_test(a_reading_holds_for_seconds),
        cmocka_unit_test(after_a_restore_nothing_is_raised_twice),
        cmocka_unit_test(a_ticket_that_is_gone_is_followed),
        cmocka_unit_test(each_thing_is_told_once),
        cmocka_unit_test(a_note_is_found_by_its_call),
        cmocka_unit_test(who_asks_to_be_called_back_is_noted_or_gets_a_ticket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
