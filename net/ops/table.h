/* All operators, by name. */
#ifndef DOPPEL_NET_OPS_TABLE_H
#define DOPPEL_NET_OPS_TABLE_H

#include "net/ops/op.h"

/** The operator of this name, or NULL. */
const dpli_op *dpli_op_find(const char *name);

#endif
