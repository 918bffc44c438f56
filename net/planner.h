/*
 * Planning: what an operator sees of a plan while it adds its steps.
 *
 * A value is known (a constant, or computed while planning from shapes and constants) or computed
 * by the run. An operator asks for the order of elements it wants (net/layout.h), and a
 * transposition is put in when needed. Buffers are numbers until all steps are there; then plan.c
 * gives each its place in the arena by when it is alive.
 */
#ifndef DOPPEL_NET_PLANNER_H
#define DOPPEL_NET_PLANNER_H

#include "net/graph.h"
#include "net/layout.h"

typedef struct dpli_planner dpli_planner;

/* Where a step reads or writes: a buffer of the plan, or memory that stays where it is. */
typedef struct dpli_ref {
    int32_t buffer; /* -1: fixed */
    const void *fixed;
} dpli_ref;

#define DPLI_NO_REF ((dpli_ref){-1, NULL})

typedef struct dpli_planned {
    dpl_shape shape;
    dpli_type type;
    const void *known;    /* its elements, in plain order, when known */
    int32_t buffer[2];    /* by dpli_order, -1 where it does not lie in that order */
    int32_t narrow;       /* where it lies narrow (net/place.h), -1 for nowhere */
    int32_t narrow_reads; /* reads by nodes that take it so */
    bool defined;
    int32_t pending; /* reads still to come */
} dpli_planned;

#define DPLI_STEP_INPUTS 4
#define DPLI_STEP_MORE   2

typedef struct dpli_step {
    void (*run)(const struct dpli_step *step);
    /* The same in pieces from .. end - 1 of n_pieces, for a team; NULL where it is done by one
     * thread. The scratch is one thread's: such a step has one for each. */
    void (*run_part)(const struct dpli_step *step, void *scratch, size_t from, size_t end);
    size_t n_pieces, scratch_bytes;
    /* Says the same as a link of a chain; NULL where there is no such link. */
    void (*link)(const struct dpli_step *step, dpli_link *link);
    void *params; /* the operator's own, freed with the plan */
    void *out;    /* of the type that the operator has given its output; so the inputs */
    void *more[DPLI_STEP_MORE]; /* results behind the first; NULL where nobody wants them */
    const void *in[DPLI_STEP_INPUTS];
    void *scratch;
    dpli_fault *fault; /* of the run, to be filled in by a step that meets what it cannot follow */
    dpli_ref out_ref, more_ref[DPLI_STEP_MORE], in_ref[DPLI_STEP_INPUTS], scratch_ref;
    const dpli_node *node; /* whose work it is; NULL for the border of the plan */
    const char *what;
    dpl_shape shape; /* of the result, for describing */
    double macs, seconds;
    dpli_act_kind act;        /* fused in, for describing */
    bool bias, before, after; /* these too, as in dpli_epilogue */
    dpli_numbers numbers;     /* computed in, for describing */
    bool three;               /* products by three, for describing */
} dpli_step;

const dpli_graph *dpli_plan_graph(const dpli_planner *p);

/** Input i of a node, or NULL when it is left out. */
dpli_planned *dpli_plan_in(dpli_planner *p, const dpli_node *node, int32_t i);

/** The bytes that a value is rounded to; scale 0 for none. */
dpli_scale dpli_plan_grid(const dpli_planner *p, const dpli_planned *v);

/** Input i, which must be computed or known float32. */
dpl_status dpli_plan_float(dpli_planner *p, const dpli_node *node, int32_t i, dpli_planned **out,
                           dpl_error *err);

/** Input i as known integers, of rank at most 1. */
dpl_status dpli_plan_ints(dpli_planner *p, const dpli_node *node, int32_t i, const int64_t **out,
                          int64_t *n, dpl_error *err);

/** Input i as one known float; *out is left alone when the input is left out. */
dpl_status dpli_plan_scalar(dpli_planner *p, const dpli_node *node, int32_t i, float *out,
                            dpl_error *err);

/** The order in which a value lies already: NHWC where it lies in both. */
dpli_order dpli_plan_order(const dpli_planned *v);

/** The value in the order wanted, with a transposition put in when needed. */
dpl_status dpli_plan_use(dpli_planner *p, const dpli_node *node, dpli_planned *v, dpli_order order,
                         dpli_ref *ref, dpl_error *err);

/** Define output i, float32, with a buffer of its own. */
dpl_status dpli_plan_out(dpli_planner *p, const dpli_node *node, int32_t i, const dpl_shape *shape,
                         dpli_order order, dpli_ref *ref, dpl_error *err);

/** As dpli_plan_out, of any type. */
dpl_status dpli_plan_out_of(dpli_planner *p, const dpli_node *node, int32_t i, dpli_type type,
                            const dpl_shape *shape, dpli_order order, dpli_ref *ref,
                            dpl_error *err);

/** As dpli_plan_out, in the place of v when v has the same size and nobody else reads it again. */
dpl_status dpli_plan_out_over(dpli_planner *p, const dpli_node *node, int32_t i,
                              const dpli_planned *v, const dpl_shape *shape, dpli_order order,
                              dpli_ref *ref, dpl_error *err);

/** True when v, float32, lies in this order with this shape and the node at hand is the last to
 * read it. */
bool dpli_plan_is_last(const dpli_planner *p, const dpli_planned *v, dpli_order order,
                       const dpl_shape *shape);

/** Define output i as v's elements under another shape, without moving them: they are taken in the
 * order given, and are the output's in out_order. */
dpl_status dpli_plan_alias(dpli_planner *p, const dpli_node *node, int32_t i, dpli_planned *v,
                           dpli_order order, const dpl_shape *shape, dpli_order out_order,
                           dpl_error *err);

/** Define output i as known, with room for its elements to be filled in. */
dpl_status dpli_plan_known(dpli_planner *p, const dpli_node *node, int32_t i, dpli_type type,
                           const dpl_shape *shape, void **data, dpl_error *err);

/** True when a result of these elements is to be computed while planning. */
bool dpli_plan_foldable(const dpli_planned *v, int64_t n_elements);

/** A step with params zeroed; NULL on failure. The pointer is good until the next step is added. */
dpli_step *dpli_plan_step(dpli_planner *p, const dpli_node *node,
                          void (*run)(const dpli_step *step), size_t params_size,
                          const dpl_shape *shape, dpl_error *err);

/** Give a step scratch that it needs only while it runs: n_bytes for each thread that runs a part.
 */
dpl_status dpli_plan_scratch(dpli_planner *p, dpli_step *step, size_t n_bytes, dpl_error *err);

/** The node's fused activation with its slope. */
dpli_act dpli_plan_act(const dpli_planner *p, const dpli_node *node);

/*
 * What comes after a node's product: its output's place, its activation and, when the only reader
 * is an Add of the same shape whose other operand is there already, that operand and Add's result
 * instead of the node's own.
 */
typedef struct dpli_tail {
    dpli_ref out, before, after;
    dpli_act act;
    bool narrow; /* out, before and after are */
    /* Of bytes, as in dpli_epilogue. */
    dpli_scale out_scale, added, first;
    bool rounded;
} dpli_tail;

/** @param over    the output may take the residual's place
 *  @param narrow  the output may be narrow, and is where it is wanted so */
dpl_status dpli_plan_tail(dpli_planner *p, const dpli_node *node, const dpl_shape *shape,
                          dpli_order order, bool over, bool narrow, dpli_tail *tail,
                          dpl_error *err);
/** Fill a step's out, in[2], in[3] from the tail, and later its epilogue from them. */
void dpli_tail_attach(const dpli_tail *tail, dpli_step *step);
dpli_epilogue dpli_tail_epilogue(const dpli_step *step, const float *bias, const dpli_act *act);

/** A step that moves elements of a type. */
dpl_status dpli_plan_move(dpli_planner *p, const dpli_node *node, dpli_type type,
                          const dpli_move *m, dpli_ref to, dpli_ref from, const dpl_shape *shape,
                          dpl_error *err);

/* ------------------------------------------------------------------ for plan.c */

typedef struct dpli_buffer {
    size_t n_bytes;
    int32_t pending; /* reads still to come */
    bool input, output;
} dpli_buffer;

struct dpli_planner {
    const dpli_graph *g;
    size_t max_bytes;
    bool folding;         /* some nodes only, by themselves */
    dpli_planned *values; /* by the graph's values */
    bool *done;           /* nodes that an earlier one took in */
    dpli_buffer *buffers;
    int32_t n_buffers, cap_buffers;
    dpli_step *steps;
    int32_t n_steps, cap_steps;
    void **owned; /* known values made while planning */
    int32_t n_owned, cap_owned;
    size_t n_workers;                 /* threads that a step may be cut among */
    size_t known_bytes, params_bytes; /* of known values, of steps' params */
};

/** The error of a plan over max_bytes; node may be NULL. */
dpl_status dpli_plan_too_large(const dpli_planner *p, const dpli_node *node, dpl_error *err);

/** A new buffer for a value of this type and shape. */
dpl_status dpli_plan_buffer(dpli_planner *p, const dpli_node *node, dpli_type type,
                            const dpl_shape *shape, int32_t pending, int32_t *id, dpl_error *err);

/** From here on the value lies in this buffer. */
void dpli_plan_define(dpli_planner *p, int32_t value, dpli_type type, const dpl_shape *shape,
                      dpli_order order, int32_t id);

/** One read of a value is over. */
void dpli_plan_consume(dpli_planner *p, dpli_planned *v);

#endif
