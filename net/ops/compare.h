/* Equal, Less, LessOrEqual, Greater, GreaterOrEqual, IsNaN, And, Or, Xor, Not, Where. */
#ifndef DOPPEL_NET_OPS_COMPARE_H
#define DOPPEL_NET_OPS_COMPARE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_compare[];

#endif
