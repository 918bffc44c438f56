/*
 * train.c - what the training halves of several operators share: copies, and what a constant's
 * shape means beside a tensor.
 */
#include "net/ops/train.h"

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

bool dpli_train_per_channel(const dpl_shape *shape, const dpli_tensor *x)
{
    int32_t at = shape->rank - (x->shape.rank == 4 ? 3 : 1);

    return at >= 0 && shape->rank <= x->shape.rank && shape->dims[at] == x->c &&
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
