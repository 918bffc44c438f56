/*
 * pad.c - Pad: constant, reflect, edge; negative pads cut. fuse.c moves zeros before a convolution
 * into it.
 *
 * Source: ONNX Pad-18.
 */
#include "net/ops/pad.h"

#include <string.h>

#include "net/ops/axes.h"
#include "net/ops/window.h"
#include "net/planner.h"

enum { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE };

typedef struct pad_params {
    int32_t mode, n; /* n: of pads, when they are an attribute */
    int64_t pads[2 * DPL_MAX_RANK];
    float value;
} pad_params;

static dpl_status load_pad(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    static const char *const modes[] = {"constant", "reflect", "edge", NULL};
    pad_params *params = dpli_node_params(node, sizeof *params, err);
    dpl_status status;

    if (!params)
        return DPL_E_MEMORY;
    params->n = -1;
    status = dpli_attr_word(g, node, "mode", modes, &params->mode, err);
    if (status != DPL_OK)
        return status;
    if (g->opset >= 11) {
        if (node->n_inputs < 2)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no pads");
        return DPL_OK;
    }
    if (node->n_inputs > 1)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has pads as input before opset 11");
    status = dpli_attr_ints(g, node, "pads", params->pads, 2 * DPL_MAX_RANK, &params->n, err);
    return status == DPL_OK ? dpli_attr_float(g, node, "value", &params->value, err) : status;
}

bool dpli_pad_is_zeros(const dpli_graph *g, const dpli_node *node, int64_t pads[4])
{
    const pad_params *params = node->params;
    const int64_t *all;
    dpl_shape shape;
    const dpli_value *v;
    const float *value = dpli_graph_floats(g, node, 2, &shape);

    if (node->op->role != DPLI_ROLE_PAD || params->mode != PAD_CONSTANT || params->value != 0.0f ||
        (node->n_inputs > 3 && node->inputs[3] >= 0))
        return false;
    all = params->pads;
    if (node->n_inputs > 2 && node->inputs[2] >= 0 &&
        (!value || dpli_shape_elements(&shape) != 1 || *value != 0.0f))
        return false;
    if (g->opset >= 11) {
        v = &g->values[node->inputs[1]];
        if (!v->data || v->type != DPLI_I64 || dpli_shape_elements(&v->shape) != 8)
            return false;
        all = v->data;
    } else if (params->n != 8) {
        return false;
    }
    for (int32_t i = 0; i < 4; i++) {
        pads[i] = all[i < 2 ? i + 2 : i + 4];
        if (all[i < 2 ? i : i + 2] != 0 || pads[i] < 0 || pads[i] > DPLI_MAX_WINDOW)
            return false;
    }
    return true;
}

/* For each dimension of the result, in the order of its memory, where each index comes from: an
 * offset into the input, or -1 for the constant. */
typedef struct pad_step {
    int32_t rank;
    float value;
    int64_t dims[DPL_MAX_RANK];
    size_t first[DPL_MAX_RANK]; /* where a dimension's offsets begin */
    int64_t offsets[];
} pad_step;

static void run_pad(const dpli_step *step)
{
    const pad_step *s = step->params;
    int64_t index[DPL_MAX_RANK] = {0};
    const int64_t *last = s->offsets + s->first[s->rank - 1];
    float *y = step->out;
    int32_t i;

    do {
        const float *row = step->in[0];
        bool outside = false;

        for (i = 0; i < s->rank - 1; i++) {
            int64_t offset = s->offsets[s->first[i] + (size_t)index[i]];

            outside = outside || offset < 0;
            row += outside ? 0 : offset;
        }
        for (int64_t k = 0; k < s->dims[s->rank - 1]; k++)
            *y++ = outside || last[k] < 0 ? s->value : row[last[k]];
        for (i = s->rank - 2; i >= 0; i--) {
            if (++index[i] < s->dims[i])
                break;
            index[i] = 0;
        }
    } while (i >= 0);
}

/* The index that o stands for among n; -1 outside. */
static int64_t source(int64_t o, int64_t n, int32_t mode)
{
    if (o >= 0 && o < n)
        return o;
    if (mode == PAD_CONSTANT)
        return -1;
    if (mode == PAD_EDGE)
        return o < 0 ? 0 : n - 1;
    return o < 0 ? -o : 2 * (n - 1) - o;
}

static dpl_status read_pads(dpli_planner *p, const dpli_node *node, int32_t rank,
                            int64_t begin[DPL_MAX_RANK], int64_t end[DPL_MAX_RANK], dpl_error *err)
{
    const pad_params *params = node->params;
    const int64_t *pads = params->pads, *axes = NULL;
    int64_t n = params->n, n_axes = rank;
    uint32_t mask;
    dpl_status status = DPL_OK;

    if (dpli_plan_in(p, node, 1))
        status = dpli_plan_ints(p, node, 1, &pads, &n, err);
    if (status == DPL_OK && dpli_plan_in(p, node, 3))
        status = dpli_plan_ints(p, node, 3, &axes, &n_axes, err);
    if (status == DPL_OK && axes)
        status = dpli_axes_mask(p, node, axes, n_axes, rank, &mask, err);
    if (status != DPL_OK)
        return status;
    if (n != 2 * n_axes)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "has %lld pads for %lld axes", (long long)n, (long long)n_axes);
    for (int64_t i = 0; i < n_axes; i++) {
        int64_t axis = axes ? axes[i] : i;

        dpli_axis(&axis, rank);
        if (pads[i] < -INT32_MAX || pads[i] > INT32_MAX || pads[i + n_axes] < -INT32_MAX ||
            pads[i + n_axes] > INT32_MAX)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "pads are out of range");
        begin[axis] = pads[i];
        end[axis] = pads[i + n_axes];
    }
    return DPL_OK;
}

static dpl_status plan_pad(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    const pad_params *params = node->params;
    float value = params->value;
    int64_t begin[DPL_MAX_RANK] = {0}, end[DPL_MAX_RANK] = {0}, strides[DPL_MAX_RANK];
    size_t n_offsets = 0;
    dpl_shape shape;
    dpli_planned *x;
    dpli_order order;
    dpli_ref in, out;
    dpli_step *step;
    pad_step *s;
    dpl_status status = dpli_plan_float(p, node, 0, &x, err);

    if (status == DPL_OK)
        status = read_pads(p, node, x->shape.rank, begin, end, err);
    if (status == DPL_OK)
        status = dpli_plan_scalar(p, node, 2, &value, err);
    if (status != DPL_OK)
        return status;
    shape = x->shape;
    for (int32_t i = 0; i < shape.rank; i++) {
        int64_t n = x->shape.dims[i];

        if (params->mode == PAD_REFLECT && (begin[i] >= n || end[i] >= n))
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                                  "pads reflect more than there is");
        shape.dims[i] = n + begin[i] + end[i];
    }
    order = dpli_plan_order(x);
    if (shape.rank == 0 || dpli_shape_equal(&shape, &x->shape)) {
        bool moves = false;

        for (int32_t i = 0; i < shape.rank; i++)
            moves = moves || begin[i] != 0;
        if (!moves)
            return dpli_plan_alias(p, node, 0, x, order, &shape, order, err);
    }
    status = dpli_plan_use(p, node, x, order, &in, err);
    if (status == DPL_OK)
        status = dpli_plan_out(p, node, 0, &shape, order, &out, err);
    if (status != DPL_OK)
        return status;
    /* The result fits the arena, so the sum of its dimensions is far from overflow. */
    for (int32_t i = 0; i < shape.rank; i++)
        n_offsets += (size_t)shape.dims[i];
    step =
        dpli_plan_step(p, node, run_pad, sizeof *s + n_offsets * sizeof s->offsets[0], &shape, err);
    if (!step)
        return DPL_E_MEMORY;
    s = step->params;
    s->rank = shape.rank;
    s->value = value;
    dpli_strides(&x->shape, order, strides);
    n_offsets = 0;
    for (int32_t i = 0; i < shape.rank; i++) {
        int32_t d = shape.rank == 4 && order == DPLI_NHWC ? nhwc[i] : i;

        s->dims[i] = shape.dims[d];
        s->first[i] = n_offsets;
        for (int64_t o = 0; o < shape.dims[d]; o++) {
            int64_t from = source(o - begin[d], x->shape.dims[d], params->mode);

            s->offsets[n_offsets++] = from < 0 ? -1 : from * strides[d];
        }
    }
    step->in_ref[0] = in;
    step->out_ref = out;
    return DPL_OK;
}

const dpli_op dpli_ops_pad[] = {
    {"Pad", DPLI_ROLE_PAD, 1, 4, 1, false, load_pad, NULL, plan_pad, NULL},
    {0},
};
