// SPDX-License-Identifier: Apache-2.0
// What a step does with an answer that means nothing special to it. Runs in the worker's one thread.
#include "workers/step.h"

void answers_default(const struct job_context *context, const struct response *response, struct report *report)
{
    const struct step_info *info = steps_info(context->job->step);
    bool write = info && info->kind == STEP_WRITE;
    switch (response->answer) {
    case ANSWER_OK: // the step came here because the JSON has not the shape it needs
        report->outcome = write ? OUTCOME_DOUBT : OUTCOME_RETRY;
        report->cause = "the answer was JSON of an unexpected shape";
        return;
    case ANSWER_DOUBT:
        report->outcome = write ? OUTCOME_DOUBT : OUTCOME_RETRY;
        break;
    case ANSWER_REFUSED:
    case ANSWER_NOT_FOUND:
        report->outcome = OUTCOME_REFUSED;
        break;
    case ANSWER_RETRY:
    case ANSWER_AUTH: // the message is fine: it waits until somebody has put the key right
    default:
        report->outcome = OUTCOME_RETRY;
        break;
    }
    report->cause = response->problem ? response->problem : "no reason was given";
}
