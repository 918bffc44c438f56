/* The kernels of bytes for ARM with products of bytes by fours (dot product, ARMv8.2). */
#define DPLI_LANES      4
#define DPLI_DOTPROD    1
#define DPLI_BYTE_TABLE dpli_bytes_dotprod
#include "net/kernels/body_bytes.h"
