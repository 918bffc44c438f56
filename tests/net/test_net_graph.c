/*
 * test_net_graph.c - what folding, fusing and placing must not do: change a result. Nets of a few
 * nodes whose results are plain to see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/fuse.h"
#include "net/load.h"
#include "net/ops/op.h"
#include "net/plan.h"
#include "tests/net/net_case.h"
#include "tests/net/onnx_writer.h"

typedef struct result {
    dpl_shape shape;
    float values[64];
} result;

static const int64_t one[] = {1, 1, 1, 1};

static dpl_net *load(writer *w, int opset)
{
    dpli_buf bytes = finish(w, opset);
    dpl_error err;
    dpl_net *net = NULL;

    if (dpl_net_load(&net, bytes.data, bytes.len, NULL, &err) != DPL_OK)
        fail_msg("%s", err.message);
    dpli_buf_clear(&bytes);
    return net;
}

/* Load and run on input 0, and give outputs 0 .. n-1. */
static void run(writer *w, int opset, const dpl_shape *shape, const float *x, result *out, int n)
{
    dpl_net *net = load(w, opset);
    dpl_error err;
    dpl_plan *plan;

    if (dpl_plan_new(&plan, net, shape, DPL_LAYOUT_NCHW, &err) != DPL_OK)
        fail_msg("%s", err.message);
    if (shape)
        memcpy(dpl_plan_input(plan, 0), x, n_elements(shape) * sizeof *x);
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    for (int i = 0; i < n; i++) {
        out[i].shape = dpl_plan_output_shape(plan, i);
        assert_true(n_elements(&out[i].shape) <= 64);
        memcpy(out[i].values, dpl_plan_output(plan, i), n_elements(&out[i].shape) * sizeof(float));
    }
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static void expect(const result *got, int n, const float *want)
{
    size_t at;

    assert_int_equal(n_elements(&got->shape), n);
    if (!(worst_difference(got->values, want, (size_t)n, 1e-30, &at) <= 1e-6))
        fail_msg("at %zu: %g, not %g", at, (double)got->values[at], (double)want[at]);
}

static void an_id_that_its_table_does_not_have_is_refused_by_name(void **state)
{
    static const struct {
        int64_t ids[3];
        const char *words; /* NULL: fine */
    } cases[] = {
        {{0, 3, -4}, NULL},
        {{0, 4, 9}, "Gather with output \"y\": id 4 of \"ids\" is not in its table of 4 rows"},
        {{-1, -5, 9}, "Gather with output \"y\": id -5 of \"ids\" is not in its table of 4 rows"},
        {{INT64_MIN, 0, 0},
         "Gather with output \"y\": id -9223372036854775808 of \"ids\" is not in its table of 4 "
         "rows"},
        {{0, 0, INT64_MAX},
         "Gather with output \"y\": id 9223372036854775807 of \"ids\" is not in its table of 4 "
         "rows"},
        /* The plan is none the worse for it. */
        {{1, 2, -1}, NULL}};
    static const float table[] = {0, 1, 10, 11, 20, 21, 30, 31};
    const dpl_shape shape = {1, {3}};
    writer w = {0};
    dpl_error err;
    dpl_plan *plan;
    dpl_net *net;

    (void)state;
    add_ids(&w, "ids", 1, (const int64_t[]){3});
    add_tensor(&w, "table", 1, 2, (const int64_t[]){4, 2}, table);
    add_node(&w, "Gather", "table ids", "y");
    add_output(&w, "y");
    net = load(&w, 13);
    assert_int_equal(dpl_net_input_type(net, 0), DPL_TYPE_INT64);
    assert_int_equal(dpl_net_input_type(net, 1), DPL_TYPE_FLOAT32);
    assert_int_equal(dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err), DPL_OK);
    assert_null(dpl_plan_input(plan, 0));
    assert_null(dpl_plan_input_int64(plan, 1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(dpl_plan_input_int64(plan, 0), cases[i].ids, sizeof cases[i].ids);
        assert_int_equal(dpl_plan_run(plan, &err), cases[i].words ? DPL_E_INPUT : DPL_OK);
        if (cases[i].words) {
            assert_string_equal(err.message, cases[i].words);
            continue;
        }
        for (int k = 0; k < 6; k++) {
            const int64_t id = cases[i].ids[k / 2];

            assert_true(dpl_plan_output(plan, 0)[k] == table[(id < 0 ? id + 4 : id) * 2 + k % 2]);
        }
    }
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static void a_length_over_the_longest_sequence_is_refused_by_name(void **state)
{
    static const struct {
        int64_t lengths[2];
        const char *words; /* NULL: fine */
    } cases[] = {
        {{0, 3}, NULL},
        {{4, 0}, "LSTM with output \"y\": a sequence of 4 is not of 0 to 3 steps"},
        {{2, -1}, "LSTM with output \"y\": a sequence of -1 is not of 0 to 3 steps"},
        {{INT64_MAX, INT64_MIN},
         "LSTM with output \"y\": a sequence of 9223372036854775807 is not of 0 to 3 steps"},
        /* The plan is none the worse for it. */
        {{3, 3}, NULL}};
    static const float weights[4] = {1, 1, 1, 1};
    const dpl_shape shapes[] = {{3, {3, 2, 1}}, {1, {2}}};
    writer w = {0};
    dpl_error err;
    dpl_plan *plan;
    dpl_net *net;

    (void)state;
    add_input(&w, "x", 3, (const int64_t[]){3, 2, 1});
    add_ids(&w, "lengths", 1, (const int64_t[]){2});
    add_tensor(&w, "w", 1, 3, (const int64_t[]){1, 4, 1}, weights);
    add_node(&w, "LSTM", "x w w  lengths", "y");
    add_output(&w, "y");
    net = load(&w, 14);
    assert_int_equal(dpl_plan_new(&plan, net, shapes, DPL_LAYOUT_NCHW, &err), DPL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int k = 0; k < 6; k++)
            dpl_plan_input(plan, 0)[k] = 1.0f;
        memcpy(dpl_plan_input_int64(plan, 1), cases[i].lengths, sizeof cases[i].lengths);
        assert_int_equal(dpl_plan_run(plan, &err), cases[i].words ? DPL_E_INPUT : DPL_OK);
        if (cases[i].words)
            assert_string_equal(err.message, cases[i].words);
        for (int k = 0; k < 6 && !cases[i].words; k++)
            assert_true((dpl_plan_output(plan, 0)[k] > 0) == (k / 2 < cases[i].lengths[k % 2]));
    }
    dpl_plan_free(plan);
    dpl_net_close(net);
}

/* Run what loads and can be planned under a small limit, as fuzz_onnx does. */
static bool loads_and_runs(const uint8_t *bytes, size_t n)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_shape shapes[16];
    dpl_plan *plan;
    dpl_net *net;

    options.max_arena_bytes = (size_t)1 << 20;
    options.max_operations = 1e7;
    if (dpl_net_load(&net, bytes, n, &options, NULL) != DPL_OK)
        return false;
    for (int32_t i = 0; i < dpl_net_n_inputs(net) && i < 16; i++) {
        shapes[i] = dpl_net_input_shape(net, i);
        shapes[i].rank = shapes[i].rank < 0 ? 2 : shapes[i].rank;
        for (int32_t d = 0; d < shapes[i].rank; d++)
            shapes[i].dims[d] = shapes[i].dims[d] < 1 ? 3 : shapes[i].dims[d];
    }
    if (dpl_plan_new(&plan, net, shapes, DPL_LAYOUT_NCHW, NULL) == DPL_OK) {
        dpli_plan_fill(plan, 0xff);
        (void)dpl_plan_run(plan, NULL);
        dpl_plan_free(plan);
    }
    dpl_net_close(net);
    return true;
}

static size_t every = 1; /* so many bytes one is tried: the program's argument */

static void cut_and_bent_nets_of_sentences_end_in_an_error_or_a_run(void **state)
{
    static const char *const names[] = {"lstm_bidirectional", "gru_last_state_only", "gather_ids",
                                        "where_broadcast", "softmax_masked"};
    static const uint8_t bends[] = {0x01, 0x80, 0xff};
    char path[512];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n_bytes;
        uint8_t *bytes;

        snprintf(path, sizeof path, "%s/tests/golden/op/%s.onnx", DPL_SOURCE_DIR, names[i]);
        bytes = read_whole(path, &n_bytes);
        assert_non_null(bytes);
        assert_true(loads_and_runs(bytes, n_bytes));
        for (size_t n = 0; n < n_bytes; n += every) {
            if (loads_and_runs(bytes, n))
                fail_msg("%s cut to %zu of %zu bytes loads", names[i], n, n_bytes);
        }
        for (size_t at = 0; at < n_bytes; at += every) {
            for (size_t k = 0; k < sizeof bends; k++) {
                bytes[at] ^= bends[k];
                (void)loads_and_runs(bytes, n_bytes);
                bytes[at] ^= bends[k];
            }
        }
        free(bytes);
    }
}

/* The words with which a net is refused, loading it. */
static void expect_refused(writer *w, int opset, const char *words)
{
    dpli_buf bytes = finish(w, opset);
    dpl_error err;
    dpl_net *net;

    assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, NULL, &err), DPL_E_MODEL);
    assert_null(net);
    assert_string_equal(err.message, words);
    dpli_buf_clear(&bytes);
}

static void a_weight_that_two_convolutions_share_is_scaled_for_each_alone(void **state)
{
    writer w = {0};
    dpl_shape shape = {4, {1, 1, 1, 1}};
    float two = 2, three = 3, five = 5, x = 7;
    result out[3];

    (void)state;
    add_input(&w, "x", 4, one);
    add_tensor(&w, "weight", 1, 4, one, &two);
    add_tensor(&w, "three", 1, 0, NULL, &three);
    add_tensor(&w, "five", 1, 0, NULL, &five);
    add_node(&w, "Conv", "x weight", "a");
    add_node(&w, "Mul", "a three", "y0");
    add_node(&w, "Conv", "x weight", "b");
    add_node(&w, "Mul", "b five", "y1");
    add_node(&w, "Conv", "x weight", "y2");
    add_output(&w, "y0");
    add_output(&w, "y1");
    add_output(&w, "y2");
    run(&w, 13, &shape, &x, out, 3);
    expect(&out[0], 1, (const float[]){42});
    expect(&out[1], 1, (const float[]){70});
    expect(&out[2], 1, (const float[]){14});
}

static void fusion_asks_for_an_operators_role_not_its_name(void **state)
{
    (void)state;
    for (int renamed = 0; renamed < 2; renamed++) {
        writer w = {0};
        float two = 2, three = 3;
        dpli_op conv, mul;
        dpli_buf bytes;
        dpli_graph g;

        add_input(&w, "x", 4, one);
        add_tensor(&w, "weight", 1, 4, one, &two);
        add_tensor(&w, "three", 1, 0, NULL, &three);
        add_node(&w, "Conv", "x weight", "a");
        add_node(&w, "Mul", "a three", "y");
        add_output(&w, "y");
        bytes = finish(&w, 13);
        assert_int_equal(dpli_graph_for_training(&g, bytes.data, bytes.len, NULL), DPL_OK);
        dpli_buf_clear(&bytes);
        assert_int_equal(g.n_nodes, 2);
        conv = *g.nodes[0].op;
        mul = *g.nodes[1].op;
        if (renamed) {
            conv.name = "Correlation";
            mul.name = "Times";
        } else {
            mul.role = DPLI_ROLE_OTHER;
        }
        g.nodes[0].op = &conv;
        g.nodes[1].op = &mul;
        assert_int_equal(dpli_graph_fuse(&g, NULL), DPL_OK);
        assert_int_equal(g.n_nodes, renamed ? 1 : 2);
        dpli_graph_clear(&g);
    }
}

static void a_convolution_of_a_constant_runs(void **state)
{
    writer w = {0};
    dpl_shape shape = {4, {1, 1, 1, 1}};
    float two = 2, x = 7;
    result out;

    (void)state;
    add_input(&w, "x", 4, one);
    add_tensor(&w, "weight", 1, 4, one, &two);
    add_tensor(&w, "three", 1, 4, one, (const float[]){3});
    add_node(&w, "Conv", "three weight", "six");
    add_node(&w, "Add", "x six", "y");
    add_output(&w, "y");
    run(&w, 13, &shape, &x, &out, 1);
    expect(&out, 1, (const float[]){13});
}

#define CHAIN_N 16

/* Products with a matrix that turns a row round and doubles it, one behind another: each needs a
 * place of its own while it is made. Outputs: the last one and the first. */
static void add_chain(writer *w)
{
    const int64_t row[] = {1, CHAIN_N}, square[] = {CHAIN_N, CHAIN_N};
    float matrix[CHAIN_N * CHAIN_N];

    for (int i = 0; i < CHAIN_N * CHAIN_N; i++)
        matrix[i] = i / CHAIN_N + i % CHAIN_N == CHAIN_N - 1 ? 2.0f : 0.0f;
    add_input(w, "x", 2, row);
    add_tensor(w, "turn", 1, 2, square, matrix);
    add_node(w, "MatMul", "x turn", "early");
    add_node(w, "MatMul", "early turn", "a");
    add_node(w, "MatMul", "a turn", "b");
    add_node(w, "MatMul", "b turn", "c");
    add_node(w, "MatMul", "c turn", "d");
    add_node(w, "Sub", "d d", "last");
    add_output(w, "last");
    add_output(w, "early");
}

static void an_output_outlives_what_comes_after_it(void **state)
{
    writer w = {0};
    dpl_shape shape = {2, {1, CHAIN_N}};
    float x[CHAIN_N], want[CHAIN_N];
    result out[2];

    (void)state;
    for (int i = 0; i < CHAIN_N; i++) {
        x[i] = (float)i + 1;
        want[i] = 2.0f * (float)(CHAIN_N - i);
    }
    add_chain(&w);
    run(&w, 13, &shape, x, out, 2);
    expect(&out[1], CHAIN_N, want);
}

static void one_byte_less_than_is_needed_is_too_little(void **state)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    writer w = {0};
    dpl_shape shape = {2, {1, CHAIN_N}};
    dpli_buf bytes;
    dpl_error err;
    dpl_net *net;
    dpl_plan *plan;

    (void)state;
    add_chain(&w);
    bytes = finish(&w, 13);
    for (size_t missing = 0; missing < 3; missing++) {
        /* First with the default, to see what is needed. */
        assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, &options, &err), DPL_OK);
        assert_int_equal(dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err),
                         missing == 2 ? DPL_E_LIMIT : DPL_OK);
        if (missing < 2)
            options.max_arena_bytes = dpl_plan_bytes(plan) - missing;
        dpl_plan_free(plan);
        dpl_net_close(net);
    }
    dpli_buf_clear(&bytes);
}

static void padding_before_a_mean_counts_as_pixels(void **state)
{
    writer w = {0};
    const int64_t dims[] = {1, 1, 2, 2}, pads[] = {0, 0, 1, 1, 0, 0, 1, 1}, kernel[] = {2, 2};
    dpl_shape shape = {4, {1, 1, 2, 2}};
    const float x[] = {4, 8, 12, 16};
    result out;

    (void)state;
    add_input(&w, "x", 4, dims);
    add_tensor(&w, "pads", 7, 1, (const int64_t[]){8}, pads);
    add_node(&w, "Pad", "x pads", "padded");
    attr_ints(&w, "kernel_shape", 2, kernel);
    add_node(&w, "AveragePool", "padded", "y");
    add_output(&w, "y");
    run(&w, 13, &shape, x, &out, 1);
    expect(&out, 9, (const float[]){1, 3, 2, 4, 10, 6, 3, 7, 4});
}

static void a_window_does_not_begin_behind_the_picture(void **state)
{
    writer w = {0};
    const int64_t dims[] = {1, 1, 1, 4}, kernel[] = {1, 2}, strides[] = {1, 5};
    const int64_t pads[] = {0, 0, 0, 1};
    dpl_shape shape = {4, {1, 1, 1, 4}};
    const float x[] = {1, 2, 3, 4};
    result out;

    (void)state;
    add_input(&w, "x", 4, dims);
    attr_ints(&w, "kernel_shape", 2, kernel);
    attr_ints(&w, "strides", 2, strides);
    attr_ints(&w, "pads", 4, pads);
    attr_int(&w, "ceil_mode", 1);
    add_node(&w, "MaxPool", "x", "y");
    add_output(&w, "y");
    run(&w, 13, &shape, x, &out, 1);
    expect(&out, 1, (const float[]){2});
}

/* Expected values from onnxruntime 1.31.1. */
static void nearest_before_opset_11_rounds_up_where_it_shrinks(void **state)
{
    writer w = {0};
    const int64_t dims[] = {1, 1, 1, 7};
    dpl_shape shape = {4, {1, 1, 1, 7}};
    const float x[] = {0, 1, 2, 3, 4, 5, 6}, scales[] = {1, 1, 1, 0.6f};
    result out;

    (void)state;
    add_input(&w, "x", 4, dims);
    add_tensor(&w, "scales", 1, 1, (const int64_t[]){4}, scales);
    attr_string(&w, "mode", "nearest");
    add_node(&w, "Resize", "x scales", "y");
    add_output(&w, "y");
    run(&w, 10, &shape, x, &out, 1);
    expect(&out, 4, (const float[]){0, 2, 4, 5});
}

static void beta_scales_whatever_gemm_adds(void **state)
{
    writer w = {0};
    const int64_t dims[] = {2, 2};
    dpl_shape shape = {2, {2, 2}};
    const float x[] = {1, 2, 3, 4}, eye[] = {1, 0, 0, 1}, c[] = {10, 20};
    result out[2];

    (void)state;
    add_input(&w, "x", 2, dims);
    add_tensor(&w, "eye", 1, 2, dims, eye);
    add_tensor(&w, "column", 1, 2, (const int64_t[]){2, 1}, c);
    add_tensor(&w, "row", 1, 1, (const int64_t[]){2}, c);
    attr_float(&w, "beta", 0.5f);
    attr_float(&w, "alpha", 2.0f);
    add_node(&w, "Gemm", "x eye column", "y0");
    attr_float(&w, "beta", 0.5f);
    add_node(&w, "Gemm", "x eye row", "y1");
    add_output(&w, "y0");
    add_output(&w, "y1");
    run(&w, 13, &shape, x, out, 2);
    expect(&out[0], 4, (const float[]){7, 9, 16, 18});
    expect(&out[1], 4, (const float[]){6, 12, 8, 14});
}

static void a_residual_is_added_before_or_after_the_activation(void **state)
{
    writer w = {0};
    dpl_shape shape = {4, {1, 1, 1, 1}};
    float minus = -1, x = 3;
    result out[3];

    (void)state;
    add_input(&w, "x", 4, one);
    add_tensor(&w, "minus", 1, 4, one, &minus);
    add_node(&w, "Conv", "x minus", "a"); /* relu(-3 + 3) */
    add_node(&w, "Add", "a x", "b");
    add_node(&w, "Relu", "b", "y0");
    add_node(&w, "Conv", "x minus", "c"); /* relu(-3) + 3 */
    add_node(&w, "Relu", "c", "d");
    add_node(&w, "Add", "x d", "y1");
    add_node(&w, "Conv", "x minus", "e"); /* relu(relu(-3) - 3) */
    add_node(&w, "Relu", "e", "f");
    add_node(&w, "Add", "a f", "g");
    add_node(&w, "Relu", "g", "y2");
    add_output(&w, "y0");
    add_output(&w, "y1");
    add_output(&w, "y2");
    run(&w, 13, &shape, &x, out, 3);
    assert_true(out[0].values[0] == 0.0f);
    assert_true(out[1].values[0] == 3.0f);
    assert_true(out[2].values[0] == 0.0f);
}

static void a_net_without_inputs_runs(void **state)
{
    writer w = {0};
    const float x[] = {1, 4, 9};
    result out;

    (void)state;
    add_tensor(&w, "x", 1, 1, (const int64_t[]){3}, x);
    add_node(&w, "Sqrt", "x", "y");
    add_output(&w, "y");
    run(&w, 13, NULL, NULL, &out, 1);
    expect(&out, 3, (const float[]){1, 2, 3});
}

static void an_attribute_that_nobody_reads_is_refused(void **state)
{
    writer w = {0};

    (void)state;
    add_input(&w, "x", 4, one);
    attr_int(&w, "upside_down", 1);
    add_node(&w, "Relu", "x", "y");
    add_output(&w, "y");
    expect_refused(&w, 13, "Relu with output \"y\": attribute \"upside_down\" is not supported");
}

static void an_output_that_is_not_computed_is_refused(void **state)
{
    writer w = {0};
    const int64_t kernel[] = {1, 1};

    (void)state;
    add_input(&w, "x", 4, one);
    attr_ints(&w, "kernel_shape", 2, kernel);
    add_node(&w, "MaxPool", "x", "y places");
    add_output(&w, "places");
    expect_refused(&w, 13, "MaxPool with output \"y\": output 1 is not supported");
}

static void a_small_file_cannot_keep_loading_busy(void **state)
{
    writer w = {0};
    const int64_t dims[] = {4000000};
    char from[16] = "big", to[16];

    (void)state;
    add_tensor(&w, "shape", 7, 1, (const int64_t[]){1}, dims);
    add_node(&w, "ConstantOfShape", "shape", "big");
    for (int i = 0; i < 2000; i++) {
        snprintf(to, sizeof to, "v%d", i);
        add_node(&w, "Abs", from, to);
        memcpy(from, to, sizeof to);
    }
    add_output(&w, from);
    {
        dpli_buf bytes = finish(&w, 13);
        dpl_error err;
        dpl_net *net;

        assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, NULL, &err), DPL_E_MODEL);
        assert_non_null(strstr(err.message, "Abs with output \"v"));
        dpli_buf_clear(&bytes);
    }
}

/* The most memory that this process has had, less what it has now, since the last call. */
static long peak_kib(void)
{
    char line[128];
    long peak = 0, now = 0;
    FILE *f = fopen("/proc/self/status", "r");

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        sscanf(line, "VmHWM: %ld", &peak);
        sscanf(line, "VmRSS: %ld", &now);
    }
    fclose(f);
    f = fopen("/proc/self/clear_refs", "w");
    if (f) {
        fputs("5", f);
        fclose(f);
    }
    return peak - now;
}

static void stretch(writer *w, const char *from, const char *to, float scale)
{
    const float scales[] = {1, 1, scale, scale};
    char name[16];

    snprintf(name, sizeof name, "s_%s", to);
    add_tensor(w, name, 1, 1, (const int64_t[]){4}, scales);
    {
        char inputs[40];

        snprintf(inputs, sizeof inputs, "%s  %s", from, name);
        add_node(w, "Resize", inputs, to);
    }
}

/* Some hundred bytes that ask for gigabytes and minutes, each in another way. */
static void a_small_file_cannot_ask_for_much(void **state)
{
    enum { MEMORY, WORK, CONSTANTS, CONSTANT_WORK, N_WAYS };
    static const int64_t dims[] = {1, 1, 64, 64};

    (void)state;
    for (int way = 0; way < N_WAYS; way++) {
        writer w = {0};
        dpl_shape shape = {4, {1, 1, 64, 64}};
        dpl_error err = {0};
        dpl_net *net = NULL;
        dpl_plan *plan = NULL;
        dpli_buf bytes;
        dpl_status status;

        add_input(&w, "x", 4, dims);
        if (way == MEMORY) {
            stretch(&w, "x", "y", 150);
        } else if (way == WORK) {
            char from[16] = "a", to[16];

            stretch(&w, "x", "a", 64);
            for (int i = 0; i < 500; i++) {
                snprintf(to, sizeof to, i < 499 ? "v%d" : "y", i);
                add_node(&w, "Exp", from, to);
                memcpy(from, to, sizeof to);
            }
        } else {
            const int64_t n[] = {way == CONSTANTS ? 40000000 : 4000000};
            char from[16] = "c", to[16];

            add_tensor(&w, "n", 7, 1, (const int64_t[]){1}, n);
            add_node(&w, "ConstantOfShape", "n", "c");
            for (int i = 0; i < 400 && way == CONSTANT_WORK; i++) {
                snprintf(to, sizeof to, "v%d", i);
                add_node(&w, "Exp", from, to);
                memcpy(from, to, sizeof to);
            }
            add_node(&w, "ReduceMean", from, "m");
            add_node(&w, "Add", "x m", "y");
        }
        add_output(&w, "y");
        bytes = finish(&w, 13);
        assert_true(bytes.len < 16384);
        peak_kib();
        status = dpl_net_load(&net, bytes.data, bytes.len, NULL, &err);
        if (way == CONSTANTS || way == CONSTANT_WORK) {
            assert_int_equal(status, DPL_E_MODEL);
        } else {
            assert_int_equal(status, DPL_OK);
            status = dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err);
            assert_int_equal(status, DPL_E_LIMIT);
        }
        /* Refused before it was taken; a sanitizer keeps what is freed. */
#if !defined(__SANITIZE_ADDRESS__)
        assert_in_range(peak_kib(), 0, 128 << 10);
#endif
        dpl_net_close(net);
        dpli_buf_clear(&bytes);
    }
}

static void a_file_over_the_limit_is_refused_from_memory_too(void **state)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    writer w = {0};
    dpli_buf bytes;
    dpl_error err;
    dpl_net *net;

    (void)state;
    add_input(&w, "x", 4, one);
    add_node(&w, "Relu", "x", "y");
    add_output(&w, "y");
    bytes = finish(&w, 13);
    options.max_file_bytes = bytes.len - 1;
    assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, &options, &err), DPL_E_LIMIT);
    options.max_file_bytes = bytes.len;
    assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, &options, &err), DPL_OK);
    dpl_net_close(net);
    dpli_buf_clear(&bytes);
}

int main(int n_words, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_that_two_convolutions_share_is_scaled_for_each_alone),
        cmocka_unit_test(an_id_that_its_table_does_not_have_is_refused_by_name),
        cmocka_unit_test(a_length_over_the_longest_sequence_is_refused_by_name),
        cmocka_unit_test(cut_and_bent_nets_of_sentences_end_in_an_error_or_a_run),
        cmocka_unit_test(fusion_asks_for_an_operators_role_not_its_name),
        cmocka_unit_test(a_convolution_of_a_constant_runs),
        cmocka_unit_test(an_output_outlives_what_comes_after_it),
        cmocka_unit_test(one_byte_less_than_is_needed_is_too_little),
        cmocka_unit_test(padding_before_a_mean_counts_as_pixels),
        cmocka_unit_test(a_window_does_not_begin_behind_the_picture),
        cmocka_unit_test(nearest_before_opset_11_rounds_up_where_it_shrinks),
        cmocka_unit_test(beta_scales_whatever_gemm_adds),
        cmocka_unit_test(a_residual_is_added_before_or_after_the_activation),
        cmocka_unit_test(a_net_without_inputs_runs),
        cmocka_unit_test(an_attribute_that_nobody_reads_is_refused),
        cmocka_unit_test(an_output_that_is_not_computed_is_refused),
        cmocka_unit_test(a_small_file_cannot_keep_loading_busy),
        cmocka_unit_test(a_small_file_cannot_ask_for_much),
        cmocka_unit_test(a_file_over_the_limit_is_refused_from_memory_too),
    };

    if (n_words > 1)
        every = strtoul(words[1], NULL, 10);
    assert_true(every > 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
