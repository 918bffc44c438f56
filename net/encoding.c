/*
 * encoding.c - between a net and an encoder: whose fault it is, and a vector as it is handed out.
 */
#include "net/encoding.h"

#include <math.h>

dpl_status dpli_encoding_blame(dpl_status status, dpl_error *err)
{
    if (status != DPL_E_ARGUMENT && status != DPL_E_LIMIT)
        return status;
    if (err)
        err->status = DPL_E_MODEL;
    return DPL_E_MODEL;
}

bool dpli_encoding_take(float *out, const float *in, int32_t dim, bool normalize)
{
    double sum = 0;

    for (int32_t i = 0; i < dim; i++)
        sum += (double)in[i] * (double)in[i];
    if (!isfinite(sum) || sum == 0)
        return false;
    const float scale = normalize ? (float)(1 / sqrt(sum)) : 1.0f;
    for (int32_t i = 0; i < dim; i++)
        out[i] = in[i] * scale;
    return true;
}
