/*
 * activation.c - what works on one element at a time: Relu, PRelu, LeakyRelu, Clip, Sigmoid,
 * HardSigmoid, HardSwish, Tanh, Exp, Sqrt, Abs, Erf, Gelu. fuse.c moves most into what they follow.
 *
 * Source: ONNX Relu-14, PRelu-16, LeakyRelu-16, Clip-13, HardSigmoid-6, HardSwish-14, Erf-13,
 * Gelu-20.
 */
#include "net/ops/activation.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "net/ops/binary.h"
#include "net/ops/train.h"
#include "net/planner.h"

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
LOAD(erf, DPLI_ACT_ERF)
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

static dpl_status load_gelu(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    static const char *const words[] = {"none", "tanh", NULL};
    int32_t which = 0;
    dpl_status status = dpli_attr_word(g, node, "approximate", words, &which, err);

    node->act.kind = which ? DPLI_ACT_GELU_TANH : DPLI_ACT_GELU;
    return status;
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
    const float *x = step->in[0];
    float *y = step->out;

    for (size_t i = 0; i < *n; i++) {
        if (!(x[i] < 0.0f))
            y[i] = x[i];
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

/* ------------------------------------------------------------------ training */

typedef struct act_state {
    dpli_act act;
    bool one_slope; /* PRelu: for all channels */
} act_state;

static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    act_state *state = s->state;
    dpl_status status = dpli_tape_need(g, s, 0, err);

    if (status != DPL_OK)
        return status;
    dpli_train_as(s->out, s->in[0]);
    state->act = s->node->act;
    for (int32_t i = 1; state->act.kind == DPLI_ACT_CLIP && i < s->n_in; i++) {
        if (s->node->inputs[i] < 0)
            continue;
        if (!s->param[i] || s->param[i]->n != 1)
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "bound is not one constant");
        *(i == 1 ? &state->act.a : &state->act.b) = *s->param[i]->value;
    }
    if (state->act.kind != DPLI_ACT_PRELU)
        return DPL_OK;
    status = dpli_tape_claim(g, s, 1, DPLI_PARAM_SLOPE, 0, 0, err);
    if (status != DPL_OK)
        return status;
    state->one_slope = s->param[1]->n == 1;
    if (!state->one_slope && !dpli_train_per_channel(&s->param[1]->shape, s->in[0]))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "slope is not one a channel, or one");
    /* A sum a worker and channel, in double, and a slope a channel. */
    s->scratch_floats = (2 * (size_t)dpli_team_size(s->team) + 1) * (size_t)s->out->c;
    return DPL_OK;
}

static void forward_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const act_state *state = s->state;
    const size_t c = state->act.kind == DPLI_ACT_PRELU ? (size_t)s->out->c : 1;

    (void)worker;
    dpli_act_run(&state->act, s->out->value + from * c, s->in[0]->value + from * c,
                 c > 1 ? to - from : 1, c > 1 ? c : to - from);
}

static void forward_act(dpli_tape_step *s)
{
    act_state *state = s->state;
    size_t n = dpli_tensor_floats(s->out);

    if (s->node->act.kind == DPLI_ACT_PRELU) {
        const float *slope = s->param[1]->value;

        /* Of one slope, or one channel, it is LEAKY. */
        state->act = state->one_slope || s->out->c == 1
                         ? (dpli_act){.kind = DPLI_ACT_LEAKY, .a = *slope}
                         : (dpli_act){.kind = DPLI_ACT_PRELU, .slope = slope};
        if (state->act.kind == DPLI_ACT_PRELU)
            n /= (size_t)s->out->c;
    }
    dpli_team_run(s->team, n, forward_range, s);
}

/* d is a factor of g = d loss / d y. */
#define BACK(d)                                                                                    \
    do {                                                                                           \
        if (add) {                                                                                 \
            for (size_t i = 0; i < n; i++)                                                         \
                dx[i] += g[i] * (d);                                                               \
        } else {                                                                                   \
            for (size_t i = 0; i < n; i++)                                                         \
                dx[i] = g[i] * (d);                                                                \
        }                                                                                          \
    } while (0)

static float gelu_tanh_slope(float x)
{
    const float k = 0.79788456080286536f, t = tanhf(k * (x + 0.044715f * x * x * x));

    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * k * (1.0f + 3.0f * 0.044715f * x * x);
}

/* At a kink the smaller of the two slopes, as PyTorch for Relu, Relu6, HardSigmoid. */
DPLI_EACH_CPU(static, void, back,
              (const dpli_act *act, bool add, float *restrict dx, const float *restrict g,
               const float *restrict x, const float *restrict y, size_t n),
              (act, add, dx, g, x, y, n))
{
    const float a = act->a, b = act->b;

    switch (act->kind) {
    case DPLI_ACT_RELU: BACK(x[i] > 0.0f ? 1.0f : 0.0f); break;
    case DPLI_ACT_LEAKY: BACK(x[i] < 0.0f ? a : 1.0f); break;
    case DPLI_ACT_CLIP: BACK((x[i] > a ? 1.0f : 0.0f) * (x[i] < b ? 1.0f : 0.0f)); break;
    case DPLI_ACT_SIGMOID: BACK(y[i] * (1.0f - y[i])); break;
    case DPLI_ACT_HARDSIGMOID:
        BACK(a * (y[i] > 0.0f ? 1.0f : 0.0f) * (y[i] < 1.0f ? 1.0f : 0.0f));
        break;
    case DPLI_ACT_HARDSWISH:
        BACK(x[i] >= 3.0f ? 1.0f : (x[i] > -3.0f ? x[i] * (1.0f / 3.0f) + 0.5f : 0.0f));
        break;
    case DPLI_ACT_TANH: BACK(1.0f - y[i] * y[i]); break;
    case DPLI_ACT_EXP: BACK(y[i]); break;
    case DPLI_ACT_SQRT: BACK(0.5f / y[i]); break;
    case DPLI_ACT_ABS: BACK(x[i] > 0.0f ? 1.0f : (x[i] < 0.0f ? -1.0f : 0.0f)); break;
    case DPLI_ACT_ERF: BACK(1.1283791670955126f * expf(-x[i] * x[i])); break;
    case DPLI_ACT_GELU:
        /* Phi(x) + x phi(x) */
        BACK(0.5f * (1.0f + erff(x[i] * 0.70710678118654752f)) +
             x[i] * 0.39894228040143268f * expf(-0.5f * x[i] * x[i]));
        break;
    case DPLI_ACT_GELU_TANH: BACK(gelu_tanh_slope(x[i])); break;
    case DPLI_ACT_NONE:
    case DPLI_ACT_PRELU: break;
    }
}

static void back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const act_state *state = s->state;

    (void)worker;
    back(&state->act, s->add[0], s->in[0]->grad + from, s->out->grad + from, s->in[0]->value + from,
         s->out->value + from, to - from);
}

DPLI_EACH_CPU(static, void, back_prelu,
              (float *restrict dx, const float *restrict g, const float *restrict x,
               const float *restrict slope, size_t n, bool add),
              (dx, g, x, slope, n, add))
{
    BACK(x[i] < 0.0f ? slope[i] : 1.0f);
}

/* sum[i] += what four rows of n have to say about slope[i]. */
DPLI_EACH_CPU(static, void, sum_slopes,
              (double *restrict sum, const float *restrict g, const float *restrict x, size_t n,
               size_t n_rows),
              (sum, g, x, n, n_rows))
{
    if (n_rows == 4) {
        for (size_t i = 0; i < n; i++) {
            float t0 = x[i] < 0.0f ? g[i] * x[i] : 0.0f;
            float t1 = x[n + i] < 0.0f ? g[n + i] * x[n + i] : 0.0f;
            float t2 = x[2 * n + i] < 0.0f ? g[2 * n + i] * x[2 * n + i] : 0.0f;
            float t3 = x[3 * n + i] < 0.0f ? g[3 * n + i] * x[3 * n + i] : 0.0f;

            sum[i] += (double)((t0 + t1) + (t2 + t3));
        }
        return;
    }
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n; i++)
            sum[i] += x[r * n + i] < 0.0f ? (double)(g[r * n + i] * x[r * n + i]) : 0.0;
    }
}

static void prelu_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;
    double *sum = (double *)(void *)s->scratch + (size_t)worker * c;
    const float *slope = s->scratch + 2 * (size_t)dpli_team_size(s->team) * c;

    for (size_t r = from; r < to; r += 4) {
        const size_t n_rows = to - r < 4 ? to - r : 4;
        const float *g = s->out->grad + r * c, *x = s->in[0]->value + r * c;

        if (s->param[1]->grad)
            sum_slopes(sum, g, x, c, n_rows);
        for (size_t k = 0; k < n_rows && s->in[0]->grad; k++)
            back_prelu(s->in[0]->grad + (r + k) * c, g + k * c, x + k * c, slope, c, s->add[0]);
    }
}

static void backward_prelu(dpli_tape_step *s)
{
    const act_state *state = s->state;
    const size_t c = (size_t)s->out->c, size = (size_t)dpli_team_size(s->team);
    double *sum = (double *)(void *)s->scratch, all = 0.0;
    float *slope = s->scratch + 2 * size * c;

    memset(sum, 0, size * c * sizeof *sum);
    for (size_t i = 0; i < c; i++)
        slope[i] = s->param[1]->value[state->one_slope ? 0 : i];
    dpli_team_run(s->team, dpli_tensor_floats(s->out) / c, prelu_range, s);
    for (size_t i = 0; i < c && s->param[1]->grad; i++) {
        for (size_t w = 1; w < size; w++)
            sum[i] += sum[w * c + i];
        all += sum[i];
        s->param[1]->grad[state->one_slope ? 0 : i] = (float)(state->one_slope ? all : sum[i]);
    }
}

static void backward_act(dpli_tape_step *s)
{
    if (s->node->act.kind == DPLI_ACT_PRELU)
        backward_prelu(s);
    else if (s->in[0]->grad)
        dpli_team_run(s->team, dpli_tensor_floats(s->out), back_range, s);
}

static const dpli_trained trained = {sizeof(act_state), plan_trained, forward_act, backward_act};

dpli_act_kind dpli_act_trained_kind(const dpli_tape_step *s)
{
    return s->op == &trained ? s->node->act.kind : DPLI_ACT_NONE;
}

const dpli_op dpli_ops_activation[] = {
    {"Relu", DPLI_ROLE_OTHER, 1, 1, 1, false, load_relu, NULL, plan_act, &trained},
    {"PRelu", DPLI_ROLE_OTHER, 2, 2, 1, false, load_prelu, NULL, plan_prelu, &trained},
    {"LeakyRelu", DPLI_ROLE_OTHER, 1, 1, 1, false, load_leaky, NULL, plan_act, &trained},
    {"Clip", DPLI_ROLE_CLIP, 1, 3, 1, false, load_clip, NULL, plan_act, &trained},
    {"Sigmoid", DPLI_ROLE_OTHER, 1, 1, 1, false, load_sigmoid, NULL, plan_act, &trained},
    {"HardSigmoid", DPLI_ROLE_OTHER, 1, 1, 1, false, load_hardsigmoid, NULL, plan_act, &trained},
    {"HardSwish", DPLI_ROLE_OTHER, 1, 1, 1, false, load_hardswish, NULL, plan_act, &trained},
    {"Tanh", DPLI_ROLE_OTHER, 1, 1, 1, false, load_tanh, NULL, plan_act, &trained},
    {"Exp", DPLI_ROLE_OTHER, 1, 1, 1, false, load_exp, NULL, plan_act, &trained},
    {"Sqrt", DPLI_ROLE_OTHER, 1, 1, 1, false, load_sqrt, NULL, plan_act, &trained},
    {"Abs", DPLI_ROLE_OTHER, 1, 1, 1, false, load_abs, NULL, plan_act, &trained},
    {"Erf", DPLI_ROLE_OTHER, 1, 1, 1, false, load_erf, NULL, plan_act, &trained},
    {"Gelu", DPLI_ROLE_OTHER, 1, 1, 1, false, load_gelu, NULL, plan_act, &trained},
    {0},
};
