// SPDX-License-Identifier: Apache-2.0
// Judging the helpdesk's ticket fields.
#include "ctl/desk_fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctl/words.h"

void desk_fields_of(const struct config *config, struct desk_field fields[DESK_FIELDS])
{
    const struct config_freshdesk *desk = &config->freshdesk;
    fields[0] = (struct desk_field){"conversation_field", desk->conversation_field, "custom_text", "single-line text"};
    fields[1] = (struct desk_field){"cart_field", desk->cart_field, "custom_decimal", "decimal number"};
    fields[2] = (struct desk_field){"friction_field", desk->friction_field, "custom_number", "number"};
    fields[3] = (struct desk_field){"screen_field", desk->screen_field, "custom_text", "single-line text"};
}

void desk_fields_label(const struct desk_field *field, char label[DESK_LABEL_BYTES])
{
    const char *name = strncmp(field->name, "cf_", 3) == 0 ? field->name + 3 : field->name;
    snprintf(label, DESK_LABEL_BYTES, "%s", name);
    for (char *at = label; *at; at++)
        if (*at == '_')
            *at = ' ';
    label[0] = (char)toupper((unsigned char)label[0]);
}

const json_t *desk_fields_find(const json_t *list, const char *name)
{
    json_t *field;
    size_t i;
    json_array_foreach((json_t *)list, i, field)
    {
        if (strcmp(words_text(field, "name"), name) == 0)
            return field;
    }
    return NULL;
}

static bool is_custom(const json_t *field)
{
    return strncmp(words_text(field, "type"), "default_", 8) != 0 && !words_yes(field, "default");
}

const json_t *desk_fields_namesake(const json_t *list, const struct desk_field *wanted)
{
    char label[DESK_LABEL_BYTES];
    json_t *field;
    size_t i;
    desk_fields_label(wanted, label);
    json_array_foreach((json_t *)list, i, field)
    {
        if (is_custom(field) && strcasecmp(words_text(field, "label"), label) == 0 &&
            strcmp(words_text(field, "name"), wanted->name) != 0)
            return field;
    }
    return NULL;
}

// ---- types ----------------------------------------------------------------------------------------------------------

static const struct {
    const char *key, *type;
    enum verdict verdict;
    const char *text;
} types[] = {
    {"conversation_field", "custom_text", VERDICT_OK, "single-line text"},
    {"conversation_field", "custom_paragraph", VERDICT_WARN,
     "a paragraph: it works, but agents cannot filter by it as by single-line text"},
    {"screen_field", "custom_text", VERDICT_OK, "single-line text"},
    {"screen_field", "custom_paragraph", VERDICT_OK, "a paragraph"},
    {"cart_field", "custom_decimal", VERDICT_OK, "a decimal number"},
    {"cart_field", "custom_text", VERDICT_WARN, "text: it works, but agents cannot sort or compare by it"},
    {"cart_field", "custom_number", VERDICT_FAIL, "a whole number, in which a cart of 12.50 does not fit"},
    {"friction_field", "custom_number", VERDICT_OK, "a number"},
    {"friction_field", "custom_decimal", VERDICT_OK, "a decimal number"},
    {"friction_field", "custom_text", VERDICT_WARN, "text: it works, but agents cannot sort or compare by it"},
};

enum verdict desk_fields_type(const struct desk_field *field, const char *type, const char **text)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].key, field->key) == 0 && strcmp(types[i].type, type) == 0) {
            *text = types[i].text;
            return types[i].verdict;
        }
    *text = strcmp(type, "custom_dropdown") == 0 ? "a dropdown, which takes none but its own values"
                                                 : "of a type that cannot hold what Deskbell writes";
    return VERDICT_FAIL;
}

static void judge_one(struct findings *findings, const struct desk_field *wanted, const json_t *list)
{
    const json_t *field = desk_fields_find(list, wanted->name), *other;
    const char *text = NULL;
    if (!field && (other = desk_fields_namesake(list, wanted)) != NULL) {
        findings_add(findings, VERDICT_FAIL, "ticket field", NULL,
                     "There is no ticket field %s, but one with its label is called %s.", wanted->name,
                     words_text(other, "name"));
        findings_remedy(findings, "Write %s = \"%s\" into the section freshdesk.", wanted->key,
                        words_text(other, "name"));
        return;
    }
    if (!field) {
        findings_add(findings, VERDICT_FAIL, "ticket field", NULL, "There is no ticket field %s.", wanted->name);
        findings_remedy(findings,
                        "Let deskbellctl provision make it, or make a %s field of that name in Freshdesk's ticket "
                        "fields.",
                        wanted->kind);
        return;
    }
    enum verdict verdict = desk_fields_type(wanted, words_text(field, "type"), &text);
    findings_add(findings, verdict, "ticket field", NULL, "%s is %s.", wanted->name, text);
    if (verdict != VERDICT_OK)
        findings_remedy(findings, "Make a new %s field in Freshdesk and name it as freshdesk.%s.", wanted->kind,
                        wanted->key);
}

void desk_fields_judge(struct findings *findings, const struct config *config, const json_t *list)
{
    struct desk_field fields[DESK_FIELDS];
    desk_fields_of(config, fields);
    for (size_t i = 0; i < DESK_FIELDS; i++)
        judge_one(findings, &fields[i], list);
}

// ---- what is required -----------------------------------------------------------------------------------------------

// The value that ticket.fields sets for a custom field; NULL: none.
static const char *extra_of(const struct config *config, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < config->ticket.fields.count; i++) {
        const char *item = config->ticket.fields.items[i];
        if (strncmp(item, name, length) == 0 && item[length] == '=')
            return item + length + 1;
    }
    return NULL;
}

static void judge_standard(struct findings *findings, const struct config *config, const json_t *field)
{
    static const char *const always[] = {"default_subject",  "default_requester", "default_status",
                                         "default_priority", "default_source",    "default_description"};
    const char *type = words_text(field, "type"), *remedy = NULL;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (strcmp(type, always[i]) == 0)
            return;
    if (strcmp(type, "default_ticket_type") == 0) {
        if (*config->ticket.type)
            return;
        remedy = "Set type in the section ticket.";
    } else if (strcmp(type, "default_group") == 0) {
        if (config->ticket.group_id)
            return;
        remedy = "Set group_id in the section ticket.";
    } else if (strcmp(type, "default_product") == 0) {
        if (config->ticket.product_id)
            return;
        remedy = "Set product_id in the section ticket.";
    } else {
        remedy = "Deskbell cannot fill it: let Freshdesk's ticket fields not require it when a ticket is submitted.";
    }
    findings_add(findings, VERDICT_FAIL, "required fields", remedy, "The helpdesk requires %s of each new ticket.",
                 words_text(field, "label"));
}

static void judge_custom(struct findings *findings, const struct config *config, const json_t *field)
{
    const char *name = words_text(field, "name");
    const char *const sometimes[] = {config->freshdesk.cart_field, config->freshdesk.friction_field,
                                     config->freshdesk.screen_field};
    if (strcmp(name, config->freshdesk.conversation_field) == 0 || extra_of(config, name))
        return;
    findings_add(findings, VERDICT_FAIL, "required fields", NULL, "The helpdesk requires %s of each new ticket.", name);
    for (size_t i = 0; i < sizeof sometimes / sizeof *sometimes; i++)
        if (strcmp(name, sometimes[i]) == 0) {
            findings_remedy(findings, "Not every customer has one: let Freshdesk's ticket fields not require it.");
            return;
        }
    findings_remedy(findings, "Add \"%s=VALUE\" to ticket.fields, or let Freshdesk's ticket fields not require it.",
                    name);
}

// ---- what is sent besides -------------------------------------------------------------------------------------------

// Whether a value is among a field's choices, in whichever of the forms that are in use: texts, objects with a value or
// label, or an object whose keys they are. A field that names no choices takes anything.
static bool is_choice(const json_t *field, const char *value)
{
    json_t *choices = json_object_get(field, "choices"), *choice;
    size_t i;
    if (json_is_object(choices))
        return json_object_size(choices) == 0 || json_object_get(choices, value) != NULL;
    json_array_foreach(choices, i, choice)
    {
        const char *text = json_is_string(choice) ? json_string_value(choice) : words_text(choice, "value");
        if (!*text)
            text = words_text(choice, "label");
        if (strcmp(text, value) == 0)
            return true;
    }
    return json_array_size(choices) == 0;
}

static void judge_type(struct findings *findings, const struct config *config, const json_t *list)
{
    json_t *field;
    size_t i;
    json_array_foreach((json_t *)list, i, field)
    {
        if (strcmp(words_text(field, "type"), "default_ticket_type") == 0 && *config->ticket.type &&
            !is_choice(field, config->ticket.type))
            findings_add(findings, VERDICT_FAIL, "ticket.type",
                         "Set type in the section ticket to one that Freshdesk's ticket fields list.",
                         "The helpdesk has no ticket type \"%s\".", config->ticket.type);
    }
}

static void judge_extra(struct findings *findings, const char *item, const json_t *list)
{
    char name[DESK_LABEL_BYTES + 16];
    const char *equals = strchr(item, '=');
    if (!equals)
        return;
    snprintf(name, sizeof name, "%.*s", (int)(equals - item), item);
    const json_t *field = desk_fields_find(list, name);
    if (!field)
        findings_add(findings, VERDICT_FAIL, "ticket.fields", "Correct or remove it in ticket.fields.",
                     "The helpdesk has no ticket field %s.", name);
    else if (strcmp(words_text(field, "type"), "custom_dropdown") == 0 && !is_choice(field, equals + 1))
        findings_add(findings, VERDICT_FAIL, "ticket.fields",
                     "Set it in ticket.fields to one of the values of that dropdown.",
                     "The dropdown %s has no value \"%s\".", name, equals + 1);
}

void desk_fields_judge_required(struct findings *findings, const struct config *config, const json_t *list)
{
    size_t before = findings->count, i;
    json_t *field;
    json_array_foreach((json_t *)list, i, field)
    {
        if (!words_yes(field, "required_for_agents"))
            continue;
        if (is_custom(field))
            judge_custom(findings, config, field);
        else
            judge_standard(findings, config, field);
    }
    judge_type(findings, config, list);
    for (size_t j = 0; j < config->ticket.fields.count; j++)
        judge_extra(findings, config->ticket.fields.items[j], list);
    if (findings->count == before)
        findings_add(findings, VERDICT_OK, "required fields", NULL,
                     "Deskbell sends all that the helpdesk requires of a new ticket.");
}
