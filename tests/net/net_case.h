/* What the engine's tests share: files, and comparing that fails on NaN and says where. */
#ifndef DOPPEL_TESTS_NET_NET_CASE_H
#define DOPPEL_TESTS_NET_NET_CASE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/net.h"

static inline uint8_t *read_whole(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long n;

    *n_bytes = 0;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    n = ftell(file);
    fseek(file, 0, SEEK_SET);
    /* Exactly as large as the file, so that a read past its end is found. */
    bytes = malloc(n > 0 ? (size_t)n : 1);
    if (bytes && fread(bytes, 1, (size_t)n, file) != (size_t)n) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    *n_bytes = (size_t)n;
    return bytes;
}

static inline size_t n_elements(const dpl_shape *shape)
{
    size_t n = 1;

    for (int32_t i = 0; i < shape->rank; i++)
        n *= (size_t)shape->dims[i];
    return n;
}

/* Index in NHWC of element i in NCHW; i itself for other ranks. */
static inline size_t nhwc_index(const dpl_shape *shape, size_t i)
{
    size_t c, h, w;

    if (shape->rank != 4)
        return i;
    c = (size_t)shape->dims[1];
    h = (size_t)shape->dims[2];
    w = (size_t)shape->dims[3];
    return ((i / (c * h * w) * h + i / w % h) * w + i % w) * c + i / (h * w) % c;
}

/* The largest difference, as a share of the largest value expected or of least_scale where all are
 * smaller; NaN counts as infinite. */
static inline double worst_difference(const float *got, const float *want, size_t n,
                                      double least_scale, size_t *at)
{
    double scale = least_scale, worst = 0.0;

    *at = 0;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]) / scale;

        if (!(d <= worst)) {
            worst = isnan(d) ? INFINITY : d;
            *at = i;
        }
    }
    return worst;
}

static inline double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;

    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

#endif
