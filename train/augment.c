/*
 * augment.c - a picture as it might as well have been taken or drawn.
 *
 * Between the dataset's pixels and the step of training. In the order in which it would happen to
 * a picture: the pen (stroke), the place (affine), what stands before it (occlusion), the light
 * (colour), the lens (blur), the file (JPEG).
 *
 * Source of the affine part: Koch, Zemel, Salakhutdinov 2015, section 3.2: each of the seven
 * numbers (rotation, two shears, two scales, two shifts) is drawn, or left out, by itself. They are
 * composed about the picture's centre, with the crop and the flip, so that a pixel is interpolated
 * once. The paper does not say how borders are filled; here it is with the paper's colour.
 */
#include "train/augment.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "doppel/image.h"
#include "vision/encoder.h"

#define PI 3.14159265358979323846

/* Colours are told apart by 4 bits a channel when the most common one is looked for. */
enum { N_BINS = 1 << 12 };

/* Of a Gaussian: three sigmas, of up to this many pixels. */
enum { MAX_RADIUS = 48 };

static const struct {
    const char *name;
    dpli_augment how;
} presets[] = {
    {"none", {.scale_low = 1, .scale_high = 1}},
    {"koch",
     {.affine_p = 0.5f,
      .rotate_deg = 10,
      .shear = 0.3f,
      .scale_low = 0.8f,
      .scale_high = 1.2f,
      .shift_px = 2}},
    {"drawing",
     {.affine_p = 0.7f,
      .rotate_deg = 15,
      .shear = 0.3f,
      .scale_low = 0.75f,
      .scale_high = 1.25f,
      .shift_px = 8,
      .stroke_p = 0.3f}},
    {"face",
     {.affine_p = 0.5f,
      .rotate_deg = 6,
      .shear = 0.05f,
      .scale_low = 0.92f,
      .scale_high = 1.08f,
      .shift_px = 3,
      .flip_p = 0.5f,
      .crop = 0.1f,
      .brightness = 0.3f,
      .contrast = 0.3f,
      .saturation = 0.3f,
      .grey_p = 0.1f,
      .blur_p = 0.2f,
      .blur_px = 1.5f,
      .jpeg_p = 0.3f,
      .jpeg_low = 30,
      .occlude_p = 0.15f,
      .occlude = 0.15f}},
    {"photo",
     {.affine_p = 0.3f,
      .rotate_deg = 10,
      .shear = 0.1f,
      .scale_low = 0.8f,
      .scale_high = 1.2f,
      .shift_px = 4,
      .flip_p = 0.5f,
      .crop = 0.4f,
      .brightness = 0.4f,
      .contrast = 0.4f,
      .saturation = 0.4f,
      .grey_p = 0.1f,
      .blur_p = 0.3f,
      .blur_px = 2,
      .jpeg_p = 0.3f,
      .jpeg_low = 30,
      .occlude_p = 0.2f,
      .occlude = 0.2f}},
};

bool dpli_augment_named(dpli_augment *out, const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0) {
            *out = presets[i].how;
            return true;
        }
    return false;
}

struct dpli_augmenter {
    int32_t h, w, c;
    size_t n;        /* bytes of a picture */
    uint8_t *now;    /* [h, w, c], the picture so far */
    uint8_t *next;   /* the same, what a step makes of it */
    uint8_t *framed; /* [h + 2, w + 2, c], with the colour that comes in round it */
    float *rows;     /* [h, w, c], blurred along the rows */
    uint8_t *rgb;    /* [h, w, 3], a grey picture for JPEG */
};

dpl_status dpli_augmenter_new(dpli_augmenter **out, int32_t h, int32_t w, int32_t channels,
                              dpl_error *err)
{
    dpli_augmenter *a = dpli_calloc(1, sizeof *a, err);
    size_t pixels = 0, framed = 0;

    *out = NULL;
    if (!a)
        return DPL_E_MEMORY;
    /* Sides are int32_t: the products fit unless size_t is of 32 bits. */
    if (!dpli_mul(&pixels, (size_t)h, (size_t)w) ||
        !dpli_mul(&framed, (size_t)h + 2, (size_t)w + 2) ||
        !dpli_mul(&a->n, pixels, (size_t)channels))
        pixels = framed = a->n = SIZE_MAX;
    a->h = h;
    a->w = w;
    a->c = channels;
    a->now = dpli_alloc(a->n, 1, err);
    a->next = dpli_alloc(a->n, 1, err);
    a->framed = dpli_alloc(framed, (size_t)channels, err);
    a->rows = dpli_alloc(a->n, sizeof *a->rows, err);
    a->rgb = channels == 1 ? dpli_alloc(pixels, 3, err) : NULL;
    if (!a->now || !a->next || !a->framed || !a->rows || (channels == 1 && !a->rgb)) {
        dpli_augmenter_free(a);
        return DPL_E_MEMORY;
    }
    *out = a;
    return DPL_OK;
}

void dpli_augmenter_free(dpli_augmenter *a)
{
    if (!a)
        return;
    free(a->now);
    free(a->next);
    free(a->framed);
    free(a->rows);
    free(a->rgb);
    free(a);
}

static void take_next(dpli_augmenter *a)
{
    uint8_t *now = a->next;

    a->next = a->now;
    a->now = now;
}

static bool happens(dpli_rng *rng, float p)
{
    return p > 0 && dpli_rng_unit(rng) < (double)p;
}

static double between(dpli_rng *rng, double low, double high)
{
    return low + (high - low) * dpli_rng_unit(rng);
}

/* A factor within 1 - range .. 1 + range; nothing is drawn for 0. */
static float factor(dpli_rng *rng, float range)
{
    return range > 0 ? (float)between(rng, 1 - (double)range, 1 + (double)range) : 1;
}

static uint8_t to_byte(float v)
{
    return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v + 0.5f);
}

/* ------------------------------------------------------------------ place */

/* Where a pixel comes from: input = m * output, both from the picture's centre. */
typedef struct map {
    double xx, xy, x0, yx, yy, y0;
} map;

/* first, then second. */
static map then(map second, map first)
{
    return (map){second.xx * first.xx + second.xy * first.yx,
                 second.xx * first.xy + second.xy * first.yy,
                 second.xx * first.x0 + second.xy * first.y0 + second.x0,
                 second.yx * first.xx + second.yy * first.yx,
                 second.yx * first.xy + second.yy * first.yy,
                 second.yx * first.x0 + second.yy * first.y0 + second.y0};
}

/* rotation * shear * scale + shift, as the paper's T, the other way round. */
static map draw_affine(const dpli_augmenter *a, const dpli_augment *how, dpli_rng *rng)
{
    const float p = how->affine_p;
    const double turn = how->rotate_deg * PI / 180, shear = how->shear, shift = how->shift_px / 105;
    double v[7] = {0, 0, 0, 1, 1, 0, 0};

    v[0] = happens(rng, p) ? between(rng, -turn, turn) : 0;
    v[1] = happens(rng, p) ? between(rng, -shear, shear) : 0;
    v[2] = happens(rng, p) ? between(rng, -shear, shear) : 0;
    v[3] = happens(rng, p) ? between(rng, how->scale_low, how->scale_high) : 1;
    v[4] = happens(rng, p) ? between(rng, how->scale_low, how->scale_high) : 1;
    v[5] = happens(rng, p) ? between(rng, -shift, shift) * a->w : 0;
    v[6] = happens(rng, p) ? between(rng, -shift, shift) * a->h : 0;

    /* rotation * (1 sx; sy 1) * diag(scale) */
    const double cosine = cos(v[0]), sine = sin(v[0]);
    const double xx = (cosine - sine * v[2]) * v[3], xy = (cosine * v[1] - sine) * v[4];
    const double yx = (sine + cosine * v[2]) * v[3], yy = (sine * v[1] + cosine) * v[4];
    const double det = xx * yy - xy * yx;
    if (!(fabs(det) > 1e-3)) /* flattened to a line, or not a number */
        return (map){1, 0, 0, 0, 1, 0};
    return (map){yy / det,  -xy / det, (xy * v[6] - yy * v[5]) / det,
                 -yx / det, xx / det,  (yx * v[5] - xx * v[6]) / det};
}

/* The most common colour of the outermost pixels: the mean of those in the fullest bin. */
static void border_colour(uint8_t colour[3], const dpli_augmenter *a)
{
    const size_t w = (size_t)a->w, h = (size_t)a->h, c = (size_t)a->c;
    uint32_t count[N_BINS] = {0}, sum[3] = {0};
    size_t best = 0;

    /* Twice over the border: to count, and to sum up the bin that won. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t y = 0; y < h; y++) {
            const size_t step = y == 0 || y == h - 1 || w == 1 ? 1 : w - 1;
            for (size_t x = 0; x < w; x += step) {
                const uint8_t *pixel = a->now + (y * w + x) * c;
                size_t bin = 0;
                for (size_t k = 0; k < c; k++)
                    bin = bin << 4 | pixel[k] >> 4;
                if (pass == 0 && ++count[bin] > count[best])
                    best = bin;
                for (size_t k = 0; k < c && pass == 1 && bin == best; k++)
                    sum[k] += pixel[k];
            }
        }
    for (size_t k = 0; k < c; k++)
        colour[k] = (uint8_t)((sum[k] + count[best] / 2) / count[best]);
}

static void frame(dpli_augmenter *a)
{
    const size_t w = (size_t)a->w, h = (size_t)a->h, c = (size_t)a->c, row = (w + 2) * c;
    uint8_t colour[3] = {0};

    border_colour(colour, a);
    for (size_t x = 0; x < row; x++)
        a->framed[x] = colour[x % c];
    memcpy(a->framed + (h + 1) * row, a->framed, row);
    for (size_t y = 0; y < h; y++) {
        uint8_t *to = a->framed + (y + 1) * row;
        memcpy(to, colour, c);
        memcpy(to + c, a->now + y * w * c, w * c);
        memcpy(to + c + w * c, colour, c);
    }
}

/*
 * now[y, x] from where m says, interpolated between four pixels.
 *
 * Positions are fixed-point numbers of 32 bits behind the point, weights of 8; weights add up to
 * 65536, so that a constant picture stays what it is and whole positions copy.
 */
static void resample(dpli_augmenter *a, const map *m)
{
    const double one = 4294967296.0, mid_x = (a->w - 1) / 2.0, mid_y = (a->h - 1) / 2.0;
    const int64_t step_x = llrint(m->xx * one), step_y = llrint(m->yx * one);
    const int32_t w = a->w, h = a->h, c = a->c;
    const ptrdiff_t row = (ptrdiff_t)(w + 2) * c;
    const int64_t half_weight = (int64_t)1 << 23;
    uint8_t *to = a->next;

    frame(a);
    for (int32_t y = 0; y < h; y++) {
        const double dy = y - mid_y;
        /* One more, for the frame; rounded to a weight. */
        int64_t at_x =
            llrint((m->xx * -mid_x + m->xy * dy + m->x0 + mid_x + 1) * one) + half_weight;
        int64_t at_y =
            llrint((m->yx * -mid_x + m->yy * dy + m->y0 + mid_y + 1) * one) + half_weight;
        for (int32_t x = 0; x < w; x++, at_x += step_x, at_y += step_y, to += c) {
            const int64_t ix = at_x >> 32, iy = at_y >> 32;
            if (ix < 0 || iy < 0 || ix > w || iy > h) {
                for (int32_t k = 0; k < c; k++)
                    to[k] = a->framed[k];
                continue;
            }
            const uint8_t *p = a->framed + iy * row + ix * c;
            const uint32_t fx = at_x >> 24 & 255, fy = at_y >> 24 & 255;
            for (int32_t k = 0; k < c; k++)
                to[k] = (uint8_t)(((p[k] * (256 - fx) + p[k + c] * fx) * (256 - fy) +
                                   (p[k + row] * (256 - fx) + p[k + row + c] * fx) * fy + 32768) >>
                                  16);
        }
    }
    take_next(a);
}

static void move(dpli_augmenter *a, const dpli_augment *how, dpli_rng *rng)
{
    const map same = {1, 0, 0, 0, 1, 0};
    map m = same;

    if (how->affine_p > 0)
        m = draw_affine(a, how, rng);
    if (how->crop > 0) {
        const double cut = between(rng, 0, (double)how->crop);
        const double x = between(rng, -cut, cut) * a->w / 2, y = between(rng, -cut, cut) * a->h / 2;
        m = then(m, (map){1 - cut, 0, x, 0, 1 - cut, y});
    }
    if (happens(rng, how->flip_p))
        m = then(m, (map){-1, 0, 0, 0, 1, 0});
    if (memcmp(&m, &same, sizeof m) != 0)
        resample(a, &m);
}

/* ------------------------------------------------------------------ the rest */

/* out = the darkest (or lightest) of 3 x 3. */
static void stroke(dpli_augmenter *a, dpli_rng *rng)
{
    const bool darker = dpli_rng_below(rng, 2) == 0;
    const int32_t w = a->w, h = a->h;

    for (int32_t y = 0; y < h; y++)
        for (int32_t x = 0; x < w; x++) {
            uint8_t low = 255, high = 0;
            for (int32_t j = y > 0 ? y - 1 : 0; j <= y + 1 && j < h; j++)
                for (int32_t i = x > 0 ? x - 1 : 0; i <= x + 1 && i < w; i++) {
                    const uint8_t v = a->now[(size_t)j * (size_t)w + (size_t)i];
                    low = v < low ? v : low;
                    high = v > high ? v : high;
                }
            a->next[(size_t)y * (size_t)w + (size_t)x] = darker ? low : high;
        }
    take_next(a);
}

static void occlude(dpli_augmenter *a, float most, dpli_rng *rng)
{
    const double area = between(rng, 0, (double)most), aspect = exp2(between(rng, -1, 1));
    const double part_w = sqrt(area * aspect), part_h = sqrt(area / aspect);
    const int32_t w = (int32_t)((part_w < 1 ? part_w : 1) * a->w);
    const int32_t h = (int32_t)((part_h < 1 ? part_h : 1) * a->h);
    const int32_t x0 = (int32_t)dpli_rng_below(rng, (uint64_t)(a->w - w) + 1);
    const int32_t y0 = (int32_t)dpli_rng_below(rng, (uint64_t)(a->h - h) + 1);
    uint8_t colour[3];

    for (int k = 0; k < 3; k++)
        colour[k] = (uint8_t)dpli_rng_below(rng, 256);
    for (int32_t y = y0; y < y0 + h; y++)
        for (int32_t x = x0; x < x0 + w; x++)
            memcpy(a->now + ((size_t)y * (size_t)a->w + (size_t)x) * (size_t)a->c, colour,
                   (size_t)a->c);
}

/* Brightness, then contrast about the mean, then saturation about each pixel's luma. */
static void recolour(dpli_augmenter *a, const dpli_augment *how, dpli_rng *rng)
{
    const float brightness = factor(rng, how->brightness), contrast = factor(rng, how->contrast);
    float saturation = a->c == 3 ? factor(rng, how->saturation) : 1;
    double sum = 0;

    if (a->c == 3 && happens(rng, how->grey_p))
        saturation = 0;
    if (brightness == 1 && contrast == 1 && saturation == 1)
        return;
    for (size_t i = 0; i < a->n; i++)
        sum += a->now[i];
    const float mean = (float)(sum / (double)a->n) * brightness;
    const float scale = brightness * contrast, shift = mean * (1 - contrast);
    if (a->c == 1) {
        for (size_t i = 0; i < a->n; i++)
            a->now[i] = to_byte((float)a->now[i] * scale + shift);
        return;
    }
    for (size_t i = 0; i < a->n; i += 3) {
        const float base = (1 - saturation) * dpli_luma(a->now + i);
        for (size_t k = 0; k < 3; k++)
            a->now[i + k] = to_byte((base + saturation * (float)a->now[i + k]) * scale + shift);
    }
}

/* Along the rows into rows, then along the columns; the outermost pixels go on outside. */
static void blur(dpli_augmenter *a, double sigma)
{
    const int32_t w = a->w, h = a->h, c = a->c;
    const int radius = 3 * sigma < MAX_RADIUS ? (int)ceil(3 * sigma) : MAX_RADIUS;
    float weight[2 * MAX_RADIUS + 1], sum = 0;

    if (sigma <= 0)
        return;
    for (int i = -radius; i <= radius; i++)
        sum += weight[i + radius] = (float)exp(-i * i / (2 * sigma * sigma));
    for (int i = 0; i <= 2 * radius; i++)
        weight[i] /= sum;
    for (int32_t y = 0; y < h; y++) {
        const uint8_t *in = a->now + (size_t)y * (size_t)w * (size_t)c;
        float *out = a->rows + (size_t)y * (size_t)w * (size_t)c;
        memset(out, 0, (size_t)w * (size_t)c * sizeof *out);
        for (int i = -radius; i <= radius; i++)
            for (int32_t x = 0; x < w; x++) {
                const int32_t from = x + i < 0 ? 0 : x + i >= w ? w - 1 : x + i;
                for (int32_t k = 0; k < c; k++)
                    out[x * c + k] += weight[i + radius] * (float)in[from * c + k];
            }
    }
    const size_t row = (size_t)w * (size_t)c;
    for (int32_t y = 0; y < h; y++)
        for (size_t x = 0; x < row; x++) {
            float v = 0;
            for (int i = -radius; i <= radius; i++) {
                const int32_t from = y + i < 0 ? 0 : y + i >= h ? h - 1 : y + i;
                v += weight[i + radius] * a->rows[(size_t)from * row + x];
            }
            a->now[(size_t)y * row + x] = to_byte(v);
        }
}

/* Without memory the picture stays as it is. */
static void recompress(dpli_augmenter *a, int quality)
{
    dpl_image in = DPL_IMAGE_INIT, out = DPL_IMAGE_INIT;
    const size_t pixels = (size_t)a->w * (size_t)a->h;
    uint8_t *bytes = NULL;
    size_t n;

    in.width_px = in.full_width_px = a->w;
    in.height_px = in.full_height_px = a->h;
    in.pixels = a->c == 3 ? a->now : a->rgb;
    for (size_t i = 0; i < pixels && a->c == 1; i++)
        memset(a->rgb + 3 * i, a->now[i], 3);
    if (dpl_image_to_jpeg(&bytes, &n, &in, quality, NULL) == DPL_OK &&
        dpl_image_decode(&out, bytes, n, NULL, NULL) == DPL_OK) {
        if (a->c == 3)
            memcpy(a->now, out.pixels, a->n);
        for (size_t i = 0; i < pixels && a->c == 1; i++)
            a->now[i] = out.pixels[3 * i];
    }
    dpl_image_clear(&out);
    dpl_bytes_free(bytes);
}

void dpli_augment_run(dpli_augmenter *a, const dpli_augment *how, dpli_rng *rng, uint8_t *out,
                      const uint8_t *in)
{
    memcpy(a->now, in, a->n);
    if (a->c == 1 && happens(rng, how->stroke_p))
        stroke(a, rng);
    move(a, how, rng);
    if (happens(rng, how->occlude_p))
        occlude(a, how->occlude, rng);
    recolour(a, how, rng);
    if (happens(rng, how->blur_p))
        blur(a, between(rng, 0, (double)how->blur_px));
    if (happens(rng, how->jpeg_p))
        recompress(a, how->jpeg_low + (int)dpli_rng_below(rng, (uint64_t)(96 - how->jpeg_low)));
    memcpy(out, a->now, a->n);
}
