// SPDX-License-Identifier: Apache-2.0
// The configuration as a plain tree of structs. deskbelld reads the file, and its children the snapshot of it, with the
// same function, so they always agree. What keys exist, with type, default, limits and explanation, is in the one table
// of config_table.c; this struct is what the table fills. After parsing nothing changes it: share it between threads.
#ifndef DESKBELL_PROTO_CONFIG_H
#define DESKBELL_PROTO_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/log.h"
#include "proto/phone.h"

enum config_mode { CONFIG_MODE_LIVE, CONFIG_MODE_OBSERVE };

// Freshdesk's own numbers.
enum config_level { CONFIG_LEVEL_LOW = 1, CONFIG_LEVEL_MEDIUM = 2, CONFIG_LEVEL_HIGH = 3, CONFIG_LEVEL_URGENT = 4 };

// Strings are never NULL; an empty one means "not set" wherever the key may be left empty.
struct config_list {
    char **items;
    size_t count;
};

struct config_front {
    char *listen; // "a.b.c.d:port", for config_listen_address
    int64_t threads;
    int64_t max_body_bytes;
    char *admin_listen;
    int64_t min_free_bytes;             // below this much free disk intake answers 503
    struct config_list trusted_proxies; // IPv4 addresses whose X-Forwarded-For is believed; loopback always is
};

struct config_workers {
    int64_t count;
    int64_t in_flight;    // calls at once in each
    int64_t recycle_jobs; // 0: never
    int64_t recycle_mb;   // 0: never
};

struct config_freshchat {
    char *api_url; // no slash at the end
    char *token_file;
    struct config_list webhook_key_files;
    struct config_list channels;   // empty: all
    char *agent_id;                // empty: none
    int64_t replay_window_seconds; // 0: no check
    int64_t poll_seconds;
    int64_t calls_per_minute; // 0: no set budget
    char *proxy;              // empty: none
    char *ca_file;            // empty: the system's
};

struct config_freshdesk {
    char *api_url; // no slash at the end
    char *key_file;
    struct config_list webhook_token_files;
    int64_t calls_per_minute; // 0: learnt from the response headers
    double max_share;
    int64_t poll_seconds;
    char *conversation_field;
    char *cart_field;
    char *friction_field;
    char *screen_field;
    bool key_owner_answers;
    char *proxy;
    char *ca_file;
};

struct config_freshcaller {
    bool enabled;
    char *api_url;
    char *key_file;
    char *phone_number;
    char *country_code; // digits, "" when not set
    char *trunk_prefix; // digits, "" where national numbers have none
    int64_t poll_seconds;
    int64_t native_wait_seconds;
    int64_t calls_per_minute;
    char *proxy;
    char *ca_file;
};

struct config_widget {
    char *script_url;
    char *host;
    char *token;
    char *context_key_file; // the key that the shop's server signs carts with; empty: carts are not signed
    char *call_hours;       // for people; empty: not shown
    char *call_time_zone;   // for people; empty: not shown
    char *call_message;     // said in the chat to who struggles; empty: nothing is
    char *public_url;       // of the front, as shoppers reach it; no slash at the end; empty: not known
    bool call_back;         // POST /callback is served; only with freshcaller.phone_number
    struct config_list
        origins; // "https://shop.example": pages that may ask for calls; empty: those of the front's site
    int64_t call_backs_per_client; // an hour
    int64_t call_backs_per_minute; // of all
};

struct config_ticket {
    char *type;                // empty: not sent
    int64_t group_id;          // 0: not sent
    int64_t product_id;        // 0: not sent
    struct config_list fields; // "cf_name=value": custom fields that this helpdesk requires, sent with every ticket
};

// One rule. It matches when every condition that is set holds; the first rule that matches wins.
struct config_priority {
    char *name;
    bool has_min_cart_value;
    double min_cart_value;
    bool has_min_friction;
    double min_friction;
    enum config_level level;
    struct config_list tags;
    int64_t group_id; // 0: ticket.group_id
};

struct config_timing {
    int64_t gather_quiet_ms;
    int64_t gather_max_ms;
    int64_t context_wait_ms;
    int64_t context_refresh_seconds; // a conversation's customer is read again at most this often
    int64_t context_note_seconds;    // and its ticket gets a note about changes at most this often
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    int64_t settle_ms; // >= request_timeout_ms
    int64_t retry_first_ms;
    int64_t retry_max_ms;
    int64_t retry_give_up_hours;
    int64_t silent_child_seconds;
    int64_t stop_seconds;
};

struct config {
    char *state_dir; // absolute, no slash at the end
    char *runtime_dir;
    char *backup_dir; // empty: backups only below state_dir
    enum log_level log_level;
    enum log_format log_format;
    char *log_file; // empty: stderr
    enum config_mode mode;
    int64_t retention_days;
    int64_t dedup_days;
    struct config_front front;
    struct config_workers workers;
    struct config_freshchat freshchat;
    struct config_freshdesk freshdesk;
    struct config_freshcaller freshcaller;
    struct config_widget widget;
    struct config_ticket ticket;
    struct config_priority *priorities;
    size_t priority_count;
    enum config_level default_priority;
    bool mask_card_numbers;
    struct config_timing timing;
    char *filename; // what errors name
    int *lines;     // line of each key of the table, 0 where it was not given; for config_error_at
};

// Where and what is wrong: a sentence that says what to do. line 0: no single line is to blame.
struct config_error {
    char file[256];
    int line;
    char message[768];
};

// A configuration text is at most this long.
#define CONFIG_MAX_BYTES 1048576

// Parses and checks a whole configuration text; `filename` is for messages only. True with *out to be freed by
// config_free; false with *error filled and *out NULL.
bool config_parse(const char *text, size_t len, const char *filename, struct config **out, struct config_error *error)
    __attribute__((warn_unused_result));

// The same for a seekable descriptor (the children's snapshot, PIPES_FD_CONFIG); reads from its start, leaves it open
// and its offset alone.
bool config_from_fd(int fd, const char *filename, struct config **out, struct config_error *error)
    __attribute__((warn_unused_result));

// Frees everything; *config becomes NULL. A NULL *config is fine.
void config_free(struct config **config);

// Writes "file:line: sentence" (or "file: sentence"). Returns out.
char *config_error_text(const struct config_error *error, char *out, size_t size);

// Fills *error for one key of a parsed configuration, with the line where it was given.
void config_error_at(struct config_error *error, const struct config *config, const char *section, const char *key,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

// Reads "a.b.c.d:port" (port 0 lets the kernel choose). IPv4 only: the distribution's CivetWeb has no IPv6.
bool config_listen_address(const char *text, struct sockaddr_in *address) __attribute__((warn_unused_result));

// How national numbers are written where the customers are. Borrows from `config`.
static inline struct phone_plan config_phone_plan(const struct config *config)
{
    return (struct phone_plan){config->freshcaller.country_code, config->freshcaller.trunk_prefix};
}

// The level's word: "low", "medium", "high", "urgent".
const char *config_level_name(enum config_level level);

// Returns the sample configuration that is installed as etc/deskbell.conf, made from the table; to be freed with
// free().
char *config_sample(void);

#endif
