/*
 * net.c - a network's public face: opening, what it says of itself, closing.
 *
 * Loading reads the graph (onnx.c), lets each operator check its node (ops/), folds, fuses, and
 * packs weights for the kernels. After that a net does not change.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "net/ops/ops.h"
#include "net/tape.h"

#define MAX_SIDECAR_BYTES ((size_t)16 << 20)

/* ------------------------------------------------------------------ loading */

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

void dpli_graph_count(dpli_graph *g)
{
    g->n_parameters = 0;
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].data && g->values[i].type == DPLI_F32)
            g->n_parameters += (uint64_t)dpli_shape_elements(&g->values[i].shape);
    }
}

/* A weight that all its readers have packed is not needed as it was. */
static void free_packed(dpli_graph *g)
{
    for (int32_t k = 0; k < g->n_nodes; k++) {
        if (g->nodes[k].packed)
            g->values[g->nodes[k].inputs[1]].n_uses--;
    }
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].n_uses == 0) {
            free(g->values[i].data);
            g->values[i].data = NULL;
        }
    }
}

/* The file's bytes to a graph whose nodes are checked and whose constants are folded. */
static dpl_status read_graph(dpli_graph *g, const void *bytes, size_t n_bytes, bool training,
                             dpl_error *err)
{
    dpl_status status;

    /* One byte of a file can be an int64 here, float16 doubles, and packing makes another copy. */
    if (!dpli_mul(&g->constant_bytes_left, n_bytes, 16) ||
        !dpli_add(&g->constant_bytes_left, g->constant_bytes_left, (size_t)64 << 20))
        g->constant_bytes_left = SIZE_MAX;
    status = dpli_onnx_read(g, bytes, n_bytes, err);
    if (status == DPL_OK)
        status = dpli_graph_load(g, err);
    if (status == DPL_OK)
        status = dpli_graph_fold(g, training, err);
    return status;
}

dpl_status dpli_graph_for_training(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err)
{
    dpl_status status;

    memset(g, 0, sizeof *g);
    g->max_arena_bytes = ((dpl_net_options)DPL_NET_OPTIONS_INIT).max_arena_bytes;
    status = read_graph(g, bytes, n_bytes, true, err);
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++)
        status = dpli_normalize_settle(g, &g->nodes[k], err);
    if (status != DPL_OK) {
        dpli_graph_clear(g);
        return status;
    }
    dpli_graph_sweep(g);
    dpli_graph_count(g);
    return DPL_OK;
}

static dpl_status build(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err)
{
    dpl_status status = read_graph(g, bytes, n_bytes, false, err);

    if (status == DPL_OK)
        status = dpli_graph_fuse(g, err);
    if (status != DPL_OK)
        return status;
    dpli_graph_count(g);
    for (int32_t k = 0; k < g->n_nodes && status == DPL_OK; k++) {
        if (g->nodes[k].op->prepare)
            status = g->nodes[k].op->prepare(g, &g->nodes[k], err);
    }
    free_packed(g);
    return status;
}

static bool read_varint(uint64_t *out, const uint8_t *bytes, size_t n, size_t *at)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < n; shift += 7) {
        const uint8_t byte = bytes[(*at)++];
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/** Step over one field of a protobuf message and its key; false at what is none. */
static bool skip_field(uint64_t *key, const uint8_t *bytes, size_t n, size_t *at)
{
    uint64_t length = 0;

    if (!read_varint(key, bytes, n, at))
        return false;
    switch (*key & 7) {
    case 0: return read_varint(&length, bytes, n, at);
    case 1: length = 8; break;
    case 2:
        if (!read_varint(&length, bytes, n, at))
            return false;
        break;
    case 5: length = 4; break;
    default: return false;
    }
    if (length > n - *at)
        return false;
    *at += (size_t)length;
    return true;
}

/**
 * Name a model by its file without ModelProto's metadata_props (field 14): what is said about a net
 * does not change what it computes, and a gallery must not lose its model to a new calibration.
 */
static dpl_status hash_model(char hex[65], const uint8_t *bytes, size_t n, dpl_error *err)
{
    const uint64_t metadata_props = 14 << 3 | 2;
    dpli_sha256 sum;

    dpli_sha256_init(&sum);
    for (size_t at = 0, from = 0; from < n; from = at) {
        uint64_t key;
        if (!skip_field(&key, bytes, n, &at))
            at = n; /* counted as it is; the parser has taken or refused it by now */
        else if (key == metadata_props)
            continue;
        dpli_sha256_add(&sum, bytes + from, at - from);
    }
    return dpli_sha256_hex(&sum, hex, err);
}

dpl_status dpl_net_load(dpl_net **out, const void *bytes, size_t n_bytes,
                        const dpl_net_options *options, dpl_error *err)
{
    dpl_net_options o = DPL_NET_OPTIONS_INIT;
    dpl_net *net;
    dpl_error own;
    dpl_status status;

    *out = NULL;
    status = dpli_options(&o, sizeof o, options, "net", err);
    if (status != DPL_OK)
        return status;
    if (n_bytes > o.max_file_bytes)
        return dpli_fail(err, DPL_E_MEMORY, "model is %zu bytes, limit is %zu", n_bytes,
                         o.max_file_bytes);
    net = dpli_calloc(1, sizeof *net, err);
    if (!net)
        return DPL_E_MEMORY;
    net->graph.max_arena_bytes = o.max_arena_bytes;
    status = build(&net->graph, bytes, n_bytes, err ? err : &own);
    if (status == DPL_OK)
        status = hash_model(net->hash, bytes, n_bytes, err);
    if (status != DPL_OK) {
        dpl_net_close(net);
        return status;
    }
    *out = net;
    return DPL_OK;
}

void dpl_net_close(dpl_net *net)
{
    if (!net)
        return;
    dpli_graph_clear(&net->graph);
    free(net);
}

/* ------------------------------------------------------------------ sidecar */

/* A string as it is, numbers as JSON writes them, a list with commas between. */
static bool value_text(const json_t *value, dpli_buf *text)
{
    if (json_is_string(value)) {
        dpli_buf_str(text, json_string_value(value));
    } else if (json_is_integer(value)) {
        dpli_buf_printf(text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        dpli_buf_printf(text, "%.9g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        dpli_buf_str(text, json_is_true(value) ? "true" : "false");
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *part = json_array_get(value, i);

            if (json_is_array(part))
                return false;
            dpli_buf_str(text, i ? "," : "");
            if (!value_text(part, text))
                return false;
        }
    } else {
        return false;
    }
    return true;
}

static dpl_status read_sidecar(dpl_net *net, const char *bytes, size_t n_bytes, dpl_error *err)
{
    json_error_t problem;
    json_t *root = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES, &problem), *value;
    dpl_status status = DPL_OK;
    const char *key;

    if (!root)
        return dpli_fail(err, DPL_E_MODEL, "line %d: %s", problem.line, problem.text);
    if (!json_is_object(root))
        status = dpli_fail(err, DPL_E_MODEL, "is not a JSON object");
    for (void *at = json_object_iter(root); at && status == DPL_OK;
         at = json_object_iter_next(root, at)) {
        dpli_buf text = {0};

        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        dpli_buf_str(&text, "");
        if (!value_text(value, &text))
            status = dpli_fail(err, DPL_E_MODEL,
                               "\"%.60s\" is not a string, a number or a list of them", key);
        if (status == DPL_OK)
            status = dpli_buf_check(&text, err);
        if (status == DPL_OK)
            status = dpli_graph_set_meta(&net->graph, key, text.data, err);
        dpli_buf_clear(&text);
    }
    json_decref(root);
    return status;
}

dpl_status dpl_net_open(dpl_net **out, const char *path, const dpl_net_options *options,
                        dpl_error *err)
{
    dpl_net_options o = DPL_NET_OPTIONS_INIT;
    char *side_path = NULL;
    uint8_t *bytes = NULL, *side = NULL;
    size_t n_bytes, n_side;
    dpl_error own;
    dpl_status status;

    *out = NULL;
    status = dpli_options(&o, sizeof o, options, "net", err);
    if (status != DPL_OK)
        return status;
    side_path = dpli_asprintf(err, "%s.json", path);
    if (!side_path)
        return DPL_E_MEMORY;
    if (!err)
        err = &own;
    status = dpli_file_read(&bytes, &n_bytes, path, o.max_file_bytes, err);
    if (status == DPL_OK)
        status = dpl_net_load(out, bytes, n_bytes, &o, err);
    else
        status = status == DPL_E_INPUT   ? DPL_E_MODEL
                 : status == DPL_E_LIMIT ? DPL_E_MEMORY
                                         : status;
    if (status != DPL_OK) {
        dpli_fail_in(err, status, path);
        goto done;
    }
    /* That it is not there is the usual case, and is the only failure to go by in silence. */
    if (access(side_path, F_OK) != 0)
        goto done;
    status = dpli_file_read(&side, &n_side, side_path, MAX_SIDECAR_BYTES, err);
    if (status == DPL_OK)
        status = read_sidecar(*out, (const char *)side, n_side, err);
    if (status != DPL_OK) {
        status = status == DPL_E_MEMORY ? status : DPL_E_MODEL;
        dpli_fail_in(err, status, side_path);
        dpl_net_close(*out);
        *out = NULL;
    }
done:
    free(side_path);
    free(bytes);
    free(side);
    return status;
}

/* ------------------------------------------------------------------ what it says of itself */

const char *dpl_net_meta(const dpl_net *net, const char *key)
{
    for (int32_t i = 0; i < net->graph.n_meta; i++) {
        if (strcmp(net->graph.meta[i].key, key) == 0)
            return net->graph.meta[i].text;
    }
    return NULL;
}

const char *dpl_net_hash(const dpl_net *net)
{
    return net->hash;
}

int32_t dpl_net_n_inputs(const dpl_net *net)
{
    return net->graph.n_inputs;
}

int32_t dpl_net_n_outputs(const dpl_net *net)
{
    return net->graph.n_outputs;
}

static const dpli_value *value_at(const dpl_net *net, const int32_t *ids, int32_t n, int32_t i)
{
    return i >= 0 && i < n ? &net->graph.values[ids[i]] : NULL;
}

static const dpli_value *input_at(const dpl_net *net, int32_t i)
{
    return value_at(net, net->graph.inputs, net->graph.n_inputs, i);
}

static const dpli_value *output_at(const dpl_net *net, int32_t i)
{
    return value_at(net, net->graph.outputs, net->graph.n_outputs, i);
}

const char *dpl_net_input_name(const dpl_net *net, int32_t i)
{
    const dpli_value *v = input_at(net, i);

    return v ? v->name : NULL;
}

const char *dpl_net_output_name(const dpl_net *net, int32_t i)
{
    const dpli_value *v = output_at(net, i);

    return v ? v->name : NULL;
}

dpl_shape dpl_net_input_shape(const dpl_net *net, int32_t i)
{
    const dpli_value *v = input_at(net, i);

    return v ? v->shape : (dpl_shape){.rank = -1};
}

dpl_shape dpl_net_output_shape(const dpl_net *net, int32_t i)
{
    const dpli_value *v = output_at(net, i);

    return v ? v->shape : (dpl_shape){.rank = -1};
}

const char *dpl_cpu_level(void)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};

    return names[dpli_cpu_level()];
}
