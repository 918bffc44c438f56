/*
 * scratch.c - the plans of one thread, kept by net and shape.
 *
 * Photos come in few sizes, so the plan of the last ones is nearly always the plan of the next. The
 * least recently used go first when the bound is reached; the plan asked for is always kept,
 * however large.
 */
#include "net/scratch.h"

#include <string.h>

#include "base/mem.h"

#define DEFAULT_MAX_BYTES ((size_t)512 << 20)
#define MAX_PLANS         64

typedef struct entry {
    dpl_plan *plan;
    const dpl_net *net;
    dpl_shape shape;
    dpl_layout layout;
    uint64_t last_use;
} entry;

struct dpl_scratch {
    size_t max_bytes;
    size_t n_entries;
    uint64_t clock;
    entry entries[MAX_PLANS];
};

dpl_status dpl_scratch_new(dpl_scratch **out, size_t max_bytes, dpl_error *err)
{
    dpl_scratch *s = dpli_calloc(1, sizeof *s, err);

    *out = s;
    if (!s)
        return DPL_E_MEMORY;
    s->max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_BYTES;
    return DPL_OK;
}

void dpl_scratch_free(dpl_scratch *scratch)
{
    if (!scratch)
        return;
    for (size_t i = 0; i < scratch->n_entries; i++)
        dpl_plan_free(scratch->entries[i].plan);
    free(scratch);
}

static bool same_shape(const dpl_shape *a, const dpl_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

static void drop_oldest(dpl_scratch *s)
{
    size_t oldest = 0;

    for (size_t i = 1; i < s->n_entries; i++)
        if (s->entries[i].last_use < s->entries[oldest].last_use)
            oldest = i;
    dpl_plan_free(s->entries[oldest].plan);
    s->entries[oldest] = s->entries[--s->n_entries];
}

static size_t bytes_held(const dpl_scratch *s)
{
    size_t sum = 0;

    for (size_t i = 0; i < s->n_entries; i++)
        sum += dpl_plan_bytes(s->entries[i].plan);
    return sum;
}

dpl_status dpli_scratch_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                             const dpl_shape *shape, dpl_layout layout, dpl_error *err)
{
    dpl_plan *plan;
    dpl_status status;

    for (size_t i = 0; i < scratch->n_entries; i++) {
        entry *e = &scratch->entries[i];
        if (e->net == net && e->layout == layout && same_shape(&e->shape, shape)) {
            e->last_use = ++scratch->clock;
            *out = e->plan;
            return DPL_OK;
        }
    }
    *out = NULL;
    status = dpl_plan_new(&plan, net, shape, layout, err);
    if (status != DPL_OK)
        return status;
    while (scratch->n_entries > 0 &&
           (scratch->n_entries == MAX_PLANS ||
            bytes_held(scratch) + dpl_plan_bytes(plan) > scratch->max_bytes))
        drop_oldest(scratch);
    scratch->entries[scratch->n_entries++] = (entry){plan, net, *shape, layout, ++scratch->clock};
    *out = plan;
    return DPL_OK;
}
