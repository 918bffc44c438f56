/*
 * model_hash.c - a model's name: the SHA-256 of its file without ModelProto's metadata_props (field
 * 14). What is said about a net does not change what it computes, and a gallery must not lose its
 * model to a new calibration.
 *
 * Knows of protobuf only how fields follow one another, not what is in them: the bytes are hashed
 * as they lie in the file.
 */
#include "net/model_hash.h"

#include <stdbool.h>

#include "base/hash.h"

static bool read_varint(uint64_t *out, const uint8_t *bytes, size_t n, size_t *at)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < n; shift += 7) {
        const uint8_t byte = bytes[(*at)++];
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* Step over one field of a protobuf message and its key; false at what is none. */
static bool skip_field(uint64_t *key, const uint8_t *bytes, size_t n, size_t *at)
{
    uint64_t length = 0;

    if (!read_varint(key, bytes, n, at))
        return false;
    switch (*key & 7) {
    case 0: return read_varint(&length, bytes, n, at);
    case 1: length = 8; break;
    case 2:
        if (!read_varint(&length, bytes, n, at))
            return false;
        break;
    case 5: length = 4; break;
    default: return false;
    }
    if (length > n - *at)
        return false;
    *at += (size_t)length;
    return true;
}

dpl_status dpli_model_hash(char hex[65], const uint8_t *bytes, size_t n, dpl_error *err)
{
    const uint64_t metadata_props = 14 << 3 | 2;
    dpli_sha256 sum;

    dpli_sha256_init(&sum);
    for (size_t at = 0, from = 0; from < n; from = at) {
        uint64_t key;
        if (!skip_field(&key, bytes, n, &at))
            at = n; /* counted as it is; the parser has taken or refused it by now */
        else if (key == metadata_props)
            continue;
        dpli_sha256_add(&sum, bytes + from, at - from);
    }
    return dpli_sha256_hex(&sum, hex, err);
}
