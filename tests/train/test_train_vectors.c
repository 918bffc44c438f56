/*
 * test_train_vectors.c - runs on vectors, with classes and in pairs, from a table and from NumPy's
 * arrays, and on pairs of two kinds, each side with a network of its own: what they learn, that a
 * resumed run ends to the bit as one that was not stopped, and what is refused in which words.
 */
#include "tests/train/train_kit.h"

#include <math.h>

#include "doppel/net.h"
#include "net/arch.h"
#include "net/load.h"
#include "tests/net/onnx_writer.h"

/* ------------------------------------------------------------------ helpers */

typedef struct seen {
    dpl_train_plan plan;
    dpl_train_figures figures;
} seen;

static dpl_error last_error;

static void watch(void *ctx, const dpl_train_event *e)
{
    seen *s = ctx;

    if (e->kind == DPL_TRAIN_PLANNED)
        s->plan = *e->plan;
    if (e->kind == DPL_TRAIN_VALIDATED)
        s->figures = e->figures;
}

static dpl_status train(dpl_train_options o, seen *s)
{
    dpl_train_report report;
    seen own;

    s = s ? s : &own;
    memset(s, 0, sizeof *s);
    last_error.message[0] = '\0';
    o.on_event = watch;
    o.ctx = s;
    const dpl_status status = dpl_train(&report, &o, &last_error);
    if (status != DPL_OK)
        print_message("%s\n", last_error.message);
    return status;
}

static void refused(dpl_train_options o, const char *words)
{
    assert_int_not_equal(train(o, NULL), DPL_OK);
    if (!strstr(last_error.message, words))
        fail_msg("\"%s\" does not say \"%s\"", last_error.message, words);
    assert_true(access(o.run, F_OK) != 0);
}

static void read_file(uint8_t **bytes, size_t *n, const char *path)
{
    assert_int_equal(dpli_file_read(bytes, n, path, (size_t)1 << 28, NULL), DPL_OK);
}

/* The same run in two parts ends as the one in the folder "run". */
static void resumes_to_the_bit(dpl_train_options o, const char *const *models)
{
    dpl_train_options again = DPL_TRAIN_OPTIONS_INIT;

    again.steps = o.steps;
    o.run = again.run = "parts";
    o.steps = o.steps / 2;
    assert_int_equal(train(o, NULL), DPL_OK);
    again.resume = true;
    assert_int_equal(train(again, NULL), DPL_OK);
    for (; *models; models++) {
        uint8_t *bytes[2];
        size_t n[2];
        char path[2][64];

        for (int i = 0; i < 2; i++) {
            snprintf(path[i], sizeof path[i], "%s/%s", i ? "parts" : "run", *models);
            read_file(&bytes[i], &n[i], path[i]);
        }
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(bytes[0], bytes[1], n[0]);
        free(bytes[0]);
        free(bytes[1]);
    }
}

enum { WIDTH = 4, CLASSES = 10, ITEMS = 8 };

/* A class is where the first two numbers lie, of units that differ by a million; the third says
 * nothing, the fourth is always the same. */
static void vector_of(float v[WIDTH], int cls, int item)
{
    dpli_rng rng;

    dpli_rng_seed(&rng, (uint64_t)(cls * 1000 + item));
    v[0] = 1e3f * ((float)(cls % 4) + 0.2f * (float)dpli_rng_normal(&rng));
    v[1] = 1e-3f * ((float)(cls / 4) + 0.2f * (float)dpli_rng_normal(&rng));
    v[2] = 50.0f * (float)dpli_rng_normal(&rng);
    v[3] = 7.0f;
}

static void write_table(const char *path)
{
    static char text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "w,x,y,z,label\n");

    for (int i = 0; i < CLASSES * ITEMS; i++) {
        float v[WIDTH];

        vector_of(v, i % CLASSES, i);
        n += (size_t)snprintf(text + n, sizeof text - n, "%.9g,%.9g,%.9g,%.9g,c%d\n", (double)v[0],
                              (double)v[1], (double)v[2], (double)v[3], i % CLASSES);
    }
    kit_write_text(path, text);
}

/* The same vectors as NumPy has them, and their classes, a line each. */
static void write_array(const char *path, const char *classes)
{
    static char bytes[128 + CLASSES * ITEMS * WIDTH * sizeof(float)];
    static char text[1024];
    size_t n = 0;

    memset(bytes, ' ', 128);
    memcpy(bytes, "\x93NUMPY\1\0\x76\0", 10);
    n = (size_t)snprintf(bytes + 10, 118,
                         "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }",
                         CLASSES * ITEMS, WIDTH);
    bytes[10 + n] = ' ';
    bytes[127] = '\n';
    n = 0;
    for (int i = 0; i < CLASSES * ITEMS; i++) {
        float v[WIDTH];

        vector_of(v, i % CLASSES, i);
        memcpy(bytes + 128 + (size_t)i * sizeof v, v, sizeof v);
        n += (size_t)snprintf(text + n, sizeof text - n, "c%d\n", i % CLASSES);
    }
    assert_int_equal(dpli_file_replace(path, bytes, sizeof bytes, NULL), DPL_OK);
    kit_write_text(classes, text);
}

static dpl_train_options of_vectors(void)
{
    dpl_train_options o = DPL_TRAIN_OPTIONS_INIT;

    o.run = "run";
    o.arch = "mlp";
    o.dim = 8;
    o.batch_classes = 6;
    o.batch_items = 4;
    o.hold_classes = 3;
    o.validate_ways = 3;
    o.validate_trials = 60;
    o.rate = 0.003;
    o.steps = 60;
    o.validate_steps = 60;
    o.threads = 1;
    return o;
}

static const float *constant_of(const dpli_graph *g, const char *name)
{
    for (int32_t i = 0; i < g->n_values; i++)
        if (strcmp(g->values[i].name, name) == 0)
            return g->values[i].data;
    fail_msg("nothing is named %s", name);
    return NULL;
}

/* ------------------------------------------------------------------ vectors */

static void vectors_of_classes_are_learned_whatever_their_units(void **state)
{
    static const char *const models[] = {"last.onnx", NULL};
    dpl_train_options o = of_vectors();
    dpli_graph g;
    uint8_t *bytes;
    size_t n;
    seen s;

    (void)state;
    write_table("table.csv");
    o.data = "table.csv";
    assert_int_equal(train(o, &s), DPL_OK);
    assert_int_equal(s.plan.steps, WIDTH);
    assert_int_equal(s.plan.n_classes, CLASSES - 3);
    /* fc1, fc2, fc3; the columns' means and deviations are no parameters */
    assert_int_equal(s.plan.n_parameters, 128 * (WIDTH + 1) + 128 * 129 + 8 * 129);
    /* Of three classes that were not trained on; guessing has a half and a third. */
    assert_true(s.figures.auc > 0.9);
    assert_true(s.figures.oneshot > 0.7);
    read_file(&bytes, &n, "run/last.onnx");
    assert_int_equal(dpli_graph_for_training(&g, bytes, n, NULL), DPL_OK);
    free(bytes);
    const float *means = constant_of(&g, DPLI_ARCH_MEAN);
    const float *deviations = constant_of(&g, DPLI_ARCH_DEVIATION);
    assert_true(fabsf(means[0] - 1300.0f) < 100.0f && means[3] == 7.0f);
    assert_true(deviations[0] > 900.0f && deviations[0] < 1300.0f);
    assert_true(deviations[1] > 6e-4f && deviations[1] < 1e-3f);
    assert_true(deviations[3] == 1.0f);
    dpli_graph_clear(&g);
    resumes_to_the_bit(o, models);
}

static void an_array_with_its_classes_beside_is_the_table(void **state)
{
    dpl_train_options o = of_vectors();
    seen s[2];

    (void)state;
    write_table("table.csv");
    write_array("table.npy", "classes.txt");
    o.steps = o.validate_steps = 4;
    o.data = "table.csv";
    assert_int_equal(train(o, &s[0]), DPL_OK);
    o.run = "other";
    o.data = "table.npy";
    o.classes = "classes.txt";
    assert_int_equal(train(o, &s[1]), DPL_OK);
    assert_true(s[0].figures.auc == s[1].figures.auc);
    assert_true(s[0].figures.eer == s[1].figures.eer);
    o.run = "none";
    o.classes = NULL;
    refused(o, "table.npy");
}

/* Pairs of rows, or of numbers: the same where the class is. */
static void write_pairs(const char *path, bool numbers)
{
    static char text[32768];
    size_t n = (size_t)snprintf(text, sizeof text, "a,b,label\n");

    for (int i = 0; i < 120; i++) {
        const int a = i % CLASSES, b = i % 2 ? a : (a + 1 + i / 2 % 9) % CLASSES;
        const int rows[2] = {a + CLASSES * (i % ITEMS), b + CLASSES * ((i / 8 + 3) % ITEMS)};

        for (int side = 0; side < 2; side++) {
            float v[WIDTH];

            vector_of(v, rows[side] % CLASSES, rows[side]);
            if (numbers)
                n += (size_t)snprintf(text + n, sizeof text - n, "%.9g %.9g %.9g %.9g,",
                                      (double)v[0], (double)v[1], (double)v[2], (double)v[3]);
            else
                n += (size_t)snprintf(text + n, sizeof text - n, "table.npy:%d,", rows[side]);
        }
        n += (size_t)snprintf(text + n, sizeof text - n, "%d\n", (int)(a == b));
    }
    kit_write_text(path, text);
}

static dpl_train_options of_pairs(const char *data)
{
    dpl_train_options o = of_vectors();

    o.data = data;
    o.batch_classes = o.batch_items = o.hold_classes = DPL_TRAIN_UNSET_INT;
    o.batch_pairs = 20;
    o.hold_pairs = 20;
    return o;
}

static void pairs_of_vectors_are_learned(void **state)
{
    static const char *const models[] = {"last.onnx", NULL};
    dpl_train_options o = of_pairs("pairs.csv");
    seen s;

    (void)state;
    write_array("table.npy", "classes.txt");
    for (int numbers = 0; numbers < 2; numbers++) {
        o.run = numbers ? "run" : "rows";
        write_pairs("pairs.csv", numbers);
        assert_int_equal(train(o, &s), DPL_OK);
        assert_int_equal(s.plan.n_pairs, 100);
        assert_int_equal(s.plan.steps, WIDTH);
        assert_true(s.figures.auc > 0.85);
    }
    resumes_to_the_bit(o, models);
    /* And with a loss that has parameters of its own. */
    o.run = "l1";
    o.loss = "l1-similarity";
    assert_int_equal(train(o, &s), DPL_OK);
    assert_true(s.figures.auc > 0.85);
}

/* Two dense layers as an exporter leaves them: no names of ours, no facts. */
static void write_dense(const char *path, int64_t width)
{
    static const int64_t second[] = {5, 6};
    const int64_t first[] = {6, width ? width : WIDTH}, in[] = {0, width};
    writer w = {0};
    float weights[40];

    for (int i = 0; i < 40; i++)
        weights[i] = 0.1f * (float)(i * 7 % 11 - 5);
    add_input(&w, "x", 2, in);
    add_tensor(&w, "w1", 1, 2, first, weights);
    add_tensor(&w, "b1", 1, 1, first, weights);
    add_tensor(&w, "w2", 1, 2, second, weights);
    attr_int(&w, "transB", 1);
    add_node(&w, "Gemm", "x w1 b1", "h");
    add_node(&w, "Relu", "h", "r");
    attr_int(&w, "transB", 1);
    add_node(&w, "Gemm", "r w2", "y");
    add_output(&w, "y");
    dpli_buf bytes = finish(&w, 17);
    assert_int_equal(dpli_file_replace(path, bytes.data, bytes.len, NULL), DPL_OK);
    dpli_buf_clear(&bytes);
}

static void a_dense_model_from_elsewhere_is_gone_on_with(void **state)
{
    dpl_train_options o = of_pairs("pairs.csv");
    dpl_net *net;
    seen s;

    (void)state;
    write_pairs("pairs.csv", true);
    o.arch = NULL;
    o.dim = DPL_TRAIN_UNSET_INT;
    o.init = "dense.onnx";
    o.kinds = "vectors";
    for (int any = 0; any < 2; any++) { /* with and without its width */
        write_dense("dense.onnx", any ? 0 : WIDTH);
        o.run = any ? "any" : "run";
        o.steps = 5;
        assert_int_equal(train(o, &s), DPL_OK);
        assert_int_equal(s.plan.dim, 5);
        assert_int_equal(s.plan.steps, WIDTH);
    }
    assert_int_equal(dpl_net_open(&net, "run/last.onnx", NULL, NULL), DPL_OK);
    assert_string_equal(dpl_net_meta(net, "doppel.head"), "euclidean");
    dpl_net_close(net);
    o.run = "none";
    o.kinds = NULL;
    refused(o, "\"kinds\"");
    write_dense("dense.onnx", WIDTH + 1);
    o.kinds = "vectors";
    refused(o, "vectors have 4 numbers, the network takes 5");
}

static void what_vectors_are_not_for_is_refused(void **state)
{
    dpl_train_options o = of_vectors();

    (void)state;
    write_table("table.csv");
    kit_make("drawings", 1, 2, 2, 0);
    o.data = "table.csv";
    o.tokens = "words";
    refused(o, "for networks of sentences");
    o.tokens = NULL;
    o.rotate_classes = 1;
    refused(o, "cannot be turned");
    o.rotate_classes = DPL_TRAIN_UNSET_INT;
    o.batch_norm = 1;
    refused(o, "batch-norm");
    o.batch_norm = DPL_TRAIN_UNSET_INT;
    o.kinds = "vectors,vectors,vectors";
    refused(o, "\"kinds\" is one or two of");
    o.kinds = "sentences";
    refused(o, "table.csv");
    o.kinds = NULL;
    o.arch = "koch2015";
    refused(o, "the network takes pictures, the data has vectors");
    o.arch = "mlp";
    o.data = "drawings";
    refused(o, "drawings");
}

/* ------------------------------------------------------------------ pairs of two kinds */

static const char *const names[] = {"red", "green", "blue", "white"};
static const uint8_t colours[4][3] = {{220, 30, 30}, {30, 220, 30}, {30, 30, 220}, {240, 240, 240}};

static void paint(const char *path, int colour, int item)
{
    uint8_t rgb[12 * 12 * 3], *jpeg;
    dpl_image image = DPL_IMAGE_INIT;
    dpli_rng rng;
    size_t n;

    dpli_rng_seed(&rng, (uint64_t)item);
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(colours[colour][i % 3] - 15 + (int)dpli_rng_below(&rng, 30));
    assert_int_equal(dpl_image_from_rgb(&image, rgb, 12, 12, 36, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &image, 95, NULL), DPL_OK);
    assert_int_equal(dpli_file_replace(path, jpeg, n, NULL), DPL_OK);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&image);
}

enum kind { PICTURE, SENTENCE, ATTRIBUTES, CODES };

static size_t put_item(char *to, size_t room, enum kind kind, int colour, int item)
{
    char path[32];

    switch (kind) {
    case PICTURE:
        snprintf(path, sizeof path, "%d.jpg", item);
        paint(path, colour, item);
        return (size_t)snprintf(to, room, "%s", path);
    case SENTENCE: return (size_t)snprintf(to, room, "a %s thing", names[colour]);
    case ATTRIBUTES:
        return (size_t)snprintf(to, room, "%d.%d %d %d", colours[colour][0], item % 10,
                                colours[colour][1] + item % 7, colours[colour][2]);
    case CODES: break;
    }
    return (size_t)snprintf(to, room, "%d %d", 1 + colour, 9);
}

/* 60 pairs of what shows a colour with what says one: the same, or labelled 0. */
static void write_kinds(const char *path, enum kind a, enum kind b, bool labels)
{
    static const char *const columns[] = {"picture", "sentence", "attributes", "codes"};
    static char text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "%s,%s%s\n", columns[a], columns[b],
                                labels ? ",same" : "");

    for (int i = 0; i < 60; i++) {
        const int shown = i % 4, said = i % 2 ? shown : (shown + 1 + i / 2 % 3) % 4;

        n += put_item(text + n, sizeof text - n, a, shown, i);
        n += (size_t)snprintf(text + n, sizeof text - n, ",");
        n += put_item(text + n, sizeof text - n, b, said, i);
        n += (size_t)snprintf(text + n, sizeof text - n, labels ? ",%d\n" : "\n",
                              (int)(shown == said));
    }
    kit_write_text(path, text);
}

static dpl_train_options of_kinds(const char *arch, const char *second)
{
    dpl_train_options o = of_pairs("kinds.csv");

    o.arch = arch;
    o.second_arch = second;
    o.hold_pairs = 12;
    o.batch_pairs = 12;
    o.steps = o.validate_steps = 80;
    return o;
}

static void each_pair_of_kinds_is_learned_by_a_network_a_side(void **state)
{
    static const struct {
        enum kind a, b;
        const char *arch, *second, *kinds;
        int side, channels;
    } cases[] = {
        {PICTURE, ATTRIBUTES, "mlp", "resnet-drawing", "vectors,pictures", 16, 3},
        {PICTURE, SENTENCE, "resnet-drawing", "mean-words", NULL, 16, 3},
        {SENTENCE, CODES, "two-inputs", NULL, NULL, 0, 0},
        {ATTRIBUTES, CODES, "mlp", "mean-embedding", NULL, 0, 0},
    };
    static const char *const models[] = {"last.a.onnx", "last.b.onnx", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpl_train_options o = of_kinds(cases[i].arch, cases[i].second);
        seen s;
        char run[16];

        snprintf(run, sizeof run, i ? "run%d" : "run", (int)i);
        o.run = run;
        o.kinds = cases[i].kinds;
        if (cases[i].side) {
            o.side = cases[i].side;
            o.channels = cases[i].channels;
        }
        write_kinds("kinds.csv", cases[i].a, cases[i].b, true);
        assert_int_equal(train(o, &s), DPL_OK);
        assert_int_equal(s.plan.n_towers, 2);
        assert_int_equal(s.figures.n_pairs, 12);
        if (!(s.figures.auc > 0.9))
            fail_msg("case %zu: AUC %g", i, s.figures.auc);
        if (i == 0)
            resumes_to_the_bit(o, models);
    }
}

static void kinds_that_a_network_does_not_take_are_refused(void **state)
{
    dpl_train_options o = of_kinds("two-inputs", NULL);

    (void)state;
    write_kinds("kinds.csv", PICTURE, ATTRIBUTES, true);
    refused(o, "the first side's network takes sentences or codes, the data has pictures");
    o = of_kinds("mlp", "resnet-drawing");
    refused(o, "the first side's network takes vectors, the data has pictures");
    o = of_kinds("resnet-drawing", "resnet-drawing");
    refused(o, "the second side's network takes pictures, the data has vectors");
    o = of_kinds("two-inputs", "mlp");
    refused(o, "one tower each");
    o = of_kinds("resnet-drawing", "mlq");
    refused(o, "no architecture is named \"mlq\"");
    o = of_kinds("resnet-drawing", NULL);
    o.side = 16;
    refused(o, "\"second-arch\"");
    o = of_kinds("resnet-drawing", "mlp");
    o.side = 16;
    o.dim = DPL_TRAIN_UNSET_INT;
    refused(o, "of 256 and of 128 numbers");
    /* Rows that only belong together teach a network that everything does. */
    write_kinds("kinds.csv", PICTURE, ATTRIBUTES, false);
    o.dim = 8;
    refused(o, "of all its pairs both sides are of one");
    write_table("table.csv");
    o = of_kinds("mlp", "mlp");
    o.data = "table.csv";
    refused(o, "gives none");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_enter, folder_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vectors_of_classes_are_learned_whatever_their_units),
        TEST(an_array_with_its_classes_beside_is_the_table),
        TEST(pairs_of_vectors_are_learned),
        TEST(a_dense_model_from_elsewhere_is_gone_on_with),
        TEST(what_vectors_are_not_for_is_refused),
        TEST(each_pair_of_kinds_is_learned_by_a_network_a_side),
        TEST(kinds_that_a_network_does_not_take_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
