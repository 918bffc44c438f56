/*
 * merge.c - a pass over a graph: the heads of a detector, some convolutions of one to ten channels
 * that read the same value, each followed by a depthwise one, become one of their channels together
 * and one depthwise one. A kernel computes DPLI_PANEL channels at once; four heads by themselves
 * pay for four times as many.
 */
#include "net/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/ops/conv_shape.h"
#include "net/ops/table.h"

/* Heads of one value. */
#define MAX_HEADS 16

typedef struct heads {
    int32_t n;
    int32_t first[MAX_HEADS], second[MAX_HEADS]; /* nodes: the convolution, the depthwise one */
} heads;

static int64_t width_of(const dpli_graph *g, const dpli_node *node)
{
    return g->values[node->inputs[1]].shape.dims[0];
}

/* A convolution with a constant weight and bias, if any; not of whole numbers. */
static bool is_plain(const dpli_graph *g, const dpli_node *node)
{
    dpl_shape shape;

    return !node->dead && node->op->role == DPLI_ROLE_CONV &&
           dpli_graph_floats(g, node, 1, &shape) && shape.rank == 4 &&
           !g->values[node->inputs[1]].scales &&
           (!dpli_graph_input(g, node, 2) || (dpli_graph_floats(g, node, 2, &shape) &&
                                              dpli_shape_elements(&shape) == width_of(g, node)));
}

static int64_t groups_of(const dpli_node *node)
{
    return ((const dpli_conv_params *)node->params)->groups;
}

/* What reads the node's result alone, when it is a depthwise convolution of just its channels. */
static int32_t depthwise_behind(const dpli_graph *g, const dpli_node *node)
{
    const dpli_value *v = &g->values[node->outputs[0]];
    const dpli_node *next;

    if (v->n_uses != 1 || v->consumer < 0)
        return -1;
    next = &g->nodes[v->consumer];
    return is_plain(g, next) && next->inputs[0] == node->outputs[0] &&
                   groups_of(next) == width_of(g, node) && width_of(g, next) == width_of(g, node)
               ? v->consumer
               : -1;
}

/* Whether two convolutions differ in their weights and channels only. */
static bool alike(const dpli_graph *g, const dpli_node *a, const dpli_node *b, bool depthwise)
{
    const dpli_conv_params *x = a->params, *y = b->params;
    const dpl_shape *v = &g->values[a->inputs[1]].shape, *w = &g->values[b->inputs[1]].shape;

    return memcmp(&x->window, &y->window, sizeof x->window) == 0 &&
           (depthwise || x->groups == y->groups) &&
           memcmp(v->dims + 1, w->dims + 1, 3 * sizeof v->dims[0]) == 0;
}

/* The heads that read what node k reads, node k being the first of them. */
static heads find_heads(const dpli_graph *g, int32_t k)
{
    const dpli_node *first = &g->nodes[k];
    int64_t width = 0;
    heads h = {0};

    for (int32_t i = k; i < g->n_nodes && h.n < MAX_HEADS; i++) {
        const dpli_node *node = &g->nodes[i];
        int32_t behind;

        if (!is_plain(g, node) || node->inputs[0] != first->inputs[0] || groups_of(node) != 1 ||
            width_of(g, node) > DPLI_PANEL || width + width_of(g, node) > DPLI_PANEL ||
            !alike(g, first, node, false))
            continue;
        behind = depthwise_behind(g, node);
        /* Who reads a result stands behind its node: so all of them behind the first one's. */
        if (behind < 0 || (h.n > 0 && behind < h.second[0]) ||
            (h.n > 0 && !alike(g, &g->nodes[h.second[0]], &g->nodes[behind], true)))
            continue;
        h.first[h.n] = i;
        h.second[h.n++] = behind;
        width += width_of(g, node);
    }
    return h;
}

/* The weights of these nodes behind one another, and the biases, as node's own. */
static dpl_status join_weights(dpli_graph *g, dpli_node *node, const int32_t *nodes, int32_t n,
                               dpl_error *err)
{
    dpl_shape shape = g->values[node->inputs[1]].shape, bias_shape = {.rank = 1};
    const size_t each =
        (size_t)(shape.dims[1] * shape.dims[2] * shape.dims[3]); /* of an output channel */
    int32_t weight, bias;
    float *w, *b;

    shape.dims[0] = 0;
    for (int32_t i = 0; i < n; i++)
        shape.dims[0] += width_of(g, &g->nodes[nodes[i]]);
    bias_shape.dims[0] = shape.dims[0];
    weight = dpli_graph_constant(g, g->values[node->inputs[1]].name, DPLI_F32, &shape, err);
    bias = weight < 0 ? -1 : dpli_graph_constant(g, node->name, DPLI_F32, &bias_shape, err);
    if (bias < 0)
        return DPL_E_MEMORY;
    w = g->values[weight].data;
    b = g->values[bias].data;
    for (int32_t i = 0; i < n; i++) {
        const dpli_node *from = &g->nodes[nodes[i]];
        const size_t width = (size_t)width_of(g, from);
        const float *own = dpli_graph_floats(g, from, 2, NULL);

        memcpy(w, g->values[from->inputs[1]].data, width * each * sizeof *w);
        if (own)
            memcpy(b, own, width * sizeof *b);
        w += width * each;
        b += width;
    }
    node->inputs[1] = weight;
    node->inputs[2] = bias; /* there is room */
    node->n_inputs = 3;
    return DPL_OK;
}

static dpl_status split(dpli_graph *g, const heads *h, int32_t from, dpl_error *err)
{
    const dpl_shape shape = {.rank = 1, .dims = {h->n}};
    const int32_t sizes = dpli_graph_constant(g, "sizes", DPLI_I64, &shape, err);
    dpli_node *node = sizes < 0 ? NULL : dpli_graph_node(g, dpli_op_find("Split"), 2, h->n, err);

    if (!node)
        return DPL_E_MEMORY;
    node->name = dpli_strdup(g->nodes[h->second[0]].name, err);
    node->attrs = dpli_calloc(1, sizeof *node->attrs, err);
    if (!node->name || !node->attrs)
        return DPL_E_MEMORY;
    node->n_attrs = 1;
    node->attrs[0].kind = DPLI_ATTR_INT;
    node->attrs[0].i = 1;
    node->attrs[0].name = dpli_strdup("axis", err);
    if (!node->attrs[0].name)
        return DPL_E_MEMORY;
    node->inputs[0] = from;
    node->inputs[1] = sizes;
    for (int32_t i = 0; i < h->n; i++) {
        ((int64_t *)g->values[sizes].data)[i] = width_of(g, &g->nodes[h->second[i]]);
        node->outputs[i] = g->nodes[h->second[i]].outputs[0];
    }
    return node->op->load(g, node, err);
}

/* One of each; the split goes behind all nodes, until they are put in order. */
static dpl_status merge(dpli_graph *g, const heads *h, dpl_error *err)
{
    const int32_t out = dpli_graph_value(g, g->nodes[h->second[0]].name, err);
    dpl_status status = out < 0 ? DPL_E_MEMORY : split(g, h, out, err);
    dpli_node *second = &g->nodes[h->second[0]];

    if (status != DPL_OK)
        return status;
    /* The weights of all, before the first one's is another. */
    status = join_weights(g, &g->nodes[h->first[0]], h->first, h->n, err);
    if (status != DPL_OK)
        return status;
    ((dpli_conv_params *)second->params)->groups = 0;
    for (int32_t i = 0; i < h->n; i++)
        ((dpli_conv_params *)second->params)->groups += width_of(g, &g->nodes[h->second[i]]);
    status = join_weights(g, second, h->second, h->n, err);
    second->outputs[0] = out;
    for (int32_t i = 1; i < h->n; i++)
        g->nodes[h->first[i]].dead = g->nodes[h->second[i]].dead = true;
    return status;
}

/* Each split to where the node is whose result it splits. */
static dpl_status put_in_order(dpli_graph *g, int32_t n_before, dpl_error *err)
{
    dpli_node *ordered = dpli_alloc((size_t)g->n_nodes, sizeof *ordered, err);
    int32_t n = 0;

    if (!ordered)
        return DPL_E_MEMORY;
    for (int32_t k = 0; k < n_before; k++) {
        ordered[n++] = g->nodes[k];
        for (int32_t s = n_before; s < g->n_nodes; s++)
            if (!g->nodes[k].dead && g->nodes[s].inputs[0] == g->nodes[k].outputs[0])
                ordered[n++] = g->nodes[s];
    }
    memcpy(g->nodes, ordered, (size_t)n * sizeof *ordered);
    free(ordered);
    return DPL_OK;
}

dpl_status dpli_graph_merge(dpli_graph *g, dpl_error *err)
{
    const int32_t n = g->n_nodes;
    dpl_status status = DPL_OK;

    for (int32_t k = 0; k < n && status == DPL_OK; k++) {
        heads h;

        if (!is_plain(g, &g->nodes[k]) || width_of(g, &g->nodes[k]) > DPLI_PANEL)
            continue;
        h = find_heads(g, k);
        if (h.n > 1 && h.first[0] == k)
            status = merge(g, &h, err);
    }
    if (status == DPL_OK && g->n_nodes > n) {
        status = put_in_order(g, n, err);
        if (status == DPL_OK)
            dpli_graph_sweep(g);
    }
    return status;
}
