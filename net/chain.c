/*
 * chain.c - a pass over the steps of a plan: convolutions and poolings of which each is all that
 * reads the one before it become one step that runs them line by line (net/kernels.h, chains),
 * so that large pictures of many channels do not pass through memory between two layers.
 *
 * Runs when all steps are there and before their buffers get places: what lay between two links
 * needs none any more.
 */
#include "net/chain.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/kernels.h"

/* A result of less than this stays in a second-level cache until the next step reads it, and whole
 * results are the better matrices. */
#define MIN_BYTES ((size_t)512 << 10)

typedef struct chain {
    int32_t n;
    dpli_link links[DPLI_MAX_CHAIN];
    dpli_conv convs[DPLI_MAX_CHAIN];
    dpli_pool pools[DPLI_MAX_CHAIN];
    dpli_cast cast; /* of the first */
} chain;

static void run_chain_part(const dpli_step *step, void *scratch, size_t from, size_t end)
{
    const chain *c = step->params;
    dpli_link links[DPLI_MAX_CHAIN];

    for (int32_t i = 0; i < c->n; i++)
        links[i] = c->links[i];
    links[c->n - 1].epilogue.before = step->in[2];
    links[c->n - 1].epilogue.after = step->in[3];
    dpli_chain_run_part(links, c->n, step->out, step->in[0], scratch, from, end);
}

static void run_chain(const dpli_step *step)
{
    run_chain_part(step, step->scratch, 0, step->n_pieces);
}

/* How often steps and outputs refer to a buffer. */
static int32_t uses(const dpli_step *steps, int32_t n_steps, const dpli_ref *outputs,
                    int32_t n_outputs, int32_t buffer)
{
    int32_t n = 0;

    for (int32_t s = 0; s < n_steps; s++) {
        n += steps[s].out_ref.buffer == buffer;
        for (int32_t i = 0; i < DPLI_STEP_INPUTS; i++)
            n += steps[s].in_ref[i].buffer == buffer;
    }
    for (int32_t i = 0; i < n_outputs; i++)
        n += outputs[i].buffer == buffer;
    return n;
}

/* Whether step b takes what step a makes, and is all that does. */
static bool follows(const dpli_step *steps, int32_t n_steps, const dpli_ref *outputs,
                    int32_t n_outputs, const dpli_step *a, const dpli_step *b)
{
    const int32_t between = a->out_ref.buffer;
    bool adds = false;

    for (int32_t i = 2; i < 4; i++)
        adds |= a->in_ref[i].buffer >= 0 || a->in_ref[i].fixed;
    return b->link && !adds && between >= 0 && b->in_ref[0].buffer == between &&
           uses(steps, n_steps, outputs, n_outputs, between) == 2;
}

/* n steps from `first` on into one, the first of them. */
static dpl_status join(dpli_planner *p, dpli_step *first, int32_t n, const dpli_link *links,
                       dpl_error *err)
{
    static const char *const names[DPLI_MAX_CHAIN + 1] = {NULL,         NULL,         "Chain of 2",
                                                          "Chain of 3", "Chain of 4", "Chain of 5",
                                                          "Chain of 6", "Chain of 7", "Chain of 8"};
    const dpli_step last = first[n - 1];
    chain *c = dpli_calloc(1, sizeof *c, err);

    if (!c)
        return DPL_E_MEMORY;
    c->n = n;
    for (int32_t i = 0; i < n; i++) {
        c->links[i] = links[i];
        if (links[i].conv) {
            c->convs[i] = *links[i].conv;
            c->links[i].conv = &c->convs[i];
        } else if (links[i].pool) {
            c->pools[i] = *links[i].pool;
            c->links[i].pool = &c->pools[i];
        } else if (links[i].cast) {
            c->cast = *links[i].cast;
            c->links[i].cast = &c->cast;
        } /* a supply is the plan's */
        first->macs += i > 0 ? first[i].macs : 0;
        first->three |= first[i].three;
        free(first[i].params);
        first[i].params = NULL;
    }
    first->params = c;
    first->run = run_chain;
    first->run_part = run_chain_part;
    first->n_pieces = dpli_chain_units(c->links, n);
    first->link = NULL;
    first->what = names[n];
    first->node = last.node;
    first->shape = last.shape;
    first->act = last.act;
    first->numbers = last.numbers;
    first->bias = last.bias;
    first->out_ref = last.out_ref;
    first->in_ref[2] = last.in_ref[2];
    first->in_ref[3] = last.in_ref[3];
    first->before = last.before;
    first->after = last.after;
    return dpli_plan_scratch(p, first, dpli_chain_scratch_bytes(c->links, n), err);
}

dpl_status dpli_chain_steps(dpli_planner *p, const dpli_ref *outputs, int32_t n_outputs,
                            dpl_error *err)
{
    dpli_step *const steps = p->steps;
    int32_t *const n_steps = &p->n_steps;
    dpl_status status = DPL_OK;

    for (int32_t i = 0; status == DPL_OK && i < *n_steps; i++) {
        dpli_link links[DPLI_MAX_CHAIN];
        int32_t n = 0, length;

        while (n < DPLI_MAX_CHAIN && i + n < *n_steps && steps[i + n].link &&
               (n == 0 ||
                follows(steps, *n_steps, outputs, n_outputs, &steps[i + n - 1], &steps[i + n]))) {
            links[n] = (dpli_link){0};
            steps[i + n].link(&steps[i + n], &links[n]);
            n++;
        }
        length = n > 1 ? dpli_chain_length(links, n, MIN_BYTES) : 1;
        /* The first link goes on reading its input while the last one writes. */
        if (length > 1 && steps[i + length - 1].out_ref.buffer == steps[i].in_ref[0].buffer)
            length--;
        if (length < 2)
            continue;
        status = join(p, &steps[i], length, links, err);
        for (int32_t s = i + 1; s + length - 1 < *n_steps; s++)
            steps[s] = steps[s + length - 1];
        *n_steps -= length - 1;
    }
    return status;
}
