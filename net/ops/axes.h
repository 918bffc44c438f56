/* Axes as ONNX gives them. */
#ifndef DOPPEL_NET_OPS_AXES_H
#define DOPPEL_NET_OPS_AXES_H

#include "net/planner.h"

/** axis + rank where negative; false when out of range. */
bool dpli_axis(int64_t *axis, int32_t rank);

/** A mask of the axes; an error when one is out of range or named twice. */
dpl_status dpli_axes_mask(const dpli_planner *p, const dpli_node *node, const int64_t *axes,
                          int64_t n, int32_t rank, uint32_t *mask, dpl_error *err);

#endif
