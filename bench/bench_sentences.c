/*
 * bench_sentences.c - a network of sentences, forward by a plan and both ways by a tape.
 *
 * usage: bench_sentences MODEL.onnx BATCH LENGTH THREADS [LEAST]
 *
 * The model takes ids [batch, length] below 1,000 and gives one vector each. Sentences are of LEAST
 * to LENGTH words (default LENGTH: all full), 0 behind them. For each number that it reads it runs
 * so many times and prints the medians in milliseconds, of the clock and then of all processors: a
 * plan's run, by BLAS's threads, a tape's forward, by the team's, and its forward and backward. The
 * comparison with another runtime is bench/sentences_vs_torch.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "doppel/net.h"
#include "net/load.h"
#include "net/ops/op.h"
#include "net/tape.h"

#define MAX_RUNS 1000

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Processor time of all threads: what a busy machine does not stretch. */
static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, ascending);
    return times[n / 2];
}

/* The table of words is given, as word vectors are. */
static bool is_table(void *ctx, const char *layer)
{
    (void)ctx;
    return strcmp(layer, "table") == 0;
}

int main(int argc, char **argv)
{
    const int64_t n = argc > 2 ? atoi(argv[2]) : 0, length = argc > 3 ? atoi(argv[3]) : 0;
    const int n_threads = argc > 4 ? atoi(argv[4]) : 1;
    const int64_t least = argc > 5 ? atoi(argv[5]) : length;
    const dpl_shape shape = {2, {n, length}};
    const dpli_tape_options options = {.freeze = is_table, .max_bytes = (size_t)64 << 30};
    dpl_net_options net_options = DPL_NET_OPTIONS_INIT;
    static double plan_ms[2][MAX_RUNS], tape_ms[2][MAX_RUNS], forward_ms[2][MAX_RUNS];
    int64_t *ids = NULL;
    uint8_t *bytes = NULL;
    size_t n_bytes, n_out;
    dpli_graph g = {0};
    dpli_team *team = NULL;
    dpli_tape *tape = NULL;
    dpl_net *net = NULL;
    dpl_plan *plan = NULL;
    dpl_error err = {0};
    struct rusage usage;
    int n_runs, code = 4;

    if (n < 1 || length < 1 || least < 0 || least > length || n_threads < 1) {
        fputs("usage: bench_sentences MODEL.onnx BATCH LENGTH THREADS [LEAST]\n", stderr);
        return 2;
    }
    net_options.max_arena_bytes = (size_t)8 << 30;
    net_options.max_operations = 1e13;
    if (dpli_file_read(&bytes, &n_bytes, argv[1], (size_t)1 << 30, &err) != DPL_OK ||
        dpl_net_load(&net, bytes, n_bytes, &net_options, &err) != DPL_OK ||
        dpl_plan_new(&plan, net, &shape, DPL_LAYOUT_NCHW, &err) != DPL_OK ||
        dpli_graph_for_training(&g, bytes, n_bytes, &err) != DPL_OK ||
        dpli_team_new(&team, n_threads, &err) != DPL_OK ||
        dpli_tape_new(&tape, &g, team, &shape, &options, &err) != DPL_OK)
        goto done;
    ids = calloc((size_t)(n * length), sizeof *ids);
    if (!ids)
        goto done;
    for (int64_t b = 0; b < n; b++) {
        const int64_t words = least + b * 7919 % (length - least + 1);

        for (int64_t t = 0; t < words; t++)
            ids[b * length + t] = 1 + (b * length + t) * 7907 % 999;
    }
    n_out = dpli_tensor_floats(dpli_tape_output(tape));
    while (scanf("%d", &n_runs) == 1 && n_runs > 0 && n_runs <= MAX_RUNS) {
        dpl_blas_set_threads(n_threads);
        for (int i = 0; i < n_runs; i++) {
            const double start = now_ms(), cpu = cpu_ms();

            memcpy(dpl_plan_input_int64(plan, 0), ids, (size_t)(n * length) * sizeof *ids);
            if (dpl_plan_run(plan, &err) != DPL_OK)
                goto done;
            plan_ms[0][i] = now_ms() - start;
            plan_ms[1][i] = cpu_ms() - cpu;
        }
        dpl_blas_set_threads(1);
        for (int i = 0; i < n_runs; i++) {
            const double start = now_ms(), cpu = cpu_ms();

            memcpy(dpli_tape_input(tape)->ids, ids, (size_t)(n * length) * sizeof *ids);
            dpli_tape_forward(tape, (int32_t)n, true, (uint64_t)i);
            forward_ms[0][i] = now_ms() - start;
            forward_ms[1][i] = cpu_ms() - cpu;
            for (size_t k = 0; k < n_out; k++)
                dpli_tape_output(tape)->grad[k] = 1.0f;
            dpli_tape_backward(tape);
            tape_ms[0][i] = now_ms() - start;
            tape_ms[1][i] = cpu_ms() - cpu;
        }
        getrusage(RUSAGE_SELF, &usage);
        for (int k = 0; k < 2; k++)
            printf("%.3f %.3f %.3f ", median(plan_ms[k], n_runs), median(forward_ms[k], n_runs),
                   median(tape_ms[k], n_runs));
        printf("%.0f\n", (double)usage.ru_maxrss / 1e3);
        fflush(stdout);
    }
    for (int32_t k = 0; k < dpli_tape_n_steps(tape); k++) {
        const dpli_tape_step *s = dpli_tape_step_at(tape, k);

        fprintf(stderr, "%-14s %-12s forward %9.1f ms  backward %9.1f ms\n", s->node->op->name,
                s->node->name, s->forward_s * 1e3, s->backward_s * 1e3);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "bench_sentences: %s\n", err.message);
    free(ids);
    free(bytes);
    dpl_plan_free(plan);
    dpl_net_close(net);
    dpli_tape_free(tape);
    dpli_graph_clear(&g);
    dpli_team_free(team);
    return code;
}
