/*
 * buf.c - a growing byte string; base64 (RFC 4648, section 4).
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Room for n more bytes and the NUL; NULL when there is none. */
static char *reserve(dpli_buf *buf, size_t n)
{
    char *data = NULL;
    size_t need;

    if (buf->failed)
        return NULL;
    if (dpli_add(&need, buf->len, n) && dpli_add(&need, need, 1))
        data = dpli_grow(buf->data, &buf->cap, need, 1, NULL);
    if (!data) {
        buf->failed = true;
        return NULL;
    }
    buf->data = data;
    return buf->data + buf->len;
}

static void grown(dpli_buf *buf, size_t n)
{
    buf->len += n;
    buf->data[buf->len] = '\0';
}

void dpli_buf_add(dpli_buf *buf, const void *bytes, size_t n)
{
    char *at = reserve(buf, n);

    if (!at)
        return;
    if (n)
        memcpy(at, bytes, n);
    grown(buf, n);
}

void dpli_buf_str(dpli_buf *buf, const char *s)
{
    dpli_buf_add(buf, s, strlen(s));
}

void dpli_buf_printf(dpli_buf *buf, const char *format, ...)
{
    va_list args, again;
    char *at;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        buf->failed = true;
    at = n < 0 ? NULL : reserve(buf, (size_t)n);
    if (at) {
        vsnprintf(at, (size_t)n + 1, format, again);
        grown(buf, (size_t)n);
    }
    va_end(again);
    va_end(args);
}

void dpli_buf_base64(dpli_buf *buf, const void *bytes, size_t n)
{
    const uint8_t *in = bytes;
    size_t n_out;
    char *at;

    if (!dpli_mul(&n_out, n / 3 + (n % 3 != 0), 4)) {
        buf->failed = true;
        return;
    }
    at = reserve(buf, n_out);
    if (!at)
        return;
    for (; n > 0; n -= n < 3 ? n : 3, in += 3, at += 4) {
        uint32_t v = (uint32_t)in[0] << 16;

        if (n > 1)
            v |= (uint32_t)in[1] << 8;
        if (n > 2)
            v |= in[2];
        at[0] = alphabet[v >> 18];
        at[1] = alphabet[v >> 12 & 63];
        at[2] = n > 1 ? alphabet[v >> 6 & 63] : '=';
        at[3] = n > 2 ? alphabet[v & 63] : '=';
        if (n < 3)
            break;
    }
    grown(buf, n_out);
}

dpl_status dpli_buf_check(const dpli_buf *buf, dpl_error *err)
{
    if (buf->failed)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for a text of more than %zu bytes",
                         buf->len);
    return DPL_OK;
}

void dpli_buf_clear(dpli_buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (dpli_buf){0};
}

/* Of each byte the six bits that it stands for, and NONE for what stands for none. */
enum { NONE = 64 };

static void make_sextets(uint8_t sextets[256])
{
    memset(sextets, NONE, 256);
    for (uint8_t i = 0; alphabet[i]; i++)
        sextets[(uint8_t)alphabet[i]] = i;
}

dpl_status dpli_base64_decode(uint8_t **out, size_t *n_out, const char *text, dpl_error *err)
{
    const uint8_t *in = (const uint8_t *)text;
    size_t n = strlen(text);
    size_t pad =
        n >= 4 ? (size_t)(text[n - 1] == '=') + (text[n - 1] == '=' && text[n - 2] == '=') : 0;
    size_t n_bytes = n / 4 * 3 - pad;
    uint8_t sextets[256], last[3];
    uint8_t *bytes;

    *out = NULL;
    *n_out = 0;
    if (n % 4 != 0)
        return dpli_fail(err, DPL_E_INPUT, "base64 of %zu characters, not a multiple of 4", n);
    bytes = dpli_alloc(n_bytes, 1, err);
    if (!bytes)
        return DPL_E_MEMORY;
    make_sextets(sextets);
    for (size_t i = 0, k = 0; i < n; i += 4, k += 3) {
        const bool is_last = i + 4 == n;
        uint8_t v[4], *to = is_last ? last : bytes + k;

        for (size_t c = 0; c < 4; c++)
            v[c] = i + c < n - pad ? sextets[in[i + c]] : 0;
        if ((v[0] | v[1] | v[2] | v[3]) & NONE) {
            size_t c = 0;

            while (v[c] != NONE)
                c++;
            free(bytes);
            return dpli_fail(err, DPL_E_INPUT, "base64 is broken at character %zu", i + c + 1);
        }
        to[0] = (uint8_t)(v[0] << 2 | v[1] >> 4);
        to[1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
        to[2] = (uint8_t)(v[2] << 6 | v[3]);
        if (is_last)
            memcpy(bytes + k, last, 3 - pad);
    }
    /* One meaning, one spelling: the unused bits are zero. */
    if ((pad > 0 && last[2]) || (pad > 1 && last[1])) {
        free(bytes);
        return dpli_fail(err, DPL_E_INPUT, "base64 ends in stray bits");
    }
    *out = bytes;
    *n_out = n_bytes;
    return DPL_OK;
}
