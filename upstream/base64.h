// SPDX-License-Identifier: Apache-2.0
// Strict base64. Pure functions, any thread.
#ifndef UPSTREAM_BASE64_H
#define UPSTREAM_BASE64_H
#include <stddef.h>

enum { BASE64_MAX_TEXT = 16384 };
#define BASE64_TEXT_BYTES(bytes) (((bytes) + 2) / 3 * 4)

/**
 * Decodes standard base64 with padding, and nothing that only looks like it: no white space, no characters after the
 * padding, no unused bits set. Returns the number of bytes, or -1. `out` has room for size / 4 * 3 bytes.
 */
long base64_decode(const char *text, size_t size, unsigned char *out) __attribute__((warn_unused_result));
#endif
