/*
 * vocabulary.c - tokens by number, and numbers by token. Sorted and searched rather than hashed:
 * what a model's file lists is hostile until read, and no list makes a search slow.
 */
#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "doppel/text.h"

static int compare(const char *a, size_t n_a, const char *b, size_t n_b)
{
    const int order = memcmp(a, b, n_a < n_b ? n_a : n_b);

    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int by_text(const void *a, const void *b)
{
    const dpli_token *left = a, *right = b;
    const int order = compare(left->text, left->n_bytes, right->text, right->n_bytes);

    return order ? order : (left->id > right->id) - (left->id < right->id);
}

dpl_status dpli_vocabulary_make(dpli_vocabulary *v, char *bytes, size_t n, size_t first,
                                dpl_error *err)
{
    const char *at = bytes;
    dpl_status status = DPL_E_MEMORY;

    *v = (dpli_vocabulary){.bytes = bytes};
    if (n > DPL_MAX_TOKENS) {
        status = dpli_fail(err, DPL_E_LIMIT, "%zu tokens, limit is %d", n, DPL_MAX_TOKENS);
        goto done;
    }
    v->by_id = dpli_alloc(n, sizeof *v->by_id, err);
    v->by_text = dpli_alloc(n, sizeof *v->by_text, err);
    if (!v->by_id || !v->by_text)
        goto done;
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(at);

        if (length > DPL_MAX_TOKEN_BYTES) {
            status = dpli_fail(err, DPL_E_INPUT, "token %zu is %zu bytes, limit is %d", first + i,
                               length, DPL_MAX_TOKEN_BYTES);
            goto done;
        }
        if (!dpli_is_utf8(at)) {
            status = dpli_fail(err, DPL_E_INPUT, "token %zu is not UTF-8", first + i);
            goto done;
        }
        v->by_id[i] = (dpli_token){at, (uint32_t)length, (int32_t)i};
        if (length > 0)
            v->by_text[v->n_texts++] = v->by_id[i];
        at += length + 1;
    }
    v->n = (int32_t)n;
    qsort(v->by_text, (size_t)v->n_texts, sizeof *v->by_text, by_text);
    for (int32_t i = 1; i < v->n_texts; i++) {
        const dpli_token *a = &v->by_text[i - 1], *b = &v->by_text[i];

        if (compare(a->text, a->n_bytes, b->text, b->n_bytes) == 0) {
            status = dpli_fail(err, DPL_E_INPUT, "token %zu, \"%.60s\", is token %zu again",
                               first + (size_t)b->id, b->text, first + (size_t)a->id);
            goto done;
        }
    }
    status = DPL_OK;
done:
    if (status != DPL_OK)
        dpli_vocabulary_clear(v);
    return status;
}

void dpli_vocabulary_clear(dpli_vocabulary *v)
{
    free(v->bytes);
    free(v->by_id);
    free(v->by_text);
    *v = (dpli_vocabulary){0};
}

int32_t dpli_vocabulary_find(const dpli_vocabulary *v, const char *text, size_t n_bytes)
{
    int32_t from = 0, to = v->n_texts;

    while (from < to) {
        const int32_t middle = from + (to - from) / 2;
        const dpli_token *token = &v->by_text[middle];
        const int order = compare(token->text, token->n_bytes, text, n_bytes);

        if (order == 0)
            return token->id;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return -1;
}
