// SPDX-License-Identifier: Apache-2.0
// proto/log: one event is one line, whatever the values hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/log.h"

static int log_pipe[2];

static int open_log(void **state)
{
    (void)state;
    assert_int_equal(pipe(log_pipe), 0);
    log_init("tester", LOG_LEVEL_INFO);
    log_set_fd(log_pipe[1]);
    return 0;
}

static int close_log(void **state)
{
    (void)state;
    log_set_fd(STDERR_FILENO);
    close(log_pipe[0]);
    close(log_pipe[1]);
    return 0;
}

// Everything that was written by one call, without the time in front; fails when it is not exactly one line.
static const char *one_line(void)
{
    static char text[2 * LOG_LINE_MAX_BYTES];
    ssize_t n = read(log_pipe[0], text, sizeof text - 1);

    assert_true(n > 0);
    text[n] = '\0';
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    text[n - 1] = '\0';
    assert_memory_equal(text, "time=2", 6);
    assert_non_null(strstr(text, " level="));
    return strstr(text, " level=") + 1;
}

static const char *pairs(void)
{
    const char *line = one_line(), *event = strstr(line, "event=e ");

    assert_non_null(event);
    return event + strlen("event=e ");
}

static void a_line_names_level_process_pid_and_event(void **state)
{
    char expected[200];

    (void)state;
    log_info("ticket_opened", "conversation=%s ticket=%llu", "c-1", 42ULL);
    snprintf(expected, sizeof expected,
             "level=info process=tester pid=%d event=ticket_opened conversation=c-1 ticket=42", (int)getpid());
    assert_string_equal(one_line(), expected);
    log_warn("nothing_to_say", NULL);
    assert_non_null(strstr(one_line(), "level=warn process=tester"));
}

static void values_are_quoted_when_they_must_be(void **state)
{
    const char *volatile nothing = NULL; // volatile, or gcc sees what it warns of

    (void)state;
    log_info("e", "a=%s b=%s c=%s d=%s", "plain_word-1/2:3.4", "two words", "", nothing);
    assert_string_equal(pairs(), "a=plain_word-1/2:3.4 b=\"two words\" c=\"\" d=-");
    log_info("e", "a=%s", "say \"hi\" \\ bye");
    assert_string_equal(pairs(), "a=\"say \\\"hi\\\" \\\\ bye\"");
    log_info("e", "a=%s", "x=y");
    assert_string_equal(pairs(), "a=\"x=y\"");
}

static void no_value_can_forge_a_line_or_a_pair(void **state)
{
    (void)state;
    log_info("e", "a=%s", "x\nlevel=error event=forged");
    assert_string_equal(pairs(), "a=\"x\\nlevel=error event=forged\"");
    log_info("e", "a=%s", "x\r\t\x01\x1b[31m\x7f");
    assert_string_equal(pairs(), "a=\"x\\r\\t\\x01\\x1b[31m\\x7f\"");
    // Line separator, next line, right-to-left override: line breaks and disguises on somebody's screen.
    log_info("e", "a=%s", "\xe2\x80\xa8\xc2\x85\xe2\x80\xae");
    assert_string_equal(pairs(), "a=\"\\xe2\\x80\\xa8\\xc2\\x85\\xe2\\x80\\xae\"");
}

static void text_of_all_languages_stays_readable(void **state)
{
    (void)state;
    log_info("e", "a=%s", "Grüße 你好 🛒");
    assert_string_equal(pairs(), "a=\"Grüße 你好 🛒\"");
    // Not UTF-8: lone continuation, overlong, surrogate, beyond the last character, cut off.
    log_info("e", "a=%s", "\x80|\xc0\xaf|\xed\xa0\x80|\xf5\x80\x80\x80|\xe4\xbd");
    assert_string_equal(pairs(), "a=\"\\x80|\\xc0\\xaf|\\xed\\xa0\\x80|\\xf5\\x80\\x80\\x80|\\xe4\\xbd\"");
}

static void numbers_of_all_kinds_are_written(void **state)
{
    (void)state;
    log_info("e",
             "i=%d n=%d u=%u l=%ld ul=%lu ll=%lld ull=%llu z=%zu j=%" PRId64
             " x=%#x o=%o f=%.2f g=%g w=%05d c=%c p=%d%%",
             INT_MIN, -1, UINT_MAX, LONG_MIN, ULONG_MAX, LLONG_MIN, ULLONG_MAX, SIZE_MAX, INT64_MAX, 255u, 8u, 0.125,
             1e9, 42, 'k', 70);
    assert_string_equal(pairs(), "i=-2147483648 n=-1 u=4294967295 l=-9223372036854775808 ul=18446744073709551615 "
                                 "ll=-9223372036854775808 ull=18446744073709551615 z=18446744073709551615 "
                                 "j=9223372036854775807 x=0xff o=10 f=0.12 g=1e+09 w=00042 c=k p=70%");
    log_info("e", "hh=%hhu h=%hd star=%*d s=%.*s t=%.3s", (unsigned char)200, (short)-5, 4, 7, 2, "abcdef", "abcdef");
    assert_string_equal(pairs(), "hh=200 h=-5 star=   7 s=ab t=abc");
    log_info("e", "f=%f", 1e300);
    assert_memory_equal(pairs(), "f=1000000000", 12);
}

static void a_bounded_string_needs_no_nul(void **state)
{
    const char bytes[3] = {'a', 'b', 'c'};

    (void)state;
    log_info("e", "a=%.*s", 3, bytes);
    assert_string_equal(pairs(), "a=abc");
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    static char big[3 * LOG_LINE_MAX_BYTES];
    const char *line;

    (void)state;
    memset(big, 'x', sizeof big - 1);
    log_info("e", "a=%s b=%d", big, 1);
    line = one_line();
    assert_true(strlen(line) < LOG_LINE_MAX_BYTES);
    assert_string_equal(line + strlen(line) - 12, " truncated=1");
    // Escaped to four times its size, and still one line with its closing quote.
    memset(big, '\x01', sizeof big - 1);
    log_info("e", "a=%s", big);
    line = one_line();
    assert_string_equal(line + strlen(line) - 13, "\" truncated=1");
    assert_null(strchr(line, '\x01'));
}

static void levels_below_the_set_one_are_not_written(void **state)
{
    (void)state;
    log_debug("e", "a=%d", 1);
    log_info("e", "a=%d", 2);
    assert_string_equal(pairs(), "a=2");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("e", "a=%d", 3);
    log_error("e", "a=%d", 4);
    assert_string_equal(pairs(), "a=4");
    assert_false(log_enabled(LOG_LEVEL_WARN));
    assert_true(log_enabled(LOG_LEVEL_ERROR));
}

static void escaping_fits_any_room(void **state)
{
    char out[32];

    (void)state;
    assert_int_equal(log_escape(out, sizeof out, "word", 4), 4);
    assert_string_equal(out, "word");
    assert_int_equal(log_escape(out, sizeof out, "a b", 3), 5);
    assert_string_equal(out, "\"a b\"");
    log_escape(out, 4, "a b c d", 7);
    assert_string_equal(out, "\"a\"");
    // Never half a character, never half an escape.
    for (size_t size = 4; size < 24; size++) {
        size_t n = log_escape(out, size, "ü ü\n\x01", 7);
        assert_int_equal(strlen(out), n);
        assert_true(n < size);
        assert_int_equal(out[n - 1], '"');
        assert_true(n < 3 || out[n - 2] != '\\');
    }
    log_escape(out, sizeof out, "a\0b", 3);
    assert_string_equal(out, "\"a\\x00b\"");
}

static void names_of_levels_are_read(void **state)
{
    enum log_level level = LOG_LEVEL_INFO;

    (void)state;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_parse("loud", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_string_equal(log_level_name(LOG_LEVEL_WARN), "warn");
}

// journald adds the time itself and takes the level from a prefix, but only where stderr is really its stream.
// The line as JSON from its event on, without the brace at its end.
static const char *json_pairs(void)
{
    static char text[2 * LOG_LINE_MAX_BYTES];
    ssize_t n = read(log_pipe[0], text, sizeof text - 1);
    assert_true(n > 2);
    assert_memory_equal(text, "{\"time\":\"2", 10);
    assert_memory_equal(text + n - 2, "}\n", 2);
    text[n - 2] = '\0';
    assert_non_null(strstr(text, "Z\",\"level\":\"info\",\"process\":\"tester\",\"pid\":"));
    const char *event = strstr(text, "\"event\":\"e\"");
    assert_non_null(event);
    return event + strlen("\"event\":\"e\"");
}

static void json_lines_have_the_same_pairs(void **state)
{
    (void)state;
    log_set_format(LOG_FORMAT_JSON);
    log_info("e", NULL);
    assert_string_equal(json_pairs(), "");
    log_info("e", "a=%d b=%s c=%llu", -1, "x y", 18446744073709551615ULL);
    assert_string_equal(json_pairs(), ",\"a\":-1,\"b\":\"x y\",\"c\":18446744073709551615");
    // Literal values, values of several pieces, and what only looks like a number.
    log_info("e", "kind=drained advice=\"restore a backup\" at=%s:%d id=%s hex=%04x share=%.1f%%", "h", 8, "12", 255,
             0.5);
    assert_string_equal(json_pairs(),
                        ",\"kind\":\"drained\",\"advice\":\"restore a backup\",\"at\":\"h:8\",\"id\":\"12\",\"hex\":"
                        "\"00ff\",\"share\":\"0.5%\"");
    log_info("e", "a=%s b=%s", "", " b=\"2\"}");
    assert_string_equal(json_pairs(), ",\"a\":\"\",\"b\":\" b=\\\"2\\\"}\"");
    log_info("e", "a=%s", "\"\\\n\x1b\xff\xe2\x80\xae\xc3\xa4");
    assert_string_equal(json_pairs(), ",\"a\":\"\\\"\\\\\\u000a\\u001b\\ufffd\\u202e\xc3\xa4\"");
    log_set_format(LOG_FORMAT_TEXT);
}

static void a_long_json_line_stays_an_object(void **state)
{
    (void)state;
    char value[3 * LOG_LINE_MAX_BYTES];
    memset(value, '"', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_set_format(LOG_FORMAT_JSON);
    for (int length = 1900; length < 2100; length++) {
        log_info("e", "a=%.*s b=%.*s c=%d", length, value, length, value, 1);
        const char *rest = json_pairs();
        size_t size = strlen(rest);
        bool whole = size > 6 && strcmp(rest + size - 6, ",\"c\":1") == 0;
        assert_true(whole || strcmp(rest + size - 17, ",\"truncated\":true") == 0);
        size_t quotes = 0; // those that no backslash stands before
        for (const char *at = rest; *at; at++) {
            if (*at == '\\')
                at++;
            else
                quotes += *at == '"';
        }
        assert_int_equal(quotes % 2, 0);
    }
    log_set_format(LOG_FORMAT_TEXT);
}

static void lines_say_which_request_they_are_about(void **state)
{
    (void)state;
    uint64_t several[] = {1, 0, 0xabcdef0123456789};
    uint64_t many[100];
    char text[LOG_REQUEST_BYTES];
    assert_string_equal(log_request_text(255, text), "00000000000000ff");
    log_request(0xfedcba9876543210);
    log_info("e", "a=%d", 1);
    assert_string_equal(pairs(), "request=fedcba9876543210 a=1");
    log_requests(several, 3);
    log_info("e", "a=%d", 1);
    assert_string_equal(pairs(), "request=0000000000000001,abcdef0123456789 a=1");
    for (int i = 0; i < 100; i++)
        many[i] = UINT64_MAX;
    log_requests(many, 100); // as many as fit
    log_info("e", "a=%d", 1);
    assert_non_null(strstr(pairs(), "ffffffffffffffff a=1"));
    log_set_format(LOG_FORMAT_JSON);
    log_request(1);
    log_info("e", "a=%d", 1);
    assert_string_equal(json_pairs(), ",\"request\":\"0000000000000001\",\"a\":1");
    log_set_format(LOG_FORMAT_TEXT);
    log_request(0);
    log_info("e", "a=%d", 1);
    assert_string_equal(pairs(), "a=1");
}

static void journald_gets_a_level_prefix_and_no_time(void **state)
{
    struct stat st;
    char stream[64], line[512] = "";

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init("tester", LOG_LEVEL_INFO);
    log_error("e", "a=%d", 1);
    assert_true(read(log_pipe[0], line, sizeof line - 1) > 0);
    assert_memory_equal(line, "<3>level=error process=tester ", 30);
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_init("tester", LOG_LEVEL_INFO);
    log_error("e", "a=%d", 1);
    assert_string_equal(pairs(), "a=1");
    unsetenv("JOURNAL_STREAM");
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, open_log, close_log)

// Descriptor 2 is what it goes to, here in a child, so that this program keeps its own.
static void a_renamed_file_is_let_go(void **state)
{
    char folder[] = "/tmp/deskbell-log-XXXXXX", path[64], renamed[64], text[4096] = "", out[64];
    int status;
    pid_t pid;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(renamed, sizeof renamed, "%s/log.1", folder);
    pid = fork();
    if (pid == 0) {
        log_set_fd(STDERR_FILENO);
        bool ok = log_reopen(path);
        log_info("first", NULL);
        ok = ok && rename(path, renamed) == 0;
        log_info("second", NULL);
        ok = ok && log_reopen(path) && !log_reopen(folder);
        log_info("third", NULL);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    FILE *file = fopen(renamed, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "event=first"));
    assert_non_null(strstr(text, "event=second"));
    assert_null(strstr(text, "event=third"));
    memset(text, 0, sizeof text);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "event=third"));
    unlink(path);
    unlink(renamed);
    rmdir(folder);
    assert_string_equal(log_folder("/var/log/deskbell/log", out, sizeof out), "/var/log/deskbell");
    assert_string_equal(log_folder("/log", out, sizeof out), "/");
    assert_string_equal(log_folder("", out, sizeof out), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_names_level_process_pid_and_event),
        cmocka_unit_test(a_renamed_file_is_let_go),
        LOG_TEST(values_are_quoted_when_they_must_be),
        LOG_TEST(no_value_can_forge_a_line_or_a_pair),
        LOG_TEST(text_of_all_languages_stays_readable),
        LOG_TEST(numbers_of_all_kinds_are_written),
        LOG_TEST(a_bounded_string_needs_no_nul),
        LOG_TEST(a_long_line_is_cut_and_says_so),
        LOG_TEST(levels_below_the_set_one_are_not_written),
        LOG_TEST(escaping_fits_any_room),
        LOG_TEST(names_of_levels_are_read),
        LOG_TEST(json_lines_have_the_same_pairs),
        LOG_TEST(a_long_json_line_stays_an_object),
        LOG_TEST(lines_say_which_request_they_are_about),
        LOG_TEST(journald_gets_a_level_prefix_and_no_time),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
