/*
 * pool.c - MaxPool, AveragePool, GlobalAveragePool (two dimensions).
 *
 * Source: ONNX MaxPool-12, AveragePool-11 with the divisor of a window that hangs over the padding
 * as in opset 19: only what lies within the padded picture counts.
 */
#include "vision/ops/ops.h"

typedef struct pool_params {
    dpli_window window;
    int64_t count_include_pad;
} pool_params;

static dpl_status load_pool(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    pool_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    status = dpli_window_load(g, node, &params->window, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "ceil_mode", &params->window.ceil_mode, err);
    if (status != DPL_OK)
        return status;
    if (!params->window.has_kernel)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no kernel_shape");
    return DPL_OK;
}

static dpl_status load_maxpool(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t storage_order = 0;
    dpl_status status = load_pool(g, node, err);

    /* It says how the second output, refused elsewhere, counts. */
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "storage_order", &storage_order, err);
    return status;
}

static dpl_status load_averagepool(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_status status = load_pool(g, node, err);

    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "count_include_pad",
                               &((pool_params *)node->params)->count_include_pad, err);
    return status;
}

bool dpli_pool_take_pads(dpli_node *node, const int64_t pads[4])
{
    pool_params *params = node->params;
    const int64_t *own = params->window.pads;

    if (params->window.auto_pad == 1 || params->window.auto_pad == 2 || params->window.ceil_mode)
        return false;
    for (int32_t i = 0; i < 4; i++) {
        if (own[i] != 0 && !params->count_include_pad)
            return false;
        if (pads[i] < 0 || own[i] + pads[i] >= params->window.kernel[i % 2])
            return false;
    }
    for (int32_t i = 0; i < 4; i++)
        params->window.pads[i] += pads[i];
    params->window.auto_pad = 0;
    params->count_include_pad = 1;
    return true;
}

static void run_pool(const dpli_step *step)
{
    dpli_pool2d_run(step->params, step->out, step->in[0]);
}

static void link_pool(const dpli_step *step, dpli_link *link)
{
    *link = (dpli_link){.pool = step->params};
}

dpl_status dpli_plan_pool(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_pool *pool, const dpl_shape *shape, dpl_error *err)
{
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status = dpli_plan_use(p, node, x, DPLI_NHWC, &in, err);

    if (status == DPL_OK)
        status = dpli_plan_out(p, node, 0, shape, DPLI_NHWC, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_pool, sizeof *pool, shape, err);
    if (!step)
        return DPL_E_MEMORY;
    step->link = link_pool;
    *(dpli_pool *)step->params = *pool;
    step->in_ref[0] = in;
    step->out_ref = out;
    step->macs = (double)dpli_shape_elements(shape) * pool->kernel_h * pool->kernel_w;
    return DPL_OK;
}

static dpl_status want_rank_4(dpli_planner *p, const dpli_node *node, dpli_planned **x,
                              dpl_error *err)
{
    dpl_status status = dpli_plan_float(p, node, 0, x, err);
    char words[DPLI_SHAPE_TEXT];

    if (status == DPL_OK && (*x)->shape.rank != 4)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "input of %s is not of rank 4", dpli_shape_text(&(*x)->shape, words));
    return status;
}

static dpl_status plan_windows(dpli_planner *p, const dpli_node *node, dpli_pool_kind kind,
                               dpl_error *err)
{
    const pool_params *params = node->params;
    const dpli_window *w = &params->window;
    dpli_pool pool = {.kind = kind, .count_include_pad = params->count_include_pad != 0};
    int64_t in[2], out[2], pads[4];
    dpl_shape shape;
    dpli_planned *x;
    dpl_status status = want_rank_4(p, node, &x, err);

    if (status != DPL_OK)
        return status;
    in[0] = x->shape.dims[2];
    in[1] = x->shape.dims[3];
    status = dpli_window_fit(dpli_plan_graph(p), node, w, in, out, pads, err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < 2; i++) {
        /* A window of nothing but padding has no maximum and no mean. Without dilation, padding
         * smaller than the kernel is enough; with it, each window must be looked at. */
        bool empty = pads[i] >= w->kernel[i] * w->dilation[i] ||
                     pads[i + 2] >= w->kernel[i] * w->dilation[i];

        for (int64_t o = 0; !empty && w->dilation[i] > 1 && o < out[i]; o++) {
            int64_t first = o * w->stride[i] - pads[i], k = 0;

            if (first < 0)
                k = (-first + w->dilation[i] - 1) / w->dilation[i];
            empty = k >= w->kernel[i] || first + k * w->dilation[i] >= in[i];
        }
        if (empty ||
            (w->dilation[i] == 1 && (pads[i] >= w->kernel[i] || pads[i + 2] >= w->kernel[i])))
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "padding leaves windows without a pixel");
    }
    shape = x->shape;
    shape.dims[2] = out[0];
    shape.dims[3] = out[1];
    pool.n = (int32_t)shape.dims[0];
    pool.channels = (int32_t)shape.dims[1];
    pool.in_h = (int32_t)in[0];
    pool.in_w = (int32_t)in[1];
    pool.out_h = (int32_t)out[0];
    pool.out_w = (int32_t)out[1];
    pool.kernel_h = (int32_t)w->kernel[0];
    pool.kernel_w = (int32_t)w->kernel[1];
    pool.stride_h = (int32_t)w->stride[0];
    pool.stride_w = (int32_t)w->stride[1];
    pool.dilation_h = (int32_t)w->dilation[0];
    pool.dilation_w = (int32_t)w->dilation[1];
    pool.pad_top = (int32_t)pads[0];
    pool.pad_left = (int32_t)pads[1];
    pool.pad_bottom = (int32_t)pads[2];
    pool.pad_right = (int32_t)pads[3];
    return dpli_plan_pool(p, node, x, &pool, &shape, err);
}

static dpl_status plan_maxpool(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_windows(p, node, DPLI_POOL_MAX, err);
}

static dpl_status plan_averagepool(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_windows(p, node, DPLI_POOL_AVERAGE, err);
}

dpli_pool dpli_pool_whole(const dpl_shape *shape)
{
    return (dpli_pool){.kind = DPLI_POOL_AVERAGE,
                       .n = (int32_t)shape->dims[0],
                       .in_h = (int32_t)shape->dims[2],
                       .in_w = (int32_t)shape->dims[3],
                       .channels = (int32_t)shape->dims[1],
                       .out_h = 1,
                       .out_w = 1,
                       .kernel_h = (int32_t)shape->dims[2],
                       .kernel_w = (int32_t)shape->dims[3],
                       .stride_h = 1,
                       .stride_w = 1,
                       .dilation_h = 1,
                       .dilation_w = 1};
}

static dpl_status plan_global(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpl_shape shape;
    dpli_pool pool;
    dpli_planned *x;
    dpl_status status = want_rank_4(p, node, &x, err);

    if (status != DPL_OK)
        return status;
    shape = x->shape;
    pool = dpli_pool_whole(&shape);
    shape.dims[2] = shape.dims[3] = 1;
    return dpli_plan_pool(p, node, x, &pool, &shape, err);
}

const dpli_op dpli_ops_pool[] = {
    {"MaxPool", 1, 1, 1, false, load_maxpool, NULL, plan_maxpool, NULL},
    {"AveragePool", 1, 1, 1, false, load_averagepool, NULL, plan_averagepool, NULL},
    {"GlobalAveragePool", 1, 1, 1, false, NULL, NULL, plan_global, NULL},
    {0},
};
