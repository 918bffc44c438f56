/* Sums over rows of embeddings, and rows of unit length. */
#ifndef DOPPEL_TRAIN_LOSS_ROWS_H
#define DOPPEL_TRAIN_LOSS_ROWS_H

#include <stddef.h>

#include "base/team.h"

/* Sums over n numbers in float32 by 64 partial sums, which are added in double in a fixed order:
 * the same bits on every processor. */
double dpli_row_dot(const float *a, const float *b, size_t n);                 /* a b */
double dpli_row_l2(const float *a, const float *b, size_t n);                  /* (a - b)^2 */
double dpli_row_l1(const float *a, const float *b, size_t n);                  /* |a - b| */
double dpli_row_wl1(const float *a, const float *b, const float *w, size_t n); /* w |a - b| */

/** 1 / |x|; 0 of a zero row, which so has a cosine of 0 with all and no gradient; NaN of a row that
 * is not finite. */
float dpli_row_inverse(const float *x, size_t n);

/** unit [n, dim] = rows / |row|, inverse [n] = 1 / |row| as above. */
void dpli_rows_unit(float *unit, float *inverse, const float *rows, size_t n, size_t dim,
                    dpli_team *team);

/** grad = d rows, from the gradient d unit of the unit rows: (d - (d u) u) / |row|. grad may be
 * d. */
void dpli_rows_unit_back(float *grad, const float *d, const float *unit, const float *inverse,
                         size_t n, size_t dim, dpli_team *team);

#endif
