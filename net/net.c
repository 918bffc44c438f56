/*
 * net.c - a network's public face: opening, what it says of itself, closing. Once loaded (load.c)
 * a net does not change.
 */
#include "net/net.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "net/load.h"
#include "net/model_hash.h"
#include "net/sidecar.h"

#define MAX_SIDECAR_BYTES ((size_t)16 << 20)
/* What takes about as long to sum as a thread takes to start. */
#define WORTH_A_THREAD ((size_t)1 << 20)

/* A file's bytes on their way to a net. */
typedef struct loading {
    dpl_net *net;
    const void *bytes;
    size_t n_bytes;
} loading;

/* The graph, or the sums: what neither needs of the other. */
static dpl_status load_part(void *ctx, int worker, size_t part, dpl_error *err)
{
    const loading *l = ctx;
    dpl_status status;

    (void)worker;
    if (part == 0)
        return dpli_load_for_running(&l->net->graph, l->bytes, l->n_bytes, err);
    status = dpli_model_hash(l->net->hash, l->bytes, l->n_bytes, err);
    return status == DPL_OK ? dpli_sha256_of(l->net->file_hash, l->bytes, l->n_bytes, err) : status;
}

dpl_status dpl_net_load(dpl_net **out, const void *bytes, size_t n_bytes,
                        const dpl_net_options *options, dpl_error *err)
{
    static uint64_t n_nets;
    dpl_net_options o = DPL_NET_OPTIONS_INIT;
    dpl_net *net;
    dpl_error own;
    dpl_status status;

    *out = NULL;
    status = dpli_options(&o, sizeof o, options, "net", err);
    if (status != DPL_OK)
        return status;
    if (n_bytes > o.max_file_bytes)
        return dpli_fail(err, DPL_E_LIMIT, "model is %zu bytes, limit is %zu", n_bytes,
                         o.max_file_bytes);
    net = dpli_calloc(1, sizeof *net, err);
    if (!net)
        return DPL_E_MEMORY;
    net->serial = __atomic_add_fetch(&n_nets, 1, __ATOMIC_RELAXED);
    net->graph.max_arena_bytes = o.max_arena_bytes;
    net->graph.max_operations = o.max_operations;
    net->graph.precision = o.precision;
    loading l = {net, bytes, n_bytes};
    status = dpli_pool_run(n_bytes < WORTH_A_THREAD ? 1 : dpli_n_cores(), 2, load_part, &l,
                           err ? err : &own);
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
        status = status == DPL_E_INPUT ? DPL_E_MODEL : status;
    if (status != DPL_OK) {
        dpli_fail_in(err, status, path);
        goto done;
    }
    /* That it is not there is the usual case, and is the only failure to go by in silence. */
    if (access(side_path, F_OK) != 0)
        goto done;
    status = dpli_file_read(&side, &n_side, side_path, MAX_SIDECAR_BYTES, err);
    if (status == DPL_OK)
        status = dpli_sidecar_read(&(*out)->graph, (const char *)side, n_side, err);
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

dpl_precision dpl_net_precision(const dpl_net *net)
{
    switch (net->graph.numbers) {
    case DPLI_HALVES: return DPL_PRECISION_BF16;
    case DPLI_BYTES: return DPL_PRECISION_INT8;
    case DPLI_FLOATS: break;
    }
    return net->graph.three ? DPL_PRECISION_BF16X3 : DPL_PRECISION_FLOAT32;
}

const char *dpl_net_hash(const dpl_net *net)
{
    return net->hash;
}

const char *dpl_net_file_hash(const dpl_net *net)
{
    return net->file_hash;
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

dpl_type dpl_net_input_type(const dpl_net *net, int32_t i)
{
    const dpli_value *v = input_at(net, i);

    return v && v->type == DPLI_I64 ? DPL_TYPE_INT64 : DPL_TYPE_FLOAT32;
}

const char *dpl_cpu_level(void)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};

    return names[dpli_cpu_level()];
}
