/*
 * recurrent.c - the operators LSTM and GRU: what a node says, and their steps in a plan.
 *
 *     X [steps, batch, in] -> Y [steps, directions, batch, hidden], Y_h, Y_c [directions, batch,
 *     hidden]; with layout 1 the batch comes first
 *
 * As in onnxruntime, what lies behind a sequence's end is 0 in Y, and the last states of an empty
 * sequence are 0, whatever the first ones. No peepholes, clipping, coupled gates or other
 * activations.
 * Source: ONNX LSTM-14, GRU-14.
 */
#include "net/ops/recurrent.h"

#include <string.h>

#include "net/ops/recurrent_run.h"
#include "net/ops/recurrent_train.h"
#include "net/planner.h"

/* ------------------------------------------------------------------ loading */

static dpl_status load(dpli_graph *g, dpli_node *node, dpli_cell cell, dpl_error *err)
{
    static const char *const directions[] = {"forward", "reverse", "bidirectional", NULL};
    static const char *const usual[2][3] = {
        {"Sigmoid Tanh Tanh ", "Sigmoid Tanh Tanh ", "Sigmoid Tanh Tanh Sigmoid Tanh Tanh "},
        {"Sigmoid Tanh ", "Sigmoid Tanh ", "Sigmoid Tanh Sigmoid Tanh "}};
    dpli_recurrent_params *params = dpli_node_params(node, sizeof *params, err);
    const char *activations = NULL;
    int64_t coupled = 0, after = 0;
    int32_t direction = 0;
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    status = dpli_attr_word(g, node, "direction", directions, &direction, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "hidden_size", &params->hidden, err);
    if (status == DPL_OK)
        status = dpli_attr_strings(g, node, "activations", &activations, err);
    if (status == DPL_OK && g->opset >= 14)
        status = dpli_attr_int(g, node, "layout", &params->layout, err);
    if (status == DPL_OK && cell == DPLI_CELL_LSTM)
        status = dpli_attr_int(g, node, "input_forget", &coupled, err);
    if (status == DPL_OK && cell == DPLI_CELL_GRU)
        status = dpli_attr_int(g, node, "linear_before_reset", &after, err);
    if (status != DPL_OK)
        return status;
    if (activations && strcmp(activations, usual[cell != DPLI_CELL_LSTM][direction]) != 0)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "activations \"%.60s\" are not supported",
                              activations);
    if (coupled != 0)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "input_forget is not supported");
    if (dpli_graph_input(g, node, 7))
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "peepholes are not supported");
    if (params->layout != 0 && params->layout != 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "layout %lld is not supported",
                              (long long)params->layout);
    params->cell = cell == DPLI_CELL_GRU && after ? DPLI_CELL_GRU_AFTER : cell;
    params->n_dirs = direction == 2 ? 2 : 1;
    params->reverse = direction == 1;
    return DPL_OK;
}

static dpl_status load_lstm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    return load(g, node, DPLI_CELL_LSTM, err);
}

static dpl_status load_gru(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    return load(g, node, DPLI_CELL_GRU, err);
}

/* ------------------------------------------------------------------ running */

typedef struct recurrent_step {
    dpli_recurrent layer;
    dpli_recurrent_io io;
    size_t n_seq, n_steps, chunk_rows, n_y;
    const dpli_node *node;
} recurrent_step;

static void run_recurrent(const dpli_step *step)
{
    const recurrent_step *s = step->params;
    const int64_t *lengths = step->in[1];
    const size_t state = s->n_seq * (size_t)s->layer.n_dirs * s->layer.hidden;
    int64_t *room = step->scratch;
    dpli_recurrent_rooms rooms;
    dpli_recurrent_io io = s->io;
    dpli_packed packed;

    for (size_t b = 0; lengths && b < s->n_seq && !step->fault->node; b++) {
        if (lengths[b] < 0 || lengths[b] > (int64_t)s->n_steps)
            *step->fault =
                (dpli_fault){s->node, lengths[b], (int64_t)s->n_steps, DPLI_FAULT_LENGTH};
    }
    io.x = step->in[0];
    io.h0 = step->in[2];
    io.c0 = step->in[3];
    io.y = step->out;
    io.yh = step->more[0];
    io.yc = step->more[1];
    dpli_packed_make(&packed, room, lengths, s->n_seq, s->n_steps, 0, 1);
    dpli_recurrent_lay_out(
        &rooms,
        (float *)(void *)(room + ((dpli_packed_room(s->n_seq, s->n_steps) + 7) & ~(size_t)7)),
        &s->layer, s->n_seq, s->chunk_rows);
    if (lengths && io.y)
        memset(io.y, 0, s->n_y * sizeof *io.y);
    if (lengths && io.yh)
        memset(io.yh, 0, state * sizeof *io.yh);
    if (lengths && io.yc)
        memset(io.yc, 0, state * sizeof *io.yc);
    for (int32_t d = 0; d < s->layer.n_dirs; d++)
        dpli_recurrent_forward(&s->layer, d, &packed, &io, &rooms);
}

/* A known weight, which it has to be. */
static dpl_status weight(dpli_planner *p, const dpli_node *node, int32_t i, dpli_planned **v,
                         dpl_error *err)
{
    *v = dpli_plan_in(p, node, i);
    if (*v && (!(*v)->known || (*v)->type != DPLI_F32))
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                              "input %d does not fold to constant weights", (int)i);
    return DPL_OK;
}

/* An input beside x, when it is there, which must be of this type and shape. */
static dpl_status extra(dpli_planner *p, const dpli_node *node, int32_t i, dpli_type type,
                        const dpl_shape *shape, dpli_ref *ref, dpl_error *err)
{
    dpli_planned *v = dpli_plan_in(p, node, i);
    char words[2][DPLI_SHAPE_TEXT];

    *ref = DPLI_NO_REF;
    if (!v)
        return DPL_OK;
    if (v->type != type || !dpli_shape_equal(&v->shape, shape))
        return dpli_node_fail(
            dpli_plan_graph(p), node, DPL_E_ARGUMENT, err, "input %d is %s, not %s%s", (int)i,
            dpli_shape_text(&v->shape, words[0]), dpli_shape_text(shape, words[1]),
            v->type != type ? " of another type" : "");
    return dpli_plan_use(p, node, v, DPLI_PLAIN, ref, err);
}

static bool wants(const dpli_planner *p, const dpli_node *node, int32_t i)
{
    return i < node->n_outputs && node->outputs[i] >= 0 &&
           (p->folding || dpli_plan_graph(p)->values[node->outputs[i]].n_uses > 0);
}

static dpl_status plan_recurrent(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_recurrent_params *params = node->params;
    dpli_planned *x, *w, *r, *b;
    recurrent_step s = {.node = node};
    dpl_shape y = {4, {0}}, state = {3, {0}}, lengths = {1, {0}};
    dpli_ref in[4], out[3] = {DPLI_NO_REF, DPLI_NO_REF, DPLI_NO_REF};
    size_t room;
    dpli_step *step;
    dpl_status status = dpli_plan_float(p, node, DPLI_RECURRENT_X, &x, err);

    if (status == DPL_OK)
        status = weight(p, node, DPLI_RECURRENT_W, &w, err);
    if (status == DPL_OK)
        status = weight(p, node, DPLI_RECURRENT_R, &r, err);
    if (status == DPL_OK)
        status = weight(p, node, DPLI_RECURRENT_B, &b, err);
    if (status == DPL_OK)
        status = dpli_recurrent_shape(dpli_plan_graph(p), node, &x->shape, &w->shape, &r->shape,
                                      b ? &b->shape : NULL, &s.layer, err);
    if (status != DPL_OK)
        return status;
    s.layer.w = w->known;
    s.layer.r = r->known;
    s.layer.b = b ? b->known : NULL;
    s.n_seq = (size_t)x->shape.dims[params->layout ? 0 : 1];
    s.n_steps = (size_t)x->shape.dims[params->layout ? 1 : 0];
    lengths.dims[0] = (int64_t)s.n_seq;
    state.dims[params->layout ? 0 : 1] = (int64_t)s.n_seq;
    state.dims[params->layout ? 1 : 0] = params->n_dirs;
    state.dims[2] = (int64_t)s.layer.hidden;
    y.dims[0] = x->shape.dims[0];
    y.dims[1] = params->layout ? x->shape.dims[1] : params->n_dirs;
    y.dims[2] = params->layout ? params->n_dirs : x->shape.dims[1];
    y.dims[3] = state.dims[2];
    s.n_y = (size_t)dpli_shape_elements(&y);
    /* Steps of floats, by the order of dimensions. */
    s.io.x_t = s.layer.in * (params->layout ? 1 : s.n_seq);
    s.io.x_b = s.layer.in * (params->layout ? s.n_steps : 1);
    s.io.y_d = s.layer.hidden * (params->layout ? 1 : s.n_seq);
    s.io.y_t = s.layer.hidden * (size_t)params->n_dirs * (params->layout ? 1 : s.n_seq);
    s.io.y_b = s.layer.hidden * (params->layout ? (size_t)params->n_dirs * s.n_steps : 1);
    s.io.s_d = s.layer.hidden * (params->layout ? 1 : s.n_seq);
    s.io.s_b = s.layer.hidden * (params->layout ? (size_t)params->n_dirs : 1);
    s.chunk_rows = s.n_seq > DPLI_RECURRENT_CHUNK               ? s.n_seq
                   : s.n_seq * s.n_steps < DPLI_RECURRENT_CHUNK ? s.n_seq * s.n_steps
                                                                : DPLI_RECURRENT_CHUNK;
    status = dpli_plan_use(p, node, x, DPLI_PLAIN, &in[0], err);
    if (status == DPL_OK)
        status = extra(p, node, DPLI_RECURRENT_LENGTHS, DPLI_I64, &lengths, &in[1], err);
    if (status == DPL_OK)
        status = extra(p, node, DPLI_RECURRENT_H, DPLI_F32, &state, &in[2], err);
    if (status == DPL_OK)
        status = extra(p, node, DPLI_RECURRENT_C, DPLI_F32, &state, &in[3], err);
    for (int32_t i = 0; i < 3 && status == DPL_OK; i++) {
        if (wants(p, node, i))
            status = dpli_plan_out(p, node, i, i == 0 ? &y : &state, DPLI_PLAIN, &out[i], err);
    }
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_recurrent, sizeof s, &y, err);
    if (!step)
        return DPL_E_MEMORY;
    room = (dpli_packed_room(s.n_seq, s.n_steps) + 7) & ~(size_t)7;
    memcpy(step->params, &s, sizeof s);
    memcpy(step->in_ref, in, sizeof in);
    step->out_ref = out[0];
    step->more_ref[0] = out[1];
    step->more_ref[1] = out[2];
    step->bias = b != NULL;
    step->macs = (double)s.n_seq * (double)s.n_steps * (double)params->n_dirs *
                 (double)(dpli_recurrent_gates(params->cell) * s.layer.hidden) *
                 (double)(s.layer.in + s.layer.hidden);
    return dpli_plan_scratch(p, step,
                             room * sizeof(int64_t) +
                                 dpli_recurrent_floats(&s.layer, s.n_seq, s.chunk_rows) *
                                     sizeof(float),
                             err);
}

const dpli_op dpli_ops_recurrent[] = {
    {"LSTM", DPLI_ROLE_RECURRENT, 3, 8, 3, false, load_lstm, NULL, plan_recurrent,
     &dpli_recurrent_trained},
    {"GRU", DPLI_ROLE_RECURRENT, 3, 6, 2, false, load_gru, NULL, plan_recurrent,
     &dpli_recurrent_trained},
    {0},
};
