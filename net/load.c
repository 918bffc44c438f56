/*
 * load.c - a file's bytes to a graph: read (onnx.c), each node checked by its operator (ops/),
 * constants folded (fold.c); for running, fused (fuse.c) and weights packed for the kernels.
 */
#include "net/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "net/fold.h"
#include "net/fuse.h"
#include "net/kernels.h"
#include "net/merge.h"
#include "net/onnx.h"
#include "net/ops/normalize.h"
#include "net/ops/op.h"
#include "net/quantize.h"

static dpl_status load_node(dpli_graph *g, dpli_node *node, const bool *read, dpl_error *err)
{
    if (node->op->load) {
        dpl_status status = node->op->load(g, node, err);

        if (status != DPL_OK)
            return status;
    }
    for (int32_t i = 0; i < node->n_attrs; i++) {
        if (!node->attrs[i].used)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "attribute \"%.60s\" is not supported",
                                  node->attrs[i].name);
    }
    for (int32_t i = node->op->max_outputs; i < node->n_outputs; i++) {
        if (node->outputs[i] >= 0 && read[node->outputs[i]])
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "output %d is not supported", (int)i);
    }
    if (node->n_outputs > node->op->max_outputs)
        node->n_outputs = node->op->max_outputs;
    return DPL_OK;
}

dpl_status dpli_graph_load(dpli_graph *g, dpl_error *err)
{
    bool *read = dpli_calloc((size_t)g->n_values, sizeof *read, err);
    dpl_status status = read ? DPL_OK : DPL_E_MEMORY;

    if (!read)
        return status;
    for (int32_t k = 0; k < g->n_nodes; k++) {
        for (int32_t i = 0; i < g->nodes[k].n_inputs; i++) {
            if (g->nodes[k].inputs[i] >= 0)
                read[g->nodes[k].inputs[i]] = true;
        }
    }
    for (int32_t i = 0; i < g->n_outputs; i++)
        read[g->outputs[i]] = true;
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++)
        status = load_node(g, &g->nodes[k], read, err);
    free(read);
    return status;
}

/* A weight that all its readers have packed is not needed as it was. */
static void free_packed(dpli_graph *g)
{
    for (int32_t k = 0; k < g->n_nodes; k++) {
        if (g->nodes[k].packed || g->nodes[k].narrow)
            g->values[g->nodes[k].inputs[1]].n_uses--;
    }
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].n_uses == 0) {
            free(g->values[i].data);
            g->values[i].data = NULL;
        }
    }
}

/* Minus infinity is for masks: added to scores, or put where a condition does not hold. Any other
 * reader would make nothing of it but more that is not finite. */
static dpl_status check_infinite(const dpli_graph *g, dpl_error *err)
{
    for (int32_t k = 0; k < g->n_nodes; k++) {
        const dpli_node *node = &g->nodes[k];
        const bool masks = node->op->role == DPLI_ROLE_ADD || node->op->role == DPLI_ROLE_WHERE;

        for (int32_t i = 0; i < node->n_inputs && !masks; i++) {
            dpl_shape shape;
            const float *x = dpli_graph_floats(g, node, i, &shape);
            const int64_t n = x ? dpli_shape_elements(&shape) : 0;

            for (int64_t j = 0; j < n; j++) {
                if (!isfinite(x[j]))
                    return dpli_node_fail(g, node, DPL_E_MODEL, err,
                                          "input %d holds a value that is not finite, at %lld",
                                          (int)i, (long long)j);
            }
        }
    }
    return DPL_OK;
}

/* What a file asks for beyond what its size can need is its own fault, also where it was met as a
 * limit or as memory that was refused. */
static dpl_status blame(dpl_error *err)
{
    if (err->status == DPL_E_LIMIT || err->status == DPL_E_ARGUMENT)
        err->status = DPL_E_MODEL;
    return err->status;
}

/* The file's bytes to a graph whose nodes are checked and whose constants are folded. */
static dpl_status read_graph(dpli_graph *g, const void *bytes, size_t n_bytes, bool training,
                             dpl_error *err)
{
    dpl_status status;
    dpl_error own;

    err = err ? err : &own;
    /* One byte of a file can be an int64 here, float16 doubles, and packing makes another copy. */
    if (!dpli_mul(&g->constant_bytes_left, n_bytes, 16) ||
        !dpli_add(&g->constant_bytes_left, g->constant_bytes_left, (size_t)64 << 20))
        g->constant_bytes_left = SIZE_MAX;
    status = dpli_onnx_read(g, bytes, n_bytes, err);
    if (status == DPL_OK)
        status = dpli_graph_dequantize(g, err);
    if (status == DPL_OK)
        status = dpli_graph_load(g, err);
    if (status == DPL_OK)
        status = dpli_graph_fold(g, training, err);
    if (status == DPL_OK)
        status = check_infinite(g, err);
    return status == DPL_OK ? status : blame(err);
}

dpl_status dpli_graph_for_training(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err)
{
    dpl_status status;

    memset(g, 0, sizeof *g);
    g->max_operations = ((dpl_net_options)DPL_NET_OPTIONS_INIT).max_operations;
    status = read_graph(g, bytes, n_bytes, true, err);
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++)
        status = dpli_normalize_settle(g, &g->nodes[k], err);
    if (status != DPL_OK) {
        dpli_graph_clear(g);
        return status;
    }
    dpli_graph_sweep(g);
    return DPL_OK;
}

/* The fact in which numbers the net keeps its accuracy, or "". */
static const char *fact_of(const dpli_graph *g)
{
    for (int32_t i = 0; i < g->n_meta; i++)
        if (strcmp(g->meta[i].key, "doppel.precision") == 0)
            return g->meta[i].text;
    return "";
}

/* In which numbers the net is to compute: bfloat16 is by AMX faster than float32, by AVX512-BF16
 * alone not on every processor. *by_ranges: in bytes, if it has a fact for them; a net that is
 * quantised is in bytes unless other numbers are asked for. */
static dpli_numbers choose_numbers(const dpli_graph *g, bool *by_ranges)
{
    const bool automatic = g->precision == DPL_PRECISION_AUTO;
    const char *fact = automatic ? fact_of(g) : "";

    *by_ranges = false;
    if (g->precision == DPL_PRECISION_BF16)
        return dpli_narrow_there() ? DPLI_HALVES : DPLI_FLOATS;
    if (g->precision == DPL_PRECISION_INT8 || automatic) {
        if (dpli_graph_is_quantised(g))
            return DPLI_BYTES;
        *by_ranges = g->precision == DPL_PRECISION_INT8 || strcmp(fact, "int8") == 0;
    }
    return strcmp(fact, "bf16") == 0 && dpli_cpu_narrow() == DPLI_NARROW_AMX ? DPLI_HALVES
                                                                             : DPLI_FLOATS;
}

dpl_status dpli_load_for_running(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err)
{
    dpl_status status = read_graph(g, bytes, n_bytes, false, err);
    bool by_ranges;

    if (status != DPL_OK)
        return status;
    status = dpli_graph_pair(g, err);
    if (status != DPL_OK)
        return status;
    g->numbers = choose_numbers(g, &by_ranges);
    g->three = g->precision == DPL_PRECISION_BF16X3 && dpli_cpu_narrow() == DPLI_NARROW_AMX;
    /* Ranges are of values as the file has them. */
    status = by_ranges ? DPL_OK : dpli_graph_merge(g, err);
    if (status == DPL_OK)
        status = dpli_graph_fuse(g, err);
    if (status == DPL_OK && by_ranges) {
        bool done;

        status = dpli_graph_quantise(g, &done, err);
        if (done)
            g->numbers = DPLI_BYTES;
    }
    if (status == DPL_OK && g->numbers == DPLI_BYTES)
        status = dpli_graph_find_grids(g, err);
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++) {
        if (g->nodes[k].op->prepare)
            status = g->nodes[k].op->prepare(g, &g->nodes[k], err);
    }
    if (status != DPL_OK)
        return blame(err);
    free_packed(g);
    return DPL_OK;
}
