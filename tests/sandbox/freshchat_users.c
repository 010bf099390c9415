// SPDX-License-Identifier: Apache-2.0
// Freshchat users, the customers: create, find, read, update. Property values are text. Runs with the store locked.
#include "freshchat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *sb_freshchat_add_user(struct sandbox *sb, const char *first_name, const char *last_name, const char *email,
                              const char *phone, const char *reference_id, json_t *properties)
{
    char id[SANDBOX_ID_SIZE], now[32];
    sb_store_uuid(id);
    sb_store_time_ms(sb_store_wall_ms(sb), now);
    json_t *user = json_pack("{s:s, s:s, s:s, s:{}, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:[]}", "id", id, "created_time",
                             now, "updated_time", now, "avatar", "first_name", first_name, "last_name", last_name,
                             "email", email, "phone", phone, "reference_id", reference_id, "properties",
                             properties != NULL ? properties : json_array(), "social_profiles");
    json_object_set_new(sb->users, id, user);
    sb_store_changed(sb);
    return user;
}

void sb_freshchat_set_property(json_t *user, const char *name, const char *value)
{
    json_t *properties = json_object_get(user, "properties"), *property;
    size_t i;
    json_array_foreach(properties, i, property)
    {
        if (strcmp(json_string_value(json_object_get(property, "name")), name) == 0)
            break;
    }
    if (i < json_array_size(properties))
        json_array_remove(properties, i);
    if (value != NULL)
        json_array_append_new(properties, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static const char *bad_properties(const json_t *properties)
{
    size_t i;
    json_t *property;
    if (properties == NULL || json_is_null(properties))
        return NULL;
    if (!json_is_array(properties))
        return "properties is a list of name and value";
    json_array_foreach(properties, i, property)
    {
        if (!json_is_string(json_object_get(property, "name")) || !json_is_string(json_object_get(property, "value")))
            return "name and value of a property are texts";
    }
    return NULL;
}

void sb_freshchat_user_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const json_t *body = request->json;
    json_t *properties = json_object_get(body, "properties");
    const char *reference = json_string_value(json_object_get(body, "reference_id")),
               *wrong = bad_properties(properties), *key;
    json_t *user;
    if (wrong != NULL) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", wrong);
        return;
    }
    json_object_foreach(sb->users, key, user)
    {
        const char *own = json_string_value(json_object_get(user, "reference_id"));
        if (reference != NULL && own != NULL && strcmp(own, reference) == 0) {
            sb_freshchat_error(response, 409, "USER_ALREADY_EXISTS", "There is a user with this reference_id");
            return;
        }
    }
    user = sb_freshchat_add_user(sb, json_string_value(json_object_get(body, "first_name")),
                                 json_string_value(json_object_get(body, "last_name")),
                                 json_string_value(json_object_get(body, "email")),
                                 json_string_value(json_object_get(body, "phone")), reference,
                                 json_is_array(properties) ? json_deep_copy(properties) : NULL);
    sb_response_json(response, 201, json_incref(user));
}

static json_t *find_user(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *user = json_object_get(sb->users, request->segments[1]);
    if (user == NULL)
        sb_freshchat_error(response, 404, "USER_NOT_FOUND", "There is no user with this id");
    return user;
}

void sb_freshchat_user_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *user = find_user(sb, request, response);
    if (user != NULL)
        sb_response_json(response, 200, json_incref(user));
}

void sb_freshchat_user_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const texts[] = {"first_name", "last_name", "email", "phone", "reference_id"};
    json_t *user = find_user(sb, request, response), *properties = json_object_get(request->json, "properties");
    char now[32];
    if (user == NULL)
        return;
    const char *wrong = bad_properties(properties);
    if (wrong != NULL) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", wrong);
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *value = json_object_get(request->json, texts[i]);
        if (json_is_string(value))
            json_object_set(user, texts[i], value);
    }
    // Whether the service merges or replaces is not known; replacing is what hurts a client that forgets to merge.
    if (json_is_array(properties))
        json_object_set_new(user, "properties", json_deep_copy(properties));
    sb_store_time_ms(sb_store_wall_ms(sb), now);
    json_object_set_new(user, "updated_time", json_string(now));
    sb_store_changed(sb);
    sb_response_json(response, 200, json_incref(user));
}

void sb_freshchat_user_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    // Parameter and the member it is compared with. The time filters are accepted as filters and compared with
    // created/updated.
    static const char *const filters[][2] = {{"reference_id", "reference_id"},
                                             {"email", "email"},
                                             {"first_name", "first_name"},
                                             {"last_name", "last_name"},
                                             {"phone_no", "phone"},
                                             {"created_from", "created_time"},
                                             {"created_to", "created_time"},
                                             {"updated_from", "updated_time"},
                                             {"updated_to", "updated_time"}};
    size_t used = 0;
    char value[256];
    json_t *found = json_array(), *user;
    const char *key;
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++)
        used += sb_request_param(request, filters[f][0], value, sizeof value);
    if (used == 0) {
        json_decref(found);
        sb_freshchat_error(response, 400, "INVALID_VALUE", "At least one filter is needed");
        return;
    }
    json_object_foreach(sb->users, key, user)
    {
        bool matching = true;
        for (size_t f = 0; f < sizeof filters / sizeof *filters && matching; f++) {
            if (!sb_request_param(request, filters[f][0], value, sizeof value))
                continue;
            const char *own = json_string_value(json_object_get(user, filters[f][1]));
            int64_t wanted, is;
            if (f < 5)
                matching = own != NULL && strcasecmp(own, value) == 0;
            else
                matching = sb_store_parse_time(value, &wanted) && sb_store_parse_time(own, &is) &&
                           (f % 2 == 1 ? is >= wanted : is <= wanted);
        }
        if (matching)
            json_array_append(found, user);
    }
    sb_freshchat_list(sb, request, response, "users", found);
    json_decref(found);
}
