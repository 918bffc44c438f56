/* axes.c - axes as ONNX gives them: negative ones count from the end. */
#include "net/ops/axes.h"

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
