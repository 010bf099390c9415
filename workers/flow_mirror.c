// SPDX-License-Identifier: Apache-2.0
// Mirrors an agent: what an agent types in Freshchat becomes a public note with the agent's name, written as the
// Freshdesk agent with the same e-mail where there is one. What Deskbell itself posted never gets here: the front knows
// it by id. A name that cannot be had after a few attempts is left out, the note is not.
#include "workers/flows.h"

#include <inttypes.h>
#include <string.h>

#include "proto/log.h"
#include "workers/directory.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/note.h"
#include "workers/parts.h"
#include "workers/text.h"
#include "workers/text_html.h"

enum { READ_ATTEMPTS = 3 };

static const char *actor_of(const struct job_context *context)
{
    return context->job->events.count ? context->job->events.items[0].actor : "";
}

// A failed look-up: tried again a few times, then the mirror goes on without it.
static void go_without(struct job_context *context, const struct response *response, enum step next,
                       struct report *report)
{
    answers_default(context, response, report);
    if (report->outcome == OUTCOME_RETRY && context->job->attempt < READ_ATTEMPTS)
        return;
    log_warn("agent_unread", "step=%s actor=%s problem=%s", steps_name(context->job->step), actor_of(context),
             response->problem);
    report->cause = "";
    context->found.page = 0;
    flow_done(report, next, "");
}

// ---- the agent in Freshchat -----------------------------------------------------------------------------------------

static bool take_chat_agent(struct job_context *context)
{
    const struct agent *agent = agents_by_id(context->agents, UPSTREAM_FRESHCHAT, actor_of(context));
    if (!agent)
        return false;
    context->found.agent_name = agent->exists ? text_line(context->arena, agent->name, 512) : "";
    context->found.agent_email = agent->exists ? text_line(context->arena, agent->email, 512) : "";
    context->found.page = 0;
    return true;
}

static enum step_choice chat_agent_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!*actor_of(context) || take_chat_agent(context)) {
        flow_done(report, *context->found.agent_email ? STEP_MIRROR_DESK_AGENT : STEP_MIRROR_NOTE, "");
        return STEP_ANSWER;
    }
    directory_chat_request(context, request);
    return STEP_CALL;
}

static void chat_agent_finish(struct job_context *context, const struct response *response, struct report *report)
{
    bool more = false;
    if (response->answer != ANSWER_OK || !directory_chat_page(context, response, &more)) {
        go_without(context, response, STEP_MIRROR_NOTE, report);
        return;
    }
    bool known = take_chat_agent(context);
    if (!known && more) {
        flow_done(report, STEP_MIRROR_CHAT_AGENT, "");
        return;
    }
    if (!known)
        agents_put_absent_id(context->agents, UPSTREAM_FRESHCHAT, actor_of(context));
    flow_done(report, *context->found.agent_email ? STEP_MIRROR_DESK_AGENT : STEP_MIRROR_NOTE, "");
}

// ---- the same agent in Freshdesk ------------------------------------------------------------------------------------

static bool take_desk_agent(struct job_context *context)
{
    const struct agent *agent = agents_by_email(context->agents, UPSTREAM_FRESHDESK, context->found.agent_email);
    if (!agent)
        return false;
    uint64_t id = 0;
    if (agent->exists && strlen(agent->id) < 20)
        for (const char *at = agent->id; *at >= '0' && *at <= '9'; at++)
            id = id * 10 + (uint64_t)(*at - '0');
    context->found.desk_agent = id;
    return true;
}

static enum step_choice desk_agent_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!*context->found.agent_email || take_desk_agent(context)) {
        flow_done(report, STEP_MIRROR_NOTE, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/agents?email=%s", text_url(context->arena, context->found.agent_email)),
    };
    return STEP_CALL;
}

static void desk_agent_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const char *email = context->found.agent_email;
    const json_t *list = fields_list(response->json, "agents");
    if (response->answer != ANSWER_NOT_FOUND && (response->answer != ANSWER_OK || !list)) {
        go_without(context, response, STEP_MIRROR_NOTE, report);
        return;
    }
    for (size_t i = 0; response->answer == ANSWER_OK && i < json_array_size(list); i++) {
        const json_t *agent = json_array_get(list, i);
        if (text_same(fields_raw(json_object_get(agent, "contact"), "email"), email)) // the filter is not trusted
            directory_desk_agent(context, agent);
    }
    if (!take_desk_agent(context))
        agents_put_absent_email(context->agents, UPSTREAM_FRESHDESK, email);
    flow_done(report, STEP_MIRROR_NOTE, "");
}

// ---- the note -------------------------------------------------------------------------------------------------------

static struct note note_of(const struct job_context *context)
{
    const char *name = context->found.agent_name;
    struct text_buf body = text_buf_new(context->arena);
    for (size_t i = 0; i < context->job->events.count; i++) {
        const struct event *event = &context->job->events.items[i];
        text_buf_add(&body, "<div><b>");
        text_add_html(&body, *name ? name : "An agent");
        text_buf_add(&body, "</b> (in chat, ");
        parts_add_time(&body, event, context->written_ms);
        text_buf_add(&body, "): ");
        parts_add_html(&body, event, true);
        text_buf_add(&body, "</div>");
    }
    return (struct note){.body = body.data, .author = context->found.desk_agent, .by_line = true};
}

static const char *said_in_chat(const struct job_context *context)
{
    struct text_buf html = text_buf_new(context->arena);
    for (size_t i = 0; i < context->job->events.count; i++)
        parts_add_html(&html, &context->job->events.items[i], true);
    return text_words(context->arena, text_html_plain(context->arena, html.data, TEXT_HTML_ALL, TEXT_MAX));
}

static enum step_choice mirror_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct note note = note_of(context);
    (void)report;
    return note_begin(context, &note, request);
}

static void mirror_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_finish(context, &note, response, report))
        flow_done(report, STEP_NONE, "agent's chat message mirrored");
    else if (flow_ticket_gone(response))
        flow_end(context, report, OUTCOME_REFUSED,
                 "Ticket %" PRIu64 " takes no notes any more (deleted, archived or spam): what the agent wrote in the "
                 "chat is not in it.",
                 context->job->lane.ticket_id);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    note.said = context->job->restored ? said_in_chat(context) : NULL;
    note.said_ms = context->job->events.count ? context->job->events.items[0].time_ms : 0;
    if (note_look_finish(context, &note, response, report))
        flow_done(report, STEP_NONE, "agent's chat message mirrored");
}

const struct step_code flow_mirror_steps[] = {
    {STEP_MIRROR_CHAT_AGENT, chat_agent_begin, chat_agent_finish},
    {STEP_MIRROR_DESK_AGENT, desk_agent_begin, desk_agent_finish},
    {STEP_MIRROR_NOTE, mirror_begin, mirror_finish},
    {STEP_LOOK_MIRROR, note_look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
