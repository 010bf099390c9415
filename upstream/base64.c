// SPDX-License-Identifier: Apache-2.0
// EVP_DecodeBlock forgives much, so its result is encoded again and compared.
#include "upstream/base64.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

long base64_decode(const char *text, size_t size, unsigned char *out)
{
    if (!size || size % 4 || size > BASE64_MAX_TEXT)
        return -1;
    int decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)size);
    if (decoded < 0)
        return -1;
    size_t padding = text[size - 1] != '=' ? 0 : text[size - 2] != '=' ? 1 : 2;
    if ((size_t)decoded != size / 4 * 3)
        return -1;
    size_t bytes = (size_t)decoded - padding;
    unsigned char *again = malloc(BASE64_TEXT_BYTES(bytes) + 1);
    if (!again)
        abort();
    int length = EVP_EncodeBlock(again, out, (int)bytes);
    bool same = (size_t)length == size && !memcmp(again, text, size);
    free(again);
    return same ? (long)bytes : -1;
}
