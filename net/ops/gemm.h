/* Gemm and MatMul. */
#ifndef DOPPEL_NET_OPS_GEMM_H
#define DOPPEL_NET_OPS_GEMM_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_gemm[];

/** Gemm: make a constant input 2 of one value a column a bias, beta taken in. */
dpl_status dpli_gemm_settle(dpli_graph *g, dpli_node *node, dpl_error *err);

/** Gemm, MatMul: whether input 2 is a bias, or free to become one; make this value it. */
bool dpli_gemm_can_take_bias(const dpli_node *node);
void dpli_gemm_take_bias(dpli_node *node, int32_t bias);

bool dpli_gemm_trans_b(const dpli_node *node);

#endif
