/* SHA-256 (FIPS 180-4), for naming content; and a fast 64-bit sum, for noticing damage. */
#ifndef DOPPEL_BASE_HASH_H
#define DOPPEL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct dpli_sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t block[64];
} dpli_sha256;

void dpli_sha256_init(dpli_sha256 *s);
void dpli_sha256_add(dpli_sha256 *s, const void *bytes, size_t n);
/** 64 lower-case hex digits and a NUL. */
void dpli_sha256_hex(dpli_sha256 *s, char hex[65]);
/** All of it in one call. */
void dpli_sha256_of(char hex[65], const void *bytes, size_t n);

/** Not cryptographic; several GB/s. Continue a sum by passing it as seed. */
uint64_t dpli_sum64(uint64_t seed, const void *bytes, size_t n);

#endif
