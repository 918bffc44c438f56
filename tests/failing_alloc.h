/*
 * failing_alloc.h - memory that is counted and can fail: for a test program that is linked with
 * WRAP ${dpl_allocators} and includes this in one source. The library's own calls come through here;
 * what other libraries do inside goes by its own door.
 */
#ifndef DOPPEL_TESTS_FAILING_ALLOC_H
#define DOPPEL_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Allocations since it was last set to 0, the one of them that fails (0: none), and whether all after
 * that one fail, too. Threads share them. */
static _Atomic size_t n_allocations, fail_at;
static bool fail_on;

/* Count from here on, and let the nth fail; 0: none. */
static inline void fail_allocation(size_t nth)
{
    n_allocations = 0;
    fail_at = nth;
}

static inline bool allocation_fails(void)
{
    const size_t nth = ++n_allocations, at = fail_at;

    return at && (nth == at || (fail_on && nth > at));
}

#include "tests/failing_wraps.h"

#endif
