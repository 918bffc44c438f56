/* Convolution. */
#ifndef DOPPEL_NET_OPS_CONV_H
#define DOPPEL_NET_OPS_CONV_H

#include "net/ops/op.h"
#include "net/planner.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_conv[];

/** Conv and batch norm: pack the weight of c, and a step for c over x. */
dpl_status dpli_conv_prepare(dpli_graph *g, dpli_node *node, const dpli_conv *c,
                             const float *weight, dpl_error *err);
dpl_status dpli_plan_conv(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_conv *c, const dpl_shape *shape, const float *bias,
                          dpl_error *err);

/** Padding with zeros before it: true when it was taken in. The pads are top, left, bottom, right.
 */
bool dpli_conv_take_pads(dpli_node *node, const int64_t pads[4]);

#endif
