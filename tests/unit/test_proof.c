// SPDX-License-Identifier: Apache-2.0
// workers/proof: what the shop's server signs, checked against signatures that the openssl command made:
//   printf 'deskbell-cart-1\n%s\n%s\n%s\n%s' 1764000000 349.90 EUR https://shop.example/cart/8d1 |
//       openssl dgst -sha256 -hmac 'correct horse battery staple'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/proof.h"

#define KEY     "correct horse battery staple"
#define HEX     "7263df78a35bd808073beef1cb2e49ba031b9f4d7d52657076ae45538dd6f2f7"
#define PROOF   "1.1764000000." HEX
#define EXPIRES UINT64_C(1764000000000)
#define URL     "https://shop.example/cart/8d1"

static enum proof_verdict judged(const char *key, const char *proof, const char *value, const char *currency,
                                 const char *url, uint64_t now_ms)
{
    struct arena *arena = arena_new();
    struct proof_key *made = proof_key_new(key);
    enum proof_verdict verdict = proof_judge(made, arena, proof, value, currency, url, now_ms);
    proof_key_free(&made);
    assert_null(made);
    arena_free(&arena);
    return verdict;
}

static void what_openssl_signed_is_good(void **state)
{
    (void)state;
    assert_int_equal(judged(KEY, PROOF, "349.90", "EUR", URL, EXPIRES - 1000), PROOF_GOOD);
    // what is missing counts as empty
    assert_int_equal(judged(KEY, "1.1764000000.4905dcaa6fc57050db37f9890a9e0e7337bd97222227e86f87429b80888362d4", "5",
                            "", "", EXPIRES),
                     PROOF_GOOD);
}

static void it_holds_until_its_time_is_over(void **state)
{
    (void)state;
    assert_int_equal(judged(KEY, PROOF, "349.90", "EUR", URL, EXPIRES + 999), PROOF_GOOD);
    assert_int_equal(judged(KEY, PROOF, "349.90", "EUR", URL, EXPIRES + 1000), PROOF_OVER);
    assert_int_equal(judged(KEY, PROOF, "349.90", "EUR", URL, 0), PROOF_GOOD); // nobody knows the time
}

static void it_holds_for_nothing_else(void **state)
{
    (void)state;
    const uint64_t now = EXPIRES - 1000;
    assert_int_equal(judged(KEY, PROOF, "349.91", "EUR", URL, now), PROOF_WRONG);
    assert_int_equal(judged(KEY, PROOF, "349.9", "EUR", URL, now), PROOF_WRONG);
    assert_int_equal(judged(KEY, PROOF, "349.90", "USD", URL, now), PROOF_WRONG);
    assert_int_equal(judged(KEY, PROOF, "349.90", "", URL, now), PROOF_WRONG);
    assert_int_equal(judged(KEY, PROOF, "349.90", "EUR", URL "0", now), PROOF_WRONG);
    assert_int_equal(judged("correct horse battery staplf", PROOF, "349.90", "EUR", URL, now), PROOF_WRONG);
    // words moved over a border, under the same bytes
    assert_int_equal(judged(KEY, PROOF, "349.90\nEUR", URL, "", now), PROOF_WRONG);
    assert_int_equal(judged(KEY, PROOF, "349.90", "EUR\n" URL, "", now), PROOF_WRONG);
}

static void what_is_not_of_its_form_is_wrong(void **state)
{
    static const char *const proofs[] = {
        "",
        "1.",
        "1..",
        HEX,
        "1.1764000000",
        "1.1764000000.",
        "2.1764000000." HEX,
        "1.1764000001." HEX,
        "1.-1764000000." HEX,
        "1.+1764000000." HEX,
        "1. 1764000000." HEX,
        "1.1764000000." HEX "0",
        "1.1764000000." HEX " ",
        " 1.1764000000." HEX,
        "1.1764000000.7263DF78A35BD808073BEEF1CB2E49BA031B9F4D7D52657076AE45538DD6F2F7",
        "1.1764000000.7263df78a35bd808073beef1cb2e49ba031b9f4d7d52657076ae45538dd6f2f",
        "1.1764000000.7263df78a35bd808073beef1cb2e49ba031b9f4d7d52657076ae45538dd6f2fg",
        "1.01764000000." HEX,
        "1.0000001764000000." HEX,
    };
    (void)state;
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++)
        if (judged(KEY, proofs[i], "349.90", "EUR", URL, EXPIRES - 1000) != PROOF_WRONG)
            fail_msg("taken: \"%s\"", proofs[i]);
}

static bool reads(const char *contents, mode_t mode, struct proof_key **key, char why[300])
{
    char path[] = "/tmp/dbproof.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, contents, strlen(contents)), (ssize_t)strlen(contents));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    struct config config = {.widget.context_key_file = path};
    bool ok = proof_key_read(&config, key, why, 300);
    unlink(path);
    return ok;
}

static void the_key_is_read_from_its_file(void **state)
{
    char why[300] = "";
    char none[] = "";
    struct config without = {.widget.context_key_file = none};
    struct proof_key *key = NULL;
    (void)state;
    assert_true(proof_key_read(&without, &key, why, sizeof why));
    assert_null(key);
    assert_true(reads(KEY "\n", 0640, &key, why));
    struct arena *arena = arena_new();
    assert_int_equal(proof_judge(key, arena, PROOF, "349.90", "EUR", URL, EXPIRES), PROOF_GOOD);
    arena_free(&arena);
    proof_key_free(&key);
    assert_false(reads("tooshort\n", 0600, &key, why));
    assert_null(key);
    assert_non_null(strstr(why, "openssl rand -hex 32"));
    assert_null(strstr(why, "tooshort"));
    assert_false(reads("correct horse\nbattery staple\n", 0600, &key, why));
    assert_false(reads(KEY, 0644, &key, why));
    assert_non_null(strstr(why, "chmod 0640"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_openssl_signed_is_good),   cmocka_unit_test(it_holds_until_its_time_is_over),
        cmocka_unit_test(it_holds_for_nothing_else),     cmocka_unit_test(what_is_not_of_its_form_is_wrong),
        cmocka_unit_test(the_key_is_read_from_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
