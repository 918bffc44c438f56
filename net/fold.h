/* What depends on constants only. */
#ifndef DOPPEL_NET_FOLD_H
#define DOPPEL_NET_FOLD_H

#include "net/graph.h"

/** Compute what depends on constants only. For training, Dropout stays. */
dpl_status dpli_graph_fold(dpli_graph *g, bool training, dpl_error *err);

#endif
