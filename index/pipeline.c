/*
 * pipeline.c - a photo to vectors: the stages of vision, in order, with one set of models and
 * limits.
 */
#include "index/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/budget.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "doppel/models.h"
#include "index/calibration.h"
#include "index/space.h"
#include "net/scratch.h"
#include "vision/encoder.h"
#include "vision/face/detect.h"
#include "vision/face/look.h"
#include "vision/image/decode.h"
#include "vision/image/formats.h"
#include "vision/image/limits.h"

struct dpl_pipeline {
    dpl_detector *detector; /* NULL: the whole picture is the chip */
    dpl_encoder *encoder;
    dpl_encoder *image_encoder; /* NULL: none */
    dpl_head *head;
    dpl_calibration *calibration;       /* NULL: none */
    dpli_cohort *cohort;                /* NULL: the calibration needs none */
    bool foreign;                       /* the calibration is not the model's own */
    dpl_calibration *image_calibration; /* of copies; NULL: none */
    dpl_decode_options decode;
    dpl_detect_options detect;
    float min_quality;
    dpli_budget *budget; /* of what is read, decoded and run at once */
    size_t run_bytes;    /* what the largest of its models' runs works in */
};

/* The options within, which lie at places that their own sizes decide, are taken only as they are
 * known here. */
static dpl_status read_options(dpl_pipeline_options *o, const dpl_pipeline_options *given,
                               dpl_error *err)
{
    dpl_status status;

    *o = (dpl_pipeline_options)DPL_PIPELINE_OPTIONS_INIT;
    status = dpli_options(o, sizeof *o, given, "pipeline", err);
    if (status == DPL_OK && o->decode.struct_size != sizeof o->decode)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the pipeline's decode options have struct_size %zu, not %zu",
                         o->decode.struct_size, sizeof o->decode);
    if (status == DPL_OK && o->detect.struct_size != sizeof o->detect)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the pipeline's detection options have struct_size %zu, not %zu",
                         o->detect.struct_size, sizeof o->detect);
    if (status == DPL_OK && o->net.struct_size != sizeof o->net)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the pipeline's model options have struct_size %zu, not %zu",
                         o->net.struct_size, sizeof o->net);
    return status;
}

/* ------------------------------------------------------------------ calibration */

/* What a calibration's evidence needs, from the model's facts. */
static dpl_status open_cohort(dpl_pipeline *p, dpl_error *err)
{
    const char *text = dpl_encoder_fact(p->encoder, "cohort");
    char sha256[65];
    dpl_status status;

    if (p->calibration->top == 0)
        return DPL_OK;
    if (!text || !*text)
        return dpli_fail(err, DPL_E_MODEL,
                         "the calibration needs a cohort (doppel.cohort), and the model has none");
    if (dpl_head_get_kind(p->head) != DPL_HEAD_COSINE)
        return dpli_fail(err, DPL_E_MODEL,
                         "the calibration has a cohort, which is for the head cosine, not for %s",
                         dpl_head_name(p->head));
    status = dpli_sha256_of(sha256, text, strlen(text), err);
    if (status == DPL_OK && strcmp(sha256, p->calibration->cohort_sha256) != 0)
        status = dpli_fail(err, DPL_E_MODEL,
                           "the calibration was made with another cohort (%.12s, the model's is "
                           "%.12s)",
                           p->calibration->cohort_sha256, sha256);
    if (status == DPL_OK)
        status = dpli_cohort_parse(&p->cohort, text, dpl_encoder_dim(p->encoder),
                                   p->calibration->top, err);
    return status;
}

/* From the file at path, or with NULL from the model's facts; in both cases an error names it. */
static dpl_status open_calibration(dpl_pipeline *p, const char *path, const char *model_path,
                                   dpl_error *err)
{
    const char *table = dpl_encoder_fact(p->encoder, "calibration");
    uint8_t *bytes = NULL;
    size_t n = 0;
    dpl_status status;

    if (path) {
        status = dpli_file_read(&bytes, &n, path, DPLI_CALIBRATION_MAX_BYTES, err);
        if (status != DPL_OK) /* which names it */
            return status;
        p->foreign = true;
        table = (const char *)bytes;
        if (memchr(bytes, '\0', n))
            status = dpli_fail(err, DPL_E_MODEL, "calibration: not text");
    } else if (!table) {
        return DPL_OK;
    } else {
        status = DPL_OK;
    }
    if (status == DPL_OK)
        status = dpl_calibration_parse(&p->calibration, table, err);
    if (status == DPL_OK)
        status = dpli_calibration_check(p->calibration, dpl_encoder_hash(p->encoder),
                                        dpl_head_name(p->head), err);
    if (status == DPL_OK)
        status = open_cohort(p, err);
    free(bytes);
    return status == DPL_OK ? status : dpli_fail_in(err, status, path ? path : model_path);
}

/* How often two different pictures are as alike, from the facts of the pictures' encoder. */
static dpl_status open_image_calibration(dpl_pipeline *p, const char *path, dpl_error *err)
{
    const char *table = dpl_encoder_fact(p->image_encoder, "calibration");
    dpl_status status;

    if (!table)
        return DPL_OK;
    status = dpl_calibration_parse(&p->image_calibration, table, err);
    if (status == DPL_OK && p->image_calibration->top > 0)
        status = dpli_fail(err, DPL_E_MODEL, "a calibration of pictures has no cohort");
    return status == DPL_OK ? status : dpli_fail_in(err, status, path);
}

/* ------------------------------------------------------------------ open and close */

/* What a photo's largest stage works in, beside its pixels. */
static size_t measure_runs(const dpl_pipeline *p)
{
    size_t most = dpli_encoder_plan_bytes(p->encoder), n;

    n = p->detector ? dpli_detector_bytes(p->detector, &p->detect) : 0;
    most = n > most ? n : most;
    n = p->image_encoder ? dpli_encoder_plan_bytes(p->image_encoder) : 0;
    return n > most ? n : most;
}

static dpl_status open_models(dpl_pipeline **out, const dpl_pipeline_options *options,
                              dpl_error *err)
{
    const dpl_pipeline_options o = *options;
    dpl_pipeline *p = dpli_calloc(1, sizeof *p, err);
    dpl_status status;

    if (!p)
        return DPL_E_MEMORY;
    p->decode = o.decode;
    p->detect = o.detect;
    p->min_quality = o.min_quality;
    status = dpli_budget_new(&p->budget, o.decode.max_bytes, err);
    if (status != DPL_OK)
        goto done;
    if (o.detector_path) {
        status = dpl_detector_open_with(&p->detector, o.detector_path, &o.net, err);
        if (status != DPL_OK)
            goto done;
        /* Twice what the detector sees: small faces keep the pixels that their chips can use. */
        if (p->decode.enough_px == 0)
            p->decode.enough_px = 2 * p->detect.max_side_px;
    }
    status = dpl_encoder_open_with(&p->encoder, o.encoder_path, o.preset, &o.net, err);
    if (status != DPL_OK)
        goto done;
    if (p->detector && !dpl_encoder_fact(p->encoder, "template")) {
        status = dpli_fail(err, DPL_E_MODEL,
                           "\"%s\": no template to align faces to; compare whole pictures "
                           "(--detect none) or give one (doppel.template, a preset)",
                           o.encoder_path);
        goto done;
    }
    if (o.image_path) {
        status =
            dpl_encoder_open_with(&p->image_encoder, o.image_path, o.image_preset, &o.net, err);
        if (status != DPL_OK)
            goto done;
        if (dpli_space_find(dpl_encoder_space(p->image_encoder)) !=
            &dpli_spaces[DPLI_IMAGE_SPACE]) {
            status = dpli_fail(err, DPL_E_MODEL, "\"%s\": not an image encoder (doppel.kind)",
                               o.image_path);
            goto done;
        }
        status = open_image_calibration(p, o.image_path, err);
        if (status != DPL_OK)
            goto done;
    }
    status = dpl_head_open(&p->head, p->encoder, err);
    if (status != DPL_OK) {
        dpli_fail_in(err, status, o.encoder_path);
        goto done;
    }
    status = open_calibration(p, o.calibration_path, o.encoder_path, err);
    if (status != DPL_OK)
        goto done;
    p->run_bytes = measure_runs(p);
    *out = p;
    p = NULL;
done:
    dpl_pipeline_close(p);
    return status;
}

dpl_status dpl_pipeline_open(dpl_pipeline **out, const dpl_pipeline_options *options,
                             dpl_error *err)
{
    char *encoder = NULL, *detector = NULL;
    dpl_pipeline_options o;
    dpl_status status = read_options(&o, options, err);

    *out = NULL;
    if (status == DPL_OK && !o.encoder_path) {
        status = dpl_models_find(&encoder, DPL_MODEL_ENCODER, err);
        if (status == DPL_OK && !o.detector_path)
            status = dpl_models_find(&detector, DPL_MODEL_DETECTOR, err);
        o.encoder_path = encoder;
        o.detector_path = o.detector_path ? o.detector_path : detector;
    }
    if (status == DPL_OK)
        status = open_models(out, &o, err);
    dpl_bytes_free(encoder);
    dpl_bytes_free(detector);
    return status;
}

void dpl_pipeline_close(dpl_pipeline *pipeline)
{
    if (!pipeline)
        return;
    dpli_cohort_free(pipeline->cohort);
    dpl_calibration_free(pipeline->calibration);
    dpl_calibration_free(pipeline->image_calibration);
    dpl_head_free(pipeline->head);
    dpl_encoder_close(pipeline->image_encoder);
    dpl_encoder_close(pipeline->encoder);
    dpl_detector_close(pipeline->detector);
    dpli_budget_free(pipeline->budget);
    free(pipeline);
}

const dpl_encoder *dpl_pipeline_encoder(const dpl_pipeline *pipeline)
{
    return pipeline->encoder;
}

const dpl_encoder *dpl_pipeline_image_encoder(const dpl_pipeline *pipeline)
{
    return pipeline->image_encoder;
}

const dpl_detector *dpl_pipeline_detector(const dpl_pipeline *pipeline)
{
    return pipeline->detector;
}

const dpl_head *dpl_pipeline_head(const dpl_pipeline *pipeline)
{
    return pipeline->head;
}

const dpl_calibration *dpl_pipeline_calibration(const dpl_pipeline *pipeline)
{
    return pipeline->calibration;
}

const dpl_calibration *dpl_pipeline_image_calibration(const dpl_pipeline *pipeline)
{
    return pipeline->image_calibration;
}

bool dpl_pipeline_calibration_is_given(const dpl_pipeline *pipeline)
{
    return pipeline->foreign;
}

dpli_judge dpli_pipeline_judge(const dpl_pipeline *pipeline, const dpl_policy *policy)
{
    return (dpli_judge){pipeline->head, pipeline->calibration, pipeline->cohort, policy};
}

const dpl_decode_options *dpli_pipeline_decode(const dpl_pipeline *pipeline)
{
    return &pipeline->decode;
}

dpl_status dpli_pipeline_decoding_sum(char sha256[65], const dpl_pipeline *pipeline, dpl_error *err)
{
    const dpl_decode_options *o = &pipeline->decode;
    char text[512];
    int n = snprintf(text, sizeof text, "%llu %zu %d ", (unsigned long long)o->max_pixels,
                     o->max_bytes, (int)o->enough_px);

    dpli_format_suffixes(text + n, sizeof text - (size_t)n);
    return dpli_sha256_of(sha256, text, strlen(text), err);
}

dpl_status dpli_pipeline_detecting_sum(char sha256[65], const dpl_pipeline *pipeline,
                                       dpl_error *err)
{
    const dpl_detect_options *o = &pipeline->detect;
    char text[256];

    snprintf(text, sizeof text, "%g %g %d %g %d %s", (double)o->min_score, (double)o->max_overlap,
             (int)o->max_side_px, (double)o->min_face_px, (int)o->max_faces,
             pipeline->detector ? dpl_net_hash(dpl_detector_net(pipeline->detector)) : "whole");
    return dpli_sha256_of(sha256, text, strlen(text), err);
}

float dpli_pipeline_min_quality(const dpl_pipeline *pipeline)
{
    return pipeline->min_quality;
}

size_t dpli_chip_bytes(const dpl_encoder *encoder)
{
    return (size_t)dpl_encoder_width_px(encoder) * (size_t)dpl_encoder_height_px(encoder) * 3;
}

/* Without a detector: one face that is all of the picture. */
static dpl_status whole_face(dpl_photo *photo, dpl_error *err)
{
    photo->faces = dpli_calloc(1, sizeof *photo->faces, err);
    if (!photo->faces)
        return DPL_E_MEMORY;
    photo->n_faces = 1;
    photo->faces[0].w_px = (float)photo->image.full_width_px;
    photo->faces[0].h_px = (float)photo->image.full_height_px;
    photo->faces[0].score = 1;
    photo->faces[0].quality.overall = 1;
    return DPL_OK;
}

static dpl_status encode_image(dpl_photo *photo, const dpl_pipeline *p, dpl_scratch *scratch,
                               dpl_error *err)
{
    uint8_t *chip = dpli_alloc(dpli_chip_bytes(p->image_encoder), 1, err);
    dpl_status status = DPL_E_MEMORY;

    photo->image_vector =
        dpli_alloc((size_t)dpl_encoder_dim(p->image_encoder), sizeof *photo->image_vector, err);
    if (chip && photo->image_vector)
        status = dpl_whole_chip(chip, p->image_encoder, &photo->image, err);
    if (status == DPL_OK)
        status = dpl_encode(photo->image_vector, p->image_encoder, scratch, chip, 1, err);
    free(chip);
    return status;
}

static size_t begin(const dpl_pipeline *p, dpl_scratch *scratch, const void *bytes, size_t n_bytes,
                    const dpl_decode_options *limits)
{
    const uint64_t decoding = dpli_image_need(bytes, n_bytes, limits);
    /* What is over the limit is refused before it is taken. */
    const size_t n = (decoding <= p->decode.max_bytes ? (size_t)decoding : 0) + p->run_bytes;

    dpli_budget_begin(p->budget, n, dpli_scratch_kept(scratch));
    return n;
}

size_t dpli_pipeline_begin(const dpl_pipeline *p, dpl_scratch *scratch, const void *bytes,
                           size_t n_bytes)
{
    return begin(p, scratch, bytes, n_bytes, &p->decode);
}

void dpli_pipeline_end(const dpl_pipeline *p, dpl_scratch *scratch, size_t n)
{
    dpli_budget_end(p->budget, n, dpli_scratch_kept(scratch), dpli_scratch_bytes(scratch));
}

/* Chips and vectors of the faces that were found. */
static dpl_status encode_faces(dpl_photo *photo, const dpl_pipeline *p, dpl_scratch *scratch,
                               dpl_error *err)
{
    const size_t chip_bytes = dpli_chip_bytes(p->encoder);
    dpl_status status = DPL_OK;

    if (photo->n_faces == 0)
        return DPL_OK;
    photo->chips = dpli_alloc(photo->n_faces, chip_bytes, err);
    photo->vectors =
        dpli_alloc(photo->n_faces * (size_t)dpl_encoder_dim(p->encoder), sizeof(float), err);
    if (!photo->chips || !photo->vectors)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < photo->n_faces && status == DPL_OK; i++) {
        uint8_t *chip = photo->chips + i * chip_bytes;
        status = p->detector ? dpl_align(chip, &photo->faces[i], p->encoder, &photo->image, err)
                             : dpl_whole_chip(chip, p->encoder, &photo->image, err);
    }
    return status == DPL_OK
               ? dpl_encode(photo->vectors, p->encoder, scratch, photo->chips, photo->n_faces, err)
               : status;
}

/* The stages after decoding; takes the image, also on failure. With closer NULL there is no more of
 * it. */
static dpl_status from_image(dpl_photo *out, const dpl_pipeline *p, dpl_scratch *scratch,
                             dpl_image *image, const dpli_closer *closer, dpl_error *err)
{
    dpl_status status;

    *out = (dpl_photo){.image = *image};
    *image = (dpl_image)DPL_IMAGE_INIT;
    status = p->detector ? dpli_detect(&out->faces, &out->n_faces, &out->closer_side_px,
                                       p->detector, scratch, &out->image, closer, &p->detect, err)
                         : whole_face(out, err);
    if (status != DPL_OK)
        goto done;
    status = encode_faces(out, p, scratch, err);
    if (status != DPL_OK)
        goto done;
    if (p->image_encoder)
        status = encode_image(out, p, scratch, err);
done:
    if (status != DPL_OK)
        dpl_photo_clear(out);
    return status;
}

/* A photo that is decoded, once or again. */
typedef struct decoding {
    const dpl_pipeline *p;
    dpl_scratch *scratch;
    const void *bytes;
    size_t n_bytes;
    const dpl_decode_options *limits;
    size_t claim; /* of the budget, for the decode that is under way */
} decoding;

/* Decode once there is memory for it. */
static dpl_status decode(decoding *d, dpl_image *image, int32_t enough_px, dpl_error *err)
{
    dpl_decode_options at = *d->limits;

    at.enough_px = enough_px;
    d->claim = begin(d->p, d->scratch, d->bytes, d->n_bytes, &at);
    return dpl_image_decode(image, d->bytes, d->n_bytes, &at, err);
}

static dpl_status decode_closer(void *ctx, dpl_image *image, int32_t side_px, dpl_error *err)
{
    decoding *d = ctx;
    const int32_t now_px = image->width_px > image->height_px ? image->width_px : image->height_px;
    dpl_decode_options at = *d->limits;

    /* As large as there is memory for: in the end as it is. */
    for (at.enough_px = side_px; at.enough_px > now_px; at.enough_px /= 2)
        if (dpli_image_need(d->bytes, d->n_bytes, &at) <= at.max_bytes)
            break;
    if (at.enough_px <= now_px)
        return DPL_OK;
    dpl_image_clear(image);
    dpli_pipeline_end(d->p, d->scratch, d->claim);
    return decode(d, image, at.enough_px, err);
}

/* Decode within limits and all stages; claim as dpli_photo_process has it. */
static dpl_status process(dpl_photo *out, size_t *claim, const dpl_pipeline *p,
                          dpl_scratch *scratch, const void *bytes, size_t n_bytes,
                          const dpl_decode_options *limits, dpl_error *err)
{
    decoding d = {p, scratch, bytes, n_bytes, limits, 0};
    const dpli_closer closer = {decode_closer, &d};
    dpl_image image;
    dpl_status status = decode(&d, &image, limits->enough_px, err);

    *out = (dpl_photo)DPL_PHOTO_INIT;
    if (status == DPL_OK)
        status = from_image(out, p, scratch, &image, &closer, err);
    *claim = d.claim;
    return status;
}

/* Decode only: the picture's vector is known. */
static dpl_status decode_known(dpl_photo *out, size_t *claim, const dpl_pipeline *p,
                               dpl_scratch *scratch, const void *bytes, size_t n_bytes,
                               const dpl_decode_options *limits, const float *vector, int32_t dim,
                               dpl_error *err)
{
    decoding d = {p, scratch, bytes, n_bytes, limits, 0};
    dpl_status status;

    *out = (dpl_photo)DPL_PHOTO_INIT;
    status = decode(&d, &out->image, limits->enough_px, err);
    if (status == DPL_OK)
        out->image_vector = dpli_alloc((size_t)dim, sizeof *vector, err);
    if (out->image_vector)
        memcpy(out->image_vector, vector, (size_t)dim * sizeof *vector);
    else if (status == DPL_OK)
        status = DPL_E_MEMORY;
    *claim = d.claim;
    if (status != DPL_OK)
        dpl_photo_clear(out);
    return status;
}

/* Bytes that are held count as memory that decoding takes. */
static dpl_decode_options limits_beside(const dpl_pipeline *p, size_t n_bytes)
{
    dpl_decode_options limits = p->decode;

    limits.max_bytes -= n_bytes;
    return limits;
}

dpl_status dpli_photo_process(dpl_photo *out, size_t *claim, const dpl_pipeline *p,
                              dpl_scratch *scratch, const void *bytes, size_t n_bytes,
                              dpl_error *err)
{
    const dpl_decode_options limits = limits_beside(p, n_bytes);

    return process(out, claim, p, scratch, bytes, n_bytes, &limits, err);
}

/* What was held as n bytes is read, and from here on counts as what it is. */
static void hold_as_read(const dpl_pipeline *pipeline, size_t n, size_t n_bytes)
{
    if (n_bytes > n)
        dpli_budget_hold_more(pipeline->budget, n_bytes - n);
    else
        dpli_budget_release(pipeline->budget, n - n_bytes);
}

dpl_status dpli_photo_read(uint8_t **bytes, size_t *n_bytes, char sha256[65],
                           const dpl_pipeline *pipeline, const char *path, dpl_error *err)
{
    const size_t limit = pipeline->decode.max_bytes;
    struct stat st;
    /* A pipe says nothing of its length: it may be as long as is allowed. */
    const size_t n = stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > limit
                         ? limit
                         : (size_t)st.st_size;
    dpl_status status;

    dpli_budget_hold(pipeline->budget, n);
    status = dpli_file_read(bytes, n_bytes, path, limit, err);
    if (status == DPL_OK)
        status = dpli_sha256_of(sha256, *bytes, *n_bytes, err);
    if (status != DPL_OK) {
        free(*bytes);
        *bytes = NULL;
        *n_bytes = 0;
    }
    hold_as_read(pipeline, n, *n_bytes);
    return status;
}

dpl_status dpli_item_read(uint8_t **bytes, size_t *n_bytes, const dpl_pipeline *pipeline,
                          const dpl_dataset *dataset, int32_t item, dpl_error *err)
{
    const size_t limit = pipeline->decode.max_bytes;
    const uint64_t told = dpl_dataset_item_bytes(dataset, item);
    const size_t n = told == 0 || told > limit ? limit : (size_t)told;
    dpl_status status;

    dpli_budget_hold(pipeline->budget, n);
    status = dpl_dataset_item_file(bytes, n_bytes, dataset, item, limit, err);
    hold_as_read(pipeline, n, *n_bytes);
    return status;
}

void dpli_photo_unread(uint8_t *bytes, size_t n_bytes, const dpl_pipeline *pipeline)
{
    free(bytes);
    dpli_budget_release(pipeline->budget, n_bytes);
}

/* Give a photo its name, which may be NULL; or, when there is none to name, the message. */
static dpl_status name_photo(dpl_photo *out, const char *name, dpl_status status, dpl_error *err)
{
    if (!name)
        return status;
    if (status != DPL_OK)
        return dpli_fail_in(err, status, name);
    out->name = dpli_strdup(name, err);
    if (out->name)
        return DPL_OK;
    dpl_photo_clear(out);
    return DPL_E_MEMORY;
}

dpl_status dpl_photo_open(dpl_photo *out, const dpl_pipeline *pipeline, dpl_scratch *scratch,
                          const char *path, dpl_error *err)
{
    return dpli_photo_open(out, pipeline, scratch, path, NULL, INT32_MAX, err);
}

dpl_status dpli_photo_open(dpl_photo *out, const dpl_pipeline *pipeline, dpl_scratch *scratch,
                           const char *path, const dpli_known_vectors *known, int32_t preview_px,
                           dpl_error *err)
{
    const float *vector = NULL;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0, claim;
    char sha256[65] = "";
    dpl_status status;

    *out = (dpl_photo)DPL_PHOTO_INIT;
    status = dpli_photo_read(&bytes, &n_bytes, sha256, pipeline, path, err);
    if (status == DPL_OK) {
        const dpl_decode_options limits = limits_beside(pipeline, n_bytes);

        vector = known ? known->find(known->ctx, sha256) : NULL;
        status = vector ? decode_known(out, &claim, pipeline, scratch, bytes, n_bytes, &limits,
                                       vector, known->dim, err)
                        : process(out, &claim, pipeline, scratch, bytes, n_bytes, &limits, err);
        if (status == DPL_OK)
            status = dpli_photo_shrink(out, preview_px, err);
        if (status != DPL_OK)
            dpl_photo_clear(out);
        dpli_pipeline_end(pipeline, scratch, claim);
    }
    dpli_photo_unread(bytes, n_bytes, pipeline);
    if (status == DPL_OK) {
        memcpy(out->sha256, sha256, sizeof sha256);
        out->n_bytes = (int64_t)n_bytes;
    }
    return name_photo(out, path, status, err);
}

dpl_status dpl_photo_from_bytes(dpl_photo *out, const dpl_pipeline *pipeline, dpl_scratch *scratch,
                                const char *name, const void *bytes, size_t n_bytes, dpl_error *err)
{
    size_t claim;
    dpl_status status =
        process(out, &claim, pipeline, scratch, bytes, n_bytes, &pipeline->decode, err);

    dpli_pipeline_end(pipeline, scratch, claim);
    if (status == DPL_OK)
        status = dpli_sha256_of(out->sha256, bytes, n_bytes, err);
    if (status == DPL_OK)
        out->n_bytes = (int64_t)n_bytes;
    else
        dpl_photo_clear(out);
    return name_photo(out, name, status, err);
}

dpl_status dpl_photo_from_rgb(dpl_photo *out, const dpl_pipeline *pipeline, dpl_scratch *scratch,
                              const char *name, const uint8_t *rgb, int32_t width_px,
                              int32_t height_px, size_t stride_bytes, dpl_error *err)
{
    dpl_image image = DPL_IMAGE_INIT;
    dpl_status status = DPL_OK;

    *out = (dpl_photo)DPL_PHOTO_INIT;
    if (width_px > 0 && height_px > 0) /* else dpl_image_from_rgb refuses it */
        status = dpli_check_pixels((uint64_t)width_px, (uint64_t)height_px, &pipeline->decode, err);
    if (status == DPL_OK)
        status = dpl_image_from_rgb(&image, rgb, width_px, height_px, stride_bytes, err);
    if (status == DPL_OK)
        status = from_image(out, pipeline, scratch, &image, NULL, err);
    return name_photo(out, name, status, err);
}

/* ------------------------------------------------------------------ faces at boxes */

/* What of a box and a face is shared at least, for the face to be the box's: detectors differ in
   how much hair and chin they take in, and neighbours hardly share anything. */
#define BOX_OVERLAP 0.15f

/* The box and half its size on each side, cut to the picture. */
static dpl_status look_around(dpl_image *out, int32_t *left, int32_t *top, const dpl_image *image,
                              const dpl_box *box, dpl_error *err)
{
    const float w = (float)image->width_px, h = (float)image->height_px;
    const float x0 = box->x_px - box->w_px / 2, y0 = box->y_px - box->h_px / 2;
    const float x1 = box->x_px + box->w_px * 1.5f, y1 = box->y_px + box->h_px * 1.5f;
    const size_t stride = 3 * (size_t)image->width_px;

    if (!(isfinite(x0) && isfinite(x1) && isfinite(y0) && isfinite(y1) && box->w_px > 0 &&
          box->h_px > 0 && box->x_px < w && box->y_px < h && box->x_px + box->w_px > 0 &&
          box->y_px + box->h_px > 0))
        return dpli_fail(err, DPL_E_ARGUMENT, "%g,%g,%g,%g is not in the picture of %dx%d pixels",
                         (double)box->x_px, (double)box->y_px, (double)box->w_px, (double)box->h_px,
                         (int)image->width_px, (int)image->height_px);
    *left = x0 > 0 ? (int32_t)x0 : 0;
    *top = y0 > 0 ? (int32_t)y0 : 0;
    const int32_t right = x1 < w ? (int32_t)ceilf(x1) : image->width_px;
    const int32_t bottom = y1 < h ? (int32_t)ceilf(y1) : image->height_px;
    return dpl_image_from_rgb(out, image->pixels + (size_t)*top * stride + 3 * (size_t)*left,
                              right - *left, bottom - *top, stride, err);
}

/* The face that shares most with a box. */
static dpl_status face_at(dpl_face *out, const dpl_pipeline *p, dpl_scratch *scratch,
                          const dpl_image *image, const dpl_box *box, dpl_error *err)
{
    const dpl_face wanted = {.x_px = box->x_px, box->y_px, box->w_px, box->h_px};
    dpl_image part = DPL_IMAGE_INIT;
    dpl_face *faces = NULL;
    size_t n = 0;
    int32_t left = 0, top = 0;
    float most = BOX_OVERLAP;
    bool found = false;
    dpl_status status = look_around(&part, &left, &top, image, box, err);

    if (status == DPL_OK)
        status = dpl_detect(&faces, &n, p->detector, scratch, &part, &p->detect, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        dpl_face *f = &faces[i];

        f->x_px += (float)left;
        f->y_px += (float)top;
        for (int k = 0; k < 5; k++) {
            f->landmarks[k].x_px += (float)left;
            f->landmarks[k].y_px += (float)top;
        }
        const float shared = dpli_overlap(f, &wanted);
        if (shared >= most) {
            most = shared;
            *out = *f;
            found = true;
        }
    }
    dpl_faces_free(faces);
    dpl_image_clear(&part);
    if (status == DPL_OK && !found)
        status = dpli_fail(err, DPL_E_NO_FACE, "no face found");
    return status;
}

dpl_status dpl_photo_from_rgb_at(dpl_photo *out, const dpl_pipeline *pipeline, dpl_scratch *scratch,
                                 const char *name, const uint8_t *rgb, int32_t width_px,
                                 int32_t height_px, size_t stride_bytes, const dpl_box *boxes,
                                 size_t n_boxes, dpl_error *err)
{
    dpl_photo photo = DPL_PHOTO_INIT;
    dpl_status status = DPL_OK;

    *out = (dpl_photo)DPL_PHOTO_INIT;
    if (!pipeline->detector)
        status = dpli_fail(err, DPL_E_ARGUMENT, "faces in boxes need a pipeline with a detector");
    else if (width_px > 0 && height_px > 0) /* else dpl_image_from_rgb refuses it */
        status = dpli_check_pixels((uint64_t)width_px, (uint64_t)height_px, &pipeline->decode, err);
    if (status == DPL_OK)
        status = dpl_image_from_rgb(&photo.image, rgb, width_px, height_px, stride_bytes, err);
    if (status == DPL_OK && n_boxes > 0) {
        photo.faces = dpli_calloc(n_boxes, sizeof *photo.faces, err);
        status = photo.faces ? DPL_OK : DPL_E_MEMORY;
    }
    for (; photo.n_faces < n_boxes && status == DPL_OK; photo.n_faces++) {
        char box[32];

        status = face_at(&photo.faces[photo.n_faces], pipeline, scratch, &photo.image,
                         &boxes[photo.n_faces], err);
        snprintf(box, sizeof box, "box %zu", photo.n_faces + 1);
        if (status != DPL_OK)
            dpli_fail_in(err, status, box);
    }
    if (status == DPL_OK)
        status = encode_faces(&photo, pipeline, scratch, err);
    if (status == DPL_OK && pipeline->image_encoder)
        status = encode_image(&photo, pipeline, scratch, err);
    if (status == DPL_OK)
        *out = photo;
    else
        dpl_photo_clear(&photo);
    return name_photo(out, name, status, err);
}

dpl_status dpli_photo_shrink(dpl_photo *photo, int32_t preview_px, dpl_error *err)
{
    dpl_image *image = &photo->image;
    const int32_t larger = image->width_px > image->height_px ? image->width_px : image->height_px;
    dpl_image small = DPL_IMAGE_INIT;

    if (preview_px > 0 && larger > preview_px) {
        const int32_t w = (int32_t)((int64_t)image->width_px * preview_px / larger);
        const int32_t h = (int32_t)((int64_t)image->height_px * preview_px / larger);
        const dpl_status status =
            dpl_image_resize(&small, image, w > 0 ? w : 1, h > 0 ? h : 1, err);

        if (status != DPL_OK)
            return status;
        free(image->pixels);
        image->pixels = small.pixels;
        image->width_px = small.width_px;
        image->height_px = small.height_px;
    } else if (preview_px <= 0) {
        free(image->pixels);
        image->pixels = NULL;
    }
    return DPL_OK;
}

bool dpli_stops_the_run(dpl_status status)
{
    return status == DPL_E_MODEL || dpl_status_exit_code(status) > 4;
}

dpl_status dpli_scratches_new(dpl_scratch ***out, int n, dpl_error *err)
{
    dpl_status status = DPL_OK;

    *out = dpli_calloc((size_t)n, sizeof **out, err);
    if (!*out)
        return DPL_E_MEMORY;
    for (int i = 0; i < n && status == DPL_OK; i++)
        status = dpl_scratch_new(&(*out)[i], 0, err);
    return status;
}

void dpli_scratches_free(dpl_scratch **scratches, int n)
{
    for (int i = 0; scratches && i < n; i++)
        dpl_scratch_free(scratches[i]);
    free(scratches);
}

void dpl_photo_clear(dpl_photo *photo)
{
    if (!photo)
        return;
    free(photo->name);
    dpl_image_clear(&photo->image);
    dpl_faces_free(photo->faces);
    free(photo->chips);
    free(photo->vectors);
    free(photo->image_vector);
    *photo = (dpl_photo)DPL_PHOTO_INIT;
}

dpl_status dpli_no_face(const dpl_photo *photo, dpl_error *err)
{
    const dpl_image *image = &photo->image;

    if (photo->closer_side_px > 0)
        return dpli_fail(err, DPL_E_NO_FACE,
                         "no face found; small ones in %dx%d pixels need a closer look "
                         "(--detect-side %d)",
                         (int)image->full_width_px, (int)image->full_height_px,
                         (int)photo->closer_side_px);
    /* Without a face it was to be decoded again. */
    if (image->width_px < image->full_width_px)
        return dpli_fail(err, DPL_E_NO_FACE,
                         "no face found; small ones need more memory, to look at all of %dx%d "
                         "pixels (--max-memory)",
                         (int)image->full_width_px, (int)image->full_height_px);
    /* It may be in the rows that are not there. */
    if (image->warning[0])
        return dpli_fail(err, DPL_E_NO_FACE, "no face found; %s", image->warning);
    return dpli_fail(err, DPL_E_NO_FACE, "no face found");
}

size_t dpli_main_face(const dpl_photo *photo)
{
    return dpl_main_face(photo->faces, photo->n_faces, &photo->image);
}

/* All other faces' area together, over the main one's. Of 279 everyday photos that are said to show
   several people and in which several faces are found, so many pass for one's portrait: 1 % up to
   0.3, 4 % at 0.4, 7 % at 0.5. */
#define BACKGROUND_AREA 0.3

bool dpli_has_dominant_face(const dpl_photo *photo)
{
    const size_t main_face = dpli_main_face(photo);
    double area[2] = {0, 0};

    for (size_t i = 0; i < photo->n_faces; i++)
        area[i == main_face] += (double)photo->faces[i].w_px * (double)photo->faces[i].h_px;
    return area[0] <= BACKGROUND_AREA * area[1];
}

/* A whole picture, as small as it is kept. */
static dpl_status shrink(dpl_image *out, const dpl_image *image, dpl_error *err)
{
    const int32_t w = image->width_px, h = image->height_px;
    const double scale = fmin(1, DPLI_PICTURE_SIDE / (double)(w > h ? w : h));
    const int32_t to_w = (int32_t)lround(w * scale), to_h = (int32_t)lround(h * scale);

    return dpl_image_resize(out, image, to_w > 1 ? to_w : 1, to_h > 1 ? to_h : 1, err);
}

dpl_status dpli_thumb(uint8_t **out, size_t *n_out, const dpl_encoder *encoder,
                      const dpl_image *image, const dpl_face *face, const uint8_t *chip,
                      dpl_error *err)
{
    const int32_t w = dpl_encoder_width_px(encoder), h = dpl_encoder_height_px(encoder);
    dpl_image thumb = DPL_IMAGE_INIT;
    dpl_status status = DPL_E_INPUT;

    *out = NULL;
    if (face)
        status = dpl_portrait(&thumb, image, face, DPLI_PORTRAIT_WIDTH, err);
    else if (!chip)
        status = shrink(&thumb, image, err);
    if (status == DPL_E_INPUT)
        status = dpl_image_from_rgb(&thumb, chip, w, h, (size_t)w * 3, err);
    if (status == DPL_OK)
        status = dpl_image_to_jpeg(out, n_out, &thumb, 85, err);
    dpl_image_clear(&thumb);
    return status;
}
