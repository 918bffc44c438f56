/* What gives elements another shape, and what makes constants. */
#ifndef DOPPEL_NET_OPS_SHAPE_H
#define DOPPEL_NET_OPS_SHAPE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_shape[];

/** The constant that a Constant node stands for, -1 for any other node. */
int32_t dpli_constant_of(const dpli_node *node);

/** What a Shape node says of a value of this shape, to dims; how many, -1 of any other node. */
int32_t dpli_shape_of(const dpli_node *node, const dpl_shape *x, int64_t dims[DPL_MAX_RANK]);

#endif
