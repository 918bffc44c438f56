/*
 * Cohort: what a vector's scores against strangers look like, before it is compared.
 *
 * A blurred, a young, a cut-off face is like all faces of its kind: its scores against strangers
 * lie higher than those of a good portrait. So a score is seen against the scores of both its sides
 * with the members of a cohort that are most like them (adaptive symmetric normalisation,
 * "AS-norm", of speaker verification: Matejka et al. 2017, "Analysis of Score Normalization in
 * Multilingual Speaker Recognition"). We differ in the members: each is the mean of several people.
 *
 * A cohort is a stranger's word until parsed. Does not compare and does not decide: see compare.c.
 */
#include "index/cohort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cpu.h"
#include "base/fail.h"
#include "base/mem.h"

#define HEADER_BYTES 12
#define BLOCK        256 /* members compared at once */

/* A unit vector's numbers as 16-bit whole ones. By Cauchy and Schwarz no sum of products with a row
 * of 8-bit numbers is beyond UNIT * 127 * sqrt(dim), which for the highest dim is half of
 * INT32_MAX. */
#define UNIT    32767.0
#define MAX_DIM 65536

struct dpli_cohort {
    size_t n;
    int32_t dim, top;
    float *scales; /* [n]: 1 / (UNIT * length of the row) */
    int16_t *rows; /* [n, dim], widened so that the products below are of one width */
};

/* ------------------------------------------------------------------ reading */

dpl_status dpli_cohort_new(dpli_cohort **out, const int8_t *rows, size_t n, int32_t dim,
                           int32_t top, dpl_error *err)
{
    dpli_cohort *c = NULL;
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (dim < 1 || dim > MAX_DIM)
        return dpli_fail(err, DPL_E_MODEL, "cohort: %d numbers a member, limit is %d", (int)dim,
                         MAX_DIM);
    if (n < 1 || n > DPLI_COHORT_MAX)
        return dpli_fail(err, DPL_E_MODEL, "cohort: %zu members, 1 to %d are possible", n,
                         DPLI_COHORT_MAX);
    if (top < 2 || top > DPLI_COHORT_MAX_TOP || (size_t)top > n)
        return dpli_fail(err, DPL_E_MODEL, "cohort: the %d most like of %zu members, limit is %d",
                         (int)top, n, DPLI_COHORT_MAX_TOP);
    c = dpli_calloc(1, sizeof *c, err);
    if (!c)
        return DPL_E_MEMORY;
    c->n = n;
    c->dim = dim;
    c->top = top;
    c->scales = dpli_alloc(n, sizeof *c->scales, err);
    c->rows = c->scales ? dpli_alloc(n * (size_t)dim, sizeof *c->rows, err) : NULL;
    if (!c->rows)
        goto done;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t j = i * (size_t)dim; j < (i + 1) * (size_t)dim; j++) {
            c->rows[j] = (int16_t)rows[j];
            sum += (double)rows[j] * (double)rows[j];
        }
        if (sum <= 0) {
            status = dpli_fail(err, DPL_E_MODEL, "cohort: member %zu is all zero", i + 1);
            goto done;
        }
        c->scales[i] = (float)(1 / (UNIT * sqrt(sum)));
    }
    *out = c;
    c = NULL;
    status = DPL_OK;
done:
    dpli_cohort_free(c);
    return status;
}

static uint32_t u32_at(const uint8_t *b)
{
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

dpl_status dpli_cohort_parse(dpli_cohort **out, const char *text, int32_t dim, int32_t top,
                             dpl_error *err)
{
    const size_t most =
        (HEADER_BYTES + (size_t)DPLI_COHORT_MAX * (size_t)(dim > 0 ? dim : 1) + 2) / 3 * 4;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    uint32_t n, bits;
    float scale;
    dpl_status status;

    *out = NULL;
    if (strnlen(text, most + 1) > most)
        return dpli_fail(err, DPL_E_MODEL, "cohort: longer than %d members of %d numbers are",
                         DPLI_COHORT_MAX, (int)dim);
    status = dpli_base64_decode(&bytes, &n_bytes, text, err);
    if (status == DPL_E_INPUT)
        status = dpli_fail(err, DPL_E_MODEL, "cohort: not base64");
    if (status != DPL_OK)
        goto done;
    if (n_bytes < HEADER_BYTES) {
        status = dpli_fail(err, DPL_E_MODEL, "cohort: cut off after %zu bytes", n_bytes);
        goto done;
    }
    n = u32_at(bytes);
    bits = u32_at(bytes + 8);
    memcpy(&scale, &bits, sizeof scale);
    if (u32_at(bytes + 4) != (uint32_t)dim)
        status = dpli_fail(err, DPL_E_MODEL, "cohort: members of %u numbers, the encoder's have %d",
                           (unsigned)u32_at(bytes + 4), (int)dim);
    else if (n < 1 || n > DPLI_COHORT_MAX)
        status = dpli_fail(err, DPL_E_MODEL, "cohort: %u members, 1 to %d are possible",
                           (unsigned)n, DPLI_COHORT_MAX);
    else if (n_bytes - HEADER_BYTES != (size_t)n * (size_t)dim)
        status = dpli_fail(err, DPL_E_MODEL, "cohort: %zu bytes for %u members of %d numbers",
                           n_bytes - HEADER_BYTES, (unsigned)n, (int)dim);
    else if (!(isfinite(scale) && scale > 0))
        status = dpli_fail(err, DPL_E_MODEL, "cohort: the scale is not a positive number");
    else
        status = dpli_cohort_new(out, (const int8_t *)bytes + HEADER_BYTES, n, dim, top, err);
done:
    free(bytes);
    return status;
}

void dpli_cohort_free(dpli_cohort *cohort)
{
    if (!cohort)
        return;
    free(cohort->scales);
    free(cohort->rows);
    free(cohort);
}

size_t dpli_cohort_n(const dpli_cohort *cohort)
{
    return cohort->n;
}

/* ------------------------------------------------------------------ statistics */

/* Cosines of a direction with n rows [n, dim], each with its scale. */
DPLI_EACH_CPU(static, void, cosines_of,
              (float *cosines, const int16_t *direction, const int16_t *rows, const float *scales,
               size_t n, int32_t dim),
              (cosines, direction, rows, scales, n, dim))
{
    for (size_t i = 0; i < n; i++) {
        const int16_t *row = rows + i * (size_t)dim;
        int32_t sum = 0;

        for (int32_t j = 0; j < dim; j++)
            sum += direction[j] * row[j];
        cosines[i] = (float)sum * scales[i];
    }
}

/* Put a value in the place of a heap's least and let it sink. */
static void replace_least(float *heap, int32_t n, float value)
{
    int32_t at = 0, child = 1;

    while (child < n) {
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (value <= heap[child])
            break;
        heap[at] = heap[child];
        at = child;
        child = 2 * at + 1;
    }
    heap[at] = value;
}

void dpli_cohort_stats(float *mean, float *deviation, const dpli_cohort *cohort,
                       const float *vector)
{
    const int32_t dim = cohort->dim, top = cohort->top;
    int16_t direction[MAX_DIM];
    float heap[DPLI_COHORT_MAX_TOP]; /* the most like so far, the least of them first */
    float cosines[BLOCK];
    double sum = 0, squares = 0;

    *mean = *deviation = NAN;
    for (int32_t i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (!(isfinite(sum) && sum > 0))
        return;
    for (int32_t i = 0; i < dim; i++)
        direction[i] = (int16_t)lrint((double)vector[i] * (UNIT / sqrt(sum)));
    for (int32_t i = 0; i < top; i++)
        heap[i] = -INFINITY;
    for (size_t done = 0; done < cohort->n; done += BLOCK) {
        const size_t n = cohort->n - done < BLOCK ? cohort->n - done : BLOCK;

        cosines_of(cosines, direction, cohort->rows + done * (size_t)dim, cohort->scales + done, n,
                   dim);
        for (size_t i = 0; i < n; i++)
            if (cosines[i] > heap[0])
                replace_least(heap, top, cosines[i]);
    }
    sum = 0;
    for (int32_t i = 0; i < top; i++)
        sum += (double)heap[i];
    sum /= top;
    for (int32_t i = 0; i < top; i++)
        squares += ((double)heap[i] - sum) * ((double)heap[i] - sum);
    *mean = (float)sum;
    *deviation = (float)sqrt(squares / top);
}

float dpli_normalised(float score, float mean_a, float deviation_a, float mean_b, float deviation_b)
{
    const double a = ((double)score - (double)mean_a) / (double)deviation_a;
    const double b = ((double)score - (double)mean_b) / (double)deviation_b;
    const float normalised = (float)((a + b) / 2);

    return deviation_a > 0 && deviation_b > 0 && isfinite(normalised) ? normalised : NAN;
}
