/*
 * tally.c - the distribution of very many numbers: counts by bucket, and the highest as they are.
 *
 * For the scores of all pairs of some thousand faces: hundreds of millions, of which the tail
 * matters most. Does not depend on the order in which numbers come, so that threads can each keep
 * one.
 */
#include "index/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A bucket holds the floats that have sign, exponent and the first ten bits of the fraction in
 * common. */
enum { BUCKET_BITS = 13, N_BUCKETS = 1 << (32 - BUCKET_BITS) };

/* Floats as whole numbers in the same order. */
static uint32_t rank_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits & UINT32_C(0x80000000) ? ~bits : bits | UINT32_C(0x80000000);
}

static float float_of(uint32_t rank)
{
    const uint32_t bits = rank & UINT32_C(0x80000000) ? rank & UINT32_C(0x7FFFFFFF) : ~rank;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

dpl_status dpli_tally_init(dpli_tally *tally, dpl_error *err)
{
    *tally = (dpli_tally){.floor = -INFINITY};
    tally->buckets = dpli_calloc(N_BUCKETS, sizeof *tally->buckets, err);
    tally->top = dpli_alloc((size_t)2 * DPLI_TALLY_TOP, sizeof *tally->top, err);
    if (tally->buckets && tally->top)
        return DPL_OK;
    dpli_tally_clear(tally);
    return DPL_E_MEMORY;
}

void dpli_tally_clear(dpli_tally *tally)
{
    free(tally->buckets);
    free(tally->top);
    *tally = (dpli_tally){0};
}

/* Bring the k highest of n to the front, in any order (Hoare's selection). */
static void keep_highest(float *x, size_t n, size_t k)
{
    size_t from = 0, to = n;

    while (to - from > 1) {
        const float pivot = x[from + (to - from - 1) / 2]; /* never the last */
        size_t i = from, j = to - 1;

        for (;;) {
            while (x[i] > pivot)
                i++;
            while (x[j] < pivot)
                j--;
            if (i >= j)
                break;
            const float swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        /* x[from .. j] >= pivot >= x[j + 1 .. to - 1], and both are shorter than before. */
        if (k <= j)
            to = j + 1;
        else
            from = j + 1;
        if (from >= k)
            break;
    }
}

static void prune(dpli_tally *tally)
{
    float floor = INFINITY;

    keep_highest(tally->top, tally->n_top, DPLI_TALLY_TOP);
    tally->n_top = DPLI_TALLY_TOP;
    for (size_t i = 0; i < tally->n_top; i++)
        floor = fminf(floor, tally->top[i]);
    tally->floor = floor;
}

static void offer(dpli_tally *tally, float x)
{
    if (!(x > tally->floor))
        return;
    if (tally->n_top == (size_t)2 * DPLI_TALLY_TOP)
        prune(tally);
    tally->top[tally->n_top++] = x;
}

void dpli_tally_add(dpli_tally *tally, float x)
{
    tally->n++;
    if (isnan(x))
        return;
    x += 0.0F; /* of the two zeros the one */
    tally->buckets[rank_of(x) >> BUCKET_BITS]++;
    offer(tally, x);
}

void dpli_tally_merge(dpli_tally *into, const dpli_tally *from)
{
    into->n += from->n;
    for (size_t i = 0; i < N_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    for (size_t i = 0; i < from->n_top; i++)
        offer(into, from->top[i]);
}

static int falling(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

void dpli_tally_close(dpli_tally *tally)
{
    if (tally->n_top > DPLI_TALLY_TOP)
        prune(tally);
    qsort(tally->top, tally->n_top, sizeof *tally->top, falling);
}

bool dpli_tally_point(float *at, const dpli_tally *tally, double share)
{
    const double most = share * (double)tally->n;
    uint64_t above = 0;
    size_t k;

    if (most < (double)tally->n_top) {
        /* top[k] is one too many: what is above it, of equal ones all or none. */
        k = (size_t)most;
        while (k > 0 && tally->top[k - 1] == tally->top[(size_t)most])
            k--;
        if (k > 0)
            *at = tally->top[k - 1];
        return k > 0;
    }
    for (size_t i = N_BUCKETS; i-- > 0;) {
        above += tally->buckets[i];
        if ((double)above > most) {
            *at = float_of((uint32_t)(i + 1) << BUCKET_BITS);
            return i + 1 < N_BUCKETS && isfinite(*at);
        }
    }
    return false;
}

uint64_t dpli_tally_count(const dpli_tally *tally, float at)
{
    uint64_t n = 0;

    if (tally->n_top > 0 && at > tally->top[tally->n_top - 1]) {
        while (n < tally->n_top && tally->top[n] >= at)
            n++;
        return n;
    }
    for (size_t i = rank_of(at) >> BUCKET_BITS; i < N_BUCKETS; i++)
        n += tally->buckets[i];
    return n;
}
