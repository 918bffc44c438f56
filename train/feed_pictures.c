/*
 * feed_pictures.c - pictures as a tower's inputs.
 *
 * A row is a picture of the dataset, turned by quarters, distorted, and brought to the net's
 * numbers; a teacher is shown the picture as the net sees it, at the teacher's size.
 */
#include "train/feed_pictures.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct picture_feed {
    dpli_feed feed; /* first: a feed is one of these */
    dpli_picture_feed_options o;
    dpli_pixels *pixels;
    int32_t *target_dims;
} picture_feed;

/* What a thread works with. */
typedef struct hand {
    const picture_feed *f;
    dpli_augmenter *augmenter;
    dpl_scratch *scratch;        /* with teachers */
    uint8_t *turned, *distorted; /* [h, w, c] */
    const uint8_t *seen;         /* the row filled last, [h, w, c] */
    uint8_t *rgb;                /* [h, w, 3], for teachers */
} hand;

/* Quarter turns of a square picture. */
static void turn(uint8_t *out, const uint8_t *in, int32_t side, int32_t c, int32_t turns)
{
    for (int32_t y = 0; y < side; y++)
        for (int32_t x = 0; x < side; x++) {
            const int32_t from_y = turns == 1 ? x : turns == 2 ? side - 1 - y : side - 1 - x;
            const int32_t from_x = turns == 1 ? side - 1 - y : turns == 2 ? side - 1 - x : y;
            memcpy(out + ((size_t)y * (size_t)side + (size_t)x) * (size_t)c,
                   in + ((size_t)from_y * (size_t)side + (size_t)from_x) * (size_t)c, (size_t)c);
        }
}

static bool has(const dpli_feed *feed, int32_t item)
{
    return dpli_pixels_at(((const picture_feed *)feed)->pixels, item) != NULL;
}

/* ------------------------------------------------------------------ a thread's part */

static void close_hand(void *h)
{
    hand *w = h;

    if (!w)
        return;
    dpli_augmenter_free(w->augmenter);
    dpl_scratch_free(w->scratch);
    free(w->turned);
    free(w->distorted);
    free(w->rgb);
    free(w);
}

static dpl_status open_hand(void **out, const dpli_feed *feed, dpl_error *err)
{
    const picture_feed *f = (const picture_feed *)feed;
    const dpli_intake *in = &f->o.intake;
    const size_t n = (size_t)in->h * (size_t)in->w;
    hand *w = dpli_calloc(1, sizeof *w, err);
    dpl_status status;

    *out = NULL;
    if (!w)
        return DPL_E_MEMORY;
    w->f = f;
    status = dpli_augmenter_new(&w->augmenter, in->h, in->w, in->c, err);
    if (status == DPL_OK && f->o.n_teachers)
        status = dpl_scratch_new(&w->scratch, 0, err);
    if (status == DPL_OK) {
        w->turned = dpli_alloc(n, (size_t)in->c, err);
        w->distorted = dpli_alloc(n, (size_t)in->c, err);
        w->rgb = dpli_alloc(n, 3, err);
        if (!w->turned || !w->distorted || !w->rgb)
            status = DPL_E_MEMORY;
    }
    if (status == DPL_OK)
        *out = w;
    else
        close_hand(w);
    return status;
}

static dpl_status fill(void *h, void *out, const dpli_row *row, dpli_rng *rng, dpl_error *err)
{
    hand *w = h;
    const dpli_intake *in = &w->f->o.intake;

    (void)err;
    w->seen = dpli_pixels_at(w->f->pixels, row->item);
    if (row->turns) {
        turn(w->turned, w->seen, in->h, in->c, row->turns);
        w->seen = w->turned;
    }
    if (rng) {
        dpli_augment_run(w->augmenter, &w->f->o.augment, rng, w->distorted, w->seen);
        w->seen = w->distorted;
    }
    dpli_intake_run(out, in, w->seen);
    return DPL_OK;
}

/* What a teacher says of a picture as the net sees it. */
static dpl_status ask_teacher(void *h, float *out, int32_t i, dpl_error *err)
{
    hand *w = h;
    const dpli_intake *in = &w->f->o.intake;
    const dpl_encoder *teacher = w->f->o.teachers[i];
    const size_t n = (size_t)in->h * (size_t)in->w;
    dpl_image whole = DPL_IMAGE_INIT, sized = DPL_IMAGE_INIT;
    dpl_status status;

    if (in->c == 1)
        for (size_t k = 0; k < n; k++)
            memset(w->rgb + 3 * k, w->seen[k], 3);
    else
        memcpy(w->rgb, w->seen, 3 * n);
    status = dpl_image_from_rgb(&whole, w->rgb, in->w, in->h, (size_t)in->w * 3, err);
    if (status == DPL_OK)
        status = dpl_image_resize(&sized, &whole, dpl_encoder_width_px(teacher),
                                  dpl_encoder_height_px(teacher), err);
    if (status == DPL_OK)
        status = dpl_encode(out, teacher, w->scratch, sized.pixels, 1, err);
    dpl_image_clear(&whole);
    dpl_image_clear(&sized);
    return status;
}

/* ------------------------------------------------------------------ the whole */

static void free_feed(dpli_feed *feed)
{
    picture_feed *f = (picture_feed *)feed;

    dpli_pixels_free(f->pixels);
    free(f->target_dims);
    free(f);
}

dpl_status dpli_picture_feed_new(dpli_feed **out, const dpli_picture_feed_options *options,
                                 dpli_team *team, void (*warn)(void *ctx, const char *text),
                                 void *ctx, dpl_error *err)
{
    const dpli_intake *in = &options->intake;
    const int32_t n = options->n_teachers;
    picture_feed *f = dpli_calloc(1, sizeof *f, err);
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!f)
        return DPL_E_MEMORY;
    f->o = *options;
    f->target_dims = dpli_calloc((size_t)(n ? n : 1), sizeof *f->target_dims, err);
    if (f->target_dims)
        status = dpli_pixels_load(&f->pixels, options->data, options->side, in->h, in->w, in->c,
                                  options->aligner, options->limits, team, warn, ctx, err);
    if (status != DPL_OK) {
        free_feed(&f->feed);
        return status;
    }
    f->o.data = NULL;
    f->o.aligner = NULL;
    f->o.limits = NULL;
    for (int32_t i = 0; i < n; i++)
        f->target_dims[i] = dpl_encoder_dim(options->teachers[i]);
    f->feed = (dpli_feed){
        .item_bytes = (size_t)in->h * (size_t)in->w * (size_t)in->c * sizeof(float),
        .held_bytes = dpli_pixels_bytes(f->pixels),
        .target_dims = f->target_dims,
        .n_targets = n,
        .has = has,
        .open = open_hand,
        .close = close_hand,
        .fill = fill,
        .target = n ? ask_teacher : NULL,
        .free = free_feed,
    };
    *out = &f->feed;
    return DPL_OK;
}
