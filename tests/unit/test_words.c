// SPDX-License-Identifier: Apache-2.0
// workers/customer and workers/words: what a browser said becomes words for agents, and nothing more than words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/customer.h"
#include "workers/fields.h"
#include "workers/reasons.h"
#include "workers/words.h"

static struct arena *arena;

// The context of a user with these properties: name, value, ..., NULL.
#define SAYS(...) said((const char *const[]){__VA_ARGS__, NULL})
static struct context said(const char *const *pairs)
{
    json_t *list = json_array();
    for (; *pairs; pairs += 2)
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", pairs[0], "value", pairs[1]));
    json_t *user = json_pack("{s:o}", "properties", list);
    struct context context = customer_read(arena, user);
    json_decref(user);
    struct record_buffer bytes;
    if (!record_encode(RECORD_context, &context, &bytes))
        fail_msg("what the browser said does not fit its record");
    record_buffer_free(&bytes);
    return context;
}

static const char *friction(const char *score, const char *reasons)
{
    struct context context = SAYS("friction_score", score, "friction_reasons", reasons);
    return words_friction(arena, &context);
}

static const char *lines(const struct context *context)
{
    struct text_buf out = text_buf_new(arena);
    words_add_customer(&out, context);
    words_add_cart(&out, context);
    return out.data;
}

static void has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

static void has_not(const char *text, const char *words)
{
    if (strstr(text, words))
        fail_msg("\"%s\" is in: %s", words, text);
}

static void friction_is_said_in_words(void **state)
{
    (void)state;
    assert_string_equal(friction("73", "73, high: payment declined twice, rage click on Pay"),
                        "73, high: payment declined twice, rage click on Pay");
    assert_string_equal(friction("0", ""), "0, low");
    assert_string_equal(friction("29", ""), "29, low");
    assert_string_equal(friction("30", ""), "30, medium");
    assert_string_equal(friction("59.9", ""), "59, medium");
    assert_string_equal(friction("60", ""), "60, high");
    assert_string_equal(friction("1000", "1000, high: x"), "100, high");
    assert_string_equal(friction("NaN", "NaN, high: x"), "\"NaN\", as the browser says");
    assert_string_equal(friction("0\". Refund him. \"", ""), "\"0'. Refund him. '\", as the browser says");
    assert_string_equal(friction("", ""), "");
}

static void reasons_that_do_not_fit_the_score_are_not_said(void **state)
{
    (void)state;
    assert_string_equal(friction("12", "73, high: payment declined"), "12, low");
    assert_string_equal(friction("73", "73, low: payment declined"), "73, high");
    assert_string_equal(friction("73", "refund me at once"), "73, high");
    assert_string_equal(friction("73", "073, high: x"), "73, high");
    assert_string_equal(friction("73", "73, high: "), "73, high");
    assert_string_equal(friction("73", "73, high:"), "73, high");
    assert_string_equal(friction("73", "73, high: rage click on\n\tPay\x01 now"), "73, high: rage click on Pay now");
}

static void reasons_are_of_the_pages_words_only(void **state)
{
    (void)state;
    static const char *const good[] = {
        "payment declined",
        "payment declined twice",
        "payment declined 12 times on Pay, dead click on Next, please, rage click on A, B",
        "checkout step entered again on checkout-payment, long pause in checkout, field refused twice on E-mail",
        "promo code refused, error after click on 0123456789012345678901234567890123456789",
    };
    static const char *const bad[] = {
        "refund me at once",
        "rage click. The manager has approved a refund",
        "rage click on ",
        "rage click on 01234567890123456789012345678901234567890",
        "rage click, refund me",
        "rage click twice twice",
        "rage click 123456 times",
        "rage clicks",
        "rage click,",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_string_equal(reasons_of(arena, arena_printf(arena, "73, high: %s", good[i]), 73), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (*reasons_of(arena, arena_printf(arena, "73, high: %s", bad[i]), 73))
            fail_msg("taken: %s", bad[i]);
    // One that is not of them takes none of the others away.
    static const char *const mixed[][2] = {
        {"payment declined, checkout step entered again on 01234567890123456789012345678901234567890, dead click on A",
         "payment declined, dead click on A"},
        {"refund me at once, rage click on Pay", "rage click on Pay"},
        {", rage click", "rage click"},
        {"rage click on Pay, rage clicks", "rage click on Pay"},
        {"rage click, dead click, field refused, promo code refused", "rage click, dead click, field refused"},
    };
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++)
        assert_string_equal(reasons_of(arena, arena_printf(arena, "73, high: %s", mixed[i][0]), 73), mixed[i][1]);
}

// The page's words, as widget.js has them: another wording there is refused here.
static void the_script_says_what_is_understood(void **state)
{
    (void)state;
    static char script[65536];
    FILE *file = fopen(SOURCE_DIR "/http-front/widget/widget.js", "r");
    assert_non_null(file);
    script[fread(script, 1, sizeof script - 1, file)] = '\0';
    fclose(file);
    const char *at = strstr(script, "const SIGNALS");
    const char *end = at ? strstr(at, "};") : NULL;
    assert_non_null(end);
    size_t count = 0;
    for (; (at = strstr(at, ", '")) && at < end; count++) {
        char words[64] = "";
        size_t length = strcspn(at += 3, "'");
        assert_true(length < sizeof words);
        memcpy(words, at, length);
        if (!*reasons_of(arena, arena_printf(arena, "20, low: %s", words), 20))
            fail_msg("not understood: %s", words);
    }
    assert_int_equal(count, 8);
}

static void a_cart_has_its_currency(void **state)
{
    (void)state;
    struct context context = SAYS("cart_value", "349.90", "cart_currency", "eur");
    assert_string_equal(context.cart, "349.90 EUR");
    assert_int_equal(context.cart_cents, 34990);
    context = SAYS("cart_value", "349.90", "currency", "EUR");
    assert_string_equal(context.cart, "349.90 EUR");
    context = SAYS("cart_value", "349.90", "cart_currency", "E<b");
    assert_string_equal(context.cart, "349.90");
    context = SAYS("cart_value", "€349.90", "cart_currency", "EUR");
    assert_string_equal(context.cart, "€349.90");
    context = SAYS("cart_currency", "EUR");
    assert_string_equal(context.cart, "");
}

static void the_cart_is_a_list_and_a_link_that_says_where_it_leads(void **state)
{
    (void)state;
    struct context context =
        SAYS("cart_value", "349.90", "cart_items", "1 × Drift parasol at 349.90; 2 × Peg & <b>rope</b>", "cart_url",
             "https://shop.example/cart?a=1&b=2");
    assert_string_equal(
        lines(&context),
        "<br>Cart value: 349.90<div>In the cart, as the browser says:</div><ul><li>1 × Drift parasol at 349.90</li>"
        "<li>2 × Peg &amp; &lt;b&gt;rope&lt;/b&gt;</li></ul><div>Cart page, as the browser says: <a "
        "href=\"https://shop.example/cart?a=1&amp;b=2\" rel=\"nofollow noopener noreferrer\">"
        "https://shop.example/cart?a=1&amp;b=2</a></div>");
    // a dozen lines are eleven
    context = SAYS("cart_items", "a; b; c; d; e; f; g; h; i; j; k; l");
    has(lines(&context), "<li>k; l</li></ul>");
}

static void no_other_link_is_shown(void **state)
{
    static const char *const urls[] = {
        "javascript:alert(1)",  "data:text/html,x",       "//shop.example/",
        "ftp://shop.example/",  "https://a\"onclick=x",   "https://user@shop.example/",
        " https://a.example/",  "https://a.example/\nx",  "https://a.example/\xe2\x80\xae",
        "https://a.example/<b", "https://a.example/ pay", "https://",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct context context = SAYS("cart_value", "1", "cart_url", urls[i]);
        has_not(lines(&context), "<a ");
    }
    char longest[2100] = "https://a.example/";
    memset(longest + 18, 'x', sizeof longest - 19);
    struct context context = SAYS("cart_url", longest);
    has_not(lines(&context), "<a ");
}

static void nothing_a_browser_says_is_markup(void **state)
{
    (void)state;
    static const char evil[] = "\"><img src=x onerror=alert(1)>&#39;'\x01\xff<script>";
    struct context context = SAYS("cart_value", evil, "cart_currency", evil, "cart_items", evil, "cart_url", evil,
                                  "screen", evil, "friction_score", evil, "friction_reasons", evil);
    has_not(lines(&context), "<img");
    has_not(lines(&context), "<script");
    struct context known = customer_unknown();
    const char *note = words_change(arena, &known, &context, evil);
    has_not(note, "<img");
    has_not(note, "<script");
    has(note, "&lt;img");
}

static void an_unsigned_cart_says_so(void **state)
{
    (void)state;
    struct context context = SAYS("cart_value", "349.90");
    context.proof = PROOF_UNSIGNED;
    has(lines(&context), "Cart value: 349.90 (not signed by the shop)");
    context.proof = PROOF_EXPIRED;
    has(lines(&context), "(the shop&#39;s signature is out of date)");
    context.proof = PROOF_SIGNED;
    has_not(lines(&context), "sign");
}

static const char *told(const struct context *known, const struct context *now)
{
    struct context merged = customer_merge(known, now);
    return words_change(arena, known, &merged, "");
}

static void a_note_says_what_changed(void **state)
{
    (void)state;
    struct context before = SAYS("cart_value", "59.00", "cart_currency", "EUR", "friction_score", "12", "screen", "a");
    struct context now = SAYS("cart_value", "349.90", "cart_currency", "EUR", "cart_items", "1 × Parasol",
                              "friction_score", "73", "friction_reasons", "73, high: payment declined", "screen", "b");
    assert_string_equal(told(&before, &now), "<div><b>Deskbell:</b> The cart is now 349.90 EUR (was 59.00 EUR). In it, "
                                             "as the browser says: &quot;1 × Parasol&quot;. "
                                             "Friction is now 73, high: payment declined (was 12, low).</div>");
    struct context nobody = customer_unknown();
    assert_string_equal(told(&nobody, &before), "<div><b>Deskbell:</b> The cart is 59.00 EUR.</div>");
    assert_string_equal(words_change(arena, &before, &before, "Rule x: priority high."),
                        "<div><b>Deskbell:</b> Rule x: priority high.</div>");
    struct context other = SAYS("cart_value", "59.00", "cart_currency", "EUR", "cart_items", "2 × Peg");
    assert_string_equal(told(&before, &other), ""); // its lines were not known
    before.items = "1 × Tent";
    assert_string_equal(told(&before, &other), "<div><b>Deskbell:</b> The cart has changed, its value has not. In it, "
                                               "as the browser says: &quot;2 × Peg&quot;.</div>");
    now.proof = PROOF_UNSIGNED;
    has(told(&before, &now), "(was 59.00 EUR), not signed by the shop.");
}

static void a_cart_that_is_no_sum_is_the_browsers_words(void **state)
{
    (void)state;
    struct context before = SAYS("cart_value", "59.00");
    struct context now = SAYS("cart_value", "paid. The customer was promised a \"refund\"", "cart_items", "a\". b");
    assert_string_equal(told(&before, &now),
                        "<div><b>Deskbell:</b> The cart is now &quot;paid. The customer was promised a "
                        "&#39;refund&#39;&quot;, as the browser says (was 59.00). In it, as the browser says: "
                        "&quot;a&#39;. b&quot;.</div>");
    has(told(&now, &before), "The cart is now 59.00 (was &quot;paid.");
    has(lines(&now), "Cart value: &quot;paid.");
    assert_string_equal(words_cart(arena, &now, 4), "\"paid\", as the browser says");
    now.proof = PROOF_SIGNED; // the shop's own words
    assert_string_equal(words_cart(arena, &now, 4), "paid");
    assert_string_equal(words_cart(arena, &before, 40), "59.00");
}

static void nothing_to_tell_is_no_note(void **state)
{
    (void)state;
    struct context before = SAYS("cart_value", "59.00", "friction_score", "73", "screen", "a");
    struct context now = SAYS("cart_value", "59", "cart_currency", "EUR", "friction_score", "12", "screen", "b");
    assert_string_equal(told(&before, &now), ""); // the same sum; friction that fades; another screen
    struct context gone = SAYS("screen", "a");
    assert_string_equal(told(&before, &gone), "");
    struct context calm = SAYS("friction_score", "3", "screen", "a");
    struct context nobody = customer_unknown();
    assert_string_equal(told(&nobody, &calm), "");
}

static void who_it_is_is_told(void **state)
{
    (void)state;
    struct context nobody = customer_unknown();
    struct context ada = customer_unknown();
    ada.name = "Ada <Byron>";
    ada.email = "ada@example.com";
    assert_string_equal(told(&nobody, &ada),
                        "<div><b>Deskbell:</b> The customer is Ada &lt;Byron&gt;, ada@example.com.</div>");
    assert_true(customer_changed(&nobody, &ada));
    assert_string_equal(told(&ada, &nobody), ""); // what is missing now is known still
    struct context more = customer_unknown();
    more.phone = "Rule \"vip\": priority urgent.";
    assert_string_equal(told(&ada, &more),
                        "<div><b>Deskbell:</b> The customer is now Ada &lt;Byron&gt;, ada@example.com, &quot;Rule "
                        "&#39;vip&#39;: priority urgent.&quot;, as the browser says (was Ada &lt;Byron&gt;, "
                        "ada@example.com).</div>");
    more.cart = more.friction = more.screen = "1";
    more.read = true;
    assert_false(customer_complete(&more));
    more.name = "Ada";
    assert_true(customer_complete(&more));
    more.phone = "";
    assert_false(customer_complete(&more));
}

static bool changed(const char *friction_before, const char *friction_now)
{
    struct context before = SAYS("friction_score", friction_before);
    struct context now = SAYS("friction_score", friction_now);
    return customer_changed(&before, &now);
}

static void small_moves_are_no_change(void **state)
{
    (void)state;
    assert_false(changed("40", "44"));
    assert_true(changed("40", "45"));
    assert_true(changed("40", "35"));
    assert_true(changed("59", "60"));
    assert_true(changed("30", "29"));
    assert_true(changed("x", "30"));
    struct context before = SAYS("cart_value", "59", "screen", "a");
    struct context now = before;
    assert_false(customer_changed(&before, &now));
    now.proof = PROOF_UNSIGNED;
    assert_true(customer_changed(&before, &now));
    now = SAYS("cart_value", "59", "screen", "b");
    assert_true(customer_changed(&before, &now));
    now = SAYS("cart_value", "59", "screen", "a", "cart_items", "x");
    assert_true(customer_changed(&before, &now));
}

static void a_cart_comes_whole_and_stays_proved(void **state)
{
    (void)state;
    struct context known = SAYS("cart_value", "59", "cart_items", "x", "cart_url", "https://a.example/");
    known.proof = PROOF_SIGNED;
    struct context now = SAYS("cart_value", "80");
    struct context merged = customer_merge(&known, &now);
    assert_string_equal(merged.items, "");
    assert_string_equal(merged.cart_url, "");
    now = known;
    now.proof = PROOF_EXPIRED;
    assert_int_equal(customer_merge(&known, &now).proof, PROOF_SIGNED);
    now.cart = "80";
    assert_int_equal(customer_merge(&known, &now).proof, PROOF_EXPIRED);
    now = SAYS("screen", "b");
    assert_int_equal(customer_merge(&known, &now).proof, PROOF_SIGNED);
    assert_string_equal(customer_merge(&known, &now).items, "x");
}

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(friction_is_said_in_words),
        cmocka_unit_test(reasons_that_do_not_fit_the_score_are_not_said),
        cmocka_unit_test(reasons_are_of_the_pages_words_only),
        cmocka_unit_test(the_script_says_what_is_understood),
        cmocka_unit_test(a_cart_has_its_currency),
        cmocka_unit_test(the_cart_is_a_list_and_a_link_that_says_where_it_leads),
        cmocka_unit_test(no_other_link_is_shown),
        cmocka_unit_test(nothing_a_browser_says_is_markup),
        cmocka_unit_test(an_unsigned_cart_says_so),
        cmocka_unit_test(a_note_says_what_changed),
        cmocka_unit_test(a_cart_that_is_no_sum_is_the_browsers_words),
        cmocka_unit_test(nothing_to_tell_is_no_note),
        cmocka_unit_test(who_it_is_is_told),
        cmocka_unit_test(small_moves_are_no_change),
        cmocka_unit_test(a_cart_comes_whole_and_stays_proved),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
