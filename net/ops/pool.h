/* Pooling. */
#ifndef DOPPEL_NET_OPS_POOL_H
#define DOPPEL_NET_OPS_POOL_H

#include "net/ops/op.h"
#include "net/planner.h"
#include "net/tape.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_pool[];

/** A step for pooling x; dpli_pool_whole is the mean over a whole picture. */
dpl_status dpli_plan_pool(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_pool *pool, const dpl_shape *shape, dpl_error *err);
dpli_pool dpli_pool_whole(const dpl_shape *shape);

/** Padding with zeros before a mean: true when it was taken in. The pads are top, left, bottom,
 * right. */
bool dpli_pool_take_pads(dpli_node *node, const int64_t pads[4]);

/** Of a step whose state is a dpli_pool. */
void dpli_train_pool_forward(dpli_tape_step *s);
void dpli_train_pool_backward(dpli_tape_step *s);

#endif
