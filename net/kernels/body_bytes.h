/*
 * All kernels of bytes of one level: body.h's headers over uint8_t, products of whole numbers. The
 * including file defines DPLI_LANES, DPLI_BYTE_TABLE, DPLI_VNNI where the processor multiplies
 * bytes by fours, and DPLI_AMX where products are made by tiles; of ARM DPLI_DOTPROD and DPLI_I8MM,
 * which are such products there.
 */
#define DPLI_NARROW 1
#define DPLI_BYTE   1
#include "net/kernels/level.h"
#include "net/kernels/simd.h"

#include "net/kernels/act.h"
#include "net/kernels/gemm.h"

#include "net/kernels/depthwise.h"

#include "net/kernels/pool.h"

#include "net/kernels/chain.h"

/* y = act(a + b), n elements of an activation without slope; y may be a or b. */
static void add_run(const dpli_byte_sum *s, elem *y, const elem *a, const elem *b, size_t n)
{
    size_t i = 0;

    for (; i < n; i += DPLI_LANES) {
        const size_t many = n - i < DPLI_LANES ? n - i : DPLI_LANES;
        const bool whole = many == DPLI_LANES;
        vf sum = from_whole(s->a, whole ? ve_load(a + i) : ve_load_n(a + i, many)) +
                 from_whole(s->b, whole ? ve_load(b + i) : ve_load_n(b + i, many));

        sum =
            to_whole(s->out, s->act.kind == DPLI_ACT_NONE ? sum : act_any(&s->act, sum, vf_set(0)));
        if (whole)
            ve_store(y + i, sum);
        else
            ve_store_n(y + i, sum, many);
    }
}

const dpli_byte_kernels DPLI_BYTE_TABLE = {
    .conv = conv_run, .chain = chain_run, .add = add_run, .widen = cast_back};
