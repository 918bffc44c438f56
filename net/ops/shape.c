/*
 * shape.c - what changes how a value is seen and moves nothing: Reshape, Flatten, Squeeze,
 * Unsqueeze, Identity, Dropout; and where constants come from: Constant, ConstantOfShape, Shape,
 * Range, Mod, Cast.
 *
 * float16 and double are computed as float32, so a Cast between them does nothing.
 * Source: ONNX Reshape-14, Flatten-13, Squeeze-13, Unsqueeze-13, Dropout-13, Constant-13,
 * ConstantOfShape-9, Shape-15, Range-11, Mod-13, Cast-13.
 */
#include "net/ops/shape.h"

#include <math.h>
#include <string.h>

#include "net/ops/axes.h"
#include "net/ops/train.h"
#include "net/planner.h"

/* ------------------------------------------------------------------ Reshape, Flatten */

static dpl_status load_reshape(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t *allow_zero = dpli_node_params(node, sizeof *allow_zero, err);

    if (!allow_zero)
        return DPL_E_MEMORY;
    return dpli_attr_int(g, node, "allowzero", allow_zero, err);
}

static dpl_status as_shape(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                           const dpl_shape *shape, dpl_error *err)
{
    dpli_order order = dpli_shape_equal(shape, &x->shape) ? dpli_plan_order(x) : DPLI_PLAIN;

    return dpli_plan_alias(p, node, 0, x, order, shape, order, err);
}

static dpl_status plan_reshape(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    int64_t allow_zero = *(const int64_t *)node->params, n, rest = -1, product = 1, elements;
    dpli_planned *x = dpli_plan_in(p, node, 0);
    dpl_shape shape;
    const int64_t *dims;
    char words[DPLI_SHAPE_TEXT];
    bool fits = true;
    dpl_status status = dpli_plan_ints(p, node, 1, &dims, &n, err);

    if (status != DPL_OK)
        return status;
    if (n > DPL_MAX_RANK)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "result has more than %d dimensions", DPL_MAX_RANK);
    elements = dpli_shape_elements(&x->shape);
    shape.rank = (int32_t)n;
    for (int32_t i = 0; i < shape.rank && fits; i++) {
        shape.dims[i] = dims[i];
        if (dims[i] == 0 && !allow_zero) {
            fits = i < x->shape.rank;
            shape.dims[i] = fits ? x->shape.dims[i] : 0;
        }
        if (dims[i] == -1) {
            fits = fits && rest < 0;
            rest = i;
        } else {
            fits = fits && shape.dims[i] >= 0 &&
                   !__builtin_mul_overflow(product, shape.dims[i], &product);
        }
    }
    if (fits && rest >= 0) {
        fits = product > 0 && elements % product == 0;
        shape.dims[rest] = fits ? elements / product : 0;
    }
    if (!fits || dpli_shape_elements(&shape) != elements)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "%s cannot take the shape that is asked for",
                              dpli_shape_text(&x->shape, words));
    return as_shape(p, node, x, &shape, err);
}

static dpl_status load_flatten(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t *axis = dpli_node_params(node, sizeof *axis, err);

    if (!axis)
        return DPL_E_MEMORY;
    *axis = 1;
    return dpli_attr_int(g, node, "axis", axis, err);
}

static dpl_status plan_flatten(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    int64_t axis = *(const int64_t *)node->params;
    dpli_planned *x = dpli_plan_in(p, node, 0);
    dpl_shape shape = {2, {1, 1}};

    axis += axis < 0 ? x->shape.rank : 0;
    if (axis < 0 || axis > x->shape.rank)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "axis does not fit rank %d", (int)x->shape.rank);
    for (int32_t i = 0; i < x->shape.rank; i++)
        shape.dims[i >= axis] *= x->shape.dims[i];
    return as_shape(p, node, x, &shape, err);
}

/* ------------------------------------------------------------------ Squeeze, Unsqueeze */

typedef struct axes_params {
    int64_t axes[DPL_MAX_RANK];
    int32_t n; /* -1: none given */
} axes_params;

static dpl_status load_axes(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    axes_params *params = dpli_node_params(node, sizeof *params, err);

    if (!params)
        return DPL_E_MEMORY;
    params->n = -1;
    return dpli_attr_ints(g, node, "axes", params->axes, DPL_MAX_RANK, &params->n, err);
}

static dpl_status axes_of(dpli_planner *p, const dpli_node *node, const int64_t **axes, int64_t *n,
                          dpl_error *err)
{
    const axes_params *params = node->params;

    *axes = params->axes;
    *n = params->n;
    return dpli_plan_in(p, node, 1) ? dpli_plan_ints(p, node, 1, axes, n, err) : DPL_OK;
}

static dpl_status plan_squeeze(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x = dpli_plan_in(p, node, 0);
    dpl_shape shape = {0};
    const int64_t *axes;
    int64_t n;
    uint32_t mask;
    dpl_status status = axes_of(p, node, &axes, &n, err);

    if (status == DPL_OK)
        status = dpli_axes_mask(p, node, axes, n, x->shape.rank, &mask, err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < x->shape.rank; i++) {
        bool goes = n < 0 ? x->shape.dims[i] == 1 : mask >> i & 1;

        if (goes && x->shape.dims[i] != 1)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "axis %d is %lld long, not 1", (int)i,
                                  (long long)x->shape.dims[i]);
        if (!goes)
            shape.dims[shape.rank++] = x->shape.dims[i];
    }
    return as_shape(p, node, x, &shape, err);
}

static dpl_status plan_unsqueeze(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x = dpli_plan_in(p, node, 0);
    dpl_shape shape = {0};
    const int64_t *axes;
    int64_t n;
    int32_t from = 0;
    uint32_t mask;
    dpl_status status = axes_of(p, node, &axes, &n, err);

    if (status != DPL_OK)
        return status;
    if (n < 0 || n + x->shape.rank > DPL_MAX_RANK)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "has no axes, or more than %d dimensions", DPL_MAX_RANK);
    shape.rank = x->shape.rank + (int32_t)n;
    status = dpli_axes_mask(p, node, axes, n, shape.rank, &mask, err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = mask >> i & 1 ? 1 : x->shape.dims[from++];
    return as_shape(p, node, x, &shape, err);
}

/* ------------------------------------------------------------------ Identity, Dropout */

static dpl_status load_dropout(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    float *ratio = dpli_node_params(node, sizeof *ratio, err);
    int64_t seed;
    dpl_status status;

    if (!ratio)
        return DPL_E_MEMORY;
    *ratio = 0.5f;
    status = dpli_attr_float(g, node, "ratio", ratio, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "seed", &seed, err);
    return status;
}

static dpl_status plan_identity(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x = dpli_plan_in(p, node, 0);

    return as_shape(p, node, x, &x->shape, err);
}

static dpl_status plan_dropout(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_planned *training = dpli_plan_in(p, node, 2);

    if (training &&
        (!training->known || training->type != DPLI_I64 ||
         dpli_shape_elements(&training->shape) != 1 || *(const int64_t *)training->known != 0))
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "training mode is not supported");
    return plan_identity(p, node, err);
}

typedef struct dropout_state {
    float ratio;
    bool drops;
    uint64_t seed;
} dropout_state;

static dpl_status plan_trained_dropout(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    dropout_state *state = s->state;
    dpl_status status = dpli_train_same_plan(g, s, err);

    if (status != DPL_OK)
        return status;
    state->ratio = *(const float *)s->node->params;
    if (s->n_in > 1 && s->node->inputs[1] >= 0) {
        if (!s->param[1] || s->param[1]->n != 1)
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "ratio is not one constant");
        state->ratio = *s->param[1]->value;
    }
    if (!(state->ratio >= 0.0f && state->ratio < 1.0f))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "ratio %g is not in [0, 1)",
                              (double)state->ratio);
    return DPL_OK;
}

/* to (+)= from / (1 - ratio) where the element stays. Whether it does is a function of the seed and
 * its number, so that it does not depend on the threads and need not be kept for the way back.
 * Source: the output function of splitmix64, Steele, Lea and Flood 2014. */
DPLI_EACH_CPU(static, void, drop,
              (const dropout_state *state, float *restrict to, const float *restrict from,
               size_t first, size_t n, bool add),
              (state, to, from, first, n, add))
{
    const uint64_t below = (uint64_t)((double)state->ratio * 0x1p32);
    const float scale = 1.0f / (1.0f - state->ratio);

    for (size_t i = 0; i < n; i++) {
        uint64_t z = state->seed + (uint64_t)(first + i) * UINT64_C(0x9e3779b97f4a7c15);
        float y;

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        y = (z >> 32) >= below ? from[i] * scale : 0.0f;
        to[i] = add ? to[i] + y : y;
    }
}

static void drop_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;

    (void)worker;
    drop(s->state, s->out->value + from, s->in[0]->value + from, from, to - from, false);
}

static void drop_back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;

    (void)worker;
    drop(s->state, s->in[0]->grad + from, s->out->grad + from, from, to - from, s->add[0]);
}

static void forward_dropout(dpli_tape_step *s)
{
    dropout_state *state = s->state;

    state->drops = s->training && state->ratio > 0.0f;
    if (!state->drops) {
        dpli_train_same_forward(s);
        return;
    }
    state->seed = dpli_rng_u64(&s->rng);
    dpli_team_run(s->team, dpli_tensor_floats(s->out), drop_range, s);
}

static void backward_dropout(dpli_tape_step *s)
{
    const dropout_state *state = s->state;

    if (!state->drops)
        dpli_train_same_backward(s);
    else if (s->in[0]->grad)
        dpli_team_run(s->team, dpli_tensor_floats(s->out), drop_back_range, s);
}

static const dpli_trained trained_identity = {0, dpli_train_same_plan, dpli_train_same_forward,
                                              dpli_train_same_backward};
static const dpli_trained trained_dropout = {sizeof(dropout_state), plan_trained_dropout,
                                             forward_dropout, backward_dropout};

/* ------------------------------------------------------------------ training of shapes */

/* The dimension of another shape of as many elements that is x's batch: with as many before it,
 * which stay before it, as x has; its own when there are several. -1 for none. */
static int32_t batch_of(const dpl_shape *shape, const dpli_tensor *x)
{
    int64_t before = 1, wanted = 1;
    int32_t found = -1;

    for (int32_t i = 0; i < x->batch_axis; i++)
        wanted *= x->shape.dims[i];
    for (int32_t i = 0; i < shape->rank; i++) {
        if (before == wanted && shape->dims[i] == x->n && (found < 0 || i == x->batch_axis))
            found = i;
        before *= shape->dims[i];
    }
    return found;
}

/* out takes x's elements, in ONNX's order, under another shape. What they become is no picture. */
static dpl_status set_shape(const dpli_graph *g, dpli_tape_step *s, const dpl_shape *shape,
                            dpl_error *err)
{
    dpli_tensor *x = s->in[0];
    const bool fits = dpli_shape_elements(shape) == dpli_shape_elements(&x->shape);
    const int32_t at = fits ? batch_of(shape, x) : -1;
    char words[DPLI_SHAPE_TEXT];

    if (at < 0 || !dpli_tensor_shape_at(s->out, shape, at))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "to %s cannot be trained: not across the batch",
                              dpli_shape_text(shape, words));
    s->out->type = x->type;
    /* Pictures lie in another order. */
    if (!x->picture)
        s->out->root = x;
    return DPL_OK;
}

static dpl_status plan_trained_reshape(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const int64_t allow_zero = *(const int64_t *)s->node->params;
    const dpli_value *v = dpli_graph_input(g, s->node, 1);
    dpl_status status = dpli_train_need_any(g, s, err);
    dpl_shape shape = {0};
    int64_t rest = -1, known = 1, all, n;

    if (status != DPL_OK)
        return status;
    n = v && v->data && v->type == DPLI_I64 && v->shape.rank == 1 ? v->shape.dims[0] : 0;
    if (n < 1 || n > DPL_MAX_RANK)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "shape is not a constant of 1 to %d values", DPL_MAX_RANK);
    all = dpli_shape_elements(&s->in[0]->shape);
    shape.rank = (int32_t)n;
    for (int32_t i = 0; i < shape.rank; i++) {
        int64_t d = ((const int64_t *)v->data)[i];

        d = d == 0 && !allow_zero && i < s->in[0]->shape.rank ? s->in[0]->shape.dims[i] : d;
        shape.dims[i] = d;
        if (d == -1)
            rest = i;
        else if (d < 1 || __builtin_mul_overflow(known, d, &known))
            known = INT64_MAX;
    }
    if (rest >= 0 && known <= all)
        shape.dims[rest] = all / known;
    return set_shape(g, s, &shape, err);
}

static dpl_status plan_trained_flatten(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    int64_t axis = *(const int64_t *)s->node->params;
    dpl_status status = dpli_tape_need(g, s, 0, err);

    if (status != DPL_OK)
        return status;
    if (s->in[0]->batch_axis != 0 || (axis != 1 && axis + s->in[0]->shape.rank != 1))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained with axis 1 only, the batch first");
    return set_shape(g, s, &(dpl_shape){2, {s->in[0]->n, (int64_t)dpli_tensor_item(s->in[0])}},
                     err);
}

/* to [columns, rows] (+)= from [rows, columns] transposed, in squares that stay in cache. */
static void transpose(float *to, const float *from, size_t rows, size_t columns, bool add)
{
    const size_t side = 32;

    for (size_t r0 = 0; r0 < rows; r0 += side) {
        size_t r1 = r0 + side < rows ? r0 + side : rows;

        for (size_t c0 = 0; c0 < columns; c0 += side) {
            size_t c1 = c0 + side < columns ? c0 + side : columns;

            for (size_t c = c0; c < c1; c++) {
                for (size_t r = r0; r < r1; r++)
                    to[c * rows + r] = (add ? to[c * rows + r] : 0.0f) + from[r * columns + c];
            }
        }
    }
}

/* What ONNX has outermost in an item and the memory innermost: a picture's channels. */
static size_t columns(const dpli_tensor *x)
{
    return x->picture ? (size_t)x->c : dpli_tensor_item(x);
}

static void plain_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t item = dpli_tensor_item(s->in[0]), c = columns(s->in[0]);

    (void)worker;
    for (size_t k = from; k < to; k++)
        transpose(s->out->value + k * item, s->in[0]->value + k * item, item / c, c, false);
}

static void nhwc_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t item = dpli_tensor_item(s->in[0]), c = columns(s->in[0]);

    (void)worker;
    for (size_t k = from; k < to; k++)
        transpose(s->in[0]->grad + k * item, s->out->grad + k * item, c, item / c, s->add[0]);
}

static void forward_flatten(dpli_tape_step *s)
{
    dpli_team_run(s->team, (size_t)s->out->n, plain_range, s);
}

static void backward_flatten(dpli_tape_step *s)
{
    if (s->in[0]->grad)
        dpli_team_run(s->team, (size_t)s->out->n, nhwc_range, s);
}

/* The axes that a node gives, as a mask over rank; all ones of the shape where it gives none. */
static bool axes_mask_of(const dpli_graph *g, const dpli_node *node, int32_t rank,
                         const dpl_shape *ones, uint32_t *mask)
{
    const axes_params *params = node->params;
    const dpli_value *given = dpli_graph_input(g, node, 1);
    const int64_t *axes = params->axes;
    int64_t n = params->n;
    bool fits = true;

    *mask = 0;
    if (given) {
        axes = given->data;
        n = axes && given->type == DPLI_I64 ? dpli_shape_elements(&given->shape) : -2;
    }
    for (int32_t i = 0; n == -1 && ones && i < rank; i++)
        *mask |= ones->dims[i] == 1 ? 1u << i : 0;
    for (int64_t i = 0; i < n && fits; i++) {
        int64_t axis = axes[i];

        fits = dpli_axis(&axis, rank) && !(*mask >> axis & 1);
        *mask |= fits ? 1u << axis : 0;
    }
    return fits && n >= (ones ? -1 : 0);
}

static dpl_status plan_trained_squeeze(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    dpl_status status = dpli_train_need_any(g, s, err);
    dpl_shape shape = {0};
    bool fits;
    uint32_t mask;

    if (status != DPL_OK)
        return status;
    fits = axes_mask_of(g, s->node, s->in[0]->shape.rank, &s->in[0]->shape, &mask);
    for (int32_t i = 0; i < s->in[0]->shape.rank && fits; i++) {
        fits = !(mask >> i & 1) || (s->in[0]->shape.dims[i] == 1 && i != s->in[0]->batch_axis);
        if (!(mask >> i & 1))
            shape.dims[shape.rank++] = s->in[0]->shape.dims[i];
    }
    if (!fits)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "axes do not fit the input, or are not constant");
    return set_shape(g, s, &shape, err);
}

static dpl_status plan_trained_unsqueeze(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    dpl_status status = dpli_train_need_any(g, s, err);
    const dpli_value *given = dpli_graph_input(g, s->node, 1);
    const axes_params *params = s->node->params;
    dpl_shape shape = {0};
    int64_t n = params->n;
    int32_t from = 0, at = 0;
    uint32_t mask;

    if (status != DPL_OK)
        return status;
    n = given && given->data ? dpli_shape_elements(&given->shape) : n;
    if (n < 0 || n + s->in[0]->shape.rank > DPL_MAX_RANK ||
        !axes_mask_of(g, s->node, (int32_t)n + s->in[0]->shape.rank, NULL, &mask))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "axes do not fit the input, or are not constant");
    shape.rank = (int32_t)n + s->in[0]->shape.rank;
    for (int32_t i = 0; i < shape.rank; i++) {
        at = !(mask >> i & 1) && from == s->in[0]->batch_axis ? i : at;
        shape.dims[i] = mask >> i & 1 ? 1 : s->in[0]->shape.dims[from++];
    }
    if (s->in[0]->picture || !dpli_tensor_shape_at(s->out, &shape, at))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "of a picture cannot be trained");
    s->out->type = s->in[0]->type;
    s->out->root = s->in[0];
    return DPL_OK;
}

static const dpli_trained trained_squeeze = {0, plan_trained_squeeze, forward_flatten,
                                             backward_flatten};
static const dpli_trained trained_unsqueeze = {0, plan_trained_unsqueeze, forward_flatten,
                                               backward_flatten};
static const dpli_trained trained_reshape = {0, plan_trained_reshape, forward_flatten,
                                             backward_flatten};
static const dpli_trained trained_flatten = {0, plan_trained_flatten, forward_flatten,
                                             backward_flatten};

/* ------------------------------------------------------------------ constants */

static dpl_status load_constant(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpli_attr *attr = node->n_attrs == 1 ? &node->attrs[0] : NULL;
    int32_t *value = dpli_node_params(node, sizeof *value, err);
    dpl_shape shape = {0};
    size_t n = 1;
    bool list;

    if (!value)
        return DPL_E_MEMORY;
    if (!attr)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has not one value");
    attr->used = true;
    if (attr->kind == DPLI_ATTR_TENSOR && strcmp(attr->name, "value") == 0) {
        *value = attr->tensor;
        return DPL_OK;
    }
    list = attr->kind == DPLI_ATTR_FLOATS || attr->kind == DPLI_ATTR_INTS;
    if (attr->kind == DPLI_ATTR_TENSOR || attr->kind == DPLI_ATTR_STRING)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "attribute \"%s\" is not supported",
                              attr->name);
    if (list) {
        n = attr->n;
        shape = (dpl_shape){1, {(int64_t)n}};
    }
    if (attr->kind == DPLI_ATTR_FLOAT || attr->kind == DPLI_ATTR_FLOATS) {
        const float *from = list ? attr->floats : &attr->f;

        for (size_t i = 0; i < n; i++) {
            if (!isfinite(from[i]) && from[i] != -INFINITY)
                return dpli_node_fail(g, node, DPL_E_MODEL, err, "is not finite");
        }
        *value = dpli_graph_constant(g, "constant", DPLI_F32, &shape, err);
        if (*value >= 0 && n > 0)
            memcpy(g->values[*value].data, from, n * sizeof(float));
    } else {
        *value = dpli_graph_constant(g, "constant", DPLI_I64, &shape, err);
        if (*value >= 0 && n > 0)
            memcpy(g->values[*value].data, list ? attr->ints : &attr->i, n * sizeof(int64_t));
    }
    return *value >= 0 ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status plan_constant(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_BUG, err, "was not folded");
}

int32_t dpli_constant_of(const dpli_node *node)
{
    return node->op->plan == plan_constant ? *(const int32_t *)node->params : -1;
}

typedef struct fill_params {
    dpli_type type;
    float f;
    int64_t i;
} fill_params;

static dpl_status load_constant_of_shape(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    fill_params *params = dpli_node_params(node, sizeof *params, err);
    const dpli_attr *attr = dpli_attr_find(node, "value");
    const dpli_value *v;

    if (!params || !attr)
        return params ? DPL_OK : DPL_E_MEMORY;
    v = attr->kind == DPLI_ATTR_TENSOR ? &g->values[attr->tensor] : NULL;
    if (!v || dpli_shape_elements(&v->shape) != 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "value is not one element");
    params->type = v->type;
    if (v->type == DPLI_F32)
        params->f = *(const float *)v->data;
    else
        params->i = *(const int64_t *)v->data;
    return DPL_OK;
}

static dpl_status plan_constant_of_shape(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const fill_params *params = node->params;
    dpl_shape shape;
    const int64_t *dims;
    int64_t n, elements;
    void *data;
    dpl_status status = dpli_plan_ints(p, node, 0, &dims, &n, err);

    if (status != DPL_OK)
        return status;
    if (n > DPL_MAX_RANK)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "result has more than %d dimensions", DPL_MAX_RANK);
    shape.rank = (int32_t)n;
    for (int64_t i = 0; i < n; i++)
        shape.dims[i] = dims[i];
    elements = dpli_shape_elements(&shape);
    if (elements < 0)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "result is too large");
    status = dpli_plan_known(p, node, 0, params->type, &shape, &data, err);
    if (status != DPL_OK)
        return status;
    for (int64_t i = 0; i < elements; i++) {
        if (params->type == DPLI_F32)
            ((float *)data)[i] = params->f;
        else
            ((int64_t *)data)[i] = params->i;
    }
    return DPL_OK;
}

static dpl_status load_shape(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t *range = dpli_node_params(node, 2 * sizeof *range, err);
    dpl_status status;

    if (!range)
        return DPL_E_MEMORY;
    range[1] = INT64_MAX;
    status = dpli_attr_int(g, node, "start", &range[0], err);
    return status == DPL_OK ? dpli_attr_int(g, node, "end", &range[1], err) : status;
}

int32_t dpli_shape_of(const dpli_node *node, const dpl_shape *x, int64_t dims[DPL_MAX_RANK])
{
    const int64_t *range = node->params;
    int64_t bound[2];

    if (node->op->load != load_shape)
        return -1;
    for (int32_t i = 0; i < 2; i++) {
        bound[i] = range[i] < 0 ? range[i] + x->rank : range[i];
        bound[i] = bound[i] < 0 ? 0 : bound[i] > x->rank ? x->rank : bound[i];
    }
    for (int64_t i = bound[0]; i < bound[1]; i++)
        dims[i - bound[0]] = x->dims[i];
    return bound[1] > bound[0] ? (int32_t)(bound[1] - bound[0]) : 0;
}

static dpl_status plan_shape(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    int64_t dims[DPL_MAX_RANK];
    const int32_t n = dpli_shape_of(node, &dpli_plan_in(p, node, 0)->shape, dims);
    void *data;
    const dpl_status status =
        dpli_plan_known(p, node, 0, DPLI_I64, &(dpl_shape){1, {n}}, &data, err);

    if (status == DPL_OK && n > 0)
        memcpy(data, dims, (size_t)n * sizeof *dims);
    return status;
}

/* ------------------------------------------------------------------ Range, Mod */

/* Exporters write both where they count with shapes: of integers that are known while planning. */
static dpl_status known_int(dpli_planner *p, const dpli_node *node, int32_t i, int64_t *out,
                            dpl_error *err)
{
    const int64_t *list;
    int64_t n;
    dpl_status status = dpli_plan_ints(p, node, i, &list, &n, err);

    if (status == DPL_OK && n != 1)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "input %d is not one integer", (int)i);
    if (status == DPL_OK)
        *out = *list;
    return status;
}

static dpl_status plan_range(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    int64_t bounds[3] = {0}, *to;
    dpl_shape shape = {.rank = 1};
    void *data;
    dpl_status status = DPL_OK;

    for (int32_t i = 0; i < 3 && status == DPL_OK; i++)
        status = known_int(p, node, i, &bounds[i], err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < 3; i++) {
        if (bounds[i] > DPLI_MAX_ELEMENTS || bounds[i] < -DPLI_MAX_ELEMENTS || bounds[2] == 0)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "from %lld to %lld by %lld is no range", (long long)bounds[0],
                                  (long long)bounds[1], (long long)bounds[2]);
    }
    if ((bounds[2] > 0) == (bounds[1] > bounds[0]) && bounds[1] != bounds[0])
        shape.dims[0] = (bounds[1] - bounds[0] + bounds[2] - (bounds[2] > 0 ? 1 : -1)) / bounds[2];
    status = dpli_plan_known(p, node, 0, DPLI_I64, &shape, &data, err);
    to = data;
    for (int64_t i = 0; i < shape.dims[0] && status == DPL_OK; i++)
        to[i] = bounds[0] + i * bounds[2];
    return status;
}

static dpl_status load_mod(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t fmod = 0;
    dpl_status status = dpli_attr_int(g, node, "fmod", &fmod, err);

    if (status == DPL_OK && fmod != 0)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "fmod is not supported");
    return status;
}

static dpl_status plan_mod(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpl_shape shape = dpli_plan_in(p, node, 0)->shape;
    const int64_t *list;
    int64_t by = 0, n;
    void *data;
    dpl_status status = dpli_plan_ints(p, node, 0, &list, &n, err);

    if (status == DPL_OK)
        status = known_int(p, node, 1, &by, err);
    if (status == DPL_OK && by == 0)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "is by 0");
    if (status == DPL_OK)
        status = dpli_plan_known(p, node, 0, DPLI_I64, &shape, &data, err);
    for (int64_t i = 0; i < n && status == DPL_OK; i++) {
        /* The result has the divisor's sign, as Python's; by -1 there is none, and C's overflows.
         */
        const int64_t rest = by == -1 ? 0 : list[i] % by;

        ((int64_t *)data)[i] = rest != 0 && (rest < 0) != (by < 0) ? rest + by : rest;
    }
    return status;
}

/* ------------------------------------------------------------------ Cast */

/* ONNX's numbers of types (TensorProto.DataType) and what they can hold. */
static const struct {
    int64_t number;
    bool is_float;
    int64_t min, max;
} cast_types[] = {{1, true, 0, 0},
                  {10, true, 0, 0},
                  {11, true, 0, 0},
                  {2, false, 0, UINT8_MAX},
                  {3, false, INT8_MIN, INT8_MAX},
                  {4, false, 0, UINT16_MAX},
                  {5, false, INT16_MIN, INT16_MAX},
                  {6, false, INT32_MIN, INT32_MAX},
                  {7, false, INT64_MIN, INT64_MAX},
                  {9, false, 0, 1},
                  {12, false, 0, UINT32_MAX},
                  {13, false, 0, INT64_MAX}};

#define CAST_INT64 7
#define CAST_BOOL  9

static dpl_status load_cast(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int32_t *index = dpli_node_params(node, sizeof *index, err);
    int64_t number = 0;
    dpl_status status;

    if (!index)
        return DPL_E_MEMORY;
    status = dpli_attr_int(g, node, "to", &number, err);
    if (status != DPL_OK)
        return status;
    for (*index = 0; (size_t)*index < sizeof cast_types / sizeof *cast_types; ++*index) {
        if (cast_types[*index].number == number)
            return DPL_OK;
    }
    return dpli_node_fail(g, node, DPL_E_MODEL, err, "type %lld is not supported",
                          (long long)number);
}

typedef struct cast_step {
    int32_t to;
    bool from_float;
    size_t n;
} cast_step;

/* What does not fit the type becomes the nearest that does; what is not a number, 0. */
static void cast(const cast_step *s, void *out, const void *in)
{
    const int64_t min = cast_types[s->to].min, max = cast_types[s->to].max;
    const bool whether = cast_types[s->to].number == CAST_BOOL;
    const int64_t *ints = in;
    const float *floats = in;
    int64_t *y = out;

    if (cast_types[s->to].is_float) {
        for (size_t i = 0; i < s->n; i++)
            ((float *)out)[i] = (float)ints[i];
        return;
    }
    for (size_t i = 0; i < s->n && !s->from_float; i++)
        y[i] = whether ? ints[i] != 0 : ints[i] < min ? min : ints[i] > max ? max : ints[i];
    for (size_t i = 0; i < s->n && s->from_float; i++) {
        const float x = floats[i];

        if (whether)
            y[i] = x != 0.0f;
        else if (x != x)
            y[i] = 0;
        else
            y[i] = x <= (float)min ? min : x >= (float)max ? max : (int64_t)x;
    }
}

static void run_cast(const dpli_step *step)
{
    cast(step->params, step->out, step->in[0]);
}

static dpl_status plan_cast_step(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                                 int32_t to, dpl_error *err)
{
    const dpli_order order = dpli_plan_order(x);
    const dpli_type type = cast_types[to].is_float ? DPLI_F32 : DPLI_I64;
    dpli_ref in, out;
    dpli_step *step;
    dpl_status status = dpli_plan_use(p, node, x, order, &in, err);

    if (status == DPL_OK)
        status = dpli_plan_out_of(p, node, 0, type, &x->shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_cast, sizeof(cast_step), &x->shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(cast_step *)step->params =
        (cast_step){to, x->type == DPLI_F32, (size_t)dpli_shape_elements(&x->shape)};
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_cast(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    int32_t to = *(const int32_t *)node->params;
    dpli_planned *x = dpli_plan_in(p, node, 0);
    int64_t n = dpli_shape_elements(&x->shape);
    void *data;
    dpl_status status;

    if (x->type == DPLI_F32 && cast_types[to].is_float)
        return plan_identity(p, node, err);
    if (x->type == DPLI_I64 && cast_types[to].number == CAST_INT64)
        return plan_identity(p, node, err);
    if (!x->known)
        return plan_cast_step(p, node, x, to, err);
    status = dpli_plan_known(p, node, 0, cast_types[to].is_float ? DPLI_F32 : DPLI_I64, &x->shape,
                             &data, err);
    if (status != DPL_OK)
        return status;
    for (int64_t i = 0; i < n; i++) {
        int64_t value;

        if (cast_types[to].is_float) {
            ((float *)data)[i] = (float)((const int64_t *)x->known)[i];
            continue;
        }
        if (x->type == DPLI_I64) {
            value = ((const int64_t *)x->known)[i];
            if (cast_types[to].number == CAST_BOOL)
                value = value != 0;
        } else {
            float f = ((const float *)x->known)[i];

            if (!(fabsf(f) < 9.2e18f))
                return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                      "%g is no integer", (double)f);
            value = cast_types[to].number == CAST_BOOL ? f != 0.0f : (int64_t)f;
        }
        if (value < cast_types[to].min || value > cast_types[to].max)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "%lld does not fit the type", (long long)value);
        ((int64_t *)data)[i] = value;
    }
    return DPL_OK;
}

/* Between floats it does nothing; of anything else there is no gradient. */
static dpl_status plan_trained_cast(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const int32_t to = *(const int32_t *)s->node->params;
    dpl_status status = dpli_train_need_any(g, s, err);

    if (status != DPL_OK)
        return status;
    if (cast_types[to].is_float && s->in[0]->type == DPLI_F32) {
        dpli_train_alias(s->out, s->in[0]);
        return DPL_OK;
    }
    dpli_train_as(s->out, s->in[0]);
    s->out->type = cast_types[to].is_float ? DPLI_F32 : DPLI_I64;
    return DPL_OK;
}

static void cast_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const cast_step c = {*(const int32_t *)s->node->params, s->in[0]->type == DPLI_F32, to - from};
    const void *x = c.from_float ? (const void *)(s->in[0]->value + from) : s->in[0]->ids + from;
    void *y = s->out->type == DPLI_F32 ? (void *)(s->out->value + from) : s->out->ids + from;

    (void)worker;
    cast(&c, y, x);
}

static void forward_cast(dpli_tape_step *s)
{
    dpli_team_run(s->team, dpli_tensor_floats(s->out), cast_range, s);
}

static const dpli_trained trained_cast = {0, plan_trained_cast, forward_cast,
                                          dpli_train_no_backward};

const dpli_op dpli_ops_shape[] = {
    {"Reshape", DPLI_ROLE_OTHER, 2, 2, 1, false, load_reshape, NULL, plan_reshape,
     &trained_reshape},
    {"Flatten", DPLI_ROLE_OTHER, 1, 1, 1, false, load_flatten, NULL, plan_flatten,
     &trained_flatten},
    {"Squeeze", DPLI_ROLE_OTHER, 1, 2, 1, false, load_axes, NULL, plan_squeeze, &trained_squeeze},
    {"Unsqueeze", DPLI_ROLE_OTHER, 1, 2, 1, false, load_axes, NULL, plan_unsqueeze,
     &trained_unsqueeze},
    {"Identity", DPLI_ROLE_SAME, 1, 1, 1, false, NULL, NULL, plan_identity, &trained_identity},
    {"Dropout", DPLI_ROLE_DROPOUT, 1, 3, 1, false, load_dropout, NULL, plan_dropout,
     &trained_dropout},
    {"Constant", DPLI_ROLE_OTHER, 0, 0, 1, false, load_constant, NULL, plan_constant, NULL},
    {"ConstantOfShape", DPLI_ROLE_OTHER, 1, 1, 1, false, load_constant_of_shape, NULL,
     plan_constant_of_shape, NULL},
    {"Shape", DPLI_ROLE_OTHER, 1, 1, 1, false, load_shape, NULL, plan_shape, NULL},
    {"Range", DPLI_ROLE_OTHER, 3, 3, 1, false, NULL, NULL, plan_range, NULL},
    {"Mod", DPLI_ROLE_OTHER, 2, 2, 1, false, load_mod, NULL, plan_mod, NULL},
    {"Cast", DPLI_ROLE_CAST, 1, 1, 1, false, load_cast, NULL, plan_cast, &trained_cast},
    {0},
};
