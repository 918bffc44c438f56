/*
 * picture_vectors.c - what an encoder says of the pictures of a data set: made once, for it does
 * not change while another net learns to give such vectors.
 *
 * The pictures are decoded all at once and given back when they are vectors.
 */
#include "train/picture_vectors.h"

#include <stdlib.h>

#include "base/mem.h"
#include "train/pixels.h"

struct dpli_picture_vectors {
    int32_t first, n, dim; /* items */
    float *rows;           /* [n, dim] */
    bool *there;           /* [n] */
};

typedef struct encoding {
    dpli_picture_vectors *v;
    const dpl_encoder *encoder;
    const dpli_pixels *pixels;
    dpl_error *errors; /* [team] */
} encoding;

static dpl_status encode_range(const encoding *k, size_t from, size_t to, dpl_error *err)
{
    const dpli_picture_vectors *v = k->v;
    dpl_scratch *scratch;
    dpl_status status = dpl_scratch_new(&scratch, 0, err);

    for (size_t i = from; i < to && status == DPL_OK; i++) {
        const uint8_t *chip = dpli_pixels_at(k->pixels, v->first + (int32_t)i);

        v->there[i] = chip != NULL;
        if (chip)
            status = dpl_encode(v->rows + i * (size_t)v->dim, k->encoder, scratch, chip, 1, err);
    }
    dpl_scratch_free(scratch);
    return status;
}

static void encode_some(void *ctx, int worker, size_t from, size_t to)
{
    const encoding *k = ctx;

    encode_range(k, from, to, &k->errors[worker]);
}

static dpl_status encode(dpli_picture_vectors *v, const dpl_encoder *encoder,
                         const dpli_pixels *pixels, dpli_team *team, dpl_error *err)
{
    const int n_workers = dpli_team_size(team);
    encoding k = {.v = v, .encoder = encoder, .pixels = pixels};
    dpl_status status = DPL_OK;

    k.errors = dpli_calloc((size_t)n_workers, sizeof *k.errors, err);
    if (!k.errors)
        return DPL_E_MEMORY;
    dpli_team_run(team, (size_t)v->n, encode_some, &k);
    for (int i = 0; i < n_workers && status == DPL_OK; i++) {
        status = k.errors[i].status;
        if (status != DPL_OK && err)
            *err = k.errors[i];
    }
    free(k.errors);
    return status;
}

dpl_status dpli_picture_vectors_new(dpli_picture_vectors **out, const dpl_dataset *data, int side,
                                    const dpl_encoder *encoder, const dpl_decode_options *limits,
                                    dpli_team *team, void (*warn)(void *ctx, const char *text),
                                    void *ctx, dpl_error *err)
{
    dpli_picture_vectors *v = dpli_calloc(1, sizeof *v, err);
    dpli_pixels *pixels = NULL;
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!v)
        return DPL_E_MEMORY;
    v->first = dpl_dataset_side_items(data, side, &v->n);
    v->dim = dpl_encoder_dim(encoder);
    v->rows = dpli_alloc((size_t)v->n, (size_t)v->dim * sizeof *v->rows, err);
    v->there = dpli_calloc((size_t)v->n, sizeof *v->there, err);
    if (v->rows && v->there)
        status =
            dpli_pixels_load(&pixels, data, side, dpl_encoder_height_px(encoder),
                             dpl_encoder_width_px(encoder), 3, NULL, limits, team, warn, ctx, err);
    if (status == DPL_OK)
        status = encode(v, encoder, pixels, team, err);
    dpli_pixels_free(pixels);
    if (status == DPL_OK)
        *out = v;
    else
        dpli_picture_vectors_free(v);
    return status;
}

void dpli_picture_vectors_free(dpli_picture_vectors *v)
{
    if (!v)
        return;
    free(v->rows);
    free(v->there);
    free(v);
}

int32_t dpli_picture_vectors_dim(const dpli_picture_vectors *v)
{
    return v->dim;
}

size_t dpli_picture_vectors_bytes(const dpli_picture_vectors *v)
{
    return (size_t)v->n * ((size_t)v->dim * sizeof *v->rows + sizeof *v->there);
}

const float *dpli_picture_vector(const dpli_picture_vectors *v, int32_t item)
{
    if (item < v->first || item - v->first >= v->n || !v->there[item - v->first])
        return NULL;
    return v->rows + (size_t)(item - v->first) * (size_t)v->dim;
}
