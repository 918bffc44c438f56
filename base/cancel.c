/*
 * cancel.c - the one place where the flag that stops a long call is raised and read.
 *
 * The flag is a plain int in the public headers, which are C99 and C++, and another thread or a
 * signal handler raises it: both sides go through the compiler's atomics, on every platform one
 * instruction. Release and acquire, so that what was written before raising it is seen by who
 * stops.
 */
#include "base/cancel.h"

#include <stddef.h>

#include "doppel/cancel.h"

void dpl_cancel(volatile int *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

bool dpli_cancelled(const volatile int *flag)
{
    return flag != NULL && __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0;
}
