/*
 * bench_copies - what `doppel dupes` compares and how it judges, for measuring: each pair of photos
 * that was laid over each other as a line of CSV on stdout, times on stderr.
 *
 *     bench_copies MODEL PATH…
 *
 * MODEL is the encoder of whole pictures. bench/dupes.py makes what it is run on.
 */
#include <stdio.h>
#include <string.h>

#include "doppel/doppel.h"

static void on_pair(void *ctx, const char *a, const char *b, float alike, const dpl_overlay *o)
{
    (void)ctx;
    printf("%.4f,%.4f,%.2f,%.4f,%d,%.2f,%.3f,%.3f,%.3f,%s,%s\n", (double)alike, (double)o->score,
           (double)o->evidence, (double)o->all_over, (int)o->orientation, (double)o->angle_deg,
           (double)o->shown_a, (double)o->shown_b, (double)o->scale, a, b);
}

int main(int argc, char **argv)
{
    dpl_pipeline_options models = DPL_PIPELINE_OPTIONS_INIT;
    dpl_copies_options options = DPL_COPIES_OPTIONS_INIT;
    dpl_pipeline *pipeline = NULL;
    dpl_copies_report report;
    dpl_status status;
    dpl_error err;

    if (argc < 3) {
        fputs("usage: bench_copies MODEL PATH...\n", stderr);
        return 2;
    }
    models.encoder_path = argv[1];
    models.decode.enough_px = 512;
    options.on_pair = on_pair;
    status = dpl_pipeline_open(&pipeline, &models, &err);
    puts("alike,score,evidence,all_over,orientation,angle_deg,shown_a,shown_b,scale,a,b");
    if (status == DPL_OK)
        status = dpl_find_copies(&report, pipeline, (const char *const *)(argv + 2),
                                 (size_t)(argc - 2), &options, &err);
    if (status == DPL_OK)
        fprintf(stderr, "%lld photos in %.1f s, %lld pairs, %lld groups\n",
                (long long)report.photos.n_files, report.photos.seconds, (long long)report.n_pairs,
                (long long)report.n_groups);
    else
        fprintf(stderr, "bench_copies: %s\n", err.message);
    dpl_pipeline_close(pipeline);
    return status == DPL_OK ? 0 : 1;
}
