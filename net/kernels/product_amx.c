/* Products for training by AMX (tiles of bfloat16). */
#define DPLI_AMX     1
#define DPLI_PRODUCT dpli_product_amx
#include "net/kernels/product_body.h"
