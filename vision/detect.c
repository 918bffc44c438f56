/*
 * detect.c - faces in a photo: boxes, five landmarks, scores.
 *
 * Second stage of the pipeline. The net (YuNet) looks at the picture at two sizes: reduced to
 * max_side_px, where it sees faces from about 10 to 300 px, and, with a margin round it, reduced so
 * far that a face which fills the photo comes into the range that the net was trained on. What both
 * see is one face: the stronger box wins.
 *
 * Source: Wu, Peng, Yu 2023, "YuNet", section 3: anchor-free heads at strides 8, 16, 32;
 * score sqrt(cls * obj), centre (cell + b) * s, size exp(b) * s, points (cell + k) * s.
 * The net's coordinates are those of pixel indices (measured: in a mirrored picture of width w a
 * point's two positions add up to w - 1), so half a pixel is added before scaling to the photo.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/face.h"
#include "vision/scratch.h"

#define N_STRIDES   3
#define MAX_STRIDE  32
#define OVERVIEW_PX 256 /* larger side of the second look, margin not counted */
#define MAX_CANDIDATES                                                                             \
    ((size_t)5000) /* strongest kept before overlaps are removed, as YuNet's authors do */

static const int strides[N_STRIDES] = {8, 16, 32};

struct dpl_detector {
    dpl_net *net;
    int cls[N_STRIDES], obj[N_STRIDES], bbox[N_STRIDES], kps[N_STRIDES]; /* outputs by stride */
};

/** Faces while they are gathered; coordinates already of the full photo. */
typedef struct candidates {
    dpl_face *items;
    size_t n, cap;
} candidates;

static int find_output(const dpl_net *net, const char *prefix, int stride)
{
    char name[32];

    snprintf(name, sizeof name, "%s_%d", prefix, stride);
    for (int32_t i = 0; i < dpl_net_n_outputs(net); i++)
        if (strcmp(dpl_net_output_name(net, i), name) == 0)
            return i;
    return -1;
}

static bool meta_is(const dpl_net *net, const char *key, const char *value)
{
    const char *v = dpl_net_meta(net, key);

    return v && strcmp(v, value) == 0;
}

dpl_status dpl_detector_open(dpl_detector **out, const char *path, dpl_error *err)
{
    dpl_detector *d = dpli_calloc(1, sizeof *d, err);
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!d)
        goto done;
    status = dpl_net_open(&d->net, path, NULL, err);
    if (status != DPL_OK)
        goto done;
    status = DPL_E_MODEL;
    if (!meta_is(d->net, "doppel.kind", "face-detector") ||
        !meta_is(d->net, "doppel.detector", "yunet")) {
        dpli_fail(err, status,
                  "\"%s\": not a face detector (doppel.kind face-detector, doppel.detector yunet)",
                  path);
        goto done;
    }
    if (dpl_net_n_inputs(d->net) != 1) {
        dpli_fail(err, status, "\"%s\": a face detector has one input, this has %d", path,
                  (int)dpl_net_n_inputs(d->net));
        goto done;
    }
    for (int i = 0; i < N_STRIDES; i++) {
        d->cls[i] = find_output(d->net, "cls", strides[i]);
        d->obj[i] = find_output(d->net, "obj", strides[i]);
        d->bbox[i] = find_output(d->net, "bbox", strides[i]);
        d->kps[i] = find_output(d->net, "kps", strides[i]);
        if (d->cls[i] < 0 || d->obj[i] < 0 || d->bbox[i] < 0 || d->kps[i] < 0) {
            dpli_fail(err, status, "\"%s\": an output for stride %d is missing", path, strides[i]);
            goto done;
        }
    }
    *out = d;
    d = NULL;
    status = DPL_OK;
done:
    dpl_detector_close(d);
    return status;
}

void dpl_detector_close(dpl_detector *detector)
{
    if (!detector)
        return;
    dpl_net_close(detector->net);
    free(detector);
}

const dpl_net *dpl_detector_net(const dpl_detector *detector)
{
    return detector->net;
}

static dpl_status push(candidates *c, const dpl_face *face, dpl_error *err)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        dpl_face *grown = dpli_realloc(c->items, cap, sizeof *grown, err);
        if (!grown)
            return DPL_E_MEMORY;
        c->items = grown;
        c->cap = cap;
    }
    c->items[c->n++] = *face;
    return DPL_OK;
}

static bool face_is_finite(const dpl_face *f)
{
    float sum = f->x_px + f->y_px + f->w_px + f->h_px + f->score;

    for (int i = 0; i < 5; i++)
        sum += f->landmarks[i].x_px + f->landmarks[i].y_px;
    return isfinite(sum) && f->w_px > 0 && f->h_px > 0;
}

/** How positions in the net's input lead back to the photo: (v + 0.5 - offset) / scale. */
typedef struct view {
    float scale_x, scale_y; /* input pixels a photo pixel */
    float offset_px;        /* margin left of and above the picture, input pixels */
} view;

static dpl_status decode_stride(candidates *found, const dpl_detector *d, const dpl_plan *plan,
                                int i, const view *v, float min_score, dpl_error *err)
{
    const dpl_shape grid = dpl_plan_output_shape(plan, d->cls[i]);
    const float *cls = dpl_plan_output(plan, d->cls[i]);
    const float *obj = dpl_plan_output(plan, d->obj[i]);
    const float *bbox = dpl_plan_output(plan, d->bbox[i]);
    const float *kps = dpl_plan_output(plan, d->kps[i]);
    const float s = (float)strides[i];
    const float min_product = min_score * min_score;

    for (int64_t y = 0; y < grid.dims[2]; y++) {
        for (int64_t x = 0; x < grid.dims[3]; x++) {
            const int64_t cell = y * grid.dims[3] + x;
            const float product = cls[cell] * obj[cell];
            if (!(product >= min_product))
                continue;
            const float *b = bbox + cell * 4, *k = kps + cell * 10;
            dpl_face f = {0};
            f.score = fminf(sqrtf(product), 1.0f);
            f.w_px = expf(b[2]) * s / v->scale_x;
            f.h_px = expf(b[3]) * s / v->scale_y;
            f.x_px = (((float)x + b[0]) * s + 0.5f - v->offset_px) / v->scale_x - f.w_px / 2;
            f.y_px = (((float)y + b[1]) * s + 0.5f - v->offset_px) / v->scale_y - f.h_px / 2;
            for (int p = 0; p < 5; p++) {
                f.landmarks[p].x_px =
                    (((float)x + k[2 * p]) * s + 0.5f - v->offset_px) / v->scale_x;
                f.landmarks[p].y_px =
                    (((float)y + k[2 * p + 1]) * s + 0.5f - v->offset_px) / v->scale_y;
            }
            if (!face_is_finite(&f))
                continue;
            dpl_status status = push(found, &f, err);
            if (status != DPL_OK)
                return status;
        }
    }
    return DPL_OK;
}

static int32_t round_up(int32_t v, int32_t to)
{
    return (v + to - 1) / to * to;
}

/** Look at the image reduced to side_px with margin_px of black round it; adds to found. */
static dpl_status look(candidates *found, const dpl_detector *d, dpl_scratch *scratch,
                       const dpl_image *image, int32_t side_px, int32_t margin_px, float min_score,
                       dpl_error *err)
{
    const int32_t larger = image->width_px > image->height_px ? image->width_px : image->height_px;
    dpl_image reduced = DPL_IMAGE_INIT;
    const dpl_image *seen = image;
    dpl_plan *plan;
    dpl_status status;

    if (larger > side_px) {
        const double scale = (double)side_px / larger;
        const int32_t w = (int32_t)lround(image->width_px * scale);
        const int32_t h = (int32_t)lround(image->height_px * scale);
        status = dpl_image_resize(&reduced, image, w > 0 ? w : 1, h > 0 ? h : 1, err);
        if (status != DPL_OK)
            return status;
        seen = &reduced;
    }
    const int32_t w = round_up(seen->width_px + 2 * margin_px, MAX_STRIDE);
    const int32_t h = round_up(seen->height_px + 2 * margin_px, MAX_STRIDE);
    const dpl_shape shape = {4, {1, 3, h, w}};
    const view v = {(float)seen->width_px / (float)image->full_width_px,
                    (float)seen->height_px / (float)image->full_height_px, (float)margin_px};

    status = dpli_scratch_plan(&plan, scratch, d->net, &shape, DPL_LAYOUT_NHWC, err);
    if (status != DPL_OK)
        goto done;
    float *in = dpl_plan_input(plan, 0);
    memset(in, 0, (size_t)w * (size_t)h * 3 * sizeof *in);
    for (int32_t y = 0; y < seen->height_px; y++) {
        const uint8_t *row = seen->pixels + (size_t)y * (size_t)seen->width_px * 3;
        float *to = in + ((size_t)(y + margin_px) * (size_t)w + (size_t)margin_px) * 3;
        for (int32_t x = 0; x < seen->width_px; x++, row += 3, to += 3) {
            to[0] = row[2]; /* the net wants BGR, 0..255 */
            to[1] = row[1];
            to[2] = row[0];
        }
    }
    dpl_plan_run(plan);
    for (int i = 0; i < N_STRIDES && status == DPL_OK; i++)
        status = decode_stride(found, d, plan, i, &v, min_score, err);
done:
    dpl_image_clear(&reduced);
    return status;
}

static int stronger_first(const void *a, const void *b)
{
    const dpl_face *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->y_px != y->y_px) /* equal scores: reading order, so that runs repeat */
        return x->y_px < y->y_px ? -1 : 1;
    return (x->x_px > y->x_px) - (x->x_px < y->x_px);
}

static float overlap(const dpl_face *a, const dpl_face *b)
{
    const float w = fminf(a->x_px + a->w_px, b->x_px + b->w_px) - fmaxf(a->x_px, b->x_px);
    const float h = fminf(a->y_px + a->h_px, b->y_px + b->h_px) - fmaxf(a->y_px, b->y_px);

    if (w <= 0 || h <= 0)
        return 0;
    return w * h / (a->w_px * a->h_px + b->w_px * b->h_px - w * h);
}

/** Keep the strongest of each heap of overlapping boxes, at the front of the list; returns how
 * many. */
static size_t suppress(candidates *c, const dpl_detect_options *o)
{
    size_t n = c->n < MAX_CANDIDATES ? c->n : MAX_CANDIDATES, kept = 0;

    for (size_t i = 0; i < n && kept < (size_t)o->max_faces; i++) {
        const dpl_face *f = &c->items[i];
        bool keep = fmaxf(f->w_px, f->h_px) >= o->min_face_px;
        for (size_t k = 0; k < kept && keep; k++)
            keep = overlap(f, &c->items[k]) <= o->max_overlap;
        if (keep)
            c->items[kept++] = c->items[i];
    }
    return kept;
}

static dpl_status check_options(const dpl_detect_options *o, dpl_error *err)
{
    if (o->struct_size != sizeof *o)
        return dpli_fail(err, DPL_E_ARGUMENT, "detection options have struct_size %zu, not %zu",
                         o->struct_size, sizeof *o);
    if (!(o->min_score > 0 && o->min_score <= 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "detection score must be in (0, 1], not %g",
                         (double)o->min_score);
    if (!(o->max_overlap >= 0 && o->max_overlap <= 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "detection overlap must be in [0, 1], not %g",
                         (double)o->max_overlap);
    if (o->max_side_px < 64 || o->max_side_px > 16384)
        return dpli_fail(err, DPL_E_ARGUMENT, "detection side must be in 64..16384 pixels, not %d",
                         (int)o->max_side_px);
    if (!(o->min_face_px >= 0))
        return dpli_fail(err, DPL_E_ARGUMENT, "smallest face must not be negative");
    if (o->max_faces < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "at least one face must be allowed");
    return DPL_OK;
}

dpl_status dpl_detect(dpl_face **out, size_t *n_out, const dpl_detector *detector,
                      dpl_scratch *scratch, const dpl_image *image,
                      const dpl_detect_options *options, dpl_error *err)
{
    static const dpl_detect_options defaults = DPL_DETECT_OPTIONS_INIT;
    const dpl_detect_options *o = options ? options : &defaults;
    candidates found = {0};
    dpl_status status;

    *out = NULL;
    *n_out = 0;
    status = check_options(o, err);
    if (status != DPL_OK)
        return status;
    status = look(&found, detector, scratch, image, o->max_side_px, 0, o->min_score, err);
    if (status != DPL_OK)
        goto done;
    const int32_t overview = o->max_side_px < OVERVIEW_PX ? o->max_side_px : OVERVIEW_PX;
    status = look(&found, detector, scratch, image, overview, overview / 8, o->min_score, err);
    if (status != DPL_OK || found.n == 0)
        goto done;
    qsort(found.items, found.n, sizeof found.items[0], stronger_first);
    const size_t kept = suppress(&found, o);
    if (kept == 0)
        goto done;
    *out = found.items;
    *n_out = kept;
    found.items = NULL;
done:
    free(found.items);
    return status;
}

void dpl_faces_free(dpl_face *faces)
{
    free(faces);
}
