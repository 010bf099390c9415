// SPDX-License-Identifier: Apache-2.0
// See story.h. The story's own words carry the place in their macros; here they are written with parentheses, which
// keeps the macros out.
#include "tests/scenario/story.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/scenario/inside.h"

#define DELIVERIES_MAX 64
#define IDLE_MS        400

// ---------------------------------------------------------------- who
static struct inside_customer *find_customer(struct scenario *s, const char *who)
{
    for (size_t i = 0; i < s->customer_count; i++) {
        if (strcmp(s->customers[i].name, who) == 0)
            return &s->customers[i];
    }
    return NULL;
}

void(customer_arrives)(struct scenario *s, const char *who, const struct sandbox_customer_info *info)
{
    if (find_customer(s, who) || s->customer_count == INSIDE_CUSTOMERS)
        (scenario_fail)("customer %s cannot arrive", who);
    struct inside_customer *customer = &s->customers[s->customer_count++];
    snprintf(customer->name, sizeof customer->name, "%s", who);
    sandbox_customer_new(s->sandbox, info, &customer->customer);
}

const struct sandbox_customer *(customer_of)(struct scenario *s, const char *who)
{
    struct inside_customer *found = find_customer(s, who);
    if (!found) {
        char email[64];
        snprintf(email, sizeof email, "%s@customer.example", who);
        const struct sandbox_customer_info usual = {
            .first_name = who, .email = email, .cart_value = "249.50", .friction_score = "72", .screen = "basket"};
        (customer_arrives)(s, who, &usual);
        found = find_customer(s, who);
    }
    return &found->customer;
}

// Nobody writes twice within a millisecond, and a webhook tells no smaller time: waits until the last message's is
// over.
static void let_the_clock_tick(void)
{
    static int64_t last_ms;
    struct timespec now;
    int64_t now_ms;
    do {
        clock_gettime(CLOCK_REALTIME, &now);
        now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    } while (now_ms == last_ms);
    last_ms = now_ms;
}

int64_t(customer_writes)(struct scenario *s, const char *who, const char *text)
{
    const struct sandbox_customer *customer = (customer_of)(s, who);
    let_the_clock_tick();
    int64_t at = sandbox_now_us();
    sandbox_customer_writes(s->sandbox, customer, text, NULL);
    return at;
}

static int64_t agent_writes(struct scenario *s, const char *who, const char *agent, const char *html,
                            enum sandbox_entry_kind kind)
{
    int64_t entry = sandbox_agent_writes(s->sandbox, (ticket_of)(s, who), agent, kind, html);
    if (entry == 0)
        (scenario_fail)("the sandbox does not let %s write", agent);
    return entry;
}

int64_t(agent_replies)(struct scenario *s, const char *who, const char *agent, const char *html)
{
    return agent_writes(s, who, agent, html, SANDBOX_REPLY);
}

int64_t(agent_notes)(struct scenario *s, const char *who, const char *agent, const char *html)
{
    return agent_writes(s, who, agent, html, SANDBOX_PUBLIC_NOTE);
}

int64_t(agent_notes_privately)(struct scenario *s, const char *who, const char *agent, const char *html)
{
    return agent_writes(s, who, agent, html, SANDBOX_PRIVATE_NOTE);
}

void(agent_types_in_chat)(struct scenario *s, const char *who, const char *agent, const char *text)
{
    if (!sandbox_agent_types(s->sandbox, (customer_of)(s, who)->conversation_id, agent, text, "normal", NULL))
        (scenario_fail)("the sandbox does not let %s type", agent);
}

// ---------------------------------------------------------------- deliveries by hand
struct draft(customer_drafts)(struct scenario *s, const char *who, const char *text)
{
    struct draft draft = {.text = text};
    snprintf(draft.who, sizeof draft.who, "%s", who);
    let_the_clock_tick();
    draft.body = sandbox_customer_drafts(s->sandbox, (customer_of)(s, who), text, NULL);
    if (!draft.body)
        (scenario_fail)("the sandbox drafts nothing");
    return draft;
}

void draft_clear(struct draft *draft)
{
    free(draft->body);
    draft->body = NULL;
}

struct delivery {
    struct scenario *s;
    const struct draft *draft;
    pthread_barrier_t *start;
    pthread_t thread;
    int status;
};

static void *deliver(void *arg)
{
    struct delivery *delivery = arg;
    pthread_barrier_wait(delivery->start);
    delivery->status =
        sandbox_deliver(delivery->s->sandbox, delivery->draft->body, strlen(delivery->draft->body), NULL);
    return NULL;
}

void(delivered_at_once)(struct scenario *s, struct draft *drafts, size_t count, int copies)
{
    static struct delivery deliveries[DELIVERIES_MAX];
    size_t all = count * (size_t)copies;
    pthread_barrier_t start;
    if (all == 0 || all > DELIVERIES_MAX || pthread_barrier_init(&start, NULL, (unsigned)all) != 0)
        abort();
    for (size_t i = 0; i < all; i++) {
        deliveries[i] = (struct delivery){.s = s, .draft = &drafts[i % count], .start = &start};
        if (pthread_create(&deliveries[i].thread, NULL, deliver, &deliveries[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < count; i++)
        drafts[i].status = 200;
    for (size_t i = 0; i < all; i++) {
        pthread_join(deliveries[i].thread, NULL);
        if (deliveries[i].status != 200)
            drafts[i % count].status = deliveries[i].status;
    }
    pthread_barrier_destroy(&start);
}

void(delivered_in_turn)(struct scenario *s, struct draft *drafts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (drafts[i].status != 200)
            drafts[i].status = sandbox_deliver(s->sandbox, drafts[i].body, strlen(drafts[i].body), NULL);
    }
}

void(delivered_until_accepted)(struct scenario *s, struct draft *drafts, size_t count, int timeout_ms)
{
    int64_t end = scenario_now_ms() + timeout_ms;
    size_t left = count;
    while (left > 0 && scenario_now_ms() < end) {
        left = 0;
        (delivered_in_turn)(s, drafts, count);
        for (size_t i = 0; i < count; i++)
            left += drafts[i].status != 200;
    }
    if (left > 0)
        (scenario_fail)("%zu of %zu webhooks were not accepted within %d ms", left, count, timeout_ms);
}

// ---------------------------------------------------------------- the desk
int64_t(ticket_of)(struct scenario *s, const char *who)
{
    int64_t ticket = 0;
    size_t count = sandbox_tickets_of(s->sandbox, (customer_of)(s, who)->conversation_id, &ticket);
    if (count != 1)
        (scenario_fail)("%s has %zu tickets", who, count);
    return ticket;
}

int64_t(ticket_appears_within)(struct scenario *s, const char *who, int timeout_ms)
{
    if (sandbox_wait_ticket(s->sandbox, (customer_of)(s, who)->conversation_id, timeout_ms) == 0)
        (scenario_fail)("%s has no ticket after %d ms", who, timeout_ms);
    return (ticket_of)(s, who);
}

char *transcript_of(struct scenario *s, const char *who)
{
    int64_t id = (ticket_of)(s, who);
    struct sandbox_ticket ticket;
    struct sandbox_entry *entries = NULL;
    char *text = NULL;
    size_t size = 0;
    if (!sandbox_ticket(s->sandbox, id, &ticket))
        (scenario_fail)("the ticket of %s is gone", who);
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    fprintf(out, "%s\n", ticket.description_text ? ticket.description_text : "");
    size_t count = sandbox_entries(s->sandbox, id, &entries);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\n", entries[i].body_text ? entries[i].body_text : "");
    if (fclose(out) != 0)
        abort();
    sandbox_entries_free(entries, count);
    sandbox_ticket_clear(&ticket);
    return text;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80) != 0;
}

// The next place where `text` stands as whole words, NULL when there is none.
static const char *find_words(const char *in, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = in; (at = strstr(at, text)); at++) {
        bool open = at == in || !is_word(at[-1]) || !is_word(text[0]);
        bool closed = !is_word(at[length]) || !is_word(text[length - 1]);
        if (open && closed)
            return at;
    }
    return NULL;
}

static size_t count_words(const char *in, const char *text)
{
    size_t count = 0;
    for (const char *at = in; (at = find_words(at, text)); at += strlen(text))
        count++;
    return count;
}

struct sight {
    struct scenario *s;
    const char *who, *text;
};

static bool ticket_shows(struct sandbox *sb, void *arg)
{
    (void)sb;
    struct sight *sight = arg;
    char *transcript = transcript_of(sight->s, sight->who);
    bool shows = find_words(transcript, sight->text) != NULL;
    free(transcript);
    return shows;
}

void(ticket_shows_within)(struct scenario *s, const char *who, const char *text, int timeout_ms)
{
    struct sight sight = {s, who, text};
    if (!sandbox_wait(s->sandbox, ticket_shows, &sight, timeout_ms))
        (scenario_fail)("the ticket of %s does not show \"%s\" after %d ms", who, text, timeout_ms);
}

void(ticket_shows_times)(struct scenario *s, const char *who, const char *text, size_t times)
{
    char *transcript = transcript_of(s, who);
    size_t count = count_words(transcript, text);
    if (count != times) {
        fprintf(stderr, "the ticket of %s:\n%s\n", who, transcript);
        free(transcript);
        (scenario_fail)("the ticket of %s shows \"%s\" %zu times instead of %zu", who, text, count, times);
    }
    free(transcript);
}

void(ticket_shows_in_order)(struct scenario *s, const char *who, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (ticket_shows_times)(s, who, texts[i], 1);
    char *transcript = transcript_of(s, who);
    const char *at = transcript;
    for (size_t i = 0; i < count && at; i++) {
        at = find_words(at, texts[i]);
        if (!at) {
            fprintf(stderr, "the ticket of %s:\n%s\n", who, transcript);
            (scenario_fail)("the ticket of %s shows \"%s\" before \"%s\"", who, texts[i], texts[i - 1]);
        }
    }
    free(transcript);
}

static bool cart_is(struct sandbox *sb, void *arg)
{
    struct sight *sight = arg;
    struct sandbox_ticket ticket;
    if (!sandbox_ticket(sb, (ticket_of)(sight->s, sight->who), &ticket))
        return false;
    bool equal = ticket.cart && sight->text ? strcmp(ticket.cart, sight->text) == 0 : ticket.cart == sight->text;
    sandbox_ticket_clear(&ticket);
    return equal;
}

void(ticket_cart_is_within)(struct scenario *s, const char *who, const char *json, int timeout_ms)
{
    struct sight sight = {s, who, json};
    if (!sandbox_wait(s->sandbox, cart_is, &sight, timeout_ms))
        (scenario_fail)("the cart in the ticket of %s is not %s after %d ms", who, json ? json : "null", timeout_ms);
}

// ---------------------------------------------------------------- the chat
void(chat_shows_within)(struct scenario *s, const char *who, const char *text, int timeout_ms)
{
    if (!sandbox_wait_message(s->sandbox, (customer_of)(s, who)->conversation_id, text, timeout_ms))
        (scenario_fail)("the chat of %s does not show \"%s\" after %d ms", who, text, timeout_ms);
}

void(chat_shows_times)(struct scenario *s, const char *who, const char *text, size_t times)
{
    size_t count = sandbox_messages_with(s->sandbox, (customer_of)(s, who)->conversation_id, text);
    if (count != times)
        (scenario_fail)("the chat of %s shows \"%s\" %zu times instead of %zu", who, text, count, times);
}

void(chat_message_is_by)(struct scenario *s, const char *who, const char *text, const char *agent_email)
{
    char agent[SANDBOX_ID_SIZE] = "", actor[SANDBOX_ID_SIZE] = "";
    struct sandbox_message *messages = NULL;
    if (!sandbox_chat_agent(s->sandbox, agent_email, agent))
        (scenario_fail)("Freshchat has no agent %s", agent_email);
    size_t count = sandbox_messages(s->sandbox, (customer_of)(s, who)->conversation_id, &messages);
    for (size_t i = 0; i < count; i++) {
        if (messages[i].text && strstr(messages[i].text, text))
            memcpy(actor, messages[i].actor_id, sizeof actor);
    }
    sandbox_messages_free(messages, count);
    if (strcmp(actor, agent) != 0)
        (scenario_fail)("\"%s\" is said by %s instead of %s (%s)", text, actor, agent, agent_email);
}

// ---------------------------------------------------------------- quiet
struct quiet {
    struct scenario *s;
    size_t calls;
    int64_t since_ms;
};

static bool is_quiet(void *arg)
{
    struct quiet *quiet = arg;
    struct scenario_status status;
    size_t calls = sandbox_call_count(quiet->s->sandbox, SANDBOX_ANY);
    bool idle = sandbox_webhooks_waiting(quiet->s->sandbox) == 0 && scenario_status(quiet->s, &status) &&
                status.waiting == 0 && status.out == 0 && calls == quiet->calls;
    if (!idle) {
        quiet->calls = calls;
        quiet->since_ms = scenario_now_ms();
        return false;
    }
    return scenario_now_ms() - quiet->since_ms >= IDLE_MS;
}

void(everything_settles_within)(struct scenario *s, int timeout_ms)
{
    struct quiet quiet = {.s = s, .since_ms = scenario_now_ms()};
    if (scenario_wait(is_quiet, &quiet, timeout_ms))
        return;
    struct scenario_status status = (scenario_status_now)(s);
    (scenario_fail)("not settled after %d ms: %lld waiting, %lld out, %zu webhooks under way", timeout_ms,
                    (long long)status.waiting, (long long)status.out, sandbox_webhooks_waiting(s->sandbox));
}

void(calls_are)(struct scenario *s, int endpoint, size_t count)
{
    size_t calls = sandbox_call_count(s->sandbox, endpoint);
    if (calls != count)
        (scenario_fail)("%zu calls instead of %zu", calls, count);
}

void(no_dead_letters)(struct scenario *s)
{
    struct scenario_status status = (scenario_status_now)(s);
    if (status.dead != 0)
        (scenario_fail)("%lld dead letters", (long long)status.dead);
}
