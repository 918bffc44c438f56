/*
 * model_fields.c - stepping over the fields of a protobuf message.
 *
 * For what is done to a model's file as bytes: its name (model_hash.c), and what is said about it
 * (model_meta.c). Reading the model itself is onnx.c's.
 */
#include "net/model_fields.h"

bool dpli_read_varint(uint64_t *out, const uint8_t *bytes, size_t n, size_t *at)
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

bool dpli_skip_field(uint64_t *key, size_t *body, const uint8_t *bytes, size_t n, size_t *at)
{
    uint64_t length = 0;

    if (!dpli_read_varint(key, bytes, n, at))
        return false;
    *body = *at;
    switch (*key & 7) {
    case 0: return dpli_read_varint(&length, bytes, n, at);
    case 1: length = 8; break;
    case 2:
        if (!dpli_read_varint(&length, bytes, n, at))
            return false;
        *body = *at;
        break;
    case 5: length = 4; break;
    default: return false;
    }
    if (length > n - *at)
        return false;
    *at += (size_t)length;
    return true;
}
