/* The fields of a protobuf message, one behind the other, without what they mean. */
#ifndef DOPPEL_NET_MODEL_FIELDS_H
#define DOPPEL_NET_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Key of ModelProto.metadata_props: field 14, of a length and so many bytes. */
#define DPLI_METADATA_PROPS ((uint64_t)(14 << 3 | 2))

bool dpli_read_varint(uint64_t *out, const uint8_t *bytes, size_t n, size_t *at);

/** Step over the field at *at; false at what is none.
 * @param[out] body  where its content begins (for a key of kind 2, behind its length) */
bool dpli_skip_field(uint64_t *key, size_t *body, const uint8_t *bytes, size_t n, size_t *at);

#endif
