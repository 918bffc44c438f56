/*
 * binary.c - Add, Sub, Mul, Div, Pow, and Max and Min of two, with NumPy broadcasting, on floats
 * and on integers. A run adds, subtracts, multiplies and compares integers; it does not divide by
 * what may be 0.
 *
 * Source: ONNX Add-14, Sub-14, Mul-14, Div-14, Pow-15, Max-13, Min-13.
 */
#include "net/ops/binary.h"

#include <math.h>
#include <string.h>

#include "net/kernels.h"
#include "net/ops/train.h"
#include "net/ops/walk.h"
#include "net/place.h"

typedef struct binary_step {
    dpli_binary_kind kind;
    int32_t rank;
    int64_t dims[DPL_MAX_RANK], a[DPL_MAX_RANK], b[DPL_MAX_RANK];
    dpli_act act; /* of a kind without slope */
    size_t n;
} binary_step;

dpl_status dpli_broadcast(const dpli_planner *p, const dpli_node *node, const dpl_shape *a,
                          const dpl_shape *b, dpl_shape *out, dpl_error *err)
{
    char words[2][DPLI_SHAPE_TEXT];

    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int32_t i = 0; i < out->rank; i++) {
        int32_t ia = i - (out->rank - a->rank), ib = i - (out->rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dims[ia], db = ib < 0 ? 1 : b->dims[ib];

        if (da != db && da != 1 && db != 1)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "%s and %s do not fit together", dpli_shape_text(a, words[0]),
                                  dpli_shape_text(b, words[1]));
        out->dims[i] = da == 1 ? db : da;
    }
    return DPL_OK;
}

/* Strides of an operand over the dimensions of the result, 0 where it is repeated. */
static void spread(const dpl_shape *shape, dpli_order order, const dpl_shape *out,
                   int64_t strides[DPL_MAX_RANK])
{
    int64_t own[DPL_MAX_RANK];
    int32_t skip = out->rank - shape->rank;

    dpli_strides(shape, order, own);
    for (int32_t i = 0; i < out->rank; i++)
        strides[i] = i < skip || shape->dims[i - skip] == 1 ? 0 : own[i - skip];
}

static void run_binary(const dpli_step *step)
{
    const binary_step *s = step->params;

    dpli_binary_run(s->kind, step->out, step->in[0], step->in[1], s->rank, s->dims, s->a, s->b);
    if (s->act.kind != DPLI_ACT_NONE)
        dpli_act_run(&s->act, step->out, step->out, 1, s->n);
}

dpl_status dpli_plan_binary(dpli_planner *p, const dpli_node *node, dpli_binary_kind kind,
                            dpli_planned *a, dpli_planned *b, const dpl_shape *shape,
                            dpli_order order, dpli_ref out, dpl_error *err)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    dpli_ref in[2];
    int64_t sa[DPL_MAX_RANK], sb[DPL_MAX_RANK];
    dpli_step *step;
    binary_step *s;
    int32_t n = 0;
    dpl_status status = dpli_plan_use(p, node, a, order, &in[0], err);

    if (status == DPL_OK)
        status = dpli_plan_use(p, node, b, order, &in[1], err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_binary, sizeof *s, shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->kind = kind;
    spread(&a->shape, order, shape, sa);
    spread(&b->shape, order, shape, sb);
    /* In the order of the result's memory; neighbours that both step alike become one. */
    for (int32_t i = 0; i < shape->rank; i++) {
        int32_t d = shape->rank == 4 && order == DPLI_NHWC ? nhwc[i] : i;

        if (shape->dims[d] == 1)
            continue;
        if (n > 0 && s->a[n - 1] == sa[d] * shape->dims[d] &&
            s->b[n - 1] == sb[d] * shape->dims[d]) {
            s->dims[n - 1] *= shape->dims[d];
        } else {
            s->dims[n++] = shape->dims[d];
        }
        s->a[n - 1] = sa[d];
        s->b[n - 1] = sb[d];
    }
    if (n == 0) {
        s->dims[0] = 1;
        n = 1;
    }
    s->rank = n;
    s->n = (size_t)dpli_shape_elements(shape);
    if (node->op->takes_act)
        s->act = node->act;
    step->act = s->act.kind;
    step->in_ref[0] = in[0];
    step->in_ref[1] = in[1];
    step->out_ref = out;
    return DPL_OK;
}

/* ------------------------------------------------------------------ known operands */

/* Integers wrap, as ONNX's do. */
static bool compute_int(dpli_binary_kind kind, int64_t a, int64_t b, int64_t *y)
{
    switch (kind) {
    case DPLI_ADD: *y = (int64_t)((uint64_t)a + (uint64_t)b); return true;
    case DPLI_SUB: *y = (int64_t)((uint64_t)a - (uint64_t)b); return true;
    case DPLI_MUL: *y = (int64_t)((uint64_t)a * (uint64_t)b); return true;
    case DPLI_DIV:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *y = a / b;
        return true;
    case DPLI_MAX: *y = a > b ? a : b; return true;
    case DPLI_MIN: *y = a < b ? a : b; return true;
    default: return false;
    }
}

static float compute_float(dpli_binary_kind kind, float a, float b)
{
    switch (kind) {
    case DPLI_ADD: return a + b;
    case DPLI_SUB: return a - b;
    case DPLI_MUL: return a * b;
    case DPLI_DIV: return a / b;
    case DPLI_MAX: return a > b || isnan(a) ? a : b;
    case DPLI_MIN: return a < b || isnan(a) ? a : b;
    default: return powf(a, b);
    }
}

static dpl_status compute(dpli_planner *p, const dpli_node *node, dpli_binary_kind kind,
                          const dpli_planned *a, const dpli_planned *b, const dpl_shape *shape,
                          dpl_error *err)
{
    int64_t sa[DPL_MAX_RANK], sb[DPL_MAX_RANK], at[DPL_MAX_RANK] = {0};
    int64_t n = dpli_shape_elements(shape), ia = 0, ib = 0;
    void *data;
    dpl_status status = dpli_plan_known(p, node, 0, a->type, shape, &data, err);

    if (status != DPL_OK)
        return status;
    spread(&a->shape, DPLI_PLAIN, shape, sa);
    spread(&b->shape, DPLI_PLAIN, shape, sb);
    for (int64_t k = 0; k < n; k++) {
        if (a->type == DPLI_F32) {
            ((float *)data)[k] =
                compute_float(kind, ((const float *)a->known)[ia], ((const float *)b->known)[ib]);
        } else if (!compute_int(kind, ((const int64_t *)a->known)[ia],
                                ((const int64_t *)b->known)[ib], &((int64_t *)data)[k])) {
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "integers %lld and %lld have no such result",
                                  (long long)((const int64_t *)a->known)[ia],
                                  (long long)((const int64_t *)b->known)[ib]);
        }
        for (int32_t i = shape->rank - 1; i >= 0; i--) {
            ia += sa[i];
            ib += sb[i];
            if (++at[i] < shape->dims[i])
                break;
            ia -= sa[i] * shape->dims[i];
            ib -= sb[i] * shape->dims[i];
            at[i] = 0;
        }
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ integers of a run */

typedef struct int_step {
    dpli_walk walk;
    dpli_binary_kind kind;
} int_step;

static void run_ints(const dpli_step *step)
{
    const int_step *s = step->params;
    const dpli_walk *w = &s->walk;
    dpli_place at = {0};

    do {
        const int64_t *a = (const int64_t *)step->in[0] + at.at[1];
        const int64_t *b = (const int64_t *)step->in[1] + at.at[2];
        int64_t *y = (int64_t *)step->out + at.at[0];

        for (int64_t i = 0; i < dpli_walk_row(w); i++)
            compute_int(s->kind, a[i * dpli_walk_step(w, 1)], b[i * dpli_walk_step(w, 2)],
                        &y[i * dpli_walk_step(w, 0)]);
    } while (dpli_walk_next(w, &at));
}

static dpl_status plan_ints(dpli_planner *p, const dpli_node *node, dpli_binary_kind kind,
                            dpli_planned *a, dpli_planned *b, const dpl_shape *shape,
                            dpl_error *err)
{
    dpli_ref in[2], out;
    dpli_step *step;
    int_step *s;
    dpl_status status = dpli_plan_use(p, node, a, DPLI_PLAIN, &in[0], err);

    if (status == DPL_OK)
        status = dpli_plan_use(p, node, b, DPLI_PLAIN, &in[1], err);
    if (status == DPL_OK)
        status = dpli_plan_out_of(p, node, 0, DPLI_I64, shape, DPLI_PLAIN, &out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_ints, sizeof *s, shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->kind = kind;
    dpli_walk_over(&s->walk, shape, DPLI_PLAIN, 3,
                   (const dpl_shape *const[]){shape, &a->shape, &b->shape});
    step->in_ref[0] = in[0];
    step->in_ref[1] = in[1];
    step->out_ref = out;
    return DPL_OK;
}

/* ------------------------------------------------------------------ planning */

static void run_narrow_add(const dpli_step *step)
{
    const binary_step *s = step->params;

    dpli_narrow_add_run(&s->act, step->out, step->in[0], step->in[1], s->n);
}

/* Of two values that lie narrow, of one shape. */
static dpl_status plan_narrow_add(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *a = dpli_plan_in(p, node, 0), *b = dpli_plan_in(p, node, 1);
    const dpl_shape shape = a->shape;
    const dpli_ref in[2] = {{a->narrow, NULL}, {b->narrow, NULL}};
    dpli_ref out;
    dpli_step *step;
    binary_step *s;
    dpl_status status = dpli_narrow_out_over(p, node, 0, a, &shape, &out, err);

    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_narrow_add, sizeof *s, &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->act = node->act;
    s->n = dpli_narrow_elements(&shape);
    step->act = s->act.kind;
    step->narrow = true;
    step->in_ref[0] = in[0];
    step->in_ref[1] = in[1];
    step->out_ref = out;
    return DPL_OK;
}

static dpl_status plan_kind(dpli_planner *p, const dpli_node *node, dpli_binary_kind kind,
                            dpl_error *err)
{
    dpli_planned *a = dpli_plan_in(p, node, 0), *b = dpli_plan_in(p, node, 1);
    dpl_shape shape;
    dpli_order order;
    dpli_ref out;
    dpl_status status;

    if (a->type != b->type)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "operands are of different types");
    if (kind == DPLI_ADD && dpli_narrow_suits(p, node, 2))
        return plan_narrow_add(p, node, err);
    status = dpli_broadcast(p, node, &a->shape, &b->shape, &shape, err);
    if (status != DPL_OK)
        return status;
    if (b->known && node->act.kind == DPLI_ACT_NONE &&
        dpli_plan_foldable(a, dpli_shape_elements(&shape)))
        return compute(p, node, kind, a, b, &shape, err);
    if (a->type == DPLI_I64 && kind != DPLI_DIV && kind != DPLI_POW &&
        node->act.kind == DPLI_ACT_NONE && dpli_shape_elements(&shape) > 0)
        return plan_ints(p, node, kind, a, b, &shape, err);
    status = dpli_plan_float(p, node, 0, &a, err);
    if (status == DPL_OK)
        status = dpli_plan_float(p, node, 1, &b, err);
    if (status != DPL_OK)
        return status;
    order = shape.rank == 4 && (dpli_plan_order(a) == DPLI_NHWC || dpli_plan_order(b) == DPLI_NHWC)
                ? DPLI_NHWC
                : DPLI_PLAIN;
    /* Over whichever operand is as large as the result and read here for the last time. Both are
     * first brought to the order, so that the place can be seen. */
    for (int32_t i = 0; i < 2 && status == DPL_OK; i++)
        status = dpli_plan_use(p, node, i ? b : a, order, &out, err);
    if (status == DPL_OK)
        status = dpli_plan_out_over(p, node, 0, dpli_plan_is_last(p, a, order, &shape) ? a : b,
                                    &shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    /* Squares, of which a layer norm that is written out has some. */
    if (kind == DPLI_POW && b->known && dpli_shape_elements(&b->shape) == 1 &&
        *(const float *)b->known == 2.0f)
        return dpli_plan_binary(p, node, DPLI_MUL, a, a, &shape, order, out, err);
    return dpli_plan_binary(p, node, kind, a, b, &shape, order, out, err);
}

#define PLAN(name, kind)                                                                           \
    static dpl_status plan_##name(dpli_planner *p, const dpli_node *node, dpl_error *err)          \
    {                                                                                              \
        return plan_kind(p, node, kind, err);                                                      \
    }

PLAN(add, DPLI_ADD)
PLAN(sub, DPLI_SUB)
PLAN(mul, DPLI_MUL)
PLAN(div, DPLI_DIV)
PLAN(pow, DPLI_POW)
PLAN(max, DPLI_MAX)
PLAN(min, DPLI_MIN)

/* ------------------------------------------------------------------ training */

/* How an operand lies beside the result [pictures, pixels, channels]: true where it has values of
 * its own, false where one is repeated. A constant has none of its own by picture or pixel. */
typedef struct operand {
    bool pictures, pixels, channels;
} operand;

typedef struct trained_state {
    operand of[2];
    bool flat; /* both have values of their own everywhere */
    bool any;  /* none of that: an element at a time, as the items say */
    dpli_items items;
} trained_state;

/* What the layer before says: MatMul and Conv without a bias are followed by it. */
static bool follows_product(const dpli_graph *g, const dpli_node *node, int32_t x)
{
    const dpli_value *v = dpli_graph_input(g, node, x);
    const dpli_role role = v && v->producer >= 0 ? g->nodes[v->producer].op->role : DPLI_ROLE_OTHER;

    return role == DPLI_ROLE_MATMUL || role == DPLI_ROLE_GEMM || role == DPLI_ROLE_CONV;
}

/* All dimensions but the batch and the channels are the same. */
static bool same_pixels(const dpli_tensor *x, const dpli_tensor *y)
{
    const int32_t channels = dpli_train_channel_axis(x);
    bool same = x->shape.rank == y->shape.rank;

    for (int32_t i = 0; i < x->shape.rank && same; i++)
        same = i == channels || i == x->batch_axis || x->shape.dims[i] == y->shape.dims[i];
    return same;
}

/* Any two operands that broadcast; a constant is not trained then. */
static dpl_status plan_any(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    trained_state *state = s->state;
    dpli_view views[2];
    dpl_status status;

    for (int32_t i = 0; i < 2; i++) {
        if (!dpli_train_view(g, s, i, &views[i]) || views[i].type != DPLI_F32)
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "operands are not floats");
    }
    status = dpli_train_broadcast(g, s, 2, views, s->out, err);
    if (status != DPL_OK)
        return status;
    state->any = true;
    state->flat = false;
    dpli_items_over(&state->items, s->out, 2, views);
    return DPL_OK;
}

static dpl_status plan_trained(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    trained_state *state = s->state;
    dpli_tensor *out = s->out;
    int32_t first = s->in[0] ? 0 : 1;
    dpl_shape shape;
    dpl_status status = dpli_tape_need(g, s, first, err);

    if (status != DPL_OK)
        return status;
    shape = s->in[first]->shape;
    if (s->in[0] && s->in[1] &&
        (s->in[0]->batch_axis != s->in[1]->batch_axis || s->in[0]->picture != s->in[1]->picture))
        return plan_any(g, s, err);
    for (int32_t i = first + 1; i < 2 && s->in[i]; i++) {
        status = dpli_tape_need(g, s, i, err);
        if (status != DPL_OK)
            return status;
        for (int32_t d = 0; d < shape.rank && s->in[i]->shape.rank == shape.rank; d++)
            shape.dims[d] =
                s->in[i]->shape.dims[d] > shape.dims[d] ? s->in[i]->shape.dims[d] : shape.dims[d];
    }
    if (!(s->in[first]->picture ? dpli_tensor_shape(out, &shape)
                                : dpli_tensor_shape_at(out, &shape, s->in[first]->batch_axis)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    for (int32_t i = 0; i < 2; i++) {
        const dpli_tensor *x = s->in[i];
        const dpli_param *p = s->param[i];
        bool fits;

        if (x) {
            bool one = x->h == 1 && x->w == 1, same = same_pixels(x, out);

            state->of[i] = (operand){true, same, x->c == out->c};
            fits = x->shape.rank == out->shape.rank && x->n == out->n && (same || one) &&
                   (x->c == out->c || x->c == 1);
        } else {
            bool per_channel = p && dpli_train_per_channel(&p->shape, out);

            state->of[i] = (operand){false, false, per_channel};
            fits = p && (per_channel || (p->n == 1 && p->shape.rank <= out->shape.rank));
            if (fits && per_channel && s->node->op->role == DPLI_ROLE_ADD &&
                follows_product(g, s->node, 1 - i))
                status = dpli_tape_claim(g, s, i, DPLI_PARAM_BIAS, 0, 0, err);
        }
        if (!fits)
            return plan_any(g, s, err);
        if (status != DPL_OK)
            return status;
    }
    state->flat = s->in[0] && s->in[1] && state->of[0].pixels && state->of[0].channels &&
                  state->of[1].pixels && state->of[1].channels;
    /* Sums in double, [c], and a row of terms, [c], a worker; the workers' sums of a bias are added
     * up in the end. */
    s->scratch_floats = 3 * (size_t)dpli_team_size(s->team) * (size_t)out->c;
    return DPL_OK;
}

static dpli_binary_kind kind_of(const dpli_tape_step *s)
{
    switch (s->node->op->role) {
    case DPLI_ROLE_ADD: return DPLI_ADD;
    case DPLI_ROLE_SUB: return DPLI_SUB;
    case DPLI_ROLE_MUL: return DPLI_MUL;
    default: return DPLI_DIV;
    }
}

static size_t pixel_step(const operand *o, size_t c)
{
    return !o->pixels ? 0 : o->channels ? c : 1;
}

static size_t picture_step(const operand *o, size_t c, size_t pixels)
{
    return !o->pictures ? 0 : (o->pixels ? pixels : 1) * (o->channels ? c : 1);
}

static const float *values_of(const dpli_tape_step *s, int32_t i)
{
    return s->in[i] ? s->in[i]->value : s->param[i]->value;
}

static const float *item_at(const dpli_tape_step *s, int32_t i, size_t k)
{
    const trained_state *state = s->state;

    return values_of(s, i) + (int64_t)k * state->items.batch[i + 1];
}

static void any_range(const dpli_tape_step *s, dpli_binary_kind kind, size_t from, size_t to)
{
    const trained_state *state = s->state;
    const dpli_walk *w = &state->items.walk;

    for (size_t k = from; k < to; k++)
        dpli_binary_run(kind, s->out->value + (int64_t)k * state->items.batch[0], item_at(s, 0, k),
                        item_at(s, 1, k), w->rank, w->dims, w->steps[1], w->steps[2]);
}

/* The gradient of operand i over an item; a broadcast one is added up. */
static void back_any(const dpli_tape_step *s, int32_t i, dpli_binary_kind kind, size_t k)
{
    const trained_state *state = s->state;
    const dpli_walk *w = &state->items.walk;
    const int64_t n = dpli_walk_row(w), sg = dpli_walk_step(w, 0), sx = dpli_walk_step(w, i + 1);
    const int64_t sa = dpli_walk_step(w, 1), sb = dpli_walk_step(w, 2);
    const float *g = s->out->grad + (int64_t)k * state->items.batch[0];
    const float *a = item_at(s, 0, k), *b = item_at(s, 1, k);
    float *dx = s->in[i]->grad + (int64_t)k * state->items.batch[i + 1];
    dpli_place at = {0};

    if (!s->add[i])
        memset(dx, 0, dpli_tensor_item(s->in[i]) * sizeof *dx);
    do {
        for (int64_t e = 0; e < n; e++) {
            const float dy = g[at.at[0] + e * sg], x = a[at.at[1] + e * sa];
            const float z = b[at.at[2] + e * sb];

            dx[at.at[i + 1] + e * sx] += kind == DPLI_ADD   ? dy
                                         : kind == DPLI_SUB ? (i == 0 ? dy : -dy)
                                         : kind == DPLI_MUL ? dy * (i == 0 ? z : x)
                                         : i == 0           ? dy / z
                                                            : -dy * x / (z * z);
        }
    } while (dpli_walk_next(w, &at));
}

static void forward_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const trained_state *state = s->state;
    const size_t c = (size_t)s->out->c, item = dpli_tensor_item(s->out), pixels = item / c;
    const dpli_binary_kind kind = kind_of(s);

    (void)worker;
    if (state->any) {
        any_range(s, kind, from, to);
        return;
    }
    if (state->flat) {
        const int64_t n = (int64_t)(to - from), one = 1;

        dpli_binary_run(kind, s->out->value + from, s->in[0]->value + from, s->in[1]->value + from,
                        1, &n, &one, &one);
        return;
    }
    for (size_t k = from; k < to; k++) {
        const int64_t dims[2] = {(int64_t)pixels, (int64_t)c};
        int64_t steps[2][2];

        for (int32_t i = 0; i < 2; i++) {
            steps[i][0] = (int64_t)pixel_step(&state->of[i], c);
            steps[i][1] = state->of[i].channels;
        }
        dpli_binary_run(kind, s->out->value + k * item,
                        values_of(s, 0) + k * picture_step(&state->of[0], c, pixels),
                        values_of(s, 1) + k * picture_step(&state->of[1], c, pixels), 2, dims,
                        steps[0], steps[1]);
    }
}

static void forward_binary(dpli_tape_step *s)
{
    const trained_state *state = s->state;

    dpli_team_run(s->team, state->flat ? dpli_tensor_floats(s->out) : (size_t)s->out->n,
                  forward_range, s);
}

#define TERMS(expression)                                                                          \
    do {                                                                                           \
        if (add) {                                                                                 \
            for (size_t k = 0; k < n; k++)                                                         \
                t[k] += expression;                                                                \
        } else {                                                                                   \
            for (size_t k = 0; k < n; k++)                                                         \
                t[k] = expression;                                                                 \
        }                                                                                          \
    } while (0)

/* t (+)= the gradient of operand i before sums over what is repeated. o is the other operand of a
 * product, the divisor of a quotient; step is 0 where it is one value for all. */
DPLI_EACH_CPU(static, void, terms,
              (dpli_binary_kind kind, int32_t i, bool add, float *restrict t,
               const float *restrict g, const float *restrict o, size_t step,
               const float *restrict y, size_t n),
              (kind, i, add, t, g, o, step, y, n))
{
    const float one = *o;

    switch (kind) {
    case DPLI_ADD: TERMS(g[k]); break;
    case DPLI_SUB: {
        const float sign = i == 0 ? 1.0f : -1.0f;

        TERMS(sign * g[k]);
        break;
    }
    case DPLI_MUL:
        if (step)
            TERMS(g[k] * o[k]);
        else
            TERMS(g[k] * one);
        break;
    default:
        if (i == 0 && step)
            TERMS(g[k] / o[k]);
        else if (i == 0)
            TERMS(g[k] / one);
        else if (step)
            TERMS(-g[k] * y[k] / o[k]);
        else
            TERMS(-g[k] * y[k] / one);
        break;
    }
}

/* The gradient of operand i over one picture. */
static void back_picture(const dpli_tape_step *s, int32_t i, size_t picture, double *sum,
                         float *row)
{
    const trained_state *state = s->state;
    const dpli_binary_kind kind = kind_of(s);
    const operand *own = &state->of[i];
    const int32_t by = kind == DPLI_DIV ? 1 : 1 - i;
    const operand *other = &state->of[by];
    const size_t c = (size_t)s->out->c, item = dpli_tensor_item(s->out), pixels = item / c;
    const float *o = values_of(s, by) + picture * picture_step(other, c, pixels);
    const float *g = s->out->grad + picture * item, *y = s->out->value + picture * item;
    float *to = s->in[i] ? s->in[i]->grad + picture * picture_step(own, c, pixels) : NULL;
    double all = 0.0;

    if (to && !own->pixels)
        memset(sum, 0, c * sizeof *sum);
    for (size_t p = 0; p < pixels; p++, g += c, y += c) {
        const float *op = o + p * pixel_step(other, c);
        double line = 0.0;

        if (own->pixels && own->channels) {
            terms(kind, i, s->add[i], to + p * c, g, op, other->channels, y, c);
            continue;
        }
        terms(kind, i, false, row, g, op, other->channels, y, c);
        for (size_t k = 0; k < c && own->pixels; k++)
            line += (double)row[k];
        for (size_t k = 0; k < c && !own->pixels; k++)
            sum[k] += (double)row[k];
        if (own->pixels)
            to[p] = (s->add[i] ? to[p] : 0.0f) + (float)line;
    }
    if (!to || own->pixels)
        return;
    for (size_t k = 0; k < c; k++) {
        all += sum[k];
        if (own->channels)
            to[k] = (s->add[i] ? to[k] : 0.0f) + (float)sum[k];
    }
    if (!own->channels)
        *to = (s->add[i] ? *to : 0.0f) + (float)all;
}

typedef struct back_work {
    dpli_tape_step *s;
    int32_t i;
} back_work;

static void back_range(void *ctx, int worker, size_t from, size_t to)
{
    const back_work *w = ctx;
    const dpli_tape_step *s = w->s;
    const trained_state *state = s->state;
    const size_t c = (size_t)s->out->c, size = (size_t)dpli_team_size(s->team);
    const dpli_binary_kind kind = kind_of(s);

    if (state->any) {
        for (size_t k = from; k < to; k++)
            back_any(s, w->i, kind, k);
        return;
    }
    if (state->flat) {
        const float *o = s->in[kind == DPLI_DIV ? 1 : 1 - w->i]->value;

        terms(kind, w->i, s->add[w->i], s->in[w->i]->grad + from, s->out->grad + from, o + from, 1,
              s->out->value + from, to - from);
        return;
    }
    for (size_t k = from; k < to; k++)
        back_picture(s, w->i, k, (double *)(void *)s->scratch + (size_t)worker * c,
                     s->scratch + (2 * size + (size_t)worker) * c);
}

static void backward_binary(dpli_tape_step *s)
{
    const trained_state *state = s->state;
    const size_t c = (size_t)s->out->c, size = (size_t)dpli_team_size(s->team);
    double *sum = (double *)(void *)s->scratch;

    for (int32_t i = 0; i < 2; i++) {
        float *bias = s->param[i] ? s->param[i]->grad : NULL;
        back_work w = {s, i};

        if (!bias && !(s->in[i] && s->in[i]->grad))
            continue;
        if (bias)
            memset(sum, 0, size * c * sizeof *sum);
        dpli_team_run(s->team, state->flat ? dpli_tensor_floats(s->out) : (size_t)s->out->n,
                      back_range, &w);
        for (size_t k = 0; bias && k < c; k++) {
            for (size_t worker = 1; worker < size; worker++)
                sum[k] += sum[worker * c + k];
            bias[k] = (float)sum[k];
        }
    }
}

static const dpli_trained trained = {sizeof(trained_state), plan_trained, forward_binary,
                                     backward_binary};

/* x to the power of a constant. */
static dpl_status plan_trained_pow(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    dpl_status status = dpli_train_same_plan(g, s, err);

    if (status == DPL_OK &&
        (!s->param[1] || s->param[1]->n != 1 || s->param[1]->shape.rank > s->in[0]->shape.rank))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is trained with one constant exponent only");
    return status;
}

static void pow_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const float p = *s->param[1]->value, *x = s->in[0]->value;

    (void)worker;
    for (size_t i = from; i < to; i++)
        s->out->value[i] = p == 2.0f ? x[i] * x[i] : powf(x[i], p);
}

static void pow_back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const float p = *s->param[1]->value, *x = s->in[0]->value;
    float *dx = s->in[0]->grad;

    (void)worker;
    for (size_t i = from; i < to; i++)
        dx[i] = (s->add[0] ? dx[i] : 0.0f) +
                s->out->grad[i] * p * (p == 2.0f ? x[i] : powf(x[i], p - 1.0f));
}

static void forward_pow(dpli_tape_step *s)
{
    dpli_team_run(s->team, dpli_tensor_floats(s->out), pow_range, s);
}

static void backward_pow(dpli_tape_step *s)
{
    if (s->in[0]->grad)
        dpli_team_run(s->team, dpli_tensor_floats(s->out), pow_back_range, s);
}

static const dpli_trained trained_pow = {0, plan_trained_pow, forward_pow, backward_pow};

const dpli_op dpli_ops_binary[] = {
    {"Add", DPLI_ROLE_ADD, 2, 2, 1, true, NULL, NULL, plan_add, &trained},
    {"Sub", DPLI_ROLE_SUB, 2, 2, 1, true, NULL, NULL, plan_sub, &trained},
    {"Mul", DPLI_ROLE_MUL, 2, 2, 1, true, NULL, NULL, plan_mul, &trained},
    {"Div", DPLI_ROLE_DIV, 2, 2, 1, true, NULL, NULL, plan_div, &trained},
    {"Pow", DPLI_ROLE_OTHER, 2, 2, 1, true, NULL, NULL, plan_pow, &trained_pow},
    {"Max", DPLI_ROLE_OTHER, 2, 2, 1, true, NULL, NULL, plan_max, NULL},
    {"Min", DPLI_ROLE_OTHER, 2, 2, 1, true, NULL, NULL, plan_min, NULL},
    {0},
};
