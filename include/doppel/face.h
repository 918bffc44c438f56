/*
 * Faces: find them, align them, judge them, encode them.
 *
 * Coordinates are always pixels of the upright full-size photo (dpl_image's full_width_px), origin
 * at the top left corner of the top left pixel, whatever size it was decoded at.
 */
#ifndef DOPPEL_FACE_H
#define DOPPEL_FACE_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/image.h"
#include "doppel/net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dpl_point {
    float x_px, y_px;
} dpl_point;

/* How fit a face is for comparison. Every number is of the face in the photo, not of the chip. */
typedef struct dpl_quality {
    float overall;    /* 0 (useless) .. 1 (portrait): the least of the parts below, each as 0..1 */
    float size_px;    /* distance between the eyes' centre and the mouth's centre */
    float sharpness;  /* variance of the chip's Laplacian over its grey variance */
    float brightness; /* mean luma, 0..1 */
    float contrast;   /* standard deviation of luma, 0..1 */
    float yaw_deg, pitch_deg, roll_deg; /* from the landmarks; a rough estimate */
    float detector;                     /* the detector's score, 0..1 */
    char weakest[16]; /* the part that decided overall: "size", "sharpness", "exposure", "pose",
                         "detector", "cut" (much of the chip lies outside of the photo or is a black
                         frame) */
} dpl_quality;

typedef struct dpl_face {
    float x_px, y_px, w_px, h_px; /* box */
    float score;                  /* detector's, 0..1 */
    dpl_point landmarks[5];       /* eyes, nose, corners of the mouth; left first when the face is
                                     upright, however it lies in the picture */
    dpl_quality quality;          /* filled by dpl_align */
} dpl_face;

/* ------------------------------------------------------------------ detector */

typedef struct dpl_detector dpl_detector;

typedef struct dpl_detect_options {
    size_t struct_size;
    float min_score;   /* 0..1, default 0.6 */
    float max_overlap; /* intersection over union above which the weaker of two boxes goes, default
                          0.3 */
    int32_t max_side_px; /* a photo of 4:3 is brought down to this larger side for detection, others
                            to the same area or this side, whichever is larger; default 1280. One
                            that shows no face of a fair size then is looked at closer */
    float min_face_px;   /* boxes with a larger side below this are dropped, default 0 (none) */
    int32_t max_faces;   /* strongest kept, default 256 */
} dpl_detect_options;

#define DPL_DETECT_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_detect_options), 0.6f, 0.3f, 1280, 0.0f, 256                                    \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_detect_options_init(dpl_detect_options *options, size_t struct_size);

/** Open a face detector (ONNX with doppel.kind "face-detector"). Threads: shared, read only. */
DPL_API dpl_status dpl_detector_open(dpl_detector **out, const char *path, dpl_error *err);
/** As dpl_detector_open, within the limits given; NULL: the defaults. */
DPL_API dpl_status dpl_detector_open_with(dpl_detector **out, const char *path,
                                          const dpl_net_options *options, dpl_error *err);
DPL_API void dpl_detector_close(dpl_detector *detector);
DPL_API const dpl_net *dpl_detector_net(const dpl_detector *detector);

/**
 * Find faces, from 24 px in the picture as detected up to the whole of it, turned by any angle.
 *
 * @param[out] out    the faces, strongest first, freed by dpl_faces_free; NULL when *n_out is 0
 * @param[in]  image  not changed
 * Finding none is DPL_OK with *n_out = 0.
 * Threads: one scratch a thread.
 * Source: Wu, Peng, Yu 2023, "YuNet: a tiny millisecond-level face detector".
 */
DPL_API dpl_status dpl_detect(dpl_face **out, size_t *n_out, const dpl_detector *detector,
                              dpl_scratch *scratch, const dpl_image *image,
                              const dpl_detect_options *options, dpl_error *err);
DPL_API void dpl_faces_free(dpl_face *faces);

/**
 * Index of the face that a picture is of: large, and near the middle; 0 when n is 0 or 1.
 *
 * Differs from InsightFace's rule (area less twice the squared distance), by which a small face in
 * the middle of a large photo beats any other.
 */
DPL_API size_t dpl_main_face(const dpl_face *faces, size_t n, const dpl_image *image);

/* ------------------------------------------------------------------ encoder */

typedef struct dpl_encoder dpl_encoder;

/**
 * Open an encoder: any ONNX net with one picture in and one vector out.
 *
 * Its facts come from metadata (doppel.template, doppel.mean, …), a sidecar, or a preset.
 *
 * @param[in] preset  NULL, or a name from dpl_encoder_preset_name; the file's own facts win over it
 */
DPL_API dpl_status dpl_encoder_open(dpl_encoder **out, const char *path, const char *preset,
                                    dpl_error *err);
/** As dpl_encoder_open, within the limits given; NULL: the defaults. */
DPL_API dpl_status dpl_encoder_open_with(dpl_encoder **out, const char *path, const char *preset,
                                         const dpl_net_options *options, dpl_error *err);
DPL_API void dpl_encoder_close(dpl_encoder *encoder);
DPL_API const dpl_net *dpl_encoder_net(const dpl_encoder *encoder);
DPL_API const char *dpl_encoder_preset_name(int32_t i); /* NULL past the last */
/** What it was opened with: the file, and the preset or NULL. */
DPL_API const char *dpl_encoder_path(const dpl_encoder *encoder);
DPL_API const char *dpl_encoder_preset(const dpl_encoder *encoder);

DPL_API int32_t dpl_encoder_width_px(const dpl_encoder *encoder);
DPL_API int32_t dpl_encoder_height_px(const dpl_encoder *encoder);
DPL_API int32_t dpl_encoder_dim(const dpl_encoder *encoder);
/** "face" (aligned faces) or "image" (whole pictures): the space of its vectors. */
DPL_API const char *dpl_encoder_space(const dpl_encoder *encoder);
/** A fact by its short name ("head", "calibration", "name"), preset included; NULL when unknown. */
DPL_API const char *dpl_encoder_fact(const dpl_encoder *encoder, const char *name);
/** Hash that its vectors carry, 64 hex digits: the net's and the facts that change a vector. */
DPL_API const char *dpl_encoder_hash(const dpl_encoder *encoder);

/**
 * Cut a face out, turned and scaled so that its landmarks lie on the encoder's template.
 *
 *     chip  [height, width, 3]  uint8 RGB, top row first, of the encoder's size
 *
 * Least-squares similarity (no reflection), sampled bilinearly from a picture reduced beforehand
 * when the face is larger than the chip; outside the photo is black.
 *
 * @param      face  landmarks are read, quality is written
 * @retval DPL_E_INPUT  the landmarks coincide or are not finite
 * Source: Umeyama 1991, equations 40 to 42.
 */
DPL_API dpl_status dpl_align(uint8_t *chip, dpl_face *face, const dpl_encoder *encoder,
                             const dpl_image *image, dpl_error *err);

/**
 * A face for people to look at: upright as the chip is, but with hair, ears and chin, width_px wide
 * and a quarter higher; outside the photo is black.
 *
 * @param[out] out  cleared by dpl_image_clear
 * @retval DPL_E_INPUT  the landmarks coincide or are not finite, as those of a whole picture do
 */
DPL_API dpl_status dpl_portrait(dpl_image *out, const dpl_image *image, const dpl_face *face,
                                int32_t width_px, dpl_error *err);

/** The whole picture as a chip: its largest centred part of the chip's proportions, resized. */
DPL_API dpl_status dpl_whole_chip(uint8_t *chip, const dpl_encoder *encoder, const dpl_image *image,
                                  dpl_error *err);

/**
 * Embed n chips.
 *
 *     chips  [n, height, width, 3]  uint8 RGB
 *     out    [n, dim]               float32, each row of unit L2 norm (±1e-5) unless the model's
 * fact "normalize" is "none"
 *
 * @retval DPL_E_NUMERIC  a non-finite or all-zero vector came out; err names the row
 * Threads: one scratch a thread.
 * Numerics: cosine between two BLAS builds' results is at least 0.99999. A batch of n equals n
 *           batches of one within 1e-5.
 */
DPL_API dpl_status dpl_encode(float *out, const dpl_encoder *encoder, dpl_scratch *scratch,
                              const uint8_t *chips, size_t n, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
