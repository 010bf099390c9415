// SPDX-License-Identifier: Apache-2.0
// workers/flow_context: what changes while the chat runs goes into the ticket; priorities rise only; nobody's tags are
// lost; the agent is told once.
#include "tests/unit/flow_case.h"

#include "workers/proof.h"

#define RULES                                                                                                          \
    "priority high-value { min_cart_value = 200.0 level = \"urgent\" tags = {\"high-value\"} }\n"                      \
    "priority struggling { min_cart_value = 50.0 min_friction = 60 level = \"high\" }\n"
#define SAID(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"
#define FULL(cart)                                                                                                     \
    "{\"first_name\":\"Anna\",\"properties\":[" SAID("cart_value", cart) "," SAID("friction_score", "12") "," SAID(    \
        "screen", "/checkout") "]}"
#define BYRON                                                                                                          \
    "{\"first_name\":\"Ada\",\"last_name\":\"Byron\",\"email\":\"ada@example.com\",\"phone\":\"+441234567\","          \
    "\"properties\":[" SAID("cart_value", "20") "," SAID("friction_score", "12") "," SAID("screen", "/checkout") "]}"
#define FIELDS(cart)                                                                                                   \
    "\"custom_fields\":{\"cf_cart_value\":" cart ",\"cf_friction_score\":12,\"cf_screen\":\"/checkout\"}"
#define OPEN(more)  "{\"id\":42,\"status\":2," more "}"
#define NOTE(words) "{\"body\":\"<div><b>Deskbell:</b> " words "</div>\",\"private\":true,\"incoming\":false}"

// A ticket that was opened with this cart, and is told of a change.
static struct flow_case *opened_with(const char *cart, uint64_t cents, uint64_t priority)
{
    struct flow_case *c = case_new(RULES);
    struct lane *lane = &c->job.lane;
    lane->ticket_id = 42;
    lane->requester_id = 77;
    lane->context.read = *cart != '\0';
    lane->context.name = *cart ? "Anna" : "";
    lane->context.cart = cart;
    lane->context.cart_valid = *cart != '\0';
    lane->context.cart_cents = cents;
    lane->context.friction = *cart ? "12" : "";
    lane->context.friction_valid = *cart != '\0';
    lane->context.friction_value = *cart ? 12 : 0;
    lane->context.screen = *cart ? "/checkout" : "";
    lane->context.priority = priority;
    c->events[0].kind = EVENT_CONTEXT;
    c->events[0].round = 4;
    c->events[0].user = "";
    return c;
}

static struct flow_case *opened_without(uint64_t round)
{
    struct flow_case *c = opened_with("", 0, 2);
    c->events[0].round = round;
    return c;
}

static void reads(struct flow_case *c, const char *user, enum step next)
{
    case_calls(c, STEP_REREAD_CUSTOMER, "GET", "/users/" USER, NULL);
    case_ok(c, user);
    case_outcome(c, OUTCOME_DONE, next);
}

// Reads a ticket like that; the update must be this one.
static void updates(struct flow_case *c, const char *ticket, const char *body)
{
    case_calls(c, STEP_READ_TO_UPDATE, "GET", "/tickets/42", NULL);
    case_ok(c, ticket);
    case_outcome(c, OUTCOME_DONE, STEP_UPDATE_TICKET);
    case_calls(c, STEP_UPDATE_TICKET, "PUT", "/tickets/42", body);
    case_ok(c, "{\"id\":42}");
}

static void notes(struct flow_case *c, const char *body)
{
    case_outcome(c, OUTCOME_DONE, STEP_CHANGE_NOTE);
    assert_false(c->report.context_known); // not before the agent was told
    case_calls(c, STEP_CHANGE_NOTE, "POST", "/tickets/42/notes", body);
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":500,\"created_at\":\"2025-03-04T10:20:31Z\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.what, "change told");
    assert_int_equal(c->report.desk_written.count, 1);
    assert_true(c->report.context_known);
    assert_false(c->report.context.unsure);
    c->job.lane.context = c->report.context;
}

// ---- the way --------------------------------------------------------------------------------------------------------

static void a_cart_that_rises_raises_the_ticket_and_is_told(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    reads(c, FULL("349.90"), STEP_READ_TO_UPDATE);
    case_calls(c, STEP_READ_TO_UPDATE, "GET", "/tickets/42", NULL);
    case_ok(c, OPEN("\"priority\":1,\"tags\":[\"vip\"]"));
    // From here on the record says that the fields may have been touched, and of the rest what it said.
    assert_true(c->report.context_known);
    assert_true(c->report.context.unsure);
    assert_string_equal(c->report.context.cart, "59.00");
    updates(c, OPEN("\"priority\":1,\"tags\":[\"vip\"]"),
            "{\"priority\":4,\"tags\":[\"vip\",\"high-value\"]," FIELDS("349.9") "}");
    notes(c, NOTE("The cart is now 349.90 (was 59.00). Rule high-value: priority urgent, tag high-value."));
    assert_int_equal(c->report.context.priority, 4);
    assert_string_equal(c->report.context.cart, "349.90");
    assert_string_equal(c->report.context.rules, "high-value");
    case_free(c);
}

static void a_cart_that_shrinks_lowers_nothing(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("349.90", 34990, 4);
    c->job.lane.context.rules = "high-value";
    reads(c, FULL("60"), STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":4,\"tags\":[\"high-value\"]"), "{" FIELDS("60.0") "}");
    notes(c, NOTE("The cart is now 60 (was 349.90)."));
    assert_int_equal(c->report.context.priority, 4);
    // and back again: the rule is not new, whatever the agent made of the ticket meanwhile
    reads(c, FULL("349.90"), STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":1,\"tags\":[]"), "{" FIELDS("349.9") "}");
    notes(c, NOTE("The cart is now 349.90 (was 60)."));
    case_free(c);
}

static void an_agents_own_priority_and_tags_stay(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("40", 4000, 2);
    c->job.lane.context.friction_value = 70;
    c->job.lane.context.friction = "70";
    reads(c,
          "{\"properties\":[" SAID("cart_value", "80") "," SAID("friction_score", "70") "," SAID("screen",
                                                                                                 "/checkout") "]}",
          STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":4,\"tags\":[\"mine\"]"),
            "{\"custom_fields\":{\"cf_cart_value\":80.0,\"cf_friction_score\":70,\"cf_screen\":\"/checkout\"}}");
    notes(c, NOTE("The cart is now 80 (was 40)."));
    assert_int_equal(c->report.context.priority, 3); // what the rules gave, so that they do not give it again
    case_free(c);
}

static void what_no_agent_cares_for_is_not_told(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    reads(
        c,
        "{\"properties\":[" SAID("cart_value", "59.00") "," SAID("friction_score", "20") "," SAID("screen", "pay") "]}",
        STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":2,\"tags\":[]"),
            "{\"custom_fields\":{\"cf_cart_value\":59.0,\"cf_friction_score\":20,\"cf_screen\":\"pay\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.what, "context updated");
    assert_true(c->report.context_known);
    assert_string_equal(c->report.context.screen, "pay");
    assert_int_equal(c->report.desk_written.count, 0);
    case_free(c);
}

static void nothing_new_costs_one_read(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    reads(c, FULL("59.00"), STEP_NONE);
    assert_string_equal(c->report.context.cart, "59.00");
    // unless the fields may say something else since an attempt that nobody finished
    c->job.lane.context.unsure = true;
    reads(c, FULL("59.00"), STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":2,\"tags\":[]"), "{" FIELDS("59.0") "}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_false(c->report.context.unsure);
    case_free(c);
}

static void a_closed_ticket_is_left_alone(void **state)
{
    (void)state;
    for (int status = 4; status <= 5; status++) {
        struct flow_case *c = opened_with("59.00", 5900, 2);
        char ticket[64];
        snprintf(ticket, sizeof ticket, "{\"id\":42,\"status\":%d,\"priority\":1,\"tags\":[]}", status);
        reads(c, FULL("349.90"), STEP_READ_TO_UPDATE);
        case_begin(c, STEP_READ_TO_UPDATE);
        case_ok(c, ticket);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_false(c->report.context_known); // once it is open again, all of it is news
        case_free(c);
    }
}

// ---- the opening ----------------------------------------------------------------------------------------------------

static void the_ticket_is_completed(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(1);
    reads(c, BYRON, STEP_READ_TO_UPDATE);
    assert_int_equal(c->request.timeout_ms, 5000);
    updates(c, OPEN("\"priority\":2,\"tags\":[]"), "{" FIELDS("20.0") "}");
    notes(c, NOTE("The customer is Ada Byron, ada@example.com, +441234567. The cart is 20."));
    assert_string_equal(c->report.context.name, "Ada Byron");
    assert_int_equal(c->report.context.priority, 2);
    // nothing is missing any more: nobody is asked
    assert_int_equal(case_begin(c, STEP_REREAD_CUSTOMER), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

// Opened with the cart alone, by a visitor without a name.
static struct flow_case *opened_by_nobody(const char *subject, uint64_t words_at)
{
    struct flow_case *c = opened_with("20", 2000, 2);
    c->job.lane.context.name = "";
    c->job.lane.context.subject = subject;
    c->job.lane.context.words_at = words_at;
    reads(c, BYRON, STEP_READ_TO_UPDATE);
    return c;
}

#define WHO             "The customer is Ada Byron, ada@example.com, +441234567."
#define TICKET(subject) OPEN("\"priority\":2,\"tags\":[],\"subject\":\"" subject "\"")

static void who_it_is_is_told_later_and_completes_the_subject(void **state)
{
    (void)state;
    struct flow_case *c = opened_by_nobody("20 · It is cold", 6);
    updates(c, TICKET("20 · It is cold"), "{\"subject\":\"20 · Ada Byron: It is cold\"," FIELDS("20.0") "}");
    notes(c, NOTE(WHO));
    assert_string_equal(c->report.context.subject, "20 · Ada Byron: It is cold");
    reads(c, BYRON, STEP_NONE); // once
    case_free(c);
    // the answer to that was lost: it is there
    c = opened_by_nobody("20 · It is cold", 6);
    updates(c, TICKET("20 · Ada Byron: It is cold"), "{" FIELDS("20.0") "}");
    notes(c, NOTE(WHO));
    assert_string_equal(c->report.context.subject, "20 · Ada Byron: It is cold");
    case_free(c);
    // nothing was known when it was opened
    c = opened_without(1);
    c->job.lane.context.subject = "It is cold";
    reads(c, BYRON, STEP_READ_TO_UPDATE);
    updates(c, TICKET("It is cold"), "{\"subject\":\"20 · Ada Byron: It is cold\"," FIELDS("20.0") "}");
    notes(c, NOTE(WHO " The cart is 20."));
    case_free(c);
}

static void a_subject_that_is_not_ours_stays(void **state)
{
    (void)state;
    struct flow_case *c = opened_by_nobody("20 · It is cold", 6);
    updates(c, TICKET("Boiler, urgent!"), "{" FIELDS("20.0") "}");
    notes(c, NOTE(WHO));
    assert_string_equal(c->report.context.subject, "");
    case_free(c);
    c = opened_by_nobody("", 0); // of a link that was rebuilt, or of before an upgrade
    updates(c, TICKET("It is cold"), "{" FIELDS("20.0") "}");
    case_free(c);
    // refused: the rest goes without it
    c = opened_by_nobody("It is cold", 0);
    case_begin(c, STEP_READ_TO_UPDATE);
    case_ok(c, TICKET("It is cold"));
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"subject\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_UPDATE);
    updates(c, TICKET("It is cold"), "{" FIELDS("20.0") "}");
    notes(c, NOTE(WHO));
    case_free(c);
}

static void a_rebuilt_link_does_not_tell_what_the_ticket_says(void **state)
{
    (void)state;
    static const char *const shown[] = {"20.0", "\"20.00 EUR\""};
    for (size_t i = 0; i < 2; i++) {
        struct flow_case *c = opened_without(4);
        char ticket[128];
        snprintf(ticket, sizeof ticket,
                 "{\"id\":42,\"status\":2,\"priority\":2,\"tags\":[],\"custom_fields\":{\"cf_cart_value\":%s}}",
                 shown[i]);
        reads(c, FULL("20"), STEP_READ_TO_UPDATE);
        updates(c, ticket, "{" FIELDS("20.0") "}");
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_string_equal(c->report.context.cart, "20");
        case_free(c);
    }
}

static void what_was_known_stays_when_it_is_missing_now(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(1);
    reads(c, "{\"id\":\"" USER "\"}", STEP_NONE);
    assert_true(c->report.context_known);
    assert_true(c->report.context.read);
    assert_int_equal(c->report.context.priority, 2);
    c->job.lane.context.cart = "20";
    reads(c, "{\"properties\":[" SAID("screen", "cart") "]}", STEP_READ_TO_UPDATE);
    assert_string_equal(c->context.found.context.cart, "20");
    case_free(c);
}

// ---- refreshes ------------------------------------------------------------------------------------------------------

static void a_refresh_reads_once_and_asks_for_more_only_after_a_change(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    case_calls(c, STEP_REFRESH_CUSTOMER, "GET", "/users/" USER, NULL);
    assert_int_equal(c->request.timeout_ms, 5000); // a message may have to wait for it
    case_ok(c, FULL("59.00"));
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.followups.count, 0);
    assert_false(c->report.context_known);
    case_begin(c, STEP_REFRESH_CUSTOMER);
    case_ok(c, FULL("60.00"));
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.followups.count, 1);
    assert_int_equal(c->report.followups.items[0].kind, EVENT_CONTEXT);
    assert_int_equal(c->report.followups.items[0].round, 4);
    assert_false(c->report.context_known);
    c->job.lane.context.unsure = true;
    case_begin(c, STEP_REFRESH_CUSTOMER);
    case_ok(c, FULL("59.00"));
    assert_int_equal(c->report.followups.count, 1);
    case_begin(c, STEP_REFRESH_CUSTOMER);
    case_answer(c, ANSWER_RETRY, 0, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    c->job.lane.ticket_id = 0;
    assert_int_equal(case_begin(c, STEP_REFRESH_CUSTOMER), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

// ---- trouble --------------------------------------------------------------------------------------------------------

static void a_ticket_that_was_read_too_long_ago_is_read_again(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    reads(c, FULL("349.90"), STEP_READ_TO_UPDATE);
    case_begin(c, STEP_READ_TO_UPDATE);
    case_ok(c, OPEN("\"priority\":1,\"tags\":[]"));
    c->context.found.read_ms -= 30001; // an agent may have set a tag since
    assert_int_equal(case_begin(c, STEP_UPDATE_TICKET), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_REREAD_CUSTOMER);
    // The first attempt did raise it, and nobody heard of that: it is told all the same.
    reads(c, FULL("349.90"), STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":4,\"tags\":[\"high-value\"]"), "{" FIELDS("349.9") "}");
    notes(c, NOTE("The cart is now 349.90 (was 59.00). Rule high-value: priority urgent, tag high-value."));
    case_free(c);
}

static void a_note_in_doubt_is_looked_for(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    reads(c, FULL("80"), STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":2,\"tags\":[]"), "{" FIELDS("80.0") "}");
    case_begin(c, STEP_CHANGE_NOTE);
    case_answer(c, ANSWER_DOUBT, 0, 0, NULL);
    case_outcome(c, OUTCOME_DOUBT, STEP_NONE);
    case_calls(c, STEP_LOOK_CHANGE, "GET", "/tickets/42/conversations?per_page=100&page=1", NULL);
    case_ok(c, "[{\"id\":500,\"created_at\":\"2025-03-04T10:20:40Z\",\"incoming\":false,\"private\":true,\"user_id\":1,"
               "\"body\":\"<div><b>Deskbell:</b> The cart is now 80 (was 59.00).</div>\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "500");
    assert_string_equal(c->report.context.cart, "80");
    case_begin(c, STEP_LOOK_CHANGE);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_false(c->report.context_known);
    case_fails_plainly(c, STEP_CHANGE_NOTE, true);
    case_free(c);
}

static void what_the_helpdesk_refuses_is_left_out(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    reads(c, FULL("349.90"), STEP_READ_TO_UPDATE);
    case_begin(c, STEP_READ_TO_UPDATE);
    case_ok(c, OPEN("\"priority\":1,\"tags\":[]"));
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(
        c, ANSWER_REFUSED, 400, 0,
        "{\"errors\":[{\"field\":\"tags\"},{\"field\":\"custom_fields.cf_screen\",\"code\":\"invalid_field\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":1,\"tags\":[]"),
            "{\"priority\":4,\"custom_fields\":{\"cf_cart_value\":349.9,\"cf_friction_score\":12}}");
    notes(c, NOTE("The cart is now 349.90 (was 59.00). Rule high-value: priority urgent."));
    // refused without a reason: the agent is told all the same, and not of what was not raised
    reads(c, FULL("500"), STEP_READ_TO_UPDATE);
    case_begin(c, STEP_READ_TO_UPDATE);
    case_ok(c, OPEN("\"priority\":4,\"tags\":[]"));
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"description\":\"no\"}");
    notes(c, NOTE("The cart is now 500 (was 349.90)."));
    case_free(c);
}

static void failures_never_become_dead_letters(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(1);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE); // the second round follows anyway
    assert_false(c->report.context_known);
    c->events[0].round = 4;
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    reads(c, FULL("20"), STEP_READ_TO_UPDATE);
    case_fails_plainly(c, STEP_READ_TO_UPDATE, false);
    updates(c, OPEN("\"priority\":2,\"tags\":[]"), "{" FIELDS("20.0") "}");
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_RETRY, 500, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    // a ticket that is gone wherever it is met
    static const enum step steps[] = {STEP_READ_TO_UPDATE, STEP_UPDATE_TICKET, STEP_CHANGE_NOTE};
    for (size_t i = 0; i < 3; i++) {
        c->context.found.note = "x";
        case_begin(c, steps[i]);
        case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_false(c->report.context_known);
    }
    case_free(c);
}

// ---- signed carts ---------------------------------------------------------------------------------------------------

#define PROOF "7263df78a35bd808073beef1cb2e49ba031b9f4d7d52657076ae45538dd6f2f7" // test_proof.c
#define SIGNED(proof)                                                                                                  \
    "{\"properties\":[" SAID("cart_value", "349.90") "," SAID("cart_currency", "EUR") "," SAID(                        \
        "cart_url", "https://shop.example/cart/8d1") "," SAID("cart_proof",                                            \
                                                              proof) "," SAID("friction_score",                        \
                                                                              "12") "," SAID("screen",                 \
                                                                                             "/checkout") "]}"

static void an_unsigned_cart_is_tagged_and_never_urgent(void **state)
{
    (void)state;
    struct flow_case *c = opened_with("59.00", 5900, 2);
    struct proof_key *key = proof_key_new("correct horse battery staple");
    c->context.proof_key = key;
    reads(c, SIGNED("1.1764000000.0000df78a35bd808073beef1cb2e49ba031b9f4d7d52657076ae45538dd6f2f7"),
          STEP_READ_TO_UPDATE);
    updates(c, OPEN("\"priority\":1,\"tags\":[]"),
            "{\"priority\":3,\"tags\":[\"unsigned-context\",\"high-value\"]," FIELDS("349.9") "}");
    notes(c,
          NOTE("The cart is now 349.90 EUR (was 59.00), not signed by the shop. Rule high-value: priority high, tags "
               "unsigned-context, high-value."));
    assert_int_equal(c->report.worth_cents, 0);
    // Signed after all: the tag stays, and urgent becomes possible. The signature's time is over by our clock.
    assert_int_equal(case_begin(c, STEP_REREAD_CUSTOMER), STEP_CALL);
    json_t *user = json_loads(SIGNED("1.1764000000." PROOF), 0, NULL);
    struct response response = {.answer = ANSWER_OK, .status = 200, .json = user, .date_ms = 1};
    case_finish(c, &response); // but not by the upstream's, which counts
    json_decref(user);
    case_keep(c);
    case_outcome(c, OUTCOME_DONE, STEP_READ_TO_UPDATE);
    assert_int_equal(c->context.found.context.proof, PROOF_SIGNED);
    c->context.found.said = "";
    updates(c, OPEN("\"priority\":3,\"tags\":[\"unsigned-context\",\"high-value\"]"),
            "{\"priority\":4," FIELDS("349.9") "}");
    notes(c, NOTE("The cart, 349.90 EUR, is now signed by the shop. Rule high-value: priority urgent."));
    proof_key_free(&key);
    case_free(c);
}

static enum proof judged(struct flow_case *c, const char *json, uint64_t date_ms)
{
    assert_int_equal(case_begin(c, STEP_REREAD_CUSTOMER), STEP_CALL);
    json_t *user = json_loads(json, 0, NULL);
    assert_non_null(user);
    struct response response = {.answer = ANSWER_OK, .status = 200, .json = user, .date_ms = date_ms};
    case_finish(c, &response);
    json_decref(user);
    case_keep(c);
    return (enum proof)c->context.found.context.proof;
}

static void a_proof_ends_by_the_upstreams_clock_and_covers_what_is_shown(void **state)
{
    (void)state;
    const uint64_t expires_ms = UINT64_C(1764000000) * 1000;
    struct proof_key *key = proof_key_new("correct horse battery staple");
    struct flow_case *c = opened_with("59.00", 5900, 2);
    c->context.proof_key = key;
    // however far our own clock is from it
    assert_int_equal(judged(c, SIGNED("1.1764000000." PROOF), expires_ms - 1000), PROOF_SIGNED);
    assert_int_equal(judged(c, SIGNED("1.1764000000." PROOF), expires_ms + 1000), PROOF_EXPIRED);
    // a currency that nobody signed is not the cart's
    static const char loose[] =
        "{\"properties\":[" SAID("cart_value", "349.90") "," SAID("currency", "KWD") "," SAID("cart_proof", "x") "]}";
    assert_int_equal(judged(c, loose, 1000), PROOF_UNSIGNED);
    assert_string_equal(c->context.found.context.cart, "349.90");
    c->context.proof_key = NULL;
    assert_int_equal(judged(c, loose, 1000), PROOF_UNASKED);
    assert_string_equal(c->context.found.context.cart, "349.90 KWD");
    proof_key_free(&key);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cart_that_rises_raises_the_ticket_and_is_told),
        cmocka_unit_test(a_cart_that_shrinks_lowers_nothing),
        cmocka_unit_test(an_agents_own_priority_and_tags_stay),
        cmocka_unit_test(what_no_agent_cares_for_is_not_told),
        cmocka_unit_test(nothing_new_costs_one_read),
        cmocka_unit_test(a_closed_ticket_is_left_alone),
        cmocka_unit_test(the_ticket_is_completed),
        cmocka_unit_test(who_it_is_is_told_later_and_completes_the_subject),
        cmocka_unit_test(a_subject_that_is_not_ours_stays),
        cmocka_unit_test(a_rebuilt_link_does_not_tell_what_the_ticket_says),
        cmocka_unit_test(what_was_known_stays_when_it_is_missing_now),
        cmocka_unit_test(a_refresh_reads_once_and_asks_for_more_only_after_a_change),
        cmocka_unit_test(a_ticket_that_was_read_too_long_ago_is_read_again),
        cmocka_unit_test(a_note_in_doubt_is_looked_for),
        cmocka_unit_test(what_the_helpdesk_refuses_is_left_out),
        cmocka_unit_test(failures_never_become_dead_letters),
        cmocka_unit_test(an_unsigned_cart_is_tagged_and_never_urgent),
        cmocka_unit_test(a_proof_ends_by_the_upstreams_clock_and_covers_what_is_shown),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
