// SPDX-License-Identifier: Apache-2.0
// Freshdesk tickets: create, read, list, update. Nothing here is idempotent, as in the
// service. Runs with the store locked.
#include "freshdesk.h"
#include "html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sb_field create_fields[] = {
    {"subject", SB_TEXT, true, 255},
    {"description", SB_TEXT, true, 65536},
    {"requester_id", SB_INTEGER, false, 0},
    {"email", SB_TEXT, false, 255},
    {"phone", SB_TEXT, false, 64},
    {"name", SB_TEXT, false, 255},
    {"unique_external_id", SB_TEXT, false, 255},
    {"facebook_id", SB_TEXT, false, 0},
    {"twitter_id", SB_TEXT, false, 0},
    {"status", SB_INTEGER, false, 0},
    {"priority", SB_INTEGER, false, 0},
    {"source", SB_INTEGER, false, 0},
    {"type", SB_TEXT, false, 0},
    {"tags", SB_LIST, false, 0},
    {"custom_fields", SB_OBJECT, false, 0},
    {"group_id", SB_INTEGER, false, 0},
    {"responder_id", SB_INTEGER, false, 0},
    {"product_id", SB_INTEGER, false, 0},
    {"company_id", SB_INTEGER, false, 0},
    {"parent_id", SB_INTEGER, false, 0},
    {"email_config_id", SB_INTEGER, false, 0},
    {"internal_agent_id", SB_INTEGER, false, 0},
    {"internal_group_id", SB_INTEGER, false, 0},
    {"cc_emails", SB_LIST, false, 0},
    {"due_by", SB_TEXT, false, 0},
    {"fr_due_by", SB_TEXT, false, 0},
    {NULL, SB_TEXT, false, 0},
};

// The service knows these types; a real account has its own.
static const char *const ticket_types[] = {"Question", "Incident", "Problem", "Feature Request", NULL};

struct sb_conversation *sb_freshdesk_conversation(struct sandbox *sb, const struct sb_ticket *ticket)
{
    const char *id = sb_store_ticket_field(ticket, sb->options.conversation_field);
    return id != NULL ? sb_store_conversation(sb, id) : NULL;
}

// The three identities a requester can be found or made by; only one should be sent.
json_t *sb_freshdesk_requester(struct sandbox *sb, const json_t *body, json_t *errors)
{
    static const char *const kinds[][2] = {{"email", "email"}, {"phone", "phone"}, {"unique_external_id", "external"}};
    json_t *id = json_object_get(body, "requester_id"), *found = NULL;
    const char *name = json_string_value(json_object_get(body, "name")), *values[3];
    size_t given = 0;
    if (json_is_integer(id)) {
        found = sb_store_contact(sb, json_integer_value(id));
        if (found == NULL && sb_store_desk_agent(sb, json_integer_value(id)) == NULL)
            sb_check_error(errors, "requester_id", "There is no contact matching the given requester_id",
                           "invalid_value");
        return found != NULL ? found : sb_store_desk_agent(sb, json_integer_value(id));
    }
    for (size_t i = 0; i < 3; i++) {
        values[i] = json_string_value(json_object_get(body, kinds[i][0]));
        if (values[i] != NULL && values[i][0] == '\0')
            values[i] = NULL;
        given += values[i] != NULL;
    }
    if (given == 0) {
        sb_check_error(errors, "requester_id", "One of requester_id, email, phone or unique_external_id is mandatory",
                       "missing_field");
        return NULL;
    }
    if (values[0] != NULL && !sb_check_email(values[0]))
        sb_check_error(errors, "email", "It should be in the 'valid email address' format", "invalid_value");
    if (values[0] == NULL && values[1] != NULL && name == NULL)
        sb_check_error(errors, "name", "It should not be blank as this is a mandatory field", "missing_field");
    for (size_t i = 0; i < 3; i++) {
        json_t *contact = values[i] != NULL ? sb_store_contact_by(sb, kinds[i][1], values[i]) : NULL;
        if (contact != NULL && found != NULL && contact != found)
            sb_check_error(errors, kinds[i][0], "It belongs to another contact", "inconsistent_state");
        found = found != NULL ? found : contact;
    }
    if (json_array_size(errors) > 0)
        return NULL;
    if (found == NULL && values[0] != NULL)
        found = sb_store_agent_by_email(sb->desk_agents, values[0]); // agents can be requesters
    return found != NULL ? found : sb_store_add_contact(sb, name, values[0], values[1], values[2]);
}

static void check_value(json_t *errors, const json_t *body, const char *field, const int *allowed, size_t count)
{
    const json_t *value = json_object_get(body, field);
    if (!json_is_integer(value))
        return;
    for (size_t i = 0; i < count; i++)
        if (json_integer_value(value) == allowed[i])
            return;
    sb_check_error(errors, field, "It should be one of the values of the account", "invalid_value");
}

static void check_ticket(struct sandbox *sb, const json_t *body, json_t *errors)
{
    static const int statuses[] = {2, 3, 4, 5, 6, 7}, priorities[] = {1, 2, 3, 4},
                     sources[] = {1, 2, 3, 5, 6, 7, 9, 10, 11};
    const json_t *group = json_object_get(body, "group_id"), *responder = json_object_get(body, "responder_id");
    const char *type = json_string_value(json_object_get(body, "type"));
    check_value(errors, body, "status", statuses, sizeof statuses / sizeof *statuses);
    check_value(errors, body, "priority", priorities, sizeof priorities / sizeof *priorities);
    check_value(errors, body, "source", sources, sizeof sources / sizeof *sources);
    sb_check_custom_fields(sb, json_object_get(body, "custom_fields"), errors);
    sb_check_tags(json_object_get(body, "tags"), errors);
    if (json_is_integer(group) && json_integer_value(group) != SANDBOX_GROUP)
        sb_check_error(errors, "group_id", "There is no group matching the given group_id", "invalid_value");
    if (json_is_integer(responder) && sb_store_desk_agent(sb, json_integer_value(responder)) == NULL)
        sb_check_error(errors, "responder_id", "There is no agent matching the given responder_id", "invalid_value");
    for (size_t i = 0; type != NULL; i++) {
        if (ticket_types[i] == NULL)
            sb_check_error(errors, "type",
                           "It should be one of these values: 'Question,Incident,Problem,Feature Request'",
                           "invalid_value");
        if (ticket_types[i] == NULL || strcmp(ticket_types[i], type) == 0)
            break;
    }
}

static json_t *all_custom_fields(const struct sandbox *sb, const json_t *given)
{
    json_t *fields = json_object(), *field;
    size_t i;
    json_array_foreach(sb->fields, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        json_t *value = json_object_get(given, name);
        if (!json_is_true(json_object_get(field, "default")))
            json_object_set(fields, name, value != NULL ? value : json_null());
    }
    return fields;
}

static void apply_fields(json_t *doc, const json_t *body)
{
    static const char *const plain[] = {
        "subject",    "status",     "priority",        "source",    "type",   "tags",      "group_id", "responder_id",
        "product_id", "company_id", "email_config_id", "cc_emails", "due_by", "fr_due_by", NULL};
    for (size_t i = 0; plain[i] != NULL; i++) {
        json_t *value = json_object_get(body, plain[i]);
        if (value != NULL)
            json_object_set_new(doc, plain[i], json_deep_copy(value));
    }
}

static void set_description(struct sandbox *sb, json_t *doc, const char *html)
{
    char *clean = sb_html_clean(html), *text = sb_html_text(html, sb->options.flat_body_text);
    json_object_set_new(doc, "description", json_string(clean));
    json_object_set_new(doc, "description_text", json_string(text));
    free(clean);
    free(text);
}

struct sb_ticket *sb_freshdesk_add_ticket(struct sandbox *sb, const json_t *body, const json_t *requester)
{
    struct sb_ticket *ticket = sb_alloc(sizeof *ticket);
    char now[32];
    ticket->id = sb->options.first_ticket_id + (int64_t)sb->ticket_count;
    ticket->at_us = sandbox_now_us();
    ticket->created_s = ticket->updated_s = sb_store_wall_ms(sb) / 1000;
    sb_store_time_s(ticket->created_s, now);
    ticket->doc = json_pack(
        "{s:[], s:[], s:[], s:[], s:n, s:b, s:n, s:b, s:i, s:n, s:i, s:O, s:n, s:i, s:n, s:n, s:I, s:n, s:n, s:n,"
        " s:b, s:s, s:s, s:[], s:[], s:o}",
        "cc_emails", "fwd_emails", "reply_cc_emails", "to_emails", "email_config_id", "fr_escalated", 0, "group_id",
        "is_escalated", 0, "priority", 1, "product_id", "status", 2, "requester_id", json_object_get(requester, "id"),
        "responder_id", "source", 2, "company_id", "type", "id", (json_int_t)ticket->id, "due_by", "fr_due_by",
        "associated_tickets_count", "spam", 0, "created_at", now, "updated_at", now, "tags", "attachments",
        "custom_fields", all_custom_fields(sb, json_object_get(body, "custom_fields")));
    apply_fields(ticket->doc, body);
    if (sb->options.built_in_chat)
        json_object_set_new(ticket->doc, "structured_description",
                            json_pack("{s:[]}", "body_contents")); // freshworks-api 3.8
    set_description(sb, ticket->doc, json_string_value(json_object_get(body, "description")));
    sb->tickets = sb_grow(sb->tickets, sb->ticket_count, sizeof *sb->tickets);
    sb->tickets[sb->ticket_count++] = ticket;
    sb_store_touch_ticket(sb, ticket, true);
    struct sb_conversation *conversation = sb_freshdesk_conversation(sb, ticket);
    int64_t since = conversation != NULL ? conversation->waiting_since_us : 0;
    if (conversation != NULL) {
        conversation->ticket_id = ticket->id;
        conversation->waiting_since_us = 0;
    }
    sb_store_event(sb, SANDBOX_EVENT_TICKET_CREATED, conversation != NULL ? conversation->id : NULL, ticket->id, since,
                   json_string_value(json_object_get(ticket->doc, "subject")));
    return ticket;
}

void sb_freshdesk_ticket_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *errors = json_array();
    sb_check_fields(request->json, create_fields, errors);
    check_ticket(sb, request->json, errors);
    sb_check_required(sb, request->json, errors);
    // The requester is made only when all else is well, so a refused request leaves no contact behind.
    json_t *requester = json_array_size(errors) == 0 ? sb_freshdesk_requester(sb, request->json, errors) : NULL;
    if (!sb_check_done(response, errors))
        return;
    struct sb_ticket *ticket = sb_freshdesk_add_ticket(sb, request->json, requester);
    sb_response_header(response, "Location", "%s/tickets/%lld", sb->freshdesk_url, (long long)ticket->id);
    sb_response_json(response, 201, json_incref(ticket->doc));
}

static struct sb_ticket *find_ticket(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_ticket *ticket = sb_store_ticket(sb, sb_number(request->segments[1]));
    if (ticket == NULL)
        response->status = 404; // with an empty body
    return ticket;
}

static bool includes(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && memcmp(at, name, length) == 0)
            return true;
    return false;
}

static void check_include(const char *list, const char *const *known, json_t *errors)
{
    for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
        bool found = false;
        for (size_t i = 0; known[i] != NULL && !found; i++)
            found = strcspn(at, ",") == strlen(known[i]) && memcmp(at, known[i], strlen(known[i])) == 0;
        if (!found) {
            sb_check_error(errors, "include", "It should be one of the documented values", "invalid_value");
            return;
        }
    }
}

static void add_includes(struct sandbox *sb, const struct sb_ticket *ticket, const char *include, json_t *view)
{
    json_t *requester = sb_store_contact(sb, json_integer_value(json_object_get(ticket->doc, "requester_id")));
    if (includes(include, "requester") && requester != NULL)
        json_object_set_new(view, "requester",
                            json_pack("{s:O, s:O, s:O, s:O, s:O}", "id", json_object_get(requester, "id"), "name",
                                      json_object_get(requester, "name"), "email", json_object_get(requester, "email"),
                                      "mobile", json_object_get(requester, "mobile"), "phone",
                                      json_object_get(requester, "phone")));
    if (includes(include, "stats"))
        json_object_set_new(view, "stats",
                            json_pack("{s:n, s:n, s:n, s:n}", "agent_responded_at", "requester_responded_at",
                                      "first_responded_at", "closed_at"));
    if (includes(include, "company"))
        json_object_set_new(view, "company", json_object());
    if (includes(include, "conversations")) {
        json_t *entries = json_array();
        for (size_t i = 0; i < ticket->count && json_array_size(entries) < 10; i++)
            if (ticket->entries[i] != NULL)
                json_array_append(entries, ticket->entries[i]->doc);
        json_object_set_new(view, "conversations", entries);
    }
}

void sb_freshdesk_ticket_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"include", NULL}, *const included[] = {"conversations", "requester", "company",
                                                                               "stats", NULL};
    char include[128] = "";
    json_t *errors = json_array();
    sb_request_param(request, "include", include, sizeof include);
    sb_check_params(request, known, errors);
    check_include(include, included, errors);
    if (!sb_check_done(response, errors))
        return;
    struct sb_ticket *ticket = find_ticket(sb, request, response);
    if (ticket == NULL)
        return;
    json_t *view = json_copy(ticket->doc);
    add_includes(sb, ticket, include, view);
    sb_response_json(response, 200, view);
}

void sb_freshdesk_set_status(struct sandbox *sb, struct sb_ticket *ticket, int64_t agent_id, int status)
{
    char from[16], to[16];
    snprintf(from, sizeof from, "%lld", (long long)json_integer_value(json_object_get(ticket->doc, "status")));
    snprintf(to, sizeof to, "%d", status);
    json_object_set_new(ticket->doc, "status", json_integer(status));
    sb_store_touch_ticket(sb, ticket, true);
    if (strcmp(from, to) != 0)
        sb_rules_fire(sb, ticket, true, agent_id, "status", from, to);
}

void sb_freshdesk_ticket_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_field fields[sizeof create_fields / sizeof *create_fields];
    memcpy(fields, create_fields, sizeof fields);
    fields[0].required = fields[1].required = false;
    struct sb_ticket *ticket = find_ticket(sb, request, response);
    json_t *errors = json_array(), *custom = json_object_get(request->json, "custom_fields");
    json_t *requester = json_object_get(request->json, "requester_id"),
           *status = json_object_get(request->json, "status");
    if (ticket == NULL) {
        json_decref(errors);
        return;
    }
    if (json_object_size(request->json) == 0)
        sb_check_error(errors, "request", "Missing params", "missing_field");
    sb_check_fields(request->json, fields, errors);
    check_ticket(sb, request->json, errors);
    if (json_is_integer(requester) && sb_store_contact(sb, json_integer_value(requester)) == NULL)
        sb_check_error(errors, "requester_id", "There is no contact matching the given requester_id", "invalid_value");
    if (!sb_check_done(response, errors))
        return;
    json_t *before = json_incref(json_object_get(ticket->doc, "status"));
    apply_fields(ticket->doc, request->json);
    if (json_is_integer(requester))
        json_object_set(ticket->doc, "requester_id", requester);
    if (json_is_object(custom))
        json_object_update(json_object_get(ticket->doc, "custom_fields"), custom);
    if (json_is_string(json_object_get(request->json, "description")))
        set_description(sb, ticket->doc, json_string_value(json_object_get(request->json, "description")));
    sb_store_touch_ticket(sb, ticket, true);
    struct sb_conversation *conversation = sb_freshdesk_conversation(sb, ticket);
    if (conversation != NULL)
        conversation->ticket_id = ticket->id;
    if (json_is_integer(status)) {
        // The rule compares old and new, so the old one goes back for a moment.
        json_object_set(ticket->doc, "status", before);
        sb_freshdesk_set_status(sb, ticket, sb->integration_agent, (int)json_integer_value(status));
    }
    json_decref(before);
    sb_store_event(sb, SANDBOX_EVENT_TICKET_UPDATED, conversation != NULL ? conversation->id : NULL, ticket->id, 0, "");
    sb_response_json(response, 200, json_incref(ticket->doc));
}

struct sort {
    const char *by;
    int direction;
};

static int compare_tickets(const void *a, const void *b, void *argument)
{
    const struct sb_ticket *left = *(struct sb_ticket *const *)a, *right = *(struct sb_ticket *const *)b;
    const struct sort *sort = argument;
    int64_t l = left->created_s, r = right->created_s;
    if (strcmp(sort->by, "updated_at") == 0) {
        l = left->updated_s;
        r = right->updated_s;
    } else if (strcmp(sort->by, "status") == 0) {
        l = json_integer_value(json_object_get(left->doc, "status"));
        r = json_integer_value(json_object_get(right->doc, "status"));
    }
    if (l == r) { // times have a second's resolution; the id decides
        l = left->id;
        r = right->id;
    }
    return (l > r) - (l < r) > 0 ? sort->direction : -sort->direction;
}

// What a list shows of a ticket: no description unless asked for.
static json_t *list_view(struct sandbox *sb, const struct sb_ticket *ticket, const char *include)
{
    json_t *view = json_copy(ticket->doc);
    if (!includes(include, "description")) {
        json_object_del(view, "description");
        json_object_del(view, "description_text");
    }
    json_object_del(view, "attachments");
    add_includes(sb, ticket, include, view);
    return view;
}

// What a list is asked for; an absent text is empty.
struct filter {
    bool since_given;
    int64_t since_s, oldest_s;
    char requester_id[32], email[256], external[256];
};

static bool listed(struct sandbox *sb, const struct sb_ticket *ticket, const struct filter *filter)
{
    if (filter->since_given ? ticket->updated_s < filter->since_s : ticket->created_s < filter->oldest_s)
        return false;
    int64_t requester = json_integer_value(json_object_get(ticket->doc, "requester_id"));
    if (filter->requester_id[0] != '\0' && requester != sb_number(filter->requester_id))
        return false;
    if (filter->email[0] == '\0' && filter->external[0] == '\0')
        return true;
    json_t *contact = sb_store_contact(sb, requester);
    const char *email = json_string_value(json_object_get(contact, "email"));
    const char *external = json_string_value(json_object_get(contact, "unique_external_id"));
    if (filter->email[0] != '\0' && (email == NULL || strcasecmp(email, filter->email) != 0))
        return false;
    return filter->external[0] == '\0' || (external != NULL && strcmp(external, filter->external) == 0);
}

void sb_freshdesk_ticket_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"filter",     "requester_id",  "email",    "unique_external_id",
                                        "company_id", "updated_since", "order_by", "order_type",
                                        "include",    "page",          "per_page", NULL};
    static const char *const included[] = {"stats", "requester", "description", "company", NULL};
    json_t *errors = json_array(), *list;
    int64_t page, per_page, since_ms = 0;
    char include[128] = "", since[64], by[32] = "created_at", type[8] = "desc";
    sb_check_params(request, known, errors);
    sb_check_page(request, &page, &per_page, errors);
    sb_request_param(request, "include", include, sizeof include);
    check_include(include, included, errors);
    struct filter filter = {.oldest_s = sb_store_wall_ms(sb) / 1000 - 30 * 86400}; // older ones only with updated_since
    filter.since_given = sb_request_param(request, "updated_since", since, sizeof since);
    sb_request_param(request, "requester_id", filter.requester_id, sizeof filter.requester_id);
    sb_request_param(request, "email", filter.email, sizeof filter.email);
    sb_request_param(request, "unique_external_id", filter.external, sizeof filter.external);
    if (filter.since_given && !sb_store_parse_time(since, &since_ms))
        sb_check_error(errors, "updated_since", "It should be in the 'combined date and time ISO8601' format",
                       "invalid_value");
    if (page > 300)
        sb_check_error(errors, "page", "You cannot access tickets beyond the 300th page", "invalid_value");
    sb_request_param(request, "order_by", by, sizeof by);
    if (strcmp(by, "created_at") != 0 && strcmp(by, "updated_at") != 0 && strcmp(by, "due_by") != 0 &&
        strcmp(by, "status") != 0)
        sb_check_error(errors, "order_by", "It should be one of these values: 'created_at,due_by,updated_at,status'",
                       "invalid_value");
    sb_request_param(request, "order_type", type, sizeof type);
    if (strcmp(type, "asc") != 0 && strcmp(type, "desc") != 0)
        sb_check_error(errors, "order_type", "It should be one of these values: 'asc,desc'", "invalid_value");
    filter.since_s = since_ms / 1000;
    if (!sb_check_done(response, errors))
        return;
    struct sb_ticket **found = sb_alloc(sb->ticket_count * sizeof *found);
    size_t count = 0;
    for (size_t i = 0; i < sb->ticket_count; i++)
        if (listed(sb, sb->tickets[i], &filter))
            found[count++] = sb->tickets[i];
    struct sort sort = {by, strcmp(type, "asc") == 0 ? 1 : -1};
    qsort_r(found, count, sizeof *found, compare_tickets, &sort);
    list = json_array();
    // Views are made only for this page; the rest is counted with empty objects, which nobody sees.
    for (size_t i = 0; i < count; i++) {
        bool shown = (int64_t)i >= (page - 1) * per_page && (int64_t)i < page * per_page;
        if (shown)
            json_array_append_new(list, list_view(sb, found[i], include));
        else
            json_array_append(list, json_null());
    }
    free(found);
    sb_freshdesk_list(sb, request, response, list, page, per_page);
}
