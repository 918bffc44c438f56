/* scratch.c: a plan is for the net that it was made of, and for no other at the same place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net.h"
#include "net/plan.h"
#include "net/scratch.h"
#include "tests/net/onnx_writer.h"

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

/* Ids of a sentence and its mask, of any length. */
static void sentences_of_many_lengths_keep_few_plans_and_the_same_answers(void **state)
{
    enum { MOST = 200 };
    static const float table[4] = {1, 2, 3, 4};
    static const int64_t axes[] = {1};
    writer w = {0};
    dpl_scratch *scratch;
    dpl_net *net;
    dpli_buf bytes;
    size_t most = 0;

    (void)state;
    add_ids(&w, "ids", 2, (const int64_t[]){-1, -1});
    add_input(&w, "mask", 2, (const int64_t[]){-1, -1});
    add_tensor(&w, "table", 1, 1, (const int64_t[]){4}, table);
    add_tensor(&w, "axes", 7, 1, (const int64_t[]){1}, axes);
    add_node(&w, "Gather", "table ids", "x");
    add_node(&w, "Mul", "x mask", "y");
    attr_int(&w, "keepdims", 0);
    add_node(&w, "ReduceSum", "y axes", "z");
    add_output(&w, "z");
    bytes = finish(&w, 13);
    assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, NULL, NULL), DPL_OK);
    assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
    for (int64_t i = 0; i < 2 * MOST; i++) {
        const int64_t n = i * 7919 % MOST + 1;
        const dpl_shape shapes[] = {{2, {1, n}}, {2, {1, n}}}, other[] = {{2, {1, n}}, {2, {1, 1}}};
        dpl_plan *plan, *again;

        assert_int_equal(dpli_scratch_plan(&plan, scratch, net, shapes, DPL_LAYOUT_NCHW, NULL),
                         DPL_OK);
        for (int64_t k = 0; k < n; k++) {
            dpl_plan_input_int64(plan, 0)[k] = k % 4;
            dpl_plan_input(plan, 1)[k] = k + 1 < n ? 1.0f : 0.0f;
        }
        assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
        assert_true(*dpl_plan_output(plan, 0) ==
                    (float)((n - 1) / 4 * 10 + (n - 1) % 4 * ((n - 1) % 4 + 1) / 2));
        /* The second input's shape counts too. */
        assert_int_equal(dpli_scratch_plan(&again, scratch, net, other, DPL_LAYOUT_NCHW, NULL),
                         DPL_OK);
        assert_true((again == plan) == (n == 1));
        most = dpli_scratch_n_plans(scratch) > most ? dpli_scratch_n_plans(scratch) : most;
    }
    assert_int_equal(most, 64);
    dpl_scratch_free(scratch);
    dpl_net_close(net);
    dpli_buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_of_a_closed_net_is_given_to_no_other),
        cmocka_unit_test(sentences_of_many_lengths_keep_few_plans_and_the_same_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
