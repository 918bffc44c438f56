/*
 * test_resample.c - resizing and warping against the formulas of their headers, in double
 * precision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "doppel/image.h"
#include "tests/failing_alloc.h"
#include "vision/image/warp.h"

static dpl_image noise(int32_t w, int32_t h, uint64_t seed)
{
    dpl_image image = DPL_IMAGE_INIT;
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    image.width_px = image.full_width_px = w;
    image.height_px = image.full_height_px = h;
    image.pixels = malloc((size_t)w * (size_t)h * 3);
    for (int i = 0; i < w * h * 3; i++)
        image.pixels[i] = (uint8_t)dpli_rng_u64(&rng);
    return image;
}

/* Weight of input k in output i along an axis, by the words of image.h. */
static double axis_weight(int k, int i, int n_in, int n_out)
{
    const double step = (double)n_in / n_out;

    if (step > 1)
        return fmax(0, fmin((i + 1) * step, k + 1) - fmax(i * step, k)) / step;
    const double centre = fmin(fmax((i + 0.5) * step - 0.5, 0), n_in - 1);
    return fmax(0, 1 - fabs(centre - k));
}

static void resized_is_the_formula_in_double(void **state)
{
    static const int shapes[][4] = {/* in, out */
                                    {7, 5, 7, 5},     {1, 1, 4, 3},     {9, 4, 1, 1},
                                    {64, 48, 20, 15}, {64, 48, 63, 47}, {33, 21, 66, 63},
                                    {50, 3, 7, 11},   {3, 50, 11, 7},   {101, 67, 16, 9},
                                    {1, 9, 5, 2},     {700, 9, 3, 4}};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int w = shapes[s][0], h = shapes[s][1], ow = shapes[s][2], oh = shapes[s][3];
        dpl_image in = noise(w, h, s), out;

        in.full_width_px = 1000;
        assert_int_equal(dpl_image_resize(&out, &in, ow, oh, NULL), DPL_OK);
        assert_int_equal(out.width_px, ow);
        assert_int_equal(out.height_px, oh);
        assert_int_equal(out.full_width_px, 1000);
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++)
                for (int c = 0; c < 3; c++) {
                    double want = 0;

                    for (int j = 0; j < h; j++)
                        for (int i = 0; i < w; i++)
                            want += axis_weight(i, x, w, ow) * axis_weight(j, y, h, oh) *
                                    in.pixels[3 * (j * w + i) + c];
                    /* Rounding of the result, and 1e-3 for float's. */
                    if (!(fabs(out.pixels[3 * (y * ow + x) + c] - want) <= 0.501))
                        fail_msg("%dx%d to %dx%d: %d,%d,%d is %d, not %g", w, h, ow, oh, x, y, c,
                                 out.pixels[3 * (y * ow + x) + c], want);
                }
        dpl_image_clear(&out);
        dpl_image_clear(&in);
    }
}

static void resize_keeps_a_constant_image_constant(void **state)
{
    (void)state;
    for (int value = 0; value < 256; value += 5)
        for (int ow = 1; ow < 140; ow += 23) {
            dpl_image in = noise(61, 47, 1), out;

            memset(in.pixels, value, 61 * 47 * 3);
            assert_int_equal(dpl_image_resize(&out, &in, ow, 141 - ow, NULL), DPL_OK);
            for (int i = 0; i < ow * (141 - ow) * 3; i++)
                assert_int_equal(out.pixels[i], value);
            dpl_image_clear(&out);
            dpl_image_clear(&in);
        }
}

static void resize_to_the_same_size_changes_nothing(void **state)
{
    dpl_image in = noise(40, 30, 2), out;

    (void)state;
    assert_int_equal(dpl_image_resize(&out, &in, 40, 30, NULL), DPL_OK);
    assert_memory_equal(out.pixels, in.pixels, 40 * 30 * 3);
    dpl_image_clear(&out);
    dpl_image_clear(&in);
}

static void reduced_picture_does_not_alias(void **state)
{
    dpl_image in = noise(300, 300, 3), out;

    (void)state;
    /* A chequered board of pixels is grey from afar, at any ratio. */
    for (int i = 0; i < 300 * 300; i++)
        memset(in.pixels + 3 * i, (i % 300 + i / 300) % 2 ? 255 : 0, 3);
    for (int size = 30; size <= 100; size += 7) {
        assert_int_equal(dpl_image_resize(&out, &in, size, size, NULL), DPL_OK);
        for (int i = 0; i < size * size * 3; i++)
            assert_in_range(out.pixels[i], 112, 144);
        dpl_image_clear(&out);
    }
    dpl_image_clear(&in);
}

static void impossible_sizes_are_refused(void **state)
{
    dpl_image in = noise(4, 4, 4), out, empty = DPL_IMAGE_INIT;
    const float m[6] = {1, 0, 0, 0, 1, 0}, bad[6] = {1, 0, NAN, 0, 1, 0};
    const float far[6] = {1e20f, 0, 0, 0, 1e-20f, 3e38f}, strong[6] = {1e6f, 0, 0, 0, 1e6f, 0};
    uint8_t pixels[4 * 4 * 3];

    (void)state;
    assert_int_equal(dpl_image_resize(&out, &in, 0, 4, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_image_resize(&out, &in, 4, -4, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpl_image_resize(&out, &empty, 4, 4, NULL), DPL_E_ARGUMENT);
    assert_null(out.pixels);
    assert_int_equal(dpli_warp_affine(pixels, 0, 4, &in, m, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpli_warp_affine(pixels, 4, 4, &in, bad, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpli_warp_affine(pixels, 4, 4, &empty, m, NULL), DPL_E_ARGUMENT);
    assert_int_equal(dpli_warp_affine(pixels, 4, 4, &in, strong, NULL), DPL_E_ARGUMENT);
    memset(pixels, 1, sizeof pixels);
    assert_int_equal(dpli_warp_affine(pixels, 4, 4, &in, far, NULL), DPL_OK);
    for (size_t i = 0; i < sizeof pixels; i++)
        assert_int_equal(pixels[i], 0);
    dpl_image_clear(&in);
}

static double pixel(const dpl_image *in, int x, int y, int c)
{
    if (x < 0 || y < 0 || x >= in->width_px || y >= in->height_px)
        return 0;
    return in->pixels[3 * (y * in->width_px + x) + c];
}

/* One value by the words of warp.h. */
static double warped(const dpl_image *in, const float m[6], int x, int y, int c)
{
    const double s = sqrt(fabs((double)m[0] * m[4] - (double)m[1] * m[3]));
    const int f = s >= 4 ? (int)(s / 2) : 1;
    const double r = (s >= 4 ? sqrt(s * s - f * f / 2.0) : fmax(1, s)) / f;
    /* Where in the picture of blocks, as an index. */
    const double px = (m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2]) / f - 0.5;
    const double py = (m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5]) / f - 0.5;
    double sum = 0, weights = 0;

    for (int j = (int)floor(py - r); j <= (int)ceil(py + r); j++)
        for (int i = (int)floor(px - r); i <= (int)ceil(px + r); i++) {
            const double w = fmax(0, 1 - fabs(i - px) / r) * fmax(0, 1 - fabs(j - py) / r);
            double block = 0;

            for (int b = 0; b < f; b++)
                for (int a = 0; a < f; a++)
                    block += pixel(in, i * f + a, j * f + b, c) / (f * f);
            sum += w * block;
            weights += w;
        }
    return sum / weights;
}

static void warped_is_the_formula_in_double(void **state)
{
    enum { OW = 23, OH = 17 };
    static const double scales[] = {0.2, 0.7, 1,   1.01, 1.4, 1.99, 2.5, 3.3, 3.999,
                                    4,   4.7, 5.9, 6,    7.5, 9.2,  13,  40};
    dpl_image in = noise(211, 173, 5);

    (void)state;
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
        for (int turn = 0; turn < 6; turn++) {
            const double angle = turn * 0.9, c = scales[s] * cos(angle), d = scales[s] * sin(angle);
            /* In the middle, over an edge, over a corner. */
            const double at[3][2] = {{105, 86}, {3, 80}, {210, 170}};
            const double x0 = at[turn % 3][0] - c * OW / 2 + d * OH / 2;
            const double y0 = at[turn % 3][1] - d * OW / 2 - c * OH / 2;
            const float m[6] = {(float)c, (float)-d, (float)x0, (float)d, (float)c, (float)y0};
            uint8_t out[OW * OH * 3];

            assert_int_equal(dpli_warp_affine(out, OW, OH, &in, m, NULL), DPL_OK);
            for (int i = 0; i < OW * OH * 3; i++) {
                const double want = warped(&in, m, i / 3 % OW, i / 3 / OW, i % 3);

                /* Rounding of the result, of the blocks where there are any, and 0.01 for where
                 * float puts the tent: 1e-5 pixels at slopes up to 255, twice over. */
                if (!(fabs(out[i] - want) <= (scales[s] >= 4 ? 1.01 : 0.51)))
                    fail_msg("scale %g turn %d: value %d is %d, not %g", scales[s], turn, i, out[i],
                             want);
            }
        }
    dpl_image_clear(&in);
}

static void warp_by_nothing_copies_and_by_whole_pixels_shifts(void **state)
{
    dpl_image in = noise(30, 20, 6);
    const float still[6] = {1, 0, 0, 0, 1, 0}, shift[6] = {1, 0, 7, 0, 1, -3};
    uint8_t out[30 * 20 * 3];

    (void)state;
    assert_int_equal(dpli_warp_affine(out, 30, 20, &in, still, NULL), DPL_OK);
    assert_memory_equal(out, in.pixels, sizeof out);
    assert_int_equal(dpli_warp_affine(out, 30, 20, &in, shift, NULL), DPL_OK);
    for (int i = 0; i < 30 * 20 * 3; i++)
        assert_int_equal(out[i], (int)pixel(&in, i / 3 % 30 + 7, i / 3 / 30 - 3, i % 3));
    dpl_image_clear(&in);
}

/* A page that may not be touched lies before the picture and behind it. */
static void warp_reads_nothing_but_the_picture(void **state)
{
    enum { OW = 19, OH = 5 };
    static const int sides[][2] = {{1, 1}, {2, 1}, {1, 2}, {3, 1}, {5, 7}, {20, 11}};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *all = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(all != MAP_FAILED);
    assert_int_equal(mprotect(all + page, page, PROT_READ | PROT_WRITE), 0);
    for (size_t i = 0; i < 2 * sizeof sides / sizeof *sides; i++) {
        const int w = sides[i / 2][0], h = sides[i / 2][1];
        const size_t n = (size_t)w * (size_t)h * 3;
        dpl_image in = noise(w, h, i), guarded = in;

        guarded.pixels = all + page + (i % 2 ? page - n : 0);
        memcpy(guarded.pixels, in.pixels, n);
        for (float s = 0.3f; s < 9; s *= 1.7f) {
            const float m[6] = {s, 0.2f, -2, -0.1f, s, -2};
            uint8_t out[OW * OH * 3];

            assert_int_equal(dpli_warp_affine(out, OW, OH, &guarded, m, NULL), DPL_OK);
            for (int k = 0; k < OW * OH * 3; k++)
                if (!(fabs(out[k] - warped(&in, m, k / 3 % OW, k / 3 / OW, k % 3)) <= 1.01))
                    fail_msg("%dx%d by %g: value %d is %d", w, h, (double)s, k, out[k]);
        }
        dpl_image_clear(&in);
    }
    munmap(all, 3 * page);
}

static void warp_keeps_a_constant_image_constant(void **state)
{
    enum { OW = 9, OH = 8 };
    dpl_image in = noise(400, 400, 7);

    (void)state;
    for (int value = 0; value < 256; value += 17) {
        memset(in.pixels, value, 400 * 400 * 3);
        for (double s = 0.3; s < 15; s *= 1.23) {
            const double c = s * cos(s), d = s * sin(s);
            const float m[6] = {(float)c, (float)-d, (float)(200 - c * OW / 2 + d * OH / 2),
                                (float)d, (float)c,  (float)(200 - d * OW / 2 - c * OH / 2)};
            uint8_t out[OW * OH * 3];

            assert_int_equal(dpli_warp_affine(out, OW, OH, &in, m, NULL), DPL_OK);
            for (size_t i = 0; i < sizeof out; i++)
                assert_int_equal(out[i], value);
        }
    }
    dpl_image_clear(&in);
}

/* Variance of a warp of in at scale s: how much of its detail came through. */
static double detail_at(const dpl_image *in, double s)
{
    enum { OW = 60, OH = 60 };
    static uint8_t out[OW * OH * 3];
    const double c = s * cos(0.3), d = s * sin(0.3);
    const float m[6] = {(float)c, (float)-d, 300, (float)d, (float)c, 150};
    double sum = 0, square = 0;

    assert_int_equal(dpli_warp_affine(out, OW, OH, in, m, NULL), DPL_OK);
    for (size_t i = 0; i < sizeof out; i++) {
        sum += out[i];
        square += out[i] * out[i];
    }
    return square / sizeof out - pow(sum / sizeof out, 2);
}

/* Where the filter changes its form, the picture must hardly change. Detail of 8 pixels and more,
 * the most that an output at these scales can show, keeps its variance within 4 %. White noise,
 * which no camera makes, is the worst case: keeping the second moment of the filter raises its
 * variance by 14 % at scale 4 (the mean over phases of the sum of squared weights, worked out
 * numerically), and by less at every later step. */
static void warp_has_no_scale_at_which_sharpness_jumps(void **state)
{
    static const double thresholds[] = {1, 2, 3, 4, 6, 8, 10};
    dpl_image white = noise(1000, 1000, 8), coarse = noise(125, 125, 9), soft;

    (void)state;
    assert_int_equal(dpl_image_resize(&soft, &coarse, 1000, 1000, NULL), DPL_OK);
    for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
        const double below = thresholds[t] * 0.999, above = thresholds[t] * 1.001;
        const double of_soft = detail_at(&soft, above) / detail_at(&soft, below);
        const double of_white = detail_at(&white, above) / detail_at(&white, below);

        if (!(fabs(of_soft - 1) < 0.04 && fabs(of_white - 1) < 0.18))
            fail_msg("at %g: variance times %g, of white noise %g", thresholds[t], of_soft,
                     of_white);
    }
    dpl_image_clear(&white);
    dpl_image_clear(&coarse);
    dpl_image_clear(&soft);
}

static void lack_of_memory_is_told_and_leaks_nothing(void **state)
{
    const float m[6] = {5, 0, 0, 0, 5, 0};
    dpl_image in = noise(64, 64, 9), out;
    uint8_t chip[8 * 8 * 3];
    int n_failed = 0;

    (void)state;
    for (size_t n = 1, done = 0; !done; n++) {
        fail_allocation(n);
        if (dpl_image_resize(&out, &in, 30, 30, NULL) != DPL_OK) {
            n_failed++;
            assert_null(out.pixels);
        }
        done = n_allocations < n;
        dpl_image_clear(&out);
    }
    for (size_t n = 1, done = 0; !done; n++) {
        fail_allocation(n);
        n_failed += dpli_warp_affine(chip, 8, 8, &in, m, NULL) == DPL_E_MEMORY;
        done = n_allocations < n;
    }
    fail_at = 0;
    assert_int_equal(n_failed, 12);
    dpl_image_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resized_is_the_formula_in_double),
        cmocka_unit_test(resize_keeps_a_constant_image_constant),
        cmocka_unit_test(resize_to_the_same_size_changes_nothing),
        cmocka_unit_test(reduced_picture_does_not_alias),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(warped_is_the_formula_in_double),
        cmocka_unit_test(warp_by_nothing_copies_and_by_whole_pixels_shifts),
        cmocka_unit_test(warp_reads_nothing_but_the_picture),
        cmocka_unit_test(warp_keeps_a_constant_image_constant),
        cmocka_unit_test(warp_has_no_scale_at_which_sharpness_jumps),
        cmocka_unit_test(lack_of_memory_is_told_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
