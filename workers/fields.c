// SPDX-License-Identifier: Apache-2.0
// Reading and writing JSON members over jansson; see fields.h.
#include "workers/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/records.h"
#include "workers/text.h"

bool fields_is_object(const json_t *value)
{
    return json_is_object(value);
}

uint64_t fields_id(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    const char *text = json_string_value(value);
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
        return 0;
    return strtoull(text, NULL, 10);
}

const char *fields_id_text(struct arena *arena, const json_t *object, const char *name)
{
    const char *text = fields_line(arena, object, name, ID_MAX + 1);
    return strlen(text) <= ID_MAX ? text : "";
}

const char *fields_scalar(struct arena *arena, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return arena_printf(arena, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value) && fabs(json_real_value(value)) < 1e15 && fabs(json_real_value(value)) >= 1e-4)
        return arena_printf(arena, "%.15g", json_real_value(value));
    if (json_is_real(value))
        return arena_printf(arena, "%g", json_real_value(value));
    return json_is_true(value) ? "true" : json_is_false(value) ? "false" : "";
}

const char *fields_line(struct arena *arena, const json_t *object, const char *name, size_t max_bytes)
{
    return text_line(arena, fields_scalar(arena, json_object_get(object, name)), max_bytes);
}

const char *fields_raw(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

bool fields_flag(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

uint64_t fields_time(const json_t *object, const char *name)
{
    const char *text = fields_raw(object, name);
    int64_t ms = 0;
    return clock_parse_iso(text, strlen(text), &ms) && ms > 0 ? (uint64_t)ms : 0;
}

const json_t *fields_list(const json_t *value, const char *name)
{
    if (json_is_array(value))
        return value;
    const json_t *list = json_object_get(value, name);
    return json_is_array(list) ? list : NULL;
}

void fields_put(json_t *object, const char *name, const char *text)
{
    json_t *value = json_string(text);
    if (!value) { // not UTF-8: only a configuration file could bring that here
        struct arena *arena = arena_new();
        value = json_string(text_clean(arena, text, strlen(text) * 3));
        arena_free(&arena);
    }
    if (json_object_set_new(object, name, value) != 0)
        abort();
}

void fields_put_id(json_t *object, const char *name, uint64_t id)
{
    if (json_object_set_new(object, name, json_integer((json_int_t)id)) != 0)
        abort();
}

const char *fields_body(struct arena *arena, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (!text)
        abort();
    const char *copy = arena_copy(arena, text, strlen(text));
    free(text);
    json_decref(object);
    return copy;
}
