// SPDX-License-Identifier: Apache-2.0
// Quoted history; see text_history.h. An agent's lost word is worse than a quote too many, so marks that people can set
// themselves (Gmail's quote button writes what its replies are quoted with) count only together with a place or a line
// that no person writes. Freshdesk itself puts what it took for history into div and blockquote of freshdesk_quote.
#include "workers/text_history.h"

#include <string.h>
#include <strings.h>

#include "workers/text.h"

enum { ATTRIBUTE_BYTES = 8192, LINE_BYTES = 400 };

static bool is_blockquote(const xmlNode *node)
{
    return node->type == XML_ELEMENT_NODE && strcasecmp((const char *)node->name, "blockquote") == 0;
}

static const char *attribute(struct arena *arena, const xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    const char *copy = value ? text_line(arena, (const char *)value, ATTRIBUTE_BYTES) : "";
    xmlFree(value);
    return copy;
}

static bool is_text(const xmlNode *node)
{
    return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

static bool has_words(struct arena *arena, const xmlNode *node)
{
    return is_text(node) && *text_words(arena, (const char *)node->content);
}

// The node after `node` in the document, without what is in it when `past`; NULL behind `root`.
static xmlNode *following(const xmlNode *node, const xmlNode *root, bool past)
{
    if (!past && node->type == XML_ELEMENT_NODE && node->children)
        return node->children;
    while (node != root && !node->next)
        node = node->parent;
    return node == root ? NULL : node->next;
}

// ---- marks ----------------------------------------------------------------------------------------------------------

static enum text_history mark_of_word(const char *word, size_t length)
{
    static const struct {
        const char *word;
        enum text_history mark;
    } words[] = {
        {"freshdesk_quote", TEXT_HISTORY_FRESHDESK},
        {"gmail_quote", TEXT_HISTORY_QUOTE},
        {"gmail_quote_container", TEXT_HISTORY_QUOTE},
        {"yahoo_quoted", TEXT_HISTORY_QUOTE},
        {"protonmail_quote", TEXT_HISTORY_QUOTE},
        {"tutanota_quote", TEXT_HISTORY_QUOTE},
        {"zmail_extra", TEXT_HISTORY_QUOTE},
        {"front-blockquote", TEXT_HISTORY_QUOTE},
        {"quoted-text", TEXT_HISTORY_QUOTE},
        {"OLK_SRC_BODY_SECTION", TEXT_HISTORY_QUOTE},                    // Outlook for Mac
        {"mail-editor-reference-message-container", TEXT_HISTORY_QUOTE}, // Outlook's apps
        {"ms-outlook-mobile-reference-message", TEXT_HISTORY_QUOTE},
        {"moz-cite-prefix", TEXT_HISTORY_HEADER},
        {"gmail_attr", TEXT_HISTORY_HEADER},
        {"divRplyFwdMsg", TEXT_HISTORY_REST}, // "From: ... Sent: ...": what it heads is beside it, not in it
        {"OutlookMessageHeader", TEXT_HISTORY_REST},
        {"gmail_signature", TEXT_HISTORY_SIGNATURE},
        {"freshdesk_signature", TEXT_HISTORY_SIGNATURE},
        {"moz-signature", TEXT_HISTORY_SIGNATURE},
        {"fd-signature", TEXT_HISTORY_SIGNATURE},
        {"signature", TEXT_HISTORY_SIGNATURE},
        {"ms-outlook-mobile-signature", TEXT_HISTORY_SIGNATURE},
        {"protonmail_signature_block", TEXT_HISTORY_SIGNATURE},
    };
    while (length > 2 && strncasecmp(word, "x_", 2) == 0) { // Outlook on the web, once per mail it went through
        word += 2;
        length -= 2;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == length && strncasecmp(word, words[i].word, length) == 0)
            return words[i].mark;
    // with a number behind it, or letters before it
    static const char yahoo[] = "yahoo_quoted";
    return memmem(word, length, yahoo, strlen(yahoo)) ? TEXT_HISTORY_QUOTE : TEXT_HISTORY_NONE;
}

// The element's first words, white space collapsed.
static const char *first_words(struct arena *arena, const xmlNode *root)
{
    struct text_buf words = text_buf_new(arena);
    for (const xmlNode *node = root; node && words.length < LINE_BYTES; node = following(node, root, false)) {
        if (is_text(node))
            text_buf_add(&words, text_line(arena, (const char *)node->content, LINE_BYTES));
        text_buf_add(&words, " ");
    }
    return text_line(arena, words.data, LINE_BYTES);
}

// Outlook's header without a name: a line above it, and it begins with who wrote.
static bool is_outlook_header(struct arena *arena, const xmlNode *node)
{
    static const char *const from[] = {"From:", "Von:", "Van:", "De:", "De :", "Da:", "Od:", "Fra:", "Fr\xc3\xa5n:"};
    if (strcasecmp((const char *)node->name, "div") != 0)
        return false;
    const char *style = text_words(arena, attribute(arena, node, "style"));
    if (!strcasestr(style, "border-top:solid") || !strcasestr(style, "border:none"))
        return false;
    const char *words = first_words(arena, node);
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        if (strncmp(words, from[i], strlen(from[i])) == 0)
            return true;
    return false;
}

enum text_history text_history_mark(struct arena *arena, const xmlNode *node)
{
    if (!node->properties)
        return TEXT_HISTORY_NONE;
    enum text_history mark = TEXT_HISTORY_NONE;
    const char *lists[] = {attribute(arena, node, "class"), attribute(arena, node, "id")};
    for (size_t list = 0; list < 2 && !mark; list++)
        for (const char *at = lists[list]; *at && !mark;) {
            size_t length = strcspn(at, " ");
            mark = mark_of_word(at, length);
            at += length + (at[length] == ' ');
        }
    if (is_blockquote(node)) {
        if (mark == TEXT_HISTORY_QUOTE || (!mark && strcasecmp(attribute(arena, node, "type"), "cite") == 0))
            return TEXT_HISTORY_CITED;
    } else if (!mark && is_outlook_header(arena, node)) {
        return TEXT_HISTORY_REST;
    }
    return mark;
}

// ---- lines ----------------------------------------------------------------------------------------------------------

static bool has_time(const char *line)
{
    for (; *line; line++)
        if (line[0] >= '0' && line[0] <= '9' && line[1] && strchr(":.h", line[1]) && line[2] >= '0' && line[2] <= '9' &&
            line[3] >= '0' && line[3] <= '9')
            return true;
    return false;
}

// The line's word for "wrote" as a whole word, NULL when it has none.
static const char *verb_in(const char *line, size_t *length)
{
    static const char *const verbs[] = {"wrote",      "schrieb",  "schreef", "a \303\251crit", "escribi\xc3\xb3",
                                        "ha scritto", "escreveu", "skrev",   "napisa\xc5\x82", "napisa\xc5\x82(a)"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        *length = strlen(verbs[i]);
        for (const char *at = strstr(line, verbs[i]); at; at = strstr(at + 1, verbs[i]))
            if (at > line && at[-1] == ' ' && strchr(" :", at[*length]))
                return at;
    }
    return NULL;
}

// Whether all words of a piece are as names are written: "you", "we" and "our driver" are not.
static bool only_names(const char *at, const char *end)
{
    while (at < end) {
        if (*at >= 'a' && *at <= 'z')
            return false;
        while (at < end && *at != ' ')
            at++;
        while (at < end && *at == ' ')
            at++;
    }
    return true;
}

bool text_history_introduces(const char *line, bool marked)
{
    size_t length = strlen(line);
    if (length < 2 || length > LINE_BYTES || line[length - 1] != ':' || !has_time(line))
        return false;
    size_t verb_length;
    const char *verb = verb_in(line, &verb_length);
    bool address = strchr(line, '@') != NULL;
    if (marked || (verb && address))
        return verb || address;
    if (!verb)
        return false;
    const char *name = line; // behind the time
    for (const char *at = line; *at; at++)
        if (*at >= '0' && *at <= '9')
            name = at + 1;
    name += strcspn(name, " ");
    const char *end = line + length - 1;
    if (name >= end)
        return false;
    return name <= verb ? only_names(name, verb) && only_names(verb + verb_length, end) : only_names(name, end);
}

bool text_history_begins(struct arena *arena, const xmlNode *node, bool marked)
{
    const char *words = first_words(arena, node);
    for (const char *colon = strchr(words, ':'); colon; colon = strchr(colon + 1, ':'))
        if (text_history_introduces(arena_copy(arena, words, (size_t)(colon + 1 - words)), marked))
            return true;
    return false;
}

// ---- places ---------------------------------------------------------------------------------------------------------

const xmlNode *text_history_last_words(struct arena *arena, const xmlNode *root)
{
    const xmlNode *last = NULL;
    for (const xmlNode *node = root; node;) {
        enum text_history mark = node->type == XML_ELEMENT_NODE ? text_history_mark(arena, node) : TEXT_HISTORY_NONE;
        if (mark == TEXT_HISTORY_REST)
            break;
        if (has_words(arena, node))
            last = node;
        node = following(node, root, mark != TEXT_HISTORY_NONE);
    }
    return last;
}

xmlNode *text_history_answered(struct arena *arena, const xmlNode *node)
{
    xmlNode *first = node->children;
    while (first && !(is_blockquote(first) && text_history_mark(arena, first) == TEXT_HISTORY_CITED))
        first = first->next;
    if (!first)
        return NULL;
    for (const xmlNode *beside = first->next; beside; beside = beside->next)
        for (const xmlNode *at = beside; at; at = following(at, beside, is_blockquote(at)))
            if (has_words(arena, at))
                return first;
    return NULL;
}
