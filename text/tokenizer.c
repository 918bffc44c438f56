/*
 * tokenizer.c - a sentence's ids.
 *
 * First stage for sentences, as decoding and aligning are for photos; what the ids become is the
 * network's.
 */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "text/split.h"

dpl_status dpli_tokenizer_options(dpl_tokenizer_options *ours, const dpl_tokenizer_options *given,
                                  dpl_error *err)
{
    dpl_status status;

    *ours = (dpl_tokenizer_options)DPL_TOKENIZER_OPTIONS_INIT;
    status = dpli_options(ours, sizeof *ours, given, "tokenizer", err);
    if (status != DPL_OK)
        return status;
    if (ours->length < 0 || ours->length > DPL_MAX_TOKENS_LENGTH)
        return dpli_fail(err, DPL_E_ARGUMENT, "length of %d tokens is not within 1..%d",
                         (int)ours->length, DPL_MAX_TOKENS_LENGTH);
    if (ours->max_tokens < 0 || ours->max_tokens > DPL_MAX_TOKENS)
        return dpli_fail(err, DPL_E_ARGUMENT, "a vocabulary of %d tokens is not within 1..%d",
                         (int)ours->max_tokens, DPL_MAX_TOKENS);
    return DPL_OK;
}

dpl_status dpli_tokenizer_check(const dpl_tokenizer *t, dpl_error *err)
{
    const dpl_tokenizer_facts *a = &t->about;
    const struct {
        const char *name;
        int32_t id;
        bool needed;
    } ids[] = {{"padding", a->padding, true},
               {"unknown", a->unknown, false},
               {"start", a->start, false},
               {"end", a->end, false}};
    const int32_t least = 1 + (a->start >= 0) + (a->end >= 0);

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id < (ids[i].needed ? 0 : -1) || ids[i].id >= a->n_tokens)
            return dpli_fail(err, DPL_E_INPUT, "%s id is %d, the vocabulary is %d tokens",
                             ids[i].name, (int)ids[i].id, (int)a->n_tokens);
    if (a->length < least || a->length > DPL_MAX_TOKENS_LENGTH)
        return dpli_fail(err, DPL_E_INPUT, "length of %d tokens is not within %d..%d",
                         (int)a->length, (int)least, DPL_MAX_TOKENS_LENGTH);
    return DPL_OK;
}

void dpl_tokenizer_free(dpl_tokenizer *t)
{
    if (!t)
        return;
    dpli_vocabulary_clear(&t->vocabulary);
    dpli_pairs_clear(&t->pairs);
    free(t);
}

const dpl_tokenizer_facts *dpl_tokenizer_about(const dpl_tokenizer *t)
{
    return &t->about;
}

const char *dpl_tokenizer_token(const dpl_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->vocabulary.n ? t->vocabulary.by_id[id].text : NULL;
}

int32_t dpl_tokenizer_find(const dpl_tokenizer *t, const char *token)
{
    return dpli_vocabulary_find(&t->vocabulary, token, strlen(token));
}

/* A sentence's ids in the making. */
typedef struct sentence {
    int64_t *ids;
    int32_t n, most; /* most: of tokens, without start and end */
    dpl_sentence about;
} sentence;

static void add(sentence *s, const dpl_tokenizer *t, int32_t id)
{
    const bool unknown = id < 0;

    if (unknown && t->about.unknown < 0) {
        s->about.n_unknown += s->n < s->most;
        return;
    }
    if (s->n >= s->most) {
        s->about.n_cut++;
        return;
    }
    s->about.n_unknown += unknown;
    s->ids[s->n++] = unknown ? t->about.unknown : id;
}

static void add_pairs(sentence *s, const dpl_tokenizer *t, const char *piece, size_t n_bytes)
{
    int32_t ids[DPLI_MAX_PIECE_BYTES];

    while (n_bytes > 0) {
        const size_t n = n_bytes < DPLI_MAX_PIECE_BYTES ? n_bytes : DPLI_MAX_PIECE_BYTES;
        const int32_t n_ids = dpli_pairs_encode(ids, &t->pairs, piece, n);

        for (int32_t i = 0; i < n_ids; i++)
            add(s, t, ids[i]);
        piece += n;
        n_bytes -= n;
    }
}

dpl_status dpl_tokenizer_encode(int64_t *ids, dpl_sentence *about, const dpl_tokenizer *t,
                                const char *text, size_t n_bytes, dpl_error *err)
{
    const dpl_tokenizer_facts *facts = &t->about;
    const int32_t n_start = facts->start >= 0, n_end = facts->end >= 0;
    sentence s = {.ids = ids + n_start, .most = facts->length - n_start - n_end};
    dpli_splitter split = {.kind = facts->kind};
    const char *piece;
    char *prepared;
    size_t n;
    dpl_status status = dpli_text_prepare(&prepared, facts->kind, facts->lower, text, n_bytes, err);

    if (status != DPL_OK)
        return status;
    split.at = prepared;
    while (dpli_split_next(&split, &piece, &n)) {
        if (facts->kind == DPL_TOKENS_BYTE_PAIRS || facts->kind == DPL_TOKENS_CLIP)
            add_pairs(&s, t, piece, n);
        else
            add(&s, t, dpli_vocabulary_find(&t->vocabulary, piece, n));
    }
    free(prepared);
    if (s.n == 0)
        return s.about.n_unknown > 0
                   ? dpli_fail(err, DPL_E_INPUT, "text has no token that the model knows")
                   : dpli_fail(err, DPL_E_INPUT, "text is empty");
    if (n_start)
        ids[0] = facts->start;
    s.n += n_start;
    if (n_end)
        ids[s.n++] = facts->end;
    for (int32_t i = s.n; i < facts->length; i++)
        ids[i] = facts->padding;
    s.about.n = s.n;
    if (about)
        *about = s.about;
    return DPL_OK;
}
