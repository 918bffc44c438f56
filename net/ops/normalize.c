/*
 * normalize.c - Softmax, LpNormalization and LayerNormalization: what divides along an axis.
 *
 * Source: ONNX Softmax-13 (along the axis; of nothing but minus infinity it is NaN), Softmax-11
 * (over the axis and all behind it), LpNormalization-1, where a zero vector stays zero,
 * LayerNormalization-17 (over the axis and all behind it).
 */
#include "net/ops/normalize.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "net/ops/axes.h"
#include "net/ops/train.h"
#include "net/planner.h"

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

/* n values stride apart; y may be x. */
static void softmax(size_t n, size_t stride, float *y, const float *x)
{
    float max = x[0];
    double sum = 0.0;

    for (size_t i = 1; i < n; i++)
        max = x[i * stride] > max ? x[i * stride] : max;
    for (size_t i = 0; i < n; i++) {
        const float e = expf(x[i * stride] - max);

        y[i * stride] = e;
        sum += (double)e;
    }
    for (size_t i = 0; i < n; i++)
        y[i * stride] = (float)((double)y[i * stride] / sum);
}

static void run_softmax(const dpli_step *step)
{
    const normalize_step *s = step->params;

    for (int64_t o = 0; o < s->outer * s->stride; o++) {
        int64_t at = o / s->stride * s->stride * s->n + o % s->stride;

        softmax((size_t)s->n, (size_t)s->stride, (float *)step->out + at,
                (const float *)step->in[0] + at);
    }
}

static void run_lp(const dpli_step *step)
{
    const normalize_step *s = step->params;

    for (int64_t o = 0; o < s->outer * s->stride; o++) {
        int64_t at = o / s->stride * s->stride * s->n + o % s->stride;
        const float *x = (const float *)step->in[0] + at;
        float *y = (float *)step->out + at;
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

/* ------------------------------------------------------------------ LayerNormalization */

typedef struct layer_norm_params {
    int64_t axis;
    float epsilon;
} layer_norm_params;

typedef struct layer_norm_step {
    size_t n_rows, n;
    double epsilon;
} layer_norm_step;

static dpl_status load_layer_norm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    layer_norm_params *params = dpli_node_params(node, sizeof *params, err);
    int64_t stash_type = 1; /* how precise the sums are at least: ours are double */
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->axis = -1;
    params->epsilon = 1e-5f;
    status = dpli_attr_int(g, node, "axis", &params->axis, err);
    if (status == DPL_OK)
        status = dpli_attr_float(g, node, "epsilon", &params->epsilon, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "stash_type", &stash_type, err);
    if (status == DPL_OK && !(params->epsilon >= 0.0f))
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "epsilon %g is negative",
                              (double)params->epsilon);
    return status;
}

/* y = (x - mean) / sqrt(variance + epsilon) scale + shift over n values; y may be x. What is left
 * of the two is given back: the inverse of the deviation, and the mean. */
static float normalize_row(size_t n, double epsilon, float *y, const float *x, const float *scale,
                           const float *shift, float *mean_out)
{
    double mean = 0.0, squares = 0.0;
    float middle, inverse;

    for (size_t i = 0; i < n; i++)
        mean += (double)x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - mean;

        squares += d * d;
    }
    middle = (float)mean;
    inverse = (float)(1.0 / sqrt(squares / (double)n + epsilon));
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - middle) * inverse * scale[i] + (shift ? shift[i] : 0.0f);
    *mean_out = middle;
    return inverse;
}

static void run_layer_norm(const dpli_step *step)
{
    const layer_norm_step *s = step->params;
    float mean;

    for (size_t r = 0; r < s->n_rows; r++)
        normalize_row(s->n, s->epsilon, (float *)step->out + r * s->n,
                      (const float *)step->in[0] + r * s->n, step->in[1], step->in[2], &mean);
}

static dpl_status plan_layer_norm(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const layer_norm_params *params = node->params;
    int64_t axis = params->axis;
    dpl_shape rest = {0};
    dpli_planned *x;
    dpli_ref in[3] = {DPLI_NO_REF, DPLI_NO_REF, DPLI_NO_REF}, out;
    dpli_step *step;
    layer_norm_step *s;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status != DPL_OK)
        return status;
    if (!dpli_axis(&axis, x->shape.rank))
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "axis %lld does not fit rank %d", (long long)params->axis,
                              (int)x->shape.rank);
    for (int64_t i = axis; i < x->shape.rank; i++)
        rest.dims[rest.rank++] = x->shape.dims[i];
    status = dpli_plan_use(p, node, x, DPLI_PLAIN, &in[0], err);
    for (int32_t i = 1; i < 3 && status == DPL_OK; i++) {
        dpli_planned *v = dpli_plan_in(p, node, i);
        char words[2][DPLI_SHAPE_TEXT];

        if (!v)
            continue;
        if (v->type != DPLI_F32 || !dpli_shape_equal(&v->shape, &rest))
            return dpli_node_fail(
                dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "input %d is %s, not floats of %s",
                (int)i, dpli_shape_text(&v->shape, words[0]), dpli_shape_text(&rest, words[1]));
        status = dpli_plan_use(p, node, v, DPLI_PLAIN, &in[i], err);
    }
    if (status == DPL_OK)
        status = dpli_plan_out_over(p, node, 0, x, &x->shape, DPLI_PLAIN, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_layer_norm, sizeof *s, &x->shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->epsilon = (double)params->epsilon;
    s->n = (size_t)dpli_shape_elements(&rest);
    s->n_rows = (size_t)dpli_shape_elements(&x->shape) / s->n;
    memcpy(step->in_ref, in, sizeof in);
    step->out_ref = out;
    return DPL_OK;
}

/* ------------------------------------------------------------------ training */

/* Below it PyTorch divides by this and not by the length; 1e-12 is its own. */
#define MAX_LEAST_LENGTH 1e-6f

/* The node of this role that makes input i, or NULL. */
static dpli_node *maker(const dpli_graph *g, const dpli_node *node, int32_t i, dpli_role role)
{
    const dpli_value *v = node ? dpli_graph_input(g, node, i) : NULL;
    dpli_node *by = v && v->producer >= 0 ? &g->nodes[v->producer] : NULL;

    return by && by->op->role == role ? by : NULL;
}

/* The one axis of a ReduceL2 that keeps its dimensions; false for any other. */
static bool length_axis(const dpli_graph *g, dpli_node *node, int64_t *axis)
{
    const dpli_attr *axes = dpli_attr_find(node, "axes"), *keep = dpli_attr_find(node, "keepdims");
    const dpli_value *given = dpli_graph_input(g, node, 1);

    if (keep && keep->i == 0)
        return false;
    if (given) {
        if (!given->data || given->type != DPLI_I64 || dpli_shape_elements(&given->shape) != 1)
            return false;
        *axis = *(const int64_t *)given->data;
        return true;
    }
    if (!axes || axes->n != 1)
        return false;
    *axis = axes->ints[0];
    return true;
}

/* y = x / |x| along the channels; kept is 1 / |x|, 0 for a zero vector, by place. */
static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const normalize_params *params = s->node->params;
    dpl_status status = dpli_train_same_plan(g, s, err);
    int64_t axis = params->axis;

    if (status != DPL_OK)
        return status;
    if (params->p != 2 || !dpli_axis(&axis, s->in[0]->shape.rank) ||
        axis != dpli_train_channel_axis(s->in[0]))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained with p 2 along the channels only");
    s->kept_floats = dpli_tensor_floats(s->out) / (size_t)s->out->c;
    return DPL_OK;
}

static void forward_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    (void)worker;
    for (size_t r = from; r < to; r++) {
        const float *x = s->in[0]->value + r * c;
        float *y = s->out->value + r * c;
        double sum = 0.0;

        for (size_t i = 0; i < c; i++)
            sum += (double)x[i] * (double)x[i];
        s->kept[r] = sum > 0.0 ? (float)(1.0 / sqrt(sum)) : 0.0f;
        for (size_t i = 0; i < c; i++)
            y[i] = x[i] * s->kept[r];
    }
}

/* d x = (g - y (y . g)) / |x| */
static void back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t c = (size_t)s->out->c;

    (void)worker;
    for (size_t r = from; r < to; r++) {
        const float *y = s->out->value + r * c, *g = s->out->grad + r * c;
        float *dx = s->in[0]->grad + r * c, dot;
        double sum = 0.0;

        for (size_t i = 0; i < c; i++)
            sum += (double)y[i] * (double)g[i];
        dot = (float)sum;
        for (size_t i = 0; i < c; i++)
            dx[i] = (s->add[0] ? dx[i] : 0.0f) + (g[i] - y[i] * dot) * s->kept[r];
    }
}

static void forward_lp(dpli_tape_step *s)
{
    dpli_team_run(s->team, dpli_tensor_floats(s->out) / (size_t)s->out->c, forward_range, s);
}

static void backward_lp(dpli_tape_step *s)
{
    if (s->in[0]->grad)
        dpli_team_run(s->team, dpli_tensor_floats(s->out) / (size_t)s->out->c, back_range, s);
}

static const dpli_trained trained = {0, plan_trained, forward_lp, backward_lp};

/* y = e^x / sum of e^x along an axis, n values stride apart. */
typedef struct softmax_state {
    size_t n, stride;
} softmax_state;

static dpl_status plan_trained_softmax(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const normalize_params *params = s->node->params;
    softmax_state *state = s->state;
    int64_t axis = params->axis, strides[DPL_MAX_RANK];
    dpl_status status = dpli_train_same_plan(g, s, err);

    if (status != DPL_OK)
        return status;
    if (!dpli_axis(&axis, s->in[0]->shape.rank) || axis == s->in[0]->batch_axis || g->opset < 13)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained along one axis that is not the batch, from opset 13 on");
    dpli_tensor_strides(s->in[0], strides);
    state->n = (size_t)s->in[0]->shape.dims[axis];
    state->stride = (size_t)strides[axis];
    return DPL_OK;
}

static void softmax_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const softmax_state *state = s->state;

    (void)worker;
    for (size_t o = from; o < to; o++) {
        const size_t at = o / state->stride * state->stride * state->n + o % state->stride;

        softmax(state->n, state->stride, s->out->value + at, s->in[0]->value + at);
    }
}

/* d x = y (g - y . g) */
static void softmax_back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const softmax_state *state = s->state;

    (void)worker;
    for (size_t o = from; o < to; o++) {
        const size_t at = o / state->stride * state->stride * state->n + o % state->stride;
        const float *y = s->out->value + at, *g = s->out->grad + at;
        float *dx = s->in[0]->grad + at;
        double dot = 0.0;

        for (size_t i = 0; i < state->n * state->stride; i += state->stride)
            dot += (double)y[i] * (double)g[i];
        for (size_t i = 0; i < state->n * state->stride; i += state->stride)
            dx[i] = (s->add[0] ? dx[i] : 0.0f) + y[i] * (g[i] - (float)dot);
    }
}

static void forward_softmax(dpli_tape_step *s)
{
    const softmax_state *state = s->state;

    dpli_team_run(s->team, dpli_tensor_floats(s->out) / state->n, softmax_range, s);
}

static void backward_softmax(dpli_tape_step *s)
{
    const softmax_state *state = s->state;

    if (s->in[0]->grad)
        dpli_team_run(s->team, dpli_tensor_floats(s->out) / state->n, softmax_back_range, s);
}

static const dpli_trained trained_softmax = {sizeof(softmax_state), plan_trained_softmax,
                                             forward_softmax, backward_softmax};

/* Rows of n values, which are normalized each by itself; kept are the mean and the inverse of the
 * deviation, by row. */
static dpl_status plan_trained_layer_norm(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const layer_norm_params *params = s->node->params;
    layer_norm_step *state = s->state;
    const dpli_tensor *x = s->in[0];
    int64_t axis = params->axis;
    dpl_shape rest = {0};
    dpl_status status = dpli_train_same_plan(g, s, err);

    if (status != DPL_OK)
        return status;
    if (!dpli_axis(&axis, x->shape.rank) || axis <= x->batch_axis || x->picture)
        return dpli_node_fail(
            g, s->node, DPL_E_MODEL, err,
            "is trained over the last axes of what is no picture, behind the batch");
    for (int64_t i = axis; i < x->shape.rank; i++)
        rest.dims[rest.rank++] = x->shape.dims[i];
    status = dpli_tape_claim(g, s, 1, DPLI_PARAM_SCALE, 0, 0, err);
    if (status == DPL_OK && s->n_in > 2 && s->node->inputs[2] >= 0)
        status = dpli_tape_claim(g, s, 2, DPLI_PARAM_SHIFT, 0, 0, err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 1; i < 3 && i < s->n_in; i++) {
        if (s->param[i] && !dpli_shape_equal(&s->param[i]->shape, &rest))
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "input %d does not fit the first",
                                  (int)i);
    }
    state->epsilon = (double)params->epsilon;
    state->n = (size_t)dpli_shape_elements(&rest);
    s->kept_floats = 2 * dpli_tensor_floats(s->out) / state->n;
    /* Sums in double of both gradients, a thread. */
    s->scratch_floats = 4 * (size_t)dpli_team_size(s->team) * state->n;
    return DPL_OK;
}

static const dpli_param *shift_of(const dpli_tape_step *s)
{
    return s->n_in > 2 ? s->param[2] : NULL;
}

static void layer_norm_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const layer_norm_step *state = s->state;

    (void)worker;
    for (size_t r = from; r < to; r++)
        s->kept[2 * r] = normalize_row(
            state->n, state->epsilon, s->out->value + r * state->n, s->in[0]->value + r * state->n,
            s->param[1]->value, shift_of(s) ? shift_of(s)->value : NULL, &s->kept[2 * r + 1]);
}

/* With u = (x - mean) inverse and v = g scale:
 * d x = (v - mean of v - u (mean of u v)) inverse, d scale = sum of g u, d shift = sum of g. */
static void layer_norm_back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const layer_norm_step *state = s->state;
    const size_t n = state->n;
    const float *scale = s->param[1]->value;
    double *sums = (double *)(void *)s->scratch + 2 * (size_t)worker * n;

    for (size_t r = from; r < to; r++) {
        const float *x = s->in[0]->value + r * n, *g = s->out->grad + r * n;
        const float inverse = s->kept[2 * r], mean = s->kept[2 * r + 1];
        float *dx = s->in[0]->grad ? s->in[0]->grad + r * n : NULL;
        double sum = 0.0, dot = 0.0;

        for (size_t i = 0; i < n; i++) {
            const double u = (double)((x[i] - mean) * inverse), v = (double)(g[i] * scale[i]);

            sum += v;
            dot += u * v;
            sums[i] += (double)g[i] * u;
            sums[n + i] += (double)g[i];
        }
        sum /= (double)n;
        dot /= (double)n;
        for (size_t i = 0; i < n && dx; i++) {
            const float u = (x[i] - mean) * inverse;

            dx[i] = (s->add[0] ? dx[i] : 0.0f) +
                    (g[i] * scale[i] - (float)sum - u * (float)dot) * inverse;
        }
    }
}

static size_t n_rows(const dpli_tape_step *s)
{
    return dpli_tensor_floats(s->out) / ((const layer_norm_step *)s->state)->n;
}

static void forward_layer_norm(dpli_tape_step *s)
{
    dpli_team_run(s->team, n_rows(s), layer_norm_range, s);
}

static void backward_layer_norm(dpli_tape_step *s)
{
    const size_t n = ((const layer_norm_step *)s->state)->n, size = (size_t)dpli_team_size(s->team);
    double *sums = (double *)(void *)s->scratch;

    memset(sums, 0, 2 * size * n * sizeof *sums);
    dpli_team_run(s->team, n_rows(s), layer_norm_back_range, s);
    for (size_t i = 0; i < 2 * n; i++) {
        const dpli_param *p = i < n ? s->param[1] : shift_of(s);

        for (size_t worker = 1; worker < size; worker++)
            sums[i] += sums[2 * worker * n + i];
        if (p && p->grad)
            p->grad[i % n] = (float)sums[i];
    }
}

static const dpli_trained trained_layer_norm = {sizeof(layer_norm_step), plan_trained_layer_norm,
                                                forward_layer_norm, backward_layer_norm};

enum { OP_SOFTMAX, OP_LP, OP_LAYER_NORM };

const dpli_op dpli_ops_normalize[] = {
    [OP_SOFTMAX] = {"Softmax", DPLI_ROLE_OTHER, 1, 1, 1, false, load_softmax, NULL, plan_softmax,
                    &trained_softmax},
    [OP_LP] = {"LpNormalization", DPLI_ROLE_OTHER, 1, 1, 1, false, load_lp, NULL, plan_lp,
               &trained},
    [OP_LAYER_NORM] = {"LayerNormalization", DPLI_ROLE_OTHER, 2, 3, 1, false, load_layer_norm, NULL,
                       plan_layer_norm, &trained_layer_norm},
    {0},
};

dpl_status dpli_normalize_settle(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    const dpli_node *expand = maker(g, node, 1, DPLI_ROLE_EXPAND);
    const dpli_node *clip = maker(g, expand ? expand : node, expand ? 0 : 1, DPLI_ROLE_CLIP);
    dpli_node *length = maker(g, clip, 0, DPLI_ROLE_LENGTH);
    dpl_shape shape;
    const float *least = clip ? dpli_graph_floats(g, clip, 1, &shape) : NULL;
    dpli_attr *attr;
    int64_t axis;

    if (node->op->role != DPLI_ROLE_DIV || !length || length->inputs[0] != node->inputs[0] ||
        !length_axis(g, length, &axis) || !least || dpli_shape_elements(&shape) != 1 ||
        !(*least <= MAX_LEAST_LENGTH) || dpli_graph_input(g, clip, 2))
        return DPL_OK;
    attr = dpli_calloc(1, sizeof *attr, err);
    if (!attr)
        return DPL_E_MEMORY;
    *attr = (dpli_attr){
        .name = dpli_strdup("axis", err), .kind = DPLI_ATTR_INT, .i = axis, .used = true};
    if (!attr->name) {
        free(attr);
        return DPL_E_MEMORY;
    }
    free(node->params);
    free(node->attrs); /* Div has none; there may be room for some */
    node->params = NULL;
    node->attrs = attr;
    node->n_attrs = 1;
    node->n_inputs = 1;
    node->op = &dpli_ops_normalize[OP_LP];
    return node->op->load(g, node, err);
}
