/*
 * graph.c - the network's graph: making and freeing values and nodes, attributes, bookkeeping.
 */
#include "net/graph.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/ops/op.h"

void dpli_node_clear(dpli_node *node)
{
    for (int32_t i = 0; i < node->n_attrs; i++) {
        dpli_attr *attr = &node->attrs[i];

        free(attr->name);
        free(attr->s);
        free(attr->floats);
        free(attr->ints);
    }
    free(node->attrs);
    free(node->name);
    free(node->inputs);
    free(node->outputs);
    free(node->params);
    free(node->packed);
    free(node->narrow);
}

void dpli_graph_clear(dpli_graph *g)
{
    if (!g)
        return;
    for (int32_t i = 0; i < g->n_values; i++) {
        free(g->values[i].name);
        free(g->values[i].data);
        free(g->values[i].scales);
    }
    for (int32_t i = 0; i < g->n_nodes; i++)
        dpli_node_clear(&g->nodes[i]);
    for (int32_t i = 0; i < g->n_meta; i++) {
        free(g->meta[i].key);
        free(g->meta[i].text);
    }
    free(g->values);
    free(g->nodes);
    free(g->inputs);
    free(g->outputs);
    free(g->meta);
    memset(g, 0, sizeof *g);
}

int64_t dpli_shape_elements(const dpl_shape *shape)
{
    int64_t n = 1;

    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] < 0 || __builtin_mul_overflow(n, shape->dims[i], &n) ||
            n > DPLI_MAX_ELEMENTS)
            return -1;
    }
    return n;
}

bool dpli_shape_equal(const dpl_shape *a, const dpl_shape *b)
{
    return a->rank == b->rank &&
           (a->rank <= 0 || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0);
}

const char *dpli_shape_text(const dpl_shape *shape, char buf[DPLI_SHAPE_TEXT])
{
    size_t len = 0;

    if (shape->rank <= 0)
        snprintf(buf, DPLI_SHAPE_TEXT, shape->rank == 0 ? "scalar" : "any");
    for (int32_t i = 0; i < shape->rank; i++)
        len += (size_t)snprintf(buf + len, DPLI_SHAPE_TEXT - len, i ? "x%" PRId64 : "%" PRId64,
                                shape->dims[i]);
    return buf;
}

int32_t dpli_graph_value(dpli_graph *g, const char *name, dpl_error *err)
{
    dpli_value *v, *values = dpli_grow(g->values, &g->cap_values, (size_t)g->n_values + 1,
                                       sizeof *values, err);

    if (!values)
        return -1;
    g->values = values;
    v = &g->values[g->n_values];
    memset(v, 0, sizeof *v);
    v->producer = v->consumer = -1;
    v->shape.rank = -1;
    v->name = dpli_strdup(name, err);
    if (!v->name)
        return -1;
    return g->n_values++;
}

dpl_status dpli_graph_spend(dpli_graph *g, size_t n, size_t size, dpl_error *err)
{
    if (n > g->constant_bytes_left / size)
        return dpli_fail(err, DPL_E_MODEL, "constants take far more memory than the file's size");
    g->constant_bytes_left -= n * size;
    return DPL_OK;
}

int32_t dpli_graph_constant(dpli_graph *g, const char *name, dpli_type type, const dpl_shape *shape,
                            dpl_error *err)
{
    int64_t n = dpli_shape_elements(shape);
    size_t size = dpli_type_bytes(type);
    int32_t id;
    void *data;

    if (n < 0) {
        dpli_fail(err, DPL_E_MODEL, "constant \"%s\" is too large", name);
        return -1;
    }
    if (dpli_graph_spend(g, (size_t)n, size, err) != DPL_OK)
        return -1;
    data = dpli_alloc_aligned((size_t)n, size, err);
    if (!data)
        return -1;
    memset(data, 0, (size_t)n * size);
    id = dpli_graph_value(g, name, err);
    if (id < 0) {
        free(data);
        return -1;
    }
    g->values[id].type = type;
    g->values[id].shape = *shape;
    g->values[id].data = data;
    return id;
}

dpli_node *dpli_graph_node(dpli_graph *g, const struct dpli_op *op, int32_t n_inputs,
                           int32_t n_outputs, dpl_error *err)
{
    dpli_node node = {
        .op = op, .n_inputs = n_inputs, .n_outputs = n_outputs, .slope = -1, .behind = -1};

    dpli_node *nodes =
        dpli_grow(g->nodes, &g->cap_nodes, (size_t)g->n_nodes + 1, sizeof *nodes, err);

    if (!nodes)
        return NULL;
    g->nodes = nodes;
    node.inputs = dpli_alloc((size_t)n_inputs + 2, sizeof *node.inputs, err);
    node.outputs = dpli_alloc((size_t)n_outputs, sizeof *node.outputs, err);
    if (!node.inputs || !node.outputs) {
        free(node.inputs);
        free(node.outputs);
        return NULL;
    }
    for (int32_t i = 0; i < n_inputs + 2; i++)
        node.inputs[i] = -1;
    for (int32_t i = 0; i < n_outputs; i++)
        node.outputs[i] = -1;
    g->nodes[g->n_nodes] = node;
    return &g->nodes[g->n_nodes++];
}

void dpli_graph_count(dpli_graph *g)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        g->values[i].producer = g->values[i].consumer = -1;
        g->values[i].n_uses = 0;
    }
    for (int32_t k = 0; k < g->n_nodes; k++) {
        const dpli_node *node = &g->nodes[k];

        if (node->dead)
            continue;
        for (int32_t i = 0; i < node->n_outputs; i++) {
            if (node->outputs[i] >= 0)
                g->values[node->outputs[i]].producer = k;
        }
        for (int32_t i = 0; i < node->n_inputs; i++) {
            if (node->inputs[i] >= 0) {
                g->values[node->inputs[i]].n_uses++;
                g->values[node->inputs[i]].consumer = k;
            }
        }
        if (node->slope >= 0)
            g->values[node->slope].n_uses++;
        for (int32_t i = 0; i < node->n_attrs; i++) {
            if (node->attrs[i].kind == DPLI_ATTR_TENSOR)
                g->values[node->attrs[i].tensor].n_uses++;
        }
    }
    for (int32_t i = 0; i < g->n_outputs; i++)
        g->values[g->outputs[i]].n_uses++;
}

/* An attribute's tensor is a constant that no input names; it stays as long as its node. */
void dpli_graph_sweep(dpli_graph *g)
{
    int32_t kept = 0;

    dpli_graph_count(g);
    /* Backwards, so that a node goes when its last reader has gone. */
    for (int32_t k = g->n_nodes - 1; k >= 0; k--) {
        dpli_node *node = &g->nodes[k];
        bool read = false;

        for (int32_t i = 0; i < node->n_outputs; i++)
            read = read || (node->outputs[i] >= 0 && g->values[node->outputs[i]].n_uses > 0);
        if (!node->dead && !read) {
            node->dead = true;
            for (int32_t i = 0; i < node->n_inputs; i++) {
                if (node->inputs[i] >= 0)
                    g->values[node->inputs[i]].n_uses--;
            }
        }
    }
    for (int32_t k = 0; k < g->n_nodes; k++) {
        if (g->nodes[k].dead)
            dpli_node_clear(&g->nodes[k]);
        else
            g->nodes[kept++] = g->nodes[k];
    }
    g->n_nodes = kept;
    dpli_graph_count(g);
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].n_uses == 0) {
            free(g->values[i].data);
            g->values[i].data = NULL;
        }
    }
}

const float *dpli_graph_floats(const dpli_graph *g, const dpli_node *node, int32_t i,
                               dpl_shape *shape)
{
    const dpli_value *v;

    if (i >= node->n_inputs || node->inputs[i] < 0)
        return NULL;
    v = &g->values[node->inputs[i]];
    if (!v->data || v->type != DPLI_F32)
        return NULL;
    if (shape)
        *shape = v->shape;
    return v->data;
}

dpl_status dpli_node_fail(const dpli_graph *g, const dpli_node *node, dpl_status status,
                          dpl_error *err, const char *format, ...)
{
    char words[sizeof err->message];
    const char *name = node->name ? node->name : "";
    const char *kind = "";
    va_list args;

    /* A node needs no name; then its first output tells which it is. */
    if (!*name && node->n_outputs > 0 && node->outputs[0] >= 0) {
        kind = "with output ";
        name = g->values[node->outputs[0]].name;
    }
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return dpli_fail(err, status, "%s %s\"%.100s\": %s", node->op ? node->op->name : "node", kind,
                     name, words);
}

dpl_status dpli_fault_fail(const dpli_graph *g, const dpli_fault *fault, dpl_error *err)
{
    if (!fault->node)
        return DPL_OK;
    if (fault->kind == DPLI_FAULT_LENGTH)
        return dpli_node_fail(g, fault->node, DPL_E_INPUT, err,
                              "a sequence of %" PRId64 " is not of 0 to %" PRId64 " steps",
                              fault->value, fault->limit);
    return dpli_node_fail(g, fault->node, DPL_E_INPUT, err,
                          "id %" PRId64 " of \"%.60s\" is not in its table of %" PRId64 " rows",
                          fault->value, g->values[fault->node->inputs[1]].name, fault->limit);
}

dpl_status dpli_graph_set_meta(dpli_graph *g, const char *name, const char *text, dpl_error *err)
{
    char *full = dpli_asprintf(err, "doppel.%s", name), *copy = dpli_strdup(text, err);
    dpli_meta *grown;

    if (!full || !copy)
        goto fail;
    for (int32_t i = 0; i < g->n_meta; i++) {
        if (strcmp(g->meta[i].key, full) == 0) {
            free(g->meta[i].text);
            free(full);
            g->meta[i].text = copy;
            return DPL_OK;
        }
    }
    grown = dpli_realloc(g->meta, (size_t)g->n_meta + 1, sizeof *grown, err);
    if (!grown)
        goto fail;
    g->meta = grown;
    g->meta[g->n_meta++] = (dpli_meta){full, copy};
    return DPL_OK;
fail:
    free(full);
    free(copy);
    return DPL_E_MEMORY;
}

/* ------------------------------------------------------------------ attributes */

dpli_attr *dpli_attr_find(dpli_node *node, const char *name)
{
    for (int32_t i = 0; i < node->n_attrs; i++) {
        if (strcmp(node->attrs[i].name, name) == 0) {
            node->attrs[i].used = true;
            return &node->attrs[i];
        }
    }
    return NULL;
}

static dpl_status wrong_kind(const dpli_graph *g, const dpli_node *node, const char *name,
                             const char *wanted, dpl_error *err)
{
    return dpli_node_fail(g, node, DPL_E_MODEL, err, "attribute \"%s\" is not %s", name, wanted);
}

dpl_status dpli_attr_int(const dpli_graph *g, dpli_node *node, const char *name, int64_t *out,
                         dpl_error *err)
{
    const dpli_attr *attr = dpli_attr_find(node, name);

    if (!attr)
        return DPL_OK;
    if (attr->kind != DPLI_ATTR_INT)
        return wrong_kind(g, node, name, "an integer", err);
    *out = attr->i;
    return DPL_OK;
}

dpl_status dpli_attr_float(const dpli_graph *g, dpli_node *node, const char *name, float *out,
                           dpl_error *err)
{
    const dpli_attr *attr = dpli_attr_find(node, name);

    if (!attr)
        return DPL_OK;
    if (attr->kind != DPLI_ATTR_FLOAT)
        return wrong_kind(g, node, name, "a number", err);
    if (!__builtin_isfinite(attr->f))
        return wrong_kind(g, node, name, "finite", err);
    *out = attr->f;
    return DPL_OK;
}

dpl_status dpli_attr_string(const dpli_graph *g, dpli_node *node, const char *name,
                            const char **out, dpl_error *err)
{
    const dpli_attr *attr = dpli_attr_find(node, name);

    if (!attr)
        return DPL_OK;
    if (attr->kind != DPLI_ATTR_STRING)
        return wrong_kind(g, node, name, "a string", err);
    *out = attr->s;
    return DPL_OK;
}

dpl_status dpli_attr_strings(const dpli_graph *g, dpli_node *node, const char *name,
                             const char **out, dpl_error *err)
{
    const dpli_attr *attr = dpli_attr_find(node, name);

    if (!attr)
        return DPL_OK;
    if (attr->kind != DPLI_ATTR_STRINGS)
        return wrong_kind(g, node, name, "a list of strings", err);
    *out = attr->s;
    return DPL_OK;
}

dpl_status dpli_attr_ints(const dpli_graph *g, dpli_node *node, const char *name, int64_t *out,
                          int32_t max, int32_t *n, dpl_error *err)
{
    const dpli_attr *attr = dpli_attr_find(node, name);

    if (!attr)
        return DPL_OK;
    if (attr->kind != DPLI_ATTR_INTS)
        return wrong_kind(g, node, name, "a list of integers", err);
    if (attr->n > (size_t)max)
        return dpli_node_fail(g, node, DPL_E_MODEL, err,
                              "attribute \"%s\" has %zu values, at most %d can be", name, attr->n,
                              (int)max);
    if (attr->n > 0)
        memcpy(out, attr->ints, attr->n * sizeof *out);
    *n = (int32_t)attr->n;
    return DPL_OK;
}

dpl_status dpli_attr_word(const dpli_graph *g, dpli_node *node, const char *name,
                          const char *const *words, int32_t *out, dpl_error *err)
{
    const char *word = NULL;
    dpl_status status = dpli_attr_string(g, node, name, &word, err);

    if (status != DPL_OK || !word)
        return status;
    for (int32_t i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = i;
            return DPL_OK;
        }
    }
    return dpli_node_fail(g, node, DPL_E_MODEL, err, "%s \"%.60s\" is not supported", name, word);
}

void *dpli_node_params(dpli_node *node, size_t size, dpl_error *err)
{
    node->params = dpli_calloc(1, size, err);
    return node->params;
}
