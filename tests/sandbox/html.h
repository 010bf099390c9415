// SPDX-License-Identifier: Apache-2.0
// What Freshdesk does to HTML: cleaning it, and making body_text from it. Callable from any thread.
#pragma once
#include <stdbool.h>

// The HTML without scripts, styles, event attributes, forms, frames and odd addresses, wrapped in a div. The caller
// frees it.
char *sb_html_clean(const char *html);
// The plain text: line breaks where blocks end, or one blank everywhere when flat. Links lose their address. The caller
// frees it.
char *sb_html_text(const char *html, bool flat);
