/*
 * normalize.c - Softmax and LpNormalization: what divides along one axis.
 *
 * Source: ONNX Softmax-13 (along the axis), Softmax-11 (over the axis and all behind it),
 * LpNormalization-1, where a zero vector stays zero.
 */
#include <math.h>

#include "vision/ops/ops.h"

typedef struct normalize_params {
    int64_t axis, p;
} normalize_params;

/* n values stride apart, for each of outer * stride places. */
typedef struct normalize_step {
    int64_t outer, n, stride, p;
} normalize_step;

static dpl_status load_softmax(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    normalize_params *params = dpli_node_params(node, sizeof *params, err);

    if (!params)
        return DPL_E_MEMORY;
    params->axis = g->opset < 13 ? 1 : -1;
    return dpli_attr_int(g, node, "axis", &params->axis, err);
}

static dpl_status load_lp(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    normalize_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->axis = -1;
    params->p = 2;
    status = dpli_attr_int(g, node, "axis", &params->axis, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "p", &params->p, err);
    if (status == DPL_OK && params->p != 1 && params->p != 2)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "p %lld is not supported",
                              (long long)params->p);
    return status;
}

static void run_softmax(const dpli_step *step)
{
    const normalize_step *s = step->params;

    for (int64_t o = 0; o < s->outer * s->stride; o++) {
        int64_t at = o / s->stride * s->stride * s->n + o % s->stride;
        const float *x = step->in[0] + at;
        float *y = step->out + at;
        float max = x[0];
        double sum = 0.0;

        for (int64_t i = 1; i < s->n; i++)
            max = x[i * s->stride] > max ? x[i * s->stride] : max;
        for (int64_t i = 0; i < s->n; i++) {
            float e = expf(x[i * s->stride] - max);

            y[i * s->stride] = e;
            sum += (double)e;
        }
        for (int64_t i = 0; i < s->n; i++)
            y[i * s->stride] = (float)((double)y[i * s->stride] / sum);
    }
}

static void run_lp(const dpli_step *step)
{
    const normalize_step *s = step->params;

    for (int64_t o = 0; o < s->outer * s->stride; o++) {
        int64_t at = o / s->stride * s->stride * s->n + o % s->stride;
        const float *x = step->in[0] + at;
        float *y = step->out + at;
        double norm = 0.0;

        for (int64_t i = 0; i < s->n; i++) {
            double v = (double)x[i * s->stride];

            norm += s->p == 1 ? fabs(v) : v * v;
        }
        norm = s->p == 1 ? norm : sqrt(norm);
        for (int64_t i = 0; i < s->n; i++)
            y[i * s->stride] = norm > 0.0 ? (float)((double)x[i * s->stride] / norm) : 0.0f;
    }
}

static dpl_status plan_along(dpli_planner *p, const dpli_node *node, bool to_end,
                             void (*run)(const dpli_step *), dpl_error *err)
{
    const normalize_params *params = node->params;
    int64_t axis = params->axis, strides[DPL_MAX_RANK];
    normalize_step *s;
    dpli_planned *x;
    dpli_order order;
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status != DPL_OK)
        return status;
    if (!dpli_axis(&axis, x->shape.rank))
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "axis %lld does not fit rank %d", (long long)params->axis,
                              (int)x->shape.rank);
    order = to_end ? DPLI_PLAIN : dpli_plan_order(x);
    status = dpli_plan_use(p, node, x, order, &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out_over(p, node, 0, x, &x->shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run, sizeof *s, &x->shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    dpli_strides(&x->shape, order, strides);
    s->p = params->p;
    s->n = 1;
    for (int64_t i = axis; i <= (to_end ? x->shape.rank - 1 : axis); i++)
        s->n *= x->shape.dims[i];
    s->stride = to_end ? 1 : strides[axis];
    s->outer = dpli_shape_elements(&x->shape) / (s->n * s->stride);
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_softmax(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_along(p, node, dpli_plan_graph(p)->opset < 13, run_softmax, err);
}

static dpl_status plan_lp(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_along(p, node, false, run_lp, err);
}

const dpli_op dpli_ops_normalize[] = {
    {"Softmax", 1, 1, 1, false, load_softmax, NULL, plan_softmax, NULL},
    {"LpNormalization", 1, 1, 1, false, load_lp, NULL, plan_lp, NULL},
    {0},
};
