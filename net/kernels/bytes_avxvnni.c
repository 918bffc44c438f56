/* The kernels of bytes for AVX2 and AVX-VNNI. */
#define DPLI_LANES      8
#define DPLI_VNNI       1
#define DPLI_BYTE_TABLE dpli_bytes_avxvnni
#include "net/kernels/body_bytes.h"
