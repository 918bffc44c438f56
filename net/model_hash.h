/* A model's name. */
#ifndef DOPPEL_NET_MODEL_HASH_H
#define DOPPEL_NET_MODEL_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/** SHA-256 of an ONNX file without its metadata, as 64 lower-case hex digits. */
dpl_status dpli_model_hash(char hex[65], const uint8_t *bytes, size_t n, dpl_error *err);

#endif
