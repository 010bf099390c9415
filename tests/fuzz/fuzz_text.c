// SPDX-License-Identifier: Apache-2.0
// Fuzzes both ways of text: any bytes as an agent's HTML, which becomes plain text for the chat, and as a customer's
// words, which become HTML for the ticket. Whatever comes out is bounded, valid UTF-8, and nothing of it is markup.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workers/text.h"
#include "workers/text_html.h"

enum { MOST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void must_be_clean(struct arena *arena, const char *text, size_t most)
{
    must(text && strlen(text) <= most);
    must(strcmp(text, text_clean(arena, text, most)) == 0);
}

// Escaped text shows the words and is nothing else: no tag but the line break, no attribute can end.
static void must_be_harmless(const char *html)
{
    for (const char *at = html; *at; at++) {
        must(*at != '"' && *at != '\'' && *at != '>');
        if (*at != '<')
            continue;
        must(strncmp(at, "<br>", 4) == 0);
        at += 3;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;

    must_be_clean(arena, text_html_plain(arena, text, TEXT_HTML_ALL, MOST), MOST);
    must_be_clean(arena, text_html_plain(arena, text, TEXT_HTML_NO_QUOTES, 100), 100);
    (void)text_html_is(text);

    const char *clean = text_clean(arena, text, MOST);
    must_be_clean(arena, clean, MOST);
    must_be_clean(arena, text_line(arena, text, 80), 80);
    must(text_cut(clean, 60) <= strlen(clean));
    must(strlen(text_words(arena, clean)) <= strlen(clean));

    struct text_buf html = text_buf_new(arena);
    text_add_html(&html, clean);
    must_be_harmless(html.data);
    // What the agent's browser shows is what was said: the way back gives the same words.
    must(strcmp(text_words(arena, text_html_plain(arena, html.data, TEXT_HTML_ALL, 8 * MOST)),
                text_words(arena, clean)) == 0);

    for (size_t at = 0, skip = 0, length = strlen(clean); at < length; at += skip) {
        size_t piece = text_piece(clean + at, 50, &skip);
        must(piece > 0 && at + piece + skip <= length && text_points(clean + at) > 0);
        skip += piece;
    }
    if (text_is_link(text))
        must(strncasecmp(text, "http", 4) == 0 && !strpbrk(text, "\"'<> "));
    must(!strpbrk(text_url(arena, text), "&?#/+ \"<>"));
    arena_free(&arena);
    free(text);
    return 0;
}
