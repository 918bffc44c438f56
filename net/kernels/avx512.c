/* The kernels for AVX-512 (F, BW, DQ, VL): sixteen floats at a time. */
#define DPLI_LANES       16
#define DPLI_CAN_THREE   1
#define DPLI_LEVEL_TABLE dpli_kernels_avx512
#include "net/kernels/body.h"
