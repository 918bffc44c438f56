/*
 * Where the elements of a dense value lie, and moving them from one order to another.
 *
 * A value of rank 4 lies in one of two orders: plain (ONNX's N, C, H, W) or NHWC; all others are
 * plain, row after row.
 */
#ifndef DOPPEL_NET_LAYOUT_H
#define DOPPEL_NET_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/net.h"

typedef enum dpli_order { DPLI_PLAIN = 0, DPLI_NHWC = 1 } dpli_order;

/** Element strides of a dense value, in ONNX's order of dimensions. */
void dpli_strides(const dpl_shape *shape, dpli_order order, int64_t strides[DPL_MAX_RANK]);

/* to[to_offset + i.to] = from[from_offset + i.from] for all i in dims; strides in elements. */
typedef struct dpli_move {
    int32_t rank;
    int64_t dims[DPL_MAX_RANK], to[DPL_MAX_RANK], from[DPL_MAX_RANK];
    int64_t to_offset, from_offset;
} dpli_move;

/** Drop dimensions of one and join those that lie behind one another. */
void dpli_move_join(dpli_move *m);

/** element_bytes is 4 or 8. */
void dpli_move_run(const dpli_move *m, void *to, const void *from, size_t element_bytes);

#endif
