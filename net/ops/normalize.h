/* What divides along one axis. */
#ifndef DOPPEL_NET_OPS_NORMALIZE_H
#define DOPPEL_NET_OPS_NORMALIZE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_normalize[];

/** Div by its own length, kept from zero, as PyTorch writes F.normalize: make it LpNormalization,
 * which has a gradient. Any other node stays. */
dpl_status dpli_normalize_settle(dpli_graph *g, dpli_node *node, dpl_error *err);

#endif
