/*
 * recurrent_train.c - LSTM and GRU, forward for training and back through time.
 *
 * A thread has its share of the sequences, every so many of those sorted by length, and goes
 * through all their steps by itself. Kept are the gates, states and reset products of the steps
 * that there are; the input is gathered again on the way back. What a step's gates say goes
 *
 *     dx = dgates W,  dh' += dgates R,  dW = dgates^T x,  dR = dgates^T h',  db = sum of dgates
 *
 * with the sums over a chunk of steps at a time, each thread's by themselves, added in the end.
 * Source: Werbos 1990; as in recurrent_run.c.
 */
#include "net/ops/recurrent_train.h"

#include <string.h>

#include "net/blas.h"
#include "net/ops/recurrent_run.h"
#include "net/ops/train.h"

typedef struct recurrent_state {
    dpli_recurrent layer;
    size_t n_steps, n_parts, part_seq, part_rows; /* the most sequences and rows of a part */
    size_t gates, side;                           /* floats of a row */
    /* Floats of a part and direction that are kept; where in it things lie. */
    size_t kept_h, kept_c, kept_side, kept;
    size_t kept_room; /* of a part, for its order of sequences */
    size_t scratch;   /* of a part */
    size_t dw, dr;    /* floats of a direction's weight and state weight */
    dpli_recurrent_io io;
    /* Initial states that are constants [directions, batch or 1, hidden]: theirs, in ONNX's order,
     * and where in what is kept they lie as sequences do. NULL: there are none, or all zeros. */
    const float *constant[2];
    size_t constant_at[2];
    bool one_for_all[2];
} recurrent_state;

static size_t line(size_t floats)
{
    return (floats + 15) & ~(size_t)15;
}

static const dpli_tensor *input(const dpli_tape_step *s, int32_t i)
{
    return i < s->n_in ? s->in[i] : NULL;
}

/* An input beside x that is there must be computed, of this type and shape. */
static dpl_status check_input(const dpli_graph *g, const dpli_tape_step *s, int32_t i,
                              dpli_type type, const dpl_shape *shape, int32_t batch_axis,
                              dpl_error *err)
{
    const dpli_tensor *x = input(s, i);
    char words[DPLI_SHAPE_TEXT];

    if (i >= s->n_in || s->node->inputs[i] < 0)
        return DPL_OK;
    if (x && x->type == type && dpli_shape_equal(&x->shape, shape) && x->batch_axis == batch_axis)
        return DPL_OK;
    return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                          "input %d is trained when it is computed, of %s", (int)i,
                          dpli_shape_text(shape, words));
}

/* An initial state: computed, of this shape, or a constant of it, which may be one for all. */
static dpl_status check_initial(const dpli_graph *g, dpli_tape_step *s, int32_t i,
                                const dpl_shape *shape, int32_t batch_axis, dpl_error *err)
{
    recurrent_state *state = s->state;
    const dpli_value *v = dpli_graph_input(g, s->node, i);
    const int32_t which = i - DPLI_RECURRENT_H;
    dpl_shape one = *shape;

    if (!v || !v->data || v->type != DPLI_F32 || input(s, i))
        return check_input(g, s, i, DPLI_F32, shape, batch_axis, err);
    one.dims[batch_axis] = 1;
    state->one_for_all[which] = dpli_shape_equal(&v->shape, &one);
    if (!state->one_for_all[which] && !dpli_shape_equal(&v->shape, shape))
        return check_input(g, s, i, DPLI_F32, shape, batch_axis, err);
    for (int64_t k = 0; k < dpli_shape_elements(&v->shape) && !state->constant[which]; k++)
        if (((const float *)v->data)[k] != 0.0f)
            state->constant[which] = v->data;
    return DPL_OK;
}

static dpl_status claim(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    recurrent_state *state = s->state;
    const dpli_recurrent_params *params = s->node->params;
    const size_t gates = dpli_recurrent_gates(params->cell);
    const dpl_shape *shapes[3] = {NULL};
    dpl_status status;

    for (int32_t i = 0; i < 3; i++) {
        const int32_t k = DPLI_RECURRENT_W + i;

        if (k == DPLI_RECURRENT_B && (k >= s->n_in || s->node->inputs[k] < 0))
            break;
        if (k >= s->n_in || !s->param[k])
            return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                                  "input %d is not a float constant; it cannot be trained", (int)k);
        shapes[i] = &s->param[k]->shape;
    }
    status = dpli_recurrent_shape(g, s->node, &s->in[0]->shape, shapes[0], shapes[1], shapes[2],
                                  &state->layer, err);
    if (status == DPL_OK)
        status = dpli_tape_claim(g, s, DPLI_RECURRENT_W, DPLI_PARAM_DENSE, state->layer.in,
                                 gates * state->layer.hidden, err);
    if (status == DPL_OK)
        status = dpli_tape_claim(g, s, DPLI_RECURRENT_R, DPLI_PARAM_STATE, state->layer.hidden,
                                 gates * state->layer.hidden, err);
    if (status == DPL_OK && shapes[2])
        status = dpli_tape_claim(
            g, s, DPLI_RECURRENT_B,
            params->cell == DPLI_CELL_LSTM ? DPLI_PARAM_GATES : DPLI_PARAM_BIAS, 0, 0, err);
    return status;
}

/* All sizes follow from the layer, the batch and the team. */
static void lay_out(dpli_tape_step *s, size_t n_seq)
{
    recurrent_state *state = s->state;
    const dpli_recurrent *l = &state->layer;
    const size_t h = l->hidden, dirs = (size_t)l->n_dirs;
    size_t chunk;

    state->n_parts =
        (size_t)dpli_team_size(s->team) < n_seq ? (size_t)dpli_team_size(s->team) : n_seq;
    state->part_seq = (n_seq + state->n_parts - 1) / state->n_parts;
    state->part_rows = state->part_seq * state->n_steps;
    chunk = state->part_seq > DPLI_RECURRENT_CHUNK ? state->part_seq : DPLI_RECURRENT_CHUNK;
    state->gates = dpli_recurrent_gates(l->cell) * h;
    state->side = l->cell == DPLI_CELL_LSTM ? 0 : l->cell == DPLI_CELL_GRU ? h : 3 * h;
    state->kept_h = line(state->part_rows * state->gates);
    state->kept_c = state->kept_h + line(state->part_rows * h);
    state->kept_side = state->kept_c + line(l->cell == DPLI_CELL_LSTM ? state->part_rows * h : 0);
    state->kept = state->kept_side + line(state->part_rows * state->side);
    state->kept_room = line(2 * dpli_packed_room(n_seq, state->n_steps));
    state->dw = state->gates * l->in;
    state->dr = state->gates * h;
    /* Rows of x or of dx, rows of h'; states at both ends and their gradients; the sums. */
    state->scratch = line(chunk * l->in) + line(chunk * h) + 5 * line(state->part_seq * h) +
                     dirs * (line(state->dw) + line(state->dr) + 2 * line(state->gates));
    s->kept_floats = state->n_parts * (state->kept_room + dirs * state->kept);
    for (int32_t i = 0; i < 2; i++) {
        state->constant_at[i] = s->kept_floats;
        s->kept_floats += state->constant[i] ? line(n_seq * dirs * h) : 0;
    }
    s->scratch_floats = state->n_parts * state->scratch;
}

static dpl_status plan(const dpli_graph *g, dpli_tape_step *s, dpl_error *err)
{
    recurrent_state *state = s->state;
    const dpli_recurrent_params *params = s->node->params;
    const dpli_tensor *x = s->in[0];
    dpli_recurrent_io *io = &state->io;
    const int32_t batch_axis = params->layout ? 0 : 1;
    dpl_shape y = {4, {0}}, last = {3, {0}}, lengths = {1, {0}};
    size_t h, dirs = (size_t)params->n_dirs;
    dpl_status status = dpli_tape_need(g, s, 0, err);

    if (status != DPL_OK)
        return status;
    if (x->shape.rank != 3 || x->batch_axis != batch_axis)
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err,
                              "the batch is not the input's dimension %d; it cannot be trained",
                              (int)batch_axis);
    status = claim(g, s, err);
    if (status != DPL_OK)
        return status;
    h = state->layer.hidden;
    state->n_steps = (size_t)x->shape.dims[1 - batch_axis];
    lengths.dims[0] = x->n;
    last.dims[batch_axis] = x->n;
    last.dims[1 - batch_axis] = params->n_dirs;
    last.dims[2] = (int64_t)h;
    y.dims[0] = x->shape.dims[0];
    y.dims[1] = params->layout ? x->shape.dims[1] : params->n_dirs;
    y.dims[2] = params->layout ? params->n_dirs : x->shape.dims[1];
    y.dims[3] = (int64_t)h;
    status = check_input(g, s, DPLI_RECURRENT_LENGTHS, DPLI_I64, &lengths, 0, err);
    if (status == DPL_OK)
        status = check_initial(g, s, DPLI_RECURRENT_H, &last, batch_axis, err);
    if (status == DPL_OK)
        status = check_initial(g, s, DPLI_RECURRENT_C, &last, batch_axis, err);
    if (status != DPL_OK)
        return status;
    if (!dpli_tensor_shape_at(s->out, &y, params->layout ? 0 : 2) ||
        (s->more[0] && !dpli_tensor_shape_at(s->more[0], &last, batch_axis)) ||
        (s->more[1] && !dpli_tensor_shape_at(s->more[1], &last, batch_axis)))
        return dpli_node_fail(g, s->node, DPL_E_MODEL, err, "result is too large");
    /* In memory the batch is outermost, whatever the layout. */
    io->x_t = state->layer.in;
    io->x_b = state->n_steps * state->layer.in;
    io->y_d = h;
    io->y_t = dirs * h;
    io->y_b = state->n_steps * dirs * h;
    io->s_d = h;
    io->s_b = dirs * h;
    lay_out(s, (size_t)x->n);
    return DPL_OK;
}

/* ------------------------------------------------------------------ forward */

static dpli_recurrent layer_of(const dpli_tape_step *s)
{
    dpli_recurrent l = ((const recurrent_state *)s->state)->layer;

    l.w = s->param[DPLI_RECURRENT_W]->value;
    l.r = s->param[DPLI_RECURRENT_R]->value;
    l.b = s->n_in > DPLI_RECURRENT_B && s->param[DPLI_RECURRENT_B]
              ? s->param[DPLI_RECURRENT_B]->value
              : NULL;
    return l;
}

static const int64_t *lengths_of(const dpli_tape_step *s)
{
    const dpli_tensor *lengths = input(s, DPLI_RECURRENT_LENGTHS);

    return lengths ? lengths->ids : NULL;
}

static const float *initial_of(const dpli_tape_step *s, int32_t i)
{
    const recurrent_state *state = s->state;
    const int32_t which = i - DPLI_RECURRENT_H;

    if (input(s, i))
        return s->in[i]->value;
    return state->constant[which] ? s->kept + state->constant_at[which] : NULL;
}

/* Constant initial states, from ONNX's order into that of the sequences. */
static void put_constants(dpli_tape_step *s)
{
    const recurrent_state *state = s->state;
    const size_t h = state->layer.hidden, dirs = (size_t)state->layer.n_dirs;
    const size_t batch = (size_t)s->out->shape.dims[s->out->batch_axis];
    const bool batch_first = ((const dpli_recurrent_params *)s->node->params)->layout != 0;

    for (int32_t i = 0; i < 2; i++) {
        float *to = s->kept + state->constant_at[i];
        const size_t n = state->one_for_all[i] ? 1 : batch;

        for (size_t b = 0; b < batch && state->constant[i]; b++)
            for (size_t d = 0; d < dirs; d++) {
                const size_t k = state->one_for_all[i] ? 0 : b;

                memcpy(to + (b * dirs + d) * h,
                       state->constant[i] + (batch_first ? k * dirs + d : d * n + k) * h,
                       h * sizeof *to);
            }
    }
}

static dpli_recurrent_io io_of(const dpli_tape_step *s)
{
    dpli_recurrent_io io = ((const recurrent_state *)s->state)->io;

    io.x = s->in[0]->value;
    io.h0 = initial_of(s, DPLI_RECURRENT_H);
    io.c0 = initial_of(s, DPLI_RECURRENT_C);
    io.y = s->out->value;
    io.yh = s->more[0] ? s->more[0]->value : NULL;
    io.yc = s->more[1] ? s->more[1]->value : NULL;
    return io;
}

/* What part's direction keeps, and where it works: rooms and what is behind them in the scratch. */
static float *rooms_of(const dpli_tape_step *s, size_t part, int32_t dir, dpli_packed *packed,
                       dpli_recurrent_rooms *rooms)
{
    const recurrent_state *state = s->state;
    const size_t h = state->layer.hidden;
    float *kept = s->kept + part * (state->kept_room + (size_t)state->layer.n_dirs * state->kept);
    float *at = s->scratch + part * state->scratch;

    *rooms = (dpli_recurrent_rooms){.keep = true};
    rooms->chunk_rows =
        state->part_seq > DPLI_RECURRENT_CHUNK ? state->part_seq : DPLI_RECURRENT_CHUNK;
    packed->offsets = (int64_t *)(void *)kept;
    kept += state->kept_room + (size_t)dir * state->kept;
    rooms->gates = kept;
    rooms->h = kept + state->kept_h;
    rooms->c = state->layer.cell == DPLI_CELL_LSTM ? kept + state->kept_c : NULL;
    rooms->side = state->side ? kept + state->kept_side : NULL;
    rooms->x = at;
    at += line(rooms->chunk_rows * state->layer.in);
    rooms->h0 = at;
    at += line(state->part_seq * h);
    rooms->c0 = at;
    return at + line(state->part_seq * h);
}

/* Nothing where a sequence has ended: in rows of n floats a sequence of the part. */
static void clear_rows(const dpli_packed *packed, float *to, size_t n)
{
    for (size_t k = 0; k < packed->n_seq && to; k++)
        memset(to + (size_t)packed->order[k] * n, 0, n * sizeof *to);
}

static void forward_part(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const recurrent_state *state = s->state;
    const dpli_recurrent l = layer_of(s);
    const dpli_recurrent_io io = io_of(s);

    (void)worker;
    for (size_t part = from; part < to; part++) {
        dpli_recurrent_rooms rooms;
        dpli_packed packed;

        rooms_of(s, part, 0, &packed, &rooms);
        dpli_packed_make(&packed, packed.offsets, lengths_of(s), (size_t)s->out->n, state->n_steps,
                         part, state->n_parts);
        if (lengths_of(s)) {
            clear_rows(&packed, io.y, io.y_b);
            clear_rows(&packed, io.yh, io.s_b);
            clear_rows(&packed, io.yc, io.s_b);
        }
        for (int32_t d = 0; d < l.n_dirs; d++) {
            rooms_of(s, part, d, &packed, &rooms);
            dpli_recurrent_forward(&l, d, &packed, &io, &rooms);
        }
    }
}

static void forward(dpli_tape_step *s)
{
    const recurrent_state *state = s->state;
    const int64_t *lengths = lengths_of(s);

    for (int32_t b = 0; lengths && b < s->out->n && !s->fault.node; b++) {
        if (lengths[b] < 0 || lengths[b] > (int64_t)state->n_steps)
            s->fault =
                (dpli_fault){s->node, lengths[b], (int64_t)state->n_steps, DPLI_FAULT_LENGTH};
    }
    put_constants(s);
    dpli_team_run(s->team, state->n_parts, forward_part, s);
}

/* ------------------------------------------------------------------ back */

/* What a direction of a part gathers, beside its rooms. */
typedef struct back {
    const dpli_tape_step *s;
    dpli_recurrent l;
    int32_t dir;
    dpli_packed packed;
    dpli_recurrent_rooms rooms;
    const float *h0, *c0;
    float *h_prev;              /* [chunk rows, hidden] */
    float *dh, *dc, *ds;        /* [part_seq, hidden] */
    float *dw, *dr, *dbw, *dbr; /* sums of the part and direction */
} back;

/* The sums of part and direction, behind all else of its scratch. */
static void find_sums(back *b, size_t part)
{
    const recurrent_state *state = b->s->state;
    const size_t sums = line(state->dw) + line(state->dr) + 2 * line(state->gates);
    float *at =
        b->s->scratch + (part + 1) * state->scratch - (size_t)(state->layer.n_dirs - b->dir) * sums;

    b->dw = at;
    b->dr = at + line(state->dw);
    b->dbw = b->dr + line(state->dr);
    b->dbr = b->dbw + line(state->gates);
}

static const float *row_of(const float *p, size_t row, size_t width)
{
    return p ? p + row * width : NULL;
}

/* Step t's states before it: of the first *n_old rows those that another step kept, of the rest the
 * initial ones. */
static size_t previous(const back *b, size_t t, size_t *n_old)
{
    const dpli_packed *p = &b->packed;
    const bool reverse = dpli_recurrent_is_reverse(&b->l, b->dir);

    if (reverse) {
        *n_old = t + 1 < p->n_steps ? dpli_packed_n(p, t + 1) : 0;
        return t + 1 < p->n_steps ? (size_t)p->offsets[t + 1] : 0;
    }
    *n_old = t > 0 ? dpli_packed_n(p, t) : 0;
    return t > 0 ? (size_t)p->offsets[t - 1] : 0;
}

/* dh (and dc) of what the outputs say of step t's states. */
static void add_outputs(const back *b, size_t t, size_t n)
{
    const dpli_tape_step *s = b->s;
    const recurrent_state *state = s->state;
    const dpli_recurrent_io *io = &state->io;
    const size_t h = b->l.hidden;
    const bool reverse = dpli_recurrent_is_reverse(&b->l, b->dir);
    const float *dy = s->out->grad, *dyh = s->more[0] ? s->more[0]->grad : NULL;
    const float *dyc = s->more[1] ? s->more[1]->grad : NULL;
    /* From here on it is their last step in the order of the run. */
    const size_t last = reverse                     ? (t == 0 ? 0 : n)
                        : t + 1 < b->packed.n_steps ? dpli_packed_n(&b->packed, t + 1)
                                                    : 0;

    for (size_t k = last; k < n; k++) {
        const size_t at = (size_t)b->packed.order[k] * io->s_b + (size_t)b->dir * io->s_d;

        if (dyh)
            memcpy(b->dh + k * h, dyh + at, h * sizeof *dyh);
        else
            memset(b->dh + k * h, 0, h * sizeof *b->dh);
        if (dyc)
            memcpy(b->dc + k * h, dyc + at, h * sizeof *dyc);
        else if (b->dc)
            memset(b->dc + k * h, 0, h * sizeof *b->dc);
    }
    for (size_t k = 0; k < n && dy; k++) {
        const float *from =
            dy + t * io->y_t + (size_t)b->packed.order[k] * io->y_b + (size_t)b->dir * io->y_d;

        for (size_t i = 0; i < h; i++)
            b->dh[k * h + i] += from[i];
    }
}

/* Cells and state products of rows from .. to - 1 of step t, whose states before lie at h and c. */
static void back_cells(const back *b, size_t t, size_t from, size_t to, const float *h_prev,
                       const float *c_prev, bool wants_state)
{
    const recurrent_state *state = b->s->state;
    const size_t h = b->l.hidden, row = (size_t)b->packed.offsets[t] + from, n = to - from;
    const float *r = b->l.r + (size_t)b->dir * state->gates * h;
    dpli_cell_back c = {.n_rows = n,
                        .hidden = h,
                        .gates = b->rooms.gates + row * state->gates,
                        .side = b->rooms.side ? b->rooms.side + row * state->side : NULL,
                        .c = row_of(b->rooms.c, row, h),
                        .h_prev = h_prev,
                        .c_prev = c_prev,
                        .dh = b->dh + from * h,
                        .dc = b->dc ? b->dc + from * h : NULL,
                        .ds = b->ds ? b->ds + from * h : NULL};

    if (n == 0)
        return;
    switch (b->l.cell) {
    case DPLI_CELL_LSTM:
        dpli_lstm_back_run(&c);
        if (wants_state)
            dpli_gemm(false, false, n, h, 4 * h, 1.0f, c.gates, 4 * h, r, h, 0.0f, c.dh, h);
        break;
    case DPLI_CELL_GRU_AFTER:
        dpli_gru_back_run(&c);
        if (wants_state)
            dpli_gemm(false, false, n, h, 3 * h, 1.0f, c.side, 3 * h, r, h, 1.0f, c.dh, h);
        break;
    case DPLI_CELL_GRU:
        dpli_gru_finish_back_run(&c);
        dpli_gemm(false, false, n, h, h, 1.0f, c.gates + 2 * h, 3 * h, r + 2 * h * h, h, 0.0f, c.ds,
                  h);
        dpli_gru_reset_back_run(&c);
        if (wants_state)
            dpli_gemm(false, false, n, h, 2 * h, 1.0f, c.gates, 3 * h, r, h, 1.0f, c.dh, h);
        break;
    }
}

/* A sequence's first state, in the order of the run, has its gradient in dh and dc now. */
static void put_initial(const back *b, size_t from, size_t to)
{
    const dpli_tape_step *s = b->s;
    const recurrent_state *state = s->state;
    const size_t h = b->l.hidden;

    for (int32_t i = DPLI_RECURRENT_H; i <= DPLI_RECURRENT_C; i++) {
        float *grad = input(s, i) ? s->in[i]->grad : NULL;
        const float *d = i == DPLI_RECURRENT_H ? b->dh : b->dc;

        for (size_t k = from; k < to && grad && d; k++) {
            float *x =
                grad + (size_t)b->packed.order[k] * state->io.s_b + (size_t)b->dir * state->io.s_d;

            for (size_t e = 0; e < h; e++)
                x[e] += d[k * h + e];
        }
    }
}

/* dR, dW, biases and dx of steps first .. last - 1, whose gates are gradients now. */
static void sum_chunk(const back *b, size_t first, size_t last)
{
    const dpli_tape_step *s = b->s;
    const recurrent_state *state = s->state;
    const dpli_packed *p = &b->packed;
    const size_t h = b->l.hidden, in = b->l.in, width = state->gates;
    const size_t row = (size_t)p->offsets[first], n = (size_t)p->offsets[last] - row;
    const float *dgates = b->rooms.gates + row * width;
    const float *dstate = b->l.cell == DPLI_CELL_GRU_AFTER ? b->rooms.side + row * width : dgates;
    const bool reset_first = b->l.cell == DPLI_CELL_GRU;
    float *dx = s->in[0]->grad;

    if (s->param[DPLI_RECURRENT_R]->grad) {
        for (size_t t = first; t < last; t++) {
            const size_t n_t = dpli_packed_n(p, t);
            float *to = b->h_prev + ((size_t)p->offsets[t] - row) * h;
            size_t n_old, at = previous(b, t, &n_old);

            memcpy(to, b->rooms.h + at * h, n_old * h * sizeof *to);
            if (b->h0)
                memcpy(to + n_old * h, b->h0 + n_old * h, (n_t - n_old) * h * sizeof *to);
            else
                memset(to + n_old * h, 0, (n_t - n_old) * h * sizeof *to);
        }
        dpli_gemm(true, false, reset_first ? 2 * h : width, h, n, 1.0f, dstate, width, b->h_prev, h,
                  1.0f, b->dr, h);
        if (reset_first)
            dpli_gemm(true, false, h, h, n, 1.0f, dgates + 2 * h, width, b->rooms.side + row * h, h,
                      1.0f, b->dr + 2 * h * h, h);
    }
    if (s->param[DPLI_RECURRENT_W]->grad) {
        dpli_packed_gather(p, b->rooms.x, s->in[0]->value, state->io.x_t, state->io.x_b, in, first,
                           last);
        dpli_gemm(true, false, width, in, n, 1.0f, dgates, width, b->rooms.x, in, 1.0f, b->dw, in);
    }
    for (size_t k = 0; k < n && b->l.b; k++) {
        for (size_t i = 0; i < width; i++)
            b->dbw[i] += dgates[k * width + i];
        for (size_t i = 0; i < width && dstate != dgates; i++)
            b->dbr[i] += dstate[k * width + i];
    }
    if (!dx)
        return;
    dpli_gemm(false, false, n, in, width, 1.0f, dgates, width, b->l.w + (size_t)b->dir * state->dw,
              in, 0.0f, b->rooms.x, in);
    for (size_t t = first; t < last; t++) {
        for (size_t k = 0; k < dpli_packed_n(p, t); k++) {
            const float *from = b->rooms.x + ((size_t)p->offsets[t] - row + k) * in;
            float *to = dx + t * state->io.x_t + (size_t)p->order[k] * state->io.x_b;

            if (s->add[0] || b->dir > 0) {
                for (size_t i = 0; i < in; i++)
                    to[i] += from[i];
            } else {
                memcpy(to, from, in * sizeof *to);
            }
        }
    }
}

static void back_direction(back *b)
{
    const dpli_packed *p = &b->packed;
    const size_t h = b->l.hidden, n_steps = p->n_steps;
    const bool reverse = dpli_recurrent_is_reverse(&b->l, b->dir);
    const bool wants_initial =
        (input(b->s, DPLI_RECURRENT_H) && b->s->in[DPLI_RECURRENT_H]->grad) ||
        (input(b->s, DPLI_RECURRENT_C) && b->s->in[DPLI_RECURRENT_C]->grad);
    size_t done = 0; /* steps whose sums are there: from the end, or of a reverse one from 0 */

    for (size_t i = 0; i < n_steps; i++) {
        const size_t t = reverse ? i : n_steps - 1 - i, n = dpli_packed_n(p, t);
        size_t n_old, at = previous(b, t, &n_old), n_rows, n_next;

        add_outputs(b, t, n);
        back_cells(b, t, 0, n_old, b->rooms.h + at * h, row_of(b->rooms.c, at, h), true);
        back_cells(b, t, n_old, n, row_of(b->h0, n_old, h), row_of(b->c0, n_old, h), wants_initial);
        if (wants_initial)
            put_initial(b, n_old, n);
        /* The sums of as many steps as make a chunk. */
        n_rows = (size_t)(reverse ? p->offsets[t + 1] - p->offsets[done]
                                  : p->offsets[n_steps - done] - p->offsets[t]);
        n_next = i + 1 < n_steps ? dpli_packed_n(p, reverse ? t + 1 : t - 1) : b->rooms.chunk_rows;
        if (n_rows + n_next > b->rooms.chunk_rows) {
            sum_chunk(b, reverse ? done : t, reverse ? t + 1 : n_steps - done);
            done = i + 1;
        }
    }
}

static void back_part(void *ctx, int worker, size_t from, size_t to)
{
    const dpli_tape_step *s = ctx;
    const recurrent_state *state = s->state;
    const dpli_recurrent_io io = io_of(s);
    const size_t h = state->layer.hidden;

    (void)worker;
    for (size_t part = from; part < to; part++) {
        back b = {.s = s, .l = layer_of(s)};
        float *at;

        rooms_of(s, part, 0, &b.packed, &b.rooms);
        dpli_packed_make(&b.packed, b.packed.offsets, lengths_of(s), (size_t)s->out->n,
                         state->n_steps, part, state->n_parts);
        if (lengths_of(s) && !s->add[0])
            clear_rows(&b.packed, s->in[0]->grad, io.x_b);
        for (int32_t i = DPLI_RECURRENT_H; i <= DPLI_RECURRENT_C; i++) {
            if (input(s, i) && !s->add[i])
                clear_rows(&b.packed, s->in[i]->grad, io.s_b);
        }
        for (b.dir = 0; b.dir < b.l.n_dirs; b.dir++) {
            at = rooms_of(s, part, b.dir, &b.packed, &b.rooms);
            b.h_prev = at;
            at += line(b.rooms.chunk_rows * h);
            b.dh = at;
            at += line(state->part_seq * h);
            b.dc = b.l.cell == DPLI_CELL_LSTM ? at : NULL;
            at += line(state->part_seq * h);
            b.ds = b.l.cell == DPLI_CELL_GRU ? at : NULL;
            find_sums(&b, part);
            memset(b.dw, 0,
                   (line(state->dw) + line(state->dr) + 2 * line(state->gates)) * sizeof *b.dw);
            b.h0 = dpli_recurrent_initial(&b.packed, b.rooms.h0, io.h0, b.dir, &io, h);
            b.c0 = dpli_recurrent_initial(&b.packed, b.rooms.c0, io.c0, b.dir, &io, h);
            back_direction(&b);
        }
    }
}

/* The parts' sums, in their order. */
static void add_parts(const dpli_tape_step *s)
{
    const recurrent_state *state = s->state;
    const dpli_param *w = s->param[DPLI_RECURRENT_W], *r = s->param[DPLI_RECURRENT_R];
    const dpli_param *bias = s->n_in > DPLI_RECURRENT_B ? s->param[DPLI_RECURRENT_B] : NULL;
    back b = {.s = s};

    for (b.dir = 0; b.dir < state->layer.n_dirs; b.dir++) {
        const size_t d = (size_t)b.dir;

        for (size_t part = 0; part < state->n_parts; part++) {
            const size_t n[4] = {state->dw, state->dr, state->gates, state->gates};
            float *to[4] = {w->grad ? w->grad + d * state->dw : NULL,
                            r->grad ? r->grad + d * state->dr : NULL,
                            bias && bias->grad ? bias->grad + 2 * d * state->gates : NULL,
                            bias && bias->grad ? bias->grad + (2 * d + 1) * state->gates : NULL};
            const float *from[4];

            find_sums(&b, part);
            from[0] = b.dw;
            from[1] = b.dr;
            from[2] = b.dbw;
            from[3] = state->layer.cell == DPLI_CELL_GRU_AFTER ? b.dbr : b.dbw;
            for (size_t i = 0; i < 4; i++) {
                if (to[i])
                    dpli_train_put(s->team, to[i], from[i], n[i], 1.0f, part > 0);
            }
        }
    }
}

static void backward(dpli_tape_step *s)
{
    const recurrent_state *state = s->state;

    dpli_team_run(s->team, state->n_parts, back_part, s);
    add_parts(s);
}

const dpli_trained dpli_recurrent_trained = {
    .state_bytes = sizeof(recurrent_state), .plan = plan, .forward = forward, .backward = backward};
