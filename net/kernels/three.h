/*
 * Products of float32 by three of bfloat16 (geometry.h says how), for the float32 level of
 * processors with AMX, whose matrices are as gemm.h has them.
 */
#ifndef DOPPEL_NET_KERNELS_THREE_H
#define DOPPEL_NET_KERNELS_THREE_H

#include "net/kernels/target.h"

/** Before and after any number of products: back to the state in which a switch of threads has no
 * tiles to save. */
void dpli_three_begin(void);
void dpli_three_end(void);

/** As gemm.h's tile: n_rows rows times all panels of dpli_three_pack. Each sum runs over k in
 * order, a step at a time, whatever the rows beside it. */
void dpli_three_tile(size_t n_rows, const source *s, size_t k, const float *packed,
                     const target *t);

#endif
