/* axes.c - axes as ONNX gives them: negative ones count from the end; and what Shape says. */
#include "net/ops/axes.h"

#include <string.h>

#include "net/ops/op.h"

bool dpli_axis(int64_t *axis, int32_t rank)
{
    if (*axis < 0)
        *axis += rank;
    return *axis >= 0 && *axis < rank;
}

dpl_status dpli_axes_mask(const dpli_planner *p, const dpli_node *node, const int64_t *axes,
                          int64_t n, int32_t rank, uint32_t *mask, dpl_error *err)
{
    *mask = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = axes[i];

        if (!dpli_axis(&axis, rank) || *mask >> axis & 1)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "axis %lld does not fit rank %d", (long long)axes[i], (int)rank);
        *mask |= 1u << axis;
    }
    return DPL_OK;
}

int32_t dpli_shape_of(const dpli_node *node, const dpl_shape *x, int64_t dims[DPL_MAX_RANK])
{
    const int64_t *range = node->params;
    int64_t bound[2];

    if (strcmp(node->op->name, "Shape") != 0)
        return -1;
    for (int32_t i = 0; i < 2; i++) {
        bound[i] = range[i] < 0 ? range[i] + x->rank : range[i];
        bound[i] = bound[i] < 0 ? 0 : bound[i] > x->rank ? x->rank : bound[i];
    }
    for (int64_t i = bound[0]; i < bound[1]; i++)
        dims[i - bound[0]] = x->dims[i];
    return bound[1] > bound[0] ? (int32_t)(bound[1] - bound[0]) : 0;
}
