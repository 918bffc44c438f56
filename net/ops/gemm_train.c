/*
 * gemm_train.c - Gemm and MatMul with a constant matrix, and MatMul of two that are computed,
 * forward for training and back.
 *
 *     y [n, out] = alpha x [n, in] op(b) + beta c
 *     dx = alpha dy op(b)^T,   db = alpha x^T dy (or its transpose),   dc = beta sum_n dy
 *
 * Of two that are computed, as in attention, there is a product for each leading index, with
 * dx = dy b^T and db = x^T dy; an item of the batch is one thread's.
 *
 * The batch is small beside the matrix, so that the matrix is what is cut over the threads: each
 * reads its own part of it once.
 */
#include "net/ops/gemm_train.h"

#include "net/blas.h"
#include "net/ops/gemm_params.h"
#include "net/ops/op.h"
#include "net/ops/train.h"

typedef struct gemm_state {
    size_t in, out;
    float alpha, beta;
    bool trans_b; /* b is [out, in], else [in, out] */
    dpli_tape_step *s;
    bool narrow; /* its products are of bfloat16 */
    bool both;   /* a and b are computed: n_inner products [rows, in] [in, out] an item */
    size_t rows, n_inner;
} gemm_state;

static dpli_param *addend(const dpli_tape_step *s)
{
    return s->n_in > 2 ? s->param[2] : NULL;
}

static dpl_status plan_both(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    gemm_state *state = s->state;
    const dpli_tensor *a = s->in[0], *b = s->in[1];
    const int32_t rank = a->shape.rank;
    bool fits = rank > 2 && b->shape.rank == rank && !a->picture && !b->picture &&
                a->batch_axis == b->batch_axis && a->batch_axis < rank - 2;
    dpl_shape shape = a->shape;
    dpl_status status = dpli_tape_need(g, s, 1, err);

    if (status != DPL_OK)
        return status;
    state->both = true;
    state->n_inner = 1;
    for (int32_t i = 0; i < rank - 2 && fits; i++) {
        fits = a->shape.dims[i] == b->shape.dims[i];
        state->n_inner *= i == a->batch_axis ? 1 : (size_t)a->shape.dims[i];
    }
    if (!fits || a->shape.dims[rank - 1] != b->shape.dims[rank - 2])
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "two that are computed are trained when all but their last two "
                              "dimensions are the same");
    state->rows = (size_t)a->shape.dims[rank - 2];
    state->in = (size_t)a->shape.dims[rank - 1];
    state->out = (size_t)b->shape.dims[rank - 1];
    shape.dims[rank - 1] = b->shape.dims[rank - 1];
    if (!dpli_tensor_shape_at(s->out, &shape, a->batch_axis))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    return DPL_OK;
}

static dpl_status plan(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    gemm_state *state = s->state;
    const dpli_tensor *x = s->in[0];
    dpl_shape shape;
    const dpl_shape *b = s->param[1] ? &s->param[1]->shape : NULL;
    const dpli_gemm_params *params = s->node->params;
    dpl_status status = dpli_tape_need(g, s, 0, err);

    if (status != DPL_OK)
        return status;
    if (s->node->op->role == DPLI_ROLE_MATMUL && s->in[1])
        return plan_both(g, s, err);
    state->alpha = params->alpha;
    state->beta = params->beta;
    state->trans_b = params->trans_b != 0;
    if (!(x->shape.rank == 2 ||
          (s->node->op->role == DPLI_ROLE_MATMUL && x->shape.rank > 2 && !x->picture)) ||
        x->batch_axis == x->shape.rank - 1 || params->trans_a != 0 || !b || b->rank != 2 ||
        b->dims[0] < 1 || b->dims[1] < 1 || b->dims[0] > INT32_MAX || b->dims[1] > INT32_MAX)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "is not rows times a constant matrix; it cannot be trained");
    state->in = (size_t)b->dims[state->trans_b];
    state->out = (size_t)b->dims[!state->trans_b];
    if (state->in != (size_t)x->c)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "input of %d does not fit a matrix for %zu", (int)x->c, state->in);
    if (s->n_in > 2 && (s->in[2] || (addend(s) && addend(s)->n != state->out)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "input 2 is not one constant a column; it cannot be trained");
    shape = x->shape;
    shape.dims[shape.rank - 1] = (int64_t)state->out;
    if (!dpli_tensor_shape_at(s->out, &shape, x->batch_axis))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    state->narrow = s->narrow && state->alpha == 1.0f;
    s->scratch_floats = (size_t)dpli_team_size(s->team) * dpli_train_product_floats(s);
    status = dpli_tape_claim(g, s, 1, DPLI_PARAM_DENSE, state->in, state->out, err);
    if (status == DPL_OK && addend(s))
        status = dpli_tape_claim(g, s, 2, DPLI_PARAM_BIAS, 0, 0, err);
    return status;
}

/* A row for each vector of the input: as many as pictures at rank 2. */
static size_t n_rows(const dpli_tape_step *s)
{
    return (size_t)s->out->n * (size_t)s->out->w;
}

static size_t ldb(const gemm_state *state)
{
    return state->trans_b ? state->in : state->out;
}

/* c [m, n] = alpha op(a) op(b), or added to c. */
static void product(const gemm_state *state, int worker, const dpli_product *p)
{
    const dpli_tape_step *s = state->s;

    if (state->narrow)
        dpli_train_product(s, p, s->scratch + (size_t)worker * dpli_train_product_floats(s));
    else
        dpli_gemm(p->trans_a, p->trans_b, p->m, p->n, p->k, state->alpha, p->a, p->lda, p->b,
                  p->ldb, p->add ? 1.0f : 0.0f, p->c, p->ldc);
}

static void forward_part(void *ctx, int worker, size_t from, size_t to)
{
    const gemm_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const float *b = s->param[1]->value + from * (state->trans_b ? state->in : 1);
    const size_t n = n_rows(s);
    float *y = s->out->value;

    product(state, worker,
            &(dpli_product){false, state->trans_b, false, n, to - from, state->in, s->in[0]->value,
                            state->in, b, ldb(state), y + from, state->out});
    for (size_t i = 0; addend(s) && i < n; i++) {
        for (size_t o = from; o < to; o++)
            y[i * state->out + o] += state->beta * addend(s)->value[o];
    }
}

static void input_part(void *ctx, int worker, size_t from, size_t to)
{
    const gemm_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const float *b = s->param[1]->value + from * (state->trans_b ? 1 : state->out);

    product(state, worker,
            &(dpli_product){false, !state->trans_b, s->add[0], n_rows(s), to - from, state->out,
                            s->out->grad, state->out, b, ldb(state), s->in[0]->grad + from,
                            state->in});
}

static void matrix_part(void *ctx, int worker, size_t from, size_t to)
{
    const gemm_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const float *x = s->in[0]->value, *dy = s->out->grad;
    float *db = s->param[1]->grad + from * ldb(state);

    if (state->trans_b)
        product(state, worker,
                &(dpli_product){true, false, false, to - from, state->in, n_rows(s), dy + from,
                                state->out, x, state->in, db, state->in});
    else
        product(state, worker,
                &(dpli_product){true, false, false, to - from, state->out, n_rows(s), x + from,
                                state->in, dy, state->out, db, state->out});
}

static void addend_part(void *ctx, int worker, size_t from, size_t to)
{
    const gemm_state *state = ctx;
    const dpli_tape_step *s = state->s;

    (void)worker;
    for (size_t o = from; o < to; o++) {
        double sum = 0;

        for (size_t i = 0; i < n_rows(s); i++)
            sum += (double)s->out->grad[i * state->out + o];
        addend(s)->grad[o] = (float)((double)state->beta * sum);
    }
}

/* Products from .. to - 1 of all items. */
static void both_forward(void *ctx, int worker, size_t from, size_t to)
{
    const gemm_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const size_t a = state->rows * state->in, b = state->in * state->out;
    const size_t y = state->rows * state->out;

    (void)worker;
    for (size_t k = from; k < to; k++)
        dpli_gemm(false, false, state->rows, state->out, state->in, 1.0f, s->in[0]->value + k * a,
                  state->in, s->in[1]->value + k * b, state->out, 0.0f, s->out->value + k * y,
                  state->out);
}

static void both_back(void *ctx, int worker, size_t from, size_t to)
{
    const gemm_state *state = ctx;
    const dpli_tape_step *s = state->s;
    const size_t a = state->rows * state->in, b = state->in * state->out;
    const size_t y = state->rows * state->out;

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const float *dy = s->out->grad + k * y;

        if (s->in[0]->grad)
            dpli_gemm(false, true, state->rows, state->in, state->out, 1.0f, dy, state->out,
                      s->in[1]->value + k * b, state->out, s->add[0] ? 1.0f : 0.0f,
                      s->in[0]->grad + k * a, state->in);
        if (s->in[1]->grad)
            dpli_gemm(true, false, state->in, state->out, state->rows, 1.0f,
                      s->in[0]->value + k * a, state->in, dy, state->out, s->add[1] ? 1.0f : 0.0f,
                      s->in[1]->grad + k * b, state->out);
    }
}

static void forward(dpli_tape_step *s)
{
    gemm_state *state = s->state;

    state->s = s;
    if (state->both) {
        dpli_team_run(s->team, (size_t)s->out->n * state->n_inner, both_forward, state);
        return;
    }
    dpli_team_run(s->team, state->out, forward_part, state);
}

static void backward(dpli_tape_step *s)
{
    gemm_state *state = s->state;

    state->s = s;
    if (state->both) {
        dpli_team_run(s->team, (size_t)s->out->n * state->n_inner, both_back, state);
        return;
    }
    if (s->param[1]->grad)
        dpli_team_run(s->team, state->trans_b ? state->out : state->in, matrix_part, state);
    if (addend(s) && addend(s)->grad)
        dpli_team_run(s->team, state->out, addend_part, state);
    if (s->in[0]->grad)
        dpli_team_run(s->team, state->in, input_part, state);
}

const struct dpli_trained dpli_gemm_trained = {
    .state_bytes = sizeof(gemm_state), .plan = plan, .forward = forward, .backward = backward};
