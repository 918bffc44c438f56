/*
 * onnx_write.c - a graph to an ONNX file, the way back from onnx.c.
 *
 * Takes graphs that are not fused: each node as its operator's specification has it, attributes as
 * they were read. What onnx.c reads as float32 or int64 is written as that; Cast follows. Only the
 * dimension that batches have is named; other free ones are left unsaid.
 *
 * Source: onnx/onnx.proto and the IR specification of ONNX 1.12, IR version 8.
 */
#include "net/onnx_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onnx/onnx.pb-c.h>

#include "base/fail.h"
#include "base/mem.h"
#include "net/ops/op.h"

#define IR_VERSION 8
/* protobuf's own limit. */
#define MAX_BYTES ((size_t)INT32_MAX)

/* Memory of the messages, freed as one; what is named or large is borrowed from the graph. After
 * the first failure everything that is asked for is NULL. */
typedef struct block {
    struct block *next;
    max_align_t memory[];
} block;

typedef struct writer {
    const dpli_graph *g;
    block *blocks;
    bool failed;
    dpl_error *err;
} writer;

static void *take(writer *w, size_t n, size_t size)
{
    block *made = NULL;
    size_t bytes;

    if (!w->failed && dpli_mul(&bytes, n, size) && dpli_add(&bytes, bytes, sizeof *made))
        made = dpli_calloc(1, bytes, w->err);
    if (!made) {
        w->failed = true;
        return NULL;
    }
    made->next = w->blocks;
    w->blocks = made;
    return made->memory;
}

/* A message of its kind, empty: p->... = NEW(w, Onnx__NodeProto, onnx__node_proto). */
#define NEW(w, type, prefix) ((type *)start(take((w), 1, sizeof(type)), &prefix##__descriptor))

static int32_t data_type(dpli_type type)
{
    switch (type) {
    case DPLI_F32: return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    case DPLI_BF16: /* of a run only */
    case DPLI_U8:
    case DPLI_I64: break;
    }
    return ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
}

static void *start(void *message, const ProtobufCMessageDescriptor *descriptor)
{
    if (message)
        protobuf_c_message_init(descriptor, message);
    return message;
}

/* ------------------------------------------------------------------ tensors */

static Onnx__TensorProto *write_tensor(writer *w, const dpli_value *v, const char *name)
{
    Onnx__TensorProto *t = NEW(w, Onnx__TensorProto, onnx__tensor_proto);
    const size_t size = dpli_type_bytes(v->type);

    if (!t)
        return NULL;
    t->name = (char *)name;
    t->n_dims = (size_t)v->shape.rank;
    t->dims = (int64_t *)v->shape.dims;
    t->has_data_type = 1;
    t->data_type = data_type(v->type);
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)dpli_shape_elements(&v->shape) * size;
    t->raw_data.data = v->data;
    return t;
}

/* Integers that a node takes for true or false, or as quantised, are of a type of their own in a
 * file. */
static void as_bytes(writer *w, Onnx__TensorProto *t, int32_t type)
{
    const size_t n = t ? t->raw_data.len / sizeof(int64_t) : 0;
    const int64_t *from = t ? (const int64_t *)(const void *)t->raw_data.data : NULL;
    uint8_t *bytes = take(w, n, 1);

    if (!t || !bytes)
        return;
    for (size_t i = 0; i < n; i++)
        bytes[i] =
            type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL ? from[i] != 0 : (uint8_t)(from[i] & 0xff);
    t->data_type = type;
    t->raw_data.data = bytes;
    t->raw_data.len = n;
}

/* All constants but those that are inside an attribute. */
static void write_initializers(writer *w, Onnx__GraphProto *graph)
{
    const dpli_graph *g = w->g;
    bool *inside = take(w, (size_t)g->n_values, sizeof *inside);

    bool *says_whether = take(w, (size_t)g->n_values, sizeof *says_whether);
    bool *quantised = take(w, (size_t)g->n_values, sizeof *quantised);

    graph->initializer = take(w, (size_t)g->n_values, sizeof(void *));
    if (w->failed)
        return;
    for (int32_t k = 0; k < g->n_nodes; k++) {
        for (int32_t i = 0; i < g->nodes[k].n_attrs; i++) {
            if (g->nodes[k].attrs[i].kind == DPLI_ATTR_TENSOR)
                inside[g->nodes[k].attrs[i].tensor] = true;
        }
        for (int32_t i = 0; i < g->nodes[k].n_inputs; i++) {
            const dpli_role role = g->nodes[k].op->role;
            const int32_t id = g->nodes[k].inputs[i];

            if (id >= 0 && g->values[id].type == DPLI_I64 &&
                (role == DPLI_ROLE_LOGIC || (role == DPLI_ROLE_WHERE && i == 0)))
                says_whether[id] = true;
            if (id >= 0 && g->values[id].type == DPLI_I64 &&
                (role == DPLI_ROLE_QUANTIZE || role == DPLI_ROLE_DEQUANTIZE))
                quantised[id] = g->values[id].stored != DPLI_STORED_OTHER;
        }
    }
    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].data && !inside[i])
            graph->initializer[graph->n_initializer++] =
                write_tensor(w, &g->values[i], g->values[i].name);
        if (g->values[i].data && !inside[i] && says_whether[i])
            as_bytes(w, graph->initializer[graph->n_initializer - 1],
                     ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
        if (g->values[i].data && !inside[i] && quantised[i])
            as_bytes(w, graph->initializer[graph->n_initializer - 1],
                     g->values[i].stored == DPLI_STORED_INT8
                         ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8
                         : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8);
    }
}

/* ------------------------------------------------------------------ nodes */

/* The lengths of a recurrent layer's sequences: int32 in a file, int64 here. */
#define LENGTHS 4

static bool has_lengths(const dpli_node *node)
{
    return node->op->role == DPLI_ROLE_RECURRENT && node->n_inputs > LENGTHS &&
           node->inputs[LENGTHS] >= 0;
}

/* A Cast whose result is the lengths of recurrent layers and nothing else. */
static bool makes_lengths(const dpli_graph *g, const dpli_node *node)
{
    int32_t n = 0;

    for (int32_t k = 0; k < g->n_nodes; k++)
        n += has_lengths(&g->nodes[k]) && g->nodes[k].inputs[LENGTHS] == node->outputs[0];
    return node->op->role == DPLI_ROLE_CAST && n > 0 && g->values[node->outputs[0]].n_uses == n;
}

/* The type that a Cast gives here, where there are only float, int64 and bool. */
static int64_t cast_type(int64_t type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: return type;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    default: return ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    }
}

static Onnx__AttributeProto *write_attr(writer *w, const dpli_node *node, const dpli_attr *attr)
{
    Onnx__AttributeProto *a = NEW(w, Onnx__AttributeProto, onnx__attribute_proto);

    if (!a)
        return NULL;
    a->name = attr->name;
    a->has_type = 1;
    switch (attr->kind) {
    case DPLI_ATTR_FLOAT:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        a->has_f = 1;
        a->f = attr->f;
        break;
    case DPLI_ATTR_INT:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = 1;
        a->i = attr->i;
        if (node->op->role == DPLI_ROLE_CAST)
            a->i = makes_lengths(w->g, node) ? ONNX__TENSOR_PROTO__DATA_TYPE__INT32
                                             : cast_type(attr->i);
        break;
    case DPLI_ATTR_STRING:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        a->has_s = 1;
        a->s.len = strlen(attr->s);
        a->s.data = (uint8_t *)attr->s;
        break;
    case DPLI_ATTR_FLOATS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        a->n_floats = attr->n;
        a->floats = attr->floats;
        break;
    case DPLI_ATTR_INTS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        a->n_ints = attr->n;
        a->ints = attr->ints;
        break;
    case DPLI_ATTR_STRINGS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
        a->strings = take(w, attr->n, sizeof *a->strings);
        a->n_strings = a->strings ? attr->n : 0;
        for (size_t i = 0, at = 0; i < a->n_strings; i++) {
            a->strings[i].data = (uint8_t *)attr->s + at;
            a->strings[i].len = strcspn(attr->s + at, " ");
            at += a->strings[i].len + (attr->s[at + a->strings[i].len] != '\0');
        }
        break;
    case DPLI_ATTR_TENSOR:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        a->t = write_tensor(w, &w->g->values[attr->tensor], NULL);
        break;
    }
    return a;
}

static char **write_names(writer *w, const int32_t *ids, int32_t n)
{
    static char left_out[] = "";
    char **names = take(w, (size_t)n, sizeof *names);

    for (int32_t i = 0; names && i < n; i++)
        names[i] = ids[i] >= 0 ? w->g->values[ids[i]].name : left_out;
    return names;
}

static Onnx__NodeProto *write_node(writer *w, const dpli_node *node)
{
    Onnx__NodeProto *p = NEW(w, Onnx__NodeProto, onnx__node_proto);
    char **inputs = write_names(w, node->inputs, node->n_inputs);
    char **outputs = write_names(w, node->outputs, node->n_outputs);
    Onnx__AttributeProto **attrs = take(w, (size_t)node->n_attrs, sizeof *attrs);

    if (w->failed)
        return NULL;
    p->name = *node->name ? node->name : NULL;
    p->op_type = (char *)node->op->name;
    p->n_input = (size_t)node->n_inputs;
    p->input = inputs;
    p->n_output = (size_t)node->n_outputs;
    p->output = outputs;
    p->n_attribute = (size_t)node->n_attrs;
    p->attribute = attrs;
    for (int32_t i = 0; i < node->n_attrs; i++)
        attrs[i] = write_attr(w, node, &node->attrs[i]);
    return p;
}

/* A Cast to int32 before the lengths of a node already written, where none is; NULL where it needs
 * none. */
static Onnx__NodeProto *cast_lengths(writer *w, const dpli_node *node, Onnx__NodeProto *written)
{
    static char op[] = "Cast", to[] = "to", end[] = ".int32";
    const dpli_value *v = has_lengths(node) ? &w->g->values[node->inputs[LENGTHS]] : NULL;
    const char *own = w->g->values[node->outputs[0]].name;
    Onnx__NodeProto *p;
    Onnx__AttributeProto *attr;
    size_t n_name = strlen(own);
    char **names, *name;

    if (!v || w->failed || (v->producer >= 0 && makes_lengths(w->g, &w->g->nodes[v->producer])))
        return NULL;
    p = NEW(w, Onnx__NodeProto, onnx__node_proto);
    attr = NEW(w, Onnx__AttributeProto, onnx__attribute_proto);
    names = take(w, 2, sizeof *names);
    name = take(w, n_name + sizeof end, 1);
    if (w->failed)
        return NULL;
    memcpy(name, own, n_name);
    memcpy(name + n_name, end, sizeof end);
    attr->name = to;
    attr->has_type = attr->has_i = 1;
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    attr->i = ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    names[0] = v->name;
    names[1] = name;
    p->op_type = op;
    p->n_input = p->n_output = p->n_attribute = 1;
    p->input = names;
    p->output = names + 1;
    p->attribute = take(w, 1, sizeof *p->attribute);
    if (w->failed)
        return NULL;
    p->attribute[0] = attr;
    written->input[LENGTHS] = name;
    return p;
}

/* ------------------------------------------------------------------ the whole */

static Onnx__TensorShapeProto *write_shape(writer *w, const dpl_shape *shape)
{
    static char batch[] = "N";
    Onnx__TensorShapeProto *p = NEW(w, Onnx__TensorShapeProto, onnx__tensor_shape_proto);
    Onnx__TensorShapeProto__Dimension **dims = take(w, (size_t)shape->rank, sizeof *dims);

    if (w->failed)
        return NULL;
    p->n_dim = (size_t)shape->rank;
    p->dim = dims;
    for (int32_t i = 0; i < shape->rank; i++) {
        dims[i] = NEW(w, Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension);
        if (!dims[i])
            return NULL;
        if (shape->dims[i] >= 0) {
            dims[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dims[i]->dim_value = shape->dims[i];
        } else if (i == 0) {
            dims[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dims[i]->dim_param = batch;
        }
    }
    return p;
}

static Onnx__ValueInfoProto **write_declarations(writer *w, const int32_t *ids, int32_t n)
{
    Onnx__ValueInfoProto **list = take(w, (size_t)n, sizeof *list);

    for (int32_t i = 0; list && i < n; i++) {
        const dpli_value *v = &w->g->values[ids[i]];
        Onnx__TypeProto *type = NEW(w, Onnx__TypeProto, onnx__type_proto);
        Onnx__TypeProto__Tensor *tensor = NEW(w, Onnx__TypeProto__Tensor, onnx__type_proto__tensor);

        list[i] = NEW(w, Onnx__ValueInfoProto, onnx__value_info_proto);
        if (w->failed)
            return NULL;
        tensor->has_elem_type = 1;
        tensor->elem_type = data_type(v->type);
        tensor->shape = v->shape.rank >= 0 ? write_shape(w, &v->shape) : NULL;
        type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        type->tensor_type = tensor;
        list[i]->name = v->name;
        list[i]->type = type;
    }
    return list;
}

static Onnx__GraphProto *write_graph(writer *w)
{
    static char name[] = "net";
    const dpli_graph *g = w->g;
    Onnx__GraphProto *p = NEW(w, Onnx__GraphProto, onnx__graph_proto);

    if (!p)
        return NULL;
    p->name = name;
    p->node = take(w, (size_t)g->n_nodes * 2, sizeof *p->node);
    p->input = write_declarations(w, g->inputs, g->n_inputs);
    p->output = write_declarations(w, g->outputs, g->n_outputs);
    write_initializers(w, p);
    if (w->failed)
        return NULL;
    p->n_input = (size_t)g->n_inputs;
    p->n_output = (size_t)g->n_outputs;
    for (int32_t k = 0; k < g->n_nodes; k++) {
        Onnx__NodeProto *node = write_node(w, &g->nodes[k]);
        Onnx__NodeProto *cast = node ? cast_lengths(w, &g->nodes[k], node) : NULL;

        if (cast)
            p->node[p->n_node++] = cast;
        p->node[p->n_node++] = node;
    }
    return p;
}

static void write_meta(writer *w, Onnx__ModelProto *model)
{
    const dpli_graph *g = w->g;

    model->metadata_props = take(w, (size_t)g->n_meta, sizeof *model->metadata_props);
    for (int32_t i = 0; i < g->n_meta && !w->failed; i++) {
        Onnx__StringStringEntryProto *entry =
            NEW(w, Onnx__StringStringEntryProto, onnx__string_string_entry_proto);

        if (!entry)
            return;
        entry->key = g->meta[i].key;
        entry->value = g->meta[i].text;
        model->metadata_props[model->n_metadata_props++] = entry;
    }
}

static Onnx__ModelProto *write_model(writer *w)
{
    static char producer[] = "doppel";
    Onnx__ModelProto *model = NEW(w, Onnx__ModelProto, onnx__model_proto);
    Onnx__OperatorSetIdProto *opset = NEW(w, Onnx__OperatorSetIdProto, onnx__operator_set_id_proto);

    if (w->failed)
        return NULL;
    opset->has_version = 1;
    opset->version = w->g->opset;
    model->has_ir_version = 1;
    model->ir_version = IR_VERSION;
    model->producer_name = producer;
    model->opset_import = take(w, 1, sizeof *model->opset_import);
    model->graph = write_graph(w);
    write_meta(w, model);
    if (w->failed)
        return NULL;
    model->opset_import[0] = opset;
    model->n_opset_import = 1;
    return model;
}

dpl_status dpli_onnx_write(uint8_t **bytes, size_t *n_bytes, const dpli_graph *g, dpl_error *err)
{
    writer w = {.g = g, .err = err};
    const Onnx__ModelProto *model = write_model(&w);
    dpl_status status = DPL_E_MEMORY;

    *bytes = NULL;
    *n_bytes = 0;
    if (!model)
        goto done;
    *n_bytes = onnx__model_proto__get_packed_size(model);
    if (*n_bytes > MAX_BYTES) {
        status = dpli_fail(err, DPL_E_LIMIT, "model would be %zu bytes, an ONNX file ends at %zu",
                           *n_bytes, MAX_BYTES);
        goto done;
    }
    *bytes = dpli_alloc(*n_bytes, 1, err);
    if (!*bytes)
        goto done;
    onnx__model_proto__pack(model, *bytes);
    status = DPL_OK;
done:
    while (w.blocks) {
        block *next = w.blocks->next;

        free(w.blocks);
        w.blocks = next;
    }
    if (status != DPL_OK)
        *n_bytes = 0;
    return status;
}
