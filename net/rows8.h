/* A vector of whole numbers compared with each of many that have 8 bits a number. */
#ifndef DOPPEL_NET_ROWS8_H
#define DOPPEL_NET_ROWS8_H

#include <stddef.h>
#include <stdint.h>

/** sum_i a_i b_i for each of n rows, exact. The rows are stride bytes apart; width, of a and of
 * them, is a multiple of 32, and width * max |a_i| * 128 is below 2^31. */
void dpli_rows8_dot(int32_t *out, const int16_t *a, const int8_t *rows, size_t stride, size_t n,
                    int32_t width);

/** The same for n rows by their numbers. */
void dpli_rows8_dot_at(int32_t *out, const int16_t *a, const int8_t *rows, size_t stride,
                       const uint32_t *at, size_t n, int32_t width);

#endif
