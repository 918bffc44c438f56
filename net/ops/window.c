/*
 * window.c - the geometry of the windows of convolution and pooling.
 *
 * Source: ONNX operator specifications, Conv-11, MaxPool-12, AveragePool-11.
 */
#include "net/ops/window.h"

/* Kernels count pixels in int32_t; with these bounds no sum of a place, a pad and a reach
 * overflows. */
#define MAX_REACH ((int64_t)1 << 24)
#define MAX_SIDE  ((int64_t)1 << 30)

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
