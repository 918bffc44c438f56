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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_of_sentences_go_back_as_pytorch_does),
        cmocka_unit_test(so_they_do_on_three_threads),
        cmocka_unit_test(so_does_a_batch_that_is_not_full),
        cmocka_unit_test(of_a_table_no_row_of_the_step_before_is_left),
        cmocka_unit_test(tapes_for_shorter_sentences_share_all_with_the_longest),
        cmocka_unit_test(only_what_goes_back_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
