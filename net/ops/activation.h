/* Activations, by value. */
#ifndef DOPPEL_NET_OPS_ACTIVATION_H
#define DOPPEL_NET_OPS_ACTIVATION_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_activation[];

/** True when the node is an activation of one input, its constants taken in. */
bool dpli_act_settle(dpli_graph *g, dpli_node *node);

struct dpli_tape_step;

/** Which one a step of training is; DPLI_ACT_NONE: it is something else. */
dpli_act_kind dpli_act_trained_kind(const struct dpli_tape_step *s);

#endif
