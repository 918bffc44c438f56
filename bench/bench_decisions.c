/*
 * bench_decisions.c - whether stated rates hold: strangers declared a match, and genuine pairs
 * accepted, at FMR 1e-2, 1e-3 and 1e-4, on faces of every kind and against people of many photos.
 *
 * usage: bench_decisions MODEL GALLERIES DATA BEFORE [PART...]
 *        bench_decisions turn DEGREES FOLDER PHOTO...
 *
 *   MODEL      an ONNX file with a calibration: what decides now
 *   GALLERIES  a folder of the galleries that decisions.sh enrols by MODEL
 *   DATA       where lfw-dev/ and faces-train/ lie
 *   BEFORE     calibration of version 1, whose bars the score alone had to pass before
 *   PART       lfw, utkface, celeba, turned, genuine, claim, query, sizes; all unless told
 *
 * "turn" writes copies of photos, turned within a larger black picture.
 *
 * Tables in Markdown on standard output; pairs of strangers of the highest evidence follow them,
 * for looking: the labels hold doubles. decisions-same.txt lists those that were looked at; they do
 * not count. No two faces of one photo are compared, nor faces in photos of the same person.
 *
 * The 95 % intervals take into account that a face is in many pairs: the variance is the
 * dyadic-robust one over people (Aronow, Samii and Assenova 2015, equation 5, with as many
 * comparisons of a person as there are), the interval that of the binomial for the count of
 * independent pairs that would have this variance (Korn and Graubard 1998).
 */
#include "bench/decisions.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "index/pipeline.h"
#include "vision/image/warp.h"

/* ------------------------------------------------------------------ turn */

static void turn_one(double degrees, const char *folder, const char *path)
{
    const double turn = degrees * 3.14159265358979323846 / 180, c = cos(turn), s = sin(turn);
    dpl_image in = DPL_IMAGE_INIT, out = DPL_IMAGE_INIT;
    dpl_error err = {0};
    uint8_t *jpeg, *pixels;
    size_t n;
    char parent[LINE], name[LINE];

    check(dpl_image_open(&in, path, NULL, &err), &err);
    const int32_t w = (int32_t)lround(fabs(in.width_px * c) + fabs(in.height_px * s));
    const int32_t h = (int32_t)lround(fabs(in.width_px * s) + fabs(in.height_px * c));
    const double x = in.width_px / 2.0, y = in.height_px / 2.0;
    const float m[6] = {(float)c,  (float)s, (float)(x - (c * w + s * h) / 2),
                        (float)-s, (float)c, (float)(y - (c * h - s * w) / 2)};
    pixels = get((size_t)w * (size_t)h, 3);
    check(dpli_warp_affine(pixels, w, h, &in, m, &err), &err);
    check(dpl_image_from_rgb(&out, pixels, w, h, (size_t)w * 3, &err), &err);
    check(dpl_image_to_jpeg(&jpeg, &n, &out, 95, &err), &err);

    /* FOLDER/person/photo */
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        die("\"%s\" lies in no folder", path);
    *slash = '\0';
    const char *person = strrchr(parent, '/') ? strrchr(parent, '/') + 1 : parent;
    if (snprintf(name, sizeof name, "%s/%s", folder, person) >= (int)sizeof name)
        die("\"%s\" is too long", path);
    if (mkdir(name, 0777) != 0 && errno != EEXIST)
        die("\"%s\": %s", name, strerror(errno));
    if (snprintf(name, sizeof name, "%s/%s/%s", folder, person, slash + 1) >= (int)sizeof name)
        die("\"%s\" is too long", path);
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(jpeg, 1, n, f) != n || fclose(f) != 0)
        die("\"%s\": %s", name, strerror(errno));
    dpl_bytes_free(jpeg);
    free(pixels);
    dpl_image_clear(&in);
    dpl_image_clear(&out);
}

/* ------------------------------------------------------------------ main */

static void read_before(const char *path)
{
    dpl_error err = {0};
    FILE *f = fopen(path, "r");
    static char text[65536];

    if (!f)
        die("\"%s\": %s", path, strerror(errno));
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    check(dpl_calibration_parse(&judges.before, text, &err), &err);
    for (int r = 0; r < N_RATES; r++) {
        float reject;

        check(dpl_calibration_threshold(&judges.bar_before[r], &reject, judges.before, rates[r],
                                        &err),
              &err);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"lfw", part_lfw},       {"utkface", part_utkface}, {"celeba", part_celeba},
                 {"turned", part_turned}, {"genuine", part_genuine}, {"claim", part_claim},
                 {"query", part_query},   {"sizes", part_sizes}};
    enum { N_PARTS = sizeof parts / sizeof parts[0] };
    dpl_error err = {0};

    if (argc >= 4 && strcmp(argv[1], "turn") == 0) {
        for (int i = 4; i < argc; i++)
            turn_one(strtod(argv[2], NULL), argv[3], argv[i]);
        return 0;
    }
    if (argc < 5) {
        fputs("usage: bench_decisions MODEL GALLERIES DATA BEFORE [PART...]\n"
              "       bench_decisions turn DEGREES FOLDER PHOTO...\n",
              stderr);
        return 2;
    }
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    options.encoder_path = argv[1];
    galleries = argv[2];
    data = argv[3];
    check(dpl_pipeline_open(&judges.pipeline, &options, &err), &err);

    judges.dim = dpl_encoder_dim(dpl_pipeline_encoder(judges.pipeline));
    judges.calibration = dpl_pipeline_calibration(judges.pipeline);
    if (!judges.calibration)
        die("\"%s\" has no calibration", argv[1]);
    for (int r = 0; r < N_RATES; r++) {
        check(dpl_policy_make(&judges.policy[r], judges.calibration, rates[r], (double)NAN, &err),
              &err);
        judges.judge[r] = dpli_pipeline_judge(judges.pipeline, &judges.policy[r]);
    }
    read_before(argv[4]);
    printf("Before: score at least %.4f, %.4f, %.4f. Now: %s\n\n", (double)judges.bar_before[0],
           (double)judges.bar_before[1], (double)judges.bar_before[2],
           dpl_calibration_source(judges.calibration));
    for (int i = 5; i < argc; i++) {
        int k = 0;

        while (k < N_PARTS && strcmp(parts[k].name, argv[i]) != 0)
            k++;
        if (k == N_PARTS)
            die("no part \"%s\"", argv[i]);
        parts[k].run();
    }
    for (int k = 0; argc == 5 && k < N_PARTS; k++)
        parts[k].run();
    dpl_calibration_free(judges.before);
    dpl_pipeline_close(judges.pipeline);
    return 0;
}
