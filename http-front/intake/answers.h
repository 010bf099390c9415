// SPDX-License-Identifier: Apache-2.0
// Every way in which a webhook request can end, in one table: name, HTTP status, the one word that metrics and logs
// use, and the sentence that the sender gets. The answers are part of the outer contract: append, do not rename.
#ifndef HTTP_FRONT_INTAKE_ANSWERS_H
#define HTTP_FRONT_INTAKE_ANSWERS_H

//    name, status, word, sentence
#define ANSWERS_TABLE(X)                                                                                               \
    X(ACCEPTED, 200, "accepted", "accepted")                                                                           \
    X(DUPLICATE, 200, "duplicate", "duplicate")                                                                        \
    X(IGNORED_ACTION, 200, "action", "ignored")             /* an action that Deskbell does not know */                \
    X(IGNORED_LIFECYCLE, 200, "lifecycle", "ignored")       /* an assignment, or one that says too little */           \
    X(IGNORED_PRIVATE, 200, "private", "ignored")           /* private message */                                      \
    X(IGNORED_BOT_NOTE, 200, "bot_note", "ignored")         /* botsPrivateNote */                                      \
    X(IGNORED_MESSAGE_TYPE, 200, "message_type", "ignored") /* system and unknown message types */                     \
    X(IGNORED_ACTOR, 200, "actor", "ignored")               /* bots, the system, unknown kinds of actors */            \
    X(IGNORED_EMPTY, 200, "empty", "ignored")               /* nothing readable in it */                               \
    X(IGNORED_CHANNEL, 200, "channel", "ignored")           /* not one of the configured channels */                   \
    X(BAD_JSON, 400, "not_json", "the body is not valid JSON")                                                         \
    X(BAD_EVENT, 400, "not_event", "the body is JSON but not an event")                                                \
    X(BAD_ID, 400, "no_id", "the message has no usable id")                                                            \
    X(BAD_CONVERSATION, 400, "no_conversation", "the message has no usable conversation id")                           \
    X(BAD_TIME, 400, "no_time", "the event has no usable time")                                                        \
    X(BAD_AGE, 400, "age", "action_time is outside the accepted window")                                               \
    X(BAD_TICKET, 400, "no_ticket", "ticket_id must be a positive integer")                                            \
    X(BAD_FRAMING, 400, "framing", "the request's length headers contradict each other or are not understood")         \
    X(BAD_BODY, 400, "cut_off", "the body ended early or could not be read")                                           \
    X(SIGNATURE_MISSING, 401, "signature_missing", "X-Freshchat-Signature is missing")                                 \
    X(SIGNATURE_MALFORMED, 401, "signature_malformed", "X-Freshchat-Signature is not a signature")                     \
    X(SIGNATURE_WRONG, 401, "signature_wrong", "X-Freshchat-Signature does not fit this body")                         \
    X(TOKEN_MISSING, 401, "token_missing", "X-Deskbell-Token is missing")                                              \
    X(TOKEN_WRONG, 401, "token_wrong", "the token is wrong")                                                           \
    X(METHOD, 405, "method", "only POST is served here")                                                               \
    X(TIMEOUT, 408, "timeout", "the body did not arrive in time")                                                      \
    X(LENGTH_REQUIRED, 411, "length_required", "Content-Length or chunked Transfer-Encoding is required")              \
    X(TOO_LARGE, 413, "too_large", "the body is larger than this server accepts")                                      \
    X(CONTENT_TYPE, 415, "content_type", "Content-Type must be application/json")                                      \
    X(BAD_PHONE, 400, "phone", "phone must be a telephone number with its country, like +31 20 123 45 67")             \
    X(BAD_REQUEST_ID, 400, "request_id", "id must be 8 to 64 letters, digits, - or _")                                 \
    X(ORIGIN, 403, "origin", "pages of this origin may not ask for calls; see widget.origins")                         \
    X(RATE, 429, "rate", "too many requests; try again later")                                                         \
    X(CONTENT_ENCODING, 415, "content_encoding", "a compressed body is not understood here")                           \
    X(UNAVAILABLE, 503, "unavailable", "the event could not be stored; send it again")

#define ANSWERS_ENUM(name, status, word, sentence) ANSWER_##name,
enum answer { ANSWERS_TABLE(ANSWERS_ENUM) ANSWERS };
#undef ANSWERS_ENUM

/** The HTTP status, the word, and the sentence of an answer. */
int answer_status(enum answer answer);
const char *answer_word(enum answer answer);
const char *answer_sentence(enum answer answer);
#endif
