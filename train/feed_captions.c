/*
 * feed_captions.c - rows of another feed, sentences, that come with a vector each to be learned:
 * that of the picture which the row's class is.
 */
#include "train/feed_captions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct caption_feed {
    dpli_feed feed; /* first: a feed is one of these */
    dpli_feed *sentences;
    dpli_picture_vectors *pictures;
    int32_t dim;
} caption_feed;

typedef struct hand {
    const caption_feed *f;
    void *sentences;
    int32_t picture; /* of the row filled last */
} hand;

static bool has(const dpli_feed *feed, int32_t item)
{
    const dpli_feed *sentences = ((const caption_feed *)feed)->sentences;

    return sentences->has(sentences, item);
}

static int32_t steps(const dpli_feed *feed, int32_t item)
{
    const dpli_feed *sentences = ((const caption_feed *)feed)->sentences;

    return sentences->steps(sentences, item);
}

static void close_hand(void *h)
{
    hand *w = h;

    if (!w)
        return;
    w->f->sentences->close(w->sentences);
    free(w);
}

static dpl_status open_hand(void **out, const dpli_feed *feed, dpl_error *err)
{
    const caption_feed *f = (const caption_feed *)feed;
    hand *w = dpli_calloc(1, sizeof *w, err);
    dpl_status status;

    *out = NULL;
    if (!w)
        return DPL_E_MEMORY;
    w->f = f;
    status = f->sentences->open(&w->sentences, f->sentences, err);
    if (status == DPL_OK)
        *out = w;
    else
        close_hand(w);
    return status;
}

static dpl_status fill(void *h, void *out, const dpli_row *row, dpli_rng *rng, dpl_error *err)
{
    hand *w = h;

    w->picture = row->cls;
    return w->f->sentences->fill(w->sentences, out, row, rng, err);
}

static dpl_status vector_of(void *h, float *out, int32_t i, dpl_error *err)
{
    const hand *w = h;

    (void)i;
    (void)err;
    memcpy(out, dpli_picture_vector(w->f->pictures, w->picture), (size_t)w->f->dim * sizeof *out);
    return DPL_OK;
}

static void free_feed(dpli_feed *feed)
{
    caption_feed *f = (caption_feed *)feed;

    dpli_feed_free(f->sentences);
    dpli_picture_vectors_free(f->pictures);
    free(f);
}

dpl_status dpli_caption_feed_new(dpli_feed **out, dpli_feed *sentences,
                                 dpli_picture_vectors *pictures, dpl_error *err)
{
    caption_feed *f = dpli_calloc(1, sizeof *f, err);

    *out = NULL;
    if (!f) {
        dpli_feed_free(sentences);
        dpli_picture_vectors_free(pictures);
        return DPL_E_MEMORY;
    }
    f->sentences = sentences;
    f->pictures = pictures;
    f->dim = dpli_picture_vectors_dim(pictures);
    f->feed = (dpli_feed){
        .item_bytes = sentences->item_bytes,
        .held_bytes = sentences->held_bytes + dpli_picture_vectors_bytes(pictures),
        .target_dims = &f->dim,
        .n_targets = 1,
        .has = has,
        .steps = sentences->steps ? steps : NULL,
        .open = open_hand,
        .close = close_hand,
        .fill = fill,
        .target = vector_of,
        .free = free_feed,
    };
    *out = &f->feed;
    return DPL_OK;
}

const float *dpli_caption_feed_vector(const dpli_feed *feed, int32_t item)
{
    return dpli_picture_vector(((const caption_feed *)feed)->pictures, item);
}
