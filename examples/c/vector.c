/* vector.c <FILE.ppm - pixels in, vectors out: a line a face of the picture on standard input
   (binary PPM: "P6 WIDTH HEIGHT 255", then RGB), box first, then the vector's numbers. Any source
   of pixels will do. */
#include <doppel/doppel.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_ppm(int *width, int *height)
{
    uint8_t *rgb;
    size_t n;

    if (scanf("P6 %d %d 255", width, height) != 2 || getchar() == EOF || *width < 1 ||
        *height < 1 || *width > 20000 || *height > 20000)
        return NULL;
    n = 3 * (size_t)*width * (size_t)*height;
    rgb = malloc(n);
    if (rgb && fread(rgb, 1, n, stdin) != n) {
        free(rgb);
        return NULL;
    }
    return rgb;
}

int main(void)
{
    dpl_pipeline *pipeline = NULL;
    dpl_scratch *scratch = NULL;
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_error err;
    dpl_status status;
    int width, height;
    size_t i, k, dim;
    uint8_t *rgb = read_ppm(&width, &height);

    if (!rgb) {
        fprintf(stderr, "vector: no PPM on standard input\n");
        return 2;
    }
    status = dpl_pipeline_open(&pipeline, NULL, &err); /* the models that come with doppel */
    if (status == DPL_OK)
        status = dpl_scratch_new(&scratch, 0, &err);
    /* A camera's frames go through the same pipeline and scratch, one after another; another thread
       needs a scratch of its own. */
    if (status == DPL_OK)
        status = dpl_photo_from_rgb(&photo, pipeline, scratch, "standard input", rgb, width, height,
                                    3 * (size_t)width, &err);
    if (status == DPL_OK) {
        dim = (size_t)dpl_encoder_dim(dpl_pipeline_encoder(pipeline));
        for (i = 0; i < photo.n_faces; i++) {
            const dpl_face *f = &photo.faces[i];

            printf("%.0f,%.0f,%.0f,%.0f", (double)f->x_px, (double)f->y_px, (double)f->w_px,
                   (double)f->h_px);
            for (k = 0; k < dim; k++)
                printf(" %.6f", (double)photo.vectors[i * dim + k]);
            putchar('\n');
        }
    } else {
        fprintf(stderr, "vector: %s\n", err.message);
    }
    dpl_photo_clear(&photo);
    dpl_scratch_free(scratch);
    dpl_pipeline_close(pipeline);
    free(rgb);
    return dpl_status_exit_code(status);
}
