/* Where training starts. */
#ifndef DOPPEL_NET_INIT_H
#define DOPPEL_NET_INIT_H

#include "net/tape.h"

typedef enum dpli_init {
    DPLI_INIT_KOCH,
    DPLI_INIT_KOCH_WIDE,
    DPLI_INIT_HE,
    DPLI_INIT_GLOROT
} dpli_init;

/** Fill all parameters that are not frozen; batch norm and slopes as usual (1, 0; 0.25). Running
 * averages stay as they are. Of an LSTM's two biases, which are added, the first opens the gates
 * that forget (1; Jozefowicz, Zaremba, Sutskever 2015), all others are 0. Each parameter's values
 * depend on the seed and its name alone. */
void dpli_init_run(dpli_param *const *params, int32_t n, dpli_init init, uint64_t seed);

#endif
