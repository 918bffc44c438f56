/* Changing what is said about a model, and nothing else of it. */
#ifndef DOPPEL_NET_MODEL_META_H
#define DOPPEL_NET_MODEL_META_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_meta {
    const char *key;   /* "doppel.calibration" */
    const char *value; /* NULL: the key goes */
} dpli_meta;

/**
 * A model's file with other metadata: entries of these keys go, the new ones stand at its end. All
 * else keeps its bytes and its order, so the model keeps its name (net/model_hash.h).
 *
 * @param[out] out  free()d by the caller
 * @retval DPL_E_MODEL  not a sequence of protobuf fields
 * @retval DPL_E_LIMIT  over 2 GiB, where protobuf ends
 */
dpl_status dpli_model_set_meta(uint8_t **out, size_t *n_out, const uint8_t *bytes, size_t n,
                               const dpli_meta *metas, size_t n_metas, dpl_error *err);

#endif
