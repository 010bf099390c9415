// SPDX-License-Identifier: Apache-2.0
// What the two halves of the relay share: flow_relay.c finds the entries and who speaks them, flow_post.c says them in
// the chat; and flow_offer.c, which also speaks there.
#ifndef WORKERS_RELAY_H
#define WORKERS_RELAY_H
#include "workers/step.h"

// Bits of found.omit in this flow.
enum {
    RELAY_TWIN = 1 << 0,       // the conversation answers under its numeric id only
    RELAY_LIST_AGAIN = 1 << 1, // there was more than one job may carry: list again when this is posted
    RELAY_PLAIN = 1 << 2,      // offers: this account takes no buttons, so the link is in the text
};

/** Goes on with found.entries[0]: the look-ups of its author that are needed, then look or post; without entries, ends.
 */
void relay_next(struct job_context *context, struct report *report, const char *what);

/** Names found.entries[0] in the report as delivered. */
void relay_name_entry(struct job_context *context, struct report *report);
/** Leaves found.entries[0] behind, and those after it that reached the chat since this job began. */
void relay_leave_entry(struct job_context *context);
/** The same where the first is a note of ours whose id became known since the list was read. */
void relay_leave_own(struct job_context *context);

/** The conversation as it stands in paths of Freshchat's API, escaped. */
const char *relay_conversation(const struct job_context *context);

/**
 * The call of a look: a page of the conversation's messages, from some time before `floor` on, which is asked once the
 * look's clock is settled.
 */
void relay_look_begin(struct job_context *context, uint64_t (*floor)(const struct job_context *context),
                      struct request *request);

/**
 * The conversation is not there under its id: some accounts know it by the numeric one, which is tried next. False when
 * that was tried, or there is none, or the answer says something else.
 */
bool relay_try_twin(struct job_context *context, const struct response *response);
#endif
