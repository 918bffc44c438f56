/*
 * test_net.c - what a net and its plans promise whatever the network: batches, shapes, layouts,
 * memory, threads, damaged files, metadata. That the numbers are right is test_golden.c's matter.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "net/kernels.h"
#include "net/plan.h"
#include "net/scratch.h"
#include "tests/failing_alloc.h"
#include "tests/net/net_case.h"

#define GOLDEN DPL_SOURCE_DIR "/tests/golden/"

/* ------------------------------------------------------------------ helpers */

static dpl_net *open_net(const char *path)
{
    dpl_error err;
    dpl_net *net;

    if (dpl_net_open(&net, path, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return net;
}

static dpl_plan *new_plan(const dpl_net *net, dpl_shape shape, dpl_layout layout)
{
    dpl_error err;
    dpl_plan *plan;

    if (dpl_plan_new(&plan, net, &shape, layout, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return plan;
}

static dpl_shape picture(int64_t n, int64_t c, int64_t h, int64_t w)
{
    return (dpl_shape){4, {n, c, h, w}};
}

static void random_values(float *x, size_t n, uint64_t seed)
{
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)dpli_rng_normal(&rng);
}

static float *copy_output(const dpl_plan *plan, int32_t i, size_t *n)
{
    dpl_shape shape = dpl_plan_output_shape(plan, i);
    float *copy;

    *n = n_elements(&shape);
    copy = malloc(*n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, dpl_plan_output(plan, i), *n * sizeof *copy);
    return copy;
}

/* ------------------------------------------------------------------ batches, shapes, layouts */

/* A sum is taken in the same order whatever the batch, unless the matrix product takes another path
 * for another number of rows: 1e-5 leaves room for that, and for nothing wrong. */
static void check_batch(const char *path, dpl_shape one)
{
    enum { N = 5 };
    dpl_net *net = open_net(path);
    size_t n_in = n_elements(&one), n_out, at;
    dpl_shape many = one;
    dpl_plan *single = new_plan(net, one, DPL_LAYOUT_NHWC), *batch;
    float *got;

    many.dims[0] = N;
    batch = new_plan(net, many, DPL_LAYOUT_NHWC);
    random_values(dpl_plan_input(batch, 0), N * n_in, 1);
    assert_int_equal(dpl_plan_run(batch, NULL), DPL_OK);
    got = copy_output(batch, 0, &n_out);
    random_values(dpl_plan_input(batch, 0), N * n_in, 1);
    for (size_t i = 0; i < N; i++) {
        memcpy(dpl_plan_input(single, 0), dpl_plan_input(batch, 0) + i * n_in,
               n_in * sizeof(float));
        assert_int_equal(dpl_plan_run(single, NULL), DPL_OK);
        assert_true(worst_difference(got + i * (n_out / N), dpl_plan_output(single, 0), n_out / N,
                                     1e-30, &at) <= 1e-5);
    }
    free(got);
    dpl_plan_free(single);
    dpl_plan_free(batch);
    dpl_net_close(net);
}

static void a_batch_of_n_equals_n_batches_of_one(void **state)
{
    (void)state;
    check_batch(DPL_MODELS_DIR "/face-105.onnx", picture(1, 3, 105, 105));
    check_batch(DPL_MODELS_DIR "/face-detect.onnx", picture(1, 3, 64, 96));
}

static void one_net_takes_many_shapes_at_once(void **state)
{
    static const int64_t sides[][2] = {{32, 32}, {64, 96}, {96, 64}, {160, 32}};
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-detect.onnx");
    dpl_plan *plans[4];
    float *first[4];
    size_t n[4], at;

    (void)state;
    for (int i = 0; i < 4; i++) {
        dpl_shape shape = picture(1, 3, sides[i][0], sides[i][1]), out;

        plans[i] = new_plan(net, shape, DPL_LAYOUT_NHWC);
        out = dpl_plan_output_shape(plans[i], 0);
        assert_int_equal(out.dims[2], sides[i][0] / 8);
        assert_int_equal(out.dims[3], sides[i][1] / 8);
        random_values(dpl_plan_input(plans[i], 0), n_elements(&shape), 7);
        assert_int_equal(dpl_plan_run(plans[i], NULL), DPL_OK);
        first[i] = copy_output(plans[i], 3, &n[i]);
    }
    /* In the other order: no plan has touched another, and a second run gives the same bytes. */
    for (int i = 3; i >= 0; i--) {
        dpl_shape shape = picture(1, 3, sides[i][0], sides[i][1]);

        random_values(dpl_plan_input(plans[i], 0), n_elements(&shape), 7);
        assert_int_equal(dpl_plan_run(plans[i], NULL), DPL_OK);
        assert_true(worst_difference(dpl_plan_output(plans[i], 3), first[i], n[i], 1e-30, &at) ==
                    0.0);
        free(first[i]);
        dpl_plan_free(plans[i]);
    }
    dpl_net_close(net);
}

static void the_layout_at_the_border_changes_no_result(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-detect.onnx");
    dpl_shape shape = picture(2, 3, 64, 32);
    dpl_plan *nchw = new_plan(net, shape, DPL_LAYOUT_NCHW);
    dpl_plan *nhwc = new_plan(net, shape, DPL_LAYOUT_NHWC);

    (void)state;
    random_values(dpl_plan_input(nchw, 0), n_elements(&shape), 3);
    for (size_t i = 0; i < n_elements(&shape); i++)
        dpl_plan_input(nhwc, 0)[nhwc_index(&shape, i)] = dpl_plan_input(nchw, 0)[i];
    assert_int_equal(dpl_plan_run(nchw, NULL), DPL_OK);
    assert_int_equal(dpl_plan_run(nhwc, NULL), DPL_OK);
    for (int32_t k = 0; k < dpl_net_n_outputs(net); k++) {
        dpl_shape out = dpl_plan_output_shape(nchw, k), same = dpl_plan_output_shape(nhwc, k);

        assert_memory_equal(&out, &same, sizeof out);
        for (size_t i = 0; i < n_elements(&out); i++)
            assert_true(dpl_plan_output(nchw, k)[i] ==
                        dpl_plan_output(nhwc, k)[nhwc_index(&out, i)]);
    }
    dpl_plan_free(nchw);
    dpl_plan_free(nhwc);
    dpl_net_close(net);
}

static void outputs_stay_while_the_next_inputs_are_written(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-detect.onnx");
    dpl_shape shape = picture(1, 3, 32, 64);
    dpl_plan *plan = new_plan(net, shape, DPL_LAYOUT_NHWC);
    float *before[16];
    size_t n[16];

    (void)state;
    random_values(dpl_plan_input(plan, 0), n_elements(&shape), 5);
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    for (int32_t k = 0; k < dpl_net_n_outputs(net); k++)
        before[k] = copy_output(plan, k, &n[k]);
    memset(dpl_plan_input(plan, 0), 0xff, n_elements(&shape) * sizeof(float));
    for (int32_t k = 0; k < dpl_net_n_outputs(net); k++) {
        assert_memory_equal(before[k], dpl_plan_output(plan, k), n[k] * sizeof(float));
        free(before[k]);
    }
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static void shapes_that_do_not_fit_are_refused_by_the_inputs_name(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-105.onnx");
    dpl_shape wrong[] = {picture(1, 3, 112, 112),
                         picture(1, 1, 105, 105),
                         picture(0, 3, 105, 105),
                         {3, {3, 105, 105}},
                         {.rank = -1},
                         {.rank = 9}};
    dpl_error err;
    dpl_plan *plan;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(dpl_plan_new(&plan, net, &wrong[i], DPL_LAYOUT_NCHW, &err),
                         DPL_E_ARGUMENT);
        assert_null(plan);
        assert_int_equal(err.status, DPL_E_ARGUMENT);
        assert_non_null(strstr(err.message, "\"input\""));
    }
    dpl_net_close(net);
}

/* ------------------------------------------------------------------ memory */

static void a_run_does_not_allocate(void **state)
{
    static const struct {
        const char *path;
        dpl_shape shape;
    } cases[] = {
        {DPL_MODELS_DIR "/face-105.onnx", {4, {2, 3, 105, 105}}},
        {DPL_MODELS_DIR "/face-detect.onnx", {4, {1, 3, 96, 64}}},
        {GOLDEN "op/layer_norm_written_out.onnx", {.rank = -1}},
        {GOLDEN "op/shape_arithmetic_resize.onnx", {.rank = -1}},
        {GOLDEN "op/split_slice_concat.onnx", {.rank = -1}},
        {GOLDEN "op/gemm_c_column.onnx", {.rank = -1}},
        {GOLDEN "op/lstm_last_state_only.onnx", {.rank = -1}},
        {GOLDEN "op/gru_batch_first_after.onnx", {.rank = -1}},
        {GOLDEN "op/transformer_layer.onnx", {.rank = -1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpl_net *net = open_net(cases[i].path);
        dpl_shape shape = cases[i].shape.rank < 0 ? dpl_net_input_shape(net, 0) : cases[i].shape;
        dpl_plan *plan;
        size_t before;

        for (int32_t d = 0; d < shape.rank; d++) {
            if (shape.dims[d] < 0)
                shape.dims[d] = 8;
        }
        plan = new_plan(net, shape, DPL_LAYOUT_NCHW);
        before = n_allocations;
        for (int run = 0; run < 2; run++) {
            /* What a run leaves of ids may be any number. */
            if (dpl_plan_input_int64(plan, 0))
                memset(dpl_plan_input_int64(plan, 0), 0, n_elements(&shape) * sizeof(int64_t));
            assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
        }
        assert_int_equal(n_allocations, before);
        dpl_plan_free(plan);
        dpl_net_close(net);
        /* Else the counter counts nothing. */
        assert_true(before > 0);
    }
}

/* Load, plan, describe with the nth allocation failing; true when none was left to fail. */
static bool survives(const uint8_t *bytes, size_t n_bytes, size_t nth)
{
    dpl_shape shape = {4, {1, 3, 8, 8}};
    dpl_error err = {0};
    dpl_net *net = NULL;
    dpl_plan *plan = NULL;
    char *text = NULL;
    dpl_status status;

    fail_allocation(nth);
    status = dpl_net_load(&net, bytes, n_bytes, NULL, &err);
    if (status == DPL_OK) {
        fail_at = 0;
        shape = dpl_net_input_shape(net, 0);
        for (int32_t d = 0; d < shape.rank; d++) {
            if (shape.dims[d] < 0)
                shape.dims[d] = 8;
        }
        fail_at = nth;
        status = dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NHWC, &err);
    }
    if (status == DPL_OK)
        status = dpl_plan_describe(&text, plan, 1, &err);
    fail_at = 0;
    /* protobuf-c does not say why it gave up. */
    if (status != DPL_OK && status != DPL_E_MEMORY &&
        !(status == DPL_E_MODEL && strstr(err.message, "not an ONNX model")))
        fail_msg("allocation %zu: %d, %s", nth, (int)status, err.message);
    if (status != DPL_OK)
        assert_int_equal(err.status, status);
    free(text);
    dpl_plan_free(plan);
    dpl_net_close(net);
    return status == DPL_OK && n_allocations < nth;
}

static void every_failing_allocation_is_reported_and_leaks_nothing(void **state)
{
    static const char *const paths[] = {
        GOLDEN "op/conv_batchnorm_add_relu.onnx", GOLDEN "op/shape_arithmetic_resize.onnx",
        GOLDEN "op/gather_constant_weights.onnx", GOLDEN "op/prelu_full.onnx",
        GOLDEN "op/matmul_add_relu.onnx",         GOLDEN "op/pad_before_padded_conv.onnx",
        GOLDEN "op/lstm_last_state_only.onnx",    GOLDEN "op/transformer_layer.onnx"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t n_bytes, nth = 1;
        uint8_t *bytes = read_whole(paths[i], &n_bytes);

        assert_non_null(bytes);
        while (!survives(bytes, n_bytes, nth))
            nth++;
        assert_true(nth > 20);
        free(bytes);
    }
}

static void the_limits_are_kept(void **state)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_shape small = picture(1, 3, 105, 105), large = picture(4, 3, 105, 105);
    dpl_error err;
    dpl_net *net;
    dpl_plan *plan;

    (void)state;
    options.max_file_bytes = 1000;
    assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-105.onnx", &options, &err),
                     DPL_E_LIMIT);
    assert_null(net);
    assert_non_null(strstr(err.message, "face-105.onnx"));
    options = (dpl_net_options)DPL_NET_OPTIONS_INIT;
    options.max_arena_bytes = (size_t)3 << 20;
    assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-105.onnx", &options, &err), DPL_OK);
    assert_int_equal(dpl_plan_new(&plan, net, &large, DPL_LAYOUT_NHWC, &err), DPL_E_LIMIT);
    assert_null(plan);
    assert_non_null(strstr(err.message, "--model-memory"));
    assert_int_equal(dpl_plan_new(&plan, net, &small, DPL_LAYOUT_NHWC, &err), DPL_OK);
    assert_true(dpl_plan_bytes(plan) <= options.max_arena_bytes);
    dpl_plan_free(plan);
    dpl_net_close(net);
    options = (dpl_net_options)DPL_NET_OPTIONS_INIT;
    options.max_operations = 1e6;
    assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-105.onnx", &options, &err), DPL_OK);
    assert_int_equal(dpl_plan_new(&plan, net, &small, DPL_LAYOUT_NHWC, &err), DPL_E_LIMIT);
    assert_non_null(strstr(err.message, "--model-operations"));
    dpl_net_close(net);
}

static void a_shorter_options_struct_keeps_the_defaults_of_the_rest(void **state)
{
    dpl_net_options options = {2 * sizeof(size_t), 1000, 1, 1, DPL_PRECISION_FLOAT32};
    dpl_shape shape = picture(1, 3, 105, 105);
    dpl_error err;
    dpl_net *net;
    dpl_plan *plan;

    (void)state;
    assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-105.onnx", &options, &err),
                     DPL_E_LIMIT);
    options.max_file_bytes = (size_t)1 << 30;
    assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-105.onnx", &options, &err), DPL_OK);
    assert_int_equal(dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NHWC, &err), DPL_OK);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

/* Results of a plan on so many threads, of a picture that is the same every time. */
static float *results(const char *model, dpl_precision precision, const dpl_shape *shape,
                      int32_t n_threads, size_t *n)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_net *net;
    dpl_plan *plan;
    float *all = NULL;

    options.precision = precision;
    assert_int_equal(dpl_net_open(&net, model, &options, NULL), DPL_OK);
    assert_int_equal(dpl_plan_new_on(&plan, net, shape, DPL_LAYOUT_NHWC, n_threads, NULL), DPL_OK);
    dpli_plan_fill(plan, 0xff);
    for (size_t i = 0; i < n_elements(shape); i++)
        dpl_plan_input(plan, 0)[i] = (float)(i * 7919 % 256) - 128;
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    *n = 0;
    for (int32_t i = 0; i < dpl_net_n_outputs(net); i++) {
        const dpl_shape out = dpl_plan_output_shape(plan, i);

        all = realloc(all, (*n + n_elements(&out)) * sizeof *all);
        assert_non_null(all);
        memcpy(all + *n, dpl_plan_output(plan, i), n_elements(&out) * sizeof *all);
        *n += n_elements(&out);
    }
    dpl_plan_free(plan);
    dpl_net_close(net);
    return all;
}

static void any_number_of_threads_computes_the_same_to_the_bit(void **state)
{
    static const struct {
        const char *model;
        int32_t n, side;
    } cases[] = {{DPL_MODELS_DIR "/face-105.onnx", 3, 105},
                 {DPL_MODELS_DIR "/face-detect.onnx", 1, 224}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const dpl_shape shape = picture(cases[i].n, 3, cases[i].side, cases[i].side);

        for (int k = 0; k < 3; k++) {
            const dpl_precision precision = (const dpl_precision[]){
                DPL_PRECISION_FLOAT32, DPL_PRECISION_BF16, DPL_PRECISION_BF16X3}[k];
            size_t n_one, n;
            float *one = results(cases[i].model, precision, &shape, 1, &n_one);

            for (int32_t threads = 2; threads <= 5; threads += 3) {
                float *many = results(cases[i].model, precision, &shape, threads, &n);

                assert_int_equal(n, n_one);
                for (size_t j = 0; j < n; j++)
                    assert_true(isfinite(many[j]));
                assert_memory_equal(many, one, n * sizeof *one);
                free(many);
            }
            free(one);
        }
    }
}

/* Line y of a picture that results() writes whole. */
static void picture_line(const void *ctx, float *out, int32_t at, int32_t y)
{
    const dpl_shape *shape = ctx;
    const size_t n = (size_t)shape->dims[3] * (size_t)shape->dims[1];
    const size_t before = ((size_t)at * (size_t)shape->dims[2] + (size_t)y) * n;

    for (size_t i = 0; i < n; i++)
        out[i] = (float)((before + i) * 7919 % 256) - 128;
}

static void an_input_line_by_line_gives_the_same(void **state)
{
    static const struct {
        const char *model;
        int32_t n, h, w;
    } cases[] = {{DPL_MODELS_DIR "/face-105.onnx", 3, 105, 105},
                 {DPL_MODELS_DIR "/face-detect.onnx", 1, 32, 32},
                 {DPL_MODELS_DIR "/face-detect.onnx", 8, 96, 160},
                 {DPL_MODELS_DIR "/face-detect.onnx", 1, 480, 640}};

    (void)state;
    for (size_t i = 0; i < 3 * sizeof cases / sizeof *cases; i++) {
        const dpl_shape shape = picture(cases[i / 3].n, 3, cases[i / 3].h, cases[i / 3].w);
        dpl_net_options options = DPL_NET_OPTIONS_INIT;
        size_t n;
        float *one;
        dpl_net *net;

        options.precision = (const dpl_precision[]){DPL_PRECISION_FLOAT32, DPL_PRECISION_BF16,
                                                    DPL_PRECISION_BF16X3}[i % 3];
        one = results(cases[i / 3].model, options.precision, &shape, 1, &n);
        assert_int_equal(dpl_net_open(&net, cases[i / 3].model, &options, NULL), DPL_OK);
        for (int32_t threads = 1; threads <= 3; threads += 2) {
            dpl_scratch *scratch;
            dpl_plan *plan, *other;
            size_t at = 0;

            assert_int_equal(dpl_scratch_new(&scratch, 0, NULL), DPL_OK);
            assert_int_equal(dpl_scratch_set_threads(scratch, threads, NULL), DPL_OK);
            /* Of two plans for one shape each gets its own. */
            assert_int_equal(dpli_scratch_plan(&other, scratch, net, &shape, DPL_LAYOUT_NHWC, NULL),
                             DPL_OK);
            assert_int_equal(dpli_scratch_supplied_plan(&plan, scratch, net, &shape, NULL), DPL_OK);
            assert_ptr_not_equal(plan, other);
            assert_null(dpl_plan_input(plan, 0));
            dpli_plan_fill(plan, 0xff);
            dpli_plan_supply(plan, picture_line, &shape);
            assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
            for (int32_t k = 0; k < dpl_net_n_outputs(net); k++) {
                const dpl_shape out = dpl_plan_output_shape(plan, k);

                assert_memory_equal(dpl_plan_output(plan, k), one + at,
                                    n_elements(&out) * sizeof *one);
                at += n_elements(&out);
            }
            assert_int_equal(at, n);
            dpl_scratch_free(scratch);
        }
        dpl_net_close(net);
        free(one);
    }
}

/* The input of a large look is what most of its memory would be. */
static void an_input_line_by_line_is_never_all_there(void **state)
{
    const dpl_shape shape = picture(1, 3, 1024, 1024);
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-detect.onnx");
    size_t written, supplied;

    (void)state;
    assert_int_equal(dpli_plan_measure(&written, net, &shape, DPL_LAYOUT_NHWC, false, NULL),
                     DPL_OK);
    assert_int_equal(dpli_plan_measure(&supplied, net, &shape, DPL_LAYOUT_NHWC, true, NULL),
                     DPL_OK);
    assert_true(supplied < written - (size_t)6 * 1024 * 1024);
    dpl_net_close(net);
}

/* A wish for bfloat16 is heard where the processor has it; for three products of it, or of a net of
 * one output for the fastest, where it has AMX. */
static void a_net_computes_in_the_numbers_that_were_asked_for(void **state)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_net *net;

    (void)state;
    for (int i = 0; i < 2 * (DPL_PRECISION_BF16X3 + 1); i++) {
        const int k = i / 2;
        const bool detects = i % 2;
        dpl_precision want = DPL_PRECISION_FLOAT32;

        options.precision = (dpl_precision)k;
        if (k == DPL_PRECISION_BF16 && dpli_narrow_there())
            want = DPL_PRECISION_BF16;
        if ((k == DPL_PRECISION_BF16X3 || (k == DPL_PRECISION_AUTO && !detects)) &&
            dpli_cpu_narrow() == DPLI_NARROW_AMX)
            want = DPL_PRECISION_BF16X3;
        assert_int_equal(dpl_net_open(&net,
                                      detects ? DPL_MODELS_DIR "/face-detect.onnx"
                                              : DPL_MODELS_DIR "/face-105.onnx",
                                      &options, NULL),
                         DPL_OK);
        assert_int_equal(dpl_net_precision(net), want);
        dpl_net_close(net);
    }
}

static void a_run_leaves_the_fpu_as_it_was(void **state)
{
    dpl_net *net = open_net(GOLDEN "op/relu.onnx");
    dpl_shape shape = dpl_net_input_shape(net, 0);
    dpl_plan *plan;
    volatile float tiny = 1e-38f, tinier;

    (void)state;
    for (int32_t d = 0; d < shape.rank; d++)
        shape.dims[d] = shape.dims[d] < 0 ? 2 : shape.dims[d];
    plan = new_plan(net, shape, DPL_LAYOUT_NCHW);
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    tinier = tiny * 0.01f;
    assert_true(tinier > 0.0f);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

/* ------------------------------------------------------------------ fusing */

static size_t count_lines(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void a_plan_describes_what_was_fused(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-105.onnx");
    dpl_plan *plan = new_plan(net, picture(1, 3, 105, 105), DPL_LAYOUT_NHWC);
    size_t n_lines;
    dpl_error err;
    char *text;

    (void)state;
    assert_int_equal(dpl_plan_describe(&text, plan, 0, &err), DPL_OK);
    /* The 33 PRelu and the 12 Add went into convolutions, and the Flatten moves nothing. */
    assert_null(strstr(text, "  PRelu"));
    assert_null(strstr(text, "  Add"));
    assert_null(strstr(text, "  move"));
    assert_int_equal(count_lines(text, "+residual"), 12);
    assert_non_null(strstr(text, "+bias+PRelu"));
    assert_null(strstr(text, " ms"));
    n_lines = count_lines(text, "\n");
    assert_in_range(n_lines, 13, 51);
    free(text);
    assert_int_equal(dpl_plan_describe(&text, plan, 2, &err), DPL_OK);
    assert_int_equal(count_lines(text, " ms"), n_lines);
    free(text);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static void activations_share_memory(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-105.onnx");
    dpl_plan *plan = new_plan(net, picture(1, 3, 105, 105), DPL_LAYOUT_NHWC);

    (void)state;
    /* Kept apart, the 50 activations would take 12.1 MB. */
    assert_true(dpl_plan_bytes(plan) < 3000000);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

/* ------------------------------------------------------------------ damaged files */

static void load_and_run(const uint8_t *bytes, size_t n_bytes)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_shape shapes[8];
    dpl_error err = {0};
    dpl_net *net;
    dpl_plan *plan;
    dpl_status status;

    options.max_arena_bytes = (size_t)8 << 20;
    status = dpl_net_load(&net, bytes, n_bytes, &options, &err);
    if (status != DPL_OK) {
        assert_null(net);
        assert_int_equal(err.status, status);
        assert_true(err.message[0] != '\0');
        assert_true(status == DPL_E_MODEL || status == DPL_E_MEMORY || status == DPL_E_ARGUMENT);
        return;
    }
    assert_in_range(dpl_net_n_inputs(net), 0, 8);
    for (int32_t i = 0; i < dpl_net_n_inputs(net); i++) {
        shapes[i] = dpl_net_input_shape(net, i);
        if (shapes[i].rank < 0)
            shapes[i] = picture(1, 3, 9, 7);
        for (int32_t d = 0; d < shapes[i].rank; d++)
            shapes[i].dims[d] = shapes[i].dims[d] < 0 ? 3 : shapes[i].dims[d];
    }
    if (dpl_plan_new(&plan, net, shapes, DPL_LAYOUT_NCHW, &err) == DPL_OK) {
        bool ids = false;

        for (int32_t i = 0; i < dpl_net_n_inputs(net); i++) {
            if (dpl_net_input_type(net, i) == DPL_TYPE_INT64) {
                ids = true;
                memset(dpl_plan_input_int64(plan, i), 0x7f, n_elements(&shapes[i]) * 8);
            } else {
                random_values(dpl_plan_input(plan, i), n_elements(&shapes[i]), 1);
            }
        }
        status = dpl_plan_run(plan, &err);
        assert_true(status == DPL_OK || (ids && status == DPL_E_INPUT));
        dpl_plan_free(plan);
    }
    dpl_net_close(net);
}

static void a_file_cut_at_any_byte_is_refused_or_runs(void **state)
{
    static const char *const paths[] = {
        GOLDEN "op/conv_batchnorm_add_relu.onnx", GOLDEN "op/shape_arithmetic_resize.onnx",
        GOLDEN "op/constants.onnx", GOLDEN "op/weights_typed_fields.onnx"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t n_bytes;
        uint8_t *bytes = read_whole(paths[i], &n_bytes);

        assert_non_null(bytes);
        for (size_t n = 0; n < n_bytes; n++) {
            /* Exactly as long, so that a read past the end is found. */
            uint8_t *cut = malloc(n ? n : 1);

            assert_non_null(cut);
            memcpy(cut, bytes, n);
            load_and_run(cut, n);
            free(cut);
        }
        free(bytes);
    }
}

static void a_file_with_any_byte_changed_is_refused_or_runs(void **state)
{
    size_t n_bytes;
    uint8_t *bytes = read_whole(GOLDEN "op/conv_batchnorm_add_relu.onnx", &n_bytes);
    static const uint8_t changes[] = {0x01, 0x08, 0x80, 0xff};

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            bytes[i] ^= changes[k];
            load_and_run(bytes, n_bytes);
            bytes[i] ^= changes[k];
        }
    }
    free(bytes);
}

static void an_error_may_go_untold(void **state)
{
    dpl_net *net;

    (void)state;
    assert_int_equal(dpl_net_load(&net, "no", 2, NULL, NULL), DPL_E_MODEL);
    assert_int_equal(dpl_net_open(&net, "no/such/file.onnx", NULL, NULL), DPL_E_MODEL);
    dpl_net_close(NULL);
    dpl_plan_free(NULL);
}

static void a_file_that_cannot_be_read_is_named_with_the_reason(void **state)
{
    dpl_error err;
    dpl_net *net;

    (void)state;
    assert_int_equal(dpl_net_open(&net, "no/such/file.onnx", NULL, &err), DPL_E_MODEL);
    assert_int_equal(err.status, DPL_E_MODEL);
    assert_string_equal(err.message,
                        "\"no/such/file.onnx\": cannot be opened: No such file or directory");
    assert_int_equal(dpl_net_open(&net, "/", NULL, &err), DPL_E_MODEL);
    assert_string_equal(err.message, "\"/\": is a directory");
}

/* ------------------------------------------------------------------ what a net says of itself */

static void a_net_tells_its_names_shapes_and_facts(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-105.onnx");
    dpl_shape shape = dpl_net_input_shape(net, 0);

    (void)state;
    assert_int_equal(dpl_net_n_inputs(net), 1);
    assert_int_equal(dpl_net_n_outputs(net), 1);
    assert_string_equal(dpl_net_input_name(net, 0), "input");
    assert_null(dpl_net_input_name(net, 1));
    assert_null(dpl_net_input_name(net, -1));
    assert_string_equal(dpl_net_output_name(net, 0), "embedding");
    assert_null(dpl_net_output_name(net, 1));
    assert_int_equal(shape.rank, 4);
    assert_int_equal(shape.dims[0], -1);
    assert_int_equal(shape.dims[1], 3);
    assert_int_equal(shape.dims[2], 105);
    assert_int_equal(dpl_net_output_shape(net, 0).dims[1], 192);
    assert_int_equal(dpl_net_output_shape(net, 1).rank, -1);
    assert_string_equal(dpl_net_meta(net, "doppel.kind"), "face-encoder");
    assert_null(dpl_net_meta(net, "doppel.nothing"));
    dpl_net_close(net);
}

static dpl_net *load_net(const void *bytes, size_t n_bytes)
{
    dpl_net *net;
    dpl_error err = {0};

    if (dpl_net_load(&net, bytes, n_bytes, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return net;
}

static void metadata_does_not_change_the_hash_and_a_weight_does(void **state)
{
    static const char entry[] = {0x72, 0x06, 0x0A, 0x01,
                                 'k',  0x12, 0x01, 'v'}; /* metadata_props k = v */
    size_t n;
    uint8_t *bytes = read_whole(DPL_MODELS_DIR "/face-105.onnx", &n);
    uint8_t *more = malloc(n + sizeof entry);
    dpl_net *net = load_net(bytes, n), *same, *other;

    (void)state;
    assert_int_equal(strlen(dpl_net_hash(net)), 64);
    memcpy(more, bytes, n);
    memcpy(more + n, entry, sizeof entry);
    same = load_net(more, n + sizeof entry);
    assert_string_equal(dpl_net_meta(same, "k"), "v");
    assert_string_equal(dpl_net_hash(same), dpl_net_hash(net));
    more[n / 2] ^= 1; /* in the middle of the file are weights; the lowest bits of one */
    other = load_net(more, n + sizeof entry);
    assert_string_not_equal(dpl_net_hash(other), dpl_net_hash(net));
    dpl_net_close(net);
    dpl_net_close(same);
    dpl_net_close(other);
    free(more);
    free(bytes);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void a_sidecar_adds_to_the_metadata_and_not_to_the_hash(void **state)
{
    static const char side[] = "{\"mean\": \"1,2,3\", \"kind\": \"image-encoder\", \"dim\": 12,\n"
                               " \"std\": [57.5, 58, 1e-3], \"flag\": true}";
    size_t n_bytes;
    uint8_t *bytes = read_whole(DPL_MODELS_DIR "/face-105.onnx", &n_bytes);
    dpl_net *net, *plain;

    (void)state;
    assert_non_null(bytes);
    write_file("side.onnx", bytes, n_bytes);
    write_file("side.onnx.json", side, sizeof side - 1);
    net = open_net("side.onnx");
    assert_string_equal(dpl_net_meta(net, "doppel.mean"), "1,2,3");
    assert_string_equal(dpl_net_meta(net, "doppel.kind"), "image-encoder");
    assert_string_equal(dpl_net_meta(net, "doppel.dim"), "12");
    assert_string_equal(dpl_net_meta(net, "doppel.std"), "57.5,58,0.001");
    assert_string_equal(dpl_net_meta(net, "doppel.flag"), "true");
    assert_string_equal(dpl_net_meta(net, "doppel.head"), "cosine");
    plain = load_net(bytes, n_bytes);
    assert_string_equal(dpl_net_hash(net), dpl_net_hash(plain));
    dpl_net_close(plain);
    dpl_net_close(net);
    unlink("side.onnx");
    unlink("side.onnx.json");
    free(bytes);
}

static void a_damaged_sidecar_is_refused_by_its_name(void **state)
{
    static const char *const bad[] = {
        "{", "[]", "{\"mean\": null}", "{\"mean\": {}}", "{\"a\": 1, \"a\": 2}", "{\"a\": [[1]]}",
        ""};
    size_t n_bytes;
    uint8_t *bytes = read_whole(GOLDEN "op/relu.onnx", &n_bytes);
    dpl_error err;
    dpl_net *net;

    (void)state;
    assert_non_null(bytes);
    write_file("bad.onnx", bytes, n_bytes);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file("bad.onnx.json", bad[i], strlen(bad[i]));
        assert_int_equal(dpl_net_open(&net, "bad.onnx", NULL, &err), DPL_E_MODEL);
        assert_null(net);
        assert_int_equal(err.status, DPL_E_MODEL);
        assert_int_equal(strncmp(err.message, "\"bad.onnx.json\": ", 17), 0);
    }
    unlink("bad.onnx");
    unlink("bad.onnx.json");
    free(bytes);
}

/* ------------------------------------------------------------------ threads */

typedef struct job {
    const dpl_net *net;
    float out[192];
} job;

static void *run_job(void *arg)
{
    job *j = arg;
    dpl_shape shape = picture(1, 3, 105, 105);
    dpl_plan *plan;

    if (dpl_plan_new(&plan, j->net, &shape, DPL_LAYOUT_NHWC, NULL) != DPL_OK)
        return NULL;
    for (int i = 0; i < 3; i++) {
        random_values(dpl_plan_input(plan, 0), n_elements(&shape), 11);
        assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    }
    memcpy(j->out, dpl_plan_output(plan, 0), sizeof j->out);
    dpl_plan_free(plan);
    return j;
}

static void threads_share_a_net_each_with_its_plan(void **state)
{
    dpl_net *net = open_net(DPL_MODELS_DIR "/face-105.onnx");
    job jobs[3];
    pthread_t threads[3];

    (void)state;
    memset(jobs, 0, sizeof jobs);
    for (int i = 0; i < 3; i++) {
        jobs[i].net = net;
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *done;

        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_non_null(done);
    }
    assert_memory_equal(jobs[0].out, jobs[1].out, sizeof jobs[0].out);
    assert_memory_equal(jobs[0].out, jobs[2].out, sizeof jobs[0].out);
    dpl_net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_n_equals_n_batches_of_one),
        cmocka_unit_test(one_net_takes_many_shapes_at_once),
        cmocka_unit_test(the_layout_at_the_border_changes_no_result),
        cmocka_unit_test(outputs_stay_while_the_next_inputs_are_written),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused_by_the_inputs_name),
        cmocka_unit_test(a_run_does_not_allocate),
        cmocka_unit_test(every_failing_allocation_is_reported_and_leaks_nothing),
        cmocka_unit_test(the_limits_are_kept),
        cmocka_unit_test(a_shorter_options_struct_keeps_the_defaults_of_the_rest),
        cmocka_unit_test(a_run_leaves_the_fpu_as_it_was),
        cmocka_unit_test(a_plan_describes_what_was_fused),
        cmocka_unit_test(activations_share_memory),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused_or_runs),
        cmocka_unit_test(a_file_with_any_byte_changed_is_refused_or_runs),
        cmocka_unit_test(an_error_may_go_untold),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named_with_the_reason),
        cmocka_unit_test(a_net_tells_its_names_shapes_and_facts),
        cmocka_unit_test(metadata_does_not_change_the_hash_and_a_weight_does),
        cmocka_unit_test(a_sidecar_adds_to_the_metadata_and_not_to_the_hash),
        cmocka_unit_test(a_damaged_sidecar_is_refused_by_its_name),
        cmocka_unit_test(threads_share_a_net_each_with_its_plan),
        cmocka_unit_test(any_number_of_threads_computes_the_same_to_the_bit),
        cmocka_unit_test(an_input_line_by_line_gives_the_same),
        cmocka_unit_test(an_input_line_by_line_is_never_all_there),
        cmocka_unit_test(a_net_computes_in_the_numbers_that_were_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
