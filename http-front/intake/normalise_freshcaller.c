// SPDX-License-Identifier: Apache-2.0
// Freshcaller's calls as events (freshworks-api 6.2). Pure; the dispatcher's thread, for what the poll of calls found.
// A call says how it went only on its participants, in numbers of which two are known: 1 answered or completed, 3 not
// answered. All others are decided by how long it took and by whether an agent took part.
#include "http-front/intake/normalise_freshcaller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http-front/intake/payload.h"
#include "proto/clock.h"
#include "proto/phone.h"

enum {
    STATUS_ANSWERED = 1,
    STATUS_MISSED = 3,
    SECONDS_MOST = 7 * 24 * 60 * 60, // longer is no call's length
    NUMBER_MAX = 64,
    NAME_MAX = 512,
    NOTES_MAX = 4096,
    LINK_MAX = 8192,
    RING_MOST_MS = 30 * 60 * 1000,     // nothing heard of a ringing call for so long: it is over
    TALK_MOST_MS = 4 * 60 * 60 * 1000, // of one that an agent is in
};

static struct normalised bad(enum answer answer)
{
    return (struct normalised){.result = NORMALISE_BAD, .answer = answer};
}

// object[key] as a positive number, given as one or as digits; 0: absent or something else.
static uint64_t number(const json_t *object, const char *key)
{
    const json_t *value = payload_get(object, key);
    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    if (json_is_real(value))
        return json_real_value(value) >= 1 && json_real_value(value) < 1e15 ? (uint64_t)json_real_value(value) : 0;
    const char *text = json_string_value(value);
    if (!text || !*text || text[strspn(text, "0123456789")])
        return 0;
    errno = 0;
    uintmax_t parsed = strtoumax(text, NULL, 10);
    return errno || parsed > INT64_MAX ? 0 : (uint64_t)parsed;
}

static uint64_t seconds(const json_t *object, const char *key)
{
    uint64_t value = number(object, key);
    return value <= SECONDS_MOST ? value : 0;
}

static uint64_t time_of(const json_t *object, const char *key)
{
    const json_t *value = payload_get(object, key);
    int64_t ms = 0;
    if (!json_is_string(value) || !clock_parse_iso(json_string_value(value), json_string_length(value), &ms) || ms <= 0)
        return 0;
    return (uint64_t)ms;
}

static bool says(const json_t *object, const char *key, const char *word)
{
    const char *text = json_string_value(payload_get(object, key));
    return text && strcasecmp(text, word) == 0;
}

static bool mentions(const json_t *object, const char *key, const char *word)
{
    const char *text = json_string_value(payload_get(object, key));
    return text && strcasestr(text, word);
}

// ---- how it went ----------------------------------------------------------------------------------------------------

// What the participants say together.
struct people {
    const json_t *customer; // the first with a number, else the first; NULL: none
    const json_t *agent;    // one who talked, else one who was there, else one who did not answer; NULL: none
    uint64_t status;        // the customer's
    uint64_t seconds;       // the longest of all
    bool talked;            // an agent was there, and for how long is known
    bool present;           // an agent was there
};

static void meet_agent(struct people *people, const json_t *participant, uint64_t status, uint64_t took)
{
    bool present = status != STATUS_MISSED;
    bool talked = present && took > 0;
    if (!people->agent || (present && !people->present) || (talked && !people->talked))
        people->agent = participant;
    people->present |= present;
    people->talked |= talked;
}

static struct people meet(const json_t *call)
{
    struct people people = {.seconds = seconds(call, "bill_duration")};
    const json_t *list = payload_get(call, "participants");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        uint64_t status = number(one, "call_status");
        uint64_t took = seconds(one, "duration");
        if (took > people.seconds)
            people.seconds = took;
        bool has_number = json_string_length(payload_get(one, "caller_number")) > 0;
        if (says(one, "participant_type", "agent")) {
            meet_agent(&people, one, status, took);
        } else if (says(one, "participant_type", "customer") &&
                   (!people.customer ||
                    (has_number && !json_string_length(payload_get(people.customer, "caller_number"))))) {
            people.customer = one;
            people.status = status;
        }
    }
    return people;
}

static enum call_state state_of(const struct people *people, bool outgoing)
{
    if (people->status == STATUS_MISSED) // an agent who waits for the customer to answer talks to nobody either
        return people->talked && !outgoing ? CALL_ANSWERED : CALL_MISSED;
    if (!people->seconds)
        return CALL_ONGOING; // lengths are told at the end
    if (people->status == STATUS_ANSWERED)
        return people->present || outgoing ? CALL_ANSWERED : CALL_MISSED; // menus and queues talk to nobody
    return people->talked ? CALL_ANSWERED : CALL_MISSED;
}

// A call whose end Freshcaller never told.
static bool is_forgotten(const struct people *people, uint64_t updated_ms, int64_t now_ms)
{
    uint64_t most = people->present ? TALK_MOST_MS : RING_MOST_MS;
    return now_ms > 0 && (uint64_t)now_ms > updated_ms && (uint64_t)now_ms - updated_ms >= most;
}

// ---- the rest -------------------------------------------------------------------------------------------------------

// The ticket that Freshcaller's own link to Freshdesk made of the call, 0: none.
static uint64_t native_ticket(const json_t *call)
{
    const json_t *resources = payload_get(call, "integrated_resources");
    size_t count = json_is_array(resources) ? json_array_size(resources) : json_is_object(resources);
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(resources) ? json_array_get(resources, i) : resources;
        bool desk = !payload_get(one, "integration_name") || mentions(one, "integration_name", "freshdesk");
        if (desk && mentions(one, "type", "ticket") && number(one, "id"))
            return number(one, "id");
    }
    return 0;
}

static const char *recording_of(const json_t *call, struct arena *arena)
{
    const json_t *recording = payload_get(call, "recording");
    const char *url = "";
    if (json_is_object(recording))
        (void)payload_id(recording, "url", LINK_MAX, arena, &url);
    bool is_link = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
    return is_link && !strchr(url, ' ') ? url : "";
}

static const char *agent_of(const json_t *call, const struct people *people, struct arena *arena)
{
    const char *name = payload_text(call, "assigned_agent_name", NAME_MAX, arena);
    return *name || !people->agent ? name : payload_text(people->agent, "caller_name", NAME_MAX, arena);
}

static struct normalised normalise_call(const json_t *call, const struct normalise_options *options,
                                        struct arena *arena)
{
    struct phone_call said = {.id = number(call, "id"), .updated_ms = time_of(call, "updated_time")};
    said.started_ms = time_of(call, "created_time");
    if (!said.updated_ms)
        said.updated_ms = said.started_ms;
    if (!said.id)
        return bad(ANSWER_BAD_ID);
    if (!said.updated_ms)
        return bad(ANSWER_BAD_TIME);
    if (!said.started_ms)
        said.started_ms = said.updated_ms;
    said.parent_id = number(call, "parent_call_id");
    said.root_id = number(call, "root_call_id");
    if (!said.root_id)
        said.root_id = said.parent_id ? said.parent_id : said.id;

    struct people people = meet(call);
    said.outgoing = mentions(call, "direction", "outgoing");
    said.state = (uint64_t)state_of(&people, said.outgoing);
    bool forgotten = said.state == CALL_ONGOING && is_forgotten(&people, said.updated_ms, options->now_ms);
    if (forgotten)
        said.state = people.present ? CALL_OTHER : CALL_MISSED;
    said.seconds = people.seconds;
    said.ended_ms = people.seconds ? said.started_ms + people.seconds * 1000 : 0;
    said.agent = people.present ? agent_of(call, &people, arena) : "";
    const char *customer = payload_text(people.customer, "caller_number", NUMBER_MAX, arena);
    if (!*customer)
        customer = payload_text(call, "external_number", NUMBER_MAX, arena);
    const char *ours = payload_text(call, "phone_number", NUMBER_MAX, arena);
    said.from = said.outgoing ? ours : customer;
    said.to = said.outgoing ? customer : ours;
    said.recording = recording_of(call, arena);
    said.notes = payload_text(call, "call_notes", NOTES_MAX, arena);
    said.ticket_id = native_ticket(call);

    char phone[PHONE_BYTES];
    (void)phone_e164(customer, options->phone_plan, phone);
    struct event event = {
        .kind = EVENT_CALL,
        .key = arena_printf(arena, "freshcaller:call:%" PRIu64 ":%" PRIu64 "%s", said.id, said.updated_ms,
                            forgotten ? ":over" : ""),
        .conversation = arena_printf(arena, "call:%" PRIu64, said.root_id),
        .conversation_twin = "",
        .channel = "",
        .user = "",
        .actor = "",
        .message = arena_printf(arena, "%" PRIu64, said.id),
        .time_ms = said.updated_ms,
        .reason = "",
        .phone = arena_copy(arena, phone, strlen(phone)),
        .name = payload_text(people.customer, "caller_name", NAME_MAX, arena),
        .call = said,
    };
    return (struct normalised){.result = NORMALISE_EVENT, .answer = ANSWER_ACCEPTED, .event = event};
}

struct normalised normalise_freshcaller(const void *body, size_t size, const struct normalise_options *options,
                                        struct arena *arena)
{
    json_t *root = payload_parse(body, size);
    if (!root)
        return bad(ANSWER_BAD_JSON);
    const json_t *inner = payload_get(root, "call");
    const json_t *call = json_is_object(inner) ? inner : root;
    struct normalised result = json_is_object(call) ? normalise_call(call, options, arena) : bad(ANSWER_BAD_EVENT);
    json_decref(root);
    return result;
}
