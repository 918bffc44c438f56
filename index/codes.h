/* Vectors in 8 bits a number: what a search looks at first, with how wrong it may be. */
#ifndef DOPPEL_INDEX_CODES_H
#define DOPPEL_INDEX_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/score.h"

/*
 * A vector x is held as scale * code, and error is at least |x - scale * code|. A record is the
 * code [width], zeros behind dim, and its end.
 */
typedef struct dpli_code_end {
    float scale, error; /* error is NaN of a vector that no head can score */
    int32_t square;     /* sum of code^2 */
} dpli_code_end;

/* How records lie; the records are somebody else's. */
typedef struct dpli_code_shape {
    int32_t dim, width; /* width is dim up to a multiple of 32 */
    size_t stride;      /* bytes a record, a multiple of 16 */
    bool unit;          /* of vectors brought to unit norm: for cosine */
} dpli_code_shape;

dpli_code_shape dpli_code_shape_of(int32_t dim, bool unit);
/** Records [n, stride] of rows [n, dim]. Threads: any number at once. */
void dpli_code_rows(int8_t *records, const dpli_code_shape *shape, const float *rows, size_t n);

/** Leave nothing of a record: that of a vector without a score. */
void dpli_code_wipe(int8_t *record, const dpli_code_shape *shape);

static inline const dpli_code_end *dpli_code_end_of(const int8_t *record,
                                                    const dpli_code_shape *shape)
{
    return (const dpli_code_end *)(const void *)(record + shape->width);
}

/* A probe in 16 bits a number, or as many as sums allow. code is the caller's. */
typedef struct dpli_coded_probe {
    int16_t *code; /* [width] */
    double scale, error, square;
} dpli_coded_probe;

void dpli_code_probe(dpli_coded_probe *probe, const dpli_code_shape *shape, const float *row);

/* No lower than and no higher than what the head scores. */
typedef struct dpli_bounds {
    float low, high;
} dpli_bounds;

/** Whether these bounds are known for a head, from records of this shape. */
bool dpli_code_serves(const dpli_code_shape *shape, const dpl_head *head);

/** Bounds [n] on the scores of consecutive records, from their products with the probe. NaN where
 * there is no score. */
void dpli_code_bounds(dpli_bounds *out, const dpli_code_shape *shape, const dpli_coded_probe *probe,
                      const int8_t *records, const int32_t *dots, size_t n);

#endif
