/* What follows a product, into it. */
#ifndef DOPPEL_NET_FUSE_H
#define DOPPEL_NET_FUSE_H

#include "net/graph.h"

/** Batch norm, bias, scale, padding and activations into what they follow. */
dpl_status dpli_graph_fuse(dpli_graph *g, dpl_error *err);

/** Every batch norm into the layers before; the graph can be written still. */
dpl_status dpli_graph_fold_norms(dpli_graph *g, dpl_error *err);

#endif
