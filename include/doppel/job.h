/*
 * The whole jobs: photo in, answer out. What `doppel enroll`, `verify` and `query` do, for who
 * links us.
 */
#ifndef DOPPEL_JOB_H
#define DOPPEL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/face.h"
#include "doppel/gallery.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ pipeline */

/* Detector, encoders and limits: everything that turns a photo into vectors. Immutable, shared. */
typedef struct dpl_pipeline dpl_pipeline;

typedef struct dpl_pipeline_options {
    size_t struct_size;
    const char *detector_path; /* NULL: no detector; the whole picture is the chip (--detect none)
                                */
    const char *encoder_path;  /* face encoder */
    const char *preset;        /* for the encoder; NULL: none */
    const char *image_path;    /* image encoder; NULL: none */
    dpl_decode_options decode; /* its max_bytes also bound what all threads decode and detect at
                                  once: one waits for another */
    dpl_detect_options detect;
    float min_quality;   /* enrolment refuses faces below; 0: off; default 0.1 */
    dpl_net_options net; /* of each model */
} dpl_pipeline_options;

#define DPL_PIPELINE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(dpl_pipeline_options), NULL, NULL, NULL, NULL, DPL_DECODE_OPTIONS_INIT,             \
            DPL_DETECT_OPTIONS_INIT, 0.1f, DPL_NET_OPTIONS_INIT                                    \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_pipeline_options_init(dpl_pipeline_options *options, size_t struct_size);

DPL_API dpl_status dpl_pipeline_open(dpl_pipeline **out, const dpl_pipeline_options *options,
                                     dpl_error *err);
DPL_API void dpl_pipeline_close(dpl_pipeline *pipeline);
DPL_API const dpl_encoder *dpl_pipeline_encoder(const dpl_pipeline *pipeline);
DPL_API const dpl_encoder *dpl_pipeline_image_encoder(const dpl_pipeline *pipeline); /* or NULL */
DPL_API const dpl_detector *dpl_pipeline_detector(const dpl_pipeline *pipeline);     /* or NULL */
DPL_API const dpl_head *dpl_pipeline_head(const dpl_pipeline *pipeline);
DPL_API const dpl_calibration *dpl_pipeline_calibration(const dpl_pipeline *pipeline); /* or NULL */

/* A photo after the pipeline. */
typedef struct dpl_photo {
    char *name; /* what messages call it: the path, or what the caller gave; NULL: nothing */
    dpl_image image;
    size_t n_faces;
    dpl_face *faces; /* strongest first; with --detect none one face that is the whole picture */
    uint8_t *chips;  /* [n_faces, chip height, chip width, 3] */
    float *vectors;  /* [n_faces, dim] */
    float *image_vector;    /* [image dim], or NULL without an image encoder */
    char sha256[65];        /* of the file's content; "" when the photo came as pixels */
    int32_t closer_side_px; /* 0, or: no face was found, but only a reduced picture was looked at;
                               with this detect.max_side_px all of it is */
} dpl_photo;

#define DPL_PHOTO_INIT                                                                             \
    {                                                                                              \
        NULL, DPL_IMAGE_INIT, 0, NULL, NULL, NULL, NULL, "", 0                                     \
    }

/**
 * Open a photo and run all of the pipeline on it. No face is DPL_OK with n_faces 0.
 *
 * @param[out] out  filled on success, cleared on failure; cleared by dpl_photo_clear
 * @retval DPL_E_INPUT, DPL_E_LIMIT  as of dpl_image_open; err names the file
 * Threads: one scratch a thread.
 */
DPL_API dpl_status dpl_photo_open(dpl_photo *out, const dpl_pipeline *pipeline,
                                  dpl_scratch *scratch, const char *path, dpl_error *err);

/**
 * As dpl_photo_open, from a file's content in memory, which is not kept.
 *
 * @param name  what messages call it, copied; may be NULL
 */
DPL_API dpl_status dpl_photo_from_bytes(dpl_photo *out, const dpl_pipeline *pipeline,
                                        dpl_scratch *scratch, const char *name, const void *bytes,
                                        size_t n_bytes, dpl_error *err);

/**
 * As dpl_photo_open, from upright pixels, uint8 RGB [height_px, width_px, 3] with stride_bytes a
 * row, which are copied.
 *
 * @param name  what messages call it, copied; may be NULL
 * @retval DPL_E_ARGUMENT  no pixels, or a stride shorter than a row
 * @retval DPL_E_LIMIT     more of them than the pipeline may decode
 */
DPL_API dpl_status dpl_photo_from_rgb(dpl_photo *out, const dpl_pipeline *pipeline,
                                      dpl_scratch *scratch, const char *name, const uint8_t *rgb,
                                      int32_t width_px, int32_t height_px, size_t stride_bytes,
                                      dpl_error *err);
DPL_API void dpl_photo_clear(dpl_photo *photo);

/* ------------------------------------------------------------------ enroll */

typedef enum dpl_faces_policy {
    DPL_FACES_REFUSE = 0,  /* several faces: not enrolled, with the reason */
    DPL_FACES_LARGEST = 1, /* the main one: large, nearness to the middle counted */
    DPL_FACES_ALL = 2
} dpl_faces_policy;

typedef enum dpl_outcome {
    DPL_OUTCOME_ADDED = 0,
    DPL_OUTCOME_UPDATED = 1,    /* content, person or options changed */
    DPL_OUTCOME_UNCHANGED = 2,  /* known and the same: only looked at */
    DPL_OUTCOME_MOVED = 3,      /* known content under a new path, the old path gone */
    DPL_OUTCOME_REFUSED = 4,    /* status and message say why */
    DPL_OUTCOME_PRUNED = 5,     /* vanished file forgotten (prune) */
    DPL_OUTCOME_PASSED_OVER = 6 /* no picture (a note, a cache, a video): counted, not recorded */
} dpl_outcome;

/* One file's result, reported as it is committed. Strings live until the callback returns. */
typedef struct dpl_enroll_event {
    const char *path, *person; /* person NULL: nobody's */
    dpl_outcome outcome;
    dpl_status status;
    const char *message; /* "", the reason, or a warning about a photo enrolled all the same */
    size_t n_faces;
    const dpl_photo *photo; /* the photo when it was decoded now, else NULL */
    int64_t n_done, n_total;
} dpl_enroll_event;

typedef struct dpl_enroll_options {
    size_t struct_size;
    const char *name; /* all files are this person's (flat); NULL: by folder or by file name */
    dpl_faces_policy faces;
    bool prune;                 /* forget photos under the given folders whose files are gone */
    bool follow_links;          /* links that lead out of the folders given are followed, too */
    bool force;                 /* encode again what is unchanged, too */
    int n_threads;              /* 0: one a core */
    int32_t preview_px;         /* larger side of event->photo's picture; 0: it has no pixels */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: finish the photos in hand,
                                   commit, return DPL_E_CANCELLED */
    void (*on_event)(void *ctx, const dpl_enroll_event *event); /* caller's thread; may be NULL */
    void *ctx;
} dpl_enroll_options;

#define DPL_ENROLL_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_enroll_options), NULL, DPL_FACES_REFUSE, 0, 0, 0, 0, 0, NULL, NULL, NULL        \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_enroll_options_init(dpl_enroll_options *options, size_t struct_size);

typedef struct dpl_enroll_report {
    int64_t n_files, n_added, n_updated, n_unchanged, n_moved, n_refused, n_pruned;
    int64_t n_refused_again; /* of n_refused: known from before, nothing changed, not tried again */
    int64_t n_passed_over;   /* no pictures: not of n_files */
    int64_t n_links;         /* links that lead out of the folders given, not followed */
    dpl_status worst;        /* of the files' statuses */
    double seconds;
} dpl_enroll_report;

/**
 * Enrol files and folders.
 *
 * In a folder given, a photo belongs to the person named by the folder that holds it, at any depth;
 * photos directly in the folder given, and files given one by one, are one person each, named by
 * the file without its ending. options->name overrides both. A photo already known keeps its
 * person, also when it has moved. Folders are walked recursively in the order of names; a folder
 * reached twice (symbolic links) is walked once, and a link that leads out of the folders given is
 * followed only with follow_links; hidden files are passed over, and what is
 * no picture by name or content (dpl_image_is_meant); a picture that cannot be read is refused.
 *
 * @retval DPL_E_CANCELLED  stopped on request; what was done is committed
 * Any file's own failure is reported in its event and in report->worst, not returned.
 */
DPL_API dpl_status dpl_enroll(dpl_enroll_report *report, dpl_gallery *gallery,
                              const dpl_pipeline *pipeline, const char *const *paths,
                              size_t n_paths, const dpl_enroll_options *options, dpl_error *err);

/**
 * Enrol a photo that the caller has opened, wherever it came from.
 *
 * It replaces what the gallery knew by the same source. A photo that is refused is in the ledger
 * with its reason, as after dpl_enroll.
 *
 * @param photo    opened by this pipeline
 * @param source   what the gallery is to know it by: dpl_photo_row's path
 * @param options  name: whose it is, NULL: nobody's; faces: which of them. The rest is for files
 * @retval DPL_E_NO_FACE, DPL_E_MANY_FACES, DPL_E_QUALITY  refused
 * @retval DPL_E_MISMATCH, DPL_E_ARGUMENT and others       as of dpl_gallery_bind and
 *                                                         dpl_gallery_put: nothing was changed
 */
DPL_API dpl_status dpl_enroll_photo(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                                    const dpl_photo *photo, const char *source,
                                    const dpl_enroll_options *options, dpl_error *err);

/* ------------------------------------------------------------------ repair */

typedef struct dpl_repair_event {
    const char *photo;   /* path; of a person's name, NULL */
    const char *message; /* what was done, or why nothing could be */
    int mended, dropped; /* neither: it stays as it is */
} dpl_repair_event;

typedef struct dpl_repair_report {
    int64_t n_mended, n_dropped, n_left; /* people and photos */
} dpl_repair_report;

/**
 * Mend what dpl_gallery_check finds, each photo in a transaction of its own: damaged names from the
 * folders of their photos, where the name's sum says that it is the one; damaged rows, vectors,
 * faces and thumbnails by reading the photo again, when its file is there and has the content that
 * was enrolled. Damaged snapshots are removed and made anew by the next search.
 *
 * @param drop  nonzero: photos that cannot be had again are forgotten
 * @param fn    gets what becomes of each; may be NULL
 * @retval DPL_E_GALLERY   the database's structure is damaged: an export or the photos make a new
 *                         gallery
 * @retval DPL_E_MISMATCH  the pipeline is not the one that made the vectors
 */
DPL_API dpl_status dpl_gallery_repair(dpl_repair_report *out, dpl_gallery *gallery,
                                      const dpl_pipeline *pipeline, int drop,
                                      void (*fn)(void *ctx, const dpl_repair_event *event),
                                      void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ verify */

typedef struct dpl_verify_options {
    size_t struct_size;
    int32_t face_a, face_b; /* which of the photo's faces; -1: the main one (large, near the
                               middle) */
} dpl_verify_options;

#define DPL_VERIFY_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_verify_options), -1, -1                                                         \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_verify_options_init(dpl_verify_options *options, size_t struct_size);

/* A comparison and its verdict. */
typedef struct dpl_verdict {
    float score;   /* head's, higher is more alike */
    dpl_rate rate; /* how often strangers score this high; rate NaN without calibration */
    dpl_decision decision;
    size_t face_a, face_b; /* which faces were compared */
    /* of a claim: */
    int64_t template_id; /* best template of the person, else 0 */
    float mean_score;    /* against the mean of the person's templates; NaN otherwise */
    size_t n_templates;
} dpl_verdict;

/**
 * Compare two photos.
 *
 * @param options  NULL for the defaults
 * @retval DPL_E_NO_FACE, DPL_E_ARGUMENT  no face, or no face of that number; err names the photo
 */
DPL_API dpl_status dpl_verify(dpl_verdict *out, const dpl_pipeline *pipeline,
                              const dpl_policy *policy, const dpl_photo *a, const dpl_photo *b,
                              const dpl_verify_options *options, dpl_error *err);

/** Compare a photo, of which options says the face as face_a, with what the gallery holds of a
 * person: the best template decides.
 * @retval DPL_E_NO_PERSON  the gallery holds nothing of a person of this name */
DPL_API dpl_status dpl_verify_claim(dpl_verdict *out, dpl_gallery *gallery,
                                    const dpl_pipeline *pipeline, const dpl_policy *policy,
                                    const dpl_photo *photo, const char *person,
                                    const dpl_verify_options *options, dpl_error *err);

/* ------------------------------------------------------------------ query */

typedef struct dpl_answer_hit {
    dpl_hit hit;
    dpl_rate rate;
    dpl_decision decision;
    char *person; /* NULL: nobody's */
    char *photo_path;
    dpl_face face; /* where in that photo */
    uint8_t *thumb;
    size_t n_thumb;
} dpl_answer_hit;

/**
 * The policy for asking a gallery of n_persons: a rate per comparison such that a stranger is named
 * with probability at most fpir (1 - (1 - fmr)^n <= n * fmr), and at most DPL_DEFAULT_FMR; when the
 * calibration does not reach so far down, the lowest rate that it supports.
 */
DPL_API dpl_status dpl_policy_for_search(dpl_policy *out, const dpl_calibration *calibration,
                                         double fpir, int64_t n_persons, dpl_error *err);

#define DPL_DEFAULT_FPIR 1e-2

/* Who one face is, and what looks like it. */
typedef struct dpl_answer {
    int32_t face;       /* index into the photo's faces; -1: the whole picture */
    const char *person; /* of hits[0] when it matches; NULL: unknown. Borrowed from hits[0] */
    dpl_decision decision;
    size_t n_hits;
    dpl_answer_hit *hits; /* best first */
    dpl_search_info search;
} dpl_answer;

typedef enum dpl_query_by {
    DPL_QUERY_AUTO = 0, /* by face when the photo has one, else by picture */
    DPL_QUERY_FACE = 1,
    DPL_QUERY_IMAGE = 2
} dpl_query_by;

/**
 * Ask the gallery about a photo: one answer a face (strongest first), or one for the whole picture.
 *
 * The policy's rate is per comparison: a gallery of many people gives a stranger many chances,
 * which dpl_policy_for_search allows for. Whole pictures are judged only by a threshold given in
 * the policy.
 *
 * @param[out] out  [*n_out], freed by dpl_answers_free
 * @retval DPL_E_NO_FACE   by face, and there is none
 * @retval DPL_E_MISMATCH  the gallery's vectors are another model's
 */
DPL_API dpl_status dpl_query(dpl_answer **out, size_t *n_out, dpl_gallery *gallery,
                             const dpl_pipeline *pipeline, const dpl_policy *policy,
                             const dpl_photo *photo, dpl_query_by by,
                             const dpl_search_options *options, dpl_error *err);
DPL_API void dpl_answers_free(dpl_answer *answers, size_t n);

#ifdef __cplusplus
}
#endif

#endif
