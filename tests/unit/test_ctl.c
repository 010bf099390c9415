// SPDX-License-Identifier: Apache-2.0
// deskbellctl's words and tables: what a terminal is shown, and what it must never be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/options.h"
#include "ctl/table.h"
#include "ctl/words.h"

static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    char text[] = "a\033[2Jb\n\t\x7f\xc2\x9b"
                  "31mc \xc3\xa4";
    words_clean(text);
    assert_string_equal(text, "a?[2Jb?????31mc \xc3\xa4");
}

static void durations_and_sums_are_readable(void **state)
{
    char out[WORDS_BYTES];
    (void)state;
    assert_string_equal(words_long(0, out), "-");
    assert_string_equal(words_long(-5, out), "-");
    assert_string_equal(words_long(999, out), "999 ms");
    assert_string_equal(words_long(12500, out), "12.5 s");
    assert_string_equal(words_long(14 * 60000, out), "14 min");
    assert_string_equal(words_long(6 * 3600000, out), "6 h");
    assert_string_equal(words_long(INT64_C(9) * 86400000, out), "9 d");
    assert_string_equal(words_when(0, out), "-");
    assert_string_equal(words_bytes(999, out), "999 B");
    assert_string_equal(words_bytes(12300000000, out), "12.3 GB");
    json_t *cents = json_integer(24905);
    assert_string_equal(words_money(cents, out), "249.05");
    json_decref(cents);
    assert_string_equal(words_money(NULL, out), "-");
}

static void columns_stand_in_line(void **state)
{
    static const char *const heads[] = {"NAME", ">COUNT", "WHY", NULL};
    char *text = NULL;
    size_t size = 0;
    (void)state;
    FILE *out = open_memstream(&text, &size);
    struct table *table = table_new(heads);
    table_add(table, "\xc3\xa4nn");
    table_add(table, "%d", 7);
    table_add(table, "x");
    table_add(table, "longer one");
    table_add(table, "%d", 123456);
    table_add(table, "y\nz");
    table_print(&table, out);
    assert_null(table);
    fclose(out);
    assert_string_equal(text, "NAME         COUNT  WHY\n\xc3\xa4nn              7  x\nlonger one  123456  y?z\n");
    free(text);
    // Without rows nothing is printed.
    out = open_memstream(&text, &size);
    table = table_new(heads);
    table_print(&table, out);
    fclose(out);
    assert_int_equal(size, 0);
    free(text);
}

static void options_stand_anywhere(void **state)
{
    struct options options;
    char *words[] = {"deskbellctl", "dead", "--json", "retry", "--cause", "a b", "--dry-run", "--runtime-dir=/x", NULL};
    (void)state;
    assert_true(options_read(&options, 8, words));
    assert_int_equal(options.count, 2);
    assert_string_equal(options.words[1], "retry");
    assert_true(options.json);
    assert_string_equal(options.cause, "a b");
    assert_int_equal(options.given, TAKES_CAUSE | TAKES_DRY_RUN);
    char *dir = options_runtime_dir(&options);
    assert_string_equal(dir, "/x");
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(durations_and_sums_are_readable),
        cmocka_unit_test(columns_stand_in_line),
        cmocka_unit_test(options_stand_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
