/*
 * quality.c - how fit a face is for comparison.
 *
 * Each part is a plain measurement and a line that maps it to 0..1; the weakest part is the answer,
 * so that a refusal can name its reason. "cut" is how much of the chip shows no photo: what
 * dpl_align found outside of it, or a black frame around it, as a photo has that was rotated or cut
 * out before, or what is missing of a truncated one; two faces cut off alike are alike in that.
 * Pose is estimated from the five landmarks by a rigid face whose nose tip stands 0.6 eye distances
 * before the plane of eyes and mouth: rough, but free.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vision/encoder.h"

#define NOSE_BY_EYES  0.6f  /* nose's height over the face's plane, in distances between the eyes */
#define NOSE_BY_MOUTH 0.52f /* the same in distances from eyes to mouth */
#define NOSE_REST                                                                                  \
    0.495f /* where the nose lies from eyes (0) to mouth (1) on a face seen frontally */
#define DEG   57.29578f
#define BLACK 4 /* a channel's largest value where a frame is black: JPEG leaves ripples in it */

/* 0 at worst and before, 1 at best and after; worst may lie above best. */
static float ramp(float v, float worst, float best)
{
    const float t = (v - worst) / (best - worst);

    return isfinite(t) ? fminf(fmaxf(t, 0), 1) : 0;
}

static void measure_pose(dpl_quality *q, const dpl_point *p)
{
    const float eyes_x = (p[0].x_px + p[1].x_px) / 2, eyes_y = (p[0].y_px + p[1].y_px) / 2;
    const float mouth_x = (p[3].x_px + p[4].x_px) / 2, mouth_y = (p[3].y_px + p[4].y_px) / 2;
    const float ex = p[1].x_px - p[0].x_px, ey = p[1].y_px - p[0].y_px;
    const float dx = mouth_x - eyes_x, dy = mouth_y - eyes_y;
    const float nx = p[2].x_px - eyes_x, ny = p[2].y_px - eyes_y;
    const float eyes2 = ex * ex + ey * ey, down2 = dx * dx + dy * dy;

    q->size_px = sqrtf(down2);
    q->roll_deg = atan2f(ey, ex) * DEG;
    /* The nose's position in the axes eyes and eyes-to-mouth, which in a turned face are not square
       to each other: along the eyes once the share that lies down the face has been taken off. */
    const float down = down2 > 0 ? (nx * dx + ny * dy) / down2 : 0;
    const float along = eyes2 > 0 ? ((nx - down * dx) * ex + (ny - down * dy) * ey) / eyes2 : 0;
    q->yaw_deg = atanf(along / NOSE_BY_EYES) * DEG;
    q->pitch_deg = atanf((down - NOSE_REST) / NOSE_BY_MOUTH) * DEG;
}

static float luma(const uint8_t *p)
{
    return 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
}

/* Brightness, contrast and sharpness over the middle of the chip, where the face is. */
static void measure_pixels(dpl_quality *q, const uint8_t *chip, int32_t width_px, int32_t height_px)
{
    const int32_t x0 = width_px / 5, x1 = width_px - x0, y0 = height_px / 5, y1 = height_px - y0;
    const size_t row = (size_t)width_px * 3;
    double sum = 0, sum2 = 0, lap = 0, lap2 = 0;
    int64_t n = 0;

    for (int32_t y = y0; y < y1; y++) {
        const uint8_t *p = chip + (size_t)y * row + (size_t)x0 * 3;
        for (int32_t x = x0; x < x1; x++, p += 3) {
            if (x < 1 || y < 1 || x + 1 >= width_px || y + 1 >= height_px)
                continue;
            const double v = luma(p);
            const double l = luma(p - 3) + luma(p + 3) + luma(p - row) + luma(p + row) - 4 * v;
            sum += v;
            sum2 += v * v;
            lap += l;
            lap2 += l * l;
            n++;
        }
    }
    if (n == 0)
        return;
    const double mean = sum / (double)n, variance = sum2 / (double)n - mean * mean;
    const double lap_mean = lap / (double)n, lap_variance = lap2 / (double)n - lap_mean * lap_mean;
    q->brightness = (float)(mean / 255);
    q->contrast = (float)(sqrt(fmax(variance, 0)) / 255);
    q->sharpness = variance > 1e-9 ? (float)(lap_variance / variance) : 0;
}

/* How many of n pixels, step bytes apart, are black before the first that is not. */
static int32_t black_run(const uint8_t *p, ptrdiff_t step, int32_t n)
{
    int32_t i = 0;

    for (; i < n && p[0] <= BLACK && p[1] <= BLACK && p[2] <= BLACK; i++)
        p += step;
    return i;
}

/* The share of n_lines lines of n pixels that is black from either of their ends on. */
static float black_ends(const uint8_t *chip, int32_t n_lines, ptrdiff_t line, int32_t n,
                        ptrdiff_t step)
{
    int64_t black = 0;

    for (int32_t i = 0; i < n_lines; i++) {
        const uint8_t *p = chip + i * line;
        const int32_t before = black_run(p, step, n);

        black += before;
        if (before < n)
            black += black_run(p + (n - 1) * step, -step, n);
    }
    return (float)black / (float)((int64_t)n_lines * n);
}

/* How much of the chip shows no photo. A photo's rectangle is convex, so that what lies outside of
   it is black from the chip's border on, along rows and along columns alike; black hair or a dark
   backdrop mostly is along one of them only, hence the lesser of the two. */
static float measure_cut(const uint8_t *chip, int32_t width_px, int32_t height_px)
{
    const ptrdiff_t row = (ptrdiff_t)width_px * 3;

    return fminf(black_ends(chip, height_px, row, width_px, 3),
                 black_ends(chip, width_px, 3, height_px, row));
}

void dpli_quality_measure(dpl_face *face, const uint8_t *chip, int32_t width_px, int32_t height_px)
{
    dpl_quality q = {0};

    measure_pose(&q, face->landmarks);
    measure_pixels(&q, chip, width_px, height_px);
    q.detector = face->score;

    const struct {
        const char *name;
        float value;
    } parts[] = {
        {"size", ramp(q.size_px, 4, 32)},
        {"sharpness", ramp(q.sharpness, 0.001f, 0.02f)},
        {"exposure", fminf(fminf(ramp(q.brightness, 0.04f, 0.2f), ramp(q.brightness, 0.97f, 0.85f)),
                           ramp(q.contrast, 0.02f, 0.10f))},
        {"pose", fminf(ramp(fabsf(q.yaw_deg), 80, 30), ramp(fabsf(q.pitch_deg), 70, 30))},
        {"detector", ramp(q.detector, 0.4f, 0.85f)},
        {"cut", ramp(measure_cut(chip, width_px, height_px), 0.4f, 0.05f)},
    };
    const size_t n_parts = sizeof parts / sizeof parts[0];
    size_t weakest = 0;
    for (size_t i = 1; i < n_parts; i++)
        if (parts[i].value < parts[weakest].value)
            weakest = i;
    q.overall = parts[weakest].value;
    snprintf(q.weakest, sizeof q.weakest, "%s", parts[weakest].name);
    face->quality = q;
}
