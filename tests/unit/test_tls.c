// SPDX-License-Identifier: Apache-2.0
// Whom the worker's client believes: a server on loopback with a certificate nobody signed, then the same certificate
// as ca_file, then one that is trusted but for another name. The key must not reach a server that is not believed.
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "proto/clock.h"
#include "upstream/client.h"

struct server {
    SSL_CTX *context;
    int listener, port;
    pthread_t thread;
    atomic_int connections, requests;
};

static EVP_PKEY *key;

static X509 *certificate_for(const char *names)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"deskbell test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    assert_non_null(extension);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void serve_one(struct server *server, int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                                 "Connection: close\r\n\r\n{}";
    char text[4096];
    SSL *ssl = SSL_new(server->context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, text, sizeof text) > 0) {
        atomic_fetch_add(&server->requests, 1);
        SSL_write(ssl, answer, sizeof answer - 1);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void *serve(void *arg)
{
    struct server *server = arg;
    for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0; close(fd)) {
        const struct timeval patience = {.tv_sec = 5};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        atomic_fetch_add(&server->connections, 1);
        serve_one(server, fd);
    }
    return NULL;
}

static void server_open(struct server *server, X509 *certificate)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct server){.context = SSL_CTX_new(TLS_server_method())};
    assert_int_equal(SSL_CTX_use_certificate(server->context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server->context, key), 1);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_close(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR); // ends accept
    pthread_join(server->thread, NULL);
    close(server->listener);
    SSL_CTX_free(server->context);
}

struct heard {
    int calls;
    long status;
    bool sent;
    char problem[600];
};

static void note(void *context, const struct client_result *result)
{
    struct heard *out = context;
    out->calls++;
    out->status = result->response.status;
    out->sent = result->sent;
    snprintf(out->problem, sizeof out->problem, "%s", result->response.problem ? result->response.problem : "");
}

// One GET with that ca_file ("": the system's certificates).
static struct heard ask(const struct server *server, const char *ca_file)
{
    char url[100], why[300] = "", none[] = "", *ca = strdup(ca_file);
    struct heard out = {0};
    struct config config = {0};
    snprintf(url, sizeof url, "https://127.0.0.1:%d/v2", server->port);
    config.freshchat.api_url = config.freshdesk.api_url = url;
    config.freshchat.proxy = config.freshdesk.proxy = none;
    config.freshchat.ca_file = config.freshdesk.ca_file = ca;
    config.workers.in_flight = 4;
    config.timing.connect_timeout_ms = 5000;
    config.timing.request_timeout_ms = 8000;
    struct keys *keys = keys_new("chat-token", "desk-key", NULL);
    struct client *client = client_new(&config, keys, why, sizeof why);
    assert_string_equal(why, "");
    assert_true(client_call(client, STEP_READ,
                            &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = "/ok"}, note,
                            &out, why, sizeof why));
    for (int64_t until_ms = clock_mono_ms() + 15000; !out.calls && clock_mono_ms() < until_ms;) {
        struct pollfd item = {client_fd(client), POLLIN, 0};
        poll(&item, 1, 100);
        client_ready(client);
    }
    assert_int_equal(out.calls, 1);
    client_free(&client);
    keys_free(&keys);
    free(ca);
    return out;
}

static void save(X509 *certificate, char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
}

static void refused(const struct server *server, const char *ca_file)
{
    struct heard out = ask(server, ca_file);
    assert_int_equal(out.status, 0);
    assert_false(out.sent);
    assert_true(strlen(out.problem) > 0);
    assert_int_equal(server->requests, 0); // no key has left
    assert_true(server->connections > 0);
}

static void a_certificate_nobody_signed_is_refused_until_it_is_the_ca_file(void **state)
{
    (void)state;
    char path[] = "/tmp/deskbell-ca.XXXXXX";
    struct server server;
    X509 *certificate = certificate_for("IP:127.0.0.1");
    save(certificate, path);
    server_open(&server, certificate);
    refused(&server, "");
    struct heard out = ask(&server, path);
    assert_int_equal(out.status, 200);
    assert_int_equal(server.requests, 1);
    server_close(&server);
    X509_free(certificate);
    unlink(path);
}

static void a_trusted_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/deskbell-ca.XXXXXX";
    struct server server;
    X509 *certificate = certificate_for("DNS:acme.freshdesk.com");
    save(certificate, path);
    server_open(&server, certificate);
    refused(&server, path);
    server_close(&server);
    X509_free(certificate);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_nobody_signed_is_refused_until_it_is_the_ca_file),
        cmocka_unit_test(a_trusted_certificate_for_another_name_is_refused),
    };
    signal(SIGPIPE, SIG_IGN);
    key = EVP_EC_gen("P-256");
    assert_non_null(key);
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    EVP_PKEY_free(key);
    return result;
}
