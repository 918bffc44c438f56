/*
 * bench_detect.c - what the detector takes for a face, photo by photo, and what it says of the
 * chip.
 *
 * usage: bench_detect DETECTOR.onnx ENCODER.onnx MIN-SCORE <PATHS
 *
 * A line of CSV for each path on stdin: the number of faces, the main one's score, size and
 * quality, and the best score that the detector gives its aligned chip, with a black margin of a
 * quarter of its side round it. Of photos of things every face is a false one, of photos of faces
 * one without is missed; docs/accuracy-log.md counts them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/face.h"

/* The best score within the chip; 0 when nothing in it looks like a face. */
static float chip_score(const dpl_detector *detector, dpl_scratch *scratch, const uint8_t *chip,
                        int32_t w, int32_t h)
{
    const int32_t margin = w / 4, wide = w + 2 * margin, high = h + 2 * margin;
    dpl_detect_options o = DPL_DETECT_OPTIONS_INIT;
    uint8_t *pixels = calloc((size_t)wide * (size_t)high, 3);
    dpl_image image = DPL_IMAGE_INIT;
    dpl_face *faces = NULL;
    size_t n = 0;
    float score = 0;

    if (!pixels)
        return 0;
    for (int32_t y = 0; y < h; y++)
        memcpy(pixels + ((size_t)(y + margin) * (size_t)wide + (size_t)margin) * 3,
               chip + (size_t)y * (size_t)w * 3, (size_t)w * 3);
    o.min_score = 0.1f;
    if (dpl_image_from_rgb(&image, pixels, wide, high, (size_t)wide * 3, NULL) == DPL_OK &&
        dpl_detect(&faces, &n, detector, scratch, &image, &o, NULL) == DPL_OK && n > 0)
        score = faces[0].score;
    dpl_faces_free(faces);
    dpl_image_clear(&image);
    free(pixels);
    return score;
}

int main(int argc, char **argv)
{
    dpl_detect_options o = DPL_DETECT_OPTIONS_INIT;
    dpl_decode_options decode = DPL_DECODE_OPTIONS_INIT;
    dpl_detector *detector = NULL;
    dpl_encoder *encoder = NULL;
    dpl_scratch *scratch = NULL;
    uint8_t *chip = NULL;
    dpl_error err = {0};
    char path[4096];
    int code = 4;

    if (argc != 4) {
        fputs("usage: bench_detect DETECTOR.onnx ENCODER.onnx MIN-SCORE <PATHS\n", stderr);
        return 2;
    }
    o.min_score = strtof(argv[3], NULL);
    decode.enough_px = 2 * o.max_side_px; /* as the pipeline */
    if (dpl_detector_open(&detector, argv[1], &err) != DPL_OK ||
        dpl_encoder_open(&encoder, argv[2], NULL, &err) != DPL_OK ||
        dpl_scratch_new(&scratch, 0, &err) != DPL_OK)
        goto done;
    const int32_t w = dpl_encoder_width_px(encoder), h = dpl_encoder_height_px(encoder);
    chip = malloc((size_t)w * (size_t)h * 3);
    if (!chip)
        goto done;
    puts("path,n_faces,score,size_px,quality,chip_score");
    while (fgets(path, sizeof path, stdin)) {
        dpl_image image = DPL_IMAGE_INIT;
        dpl_face *faces = NULL;
        size_t n = 0, main_face;

        path[strcspn(path, "\n")] = '\0';
        if (dpl_image_open(&image, path, &decode, &err) != DPL_OK ||
            dpl_detect(&faces, &n, detector, scratch, &image, &o, &err) != DPL_OK) {
            fprintf(stderr, "%s\n", err.message);
        } else if (n == 0) {
            printf("%s,0,,,,\n", path);
        } else {
            main_face = dpl_main_face(faces, n, &image);
            dpl_face *f = &faces[main_face];
            if (dpl_align(chip, f, encoder, &image, &err) == DPL_OK)
                printf("%s,%zu,%.4f,%.1f,%.3f,%.4f\n", path, n, (double)f->score, (double)f->w_px,
                       (double)f->quality.overall,
                       (double)chip_score(detector, scratch, chip, w, h));
        }
        dpl_faces_free(faces);
        dpl_image_clear(&image);
    }
    code = 0;
done:
    if (code != 0)
        fprintf(stderr, "%s\n", err.message);
    free(chip);
    dpl_scratch_free(scratch);
    dpl_encoder_close(encoder);
    dpl_detector_close(detector);
    return code;
}
