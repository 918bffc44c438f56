/*
 * word_vectors.c - vectors of words from a file in word2vec's text form.
 *
 * Read line by line: such files have gigabytes. Nothing in one is believed: a line has at most a
 * megabyte, every number is finite, every line has as many, and no word is longer than a
 * tokenizer's.
 *
 * Source: the text form of word2vec.c, Mikolov et al. 2013; without its first line it is GloVe's.
 */
#include "train/word_vectors.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "doppel/net.h"
#include "doppel/text.h"

#define MAX_LINE  ((size_t)1 << 20)
#define MAX_BYTES ((size_t)4 << 30)

typedef struct reader {
    dpli_word_vectors *v;
    const char *path;
    FILE *f;
    char *line; /* [MAX_LINE] */
    long long at, said;
    size_t cap_words, cap_values;
} reader;

static dpl_status wrong(const reader *r, dpl_error *err, const char *what)
{
    return dpli_fail(err, DPL_E_INPUT, "\"%s\", line %lld: %s", r->path, r->at, what);
}

/* The next line without its end; *more false behind the last. */
static dpl_status next_line(reader *r, bool *more, dpl_error *err)
{
    size_t n;

    errno = 0;
    *more = fgets(r->line, (int)MAX_LINE, r->f) != NULL;
    if (!*more && ferror(r->f))
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot read \"%s\"", r->path);
    if (!*more)
        return DPL_OK;
    r->at++;
    n = strlen(r->line);
    if (n == MAX_LINE - 1)
        return wrong(r, err, "is over a megabyte");
    if (n == 0 || (r->line[n - 1] != '\n' && !feof(r->f)))
        return wrong(r, err, "has a NUL byte");
    while (n > 0 && strchr("\n\r \t", r->line[n - 1]))
        r->line[--n] = '\0';
    return DPL_OK;
}

/* "4309 300", the first line of word2vec's. */
static bool is_header(const char *line, long long *words, long long *dim)
{
    char *end;

    if (strspn(line, "0123456789 \t") != strlen(line))
        return false;
    *words = strtoll(line, &end, 10);
    if (end == line)
        return false;
    line = end;
    *dim = strtoll(line, &end, 10);
    return end != line && end[strspn(end, " \t")] == '\0';
}

static int32_t count_numbers(const char *at)
{
    int32_t n = 0;

    while (*at && n <= DPL_MAX_DIM) {
        at += strspn(at, " \t");
        n += *at != '\0';
        at += strcspn(at, " \t");
    }
    return n;
}

static dpl_status set_dim(reader *r, long long dim, dpl_error *err)
{
    if (dim < 1 || dim > DPL_MAX_DIM)
        return dpli_fail(err, DPL_E_INPUT, "\"%s\", line %lld: %lld numbers a word, not 1 to %d",
                         r->path, r->at, dim, DPL_MAX_DIM);
    r->v->dim = (int32_t)dim;
    return DPL_OK;
}

static dpl_status add_word(reader *r, dpl_error *err)
{
    dpli_word_vectors *v = r->v;
    const size_t n_word = strcspn(r->line, " \t"), dim = (size_t)v->dim;
    const char *at = r->line + n_word;
    size_t bytes;
    void *grown;
    float *row;

    if (n_word > DPL_MAX_TOKEN_BYTES)
        return dpli_fail(err, DPL_E_INPUT, "\"%s\", line %lld: a word of %zu bytes, limit is %d",
                         r->path, r->at, n_word, DPL_MAX_TOKEN_BYTES);
    if (v->n == DPL_MAX_TOKENS)
        return dpli_fail(err, DPL_E_LIMIT, "\"%s\" has more than %d words", r->path,
                         DPL_MAX_TOKENS);
    if (n_word > 0)
        r->line[n_word] = '\0';
    if (n_word > 0 && !dpli_is_utf8(r->line))
        return wrong(r, err, "the word is not UTF-8");
    if (!dpli_mul(&bytes, ((size_t)v->n + 1) * dim, sizeof(float)) || bytes > MAX_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "\"%s\" has more than 4 GiB of numbers", r->path);
    grown = dpli_grow(v->words, &r->cap_words, (size_t)v->n + 1, sizeof *v->words, err);
    if (!grown)
        return DPL_E_MEMORY;
    v->words = grown;
    grown = dpli_grow(v->values, &r->cap_values, ((size_t)v->n + 1) * dim, sizeof(float), err);
    if (!grown)
        return DPL_E_MEMORY;
    v->values = grown;
    row = v->values + (size_t)v->n * dim;
    at += n_word > 0;
    for (size_t i = 0; i < dim; i++) {
        char *end;

        row[i] = strtof(at, &end);
        if (end == at || (*end && !strchr(" \t", *end)) || !isfinite(row[i]))
            return dpli_fail(err, DPL_E_INPUT, "\"%s\", line %lld: number %zu of %d is %s", r->path,
                             r->at, i + 1, (int)v->dim,
                             end == at && !at[strspn(at, " \t")] ? "missing" : "no finite number");
        at = end;
    }
    if (at[strspn(at, " \t")])
        return dpli_fail(err, DPL_E_INPUT, "\"%s\", line %lld: more than %d numbers", r->path,
                         r->at, (int)v->dim);
    if (n_word == 0) { /* of characters, the blank: no sentence has it as a token */
        v->n_blank++;
        return DPL_OK;
    }
    v->words[v->n] = dpli_strdup(r->line, err);
    if (!v->words[v->n])
        return DPL_E_MEMORY;
    v->n++;
    return DPL_OK;
}

static dpl_status read_lines(reader *r, dpl_error *err)
{
    bool more;
    dpl_status status = next_line(r, &more, err);

    while (status == DPL_OK && more) {
        long long dim = 0;

        if (r->at == 1 && is_header(r->line, &r->said, &dim)) {
            status = set_dim(r, dim, err);
        } else {
            if (r->v->dim == 0)
                status = set_dim(r, count_numbers(r->line) - 1, err);
            if (status == DPL_OK)
                status = add_word(r, err);
        }
        if (status == DPL_OK)
            status = next_line(r, &more, err);
    }
    if (status == DPL_OK && r->v->n == 0)
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\" has no words", r->path);
    if (status == DPL_OK && r->said && r->said != r->v->n + r->v->n_blank)
        status = dpli_fail(err, DPL_E_INPUT, "\"%s\" says that it has %lld words, and has %d",
                           r->path, r->said, (int)(r->v->n + r->v->n_blank));
    return status;
}

/* ------------------------------------------------------------------ by name */

static int by_word(const void *a, const void *b, void *words)
{
    const int32_t i = *(const int32_t *)a, k = *(const int32_t *)b;
    const int order = strcmp(((char **)words)[i], ((char **)words)[k]);

    return order ? order : (i > k) - (i < k);
}

/* Of words that are there twice the first counts. */
static dpl_status sort(dpli_word_vectors *v, dpl_error *err)
{
    int32_t n = 0;

    v->by_name = dpli_alloc((size_t)v->n, sizeof *v->by_name, err);
    if (!v->by_name)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < v->n; i++)
        v->by_name[i] = i;
    qsort_r(v->by_name, (size_t)v->n, sizeof *v->by_name, by_word, v->words);
    for (int32_t i = 0; i < v->n; i++) {
        if (n > 0 && strcmp(v->words[v->by_name[i]], v->words[v->by_name[n - 1]]) == 0)
            v->n_twice++;
        else
            v->by_name[n++] = v->by_name[i];
    }
    return DPL_OK;
}

const float *dpli_word_vectors_find(const dpli_word_vectors *v, const char *word)
{
    int32_t low = 0, high = v->n - v->n_twice - 1;

    while (low <= high) {
        const int32_t middle = low + (high - low) / 2;
        const int order = strcmp(word, v->words[v->by_name[middle]]);

        if (order == 0)
            return v->values + (size_t)v->by_name[middle] * (size_t)v->dim;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return NULL;
}

dpl_status dpli_word_vectors_read(dpli_word_vectors *out, const char *path, dpl_error *err)
{
    reader r = {.v = out, .path = path};
    dpl_status status = DPL_E_MEMORY;

    *out = (dpli_word_vectors){0};
    r.f = fopen(path, "re");
    if (!r.f)
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot read \"%s\"", path);
    r.line = dpli_alloc(MAX_LINE, 1, err);
    if (r.line)
        status = read_lines(&r, err);
    if (status == DPL_OK)
        status = sort(out, err);
    fclose(r.f);
    free(r.line);
    if (status != DPL_OK)
        dpli_word_vectors_clear(out);
    return status;
}

void dpli_word_vectors_clear(dpli_word_vectors *v)
{
    for (int32_t i = 0; i < v->n; i++)
        free(v->words[i]);
    free(v->words);
    free(v->values);
    free(v->by_name);
    *v = (dpli_word_vectors){0};
}
