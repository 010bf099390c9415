// SPDX-License-Identifier: Apache-2.0
// HTML to plain text: libxml2's HTML parser makes the tree, a walk without recursion writes the text. The writer works
// in lines: white space is held back until a word follows, so that no line begins or ends with it.
#include "workers/text_html.h"

#include <libxml/HTMLparser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "workers/text.h"
#include "workers/text_history.h"

// More HTML than this is not read. libxml2's time grows with the square of the attributes of one tag (seconds for a
// quarter of a megabyte, and this thread serves everybody), so a tag longer than TAG_MAX_BYTES ends the parsing.
enum {
    HTML_MAX_BYTES = 1 << 18,
    TAG_MAX_BYTES = 24 << 10,
    FEED_BYTES = 4096,
    LINE_MAX_BYTES = 1024,
    ENDS_LOOKED_FOR = 64, // a look reads all that follows
    QUOTE_DEPTH_SHOWN = 8
};

struct writer {
    struct text_buf out;
    size_t max_bytes;
    unsigned flags;
    int breaks;       // line ends to write before the next word: 2 sets a paragraph apart
    bool gap;         // a space to write before the next word on this line
    bool has_line;    // the present line has a word
    const char *mark; // "- " or "3. " to begin the next line with, or NULL
    bool in_link;
    struct text_buf label; // the words of the link so far
    int quotes;            // depth of <blockquote>
    int preformatted;
    bool full;
    size_t line_from; // where the present line began in `out`, with the line ends before it
    // only with TEXT_HTML_NO_QUOTES:
    const xmlNode *last_words; // see text_history_last_words
    bool past_words;           // they were written
    const xmlNode *answered;   // the quote with answers in it that the walk is in
    bool introduced;           // the line that introduces a quote was left out just before
    bool ended;                // the rest is history
};

// ---- writing --------------------------------------------------------------------------------------------------------

static void want_break(struct writer *self, int breaks)
{
    if (!breaks)
        return;
    if (self->breaks < breaks)
        self->breaks = breaks;
    self->gap = false;
}

static void write_point(struct writer *self, unsigned point)
{
    size_t before = self->out.length;
    self->introduced = false;
    if (self->breaks && self->out.length) {
        self->line_from = before;
        text_buf_add(&self->out, self->breaks > 1 ? "\n\n" : "\n");
        self->has_line = false;
    }
    self->breaks = 0;
    if (!self->has_line) {
        for (int i = 0; i < self->quotes && i < QUOTE_DEPTH_SHOWN; i++)
            text_buf_add(&self->out, "> ");
        text_buf_add(&self->out, self->mark ? self->mark : "");
        self->mark = NULL;
    } else if (self->gap) {
        text_buf_add(&self->out, " ");
    }
    if (self->in_link && self->gap && self->label.length)
        text_buf_add(&self->label, " ");
    self->gap = false;
    self->has_line = true;
    text_buf_add_point(&self->out, point);
    if (self->in_link)
        text_buf_add_point(&self->label, point);
    if (self->out.length > self->max_bytes) {
        text_buf_cut(&self->out, before);
        self->full = true;
    }
}

static void write_text(struct writer *self, const char *text)
{
    unsigned point;
    while (!self->full && (point = text_next(&text)) != 0) {
        bool blank = point == ' ' || point == '\t' || point == '\n' || point == '\r' || point == '\f' || point == 0xa0;
        if (blank && self->preformatted && point == '\n') {
            self->breaks = self->breaks ? 2 : 1;
            self->gap = false;
        } else if (blank && self->preformatted && point != '\r' && self->has_line && !self->breaks) {
            write_point(self, ' ');
        } else if (blank) {
            self->gap = self->has_line && !self->breaks;
        } else if (point >= 0x20 && !(point >= 0x7f && point <= 0x9f) && point != 0xfeff) {
            write_point(self, point);
        }
    }
}

// ---- what an element is ---------------------------------------------------------------------------------------------

static bool named(const xmlNode *node, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp((const char *)node->name, *names) == 0)
            return true;
    return false;
}

static bool is_named(const xmlNode *node, const char *name)
{
    return strcasecmp((const char *)node->name, name) == 0;
}

// The attribute's value in `arena`, "" when there is none.
static const char *attribute(struct arena *arena, const xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetProp(node, (const xmlChar *)name);
    const char *copy = value ? text_line(arena, (const char *)value, 8192) : "";
    xmlFree(value);
    return copy;
}

// The last line that was written, when it introduces the quote that comes now, is taken back. False: it does not.
static bool take_introduction(struct writer *self, bool marked)
{
    const char *line = text_line(self->out.arena, self->out.data + self->line_from, LINE_MAX_BYTES);
    if (!self->has_line || !text_history_introduces(line, marked))
        return false;
    text_buf_cut(&self->out, self->line_from);
    self->has_line = self->gap = false;
    self->breaks = 2;
    return true;
}

// A quote is left out only where something besides the quote says that it is history: what an agent quotes to the
// customer (the shop's terms) looks the same.
static bool is_quoted_history(struct writer *self, const xmlNode *node, enum text_history mark)
{
    bool marked = mark != TEXT_HISTORY_NONE;
    if (mark == TEXT_HISTORY_FRESHDESK || self->answered || self->introduced || take_introduction(self, marked))
        return true;
    return text_history_begins(self->out.arena, node, marked) || (marked && self->past_words);
}

static bool is_history(struct writer *self, const xmlNode *node)
{
    enum text_history mark = text_history_mark(self->out.arena, node);
    if (is_named(node, "blockquote"))
        return mark == TEXT_HISTORY_SIGNATURE || is_quoted_history(self, node, mark);
    if (mark == TEXT_HISTORY_HEADER)
        self->introduced = true;
    if (mark == TEXT_HISTORY_REST && self->out.length == 0)
        return false; // nothing was said before it: an agent writes below, or passes it on
    if (mark == TEXT_HISTORY_REST)
        self->ended = true;
    if (mark == TEXT_HISTORY_QUOTE && !self->answered && text_history_answered(self->out.arena, node)) {
        self->answered = node;
        return false;
    }
    return mark != TEXT_HISTORY_NONE;
}

static bool is_skipped(struct writer *self, const xmlNode *node)
{
    static const char *const hidden[] = {"script", "style",  "head",   "title", "template", "iframe", "object", "embed",
                                         "svg",    "canvas", "select", "audio", "video",    "map",    NULL};
    if (named(node, hidden))
        return true;
    return (self->flags & TEXT_HTML_NO_QUOTES) && is_history(self, node);
}

// Line ends an element sets before and after itself.
static int breaks_of(const xmlNode *node)
{
    static const char *const paragraphs[] = {"p",  "h1", "h2", "h3", "h4",    "h5",  "h6", "blockquote",
                                             "ul", "ol", "dl", "hr", "table", "pre", NULL};
    static const char *const lines[] = {"div",    "li",      "tr",     "section", "article", "header", "footer",
                                        "dt",     "dd",      "center", "address", "form",    "main",   "nav",
                                        "figure", "caption", "body",   "aside",   NULL};
    return named(node, paragraphs) ? 2 : named(node, lines) ? 1 : 0;
}

// ---- elements with words of their own -------------------------------------------------------------------------------

// Items are counted in the list's own node, which nobody else uses.
static const char *list_mark(struct arena *arena, xmlNode *node)
{
    if (!node->parent || !is_named(node->parent, "ol"))
        return "- ";
    uintptr_t number = (uintptr_t)node->parent->_private + 1;
    node->parent->_private = (void *)number; // NOLINT(performance-no-int-to-ptr)
    return arena_printf(arena, "%u. ", (unsigned)number);
}

static void write_image(struct writer *self, const xmlNode *node)
{
    struct arena *arena = self->out.arena;
    const char *source = attribute(arena, node, "src");
    const char *label = attribute(arena, node, "alt");
    const char *width = attribute(arena, node, "width");
    if (strcmp(width, "0") == 0 || strcmp(width, "1") == 0) // a counting pixel, not a picture
        return;
    if (text_is_link(source))
        write_text(self, arena_printf(arena, *label ? " %s (%s) " : " %s%s ", label, source));
    else
        write_text(self, *label ? label : "[image]");
}

// The address of a mailto: or tel: link without the spaces that people set, NULL for other links.
static const char *bare_address(struct arena *arena, const char *target, bool *phone)
{
    *phone = strncasecmp(target, "tel:", 4) == 0;
    if (!*phone)
        return strncasecmp(target, "mailto:", 7) == 0 ? text_words(arena, target + 7) : NULL;
    struct text_buf number = text_buf_new(arena);
    for (const char *at = text_words(arena, target + 4); *at; at++)
        if (strncmp(at, "%20", 3) == 0)
            at += 2;
        else
            text_buf_add_bytes(&number, at, 1);
    return number.data;
}

static const char *digits_of(struct arena *arena, const char *text)
{
    struct text_buf digits = text_buf_new(arena);
    for (; *text; text++)
        if ((*text >= '0' && *text <= '9') || *text == '+')
            text_buf_add_bytes(&digits, text, 1);
    return digits.data;
}

// The address behind a label, unless the label says it already.
static void write_target(struct writer *self, const xmlNode *node)
{
    struct arena *arena = self->out.arena;
    const char *target = attribute(arena, node, "href");
    bool phone;
    const char *bare = bare_address(arena, target, &phone);
    if (!bare && !text_is_link(target))
        return;
    const char *shown = bare ? bare : target;
    if (!*shown || strpbrk(shown, " <>\""))
        return;
    const char *label = self->label.data;
    if (!*label) {
        write_text(self, shown);
        return;
    }
    if (phone && strcmp(digits_of(arena, label), digits_of(arena, shown)) == 0)
        return;
    // "example.com" and "https://example.com/" say the same
    const char *host = strstr(target, "://");
    host = host ? host + 3 : shown;
    size_t length = strlen(host);
    bool slash = length && host[length - 1] == '/';
    if (strcmp(label, shown) == 0 || strcmp(label, host) == 0 ||
        (slash && (strlen(label) == length - 1 || strlen(label) == strlen(shown) - 1) &&
         (strncmp(label, host, length - 1) == 0 || strncmp(label, shown, strlen(shown) - 1) == 0)))
        return;
    write_text(self, arena_printf(arena, " (%s)", shown));
}

// ---- the walk -------------------------------------------------------------------------------------------------------

static void enter(struct writer *self, xmlNode *node)
{
    want_break(self, breaks_of(node));
    if (is_named(node, "br"))
        want_break(self, self->breaks ? 2 : 1);
    if (is_named(node, "blockquote"))
        self->quotes++;
    if (is_named(node, "pre") || is_named(node, "textarea"))
        self->preformatted++;
    if (is_named(node, "li"))
        self->mark = list_mark(self->out.arena, node);
    if (is_named(node, "img"))
        write_image(self, node);
    if ((is_named(node, "td") || is_named(node, "th")) && self->has_line && !self->breaks)
        write_text(self, " | ");
    if (is_named(node, "a")) { // links do not nest in parsed HTML
        text_buf_cut(&self->label, 0);
        self->in_link = true;
    }
}

static void leave(struct writer *self, const xmlNode *node)
{
    if (is_named(node, "a")) {
        self->in_link = false;
        write_target(self, node);
    }
    if (is_named(node, "blockquote"))
        self->quotes--;
    if (is_named(node, "pre") || is_named(node, "textarea"))
        self->preformatted--;
    if (is_named(node, "li"))
        self->mark = NULL;
    if (node == self->answered)
        self->answered = NULL;
    want_break(self, breaks_of(node));
}

// Where to go on inside an element: in a quote with answers, at its first quote.
static xmlNode *first_inside(struct writer *self, xmlNode *node)
{
    xmlNode *first = self->answered == node ? text_history_answered(self->out.arena, node) : NULL;
    return first ? first : node->children;
}

static void walk(struct writer *self, xmlNode *root)
{
    xmlNode *node = root;
    if (self->flags & TEXT_HTML_NO_QUOTES)
        self->last_words = text_history_last_words(self->out.arena, root);
    self->past_words = !self->last_words;
    while (node && !self->full && !self->ended) {
        bool inside = node->type == XML_ELEMENT_NODE && !is_skipped(self, node);
        if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
            write_text(self, (const char *)node->content);
        if (node == self->last_words)
            self->past_words = true;
        if (inside)
            enter(self, node);
        else if (node->type == XML_ELEMENT_NODE)
            want_break(self, breaks_of(node)); // what stood around it stays apart
        if (inside && node->children) {
            node = first_inside(self, node);
            continue;
        }
        if (inside)
            leave(self, node);
        while (node != root && !node->next) {
            node = node->parent;
            leave(self, node);
        }
        if (node == root)
            return;
        node = node->next;
    }
}

// What is left when the tree cannot be had: everything between tags.
static void write_untagged(struct writer *self, const char *html)
{
    struct text_buf words = text_buf_new(self->out.arena);
    bool tag = false;
    for (; *html; html++) {
        if (*html == '<')
            tag = true;
        else if (*html == '>')
            tag = false;
        else if (!tag)
            text_buf_add_bytes(&words, html, 1);
        if (*html == '<')
            text_buf_add(&words, " ");
    }
    write_text(self, words.data);
}

// Whether the parser waits for the end of a start tag that is too long.
static bool in_huge_tag(const htmlParserCtxt *parser)
{
    const xmlParserInput *input = parser->input;
    return input && input->end - input->cur > TAG_MAX_BYTES && input->cur[0] == '<' &&
           ((input->cur[1] | 0x20) >= 'a' && (input->cur[1] | 0x20) <= 'z');
}

// Feeds the parser piece by piece. False when it must not or cannot go on: a huge tag, or nested deeper than it goes.
static bool feed(htmlParserCtxt *parser, const char *html, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t end = length - at > FEED_BYTES ? at + FEED_BYTES : length;
        while (end < length && (html[end] & 0xc0) == 0x80) // whole characters only
            end++;
        htmlParseChunk(parser, html + at, (int)(end - at), 0);
        if (parser->disableSAX || in_huge_tag(parser))
            return false;
        at = end;
    }
    htmlParseChunk(parser, "", 0, 1);
    return !parser->disableSAX;
}

static void write_html(struct writer *self, const char *html)
{
    htmlParserCtxt *parser = htmlCreatePushParserCtxt(NULL, NULL, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
    if (!parser)
        abort();
    htmlCtxtUseOptions(parser, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                                   HTML_PARSE_COMPACT);
    bool whole = feed(parser, html, strlen(html));
    xmlNode *root = parser->myDoc ? xmlDocGetRootElement(parser->myDoc) : NULL;
    if (whole && root)
        walk(self, root);
    else
        write_untagged(self, html);
    xmlFreeDoc(parser->myDoc);
    htmlFreeParserCtxt(parser);
}

const char *text_html_plain(struct arena *arena, const char *html, unsigned flags, size_t max_bytes)
{
    struct arena *scratch = arena_new(); // every attribute looked at costs some
    struct writer writer = {
        .out = text_buf_new(scratch), .label = text_buf_new(scratch), .max_bytes = max_bytes, .flags = flags};
    const char *clean = text_clean(scratch, html, HTML_MAX_BYTES);
    if (*clean)
        write_html(&writer, clean);
    const char *plain = arena_copy(arena, writer.out.data, writer.out.length);
    arena_free(&scratch);
    return plain;
}

// Tags of whole documents. A person may name one of them ("use <table> here"), so they count with their end only.
static bool has_end(const char *at, size_t length)
{
    static const char *const tags[] = {"html",    "body",  "head", "table", "tbody", "tr",    "td",     "th",
                                       "h1",      "h2",    "h3",   "h4",    "h5",    "h6",    "pre",    "code",
                                       "section", "style", "s",    "sub",   "sup",   "small", "center", "article"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (strlen(tags[i]) != length || strncasecmp(at, tags[i], length) != 0)
            continue;
        for (const char *end = strstr(at, "</"); end; end = strstr(end + 2, "</"))
            if (strncasecmp(end + 2, tags[i], length) == 0 && end[2 + length] == '>')
                return true;
        return false;
    }
    return false;
}

bool text_html_has_entity(const char *text)
{
    static const char *const names[] = {"amp;", "lt;", "gt;", "quot;", "apos;", "nbsp;"};
    for (const char *at = strchr(text, '&'); at; at = strchr(at + 1, '&')) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(at + 1, names[i], strlen(names[i])) == 0)
                return true;
        size_t digits = at[1] == '#' ? strspn(at + 2, "0123456789") : 0;
        if (digits && at[2 + digits] == ';')
            return true;
    }
    return false;
}

bool text_html_is(const char *text)
{
    int ends_looked_for = 0;
    static const char *const tags[] = {"p",  "br", "b",  "strong", "i",    "em",  "u",    "a",
                                       "ul", "ol", "li", "div",    "span", "img", "font", "blockquote"};
    for (const char *at = strchr(text, '<'); at; at = strchr(at + 1, '<')) {
        const char *name = at + 1 + (at[1] == '/');
        for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
            size_t length = strlen(tags[i]);
            if (strncasecmp(name, tags[i], length) == 0 && strchr(" />\t\n", name[length]) && name[length] &&
                strchr(name, '>'))
                return true;
        }
        // each look may read all that follows
        if (ends_looked_for++ < ENDS_LOOKED_FOR && has_end(name, strcspn(name, " />\t\n")))
            return true;
    }
    return false;
}
