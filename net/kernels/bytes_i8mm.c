/* The kernels of bytes for ARM with products of 2x8 by 8x2 bytes (I8MM, ARMv8.6). */
#define DPLI_LANES      4
#define DPLI_I8MM       1
#define DPLI_BYTE_TABLE dpli_bytes_i8mm
#include "net/kernels/body_bytes.h"
