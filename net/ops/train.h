/* What the training halves of the operators share; net/tape.h says what they are. */
#ifndef DOPPEL_NET_OPS_TRAIN_H
#define DOPPEL_NET_OPS_TRAIN_H

#include "base/cpu.h"
#include "net/kernels/product.h"
#include "net/ops/walk.h"
#include "net/tape.h"

/** t takes the shape of x. */
static inline void dpli_train_as(dpli_tensor *t, const dpli_tensor *x)
{
    t->shape = x->shape;
    t->batch_axis = x->batch_axis;
    t->picture = x->picture;
    t->n = x->n;
    t->h = x->h;
    t->w = x->w;
    t->c = x->c;
}

/** The dimension that is the channels: the second of pictures, else the last but the batch. */
static inline int32_t dpli_train_channel_axis(const dpli_tensor *x)
{
    const int32_t last = x->shape.rank - 1;

    return x->picture ? 1 : last > 0 && x->batch_axis == last ? last - 1 : last;
}

/** t takes the shape of x, and its memory. */
static inline void dpli_train_alias(dpli_tensor *t, dpli_tensor *x)
{
    dpli_train_as(t, x);
    t->type = x->type;
    t->root = x;
}

/** True when a constant of this shape holds one value a channel of x, broadcast as ONNX does: [c],
 * [1, c] against another rank; [c, 1, 1], [1, c, 1, 1] against rank 4. */
bool dpli_train_per_channel(const dpl_shape *shape, const dpli_tensor *x);

/** to = scale from, or to += scale from: n floats, by the whole team. */
void dpli_train_put(dpli_team *team, float *to, const float *from, size_t n, float scale, bool add);

/** Operators that hand a value on: out = in[0], of the same number of floats. */
dpl_status dpli_train_same_plan(const dpli_graph *g, dpli_tape_step *s, dpl_error *err);
void dpli_train_same_forward(dpli_tape_step *s);
void dpli_train_same_backward(dpli_tape_step *s);

/** Fails unless input 0 is a tensor, computed, of floats or integers. */
dpl_status dpli_train_need_any(const dpli_graph *g, const dpli_tape_step *s, dpl_error *err);

/** Where nothing is to be done: no gradient passes, or the memory is the input's. */
void dpli_train_no_backward(dpli_tape_step *s);

/* Floats of scratch that dpli_train_product wants of each worker, 64-byte aligned. */
static inline size_t dpli_train_product_floats(const dpli_tape_step *s)
{
    return s->narrow ? DPLI_PRODUCT_BYTES / sizeof(float) : 0;
}

/** A product as the step has it: in float32, or rounded to bfloat16 (dpli_tape_options). */
void dpli_train_product(const dpli_tape_step *s, const dpli_product *p, float *scratch);

/* ------------------------------------------------------------------ any shapes */

/* An operand as it lies in memory, by ONNX's dimensions. */
typedef struct dpli_view {
    dpl_shape shape;
    int64_t strides[DPL_MAX_RANK];
    int32_t batch_axis; /* -1 of a constant */
    dpli_type type;
} dpli_view;

dpli_view dpli_train_view_of(const dpli_tensor *t);

/** Input i, computed or constant; false when it is left out, or a constant without data. */
bool dpli_train_view(const dpli_graph *g, const dpli_tape_step *s, int32_t i, dpli_view *v);

/** The elements of input i: floats, or int64_t. */
const void *dpli_train_elements(const dpli_tape_step *s, const dpli_graph *g, int32_t i);

/** The tensor that views broadcast to, the batch where theirs is; fails when they do not fit
 * together or their batches are different dimensions. */
dpl_status dpli_train_broadcast(const dpli_graph *g, const dpli_tape_step *s, int32_t n,
                                const dpli_view *views, dpli_tensor *out, dpl_error *err);

/* A walk over an item of a tensor, by several values; and how far each steps from an item to the
 * next: 0 for constants. */
typedef struct dpli_items {
    dpli_walk walk;
    int64_t batch[DPLI_WALK_VALUES];
} dpli_items;

/** In the order of t's memory; strides are by its dimensions. */
void dpli_items_make(dpli_items *w, const dpli_tensor *t, int32_t n_values,
                     const int64_t (*strides)[DPL_MAX_RANK]);

/** A walk over out's items by out itself and by views that broadcast to it. */
void dpli_items_over(dpli_items *w, const dpli_tensor *out, int32_t n, const dpli_view *views);

/* Operators that only move elements: out's element is the one of in[0] that offset and strides by
 * out's dimensions lead to, 0 where it is repeated. The state of a step, filled in by its plan. */
typedef struct dpli_train_move {
    dpli_items items; /* by out, by in[0] */
    int64_t offset;
} dpli_train_move;

void dpli_train_move_forward(dpli_tape_step *s);
void dpli_train_move_backward(dpli_tape_step *s);

#endif
