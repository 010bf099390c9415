// SPDX-License-Identifier: Apache-2.0
// What people do with the telephone: it rings, somebody takes it, it ends, it is recorded, and Freshcaller's own link
// to Freshdesk makes a ticket of it. Any thread; each function takes the lock.
#include "freshcaller.h"
#include "freshdesk.h"

#include <stdio.h>
#include <string.h>

void sandbox_phone_set(struct sandbox *sb, const struct sandbox_phone_options *options)
{
    sb_lock(sb);
    sb->phone = *options;
    sb_unlock(sb);
}

// Times move on with every change; two changes never carry the same.
static void touch(struct sandbox *sb, json_t *call)
{
    char text[32];
    int64_t last = 0, now = sb_store_wall_ms(sb);
    const char *before = json_string_value(json_object_get(call, "updated_time"));
    if (before != NULL && sb_store_parse_time(before, &last) && now <= last)
        now = last + 1;
    sb_store_time_ms(now, text);
    json_object_set_new(call, "updated_time", json_string(text));
    sb_store_changed(sb);
}

static json_t *participant(struct sandbox *sb, json_t *call, const char *type, const char *number, const char *name)
{
    json_t *one = json_pack("{s:I, s:O, s:s?, s:s?, s:s, s:i, s:n, s:n, s:s}", "id", (json_int_t)sb_store_object_id(sb),
                            "call_id", json_object_get(call, "id"), "caller_number", number, "caller_name", name,
                            "participant_type", type, "connection_type", 0, "call_status", "duration", "duration_unit",
                            "seconds");
    json_array_append_new(json_object_get(call, "participants"), one);
    return one;
}

static json_t *add(struct sandbox *sb, bool outgoing, const char *number, const char *name)
{
    char created[32];
    sb_store_time_ms(sb_store_wall_ms(sb), created);
    json_int_t id = (json_int_t)sb->next_phone_call++;
    json_t *call = json_pack("{s:I, s:s, s:n, s:I, s:i, s:s, s:n, s:n, s:n, s:n, s:s, s:s, s:n, s:[], s:[]}", "id", id,
                             "direction", outgoing ? "outgoing" : "incoming", "parent_call_id", "root_call_id", id,
                             "phone_number_id", 1, "phone_number", SANDBOX_PHONE_LINE, "assigned_agent_id",
                             "assigned_agent_name", "call_notes", "bill_duration", "bill_duration_unit", "seconds",
                             "created_time", created, "recording", "integrated_resources", "participants");
    if (call == NULL)
        abort();
    participant(sb, call, "Customer", number, name);
    json_array_append_new(sb->phone_calls, call);
    touch(sb, call);
    return call;
}

static int64_t id_of(const json_t *call)
{
    return json_integer_value(json_object_get(call, "id"));
}

static void connect_agent(struct sandbox *sb, json_t *call, const char *agent)
{
    json_t *one = participant(sb, call, "Agent", NULL, agent);
    json_object_set_new(one, "participant_id", json_integer(9));
    json_object_set_new(one, "call_status", json_integer(SANDBOX_PHONE_ANSWERED));
    json_object_set_new(call, "assigned_agent_id", json_integer(9));
    json_object_set_new(call, "assigned_agent_name", json_string(agent));
    json_object_set_new(json_array_get(json_object_get(call, "participants"), 0), "call_status",
                        json_integer(SANDBOX_PHONE_ANSWERED));
    touch(sb, call);
}

static int64_t native_ticket(struct sandbox *sb, json_t *call, bool mute)
{
    const json_t *customer = json_array_get(json_object_get(call, "participants"), 0);
    const char *number = json_string_value(json_object_get(customer, "caller_number"));
    const char *name = json_string_value(json_object_get(customer, "caller_name"));
    json_t *errors = json_array();
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s, s:i}", "subject", "Call from a customer", "description",
                  "Opened by Freshcaller", "phone", number, "name", name != NULL ? name : number, "source", 3);
    json_t *requester = sb_freshdesk_requester(sb, body, errors);
    int64_t id = requester != NULL ? sb_freshdesk_add_ticket(sb, body, requester)->id : 0;
    json_decref(body);
    json_decref(errors);
    if (id != 0 && !mute)
        json_array_append_new(
            json_object_get(call, "integrated_resources"),
            json_pack("{s:s, s:s, s:I}", "integration_name", "freshdesk", "type", "ticket", "id", (json_int_t)id));
    touch(sb, call);
    return id;
}

static void end(struct sandbox *sb, json_t *call, int seconds, int status)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(call, "participants"), i, one)
    {
        json_object_set_new(one, "duration", json_integer(seconds));
        if (i == 0)
            json_object_set_new(one, "call_status", json_integer(status));
    }
    json_object_set_new(call, "bill_duration", json_integer(seconds));
    sb_store_event(sb, SANDBOX_EVENT_PHONE_CALL, "", 0, 0, status == SANDBOX_PHONE_MISSED ? "missed" : "answered");
    if (sb->phone.native)
        native_ticket(sb, call, sb->phone.native_mute);
    touch(sb, call);
}

int64_t sandbox_phone_rings(struct sandbox *sb, const char *from, const char *name)
{
    sb_lock(sb);
    int64_t id = id_of(add(sb, false, from, name));
    sb_unlock(sb);
    return id;
}

int64_t sandbox_phone_dials(struct sandbox *sb, const char *to, const char *agent)
{
    sb_lock(sb);
    json_t *call = add(sb, true, to, NULL);
    json_object_set_new(call, "assigned_agent_name", json_string(agent));
    json_object_set_new(participant(sb, call, "Agent", NULL, agent), "call_status",
                        json_integer(SANDBOX_PHONE_ANSWERED));
    int64_t id = id_of(call);
    sb_unlock(sb);
    return id;
}

// Runs the lines between with `call` found and the lock held; true when it was found.
#define WITH_CALL(sb, call_id, lines)                                                                                  \
    do {                                                                                                               \
        sb_lock(sb);                                                                                                   \
        json_t *call = sb_freshcaller_call(sb, call_id);                                                               \
        if (call != NULL) {                                                                                            \
            lines;                                                                                                     \
        }                                                                                                              \
        sb_unlock(sb);                                                                                                 \
        return call != NULL;                                                                                           \
    } while (0)

bool sandbox_phone_connects(struct sandbox *sb, int64_t call_id, const char *agent)
{
    WITH_CALL(sb, call_id, connect_agent(sb, call, agent));
}

bool sandbox_phone_ends(struct sandbox *sb, int64_t call_id, int seconds, int status)
{
    WITH_CALL(sb, call_id, end(sb, call, seconds, status));
}

static void record(struct sandbox *sb, json_t *call)
{
    char url[128];
    snprintf(url, sizeof url, "%s/calls/%lld/recording", sb->freshcaller_url, (long long)id_of(call));
    json_object_set_new(call, "recording",
                        json_pack("{s:I, s:s, s:n, s:O, s:s}", "id", (json_int_t)sb_store_object_id(sb), "url", url,
                                  "transcription_url", "duration", json_object_get(call, "bill_duration"),
                                  "duration_unit", "seconds"));
    touch(sb, call);
}

bool sandbox_phone_recorded(struct sandbox *sb, int64_t call_id)
{
    WITH_CALL(sb, call_id, record(sb, call));
}

bool sandbox_phone_noted(struct sandbox *sb, int64_t call_id, const char *text)
{
    WITH_CALL(sb, call_id, json_object_set_new(call, "call_notes", json_string(text)); touch(sb, call));
}

bool sandbox_phone_touched(struct sandbox *sb, int64_t call_id)
{
    WITH_CALL(sb, call_id, touch(sb, call));
}

static void earlier(json_t *call, const char *member, int64_t ms)
{
    int64_t at = 0;
    char text[32];
    sb_store_parse_time(json_string_value(json_object_get(call, member)), &at);
    sb_store_time_ms(at - ms, text);
    json_object_set_new(call, member, json_string(text));
}

bool sandbox_phone_earlier(struct sandbox *sb, int64_t call_id, int64_t ms)
{
    WITH_CALL(sb, call_id, earlier(call, "created_time", ms); earlier(call, "updated_time", ms));
}

int64_t sandbox_phone_transfers(struct sandbox *sb, int64_t call_id, const char *agent)
{
    sb_lock(sb);
    json_t *call = sb_freshcaller_call(sb, call_id);
    int64_t id = 0;
    if (call != NULL) {
        const json_t *customer = json_array_get(json_object_get(call, "participants"), 0);
        json_t *leg = add(sb, false, json_string_value(json_object_get(customer, "caller_number")),
                          json_string_value(json_object_get(customer, "caller_name")));
        json_object_set(leg, "parent_call_id", json_object_get(call, "id"));
        json_object_set(leg, "root_call_id", json_object_get(call, "root_call_id"));
        connect_agent(sb, leg, agent);
        id = id_of(leg);
    }
    sb_unlock(sb);
    return id;
}

int64_t sandbox_phone_native_ticket(struct sandbox *sb, int64_t call_id, bool mute)
{
    sb_lock(sb);
    json_t *call = sb_freshcaller_call(sb, call_id);
    int64_t id = call != NULL ? native_ticket(sb, call, mute) : 0;
    sb_unlock(sb);
    return id;
}

int64_t sandbox_phone_call(struct sandbox *sb, const char *from, const char *name, const char *agent, int seconds)
{
    sb_lock(sb);
    json_t *call = add(sb, false, from, name);
    earlier(call, "created_time", (int64_t)seconds * 1000);
    if (agent != NULL)
        connect_agent(sb, call, agent);
    end(sb, call, seconds, agent != NULL ? SANDBOX_PHONE_ANSWERED : SANDBOX_PHONE_MISSED);
    int64_t id = id_of(call);
    sb_unlock(sb);
    return id;
}
