// SPDX-License-Identifier: Apache-2.0
// The admin listener's pages, in its own threads, so that probes are answered while all webhook threads are busy; and
// the widget's, in the webhook listener's.
#include "http-front/intake/pages.h"

#include <stdio.h>
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

bool pages_public(const struct widget *widget, struct request *request)
{
    const struct widget_page *page = widget_find(widget, request_path(request));
    if (!page)
        return false;
    if (!request_is(request, "GET") && !request_is(request, "HEAD")) {
        request_refuse(request, 405, "Allow: GET, HEAD\r\n", "only GET is served here");
        return true;
    }
    char extra[512];
    int length = snprintf(extra, sizeof extra, "ETag: %s\r\n%s", page->etag, page->headers);
    if (length < 0 || (size_t)length >= sizeof extra)
        abort();
    // A list of tags, perhaps marked weak by a proxy: found anywhere in it is found, since ours is a hash in quotes.
    const char *known = request_header(request, "If-None-Match");
    bool same = known && (strstr(known, page->etag) || !strcmp(known, "*"));
    request_answer(request, same ? 304 : 200, page->type, extra, page->text, page->size);
    return true;
}
