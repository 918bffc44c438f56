/* Checked memory: sizes are multiplied with overflow checks, failure is a DPL_E_MEMORY with the
 * size. */
#ifndef DOPPEL_BASE_MEM_H
#define DOPPEL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "doppel/error.h"

/** n * size bytes, uninitialised; NULL and err on overflow or failure. n = 0 gives a valid pointer.
 */
void *dpli_alloc(size_t n, size_t size, dpl_error *err);
/** As dpli_alloc, zeroed. */
void *dpli_calloc(size_t n, size_t size, dpl_error *err);
/** Grow or shrink; on failure the old block stays valid and NULL is returned. */
void *dpli_realloc(void *old, size_t n, size_t size, dpl_error *err);
/** Room for need items in an array that has room for *cap: items itself, or grown to at least twice
 * the room, with *cap saying how much. On failure the old block stays valid and NULL is returned.
 */
void *dpli_grow(void *items, size_t *cap, size_t need, size_t size, dpl_error *err);
/** 64-byte aligned n * size bytes for kernels; freed with free(). */
void *dpli_alloc_aligned(size_t n, size_t size, dpl_error *err);
/** Give back what is freed and malloc keeps for later, where that is more than most bytes. */
void dpli_mem_trim(size_t most);
/** Copy of a string. */
char *dpli_strdup(const char *s, dpl_error *err);
/** printf into fresh memory. */
char *dpli_asprintf(dpl_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** *out = a * b; false on overflow. */
static inline bool dpli_mul(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}
/** *out = a + b; false on overflow. */
static inline bool dpli_add(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif
