/* A file's bytes to a graph that runs, or to one that trains. */
#ifndef DOPPEL_NET_LOAD_H
#define DOPPEL_NET_LOAD_H

#include "net/graph.h"

/** For running: folded, fused, packed. g->max_arena_bytes, g->max_operations and
 * err, which is not NULL, are the caller's. */
dpl_status dpli_load_for_running(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err);

/** Read a model without fusing or packing, its constants folded, ready for a tape. Attributes stay
 * with their nodes, Dropout stays. *g is empty after a failure. */
dpl_status dpli_graph_for_training(dpli_graph *g, const void *bytes, size_t n_bytes,
                                   dpl_error *err);

/** Let each operator read its nodes' attributes; refuse what nobody asks for. */
dpl_status dpli_graph_load(dpli_graph *g, dpl_error *err);

#endif
