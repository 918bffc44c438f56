/*
 * test_golden.c - the engine computes what onnxruntime computes, on every file of tests/golden,
 * with either layout at its border; and refuses what must be refused, in words that name the cause.
 *
 * Tolerance: 1e-4 of the output's largest value, from the contract of dpl_plan_run: float32 sums of
 * up to some thousand terms in another order differ by about 1e-6 of it, so that ten layers stay
 * well below, and a wrong weight, pad or axis far above. Where all values are below 2e-3 that scale
 * is used: onnxruntime's Sigmoid is off by up to 1.5e-7 whatever its result (measured against
 * double on -16..16), which is much of the score of a picture without a face.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <dirent.h>

#include "base/cpu.h"
#include "net/kernels.h"
#include "net/load.h"
#include "net/onnx_write.h"
#include "net/plan.h"
#include "tests/net/golden_file.h"
#include "tests/net/net_case.h"

#define MAX_TENSORS 32

/* What is asked of a run, by the numbers that it computes in. In bfloat16 every factor is rounded
 * by 2^-9 of itself at most, and so is what lies between layers: 2^-8 of a sum's scale a layer, and
 * behind some ten of them, whose errors do not all point one way, below 2e-2. The shipped nets have
 * fifty layers: .03 if the errors were independent, .2 if all pointed one way; .1 lies between. */
typedef struct limits {
    double difference, cosine;
} limits;

/*
 * Of nets of eight-bit numbers: what lies on the border between two of them may become either, by
 * the order of a sum. So a result may be a step off, 1/255 of its range, which is up to twice its
 * scale: 1e-2. In the nets of twenty layers such a step goes on, and there are some of them: 5e-2,
 * far below what a wrong zero or scale of a layer makes.
 */
static const limits quantised = {1e-2, 0.999}, quantised_deep = {5e-2, 0.999};

static const limits float32 = {1e-4, 0.99999}, bfloat16 = {2e-2, 0.999},
                    bfloat16_deep = {0.1, 0.999};

static int32_t named_input(const dpl_net *net, const char *name)
{
    for (int32_t i = 0; i < dpl_net_n_inputs(net); i++) {
        if (strcmp(dpl_net_input_name(net, i), name) == 0)
            return i;
    }
    return -1;
}

static int32_t named_output(const dpl_net *net, const char *name)
{
    for (int32_t i = 0; i < dpl_net_n_outputs(net); i++) {
        if (strcmp(dpl_net_output_name(net, i), name) == 0)
            return i;
    }
    return -1;
}

static bool shapes_equal(const dpl_shape *a, const dpl_shape *b)
{
    bool same = a->rank == b->rank;

    for (int32_t i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i];
    return same;
}

/* One run in one layout; the number of outputs that are wrong. */
static int run_record(const char *label, const dpl_net *net, const tensor *in, uint32_t n_in,
                      const tensor *out, uint32_t n_out, dpl_layout layout, const limits *limit,
                      double *worst_of_all)
{
    dpl_shape shapes[MAX_TENSORS] = {0};
    dpl_plan *plan = NULL;
    dpl_error err;
    int failed = 0;

    for (uint32_t i = 0; i < n_in; i++) {
        int32_t k = named_input(net, in[i].name);

        assert_in_range(k, 0, MAX_TENSORS - 1);
        shapes[k] = in[i].shape;
    }
    if (dpl_plan_new(&plan, net, shapes, layout, &err) != DPL_OK) {
        print_error("%s: no plan: %s\n", label, err.message);
        return 1;
    }
    /* Every float a NaN: what is read before it is written shows. */
    dpli_plan_fill(plan, 0xff);
    for (uint32_t i = 0; i < n_in; i++) {
        const int32_t k = named_input(net, in[i].name);
        float *to = dpl_plan_input(plan, k);
        int64_t *ids = dpl_plan_input_int64(plan, k);

        /* The one or the other, as the net says. */
        assert_int_equal(dpl_net_input_type(net, k), in[i].ids ? DPL_TYPE_INT64 : DPL_TYPE_FLOAT32);
        assert_true((to != NULL) == !in[i].ids && (ids != NULL) != (to != NULL));
        for (size_t j = 0; j < n_elements(&in[i].shape); j++) {
            const size_t at = layout == DPL_LAYOUT_NHWC ? nhwc_index(&in[i].shape, j) : j;

            if (ids)
                ids[at] = in[i].ids[j];
            else
                to[at] = in[i].values[j];
        }
    }
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    /* The next inputs may be written while the last outputs are read. */
    for (uint32_t i = 0; i < n_in; i++) {
        const int32_t k = named_input(net, in[i].name);
        const size_t n = n_elements(&in[i].shape);

        if (in[i].ids)
            memset(dpl_plan_input_int64(plan, k), 0xff, n * sizeof(int64_t));
        else
            memset(dpl_plan_input(plan, k), 0xff, n * sizeof(float));
    }
    for (uint32_t i = 0; i < n_out; i++) {
        int32_t k = named_output(net, out[i].name);
        dpl_shape shape = dpl_plan_output_shape(plan, k);
        const float *from = dpl_plan_output(plan, k);
        size_t n = n_elements(&out[i].shape), at;
        float *got;
        double worst;

        if (k < 0 || !shapes_equal(&shape, &out[i].shape)) {
            print_error("%s: output \"%s\" is not there or has another shape\n", label,
                        out[i].name);
            failed++;
            continue;
        }
        got = malloc(n * sizeof *got);
        assert_non_null(got);
        for (size_t j = 0; j < n; j++)
            got[j] = from[layout == DPL_LAYOUT_NHWC ? nhwc_index(&shape, j) : j];
        worst = worst_difference(got, out[i].values, n, 2e-3, &at);
        if (!(worst <= limit->difference)) {
            print_error(
                "%s, %s: output \"%s\" is off by %.3g of its scale, at %zu: %.9g, not %.9g\n",
                label, layout == DPL_LAYOUT_NHWC ? "NHWC" : "NCHW", out[i].name, worst, at,
                (double)got[at], (double)out[i].values[at]);
            failed++;
        }
        /* An embedding. */
        if (shape.rank == 2 && n >= 64 && !(cosine(got, out[i].values, n) >= limit->cosine)) {
            print_error("%s: cosine %.8f\n", label, cosine(got, out[i].values, n));
            failed++;
        }
        *worst_of_all = fmax(*worst_of_all, worst);
        free(got);
    }
    dpl_plan_free(plan);
    return failed;
}

/* A file read as for training and written again. */
static dpl_status rewrite(uint8_t **out, size_t *n_out, const uint8_t *bytes, size_t n_bytes,
                          dpl_error *err)
{
    dpli_graph g;
    dpl_status status = dpli_graph_for_training(&g, bytes, n_bytes, err);

    if (status == DPL_OK) {
        status = dpli_onnx_write(out, n_out, &g, err);
        dpli_graph_clear(&g);
    }
    return status;
}

/* The net in a file, written again twice: the second time changes nothing. */
static dpl_status open_rewritten(dpl_net **net, const char *path, dpl_error *err)
{
    uint8_t *bytes[3] = {NULL};
    size_t n[3];
    dpl_status status;

    bytes[0] = read_whole(path, &n[0]);
    assert_non_null(bytes[0]);
    status = rewrite(&bytes[1], &n[1], bytes[0], n[0], err);
    if (status == DPL_OK)
        status = rewrite(&bytes[2], &n[2], bytes[1], n[1], err);
    if (status == DPL_OK) {
        assert_int_equal(n[1], n[2]);
        assert_memory_equal(bytes[1], bytes[2], n[1]);
        status = dpl_net_load(net, bytes[2], n[2], NULL, err);
    }
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
    return status;
}

typedef dpl_status open_fn(dpl_net **net, const char *path, dpl_error *err);

static dpl_status open_in_bf16(dpl_net **net, const char *path, dpl_error *err)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;

    options.precision = DPL_PRECISION_BF16;
    return dpl_net_open(net, path, &options, err);
}

static dpl_status open_deep_in_bf16(dpl_net **net, const char *path, dpl_error *err)
{
    return open_in_bf16(net, path, err);
}

/* Off by some 2^-16 of each product: within what float32 is held to. */
static dpl_status open_in_bf16x3(dpl_net **net, const char *path, dpl_error *err)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;

    options.precision = DPL_PRECISION_BF16X3;
    return dpl_net_open(net, path, &options, err);
}

static dpl_status open_as_it_is(dpl_net **net, const char *path, dpl_error *err)
{
    return dpl_net_open(net, path, NULL, err);
}

static dpl_status open_quantised(dpl_net **net, const char *path, dpl_error *err)
{
    return dpl_net_open(net, path, NULL, err);
}

static dpl_status open_in_int8(dpl_net **net, const char *path, dpl_error *err)
{
    dpl_net_options options = DPL_NET_OPTIONS_INIT;

    options.precision = DPL_PRECISION_INT8;
    return dpl_net_open(net, path, &options, err);
}

static dpl_status open_quantised_again(dpl_net **net, const char *path, dpl_error *err)
{
    return open_rewritten(net, path, err);
}

static const limits *limits_of(open_fn *open, const char *label)
{
    const bool deep = strncmp(label, "net_", 4) == 0;

    return open == open_in_bf16        ? &bfloat16
           : open == open_deep_in_bf16 ? &bfloat16_deep
           : open == open_quantised || open == open_in_int8 || open == open_quantised_again
               ? deep ? &quantised_deep : &quantised
               : &float32;
}

static int run_case(const char *label, const char *onnx, const char *bin, open_fn *open,
                    double *worst)
{
    tensor in[MAX_TENSORS], out[MAX_TENSORS];
    size_t n_bytes;
    uint8_t *bytes = read_whole(bin, &n_bytes);
    reader r = {bytes, n_bytes};
    const limits *limit = limits_of(open, label);
    dpl_net *net = NULL;
    dpl_error err;
    int failed = 0, n_records = 0;

    assert_non_null(bytes);
    if (open(&net, onnx, &err) != DPL_OK) {
        print_error("%s: %s\n", label, err.message);
        free(bytes);
        return 1;
    }
    while (r.left > 0) {
        char magic[4];
        uint32_t n_in, n_out;

        take(&r, magic, sizeof magic);
        assert_memory_equal(magic, "DPLG", 4);
        n_in = take_tensors(&r, in, MAX_TENSORS);
        n_out = take_tensors(&r, out, MAX_TENSORS);
        assert_true(n_out > 0);
        failed += run_record(label, net, in, n_in, out, n_out, DPL_LAYOUT_NCHW, limit, worst);
        failed += run_record(label, net, in, n_in, out, n_out, DPL_LAYOUT_NHWC, limit, worst);
        free_tensors(in, n_in);
        free_tensors(out, n_out);
        n_records++;
    }
    assert_true(n_records > 0);
    dpl_net_close(net);
    free(bytes);
    return failed;
}

/* models: where the nets are, when not beside their data. */
static void run_folder(const char *folder, const char *models, open_fn *open, int at_least)
{
    char path[1024], onnx[1024];
    struct dirent **entries;
    int n, n_cases = 0, failed = 0;
    double worst = 0.0;

    n = scandir(folder, &entries, NULL, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char *end = strrchr(entries[i]->d_name, '.');

        if (end && strcmp(end, ".bin") == 0) {
            *end = '\0';
            snprintf(path, sizeof path, "%s/%s.bin", folder, entries[i]->d_name);
            snprintf(onnx, sizeof onnx, "%s/%s.onnx", models ? models : folder, entries[i]->d_name);
            failed += run_case(entries[i]->d_name, onnx, path, open, &worst);
            n_cases++;
        }
        free(entries[i]);
    }
    free(entries);
    print_message("%s: %d nets, worst difference %.2g of the output's scale\n", folder, n_cases,
                  worst);
    /* A folder that lost its files would pass. */
    assert_true(n_cases >= at_least);
    assert_int_equal(failed, 0);
}

static void operators_compute_what_onnxruntime_does(void **state)
{
    (void)state;
    run_folder(DPL_SOURCE_DIR "/tests/golden/op", NULL, open_as_it_is, 150);
}

static void whole_nets_compute_what_onnxruntime_does(void **state)
{
    (void)state;
    run_folder(DPL_SOURCE_DIR "/tests/golden/net", NULL, open_as_it_is, 3);
}

static void shipped_models_compute_what_onnxruntime_does(void **state)
{
    (void)state;
    run_folder(DPL_SOURCE_DIR "/tests/golden/model", DPL_MODELS_DIR, open_as_it_is, 2);
}

static void quantised_nets_compute_what_onnxruntime_does(void **state)
{
    (void)state;
    run_folder(DPL_SOURCE_DIR "/tests/golden/quantised", NULL, open_quantised, 30);
}

static void in_int8_quantised_nets_compute_what_onnxruntime_does(void **state)
{
    (void)state;
    run_folder(DPL_SOURCE_DIR "/tests/golden/quantised", NULL, open_in_int8, 30);
}

/* Of each way in which convolutions are quantised: none is left in float32, and none waits for a
 * rounding that is a step of its own. */
static void quantised_convolutions_are_of_bytes(void **state)
{
    static const char *const names[] = {
        "conv_prelu_between_pairs", "conv_prelu_in_one", "conv_add_relu",
        "conv_maxpool_resize_conv", "net_qdq",           "net_qdq_int8",
        "net_qdq_products_only",    "net_qoperator",     "net_ranges"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024], *text = NULL;
        bool rounded = false;
        dpl_shape shape;
        dpl_net *net = NULL;
        dpl_plan *plan = NULL;
        dpl_error err;

        snprintf(path, sizeof path, "%s/tests/golden/quantised/%s.onnx", DPL_SOURCE_DIR, names[i]);
        assert_int_equal(open_in_int8(&net, path, &err), DPL_OK);
        assert_int_equal(dpl_net_precision(net), DPL_PRECISION_INT8);
        shape = dpl_net_input_shape(net, 0);
        shape.dims[0] = shape.dims[0] < 0 ? 2 : shape.dims[0];
        assert_int_equal(dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NHWC, &err), DPL_OK);
        assert_int_equal(dpl_plan_describe(&text, plan, 0, &err), DPL_OK);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            if (strstr(line, "FakeQuantize"))
                rounded = true;
            else if ((strstr(line, "Conv") || strstr(line, "Chain")) &&
                     (rounded || !strstr(line, " int8")))
                fail_msg("%s: %s", names[i], line);
        free(text);
        dpl_plan_free(plan);
        dpl_net_close(net);
    }
}

/* Four heads at three strides, a convolution and a depthwise one each. */
static void heads_of_the_detector_are_one_convolution_a_stride(void **state)
{
    const dpl_shape shape = {4, {1, 3, 64, 64}};
    dpl_net *net = NULL;
    dpl_plan *plan = NULL;
    char *text = NULL;
    int n = 0;

    (void)state;
    assert_int_equal(dpl_net_open(&net, DPL_MODELS_DIR "/face-detect.onnx", NULL, NULL), DPL_OK);
    assert_int_equal(dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NHWC, NULL), DPL_OK);
    assert_int_equal(dpl_plan_describe(&text, plan, 0, NULL), DPL_OK);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        n += strstr(line, "bbox_head") && (strstr(line, "Conv") || strstr(line, "Chain"));
    assert_int_equal(n, 6);
    free(text);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static void ranges_that_are_none_are_refused(void **state)
{
    size_t n;
    uint8_t *bytes = read_whole(DPL_SOURCE_DIR "/tests/golden/quantised/net_ranges.onnx", &n);
    char *at = bytes ? memmem(bytes, n, "doppel.ranges", 13) : NULL;
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_net *net = NULL;
    dpl_error err;

    (void)state;
    assert_non_null(at);
    at = memchr(at, '-', 40); /* the first range's lower end */
    assert_non_null(at);
    *at = 'x';
    options.precision = DPL_PRECISION_INT8;
    assert_int_equal(dpl_net_load(&net, bytes, n, &options, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "\"doppel.ranges\": line 1 is not"));
    /* Who does not ask for them is not bothered. */
    assert_int_equal(dpl_net_load(&net, bytes, n, NULL, &err), DPL_OK);
    dpl_net_close(net);
    free(bytes);
}

static void in_bfloat16_all_is_near_what_onnxruntime_computes(void **state)
{
    (void)state;
    if (!dpli_narrow_there())
        skip();
    run_folder(DPL_SOURCE_DIR "/tests/golden/op", NULL, open_in_bf16, 150);
    run_folder(DPL_SOURCE_DIR "/tests/golden/net", NULL, open_in_bf16, 3);
    run_folder(DPL_SOURCE_DIR "/tests/golden/model", DPL_MODELS_DIR, open_deep_in_bf16, 2);
}

static void by_three_products_all_is_what_onnxruntime_computes(void **state)
{
    (void)state;
    if (dpli_cpu_narrow() != DPLI_NARROW_AMX)
        skip();
    run_folder(DPL_SOURCE_DIR "/tests/golden/op", NULL, open_in_bf16x3, 150);
    run_folder(DPL_SOURCE_DIR "/tests/golden/net", NULL, open_in_bf16x3, 3);
    run_folder(DPL_SOURCE_DIR "/tests/golden/model", DPL_MODELS_DIR, open_in_bf16x3, 2);
}

static void nets_written_again_compute_the_same(void **state)
{
    (void)state;
    run_folder(DPL_SOURCE_DIR "/tests/golden/op", NULL, open_rewritten, 150);
    run_folder(DPL_SOURCE_DIR "/tests/golden/net", NULL, open_rewritten, 3);
    run_folder(DPL_SOURCE_DIR "/tests/golden/model", DPL_MODELS_DIR, open_rewritten, 2);
    run_folder(DPL_SOURCE_DIR "/tests/golden/quantised", NULL, open_quantised_again, 30);
}

static bool contains(const char *text, const char *part)
{
    size_t n = strlen(part);

    for (; *text; text++) {
        size_t i = 0;

        while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n)
            return true;
    }
    return n == 0;
}

/* The message with which a file is refused when it is opened or planned; false when it is not. */
static bool is_refused(const char *path, dpl_error *err)
{
    dpl_shape shapes[MAX_TENSORS];
    dpl_net *net;
    dpl_plan *plan;
    dpl_status status = dpl_net_open(&net, path, NULL, err);

    if (status != DPL_OK) {
        assert_null(net);
        assert_int_equal(status, err->status);
        return true;
    }
    assert_in_range(dpl_net_n_inputs(net), 0, MAX_TENSORS);
    for (int32_t i = 0; i < dpl_net_n_inputs(net); i++)
        shapes[i] = dpl_net_input_shape(net, i);
    status = dpl_plan_new(&plan, net, shapes, DPL_LAYOUT_NCHW, err);
    if (status == DPL_OK)
        dpl_plan_free(plan);
    dpl_net_close(net);
    return status != DPL_OK;
}

static void what_must_be_refused_is_refused_in_words_that_name_the_cause(void **state)
{
    char path[1024], line[512];
    FILE *list;
    int n = 0, failed = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/tests/golden/bad/expect.txt", DPL_SOURCE_DIR);
    list = fopen(path, "r");
    assert_non_null(list);
    while (fgets(line, sizeof line, list)) {
        char *part = strchr(line, '\t');
        dpl_error err = {0};

        assert_non_null(part);
        *part++ = '\0';
        part[strcspn(part, "\n")] = '\0';
        snprintf(path, sizeof path, "%s/tests/golden/bad/%s", DPL_SOURCE_DIR, line);
        if (!is_refused(path, &err)) {
            print_error("%s is not refused\n", line);
            failed++;
        } else if (!contains(err.message, part)) {
            print_error("%s: \"%s\" does not name \"%s\"\n", line, err.message, part);
            failed++;
        }
        n++;
    }
    fclose(list);
    assert_true(n > 100);
    assert_int_equal(failed, 0);
}

static const char *other_folder;

static void nets_of_another_folder_compute_what_onnxruntime_does(void **state)
{
    (void)state;
    run_folder(other_folder, NULL, open_as_it_is, 1);
}

/* With a folder as its argument, that folder only: for nets too large to keep (make_golden.py). */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_compute_what_onnxruntime_does),
        cmocka_unit_test(whole_nets_compute_what_onnxruntime_does),
        cmocka_unit_test(shipped_models_compute_what_onnxruntime_does),
        cmocka_unit_test(quantised_nets_compute_what_onnxruntime_does),
        cmocka_unit_test(in_int8_quantised_nets_compute_what_onnxruntime_does),
        cmocka_unit_test(quantised_convolutions_are_of_bytes),
        cmocka_unit_test(ranges_that_are_none_are_refused),
        cmocka_unit_test(heads_of_the_detector_are_one_convolution_a_stride),
        cmocka_unit_test(in_bfloat16_all_is_near_what_onnxruntime_computes),
        cmocka_unit_test(by_three_products_all_is_what_onnxruntime_computes),
        cmocka_unit_test(nets_written_again_compute_the_same),
        cmocka_unit_test(what_must_be_refused_is_refused_in_words_that_name_the_cause),
    };

    const struct CMUnitTest other[] = {
        cmocka_unit_test(nets_of_another_folder_compute_what_onnxruntime_does),
    };

    if (argc > 1) {
        other_folder = argv[1];
        return cmocka_run_group_tests(other, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
