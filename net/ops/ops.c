/*
 * ops.c - finding an operator by name, and what several families share: axes, and the geometry of
 * windows (convolution and pooling).
 *
 * Source: ONNX operator specifications, Conv-11, MaxPool-12, AveragePool-11.
 */
#include "net/ops/ops.h"

#include <string.h>

/* Kernels count pixels in int32_t; with these bounds no sum of a place, a pad and a reach
 * overflows. */
#define MAX_REACH ((int64_t)1 << 24)
#define MAX_SIDE  ((int64_t)1 << 30)

const dpli_op *dpli_op_find(const char *name)
{
    static const dpli_op *const families[] = {
        dpli_ops_activation, dpli_ops_batchnorm, dpli_ops_binary,    dpli_ops_conv,
        dpli_ops_gemm,       dpli_ops_move,      dpli_ops_normalize, dpli_ops_pad,
        dpli_ops_pool,       dpli_ops_reduce,    dpli_ops_resize,    dpli_ops_shape};

    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (const dpli_op *op = families[i]; op->name; op++) {
            if (strcmp(op->name, name) == 0)
                return op;
        }
    }
    return NULL;
}

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

static dpl_status load_pair(const dpli_graph *g, dpli_node *node, const char *name, int64_t *pair,
                            bool *found, dpl_error *err)
{
    int32_t n = -1;
    dpl_status status = dpli_attr_ints(g, node, name, pair, 2, &n, err);

    if (status != DPL_OK)
        return status;
    if (n >= 0 && n != 2)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "%s has %d values; only two dimensions are supported", name, (int)n);
    if (pair[0] < 1 || pair[1] < 1 || pair[0] > DPLI_MAX_WINDOW || pair[1] > DPLI_MAX_WINDOW)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "%s is out of range", name);
    if (found)
        *found = n == 2;
    return DPL_OK;
}

dpl_status dpli_window_load(const dpli_graph *g, dpli_node *node, dpli_window *w, dpl_error *err)
{
    static const char *const auto_pads[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
    int32_t n = -1;
    dpl_status status;

    for (int32_t i = 0; i < 2; i++)
        w->kernel[i] = w->stride[i] = w->dilation[i] = 1;
    status = load_pair(g, node, "kernel_shape", w->kernel, &w->has_kernel, err);
    if (status == DPL_OK)
        status = load_pair(g, node, "strides", w->stride, NULL, err);
    if (status == DPL_OK)
        status = load_pair(g, node, "dilations", w->dilation, NULL, err);
    if (status == DPL_OK)
        status = dpli_attr_word(g, node, "auto_pad", auto_pads, &w->auto_pad, err);
    if (status == DPL_OK)
        status = dpli_attr_ints(g, node, "pads", w->pads, 4, &n, err);
    if (status != DPL_OK)
        return status;
    if (n >= 0 && n != 4)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "pads has %d values, not 4", (int)n);
    for (int32_t i = 0; i < 4; i++) {
        if (w->pads[i] < 0 || w->pads[i] > DPLI_MAX_WINDOW)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "pads are out of range");
        if (w->pads[i] != 0 && w->auto_pad != 0)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "has both pads and auto_pad");
    }
    return DPL_OK;
}

dpl_status dpli_window_fit(const dpli_graph *g, const dpli_node *node, const dpli_window *w,
                           const int64_t in[2], int64_t out[2], int64_t pads[4], dpl_error *err)
{
    for (int32_t i = 0; i < 2; i++) {
        int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1, room;

        if (reach > MAX_REACH || in[i] > MAX_SIDE)
            return dpli_node_fail(g, node, DPL_E_ARGUMENT, err, "kernel or picture is too large");
        pads[i] = w->pads[i];
        pads[i + 2] = w->pads[i + 2];
        if (w->auto_pad == 1 || w->auto_pad == 2) {
            int64_t total;

            out[i] = (in[i] + w->stride[i] - 1) / w->stride[i];
            total = (out[i] - 1) * w->stride[i] + reach - in[i];
            total = total > 0 ? total : 0;
            pads[i] = w->auto_pad == 1 ? total / 2 : total - total / 2;
            pads[i + 2] = total - pads[i];
            continue;
        }
        room = in[i] + pads[i] + pads[i + 2] - reach;
        if (room < 0)
            return dpli_node_fail(g, node, DPL_E_ARGUMENT, err,
                                  "picture of %lldx%lld is smaller than the kernel",
                                  (long long)in[1], (long long)in[0]);
        out[i] = room / w->stride[i] + 1;
        /* Rounded up, but no window may begin behind the picture and its left padding. */
        if (w->ceil_mode && room % w->stride[i] != 0 && out[i] * w->stride[i] < in[i] + pads[i])
            out[i]++;
    }
    return DPL_OK;
}
