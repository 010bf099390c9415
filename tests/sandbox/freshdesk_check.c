// SPDX-License-Identifier: Apache-2.0
// Freshdesk's strictness: every field is known and of the right type, or the whole request is refused with a list of
// what is wrong, in the documented shape. Runs with the store locked.
#include "freshdesk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {"String", "Integer", "Number", "Boolean", "Array", "key/value pair"};

void sb_check_error(json_t *errors, const char *field, const char *message, const char *code)
{
    json_array_append_new(errors, json_pack("{s:s, s:s, s:s}", "field", field, "message", message, "code", code));
}

static bool has_type(const json_t *value, enum sb_type type)
{
    switch (type) {
    case SB_TEXT:
        return json_is_string(value);
    case SB_INTEGER:
        return json_is_integer(value);
    case SB_NUMBER:
        return json_is_number(value);
    case SB_BOOLEAN:
        return json_is_boolean(value);
    case SB_LIST:
        return json_is_array(value);
    case SB_OBJECT:
        return json_is_object(value);
    }
    return false;
}

static void wrong_type(json_t *errors, const char *field, enum sb_type type)
{
    char message[96];
    snprintf(message, sizeof message, "It should be a/an %s", type_names[type]);
    sb_check_error(errors, field, message, "datatype_mismatch");
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void check_length(json_t *errors, const char *field, const json_t *value, size_t limit)
{
    char message[128];
    size_t length = characters(json_string_value(value));
    if (limit == 0 || length <= limit)
        return;
    snprintf(message, sizeof message, "Has %zu characters, it can have maximum of %zu characters", length, limit);
    sb_check_error(errors, field, message, "invalid_value");
}

void sb_check_fields(const json_t *body, const struct sb_field *fields, json_t *errors)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)body, key, value)
    {
        const struct sb_field *field = fields;
        while (field->name != NULL && strcmp(field->name, key) != 0)
            field++;
        if (field->name == NULL)
            sb_check_error(errors, key, "Unexpected/invalid field in request", "invalid_field");
        else if (!json_is_null(value) && !has_type(value, field->type))
            wrong_type(errors, key, field->type);
        else if (field->type == SB_TEXT && !json_is_null(value))
            check_length(errors, key, value, field->limit);
    }
    for (const struct sb_field *field = fields; field->name != NULL; field++) {
        value = json_object_get(body, field->name);
        bool blank = value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0);
        if (field->required && blank)
            sb_check_error(errors, field->name, "It should not be blank as this is a mandatory field", "missing_field");
    }
}

static const char *custom_type(const struct sandbox *sb, const char *name)
{
    size_t i;
    json_t *field;
    json_array_foreach(sb->fields, i, field)
    {
        if (!json_is_true(json_object_get(field, "default")) &&
            strcmp(json_string_value(json_object_get(field, "name")), name) == 0)
            return json_string_value(json_object_get(field, "type"));
    }
    return NULL;
}

void sb_check_custom_fields(const struct sandbox *sb, const json_t *custom_fields, json_t *errors)
{
    static const struct {
        const char *name;
        enum sb_type type;
        size_t limit;
    } types[] = {{"custom_text", SB_TEXT, 255},    {"custom_paragraph", SB_TEXT, 0}, {"custom_number", SB_INTEGER, 0},
                 {"custom_decimal", SB_NUMBER, 0}, {"custom_date", SB_TEXT, 10},     {"custom_checkbox", SB_BOOLEAN, 0},
                 {"custom_dropdown", SB_TEXT, 0}};
    const char *key;
    json_t *value;
    if (!json_is_object(custom_fields))
        return;
    json_object_foreach((json_t *)custom_fields, key, value)
    {
        char field[300];
        const char *type = custom_type(sb, key);
        snprintf(field, sizeof field, "custom_fields.%s", key);
        if (type == NULL)
            sb_check_error(errors, field, "Unexpected/invalid field in request", "invalid_field");
        for (size_t i = 0; type != NULL && !json_is_null(value) && i < sizeof types / sizeof *types; i++) {
            if (strcmp(types[i].name, type) != 0)
                continue;
            if (!has_type(value, types[i].type))
                wrong_type(errors, field, types[i].type);
            else if (types[i].type == SB_TEXT)
                check_length(errors, field, value, types[i].limit);
        }
    }
}

void sb_check_tags(const json_t *tags, json_t *errors)
{
    size_t i;
    json_t *tag;
    if (json_array_size(tags) > 30)
        sb_check_error(errors, "tags", "It can have maximum of 30 elements", "invalid_value");
    json_array_foreach(tags, i, tag)
    {
        if (!json_is_string(tag))
            wrong_type(errors, "tags", SB_TEXT);
        else if (json_string_length(tag) == 0 || characters(json_string_value(tag)) > 32)
            sb_check_error(errors, "tags", "It should contain elements that have maximum of 32 characters",
                           "invalid_value");
        else if (strchr(json_string_value(tag), ',') != NULL)
            sb_check_error(errors, "tags", "It should not contain the characters: ,", "invalid_value");
    }
}

bool sb_check_email(const char *email)
{
    const char *at = strchr(email, '@');
    return at != NULL && at > email && strchr(at + 1, '@') == NULL && strchr(at + 1, '.') != NULL &&
           strpbrk(email, " \t\r\n<>,;") == NULL && email[strlen(email) - 1] != '.';
}

void sb_check_params(const struct sb_request *request, const char *const *known, json_t *errors)
{
    char unknown[64];
    if (sb_request_unknown_param(request, known, unknown, sizeof unknown))
        sb_check_error(errors, unknown, "Unexpected/invalid field in request", "invalid_field");
}

void sb_check_page(const struct sb_request *request, int64_t *page, int64_t *per_page, json_t *errors)
{
    char text[32];
    *page = sb_request_param(request, "page", text, sizeof text) ? sb_number(text) : 1;
    *per_page = sb_request_param(request, "per_page", text, sizeof text) ? sb_number(text) : 30;
    if (*page < 1)
        sb_check_error(errors, "page", "It should be a Positive Integer", "invalid_value");
    if (*per_page < 1 || *per_page > 100)
        sb_check_error(errors, "per_page", "It should be a Positive Integer less than or equal to 100",
                       "invalid_value");
}

bool sb_check_done(struct sb_response *response, json_t *errors)
{
    if (json_array_size(errors) == 0) {
        json_decref(errors);
        return true;
    }
    sb_response_json(response, 400, json_pack("{s:s, s:o}", "description", "Validation failed", "errors", errors));
    return false;
}
