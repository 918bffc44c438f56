/*
 * planner.c - what operators call while a graph is planned: values, the buffers they lie in, the
 * steps that make them, and moves of elements. How a value comes to lie as it is wanted: place.c.
 *
 * plan.c goes through the nodes and lets each operator (net/ops) call what is here.
 */
#include "net/planner.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/ops/op.h"

/* Elements of a float result that is computed while planning, not in a step. */
#define MAX_FOLDED_FLOATS 1024

const dpli_graph *dpli_plan_graph(const dpli_planner *p)
{
    return p->g;
}

/* ------------------------------------------------------------------ layout */

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

dpli_scale dpli_plan_grid(const dpli_planner *p, const dpli_planned *v)
{
    return p->g->values[v - p->values].grid;
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
    const size_t n = step->run_part ? p->n_workers : 1;

    if (n_bytes == 0)
        return DPL_OK;
    step->scratch_bytes = n_bytes;
    if (n_bytes > p->max_bytes / n)
        return dpli_plan_too_large(p, step->node, err);
    return new_buffer(p, step->node, n_bytes * n, 0, &step->scratch_ref.buffer, err);
}

dpli_act dpli_plan_act(const dpli_planner *p, const dpli_node *node)
{
    dpli_act act = node->act;

    if (node->slope >= 0)
        act.slope = p->g->values[node->slope].data;
    return act;
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
