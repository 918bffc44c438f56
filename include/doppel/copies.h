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
#include "doppel/image.h"
#include "doppel/job.h"
#include "doppel/photos.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ two pictures */

#define DPL_SKETCH_SIDE_PX 64

/* What is kept of a picture to tell its copies: small, grey and upright. */
typedef struct dpl_sketch {
    int32_t width_px, height_px;           /* of grey; the larger is DPL_SKETCH_SIDE_PX */
    int32_t full_width_px, full_height_px; /* of the photo */
    float sharpness;                       /* higher is sharper; of like pictures */
    uint64_t pixels;                       /* a sum of all decoded pixels and their size */
    uint8_t grey[DPL_SKETCH_SIDE_PX * DPL_SKETCH_SIDE_PX]; /* [height_px, width_px] */
} dpl_sketch;

/** Sketch a picture as it was decoded; of one that was decoded reduced, that is what is summed. */
DPL_API dpl_status dpl_sketch_make(dpl_sketch *out, const dpl_image *image, dpl_error *err);

/* How two pictures lie over each other where they agree best. */
typedef struct dpl_overlay {
    float score; /* the correlation of what they share, the fifth that agrees least left out: 1 for
                    the same, 0 for pictures that have nothing in common or are too plain to tell */
    float all_over; /* the same correlation in parts: that which a third of them do not reach */
    float evidence; /* what the score is worth for so much of them */
    int32_t orientation; /* what the second needs to lie as the first, in EXIF's numbers: 1 nothing,
                            2 mirrored, 3 turned 180 degrees, 6 and 8 turned by a quarter … */
    float angle_deg;     /* and how much it is tilted beside that, clockwise as it is seen */
    float shown_a, shown_b; /* how much of each picture's area is shown by the other, 0..1 */
    float scale;            /* a length in the second over the same in the first, in pixels of the
                               photos */
} dpl_overlay;

/**
 * Lay the second picture over the first: turned by quarters, mirrored, cropped to no less than 40 %
 * of the sides, in a frame, tilted by some degrees, stretched a little; brightness and contrast do
 * not count.
 *
 * Where both have a frame of one tone along their sides, what is within has to agree by itself: the
 * lower of each number is given.
 *
 * Threads: any number at once.
 * Numerics: the same bits on every processor; exchanging the pictures may change the score in the
 * third digit.
 */
DPL_API void dpl_sketch_compare(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b);

/** Whether the two are the same picture: they agree, in enough of it, and all over. */
DPL_API bool dpl_overlay_is_copy(const dpl_overlay *overlay);

/** How often two different photos, of all pairs of a collection, are taken for one by
 * dpl_overlay_is_copy; 1 of an overlay that is not. Measured on everyday photos, where nearly all
 * of them are the same scene photographed twice; pictures of one kind of thing, in one pose on a
 * plain ground, are taken for each other far more often (docs/accuracy-log.md). */
DPL_API dpl_rate dpl_copy_rate(const dpl_overlay *overlay);

/* ------------------------------------------------------------------ many pictures */

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
