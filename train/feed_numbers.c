/*
 * feed_numbers.c - what needs no decoding, as a tower's inputs: sentences as ids, codes as ids,
 * vectors as they are.
 *
 * All items are ids once, in the beginning; a row is a copy, 0 behind its end.
 */
#include "train/feed_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"

typedef struct number_feed {
    dpli_feed feed;          /* first: a feed is one of these */
    const dpl_dataset *data; /* of vectors */
    int32_t first, n, width;
    size_t *starts; /* [n + 1], into ids */
    int32_t *ids;
    size_t n_ids, cap_ids;
} number_feed;

static bool inside(const number_feed *f, int32_t item)
{
    return item >= f->first && item - f->first < f->n;
}

static int32_t steps_of(const dpli_feed *feed, int32_t item)
{
    const number_feed *f = (const number_feed *)feed;

    if (!inside(f, item))
        return 0;
    return f->data ? f->width
                   : (int32_t)(f->starts[item - f->first + 1] - f->starts[item - f->first]);
}

static bool has(const dpli_feed *feed, int32_t item)
{
    return steps_of(feed, item) > 0;
}

static dpl_status open_hand(void **hand, const dpli_feed *feed, dpl_error *err)
{
    (void)err;
    *hand = (void *)(uintptr_t)feed;
    return DPL_OK;
}

static void close_hand(void *hand)
{
    (void)hand;
}

static dpl_status fill(void *hand, void *out, const dpli_row *row, dpli_rng *rng, dpl_error *err)
{
    const number_feed *f = hand;
    const size_t width = (size_t)f->width;
    int64_t *ids = out;

    (void)rng;
    (void)err;
    if (f->data) {
        memcpy(out, dpl_dataset_vector(f->data, row->item), width * sizeof(float));
        return DPL_OK;
    }
    const size_t from = f->starts[row->item - f->first];
    const size_t n = f->starts[row->item - f->first + 1] - from;
    for (size_t i = 0; i < n; i++)
        ids[i] = f->ids[from + i];
    memset(ids + n, 0, (width - n) * sizeof *ids);
    return DPL_OK;
}

/* ------------------------------------------------------------------ making one */

static dpl_status add_ids(number_feed *f, const int64_t *ids, int32_t n, dpl_error *err)
{
    int32_t *grown = dpli_grow(f->ids, &f->cap_ids, f->n_ids + (size_t)n, sizeof *f->ids, err);

    if (!grown)
        return DPL_E_MEMORY;
    f->ids = grown;
    for (int32_t i = 0; i < n; i++)
        f->ids[f->n_ids++] = (int32_t)ids[i];
    return DPL_OK;
}

/* A sentence's ids to room; how many, 0 where it has none, which is told. */
static dpl_status read_sentence(int32_t *n, int64_t *room, const dpli_number_feed_options *o,
                                int32_t item, void (*warn)(void *ctx, const char *text), void *ctx,
                                dpl_error *err)
{
    const char *text = dpl_dataset_sentence(o->data, item);
    dpl_sentence about;
    dpl_error own;
    const dpl_status status =
        dpl_tokenizer_encode(room, &about, o->tokenizer, text, strlen(text), &own);

    *n = 0;
    if (status == DPL_OK) {
        *n = about.n;
        return DPL_OK;
    }
    if (status != DPL_E_INPUT && status != DPL_E_LIMIT) {
        if (err)
            *err = own;
        return status;
    }
    char *told = dpli_asprintf(err, "sentence \"%.60s\" is left out: %s", text, own.message);
    if (!told)
        return DPL_E_MEMORY;
    warn(ctx, told);
    free(told);
    return DPL_OK;
}

static dpl_status read_codes(int32_t *n, int64_t *room, const dpli_number_feed_options *o,
                             int32_t item, dpl_error *err)
{
    int32_t n_codes;
    const int32_t *codes = dpl_dataset_codes(o->data, item, &n_codes);

    *n = n_codes < o->width ? n_codes : o->width;
    for (int32_t i = 0; i < *n; i++) {
        if (codes[i] >= o->n_words)
            return dpli_fail(err, DPL_E_INPUT, "code %d is not in the network's table of %d",
                             (int)codes[i], (int)o->n_words);
        room[i] = codes[i];
    }
    return DPL_OK;
}

static dpl_status read_all(number_feed *f, const dpli_number_feed_options *o,
                           void (*warn)(void *ctx, const char *text), void *ctx, dpl_error *err)
{
    const int32_t length = o->tokenizer ? dpl_tokenizer_about(o->tokenizer)->length : o->width;
    int64_t *room = dpli_alloc((size_t)length, sizeof *room, err);
    dpl_status status = DPL_E_MEMORY;

    f->starts = dpli_calloc((size_t)f->n + 1, sizeof *f->starts, err);
    if (room && f->starts)
        status = DPL_OK;
    for (int32_t i = 0; i < f->n && status == DPL_OK; i++) {
        int32_t n;

        if (o->tokenizer)
            status = read_sentence(&n, room, o, f->first + i, warn, ctx, err);
        else
            status = read_codes(&n, room, o, f->first + i, err);
        if (status == DPL_OK)
            status = add_ids(f, room, n < o->width ? n : o->width, err);
        f->starts[i + 1] = f->n_ids;
    }
    free(room);
    return status;
}

static void free_feed(dpli_feed *feed)
{
    number_feed *f = (number_feed *)feed;

    free(f->starts);
    free(f->ids);
    free(f);
}

dpl_status dpli_number_feed_new(dpli_feed **out, const dpli_number_feed_options *o,
                                void (*warn)(void *ctx, const char *text), void *ctx,
                                dpl_error *err)
{
    const dpl_item_kind kind = dpl_dataset_side_kind(o->data, o->side);
    const bool vectors = kind == DPL_ITEM_VECTOR;
    number_feed *f;
    dpl_status status = DPL_OK;

    *out = NULL;
    if (vectors && dpl_dataset_side_dim(o->data, o->side) != o->width)
        return dpli_fail(err, DPL_E_INPUT, "vectors have %d numbers, the network takes %d",
                         (int)dpl_dataset_side_dim(o->data, o->side), (int)o->width);
    if (kind == DPL_ITEM_SENTENCE && !o->tokenizer)
        return dpli_fail(err, DPL_E_MODEL, "the network does not say how sentences become ids");
    f = dpli_calloc(1, sizeof *f, err);
    if (!f)
        return DPL_E_MEMORY;
    f->width = o->width;
    f->first = dpl_dataset_side_items(o->data, o->side, &f->n);
    if (vectors)
        f->data = o->data;
    else
        status = read_all(f, o, warn, ctx, err);
    if (status != DPL_OK) {
        free_feed(&f->feed);
        return status;
    }
    f->feed = (dpli_feed){
        .item_bytes = (size_t)o->width * (vectors ? sizeof(float) : sizeof(int64_t)),
        .held_bytes = f->cap_ids * sizeof *f->ids + ((size_t)f->n + 1) * sizeof *f->starts,
        .has = has,
        .steps = steps_of,
        .open = open_hand,
        .close = close_hand,
        .fill = fill,
        .free = free_feed,
    };
    *out = &f->feed;
    return DPL_OK;
}
