// SPDX-License-Identifier: Apache-2.0
// Wrote tests/data/ledger-v1, once, linked with the sources of the commit before lanes got their second version. Kept
// to show where those bytes come from, and as the pattern for the next format: copy it, its header and this rule, and
// let the folder that it writes stay as it is for ever. Usage: ledger_v1_make DIR. Half of the records goes to tables,
// the other stays in the log.
#include <stdio.h>

#include "ledger_v1.h"

static uint64_t now_ms(void)
{
    return V1_NOW_MS;
}

static bool write_and_free(struct ledger *ledger, struct ledger_batch *batch)
{
    bool ok = ledger_write(ledger, batch);
    ledger_batch_free(&batch);
    return ok;
}

static struct ledger_batch *tables(void)
{
    struct ledger_batch *batch = ledger_batch_new();
    struct lane lane = v1_lane();
    struct history history = v1_history(0);
    ledger_put_seen(batch, "freshchat:message:v1", SEEN_ACCEPTED, V1_NOW_MS - 4000);
    ledger_put_lane(batch, &lane);
    ledger_put_ticket(batch, 41, &v1_ticket);
    ledger_put_history(batch, 1, &history);
    return batch;
}

static struct ledger_batch *log_only(void)
{
    struct ledger_batch *batch = ledger_batch_new();
    struct record_buffer buffer;
    struct found found = v1_found();
    struct history history = v1_history(1);
    if (!record_encode(RECORD_found, &found, &buffer))
        abort();
    struct pending pending = v1_pending((struct blob){buffer.data, buffer.size});
    ledger_put_seen(batch, "freshchat:message:ours", SEEN_OURS, V1_NOW_MS - 3000);
    ledger_put_pending(batch, &pending);
    ledger_put_hint(batch, 42, &v1_hint);
    ledger_put_dead(batch, V1_SEQ + 9,
                    &(struct dead){.pending = pending, .cause = "the helpdesk refused it", .time_ms = V1_NOW_MS - 500});
    ledger_put_history(batch, 2, &history);
    record_buffer_free(&buffer);
    return batch;
}

int main(int argc, char **argv)
{
    char error[512] = "usage: ledger_v1_make DIR";
    const struct ledger_options options = {UINT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX / 2, now_ms};
    struct ledger *ledger = argc == 2 ? ledger_open(argv[1], &options, error, sizeof error) : NULL;
    if (!ledger) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    bool ok = write_and_free(ledger, tables());
    ledger_expire(ledger);
    ok = ok && write_and_free(ledger, log_only());
    ledger_close(&ledger);
    return ok ? 0 : 1;
}
