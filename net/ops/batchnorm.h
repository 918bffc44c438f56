/* Batch normalization. */
#ifndef DOPPEL_NET_OPS_BATCHNORM_H
#define DOPPEL_NET_OPS_BATCHNORM_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_batchnorm[];

/** Make its five inputs x, scale, shift. */
dpl_status dpli_batchnorm_settle(dpli_graph *g, dpli_node *node, dpl_error *err);

#endif
