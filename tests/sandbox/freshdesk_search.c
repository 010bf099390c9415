// SPDX-License-Identifier: Apache-2.0
// Freshdesk's ticket search: a small query language over an index that lags minutes behind, which is why nobody
// should ask it whether a ticket exists. Runs with the store locked.
#include "freshdesk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_PAGE 30

struct parser {
    const char *at;
    const json_t *ticket; // as the index knows it
    bool bad;
};

static bool parse_or(struct parser *parser, int depth);

static void skip_blanks(struct parser *parser)
{
    parser->at += strspn(parser->at, " ");
}

static bool take_word(struct parser *parser, const char *word)
{
    skip_blanks(parser);
    size_t length = strlen(word);
    if (strncasecmp(parser->at, word, length) != 0)
        return false;
    parser->at += length;
    return true;
}

static const json_t *field_of(const json_t *ticket, const char *name)
{
    if (strcmp(name, "agent_id") == 0)
        return json_object_get(ticket, "responder_id");
    const json_t *custom = json_object_get(json_object_get(ticket, "custom_fields"), name);
    return custom != NULL ? custom : json_object_get(ticket, name);
}

static bool equal_text(const json_t *is, const char *wanted)
{
    char number[40];
    if (json_is_string(is))
        return strcasecmp(json_string_value(is), wanted) == 0;
    if (json_is_boolean(is))
        return strcmp(json_is_true(is) ? "true" : "false", wanted) == 0;
    if (json_is_integer(is))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(is));
    else if (json_is_real(is))
        snprintf(number, sizeof number, "%.15g", json_real_value(is));
    else
        return false;
    return strcmp(number, wanted) == 0;
}

static bool compare(const json_t *ticket, const char *field, char order, const char *wanted, bool quoted)
{
    if (strcmp(field, "tag") == 0) {
        const json_t *tags = json_object_get(ticket, "tags"), *tag;
        size_t i;
        json_array_foreach(tags, i, tag)
        {
            if (equal_text(tag, wanted))
                return true;
        }
        return false;
    }
    const json_t *is = field_of(ticket, field);
    if (!quoted && strcmp(wanted, "null") == 0)
        return is == NULL || json_is_null(is);
    if (json_is_string(is) && strstr(field, "_at") != NULL) {
        int order_of = strncmp(json_string_value(is), wanted, 10); // dates only, both ends inclusive
        return order == '>' ? order_of >= 0 : order == '<' ? order_of <= 0 : order_of == 0;
    }
    if (order != '=' && json_is_number(is))
        return order == '>' ? json_number_value(is) >= atof(wanted) : json_number_value(is) <= atof(wanted);
    return order == '=' && equal_text(is, wanted);
}

// field:value, field:'text', field:>value, field:<value, field:null
static bool parse_term(struct parser *parser, int depth)
{
    char field[128], value[300];
    char order = '=';
    if (take_word(parser, "(")) {
        bool inner = parse_or(parser, depth + 1);
        parser->bad = parser->bad || !take_word(parser, ")");
        return inner;
    }
    size_t length = strcspn(parser->at, ": ()");
    if (length == 0 || length >= sizeof field || parser->at[length] != ':') {
        parser->bad = true;
        return false;
    }
    snprintf(field, sizeof field, "%.*s", (int)length, parser->at);
    parser->at += length + 1;
    if (*parser->at == '>' || *parser->at == '<')
        order = *parser->at++;
    bool quoted = *parser->at == '\'';
    parser->at += quoted;
    length = strcspn(parser->at, quoted ? "'" : " )");
    parser->bad =
        parser->bad || length >= sizeof value || (length == 0 && !quoted) || (quoted && parser->at[length] != '\'');
    if (parser->bad)
        return false;
    snprintf(value, sizeof value, "%.*s", (int)length, parser->at);
    parser->at += length + quoted;
    return compare(parser->ticket, field, order, value, quoted);
}

static bool parse_and(struct parser *parser, int depth)
{
    bool result = parse_term(parser, depth);
    while (!parser->bad && take_word(parser, "AND "))
        result = parse_term(parser, depth) && result; // the term is read in any case
    return result;
}

static bool parse_or(struct parser *parser, int depth)
{
    if (depth > 20) {
        parser->bad = true;
        return false;
    }
    skip_blanks(parser);
    bool result = parse_and(parser, depth);
    while (!parser->bad && take_word(parser, "OR "))
        result = parse_and(parser, depth) || result;
    return result;
}

static bool matches_query(const json_t *ticket, const char *query, bool *bad)
{
    struct parser parser = {.at = query, .ticket = ticket};
    bool result = parse_or(&parser, 0);
    skip_blanks(&parser);
    *bad = parser.bad || *parser.at != '\0';
    return result;
}

// What is due comes into the index now; nobody can see that it was not there a moment ago.
static void catch_up(struct sandbox *sb)
{
    int64_t now = sandbox_now_us();
    for (size_t i = 0; i < sb->ticket_count; i++) {
        struct sb_ticket *ticket = sb->tickets[i];
        if (ticket->index_due_us == 0 || ticket->index_due_us > now)
            continue;
        json_decref(ticket->indexed);
        ticket->indexed = json_deep_copy(ticket->doc);
        ticket->index_due_us = 0;
    }
}

void sb_freshdesk_search(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"query", "page", NULL};
    char query[600] = "", page_text[16];
    json_t *errors = json_array(), *results, *empty;
    bool bad = true;
    sb_check_params(request, known, errors);
    int64_t page = sb_request_param(request, "page", page_text, sizeof page_text) ? sb_number(page_text) : 1;
    if (page < 1 || page > 10)
        sb_check_error(errors, "page", "It should be a Positive Integer less than or equal to 10", "invalid_value");
    bool given = sb_request_param(request, "query", query, sizeof query);
    size_t length = strlen(query);
    if (!given || length < 3 || query[0] != '"' || query[length - 1] != '"' || length - 2 > 512) {
        sb_check_error(errors, "query", "It should be in double quotes and have at most 512 characters",
                       "invalid_value");
    } else {
        query[length - 1] = '\0';
        empty = json_object();
        matches_query(empty, query + 1, &bad);
        json_decref(empty);
        if (bad)
            sb_check_error(errors, "query", "The query cannot be read", "invalid_value");
    }
    if (!sb_check_done(response, errors))
        return;
    catch_up(sb);
    results = json_array();
    int64_t total = 0;
    for (size_t i = 0; i < sb->ticket_count; i++) {
        const json_t *ticket = sb->tickets[i]->indexed;
        if (ticket == NULL || !matches_query(ticket, query + 1, &bad))
            continue;
        if (total >= (page - 1) * PER_PAGE && total < page * PER_PAGE)
            json_array_append(results, (json_t *)ticket);
        total++;
    }
    sb_response_json(response, 200, json_pack("{s:I, s:o}", "total", (json_int_t)total, "results", results));
}
