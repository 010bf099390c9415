// SPDX-License-Identifier: Apache-2.0
// Agents read into the cache; see directory.h.
#include "workers/directory.h"

#include <inttypes.h>
#include <string.h>

#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/text.h"

enum { NAME_MAX_BYTES = 512, MOST_PAGES = 100 };

void directory_chat_request(struct job_context *context, struct request *request)
{
    uint64_t page = context->found.page ? context->found.page : 1;
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/agents?items_per_page=%d&page=%" PRIu64, FLOW_CHAT_PAGE_SIZE, page),
    };
}

static void put_chat_agent(struct job_context *context, const json_t *item)
{
    struct arena *arena = context->arena;
    const char *first = fields_line(arena, item, "first_name", NAME_MAX_BYTES);
    const char *last = fields_line(arena, item, "last_name", NAME_MAX_BYTES);
    struct agent agent = {
        .exists = true,
        .id = fields_id_text(arena, item, "id"),
        .email = fields_line(arena, item, "email", NAME_MAX_BYTES),
        .first_name = first,
        .name = text_line(arena, arena_printf(arena, "%s %s", first, last), NAME_MAX_BYTES),
    };
    if (*agent.id)
        agents_put(context->agents, UPSTREAM_FRESHCHAT, &agent);
}

bool directory_goes_on(const json_t *json, size_t size)
{
    if (size == 0)
        return false;
    if (json_is_array(json))
        return size >= FLOW_CHAT_PAGE_SIZE;
    if (*fields_raw(json_object_get(json, "link"), "href"))
        return true;
    const json_t *pages = json_object_get(json, "pagination");
    if (json_is_object(pages))
        return fields_id(pages, "current_page") < fields_id(pages, "total_pages");
    return json_is_object(json_object_get(json_object_get(json, "links"), "next_page"));
}

bool directory_chat_page(struct job_context *context, const struct response *response, bool *more)
{
    const json_t *list = fields_list(response->json, "agents");
    *more = false;
    if (!list)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!fields_flag(json_array_get(list, i), "is_deactivated"))
            put_chat_agent(context, json_array_get(list, i));
    uint64_t page = context->found.page ? context->found.page : 1;
    *more = page < MOST_PAGES && directory_goes_on(response->json, json_array_size(list));
    context->found.page = *more ? page + 1 : 0;
    return true;
}

bool directory_desk_agent(struct job_context *context, const void *json)
{
    struct arena *arena = context->arena;
    const json_t *contact = json_object_get(json, "contact");
    uint64_t id = fields_id(json, "id");
    const char *name = fields_line(arena, contact, "name", NAME_MAX_BYTES);
    struct agent agent = {
        .exists = true,
        .id = arena_printf(arena, "%" PRIu64, id),
        .email = fields_line(arena, contact, "email", NAME_MAX_BYTES),
        .name = name,
        .first_name = arena_copy(arena, name, strcspn(name, " ")),
    };
    if (!id)
        return false;
    agents_put(context->agents, UPSTREAM_FRESHDESK, &agent);
    agents_put_phone(context->agents, UPSTREAM_FRESHDESK, fields_raw(contact, "phone"));
    agents_put_phone(context->agents, UPSTREAM_FRESHDESK, fields_raw(contact, "mobile"));
    return true;
}

void directory_desk_request(struct job_context *context, struct request *request)
{
    context->found.page = agents_wanted_page(context->agents);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/agents?per_page=%d&page=%" PRIu64, FLOW_PAGE_SIZE, context->found.page),
    };
}

bool directory_desk_page(struct job_context *context, const struct response *response)
{
    const json_t *list = fields_list(response->json, "agents");
    uint64_t page = context->found.page;
    context->found.page = 0;
    if (!list)
        return false;
    size_t size = json_array_size(list);
    for (size_t i = 0; i < size; i++)
        directory_desk_agent(context, json_array_get(list, i));
    agents_put_page(context->agents, page, size > 0 && (response->link_next || size >= FLOW_PAGE_SIZE));
    return true;
}
