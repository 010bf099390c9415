// SPDX-License-Identifier: Apache-2.0
// The campaign's plan: who says what and when, and which blows fall. Made from the seed alone, before anything starts,
// so that the same seed gives the same plan; what the machine makes of it differs from run to run.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/campaign.h"

enum {
    ACTS_LEAST = 3, // in a conversation
    ACTS_MORE = 12,
    BLOW_EVERY_MS = 900,  // on average
    FAULT_EVERY_MS = 600, // on average
    COMMON_PERCENT = 8,
};

const char *const campaign_blow_names[BLOW_KINDS] = {
    "worker killed", "front killed", "any process killed", "everything killed", "worker stopped", "front stopped",
    "worker paused", "front paused", "reloaded",           "restarted",         "fault"};

const char *const campaign_kind_names[CAMPAIGN_KINDS] = {
    "customer message", "reply", "public note", "private note", "agent's chat message", "private chat message"};

uint64_t campaign_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int below(uint64_t *state, int limit)
{
    return (int)(campaign_random(state) % (uint64_t)limit);
}

// A gap around this mean, as people and accidents come: mostly short, sometimes long.
static int64_t gap(uint64_t *state, double mean_ms)
{
    double unit = ((double)(campaign_random(state) >> 11) + 1) / 9007199254740993.0;
    return (int64_t)(-log(unit) * mean_ms);
}

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

// ---------------------------------------------------------------- what is said
static const char *const fillers[] = {
    "where is my parcel", "thank you", "a < b & c",   "is it \"ready\"",      "see you\nsoon",
    "ça va être long",    "100 %",     "it's broken", "please, please hurry", "größe 42",
};

static void say(uint64_t *state, struct campaign_act *act, size_t number)
{
    static const char *const desk[] = {SANDBOX_ANNA, SANDBOX_BEN};
    static const char *const chat[] = {SANDBOX_ANNA, SANDBOX_CHRIS};
    const char *filler = fillers[below(state, sizeof fillers / sizeof *fillers)];
    act->common = act->kind != CAMPAIGN_PRIVATE && act->kind != CAMPAIGN_ASIDE && below(state, 100) < COMMON_PERCENT;
    unsigned tail = (unsigned)(campaign_random(state) & 0xffff);
    if (act->common) // said again in the same words, by the same people
        snprintf(act->word, sizeof act->word, "q%dk%dxsame", act->conversation, (int)act->kind);
    else
        snprintf(act->word, sizeof act->word, "q%dw%zux%04x", act->conversation, number, tail);
    switch (act->kind) {
    case CAMPAIGN_REPLY:
    case CAMPAIGN_NOTE:
    case CAMPAIGN_PRIVATE:
        act->agent = desk[below(state, 2)];
        if (act->common)
            snprintf(act->text, sizeof act->text, "<p>%s</p>", act->word);
        else if (below(state, 2))
            snprintf(act->text, sizeof act->text, "<p>%s</p><p>so <b>it</b> &amp; that</p>", act->word);
        else
            snprintf(act->text, sizeof act->text, "<div>well,<br>%s <a href=\"https://shop.example/x\">here</a></div>",
                     act->word);
        break;
    case CAMPAIGN_TYPED:
    case CAMPAIGN_ASIDE:
        act->agent = chat[below(state, 2)];
        snprintf(act->text, sizeof act->text, act->common ? "%s" : "%s %s", act->word, filler);
        break;
    default:
        snprintf(act->text, sizeof act->text, act->common ? "%s" : "%s %s", act->word, filler);
    }
}

static enum campaign_kind pick_kind(uint64_t *state)
{
    int dice = below(state, 100);
    if (dice < 48)
        return CAMPAIGN_CUSTOMER;
    if (dice < 66)
        return CAMPAIGN_REPLY;
    if (dice < 76)
        return CAMPAIGN_NOTE;
    if (dice < 83)
        return CAMPAIGN_PRIVATE;
    return dice < 96 ? CAMPAIGN_TYPED : CAMPAIGN_ASIDE;
}

static int by_time(const void *a, const void *b)
{
    const struct campaign_act *one = a, *other = b;
    return one->at_ms != other->at_ms
               ? (one->at_ms < other->at_ms ? -1 : 1)
               : (one->conversation > other->conversation) - (one->conversation < other->conversation);
}

static void plan_acts(struct campaign *c, uint64_t *state)
{
    size_t wanted = (size_t)(c->options.rate * c->options.seconds), room = wanted + ACTS_LEAST + ACTS_MORE;
    c->acts = must(calloc(room, sizeof *c->acts));
    while (c->act_count < wanted) {
        int count = ACTS_LEAST + below(state, ACTS_MORE);
        int64_t at = (int64_t)below(state, c->options.seconds * 850 + 1);
        for (int i = 0; i < count; i++) {
            struct campaign_act *act = &c->acts[c->act_count];
            act->conversation = c->conversation_count;
            act->kind = i == 0 ? CAMPAIGN_CUSTOMER : pick_kind(state);
            act->at_ms = at;
            say(state, act, c->act_count);
            // Half of what people say comes in a burst.
            at += below(state, 2) ? 1 + below(state, 60) : gap(state, 2500);
            c->act_count++;
        }
        c->conversation_count++;
    }
    qsort(c->acts, c->act_count, sizeof *c->acts, by_time);
    c->customers = must(calloc((size_t)c->conversation_count, sizeof *c->customers));
}

// ---------------------------------------------------------------- what goes wrong
static enum campaign_blow_kind pick_blow(uint64_t *state)
{
    static const int weights[BLOW_FAULT] = {34, 12, 6, 3, 8, 4, 10, 6, 3, 3};
    int dice = below(state, 89);
    for (int kind = 0; kind < BLOW_FAULT; kind++) {
        dice -= weights[kind];
        if (dice < 0)
            return (enum campaign_blow_kind)kind;
    }
    return BLOW_KILL_WORKER;
}

static int pick_endpoint(uint64_t *state)
{
    static const int endpoints[] = {SANDBOX_FD_TICKET_CREATE, SANDBOX_FD_TICKET_CREATE, SANDBOX_FD_TICKET_LIST,
                                    SANDBOX_FD_TICKET_GET,    SANDBOX_FD_TICKET_PUT,    SANDBOX_FD_NOTE,
                                    SANDBOX_FD_NOTE,          SANDBOX_FD_NOTE,          SANDBOX_FD_ENTRY_LIST,
                                    SANDBOX_FD_ENTRY_LIST,    SANDBOX_FC_USER_GET,      SANDBOX_FC_MESSAGE_POST,
                                    SANDBOX_FC_MESSAGE_POST,  SANDBOX_FC_MESSAGE_POST,  SANDBOX_FC_MESSAGE_LIST,
                                    SANDBOX_FC_AGENT_LIST,    SANDBOX_ANY_FRESHDESK,    SANDBOX_ANY_FRESHCHAT};
    return endpoints[below(state, sizeof endpoints / sizeof *endpoints)];
}

// Delays stay below the settling time of the scenario (two seconds): what comes later than that is beyond the promise.
static void pick_fault(uint64_t *state, struct campaign_blow *blow)
{
    static const int broken[] = {500, 502, 503, 504};
    struct sandbox_fault *fault = &blow->fault;
    *fault = (struct sandbox_fault){.endpoint = pick_endpoint(state), .count = 1 + below(state, 3)};
    int dice = below(state, 100);
    bool after = below(state, 2) == 1;
    if (dice < 22) {
        fault->kind = SANDBOX_FAULT_LOST;
        blow->fault_name = "answer lost after the work";
    } else if (dice < 34) {
        fault->kind = SANDBOX_FAULT_LATE_WORK;
        fault->ms = 200 + below(state, 1300);
        blow->fault_name = "dropped, work done later";
    } else if (dice < 46) {
        fault->kind = SANDBOX_FAULT_DROP;
        blow->fault_name = "dropped before the work";
    } else if (dice < 60) {
        fault->kind = SANDBOX_FAULT_STATUS;
        fault->status = broken[below(state, 4)];
        fault->after_work = after;
        fault->no_body = below(state, 2) == 1;
        blow->fault_name = after ? "5xx after the work" : "5xx";
    } else if (dice < 68) {
        fault->kind = SANDBOX_FAULT_HANG;
        fault->ms = 2500;
        fault->after_work = after;
        blow->fault_name = after ? "hang after the work" : "hang";
    } else if (dice < 74) {
        fault->kind = SANDBOX_FAULT_SLOW;
        fault->ms = 300 + below(state, 1400);
        blow->fault_name = "slow";
    } else if (dice < 80) {
        fault->kind = SANDBOX_FAULT_SLOW_ANSWER;
        fault->ms = 300 + below(state, 2500);
        blow->fault_name = "slow answer";
    } else if (dice < 88) {
        fault->kind = SANDBOX_FAULT_HTML;
        fault->after_work = after;
        blow->fault_name = after ? "HTML with 200 after the work" : "HTML with 200";
    } else if (dice < 96) {
        fault->kind = SANDBOX_FAULT_STATUS;
        fault->status = 429;
        fault->endpoint = after ? SANDBOX_ANY_FRESHDESK : SANDBOX_ANY_FRESHCHAT;
        fault->retry_after = below(state, 2);
        fault->count = 3 + below(state, 15);
        blow->fault_name = fault->retry_after ? "429 storm with Retry-After" : "429 storm without Retry-After";
    } else {
        fault->kind = below(state, 2) ? SANDBOX_FAULT_DROP : SANDBOX_FAULT_STATUS;
        fault->status = 503;
        fault->endpoint = after ? SANDBOX_ANY_FRESHDESK : SANDBOX_ANY_FRESHCHAT;
        fault->count = 10 + below(state, 20);
        blow->fault_name = "outage";
    }
}

static int blow_by_time(const void *a, const void *b)
{
    const struct campaign_blow *one = a, *other = b;
    return (one->at_ms > other->at_ms) - (one->at_ms < other->at_ms);
}

static void plan_blows(struct campaign *c, uint64_t *state)
{
    int64_t end = (int64_t)c->options.seconds * 1000;
    size_t room = 64 + (size_t)(end / 100);
    c->blows = must(calloc(room, sizeof *c->blows));
    for (int64_t at = c->options.no_kills ? end : gap(state, BLOW_EVERY_MS); at < end && c->blow_count < room / 2;
         at += 1 + gap(state, BLOW_EVERY_MS)) {
        c->blows[c->blow_count++] = (struct campaign_blow){.kind = pick_blow(state),
                                                           .at_ms = at,
                                                           .which = (unsigned)below(state, 1 << 16),
                                                           .ms = 200 + below(state, 1600)};
    }
    for (int64_t at = gap(state, FAULT_EVERY_MS); at < end && c->blow_count < room;
         at += 1 + gap(state, FAULT_EVERY_MS)) {
        struct campaign_blow *blow = &c->blows[c->blow_count++];
        *blow = (struct campaign_blow){.kind = BLOW_FAULT, .at_ms = at};
        pick_fault(state, blow);
    }
    qsort(c->blows, c->blow_count, sizeof *c->blows, blow_by_time);
}

void campaign_bend_webhooks(struct sandbox *sb, const struct campaign *campaign)
{
    static const struct {
        enum sandbox_webhook_fault_kind kind;
        double probability;
        int64_t ms;
    } bends[] = {{SANDBOX_WEBHOOK_DROP, 0.05, 0},
                 {SANDBOX_WEBHOOK_DUPLICATE, 0.06, 0},
                 {SANDBOX_WEBHOOK_REORDER, 0.06, 500},
                 {SANDBOX_WEBHOOK_LATE, 0.05, 1500},
                 {SANDBOX_WEBHOOK_BAD_SIGNATURE, 0.02, 0}};
    uint64_t state = campaign->options.seed ^ UINT64_C(0x5eed);
    for (int hints = 0; hints < 2; hints++) {
        for (size_t i = 0; i < sizeof bends / sizeof *bends; i++) {
            if (bends[i].kind == SANDBOX_WEBHOOK_DROP && !campaign->options.drop_hooks)
                continue;
            if (bends[i].kind == SANDBOX_WEBHOOK_BAD_SIGNATURE && hints)
                continue;
            const struct sandbox_webhook_fault fault = {.kind = bends[i].kind,
                                                        .hints = hints == 1,
                                                        .probability = bends[i].probability,
                                                        .seed = campaign_random(&state),
                                                        .ms = bends[i].ms};
            sandbox_webhook_fault_add(sb, &fault);
        }
    }
}

// ---------------------------------------------------------------- all of it
static void blend(uint64_t *hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ at[i]) * UINT64_C(0x100000001b3);
}

struct campaign *campaign_new(const struct campaign_options *options)
{
    struct campaign *c = must(calloc(1, sizeof *c));
    c->options = *options;
    uint64_t acts = options->seed, blows = options->seed ^ UINT64_C(0xb10eb10eb10e);
    plan_acts(c, &acts);
    if (!options->no_faults)
        plan_blows(c, &blows);
    c->fingerprint = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < c->act_count; i++) {
        blend(&c->fingerprint, &c->acts[i].at_ms, sizeof c->acts[i].at_ms);
        blend(&c->fingerprint, c->acts[i].text, strlen(c->acts[i].text));
    }
    for (size_t i = 0; i < c->blow_count; i++) {
        blend(&c->fingerprint, &c->blows[i].at_ms, sizeof c->blows[i].at_ms);
        blend(&c->fingerprint, &c->blows[i].kind, sizeof c->blows[i].kind);
        blend(&c->fingerprint, &c->blows[i].fault.endpoint, sizeof c->blows[i].fault.endpoint);
    }
    return c;
}

void campaign_free(struct campaign **campaign)
{
    if (!*campaign)
        return;
    free((*campaign)->customers);
    free((*campaign)->acts);
    free((*campaign)->blows);
    free(*campaign);
    *campaign = NULL;
}
