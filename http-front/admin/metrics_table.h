// SPDX-License-Identifier: Apache-2.0
// Every metric of the front. Names are part of the outer contract: append rows, do not rename. Rows of one name stand
// together (the text format wants HELP and TYPE once, before all of a name's samples) and repeat its help text. Some
// families have a row per answer, step, outcome or stage and are made from those tables:
// deskbell_webhook_requests_total {source,status,reason}, deskbell_jobs_handed_out_total{step},
// deskbell_reports_total{step,outcome}, deskbell_observed_writes_total{step}, deskbell_late_total{direction,stage},
// deskbell_calls_total{upstream,answer}.
#ifndef HTTP_FRONT_ADMIN_METRICS_TABLE_H
#define HTTP_FRONT_ADMIN_METRICS_TABLE_H
#include "http-front/intake/answers.h"

enum metrics_source { METRICS_FRESHCHAT, METRICS_FRESHDESK, METRICS_CALLBACK, METRICS_SOURCES };

// Counters: id (METRIC_id), name, label name or "", label value, help
#define METRICS_COUNTERS(X)                                                                                            \
    X(HTTP_CONNECTIONS, "deskbell_http_connections_total", "", "", "Connections taken by the webhook listener.")       \
    X(HTTP_CUT_LATE, "deskbell_http_connections_cut_total", "reason", "late",                                          \
      "Connections ended by us: too slow, or slow while all threads were taken.")                                      \
    X(HTTP_CUT_FULL, "deskbell_http_connections_cut_total", "reason", "full",                                          \
      "Connections ended by us: too slow, or slow while all threads were taken.")                                      \
    X(HTTP_MALFORMED, "deskbell_http_malformed_total", "", "", "Requests that were not HTTP as this server reads it.") \
    X(HTTP_NOT_FOUND, "deskbell_http_not_found_total", "", "", "Requests for a path that is not served.")              \
    X(FRAMES_BAD_REPORT, "deskbell_frames_undecodable_total", "frame", "report",                                       \
      "Frames that did not decode, by kind.")                                                                          \
    X(FRAMES_BAD_CENSUS, "deskbell_frames_undecodable_total", "frame", "census",                                       \
      "Frames that did not decode, by kind.")                                                                          \
    X(FRAMES_BAD_OTHER, "deskbell_frames_undecodable_total", "frame", "other", "Frames that did not decode, by kind.") \
    X(FRAMES_BAD_REQUEST, "deskbell_frames_undecodable_total", "frame", "control_request",                             \
      "Frames that did not decode, by kind.")                                                                          \
    X(FRAMES_STALE, "deskbell_frames_stale_total", "", "", "Frames of a worker generation that is not on the roster.") \
    X(FRAMES_UNSENT, "deskbell_frames_unsent_total", "", "",                                                           \
      "Frames to workers that ZeroMQ did not take; found by census.")                                                  \
    X(REPORTS_UNKNOWN, "deskbell_reports_unknown_total", "", "",                                                       \
      "Reports of a job that is not out: late or repeated.")                                                           \
    X(JOBS_LOST, "deskbell_jobs_lost_total", "", "", "Jobs that two censuses in a row did not name.")                  \
    X(DOUBTS, "deskbell_writes_in_doubt_total", "", "", "Writes that may have happened without an answer.")            \
    X(DEAD_LETTERS, "deskbell_dead_letters_total", "", "", "Events given up on; see the dead letters for the cause.")  \
    X(EVENTS_DONE_TICKET, "deskbell_events_done_total", "flow", "open_ticket", "Events finished, by flow.")            \
    X(EVENTS_DONE_NOTE, "deskbell_events_done_total", "flow", "append", "Events finished, by flow.")                   \
    X(EVENTS_DONE_RELAY, "deskbell_events_done_total", "flow", "relay", "Events finished, by flow.")                   \
    X(EVENTS_DONE_MIRROR, "deskbell_events_done_total", "flow", "mirror", "Events finished, by flow.")                 \
    X(EVENTS_DONE_CONTEXT, "deskbell_events_done_total", "flow", "context", "Events finished, by flow.")               \
    X(EVENTS_DONE_NOTICE, "deskbell_events_done_total", "flow", "notice", "Events finished, by flow.")                 \
    X(EVENTS_DONE_OFFER, "deskbell_events_done_total", "flow", "offer", "Events finished, by flow.")                   \
    X(EVENTS_DONE_KEEP_OPEN, "deskbell_events_done_total", "flow", "keep_open", "Events finished, by flow.")           \
    X(EVENTS_DONE_CALL, "deskbell_events_done_total", "flow", "call", "Events finished, by flow.")                     \
    X(EVENTS_DONE_CALLBACK, "deskbell_events_done_total", "flow", "callback", "Events finished, by flow.")             \
    X(EVENTS_DONE_ECHO, "deskbell_events_done_total", "flow", "echo", "Events finished, by flow.")                     \
    X(EVENTS_DONE_NO_TICKET, "deskbell_events_done_total", "flow", "no_ticket", "Events finished, by flow.")           \
    X(CONTROL_DONE, "deskbell_control_requests_total", "result", "done", "Requests of deskbellctl.")                   \
    X(CONTROL_REFUSED, "deskbell_control_requests_total", "result", "refused", "Requests of deskbellctl.")             \
    X(HINTS_UNLINKED, "deskbell_hints_unlinked_total", "", "", "Hints for tickets that belong to no conversation.")    \
    X(RECONCILED, "deskbell_reconciled_total", "", "", "Chat messages that polls compared with the ledger.")           \
    X(GAPS_REPAIRED, "deskbell_gaps_repaired_total", "", "",                                                           \
      "Chat messages that a poll found and no webhook had told of.")                                                   \
    X(CALL_EVENTS, "deskbell_call_events_total", "", "", "Calls, and news of calls, that the poll of calls found.")    \
    X(CALLS_UNREADABLE, "deskbell_calls_unreadable_total", "", "", "Entries in lists of calls that are no call.")      \
    X(POLL_HINTS, "deskbell_poll_hints_total", "", "",                                                                 \
      "Tickets that a poll found changed since their entries were listed.")                                            \
    X(WORKERS_REAPED, "deskbell_workers_reaped_total", "", "", "Workers that died or were replaced.")                  \
    X(LEDGER_BATCHES, "deskbell_ledger_batches_total", "", "", "Batches written and synced to the ledger.")            \
    X(LEDGER_ERRORS, "deskbell_ledger_errors_total", "", "", "Batches that could not be written.")

// Where an event's time went, for those that missed the promise. id, label value
#define METRICS_STAGES_TABLE(X)                                                                                        \
    X(LANE, "lane")     /* waiting for its turn in its conversation, gathering included */                             \
    X(GATE, "gate")     /* for budget, breaker, pause of the upstream, or a free worker */                             \
    X(WORKER, "worker") /* to the worker and back, and its queue */                                                    \
    X(CALL, "call")     /* the upstream's answer */                                                                    \
    X(SETTLE, "settle") /* a write in doubt: its looks, and the time between */                                        \
    X(RETRY, "retry")   /* waiting after an attempt that failed */                                                     \
    X(LEDGER, "ledger") /* being written to disk */

// How upstreams answered. id, label value
#define METRICS_ANSWERS_TABLE(X)                                                                                       \
    X(OK, "ok")               /* 2xx, 3xx */                                                                           \
    X(NOT_FOUND, "not_found") /* 404 */                                                                                \
    X(AUTH, "auth")           /* 401, 403 */                                                                           \
    X(LIMITED, "limited")     /* 429 */                                                                                \
    X(REFUSED, "refused")     /* other 4xx */                                                                          \
    X(FAILED, "failed")       /* 5xx, and what is no HTTP status */                                                    \
    X(SILENT, "silent")       /* sent, and no answer */                                                                \
    X(UNSENT, "unsent")       /* could not be sent */

// A row for each upstream, in the order of enum upstream. prefix of the ids, name, help
#define METRICS_OF_UPSTREAMS(X, prefix, name, help)                                                                    \
    X(prefix##_FRESHCHAT, name, "upstream", "freshchat", help)                                                         \
    X(prefix##_FRESHDESK, name, "upstream", "freshdesk", help)                                                         \
    X(prefix##_FRESHCALLER, name, "upstream", "freshcaller", help)

// Gauges: id (GAUGE_id), name, label name or "", label value, help. A name that ends with _seconds is set in ms.
#define METRICS_GAUGES(X)                                                                                              \
    X(HTTP_OPEN, "deskbell_http_connections", "", "", "Connections open on the webhook listener.")                     \
    X(LANES, "deskbell_lanes", "", "", "Lanes with work.")                                                             \
    X(BACKLOG_DESK, "deskbell_backlog", "direction", "chat_to_desk", "Events that wait or are being worked on.")       \
    X(BACKLOG_CHAT, "deskbell_backlog", "direction", "desk_to_chat", "Events that wait or are being worked on.")       \
    X(OLDEST_DESK, "deskbell_oldest_event_seconds", "direction", "chat_to_desk",                                       \
      "Age of the oldest unfinished event; looked at every ten seconds.")                                              \
    X(OLDEST_CHAT, "deskbell_oldest_event_seconds", "direction", "desk_to_chat",                                       \
      "Age of the oldest unfinished event; looked at every ten seconds.")                                              \
    X(JOBS_OUT, "deskbell_jobs_out", "", "", "Jobs that workers hold.")                                                \
    X(IN_DOUBT, "deskbell_in_doubt", "", "", "Writes that wait for a look.")                                           \
    X(MISSING, "deskbell_missing", "", "", "Messages that only a poll told of and that are not delivered yet.")        \
    X(DEAD, "deskbell_dead", "", "", "Dead letters that wait for an operator.")                                        \
    X(OBSERVING, "deskbell_observing", "", "", "1 in mode \"observe\": nothing is written to any upstream.")           \
    X(WORKERS_READY, "deskbell_workers_ready", "", "", "Workers that jobs can be handed to.")                          \
    X(COMMITTER_WAITING, "deskbell_committer_waiting", "", "", "Requests and reports that wait for the next sync.")    \
    X(FREE_BYTES, "deskbell_ledger_free_bytes", "", "", "Free space where the ledger is.")                             \
    X(FLOOR_BYTES, "deskbell_ledger_floor_bytes", "", "", "With less free space webhooks are answered 503.")           \
    X(READY, "deskbell_ready", "", "", "1 when events are accepted and a worker is there, as /readyz says.")           \
    X(PAUSED_DESK, "deskbell_paused", "direction", "chat_to_desk", "1 while an operator holds that direction.")        \
    X(PAUSED_CHAT, "deskbell_paused", "direction", "desk_to_chat", "1 while an operator holds that direction.")        \
    METRICS_OF_UPSTREAMS(X, GATE_SHUT, "deskbell_gate_shut",                                                           \
                         "1 while nothing is sent there: breaker open, or told to wait.")                              \
    METRICS_OF_UPSTREAMS(X, CALLS_OUT, "deskbell_calls_in_flight", "Calls without an answer yet.")                     \
    METRICS_OF_UPSTREAMS(X, BUDGET, "deskbell_budget_calls", "Calls that may be made in a minute; 0: no bound known.") \
    METRICS_OF_UPSTREAMS(X, USED, "deskbell_budget_used_calls", "Calls that count against the last minute.")           \
    METRICS_OF_UPSTREAMS(X, CLOCK, "deskbell_clock_ahead_seconds",                                                     \
                         "How far the upstream's clock is ahead of this host's, by its last answer.")                  \
    X(STARTED, "deskbell_start_time_seconds", "", "", "When this front started, since the epoch.")                     \
    X(BUILD, "deskbell_build_info", "version", DESKBELL_VERSION, "1; its label is the version.")

// Histograms: id (HISTOGRAM_id), name, label name or "", label value, help. Observed in ms, shown in seconds.
#define METRICS_HISTOGRAMS(X)                                                                                          \
    X(TO_DESK, "deskbell_delivery_seconds", "direction", "chat_to_desk",                                               \
      "From the webhook's acceptance to what it asked for: the note or ticket, the message in the chat.")              \
    X(TO_CHAT, "deskbell_delivery_seconds", "direction", "desk_to_chat",                                               \
      "From the webhook's acceptance to what it asked for: the note or ticket, the message in the chat.")              \
    X(OPEN_TICKET, "deskbell_open_ticket_seconds", "", "", "From a first message's webhook to its ticket.")            \
    X(REPLY, "deskbell_reply_seconds", "", "", "From an agent's entry (helpdesk clock) to the chat.")                  \
    X(DELAY_FRESHCHAT, "deskbell_webhook_delay_seconds", "source", "freshchat",                                        \
      "The upstream's own: from what happened there, in its clock, to its webhook's acceptance here.")                 \
    X(DELAY_FRESHDESK, "deskbell_webhook_delay_seconds", "source", "freshdesk",                                        \
      "The upstream's own: from what happened there, in its clock, to its webhook's acceptance here.")                 \
    METRICS_OF_UPSTREAMS(X, CALL, "deskbell_call_seconds", "From a call's begin to its answer, or its end without.")   \
    X(WEBHOOK, "deskbell_webhook_seconds", "", "", "From a request's first byte read to its answer.")

// Upper bounds in ms of the histograms' buckets; the promise is 2 s.
#define METRICS_BUCKETS_MS                                                                                             \
    {                                                                                                                  \
        5, 10, 25, 50, 100, 250, 500, 1000, 1500, 2000, 3000, 5000, 10000, 30000, 60000, 300000, 3600000               \
    }
#endif
