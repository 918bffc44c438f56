/* The kernels that run everywhere: four floats at a time, no flags beyond the platform's own. */
#define DPLI_LANES       4
#define DPLI_LEVEL_TABLE dpli_kernels_baseline
#include "net/kernels/body.h"
