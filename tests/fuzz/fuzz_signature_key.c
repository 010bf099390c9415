// SPDX-License-Identifier: Apache-2.0
// Fuzzes what reads keys, signatures and credentials: any bytes as a pasted key, as X-Freshchat-Signature, and as the
// two headers that carry a token. Nothing of it may verify, and a key that is taken must be one that can be used.
#include <stdlib.h>
#include <string.h>

#include "http-front/intake/signature.h"
#include "http-front/intake/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char known_key[] = "-----BEGIN RSA PUBLIC KEY----- "
                                "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuGJLF4hTTtxWogT6dNkGf3CEgLAR2mGJzlds5cNbrH"
                                "FoJNFnmVhkRYGzLYxx4EtDiezNCZVHfyMI2A"
                                "KuNSQW2fEdDatVIG+q3Zr/X9eeDl8kQOGy804J/"
                                "fgCYDrN8RQu0n5Dh1inv4puca0wb29SCvoAwrWb33ehDBIvv6+rUKBdjtv2xTV65kNiVDo5VRCaYRVeE10o"
                                "sxeONgw55HVY4nczuxnR+dmc2282de6WHe5LXtr0ZBdJ8yttFOLIluZ/"
                                "sNM5DIWZBkIWQhyT581tbA7bTpsIbrT/IMBlmioIILw8WGtI7zcmNkjU5dnq5HnlVK"
                                "EDhj/Ug/dLiyno8+Vp7QIDAQAB -----END RSA PUBLIC KEY-----";

static void must(bool truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct signature_keys *known; // made once: checking a key's numbers takes longer than all the rest
    static struct tokens *tokens;
    char why[128] = "";
    if (!known) {
        known = signature_keys_new();
        tokens = tokens_new();
        must(signature_keys_add(known, "known", known_key, strlen(known_key), why, sizeof why));
        must(tokens_add(tokens, "t", "\x01 not to be guessed \x02", 21));
    }
    struct signature_keys *keys = signature_keys_new();
    bool taken = signature_keys_add(keys, "key", (const char *)data, size, why, sizeof why);
    must(signature_keys_count(keys) == taken && taken == !*why);

    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    must(signature_verify(keys, text, "body", 4, 1) != SIGNATURE_RIGHT);
    enum signature_result result = signature_verify(known, text, "body", 4, 1);
    must(result != SIGNATURE_RIGHT && (*text || result == SIGNATURE_MISSING));
    must(tokens_check(tokens, text, NULL, 1) != TOKENS_RIGHT);
    must(tokens_check(tokens, NULL, text, 1) != TOKENS_RIGHT);
    signature_keys_free(&keys);
    free(text);
    return 0;
}
