/*
 * test_augment.c - distortions do what their numbers say, within their ranges, as often as they
 * say, and the same again from the same seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "doppel/image.h"
#include "train/augment.h"

enum { W = 105, H = 97, MAX = 3 * W * H };
#define PI   3.14159265358979323846
#define SEED 20150703u

static const dpli_augment nothing = {.scale_low = 1, .scale_high = 1};

static dpli_augmenter *new_for(int32_t h, int32_t w, int32_t c)
{
    dpli_augmenter *a;

    assert_int_equal(dpli_augmenter_new(&a, h, w, c, NULL), DPL_OK);
    return a;
}

static void fill_noise(uint8_t *out, size_t n, dpli_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)dpli_rng_below(rng, 256);
}

static void seed(dpli_rng *rng)
{
    print_message("seed %u\n", SEED);
    dpli_rng_seed(rng, SEED);
}

/* Within six standard deviations of a binomial count. */
static void must_be_about(int count, int n, double p)
{
    if (!(fabs(count - n * p) < 6 * sqrt(n * p * (1 - p))))
        fail_msg("%d of %d, expected %.1f", count, n, n * p);
}

/* ------------------------------------------------------------------ place */

typedef struct spot {
    double x, y;
} spot;

/* A dot in each channel, from the picture's centre: three points tell an affine map. */
static const spot dots[3] = {{-14, -11}, {13, -8}, {-5, 12}};

static void draw_dots(uint8_t *out)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int k = 0; k < 3; k++) {
                const double dx = x - (W - 1) / 2.0 - dots[k].x;
                const double dy = y - (H - 1) / 2.0 - dots[k].y;
                out[(y * W + x) * 3 + k] =
                    (uint8_t)(255 - lround(255 * exp(-(dx * dx + dy * dy) / (2 * 3.0 * 3.0))));
            }
}

static void find_dots(spot found[3], const uint8_t *in)
{
    for (int k = 0; k < 3; k++) {
        double sum = 0, sum_x = 0, sum_y = 0;
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                const double ink = 255 - in[(y * W + x) * 3 + k];
                sum += ink;
                sum_x += ink * (x - (W - 1) / 2.0);
                sum_y += ink * (y - (H - 1) / 2.0);
            }
        found[k] = (spot){sum_x / sum, sum_y / sum};
    }
}

/* The map that brought dots to where they were found: x = xx * x + xy * y + x0. */
static void find_map(double m[6], const spot f[3])
{
    const double ax = dots[1].x - dots[0].x, ay = dots[1].y - dots[0].y;
    const double bx = dots[2].x - dots[0].x, by = dots[2].y - dots[0].y, det = ax * by - ay * bx;
    const double cx = f[1].x - f[0].x, cy = f[1].y - f[0].y;
    const double dx = f[2].x - f[0].x, dy = f[2].y - f[0].y;

    m[0] = (cx * by - dx * ay) / det;
    m[1] = (dx * ax - cx * bx) / det;
    m[2] = (cy * by - dy * ay) / det;
    m[3] = (dy * ax - cy * bx) / det;
    m[4] = f[0].x - m[0] * dots[0].x - m[1] * dots[0].y;
    m[5] = f[0].y - m[2] * dots[0].x - m[3] * dots[0].y;
}

static void nothing_asked_leaves_every_bit(void **state)
{
    dpli_augment how = nothing, none;
    uint8_t in[MAX], out[MAX];
    dpli_rng rng;

    (void)state;
    assert_true(dpli_augment_named(&none, "none"));
    assert_false(dpli_augment_named(&none, "nonesuch"));
    /* A map that is drawn, from ranges of no width. */
    how.affine_p = 1;
    seed(&rng);
    fill_noise(in, MAX, &rng);
    for (int c = 1; c <= 3; c += 2) {
        dpli_augmenter *a = new_for(H, W, c);
        for (int i = 0; i < 2; i++) {
            memset(out, 0, sizeof out);
            dpli_augment_run(a, i ? &how : &none, &rng, out, in);
            assert_memory_equal(out, in, (size_t)(W * H * c));
        }
        dpli_augmenter_free(a);
    }
    dpli_augmenter_free(NULL);
}

/* The draws are repeated from the same generator, in the paper's order, and the dots expected where
 * rotation * shear * scale + shift puts them. Interpolation on 8-bit weights and levels moves the
 * centre of a dot by less than a tenth of a pixel. */
static void dots_move_where_the_map_says(void **state)
{
    dpli_augment how = {.affine_p = 1,
                        .rotate_deg = 25,
                        .shear = 0.3f,
                        .scale_low = 0.8f,
                        .scale_high = 1.2f,
                        .shift_px = 8};
    dpli_augmenter *a = new_for(H, W, 3);
    uint8_t in[MAX], out[MAX];
    dpli_rng rng, same;
    double worst = 0;

    (void)state;
    seed(&rng);
    draw_dots(in);
    for (int round = 0; round < 100; round++) {
        double v[7];
        spot found[3];
        same = rng;
        for (int i = 0; i < 7; i++) {
            dpli_rng_unit(&same);
            v[i] = dpli_rng_unit(&same);
        }
        const double turn = (2 * v[0] - 1) * 25 * PI / 180;
        const double shear_x = (2 * v[1] - 1) * 0.3, shear_y = (2 * v[2] - 1) * 0.3;
        const double scale_x = 0.8 + 0.4 * v[3], scale_y = 0.8 + 0.4 * v[4];
        const double shift_x = (2 * v[5] - 1) * 8 * W / 105, shift_y = (2 * v[6] - 1) * 8 * H / 105;
        dpli_augment_run(a, &how, &rng, out, in);
        find_dots(found, out);
        for (int k = 0; k < 3; k++) {
            const double sx = dots[k].x * scale_x, sy = dots[k].y * scale_y;
            const double x = sx + shear_x * sy, y = sy + shear_y * sx;
            const double want_x = cos(turn) * x - sin(turn) * y + shift_x;
            const double want_y = sin(turn) * x + cos(turn) * y + shift_y;
            worst = fmax(worst, hypot(found[k].x - want_x, found[k].y - want_y));
        }
    }
    print_message("worst %.3f px\n", worst);
    assert_true(worst < 0.1);
    dpli_augmenter_free(a);
}

/* A part alone, of Koch's: the numbers that are found stay in its range, nearly reach its ends, and
 * each is there half of the time, whatever the other does. */
static void kochs_parts_are_in_range_and_there_half_the_time(void **state)
{
    enum { N = 2000 };
    static const struct {
        const char *part;
        int first, second; /* of the map; the second is -1 where there is one number only */
        double low, high, tolerance;
    } parts[] = {
        /* The sine of the angle. Tolerances: a dot is found to 0.02 px, and they lie 20 px apart.
         */
        {"rotation", 2, -1, -0.17365, 0.17365, 0.002},
        {"shear", 1, 2, -0.3, 0.3, 0.002},
        {"scale", 0, 3, 0.8, 1.2, 0.002},
        {"shift", 4, 5, -2, 2, 0.02},
    };
    dpli_augmenter *a = new_for(H, W, 3);
    uint8_t in[MAX], out[MAX];
    dpli_augment koch;
    dpli_rng rng;

    (void)state;
    assert_true(dpli_augment_named(&koch, "koch"));
    seed(&rng);
    draw_dots(in);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        dpli_augment how = nothing;
        double least = 9, most = -9;
        int n_first = 0, n_second = 0, n_both = 0, n_same = 0;
        how.affine_p = koch.affine_p;
        if (p == 0)
            how.rotate_deg = koch.rotate_deg;
        if (p == 1)
            how.shear = koch.shear;
        if (p == 2) {
            how.scale_low = koch.scale_low;
            how.scale_high = koch.scale_high;
        }
        if (p == 3)
            how.shift_px = koch.shift_px;
        for (int i = 0; i < N; i++) {
            const double there = parts[p].tolerance, neutral = p == 2;
            double m[6];
            spot found[3];
            dpli_augment_run(a, &how, &rng, out, in);
            if (memcmp(in, out, sizeof in) == 0) {
                n_same++;
                continue;
            }
            find_dots(found, out);
            find_map(m, found);
            const double first = m[parts[p].first];
            const double second = parts[p].second < 0 ? neutral : m[parts[p].second];
            least = fmin(least, fmin(first, second));
            most = fmax(most, fmax(first, second));
            n_first += fabs(first - neutral) > there;
            n_second += fabs(second - neutral) > there;
            n_both += fabs(first - neutral) > there && fabs(second - neutral) > there;
        }
        print_message("%s: %.4f..%.4f, %d same, %d first, %d second, %d both\n", parts[p].part,
                      least, most, n_same, n_first, n_second, n_both);
        const double t = parts[p].tolerance * (p == 3 ? W / 105.0 : 1);
        assert_true(least >= parts[p].low - t && most <= parts[p].high + t);
        assert_true(least <= parts[p].low + 4 * t && most >= parts[p].high - 4 * t);
        /* A few draws are too small to be seen: within the six deviations. */
        must_be_about(n_first, N, 0.5);
        if (parts[p].second < 0) {
            must_be_about(n_same, N, 0.5);
        } else {
            must_be_about(n_second, N, 0.5);
            must_be_about(n_both, N, 0.25);
            must_be_about(n_same, N, 0.25);
        }
    }
    /* All seven left out. */
    int n_same = 0;
    for (int i = 0; i < 10 * N; i++) {
        dpli_augment_run(a, &koch, &rng, out, in);
        n_same += memcmp(in, out, sizeof in) == 0;
    }
    must_be_about(n_same, 10 * N, 1 / 128.0);
    dpli_augmenter_free(a);
}

static void flip_is_exact(void **state)
{
    static const int sizes[][2] = {{H, W}, {4, 6}, {1, 1}, {3, 2}};
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX];
    dpli_rng rng;

    (void)state;
    how.flip_p = 1;
    seed(&rng);
    fill_noise(in, MAX, &rng);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int c = 1; c <= 3; c += 2) {
            const int h = sizes[s][0], w = sizes[s][1];
            dpli_augmenter *a = new_for(h, w, c);
            dpli_augment_run(a, &how, &rng, out, in);
            for (int i = 0; i < h * w * c; i++) {
                const int y = i / (w * c), x = i / c % w, k = i % c;
                assert_int_equal(out[i], in[(y * w + w - 1 - x) * c + k]);
            }
            dpli_augmenter_free(a);
        }
}

static void crop_enlarges_a_part_that_lies_inside(void **state)
{
    dpli_augmenter *a = new_for(H, W, 3);
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX];
    double most = 0;
    dpli_rng rng;

    (void)state;
    how.crop = 0.25f;
    seed(&rng);
    draw_dots(in);
    for (int round = 0; round < 500; round++) {
        double m[6];
        spot found[3];
        dpli_augment_run(a, &how, &rng, out, in);
        find_dots(found, out);
        find_map(m, found);
        most = fmax(most, m[0]);
        assert_true(m[0] > 0.995 && m[0] < 1 / 0.75 + 0.01);
        assert_true(fabs(m[0] - m[3]) < 0.02 && fabs(m[1]) < 0.01 && fabs(m[2]) < 0.01);
        /* Where the picture's own edges have gone: outside, or where they were. */
        assert_true(-m[0] * W / 2 + m[4] < -W / 2.0 + 0.3 && m[0] * W / 2 + m[4] > W / 2.0 - 0.3);
        assert_true(-m[3] * H / 2 + m[5] < -H / 2.0 + 0.3 && m[3] * H / 2 + m[5] > H / 2.0 - 0.3);
    }
    assert_true(most > 1.3);
    dpli_augmenter_free(a);
}

/* Ink at one side does not come in from there. */
static void paper_comes_in_at_the_borders(void **state)
{
    static const uint8_t papers[][3] = {{255, 255, 255}, {0, 0, 0}, {10, 200, 131}};
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX];
    dpli_rng rng;

    (void)state;
    how.affine_p = 1;
    how.rotate_deg = 20;
    how.shift_px = 30;
    how.scale_low = 0.5f;
    how.scale_high = 0.8f;
    seed(&rng);
    for (size_t p = 0; p < 3; p++)
        for (int c = 1; c <= 3; c += 2) {
            const uint8_t ink = papers[p][0] > 128 ? 0 : 255;
            dpli_augmenter *a = new_for(H, W, c);
            int covered = 0;
            for (int i = 0; i < W * H * c; i++)
                in[i] = papers[p][i % c];
            for (int y = 0; y < H; y++)
                memset(in + y * W * c, ink, (size_t)c);
            for (int round = 0; round < 50; round++) {
                dpli_augment_run(a, &how, &rng, out, in);
                for (int i = 0; i < W * H; i++)
                    covered += memcmp(out + i * c, papers[p], (size_t)c) != 0;
            }
            /* The column of ink is at most H * 0.8 long, tilted, and two wide after interpolation.
             */
            assert_true(covered > 0 && covered < 50 * 3 * H);
            dpli_augmenter_free(a);
        }
}

/* ------------------------------------------------------------------ the rest */

static void colour_stays_in_its_ranges(void **state)
{
    dpli_augmenter *colour = new_for(H, W, 3), *grey = new_for(H, W, 1);
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX];
    int least = 255, most = 0;
    dpli_rng rng;

    (void)state;
    seed(&rng);
    memset(in, 100, sizeof in);
    how.brightness = 0.25f;
    for (int round = 0; round < 400; round++) {
        dpli_augment_run(round % 2 ? colour : grey, &how, &rng, out, in);
        for (int i = 1; i < W * H * (round % 2 ? 3 : 1); i++)
            assert_int_equal(out[i], out[0]);
        least = out[0] < least ? out[0] : least;
        most = out[0] > most ? out[0] : most;
    }
    assert_in_range(least, 75, 76);
    assert_in_range(most, 124, 125);

    /* Halves of 80 and 120: the mean stays, the difference is 40 * (0.75 .. 1.25). */
    how = nothing;
    how.contrast = 0.25f;
    for (int i = 0; i < MAX; i++)
        in[i] = i % 2 ? 120 : 80;
    least = 255;
    most = 0;
    for (int round = 0; round < 400; round++) {
        dpli_augment_run(grey, &how, &rng, out, in);
        const int spread = out[1] - out[0];
        assert_in_range(out[0] + out[1], 199, 201);
        least = spread < least ? spread : least;
        most = spread > most ? spread : most;
    }
    assert_in_range(least, 30, 31);
    assert_in_range(most, 49, 50);

    /* The luma stays: 0.299 * 90 + 0.587 * 110 + 0.114 * 130 = 106.3. */
    how = nothing;
    how.saturation = 0.5f;
    for (int i = 0; i < MAX; i++)
        in[i] = (uint8_t)(90 + 20 * (i % 3));
    least = 255;
    most = 0;
    for (int round = 0; round < 400; round++) {
        dpli_augment_run(colour, &how, &rng, out, in);
        const double luma = 0.299 * out[0] + 0.587 * out[1] + 0.114 * out[2];
        const int spread = out[2] - out[0];
        assert_true(fabs(luma - 106.3) <= 0.51);
        least = spread < least ? spread : least;
        most = spread > most ? spread : most;
    }
    assert_in_range(least, 20, 21);
    assert_in_range(most, 59, 60);
    how.saturation = 0;
    how.grey_p = 1;
    dpli_augment_run(colour, &how, &rng, out, in);
    for (int i = 0; i < MAX; i++)
        assert_int_equal(out[i], 106);
    dpli_augmenter_free(colour);
    dpli_augmenter_free(grey);
}

static int clamp(int v, int n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : v;
}

/* Against the sum written out in double precision; a level apart where rounding differs. */
static void blur_is_gaussian(void **state)
{
    enum { SIDE_H = 20, SIDE_W = 17 };
    dpli_augment how = nothing;
    uint8_t in[SIDE_H * SIDE_W * 3], out[SIDE_H * SIDE_W * 3];
    dpli_rng rng, same;

    (void)state;
    how.blur_p = 1;
    how.blur_px = 4;
    seed(&rng);
    for (int round = 0; round < 6; round++) {
        const int c = round % 2 ? 3 : 1;
        dpli_augmenter *a = new_for(SIDE_H, SIDE_W, c);
        fill_noise(in, sizeof in, &rng);
        same = rng;
        dpli_rng_unit(&same);
        const double sigma = 4 * dpli_rng_unit(&same);
        const int r = (int)ceil(3 * sigma);
        dpli_augment_run(a, &how, &rng, out, in);
        for (int i = 0; i < SIDE_H * SIDE_W * c; i++) {
            const int y = i / (SIDE_W * c), x = i / c % SIDE_W, k = i % c;
            double sum = 0, weights = 0;
            for (int dy = -r; dy <= r; dy++)
                for (int dx = -r; dx <= r; dx++) {
                    const double g = exp(-(dx * dx + dy * dy) / (2 * sigma * sigma));
                    weights += g;
                    sum += g * in[(clamp(y + dy, SIDE_H) * SIDE_W + clamp(x + dx, SIDE_W)) * c + k];
                }
            assert_true(fabs(out[i] - sum / weights) < 0.51);
        }
        memset(in, 77, sizeof in);
        dpli_augment_run(a, &how, &rng, out, in);
        assert_memory_equal(out, in, (size_t)(SIDE_H * SIDE_W * c));
        dpli_augmenter_free(a);
    }
}

static void jpeg_is_that_of_the_library(void **state)
{
    dpli_augmenter *colour = new_for(H, W, 3), *grey = new_for(H, W, 1);
    dpl_image image = DPL_IMAGE_INIT, back;
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX], *bytes;
    int least = 100, most = 0;
    dpli_rng rng, same;
    size_t n;

    (void)state;
    how.jpeg_p = 1;
    how.jpeg_low = 90;
    seed(&rng);
    draw_dots(in);
    for (int round = 0; round < 60; round++) {
        same = rng;
        dpli_rng_unit(&same);
        const int quality = 90 + (int)dpli_rng_below(&same, 6);
        least = quality < least ? quality : least;
        most = quality > most ? quality : most;
        dpli_augment_run(colour, &how, &rng, out, in);
        assert_int_equal(dpl_image_from_rgb(&image, in, W, H, 3 * W, NULL), DPL_OK);
        assert_int_equal(dpl_image_to_jpeg(&bytes, &n, &image, quality, NULL), DPL_OK);
        assert_int_equal(dpl_image_decode(&back, bytes, n, NULL, NULL), DPL_OK);
        assert_memory_equal(out, back.pixels, MAX);
        dpl_image_clear(&image);
        dpl_image_clear(&back);
        dpl_bytes_free(bytes);
    }
    assert_int_equal(least, 90);
    assert_int_equal(most, 95);
    /* A grey ramp at a low quality: other levels, none far off. */
    how.jpeg_low = 30;
    int changed = 0;
    for (int i = 0; i < W * H; i++)
        in[i] = (uint8_t)(i % W * 2 + i / W % 3);
    dpli_augment_run(grey, &how, &rng, out, in);
    for (int i = 0; i < W * H; i++) {
        changed += out[i] != in[i];
        assert_true(abs(out[i] - in[i]) < 30);
    }
    assert_true(changed > W * H / 10);
    dpli_augmenter_free(colour);
    dpli_augmenter_free(grey);
}

static void occlusion_is_one_rectangle_in_one_colour(void **state)
{
    dpli_augmenter *a = new_for(H, W, 3);
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX];
    double largest = 0;
    dpli_rng rng;

    (void)state;
    how.occlude_p = 1;
    how.occlude = 0.3f;
    seed(&rng);
    memset(in, 100, sizeof in);
    for (int round = 0; round < 300; round++) {
        int left = W, right = -1, top = H, bottom = -1, n = 0;
        dpli_augment_run(a, &how, &rng, out, in);
        for (int i = 0; i < W * H; i++)
            if (memcmp(out + 3 * i, in, 3) != 0) {
                const int x = i % W, y = i / W;
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y;
                n++;
                assert_memory_equal(out + 3 * i, out + 3 * (top * W + left), 3);
            }
        assert_true(n == 0 || n == (right - left + 1) * (bottom - top + 1));
        assert_true(n <= 0.3 * W * H);
        largest = fmax(largest, n);
    }
    assert_true(largest > 0.27 * W * H);
    dpli_augmenter_free(a);
}

static void strokes_grow_or_shrink_by_a_pixel(void **state)
{
    dpli_augmenter *a = new_for(H, W, 1), *colour = new_for(H, W, 3);
    dpli_augment how = nothing;
    uint8_t in[MAX], out[MAX];
    int n_darker = 0, n_lighter = 0;
    dpli_rng rng;

    (void)state;
    how.stroke_p = 1;
    seed(&rng);
    for (int round = 0; round < 20; round++) {
        bool darker = true, lighter = true;
        fill_noise(in, MAX, &rng);
        dpli_augment_run(a, &how, &rng, out, in);
        for (int i = 0; i < W * H; i++) {
            int low = 255, high = 0;
            for (int k = 0; k < 9; k++) {
                const int v = in[clamp(i / W + k / 3 - 1, H) * W + clamp(i % W + k % 3 - 1, W)];
                low = v < low ? v : low;
                high = v > high ? v : high;
            }
            darker = darker && out[i] == low;
            lighter = lighter && out[i] == high;
        }
        assert_true(darker != lighter);
        n_darker += darker;
        n_lighter += lighter;
    }
    assert_true(n_darker > 0 && n_lighter > 0);
    dpli_augment_run(colour, &how, &rng, out, in);
    assert_memory_equal(out, in, MAX);
    dpli_augmenter_free(a);
    dpli_augmenter_free(colour);
}

static void same_seed_gives_the_same_bytes(void **state)
{
    static const char *const names[] = {"none", "koch", "drawing", "face", "photo"};
    static const int sizes[][2] = {{H, W}, {1, 1}, {1, 9}, {9, 1}, {2, 3}};
    uint8_t in[MAX], one[MAX], two[MAX];
    dpli_rng rng, same;

    (void)state;
    seed(&rng);
    fill_noise(in, MAX, &rng);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int c = 1; c <= 3; c += 2)
            for (size_t p = 0; p < sizeof names / sizeof *names; p++) {
                const size_t n = (size_t)(sizes[s][0] * sizes[s][1] * c);
                dpli_augmenter *a = new_for(sizes[s][0], sizes[s][1], c);
                dpli_augmenter *b = new_for(sizes[s][0], sizes[s][1], c);
                dpli_augment how;
                int n_changed = 0;
                assert_true(dpli_augment_named(&how, names[p]));
                for (int round = 0; round < 40; round++) {
                    /* The one augmenter has made other pictures before; and in place. */
                    same = rng;
                    dpli_augment_run(a, &how, &rng, one, in);
                    memcpy(two, in, n);
                    if (round % 2)
                        dpli_augment_run(a, &how, &same, two, two);
                    else
                        dpli_augment_run(b, &how, &same, two, in);
                    assert_memory_equal(one, two, n);
                    assert_memory_equal(&rng, &same, sizeof rng);
                    n_changed += memcmp(one, in, n) != 0;
                }
                if (s == 0)
                    assert_true(p == 0 ? n_changed == 0 : n_changed > 30);
                dpli_augmenter_free(a);
                dpli_augmenter_free(b);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_leaves_every_bit),
        cmocka_unit_test(dots_move_where_the_map_says),
        cmocka_unit_test(kochs_parts_are_in_range_and_there_half_the_time),
        cmocka_unit_test(flip_is_exact),
        cmocka_unit_test(crop_enlarges_a_part_that_lies_inside),
        cmocka_unit_test(paper_comes_in_at_the_borders),
        cmocka_unit_test(colour_stays_in_its_ranges),
        cmocka_unit_test(blur_is_gaussian),
        cmocka_unit_test(jpeg_is_that_of_the_library),
        cmocka_unit_test(occlusion_is_one_rectangle_in_one_colour),
        cmocka_unit_test(strokes_grow_or_shrink_by_a_pixel),
        cmocka_unit_test(same_seed_gives_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
