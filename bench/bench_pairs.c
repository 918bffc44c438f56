/*
 * bench_pairs.c - training steps of a named network of sentences, on pairs that are given.
 *
 * usage: bench_pairs ARCH PAIRS LENGTH THREADS
 *
 * A step is forward of both sides, the network's own loss, backward, and its optimizer (Nadam for
 * malstm, else Adam); all sentences are full, of ids below 5,000, and malstm's words are frozen.
 * For each number that it reads it takes so many steps and prints the medians in milliseconds, of
 * the clock and of all processors, and the peak of memory in MB. The comparison with another
 * runtime is bench/sentences_vs_torch.py --arch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "doppel/net.h"
#include "net/arch.h"
#include "net/init.h"
#include "net/tape.h"
#include "train/loss.h"
#include "train/optimizer.h"

#define MAX_PARAMS 64
#define MAX_RUNS   1000

typedef struct bench {
    const dpli_arch *arch;
    dpli_graph graphs[2];
    dpli_team *team;
    dpli_tape *tapes[2];
    dpli_loss *loss;
    dpli_optimizer *optimizer;
    dpli_param *params[MAX_PARAMS], *shared[MAX_PARAMS][2];
    int32_t n_params, n_shared, n_pairs, length;
    float *embeddings, *grads;
    dpli_pair *pairs;
    int64_t step;
} bench;

static double now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool is_words(void *ctx, const char *layer)
{
    (void)ctx;
    return strcmp(layer, "words") == 0;
}

static dpl_status make_tower(bench *b, int tower, dpl_error *err)
{
    const bool malstm = strcmp(b->arch->name, "malstm") == 0;
    const dpli_tape_options options = {.freeze = malstm ? is_words : NULL,
                                       .max_bytes = (size_t)64 << 30};
    const int32_t rows = b->n_pairs * (b->arch->n_towers > 1 ? 1 : 2);
    dpl_status status = dpli_arch_build(&b->graphs[tower], b->arch->name,
                                        &(dpli_arch_options){.second = tower > 0}, err);

    if (status == DPL_OK)
        status = dpli_tape_new(&b->tapes[tower], &b->graphs[tower], b->team,
                               &(dpl_shape){2, {rows, b->length}}, &options, err);
    for (int32_t i = 0; status == DPL_OK && i < dpli_tape_n_params(b->tapes[tower]); i++) {
        dpli_param *p = dpli_tape_param(b->tapes[tower], i);
        dpli_param *first =
            tower && strncmp(p->name, "bilstm", 6) == 0 ? dpli_tape_param(b->tapes[0], i) : NULL;

        if (first) {
            p->value = first->value;
            b->shared[b->n_shared][0] = first;
            b->shared[b->n_shared++][1] = p;
        } else {
            b->params[b->n_params++] = p;
        }
    }
    for (int32_t i = 0; status == DPL_OK && i < rows * b->length; i++)
        dpli_tape_input(b->tapes[tower])->ids[i] = 1 + (int64_t)i * 7919 % 4999;
    return status;
}

static dpl_status make(bench *b, dpl_error *err)
{
    const bool malstm = strcmp(b->arch->name, "malstm") == 0, two = b->arch->n_towers > 1;
    const dpli_optimizer_options how = dpli_optimizer_defaults(malstm ? DPLI_NADAM : DPLI_ADAM);
    dpl_status status = DPL_OK;

    for (int t = 0; t < b->arch->n_towers && status == DPL_OK; t++)
        status = make_tower(b, t, err);
    if (status != DPL_OK)
        return status;
    dpli_init_run(b->params, b->n_params, DPLI_INIT_GLOROT, 1);
    const int32_t dim = dpli_tape_output(b->tapes[0])->c;
    status = dpli_loss_new(
        &b->loss,
        &(dpli_loss_options){.kind = malstm ? DPLI_LOSS_MANHATTAN_CE : DPLI_LOSS_L1_SIMILARITY,
                             .dim = dim},
        err);
    for (int32_t i = 0; status == DPL_OK && i < dpli_loss_n_params(b->loss); i++)
        b->params[b->n_params++] = dpli_loss_param(b->loss, i);
    if (status == DPL_OK)
        status = dpli_optimizer_new(&b->optimizer, &how, NULL, 0, b->params, b->n_params, err);
    b->embeddings = calloc((size_t)(2 * b->n_pairs) * (size_t)dim, sizeof(float));
    b->grads = calloc((size_t)(2 * b->n_pairs) * (size_t)dim, sizeof(float));
    b->pairs = calloc((size_t)b->n_pairs, sizeof *b->pairs);
    if (!b->embeddings || !b->grads || !b->pairs)
        return DPL_E_MEMORY;
    for (int32_t k = 0; k < b->n_pairs; k++)
        b->pairs[k] = (dpli_pair){two ? k : 2 * k, two ? b->n_pairs + k : 2 * k + 1, (float)(k % 2),
                                  1.0f / (float)b->n_pairs};
    return status;
}

static dpl_status take_step(bench *b, dpl_error *err)
{
    const dpli_progress at = {b->step++, 1000000, 1000};
    double value, norm;
    dpl_status status;

    for (int t = 0; t < b->arch->n_towers; t++) {
        const dpli_tensor *out = dpli_tape_output(b->tapes[t]);
        const size_t n = (size_t)out->shape.dims[0] * (size_t)out->c;

        dpli_tape_forward(b->tapes[t], (int32_t)out->shape.dims[0], true, (uint64_t)b->step);
        memcpy(b->embeddings + (size_t)t * n, out->value, n * sizeof(float));
    }
    status = dpli_loss_run(&value, b->loss,
                           &(dpli_loss_batch){.n = 2 * b->n_pairs,
                                              .embeddings = b->embeddings,
                                              .grad = b->grads,
                                              .pairs = b->pairs,
                                              .n_pairs = (size_t)b->n_pairs},
                           b->team, NULL, err);
    for (int t = 0; t < b->arch->n_towers && status == DPL_OK; t++) {
        const dpli_tensor *out = dpli_tape_output(b->tapes[t]);
        const size_t n = (size_t)out->shape.dims[0] * (size_t)out->c;

        memcpy(out->grad, b->grads + (size_t)t * n, n * sizeof(float));
        dpli_tape_backward(b->tapes[t]);
    }
    for (int32_t i = 0; i < b->n_shared && status == DPL_OK; i++)
        for (size_t k = 0; k < b->shared[i][0]->n; k++)
            b->shared[i][0]->grad[k] += b->shared[i][1]->grad[k];
    if (status == DPL_OK)
        dpli_optimizer_step(b->optimizer, &at, b->team, &norm);
    return status;
}

int main(int argc, char **argv)
{
    static double times[2][MAX_RUNS];
    bench b = {.arch = argc > 1 ? dpli_arch_find(argv[1]) : NULL,
               .n_pairs = argc > 2 ? atoi(argv[2]) : 0,
               .length = argc > 3 ? atoi(argv[3]) : 0};
    const int n_threads = argc > 4 ? atoi(argv[4]) : 0;
    struct rusage usage;
    dpl_error err = {0};
    dpl_status status;
    int n_runs;

    if (!b.arch || b.arch->takes != DPLI_TAKES_IDS || b.n_pairs < 1 || b.length < 1) {
        fputs("usage: bench_pairs ARCH PAIRS LENGTH THREADS\n", stderr);
        return 2;
    }
    dpl_blas_set_threads(1);
    status = dpli_team_new(&b.team, n_threads, &err);
    if (status == DPL_OK)
        status = make(&b, &err);
    while (status == DPL_OK && scanf("%d", &n_runs) == 1 && n_runs > 0 && n_runs <= MAX_RUNS) {
        for (int i = 0; i < n_runs && status == DPL_OK; i++) {
            const double start = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);

            status = take_step(&b, &err);
            times[0][i] = now_ms(CLOCK_MONOTONIC) - start;
            times[1][i] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        }
        for (int k = 0; k < 2; k++)
            qsort(times[k], (size_t)n_runs, sizeof *times[k], ascending);
        getrusage(RUSAGE_SELF, &usage);
        printf("%.3f %.3f %.0f\n", times[0][n_runs / 2], times[1][n_runs / 2],
               (double)usage.ru_maxrss / 1e3);
        fflush(stdout);
    }
    if (status != DPL_OK)
        fprintf(stderr, "bench_pairs: %s\n", err.message);
    free(b.embeddings);
    free(b.grads);
    free(b.pairs);
    dpli_optimizer_free(b.optimizer);
    dpli_loss_free(b.loss);
    for (int t = 0; t < 2; t++) {
        dpli_tape_free(b.tapes[t]);
        dpli_graph_clear(&b.graphs[t]);
    }
    dpli_team_free(b.team);
    return status == DPL_OK ? 0 : 4;
}
