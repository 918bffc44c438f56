/*
 * detect.c - faces in a photo: boxes, five landmarks, scores.
 *
 * Second stage of the pipeline. The net (YuNet) looks at the picture reduced to max_side_px and is
 * believed there for faces up to 320 px: larger ones it takes for several. Those it sees in a
 * second look, reduced to 256 px with a margin round it, which is asked for nothing else: landmarks
 * found at the larger size are the better ones (docs/accuracy-log.md).
 *
 * Source: Wu, Peng, Yu 2023, "YuNet", section 3: anchor-free heads at strides 8, 16, 32;
 * score sqrt(cls * obj), centre (cell + b) * s, size exp(b) * s, points (cell + k) * s.
 * The net's coordinates have their origin at the corner of the first pixel, as ours do (measured:
 * docs/accuracy-log.md), so nothing is added when they are scaled to the photo.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "doppel/face.h"
#include "net/scratch.h"

#define N_STRIDES  3
#define MAX_STRIDE 32
/* Black round the second look, for faces that touch the picture's edges. */
#define MARGIN_PX 32
/* In the first look's pixels. The two ranges overlap, so that no face falls between them. */
#define BELIEVED_UP_TO_PX 320
#define OVERVIEW_FROM_PX  200
/* The same for small pictures, as a share of their larger side. */
#define OVERVIEW_FROM_SHARE 0.7f
/* The second look's larger side, margin not counted. */
#define OVERVIEW_PX 256
/* Boxes that overlap more speak of the same face at the same size. */
#define BLEND_OVERLAP 0.6f
/* Strongest kept before overlaps are removed, as YuNet's authors do. */
#define MAX_CANDIDATES ((size_t)5000)

static const int strides[N_STRIDES] = {8, 16, 32};

struct dpl_detector {
    dpl_net *net;
    int cls[N_STRIDES], obj[N_STRIDES], bbox[N_STRIDES], kps[N_STRIDES]; /* outputs by stride */
};

/* Faces while they are gathered; coordinates already of the full photo. */
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
    return dpl_detector_open_with(out, path, NULL, err);
}

dpl_status dpl_detector_open_with(dpl_detector **out, const char *path,
                                  const dpl_net_options *options, dpl_error *err)
{
    dpl_detector *d = dpli_calloc(1, sizeof *d, err);
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!d)
        goto done;
    status = dpl_net_open(&d->net, path, options, err);
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
    if (dpl_net_input_type(d->net, 0) != DPL_TYPE_FLOAT32) {
        dpli_fail(err, status, "\"%s\": a face detector takes pictures, this takes ids", path);
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
    dpl_face *items = dpli_grow(c->items, &c->cap, c->n + 1, sizeof *items, err);

    if (!items)
        return DPL_E_MEMORY;
    c->items = items;
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

/* One look at the picture. Positions lead back to the photo by (v - margin) / scale. */
typedef struct view {
    int32_t side_px;         /* the picture's larger side in the net's input, at most */
    int32_t margin_px;       /* black round it there */
    float scale_x, scale_y;  /* input pixels a photo pixel */
    float least_px, most_px; /* larger side of the faces it is asked for, photo pixels */
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
            f.x_px = (((float)x + b[0]) * s - (float)v->margin_px) / v->scale_x - f.w_px / 2;
            f.y_px = (((float)y + b[1]) * s - (float)v->margin_px) / v->scale_y - f.h_px / 2;
            for (int p = 0; p < 5; p++) {
                f.landmarks[p].x_px =
                    (((float)x + k[2 * p]) * s - (float)v->margin_px) / v->scale_x;
                f.landmarks[p].y_px =
                    (((float)y + k[2 * p + 1]) * s - (float)v->margin_px) / v->scale_y;
            }
            const float larger = fmaxf(f.w_px, f.h_px);
            if (!face_is_finite(&f) || larger < v->least_px || larger > v->most_px)
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

static int32_t larger_side(const dpl_image *image)
{
    return image->width_px > image->height_px ? image->width_px : image->height_px;
}

/* Take one look and add what it sees to found. */
static dpl_status look(candidates *found, const dpl_detector *d, dpl_scratch *scratch,
                       const dpl_image *image, view v, float min_score, dpl_error *err)
{
    dpl_image reduced = DPL_IMAGE_INIT;
    const dpl_image *seen = image;
    dpl_plan *plan;
    dpl_status status;

    if (larger_side(image) > v.side_px) {
        const double scale = (double)v.side_px / larger_side(image);
        const int32_t w = (int32_t)lround(image->width_px * scale);
        const int32_t h = (int32_t)lround(image->height_px * scale);
        status = dpl_image_resize(&reduced, image, w > 0 ? w : 1, h > 0 ? h : 1, err);
        if (status != DPL_OK)
            return status;
        seen = &reduced;
    }
    const int32_t w = round_up(seen->width_px + 2 * v.margin_px, MAX_STRIDE);
    const int32_t h = round_up(seen->height_px + 2 * v.margin_px, MAX_STRIDE);
    const dpl_shape shape = {4, {1, 3, h, w}};
    v.scale_x = (float)seen->width_px / (float)image->full_width_px;
    v.scale_y = (float)seen->height_px / (float)image->full_height_px;

    status = dpli_scratch_plan(&plan, scratch, d->net, &shape, DPL_LAYOUT_NHWC, err);
    if (status == DPL_E_ARGUMENT || status == DPL_E_LIMIT) {
        status = DPL_E_MODEL;
        if (err)
            err->status = status;
    }
    if (status != DPL_OK)
        goto done;
    float *in = dpl_plan_input(plan, 0);
    memset(in, 0, (size_t)w * (size_t)h * 3 * sizeof *in);
    for (int32_t y = 0; y < seen->height_px; y++) {
        const uint8_t *row = seen->pixels + (size_t)y * (size_t)seen->width_px * 3;
        float *to = in + ((size_t)(y + v.margin_px) * (size_t)w + (size_t)v.margin_px) * 3;
        for (int32_t x = 0; x < seen->width_px; x++, row += 3, to += 3) {
            to[0] = row[2]; /* the net wants BGR, 0..255 */
            to[1] = row[1];
            to[2] = row[0];
        }
    }
    status = dpl_plan_run(plan, err);
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

/*
 * Landmarks of a face as the mean of what all cells say that see nearly the same box, weighted by
 * score: their errors are largely independent, so alignment gets steadier (docs/accuracy-log.md).
 * The blending of BlazeFace (Bazarevsky et al. 2019, section 4), for landmarks only.
 */
static void blend_landmarks(dpl_face *out, const dpl_face *faces, size_t n)
{
    dpl_point sum[5] = {{0, 0}};
    float weights = 0;

    for (size_t i = 0; i < n; i++) {
        if (!(overlap(out, &faces[i]) > BLEND_OVERLAP))
            continue;
        const float w = faces[i].score * faces[i].score;
        for (int p = 0; p < 5; p++) {
            sum[p].x_px += w * faces[i].landmarks[p].x_px;
            sum[p].y_px += w * faces[i].landmarks[p].y_px;
        }
        weights += w;
    }
    for (int p = 0; p < 5; p++)
        out->landmarks[p] = (dpl_point){sum[p].x_px / weights, sum[p].y_px / weights};
}

/* The strongest of each heap of overlapping boxes, into out [max_faces]; returns how many. */
static size_t suppress(dpl_face *out, const candidates *c, const dpl_detect_options *o)
{
    const size_t n = c->n < MAX_CANDIDATES ? c->n : MAX_CANDIDATES;
    size_t kept = 0;

    for (size_t i = 0; i < n && kept < (size_t)o->max_faces; i++) {
        const dpl_face *f = &c->items[i];
        bool keep = fmaxf(f->w_px, f->h_px) >= o->min_face_px;
        for (size_t k = 0; k < kept && keep; k++)
            keep = overlap(f, &out[k]) <= o->max_overlap;
        if (keep) {
            out[kept] = *f;
            blend_landmarks(&out[kept++], c->items, n);
        }
    }
    return kept;
}

static dpl_status read_options(dpl_detect_options *o, const dpl_detect_options *given,
                               dpl_error *err)
{
    dpl_status status;

    *o = (dpl_detect_options)DPL_DETECT_OPTIONS_INIT;
    status = dpli_options(o, sizeof *o, given, "detection", err);
    if (status != DPL_OK)
        return status;
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
    dpl_detect_options known;
    const dpl_detect_options *o = &known;
    candidates found = {0};
    dpl_face *faces = NULL;
    dpl_status status;

    *out = NULL;
    *n_out = 0;
    status = read_options(&known, options, err);
    if (status != DPL_OK)
        return status;

    const int32_t side = larger_side(image) < o->max_side_px ? larger_side(image) : o->max_side_px;
    const float full =
        (float)(image->full_width_px > image->full_height_px ? image->full_width_px
                                                             : image->full_height_px);
    const float photo_px = full / (float)side; /* photo pixels a pixel of the first look */
    const view first = {.side_px = o->max_side_px,
                        .most_px =
                            side > BELIEVED_UP_TO_PX ? BELIEVED_UP_TO_PX * photo_px : INFINITY};
    const view overview = {.side_px = OVERVIEW_PX,
                           .margin_px = MARGIN_PX,
                           .least_px = fminf(OVERVIEW_FROM_PX, OVERVIEW_FROM_SHARE * (float)side) *
                                       photo_px,
                           .most_px = INFINITY};
    status = look(&found, detector, scratch, image, first, o->min_score, err);
    if (status == DPL_OK)
        status = look(&found, detector, scratch, image, overview, o->min_score, err);
    if (status != DPL_OK || found.n == 0)
        goto done;
    qsort(found.items, found.n, sizeof found.items[0], stronger_first);
    faces = dpli_alloc(found.n < (size_t)o->max_faces ? found.n : (size_t)o->max_faces,
                       sizeof *faces, err);
    if (!faces) {
        status = DPL_E_MEMORY;
        goto done;
    }
    *n_out = suppress(faces, &found, o);
    if (*n_out > 0) {
        *out = faces;
        faces = NULL;
    }
done:
    free(faces);
    free(found.items);
    return status;
}

void dpl_faces_free(dpl_face *faces)
{
    free(faces);
}

/* Area, times the square of how near to the middle the box is: 1 there, 0 in a corner. */
static float prominence(const dpl_face *f, const dpl_image *image)
{
    const float w = (float)image->full_width_px, h = (float)image->full_height_px;
    const float off = hypotf(2 * f->x_px + f->w_px - w, 2 * f->y_px + f->h_px - h) / hypotf(w, h);
    const float near = fmaxf(1 - off, 0);

    return f->w_px * f->h_px * near * near;
}

size_t dpl_main_face(const dpl_face *faces, size_t n, const dpl_image *image)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (prominence(&faces[i], image) > prominence(&faces[best], image))
            best = i;
    return best;
}
