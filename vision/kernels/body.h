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

static void conv_run(const dpli_conv *c, float *out, const float *in, const float *packed,
                     const dpli_epilogue *e, void *scratch)
{
    const target all = {.out = out,
                        .bias = e->bias,
                        .slope = e->act.kind == DPLI_ACT_PRELU ? e->act.slope : NULL,
                        .before = e->before,
                        .after = e->after,
                        .ldo = (size_t)c->out_c,
                        .act = &e->act};

    switch (dpli_conv_choose(c)) {
    case DPLI_CONV_DEPTHWISE:
        memset(scratch, 0, (size_t)c->in_c * sizeof(float));
        conv_depthwise(c, in, packed, &all, scratch);
        break;
    case DPLI_CONV_FLAT: conv_flat(c, in, packed, &all); break;
    case DPLI_CONV_LINES: conv_lines(c, in, packed, &all, scratch); break;
    case DPLI_CONV_PATCHES: conv_patches(c, in, packed, &all, scratch); break;
    }
}

const dpli_kernels DPLI_LEVEL_TABLE = {.act = act_run,
                                       .epilogue = epilogue_run,
                                       .conv = conv_run,
                                       .pool2d = pool2d_run,
                                       .binary = binary_run};
