/* Plans of one thread, kept by net and shape. */
#ifndef DOPPEL_NET_SCRATCH_H
#define DOPPEL_NET_SCRATCH_H

#include "base/budget.h"
#include "doppel/net.h"

/** The plan of a net for these shapes, one a net input: one kept, or made now. Borrowed, valid
 * until the next call, its outputs until the next run of any of the scratch's plans. */
dpl_status dpli_scratch_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                             const dpl_shape *input_shapes, dpl_layout layout, dpl_error *err);
/** The same of a net of one input, a picture NHWC, that is supplied (dpli_plan_supply). */
dpl_status dpli_scratch_supplied_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                                      const dpl_shape *input_shape, dpl_error *err);

/** What it keeps, for a budget; and how much of it there is. */
dpli_kept *dpli_scratch_kept(dpl_scratch *scratch);
size_t dpli_scratch_bytes(const dpl_scratch *scratch);
/** Plans that it keeps. */
size_t dpli_scratch_n_plans(const dpl_scratch *scratch);

#endif
