// SPDX-License-Identifier: Apache-2.0
// The two pages of the sandbox, /shop and /desk, and what they call under /sandbox/. Runs in connection threads, store
// unlocked.
#pragma once
#include "http.h"

struct mg_connection;

// One file that is compiled in (embed.cmake makes the table).
struct sb_page_file {
    const char *path, *type;
    const unsigned char *data;
    size_t length;
};
extern const struct sb_page_file sb_page_files[]; // ends with a NULL path

void sb_pages_serve(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
// Server-sent events: one for each change of state, until the browser leaves or the sandbox stops.
void sb_pages_stream(struct sandbox *sb, struct mg_connection *connection);
