/*
 * test_tape.c - networks of sentences on a tape go forward and back as PyTorch's do
 * (tests/golden/gradient), whatever the team, in a batch that is full and in one that is not.
 *
 * Tolerance: 2e-5 of a tensor's largest value, or of a hundredth of the net's largest gradient
 * where all are smaller: a bias of attention's keys has none, but for rounding. float32 rounds each
 * term by 2^-24 = 6e-8; a gradient has gone through some ten layers and steps and is a sum of some
 * hundred terms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>

#include "net/arch.h"
#include "net/load.h"
#include "net/tape.h"
#include "tests/net/golden_file.h"
#include "tests/net/onnx_writer.h"

#define TOLERANCE   2e-5
#define MAX_TENSORS 64

static dpli_param *named(dpli_tape *tape, const char *name)
{
    for (int32_t i = 0; i < dpli_tape_n_params(tape); i++) {
        if (strcmp(dpli_tape_param(tape, i)->name, name) == 0)
            return dpli_tape_param(tape, i);
    }
    return NULL;
}

static int compare(const char *net, const char *what, int n_threads, const float *got,
                   const float *want, size_t n, double least_scale)
{
    size_t at;
    double worst = got ? worst_difference(got, want, n, least_scale, &at) : INFINITY;

    if (worst <= TOLERANCE)
        return 0;
    print_error("%s, %d threads: %s is off by %.3g of its largest%s\n", net, n_threads, what, worst,
                got ? "" : ": it is not there");
    return 1;
}

typedef struct golden {
    uint8_t *model;
    size_t n_model;
    tensor in[2], out[MAX_TENSORS]; /* ids and cotangent; y and the gradients */
    uint32_t n_out;
} golden;

static void open_golden(golden *k, const char *name)
{
    char path[512];
    size_t n_bytes;
    uint8_t *bytes;
    reader r;

    snprintf(path, sizeof path, "%s/tests/golden/gradient/%s.onnx", DPL_SOURCE_DIR, name);
    k->model = read_whole(path, &k->n_model);
    snprintf(path, sizeof path, "%s/tests/golden/gradient/%s.bin", DPL_SOURCE_DIR, name);
    bytes = read_whole(path, &n_bytes);
    assert_non_null(k->model);
    assert_non_null(bytes);
    r = (reader){bytes + 4, n_bytes - 4};
    assert_int_equal(take_tensors(&r, k->in, 2), 2);
    k->n_out = take_tensors(&r, k->out, MAX_TENSORS);
    assert_true(k->n_out > 1 && r.left == 0 && k->in[0].ids);
    free(bytes);
}

static void close_golden(golden *k)
{
    free(k->model);
    free_tensors(k->in, 2);
    free_tensors(k->out, k->n_out);
}

/* A tape of so many rows more than are in use, run forward and back. */
static dpli_tape *run(const golden *k, dpli_graph *g, dpli_team *team, int32_t more, int n_runs)
{
    const dpli_tape_options options = {.max_bytes = (size_t)1 << 30};
    const int32_t n = (int32_t)k->in[0].shape.dims[0];
    const size_t n_y = n_elements(&k->in[1].shape);
    dpl_shape shape = k->in[0].shape;
    dpl_error err = {0};
    dpli_tape *tape;

    if (dpli_graph_for_training(g, k->model, k->n_model, &err) != DPL_OK)
        fail_msg("%s", err.message);
    shape.dims[0] += more;
    if (dpli_tape_new(&tape, g, team, &shape, &options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < n_runs; i++) {
        memcpy(dpli_tape_input(tape)->ids, k->in[0].ids,
               n_elements(&k->in[0].shape) * sizeof(int64_t));
        dpli_tape_forward(tape, n, true, 1);
        if (dpli_tape_fault(tape, &err) != DPL_OK)
            fail_msg("%s", err.message);
        memcpy(dpli_tape_output(tape)->grad, k->in[1].values, n_y * sizeof(float));
        /* What is behind the rows in use is nobody's. */
        memset(dpli_tape_output(tape)->grad + n_y, 0xff,
               (size_t)more * n_y / (size_t)n * sizeof(float));
        dpli_tape_backward(tape);
    }
    return tape;
}

static int run_net(const char *name, int n_threads, int32_t more)
{
    golden k;
    dpli_graph g = {0};
    dpli_team *team;
    dpli_tape *tape;
    double largest = 0;
    int failed = 0;

    open_golden(&k, name);
    for (uint32_t i = 1; i < k.n_out; i++) {
        for (size_t e = 0; e < n_elements(&k.out[i].shape); e++)
            largest = fmax(largest, fabs((double)k.out[i].values[e]));
    }
    assert_int_equal(dpli_team_new(&team, n_threads, NULL), DPL_OK);
    /* Twice: nothing may be left of the first time. */
    tape = run(&k, &g, team, more, 2);
    assert_null(dpli_tape_not_finite(tape, true));
    failed += compare(name, "the output", n_threads, dpli_tape_output(tape)->value, k.out[0].values,
                      n_elements(&k.out[0].shape), 1e-3);
    for (uint32_t i = 1; i < k.n_out; i++) {
        const dpli_param *p = named(tape, k.out[i].name);

        assert_non_null(p);
        failed += compare(name, k.out[i].name, n_threads, p->grad, k.out[i].values,
                          n_elements(&k.out[i].shape), 1e-2 * largest);
    }
    dpli_tape_free(tape);
    dpli_graph_clear(&g);
    dpli_team_free(team);
    close_golden(&k);
    return failed;
}

static void run_all(int n_threads, int32_t more)
{
    struct dirent **entries;
    int n = scandir(DPL_SOURCE_DIR "/tests/golden/gradient", &entries, NULL, alphasort);
    int failed = 0, n_nets = 0;

    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char *end = strrchr(entries[i]->d_name, '.');

        if (end && strcmp(end, ".onnx") == 0) {
            *end = '\0';
            failed += run_net(entries[i]->d_name, n_threads, more);
            n_nets++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(n_nets >= 20);
    assert_int_equal(failed, 0);
}

static void networks_of_sentences_go_back_as_pytorch_does(void **state)
{
    (void)state;
    run_all(1, 0);
}

static void so_they_do_on_three_threads(void **state)
{
    (void)state;
    run_all(3, 0);
}

static void so_does_a_batch_that_is_not_full(void **state)
{
    (void)state;
    run_all(2, 3);
}

static void of_a_table_no_row_of_the_step_before_is_left(void **state)
{
    golden k;
    dpli_graph g[2] = {{0}};
    dpli_team *team;
    dpli_tape *tape, *fresh;

    (void)state;
    open_golden(&k, "mean_under_mask");
    assert_int_equal(dpli_team_new(&team, 2, NULL), DPL_OK);
    tape = run(&k, &g[0], team, 0, 1);
    for (size_t i = 0; i < n_elements(&k.in[0].shape); i++)
        k.in[0].ids[i] = k.in[0].ids[i] == 0 ? 0 : 10 - k.in[0].ids[i] % 3;
    fresh = run(&k, &g[1], team, 0, 1);
    memcpy(dpli_tape_input(tape)->ids, k.in[0].ids, n_elements(&k.in[0].shape) * sizeof(int64_t));
    dpli_tape_forward(tape, (int32_t)k.in[0].shape.dims[0], true, 1);
    memcpy(dpli_tape_output(tape)->grad, k.in[1].values,
           n_elements(&k.in[1].shape) * sizeof(float));
    dpli_tape_backward(tape);
    for (uint32_t i = 1; i < k.n_out; i++) {
        const dpli_param *p = named(tape, k.out[i].name);

        assert_non_null(p->rows);
        assert_memory_equal(p->grad, named(fresh, k.out[i].name)->grad, p->n * sizeof(float));
    }
    dpli_tape_free(tape);
    dpli_tape_free(fresh);
    dpli_graph_clear(&g[0]);
    dpli_graph_clear(&g[1]);
    dpli_team_free(team);
    close_golden(&k);
}

/* Sentences of up to 5 of 20 words, behind which is nothing, on a tape for 12 steps and on one
 * beside it for 5: the same vectors and gradients, in the same memory, whoever went before. */
static void tapes_for_shorter_sentences_share_all_with_the_longest(void **state)
{
    enum { ROWS = 6, LONG = 12, SHORT = 5, DIM = 8, MOST = 1 << 15 };
    static float grads[2][16][MOST];
    const dpli_arch_options arch = {.dim = DIM, .words = 20, .width = 6};
    dpli_tape_options options = {.max_bytes = SIZE_MAX};
    float out[2][ROWS * DIM];
    dpli_tape *tapes[2];
    dpli_graph g;
    dpli_team *team;

    (void)state;
    assert_int_equal(dpli_arch_build(&g, "malstm", &arch, NULL), DPL_OK);
    assert_int_equal(dpli_team_new(&team, 2, NULL), DPL_OK);
    for (int k = 0; k < 2; k++) {
        const dpl_shape shape = {2, {ROWS, k ? SHORT : LONG}};

        options.beside = k ? tapes[0] : NULL;
        assert_int_equal(dpli_tape_new(&tapes[k], &g, team, &shape, &options, NULL), DPL_OK);
    }
    assert_int_equal(dpli_tape_bytes(tapes[1]), 0);
    assert_ptr_equal(dpli_tape_param(tapes[0], 1), dpli_tape_param(tapes[1], 1));
    for (int32_t i = 0; i < dpli_tape_n_params(tapes[0]); i++) {
        dpli_param *p = dpli_tape_param(tapes[0], i);

        for (size_t j = 0; j < p->n; j++)
            p->value[j] = 0.3f * sinf((float)(j * 7 + (size_t)i));
    }
    for (int pass = 0; pass < 4; pass++) {
        const int which = pass % 2, steps = which ? SHORT : LONG;
        dpli_tape *t = tapes[which];

        for (int b = 0; b < ROWS; b++)
            for (int i = 0; i < steps; i++)
                dpli_tape_input(t)->ids[b * steps + i] =
                    i < 1 + (b + 3 * (pass / 2)) % SHORT ? 1 + (b * 5 + i * 3 + pass / 2) % 19 : 0;
        dpli_tape_forward(t, ROWS, false, 0);
        memcpy(out[which], dpli_tape_output(t)->value, sizeof out[which]);
        for (int i = 0; i < ROWS * DIM; i++)
            dpli_tape_output(t)->grad[i] = cosf((float)i);
        dpli_tape_backward(t);
        for (int32_t i = 0; i < dpli_tape_n_params(t); i++) {
            const dpli_param *p = dpli_tape_param(t, i);

            assert_true(i < 16 && p->n <= MOST * 8);
            for (size_t j = 0; j < p->n && j < MOST && p->grad; j++)
                grads[which][i][j] = p->grad[j];
        }
        if (!which)
            continue;
        /* The sums are those of the same steps, in the same order. */
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        for (int32_t i = 0; i < dpli_tape_n_params(t); i++)
            assert_memory_equal(grads[0][i], grads[1][i], sizeof grads[0][i]);
    }
    dpli_tape_free(tapes[1]);
    dpli_tape_free(tapes[0]);
    dpli_graph_clear(&g);
    dpli_team_free(team);
}

static void only_what_goes_back_is_kept(void **state)
{
    golden k;
    dpli_graph g[2] = {{0}};
    dpli_team *team;
    dpli_tape *both, *forward;
    const dpli_tape_options options = {.max_bytes = (size_t)1 << 30, .forward_only = true};
    dpl_error err;

    (void)state;
    open_golden(&k, "lstm_bidirectional");
    assert_int_equal(dpli_team_new(&team, 1, NULL), DPL_OK);
    both = run(&k, &g[0], team, 0, 1);
    assert_int_equal(dpli_graph_for_training(&g[1], k.model, k.n_model, &err), DPL_OK);
    assert_int_equal(dpli_tape_new(&forward, &g[1], team, &k.in[0].shape, &options, &err), DPL_OK);
    memcpy(dpli_tape_input(forward)->ids, k.in[0].ids,
           n_elements(&k.in[0].shape) * sizeof(int64_t));
    dpli_tape_forward(forward, (int32_t)k.in[0].shape.dims[0], false, 1);
    assert_memory_equal(dpli_tape_output(forward)->value, dpli_tape_output(both)->value,
                        n_elements(&k.in[1].shape) * sizeof(float));
    assert_true(dpli_tape_bytes(forward) < dpli_tape_bytes(both));
    dpli_tape_free(both);
    dpli_tape_free(forward);
    dpli_graph_clear(&g[0]);
    dpli_graph_clear(&g[1]);
    dpli_team_free(team);
    close_golden(&k);
}

/* ------------------------------------------------------------------ steps that are one */

enum { PICTURES = 3, IN_C = 2, NORM_C = 19, SIDE = 3 };

typedef struct joined_case {
    const char *what, *op;
    int64_t n_slopes; /* 0: the operator has none */
    bool training;
    const char *frozen; /* a layer, or NULL */
    bool joins;
} joined_case;

static bool is_frozen(void *ctx, const char *layer)
{
    return ctx && strcmp(ctx, layer) == 0;
}

/* A convolution, the norm, what is behind it, and a vector a picture; between the two a product
 * with 1, where they are to stay apart. */
static dpli_buf norm_net(const joined_case *c, bool apart)
{
    float numbers[IN_C * NORM_C], from_below[NORM_C], above[NORM_C];
    const int64_t channels[] = {NORM_C}, weight[] = {NORM_C, IN_C, 1, 1};
    const int64_t slope[] = {c->n_slopes, 1, 1};
    writer w = {0};

    for (int i = 0; i < IN_C * NORM_C; i++)
        numbers[i] = sinf((float)(5 * i + 1));
    for (int i = 0; i < NORM_C; i++) {
        from_below[i] = 0.5f * cosf((float)(3 * i));
        above[i] = 0.5f + (float)(i % 4);
    }
    add_input(&w, "x", 4, (int64_t[]){-1, IN_C, SIDE, SIDE});
    add_tensor(&w, "weight", 1, 4, weight, numbers);
    add_tensor(&w, "gamma", 1, 1, channels, above);
    add_tensor(&w, "beta", 1, 1, channels, from_below);
    add_tensor(&w, "mean", 1, 1, channels, from_below);
    add_tensor(&w, "variance", 1, 1, channels, above);
    if (c->n_slopes)
        add_tensor(&w, "slope", 1, 3, slope, from_below);
    if (apart)
        add_tensor(&w, "one", 1, 1, (int64_t[]){1}, (float[]){1});
    add_node(&w, "Conv", "x weight", "conv");
    add_node(&w, "BatchNormalization", "conv gamma beta mean variance", "norm");
    if (apart)
        add_node(&w, "Mul", "norm one", "same");
    add_node(&w, c->op,
             c->n_slopes ? (apart ? "same slope" : "norm slope") : (apart ? "same" : "norm"),
             "act");
    attr_int(&w, "axis", 1);
    add_node(&w, "Flatten", "act", "y");
    add_output(&w, "y");
    return finish(&w, 13);
}

static dpli_tape *run_norm_net(const joined_case *c, dpli_graph *g, dpli_buf *bytes,
                               dpli_team *team)
{
    const dpli_tape_options options = {
        .freeze = is_frozen, .freeze_ctx = (void *)(uintptr_t)c->frozen, .max_bytes = 1 << 24};
    dpl_error err = {0};
    dpli_tape *tape;

    if (dpli_graph_for_training(g, bytes->data, bytes->len, &err) != DPL_OK)
        fail_msg("%s: %s", c->what, err.message);
    if (dpli_tape_new(&tape, g, team, &(dpl_shape){4, {PICTURES + 1, IN_C, SIDE, SIDE}}, &options,
                      &err) != DPL_OK)
        fail_msg("%s: %s", c->what, err.message);
    for (uint64_t step = 0; step < 2; step++) {
        for (int i = 0; i < PICTURES * IN_C * SIDE * SIDE; i++)
            dpli_tape_input(tape)->value[i] = sinf((float)(i * i + 3 * (int)step));
        dpli_tape_forward(tape, PICTURES, c->training, step);
        for (int i = 0; i < PICTURES * NORM_C * SIDE * SIDE; i++)
            dpli_tape_output(tape)->grad[i] = cosf((float)(7 * i));
        dpli_tape_backward(tape);
    }
    return tape;
}

/* A norm and the activation behind it are one pass, and of it comes what comes of two. */
static void a_norm_takes_the_activation_behind_it_to_the_bit(void **state)
{
    static const joined_case list[] = {
        {"a slope a channel", "PRelu", NORM_C, true, NULL, true},
        {"one slope", "PRelu", 1, true, NULL, true},
        {"relu", "Relu", 0, true, NULL, true},
        {"by running averages", "PRelu", NORM_C, false, NULL, true},
        {"scale is frozen", "PRelu", NORM_C, true, "gamma", true},
        {"slope is frozen", "PRelu", NORM_C, true, "slope", true},
        {"another activation", "Sigmoid", 0, true, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            dpli_buf bytes[2];
            dpli_graph g[2] = {{0}};
            dpli_tape *tapes[2];
            dpli_team *team;
            int n_grads = 0;

            assert_int_equal(dpli_team_new(&team, n_threads, NULL), DPL_OK);
            for (int apart = 0; apart < 2; apart++) {
                bytes[apart] = norm_net(&list[i], apart);
                tapes[apart] = run_norm_net(&list[i], &g[apart], &bytes[apart], team);
                assert_int_equal(dpli_tape_step_at(tapes[apart], 1)->joined != NULL,
                                 list[i].joins && !apart);
            }
            assert_memory_equal(dpli_tape_output(tapes[0])->value,
                                dpli_tape_output(tapes[1])->value,
                                PICTURES * NORM_C * SIDE * SIDE * sizeof(float));
            for (int32_t p = 0; p < dpli_tape_n_params(tapes[0]); p++) {
                const dpli_param *a = dpli_tape_param(tapes[0], p), *b = named(tapes[1], a->name);

                assert_memory_equal(a->value, b->value, a->n * sizeof(float));
                assert_int_equal(a->grad != NULL, b->grad != NULL);
                n_grads += a->grad != NULL;
                if (a->grad)
                    assert_memory_equal(a->grad, b->grad, a->n * sizeof(float));
            }
            assert_int_equal(n_grads, 3 + (list[i].n_slopes > 0) - (list[i].frozen != NULL));
            assert_true(dpli_tape_bytes(tapes[0]) < dpli_tape_bytes(tapes[1]));
            for (int apart = 0; apart < 2; apart++) {
                dpli_tape_free(tapes[apart]);
                dpli_graph_clear(&g[apart]);
                dpli_buf_clear(&bytes[apart]);
            }
            dpli_team_free(team);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_norm_takes_the_activation_behind_it_to_the_bit),
        cmocka_unit_test(networks_of_sentences_go_back_as_pytorch_does),
        cmocka_unit_test(so_they_do_on_three_threads),
        cmocka_unit_test(so_does_a_batch_that_is_not_full),
        cmocka_unit_test(of_a_table_no_row_of_the_step_before_is_left),
        cmocka_unit_test(tapes_for_shorter_sentences_share_all_with_the_longest),
        cmocka_unit_test(only_what_goes_back_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
