/* A graph laid out in memory, whole (doppel/net.h) or, for folding, in part. */
#ifndef DOPPEL_NET_PLAN_H
#define DOPPEL_NET_PLAN_H

#include "base/team.h"
#include "net/planner.h"

/* Memory that several plans work in, one after another: as large as the largest needs. */
typedef struct dpli_block {
    char *bytes;
    size_t n_bytes;
    bool moved; /* set when a plan that is made has it grow: plans made before are only to be freed
                 */
} dpli_block;

typedef struct dpli_plan_request {
    const dpl_shape *input_shapes;
    dpl_layout layout;
    /* Folding: only these nodes, no inputs, and these outputs. */
    const int32_t *nodes;
    int32_t n_nodes;
    const int32_t *outputs;
    int32_t n_outputs;
    size_t max_bytes;
    dpli_team *team;       /* to run on, borrowed; NULL: the caller's thread alone */
    dpli_block *block;     /* where to work; NULL: in memory of its own */
    bool measure;          /* only to see what it takes: the plan cannot run */
    double max_operations; /* as dpl_plan_new counts them */
    bool supplied; /* the one input, a picture NHWC, is not written but supplied (dpli_plan_supply)
                    */
} dpli_plan_request;

dpl_status dpli_plan_make(dpl_plan **out, const dpli_graph *g, const dpli_plan_request *request,
                          dpl_error *err);
/** dpl_plan_new, working in the block and on the team (NULL for none), which outlive the plan.
 * @param supplied  as in dpli_plan_request */
dpl_status dpli_plan_new_in(dpl_plan **out, dpli_block *block, dpli_team *team, const dpl_net *net,
                            const dpl_shape *input_shapes, dpl_layout layout, bool supplied,
                            dpl_error *err);
/** From where the runs of a plan that is supplied have the lines of their input: line(ctx, out,
 * picture, y) writes line y of a picture to out, [w, channels], and is called by several threads,
 * for a line more than once. So an input that is made of something smaller never lies in memory. */
void dpli_plan_supply(dpl_plan *plan,
                      void (*line)(const void *ctx, float *out, int32_t picture, int32_t y),
                      const void *ctx);
/** The memory that a plan takes beside what it works in. */
size_t dpli_plan_own_bytes(const dpl_plan *plan);
/** The memory that such a plan works in. */
dpl_status dpli_plan_measure(size_t *n_bytes, const dpl_net *net, const dpl_shape *input_shape,
                             dpl_layout layout, bool supplied, dpl_error *err);
/** Fill what a run works in. Whatever it holds, a run gives the same once the inputs are written,
 * so that a new plan's memory is not touched before it runs. */
void dpli_plan_fill(dpl_plan *plan, uint8_t fill);
/** Multiply-adds of a run, as far as steps count them. */
double dpli_plan_macs(const dpl_plan *plan);
/** Output i of a plan and its elements, whatever its type: for folding. */
const dpli_planned *dpli_plan_result(const dpl_plan *plan, int32_t i, const void **data);

#endif
