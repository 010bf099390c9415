// SPDX-License-Identifier: Apache-2.0
// The agents as both products list them (freshworks-api 2.6, 4.9), read into the worker's cache.
#ifndef WORKERS_DIRECTORY_H
#define WORKERS_DIRECTORY_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "workers/agents.h"
#include "workers/step.h"

/** GET of one page (50) of Freshchat's agents; the page is found.page. */
void directory_chat_request(struct job_context *context, struct request *request);

/**
 * Puts one page of Freshchat's agents into the cache, without those that are deactivated. False when the answer holds
 * no list. *more: there is a further page; found.page then is its number, else 0.
 */
bool directory_chat_page(struct job_context *context, const struct response *response, bool *more);

/**
 * Whether a list of Freshchat's with `size` items on this page goes on: by its link (freshworks-api 2.3) or its
 * pagination (2.5); a bare array ends with a page that is not full.
 */
bool directory_goes_on(const json_t *json, size_t size);

/** GET of the page of the helpdesk's agents that the cache lacks. */
void directory_desk_request(struct job_context *context, struct request *request);
/** Puts the answered page into the cache. False when the answer holds no list. */
bool directory_desk_page(struct job_context *context, const struct response *response);

/** Puts a Freshdesk agent object into the cache; false when it holds none. */
bool directory_desk_agent(struct job_context *context, const void *json);
#endif
