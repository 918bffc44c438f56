/* Axes as ONNX gives them, and what Shape says. */
#ifndef DOPPEL_NET_OPS_AXES_H
#define DOPPEL_NET_OPS_AXES_H

#include "net/planner.h"

/** axis + rank where negative; false when out of range. */
bool dpli_axis(int64_t *axis, int32_t rank);

/** A mask of the axes; an error when one is out of range or named twice. */
dpl_status dpli_axes_mask(const dpli_planner *p, const dpli_node *node, const int64_t *axes,
                          int64_t n, int32_t rank, uint32_t *mask, dpl_error *err);

/** What a Shape node says of a value of this shape, to dims; how many, -1 of any other node. Its
 * parameters are the first dimension and the one behind the last, as the node gives them. */
int32_t dpli_shape_of(const dpli_node *node, const dpl_shape *x, int64_t dims[DPL_MAX_RANK]);

#endif
