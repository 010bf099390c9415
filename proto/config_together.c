// SPDX-License-Identifier: Apache-2.0
// The checks that need more than one key, in the order in which an operator would want to hear of them. See config.c
// for who runs it and when.
#include "proto/config_table.h"

#include <arpa/inet.h>
#include <string.h>

// Whether two listeners could not be there at once. Port 0 is one that the system chooses.
static bool same_place(const char *one, const char *other)
{
    struct sockaddr_in a, b;

    return config_listen_address(one, &a) && config_listen_address(other, &b) && a.sin_port &&
           a.sin_port == b.sin_port &&
           (a.sin_addr.s_addr == b.sin_addr.s_addr || a.sin_addr.s_addr == INADDR_ANY ||
            b.sin_addr.s_addr == INADDR_ANY);
}

bool config_check_together(const struct config *c, struct config_error *error)
{
    const char *fields[] = {c->freshdesk.conversation_field, c->freshdesk.cart_field, c->freshdesk.friction_field,
                            c->freshdesk.screen_field};
    static const char *const field_keys[] = {"conversation_field", "cart_field", "friction_field", "screen_field"};
    const struct config_timing *t = &c->timing;
    char phone[PHONE_BYTES];

#define REFUSE_IF(condition, section, key, ...)                                                                        \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            config_error_at(error, c, section, key, __VA_ARGS__);                                                      \
            return false;                                                                                              \
        }                                                                                                              \
    } while (0)

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        REFUSE_IF(key->required && **(char *const *)((const char *)c + key->offset) == '\0', key->section, key->name,
                  "%s.%s is not set: write %s = \"%s\" with your account's name in section %s", key->section, key->name,
                  key->name, key->sample, key->section);
    }
    REFUSE_IF(strcmp(c->state_dir, c->runtime_dir) == 0, "", "runtime_dir",
              "runtime_dir must be another folder than state_dir: what it holds is gone after a restart");
    REFUSE_IF(
        c->dedup_days * 86400 <= c->freshchat.replay_window_seconds, "freshchat", "replay_window_seconds",
        "dedup_days (%lld) must exceed freshchat.replay_window_seconds (%lld): else a webhook replayed late would "
        "count as new; raise the one or lower the other",
        (long long)c->dedup_days, (long long)c->freshchat.replay_window_seconds);
    REFUSE_IF(same_place(c->front.listen, c->front.admin_listen), "front", "admin_listen",
              "admin_listen must be another address than listen: choose another port");
    REFUSE_IF(c->freshchat.webhook_key_files.count == 0, "freshchat", "webhook_key_files",
              "webhook_key_files must name at least one file: without a key no webhook can be verified");
    REFUSE_IF(c->freshdesk.webhook_token_files.count == 0, "freshdesk", "webhook_token_files",
              "webhook_token_files must name at least one file: without a token no webhook can be verified");
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < i; k++)
            REFUSE_IF(strcmp(fields[i], fields[k]) == 0, "freshdesk", field_keys[i],
                      "%s names the same field as %s: each value needs a field of its own", field_keys[i],
                      field_keys[k]);
    }
    REFUSE_IF(*c->widget.call_message && !*c->widget.public_url, "widget", "call_message",
              "call_message needs widget.public_url: set where shoppers reach /support");
    REFUSE_IF(*c->widget.call_message && !*c->freshcaller.phone_number, "widget", "call_message",
              "call_message needs freshcaller.phone_number: without it /support has no number");
    REFUSE_IF(*c->widget.call_message && !*c->freshchat.agent_id, "widget", "call_message",
              "call_message needs freshchat.agent_id: set the agent that says it");
    REFUSE_IF(*c->freshcaller.phone_number && !phone_e164(c->freshcaller.phone_number, config_phone_plan(c), phone),
              "freshcaller", "phone_number",
              "phone_number \"%s\" is no whole number: write one number with + and the country's code, like "
              "+44 20 7946 0000",
              c->freshcaller.phone_number);
    REFUSE_IF(c->widget.call_back && !*c->freshcaller.phone_number, "widget", "call_back",
              "call_back needs freshcaller.phone_number: set the number that shoppers can call themselves, too");
    REFUSE_IF(t->gather_max_ms < t->gather_quiet_ms, "timing", "gather_max_ms",
              "gather_max_ms (%lld) must not be less than gather_quiet_ms (%lld)", (long long)t->gather_max_ms,
              (long long)t->gather_quiet_ms);
    REFUSE_IF(t->connect_timeout_ms > t->request_timeout_ms, "timing", "connect_timeout_ms",
              "connect_timeout_ms (%lld) must not exceed request_timeout_ms (%lld)", (long long)t->connect_timeout_ms,
              (long long)t->request_timeout_ms);
    REFUSE_IF(t->settle_ms < t->request_timeout_ms, "timing", "settle_ms",
              "settle_ms (%lld) must be at least request_timeout_ms (%lld): a write may still arrive while its call "
              "runs",
              (long long)t->settle_ms, (long long)t->request_timeout_ms);
    REFUSE_IF(t->retry_max_ms < t->retry_first_ms, "timing", "retry_max_ms",
              "retry_max_ms (%lld) must not be less than retry_first_ms (%lld)", (long long)t->retry_max_ms,
              (long long)t->retry_first_ms);
#undef REFUSE_IF
    return true;
}
