// SPDX-License-Identifier: Apache-2.0
// From raw webhook bodies to events: every kind, every absence, and what is refused or ignored, with its reason.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/intake/normalise_freshchat.h"
#include "http-front/intake/normalise_freshdesk.h"
#include "proto/records.h"

#define NOW_MS 1741083631000 // 2025-03-04T10:20:31Z
#define DAY_MS 86400000

static struct normalise_options options;
static struct arena *arena;

static int fresh(void **state)
{
    (void)state;
    options = (struct normalise_options){.replay_window_ms = DAY_MS, .now_ms = NOW_MS};
    arena = arena_new();
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct normalised chat(const char *body)
{
    struct normalised result = normalise_freshchat(body, strlen(body), &options, arena);
    if (result.result == NORMALISE_EVENT) {
        // Whatever came in, the event must fit its record, or it could not be stored.
        struct record_buffer buffer;
        assert_true(record_encode(RECORD_event, &result.event, &buffer));
        record_buffer_free(&buffer);
        assert_int_equal(result.answer, ANSWER_ACCEPTED);
    }
    return result;
}

static void expect_chat(const char *body, enum normalise_result result, enum answer answer)
{
    struct normalised got = chat(body);
    if (got.result != result || got.answer != answer)
        fail_msg("expected %s, got %s for %.300s", answer_word(answer), answer_word(got.answer), body);
}

#define ENVELOPE(actor, time, data)                                                                                    \
    "{\"actor\":" actor ",\"action\":\"message_create\",\"action_time\":\"" time "\",\"data\":" data "}"
#define ACTOR_USER "{\"actor_type\":\"user\",\"actor_id\":\"u1\"}"
#define TIME       "2025-03-04T10:20:30.456Z"
#define FULL                                                                                                           \
    "\"id\":\"m1\",\"channel_id\":\"ch1\",\"conversation_id\":\"c1\",\"freshchat_conversation_id\":\"900100200300\","  \
    "\"freshchat_channel_id\":\"77\",\"interaction_id\":\"900100200300-1741083630456\",\"message_type\":\"normal\","   \
    "\"actor_type\":\"user\",\"actor_id\":\"u1\",\"user_id\":\"u1\",\"created_time\":\"2025-03-04T10:20:30.450Z\","    \
    "\"message_source\":\"web\""
#define HI              ",\"message_parts\":[{\"text\":{\"content\":\"hi\"}}]"
#define MESSAGE(fields) ENVELOPE(ACTOR_USER, TIME, "{\"message\":{" fields "}}")
#define MINIMAL         "\"id\":\"m1\",\"conversation_id\":\"c1\""

static void a_resolved_chat_is_told(void **state)
{
    (void)state;
    struct normalised got = chat("{\"action\":\"conversation_resolution\",\"action_time\":\"" TIME
                                 "\",\"data\":{\"resolve\":{\"resolver\":\"agent\",\"conversation\":"
                                 "{\"conversation_id\":\"c1\",\"status\":\"resolved\"}}}}");
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_int_equal(got.event.kind, EVENT_RESOLVED);
    assert_string_equal(got.event.conversation, "c1");
    assert_string_equal(got.event.key, "freshchat:resolve:c1:1741083630456");
    assert_int_equal(got.event.time_ms, 1741083630456);
    assert_string_equal(got.event.reason, "The chat was resolved in Freshchat.");
    got = chat("{\"action\":\"conversation_reopen\",\"action_time\":\"" TIME
               "\",\"data\":{\"reopen\":{\"conversation\":{\"conversation_id\":\"c1\"}}}}");
    assert_int_equal(got.event.kind, EVENT_REOPENED);
    assert_string_equal(got.event.key, "freshchat:reopen:c1:1741083630456");
}

static void a_full_customer_message(void **state)
{
    (void)state;
    struct normalised got = chat(MESSAGE(FULL HI));
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_int_equal(got.event.kind, EVENT_CUSTOMER_MESSAGE);
    assert_string_equal(got.event.key, "freshchat:message:m1");
    assert_string_equal(got.event.message, "m1");
    assert_string_equal(got.event.conversation, "c1");
    assert_string_equal(got.event.conversation_twin, "900100200300");
    assert_string_equal(got.event.channel, "ch1");
    assert_string_equal(got.event.user, "u1");
    assert_string_equal(got.event.actor, "u1");
    assert_int_equal(got.event.time_ms, 1741083630450);
    assert_int_equal(got.event.ticket_id, 0);
    assert_int_equal(got.event.parts.count, 1);
    assert_int_equal(got.event.parts.items[0].kind, PART_TEXT);
    assert_string_equal(got.event.parts.items[0].text, "hi");
}

static char *read_vector(size_t *size)
{
    FILE *file = fopen(TEST_DATA_DIR "/freshchat-message-2019.json", "rb");
    assert_non_null(file);
    char *text = calloc(1, 4096);
    *size = fread(text, 1, 4095, file);
    fclose(file);
    return text;
}

static void the_real_delivery_is_too_old_and_fine_with_the_window_off(void **state)
{
    (void)state;
    size_t size;
    char *body = read_vector(&size);
    struct normalised got = normalise_freshchat(body, size, &options, arena);
    assert_int_equal(got.result, NORMALISE_BAD);
    assert_int_equal(got.answer, ANSWER_BAD_AGE);
    options.replay_window_ms = 0;
    got = normalise_freshchat(body, size, &options, arena);
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_int_equal(got.event.kind, EVENT_CUSTOMER_MESSAGE);
    assert_string_equal(got.event.key, "freshchat:message:7a454fde-c720-4c97-a61d-0ffe70449eb6");
    assert_string_equal(got.event.conversation, "c327498e-f713-481e-8d83-0603e03d2521");
    assert_string_equal(got.event.channel, "c8fddfaf-622a-4a0e-b060-4f3ccbeab606");
    assert_string_equal(got.event.user, "882f3926-b292-414b-a411-96380db373cd"); // no user_id: the actor is the user
    assert_int_equal(got.event.time_ms, 1561139000866);
    assert_string_equal(got.event.parts.items[0].text, "Test 2");
    // Cut anywhere, it is refused, never read beyond its end (the copy is exactly as long as it says).
    for (size_t cut = 0; cut < size; cut++) {
        char *part = malloc(cut ? cut : 1);
        memcpy(part, body, cut);
        assert_int_equal(normalise_freshchat(part, cut, &options, arena).answer, ANSWER_BAD_JSON);
        free(part);
    }
    free(body);
}

static void absent_fields_have_their_fallbacks(void **state)
{
    (void)state;
    struct normalised got = chat(MESSAGE(MINIMAL HI));
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_int_equal(got.event.kind, EVENT_CUSTOMER_MESSAGE); // envelope's actor
    assert_string_equal(got.event.user, "u1");
    assert_string_equal(got.event.channel, "");
    assert_string_equal(got.event.conversation_twin, "");
    assert_int_equal(got.event.time_ms, 1741083630456); // action_time
    // The twin one level up, and as a number.
    got = chat(ENVELOPE(ACTOR_USER, TIME, "{\"freshchat_conversation_id\":\"5\",\"message\":{" MINIMAL HI "}}"));
    assert_string_equal(got.event.conversation_twin, "5");
    got = chat(MESSAGE(MINIMAL HI ",\"freshchat_conversation_id\":900100200300"));
    assert_string_equal(got.event.conversation_twin, "900100200300");
    got = chat(MESSAGE(MINIMAL HI ",\"freshchat_conversation_id\":\"12x\""));
    assert_string_equal(got.event.conversation_twin, "");
    // null is absent, and so is an empty text.
    got = chat(MESSAGE(MINIMAL HI ",\"user_id\":null,\"channel_id\":null,\"message_type\":null,\"created_time\":null,"
                                  "\"actor_type\":null,\"actor_id\":\"\",\"botsPrivateNote\":null"));
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_string_equal(got.event.user, "u1");
    // A time that is no time falls back; without any there is nothing to sort by.
    got = chat(MESSAGE(MINIMAL HI ",\"created_time\":\"yesterday\""));
    assert_int_equal(got.event.time_ms, 1741083630456);
    expect_chat("{\"action\":\"message_create\",\"actor\":" ACTOR_USER ",\"data\":{\"message\":{" FULL HI "}}}",
                NORMALISE_BAD, ANSWER_BAD_TIME);
    options.replay_window_ms = 0;
    expect_chat("{\"action\":\"message_create\",\"actor\":" ACTOR_USER ",\"data\":{\"message\":{" FULL HI "}}}",
                NORMALISE_EVENT, ANSWER_ACCEPTED);
    expect_chat("{\"action\":\"message_create\",\"actor\":" ACTOR_USER ",\"data\":{\"message\":{" MINIMAL HI "}}}",
                NORMALISE_BAD, ANSWER_BAD_TIME);
}

static void actors_decide_what_a_message_is(void **state)
{
    (void)state;
#define BY(envelope, own)                                                                                              \
    ENVELOPE("{\"actor_type\":\"" envelope "\",\"actor_id\":\"e1\"}", TIME, "{\"message\":{" MINIMAL HI own "}}")
    struct normalised got = chat(BY("agent", ",\"actor_id\":\"a7\",\"user_id\":\"u1\""));
    assert_int_equal(got.event.kind, EVENT_AGENT_MESSAGE);
    assert_string_equal(got.event.actor, "a7");
    assert_string_equal(got.event.user, "u1");
    got = chat(BY("agent", ""));
    assert_int_equal(got.event.kind, EVENT_AGENT_MESSAGE);
    assert_string_equal(got.event.actor, "e1");
    assert_string_equal(got.event.user, ""); // an agent is not the customer
    // In a conflict the message itself is right.
    got = chat(BY("agent", ",\"actor_type\":\"user\",\"actor_id\":\"u1\""));
    assert_int_equal(got.event.kind, EVENT_CUSTOMER_MESSAGE);
    assert_string_equal(got.event.user, "u1");
    got = chat(BY("user", ",\"actor_type\":\"agent\",\"actor_id\":\"a7\""));
    assert_int_equal(got.event.kind, EVENT_AGENT_MESSAGE);
    expect_chat(BY("bot", ""), NORMALISE_IGNORED, ANSWER_IGNORED_ACTOR);
    expect_chat(BY("system", ""), NORMALISE_IGNORED, ANSWER_IGNORED_ACTOR);
    expect_chat(BY("user", ",\"actor_type\":\"bot\""), NORMALISE_IGNORED, ANSWER_IGNORED_ACTOR);
    expect_chat(BY("alien", ""), NORMALISE_IGNORED, ANSWER_IGNORED_ACTOR);
    expect_chat(BY("user", ",\"actor_type\":7"), NORMALISE_EVENT, ANSWER_ACCEPTED); // the envelope says it
    // Nobody says what the actor is: the customer still is the customer.
    expect_chat(ENVELOPE("null", TIME, "{\"message\":{" MINIMAL HI "}}"), NORMALISE_IGNORED, ANSWER_IGNORED_ACTOR);
    got = chat(ENVELOPE("{}", TIME, "{\"message\":{" MINIMAL HI ",\"actor_id\":\"u1\",\"user_id\":\"u1\"}}"));
    assert_int_equal(got.event.kind, EVENT_CUSTOMER_MESSAGE);
}

static void what_is_of_no_use_is_ignored_with_its_reason(void **state)
{
    (void)state;
    expect_chat(MESSAGE(MINIMAL HI ",\"message_type\":\"private\""), NORMALISE_IGNORED, ANSWER_IGNORED_PRIVATE);
    expect_chat(MESSAGE(MINIMAL HI ",\"message_type\":\"system\""), NORMALISE_IGNORED, ANSWER_IGNORED_MESSAGE_TYPE);
    expect_chat(MESSAGE(MINIMAL HI ",\"message_type\":\"brandnew\""), NORMALISE_IGNORED, ANSWER_IGNORED_MESSAGE_TYPE);
    expect_chat(MESSAGE(MINIMAL HI ",\"message_type\":\"\""), NORMALISE_EVENT, ANSWER_ACCEPTED);
    expect_chat(MESSAGE(MINIMAL HI ",\"message_type\":[]"), NORMALISE_BAD, ANSWER_BAD_EVENT);
    expect_chat(MESSAGE(MINIMAL HI ",\"botsPrivateNote\":true"), NORMALISE_IGNORED, ANSWER_IGNORED_BOT_NOTE);
    expect_chat(MESSAGE(MINIMAL HI ",\"botsPrivateNote\":false"), NORMALISE_EVENT, ANSWER_ACCEPTED);
    expect_chat(MESSAGE(MINIMAL), NORMALISE_IGNORED, ANSWER_IGNORED_EMPTY);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[]"), NORMALISE_IGNORED, ANSWER_IGNORED_EMPTY);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"\"}}]"), NORMALISE_IGNORED,
                ANSWER_IGNORED_EMPTY);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\" \\n\"}},{\"text\":{}}]"),
                NORMALISE_IGNORED, ANSWER_IGNORED_EMPTY);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"\\u00a0\\u200b\\u3000\\ufeff\\u2800\"}},"
                                "{\"text\":{\"content\":\"\\udb40\\udc01\\u200d\"}}]"),
                NORMALISE_IGNORED, ANSWER_IGNORED_EMPTY);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"\\u00a0\\ud83d\\ude00\\ufe0f\"}}]"),
                NORMALISE_EVENT, ANSWER_ACCEPTED);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"\\u200b\\u05d0\"}}]"), NORMALISE_EVENT,
                ANSWER_ACCEPTED);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"collection\":{\"sub_parts\":[]}}]"), NORMALISE_IGNORED,
                ANSWER_IGNORED_EMPTY);
    // A full stop: an agent's is filling, a customer's is a message.
    expect_chat(ENVELOPE("{\"actor_type\":\"agent\",\"actor_id\":\"a\"}", TIME,
                         "{\"message\":{" MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\" .\\u00a0\"}}]}}"),
                NORMALISE_IGNORED, ANSWER_IGNORED_EMPTY);
    expect_chat(MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\".\"}}]"), NORMALISE_EVENT,
                ANSWER_ACCEPTED);

    expect_chat("{\"action\":\"conversation_assignment\",\"data\":{\"assignment\":{}}}", NORMALISE_IGNORED,
                ANSWER_IGNORED_LIFECYCLE);
    expect_chat("{\"action\":\"conversation_resolution\"}", NORMALISE_IGNORED, ANSWER_IGNORED_LIFECYCLE);
    expect_chat("{\"action\":\"conversation_reopen\"}", NORMALISE_IGNORED, ANSWER_IGNORED_LIFECYCLE);
    // Without a conversation, or a time to know it by, there is nothing to say.
    expect_chat("{\"action\":\"conversation_resolution\",\"action_time\":\"" TIME "\",\"data\":{\"resolve\":{}}}",
                NORMALISE_IGNORED, ANSWER_IGNORED_LIFECYCLE);
    expect_chat("{\"action\":\"something_new\",\"data\":17}", NORMALISE_IGNORED, ANSWER_IGNORED_ACTION);
    expect_chat("{\"event_type\":\"outbound_message_event\"}", NORMALISE_IGNORED, ANSWER_IGNORED_ACTION);
}

static void ids_may_be_numbers_and_optional_ones_anything(void **state)
{
    (void)state;
    struct normalised got =
        chat(MESSAGE("\"id\":5,\"conversation_id\":77712345,\"channel_id\":8,\"user_id\":9007199254740993,"
                     "\"actor_id\":9007199254740993,\"actor_type\":\"user\"" HI));
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_string_equal(got.event.key, "freshchat:message:5");
    assert_string_equal(got.event.conversation, "77712345");
    assert_string_equal(got.event.channel, "8");
    assert_string_equal(got.event.user, "9007199254740993");
    assert_string_equal(got.event.actor, "9007199254740993");
    got = chat(MESSAGE(MINIMAL HI ",\"channel_id\":{},\"user_id\":[1],\"actor_id\":true"));
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_string_equal(got.event.channel, "");
    assert_string_equal(got.event.user, "u1"); // the envelope's actor
    assert_string_equal(got.event.actor, "u1");
    got = chat("{\"action\":\"conversation_reopen\",\"action_time\":\"" TIME
               "\",\"data\":{\"reopen\":{\"conversation\":{\"conversation_id\":77,\"channel_id\":[]}}}}");
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_string_equal(got.event.conversation, "77");
}

static void channels_can_be_chosen(void **state)
{
    (void)state;
    static const char *const some[] = {"ch9", "ch1"}, *const twins[] = {"77"}, *const others[] = {"ch2"};
    options.channels = some;
    options.channel_count = 2;
    expect_chat(MESSAGE(FULL HI), NORMALISE_EVENT, ANSWER_ACCEPTED);
    options.channels = twins;
    options.channel_count = 1;
    expect_chat(MESSAGE(FULL HI), NORMALISE_EVENT, ANSWER_ACCEPTED);
    options.channels = others;
    expect_chat(MESSAGE(FULL HI), NORMALISE_IGNORED, ANSWER_IGNORED_CHANNEL);
    expect_chat(MESSAGE(MINIMAL HI), NORMALISE_IGNORED, ANSWER_IGNORED_CHANNEL); // it does not say: not one of ours
}

static void what_is_no_event_is_bad(void **state)
{
    (void)state;
    static const char *const not_json[] = {"",        " ",        "{",  "hello", "{\"a\":1}x", "{\"a\":1,\"a\":2}",
                                           "{'a':1}", "\xff\xfe", "\"x"};
    for (size_t i = 0; i < sizeof not_json / sizeof *not_json; i++)
        expect_chat(not_json[i], NORMALISE_BAD, ANSWER_BAD_JSON);
    static const char *const no_event[] = {
        "[]",
        "{}",
        "[{}]",
        "{\"action\":null}",
        "{\"action\":7}",
        "{\"action\":\"message_create\"}",
        "{\"action\":\"message_create\",\"data\":[]}",
        "{\"action\":\"message_create\",\"data\":{\"message\":[]}}",
        "{\"action\":\"message_create\",\"data\":{\"message\":\"x\"}}",
        "{\"actor\":{\"actor_type\":\"user\"}}",
        MESSAGE(MINIMAL ",\"message_parts\":{}"),
        MESSAGE(MINIMAL ",\"message_parts\":\"hi\""),
        MESSAGE(MINIMAL HI ",\"reply_parts\":7"),
    };
    for (size_t i = 0; i < sizeof no_event / sizeof *no_event; i++)
        expect_chat(no_event[i], NORMALISE_BAD, ANSWER_BAD_EVENT);
    static const char *const no_id[] = {MESSAGE("\"conversation_id\":\"c1\"" HI),
                                        MESSAGE("\"id\":\"\",\"conversation_id\":\"c1\"" HI),
                                        MESSAGE("\"id\":5.5,\"conversation_id\":\"c1\"" HI),
                                        MESSAGE("\"id\":-5,\"conversation_id\":\"c1\"" HI),
                                        MESSAGE("\"id\":[5],\"conversation_id\":\"c1\"" HI),
                                        MESSAGE("\"id\":\"a\\u0000b\",\"conversation_id\":\"c1\"" HI),
                                        MESSAGE("\"id\":\"a\\nb\",\"conversation_id\":\"c1\"" HI)};
    for (size_t i = 0; i < sizeof no_id / sizeof *no_id; i++)
        expect_chat(no_id[i], NORMALISE_BAD, ANSWER_BAD_ID);
    expect_chat(MESSAGE("\"id\":\"m1\"" HI), NORMALISE_BAD, ANSWER_BAD_CONVERSATION);
    expect_chat(MESSAGE("\"id\":\"m1\",\"conversation_id\":{}" HI), NORMALISE_BAD, ANSWER_BAD_CONVERSATION);
    expect_chat(MESSAGE("\"id\":\"m1\",\"conversation_id\":0" HI), NORMALISE_BAD, ANSWER_BAD_CONVERSATION);
    char body[1024], id[200];
    memset(id, 'i', sizeof id - 1);
    id[129] = 0;
    snprintf(body, sizeof body, MESSAGE("\"id\":\"%s\",\"conversation_id\":\"c1\"" HI), id);
    expect_chat(body, NORMALISE_BAD, ANSWER_BAD_ID);
    id[128] = 0;
    snprintf(body, sizeof body, MESSAGE("\"id\":\"%s\",\"conversation_id\":\"%s\"" HI), id, id);
    expect_chat(body, NORMALISE_EVENT, ANSWER_ACCEPTED);
}

static void deep_nesting_is_refused_before_it_is_parsed(void **state)
{
    (void)state;
    char *deep = malloc(200001);
    memset(deep, '[', 200000);
    deep[200000] = 0;
    expect_chat(deep, NORMALISE_BAD, ANSWER_BAD_JSON);
    free(deep);
    // Brackets in text are text.
    char body[2048];
    snprintf(body, sizeof body, MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"%s\\\"[[\"}}]"),
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    expect_chat(body, NORMALISE_EVENT, ANSWER_ACCEPTED);
}

static void the_window_is_the_same_on_both_sides(void **state)
{
    (void)state;
    options.now_ms = 1741083630456 + DAY_MS;
    expect_chat(MESSAGE(FULL HI), NORMALISE_EVENT, ANSWER_ACCEPTED);
    options.now_ms++;
    expect_chat(MESSAGE(FULL HI), NORMALISE_BAD, ANSWER_BAD_AGE);
    options.now_ms = 1741083630456 - DAY_MS;
    expect_chat(MESSAGE(FULL HI), NORMALISE_EVENT, ANSWER_ACCEPTED);
    options.now_ms--;
    expect_chat(MESSAGE(FULL HI), NORMALISE_BAD, ANSWER_BAD_AGE);
    options.replay_window_ms = 0;
    expect_chat(MESSAGE(FULL HI), NORMALISE_EVENT, ANSWER_ACCEPTED);
    options.replay_window_ms = DAY_MS;
    expect_chat(ENVELOPE(ACTOR_USER, "soon", "{\"message\":{" FULL HI "}}"), NORMALISE_BAD, ANSWER_BAD_TIME);
}

static void every_kind_of_part_is_flattened_in_order(void **state)
{
    (void)state;
    struct normalised got = chat(MESSAGE(
        MINIMAL ",\"message_parts\":["
                "{\"text\":{\"content\":\"one\"}},"
                "{\"image\":{\"url\":\"https://x/i.png\"}},"
                "{\"video\":{\"url\":\"https://x/v.mp4\"}},"
                "{\"file\":{\"name\":\"a.pdf\",\"url\":\"https://x/"
                "a\",\"file_size_in_bytes\":12,\"content_type\":\"application/pdf\"}},"
                "{\"file\":{\"name\":\"b.pdf\",\"download_url\":\"https://x/b\",\"fileHash\":\"h\"}},"
                "{\"email\":{\"content\":\"body\",\"subject\":\"about\"}},"
                "{\"url_button\":{\"label\":\"Call\",\"url\":\"tel:+1\",\"target\":\"_self\"}},"
                "{\"quick_reply_button\":{\"label\":\"Yes\",\"custom_reply_text\":\"Yes please\",\"payload\":\"y\"}},"
                "{\"callback\":{\"label\":\"Back\",\"payload\":\"p\"}},"
                "{\"reference\":{\"label\":\"Ref\",\"reference_id\":\"r\"}},"
                "{\"collection\":{\"sub_parts\":[{\"text\":{\"content\":\"in\"}},{\"collection\":{\"sub_parts\":[{"
                "\"text\":{\"content\":\"deeper\"}}]}}]}},"
                "{\"template_content\":{\"type\":\"carousel\",\"sections\":[{\"name\":\"s1\",\"parts\":[{\"text\":{"
                "\"content\":\"card\"}}]},"
                "{\"name\":\"s2\",\"parts\":[{\"image\":{\"url\":\"https://x/c\"}}]},{\"name\":\"s3\"},7]}},"
                "{\"hologram\":{\"beam\":1}},"
                "\"not an object\","
                "{\"image\":{}},"
                "{\"image\":\"no object\"},"
                "{\"collection\":{\"sub_parts\":\"no list\"}}],"
                "\"reply_parts\":[{\"quick_reply_button\":{\"label\":\"No\"}}]"));
    assert_int_equal(got.result, NORMALISE_EVENT);
    static const struct {
        enum part_kind kind;
        const char *text, *url, *label;
    } expected[] = {
        {PART_TEXT, "one", "", ""},
        {PART_IMAGE, "", "https://x/i.png", ""},
        {PART_VIDEO, "", "https://x/v.mp4", ""},
        {PART_FILE, "application/pdf", "https://x/a", "a.pdf"},
        {PART_FILE, "", "https://x/b", "b.pdf"},
        {PART_EMAIL, "body", "", "about"},
        {PART_BUTTON, "", "tel:+1", "Call"},
        {PART_CHOICE, "Yes please", "", "Yes"},
        {PART_CALLBACK, "", "", "Back"},
        {PART_REFERENCE, "", "", "Ref"},
        {PART_TEXT, "in", "", ""},
        {PART_TEXT, "deeper", "", ""},
        {PART_TEMPLATE, "", "", "carousel"},
        {PART_TEXT, "card", "", ""},
        {PART_IMAGE, "", "https://x/c", ""},
        {PART_OTHER, "", "", "hologram"},
        {PART_OTHER, "", "", "unreadable"},
        {PART_IMAGE, "", "", ""}, // no usable link: it is read back later, not lost
        {PART_OTHER, "", "", "image"},
        {PART_OTHER, "", "", "collection"},
        {PART_CHOICE, "", "", "No"},
    };
    assert_int_equal(got.event.parts.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < got.event.parts.count; i++) {
        const struct part *part = &got.event.parts.items[i];
        assert_int_equal(part->kind, expected[i].kind);
        assert_string_equal(part->text, expected[i].text);
        assert_string_equal(part->url, expected[i].url);
        assert_string_equal(part->label, expected[i].label);
    }
}

static void payload_version_1_is_read_too(void **state)
{
    (void)state;
    struct normalised got =
        chat(MESSAGE(MINIMAL ",\"msg_parts\":[{\"part_type\":\"TEXT\",\"properties\":{\"text\":\"old\"}},"
                             "{\"part_type\":\"IMAGE\",\"properties\":{\"url\":\"x\"}}]"));
    assert_int_equal(got.event.parts.count, 2);
    assert_string_equal(got.event.parts.items[0].text, "old");
    assert_int_equal(got.event.parts.items[1].kind, PART_OTHER);
    assert_string_equal(got.event.parts.items[1].label, "IMAGE");
    expect_chat(MESSAGE(MINIMAL ",\"msg_parts\":9"), NORMALISE_BAD, ANSWER_BAD_EVENT);
}

static void too_many_parts_say_how_many_are_missing(void **state)
{
    (void)state;
    char *body = malloc(1 << 20), *at = body;
    for (size_t count = 127; count <= 300; count += count < 130 ? 1 : 85) {
        at = body + sprintf(body, "%s",
                            "{\"action\":\"message_create\",\"action_time\":\"" TIME "\",\"actor\":" ACTOR_USER
                            ",\"data\":{\"message\":{" MINIMAL ",\"message_parts\":[");
        for (size_t i = 0; i < count; i++)
            at += sprintf(at, "%s{\"text\":{\"content\":\"part %zu\"}}", i ? "," : "", i);
        strcpy(at, "]}}}");
        struct normalised got = chat(body);
        assert_int_equal(got.result, NORMALISE_EVENT);
        assert_int_equal(got.event.parts.count, count < 128 ? count : 128);
        char last[100];
        if (count <= 128)
            snprintf(last, sizeof last, "part %zu", count - 1);
        else
            snprintf(last, sizeof last, "[%zu more parts of this message are not shown]", count - 127);
        assert_string_equal(got.event.parts.items[got.event.parts.count - 1].text, last);
        assert_string_equal(got.event.parts.items[126].text, "part 126");
    }
    free(body);
}

static void huge_text_is_cut_at_a_whole_character(void **state)
{
    (void)state;
    char *body = malloc(2 << 20);
    for (size_t shift = 0; shift < 4; shift++) {
        char *at = body + sprintf(body, "%s",
                                  "{\"action\":\"message_create\",\"action_time\":\"" TIME "\",\"actor\":" ACTOR_USER
                                  ",\"data\":{\"message\":{" MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"");
        for (size_t i = 0; i < shift; i++)
            *at++ = 'x';
        for (size_t i = 0; i < 100000; i++)
            at = stpcpy(at, "\xf0\x9f\x9b\x92"); // a shopping trolley, four bytes
        at = stpcpy(at, "\"}},{\"file\":{\"name\":\"");
        for (size_t i = 0; i < 3000; i++)
            at = stpcpy(at, "\xc3\xa9");
        at = stpcpy(at, "\",\"url\":\"https://x/");
        for (size_t i = 0; i < 9000; i++)
            *at++ = 'u';
        strcpy(at, "\"}}]}}}");
        struct normalised got = chat(body); // which also encodes it: bounds and UTF-8 are checked there
        assert_int_equal(got.result, NORMALISE_EVENT);
        size_t length = strlen(got.event.parts.items[0].text);
        assert_true(length <= TEXT_MAX && length > TEXT_MAX - 4);
        assert_int_equal((length - shift) % 4, 0);
        assert_int_equal(strlen(got.event.parts.items[1].label), 4096);
        assert_int_equal(strlen(got.event.parts.items[1].url), 8192);
    }
    free(body);
}

static void half_characters_do_not_cost_the_message(void **state)
{
    (void)state;
    static const struct {
        const char *sent, *read;
    } cases[] = {
        {"whole \\ud83d\\uded2", "whole \xf0\x9f\x9b\x92"},
        {"cut \\ud83d", "cut \xef\xbf\xbd"},
        {"cut \\ud83d\\u0041", "cut \xef\xbf\xbd"
                               "A"},
        {"cut \\ud83d\\ud83d\\uded2", "cut \xef\xbf\xbd\xf0\x9f\x9b\x92"},
        {"low \\uded2 first", "low \xef\xbf\xbd first"},
        {"cut \xf0\x9f\x9b", "cut \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"bad \xff\xc0\xaf", "bad \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"text \\\\ud83d \\ud83d", "text \\ud83d \xef\xbf\xbd"}, // an escaped backslash is no escape
        {"no\\u0000thing", "nothing"},
        {"\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4", "\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1024];
        snprintf(body, sizeof body, MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"%s\"}}]"),
                 cases[i].sent);
        struct normalised got = chat(body);
        assert_int_equal(got.result, NORMALISE_EVENT);
        assert_string_equal(got.event.parts.items[0].text, cases[i].read);
    }
    expect_chat("{\"action\":\"\\ud83d", NORMALISE_BAD, ANSWER_BAD_JSON);
    expect_chat("{\"action\":\"\\", NORMALISE_BAD, ANSWER_BAD_JSON);
    expect_chat("{\"action\":\"\\u12", NORMALISE_BAD, ANSWER_BAD_JSON);
}

static void expect_desk(const char *body, uint64_t ticket)
{
    struct normalised got = normalise_freshdesk(body, strlen(body), &options, arena);
    if (!ticket) {
        assert_int_equal(got.result, NORMALISE_BAD);
        assert_int_equal(answer_status(got.answer), 400);
        return;
    }
    if (got.result != NORMALISE_EVENT || got.event.ticket_id != ticket)
        fail_msg("%s gave %s, ticket %llu", body, answer_word(got.answer), (unsigned long long)got.event.ticket_id);
    assert_int_equal(got.event.kind, EVENT_HINT);
    assert_string_equal(got.event.key, "");
    assert_int_equal(got.event.time_ms, NOW_MS);
    struct record_buffer buffer;
    assert_true(record_encode(RECORD_event, &got.event, &buffer));
    record_buffer_free(&buffer);
}

static void hints_name_a_ticket(void **state)
{
    (void)state;
    expect_desk("{\"ticket_id\":42}", 42);
    expect_desk("{\"ticket_id\":\"42\"}", 42);
    expect_desk("{\"freshdesk_webhook\":{\"ticket_id\":4412,\"ticket_subject\":\"x\"}}", 4412);
    expect_desk("{\"freshdesk_webhook\":{\"ticket_id\":\"4412\"},\"x\":[]}", 4412);
    expect_desk("{\"ticket_id\":9223372036854775807}", INT64_MAX);
    expect_desk("{\"ticket_id\":\"9223372036854775807\"}", INT64_MAX);
    expect_desk("{\"ticket_id\":1,\"freshdesk_webhook\":{\"ticket_id\":2}}", 1);
    static const char *const bad[] = {
        "",
        "x",
        "{",
        "[]",
        "{}",
        "42",
        "\"42\"",
        "null",
        "{\"ticket_id\":null}",
        "{\"ticket_id\":0}",
        "{\"ticket_id\":-42}",
        "{\"ticket_id\":42.0}",
        "{\"ticket_id\":4e2}",
        "{\"ticket_id\":true}",
        "{\"ticket_id\":[42]}",
        "{\"ticket_id\":{}}",
        "{\"ticket_id\":\"\"}",
        "{\"ticket_id\":\" 42\"}",
        "{\"ticket_id\":\"42 \"}",
        "{\"ticket_id\":\"+42\"}",
        "{\"ticket_id\":\"-42\"}",
        "{\"ticket_id\":\"042\"}",
        "{\"ticket_id\":\"0\"}",
        "{\"ticket_id\":\"0x2a\"}",
        "{\"ticket_id\":\"42abc\"}",
        "{\"ticket_id\":\"4\\u00002\"}",
        "{\"ticket_id\":\"42\",}",
        "{\"ticket_id\":9223372036854775808}",
        "{\"ticket_id\":\"9223372036854775808\"}",
        "{\"ticket_id\":\"99999999999999999999999999\"}",
        "{\"freshdesk_webhook\":42}",
        "{\"freshdesk_webhook\":{}}",
        "{\"ticket_id\":1,\"ticket_id\":2}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_desk(bad[i], 0);
}

static void card_numbers_are_masked(void **state)
{
    (void)state;
    const char *body = MESSAGE(MINIMAL ",\"message_parts\":[{\"text\":{\"content\":\"my card 4111 1111 1111 1111\"}},"
                                       "{\"url_button\":{\"label\":\"5555555555554444\",\"url\":"
                                       "\"https://shop.example/?c=378282246310005\"}}],"
                                       "\"reply_parts\":[{\"collection\":{\"sub_parts\":[{\"quick_reply_button\":"
                                       "{\"custom_reply_text\":\"4111-1111-1111-1111\"}}]}}]");
    options.mask_card_numbers = true;
    struct normalised got = chat(body);
    assert_int_equal(got.result, NORMALISE_EVENT);
    assert_int_equal(got.event.parts.count, 3);
    assert_string_equal(got.event.parts.items[0].text, "my card 4111 11** **** 1111");
    assert_string_equal(got.event.parts.items[1].label, "555555******4444");
    assert_string_equal(got.event.parts.items[1].url, "https://shop.example/?c=378282*****0005");
    assert_string_equal(got.event.parts.items[2].text, "4111-11**-****-1111");
    options.mask_card_numbers = false;
    got = chat(body);
    assert_string_equal(got.event.parts.items[0].text, "my card 4111 1111 1111 1111");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(a_full_customer_message),
        TEST(a_resolved_chat_is_told),
        TEST(the_real_delivery_is_too_old_and_fine_with_the_window_off),
        TEST(absent_fields_have_their_fallbacks),
        TEST(actors_decide_what_a_message_is),
        TEST(what_is_of_no_use_is_ignored_with_its_reason),
        TEST(ids_may_be_numbers_and_optional_ones_anything),
        TEST(channels_can_be_chosen),
        TEST(what_is_no_event_is_bad),
        TEST(deep_nesting_is_refused_before_it_is_parsed),
        TEST(the_window_is_the_same_on_both_sides),
        TEST(every_kind_of_part_is_flattened_in_order),
        TEST(payload_version_1_is_read_too),
        TEST(too_many_parts_say_how_many_are_missing),
        TEST(huge_text_is_cut_at_a_whole_character),
        TEST(half_characters_do_not_cost_the_message),
        TEST(hints_name_a_ticket),
        TEST(card_numbers_are_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
