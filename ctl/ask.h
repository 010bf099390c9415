// SPDX-License-Identifier: Apache-2.0
// One call at a time to an upstream, waited for: the workers' own client (upstream/client.h), so that what works here
// works there. And one to any address of Deskbell itself, which gets no key.
#ifndef CTL_ASK_H
#define CTL_ASK_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/config.h"
#include "upstream/keys.h"
#include "upstream/request.h"

enum { ASK_WHY_BYTES = 1024 };

// What came back. Cleared with ask_clear.
struct reply {
    bool asked;                  // false: the call was never made; `problem` may say why
    enum answer answer;          // what the status means, for the kind of step that was named
    long status;                 // 0: no answer
    json_t *json;                // NULL: none
    char *next;                  // path of the next page behind api_url, NULL: this was the last
    int64_t ahead_ms;            // the other side's clock minus ours
    bool clock_known;            // Date was there
    char problem[ASK_WHY_BYTES]; // one sentence when the answer is not ANSWER_OK
};

struct ask;

/**
 * A client for the upstreams that `keys` has a key for. Both are borrowed. NULL with one sentence in `why` when an
 * address cannot be used. Freed with ask_free, which sets *self to NULL.
 */
struct ask *ask_new(const struct config *config, const struct keys *keys, char why[ASK_WHY_BYTES]);
void ask_free(struct ask **self);

/** GET; waits until the answer or the configured time-out is there. Fills *reply, which need not be cleared before. */
void ask_get(struct ask *self, enum upstream upstream, const char *path, struct reply *reply);
/** The same with a body: "POST" or "PUT". Takes `body` over. ANSWER_DOUBT: it may have been done. */
void ask_write(struct ask *self, enum upstream upstream, const char *method, const char *path, json_t *body,
               struct reply *reply);
/** GET of all pages of a list into one array, at most `pages`; *reply is the last page's, its json the whole. */
void ask_list(struct ask *self, enum upstream upstream, const char *path, const char *name, int pages,
              struct reply *reply);
void ask_clear(struct reply *reply);

// What one of Deskbell's own addresses answered.
struct echo {
    long status; // 0: none
    char body[2048];
    char problem[256]; // curl's words when there was no answer
};

// How one of Deskbell's own addresses is reached.
struct way {
    const char *proxy, *ca_file; // "" for none, and for the system's
    int64_t timeout_ms;
};

/**
 * GET, or POST of `body` where it is not NULL, with one header line more (NULL: none), without any key. TLS is
 * verified, redirects are not followed.
 */
void ask_own(const char *url, const char *body, const char *header, const struct way *way, struct echo *echo);
#endif
