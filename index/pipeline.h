/* The pipeline's inner steps, for the jobs. */
#ifndef DOPPEL_INDEX_PIPELINE_H
#define DOPPEL_INDEX_PIPELINE_H

#include "doppel/dataset.h"
#include "doppel/job.h"
#include "index/compare.h"

/** Read a photo's bytes and name them, once the pipeline has memory for them; given back by
 * dpli_photo_unread. The message does not name the file. */
dpl_status dpli_photo_read(uint8_t **bytes, size_t *n_bytes, char sha256[65],
                           const dpl_pipeline *pipeline, const char *path, dpl_error *err);

/** As dpli_photo_read, an item of a dataset; the message names it. */
dpl_status dpli_item_read(uint8_t **bytes, size_t *n_bytes, const dpl_pipeline *pipeline,
                          const dpl_dataset *dataset, int32_t item, dpl_error *err);

/** Give back what dpli_photo_read or dpli_item_read gave, or nothing (NULL, 0). */
void dpli_photo_unread(uint8_t *bytes, size_t n_bytes, const dpl_pipeline *pipeline);

/** Wait until there is memory to decode these bytes (NULL: none) and run the models; returns what
 * dpli_pipeline_end is told. */
size_t dpli_pipeline_begin(const dpl_pipeline *pipeline, dpl_scratch *scratch, const void *bytes,
                           size_t n_bytes);
void dpli_pipeline_end(const dpl_pipeline *pipeline, dpl_scratch *scratch, size_t n);

/** All stages on what dpli_photo_read gave, which counts as memory that decoding takes;
 * out->sha256 is left empty, the message does not name the file.
 * @param[out] claim  what dpli_pipeline_end is told, on failure too, once the caller has done with
 *                    the photo's pixels: they count as memory until then */
dpl_status dpli_photo_process(dpl_photo *out, size_t *claim, const dpl_pipeline *pipeline,
                              dpl_scratch *scratch, const void *bytes, size_t n_bytes,
                              dpl_error *err);

/* Vectors of whole pictures that are known already, by the photo's content. */
typedef struct dpli_known_vectors {
    const float *(*find)(const void *ctx, const char *sha256); /* [dim]; NULL: not known */
    const void *ctx;
    int32_t dim;
} dpli_known_vectors;

/** dpl_photo_open, shrunk for a preview (dpli_photo_shrink) while its pixels still count as memory;
 * and for who wants no more than the picture and its vector: a known one is image_vector, and then
 * nothing is encoded, nor are faces looked for.
 * @param known       NULL: none are
 * @param preview_px  INT32_MAX: it stays as it is */
dpl_status dpli_photo_open(dpl_photo *out, const dpl_pipeline *pipeline, dpl_scratch *scratch,
                           const char *path, const dpli_known_vectors *known, int32_t preview_px,
                           dpl_error *err);

/** That a photo has no face; and where small ones may have been missed, the option that looks
 * closer. The message does not name the file. */
dpl_status dpli_no_face(const dpl_photo *photo, dpl_error *err);

/** Keep of a photo's pixels what a look at it needs: a larger side of preview_px; 0: none of them.
 * Its size as a whole and its faces stay. */
dpl_status dpli_photo_shrink(dpl_photo *photo, int32_t preview_px, dpl_error *err);

/** Whether a failure is none of the photo's: the next photo would meet it, too. */
bool dpli_stops_the_run(dpl_status status);

/** A scratch for each of n threads; freed by dpli_scratches_free, also when it fails. */
dpl_status dpli_scratches_new(dpl_scratch ***out, int n, dpl_error *err);
void dpli_scratches_free(dpl_scratch **scratches, int n);

/** The pipeline's limits on decoding. */
const dpl_decode_options *dpli_pipeline_decode(const dpl_pipeline *pipeline);

/** SHA-256, in hex, of what decides whether a photo can be decoded: limits, and formats that are
 * read; and of what decides which faces are found in it: the detector and its options. */
dpl_status dpli_pipeline_decoding_sum(char sha256[65], const dpl_pipeline *pipeline,
                                      dpl_error *err);
dpl_status dpli_pipeline_detecting_sum(char sha256[65], const dpl_pipeline *pipeline,
                                       dpl_error *err);

float dpli_pipeline_min_quality(const dpl_pipeline *pipeline);

/** What its faces are compared by. */
dpli_judge dpli_pipeline_judge(const dpl_pipeline *pipeline, const dpl_policy *policy);

/** Bytes of one chip of this encoder. */
size_t dpli_chip_bytes(const dpl_encoder *encoder);

/** Index of the face that the photo is of (dpl_main_face); n_faces must be positive. */
size_t dpli_main_face(const dpl_photo *photo);

/** Whether of several faces one is so much larger than the others together that the photo is its
 * portrait, and they are in its background. */
bool dpli_has_dominant_face(const dpl_photo *photo);

/** JPEG of a face for people to look at; of its chip [height, width, 3] where there are no
 * landmarks; or, of neither, of the whole picture. Freed with dpl_bytes_free. */
dpl_status dpli_thumb(uint8_t **out, size_t *n_out, const dpl_encoder *encoder,
                      const dpl_image *image, const dpl_face *face, const uint8_t *chip,
                      dpl_error *err);

#endif
