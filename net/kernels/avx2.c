/* The kernels for AVX2 and FMA: eight floats at a time. */
#define DPLI_LANES       8
#define DPLI_LEVEL_TABLE dpli_kernels_avx2
#include "net/kernels/body.h"
