/*
 * tape.c - a graph laid out for training: its tensors in one arena, its steps forward and back.
 *
 * Forward runs the steps in the graph's order, backward in the opposite one, each on all threads of
 * the team. An activation lives until its own step's backward is done, a gradient from the first
 * step that writes it to the step that made its value; what does not live at the same time may lie
 * at the same place (arena.c). Does not know losses, optimizers or data.
 *
 * Source: reverse accumulation, Linnainmaa 1970.
 */
#include "net/tape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"
#include "net/arena.h"
#include "net/kernels.h"
#include "net/ops/axes.h"
#include "net/ops/op.h"
#include "net/plan.h"

struct dpli_tape {
    dpli_graph *graph;
    /* The graph for this input's shape: its values and nodes again, but that what follows from
     * shapes is a constant (known[], in owned[]) and no node. All else is the graph's. */
    dpli_graph own;
    bool *known;
    void **owned;
    int32_t n_owned;
    dpli_team *team;
    int32_t batch;
    bool forward_only;
    dpli_tensor *tensors;
    int32_t n_tensors;
    dpli_tape_step *steps;
    bool *goes_back; /* by step: something before it wants a gradient, or it has a parameter */
    int32_t n_steps;
    dpli_param *params;
    int32_t n_params;
    dpli_tensor *input, *second, *output;
    char *arena;
    float *scratch;
    size_t arena_bytes, scratch_floats;
    size_t bytes;
    bool beside; /* another one's parameters */
    bool own_arena, own_scratch;
};

/* ------------------------------------------------------------------ what steps say of themselves
 */

bool dpli_tensor_shape_at(dpli_tensor *t, const dpl_shape *shape, int32_t batch_axis)
{
    const int64_t n = dpli_shape_elements(shape);
    int64_t between = 1, last = 1;

    if (shape->rank < 1 || shape->rank > DPL_MAX_RANK || n < 1)
        return false;
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] > INT32_MAX)
            return false;
        if (i != batch_axis) {
            between *= last;
            last = shape->dims[i];
        }
    }
    if (between > INT32_MAX)
        return false;
    t->shape = *shape;
    t->batch_axis = batch_axis;
    t->picture = false;
    t->n = (int32_t)shape->dims[batch_axis];
    t->h = 1;
    t->w = (int32_t)between;
    t->c = (int32_t)last;
    return true;
}

bool dpli_tensor_shape(dpli_tensor *t, const dpl_shape *shape)
{
    if (!dpli_tensor_shape_at(t, shape, 0))
        return false;
    if (shape->rank == 4) {
        t->picture = true;
        t->h = (int32_t)shape->dims[2];
        t->w = (int32_t)shape->dims[3];
        t->c = (int32_t)shape->dims[1];
    }
    return true;
}

void dpli_tensor_strides(const dpli_tensor *t, int64_t strides[DPL_MAX_RANK])
{
    int64_t step = 1;

    if (t->picture) {
        strides[1] = 1;
        strides[3] = t->c;
        strides[2] = (int64_t)t->w * t->c;
        strides[0] = (int64_t)dpli_tensor_item(t);
        return;
    }
    for (int32_t i = t->shape.rank - 1; i >= 0; i--) {
        if (i == t->batch_axis)
            continue;
        strides[i] = step;
        step *= t->shape.dims[i];
    }
    strides[t->batch_axis] = step;
}

dpl_status dpli_tape_need(const dpli_graph *g, const dpli_tape_step *s, int32_t i, dpl_error *err)
{
    if (i < s->n_in && s->in[i] && s->in[i]->type == DPLI_F32)
        return DPL_OK;
    if (i < s->n_in && s->in[i])
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "input %d is of ids; training wants it computed", (int)i);
    return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                          "input %d is a constant or missing; training wants it computed", (int)i);
}

dpl_status dpli_tape_claim(const dpli_graph *g, dpli_tape_step *s, int32_t i, dpli_param_kind kind,
                           size_t fan_in, size_t fan_out, dpl_error *err)
{
    dpli_param *p = i < s->n_in ? s->param[i] : NULL;

    if (!p)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "input %d is not a float constant; it cannot be trained", (int)i);
    if (s->beside) /* as the longer tape has claimed it */
        return DPL_OK;
    if (p->kind != DPLI_PARAM_OTHER)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "parameter \"%.60s\" is another layer's too; it cannot be trained",
                              p->name);
    p->kind = kind;
    p->layer = s->node->name;
    p->fan_in = fan_in;
    p->fan_out = fan_out;
    return DPL_OK;
}

static bool is_trained(const dpli_param *p)
{
    return !p->frozen && p->kind != DPLI_PARAM_OTHER && p->kind != DPLI_PARAM_RUNNING;
}

/* ------------------------------------------------------------------ laying out */

static dpl_status make_params(dpli_tape *t, dpli_param **by_value, const dpli_tape *beside,
                              dpl_error *err)
{
    dpli_graph *g = t->graph;

    for (int32_t i = 0; beside && i < beside->n_params; i++)
        by_value[beside->params[i].value_id] = &beside->params[i];
    if (beside) {
        t->params = beside->params;
        t->n_params = beside->n_params;
        return DPL_OK;
    }
    t->params = dpli_calloc((size_t)g->n_values + 1, sizeof *t->params, err);
    if (!t->params)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < g->n_values; i++) {
        dpli_value *v = &g->values[i];
        dpli_param *p;

        if (!v->data || v->type != DPLI_F32)
            continue;
        p = &t->params[t->n_params++];
        *p = (dpli_param){.name = v->name ? v->name : "",
                          .layer = "",
                          .value_id = i,
                          .kind = DPLI_PARAM_OTHER,
                          .shape = v->shape,
                          .n = (size_t)dpli_shape_elements(&v->shape),
                          .value = v->data};
        by_value[i] = p;
    }
    return DPL_OK;
}

static dpli_tensor **output_at(dpli_tape_step *s, int32_t i)
{
    return i == 0 ? &s->out : &s->more[i - 1];
}

/* Whose memory a tensor lies in. */
static dpli_tensor *root_of(dpli_tensor *t)
{
    while (t->root)
        t = t->root;
    return t;
}

static dpl_status make_step(dpli_tape *t, const dpli_node *node, dpli_tensor **tensor_of,
                            dpli_param **param_of, const dpli_tape_options *o, dpl_error *err)
{
    const dpli_graph *g = &t->own;
    dpli_tape_step *s = &t->steps[t->n_steps];
    const struct dpli_trained *op = node->op->trained;
    bool back = false;
    dpl_status status;

    if (!op)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no gradient; it cannot be trained");
    if (node->n_inputs > DPLI_TAPE_INPUTS)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has %d inputs, at most %d are trained",
                              (int)node->n_inputs, DPLI_TAPE_INPUTS);
    *s = (dpli_tape_step){.op = op,
                          .node = node,
                          .team = t->team,
                          .n_in = node->n_inputs,
                          .beside = t->beside,
                          .narrow = o->narrow && dpli_narrow_product_there()};
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] < 0)
            continue;
        s->in[i] = tensor_of[node->inputs[i]];
        s->param[i] = s->in[i] ? NULL : param_of[node->inputs[i]];
    }
    t->n_steps++;
    s->state = dpli_calloc(1, op->state_bytes ? op->state_bytes : 1, err);
    if (!s->state)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (i > 0 && (node->outputs[i] < 0 || g->values[node->outputs[i]].n_uses == 0))
            continue;
        if (i > DPLI_TAPE_MORE)
            return dpli_node_fail(g, node, DPL_E_MODEL, err,
                                  "has %d outputs, at most %d are trained", (int)node->n_outputs,
                                  DPLI_TAPE_MORE + 1);
        *output_at(s, i) = &t->tensors[t->n_tensors++];
        if (node->outputs[i] >= 0)
            tensor_of[node->outputs[i]] = *output_at(s, i);
    }
    status = op->plan(g, s, err);
    if (status != DPL_OK)
        return status;
    for (int32_t i = 0; i <= DPLI_TAPE_MORE; i++) {
        if (*output_at(s, i) && (*output_at(s, i))->n != t->batch)
            return dpli_node_fail(g, node, DPL_E_MODEL, err,
                                  "output is not one result a picture; it cannot be trained");
    }
    for (int32_t i = 0; i < s->n_in; i++) {
        dpli_param *p = s->param[i];

        if (p && p->kind != DPLI_PARAM_OTHER && o->freeze)
            p->frozen = o->freeze(o->freeze_ctx, node->name) || o->freeze(o->freeze_ctx, p->name);
        back = back || (p && is_trained(p)) || (s->in[i] && s->in[i]->grad);
    }
    /* Until there is an arena, a gradient that is wanted is any address but NULL. */
    if (back && op->backward && !o->forward_only) {
        t->goes_back[t->n_steps - 1] = true;
        for (int32_t i = 0; i <= DPLI_TAPE_MORE; i++) {
            if (*output_at(s, i) && (*output_at(s, i))->type == DPLI_F32)
                (*output_at(s, i))->grad = (float *)(void *)s;
        }
    }
    return DPL_OK;
}

/* Gradients that nothing behind them writes are none, and steps without any do not go back. */
static dpl_status drop_unwanted(dpli_tape *t, dpl_error *err)
{
    bool *wanted = dpli_calloc((size_t)t->n_tensors + 1, sizeof *wanted, err);

    if (!wanted)
        return DPL_E_MEMORY;
    wanted[t->output - t->tensors] = true;
    for (int32_t k = t->n_steps - 1; k >= 0; k--) {
        dpli_tape_step *s = &t->steps[k];
        bool any = false;

        for (int32_t i = 0; i <= DPLI_TAPE_MORE; i++) {
            const dpli_tensor *out = *output_at(s, i);

            any = any || (out && out->grad && wanted[out - t->tensors]);
        }
        t->goes_back[k] = t->goes_back[k] && any;
        for (int32_t i = 0; i < s->n_in && t->goes_back[k]; i++) {
            if (s->in[i])
                wanted[s->in[i] - t->tensors] = true;
        }
    }
    for (int32_t i = 0; i < t->n_tensors; i++) {
        if (!wanted[i])
            t->tensors[i].grad = NULL;
    }
    free(wanted);
    return DPL_OK;
}

static bool only_result(const dpli_tape_step *s)
{
    bool only = true;

    for (int32_t i = 0; i < DPLI_TAPE_MORE; i++)
        only = only && !s->more[i];
    return only;
}

/* Steps that compute the one behind them too. Both go back, or neither. */
static void join_steps(dpli_tape *t)
{
    const dpli_graph *g = &t->own;

    for (int32_t k = 0; k + 1 < t->n_steps; k++) {
        dpli_tape_step *s = &t->steps[k], *next = s + 1;

        if (s->join && next->in[0] == s->out && g->values[s->node->outputs[0]].n_uses == 1 &&
            only_result(s) && !next->out->root && t->output != s->out &&
            t->goes_back[k] == t->goes_back[k + 1] && s->join(s, next))
            s->joined = next;
    }
}

/* Whether the step before it computes it. */
static bool is_joined(const dpli_tape_step *s, const dpli_tape *t)
{
    return s > t->steps && s[-1].joined == s;
}

/* ------------------------------------------------------------------ what follows from shapes */

static dpl_status make_own(dpli_tape *t, dpl_error *err)
{
    const size_t n_values = (size_t)t->graph->n_values, n_nodes = (size_t)t->graph->n_nodes;

    t->own = *t->graph;
    t->own.values = dpli_calloc(n_values + 1, sizeof *t->own.values, err);
    t->own.nodes = dpli_calloc(n_nodes + 1, sizeof *t->own.nodes, err);
    t->known = dpli_calloc(n_values + 1, sizeof *t->known, err);
    t->owned = dpli_calloc(n_values + 1, sizeof *t->owned, err);
    if (!t->own.values || !t->own.nodes || !t->known || !t->owned)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n_values; i++)
        t->own.values[i] = t->graph->values[i];
    for (size_t k = 0; k < n_nodes; k++)
        t->own.nodes[k] = t->graph->nodes[k];
    return DPL_OK;
}

static dpl_status keep_known(dpli_tape *t, int32_t id, dpli_type type, const dpl_shape *shape,
                             const void *data, dpl_error *err)
{
    const size_t size = dpli_type_bytes(type), n = (size_t)dpli_shape_elements(shape);
    void *copy = dpli_alloc_aligned(n ? n : 1, size, err);
    dpli_value *v = &t->own.values[id];

    if (!copy)
        return DPL_E_MEMORY;
    if (n > 0)
        memcpy(copy, data, n * size);
    t->owned[t->n_owned++] = copy;
    t->known[id] = true;
    v->type = type;
    v->shape = *shape;
    v->data = copy;
    return DPL_OK;
}

/* Whether all that a node reads is known, and some of it by shapes. */
static bool follows_from_shapes(const dpli_tape *t, const dpli_node *node)
{
    bool any = false;

    for (int32_t i = 0; i < node->n_inputs; i++) {
        const dpli_value *v = dpli_graph_input(&t->own, node, i);

        if (!v)
            continue;
        any = any || t->known[node->inputs[i]];
        /* Spread over a batch, a constant is no weight that any layer trains. */
        if (!v->data || (v->type == DPLI_F32 && !t->known[node->inputs[i]] &&
                         node->op->role != DPLI_ROLE_EXPAND && dpli_shape_elements(&v->shape) > 1))
            return false;
    }
    return any && !node->op->prepare;
}

/* Node k, computed now, by the code that a run computes it with. */
static dpl_status compute_known(dpli_tape *t, int32_t k, size_t max_bytes, dpl_error *err)
{
    const dpli_node *node = &t->own.nodes[k];
    dpli_plan_request request = {
        .nodes = &k, .n_nodes = 1, .max_bytes = max_bytes, .max_operations = 1e9};
    int32_t *outputs = dpli_alloc((size_t)node->n_outputs, sizeof *outputs, err);
    dpl_plan *plan = NULL;
    dpl_status status;

    if (!outputs)
        return DPL_E_MEMORY;
    request.outputs = outputs;
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] >= 0)
            outputs[request.n_outputs++] = node->outputs[i];
    status = dpli_plan_make(&plan, &t->own, &request, err);
    if (status == DPL_OK)
        status = dpl_plan_run(plan, err);
    for (int32_t i = 0; i < request.n_outputs && status == DPL_OK; i++) {
        const void *data;
        const dpli_planned *result = dpli_plan_result(plan, i, &data);

        status = keep_known(t, outputs[i], result->type, &result->shape, data, err);
    }
    dpl_plan_free(plan);
    free(outputs);
    return status;
}

/* A node whose result follows from shapes gets it, and is none any more. */
static dpl_status settle(dpli_tape *t, int32_t k, dpli_tensor *const *tensor_of, size_t max_bytes,
                         dpl_error *err)
{
    dpli_node *node = &t->own.nodes[k];
    const dpli_tensor *x =
        node->n_inputs > 0 && node->inputs[0] >= 0 ? tensor_of[node->inputs[0]] : NULL;
    int64_t dims[DPL_MAX_RANK];
    const int32_t n = x ? dpli_shape_of(node, &x->shape, dims) : -1;
    dpl_status status = DPL_OK;

    if (n >= 0)
        status = keep_known(t, node->outputs[0], DPLI_I64, &(dpl_shape){1, {n}}, dims, err);
    else if (follows_from_shapes(t, node))
        status = compute_known(t, k, max_bytes, err);
    else
        return DPL_OK;
    node->dead = true;
    return status;
}

/* ------------------------------------------------------------------ steps */

/* What the graph takes: floats, or ids with or without their lengths or a mask. */
static dpl_status make_inputs(dpli_tape *t, const dpl_shape *input, dpli_tensor **tensor_of,
                              dpl_error *err)
{
    const dpli_graph *g = &t->own;
    const dpli_value *v[2] = {NULL, NULL};
    dpl_shape lengths = {1, {input->dims[0]}};
    bool fits;

    for (int32_t i = 0; i < g->n_inputs && i < 2; i++)
        v[i] = &g->values[g->inputs[i]];
    if (g->n_inputs < 1 || g->n_inputs > 2 || g->n_outputs < 1)
        return dpli_fail(err, DPL_E_MODEL, "net has %d inputs and %d outputs, training wants one",
                         (int)g->n_inputs, (int)g->n_outputs);
    if (v[1] && (v[0]->type != DPLI_I64 || v[1]->type != DPLI_I64 || v[0]->shape.rank != 2 ||
                 v[1]->shape.rank < 1 || v[1]->shape.rank > 2))
        return dpli_fail(err, DPL_E_MODEL,
                         "net has 2 inputs: those that are trained take ids [n, steps], and their "
                         "lengths [n] or a mask [n, steps]");
    t->input = &t->tensors[t->n_tensors++];
    t->input->type = v[0]->type;
    fits = v[0]->type == DPLI_I64 ? dpli_tensor_shape_at(t->input, input, 0)
                                  : dpli_tensor_shape(t->input, input);
    tensor_of[g->inputs[0]] = t->input;
    if (v[1]) {
        t->second = &t->tensors[t->n_tensors++];
        t->second->type = DPLI_I64;
        fits = fits && dpli_tensor_shape_at(t->second, v[1]->shape.rank == 1 ? &lengths : input, 0);
        tensor_of[g->inputs[1]] = t->second;
    }
    if (!fits) {
        char words[DPLI_SHAPE_TEXT];

        return dpli_fail(err, DPL_E_ARGUMENT, "shape %s makes no sense",
                         dpli_shape_text(input, words));
    }
    t->batch = t->input->n;
    return DPL_OK;
}

static dpl_status make_steps(dpli_tape *t, const dpl_shape *input, const dpli_tape_options *o,
                             dpl_error *err)
{
    dpli_graph *g = &t->own;
    size_t n = (size_t)g->n_nodes + 1, n_tensors = n * (DPLI_TAPE_MORE + 1) + 1;
    dpli_tensor **tensor_of = dpli_calloc((size_t)g->n_values + 1, sizeof *tensor_of, err);
    dpli_param **param_of = dpli_calloc((size_t)g->n_values + 1, sizeof *param_of, err);
    dpl_status status = DPL_E_MEMORY;

    t->tensors = dpli_calloc(n_tensors, sizeof *t->tensors, err);
    t->steps = dpli_calloc(n, sizeof *t->steps, err);
    t->goes_back = dpli_calloc(n, sizeof *t->goes_back, err);
    if (!tensor_of || !param_of || !t->tensors || !t->steps || !t->goes_back)
        goto done;
    status = make_params(t, param_of, o->beside, err);
    if (status != DPL_OK)
        goto done;
    status = make_inputs(t, input, tensor_of, err);
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++) {
        if (!g->nodes[k].dead)
            status = settle(t, k, tensor_of, o->max_bytes, err);
        if (status == DPL_OK && !g->nodes[k].dead)
            status = make_step(t, &g->nodes[k], tensor_of, param_of, o, err);
    }
    if (status != DPL_OK)
        goto done;
    t->output = tensor_of[g->outputs[0]];
    if (!t->output || root_of(t->output) == t->input || t->output->h != 1 || t->output->w != 1 ||
        t->output->batch_axis != 0 || t->output->type != DPLI_F32)
        status = dpli_fail(err, DPL_E_MODEL, "net's output is not one vector a picture");
    else if (!t->output->grad && !o->forward_only)
        status = dpli_fail(err, DPL_E_MODEL, "every layer is frozen, or none has parameters");
    else
        status = drop_unwanted(t, err);
    if (status == DPL_OK)
        join_steps(t);
done:
    free(tensor_of);
    free(param_of);
    return status;
}

/* ------------------------------------------------------------------ arena */

/* What is to be placed: stretches, and who wants to know where. */
typedef struct blocks {
    dpli_stretch *stretches;
    float ***places;
    int32_t n;
} blocks;

static void add_block(blocks *b, size_t floats, int32_t from, int32_t to, float **place)
{
    *place = NULL;
    if (!floats)
        return;
    b->stretches[b->n] = (dpli_stretch){.first = from, .last = to};
    if (!dpli_mul(&b->stretches[b->n].n_bytes, floats, sizeof(float)))
        b->stretches[b->n].n_bytes = SIZE_MAX;
    b->places[b->n++] = place;
}

/* Floats of memory: an integer takes two. */
static size_t room_of(const dpli_tensor *t)
{
    return dpli_tensor_floats(t) * (t->type == DPLI_I64 ? 2 : 1);
}

/* An output of step k with memory of its own, which those that share it read too. Made by the step
 * before it, it is there, and its gradient still, when that one runs. */
static void add_tensor(dpli_tape *t, blocks *b, dpli_tensor *out, int32_t k)
{
    const int32_t made = is_joined(&t->steps[k], t) ? k - 1 : k;
    const int32_t turn = t->n_steps, back = 2 * turn - made;
    const bool is_output = root_of(t->output) == out;
    int32_t last = k, first = back;
    bool wanted = out->grad != NULL, read = is_output || only_result(&t->steps[k]);

    for (int32_t j = k + 1; j < t->n_steps; j++) {
        for (int32_t i = 0; i < t->steps[j].n_in; i++) {
            if (!t->steps[j].in[i] || root_of(t->steps[j].in[i]) != out)
                continue;
            read = true;
            last = j;
            first = t->goes_back[j] && 2 * turn - j < first ? 2 * turn - j : first;
        }
    }
    /* Of several, the one that nobody wants is not computed; nor is what lies in a joined step. */
    if (!read || t->steps[k].joined) {
        out->value = out->grad = NULL;
        return;
    }
    if (is_output)
        last = first = turn;
    add_block(b, room_of(out), made,
              is_output          ? 2 * turn + 1
              : !t->forward_only ? back
                                 : last,
              &out->value);
    if (wanted)
        add_block(b, room_of(out), first, back, &out->grad);
}

/* Ticks: step k runs forward at k and backward at 2 n_steps - k; the loss comes at n_steps. */
static dpl_status make_arena(dpli_tape *t, const dpli_tape *beside, size_t max_bytes,
                             dpl_error *err)
{
    const int32_t turn = t->n_steps;
    const size_t most = (size_t)t->n_steps * (2 * (DPLI_TAPE_MORE + 1) + 1) + 3;
    blocks b = {.stretches = dpli_calloc(most, sizeof *b.stretches, err),
                .places = dpli_calloc(most, sizeof *b.places, err)};
    size_t scratch = 0, arena, bytes;
    dpl_status status = DPL_E_MEMORY;

    if (!b.stretches || !b.places)
        goto done;
    add_block(&b, room_of(t->input), -1, 2 * turn + 1, &t->input->value);
    if (t->second)
        add_block(&b, room_of(t->second), -1, 2 * turn + 1, &t->second->value);
    for (int32_t k = 0; k < t->n_steps; k++) {
        dpli_tape_step *s = &t->steps[k];
        const int32_t back = 2 * turn - k;

        for (int32_t o = 0; o <= DPLI_TAPE_MORE; o++) {
            if (*output_at(s, o) && !(*output_at(s, o))->root)
                add_tensor(t, &b, *output_at(s, o), k);
        }
        add_block(&b, s->kept_floats, k, t->goes_back[k] ? back : k, &s->kept);
        scratch = s->scratch_floats > scratch ? s->scratch_floats : scratch;
    }
    status = dpli_arena_place(b.stretches, b.n, &arena, err);
    if (status != DPL_OK)
        goto done;
    if (!dpli_mul(&bytes, scratch, sizeof(float)) || !dpli_add(&bytes, bytes, arena) ||
        bytes > max_bytes) {
        status =
            dpli_fail(err, DPL_E_MEMORY,
                      "a step would take %.0f MB, limit is %.0f MB: a smaller batch takes less",
                      (double)arena * 1e-6 + (double)scratch * 4e-6, (double)max_bytes * 1e-6);
        goto done;
    }
    t->own_arena = !beside || arena > beside->arena_bytes;
    t->own_scratch = !beside || scratch > beside->scratch_floats;
    t->bytes = (t->own_arena ? arena : 0) + (t->own_scratch ? scratch * sizeof(float) : 0);
    t->arena_bytes = arena;
    t->scratch_floats = scratch;
    t->arena = t->own_arena ? dpli_alloc_aligned(arena, 1, err) : beside->arena;
    t->scratch =
        t->own_scratch ? dpli_alloc_aligned(scratch + 1, sizeof *t->scratch, err) : beside->scratch;
    if (!t->arena || !t->scratch) {
        status = DPL_E_MEMORY;
        goto done;
    }
    /* Rows of a batch that is not full are computed with too: from numbers, not from chance. */
    memset(t->arena, 0, arena);
    for (int32_t i = 0; i < b.n; i++)
        *b.places[i] = (float *)(void *)(t->arena + b.stretches[i].offset);
    for (int32_t i = 0; i < t->n_tensors; i++) {
        dpli_tensor *own = &t->tensors[i];
        const dpli_tensor *root = root_of(own);

        own->value = root->value;
        own->grad = own->grad ? root->grad : NULL;
    }
    for (int32_t i = 0; i < t->n_tensors; i++) {
        if (t->tensors[i].type != DPLI_I64)
            continue;
        t->tensors[i].ids = (int64_t *)(void *)t->tensors[i].value;
        t->tensors[i].value = NULL;
    }
done:
    free(b.stretches);
    free(b.places);
    return status;
}

static dpl_status make_gradients(dpli_tape *t, dpl_error *err)
{
    bool *written = dpli_calloc((size_t)t->n_tensors + 1, sizeof *written, err);

    if (!written)
        return DPL_E_MEMORY;
    /* What the loss has said of the output. */
    written[root_of(t->output) - t->tensors] = true;
    for (int32_t k = t->n_steps - 1; k >= 0; k--) {
        dpli_tape_step *s = &t->steps[k];

        s->scratch = t->scratch;
        for (int32_t i = 0; i < s->n_in && t->goes_back[k] && !s->out->root; i++) {
            if (!s->in[i] || !s->in[i]->grad)
                continue;
            s->add[i] = written[root_of(s->in[i]) - t->tensors];
            written[root_of(s->in[i]) - t->tensors] = true;
        }
    }
    free(written);
    if (t->beside)
        return DPL_OK;
    for (int32_t i = 0; i < t->n_params && !t->forward_only; i++) {
        dpli_param *p = &t->params[i];

        if (!is_trained(p))
            continue;
        p->grad = dpli_alloc_aligned(p->n, sizeof *p->grad, err);
        if (!p->grad)
            return DPL_E_MEMORY;
        memset(p->grad, 0, p->n * sizeof *p->grad);
        t->bytes += p->n * sizeof *p->grad;
    }
    for (int32_t k = 0; k < t->n_steps && !t->forward_only; k++) {
        dpli_tape_step *s = &t->steps[k];
        dpli_param *p = s->param[0];

        if (!p || p->kind != DPLI_PARAM_TABLE || !p->grad || p->shape.dims[0] > INT32_MAX)
            continue;
        p->max_rows = dpli_tensor_floats(s->in[1]);
        p->rows = dpli_alloc(p->max_rows, sizeof *p->rows, err);
        if (!p->rows)
            return DPL_E_MEMORY;
        t->bytes += p->max_rows * sizeof *p->rows;
    }
    return DPL_OK;
}

dpl_status dpli_tape_new(dpli_tape **out, dpli_graph *g, dpli_team *team, const dpl_shape *input,
                         const dpli_tape_options *options, dpl_error *err)
{
    dpli_tape *t = dpli_calloc(1, sizeof *t, err);
    dpl_status status;

    *out = NULL;
    if (!t)
        return DPL_E_MEMORY;
    t->graph = g;
    t->team = team;
    t->forward_only = options->forward_only;
    t->beside = options->beside != NULL;
    status = make_own(t, err);
    if (status == DPL_OK)
        status = make_steps(t, input, options, err);
    if (status == DPL_OK)
        status = make_arena(t, options->beside, options->max_bytes, err);
    if (status == DPL_OK)
        status = make_gradients(t, err);
    if (status != DPL_OK) {
        dpli_tape_free(t);
        return status;
    }
    *out = t;
    return DPL_OK;
}

void dpli_tape_free(dpli_tape *t)
{
    if (!t)
        return;
    for (int32_t i = 0; i < t->n_params && !t->beside; i++) {
        free(t->params[i].grad);
        free(t->params[i].rows);
    }
    for (int32_t k = 0; k < t->n_steps; k++)
        free(t->steps[k].state);
    if (!t->beside)
        free(t->params);
    for (int32_t i = 0; i < t->n_owned; i++)
        free(t->owned[i]);
    free(t->owned);
    free(t->known);
    free(t->own.values);
    free(t->own.nodes);
    free(t->steps);
    free(t->tensors);
    free(t->goes_back);
    if (t->own_arena)
        free(t->arena);
    if (t->own_scratch)
        free(t->scratch);
    free(t);
}

/* ------------------------------------------------------------------ what it holds */

size_t dpli_tape_bytes(const dpli_tape *t)
{
    return t->bytes;
}

int32_t dpli_tape_n_params(const dpli_tape *t)
{
    return t->n_params;
}

dpli_param *dpli_tape_param(dpli_tape *t, int32_t i)
{
    return i >= 0 && i < t->n_params ? &t->params[i] : NULL;
}

int32_t dpli_tape_n_steps(const dpli_tape *t)
{
    return t->n_steps;
}

const dpli_tape_step *dpli_tape_step_at(const dpli_tape *t, int32_t i)
{
    return i >= 0 && i < t->n_steps ? &t->steps[i] : NULL;
}

dpli_tensor *dpli_tape_input(dpli_tape *t)
{
    return t->input;
}

dpli_tensor *dpli_tape_second_input(dpli_tape *t)
{
    return t->second;
}

dpli_tensor *dpli_tape_output(dpli_tape *t)
{
    return t->output;
}

/* ------------------------------------------------------------------ running */

/* The team's threads are its own: their units stay set. */
static void flush_denormals(void *ctx, int worker, size_t from, size_t to)
{
    (void)ctx;
    (void)from;
    (void)to;
    if (worker > 0)
        dpli_fpu_enter();
}

void dpli_tape_forward(dpli_tape *t, int32_t n, bool training, uint64_t seed)
{
    const unsigned state = dpli_fpu_enter();

    dpli_team_run(t->team, (size_t)dpli_team_size(t->team), flush_denormals, NULL);
    for (int32_t i = 0; i < t->n_tensors; i++)
        t->tensors[i].n = n;
    for (int32_t k = 0; k < t->n_steps; k++) {
        dpli_tape_step *s = &t->steps[k];
        const double start = dpli_now();

        s->training = training;
        s->fault.node = NULL;
        dpli_rng_seed(&s->rng, seed + (uint64_t)k);
        if (!s->out->root && !is_joined(s, t))
            s->op->forward(s);
        s->forward_s += dpli_now() - start;
    }
    dpli_fpu_restore(state);
}

void dpli_tape_backward(dpli_tape *t)
{
    const unsigned state = dpli_fpu_enter();

    for (int32_t k = t->n_steps - 1; k >= 0; k--) {
        dpli_tape_step *s = &t->steps[k];
        const double start = dpli_now();

        if (t->goes_back[k] && !s->out->root && !is_joined(s, t))
            s->op->backward(s);
        s->backward_s += dpli_now() - start;
    }
    dpli_fpu_restore(state);
}

dpl_status dpli_tape_fault(const dpli_tape *t, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (int32_t k = 0; k < t->n_steps && status == DPL_OK; k++)
        status = dpli_fault_fail(t->graph, &t->steps[k].fault, err);
    return status;
}

/* masked: minus infinity is what a mask puts there. */
static bool all_finite(const float *x, size_t n, bool masked)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) && !(masked && x[i] == -INFINITY))
            return false;
    }
    return true;
}

const char *dpli_tape_not_finite(const dpli_tape *t, bool gradients)
{
    for (int32_t k = 0; k < t->n_steps; k++) {
        const dpli_tape_step *s = &t->steps[k];
        const bool masks =
            s->node->op->role == DPLI_ROLE_WHERE || s->node->op->role == DPLI_ROLE_ADD;

        for (int32_t i = 0; i <= DPLI_TAPE_MORE && !gradients; i++) {
            const dpli_tensor *out = i == 0 ? s->out : s->more[i - 1];

            if (out && out->type == DPLI_F32 && out->value &&
                !all_finite(out->value, dpli_tensor_floats(out), masks))
                return s->node->name;
        }
        for (int32_t i = 0; i < s->n_in; i++) {
            const dpli_param *p = s->param[i];

            if (p && (!all_finite(p->value, p->n, p->kind == DPLI_PARAM_OTHER) ||
                      (gradients && p->grad && !all_finite(p->grad, p->n, false))))
                return s->node->name;
        }
    }
    return NULL;
}
