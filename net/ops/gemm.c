/*
 * gemm.c - Gemm and MatMul.
 *
 *     Gemm    y [m, n] = act(alpha op(a) [m, k] op(b) [k, n] + beta c + residual)
 *     MatMul  NumPy's: leading dimensions broadcast, vectors are rows or columns
 *
 * A constant c of one value a column is a bias, for the epilogue; any other is spread over y first,
 * and the product added to it. fuse.c may give MatMul a bias.
 * Source: ONNX Gemm-13, MatMul-13.
 */
#include "net/ops/gemm.h"

#include "net/blas.h"
#include "net/kernels.h"
#include "net/ops/binary.h"
#include "net/ops/gemm_params.h"
#include "net/ops/gemm_train.h"
#include "net/planner.h"

typedef struct gemm_step {
    bool trans_a, trans_b;
    size_t m, n, k, lda, ldb;
    float alpha, beta;
    const float *bias;
    dpli_act act;
    /* MatMul: products one after another, and how a and b step along the leading dimensions. */
    int32_t rank;
    int64_t dims[DPL_MAX_RANK], step_a[DPL_MAX_RANK], step_b[DPL_MAX_RANK];
} gemm_step;

static dpl_status load_gemm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpli_gemm_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->alpha = params->beta = 1.0f;
    status = dpli_attr_float(g, node, "alpha", &params->alpha, err);
    if (status == DPL_OK)
        status = dpli_attr_float(g, node, "beta", &params->beta, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "transA", &params->trans_a, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "transB", &params->trans_b, err);
    return status;
}

static dpl_status load_matmul(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpli_gemm_params *params = dpli_node_params(node, sizeof *params, err);

    (void)g;
    if (!params)
        return DPL_E_MEMORY;
    params->alpha = params->beta = 1.0f;
    return DPL_OK;
}

bool dpli_gemm_trans_b(const dpli_node *node)
{
    return ((const dpli_gemm_params *)node->params)->trans_b != 0;
}

bool dpli_gemm_can_take_bias(const dpli_node *node)
{
    return node->n_inputs < 3 || node->inputs[2] < 0 ||
           ((const dpli_gemm_params *)node->params)->has_bias;
}

void dpli_gemm_take_bias(dpli_node *node, int32_t bias)
{
    node->inputs[2] = bias;
    node->n_inputs = 3;
    ((dpli_gemm_params *)node->params)->has_bias = true;
}

dpl_status dpli_gemm_settle(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpli_gemm_params *params = node->params;
    dpl_shape b, c, shape = {.rank = 1};
    const float *from = dpli_graph_floats(g, node, 2, &c);
    int64_t n;
    int32_t bias;

    if (!from || !dpli_graph_floats(g, node, 1, &b) || b.rank != 2)
        return DPL_OK;
    n = b.dims[!params->trans_b];
    if (c.rank < 1 || c.rank > 2 || c.dims[c.rank - 1] != n || dpli_shape_elements(&c) != n)
        return DPL_OK;
    shape.dims[0] = n;
    bias = dpli_graph_constant(g, "bias", DPLI_F32, &shape, err);
    if (bias < 0)
        return DPL_E_MEMORY;
    for (int64_t i = 0; i < n; i++)
        ((float *)g->values[bias].data)[i] = params->beta * from[i];
    node->inputs[2] = bias;
    params->has_bias = true;
    return DPL_OK;
}

static void run_gemm(const dpli_step *step)
{
    const gemm_step *s = step->params;
    dpli_epilogue epilogue = dpli_tail_epilogue(step, s->bias, &s->act);
    int64_t at[DPL_MAX_RANK] = {0};
    const float *a = step->in[0], *b = step->in[1];
    float *y = step->out;
    int32_t i;

    do {
        dpli_gemm(s->trans_a, s->trans_b, s->m, s->n, s->k, s->alpha, a, s->lda, b, s->ldb, s->beta,
                  y, s->n);
        y += s->m * s->n;
        for (i = s->rank - 1; i >= 0; i--) {
            a += s->step_a[i];
            b += s->step_b[i];
            if (++at[i] < s->dims[i])
                break;
            a -= s->step_a[i] * s->dims[i];
            b -= s->step_b[i] * s->dims[i];
            at[i] = 0;
        }
    } while (i >= 0);
    if (epilogue.bias || epilogue.before || epilogue.after || epilogue.act.kind != DPLI_ACT_NONE)
        dpli_epilogue_run(&epilogue, step->out, (size_t)(y - (float *)step->out) / s->n, s->n);
}

/* c spread over the result, for a product that is added to it. */
static dpl_status spread(dpli_planner *p, const dpli_node *node, dpli_planned *c,
                         const dpl_shape *shape, dpli_ref out, dpl_error *err)
{
    dpli_move m = {.rank = 2};
    int64_t own[DPL_MAX_RANK];
    dpl_shape both;
    dpli_ref from;
    dpl_status status = dpli_broadcast(p, node, shape, &c->shape, &both, err);

    if (status != DPL_OK)
        return status;
    if (c->type != DPLI_F32 || !dpli_shape_equal(shape, &both) ||
        dpli_shape_elements(&c->shape) < 1)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "input 2 does not fit the product");
    status = dpli_plan_use(p, node, c, DPLI_PLAIN, &from, err);
    if (status != DPL_OK)
        return status;
    dpli_strides(&c->shape, DPLI_PLAIN, own);
    for (int32_t i = 0; i < 2; i++) {
        int32_t d = i - (2 - c->shape.rank);

        m.dims[i] = shape->dims[i];
        m.from[i] = d < 0 || c->shape.dims[d] == 1 ? 0 : own[d];
    }
    m.to[0] = shape->dims[1];
    m.to[1] = 1;
    return dpli_plan_move(p, node, DPLI_F32, &m, out, from, shape, err);
}

static dpl_status plan_step(dpli_planner *p, const dpli_node *node, dpli_planned *a,
                            dpli_planned *b, const gemm_step *product, const dpl_shape *shape,
                            dpl_error *err)
{
    const dpli_gemm_params *params = node->params;
    dpli_planned *c = params->has_bias ? NULL : dpli_plan_in(p, node, 2);
    dpli_ref in[2];
    dpli_tail tail;
    dpli_step *step;
    gemm_step *s;
    dpl_status status = dpli_plan_use(p, node, a, DPLI_PLAIN, &in[0], err);

    if (status == DPL_OK)
        status = dpli_plan_use(p, node, b, DPLI_PLAIN, &in[1], err);
    /* Not over the residual: the whole product is there before the epilogue begins. */
    if (status == DPL_OK)
        status = dpli_plan_tail(p, node, shape, DPLI_PLAIN, false, false, &tail, err);
    if (status == DPL_OK && c)
        status = spread(p, node, c, shape, tail.out, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_gemm, sizeof *s, shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    *s = *product;
    s->act = tail.act;
    s->beta = c ? params->beta : 0.0f;
    s->bias = params->has_bias ? dpli_graph_floats(dpli_plan_graph(p), node, 2, NULL) : NULL;
    dpli_tail_attach(&tail, step);
    step->in_ref[0] = in[0];
    step->in_ref[1] = in[1];
    step->bias = s->bias != NULL;
    step->macs = (double)dpli_shape_elements(shape) * (double)s->k;
    return DPL_OK;
}

static dpl_status plan_gemm(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_gemm_params *params = node->params;
    dpli_planned *a, *b;
    dpl_shape shape = {.rank = 2};
    gemm_step s = {
        .trans_a = params->trans_a != 0, .trans_b = params->trans_b != 0, .alpha = params->alpha};
    dpl_status status = dpli_plan_float(p, node, 0, &a, err);

    if (status == DPL_OK)
        status = dpli_plan_float(p, node, 1, &b, err);
    if (status != DPL_OK)
        return status;
    if (a->shape.rank != 2 || b->shape.rank != 2 ||
        a->shape.dims[!s.trans_a] != b->shape.dims[s.trans_b]) {
        char words[2][DPLI_SHAPE_TEXT];

        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "%s does not fit %s",
                              dpli_shape_text(&a->shape, words[0]),
                              dpli_shape_text(&b->shape, words[1]));
    }
    s.m = (size_t)a->shape.dims[s.trans_a];
    s.k = (size_t)a->shape.dims[!s.trans_a];
    s.n = (size_t)b->shape.dims[!s.trans_b];
    s.lda = (size_t)a->shape.dims[1];
    s.ldb = (size_t)b->shape.dims[1];
    shape.dims[0] = (int64_t)s.m;
    shape.dims[1] = (int64_t)s.n;
    return plan_step(p, node, a, b, &s, &shape, err);
}

/* Dimension i of a shape brought to rank by ones in front. */
static int64_t dim_at(const dpl_shape *shape, int32_t rank, int32_t i)
{
    return i < rank - shape->rank ? 1 : shape->dims[i - (rank - shape->rank)];
}

static dpl_status plan_matmul(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *a, *b;
    dpl_shape sa, sb, shape = {0};
    gemm_step s = {.alpha = 1.0f};
    int64_t size_a, size_b;
    int32_t rank;
    char words[2][DPLI_SHAPE_TEXT];
    dpl_status status = dpli_plan_float(p, node, 0, &a, err);

    if (status == DPL_OK)
        status = dpli_plan_float(p, node, 1, &b, err);
    if (status != DPL_OK)
        return status;
    sa = a->shape;
    sb = b->shape;
    if (sa.rank < 1 || sb.rank < 1)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "input is a scalar");
    /* A vector is a row on the left, a column on the right. */
    if (sa.rank == 1)
        sa = (dpl_shape){2, {1, a->shape.dims[0]}};
    if (sb.rank == 1)
        sb = (dpl_shape){2, {b->shape.dims[0], 1}};
    s.m = (size_t)sa.dims[sa.rank - 2];
    s.k = (size_t)sa.dims[sa.rank - 1];
    s.n = (size_t)sb.dims[sb.rank - 1];
    s.lda = s.k;
    s.ldb = s.n;
    rank = (sa.rank > sb.rank ? sa.rank : sb.rank) - 2;
    size_a = (int64_t)(s.m * s.k);
    size_b = (int64_t)(s.k * s.n);
    for (int32_t i = rank - 1; i >= 0; i--) {
        int64_t da = dim_at(&sa, rank + 2, i), db = dim_at(&sb, rank + 2, i);

        if (da != db && da != 1 && db != 1)
            break;
        s.dims[i] = da > db ? da : db;
        s.step_a[i] = da == 1 ? 0 : size_a;
        s.step_b[i] = db == 1 ? 0 : size_b;
        size_a *= da;
        size_b *= db;
        if (i == 0)
            s.rank = rank;
    }
    if (sb.dims[sb.rank - 2] != (int64_t)s.k || s.rank != rank)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "%s does not fit %s",
                              dpli_shape_text(&a->shape, words[0]),
                              dpli_shape_text(&b->shape, words[1]));
    for (int32_t i = 0; i < rank; i++)
        shape.dims[shape.rank++] = s.dims[i];
    if (a->shape.rank > 1)
        shape.dims[shape.rank++] = (int64_t)s.m;
    if (b->shape.rank > 1)
        shape.dims[shape.rank++] = (int64_t)s.n;
    /* One b for all: the rows of all a are one matrix. */
    if (sb.rank == 2) {
        for (int32_t i = 0; i < rank; i++)
            s.m *= (size_t)s.dims[i];
        s.rank = 0;
    }
    /* BLAS counts in int. */
    if (s.m > INT32_MAX)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "too many rows");
    return plan_step(p, node, a, b, &s, &shape, err);
}

const dpli_op dpli_ops_gemm[] = {
    {"Gemm", DPLI_ROLE_GEMM, 2, 3, 1, true, load_gemm, NULL, plan_gemm, &dpli_gemm_trained},
    {"MatMul", DPLI_ROLE_MATMUL, 2, 2, 1, true, load_matmul, NULL, plan_matmul, &dpli_gemm_trained},
    {0},
};
