// SPDX-License-Identifier: Apache-2.0
// While a chat runs the ticket follows the shopper's cart and friction: the agent is told once, in words, whatever is
// lost or dies meanwhile; nothing is lowered, nothing an agent set is taken away, and messages come first. Each story
// has a process of its own here, because almost all of it is waiting.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/scenario/story.h"

#define KEY "correct horse battery staple"
#define URL "https://shop.example/cart/8d1"

static void says(struct scenario *s, const char *name, const char *value)
{
    sandbox_customer_property(scenario_sandbox(s), customer_of(s, "ada"), name, value);
}

// As the shop's server does it.
static void says_signed_cart(struct scenario *s, const char *value)
{
    char text[256], proof[128];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    long long expires = (long long)time(NULL) + 3600;
    snprintf(text, sizeof text, "deskbell-cart-1\n%lld\n%s\nEUR\n%s", expires, value, URL);
    assert_non_null(HMAC(EVP_sha256(), KEY, sizeof KEY - 1, (unsigned char *)text, strlen(text), mac, &size));
    int length = snprintf(proof, sizeof proof, "1.%lld.", expires);
    for (unsigned i = 0; i < size; i++)
        length += snprintf(proof + length, sizeof proof - (size_t)length, "%02x", mac[i]);
    says(s, "cart_proof", proof);
    says(s, "cart_url", URL);
    says(s, "cart_currency", "EUR");
    says(s, "cart_value", value);
}

static void says_friction(struct scenario *s, const char *score, const char *reasons)
{
    says(s, "friction_reasons", reasons);
    says(s, "friction_score", score);
}

static struct scenario *with_a_quick_look(void **state, struct scenario_options *options)
{
    options->timing_more = "  context_refresh_seconds = 1\n  context_note_seconds = 2";
    struct scenario *s = scenario_begin(state, options);
    const struct sandbox_customer_info info = {.first_name = "Ada",
                                               .email = "ada@customer.example",
                                               .cart_value = "59.00",
                                               .friction_score = "35",
                                               .screen = "checkout"};
    customer_arrives(s, "ada", &info);
    says(s, "cart_currency", "EUR");
    says(s, "cart_items", "1 × Drift peg at 9.00; 1 × Deck <b>chair</b> at 50.00");
    says(s, "friction_reasons", "35, medium: promo code refused, dead click on Apply");
    return s;
}

struct looks {
    struct scenario *s;
    int priority;
    const char *cart, *tags; // with a comma behind each
};

static bool looks_so(struct sandbox *sb, void *arg)
{
    const struct looks *looks = arg;
    struct sandbox_ticket ticket;
    char tags[256] = "";
    if (!sandbox_ticket(sb, ticket_of(looks->s, "ada"), &ticket))
        return false;
    for (size_t i = 0; i < ticket.tag_count; i++)
        snprintf(tags + strlen(tags), sizeof tags - strlen(tags), "%s,", ticket.tags[i]);
    bool so = ticket.priority == looks->priority && ticket.cart && strcmp(ticket.cart, looks->cart) == 0 &&
              strcmp(tags, looks->tags) == 0;
    sandbox_ticket_clear(&ticket);
    return so;
}

static void ticket_is_within(struct scenario *s, int priority, const char *cart, const char *tags, int timeout_ms)
{
    struct looks looks = {s, priority, cart, tags};
    if (sandbox_wait(scenario_sandbox(s), looks_so, &looks, timeout_ms))
        return;
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(scenario_sandbox(s), ticket_of(s, "ada"), &ticket));
    print_message("priority %d, cart %s, tags", ticket.priority, ticket.cart);
    for (size_t i = 0; i < ticket.tag_count; i++)
        print_message(" %s", ticket.tags[i]);
    print_message("\n");
    scenario_fail("the ticket is not of priority %d with cart %s and tags %s after %d ms", priority, cart, tags,
                  timeout_ms);
}

// ---------------------------------------------------------------- the stories
static void what_changes_is_told_once_and_nothing_is_lowered(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.context_key = KEY;
    struct scenario *s = with_a_quick_look(state, &options);
    struct sandbox *sb = scenario_sandbox(s);
    customer_writes(s, "ada", "My code does not work");
    int64_t id = ticket_appears_within(s, "ada", 2000);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(sb, id, &ticket));
    assert_string_equal(ticket.subject, "59.00 EUR · Ada: My code does not work");
    assert_non_null(strstr(ticket.description_text, "Cart value: 59.00 EUR (not signed by the shop)"));
    assert_non_null(strstr(ticket.description_text, "Friction: 35, medium: promo code refused, dead click on Apply"));
    assert_non_null(strstr(ticket.description_text, "Deck <b>chair</b> at 50.00")); // escaped, so plain in the text
    assert_null(strstr(ticket.description, "<b>chair"));
    sandbox_ticket_clear(&ticket);
    ticket_is_within(s, 2, "59.0", "unsigned-context,", 1);
    assert_true(sandbox_ticket_set(sb, id, 0, "vip"));

    // The cart rises, properly signed. The answers to the update and to the note are lost; webhooks come twice.
    const struct sandbox_webhook_fault twice = {.kind = SANDBOX_WEBHOOK_DUPLICATE, .probability = 1};
    const struct sandbox_fault update = {.endpoint = SANDBOX_FD_TICKET_PUT, .kind = SANDBOX_FAULT_LOST, .count = 1};
    const struct sandbox_fault note = {.endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_LOST, .skip = 1, .count = 1};
    sandbox_webhook_fault_add(sb, &twice);
    int lost_update = sandbox_fault_add(sb, &update);
    int lost_note = sandbox_fault_add(sb, &note);
    says_friction(s, "73", "73, high: payment declined twice, rage click on Pay");
    says_signed_cart(s, "349.90");
    customer_writes(s, "ada", "And now my card is refused");
    ticket_shows_within(s, "ada", "And now my card is refused", 2000);
    ticket_is_within(s, 4, "349.9", "unsigned-context,vip,high-value,", 6000);
    static const char told[] =
        "The cart is now 349.90 EUR (was 59.00 EUR), signed by the shop. Friction is now 73, high: "
        "payment declined twice, rage click on Pay (was 35, medium). Rule high-value: priority "
        "urgent, tag high-value.";
    ticket_shows_within(s, "ada", told, 6000);
    assert_int_equal(sandbox_fault_hits(sb, lost_update), 1);
    assert_int_equal(sandbox_fault_hits(sb, lost_note), 1);

    // It shrinks, under a signature that is another cart's: told, and nothing lowered.
    says(s, "cart_value", "20.00");
    says(s, "screen", "basket");
    ticket_is_within(s, 4, "20.0", "unsigned-context,vip,high-value,", 8000);
    ticket_shows_within(s, "ada", "The cart is now 20.00 EUR (was 349.90 EUR), not signed by the shop.", 2000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", told, 1);
    assert_int_equal(sandbox_entries_with(sb, id, "Deskbell:"), 2);
    assert_int_equal(sandbox_messages_with(sb, customer_of(s, "ada")->conversation_id, "cart is now"), 0);
    no_dead_letters(s);
    scenario_end(s);
}

static void an_agents_work_stays_and_a_closed_ticket_rests(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    struct scenario *s = with_a_quick_look(state, &options);
    struct sandbox *sb = scenario_sandbox(s);
    customer_writes(s, "ada", "My code does not work");
    int64_t id = ticket_appears_within(s, "ada", 2000);
    ticket_is_within(s, 2, "59.0", "", 1);
    // The agent has made it urgent; a rule that gives high finds that.
    assert_true(sandbox_ticket_set(sb, id, 4, "mine"));
    says_friction(s, "64", "64, low: <script>alert(1)</script>"); // words that do not fit the score
    says(s, "cart_value", "80.00");
    ticket_is_within(s, 4, "80.0", "mine,", 8000);
    ticket_shows_within(s, "ada",
                        "The cart is now 80.00 EUR (was 59.00 EUR). Friction is now 64, high (was 35, medium).", 3000);
    everything_settles_within(s, 5000);
    assert_int_equal(sandbox_entries_with(sb, id, "Deskbell:"), 1);
    assert_int_equal(sandbox_entries_with(sb, id, "script"), 0);

    // Closed: it rests, whatever is in the cart. The customer's next message is looked at as ever.
    assert_true(sandbox_ticket_status(sb, id, STORY_ANNA, 5));
    says(s, "cart_value", "500.00");
    size_t reads = sandbox_call_count(sb, SANDBOX_FD_TICKET_GET);
    assert_true(sandbox_wait_calls(sb, SANDBOX_FD_TICKET_GET, reads + 1, 8000));
    everything_settles_within(s, 5000);
    ticket_is_within(s, 4, "80.0", "mine,", 1);
    assert_int_equal(sandbox_entries_with(sb, id, "Deskbell:"), 1);
    no_dead_letters(s);
    scenario_end(s);
}

static void who_was_unread_at_first_is_told_later(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    struct scenario *s = with_a_quick_look(state, &options);
    struct sandbox *sb = scenario_sandbox(s);
    const struct sandbox_fault busy = {
        .endpoint = SANDBOX_FC_USER_GET, .kind = SANDBOX_FAULT_STATUS, .status = 429, .count = 1};
    sandbox_fault_add(sb, &busy);
    customer_writes(s, "ada", "My code does not work");
    int64_t id = ticket_appears_within(s, "ada", 2500);
    ticket_shows_within(s, "ada", "The customer is Ada, ada@customer.example. The cart is 59.00 EUR.", 8000);
    everything_settles_within(s, 8000);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(sb, id, &ticket));
    assert_string_equal(ticket.subject, "59.00 EUR · Ada: My code does not work");
    sandbox_ticket_clear(&ticket);
    assert_int_equal(sandbox_entries_with(sb, id, "Deskbell:"), 1);
    no_dead_letters(s);
    scenario_end(s);
}

static void many_messages_cost_few_looks(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    struct scenario *s = with_a_quick_look(state, &options);
    struct sandbox *sb = scenario_sandbox(s);
    // Freshchat does not tell of its customers any more, once the ticket is there: no message waits for that.
    customer_writes(s, "ada", "message 0");
    ticket_appears_within(s, "ada", 2000);
    const struct sandbox_fault hang = {.endpoint = SANDBOX_FC_USER_GET, .kind = SANDBOX_FAULT_HANG, .ms = 20000};
    sandbox_fault_add(sb, &hang);
    int64_t begun = scenario_now_ms();
    size_t before = sandbox_call_count(sb, SANDBOX_FC_USER_GET);
    int messages = 0;
    while (scenario_now_ms() - begun < 3500) {
        char text[32];
        snprintf(text, sizeof text, "message %d of many", ++messages);
        customer_writes(s, "ada", text);
        ticket_shows_within(s, "ada", text, 1500);
    }
    size_t looks = sandbox_call_count(sb, SANDBOX_FC_USER_GET) - before;
    int64_t took = scenario_now_ms() - begun;
    print_message("%zu looks in %lld ms and %d messages\n", looks, (long long)took, messages);
    assert_in_range(looks, 1, took / 1000 + 1);
    sandbox_faults_clear(sb);
    says(s, "cart_value", "349.90");
    customer_writes(s, "ada", "the last message");
    ticket_is_within(s, 4, "349.9", "high-value,", 8000);
    everything_settles_within(s, 8000);
    assert_int_equal(sandbox_entries_with(sb, ticket_of(s, "ada"), "The cart is now"), 1);
    no_dead_letters(s);
    scenario_end(s);
}

static void talk_with_a_death(void **state, const char *moment)
{
    char folder[64], kill[96], once[128];
    snprintf(folder, sizeof folder, "/tmp/dbs.context.%d", (int)getpid());
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(kill, sizeof kill, "DESKBELL_TEST_KILL=%s", moment);
    snprintf(once, sizeof once, "DESKBELL_TEST_ONCE_FILE=%s/mark", folder);
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = kill;
    options.environment[1] = once;
    struct scenario *s = with_a_quick_look(state, &options);
    customer_writes(s, "ada", "My code does not work");
    int64_t id = ticket_appears_within(s, "ada", 2000);
    says(s, "cart_value", "349.90");
    ticket_is_within(s, 4, "349.9", "high-value,", 8000);
    ticket_shows_within(s, "ada",
                        "The cart is now 349.90 EUR (was 59.00 EUR). Rule high-value: priority urgent, tag high-value.",
                        10000);
    everything_settles_within(s, 15000);
    assert_int_equal(scenario_log_count(s, "seam_killed"), 1); // else nothing was tested
    assert_int_equal(sandbox_entries_with(scenario_sandbox(s), id, "Deskbell:"), 1);
    no_dead_letters(s);
    scenario_end(s);
    char mark[96];
    snprintf(mark, sizeof mark, "%s/mark", folder);
    unlink(mark);
    rmdir(folder);
}

static void a_worker_dies_behind_the_note(void **state)
{
    talk_with_a_death(state, "after_call:change_note");
}

static void a_worker_dies_behind_the_update(void **state)
{
    talk_with_a_death(state, "after_call:update_ticket");
}

static void the_front_dies_when_the_update_is_reported(void **state)
{
    talk_with_a_death(state, "reported:update_ticket");
}

static void the_front_dies_when_the_note_is_claimed(void **state)
{
    talk_with_a_death(state, "claimed:change_note");
}

int main(void)
{
    const struct CMUnitTest stories[][2] = {
        {cmocka_unit_test_teardown(what_changes_is_told_once_and_nothing_is_lowered, scenario_teardown)},
        {cmocka_unit_test_teardown(an_agents_work_stays_and_a_closed_ticket_rests, scenario_teardown)},
        {cmocka_unit_test_teardown(who_was_unread_at_first_is_told_later, scenario_teardown)},
        {cmocka_unit_test_teardown(many_messages_cost_few_looks, scenario_teardown)},
        {cmocka_unit_test_teardown(a_worker_dies_behind_the_note, scenario_teardown),
         cmocka_unit_test_teardown(the_front_dies_when_the_update_is_reported, scenario_teardown)},
        {cmocka_unit_test_teardown(a_worker_dies_behind_the_update, scenario_teardown),
         cmocka_unit_test_teardown(the_front_dies_when_the_note_is_claimed, scenario_teardown)},
    };
    enum { STORIES = sizeof stories / sizeof *stories };
    pid_t pids[STORIES]; // before any thread exists
    for (int i = 0; i < STORIES; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            return 1;
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const struct CMUnitTest one[] = {stories[i][0]};
            const struct CMUnitTest two[] = {stories[i][0], stories[i][1]};
            exit(stories[i][1].test_func ? cmocka_run_group_tests_name("context", two, NULL, NULL)
                                         : cmocka_run_group_tests_name("context", one, NULL, NULL));
        }
    }
    int failed = 0;
    for (int i = 0; i < STORIES; i++) {
        int status = 0;
        if (waitpid(pids[i], &status, 0) != pids[i] || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed++;
    }
    return failed == 0 ? 0 : 1;
}
