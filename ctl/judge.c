// SPDX-License-Identifier: Apache-2.0
// Judging what the two products answered.
#include "ctl/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/words.h"
#include "proto/clock.h"

enum {
    CLOCK_WARN_MS = 5 * 1000,
    CLOCK_FAIL_MS = 5 * 60 * 1000, // as the front has it: then it expires and refuses nothing for its age
    LATELY_DAYS = 7,
    SOURCE_CHAT = 7,
};
#define DAY_MS (INT64_C(24) * 3600 * 1000)

bool judge_credential(struct findings *findings, const char *check, const char *key, const struct reply *reply)
{
    switch (reply->answer) {
    case ANSWER_OK:
        findings_add(findings, VERDICT_OK, check, NULL, "The key works.");
        return true;
    case ANSWER_AUTH:
        findings_add(findings, VERDICT_FAIL, check, NULL, "%s", reply->problem);
        if (reply->status == 401)
            findings_remedy(findings, "Put the right key into the file that %s names; it may have been replaced there.",
                            key);
        else
            findings_remedy(findings, "Give the owner of the key in %s the rights of an agent who sees all tickets.",
                            key);
        return false;
    case ANSWER_NOT_FOUND:
    case ANSWER_REFUSED:
        findings_add(findings, VERDICT_FAIL, check, "See whether api_url is the address of this account's API.", "%s",
                     reply->problem);
        return false;
    case ANSWER_RETRY:
    case ANSWER_DOUBT:
    default:
        break;
    }
    if (reply->status == 429)
        findings_add(findings, VERDICT_UNKNOWN, check, "Ask again in a minute.", "%s", reply->problem);
    else if (reply->status >= 200 && reply->status < 400)
        findings_add(findings, VERDICT_FAIL, check, "See whether api_url is the address of this account's API.", "%s",
                     reply->problem);
    else if (reply->status)
        findings_add(findings, VERDICT_FAIL, check, "Ask again later; the other side has a problem of its own.", "%s",
                     reply->problem);
    else
        findings_add(findings, VERDICT_FAIL, check,
                     "See whether this machine reaches that address (name, firewall, proxy, certificates: keys proxy "
                     "and ca_file).",
                     "%s", reply->problem);
    return false;
}

void judge_generation(struct findings *findings, const struct judge_generation *facts)
{
    static const char check[] = "account";
    static const char not_served[] =
        "Deskbell does not serve accounts whose chat is built into Freshdesk; see the README, \"For which accounts\".";
    bool chat = facts->chat_asked && facts->chat == ANSWER_OK;
    // A portal serves a page, or knows nothing, where there is no API of Freshchat's own.
    bool no_chat = facts->chat_asked && !chat &&
                   (facts->chat == ANSWER_NOT_FOUND || (facts->chat_status >= 200 && facts->chat_status < 400));
    if (chat && !facts->structured)
        findings_add(findings, VERDICT_OK, check, NULL, "Freshchat has an API of its own here: a classic account.");
    else if (chat)
        findings_add(findings, VERDICT_WARN, check,
                     "Ask Freshworks whether chat is built into Freshdesk in this account; if so, Deskbell does not "
                     "serve it.",
                     "Freshchat's API answers, but tickets have the form of accounts with built-in chat.");
    else if (no_chat && facts->structured)
        findings_add(findings, VERDICT_FAIL, check, not_served,
                     "There is no Freshchat API, and tickets have the form of accounts with built-in chat.");
    else if (no_chat)
        findings_add(findings, VERDICT_WARN, check,
                     "See whether freshchat.api_url is right; if it is, chat may be built into Freshdesk, and Deskbell "
                     "does not serve such accounts.",
                     "No Freshchat API answers at freshchat.api_url.");
    else if (facts->structured)
        findings_add(findings, VERDICT_WARN, check, not_served,
                     "Tickets have the form of accounts with built-in chat; whether there is a Freshchat API cannot be "
                     "told now.");
    else
        findings_add(findings, VERDICT_UNKNOWN, check, NULL,
                     "Cannot tell whether this is a classic account: Freshchat's API gave no answer that shows it%s.",
                     facts->ticket_seen ? "" : ", and there is no ticket to look at");
}

void judge_native_link(struct findings *findings, const json_t *tickets, const char *conversation_field, int64_t now_ms,
                       const char *problem)
{
    static const char check[] = "native link";
    size_t chats = 0, without = 0, i;
    json_t *ticket;
    if (!tickets) {
        findings_add(findings, VERDICT_UNKNOWN, check, NULL, "Tickets could not be listed: %s", problem);
        return;
    }
    json_array_foreach((json_t *)tickets, i, ticket)
    {
        const char *created = words_text(ticket, "created_at");
        int64_t created_ms = 0;
        if (words_number(ticket, "source") != SOURCE_CHAT || !clock_parse_iso(created, strlen(created), &created_ms) ||
            created_ms < now_ms - LATELY_DAYS * DAY_MS)
            continue;
        chats++;
        without += !*words_text(json_object_get(ticket, "custom_fields"), conversation_field);
    }
    if (without)
        findings_add(findings, VERDICT_WARN, check,
                     "Switch off Freshchat's own link to Freshdesk (a ticket when a chat is resolved): otherwise there "
                     "are two tickets for one chat.",
                     "%zu of the %zu newest chat tickets of the last %d days name no conversation, so Deskbell did not "
                     "make them.",
                     without, chats, LATELY_DAYS);
    else if (chats)
        findings_add(findings, VERDICT_OK, check, NULL,
                     "Each of the %zu newest chat tickets of the last %d days is Deskbell's.", chats, LATELY_DAYS);
    else
        findings_add(findings, VERDICT_UNKNOWN, check,
                     "See in Freshchat's settings that its own link to Freshdesk (a ticket when a chat is resolved) is "
                     "off: the API does not tell.",
                     "No chat became a ticket in the last %d days, so there is nothing to see.", LATELY_DAYS);
}

void judge_named(struct findings *findings, const char *check, const char *what, bool sure, const struct reply *reply)
{
    if (reply->answer == ANSWER_OK)
        findings_add(findings, VERDICT_OK, check, NULL, "The helpdesk has the %s.", what);
    else if (reply->answer == ANSWER_NOT_FOUND)
        findings_add(findings, sure ? VERDICT_FAIL : VERDICT_WARN, check,
                     "Correct the id in the configuration, or set it to 0.", "The helpdesk knows no %s.", what);
    else
        findings_add(findings, VERDICT_UNKNOWN, check, NULL, "Whether there is a %s cannot be seen: %s", what,
                     reply->problem);
}

void judge_chat_agent(struct findings *findings, const struct reply *reply)
{
    static const char check[] = "chat agent";
    static const char remedy[] = "Set freshchat.agent_id to the id of an active Freshchat agent.";
    if (!reply)
        findings_add(findings, VERDICT_WARN, check, remedy,
                     "freshchat.agent_id is empty: replies of agents who are not in Freshchat too cannot be relayed.");
    else if (reply->answer == ANSWER_OK && words_yes(reply->json, "is_deactivated"))
        findings_add(findings, VERDICT_FAIL, check, remedy, "The agent of freshchat.agent_id is deactivated.");
    else if (reply->answer == ANSWER_OK)
        findings_add(findings, VERDICT_OK, check, NULL,
                     "Relayed replies can speak as the agent of freshchat.agent_id.");
    else if (reply->answer == ANSWER_NOT_FOUND || reply->answer == ANSWER_REFUSED)
        findings_add(findings, VERDICT_FAIL, check, remedy,
                     "Freshchat has no agent with the id of freshchat.agent_id.");
    else
        findings_add(findings, VERDICT_UNKNOWN, check, NULL, "The agent of freshchat.agent_id could not be read: %s",
                     reply->problem);
}

void judge_desk_agent(struct findings *findings, const json_t *agent)
{
    int64_t scope = words_number(agent, "ticket_scope");
    if (scope > 1) // 1: all tickets; 2 and 3: those of its groups, or its own
        findings_add(findings, VERDICT_WARN, "freshdesk agent",
                     "Give the key's owner the ticket scope \"global access\" in Freshdesk.",
                     "The key's owner does not see all tickets (ticket_scope %" PRId64 ").", scope);
}

void judge_clock(struct findings *findings, const char *upstream, bool known, int64_t ahead_ms)
{
    static const char remedy[] = "Set this host's clock, and keep it with NTP: systemctl status systemd-timesyncd.";
    int64_t apart = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    const char *way = ahead_ms > 0 ? "behind" : "ahead of";
    if (!known)
        findings_add(findings, VERDICT_UNKNOWN, "clock", NULL, "%s's clock could not be read.", upstream);
    else if (apart > CLOCK_FAIL_MS)
        findings_add(findings, VERDICT_FAIL, "clock", remedy,
                     "This host is %" PRId64 " s %s %s: Deskbell then expires nothing and refuses nothing for its age.",
                     apart / 1000, way, upstream);
    else if (apart > CLOCK_WARN_MS)
        findings_add(findings, VERDICT_WARN, "clock", remedy, "This host is %" PRId64 " s %s %s.", apart / 1000, way,
                     upstream);
    else
        findings_add(findings, VERDICT_OK, "clock", NULL, "This host and %s agree.", upstream);
}
