// SPDX-License-Identifier: Apache-2.0
// The telephone in stories; see calling.h. The test program's main thread.
#include "tests/scenario/calling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/wire.h"

struct scenario *calling_begin(void **state, struct scenario_options *options)
{
    struct scenario_options usual;
    if (!options) {
        options = &usual;
        scenario_options_init(options);
    }
    options->freshcaller_more =
        "poll_seconds = 1\nnative_wait_seconds = 1\ncountry_code = \"44\"\nphone_number = \"+442079460001\"";
    options->more = "widget { call_back = true }\n";
    options->priorities = ""; // what is raised is raised by calls
    return scenario_begin(state, options);
}

const char *call_mark(int64_t call_id, char text[64])
{
    snprintf(text, 64, "Freshcaller call %" PRId64, call_id);
    return text;
}

// Whether the words end with that number, not with a longer one.
static bool marks(const char *text, const char *mark)
{
    const char *at = text ? strstr(text, mark) : NULL;
    return at && !strchr("0123456789", at[strlen(mark)] ? at[strlen(mark)] : 'x');
}

struct telling {
    char mark[64];
    size_t times;
    int64_t ticket_id; // the last that tells
};

static void count_telling(struct sandbox *sb, struct telling *telling)
{
    struct sandbox_ticket *tickets = NULL;
    size_t count = sandbox_tickets(sb, &tickets);
    telling->times = 0;
    for (size_t i = 0; i < count; i++) {
        struct sandbox_entry *entries = NULL;
        size_t entry_count = sandbox_entries(sb, tickets[i].id, &entries);
        size_t before = telling->times;
        telling->times += marks(tickets[i].description_text, telling->mark);
        for (size_t k = 0; k < entry_count; k++)
            telling->times += marks(entries[k].body_text, telling->mark);
        if (telling->times > before)
            telling->ticket_id = tickets[i].id;
        sandbox_entries_free(entries, entry_count);
    }
    sandbox_tickets_free(tickets, count);
}

static bool is_told(struct sandbox *sb, void *arg)
{
    struct telling *telling = arg;
    count_telling(sb, telling);
    return telling->times > 0;
}

int64_t call_is_told_within(struct scenario *s, int64_t call_id, int timeout_ms)
{
    struct telling telling = {.times = 0};
    call_mark(call_id, telling.mark);
    if (!sandbox_wait(scenario_sandbox(s), is_told, &telling, timeout_ms))
        scenario_fail("call %" PRId64 " is on no ticket after %d ms", call_id, timeout_ms);
    return telling.ticket_id;
}

void call_is_told_times(struct scenario *s, int64_t call_id, size_t times)
{
    struct telling telling = {.times = 0};
    call_mark(call_id, telling.mark);
    count_telling(scenario_sandbox(s), &telling);
    if (telling.times != times)
        scenario_fail("call %" PRId64 " is told %zu times instead of %zu", call_id, telling.times, times);
}

struct noting {
    char mark[64];
    int64_t ticket_id;
    size_t private_notes, others, wanted;
};

static bool is_noted(struct sandbox *sb, void *arg)
{
    struct noting *noting = arg;
    struct sandbox_entry *entries = NULL;
    size_t count = sandbox_entries(sb, noting->ticket_id, &entries);
    noting->private_notes = noting->others = 0;
    for (size_t i = 0; i < count; i++) {
        if (!marks(entries[i].body_text, noting->mark))
            continue;
        bool is_quiet = entries[i].is_private && !entries[i].incoming;
        noting->private_notes += is_quiet;
        noting->others += !is_quiet;
    }
    sandbox_entries_free(entries, count);
    return noting->private_notes >= noting->wanted;
}

void call_is_noted(struct scenario *s, int64_t ticket_id, int64_t call_id, size_t times, int timeout_ms)
{
    struct noting noting = {.ticket_id = ticket_id, .wanted = times};
    call_mark(call_id, noting.mark);
    (void)sandbox_wait(scenario_sandbox(s), is_noted, &noting, timeout_ms);
    if (noting.private_notes != times || noting.others)
        scenario_fail("call %" PRId64 " is in %zu private and %zu other entries of ticket %" PRId64
                      " after %d ms, not in %zu private ones",
                      call_id, noting.private_notes, noting.others, ticket_id, timeout_ms, times);
}

void ticket_is_raised(struct scenario *s, int64_t ticket_id, int priority, const char *tag)
{
    struct sandbox_ticket ticket;
    if (!sandbox_ticket(scenario_sandbox(s), ticket_id, &ticket))
        scenario_fail("there is no ticket %" PRId64, ticket_id);
    bool tagged = false;
    for (size_t i = 0; i < ticket.tag_count; i++)
        tagged |= strcmp(ticket.tags[i], tag) == 0;
    int found = ticket.priority;
    sandbox_ticket_clear(&ticket);
    if (found != priority || tagged != (*tag != '\0'))
        scenario_fail("ticket %" PRId64 " has priority %d and is %stagged \"%s\"", ticket_id, found,
                      tagged ? "" : "not ", tag);
}

void ticket_says(struct scenario *s, int64_t ticket_id, const char *words)
{
    struct sandbox_ticket ticket;
    if (!sandbox_ticket(scenario_sandbox(s), ticket_id, &ticket))
        scenario_fail("there is no ticket %" PRId64, ticket_id);
    bool there = strstr(ticket.subject, words) || strstr(ticket.description_text, words) ||
                 sandbox_entries_with(scenario_sandbox(s), ticket_id, words) > 0;
    char description[2000];
    snprintf(description, sizeof description, "%s / %s", ticket.subject, ticket.description_text);
    sandbox_ticket_clear(&ticket);
    if (!there)
        scenario_fail("ticket %" PRId64 " does not say \"%s\": %s", ticket_id, words, description);
}

void polls_pass(struct scenario *s, size_t count)
{
    size_t until = sandbox_call_count(scenario_sandbox(s), SANDBOX_PHONE_LIST) + count;
    if (!sandbox_wait_calls(scenario_sandbox(s), SANDBOX_PHONE_LIST, until, 20000))
        scenario_fail("the calls were not listed %zu times more", count);
}

void shopper_asks(struct scenario *s, const char *id, const char *phone, const char *name, const char *user, int status)
{
    char body[512], headers[256], *answer = NULL;
    int length = snprintf(body, sizeof body,
                          "{\"id\":\"%s\",\"phone\":\"%s\",\"name\":\"%s\",\"user\":\"%s\",\"screen\":\"checkout\"}",
                          id, phone, name, user);
    snprintf(headers, sizeof headers, "Origin: http://%s:%d\r\nContent-Type: application/json\r\n", scenario_address(s),
             scenario_port(s));
    int got = wire_post(scenario_address(s), scenario_port(s), "/callback", headers, body, (size_t)length, &answer);
    if (got != status)
        scenario_fail("POST /callback was answered %d instead of %d: %s", got, status, answer ? answer : "");
    free(answer);
}
