// SPDX-License-Identifier: Apache-2.0
// Look-ups in the table of answers. Pure; any thread.
#include "http-front/intake/answers.h"

#include <assert.h>
#include <stddef.h>

static const struct {
    int status;
    const char *word;
    const char *sentence;
} rows[ANSWERS] = {
#define ANSWERS_ROW(name, status, word, sentence) {status, word, sentence},
    ANSWERS_TABLE(ANSWERS_ROW)
#undef ANSWERS_ROW
};

int answer_status(enum answer answer)
{
    assert((unsigned)answer < ANSWERS);
    return rows[answer].status;
}

const char *answer_word(enum answer answer)
{
    assert((unsigned)answer < ANSWERS);
    return rows[answer].word;
}

const char *answer_sentence(enum answer answer)
{
    assert((unsigned)answer < ANSWERS);
    return rows[answer].sentence;
}
