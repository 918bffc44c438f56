/*
 * place.c - how values lie while a graph is planned: plain or NHWC, float32 or narrow, and the
 * steps that bring them from one to the other; what comes behind a product, in its place.
 */
#include "net/place.h"

#include "net/kernels.h"
#include "net/ops/op.h"

static dpl_shape padded(const dpl_shape *shape)
{
    dpl_shape wide = *shape;

    wide.dims[1] = dpli_narrow_channels((int32_t)shape->dims[1]);
    return wide;
}

size_t dpli_narrow_elements(const dpl_shape *shape)
{
    const dpl_shape wide = padded(shape);

    return (size_t)dpli_shape_elements(&wide);
}

/* Whether the node takes its input i narrow. A product does when its weight is. */
static bool takes(const dpli_node *node, int32_t i)
{
    switch (node->op->role) {
    case DPLI_ROLE_CONV:
    case DPLI_ROLE_NORM: return i == 0 && node->narrow;
    case DPLI_ROLE_ADD: return true;
    case DPLI_ROLE_MEAN:
    case DPLI_ROLE_POOL:
    case DPLI_ROLE_RESIZE: return i == 0;
    default: return false;
    }
}

void dpli_narrow_count(dpli_planner *p)
{
    const dpli_graph *g = p->g;

    for (int32_t k = 0; k < g->n_nodes; k++) {
        const dpli_node *node = &g->nodes[k];

        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0 && takes(node, i))
                p->values[node->inputs[i]].narrow_reads++;
    }
}

bool dpli_narrow_wanted(const dpli_planner *p, const dpli_node *node, int32_t i)
{
    const dpli_planned *v = &p->values[node->outputs[i]];

    if (p->g->numbers == DPLI_BYTES)
        return v->narrow_reads > 0 && p->g->values[node->outputs[i]].grid.scale > 0.0f;
    return v->narrow_reads > 0 && v->narrow_reads == p->g->values[node->outputs[i]].n_uses;
}

bool dpli_narrow_suits(const dpli_planner *p, const dpli_node *node, int32_t n_operands)
{
    const dpli_planned *first = &p->values[node->inputs[0]];

    for (int32_t i = 0; i < n_operands; i++) {
        const dpli_planned *v = &p->values[node->inputs[i]];

        if (v->narrow < 0 || !dpli_shape_equal(&v->shape, &first->shape))
            return false;
    }
    return dpli_narrow_wanted(p, node, 0);
}

/* The only reader of the node's result; NULL for several, or none. */
static const dpli_node *sole_reader(const dpli_planner *p, const dpli_node *node)
{
    const dpli_value *v = &p->g->values[node->outputs[0]];

    return v->n_uses == 1 && v->consumer >= 0 && !p->folding ? &p->g->nodes[v->consumer] : NULL;
}

const dpli_node *dpli_bytes_rounding(const dpli_planner *p, const dpli_node *node)
{
    const dpli_node *reader = sole_reader(p, node);

    return p->g->numbers == DPLI_BYTES && reader && reader->op->role == DPLI_ROLE_FAKE_QUANTIZE &&
                   dpli_narrow_wanted(p, reader, 0)
               ? reader
               : NULL;
}

static dpl_status narrow_buffer(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                                int32_t pending, int32_t *id, dpl_error *err)
{
    const dpl_shape wide = padded(shape);

    return dpli_plan_buffer(p, node, p->g->numbers == DPLI_BYTES ? DPLI_U8 : DPLI_BF16, &wide,
                            pending, id, err);
}

static void define(dpli_planner *p, int32_t value, const dpl_shape *shape, int32_t id)
{
    dpli_planned *v = &p->values[value];

    v->shape = *shape;
    v->type = DPLI_F32;
    v->narrow = id;
    v->defined = true;
    p->buffers[id].pending += v->pending;
}

dpl_status dpli_narrow_out(dpli_planner *p, const dpli_node *node, int32_t i,
                           const dpl_shape *shape, dpli_ref *ref, dpl_error *err)
{
    dpl_status status = narrow_buffer(p, node, shape, 0, &ref->buffer, err);

    ref->fixed = NULL;
    if (status == DPL_OK)
        define(p, node->outputs[i], shape, ref->buffer);
    return status;
}

dpl_status dpli_narrow_out_over(dpli_planner *p, const dpli_node *node, int32_t i,
                                const dpli_planned *v, const dpl_shape *shape, dpli_ref *ref,
                                dpl_error *err)
{
    if (!v || v->narrow < 0 || p->buffers[v->narrow].pending != 1 ||
        !dpli_shape_equal(&v->shape, shape))
        return dpli_narrow_out(p, node, i, shape, ref, err);
    *ref = (dpli_ref){v->narrow, NULL};
    define(p, node->outputs[i], shape, v->narrow);
    return DPL_OK;
}

/* ------------------------------------------------------------------ to narrow and back */

typedef struct cast_step {
    dpli_cast cast;
    dpli_numbers numbers;
} cast_step;

static void run_narrow(const dpli_step *step)
{
    const cast_step *s = step->params;

    dpli_narrow_run(&s->cast, s->numbers, step->out, step->in[0]);
}

static void link_narrow(const dpli_step *step, dpli_link *link)
{
    const cast_step *s = step->params;

    *link = (dpli_link){.cast = &s->cast, .numbers = s->numbers};
}

static cast_step cast_of(const dpli_planner *p, const dpli_planned *v)
{
    const dpl_shape *shape = &v->shape;

    return (cast_step){.cast = {.n = (int32_t)shape->dims[0],
                                .h = shape->rank == 4 ? (int32_t)shape->dims[2] : 1,
                                .w = shape->rank == 4 ? (int32_t)shape->dims[3] : 1,
                                .channels = (int32_t)shape->dims[1],
                                .to = dpli_plan_grid(p, v)},
                       .numbers = p->g->numbers};
}

static dpl_status cast(dpli_planner *p, const dpli_node *node, const dpli_planned *of,
                       dpli_ref from, dpli_ref to, dpl_error *err)
{
    dpli_step *step = dpli_plan_step(p, node, run_narrow, sizeof(cast_step), &of->shape, err);

    if (!step)
        return DPL_E_MEMORY;
    *(cast_step *)step->params = cast_of(p, of);
    step->link = link_narrow;
    step->what = "to";
    step->numbers = p->g->numbers;
    step->in_ref[0] = from;
    step->out_ref = to;
    return DPL_OK;
}

dpl_status dpli_narrow_use(dpli_planner *p, const dpli_node *node, dpli_planned *v, dpli_ref *ref,
                           dpl_error *err)
{
    dpl_status status = DPL_OK;
    dpli_ref from;

    if (v->narrow < 0) {
        status = dpli_plan_use(p, node, v, DPLI_NHWC, &from, err);
        if (status == DPL_OK)
            status = narrow_buffer(p, node, &v->shape, v->pending, &v->narrow, err);
        if (status == DPL_OK)
            status = cast(p, node, v, from, (dpli_ref){v->narrow, NULL}, err);
    }
    *ref = (dpli_ref){v->narrow, NULL};
    return status;
}

dpl_status dpli_bytes_round(dpli_planner *p, const dpli_node *node, dpli_planned *x, dpl_error *err)
{
    const dpl_shape shape = x->shape;
    dpli_ref from, to;
    dpl_status status = dpli_plan_use(p, node, x, DPLI_NHWC, &from, err);

    if (status == DPL_OK)
        status = dpli_narrow_out(p, node, 0, &shape, &to, err);
    return status == DPL_OK ? cast(p, node, &p->values[node->outputs[0]], from, to, err) : status;
}

static void run_widen(const dpli_step *step)
{
    const cast_step *s = step->params;
    const dpli_cast *c = &s->cast;
    const size_t n_rows = (size_t)c->n * (size_t)c->h * (size_t)c->w;

    if (s->numbers == DPLI_BYTES)
        dpli_bytes_widen_run(&c->to, step->out, step->in[0], n_rows, (size_t)c->channels);
    else
        dpli_widen_run(step->out, step->in[0], n_rows, (size_t)c->channels);
}

dpl_status dpli_narrow_widen(dpli_planner *p, const dpli_node *node, dpli_planned *v,
                             dpl_error *err)
{
    const dpli_order order = v->shape.rank == 4 ? DPLI_NHWC : DPLI_PLAIN;
    dpli_step *step;
    dpl_status status =
        dpli_plan_buffer(p, node, DPLI_F32, &v->shape, v->pending, &v->buffer[order], err);

    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_widen, sizeof(cast_step), &v->shape, err);
    if (!step)
        return DPL_E_MEMORY;
    *(cast_step *)step->params = cast_of(p, v);
    step->what = "from";
    step->numbers = p->g->numbers;
    step->in_ref[0] = (dpli_ref){v->narrow, NULL};
    step->out_ref = (dpli_ref){v->buffer[order], NULL};
    return DPL_OK;
}

/* ------------------------------------------------------------------ orders */

/* Where the order of a rank-4 value makes no difference to its bytes. */
static bool order_is_trivial(const dpl_shape *shape)
{
    return shape->rank != 4 || shape->dims[1] == 1 || (shape->dims[2] == 1 && shape->dims[3] == 1);
}

static dpl_status transpose(dpli_planner *p, const dpli_node *node, const dpli_planned *v,
                            dpli_order order, dpli_ref to, dpli_ref from, dpl_error *err)
{
    static const int32_t axes[2][4] = {{0, 1, 2, 3}, {0, 2, 3, 1}};
    int64_t to_strides[DPL_MAX_RANK], from_strides[DPL_MAX_RANK];
    dpli_move m = {.rank = 4};

    dpli_strides(&v->shape, order, to_strides);
    dpli_strides(&v->shape, order == DPLI_NHWC ? DPLI_PLAIN : DPLI_NHWC, from_strides);
    for (int32_t i = 0; i < 4; i++) {
        m.dims[i] = v->shape.dims[axes[order][i]];
        m.to[i] = to_strides[axes[order][i]];
        m.from[i] = from_strides[axes[order][i]];
    }
    return dpli_plan_move(p, node, v->type, &m, to, from, &v->shape, err);
}

dpl_status dpli_plan_use(dpli_planner *p, const dpli_node *node, dpli_planned *v, dpli_order order,
                         dpli_ref *ref, dpl_error *err)
{
    dpli_order other = order == DPLI_NHWC ? DPLI_PLAIN : DPLI_NHWC;
    dpl_status status;
    dpli_ref from;
    int32_t id;

    if (v->shape.rank != 4)
        order = DPLI_PLAIN;
    if (v->narrow >= 0 && v->buffer[0] < 0 && v->buffer[1] < 0) {
        status = dpli_narrow_widen(p, node, v, err);
        if (status != DPL_OK)
            return status;
    }
    *ref = (dpli_ref){v->buffer[order], NULL};
    if (ref->buffer >= 0)
        return DPL_OK;
    if (v->known && (order == DPLI_PLAIN || order_is_trivial(&v->shape))) {
        ref->fixed = v->known;
        return DPL_OK;
    }
    if (!v->known && order_is_trivial(&v->shape)) {
        v->buffer[order] = v->buffer[other];
        ref->buffer = v->buffer[order];
        return DPL_OK;
    }
    from = (dpli_ref){v->buffer[other], v->known};
    status = dpli_plan_buffer(p, node, v->type, &v->shape, v->pending, &id, err);
    if (status != DPL_OK)
        return status;
    v->buffer[order] = id;
    ref->buffer = id;
    return transpose(p, node, v, order, *ref, from, err);
}

dpl_status dpli_plan_alias(dpli_planner *p, const dpli_node *node, int32_t i, dpli_planned *v,
                           dpli_order order, const dpl_shape *shape, dpli_order out_order,
                           dpl_error *err)
{
    dpli_planned *out = &p->values[node->outputs[i]];
    dpl_status status;
    dpli_ref ref;

    if (v->known) {
        out->shape = *shape;
        out->type = v->type;
        out->known = v->known;
        out->defined = true;
        return DPL_OK;
    }
    status = dpli_plan_use(p, node, v, order, &ref, err);
    if (status == DPL_OK)
        dpli_plan_define(p, node->outputs[i], v->type, shape, out_order, ref.buffer);
    return status;
}

/* ------------------------------------------------------------------ tails */

/* The place of output 0 of a node, narrow or float32. */
static dpl_status place_out(dpli_planner *p, const dpli_node *node, const dpli_planned *over,
                            const dpl_shape *shape, dpli_order order, dpli_tail *tail,
                            dpl_error *err)
{
    if (tail->narrow)
        return dpli_narrow_out_over(p, node, 0, over, shape, &tail->out, err);
    return dpli_plan_out_over(p, node, 0, over, shape, order, &tail->out, err);
}

/* A node that is done with what this tail makes. */
static void take_in(dpli_planner *p, const dpli_node *node)
{
    p->done[node - p->g->nodes] = true;
}

/*
 * A product, then, as far as they are there: a rounding to bytes; a sum with what lies as bytes;
 * the rounding whose result is wanted. False where no such rounding ends it.
 */
static bool plan_bytes_tail(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                            dpli_tail *tail, dpl_status *status, dpl_error *err)
{
    const dpli_node *last = dpli_bytes_rounding(p, node), *add = sole_reader(p, node);
    const dpli_node *first = NULL;
    const dpli_node *behind = node->behind >= 0 ? &p->g->nodes[node->behind] : NULL;
    dpli_planned *other = NULL;

    if (add && add->op->role == DPLI_ROLE_FAKE_QUANTIZE && node->act.kind == DPLI_ACT_NONE &&
        p->g->values[add->outputs[0]].grid.scale > 0.0f) {
        first = add;
        add = sole_reader(p, add);
    }
    if (add && add->op->role == DPLI_ROLE_ADD &&
        (node->act.kind == DPLI_ACT_NONE || add->act.kind == DPLI_ACT_NONE)) {
        const int32_t own = (first ? first : node)->outputs[0];

        other = dpli_plan_in(p, add, add->inputs[0] == own ? 1 : 0);
        if (!dpli_bytes_rounding(p, add) || !other->defined || other->narrow < 0 ||
            !dpli_shape_equal(&other->shape, shape))
            other = NULL;
    }
    if (behind && behind == add && dpli_bytes_rounding(p, behind)) {
        last = dpli_bytes_rounding(p, behind);
        *status = dpli_narrow_out(p, last, 0, shape, &tail->out, err);
        tail->first = p->g->values[first->outputs[0]].grid;
        tail->rounded = true;
        tail->act = behind->act;
        take_in(p, first);
        take_in(p, behind);
    } else if (other) {
        last = dpli_bytes_rounding(p, add);
        *status = dpli_narrow_out_over(p, last, 0, other, shape, &tail->out, err);
        if (first) {
            tail->first = p->g->values[first->outputs[0]].grid;
            tail->rounded = true;
            take_in(p, first);
        }
        tail->added = dpli_plan_grid(p, other);
        if (node->act.kind != DPLI_ACT_NONE) {
            tail->after = (dpli_ref){other->narrow, NULL};
        } else {
            tail->before = (dpli_ref){other->narrow, NULL};
            tail->act = dpli_plan_act(p, add);
        }
        take_in(p, add);
        dpli_plan_consume(p, other);
    } else if (last) {
        *status = dpli_narrow_out(p, last, 0, shape, &tail->out, err);
    } else {
        return false;
    }
    tail->out_scale = p->g->values[last->outputs[0]].grid;
    tail->narrow = true;
    take_in(p, last);
    return true;
}

dpl_status dpli_plan_tail(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                          dpli_order order, bool over, bool narrow, dpli_tail *tail, dpl_error *err)
{
    const dpli_node *add = sole_reader(p, node);
    dpli_planned *other;
    dpli_ref ref;
    dpl_status status;

    *tail = (dpli_tail){.act = dpli_plan_act(p, node), .before = DPLI_NO_REF, .after = DPLI_NO_REF};
    if (narrow && p->g->numbers == DPLI_BYTES) {
        if (plan_bytes_tail(p, node, shape, tail, &status, err))
            return status;
        narrow = false; /* what is left is float32 */
    }
    tail->narrow = narrow && dpli_narrow_wanted(p, node, 0);
    if (!add || add->op->role != DPLI_ROLE_ADD ||
        (node->act.kind != DPLI_ACT_NONE && add->act.kind != DPLI_ACT_NONE))
        return place_out(p, node, NULL, shape, order, tail, err);
    other = dpli_plan_in(p, add, add->inputs[0] == node->outputs[0] ? 1 : 0);
    ref = (dpli_ref){other->buffer[shape->rank == 4 ? order : DPLI_PLAIN], NULL};
    if (narrow && dpli_narrow_wanted(p, add, 0))
        ref.buffer = other->narrow;
    if (!other->defined || other->type != DPLI_F32 || ref.buffer < 0 ||
        !dpli_shape_equal(&other->shape, shape))
        return place_out(p, node, NULL, shape, order, tail, err);

    tail->narrow = narrow && dpli_narrow_wanted(p, add, 0);
    status = place_out(p, add, over ? other : NULL, shape, order, tail, err);
    if (status != DPL_OK)
        return status;
    if (node->act.kind != DPLI_ACT_NONE) {
        tail->after = ref;
    } else {
        tail->before = ref;
        tail->act = dpli_plan_act(p, add);
    }
    take_in(p, add);
    dpli_plan_consume(p, other);
    return DPL_OK;
}
