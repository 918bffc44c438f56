/* Products for training by AVX512-BF16. */
#define DPLI_PRODUCT dpli_product_avx512
#include "net/kernels/product_body.h"
