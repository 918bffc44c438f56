/*
 * hash.c - SHA-256 by libcrypto, XXH64 by libxxhash.
 */
#include "base/hash.h"

#include <stdbool.h>

#include <openssl/evp.h>
#include <xxhash.h>

#include "base/fail.h"

void dpli_sha256_init(dpli_sha256 *s)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    s->ctx = ctx;
}

void dpli_sha256_add(dpli_sha256 *s, const void *bytes, size_t n)
{
    if (s->ctx && EVP_DigestUpdate(s->ctx, bytes, n) != 1) {
        EVP_MD_CTX_free(s->ctx);
        s->ctx = NULL;
    }
}

dpl_status dpli_sha256_hex(dpli_sha256 *s, char hex[65], dpl_error *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[32];
    unsigned n = 0;
    const bool done =
        s->ctx && EVP_DigestFinal_ex(s->ctx, digest, &n) == 1 && n == sizeof digest;

    EVP_MD_CTX_free(s->ctx);
    s->ctx = NULL;
    hex[0] = '\0';
    if (!done)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for a SHA-256");
    for (size_t i = 0; i < 64; i++)
        hex[i] = digits[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    hex[64] = '\0';
    return DPL_OK;
}

dpl_status dpli_sha256_of(char hex[65], const void *bytes, size_t n, dpl_error *err)
{
    dpli_sha256 s;

    dpli_sha256_init(&s);
    dpli_sha256_add(&s, bytes, n);
    return dpli_sha256_hex(&s, hex, err);
}

uint64_t dpli_sum64(uint64_t seed, const void *bytes, size_t n)
{
    return XXH64(bytes, n, seed);
}
