// SPDX-License-Identifier: Apache-2.0
// Freshdesk contacts: what a bridge reads to find people. Runs with the store locked.
#include "freshdesk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sb_field contact_fields[] = {
    {"name", SB_TEXT, true, 255},
    {"email", SB_TEXT, false, 255},
    {"phone", SB_TEXT, false, 64},
    {"mobile", SB_TEXT, false, 64},
    {"unique_external_id", SB_TEXT, false, 255},
    {"twitter_id", SB_TEXT, false, 0},
    {"custom_fields", SB_OBJECT, false, 0},
    {"tags", SB_LIST, false, 0},
    {"company_id", SB_INTEGER, false, 0},
    {"address", SB_TEXT, false, 0},
    {"language", SB_TEXT, false, 0},
    {"description", SB_TEXT, false, 0},
    {NULL, SB_TEXT, false, 0},
};

static const char *const unique_fields[][2] = {
    {"email", "email"}, {"phone", "phone"}, {"unique_external_id", "external"}};

void sb_freshdesk_contact_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const json_t *body = request->json;
    const char *values[3];
    json_t *errors = json_array();
    size_t given = 0;
    sb_check_fields(body, contact_fields, errors);
    for (size_t i = 0; i < 3; i++) {
        values[i] = json_string_value(json_object_get(body, unique_fields[i][0]));
        given += values[i] != NULL;
    }
    if (given == 0)
        sb_check_error(errors, "email",
                       "Please fill at least 1 of email, mobile, phone, twitter_id, unique_external_id fields",
                       "missing_field");
    if (values[0] != NULL && !sb_check_email(values[0]))
        sb_check_error(errors, "email", "It should be in the 'valid email address' format", "invalid_value");
    if (!sb_check_done(response, errors))
        return;
    for (size_t i = 0; i < 3; i++) {
        json_t *clash = values[i] != NULL ? sb_store_contact_by(sb, unique_fields[i][1], values[i]) : NULL;
        if (clash == NULL)
            continue;
        sb_response_json(response, 409,
                         json_pack("{s:s, s:[{s:s, s:s, s:s, s:{s:O}}]}", "description", "Validation failed", "errors",
                                   "field", unique_fields[i][0], "message", "It should be a unique value", "code",
                                   "duplicate_value", "additional_info", "user_id", json_object_get(clash, "id")));
        return;
    }
    json_t *contact =
        sb_store_add_contact(sb, json_string_value(json_object_get(body, "name")), values[0], values[1], values[2]);
    sb_store_changed(sb);
    sb_response_header(response, "Location", "%s/contacts/%lld", sb->freshdesk_url,
                       (long long)json_integer_value(json_object_get(contact, "id")));
    sb_response_json(response, 201, json_incref(contact));
}

void sb_freshdesk_contact_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"email", "mobile",        "phone", "unique_external_id", "company_id",
                                        "state", "updated_since", "page",  "per_page",           NULL};
    json_t *errors = json_array(), *found, *contact;
    int64_t page, per_page;
    char value[256];
    size_t i;
    sb_check_params(request, known, errors);
    sb_check_page(request, &page, &per_page, errors);
    if (!sb_check_done(response, errors))
        return;
    found = json_array();
    json_array_foreach(sb->contacts, i, contact)
    {
        bool matching = true;
        for (size_t f = 0; f < 4 && matching; f++) {
            if (!sb_request_param(request, known[f], value, sizeof value))
                continue;
            const char *own = json_string_value(json_object_get(contact, known[f]));
            matching = own != NULL && strcasecmp(own, value) == 0;
        }
        if (matching)
            json_array_append(found, contact);
    }
    sb_freshdesk_list(sb, request, response, found, page, per_page);
}

static json_t *find_contact(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *contact = sb_store_contact(sb, sb_number(request->segments[1]));
    if (contact == NULL)
        response->status = 404;
    return contact;
}

void sb_freshdesk_contact_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *contact = find_contact(sb, request, response);
    if (contact != NULL)
        sb_response_json(response, 200, json_incref(contact));
}

void sb_freshdesk_contact_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_field fields[sizeof contact_fields / sizeof *contact_fields];
    memcpy(fields, contact_fields, sizeof fields);
    fields[0].required = false;
    json_t *contact = find_contact(sb, request, response), *errors = json_array();
    if (contact == NULL) {
        json_decref(errors);
        return;
    }
    sb_check_fields(request->json, fields, errors);
    // Identities are fixed here: moving one would need the index moved too, and no client of the sandbox does it.
    for (size_t i = 0; i < 3; i++)
        if (json_object_get(request->json, unique_fields[i][0]) != NULL &&
            !json_equal(json_object_get(request->json, unique_fields[i][0]),
                        json_object_get(contact, unique_fields[i][0])))
            sb_check_error(errors, unique_fields[i][0], "The sandbox does not move identities", "readonly_field");
    if (!sb_check_done(response, errors))
        return;
    json_object_update(contact, request->json);
    sb_store_changed(sb);
    sb_response_json(response, 200, json_incref(contact));
}
