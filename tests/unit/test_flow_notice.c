// SPDX-License-Identifier: Apache-2.0
// workers/flow_notice: what agents read, and on which ticket.
#include "tests/unit/flow_case.h"

#define NOTES_PATH      "/tickets/42/notes"
#define ENTRIES_PATH(p) "/tickets/42/conversations?per_page=100&page=" p
#define ENTRY(id, second, incoming, private, user, body)                                                               \
    "{\"id\":" id ",\"created_at\":\"2025-03-04T10:20:" second "Z\",\"incoming\":" incoming                            \
    ",\"private\":" private ",\"user_id\":" user ",\"source\":2,\"body\":\"" body "\",\"body_text\":\"\"}"

static struct flow_case *with_notice(enum notice notice, const char *reason)
{
    struct flow_case *c = case_new("");
    c->job.lane.ticket_id = 42;
    c->job.lane.requester_id = 77;
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    c->events[0].kind = EVENT_NOTICE;
    c->events[0].notice = notice;
    c->events[0].reason = reason;
    c->events[0].quote = "";
    c->events[0].name = "";
    c->events[0].parts.count = 0;
    return c;
}

static void a_notice_is_private(void **state)
{
    (void)state;
    struct flow_case *c = with_notice(NOTICE_PLAIN, "Your reply <x> is not in the chat.");
    case_calls(c, STEP_NOTICE_NOTE, "POST", NOTES_PATH,
               "{\"body\":\"<div><b>Deskbell:</b> Your reply &lt;x&gt; is not in the "
               "chat.</div>\",\"private\":true,\"incoming\":false}");
    case_ok(c, "{\"id\":8,\"created_at\":\"2025-03-04T10:22:00Z\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "8");
    case_fails_plainly(c, STEP_NOTICE_NOTE, true);
    case_begin(c, STEP_NOTICE_NOTE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_calls(c, STEP_LOOK_NOTICE, "GET", ENTRIES_PATH("1"), NULL);
    case_ok(
        c,
        "[" ENTRY("1", "31", "false", "false", "5",
                  "<div><b>Deskbell:</b> Your reply &lt;x&gt; is not in the chat.</div>") "," ENTRY("2", "31", "false",
                                                                                                    "true", "5",
                                                                                                    "<div><b>Deskbell:<"
                                                                                                    "/b> Your reply "
                                                                                                    "&lt;x&gt; is not "
                                                                                                    "in the "
                                                                                                    "chat.</div>") "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "2");
    case_free(c);
}

// Which reply, whose, when and why; and what to do. The time is that of the reply, with its day where it was another.
static void agents_are_told_which_reply_was_lost(void **state)
{
#define SAYS(text) "{\"body\":\"<div><b>Deskbell:</b> " text "</div>\",\"private\":true,\"incoming\":false}"
#define EIGHTY     "0123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789"
    static const struct {
        enum notice notice;
        const char *quote, *name, *reason;
        uint64_t quote_ms;
        const char *body;
    } rows[] = {
        {NOTICE_REPLY_LOST, "Your <boiler>\nis on its way", "Anna", "Freshchat refused the request (status 400): BAD",
         SAID_MS - 600000,
         SAYS("This reply did not reach the customer&#39;s chat: &quot;Your &lt;boiler&gt; is on its way&quot; (Anna, "
              "10:10 UTC). Reason: Freshchat refused the request (status 400): BAD. Send it again as a new reply.")},
        {NOTICE_REPLY_LOST, EIGHTY, "", "It cannot be.", SAID_MS - UINT64_C(86400000),
         SAYS("This reply did not reach the customer&#39;s chat: &quot;" EIGHTY
              "&quot; (2025-03-03 10:20 UTC). Reason: "
              "It cannot be. Send it again as a new reply.")},
        {NOTICE_REPLY_CUT, EIGHTY "x", "Anna Berg", "No!", SAID_MS,
         SAYS("Only the beginning of this reply reached the customer&#39;s chat: &quot;" EIGHTY
              " …&quot; (Anna Berg, 10:20 UTC). Reason: No! Send the rest as a new reply.")},
        {NOTICE_REPLY_UNSURE, "ÄÖÜ", "Anna", "", SAID_MS,
         SAYS("It is not certain that this reply reached the customer&#39;s chat: &quot;ÄÖÜ&quot; (Anna, 10:20 UTC). "
              "Reason: Something could not be done; the log of Deskbell tells more. Look there before you send it "
              "again.")},
        {NOTICE_REPLIES_WAIT, "", "", "The key is refused.", 0,
         SAYS("Replies in this ticket could not be sent to the customer&#39;s chat. Reason: The key is refused. They "
              "are "
              "tried again when this ticket changes.")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct flow_case *c = with_notice(rows[i].notice, rows[i].reason);
        c->events[0].quote = rows[i].quote;
        c->events[0].quote_ms = rows[i].quote_ms;
        c->events[0].name = rows[i].name;
        case_calls(c, STEP_NOTICE_NOTE, "POST", NOTES_PATH, rows[i].body);
        case_free(c);
    }
}

// On the ticket that it is about, not the lane's: written, looked for, and gone.
static void a_notice_may_be_for_another_ticket(void **state)
{
    (void)state;
    struct flow_case *c = with_notice(NOTICE_PLAIN, "The chat&apos;s ticket is #42.");
    c->events[0].ticket_id = 43;
    assert_int_equal(case_begin(c, STEP_NOTICE_NOTE), STEP_CALL);
    assert_string_equal(c->request.path, "/tickets/43/notes");
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_calls(c, STEP_LOOK_NOTICE, "GET", "/tickets/43/conversations?per_page=100&page=1", NULL);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_notice_is_private),
        cmocka_unit_test(agents_are_told_which_reply_was_lost),
        cmocka_unit_test(a_notice_may_be_for_another_ticket),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
