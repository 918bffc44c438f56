/* Means, sums and lengths along axes. */
#ifndef DOPPEL_NET_OPS_REDUCE_H
#define DOPPEL_NET_OPS_REDUCE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_reduce[];

#endif
