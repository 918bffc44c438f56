/*
 * batchnorm.c - BatchNormalization.
 *
 *     y = (x - mean[c]) / sqrt(variance[c] + epsilon) gamma[c] + beta[c]
 *
 * For inference the running averages make it y = x scale[c] + shift[c], which fuse.c takes into the
 * product before it; one that nothing took in is a depthwise 1x1 convolution.
 * Source: ONNX BatchNormalization-15; Ioffe and Szegedy 2015.
 */
#include <math.h>

#include "vision/ops/ops.h"

typedef struct batchnorm_params {
    float epsilon;
    float momentum; /* of training only */
} batchnorm_params;

static dpl_status load_batchnorm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    batchnorm_params *params = dpli_node_params(node, sizeof *params, err);
    int64_t training = 0, spatial = 1;
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->epsilon = 1e-5f;
    params->momentum = 0.9f;
    status = dpli_attr_float(g, node, "epsilon", &params->epsilon, err);
    if (status == DPL_OK)
        status = dpli_attr_float(g, node, "momentum", &params->momentum, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "training_mode", &training, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "spatial", &spatial, err);
    if (status != DPL_OK)
        return status;
    if (training != 0 || spatial != 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "training mode and spatial 0 are not supported");
    return DPL_OK;
}

dpl_status dpli_batchnorm_settle(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    float epsilon = ((const batchnorm_params *)node->params)->epsilon;
    const float *in[5];
    float *made[2];
    dpl_shape shape[5];
    int32_t ids[2];

    for (int32_t i = 1; i < 5; i++) {
        in[i] = dpli_graph_floats(g, node, i, &shape[i]);
        if (!in[i])
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "input %d is not a float constant",
                                  (int)i);
        if (shape[i].rank != 1 || !dpli_shape_equal(&shape[i], &shape[1]) || shape[i].dims[0] < 1 ||
            shape[i].dims[0] > INT32_MAX)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "constants do not fit together");
    }
    for (int32_t i = 0; i < 2; i++) {
        ids[i] = dpli_graph_constant(g, i ? "shift" : "scale", DPLI_F32, &shape[1], err);
        if (ids[i] < 0)
            return DPL_E_MEMORY;
        g->values[ids[i]].n_uses = 1;
        made[i] = g->values[ids[i]].data;
    }
    for (int64_t c = 0; c < shape[1].dims[0]; c++) {
        double scale = (double)in[1][c] / sqrt((double)in[4][c] + (double)epsilon);

        made[0][c] = (float)scale;
        made[1][c] = (float)((double)in[2][c] - (double)in[3][c] * scale);
        if (!isfinite(made[0][c]) || !isfinite(made[1][c]))
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "channel %lld is not finite",
                                  (long long)c);
    }
    node->inputs[1] = ids[0];
    node->inputs[2] = ids[1];
    node->n_inputs = 3;
    return DPL_OK;
}

static dpl_status prepare_batchnorm(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_shape shape;
    const float *scale = dpli_graph_floats(g, node, 1, &shape);
    dpli_conv c = {.in_c = (int32_t)shape.dims[0],
                   .out_c = (int32_t)shape.dims[0],
                   .kernel_h = 1,
                   .kernel_w = 1,
                   .stride_h = 1,
                   .stride_w = 1,
                   .dilation_h = 1,
                   .dilation_w = 1,
                   .groups = (int32_t)shape.dims[0]};

    return dpli_conv_prepare(g, node, &c, scale, err);
}

static dpl_status plan_batchnorm(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_graph *g = dpli_plan_graph(p);
    int32_t channels = (int32_t)g->values[node->inputs[1]].shape.dims[0];
    dpli_planned *x;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);
    dpli_conv c = {.in_c = channels,
                   .out_c = channels,
                   .kernel_h = 1,
                   .kernel_w = 1,
                   .stride_h = 1,
                   .stride_w = 1,
                   .dilation_h = 1,
                   .dilation_w = 1,
                   .groups = channels};

    if (status != DPL_OK)
        return status;
    if ((x->shape.rank != 4 && x->shape.rank != 2) || x->shape.dims[1] != channels) {
        char words[DPLI_SHAPE_TEXT];

        return dpli_node_fail(g, node, DPL_E_ARGUMENT, err,
                              "input of %s is not of rank 2 or 4 with %d channels",
                              dpli_shape_text(&x->shape, words), (int)channels);
    }
    c.n = (int32_t)x->shape.dims[0];
    c.in_h = c.out_h = x->shape.rank == 4 ? (int32_t)x->shape.dims[2] : 1;
    c.in_w = c.out_w = x->shape.rank == 4 ? (int32_t)x->shape.dims[3] : 1;
    return dpli_plan_conv(p, node, x, &c, &x->shape, dpli_graph_floats(g, node, 2, NULL), err);
}

const dpli_op dpli_ops_batchnorm[] = {
    {"BatchNormalization", 5, 5, 1, true, load_batchnorm, prepare_batchnorm, plan_batchnorm, NULL},
    {0},
};
