// SPDX-License-Identifier: Apache-2.0
// workers/text, text_html and parts: text both ways, with what people and attackers write.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "workers/parts.h"
#include "workers/text.h"
#include "workers/text_html.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

// ---- plain ----------------------------------------------------------------------------------------------------------

static void clean_text_is_valid_and_without_controls(void **state)
{
    (void)state;
    assert_string_equal(text_clean(arena, "a\r\nb\rc\x01\x7f\tz", 100), "a\nb\nc\tz");
    assert_string_equal(text_clean(arena, "\xff\xc0\x80x\xed\xa0\x80", 100),
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(text_clean(arena, "caf\xc3\xa9", 4), "caf");
    assert_string_equal(text_clean(arena, "caf\xc3", 10), "caf\xef\xbf\xbd");
    assert_string_equal(text_clean(arena, NULL, 10), "");
    assert_string_equal(text_line(arena,
                                  "  a\n\n b\xc2\xa0 c\xe2\x80\xae"
                                  "d ",
                                  100),
                        "a b cd");
    assert_string_equal(text_line(arena, "ab cd", 3), "ab");
    assert_string_equal(text_line(arena, "ab cd", 4), "ab c");
}

static void a_cut_leaves_whole_characters(void **state)
{
    (void)state;
    assert_int_equal(text_cut("abc", 60), 3);
    assert_int_equal(text_cut("abc", 2), 2);
    assert_int_equal(text_cut("e\xcc\x81x", 1), 0); // e + combining acute
    assert_int_equal(text_cut("ae\xcc\x81x", 2), 1);
    assert_int_equal(text_cut("ae\xcc\x81x", 3), 4);
    assert_int_equal(text_cut("a\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7z", 2), 1); // a family of two
    assert_int_equal(text_cut("a\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7z", 4), 12);
    assert_int_equal(text_cut("\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xab\xf0\x9f\x87\xb7", 3), 8); // DE FR
    assert_int_equal(text_cut("\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd!", 1), 0); // a thumb with a skin tone
    // sixty marks on one letter are no reason to show nothing
    struct text_buf many = text_buf_new(arena);
    text_buf_add(&many, "a");
    for (int i = 0; i < 100; i++)
        text_buf_add(&many, "\xcc\x81");
    assert_int_equal(text_cut(many.data, 60), 1 + 59 * 2);
    assert_int_equal(text_points(many.data), 101);
}

static void long_text_is_split_where_people_would(void **state)
{
    size_t skip = 0;
    (void)state;
    assert_int_equal(text_piece("short", 10, &skip), 5);
    assert_int_equal(skip, 0);
    assert_int_equal(text_piece("one two three", 9, &skip), 7);
    assert_int_equal(skip, 1);
    assert_int_equal(text_piece("one\n\ntwo\nthree four", 9, &skip), 8 - 0);
    assert_int_equal(skip, 1);
    assert_int_equal(text_piece("first\n\nsecond third", 11, &skip), 5);
    assert_int_equal(skip, 2);
    assert_int_equal(text_piece("abcdefghijkl", 5, &skip), 5);
    assert_int_equal(skip, 0);
    assert_int_equal(text_piece("", 5, &skip), 0);

    // pieces together are the text without the white space between them, and none is too long
    struct text_buf text = text_buf_new(arena);
    struct text_buf joined = text_buf_new(arena);
    srand(4711);
    for (int i = 0; i < 5000; i++)
        text_buf_add(&text, rand() % 7 == 0 ? "\n" : rand() % 4 == 0 ? " " : rand() % 3 ? "x" : "\xf0\x9f\x98\x80");
    for (const char *at = text.data; *at;) {
        size_t length = text_piece(at, 100, &skip);
        assert_true(length + skip > 0);
        const char *piece = arena_copy(arena, at, length);
        assert_true(text_points(piece) <= 100);
        text_buf_add(&joined, piece);
        at += length + skip;
    }
    assert_string_equal(text_words(arena, joined.data), text_words(arena, text.data));
}

static void words_compare_without_white_space(void **state)
{
    (void)state;
    assert_string_equal(text_words(arena, " a\tb\n\xc2\xa0"
                                          "c \xe2\x80\x8b"),
                        "abc");
    assert_string_equal(text_words(arena, "\xe2\x80\xae \n"), "");
}

static const char *escaped(const char *text)
{
    struct text_buf out = text_buf_new(arena);
    text_add_html(&out, text);
    return out.data;
}

static void escaping_shows_exactly_the_text(void **state)
{
    (void)state;
    assert_string_equal(escaped("<script>alert(\"1\")</script> & 'x'\ny"),
                        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;<br>y");
    assert_string_equal(escaped("&amp;"), "&amp;amp;");
    assert_string_equal(escaped("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80"),
                        "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80");
    assert_string_equal(escaped("\xff\x1b[31m"), "\xef\xbf\xbd[31m");
}

static void only_plain_web_addresses_are_links(void **state)
{
    static const char *const links[] = {"https://a.example/x?y=1&z=%20#f", "http://a.example",
                                        "HTTPS://A.example:8443/", "https://\xd0\xbf\xd1\x80.example/"};
    static const char *const others[] = {"javascript:alert(1)",
                                         "data:text/html,x",
                                         "//a.example",
                                         "tel:+491234",
                                         "https://",
                                         "https:///x",
                                         "http://user:pw@a.example/",
                                         "https://a.example/ x",
                                         "https://a.example/\"onclick=",
                                         "https://a.example/<b>",
                                         "ftp://a.example",
                                         " https://a.example",
                                         "java\nscript:alert(1)",
                                         "https://a.example/\xe2\x80\xae",
                                         "",
                                         "vbscript:x",
                                         "https://a.example\\@evil.example/"};
    (void)state;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (!text_is_link(links[i]))
            fail_msg("no link: %s", links[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (text_is_link(others[i]))
            fail_msg("a link: %s", others[i]);
    assert_string_equal(text_url(arena, "a/b ?\xc3\xa9-._~Z9"), "a%2Fb%20%3F%C3%A9-._~Z9");
}

// ---- HTML to plain --------------------------------------------------------------------------------------------------

static void reads(const char *html, unsigned flags, const char *plain)
{
    const char *text = text_html_plain(arena, html, flags, 100000);
    if (strcmp(text, plain) != 0)
        fail_msg("%s\nreads  <%s>\nwanted <%s>", html, text, plain);
}

static void html_reads_as_people_see_it(void **state)
{
    (void)state;
    reads("<div>Hello <b>you</b> there</div>", 0, "Hello you there");
    reads("a<br>b<br/><br>c", 0, "a\nb\n\nc");
    reads("<p>one</p><p>two</p>", 0, "one\n\ntwo");
    reads("<div>one</div><div>two</div>", 0, "one\ntwo");
    reads("<div>one</div><div><br></div><div>two</div>", 0, "one\n\ntwo");
    reads("  a \n\t b&nbsp;&nbsp;c ", 0, "a b c");
    reads("&lt;b&gt; &amp;amp; &euro; &#128512; &copy;", 0, "<b> &amp; \xe2\x82\xac \xf0\x9f\x98\x80 \xc2\xa9");
    reads("<ul><li>a</li><li>b <i>c</i></li></ul>after", 0, "- a\n- b c\n\nafter");
    reads("<ol><li>a</li><li>b</li></ol>", 0, "1. a\n2. b");
    reads("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", 0, "a | b\nc");
    reads("<pre>a\n  b</pre>", 0, "a\nb");
    reads("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d<br>\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7", 0,
          "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\n\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7");
    reads("<blockquote>a<blockquote>b</blockquote></blockquote>c", 0, "> a\n\n> > b\n\nc");
    reads("", 0, "");
    reads("plain", 0, "plain");
    reads("<p></p><div>&nbsp;</div>", 0, "");
}

static void links_are_kept(void **state)
{
    (void)state;
    reads("see <a href=\"https://a.example/x?a=1&amp;b=2\">the page</a>.", 0,
          "see the page (https://a.example/x?a=1&b=2).");
    reads("<a href=\"https://a.example/x\">https://a.example/x</a>", 0, "https://a.example/x");
    reads("<a href=\"https://a.example/\">a.example</a>", 0, "a.example");
    reads("<a href=\"mailto:x@a.example\">x@a.example</a>", 0, "x@a.example");
    reads("<a href=\"mailto:x@a.example\">write</a>", 0, "write (x@a.example)");
    reads("<a href=\"tel:+4912\">call</a>", 0, "call (+4912)");
    reads("<a href=\"tel:+31 20\xc2\xa0"
          "123\">call</a>",
          0, "call (+3120123)");
    reads("<a href=\"TEL:%20+31%2020%20123;ext=4\">call</a>", 0, "call (+3120123;ext=4)");
    reads("<a href=\"tel:+31-20-123\">+31 (20) 123</a>", 0, "+31 (20) 123");
    reads("<a href=\"mailto: x@a.example\">write</a>", 0, "write (x@a.example)");
    reads("<a href=\"tel:\">call</a>", 0, "call");
    reads("<a href=\"javascript:alert(1)\">click</a>", 0, "click");
    reads("<a href=\"data:text/html,x\">click</a>", 0, "click");
    reads("<ul><li><a href=\"https://a.example\">https://a.example</a></li></ul>", 0, "- https://a.example");
    reads("<a href=\"https://a.example/\"></a>", 0, "https://a.example/");
    reads("<a href=\"https://a.example/\"><b>to</b> <i>it</i></a>", 0, "to it (https://a.example/)");
    reads("<img src=\"https://a.example/i.png\" alt=\"shoe\">", 0, "shoe (https://a.example/i.png)");
    reads("<img src=\"cid:1\">", 0, "[image]");
    reads("<img src=\"https://t.example/p.gif\" width=\"1\" height=\"1\">", 0, "");
}

static void hostile_html_gives_text_only(void **state)
{
    (void)state;
    reads("<script>alert(1)</script>a<style>b{}</style><!-- c --><iframe src=x>d</iframe>", 0, "a");
    reads("<svg onload=alert(1)><text>q</text></svg>x", 0, "x");
    reads("a<b", 0, "a");
    reads("<div><p>open <b>tags", 0, "open tags");
    reads("</div></p>stray", 0, "stray");
    reads("<p title='\"><script>x</script>'>y</p>", 0, "y");
    reads("\xff\xfe<p>\xc3</p>", 0, "\xef\xbf\xbd\xef\xbf\xbd\n\n\xef\xbf\xbd");
    reads("<meta charset=\"utf-16\"><p>caf\xc3\xa9</p>", 0, "caf\xc3\xa9");
    reads("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><p>&e;</p>", 0, "]>\n\n&e;");

    // nested deeper than the parser goes: the words are there all the same
    struct text_buf deep = text_buf_new(arena);
    for (int i = 0; i < 10000; i++)
        text_buf_add(&deep, "<div><blockquote>");
    text_buf_add(&deep, "core");
    assert_non_null(strstr(text_html_plain(arena, deep.data, 0, 100000), "core"));

    // a tag with more attributes than anybody writes costs no time
    struct text_buf tag = text_buf_new(arena);
    text_buf_add(&tag, "before <p ");
    for (int i = 0; i < 50000; i++)
        text_buf_add(&tag, arena_printf(arena, "a%d=\">\" ", i));
    text_buf_add(&tag, ">after</p>");
    int64_t began_ms = clock_mono_ms();
    assert_non_null(strstr(text_html_plain(arena, tag.data, 0, 100000), "before"));
    assert_true(clock_mono_ms() - began_ms < 5000); // minutes without the bound

    // and never more than asked for
    struct text_buf wide = text_buf_new(arena);
    for (int i = 0; i < 5000; i++)
        text_buf_add(&wide, "<b>\xf0\x9f\x98\x80</b>");
    const char *cut = text_html_plain(arena, wide.data, 0, 1001);
    assert_int_equal(strlen(cut), 1000);
}

// Tags, texts and rubbish in any order: the result is clean text, whatever happens.
static void no_html_breaks_anything(void **state)
{
    static const char *const pieces[] = {"<p>",
                                         "</p>",
                                         "<ol>",
                                         "<li>",
                                         "</ol>",
                                         "<a href=\"https://a.example/\">",
                                         "</a>",
                                         "<a href='javascript:x'>",
                                         "<br>",
                                         "text",
                                         " ",
                                         "&nbsp;",
                                         "&lt;",
                                         "&",
                                         "<",
                                         ">",
                                         "\"",
                                         "'",
                                         "<!--",
                                         "-->",
                                         "<pre>",
                                         "\n",
                                         "</pre>",
                                         "<table><tr><td>",
                                         "</td>",
                                         "<td>",
                                         "</table>",
                                         "<blockquote>",
                                         "</blockquote>",
                                         "<div class=\"gmail_quote\">",
                                         "</div>",
                                         "<script>",
                                         "</script>",
                                         "\xf0\x9f\x98\x80",
                                         "\xf0\x9f",
                                         "\xff",
                                         "\x01",
                                         "<img src=https://a.example/i alt=x>",
                                         "<![CDATA[",
                                         "]]>",
                                         "<?pi",
                                         "<svg>",
                                         "</svg>",
                                         "<textarea>",
                                         "<title>",
                                         "<body>",
                                         "<html>",
                                         "</body>",
                                         "<b",
                                         "=",
                                         "\xd7\xa9"};
    (void)state;
    srand(20260000);
    for (int round = 0; round < 3000; round++) {
        struct arena *own = arena_new();
        struct text_buf html = text_buf_new(own);
        for (int i = rand() % 200; i >= 0; i--)
            text_buf_add(&html, pieces[(size_t)rand() % (sizeof pieces / sizeof *pieces)]);
        size_t most = (size_t)rand() % 400;
        const char *plain = text_html_plain(own, html.data, (unsigned)(round & 1), most);
        assert_true(strlen(plain) <= most);
        assert_string_equal(plain, text_clean(own, plain, SIZE_MAX)); // valid, no controls
        assert_null(strstr(plain, "javascript:"));
        for (const char *line = plain; *line; line += strcspn(line, "\n"), line += *line == '\n')
            assert_true(*line != ' ');
        arena_free(&own);
    }
}

static void quoted_history_and_signatures_can_be_left_out(void **state)
{
    const char *reply =
        "<div>Yes.</div><div class=\"freshdesk_quote\"><blockquote>On Monday you wrote:<blockquote>older"
        "</blockquote></blockquote></div><div class=\"x gmail_signature\">Anna, Acme</div>";
    (void)state;
    reads(reply, TEXT_HTML_NO_QUOTES, "Yes.");
    assert_non_null(strstr(text_html_plain(arena, reply, TEXT_HTML_ALL, 1000), "older"));
}

static void a_quote_that_the_agent_wrote_stays(void **state)
{
    (void)state;
    reads("Our terms say:<blockquote>Return within 30 days</blockquote>so yes.", TEXT_HTML_NO_QUOTES,
          "Our terms say:\n\n> Return within 30 days\n\nso yes.");
    reads("<div>Our terms say:</div><blockquote><p>One<br>two</p><p>three</p></blockquote>", TEXT_HTML_NO_QUOTES,
          "Our terms say:\n\n> One\n> two\n\n> three");
    reads("<p>On Monday at 10:20 you wrote:</p><blockquote>It is cold</blockquote><p>Why?</p>", TEXT_HTML_NO_QUOTES,
          "On Monday at 10:20 you wrote:\n\n> It is cold\n\nWhy?");
    reads("<p>On 3 March 2025 at 10:20 our driver wrote:</p><blockquote>Nobody home</blockquote>", TEXT_HTML_NO_QUOTES,
          "On 3 March 2025 at 10:20 our driver wrote:\n\n> Nobody home");
    // what Gmail's quote button makes has the mark of its replies
    reads("<div>We say:<blockquote class=\"gmail_quote\" style=\"margin:0\">30 days</blockquote>so yes.</div>",
          TEXT_HTML_NO_QUOTES, "We say:\n\n> 30 days\n\nso yes.");
    reads("<p>a</p><blockquote type=\"cite\">b</blockquote><p>c</p>", TEXT_HTML_NO_QUOTES, "a\n\n> b\n\nc");
    reads("<blockquote>a<blockquote>b</blockquote></blockquote>c", TEXT_HTML_NO_QUOTES, "> a\n\n> > b\n\nc");
    // a mail passed on, with words below it
    reads("<div id=\"divRplyFwdMsg\">From: Carrier</div><p>It is late.</p><p>See above.</p>", TEXT_HTML_NO_QUOTES,
          "From: Carrier\n\nIt is late.\n\nSee above.");
}

static void histories_of_mail_programs_are_left_out(void **state)
{
#define HISTORY_LINE                                                                                                   \
    "On Mon, 3 Mar 2025 at 10:20, Anna Berg &lt;<a href=\"mailto:a@x.example\">a@x.example</a>&gt; wrote:"
    static const char *const yes[] = {
        // Freshdesk
        "<div>Yes.</div><div class='freshdesk_quote'><blockquote class='freshdesk_quote'>" HISTORY_LINE
        "<div>old</div></blockquote></div>",
        "<blockquote class='freshdesk_quote'>old</blockquote><p>Yes.</p>",
        // Gmail, now and before
        "<div dir=\"ltr\">Yes.</div><br><div class=\"gmail_quote gmail_quote_container\"><div dir=\"ltr\" "
        "class=\"gmail_attr\">" HISTORY_LINE "<br></div><blockquote class=\"gmail_quote\">old<blockquote>older"
        "</blockquote></blockquote></div>",
        "<div>Yes.</div><div class=\"gmail_extra\"><br><div class=\"gmail_quote\">" HISTORY_LINE
        "<br><blockquote class=\"gmail_quote\">old</blockquote></div><br></div>",
        // Thunderbird, above and below
        "<p>Yes.</p><div class=\"moz-cite-prefix\">Am 03.03.25 um 10:20 schrieb Anna:<br></div>"
        "<blockquote type=\"cite\">old</blockquote><div class=\"moz-signature\">-- <br>Ben</div>",
        "<div class=\"moz-cite-prefix\">x<br></div><blockquote type=\"cite\">old</blockquote><p>Yes.</p>",
        // Apple Mail, above and below
        "Yes.<br><div><br><blockquote type=\"cite\"><div>On 3 Mar 2025, at 10:20, Anna &lt;a@x.example&gt; wrote:</div>"
        "<br><div>old</div></blockquote></div><br>",
        "<div><blockquote type=\"cite\"><div>On 3 Mar 2025, at 10:20, Anna wrote:</div>old</blockquote></div>Yes.",
        // Outlook: on the web, on the desk, for the Mac, in the pocket
        "<div>Yes.</div><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>From:</b> Anna</div><div>old"
        "</div><p>older</p>",
        "<div>Yes.</div><div id=\"x_x_divRplyFwdMsg\">From: Anna</div>old",
        "<div class=\"WordSection1\"><p>Yes.</p><div><div style=\"border:none;border-top:solid #E1E1E1 1.0pt;padding:"
        "3.0pt 0cm 0cm 0cm\"><p><b>Von:</b> Anna <br><b>Gesendet:</b> Montag</p></div></div><p>old</p></div>",
        "<div>Yes.</div><span id=\"OLK_SRC_BODY_SECTION\"><div>From: Anna</div>old</span>",
        "<div>Yes.</div><div id=\"mail-editor-reference-message-container\">From: Anna<br>old</div>",
        // Yahoo, Proton
        "<div>Yes.</div><div id=\"yahoo_quoted_123\" class=\"ydp1yahoo_quoted\"><div>On Monday</div>old</div>",
        "<div>Yes.</div><div class=\"protonmail_quote\">On Monday Anna wrote:<br><blockquote "
        "class=\"protonmail_quote\" type=\"cite\">old</blockquote></div>",
        // whose mark was lost on the way
        "<p>Yes.</p><p>" HISTORY_LINE "</p><blockquote>old</blockquote>",
        "<p>Yes.</p><p>On 3 March 2025 at 10:20 AM, Anna Berg wrote:</p><blockquote>old</blockquote>",
        "<p>Yes.</p><p>Am 3.3.2025 um 10:20 Uhr schrieb Anna Berg:</p><blockquote>old</blockquote>",
        "<p>Yes.</p><p>Le lun. 3 mars 2025 \xc3\xa0 10:20, Anna a \xc3\xa9"
        "crit :</p><blockquote>old</blockquote>",
        "<p>" HISTORY_LINE "</p><blockquote>old</blockquote><p>Yes.</p>",
        // no line, but nothing after it
        "Yes.<blockquote type=\"cite\">old</blockquote><br><div class=\"signature\">Ben</div>",
        "Yes.<blockquote class=\"gmail_quote\">old</blockquote><blockquote type=cite>older</blockquote>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        reads(yes[i], TEXT_HTML_NO_QUOTES, "Yes.");
    // answers between the quotes, as Gmail writes them, are the agent's
    reads("<div class=\"gmail_quote\"><div class=\"gmail_attr\">" HISTORY_LINE
          "</div><blockquote class=\"gmail_quote\">Is it red?</blockquote><div>It is.</div><blockquote "
          "class=\"gmail_quote\">Is it warm?</blockquote><div>Very.</div></div><div>Ben</div>",
          TEXT_HTML_NO_QUOTES, "It is.\n\nVery.\nBen");
    reads("<p>Is it?</p><blockquote type=\"cite\">" HISTORY_LINE "<br>red?</blockquote><p>Yes.</p><blockquote "
          "type=\"cite\">warm?</blockquote><p>Very.</p><blockquote type=\"cite\">bye</blockquote>",
          TEXT_HTML_NO_QUOTES, "Is it?\n\nYes.\n\n> warm?\n\nVery.");
#undef HISTORY_LINE
}

static void html_is_told_from_text_with_angle_brackets(void **state)
{
    (void)state;
    assert_true(text_html_is("<p>x</p>"));
    assert_true(text_html_is("a<br/>b"));
    assert_true(text_html_is("<html><body><table><tr><td>Hello</td></tr></table></body></html>"));
    assert_true(text_html_is("<H1 class=x>Hello</h1>"));
    assert_true(text_html_is("<pre>x</pre>"));
    assert_false(text_html_is("put a <table> into the <body> of it"));
    assert_false(text_html_is("<h2"));
    assert_true(text_html_has_entity("Tom &amp; Jerry"));
    assert_true(text_html_has_entity("it&#39;s"));
    assert_false(text_html_has_entity("a & b; R&D; &#; &amp"));
    assert_true(text_html_is("<A HREF='x'>y</A>"));
    assert_false(text_html_is("a < b and c > d"));
    assert_false(text_html_is("<3 you"));
    assert_false(text_html_is("<price> is high"));
    assert_false(text_html_is("if (a<b"));
}

// ---- parts ----------------------------------------------------------------------------------------------------------

static const char *shown(struct part part, bool from_agent)
{
    struct event event = {.parts = {&part, 1}};
    struct text_buf out = text_buf_new(arena);
    part.text = part.text ? part.text : "";
    part.url = part.url ? part.url : "";
    part.label = part.label ? part.label : "";
    parts_add_html(&out, &event, from_agent);
    return out.data;
}

#define LINK(url, label) "<a href=\"" url "\" rel=\"noopener noreferrer nofollow\">" label "</a>"

static void every_part_kind_has_a_readable_form(void **state)
{
    (void)state;
    assert_string_equal(shown((struct part){.kind = PART_TEXT, .text = "a<b>\nc"}, false), "a&lt;b&gt;<br>c");
    assert_string_equal(shown((struct part){.kind = PART_TEXT, .text = "<p>a</p><p>b &amp; c</p>"}, true),
                        "a<br><br>b &amp; c");
    assert_string_equal(shown((struct part){.kind = PART_TEXT, .text = "a & b"}, true), "a &amp; b");
    assert_string_equal(shown((struct part){.kind = PART_TEXT, .text = "Tom &amp; Jerry:\nit&#39;s 1 < 2"}, true),
                        "Tom &amp; Jerry:<br>it&#39;s 1 &lt; 2");
    assert_string_equal(shown((struct part){.kind = PART_TEXT, .text = "Ann <ann@a.example> &amp; a<b"}, true),
                        "Ann &lt;ann@a.example&gt; &amp; a&lt;b"); // no tag is lost that is none
    assert_string_equal(shown((struct part){.kind = PART_TEXT, .text = "Tom &amp; <h1>J</h1>"}, false),
                        "Tom &amp;amp; &lt;h1&gt;J&lt;/h1&gt;"); // a customer's is text
    assert_string_equal(shown((struct part){.kind = PART_EMAIL,
                                            .text = "<html><body><table><tr><td>Hello</td></tr></table><h1>X</h1>"
                                                    "</body></html>"},
                              false),
                        "Hello<br><br>X");
    assert_string_equal(shown((struct part){.kind = PART_EMAIL, .text = "one\ntwo <3"}, false), "one<br>two &lt;3");
    assert_string_equal(shown((struct part){.kind = PART_IMAGE, .url = "https://i.example/a.png"}, false),
                        "Image: " LINK("https://i.example/a.png", "https://i.example/a.png"));
    assert_string_equal(shown((struct part){.kind = PART_IMAGE}, false),
                        "Image: (without a link: open the conversation in Freshchat)");
    assert_string_equal(shown((struct part){.kind = PART_VIDEO, .url = "https://i.example/a.mp4?x=1&y=2"}, false),
                        "Video: " LINK("https://i.example/a.mp4?x=1&amp;y=2", "https://i.example/a.mp4?x=1&amp;y=2"));
    assert_string_equal(
        shown(
            (struct part){.kind = PART_FILE, .label = "a.pdf", .text = "application/pdf", .url = "https://i.example/f"},
            false),
        "File: " LINK("https://i.example/f", "a.pdf") " (application/pdf)");
    assert_string_equal(shown((struct part){.kind = PART_EMAIL, .label = "Re: <x>", .text = "<p>hi</p>"}, false),
                        "<b>Re: &lt;x&gt;</b><br>hi");
    assert_string_equal(shown((struct part){.kind = PART_BUTTON, .label = "Call us", .url = "tel:+4912"}, false),
                        "Button: Call us (tel:+4912)");
    assert_string_equal(shown((struct part){.kind = PART_BUTTON, .label = "x", .url = "javascript:alert(1)"}, false),
                        "Button: x (javascript:alert(1))");
    assert_string_equal(shown((struct part){.kind = PART_CHOICE, .label = "Yes", .text = "yes please"}, false),
                        "[Choice: Yes (yes please)]");
    assert_string_equal(shown((struct part){.kind = PART_CALLBACK, .label = "Go"}, false), "[Callback: Go]");
    assert_string_equal(shown((struct part){.kind = PART_REFERENCE, .label = "FAQ"}, false), "[Reference: FAQ]");
    assert_string_equal(shown((struct part){.kind = PART_TEMPLATE, .label = "carousel"}, false),
                        "[Template: carousel]");
    assert_string_equal(shown((struct part){.kind = PART_OTHER, .label = "holo"}, false),
                        "[A message part of the kind &quot;holo&quot;, to be seen in Freshchat]");
    assert_string_equal(shown((struct part){.kind = 63}, false),
                        "[A message part of an unknown kind, to be seen in Freshchat]");
    struct event empty = {0};
    struct text_buf out = text_buf_new(arena);
    parts_add_html(&out, &empty, false);
    assert_string_equal(out.data, "[A message without content]");
}

static void a_huge_message_is_cut_and_says_so(void **state)
{
    struct text_buf huge = text_buf_new(arena);
    (void)state;
    while (huge.length < 100000)
        text_buf_add(&huge, "&<\xf0\x9f\x98\x80");
    const char *html = shown((struct part){.kind = PART_TEXT, .text = huge.data}, false);
    assert_true(strlen(html) < PARTS_MAX_BYTES + 200);
    const char *end = strstr(html, "<br>[Cut here: the whole message is in Freshchat]");
    assert_non_null(end);
    assert_true(end[-1] == ';' || (unsigned char)end[-1] == 0x80);
    // a link that is cut is closed or left out
    struct text_buf long_url = text_buf_new(arena);
    text_buf_add(&long_url, "https://i.example/");
    while (long_url.length < 8000)
        text_buf_add(&long_url, "a");
    struct part parts[16];
    for (int i = 0; i < 16; i++)
        parts[i] = (struct part){.kind = PART_IMAGE, .text = "", .label = "", .url = long_url.data};
    struct event event = {.parts = {parts, 16}};
    struct text_buf out = text_buf_new(arena);
    parts_add_html(&out, &event, false);
    size_t opened = 0, closed = 0;
    for (const char *at = out.data; (at = strstr(at, "<a ")); at++)
        opened++;
    for (const char *at = out.data; (at = strstr(at, "</a>")); at++)
        closed++;
    assert_int_equal(opened, closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_text_is_valid_and_without_controls),
        cmocka_unit_test(a_cut_leaves_whole_characters),
        cmocka_unit_test(long_text_is_split_where_people_would),
        cmocka_unit_test(words_compare_without_white_space),
        cmocka_unit_test(escaping_shows_exactly_the_text),
        cmocka_unit_test(only_plain_web_addresses_are_links),
        cmocka_unit_test(html_reads_as_people_see_it),
        cmocka_unit_test(links_are_kept),
        cmocka_unit_test(hostile_html_gives_text_only),
        cmocka_unit_test(no_html_breaks_anything),
        cmocka_unit_test(quoted_history_and_signatures_can_be_left_out),
        cmocka_unit_test(a_quote_that_the_agent_wrote_stays),
        cmocka_unit_test(histories_of_mail_programs_are_left_out),
        cmocka_unit_test(html_is_told_from_text_with_angle_brackets),
        cmocka_unit_test(every_part_kind_has_a_readable_form),
        cmocka_unit_test(a_huge_message_is_cut_and_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
