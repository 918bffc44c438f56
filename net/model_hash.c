/*
 * model_hash.c - a model's name: the SHA-256 of its file without ModelProto's metadata_props (field
 * 14). What is said about a net does not change what it computes, and a gallery must not lose its
 * model to a new calibration.
 *
 * Knows of protobuf only how fields follow one another, not what is in them: the bytes are hashed
 * as they lie in the file.
 */
#include "net/model_hash.h"

#include "base/hash.h"
#include "net/model_fields.h"

dpl_status dpli_model_hash(char hex[65], const uint8_t *bytes, size_t n, dpl_error *err)
{
    dpli_sha256 sum;

    dpli_sha256_init(&sum);
    for (size_t at = 0, from = 0; from < n; from = at) {
        uint64_t key;
        size_t body;
        if (!dpli_skip_field(&key, &body, bytes, n, &at))
            at = n; /* counted as it is; the parser has taken or refused it by now */
        else if (key == DPLI_METADATA_PROPS)
            continue;
        dpli_sha256_add(&sum, bytes + from, at - from);
    }
    return dpli_sha256_hex(&sum, hex, err);
}
