/*
 * train.c - what the training halves of several operators share: copies, and what a constant's
 * shape means beside a tensor.
 */
#include "net/ops/train.h"

#include <string.h>

#include "net/blas.h"
#include "net/kernels.h"

typedef struct put_work {
    float *to;
    const float *from;
    float scale;
    bool add;
} put_work;

DPLI_EACH_CPU(static, void, put,
              (float *restrict to, const float *restrict from, size_t n, float scale, bool add),
              (to, from, n, scale, add))
{
    if (add) {
        for (size_t i = 0; i < n; i++)
            to[i] += scale * from[i];
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = scale * from[i];
    }
}

static void put_range(void *ctx, int worker, size_t from, size_t to)
{
    const put_work *w = ctx;

    (void)worker;
    put(w->to + from, w->from + from, to - from, w->scale, w->add);
}

void dpli_train_put(dpli_team *team, float *to, const float *from, size_t n, float scale, bool add)
{
    put_work w = {to, from, scale, add};

    dpli_team_run(team, n, put_range, &w);
}

void dpli_train_product(const dpli_tape_step *s, const dpli_product *p, float *scratch)
{
    if (s->narrow)
        dpli_narrow_product_run(p, scratch);
    else
        dpli_gemm(p->trans_a, p->trans_b, p->m, p->n, p->k, 1.0f, p->a, p->lda, p->b, p->ldb,
                  p->add ? 1.0f : 0.0f, p->c, p->ldc);
}

bool dpli_train_per_channel(const dpl_shape *shape, const dpli_tensor *x)
{
    int32_t at = shape->rank - (x->picture ? 3 : 1);

    return at >= 0 && x->batch_axis < x->shape.rank - (x->shape.rank > 1) &&
           shape->rank <= x->shape.rank && shape->dims[at] == x->c &&
           dpli_shape_elements(shape) == x->c;
}

dpl_status dpli_train_same_plan(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    dpl_status status = dpli_tape_need(g, s, 0, err);

    if (status == DPL_OK)
        dpli_train_as(s->out, s->in[0]);
    return status;
}

void dpli_train_same_forward(dpli_tape_step *s)
{
    dpli_train_put(s->team, s->out->value, s->in[0]->value, dpli_tensor_floats(s->out), 1.0f,
                   false);
}

void dpli_train_same_backward(dpli_tape_step *s)
{
    if (s->in[0]->grad)
        dpli_train_put(s->team, s->in[0]->grad, s->out->grad, dpli_tensor_floats(s->out), 1.0f,
                       s->add[0]);
}

void dpli_train_no_backward(dpli_tape_step *s)
{
    (void)s;
}

/* ------------------------------------------------------------------ any shapes */

dpli_view dpli_train_view_of(const dpli_tensor *t)
{
    dpli_view v = {.shape = t->shape, .batch_axis = t->batch_axis, .type = t->type};

    dpli_tensor_strides(t, v.strides);
    return v;
}

bool dpli_train_view(const dpli_graph *g, const dpli_tape_step *s, int32_t i, dpli_view *v)
{
    const dpli_value *value = dpli_graph_input(g, s->node, i);

    if (i < s->n_in && s->in[i]) {
        *v = dpli_train_view_of(s->in[i]);
        return true;
    }
    if (!value || !value->data || dpli_shape_elements(&value->shape) < 1)
        return false;
    *v = (dpli_view){.shape = value->shape, .batch_axis = -1, .type = value->type};
    dpli_strides(&value->shape, DPLI_PLAIN, v->strides);
    return true;
}

const void *dpli_train_elements(const dpli_tape_step *s, const dpli_graph *g, int32_t i)
{
    if (s->in[i])
        return s->in[i]->type == DPLI_I64 ? (const void *)s->in[i]->ids : s->in[i]->value;
    return s->param[i] ? (const void *)s->param[i]->value : g->values[s->node->inputs[i]].data;
}

dpl_status dpli_train_broadcast(const dpli_graph *g, const dpli_tape_step *s, int32_t n,
                                const dpli_view *views, dpli_tensor *out, dpl_error *err)
{
    dpl_shape shape = {0};
    int32_t batch_axis = -1;
    bool fits = true, picture = false;

    for (int32_t i = 0; i < n; i++)
        shape.rank = views[i].shape.rank > shape.rank ? views[i].shape.rank : shape.rank;
    for (int32_t d = 0; d < shape.rank; d++)
        shape.dims[d] = 1;
    for (int32_t i = 0; i < n; i++) {
        const int32_t skip = shape.rank - views[i].shape.rank;
        const int32_t own = views[i].batch_axis < 0 ? -1 : views[i].batch_axis + skip;

        fits = fits && (own < 0 || batch_axis < 0 || own == batch_axis);
        batch_axis = own >= 0 ? own : batch_axis;
        picture = picture || (i < s->n_in && s->in[i] && s->in[i]->picture);
        for (int32_t d = skip; d < shape.rank; d++) {
            const int64_t dim = views[i].shape.dims[d - skip];

            fits = fits && (dim == 1 || shape.dims[d] == 1 || dim == shape.dims[d]);
            shape.dims[d] = dim > shape.dims[d] ? dim : shape.dims[d];
        }
    }
    /* All have a batch as large. A constant that has a value an item has one for each place in a
     * batch, whoever is there. */
    for (int32_t i = 0; i < n && batch_axis >= 0; i++) {
        const int32_t at = batch_axis - (shape.rank - views[i].shape.rank);

        fits = fits && (views[i].batch_axis >= 0 ? views[i].shape.dims[at] == shape.dims[batch_axis]
                                                 : at < 0 || views[i].shape.dims[at] == 1);
    }
    if (batch_axis < 0 || !fits ||
        !(picture && shape.rank == 4 && batch_axis == 0
              ? dpli_tensor_shape(out, &shape)
              : dpli_tensor_shape_at(out, &shape, batch_axis)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "operands do not fit together, item by item of a batch; it cannot be "
                              "trained");
    return DPL_OK;
}

void dpli_items_make(dpli_items *w, const dpli_tensor *t, int32_t n_values,
                     const int64_t (*strides)[DPL_MAX_RANK])
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    int64_t dims[DPL_MAX_RANK], by_memory[DPLI_WALK_VALUES][DPL_MAX_RANK];
    const int64_t *list[DPLI_WALK_VALUES] = {by_memory[0], by_memory[1], by_memory[2],
                                             by_memory[3]};
    int32_t n = 0;

    for (int32_t i = 0; i < t->shape.rank; i++) {
        const int32_t d = t->picture ? nhwc[i] : i;

        for (int32_t v = 0; v < n_values; v++) {
            if (d == t->batch_axis)
                w->batch[v] = strides[v][d];
            else
                by_memory[v][n] = strides[v][d];
        }
        if (d != t->batch_axis)
            dims[n++] = t->shape.dims[d];
    }
    dpli_walk_make(&w->walk, n, dims, n_values, list);
}

void dpli_items_over(dpli_items *w, const dpli_tensor *out, int32_t n, const dpli_view *views)
{
    int64_t strides[DPLI_WALK_VALUES][DPL_MAX_RANK];

    dpli_tensor_strides(out, strides[0]);
    for (int32_t i = 0; i < n; i++)
        dpli_spread(&views[i].shape, views[i].strides, &out->shape, strides[i + 1]);
    dpli_items_make(w, out, n + 1, (const int64_t(*)[DPL_MAX_RANK])strides);
}

static void move_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const dpli_train_move *m = s->state;
    const dpli_walk *w = &m->items.walk;
    const int64_t n = dpli_walk_row(w), so = dpli_walk_step(w, 0), si = dpli_walk_step(w, 1);
    const bool ids = s->out->type == DPLI_I64;

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const int64_t out = (int64_t)k * m->items.batch[0];
        const int64_t in = (int64_t)k * m->items.batch[1] + m->offset;
        dpli_place at = {0};

        do {
            const int64_t y = out + at.at[0], x = in + at.at[1];

            if (!ids && so == 1 && si == 1) {
                memcpy(s->out->value + y, s->in[0]->value + x, (size_t)n * sizeof(float));
                continue;
            }
            for (int64_t i = 0; i < n && !ids; i++)
                s->out->value[y + i * so] = s->in[0]->value[x + i * si];
            for (int64_t i = 0; i < n && ids; i++)
                s->out->ids[y + i * so] = s->in[0]->ids[x + i * si];
        } while (dpli_walk_next(w, &at));
    }
}

static void move_back_range(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const dpli_train_move *m = s->state;
    const dpli_walk *w = &m->items.walk;
    const int64_t n = dpli_walk_row(w), so = dpli_walk_step(w, 0), si = dpli_walk_step(w, 1);
    const size_t item = dpli_tensor_item(s->in[0]);

    (void)worker;
    for (size_t k = from; k < to; k++) {
        const float *dy = s->out->grad + (int64_t)k * m->items.batch[0];
        float *dx = s->in[0]->grad + (int64_t)k * m->items.batch[1] + m->offset;
        dpli_place at = {0};

        if (!s->add[0])
            memset(s->in[0]->grad + k * item, 0, item * sizeof *dx);
        do {
            for (int64_t i = 0; i < n; i++)
                dx[at.at[1] + i * si] += dy[at.at[0] + i * so];
        } while (dpli_walk_next(w, &at));
    }
}

void dpli_train_move_forward(dpli_tape_step *s)
{
    dpli_team_run(s->team, (size_t)s->out->n, move_range, s);
}

void dpli_train_move_backward(dpli_tape_step *s)
{
    if (s->in[0]->grad)
        dpli_team_run(s->team, (size_t)s->out->n, move_back_range, s);
}

dpl_status dpli_train_need_any(const dpli_graph *g, const dpli_tape_step *s, dpl_error *err)
{
    return s->in[0] && s->in[0]->type == DPLI_I64 ? DPL_OK : dpli_tape_need(g, s, 0, err);
}
