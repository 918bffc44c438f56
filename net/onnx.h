/* Reading ONNX. */
#ifndef DOPPEL_NET_ONNX_H
#define DOPPEL_NET_ONNX_H

#include "net/graph.h"

/** The file's bytes to a graph; initialisers read, nodes sorted and resolved. */
dpl_status dpli_onnx_read(dpli_graph *g, const void *bytes, size_t n_bytes, dpl_error *err);

#endif
