/*
 * binary.c - Add, Sub, Mul, Div, Pow with NumPy broadcasting, on floats while running and on known
 * integers and floats while planning.
 *
 * Source: ONNX Add-14, Sub-14, Mul-14, Div-14, Pow-15.
 */
#include <math.h>

#include "vision/ops/ops.h"

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

/* ------------------------------------------------------------------ planning */

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
    status = dpli_broadcast(p, node, &a->shape, &b->shape, &shape, err);
    if (status != DPL_OK)
        return status;
    if (b->known && node->act.kind == DPLI_ACT_NONE &&
        dpli_plan_foldable(a, dpli_shape_elements(&shape)))
        return compute(p, node, kind, a, b, &shape, err);
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

const dpli_op dpli_ops_binary[] = {
    {"Add", 2, 2, 1, true, NULL, NULL, plan_add, NULL},
    {"Sub", 2, 2, 1, true, NULL, NULL, plan_sub, NULL},
    {"Mul", 2, 2, 1, true, NULL, NULL, plan_mul, NULL},
    {"Div", 2, 2, 1, true, NULL, NULL, plan_div, NULL},
    {"Pow", 2, 2, 1, true, NULL, NULL, plan_pow, NULL},
    {0},
};
