/*
 * bench_conv.c - convolutions by themselves, in the shapes of the bundled networks and of Koch's:
 * milliseconds and GFLOP/s of ours, and beside it, alternating, of BLAS on the product that the
 * convolution is (without im2col and epilogue, which it would need as well).
 *
 * usage: bench_conv [REPEATS [SUBSTRING-OF-THE-NAME]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/blas.h"
#include "net/kernels.h"

typedef struct shape {
    const char *name;
    int32_t h, w, in_c, out_c, kernel, stride, pad, groups;
} shape;

static const shape shapes[] = {
    {"detector stem", 640, 640, 3, 16, 3, 2, 1, 1},
    {"detector pw 16-16", 320, 320, 16, 16, 1, 1, 0, 1},
    {"detector dw 16", 320, 320, 16, 16, 3, 1, 1, 16},
    {"detector pw 16-16 b", 160, 160, 16, 16, 1, 1, 0, 1},
    {"detector dw 16 b", 160, 160, 16, 16, 3, 1, 1, 16},
    {"detector pw 16-32", 160, 160, 16, 32, 1, 1, 0, 1},
    {"detector dw 32", 160, 160, 32, 32, 3, 1, 1, 32},
    {"detector pw 32-32", 160, 160, 32, 32, 1, 1, 0, 1},
    {"detector pw 32-64", 160, 160, 32, 64, 1, 1, 0, 1},
    {"detector dw 64", 160, 160, 64, 64, 3, 1, 1, 64},
    {"detector pw 64-64", 80, 80, 64, 64, 1, 1, 0, 1},
    {"detector dw 64 b", 80, 80, 64, 64, 3, 1, 1, 64},
    {"detector pw 64-10", 80, 80, 64, 10, 1, 1, 0, 1},
    {"detector pw 64-1", 80, 80, 64, 1, 1, 1, 0, 1},
    {"detector dw 10", 80, 80, 10, 10, 3, 1, 1, 10},
    {"detector dw 1", 80, 80, 1, 1, 3, 1, 1, 1},
    {"encoder stem", 105, 105, 3, 64, 3, 2, 1, 1},
    {"encoder dw 64", 53, 53, 64, 64, 3, 1, 1, 64},
    {"encoder pw 64-128", 53, 53, 64, 128, 1, 1, 0, 1},
    {"encoder dw 128 s2", 53, 53, 128, 128, 3, 2, 1, 128},
    {"encoder pw 128-64", 27, 27, 128, 64, 1, 1, 0, 1},
    {"encoder pw 64-128 b", 27, 27, 64, 128, 1, 1, 0, 1},
    {"encoder dw 128", 27, 27, 128, 128, 3, 1, 1, 128},
    {"encoder pw 64-256", 27, 27, 64, 256, 1, 1, 0, 1},
    {"encoder dw 256 s2", 27, 27, 256, 256, 3, 2, 1, 256},
    {"encoder pw 256-128", 14, 14, 256, 128, 1, 1, 0, 1},
    {"encoder pw 128-256", 14, 14, 128, 256, 1, 1, 0, 1},
    {"encoder dw 256", 14, 14, 256, 256, 3, 1, 1, 256},
    {"encoder pw 512-128", 7, 7, 512, 128, 1, 1, 0, 1},
    {"encoder pw 128-256 b", 7, 7, 128, 256, 1, 1, 0, 1},
    {"encoder dw 256 b", 7, 7, 256, 256, 3, 1, 1, 256},
    {"encoder dw 512 7x7", 7, 7, 512, 512, 7, 1, 0, 512},
    {"encoder pw 512-192", 1, 1, 512, 192, 1, 1, 0, 1},
    {"koch conv1", 105, 105, 1, 64, 10, 1, 0, 1},
    {"koch conv2", 48, 48, 64, 128, 7, 1, 0, 1},
    {"koch conv3", 21, 21, 128, 128, 4, 1, 0, 1},
    {"koch conv4", 9, 9, 128, 256, 4, 1, 0, 1},
    {"koch dense", 1, 1, 9216, 4096, 1, 1, 0, 1},
    {"resnet 3x3 64", 56, 56, 64, 64, 3, 1, 1, 1},
    {"resnet 3x3 128", 28, 28, 128, 128, 3, 1, 1, 1},
    {"resnet 3x3 256", 14, 14, 256, 256, 3, 1, 1, 1},
    {"resnet 3x3 512", 7, 7, 512, 512, 3, 1, 1, 1},
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* n floats of small numbers; exits when there is no memory. */
static float *floats(size_t n)
{
    float *p = aligned_alloc(64, (n * sizeof *p + 63) / 64 * 64 + 64);

    if (!p) {
        fputs("bench_conv: no memory\n", stderr);
        exit(5);
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(i * 7919 % 2003) / 1001.5f - 1;
    return p;
}

static void measure(const shape *s, size_t n_repeats, double *ours, double *blas)
{
    const int32_t out_h = (s->h + 2 * s->pad - s->kernel) / s->stride + 1;
    const int32_t out_w = (s->w + 2 * s->pad - s->kernel) / s->stride + 1;
    const dpli_conv c = {.n = 1,
                         .in_h = s->h,
                         .in_w = s->w,
                         .in_c = s->in_c,
                         .out_h = out_h,
                         .out_w = out_w,
                         .out_c = s->out_c,
                         .kernel_h = s->kernel,
                         .kernel_w = s->kernel,
                         .stride_h = s->stride,
                         .stride_w = s->stride,
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .pad_top = s->pad,
                         .pad_left = s->pad,
                         .groups = s->groups};
    const size_t m = (size_t)out_h * (size_t)out_w, n = (size_t)s->out_c;
    const size_t k = (size_t)(s->kernel * s->kernel * (s->in_c / s->groups));
    float *in = floats((size_t)(s->h * s->w) * (size_t)s->in_c), *weight = floats(k * n);
    float *out = floats(m * n), *bias = floats(n), *packed = floats(dpli_conv_packed_floats(&c));
    float *scratch = floats(dpli_conv_scratch_bytes(&c) / sizeof(float)), *matrix = NULL;
    const dpli_epilogue e = {.bias = bias, .act = {DPLI_ACT_PRELU, 0, 0, bias}};

    if (s->groups == 1)
        matrix = floats(m * k);
    dpli_conv_pack(packed, &c, weight);
    for (size_t i = 0; i < n_repeats + 3; i++) {
        double t[3];

        t[0] = now_ms();
        dpli_conv_run(&c, out, in, packed, &e, scratch);
        t[1] = now_ms();
        if (matrix)
            dpli_gemm(0, 0, m, n, k, 1, matrix, k, weight, n, 0, out, n);
        t[2] = now_ms();
        if (i >= 3) {
            ours[i - 3] = t[1] - t[0];
            blas[i - 3] = t[2] - t[1];
        }
    }
    qsort(ours, n_repeats, sizeof *ours, ascending);
    qsort(blas, n_repeats, sizeof *blas, ascending);
    printf("%s,%zu,%zu,%zu,%.4f,%.4f,%.4f,%.1f", s->name, m, n, k, ours[0], ours[n_repeats / 2],
           ours[n_repeats * 95 / 100], 2e-6 * (double)(m * n * k) / ours[0]);
    if (matrix)
        printf(",%.4f,%.4f,%.2f\n", blas[0], blas[n_repeats / 2], blas[0] / ours[0]);
    else
        printf(",,,\n");
    free(in);
    free(weight);
    free(out);
    free(bias);
    free(packed);
    free(scratch);
    free(matrix);
}

int main(int argc, char **argv)
{
    const size_t n_repeats = argc > 1 ? strtoul(argv[1], NULL, 10) : 30;
    double *ours, *blas;

    if (n_repeats < 10 || n_repeats > 100000) {
        fputs("usage: bench_conv [REPEATS (10 or more) [SUBSTRING-OF-THE-NAME]]\n", stderr);
        return 2;
    }
    ours = calloc(n_repeats, sizeof *ours);
    blas = calloc(n_repeats, sizeof *blas);
    if (!ours || !blas)
        return 5;
    printf("convolution,m,n,k,min_ms,median_ms,p95_ms,gflops,blas_min_ms,blas_median_ms,"
           "blas_over_ours\n");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (argc < 3 || strstr(shapes[i].name, argv[2]))
            measure(&shapes[i], n_repeats, ours, blas);
    free(ours);
    free(blas);
    return 0;
}
