/* GatherND, Trilu. */
#ifndef DOPPEL_NET_OPS_PICK_H
#define DOPPEL_NET_OPS_PICK_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_pick[];

#endif
