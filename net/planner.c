/*
 * planner.c - what operators call while a graph is planned: values, their orders in memory, the
 * buffers they lie in, the steps that make them, and moves of elements from one order to another.
 *
 * plan.c goes through the nodes and lets each operator (net/ops) call what is here.
 */
#include "net/planner.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/narrow.h"
#include "net/ops/op.h"

/* Elements of a float result that is computed while planning, not in a step. */
#define MAX_FOLDED_FLOATS 1024

const dpli_graph *dpli_plan_graph(const dpli_planner *p)
{
    return p->g;
}

/* ------------------------------------------------------------------ layout */

/* Where the order of a rank-4 value makes no difference to its bytes. */
static bool order_is_trivial(const dpl_shape *shape)
{
    return shape->rank != 4 || shape->dims[1] == 1 || (shape->dims[2] == 1 && shape->dims[3] == 1);
}

dpli_order dpli_plan_order(const dpli_planned *v)
{
    return v->shape.rank == 4 && (v->buffer[DPLI_NHWC] >= 0 || v->narrow >= 0) ? DPLI_NHWC
                                                                               : DPLI_PLAIN;
}

/* ------------------------------------------------------------------ buffers */

static dpl_status grow(void **array, int32_t n, int32_t *cap, size_t size, dpl_error *err)
{
    int32_t wanted = *cap ? 2 * *cap : 64;
    void *grown;

    if (n < *cap)
        return DPL_OK;
    grown = dpli_realloc(*array, (size_t)wanted, size, err);
    if (!grown)
        return DPL_E_MEMORY;
    *array = grown;
    *cap = wanted;
    return DPL_OK;
}

dpl_status dpli_plan_too_large(const dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    size_t mib = p->max_bytes >> 20;
    char words[96];

    snprintf(words, sizeof words,
             p->folding ? "constants take more than %zu MiB"
                        : "more than %zu MiB are needed at this input size (--model-memory)",
             mib);
    if (node)
        return dpli_node_fail(p->g, node, DPL_E_LIMIT, err, "%s", words);
    return dpli_fail(err, DPL_E_LIMIT, "%s", words);
}

static dpl_status new_buffer(dpli_planner *p, const dpli_node *node, size_t n_bytes,
                             int32_t pending, int32_t *id, dpl_error *err)
{
    dpl_status status =
        grow((void **)&p->buffers, p->n_buffers, &p->cap_buffers, sizeof *p->buffers, err);

    if (status != DPL_OK)
        return status;
    if (n_bytes > p->max_bytes)
        return dpli_plan_too_large(p, node, err);
    *id = p->n_buffers++;
    p->buffers[*id] = (dpli_buffer){.n_bytes = n_bytes, .pending = pending};
    return DPL_OK;
}

dpl_status dpli_plan_buffer(dpli_planner *p, const dpli_node *node, dpli_type type,
                            const dpl_shape *shape, int32_t pending, int32_t *id, dpl_error *err)
{
    int64_t n = dpli_shape_elements(shape);
    char words[DPLI_SHAPE_TEXT];

    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] < 1 || shape->dims[i] > INT32_MAX)
            n = -1;
    }
    if (n < 0) {
        if (!node)
            return dpli_fail(err, DPL_E_ARGUMENT, "shape %s makes no sense",
                             dpli_shape_text(shape, words));
        return dpli_node_fail(p->g, node, DPL_E_ARGUMENT, err, "result would be of shape %s",
                              dpli_shape_text(shape, words));
    }
    return new_buffer(p, node, (size_t)n * dpli_type_bytes(type), pending, id, err);
}

void dpli_plan_define(dpli_planner *p, int32_t value, dpli_type type, const dpl_shape *shape,
                      dpli_order order, int32_t id)
{
    dpli_planned *v = &p->values[value];

    v->shape = *shape;
    v->type = type;
    v->buffer[shape->rank == 4 ? order : DPLI_PLAIN] = id;
    v->defined = true;
    p->buffers[id].pending += v->pending;
}

/* One read of a value is over. */
void dpli_plan_consume(dpli_planner *p, dpli_planned *v)
{
    v->pending--;
    if (v->buffer[0] >= 0)
        p->buffers[v->buffer[0]].pending--;
    if (v->buffer[1] >= 0 && v->buffer[1] != v->buffer[0])
        p->buffers[v->buffer[1]].pending--;
    if (v->narrow >= 0)
        p->buffers[v->narrow].pending--;
}

/* ------------------------------------------------------------------ what operators call */

dpli_planned *dpli_plan_in(dpli_planner *p, const dpli_node *node, int32_t i)
{
    return i < node->n_inputs && node->inputs[i] >= 0 ? &p->values[node->inputs[i]] : NULL;
}

dpl_status dpli_plan_float(dpli_planner *p, const dpli_node *node, int32_t i, dpli_planned **out,
                           dpl_error *err)
{
    *out = dpli_plan_in(p, node, i);
    if ((*out)->type != DPLI_F32)
        return dpli_node_fail(p->g, node, DPL_E_MODEL, err, "integers are not supported here");
    if (dpli_shape_elements(&(*out)->shape) == 0)
        return dpli_node_fail(p->g, node, DPL_E_MODEL, err, "input %d is empty", (int)i);
    return DPL_OK;
}

dpl_status dpli_plan_ints(dpli_planner *p, const dpli_node *node, int32_t i, const int64_t **out,
                          int64_t *n, dpl_error *err)
{
    const dpli_planned *v = dpli_plan_in(p, node, i);

    if (!v->known)
        return dpli_node_fail(p->g, node, DPL_E_MODEL, err, "input %d does not fold to a constant",
                              (int)i);
    if (v->type != DPLI_I64 || v->shape.rank > 1)
        return dpli_node_fail(p->g, node, DPL_E_MODEL, err, "input %d is not a list of integers",
                              (int)i);
    *out = v->known;
    *n = dpli_shape_elements(&v->shape);
    return DPL_OK;
}

dpl_status dpli_plan_scalar(dpli_planner *p, const dpli_node *node, int32_t i, float *out,
                            dpl_error *err)
{
    const dpli_planned *v = dpli_plan_in(p, node, i);

    if (!v)
        return DPL_OK;
    if (!v->known || v->type != DPLI_F32 || dpli_shape_elements(&v->shape) != 1)
        return dpli_node_fail(p->g, node, DPL_E_MODEL, err, "input %d is not a constant number",
                              (int)i);
    *out = *(const float *)v->known;
    return DPL_OK;
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

dpl_status dpli_plan_out_of(dpli_planner *p, const dpli_node *node, int32_t i, dpli_type type,
                            const dpl_shape *shape, dpli_order order, dpli_ref *ref, dpl_error *err)
{
    int32_t id = -1;
    dpl_status status = dpli_plan_buffer(p, node, type, shape, 0, &id, err);

    if (status != DPL_OK)
        return status;
    dpli_plan_define(p, node->outputs[i], type, shape, order, id);
    *ref = (dpli_ref){id, NULL};
    return DPL_OK;
}

dpl_status dpli_plan_out(dpli_planner *p, const dpli_node *node, int32_t i, const dpl_shape *shape,
                         dpli_order order, dpli_ref *ref, dpl_error *err)
{
    return dpli_plan_out_of(p, node, i, DPLI_F32, shape, order, ref, err);
}

bool dpli_plan_is_last(const dpli_planner *p, const dpli_planned *v, dpli_order order,
                       const dpl_shape *shape)
{
    int32_t id = v->buffer[shape->rank == 4 ? order : DPLI_PLAIN];

    return v->type == DPLI_F32 && dpli_shape_equal(&v->shape, shape) && id >= 0 &&
           p->buffers[id].pending == 1;
}

dpl_status dpli_plan_out_over(dpli_planner *p, const dpli_node *node, int32_t i,
                              const dpli_planned *v, const dpl_shape *shape, dpli_order order,
                              dpli_ref *ref, dpl_error *err)
{
    if (!v || !dpli_plan_is_last(p, v, order, shape))
        return dpli_plan_out(p, node, i, shape, order, ref, err);
    ref->fixed = NULL;
    ref->buffer = v->buffer[shape->rank == 4 ? order : DPLI_PLAIN];
    dpli_plan_define(p, node->outputs[i], DPLI_F32, shape, order, ref->buffer);
    return DPL_OK;
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

dpl_status dpli_plan_known(dpli_planner *p, const dpli_node *node, int32_t i, dpli_type type,
                           const dpl_shape *shape, void **data, dpl_error *err)
{
    dpli_planned *out = &p->values[node->outputs[i]];
    int64_t n = dpli_shape_elements(shape);
    size_t size = dpli_type_bytes(type);
    dpl_status status = grow((void **)&p->owned, p->n_owned, &p->cap_owned, sizeof *p->owned, err);

    if (status != DPL_OK)
        return status;
    if (n < 0 || (size_t)n > (p->max_bytes - p->known_bytes) / size)
        return dpli_plan_too_large(p, node, err);
    *data = dpli_calloc((size_t)n, size, err);
    if (!*data)
        return DPL_E_MEMORY;
    p->owned[p->n_owned++] = *data;
    p->known_bytes += (size_t)n * size;
    out->shape = *shape;
    out->type = type;
    out->known = *data;
    out->defined = true;
    return DPL_OK;
}

bool dpli_plan_foldable(const dpli_planned *v, int64_t n_elements)
{
    return v->known && (v->type == DPLI_I64 || n_elements <= MAX_FOLDED_FLOATS);
}

dpli_step *dpli_plan_step(dpli_planner *p, const dpli_node *node,
                          void (*run)(const dpli_step *step), size_t params_size,
                          const dpl_shape *shape, dpl_error *err)
{
    dpli_step *step;

    if (grow((void **)&p->steps, p->n_steps, &p->cap_steps, sizeof *p->steps, err) != DPL_OK)
        return NULL;
    step = &p->steps[p->n_steps];
    memset(step, 0, sizeof *step);
    step->run = run;
    step->node = node;
    step->what = node ? node->op->name : "border";
    step->shape = *shape;
    step->out_ref = step->scratch_ref = DPLI_NO_REF;
    for (int32_t i = 0; i < DPLI_STEP_INPUTS; i++)
        step->in_ref[i] = DPLI_NO_REF;
    for (int32_t i = 0; i < DPLI_STEP_MORE; i++)
        step->more_ref[i] = DPLI_NO_REF;
    step->params = dpli_calloc(1, params_size, err);
    if (!step->params)
        return NULL;
    p->params_bytes += params_size;
    p->n_steps++;
    return step;
}

dpl_status dpli_plan_scratch(dpli_planner *p, dpli_step *step, size_t n_bytes, dpl_error *err)
{
    if (n_bytes == 0)
        return DPL_OK;
    return new_buffer(p, step->node, n_bytes, 0, &step->scratch_ref.buffer, err);
}

dpli_act dpli_plan_act(const dpli_planner *p, const dpli_node *node)
{
    dpli_act act = node->act;

    if (node->slope >= 0)
        act.slope = p->g->values[node->slope].data;
    return act;
}

/* The place of output 0 of a node, narrow or float32. */
static dpl_status place_out(dpli_planner *p, const dpli_node *node, const dpli_planned *over,
                            const dpl_shape *shape, dpli_order order, dpli_tail *tail,
                            dpl_error *err)
{
    if (tail->narrow)
        return dpli_narrow_out_over(p, node, 0, over, shape, &tail->out, err);
    return dpli_plan_out_over(p, node, 0, over, shape, order, &tail->out, err);
}

dpl_status dpli_plan_tail(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                          dpli_order order, bool over, bool narrow, dpli_tail *tail, dpl_error *err)
{
    const dpli_value *v = &p->g->values[node->outputs[0]];
    const dpli_node *add = v->n_uses == 1 && v->consumer >= 0 && !p->folding
                               ? &p->g->nodes[v->consumer]
                               : NULL;
    dpli_planned *other;
    dpli_ref ref;
    dpl_status status;

    tail->act = dpli_plan_act(p, node);
    tail->before = tail->after = DPLI_NO_REF;
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
    p->done[v->consumer] = true;
    dpli_plan_consume(p, other);
    return DPL_OK;
}

void dpli_tail_attach(const dpli_tail *tail, dpli_step *step)
{
    step->out_ref = tail->out;
    step->in_ref[2] = tail->before;
    step->in_ref[3] = tail->after;
    step->before = tail->before.buffer >= 0;
    step->after = tail->after.buffer >= 0;
    step->act = tail->act.kind;
}

dpli_epilogue dpli_tail_epilogue(const dpli_step *step, const float *bias, const dpli_act *act)
{
    return (dpli_epilogue){.bias = bias, .before = step->in[2], .act = *act, .after = step->in[3]};
}

/* ------------------------------------------------------------------ moving elements */

typedef struct typed_move {
    dpli_move move;
    size_t element_bytes;
} typed_move;

static void run_move(const dpli_step *step)
{
    const typed_move *m = step->params;

    dpli_move_run(&m->move, step->out, step->in[0], m->element_bytes);
}

dpl_status dpli_plan_move(dpli_planner *p, const dpli_node *node, dpli_type type,
                          const dpli_move *m, dpli_ref to, dpli_ref from, const dpl_shape *shape,
                          dpl_error *err)
{
    dpli_step *step = dpli_plan_step(p, node, run_move, sizeof(typed_move), shape, err);
    typed_move *own;

    if (!step)
        return DPL_E_MEMORY;
    own = step->params;
    *own = (typed_move){*m, dpli_type_bytes(type)};
    dpli_move_join(&own->move);
    step->what = "move";
    step->out_ref = to;
    step->in_ref[0] = from;
    return DPL_OK;
}
