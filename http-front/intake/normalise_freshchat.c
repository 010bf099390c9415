// SPDX-License-Identifier: Apache-2.0
// Freshchat's conversation webhooks as events (freshworks-api 1.3-1.6). Pure; runs in request threads, after the
// signature was found right and before anything is stored.
#include "http-front/intake/normalise_freshchat.h"

#include <stdbool.h>
#include <string.h>

#include "http-front/intake/parts.h"
#include "http-front/intake/payload.h"
#include "proto/clock.h"

static struct normalised ignored(enum answer answer)
{
    return (struct normalised){.result = NORMALISE_IGNORED, .answer = answer};
}

static struct normalised bad(enum answer answer)
{
    return (struct normalised){.result = NORMALISE_BAD, .answer = answer};
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(text, list[i]))
            return true;
    return false;
}

// object[key] as a time. False when it is absent or no time.
static bool read_time(const json_t *object, const char *key, int64_t *ms)
{
    const json_t *value = payload_get(object, key);
    return json_is_string(value) && clock_parse_iso(json_string_value(value), json_string_length(value), ms);
}

// A numeric twin: text of digits, in the message or one level up (freshworks-api 1.5); a plain number is taken as well.
static const char *read_twin(const json_t *message, const json_t *data, const char *key, struct arena *arena)
{
    const json_t *value = payload_get(message, key);
    if (!value)
        value = payload_get(data, key);
    if (json_is_integer(value))
        return arena_printf(arena, "%lld", (long long)json_integer_value(value));
    const char *text = json_string_value(value);
    if (!text || strlen(text) > ID_MAX || text[strspn(text, "0123456789")])
        return "";
    return arena_copy(arena, text, strlen(text));
}

// An id that an event can do without: one of a type that no id has counts as absent, it is no reason to lose a message.
static const char *optional_id(const json_t *object, const char *key, struct arena *arena)
{
    const char *id;
    (void)payload_id(object, key, ID_MAX, arena, &id);
    return id;
}

enum sender { SENDER_USER, SENDER_AGENT, SENDER_OTHER };

struct actor {
    const char *type;
    const char *id;
};

// The message's own actor wins over the envelope's; each half falls back for itself.
static struct actor read_actor(const json_t *root, const json_t *message, struct arena *arena)
{
    const json_t *envelope = payload_get(root, "actor");
    struct actor actor = {.type = payload_text(message, "actor_type", ID_MAX, arena),
                          .id = optional_id(message, "actor_id", arena)};
    if (!*actor.type)
        actor.type = payload_text(envelope, "actor_type", ID_MAX, arena);
    if (!*actor.id)
        actor.id = optional_id(envelope, "actor_id", arena);
    return actor;
}

// Where nobody says what the actor is, an actor who is the conversation's customer still is one.
static enum sender sender_of(const struct actor *actor, const char *user)
{
    if (!strcmp(actor->type, "user"))
        return SENDER_USER;
    if (!strcmp(actor->type, "agent"))
        return SENDER_AGENT;
    if (!*actor->type && *actor->id && !strcmp(actor->id, user))
        return SENDER_USER;
    return SENDER_OTHER;
}

// ANSWER_ACCEPTED, or why a message of this type is of no use or no event.
static enum answer check_type(const json_t *message)
{
    const json_t *type = payload_get(message, "message_type");
    if (type && !json_is_string(type))
        return ANSWER_BAD_EVENT;
    const char *text = type ? json_string_value(type) : "normal";
    if (!strcmp(text, "private"))
        return ANSWER_IGNORED_PRIVATE;
    if (strcmp(text, "normal") && *text)
        return ANSWER_IGNORED_MESSAGE_TYPE;
    return payload_true(message, "botsPrivateNote") ? ANSWER_IGNORED_BOT_NOTE : ANSWER_ACCEPTED;
}

static bool channel_served(const struct normalise_options *options, const char *channel, const char *twin)
{
    return !options->channel_count || is_one_of(channel, options->channels, options->channel_count) ||
           (*twin && is_one_of(twin, options->channels, options->channel_count));
}

// Reads all parts into the event. False when what should be a list is none.
static bool read_parts(const json_t *message, struct arena *arena, struct parts *parts)
{
    const json_t *present = payload_get(message, "message_parts");
    *parts = parts_new(arena);
    bool lists = present ? parts_add(parts, present, arena)
                         : parts_add_version_1(parts, payload_get(message, "msg_parts"), arena);
    lists = lists && parts_add(parts, payload_get(message, "reply_parts"), arena);
    parts_finish(parts, arena);
    return lists;
}

// The signature carries no time, so an old delivery could be sent again (freshworks-api 1.7).
static enum answer check_age(const json_t *root, const struct normalise_options *options, int64_t *action_ms,
                             bool *action_known)
{
    *action_known = read_time(root, "action_time", action_ms);
    if (options->replay_window_ms <= 0)
        return ANSWER_ACCEPTED;
    if (!*action_known)
        return ANSWER_BAD_TIME;
    int64_t age_ms = options->now_ms - *action_ms;
    return age_ms > options->replay_window_ms || -age_ms > options->replay_window_ms ? ANSWER_BAD_AGE : ANSWER_ACCEPTED;
}

static struct normalised normalise_message(const json_t *root, const struct normalise_options *options,
                                           struct arena *arena)
{
    const json_t *data = payload_get(root, "data");
    const json_t *message = payload_get(data, "message");
    if (!json_is_object(message))
        return bad(ANSWER_BAD_EVENT);

    int64_t action_ms = 0, said_ms = 0;
    bool action_known = false;
    enum answer age = check_age(root, options, &action_ms, &action_known);
    if (age != ANSWER_ACCEPTED)
        return bad(age);
    if (!read_time(message, "created_time", &said_ms)) {
        if (!action_known)
            return bad(ANSWER_BAD_TIME);
        said_ms = action_ms;
    }

    struct event event = {0};
    if (payload_id(message, "id", ID_MAX, arena, &event.message) != PAYLOAD_FOUND)
        return bad(ANSWER_BAD_ID);
    if (payload_id(message, "conversation_id", ID_MAX, arena, &event.conversation) != PAYLOAD_FOUND)
        return bad(ANSWER_BAD_CONVERSATION);
    event.channel = optional_id(message, "channel_id", arena);
    event.user = optional_id(message, "user_id", arena);
    struct actor actor = read_actor(root, message, arena);

    enum answer type = check_type(message);
    if (type == ANSWER_BAD_EVENT)
        return bad(type);
    if (type != ANSWER_ACCEPTED)
        return ignored(type);
    enum sender sender = sender_of(&actor, event.user);
    if (sender == SENDER_OTHER)
        return ignored(ANSWER_IGNORED_ACTOR);
    if (!channel_served(options, event.channel, read_twin(message, data, "freshchat_channel_id", arena)))
        return ignored(ANSWER_IGNORED_CHANNEL);

    struct parts parts;
    if (!read_parts(message, arena, &parts))
        return bad(ANSWER_BAD_EVENT);
    if (options->mask_card_numbers)
        parts_mask_cards(&parts, arena);
    // A customer may well mean a full stop; greetings that consist of one are filling (freshworks-api 1.6).
    if (parts_blank(&parts) || (sender != SENDER_USER && parts_full_stop(&parts)))
        return ignored(ANSWER_IGNORED_EMPTY);

    event.kind = sender == SENDER_USER ? EVENT_CUSTOMER_MESSAGE : EVENT_AGENT_MESSAGE;
    event.key = arena_printf(arena, "freshchat:message:%s", event.message);
    event.conversation_twin = read_twin(message, data, "freshchat_conversation_id", arena);
    event.actor = actor.id;
    if (!*event.user && sender == SENDER_USER)
        event.user = actor.id;
    event.time_ms = (uint64_t)said_ms;
    event.parts.items = parts.items;
    event.parts.count = parts.count;
    event.reason = "";
    return (struct normalised){.result = NORMALISE_EVENT, .answer = ANSWER_ACCEPTED, .event = event};
}

// A chat that was resolved or reopened: the ticket says so in a private note, after the messages said before it. There
// is no id of its own, so conversation and time are the key; an event without them is of no use.
static struct normalised normalise_lifecycle(const json_t *root, const char *member, enum event_kind kind,
                                             const struct normalise_options *options, struct arena *arena)
{
    const json_t *conversation = payload_get(payload_get(payload_get(root, "data"), member), "conversation");
    struct event event = {.kind = kind};
    int64_t action_ms = 0;
    bool action_known = false;
    enum answer age = check_age(root, options, &action_ms, &action_known);
    if (age != ANSWER_ACCEPTED)
        return age == ANSWER_BAD_TIME ? ignored(ANSWER_IGNORED_LIFECYCLE) : bad(age);
    if (!action_known ||
        payload_id(conversation, "conversation_id", ID_MAX, arena, &event.conversation) != PAYLOAD_FOUND)
        return ignored(ANSWER_IGNORED_LIFECYCLE);
    event.channel = optional_id(conversation, "channel_id", arena);
    if (*event.channel && !channel_served(options, event.channel, ""))
        return ignored(ANSWER_IGNORED_CHANNEL);
    event.key = arena_printf(arena, "freshchat:%s:%s:%lld", member, event.conversation, (long long)action_ms);
    event.time_ms = (uint64_t)action_ms;
    event.conversation_twin = event.user = event.actor = event.message = "";
    event.reason =
        kind == EVENT_RESOLVED ? "The chat was resolved in Freshchat." : "The chat was reopened in Freshchat.";
    return (struct normalised){.result = NORMALISE_EVENT, .answer = ANSWER_ACCEPTED, .event = event};
}

static struct normalised normalise_root(const json_t *root, const struct normalise_options *options,
                                        struct arena *arena)
{
    const json_t *action = payload_get(root, "action");
    if (!action) // newer events name themselves elsewhere; unknown ones are acknowledged (freshworks-api 1.3)
        return json_is_string(payload_get(root, "event_type")) ? ignored(ANSWER_IGNORED_ACTION) : bad(ANSWER_BAD_EVENT);
    if (!json_is_string(action))
        return bad(ANSWER_BAD_EVENT);
    const char *name = json_string_value(action);
    if (!strcmp(name, "message_create"))
        return normalise_message(root, options, arena);
    if (!strcmp(name, "conversation_resolution"))
        return normalise_lifecycle(root, "resolve", EVENT_RESOLVED, options, arena);
    if (!strcmp(name, "conversation_reopen"))
        return normalise_lifecycle(root, "reopen", EVENT_REOPENED, options, arena);
    return ignored(!strcmp(name, "conversation_assignment") ? ANSWER_IGNORED_LIFECYCLE : ANSWER_IGNORED_ACTION);
}

struct normalised normalise_freshchat(const void *body, size_t size, const struct normalise_options *options,
                                      struct arena *arena)
{
    json_t *root = payload_parse(body, size);
    if (!root)
        return bad(ANSWER_BAD_JSON);
    struct normalised result = normalise_root(root, options, arena);
    json_decref(root);
    return result;
}
