/* The families of operators: a file each, holding all that the engine does for them. */
#ifndef DOPPEL_NET_OPS_OPS_H
#define DOPPEL_NET_OPS_OPS_H

#include "net/planner.h"

/* Each ends with an entry without a name. */
extern const dpli_op dpli_ops_activation[], dpli_ops_batchnorm[], dpli_ops_binary[],
    dpli_ops_conv[], dpli_ops_gemm[], dpli_ops_move[], dpli_ops_normalize[], dpli_ops_pad[],
    dpli_ops_pool[], dpli_ops_reduce[], dpli_ops_resize[], dpli_ops_shape[];

/* ------------------------------------------------------------------ windows of conv and pool */

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

/* ------------------------------------------------------------------ for other families and fuse.c
 */

/** The shape that two broadcast to. */
dpl_status dpli_broadcast(const dpli_planner *p, const dpli_node *node, const dpl_shape *a,
                          const dpl_shape *b, dpl_shape *out, dpl_error *err);

/** A step for out = a kind b, broadcast to shape. */
dpl_status dpli_plan_binary(dpli_planner *p, const dpli_node *node, dpli_binary_kind kind,
                            dpli_planned *a, dpli_planned *b, const dpl_shape *shape,
                            dpli_order order, dpli_ref out, dpl_error *err);

/** True when the node is an activation of one input, its constants taken in. */
bool dpli_act_settle(dpli_graph *g, dpli_node *node);

/** A step for pooling x; dpli_pool_whole is the mean over a whole picture. */
dpl_status dpli_plan_pool(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_pool *pool, const dpl_shape *shape, dpl_error *err);
dpli_pool dpli_pool_whole(const dpl_shape *shape);

/** Conv and batch norm: pack the weight of c, and a step for c over x. */
dpl_status dpli_conv_prepare(dpli_graph *g, dpli_node *node, const dpli_conv *c,
                             const float *weight, dpl_error *err);
dpl_status dpli_plan_conv(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_conv *c, const dpl_shape *shape, const float *bias,
                          dpl_error *err);

/** Padding with zeros before a convolution or mean pooling: true when it was taken in. The pads are
 * top, left, bottom, right. */
bool dpli_conv_take_pads(dpli_node *node, const int64_t pads[4]);
bool dpli_pool_take_pads(dpli_node *node, const int64_t pads[4]);
/** True when the node is such a padding, its pads known. */
bool dpli_pad_is_zeros(const dpli_graph *g, const dpli_node *node, int64_t pads[4]);

/** Conv: the geometry for a picture x [n, in_c, h, w], all checked. */
dpl_status dpli_conv_fit(const dpli_graph *g, const dpli_node *node, dpli_conv *c,
                         const dpl_shape *x, dpl_error *err);
extern const struct dpli_trained dpli_conv_trained, dpli_gemm_trained;

/** Gemm, MatMul: y = alpha a op(b) + beta c. */
void dpli_gemm_factors(const dpli_node *node, float *alpha, float *beta, bool *trans_a,
                       bool *trans_b);

/** The constant that a Constant node stands for, -1 for any other node. */
int32_t dpli_constant_of(const dpli_node *node);

/** Gemm: make a constant input 2 of one value a column a bias, beta taken in. */
dpl_status dpli_gemm_settle(dpli_graph *g, dpli_node *node, dpl_error *err);
/** Gemm, MatMul: set the bias (a value, or -1); false when input 2 is something else. */
bool dpli_gemm_take_bias(dpli_node *node, int32_t bias);
bool dpli_gemm_trans_b(const dpli_node *node);
/** BatchNormalization: make its five inputs x, scale, shift. */
dpl_status dpli_batchnorm_settle(dpli_graph *g, dpli_node *node, dpl_error *err);

/** Div by its own length, kept from zero, as PyTorch writes F.normalize: make it LpNormalization,
 * which has a gradient. Any other node stays. */
dpl_status dpli_normalize_settle(dpli_graph *g, dpli_node *node, dpl_error *err);

/* ------------------------------------------------------------------ axes */

/** axis + rank where negative; false when out of range. */
bool dpli_axis(int64_t *axis, int32_t rank);

/** A mask of the axes; an error when one is out of range or named twice. */
dpl_status dpli_axes_mask(const dpli_planner *p, const dpli_node *node, const int64_t *axes,
                          int64_t n, int32_t rank, uint32_t *mask, dpl_error *err);

#endif
