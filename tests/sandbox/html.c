// SPDX-License-Identifier: Apache-2.0
// Rewrites HTML bodies as Freshdesk does: what is stored is never byte for byte what was sent. Parsing is libxml2's;
// the allow-list and the text form are ours. Runs in any thread, keeps no state.
#include "html.h"
#include "store.h"

#include <ctype.h>
#include <libxml/HTMLparser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 100

struct text {
    char *data;
    size_t length, room;
};

static void put(struct text *text, const char *data, size_t length)
{
    if (text->length + length + 1 > text->room) {
        text->room = (text->length + length + 1) * 2;
        text->data = realloc(text->data, text->room);
        if (text->data == NULL)
            abort();
    }
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

static void puts_text(struct text *text, const char *data)
{
    put(text, data, strlen(data));
}

static void put_escaped(struct text *text, const char *data)
{
    for (; *data != '\0'; data++) {
        if (*data == '&')
            puts_text(text, "&amp;");
        else if (*data == '<')
            puts_text(text, "&lt;");
        else if (*data == '>')
            puts_text(text, "&gt;");
        else if (*data == '"')
            puts_text(text, "&quot;");
        else
            put(text, data, 1);
    }
}

static bool in_list(const char *const *list, const xmlChar *name)
{
    for (; *list != NULL; list++)
        if (strcasecmp(*list, (const char *)name) == 0)
            return true;
    return false;
}

static const char *const kept[] = {"a",          "b",    "i",     "u",     "s",     "em",  "strong", "p",  "br", "div",
                                   "span",       "ul",   "ol",    "li",    "h1",    "h2",  "h3",     "h4", "h5", "h6",
                                   "pre",        "code", "table", "thead", "tbody", "tr",  "td",     "th", "hr", "img",
                                   "blockquote", "dl",   "dt",    "dd",    "sub",   "sup", "small",  NULL};
static const char *const dropped[] = {"script", "style",  "iframe", "object", "embed", "form",
                                      "input",  "button", "link",   "meta",   "title", NULL};
static const char *const empty[] = {"br", "hr", "img", NULL};
static const char *const blocks[] = {"p",  "div", "li", "ul",         "ol",  "tr", "table", "h1", "h2", "h3",
                                     "h4", "h5",  "h6", "blockquote", "pre", "dl", "dt",    "dd", NULL};
static const char *const attributes[] = {"href", "src", "alt", "title", "style", "class", "dir", NULL};

static bool good_address(const char *address)
{
    static const char *const schemes[] = {"http://", "https://", "mailto:", "tel:", NULL};
    for (size_t i = 0; schemes[i] != NULL; i++)
        if (strncasecmp(address, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

static void write_attributes(const xmlNode *node, struct text *out)
{
    for (xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next) {
        const char *name = (const char *)attribute->name;
        bool address = strcasecmp(name, "href") == 0 || strcasecmp(name, "src") == 0;
        if (!in_list(attributes, attribute->name))
            continue;
        xmlChar *value = xmlNodeListGetString(node->doc, attribute->children, 1);
        if (value != NULL && (!address || good_address((const char *)value))) {
            puts_text(out, " ");
            puts_text(out, name);
            puts_text(out, "=\"");
            put_escaped(out, (const char *)value);
            puts_text(out, "\"");
        }
        xmlFree(value);
    }
}

static void write_clean(const xmlNode *node, struct text *out, int depth)
{
    for (; node != NULL; node = node->next) {
        if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
            put_escaped(out, (const char *)node->content);
            continue;
        }
        if (node->type != XML_ELEMENT_NODE || depth > DEPTH_LIMIT || in_list(dropped, node->name))
            continue;
        bool keep = in_list(kept, node->name);
        if (keep) {
            puts_text(out, "<");
            puts_text(out, (const char *)node->name);
            write_attributes(node, out);
            puts_text(out, ">");
        }
        write_clean(node->children, out, depth + 1);
        if (keep && !in_list(empty, node->name)) {
            puts_text(out, "</");
            puts_text(out, (const char *)node->name);
            puts_text(out, ">");
        }
    }
}

static void end_line(struct text *out)
{
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
    if (out->length > 0 && out->data[out->length - 1] != '\n')
        puts_text(out, "\n");
}

// White space in HTML is one blank, and none at the start of a line.
static void put_words(struct text *out, const char *words)
{
    for (; *words != '\0'; words++) {
        bool blank = isspace((unsigned char)*words);
        char last = out->length > 0 ? out->data[out->length - 1] : '\n';
        if (!blank)
            put(out, words, 1);
        else if (last != ' ' && last != '\n')
            puts_text(out, " ");
    }
}

static void write_text(const xmlNode *node, struct text *out, int depth)
{
    for (; node != NULL; node = node->next) {
        if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
            put_words(out, (const char *)node->content);
            continue;
        }
        if (node->type != XML_ELEMENT_NODE || depth > DEPTH_LIMIT || in_list(dropped, node->name))
            continue;
        if (strcasecmp((const char *)node->name, "br") == 0) {
            while (out->length > 0 && out->data[out->length - 1] == ' ')
                out->data[--out->length] = '\0';
            puts_text(out, "\n");
            continue;
        }
        bool block = in_list(blocks, node->name);
        if (block)
            end_line(out);
        write_text(node->children, out, depth + 1);
        if (block)
            end_line(out);
    }
}

static htmlDocPtr parse(const char *html)
{
    // libxml2 wants a root to hang a fragment on, and adds html and body by itself.
    size_t room = strlen(html) + 32;
    char *whole = sb_alloc(room);
    int length = snprintf(whole, room, "<html><body>%s</body></html>", html);
    htmlDocPtr document = htmlReadMemory(whole, length, NULL, "UTF-8",
                                         HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                             HTML_PARSE_NONET | HTML_PARSE_NOIMPLIED);
    free(whole);
    return document;
}

char *sb_html_clean(const char *html)
{
    struct text out = {0};
    htmlDocPtr document = parse(html);
    puts_text(&out, "<div>");
    if (document != NULL)
        write_clean(document->children, &out, 0);
    puts_text(&out, "</div>");
    xmlFreeDoc(document);
    return out.data;
}

char *sb_html_text(const char *html, bool flat)
{
    struct text out = {0};
    htmlDocPtr document = parse(html);
    put(&out, "", 0);
    if (document != NULL)
        write_text(document->children, &out, 0);
    xmlFreeDoc(document);
    while (out.length > 0 && isspace((unsigned char)out.data[out.length - 1]))
        out.data[--out.length] = '\0';
    for (char *at = out.data; flat && *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    return out.data;
}
