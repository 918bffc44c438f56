/*
 * words.c - what a new network's table of words is made from.
 */
#include "train/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "train/word_vectors.h"

struct dpli_words {
    int32_t n;
    dpl_tokenizer *tokenizer;
    dpli_word_vectors vectors;
    int32_t n_missing;
};

/* ------------------------------------------------------------------ the vocabulary */

static dpl_tokenizer_options tokens_of(const dpli_words_options *o)
{
    dpl_tokenizer_options t = DPL_TOKENIZER_OPTIONS_INIT;

    t.kind = strcmp(o->tokens, "characters") == 0 ? DPL_TOKENS_CHARACTERS : DPL_TOKENS_WORDS;
    t.lower = o->lower;
    t.length = o->length;
    t.max_tokens = o->max_words;
    return t;
}

/* The words of the data's sentences. */
static dpl_status from_data(dpl_tokenizer **out, const dpli_words_options *o, dpl_error *err)
{
    const dpl_tokenizer_options options = tokens_of(o);
    int32_t n;
    const int32_t first = dpl_dataset_side_items(o->data, o->side, &n);
    const char **lines = dpli_alloc((size_t)n + 1, sizeof *lines, err);
    dpl_status status;

    if (!lines)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++)
        lines[i] = dpl_dataset_sentence(o->data, first + i);
    status = dpl_tokenizer_from_lines(out, lines, (size_t)n, &options, err);
    free(lines);
    return status;
}

static dpl_status from_list(dpl_tokenizer **out, const char **list, int32_t n,
                            const dpli_words_options *o, int32_t max_words, dpl_error *err)
{
    dpl_tokenizer_options options = tokens_of(o);

    options.max_tokens = max_words;
    return dpl_tokenizer_from_tokens(out, list, (size_t)n, &options, err);
}

/* Whether a sentence that is this word and nothing else is cut into just that. */
static bool can_be_met(const dpl_tokenizer *t, const char *word, int64_t *room)
{
    const int32_t id = dpl_tokenizer_find(t, word);
    dpl_sentence about;

    return dpl_tokenizer_encode(room, &about, t, word, strlen(word), NULL) == DPL_OK &&
           about.n == 1 && about.n_cut == 0 && room[0] == id;
}

/* The data's words, then those of the vectors that a sentence could have. */
static dpl_status add_vectors(dpli_words *w, const dpli_words_options *o, dpl_error *err)
{
    const dpl_tokenizer_facts *facts = dpl_tokenizer_about(w->tokenizer);
    const int32_t most = facts->n_tokens + w->vectors.n;
    const char **list = dpli_alloc((size_t)most, sizeof *list, err);
    int64_t *room = dpli_alloc((size_t)facts->length, sizeof *room, err);
    dpl_tokenizer *all = NULL, *kept = NULL;
    int32_t n = 0, n_data, n_kept;
    dpl_status status = list && room ? DPL_OK : DPL_E_MEMORY;

    for (int32_t id = 2; status == DPL_OK && id < facts->n_tokens; id++)
        list[n++] = dpl_tokenizer_token(w->tokenizer, id);
    n_kept = n_data = n;
    for (int32_t i = 0; status == DPL_OK && i < w->vectors.n; i++) {
        const char *word = w->vectors.words[i];

        /* not the second time that it is there */
        if (dpl_tokenizer_find(w->tokenizer, word) < 0 &&
            dpli_word_vectors_find(&w->vectors, word) ==
                w->vectors.values + (size_t)i * (size_t)w->vectors.dim)
            list[n++] = word;
    }
    if (status == DPL_OK && n > n_data)
        status = from_list(&all, list, n, o, 0, err);
    for (int32_t i = n_data; all && i < n; i++)
        if (can_be_met(all, list[i], room))
            list[n_kept++] = list[i];
    if (status == DPL_OK && n_kept > n_data)
        status = from_list(&kept, list, n_kept, o, o->max_words, err);
    if (kept) {
        dpl_tokenizer_free(w->tokenizer);
        w->tokenizer = kept;
    }
    dpl_tokenizer_free(all);
    free(room);
    free(list);
    return status;
}

static void count_missing(dpli_words *w)
{
    const dpl_tokenizer_facts *facts = dpl_tokenizer_about(w->tokenizer);

    for (int32_t id = 0; id < facts->n_tokens; id++) {
        const char *token = dpl_tokenizer_token(w->tokenizer, id);

        w->n_missing += id != facts->padding && id != facts->unknown && token && *token &&
                        !dpli_word_vectors_find(&w->vectors, token);
    }
}

/* ------------------------------------------------------------------ the whole */

dpl_status dpli_words_new(dpli_words **out, const dpli_words_options *o, dpl_error *err)
{
    const bool named = strcmp(o->tokens, "characters") == 0 || strcmp(o->tokens, "words") == 0;
    dpl_tokenizer_options options = tokens_of(o);
    dpli_words *w = dpli_calloc(1, sizeof *w, err);
    dpl_status status = DPL_OK;

    *out = NULL;
    if (!w)
        return DPL_E_MEMORY;
    if (dpl_dataset_side_kind(o->data, o->side) == DPL_ITEM_CODES) {
        w->n = dpl_dataset_side_codes(o->data, o->side);
        if (o->vectors)
            status = dpli_fail(err, DPL_E_ARGUMENT, "\"vectors\" are of words, not of codes");
    } else {
        options.max_tokens = 0;
        status = named ? from_data(&w->tokenizer, o, err)
                       : dpl_tokenizer_from_merges(&w->tokenizer, o->tokens, &options, err);
        if (status == DPL_OK && o->vectors)
            status = dpli_word_vectors_read(&w->vectors, o->vectors, err);
        if (status == DPL_OK && o->vectors && named)
            status = add_vectors(w, o, err);
        if (status == DPL_OK && o->vectors)
            count_missing(w);
        if (status == DPL_OK)
            w->n = dpl_tokenizer_about(w->tokenizer)->n_tokens;
    }
    if (status == DPL_OK)
        *out = w;
    else
        dpli_words_free(w);
    return status;
}

void dpli_words_free(dpli_words *w)
{
    if (!w)
        return;
    dpl_tokenizer_free(w->tokenizer);
    dpli_word_vectors_clear(&w->vectors);
    free(w);
}

int32_t dpli_words_n(const dpli_words *w)
{
    return w->n;
}

const dpl_tokenizer *dpli_words_tokenizer(const dpli_words *w)
{
    return w->tokenizer;
}

int32_t dpli_words_width(const dpli_words *w)
{
    return w->vectors.dim;
}

int32_t dpli_words_n_missing(const dpli_words *w)
{
    return w->n_missing;
}

void dpli_words_fill(const dpli_words *w, float *table, int64_t width)
{
    for (int32_t id = 0; w->vectors.dim && w->vectors.dim == width && id < w->n; id++) {
        const char *token = dpl_tokenizer_token(w->tokenizer, id);
        const float *row = token && *token ? dpli_word_vectors_find(&w->vectors, token) : NULL;

        if (row)
            memcpy(table + (size_t)id * (size_t)width, row, (size_t)width * sizeof *row);
    }
}
