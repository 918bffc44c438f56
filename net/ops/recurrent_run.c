/*
 * recurrent_run.c - a recurrent layer over sequences of their own lengths: for plans and for tapes.
 *
 * Sequences are taken longest first, so that the rows of a step that still go on lie at the front:
 * a step is one product over them, and what is padded is never computed. The input's products are
 * made many steps at a time. Source: packing as in PyTorch's packed sequences.
 */
#include "net/ops/recurrent_run.h"

#include <string.h>

#include "net/blas.h"

dpl_status dpli_recurrent_shape(const dpli_graph *g, const dpli_node *node, const dpl_shape *x,
                                const dpl_shape *w, const dpl_shape *r, const dpl_shape *b,
                                dpli_recurrent *l, dpl_error *err)
{
    const dpli_recurrent_params *params = node->params;
    const int64_t gates = (int64_t)dpli_recurrent_gates(params->cell), dirs = params->n_dirs;
    const int64_t hidden = r->rank == 3 ? r->dims[2] : 0;
    char words[3][DPLI_SHAPE_TEXT];

    if (x->rank != 3 || w->rank != 3 || hidden < 1 || hidden > INT32_MAX / 8 ||
        w->dims[0] != dirs || w->dims[1] != gates * hidden || w->dims[2] != x->dims[2] ||
        w->dims[2] < 1 || r->dims[0] != dirs || r->dims[1] != gates * hidden ||
        (params->hidden != 0 && params->hidden != hidden))
        return dpli_node_fail(g, node, DPL_E_ARGUMENT, err,
                              "weights %s and %s do not fit each other or the input, %s",
                              dpli_shape_text(w, words[0]), dpli_shape_text(r, words[1]),
                              dpli_shape_text(x, words[2]));
    if (b && (b->rank != 2 || b->dims[0] != dirs || b->dims[1] != 2 * gates * hidden))
        return dpli_node_fail(g, node, DPL_E_ARGUMENT, err, "bias %s does not fit the weights",
                              dpli_shape_text(b, words[0]));
    *l = (dpli_recurrent){.cell = params->cell,
                          .n_dirs = params->n_dirs,
                          .reverse = params->reverse,
                          .in = (size_t)w->dims[2],
                          .hidden = (size_t)hidden};
    return DPL_OK;
}

/* ------------------------------------------------------------------ packed sequences */

size_t dpli_packed_room(size_t n_seq, size_t n_steps)
{
    return (n_seq + 1) / 2 + n_steps + 2;
}

static size_t length_of(const int64_t *lengths, size_t b, size_t n_steps)
{
    const int64_t n = lengths ? lengths[b] : (int64_t)n_steps;

    return n < 0 ? 0 : (size_t)n > n_steps ? n_steps : (size_t)n;
}

void dpli_packed_make(dpli_packed *p, int64_t *room, const int64_t *lengths, size_t n_seq,
                      size_t n_steps, size_t part, size_t n_parts)
{
    int64_t n_rows = 0;
    size_t n = 0;

    p->offsets = room;
    p->order = (int32_t *)(void *)(room + n_steps + 2);
    p->n_steps = 0;
    /* Counting sort: offsets[n] is first how many sequences are longer than n. */
    memset(p->offsets, 0, (n_steps + 2) * sizeof *p->offsets);
    for (size_t b = 0; b < n_seq; b++)
        p->offsets[length_of(lengths, b, n_steps)]++;
    for (size_t t = n_steps + 1, longer = 0; t-- > 0;) {
        const size_t equal = (size_t)p->offsets[t];

        p->offsets[t] = (int64_t)longer;
        longer += equal;
    }
    for (size_t b = 0; b < n_seq; b++) {
        const size_t at = (size_t)p->offsets[length_of(lengths, b, n_steps)]++;

        if (at % n_parts == part) {
            p->order[at / n_parts] = (int32_t)b;
            n++;
        }
    }
    p->n_seq = n;
    for (size_t t = 0; t <= n_steps; t++) {
        while (n > 0 && length_of(lengths, (size_t)p->order[n - 1], n_steps) <= t)
            n--;
        p->offsets[t] = n_rows;
        n_rows += (int64_t)n;
        if (n > 0)
            p->n_steps = t + 1;
    }
}

void dpli_packed_gather(const dpli_packed *p, float *rows, const float *x, size_t x_t, size_t x_b,
                        size_t width, size_t first, size_t last)
{
    for (size_t t = first; t < last; t++) {
        for (size_t k = 0; k < dpli_packed_n(p, t); k++, rows += width)
            memcpy(rows, x + t * x_t + (size_t)p->order[k] * x_b, width * sizeof *rows);
    }
}

/* ------------------------------------------------------------------ a direction */

/* Room for a part, at a whole line of cache. */
static float *part_of(float *memory, size_t *at, size_t floats)
{
    float *part = memory ? memory + *at : NULL;

    *at += (floats + 15) & ~(size_t)15;
    return floats > 0 ? part : NULL;
}

static size_t lay_out(dpli_recurrent_rooms *rooms, float *memory, const dpli_recurrent *l,
                      size_t n_seq, size_t chunk_rows)
{
    const size_t state = n_seq * l->hidden, side = l->cell == DPLI_CELL_LSTM  ? 0
                                                   : l->cell == DPLI_CELL_GRU ? l->hidden
                                                                              : 3 * l->hidden;
    size_t at = 0;

    rooms->x = part_of(memory, &at, chunk_rows * l->in);
    rooms->gates = part_of(memory, &at, chunk_rows * dpli_recurrent_gates(l->cell) * l->hidden);
    rooms->side = part_of(memory, &at, n_seq * side);
    rooms->h = part_of(memory, &at, state);
    rooms->c = part_of(memory, &at, l->cell == DPLI_CELL_LSTM ? state : 0);
    rooms->h0 = part_of(memory, &at, state);
    rooms->c0 = part_of(memory, &at, l->cell == DPLI_CELL_LSTM ? state : 0);
    rooms->chunk_rows = chunk_rows;
    rooms->keep = false;
    return at;
}

size_t dpli_recurrent_floats(const dpli_recurrent *l, size_t n_seq, size_t chunk_rows)
{
    dpli_recurrent_rooms rooms;

    return lay_out(&rooms, NULL, l, n_seq, chunk_rows);
}

void dpli_recurrent_lay_out(dpli_recurrent_rooms *rooms, float *memory, const dpli_recurrent *l,
                            size_t n_seq, size_t chunk_rows)
{
    lay_out(rooms, memory, l, n_seq, chunk_rows);
}

const float *dpli_recurrent_initial(const dpli_packed *p, float *to, const float *from, int32_t dir,
                                    const dpli_recurrent_io *io, size_t hidden)
{
    if (!from)
        return NULL;
    for (size_t k = 0; k < p->n_seq; k++)
        memcpy(to + k * hidden, from + (size_t)dir * io->s_d + (size_t)p->order[k] * io->s_b,
               hidden * sizeof *to);
    return to;
}

/* The products with h_prev, and the cells. h_prev and c_prev may be NULL for zeros. */
static void run_cells(const dpli_recurrent *l, int32_t dir, dpli_cell_step *s)
{
    const size_t h = l->hidden, gates = dpli_recurrent_gates(l->cell);
    const float *r = l->r + (size_t)dir * gates * h * h;

    if (s->n_rows == 0)
        return;
    s->hidden = h;
    s->bias_w = l->b ? l->b + (size_t)dir * 2 * gates * h : NULL;
    s->bias_r = l->b ? s->bias_w + gates * h : NULL;
    switch (l->cell) {
    case DPLI_CELL_LSTM:
        if (s->h_prev)
            dpli_gemm(false, true, s->n_rows, 4 * h, h, 1.0f, s->h_prev, h, r, h, 1.0f, s->gates,
                      4 * h);
        dpli_lstm_run(s);
        break;
    case DPLI_CELL_GRU_AFTER:
        if (s->h_prev)
            dpli_gemm(false, true, s->n_rows, 3 * h, h, 1.0f, s->h_prev, h, r, h, 0.0f, s->side,
                      3 * h);
        else
            memset(s->side, 0, s->n_rows * 3 * h * sizeof *s->side);
        dpli_gru_run(s);
        break;
    case DPLI_CELL_GRU:
        if (s->h_prev)
            dpli_gemm(false, true, s->n_rows, 2 * h, h, 1.0f, s->h_prev, h, r, h, 1.0f, s->gates,
                      3 * h);
        dpli_gru_reset_run(s);
        if (s->h_prev)
            dpli_gemm(false, true, s->n_rows, h, h, 1.0f, s->side, h, r + 2 * h * h, h, 1.0f,
                      s->gates + 2 * h, 3 * h);
        dpli_gru_finish_run(s);
        break;
    }
}

/* True where x lies as it would be gathered: the steps first, all sequences of one length. */
static bool lies_packed(const dpli_packed *p, const dpli_recurrent_io *io, size_t in)
{
    bool same = io->x_b == in && io->x_t == p->n_seq * in && p->n_steps > 0 &&
                dpli_packed_n(p, p->n_steps - 1) == p->n_seq;

    for (size_t k = 0; k < p->n_seq && same; k++)
        same = p->order[k] == (int32_t)k;
    return same;
}

static const float *rows_from(const float *p, size_t row, size_t width)
{
    return p ? p + row * width : NULL;
}

void dpli_recurrent_forward(const dpli_recurrent *l, int32_t dir, const dpli_packed *p,
                            const dpli_recurrent_io *io, const dpli_recurrent_rooms *rooms)
{
    const bool reverse = dpli_recurrent_is_reverse(l, dir);
    const size_t h = l->hidden, width = dpli_recurrent_gates(l->cell) * h;
    const size_t side_width = l->cell == DPLI_CELL_GRU ? h : 3 * h;
    const float *w = l->w + (size_t)dir * width * l->in;
    const float *h0 = dpli_recurrent_initial(p, rooms->h0, io->h0, dir, io, h);
    const float *c0 = dpli_recurrent_initial(p, rooms->c0, io->c0, dir, io, h);
    const bool in_place = lies_packed(p, io, l->in);
    size_t n_before = 0, at_before = 0; /* rows of the step before, and where they are kept */

    for (size_t first = 0, last; first < p->n_steps; first = last) {
        /* Steps first to last - 1 in the order of the run; low is the least of them in time. */
        size_t n_rows = 0, low;
        const float *x;
        float *products;

        for (last = first; last < p->n_steps; last++) {
            const size_t n = dpli_packed_n(p, reverse ? p->n_steps - 1 - last : last);

            if (last > first && n_rows + n > rooms->chunk_rows)
                break;
            n_rows += n;
        }
        low = reverse ? p->n_steps - last : first;
        products = rooms->gates + (rooms->keep ? (size_t)p->offsets[low] * width : 0);
        x = in_place ? io->x + low * io->x_t : rooms->x;
        if (!in_place)
            dpli_packed_gather(p, rooms->x, io->x, io->x_t, io->x_b, l->in, low,
                               low + last - first);
        dpli_gemm(false, true, n_rows, width, l->in, 1.0f, x, l->in, w, l->in, 0.0f, products,
                  width);
        for (size_t k = first; k < last; k++) {
            const size_t t = reverse ? p->n_steps - 1 - k : k, n = dpli_packed_n(p, t);
            const size_t row = (size_t)(p->offsets[t] - p->offsets[low]);
            const size_t at = rooms->keep ? (size_t)p->offsets[t] : 0;
            /* Those that were there before, then those that begin here. */
            const size_t n_old = n < n_before ? n : n_before;
            float *gates = products + row * width;
            float *side = rooms->side ? rooms->side + at * side_width : NULL;

            for (int begins = 0; begins < 2; begins++) {
                const size_t from = begins ? n_old : 0;
                dpli_cell_step s = {.n_rows = begins ? n - n_old : n_old,
                                    .gates = gates + from * width,
                                    .side = side ? side + from * side_width : NULL,
                                    .h = rooms->h + (at + from) * h,
                                    .c = rooms->c ? rooms->c + (at + from) * h : NULL};

                s.h_prev = begins ? rows_from(h0, from, h) : rooms->h + at_before * h;
                s.c_prev = begins        ? rows_from(c0, from, h)
                           : s.c != NULL ? rooms->c + at_before * h
                                         : NULL;
                run_cells(l, dir, &s);
            }
            for (size_t i = 0; i < n && io->y; i++)
                memcpy(io->y + t * io->y_t + (size_t)p->order[i] * io->y_b + (size_t)dir * io->y_d,
                       rooms->h + (at + i) * h, h * sizeof *io->y);
            /* A sequence's last step: forward where it ends, backward where it began. */
            for (size_t i = reverse              ? (t == 0 ? 0 : n)
                            : t + 1 < p->n_steps ? dpli_packed_n(p, t + 1)
                                                 : 0;
                 i < n; i++) {
                const size_t to = (size_t)p->order[i] * io->s_b + (size_t)dir * io->s_d;

                if (io->yh)
                    memcpy(io->yh + to, rooms->h + (at + i) * h, h * sizeof *io->yh);
                if (io->yc)
                    memcpy(io->yc + to, rooms->c + (at + i) * h, h * sizeof *io->yc);
            }
            n_before = n;
            at_before = at;
        }
    }
}
