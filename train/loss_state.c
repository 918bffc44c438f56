/*
 * loss_state.c - what the kinds of losses work with: parameters of their own, and one piece of
 * memory for the arrays of a run, kept for the next.
 */
#include "train/loss_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

dpl_status dpli_loss_add_param(dpli_param **out, dpli_loss *loss, const char *name,
                               dpli_param_kind kind, int32_t rows, int32_t columns, dpl_error *err)
{
    dpli_param *p = &loss->params[loss->n_params];

    snprintf(loss->names[loss->n_params], sizeof loss->names[0], "%s", name);
    *p = (dpli_param){.name = loss->names[loss->n_params++],
                      .layer = "loss",
                      .value_id = -1,
                      .kind = kind,
                      .shape = {.rank = 2, .dims = {rows, columns}},
                      .n = (size_t)rows * (size_t)columns,
                      .fan_in = (size_t)columns,
                      .fan_out = (size_t)rows};
    p->value = dpli_calloc(p->n, sizeof *p->value, err);
    p->grad = p->value ? dpli_calloc(p->n, sizeof *p->grad, err) : NULL;
    *out = p;
    return p->grad ? DPL_OK : DPL_E_MEMORY;
}

void dpli_loss_start_normal(dpli_param *p, dpli_rng *rng)
{
    const double scale = 1 / sqrt((double)p->fan_in);

    for (size_t i = 0; i < p->n; i++)
        p->value[i] = (float)(scale * dpli_rng_normal(rng));
}

dpl_status dpli_loss_room(char **at, dpli_loss *loss, size_t bytes, dpl_error *err)
{
    if (bytes > loss->room_bytes) {
        free(loss->room);
        loss->room_bytes = 0;
        loss->room = dpli_alloc_aligned(bytes, 1, err);
        if (!loss->room)
            return DPL_E_MEMORY;
        loss->room_bytes = bytes;
    }
    *at = loss->room;
    return DPL_OK;
}
