// SPDX-License-Identifier: Apache-2.0
// What shoppers are served: small enough, valid where the configuration goes in, and nothing that an operator writes
// there becomes code.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http-front/widget/squeeze.h"
#include "http-front/widget/widget.h"

#define BASE                                                                                                           \
    "freshchat { api_url = \"https://acme.freshchat.com/v2\" }\n"                                                      \
    "freshdesk { api_url = \"https://acme.freshdesk.com/api/v2\" }\n"

static struct widget *widget_of(const char *more)
{
    char text[4096];
    struct config *config;
    struct config_error error;
    snprintf(text, sizeof text, "%s%s", BASE, more);
    if (!config_parse(text, strlen(text), "test", &config, &error))
        fail_msg("%s", error.message);
    struct widget *widget = widget_new(config);
    config_free(&config);
    return widget;
}

static void the_pages_are_found_by_their_paths(void **state)
{
    struct widget *widget = widget_of("");
    (void)state;
    assert_ptr_equal(widget_find(widget, "/widget.js"), &widget->script);
    assert_ptr_equal(widget_find(widget, "/support"), &widget->support);
    static const char *const none[] = {"/",          "",          "/widget.js/",   "/widget",
                                       "/Widget.js", "/support/", "/widget.js%00", "/callback.js"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(widget_find(widget, none[i]));
    assert_null(widget_find(NULL, "/widget.js"));
    widget_free(&widget);
    assert_null(widget);
    widget_free(&widget);
}

static void the_script_is_under_12_kilobytes_and_complete(void **state)
{
    struct widget *widget =
        widget_of("freshcaller { phone_number = \"+31 20 123 45 67\" }\n"
                  "widget { token = \"01234567-89ab-cdef-0123-456789abcdef\"\n"
                  "call_hours = \"Mon-Fri 9:00-17:30, Sat 10:00-16:00\"\ncall_time_zone = \"Europe/Amsterdam\"\n"
                  "call_back = true }\n");
    (void)state;
    printf("widget.js: %zu bytes, callback.js: %zu\n", widget->script.size, widget->callback.size);
    assert_true(widget->script.size < 12 * 1024);
    assert_true(widget->callback.size > 1000 && widget->callback.size < 4 * 1024);
    assert_ptr_equal(widget_find(widget, "/callback.js"), &widget->callback);
    assert_non_null(strstr(widget->callback.headers, "Access-Control-Allow-Origin: *\r\n"));
    assert_int_equal(strlen(widget->script.text), widget->script.size);
    assert_null(strstr(widget->script.text, "DESKBELL_CONFIG"));
    const char *end = "\"zone\":\"Europe/Amsterdam\",\"dial\":\"+31201234567\",\"callBack\":true});";
    assert_string_equal(widget->script.text + widget->script.size - strlen(end), end);
    assert_non_null(strstr(widget->script.text, "\"phone\":\"+31 20 123 45 67\""));
    assert_string_equal(widget->script.type, "text/javascript; charset=utf-8");
    widget_free(&widget);
}

static void squeezes(const char *script, const char *expected)
{
    char *squeezed = squeeze_script(script);
    if (strcmp(squeezed, expected) != 0)
        fail_msg("%s\nbecame %s\ninstead of %s", script, squeezed, expected);
    free(squeezed);
}

static void squeezing_takes_what_only_readers_need(void **state)
{
    (void)state;
    squeezes("// head\n'use strict';\n  const a = (b) => { return b + 1; };\n",
             "'use strict';const a=(b)=>{return b+1};");
    squeezes("x = '// a  \\' b' + \"/* \" /* c\n */ + y // d", "x='// a  \\' b'+\"/* \"+y");
    squeezes("f(/[/ ]  '\\/ x/g, ' ') / 2 / c", "f(/[/ ]  '\\/ x/g,' ')/2/c");
    squeezes("return /  '/.test(a)", "return/  '/.test(a)");
    squeezes("`a  {b\n    c ${ d ? '}' : `} // e`", "`a  {b\nc ${ d ? '}' : `}"); // what squeeze.h says of templates
    squeezes("css = `p { a: 1px\n  b }` + `x`;", "css=`p { a: 1px\nb }`+`x`;");
    // A line break that ends a statement stays; one inside of a statement goes.
    squeezes("a = b\nc++\n++d\nif (e) f()\nelse g()", "a=b\nc++\n++d\nif(e)f()\nelse g()");
    squeezes("a = {\n  b: 1,\n  c,\n}\n(d)\n  .e()", "a={b:1,c,}\n(d).e()");
    squeezes("a + +b - -c + - d; typeof x in y; 1 .e", "a+ +b- -c+-d;typeof x in y;1 .e");
    squeezes("async x => {\n  await y;\n}", "async x=>{await y}");
    squeezes("'left open", "'left open");
    squeezes("/left open", "/left open");
    squeezes("`left ${open", "`left ${open");
    squeezes("/* left open", "");
    squeezes("", "");
}

static void nothing_in_the_configuration_becomes_code(void **state)
{
    struct widget *widget =
        widget_of("freshcaller { phone_number = \"+31 20 1234567\" }\n"
                  "widget { token = \"\\\"});alert(1);//</script><!--\"\ncall_hours = \"<b>\\\" & 'é\" }\n");
    (void)state;
    const char *config = strstr(widget->script.text, "{\"script\":");
    assert_non_null(config);
    assert_null(strpbrk(config, "<>&"));
    assert_non_null(strstr(config, "\"token\":\"\\\"});alert(1);//\\u003c/script\\u003e\\u003c!--\""));
    for (const char *at = config; *at; at++)
        assert_true((unsigned char)*at < 0x80);
    assert_null(strstr(widget->support.text, "<b>"));
    assert_non_null(strstr(widget->support.text, "&#60;b&#62;&#34; &#38; &#39;"));
    widget_free(&widget);
}

static void the_support_page_dials_without_any_script(void **state)
{
    struct widget *widget = widget_of("freshcaller { phone_number = \"+31 (0)20-123 45 67\" }\n"
                                      "widget { call_hours = \"9-17\"  call_time_zone = \"Europe/Amsterdam\" }\n");
    (void)state;
    assert_non_null(strstr(widget->support.text, "href=\"tel:+31201234567\">Call us +31 (0)20-123 45 67</a>"));
    assert_non_null(strstr(widget->support.text, "<p>9-17, Europe/Amsterdam</p>"));
    assert_non_null(strstr(widget->support.text, "src=\"/widget.js\""));
    widget_free(&widget);
    widget = widget_of("");
    assert_null(strstr(widget->support.text, "tel:"));
    assert_null(strstr(widget->support.text, "@PHONE@"));
    assert_non_null(strstr(widget->script.text, "\"phone\":\"\""));
    widget_free(&widget);
}

static void the_tag_changes_exactly_with_the_text(void **state)
{
    struct widget *one = widget_of("widget { token = \"a\" }\n"), *same = widget_of("widget { token = \"a\" }\n"),
                  *other = widget_of("widget { token = \"b\" }\n");
    (void)state;
    assert_string_equal(one->script.etag, same->script.etag);
    assert_string_not_equal(one->script.etag, other->script.etag);
    assert_string_equal(one->support.etag, other->support.etag);
    assert_int_equal(strlen(one->script.etag), 18);
    widget_free(&one);
    widget_free(&same);
    widget_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pages_are_found_by_their_paths),
        cmocka_unit_test(the_script_is_under_12_kilobytes_and_complete),
        cmocka_unit_test(squeezing_takes_what_only_readers_need),
        cmocka_unit_test(nothing_in_the_configuration_becomes_code),
        cmocka_unit_test(the_support_page_dials_without_any_script),
        cmocka_unit_test(the_tag_changes_exactly_with_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
