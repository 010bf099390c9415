// SPDX-License-Identifier: Apache-2.0
// The pages for shoppers, put together at the start of the front. See widget.h.
//
// Configuration is an operator's text and still never becomes code: in the script it is JSON in which everything beyond
// ASCII and every < > & is escaped, in the page it is escaped HTML.
#include "http-front/widget/widget.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/widget/squeeze.h"
#include "http-front/widget/widget_files.h"
#include "proto/phone.h"

#define SCRIPT "text/javascript; charset=utf-8"
// Other sites load the script: that is what it is for. Five minutes, so that a changed number is soon everywhere.
#define SCRIPT_HEADERS                                                                                                 \
    "Cache-Control: public, max-age=300, stale-while-revalidate=86400\r\nCross-Origin-Resource-Policy: "               \
    "cross-origin\r\n"
// A module of another origin is loaded only where it says that it may be.
#define MODULE_HEADERS SCRIPT_HEADERS "Access-Control-Allow-Origin: *\r\n"
// Freshchat's widget brings frames, styles and sockets from hosts that Freshworks does not list: only what it cannot
// need is shut.
#define SUPPORT_HEADERS                                                                                                \
    "Cache-Control: public, max-age=300\r\nReferrer-Policy: strict-origin-when-cross-origin\r\n"                       \
    "Content-Security-Policy: object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"

struct text {
    char *data;
    size_t size;
};

static void add(struct text *self, const char *bytes, size_t size)
{
    char *grown = realloc(self->data, self->size + size + 1);
    if (!grown)
        abort();
    memcpy(grown + self->size, bytes, size);
    self->data = grown;
    self->size += size;
    grown[self->size] = '\0';
}

static void add_text(struct text *self, const char *text)
{
    add(self, text, strlen(text));
}

// `form` with the one place called `mark` replaced. A form without it is a bug of ours.
static char *fill(const char *form, const char *mark, const char *with)
{
    const char *at = strstr(form, mark);
    struct text out = {0};
    if (!at)
        abort();
    add(&out, form, (size_t)(at - form));
    add_text(&out, with);
    add_text(&out, at + strlen(mark));
    return out.data;
}

// What a telephone is to dial: "+31 (0)20 123 45 67" is +31201234567. The configuration takes nothing that is no
// number.
static void dialled(const struct config *config, char out[PHONE_BYTES])
{
    (void)phone_e164(config->freshcaller.phone_number, config_phone_plan(config), out);
}

// What the script is given. JSON's < > & could mean something to HTML if a page ever put the script inline.
static char *config_json(const struct config *config)
{
    char dial[PHONE_BYTES];
    const char *const members[][2] = {
        {"script", config->widget.script_url},
        {"host", config->widget.host},
        {"token", config->widget.token},
        {"phone", config->freshcaller.phone_number},
        {"hours", config->widget.call_hours},
        {"zone", config->widget.call_time_zone},
        {"dial", dial},
    };
    dialled(config, dial);
    json_t *json = json_object();
    // What is no UTF-8 is no JSON text: it is left out.
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_object_set_new(json, members[i][0], json_string(members[i][1]));
    if (config->widget.call_back)
        json_object_set_new(json, "callBack", json_true());
    char *dumped = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    struct text out = {0};
    if (!dumped)
        abort();
    for (const char *at = dumped; *at; at++) {
        if (strchr("<>&", *at)) {
            char escape[16];
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*at);
            add_text(&out, escape);
        } else {
            add(&out, at, 1);
        }
    }
    free(dumped);
    json_decref(json);
    return out.data;
}

static void add_html(struct text *self, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&\"'", *text)) {
            char escape[16];
            snprintf(escape, sizeof escape, "&#%u;", (unsigned)(unsigned char)*text);
            add_text(self, escape);
        } else {
            add(self, text, 1);
        }
    }
}

// The number as a link that phones dial, in the page itself: it is there whatever becomes of any script.
static char *phone_html(const struct config *config)
{
    struct text out = {0};
    const char *number = config->freshcaller.phone_number;
    char dial[PHONE_BYTES];
    add_text(&out, "");
    if (!*number)
        return out.data;
    add_text(&out, "<a id=\"call\" href=\"tel:");
    dialled(config, dial);
    add_text(&out, dial);
    add_text(&out, "\">Call us ");
    add_html(&out, number);
    add_text(&out, "</a>");
    if (*config->widget.call_hours || *config->widget.call_time_zone) {
        add_text(&out, "<p>");
        add_html(&out, config->widget.call_hours);
        add_text(&out, *config->widget.call_hours && *config->widget.call_time_zone ? ", " : "");
        add_html(&out, config->widget.call_time_zone);
        add_text(&out, "</p>");
    }
    return out.data;
}

// The tag changes exactly when the text does: FNV-1a, 64 bits. It guards nothing.
static struct widget_page page(const char *type, const char *headers, char *text)
{
    struct widget_page made = {.type = type, .headers = headers, .text = text, .size = strlen(text)};
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < made.size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    snprintf(made.etag, sizeof made.etag, "\"%016" PRIx64 "\"", hash);
    return made;
}

struct widget *widget_new(const struct config *config)
{
    struct widget *self = calloc(1, sizeof *self);
    char *json = config_json(config), *phone = phone_html(config), *script = squeeze_script(widget_file_script);
    if (!self)
        abort();
    self->script = page(SCRIPT, SCRIPT_HEADERS, fill(script, "DESKBELL_CONFIG", json));
    if (config->widget.call_back)
        self->callback = page(SCRIPT, MODULE_HEADERS, squeeze_script(widget_file_callback));
    self->support = page("text/html; charset=utf-8", SUPPORT_HEADERS, fill(widget_file_support, "@PHONE@", phone));
    free(json);
    free(phone);
    free(script);
    return self;
}

void widget_free(struct widget **self)
{
    if (!*self)
        return;
    free((*self)->script.text);
    free((*self)->callback.text);
    free((*self)->support.text);
    free(*self);
    *self = NULL;
}

const struct widget_page *widget_find(const struct widget *self, const char *path)
{
    if (!self)
        return NULL;
    if (!strcmp(path, "/widget.js"))
        return &self->script;
    if (!strcmp(path, "/callback.js"))
        return self->callback.text ? &self->callback : NULL;
    return strcmp(path, "/support") ? NULL : &self->support;
}
