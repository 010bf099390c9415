// SPDX-License-Identifier: Apache-2.0
// Structs, encoder and strict decoder made from records_table.h.
#ifndef PROTO_RECORDS_H
#define PROTO_RECORDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/records_table.h"

// Bytes that some record borrows; the owner is whoever owns the record's arena.
struct blob {
    const uint8_t *data;
    size_t size;
};

struct u64s {
    const uint64_t *items;
    size_t count;
};

#define RECORD_ENUM(number, version, name) RECORD_##name = number,
enum record_kind { RECORDS_TABLE(RECORD_ENUM) RECORD_KINDS };
#undef RECORD_ENUM

// Strings in a record are never NULL after decoding; when encoding, NULL counts as "".
#define FIELD_U64(name, max)    uint64_t name;
#define FIELD_BOOL(name)        bool name;
#define FIELD_STR(name, bytes)  const char *name;
#define FIELD_BLOB(name, bytes) struct blob name;
#define FIELD_U64S(name, most)  struct u64s name;
#define FIELD_REC(name, record) struct record name;
#define FIELD_LIST(name, record, most)                                                                                 \
    struct {                                                                                                           \
        struct record *items;                                                                                          \
        size_t count;                                                                                                  \
    } name;
#define RECORD_STRUCT(number, version, name)                                                                           \
    struct name {                                                                                                      \
        FIELDS_##name(FIELD_U64, FIELD_BOOL, FIELD_STR, FIELD_BLOB, FIELD_U64S, FIELD_REC, FIELD_LIST)                 \
    };
RECORDS_TABLE(RECORD_STRUCT)
#undef RECORD_STRUCT
#undef FIELD_U64
#undef FIELD_BOOL
#undef FIELD_STR
#undef FIELD_BLOB
#undef FIELD_U64S
#undef FIELD_REC
#undef FIELD_LIST

enum part_kind {
    PART_TEXT = 1,
    PART_IMAGE,
    PART_VIDEO,
    PART_FILE,      // label = name, text = content type
    PART_EMAIL,     // label = subject
    PART_BUTTON,    // label, url
    PART_CHOICE,    // quick reply: label, text = what a click says
    PART_CALLBACK,  // label
    PART_REFERENCE, // label
    PART_TEMPLATE,  // label = type; its pieces follow
    PART_OTHER,     // label = the unknown kind's name
};

enum event_kind {
    EVENT_CUSTOMER_MESSAGE = 1, // towards the desk
    EVENT_AGENT_MESSAGE,        // typed in Freshchat by an agent: mirrored to the desk
    EVENT_HINT,                 // a ticket changed: towards the chat
    EVENT_CONTEXT,              // read the customer's properties again
    EVENT_NOTICE,               // tell the agents in a private note what they must know (enum notice)
    EVENT_POLL_DESK,            // which tickets changed; never stored
    EVENT_POLL_CHAT,            // what was said in one conversation; never stored
    EVENT_POLL_USERS,           // which customers have conversations that nobody told of; never stored
    EVENT_RESOLVED,             // the chat was resolved in Freshchat: `reason` says so on the ticket
    EVENT_REOPENED,             // and reopened
    EVENT_CALL,                 // a call of Freshcaller, or news of one
    EVENT_CALLBACK,             // a shopper asks to be called back: phone, name, user and parts, what is known of them
    EVENT_POLL_CALLS,           // which calls there are; never stored
    EVENT_REFRESH,              // whether the customer's properties changed while the chat runs; never stored
    EVENT_OFFER,                // tell a customer who struggles, in the chat, where to call
    EVENT_KEEP_OPEN,            // the customer wrote into the ticket: it is opened again if it is closed
};

// What a notice is about.
enum notice {
    NOTICE_PLAIN,        // `reason` is all of it
    NOTICE_REPLY_LOST,   // the reply `quote` is not in the chat
    NOTICE_REPLY_CUT,    // only its beginning is
    NOTICE_REPLY_UNSURE, // nobody knows
    NOTICE_REPLIES_WAIT, // none could be posted, whichever there are
};

enum call_state {
    CALL_UNKNOWN = 0, // no call
    CALL_ONGOING,     // rings, waits or is talked
    CALL_ANSWERED,    // over: somebody talked to the customer
    CALL_MISSED,      // over: nobody did
    CALL_OTHER,       // over: Freshcaller does not say how
};

enum call_told {
    CALL_TOLD_ANSWERED = 1 << 0,
    CALL_TOLD_MISSED = 1 << 1,
    CALL_TOLD_OTHER = 1 << 2,
    CALL_TOLD_RECORDING = 1 << 3,
    CALL_TOLD_NOTES = 1 << 4,
};

// Whether the shop's server signed what a browser says of the cart (docs/widget.md).
enum proof {
    PROOF_UNASKED = 0, // no key is configured, or there is no cart
    PROOF_SIGNED,
    PROOF_UNSIGNED, // no proof, or a wrong one
    PROOF_EXPIRED,  // signed once, but its time is over
};

enum seen_outcome {
    SEEN_ACCEPTED = 1, // entered through intake or a poll
    SEEN_OURS,         // Deskbell itself posted it: its echo is no news
};

// How a step ended. The table that decides it for every answer is workers/answers.c.
enum outcome {
    OUTCOME_DONE = 1,  // done, or (a look) found to be done: go to next_step
    OUTCOME_NOT_FOUND, // a look that did not find the write: counts only after the settling time
    OUTCOME_RETRY,     // did not happen, may be tried again
    OUTCOME_DOUBT,     // a write that may have happened: look before repeating
    OUTCOME_REFUSED,   // will never work: dead letter with the cause
};

enum record_error {
    RECORD_OK = 0,
    RECORD_MALFORMED,  // not msgpack, cut off, bytes left over, nested too deep, declared sizes beyond the input
    RECORD_WRONG_KIND, // another record
    RECORD_VERSION,    // newer than this program, or a frame of another version
    RECORD_FIELD,      // a field of the wrong type, out of its bound, or not valid text
};

/** Bytes of one encoded record; freed by record_buffer_free. */
struct record_buffer {
    uint8_t *data;
    size_t size;
};

/**
 * Encodes `record` (a struct of that kind). Returns false, with an empty buffer, when a field breaks its bound or a
 * text is not UTF-8: that is a caller's bug or an upstream value that was not clamped, and the caller must say so.
 */
bool record_encode(enum record_kind kind, const void *record, struct record_buffer *out)
    __attribute__((warn_unused_result));
void record_buffer_free(struct record_buffer *self);

/**
 * Decodes exactly one record of `kind` from untrusted bytes, strictly to the last byte, into `out` (a struct of that
 * kind). Everything is copied into `arena`. Sizes are bounded before anything is unpacked. `out` is undefined after an
 * error. Frames (job, report, census, hello, ack) must carry the present version; other records may be older.
 */
enum record_error record_decode(enum record_kind kind, const void *data, size_t size, void *out, struct arena *arena)
    __attribute__((warn_unused_result));

/** The kind of an encoded record, or 0 when the bytes do not begin like one. Nothing else is checked. */
enum record_kind record_peek(const void *data, size_t size);

/** For logs: "job", "lane", ...; "unknown" for other numbers. And a word for an error. */
const char *record_name(enum record_kind kind);
const char *record_error_text(enum record_error error);
#endif
