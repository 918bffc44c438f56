/* Padding. */
#ifndef DOPPEL_NET_OPS_PAD_H
#define DOPPEL_NET_OPS_PAD_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_pad[];

/** True when the node is a padding of pictures with zeros, its pads (top, left, bottom, right)
 * known. */
bool dpli_pad_is_zeros(const dpli_graph *g, const dpli_node *node, int64_t pads[4]);

#endif
