// SPDX-License-Identifier: Apache-2.0
// The webhook senders: signed Freshchat events and Freshdesk hints, queued with the store locked, sent by threads of
// their own.
#pragma once
#include "store.h"

void sb_webhooks_start(struct sandbox *sb);
// Drops what waits, ends what is in flight, joins the threads. Called without the lock, with sb->stopping set.
void sb_webhooks_stop(struct sandbox *sb);

// Queues an event for Freshchat's target; takes the document over. Does nothing while there is no target.
void sb_webhooks_freshchat(struct sandbox *sb, json_t *event, const char *message_id);
// Queues what an automation rule sends. headers is an object of texts, login may be NULL ("user:password"). Does
// nothing when the address is empty or not on loopback.
void sb_webhooks_hint(struct sandbox *sb, const char *url, const json_t *content, const json_t *headers,
                      const char *login, int64_t ticket_id);

// Key handling (sign.c). Both abort on failure: the key is our own.
void sb_sign_init(struct sandbox *sb);
void sb_sign_clear(struct sandbox *sb);
