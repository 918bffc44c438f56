/* Joining steps of a plan that are best run line by line. */
#ifndef DOPPEL_NET_CHAIN_H
#define DOPPEL_NET_CHAIN_H

#include "net/planner.h"

/** Join the planner's steps into chains where that is faster; outputs are those of the plan. */
dpl_status dpli_chain_steps(dpli_planner *p, const dpli_ref *outputs, int32_t n_outputs,
                            dpl_error *err);

#endif
