/* walk.c - the rows of a result, and where the values that it is made of stand beside them. */
#include "net/ops/walk.h"

void dpli_spread(const dpl_shape *shape, const int64_t *own, const dpl_shape *out,
                 int64_t strides[DPL_MAX_RANK])
{
    const int32_t skip = out->rank - shape->rank;

    for (int32_t i = 0; i < out->rank; i++)
        strides[i] = i < skip || shape->dims[i - skip] == 1 ? 0 : own[i - skip];
}

void dpli_walk_make(dpli_walk *w, int32_t rank, const int64_t *dims, int32_t n_values,
                    const int64_t *const *strides)
{
    int32_t n = 0;

    *w = (dpli_walk){.n_values = n_values};
    for (int32_t d = 0; d < rank; d++) {
        bool joins = n > 0;

        if (dims[d] == 1)
            continue;
        for (int32_t v = 0; v < n_values && joins; v++)
            joins = w->steps[v][n - 1] == strides[v][d] * dims[d];
        if (joins)
            w->dims[n - 1] *= dims[d];
        else
            w->dims[n++] = dims[d];
        for (int32_t v = 0; v < n_values; v++)
            w->steps[v][n - 1] = strides[v][d];
    }
    if (n == 0)
        w->dims[n++] = 1;
    w->rank = n;
}

void dpli_walk_over(dpli_walk *w, const dpl_shape *out, dpli_order order, int32_t n_values,
                    const dpl_shape *const *shapes)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    int64_t strides[DPLI_WALK_VALUES][DPL_MAX_RANK], dims[DPL_MAX_RANK];
    const int64_t *list[DPLI_WALK_VALUES];

    for (int32_t v = 0; v < n_values; v++) {
        int64_t own[DPL_MAX_RANK], by_axis[DPL_MAX_RANK];

        dpli_strides(shapes[v], order, own);
        dpli_spread(shapes[v], own, out, by_axis);
        for (int32_t i = 0; i < out->rank; i++)
            strides[v][i] = by_axis[out->rank == 4 && order == DPLI_NHWC ? nhwc[i] : i];
        list[v] = strides[v];
    }
    for (int32_t i = 0; i < out->rank; i++)
        dims[i] = out->dims[out->rank == 4 && order == DPLI_NHWC ? nhwc[i] : i];
    dpli_walk_make(w, out->rank, dims, n_values, list);
}

bool dpli_walk_next(const dpli_walk *w, dpli_place *place)
{
    for (int32_t d = w->rank - 2; d >= 0; d--) {
        for (int32_t v = 0; v < w->n_values; v++)
            place->at[v] += w->steps[v][d];
        if (++place->index[d] < w->dims[d])
            return true;
        for (int32_t v = 0; v < w->n_values; v++)
            place->at[v] -= w->steps[v][d] * w->dims[d];
        place->index[d] = 0;
    }
    return false;
}
