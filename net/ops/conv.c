/*
 * conv.c - Conv (two dimensions).
 *
 *     out[n, y, x, o] = act(bias[o] + sum_{i, ky, kx} in[n, y sy + ky dy - top, x sx + kx dx -
 * left, i] w[o, i, ky, kx] + residual)
 *
 * Source: ONNX Conv-11.
 */
#include "net/ops/conv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/ops/activation.h"
#include "net/ops/conv_shape.h"
#include "net/ops/conv_train.h"
#include "net/place.h"

typedef struct conv_step {
    dpli_conv conv;
    dpli_act act;
    const float *bias; /* of a narrow one with the weight */
    const void *packed;
    dpli_numbers numbers;
    /* Of a narrow one. */
    int32_t wide_channels;
    dpli_scale out, added, first;
    bool rounded;
} conv_step;

static dpl_status load_conv(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpli_conv_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->groups = 1;
    status = dpli_window_load(g, node, &params->window, err);
    if (status == DPL_OK)
        status = dpli_attr_int(g, node, "group", &params->groups, err);
    return status;
}

bool dpli_conv_take_pads(dpli_node *node, const int64_t pads[4])
{
    dpli_conv_params *params = node->params;

    if (params->window.auto_pad == 1 || params->window.auto_pad == 2)
        return false;
    for (int32_t i = 0; i < 4; i++) {
        if (pads[i] < 0 || params->window.pads[i] + pads[i] > DPLI_MAX_WINDOW)
            return false;
    }
    for (int32_t i = 0; i < 4; i++)
        params->window.pads[i] += pads[i];
    params->window.auto_pad = 0;
    return true;
}

/* The only reader of a node's result, or NULL. */
static dpli_node *sole_reader(dpli_graph *g, const dpli_node *node)
{
    const dpli_value *v = &g->values[node->outputs[0]];

    return v->n_uses == 1 && v->consumer >= 0 ? &g->nodes[v->consumer] : NULL;
}

/* An activation that reads what this convolution's result is rounded to: some quantise both. Its
 * slope, if it has one, in *slope. */
static int32_t find_behind(dpli_graph *g, const dpli_node *node, const dpli_conv *c,
                           const float **slope)
{
    const dpli_node *rounding = node->act.kind == DPLI_ACT_NONE ? sole_reader(g, node) : NULL;
    dpli_node *act =
        rounding && rounding->op->role == DPLI_ROLE_FAKE_QUANTIZE ? sole_reader(g, rounding) : NULL;
    dpl_shape shape;

    if (!act || !dpli_act_settle(g, act))
        return -1;
    if (act->act.kind == DPLI_ACT_PRELU) {
        *slope = dpli_graph_floats(g, act, 1, &shape);
        if (shape.rank < 3 || shape.dims[shape.rank - 3] != c->out_c ||
            dpli_shape_elements(&shape) != c->out_c)
            return -1;
    }
    return (int32_t)(act - g->nodes);
}

/* The weight as a kernel of bytes wants it, where the input is rounded to bytes and the weight is
 * of whole numbers; else nothing is done. */
static dpl_status prepare_bytes(dpli_graph *g, dpli_node *node, const dpli_conv *c,
                                const float *weight, dpl_error *err)
{
    const dpli_value *w = dpli_graph_input(g, node, 1);
    const size_t n_bytes = dpli_bytes_size(c);
    const float *slope = node->slope >= 0 ? g->values[node->slope].data : NULL;

    if (dpli_graph_spend(g, n_bytes, 1, err) != DPL_OK)
        return DPL_E_MEMORY;
    node->narrow = dpli_alloc_aligned(n_bytes, 1, err);
    if (!node->narrow)
        return DPL_E_MEMORY;
    node->behind = find_behind(g, node, c, &slope);
    if (!dpli_bytes_pack(node->narrow, c, weight, w->scales, w->n_scales,
                         dpli_graph_input(g, node, 0)->grid, dpli_graph_floats(g, node, 2, NULL),
                         slope)) {
        free(node->narrow);
        node->narrow = NULL;
    }
    return DPL_OK;
}

static bool is_for_bytes(const dpli_graph *g, const dpli_node *node, const dpli_conv *c)
{
    const dpli_value *w = dpli_graph_input(g, node, 1);

    return g->numbers == DPLI_BYTES && dpli_graph_input(g, node, 0)->grid.scale > 0.0f &&
           w->scales && (w->n_scales == 1 || w->n_scales == c->out_c) && dpli_conv_can_bytes(c);
}

dpl_status dpli_conv_prepare(dpli_graph *g, dpli_node *node, const dpli_conv *c,
                             const float *weight, dpl_error *err)
{
    size_t n;

    if (is_for_bytes(g, node, c)) {
        dpl_status status = prepare_bytes(g, node, c, weight, err);

        if (status != DPL_OK || node->narrow)
            return status;
    }
    if (g->numbers == DPLI_HALVES && dpli_conv_can_narrow(c)) {
        const size_t n_bytes = dpli_narrow_bytes(c);

        if (dpli_graph_spend(g, n_bytes, 1, err) != DPL_OK)
            return DPL_E_MEMORY;
        node->narrow = dpli_alloc_aligned(n_bytes, 1, err);
        if (!node->narrow)
            return DPL_E_MEMORY;
        dpli_narrow_pack(node->narrow, c, weight, dpli_graph_floats(g, node, 2, NULL),
                         node->slope >= 0 ? g->values[node->slope].data : NULL);
        return DPL_OK;
    }
    node->three = g->three && dpli_conv_wants_three(c);
    n = node->three ? dpli_three_floats(c) : dpli_conv_packed_floats(c);
    if (dpli_graph_spend(g, n, sizeof *node->packed, err) != DPL_OK)
        return DPL_E_MEMORY;
    node->packed = dpli_alloc_aligned(n, sizeof *node->packed, err);
    if (!node->packed)
        return DPL_E_MEMORY;
    if (node->three)
        dpli_three_pack(node->packed, c, weight);
    else
        dpli_conv_pack(node->packed, c, weight);
    return DPL_OK;
}

static dpl_status prepare_conv(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    dpl_shape shape;
    const float *weight = dpli_graph_floats(g, node, 1, &shape);
    dpl_status status = dpli_conv_check(g, node, err);
    dpli_conv c;

    if (status != DPL_OK)
        return status;
    c = dpli_conv_of(node->params, &shape);
    return dpli_conv_prepare(g, node, &c, weight, err);
}

static dpli_epilogue epilogue_of(const dpli_step *step)
{
    const conv_step *s = step->params;
    dpli_epilogue epilogue = dpli_tail_epilogue(step, s->bias, &s->act);

    epilogue.wide_channels = s->wide_channels;
    epilogue.out = s->out;
    epilogue.added = s->added;
    epilogue.first = s->first;
    epilogue.rounded = s->rounded;
    return epilogue;
}

static void run_conv_part(const dpli_step *step, void *scratch, size_t from, size_t end)
{
    const conv_step *s = step->params;
    const dpli_epilogue epilogue = epilogue_of(step);

    switch (s->numbers) {
    case DPLI_FLOATS:
        dpli_conv_run_part(&s->conv, step->out, step->in[0], s->packed, &epilogue, scratch, from,
                           end);
        break;
    case DPLI_HALVES:
        dpli_narrow_conv_run_part(&s->conv, step->out, step->in[0], s->packed, &epilogue, scratch,
                                  from, end);
        break;
    case DPLI_BYTES:
        dpli_bytes_conv_run_part(&s->conv, step->out, step->in[0], s->packed, &epilogue, scratch,
                                 from, end);
        break;
    }
}

static void run_conv(const dpli_step *step)
{
    run_conv_part(step, step->scratch, 0, step->n_pieces);
}

static void link_conv(const dpli_step *step, dpli_link *link)
{
    const conv_step *s = step->params;

    *link = (dpli_link){.conv = &s->conv,
                        .packed = s->packed,
                        .epilogue = epilogue_of(step),
                        .numbers = s->numbers};
}

dpl_status dpli_plan_conv(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          const dpli_conv *c, const dpl_shape *shape, const float *bias,
                          dpl_error *err)
{
    dpli_ref in;
    dpli_tail tail;
    dpli_step *step;
    conv_step *s;
    const bool narrow = node->narrow != NULL;
    dpl_status status = narrow ? dpli_narrow_use(p, node, x, &in, err)
                               : dpli_plan_use(p, node, x, DPLI_NHWC, &in, err);

    if (status == DPL_OK)
        status = dpli_plan_tail(p, node, shape, DPLI_NHWC, true, narrow, &tail, err);
    if (status != DPL_OK)
        return status;
    step = dpli_plan_step(p, node, run_conv, sizeof *s, shape, err);
    if (!step)
        return DPL_E_MEMORY;
    step->link = link_conv;
    step->run_part = run_conv_part;
    s = step->params;
    s->conv = narrow ? dpli_conv_narrowed(c) : *c;
    s->conv.three = step->three = node->three;
    s->numbers = step->numbers = narrow ? dpli_plan_graph(p)->numbers : DPLI_FLOATS;
    if (s->numbers == DPLI_BYTES)
        s->conv.outside = (uint8_t)dpli_plan_grid(p, x).zero;
    s->out = tail.out_scale;
    s->added = tail.added;
    s->first = tail.first;
    s->rounded = tail.rounded;
    s->act = tail.act;
    s->bias = bias;
    s->packed = narrow ? node->narrow : node->packed;
    s->wide_channels = narrow && !tail.narrow ? c->out_c : 0;
    step->n_pieces = dpli_conv_units(&s->conv);
    dpli_tail_attach(&tail, step);
    step->in_ref[0] = in;
    step->bias = bias != NULL;
    step->macs =
        (double)dpli_shape_elements(shape) * c->kernel_h * c->kernel_w * c->in_c / c->groups;
    return dpli_plan_scratch(p, step, dpli_conv_scratch_bytes(&s->conv), err);
}

static dpl_status plan_conv(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const dpli_graph *g = dpli_plan_graph(p);
    dpl_shape shape = {.rank = 4};
    dpli_conv c;
    dpli_planned *x;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status == DPL_OK)
        status = dpli_conv_fit(g, node, &c, &x->shape, err);
    if (status != DPL_OK)
        return status;
    shape.dims[0] = c.n;
    shape.dims[1] = c.out_c;
    shape.dims[2] = c.out_h;
    shape.dims[3] = c.out_w;
    return dpli_plan_conv(p, node, x, &c, &shape, dpli_graph_floats(g, node, 2, NULL), err);
}

const dpli_op dpli_ops_conv[] = {
    {"Conv", DPLI_ROLE_CONV, 2, 3, 1, true, load_conv, prepare_conv, plan_conv, &dpli_conv_trained},
    {0},
};
