// SPDX-License-Identifier: Apache-2.0
// The table of all configuration keys: name, type, default, limits, unit and explanation. See config_table.h.
#include "proto/config_table.h"

#include <string.h>

#define AT(member)      offsetof(struct config, member)
#define IN_RULE(member) offsetof(struct config_priority, member)

static const char *const log_words[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_words[] = {"text", "json", NULL};
static const char *const mode_words[] = {"live", "observe", NULL};
static const char *const level_words[] = {"low", "medium", "high", "urgent", NULL};

#define STRING(sec, nam, chk, def, off, hlp)                                                                           \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_STRING, .check = chk, .standard = def, .help = hlp, .offset = off  \
    }
#define REQUIRED(sec, nam, chk, show, off, hlp)                                                                        \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_STRING, .check = chk, .standard = "", .sample = show,              \
        .required = true, .help = hlp, .offset = off                                                                   \
    }
#define LIST(sec, nam, chk, def, off, hlp)                                                                             \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_LIST, .check = chk, .standard = def, .help = hlp, .offset = off    \
    }
#define INT(sec, nam, def, lo, hi, unt, off, hlp)                                                                      \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_INT, .standard = def, .min = lo, .max = hi, .unit = unt,           \
        .help = hlp, .offset = off                                                                                     \
    }
#define FLOAT(sec, nam, def, lo, hi, unt, off, hlp)                                                                    \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_FLOAT, .standard = def, .min = lo, .max = hi, .unit = unt,         \
        .help = hlp, .offset = off                                                                                     \
    }
#define BOOL(sec, nam, def, off, hlp)                                                                                  \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_BOOL, .standard = def, .help = hlp, .offset = off                  \
    }
#define WORD(sec, nam, wrd, first, def, off, hlp)                                                                      \
    {                                                                                                                  \
        .section = sec, .name = nam, .type = CONFIG_WORD, .standard = def, .min = first, .words = wrd, .help = hlp,    \
        .offset = off                                                                                                  \
    }

// Ids of the helpdesk are larger than 32 bits; this is the largest whole number a double holds.
#define ID_MAX 9007199254740992.0

// clang-format off
const struct config_key config_keys[] = {
    STRING("", "state_dir", CONFIG_CHECK_DIR, "/var/lib/deskbell", AT(state_dir),
        "Where the ledger is: all that must survive a restart. One instance at a time."),
    STRING("", "runtime_dir", CONFIG_CHECK_DIR, "/run/deskbell", AT(runtime_dir),
        "Where the processes' sockets are; a short path, because socket paths end at 107 bytes."),
    STRING("", "backup_dir", CONFIG_CHECK_FILE_OR_EMPTY, "", AT(backup_dir),
        "A folder outside state_dir that backups may be written into; empty: only below state_dir."),
    WORD("", "log_level", log_words, LOG_LEVEL_ERROR, "info", AT(log_level),
        "The least important lines that are written."),
    STRING("", "log_file", CONFIG_CHECK_FILE_OR_EMPTY, "", AT(log_file),
        "A file for the log, opened anew on USR1; empty: standard error, the journal under systemd."),
    WORD("", "log_format", format_words, LOG_FORMAT_TEXT, "text", AT(log_format),
        "\"text\": lines of key=value pairs; \"json\": each line one object with the same keys."),
    WORD("", "mode", mode_words, CONFIG_MODE_LIVE, "live", AT(mode),
        "\"observe\" verifies, reads, logs what it would write, and writes nothing."),
    INT("", "retention_days", "400", 1, 36500, "days", AT(retention_days),
        "How long a quiet conversation's link to its ticket is kept."),
    INT("", "dedup_days", "30", 1, 3650, "days", AT(dedup_days),
        "How long a webhook delivered again is recognised; must exceed freshchat.replay_window_seconds."),
    WORD("", "default_priority", level_words, CONFIG_LEVEL_LOW, "medium", AT(default_priority),
        "The priority of tickets that no priority rule matches."),
    BOOL("", "mask_card_numbers", "true", AT(mask_card_numbers),
        "Payment card numbers in chat messages keep their first 6 and last 4 digits; the rest is never stored."),

    STRING("front", "listen", CONFIG_CHECK_LISTEN, "127.0.0.1:8080", AT(front.listen),
        "IPv4 address and port for webhooks and widget; plain HTTP, so put a TLS proxy before it."),
    INT("front", "threads", "64", 2, 4096, "connections", AT(front.threads),
        "One thread serves one open connection."),
    INT("front", "max_body_bytes", "1048576", 1024, 67108864, "bytes", AT(front.max_body_bytes),
        "A longer request body is refused with 413."),
    STRING("front", "admin_listen", CONFIG_CHECK_LISTEN, "127.0.0.1:9464", AT(front.admin_listen),
        "IPv4 address and port for health, metrics and status: read only, but not for the public."),
    INT("front", "min_free_bytes", "268435456", 0, ID_MAX, "bytes", AT(front.min_free_bytes),
        "With less free space in state_dir, webhooks are answered with 503."),
    LIST("front", "trusted_proxies", CONFIG_CHECK_IPV4, "", AT(front.trusted_proxies),
        "Addresses of proxies on other machines whose X-Forwarded-For is believed; one on this machine always is."),

    INT("workers", "count", "2", 1, 64, "processes", AT(workers.count),
        "Processes that call Freshworks."),
    INT("workers", "in_flight", "128", 1, 4096, "calls", AT(workers.in_flight),
        "Calls at once in each worker."),
    INT("workers", "recycle_jobs", "0", 0, 1e12, "jobs", AT(workers.recycle_jobs),
        "A worker that did this many, or up to a fifth less, is replaced by a new one; 0: never."),
    INT("workers", "recycle_mb", "0", 0, 1e6, "megabytes", AT(workers.recycle_mb),
        "The same for the memory that it occupies."),

    REQUIRED("freshchat", "api_url", CONFIG_CHECK_URL, "https://acme.freshchat.com/v2", AT(freshchat.api_url),
        "Your account's address, from Freshchat's admin settings, API tokens."),
    STRING("freshchat", "token_file", CONFIG_CHECK_FILE, "/etc/deskbell/credentials/freshchat.token", AT(freshchat.token_file),
        "File with the API token; no access for others (chmod 0640)."),
    LIST("freshchat", "webhook_key_files", CONFIG_CHECK_FILE, "/etc/deskbell/freshchat-webhook.pem", AT(freshchat.webhook_key_files),
        "Public keys that sign Freshchat's webhooks; several while a key is rotated."),
    LIST("freshchat", "channels", CONFIG_CHECK_NONE, "", AT(freshchat.channels),
        "Ids of the channels to serve; empty: all. Also the way to pilot."),
    STRING("freshchat", "agent_id", CONFIG_CHECK_NONE, "", AT(freshchat.agent_id),
        "The Freshchat agent that relayed replies speak as, where no e-mail matches."),
    INT("freshchat", "replay_window_seconds", "86400", 0, 315360000, "seconds", AT(freshchat.replay_window_seconds),
        "A webhook whose action_time is older is refused; 0 switches the check off."),
    INT("freshchat", "poll_seconds", "60", 1, 86400, "seconds", AT(freshchat.poll_seconds),
        "How often open conversations are read, in case a webhook was lost."),
    INT("freshchat", "calls_per_minute", "0", 0, 1000000, "calls", AT(freshchat.calls_per_minute),
        "The budget of calls; 0: none set, 429 and Retry-After decide."),
    STRING("freshchat", "proxy", CONFIG_CHECK_PROXY, "", AT(freshchat.proxy),
        "http://host:port of a proxy on the way out; empty: none."),
    STRING("freshchat", "ca_file", CONFIG_CHECK_FILE_OR_EMPTY, "", AT(freshchat.ca_file),
        "File with the certificates to trust instead of the system's."),

    REQUIRED("freshdesk", "api_url", CONFIG_CHECK_URL, "https://acme.freshdesk.com/api/v2", AT(freshdesk.api_url),
        "Your helpdesk's address with /api/v2 behind it."),
    STRING("freshdesk", "key_file", CONFIG_CHECK_FILE, "/etc/deskbell/credentials/freshdesk.key", AT(freshdesk.key_file),
        "File with the API key; no access for others (chmod 0640)."),
    LIST("freshdesk", "webhook_token_files", CONFIG_CHECK_FILE, "/etc/deskbell/credentials/freshdesk-webhook.token", AT(freshdesk.webhook_token_files),
        "Files with the token that Freshdesk's automation sends; several while it is changed."),
    INT("freshdesk", "calls_per_minute", "0", 0, 1000000, "calls", AT(freshdesk.calls_per_minute),
        "The budget of calls; 0: learnt from the response headers, times max_share."),
    FLOAT("freshdesk", "max_share", "0.7", 0.01, 1.0, NULL, AT(freshdesk.max_share),
        "The part of the account's learnt budget Deskbell may use; other programs need the rest."),
    INT("freshdesk", "poll_seconds", "10", 1, 86400, "seconds", AT(freshdesk.poll_seconds),
        "How often changed tickets are listed, in case a webhook was lost."),
    STRING("freshdesk", "conversation_field", CONFIG_CHECK_FIELD, "cf_freshchat_conversation_id", AT(freshdesk.conversation_field),
        "Custom ticket field that links a ticket to its conversation."),
    STRING("freshdesk", "cart_field", CONFIG_CHECK_FIELD, "cf_cart_value", AT(freshdesk.cart_field),
        "Custom ticket field for the value of the cart."),
    STRING("freshdesk", "friction_field", CONFIG_CHECK_FIELD, "cf_friction_score", AT(freshdesk.friction_field),
        "Custom ticket field for the friction score."),
    STRING("freshdesk", "screen_field", CONFIG_CHECK_FIELD, "cf_screen", AT(freshdesk.screen_field),
        "Custom ticket field for the screen the customer wrote from."),
    BOOL("freshdesk", "key_owner_answers", "true", AT(freshdesk.key_owner_answers),
        "Whether the key's owner answers customers; false: its entries are not relayed, once its id is known."),
    STRING("freshdesk", "proxy", CONFIG_CHECK_PROXY, "", AT(freshdesk.proxy),
        "http://host:port of a proxy on the way out; empty: none."),
    STRING("freshdesk", "ca_file", CONFIG_CHECK_FILE_OR_EMPTY, "", AT(freshdesk.ca_file),
        "File with the certificates to trust instead of the system's."),

    BOOL("freshcaller", "enabled", "false", AT(freshcaller.enabled),
        "Whether calls are read from Freshcaller and join the customer's ticket."),
    STRING("freshcaller", "api_url", CONFIG_CHECK_URL, "https://acme.freshcaller.com/api/v1", AT(freshcaller.api_url),
        "Your Freshcaller account's address."),
    STRING("freshcaller", "key_file", CONFIG_CHECK_FILE, "/etc/deskbell/credentials/freshcaller.key", AT(freshcaller.key_file),
        "File with the API key; no access for others (chmod 0640)."),
    STRING("freshcaller", "phone_number", CONFIG_CHECK_PHONE, "", AT(freshcaller.phone_number),
        "What \"Call us\" dials."),
    STRING("freshcaller", "country_code", CONFIG_CHECK_COUNTRY, "", AT(freshcaller.country_code),
        "The dialling code of national numbers, such as 44; empty: they match nobody."),
    STRING("freshcaller", "trunk_prefix", CONFIG_CHECK_TRUNK, "0", AT(freshcaller.trunk_prefix),
        "What national numbers begin with; empty: nothing (Spain, Poland). Not used for country codes 1, 39 and 378."),
    INT("freshcaller", "poll_seconds", "15", 1, 86400, "seconds", AT(freshcaller.poll_seconds),
        "How often calls are listed."),
    INT("freshcaller", "native_wait_seconds", "10", 0, 300, "seconds", AT(freshcaller.native_wait_seconds),
        "How long Freshcaller's own link to Freshdesk may take to open a ticket for a call."),
    INT("freshcaller", "calls_per_minute", "0", 0, 1000000, "calls", AT(freshcaller.calls_per_minute),
        "The budget of calls to its API; 0: none set, 429 and Retry-After decide."),
    STRING("freshcaller", "proxy", CONFIG_CHECK_PROXY, "", AT(freshcaller.proxy),
        "http://host:port of a proxy on the way out; empty: none."),
    STRING("freshcaller", "ca_file", CONFIG_CHECK_FILE_OR_EMPTY, "", AT(freshcaller.ca_file),
        "File with the certificates to trust instead of the system's."),

    STRING("widget", "script_url", CONFIG_CHECK_URL, "https://wchat.freshchat.com/js/widget.js", AT(widget.script_url),
        "Where the chat's script is loaded from."),
    STRING("widget", "host", CONFIG_CHECK_URL, "https://wchat.freshchat.com", AT(widget.host),
        "The host the chat talks to."),
    STRING("widget", "token", CONFIG_CHECK_NONE, "", AT(widget.token),
        "The widget's token: public, every visitor's browser sees it. Empty: no chat is loaded by script_url's older kind."),
    STRING("widget", "context_key_file", CONFIG_CHECK_FILE_OR_EMPTY, "", AT(widget.context_key_file),
        "File with the key that the shop's server signs carts with. Unsigned carts are then tagged and never urgent."),
    STRING("widget", "call_hours", CONFIG_CHECK_NONE, "", AT(widget.call_hours),
        "When freshcaller.phone_number is answered, as shoppers read it: \"Mon-Fri 9:00-17:30\"."),
    STRING("widget", "call_time_zone", CONFIG_CHECK_NONE, "", AT(widget.call_time_zone),
        "The time zone of call_hours, as shoppers read it."),
    STRING("widget", "public_url", CONFIG_CHECK_URL_OR_EMPTY, "", AT(widget.public_url),
        "Where shoppers reach the front, through your proxy: \"https://desk.shop.example\"; for call_message."),
    STRING("widget", "call_message", CONFIG_CHECK_NONE, "", AT(widget.call_message),
        "Said in the chat, with a button to /support, when a ticket opens for a shopper with high friction; empty: nothing."),
    BOOL("widget", "call_back", "false", AT(widget.call_back),
        "Whether shoppers can ask to be called back, which opens a ticket; needs freshcaller.phone_number."),
    LIST("widget", "origins", CONFIG_CHECK_ORIGIN, "", AT(widget.origins),
        "Shops whose pages may ask for calls: \"https://shop.example\"; empty: those of the same site as the front."),
    INT("widget", "call_backs_per_client", "6", 1, 1000, "calls", AT(widget.call_backs_per_client),
        "So many requests to be called are taken from one address in an hour,"),
    INT("widget", "call_backs_per_minute", "30", 1, 10000, "calls", AT(widget.call_backs_per_minute),
        "and so many in a minute from all."),

    STRING("ticket", "type", CONFIG_CHECK_NONE, "", AT(ticket.type),
        "The type of new tickets; empty: none is sent."),
    INT("ticket", "group_id", "0", 0, ID_MAX, NULL, AT(ticket.group_id),
        "The group of new tickets; 0: none is sent."),
    INT("ticket", "product_id", "0", 0, ID_MAX, NULL, AT(ticket.product_id),
        "The product of new tickets; 0: none is sent."),
    LIST("ticket", "fields", CONFIG_CHECK_PAIR, "", AT(ticket.fields),
        "Custom fields that this helpdesk requires, each as \"cf_name=value\"."),

    FLOAT("priority", "min_cart_value", NULL, 0, 1e12, NULL, IN_RULE(min_cart_value),
        "Matches when the cart is worth at least this."),
    FLOAT("priority", "min_friction", NULL, 0, 100, NULL, IN_RULE(min_friction),
        "Matches when the friction score is at least this."),
    WORD("priority", "level", level_words, CONFIG_LEVEL_LOW, NULL, IN_RULE(level),
        "The ticket's priority; every rule sets it."),
    LIST("priority", "tags", CONFIG_CHECK_TAG, "", IN_RULE(tags),
        "Tags for the ticket."),
    INT("priority", "group_id", "0", 0, ID_MAX, NULL, IN_RULE(group_id),
        "The ticket's group; 0: that of section ticket."),

    INT("timing", "gather_quiet_ms", "1000", 0, 60000, "milliseconds", AT(timing.gather_quiet_ms),
        "Messages after the first wait for this much quiet and go as one note,"),
    INT("timing", "gather_max_ms", "1500", 0, 60000, "milliseconds", AT(timing.gather_max_ms),
        "but never longer than this."),
    INT("timing", "context_wait_ms", "1000", 0, 60000, "milliseconds", AT(timing.context_wait_ms),
        "A ticket waits this long for the customer's context, else it is completed later."),
    INT("timing", "context_refresh_seconds", "30", 1, 86400, "seconds", AT(timing.context_refresh_seconds),
        "While a chat runs, the customer's context is read again with messages at most this often, else four times slower."),
    INT("timing", "context_note_seconds", "60", 1, 86400, "seconds", AT(timing.context_note_seconds),
        "After a note that told of changes the next one waits this long."),
    INT("timing", "connect_timeout_ms", "5000", 100, 120000, "milliseconds", AT(timing.connect_timeout_ms),
        "For connecting to Freshworks, TLS included."),
    INT("timing", "request_timeout_ms", "20000", 100, 600000, "milliseconds", AT(timing.request_timeout_ms),
        "For a whole call to Freshworks."),
    INT("timing", "settle_ms", "30000", 100, 3600000, "milliseconds", AT(timing.settle_ms),
        "How long a write in doubt may take to show; at least request_timeout_ms."),
    INT("timing", "retry_first_ms", "1000", 10, 3600000, "milliseconds", AT(timing.retry_first_ms),
        "The wait before the first repetition; it doubles, with jitter,"),
    INT("timing", "retry_max_ms", "300000", 10, 86400000, "milliseconds", AT(timing.retry_max_ms),
        "up to this,"),
    INT("timing", "retry_give_up_hours", "24", 1, 8760, "hours", AT(timing.retry_give_up_hours),
        "and after this long, and four tries, the event goes to the dead letters, with its cause."),
    INT("timing", "silent_child_seconds", "10", 2, 3600, "seconds", AT(timing.silent_child_seconds),
        "A process of ours that shows no sign of life for this long is killed and replaced."),
    INT("timing", "stop_seconds", "20", 1, 3600, "seconds", AT(timing.stop_seconds),
        "When asked to leave, what was taken is finished up to this deadline."),
};
// clang-format on

const size_t config_key_count = sizeof config_keys / sizeof config_keys[0];

const struct config_section config_sections[] = {
    {"",
     "Deskbell's configuration. A key with # before it shows its default. Secrets are never written here: they are\n"
     "# in files of their own, which others may not read. Check with: deskbelld -t -c /etc/deskbell/deskbell.conf",
     false, NULL},
    {"front", "The process that listens.", false, NULL},
    {"workers", "The processes that call out.", false, NULL},
    {"freshchat", "Where customers chat.", false, NULL},
    {"freshdesk", "Where agents work.", false, NULL},
    {"freshcaller", "Where customers call.", false, NULL},
    {"widget", "What a shop's page loads.", false, NULL},
    {"ticket", "What every new ticket gets.", false, NULL},
    {"priority", "Rules for the priority of new tickets: the first that matches wins, see also default_priority.", true,
     "#priority high-value {\n#    min_cart_value = 200.0\n#    level = \"urgent\"\n#    tags = {\"high-value\"}\n#}\n"
     "#priority struggling {\n#    min_cart_value = 50.0\n#    min_friction = 60\n#    level = \"high\"\n#}\n"},
    {"timing", "Waits and deadlines. The defaults suit almost everybody.", false, NULL},
};

const size_t config_section_count = sizeof config_sections / sizeof config_sections[0];

int config_key_find(const char *section, const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].section, section) == 0 && strcmp(config_keys[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}
