/* Graphs of numbers of eight bits, as graphs of float32 that are rounded to them. */
#ifndef DOPPEL_NET_QUANTIZE_H
#define DOPPEL_NET_QUANTIZE_H

#include "net/graph.h"

/** Before anything else is done to a graph that was read: operators among quantised values become
 * DequantizeLinear, the operator over float32, QuantizeLinear; and no quantised value is read by
 * what does not take it. */
dpl_status dpli_graph_dequantize(dpli_graph *g, dpl_error *err);

/** Of a folded graph: QuantizeLinear and the DequantizeLinear that reads it, as one FakeQuantize.
 */
dpl_status dpli_graph_pair(dpli_graph *g, dpl_error *err);

#endif
