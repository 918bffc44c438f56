/* Numbers of eight bits in a file: to them, from them, and what ONNX computes among them. */
#ifndef DOPPEL_NET_OPS_QUANTIZE_H
#define DOPPEL_NET_OPS_QUANTIZE_H

#include "net/ops/op.h"

/* Ends with an entry without a name. */
extern const dpli_op dpli_ops_quantize[];

/* y = s (clip(round(x / s) + z) - z), of one input: QuantizeLinear and DequantizeLinear as one.
 * No file has it. */
extern const dpli_op dpli_op_fake_quantize;

/* The numbers that a value is rounded to: scale (q - zero), q from low to high. */
typedef struct dpli_grid {
    float scale;
    float zero, low, high; /* whole */
} dpli_grid;

/** The lowest and highest that a type of the file holds; false for one that is not of eight bits.
 */
bool dpli_quantize_bounds(dpli_stored stored, float *low, float *high);

/** Make a node FakeQuantize. */
dpl_status dpli_fake_quantize(dpli_node *node, const dpli_grid *grid, dpl_error *err);

/** The grid of a FakeQuantize. */
const dpli_grid *dpli_fake_quantize_grid(const dpli_node *node);

#endif
