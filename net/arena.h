/* Placing what is alive for a time in one block of memory: for plans and for tapes. */
#ifndef DOPPEL_NET_ARENA_H
#define DOPPEL_NET_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/* A stretch of the block, alive from one tick to another, both included; never, and without a
 * place, when first is behind last. */
typedef struct dpli_stretch {
    size_t n_bytes;
    int32_t first, last;
    size_t offset; /* out; a multiple of 64 */
} dpli_stretch;

/** Give each stretch its offset, so that two share memory only when they are never alive together.
 * @param[out] total  bytes of the block, a multiple of 64; SIZE_MAX when they cannot be counted
 * @retval DPL_E_MEMORY  none left for the work itself */
dpl_status dpli_arena_place(dpli_stretch *stretches, int32_t n, size_t *total, dpl_error *err);

#endif
