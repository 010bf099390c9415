// SPDX-License-Identifier: Apache-2.0
// The admin listener's pages, in its own threads, so that probes are answered while all webhook threads are busy.
#include "http-front/intake/pages.h"

#include <stdlib.h>
#include <string.h>

#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "http-front/admin/status.h"

static void answer_owned(struct request *request, int status, const char *type, char *text)
{
    request_answer(request, status, type, NULL, text, strlen(text));
    free(text);
}

static void page_healthz(struct request *request)
{
    request_answer(request, 200, "text/plain; charset=utf-8", NULL, "ok", 2);
}

static void page_readyz(struct request *request)
{
    bool ready;
    char *text = health_json(&ready);
    answer_owned(request, ready ? 200 : 503, "application/json", text);
}

static void page_metrics(struct request *request)
{
    answer_owned(request, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_render());
}

static void page_status(struct request *request)
{
    answer_owned(request, 200, "application/json", status_latest());
}

static const struct {
    const char *path;
    void (*page)(struct request *request);
} pages[] = {
    {"/healthz", page_healthz},
    {"/readyz", page_readyz},
    {"/metrics", page_metrics},
    {"/status", page_status},
};

void pages_handle(void *arg, struct request *request)
{
    (void)arg;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(request_path(request), pages[i].path))
            continue;
        if (request_is(request, "GET") || request_is(request, "HEAD"))
            pages[i].page(request);
        else
            request_refuse(request, 405, "Allow: GET, HEAD\r\n", "only GET is served here");
        return;
    }
    request_refuse(request, 404, NULL, "not found");
}
