// SPDX-License-Identifier: Apache-2.0
// What the sandbox knows, shared by all its files and by nothing outside. Documents are kept as the JSON that the APIs
// answer with; the structs around them hold what the APIs do not tell. Unless a comment says otherwise every function
// here is called with the store locked, and every pointer it returns is good only as long as the lock is held.
#pragma once
#include "sandbox.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <pthread.h>

// Whose API a request is for.
enum sb_product { SB_FRESHCHAT, SB_FRESHDESK, SB_FRESHCALLER };

struct sb_webhooks;
struct sb_http;

struct sb_message {
    char id[SANDBOX_ID_SIZE];
    json_t *doc;
    int64_t wall_ms, at_us;
};

struct sb_conversation {
    char id[SANDBOX_ID_SIZE];
    char numeric[24];
    char user_id[SANDBOX_ID_SIZE];
    json_t *doc;
    struct sb_message **messages; // oldest first
    size_t count;
    int64_t waiting_since_us; // the oldest customer message that no ticket or note shows yet; 0: none
    int64_t replied_us;       // the oldest agent's entry that the chat does not show yet; 0: none
    int64_t ticket_id;        // the ticket that names this conversation last
};

struct sb_entry {
    int64_t id;
    json_t *doc;
    int64_t wall_ms, at_us;
};

struct sb_ticket {
    int64_t id;
    json_t *doc;     // as GET /tickets/{id} shows it
    json_t *indexed; // as the search index knows it; NULL: not yet
    int64_t index_due_us;
    int64_t created_s, updated_s, at_us;
    struct sb_entry **entries; // oldest first; NULL holes where one was deleted
    size_t count;
};

struct sb_call {
    char method[8];
    char *path;
    int kind, status;
    int64_t at_us;
};

struct sb_limit {
    int per_minute, used;
    int64_t window_started_us;
};

struct sb_fault {
    int number;
    bool removed;
    struct sandbox_fault fault;
    struct sandbox_webhook_fault webhook;
    bool is_webhook;
    int seen;
    size_t hits;
    uint64_t random;
};

struct sandbox {
    pthread_mutex_t lock;
    pthread_cond_t changed; // CLOCK_MONOTONIC; broadcast whenever version moves
    uint64_t version;
    bool stopping;
    struct sandbox_options options; // texts are owned
    char freshchat_url[64], freshdesk_url[64], freshcaller_url[64];
    int port;
    EVP_PKEY *key;
    char *public_key;

    // Freshchat
    char app_id[SANDBOX_ID_SIZE], channel_id[SANDBOX_ID_SIZE], channel_numeric[24];
    json_t *users;       // id -> user
    json_t *channels;    // array
    json_t *chat_agents; // array
    struct sb_conversation **conversations;
    size_t conversation_count;
    json_t *conversation_index; // id or numeric id -> position
    int64_t next_numeric;

    // Freshdesk
    struct sb_ticket **tickets; // position = id - options.first_ticket_id
    size_t ticket_count;
    json_t *contacts;      // array
    json_t *contact_index; // "email:x", "phone:x", "external:x", "id:n" -> position
    json_t *desk_agents;   // array
    json_t *fields;        // array
    json_t *rules;         // array
    json_t *entry_index;   // entry id -> ticket id
    int64_t next_object, integration_agent, administrator;

    // Freshcaller
    json_t *phone_calls; // array, in the order they were made
    int64_t next_phone_call;
    struct sandbox_phone_options phone;

    // what happened, and what is meant to go wrong
    struct sb_call *calls;
    size_t call_count, call_room;
    size_t calls_by_kind[SANDBOX_ENDPOINTS];
    struct sandbox_delivery *deliveries;
    size_t delivery_count, delivery_room;
    struct sb_fault *faults;
    size_t fault_count;
    struct sb_limit limits[SANDBOX_LIMITS];
    int64_t limit_window_ms;

    struct sb_webhooks *webhooks;
    struct sb_http *http;
};

// Allocation never fails here: a test double has nothing better to do than to abort. Callable from anywhere.
void *sb_alloc(size_t bytes);
void *sb_grow(void *old, size_t count, size_t element_bytes);
char *sb_copy(const char *text); // NULL stays NULL
#define SB_NEED(call)                                                                                                  \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            abort();                                                                                                   \
    } while (0)

void sb_lock(struct sandbox *sb);
void sb_unlock(struct sandbox *sb);
// Something changed: wakes all that wait.
void sb_store_changed(struct sandbox *sb);
// Sleeps on the state, not on the clock alone: returns false as soon as the sandbox stops. Takes the lock itself.
bool sb_store_pause(struct sandbox *sb, int64_t ms);
// Waits until version differs from *version (which it updates), the time is over, or the sandbox stops (then false).
// Locks itself.
bool sb_store_wait_change(struct sandbox *sb, uint64_t *version, int64_t ms);

// The wall clock as this Freshworks has it, skew included.
int64_t sb_store_wall_ms(const struct sandbox *sb);
void sb_store_time_ms(int64_t wall_ms, char text[32]); // 2025-03-04T10:20:30.456Z, Freshchat's form
void sb_store_time_s(int64_t wall_s, char text[32]);   // 2025-03-04T10:20:30Z, Freshdesk's form
// Reads either form and +hh:mm offsets; false when it is neither.
bool sb_store_parse_time(const char *text, int64_t *wall_ms);
void sb_store_uuid(char id[SANDBOX_ID_SIZE]);
int64_t sb_store_object_id(struct sandbox *sb);

void sb_store_init(struct sandbox *sb);
void sb_store_clear(struct sandbox *sb);
json_t *sb_store_add_desk_agent(struct sandbox *sb, const char *name, const char *email);
json_t *sb_store_add_chat_agent(struct sandbox *sb, const char *first, const char *last, const char *email);
json_t *sb_store_add_field(struct sandbox *sb, const char *name, const char *label, const char *type);
// NULL when there is none.
struct sb_conversation *sb_store_conversation(struct sandbox *sb, const char *id);
struct sb_conversation *sb_store_add_conversation(struct sandbox *sb, const char *user_id, const char *channel_id);
struct sb_ticket *sb_store_ticket(struct sandbox *sb, int64_t id);
json_t *sb_store_chat_agent(struct sandbox *sb, const char *id);
json_t *sb_store_desk_agent(struct sandbox *sb, int64_t id);
json_t *sb_store_agent_by_email(json_t *agents, const char *email);
json_t *sb_store_contact(struct sandbox *sb, int64_t id);
// key is "email:...", "phone:...", "external:..."; e-mail without regard to case.
json_t *sb_store_contact_by(struct sandbox *sb, const char *kind, const char *value);
json_t *sb_store_add_contact(struct sandbox *sb, const char *name, const char *email, const char *phone,
                             const char *external);
// The ticket was changed: updated_at, search index, waiters.
void sb_store_touch_ticket(struct sandbox *sb, struct sb_ticket *ticket, bool visible);
// The text of a custom field of a ticket, NULL when it is null or no text.
const char *sb_store_ticket_field(const struct sb_ticket *ticket, const char *name);
// Logs a request on arrival; returns its position in sb->calls, where the status is written when it is answered.
size_t sb_store_log_call(struct sandbox *sb, const char *method, const char *path, int kind);
void sb_store_event(struct sandbox *sb, enum sandbox_event_kind kind, const char *conversation_id, int64_t ticket_id,
                    int64_t since_us, const char *text);
