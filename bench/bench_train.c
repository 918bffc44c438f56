/*
 * bench_train.c - one training step of a named network: pictures a second, and where they go.
 *
 * usage: bench_train ARCH BATCH [THREADS] [REPEATS] [f32|bf16]
 *
 * A step is forward, the gradient of pairs under the L1 head, backward and Adam, on random
 * pictures. Prints a line of CSV, then each layer's time a step. The comparison with another
 * runtime is bench/train_vs_torch.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "doppel/net.h"
#include "net/arch.h"
#include "net/init.h"
#include "net/ops/op.h"
#include "net/tape.h"
#include "train/loss.h"
#include "train/optimizer.h"

#define MAX_PARAMS 4096

static double now_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const int32_t n = argc > 2 ? atoi(argv[2]) : 0;
    const int n_threads = argc > 3 ? atoi(argv[3]) : 0, n_repeats = argc > 4 ? atoi(argv[4]) : 10;
    const dpli_tape_options tape_options = {.narrow = argc > 5 && strcmp(argv[5], "bf16") == 0,
                                            .max_bytes = (size_t)64 << 30};
    dpli_optimizer_options how = dpli_optimizer_defaults(DPLI_ADAM);
    dpli_arch_options arch_options = {.channels = 1};
    dpli_param *params[MAX_PARAMS];
    dpli_graph g = {0};
    dpli_team *team = NULL;
    dpli_tape *tape = NULL;
    dpli_loss *loss = NULL;
    dpli_optimizer *optimizer = NULL;
    dpli_pair *pairs = NULL;
    double *times = NULL, total = 0, least = INFINITY;
    struct rusage usage;
    dpl_error err = {0};
    int32_t n_params = 0;
    int code = 4;

    if (argc < 3 || n < 2 || n_repeats < 1) {
        fputs("usage: bench_train ARCH BATCH [THREADS] [REPEATS] [f32|bf16]\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "mobilefacenet") == 0)
        arch_options.channels = 3;
    dpl_blas_set_threads(1);
    if (dpli_team_new(&team, n_threads, &err) != DPL_OK ||
        dpli_arch_build(&g, argv[1], &arch_options, &err) != DPL_OK ||
        dpli_tape_new(&tape, &g, team, &(dpl_shape){4, {n, arch_options.channels, 105, 105}},
                      &tape_options, &err) != DPL_OK)
        goto done;
    for (int32_t i = 0; i < dpli_tape_n_params(tape); i++)
        params[n_params++] = dpli_tape_param(tape, i);
    dpli_init_run(params, n_params, DPLI_INIT_HE, 1);
    if (dpli_loss_new(&loss,
                      &(dpli_loss_options){.kind = DPLI_LOSS_L1_SIGMOID,
                                           .dim = dpli_tape_output(tape)->c,
                                           .margin = 1},
                      &err) != DPL_OK)
        goto done;
    for (int32_t i = 0; i < dpli_loss_n_params(loss); i++)
        params[n_params++] = dpli_loss_param(loss, i);
    how.rate = 1e-4;
    if (dpli_optimizer_new(&optimizer, &how, NULL, 0, params, n_params, &err) != DPL_OK)
        goto done;
    pairs = calloc((size_t)n / 2, sizeof *pairs);
    times = calloc((size_t)n_repeats, sizeof *times);
    if (!pairs || !times)
        goto done;
    for (int32_t i = 0; i < n / 2; i++)
        pairs[i] = (dpli_pair){2 * i, 2 * i + 1, (float)(i % 2), 2.0f / (float)n};
    for (size_t i = 0; i < dpli_tensor_floats(dpli_tape_input(tape)); i++)
        dpli_tape_input(tape)->value[i] = (float)(i * 7919 % 2003) / 2003.0f;
    for (int i = -2; i < n_repeats; i++) {
        const dpli_progress at = {.step = i + 2, .n_steps = 1000, .steps_an_epoch = 100};
        const double start = now_s(CLOCK_MONOTONIC), processor = now_s(CLOCK_PROCESS_CPUTIME_ID);
        double value, norm;

        dpli_tape_forward(tape, n, true, (uint64_t)i);
        if (dpli_loss_run(&value, loss,
                          &(dpli_loss_batch){.n = n,
                                             .embeddings = dpli_tape_output(tape)->value,
                                             .grad = dpli_tape_output(tape)->grad,
                                             .pairs = pairs,
                                             .n_pairs = (size_t)n / 2},
                          team, NULL, &err) != DPL_OK)
            goto done;
        dpli_tape_backward(tape);
        dpli_optimizer_step(optimizer, &at, team, &norm);
        if (i < 0)
            continue;
        times[i] = now_s(CLOCK_MONOTONIC) - start;
        least = fmin(least, now_s(CLOCK_PROCESS_CPUTIME_ID) - processor);
    }
    qsort(times, (size_t)n_repeats, sizeof *times, ascending);
    getrusage(RUSAGE_SELF, &usage);
    printf("arch,batch,threads,blas_core,min_ms,median_ms,pictures_a_second,peak_mb,"
           "processor_min_ms\n");
    printf("%s,%d,%d,%s,%.1f,%.1f,%.2f,%.0f,%.1f\n", argv[1], (int)n, dpli_team_size(team),
           dpl_blas_core(), times[0] * 1e3, times[n_repeats / 2] * 1e3, n / times[n_repeats / 2],
           (double)usage.ru_maxrss / 1e3, least * 1e3);
    for (int32_t k = 0; k < dpli_tape_n_steps(tape); k++) {
        const dpli_tape_step *s = dpli_tape_step_at(tape, k);

        printf("%-20s %-24s forward %8.2f ms  backward %8.2f ms\n", s->node->op->name,
               s->node->name, s->forward_s / (n_repeats + 2) * 1e3,
               s->backward_s / (n_repeats + 2) * 1e3);
        total += s->forward_s + s->backward_s;
    }
    printf("layers together %.1f ms, the rest is the loss and the optimizer\n",
           total / (n_repeats + 2) * 1e3);
    code = 0;
done:
    if (code)
        fprintf(stderr, "bench_train: %s\n", err.message);
    free(times);
    free(pairs);
    dpli_optimizer_free(optimizer);
    dpli_loss_free(loss);
    dpli_tape_free(tape);
    dpli_graph_clear(&g);
    dpli_team_free(team);
    return code;
}
