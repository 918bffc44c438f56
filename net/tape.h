/*
 * The tape: a graph laid out for training with one batch size.
 *
 * Inference (net/plan.h) fuses, reuses memory and forgets; the tape runs the graph as it was
 * read, a step a node, and keeps what the way back needs. Each operator's file in net/ops/ has
 * its forward for training and its backward side by side and names them in a dpli_trained, which
 * its dpli_op points to.
 *
 * Activations are float32, of any rank; integers (ids, lengths, masks) have no gradient. The batch
 * is one of the dimensions, at first the first. In memory it is always outermost, so that a batch
 * that is not full is the front of one; the other dimensions follow as ONNX has them, except that
 * those of a picture lie as NHWC. So a Transpose that only moves the batch moves nothing, and its
 * result is another name for the same memory. Constants that a step reads are parameters, kept in
 * ONNX's own order.
 *
 * What depends on shapes and constants only (the sides of a Reshape, states of zeros to begin with,
 * masks) is computed when the tape is laid out, whose shapes are all known. Large constants with
 * fractions stay as they are then: they might be weights.
 */
#ifndef DOPPEL_NET_TAPE_H
#define DOPPEL_NET_TAPE_H

#include "base/rng.h"
#include "base/team.h"
#include "net/graph.h"

typedef struct dpli_tensor {
    dpl_shape shape; /* in ONNX's order, for a whole batch */
    int32_t batch_axis;
    bool picture; /* of rank 4, the batch first, as NHWC */
    /* The same as n rows of pictures, set with the shape: [n, h, w, c] is the order in memory. Of
     * what is no picture, c is the last dimension but the batch and w all others. */
    int32_t n; /* in use, at most the batch */
    int32_t h, w, c;
    dpli_type type;
    float *value;             /* [n, h, w, c]; NULL of ids */
    float *grad;              /* the same, d loss / d value; NULL where nobody wants it */
    int64_t *ids;             /* [n, h, w, c]; NULL of floats */
    struct dpli_tensor *root; /* whose memory it shares; NULL: it has its own */
} dpli_tensor;

/** Give t its shape, the batch first, rank 4 being a picture; false when that is no shape, or too
 * large for one. */
bool dpli_tensor_shape(dpli_tensor *t, const dpl_shape *shape);

/** As dpli_tensor_shape, for what is no picture, the batch being this dimension. */
bool dpli_tensor_shape_at(dpli_tensor *t, const dpl_shape *shape, int32_t batch_axis);

/** Strides in memory, in elements, by ONNX's dimensions. */
void dpli_tensor_strides(const dpli_tensor *t, int64_t strides[DPL_MAX_RANK]);

static inline size_t dpli_tensor_item(const dpli_tensor *t)
{
    return (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

static inline size_t dpli_tensor_floats(const dpli_tensor *t)
{
    return (size_t)t->n * dpli_tensor_item(t);
}

/* What a parameter is to its layer: its start, its penalty and its rate follow from this. */
typedef enum dpli_param_kind {
    DPLI_PARAM_CONV,  /* weight of a Conv */
    DPLI_PARAM_DENSE, /* weight of a Gemm or MatMul; of an LSTM or GRU, for its input */
    DPLI_PARAM_STATE, /* of an LSTM or GRU, for the state before: [directions, gates, hidden] */
    DPLI_PARAM_TABLE, /* of Gather: a row an id */
    DPLI_PARAM_BIAS,
    DPLI_PARAM_GATES,   /* bias of an LSTM: [directions, 8 hidden], gates i o f c twice */
    DPLI_PARAM_SCALE,   /* batch norm's gamma */
    DPLI_PARAM_SHIFT,   /* and beta */
    DPLI_PARAM_SLOPE,   /* of PRelu */
    DPLI_PARAM_RUNNING, /* batch norm's running mean and variance: no gradient */
    DPLI_PARAM_OTHER    /* a constant that a step reads: no gradient */
} dpli_param_kind;

typedef struct dpli_param {
    const char *name;  /* of the graph's value, borrowed */
    const char *layer; /* of the node that reads it, borrowed */
    int32_t value_id;
    dpli_param_kind kind;
    dpl_shape shape;
    size_t n;
    size_t fan_in, fan_out;
    bool frozen;  /* not to be changed; grad is NULL then, as it is without a gradient */
    float *value; /* the graph's own memory */
    float *grad;
    /* Of a table: the rows whose gradient the last backward has written, so that a step costs what
     * its words cost and not what the language has; all others are zeros. NULL: all were written.
     */
    int32_t *rows;
    size_t n_rows, max_rows;
} dpli_param;

#define DPLI_TAPE_INPUTS 8
#define DPLI_TAPE_MORE   3

struct dpli_trained;

typedef struct dpli_tape_step {
    const struct dpli_trained *op;
    const dpli_node *node;
    dpli_team *team;
    int32_t n_in;
    dpli_tensor *in[DPLI_TAPE_INPUTS];   /* by the node's input; NULL where that is a parameter */
    dpli_param *param[DPLI_TAPE_INPUTS]; /* by the node's input; NULL where that is a tensor */
    dpli_tensor *out;
    dpli_tensor *more[DPLI_TAPE_MORE]; /* outputs behind the first; NULL where nobody reads them */
    /* Backward adds to in[i]->grad where true, else it writes all of it. */
    bool add[DPLI_TAPE_INPUTS];
    bool training; /* false: running averages instead of the batch's, no dropout */
    bool narrow;   /* products of bfloat16, which the processor has */
    bool beside;   /* parameters are claimed already, see dpli_tape_options */
    void *state;   /* the operator's own, zeroed, state_bytes of it */
    /* The step behind it, which it computes too: forward fills that one's out, backward starts from
     * that out's gradient, and its own out is nowhere. */
    struct dpli_tape_step *joined;
    float *kept;                  /* kept_floats, from forward to backward */
    float *scratch;               /* scratch_floats, only during a call; shared by all steps */
    dpli_rng rng;                 /* for dropout: seeded for each step of the training */
    dpli_fault fault;             /* of the last forward */
    double forward_s, backward_s; /* spent so far, for describing */

    /* Filled in by plan. */
    size_t kept_floats, scratch_floats;
    /* Take over the step behind it, which alone reads out: true when it can, and from then on it
     * computes both. NULL: it never can. */
    bool (*join)(struct dpli_tape_step *s, const struct dpli_tape_step *next);
} dpli_tape_step;

/* An operator's part in training. */
typedef struct dpli_trained {
    size_t state_bytes;
    /*
     * Check the inputs, claim the parameters (dpli_tape_claim), and fill in the shapes and types of
     * out and more, kept_floats, scratch_floats and state. Values and gradients are not there yet.
     * An out whose root is set to in[0] is the same memory under another shape; there is nothing to
     * run then.
     */
    dpl_status (*plan)(const dpli_graph *g, dpli_tape_step *s, dpl_error *err);
    /* out->value from in[]->value. All threads of the team are the step's to use. */
    void (*forward)(dpli_tape_step *s);
    /* in[]->grad (where not NULL, see add) and param[]->grad (where not NULL, always written, not
     * added) from out->grad and, where they are not NULL, more[]->grad; where there are more, out's
     * may be NULL too. They may be overwritten. out->value and in[]->value are as forward left
     * them. NULL: no gradient goes through it, as through what gives integers. */
    void (*backward)(dpli_tape_step *s);
} dpli_trained;

/** Say what kind of parameter input i is, and that its gradient is made: fails when the input is a
 * tensor. fan_in and fan_out as in Glorot and Bengio 2010; 0 where there is none. */
dpl_status dpli_tape_claim(const dpli_graph *g, dpli_tape_step *s, int32_t i, dpli_param_kind kind,
                           size_t fan_in, size_t fan_out, dpl_error *err);

/** Fails unless input i is a tensor, computed, of floats. */
dpl_status dpli_tape_need(const dpli_graph *g, const dpli_tape_step *s, int32_t i, dpl_error *err);

/* ------------------------------------------------------------------ the whole */

typedef struct dpli_tape dpli_tape;

typedef struct dpli_tape_options {
    /* Parameters of layers (nodes) whose name this accepts are frozen, running averages with them.
     * NULL: none is. */
    bool (*freeze)(void *ctx, const char *layer);
    void *freeze_ctx;
    bool forward_only; /* no gradients, nothing kept: for validation */
    /* Convolutions (but depthwise ones and those of large kernels) and products with a constant
     * matrix round what they multiply to bfloat16, forward and back; sums, parameters and all else
     * stay float32. Without kernels for it (dpli_narrow_product_there) it is as if it were not set. */
    bool narrow;
    size_t max_bytes;
    /* A tape of the same graph, team and batch, for longer inputs, that outlives this one: the two
     * have parameters, gradients and memory in common, so that only one is at work at a time, from
     * its forward to its backward. So sentences are as long as the longest of a batch. */
    struct dpli_tape *beside;
} dpli_tape_options;

/**
 * Lay out g, which the tape borrows and whose constants it changes, for inputs of this shape (in
 * ONNX's order, the batch first). g is as dpli_graph_for_training makes it.
 * @retval DPL_E_MODEL   an operator that has no gradient; err names the node
 * @retval DPL_E_MEMORY  over max_bytes
 */
dpl_status dpli_tape_new(dpli_tape **out, dpli_graph *g, dpli_team *team, const dpl_shape *input,
                         const dpli_tape_options *options, dpl_error *err);
void dpli_tape_free(dpli_tape *t);

/** Bytes that the tape holds: activations, gradients, scratch. The parameters are the graph's. */
size_t dpli_tape_bytes(const dpli_tape *t);
int32_t dpli_tape_n_params(const dpli_tape *t);
dpli_param *dpli_tape_param(dpli_tape *t, int32_t i);
int32_t dpli_tape_n_steps(const dpli_tape *t);
const dpli_tape_step *dpli_tape_step_at(const dpli_tape *t, int32_t i);

/** To be filled in before a forward: value, or ids where the graph's input is of ids. */
dpli_tensor *dpli_tape_input(dpli_tape *t);
/** What a graph that takes ids takes beside them, to be filled in too: how many there are of each,
 * ids [n], or where they are, ids [n, steps]. NULL where it takes nothing else. */
dpli_tensor *dpli_tape_second_input(dpli_tape *t);
/** Embeddings [n, dim]; backward starts from its grad. */
dpli_tensor *dpli_tape_output(dpli_tape *t);

/** @param n     pictures in use, at most the tape's batch; the rest of the output is undefined
 *  @param seed  of this step, for dropout
 * An id that its table does not have gives a row of NaN, and a fault (dpli_tape_fault). */
void dpli_tape_forward(dpli_tape *t, int32_t n, bool training, uint64_t seed);
void dpli_tape_backward(dpli_tape *t);

/** DPL_E_INPUT when the last forward met an id that its table does not have; err names the node,
 * the id and the table's size. */
dpl_status dpli_tape_fault(const dpli_tape *t, dpl_error *err);

/** The first layer, in the order of the run, whose value (or, after backward, gradient) is not
 * finite; NULL when all are. */
const char *dpli_tape_not_finite(const dpli_tape *t, bool gradients);

#endif
