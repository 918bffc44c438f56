/* Equal, Less, LessOrEqual, Greater, GreaterOrEqual, IsNaN, And, Or, Xor, Not, Where. */
#ifndef DOPPEL_NET_OPS_COMPARE_H
#define DOPPEL_NET_OPS_COMPARE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_compare[];

typedef enum dpli_compare_kind {
    DPLI_EQUAL,
    DPLI_LESS,
    DPLI_LESS_EQUAL,
    DPLI_GREATER,
    DPLI_GREATER_EQUAL,
    DPLI_IS_NAN,
    DPLI_AND,
    DPLI_OR,
    DPLI_XOR,
    DPLI_NOT
} dpli_compare_kind;

#endif
