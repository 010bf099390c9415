// SPDX-License-Identifier: Apache-2.0
// Serves /shop and /desk. The pages read the state as JSON, act through the same functions as tests do, and are told of
// changes by server-sent events. Only requests that name a loopback host are served, and only JSON is accepted, so that
// no other web page in the same browser can act here. The pages show all text as text, never as HTML.
#include "pages.h"

#include <civetweb.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// 127/8 by number, or localhost: nothing that a name server could point here.
static bool loopback_host(const char *host)
{
    if (host == NULL)
        return false;
    size_t length = strncmp(host, "127.", 4) == 0            ? strspn(host, "0123456789.")
                    : strncasecmp(host, "localhost", 9) == 0 ? 9
                                                             : 0;
    return length > 0 && (host[length] == ':' || host[length] == '\0');
}

// The front's address, from where it is sent webhooks: "http://127.0.0.1:8080"; "" when none is. Takes the lock.
static void front_origin(struct sandbox *sb, char origin[64])
{
    sb_lock(sb);
    const char *url = sb->options.freshchat_webhook_url != NULL ? sb->options.freshchat_webhook_url : "";
    const char *host = strstr(url, "://");
    size_t length = host != NULL ? (size_t)(host - url) + 3 + strcspn(host + 3, "/\"' <>;") : 0;
    snprintf(origin, 64, "%.*s", length < 64 ? (int)length : 0, url);
    sb_unlock(sb);
}

// The shop's page with the front's tag in it, as a shop's owner would have added it.
static void add_widget(struct sb_response *response, const char *origin)
{
    static const char mark[] = "@WIDGET@";
    char tag[160] = "";
    const char *at = memmem(response->body, response->length, mark, sizeof mark - 1);
    if (at == NULL)
        return;
    if (origin[0] != '\0')
        snprintf(tag, sizeof tag, "<script async src=\"%s/widget.js\"></script>", origin);
    size_t before = (size_t)(at - response->body), added = strlen(tag),
           after = response->length - before - (sizeof mark - 1);
    char *whole = sb_alloc(before + added + after);
    memcpy(whole, response->body, before);
    memcpy(whole + before, tag, added);
    memcpy(whole + before + added, at + sizeof mark - 1, after);
    free(response->body);
    response->body = whole;
    response->length = before + added + after;
}

static bool serve_file(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    char origin[64];
    front_origin(sb, origin);
    const char *path = strcmp(request->path, "/") == 0 ? "/shop" : request->path;
    for (const struct sb_page_file *file = sb_page_files; file->path != NULL; file++) {
        if (strcmp(file->path, path) != 0)
            continue;
        response->status = 200;
        response->type = file->type;
        response->length = file->length;
        response->body = sb_alloc(file->length);
        memcpy(response->body, file->data, file->length);
        add_widget(response, origin);
        sb_response_header(response, "Content-Security-Policy",
                           "default-src 'self'; script-src 'self' %s; connect-src 'self' %s; img-src 'self' data:; "
                           "frame-ancestors 'none'",
                           origin, origin);
        sb_response_header(response, "X-Content-Type-Options", "nosniff");
        sb_response_header(response, "Cache-Control", "no-store");
        return true;
    }
    return false;
}

// Plain text from a form as the HTML that an agent's editor would have made of it. The caller frees it.
static char *as_html(const char *text)
{
    char *html = sb_alloc(strlen(text) * 6 + 1), *out = html;
    for (; *text != '\0'; text++) {
        const char *escaped = *text == '&'    ? "&amp;"
                              : *text == '<'  ? "&lt;"
                              : *text == '>'  ? "&gt;"
                              : *text == '\n' ? "<br>"
                                              : NULL;
        if (escaped != NULL)
            out = stpcpy(out, escaped);
        else
            *out++ = *text;
    }
    *out = '\0';
    return html;
}

static const char *member(const struct sb_request *request, const char *name)
{
    return json_string_value(json_object_get(request->json, name));
}

static const char *person_name(struct sandbox *sb, int64_t id)
{
    json_t *agent = sb_store_desk_agent(sb, id),
           *contact = agent != NULL ? json_object_get(agent, "contact") : sb_store_contact(sb, id);
    const char *name = json_string_value(json_object_get(contact, "name"));
    return name != NULL ? name : "?";
}

static json_t *ticket_view(struct sandbox *sb, const struct sb_ticket *ticket, bool whole)
{
    static const char *const members[] = {"subject",       "status",     "priority",   "source", "tags",
                                          "custom_fields", "created_at", "updated_at", NULL};
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)ticket->id); // text: JavaScript's numbers are not our business
    json_t *view = json_pack("{s:s, s:s}", "id", id, "requester",
                             person_name(sb, json_integer_value(json_object_get(ticket->doc, "requester_id"))));
    for (size_t i = 0; members[i] != NULL; i++)
        json_object_set(view, members[i], json_object_get(ticket->doc, members[i]));
    if (!whole)
        return view;
    json_t *entries = json_array();
    for (size_t i = 0; i < ticket->count; i++) {
        if (ticket->entries[i] == NULL)
            continue;
        const json_t *doc = ticket->entries[i]->doc;
        json_array_append_new(
            entries, json_pack("{s:O, s:O, s:O, s:O, s:b, s:s}", "text", json_object_get(doc, "body_text"), "private",
                               json_object_get(doc, "private"), "incoming", json_object_get(doc, "incoming"),
                               "created_at", json_object_get(doc, "created_at"), "reply",
                               json_integer_value(json_object_get(doc, "source")) == 0, "author",
                               person_name(sb, json_integer_value(json_object_get(doc, "user_id")))));
    }
    json_object_set(view, "description", json_object_get(ticket->doc, "description_text"));
    json_object_set_new(view, "entries", entries);
    return view;
}

static void tickets(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    (void)request;
    json_t *list = json_array();
    sb_lock(sb);
    for (size_t i = sb->ticket_count; i-- > 0 && json_array_size(list) < 100;)
        json_array_append_new(list, ticket_view(sb, sb->tickets[i], false));
    sb_response_json(response, 200, list);
    sb_unlock(sb);
}

static void ticket(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    sb_lock(sb);
    const struct sb_ticket *found = sb_store_ticket(sb, sb_number(request->segments[1]));
    if (found != NULL)
        sb_response_json(response, 200, ticket_view(sb, found, true));
    sb_unlock(sb);
}

static void ticket_entry(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const char *kind = member(request, "kind"), *agent = member(request, "agent"), *text = member(request, "text");
    if (kind == NULL || agent == NULL || text == NULL || text[0] == '\0') {
        response->status = 400;
        return;
    }
    char *html = as_html(text);
    enum sandbox_entry_kind what = strcmp(kind, "reply") == 0    ? SANDBOX_REPLY
                                   : strcmp(kind, "public") == 0 ? SANDBOX_PUBLIC_NOTE
                                                                 : SANDBOX_PRIVATE_NOTE;
    int64_t id = sandbox_agent_writes(sb, sb_number(request->segments[1]), agent, what, html);
    free(html);
    if (id != 0)
        sb_response_json(response, 201, json_object());
}

static void ticket_status(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    int status = (int)json_integer_value(json_object_get(request->json, "status"));
    const char *agent = member(request, "agent");
    if (agent == NULL || status < 2 || status > 5)
        response->status = 400;
    else if (sandbox_ticket_status(sb, sb_number(request->segments[1]), agent, status))
        sb_response_json(response, 200, json_object());
}

static void agents(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *list = json_array(), *agent;
    size_t i;
    (void)request;
    sb_lock(sb);
    json_array_foreach(sb->desk_agents, i, agent)
    {
        json_t *contact = json_object_get(agent, "contact");
        if (strcmp(json_string_value(json_object_get(contact, "email")), SANDBOX_INTEGRATION) != 0)
            json_array_append_new(list, json_pack("{s:O, s:O}", "name", json_object_get(contact, "name"), "email",
                                                  json_object_get(contact, "email")));
    }
    sb_response_json(response, 200, list);
    sb_unlock(sb);
}

static void customer_new(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sandbox_customer customer;
    sandbox_customer_new(sb,
                         &(struct sandbox_customer_info){.first_name = member(request, "first_name"),
                                                         .last_name = member(request, "last_name"),
                                                         .email = member(request, "email"),
                                                         .phone = member(request, "phone"),
                                                         .reference_id = member(request, "reference_id"),
                                                         .cart_value = member(request, "cart_value"),
                                                         .friction_score = member(request, "friction_score"),
                                                         .screen = member(request, "screen")},
                         &customer);
    sb_response_json(response, 201,
                     json_pack("{s:s, s:s}", "user_id", customer.user_id, "conversation_id", customer.conversation_id));
}

static void customer_properties(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sandbox_customer customer = {0};
    const char *name;
    json_t *value;
    snprintf(customer.user_id, sizeof customer.user_id, "%s", request->segments[1]);
    sb_lock(sb);
    bool known = json_object_get(sb->users, customer.user_id) != NULL;
    sb_unlock(sb);
    if (!known)
        return;
    json_object_foreach(request->json, name, value)
    {
        if (json_is_string(value))
            sandbox_customer_property(sb, &customer, name, json_string_value(value));
    }
    sb_response_json(response, 200, json_object());
}

static json_t *message_view(struct sandbox *sb, const struct sb_message *message)
{
    const char *by = json_string_value(json_object_get(message->doc, "actor_type"));
    const char *actor = json_string_value(json_object_get(message->doc, "actor_id"));
    json_t *person = strcmp(by, "agent") == 0 && actor != NULL ? sb_store_chat_agent(sb, actor) : NULL;
    return json_pack("{s:s, s:s, s:s?, s:O, s:O}", "id", message->id, "by", by, "name",
                     json_string_value(json_object_get(person, "first_name")), "parts",
                     json_object_get(message->doc, "message_parts"), "time",
                     json_object_get(message->doc, "created_time"));
}

static void conversation(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    sb_lock(sb);
    const struct sb_conversation *found = sb_store_conversation(sb, request->segments[1]);
    json_t *list = json_array();
    for (size_t i = 0; found != NULL && i < found->count; i++)
        if (strcmp(json_string_value(json_object_get(found->messages[i]->doc, "message_type")), "private") != 0)
            json_array_append_new(list, message_view(sb, found->messages[i]));
    if (found != NULL)
        sb_response_json(response, 200, json_incref(list));
    json_decref(list);
    sb_unlock(sb);
}

static void conversation_message(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sandbox_customer customer;
    const char *text = member(request, "text");
    if (text == NULL || text[0] == '\0') {
        response->status = 400;
        return;
    }
    sb_lock(sb);
    const struct sb_conversation *found = sb_store_conversation(sb, request->segments[1]);
    if (found != NULL) {
        memcpy(customer.user_id, found->user_id, sizeof customer.user_id);
        memcpy(customer.conversation_id, found->id, sizeof customer.conversation_id);
    }
    sb_unlock(sb);
    if (found == NULL)
        return;
    sandbox_customer_writes(sb, &customer, text, NULL);
    sb_response_json(response, 201, json_object());
}

// What the shop's own server would do: sign the cart, so that nobody takes the browser's word for it (docs/widget.md).
static void cart_proof(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const char *key = sb->options.context_key, *value = member(request, "value"),
               *currency = member(request, "currency"), *url = member(request, "url");
    char text[4096], proof[128] = "";
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    long long until = (long long)time(NULL) + 3600;
    if (value == NULL || currency == NULL || url == NULL || strlen(value) + strlen(currency) + strlen(url) > 3000) {
        response->status = 400;
        return;
    }
    snprintf(text, sizeof text, "deskbell-cart-1\n%lld\n%s\n%s\n%s", until, value, currency, url);
    if (key != NULL && key[0] != '\0') {
        if (HMAC(EVP_sha256(), key, (int)strlen(key), (unsigned char *)text, strlen(text), mac, &size) == NULL)
            abort();
        int used = snprintf(proof, sizeof proof, "1.%lld.", until);
        for (unsigned i = 0; i < size; i++)
            used += snprintf(proof + used, sizeof proof - (size_t)used, "%02x", mac[i]);
    }
    sb_response_json(response, 200, json_pack("{s:s}", "proof", proof));
}

// ---- the telephone: what the desk shows, and calls placed from a page

static const char *phone_state(const json_t *call)
{
    const json_t *customer = json_array_get(json_object_get(call, "participants"), 0);
    if (!json_is_integer(json_object_get(call, "bill_duration")))
        return "ongoing";
    return json_integer_value(json_object_get(customer, "call_status")) == SANDBOX_PHONE_ANSWERED ? "answered"
                                                                                                  : "missed";
}

static json_t *phone_view(const json_t *call)
{
    const json_t *customer = json_array_get(json_object_get(call, "participants"), 0);
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(call, "id")));
    return json_pack("{s:s, s:O, s:O, s:O, s:O, s:s, s:O, s:b, s:O, s:O}", "id", id, "direction",
                     json_object_get(call, "direction"), "number", json_object_get(customer, "caller_number"), "name",
                     json_object_get(customer, "caller_name"), "agent", json_object_get(call, "assigned_agent_name"),
                     "state", phone_state(call), "seconds", json_object_get(call, "bill_duration"), "recorded",
                     json_is_object(json_object_get(call, "recording")), "notes", json_object_get(call, "call_notes"),
                     "created_at", json_object_get(call, "created_time"));
}

static void phone_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *list = json_array();
    (void)request;
    sb_lock(sb);
    for (size_t i = json_array_size(sb->phone_calls); i-- > 0 && json_array_size(list) < 100;)
        json_array_append_new(list, phone_view(json_array_get(sb->phone_calls, i)));
    sb_response_json(response, 200, list);
    sb_unlock(sb);
}

// {"from": "+44...", "name": "Ada", "agent": "Anna Berg" or absent: missed, "seconds": 64}
static void phone_call(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const char *from = member(request, "from");
    int seconds = (int)json_integer_value(json_object_get(request->json, "seconds"));
    if (from == NULL || from[0] == '\0' || seconds < 0 || seconds > 86400) {
        response->status = 400;
        return;
    }
    int64_t id =
        sandbox_phone_call(sb, from, member(request, "name"), member(request, "agent"), seconds > 0 ? seconds : 1);
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)id);
    sb_response_json(response, 201, json_pack("{s:s}", "id", text));
}

static void phone_recording(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    if (sandbox_phone_recorded(sb, sb_number(request->segments[1])))
        sb_response_json(response, 200, json_object());
}

static const struct {
    const char *method, *first, *last; // /sandbox/FIRST, /sandbox/FIRST/ID, /sandbox/FIRST/ID/LAST
    int segments;
    sb_handler handler;
} calls[] = {
    {"GET", "tickets", NULL, 1, tickets},
    {"GET", "tickets", NULL, 2, ticket},
    {"POST", "tickets", "entries", 3, ticket_entry},
    {"POST", "tickets", "status", 3, ticket_status},
    {"GET", "agents", NULL, 1, agents},
    {"POST", "cart-proof", NULL, 1, cart_proof},
    {"GET", "phone", NULL, 1, phone_list},
    {"POST", "phone", NULL, 1, phone_call},
    {"POST", "phone", "recording", 3, phone_recording},
    {"POST", "customers", NULL, 1, customer_new},
    {"POST", "customers", "properties", 3, customer_properties},
    {"GET", "conversations", NULL, 2, conversation},
    {"POST", "conversations", "messages", 3, conversation_message},
};

void sb_pages_serve(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    bool post = strcmp(request->method, "POST") == 0;
    response->status = 404;
    if (!loopback_host(request->host) || (post && (!sb_request_is_json(request) || !json_is_object(request->json)))) {
        response->status = 400;
        return;
    }
    if (!post && serve_file(sb, request, response))
        return;
    if (strncmp(request->path, "/sandbox/", 9) != 0)
        return;
    struct sb_request local = *request;
    char *copy = sb_copy(request->path + 9), *save = NULL;
    local.segment_count = 0;
    for (char *part = strtok_r(copy, "/", &save); part != NULL && local.segment_count < SB_SEGMENTS;
         part = strtok_r(NULL, "/", &save))
        local.segments[local.segment_count++] = part;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i].method, request->method) != 0 || calls[i].segments != local.segment_count ||
            strcmp(calls[i].first, local.segments[0]) != 0 ||
            (calls[i].last != NULL && strcmp(calls[i].last, local.segments[2]) != 0))
            continue;
        calls[i].handler(sb, &local, response);
        break;
    }
    sb_response_header(response, "Cache-Control", "no-store");
    free(copy);
}

void sb_pages_stream(struct sandbox *sb, struct mg_connection *connection)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
    uint64_t version = 0;
    char line[64];
    if (!loopback_host(mg_get_header(connection, "Host")) || mg_write(connection, head, sizeof head - 1) <= 0)
        return;
    // A change wakes at once; without one, a comment every 15 s finds out whether the browser is still there.
    while (sb_store_wait_change(sb, &version, 15000)) {
        int length = snprintf(line, sizeof line, "data: %llu\n\n", (unsigned long long)version);
        if (mg_write(connection, line, (size_t)length) <= 0)
            return;
    }
}
