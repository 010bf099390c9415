// SPDX-License-Identifier: Apache-2.0
// workers/rules: what is a number and what is not, and which rule wins.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "workers/customer.h"
#include "workers/rules.h"

static void is_money(const char *text, uint64_t cents)
{
    uint64_t read = 7;
    if (!rules_money(text, &read))
        fail_msg("refused: %s", text);
    if (read != cents)
        fail_msg("%s read as %llu cents", text, (unsigned long long)read);
}

static void is_no_money(const char *text)
{
    uint64_t read = 0;
    if (rules_money(text, &read))
        fail_msg("accepted: \"%s\" as %llu cents", text, (unsigned long long)read);
}

static void sums_as_shops_write_them(void **state)
{
    (void)state;
    is_money("149.90", 14990);
    is_money("149,90", 14990);
    is_money("149", 14900);
    is_money("0", 0);
    is_money("0.125", 13);
    is_money("12,50 €", 1250);
    is_money("€12.50", 1250);
    is_money("€ 12.50", 1250);
    is_money("12.50 EUR", 1250);
    is_money("USD 12.50", 1250);
    is_money("12,50\xc2\xa0€", 1250);
    is_money("R$ 9,90", 990);
    is_money("kr 99", 9900);
    is_money("kr. 99", 9900);
    is_money("99 kr.", 9900);
    is_money("1,234.50", 123450);
    is_money("1.234,50", 123450);
    is_money("1 234,50", 123450);
    is_money("1\xe2\x80\xaf"
             "234,50",
             123450);
    is_money("1'234.50", 123450);
    is_money("1.234.567", 123456700);
    is_money("1,234,567.8", 123456780);
    is_money("1 234", 123400);
    is_money("1234.567", 123457);
    is_money("  12  ", 1200);
    is_money("59.800000000000004", 5980); // sums of a page's script
    is_money("59.79999999999999715783", 5980);
    is_money("0.1234567", 12);
    is_money("007", 700);
}

static void sums_that_could_mean_two_things_or_nothing(void **state)
{
    static const char *const texts[] = {
        "",       " ",     "1.234", "1,234",     "-5",         "+5",      "1e3",         "0x10",
        "inf",    "nan",   "NaN",   "12.5.1",    "1,23,456",   "1.2,3.4", "12.",         ".5",
        "12,",    "€",     "€12€",  "EUR 5 EUR", "12 euro",    "5 eur",   "12 50",       "١٢",
        "12;50",  "1 2 3", "1'23",  "0,123.50",  "12,1234567", "5%",      "12,50 € <b>", "1.234'567.8",
        "twelve", "--",    "12-50", "EURO 5",    "1\n2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        is_no_money(texts[i]);
}

static void a_sum_beyond_reason_is_clamped(void **state)
{
    (void)state;
    is_money("99999999999999999999999999999999", RULES_MOST_CENTS);
    is_money("1000000000", RULES_MOST_CENTS);
    is_money("999999999.99", RULES_MOST_CENTS);
    is_money("999999999.98", RULES_MOST_CENTS - 1);
}

static void is_friction(const char *text, uint64_t value, bool clamped)
{
    uint64_t read = 7;
    bool was = false;
    if (!rules_friction(text, &read, &was))
        fail_msg("refused: %s", text);
    assert_int_equal(read, value);
    assert_int_equal(was, clamped);
}

static void friction_is_a_number_from_0_to_100(void **state)
{
    static const char *const texts[] = {"",    "high", "6O",  "1e2", "0x40", "nan", "inf",
                                        "60%", "6 0",  "--5", "5.",  ".5",   "+5"};
    uint64_t value;
    bool clamped;
    (void)state;
    is_friction("0", 0, false);
    is_friction("60", 60, false);
    is_friction(" 61.9 ", 61, false);
    is_friction("61,9", 61, false);
    is_friction("100", 100, false);
    is_friction("100.0", 100, false);
    is_friction("100.5", 100, true);
    is_friction("99999999999999999999", 100, true);
    is_friction("-3", 0, true);
    is_friction("-0", 0, false);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (rules_friction(texts[i], &value, &clamped))
            fail_msg("accepted: %s", texts[i]);
}

// ---- rules ----------------------------------------------------------------------------------------------------------

static char *high_tags[] = {"high-value"};

static struct config_priority rules[] = {
    {.name = "high-value",
     .has_min_cart_value = true,
     .min_cart_value = 200.0,
     .level = CONFIG_LEVEL_URGENT,
     .tags = {high_tags, 1},
     .group_id = 9},
    {.name = "struggling",
     .has_min_cart_value = true,
     .min_cart_value = 50.0,
     .has_min_friction = true,
     .min_friction = 60,
     .level = CONFIG_LEVEL_HIGH},
    {.name = "lost", .has_min_friction = true, .min_friction = 90, .level = CONFIG_LEVEL_URGENT},
};

static struct rules_result ruled(const char *cart, const char *friction)
{
    struct config config = {.priorities = rules, .priority_count = 3, .default_priority = CONFIG_LEVEL_MEDIUM};
    struct context context = customer_unknown();
    bool clamped;
    config.ticket.group_id = 5;
    context.cart_valid = rules_money(cart, &context.cart_cents);
    context.friction_valid = rules_friction(friction, &context.friction_value, &clamped);
    return rules_apply(&config, &context);
}

static void the_first_matching_rule_wins(void **state)
{
    (void)state;
    struct rules_result result = ruled("200.00", "95");
    assert_int_equal(result.priority, CONFIG_LEVEL_URGENT);
    assert_string_equal(result.rule, "high-value");
    assert_int_equal(result.group_id, 9);
    assert_int_equal(result.tag_count, 1);
    assert_string_equal(result.tags[0], "high-value");

    result = ruled("199.99", "60");
    assert_int_equal(result.priority, CONFIG_LEVEL_HIGH);
    assert_string_equal(result.rule, "struggling");
    assert_int_equal(result.group_id, 5);
    assert_int_equal(result.tag_count, 0);

    result = ruled("199.99", "59");
    assert_int_equal(result.priority, CONFIG_LEVEL_MEDIUM);
    assert_null(result.rule);
    assert_int_equal(result.group_id, 5);
}

static void what_is_no_number_raises_nothing(void **state)
{
    (void)state;
    assert_int_equal(ruled("a million", "very").priority, CONFIG_LEVEL_MEDIUM);
    assert_int_equal(ruled("1.234", "").priority, CONFIG_LEVEL_MEDIUM);
    assert_int_equal(ruled("", "60").priority, CONFIG_LEVEL_MEDIUM);
    assert_int_equal(ruled("-500", "60").priority, CONFIG_LEVEL_MEDIUM);
}

static void friction_alone_never_makes_a_ticket_urgent(void **state)
{
    (void)state;
    assert_int_equal(ruled("", "100").priority, CONFIG_LEVEL_HIGH);
    assert_int_equal(ruled("0", "90").priority, CONFIG_LEVEL_HIGH);
    // nor with a cart that may be empty
    struct config_priority any = {.name = "any",
                                  .has_min_cart_value = true,
                                  .has_min_friction = true,
                                  .min_friction = 90,
                                  .level = CONFIG_LEVEL_URGENT};
    struct config config = {.priorities = &any, .priority_count = 1, .default_priority = CONFIG_LEVEL_LOW};
    struct context context = customer_unknown();
    context.cart_valid = context.friction_valid = true;
    context.friction_value = 90;
    assert_int_equal(rules_apply(&config, &context).priority, CONFIG_LEVEL_HIGH);
}

static void a_cart_that_should_be_signed_and_is_not_makes_no_ticket_urgent(void **state)
{
    (void)state;
    struct config config = {.priorities = rules, .priority_count = 3, .default_priority = CONFIG_LEVEL_MEDIUM};
    struct context context = customer_unknown();
    context.cart_valid = true;
    context.cart_cents = 20000;
    for (unsigned proof = PROOF_UNASKED; proof <= PROOF_EXPIRED; proof++) {
        context.proof = proof;
        struct rules_result result = rules_apply(&config, &context);
        assert_string_equal(result.rule, "high-value");
        assert_int_equal(result.tag_count, 1);
        assert_int_equal(result.priority, proof <= PROOF_SIGNED ? CONFIG_LEVEL_URGENT : CONFIG_LEVEL_HIGH);
        assert_int_equal(customer_worth(&context), proof <= PROOF_SIGNED ? 20000 : 0);
    }
}

static void a_rule_is_new_once(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct context known = customer_unknown();
    const struct rules_result value = {.rule = "value", .priority = CONFIG_LEVEL_HIGH};
    const struct rules_result valu = {.rule = "valu", .priority = CONFIG_LEVEL_LOW};
    const struct rules_result none = {.priority = CONFIG_LEVEL_MEDIUM};
    assert_true(rules_is_new(&known, &value));
    assert_false(rules_is_new(&known, &none));
    rules_remember(arena, &known, &value);
    assert_false(rules_is_new(&known, &value));
    assert_true(rules_is_new(&known, &valu));
    rules_remember(arena, &known, &valu);
    rules_remember(arena, &known, &value);
    assert_string_equal(known.rules, "value\nvalu");
    assert_int_equal(known.priority, CONFIG_LEVEL_HIGH);
    // what no rule gave is not remembered: the rule that matches later is new, whatever its level
    const struct rules_result vip = {.rule = "vip", .priority = CONFIG_LEVEL_MEDIUM};
    known = customer_unknown();
    rules_remember(arena, &known, &none);
    assert_int_equal(known.priority, 0);
    assert_true(rules_is_new(&known, &vip));
    rules_remember(arena, &known, &vip);
    assert_false(rules_is_new(&known, &vip));
    // an older version's record names no rules, but what they gave
    known = customer_unknown();
    known.priority = CONFIG_LEVEL_HIGH;
    assert_false(rules_is_new(&known, &value));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_as_shops_write_them),
        cmocka_unit_test(sums_that_could_mean_two_things_or_nothing),
        cmocka_unit_test(a_sum_beyond_reason_is_clamped),
        cmocka_unit_test(friction_is_a_number_from_0_to_100),
        cmocka_unit_test(the_first_matching_rule_wins),
        cmocka_unit_test(what_is_no_number_raises_nothing),
        cmocka_unit_test(friction_alone_never_makes_a_ticket_urgent),
        cmocka_unit_test(a_cart_that_should_be_signed_and_is_not_makes_no_ticket_urgent),
        cmocka_unit_test(a_rule_is_new_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
