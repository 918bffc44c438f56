/*
 * bench_precision.c - what a precision makes of decisions, vectors and landmarks: each pair of a
 * list by two pipelines, one in float32, one in the precision asked for.
 *
 * usage: bench_precision bf16x3|bf16|int8|auto ENCODER DETECTOR IMAGE_ENCODER LIST DIR [MAX_PAIRS]
 *
 * LIST as of dpl_pairs_read; IMAGE_ENCODER may be "none". Prints one line of CSV. This is the rule
 * for a model's fact "precision" (models/README.md).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/doppel.h"

typedef struct figures {
    size_t n, cap;
    double *at;
} figures;

static void add(figures *f, double x)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 1024;
        f->at = realloc(f->at, f->cap * sizeof *f->at);
        if (!f->at)
            abort();
    }
    f->at[f->n++] = x;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double share(figures *f, double of)
{
    qsort(f->at, f->n, sizeof *f->at, ascending);
    return f->n ? f->at[(size_t)(of * (double)(f->n - 1))] : NAN;
}

static double cosine(const float *a, const float *b, int32_t dim)
{
    double ab = 0, aa = 0, bb = 0;

    for (int32_t i = 0; i < dim; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static double overlap(const dpl_face *a, const dpl_face *b)
{
    const float left = fmaxf(a->x_px, b->x_px), top = fmaxf(a->y_px, b->y_px);
    const float right = fminf(a->x_px + a->w_px, b->x_px + b->w_px);
    const float bottom = fminf(a->y_px + a->h_px, b->y_px + b->h_px);
    const double both =
        right > left && bottom > top ? (double)(right - left) * (double)(bottom - top) : 0;

    return both / ((double)a->w_px * (double)a->h_px + (double)b->w_px * (double)b->h_px - both);
}

static figures moved, face_cosines, image_cosines, score_steps;
static size_t n_faces[2], n_missed;

/* The faces of one photo, side by side. */
static void compare(const dpl_photo *a, const dpl_photo *b, int32_t dim, int32_t image_dim)
{
    n_faces[0] += a->n_faces;
    n_faces[1] += b->n_faces;
    for (size_t i = 0; i < a->n_faces; i++) {
        size_t best = SIZE_MAX;
        double most = .5, worst = 0;

        for (size_t j = 0; j < b->n_faces; j++) {
            const double o = overlap(&a->faces[i], &b->faces[j]);

            best = o > most ? j : best;
            most = o > most ? o : most;
        }
        if (best == SIZE_MAX) {
            n_missed++;
            continue;
        }
        for (int k = 0; k < 5; k++) {
            const dpl_point p = a->faces[i].landmarks[k], q = b->faces[best].landmarks[k];

            worst = fmax(worst, (double)hypotf(p.x_px - q.x_px, p.y_px - q.y_px));
        }
        add(&moved, worst);
        add(&face_cosines,
            cosine(a->vectors + i * (size_t)dim, b->vectors + best * (size_t)dim, dim));
    }
    if (a->image_vector && b->image_vector)
        add(&image_cosines, cosine(a->image_vector, b->image_vector, image_dim));
}

int main(int argc, char **argv)
{
    dpl_pipeline *pipelines[2] = {NULL, NULL};
    dpl_scratch *scratch[2] = {NULL, NULL};
    dpl_pairs pairs = {0};
    dpl_policy policy;
    size_t n = 0, n_differ = 0, right[2] = {0, 0}, max_pairs = SIZE_MAX;
    dpl_error err;
    int code = 4;

    if (argc < 7) {
        fputs(
            "usage: bench_precision bf16x3|bf16|int8|auto ENCODER DETECTOR IMAGE_ENCODER LIST DIR "
            "[MAX_PAIRS]\n",
            stderr);
        return 2;
    }
    if (argc > 7)
        max_pairs = (size_t)strtoull(argv[7], NULL, 10);
    argv++;
    for (int k = 0; k < 2; k++) {
        dpl_pipeline_options o = DPL_PIPELINE_OPTIONS_INIT;

        o.encoder_path = argv[1];
        o.detector_path = argv[2];
        o.image_path = strcmp(argv[3], "none") == 0 ? NULL : argv[3];
        o.net.precision = !k                               ? DPL_PRECISION_FLOAT32
                          : strcmp(argv[0], "bf16") == 0   ? DPL_PRECISION_BF16
                          : strcmp(argv[0], "int8") == 0   ? DPL_PRECISION_INT8
                          : strcmp(argv[0], "bf16x3") == 0 ? DPL_PRECISION_BF16X3
                                                           : DPL_PRECISION_AUTO;
        if (dpl_pipeline_open(&pipelines[k], &o, &err) != DPL_OK ||
            dpl_scratch_new(&scratch[k], 0, &err) != DPL_OK)
            goto done;
    }
    if (dpl_net_precision(dpl_encoder_net(dpl_pipeline_encoder(pipelines[1]))) ==
        DPL_PRECISION_FLOAT32) {
        fputs("bench_precision: the encoder computes in float32 either way\n", stderr);
        return 77;
    }
    if (dpl_policy_make(&policy, dpl_pipeline_calibration(pipelines[0]), NAN, NAN, &err) != DPL_OK)
        goto done;
    if (dpl_pairs_read(&pairs, argv[4], argv[5], &err) != DPL_OK)
        goto done;
    for (; n < pairs.n && n < max_pairs; n++) {
        dpl_photo photos[2][2] = {{DPL_PHOTO_INIT, DPL_PHOTO_INIT},
                                  {DPL_PHOTO_INIT, DPL_PHOTO_INIT}};
        int decisions[2];
        float scores[2] = {NAN, NAN};

        for (int k = 0; k < 2; k++) {
            dpl_verdict verdict;

            for (int side = 0; side < 2; side++) {
                const char *name = pairs.names[side ? pairs.pairs[n].b : pairs.pairs[n].a];
                char path[4096];

                snprintf(path, sizeof path, "%s/%s", argv[5], name);
                if (dpl_photo_open(&photos[k][side], pipelines[k], scratch[k], path, &err) !=
                    DPL_OK)
                    goto done;
            }
            if (dpl_verify(&verdict, pipelines[k], &policy, &photos[k][0], &photos[k][1], NULL,
                           &err) == DPL_OK) {
                decisions[k] = (int)verdict.decision;
                scores[k] = verdict.score;
            } else {
                decisions[k] = -(int)err.status;
            }
            right[k] += (decisions[k] == DPL_DECISION_MATCH) == (pairs.pairs[n].same != 0);
        }
        n_differ += decisions[0] != decisions[1];
        if (!isnan(scores[0]) && !isnan(scores[1]))
            add(&score_steps, fabs((double)scores[0] - (double)scores[1]));
        for (int side = 0; side < 2; side++) {
            const dpl_encoder *image = dpl_pipeline_image_encoder(pipelines[0]);

            compare(&photos[0][side], &photos[1][side],
                    dpl_encoder_dim(dpl_pipeline_encoder(pipelines[0])),
                    image ? dpl_encoder_dim(image) : 0);
            dpl_photo_clear(&photos[0][side]);
            dpl_photo_clear(&photos[1][side]);
        }
    }
    printf(
        "pairs,differ,right_f32,right,faces_f32,faces,missed,moved_median_px,"
        "moved_p95_px,moved_max_px,score_max,face_cosine_p1,face_cosine_min,image_cosine_p1,"
        "image_cosine_min\n%zu,%zu,%zu,%zu,%zu,%zu,%zu,%.3f,%.3f,%.3f,%.4f,%.5f,%.5f,%.5f,%.5f\n",
        n, n_differ, right[0], right[1], n_faces[0], n_faces[1], n_missed, share(&moved, .5),
        share(&moved, .95), share(&moved, 1), share(&score_steps, 1), share(&face_cosines, .01),
        share(&face_cosines, 0), share(&image_cosines, .01), share(&image_cosines, 0));
    code = 0;

done:
    if (code)
        fprintf(stderr, "bench_precision: %s\n", err.message);
    dpl_pairs_clear(&pairs);
    for (int k = 0; k < 2; k++) {
        dpl_scratch_free(scratch[k]);
        dpl_pipeline_close(pipelines[k]);
    }
    free(moved.at);
    free(face_cosines.at);
    free(image_cosines.at);
    free(score_steps.at);
    return code;
}
