/*
 * fold.c - what depends on constants only is computed once, when the network is loaded.
 *
 * The nodes concerned are planned and run as a network of their own, so that folding computes by
 * the same code as running.
 */
#include "net/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/ops/shape.h"
#include "net/plan.h"

/* Each byte that constants may take (load.c) is worth so many operations: a file of a few bytes
 * has a second, a large one its every weight several times over. */
#define OPERATIONS_A_BYTE 64.0

/* Constant nodes become constants; Identity and Dropout, which do nothing, go, except where they
 * give an output its name. */
static dpl_status drop_nodes(dpli_graph *g, bool training, dpl_error *err)
{
    int32_t *stands_for = dpli_alloc((size_t)g->n_values, sizeof *stands_for, err);
    bool *is_output = dpli_calloc((size_t)g->n_values, sizeof *is_output, err);
    dpl_status status = DPL_E_MEMORY;

    if (!stands_for || !is_output)
        goto done;
    for (int32_t i = 0; i < g->n_values; i++)
        stands_for[i] = i;
    for (int32_t i = 0; i < g->n_outputs; i++)
        is_output[g->outputs[i]] = true;
    for (int32_t k = 0; k < g->n_nodes; k++) {
        dpli_node *node = &g->nodes[k];
        int32_t constant = dpli_constant_of(node);
        bool same = node->op->role == DPLI_ROLE_SAME ||
                    (node->op->role == DPLI_ROLE_DROPOUT && node->n_inputs < 3 && !training);

        for (int32_t i = 0; i < node->n_inputs; i++) {
            if (node->inputs[i] >= 0)
                node->inputs[i] = stands_for[node->inputs[i]];
        }
        if (constant >= 0) {
            dpli_value *v = &g->values[node->outputs[0]], *from = &g->values[constant];

            v->type = from->type;
            v->stored = from->stored;
            v->shape = from->shape;
            v->data = from->data;
            from->data = NULL;
            node->dead = true;
        } else if (same && !is_output[node->outputs[0]]) {
            stands_for[node->outputs[0]] = node->inputs[0];
            node->dead = true;
        }
    }
    dpli_graph_sweep(g);
    status = DPL_OK;
done:
    free(stands_for);
    free(is_output);
    return status;
}

static bool depends_on_constants(const dpli_node *node, const bool *constant)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] >= 0 && !constant[node->inputs[i]])
            return false;
    }
    return true;
}

static dpl_status keep_result(dpli_graph *g, int32_t id, const dpli_planned *result,
                              const void *data, dpl_error *err)
{
    dpli_value *v = &g->values[id];
    size_t size = dpli_type_bytes(result->type);
    size_t n = (size_t)dpli_shape_elements(&result->shape);

    if (dpli_graph_spend(g, n, size, err) != DPL_OK)
        return DPL_E_MEMORY;
    v->data = dpli_alloc_aligned(n, size, err);
    if (!v->data)
        return DPL_E_MEMORY;
    if (n > 0)
        memcpy(v->data, data, n * size);
    v->type = result->type;
    v->shape = result->shape;
    for (size_t i = 0; i < n && v->type == DPLI_F32; i++) {
        float *x = &((float *)v->data)[i];

        if (!isfinite(*x) && *x != -INFINITY)
            return dpli_fail(err, DPL_E_MODEL, "\"%.200s\", computed from constants, is not finite",
                             v->name);
        if (fpclassify(*x) == FP_SUBNORMAL)
            *x = 0.0f;
    }
    return DPL_OK;
}

dpl_status dpli_graph_fold(dpli_graph *g, bool training, dpl_error *err)
{
    dpl_status status = drop_nodes(g, training, err);
    bool *constant = dpli_calloc((size_t)g->n_values, sizeof *constant, err);
    int32_t *nodes = dpli_alloc((size_t)g->n_nodes, sizeof *nodes, err);
    int32_t *outputs = dpli_alloc((size_t)g->n_values, sizeof *outputs, err);
    dpli_plan_request request = {
        .nodes = nodes,
        .outputs = outputs,
        .max_bytes = g->constant_bytes_left,
        .max_operations =
            fmin(g->max_operations, OPERATIONS_A_BYTE * (double)g->constant_bytes_left)};
    dpl_plan *plan = NULL;

    if (status != DPL_OK || !constant || !nodes || !outputs) {
        status = status != DPL_OK ? status : DPL_E_MEMORY;
        goto done;
    }
    for (int32_t i = 0; i < g->n_values; i++)
        constant[i] = g->values[i].data != NULL;
    for (int32_t k = 0; k < g->n_nodes; k++) {
        const dpli_node *node = &g->nodes[k];

        /* What has still to be packed cannot run yet, and is no use as a constant. */
        if (node->op->prepare || !depends_on_constants(node, constant))
            continue;
        nodes[request.n_nodes++] = k;
        for (int32_t i = 0; i < node->n_outputs; i++) {
            if (node->outputs[i] >= 0) {
                constant[node->outputs[i]] = true;
                outputs[request.n_outputs++] = node->outputs[i];
            }
        }
    }
    if (request.n_nodes == 0)
        goto done;
    status = dpli_plan_make(&plan, g, &request, err);
    if (status != DPL_OK)
        goto done;
    status = dpl_plan_run(plan, err);
    for (int32_t i = 0; i < request.n_outputs && status == DPL_OK; i++) {
        const void *data;
        const dpli_planned *result = dpli_plan_result(plan, i, &data);

        status = keep_result(g, outputs[i], result, data, err);
    }
    for (int32_t i = 0; i < request.n_nodes; i++)
        g->nodes[nodes[i]].dead = true;
    dpli_graph_sweep(g);
done:
    dpl_plan_free(plan);
    free(constant);
    free(nodes);
    free(outputs);
    return status;
}
