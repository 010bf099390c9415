// SPDX-License-Identifier: Apache-2.0
// proto/config: every key, every refusal with its line, and the sample that is installed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/config.h"
#include "proto/config_table.h"

// What must be given, on two lines.
#define BASE                                                                                                           \
    "freshchat { api_url = \"https://acme.freshchat.com/v2\" }\n"                                                      \
    "freshdesk { api_url = \"https://acme.freshdesk.com/api/v2\" }\n"

static struct config *parsed(const char *text)
{
    struct config *config = NULL;
    struct config_error error;
    char message[1100];

    if (!config_parse(text, strlen(text), "test.conf", &config, &error))
        fail_msg("refused: %s", config_error_text(&error, message, sizeof message));
    assert_non_null(config);
    return config;
}

static void accepts(const char *text)
{
    struct config *config = parsed(text);

    config_free(&config);
    assert_null(config);
}

// Refused, naming this line, with a sentence that has these words in it.
static void refuses(const char *text, int line, const char *words)
{
    struct config *config = NULL;
    struct config_error error;
    char message[1100], place[32];

    if (config_parse(text, strlen(text), "test.conf", &config, &error))
        fail_msg("accepted: %s", text);
    assert_null(config);
    config_error_text(&error, message, sizeof message);
    snprintf(place, sizeof place, line ? "test.conf:%d: " : "test.conf: ", line);
    if (strncmp(message, place, strlen(place)) != 0 || !strstr(message, words))
        fail_msg("expected %s...%s..., got %s", place, words, message);
}

static void the_defaults_are_those_of_the_contract(void **state)
{
    struct config *c = parsed(BASE);

    (void)state;
    assert_string_equal(c->state_dir, "/var/lib/deskbell");
    assert_string_equal(c->runtime_dir, "/run/deskbell");
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_int_equal(c->mode, CONFIG_MODE_LIVE);
    assert_int_equal(c->retention_days, 400);
    assert_int_equal(c->dedup_days, 30);
    assert_int_equal(c->default_priority, CONFIG_LEVEL_MEDIUM);
    assert_true(c->mask_card_numbers);
    assert_string_equal(c->front.listen, "127.0.0.1:8080");
    assert_int_equal(c->front.threads, 64);
    assert_int_equal(c->front.max_body_bytes, 1048576);
    assert_string_equal(c->front.admin_listen, "127.0.0.1:9464");
    assert_int_equal(c->front.min_free_bytes, 268435456);
    assert_int_equal(c->workers.count, 2);
    assert_int_equal(c->workers.in_flight, 128);
    assert_string_equal(c->freshchat.api_url, "https://acme.freshchat.com/v2");
    assert_string_equal(c->freshchat.token_file, "/etc/deskbell/credentials/freshchat.token");
    assert_int_equal(c->freshchat.webhook_key_files.count, 1);
    assert_string_equal(c->freshchat.webhook_key_files.items[0], "/etc/deskbell/freshchat-webhook.pem");
    assert_int_equal(c->freshchat.channels.count, 0);
    assert_string_equal(c->freshchat.agent_id, "");
    assert_int_equal(c->freshchat.replay_window_seconds, 86400);
    assert_int_equal(c->freshchat.poll_seconds, 60);
    assert_int_equal(c->freshchat.calls_per_minute, 0);
    assert_string_equal(c->freshchat.proxy, "");
    assert_string_equal(c->freshchat.ca_file, "");
    assert_string_equal(c->freshdesk.key_file, "/etc/deskbell/credentials/freshdesk.key");
    assert_string_equal(c->freshdesk.webhook_token_files.items[0], "/etc/deskbell/credentials/freshdesk-webhook.token");
    assert_true(c->freshdesk.max_share > 0.699 && c->freshdesk.max_share < 0.701);
    assert_int_equal(c->freshdesk.poll_seconds, 10);
    assert_string_equal(c->freshdesk.conversation_field, "cf_freshchat_conversation_id");
    assert_string_equal(c->freshdesk.cart_field, "cf_cart_value");
    assert_string_equal(c->freshdesk.friction_field, "cf_friction_score");
    assert_string_equal(c->freshdesk.screen_field, "cf_screen");
    assert_false(c->freshcaller.enabled);
    assert_int_equal(c->freshcaller.poll_seconds, 15);
    assert_string_equal(c->widget.script_url, "https://wchat.freshchat.com/js/widget.js");
    assert_string_equal(c->widget.host, "https://wchat.freshchat.com");
    assert_string_equal(c->ticket.type, "");
    assert_int_equal(c->ticket.group_id, 0);
    assert_int_equal(c->priority_count, 0);
    assert_int_equal(c->timing.gather_quiet_ms, 1000);
    assert_int_equal(c->timing.gather_max_ms, 1500);
    assert_int_equal(c->timing.context_wait_ms, 1000);
    assert_int_equal(c->timing.context_refresh_seconds, 30);
    assert_int_equal(c->timing.context_note_seconds, 60);
    assert_string_equal(c->widget.context_key_file, "");
    assert_int_equal(c->timing.connect_timeout_ms, 5000);
    assert_int_equal(c->timing.request_timeout_ms, 20000);
    assert_int_equal(c->timing.settle_ms, 30000);
    assert_int_equal(c->timing.retry_first_ms, 1000);
    assert_int_equal(c->timing.retry_max_ms, 300000);
    assert_int_equal(c->timing.retry_give_up_hours, 24);
    assert_int_equal(c->timing.silent_child_seconds, 10);
    assert_int_equal(c->timing.stop_seconds, 20);
    config_free(&c);
}

static void every_kind_of_key_is_read(void **state)
{
    struct config *c =
        parsed("# a comment with a \" quote and ${NO_VARIABLE}\n" BASE "state_dir = \"/srv/desk bell/\"\n"
               "runtime_dir = /run/db/   // unquoted\n"
               "log_level = debug\n"
               "retention_days = 7\ndefault_priority = \"low\"\nmask_card_numbers = false\n"
               "front { listen = \"0.0.0.0:0\" threads = 8 }\n"
               "/* a comment\n over lines */\n"
               "ticket { type = 'Question' group_id = 5000000000 fields = {\"cf_shop=de\", \"cf_x=a=b\"} }\n"
               "priority high-value { min_cart_value = 200 level = urgent tags = {\"vip\", \"cart\"} }\n"
               "priority stuck { min_cart_value = 50.5 min_friction = 60 level = \"high\" group_id = 9 }\n"
               "widget { token = \"0d9a\" }\n");

    (void)state;
    assert_string_equal(c->state_dir, "/srv/desk bell");
    assert_string_equal(c->runtime_dir, "/run/db");
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->retention_days, 7);
    assert_int_equal(c->default_priority, CONFIG_LEVEL_LOW);
    assert_false(c->mask_card_numbers);
    assert_string_equal(c->front.listen, "0.0.0.0:0");
    assert_int_equal(c->front.threads, 8);
    assert_string_equal(c->ticket.type, "Question");
    assert_true(c->ticket.group_id == 5000000000);
    assert_int_equal(c->ticket.fields.count, 2);
    assert_string_equal(c->ticket.fields.items[1], "cf_x=a=b");
    assert_string_equal(c->widget.token, "0d9a");
    assert_int_equal(c->priority_count, 2);
    assert_string_equal(c->priorities[0].name, "high-value");
    assert_true(c->priorities[0].has_min_cart_value && !c->priorities[0].has_min_friction);
    assert_true(c->priorities[0].min_cart_value == 200.0);
    assert_int_equal(c->priorities[0].level, CONFIG_LEVEL_URGENT);
    assert_int_equal(c->priorities[0].tags.count, 2);
    assert_string_equal(c->priorities[0].tags.items[1], "cart");
    assert_true(c->priorities[1].has_min_cart_value && c->priorities[1].has_min_friction);
    assert_true(c->priorities[1].min_cart_value == 50.5 && c->priorities[1].min_friction == 60.0);
    assert_int_equal(c->priorities[1].level, CONFIG_LEVEL_HIGH);
    assert_int_equal(c->priorities[1].tags.count, 0);
    assert_int_equal(c->priorities[1].group_id, 9);
    config_free(&c);
}

// For every number of the table: both ends are taken, and one step outside is refused.
static void every_number_has_its_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool top = key->section[0] == '\0', rule = strcmp(key->section, "priority") == 0;
        const double values[] = {key->min - 1, key->max + (key->type == CONFIG_INT ? key->max / 1e6 + 1 : 1)};
        char text[400];

        if (key->type != CONFIG_INT && key->type != CONFIG_FLOAT)
            continue;
        for (size_t v = 0; v < 2; v++) {
            snprintf(text, sizeof text, "%s%s%s\n%s = %.0f%s\n%s", top ? "" : key->section, rule ? " x" : "",
                     top ? "" : " {", key->name, values[v], rule ? " level = low" : "", top ? "" : "}");
            refuses(text, 2, key->name);
        }
        snprintf(text, sizeof text, "%s%s%s\n%s = many\n%s", top ? "" : key->section, rule ? " x" : "", top ? "" : " {",
                 key->name, top ? "" : "}");
        refuses(text, 2, key->name);
    }
}

// For every key of the table: an unknown neighbour, and the key given twice, are refused.
static void every_key_is_given_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool top = key->section[0] == '\0', rule = strcmp(key->section, "priority") == 0;
        const char *quote = key->type == CONFIG_STRING || key->type == CONFIG_WORD ? "\"" : "";
        const char *value = key->sample                ? key->sample
                            : key->type == CONFIG_LIST ? "{\"/x\"}"
                            : key->standard            ? key->standard
                            : key->words               ? key->words[0]
                                                       : "1";
        char text[600];

        if (key->check == CONFIG_CHECK_PAIR)
            value = "{\"cf_a=1\"}";
        else if (key->check == CONFIG_CHECK_ORIGIN)
            value = "{\"https://a.example\"}";
        else if (key->check == CONFIG_CHECK_IPV4)
            value = "{\"10.0.0.5\"}";
        snprintf(text, sizeof text, "%s%s%s\n%s = %s%s%s\n%s = %s%s%s\n%s", top ? "" : key->section, rule ? " x" : "",
                 top ? "" : " {", key->name, quote, value, quote, key->name, quote, value, quote, top ? "" : "}");
        refuses(text, 3, "given twice (first on line 2)");
    }
}

static void unknown_keys_are_refused_with_the_known_ones(void **state)
{
    (void)state;
    refuses(BASE "front {\n    thread = 3\n}\n", 4, "unknown key 'thread' in section front");
    refuses(BASE "front {\n    thread = 3\n}\n", 4, "listen, threads, max_body_bytes, admin_listen, min_free_bytes");
    refuses("nosuch = 3\n" BASE, 1, "unknown key 'nosuch'");
    refuses(BASE "\n\nfrunt {\n}\n", 5, "unknown key 'frunt'");
    refuses(BASE "freshchat_token = \"s3cret\"\n", 3, "unknown key");
    refuses(BASE "front|threads = 3\n", 3, "put it inside its section");
    refuses(BASE "include(\"/etc/passwd\")\n", 3, "unknown key 'include'");
    refuses(BASE "end_of_configuration = 1\n", 3, "end_of_configuration");
}

static void broken_syntax_is_refused_where_it_stands(void **state)
{
    (void)state;
    refuses(BASE "front {\n threads = 3\n", 5, "section front is not closed");
    refuses(BASE "}\n", 3, "closing brace");
    refuses(BASE "threads\n", 3, "threads");
    refuses(BASE "front {\n\n threads 3\n}\n", 5, "equal sign");
    refuses(BASE "state_dir = \"/a\n", 3, "second quote");
    refuses(BASE "state_dir = '/a\n", 3, "second quote");
    refuses(BASE "\n/* never closed\n", 4, "add */");
    refuses(BASE "front {}\n\nfront {}\n", 5, "section front is given twice");
    refuses(BASE "priority a { level = low }\npriority a { level = high }\n", 4, "duplicate title 'a'");
    refuses(BASE "priority { level = high }\n", 3, "title");
    refuses(BASE "priority a { min_friction = 3 }\n", 3, "sets no level");
    refuses(BASE "priority '' { level = low }\n", 3, "name of 1 to 64");
    refuses(BASE "freshchat { }\n", 3, "given twice");
    refuses(BASE "ticket { fields = {\"cf_a=1\"}\nfields = {} }\n", 3, "given twice");
    refuses(BASE "ticket { fields = {\"cf_a=1\"}\nfields += {\"cf_b=1\"} }\n", 4, "given twice");
    // Found by reading libConfuse's scanner: it looks through a NULL pointer at an empty first comment.
    accepts("#\n#\n" BASE);
    accepts("//\n/**/\n//word\n" BASE);
}

static void lines_are_counted_through_comments_and_texts(void **state)
{
    (void)state;
    refuses("# one\n# two\n/* three\n * four */ # still four\n" BASE "// seven\nbad = 1\n", 8, "bad");
    refuses("state_dir = \"/a\\\nb\"\n" BASE "bad = 1\n", 5, "bad");
    refuses(BASE "state_dir = \"/a # no comment\" bad = 1\n", 3, "bad");
}

static void the_environment_does_not_enter(void **state)
{
    (void)state;
    refuses(BASE "state_dir = \"${HOME}/x\"\n", 3, "write the value itself");
    refuses(BASE "state_dir = ${HOME}\n", 3, "write the value itself");
    accepts(BASE "# ${HOME}\n");
}

static void words_must_be_known(void **state)
{
    (void)state;
    refuses(BASE "log_level = \"loud\"\n", 3, "log_level must be one of: error, warn, info, debug");
    refuses(BASE "default_priority = \"1\"\n", 3, "low, medium, high, urgent");
    refuses(BASE "priority a {\nlevel = top }\n", 4, "level must be one of: low, medium, high, urgent");
    refuses(BASE "mode = \"dry-run\"\n", 3, "mode must be one of: live, observe");
    accepts(BASE "mode = \"observe\"\n");
    refuses(BASE "freshcaller { country_code = \"+44\" }\n", 3, "dialling code");
    refuses(BASE "freshcaller { country_code = \"044\" }\n", 3, "dialling code");
    accepts(BASE "freshcaller { enabled = true\n country_code = \"44\" }\n");
    refuses(BASE "freshcaller { trunk_prefix = \"+1\" }\n", 3, "such as");
    accepts(BASE "freshcaller { trunk_prefix = \"\" country_code = \"34\" phone_number = \"912 34 56 78\" }\n");
    refuses(BASE "freshcaller { phone_number = \"912 34 56 78\" country_code = \"34\" }\n", 3, "no whole number");
    refuses(BASE "freshcaller { phone_number = \"+31 20 1234567 / +31 6 12345678\" }\n", 3, "one number");
    refuses(BASE "freshcaller { enabled = maybe }\n", 3, "true or false");
}

static void addresses_need_https_outside_this_machine(void **state)
{
    static const char *const good[] = {"https://shop.example",     "https://shop.example:8443/api/v2/",
                                       "http://127.0.0.1:9000/v2", "http://localhost:1",
                                       "http://[::1]:80/x",        "http://127.8.9.10"};
    static const struct {
        const char *url, *words;
    } bad[] = {
        {"http://shop.example/v2", "must begin with https://"},
        {"http://127.0.0.1.example.com", "must begin with https://"},
        {"http://localhost.example.com", "must begin with https://"},
        {"http://128.0.0.1", "must begin with https://"},
        {"http://[::2]", "must begin with https://"},
        {"ftp://shop.example", "begins with https://"},
        {"shop.example", "begins with https://"},
        {"https://", "names no host"},
        {"https://:443", "names no host"},
        {"https://user:secret@shop.example", "user name or password"},
        {"http://127.0.0.1@evil.example", "user name or password"},
        {"https://shop.example:0", "port"},
        {"https://shop.example:65536", "port"},
        {"https://shop.example:8x", "port"},
        {"https://shop.example?x=1", "without ? and #"},
        {"https://shop.example/#x", "without ? and #"},
        {"https://shop example", "characters that cannot be"},
        {"https://sh_op.example", "host name"},
        {"https://[::1", "bracket"},
    };
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "freshchat { api_url = \"%s\" }\nfreshdesk { api_url = \"https://a.example\" }",
                 good[i]);
        accepts(text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "freshchat {\n api_url = \"%s\" }\n", bad[i].url);
        refuses(text, 2, bad[i].words);
    }
    refuses("freshdesk { api_url = \"https://a.example\" }", 0, "freshchat.api_url is not set");
    refuses("", 0, "api_url is not set");
    refuses(BASE "widget { host = \"http://wchat.example\" }", 3, "https://");
}

static void addresses_lose_the_slash_at_their_end(void **state)
{
    struct config *c =
        parsed("freshchat { api_url = \"https://a.example/v2//\" }\nfreshdesk { api_url = \"https://b.example/\" }");

    (void)state;
    assert_string_equal(c->freshchat.api_url, "https://a.example/v2");
    assert_string_equal(c->freshdesk.api_url, "https://b.example");
    config_free(&c);
}

static void proxies_are_checked(void **state)
{
    (void)state;
    accepts(
        "freshchat { api_url = \"https://a.example\" proxy = \"http://proxy.example:3128\" }\n"
        "freshdesk { api_url = \"https://a.example\" proxy = \"socks5h://10.0.0.1:1080\" ca_file = \"/etc/ca.pem\" }");
    refuses("freshchat { proxy = \"proxy.example\" }", 1, "proxy's address");
    refuses("freshchat { proxy = \"http://me:pw@proxy.example\" }", 1, "user name or password");
    refuses("freshchat { proxy = \"http://proxy.example/path\" }", 1, "without a path");
    refuses("freshdesk { ca_file = \"ca.pem\" }", 1, "absolute path");
}

static void a_secret_cannot_stand_in_the_configuration(void **state)
{
    struct config *config = NULL;
    struct config_error error;
    const char *text = "freshchat { token_file = \"eyJhbGciOiJIUzI1NiJ9\" }";

    (void)state;
    refuses(text, 1, "a secret itself never belongs");
    // And what was pasted there is not repeated in the message.
    assert_false(config_parse(text, strlen(text), "x", &config, &error));
    assert_null(strstr(error.message, "eyJ"));
    refuses("freshdesk { webhook_token_files = {\"/a\", \"s3cret\"} }", 1, "a secret itself never belongs");
    refuses("freshdesk { key_file = \"\" }", 1, "must name a file");
}

static void listen_addresses_are_ipv4(void **state)
{
    static const char *const bad[] = {
        "[::1]:8080",    "8080",       "localhost:8080", "127.0.0.1", "127.0.0.1:",   "127.0.0.1:65536",
        "127.0.0.1:80x", "127.0.0:80", ":8080",          "",          "127.0.0.1:-1", "127.0.0.1:000080"};
    struct sockaddr_in address;
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, BASE "front { listen = \"%s\" }", bad[i]);
        refuses(text, 3, "has no IPv6");
        assert_false(config_listen_address(bad[i], &address));
    }
    assert_true(config_listen_address("127.0.0.2:65535", &address));
    assert_int_equal(ntohs(address.sin_port), 65535);
    assert_int_equal(ntohl(address.sin_addr.s_addr), 0x7f000002);
    refuses(BASE "front { listen = \"127.0.0.1:80\" admin_listen = \"127.0.0.1:80\" }", 3, "another address");
    refuses(BASE "front { listen = \"0.0.0.0:80\" admin_listen = \"127.0.0.1:80\" }", 3, "another address");
    accepts(BASE "front { listen = \"127.0.0.1:80\" admin_listen = \"127.0.0.2:80\" }");
    accepts(BASE "front { listen = \"127.0.0.1:0\" admin_listen = \"127.0.0.1:0\" }");
}

static void folders_are_checked(void **state)
{
    (void)state;
    refuses(BASE "state_dir = \"var/lib\"", 3, "absolute path");
    refuses(BASE "state_dir = \"//\"", 3, "root folder");
    refuses(BASE "runtime_dir = \"/var/lib/deskbell\"", 3, "another folder than state_dir");
    refuses(BASE "runtime_dir = \"/run/a-very-long-name-of-a-folder-that-no-socket-address-can-ever-hold\"", 3,
            "107 bytes");
    accepts(BASE "runtime_dir = \"/run/0123456789012345678901234567890123456789012345678901234567\"");
    refuses(BASE "runtime_dir = \"/run/01234567890123456789012345678901234567890123456789012345678\"", 3, "107 bytes");
    refuses(BASE "state_dir = \"/a\\nb\"", 3, "control characters");
    refuses(BASE "state_dir = \"/a\\0b\"", 3, "write the character itself");
    refuses(BASE "state_dir = \"/a\\x00b\"", 3, "write the character itself");
    refuses(BASE "\nstate_dir = '/a\\\\\nb'", 5, "control characters");
}

static void custom_fields_are_checked(void **state)
{
    (void)state;
    refuses("freshdesk {\n cart_field = \"cart\" }", 2, "cart_field must be a custom field's name");
    refuses("freshdesk {\n cart_field = \"cf_Cart\" }", 2, "small letters");
    refuses("freshdesk {\n cart_field = \"cf_\" }", 2, "cf_");
    refuses("freshchat { api_url = \"https://a.example\" }\nfreshdesk { api_url = \"https://a.example\"\n"
            "cart_field = \"cf_screen\" }",
            0, "same field");
    refuses(BASE "ticket { fields = {\"cf_a=1\",\n\"Shop=de\"} }", 4, "cf_name=value");
    refuses(BASE "priority a { level = low tags = {\"a,b\"} }", 3, "without a comma");
    refuses(BASE "priority a { level = low tags = {\"\"} }", 3, "1 to 32");
    refuses(BASE "freshcaller { phone_number = \"call us\" }", 3, "telephone number");
    refuses(BASE "widget { origins = {\"shop.example\"} }", 3, "https://shop.example");
    refuses(BASE "widget { origins = {\"https://shop.example/\"} }", 3, "without anything behind the host");
    refuses(BASE "widget { origins = {\"https://Shop.example\"} }", 3, "small letters");
    refuses(BASE "widget { origins = {\"http://shop.example\"} }", 3, "https://");
    accepts(BASE "widget { origins = {\"https://shop.example:8443\", \"http://127.0.0.1:8088\"} }");
    refuses(BASE "front { trusted_proxies = {\"10.0.0.5:80\"} }", 3, "IPv4 addresses without a port");
    refuses(BASE "widget { call_back = true }", 3, "freshcaller.phone_number");
    refuses(BASE "widget { call_message = \"Call us\" }", 3, "widget.public_url");
    refuses(BASE "widget { call_message = \"Call us\" public_url = \"https://a.example\" }", 3,
            "freshcaller.phone_number");
    refuses(BASE "freshcaller { phone_number = \"+31 20 1234567\" }\nwidget { call_message = \"Call us\" public_url = "
                 "\"https://a.example\" }",
            4, "freshchat.agent_id");
    accepts(BASE "freshcaller { phone_number = \"+31 20 1234567\" }\nwidget { call_back = true }");
}

static void keys_are_checked_together(void **state)
{
    (void)state;
    refuses(BASE "timing {\n settle_ms = 19999\n}", 4, "settle_ms (19999) must be at least request_timeout_ms (20000)");
    refuses(BASE "timing {\n request_timeout_ms = 30001\n}", 0, "settle_ms (30000) must be at least");
    refuses(BASE "timing {\n connect_timeout_ms = 20001\n}", 4, "must not exceed request_timeout_ms");
    refuses(BASE "timing {\n gather_max_ms = 999\n}", 4, "gather_quiet_ms");
    refuses(BASE "timing {\n retry_max_ms = 999\n}", 4, "retry_first_ms");
    refuses("dedup_days = 1\n" BASE, 0, "dedup_days (1) must exceed freshchat.replay_window_seconds (86400)");
    accepts("dedup_days = 2\n" BASE);
    refuses("freshchat { api_url = \"https://a.example\"\nwebhook_key_files = {} }\nfreshdesk { api_url = "
            "\"https://a.example\" }",
            0, "at least one file");
    refuses("freshchat { api_url = \"https://a.example\" }\nfreshdesk { api_url = \"https://a.example\" "
            "webhook_token_files = {} }",
            0, "at least one file");
}

static void odd_bytes_are_refused(void **state)
{
    struct config *config = NULL;
    struct config_error error;
    char *big = calloc(1, CONFIG_MAX_BYTES + 2);

    (void)state;
    assert_false(config_parse("state_dir\0 = 1", 14, "x", &config, &error));
    assert_non_null(strstr(error.message, "NUL"));
    memset(big, '#', CONFIG_MAX_BYTES + 1);
    assert_false(config_parse(big, CONFIG_MAX_BYTES + 1, "x", &config, &error));
    assert_non_null(strstr(error.message, "too long"));
    free(big);
    assert_false(config_parse("\xff\xfe = \x01", 6, "x", &config, &error));
}

// A second run in the same process must not remember the first: libConfuse's scanner has static state.
static void a_refused_text_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        refuses(BASE "state_dir = \"/a", 3, "second quote");
        refuses(BASE "front { listen = ", 3, "listen must be");
        refuses("freshchat {\n channels = {\"a\", ", 2, "not closed");
        accepts(BASE);
    }
}

// Every prefix of a good file, and every byte of it lost, is accepted or refused with a sentence; nothing else happens.
static void damaged_files_are_refused_with_a_sentence(void **state)
{
    char *sample = config_sample();
    size_t len = strlen(sample);
    char *copy = malloc(len + 1);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        struct config *config = NULL;
        struct config_error error;
        if (!config_parse(sample, i, "x", &config, &error))
            assert_true(error.message[0] != '\0');
        config_free(&config);
        memcpy(copy, sample, i);
        memcpy(copy + i, sample + i + 1, len - i);
        if (!config_parse(copy, len - 1, "x", &config, &error))
            assert_true(error.message[0] != '\0');
        config_free(&config);
    }
    free(copy);
    free(sample);
}

static void the_installed_sample_is_made_from_the_table(void **state)
{
    char *sample = config_sample();
    size_t len = strlen(sample), n;
    char *file = calloc(1, len + 2);
    FILE *in = fopen(SOURCE_DIR "/etc/deskbell.conf", "r");

    (void)state;
    assert_non_null(in);
    n = fread(file, 1, len + 1, in);
    fclose(in);
    // When this fails: build/.../deskbelld --print-sample > etc/deskbell.conf
    assert_int_equal(n, len);
    assert_string_equal(file, sample);
    accepts(sample);
    free(file);
    free(sample);
}

// With every # before a key taken away the sample says the same: what it shows are the defaults.
static void the_sample_shows_the_defaults(void **state)
{
    char *sample = config_sample(), *bare = calloc(1, strlen(sample) + 1), *w = bare;
    struct config *shown, *plain;

    (void)state;
    for (char *line = sample; *line; line += strcspn(line, "\n") + 1) {
        size_t len = strcspn(line, "\n") + 1, indent = strspn(line, " ");
        bool key = line[indent] == '#' && line[indent + 1] >= 'a' && line[indent + 1] <= 'z';
        if (strncmp(line, "#priority", 9) == 0)
            break; // the rules are an example, not a default
        memcpy(w, line, indent);
        memcpy(w + indent, line + indent + key, len - indent - key);
        w += len - key;
        assert_true(len <= 121);
    }
    shown = parsed(bare);
    plain = parsed(sample);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const char *a = (const char *)shown + key->offset, *b = (const char *)plain + key->offset;
        if (strcmp(key->section, "priority") == 0 || strcmp(key->section, "timing") == 0)
            continue;
        // An empty list is the one thing libConfuse does not tell us of.
        assert_true(shown->lines[i] > 0 || (key->type == CONFIG_LIST && key->standard[0] == '\0'));
        if (key->type == CONFIG_STRING)
            assert_string_equal(*(char *const *)a, *(char *const *)b);
        else if (key->type == CONFIG_LIST)
            assert_int_equal(((const struct config_list *)a)->count, ((const struct config_list *)b)->count);
        else
            assert_memory_equal(a, b, key->type == CONFIG_BOOL ? sizeof(bool) : key->type == CONFIG_WORD ? 4 : 8);
    }
    config_free(&shown);
    config_free(&plain);
    free(bare);
    free(sample);
}

static void children_read_the_same_from_a_descriptor(void **state)
{
    struct config *config = NULL;
    struct config_error error;
    int fd = memfd_create("test", MFD_CLOEXEC), ends[2];

    (void)state;
    assert_int_equal(write(fd, BASE, strlen(BASE)), strlen(BASE));
    for (int i = 0; i < 2; i++) {
        assert_true(config_from_fd(fd, "snapshot", &config, &error));
        assert_string_equal(config->freshdesk.api_url, "https://acme.freshdesk.com/api/v2");
        config_free(&config);
    }
    assert_int_equal(write(fd, "bad", 3), 3);
    assert_false(config_from_fd(fd, "snapshot", &config, &error));
    assert_string_equal(error.file, "snapshot");
    assert_int_equal(error.line, 3);
    close(fd);
    assert_int_equal(pipe(ends), 0);
    assert_false(config_from_fd(ends[0], "snapshot", &config, &error));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_contract),
        cmocka_unit_test(every_kind_of_key_is_read),
        cmocka_unit_test(every_number_has_its_limits),
        cmocka_unit_test(every_key_is_given_once),
        cmocka_unit_test(unknown_keys_are_refused_with_the_known_ones),
        cmocka_unit_test(broken_syntax_is_refused_where_it_stands),
        cmocka_unit_test(lines_are_counted_through_comments_and_texts),
        cmocka_unit_test(the_environment_does_not_enter),
        cmocka_unit_test(words_must_be_known),
        cmocka_unit_test(addresses_need_https_outside_this_machine),
        cmocka_unit_test(addresses_lose_the_slash_at_their_end),
        cmocka_unit_test(proxies_are_checked),
        cmocka_unit_test(a_secret_cannot_stand_in_the_configuration),
        cmocka_unit_test(listen_addresses_are_ipv4),
        cmocka_unit_test(folders_are_checked),
        cmocka_unit_test(custom_fields_are_checked),
        cmocka_unit_test(keys_are_checked_together),
        cmocka_unit_test(odd_bytes_are_refused),
        cmocka_unit_test(a_refused_text_leaves_nothing_behind),
        cmocka_unit_test(damaged_files_are_refused_with_a_sentence),
        cmocka_unit_test(the_installed_sample_is_made_from_the_table),
        cmocka_unit_test(the_sample_shows_the_defaults),
        cmocka_unit_test(children_read_the_same_from_a_descriptor),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
