/* Networks by name. */
#ifndef DOPPEL_NET_ARCH_H
#define DOPPEL_NET_ARCH_H

#include "net/graph.h"

typedef enum dpli_takes {
    DPLI_TAKES_PICTURES, /* [n, channels, side, side] */
    DPLI_TAKES_IDS,      /* [n, steps], 0 behind the end of each */
    DPLI_TAKES_VECTORS   /* [n, width] */
} dpli_takes;

typedef struct dpli_arch {
    const char *name, *about;
    dpli_takes takes;
    int32_t n_towers;   /* 2: each side of a pair has a network of its own */
    const char *shared; /* then: a pattern for the layers that both have in common, or NULL */
    /* As it is trained where nothing else is said. */
    const char *loss, *init_weights;
} dpli_arch;

/** Entry i of the list, or NULL; the entry of that name, or NULL. */
const dpli_arch *dpli_arch_at(int32_t i);
const dpli_arch *dpli_arch_find(const char *name);

typedef struct dpli_arch_options {
    int32_t channels; /* 1 or 3; of pictures, as are side_px and batch_norm */
    int32_t dim;      /* of the embedding; 0: the architecture's own */
    int32_t side_px;  /* of the input; 0: 105 */
    bool batch_norm;  /* koch2015: behind every layer, to be folded (dpli_graph_fold_norms) */
    /* Of sentences: rows of the table of words (the first is padding's); numbers of a row, or of a
     * vector that is the input; 0: the architecture's own. */
    int32_t words, width;
    bool second; /* of two towers, the second side's */
} dpli_arch_options;

/* What a network of vectors divides its input's columns by, and takes off before: 0 and 1 as built.
 */
#define DPLI_ARCH_MEAN      "standard/centred.mean"
#define DPLI_ARCH_DEVIATION "standard.deviation"

/** Steps that a side's input has; 0: any number. */
int32_t dpli_arch_steps(const char *name, bool second);

/** A graph of this architecture with the metadata that the encoder needs; its parameters are zero
 * (see net/init.h), running variances 1.
 * @retval DPL_E_ARGUMENT  no such name, or options that do not fit it */
dpl_status dpli_arch_build(dpli_graph *g, const char *name, const dpli_arch_options *options,
                           dpl_error *err);

#endif
