// SPDX-License-Identifier: Apache-2.0
// doctor's look at the running deskbelld: what it says of itself over the control socket, and how its addresses answer,
// from this machine and, where the public address is given, through the proxy.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/call.h"
#include "ctl/doctor.h"
#include "ctl/words.h"

// Deliveries that must be refused: 401, whatever else is in them.
static const struct {
    const char *path, *header, *line, *body;
} deliveries[] = {
    {"/webhooks/freshchat", "X-Freshchat-Signature", "X-Freshchat-Signature: doctor", "{}"},
    {"/webhooks/freshdesk", "X-Deskbell-Token", "X-Deskbell-Token: doctor", "{\"ticket_id\":\"1\"}"},
};

// Whether a deskbelld holds the lock of the state folder. Its line is read and nothing locked: a deskbelld that starts
// just now must find it free.
static bool runs_all_the_same(const char *state_dir)
{
    char path[1100], name[32] = "";
    int pid = 0;
    snprintf(path, sizeof path, "%s/lock", state_dir);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "pid %d", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    file = pid > 0 ? fopen(path, "re") : NULL;
    if (file && fscanf(file, "%31s", name) != 1)
        *name = '\0';
    if (file)
        fclose(file);
    return strcmp(name, "deskbelld") == 0;
}

void doctor_meet(struct doctor *self)
{
    char why[CALL_WHY_BYTES];
    json_t *status = NULL;
    if (call_knock(self->runtime_dir) == 0 &&
        call_ask(self->runtime_dir, "status", NULL, 0, &status, why) == CALL_DONE) {
        self->front = (pid_t)words_number(status, "pid");
    }
    json_decref(status);
}

// ---- what it says of itself -----------------------------------------------------------------------------------------

static void hear_status(struct doctor *self)
{
    char why[CALL_WHY_BYTES], up[WORDS_BYTES];
    json_t *status = NULL;
    enum call_result result = call_ask(self->runtime_dir, "status", NULL, 0, &status, why);
    if (result != CALL_DONE)
        findings_add(self->findings, VERDICT_FAIL, "deskbelld", "See systemctl status deskbell, and the log.", "%s",
                     why);
    else if (!words_yes(status, "ready"))
        findings_add(self->findings, VERDICT_FAIL, "deskbelld", "See deskbellctl status, and the log.",
                     "It runs, but is not ready.");
    else
        findings_add(self->findings, VERDICT_OK, "deskbelld", NULL, "It has been running for %s, and is ready.",
                     words_long(words_number(status, "up_ms"), up));
    if (result == CALL_DONE && words_number(status, "dead"))
        findings_add(self->findings, VERDICT_WARN, "dead letters", "deskbellctl dead list",
                     "%" PRId64 " messages were given up on.", words_number(status, "dead"));
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(status, "directions"), i, row)
    {
        const char *direction = words_text(row, "direction");
        if (!words_yes(row, "paused"))
            continue;
        findings_add(self->findings, VERDICT_WARN, "paused", NULL, "%s is paused; %" PRId64 " waiting.", direction,
                     words_number(row, "waiting"));
        findings_remedy(self->findings, "deskbellctl resume %s", direction);
    }
    json_decref(status);
}

// When each source's last webhook came whose key or token was right, since the front started.
static void hear_webhooks(struct doctor *self)
{
    static const struct {
        const char *source, *remedy;
    } sources[] = {
        {"freshchat", "See Freshchat's Conversation Webhooks: switched on, with the address of this Deskbell?"},
        {"freshdesk", "See the reply rule in Freshdesk; without it replies reach the chat only with the next poll."},
    };
    char why[CALL_WHY_BYTES], when[WORDS_BYTES];
    json_t *answer = NULL, *key;
    if (call_ask(self->runtime_dir, "keys", NULL, 0, &answer, why) != CALL_DONE)
        return;
    for (size_t s = 0; s < sizeof sources / sizeof *sources; s++) {
        int64_t last = 0;
        size_t i;
        json_array_foreach(json_object_get(answer, "keys"), i, key)
        {
            if (strcmp(words_text(key, "source"), sources[s].source) == 0 && words_number(key, "last_used_ms") > last)
                last = words_number(key, "last_used_ms");
        }
        if (last)
            findings_add(self->findings, VERDICT_OK, "last webhook", NULL, "%s: %s.", sources[s].source,
                         words_when(last, when));
        else
            findings_add(self->findings, VERDICT_WARN, "last webhook", sources[s].remedy,
                         "%s: none since this front started, %s.", sources[s].source,
                         words_when(words_number(answer, "since_ms"), when));
    }
    json_decref(answer);
}

// ---- its addresses --------------------------------------------------------------------------------------------------

// Outwards as the workers go to Freshchat, here directly.
static struct way way_of(const struct doctor *self, bool outwards)
{
    const struct config *config = self->config;
    return (struct way){.proxy = outwards ? config->freshchat.proxy : "",
                        .ca_file = outwards ? config->freshchat.ca_file : "",
                        .timeout_ms = config->timing.request_timeout_ms};
}

static void post(struct doctor *self, const char *base, bool through_proxy)
{
    const struct way way = way_of(self, through_proxy);
    for (size_t i = 0; i < sizeof deliveries / sizeof *deliveries; i++) {
        char url[1200];
        struct echo echo;
        snprintf(url, sizeof url, "%s%s", base, deliveries[i].path);
        const struct judge_webhook asked = {url, deliveries[i].header, through_proxy};
        ask_own(url, deliveries[i].body, deliveries[i].line, &way, &echo);
        judge_webhook(self->findings, &asked, &echo);
    }
}

// http://ADDRESS:PORT as it is reached from here; false when the system chooses the port.
static bool reach(const char *listen, char base[64])
{
    struct sockaddr_in address;
    char host[INET_ADDRSTRLEN];
    if (!config_listen_address(listen, &address) || !address.sin_port)
        return false;
    if (address.sin_addr.s_addr == htonl(INADDR_ANY))
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    snprintf(base, 64, "http://%s:%u", host, (unsigned)ntohs(address.sin_port));
    return true;
}

static void post_here(struct doctor *self)
{
    char base[64], url[96];
    struct echo echo;
    if (reach(self->config->front.listen, base))
        post(self, base, false);
    else
        findings_add(self->findings, VERDICT_UNKNOWN, "front", NULL, "front.listen leaves the port to the system.");
    if (!reach(self->config->front.admin_listen, base))
        return;
    snprintf(url, sizeof url, "%s/readyz", base);
    const struct way way = way_of(self, false);
    ask_own(url, NULL, NULL, &way, &echo);
    judge_admin(self->findings, url, &echo);
}

static void post_through_proxy(struct doctor *self)
{
    char url[1200];
    struct echo echo;
    post(self, self->public_url, true);
    snprintf(url, sizeof url, "%s/metrics", self->public_url);
    const struct way way = way_of(self, true);
    ask_own(url, NULL, NULL, &way, &echo);
    judge_admin_is_private(self->findings, url, &echo);
}

void doctor_daemon(struct doctor *self)
{
    int code = self->front ? 0 : call_knock(self->runtime_dir);
    if (code == EACCES)
        findings_add(self->findings, VERDICT_UNKNOWN, "deskbelld", "Be root, or a member of the group deskbell.",
                     "Its control socket is closed to you, so its addresses and webhooks were not looked at.");
    else if (code && runs_all_the_same(self->config->state_dir))
        findings_add(self->findings, VERDICT_FAIL, "deskbelld",
                     self->installed ? "journalctl -u deskbell -p warning says why." : "Its log says why.",
                     "It runs, but its front does not come up, so its addresses and webhooks were not looked at.");
    else if (code)
        findings_add(self->findings, VERDICT_WARN, "deskbelld",
                     self->installed ? "systemctl enable --now deskbell.socket deskbell-admin.socket deskbell.service"
                                     : "Start it with this configuration: deskbelld -c FILE.",
                     "It does not run, so its addresses and webhooks were not looked at.");
    else
        hear_status(self);
    if (!code) {
        hear_webhooks(self);
        post_here(self);
    }
    if (self->public_url)
        post_through_proxy(self);
}
