/* Plans of one thread, kept by net and shape. */
#ifndef DOPPEL_NET_SCRATCH_H
#define DOPPEL_NET_SCRATCH_H

#include "doppel/net.h"

/** The plan of a one-input net for this shape: one kept, or made now (the longest unused go when
 * memory is over the bound). Borrowed, valid until the next call. */
dpl_status dpli_scratch_plan(dpl_plan **out, dpl_scratch *scratch, const dpl_net *net,
                             const dpl_shape *shape, dpl_layout layout, dpl_error *err);

#endif
