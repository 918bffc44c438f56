/* What gives elements another shape, and what makes constants. */
#ifndef DOPPEL_NET_OPS_SHAPE_H
#define DOPPEL_NET_OPS_SHAPE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_shape[];

/** The constant that a Constant node stands for, -1 for any other node. */
int32_t dpli_constant_of(const dpli_node *node);

#endif
