/*
 * All narrow kernels of one level: body.h's headers over bfloat16. The including file defines
 * DPLI_LANES, DPLI_NARROW_TABLE, and DPLI_AMX where products are made by tiles.
 */
#define DPLI_NARROW 1
#include "net/kernels/level.h"
#include "net/kernels/simd.h"

#include "net/kernels/act.h"
#include "net/kernels/gemm.h"

#include "net/kernels/depthwise.h"

#include "net/kernels/pool.h"

#include "net/kernels/chain.h"

/* y = act(a + b), n elements of an activation without slope; y may be a or b. */
static void add_run(const dpli_act *act, elem *y, const elem *a, const elem *b, size_t n)
{
    size_t i = 0;

    for (; i + DPLI_LANES <= n; i += DPLI_LANES) {
        const vf sum = ve_load(a + i) + ve_load(b + i);

        ve_store(y + i, act->kind == DPLI_ACT_NONE ? sum : act_any(act, sum, vf_set(0)));
    }
    if (i < n)
        ve_store_n(y + i,
                   act_any(act, ve_load_n(a + i, n - i) + ve_load_n(b + i, n - i), vf_set(0)),
                   n - i);
}

const dpli_narrow_kernels DPLI_NARROW_TABLE = {
    .conv = conv_run, .chain = chain_run, .add = add_run, .widen = cast_back};
