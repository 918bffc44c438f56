/* Facts about a model, beside it. */
#ifndef DOPPEL_NET_SIDECAR_H
#define DOPPEL_NET_SIDECAR_H

#include "net/graph.h"

/** Add a flat JSON object's entries to the metadata, or replace what is there.
 * @retval DPL_E_MODEL  not such an object; err says where, not in which file */
dpl_status dpli_sidecar_read(dpli_graph *g, const char *bytes, size_t n_bytes, dpl_error *err);

#endif
