/*
 * scratch.c - the plans of one thread, kept by net and shape, and the one block that they all work
 * in.
 *
 * Photos come in few sizes, so the plan of the last ones is nearly always the plan of the next.
 * Sentences come in as many lengths as there are: those used last are kept, so many and so large as
 * the limits below allow.
 * What a run works in is undefined before and after it, so the plans share it: a thread has as much
 * as its largest plan needs, however many sizes it has seen.
 */
#include "net/scratch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/net.h"
#include "net/plan.h"

#define DEFAULT_MAX_BYTES ((size_t)512 << 20)
#define MAX_PLANS         64
#define MAX_PLAN_BYTES    ((size_t)16 << 20) /* of them all, the block left out */

typedef struct entry {
    dpl_plan *plan;
    uint64_t net;      /* its serial: the plans of one that was closed are for no other */
    dpl_shape *shapes; /* one a net input */
    int32_t n_shapes;
    dpl_layout layout;
    bool supplied;
    size_t n_bytes; /* of the plan itself */
    uint64_t last_use;
} entry;

struct dpl_scratch {
    size_t max_bytes;
    dpli_block block;
    dpli_team *team; /* that its plans run on; NULL for none */
    dpli_kept kept;
    size_t n_entries, n_plan_bytes;
    uint64_t clock;
    entry entries[MAX_PLANS];
};

static void drop(dpl_scratch *s, size_t i)
{
    dpl_plan_free(s->entries[i].plan);
    free(s->entries[i].shapes);
    s->n_plan_bytes -= s->entries[i].n_bytes;
    s->entries[i] = s->entries[--s->n_entries];
}

static void drop_plans(dpl_scratch *s)
{
    while (s->n_entries > 0)
        drop(s, s->n_entries - 1);
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
    dpli_team_free(scratch->team);
    free(scratch);
}

dpl_status dpl_scratch_set_threads(dpl_scratch *scratch, int32_t n_threads, dpl_error *err)
{
    dpli_team *team = NULL;
    dpl_status status = DPL_OK;

    if (n_threads != 1)
        status = dpli_team_new(&team, n_threads, err);
    if (status != DPL_OK)
        return status;
    dpli_budget_forget(&scratch->kept);
    empty(scratch);
    dpli_team_free(scratch->team);
    scratch->team = team;
    return DPL_OK;
}

dpli_kept *dpli_scratch_kept(dpl_scratch *scratch)
{
    return &scratch->kept;
}

size_t dpli_scratch_bytes(const dpl_scratch *scratch)
{
    return scratch->block.n_bytes;
}

size_t dpli_scratch_n_plans(const dpl_scratch *scratch)
{
    return scratch->n_entries;
}

static bool is_for(const entry *e, const dpl_net *net, const dpl_shape *shapes, dpl_layout layout,
                   bool supplied)
{
    bool same = e->net == net->serial && e->layout == layout && e->supplied == supplied;

    for (int32_t i = 0; i < e->n_shapes && same; i++)
        same = dpli_shape_equal(&e->shapes[i], &shapes[i]);
    return same;
}

static void drop_oldest(dpl_scratch *s)
{
    size_t oldest = 0;

    for (size_t i = 1; i < s->n_entries; i++)
        if (s->entries[i].last_use < s->entries[oldest].last_use)
            oldest = i;
    drop(s, oldest);
}

static dpl_status find_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                            const dpl_shape *input_shapes, dpl_layout layout, bool supplied,
                            dpl_error *err)
{
    const size_t n_shapes = (size_t)net->graph.n_inputs;
    dpl_shape *shapes;
    dpl_plan *plan;
    size_t n_bytes;
    dpl_status status;

    dpli_budget_forget(&scratch->kept);
    for (size_t i = 0; i < scratch->n_entries; i++) {
        entry *e = &scratch->entries[i];
        if (is_for(e, net, input_shapes, layout, supplied)) {
            e->last_use = ++scratch->clock;
            *out = e->plan;
            return DPL_OK;
        }
    }
    *out = NULL;
    if (scratch->block.n_bytes > scratch->max_bytes)
        empty(scratch);
    scratch->block.moved = false;
    status = dpli_plan_new_in(&plan, &scratch->block, scratch->team, net, input_shapes, layout,
                              supplied, err);
    if (scratch->block.moved)
        drop_plans(scratch); /* they point to where it was */
    if (status != DPL_OK)
        return status;
    shapes = dpli_alloc(n_shapes, sizeof *shapes, err);
    if (!shapes) {
        dpl_plan_free(plan);
        return DPL_E_MEMORY;
    }
    if (n_shapes > 0)
        memcpy(shapes, input_shapes, n_shapes * sizeof *shapes);
    n_bytes = dpli_plan_own_bytes(plan);
    while (scratch->n_entries == MAX_PLANS ||
           (scratch->n_entries > 0 && scratch->n_plan_bytes + n_bytes > MAX_PLAN_BYTES))
        drop_oldest(scratch);
    scratch->entries[scratch->n_entries++] = (entry){
        plan, net->serial, shapes, (int32_t)n_shapes, layout, supplied, n_bytes, ++scratch->clock};
    scratch->n_plan_bytes += n_bytes;
    *out = plan;
    return DPL_OK;
}

dpl_status dpli_scratch_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                             const dpl_shape *input_shapes, dpl_layout layout, dpl_error *err)
{
    return find_plan(out, scratch, net, input_shapes, layout, false, err);
}

dpl_status dpli_scratch_supplied_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                                      const dpl_shape *input_shape, dpl_error *err)
{
    return find_plan(out, scratch, net, input_shape, DPL_LAYOUT_NHWC, true, err);
}
