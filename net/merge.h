/* Convolutions side by side, as one. */
#ifndef DOPPEL_NET_MERGE_H
#define DOPPEL_NET_MERGE_H

#include "net/graph.h"

/** Of a folded graph that is not fused yet: convolutions of few channels that read one value, and
 * the depthwise ones behind them, become one each, whose result is split. Every sum stays what it
 * was. */
dpl_status dpli_graph_merge(dpli_graph *g, dpl_error *err);

#endif
