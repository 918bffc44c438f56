/*
 * fuzz_onnx.c - any bytes as an ONNX model: load, plan in both layouts under a small limit, run.
 *
 * What loads must plan or say why, and what plans must run without touching memory that is not its
 * own. Results are not looked at.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/net.h"
#include "net/plan.h"

/* A run is for finding errors, not for computing: past this many multiply-adds it is left out. */
#define MAX_MACS 2e7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void plan_and_run(const dpl_net *net, const dpl_shape *shapes, dpl_layout layout)
{
    dpl_error err;
    dpl_plan *plan;

    if (dpl_plan_new(&plan, net, shapes, layout, &err) != DPL_OK)
        return;
    for (int32_t i = 0; i < dpl_net_n_inputs(net); i++) {
        size_t n = (size_t)dpli_shape_elements(&shapes[i]);

        for (size_t j = 0; j < n; j++) {
            if (dpl_net_input_type(net, i) == DPL_TYPE_INT64)
                dpl_plan_input_int64(plan, i)[j] = (int64_t)(j % 17) - 8;
            else
                dpl_plan_input(plan, i)[j] = (float)(j % 17) - 8.0f;
        }
    }
    if (dpli_plan_macs(plan) <= MAX_MACS)
        (void)dpl_plan_run(plan, &err);
    dpl_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_shape *shapes;
    dpl_error err;
    dpl_net *net;

    options.max_arena_bytes = (size_t)8 << 20;
    if (dpl_net_load(&net, data, n_bytes, &options, &err) != DPL_OK)
        return 0;
    shapes = calloc((size_t)dpl_net_n_inputs(net) + 1, sizeof *shapes);
    if (!shapes)
        abort();
    for (int32_t i = 0; i < dpl_net_n_inputs(net); i++) {
        static const int64_t free_dims[DPL_MAX_RANK] = {2, 3, 9, 7, 2, 1, 1, 1};

        shapes[i] = dpl_net_input_shape(net, i);
        if (shapes[i].rank < 0)
            shapes[i].rank = 4;
        for (int32_t d = 0; d < shapes[i].rank; d++) {
            if (shapes[i].dims[d] < 1)
                shapes[i].dims[d] = free_dims[d];
        }
    }
    plan_and_run(net, shapes, DPL_LAYOUT_NCHW);
    plan_and_run(net, shapes, DPL_LAYOUT_NHWC);
    free(shapes);
    dpl_net_close(net);
    return 0;
}
