// SPDX-License-Identifier: Apache-2.0
// The words that stories are told in: what customers and agents do, and what must then be seen, where, and within how
// many milliseconds. Customers are known by a name; each name has one conversation, made when it is first used.
// Whatever does not come true fails the test with a sentence and the line of the story.
#ifndef TESTS_SCENARIO_STORY_H
#define TESTS_SCENARIO_STORY_H
#include "tests/scenario/scenario.h"

#define STORY_ANNA  SANDBOX_ANNA  // an agent in both products
#define STORY_BEN   SANDBOX_BEN   // only in Freshdesk
#define STORY_CHRIS SANDBOX_CHRIS // only in Freshchat

// ---------------------------------------------------------------- who does what
// Makes the customer known with these properties instead of the usual ones (a cart of 249.50, friction 72, screen
// "basket").
void customer_arrives(struct scenario *s, const char *who, const struct sandbox_customer_info *info);
const struct sandbox_customer *customer_of(struct scenario *s, const char *who);
// The webhook is sent by the sandbox, with its retries. Returns when it was written, monotonic microseconds.
int64_t customer_writes(struct scenario *s, const char *who, const char *text);
// Agents in Freshdesk, on the customer's ticket. Each returns the entry's id.
int64_t agent_replies(struct scenario *s, const char *who, const char *agent, const char *html);
int64_t agent_notes(struct scenario *s, const char *who, const char *agent, const char *html);
int64_t agent_notes_privately(struct scenario *s, const char *who, const char *agent, const char *html);
// An agent inside Freshchat.
void agent_types_in_chat(struct scenario *s, const char *who, const char *agent, const char *text);

// A message that waits to be delivered by the story itself: with every copy it likes, when it likes.
struct draft {
    char *body;
    const char *text;
    char who[32];
    int status; // of its last delivery; 0: none, or no answer
};
// Stores the message on the customer's side and keeps its webhook back. Free it with draft_clear.
struct draft customer_drafts(struct scenario *s, const char *who, const char *text);
void draft_clear(struct draft *draft);
// Delivers all of them at the same moment, one thread each, `copies` times each. Their status becomes the worst answer
// of their copies.
void delivered_at_once(struct scenario *s, struct draft *drafts, size_t count, int copies);
// Delivers them one after the other, as fast as the answers come, skipping those that have a 200.
void delivered_in_turn(struct scenario *s, struct draft *drafts, size_t count);
// Does as Freshchat does with what was not answered 200: delivers it again, until everything is, within timeout_ms.
void delivered_until_accepted(struct scenario *s, struct draft *drafts, size_t count, int timeout_ms);

// ---------------------------------------------------------------- what must be seen
// Exactly one ticket carries the customer's conversation. Returns its id.
int64_t ticket_appears_within(struct scenario *s, const char *who, int timeout_ms);
int64_t ticket_of(struct scenario *s, const char *who);
void ticket_shows_within(struct scenario *s, const char *who, const char *text, int timeout_ms);
// The ticket's first text and its entries, in the order of the desk.
char *transcript_of(struct scenario *s, const char *who);
// The transcript contains that text, as whole words, so many times.
void ticket_shows_times(struct scenario *s, const char *who, const char *text, size_t times);
// The transcript contains each of these exactly once, in this order.
void ticket_shows_in_order(struct scenario *s, const char *who, const char *const *texts, size_t count);
void chat_shows_within(struct scenario *s, const char *who, const char *text, int timeout_ms);
void chat_shows_times(struct scenario *s, const char *who, const char *text, size_t times);
// Who the message with that text speaks as: the Freshchat id of this agent.
void chat_message_is_by(struct scenario *s, const char *who, const char *text, const char *agent_email);
// The cart field of the customer's ticket gets this JSON value (NULL: null).
void ticket_cart_is_within(struct scenario *s, const char *who, const char *json, int timeout_ms);

// Nothing waits, nothing is out and no webhook is under way, for a while; for what must not happen. At most timeout_ms.
void everything_settles_within(struct scenario *s, int timeout_ms);
// So many requests reached that endpoint, the refused ones included.
void calls_are(struct scenario *s, int endpoint, size_t count);
void no_dead_letters(struct scenario *s);

// Each of these tells scenario_fail where the story is.
#define HERE                              scenario_at(__FILE__, __LINE__)
#define customer_arrives(...)             (HERE, customer_arrives(__VA_ARGS__))
#define customer_of(...)                  (HERE, customer_of(__VA_ARGS__))
#define customer_writes(...)              (HERE, customer_writes(__VA_ARGS__))
#define agent_replies(...)                (HERE, agent_replies(__VA_ARGS__))
#define agent_notes(...)                  (HERE, agent_notes(__VA_ARGS__))
#define agent_notes_privately(...)        (HERE, agent_notes_privately(__VA_ARGS__))
#define agent_types_in_chat(...)          (HERE, agent_types_in_chat(__VA_ARGS__))
#define customer_drafts(...)              (HERE, customer_drafts(__VA_ARGS__))
#define delivered_at_once(...)            (HERE, delivered_at_once(__VA_ARGS__))
#define delivered_in_turn(...)            (HERE, delivered_in_turn(__VA_ARGS__))
#define delivered_until_accepted(...)     (HERE, delivered_until_accepted(__VA_ARGS__))
#define ticket_appears_within(...)        (HERE, ticket_appears_within(__VA_ARGS__))
#define ticket_of(...)                    (HERE, ticket_of(__VA_ARGS__))
#define ticket_shows_within(...)          (HERE, ticket_shows_within(__VA_ARGS__))
#define ticket_shows_times(...)           (HERE, ticket_shows_times(__VA_ARGS__))
#define ticket_shows_in_order(...)        (HERE, ticket_shows_in_order(__VA_ARGS__))
#define chat_shows_within(...)            (HERE, chat_shows_within(__VA_ARGS__))
#define chat_shows_times(...)             (HERE, chat_shows_times(__VA_ARGS__))
#define chat_message_is_by(...)           (HERE, chat_message_is_by(__VA_ARGS__))
#define ticket_cart_is_within(...)        (HERE, ticket_cart_is_within(__VA_ARGS__))
#define everything_settles_within(...)    (HERE, everything_settles_within(__VA_ARGS__))
#define calls_are(...)                    (HERE, calls_are(__VA_ARGS__))
#define no_dead_letters(...)              (HERE, no_dead_letters(__VA_ARGS__))
#define scenario_begin(...)               (HERE, scenario_begin(__VA_ARGS__))
#define scenario_end(...)                 (HERE, scenario_end(__VA_ARGS__))
#define scenario_start(...)               (HERE, scenario_start(__VA_ARGS__))
#define scenario_await_ready(...)         (HERE, scenario_await_ready(__VA_ARGS__))
#define scenario_stop(...)                (HERE, scenario_stop(__VA_ARGS__))
#define scenario_await_stopped(...)       (HERE, scenario_await_stopped(__VA_ARGS__))
#define scenario_kill_all(...)            (HERE, scenario_kill_all(__VA_ARGS__))
#define scenario_status_now(...)          (HERE, scenario_status_now(__VA_ARGS__))
#define scenario_busy_worker(...)         (HERE, scenario_busy_worker(__VA_ARGS__))
#define scenario_process_gone_within(...) (HERE, scenario_process_gone_within(__VA_ARGS__))
#define scenario_fail(...)                (HERE, scenario_fail(__VA_ARGS__))

#endif
