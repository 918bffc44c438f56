/*
 * fuse.c - what follows a product becomes part of it: batch norm and constant scale and shift go
 * into weights and bias, zero padding into the window, activations into the epilogue. Residual
 * additions are joined when planning, where shapes are known (dpli_plan_tail).
 *
 * A value is only merged away when one node reads it and it is no output.
 */
#include "net/fuse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/ops/activation.h"
#include "net/ops/batchnorm.h"
#include "net/ops/conv.h"
#include "net/ops/gemm.h"
#include "net/ops/pad.h"
#include "net/ops/pool.h"

static bool is(const dpli_node *node, dpli_role role)
{
    return node->op->role == role;
}

/* The node that makes input i, when nothing else reads that; else NULL. */
static dpli_node *sole_producer(dpli_graph *g, const dpli_node *node, int32_t i)
{
    const dpli_value *v = dpli_graph_input(g, node, i);

    return v && v->producer >= 0 && v->n_uses == 1 ? &g->nodes[v->producer] : NULL;
}

/* The first node takes over the second one's result. */
static void absorb(dpli_graph *g, dpli_node *first, dpli_node *second)
{
    first->outputs[0] = second->outputs[0];
    g->values[first->outputs[0]].producer = (int32_t)(first - g->nodes);
    second->dead = true;
}

/* Output channels of a product with a constant weight; 0 for any other node. */
static int64_t channels_of(const dpli_graph *g, const dpli_node *node)
{
    dpl_shape shape;

    if (is(node, DPLI_ROLE_CONV) && dpli_graph_floats(g, node, 1, &shape) && shape.rank == 4)
        return shape.dims[0];
    if (is(node, DPLI_ROLE_GEMM) && dpli_graph_floats(g, node, 1, &shape) && shape.rank == 2)
        return shape.dims[!dpli_gemm_trans_b(node)];
    if (is(node, DPLI_ROLE_MATMUL) && dpli_graph_floats(g, node, 1, &shape) && shape.rank == 2)
        return shape.dims[1];
    return 0;
}

/* True when a constant of this shape holds one value for each channel of the node's result, whose
 * rank it does not raise. */
static bool is_per_channel(const dpli_node *node, const dpl_shape *shape, int64_t channels)
{
    int32_t rank = is(node, DPLI_ROLE_CONV) ? 4 : is(node, DPLI_ROLE_GEMM) ? 2 : 1;
    int32_t at = shape->rank - (is(node, DPLI_ROLE_CONV) ? 3 : 1);

    return shape->rank <= rank && at >= 0 && shape->dims[at] == channels &&
           dpli_shape_elements(shape) == channels;
}

/* A constant of the node's own, so that it can be changed: input i, or zeros where there is none.
 */
static float *own_constant(dpli_graph *g, dpli_node *node, int32_t i, const dpl_shape *shape,
                           dpl_error *err)
{
    dpli_value *old = dpli_graph_input(g, node, i);
    char *name;
    int32_t id;

    if (old && old->n_uses == 1)
        return old->data;
    name = dpli_asprintf(err, "%s.%s", node->name, i == 1 ? "weight" : "bias");
    if (!name)
        return NULL;
    id = dpli_graph_constant(g, name, DPLI_F32, shape, err);
    free(name);
    if (id < 0)
        return NULL;
    old = dpli_graph_input(g, node, i);
    if (old) {
        memcpy(g->values[id].data, old->data, (size_t)dpli_shape_elements(shape) * sizeof(float));
        old->n_uses--;
    }
    g->values[id].n_uses = 1;
    node->inputs[i] = id;
    return g->values[id].data;
}

/* y = node(x) becomes scale[c] y + shift[c]. */
static dpl_status scale_and_shift(dpli_graph *g, dpli_node *node, int64_t channels,
                                  const float *scale, const float *shift, dpl_error *err)
{
    dpl_shape shape, bias_shape = {1, {channels}};
    bool conv = is(node, DPLI_ROLE_CONV);
    float *weight, *bias;
    int64_t n, inner;

    dpli_graph_floats(g, node, 1, &shape);
    n = dpli_shape_elements(&shape);
    if (node->n_inputs < 3)
        node->n_inputs = 3; /* there is room, and it is -1 */
    bias = own_constant(g, node, 2, &bias_shape, err);
    weight = own_constant(g, node, 1, &shape, err);
    if (!weight || !bias)
        return DPL_E_MEMORY;
    /* Whole numbers no more. */
    free(g->values[node->inputs[1]].scales);
    g->values[node->inputs[1]].scales = NULL;
    if (!conv)
        dpli_gemm_take_bias(node, node->inputs[2]);
    /* The channel is the outermost dimension of the weight, or the innermost. */
    inner = conv || (is(node, DPLI_ROLE_GEMM) && dpli_gemm_trans_b(node)) ? n / channels : 1;
    for (int64_t i = 0; i < n; i++)
        weight[i] *= scale[inner == 1 ? i % channels : i / inner];
    for (int64_t c = 0; c < channels; c++)
        bias[c] = bias[c] * scale[c] + shift[c];
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(weight[i]))
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "scaled weight is not finite");
    }
    return DPL_OK;
}

/* Add, Sub, Mul or Div of input x by constant c, as a scale and a shift; false when it is none. */
static bool read_affine(const dpli_graph *g, const dpli_node *node, const dpli_node *product,
                        int64_t channels, int32_t c, float *scale, float *shift)
{
    dpl_shape shape;
    const float *constant = dpli_graph_floats(g, node, c, &shape);
    bool one = constant && dpli_shape_elements(&shape) == 1 &&
               shape.rank <= (is(product, DPLI_ROLE_CONV)   ? 4
                              : is(product, DPLI_ROLE_GEMM) ? 2
                                                            : 1);

    if (!constant || (!one && !is_per_channel(product, &shape, channels)))
        return false;
    for (int64_t i = 0; i < channels; i++) {
        float v = constant[one ? 0 : i];

        scale[i] = 1.0f;
        shift[i] = 0.0f;
        if (is(node, DPLI_ROLE_ADD))
            shift[i] = v;
        else if (is(node, DPLI_ROLE_MUL))
            scale[i] = v;
        else if (is(node, DPLI_ROLE_SUB) && c == 1)
            shift[i] = -v;
        else if (is(node, DPLI_ROLE_DIV) && c == 1)
            scale[i] = 1.0f / v;
        else
            return false;
        if (!isfinite(scale[i]))
            return false;
    }
    return true;
}

static dpl_status fuse_affine(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int32_t c = dpli_graph_floats(g, node, 0, NULL) ? 0 : 1;
    dpli_node *product = sole_producer(g, node, 1 - c);
    int64_t channels = product ? channels_of(g, product) : 0;
    float *scale = NULL;
    bool fits;
    dpl_status status = DPL_OK;

    if (channels < 1 || product->act.kind != DPLI_ACT_NONE)
        return DPL_OK;
    if (is(product, DPLI_ROLE_CONV)) {
        dpl_shape shape;

        if (dpli_graph_input(g, product, 2) &&
            (!dpli_graph_floats(g, product, 2, &shape) || dpli_shape_elements(&shape) != channels))
            return DPL_OK;
    } else if (!dpli_gemm_can_take_bias(product)) {
        return DPL_OK;
    }
    scale = dpli_alloc((size_t)channels, 2 * sizeof *scale, err);
    if (!scale)
        return DPL_E_MEMORY;
    if (is(node, DPLI_ROLE_NORM)) {
        dpl_shape shape;
        const float *from = dpli_graph_floats(g, node, 1, &shape);

        fits = shape.dims[0] == channels && !is(product, DPLI_ROLE_MATMUL);
        for (int64_t i = 0; fits && i < channels; i++) {
            scale[i] = from[i];
            scale[channels + i] = dpli_graph_floats(g, node, 2, NULL)[i];
        }
    } else {
        fits = read_affine(g, node, product, channels, c, scale, scale + channels);
    }
    if (fits) {
        status = scale_and_shift(g, product, channels, scale, scale + channels, err);
        absorb(g, product, node);
    }
    free(scale);
    return status;
}

static void fuse_padding(dpli_graph *g, dpli_node *node)
{
    dpli_node *pad = sole_producer(g, node, 0);
    int64_t pads[4];

    if (!pad || !dpli_pad_is_zeros(g, pad, pads))
        return;
    if (is(node, DPLI_ROLE_CONV) ? !dpli_conv_take_pads(node, pads)
                                 : !dpli_pool_take_pads(node, pads))
        return;
    node->inputs[0] = pad->inputs[0];
    pad->dead = true;
}

static void fuse_activation(dpli_graph *g, dpli_node *node)
{
    dpli_node *before;

    if (!dpli_act_settle(g, node))
        return;
    before = sole_producer(g, node, 0);
    if (!before || !before->op->takes_act || before->act.kind != DPLI_ACT_NONE)
        return;
    if (node->act.kind == DPLI_ACT_PRELU) {
        int64_t channels = channels_of(g, before);
        dpl_shape shape;

        dpli_graph_floats(g, node, 1, &shape);
        if (channels < 1 || !is_per_channel(before, &shape, channels))
            return;
        before->slope = node->inputs[1];
    }
    before->act = node->act;
    absorb(g, before, node);
}

dpl_status dpli_graph_fuse(dpli_graph *g, dpl_error *err)
{
    /* In order, so that a chain behind a product goes into it link by link. */
    for (int32_t k = 0; k < g->n_nodes; k++) {
        dpli_node *node = &g->nodes[k];
        dpl_status status = DPL_OK;

        if (is(node, DPLI_ROLE_NORM))
            status = dpli_batchnorm_settle(g, node, err);
        else if (is(node, DPLI_ROLE_GEMM))
            status = dpli_gemm_settle(g, node, err);
        else if (is(node, DPLI_ROLE_CONV) || is(node, DPLI_ROLE_MEAN))
            fuse_padding(g, node);
        else
            fuse_activation(g, node);
        if (status == DPL_OK &&
            (is(node, DPLI_ROLE_NORM) || is(node, DPLI_ROLE_ADD) || is(node, DPLI_ROLE_SUB) ||
             is(node, DPLI_ROLE_MUL) || is(node, DPLI_ROLE_DIV)))
            status = fuse_affine(g, node, err);
        if (status != DPL_OK)
            return status;
    }
    dpli_graph_sweep(g);
    return DPL_OK;
}

dpl_status dpli_graph_fold_norms(dpli_graph *g, dpl_error *err)
{
    for (int32_t k = 0; k < g->n_nodes; k++) {
        dpli_node *node = &g->nodes[k];
        dpl_status status = DPL_OK;

        if (!is(node, DPLI_ROLE_NORM))
            continue;
        status = dpli_batchnorm_settle(g, node, err);
        if (status == DPL_OK)
            status = fuse_affine(g, node, err);
        if (status == DPL_OK && !node->dead)
            status = dpli_node_fail(g, node, DPL_E_MODEL, err,
                                    "has no layer before it that could take it in");
        if (status != DPL_OK)
            return status;
    }
    dpli_graph_sweep(g);
    return DPL_OK;
}
