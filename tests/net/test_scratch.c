/* scratch.c: a plan is for the net that it was made of, and for no other at the same place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net.h"
#include "net/plan.h"
#include "net/scratch.h"

static void plan_of_a_closed_net_is_given_to_no_other(void **state)
{
    const dpl_shape shape = {4, {1, 3, 64, 64}};
    dpl_scratch *scratch;
    uintptr_t before = 0;
    uint64_t serial = 0;
    int n_same_place = 0;

    (void)state;
    assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
    for (int i = 0; i < 8; i++) {
        dpl_plan *plan, *again;
        dpl_net *net;

        assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-detect.onnx", NULL, NULL),
                         DPL_OK);
        assert_true(net->serial > serial);
        assert_int_equal(dpli_scratch_plan(&plan, scratch, net, &shape, DPL_LAYOUT_NHWC, NULL),
                         DPL_OK);
        /* It reads this net's weights: a sanitizer sees it if not. */
        assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
        assert_int_equal(dpli_scratch_plan(&again, scratch, net, &shape, DPL_LAYOUT_NHWC, NULL),
                         DPL_OK);
        assert_ptr_equal(again, plan);
        n_same_place += (uintptr_t)net == before;
        before = (uintptr_t)net;
        serial = net->serial;
        dpl_net_close(net);
    }
    print_message("%d of 7 nets lay where the one before did\n", n_same_place);
    dpl_scratch_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_of_a_closed_net_is_given_to_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
