// SPDX-License-Identifier: Apache-2.0
// Writing the files that a demo or a trial is configured with. The program's main thread.
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIAL_MAX 59 // bytes; the runtime folder is 4 longer, and 63 is the most a socket's path leaves it

static void path_of(char path[4096], const char *folder, const char *name)
{
    if (snprintf(path, 4096, "%s/%s", folder, name) >= 4096) {
        fprintf(stderr, "deskbell-sandbox: path too long\n");
        exit(2);
    }
}

bool state_write_file(const char *folder, const char *name, const char *text)
{
    char path[4096], temporary[4096 + 8];
    path_of(path, folder, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t length = strlen(text);
    bool good =
        fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, text, length) == (ssize_t)length && write(fd, "\n", 1) == 1;
    if (fd >= 0)
        close(fd);
    if (!good || rename(temporary, path) != 0) {
        fprintf(stderr, "deskbell-sandbox: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

char *state_secret(const char *folder, const char *name)
{
    char path[4096], *line = NULL;
    unsigned char random[24];
    size_t room = 0;
    path_of(path, folder != NULL ? folder : "/nonexistent", name);
    FILE *file = folder != NULL ? fopen(path, "re") : NULL;
    if (file != NULL) {
        if (getline(&line, &room, file) > 0)
            line[strcspn(line, "\r\n")] = '\0';
        fclose(file);
        if (line != NULL && line[0] != '\0')
            return line;
    }
    free(line);
    line = malloc(sizeof random * 2 + 1);
    if (line == NULL || RAND_bytes(random, sizeof random) != 1)
        abort();
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(line + i * 2, 3, "%02x", random[i]);
    return line;
}

void state_base_url(struct sandbox *sb, char url[64])
{
    const char *api = sandbox_freshchat_url(sb);
    snprintf(url, 64, "%.*s", (int)(strlen(api) - strlen("/v2")), api);
}

bool state_write(const char *folder, struct sandbox *sb, const char *context_key)
{
    char agent[SANDBOX_ID_SIZE], url[64];
    if (folder == NULL)
        return true;
    sandbox_chat_agent(sb, SANDBOX_ASSISTANT, agent);
    state_base_url(sb, url);
    return state_write_file(folder, "freshchat-webhook.pem", sandbox_public_key(sb)) &&
           state_write_file(folder, "freshchat.token", sandbox_freshchat_token(sb)) &&
           state_write_file(folder, "freshdesk.key", sandbox_freshdesk_key(sb)) &&
           state_write_file(folder, "freshcaller.key", sandbox_freshcaller_key(sb)) &&
           state_write_file(folder, "freshdesk-admin.key", sandbox_freshdesk_admin_key(sb)) &&
           state_write_file(folder, "freshdesk-webhook.token", sandbox_hint_token(sb)) &&
           state_write_file(folder, "context.key", context_key) && state_write_file(folder, "freshchat.agent", agent) &&
           state_write_file(folder, "url", url);
}

bool state_folder(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    fprintf(stderr, "deskbell-sandbox: %s: %s\n", path, strerror(errno));
    return false;
}

// ---------------------------------------------------------------- a trial
bool state_trial_folder(const char *folder)
{
    if (folder[0] == '/' && strlen(folder) <= TRIAL_MAX && strpbrk(folder, "\"\\\n") == NULL)
        return true;
    fprintf(stderr,
            "deskbell-sandbox: --trial wants an absolute path of at most %d bytes, such as /tmp/deskbell-trial\n",
            TRIAL_MAX);
    return false;
}

static char *trial_config(const char *folder, struct sandbox *sb, const char *host)
{
    char agent[SANDBOX_ID_SIZE], url[64], *text = NULL;
    sandbox_chat_agent(sb, SANDBOX_ASSISTANT, agent);
    state_base_url(sb, url);
    int length = asprintf(
        &text,
        "# Written by deskbell-sandbox --trial, anew each time: a Deskbell in front of the sandbox, for this user "
        "alone.\n"
        "state_dir   = \"%s/state\"\nruntime_dir = \"%s/run\"\n"
        "front {\n    listen       = \"%s:" STATE_TRIAL_FRONT "\"\n    admin_listen = \"%s:" STATE_TRIAL_ADMIN "\"\n}\n"
        "freshchat {\n    api_url           = \"%s/v2\"\n    token_file        = \"%s/credentials/freshchat.token\"\n"
        "    webhook_key_files = {\"%s/credentials/freshchat-webhook.pem\"}\n    agent_id          = \"%s\"\n}\n"
        "freshdesk {\n    api_url             = \"%s/api/v2\"\n"
        "    key_file            = \"%s/credentials/freshdesk.key\"\n"
        "    webhook_token_files = {\"%s/credentials/freshdesk-webhook.token\"}\n}\n"
        "freshcaller {\n    enabled      = true\n    api_url      = \"%s/api/v1\"\n"
        "    key_file     = \"%s/credentials/freshcaller.key\"\n    phone_number = \"+31 20 123 45 67\"\n"
        "    country_code = \"31\"\n    poll_seconds = 2\n}\n"
        "widget {\n    script_url = \"%s/js/widget.js\"\n    host       = \"%s\"\n    token      = \"sandbox\"\n    "
        "call_back  = true\n}\n"
        "priority high-value { min_cart_value = 200.0  level = \"urgent\"  tags = {\"high-value\"} }\n"
        "priority struggling { min_cart_value = 50.0  min_friction = 60  level = \"high\" }",
        folder, folder, host, host, url, folder, folder, agent, url, folder, folder, url, folder, url, url);
    if (length < 0)
        abort();
    return text;
}

bool state_trial(const char *folder, struct sandbox *sb, const char *context_key, bool bare)
{
    static const char *const parts[] = {"credentials", "state", "run"};
    char path[4096], url[64], config[4096], host[64];
    // Its tickets' and conversations' numbers would be taken for this one's.
    path_of(path, folder, "state/ledger");
    if (access(path, F_OK) == 0) {
        fprintf(stderr,
                "deskbell-sandbox: %s is of an earlier trial, and the sandbox begins anew: remove %s/state, or name "
                "another folder\n",
                path, folder);
        return false;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        path_of(path, folder, parts[i]);
        if (!state_folder(path))
            return false;
    }
    path_of(path, folder, "credentials");
    state_base_url(sb, url);
    const char *from = url + strlen("http://");
    snprintf(host, sizeof host, "%.*s", (int)strcspn(from, ":"), from);
    char *text = trial_config(folder, sb, host);
    bool good = state_write(path, sb, context_key) && state_write_file(folder, "deskbell.conf", text);
    free(text);
    path_of(config, folder, "deskbell.conf");
    if (!good)
        return false;
    printf("\nIn a second terminal:\n\n");
    if (bare)
        printf("  deskbellctl -c %s provision \\\n      --key-file %s/freshdesk-admin.key --public-url http://%s:%s\n",
               config, path, host, STATE_TRIAL_FRONT);
    // Not everybody's PATH has it.
    const char *daemon = access("/usr/sbin/deskbelld", X_OK) == 0 ? "/usr/sbin/deskbelld" : "deskbelld";
    printf("  deskbellctl -c %s doctor\n  %s -c %s\n\n"
           "Then open %s/shop, write in the chat, and answer at %s/desk. ctrl-C ends it.\n\n",
           config, daemon, config, url, url);
    fflush(stdout);
    return true;
}
