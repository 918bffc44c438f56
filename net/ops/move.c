/*
 * move.c - what only moves elements: Concat, Split, Slice, Transpose, Gather, Expand. On floats
 * while running, on known values of either type while planning.
 *
 * Source: ONNX Concat-13, Split-18, Slice-13, Transpose-13, Gather-13, Expand-13.
 */
#include "net/ops/move.h"

#include <math.h>
#include <string.h>

#include "net/ops/axes.h"
#include "net/ops/binary.h"
#include "net/ops/train.h"
#include "net/planner.h"

/* Where moved elements go: a known value or a buffer. */
typedef struct target {
    void *known;
    dpli_ref ref;
} target;

static dpl_status open_target(dpli_planner *p, const dpli_node *node, int32_t i, bool known,
                              dpli_type type, const dpl_shape *shape, dpli_order order, target *t,
                              dpl_error *err)
{
    t->known = NULL;
    if (known)
        return dpli_plan_known(p, node, i, type, shape, &t->known, err);
    return dpli_plan_out_of(p, node, i, type, shape, order, &t->ref, err);
}

static dpl_status put(dpli_planner *p, const dpli_node *node, const target *t, dpli_planned *x,
                      dpli_order order, const dpli_move *m, const dpl_shape *shape, dpl_error *err)
{
    dpli_ref from;
    dpl_status status;

    if (t->known) {
        if (dpli_shape_elements(&x->shape) == 0)
            return DPL_OK;
        dpli_move_run(m, t->known, x->known, dpli_type_bytes(x->type));
        return DPL_OK;
    }
    status = dpli_plan_use(p, node, x, order, &from, err);
    return status == DPL_OK ? dpli_plan_move(p, node, x->type, m, t->ref, from, shape, err)
                            : status;
}

/* All elements of a box of dims, in the order of the target's memory. */
static dpli_move box(const dpl_shape *dims, dpli_order order, const int64_t *to,
                     const int64_t *from)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    dpli_move m = {.rank = dims->rank};

    for (int32_t i = 0; i < dims->rank; i++) {
        int32_t d = dims->rank == 4 && order == DPLI_NHWC ? nhwc[i] : i;

        m.dims[i] = dims->dims[d];
        m.to[i] = to[d];
        m.from[i] = from[d];
    }
    return m;
}

static dpl_status bad_axis(dpli_planner *p, const dpli_node *node, int64_t axis, int32_t rank,
                           dpl_error *err)
{
    return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                          "axis %lld does not fit rank %d", (long long)axis, (int)rank);
}

static dpl_status load_axis(dpli_graph *g, dpli_node *node, int64_t fallback, bool required,
                            dpl_error *err)
{
    int64_t *axis = dpli_node_params(node, sizeof *axis, err);

    if (!axis)
        return DPL_E_MEMORY;
    *axis = fallback;
    if (required && !dpli_attr_find(node, "axis"))
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no axis");
    return dpli_attr_int(g, node, "axis", axis, err);
}

/* ------------------------------------------------------------------ Concat */

static dpl_status load_concat(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    return load_axis(g, node, 0, true, err);
}

static dpl_status plan_concat(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    int64_t axis = *(const int64_t *)node->params, to[DPL_MAX_RANK], offset = 0;
    dpli_planned *first = dpli_plan_in(p, node, 0);
    dpl_shape shape = first->shape;
    dpli_order order = DPLI_PLAIN;
    bool known = true;
    target t;
    dpl_status status;

    if (!dpli_axis(&axis, shape.rank))
        return bad_axis(p, node, axis, shape.rank, err);
    shape.dims[axis] = 0;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        dpli_planned *x = dpli_plan_in(p, node, i);
        dpl_shape other;

        if (!x)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                                  "input %d is left out", (int)i);
        other = x->shape;
        if (other.rank == shape.rank)
            other.dims[axis] = shape.dims[axis];
        if (!dpli_shape_equal(&other, &shape) || x->type != first->type) {
            char words[2][DPLI_SHAPE_TEXT];

            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "%s and %s do not fit together on axis %lld",
                                  dpli_shape_text(&first->shape, words[0]),
                                  dpli_shape_text(&x->shape, words[1]), (long long)axis);
        }
        shape.dims[axis] += x->shape.dims[axis];
        if (shape.dims[axis] > DPLI_MAX_ELEMENTS)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "result is too large");
        if (dpli_plan_order(x) == DPLI_NHWC)
            order = DPLI_NHWC;
        known = known && x->known;
    }
    known = known && dpli_plan_foldable(first, dpli_shape_elements(&shape));
    if (known)
        order = DPLI_PLAIN;
    status = open_target(p, node, 0, known, first->type, &shape, order, &t, err);
    if (status != DPL_OK)
        return status;
    dpli_strides(&shape, order, to);
    for (int32_t i = 0; i < node->n_inputs && status == DPL_OK; i++) {
        dpli_planned *x = dpli_plan_in(p, node, i);
        int64_t from[DPL_MAX_RANK];
        dpli_move m;

        if (dpli_shape_elements(&x->shape) == 0)
            continue;
        dpli_strides(&x->shape, order, from);
        m = box(&x->shape, order, to, from);
        m.to_offset = offset * to[axis];
        offset += x->shape.dims[axis];
        status = put(p, node, &t, x, order, &m, &shape, err);
    }
    return status;
}

static bool same_but_axis(const dpli_tensor *x, const dpli_tensor *y, int64_t axis)
{
    dpl_shape shape = x->shape;

    if (shape.rank == y->shape.rank)
        shape.dims[axis] = y->shape.dims[axis];
    return dpli_shape_equal(&shape, &y->shape) && x->batch_axis == y->batch_axis &&
           x->picture == y->picture;
}

static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    int64_t axis = *(const int64_t *)s->node->params, all = 0;
    dpl_shape shape;
    int64_t *state = s->state; /* floats behind the axis, the axis */

    for (int32_t i = 0; i < s->n_in; i++) {
        dpl_status status = dpli_tape_need(g, s, i, err);
        const dpli_tensor *x = s->in[i], *first = s->in[0];

        if (status != DPL_OK)
            return status;
        if (!dpli_axis(&axis, first->shape.rank) || axis == first->batch_axis ||
            (first->picture && axis != 1))
            return dpli_node_fail(
                g, s->node, DPL_E_MODEL, err,
                "is trained along the channels of pictures, and not along the batch");
        if (!same_but_axis(x, first, axis) || all + x->shape.dims[axis] > INT32_MAX)
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "inputs do not fit together");
        all += x->shape.dims[axis];
    }
    shape = s->in[0]->shape;
    shape.dims[axis] = all;
    if (!(s->in[0]->picture ? dpli_tensor_shape(s->out, &shape)
                            : dpli_tensor_shape_at(s->out, &shape, s->in[0]->batch_axis)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    state[0] = 1;
    state[1] = axis;
    for (int32_t i = (int32_t)axis + 1; i < shape.rank && !s->in[0]->picture; i++)
        state[0] *= i == s->in[0]->batch_axis ? 1 : shape.dims[i];
    return DPL_OK;
}

/* Floats of an input, and rows of them all, that lie behind one another in the result. */
static size_t run_of(const dpli_tape_step *s, const dpli_tensor *x)
{
    const int64_t *state = s->state;

    return (size_t)(x->shape.dims[state[1]] * state[0]);
}

static size_t n_runs(const dpli_tape_step *s)
{
    return dpli_tensor_floats(s->out) / run_of(s, s->out);
}

static void join_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    float *y = s->out->value + from * run_of(s, s->out);

    (void)worker;
    for (size_t r = from; r < to; r++) {
        for (int32_t i = 0; i < s->n_in; i++) {
            size_t c = run_of(s, s->in[i]);

            memcpy(y, s->in[i]->value + r * c, c * sizeof *y);
            y += c;
        }
    }
}

static void part_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const float *g = s->out->grad + from * run_of(s, s->out);

    (void)worker;
    for (size_t r = from; r < to; r++) {
        for (int32_t i = 0; i < s->n_in; i++) {
            size_t c = run_of(s, s->in[i]);
            float *dx = s->in[i]->grad ? s->in[i]->grad + r * c : NULL;

            if (dx && !s->add[i])
                memcpy(dx, g, c * sizeof *dx);
            for (size_t k = 0; dx && s->add[i] && k < c; k++)
                dx[k] += g[k];
            g += c;
        }
    }
}

static void forward_concat(dpli_tape_step *s)
{
    dpli_team_run(s->team, n_runs(s), join_range, s);
}

static void backward_concat(dpli_tape_step *s)
{
    dpli_team_run(s->team, n_runs(s), part_range, s);
}

static const dpli_trained trained_concat = {2 * sizeof(int64_t), plan_trained, forward_concat,
                                            backward_concat};

/* ------------------------------------------------------------------ Split, Slice */

typedef struct split_params {
    int64_t axis, n_parts; /* n_parts 0: the outputs' number */
    int64_t *sizes;        /* the attribute's, borrowed from the node */
    size_t n_sizes;
} split_params;

static dpl_status load_split(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    split_params *params = dpli_node_params(node, sizeof *params, err);
    dpli_attr *sizes = g->opset < 13 ? dpli_attr_find(node, "split") : NULL;
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    if (sizes && sizes->kind != DPLI_ATTR_INTS)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "split is not a list of integers");
    if (sizes) {
        params->sizes = sizes->ints;
        params->n_sizes = sizes->n;
    }
    status = dpli_attr_int(g, node, "axis", &params->axis, err);
    if (status == DPL_OK && g->opset >= 18)
        status = dpli_attr_int(g, node, "num_outputs", &params->n_parts, err);
    if (status == DPL_OK && params->n_parts != 0 && params->n_parts != node->n_outputs)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "num_outputs is not the outputs' number");
    return status;
}

/* The part of x that begins at begin and takes steps, as output i. */
static dpl_status plan_part(dpli_planner *p, const dpli_node *node, int32_t i, dpli_planned *x,
                            const int64_t *begin, const int64_t *step, const dpl_shape *shape,
                            dpl_error *err)
{
    bool known = dpli_plan_foldable(x, dpli_shape_elements(shape));
    dpli_order order = known ? DPLI_PLAIN : dpli_plan_order(x);
    int64_t to[DPL_MAX_RANK], from[DPL_MAX_RANK], offset = 0;
    dpli_move m;
    target t;
    dpl_status status = open_target(p, node, i, known, x->type, shape, order, &t, err);

    if (status != DPL_OK || dpli_shape_elements(shape) == 0)
        return status;
    dpli_strides(shape, order, to);
    dpli_strides(&x->shape, order, from);
    for (int32_t d = 0; d < shape->rank; d++) {
        offset += begin[d] * from[d];
        from[d] *= step[d];
    }
    m = box(shape, order, to, from);
    m.from_offset = offset;
    return put(p, node, &t, x, order, &m, shape, err);
}

static dpl_status plan_split(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const split_params *params = node->params;
    dpli_planned *x = dpli_plan_in(p, node, 0);
    int64_t axis = params->axis, n = (int64_t)params->n_sizes, even;
    int64_t begin[DPL_MAX_RANK] = {0}, step[DPL_MAX_RANK];
    const int64_t *sizes = params->sizes;
    dpl_status status = DPL_OK;

    if (!dpli_axis(&axis, x->shape.rank))
        return bad_axis(p, node, axis, x->shape.rank, err);
    if (dpli_plan_in(p, node, 1)) {
        status = dpli_plan_ints(p, node, 1, &sizes, &n, err);
        if (status != DPL_OK)
            return status;
    }
    if (sizes && n != node->n_outputs)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "has %d outputs and %lld sizes", (int)node->n_outputs, (long long)n);
    /* Opset 18: the last part takes what is left. */
    even = (x->shape.dims[axis] + node->n_outputs - 1) / node->n_outputs;
    if (!sizes && params->n_parts == 0 && x->shape.dims[axis] % node->n_outputs != 0)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "%lld does not split into %d equal parts",
                              (long long)x->shape.dims[axis], (int)node->n_outputs);
    for (int32_t d = 0; d < DPL_MAX_RANK; d++)
        step[d] = 1;
    for (int32_t i = 0; i < node->n_outputs && status == DPL_OK; i++) {
        dpl_shape shape = x->shape;
        int64_t left = x->shape.dims[axis] - begin[axis];
        int64_t size = sizes ? sizes[i] : even < left ? even : left;

        if (size < 1 || size > left || (i == node->n_outputs - 1 && size != left))
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "sizes do not fit %lld", (long long)x->shape.dims[axis]);
        shape.dims[axis] = size;
        if (node->outputs[i] >= 0)
            status = plan_part(p, node, i, x, begin, step, &shape, err);
        begin[axis] += size;
    }
    return status;
}

/* By the outputs' numbers; those that nobody reads have no tensor. */
typedef struct split_state {
    dpli_train_move parts[DPLI_TAPE_MORE + 1];
} split_state;

static dpli_tensor *part_of(const dpli_tape_step *s, int32_t i)
{
    return i == 0 ? s->out : s->more[i - 1];
}

static dpl_status plan_trained_split(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const split_params *params = s->node->params;
    const dpli_value *given = dpli_graph_input(g, s->node, 1);
    const dpli_tensor *x = s->in[0];
    const int64_t n_outputs = s->node->n_outputs;
    const int64_t *sizes = params->sizes;
    split_state *state = s->state;
    int64_t n = (int64_t)params->n_sizes, axis = params->axis, begin = 0, own[DPL_MAX_RANK];
    dpl_status status = dpli_train_need_any(g, s, err);
    bool fits;

    if (status != DPL_OK)
        return status;
    fits = dpli_axis(&axis, x->shape.rank) && axis != x->batch_axis &&
           (!given || (given->data && given->type == DPLI_I64 && given->shape.rank == 1));
    if (given && fits) {
        sizes = given->data;
        n = given->shape.dims[0];
    }
    fits = fits && (!sizes || n == n_outputs);
    const int64_t whole = fits ? x->shape.dims[axis] : 0;
    const int64_t even = (whole + n_outputs - 1) / n_outputs;
    fits = fits && (sizes || params->n_parts || whole % n_outputs == 0);
    dpli_tensor_strides(x, own);
    for (int32_t i = 0; i < n_outputs && fits; i++) {
        const int64_t left = whole - begin, size = sizes ? sizes[i] : even < left ? even : left;
        int64_t strides[2][DPL_MAX_RANK];
        dpl_shape shape = x->shape;
        dpli_tensor *y = part_of(s, i);

        fits = size >= 1 && size <= left && (i < n_outputs - 1 || size == left);
        shape.dims[axis] = size;
        if (fits && y) {
            fits = x->picture ? dpli_tensor_shape(y, &shape)
                              : dpli_tensor_shape_at(y, &shape, x->batch_axis);
            y->type = x->type;
            dpli_tensor_strides(y, strides[0]);
            memcpy(strides[1], own, sizeof own);
            state->parts[i].offset = begin * own[axis];
            dpli_items_make(&state->parts[i].items, y, 2, (const int64_t(*)[DPL_MAX_RANK])strides);
        }
        begin += size;
    }
    return fits ? DPL_OK
                : dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                                 "is trained with constant sizes that fit, and not across the "
                                 "batch");
}

/* Each part is moved as if it were the only result. */
static void each_part(dpli_tape_step *s, void (*move)(dpli_tape_step *s), bool back)
{
    split_state *state = s->state;
    bool add = s->add[0];

    for (int32_t i = 0; i < s->node->n_outputs; i++) {
        dpli_tape_step one = *s;

        one.out = part_of(s, i);
        if (!one.out || (back ? !one.out->grad : !one.out->value && !one.out->ids))
            continue;
        one.state = &state->parts[i];
        one.add[0] = add;
        move(&one);
        add = true; /* the first has written all of the input's gradient */
    }
    if (back && !add && s->in[0]->grad)
        memset(s->in[0]->grad, 0, dpli_tensor_floats(s->in[0]) * sizeof(float));
}

static void forward_split(dpli_tape_step *s)
{
    each_part(s, dpli_train_move_forward, false);
}

static void backward_split(dpli_tape_step *s)
{
    each_part(s, dpli_train_move_backward, true);
}

static const dpli_trained trained_split = {sizeof(split_state), plan_trained_split, forward_split,
                                           backward_split};

typedef struct slice_params {
    int64_t starts[DPL_MAX_RANK], ends[DPL_MAX_RANK], axes[DPL_MAX_RANK];
    int32_t n, n_ends, n_axes;
} slice_params;

static dpl_status load_slice(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    slice_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->n = params->n_ends = params->n_axes = -1;
    if (g->opset >= 10) {
        if (node->n_inputs < 3)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no starts or ends");
        return DPL_OK;
    }
    if (node->n_inputs > 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has starts as input before opset 10");
    status = dpli_attr_ints(g, node, "starts", params->starts, DPL_MAX_RANK, &params->n, err);
    if (status == DPL_OK)
        status = dpli_attr_ints(g, node, "ends", params->ends, DPL_MAX_RANK, &params->n_ends, err);
    if (status == DPL_OK)
        status = dpli_attr_ints(g, node, "axes", params->axes, DPL_MAX_RANK, &params->n_axes, err);
    return status;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* begin, step and length of a slice of n elements. */
static int64_t slice_axis(int64_t n, int64_t start, int64_t end, int64_t *begin, int64_t *step)
{
    /* No axis is that long; so nothing below overflows. */
    *step = clamp(*step, -DPLI_MAX_ELEMENTS, DPLI_MAX_ELEMENTS);
    start += start < 0 ? n : 0;
    end += end < 0 ? n : 0;
    if (*step > 0) {
        *begin = clamp(start, 0, n);
        end = clamp(end, 0, n);
        return end > *begin ? (end - *begin + *step - 1) / *step : 0;
    }
    *begin = clamp(start, 0, n - 1);
    end = clamp(end, -1, n - 1);
    return end < *begin ? (*begin - end - *step - 1) / -*step : 0;
}

static dpl_status plan_slice(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const slice_params *params = node->params;
    const dpli_graph *g = dpli_plan_graph(p);
    const int64_t *list[4] = {params->starts, params->ends, params->axes, NULL};
    int64_t n[4] = {params->n, params->n_ends, params->n_axes, -1};
    int64_t begin[DPL_MAX_RANK] = {0}, step[DPL_MAX_RANK];
    dpli_planned *x = dpli_plan_in(p, node, 0);
    dpl_shape shape = x->shape;
    uint32_t seen = 0;

    for (int32_t i = 0; i < 4; i++) {
        dpl_status status = dpli_plan_in(p, node, i + 1)
                                ? dpli_plan_ints(p, node, i + 1, &list[i], &n[i], err)
                                : DPL_OK;

        if (status != DPL_OK)
            return status;
    }
    if (n[0] < 0 || n[0] != n[1] || (n[2] >= 0 && n[2] != n[0]) || (n[3] >= 0 && n[3] != n[0]) ||
        n[0] > shape.rank)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "starts, ends, axes and steps do not fit together");
    for (int32_t d = 0; d < DPL_MAX_RANK; d++)
        step[d] = 1;
    for (int64_t i = 0; i < n[0]; i++) {
        int64_t axis = n[2] >= 0 ? list[2][i] : i;

        if (!dpli_axis(&axis, shape.rank) || seen >> axis & 1)
            return bad_axis(p, node, axis, shape.rank, err);
        seen |= 1u << axis;
        step[axis] = n[3] >= 0 ? list[3][i] : 1;
        if (step[axis] == 0)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "has a step of 0");
        shape.dims[axis] =
            slice_axis(x->shape.dims[axis], list[0][i], list[1][i], &begin[axis], &step[axis]);
    }
    if (dpli_shape_equal(&shape, &x->shape)) {
        bool forward = true;

        for (int32_t d = 0; d < shape.rank; d++)
            forward = forward && (step[d] > 0 || shape.dims[d] <= 1);
        if (forward)
            return dpli_plan_alias(p, node, 0, x, dpli_plan_order(x), &shape, dpli_plan_order(x),
                                   err);
    }
    return plan_part(p, node, 0, x, begin, step, &shape, err);
}

/* Of constants, one step an axis of the result. */
static dpl_status plan_trained_slice(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const slice_params *params = s->node->params;
    const int64_t *list[4] = {params->starts, params->ends, params->axes, NULL};
    int64_t n[4] = {params->n, params->n_ends, params->n_axes, -1};
    int64_t strides[2][DPL_MAX_RANK];
    dpli_train_move *m = s->state;
    const dpli_tensor *x = s->in[0];
    dpl_shape shape;
    uint32_t seen = 0;
    bool fits = true;
    dpl_status status = dpli_train_need_any(g, s, err);

    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < 4; i++) {
        const dpli_value *v = dpli_graph_input(g, s->node, i + 1);

        if (!v)
            continue;
        fits = fits && v->data && v->type == DPLI_I64 && v->shape.rank == 1;
        list[i] = v->data;
        n[i] = fits ? v->shape.dims[0] : 0;
    }
    shape = x->shape;
    dpli_tensor_strides(x, strides[1]);
    fits = fits && n[0] >= 0 && n[0] == n[1] && (n[2] < 0 || n[2] == n[0]) &&
           (n[3] < 0 || n[3] == n[0]);
    m->offset = 0;
    for (int64_t i = 0; i < n[0] && fits; i++) {
        int64_t axis = n[2] >= 0 ? list[2][i] : i, step = n[3] >= 0 ? list[3][i] : 1, begin;

        fits = step != 0 && dpli_axis(&axis, shape.rank) && !(seen >> axis & 1);
        if (!fits)
            break;
        seen |= 1u << axis;
        shape.dims[axis] = slice_axis(x->shape.dims[axis], list[0][i], list[1][i], &begin, &step);
        fits = shape.dims[axis] > 0 && (axis != x->batch_axis || (begin == 0 && step == 1));
        m->offset += begin * strides[1][axis];
        strides[1][axis] *= step;
    }
    if (!fits || shape.dims[x->batch_axis] != x->n ||
        !(x->picture ? dpli_tensor_shape(s->out, &shape)
                     : dpli_tensor_shape_at(s->out, &shape, x->batch_axis)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained with constant bounds that fit, and not across the batch");
    s->out->type = x->type;
    dpli_tensor_strides(s->out, strides[0]);
    dpli_items_make(&m->items, s->out, 2, (const int64_t(*)[DPL_MAX_RANK])strides);
    return DPL_OK;
}

static const dpli_trained trained_slice = {sizeof(dpli_train_move), plan_trained_slice,
                                           dpli_train_move_forward, dpli_train_move_backward};

/* ------------------------------------------------------------------ Transpose */

typedef struct transpose_params {
    int64_t perm[DPL_MAX_RANK];
    int32_t n; /* -1: reversed */
} transpose_params;

static dpl_status load_transpose(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    transpose_params *params = dpli_node_params(node, sizeof *params, err);

    if (!params)
        return DPL_E_MEMORY;
    params->n = -1;
    return dpli_attr_ints(g, node, "perm", params->perm, DPL_MAX_RANK, &params->n, err);
}

static dpl_status plan_transpose(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const transpose_params *params = node->params;
    dpli_planned *x = dpli_plan_in(p, node, 0);
    int32_t rank = x->shape.rank;
    int64_t perm[DPL_MAX_RANK], own[DPL_MAX_RANK], from[DPL_MAX_RANK], to[DPL_MAX_RANK];
    dpl_shape shape = {.rank = rank};
    bool known = dpli_plan_foldable(x, dpli_shape_elements(&x->shape));
    dpli_order order = x->known ? DPLI_PLAIN : dpli_plan_order(x);
    dpli_move m;
    target t;
    uint32_t mask;
    dpl_status status;

    for (int32_t i = 0; i < rank; i++)
        perm[i] = params->n >= 0 ? params->perm[i] : rank - 1 - i;
    status = dpli_axes_mask(p, node, perm, rank, rank, &mask, err);
    if (status != DPL_OK)
        return status;
    if (params->n >= 0 && params->n != rank)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "perm does not fit rank %d", (int)rank);
    dpli_strides(&x->shape, order, own);
    for (int32_t i = 0; i < rank; i++) {
        dpli_axis(&perm[i], rank);
        shape.dims[i] = x->shape.dims[perm[i]];
        from[i] = own[perm[i]];
    }
    /* Often it only gives another name to the order in memory. */
    for (dpli_order out = DPLI_PLAIN; out <= (x->known || rank != 4 ? DPLI_PLAIN : DPLI_NHWC);
         out++) {
        bool same = true;

        dpli_strides(&shape, out, to);
        for (int32_t i = 0; i < rank; i++)
            same = same && (shape.dims[i] == 1 || from[i] == to[i]);
        if (same)
            return dpli_plan_alias(p, node, 0, x, order, &shape, out, err);
    }
    dpli_strides(&shape, DPLI_PLAIN, to);
    m = box(&shape, DPLI_PLAIN, to, from);
    status = open_target(p, node, 0, known, x->type, &shape, DPLI_PLAIN, &t, err);
    return status == DPL_OK ? put(p, node, &t, x, order, &m, &shape, err) : status;
}

static dpl_status plan_trained_transpose(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const transpose_params *params = s->node->params;
    dpli_tensor *x = s->in[0], *out = s->out;
    dpli_train_move *m = s->state;
    int64_t own[DPL_MAX_RANK], strides[2][DPL_MAX_RANK];
    dpl_shape shape = {0};
    int32_t batch_axis = 0;
    uint32_t seen = 0;
    bool same = true;
    dpl_status status = dpli_train_need_any(g, s, err);

    if (status != DPL_OK)
        return status;
    if (params->n >= 0 && params->n != x->shape.rank)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "perm does not fit the input");
    dpli_tensor_strides(x, own);
    for (; shape.rank < x->shape.rank; shape.rank++) {
        int64_t from = params->n >= 0 ? params->perm[shape.rank] : x->shape.rank - 1 - shape.rank;

        if (!dpli_axis(&from, x->shape.rank) || seen >> from & 1)
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "perm does not fit the input");
        seen |= 1u << from;
        shape.dims[shape.rank] = x->shape.dims[from];
        strides[1][shape.rank] = own[from];
        batch_axis = from == x->batch_axis ? shape.rank : batch_axis;
    }
    if (!dpli_tensor_shape_at(out, &shape, batch_axis))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    out->type = x->type;
    dpli_tensor_strides(out, strides[0]);
    for (int32_t i = 0; i < shape.rank; i++)
        same = same && (shape.dims[i] == 1 || strides[0][i] == strides[1][i]);
    if (same)
        out->root = x;
    m->offset = 0;
    dpli_items_make(&m->items, out, 2, (const int64_t(*)[DPL_MAX_RANK])strides);
    return DPL_OK;
}

static const dpli_trained trained_transpose = {sizeof(dpli_train_move), plan_trained_transpose,
                                               dpli_train_move_forward, dpli_train_move_backward};

/* ------------------------------------------------------------------ Gather */

static dpl_status load_gather(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    return load_axis(g, node, 0, false, err);
}

typedef struct gather {
    int64_t outer, n_from, inner, n_indices;
    size_t element_bytes;
    const dpli_node *node;
} gather;

/* Rows of x by the indices. Of one that is not there the row is zeros, and the fault is noted. */
static void gather_rows(const gather *s, void *to, const void *from, const int64_t *indices,
                        dpli_fault *fault)
{
    const size_t row = (size_t)s->inner * s->element_bytes;
    char *y = to;

    for (int64_t o = 0; o < s->outer; o++) {
        for (int64_t i = 0; i < s->n_indices; i++, y += row) {
            const int64_t id = indices[i];

            if (id < -s->n_from || id >= s->n_from) {
                memset(y, 0, row);
                if (!fault->node)
                    *fault = (dpli_fault){s->node, id, s->n_from, DPLI_FAULT_ID};
                continue;
            }
            memcpy(y,
                   (const char *)from +
                       (size_t)(o * s->n_from + id + (id < 0 ? s->n_from : 0)) * row,
                   row);
        }
    }
}

static void run_gather(const dpli_step *step)
{
    gather_rows(step->params, step->out, step->in[0], step->in[1], step->fault);
}

/* Indices that are known are checked once, here. */
static dpl_status check_known(dpli_planner *p, const dpli_node *node, const dpli_planned *indices,
                              int64_t n_from, dpl_error *err)
{
    const int64_t *ids = indices->known;

    for (int64_t i = 0; ids && i < dpli_shape_elements(&indices->shape); i++) {
        if (ids[i] < -n_from || ids[i] >= n_from)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "id %lld is not in its table of %lld rows", (long long)ids[i],
                                  (long long)n_from);
    }
    return DPL_OK;
}

static dpl_status plan_gather(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x = dpli_plan_in(p, node, 0), *indices = dpli_plan_in(p, node, 1);
    int64_t axis = *(const int64_t *)node->params;
    gather s = {.outer = 1, .inner = 1, .node = node, .element_bytes = dpli_type_bytes(x->type)};
    dpl_shape shape = {0};
    dpli_step *step;
    dpli_ref from, ids;
    target t;
    dpl_status status;

    if (!dpli_axis(&axis, x->shape.rank))
        return bad_axis(p, node, axis, x->shape.rank, err);
    if (indices->type != DPLI_I64)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "indices are not integers");
    if (x->shape.rank - 1 + indices->shape.rank > DPL_MAX_RANK)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "result has more than %d dimensions", DPL_MAX_RANK);
    s.n_from = x->shape.dims[axis];
    s.n_indices = dpli_shape_elements(&indices->shape);
    status = check_known(p, node, indices, s.n_from, err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i < axis; i++) {
        s.outer *= x->shape.dims[i];
        shape.dims[shape.rank++] = x->shape.dims[i];
    }
    for (int32_t i = 0; i < indices->shape.rank; i++)
        shape.dims[shape.rank++] = indices->shape.dims[i];
    for (int32_t i = (int32_t)axis + 1; i < x->shape.rank; i++) {
        s.inner *= x->shape.dims[i];
        shape.dims[shape.rank++] = x->shape.dims[i];
    }
    status = open_target(p, node, 0,
                         indices->known && dpli_plan_foldable(x, dpli_shape_elements(&shape)),
                         x->type, &shape, DPLI_PLAIN, &t, err);
    if (status != DPL_OK)
        return status;
    if (t.known) {
        gather_rows(&s, t.known, x->known, indices->known, &(dpli_fault){0});
        return DPL_OK;
    }
    status = dpli_plan_use(p, node, x, DPLI_PLAIN, &from, err);
    if (status == DPL_OK)
        status = dpli_plan_use(p, node, indices, DPLI_PLAIN, &ids, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_gather, sizeof s, &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(gather *)step->params = s;
    step->in_ref[0] = from;
    step->in_ref[1] = ids;
    step->out_ref = t.ref;
    return DPL_OK;
}

/* y = table[ids], the gradient of a row the sum over the places that read it. */
static dpl_status plan_trained_gather(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const dpli_tensor *ids = s->in[1];
    const dpli_param *table = s->param[0];
    int64_t axis = *(const int64_t *)s->node->params;
    dpl_shape shape;

    if (!table || table->shape.rank < 1 || !dpli_axis(&axis, table->shape.rank) || axis != 0 ||
        dpli_shape_elements(&table->shape) < 1)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained on a constant table along axis 0 only");
    if (!ids || ids->type != DPLI_I64)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained with ids that are computed only");
    shape = ids->shape;
    if (shape.rank + table->shape.rank - 1 > DPL_MAX_RANK)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result has more than %d dimensions",
                              DPL_MAX_RANK);
    for (int32_t i = 1; i < table->shape.rank; i++)
        shape.dims[shape.rank++] = table->shape.dims[i];
    if (!dpli_tensor_shape_at(s->out, &shape, ids->batch_axis))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    return dpli_tape_claim(g, s, 0, DPLI_PARAM_TABLE, 0, 0, err);
}

static size_t n_rows(const dpli_tape_step *s)
{
    return (size_t)s->param[0]->shape.dims[0];
}

static size_t row_floats(const dpli_tape_step *s)
{
    return s->param[0]->n / n_rows(s);
}

/* The row of id k, n_rows and above for none. */
static size_t row_of(const dpli_tape_step *s, size_t k)
{
    const int64_t id = s->in[1]->ids[k], n = (int64_t)n_rows(s);

    return id >= -n && id < n ? (size_t)(id < 0 ? id + n : id) : SIZE_MAX;
}

static void look_up_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t n = row_floats(s);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const size_t row = row_of(s, k);
        float *y = s->out->value + k * n;

        if (row < n_rows(s))
            memcpy(y, s->param[0]->value + row * n, n * sizeof *y);
        for (size_t i = 0; i < n && row >= n_rows(s); i++)
            y[i] = NAN;
    }
}

static void forward_gather(dpli_tape_step *s)
{
    const size_t n_ids = dpli_tensor_floats(s->in[1]);

    for (size_t k = 0; k < n_ids && !s->fault.node; k++) {
        if (row_of(s, k) >= n_rows(s))
            s->fault = (dpli_fault){s->node, s->in[1]->ids[k], (int64_t)n_rows(s), DPLI_FAULT_ID};
    }
    dpli_team_run(s->team, n_ids, look_up_range, s);
}

/* Rows of the table, of which those that the last step has written are cleared: each is one
 * thread's, which goes through all ids, so that the terms of a sum have one order whatever the
 * team's size. */
static void table_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const size_t n = row_floats(s), n_ids = dpli_tensor_floats(s->in[1]);
    const dpli_param *table = s->param[0];
    float *dtable = table->grad;

    (void)worker;
    if (!table->rows)
        memset(dtable + from * n, 0, (to - from) * n * sizeof *dtable);
    for (size_t k = 0; k < table->n_rows; k++) {
        const size_t row = (size_t)table->rows[k];

        if (row >= from && row < to)
            memset(dtable + row * n, 0, n * sizeof *dtable);
    }
    for (size_t k = 0; k < n_ids; k++) {
        const size_t row = row_of(s, k);
        const float *dy = s->out->grad + k * n;

        for (size_t i = 0; i < n && row >= from && row < to; i++)
            dtable[row * n + i] += dy[i];
    }
}

static void backward_gather(dpli_tape_step *s)
{
    dpli_param *table = s->param[0];
    const size_t n_ids = dpli_tensor_floats(s->in[1]);

    if (!table->grad)
        return;
    dpli_team_run(s->team, n_rows(s), table_range, s);
    table->n_rows = 0;
    for (size_t k = 0; k < n_ids && table->rows; k++) {
        if (row_of(s, k) < n_rows(s))
            table->rows[table->n_rows++] = (int32_t)row_of(s, k);
    }
}

static const dpli_trained trained_gather = {0, plan_trained_gather, forward_gather,
                                            backward_gather};

/* ------------------------------------------------------------------ Expand */

static dpl_status plan_expand(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x = dpli_plan_in(p, node, 0);
    int64_t to[DPL_MAX_RANK], own[DPL_MAX_RANK], from[DPL_MAX_RANK], n;
    dpl_shape wanted, shape;
    const int64_t *dims;
    dpli_order order;
    bool known;
    dpli_move m;
    target t;
    dpl_status status = dpli_plan_ints(p, node, 1, &dims, &n, err);

    if (status != DPL_OK)
        return status;
    if (n > DPL_MAX_RANK)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "result has more than %d dimensions", DPL_MAX_RANK);
    wanted.rank = (int32_t)n;
    for (int64_t i = 0; i < n; i++)
        wanted.dims[i] = dims[i];
    status = dpli_broadcast(p, node, &x->shape, &wanted, &shape, err);
    if (status != DPL_OK)
        return status;
    if (dpli_shape_elements(&shape) < 1)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "result is empty or too large");
    known = dpli_plan_foldable(x, dpli_shape_elements(&shape));
    order = known || shape.rank != x->shape.rank ? DPLI_PLAIN : dpli_plan_order(x);
    if (dpli_shape_equal(&shape, &x->shape))
        return dpli_plan_alias(p, node, 0, x, order, &shape, order, err);
    dpli_strides(&shape, order, to);
    dpli_strides(&x->shape, order, own);
    for (int32_t i = 0; i < shape.rank; i++) {
        int32_t d = i - (shape.rank - x->shape.rank);

        from[i] = d < 0 || x->shape.dims[d] == 1 ? 0 : own[d];
    }
    m = box(&shape, order, to, from);
    status = open_target(p, node, 0, known, x->type, &shape, order, &t, err);
    return status == DPL_OK ? put(p, node, &t, x, order, &m, &shape, err) : status;
}

static dpl_status plan_trained_expand(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    const dpli_value *dims = dpli_graph_input(g, s->node, 1);
    dpli_train_move *m = s->state;
    dpli_view views[2] = {{.batch_axis = -1}};
    dpl_status status = dpli_train_need_any(g, s, err);

    if (status != DPL_OK)
        return status;
    if (!dims || !dims->data || dims->type != DPLI_I64 || dims->shape.rank != 1 ||
        dims->shape.dims[0] > DPL_MAX_RANK)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "is trained to a constant shape only");
    views[0] = dpli_train_view_of(s->in[0]);
    views[1].shape.rank = (int32_t)dims->shape.dims[0];
    views[1].batch_axis = -1;
    for (int32_t i = 0; i < views[1].shape.rank; i++) {
        const int32_t own = i - (views[1].shape.rank - s->in[0]->shape.rank);

        views[1].shape.dims[i] = ((const int64_t *)dims->data)[i];
        /* What is written there for the batch is the batch. */
        if (own == s->in[0]->batch_axis && views[1].shape.dims[i] == s->in[0]->n)
            views[1].shape.dims[i] = 1;
    }
    status = dpli_train_broadcast(g, s, 2, views, s->out, err);
    if (status != DPL_OK)
        return status;
    s->out->type = s->in[0]->type;
    m->offset = 0;
    dpli_items_over(&m->items, s->out, 1, views);
    return DPL_OK;
}

static const dpli_trained trained_expand = {sizeof(dpli_train_move), plan_trained_expand,
                                            dpli_train_move_forward, dpli_train_move_backward};

const dpli_op dpli_ops_move[] = {
    {"Concat", DPLI_ROLE_OTHER, 1, DPLI_MAX_INPUTS, 1, false, load_concat, NULL, plan_concat,
     &trained_concat},
    {"Split", DPLI_ROLE_OTHER, 1, 2, DPLI_MAX_INPUTS, false, load_split, NULL, plan_split,
     &trained_split},
    {"Slice", DPLI_ROLE_OTHER, 1, 5, 1, false, load_slice, NULL, plan_slice, &trained_slice},
    {"Transpose", DPLI_ROLE_OTHER, 1, 1, 1, false, load_transpose, NULL, plan_transpose,
     &trained_transpose},
    {"Gather", DPLI_ROLE_OTHER, 2, 2, 1, false, load_gather, NULL, plan_gather, &trained_gather},
    {"Expand", DPLI_ROLE_EXPAND, 2, 2, 1, false, NULL, NULL, plan_expand, &trained_expand},
    {0},
};
