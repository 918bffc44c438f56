/*
 * bench_net.c - one network by itself: milliseconds a batch, and where they go.
 *
 * usage: bench_net MODEL.onnx N C H W [REPEATS [PRECISION [THREADS]]]
 *
 * Prints a line of CSV (minimum, median, 95th percentile) and then each step with its best time.
 * The comparison with another runtime is bench/net_vs_peers.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doppel/net.h"

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const int n_repeats = argc > 6 ? atoi(argv[6]) : 30;
    dpl_net_options options = DPL_NET_OPTIONS_INIT;
    dpl_shape shape = {.rank = 4};
    dpl_net *net = NULL;
    dpl_plan *plan = NULL;
    dpl_error err;
    double *times = NULL;
    char *text = NULL;
    size_t n_floats = 1;
    int code = 4;

    if (argc < 6 || n_repeats < 10) {
        fputs("usage: bench_net MODEL.onnx N C H W [REPEATS (10 or more) [f32|bf16x3|bf16|int8 "
              "[THREADS]]]\n",
              stderr);
        return 2;
    }
    for (int i = 0; i < 4; i++) {
        shape.dims[i] = atoll(argv[i + 2]);
        n_floats *= (size_t)shape.dims[i];
    }
    times = calloc((size_t)n_repeats, sizeof *times);
    if (!times)
        return 5;
    if (argc > 7)
        options.precision = strcmp(argv[7], "bf16") == 0     ? DPL_PRECISION_BF16
                            : strcmp(argv[7], "int8") == 0   ? DPL_PRECISION_INT8
                            : strcmp(argv[7], "bf16x3") == 0 ? DPL_PRECISION_BF16X3
                                                             : DPL_PRECISION_FLOAT32;
    if (dpl_net_open(&net, argv[1], &options, &err) != DPL_OK ||
        dpl_plan_new_on(&plan, net, &shape, DPL_LAYOUT_NHWC, argc > 8 ? atoi(argv[8]) : 1, &err) !=
            DPL_OK)
        goto done;
    for (int i = -3; i < n_repeats; i++) {
        float *in = dpl_plan_input(plan, 0);
        double start;

        for (size_t j = 0; j < n_floats; j++)
            in[j] = (float)(j * 7919 % 2003) / 1001.5f - 1;
        start = now_ms();
        if (dpl_plan_run(plan, &err) != DPL_OK)
            goto done;
        if (i >= 0)
            times[i] = now_ms() - start;
    }
    qsort(times, (size_t)n_repeats, sizeof *times, ascending);
    printf("model,n,c,h,w,level,min_ms,median_ms,p95_ms\n%s,%s,%s,%s,%s,%s,%.3f,%.3f,%.3f\n",
           argv[1], argv[2], argv[3], argv[4], argv[5], dpl_cpu_level(), times[0],
           times[n_repeats / 2], times[n_repeats * 95 / 100]);
    if (dpl_plan_describe(&text, plan, n_repeats, &err) != DPL_OK)
        goto done;
    fputs(text, stdout);
    code = 0;

done:
    if (code)
        fprintf(stderr, "bench_net: %s\n", err.message);
    free(text);
    dpl_plan_free(plan);
    dpl_net_close(net);
    free(times);
    return code;
}
