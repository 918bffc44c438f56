/* Add, Sub, Mul, Div, Pow, Max, Min. */
#ifndef DOPPEL_NET_OPS_BINARY_H
#define DOPPEL_NET_OPS_BINARY_H

#include "net/kernels.h"
#include "net/ops/op.h"
#include "net/planner.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_binary[];

/** The shape that two broadcast to. */
dpl_status dpli_broadcast(const dpli_planner *p, const dpli_node *node, const dpl_shape *a,
                          const dpl_shape *b, dpl_shape *out, dpl_error *err);

/** A step for out = a kind b, broadcast to shape. */
dpl_status dpli_plan_binary(dpli_planner *p, const dpli_node *node, dpli_binary_kind kind,
                            dpli_planned *a, dpli_planned *b, const dpl_shape *shape,
                            dpli_order order, dpli_ref out, dpl_error *err);

#endif
