/* A convolution's geometry, which running and training share. */
#ifndef DOPPEL_NET_OPS_CONV_SHAPE_H
#define DOPPEL_NET_OPS_CONV_SHAPE_H

#include "net/kernels.h"
#include "net/ops/window.h"

/* A Conv node's parameters. */
typedef struct dpli_conv_params {
    dpli_window window;
    int64_t groups;
} dpli_conv_params;

/** What packing depends on, for a weight of this shape; the rest is filled in for each picture. */
dpli_conv dpli_conv_of(const dpli_conv_params *params, const dpl_shape *weight);

/** The weight's shape, the bias and the groups fit together; the kernel's size is the weight's. */
dpl_status dpli_conv_check(const dpli_graph *g, const dpli_node *node, dpl_error *err);

/** The geometry for a picture x [n, in_c, h, w]; the node is checked. */
dpl_status dpli_conv_fit(const dpli_graph *g, const dpli_node *node, dpli_conv *c,
                         const dpl_shape *x, dpl_error *err);

#endif
