/*
 * quantize.c - passes over a graph of quantised values, as onnxruntime's quantize_static writes
 * them in either of its forms: between QuantizeLinear and DequantizeLinear, or by operators among
 * them (QLinearConv, …), which are written out as the first. So what follows knows float32 only,
 * and FakeQuantize, which rounds it.
 */
#include "net/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/ops/quantize.h"
#include "net/ops/resize.h"
#include "net/ops/table.h"

/* ------------------------------------------------------------------ written out */

typedef struct form {
    const char *name, *op; /* the operator's among quantised values, and over float32 */
    int32_t n_operands;    /* each a value, its scale, its zero */
    int32_t result;        /* the input that is the result's scale, before its zero */
    int32_t bias;          /* the input that is one, or -1 */
    int64_t axis;          /* of the second operand's scales, where it has several */
} form;

static const form forms[] = {
    {"QLinearConv", "Conv", 2, 6, 8, 0},
    {"QLinearMatMul", "MatMul", 2, 6, -1, 1},
    {"QLinearAdd", "Add", 2, 6, -1, 0},
    {"QLinearMul", "Mul", 2, 6, -1, 0},
    {"QLinearSigmoid", "Sigmoid", 1, 3, -1, 0},
    {"QLinearLeakyRelu", "LeakyRelu", 1, 3, -1, 0},
    {"QLinearAveragePool", "AveragePool", 1, 3, -1, 0},
    {"QLinearGlobalAveragePool", "GlobalAveragePool", 1, 3, -1, 0},
    {"QGemm", "Gemm", 2, 7, 6, 1},
};

static const form *form_of(const dpli_node *node)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, node->op->name) == 0)
            return &forms[i];
    return NULL;
}

/* A new node with the name of the one that it is part of. */
static dpli_node *part(dpli_graph *g, const dpli_node *of, const char *op, int32_t n_inputs,
                       dpl_error *err)
{
    dpli_node *node = dpli_graph_node(g, dpli_op_find(op), n_inputs, 1, err);

    if (!node)
        return NULL;
    node->name = dpli_strdup(of->name, err);
    return node->name ? node : NULL;
}

/* A new value behind the one of this id. */
static int32_t value_for(dpli_graph *g, int32_t id, const char *what, dpl_error *err)
{
    char *name = dpli_asprintf(err, "%s.%s.%d", g->values[id].name, what, (int)g->n_values);
    const int32_t made = name ? dpli_graph_value(g, name, err) : -1;

    free(name);
    return made;
}

static dpl_status set_int(dpli_node *node, const char *name, int64_t value, dpl_error *err)
{
    node->attrs = dpli_calloc(1, sizeof *node->attrs, err);
    if (!node->attrs)
        return DPL_E_MEMORY;
    node->attrs[0].name = dpli_strdup(name, err);
    node->attrs[0].kind = DPLI_ATTR_INT;
    node->attrs[0].i = value;
    node->n_attrs = 1;
    return node->attrs[0].name ? DPL_OK : DPL_E_MEMORY;
}

/* Inputs at .. at + 2 of the node, dequantised: the value in *id. */
static dpl_status operand(dpli_graph *g, const dpli_node *of, int32_t at, int64_t axis, int32_t *id,
                          dpl_error *err)
{
    const int32_t made = value_for(g, of->inputs[at], "float", err);
    dpli_node *node = made < 0 ? NULL : part(g, of, "DequantizeLinear", 3, err);

    if (!node)
        return DPL_E_MEMORY;
    memcpy(node->inputs, of->inputs + at, 3 * sizeof *node->inputs);
    node->outputs[0] = made;
    *id = made;
    return set_int(node, "axis", axis, err);
}

/* A bias of whole numbers counts in products of both operands' scales. */
static dpl_status bias(dpli_graph *g, const dpli_node *of, const form *f, int32_t *id,
                       dpl_error *err)
{
    const dpli_value *b = dpli_graph_input(g, of, f->bias);
    const float *x = dpli_graph_floats(g, of, 1, NULL);
    dpl_shape shape, w_shape;
    const float *w = dpli_graph_floats(g, of, 4, &w_shape);
    int64_t n, n_scales;
    float *to;

    if (!b->data || b->type != DPLI_I64 || !x || !w)
        return dpli_node_fail(g, of, DPL_E_MODEL, err, "bias or a scale is not a constant");
    shape = b->shape;
    n = dpli_shape_elements(&shape);
    n_scales = dpli_shape_elements(&w_shape);
    if (n_scales != 1 && n_scales != n)
        return dpli_node_fail(g, of, DPL_E_MODEL, err, "bias does not fit the weight");
    *id = dpli_graph_constant(g, b->name, DPLI_F32, &shape, err);
    if (*id < 0)
        return DPL_E_MEMORY;
    to = g->values[*id].data;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)((double)((const int64_t *)dpli_graph_input(g, of, f->bias)->data)[i] *
                        (double)x[0] * (double)w[n_scales == 1 ? 0 : i]);
    return DPL_OK;
}

/* The node as float32 between quantised values. Its attributes go with it. */
static dpl_status write_out(dpli_graph *g, dpli_node *of, const form *f, dpl_error *err)
{
    const bool biased = f->bias >= 0 && dpli_graph_input(g, of, f->bias);
    /* QGemm has a result of float32 where it is given no scale for it. */
    const bool floats = !dpli_graph_input(g, of, f->result);
    int32_t ids[3] = {-1, -1, -1}, out = of->outputs[0];
    dpl_status status = DPL_OK;
    dpli_node *node;

    for (int32_t i = 0; i < f->n_operands && status == DPL_OK; i++) {
        if (!dpli_graph_input(g, of, 3 * i) || !dpli_graph_input(g, of, 3 * i + 1))
            return dpli_node_fail(g, of, DPL_E_MODEL, err, "an operand or its scale is left out");
        status = operand(g, of, 3 * i, i == 1 ? f->axis : 1, &ids[i], err);
    }
    if (status == DPL_OK && biased)
        status = bias(g, of, f, &ids[2], err);
    if (status == DPL_OK && !floats) {
        out = value_for(g, out, "float", err);
        status = out < 0 ? DPL_E_MEMORY : DPL_OK;
    }
    if (status != DPL_OK)
        return status;
    node = part(g, of, f->op, biased ? 3 : f->n_operands, err);
    if (!node)
        return DPL_E_MEMORY;
    memcpy(node->inputs, ids, (biased ? 3 : (size_t)f->n_operands) * sizeof *ids);
    node->outputs[0] = out;
    node->attrs = of->attrs;
    node->n_attrs = of->n_attrs;
    of->attrs = NULL;
    of->n_attrs = 0;
    if (floats)
        return DPL_OK;
    node = part(g, of, "QuantizeLinear", 3, err);
    if (!node)
        return DPL_E_MEMORY;
    node->inputs[0] = out;
    node->inputs[1] = of->inputs[f->result];
    node->inputs[2] = f->result + 1 < of->n_inputs ? of->inputs[f->result + 1] : -1;
    node->outputs[0] = of->outputs[0];
    return DPL_OK;
}

/* onnxruntime's own attribute, whose default is ONNX's order. */
static dpl_status drop_channels_last(const dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t last = 0;
    dpl_status status = dpli_attr_int(g, node, "channels_last", &last, err);

    if (status != DPL_OK)
        return status;
    if (last != 0)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "channels_last %lld is not supported",
                              (long long)last);
    for (int32_t i = 0; i < node->n_attrs; i++) {
        if (strcmp(node->attrs[i].name, "channels_last") != 0)
            continue;
        free(node->attrs[i].name);
        node->attrs[i] = node->attrs[--node->n_attrs];
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ who reads what */

/* Operators that do the same to quantised values as to float32: they move them or choose among
 * them. */
static bool moves(const dpli_node *node)
{
    static const char *const names[] = {"MaxPool", "Reshape",   "Transpose", "Flatten", "Squeeze",
                                        "Concat",  "Unsqueeze", "Identity",  "Slice",   "Gather",
                                        "Split",   "Expand",    "Dropout",   "Tile"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], node->op->name) == 0)
            return true;
    return false;
}

static dpl_status check_readers(const dpli_graph *g, dpl_error *err)
{
    bool *quantised = dpli_calloc((size_t)g->n_values, sizeof *quantised, err);
    dpl_status status = quantised ? DPL_OK : DPL_E_MEMORY;

    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++) {
        const dpli_node *node = &g->nodes[k];
        const dpli_role role = node->op->role;
        bool any = false;

        for (int32_t i = 0; i < node->n_inputs; i++)
            any |= node->inputs[i] >= 0 && quantised[node->inputs[i]];
        if (any && role != DPLI_ROLE_DEQUANTIZE && !moves(node))
            status = dpli_node_fail(g, node, DPL_E_MODEL, err,
                                    "is not supported between quantised values");
        /* Integers are constants here, or come from a node that makes one, which reads nothing. */
        if (role == DPLI_ROLE_DEQUANTIZE && !quantised[node->inputs[0]] &&
            !g->values[node->inputs[0]].data &&
            (g->values[node->inputs[0]].producer < 0 ||
             g->nodes[g->values[node->inputs[0]].producer].n_inputs > 0))
            status = dpli_node_fail(g, node, DPL_E_MODEL, err, "its input is not quantised");
        any = role == DPLI_ROLE_QUANTIZE || (any && moves(node));
        for (int32_t i = 0; i < node->n_outputs && any; i++)
            if (node->outputs[i] >= 0)
                quantised[node->outputs[i]] = true;
    }
    for (int32_t i = 0; i < g->n_outputs && status == DPL_OK; i++)
        if (quantised[g->outputs[i]])
            status = dpli_fail(err, DPL_E_MODEL, "output \"%.200s\" is quantised, not float",
                               g->values[g->outputs[i]].name);
    free(quantised);
    return status;
}

/* What a constant is whole numbers of, once it is folded: a scale by its first dimension, or one.
 */
static dpl_status keep_scales(dpli_graph *g, const dpli_node *node, dpl_error *err)
{
    const dpli_value *x = dpli_graph_input(g, node, 0);
    dpl_shape shape;
    const float *scales = dpli_graph_floats(g, node, 1, &shape);
    const int64_t n = scales ? dpli_shape_elements(&shape) : 0;
    dpli_value *y = &g->values[node->outputs[0]];
    int64_t axis = 1;

    for (int32_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, "axis") == 0)
            axis = node->attrs[i].i;
    if (!x->data || x->stored == DPLI_STORED_OTHER || n < 1 ||
        (n > 1 && axis != 0 && axis != -x->shape.rank))
        return DPL_OK;
    if (dpli_graph_spend(g, (size_t)n, sizeof *y->scales, err) != DPL_OK)
        return DPL_E_MODEL;
    y->scales = dpli_alloc((size_t)n, sizeof *y->scales, err);
    if (!y->scales)
        return DPL_E_MEMORY;
    memcpy(y->scales, scales, (size_t)n * sizeof *scales);
    y->n_scales = (int32_t)n;
    return DPL_OK;
}

dpl_status dpli_graph_dequantize(dpli_graph *g, dpl_error *err)
{
    dpli_node *old = g->nodes;
    const int32_t n = g->n_nodes;
    dpl_status status = DPL_OK;
    bool any = false, quantised = false;

    for (int32_t k = 0; k < n; k++) {
        any |= old[k].op->role == DPLI_ROLE_QLINEAR;
        quantised |=
            any || old[k].op->role == DPLI_ROLE_QUANTIZE || old[k].op->role == DPLI_ROLE_DEQUANTIZE;
    }
    if (!quantised)
        return DPL_OK;
    if (any) {
        g->nodes = NULL;
        g->n_nodes = 0;
        g->cap_nodes = 0;
    }
    for (int32_t k = 0; k < n && any; k++) {
        const form *f = old[k].op->role == DPLI_ROLE_QLINEAR ? form_of(&old[k]) : NULL;

        /* After a failure all that is left moves over, to be freed with the graph. */
        if (f && status == DPL_OK) {
            status = drop_channels_last(g, &old[k], err);
            if (status == DPL_OK)
                status = write_out(g, &old[k], f, err);
        }
        if (!f || status != DPL_OK) {
            dpli_node *grown = dpli_grow(g->nodes, &g->cap_nodes, (size_t)g->n_nodes + 1,
                                         sizeof *grown, status == DPL_OK ? err : NULL);

            if (grown) {
                g->nodes = grown;
                g->nodes[g->n_nodes++] = old[k];
                continue;
            }
            status = status == DPL_OK ? DPL_E_MEMORY : status;
        }
        dpli_node_clear(&old[k]);
    }
    if (any)
        free(old);
    if (status == DPL_OK && g->n_nodes > DPLI_MAX_NODES)
        return dpli_fail(err, DPL_E_MODEL, "network has %d nodes, at most %d can be",
                         (int)g->n_nodes, DPLI_MAX_NODES);
    dpli_graph_count(g);
    if (status == DPL_OK)
        status = check_readers(g, err);
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++)
        if (g->nodes[k].op->role == DPLI_ROLE_DEQUANTIZE)
            status = keep_scales(g, &g->nodes[k], err);
    return status;
}

/* ------------------------------------------------------------------ pairs */

/* The one scale and zero of a node, and the numbers between which they count. */
static bool grid_of(const dpli_graph *g, const dpli_node *node, dpli_grid *grid)
{
    dpl_shape shape;
    const float *scale = dpli_graph_floats(g, node, 1, &shape);
    const dpli_value *zero = dpli_graph_input(g, node, 2);

    if (!scale || dpli_shape_elements(&shape) != 1 || !(scale[0] > 0.0f))
        return false;
    *grid = (dpli_grid){scale[0], 0.0f, 0.0f, 255.0f};
    if (!zero)
        return true;
    if (!zero->data || zero->type != DPLI_I64 || dpli_shape_elements(&zero->shape) != 1 ||
        !dpli_quantize_bounds(zero->stored, &grid->low, &grid->high))
        return false;
    grid->zero = (float)*(const int64_t *)zero->data;
    return grid->zero >= grid->low && grid->zero <= grid->high;
}

static bool same_grid(const dpli_grid *a, const dpli_grid *b)
{
    return a->scale == b->scale && a->zero == b->zero && a->low == b->low && a->high == b->high;
}

dpl_status dpli_graph_pair(dpli_graph *g, dpl_error *err)
{
    int32_t *made = dpli_alloc((size_t)g->n_nodes, sizeof *made, err);
    int32_t *stands_for = dpli_alloc((size_t)g->n_values, sizeof *stands_for, err);
    bool *is_output = dpli_calloc((size_t)g->n_values, sizeof *is_output, err);
    dpl_status status = made && stands_for && is_output ? DPL_OK : DPL_E_MEMORY;

    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++)
        made[k] = -1;
    for (int32_t i = 0; i < g->n_values && status == DPL_OK; i++)
        stands_for[i] = i;
    for (int32_t i = 0; i < g->n_outputs && status == DPL_OK; i++)
        is_output[g->outputs[i]] = true;
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++) {
        dpli_node *node = &g->nodes[k], *before;
        dpli_grid grid, other;
        int32_t at;

        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0)
                node->inputs[i] = stands_for[node->inputs[i]];
        if (node->op->role != DPLI_ROLE_DEQUANTIZE)
            continue;
        at = g->values[node->inputs[0]].producer;
        before = at >= 0 ? &g->nodes[at] : NULL;
        if (!before || before->op->role != DPLI_ROLE_QUANTIZE || !grid_of(g, before, &grid) ||
            !grid_of(g, node, &other) || !same_grid(&grid, &other))
            continue;
        /* Several readers have a DequantizeLinear each: the first serves all. */
        if (made[at] >= 0 && !is_output[node->outputs[0]]) {
            stands_for[node->outputs[0]] = made[at];
            node->dead = true;
            continue;
        }
        made[at] = node->outputs[0];
        node->inputs[0] = before->inputs[0];
        status = dpli_fake_quantize(node, &grid, err);
    }
    free(made);
    free(stands_for);
    free(is_output);
    if (status == DPL_OK)
        dpli_graph_sweep(g);
    return status;
}

/* ------------------------------------------------------------------ grids */

bool dpli_graph_is_quantised(const dpli_graph *g)
{
    for (int32_t k = 0; k < g->n_nodes; k++)
        if (g->nodes[k].op->role == DPLI_ROLE_FAKE_QUANTIZE)
            return true;
    return false;
}

/* Results that are numbers of the node's input. */
static bool keeps_grid(const dpli_node *node)
{
    return strcmp(node->op->name, "MaxPool") == 0 ||
           (node->op->role == DPLI_ROLE_RESIZE && dpli_resize_is_nearest(node));
}

dpl_status dpli_graph_find_grids(dpli_graph *g, dpl_error *err)
{
    int32_t *stands_for = dpli_alloc((size_t)g->n_values, sizeof *stands_for, err);
    bool *is_output = dpli_calloc((size_t)g->n_values, sizeof *is_output, err);
    const dpl_status status = stands_for && is_output ? DPL_OK : DPL_E_MEMORY;

    for (int32_t i = 0; i < g->n_values && status == DPL_OK; i++)
        stands_for[i] = i;
    for (int32_t i = 0; i < g->n_outputs && status == DPL_OK; i++)
        is_output[g->outputs[i]] = true;
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++) {
        dpli_node *node = &g->nodes[k];
        dpli_scale *out;

        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0)
                node->inputs[i] = stands_for[node->inputs[i]];
        out = &g->values[node->outputs[0]].grid;
        if (node->op->role == DPLI_ROLE_FAKE_QUANTIZE) {
            const dpli_grid *grid = dpli_fake_quantize_grid(node);
            const dpli_scale *in = &g->values[node->inputs[0]].grid;

            *out = (dpli_scale){grid->scale, 1.0f / grid->scale, grid->zero - grid->low};
            if (!isfinite(out->inverse))
                *out = (dpli_scale){0};
            if (in->scale > 0.0f && in->scale == out->scale && in->zero == out->zero &&
                !is_output[node->outputs[0]]) {
                stands_for[node->outputs[0]] = node->inputs[0];
                node->dead = true;
            }
        } else if (keeps_grid(node)) {
            *out = g->values[node->inputs[0]].grid;
        }
    }
    free(stands_for);
    free(is_output);
    if (status == DPL_OK)
        dpli_graph_sweep(g);
    return status;
}

/* ------------------------------------------------------------------ by ranges */

typedef struct range {
    const char *name;
    size_t length;
    float low, high;
} range;

static int by_name(const void *a, const void *b)
{
    const range *x = a, *y = b;
    const size_t n = x->length < y->length ? x->length : y->length;
    const int order = memcmp(x->name, y->name, n);

    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* A line for each value: lowest, highest, name. */
static dpl_status read_ranges(range **out, size_t *n, const char *text, dpl_error *err)
{
    size_t lines = 1;
    range *all;

    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    all = dpli_alloc(lines, sizeof *all, err);
    *out = all;
    *n = 0;
    if (!all)
        return DPL_E_MEMORY;
    while (*text) {
        const char *end = strchr(text, '\n');
        const size_t length = end ? (size_t)(end - text) : strlen(text);
        range *r = &all[*n];
        const char *at;
        char *after[2] = {NULL, NULL};

        r->low = strtof(text, &after[0]);
        at = after[0];
        r->high = *at == ' ' ? strtof(at, &after[1]) : NAN;
        if (!isfinite(r->low) || !isfinite(r->high) || r->low >= r->high || !after[1] ||
            *after[1] != ' ' || after[1] + 1 >= text + length)
            return dpli_fail(err, DPL_E_MODEL,
                             "fact \"doppel.ranges\": line %zu is not a lowest, a highest and a "
                             "name",
                             *n + 1);
        r->name = after[1] + 1;
        r->length = (size_t)(text + length - r->name);
        ++*n;
        text += length + (end != NULL);
    }
    if (*n > 0)
        qsort(all, *n, sizeof *all, by_name);
    return DPL_OK;
}

/* 255 numbers from low to high, of which one is 0. */
static dpli_grid grid_over(float low, float high)
{
    dpli_grid grid = {.low = 0.0f, .high = 255.0f};

    low = low < 0.0f ? low : 0.0f;
    high = high > 0.0f ? high : 0.0f;
    grid.scale = (high - low) / 255.0f;
    grid.zero = rintf(-low / grid.scale);
    return grid;
}

static bool is_product(const dpli_graph *g, const dpli_node *node)
{
    return node->op->role == DPLI_ROLE_CONV && dpli_graph_floats(g, node, 1, NULL);
}

/* Which values are to be rounded: what a convolution reads, or what is pooled or enlarged to be
 * read by one, before it is. */
static void find_wanted(const dpli_graph *g, const range *ranges, size_t n, const range **wanted,
                        const range **by_value)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        const range key = {g->values[i].name, strlen(g->values[i].name), 0, 0};

        by_value[i] = n > 0 ? bsearch(&key, ranges, n, sizeof key, by_name) : NULL;
    }
    for (int32_t k = g->n_nodes - 1; k >= 0; k--) {
        const dpli_node *node = &g->nodes[k];
        const int32_t in = node->inputs[0], out = node->outputs[0];

        if (is_product(g, node))
            wanted[in] = by_value[in];
        if (keeps_grid(node) && wanted[out] && by_value[in]) {
            wanted[in] = by_value[in];
            wanted[out] = NULL;
        }
        for (int32_t i = 0; i < node->n_inputs && node->op->role == DPLI_ROLE_ADD && wanted[out];
             i++) {
            const int32_t from = g->values[node->inputs[i]].producer;

            if (from >= 0 && keeps_grid(&g->nodes[from]))
                wanted[node->inputs[i]] = by_value[node->inputs[i]];
        }
    }
}

/* Scales of 127 parts of each output channel's largest weight. */
static dpl_status scale_weight(dpli_graph *g, const dpli_node *node, dpl_error *err)
{
    dpli_value *w = &g->values[node->inputs[1]];
    const int64_t channels = w->shape.dims[0], each = dpli_shape_elements(&w->shape) / channels;
    const float *x = w->data;

    if (w->scales)
        return DPL_OK;
    if (dpli_graph_spend(g, (size_t)channels, sizeof *w->scales, err) != DPL_OK)
        return DPL_E_MODEL;
    w->scales = dpli_alloc((size_t)channels, sizeof *w->scales, err);
    if (!w->scales)
        return DPL_E_MEMORY;
    w->n_scales = (int32_t)channels;
    for (int64_t c = 0; c < channels; c++) {
        float most = 0.0f;

        for (int64_t i = 0; i < each; i++, x++)
            most = fabsf(*x) > most ? fabsf(*x) : most;
        w->scales[c] = most > 1e-30f ? most / 127.0f : 1.0f;
    }
    return DPL_OK;
}

/* A FakeQuantize of a value; the value that it makes in *made. */
static dpl_status round_value(dpli_graph *g, int32_t id, const range *r, int32_t *made,
                              dpl_error *err)
{
    const dpli_grid grid = grid_over(r->low, r->high);
    dpli_node *node;

    *made = value_for(g, id, "int8", err);
    node = *made < 0 ? NULL : dpli_graph_node(g, &dpli_op_fake_quantize, 1, 1, err);
    if (!node)
        return DPL_E_MEMORY;
    node->name = dpli_strdup(g->values[id].name, err);
    node->inputs[0] = id;
    node->outputs[0] = *made;
    return node->name ? dpli_fake_quantize(node, &grid, err) : DPL_E_MEMORY;
}

static dpl_status rebuild(dpli_graph *g, const range **wanted, int32_t *rounded, dpl_error *err)
{
    dpli_node *old = g->nodes;
    const int32_t n = g->n_nodes, n_values = g->n_values;
    dpl_status status = DPL_OK;

    g->nodes = NULL;
    g->n_nodes = 0;
    g->cap_nodes = 0;
    for (int32_t i = 0; i < g->n_inputs && status == DPL_OK; i++)
        if (wanted[g->inputs[i]])
            status =
                round_value(g, g->inputs[i], wanted[g->inputs[i]], &rounded[g->inputs[i]], err);
    for (int32_t k = 0; k < n; k++) {
        dpli_node *node = &old[k], *grown;
        const bool takes =
            is_product(g, node) || node->op->role == DPLI_ROLE_ADD || keeps_grid(node);
        const int32_t n_read = node->op->role == DPLI_ROLE_ADD ? 2 : 1, out = node->outputs[0];

        for (int32_t i = 0; i < n_read && takes && status == DPL_OK; i++) {
            const int32_t in = node->inputs[i];

            if (in < 0 || in >= n_values || rounded[in] < 0)
                continue;
            node->inputs[i] = rounded[in];
            if (is_product(g, node))
                status = scale_weight(g, node, err);
        }
        grown = dpli_grow(g->nodes, &g->cap_nodes, (size_t)g->n_nodes + 1, sizeof *grown,
                          status == DPL_OK ? err : NULL);
        if (!grown) {
            status = DPL_E_MEMORY;
            dpli_node_clear(node);
            continue;
        }
        g->nodes = grown;
        g->nodes[g->n_nodes++] = *node;
        if (status == DPL_OK && wanted[out])
            status = round_value(g, out, wanted[out], &rounded[out], err);
    }
    free(old);
    return status;
}

dpl_status dpli_graph_quantise(dpli_graph *g, bool *done, dpl_error *err)
{
    const range **wanted = NULL, **by_value = NULL;
    const char *text = NULL;
    range *ranges = NULL;
    int32_t *rounded = NULL;
    size_t n = 0;
    dpl_status status;

    *done = false;
    for (int32_t i = 0; i < g->n_meta; i++)
        if (strcmp(g->meta[i].key, "doppel.ranges") == 0)
            text = g->meta[i].text;
    if (!text)
        return DPL_OK;
    status = read_ranges(&ranges, &n, text, err);
    if (status != DPL_OK)
        goto done;
    wanted = dpli_calloc((size_t)g->n_values, sizeof *wanted, err);
    by_value = dpli_calloc((size_t)g->n_values, sizeof *by_value, err);
    rounded = dpli_alloc((size_t)g->n_values, sizeof *rounded, err);
    status = wanted && by_value && rounded ? DPL_OK : DPL_E_MEMORY;
    if (status != DPL_OK)
        goto done;
    for (int32_t i = 0; i < g->n_values; i++)
        rounded[i] = -1;
    find_wanted(g, ranges, n, wanted, by_value);
    status = rebuild(g, wanted, rounded, err);
    if (status == DPL_OK)
        dpli_graph_sweep(g);
    *done = true;
done:
    free(wanted);
    free(by_value);
    free(rounded);
    free(ranges);
    return status;
}
