/* The narrow kernels for ARM with products of 2x4 by 4x2 bfloat16 (BF16, ARMv8.6). */
#define DPLI_LANES        4
#define DPLI_NARROW_TABLE dpli_narrow_bf16
#include "net/kernels/body_narrow.h"
