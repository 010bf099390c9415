// SPDX-License-Identifier: Apache-2.0
// The sandbox's life: options, start, stop, and the switches that a test may turn while it runs. Called from any
// thread. Promises that after sandbox_free no thread, connection or webhook of it is left.
#include "http.h"
#include "webhooks.h"

#include <libxml/parser.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sandbox_options_init(struct sandbox_options *options)
{
    *options = (struct sandbox_options){
        .host = "127.0.0.1",
        .threads = 400, // one for each open connection, idle ones too
        .senders = 8,
        .freshchat_token = "sandbox-freshchat-token",
        .freshdesk_key = "sandbox-freshdesk-key",
        .freshcaller_key = "sandbox-freshcaller-key",
        .freshdesk_admin_key = "sandbox-freshdesk-admin-key",
        .hint_token = "sandbox-hint-token",
        .freshchat_gaps_ms = {1000, 2000, 4000, 8000, 16000},
        .freshchat_retries = 5,
        .freshchat_timeout_ms = 3000,
        .freshdesk_gaps_ms = {300000, 1800000, 3600000},
        .freshdesk_retries = 3,
        .freshdesk_timeout_ms = 10000,
        .freshdesk_clock_scale = 1.0,
        .echo = true,
        .default_rule = true,
        .incoming_notes_fire = true,
        .numeric_ids = true,
        .private_notes_touch = true,
        .messages_touch_users = true,
        .freshchat_post_status = 200,
        .search_lag_ms = 120000,
        .first_ticket_id = INT64_C(4294967297), // beyond 32 bits, as ids may be
        .first_object_id = INT64_C(43000000001),
        .conversation_field = "cf_freshchat_conversation_id",
        .cart_field = "cf_cart_value",
        .friction_field = "cf_friction_score",
        .screen_field = "cf_screen",
    };
}

static const char **option_texts(struct sandbox_options *options, size_t i)
{
    const char **texts[] = {&options->host,
                            &options->freshchat_token,
                            &options->freshdesk_key,
                            &options->freshcaller_key,
                            &options->freshdesk_admin_key,
                            &options->hint_token,
                            &options->context_key,
                            &options->freshchat_webhook_url,
                            &options->freshdesk_webhook_url,
                            &options->private_key_pem,
                            &options->conversation_field,
                            &options->cart_field,
                            &options->friction_field,
                            &options->screen_field};
    return i < sizeof texts / sizeof *texts ? texts[i] : NULL;
}

struct sandbox *sandbox_new(const struct sandbox_options *options)
{
    struct sandbox *sb = sb_alloc(sizeof *sb);
    signal(SIGPIPE, SIG_IGN); // a client that is gone must not end us
    xmlInitParser();
    sb->options = *options;
    if (sb->options.host == NULL)
        sb->options.host = "127.0.0.1";
    for (size_t i = 0; option_texts(&sb->options, i) != NULL; i++)
        *option_texts(&sb->options, i) = sb_copy(*option_texts(&sb->options, i));
    sb_store_init(sb);
    sb_sign_init(sb);
    sb_webhooks_start(sb);
    if (!sb_http_start(sb)) {
        sandbox_free(&sb);
        return NULL;
    }
    // Written by this thread only, and before anyone can know the port.
    snprintf(sb->freshchat_url, sizeof sb->freshchat_url, "http://%s:%d/v2", sb->options.host, sb->port);
    snprintf(sb->freshcaller_url, sizeof sb->freshcaller_url, "http://%s:%d/api/v1", sb->options.host, sb->port);
    snprintf(sb->freshdesk_url, sizeof sb->freshdesk_url, "http://%s:%d/api/v2", sb->options.host, sb->port);
    return sb;
}

void sandbox_free(struct sandbox **sandbox)
{
    struct sandbox *sb = *sandbox;
    if (sb == NULL)
        return;
    sb_lock(sb);
    sb->stopping = true;
    sb_store_changed(sb);
    sb_unlock(sb);
    sb_http_stop(sb);
    sb_webhooks_stop(sb);
    sb_sign_clear(sb);
    sb_store_clear(sb);
    for (size_t i = 0; option_texts(&sb->options, i) != NULL; i++)
        free((char *)*option_texts(&sb->options, i));
    free(sb);
    *sandbox = NULL;
}

int sandbox_port(const struct sandbox *sb)
{
    return sb->port;
}

const char *sandbox_freshchat_url(const struct sandbox *sb)
{
    return sb->freshchat_url;
}

const char *sandbox_freshdesk_url(const struct sandbox *sb)
{
    return sb->freshdesk_url;
}

const char *sandbox_freshcaller_url(const struct sandbox *sb)
{
    return sb->freshcaller_url;
}

const char *sandbox_freshcaller_key(const struct sandbox *sb)
{
    return sb->options.freshcaller_key;
}

const char *sandbox_freshchat_token(const struct sandbox *sb)
{
    return sb->options.freshchat_token;
}

const char *sandbox_freshdesk_key(const struct sandbox *sb)
{
    return sb->options.freshdesk_key;
}

const char *sandbox_freshdesk_admin_key(const struct sandbox *sb)
{
    return sb->options.freshdesk_admin_key;
}

const char *sandbox_hint_token(const struct sandbox *sb)
{
    return sb->options.hint_token;
}

static void set_text(struct sandbox *sb, const char **option, const char *value)
{
    sb_lock(sb);
    free((char *)*option);
    *option = sb_copy(value);
    sb_unlock(sb);
}

void sandbox_set_freshchat_webhook(struct sandbox *sb, const char *url)
{
    set_text(sb, &sb->options.freshchat_webhook_url, url);
}

void sandbox_set_freshdesk_webhook(struct sandbox *sb, const char *url)
{
    set_text(sb, &sb->options.freshdesk_webhook_url, url);
}

static void set_flag(struct sandbox *sb, bool *option, bool value)
{
    sb_lock(sb);
    *option = value;
    sb_unlock(sb);
}

void sandbox_set_echo(struct sandbox *sb, bool echo)
{
    set_flag(sb, &sb->options.echo, echo);
}

void sandbox_set_oldest_first(struct sandbox *sb, bool oldest_first)
{
    set_flag(sb, &sb->options.oldest_first, oldest_first);
}

void sandbox_set_hint_number(struct sandbox *sb, bool number)
{
    set_flag(sb, &sb->options.hint_number, number);
}

void sandbox_set_built_in_chat(struct sandbox *sb, bool built_in)
{
    set_flag(sb, &sb->options.built_in_chat, built_in);
}

void sandbox_set_key_is_admin(struct sandbox *sb, bool admin)
{
    set_flag(sb, &sb->options.freshdesk_key_is_admin, admin);
}

void sandbox_set_numbered_fields(struct sandbox *sb, bool numbered)
{
    set_flag(sb, &sb->options.numbered_fields, numbered);
}

static void set_number(struct sandbox *sb, int64_t *option, int64_t value)
{
    sb_lock(sb);
    *option = value;
    sb_unlock(sb);
}

void sandbox_set_search_lag(struct sandbox *sb, int64_t lag_ms)
{
    set_number(sb, &sb->options.search_lag_ms, lag_ms);
}

void sandbox_set_clock_skew(struct sandbox *sb, int64_t skew_ms)
{
    set_number(sb, &sb->options.clock_skew_ms, skew_ms);
}
