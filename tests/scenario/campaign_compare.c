// SPDX-License-Identifier: Apache-2.0
// The campaign's comparison: reads every ticket, entry and chat message of the sandbox, finds the words of the plan in
// them, and counts what is missing, there twice, at a wrong place, or out of order.
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/scenario/campaign.h"

#define MOST_LINES 60 // of findings

enum side { DESK, CHAT };

// One place where a word stands.
struct sight {
    int word;         // index into words
    int conversation; // that the ticket or chat belongs to; -1: none of ours
    enum side side;
    size_t piece; // which entry or message, counted over all
    size_t at;    // where in it
    char time[9]; // printed before it; "" when none is
};

struct word {
    const char *text;
    int first; // act
};

struct view {
    struct campaign *c;
    struct word *words; // sorted
    size_t word_count;
    struct sight *sights;
    size_t sight_count, sight_room;
    size_t pieces;
    FILE *out;
    size_t lines;
    struct campaign_result *result;
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void find(struct view *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void find(struct view *v, const char *format, ...)
{
    if (!v->out || v->lines++ >= MOST_LINES)
        return;
    va_list args;
    va_start(args, format);
    fputs("  ", v->out);
    vfprintf(v->out, format, args);
    fputc('\n', v->out);
    va_end(args);
}

static void show(struct view *v, const char *what, const struct campaign_act *act)
{
    find(v, "%s: %s \"%s\" conversation=%s message=%s entry=%" PRId64 " said at %" PRId64 " ms of the plan", what,
         campaign_kind_names[act->kind], act->word, v->c->customers[act->conversation].conversation_id,
         act->message_id[0] ? act->message_id : "-", act->entry_id, act->at_ms);
}

// ---------------------------------------------------------------- words
static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct word *)a)->text, ((const struct word *)b)->text);
}

static void learn_words(struct view *v)
{
    v->words = must(calloc(v->c->act_count + 1, sizeof *v->words));
    for (size_t i = 0; i < v->c->act_count; i++)
        v->words[v->word_count++] = (struct word){v->c->acts[i].word, (int)i};
    qsort(v->words, v->word_count, sizeof *v->words, by_text);
    size_t kept = 0;
    for (size_t i = 0; i < v->word_count; i++) {
        if (kept == 0 || strcmp(v->words[kept - 1].text, v->words[i].text) != 0)
            v->words[kept++] = v->words[i];
    }
    v->word_count = kept;
}

static int word_of(const struct view *v, const char *text)
{
    struct word key = {text, 0};
    const struct word *found = bsearch(&key, v->words, v->word_count, sizeof key, by_text);
    return found ? (int)(found - v->words) : -1;
}

static bool is_clock(const char *at)
{
    for (int i = 0; i < 8; i++) {
        if (i % 3 == 2 ? at[i] != ':' : !isdigit((unsigned char)at[i]))
            return false;
    }
    return strncmp(at + 8, " UTC", 4) == 0;
}

// Notes down the words of one entry or message. Returns how many there were.
static size_t read_piece(struct view *v, const char *text, int conversation, enum side side)
{
    size_t found = 0, piece = v->pieces++;
    const char *clock = NULL;
    for (const char *at = text ? text : ""; *at;) {
        if (is_clock(at)) {
            clock = at;
            at += 12;
            continue;
        }
        size_t length = 0;
        while (isalnum((unsigned char)at[length]))
            length++;
        if (length == 0) {
            at++;
            continue;
        }
        char token[24];
        if (*at == 'q' && length < sizeof token) {
            memcpy(token, at, length);
            token[length] = '\0';
            int word = word_of(v, token);
            if (word >= 0) {
                if (v->sight_count == v->sight_room)
                    v->sights = must(realloc(v->sights, (v->sight_room = v->sight_room * 2 + 256) * sizeof *v->sights));
                struct sight *sight = &v->sights[v->sight_count++];
                *sight = (struct sight){word, conversation, side, piece, (size_t)(at - text), ""};
                if (clock)
                    memcpy(sight->time, clock, 8);
                found++;
            }
        }
        at += length;
    }
    return found;
}

// ---------------------------------------------------------------- both sides
static int conversation_of(const struct campaign *c, const char *id)
{
    for (int i = 0; id && i < c->conversation_count; i++) {
        if (strcmp(c->customers[i].conversation_id, id) == 0)
            return i;
    }
    return -1;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(const struct campaign_act *const *)a)->message_id,
                  (*(const struct campaign_act *const *)b)->message_id);
}

// Deskbell's private note about customer and cart, on a ticket that was opened before the customer could be read.
// Nothing of that changes here, so there is one at most.
static bool tells_of_context(const struct sandbox_entry *entry)
{
    static const char *const begins[] = {"Deskbell: The cart is ", "Deskbell: The customer is "};
    bool ours = entry->is_private && !entry->incoming;
    return ours && (strncmp(entry->body_text, begins[0], strlen(begins[0])) == 0 ||
                    strncmp(entry->body_text, begins[1], strlen(begins[1])) == 0);
}

static void read_desk(struct sandbox *sb, struct view *v, size_t *tickets_of)
{
    struct sandbox_ticket *tickets = NULL;
    size_t count = sandbox_tickets(sb, &tickets);
    for (size_t i = 0; i < count; i++) {
        int conversation = conversation_of(v->c, tickets[i].conversation_id);
        if (conversation < 0) {
            v->result->stray++;
            find(v, "a ticket of no conversation: %" PRId64, tickets[i].id);
        } else if (++tickets_of[conversation] > 1) {
            v->result->second_tickets++;
            find(v, "a second ticket: conversation=%s ticket=%" PRId64, tickets[i].conversation_id, tickets[i].id);
        }
        read_piece(v, tickets[i].description_text, conversation, DESK);
        struct sandbox_entry *entries = NULL;
        size_t entry_count = sandbox_entries(sb, tickets[i].id, &entries);
        size_t told = 0;
        for (size_t j = 0; j < entry_count; j++) {
            if (tells_of_context(&entries[j])) {
                if (++told > 1) {
                    v->result->twice++;
                    find(v, "told twice who the customer is: ticket=%" PRId64 " entry=%" PRId64 " \"%.80s\"",
                         tickets[i].id, entries[j].id, entries[j].body_text);
                }
            } else if (read_piece(v, entries[j].body_text, conversation, DESK) == 0) {
                v->result->stray++;
                find(v, "an entry nobody wrote: ticket=%" PRId64 " entry=%" PRId64 " \"%.80s\"", tickets[i].id,
                     entries[j].id, entries[j].body_text ? entries[j].body_text : "");
            }
        }
        sandbox_entries_free(entries, entry_count);
    }
    sandbox_tickets_free(tickets, count);
}

static struct campaign_act *act_of_message(struct campaign_act **acts, size_t count, const char *id)
{
    struct campaign_act key, *pointer = &key;
    snprintf(key.message_id, sizeof key.message_id, "%s", id);
    struct campaign_act **found = id[0] ? bsearch(&pointer, acts, count, sizeof *acts, by_id) : NULL;
    return found ? *found : NULL;
}

static void read_chat(struct sandbox *sb, struct view *v)
{
    struct campaign *c = v->c;
    struct campaign_act **acts = must(calloc(c->act_count + 1, sizeof(struct campaign_act *)));
    size_t act_count = 0;
    for (size_t i = 0; i < c->act_count; i++) {
        c->acts[i].tried_us = c->acts[i].accepted_us = 0;
        if (c->acts[i].message_id[0])
            acts[act_count++] = &c->acts[i];
    }
    qsort(acts, act_count, sizeof(struct campaign_act *), by_id);
    for (int i = 0; i < c->conversation_count; i++) {
        struct sandbox_message *messages = NULL;
        size_t count = sandbox_messages(sb, c->customers[i].conversation_id, &messages);
        for (size_t j = 0; j < count; j++) {
            if (read_piece(v, messages[j].text, i, CHAT) == 0) {
                v->result->stray++;
                find(v, "a message nobody wrote: conversation=%s \"%.80s\"", c->customers[i].conversation_id,
                     messages[j].text ? messages[j].text : "");
            }
            struct campaign_act *act = act_of_message(acts, act_count, messages[j].id);
            if (act) {
                act->said_ms = messages[j].created_ms;
                act->said_us = messages[j].at_us;
            }
        }
        sandbox_messages_free(messages, count);
    }
    struct sandbox_delivery *deliveries = NULL;
    size_t count = sandbox_deliveries(sb, &deliveries);
    v->result->deliveries = count;
    for (size_t i = 0; i < count; i++) {
        const struct sandbox_delivery *delivery = &deliveries[i];
        v->result->deliveries_failed += delivery->status != 200;
        struct campaign_act *act = delivery->hint ? NULL : act_of_message(acts, act_count, delivery->message_id);
        if (!act)
            continue;
        if (act->tried_us == 0 || delivery->at_us < act->tried_us)
            act->tried_us = delivery->at_us;
        if (delivery->status == 200 && (act->accepted_us == 0 || delivery->done_us < act->accepted_us))
            act->accepted_us = delivery->done_us;
    }
    sandbox_deliveries_free(deliveries, count);
    free(acts);
}

// ---------------------------------------------------------------- how often
static const size_t wanted_times[CAMPAIGN_KINDS][2] = {
    [CAMPAIGN_CUSTOMER] = {1, 1}, [CAMPAIGN_REPLY] = {1, 1}, [CAMPAIGN_NOTE] = {1, 1},
    [CAMPAIGN_PRIVATE] = {1, 0},  [CAMPAIGN_TYPED] = {1, 1}, [CAMPAIGN_ASIDE] = {0, 1},
};

static void count_words(struct view *v, size_t (*wanted)[2], size_t (*there)[2])
{
    for (size_t i = 0; i < v->c->act_count; i++) {
        const struct campaign_act *act = &v->c->acts[i];
        if (!act->said)
            continue;
        int word = word_of(v, act->word);
        wanted[word][DESK] += wanted_times[act->kind][DESK];
        wanted[word][CHAT] += wanted_times[act->kind][CHAT];
    }
    for (size_t i = 0; i < v->sight_count; i++) {
        const struct sight *sight = &v->sights[i];
        const struct campaign_act *act = &v->c->acts[v->words[sight->word].first];
        there[sight->word][sight->side] += sight->conversation == act->conversation;
        if (sight->conversation != act->conversation) {
            v->result->leaked++;
            show(v, "in another conversation", act);
        }
    }
}

static void compare_words(struct view *v)
{
    size_t(*wanted)[2] = must(calloc(v->word_count + 1, sizeof *wanted));
    size_t(*there)[2] = must(calloc(v->word_count + 1, sizeof *there));
    static const char *const names[2][3] = {{"lost, not at the desk", "twice at the desk", "leaked to the desk"},
                                            {"lost, not in the chat", "twice in the chat", "leaked to the chat"}};
    count_words(v, wanted, there);
    for (size_t i = 0; i < v->word_count; i++) {
        const struct campaign_act *act = &v->c->acts[v->words[i].first];
        for (int side = DESK; side <= CHAT; side++) {
            size_t have = there[i][side], want = wanted[i][side];
            if (have < want) {
                v->result->lost += want - have;
                show(v, names[side][0], act);
            } else if (have > want && want == 0) {
                v->result->leaked += have;
                show(v, names[side][2], act);
            } else if (have > want) {
                v->result->twice += have - want;
                show(v, names[side][1], act);
            }
        }
    }
    free(wanted);
    free(there);
}

// ---------------------------------------------------------------- in which order
static bool is_out_of_chat(enum campaign_kind kind)
{
    return kind == CAMPAIGN_CUSTOMER || kind == CAMPAIGN_TYPED;
}

static const struct sight *sight_of(const struct view *v, int word, enum side side)
{
    for (size_t i = 0; i < v->sight_count; i++) {
        if (v->sights[i].word == word && v->sights[i].side == side)
            return &v->sights[i];
    }
    return NULL;
}

struct line {
    struct campaign_act *act;
    const struct sight *sight;
    int64_t claimed_us; // the entry's claim was not before this
};

static int by_said(const void *a, const void *b)
{
    const struct line *one = a, *other = b;
    return (one->act->said_ms > other->act->said_ms) - (one->act->said_ms < other->act->said_ms);
}

static bool stands_after(const struct sight *a, const struct sight *b)
{
    return a->piece != b->piece ? a->piece > b->piece : a->at > b->at;
}

static void check_time(struct view *v, const struct line *line)
{
    char said[9] = "";
    time_t seconds = (time_t)(line->act->said_ms / 1000);
    struct tm utc;
    strftime(said, sizeof said, "%H:%M:%S", gmtime_r(&seconds, &utc));
    if (strcmp(said, line->sight->time) == 0)
        return;
    v->result->wrong_time++;
    show(v, line->sight->time[0] ? "printed with another time" : "printed without its time", line->act);
}

// An inversion is right only when the earlier message arrived after the later one's note was fixed. The note was fixed
// after all of its messages were accepted, so after each was first sent; the earlier one was there when its webhook was
// answered. An agent's message may also have waited for a relay (rule 4 of the lanes), and customers' words pass it.
static void compare_transcript(struct view *v, struct line *lines, size_t count)
{
    qsort(lines, count, sizeof *lines, by_said);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (lines[j].sight->piece == lines[i].sight->piece && lines[j].act->tried_us > lines[i].claimed_us)
                lines[i].claimed_us = lines[j].act->tried_us;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool late = false, passed = false, wrong = false;
        for (size_t j = i + 1; j < count; j++) {
            if (!stands_after(lines[i].sight, lines[j].sight))
                continue;
            if (lines[i].sight->piece != lines[j].sight->piece &&
                (lines[i].act->accepted_us == 0 || lines[i].act->accepted_us > lines[j].claimed_us)) {
                late = true;
            } else if (lines[i].act->kind == CAMPAIGN_TYPED && lines[j].act->kind == CAMPAIGN_CUSTOMER) {
                passed = true;
            } else {
                wrong = true;
                find(v,
                     "out of order: \"%s\" stands after \"%s\", which was said %" PRId64 " ms later; accepted %" PRId64
                     " us before the other was sent, conversation=%s",
                     lines[i].act->word, lines[j].act->word, lines[j].act->said_ms - lines[i].act->said_ms,
                     lines[j].claimed_us - lines[i].act->accepted_us,
                     v->c->customers[lines[i].act->conversation].conversation_id);
            }
        }
        v->result->out_of_order += wrong;
        v->result->late += !wrong && late;
        v->result->passed += !wrong && !late && passed;
        check_time(v, &lines[i]);
    }
}

// What agents said at the desk stands in the chat in the desk's order, whatever happened.
static void compare_relays(struct view *v, struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool wrong = false;
        const struct sight *mine = sight_of(v, lines[i].sight->word, CHAT);
        for (size_t j = 0; mine && j < count; j++) {
            const struct sight *other = sight_of(v, lines[j].sight->word, CHAT);
            if (!other || !stands_after(lines[j].sight, lines[i].sight) || !stands_after(mine, other))
                continue;
            wrong = true;
            find(v, "relayed out of order: \"%s\" stands after \"%s\" in the chat, conversation=%s", lines[i].act->word,
                 lines[j].act->word, v->c->customers[lines[i].act->conversation].conversation_id);
        }
        v->result->out_of_order += wrong;
    }
}

static void compare_order(struct view *v)
{
    struct line *said = must(calloc(v->c->act_count + 1, sizeof *said));
    struct line *relayed = must(calloc(v->c->act_count + 1, sizeof *relayed));
    for (int conversation = 0; conversation < v->c->conversation_count; conversation++) {
        size_t said_count = 0, relayed_count = 0;
        for (size_t i = 0; i < v->c->act_count; i++) {
            struct campaign_act *act = &v->c->acts[i];
            if (act->conversation != conversation || !act->said || act->common)
                continue;
            const struct sight *sight = sight_of(v, word_of(v, act->word), DESK);
            if (!sight)
                continue;
            if (is_out_of_chat(act->kind))
                said[said_count++] = (struct line){act, sight, 0};
            else if (act->kind == CAMPAIGN_REPLY || act->kind == CAMPAIGN_NOTE)
                relayed[relayed_count++] = (struct line){act, sight, 0};
        }
        compare_transcript(v, said, said_count);
        compare_relays(v, relayed, relayed_count);
    }
    free(said);
    free(relayed);
}

// ---------------------------------------------------------------- all of it
void campaign_compare(struct sandbox *sb, struct campaign *campaign, FILE *out, struct campaign_result *result)
{
    *result = (struct campaign_result){0};
    struct view v = {.c = campaign, .out = out, .result = result};
    size_t *tickets_of = must(calloc((size_t)campaign->conversation_count + 1, sizeof *tickets_of));
    learn_words(&v);
    read_desk(sb, &v, tickets_of);
    read_chat(sb, &v);
    for (int i = 0; i < campaign->conversation_count; i++) {
        if (tickets_of[i] > 0)
            continue;
        result->no_ticket++;
        find(&v, "no ticket: conversation=%s", campaign->customers[i].conversation_id);
    }
    for (size_t i = 0; i < campaign->act_count; i++) {
        const struct campaign_act *act = &campaign->acts[i];
        result->said[act->kind] += act->said;
        result->not_told += act->said && is_out_of_chat(act->kind) && act->accepted_us == 0;
    }
    compare_words(&v);
    compare_order(&v);
    if (v.out && v.lines > MOST_LINES)
        fprintf(out, "  and %zu more\n", v.lines - MOST_LINES);
    free(tickets_of);
    free(v.words);
    free(v.sights);
}

bool campaign_complete(struct sandbox *sb, struct campaign *campaign)
{
    struct campaign_result result;
    campaign_compare(sb, campaign, NULL, &result);
    return result.lost == 0 && result.no_ticket == 0;
}
