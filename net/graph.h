/*
 * The network as a graph: values and nodes.
 *
 * onnx.c builds a graph from a file, fold.c and fuse.c rewrite it, plan.c lays it out for given
 * input shapes. After dpli_graph_finish it does not change and is shared between threads.
 */
#ifndef DOPPEL_NET_GRAPH_H
#define DOPPEL_NET_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/net.h"
#include "net/kernels/geometry.h"

/* Far above any net in use, low enough that work which grows with the square of it stays short. */
#define DPLI_MAX_NODES    16384
#define DPLI_MAX_INPUTS   4096
#define DPLI_MAX_ELEMENTS ((int64_t)1 << 40)

/* What a value's elements are. In a file float16 and double are read as float32; int32, bool and
 * the other integers as int64. Bfloat16 and bytes are how a value of float32 may lie in a run
 * (net/place.h).
 */
typedef enum dpli_type { DPLI_F32, DPLI_I64, DPLI_BF16, DPLI_U8 } dpli_type;

static inline size_t dpli_type_bytes(dpli_type type)
{
    switch (type) {
    case DPLI_F32: return sizeof(float);
    case DPLI_BF16: return sizeof(uint16_t);
    case DPLI_U8: return sizeof(uint8_t);
    case DPLI_I64: break;
    }
    return sizeof(int64_t);
}

/* As what a constant of integers lay in its file, where that says more than its values. */
typedef enum dpli_stored { DPLI_STORED_OTHER, DPLI_STORED_UINT8, DPLI_STORED_INT8 } dpli_stored;

typedef struct dpli_value {
    char *name;
    dpl_shape shape; /* of a constant; of a graph input or output as declared, -1 where free */
    dpli_type type;  /* of a constant, and of a graph input; F32 where not known yet */
    void *data;      /* of a constant: float (64-byte aligned) or int64_t; NULL otherwise */
    dpli_stored stored;
    /* Of a constant that is of whole numbers of int8 times these, by its first dimension or one for
     * all; NULL where it is not known to be. */
    float *scales;
    int32_t n_scales;
    dpli_scale grid;  /* of a result that is rounded to bytes; scale 0 for none */
    int32_t producer; /* node, or -1 for inputs and constants */
    int32_t consumer; /* a node that reads it: the only one when n_uses is 1 and it is no output */
    int32_t n_uses;   /* reads by nodes and by the graph's outputs */
} dpli_value;

struct dpli_node;

/* An integer that a run cannot follow: an id that its table does not have, a length over that of
 * the longest sequence. */
typedef struct dpli_fault {
    const struct dpli_node *node; /* the first that met one; NULL while all is well */
    int64_t value, limit;
    enum { DPLI_FAULT_ID, DPLI_FAULT_LENGTH } kind;
} dpli_fault;

typedef struct dpli_attr {
    char *name;
    enum {
        DPLI_ATTR_FLOAT,
        DPLI_ATTR_INT,
        DPLI_ATTR_STRING,
        DPLI_ATTR_FLOATS,
        DPLI_ATTR_INTS,
        DPLI_ATTR_STRINGS, /* s: each with a space behind it */
        DPLI_ATTR_TENSOR
    } kind;
    float f;
    int64_t i;
    char *s;
    float *floats;
    int64_t *ints;
    size_t n;       /* of floats or ints */
    int32_t tensor; /* a constant value that nothing else names */
    bool used;      /* an operator asked for it: what nobody asks for is not supported */
} dpli_attr;

struct dpli_op;

typedef struct dpli_node {
    const struct dpli_op *op;
    char *name;      /* may be empty */
    int32_t *inputs; /* values, -1 where left out; there is room for two more */
    int32_t *outputs;
    int32_t n_inputs, n_outputs;
    dpli_attr *attrs;
    int32_t n_attrs;
    void *params;  /* the operator's own, one block */
    float *packed; /* the weight as the kernel wants it, 64-byte aligned */
    bool three;    /* packed by dpli_three_pack */
    void *narrow;  /* the same for a narrow kernel, instead */
    dpli_act act;  /* fused in; its slope is filled from the value below when planned */
    int32_t slope; /* constant value, -1 for none */
    /* Of a product of bytes: the activation behind its rounding that it computes, too; -1 */
    int32_t behind;
    bool dead;
} dpli_node;

typedef struct dpli_meta {
    char *key, *text;
} dpli_meta;

typedef struct dpli_graph {
    int32_t opset;
    dpli_value *values;
    int32_t n_values;
    size_t cap_values;
    dpli_node *nodes; /* each after those whose outputs it reads */
    int32_t n_nodes;
    size_t cap_nodes;
    int32_t *inputs, *outputs;
    int32_t n_inputs, n_outputs;
    dpli_meta *meta;
    int32_t n_meta;
    size_t max_arena_bytes;
    double max_operations;
    dpl_precision precision; /* as asked for */
    dpli_numbers numbers;    /* in which products are computed where there is a kernel for them */
    bool three;              /* those of float32 by three of bfloat16 */
    size_t constant_bytes_left; /* what more constants may take, packed ones included */
} dpli_graph;

/* ------------------------------------------------------------------ building */

void dpli_graph_clear(dpli_graph *g);

/** Free what is in a node. */
void dpli_node_clear(dpli_node *node);

/** A new value without data; -1 when out of memory. *name is copied. */
int32_t dpli_graph_value(dpli_graph *g, const char *name, dpl_error *err);

/** A new constant with room for its elements, zeroed; -1 on failure. */
int32_t dpli_graph_constant(dpli_graph *g, const char *name, dpli_type type, const dpl_shape *shape,
                            dpl_error *err);

/** A new node behind the others, with room for n_inputs + 2 inputs, all -1. */
dpli_node *dpli_graph_node(dpli_graph *g, const struct dpli_op *op, int32_t n_inputs,
                           int32_t n_outputs, dpl_error *err);

/** Drop dead nodes and those whose results nobody reads, free constants that nobody reads, and
 * recount producers, consumers and uses. */
void dpli_graph_sweep(dpli_graph *g);

/** Count producers, consumers and uses. */
void dpli_graph_count(dpli_graph *g);

/** Count bytes made from constants (folded, packed) against what the file's size allows. */
dpl_status dpli_graph_spend(dpli_graph *g, size_t n, size_t size, dpl_error *err);

/** Set the fact of this name: the metadata "doppel.NAME", in the place of an older one. */
dpl_status dpli_graph_set_meta(dpli_graph *g, const char *name, const char *text, dpl_error *err);

/** Input i, or NULL when it is left out. */
static inline dpli_value *dpli_graph_input(const dpli_graph *g, const dpli_node *node, int32_t i)
{
    return i < node->n_inputs && node->inputs[i] >= 0 ? &g->values[node->inputs[i]] : NULL;
}

/** Input i when it is a float constant, else NULL. */
const float *dpli_graph_floats(const dpli_graph *g, const dpli_node *node, int32_t i,
                               dpl_shape *shape);

/** Elements of a shape; -1 on overflow, over DPLI_MAX_ELEMENTS, or with a negative dimension. */
int64_t dpli_shape_elements(const dpl_shape *shape);
bool dpli_shape_equal(const dpl_shape *a, const dpl_shape *b);
/* Eight times the longest int64_t, with what is between them. */
#define DPLI_SHAPE_TEXT 176

/** "2x3x105x105" into buf; a scalar gives "scalar". */
const char *dpli_shape_text(const dpl_shape *shape, char buf[DPLI_SHAPE_TEXT]);

/** The error of a fault, DPL_E_INPUT; DPL_OK when there is none. */
dpl_status dpli_fault_fail(const dpli_graph *g, const dpli_fault *fault, dpl_error *err);

/** dpli_fail with `Conv "name": ` in front. */
dpl_status dpli_node_fail(const dpli_graph *g, const dpli_node *node, dpl_status status,
                          dpl_error *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Attributes, for dpli_op.load. A wrong kind is an error; an absent one leaves *out as it is. */
dpl_status dpli_attr_int(const dpli_graph *g, dpli_node *node, const char *name, int64_t *out,
                         dpl_error *err);
dpl_status dpli_attr_float(const dpli_graph *g, dpli_node *node, const char *name, float *out,
                           dpl_error *err);
/** *out is borrowed from the node. */
dpl_status dpli_attr_string(const dpli_graph *g, dpli_node *node, const char *name,
                            const char **out, dpl_error *err);
/** As dpli_attr_string, of a list: its words, each with a space behind it. */
dpl_status dpli_attr_strings(const dpli_graph *g, dpli_node *node, const char *name,
                             const char **out, dpl_error *err);
dpl_status dpli_attr_ints(const dpli_graph *g, dpli_node *node, const char *name, int64_t *out,
                          int32_t max, int32_t *n, dpl_error *err);
/** The index of a string attribute's value among the NULL-terminated words. */
dpl_status dpli_attr_word(const dpli_graph *g, dpli_node *node, const char *name,
                          const char *const *words, int32_t *out, dpl_error *err);
/** The attribute, marked as used, or NULL. */
dpli_attr *dpli_attr_find(dpli_node *node, const char *name);

/** node->params, zeroed. */
void *dpli_node_params(dpli_node *node, size_t size, dpl_error *err);

#endif
