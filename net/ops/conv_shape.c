/* conv_shape.c - what a Conv node's attributes, weight and input say together. */
#include "net/ops/conv_shape.h"

dpli_conv dpli_conv_of(const dpli_conv_params *params, const dpl_shape *weight)
{
    return (dpli_conv){.in_c = (int32_t)(weight->dims[1] * params->groups),
                       .out_c = (int32_t)weight->dims[0],
                       .kernel_h = (int32_t)weight->dims[2],
                       .kernel_w = (int32_t)weight->dims[3],
                       .stride_h = (int32_t)params->window.stride[0],
                       .stride_w = (int32_t)params->window.stride[1],
                       .dilation_h = (int32_t)params->window.dilation[0],
                       .dilation_w = (int32_t)params->window.dilation[1],
                       .groups = (int32_t)params->groups};
}

dpl_status dpli_conv_check(const dpli_graph *g, const dpli_node *node, dpl_error *err)
{
    dpli_conv_params *params = node->params;
    dpl_shape shape, bias_shape;
    const float *weight = dpli_graph_floats(g, node, 1, &shape);
    const float *bias = dpli_graph_floats(g, node, 2, &bias_shape);

    if (!weight || (dpli_graph_input(g, node, 2) && !bias))
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "weight or bias is not a float constant");
    if (shape.rank != 4)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "weight has rank %d; only two-dimensional convolution is supported",
                              (int)shape.rank);
    for (int32_t i = 0; i < 4; i++) {
        if (shape.dims[i] < 1 || shape.dims[i] > INT32_MAX)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "weight is empty or too large");
    }
    if (params->groups < 1 || shape.dims[0] % params->groups != 0 ||
        shape.dims[1] > INT32_MAX / params->groups)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "%lld groups do not fit a weight of %lld output channels",
                              (long long)params->groups, (long long)shape.dims[0]);
    if (params->window.has_kernel &&
        (params->window.kernel[0] != shape.dims[2] || params->window.kernel[1] != shape.dims[3]))
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "kernel_shape is not the weight's");
    if (shape.dims[2] > DPLI_MAX_WINDOW || shape.dims[3] > DPLI_MAX_WINDOW)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "kernel is too large");
    if (bias && dpli_shape_elements(&bias_shape) != shape.dims[0])
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "bias does not fit the weight");
    params->window.kernel[0] = shape.dims[2];
    params->window.kernel[1] = shape.dims[3];
    return DPL_OK;
}

dpl_status dpli_conv_fit(const dpli_graph *g, const dpli_node *node, dpli_conv *c,
                         const dpl_shape *x, dpl_error *err)
{
    const dpli_conv_params *params = node->params;
    int64_t in[2], out[2], pads[4];
    dpl_status status;

    *c = dpli_conv_of(params, &g->values[node->inputs[1]].shape);
    if (x->rank != 4 || x->dims[1] != c->in_c) {
        char words[DPLI_SHAPE_TEXT];

        return dpli_node_fail(g, node, DPL_E_ARGUMENT, err,
                              "input of %s does not fit a weight for %d channels",
                              dpli_shape_text(x, words), (int)c->in_c);
    }
    in[0] = x->dims[2];
    in[1] = x->dims[3];
    status = dpli_window_fit(g, node, &params->window, in, out, pads, err);
    if (status != DPL_OK)
        return status;
    c->n = (int32_t)x->dims[0];
    c->in_h = (int32_t)in[0];
    c->in_w = (int32_t)in[1];
    c->out_h = (int32_t)out[0];
    c->out_w = (int32_t)out[1];
    c->pad_top = (int32_t)pads[0];
    c->pad_left = (int32_t)pads[1];
    return DPL_OK;
}
