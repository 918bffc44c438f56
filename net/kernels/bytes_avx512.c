/* The kernels of bytes for AVX-512 with VNNI. */
#define DPLI_LANES      16
#define DPLI_VNNI       1
#define DPLI_BYTE_TABLE dpli_bytes_avx512
#include "net/kernels/body_bytes.h"
