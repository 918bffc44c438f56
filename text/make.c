/*
 * make.c - tokenizers made of what they are to know: the lines that a network will learn from, the
 * tokens that somebody has vectors of, a list of merges.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/split.h"
#include "text/tokenizer.h"

#define DEFAULT_LENGTH  128
#define CLIP_LENGTH     77
#define CLIP_TOKENS     49408 /* its list goes on behind them */
#define MAX_MERGE_BYTES ((size_t)32 << 20)

/* A tokenizer of listed tokens, each with a NUL behind it, in the place of which nothing stands for
 * padding and unknown; takes bytes. */
static dpl_status from_bytes(dpl_tokenizer **out, dpli_buf *tokens, size_t n,
                             const dpl_tokenizer_options *options, dpl_error *err)
{
    dpl_tokenizer *t = NULL;
    char *bytes;
    dpl_status status = dpli_buf_check(tokens, err);

    if (status != DPL_OK)
        goto done;
    status = DPL_E_MEMORY;
    t = dpli_calloc(1, sizeof *t, err);
    if (!t)
        goto done;
    bytes = tokens->data;
    *tokens = (dpli_buf){0};
    /* Messages count from the first that was listed. */
    status = dpli_vocabulary_make(&t->vocabulary, bytes, n, (size_t)-1, err);
    if (status != DPL_OK)
        goto done;
    t->about =
        (dpl_tokenizer_facts){options->kind,   options->lower,
                              t->vocabulary.n, options->length ? options->length : DEFAULT_LENGTH,
                              .padding = 0,    .unknown = 1,
                              .start = -1,     .end = -1};
    status = dpli_tokenizer_check(t, err);
    if (status != DPL_OK)
        goto done;
    *out = t;
    t = NULL;
done:
    dpl_tokenizer_free(t);
    dpli_buf_clear(tokens);
    return status;
}

static dpl_status listed(dpl_tokenizer_options *ours, const dpl_tokenizer_options *given,
                         dpl_error *err)
{
    const dpl_status status = dpli_tokenizer_options(ours, given, err);

    if (status != DPL_OK)
        return status;
    if (ours->kind != DPL_TOKENS_CHARACTERS && ours->kind != DPL_TOKENS_WORDS)
        return dpli_fail(err, DPL_E_ARGUMENT, "byte pairs are made of a list of merges only");
    if (ours->max_tokens == 0)
        ours->max_tokens = DPL_MAX_TOKENS;
    if (ours->max_tokens < 3)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "a vocabulary of %d tokens has no place beside padding and unknown",
                         (int)ours->max_tokens);
    return DPL_OK;
}

/* ------------------------------------------------------------------ of tokens */

dpl_status dpl_tokenizer_from_tokens(dpl_tokenizer **out, const char *const *tokens, size_t n,
                                     const dpl_tokenizer_options *options, dpl_error *err)
{
    dpl_tokenizer_options ours;
    dpli_buf bytes = {0};
    dpl_status status = listed(&ours, options, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    if (n > (size_t)ours.max_tokens - 2)
        n = (size_t)ours.max_tokens - 2;
    dpli_buf_add(&bytes, "\0", 2);
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(tokens[i]);

        if (length == 0 || memchr(tokens[i], '\n', length)) {
            dpli_buf_clear(&bytes);
            return dpli_fail(err, DPL_E_INPUT,
                             length ? "token %zu has a line's end in it" : "token %zu is empty",
                             i + 1);
        }
        dpli_buf_add(&bytes, tokens[i], length + 1);
    }
    return from_bytes(out, &bytes, n + 2, &ours, err);
}

/* ------------------------------------------------------------------ of lines */

typedef struct entry {
    size_t at; /* in bytes */
    uint32_t n_bytes;
    int64_t count;
} entry;

/* Tokens counted: a table of places in entries, open addressing, a power of two large. */
typedef struct counts {
    dpli_buf bytes;
    entry *entries;
    size_t n, cap;
    uint32_t *slots; /* entry + 1; 0: free */
    size_t n_slots;
} counts;

static size_t find_slot(const counts *c, const char *text, size_t n)
{
    size_t slot = (size_t)dpli_sum64(0, text, n) & (c->n_slots - 1);

    for (; c->slots[slot]; slot = (slot + 1) & (c->n_slots - 1)) {
        const entry *e = &c->entries[c->slots[slot] - 1];

        if (e->n_bytes == n && memcmp(c->bytes.data + e->at, text, n) == 0)
            break;
    }
    return slot;
}

static dpl_status widen(counts *c, dpl_error *err)
{
    const size_t n_slots = c->n_slots ? 2 * c->n_slots : 4096;
    uint32_t *slots = dpli_calloc(n_slots, sizeof *slots, err);

    if (!slots)
        return DPL_E_MEMORY;
    free(c->slots);
    c->slots = slots;
    c->n_slots = n_slots;
    for (size_t i = 0; i < c->n; i++)
        c->slots[find_slot(c, c->bytes.data + c->entries[i].at, c->entries[i].n_bytes)] =
            (uint32_t)i + 1;
    return DPL_OK;
}

static dpl_status count(counts *c, const char *text, size_t n, dpl_error *err)
{
    entry *grown;
    size_t slot;

    if (2 * (c->n + 1) > c->n_slots && widen(c, err) != DPL_OK)
        return DPL_E_MEMORY;
    slot = find_slot(c, text, n);
    if (c->slots[slot]) {
        c->entries[c->slots[slot] - 1].count++;
        return DPL_OK;
    }
    if (c->n == UINT32_MAX - 1)
        return dpli_fail(err, DPL_E_LIMIT, "more than %zu different tokens", c->n);
    grown = dpli_grow(c->entries, &c->cap, c->n + 1, sizeof *grown, err);
    if (!grown)
        return DPL_E_MEMORY;
    c->entries = grown;
    c->entries[c->n] = (entry){c->bytes.len, (uint32_t)n, 1};
    c->slots[slot] = (uint32_t)++c->n;
    dpli_buf_add(&c->bytes, text, n);
    return dpli_buf_check(&c->bytes, err);
}

static int by_count(const void *a, const void *b, void *ctx)
{
    const entry *left = a, *right = b;
    const char *bytes = ctx;
    const size_t n = left->n_bytes < right->n_bytes ? left->n_bytes : right->n_bytes;
    int order;

    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    order = memcmp(bytes + left->at, bytes + right->at, n);
    return order ? order : (left->n_bytes > right->n_bytes) - (left->n_bytes < right->n_bytes);
}

dpl_status dpl_tokenizer_from_lines(dpl_tokenizer **out, const char *const *lines, size_t n_lines,
                                    const dpl_tokenizer_options *options, dpl_error *err)
{
    dpl_tokenizer_options ours;
    dpli_buf bytes = {0};
    counts c = {0};
    size_t n = 2;
    dpl_error why = {DPL_OK, ""};
    dpl_status status = listed(&ours, options, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n_lines; i++) {
        dpli_splitter split = {.kind = ours.kind};
        const char *piece;
        char *prepared;
        size_t length;

        status =
            dpli_text_prepare(&prepared, ours.kind, ours.lower, lines[i], strlen(lines[i]), &why);
        if (status != DPL_OK) {
            dpli_fail(err, status, "line %zu: %s", i + 1, why.message);
            goto done;
        }
        split.at = prepared;
        while (status == DPL_OK && dpli_split_next(&split, &piece, &length))
            if (length <= DPL_MAX_TOKEN_BYTES)
                status = count(&c, piece, length, err);
        free(prepared);
        if (status != DPL_OK)
            goto done;
    }
    if (c.n == 0) {
        status = dpli_fail(err, DPL_E_INPUT, "no token in %zu lines", n_lines);
        goto done;
    }
    qsort_r(c.entries, c.n, sizeof *c.entries, by_count, c.bytes.data);
    dpli_buf_add(&bytes, "\0", 2);
    for (size_t i = 0; i < c.n && n < (size_t)ours.max_tokens; i++, n++) {
        dpli_buf_add(&bytes, c.bytes.data + c.entries[i].at, c.entries[i].n_bytes);
        dpli_buf_add(&bytes, "", 1);
    }
    status = from_bytes(out, &bytes, n, &ours, err);
done:
    dpli_buf_clear(&c.bytes);
    free(c.entries);
    free(c.slots);
    return status;
}

/* ------------------------------------------------------------------ of merges */

dpl_status dpli_tokenizer_take_merges(dpl_tokenizer *t, const char *text, size_t n,
                                      int32_t max_tokens, dpl_error *err)
{
    const bool clip = t->about.kind == DPL_TOKENS_CLIP;
    const dpl_status status =
        dpli_pairs_make(&t->pairs, &t->vocabulary, clip, text, n, max_tokens, err);

    if (status != DPL_OK)
        return status;
    t->about.lower = clip;
    t->about.n_tokens = t->vocabulary.n;
    t->about.padding = clip ? 0 : t->vocabulary.n - 1;
    t->about.unknown = -1;
    t->about.start = clip ? t->vocabulary.n - 2 : -1;
    t->about.end = clip ? t->vocabulary.n - 1 : -1;
    return DPL_OK;
}

dpl_status dpl_tokenizer_from_merges(dpl_tokenizer **out, const char *path,
                                     const dpl_tokenizer_options *options, dpl_error *err)
{
    dpl_tokenizer_options ours;
    dpl_tokenizer *t = NULL;
    uint8_t *bytes = NULL;
    size_t n;
    dpl_status status = dpli_tokenizer_options(&ours, options, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    status = dpli_file_read(&bytes, &n, path, MAX_MERGE_BYTES, err);
    if (status != DPL_OK) {
        status = dpli_fail_in(err, status, path);
        goto done;
    }
    t = dpli_calloc(1, sizeof *t, err);
    if (!t) {
        status = DPL_E_MEMORY;
        goto done;
    }
    dpli_lines_end((char *)bytes, n);
    const bool clip = strstr((const char *)bytes, "</w>");
    t->about.kind = clip ? DPL_TOKENS_CLIP : DPL_TOKENS_BYTE_PAIRS;
    t->about.length = ours.length ? ours.length : clip ? CLIP_LENGTH : DEFAULT_LENGTH;
    if (n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        status = dpli_fail(err, DPL_E_INPUT, "is packed by gzip: unpack it first");
    else
        status = dpli_tokenizer_take_merges(
            t, (const char *)bytes, n, ours.max_tokens || !clip ? ours.max_tokens : CLIP_TOKENS,
            err);
    if (status == DPL_OK)
        status = dpli_tokenizer_check(t, err);
    if (status != DPL_OK) {
        status = dpli_fail_in(err, status, path);
        goto done;
    }
    *out = t;
    t = NULL;
done:
    dpl_tokenizer_free(t);
    free(bytes);
    return status;
}
