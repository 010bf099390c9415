// SPDX-License-Identifier: Apache-2.0
// What the front serves to shoppers: the script that a shop's page loads, the form that it loads when a shopper asks to
// be called back, and the hosted page /support. All are made once from the files that are compiled in and the
// configuration, and never change while the process lives: any thread may read them without a lock.
#ifndef HTTP_FRONT_WIDGET_WIDGET_H
#define HTTP_FRONT_WIDGET_WIDGET_H
#include <stddef.h>

#include "proto/config.h"

// One file as it is served.
struct widget_page {
    const char *type; // Content-Type
    char *text;
    size_t size;
    char etag[24];       // with its quotes
    const char *headers; // more header lines, each with \r\n
};

struct widget {
    struct widget_page script;   // /widget.js
    struct widget_page callback; // /callback.js; no text: call-backs are off, and it is not served
    struct widget_page support;  // /support
};

/** Makes all pages; reads `config` only now. Never NULL. */
struct widget *widget_new(const struct config *config);

/** Frees it and sets *self to NULL. A NULL *self is fine. */
void widget_free(struct widget **self);

/** The page of a path without query, NULL when it is none of ours. A NULL self has no pages. */
const struct widget_page *widget_find(const struct widget *self, const char *path);
#endif
