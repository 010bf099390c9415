// SPDX-License-Identifier: Apache-2.0
// The front's two HTTP listeners: webhooks for the world (behind a TLS proxy), health and metrics for the operator.
// Built on CivetWeb, one thread per open connection. It knows neither ledger nor committer: an event goes to
// options.accept, which answers when the event is on disk.
//
// Order of use: http_new (all set up, nothing served: the front may say STAGED), http_open (serves), http_drain (serves
// what is there, takes nothing new), http_free. The inherited sockets stay open in the supervisor, so connections wait
// in the kernel between one front's http_drain and the next one's http_open, and none is refused.
#ifndef HTTP_FRONT_INTAKE_HTTP_H
#define HTTP_FRONT_INTAKE_HTTP_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/intake/signature.h"
#include "http-front/intake/tokens.h"
#include "http-front/ledger/committer.h"
#include "http-front/widget/widget.h"
#include "proto/records.h"

struct callback;
struct clients;

struct http_options {
    int listen_fd;             // inherited listening sockets, non-blocking; they stay the caller's. Below 0: none, bind
    int admin_listen_fd;       //   to the address itself
    struct sockaddr_in listen; // used only without an inherited socket; port 0: the kernel chooses
    struct sockaddr_in admin_listen;
    int threads; // connections served at once on the webhook listener
    size_t max_body_bytes;
    struct signature_keys *freshchat_keys; // borrowed, must outlive the server
    struct tokens *freshdesk_tokens;       // borrowed
    const struct widget *widget;           // borrowed; what shoppers get. NULL: nothing
    const struct callback *callback;       // borrowed; shoppers may ask to be called. NULL: they may not
    const struct clients *clients;         // borrowed; who is behind proxies. NULL: only loopback's word counts
    const char *const *channels;           // borrowed; Freshchat channel ids to serve, count 0: all
    size_t channel_count;
    int64_t replay_window_ms; // 0: age is not checked
    bool mask_card_numbers;   // before anything is stored
    int request_timeout_ms;   // a whole request must arrive within it; 0: 10 s
    int keep_alive_ms;        // how long an idle connection is kept; 0: 900 ms (below the drain's second)

    /** Makes the event durable and returns when it is; called from many threads, never before http_open. */
    enum accept_result (*accept)(void *arg, const struct event *event);
    void *accept_arg;
    int64_t (*now_ms)(void); // wall clock; NULL: clock_wall_ms
};

struct http;

/** Starts both servers with all handlers, serving nothing yet. NULL with a sentence in `why` when that fails. */
struct http *http_new(const struct http_options *options, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/**
 * Begins to serve on both listeners. False with a sentence in `why` (an address that is taken, ...). When CivetWeb's
 * own descriptor is not found the address is bound normally, and the log says that restarts are not seamless.
 */
bool http_open(struct http *self, char *why, size_t why_size) __attribute__((warn_unused_result));

/** The ports being served after http_open. */
uint16_t http_port(const struct http *self);
uint16_t http_admin_port(const struct http *self);
/** True when both listeners serve the inherited sockets, so that a restart loses no connection. */
bool http_seamless(const struct http *self);

/**
 * Takes no new connections, answers every request still read with Connection: close, and waits until no connection is
 * left or `timeout_ms` have passed. Who has not sent all of a request by then, or needs longer than that for one, is
 * answered 408. From then on accept is not called any more (503). Returns how many webhook connections are left.
 */
size_t http_drain(struct http *self, int timeout_ms);

/**
 * True when http_drain is over and no call of accept is running: then what is behind accept may be freed. It is false
 * after http_drain only where such a call hangs; the process should then leave with _exit.
 */
bool http_quiet(const struct http *self);

/** Stops both servers (waits for requests in progress) and sets *self to NULL. A NULL *self is fine. */
void http_free(struct http **self);
#endif
