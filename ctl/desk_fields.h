// SPDX-License-Identifier: Apache-2.0
// The four ticket fields that Deskbell fills, as the helpdesk's list of fields (freshworks-api 4.10) shows them. Pure
// functions over JSON.
#ifndef CTL_DESK_FIELDS_H
#define CTL_DESK_FIELDS_H
#include <jansson.h>

#include "ctl/findings.h"
#include "proto/config.h"

enum { DESK_FIELDS = 4, DESK_LABEL_BYTES = 128 };

struct desk_field {
    const char *key;  // in deskbell.conf: "conversation_field"
    const char *name; // as configured
    const char *type; // what provision makes
    const char *kind; // the same for people
};

/** The four, as the configuration names them; `name` is the configuration's. */
void desk_fields_of(const struct config *config, struct desk_field fields[DESK_FIELDS]);

/** The label from which the helpdesk makes this field's name: "Cart value" for cf_cart_value. */
void desk_fields_label(const struct desk_field *field, char label[DESK_LABEL_BYTES]);

/** The field of that name in the list; NULL: there is none. Borrowed. */
const json_t *desk_fields_find(const json_t *list, const char *name);
/** A custom field under this field's label that the helpdesk has given another name; NULL: there is none. */
const json_t *desk_fields_namesake(const json_t *list, const struct desk_field *field);

/** What a type means for that field: ok, warn (it works, less well) or fail; *text is the rest of a sentence. */
enum verdict desk_fields_type(const struct desk_field *field, const char *type, const char **text);

/** Says of each of the four whether it is there and of the right type. */
void desk_fields_judge(struct findings *findings, const struct config *config, const json_t *list);

/**
 * Says of what the helpdesk requires whether Deskbell sends it, and of what Deskbell sends besides (ticket.type,
 * ticket.fields) whether the helpdesk takes it.
 */
void desk_fields_judge_required(struct findings *findings, const struct config *config, const json_t *list);
#endif
