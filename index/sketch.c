/*
 * sketch.c - what is kept of a picture to tell its copies, and what tells them.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "index/overlay.h"

enum { SHARP_SIDE_PX = 512 }; /* sharpness is looked at no larger than this */

static int32_t scaled(int32_t px, int32_t larger, int32_t side)
{
    const int64_t v = ((int64_t)px * side + larger / 2) / larger;

    return v > 0 ? (int32_t)v : 1;
}

static uint8_t grey(const uint8_t *p)
{
    return (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
}

/* The mean of |4 v - its four neighbours|, over the deviation: how much of the contrast is in fine
 * detail. */
static float sharpness(const dpl_image *image)
{
    const int32_t w = image->width_px, h = image->height_px;
    double edges = 0, sum = 0, squares = 0;

    if (w < 3 || h < 3)
        return 0;
    for (int32_t y = 1; y < h - 1; y++)
        for (int32_t x = 1; x < w - 1; x++) {
            const uint8_t *p = image->pixels + 3 * ((size_t)y * (size_t)w + (size_t)x);
            const int v = grey(p);

            edges += abs(4 * v - grey(p - 3) - grey(p + 3) - grey(p - 3 * (size_t)w) -
                         grey(p + 3 * (size_t)w));
            sum += v;
            squares += v * v;
        }
    const double n = (double)(w - 2) * (h - 2);
    squares = squares / n - sum / n * (sum / n);
    return squares > 1 ? (float)(edges / n / sqrt(squares)) : 0;
}

dpl_status dpl_sketch_make(dpl_sketch *out, const dpl_image *image, dpl_error *err)
{
    const int32_t w = image->width_px, h = image->height_px, larger = w > h ? w : h;
    dpl_image small = DPL_IMAGE_INIT, middle = DPL_IMAGE_INIT;
    const dpl_image *seen = image;
    dpl_status status;

    if (!image->pixels || w < 1 || h < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "there are no pixels to sketch");
    *out = (dpl_sketch){.width_px = scaled(w, larger, DPL_SKETCH_SIDE_PX),
                        .height_px = scaled(h, larger, DPL_SKETCH_SIDE_PX),
                        .full_width_px = image->full_width_px,
                        .full_height_px = image->full_height_px};
    out->pixels =
        dpli_sum64(((uint64_t)w << 32) | (uint64_t)h, image->pixels, 3 * (size_t)w * (size_t)h);
    if (larger > SHARP_SIDE_PX) {
        status = dpl_image_resize(&middle, image, scaled(w, larger, SHARP_SIDE_PX),
                                  scaled(h, larger, SHARP_SIDE_PX), err);
        if (status != DPL_OK)
            return status;
        seen = &middle;
    }
    out->sharpness = sharpness(seen);
    status = dpl_image_resize(&small, seen, out->width_px, out->height_px, err);
    for (int32_t i = 0; status == DPL_OK && i < out->width_px * out->height_px; i++)
        out->grey[i] = grey(small.pixels + 3 * (size_t)i);
    dpl_image_clear(&small);
    dpl_image_clear(&middle);
    return status;
}

void dpl_sketch_compare(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b)
{
    dpli_overlay(out, a, b);
}

bool dpli_is_proposed(size_t place, float alike)
{
    return alike >= 0.8f || (place < 10 && alike >= 0.5f) || (place < 5 && alike >= 0.4f);
}

/* Chosen on Flickr8k's and Caltech-101's training parts: docs/accuracy-log.md. */
#define COPY_SCORE    0.93f
#define COPY_EVIDENCE 100.0f
#define COPY_ALL_OVER 0.75f

bool dpl_overlay_is_copy(const dpl_overlay *o)
{
    return o->score >= COPY_SCORE && o->evidence >= COPY_EVIDENCE && o->all_over >= COPY_ALL_OVER;
}

dpl_rate dpl_copy_rate(const dpl_overlay *overlay)
{
    /* Pairs of 7,079 photos, and the 95 % bounds of a Poisson distribution. */
    static const dpl_rate measured = {5 / 25052581.0, 1.6 / 25052581.0, 11.7 / 25052581.0, false};

    return dpl_overlay_is_copy(overlay) ? measured : (dpl_rate){1, 0, 1, false};
}
