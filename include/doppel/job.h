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
#include "doppel/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ pipeline */

/* Detector, encoders and limits: everything that turns a photo into vectors. Immutable, shared. */
typedef struct dpl_pipeline dpl_pipeline;

typedef struct dpl_pipeline_options {
    size_t struct_size;
    const char *detector_path; /* NULL with an encoder_path: no detector; the whole picture is the
                                  chip (--detect none) */
    const char *encoder_path;  /* face encoder; NULL: the one that comes with doppel, with its
                                  detector (dpl_models_find) */
    const char *preset;        /* for the encoder; NULL: none */
    const char *image_path;    /* image encoder; NULL: none */
    dpl_decode_options decode; /* its max_bytes also bound what all threads decode and detect at
                                  once: one waits for another */
    dpl_detect_options detect;
    float min_quality;            /* enrolment refuses faces below; 0: off; default 0.1 */
    dpl_net_options net;          /* of each model */
    const char *calibration_path; /* a file that decides in the place of the encoder's own
                                     calibration, as dpl_gallery_calibration gives it; NULL: none */
    const char *image_preset;     /* for the image encoder; NULL: none */
} dpl_pipeline_options;

#define DPL_PIPELINE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(dpl_pipeline_options), NULL, NULL, NULL, NULL, DPL_DECODE_OPTIONS_INIT,             \
            DPL_DETECT_OPTIONS_INIT, 0.1f, DPL_NET_OPTIONS_INIT, NULL, NULL                        \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_pipeline_options_init(dpl_pipeline_options *options, size_t struct_size);

/**
 * Open the models and what they are judged by.
 *
 * @param[in] options  NULL: faces, by the models that come with doppel
 * @retval DPL_E_MODEL     a model or a calibration that is none, or does not fit the encoder; the
 *                         ones that come with doppel are not where they were installed
 * @retval DPL_E_MISMATCH  the calibration is of another model; err names the file
 */
DPL_API dpl_status dpl_pipeline_open(dpl_pipeline **out, const dpl_pipeline_options *options,
                                     dpl_error *err);
DPL_API void dpl_pipeline_close(dpl_pipeline *pipeline);
DPL_API const dpl_encoder *dpl_pipeline_encoder(const dpl_pipeline *pipeline);
DPL_API const dpl_encoder *dpl_pipeline_image_encoder(const dpl_pipeline *pipeline); /* or NULL */
DPL_API const dpl_detector *dpl_pipeline_detector(const dpl_pipeline *pipeline);     /* or NULL */
DPL_API const dpl_head *dpl_pipeline_head(const dpl_pipeline *pipeline);
DPL_API const dpl_calibration *dpl_pipeline_calibration(const dpl_pipeline *pipeline); /* or NULL */
/** How often two different pictures are as alike, from the facts of the image encoder; or NULL. */
DPL_API const dpl_calibration *dpl_pipeline_image_calibration(const dpl_pipeline *pipeline);
/** Whether its calibration came from the options' calibration_path, not from the encoder. */
DPL_API bool dpl_pipeline_calibration_is_given(const dpl_pipeline *pipeline);

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
    int64_t n_bytes;        /* of the file's content; 0 when the photo came as pixels */
    int32_t closer_side_px; /* 0, or: no face was found, but only a reduced picture was looked at;
                               with this detect.max_side_px all of it is */
} dpl_photo;

#define DPL_PHOTO_INIT                                                                             \
    {                                                                                              \
        NULL, DPL_IMAGE_INIT, 0, NULL, NULL, NULL, NULL, "", 0, 0                                  \
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

/* A part of a photo, in pixels of the upright photo. */
typedef struct dpl_box {
    float x_px, y_px, w_px, h_px;
} dpl_box;

/**
 * As dpl_photo_from_rgb, of faces that the caller has found by other means: one in each box, in the
 * order of the boxes. In a box and as much again around it faces are looked for, and the one that
 * shares most with the box is it, with the detector's own box and landmarks.
 *
 * @param boxes  n_boxes of them; none is no failure
 * @retval DPL_E_NO_FACE   nothing shares 0.15 of its union with a box; err gives its number, from 1
 * @retval DPL_E_ARGUMENT  a box that is not in the picture, or not finite; a pipeline without a
 *                         detector; and as of dpl_photo_from_rgb
 */
DPL_API dpl_status dpl_photo_from_rgb_at(dpl_photo *out, const dpl_pipeline *pipeline,
                                         dpl_scratch *scratch, const char *name, const uint8_t *rgb,
                                         int32_t width_px, int32_t height_px, size_t stride_bytes,
                                         const dpl_box *boxes, size_t n_boxes, dpl_error *err);
DPL_API void dpl_photo_clear(dpl_photo *photo);

/* ------------------------------------------------------------------ enroll */

typedef enum dpl_faces_policy {
    DPL_FACES_REFUSE = 0,  /* several faces, of which none dominates the photo: not enrolled, with
                              the reason; else the one that does */
    DPL_FACES_LARGEST = 1, /* the main one: large, nearness to the middle counted */
    DPL_FACES_ALL = 2      /* all; the one that dominates the photo is the person's, the others
                              nobody's, and where none does, all are */
} dpl_faces_policy;

typedef enum dpl_outcome {
    DPL_OUTCOME_ADDED = 0,
    DPL_OUTCOME_UPDATED = 1,     /* content, person or options changed */
    DPL_OUTCOME_UNCHANGED = 2,   /* known and the same: only looked at */
    DPL_OUTCOME_MOVED = 3,       /* known content under a new path, the old path gone */
    DPL_OUTCOME_REFUSED = 4,     /* status and message say why */
    DPL_OUTCOME_PRUNED = 5,      /* vanished file's photo removed (prune) */
    DPL_OUTCOME_PASSED_OVER = 6, /* no picture (a note, a cache, a video): counted, not recorded */
    DPL_OUTCOME_KEPT = 7         /* unreadable today; what was enrolled of it before stays */
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
    size_t n_poor; /* of n_faces: left out, because they are below the pipeline's min_quality */
} dpl_enroll_event;

/* How far a run is. The work is that of the files that have to be read; what is unchanged is none.
 */
typedef struct dpl_enroll_progress {
    int64_t n_done, n_total;       /* files */
    int64_t work_done, work_total; /* in parts that take about as long each */
} dpl_enroll_progress;

typedef struct dpl_enroll_options {
    size_t struct_size;
    const char *name; /* all files are this person's (flat); NULL: by folder or by file name */
    dpl_faces_policy faces;
    bool prune;         /* remove photos under the given folders whose files are gone, unless
                           that looks like an absent disk: DPL_E_INPUT then says why */
    bool follow_links;  /* links that lead out of the folders given are followed, too */
    bool force;         /* encode again what is unchanged, too */
    int n_threads;      /* 0: one a core */
    int32_t preview_px; /* larger side of event->photo's picture; 0: it has no pixels */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: finish the photos in hand,
                                   commit, return DPL_E_CANCELLED */
    void (*on_event)(void *ctx, const dpl_enroll_event *event); /* caller's thread; may be NULL */
    void *ctx;
    bool prune_absent; /* prune, also where it looks like an absent disk */
    bool dry_run;      /* look at everything and report it, and change nothing */
    /* Whether n photos that are a person's, or several people's, may become name's; NULL: they may.
       If not, nothing is done, and the status is DPL_E_ARGUMENT. */
    bool (*may_rename)(void *ctx, const char *name, int64_t n_photos, const char *person,
                       bool several);
    bool nobodys; /* whose the photos are is not asked: every face is nobody's (see below) */
    /* In the caller's thread, after a photo that was looked at by it; may be NULL. */
    void (*on_progress)(void *ctx, const dpl_enroll_progress *progress);
    const dpl_text_encoder *text; /* what is written about the photos is kept as well (see below);
                                     NULL: it is not looked for */
    const char *captions; /* with text: a list of pictures and sentences, too (dpl_dataset_open:
                             columns path and caption); NULL: none */
} dpl_enroll_options;

#define DPL_ENROLL_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_enroll_options), NULL, DPL_FACES_REFUSE, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, \
            NULL, 0, NULL, NULL, NULL                                                              \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_enroll_options_init(dpl_enroll_options *options, size_t struct_size);

typedef struct dpl_enroll_report {
    int64_t n_files, n_added, n_updated, n_unchanged, n_moved, n_refused, n_pruned;
    int64_t n_refused_again; /* of n_refused: known from before, nothing changed, not tried again */
    int64_t n_passed_over;   /* no pictures: not of n_files */
    int64_t n_links;         /* links that lead out of the folders given, not followed */
    int64_t n_left_out;      /* files and folders: what machines put aside, ignore files name */
    int64_t n_kept;          /* could not be read; what was enrolled of them stays */
    int64_t n_gone;   /* enrolled from these folders, and not there; they stay. Not of n_files */
    dpl_status worst; /* of the files' statuses */
    double seconds;
    int64_t n_faces; /* in the photos that were looked at now and not refused */
    int64_t n_poor;  /* of them, left out: see dpl_enroll_event */
    /* With options->text: captions that are new, and that are not written any more; those that the
       model cannot take, or whose file cannot be read, and the first reason; pictures of the list
       that are among none of the files, and the first. */
    int64_t n_captions, n_captions_removed, n_captions_refused, n_captions_unmatched;
    char caption_reason[256], caption_unmatched[256];
} dpl_enroll_report;

/**
 * Enrol files and folders.
 *
 * In a folder given, a photo belongs to the person named by the folder that holds it, at any depth;
 * photos directly in the folder given, and files given from one folder, are one person each, named
 * by the file without its ending. Several folders of one folder are named as if that were given,
 * and files of several folders by these. A folder named by a date is nobody's: whoever is known
 * among the folders above it wins, else the nearest that is no date. Where files of different
 * folders would get one name by how they are called, or nothing names one, they are refused, and
 * not recorded. options->name overrides all of it. A photo already known keeps its person, also
 * when it has moved.
 *
 * Folders are walked recursively in the order of names; a folder reached twice (symbolic links) is
 * walked once, and a link that leads out of the folders given is followed only with follow_links.
 * Hidden files are passed over, what file servers and desktops put aside, what a ".doppelignore"
 * names (docs/archive.md), and what is no picture by name or content (dpl_image_is_meant).
 *
 * A picture that cannot be read is refused, but takes nothing away: what was enrolled of it, or of
 * a file that is gone, stays, and its row says since when. Content that was read and judged
 * replaces. All that one call does is one change (dpl_gallery_undo).
 *
 * With options->nobodys photos are taken for what is in them: names of folders play no part, every
 * face that is good enough is a template of nobody's, and a photo without one is no failure. It
 * takes no photo from anybody: somebody's stays as it is, forced or not, and a face that was named
 * by hand keeps its name. A photo that was nobody's and is enrolled later becomes the person's; if
 * it would be refused, it stays nobody's, with a note.
 *
 * With options->text each caption of a photo becomes a vector of the space "text": the lines of
 * PHOTO.txt, the description in its XMP sidecar, those that a JPEG carries (XMP's, IPTC's 2:120),
 * and what options->captions says. They are brought up to date whenever the photo is among the
 * files; what a list said stays until a list says otherwise of that photo.
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

/* ------------------------------------------------------------------ doubts */

typedef enum dpl_doubt_kind {
    DPL_DOUBT_UNLIKE = 0, /* a photo is unlike the person's others */
    DPL_DOUBT_PAIR = 1,   /* the person's two photos are unlike each other */
    DPL_DOUBT_SHARED = 2, /* a face of the same file is somebody else's, too */
    /* Of dpl_gallery_all_doubts only: */
    DPL_DOUBT_SAME = 3,  /* two people's photos are so alike that they are one picture */
    DPL_DOUBT_ALIKE = 4, /* two people match: one person, or two who will be confused */
    DPL_DOUBT_HUB = 5    /* a photo that is like far more strangers than its share */
} dpl_doubt_kind;

/* A reference that may be wrong, or two people who may be. Strings live until the callback returns.
 */
typedef struct dpl_doubt {
    dpl_doubt_kind kind;
    const char *person, *photo; /* of people: the photo that is most like the other */
    const char *other_person; /* shared, same, alike: who else; unlike: whom it matches, if anybody;
                                 else NULL */
    const char *other_photo;  /* shared, same, alike, and of a pair the second; else NULL */
    int64_t n_others; /* unlike: compared with the mean of so many; hub: with so many people */
    float score;      /* NaN where it is shared, or of a hub */
    dpl_rate rate;    /* how often strangers are as alike */
    int64_t template_id, other_id; /* of the two faces; 0: not known */
    int64_t n_like;                /* hub: so many of the others are as like it as rate says */
    float other_score;             /* unlike, with other_person: the score with them */
    dpl_rate other_rate;
} dpl_doubt;

/**
 * Look for references of a person that are somebody else's: photos so unlike the others that
 * strangers come as far more often than once in a hundred pairs, and files a face of which is
 * somebody else's, too. Needs a calibration and the cosine for the first; of the person's templates
 * the first 4,096 are looked at, faces that are too poor left out. What somebody has said by hand
 * is not doubted.
 *
 * @param fn  gets each, the least alike first, at most eight that are unlike
 * Nobody of this name is DPL_OK.
 */
DPL_API dpl_status dpl_gallery_doubts(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                                      const char *person,
                                      void (*fn)(void *ctx, const dpl_doubt *doubt), void *ctx,
                                      dpl_error *err);

typedef struct dpl_doubts_report {
    int64_t n_people, n_references;           /* that were compared with all others */
    int64_t n_people_left, n_references_left; /* that were not: there are too many */
    int64_t n_doubts;
} dpl_doubts_report;

/**
 * The same of everybody, and what only shows beside all others: photos of two people that are one
 * picture, people who match at the rate of a gallery of so many, and references that attract
 * strangers. Each is compared with each, up to 20,000 people and 20,000 references (of larger
 * galleries, the first by id); what needs no comparison with all is found in any. Of two people who
 * were set apart, or of whom a face was said not to be the other's, it is not told that they match,
 * nor what was said by hand.
 *
 * Without a calibration, or by a head other than the cosine, only shared files are told.
 *
 * @param n_threads  0: the process's cores
 * @retval DPL_E_MISMATCH  the gallery's vectors are another model's
 */
DPL_API dpl_status dpl_gallery_all_doubts(dpl_doubts_report *out, dpl_gallery *gallery,
                                          const dpl_pipeline *pipeline, int n_threads,
                                          void (*fn)(void *ctx, const dpl_doubt *doubt), void *ctx,
                                          dpl_error *err);

/**
 * Compare what the gallery holds of two people: by cosine, the mean of one's fair templates with
 * the other's. That strangers come so far against the mean of several more often is allowed for on
 * both sides (dpl_comparison.times).
 *
 * @retval DPL_E_NO_PERSON  the gallery holds no template of one of them
 * @retval DPL_E_ARGUMENT   by the head there is no mean
 */
DPL_API dpl_status dpl_compare_people(dpl_comparison *out, dpl_gallery *gallery,
                                      const dpl_pipeline *pipeline, const dpl_policy *policy,
                                      const char *a, const char *b, dpl_error *err);

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

/* A comparison and its verdict. The first nine are dpl_comparison's. */
typedef struct dpl_verdict {
    float score, normalised, evidence;
    dpl_fitness fitness;
    double times;
    dpl_rate rate;
    float threshold, reject;
    dpl_decision decision;
    size_t face_a, face_b; /* which faces were compared */
    /* of a claim: */
    size_t n_templates;  /* of the person; else 0 */
    size_t n_compared;   /* of them, those that the score is of: fair ones, if there are any */
    bool by_mean;        /* the score is against their mean; else against the best */
    int64_t template_id; /* the one most like among them, else 0 */
    float best_score;    /* against it; NaN otherwise */
} dpl_verdict;

/**
 * Compare two photos.
 *
 * @param policy   by a rate, a face that is too poor for the calibration is refused; by a
 * threshold, all are compared
 * @param options  NULL for the defaults
 * @retval DPL_E_NO_FACE, DPL_E_ARGUMENT  no face, or no face of that number; err names the photo
 * @retval DPL_E_QUALITY  a face too poor; err names the photo, and the part that decided
 */
DPL_API dpl_status dpl_verify(dpl_verdict *out, const dpl_pipeline *pipeline,
                              const dpl_policy *policy, const dpl_photo *a, const dpl_photo *b,
                              const dpl_verify_options *options, dpl_error *err);

/**
 * Compare two vectors of the pipeline's encoder that the caller has kept, as dpl_verify compares
 * those of two photos.
 *
 *     a, b  [dim]
 *
 * @param face_a, face_b  what they are of, for its quality; NULL: not known, and taken as fair
 * @param policy          may be NULL: nothing is decided
 * @retval DPL_E_NUMERIC  a number is not finite, or one of them is all zero
 * Threads: any number at once.
 */
DPL_API dpl_status dpl_compare_vectors(dpl_comparison *out, const dpl_pipeline *pipeline,
                                       const dpl_policy *policy, const float *a, const float *b,
                                       const dpl_face *face_a, const dpl_face *face_b,
                                       dpl_error *err);

/**
 * Compare a photo, of which options says the face as face_a, with what the gallery holds of a
 * person: by cosine with the mean of their fair templates, so that a stranger has one chance
 * however many there are; by other heads with the best, at a rate that counts them.
 *
 * @retval DPL_E_NO_PERSON  the gallery holds nothing of a person of this name
 * @retval DPL_E_MISMATCH   templates of another model only
 * @retval DPL_E_QUALITY    the face, or each of the person's, is too poor (as of dpl_verify)
 */
DPL_API dpl_status dpl_verify_claim(dpl_verdict *out, dpl_gallery *gallery,
                                    const dpl_pipeline *pipeline, const dpl_policy *policy,
                                    const dpl_photo *photo, const char *person,
                                    const dpl_verify_options *options, dpl_error *err);

/* ------------------------------------------------------------------ query */

/* A photo like the one asked about: what speaks for an answer. */
typedef struct dpl_answer_hit {
    dpl_hit hit;
    dpl_rate rate;         /* of the two photos by themselves */
    dpl_decision decision; /* of its person as a whole, when it has one */
    char *person;          /* NULL: nobody's */
    char *photo_path;
    dpl_face face; /* where in that photo */
    uint8_t *thumb;
    size_t n_thumb;
    bool is_copy; /* of a whole picture: laid over each other the two are the same, edited; then
                     rate is dpl_copy_rate's */
    dpl_overlay overlay; /* the picture asked about, on this one's thumbnail; a score of 0 where
                            that was not looked at */
} dpl_answer_hit;

/* A person whom it may be. */
typedef struct dpl_candidate {
    int64_t person_id;
    char *person;
    dpl_comparison comparison; /* with all that is compared of them */
    size_t n_templates;        /* of the person */
    size_t n_compared;         /* of them, those that the score is of */
    bool by_mean;              /* the score is against their mean; else against the best */
} dpl_candidate;

/**
 * The policy for asking a gallery of n_persons: a rate per person such that a stranger is named
 * with probability at most fpir (1 - (1 - fmr)^n <= n * fmr), and at most DPL_DEFAULT_FMR. It holds
 * however many photos each of them has: a comparison with several counts dpl_comparison.times. When
 * the calibration does not reach so far down, it is the lowest rate that it supports for a mean of
 * several.
 */
DPL_API dpl_status dpl_policy_for_search(dpl_policy *out, const dpl_calibration *calibration,
                                         double fpir, int64_t n_persons, dpl_error *err);

#define DPL_DEFAULT_FPIR 1e-2

/* Who one face is, and what looks like it. */
typedef struct dpl_answer {
    int32_t face;       /* index into the photo's faces; -1: the whole picture */
    const char *person; /* when it is a match; NULL: unknown. Borrowed from the candidate, or of a
                           picture from the hit */
    dpl_decision decision; /* of candidates[0]; DPL_DECISION_TOO_POOR: of the face itself */
    size_t n_candidates;
    dpl_candidate *candidates; /* most likely first; none of a picture */
    size_t n_hits;
    dpl_answer_hit *hits; /* best first, but for the best photo of whom it is, or may be, before
                             all others */
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
 * The photos most like a face propose people, at most 5; each is compared as dpl_verify_claim
 * does, and that decides who it is. The policy's rate is per person: a gallery of many people gives
 * a stranger many chances, which dpl_policy_for_search allows for. Whole pictures are ranked by how
 * alike they are, and judged photo by photo: by a threshold given in the policy, else, where the
 * image encoder has a calibration, as copies of the same picture, of which a picture that has none
 * is told one in at most DPL_DEFAULT_FPIR of searches, or as often as the calibration supports.
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

/* ------------------------------------------------------------------ sentences */

/* A text encoder with what its vectors are compared and judged by. Immutable, shared. */
typedef struct dpl_text_pipeline dpl_text_pipeline;

typedef struct dpl_text_pipeline_options {
    size_t struct_size;
    const char *encoder_path;
    const char *merges_path; /* as of dpl_text_encoder_options; NULL: none */
    dpl_net_options net;     /* of the model */
    const char *second_path; /* the model of the second of two sentences, where each side of a pair
                                has one of its own (fact "side"); NULL: the same */
} dpl_text_pipeline_options;

#define DPL_TEXT_PIPELINE_OPTIONS_INIT                                                             \
    {                                                                                              \
        sizeof(dpl_text_pipeline_options), NULL, NULL, DPL_NET_OPTIONS_INIT, NULL                  \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_text_pipeline_options_init(dpl_text_pipeline_options *options, size_t struct_size);

/**
 * Open a model of sentences, its head and the calibration in its facts.
 *
 * @retval DPL_E_MODEL, DPL_E_INPUT  as of dpl_text_encoder_open; or a calibration that is none, or
 *                                   has a cohort, which is for faces
 * @retval DPL_E_MISMATCH            the calibration is of another model, or the second model is not
 *                                   of the first one's other side
 */
DPL_API dpl_status dpl_text_pipeline_open(dpl_text_pipeline **out,
                                          const dpl_text_pipeline_options *options, dpl_error *err);
DPL_API void dpl_text_pipeline_close(dpl_text_pipeline *pipeline);
DPL_API const dpl_text_encoder *dpl_text_pipeline_encoder(const dpl_text_pipeline *pipeline);
DPL_API const dpl_head *dpl_text_pipeline_head(const dpl_text_pipeline *pipeline);
/** That of the second of two sentences: the same, unless it was given. */
DPL_API const dpl_text_encoder *dpl_text_pipeline_second(const dpl_text_pipeline *pipeline);
/** Or NULL: then a threshold has to be given. */
DPL_API const dpl_calibration *dpl_text_pipeline_calibration(const dpl_text_pipeline *pipeline);

/* The rate by which sentences are judged where none is asked for: a hundred times that of faces, as
 * lists of sentences are short, and a mistake is of other weight. */
#define DPL_DEFAULT_TEXT_FMR 1e-2

/**
 * Compare two sentences: do they say the same, by what the model was trained for?
 *
 * @param[out] about   [2] what became of each; may be NULL
 * @param      policy  made with the pipeline's calibration; it speaks of pairs of sentences that do
 *                     not say the same where that of faces speaks of strangers
 * @retval DPL_E_INPUT, DPL_E_LIMIT  as of dpl_text_encode
 * @retval DPL_E_MODEL               the model is of one side, and the other side's is not given
 * Threads: any number at once.
 */
DPL_API dpl_status dpl_verify_texts(dpl_comparison *out, dpl_sentence *about,
                                    const dpl_text_pipeline *pipeline, const dpl_policy *policy,
                                    const char *a, const char *b, dpl_error *err);

/* A photo found by a sentence. */
typedef struct dpl_text_hit {
    int64_t photo_id;
    char *photo_path, *person; /* whose the photo is; NULL: nobody's */
    char *caption; /* of the photo's the nearest to the sentence; NULL: it was not found by
                      one */
    float caption_score, picture_score; /* the head's; the cosine of the picture's vector. NaN:
                                           not found by it */
    int32_t caption_rank, picture_rank; /* among the photos found by it, from 1; 0: not */
    dpl_decision decision;              /* by the policy, of the better of the two */
    uint8_t *thumb;                     /* JPEG, of a face or of the picture; NULL: none is kept */
    size_t n_thumb;
} dpl_text_hit;

typedef struct dpl_text_answer {
    dpl_text_hit *hits; /* the best first */
    size_t n_hits;
    bool by_captions, by_pictures; /* what was searched */
    dpl_sentence about;
    dpl_search_info captions, pictures;
} dpl_text_answer;

/* What of a photo a sentence is compared with. */
typedef enum dpl_text_by {
    DPL_TEXT_BY_ALL = 0, /* what there is */
    DPL_TEXT_BY_CAPTIONS = 1,
    DPL_TEXT_BY_PICTURES = 2
} dpl_text_by;

/**
 * Find photos by what they show.
 *
 * By their captions, where the gallery has any; and by the pictures themselves, where the encoder's
 * space is that of the gallery's pictures: its fact "pictures" says so, or the caller. The two
 * scores are not of one scale, so that photos found by both are put in order by their ranks: the
 * sum of 1 / (60 + rank) (Cormack, Clarke, Büttcher 2009).
 *
 * @param[out] out      cleared by dpl_text_answer_clear
 * @param      is_pair  the caller knows that encoder and the gallery's pictures belong together
 * @param[in]  policy   NULL: nothing is decided
 * @param[in]  options  NULL for the defaults
 * @retval DPL_E_INPUT, DPL_E_LIMIT  as of dpl_text_encode
 * @retval DPL_E_MISMATCH  there is nothing to search: no captions, or those of another model, and
 *                         pictures of another space
 */
DPL_API dpl_status dpl_query_text(dpl_text_answer *out, dpl_gallery *gallery,
                                  const dpl_text_pipeline *pipeline, dpl_text_by by, bool is_pair,
                                  const dpl_policy *policy, const char *text,
                                  const dpl_search_options *options, dpl_error *err);
DPL_API void dpl_text_answer_clear(dpl_text_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
