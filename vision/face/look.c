/*
 * look.c - one look of the detector's net (YuNet) at a picture or a part of it.
 *
 * Fills the net's input, runs it, and brings what its cells say back to the photo through the
 * view's map, which may turn. Which looks are taken is for detect.c and upright.c.
 *
 * Source: Wu, Peng, Yu 2023, "YuNet", section 3: anchor-free heads at strides 8, 16, 32;
 * score sqrt(cls * obj), centre (cell + b) * s, size exp(b) * s, points (cell + k) * s.
 * The net's coordinates have their origin at the corner of the first pixel, as ours do (measured:
 * docs/accuracy-log.md), so nothing is added when they are brought to the photo.
 */
#include "vision/face/look.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/cpu.h"
#include "base/mem.h"
#include "net/plan.h"
#include "net/scratch.h"

#define MAX_STRIDE 32
/* Boxes that overlap more speak of the same face at the same size. */
#define BLEND_OVERLAP 0.6f

const int dpli_detector_strides[DPLI_N_STRIDES] = {8, 16, 32};

static dpl_status push(dpli_candidates *c, const dpli_candidate *candidate, dpl_error *err)
{
    dpli_candidate *items = dpli_grow(c->items, &c->cap, c->n + 1, sizeof *items, err);

    if (!items)
        return DPL_E_MEMORY;
    c->items = items;
    c->items[c->n++] = *candidate;
    return DPL_OK;
}

static bool face_is_finite(const dpl_face *f)
{
    float sum = f->x_px + f->y_px + f->w_px + f->h_px + f->score;

    for (int i = 0; i < 5; i++)
        sum += f->landmarks[i].x_px + f->landmarks[i].y_px;
    return isfinite(sum) && f->w_px > 0 && f->h_px > 0;
}

static dpl_point to_photo(const dpli_view *v, float x, float y)
{
    x -= (float)v->margin_px;
    y -= (float)v->margin_px;
    return (dpl_point){v->map[0] * x + v->map[1] * y + v->map[2],
                       v->map[3] * x + v->map[4] * y + v->map[5]};
}

/* What the cells of one stride say about the i-th view of the batch. */
static dpl_status decode_stride(dpli_candidates *found, const dpl_detector *d, const dpl_plan *plan,
                                int stride, const dpli_view *v, size_t i, dpl_error *err)
{
    const dpl_shape grid = dpl_plan_output_shape(plan, d->cls[stride]);
    const int64_t n_cells = grid.dims[2] * grid.dims[3], first = (int64_t)i * n_cells;
    const float *cls = dpl_plan_output(plan, d->cls[stride]) + first;
    const float *obj = dpl_plan_output(plan, d->obj[stride]) + first;
    const float *bbox = dpl_plan_output(plan, d->bbox[stride]) + first * 4;
    const float *kps = dpl_plan_output(plan, d->kps[stride]) + first * 10;
    const float s = (float)dpli_detector_strides[stride];
    const float min_product = v->min_score * v->min_score;

    for (int64_t y = 0; y < grid.dims[2]; y++) {
        for (int64_t x = 0; x < grid.dims[3]; x++) {
            const int64_t cell = y * grid.dims[3] + x;
            const float product = cls[cell] * obj[cell];
            if (!(product >= min_product))
                continue;
            const float *b = bbox + cell * 4, *k = kps + cell * 10;
            const float w = expf(b[2]) * s, h = expf(b[3]) * s;
            const dpl_point centre = to_photo(v, ((float)x + b[0]) * s, ((float)y + b[1]) * s);
            dpli_candidate c = {.look = v->look};
            dpl_face *f = &c.face;
            f->score = fminf(sqrtf(product), 1.0f);
            /* The upright box round the ellipse in the seen box, which of a turn by a quarter is
               that box again. */
            f->w_px = hypotf(v->map[0] * w, v->map[1] * h);
            f->h_px = hypotf(v->map[3] * w, v->map[4] * h);
            f->x_px = centre.x_px - f->w_px / 2;
            f->y_px = centre.y_px - f->h_px / 2;
            for (int p = 0; p < 5; p++)
                f->landmarks[p] =
                    to_photo(v, ((float)x + k[2 * p]) * s, ((float)y + k[2 * p + 1]) * s);
            const float larger = fmaxf(f->w_px, f->h_px);
            if (!face_is_finite(f) || larger < v->least_px || larger > v->most_px)
                continue;
            dpl_status status = push(found, &c, err);
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

/* out [n, 3] BGR, 0..255, as the net wants it, of row [n, 3] RGB. */
static void fill_row(float *out, const uint8_t *row, int32_t n)
{
    for (int32_t x = 0; x < n; x++, row += 3, out += 3) {
        out[0] = row[2];
        out[1] = row[1];
        out[2] = row[0];
    }
}

#if defined(__x86_64__)
/* Five pixels at once; sixteen bytes are read of them, and sixteen values written. */
__attribute__((target("avx2"))) static void fill_row_avx2(float *out, const uint8_t *row, int32_t n)
{
    const __m128i turned = _mm_setr_epi8(2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 15);
    int32_t x = 0;

    for (; x + 6 <= n; x += 5) {
        const __m128i bgr = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(row + 3 * x)), turned);
        float *to = out + 3 * x;

        _mm256_storeu_ps(to, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bgr)));
        _mm256_storeu_ps(to + 8, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bgr, 8))));
    }
    fill_row(out + 3 * x, row + 3 * x, n - x);
}
#endif

/* Views as the net's input: pictures [h, w, 3]. */
typedef struct batch {
    const dpli_view *views;
    int32_t w;
} batch;

/* Line y of a view; 0 where it does not reach. */
static void fill_line(const void *ctx, float *out, int32_t picture, int32_t y)
{
    const batch *b = ctx;
    const dpli_view *v = &b->views[picture];
    const size_t n_row = (size_t)b->w * 3, n_left = (size_t)v->margin_px * 3;
    const size_t n_pixels = (size_t)v->width_px * 3, n_right = n_row - n_left - n_pixels;
    const uint8_t *row;

    y -= v->margin_px;
    if (y < 0 || y >= v->height_px) {
        memset(out, 0, n_row * sizeof *out);
        return;
    }
    row = v->pixels + (size_t)y * v->stride_bytes;
    memset(out, 0, n_left * sizeof *out);
#if defined(__x86_64__)
    if (dpli_cpu_level() >= DPLI_CPU_AVX2)
        fill_row_avx2(out + n_left, row, v->width_px);
    else
#endif
        fill_row(out + n_left, row, v->width_px);
    memset(out + n_left + n_pixels, 0, n_right * sizeof *out);
}

dpl_status dpli_look(dpli_candidates *found, const dpl_detector *detector, dpl_scratch *scratch,
                     const dpli_view *views, size_t n, dpl_error *err)
{
    const int32_t w = round_up(views[0].width_px + 2 * views[0].margin_px, MAX_STRIDE);
    const int32_t h = round_up(views[0].height_px + 2 * views[0].margin_px, MAX_STRIDE);
    const batch b = {views, w};
    const dpl_shape shape = {4, {(int64_t)n, 3, h, w}};
    dpl_plan *plan;
    dpl_status status = dpli_scratch_supplied_plan(&plan, scratch, detector->net, &shape, err);

    if (status == DPL_E_ARGUMENT || status == DPL_E_LIMIT) { /* the input's shape is ours */
        status = DPL_E_MODEL;
        if (err)
            err->status = status;
    }
    if (status != DPL_OK)
        return status;
    dpli_plan_supply(plan, fill_line, &b);
    status = dpl_plan_run(plan, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        for (int stride = 0; stride < DPLI_N_STRIDES && status == DPL_OK; stride++)
            status = decode_stride(found, detector, plan, stride, &views[i], i, err);
    return status;
}

float dpli_overlap(const dpl_face *a, const dpl_face *b)
{
    const float w = fminf(a->x_px + a->w_px, b->x_px + b->w_px) - fmaxf(a->x_px, b->x_px);
    const float h = fminf(a->y_px + a->h_px, b->y_px + b->h_px) - fmaxf(a->y_px, b->y_px);

    if (w <= 0 || h <= 0)
        return 0;
    return w * h / (a->w_px * a->h_px + b->w_px * b->h_px - w * h);
}

void dpli_blend_landmarks(dpl_face *face, int32_t look, const dpli_candidate *candidates, size_t n,
                          float min_score)
{
    dpl_point sum[5] = {{0, 0}};
    float weights = 0;

    for (size_t i = 0; i < n; i++) {
        const dpl_face *f = &candidates[i].face;
        if (candidates[i].look != look || f->score < min_score ||
            !(dpli_overlap(face, f) > BLEND_OVERLAP))
            continue;
        const float w = f->score * f->score;
        for (int p = 0; p < 5; p++) {
            sum[p].x_px += w * f->landmarks[p].x_px;
            sum[p].y_px += w * f->landmarks[p].y_px;
        }
        weights += w;
    }
    for (int p = 0; p < 5 && weights > 0; p++)
        face->landmarks[p] = (dpl_point){sum[p].x_px / weights, sum[p].y_px / weights};
}
