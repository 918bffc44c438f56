/*
 * plan.c - a graph laid out in memory for given input shapes, and the run of it.
 *
 * The nodes are taken in order; each infers its output's shape and adds steps (net/ops, through
 * planner.c). Then each buffer gets its place in one block (arena.c), so that two share memory when
 * they are never alive together. A run calls the steps one after another and does nothing else.
 */
#include "net/plan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"
#include "net/arena.h"
#include "net/chain.h"
#include "net/net.h"
#include "net/ops/op.h"
#include "net/place.h"

/* Multiply-adds in the time that an element takes to be read, computed and written. */
#define ELEMENT_OPERATIONS 16.0

struct dpl_plan {
    dpli_planner p;
    dpli_stretch *places; /* of the buffers, while planning */
    double macs;
    char *arena;
    size_t arena_bytes;
    bool borrowed;              /* the arena: another's block */
    dpli_team *team, *own_team; /* NULL for none; the second is freed with the plan */
    int32_t n_inputs, n_outputs;
    void **inputs;
    dpli_supply supply; /* of a plan that is supplied */
    dpli_fault fault;
    const void **outputs;
    dpli_planned *results;
};

/* ------------------------------------------------------------------ the arena */

static void touch(dpli_stretch *places, const dpli_ref *ref, int32_t step)
{
    dpli_stretch *s;

    if (ref->buffer < 0)
        return;
    s = &places[ref->buffer];
    s->first = s->first < step ? s->first : step;
    s->last = s->last > step ? s->last : step;
}

static dpl_status find_lives(dpl_plan *plan, dpl_error *err)
{
    const dpli_planner *p = &plan->p;

    plan->places = dpli_calloc((size_t)p->n_buffers, sizeof *plan->places, err);
    if (!plan->places)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < p->n_buffers; i++)
        plan->places[i] =
            (dpli_stretch){.n_bytes = p->buffers[i].n_bytes, .first = INT32_MAX, .last = -1};
    for (int32_t s = 0; s < p->n_steps; s++) {
        const dpli_step *step = &p->steps[s];

        touch(plan->places, &step->out_ref, s);
        touch(plan->places, &step->scratch_ref, s);
        for (int32_t i = 0; i < DPLI_STEP_MORE; i++)
            touch(plan->places, &step->more_ref[i], s);
        for (int32_t i = 0; i < DPLI_STEP_INPUTS; i++)
            touch(plan->places, &step->in_ref[i], s);
    }
    for (int32_t i = 0; i < p->n_buffers; i++) {
        /* Inputs are there before the run. Outputs keep to themselves, so that the next run's
         * inputs can be written while the last one's outputs are still being read. */
        if (p->buffers[i].input || p->buffers[i].output)
            plan->places[i].first = -1;
        if (p->buffers[i].output)
            plan->places[i].last = INT32_MAX;
    }
    return DPL_OK;
}

static dpl_status grow_block(dpli_block *block, size_t n_bytes, dpl_error *err)
{
    if (n_bytes <= block->n_bytes)
        return DPL_OK;
    free(block->bytes);
    block->moved = true;
    block->bytes = dpli_alloc_aligned(n_bytes, 1, err);
    block->n_bytes = block->bytes ? n_bytes : 0;
    return block->bytes ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status make_arena(dpl_plan *plan, const dpli_plan_request *request, dpl_error *err)
{
    dpl_status status = find_lives(plan, err);

    if (status == DPL_OK)
        status = dpli_arena_place(plan->places, plan->p.n_buffers, &plan->arena_bytes, err);
    if (status != DPL_OK)
        return status;
    if (plan->arena_bytes > plan->p.max_bytes - plan->p.known_bytes)
        return dpli_plan_too_large(&plan->p, NULL, err);
    if (request->measure)
        return DPL_OK;
    if (request->block) {
        plan->borrowed = true;
        status = grow_block(request->block, plan->arena_bytes, err);
        if (status != DPL_OK)
            return status;
        plan->arena = request->block->bytes;
    } else {
        plan->arena = dpli_alloc_aligned(plan->arena_bytes, 1, err);
        if (!plan->arena)
            return DPL_E_MEMORY;
    }
    return DPL_OK;
}

static void *resolve(const dpl_plan *plan, const dpli_ref *ref)
{
    if (ref->buffer >= 0)
        return plan->arena + plan->places[ref->buffer].offset;
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

        v->buffer[0] = v->buffer[1] = v->narrow = -1;
        v->pending = g->values[i].n_uses;
        if (g->values[i].data) {
            v->shape = g->values[i].shape;
            v->type = g->values[i].type;
            v->known = g->values[i].data;
            v->defined = true;
        }
    }
    if (g->numbers != DPLI_FLOATS)
        dpli_narrow_count(p);
    return DPL_OK;
}

typedef struct supply_step {
    const dpli_supply *supply;
} supply_step;

/* Of a plan whose first layer is in no chain: the whole input. */
static void run_supply(const dpli_step *step)
{
    const dpli_supply *f = ((const supply_step *)step->params)->supply;
    float *to = step->out;

    for (int32_t i = 0; i < f->n; i++)
        for (int32_t y = 0; y < f->h; y++, to += (size_t)f->w * (size_t)f->channels)
            f->line(f->ctx, to, i, y);
}

static void link_supply(const dpli_step *step, dpli_link *link)
{
    *link = (dpli_link){.supply = ((const supply_step *)step->params)->supply};
}

/* The step that makes the input, which lies in this buffer. */
static dpl_status plan_supply(dpl_plan *plan, const dpl_shape *shape, int32_t buffer,
                              dpl_error *err)
{
    dpli_step *step = dpli_plan_step(&plan->p, NULL, run_supply, sizeof(supply_step), shape, err);

    if (!step)
        return DPL_E_MEMORY;
    plan->supply = (dpli_supply){.n = (int32_t)shape->dims[0],
                                 .h = (int32_t)shape->dims[2],
                                 .w = (int32_t)shape->dims[3],
                                 .channels = (int32_t)shape->dims[1]};
    *(supply_step *)step->params = (supply_step){&plan->supply};
    step->link = link_supply;
    step->out_ref = (dpli_ref){buffer, NULL};
    return DPL_OK;
}

static dpl_status plan_inputs(dpl_plan *plan, const dpli_plan_request *request, dpl_error *err)
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
        const dpl_shape *shape = &request->input_shapes[i];
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
        status = dpli_plan_buffer(p, NULL, v->type, shape, 0, &id, err);
        if (status != DPL_OK)
            return status;
        p->buffers[id].input = !request->supplied;
        if (request->supplied)
            status = plan_supply(plan, shape, id, err);
        if (status != DPL_OK)
            return status;
        dpli_plan_define(p, g->inputs[i], v->type, shape,
                         request->layout == DPL_LAYOUT_NHWC ? DPLI_NHWC : DPLI_PLAIN, id);
    }
    return DPL_OK;
}

static dpl_status plan_nodes(dpl_plan *plan, const dpli_plan_request *request, dpl_error *err)
{
    dpli_planner *p = &plan->p;
    const dpli_graph *g = p->g;
    int32_t n = request->nodes ? request->n_nodes : g->n_nodes;
    double work = 0.0;

    for (int32_t i = 0; i < n; i++) {
        int32_t k = request->nodes ? request->nodes[i] : i;
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
                dpli_plan_consume(p, &p->values[node->inputs[j]]);
        }
        for (int32_t s = first_step; s < p->n_steps; s++) {
            plan->macs += p->steps[s].macs;
            work += p->steps[s].macs +
                    ELEMENT_OPERATIONS * (double)dpli_shape_elements(&p->steps[s].shape);
        }
        if (!(work <= request->max_operations))
            return dpli_node_fail(g, node, DPL_E_LIMIT, err,
                                  request->nodes
                                      ? "constants take more than %.3g operations to compute"
                                      : "more than %.3g operations are needed at this input size "
                                        "(--model-operations)",
                                  request->max_operations);
    }
    return DPL_OK;
}

/* A copy into a buffer of its own, for an output that is a constant or shares an input's memory. */
static dpl_status own_output(dpli_planner *p, const dpli_planned *v, dpli_ref *ref, dpl_error *err)
{
    dpli_move m = {.rank = 1, .to = {1}, .from = {1}};
    dpli_ref from = *ref;
    dpl_status status = dpli_plan_buffer(p, NULL, v->type, &v->shape, 1, &ref->buffer, err);

    if (status != DPL_OK)
        return status;
    m.dims[0] = dpli_shape_elements(&v->shape);
    return dpli_plan_move(p, NULL, v->type, &m, *ref, from, &v->shape, err);
}

static dpl_status plan_outputs(dpl_plan *plan, const dpli_plan_request *request, dpli_ref *refs,
                               dpl_error *err)
{
    dpli_planner *p = &plan->p;
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

static dpl_status make(dpl_plan *plan, const dpli_plan_request *request, dpli_ref **refs,
                       dpl_error *err)
{
    dpli_planner *p = &plan->p;
    dpl_status status;

    plan->n_outputs = request->nodes ? request->n_outputs : p->g->n_outputs;
    plan->outputs = dpli_calloc((size_t)plan->n_outputs, sizeof *plan->outputs, err);
    plan->results = dpli_calloc((size_t)plan->n_outputs, sizeof *plan->results, err);
    *refs = dpli_calloc((size_t)plan->n_outputs, sizeof **refs, err);
    if (!plan->outputs || !plan->results || !*refs)
        return DPL_E_MEMORY;
    status = start_values(plan, err);
    if (status == DPL_OK && !request->nodes)
        status = plan_inputs(plan, request, err);
    if (status == DPL_OK)
        status = plan_nodes(plan, request, err);
    if (status == DPL_OK)
        status = plan_outputs(plan, request, *refs, err);
    if (status == DPL_OK)
        status = dpli_chain_steps(p, *refs, plan->n_outputs, err);
    if (status == DPL_OK)
        status = make_arena(plan, request, err);
    if (status != DPL_OK || request->measure)
        return status;
    for (int32_t s = 0; s < p->n_steps; s++) {
        dpli_step *step = &p->steps[s];

        step->out = resolve(plan, &step->out_ref);
        step->scratch = resolve(plan, &step->scratch_ref);
        step->fault = &plan->fault;
        for (int32_t i = 0; i < DPLI_STEP_MORE; i++)
            step->more[i] = resolve(plan, &step->more_ref[i]);
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

        plan->inputs[i] = request->supplied ? NULL : resolve(plan, &ref);
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
    plan->p.max_bytes = request->max_bytes;
    plan->p.folding = request->nodes != NULL;
    plan->team = request->team;
    plan->p.n_workers = plan->team ? (size_t)dpli_team_size(plan->team) : 1;
    status = make(plan, request, &refs, err);
    free(refs);
    if (status != DPL_OK) {
        dpl_plan_free(plan);
        return status;
    }
    /* What only planning needed. */
    free(plan->p.values);
    free(plan->p.done);
    free(plan->p.buffers);
    free(plan->places);
    plan->p.values = NULL;
    plan->p.done = NULL;
    plan->p.buffers = NULL;
    plan->places = NULL;
    *out = plan;
    return DPL_OK;
}

size_t dpli_plan_own_bytes(const dpl_plan *plan)
{
    return sizeof *plan + (size_t)plan->p.n_steps * sizeof *plan->p.steps + plan->p.params_bytes +
           plan->p.known_bytes + (size_t)plan->n_outputs * sizeof *plan->results;
}

double dpli_plan_macs(const dpl_plan *plan)
{
    return plan->macs;
}

const dpli_planned *dpli_plan_result(const dpl_plan *plan, int32_t i, const void **data)
{
    *data = plan->outputs[i];
    return &plan->results[i];
}

/* ------------------------------------------------------------------ public */

static dpli_plan_request request_for(const dpl_net *net, const dpl_shape *input_shapes,
                                     dpl_layout layout)
{
    return (dpli_plan_request){.input_shapes = input_shapes,
                               .layout = layout,
                               .max_bytes = net->graph.max_arena_bytes,
                               .max_operations = net->graph.max_operations};
}

dpl_status dpli_plan_new_in(dpl_plan **out, dpli_block *block, dpli_team *team, const dpl_net *net,
                            const dpl_shape *input_shapes, dpl_layout layout, bool supplied,
                            dpl_error *err)
{
    dpli_plan_request request = request_for(net, input_shapes, layout);

    request.block = block;
    request.team = team;
    request.supplied = supplied;
    return dpli_plan_make(out, &net->graph, &request, err);
}

dpl_status dpli_plan_measure(size_t *n_bytes, const dpl_net *net, const dpl_shape *input_shape,
                             dpl_layout layout, bool supplied, dpl_error *err)
{
    dpli_plan_request request = request_for(net, input_shape, layout);
    dpl_plan *plan;
    dpl_status status;

    request.measure = true;
    request.supplied = supplied;
    status = dpli_plan_make(&plan, &net->graph, &request, err);
    *n_bytes = status == DPL_OK ? plan->arena_bytes : 0;
    dpl_plan_free(plan);
    return status;
}

dpl_status dpl_plan_new(dpl_plan **out, const dpl_net *net, const dpl_shape *input_shapes,
                        dpl_layout layout, dpl_error *err)
{
    dpli_plan_request request = request_for(net, input_shapes, layout);

    return dpli_plan_make(out, &net->graph, &request, err);
}

dpl_status dpl_plan_new_on(dpl_plan **out, const dpl_net *net, const dpl_shape *input_shapes,
                           dpl_layout layout, int32_t n_threads, dpl_error *err)
{
    dpli_plan_request request = request_for(net, input_shapes, layout);
    dpli_team *team = NULL;
    dpl_status status = DPL_OK;

    *out = NULL;
    if (n_threads != 1)
        status = dpli_team_new(&team, n_threads, err);
    if (status != DPL_OK)
        return status;
    request.team = team;
    status = dpli_plan_make(out, &net->graph, &request, err);
    if (status == DPL_OK)
        (*out)->own_team = team;
    else
        dpli_team_free(team);
    return status;
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
    free(plan->places);
    free(plan->p.steps);
    free(plan->p.owned);
    if (!plan->borrowed)
        free(plan->arena);
    free(plan->inputs);
    free(plan->outputs);
    free(plan->results);
    dpli_team_free(plan->own_team);
    free(plan);
}

void dpli_plan_supply(dpl_plan *plan,
                      void (*line)(const void *ctx, float *out, int32_t picture, int32_t y),
                      const void *ctx)
{
    plan->supply.line = line;
    plan->supply.ctx = ctx;
}

/* The place of input i when its elements are of this type, else NULL. */
static void *input_of(const dpl_plan *plan, int32_t i, dpli_type type)
{
    return i >= 0 && i < plan->n_inputs && plan->p.g->values[plan->p.g->inputs[i]].type == type
               ? plan->inputs[i]
               : NULL;
}

float *dpl_plan_input(dpl_plan *plan, int32_t i)
{
    return input_of(plan, i, DPLI_F32);
}

int64_t *dpl_plan_input_int64(dpl_plan *plan, int32_t i)
{
    return input_of(plan, i, DPLI_I64);
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

void dpli_plan_fill(dpl_plan *plan, uint8_t fill)
{
    memset(plan->arena, fill, plan->arena_bytes);
}

/* Multiply-adds below which waking the others takes longer than what they would do. */
#define MIN_TEAM_MACS 1e5

static void run_piece(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_step *step = ctx;
    const unsigned state = dpli_fpu_enter();

    step->run_part(step, (char *)step->scratch + (size_t)worker * step->scratch_bytes, from, to);
    dpli_fpu_restore(state);
}

static void run_step(dpl_plan *plan, dpli_step *step)
{
    if (plan->team && step->run_part && step->n_pieces > 1 && step->macs >= MIN_TEAM_MACS)
        dpli_team_run(plan->team, step->n_pieces, run_piece, step);
    else
        step->run(step);
}

dpl_status dpl_plan_run(dpl_plan *plan, dpl_error *err)
{
    unsigned state = dpli_fpu_enter();

    plan->fault.node = NULL;
    for (int32_t i = 0; i < plan->p.n_steps; i++)
        run_step(plan, &plan->p.steps[i]);
    dpli_fpu_restore(state);
    return dpli_fault_fail(plan->p.g, &plan->fault, err);
}

static const char *act_name(dpli_act_kind kind)
{
    static const char *const names[] = {
        "",      "+Relu", "+PRelu", "+LeakyRelu", "+Clip", "+Sigmoid", "+HardSigmoid", "+HardSwish",
        "+Tanh", "+Exp",  "+Sqrt",  "+Abs",       "+Erf",  "+Gelu",    "+Gelu"};

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
    if (timed_runs > 0)
        dpli_plan_fill(plan, 0); /* nobody need have written its inputs */
    for (int32_t r = 0; r < timed_runs; r++) {
        for (int32_t i = 0; i < plan->p.n_steps; i++) {
            dpli_step *step = &plan->p.steps[i];
            double start = dpli_now(), seconds;

            run_step(plan, step);
            seconds = dpli_now() - start;
            /* The least, because everything that disturbs only adds. */
            if (r == 0 || seconds < step->seconds)
                step->seconds = seconds;
        }
    }
    dpli_fpu_restore(state);
    for (int32_t i = 0; i < plan->p.n_steps; i++) {
        const dpli_step *step = &plan->p.steps[i];
        static const char *const numbers[] = {"", " bf16", " int8"};
        const char *in = step->three ? " bf16x3" : numbers[step->numbers];
        char what[96];

        snprintf(what, sizeof what, "%s%s%s%s%s%s", step->what, step->bias ? "+bias" : "",
                 step->before ? "+residual" : "", act_name(step->act),
                 step->after ? "+residual" : "", in);
        dpli_buf_printf(&text, "%4d  %-32s %-20s %14.0f", (int)i, what,
                        dpli_shape_text(&step->shape, shape), step->macs);
        if (timed_runs > 0)
            dpli_buf_printf(&text, " %9.3f ms", step->seconds * 1e3);
        dpli_buf_printf(&text, "  %s\n", step->node ? step->node->name : "");
        total += step->seconds;
    }
    dpli_buf_printf(&text, "%d steps, %.0f multiply-adds, %zu bytes", (int)plan->p.n_steps,
                    plan->macs, plan->arena_bytes);
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
