/* The kernels of bytes for AMX (tiles of bytes), all else by AVX-512. */
#define DPLI_LANES      16
#define DPLI_VNNI       1
#define DPLI_AMX        1
#define DPLI_BYTE_TABLE dpli_bytes_amx
#include "net/kernels/body_bytes.h"
