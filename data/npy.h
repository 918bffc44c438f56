/* NumPy's arrays in a file: vectors as float32, or whole numbers. */
#ifndef DOPPEL_DATA_NPY_H
#define DOPPEL_DATA_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/* Bytes of vectors in memory. */
#define DPLI_MAX_VECTOR_BYTES ((size_t)4 << 30)

/** Whether the file begins as one; false when it cannot be read. */
bool dpli_is_npy(const char *path);

/**
 * Vectors: an array [n, dim] of numbers, or of more dimensions, of which all but the first are one
 * vector's.
 *
 *     *out  [n, dim]  float32, all finite; freed with free()
 *
 * @retval DPL_E_INPUT  not such a file: cut, longer than it says, objects, another order or type, a
 * number that is not finite as float32 (err says which, from 0); err does not name the file
 * @retval DPL_E_LIMIT  more than DPLI_MAX_VECTOR_BYTES; told before memory is taken
 */
dpl_status dpli_npy_vectors(float **out, int32_t *n, int32_t *dim, const char *path,
                            dpl_error *err);

/** An array [n], or [n, 1], of whole numbers; freed with free(). Errors as above. */
dpl_status dpli_npy_ids(int64_t **out, int32_t *n, const char *path, dpl_error *err);

#endif
