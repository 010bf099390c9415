// SPDX-License-Identifier: Apache-2.0
// The sandbox: the whole of Freshworks as Deskbell can see it, on loopback, inside the calling process. One object
// serves the Freshchat API (/v2), the Freshdesk API (/api/v2), the Freshcaller API (/api/v1), the pages /shop and
// /desk, and sends the signed Freshchat webhooks and the Freshdesk hints. A test acts as a customer or an agent,
// switches faults on, waits for conditions and looks at the state.
//
// Every function here may be called from any thread. Times called `at_us` are CLOCK_MONOTONIC microseconds, so that
// differences are latencies; times called `_ms` in documents are the sandbox's own wall clock, which can be skewed. It
// is a test double: nothing is kept on disk and nothing but loopback is ever called.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox;

// How Freshcaller behaves; see sandbox_phone_set.
struct sandbox_phone_options {
    int page_cap;      // per_page has no effect beyond it; 0: none
    bool no_meta;      // lists do not say how many pages there are
    bool newest_first; // order of lists; the service's own is not documented
    bool native;       // the link to Freshdesk opens a ticket of its own for each call that ends
    bool native_mute;  // and the call does not name it
};

#define SANDBOX_ID_SIZE        40  // a UUID as text with its NUL
#define SANDBOX_MAX_RETRIES    8   // entries in a list of retry gaps
#define SANDBOX_SIGNATURE_SIZE 512 // base64 of an RSA-2048 signature with its NUL, with room

// ---------------------------------------------------------------- events, for the program's log lines
enum sandbox_event_kind {
    SANDBOX_EVENT_CUSTOMER_WROTE,
    SANDBOX_EVENT_TICKET_CREATED,
    SANDBOX_EVENT_TICKET_UPDATED,
    SANDBOX_EVENT_NOTE_ADDED,
    SANDBOX_EVENT_AGENT_REPLIED, // a reply or a public note by a person in Freshdesk
    SANDBOX_EVENT_PRIVATE_NOTE,
    SANDBOX_EVENT_REACHED_CHAT,   // a message posted over the API is in the conversation
    SANDBOX_EVENT_AGENT_TYPED,    // an agent wrote inside Freshchat
    SANDBOX_EVENT_PHONE_CALL,     // one is over
    SANDBOX_EVENT_WEBHOOK_FAILED, // an attempt was not answered 2xx
};

struct sandbox_event {
    enum sandbox_event_kind kind;
    const char *conversation_id; // "" when not known
    int64_t ticket_id;           // 0 when not known
    double since_ms;             // since the customer wrote, or the agent replied; negative: not applicable
    const char *text;            // a short text for people
};

// ---------------------------------------------------------------- life
// The reference and a live account disagree about it (freshworks-api 4.11).
enum sandbox_layout { SANDBOX_LAYOUT_EITHER, SANDBOX_LAYOUT_BESIDE_CONTENT, SANDBOX_LAYOUT_INSIDE_CONTENT };

struct sandbox_options {
    int port;                                       // on 127.0.0.1; 0: any free one
    const char *host;                               // a loopback address; NULL: 127.0.0.1
    int threads;                                    // connections served at once
    int senders;                                    // webhooks in flight at once
    const char *freshchat_token;                    // what Bearer must say
    const char *freshdesk_key;                      // the Basic user name
    const char *freshcaller_key;                    // what X-Api-Auth must say
    const char *hint_token;                         // X-Deskbell-Token of hints; "" sends none
    const char *context_key;                        // what the shop signs carts with; NULL or "": it does not
    const char *freshchat_webhook_url;              // "" or NULL: no webhooks are sent (yet)
    const char *freshdesk_webhook_url;              // where the automation rule that is there from the start points
    const char *private_key_pem;                    // NULL: a new 2048-bit key
    int64_t freshchat_gaps_ms[SANDBOX_MAX_RETRIES]; // pause before each retry
    int freshchat_retries;
    int64_t freshchat_timeout_ms; // per attempt
    int64_t freshdesk_gaps_ms[SANDBOX_MAX_RETRIES];
    int freshdesk_retries;
    int64_t freshdesk_timeout_ms;
    double freshdesk_clock_scale; // divides the gaps above: 60 turns minutes into seconds
    bool echo;                    // messages posted over the API come back as webhooks
    bool default_rule;            // a rule that fires hints exists from the start
    bool hint_number;             // ticket_id in the hint as a number, not as text
    bool incoming_notes_fire;     // notes marked incoming, made with an agent's key, fire rules too
    bool oldest_first;            // order of GET messages; the service's own is not documented
    bool numeric_ids;             // numeric conversation ids are accepted in paths
    bool flat_body_text;          // body_text has no line breaks
    bool private_notes_touch;     // a private note moves the ticket's updated_at
    bool messages_touch_users;    // what a customer writes moves the user's updated_time
    bool bare_lists;              // Freshchat's agents and channels as bare arrays
    int freshchat_text_limit;     // characters in one text part; 0: none
    int freshchat_post_status;    // 200 or 201 for stored messages
    int64_t search_lag_ms;
    int64_t clock_skew_ms; // the sandbox's wall clock is ahead by this much
    int64_t first_ticket_id;
    int64_t first_object_id;            // entries, contacts, agents, rules
    const char *freshdesk_admin_key;    // an administrator's; NULL: there is none
    bool freshdesk_key_is_admin;        // the integration's own key may do what an administrator's may
    bool no_fields;                     // the four custom fields do not exist yet
    bool numbered_fields;               // see sandbox_set_numbered_fields
    bool built_in_chat;                 // a new account: no Freshchat API, tickets have structured descriptions
    enum sandbox_layout webhook_layout; // where a rule's webhook says its layout and type
    bool text_fields;                   // cart and friction fields are text instead of a decimal and a whole number
    const char *conversation_field, *cart_field, *friction_field,
        *screen_field; // custom fields that exist from the start
    void (*on_event)(void *arg,
                     const struct sandbox_event *event); // called with the sandbox locked: be quick, do not call back
    void *on_event_arg;
};

// Fills in the defaults: everything as the real services do it, ids beyond 32 bits, webhooks without targets.
void sandbox_options_init(struct sandbox_options *options);

// Starts serving. Copies the options. Returns NULL, with a line on stderr, when it cannot listen. Ignores SIGPIPE for
// the process.
struct sandbox *sandbox_new(const struct sandbox_options *options);

// Stops: closes all connections, drops webhooks that still wait, frees everything, and sets the pointer to NULL.
void sandbox_free(struct sandbox **sandbox);

int sandbox_port(const struct sandbox *sb);
const char *sandbox_freshchat_url(const struct sandbox *sb);   // http://127.0.0.1:PORT/v2
const char *sandbox_freshdesk_url(const struct sandbox *sb);   // http://127.0.0.1:PORT/api/v2
const char *sandbox_freshcaller_url(const struct sandbox *sb); // http://127.0.0.1:PORT/api/v1
const char *sandbox_freshchat_token(const struct sandbox *sb);
const char *sandbox_freshcaller_key(const struct sandbox *sb);
const char *sandbox_freshdesk_key(const struct sandbox *sb);
const char *sandbox_freshdesk_admin_key(const struct sandbox *sb);
const char *sandbox_hint_token(const struct sandbox *sb);

// The webhook key as Freshchat shows it: labelled RSA PUBLIC KEY, one line, SubjectPublicKeyInfo inside. Owned by the
// sandbox.
const char *sandbox_public_key(const struct sandbox *sb);

void sandbox_set_freshchat_webhook(struct sandbox *sb, const char *url);
void sandbox_set_freshdesk_webhook(struct sandbox *sb, const char *url);
void sandbox_set_echo(struct sandbox *sb, bool echo);
void sandbox_set_oldest_first(struct sandbox *sb, bool oldest_first);
void sandbox_set_hint_number(struct sandbox *sb, bool number);
void sandbox_set_search_lag(struct sandbox *sb, int64_t lag_ms);
void sandbox_set_clock_skew(struct sandbox *sb, int64_t skew_ms);
void sandbox_set_built_in_chat(struct sandbox *sb, bool built_in);
void sandbox_set_key_is_admin(struct sandbox *sb, bool admin);
// New ticket fields get a number behind their names, as where the name was used before.
void sandbox_set_numbered_fields(struct sandbox *sb, bool numbered);

// Ticket fields: makes or changes one (type "custom_text"), takes one away, tells one's type (false: there is none).
void sandbox_field_set(struct sandbox *sb, const char *name, const char *type, bool required);
bool sandbox_field_remove(struct sandbox *sb, const char *name);
bool sandbox_field_type(struct sandbox *sb, const char *name, char *type, size_t size);
// The automation rules for ticket updates as a JSON array, to be freed; and whether the first of them is active.
char *sandbox_rules(struct sandbox *sb);
void sandbox_rules_set_active(struct sandbox *sb, bool active);

// ---------------------------------------------------------------- people
// The agents that exist from the start. Anna is in both products under one e-mail address; Ben only in Freshdesk; Chris
// only in Freshchat. The integration agent owns the Freshdesk key; the assistant is the Freshchat agent that relayed
// replies speak as.
#define SANDBOX_ANNA        "anna.berg@shop.example"
#define SANDBOX_BEN         "ben.kaya@shop.example"
#define SANDBOX_CHRIS       "chris.noor@shop.example"
#define SANDBOX_INTEGRATION "integration@shop.example"
#define SANDBOX_ASSISTANT   "assistant@shop.example"
#define SANDBOX_OWNER       "owner@shop.example" // the administrator, whose key is freshdesk_admin_key

// The group and the product that exist.
#define SANDBOX_GROUP   INT64_C(17000000001)
#define SANDBOX_PRODUCT INT64_C(18000000001)

// Returns the Freshdesk id of the agent with that e-mail, 0 when there is none.
int64_t sandbox_desk_agent(struct sandbox *sb, const char *email);
// Copies the Freshchat id of the agent with that e-mail; false when there is none.
bool sandbox_chat_agent(struct sandbox *sb, const char *email, char id[SANDBOX_ID_SIZE]);
// Takes a Freshchat agent out of service, or back: messages in a deactivated agent's name are refused.
bool sandbox_chat_agent_set_active(struct sandbox *sb, const char *email, bool active);
// Copies the id of the channel that customers write in.
void sandbox_channel(struct sandbox *sb, char id[SANDBOX_ID_SIZE]);

struct sandbox_customer_info { // NULL members are absent
    const char *first_name, *last_name, *email, *phone, *reference_id;
    const char *cart_value, *friction_score, *screen; // user properties; Freshchat knows only text
};

struct sandbox_customer {
    char user_id[SANDBOX_ID_SIZE];
    char conversation_id[SANDBOX_ID_SIZE];
};

// ---------------------------------------------------------------- act: the customer
// A user and an empty conversation. No webhook is sent before the first message, as in the real service.
void sandbox_customer_new(struct sandbox *sb, const struct sandbox_customer_info *info,
                          struct sandbox_customer *customer);
// Another conversation of the same user, which makes the older one "not the latest".
void sandbox_customer_new_conversation(struct sandbox *sb, struct sandbox_customer *customer);
// Sets or replaces one user property; a NULL value removes it.
void sandbox_customer_property(struct sandbox *sb, const struct sandbox_customer *customer, const char *name,
                               const char *value);
// Stores a text message and sends its webhook. message_id may be NULL.
void sandbox_customer_writes(struct sandbox *sb, const struct sandbox_customer *customer, const char *text,
                             char message_id[SANDBOX_ID_SIZE]);
// The same with message_parts given as a JSON array. Returns false when that is not an array.
bool sandbox_customer_sends(struct sandbox *sb, const struct sandbox_customer *customer, const char *parts_json,
                            char message_id[SANDBOX_ID_SIZE]);
// Stores a text message and returns the body of its webhook without sending it; the caller frees it.
char *sandbox_customer_drafts(struct sandbox *sb, const struct sandbox_customer *customer, const char *text,
                              char message_id[SANDBOX_ID_SIZE]);

// Signs exactly these bytes with the account's webhook key; base64 into signature.
void sandbox_sign(struct sandbox *sb, const void *body, size_t length, char signature[SANDBOX_SIGNATURE_SIZE]);
// POSTs a body to the Freshchat webhook target now, in the calling thread, with this signature (NULL: the right one).
// Returns the HTTP status, 0 when there was no answer within the timeout.
int sandbox_deliver(struct sandbox *sb, const void *body, size_t length, const char *signature);
// POSTs any hint body to the Freshdesk webhook target now; token NULL: the right one. Returns as sandbox_deliver.
int sandbox_deliver_hint(struct sandbox *sb, const char *body, const char *token);

// ---------------------------------------------------------------- act: the agents
// A ticket that somebody else made: a person, or another program. conversation_id goes into the conversation field;
// NULL leaves it empty. Returns its id, 0 when the e-mail is none.
int64_t sandbox_ticket_new(struct sandbox *sb, const char *subject, const char *email, const char *conversation_id);
// The same for somebody who is known by a telephone number alone; mobile: as the second number, not the first.
int64_t sandbox_ticket_new_by_phone(struct sandbox *sb, const char *subject, const char *phone, bool mobile);
// A ticket as Freshchat's own link to Freshdesk makes it: of a chat, without Deskbell's conversation. Returns its id.
int64_t sandbox_ticket_by_link(struct sandbox *sb, const char *subject, const char *email);
enum sandbox_entry_kind { SANDBOX_REPLY, SANDBOX_PUBLIC_NOTE, SANDBOX_PRIVATE_NOTE };
// An agent writes in Freshdesk; rules fire. body is HTML. Returns the entry's id, 0 when ticket or agent is unknown.
int64_t sandbox_agent_writes(struct sandbox *sb, int64_t ticket_id, const char *agent_email,
                             enum sandbox_entry_kind kind, const char *body_html);
// The customer answers by e-mail: an incoming entry that is not Deskbell's. Returns its id, 0 when the ticket is
// unknown.
int64_t sandbox_customer_emails(struct sandbox *sb, int64_t ticket_id, const char *body_html);
// Sets a ticket's status as an agent would; rules fire. False when the ticket is unknown.
bool sandbox_ticket_status(struct sandbox *sb, int64_t ticket_id, const char *agent_email, int status);
// What an agent does to a ticket by hand: another priority (0: keeps it), one more tag (NULL: none). False when the
// ticket is unknown.
bool sandbox_ticket_set(struct sandbox *sb, int64_t ticket_id, int priority, const char *tag);
// An agent types inside Freshchat; the webhook is sent. message_type "normal" or "private".
bool sandbox_agent_types(struct sandbox *sb, const char *conversation_id, const char *agent_email, const char *text,
                         const char *message_type, char message_id[SANDBOX_ID_SIZE]);
// An agent resolves, or the customer's side reopens, the chat; webhooks are sent.
bool sandbox_chat_resolve(struct sandbox *sb, const char *conversation_id, const char *agent_email);
bool sandbox_chat_reopen(struct sandbox *sb, const char *conversation_id);

// ---------------------------------------------------------------- act: the telephone
// The statuses that are known of Freshcaller's participants; others occur.
enum { SANDBOX_PHONE_ANSWERED = 1, SANDBOX_PHONE_MISSED = 3 };
#define SANDBOX_PHONE_LINE "+442079460001" // the shop's own number

void sandbox_phone_set(struct sandbox *sb, const struct sandbox_phone_options *options);
// A customer calls: it rings. `from` is whatever the line tells ("anonymous"); name may be NULL. Returns the call's id.
int64_t sandbox_phone_rings(struct sandbox *sb, const char *from, const char *name);
// An agent calls a customer; it rings there.
int64_t sandbox_phone_dials(struct sandbox *sb, const char *to, const char *agent);
// An agent, by any name, takes the call. False when there is no such call; the same for those below.
bool sandbox_phone_connects(struct sandbox *sb, int64_t call_id, const char *agent);
// It is over: `status` is what the customer's participant says of it.
bool sandbox_phone_ends(struct sandbox *sb, int64_t call_id, int seconds, int status);
// The call goes on to another agent: a leg of its own, which that agent takes. Returns the leg's id, 0: no such call.
int64_t sandbox_phone_transfers(struct sandbox *sb, int64_t call_id, const char *agent);
// The recording is ready; the agent wrote something about the call; something changed that nobody sees.
bool sandbox_phone_recorded(struct sandbox *sb, int64_t call_id);
bool sandbox_phone_noted(struct sandbox *sb, int64_t call_id, const char *text);
bool sandbox_phone_touched(struct sandbox *sb, int64_t call_id);
// The call was made, and changed last, this much earlier than it was.
bool sandbox_phone_earlier(struct sandbox *sb, int64_t call_id, int64_t ms);
// The link to Freshdesk opens its ticket for the call now; the call names it unless `mute`. Returns the ticket's id.
int64_t sandbox_phone_native_ticket(struct sandbox *sb, int64_t call_id, bool mute);
// A whole call at once, that begins now minus its length: answered by that agent, or missed (agent NULL). Returns its
// id.
int64_t sandbox_phone_call(struct sandbox *sb, const char *from, const char *name, const char *agent, int seconds);

// ---------------------------------------------------------------- look
struct sandbox_ticket {
    int64_t id, requester_id;
    char *subject, *description, *description_text;
    int priority, status, source;
    size_t tag_count;
    char **tags;
    char *conversation_id;          // the custom fields; NULL when the field is null
    char *cart, *friction, *screen; // as JSON text: 249.5, "basket"; NULL when null
    size_t entry_count;
    int64_t at_us;
};
struct sandbox_entry {
    int64_t id, user_id;
    char *body, *body_text;
    bool incoming, is_private;
    int source;
    int64_t created_ms;
    int64_t at_us;
};
struct sandbox_message {
    char id[SANDBOX_ID_SIZE];
    char actor_type[16];
    char actor_id[SANDBOX_ID_SIZE];
    char source[16];
    char message_type[16];
    char *text; // all text parts, joined by a line break
    int64_t created_ms;
    int64_t at_us;
};
struct sandbox_call {
    char method[8];
    char *path; // with its query
    int kind;   // enum sandbox_endpoint
    int status; // 0: dropped without an answer
    int64_t at_us;
};
struct sandbox_delivery { // one attempt at one webhook
    bool hint;
    char *body;
    char message_id[SANDBOX_ID_SIZE]; // "" for hints and other events
    int64_t ticket_id;                // of a hint
    int attempt;                      // 0: the first
    int status;                       // 0: no answer
    int64_t at_us, done_us;
};

// Each returns the number of elements and an array that the matching _free releases.
size_t sandbox_tickets(struct sandbox *sb, struct sandbox_ticket **tickets);
void sandbox_tickets_free(struct sandbox_ticket *tickets, size_t count);
size_t sandbox_entries(struct sandbox *sb, int64_t ticket_id, struct sandbox_entry **entries);
void sandbox_entries_free(struct sandbox_entry *entries, size_t count);
size_t sandbox_messages(struct sandbox *sb, const char *conversation_id, struct sandbox_message **messages);
void sandbox_messages_free(struct sandbox_message *messages, size_t count);
size_t sandbox_calls(struct sandbox *sb, struct sandbox_call **calls);
void sandbox_calls_free(struct sandbox_call *calls, size_t count);
size_t sandbox_deliveries(struct sandbox *sb, struct sandbox_delivery **deliveries);
void sandbox_deliveries_free(struct sandbox_delivery *deliveries, size_t count);

// Copies one ticket; free it with sandbox_ticket_clear. False when there is none.
bool sandbox_ticket(struct sandbox *sb, int64_t ticket_id, struct sandbox_ticket *ticket);
void sandbox_ticket_clear(struct sandbox_ticket *ticket);
// How many tickets carry this conversation in the conversation field; *ticket_id is the first, 0 when none. May be
// NULL.
size_t sandbox_tickets_of(struct sandbox *sb, const char *conversation_id, int64_t *ticket_id);
size_t sandbox_ticket_count(struct sandbox *sb);
// How many entries / messages contain this text; NULL counts all.
size_t sandbox_entries_with(struct sandbox *sb, int64_t ticket_id, const char *text);
size_t sandbox_messages_with(struct sandbox *sb, const char *conversation_id, const char *text);
// How many webhooks (first tries and retries) wait to be sent or are in flight.
size_t sandbox_webhooks_waiting(struct sandbox *sb);
int64_t sandbox_now_us(void);

// ---------------------------------------------------------------- wait
// Calls predicate now and after every change of state, until it says true or the time is over. The predicate runs in
// the calling thread with nothing locked, so it may use every function above. Returns the predicate's last word.
bool sandbox_wait(struct sandbox *sb, bool (*predicate)(struct sandbox *sb, void *arg), void *arg, int64_t timeout_ms);
// The usual conditions. sandbox_wait_ticket returns the ticket's id, 0 when none came.
int64_t sandbox_wait_ticket(struct sandbox *sb, const char *conversation_id, int64_t timeout_ms);
bool sandbox_wait_entry(struct sandbox *sb, int64_t ticket_id, const char *text, int64_t timeout_ms);
bool sandbox_wait_message(struct sandbox *sb, const char *conversation_id, const char *text, int64_t timeout_ms);
bool sandbox_wait_calls(struct sandbox *sb, int endpoint, size_t count, int64_t timeout_ms);
bool sandbox_wait_webhooks_idle(struct sandbox *sb, int64_t timeout_ms);

// ---------------------------------------------------------------- endpoints, faults, limits
enum sandbox_endpoint {
    SANDBOX_ANY,
    SANDBOX_ANY_FRESHCHAT,
    SANDBOX_ANY_FRESHDESK,
    SANDBOX_ANY_FRESHCALLER,
    SANDBOX_FC_ACCOUNT,
    SANDBOX_FC_USER_LIST,
    SANDBOX_FC_USER_CREATE,
    SANDBOX_FC_USER_GET,
    SANDBOX_FC_USER_PUT,
    SANDBOX_FC_USER_CONVERSATIONS,
    SANDBOX_FC_CONVERSATION_CREATE,
    SANDBOX_FC_CONVERSATION_GET,
    SANDBOX_FC_CONVERSATION_PUT,
    SANDBOX_FC_MESSAGE_LIST,
    SANDBOX_FC_MESSAGE_POST,
    SANDBOX_FC_AGENT_LIST,
    SANDBOX_FC_AGENT_GET,
    SANDBOX_FC_CHANNEL_LIST,
    SANDBOX_FC_OTHER, // no such path
    SANDBOX_FD_TICKET_CREATE,
    SANDBOX_FD_TICKET_LIST,
    SANDBOX_FD_TICKET_GET,
    SANDBOX_FD_TICKET_PUT,
    SANDBOX_FD_NOTE,
    SANDBOX_FD_REPLY,
    SANDBOX_FD_ENTRY_LIST,
    SANDBOX_FD_ENTRY_PUT,
    SANDBOX_FD_ENTRY_DELETE,
    SANDBOX_FD_CONTACT_CREATE,
    SANDBOX_FD_CONTACT_LIST,
    SANDBOX_FD_CONTACT_GET,
    SANDBOX_FD_CONTACT_PUT,
    SANDBOX_FD_AGENT_LIST,
    SANDBOX_FD_AGENT_ME,
    SANDBOX_FD_AGENT_GET,
    SANDBOX_FD_GROUP_GET,
    SANDBOX_FD_PRODUCT_GET,
    SANDBOX_FD_FIELD_LIST,
    SANDBOX_FD_FIELD_CREATE,
    SANDBOX_FD_RULE_LIST,
    SANDBOX_FD_RULE_GET,
    SANDBOX_FD_RULE_CREATE,
    SANDBOX_FD_RULE_PUT,
    SANDBOX_FD_RULE_DELETE,
    SANDBOX_FD_SEARCH,
    SANDBOX_FD_OTHER,
    SANDBOX_PHONE_LIST,
    SANDBOX_PHONE_GET,
    SANDBOX_PHONE_RECORDING,
    SANDBOX_PHONE_USERS,
    SANDBOX_PHONE_OTHER,
    SANDBOX_ENDPOINTS
};

// How many requests this endpoint has had, refused ones included.
size_t sandbox_call_count(struct sandbox *sb, int endpoint);

enum sandbox_fault_kind {
    SANDBOX_FAULT_STATUS,      // answer with .status; the work is not done unless .after_work
    SANDBOX_FAULT_LOST,        // the work is done, then the connection closes without an answer
    SANDBOX_FAULT_LATE_WORK,   // the connection closes without an answer; the work is done .ms later
    SANDBOX_FAULT_DROP,        // the connection closes and no work is done
    SANDBOX_FAULT_HANG,        // nothing for .ms, then the connection closes; no work is done unless .after_work
    SANDBOX_FAULT_SLOW,        // .ms pass, then the work is done and answered
    SANDBOX_FAULT_SLOW_ANSWER, // the work is done at once, the answer comes .ms later
    SANDBOX_FAULT_HTML,        // 200 with an HTML page; the work is not done unless .after_work
};
struct sandbox_fault {
    int endpoint; // enum sandbox_endpoint, the SANDBOX_ANY kinds included
    enum sandbox_fault_kind kind;
    int skip;           // let this many matching requests pass first
    int count;          // then hit this many; 0: without end
    double probability; // 0 or 1: each; else each matching request is hit with this chance
    uint64_t seed;      // of that chance
    int status;
    bool no_body;    // STATUS: with an empty body
    int retry_after; // STATUS: seconds in Retry-After; 0: no header
    int64_t ms;
    bool after_work;
};
// Adds a fault; the first added that matches a request and has hits left takes it. Returns its number.
int sandbox_fault_add(struct sandbox *sb, const struct sandbox_fault *fault);
// How many requests or webhooks that fault has hit.
size_t sandbox_fault_hits(struct sandbox *sb, int number);
void sandbox_fault_remove(struct sandbox *sb, int number);
void sandbox_faults_clear(struct sandbox *sb); // those of webhooks too

enum sandbox_webhook_fault_kind {
    SANDBOX_WEBHOOK_DUPLICATE,     // sent twice, at once
    SANDBOX_WEBHOOK_REORDER,       // sent when the next one has been sent, at the latest after .ms (0: one second)
    SANDBOX_WEBHOOK_LATE,          // sent .ms later
    SANDBOX_WEBHOOK_DROP,          // never sent
    SANDBOX_WEBHOOK_BAD_SIGNATURE, // the first attempt has a wrong signature; retries are right
    SANDBOX_WEBHOOK_NO_USER_ID,
    SANDBOX_WEBHOOK_NO_MESSAGE_TYPE,
    SANDBOX_WEBHOOK_UNKNOWN_ACTION, // preceded by one whose action nobody knows
};
struct sandbox_webhook_fault {
    enum sandbox_webhook_fault_kind kind;
    bool hints; // Freshdesk's hints instead of Freshchat's events
    int skip, count;
    double probability;
    uint64_t seed;
    int64_t ms;
};
int sandbox_webhook_fault_add(struct sandbox *sb, const struct sandbox_webhook_fault *fault);

// Budgets per minute; 0 switches one off. All are off at first. Freshdesk's come with rate headers, Freshchat's
// without.
enum sandbox_limit {
    SANDBOX_LIMIT_FRESHDESK,
    SANDBOX_LIMIT_TICKET_CREATE,
    SANDBOX_LIMIT_TICKET_UPDATE,
    SANDBOX_LIMIT_TICKET_LIST,
    SANDBOX_LIMIT_CONTACT_LIST,
    SANDBOX_LIMIT_FRESHCHAT,
    SANDBOX_LIMIT_FRESHCALLER,
    SANDBOX_LIMITS
};
void sandbox_set_limit(struct sandbox *sb, enum sandbox_limit limit, int per_minute);
// How long a limit's minute lasts; 60000 unless a test is in a hurry.
void sandbox_set_limit_window(struct sandbox *sb, int64_t window_ms);
