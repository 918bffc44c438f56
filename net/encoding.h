/* What encoders have in common, of pictures or of sentences. */
#ifndef DOPPEL_NET_ENCODING_H
#define DOPPEL_NET_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

#include "doppel/error.h"

/** A net that cannot be opened, or planned for a single item, within its limits is at fault itself,
 * not who asked: DPL_E_ARGUMENT and DPL_E_LIMIT become DPL_E_MODEL. */
dpl_status dpli_encoding_blame(dpl_status status, dpl_error *err);

/** Copy a vector [dim] out, to unit length when asked; false, and nothing written, when it is not
 * finite or all zero. */
bool dpli_encoding_take(float *out, const float *in, int32_t dim, bool normalize);

#endif
