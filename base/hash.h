/* SHA-256 (FIPS 180-4), for naming content; and a fast 64-bit sum, for noticing damage. */
#ifndef DOPPEL_BASE_HASH_H
#define DOPPEL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/* A digest in the making: begun with init, ended with hex, which says whether all of it went well.
 */
typedef struct dpli_sha256 {
    void *ctx; /* NULL: something failed, and the rest does nothing */
} dpli_sha256;

void dpli_sha256_init(dpli_sha256 *s);
void dpli_sha256_add(dpli_sha256 *s, const void *bytes, size_t n);
/** 64 lower-case hex digits and a NUL; frees what init took. DPL_E_MEMORY: hex is "". */
dpl_status dpli_sha256_hex(dpli_sha256 *s, char hex[65], dpl_error *err);
/** All of it in one call. */
dpl_status dpli_sha256_of(char hex[65], const void *bytes, size_t n, dpl_error *err);

/** XXH64: not cryptographic; several GB/s. Continue a sum by passing it as seed. */
uint64_t dpli_sum64(uint64_t seed, const void *bytes, size_t n);

#endif
