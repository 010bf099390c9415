// SPDX-License-Identifier: Apache-2.0
// proto/secret: which files are taken as secrets, which are refused and why, and $CREDENTIALS_DIRECTORY.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/secret.h"

static char folder[64];
static char path[128];
static char why[1024];

static int make_folder(void **state)
{
    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    strcpy(folder, "/tmp/deskbell-secret-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.token", folder);
    why[0] = '\0';
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void put(const char *where, const char *bytes, size_t len, mode_t mode)
{
    int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void refused(const char *words)
{
    struct secret *secret = secret_read(path, why, sizeof why);

    assert_null(secret);
    if (!strstr(why, words) || !strstr(why, path))
        fail_msg("expected %s, got %s", words, why);
}

static void a_secret_is_read_and_trimmed(void **state)
{
    struct secret *secret;

    (void)state;
    put(path, " \n s3cret value\r\n\n", 17, 0640);
    secret = secret_read(path, why, sizeof why);
    assert_non_null(secret);
    assert_string_equal(secret->text, "s3cret value");
    assert_int_equal(secret->len, 12);
    assert_true(secret_equal(secret, "s3cret value", 12));
    assert_false(secret_equal(secret, "s3cret valuE", 12));
    assert_false(secret_equal(secret, "s3cret valu", 11));
    assert_false(secret_equal(secret, "s3cret value ", 13));
    assert_false(secret_equal(secret, "", 0));
    secret_free(&secret);
    assert_null(secret);
    secret_free(&secret);
}

static void files_open_to_all_are_refused(void **state)
{
    static const mode_t bad[] = {0644, 0604, 0602, 0601, 0666, 0777};
    struct secret *secret;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put(path, "x", 1, bad[i]);
        refused("chmod 0640");
    }
    for (mode_t mode = 0600; mode <= 0670; mode += 010) {
        put(path, "x", 1, mode);
        secret = secret_read(path, why, sizeof why);
        assert_non_null(secret);
        secret_free(&secret);
    }
}

static void odd_files_are_refused(void **state)
{
    static char big[SECRET_MAX_BYTES + 1];

    (void)state;
    refused("No such file");
    put(path, "", 0, 0600);
    refused("is empty");
    put(path, " \n\t ", 4, 0600);
    refused("white space");
    put(path, "a\0b", 3, 0600);
    refused("NUL");
    memset(big, 'x', sizeof big);
    put(path, big, sizeof big, 0600);
    refused("too long");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    refused("no regular file");
    rmdir(path);
    // Opening a FIFO must not hang.
    assert_int_equal(mkfifo(path, 0600), 0);
    refused("no regular file");
}

static void public_keys_may_be_read_by_all_but_not_changed(void **state)
{
    struct secret *key;

    (void)state;
    put(path, "-----BEGIN", 10, 0644);
    key = secret_read_public(path, why, sizeof why);
    assert_non_null(key);
    secret_free(&key);
    put(path, "-----BEGIN", 10, 0666);
    assert_null(secret_read_public(path, why, sizeof why));
    assert_non_null(strstr(why, "can be changed"));
}

static void the_credentials_directory_comes_first(void **state)
{
    char dir[96], other[128];
    struct secret *secret;

    (void)state;
    snprintf(dir, sizeof dir, "%s/credentials", folder);
    snprintf(other, sizeof other, "%s/a.token", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    put(path, "from the path", 13, 0600);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    secret = secret_read(path, why, sizeof why);
    assert_string_equal(secret->text, "from the path");
    secret_free(&secret);
    put(other, "from systemd", 12, 0400);
    secret = secret_read(path, why, sizeof why);
    assert_string_equal(secret->text, "from systemd");
    secret_free(&secret);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void the_configuration_s_secrets_are_checked(void **state)
{
    struct config *config = NULL;
    struct config_error error;
    char text[600];

    (void)state;
    snprintf(text, sizeof text,
             "freshchat { api_url = \"https://a.example\"\ntoken_file = \"%s/t\"\nwebhook_key_files = {\"%s/p\"} }\n"
             "freshdesk { api_url = \"https://a.example\"\nkey_file = \"%s/k\"\nwebhook_token_files = {\"%s/w\", "
             "\"%s/w2\"} }\n",
             folder, folder, folder, folder, folder);
    assert_true(config_parse(text, strlen(text), "test.conf", &config, &error));
    for (const char *name = "tkpw2"; *name; name++) {
        assert_false(config_check_files(config, &error));
        assert_string_equal(error.file, "test.conf");
        // The first one missing: token, key, public key, webhook tokens.
        assert_int_equal(error.line, *name == 't' ? 2 : *name == 'k' ? 5 : *name == 'p' ? 3 : 6);
        snprintf(path, sizeof path, *name == '2' ? "%s/w2" : "%s/%c", folder, *name);
        put(path, "x", 1, *name == 'p' ? 0644 : 0600);
    }
    assert_true(config_check_files(config, &error));
    snprintf(path, sizeof path, "%s/ca.pem", folder);
    free(config->freshdesk.ca_file);
    config->freshdesk.ca_file = strdup(path);
    assert_false(config_check_files(config, &error));
    assert_non_null(strstr(error.message, "ca_file: "));
    put(path, "x", 1, 0644);
    assert_true(config_check_files(config, &error));
    free(config->log_file);
    snprintf(path, sizeof path, "%s/no/such.log", folder);
    config->log_file = strdup(path);
    assert_false(config_check_files(config, &error));
    assert_non_null(strstr(error.message, "log_file: there is no folder "));
    free(config->log_file);
    snprintf(path, sizeof path, "%s/such.log", folder);
    config->log_file = strdup(path);
    assert_true(config_check_files(config, &error));
    snprintf(path, sizeof path, "%s/w2", folder);
    put(path, "x", 1, 0644);
    assert_false(config_check_files(config, &error));
    assert_non_null(strstr(error.message, "webhook_token_files: "));
    config_free(&config);
}

#define SECRET_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SECRET_TEST(a_secret_is_read_and_trimmed),
        SECRET_TEST(files_open_to_all_are_refused),
        SECRET_TEST(odd_files_are_refused),
        SECRET_TEST(public_keys_may_be_read_by_all_but_not_changed),
        SECRET_TEST(the_credentials_directory_comes_first),
        SECRET_TEST(the_configuration_s_secrets_are_checked),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
