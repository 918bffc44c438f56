/* Networks by name. */
#ifndef DOPPEL_NET_ARCH_H
#define DOPPEL_NET_ARCH_H

#include "net/graph.h"

typedef struct dpli_arch {
    const char *name, *about;
} dpli_arch;

/** Entry i of the list, or NULL. */
const dpli_arch *dpli_arch_at(int32_t i);

typedef struct dpli_arch_options {
    int32_t channels; /* 1 or 3 */
    int32_t dim;      /* of the embedding; 0: the architecture's own */
    int32_t side_px;  /* of the input; 0: 105 */
    bool batch_norm;  /* koch2015: behind every layer, to be folded (dpli_graph_fold_norms) */
} dpli_arch_options;

/** A graph of this architecture with the metadata that the encoder needs; its parameters are zero
 * (see net/init.h), running variances 1.
 * @retval DPL_E_ARGUMENT  no such name, or options that do not fit it */
dpl_status dpli_arch_build(dpli_graph *g, const char *name, const dpli_arch_options *options,
                           dpl_error *err);

#endif
