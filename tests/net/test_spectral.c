/*
 * test_spectral.c - convolution by the Fourier transform against the sum itself, in double:
 * forward, both gradients, odd sizes, padding, part of a batch, several threads.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "doppel/net.h"
#include "net/ops/spectral.h"

/* A result is a sum of some hundred products; each transform adds roundings of the same size as the
 * sum's own. All seen were within 3e-7 of the largest value. */
#define TOLERANCE 3e-6

static const dpli_conv cases[] = {
    {.n = 3,
     .in_h = 9,
     .in_w = 7,
     .in_c = 2,
     .out_h = 7,
     .out_w = 4,
     .out_c = 3,
     .kernel_h = 3,
     .kernel_w = 4},
    {.n = 2,
     .in_h = 12,
     .in_w = 13,
     .in_c = 5,
     .out_h = 6,
     .out_w = 7,
     .out_c = 4,
     .kernel_h = 7,
     .kernel_w = 7},
    /* padded on all sides, unevenly; an even and an odd size of the transform */
    {.n = 5,
     .in_h = 6,
     .in_w = 8,
     .in_c = 3,
     .out_h = 7,
     .out_w = 7,
     .out_c = 9,
     .kernel_h = 3,
     .kernel_w = 5,
     .pad_top = 1,
     .pad_left = 2},
    {.n = 1,
     .in_h = 4,
     .in_w = 4,
     .in_c = 17,
     .out_h = 1,
     .out_w = 1,
     .out_c = 8,
     .kernel_h = 4,
     .kernel_w = 4},
    {.n = 2,
     .in_h = 21,
     .in_w = 21,
     .in_c = 8,
     .out_h = 18,
     .out_w = 18,
     .out_c = 16,
     .kernel_h = 4,
     .kernel_w = 4},
};
#define N_CASES (sizeof cases / sizeof *cases)

static float *numbers(size_t n, dpli_rng *rng)
{
    float *x = calloc(n + 1, sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; rng && i < n; i++)
        x[i] = (float)dpli_rng_normal(rng);
    return x;
}

/* Calls back for each product of y[n, a, o] += x[n, j, i] w[o, i, k]. */
static void each_product(const dpli_conv *c, int32_t n,
                         void (*fn)(void *ctx, size_t y, size_t x, size_t w), void *ctx)
{
    for (int32_t b = 0; b < n; b++)
        for (int32_t ay = 0; ay < c->out_h; ay++)
            for (int32_t ax = 0; ax < c->out_w; ax++)
                for (int32_t o = 0; o < c->out_c; o++)
                    for (int32_t ky = 0; ky < c->kernel_h; ky++)
                        for (int32_t kx = 0; kx < c->kernel_w; kx++)
                            for (int32_t i = 0; i < c->in_c; i++) {
                                const int32_t y = ay + ky - c->pad_top, x = ax + kx - c->pad_left;

                                if (y < 0 || y >= c->in_h || x < 0 || x >= c->in_w)
                                    continue;
                                fn(ctx,
                                   (size_t)(((b * c->out_h + ay) * c->out_w + ax) * c->out_c + o),
                                   (size_t)(((b * c->in_h + y) * c->in_w + x) * c->in_c + i),
                                   (size_t)(((o * c->in_c + i) * c->kernel_h + ky) * c->kernel_w +
                                            kx));
                            }
}

typedef struct naive {
    const float *x, *w, *dy;
    double *y, *dx, *dw;
} naive;

static void add_product(void *ctx, size_t y, size_t x, size_t w)
{
    naive *r = ctx;

    r->y[y] += (double)r->x[x] * (double)r->w[w];
    r->dx[x] += (double)r->dy[y] * (double)r->w[w];
    r->dw[w] += (double)r->dy[y] * (double)r->x[x];
}

static void expect_near(const char *what, size_t k, const float *got, const double *want,
                        const float *before, size_t n)
{
    double largest = 1e-30;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < n; i++) {
        const double expected = want[i] + (before ? (double)before[i] : 0.0);

        if (!(fabs((double)got[i] - expected) <= TOLERANCE * largest))
            fail_msg("case %zu: %s[%zu] is %g, not %g", k, what, i, (double)got[i], expected);
    }
}

static void check(size_t k, int n_threads, int32_t n)
{
    const dpli_conv *c = &cases[k];
    const size_t n_x = (size_t)(n * c->in_h * c->in_w * c->in_c);
    const size_t n_y = (size_t)(n * c->out_h * c->out_w * c->out_c);
    const size_t n_w = (size_t)(c->out_c * c->in_c * c->kernel_h * c->kernel_w);
    dpli_rng rng;
    dpli_team *team;
    dpli_spectral *s = dpli_spectral_init(malloc(dpli_spectral_bytes(c)), c);

    dpli_rng_seed(&rng, 11 + k);
    assert_int_equal(dpli_team_new(&team, n_threads, NULL), DPL_OK);

    float *x = numbers(n_x, &rng), *w = numbers(n_w, &rng), *dy = numbers(n_y, &rng);
    float *old = numbers(n_x, &rng), *dx = numbers(n_x, NULL), *dw = numbers(n_w, NULL);
    float *y = numbers(n_y, NULL), *kept = numbers(dpli_spectral_kept_floats(s), NULL);
    float *scratch = numbers(dpli_spectral_scratch_floats(s, dpli_team_size(team)), NULL);
    naive r = {x,
               w,
               dy,
               calloc(n_y, sizeof(double)),
               calloc(n_x, sizeof(double)),
               calloc(n_w, sizeof(double))};

    each_product(c, n, add_product, &r);
    dpli_spectral_forward(s, team, n, y, x, w, kept, scratch);
    expect_near("y", k, y, r.y, NULL, n_y);
    dpli_spectral_backward(s, team, n, dx, false, dw, dy, w, kept, scratch);
    expect_near("dx", k, dx, r.dx, NULL, n_x);
    expect_near("dw", k, dw, r.dw, NULL, n_w);
    memcpy(dx, old, n_x * sizeof *dx);
    dpli_spectral_backward(s, team, n, dx, true, NULL, dy, w, kept, scratch);
    expect_near("dx added to", k, dx, r.dx, old, n_x);
    memset(dw, 0, n_w * sizeof *dw);
    dpli_spectral_backward(s, team, n, NULL, false, dw, dy, w, kept, scratch);
    expect_near("dw alone", k, dw, r.dw, NULL, n_w);

    free(r.y);
    free(r.dx);
    free(r.dw);
    free(x);
    free(w);
    free(dy);
    free(old);
    free(dx);
    free(dw);
    free(y);
    free(kept);
    free(scratch);
    free(s);
    dpli_team_free(team);
}

static void it_is_the_convolution_and_its_gradients(void **state)
{
    (void)state;
    dpl_blas_set_threads(1);
    for (size_t k = 0; k < N_CASES; k++) {
        check(k, 1, cases[k].n);
        check(k, 3, cases[k].n);
    }
}

static void a_part_of_the_batch_is_as_good_as_a_whole_one(void **state)
{
    (void)state;
    check(2, 2, 3);
    check(0, 3, 1);
}

static void it_is_taken_for_large_kernels_only(void **state)
{
    dpli_conv koch2 = {.n = 64,
                       .in_h = 48,
                       .in_w = 48,
                       .in_c = 64,
                       .out_h = 42,
                       .out_w = 42,
                       .out_c = 128,
                       .kernel_h = 7,
                       .kernel_w = 7,
                       .stride_h = 1,
                       .stride_w = 1,
                       .dilation_h = 1,
                       .dilation_w = 1,
                       .groups = 1};
    dpli_conv other;

    (void)state;
    assert_true(dpli_spectral_pays(&koch2));
    other = koch2;
    other.stride_w = 2;
    assert_false(dpli_spectral_pays(&other));
    other = koch2;
    other.groups = 2;
    assert_false(dpli_spectral_pays(&other));
    other = koch2;
    other.kernel_h = other.kernel_w = 1;
    other.out_h = other.out_w = 48;
    assert_false(dpli_spectral_pays(&other));
    /* The kernel's transform is shared by the batch: with one picture it is not. */
    other = koch2;
    other.kernel_h = other.kernel_w = 3;
    other.out_h = other.out_w = 46;
    other.n = 1;
    assert_false(dpli_spectral_pays(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_convolution_and_its_gradients),
        cmocka_unit_test(a_part_of_the_batch_is_as_good_as_a_whole_one),
        cmocka_unit_test(it_is_taken_for_large_kernels_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
