/*
 * model_meta.c - metadata into a model's file, which is not read as a model and written again:
 * whoever made it may have put in what we do not know.
 *
 * ModelProto.metadata_props is a list of StringStringEntryProto: field 1 the key, field 2 the
 * value.
 */
#include "net/model_meta.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "net/model_fields.h"

#define STRING(field) ((uint64_t)((field) << 3 | 2))

/* Whether an entry's last key, which is the one that counts, is one of these. */
static bool is_of(const uint8_t *entry, size_t n, const dpli_meta *metas, size_t n_metas)
{
    const uint8_t *name = entry;
    size_t n_name = 0, body;
    uint64_t key;

    for (size_t at = 0; at < n && dpli_skip_field(&key, &body, entry, n, &at);)
        if (key == STRING(1)) {
            name = entry + body;
            n_name = at - body;
        }
    for (size_t i = 0; i < n_metas; i++)
        if (strlen(metas[i].key) == n_name && memcmp(metas[i].key, name, n_name) == 0)
            return true;
    return false;
}

static void put_varint(dpli_buf *buf, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (uint8_t)(v & 0x7F) | (v > 0x7F ? 0x80 : 0);
        v >>= 7;
    } while (v > 0);
    dpli_buf_add(buf, bytes, n);
}

static void put_string(dpli_buf *buf, uint64_t key, const char *s, size_t n)
{
    put_varint(buf, key);
    put_varint(buf, n);
    dpli_buf_add(buf, s, n);
}

dpl_status dpli_model_set_meta(uint8_t **out, size_t *n_out, const uint8_t *bytes, size_t n,
                               const dpli_meta *metas, size_t n_metas, dpl_error *err)
{
    dpli_buf file = {0}, entry = {0};
    dpl_status status = DPL_OK;

    *out = NULL;
    *n_out = 0;
    for (size_t at = 0, from = 0; from < n; from = at) {
        uint64_t key;
        size_t body;
        if (!dpli_skip_field(&key, &body, bytes, n, &at)) {
            status = dpli_fail(err, DPL_E_MODEL, "not an ONNX file at byte %zu", from);
            goto done;
        }
        if (key != DPLI_METADATA_PROPS || !is_of(bytes + body, at - body, metas, n_metas))
            dpli_buf_add(&file, bytes + from, at - from);
    }
    for (size_t i = 0; i < n_metas; i++) {
        if (!metas[i].value)
            continue;
        entry.len = 0;
        put_string(&entry, STRING(1), metas[i].key, strlen(metas[i].key));
        put_string(&entry, STRING(2), metas[i].value, strlen(metas[i].value));
        put_varint(&file, DPLI_METADATA_PROPS);
        put_varint(&file, entry.len);
        dpli_buf_add(&file, entry.data, entry.len);
    }
    status = dpli_buf_check(&entry, err);
    if (status == DPL_OK)
        status = dpli_buf_check(&file, err);
    if (status == DPL_OK && file.len > INT32_MAX)
        status = dpli_fail(err, DPL_E_LIMIT, "with its metadata the model is over 2 GiB");
    if (status == DPL_OK) {
        *out = (uint8_t *)file.data;
        *n_out = file.len;
        file = (dpli_buf){0};
    }
done:
    dpli_buf_clear(&entry);
    dpli_buf_clear(&file);
    return status;
}
