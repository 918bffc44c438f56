/*
 * embed.c - many pictures to vectors, for evaluation.
 *
 * Goes through the same pipeline as verify. Whole pictures are encoded a few at a time: a large
 * dense layer reads its weights once for all of them.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "doppel/eval.h"
#include "index/pipeline.h"

#define BATCH 16 /* whole pictures encoded at once */
#define CHUNK 32 /* batches between two looks at the caller's wishes */

const char *dpl_picture_name(const dpl_pictures *pictures, size_t i)
{
    return pictures->dataset ? dpl_dataset_item_name(pictures->dataset, pictures->items[i])
                             : pictures->names[i];
}

/* The path of a file among the pictures, freed by free(). */
static char *picture_path(const dpl_pictures *pictures, size_t i, dpl_error *err)
{
    const char *name = pictures->names[i];

    return pictures->dir && name[0] != '/' ? dpli_asprintf(err, "%s/%s", pictures->dir, name)
                                           : dpli_strdup(name, err);
}

/* A picture's file, given back by dpli_photo_unread. */
static dpl_status read_picture(uint8_t **bytes, size_t *n_bytes, const dpl_pipeline *pipeline,
                               const dpl_pictures *pictures, size_t i, dpl_error *err)
{
    char *path, sha256[65];
    dpl_status status;

    *bytes = NULL;
    *n_bytes = 0;
    if (pictures->dataset)
        return dpli_item_read(bytes, n_bytes, pipeline, pictures->dataset, pictures->items[i], err);
    path = picture_path(pictures, i, err);
    if (!path)
        return DPL_E_MEMORY;
    status = dpli_photo_read(bytes, n_bytes, sha256, pipeline, path, err);
    if (status != DPL_OK)
        dpli_fail_in(err, status, path);
    free(path);
    return status;
}

static void close_face(dpl_photo *photo, size_t claim, const dpl_pipeline *pipeline,
                       dpl_scratch *scratch)
{
    dpl_photo_clear(photo);
    dpli_pipeline_end(pipeline, scratch, claim);
}

/* A picture through the detector, with at least one face; given back by close_face. */
static dpl_status open_face(dpl_photo *photo, size_t *claim, const dpl_pipeline *pipeline,
                            dpl_scratch *scratch, const dpl_pictures *pictures, size_t i,
                            dpl_error *err)
{
    uint8_t *bytes;
    size_t n_bytes;
    dpl_status status = read_picture(&bytes, &n_bytes, pipeline, pictures, i, err);

    *photo = (dpl_photo)DPL_PHOTO_INIT;
    if (status != DPL_OK)
        return status;
    status = dpli_photo_process(photo, claim, pipeline, scratch, bytes, n_bytes, err);
    dpli_photo_unread(bytes, n_bytes, pipeline);
    if (status == DPL_OK && photo->n_faces > 0)
        return DPL_OK;
    if (status == DPL_OK)
        status = dpli_no_face(photo, err);
    close_face(photo, *claim, pipeline, scratch);
    return dpli_fail_in(err, status, dpl_picture_name(pictures, i));
}

/* ------------------------------------------------------------------ all pictures */

typedef struct job {
    const dpl_pipeline *pipeline;
    const dpl_pictures *pictures;
    dpl_embeddings *out;
    size_t first, batch; /* of this chunk; pictures a work item */
    dpl_scratch **scratches;
    uint8_t **chips; /* one batch a worker; NULL with a detector */
} job;

/* Keep a picture's failure, or pass on the system's and the model's. */
static dpl_status note_failure(job *j, size_t i, const dpl_error *why, dpl_error *err)
{
    if (why->status == DPL_E_MODEL || why->status == DPL_E_MEMORY || why->status == DPL_E_SYSTEM ||
        why->status == DPL_E_BUG) {
        *err = *why;
        return why->status;
    }
    j->out->errors[i] = dpli_alloc(1, sizeof *why, err);
    if (!j->out->errors[i])
        return DPL_E_MEMORY;
    *j->out->errors[i] = *why;
    for (int32_t k = 0; k < j->out->dim; k++)
        j->out->vectors[i * (size_t)j->out->dim + (size_t)k] = NAN;
    return DPL_OK;
}

static dpl_status embed_face(job *j, int worker, size_t i, dpl_error *err)
{
    const size_t dim = (size_t)j->out->dim;
    dpl_scratch *scratch = j->scratches[worker];
    dpl_photo photo;
    size_t claim;
    dpl_error why;

    if (open_face(&photo, &claim, j->pipeline, scratch, j->pictures, i, &why) != DPL_OK)
        return note_failure(j, i, &why, err);
    const size_t face = dpli_main_face(&photo);
    memcpy(j->out->vectors + i * dim, photo.vectors + face * dim, dim * sizeof(float));
    j->out->faces[i] = photo.faces[face];
    close_face(&photo, claim, j->pipeline, scratch);
    return DPL_OK;
}

/* Cut the whole of picture i into a chip. */
static dpl_status cut_whole(uint8_t *chip, const job *j, int worker, size_t i, dpl_error *err)
{
    dpl_decode_options limits = *dpli_pipeline_decode(j->pipeline);
    dpl_scratch *scratch = j->scratches[worker];
    dpl_image image = DPL_IMAGE_INIT;
    uint8_t *bytes;
    size_t n_bytes, claim;
    dpl_status status = read_picture(&bytes, &n_bytes, j->pipeline, j->pictures, i, err);

    if (status != DPL_OK)
        return status;
    claim = dpli_pipeline_begin(j->pipeline, scratch, bytes, n_bytes);
    limits.max_bytes -= n_bytes;
    status = dpl_image_decode(&image, bytes, n_bytes, &limits, err);
    if (status == DPL_OK)
        status = dpl_whole_chip(chip, dpl_pipeline_encoder(j->pipeline), &image, err);
    dpl_image_clear(&image);
    dpli_pipeline_end(j->pipeline, scratch, claim);
    dpli_photo_unread(bytes, n_bytes, j->pipeline);
    return status == DPL_OK ? status : dpli_fail_in(err, status, dpl_picture_name(j->pictures, i));
}

static dpl_status embed_whole(job *j, int worker, size_t from, size_t to, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(j->pipeline);
    const size_t dim = (size_t)j->out->dim, bytes = dpli_chip_bytes(encoder);
    uint8_t *chips = j->chips[worker];
    size_t good[BATCH], n = 0, claim;
    float *rows = dpli_alloc(BATCH * dim, sizeof *rows, err);
    dpl_status status = DPL_OK;
    dpl_error why;

    if (!rows)
        return DPL_E_MEMORY;
    for (size_t i = from; i < to && status == DPL_OK; i++) {
        if (cut_whole(chips + n * bytes, j, worker, i, &why) == DPL_OK)
            good[n++] = i;
        else
            status = note_failure(j, i, &why, err);
    }
    if (status != DPL_OK || n == 0) {
        free(rows);
        return status;
    }
    claim = dpli_pipeline_begin(j->pipeline, j->scratches[worker], NULL, 0);
    if (dpl_encode(rows, encoder, j->scratches[worker], chips, n, &why) == DPL_OK) {
        for (size_t k = 0; k < n; k++)
            memcpy(j->out->vectors + good[k] * dim, rows + k * dim, dim * sizeof *rows);
        goto done;
    }
    /* One of them has no vector: which, and the others' all the same. */
    for (size_t k = 0; k < n && status == DPL_OK; k++)
        if (dpl_encode(j->out->vectors + good[k] * dim, encoder, j->scratches[worker],
                       chips + k * bytes, 1, &why) != DPL_OK) {
            dpli_fail_in(&why, why.status, dpl_picture_name(j->pictures, good[k]));
            status = note_failure(j, good[k], &why, err);
        }
done:
    dpli_pipeline_end(j->pipeline, j->scratches[worker], claim);
    free(rows);
    return status;
}

static dpl_status embed_batch(void *ctx, int worker, size_t item, dpl_error *err)
{
    job *j = ctx;
    const size_t from = j->first + item * j->batch;
    const size_t to = from + j->batch < j->out->n ? from + j->batch : j->out->n;

    return j->chips ? embed_whole(j, worker, from, to, err) : embed_face(j, worker, from, err);
}

dpl_status dpl_embed(dpl_embeddings *out, const dpl_pipeline *pipeline,
                     const dpl_pictures *pictures, const dpl_embed_options *options, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const bool whole = dpl_pipeline_detector(pipeline) == NULL;
    dpl_embed_options o = DPL_EMBED_OPTIONS_INIT;
    size_t n_threads = 0;
    dpl_embeddings e = {.n = pictures->n, .dim = dpl_encoder_dim(encoder)};
    job j = {.pipeline = pipeline, .pictures = pictures, .out = &e, .batch = whole ? BATCH : 1};
    dpl_status status;
    size_t floats;

    *out = (dpl_embeddings){0};
    status = dpli_options(&o, sizeof o, options, "embed", err);
    if (status != DPL_OK)
        return status;
    n_threads = (size_t)(o.n_threads > 0 ? o.n_threads : dpli_n_cores());
    status = DPL_E_MEMORY;
    if (!dpli_mul(&floats, e.n, (size_t)e.dim)) {
        status = dpli_fail(err, DPL_E_LIMIT, "%zu pictures of %d numbers", e.n, (int)e.dim);
        goto done;
    }
    e.vectors = dpli_alloc(floats, sizeof *e.vectors, err);
    e.faces = dpli_calloc(e.n, sizeof *e.faces, err);
    e.errors = dpli_calloc(e.n, sizeof(dpl_error *), err);
    j.scratches = dpli_calloc(n_threads, sizeof(dpl_scratch *), err);
    if (whole)
        j.chips = dpli_calloc(n_threads, sizeof(uint8_t *), err);
    if (!e.vectors || !e.faces || !e.errors || !j.scratches || (whole && !j.chips))
        goto done;
    for (size_t t = 0; t < n_threads; t++) {
        if (whole) {
            j.chips[t] = dpli_alloc(BATCH, dpli_chip_bytes(encoder), err);
            if (!j.chips[t])
                goto done;
        }
        status = dpl_scratch_new(&j.scratches[t], 0, err);
        if (status != DPL_OK)
            goto done;
    }
    status = DPL_OK;
    for (j.first = 0; j.first < e.n && status == DPL_OK; j.first += CHUNK * j.batch) {
        const size_t left = (e.n - j.first + j.batch - 1) / j.batch;
        const size_t done = j.first + CHUNK * j.batch;
        if (dpli_cancelled(o.cancel)) {
            status = dpli_fail(err, DPL_E_CANCELLED, "interrupted");
            break;
        }
        status = dpli_pool_run((int)n_threads, left < CHUNK ? left : CHUNK, embed_batch, &j, err);
        if (status == DPL_OK && o.on_progress)
            o.on_progress(o.ctx, (int64_t)(done < e.n ? done : e.n), (int64_t)e.n);
    }
done:
    for (size_t t = 0; t < n_threads; t++) {
        if (j.scratches)
            dpl_scratch_free(j.scratches[t]);
        if (j.chips)
            free(j.chips[t]);
    }
    free(j.scratches);
    free(j.chips);
    if (status != DPL_OK) {
        dpl_embeddings_clear(&e);
        return status;
    }
    for (size_t i = 0; i < e.n; i++)
        e.n_failed += e.errors[i] != NULL;
    *out = e;
    return DPL_OK;
}

void dpl_embeddings_clear(dpl_embeddings *embeddings)
{
    if (!embeddings)
        return;
    for (size_t i = 0; embeddings->errors && i < embeddings->n; i++)
        free(embeddings->errors[i]);
    free(embeddings->errors);
    free(embeddings->faces);
    free(embeddings->vectors);
    *embeddings = (dpl_embeddings){0};
}

dpl_status dpl_picture_thumb(uint8_t **out, size_t *n_out, const dpl_pipeline *pipeline,
                             dpl_scratch *scratch, const dpl_pictures *pictures, size_t i,
                             dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    const size_t bytes = dpli_chip_bytes(encoder);
    const job j = {.pipeline = pipeline, .pictures = pictures, .scratches = &scratch};
    uint8_t *chip;
    dpl_photo photo;
    size_t claim;
    dpl_status status;

    *out = NULL;
    *n_out = 0;
    if (dpl_pipeline_detector(pipeline)) {
        status = open_face(&photo, &claim, pipeline, scratch, pictures, i, err);
        if (status != DPL_OK)
            return status;
        const size_t face = dpli_main_face(&photo);
        status = dpli_thumb(out, n_out, encoder, &photo.image, &photo.faces[face],
                            photo.chips + face * bytes, err);
        close_face(&photo, claim, pipeline, scratch);
        return status;
    }
    chip = dpli_alloc(bytes, 1, err);
    status = chip ? cut_whole(chip, &j, 0, i, err) : DPL_E_MEMORY;
    if (status == DPL_OK)
        status = dpli_thumb(out, n_out, encoder, NULL, NULL, chip, err);
    free(chip);
    return status;
}
