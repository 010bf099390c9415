// SPDX-License-Identifier: Apache-2.0
// What is out: one record per job handed to a worker, or being claimed for one, or being recorded. Owned by the
// dispatcher's thread.
#ifndef HTTP_FRONT_DISPATCH_JOBS_H
#define HTTP_FRONT_DISPATCH_JOBS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/dispatch/gates.h"
#include "http-front/dispatch/lanes.h"
#include "http-front/dispatch/links.h"

// What happens to the item once the outcome is on disk.
enum after {
    AFTER_STEP,   // goes on with item->step
    AFTER_STAY,   // only its record changed: it goes on as it is
    AFTER_FINISH, // done: the item leaves
    AFTER_REPEAT, // a poll: rests, then begins anew
    AFTER_AGAIN,  // begins anew with its entry step
};

struct out {
    uint64_t job_id;
    struct side *side;
    struct item *item;
    struct link *link;      // NULL: an earlier front's job whose worker is not known yet, or its worker is gone
    struct out *next;       // on the link
    struct arena *arena;    // of `job`; NULL for an earlier front's
    struct gate_pass pass;  // what it holds of its gate
    struct job job;         // what was or will be sent
    uint64_t link_seq;      // of the frame that carried it; 0: sent by an earlier front
    uint64_t begun_mono_ms; // when it was handed out
    uint32_t missed;        // censuses in a row that should have named it and did not
    uint8_t step;           // enum step
    bool given_up;          // its item did not get where it should
    bool alone;             // a suspect, alone on its worker
    bool settled_look;      // a look whose first page was handed out after the settling time
    bool in_doubt;          // AFTER_STEP: the next step must be looked for first
    enum after after;
    struct record_buffer kept; // a poll's report while what it found goes to the committer; owned
    uint32_t offers;           // of that, how many are not answered yet
    bool failed;               // AFTER_REPEAT: it did not learn what it asked for
    uint64_t rest_ms;          // AFTER_REPEAT: how long; 0 = as usual
};

struct jobs;
struct jobs *jobs_new(void);
/** Frees all that is out, too. */
void jobs_free(struct jobs **self);

/** A new record, entered under its number; on `link`, where given. */
struct out *jobs_add(struct jobs *self, uint64_t job_id, struct side *side, struct item *item, struct link *link);
/** Puts it on a link or, with NULL, on none. */
void jobs_move(struct out *out, struct link *link);
/** Takes it off its link, forgets and frees it. */
void jobs_remove(struct jobs *self, struct out **out);
struct out *jobs_find(const struct jobs *self, uint64_t job_id);
size_t jobs_count(const struct jobs *self);

/** Calls `each` for all that is out; it may remove the record it is given. */
void jobs_each(struct jobs *self, void (*each)(void *arg, struct out *out), void *arg);
#endif
