/*
 * scratch.c - the plans of one thread, kept by net and shape, and the one block that they all work
 * in.
 *
 * Photos come in few sizes, so the plan of the last ones is nearly always the plan of the next.
 * What a run works in is undefined before and after it, so the plans share it: a thread has as much
 * as its largest plan needs, however many sizes it has seen.
 */
#include "net/scratch.h"

#include <string.h>

#include "base/mem.h"
#include "net/net.h"
#include "net/plan.h"

#define DEFAULT_MAX_BYTES ((size_t)512 << 20)
#define MAX_PLANS         64

typedef struct entry {
    dpl_plan *plan;
    uint64_t net; /* its serial: the plans of one that was closed are for no other */
    dpl_shape shape;
    dpl_layout layout;
    uint64_t last_use;
} entry;

struct dpl_scratch {
    size_t max_bytes;
    dpli_block block;
    dpli_kept kept;
    size_t n_entries;
    uint64_t clock;
    entry entries[MAX_PLANS];
};

static void drop_plans(dpl_scratch *s)
{
    for (size_t i = 0; i < s->n_entries; i++)
        dpl_plan_free(s->entries[i].plan);
    s->n_entries = 0;
}

/* Give back all that is kept for later. */
static void empty(void *what)
{
    dpl_scratch *scratch = what;

    drop_plans(scratch);
    free(scratch->block.bytes);
    scratch->block = (dpli_block){0};
}

dpl_status dpl_scratch_new(dpl_scratch **out, size_t max_bytes, dpl_error *err)
{
    dpl_scratch *s = dpli_calloc(1, sizeof *s, err);

    *out = s;
    if (!s)
        return DPL_E_MEMORY;
    s->kept = (dpli_kept){.drop = empty, .what = s};
    s->max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_BYTES;
    return DPL_OK;
}

void dpl_scratch_free(dpl_scratch *scratch)
{
    if (!scratch)
        return;
    dpli_budget_forget(&scratch->kept);
    empty(scratch);
    free(scratch);
}

dpli_kept *dpli_scratch_kept(dpl_scratch *scratch)
{
    return &scratch->kept;
}

size_t dpli_scratch_bytes(const dpl_scratch *scratch)
{
    return scratch->block.n_bytes;
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

dpl_status dpli_scratch_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                             const dpl_shape *shape, dpl_layout layout, dpl_error *err)
{
    dpl_plan *plan;
    dpl_status status;

    dpli_budget_forget(&scratch->kept);
    for (size_t i = 0; i < scratch->n_entries; i++) {
        entry *e = &scratch->entries[i];
        if (e->net == net->serial && e->layout == layout && same_shape(&e->shape, shape)) {
            e->last_use = ++scratch->clock;
            *out = e->plan;
            return DPL_OK;
        }
    }
    *out = NULL;
    if (scratch->block.n_bytes > scratch->max_bytes)
        empty(scratch);
    scratch->block.moved = false;
    status = dpli_plan_new_in(&plan, &scratch->block, net, shape, layout, err);
    if (scratch->block.moved)
        drop_plans(scratch); /* they point to where it was */
    if (status != DPL_OK)
        return status;
    if (scratch->n_entries == MAX_PLANS)
        drop_oldest(scratch);
    scratch->entries[scratch->n_entries++] =
        (entry){plan, net->serial, *shape, layout, ++scratch->clock};
    *out = plan;
    return DPL_OK;
}
