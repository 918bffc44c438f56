/*
 * test_arch.c - networks by name: what the papers say of them, that a built graph is what a read
 * one is, and that they run; where their parameters start. That writing changes no result is
 * test_golden.c's matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "doppel/face.h"
#include "net/arch.h"
#include "net/fuse.h"
#include "net/init.h"
#include "net/load.h"
#include "net/onnx_write.h"
#include "net/ops/op.h"
#include "net/tape.h"
#include "tests/failing_alloc.h"
#include "tests/net/net_case.h"
#include "tests/net/onnx_writer.h"

/* ------------------------------------------------------------------ helpers */

static void build(dpli_graph *g, const char *name, int32_t channels, int32_t dim)
{
    dpli_arch_options options = {.channels = channels, .dim = dim};
    dpl_error err;

    if (dpli_arch_build(g, name, &options, &err) != DPL_OK)
        fail_msg("%s: %s", name, err.message);
}

static uint8_t *write_graph(const dpli_graph *g, size_t *n)
{
    uint8_t *bytes;
    dpl_error err;

    if (dpli_onnx_write(&bytes, n, g, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return bytes;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* What a tape says of a graph's parameters, by their names and shapes. */
static int32_t list_params(dpli_param *params, dpli_param **list, int32_t max, dpli_graph *g)
{
    static const struct {
        const char *end;
        dpli_param_kind kind;
    } kinds[] = {{".bias", DPLI_PARAM_BIAS},      {".scale", DPLI_PARAM_SCALE},
                 {".shift", DPLI_PARAM_SHIFT},    {".slope", DPLI_PARAM_SLOPE},
                 {".mean", DPLI_PARAM_RUNNING},   {".variance", DPLI_PARAM_RUNNING},
                 {"fc.weight", DPLI_PARAM_DENSE}, {".weight", DPLI_PARAM_CONV}};
    int32_t n = 0;

    for (int32_t i = 0; i < g->n_values; i++) {
        dpli_value *v = &g->values[i];
        dpli_param *p = &params[n];

        if (!v->data)
            continue;
        assert_true(n < max);
        *p = (dpli_param){.name = v->name, .value_id = i, .shape = v->shape, .value = v->data};
        p->n = (size_t)dpli_shape_elements(&v->shape);
        p->fan_in = p->n / (size_t)v->shape.dims[0];
        p->fan_out = v->shape.rank == 2 ? (size_t)v->shape.dims[0]
                                        : (size_t)v->shape.dims[0] * p->fan_in /
                                              (size_t)(v->shape.rank > 1 ? v->shape.dims[1] : 1);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            if (ends_with(v->name, kinds[k].end)) {
                p->kind = kinds[k].kind;
                list[n++] = p;
                break;
            }
        }
        assert_true(n > 0 && list[n - 1] == p);
    }
    return n;
}

static void init(dpli_graph *g, dpli_init how, uint64_t seed)
{
    dpli_param params[512], *list[512];

    dpli_init_run(list, list_params(params, list, 512, g), how, seed);
}

static const dpli_value *value_named(const dpli_graph *g, const char *name)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        if (strcmp(g->values[i].name, name) == 0)
            return &g->values[i];
    }
    fail_msg("no value is named %s", name);
    return NULL;
}

static int64_t n_parameters(const dpli_graph *g)
{
    int64_t n = 0;

    for (int32_t i = 0; i < g->n_values; i++) {
        if (g->values[i].data && g->values[i].type == DPLI_F32)
            n += dpli_shape_elements(&g->values[i].shape);
    }
    return n;
}

/* First weights as a training sets them, by what a tape says of the parameters; with the bytes of
 * its gradients' memory as a result. */
static void init_by_tape(dpli_graph *g, const dpl_shape *shape, dpli_init how, uint64_t seed)
{
    dpli_param *list[64];
    dpli_team *team;
    dpli_tape *tape;
    dpl_error err;

    if (dpli_team_new(&team, 1, &err) != DPL_OK ||
        dpli_tape_new(&tape, g, team, shape, &(dpli_tape_options){.max_bytes = SIZE_MAX}, &err) !=
            DPL_OK)
        fail_msg("%s", err.message);
    assert_in_range(dpli_tape_n_params(tape), 1, 64);
    for (int32_t i = 0; i < dpli_tape_n_params(tape); i++)
        list[i] = dpli_tape_param(tape, i);
    dpli_init_run(list, dpli_tape_n_params(tape), how, seed);
    dpli_tape_free(tape);
    dpli_team_free(team);
}

/* ------------------------------------------------------------------ architectures */

static void koch2015_has_the_papers_parameters_and_embedding(void **state)
{
    dpli_graph g;

    (void)state;
    build(&g, "koch2015", 1, 0);
    assert_int_equal(n_parameters(&g), 38947648);
    assert_int_equal(g.values[g.outputs[0]].shape.dims[1], 4096);
    dpli_graph_clear(&g);
    /* Two more planes for the 64 filters of 10x10. */
    build(&g, "koch2015", 3, 0);
    assert_int_equal(n_parameters(&g), 38947648 + 2 * 64 * 100);
    dpli_graph_clear(&g);
}

/* The embeddings of one picture, by the engine. */
static void embed(float *out, const dpli_graph *g, int32_t side, int32_t dim)
{
    dpl_shape shape = {4, {1, 1, side, side}};
    size_t n;
    uint8_t *bytes = write_graph(g, &n);
    dpl_net *net;
    dpl_plan *plan;
    dpl_error err;

    if (dpl_net_load(&net, bytes, n, NULL, &err) != DPL_OK ||
        dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err) != DPL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n_elements(&shape); i++)
        dpl_plan_input(plan, 0)[i] = (float)(i * 7919 % 1009) / 1009.0f;
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    memcpy(out, dpl_plan_output(plan, 0), (size_t)dim * sizeof *out);
    dpl_plan_free(plan);
    dpl_net_close(net);
    free(bytes);
}

static void koch2015_with_batch_norm_folds_into_the_papers_network(void **state)
{
    enum { SIDE = 65, DIM = 8 };
    const dpli_arch_options small = {
        .channels = 1, .dim = DIM, .side_px = SIDE, .batch_norm = true};
    dpli_arch_options whole = {.channels = 1, .batch_norm = true};
    float before[DIM], after[DIM];
    dpli_graph g;
    dpl_error err;

    (void)state;
    assert_int_equal(dpli_arch_build(&g, "koch2015", &small, &err), DPL_OK);
    init(&g, DPLI_INIT_HE, 3);
    /* Norms as training leaves them: nothing is 0 or 1. */
    for (int32_t i = 0; i < g.n_values; i++) {
        dpli_value *v = &g.values[i];

        for (int64_t j = 0; v->data && v->shape.rank == 1 && j < v->shape.dims[0]; j++)
            ((float *)v->data)[j] += 0.25f * (float)(j % 5 + 1);
    }
    embed(before, &g, SIDE, DIM);
    assert_int_equal(dpli_graph_fold_norms(&g, &err), DPL_OK);
    for (int32_t k = 0; k < g.n_nodes; k++)
        assert_string_not_equal(g.nodes[k].op->name, "BatchNormalization");
    embed(after, &g, SIDE, DIM);
    /* Sums of some thousand products, rounded in another order. */
    for (int i = 0; i < DIM; i++) {
        if (!(fabs((double)before[i] - (double)after[i]) <= 1e-5))
            fail_msg("number %d was %g and is %g", i, (double)before[i], (double)after[i]);
    }
    assert_true(fabs((double)before[0] - (double)before[1]) > 1e-3);
    dpli_graph_clear(&g);
    assert_int_equal(dpli_arch_build(&g, "koch2015", &whole, &err), DPL_OK);
    assert_int_equal(dpli_graph_fold_norms(&g, &err), DPL_OK);
    assert_int_equal(n_parameters(&g), 38947648);
    dpli_graph_clear(&g);
}

static void mobilefacenet_has_the_papers_stages(void **state)
{
    dpli_graph g;
    int32_t n_convs = 0, n_adds = 0;

    (void)state;
    build(&g, "mobilefacenet", 3, 0);
    for (int32_t k = 0; k < g.n_nodes; k++) {
        n_convs += strcmp(g.nodes[k].op->name, "Conv") == 0;
        n_adds += strcmp(g.nodes[k].op->name, "Add") == 0;
    }
    /* 2, then 3 a bottleneck of 5 + 1 + 6 + 1 + 2, then 3; a sum where the shape stays. */
    assert_int_equal(n_convs, 2 + 3 * 15 + 3);
    assert_int_equal(n_adds, 4 + 6 + 2);
    /* Widened twice from 64, and four times. */
    assert_int_equal(value_named(&g, "stage1/block2/depthwise.weight")->shape.dims[0], 128);
    assert_int_equal(value_named(&g, "stage2/block1/depthwise.weight")->shape.dims[0], 256);
    assert_int_equal(value_named(&g, "global.weight")->shape.dims[2], 7);
    assert_int_equal(value_named(&g, "embedding")->shape.dims[1], 128);
    dpli_graph_clear(&g);
}

/* Both biases of an LSTM's gates are there, where only their sum counts: 2 x 4 of each state more.
 */
static void networks_of_sentences_have_the_parameters_that_are_written_of_them(void **state)
{
    static const struct {
        const char *name;
        bool second;
        int64_t table, rest, second_biases;
    } cases[] = {
        {"bilstm-l1", false, 3840000, 788480, 2048},
        {"bilstm-l1", true, 3840000, 788480, 2048},
        /* 2 x 4 x 128 x (300 + 128 + 1), then 2 x 4 x 32 x (256 + 32 + 1). */
        {"malstm", false, 1500000, 439296 + 73984, 1024 + 256},
        {"bilstm-mean", false, 1500000, 439296, 1024 + 1}, /* and the least length */
        {"mean-embedding", false, 3200, 1584, 0},
        {"mean-words", false, 7680000, 65792, 0},
        {"two-inputs", false, 3200, 1056, 0},
        {"two-inputs", true, 3200, 1056, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpli_graph g;
        dpl_error err;

        if (dpli_arch_build(&g, cases[i].name, &(dpli_arch_options){.second = cases[i].second},
                            &err) != DPL_OK)
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_int_equal(dpli_shape_elements(&value_named(&g, "words.weight")->shape),
                         cases[i].table);
        assert_int_equal(n_parameters(&g) - cases[i].table, cases[i].rest + cases[i].second_biases);
        dpli_graph_clear(&g);
    }
    assert_int_equal(dpli_arch_find("mean-embedding")->n_towers, 1);
    assert_int_equal(dpli_arch_find("two-inputs")->n_towers, 2);
    assert_null(dpli_arch_find("two-inputs")->shared);
    assert_string_equal(dpli_arch_find("bilstm-l1")->shared, "bilstm");
}

/* Keras' example of a Siamese network on 28x28 numbers, and of a vector's own width. */
static void mlp_has_the_parameters_that_are_written_of_it(void **state)
{
    dpli_graph g;
    dpl_error err;

    (void)state;
    for (int own = 0; own < 2; own++) {
        const int64_t width = own ? 784 : 5, dim = own ? 128 : 8;
        const dpli_arch_options options = {.width = own ? 0 : 5, .dim = own ? 0 : 8};

        assert_int_equal(dpli_arch_build(&g, "mlp", &options, &err), DPL_OK);
        /* Beside the layers: a mean and a deviation a column, and two shares to drop. */
        assert_int_equal(n_parameters(&g) - 2 * width - 2,
                         own ? 133504 : 128 * (width + 1) + 128 * 129 + dim * 129);
        assert_int_equal(g.values[g.inputs[0]].shape.dims[1], width);
        assert_int_equal(g.values[g.inputs[0]].type, DPLI_F32);
        assert_int_equal(g.values[g.outputs[0]].shape.dims[1], dim);
        assert_int_equal(value_named(&g, DPLI_ARCH_MEAN)->shape.dims[0], width);
        assert_int_equal(value_named(&g, DPLI_ARCH_DEVIATION)->shape.dims[0], width);
        dpli_graph_clear(&g);
    }
}

static void inputs_of_two_sides_are_as_long_as_each_is(void **state)
{
    dpli_graph g;
    dpl_error err;

    (void)state;
    for (int second = 0; second < 2; second++) {
        assert_int_equal(
            dpli_arch_build(&g, "two-inputs", &(dpli_arch_options){.second = second}, &err),
            DPL_OK);
        assert_int_equal(g.values[g.inputs[0]].shape.dims[1], second ? 3 : 15);
        assert_int_equal(g.values[g.inputs[0]].type, DPLI_I64);
        dpli_graph_clear(&g);
    }
    assert_int_equal(
        dpli_arch_build(&g, "malstm", &(dpli_arch_options){.words = 7, .width = 9}, &err), DPL_OK);
    assert_int_equal(g.values[g.inputs[0]].shape.dims[1], -1);
    assert_int_equal(value_named(&g, "words.weight")->shape.dims[0], 7);
    assert_int_equal(value_named(&g, "bilstm1.weight")->shape.dims[2], 9);
    dpli_graph_clear(&g);
}

/* A graph read back from a built one's file: the same nodes with the same attributes and links. */
static void expect_same_graph(const dpli_graph *a, const dpli_graph *b)
{
    assert_int_equal(a->opset, b->opset);
    assert_int_equal(a->n_nodes, b->n_nodes);
    assert_int_equal(n_parameters(a), n_parameters(b));
    for (int32_t k = 0; k < a->n_nodes; k++) {
        const dpli_node *m = &a->nodes[k], *n = &b->nodes[k];

        assert_ptr_equal(m->op, n->op);
        assert_string_equal(m->name, n->name);
        assert_true((m->params == NULL) == (n->params == NULL));
        assert_int_equal(m->n_inputs, n->n_inputs);
        assert_int_equal(m->n_attrs, n->n_attrs);
        for (int32_t i = 0; i < m->n_inputs; i++) {
            const dpli_value *v = dpli_graph_input(a, m, i), *w = dpli_graph_input(b, n, i);

            assert_string_equal(v->name, w->name);
            assert_int_equal(v->producer, w->producer);
            assert_int_equal(v->consumer, w->consumer);
            assert_int_equal(v->n_uses, w->n_uses);
            assert_true((v->data == NULL) == (w->data == NULL));
            if (v->data) {
                assert_true(dpli_shape_equal(&v->shape, &w->shape));
                assert_memory_equal(v->data, w->data,
                                    (size_t)dpli_shape_elements(&v->shape) * sizeof(float));
            }
        }
        for (int32_t i = 0; i < m->n_attrs; i++) {
            assert_string_equal(m->attrs[i].name, n->attrs[i].name);
            assert_true(m->attrs[i].used && n->attrs[i].used);
        }
    }
    assert_true(dpli_shape_equal(&a->values[a->inputs[0]].shape, &b->values[b->inputs[0]].shape));
    assert_true(dpli_shape_equal(&a->values[a->outputs[0]].shape, &b->values[b->outputs[0]].shape));
}

/* Sentences of 5 and of 3 words, and two and twelve steps of nothing behind them: where the network
 * takes any number of steps, the same vectors. */
static void check_reads(const uint8_t *bytes, size_t n, const char *name)
{
    static const int64_t words[2][5] = {{3, 1, 4, 1, 5}, {9, 2, 6}};
    float first[2][24] = {{0}};
    dpl_net *net;
    dpl_error err;

    if (dpl_net_load(&net, bytes, n, NULL, &err) != DPL_OK)
        fail_msg("%s: %s", name, err.message);
    for (int run = 0; run < 2; run++) {
        const dpl_shape declared = dpl_net_input_shape(net, 0);
        dpl_shape shape = {2, {2, declared.dims[1] > 0 ? declared.dims[1] : run ? 17 : 7}};
        dpl_plan *plan;
        double largest = 0.0, differ = 0.0;

        if (dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err) != DPL_OK)
            fail_msg("%s: %s", name, err.message);
        memset(dpl_plan_input_int64(plan, 0), 0, n_elements(&shape) * sizeof(int64_t));
        for (int64_t b = 0; b < 2; b++)
            for (int64_t t = 0; t < 5 && t < shape.dims[1]; t++)
                dpl_plan_input_int64(plan, 0)[b * shape.dims[1] + t] = words[b][t];
        assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
        shape = dpl_plan_output_shape(plan, 0);
        assert_true(shape.rank == 2 && shape.dims[0] == 2 && shape.dims[1] == 24);
        for (int i = 0; i < 48; i++) {
            const float x = dpl_plan_output(plan, 0)[i];

            assert_true(isfinite(x));
            if (run && first[i / 24][i % 24] != x)
                fail_msg("%s: number %d was %g and is %g", name, i, (double)first[i / 24][i % 24],
                         (double)x);
            first[i / 24][i % 24] = x;
            largest = fmax(largest, fabs((double)x));
            differ = fmax(differ, fabs((double)x - (double)first[0][i % 24]));
        }
        if (!(largest > 1e-3 && differ > 1e-6))
            fail_msg("%s: largest %g, sentences differ by %g", name, largest, differ);
        dpl_plan_free(plan);
    }
    dpl_net_close(net);
}

static void check_runs(const uint8_t *bytes, size_t n, const char *name, dpl_shape shape)
{
    dpl_net *net;
    dpl_plan *plan;
    dpl_error err;
    double largest = 0.0, differ = 0.0;

    if (dpl_net_load(&net, bytes, n, NULL, &err) != DPL_OK ||
        dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err) != DPL_OK)
        fail_msg("%s: %s", name, err.message);
    for (size_t i = 0; i < n_elements(&shape); i++)
        dpl_plan_input(plan, 0)[i] = (float)(i * 7919 % 1009) / 1009.0f;
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    shape = dpl_plan_output_shape(plan, 0);
    assert_int_equal(shape.rank, 2);
    assert_int_equal(shape.dims[0], 2);
    assert_int_equal(shape.dims[1], 24);
    for (int i = 0; i < 24; i++) {
        const float *out = dpl_plan_output(plan, 0);

        assert_true(isfinite(out[i]) && isfinite(out[24 + i]));
        largest = fmax(largest, fabs((double)out[i]));
        differ = fmax(differ, fabs((double)out[i] - (double)out[24 + i]));
    }
    /* A block that is cut off gives zeros, or the same whatever the picture. */
    if (!(largest > 1e-3 && differ > 1e-6))
        fail_msg("%s: largest %g, pictures differ by %g", name, largest, differ);
    dpl_plan_free(plan);
    dpl_net_close(net);
}

static void a_built_graph_is_what_a_read_one_is_and_runs(void **state)
{
    const dpli_arch *arch;
    int32_t n = 0;

    (void)state;
    for (; (arch = dpli_arch_at(n)); n++) {
        for (int32_t channels = 1; channels <= 3; channels += 2) {
            dpli_graph built, read;
            uint8_t *bytes[2];
            size_t n_bytes[2];
            dpl_error err;

            assert_true(strlen(arch->about) > 0);
            if (arch->takes != DPLI_TAKES_PICTURES && channels > 1)
                continue;
            build(&built, arch->name, channels, 24);
            if (arch->takes == DPLI_TAKES_IDS)
                init_by_tape(&built, &(dpl_shape){2, {2, 15}}, DPLI_INIT_GLOROT, 7);
            else if (arch->takes == DPLI_TAKES_VECTORS)
                init_by_tape(&built, &(dpl_shape){2, {2, 784}}, DPLI_INIT_GLOROT, 7);
            else
                init(&built, DPLI_INIT_HE, 7);
            bytes[0] = write_graph(&built, &n_bytes[0]);
            if (dpli_graph_for_training(&read, bytes[0], n_bytes[0], &err) != DPL_OK)
                fail_msg("%s: %s", arch->name, err.message);
            expect_same_graph(&built, &read);
            bytes[1] = write_graph(&read, &n_bytes[1]);
            assert_int_equal(n_bytes[0], n_bytes[1]);
            assert_memory_equal(bytes[0], bytes[1], n_bytes[0]);
            if (arch->takes == DPLI_TAKES_IDS)
                check_reads(bytes[0], n_bytes[0], arch->name);
            else if (arch->takes == DPLI_TAKES_VECTORS)
                check_runs(bytes[0], n_bytes[0], arch->name, (dpl_shape){2, {2, 784}});
            else
                check_runs(bytes[0], n_bytes[0], arch->name,
                           (dpl_shape){4, {2, channels, 105, 105}});
            dpli_graph_clear(&built);
            dpli_graph_clear(&read);
            free(bytes[0]);
            free(bytes[1]);
        }
    }
    assert_int_equal(n, 11);
}

static void the_encoder_finds_all_that_it_needs_in_the_file(void **state)
{
    static const struct {
        const char *name, *space, *normalize, *head;
        int32_t channels;
        bool has_template;
    } cases[] = {{"koch2015", "image", "none", "l1-sigmoid", 1, false},
                 {"koch2015", "image", "none", "l1-sigmoid", 3, false},
                 {"resnet-drawing", "image", "l2", "cosine", 1, false},
                 {"mobilefacenet", "face", "l2", "cosine", 3, true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpli_graph g;
        size_t n;
        uint8_t *bytes;
        FILE *file = fopen("arch.onnx", "wb");
        dpl_encoder *e;
        dpl_error err;

        build(&g, cases[i].name, cases[i].channels, 24);
        bytes = write_graph(&g, &n);
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
        if (dpl_encoder_open(&e, "arch.onnx", NULL, &err) != DPL_OK)
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_int_equal(dpl_encoder_dim(e), 24);
        assert_int_equal(dpl_encoder_width_px(e), 105);
        assert_string_equal(dpl_encoder_space(e), cases[i].space);
        assert_string_equal(dpl_encoder_fact(e, "normalize"), cases[i].normalize);
        assert_string_equal(dpl_encoder_fact(e, "head"), cases[i].head);
        assert_string_equal(dpl_encoder_fact(e, "color"), cases[i].channels == 1 ? "grey" : "rgb");
        assert_int_equal(dpl_encoder_fact(e, "template") != NULL, cases[i].has_template);
        dpl_encoder_close(e);
        dpli_graph_clear(&g);
        free(bytes);
    }
    remove("arch.onnx");
}

static void what_cannot_be_built_is_refused_in_words(void **state)
{
    static const struct {
        const char *name;
        dpli_arch_options options;
        const char *words;
    } cases[] = {
        {"koch2014", {.channels = 1}, "no architecture is named \"koch2014\""},
        {"koch2015", {.channels = 2}, "2 channels are not 1 or 3"},
        {"koch2015",
         {.channels = 1, .dim = -1},
         "an embedding of -1 numbers is not within 1..65536"},
        {"koch2015", {.channels = 1, .side_px = -5}, "a side of -5 pixels is not within 8..1024"},
        {"koch2015",
         {.channels = 1, .side_px = 32},
         "input is too small: at \"conv3\" 2 pixels are left, 4 are needed"},
        {"mobilefacenet",
         {.channels = 3, .batch_norm = true},
         "\"mobilefacenet\" takes no batch norm on top"},
        {"malstm", {.dim = 7}, "an embedding of 7 numbers is not the same in both directions"},
        {"malstm", {.width = -1}, "a table of 0 words of -1 numbers, limit is 65536"},
        {"mlp", {.width = 65537}, "vectors of 65537 numbers, limit is 65536"},
        {"mlp", {.width = 4, .batch_norm = true}, "\"mlp\" takes no batch norm on top"},
        {"koch2015",
         {.channels = 1, .side_px = 1024},
         "layer \"fc\" would bring the network over 500000000 parameters"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpli_graph g;
        dpl_error err = {0};

        assert_int_equal(dpli_arch_build(&g, cases[i].name, &cases[i].options, &err),
                         DPL_E_ARGUMENT);
        assert_string_equal(err.message, cases[i].words);
        assert_int_equal(g.n_values, 0);
    }
    assert_null(dpli_arch_at(-1));
}

/* ------------------------------------------------------------------ reading for training */

static void dropout_stays_for_training_and_goes_for_running(void **state)
{
    static const int64_t shape[] = {0, 4};
    writer w = {0};
    dpli_graph g;
    dpl_net *net;
    char *text;
    dpl_plan *plan;
    dpl_error err;
    dpl_shape two = {2, {2, 4}};
    dpli_buf bytes;

    (void)state;
    add_input(&w, "x", 2, shape);
    attr_float(&w, "ratio", 0.25f);
    add_node(&w, "Dropout", "x", "d");
    add_node(&w, "Relu", "d", "y");
    add_output(&w, "y");
    bytes = finish(&w, 11);
    if (dpli_graph_for_training(&g, bytes.data, bytes.len, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(g.n_nodes, 2);
    assert_string_equal(g.nodes[0].op->name, "Dropout");
    assert_true(g.nodes[0].attrs[0].f == 0.25f);
    dpli_graph_clear(&g);
    assert_int_equal(dpl_net_load(&net, bytes.data, bytes.len, NULL, &err), DPL_OK);
    assert_int_equal(dpl_plan_new(&plan, net, &two, DPL_LAYOUT_NCHW, &err), DPL_OK);
    assert_int_equal(dpl_plan_describe(&text, plan, 1, &err), DPL_OK);
    assert_null(strstr(text, "Dropout"));
    assert_non_null(strstr(text, "Relu"));
    free(text);
    dpl_plan_free(plan);
    dpl_net_close(net);
    dpli_buf_clear(&bytes);
}

/* x + ConstantOfShape(Shape(x)): only a run's shape tells how much, so the node stays. */
static void a_tensor_inside_an_attribute_is_written_again(void **state)
{
    static const int64_t shape[] = {0, 3};
    const float three = 3;
    dpl_shape two = {2, {2, 3}};
    writer w = {0};
    dpli_buf tensor = {0}, attr = {0}, bytes;
    dpli_graph g;
    uint8_t *again;
    size_t n;
    dpl_net *net;
    dpl_plan *plan;
    dpl_error err;

    (void)state;
    add_input(&w, "x", 2, shape);
    add_node(&w, "Shape", "x", "s");
    put_int(&tensor, 1, 1);
    put_int(&tensor, 2, 1);
    put_bytes(&tensor, 9, &three, sizeof three);
    put_message(&attr, 5, &tensor);
    add_attr(&w, &attr, "value", 4);
    add_node(&w, "ConstantOfShape", "s", "c");
    add_node(&w, "Add", "x c", "y");
    add_output(&w, "y");
    bytes = finish(&w, 13);
    if (dpli_graph_for_training(&g, bytes.data, bytes.len, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(g.n_nodes, 3);
    again = write_graph(&g, &n);
    if (dpl_net_load(&net, again, n, NULL, &err) != DPL_OK ||
        dpl_plan_new(&plan, net, &two, DPL_LAYOUT_NCHW, &err) != DPL_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < 6; i++)
        dpl_plan_input(plan, 0)[i] = (float)i;
    assert_int_equal(dpl_plan_run(plan, NULL), DPL_OK);
    for (int i = 0; i < 6; i++)
        assert_true(dpl_plan_output(plan, 0)[i] == (float)i + three);
    dpl_plan_free(plan);
    dpl_net_close(net);
    dpli_graph_clear(&g);
    dpli_buf_clear(&bytes);
    free(again);
}

/* One allocation of each call fails; true when none was left to fail. */
static bool survives(size_t nth)
{
    dpli_arch_options options = {.channels = 1, .dim = 3, .side_px = 8};
    dpli_graph built = {0}, read = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    dpl_error err = {0};
    dpl_status status;

    fail_allocation(nth);
    status = dpli_arch_build(&built, "mobilefacenet", &options, &err);
    if (status == DPL_OK)
        status = dpli_onnx_write(&bytes, &n, &built, &err);
    if (status == DPL_OK)
        status = dpli_graph_for_training(&read, bytes, n, &err);
    fail_at = 0;
    /* protobuf-c does not say why it gave up. */
    if (status != DPL_OK && status != DPL_E_MEMORY &&
        !(status == DPL_E_MODEL && strstr(err.message, "not an ONNX model")))
        fail_msg("allocation %zu: %d, %s", nth, (int)status, err.message);
    assert_true((status == DPL_OK) == (read.n_nodes > 0));
    dpli_graph_clear(&built);
    dpli_graph_clear(&read);
    free(bytes);
    return status == DPL_OK && n_allocations < nth;
}

/* Every 13th: there are some thousand, each with a network built and read. */
static void failing_allocations_are_reported_and_leak_nothing(void **state)
{
    size_t nth = 1;

    (void)state;
    while (!survives(nth))
        nth += 13;
    assert_true(nth > 1000);
}

/* ------------------------------------------------------------------ where parameters start */

/* Mean and deviation of a constant's values within 5 standard errors of what they are drawn from.
 */
static void expect_normal(const dpli_graph *g, const char *name, double mean, double deviation)
{
    const dpli_value *v = value_named(g, name);
    const float *x = v->data;
    const double n = (double)dpli_shape_elements(&v->shape);
    double sum = 0.0, squares = 0.0;

    for (int64_t i = 0; i < (int64_t)n; i++)
        sum += (double)x[i];
    for (int64_t i = 0; i < (int64_t)n; i++)
        squares += ((double)x[i] - sum / n) * ((double)x[i] - sum / n);
    if (!(fabs(sum / n - mean) < 5.0 * deviation / sqrt(n)) ||
        !(fabs(sqrt(squares / n) / deviation - 1.0) < 5.0 / sqrt(2.0 * n)))
        fail_msg("%s: N(%g, %g), not N(%g, %g)", name, sum / n, sqrt(squares / n), mean, deviation);
}

static void expect_all(const dpli_graph *g, const char *name, float value)
{
    const dpli_value *v = value_named(g, name);

    for (int64_t i = 0; i < dpli_shape_elements(&v->shape); i++) {
        if (((const float *)v->data)[i] != value)
            fail_msg("%s: %g at %d", name, (double)((const float *)v->data)[i], (int)i);
    }
}

static double largest_of(const dpli_graph *g, const char *name)
{
    const dpli_value *v = value_named(g, name);
    double largest = 0.0;

    for (int64_t i = 0; i < dpli_shape_elements(&v->shape); i++) {
        double size = fabs((double)((const float *)v->data)[i]);

        if (size > largest)
            largest = size;
    }
    return largest;
}

static void layers_of_sentences_start_as_keras_has_them(void **state)
{
    dpli_graph g;
    const float *r, *bias;
    double largest;

    (void)state;
    build(&g, "malstm", 0, 24);
    init_by_tape(&g, &(dpl_shape){2, {2, 4}}, DPLI_INIT_GLOROT, 3);
    r = value_named(&g, "bilstm2.state")->data;
    bias = value_named(&g, "bilstm2.bias")->data;
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < 12; i++)
            for (int j = 0; j <= i; j++) {
                double product = 0.0;

                for (int k = 0; k < 48; k++)
                    product += (double)r[(d * 48 + k) * 12 + i] * (double)r[(d * 48 + k) * 12 + j];
                /* Twelve columns, each rounded as it is taken off the next. */
                if (!(fabs(product - (i == j)) < 1e-5))
                    fail_msg("columns %d and %d: %g", i, j, product);
            }
    for (int i = 0; i < 2 * 96; i++)
        assert_true(bias[i] == (i % 96 >= 24 && i % 96 < 36 ? 1.0f : 0.0f));
    largest = largest_of(&g, "words.weight");
    assert_true(largest <= 0.05 && largest > 0.0499);
    dpli_graph_clear(&g);
}

static void parameters_start_as_in_the_papers(void **state)
{
    dpli_graph g;
    double bound, largest;

    (void)state;
    build(&g, "koch2015", 1, 64);
    init(&g, DPLI_INIT_KOCH, 1);
    expect_normal(&g, "conv2.weight", 0.0, 1e-2);
    expect_normal(&g, "fc.weight", 0.0, 2e-1);
    expect_normal(&g, "conv1.bias", 0.5, 1e-2);
    expect_normal(&g, "fc.bias", 0.5, 1e-2);
    init(&g, DPLI_INIT_KOCH_WIDE, 1);
    expect_normal(&g, "conv2.weight", 0.0, 1e-1);
    expect_normal(&g, "fc.weight", 0.0, 2.0);
    expect_normal(&g, "conv1.bias", 0.5, 1e-1);
    init(&g, DPLI_INIT_HE, 1);
    expect_normal(&g, "conv2.weight", 0.0, sqrt(2.0 / (64 * 49)));
    expect_normal(&g, "fc.weight", 0.0, sqrt(2.0 / 9216));
    expect_all(&g, "conv2.bias", 0.0f);
    init(&g, DPLI_INIT_GLOROT, 1);
    bound = sqrt(6.0 / (9216 + 64));
    expect_normal(&g, "fc.weight", 0.0, bound / sqrt(3.0));
    largest = largest_of(&g, "fc.weight");
    assert_true(largest <= bound * (1 + 1e-6) && largest > 0.999 * bound);
    dpli_graph_clear(&g);

    build(&g, "mobilefacenet", 3, 16);
    init(&g, DPLI_INIT_KOCH, 1);
    expect_all(&g, "conv1/bn.scale", 1.0f);
    expect_all(&g, "conv1/bn.shift", 0.0f);
    expect_all(&g, "conv1/bn.mean", 0.0f);
    expect_all(&g, "conv1/bn.variance", 1.0f);
    expect_all(&g, "conv1/prelu.slope", 0.25f);
    dpli_graph_clear(&g);
}

static void a_parameter_starts_by_the_seed_and_its_name_alone(void **state)
{
    float a[2][8] = {{0}}, b[2][8] = {{0}}, frozen[8] = {3, 1, 4, 1, 5, 9, 2, 6};
    dpli_param p[] = {
        {.name = "conv1.weight", .kind = DPLI_PARAM_CONV, .n = 8, .fan_in = 4, .value = a[0]},
        {.name = "conv2.weight", .kind = DPLI_PARAM_CONV, .n = 8, .fan_in = 4, .value = a[1]},
        {.name = "x", .kind = DPLI_PARAM_CONV, .n = 8, .frozen = true, .value = frozen},
        {.name = "conv2.weight", .kind = DPLI_PARAM_CONV, .n = 8, .fan_in = 4, .value = b[0]},
        {.name = "conv2.weight", .kind = DPLI_PARAM_CONV, .n = 8, .fan_in = 4, .value = b[1]}};

    (void)state;
    dpli_init_run((dpli_param *[]){&p[0], &p[1], &p[2]}, 3, DPLI_INIT_HE, 5);
    dpli_init_run((dpli_param *[]){&p[3]}, 1, DPLI_INIT_HE, 5);
    dpli_init_run((dpli_param *[]){&p[4]}, 1, DPLI_INIT_HE, 6);
    assert_memory_equal(a[1], b[0], sizeof b[0]);
    assert_memory_not_equal(a[0], a[1], sizeof a[0]);
    assert_memory_not_equal(b[0], b[1], sizeof b[0]);
    assert_memory_equal(frozen, ((float[]){3, 1, 4, 1, 5, 9, 2, 6}), sizeof frozen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(koch2015_has_the_papers_parameters_and_embedding),
        cmocka_unit_test(koch2015_with_batch_norm_folds_into_the_papers_network),
        cmocka_unit_test(mobilefacenet_has_the_papers_stages),
        cmocka_unit_test(mlp_has_the_parameters_that_are_written_of_it),
        cmocka_unit_test(networks_of_sentences_have_the_parameters_that_are_written_of_them),
        cmocka_unit_test(inputs_of_two_sides_are_as_long_as_each_is),
        cmocka_unit_test(a_built_graph_is_what_a_read_one_is_and_runs),
        cmocka_unit_test(the_encoder_finds_all_that_it_needs_in_the_file),
        cmocka_unit_test(what_cannot_be_built_is_refused_in_words),
        cmocka_unit_test(dropout_stays_for_training_and_goes_for_running),
        cmocka_unit_test(a_tensor_inside_an_attribute_is_written_again),
        cmocka_unit_test(failing_allocations_are_reported_and_leak_nothing),
        cmocka_unit_test(parameters_start_as_in_the_papers),
        cmocka_unit_test(layers_of_sentences_start_as_keras_has_them),
        cmocka_unit_test(a_parameter_starts_by_the_seed_and_its_name_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
