/*
 * All kernels of one level. The including file defines DPLI_LANES and DPLI_LEVEL_TABLE, and is
 * compiled with its level's flags.
 */
#include "vision/kernels/level.h"
#include "vision/kernels/simd.h"

#include "vision/kernels/act.h"
#include "vision/kernels/gemm.h"

#include "vision/kernels/depthwise.h"

#include "vision/kernels/binary.h"
#include "vision/kernels/pool.h"

#include "vision/kernels/chain.h"

const dpli_kernels DPLI_LEVEL_TABLE = {.act = act_run,
                                       .epilogue = epilogue_run,
                                       .conv = conv_run,
                                       .pool2d = pool2d_run,
                                       .chain = chain_run,
                                       .binary = binary_run};
