// SPDX-License-Identifier: Apache-2.0
// Ticket fields: what there is, made over the API by administrators, and what a new ticket must have of them. Runs with
// the store locked, but for the switches at the end, which take the lock.
#include "freshdesk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sb_freshdesk_field_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"type", NULL};
    json_t *errors = json_array();
    sb_check_params(request, known, errors);
    if (sb_check_done(response, errors))
        sb_response_json(response, 200, json_incref(sb->fields));
}

static bool name_taken(const struct sandbox *sb, const char *name)
{
    size_t i;
    json_t *field;
    json_array_foreach(sb->fields, i, field)
    {
        if (strcmp(json_string_value(json_object_get(field, "name")), name) == 0)
            return true;
    }
    return false;
}

void sb_freshdesk_field_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const struct sb_field fields[] = {
        {"label", SB_TEXT, true, 255},
        {"label_for_customers", SB_TEXT, false, 255},
        {"type", SB_TEXT, true, 0},
        {"customers_can_edit", SB_BOOLEAN, false, 0},
        {"displayed_to_customers", SB_BOOLEAN, false, 0},
        {"required_for_closure", SB_BOOLEAN, false, 0},
        {"required_for_agents", SB_BOOLEAN, false, 0},
        {"required_for_customers", SB_BOOLEAN, false, 0},
        {"position", SB_INTEGER, false, 0},
        {"choices", SB_LIST, false, 0},
        {NULL, SB_TEXT, false, 0},
    };
    static const char *const types[] = {"custom_text", "custom_paragraph", "custom_number",   "custom_decimal",
                                        "custom_date", "custom_checkbox",  "custom_dropdown", "nested_field"};
    json_t *errors = json_array();
    const char *label = json_string_value(json_object_get(request->json, "label"));
    const char *type = json_string_value(json_object_get(request->json, "type"));
    bool known = false;
    char base[200], name[256];
    size_t length = 0;
    sb_check_fields(request->json, fields, errors);
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof *types; i++)
        known = known || strcmp(types[i], type) == 0;
    if (type != NULL && !known)
        sb_check_error(errors, "type", "It should be one of the types of custom fields", "invalid_value");
    if (!sb_check_done(response, errors))
        return;
    // The server chooses the name: cf_ and the label; when that is taken it gets a number. Clients must read it, not
    // compute it.
    memcpy(base, "cf_", 3);
    length = 3;
    for (const char *at = label; *at != '\0' && length + 1 < sizeof base; at++)
        base[length++] = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '_';
    base[length] = '\0';
    snprintf(name, sizeof name, "%s", base);
    for (unsigned suffix = 1; name_taken(sb, name) || (sb->options.numbered_fields && suffix == 1); suffix++)
        snprintf(name, sizeof name, "%s%u", base, suffix);
    json_t *field = sb_store_add_field(sb, name, label, type);
    json_t *value;
    const char *key;
    json_object_foreach(request->json, key, value) json_object_set(field, key, value);
    for (size_t i = 0; i < sb->ticket_count; i++)
        json_object_set_new(json_object_get(sb->tickets[i]->doc, "custom_fields"), name, json_null());
    sb_store_changed(sb);
    sb_response_json(response, 201, json_incref(field));
}

static json_t *field_of(struct sandbox *sb, const char *name, size_t *position)
{
    for (*position = 0; *position < json_array_size(sb->fields); ++*position) {
        json_t *field = json_array_get(sb->fields, *position);
        if (strcmp(json_string_value(json_object_get(field, "name")), name) == 0)
            return field;
    }
    return NULL;
}

static bool is_blank(const json_t *value)
{
    return value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
}

// The member of a ticket's body that fills a field of the account's own.
static const char *member_of(const char *type)
{
    static const char *const members[][2] = {
        {"default_ticket_type", "type"},   {"default_group", "group_id"},     {"default_agent", "responder_id"},
        {"default_product", "product_id"}, {"default_company", "company_id"},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i][0], type) == 0)
            return members[i][1];
    return NULL; // always there, or with a default
}

void sb_check_required(struct sandbox *sb, const json_t *body, json_t *errors)
{
    const json_t *custom = json_object_get(body, "custom_fields");
    size_t i;
    json_t *field;
    json_array_foreach(sb->fields, i, field)
    {
        char path[300];
        const char *name = json_string_value(json_object_get(field, "name"));
        bool standard = json_is_true(json_object_get(field, "default"));
        const char *member = standard ? member_of(json_string_value(json_object_get(field, "type"))) : name;
        if (!json_is_true(json_object_get(field, "required_for_agents")) || member == NULL ||
            !is_blank(json_object_get(standard ? body : custom, member)))
            continue;
        snprintf(path, sizeof path, "%s%s", standard ? "" : "custom_fields.", member);
        sb_check_error(errors, path, "It should not be blank as this is a mandatory field", "missing_field");
    }
}

// ---------------------------------------------------------------- switches
void sandbox_field_set(struct sandbox *sb, const char *name, const char *type, bool required)
{
    size_t position;
    sb_lock(sb);
    json_t *field = field_of(sb, name, &position);
    if (field == NULL)
        field = sb_store_add_field(sb, name, name, type);
    json_object_set_new(field, "type", json_string(type));
    json_object_set_new(field, "required_for_agents", json_boolean(required));
    sb_store_changed(sb);
    sb_unlock(sb);
}

bool sandbox_field_remove(struct sandbox *sb, const char *name)
{
    size_t position;
    sb_lock(sb);
    bool found = field_of(sb, name, &position) != NULL;
    if (found)
        json_array_remove(sb->fields, position);
    sb_store_changed(sb);
    sb_unlock(sb);
    return found;
}

bool sandbox_field_type(struct sandbox *sb, const char *name, char *type, size_t size)
{
    size_t position;
    sb_lock(sb);
    const json_t *field = field_of(sb, name, &position);
    snprintf(type, size, "%s", field != NULL ? json_string_value(json_object_get(field, "type")) : "");
    sb_unlock(sb);
    return field != NULL;
}
