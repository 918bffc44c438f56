/* The windows of convolution and pooling. */
#ifndef DOPPEL_NET_OPS_WINDOW_H
#define DOPPEL_NET_OPS_WINDOW_H

#include "net/graph.h"

/* Above any use, and small enough that sums and products of them stay far from overflow. */
#define DPLI_MAX_WINDOW 65536

typedef struct dpli_window {
    int64_t kernel[2], stride[2], dilation[2];
    int64_t pads[4];  /* top, left, bottom, right */
    int32_t auto_pad; /* 0 as in pads, 1 same upper, 2 same lower, 3 none */
    bool has_kernel;
    int64_t ceil_mode;
} dpli_window;

/** Read kernel_shape, strides, dilations, pads and auto_pad. */
dpl_status dpli_window_load(const dpli_graph *g, dpli_node *node, dpli_window *w, dpl_error *err);

/** Output's size and the pads in force for a picture of [h, w]. */
dpl_status dpli_window_fit(const dpli_graph *g, const dpli_node *node, const dpli_window *w,
                           const int64_t in[2], int64_t out[2], int64_t pads[4], dpl_error *err);

#endif
