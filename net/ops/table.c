/*
 * table.c - the table of operators: a family a file. What operators share among themselves is not
 * here, so that each file stands on what is below it.
 */
#include "net/ops/table.h"

#include <string.h>

#include "net/ops/activation.h"
#include "net/ops/batchnorm.h"
#include "net/ops/binary.h"
#include "net/ops/compare.h"
#include "net/ops/conv.h"
#include "net/ops/gemm.h"
#include "net/ops/move.h"
#include "net/ops/normalize.h"
#include "net/ops/pad.h"
#include "net/ops/pick.h"
#include "net/ops/pool.h"
#include "net/ops/recurrent.h"
#include "net/ops/reduce.h"
#include "net/ops/resize.h"
#include "net/ops/shape.h"

const dpli_op *dpli_op_find(const char *name)
{
    static const dpli_op *const families[] = {
        dpli_ops_activation, dpli_ops_batchnorm, dpli_ops_binary, dpli_ops_compare,
        dpli_ops_conv,       dpli_ops_gemm,      dpli_ops_move,   dpli_ops_normalize,
        dpli_ops_pad,        dpli_ops_pick,      dpli_ops_pool,   dpli_ops_recurrent,
        dpli_ops_reduce,     dpli_ops_resize,    dpli_ops_shape};

    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (const dpli_op *op = families[i]; op->name; op++) {
            if (strcmp(op->name, name) == 0)
                return op;
        }
    }
    return NULL;
}
