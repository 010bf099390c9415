// SPDX-License-Identifier: Apache-2.0
// What the tests of deskbellctl's judging share. Included by test_doctor.c and test_desk.c after cmocka.
#pragma once
#include <string.h>

#include "ctl/findings.h"

// One finding was added with this verdict; every one that is not ok or unknown says what to do.
static inline void said(struct findings *findings, enum verdict verdict, const char *text)
{
    const struct finding *last = &findings->items[findings->count - 1];
    if (last->verdict != verdict || !strstr(last->text, text))
        fail_msg("said %d \"%s\" instead of %d \"%s\"", last->verdict, last->text, verdict, text);
    if (verdict == VERDICT_WARN || verdict == VERDICT_FAIL)
        assert_true(last->remedy[0] != '\0');
}
