/* Resizing. */
#ifndef DOPPEL_NET_OPS_RESIZE_H
#define DOPPEL_NET_OPS_RESIZE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_resize[];

/** Whether its results are numbers of its input. */
bool dpli_resize_is_nearest(const dpli_node *node);

#endif
