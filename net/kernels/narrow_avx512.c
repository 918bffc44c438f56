/* The narrow kernels for AVX-512 with its products of bfloat16 (AVX512-BF16). */
#define DPLI_LANES        16
#define DPLI_NARROW_TABLE dpli_narrow_avx512
#include "net/kernels/body_narrow.h"
