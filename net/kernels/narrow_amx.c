/* The narrow kernels for AMX (tiles of bfloat16), all else by AVX-512. */
#define DPLI_LANES        16
#define DPLI_AMX          1
#define DPLI_NARROW_TABLE dpli_narrow_amx
#include "net/kernels/body_narrow.h"
