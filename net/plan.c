/*
 * plan.c - a graph laid out in memory for given input shapes, and the run of it.
 *
 * The nodes are taken in order; each infers its output's shape and adds steps (net/ops). Then
 * each buffer gets its place in one block, so that two share memory when they are never alive
 * together. A run calls the steps one after another and does nothing else.
 *
 * Placing: largest first, each at the lowest place that is free while it lives (greedy by size:
 * Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference", 4.3).
 */
#include "net/plan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/mem.h"

#define ALIGN_BYTES 64
/* Elements of a float result that is computed while planning, not in a step. */
#define MAX_FOLDED_FLOATS 1024
/* Multiply-adds and elements: minutes on one core. A file of some hundred bytes can ask for
 * centuries. */
#define MAX_WORK 1e13

typedef struct buffer {
    size_t n_bytes;
    int32_t first, last; /* steps between which it is alive */
    int32_t pending;     /* reads still to come, while planning */
    size_t offset;
    bool input, output;
} buffer;

struct dpli_planner {
    const dpli_graph *g;
    const dpli_plan_request *request;
    dpli_planned *values;
    bool *done; /* nodes that an earlier one took in */
    buffer *buffers;
    int32_t n_buffers, cap_buffers;
    dpli_step *steps;
    int32_t n_steps, cap_steps;
    void **owned; /* known values made while planning */
    int32_t n_owned, cap_owned;
    size_t known_bytes;
    double macs;
};

struct dpl_plan {
    dpli_planner p;
    char *arena;
    size_t arena_bytes;
    int32_t n_inputs, n_outputs;
    float **inputs;
    const void **outputs;
    dpli_planned *results;
};

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

void dpli_strides(const dpl_shape *shape, dpli_order order, int64_t strides[DPL_MAX_RANK])
{
    int64_t step = 1;

    if (shape->rank == 4 && order == DPLI_NHWC) {
        strides[1] = 1;
        strides[3] = shape->dims[1];
        strides[2] = strides[3] * shape->dims[3];
        strides[0] = strides[2] * shape->dims[2];
        return;
    }
    for (int32_t i = shape->rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= shape->dims[i];
    }
}

dpli_order dpli_plan_order(const dpli_planned *v)
{
    return v->shape.rank == 4 && v->buffer[DPLI_NHWC] >= 0 ? DPLI_NHWC : DPLI_PLAIN;
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

static dpl_status too_large(const dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    static const char words[] = "more than %zu MiB are needed at this input size";
    size_t mib = p->request->max_bytes >> 20;

    if (node)
        return dpli_node_fail(p->g, node, DPL_E_MEMORY, err, words, mib);
    return dpli_fail(err, DPL_E_MEMORY, words, mib);
}

static dpl_status new_buffer(dpli_planner *p, const dpli_node *node, size_t n_bytes,
                             int32_t pending, int32_t *id, dpl_error *err)
{
    dpl_status status =
        grow((void **)&p->buffers, p->n_buffers, &p->cap_buffers, sizeof *p->buffers, err);

    if (status != DPL_OK)
        return status;
    if (n_bytes > p->request->max_bytes)
        return too_large(p, node, err);
    *id = p->n_buffers++;
    p->buffers[*id] = (buffer){.n_bytes = (n_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1),
                               .first = INT32_MAX,
                               .last = -1,
                               .pending = pending};
    return DPL_OK;
}

static dpl_status new_value_buffer(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                                   int32_t pending, int32_t *id, dpl_error *err)
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
    return new_buffer(p, node, (size_t)n * sizeof(float), pending, id, err);
}

static void define(dpli_planner *p, int32_t value, const dpl_shape *shape, dpli_order order,
                   int32_t id)
{
    dpli_planned *v = &p->values[value];

    v->shape = *shape;
    v->type = DPLI_F32;
    v->buffer[shape->rank == 4 ? order : DPLI_PLAIN] = id;
    v->defined = true;
    p->buffers[id].pending += v->pending;
}

/* One read of a value is over. */
static void consume(dpli_planner *p, dpli_planned *v)
{
    v->pending--;
    if (v->buffer[0] >= 0)
        p->buffers[v->buffer[0]].pending--;
    if (v->buffer[1] >= 0 && v->buffer[1] != v->buffer[0])
        p->buffers[v->buffer[1]].pending--;
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
    return dpli_plan_move(p, node, &m, to, from, &v->shape, err);
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
    status = new_value_buffer(p, node, &v->shape, v->pending, &id, err);
    if (status != DPL_OK)
        return status;
    v->buffer[order] = id;
    ref->buffer = id;
    return transpose(p, node, v, order, *ref, from, err);
}

dpl_status dpli_plan_out(dpli_planner *p, const dpli_node *node, int32_t i, const dpl_shape *shape,
                         dpli_order order, dpli_ref *ref, dpl_error *err)
{
    int32_t id = -1;
    dpl_status status = new_value_buffer(p, node, shape, 0, &id, err);

    if (status != DPL_OK)
        return status;
    define(p, node->outputs[i], shape, order, id);
    *ref = (dpli_ref){id, NULL};
    return DPL_OK;
}

bool dpli_plan_is_last(const dpli_planner *p, const dpli_planned *v, dpli_order order,
                       const dpl_shape *shape)
{
    int32_t id = v->buffer[shape->rank == 4 ? order : DPLI_PLAIN];

    return dpli_shape_equal(&v->shape, shape) && id >= 0 && p->buffers[id].pending == 1;
}

dpl_status dpli_plan_out_over(dpli_planner *p, const dpli_node *node, int32_t i,
                              const dpli_planned *v, const dpl_shape *shape, dpli_order order,
                              dpli_ref *ref, dpl_error *err)
{
    if (!v || !dpli_plan_is_last(p, v, order, shape))
        return dpli_plan_out(p, node, i, shape, order, ref, err);
    ref->fixed = NULL;
    ref->buffer = v->buffer[shape->rank == 4 ? order : DPLI_PLAIN];
    define(p, node->outputs[i], shape, order, ref->buffer);
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
        define(p, node->outputs[i], shape, out_order, ref.buffer);
    return status;
}

dpl_status dpli_plan_known(dpli_planner *p, const dpli_node *node, int32_t i, dpli_type type,
                           const dpl_shape *shape, void **data, dpl_error *err)
{
    dpli_planned *out = &p->values[node->outputs[i]];
    int64_t n = dpli_shape_elements(shape);
    size_t size = type == DPLI_F32 ? sizeof(float) : sizeof(int64_t);
    dpl_status status = grow((void **)&p->owned, p->n_owned, &p->cap_owned, sizeof *p->owned, err);

    if (status != DPL_OK)
        return status;
    if (n < 0 || (size_t)n > (p->request->max_bytes - p->known_bytes) / size)
        return too_large(p, node, err);
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
    step->params = dpli_calloc(1, params_size, err);
    if (!step->params)
        return NULL;
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

dpl_status dpli_plan_tail(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                          dpli_order order, bool over, dpli_tail *tail, dpl_error *err)
{
    const dpli_value *v = &p->g->values[node->outputs[0]];
    const dpli_node *add;
    dpli_planned *other;
    dpli_ref ref;
    dpl_status status;

    tail->act = dpli_plan_act(p, node);
    tail->before = tail->after = DPLI_NO_REF;
    if (v->n_uses != 1 || v->consumer < 0 || p->request->nodes)
        return dpli_plan_out(p, node, 0, shape, order, &tail->out, err);
    add = &p->g->nodes[v->consumer];
    if (strcmp(add->op->name, "Add") != 0 ||
        (node->act.kind != DPLI_ACT_NONE && add->act.kind != DPLI_ACT_NONE))
        return dpli_plan_out(p, node, 0, shape, order, &tail->out, err);
    other = dpli_plan_in(p, add, add->inputs[0] == node->outputs[0] ? 1 : 0);
    ref = (dpli_ref){other->buffer[shape->rank == 4 ? order : DPLI_PLAIN], NULL};
    if (!other->defined || ref.buffer < 0 || !dpli_shape_equal(&other->shape, shape))
        return dpli_plan_out(p, node, 0, shape, order, &tail->out, err);

    status = dpli_plan_out_over(p, add, 0, over ? other : NULL, shape, order, &tail->out, err);
    if (status != DPL_OK)
        return status;
    if (node->act.kind != DPLI_ACT_NONE) {
        tail->after = ref;
    } else {
        tail->before = ref;
        tail->act = dpli_plan_act(p, add);
    }
    p->done[v->consumer] = true;
    consume(p, other);
    return DPL_OK;
}

void dpli_tail_attach(const dpli_tail *tail, dpli_step *step)
{
    step->out_ref = tail->out;
    step->in_ref[2] = tail->before;
    step->in_ref[3] = tail->after;
    step->act = tail->act.kind;
}

dpli_epilogue dpli_tail_epilogue(const dpli_step *step, const float *bias, const dpli_act *act)
{
    return (dpli_epilogue){.bias = bias, .before = step->in[2], .act = *act, .after = step->in[3]};
}

/* ------------------------------------------------------------------ moving elements */

void dpli_move_join(dpli_move *m)
{
    int32_t n = 0;

    for (int32_t i = 0; i < m->rank; i++) {
        if (m->dims[i] == 1)
            continue;
        if (n > 0 && m->to[n - 1] == m->to[i] * m->dims[i] &&
            m->from[n - 1] == m->from[i] * m->dims[i]) {
            m->dims[n - 1] *= m->dims[i];
        } else {
            m->dims[n] = m->dims[i];
            n++;
        }
        m->to[n - 1] = m->to[i];
        m->from[n - 1] = m->from[i];
    }
    m->rank = n;
}

static void move_row(int64_t n, void *to, int64_t to_step, const void *from, int64_t from_step,
                     size_t element_bytes)
{
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)n * element_bytes);
    } else if (element_bytes == sizeof(float)) {
        float *t = to;
        const float *f = from;

        for (int64_t i = 0; i < n; i++)
            t[i * to_step] = f[i * from_step];
    } else {
        int64_t *t = to;
        const int64_t *f = from;

        for (int64_t i = 0; i < n; i++)
            t[i * to_step] = f[i * from_step];
    }
}

void dpli_move_run(const dpli_move *m, void *to, const void *from, size_t element_bytes)
{
    int64_t at[DPL_MAX_RANK] = {0};
    int64_t t = m->to_offset, f = m->from_offset;
    int32_t inner = m->rank - 1, i;

    if (m->rank == 0) {
        move_row(1, (char *)to + (size_t)t * element_bytes, 1,
                 (const char *)from + (size_t)f * element_bytes, 1, element_bytes);
        return;
    }
    do {
        move_row(m->dims[inner], (char *)to + (size_t)t * element_bytes, m->to[inner],
                 (const char *)from + (size_t)f * element_bytes, m->from[inner], element_bytes);
        for (i = inner - 1; i >= 0; i--) {
            t += m->to[i];
            f += m->from[i];
            if (++at[i] < m->dims[i])
                break;
            t -= m->to[i] * m->dims[i];
            f -= m->from[i] * m->dims[i];
            at[i] = 0;
        }
    } while (i >= 0);
}

static void run_move(const dpli_step *step)
{
    dpli_move_run(step->params, step->out, step->in[0], sizeof(float));
}

dpl_status dpli_plan_move(dpli_planner *p, const dpli_node *node, const dpli_move *m, dpli_ref to,
                          dpli_ref from, const dpl_shape *shape, dpl_error *err)
{
    dpli_step *step = dpli_plan_step(p, node, run_move, sizeof *m, shape, err);

    if (!step)
        return DPL_E_MEMORY;
    *(dpli_move *)step->params = *m;
    dpli_move_join(step->params);
    step->what = "move";
    step->out_ref = to;
    step->in_ref[0] = from;
    return DPL_OK;
}

/* ------------------------------------------------------------------ the arena */

static void touch(dpli_planner *p, const dpli_ref *ref, int32_t step)
{
    buffer *b;

    if (ref->buffer < 0)
        return;
    b = &p->buffers[ref->buffer];
    if (b->first > step)
        b->first = step;
    if (b->last < step)
        b->last = step;
}

static void find_lives(dpli_planner *p)
{
    for (int32_t s = 0; s < p->n_steps; s++) {
        dpli_step *step = &p->steps[s];

        touch(p, &step->out_ref, s);
        touch(p, &step->scratch_ref, s);
        for (int32_t i = 0; i < DPLI_STEP_INPUTS; i++)
            touch(p, &step->in_ref[i], s);
    }
    for (int32_t i = 0; i < p->n_buffers; i++) {
        /* Inputs are there before the run. Outputs keep to themselves, so that the next run's
         * inputs can be written while the last one's outputs are still being read. */
        if (p->buffers[i].input || p->buffers[i].output)
            p->buffers[i].first = -1;
        if (p->buffers[i].output)
            p->buffers[i].last = INT32_MAX;
    }
}

typedef struct placing {
    size_t n_bytes;
    int32_t id;
} placing;

static int larger_first(const void *a, const void *b)
{
    const placing *x = a, *y = b;

    if (x->n_bytes != y->n_bytes)
        return x->n_bytes < y->n_bytes ? 1 : -1;
    return x->id - y->id;
}

static dpl_status place_buffers(dpli_planner *p, size_t *total, dpl_error *err)
{
    dpl_status status = DPL_E_MEMORY;
    placing *order = dpli_alloc((size_t)p->n_buffers, sizeof *order, err);
    int32_t *placed = dpli_alloc((size_t)p->n_buffers, sizeof *placed, err); /* by offset */
    int32_t n_placed = 0;

    *total = 0;
    if (!order || !placed)
        goto done;
    for (int32_t i = 0; i < p->n_buffers; i++)
        order[i] = (placing){p->buffers[i].n_bytes, i};
    if (p->n_buffers > 0)
        qsort(order, (size_t)p->n_buffers, sizeof *order, larger_first);
    for (int32_t k = 0; k < p->n_buffers; k++) {
        buffer *b = &p->buffers[order[k].id];
        size_t end = 0;
        int32_t at;

        if (b->first > b->last)
            continue;
        for (int32_t i = 0; i < n_placed; i++) {
            const buffer *o = &p->buffers[placed[i]];

            if (o->first > b->last || b->first > o->last)
                continue;
            if (o->offset >= end && o->offset - end >= b->n_bytes)
                break;
            if (o->offset + o->n_bytes > end)
                end = o->offset + o->n_bytes;
        }
        b->offset = end;
        if (!dpli_add(&end, end, b->n_bytes) || end > p->request->max_bytes) {
            status = too_large(p, NULL, err);
            goto done;
        }
        if (end > *total)
            *total = end;
        for (at = n_placed; at > 0 && p->buffers[placed[at - 1]].offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = order[k].id;
        n_placed++;
    }
    status = DPL_OK;
done:
    free(order);
    free(placed);
    return status;
}

static void *resolve(const dpl_plan *plan, const dpli_ref *ref)
{
    if (ref->buffer >= 0)
        return plan->arena + plan->p.buffers[ref->buffer].offset;
    return (void *)(uintptr_t)ref->fixed;
}

/* ------------------------------------------------------------------ making a plan */

static dpl_status start_values(dpl_plan *plan, dpl_error *err)
{
    dpli_planner *p = &plan->p;
    const dpli_graph *g = p->g;

    p->values = dpli_calloc((size_t)g->n_values, sizeof *p->values, err);
    p->done = dpli_calloc((size_t)g->n_nodes, sizeof *p->done, err);
    if (!p->values || !p->done)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < g->n_values; i++) {
        dpli_planned *v = &p->values[i];

        v->buffer[0] = v->buffer[1] = -1;
        v->pending = g->values[i].n_uses;
        if (g->values[i].data) {
            v->shape = g->values[i].shape;
            v->type = g->values[i].type;
            v->known = g->values[i].data;
            v->defined = true;
        }
    }
    return DPL_OK;
}

static dpl_status plan_inputs(dpl_plan *plan, dpl_error *err)
{
    dpli_planner *p = &plan->p;
    const dpli_graph *g = p->g;
    dpl_status status;
    char have[DPLI_SHAPE_TEXT], want[DPLI_SHAPE_TEXT];

    plan->inputs = dpli_calloc((size_t)g->n_inputs, sizeof *plan->inputs, err);
    if (!plan->inputs)
        return DPL_E_MEMORY;
    plan->n_inputs = g->n_inputs;
    for (int32_t i = 0; i < g->n_inputs; i++) {
        const dpl_shape *shape = &p->request->input_shapes[i];
        const dpli_value *v = &g->values[g->inputs[i]];
        bool fits = shape->rank >= 0 && shape->rank <= DPL_MAX_RANK &&
                    (v->shape.rank < 0 || v->shape.rank == shape->rank);
        int32_t id = -1;

        for (int32_t d = 0; fits && d < shape->rank; d++)
            fits = shape->dims[d] > 0 && (v->shape.rank < 0 || v->shape.dims[d] < 0 ||
                                          v->shape.dims[d] == shape->dims[d]);
        if (!fits && (shape->rank < 0 || shape->rank > DPL_MAX_RANK))
            return dpli_fail(err, DPL_E_ARGUMENT, "shape for input \"%.200s\" has rank %d", v->name,
                             (int)shape->rank);
        if (!fits)
            return dpli_fail(
                err, DPL_E_ARGUMENT, "shape %s does not fit input \"%.200s\", declared %s",
                dpli_shape_text(shape, have), v->name, dpli_shape_text(&v->shape, want));
        status = new_value_buffer(p, NULL, shape, 0, &id, err);
        if (status != DPL_OK)
            return status;
        p->buffers[id].input = true;
        define(p, g->inputs[i], shape,
               p->request->layout == DPL_LAYOUT_NHWC ? DPLI_NHWC : DPLI_PLAIN, id);
    }
    return DPL_OK;
}

static dpl_status plan_nodes(dpli_planner *p, dpl_error *err)
{
    const dpli_graph *g = p->g;
    int32_t n = p->request->nodes ? p->request->n_nodes : g->n_nodes;
    double work = 0.0;

    for (int32_t i = 0; i < n; i++) {
        int32_t k = p->request->nodes ? p->request->nodes[i] : i;
        const dpli_node *node = &g->nodes[k];
        int32_t first_step = p->n_steps;
        dpl_status status;

        if (p->done[k])
            continue;
        status = node->op->plan(p, node, err);
        if (status != DPL_OK)
            return status;
        for (int32_t j = 0; j < node->n_inputs; j++) {
            if (node->inputs[j] >= 0)
                consume(p, &p->values[node->inputs[j]]);
        }
        for (int32_t s = first_step; s < p->n_steps; s++) {
            p->macs += p->steps[s].macs;
            work += p->steps[s].macs + (double)dpli_shape_elements(&p->steps[s].shape);
        }
        if (!(work <= p->request->max_work))
            return dpli_node_fail(g, node, DPL_E_LIMIT, err,
                                  "more than %g operations are needed at this input size",
                                  p->request->max_work);
    }
    return DPL_OK;
}

/* A copy into a buffer of its own, for an output that is a constant or shares an input's memory. */
static dpl_status own_output(dpli_planner *p, const dpli_planned *v, dpli_ref *ref, dpl_error *err)
{
    dpli_move m = {.rank = 1, .to = {1}, .from = {1}};
    dpli_ref from = *ref;
    dpl_status status = new_value_buffer(p, NULL, &v->shape, 1, &ref->buffer, err);

    if (status != DPL_OK)
        return status;
    m.dims[0] = dpli_shape_elements(&v->shape);
    return dpli_plan_move(p, NULL, &m, *ref, from, &v->shape, err);
}

static dpl_status plan_outputs(dpl_plan *plan, dpli_ref *refs, dpl_error *err)
{
    dpli_planner *p = &plan->p;
    const dpli_plan_request *request = p->request;
    dpli_order order = request->layout == DPL_LAYOUT_NHWC ? DPLI_NHWC : DPLI_PLAIN;

    for (int32_t i = 0; i < plan->n_outputs; i++) {
        int32_t id = request->nodes ? request->outputs[i] : p->g->outputs[i];
        dpli_planned *v = &p->values[id];
        dpl_status status;

        if (request->nodes && v->known) {
            refs[i] = (dpli_ref){-1, v->known};
        } else {
            if (v->type != DPLI_F32)
                return dpli_fail(err, DPL_E_MODEL, "output \"%.200s\" is not float",
                                 p->g->values[id].name);
            status = dpli_plan_use(p, NULL, v, order, &refs[i], err);
            if (status == DPL_OK && (refs[i].buffer < 0 || p->buffers[refs[i].buffer].input))
                status = own_output(p, v, &refs[i], err);
            if (status != DPL_OK)
                return status;
            p->buffers[refs[i].buffer].output = true;
        }
        plan->results[i] = *v;
    }
    return DPL_OK;
}

static dpl_status make(dpl_plan *plan, dpli_ref **refs, dpl_error *err)
{
    dpli_planner *p = &plan->p;
    const dpli_plan_request *request = p->request;
    dpl_status status;

    plan->n_outputs = request->nodes ? request->n_outputs : p->g->n_outputs;
    plan->outputs = dpli_calloc((size_t)plan->n_outputs, sizeof *plan->outputs, err);
    plan->results = dpli_calloc((size_t)plan->n_outputs, sizeof *plan->results, err);
    *refs = dpli_calloc((size_t)plan->n_outputs, sizeof **refs, err);
    if (!plan->outputs || !plan->results || !*refs)
        return DPL_E_MEMORY;
    status = start_values(plan, err);
    if (status == DPL_OK && !request->nodes)
        status = plan_inputs(plan, err);
    if (status == DPL_OK)
        status = plan_nodes(p, err);
    if (status == DPL_OK)
        status = plan_outputs(plan, *refs, err);
    if (status == DPL_OK)
        status = dpli_plan_chain(p, p->steps, &p->n_steps, *refs, plan->n_outputs, err);
    if (status != DPL_OK)
        return status;

    find_lives(p);
    status = place_buffers(p, &plan->arena_bytes, err);
    if (status != DPL_OK)
        return status;
    plan->arena = dpli_alloc_aligned(plan->arena_bytes, 1, err);
    if (!plan->arena)
        return DPL_E_MEMORY;
    for (int32_t s = 0; s < p->n_steps; s++) {
        dpli_step *step = &p->steps[s];

        step->out = resolve(plan, &step->out_ref);
        step->scratch = resolve(plan, &step->scratch_ref);
        for (int32_t i = 0; i < DPLI_STEP_INPUTS; i++)
            step->in[i] = resolve(plan, &step->in_ref[i]);
    }
    for (int32_t i = 0; i < plan->n_outputs; i++)
        plan->outputs[i] = resolve(plan, &(*refs)[i]);
    for (int32_t i = 0; i < plan->n_inputs; i++) {
        const dpli_planned *v = &p->values[p->g->inputs[i]];
        dpli_order order =
            request->layout == DPL_LAYOUT_NHWC && v->shape.rank == 4 ? DPLI_NHWC : DPLI_PLAIN;
        dpli_ref ref = {v->buffer[order], NULL};

        plan->inputs[i] = resolve(plan, &ref);
    }
    return DPL_OK;
}

dpl_status dpli_plan_make(dpl_plan **out, const dpli_graph *g, const dpli_plan_request *request,
                          dpl_error *err)
{
    dpl_plan *plan = dpli_calloc(1, sizeof *plan, err);
    dpli_ref *refs = NULL;
    dpl_status status;

    *out = NULL;
    if (!plan)
        return DPL_E_MEMORY;
    plan->p.g = g;
    plan->p.request = request;
    status = make(plan, &refs, err);
    free(refs);
    plan->p.request = NULL;
    if (status != DPL_OK) {
        dpl_plan_free(plan);
        return status;
    }
    /* What only planning needed. */
    free(plan->p.values);
    free(plan->p.done);
    free(plan->p.buffers);
    plan->p.values = NULL;
    plan->p.done = NULL;
    plan->p.buffers = NULL;
    *out = plan;
    return DPL_OK;
}

double dpli_plan_macs(const dpl_plan *plan)
{
    return plan->p.macs;
}

const dpli_planned *dpli_plan_result(const dpl_plan *plan, int32_t i, const void **data)
{
    *data = plan->outputs[i];
    return &plan->results[i];
}

/* ------------------------------------------------------------------ public */

dpl_status dpl_plan_new(dpl_plan **out, const dpl_net *net, const dpl_shape *input_shapes,
                        dpl_layout layout, dpl_error *err)
{
    const dpli_graph *g = &net->graph;
    dpli_plan_request request = {.input_shapes = input_shapes,
                                 .layout = layout,
                                 .max_bytes = g->max_arena_bytes,
                                 .max_work = MAX_WORK};

    return dpli_plan_make(out, g, &request, err);
}

void dpl_plan_free(dpl_plan *plan)
{
    if (!plan)
        return;
    for (int32_t i = 0; i < plan->p.n_steps; i++)
        free(plan->p.steps[i].params);
    for (int32_t i = 0; i < plan->p.n_owned; i++)
        free(plan->p.owned[i]);
    free(plan->p.values);
    free(plan->p.done);
    free(plan->p.buffers);
    free(plan->p.steps);
    free(plan->p.owned);
    free(plan->arena);
    free(plan->inputs);
    free(plan->outputs);
    free(plan->results);
    free(plan);
}

float *dpl_plan_input(dpl_plan *plan, int32_t i)
{
    return i >= 0 && i < plan->n_inputs ? plan->inputs[i] : NULL;
}

const float *dpl_plan_output(const dpl_plan *plan, int32_t i)
{
    return i >= 0 && i < plan->n_outputs ? plan->outputs[i] : NULL;
}

dpl_shape dpl_plan_output_shape(const dpl_plan *plan, int32_t i)
{
    if (i < 0 || i >= plan->n_outputs)
        return (dpl_shape){.rank = -1};
    return plan->results[i].shape;
}

size_t dpl_plan_bytes(const dpl_plan *plan)
{
    return plan->arena_bytes;
}

void dpl_plan_run(dpl_plan *plan)
{
    unsigned state = dpli_fpu_enter();

    for (int32_t i = 0; i < plan->p.n_steps; i++)
        plan->p.steps[i].run(&plan->p.steps[i]);
    dpli_fpu_restore(state);
}

static const char *act_name(dpli_act_kind kind)
{
    static const char *const names[] = {"",      "+Relu",    "+PRelu",       "+LeakyRelu",
                                        "+Clip", "+Sigmoid", "+HardSigmoid", "+HardSwish",
                                        "+Tanh", "+Exp",     "+Sqrt",        "+Abs"};

    return names[kind];
}

dpl_status dpl_plan_describe(char **out, dpl_plan *plan, int32_t timed_runs, dpl_error *err)
{
    dpli_buf text = {0};
    unsigned state = dpli_fpu_enter();
    double total = 0.0;
    dpl_status status;
    char shape[DPLI_SHAPE_TEXT];

    *out = NULL;
    for (int32_t r = 0; r < timed_runs; r++) {
        for (int32_t i = 0; i < plan->p.n_steps; i++) {
            dpli_step *step = &plan->p.steps[i];
            double start = dpli_now(), seconds;

            step->run(step);
            seconds = dpli_now() - start;
            /* The least, because everything that disturbs only adds. */
            if (r == 0 || seconds < step->seconds)
                step->seconds = seconds;
        }
    }
    dpli_fpu_restore(state);
    for (int32_t i = 0; i < plan->p.n_steps; i++) {
        const dpli_step *step = &plan->p.steps[i];
        char what[96];

        snprintf(what, sizeof what, "%s%s%s%s%s", step->what, step->bias ? "+bias" : "",
                 step->in_ref[2].buffer >= 0 ? "+residual" : "", act_name(step->act),
                 step->in_ref[3].buffer >= 0 ? "+residual" : "");
        dpli_buf_printf(&text, "%4d  %-32s %-20s %14.0f", (int)i, what,
                        dpli_shape_text(&step->shape, shape), step->macs);
        if (timed_runs > 0)
            dpli_buf_printf(&text, " %9.3f ms", step->seconds * 1e3);
        dpli_buf_printf(&text, "  %s\n", step->node ? step->node->name : "");
        total += step->seconds;
    }
    dpli_buf_printf(&text, "%d steps, %.0f multiply-adds, %zu bytes", (int)plan->p.n_steps,
                    plan->p.macs, plan->arena_bytes);
    if (timed_runs > 0)
        dpli_buf_printf(&text, ", %.3f ms", total * 1e3);
    dpli_buf_printf(&text, "\n");
    status = dpli_buf_check(&text, err);
    if (status == DPL_OK) {
        *out = text.data;
        text.data = NULL;
    }
    dpli_buf_clear(&text);
    return status;
}
