// SPDX-License-Identifier: Apache-2.0
// The one table that says what an upstream's answer means (freshworks-api 2.2 for Freshchat, 4.12 for Freshdesk, 7 row
// 20 for HTML behind a 200), and the sentences about it. No state.
//
// How the table is meant: a write may be repeated only when it is certain that it did not happen. An answer that an
// application makes before it does anything (401, 403, 404, 429, other 4xx) is certain. What a proxy or a half-finished
// application may say (408, 5xx), a 2xx that cannot be read, and silence are not. A 503 is taken for a plain refusal
// only when it says when to come again, because load shedders do and crashed applications do not. Steps that only read,
// or that may be repeated, are never in doubt: they are simply made again.
#include "upstream/answers.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum need { NEED_ANY, NEED_YES, NEED_NO };

struct row {
    long from; // range of final statuses; 0 is "no answer"
    long to;
    enum need sent;
    enum need retry_after;
    int body; // enum answer_body, or -1 for any
    enum answer read;
    enum answer write;
    enum answer repeatable;
    const char *sentence; // follows the upstream's name
};

#define ALL(answer) ANSWER_##answer, ANSWER_##answer, ANSWER_##answer
#define UNSURE      ANSWER_RETRY, ANSWER_DOUBT, ANSWER_RETRY
#define EVER        NEED_ANY, NEED_ANY, -1
#define BODY(kind)  NEED_ANY, NEED_ANY, ANSWER_BODY_##kind
// The first row that fits decides.
static const struct row rows[] = {
    {0, 0, NEED_NO, NEED_ANY, -1, ALL(RETRY), "could not be reached"},
    {0, 0, NEED_YES, NEED_ANY, -1, UNSURE, "gave no complete answer"},
    {200, 299, BODY(JSON), ALL(OK), "accepted the request"},
    // An empty 2xx did the work, but a write's new id is not known: its look finds it. Nothing is missing from a
    // repeatable one.
    {200, 299, BODY(NONE), ANSWER_RETRY, ANSWER_DOUBT, ANSWER_OK, "answered with an empty body"},
    {200, 299, BODY(CUT), UNSURE, "gave no complete answer"},
    // freshworks-api 7 row 20: portal hosts serve a page with status 200 for paths they do not know.
    {200, 299, BODY(ELSE), UNSURE, "answered with something that is not JSON; is api_url right?"},
    {300, 399, EVER, UNSURE, "answered with a redirect, which is never followed; is api_url right?"},
    {401, 401, EVER, ALL(AUTH), "does not accept the API key"},
    {403, 403, EVER, ALL(AUTH), "does not allow this to the owner of the API key"},
    {404, 404, EVER, ALL(NOT_FOUND), "does not know what was asked for"},
    {408, 408, EVER, UNSURE, "gave up waiting for the request"},
    {425, 425, EVER, ALL(RETRY), "wants the request later"},
    {429, 429, EVER, ALL(RETRY), "limits calls for now"},
    {400, 499, EVER, ALL(REFUSED), "refused the request"},
    {503, 503, NEED_ANY, NEED_YES, -1, ALL(RETRY), "is not available for now"},
    {500, 599, EVER, UNSURE, "failed"},
    {INT32_MIN, INT32_MAX, EVER, UNSURE, "answered with an unknown status"},
};

static bool meets(enum need need, bool fact)
{
    return need == NEED_ANY || (need == NEED_YES) == fact;
}

static const struct row *find(const struct answer_facts *facts)
{
    const struct row *row = rows;
    while (facts->status < row->from || facts->status > row->to || !meets(row->sent, facts->sent) ||
           !meets(row->retry_after, facts->retry_after) || (row->body >= 0 && row->body != (int)facts->body))
        row++; // the last row fits everything
    return row;
}

enum answer answers_classify(enum step_kind kind, const struct answer_facts *facts)
{
    const struct row *row = find(facts);
    switch (kind) {
    case STEP_WRITE:
        return row->write;
    case STEP_REPEATABLE:
        return row->repeatable;
    case STEP_READ:
    default:
        return row->read;
    }
}

const char *answers_sentence(const struct answer_facts *facts)
{
    return find(facts)->sentence;
}

// ---- sentences ------------------------------------------------------------------------------------------------------

// A bounded line that is being written. `room` counts bytes without the final NUL.
struct line {
    char *at;
    size_t room;
};

static size_t character_bytes(const char *text)
{
    unsigned char first = (unsigned char)*text;
    size_t want = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    for (size_t i = 1; i < want; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return want;
}

// Appends whole characters only; control characters become spaces, bytes that are no UTF-8 become '?'.
static void add(struct line *line, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t bytes = text[i] ? character_bytes(text + i) : 0;
        bool bad = bytes == 0 || i + bytes > length;
        size_t step = bad ? 1 : bytes;
        if (step > line->room)
            break;
        bool control = (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
        if (control || bad)
            *line->at = control ? ' ' : '?';
        else
            memcpy(line->at, text + i, step);
        line->at += step;
        line->room -= step;
        i += step;
    }
    *line->at = '\0';
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

enum {
    SECRET_LEAST = 4,   // shorter values are words like "ok" and "2"
    SECRETS_MOST = 64,  // text values of the request that are looked for
    DETAIL_BYTES = 400, // of what the upstream said
    ERRORS_MOST = 4,    // entries of errors[] that are told
    SECRET_DEPTH = 6,
};

// The text values of the request: what they say must not come back in a sentence.
struct values {
    const char *items[SECRETS_MOST];
    size_t lengths[SECRETS_MOST];
    size_t count;
};

static void collect(const json_t *json, struct values *values, int depth)
{
    const char *key;
    json_t *item;
    size_t index;
    if (json_is_string(json) && json_string_length(json) >= SECRET_LEAST && values->count < SECRETS_MOST) {
        values->items[values->count] = json_string_value(json);
        values->lengths[values->count++] = json_string_length(json);
    } else if (depth < SECRET_DEPTH && json_is_object(json)) {
        json_object_foreach((json_t *)json, key, item) // NOLINT: jansson's macro takes no const
            collect(item, values, depth + 1);
    } else if (depth < SECRET_DEPTH && json_is_array(json)) {
        json_array_foreach(json, index, item) collect(item, values, depth + 1);
    }
}

// How many bytes at `at` are one of the values (the longest), 0: none.
static size_t value_at(const struct values *values, const char *at, size_t left)
{
    size_t longest = 0;
    for (size_t i = 0; i < values->count; i++)
        if (values->lengths[i] <= left && values->lengths[i] > longest &&
            memcmp(at, values->items[i], values->lengths[i]) == 0)
            longest = values->lengths[i];
    return longest;
}

// An e-mail address that begins at `at`, in bytes, 0: none. Generous: any unspaced run with an @ inside.
static size_t address_at(const char *at, size_t left)
{
    size_t run = 0;
    bool sign = false;
    while (run < left && (unsigned char)at[run] > ' ' && !strchr("\"'<>(),;", at[run]))
        sign |= at[run++] == '@';
    return sign ? run : 0;
}

// Appends what the upstream said, without what the request said and without e-mail addresses.
static void add_outside(struct line *line, const json_t *text, const struct values *values)
{
    const char *at = json_string_value(text);
    size_t left = at ? json_string_length(text) : 0;
    bool word_begins = true;
    while (left > 0 && line->room > 0) {
        size_t hide = value_at(values, at, left);
        if (hide == 0 && word_begins)
            hide = address_at(at, left);
        if (hide > 0)
            add_text(line, "[...]");
        size_t step = hide > 0 ? hide : character_bytes(at);
        if (step == 0 || step > left)
            step = 1;
        if (hide == 0)
            add(line, at, step);
        word_begins = hide > 0 || (unsigned char)*at <= ' ' || strchr("\"'<>(),;", *at) != NULL;
        at += step;
        left -= step;
    }
}

static const json_t *text_of(const json_t *json, const char *key)
{
    const json_t *text = json_object_get(json, key);
    return json_is_string(text) && json_string_length(text) > 0 ? text : NULL;
}

// "custom_fields.cf_x: It should be ... (invalid_value)"
static void add_entry(struct line *line, const json_t *entry, const struct values *values)
{
    const json_t *field = text_of(entry, "field");
    const json_t *message = text_of(entry, "message");
    const json_t *code = text_of(entry, "code");
    if (!field && !message && !code)
        return;
    add_text(line, "; ");
    if (field)
        add_outside(line, field, values);
    if (field && message)
        add_text(line, ": ");
    if (message)
        add_outside(line, message, values);
    if (code) {
        add_text(line, " (");
        add_outside(line, code, values);
        add_text(line, ")");
    }
}

// What the error body says: Freshdesk's description and errors[], its {code, message}, Freshchat's {status, message}.
static void add_details(struct line *line, const json_t *json, const char *request_body)
{
    if (!json_is_object(json))
        return;
    struct values values = {.count = 0};
    json_t *request = request_body ? json_loads(request_body, JSON_ALLOW_NUL, NULL) : NULL;
    collect(request, &values, 0);
    struct line details = {line->at, line->room < DETAIL_BYTES ? line->room : DETAIL_BYTES};
    static const char *const keys[] = {"description", "status", "code", "message"};
    const char *before = ": ";
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *text = text_of(json, keys[i]);
        if (!text)
            continue;
        add_text(&details, before);
        add_outside(&details, text, &values);
        before = "; ";
    }
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(json, "errors"), index, entry)
    {
        if (index >= ERRORS_MOST)
            break;
        add_entry(&details, entry, &values);
    }
    line->room -= (size_t)(details.at - line->at);
    line->at = details.at;
    json_decref(request);
}

char *answers_problem(char *out, size_t size, enum upstream upstream, const struct answer_facts *facts,
                      const char *transport, const json_t *json, const char *request_body)
{
    static const char *const names[UPSTREAMS] = {"The other side", "Freshchat", "Freshdesk", "Freshcaller"};
    struct line line = {out, size - 1};
    *out = '\0';
    add_text(&line, (unsigned)upstream < UPSTREAMS ? names[upstream] : names[UPSTREAM_NONE]);
    add_text(&line, " ");
    add_text(&line, answers_sentence(facts));
    if (facts->status) {
        char status[32];
        snprintf(status, sizeof status, " (status %ld)", facts->status);
        add_text(&line, status);
    }
    if (transport && *transport) {
        add_text(&line, ": ");
        add_text(&line, transport);
    }
    add_details(&line, json, request_body);
    return out;
}
