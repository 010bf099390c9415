// SPDX-License-Identifier: Apache-2.0
// The whole way: the real deskbelld with its front and two workers, and a sandbox in this process that answers as fast
// as it can. From the moment a customer writes to the ticket, and from the moment an agent replies to the chat; one
// after the other, and 32 at once. What the real services add is not in it.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/bench/bench.h"
#include "tests/scenario/processes.h"
#include "tests/scenario/scenario.h"

enum { ALONE = 25, AT_ONCE = 32, CHATS = ALONE + AT_ONCE, PATIENCE_MS = 10000 };

// A conversation and what became of it.
struct chat {
    struct sandbox_customer customer;
    int64_t ticket;
    char reply[64];
    double wrote_us, replied_us;
};

// Those that are waited for.
struct crowd {
    struct chat *chats;
    size_t count;
};

static void *scenario_state; // scenario_teardown's

static void tear_down(void)
{
    (void)scenario_teardown(&scenario_state);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

void bench_whole_way_abandon(void)
{
    // The main thread still uses the scenario, so nothing is freed.
    const struct scenario *scenario = scenario_state;
    if (scenario && processes_kill_all())
        nftw(scenario_folder(scenario), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// ---------------------------------------------------------------- what is waited for
static bool all_have_tickets(struct sandbox *sandbox, void *arg)
{
    const struct crowd *crowd = arg;
    for (size_t i = 0; i < crowd->count; i++) {
        struct chat *chat = &crowd->chats[i];
        if (chat->ticket == 0 && sandbox_tickets_of(sandbox, chat->customer.conversation_id, &chat->ticket) == 0)
            return false;
    }
    return true;
}

static bool all_are_answered(struct sandbox *sandbox, void *arg)
{
    const struct crowd *crowd = arg;
    for (size_t i = 0; i < crowd->count; i++) {
        const struct chat *chat = &crowd->chats[i];
        if (sandbox_messages_with(sandbox, chat->customer.conversation_id, chat->reply) == 0)
            return false;
    }
    return true;
}

static double ticket_came_us(struct sandbox *sandbox, const struct chat *chat)
{
    struct sandbox_ticket ticket;
    if (!sandbox_ticket(sandbox, chat->ticket, &ticket))
        bench_fail("a ticket is gone");
    double at_us = (double)ticket.at_us;
    sandbox_ticket_clear(&ticket);
    return at_us;
}

static double reply_came_us(struct sandbox *sandbox, const struct chat *chat)
{
    struct sandbox_message *messages;
    size_t count = sandbox_messages(sandbox, chat->customer.conversation_id, &messages);
    double at_us = 0;
    for (size_t i = 0; i < count; i++) {
        if (strstr(messages[i].text, chat->reply))
            at_us = (double)messages[i].at_us;
    }
    sandbox_messages_free(messages, count);
    if (at_us == 0)
        bench_fail("a reply is gone");
    return at_us;
}

// ---------------------------------------------------------------- what is done
static void customers_arrive(struct sandbox *sandbox, const struct crowd *crowd)
{
    static size_t number;
    for (size_t i = 0; i < crowd->count; i++) {
        char name[32], email[64];
        snprintf(name, sizeof name, "customer%zu", ++number);
        snprintf(email, sizeof email, "%s@customer.example", name);
        const struct sandbox_customer_info info = {
            .first_name = name, .email = email, .cart_value = "249.50", .friction_score = "72", .screen = "basket"};
        crowd->chats[i] = (struct chat){0};
        sandbox_customer_new(sandbox, &info, &crowd->chats[i].customer);
        snprintf(crowd->chats[i].reply, sizeof crowd->chats[i].reply, "Reply %zu is on its way.", number);
    }
}

static void they_write(struct sandbox *sandbox, struct crowd *crowd, struct times *times)
{
    for (size_t i = 0; i < crowd->count; i++) {
        crowd->chats[i].wrote_us = (double)sandbox_now_us();
        sandbox_customer_writes(sandbox, &crowd->chats[i].customer, "How long does this take?", NULL);
    }
    if (!sandbox_wait(sandbox, all_have_tickets, crowd, PATIENCE_MS))
        bench_fail("no ticket within %d ms", PATIENCE_MS);
    for (size_t i = 0; i < crowd->count; i++)
        times_add(times, ticket_came_us(sandbox, &crowd->chats[i]) - crowd->chats[i].wrote_us);
}

static void they_are_answered(struct sandbox *sandbox, struct crowd *crowd, struct times *times)
{
    for (size_t i = 0; i < crowd->count; i++) {
        char html[80];
        snprintf(html, sizeof html, "<p>%s</p>", crowd->chats[i].reply);
        crowd->chats[i].replied_us = (double)sandbox_now_us();
        if (sandbox_agent_writes(sandbox, crowd->chats[i].ticket, SANDBOX_ANNA, SANDBOX_REPLY, html) == 0)
            bench_fail("the agent cannot reply");
    }
    if (!sandbox_wait(sandbox, all_are_answered, crowd, PATIENCE_MS))
        bench_fail("no reply in the chat within %d ms", PATIENCE_MS);
    for (size_t i = 0; i < crowd->count; i++)
        times_add(times, reply_came_us(sandbox, &crowd->chats[i]) - crowd->chats[i].replied_us);
}

// ---------------------------------------------------------------- the rounds
struct way {
    struct figure median, p99;
    struct times times, all; // of this round; of all rounds
};

static void round_ends(struct way *way)
{
    figure_add(&way->median, times_at(&way->times, 0.5) / 1000);
    times_append(&way->all, &way->times);
    way->times.count = 0;
}

static void play_round(struct sandbox *sandbox, struct way ways[4])
{
    static struct chat chats[CHATS];
    for (size_t i = 0; i < ALONE; i++) {
        struct crowd one = {&chats[i], 1};
        customers_arrive(sandbox, &one);
        they_write(sandbox, &one, &ways[0].times);
        they_are_answered(sandbox, &one, &ways[2].times);
    }
    struct crowd many = {&chats[ALONE], AT_ONCE};
    customers_arrive(sandbox, &many);
    they_write(sandbox, &many, &ways[1].times);
    they_are_answered(sandbox, &many, &ways[3].times);
    for (size_t i = 0; i < 4; i++)
        round_ends(&ways[i]);
}

void bench_whole_way(void)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.sandbox.senders = AT_ONCE;
    atexit(tear_down);
    struct scenario *scenario = scenario_begin(&scenario_state, &options);
    struct way ways[4] = {
        {.median = {.name = "webhook sent to ticket, one after the other, median", .unit = "ms"}},
        {.median = {.name = "webhook sent to ticket, 32 at once, median", .unit = "ms"}},
        {.median = {.name = "agent's reply to chat, one after the other, median", .unit = "ms"}},
        {.median = {.name = "agent's reply to chat, 32 at once, median", .unit = "ms"}},
    };
    for (size_t i = 0; i < 4; i++) {
        ways[i].p99 = (struct figure){.name = "  p99 of all rounds", .unit = "ms"};
        times_init(&ways[i].times, CHATS);
        times_init(&ways[i].all, CHATS * BENCH_ROUNDS);
    }
    for (int round = 0; round < BENCH_ROUNDS; round++)
        play_round(scenario_sandbox(scenario), ways);
    scenario_end(scenario);
    tear_down();

    figure_heading("Whole way, sandbox without delay");
    for (size_t i = 0; i < 4; i++) {
        figure_print(&ways[i].median);
        figure_add(&ways[i].p99, times_at(&ways[i].all, 0.99) / 1000);
        figure_print(&ways[i].p99);
        times_free(&ways[i].times);
        times_free(&ways[i].all);
    }
    figure_print_ratio("ticket: 32 at once against one", &ways[1].median, &ways[0].median);
    figure_print_ratio("reply: 32 at once against one", &ways[3].median, &ways[2].median);
}
