/*
 * quantize.c - QuantizeLinear and DequantizeLinear.
 *
 *     q = clip(round(x / scale) + zero)        x = scale (q - zero)
 *
 * round to the nearest, of two the even one. Quantised values lie as float32 that hold whole
 * numbers, so that what moves them or takes their greatest needs no code of its own. The QLinear…
 * operators are names only: net/quantize.c writes them out as DequantizeLinear, the operator, and
 * QuantizeLinear.
 *
 * Source: ONNX QuantizeLinear-13, DequantizeLinear-13, QLinearConv-10, QLinearMatMul-10; the others
 * are of onnxruntime's own domain, com.microsoft.
 */
#include "net/ops/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "net/place.h"

typedef struct axis_params {
    int64_t axis;
} axis_params;

static dpl_status load_axis(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    axis_params *params = dpli_node_params(node, sizeof *params, err);
    int64_t saturate = 1; /* says something of eight-bit floats only */
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->axis = 1;
    status = dpli_attr_int(g, node, "axis", &params->axis, err);
    return status == DPL_OK ? dpli_attr_int(g, node, "saturate", &saturate, err) : status;
}

bool dpli_quantize_bounds(dpli_stored stored, float *low, float *high)
{
    *low = stored == DPLI_STORED_INT8 ? -128.0f : 0.0f;
    *high = *low + 255.0f;
    return stored != DPLI_STORED_OTHER;
}

/* ------------------------------------------------------------------ planning */

/* x [outer, axis, inner]; one scale and zero for each of axis. */
typedef struct linear_step {
    size_t outer, axis, inner;
    const float *scale;
    const int64_t *zero; /* NULL: all 0 */
    float low, high;
    bool ints; /* what is dequantised are integers */
} linear_step;

static void run_quantize(const dpli_step *step)
{
    const linear_step *s = step->params;
    const float *x = step->in[0];
    float *y = step->out;

    for (size_t o = 0; o < s->outer; o++)
        for (size_t a = 0; a < s->axis; a++, x += s->inner, y += s->inner) {
            const float zero = s->zero ? (float)s->zero[a] : 0.0f;

            for (size_t i = 0; i < s->inner; i++) {
                const float q = rintf(x[i] / s->scale[a]) + zero;

                y[i] = q < s->low ? s->low : q > s->high ? s->high : q;
            }
        }
}

static void run_dequantize(const dpli_step *step)
{
    const linear_step *s = step->params;
    float *y = step->out;
    size_t at = 0;

    for (size_t o = 0; o < s->outer; o++)
        for (size_t a = 0; a < s->axis; a++)
            for (size_t i = 0; i < s->inner; i++, at++) {
                const int64_t zero = s->zero ? s->zero[a] : 0;

                /* Whole numbers of eight bits are exact either way; of a bias the difference is
                 * rounded once. */
                y[at] = (s->ints ? (float)(((const int64_t *)step->in[0])[at] - zero)
                                 : ((const float *)step->in[0])[at] - (float)zero) *
                        s->scale[a];
            }
}

static dpl_status plan_linear(dpli_planner *p, const dpli_node *node,
                              void (*run)(const dpli_step *step), dpl_error *err)
{
    const dpli_graph *g = dpli_plan_graph(p);
    const axis_params *params = node->params;
    dpli_planned *x = dpli_plan_in(p, node, 0), *scale = dpli_plan_in(p, node, 1);
    dpli_planned *zero = dpli_plan_in(p, node, 2);
    linear_step linear = {.low = 0, .high = 255.0f, .ints = x->type == DPLI_I64};
    dpli_order order = dpli_plan_order(x);
    dpl_shape shape = x->shape;
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status;
    int64_t n_scales, axis = params->axis;

    if (!scale->known || scale->type != DPLI_F32 || scale->shape.rank > 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "scale is not a constant");
    n_scales = dpli_shape_elements(&scale->shape);
    if (zero &&
        (!zero->known || zero->type != DPLI_I64 || dpli_shape_elements(&zero->shape) != n_scales))
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "zero point is not a constant of the scale's shape");
    if (run == run_quantize) {
        const dpli_stored stored = zero ? g->values[node->inputs[2]].stored : DPLI_STORED_UINT8;

        if (!dpli_quantize_bounds(stored, &linear.low, &linear.high))
            return dpli_node_fail(g, node, DPL_E_MODEL, err,
                                  "quantises to a type that is not supported; int8 and uint8 are");
        if (linear.ints)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "integers are not supported here");
    }
    linear.scale = scale->known;
    linear.zero = zero ? zero->known : NULL;
    for (int64_t i = 0; i < n_scales; i++)
        if (!(linear.scale[i] > 0.0f))
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "scale %g is not above 0",
                                  (double)linear.scale[i]);
    linear.outer = linear.axis = 1;
    linear.inner = (size_t)dpli_shape_elements(&shape);
    if (n_scales != 1) {
        axis += axis < 0 ? shape.rank : 0;
        if (axis < 0 || axis >= shape.rank || shape.dims[axis] != n_scales)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "%lld scales do not fit axis %lld",
                                  (long long)n_scales, (long long)params->axis);
        order = DPLI_PLAIN;
        linear.axis = (size_t)n_scales;
        linear.inner = 1;
        for (int32_t i = 0; i < shape.rank; i++)
            *(i < axis ? &linear.outer : &linear.inner) *= i == axis ? 1 : (size_t)shape.dims[i];
    }
    status = dpli_plan_use(p, node, x, order, &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out(p, node, 0, &shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run, sizeof linear, &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(linear_step *)step->params = linear;
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_quantize(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_linear(p, node, run_quantize, err);
}

static dpl_status plan_dequantize(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return plan_linear(p, node, run_dequantize, err);
}

/* ------------------------------------------------------------------ both as one */

typedef struct fake_step {
    dpli_grid grid;
    size_t n;
} fake_step;

DPLI_EACH_CPU(static, void, round_to, (float *y, size_t n, const dpli_grid *to), (y, n, to))
{
    const float scale = to->scale, zero = to->zero, low = to->low, high = to->high;

    for (size_t i = 0; i < n; i++) {
        float q = rintf(y[i] / scale) + zero;

        q = q < low ? low : q > high ? high : q;
        y[i] = (q - zero) * scale;
    }
}

static void run_fake(const dpli_step *step)
{
    const fake_step *s = step->params;

    if (step->out != step->in[0])
        memcpy(step->out, step->in[0], s->n * sizeof(float));
    round_to(step->out, s->n, &s->grid);
}

static dpl_status plan_fake(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x;
    dpli_order order;
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status != DPL_OK)
        return status;
    if (dpli_plan_graph(p)->numbers == DPLI_BYTES && dpli_narrow_wanted(p, node, 0) &&
        (x->shape.rank == 4 || x->shape.rank == 2))
        return dpli_bytes_round(p, node, x, err);
    order = dpli_plan_order(x);
    status = dpli_plan_use(p, node, x, order, &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out_over(p, node, 0, x, &x->shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_fake, sizeof(fake_step), &x->shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(fake_step *)step->params =
        (fake_step){*dpli_fake_quantize_grid(node), (size_t)dpli_shape_elements(&x->shape)};
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

dpl_status dpli_fake_quantize(dpli_node *node, const dpli_grid *grid, dpl_error *err)
{
    dpli_grid *own;

    free(node->params);
    own = dpli_node_params(node, sizeof *own, err);
    if (!own)
        return DPL_E_MEMORY;
    *own = *grid;
    node->op = &dpli_op_fake_quantize;
    node->n_inputs = 1;
    return DPL_OK;
}

const dpli_grid *dpli_fake_quantize_grid(const dpli_node *node)
{
    return node->params;
}

const dpli_op dpli_op_fake_quantize = {
    "FakeQuantize", DPLI_ROLE_FAKE_QUANTIZE, 1, 1, 1, false, NULL, NULL, plan_fake, NULL};

const dpli_op dpli_ops_quantize[] = {
    {"QuantizeLinear", DPLI_ROLE_QUANTIZE, 2, 3, 1, false, load_axis, NULL, plan_quantize, NULL},
    {"DequantizeLinear", DPLI_ROLE_DEQUANTIZE, 2, 3, 1, false, load_axis, NULL, plan_dequantize,
     NULL},
    {"QLinearConv", DPLI_ROLE_QLINEAR, 8, 9, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearMatMul", DPLI_ROLE_QLINEAR, 8, 8, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearAdd", DPLI_ROLE_QLINEAR, 8, 8, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearMul", DPLI_ROLE_QLINEAR, 8, 8, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearSigmoid", DPLI_ROLE_QLINEAR, 5, 5, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearLeakyRelu", DPLI_ROLE_QLINEAR, 5, 5, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearAveragePool", DPLI_ROLE_QLINEAR, 5, 5, 1, false, NULL, NULL, NULL, NULL},
    {"QLinearGlobalAveragePool", DPLI_ROLE_QLINEAR, 5, 5, 1, false, NULL, NULL, NULL, NULL},
    {"QGemm", DPLI_ROLE_QLINEAR, 6, 9, 1, false, NULL, NULL, NULL, NULL},
    {0},
};
