/* Going through several values of one result at once, each broadcast to it. */
#ifndef DOPPEL_NET_OPS_WALK_H
#define DOPPEL_NET_OPS_WALK_H

#include <stdbool.h>

#include "net/layout.h"

#define DPLI_WALK_VALUES 4

/* The dimensions of a result in the order of its memory, and how far each value steps along them: 0
 * where it is repeated. Rows are along the last dimension, of which there is always one. */
typedef struct dpli_walk {
    int32_t rank, n_values;
    int64_t dims[DPL_MAX_RANK], steps[DPLI_WALK_VALUES][DPL_MAX_RANK];
} dpli_walk;

/** Where a walk is: the first element of a row of each value. */
typedef struct dpli_place {
    int64_t index[DPL_MAX_RANK], at[DPLI_WALK_VALUES];
} dpli_place;

/** Strides of a value of this shape over the dimensions of the result, in ONNX's order; own are
 * those in its memory. */
void dpli_spread(const dpl_shape *shape, const int64_t *own, const dpl_shape *out,
                 int64_t strides[DPL_MAX_RANK]);

/** A walk along dims, outermost first, by strides in the same order. Neighbours that all values
 * step alike become one. */
void dpli_walk_make(dpli_walk *w, int32_t rank, const int64_t *dims, int32_t n_values,
                    const int64_t *const *strides);

/** A walk over a result of this shape that lies in this order, by values that do. */
void dpli_walk_over(dpli_walk *w, const dpl_shape *out, dpli_order order, int32_t n_values,
                    const dpl_shape *const *shapes);

/** To the next row; false behind the last. */
bool dpli_walk_next(const dpli_walk *w, dpli_place *place);

static inline int64_t dpli_walk_row(const dpli_walk *w)
{
    return w->dims[w->rank - 1];
}

static inline int64_t dpli_walk_step(const dpli_walk *w, int32_t value)
{
    return w->steps[value][w->rank - 1];
}

#endif
