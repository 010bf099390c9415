// SPDX-License-Identifier: Apache-2.0
// The demo's story without a browser: a customer writes, a ticket appears, a second message becomes a note, an agent
// replies, and the reply is in the chat. Runs in the main thread of deskbell-sandbox. Promises that each printed time
// was measured on the sandbox's own clock, from the act to its effect.
#include "play.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Deskbell asks for calls, nobody tells it of them.
enum { CALL_MORE_MS = 3000 };

static size_t discard(char *data, size_t size, size_t count, void *argument)
{
    (void)data;
    (void)argument;
    return size * count;
}

bool play_wait_for(const char *url, bool ready_ok, int64_t timeout_ms, const volatile bool *stop)
{
    int64_t deadline = sandbox_now_us() + timeout_ms * 1000;
    CURL *curl = curl_easy_init();
    bool there = false;
    while (!there && !*stop && sandbox_now_us() < deadline) {
        long status = 0;
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 1000L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
        if (curl_easy_perform(curl) == CURLE_OK)
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        there = ready_ok ? status == 200 : status > 0;
        // Another process becomes ready; there is nothing here to wait on but its answer.
        if (!there)
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    curl_easy_cleanup(curl);
    return there;
}

static bool step(const char *name, bool happened, int64_t from_us, int64_t to_us, int64_t limit_ms, bool print)
{
    double ms = (double)(to_us - from_us) / 1000.0;
    bool good = happened && ms <= (double)limit_ms;
    if (print || !good) {
        if (happened)
            printf("%-28s %8.1f ms%s\n", name, ms, good ? "" : "   too slow");
        else
            printf("%-28s did not happen within %lld ms\n", name, (long long)limit_ms);
        fflush(stdout);
    }
    return good;
}

// When the first try of this message's webhook was sent; 0 when it never was.
static int64_t sent_at(struct sandbox *sb, const char *message_id)
{
    struct sandbox_delivery *deliveries;
    size_t count = sandbox_deliveries(sb, &deliveries);
    int64_t at = 0;
    for (size_t i = count; i-- > 0;)
        if (strcmp(deliveries[i].message_id, message_id) == 0)
            at = deliveries[i].at_us; // the earliest is found last
    sandbox_deliveries_free(deliveries, count);
    return at;
}

static int64_t entry_at(struct sandbox *sb, int64_t ticket_id, const char *text)
{
    struct sandbox_entry *entries;
    size_t count = sandbox_entries(sb, ticket_id, &entries);
    int64_t at = 0;
    for (size_t i = 0; i < count && at == 0; i++)
        if (strstr(entries[i].body_text, text) != NULL)
            at = entries[i].at_us;
    sandbox_entries_free(entries, count);
    return at;
}

static int64_t message_at(struct sandbox *sb, const char *conversation_id, const char *text)
{
    struct sandbox_message *messages;
    size_t count = sandbox_messages(sb, conversation_id, &messages);
    int64_t at = 0;
    for (size_t i = 0; i < count && at == 0; i++)
        if (strstr(messages[i].text, text) != NULL)
            at = messages[i].at_us;
    sandbox_messages_free(messages, count);
    return at;
}

// The customer calls and nobody answers: the chat's own ticket says so and rises.
static bool play_call(struct sandbox *sb, int64_t ticket_id, const char *phone, int64_t limit_ms)
{
    int64_t start = sandbox_now_us();
    sandbox_phone_call(sb, phone, "Mia Lund", NULL, 20);
    bool good = sandbox_wait_entry(sb, ticket_id, "Missed call", limit_ms);
    return step("missed call -> ticket", good, start, entry_at(sb, ticket_id, "Missed call"), limit_ms, true);
}

// One conversation. *ticket_us is set to the time from webhook sent to ticket existing.
static bool play_one(struct sandbox *sb, int round, int64_t limit_ms, bool print, bool calls, int64_t *ticket_us)
{
    char email[64], phone[64], reference[64], first_id[SANDBOX_ID_SIZE];
    struct sandbox_customer customer;
    struct sandbox_ticket ticket;
    snprintf(email, sizeof email, "mia.lund.%d@mail.example", round);
    snprintf(phone, sizeof phone, "+3120555%04d", round % 10000);
    snprintf(reference, sizeof reference, "shop-%d", round);
    sandbox_customer_new(sb,
                         &(struct sandbox_customer_info){.first_name = "Mia",
                                                         .last_name = "Lund",
                                                         .email = email,
                                                         .phone = phone,
                                                         .reference_id = reference,
                                                         .cart_value = "249.50",
                                                         .friction_score = "70",
                                                         .screen = "checkout"},
                         &customer);
    int64_t start = sandbox_now_us();
    sandbox_customer_writes(sb, &customer, "My voucher is not accepted at checkout", first_id);
    int64_t ticket_id = sandbox_wait_ticket(sb, customer.conversation_id, limit_ms);
    bool good = sandbox_ticket(sb, ticket_id, &ticket);
    int64_t appeared = good ? ticket.at_us : 0;
    if (good)
        sandbox_ticket_clear(&ticket);
    if (!step("message -> ticket", good, start, appeared, limit_ms, print))
        return false;

    start = sandbox_now_us();
    sandbox_customer_writes(sb, &customer, "The code is GARDEN10", NULL);
    good = sandbox_wait_entry(sb, ticket_id, "GARDEN10", limit_ms);
    if (!step("second message -> note", good, start, entry_at(sb, ticket_id, "GARDEN10"), limit_ms, print))
        return false;

    start = sandbox_now_us();
    if (sandbox_agent_writes(sb, ticket_id, SANDBOX_ANNA, SANDBOX_REPLY,
                             "<p>The voucher is valid again, please try once more.</p>") == 0)
        return false;
    good = sandbox_wait_message(sb, customer.conversation_id, "valid again", limit_ms);
    if (!step("agent's reply -> chat", good, start, message_at(sb, customer.conversation_id, "valid again"), limit_ms,
              print))
        return false;
    if (calls && !play_call(sb, ticket_id, phone, limit_ms + CALL_MORE_MS))
        return false;
    // The attempt is logged when it has been answered, which can be a moment after the ticket exists.
    sandbox_wait_webhooks_idle(sb, limit_ms);
    int64_t sent = sent_at(sb, first_id);
    *ticket_us = sent > 0 ? appeared - sent : -1;
    return sent > 0;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int play(struct sandbox *sb, int rounds, int64_t limit_ms, bool calls, const volatile bool *stop)
{
    int64_t *times = calloc((size_t)rounds, sizeof *times);
    int done = 0;
    if (times == NULL)
        abort();
    while (done < rounds && !*stop) {
        if (!play_one(sb, done, limit_ms, rounds == 1, calls && rounds == 1, &times[done]))
            break;
        done++;
    }
    bool good = done == rounds;
    if (done > 0) {
        qsort(times, (size_t)done, sizeof *times, compare);
        printf("%d conversation%s: webhook sent -> ticket, median %.2f ms, fastest %.2f ms, slowest %.2f ms\n", done,
               done == 1 ? "" : "s", (double)times[done / 2] / 1000.0, (double)times[0] / 1000.0,
               (double)times[done - 1] / 1000.0);
        fflush(stdout);
    }
    free(times);
    return good ? 0 : 1;
}
