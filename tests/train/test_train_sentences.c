/*
 * test_train_sentences.c - runs on pairs of sentences, codes and vectors that the data gives: what
 * is resumed ends to the bit as what was not, two towers share what they are told to, what cannot
 * go together is refused; files of words' vectors, right and wrong; which pairs make a batch.
 */
#include "tests/train/train_kit.h"

#include <math.h>

#include "doppel/net.h"
#include "doppel/text.h"
#include "net/load.h"
#include "train/sampler.h"
#include "train/word_vectors.h"
#include "train/words.h"

/* ------------------------------------------------------------------ helpers */

typedef struct seen {
    dpl_train_plan plan;
    dpl_train_figures figures;
    int n_validated, n_warned;
    double first_loss, last_loss;
} seen;

static void watch(void *ctx, const dpl_train_event *e)
{
    seen *s = ctx;

    if (e->kind == DPL_TRAIN_PLANNED)
        s->plan = *e->plan;
    if (e->kind == DPL_TRAIN_STEPPED) {
        if (e->step == 1)
            s->first_loss = e->loss;
        s->last_loss = e->loss;
    }
    s->n_warned += e->kind == DPL_TRAIN_WARNED;
    s->n_validated += e->kind == DPL_TRAIN_VALIDATED;
    if (e->kind == DPL_TRAIN_VALIDATED)
        s->figures = e->figures;
}

static dpl_error last_error;

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

static const char *const animals[] = {"cat", "dog", "horse", "bird", "fish", "mouse"};
static const char *const deeds[] = {"sleeps", "runs far", "eats a lot of bread", "sings", "swims"};

/* 60 pairs: the same where the animal is; what it does says nothing. */
static void write_pairs(const char *path)
{
    char text[8192];
    size_t n = 0;

    for (int i = 0; i < 60; i++) {
        const int a = i % 6, b = i % 2 ? a : (a + 1 + i % 5) % 6;
        n += (size_t)snprintf(text + n, sizeof text - n, "The %s %s\tA %s %s\t%d\n", animals[a],
                              deeds[i % 5], animals[b], deeds[(i / 5 + 2) % 5], (int)(a == b));
    }
    kit_write_text(path, text);
}

static dpl_train_options of_sentences(const char *arch)
{
    dpl_train_options o = DPL_TRAIN_OPTIONS_INIT;

    write_pairs("pairs.tsv");
    o.data = "pairs.tsv";
    o.arch = arch;
    o.run = "run";
    o.length = 8;
    o.batch_pairs = 8;
    o.hold_pairs = 10;
    o.steps = 6;
    o.validate_steps = 3;
    o.threads = 2;
    return o;
}

static const float *constant_of(const dpli_graph *g, const char *name, size_t *n)
{
    for (int32_t i = 0; i < g->n_values; i++) {
        if (strcmp(g->values[i].name, name) == 0) {
            *n = (size_t)dpli_shape_elements(&g->values[i].shape);
            return g->values[i].data;
        }
    }
    fail_msg("nothing is named %s", name);
    return NULL;
}

static void read_graph(dpli_graph *g, const char *path)
{
    uint8_t *bytes;
    size_t n;

    assert_int_equal(dpli_file_read(&bytes, &n, path, (size_t)1 << 28, NULL), DPL_OK);
    assert_int_equal(dpli_graph_for_training(g, bytes, n, NULL), DPL_OK);
    free(bytes);
}

/* ------------------------------------------------------------------ runs */

static void a_run_on_given_pairs_resumes_to_the_bit(void **state)
{
    dpl_train_options o = of_sentences("malstm");
    seen s;

    (void)state;
    o.dim = 8;
    assert_int_equal(train(o, &s), DPL_OK);
    assert_int_equal(s.plan.n_pairs, 50);
    assert_int_equal(s.plan.n_held_pairs, 10);
    assert_int_equal(s.plan.steps, 8);
    assert_int_equal(s.plan.epoch_steps, 6);
    assert_string_equal(s.plan.best, "accuracy");
    assert_int_equal(s.n_validated, 2);
    assert_int_equal(s.figures.n_pairs, 10);
    assert_true(s.figures.n_same + s.figures.n_different == 10);
    assert_true(isnan(s.figures.oneshot) && isfinite(s.figures.loss));
    assert_true(s.figures.correct >= 0 && s.figures.correct <= 1);
    o.run = "parts";
    o.steps = 3;
    assert_int_equal(train(o, NULL), DPL_OK);
    dpl_train_options again = DPL_TRAIN_OPTIONS_INIT;
    again.run = "parts";
    again.resume = true;
    again.steps = 6;
    assert_int_equal(train(again, NULL), DPL_OK);
    kit_same_files("run/last.onnx", "parts/last.onnx");
}

static void what_pairs_have_in_common_is_learned(void **state)
{
    dpl_train_options o = of_sentences("bilstm-mean");
    seen s;

    (void)state;
    o.dim = 32;
    o.steps = 60;
    o.rate = 0.01;
    o.validate_steps = 60;
    assert_int_equal(train(o, &s), DPL_OK);
    /* Guessing costs ln 2. */
    assert_true(s.last_loss < 0.4);
    assert_true(s.figures.auc > 0.8);
}

static void a_model_of_sentences_is_one_file_that_knows_its_words(void **state)
{
    static const char text[] = "the CAT runs";
    dpl_train_options o = of_sentences("malstm");
    dpl_tokenizer *t;
    dpl_net *net;
    int64_t ids[8];
    dpl_sentence about;

    (void)state;
    o.dim = 8;
    o.steps = 1;
    assert_int_equal(train(o, NULL), DPL_OK);
    assert_int_equal(dpl_net_open(&net, "run/last.onnx", NULL, NULL), DPL_OK);
    assert_int_equal(dpl_tokenizer_from_net(&t, net, 0, NULL), DPL_OK);
    assert_int_equal(dpl_tokenizer_about(t)->length, 8);
    assert_int_equal(dpl_tokenizer_encode(ids, &about, t, text, strlen(text), NULL), DPL_OK);
    assert_int_equal(about.n, 3);
    assert_int_equal(about.n_unknown, 0);
    dpl_tokenizer_free(t);
    dpl_net_close(net);
}

static void two_towers_share_what_they_are_told_to(void **state)
{
    dpl_train_options o = of_sentences("bilstm-l1");
    dpli_graph g[2];
    size_t n = 0, m = 0;
    seen s;

    (void)state;
    o.dim = 8;
    assert_int_equal(train(o, &s), DPL_OK);
    assert_int_equal(s.plan.n_towers, 2);
    read_graph(&g[0], "run/last.a.onnx");
    read_graph(&g[1], "run/last.b.onnx");
    for (int i = 0; i < 3; i++) {
        const char *const names[] = {"bilstm.weight", "bilstm.state", "bilstm.bias"};
        const float *a = constant_of(&g[0], names[i], &n), *b = constant_of(&g[1], names[i], &m);

        assert_int_equal(n, m);
        assert_memory_equal(a, b, n * sizeof *a);
    }
    const float *a = constant_of(&g[0], "words.weight", &n);
    const float *b = constant_of(&g[1], "words.weight", &m);
    assert_int_equal(n, m);
    assert_true(memcmp(a, b, n * sizeof *a) != 0);
    /* The layer that both have is counted once. */
    assert_int_equal(s.plan.n_parameters, 2 * n + 2 * 16 * (128 + 4 + 2));
    /* Both have moved from where they began. */
    dpli_graph start;
    read_graph(&start, "run/start.b.onnx");
    const float *first = constant_of(&start, "words.weight", &m);
    assert_true(memcmp(first, b, n * sizeof *b) != 0);
    first = constant_of(&start, "bilstm.weight", &n);
    assert_true(memcmp(first, constant_of(&g[1], "bilstm.weight", &m), n * sizeof *first) != 0);
    dpli_graph_clear(&start);
    dpli_graph_clear(&g[0]);
    dpli_graph_clear(&g[1]);
    /* And resumed they go on together. */
    o.run = "parts";
    o.steps = 2;
    assert_int_equal(train(o, NULL), DPL_OK);
    dpl_train_options again = DPL_TRAIN_OPTIONS_INIT;
    again.run = "parts";
    again.resume = true;
    again.steps = 6;
    assert_int_equal(train(again, NULL), DPL_OK);
    kit_same_files("run/last.a.onnx", "parts/last.a.onnx");
    kit_same_files("run/last.b.onnx", "parts/last.b.onnx");
}

static void codes_and_sentences_go_through_a_tower_each(void **state)
{
    dpl_train_options o = of_sentences("two-inputs");
    char text[4096] = "sentence,codes,same\n";
    seen s;

    (void)state;
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "the %s %s,%d %d,%d\n",
                 animals[i % 6], deeds[i % 5], 1 + (i % 2 ? i % 6 : (i + 1) % 6), 90, i % 2);
    kit_write_text("two.csv", text);
    o.data = "two.csv";
    o.length = DPL_TRAIN_UNSET_INT;
    assert_int_equal(train(o, &s), DPL_OK);
    assert_int_equal(s.plan.n_towers, 2);
    assert_true(s.figures.n_pairs == 10 && isfinite(s.figures.auc));
    /* One tower takes things of one kind. */
    o.run = "one";
    o.arch = "mean-embedding";
    assert_int_equal(train(o, NULL), DPL_E_ARGUMENT);
    assert_non_null(strstr(last_error.message, "two towers"));
}

static void graded_pairs_are_judged_by_correlation(void **state)
{
    dpl_train_options o = of_sentences("mean-embedding");
    char text[8192] = "";
    seen s;

    (void)state;
    for (int i = 0; i < 60; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "a %s %s\tthe %s %s\t%d\n",
                 animals[i % 6], deeds[i % 5], animals[(i + i / 6) % 6], deeds[i % 5],
                 5 - (i / 6) % 5);
    kit_write_text("graded.tsv", text);
    o.data = "graded.tsv";
    o.loss = "manhattan-se";
    o.scale_low = 1;
    o.scale_high = 5;
    assert_int_equal(train(o, &s), DPL_OK);
    assert_string_equal(s.plan.best, "pearson");
    assert_true(isfinite(s.figures.pearson) && isfinite(s.figures.spearman));
    assert_true(s.figures.squared_error > 0 && s.figures.squared_error < 1);
}

static void pairs_of_one_label_are_refused(void **state)
{
    dpl_train_options o = of_sentences("mean-embedding");
    char text[4096] = "";
    seen s;

    (void)state;
    o.steps = 2;
    assert_int_equal(train(o, &s), DPL_OK);
    assert_int_equal(s.n_warned, 0);
    for (int i = 0; i < 30; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "the %s\ta %s\t1\n",
                 animals[i % 6], animals[i % 6]);
    kit_write_text("pairs.tsv", text);
    o.run = "one";
    assert_int_equal(train(o, &s), DPL_E_INPUT);
}

static void what_does_not_go_with_given_pairs_is_refused(void **state)
{
    static const struct {
        const char *words;
        const char *arch, *loss, *tokens, *vectors, *share;
        int classes, plain;
        double low;
    } cases[] = {
        {"losses of pairs", "malstm", "triplet", NULL, NULL, NULL, -1, -1, DPL_TRAIN_UNSET_REAL},
        {"batch-pairs", "malstm", NULL, NULL, NULL, NULL, 4, -1, DPL_TRAIN_UNSET_REAL},
        {"takes pictures", "koch2015", NULL, NULL, NULL, NULL, -1, -1, DPL_TRAIN_UNSET_REAL},
        {"networks of sentences", "koch2015", NULL, "words", NULL, NULL, -1, -1,
         DPL_TRAIN_UNSET_REAL},
        {"is for two towers", "malstm", NULL, NULL, NULL, "bilstm1", -1, -1, DPL_TRAIN_UNSET_REAL},
        {"no layer to share fits \"nothing\"", "two-inputs", NULL, NULL, NULL, "nothing", -1, -1,
         DPL_TRAIN_UNSET_REAL},
        {"missing.merges", "malstm", NULL, "missing.merges", NULL, NULL, -1, -1,
         DPL_TRAIN_UNSET_REAL},
        {"missing.txt", "malstm", NULL, NULL, "missing.txt", NULL, -1, -1, DPL_TRAIN_UNSET_REAL},
        {"scale of grades", "malstm", NULL, NULL, NULL, NULL, -1, -1, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const share[] = {cases[i].share, NULL};
        dpl_train_options o = of_sentences(cases[i].arch);

        o.loss = cases[i].loss;
        o.tokens = cases[i].tokens;
        o.vectors = cases[i].vectors;
        o.share = cases[i].share ? share : NULL;
        if (cases[i].classes > 0) {
            o.batch_pairs = DPL_TRAIN_UNSET_INT;
            o.batch_classes = o.batch_items = cases[i].classes;
        }
        if (strcmp(cases[i].arch, "koch2015") == 0)
            o.length = DPL_TRAIN_UNSET_INT;
        o.scale_low = cases[i].low;
        assert_int_not_equal(train(o, NULL), DPL_OK);
        if (!strstr(last_error.message, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", last_error.message, cases[i].words);
        assert_true(access("run", F_OK) != 0);
    }
}

/* ------------------------------------------------------------------ words */

static void vectors_begin_the_table_and_frozen_they_end_it(void **state)
{
    static const char *const words[] = {"words", NULL};
    dpl_train_options o = of_sentences("malstm");
    dpli_graph g;
    dpl_net *net;
    dpl_tokenizer *t;
    size_t n;
    seen s;

    (void)state;
    /* "zebra" no sentence has, "The" none that is lower-cased; "a b" is no word. */
    kit_write_text("vectors.txt",
                   "5 3\ncat 1 2 3\ndog -1 .5 1e-2 \nzebra 7 8 9\nThe 4 4 4\ncat 9 9 9\n");
    o.vectors = "vectors.txt";
    o.freeze = words;
    o.dim = 8;
    assert_int_equal(train(o, &s), DPL_OK);
    assert_int_equal(dpl_net_open(&net, "run/last.onnx", NULL, NULL), DPL_OK);
    assert_int_equal(dpl_tokenizer_from_net(&t, net, 0, NULL), DPL_OK);
    read_graph(&g, "run/last.onnx");
    const float *table = constant_of(&g, "words.weight", &n);
    const int32_t cat = dpl_tokenizer_find(t, "cat"), zebra = dpl_tokenizer_find(t, "zebra");
    const int32_t n_tokens = dpl_tokenizer_about(t)->n_tokens;
    assert_int_equal(n, 3 * n_tokens);
    assert_true(cat > 1 && table[3 * cat] == 1 && table[3 * cat + 2] == 3);
    /* Words that only the vectors have come last. */
    assert_int_equal(zebra, n_tokens - 1);
    assert_true(table[3 * zebra] == 7);
    assert_int_equal(dpl_tokenizer_find(t, "The"), -1);
    assert_int_equal(s.plan.n_words, n_tokens);
    /* All but padding, the unknown word, cat, dog and zebra. */
    assert_int_equal(s.plan.n_missing, n_tokens - 5);
    /* Frozen is frozen. */
    dpli_graph start;
    size_t m;
    read_graph(&start, "run/start.onnx");
    assert_memory_equal(constant_of(&start, "words.weight", &m), table, n * sizeof *table);
    dpli_graph_clear(&start);
    dpli_graph_clear(&g);
    dpl_tokenizer_free(t);
    dpl_net_close(net);
}

static void vectors_are_read_with_and_without_a_first_line(void **state)
{
    dpli_word_vectors v;

    (void)state;
    kit_write_text("w2v.txt", "2 2\nb 1 2\na\t3\t4\r\n");
    kit_write_text("glove.txt", "b 1 2\n  5 6\nb 7 8\na 3 4");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dpli_word_vectors_read(&v, i ? "glove.txt" : "w2v.txt", NULL), DPL_OK);
        assert_int_equal(v.dim, 2);
        assert_int_equal(v.n - v.n_twice, 2);
        assert_int_equal(v.n_blank, i);
        assert_true(dpli_word_vectors_find(&v, "a")[1] == 4);
        assert_true(dpli_word_vectors_find(&v, "b")[0] == 1);
        assert_null(dpli_word_vectors_find(&v, "c"));
        dpli_word_vectors_clear(&v);
    }
}

static void files_that_are_no_vectors_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "has no words"},
        {"3 2\na 1 2\nb 1 2\n", "says that it has 3 words, and has 2"},
        {"a 1 2\nb 1\n", "line 2: number 2 of 2 is missing"},
        {"a 1 2\nb 1 2 3\n", "line 2: more than 2 numbers"},
        {"a 1 x\n", "line 1: number 2 of 2 is no finite number"},
        {"a 1 2\nb nan 2\n", "line 2: number 1 of 2 is no finite number"},
        {"a 1 2\nb 1e99 2\n", "line 2: number 1 of 2 is no finite number"},
        {"a\n", "line 1: 0 numbers a word, not 1 to 65536"},
        {"1 99999999\na 1\n", "line 1: 99999999 numbers a word, not 1 to 65536"},
        {"a 1 2\n\xff 1 2\n", "line 2: the word is not UTF-8"},
    };
    char *long_line = malloc((2u << 20) + 1);
    dpli_word_vectors v;
    dpl_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kit_write_text("bad.txt", cases[i].text);
        assert_int_equal(dpli_word_vectors_read(&v, "bad.txt", &err), DPL_E_INPUT);
        if (!strstr(err.message, cases[i].words) || !strstr(err.message, "\"bad.txt\""))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].words);
        assert_int_equal(v.n, 0);
    }
    memset(long_line, '1', 2u << 20);
    long_line[2u << 20] = '\0';
    memcpy(long_line, "a 1\n", 4);
    kit_write_text("bad.txt", long_line);
    assert_int_equal(dpli_word_vectors_read(&v, "bad.txt", &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "line 2: is over a megabyte"));
    memset(long_line, 'a', 300);
    memcpy(long_line + 300, " 1\n", 4);
    kit_write_text("bad.txt", long_line);
    assert_int_equal(dpli_word_vectors_read(&v, "bad.txt", &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "a word of 300 bytes, limit is 256"));
    assert_int_equal(dpli_file_replace("bad.txt", "a 1\0 2\n", 7, NULL), DPL_OK);
    assert_int_equal(dpli_word_vectors_read(&v, "bad.txt", &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "line 1: has a NUL byte"));
    assert_int_equal(dpli_word_vectors_read(&v, "none.txt", &err), DPL_E_INPUT);
    free(long_line);
}

/* ------------------------------------------------------------------ batches */

enum { N_GIVEN = 103, BATCH = 4 };

static dpli_given given[N_GIVEN];

static dpli_draws given_draws(int32_t n_towers)
{
    for (int32_t i = 0; i < N_GIVEN; i++)
        given[i] = (dpli_given){i, 1000 + i, (float)(i % 2), 1 + i * 37 % 20};
    return (dpli_draws){.n_towers = n_towers, .pairs = given, .n_pairs = N_GIVEN};
}

static void each_given_pair_is_drawn_at_most_once_an_epoch(void **state)
{
    const int32_t n_batches = N_GIVEN / BATCH;

    (void)state;
    for (int32_t n_towers = 1; n_towers <= 2; n_towers++) {
        const dpli_draws pool = given_draws(n_towers);
        const dpli_sampler_options options = {
            .pool = &pool, .seed = 3, .pairs = BATCH, .want_pairs = true};
        int first_order[N_GIVEN] = {0}, spread = 0;
        dpli_sampler *s;
        dpli_row rows[2 * BATCH];
        dpli_pair pairs[BATCH];
        size_t n;

        assert_int_equal(dpli_sampler_new(&s, &options, NULL), DPL_OK);
        assert_int_equal(dpli_sampler_pairs(s), BATCH);
        for (int32_t epoch = 0; epoch < 2; epoch++) {
            int times[N_GIVEN] = {0}, differ = 0;

            for (int32_t b = 0; b < n_batches; b++) {
                int32_t least = 99, most = 0;

                dpli_sampler_draw(s, epoch * n_batches + b, rows, pairs, &n);
                assert_int_equal(n, BATCH);
                for (int k = 0; k < BATCH; k++) {
                    const int32_t i = rows[pairs[k].a].item;

                    assert_int_equal(rows[pairs[k].b].item, 1000 + i);
                    assert_int_equal(pairs[k].a, n_towers > 1 ? k : 2 * k);
                    assert_int_equal(pairs[k].b, n_towers > 1 ? BATCH + k : 2 * k + 1);
                    assert_true(pairs[k].target == (float)(i % 2));
                    assert_true(pairs[k].weight == 1.0f / BATCH);
                    times[i]++;
                    differ += epoch && first_order[b * BATCH + k] != i;
                    first_order[b * BATCH + k] = i;
                    least = given[i].steps < least ? given[i].steps : least;
                    most = given[i].steps > most ? given[i].steps : most;
                }
                spread += most - least;
            }
            for (int i = 0, all = 0; i < N_GIVEN; i++) {
                assert_true(times[i] <= 1);
                all += times[i];
                assert_true(i < N_GIVEN - 1 || all == n_batches * BATCH);
            }
            assert_true(!epoch || differ > N_GIVEN / 2);
        }
        /* Four of 1..20 by chance are 12 apart in the mean. */
        assert_true(spread < 2 * n_batches * 4);
        dpli_sampler_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_on_given_pairs_resumes_to_the_bit, folder_enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(what_pairs_have_in_common_is_learned, folder_enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(a_model_of_sentences_is_one_file_that_knows_its_words,
                                        folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(two_towers_share_what_they_are_told_to, folder_enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(codes_and_sentences_go_through_a_tower_each, folder_enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(graded_pairs_are_judged_by_correlation, folder_enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(pairs_of_one_label_are_refused,
                                        folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(what_does_not_go_with_given_pairs_is_refused, folder_enter,
                                        folder_leave),
        cmocka_unit_test_setup_teardown(vectors_begin_the_table_and_frozen_they_end_it,
                                        folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(vectors_are_read_with_and_without_a_first_line,
                                        folder_enter, folder_leave),
        cmocka_unit_test_setup_teardown(files_that_are_no_vectors_are_refused_with_the_line,
                                        folder_enter, folder_leave),
        cmocka_unit_test(each_given_pair_is_drawn_at_most_once_an_epoch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
