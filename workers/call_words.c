// SPDX-License-Identifier: Apache-2.0
// Calls in words; see call_words.h.
#include "workers/call_words.h"

#include <inttypes.h>
#include <string.h>

#include "proto/clock.h"
#include "workers/customer.h"
#include "workers/text.h"

enum { NAME_POINTS = 80, NUMBER_BYTES = 64, NOTES_BYTES = 4096, PART_BYTES = 4096, MINUTE_S = 60, HOUR_S = 3600 };

const struct event *call_words_event(const struct job_context *context)
{
    static const struct event none = {.conversation = "",
                                      .user = "",
                                      .message = "",
                                      .phone = "",
                                      .name = "",
                                      .call = {.from = "", .to = "", .agent = "", .recording = "", .notes = ""}};
    return context->job->events.count ? &context->job->events.items[0] : &none;
}

bool call_words_is_wish(const struct job_context *context)
{
    return call_words_event(context)->kind == EVENT_CALLBACK;
}

// ---- what is new ----------------------------------------------------------------------------------------------------

static uint64_t told_of(const struct job_context *context, uint64_t id)
{
    const struct lane *lane = &context->job->lane;
    for (size_t i = 0; i < lane->legs.count; i++)
        if (lane->legs.items[i].id == id)
            return lane->legs.items[i].told;
    return 0;
}

static bool any_told(const struct job_context *context, uint64_t bit)
{
    const struct lane *lane = &context->job->lane;
    for (size_t i = 0; i < lane->legs.count; i++)
        if (lane->legs.items[i].told & bit)
            return true;
    return false;
}

static const uint64_t ends = CALL_TOLD_ANSWERED | CALL_TOLD_MISSED | CALL_TOLD_OTHER;

// The end of a call as a bit; 0 while there is none.
static uint64_t end_of(const struct phone_call *call)
{
    switch (call->state) {
    case CALL_ANSWERED:
        return CALL_TOLD_ANSWERED;
    case CALL_MISSED:
        return CALL_TOLD_MISSED;
    case CALL_OTHER:
        return CALL_TOLD_OTHER;
    default:
        return 0;
    }
}

uint64_t call_words_news(const struct job_context *context)
{
    const struct phone_call *call = &call_words_event(context)->call;
    if (call_words_is_wish(context))
        return context->job->lane.legs.count ? 0 : CALL_TOLD_OTHER;
    uint64_t news = end_of(call);
    if (!news)
        return 0;
    if (*call->recording)
        news |= CALL_TOLD_RECORDING;
    if (*text_words(context->arena, call->notes))
        news |= CALL_TOLD_NOTES;
    uint64_t told = told_of(context, call->id);
    // Another end counts only when it is better news: that somebody answered after all.
    if ((told & ends) && !(news & CALL_TOLD_ANSWERED))
        news &= ~ends;
    return news & ~told;
}

uint64_t call_words_opening(const struct job_context *context)
{
    return call_words_news(context) & ends;
}

bool call_words_urgent(const struct job_context *context)
{
    const struct phone_call *call = &call_words_event(context)->call;
    if (call_words_is_wish(context))
        return true;
    return (call_words_news(context) & CALL_TOLD_MISSED) && !call->outgoing && !any_told(context, CALL_TOLD_ANSWERED);
}

const char *call_words_tag(const struct job_context *context)
{
    return call_words_is_wish(context) ? "call-back" : "missed-call";
}

// ---- who ------------------------------------------------------------------------------------------------------------

const char *call_words_number(const struct job_context *context)
{
    const struct event *event = call_words_event(context);
    if (*event->phone)
        return event->phone;
    const char *said = event->call.outgoing ? event->call.to : event->call.from;
    return customer_is_phone(said) ? said : "";
}

// "Ada (+442079460000)", "+442079460000" or "".
static const char *who(const struct job_context *context)
{
    const struct event *event = call_words_event(context);
    const char *number = call_words_number(context);
    const char *line = text_line(context->arena, event->name, 512);
    const char *name = text_shortened(context->arena, line, NAME_POINTS);
    if (!*name || strcmp(name, number) == 0 || customer_is_phone(name))
        return number;
    return *number ? arena_printf(context->arena, "%s (%s)", name, number) : name;
}

const char *call_words_subject(struct job_context *context)
{
    const struct phone_call *call = &call_words_event(context)->call;
    const char *person = who(context);
    if (call_words_is_wish(context))
        return arena_printf(context->arena, "Call back: %s", person);
    bool missed = call->state == CALL_MISSED && !call->outgoing;
    if (!*person)
        return missed ? "Missed call, number withheld" : "Call, number withheld";
    return arena_printf(context->arena, missed ? "Missed call from %s" : "Call with %s", person);
}

// ---- the note -------------------------------------------------------------------------------------------------------

static const char *time_words(struct arena *arena, uint64_t ms)
{
    char iso[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)ms, iso);
    return arena_printf(arena, "%.10s %.5s UTC", iso, iso + 11);
}

static const char *length_words(struct arena *arena, uint64_t seconds)
{
    if (seconds >= HOUR_S)
        return arena_printf(arena, "%" PRIu64 " h %" PRIu64 " min", seconds / HOUR_S, seconds % HOUR_S / MINUTE_S);
    if (seconds >= MINUTE_S)
        return arena_printf(arena, "%" PRIu64 " min %" PRIu64 " s", seconds / MINUTE_S, seconds % MINUTE_S);
    return arena_printf(arena, "%" PRIu64 " s", seconds);
}

// "Ada (+44...), 2025-03-04 10:22 UTC, 1 min 4 s, answered by R. Mills."
static const char *how_it_went(struct job_context *context)
{
    struct arena *arena = context->arena;
    const struct phone_call *call = &call_words_event(context)->call;
    const char *person = who(context);
    const char *agent = text_line(arena, call->agent, 512);
    struct text_buf out = text_buf_new(arena);
    text_buf_add(&out, *person ? person : "number withheld");
    text_buf_add(&out, ", ");
    text_buf_add(&out, time_words(arena, call->started_ms));
    bool missed = call->state == CALL_MISSED;
    if (call->seconds)
        text_buf_add(&out, arena_printf(arena, missed && !call->outgoing ? ", waited %s" : ", %s",
                                        length_words(arena, call->seconds)));
    if (missed)
        text_buf_add(&out, call->outgoing ? ", not answered" : "");
    else if (call->state == CALL_OTHER)
        text_buf_add(&out, ", over; Freshcaller does not say how it went");
    if (*agent && !(missed && !call->outgoing))
        text_buf_add(&out, arena_printf(arena, call->outgoing ? ", called by %s" : ", answered by %s", agent));
    text_buf_add(&out, ".");
    return out.data;
}

static const char *headline(const struct phone_call *call)
{
    if (call->state == CALL_MISSED && !call->outgoing)
        return call->parent_id ? "Missed call (transferred)" : "Missed call";
    if (call->outgoing)
        return "Call to the customer";
    return call->parent_id ? "Call (transferred)" : "Call";
}

static void add_line(struct text_buf *out, const char *label, const char *words)
{
    if (!*words)
        return;
    text_buf_add(out, "<br>");
    text_buf_add(out, label);
    text_add_html(out, words);
}

static void add_recording(struct text_buf *out, const char *url)
{
    if (!text_is_link(url)) {
        add_line(out, "Recording: ", url);
        return;
    }
    text_buf_add(out, "<br>Recording: <a href=\"");
    text_add_html(out, url);
    text_buf_add(out, "\" rel=\"noopener noreferrer nofollow\">");
    text_add_html(out, url);
    text_buf_add(out, "</a>");
}

static void add_call(struct job_context *context, struct text_buf *out, uint64_t news)
{
    const struct phone_call *call = &call_words_event(context)->call;
    bool ended = news & ends;
    text_buf_add(out, "<b>");
    text_buf_add(out, ended ? headline(call) : "More about the call");
    text_buf_add(out, ended ? ":</b> " : "</b> of ");
    text_add_html(out, ended ? how_it_went(context) : time_words(context->arena, call->started_ms));
    if (news & CALL_TOLD_RECORDING)
        add_recording(out, call->recording);
    if (news & CALL_TOLD_NOTES)
        add_line(out, "Notes: ", text_clean(context->arena, call->notes, NOTES_BYTES));
    if (call->ticket_id && call->ticket_id != context->job->lane.ticket_id)
        add_line(out, "",
                 arena_printf(context->arena, "Freshcaller has it on ticket #%" PRIu64 " as well.", call->ticket_id));
}

static void add_wish(struct job_context *context, struct text_buf *out)
{
    const struct event *event = call_words_event(context);
    text_buf_add(out, "<b>Wants to be called back:</b> ");
    text_add_html(out, who(context));
    text_add_html(out, arena_printf(context->arena, ", asked on the shop's page at %s.",
                                    time_words(context->arena, event->time_ms)));
    for (size_t i = 0; i < event->parts.count; i++) // one line each: a browser makes no lines of its own
        add_line(out, "", text_line(context->arena, event->parts.items[i].text, PART_BYTES));
}

const char *call_words_mark(struct job_context *context)
{
    const char *lane = context->job->lane.conversation;
    if (call_words_is_wish(context))
        return arena_printf(context->arena, "<div>Request %s</div>",
                            strncmp(lane, "callback:", 9) == 0 ? lane + 9 : lane);
    return arena_printf(context->arena, "<div>Freshcaller call %" PRIu64 "</div>", call_words_event(context)->call.id);
}

static const char *html_of(struct job_context *context, uint64_t news)
{
    struct text_buf out = text_buf_new(context->arena);
    text_buf_add(&out, "<div>");
    if (call_words_is_wish(context))
        add_wish(context, &out);
    else
        add_call(context, &out, news);
    add_line(&out, "", context->found.said);
    text_buf_add(&out, "</div>");
    text_buf_add(&out, call_words_mark(context));
    return out.data;
}

const char *call_words_html(struct job_context *context)
{
    return html_of(context, call_words_news(context));
}

const char *call_words_description(struct job_context *context)
{
    return html_of(context, call_words_opening(context));
}
