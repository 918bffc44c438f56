/* What the training halves of the operators share; net/tape.h says what they are. */
#ifndef DOPPEL_NET_OPS_TRAIN_H
#define DOPPEL_NET_OPS_TRAIN_H

#include "base/cpu.h"
#include "net/tape.h"

/** t takes the shape of x. */
static inline void dpli_train_as(dpli_tensor *t, const dpli_tensor *x)
{
    t->shape = x->shape;
    t->n = x->n;
    t->h = x->h;
    t->w = x->w;
    t->c = x->c;
}

/** The dimension that is the channels: the second of pictures, else the last. */
static inline int32_t dpli_train_channel_axis(const dpli_tensor *x)
{
    return x->shape.rank == 4 ? 1 : x->shape.rank - 1;
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

#endif
