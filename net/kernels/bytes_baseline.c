/* The kernels of bytes for no processor's in particular: whole numbers one by one. */
#define DPLI_LANES      4
#define DPLI_BYTE_TABLE dpli_bytes_baseline
#include "net/kernels/body_bytes.h"
