/*
 * clock.c - time that only goes forward, whatever the date is set to.
 */
#include "base/clock.h"

#include <time.h>

double dpli_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
