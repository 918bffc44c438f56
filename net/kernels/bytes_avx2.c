/* The kernels of bytes for AVX2: words by twos. */
#define DPLI_LANES      8
#define DPLI_BYTE_TABLE dpli_bytes_avx2
#include "net/kernels/body_bytes.h"
