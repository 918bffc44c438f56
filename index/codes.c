/*
 * codes.c - vectors to 8 bits a number and back to bounds on their scores.
 *
 * Each vector has a scale of its own, its largest number's 127th part, so that one odd vector
 * spoils no other. What rounding leaves, e = x - scale code, is measured in double precision when
 * the code is made. For a probe q, held as q' with e_q left over:
 *
 *     cosine (unit vectors)   |q.x - q'.x'|           <= |q'| |e| + |e_q| |x|
 *     Euclidean               ||q - x| - |q' - x'||   <= |e| + |e_q|
 *
 * by Cauchy and Schwarz and by the triangle. Products of codes are whole numbers and exact; the
 * float and double steps behind them are covered by the slack beside each.
 */
#include "index/codes.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CODE_MAX = 127, PROBE_MAX = 32767 };

dpli_code_shape dpli_code_shape_of(int32_t dim, bool unit)
{
    const int32_t width = (dim + 31) / 32 * 32;

    return (dpli_code_shape){dim, width, ((size_t)width + sizeof(dpli_code_end) + 15) / 16 * 16,
                             unit};
}

/* What a row is multiplied with before it is coded; NaN: it has no score. */
static double factor_of(const float *row, const dpli_code_shape *shape)
{
    double sum = 0;

    for (int32_t i = 0; i < shape->dim; i++)
        sum += (double)row[i] * (double)row[i];
    if (!isfinite(sum))
        return NAN;
    return !shape->unit ? 1 : sum > 0 ? 1 / sqrt(sum) : (double)NAN;
}

/* The scale for numbers up to max in codes up to limit. So small a one that a processor may take it
   for zero is zero: all is error then. */
static double scale_of(const float *row, const dpli_code_shape *shape, double factor, double limit)
{
    float max = 0;
    double scale;

    for (int32_t i = 0; i < shape->dim; i++)
        max = fmaxf(max, fabsf(row[i]));
    scale = (double)(float)((double)max * factor / limit);
    return scale > 1e-30 ? scale : 0;
}

void dpli_code_rows(int8_t *records, const dpli_code_shape *shape, const float *rows, size_t n)
{
    for (size_t r = 0; r < n; r++) {
        const float *row = rows + r * (size_t)shape->dim;
        int8_t *code = records + r * shape->stride;
        const double factor = factor_of(row, shape);
        const double scale = isnan(factor) ? 0 : scale_of(row, shape, factor, CODE_MAX);
        const double to_code = scale > 0 ? factor / scale : 0;
        dpli_code_end end = {.scale = (float)scale};
        double left = 0;

        memset(code, 0, shape->stride);
        for (int32_t i = 0; i < shape->dim && !isnan(factor); i++) {
            /* The scale was rounded to a float, so the largest may come out a little above. */
            const double c = fmax(fmin(rint((double)row[i] * to_code), CODE_MAX), -CODE_MAX);
            const double e = (double)row[i] * factor - scale * c;

            code[i] = (int8_t)c;
            end.square += (int32_t)c * (int32_t)c;
            left += e * e;
        }
        /* Upwards to a float. */
        end.error = isnan(factor) ? NAN : (float)(sqrt(left) * (1 + 1e-6) + 1e-30);
        memcpy(code + shape->width, &end, sizeof end);
    }
}

void dpli_code_wipe(int8_t *record, const dpli_code_shape *shape)
{
    const dpli_code_end end = {.error = NAN};

    memset(record, 0, shape->stride);
    memcpy(record + shape->width, &end, sizeof end);
}

void dpli_code_probe(dpli_coded_probe *probe, const dpli_code_shape *shape, const float *row)
{
    /* So that no sum of products leaves 32 bits. */
    const double most = (double)INT32_MAX / (128.0 * shape->width);
    const double limit = most < PROBE_MAX ? floor(most) : PROBE_MAX;
    const double factor = factor_of(row, shape);
    const double scale = isnan(factor) ? 0 : scale_of(row, shape, factor, limit);
    const double to_code = scale > 0 ? factor / scale : 0;
    double left = 0, square = 0;

    memset(probe->code, 0, (size_t)shape->width * sizeof *probe->code);
    for (int32_t i = 0; i < shape->dim && !isnan(factor); i++) {
        const double c = fmax(fmin(rint((double)row[i] * to_code), limit), -limit);
        const double e = (double)row[i] * factor - scale * c;

        probe->code[i] = (int16_t)c;
        square += c * c;
        left += e * e;
    }
    probe->scale = scale;
    probe->square = square;
    probe->error = isnan(factor) ? (double)NAN : sqrt(left) * (1 + 1e-6) + 1e-30;
}

/* ------------------------------------------------------------------ bounds */

bool dpli_code_serves(const dpli_code_shape *shape, const dpl_head *head)
{
    const dpl_head_kind kind = dpl_head_get_kind(head);

    return dpl_head_dim(head) == shape->dim &&
           (kind == DPL_HEAD_COSINE || kind == DPL_HEAD_EUCLIDEAN) &&
           shape->unit == (kind == DPL_HEAD_COSINE);
}

/* Slack: three float products of numbers below 1.1, and the score's own rounding. */
static void cosine_bounds(dpli_bounds *out, const dpli_code_shape *shape,
                          const dpli_coded_probe *probe, const int8_t *records, const int32_t *dots,
                          size_t n)
{
    const float scale = (float)probe->scale;
    const float norm = (float)(probe->scale * sqrt(probe->square) * (1 + 1e-6));
    const float slack = (float)(probe->error * (1 + 1e-6) + 1e-6);

    for (size_t r = 0; r < n; r++) {
        const dpli_code_end *end = dpli_code_end_of(records + r * shape->stride, shape);
        const float middle = (float)dots[r] * (end->scale * scale);
        const float off = end->error * norm + slack;

        out[r] = (dpli_bounds){middle - off, middle + off};
    }
}

/* Slack: a double sum of three terms below, the score's own rounding to a float. */
static void euclidean_bounds(dpli_bounds *out, const dpli_code_shape *shape,
                             const dpli_coded_probe *probe, const int8_t *records,
                             const int32_t *dots, size_t n)
{
    const double square = probe->scale * probe->scale * probe->square;

    for (size_t r = 0; r < n; r++) {
        const dpli_code_end *end = dpli_code_end_of(records + r * shape->stride, shape);
        const double scale = (double)end->scale;
        const double squares = square + scale * scale * end->square;
        const double d2 = squares - 2 * scale * probe->scale * dots[r];
        const double off = (double)end->error + probe->error;
        const double near = sqrt(fmax(d2 - 1e-14 * squares, 0)) - off;
        const double far = sqrt(fmax(d2 + 1e-14 * squares, 0)) + off;

        if (isnan(off))
            out[r] = (dpli_bounds){NAN, NAN};
        else
            out[r] = (dpli_bounds){(float)-fmin(far * (1 + 1e-6), FLT_MAX),
                                   (float)-fmin(fmax(near * (1 - 1e-6), 0), FLT_MAX)};
    }
}

void dpli_code_bounds(dpli_bounds *out, const dpli_code_shape *shape, const dpli_coded_probe *probe,
                      const int8_t *records, const int32_t *dots, size_t n)
{
    if (shape->unit)
        cosine_bounds(out, shape, probe, records, dots, n);
    else
        euclidean_bounds(out, shape, probe, records, dots, n);
}
