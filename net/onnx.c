/*
 * onnx.c - an ONNX file to a graph. Only it and the way back, onnx_write.c, know its messages.
 *
 * Everything in the file is doubted here: versions, names, sizes, types. What comes out has each
 * name resolved, each node behind the nodes it reads, constants as float or int64_t, finite,
 * without denormals. What an operator's inputs and attributes mean is not looked at here, but in
 * ops/.
 *
 * Source: onnx/onnx.proto and the IR specification of ONNX 1.12 (opset 9 to 20).
 */
#include "net/onnx.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <onnx/onnx.pb-c.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/kernels.h"
#include "net/ops/table.h"

#define MIN_OPSET 9
#define MAX_OPSET 20

/* ------------------------------------------------------------------ protobuf's memory */

/* protobuf-c's messages take far more memory than the bytes that make them, and it unpacks by
 * recursion: a small hostile file could take all memory or all of the stack. Every message comes
 * through here once when made, so here is where both are bounded. */
typedef struct bounded {
    size_t left;
    const char *stack;
    bool no_memory; /* the system gave none */
} bounded;

/* Six levels of messages (model, graph, node, attribute, tensor, …) need less than 16 KiB. */
#define MAX_STACK_BYTES ((ptrdiff_t)128 << 10)

static void *bounded_alloc(void *ctx, size_t size)
{
    bounded *b = ctx;
    ptrdiff_t depth = b->stack - (const char *)__builtin_frame_address(0);
    void *p;

    if (size > b->left || depth > MAX_STACK_BYTES || depth < -MAX_STACK_BYTES)
        return NULL;
    b->left -= size;
    p = malloc(size);
    b->no_memory |= !p;
    return p;
}

static void bounded_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static const char *text(const char *s)
{
    return s ? s : "";
}

static char *copy_bytes(const ProtobufCBinaryData *bytes, dpl_error *err)
{
    char *s = dpli_alloc(bytes->len + 1, 1, err);

    if (!s)
        return NULL;
    if (bytes->len > 0)
        memcpy(s, bytes->data, bytes->len);
    s[bytes->len] = '\0';
    return s;
}

/* ------------------------------------------------------------------ tensors */

typedef Onnx__TensorProto tensor;

static const char *type_name(int32_t type)
{
    static const char *const names[] = {"undefined",  "float",   "uint8",  "int8",   "uint16",
                                        "int16",      "int32",   "int64",  "string", "bool",
                                        "float16",    "double",  "uint32", "uint64", "complex64",
                                        "complex128", "bfloat16"};

    return type >= 0 && (size_t)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

/* Bytes of an element in raw_data; 0 for a type that is not read. */
static size_t raw_size(int32_t type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8: return 1;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16: return 2;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32: return 4;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64: return 8;
    default: return 0;
    }
}

static bool is_float(int32_t type)
{
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

/* How many elements the typed fields hold for this type. */
static size_t typed_count(const tensor *t)
{
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: return t->n_float_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: return t->n_double_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: return t->n_int64_data;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64: return t->n_uint64_data;
    default: return t->n_int32_data;
    }
}

static void read_floats(float *out, const tensor *t, size_t n)
{
    const uint8_t *raw = t->has_raw_data ? t->raw_data.data : NULL;

    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        memcpy(out, raw ? (const void *)raw : t->float_data, n * sizeof *out);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        for (size_t i = 0; i < n; i++) {
            double x;

            memcpy(&x, raw ? raw + i * sizeof x : (const uint8_t *)&t->double_data[i], sizeof x);
            out[i] = (float)x;
        }
        break;
    default: /* float16, in the low halves of int32_data when typed */
        for (size_t i = 0; i < n; i++) {
            uint16_t half;

            if (raw)
                memcpy(&half, raw + i * sizeof half, sizeof half);
            else
                half = (uint16_t)t->int32_data[i];
            dpli_half_to_float(&out[i], &half, 1);
        }
    }
}

static int64_t read_int(const tensor *t, size_t i)
{
    const uint8_t *raw = t->has_raw_data ? t->raw_data.data + i * raw_size(t->data_type) : NULL;
    int64_t i64;
    int32_t i32;
    uint32_t u32;
    int16_t i16;
    uint16_t u16;

    if (!raw) {
        switch (t->data_type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: return t->int64_data[i];
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64: return (int64_t)t->uint64_data[i];
        default: return t->int32_data[i];
        }
    }
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: return *raw != 0;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8: return *raw;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8: return (int8_t)*raw;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16: memcpy(&i16, raw, sizeof i16); return i16;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16: memcpy(&u16, raw, sizeof u16); return u16;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32: memcpy(&i32, raw, sizeof i32); return i32;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32: memcpy(&u32, raw, sizeof u32); return u32;
    default: memcpy(&i64, raw, sizeof i64); return i64;
    }
}

/* Denormals cost a hundred cycles each where they are not flushed, and mean nothing in a weight.
 * Minus infinity is what masks are made of: who may read it is checked when all is read (load.c).
 */
static dpl_status settle_floats(float *x, size_t n, const char *name, dpl_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) && x[i] != -INFINITY)
            return dpli_fail(err, DPL_E_MODEL,
                             "\"%.200s\" holds a value that is not finite, at %zu", name, i);
        if (fpclassify(x[i]) == FP_SUBNORMAL)
            x[i] = 0.0f;
    }
    return DPL_OK;
}

/* A new constant in *id. */
static dpl_status read_tensor(dpli_graph *g, int32_t *id, const tensor *t, const char *name,
                              dpl_error *err)
{
    dpl_shape shape = {0};
    size_t size = raw_size(t->data_type), have, want;
    int64_t n;

    if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL || t->n_external_data > 0)
        return dpli_fail(err, DPL_E_MODEL,
                         "\"%.200s\" is kept in another file; only models of one file are read",
                         name);
    if (size == 0)
        return dpli_fail(err, DPL_E_MODEL, "\"%.200s\" is of type %s, which is not supported", name,
                         type_name(t->data_type));
    if (t->segment || t->n_dims > DPL_MAX_RANK)
        return dpli_fail(err, DPL_E_MODEL, "\"%.200s\" has %zu dimensions, at most %d can be", name,
                         t->n_dims, DPL_MAX_RANK);
    shape.rank = (int32_t)t->n_dims;
    for (size_t i = 0; i < t->n_dims; i++)
        shape.dims[i] = t->dims[i];
    n = dpli_shape_elements(&shape);
    if (n < 0)
        return dpli_fail(err, DPL_E_MODEL, "\"%.200s\" has dimensions that make no sense", name);
    /* Before any memory is taken for them, the elements must be there. */
    have = t->has_raw_data ? t->raw_data.len : typed_count(t);
    want = t->has_raw_data ? (size_t)n * size : (size_t)n;
    if (have != want)
        return dpli_fail(err, DPL_E_MODEL, "\"%.200s\" has %zu %s of data, its shape needs %zu",
                         name, have, t->has_raw_data ? "bytes" : "values", want);
    *id = dpli_graph_constant(g, name, is_float(t->data_type) ? DPLI_F32 : DPLI_I64, &shape, err);
    if (*id < 0)
        return DPL_E_MEMORY;
    if (n == 0)
        return DPL_OK;
    if (is_float(t->data_type)) {
        read_floats(g->values[*id].data, t, (size_t)n);
        return settle_floats(g->values[*id].data, (size_t)n, name, err);
    }
    g->values[*id].stored = t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ? DPLI_STORED_UINT8
                            : t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8
                                ? DPLI_STORED_INT8
                                : DPLI_STORED_OTHER;
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)g->values[*id].data)[i] = read_int(t, (size_t)i);
    return DPL_OK;
}

/* ------------------------------------------------------------------ names */

/* Names sorted, with the values that they stand for: finding one takes the same time whatever a
 * hostile file chose as names. */
typedef struct name_entry {
    const char *name;
    int32_t value;
} name_entry;

typedef struct names {
    name_entry *entries;
    size_t n;
} names;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const name_entry *)a)->name, ((const name_entry *)b)->name);
}

static int32_t find_name(const names *table, const char *name)
{
    name_entry key = {name, 0};
    const name_entry *found =
        table->n ? bsearch(&key, table->entries, table->n, sizeof key, compare_names) : NULL;

    return found ? found->value : -1;
}

/* A value for each initializer, each input that is none, and each output of a node. */
static dpl_status collect_names(dpli_graph *g, const Onnx__GraphProto *proto, names *table,
                                dpl_error *err)
{
    size_t cap = proto->n_initializer + proto->n_input, n_initializers;
    dpl_status status;
    int32_t id;

    for (size_t k = 0; k < proto->n_node; k++)
        cap += proto->node[k]->n_output;
    table->entries = dpli_alloc(cap, sizeof *table->entries, err);
    g->inputs = dpli_alloc(proto->n_input, sizeof *g->inputs, err);
    if (!table->entries || !g->inputs)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const char *name = text(proto->initializer[i]->name);

        if (!*name)
            return dpli_fail(err, DPL_E_MODEL, "an initializer has no name");
        status = read_tensor(g, &id, proto->initializer[i], name, err);
        if (status != DPL_OK)
            return status;
        table->entries[table->n++] = (name_entry){g->values[id].name, id};
    }
    /* An input of an initializer's name only says that the constant could be replaced. */
    n_initializers = table->n;
    if (n_initializers > 0)
        qsort(table->entries, n_initializers, sizeof *table->entries, compare_names);
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = text(proto->input[i]->name);
        names initializers = {table->entries, n_initializers};

        if (!*name)
            return dpli_fail(err, DPL_E_MODEL, "an input has no name");
        if (find_name(&initializers, name) >= 0)
            continue;
        id = dpli_graph_value(g, name, err);
        if (id < 0)
            return DPL_E_MEMORY;
        g->inputs[g->n_inputs++] = id;
        table->entries[table->n++] = (name_entry){g->values[id].name, id};
    }
    for (size_t k = 0; k < proto->n_node; k++) {
        for (size_t i = 0; i < proto->node[k]->n_output; i++) {
            const char *name = text(proto->node[k]->output[i]);

            if (!*name)
                continue;
            id = dpli_graph_value(g, name, err);
            if (id < 0)
                return DPL_E_MEMORY;
            table->entries[table->n++] = (name_entry){g->values[id].name, id};
        }
    }
    if (table->n > 0)
        qsort(table->entries, table->n, sizeof *table->entries, compare_names);
    for (size_t i = 1; i < table->n; i++) {
        if (strcmp(table->entries[i - 1].name, table->entries[i].name) == 0)
            return dpli_fail(err, DPL_E_MODEL, "\"%.200s\" is defined twice",
                             table->entries[i].name);
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ nodes */

static dpl_status copy_strings(dpli_attr *attr, const Onnx__AttributeProto *proto, dpl_error *err)
{
    size_t n_bytes = 1, at = 0;

    for (size_t i = 0; i < proto->n_strings; i++)
        n_bytes += proto->strings[i].len + 1;
    attr->s = dpli_calloc(n_bytes, 1, err);
    if (!attr->s)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < proto->n_strings; i++) {
        const ProtobufCBinaryData *s = &proto->strings[i];

        if (s->len > 0)
            memcpy(attr->s + at, s->data, s->len);
        at += s->len;
        attr->s[at++] = ' ';
    }
    attr->n = proto->n_strings;
    return DPL_OK;
}

static dpl_status read_attr(dpli_graph *g, const dpli_node *node, dpli_attr *attr,
                            const Onnx__AttributeProto *proto, dpl_error *err)
{
    int32_t kind = proto->has_type ? (int32_t)proto->type : 0;

    attr->name = dpli_strdup(text(proto->name), err);
    if (!attr->name)
        return DPL_E_MEMORY;
    switch (kind) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        attr->kind = DPLI_ATTR_FLOAT;
        attr->f = proto->f;
        return DPL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        attr->kind = DPLI_ATTR_INT;
        attr->i = proto->i;
        return DPL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        attr->kind = DPLI_ATTR_STRING;
        attr->s = copy_bytes(&proto->s, err);
        return attr->s ? DPL_OK : DPL_E_MEMORY;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        attr->kind = DPLI_ATTR_FLOATS;
        attr->n = proto->n_floats;
        attr->floats = dpli_alloc(attr->n, sizeof *attr->floats, err);
        if (!attr->floats)
            return DPL_E_MEMORY;
        if (attr->n > 0)
            memcpy(attr->floats, proto->floats, attr->n * sizeof *attr->floats);
        return DPL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        attr->kind = DPLI_ATTR_INTS;
        attr->n = proto->n_ints;
        attr->ints = dpli_alloc(attr->n, sizeof *attr->ints, err);
        if (!attr->ints)
            return DPL_E_MEMORY;
        if (attr->n > 0)
            memcpy(attr->ints, proto->ints, attr->n * sizeof *attr->ints);
        return DPL_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        attr->kind = DPLI_ATTR_STRINGS;
        return copy_strings(attr, proto, err);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        attr->kind = DPLI_ATTR_TENSOR;
        if (!proto->t)
            break;
        return read_tensor(g, &attr->tensor, proto->t,
                           node->n_outputs > 0 && node->outputs[0] >= 0
                               ? g->values[node->outputs[0]].name
                               : attr->name,
                           err);
    default: break;
    }
    return dpli_node_fail(g, node, DPL_E_MODEL, err,
                          "attribute \"%.60s\" is of a kind that is not supported", attr->name);
}

static dpl_status read_node(dpli_graph *g, const Onnx__NodeProto *proto, const names *table,
                            dpl_error *err)
{
    const char *op_name = text(proto->op_type), *domain = text(proto->domain);
    const char *label = *text(proto->name) ? proto->name
                        : proto->n_output  ? text(proto->output[0])
                                           : "";
    const dpli_op *op = dpli_op_find(op_name);
    dpli_node *node;

    if (*domain && strcmp(domain, "ai.onnx") != 0 &&
        !(op && op->role == DPLI_ROLE_QLINEAR && strcmp(domain, "com.microsoft") == 0))
        return dpli_fail(err, DPL_E_MODEL,
                         "operator %.60s.%.60s of node \"%.100s\" is not supported", domain,
                         op_name, label);
    if (!op)
        return dpli_fail(err, DPL_E_MODEL, "operator %.60s of node \"%.100s\" is not supported",
                         op_name, label);
    if (proto->n_input > DPLI_MAX_INPUTS || proto->n_output > DPLI_MAX_INPUTS)
        return dpli_fail(err, DPL_E_MODEL, "%s \"%.100s\" has more than %d inputs or outputs",
                         op_name, label, DPLI_MAX_INPUTS);
    node = dpli_graph_node(g, op, (int32_t)proto->n_input, (int32_t)proto->n_output, err);
    if (!node)
        return DPL_E_MEMORY;
    node->name = dpli_strdup(text(proto->name), err);
    node->attrs = dpli_calloc(proto->n_attribute, sizeof *node->attrs, err);
    if (!node->name || !node->attrs)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < node->n_outputs; i++) {
        const char *name = text(proto->output[i]);

        node->outputs[i] = *name ? find_name(table, name) : -1;
    }
    if (node->n_inputs < op->min_inputs || node->n_inputs > op->max_inputs)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has %d inputs", (int)node->n_inputs);
    if (node->n_outputs < 1 || node->outputs[0] < 0)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "has no output");
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const char *name = text(proto->input[i]);
        const dpli_value *v;

        if (!*name) {
            if (i < op->min_inputs)
                return dpli_node_fail(g, node, DPL_E_MODEL, err, "input %d is left out", (int)i);
            continue;
        }
        node->inputs[i] = find_name(table, name);
        if (node->inputs[i] < 0)
            return dpli_node_fail(g, node, DPL_E_MODEL, err, "input \"%.100s\" does not exist",
                                  name);
        v = &g->values[node->inputs[i]];
        /* What is there before the first node has consumer 0, the rest gets it when made below. */
        if (!v->data && v->consumer < 0)
            return dpli_node_fail(g, node, DPL_E_MODEL, err,
                                  "input \"%.100s\" is made later: nodes unsorted, or a cycle",
                                  name);
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] >= 0)
            g->values[node->outputs[i]].consumer = 0;
    }
    for (size_t i = 0; i < proto->n_attribute; i++) {
        dpl_status status = read_attr(g, node, &node->attrs[i], proto->attribute[i], err);

        node->n_attrs++;
        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ inputs and outputs */

static dpl_status read_declaration(dpli_graph *g, int32_t id, const Onnx__ValueInfoProto *proto,
                                   bool is_input, dpl_error *err)
{
    const char *side = is_input ? "input" : "output";
    const Onnx__TypeProto__Tensor *t =
        proto->type && proto->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? proto->type->tensor_type
            : NULL;
    dpl_shape shape = {.rank = -1};

    bool ids;

    if (!t)
        return dpli_fail(err, DPL_E_MODEL, "%s \"%.200s\" is not declared as a tensor", side,
                         text(proto->name));
    ids = is_input && (t->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ||
                       t->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32);
    if (!ids && t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT &&
        t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16)
        return dpli_fail(err, DPL_E_MODEL, "%s \"%.200s\" is of type %s, only %s is supported",
                         side, text(proto->name), type_name(t->elem_type),
                         is_input ? "float, int64 or int32" : "float");
    if (t->shape) {
        if (t->shape->n_dim > DPL_MAX_RANK)
            return dpli_fail(err, DPL_E_MODEL,
                             "%s \"%.200s\" has %zu dimensions, at most %d can be", side,
                             text(proto->name), t->shape->n_dim, DPL_MAX_RANK);
        shape.rank = (int32_t)t->shape->n_dim;
        for (int32_t i = 0; i < shape.rank; i++) {
            const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[i];
            bool fixed = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;

            /* 0 and -1 are how some exporters say that a dimension is free. */
            shape.dims[i] = fixed && dim->dim_value > 0 ? dim->dim_value : -1;
        }
    }
    /* A constant that is an output keeps the shape it has. */
    if (!g->values[id].data)
        g->values[id].shape = shape;
    if (ids)
        g->values[id].type = DPLI_I64;
    return DPL_OK;
}

static dpl_status read_graph(dpli_graph *g, const Onnx__GraphProto *proto, names *table,
                             dpl_error *err)
{
    dpl_status status;
    int32_t at = 0;

    if (proto->n_node > DPLI_MAX_NODES)
        return dpli_fail(err, DPL_E_MODEL, "network has %zu nodes, at most %d can be",
                         proto->n_node, DPLI_MAX_NODES);
    if (proto->n_input > DPLI_MAX_NODES || proto->n_output > DPLI_MAX_INPUTS ||
        proto->n_initializer > 4 * DPLI_MAX_NODES)
        return dpli_fail(err, DPL_E_MODEL, "network has too many inputs, outputs or initializers");
    if (proto->n_sparse_initializer > 0)
        return dpli_fail(err, DPL_E_MODEL, "sparse initializers are not supported");
    if (proto->n_output == 0)
        return dpli_fail(err, DPL_E_MODEL, "network has no output");
    status = collect_names(g, proto, table, err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < proto->n_input; i++) {
        int32_t id = find_name(table, text(proto->input[i]->name));

        if (at < g->n_inputs && g->inputs[at] == id) {
            status = read_declaration(g, id, proto->input[i], true, err);
            if (status != DPL_OK)
                return status;
            g->values[id].consumer = 0;
            at++;
        }
    }
    for (size_t k = 0; k < proto->n_node; k++) {
        status = read_node(g, proto->node[k], table, err);
        if (status != DPL_OK)
            return status;
    }
    g->outputs = dpli_alloc(proto->n_output, sizeof *g->outputs, err);
    if (!g->outputs)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < proto->n_output; i++) {
        const char *name = text(proto->output[i]->name);
        int32_t id = find_name(table, name);

        if (id < 0)
            return dpli_fail(err, DPL_E_MODEL, "output \"%.200s\" does not exist", name);
        /* An input that is an output is declared once, as an input. */
        if (g->values[id].shape.rank < 0) {
            status = read_declaration(g, id, proto->output[i], false, err);
            if (status != DPL_OK)
                return status;
        }
        g->outputs[g->n_outputs++] = id;
    }
    return DPL_OK;
}

static dpl_status read_model(dpli_graph *g, const Onnx__ModelProto *model, names *table,
                             dpl_error *err)
{
    int64_t opset = 0;

    if (!model->graph)
        return dpli_fail(err, DPL_E_MODEL, "not an ONNX model: it has no graph");
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = text(model->opset_import[i]->domain);

        if (!*domain || strcmp(domain, "ai.onnx") == 0)
            opset = model->opset_import[i]->version;
    }
    if (opset < MIN_OPSET || opset > MAX_OPSET)
        return dpli_fail(err, DPL_E_MODEL, "opset %lld is not supported, only %d to %d are",
                         (long long)opset, MIN_OPSET, MAX_OPSET);
    g->opset = (int32_t)opset;
    if (model->n_functions > 0)
        return dpli_fail(err, DPL_E_MODEL, "functions inside the model are not supported");
    if (model->n_metadata_props > DPLI_MAX_INPUTS)
        return dpli_fail(err, DPL_E_MODEL, "more than %d metadata entries", DPLI_MAX_INPUTS);
    g->meta = dpli_calloc(model->n_metadata_props, sizeof *g->meta, err);
    if (!g->meta)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        dpli_meta *meta = &g->meta[g->n_meta++];

        meta->key = dpli_strdup(text(model->metadata_props[i]->key), err);
        meta->text = dpli_strdup(text(model->metadata_props[i]->value), err);
        if (!meta->key || !meta->text)
            return DPL_E_MEMORY;
    }
    return read_graph(g, model->graph, table, err);
}

dpl_status dpli_onnx_read(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err)
{
    bounded memory = {.stack = __builtin_frame_address(0)};
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &memory};
    Onnx__ModelProto *model;
    names table = {0};
    dpl_status status;

    if (!dpli_mul(&memory.left, n_bytes, 4) ||
        !dpli_add(&memory.left, memory.left, (size_t)64 << 20))
        return dpli_fail(err, DPL_E_LIMIT, "model is too large");
    model = onnx__model_proto__unpack(&allocator, n_bytes, bytes);
    if (!model && memory.no_memory)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory reading a model");
    if (!model)
        return dpli_fail(err, DPL_E_MODEL, "not an ONNX model, damaged, or nested too deep");
    status = read_model(g, model, &table, err);
    free(table.entries);
    onnx__model_proto__free_unpacked(model, &allocator);
    return status;
}
