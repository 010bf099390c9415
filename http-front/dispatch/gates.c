// SPDX-License-Identifier: Apache-2.0
// The gates, in the dispatcher's thread. What is promised: in no 60 seconds do more calls count at the upstream than
// the budget allows, however many workers there are, since a call counts from the moment it is handed out until a
// minute after its answer. A front that restarts does not know what its predecessor used in the last minute; what
// answers say is left of the account's budget bounds it then.
#include "http-front/dispatch/gates.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    MINUTE_MS = 60000,
    WINDOW_SECONDS = 61, // the running second and the sixty before it: never less than a whole minute
    FAILURES_TO_OPEN = 5,
    BREAKER_FIRST_MS = 1000,
    BREAKER_MOST_MS = 60000,
    PAUSE_FIRST_MS = 1000,
    PAUSE_MOST_MS = 60000,
    RETRY_AFTER_MOST_MS = 3600000, // hourly quotas; more is taken for a mistake and asked again
    EMPTY_TRY_MS = 5000,           // nothing left for the account: one call that often finds out when there is
    WIDTH_FIRST = 8,
    WIDTH_MOST = 1024,
    BURST_PART = 6,      // of a minute's budget,
    SMALLEST_PLAN = 200, // calls a minute
};

// Calls by the second in which they were over.
struct window {
    uint32_t calls[WINDOW_SECONDS]; // of second s at s % WINDOW_SECONDS
    uint64_t newest_s;
    uint64_t sum;
    uint64_t in_flight;
};

struct gate {
    struct window all;
    struct window classes[LIMIT_CLASSES];
    uint64_t set; // calls_per_minute, 0: learn
    uint64_t total;
    uint64_t tokens; // in 1/MINUTE_MS of a call
    uint64_t tokens_ms;
    bool tokens_begun;
    uint64_t taken_ms; // last hand-out

    bool remaining_known;
    uint64_t remaining;
    uint64_t remaining_ms; // when it was last heard of
    uint64_t anchor_ms;    // calls handed out since then know better, older ones may only lower it

    uint64_t polls; // in flight
    uint64_t width;
    uint64_t pause_until_ms;
    uint64_t pause_set_ms;
    uint64_t pauses; // in a row

    enum breaker breaker;
    bool trial; // one of GATE_IMPATIENT is out to an upstream whose breaker was open
    uint64_t failures;
    uint64_t probe_ms; // when the next probe may go
    uint64_t backoff_ms;

    uint64_t calls;
    uint64_t refused;
    uint64_t opened;
};

struct gates {
    struct gate gates[UPSTREAMS];
    double max_share;
    bool shut;
    uint64_t random;
};

struct gates *gates_new(const struct config *config)
{
    struct gates *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->max_share = config->freshdesk.max_share;
    self->gates[UPSTREAM_FRESHCHAT].set = (uint64_t)config->freshchat.calls_per_minute;
    self->gates[UPSTREAM_FRESHDESK].set = (uint64_t)config->freshdesk.calls_per_minute;
    self->gates[UPSTREAM_FRESHCALLER].set = (uint64_t)config->freshcaller.calls_per_minute;
    for (int i = 0; i < UPSTREAMS; i++)
        self->gates[i].width = WIDTH_FIRST;
    if (getrandom(&self->random, sizeof self->random, GRND_NONBLOCK) != sizeof self->random)
        self->random = 1; // too early in the boot: jitter without surprise is still jitter
    return self;
}

void gates_free(struct gates **self)
{
    free(*self);
    *self = NULL;
}

static struct gate *gate_of(struct gates *self, enum upstream upstream)
{
    assert((unsigned)upstream < UPSTREAMS);
    return &self->gates[upstream];
}

// A number below `bound`, for jitter only (splitmix64).
static uint64_t random_below(struct gates *self, uint64_t bound)
{
    uint64_t x = self->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % bound;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// ---- the last minute ------------------------------------------------------------------------------------------------

static void window_roll(struct window *self, uint64_t now_ms)
{
    uint64_t now_s = now_ms / 1000;
    if (now_s <= self->newest_s)
        return;
    uint64_t first = now_s - self->newest_s > WINDOW_SECONDS ? now_s - WINDOW_SECONDS + 1 : self->newest_s + 1;
    for (uint64_t s = first; s <= now_s; s++) {
        self->sum -= self->calls[s % WINDOW_SECONDS];
        self->calls[s % WINDOW_SECONDS] = 0;
    }
    self->newest_s = now_s;
}

static void window_add(struct window *self, uint64_t now_ms)
{
    window_roll(self, now_ms);
    self->calls[self->newest_s % WINDOW_SECONDS]++;
    self->sum++;
}

static bool window_full(struct window *self, uint64_t budget, uint64_t now_ms)
{
    window_roll(self, now_ms);
    return budget != 0 && self->sum + self->in_flight >= budget;
}

// When a full window has room again by time alone; 0 if only a call's end makes room.
static uint64_t window_next(const struct window *self, uint64_t budget)
{
    uint64_t leave = self->sum + self->in_flight - budget + 1;
    uint64_t oldest = self->newest_s >= WINDOW_SECONDS - 1 ? self->newest_s - (WINDOW_SECONDS - 1) : 0;
    for (uint64_t s = oldest; s <= self->newest_s; s++) {
        uint64_t calls = self->calls[s % WINDOW_SECONDS];
        if (calls >= leave)
            return (s + WINDOW_SECONDS) * 1000;
        leave -= calls;
    }
    return 0;
}

static void window_end_call(struct window *self, bool spent, uint64_t now_ms)
{
    if (self->in_flight > 0)
        self->in_flight--;
    if (spent)
        window_add(self, now_ms);
}

// ---- budgets --------------------------------------------------------------------------------------------------------

static uint64_t share_of(const struct gates *self, double calls)
{
    uint64_t share = (uint64_t)(calls * self->max_share + 1e-9);
    return share > 0 ? share : 1;
}

static uint64_t budget_of(const struct gates *self, const struct gate *gate)
{
    if (gate->set != 0)
        return gate->set;
    return gate->total != 0 ? share_of(self, (double)gate->total) : 0;
}

// What the published plans allow of their totals (freshworks-api 4.13); the smaller where they differ. Below the
// smallest plan with such classes none are known. A budget that was set is the operator's word: then the plan's own
// limits count, unshared.
static uint64_t class_budget_of(const struct gates *self, const struct gate *gate, enum limit_class limit)
{
    if (gate->total < SMALLEST_PLAN)
        return 0;
    double total = (double)gate->total;
    double part = limit == LIMIT_TICKET_CREATE || limit == LIMIT_TICKET_UPDATE ? 0.4
                  : limit == LIMIT_TICKET_LIST                                 ? (gate->total < 400 ? 0.1 : 0.25)
                                                                               : 0;
    if (part == 0)
        return 0;
    return gate->set != 0 ? (uint64_t)(total * part) : share_of(self, total * part);
}

static uint64_t burst_of(uint64_t budget)
{
    return budget < BURST_PART ? 1 : budget / BURST_PART;
}

static void refill(struct gate *gate, uint64_t budget, uint64_t now_ms)
{
    uint64_t most = burst_of(budget) * MINUTE_MS;
    if (budget == 0)
        return;
    uint64_t passed = now_ms > gate->tokens_ms ? now_ms - gate->tokens_ms : 0;
    if (!gate->tokens_begun || passed > MINUTE_MS)
        gate->tokens = most;
    else
        gate->tokens += passed * budget;
    if (gate->tokens > most)
        gate->tokens = most;
    gate->tokens_begun = true;
    gate->tokens_ms = later(gate->tokens_ms, now_ms);
}

// Nothing is left of the account's budget beyond the calls that are on their way, as far as is known.
static bool exhausted(const struct gate *gate, uint64_t now_ms)
{
    return gate->remaining_known && now_ms < gate->remaining_ms + MINUTE_MS && gate->remaining <= gate->all.in_flight;
}

static void learn(struct gate *gate, const struct report *report, uint64_t taken_ms, bool spent, uint64_t now_ms)
{
    if (report->rate_total != 0)
        gate->total = report->rate_total;
    if (report->rate_known) {
        bool newer = !gate->remaining_known || now_ms >= gate->remaining_ms + MINUTE_MS || taken_ms >= gate->anchor_ms;
        // Answers of parallel calls overtake each other; the smallest number among them is the last one.
        if (newer || report->rate_remaining < gate->remaining)
            gate->remaining = report->rate_remaining;
        if (newer)
            gate->anchor_ms = now_ms;
        gate->remaining_known = true;
        gate->remaining_ms = now_ms;
    } else if (spent && gate->remaining > 0) {
        gate->remaining--;
    }
}

// ---- the question ---------------------------------------------------------------------------------------------------

unsigned gates_queue(const struct step_info *info)
{
    if (info->impatient || info->rank == RANK_HINT)
        return info->impatient ? GATE_IMPATIENT : GATE_HINTS;
    return info->rank == RANK_POLL ? GATE_POLLS + info->limit : info->limit;
}

static enum limit_class class_of(unsigned queue)
{
    assert(queue < GATE_QUEUES);
    if (queue >= GATE_POLLS)
        return (enum limit_class)(queue - GATE_POLLS);
    return queue < LIMIT_CLASSES ? (enum limit_class)queue : LIMIT_ANY;
}

// What keeps a call back: 0 nothing, else the earliest time to ask again, or UINT64_MAX where time does not help.
static uint64_t obstacle(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms)
{
    enum limit_class limit = class_of(queue);
    struct gate *gate = gate_of(self, upstream);
    uint64_t budget = budget_of(self, gate);
    uint64_t class_budget = class_budget_of(self, gate, limit);
    uint64_t until = 0;

    if (self->shut || gate->breaker == BREAKER_HALF_OPEN)
        return UINT64_MAX;
    if (upstream == UPSTREAM_NONE)
        return 0;
    if (gate->breaker == BREAKER_OPEN && gate->trial && queue == GATE_IMPATIENT)
        return UINT64_MAX;
    if (gate->breaker == BREAKER_OPEN && now_ms < gate->probe_ms)
        until = later(until, gate->probe_ms);
    if (now_ms < gate->pause_until_ms)
        until = later(until, gate->pause_until_ms);
    if (window_full(&gate->all, budget, now_ms)) {
        uint64_t next = window_next(&gate->all, budget);
        until = later(until, next ? next : UINT64_MAX);
    }
    if (window_full(&gate->classes[limit], class_budget, now_ms)) {
        uint64_t next = window_next(&gate->classes[limit], class_budget);
        until = later(until, next ? next : UINT64_MAX);
    }
    refill(gate, budget, now_ms);
    if (budget != 0 && gate->tokens < MINUTE_MS)
        until = later(until, now_ms + (MINUTE_MS - gate->tokens + budget - 1) / budget);
    if (budget == 0 && (gate->all.in_flight >= gate->width ||
                        (queue >= GATE_POLLS && gate->polls >= (gate->width > 1 ? gate->width / 2 : 1))))
        until = UINT64_MAX;
    if (exhausted(gate, now_ms)) {
        uint64_t again = later(gate->remaining_ms, gate->taken_ms) + EMPTY_TRY_MS;
        if (gate->all.in_flight > 0)
            until = UINT64_MAX;
        else if (now_ms < again)
            until = later(until, again);
    }
    return until;
}

bool gates_may(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms)
{
    return obstacle(self, upstream, queue, now_ms) == 0;
}

bool gates_leave_room(const struct gates *self, enum upstream upstream, unsigned queue, uint64_t slots)
{
    const struct gate *gate = &self->gates[upstream];
    if (upstream == UPSTREAM_NONE)
        return true;
    if (queue >= GATE_POLLS && gate->polls >= (slots < 4 ? 1 : slots / 4))
        return false;
    return gate->all.in_flight < slots - slots / 4;
}

uint64_t gates_next_ms(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms)
{
    uint64_t until = obstacle(self, upstream, queue, now_ms);
    if (until == UINT64_MAX)
        return 0;
    return until == 0 ? now_ms : later(until, now_ms + 1);
}

struct gate_pass gates_take(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms)
{
    enum limit_class limit = class_of(queue);
    struct gate *gate = gate_of(self, upstream);
    struct gate_pass pass = {.upstream = upstream, .limit = limit, .taken_ms = now_ms, .held = true};

    if (upstream == UPSTREAM_NONE)
        return pass;
    refill(gate, budget_of(self, gate), now_ms);
    gate->tokens -= gate->tokens < MINUTE_MS ? gate->tokens : MINUTE_MS;
    gate->all.in_flight++;
    pass.poll = queue >= GATE_POLLS;
    gate->polls += pass.poll;
    if (limit != LIMIT_ANY)
        gate->classes[limit].in_flight++;
    gate->taken_ms = now_ms;
    if (gate->breaker == BREAKER_OPEN && now_ms >= gate->probe_ms) {
        pass.trial = gate->trial = queue == GATE_IMPATIENT;
        pass.probe = !pass.trial;
        if (pass.probe)
            gate->breaker = BREAKER_HALF_OPEN;
    }
    return pass;
}

// ---- the answer -----------------------------------------------------------------------------------------------------

// Ends the call in the windows. What was not spent may be used at once by another.
static void end_call(struct gates *self, struct gate_pass *pass, bool spent, uint64_t now_ms)
{
    struct gate *gate = gate_of(self, pass->upstream);
    window_end_call(&gate->all, spent, now_ms);
    if (pass->limit != LIMIT_ANY)
        window_end_call(&gate->classes[pass->limit], spent, now_ms);
    gate->polls -= pass->poll;
    if (!spent)
        gate->tokens += MINUTE_MS; // the next refill cuts it to the burst
    pass->held = false;
}

static void open_breaker(struct gates *self, struct gate *gate, uint64_t backoff_ms, uint64_t now_ms)
{
    gate->breaker = BREAKER_OPEN;
    gate->backoff_ms = backoff_ms < BREAKER_MOST_MS ? backoff_ms : BREAKER_MOST_MS;
    gate->probe_ms = now_ms + gate->backoff_ms + random_below(self, gate->backoff_ms / 8);
}

// Only a probe or a trial closes an open breaker, and only they make the wait longer: what was on its way when the
// upstream went down tells nothing of how it is now. A trial that fails leaves the word to a probe that is out.
static void judge(struct gates *self, struct gate *gate, const struct gate_pass *pass, bool failed, uint64_t now_ms)
{
    bool probe = pass && pass->probe;
    bool trial = pass && pass->trial && gate->breaker != BREAKER_CLOSED;
    if (failed && (probe || (trial && gate->breaker == BREAKER_OPEN))) {
        open_breaker(self, gate, 2 * gate->backoff_ms, now_ms);
    } else if (!failed && (probe || trial)) {
        gate->breaker = BREAKER_CLOSED;
        gate->failures = 0;
        gate->width = WIDTH_FIRST;
    } else if (gate->breaker == BREAKER_CLOSED) {
        gate->failures = failed ? gate->failures + 1 : 0;
        if (gate->failures >= FAILURES_TO_OPEN) {
            open_breaker(self, gate, BREAKER_FIRST_MS, now_ms);
            gate->opened++;
        }
    }
}

// Calls that were on their way when a pause began are refused with it: they tell nothing new, unless they ask for more.
static void pause_gate(struct gates *self, struct gate *gate, const struct report *report, uint64_t taken_ms,
                       uint64_t now_ms)
{
    bool fresh = gate->pauses == 0 || taken_ms > gate->pause_set_ms;
    uint64_t wait = 0;

    if (report->retry_after_known && report->retry_after_ms > 0) {
        wait = report->retry_after_ms < RETRY_AFTER_MOST_MS ? report->retry_after_ms : RETRY_AFTER_MOST_MS;
    } else if (fresh) {
        wait = (uint64_t)PAUSE_FIRST_MS << (gate->pauses < 6 ? gate->pauses : 6);
        wait = wait < PAUSE_MOST_MS ? wait : PAUSE_MOST_MS;
        wait += random_below(self, wait / 2);
    }
    if (fresh) {
        gate->pauses++;
        gate->pause_set_ms = now_ms;
        gate->width = gate->width > 1 ? gate->width / 2 : 1;
    }
    gate->pause_until_ms = later(gate->pause_until_ms, now_ms + wait);
}

void gates_done(struct gates *self, struct gate_pass *pass, const struct report *report, uint64_t now_ms)
{
    bool held = pass && pass->held;
    bool called = report->upstream != UPSTREAM_NONE && report->upstream < UPSTREAMS;
    bool spent = called && report->sent;
    uint64_t since = report->took_ms < now_ms ? now_ms - report->took_ms : 0;
    uint64_t taken_ms = held ? pass->taken_ms : since;

    // The gate is the one that was passed; only a report nobody waited for has nothing but its own word.
    struct gate *gate = gate_of(self, held ? pass->upstream : called ? (enum upstream)report->upstream : UPSTREAM_NONE);
    if (held && pass->upstream != UPSTREAM_NONE)
        end_call(self, pass, spent, now_ms);
    else if (spent)
        window_add(&gate->all, now_ms);
    if (held)
        pass->held = false;
    if (held && pass->trial)
        gate->trial = false;
    bool refused = report->http_status == 429;
    // A page that is no JSON under a 200 comes from a machine before the upstream, which is down behind it.
    bool failed = report->http_status == 0 || report->http_status >= 500 ||
                  (report->http_status < 300 && report->outcome == OUTCOME_DOUBT);
    gate->calls += spent;
    gate->refused += refused;
    learn(gate, report, taken_ms, spent, now_ms);
    if (!called || (report->cut_short && report->http_status == 0)) {
        if (held && pass->probe)
            gate->breaker = BREAKER_OPEN; // it tells nothing: the next one is the probe
        return;
    }
    judge(self, gate, held ? pass : NULL, failed, now_ms);
    if (refused || (failed && report->retry_after_known)) {
        pause_gate(self, gate, report, taken_ms, now_ms);
    } else if (!failed) {
        if (taken_ms > gate->pause_set_ms)
            gate->pauses = 0;
        if (gate->width < WIDTH_MOST)
            gate->width++;
    }
}

void gates_return(struct gates *self, struct gate_pass *pass, bool maybe_sent, uint64_t now_ms)
{
    if (!pass->held)
        return;
    pass->held = false;
    if (pass->upstream == UPSTREAM_NONE)
        return;
    struct gate *gate = gate_of(self, pass->upstream);
    end_call(self, pass, maybe_sent, now_ms);
    gate->calls += maybe_sent;
    if (maybe_sent && gate->remaining > 0)
        gate->remaining--;
    if (pass->trial)
        gate->trial = false;
    if (pass->probe)
        open_breaker(self, gate, maybe_sent ? 2 * gate->backoff_ms : gate->backoff_ms, now_ms);
}

void gates_shut(struct gates *self, bool shut)
{
    self->shut = shut;
}

void gates_status(struct gates *self, enum upstream upstream, uint64_t now_ms, struct gate_status *out)
{
    struct gate *gate = gate_of(self, upstream);
    window_roll(&gate->all, now_ms);
    *out = (struct gate_status){
        .in_flight = gate->all.in_flight,
        .used = gate->all.sum,
        .budget = budget_of(self, gate),
        .total = gate->total,
        .remaining = gate->remaining,
        .remaining_known = gate->remaining_known && now_ms < gate->remaining_ms + MINUTE_MS,
        .paused_ms = now_ms < gate->pause_until_ms ? gate->pause_until_ms - now_ms : 0,
        .breaker = gate->breaker,
        .failures = gate->failures,
        .calls = gate->calls,
        .refused = gate->refused,
        .opened = gate->opened,
        .shut = self->shut,
    };
    for (int i = 0; i < LIMIT_CLASSES; i++) {
        window_roll(&gate->classes[i], now_ms);
        out->class_used[i] = gate->classes[i].sum;
        out->class_budget[i] = class_budget_of(self, gate, (enum limit_class)i);
    }
}
