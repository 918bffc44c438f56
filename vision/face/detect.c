/*
 * detect.c - faces in a photo: boxes, five landmarks, scores.
 *
 * Second stage of the pipeline. The net (YuNet) looks at the picture reduced to max_side_px and is
 * believed there for faces up to 320 px: larger ones it takes for several. Those it sees in a
 * second look, reduced to 256 px with a margin round it, which is asked for nothing else: landmarks
 * found at the larger size are the better ones (docs/accuracy-log.md). Of a small picture a glimpse
 * says first whether the second look would see any. What the first look reduces is bounded by area,
 * so that a panorama's faces stay visible.
 *
 * When these show no face that is surely upright, the picture is looked at in the other three
 * quarter turns, too; when they show no face of a fair size, a picture that was much reduced is
 * looked at closer, in tiles. A face whose score is not that of an upright one is looked at once
 * more by itself (upright.c): it may be turned, or no face.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "net/plan.h"
#include "vision/face/detect.h"
#include "vision/face/look.h"
#include "vision/face/upright.h"
#include "vision/image/resample.h"
#include "vision/image/warp.h"

/* Looks at the whole picture are numbered by its quarter turns, tiles from here on. */
#define N_QUARTERS 4
/* Black round the second look, for faces that touch the picture's edges. */
#define MARGIN_PX 32
/* In the first look's pixels. The two ranges overlap, so that no face falls between them. */
#define BELIEVED_UP_TO_PX 320
#define OVERVIEW_FROM_PX  200
/* The same for small pictures, as a share of their larger side. */
#define OVERVIEW_FROM_SHARE 0.7f
/* The second look's larger side, margin not counted. */
#define OVERVIEW_PX 256
/* What is asked for faces that fill half of the picture is first asked at half the size, which
   costs a quarter: what is seen there faintly, or not quite as large, is enough for the second look
   to be taken. It loses none that the second look sees (docs/speed-log.md). */
#define GLIMPSE_FROM_SHARE 0.5f
#define GLIMPSE_PX         128
#define GLIMPSE_MARGIN_PX  16
#define GLIMPSE_SCORE      0.15f
#define GLIMPSE_SIZE       0.8f
/* Strongest kept before overlaps are removed, as YuNet's authors do. */
#define MAX_CANDIDATES ((size_t)5000)
/* A picture of 4:3 and max_side_px is what the first look sees at most of. */
#define PROPORTION 0.75
/* Of 100 upright faces of LFW 99 have at least FAIRLY_UPRIGHT; of those turned by a quarter or a
   half hardly one does, and of those turned by 30 degrees few reach SURELY_UPRIGHT
   (docs/accuracy-log.md).
 */
#define FAIRLY_UPRIGHT 0.88f
#define SURELY_UPRIGHT 0.92f
/* A face that was seen in another turn than upright, or faintly, has at least this score when
   looked at upright: there are few of them among what looks like one, and in eight turns something
   does sooner. */
#define CONFIRMED 0.85f
/* From this score on something may be a face that is turned. */
#define FAINT 0.3f
/* Faint ones that are looked at again, the strongest. */
#define MAX_FAINT 16
/* The larger side of the picture when it is looked at in other turns. */
#define TURNED_PX 640
/* Faces of this larger side in the first look are not missed by it; without one, the closer look is
   taken, which is asked for no larger ones than twice that. */
#define FAIR_PX 48
/* The closer look: its area, at most, in those of the first (24 megapixels of 1.2), and a tile's
   side. */
#define CLOSER_BY    20
#define TILE_PX      1024
#define TILE_OVERLAP 96

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
    for (int i = 0; i < DPLI_N_STRIDES; i++) {
        d->cls[i] = find_output(d->net, "cls", dpli_detector_strides[i]);
        d->obj[i] = find_output(d->net, "obj", dpli_detector_strides[i]);
        d->bbox[i] = find_output(d->net, "bbox", dpli_detector_strides[i]);
        d->kps[i] = find_output(d->net, "kps", dpli_detector_strides[i]);
        if (d->cls[i] < 0 || d->obj[i] < 0 || d->bbox[i] < 0 || d->kps[i] < 0) {
            dpli_fail(err, status, "\"%s\": an output for stride %d is missing", path,
                      dpli_detector_strides[i]);
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

size_t dpli_detector_bytes(const dpl_detector *detector, const dpl_detect_options *options)
{
    const dpl_detect_options usual = DPL_DETECT_OPTIONS_INIT;
    const int32_t stride = dpli_detector_strides[DPLI_N_STRIDES - 1];
    const int32_t max_side = options ? options->max_side_px : usual.max_side_px;
    const int64_t larger = max_side > TILE_PX ? max_side : TILE_PX;
    const int64_t side = (larger + stride - 1) / stride * stride;
    const dpl_shape shape = {4, {1, 3, side, side}};
    /* What the first look sees stays until the end; tiles are the largest of the others. */
    const double pixels = PROPORTION * max_side * max_side + (double)TILE_PX * TILE_PX;
    size_t n = 0;

    (void)dpli_plan_measure(&n, detector->net, &shape, DPL_LAYOUT_NHWC, true, NULL);
    return n + 3 * (size_t)pixels;
}

static int32_t larger_side(const dpl_image *image)
{
    return image->width_px > image->height_px ? image->width_px : image->height_px;
}

/* A detection under way. */
typedef struct search {
    const dpl_detector *detector;
    dpl_scratch *scratch;
    dpl_image *image;
    const dpli_closer *closer; /* NULL: none */
    double scale;              /* of the first look */
    dpl_image reduced;         /* as that sees it; no pixels: it is not reduced */
    const dpl_detect_options *o;
    float photo_px;  /* photo pixels a pixel of the first look */
    float min_score; /* of what is gathered */
    dpli_candidates found;
} search;

/* What the pixels [w, h] show when they are all of the picture, turned by quarters. */
static void map_whole(dpli_view *v, const dpl_image *image, int32_t quarters)
{
    const bool lies = quarters % 2 != 0;
    const float sx = (float)image->full_width_px / (float)(lies ? v->height_px : v->width_px);
    const float sy = (float)image->full_height_px / (float)(lies ? v->width_px : v->height_px);
    const float w = (float)image->full_width_px, h = (float)image->full_height_px;
    const float maps[N_QUARTERS][6] = {
        {sx, 0, 0, 0, sy, 0}, {0, -sx, w, sy, 0, 0}, {-sx, 0, w, 0, -sy, h}, {0, sx, 0, -sy, 0, h}};

    memcpy(v->map, maps[quarters], sizeof v->map);
}

/* What a smaller picture is made of: of what is reduced already, as each pass over the pixels of a
 * large photo costs as much as a look. */
static const dpl_image *smallest(const search *s)
{
    return s->reduced.pixels ? &s->reduced : s->image;
}

static dpl_status reduce(dpl_image *out, const search *s, double scale, dpl_error *err)
{
    const int32_t w = (int32_t)lround(s->image->width_px * scale);
    const int32_t h = (int32_t)lround(s->image->height_px * scale);

    return dpl_image_resize(out, smallest(s), w > 0 ? w : 1, h > 0 ? h : 1, err);
}

/* Take one look at the whole picture, reduced to scale where that is less than the first look's,
 * and gather what it sees. */
static dpl_status look(search *s, double scale, dpli_view v, dpl_error *err)
{
    dpl_image reduced = DPL_IMAGE_INIT;
    const dpl_image *seen = smallest(s);
    dpl_status status = DPL_OK;

    if (scale < s->scale) {
        status = reduce(&reduced, s, scale, err);
        seen = &reduced;
    }
    if (status != DPL_OK)
        return status;
    v.pixels = seen->pixels;
    v.stride_bytes = (size_t)seen->width_px * 3;
    v.width_px = seen->width_px;
    v.height_px = seen->height_px;
    v.min_score = s->min_score;
    map_whole(&v, s->image, 0);
    status = dpli_look(&s->found, s->detector, s->scratch, &v, 1, err);
    dpl_image_clear(&reduced);
    return status;
}

/* The same in another quarter turn: what is turned by 90 degrees times quarters is upright. */
static dpl_status look_turned(search *s, double scale, int32_t quarters, dpl_error *err)
{
    const dpl_image *image = s->image;
    const double w = fmax(lround(image->width_px * scale), 1);
    const double h = fmax(lround(image->height_px * scale), 1);
    const bool lies = quarters % 2 != 0;
    const float sx = (float)image->width_px / (float)image->full_width_px;
    const float sy = (float)image->height_px / (float)image->full_height_px;
    dpli_view v = {.width_px = (int32_t)(lies ? h : w),
                   .height_px = (int32_t)(lies ? w : h),
                   .most_px = INFINITY,
                   .min_score = s->min_score,
                   .look = quarters};
    uint8_t *pixels = dpli_alloc((size_t)v.width_px * (size_t)v.height_px, 3 * sizeof *pixels, err);
    dpl_status status;

    if (!pixels)
        return DPL_E_MEMORY;
    map_whole(&v, image, quarters);
    v.pixels = pixels;
    v.stride_bytes = (size_t)v.width_px * 3;
    const float m[6] = {v.map[0] * sx, v.map[1] * sx, v.map[2] * sx,
                        v.map[3] * sy, v.map[4] * sy, v.map[5] * sy};
    status = dpli_warp_affine(pixels, v.width_px, v.height_px, image, m, err);
    if (status == DPL_OK)
        status = dpli_look(&s->found, s->detector, s->scratch, &v, 1, err);
    free(pixels);
    return status;
}

/* The picture closer, tile by tile, for small faces. */
static dpl_status look_closer(search *s, double scale, dpl_error *err)
{
    const dpl_image *image = s->image;
    const int32_t w = (int32_t)lround(image->width_px * scale);
    const int32_t h = (int32_t)lround(image->height_px * scale);
    const int32_t step = TILE_PX - TILE_OVERLAP;
    uint8_t *pixels = dpli_alloc((size_t)TILE_PX * TILE_PX, 3 * sizeof *pixels, err);
    dpl_status status = pixels ? DPL_OK : DPL_E_MEMORY;
    int32_t look_number = N_QUARTERS;

    for (int32_t y = 0; status == DPL_OK && y + (y > 0 ? TILE_OVERLAP : 0) < h; y += step)
        for (int32_t x = 0; status == DPL_OK && x + (x > 0 ? TILE_OVERLAP : 0) < w; x += step) {
            const float sx = (float)image->full_width_px / (float)w;
            const float sy = (float)image->full_height_px / (float)h;
            const int32_t tile_w = w - x < TILE_PX ? w - x : TILE_PX;
            const int32_t tile_h = h - y < TILE_PX ? h - y : TILE_PX;
            const double step_x = (double)image->width_px / w,
                         step_y = (double)image->height_px / h;
            const dpli_axis along = {image->width_px, tile_w, x * step_x, step_x};
            const dpli_axis down = {image->height_px, tile_h, y * step_y, step_y};
            const dpli_view v = {.pixels = pixels,
                                 .stride_bytes = (size_t)tile_w * 3,
                                 .width_px = tile_w,
                                 .height_px = tile_h,
                                 .map = {sx, 0, (float)x * sx, 0, sy, (float)y * sy},
                                 .most_px = 2 * FAIR_PX * s->photo_px,
                                 .min_score = s->o->min_score,
                                 .look = look_number++};
            status = dpli_resample(pixels, image->pixels, &along, &down, err);
            if (status == DPL_OK)
                status = dpli_look(&s->found, s->detector, s->scratch, &v, 1, err);
        }
    free(pixels);
    return status;
}

static int stronger_first(const void *a, const void *b)
{
    const dpl_face *x = &((const dpli_candidate *)a)->face, *y = &((const dpli_candidate *)b)->face;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->y_px != y->y_px) /* equal scores: reading order, so that runs repeat */
        return x->y_px < y->y_px ? -1 : 1;
    return (x->x_px > y->x_px) - (x->x_px < y->x_px);
}

static void sort_candidates(dpli_candidates *c)
{
    if (c->n > 0)
        qsort(c->items, c->n, sizeof c->items[0], stronger_first);
}

/* The strongest of each heap of overlapping boxes, into out [max]; returns how many. */
static size_t suppress(dpli_candidate *out, size_t max, const dpli_candidates *c,
                       const dpl_detect_options *o)
{
    const size_t n = c->n < MAX_CANDIDATES ? c->n : MAX_CANDIDATES;
    size_t kept = 0;

    for (size_t i = 0; i < n && kept < max; i++) {
        const dpl_face *f = &c->items[i].face;
        bool keep = fmaxf(f->w_px, f->h_px) >= o->min_face_px;
        for (size_t k = 0; k < kept && keep; k++)
            keep = dpli_overlap(f, &out[k].face) <= o->max_overlap;
        if (keep)
            out[kept++] = c->items[i];
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

/* The faces after the second look at each, strongest first and again without overlaps: a turned
 * face may have been seen at two places. */
static dpl_status give_out(dpl_face **out, size_t *n_out, dpli_candidate *faces, size_t n,
                           const dpl_detect_options *o, dpl_error *err)
{
    dpli_candidates again = {.items = faces, .n = n};
    const size_t max = n < (size_t)o->max_faces ? n : (size_t)o->max_faces;
    dpli_candidate *kept = dpli_alloc(max, sizeof *kept, err);
    dpl_status status = DPL_E_MEMORY;

    if (!kept)
        return status;
    sort_candidates(&again);
    n = suppress(kept, max, &again, o);
    dpl_face *given = dpli_alloc(n > 0 ? n : 1, sizeof *given, err);
    if (given) {
        for (size_t i = 0; i < n; i++)
            given[i] = kept[i].face;
        *out = given;
        *n_out = n;
        status = DPL_OK;
    }
    free(kept);
    return status;
}

/* Whether the overview is worth its while. */
static dpl_status glimpse(bool *worth, search *s, dpli_view overview, dpl_error *err)
{
    const float min_score = s->min_score;
    const size_t n = s->found.n;
    dpl_status status;

    overview.margin_px = GLIMPSE_MARGIN_PX;
    overview.least_px *= GLIMPSE_SIZE;
    s->min_score = fminf(min_score, GLIMPSE_SCORE);
    status = look(s, fmin(1, (double)GLIMPSE_PX / larger_side(s->image)), overview, err);
    *worth = s->found.n > n;
    s->found.n = n;
    s->min_score = min_score;
    return status;
}

/* The first look and the overview. */
static dpl_status look_upright(search *s, double scale, dpl_error *err)
{
    const float side = (float)(larger_side(s->image) * scale);
    const float overview_from_px = fminf(OVERVIEW_FROM_PX, OVERVIEW_FROM_SHARE * side);
    const dpli_view first = {.most_px = side > BELIEVED_UP_TO_PX ? BELIEVED_UP_TO_PX * s->photo_px
                                                                 : INFINITY};
    const dpli_view overview = {
        .margin_px = MARGIN_PX, .least_px = overview_from_px * s->photo_px, .most_px = INFINITY};
    bool worth = true;
    dpl_status status = look(s, scale, first, err);

    if (status == DPL_OK && overview_from_px >= GLIMPSE_FROM_SHARE * side)
        status = glimpse(&worth, s, overview, err);
    if (status == DPL_OK && worth)
        status = look(s, fmin(1, (double)OVERVIEW_PX / larger_side(s->image)), overview, err);
    return status;
}

/* The other quarter turns of a picture that shows no face surely upright. */
static dpl_status look_all_turns(search *s, double scale, dpl_error *err)
{
    const double reduced = fmin(scale, (double)TURNED_PX / larger_side(s->image));
    const size_t n_upright = s->found.n;
    float best = FAIRLY_UPRIGHT;
    int32_t best_turn = 0;

    for (int32_t q = 1; q < N_QUARTERS; q++) {
        const dpl_status status = look_turned(s, reduced, q, err);
        if (status != DPL_OK)
            return status;
    }
    for (size_t i = n_upright; i < s->found.n; i++)
        if (s->found.items[i].face.score > best) {
            best = s->found.items[i].face.score;
            best_turn = s->found.items[i].look;
        }
    return best_turn > 0 && scale > reduced ? look_turned(s, scale, best_turn, err) : DPL_OK;
}

static float strongest(const dpli_candidates *c)
{
    float best = 0;

    for (size_t i = 0; i < c->n; i++)
        best = fmaxf(best, c->items[i].face.score);
    return best;
}

static float largest_px(const search *s)
{
    float largest = 0;

    for (size_t i = 0; i < s->found.n; i++) {
        const dpl_face *f = &s->found.items[i].face;
        if (f->score >= s->o->min_score)
            largest = fmaxf(largest, fmaxf(f->w_px, f->h_px));
    }
    return largest;
}

/* Look again at the faces whose score is not that of an upright one, and drop what is none. */
static dpl_status look_again(dpli_candidate *faces, size_t *n, const search *s, dpl_error *err)
{
    size_t kept = 0, faint = 0;

    for (size_t i = 0; i < *n; i++) {
        const dpl_face seen = faces[i].face;
        const bool upright = faces[i].look == 0 || faces[i].look >= N_QUARTERS;
        const bool weak = seen.score < s->o->min_score;
        dpl_face *f = &faces[i].face;
        bool turned = false;
        dpl_status status;

        if (weak && ++faint > MAX_FAINT)
            continue;
        if (seen.score < SURELY_UPRIGHT)
            status = dpli_upright(f, &turned, s->detector, s->scratch, s->image, err);
        else
            status = dpli_straighten(f, upright ? 0 : (float)faces[i].look * 90, s->detector,
                                     s->scratch, s->image, err);
        if (status != DPL_OK)
            return status;
        if ((turned || weak || !upright) && f->score < CONFIRMED) {
            if (!upright || weak)
                continue;
            *f = seen;
        }
        faces[kept++] = faces[i];
    }
    *n = kept;
    return DPL_OK;
}

/* Pixels of a picture that the closer look sees at most. */
static double closer_pixels(const dpl_detect_options *o)
{
    return CLOSER_BY * PROPORTION * o->max_side_px * o->max_side_px;
}

/* The larger side at which the closer look can use a photo. */
static int32_t closer_side(const dpl_image *image, const dpl_detect_options *o)
{
    const double w = image->full_width_px, h = image->full_height_px;

    return (int32_t)ceil(fmax(w, h) * fmin(1, sqrt(closer_pixels(o) / (w * h))));
}

/* What of w x h pixels the first look sees, a side. */
static double first_scale(double w, double h, const dpl_detect_options *o)
{
    const double bound = PROPORTION * o->max_side_px * o->max_side_px;

    return fmin(1, fmax(o->max_side_px / fmax(w, h), sqrt(bound / (w * h))));
}

/* Have the photo decoded with a larger side of side_px at least, if it is not. */
static dpl_status see_more(search *s, int32_t side_px, dpl_error *err)
{
    return s->closer && side_px > larger_side(s->image)
               ? s->closer->decode(s->closer->ctx, s->image, side_px, err)
               : DPL_OK;
}

/* The max_side_px with which the closer look sees all of a photo; 0 when it does. */
static int32_t side_for_all(const dpl_image *image, const dpl_detect_options *o)
{
    enum { ROUND = 20 };
    const double pixels = (double)image->full_width_px * image->full_height_px;

    return pixels > closer_pixels(o)
               ? (int32_t)ceil(sqrt(pixels / (CLOSER_BY * PROPORTION)) / ROUND) * ROUND
               : 0;
}

dpl_status dpl_detect(dpl_face **out, size_t *n_out, const dpl_detector *detector,
                      dpl_scratch *scratch, const dpl_image *image,
                      const dpl_detect_options *options, dpl_error *err)
{
    dpl_image as_it_is = *image;
    int32_t side_px;

    return dpli_detect(out, n_out, &side_px, detector, scratch, &as_it_is, NULL, options, err);
}

dpl_status dpli_detect(dpl_face **out, size_t *n_out, int32_t *side_px,
                       const dpl_detector *detector, dpl_scratch *scratch, dpl_image *image,
                       const dpli_closer *closer, const dpl_detect_options *options, dpl_error *err)
{
    dpl_detect_options known;
    const dpl_detect_options *o = &known;
    search s = {.detector = detector,
                .scratch = scratch,
                .image = image,
                .closer = closer,
                .reduced = DPL_IMAGE_INIT,
                .o = o};
    dpli_candidate *faces = NULL;
    size_t n = 0;
    dpl_status status;

    *out = NULL;
    *n_out = 0;
    *side_px = 0;
    status = read_options(&known, options, err);
    if (status != DPL_OK)
        return status;

    s.scale = first_scale(image->width_px, image->height_px, o);
    s.min_score = fminf(o->min_score, FAINT);
    s.photo_px = (float)((double)image->full_width_px / image->width_px / s.scale);
    if (s.scale < 1)
        status = reduce(&s.reduced, &s, s.scale, err);
    if (status == DPL_OK)
        status = look_upright(&s, s.scale, err);
    if (status == DPL_OK && strongest(&s.found) < FAIRLY_UPRIGHT)
        status = look_all_turns(&s, s.scale, err);
    if (status == DPL_OK && s.photo_px > 1 && largest_px(&s) < FAIR_PX * s.photo_px) {
        status = see_more(&s, closer_side(image, o), err);
        if (status == DPL_OK) {
            const double pixels = (double)image->width_px * image->height_px;

            status = look_closer(&s, fmin(1, sqrt(closer_pixels(o) / pixels)), err);
        }
    }
    if (status != DPL_OK || s.found.n == 0)
        goto done;
    sort_candidates(&s.found);
    faces = dpli_alloc(s.found.n, sizeof *faces, err);
    if (!faces) {
        status = DPL_E_MEMORY;
        goto done;
    }
    n = suppress(faces, s.found.n, &s.found, o);
    for (size_t i = 0; i < n; i++)
        dpli_blend_landmarks(&faces[i].face, faces[i].look, s.found.items, s.found.n,
                             fminf(o->min_score, faces[i].face.score));
    status = look_again(faces, &n, &s, err);
    if (status != DPL_OK || n == 0)
        goto done;
    status = give_out(out, n_out, faces, n, o, err);
done:
    if (status == DPL_OK && *n_out == 0) {
        *side_px = side_for_all(image, o);
        /* What is still reduced then is so for want of memory, and is told. */
        status = see_more(&s, closer_side(image, o), err);
    }
    free(faces);
    free(s.found.items);
    dpl_image_clear(&s.reduced);
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
