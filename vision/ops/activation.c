/*
 * activation.c - what works on one element at a time: Relu, PRelu, LeakyRelu, Clip, Sigmoid,
 * HardSigmoid, HardSwish, Tanh, Exp, Sqrt, Abs. fuse.c moves most into what they follow.
 *
 * Source: ONNX Relu-14, PRelu-16, LeakyRelu-16, Clip-13, HardSigmoid-6, HardSwish-14.
 */
#include <float.h>

#include "vision/ops/ops.h"

#define LOAD(name, which)                                                                          \
    static dpl_status load_##name(dpli_graph *g, dpli_node *node, dpl_error *err)                  \
    {                                                                                              \
        (void)g, (void)err;                                                                        \
        node->act.kind = which;                                                                    \
        return DPL_OK;                                                                             \
    }

LOAD(relu, DPLI_ACT_RELU)
LOAD(sigmoid, DPLI_ACT_SIGMOID)
LOAD(hardswish, DPLI_ACT_HARDSWISH)
LOAD(tanh, DPLI_ACT_TANH)
LOAD(exp, DPLI_ACT_EXP)
LOAD(sqrt, DPLI_ACT_SQRT)
LOAD(abs, DPLI_ACT_ABS)
LOAD(prelu, DPLI_ACT_PRELU)

static dpl_status load_leaky(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    node->act = (dpli_act){.kind = DPLI_ACT_LEAKY, .a = 0.01f};
    return dpli_attr_float(g, node, "alpha", &node->act.a, err);
}

static dpl_status load_hardsigmoid(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_status status;

    node->act = (dpli_act){.kind = DPLI_ACT_HARDSIGMOID, .a = 0.2f, .b = 0.5f};
    status = dpli_attr_float(g, node, "alpha", &node->act.a, err);
    return status == DPL_OK ? dpli_attr_float(g, node, "beta", &node->act.b, err) : status;
}

static dpl_status load_clip(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_status status;

    node->act = (dpli_act){.kind = DPLI_ACT_CLIP, .a = -FLT_MAX, .b = FLT_MAX};
    if (g->opset >= 11)
        return DPL_OK;
    if (node->n_inputs > 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has bounds as inputs before opset 11");
    status = dpli_attr_float(g, node, "min", &node->act.a, err);
    return status == DPL_OK ? dpli_attr_float(g, node, "max", &node->act.b, err) : status;
}

static dpl_status plan_act(dpli_planner *p, const dpli_node *node, dpl_error *err);

/* Bounds and slopes that are constants go into the activation itself. True when it is then a
 * function of one input and, for PRELU, of the constant slope that is input 1. */
bool dpli_act_settle(dpli_graph *g, dpli_node *node)
{
    const float *bound[2] = {dpli_graph_floats(g, node, 1, NULL),
                             dpli_graph_floats(g, node, 2, NULL)};
    dpl_shape shape[2];

    if (node->op->load == load_prelu) {
        const float *slope = dpli_graph_floats(g, node, 1, &shape[0]);

        if (slope && node->act.kind == DPLI_ACT_PRELU && dpli_shape_elements(&shape[0]) == 1) {
            node->act = (dpli_act){.kind = DPLI_ACT_LEAKY, .a = *slope};
            node->n_inputs = 1;
        }
        return slope != NULL;
    }
    if (node->op->load != load_clip)
        return node->op->plan == plan_act;
    for (int32_t i = 0; i < 2; i++) {
        const dpli_value *v = dpli_graph_input(g, node, i + 1);

        dpli_graph_floats(g, node, i + 1, &shape[i]);
        if (v && (!bound[i] || dpli_shape_elements(&shape[i]) != 1))
            return false;
    }
    if (bound[0])
        node->act.a = *bound[0];
    if (bound[1])
        node->act.b = *bound[1];
    node->n_inputs = 1;
    return true;
}

typedef struct act_step {
    dpli_act act;
    size_t n_rows, channels;
} act_step;

static void run_act(const dpli_step *step)
{
    const act_step *s = step->params;

    dpli_act_run(&s->act, step->out, step->in[0], s->n_rows, s->channels);
}

static dpl_status plan_rows(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                            dpli_order order, const dpli_act *act, int64_t channels, dpl_error *err)
{
    dpli_ref in, out;
    dpli_step *step;
    act_step *s;
    dpl_status status = dpli_plan_use(p, node, x, order, &in, err);

    if (status == DPL_OK)
        status = dpli_plan_out_over(p, node, 0, x, &x->shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_act, sizeof *s, &x->shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->act = *act;
    s->channels = (size_t)channels;
    s->n_rows = (size_t)(dpli_shape_elements(&x->shape) / channels);
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_act(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_act act = node->act;
    dpli_planned *x;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status == DPL_OK && act.kind == DPLI_ACT_CLIP) {
        status = dpli_plan_scalar(p, node, 1, &act.a, err);
        if (status == DPL_OK)
            status = dpli_plan_scalar(p, node, 2, &act.b, err);
    }
    if (status != DPL_OK)
        return status;
    return plan_rows(p, node, x, dpli_plan_order(x), &act, dpli_shape_elements(&x->shape), err);
}

/* True for [C], [1, C], [C, 1, 1], [1, C, 1, 1] against rank 1, 2, 4, 4: one value a channel, where
 * the channel comes last (NHWC). */
static bool slope_is_per_channel(const dpl_shape *slope, const dpl_shape *x)
{
    int64_t channels = x->rank == 4 ? x->dims[1] : x->rank > 0 ? x->dims[x->rank - 1] : 0;
    int32_t at = slope->rank - (x->rank == 4 ? 3 : 1);

    return at >= 0 && slope->rank <= x->rank && slope->dims[at] == channels &&
           dpli_shape_elements(slope) == channels;
}

/* out holds slope * x. */
static void run_select(const dpli_step *step)
{
    const size_t *n = step->params;

    for (size_t i = 0; i < *n; i++) {
        if (!(step->in[0][i] < 0.0f))
            step->out[i] = step->in[0][i];
    }
}

static dpl_status plan_prelu(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_order order;
    dpli_planned *x, *slope;
    dpl_shape shape;
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status;

    if (node->act.kind == DPLI_ACT_LEAKY)
        return plan_act(p, node, err);
    status = dpli_plan_float(p, node, 0, &x, err);
    if (status == DPL_OK)
        status = dpli_plan_float(p, node, 1, &slope, err);
    if (status != DPL_OK)
        return status;
    if (slope->known && slope_is_per_channel(&slope->shape, &x->shape)) {
        dpli_act act = {.kind = DPLI_ACT_PRELU, .slope = slope->known};

        return plan_rows(p, node, x, DPLI_NHWC, &act, dpli_shape_elements(&slope->shape), err);
    }
    status = dpli_broadcast(p, node, &x->shape, &slope->shape, &shape, err);
    if (status != DPL_OK)
        return status;
    if (!dpli_shape_equal(&shape, &x->shape))
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "slope does not fit the input");
    order = dpli_plan_order(x);
    status = dpli_plan_use(p, node, x, order, &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out(p, node, 0, &shape, order, &out, err);
    if (status == DPL_OK)
        status = dpli_plan_binary(p, node, DPLI_MUL, x, slope, &shape, order, out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_select, sizeof(size_t), &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(size_t *)step->params = (size_t)dpli_shape_elements(&shape);
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

const dpli_op dpli_ops_activation[] = {
    {"Relu", 1, 1, 1, false, load_relu, NULL, plan_act, NULL},
    {"PRelu", 2, 2, 1, false, load_prelu, NULL, plan_prelu, NULL},
    {"LeakyRelu", 1, 1, 1, false, load_leaky, NULL, plan_act, NULL},
    {"Clip", 1, 3, 1, false, load_clip, NULL, plan_act, NULL},
    {"Sigmoid", 1, 1, 1, false, load_sigmoid, NULL, plan_act, NULL},
    {"HardSigmoid", 1, 1, 1, false, load_hardsigmoid, NULL, plan_act, NULL},
    {"HardSwish", 1, 1, 1, false, load_hardswish, NULL, plan_act, NULL},
    {"Tanh", 1, 1, 1, false, load_tanh, NULL, plan_act, NULL},
    {"Exp", 1, 1, 1, false, load_exp, NULL, plan_act, NULL},
    {"Sqrt", 1, 1, 1, false, load_sqrt, NULL, plan_act, NULL},
    {"Abs", 1, 1, 1, false, load_abs, NULL, plan_act, NULL},
    {0},
};
