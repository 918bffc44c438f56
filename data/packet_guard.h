/* What is asked of XML before exempi gets it. */
#ifndef DOPPEL_DATA_PACKET_GUARD_H
#define DOPPEL_DATA_PACKET_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/**
 * Whether bytes are well-formed XML in UTF-8 with one rdf:RDF in it, without a DOCTYPE, within the
 * limits of packet.h.
 *
 * @param bytes  [n], and a NUL after them
 * @retval DPL_E_INPUT  not that; DPL_E_LIMIT  over a limit
 */
dpl_status dpli_packet_guard(const uint8_t *bytes, size_t n, dpl_error *err);

#endif
