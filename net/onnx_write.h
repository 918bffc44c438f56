/* Writing ONNX. */
#ifndef DOPPEL_NET_ONNX_WRITE_H
#define DOPPEL_NET_ONNX_WRITE_H

#include "net/graph.h"

/**
 * Write a graph that is not fused as ONNX (its own opset, IR 8), with its metadata. The bytes are
 * free()d by the caller. Same graph, same bytes; what was written, read and written again, too.
 * @retval DPL_E_LIMIT  over 2 GiB, where protobuf ends
 */
dpl_status dpli_onnx_write(uint8_t **bytes, size_t *n_bytes, const dpli_graph *g, dpl_error *err);

#endif
