/* A recurrent layer, LSTM or GRU: what running it and training it share. */
#ifndef DOPPEL_NET_OPS_RECURRENT_RUN_H
#define DOPPEL_NET_OPS_RECURRENT_RUN_H

#include "net/kernels.h"
#include "net/ops/op.h"

/* Rows whose products with the input are made at once: enough for BLAS to be at its speed, so few
 * that they stay in the second cache. */
#define DPLI_RECURRENT_CHUNK 512

typedef enum dpli_cell {
    DPLI_CELL_LSTM,
    DPLI_CELL_GRU,       /* the reset before the product: linear_before_reset 0 */
    DPLI_CELL_GRU_AFTER, /* behind it: 1, as PyTorch and cuDNN have it */
} dpli_cell;

/* What a node says of itself. */
typedef struct dpli_recurrent_params {
    dpli_cell cell;
    int64_t hidden; /* as the attribute says; 0 where it does not */
    int64_t layout; /* 1: the batch first */
    int32_t n_dirs;
    bool reverse; /* the first direction, of one */
} dpli_recurrent_params;

/* Inputs of a node. */
enum {
    DPLI_RECURRENT_X,
    DPLI_RECURRENT_W,
    DPLI_RECURRENT_R,
    DPLI_RECURRENT_B,
    DPLI_RECURRENT_LENGTHS,
    DPLI_RECURRENT_H,
    DPLI_RECURRENT_C
};

/* A layer's weights, in ONNX's order; gates of an LSTM are i, o, f, g, of a GRU z, r, h. */
typedef struct dpli_recurrent {
    dpli_cell cell;
    int32_t n_dirs;
    bool reverse;
    size_t in, hidden;
    const float *w; /* [n_dirs, gates hidden, in] */
    const float *r; /* [n_dirs, gates hidden, hidden] */
    const float *b; /* [n_dirs, 2 gates hidden]: of w, then of r; or NULL */
} dpli_recurrent;

static inline size_t dpli_recurrent_gates(dpli_cell cell)
{
    return cell == DPLI_CELL_LSTM ? 4 : 3;
}

static inline bool dpli_recurrent_is_reverse(const dpli_recurrent *l, int32_t dir)
{
    return dir > 0 || l->reverse;
}

/** The layer of a node whose weights have these shapes; fails when they do not fit. */
dpl_status dpli_recurrent_shape(const dpli_graph *g, const dpli_node *node, const dpl_shape *x,
                                const dpl_shape *w, const dpl_shape *r, const dpl_shape *b,
                                dpli_recurrent *l, dpl_error *err);

/*
 * Sequences sorted by length, the longest first, their steps one behind another: step t is of the
 * rows from offsets[t], those of the first n(t) sequences. Padding is in no row.
 */
typedef struct dpli_packed {
    size_t n_seq, n_steps; /* the longest sequence's */
    int32_t *order;        /* [n_seq] in the batch */
    int64_t *offsets;      /* [n_steps + 1] */
} dpli_packed;

static inline size_t dpli_packed_n(const dpli_packed *p, size_t t)
{
    return (size_t)(p->offsets[t + 1] - p->offsets[t]);
}

/** int64_t of memory for order and offsets. */
size_t dpli_packed_room(size_t n_seq, size_t n_steps);

/** Every n_parts-th sequence of those sorted, from the one at part on.
 * @param lengths  [n_seq], taken for 0 to n_steps; NULL: all n_steps */
void dpli_packed_make(dpli_packed *p, int64_t *room, const int64_t *lengths, size_t n_seq,
                      size_t n_steps, size_t part, size_t n_parts);

/** rows [n, width] of steps from first to last - 1, from x at t x_t + sequence x_b. */
void dpli_packed_gather(const dpli_packed *p, float *rows, const float *x, size_t x_t, size_t x_b,
                        size_t width, size_t first, size_t last);

/* What comes in and out of a layer, in steps of floats by time, sequence and direction. */
typedef struct dpli_recurrent_io {
    const float *x;
    size_t x_t, x_b;
    const float *h0, *c0; /* or NULL for zeros */
    float *y, *yh, *yc;   /* or NULL */
    size_t y_t, y_b, y_d;
    size_t s_b, s_d; /* of h0, c0, yh, yc */
} dpli_recurrent_io;

/* Where a direction works. For training all rows are kept, else the state. */
typedef struct dpli_recurrent_rooms {
    float *x;     /* [chunk rows, in] */
    float *gates; /* [rows, gates hidden] when they are kept, else of a chunk */
    /* Of all rows when they are kept, else of one step's. */
    float *side;       /* of GRU: [rows, 3 hidden] with the reset behind, [rows, hidden] before */
    float *h, *c;      /* [rows, hidden] */
    float *h0, *c0;    /* [n_seq, hidden] */
    size_t chunk_rows; /* at least n_seq */
    bool keep;         /* for the way back */
} dpli_recurrent_rooms;

/** The floats that rooms with all their parts take. */
size_t dpli_recurrent_floats(const dpli_recurrent *l, size_t n_seq, size_t chunk_rows);
void dpli_recurrent_lay_out(dpli_recurrent_rooms *rooms, float *memory, const dpli_recurrent *l,
                            size_t n_seq, size_t chunk_rows);

/** [n_seq, hidden] in to, in the order of the packed sequences; NULL when from is: zeros. */
const float *dpli_recurrent_initial(const dpli_packed *p, float *to, const float *from, int32_t dir,
                                    const dpli_recurrent_io *io, size_t hidden);

/** A direction of a layer over packed sequences. Padding in y is the caller's to fill. */
void dpli_recurrent_forward(const dpli_recurrent *l, int32_t dir, const dpli_packed *p,
                            const dpli_recurrent_io *io, const dpli_recurrent_rooms *rooms);

#endif
