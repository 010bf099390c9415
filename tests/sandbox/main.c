// SPDX-License-Identifier: Apache-2.0
// deskbell-sandbox: the sandbox as a program. The main thread starts it, writes the secrets that a demo's configuration
// points at, and waits for a signal; events are printed by whichever thread causes them, one line each.
#include "play.h"
#include "state.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIAL_PORT = 8088 };

static volatile bool stopping;

static int usage(FILE *out, int code)
{
    fputs(
        "usage: deskbell-sandbox [--listen 127.0.0.1:PORT] [--freshchat-webhook URL] [--freshdesk-webhook URL]\n"
        "                        [--state DIR | --trial DIR] [--bare] [--first-ticket N] [--senders N] [--ready-url "
        "URL] [--limit MS] "
        "[--play[=N]] [--call]\n"
        "\n"
        "  --listen             address and port, 0 for any free one (default 127.0.0.1:0)\n"
        "  --freshchat-webhook  where Freshchat's signed events are sent\n"
        "  --freshdesk-webhook  where Freshdesk's hints are sent\n"
        "  --state DIR          write freshchat-webhook.pem, freshchat.token, freshdesk.key, freshdesk-admin.key,\n"
        "                       freshcaller.key, freshdesk-webhook.token, context.key, freshchat.agent and url there, "
        "mode\n"
        "                       0600; tokens that are there already are kept, the\n"
        "                       webhook key and the agent's id are new each time\n"
        "  --trial DIR          all that a Deskbell needs to run in front of this, in DIR: a configuration, "
        "credentials,\n"
        "                       folders; says what to do next (default port then 8088)\n"
        "  --bare               a helpdesk without the ticket fields and the rule, for deskbellctl provision\n"
        "  --ready-url URL      with --play: begin when this answers 200\n"
        "  --limit MS           with --play: the longest a step may take (default 2000)\n"
        "  --play[=N]           play one or N conversations, print the times, exit 0, or 1 when a step was too slow\n"
        "  --call               with --play: the customer of a single conversation calls, too\n",
        out);
    return code;
}

// A line per event: when, what, for which ticket, and how long it took.
static void print_event(void *arg, const struct sandbox_event *event)
{
    static const char *const names[] = {
        [SANDBOX_EVENT_CUSTOMER_WROTE] = "customer wrote", [SANDBOX_EVENT_TICKET_CREATED] = "ticket created",
        [SANDBOX_EVENT_TICKET_UPDATED] = "ticket updated", [SANDBOX_EVENT_NOTE_ADDED] = "note added",
        [SANDBOX_EVENT_AGENT_REPLIED] = "agent replied",   [SANDBOX_EVENT_PRIVATE_NOTE] = "private note",
        [SANDBOX_EVENT_REACHED_CHAT] = "reached chat",     [SANDBOX_EVENT_AGENT_TYPED] = "agent typed in chat",
        [SANDBOX_EVENT_PHONE_CALL] = "call over",          [SANDBOX_EVENT_WEBHOOK_FAILED] = "webhook not taken",
    };
    char text[120], since[32] = "", ticket[32] = "";
    const int64_t *started = arg;
    size_t used = 0;
    for (const char *at = event->text; *at != '\0' && used + 1 < sizeof text; at++)
        text[used++] = (unsigned char)*at < 0x20 || *at == 0x7f ? ' ' : *at; // nobody paints our terminal
    text[used] = '\0';
    if (event->since_ms >= 0)
        snprintf(since, sizeof since, "+%.1f ms", event->since_ms);
    if (event->ticket_id != 0)
        snprintf(ticket, sizeof ticket, "#%lld", (long long)event->ticket_id);
    printf("%10.3f s  %-20s %-14s %-12s %s\n", (double)(sandbox_now_us() - *started) / 1e6, names[event->kind], since,
           ticket, text);
    fflush(stdout);
}

static bool parse_listen(const char *text, struct sandbox_options *options)
{
    static char host[64];
    const char *colon = strrchr(text, ':');
    char *end;
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    long port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || end == colon + 1 || port < 0 || port > 65535)
        return false;
    options->host = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    options->port = (int)port;
    // Its secrets are for loopback only.
    return strncmp(options->host, "127.", 4) == 0;
}

static void *await_signal(void *argument)
{
    int received;
    sigwait(argument, &received);
    stopping = true;
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"freshchat-webhook", required_argument, NULL, 'c'},
        {"freshdesk-webhook", required_argument, NULL, 'd'},
        {"state", required_argument, NULL, 's'},
        {"first-ticket", required_argument, NULL, 't'},
        {"senders", required_argument, NULL, 'n'},
        {"ready-url", required_argument, NULL, 'r'},
        {"limit", required_argument, NULL, 'm'},
        {"play", optional_argument, NULL, 'p'},
        {"trial", required_argument, NULL, 'T'},
        {"bare", no_argument, NULL, 'b'},
        {"call", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct sandbox_options options;
    const char *state = NULL, *ready_url = NULL, *trial = NULL;
    static char credentials[80], chat_url[128], desk_url[128];
    bool listens = false;
    int rounds = 0, option, code = 0;
    bool calls = false;
    int64_t limit_ms = 2000, started = sandbox_now_us();
    sandbox_options_init(&options);
    options.on_event = print_event;
    options.on_event_arg = &started;
    options.first_ticket_id = 1001;
    options.threads = 640; // both products share them, one for each connection that a worker keeps open
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        listens = listens || option == 'l';
        if (option == 'l' && !parse_listen(optarg, &options))
            return usage(stderr, 2);
        else if (option == 'c')
            options.freshchat_webhook_url = optarg;
        else if (option == 'd')
            options.freshdesk_webhook_url = optarg;
        else if (option == 's')
            state = optarg;
        else if (option == 't')
            options.first_ticket_id = strtoll(optarg, NULL, 10);
        else if (option == 'n')
            options.senders = atoi(optarg);
        else if (option == 'r')
            ready_url = optarg;
        else if (option == 'm')
            limit_ms = strtoll(optarg, NULL, 10);
        else if (option == 'p')
            rounds = optarg != NULL ? atoi(optarg) : optind < argc && atoi(argv[optind]) > 0 ? atoi(argv[optind++]) : 1;
        else if (option == 'T')
            trial = optarg;
        else if (option == 'b')
            options.no_fields = true, options.default_rule = false;
        else if (option == 'k')
            calls = true;
        else if (option == 'h')
            return usage(stdout, 0);
        else if (option == '?')
            return usage(stderr, 2);
    }
    if (optind < argc || rounds < 0 || rounds > 1000000 || options.senders < 1 || options.senders > 256 ||
        limit_ms < 1 || options.first_ticket_id < 1)
        return usage(stderr, 2);
    if (rounds > 1)
        options.on_event = NULL; // times are enough

    // Blocked before any thread exists, so that only sigwait sees them.
    static sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    if (trial != NULL && !(state_trial_folder(trial) && state_folder(trial)))
        return 1;
    if (trial != NULL) { // tokens of an earlier trial are kept
        const char *host = options.host != NULL ? options.host : "127.0.0.1";
        snprintf(credentials, sizeof credentials, "%s/credentials", trial);
        snprintf(chat_url, sizeof chat_url, "http://%s:%s/webhooks/freshchat", host, STATE_TRIAL_FRONT);
        snprintf(desk_url, sizeof desk_url, "http://%s:%s/webhooks/freshdesk", host, STATE_TRIAL_FRONT);
        state = credentials;
        options.freshchat_webhook_url = chat_url;
        options.freshdesk_webhook_url = desk_url;
        if (!listens)
            options.port = TRIAL_PORT;
    }
    if (state != NULL && !state_folder(state))
        return 1;
    char *admin = state_secret(state, "freshdesk-admin.key"), *context = state_secret(state, "context.key");
    char *token = state_secret(state, "freshchat.token"), *key = state_secret(state, "freshdesk.key"),
         *hint = state_secret(state, "freshdesk-webhook.token"), *caller = state_secret(state, "freshcaller.key");
    options.freshchat_token = token;
    options.freshdesk_key = key;
    options.hint_token = hint;
    options.freshdesk_admin_key = admin;
    options.freshcaller_key = caller;
    options.context_key = context;
    struct sandbox *sb = sandbox_new(&options);
    free(token);
    free(key);
    free(hint);
    free(caller);
    free(admin);
    bool written = sb != NULL && (trial != NULL ? state_trial(trial, sb, context, options.no_fields)
                                                : state_write(state, sb, context));
    free(context);
    if (!written) {
        sandbox_free(&sb);
        return 1;
    }
    char url[64];
    state_base_url(sb, url);
    printf("sandbox ready %s\n", url);
    fflush(stdout);

    pthread_t waiter;
    if (pthread_create(&waiter, NULL, await_signal, &signals) != 0)
        abort();
    if (rounds > 0) {
        const char *wait_url = ready_url != NULL ? ready_url : options.freshchat_webhook_url;
        if (wait_url == NULL || !play_wait_for(wait_url, ready_url != NULL, 60000, &stopping)) {
            fprintf(stderr, "deskbell-sandbox: nothing answers at %s\n",
                    wait_url != NULL ? wait_url : "the webhook address (none given)");
            code = 1;
        } else {
            code = play(sb, rounds, limit_ms, calls, &stopping);
        }
        // The waiter may still be waiting; a signal to ourselves ends it the way a user's would.
        pthread_kill(waiter, SIGTERM);
    }
    pthread_join(waiter, NULL);
    sandbox_free(&sb);
    return code;
}
