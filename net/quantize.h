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

/** Whether any value is rounded to eight bits. */
bool dpli_graph_is_quantised(const dpli_graph *g);

/** Of a fused graph without such values, by its fact "doppel.ranges": what a convolution reads is
 * rounded to eight bits, by the range that it had on pictures, and weights to eight bits a channel.
 * *done is false where there is no such fact. */
dpl_status dpli_graph_quantise(dpli_graph *g, bool *done, dpl_error *err);

/** Of a fused graph: which values are of eight bits; a value that is is not rounded again. */
dpl_status dpli_graph_find_grids(dpli_graph *g, dpl_error *err);

#endif
