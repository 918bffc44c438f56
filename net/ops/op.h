/* What the engine knows of an operator of ONNX. */
#ifndef DOPPEL_NET_OPS_OP_H
#define DOPPEL_NET_OPS_OP_H

#include "net/graph.h"

struct dpli_planner;
struct dpli_trained;

/* What a node is to the passes over a graph, which ask for this and not for its name. */
typedef enum dpli_role {
    DPLI_ROLE_OTHER,
    /* Products with a weight: what follows can become part of it. */
    DPLI_ROLE_CONV,
    DPLI_ROLE_GEMM,
    DPLI_ROLE_MATMUL,
    DPLI_ROLE_NORM, /* of a batch: a scale and a shift a channel */
    /* With a constant: a scale or a shift. ADD of two values can be a residual. */
    DPLI_ROLE_ADD,
    DPLI_ROLE_SUB,
    DPLI_ROLE_MUL,
    DPLI_ROLE_DIV,
    DPLI_ROLE_PAD,
    DPLI_ROLE_MEAN, /* over windows, which can have the padding before it */
    /* These two take narrow numbers (net/place.h). */
    DPLI_ROLE_POOL,
    DPLI_ROLE_RESIZE,
    /* Do nothing to a value: always, and outside of training. */
    DPLI_ROLE_SAME,
    DPLI_ROLE_DROPOUT,
    /* Of a vector divided by its own length: the length, kept from zero, spread. */
    DPLI_ROLE_LENGTH,
    DPLI_ROLE_CLIP,
    DPLI_ROLE_EXPAND,
    DPLI_ROLE_CAST,
    /* What ONNX has a type of its own for, and we have integers: the condition, input 0; operands
     * that are true or false; the lengths of sequences, input 4, which are int32. */
    DPLI_ROLE_WHERE,
    DPLI_ROLE_LOGIC,
    DPLI_ROLE_RECURRENT,
    /* To numbers of eight bits, from them, both as one (net/quantize.c makes it of a pair), and an
     * operator among them, which no graph has for long. */
    DPLI_ROLE_QUANTIZE,
    DPLI_ROLE_DEQUANTIZE,
    DPLI_ROLE_FAKE_QUANTIZE,
    DPLI_ROLE_QLINEAR
} dpli_role;

typedef struct dpli_op {
    const char *name; /* ONNX op_type */
    dpli_role role;
    int32_t min_inputs, max_inputs, max_outputs;
    bool takes_act; /* an activation behind it can become part of it */
    /* Read the attributes into node->params and check them. May be NULL. */
    dpl_status (*load)(dpli_graph *g, dpli_node *node, dpl_error *err);
    /* After folding and fusing: check and pack constants. May be NULL. */
    dpl_status (*prepare)(dpli_graph *g, dpli_node *node, dpl_error *err);
    /* Infer the output's shape from the inputs' and add steps; or, with known inputs, compute. */
    dpl_status (*plan)(struct dpli_planner *p, const dpli_node *node, dpl_error *err);
    /* Forward for training and backward (net/tape.h). NULL: it cannot be trained through. */
    const struct dpli_trained *trained;
} dpli_op;

#endif
