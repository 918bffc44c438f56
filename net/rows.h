/* A vector compared with each of many. */
#ifndef DOPPEL_NET_ROWS_H
#define DOPPEL_NET_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Each fills one number for each of the rows [n, dim], compared with a [dim]. */

/** sum_i a_i b_i / (|a| |b|); NaN where one of them is zero. */
void dpli_rows_cosine(float *out, const float *a, const float *rows, size_t n, int32_t dim);

/** sum_i (a_i - b_i)^2 */
void dpli_rows_l2(double *sums, const float *a, const float *rows, size_t n, int32_t dim);

/** sum_i |a_i - b_i| */
void dpli_rows_l1(double *sums, const float *a, const float *rows, size_t n, int32_t dim);

/** sum_i w_i |a_i - b_i| */
void dpli_rows_weighted_l1(double *sums, const float *a, const float *rows, size_t n, int32_t dim,
                           const float *w);

#endif
