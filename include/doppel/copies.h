/*
 * Copies: which photos show the same picture, however it was edited.
 *
 * A picture's vector proposes what may be a copy; two sketches, laid over each other, decide.
 */
#ifndef DOPPEL_COPIES_H
#define DOPPEL_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/gallery.h"
#include "doppel/job.h"
#include "doppel/photos.h"
#include "doppel/score.h"
#include "doppel/sketch.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dpl_copy_kind {
    DPL_COPY_BYTES = 0,  /* the same file's content */
    DPL_COPY_PIXELS = 1, /* other content, the same pixels when upright */
    DPL_COPY_NEAR = 2,   /* the same picture, edited */
    DPL_COPY_BURST = 3   /* no copy: another photo of the same scene, taken within seconds */
} dpl_copy_kind;

/* A photo of a group, and what it has to do with the group's first. */
typedef struct dpl_copy {
    const char *path;
    int32_t width_px, height_px; /* of the upright photo */
    int64_t size_bytes, mtime_ns;
    const char *taken; /* as dpl_image's */
    float sharpness;
    dpl_copy_kind kind;
    float alike;         /* the cosine of the pictures' vectors */
    dpl_overlay overlay; /* on the first; of a burst as far as they agree */
    dpl_rate rate;       /* dpl_copy_rate of it; of a burst it says nothing */
    double apart_s;      /* of a burst, between the two photos */
    bool by_file_time;   /* which is their files' time, as they do not say when they were taken */
} dpl_copy;

typedef struct dpl_copies_options {
    size_t struct_size;
    bool follow_links; /* as of dpl_photos_options */
    int n_threads;     /* 0: one a core */
    double burst_s; /* photos alike that were taken within so many seconds are a burst; 0: none are;
                       default 10 */
    const volatile int *cancel; /* may be NULL */
    void (*on_photo)(void *ctx,
                     const dpl_photos_event *event);                 /* each photo, as of
                                                                        dpl_photos_each;      may be NULL */
    void (*on_compared)(void *ctx, int64_t n_done, int64_t n_total); /* pairs; may be NULL */
    /* A group, the copies' first. photos[0] is the one to keep; all live until it returns. */
    void (*on_group)(void *ctx, const dpl_copy *photos, size_t n);
    /* Each pair of paths that was laid over each other, whatever came of it; may be NULL. */
    void (*on_pair)(void *ctx, const char *a, const char *b, float alike,
                    const dpl_overlay *overlay);
    void *ctx;
    /* A gallery, whose vectors of whole pictures are taken where a photo is, by its content, one of
       its; but not when another encoder made them. NULL: none is asked. */
    dpl_gallery *gallery;
} dpl_copies_options;

#define DPL_COPIES_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_copies_options), 0, 0, 10, NULL, NULL, NULL, NULL, NULL, NULL, NULL             \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_copies_options_init(dpl_copies_options *options, size_t struct_size);

typedef struct dpl_copies_report {
    dpl_photos_report photos;         /* which were looked at */
    int64_t n_pairs;                  /* that were laid over each other */
    int64_t n_groups, n_copies;       /* of copies; how many there are beside those to keep */
    int64_t copies_bytes;             /* and what they take on disk */
    int64_t n_bursts, n_burst_photos; /* likewise, beside the ones to keep */
    int64_t n_untold; /* pairs of copies that are in no group, as both are copies of others */
    bool exact;       /* each picture was compared with each by its vector */
    double recall;    /* 1 when exact, else of the index, as of dpl_search_info */
    int64_t n_known;  /* photos whose vectors the gallery had */
} dpl_copies_report;

/**
 * Find the photos that show the same picture, and those taken in a burst. Nothing is removed.
 *
 * A file's content and the pixels of the upright photo tell the same ones. Of the others, those
 * with the most like vectors are laid over each other (dpl_sketch_compare), and dpl_overlay_is_copy
 * decides, but for photos that were taken at two moments within burst_s.
 *
 * Of copies the one to keep is the largest in pixels; of such the sharpest, by more than a tenth;
 * of such the one that says when it was taken, and earliest, or has the oldest file; then the first
 * by name. A group is what is a copy of that one, not of another copy: what is like a copy, but not
 * like what is kept, is in no group with it. Bursts are made likewise of what is left, but for the
 * tenth.
 *
 * @param pipeline  with an encoder of whole pictures as image_path, or as encoder_path without a
 *                  detector, which is the quicker way. Some 5 KB are kept of each photo,
 *                  and 1 KB more of each vector of the gallery
 * @retval DPL_E_MODEL      it has none
 * @retval DPL_E_GALLERY    the gallery is damaged
 * @retval DPL_E_CANCELLED  stopped on request; no group was told
 * @retval others           as of dpl_photos_each
 * Threads: callbacks come in the caller's.
 */
DPL_API dpl_status dpl_find_copies(dpl_copies_report *report, const dpl_pipeline *pipeline,
                                   const char *const *paths, size_t n_paths,
                                   const dpl_copies_options *options, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
