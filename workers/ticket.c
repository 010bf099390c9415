// SPDX-License-Identifier: Apache-2.0
// Settings and custom fields of tickets; see ticket.h.
#include "workers/ticket.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "workers/customer.h"
#include "workers/entries.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/text.h"
#include "workers/text_html.h"

enum { FIELD_MAX_BYTES = 255, TAG_MAX_POINTS = 32 };

// ---- what is sent ---------------------------------------------------------------------------------------------------

static json_t *tags_of(const struct job_context *context, const struct rules_result *rules)
{
    json_t *tags = json_array();
    if (customer_is_unsigned(&context->found.context) &&
        json_array_append_new(tags, json_string(TICKET_UNSIGNED_TAG)) != 0)
        abort();
    for (size_t i = 0; i < rules->tag_count && json_array_size(tags) < RULES_MOST_TAGS; i++) {
        const char *tag = text_line(context->arena, rules->tags[i], FIELD_MAX_BYTES);
        const char *cut = text_shortened(context->arena, tag, TAG_MAX_POINTS);
        if (*cut && json_array_append_new(tags, json_string(cut)) != 0)
            abort();
    }
    return tags;
}

void ticket_put_settings(const struct job_context *context, const struct rules_result *rules, json_t *ticket)
{
    const struct config_ticket *settings = &context->config->ticket;
    uint64_t omit = context->found.omit;
    if (*settings->type && !(omit & TICKET_OMIT_TYPE))
        fields_put(ticket, "type", settings->type);
    if (rules->group_id > 0 && !(omit & TICKET_OMIT_GROUP))
        fields_put_id(ticket, "group_id", (uint64_t)rules->group_id);
    if (settings->product_id > 0 && !(omit & TICKET_OMIT_PRODUCT))
        fields_put_id(ticket, "product_id", (uint64_t)settings->product_id);
    if ((rules->tag_count || customer_is_unsigned(&context->found.context)) && !(omit & TICKET_OMIT_TAGS) &&
        json_object_set_new(ticket, "tags", tags_of(context, rules)) != 0)
        abort();
}

static void put_custom(const struct job_context *context, json_t *custom, const char *name, const char *value)
{
    if (*name && *value)
        fields_put(custom, name, text_line(context->arena, value, FIELD_MAX_BYTES));
}

// Fields that refused a number in favour of text, for all later tickets of this process (one thread).
static uint64_t learnt_text;

static void put_number(const struct job_context *context, json_t *custom, const char *name, json_t *number,
                       const char *text, uint64_t text_bit)
{
    if (!number || !*name || (context->found.omit & text_bit)) {
        json_decref(number);
        put_custom(context, custom, name, text);
    } else if (json_object_set_new(custom, name, number) != 0) {
        abort();
    }
}

// "cf_name=value" of the configuration; as text first, since that is what most fields are.
static void put_extra(const struct job_context *context, json_t *custom, const char *setting)
{
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting)
        return;
    const char *name = arena_copy(context->arena, setting, (size_t)(equals - setting));
    const char *text = equals + 1;
    json_t *value = NULL;
    if (context->found.omit & TICKET_TYPED_EXTRAS) {
        char *end = NULL;
        double number = strtod(text, &end);
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            value = json_boolean(*text == 't');
        else if (*text && strspn(text, "-0123456789") == strlen(text) && strlen(text) < 18)
            value = json_integer(strtoll(text, NULL, 10));
        else if (*text && strspn(text, "-0123456789.") == strlen(text) && *end == '\0')
            value = json_real(number);
    }
    if (value && json_object_set_new(custom, name, value) != 0)
        abort();
    if (!value)
        fields_put(custom, name, text);
}

void ticket_put_fields(struct job_context *context, const char *conversation, json_t *ticket)
{
    const struct config_freshdesk *names = &context->config->freshdesk;
    const struct context *customer = &context->found.context;
    context->found.omit |=
        learnt_text; // so that the answer is judged by what this request said, not by what others learn meanwhile
    uint64_t omit = context->found.omit;
    json_t *custom = json_object();
    if (!(omit & TICKET_OMIT_CONVERSATION))
        put_custom(context, custom, names->conversation_field, conversation);
    if (!(omit & TICKET_OMIT_CART))
        put_number(context, custom, names->cart_field,
                   customer->cart_valid ? json_real((double)customer->cart_cents / 100.0) : NULL, customer->cart,
                   TICKET_TEXT_CART);
    if (!(omit & TICKET_OMIT_FRICTION))
        put_number(context, custom, names->friction_field,
                   customer->friction_valid ? json_integer((json_int_t)customer->friction_value) : NULL,
                   customer->friction, TICKET_TEXT_FRICTION);
    if (!(omit & TICKET_OMIT_SCREEN))
        put_custom(context, custom, names->screen_field, customer->screen);
    // `conversation` is empty for updates, which leave required fields as the agents filled them
    if (*conversation && !(omit & TICKET_OMIT_EXTRAS))
        for (size_t i = 0; i < context->config->ticket.fields.count; i++)
            put_extra(context, custom, context->config->ticket.fields.items[i]);
    if (json_object_size(custom) == 0)
        json_decref(custom);
    else if (json_object_set_new(ticket, "custom_fields", custom) != 0)
        abort();
}

bool ticket_sends_conversation(const struct job_context *context)
{
    return *context->config->freshdesk.conversation_field && !(context->found.omit & TICKET_OMIT_CONVERSATION);
}

// ---- what is refused ------------------------------------------------------------------------------------------------

static uint64_t refused_extras(const struct job_context *context, const struct response *response)
{
    for (size_t i = 0; i < context->config->ticket.fields.count; i++) {
        const char *setting = context->config->ticket.fields.items[i];
        const char *name = arena_copy(context->arena, setting, strcspn(setting, "="));
        if (flow_refuses(response, name))
            return context->found.omit & TICKET_TYPED_EXTRAS ? TICKET_OMIT_EXTRAS : TICKET_TYPED_EXTRAS;
    }
    return 0;
}

// A number where the helpdesk has a text field: the next attempt, and every later ticket, says it as text.
static uint64_t wants_text(const struct job_context *context, const struct response *response)
{
    const struct config_freshdesk *names = &context->config->freshdesk;
    const struct context *customer = &context->found.context;
    uint64_t bits = 0;
    if (customer->cart_valid && flow_mistypes(response, names->cart_field))
        bits |= TICKET_TEXT_CART;
    if (customer->friction_valid && flow_mistypes(response, names->friction_field))
        bits |= TICKET_TEXT_FRICTION;
    // Text was not right either: this ticket goes without, and what was learnt may be out of date.
    uint64_t wrong = bits & context->found.omit;
    learnt_text = (learnt_text & ~wrong) | (bits & ~wrong);
    return bits & ~wrong;
}

static void say_omitted(const struct job_context *context, const char *field, uint64_t bit)
{
    if (bit == TICKET_OMIT_CONVERSATION)
        log_error(
            "conversation_field_refused", "field=%s conversation=%s hint=%s", field, context->job->lane.conversation,
            "Create a text field of that name in Freshdesk, or name the right one as freshdesk.conversation_field: "
            "without it a ticket cannot lead back to its chat.");
    else
        log_warn("field_refused", "field=%s conversation=%s", field, context->job->lane.conversation);
}

bool ticket_omit(struct job_context *context, const struct response *response)
{
    const struct config_freshdesk *names = &context->config->freshdesk;
    const struct {
        const char *field;
        uint64_t bit;
    } extras[] = {
        {names->conversation_field, TICKET_OMIT_CONVERSATION},
        {names->cart_field, TICKET_OMIT_CART},
        {names->friction_field, TICKET_OMIT_FRICTION},
        {names->screen_field, TICKET_OMIT_SCREEN},
        {"type", TICKET_OMIT_TYPE},
        {"group_id", TICKET_OMIT_GROUP},
        {"product_id", TICKET_OMIT_PRODUCT},
        {"tags", TICKET_OMIT_TAGS},
        {"email", TICKET_OMIT_IDENTITY},
        {"phone", TICKET_OMIT_IDENTITY},
        {"requester_id", TICKET_OMIT_REQUESTER},
        {"name", TICKET_OMIT_NAME},
    };
    uint64_t before = context->found.omit;
    uint64_t retyped = wants_text(context, response);
    uint64_t keep = (retyped & TICKET_TEXT_CART ? TICKET_OMIT_CART : 0) |
                    (retyped & TICKET_TEXT_FRICTION ? TICKET_OMIT_FRICTION : 0);
    uint64_t omit = before | retyped;
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (!(keep & extras[i].bit) && flow_refuses(response, extras[i].field) && !(omit & extras[i].bit)) {
            omit |= extras[i].bit;
            say_omitted(context, extras[i].field, extras[i].bit);
        }
    if (flow_refuses(response, "custom_fields")) // no name given: the optional ones first
        omit |= omit & TICKET_OMIT_CART ? TICKET_OMIT_CONVERSATION
                                        : TICKET_OMIT_CART | TICKET_OMIT_FRICTION | TICKET_OMIT_SCREEN;
    omit |= refused_extras(context, response);
    context->found.omit = omit;
    return omit != before;
}

const char *ticket_omit_sentence(const struct job_context *context)
{
    return arena_printf(context->arena, "The helpdesk refused some fields; trying without them (bits %" PRIx64 ").",
                        context->found.omit);
}

bool ticket_describes(struct arena *arena, const json_t *ticket, const char *body)
{
    const char *html = text_html_plain(arena, fields_raw(ticket, "description"), TEXT_HTML_ALL, TEXT_MAX);
    const char *line = entries_line(arena, body);
    return entries_holds(entries_words(arena, html), line) ||
           entries_holds(entries_words(arena, fields_raw(ticket, "description_text")), line);
}

const json_t *ticket_created(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer == ANSWER_OK && fields_id(response->json, "id"))
        return response->json;
    if (response->answer == ANSWER_OK) {
        flow_unexpected(context, report, "a ticket id");
    } else if (response->answer == ANSWER_REFUSED && ticket_omit(context, response)) {
        flow_done(report, (enum step)context->job->step, "");
        report->cause = ticket_omit_sentence(context);
    } else {
        answers_default(context, response, report);
    }
    return NULL;
}
