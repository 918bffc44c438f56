/*
 * Going over to another model: a gallery's vectors made anew, and which decisions change by it.
 */
#ifndef DOPPEL_MIGRATE_H
#define DOPPEL_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/gallery.h"
#include "doppel/job.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dpl_migrate_from {
    DPL_MIGRATE_PHOTO = 0,     /* read again, with the content that was enrolled */
    DPL_MIGRATE_THUMBNAIL = 1, /* of some face at least, for want of the photo */
    DPL_MIGRATE_LOST = 2       /* something in it can be made of neither */
} dpl_migrate_from;

/* What a photo's vectors are made of. Strings live until the callback returns. */
typedef struct dpl_migrate_event {
    const char *photo; /* its path */
    dpl_migrate_from from;
    const char *message;     /* "", or why not of the photo */
    bool earlier;            /* by a run that was cut short */
    int64_t n_done, n_total; /* photos looked at */
} dpl_migrate_event;

/* A reference of which a decision is another by the new model. Strings live until the callback
   returns. */
typedef struct dpl_migrate_change {
    int64_t template_id;
    const char *photo, *person; /* the reference, and whose it is */
    const char *other;          /* compared with: NULL: the person's own others; else this person */
    bool before_is_known; /* what decided by the former model is at hand; if not, before has the
                             score only */
    dpl_comparison before, after;
} dpl_migrate_change;

typedef struct dpl_migrate_options {
    size_t struct_size;
    const dpl_pipeline *before; /* of the gallery's former model, for the decisions that it made;
                                   NULL: not at hand */
    int n_threads;              /* 0: one a core */
    bool dry_run; /* make the vectors, tell what changes, and leave the gallery as it is; the next
                     call goes on from them */
    bool drop;    /* forget what can be made of neither photo nor thumbnail */
    bool from_thumbnails; /* also where more than half of the photos are not where they were, which
                             looks like an absent disk */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: finish the photos in hand,
                                   return DPL_E_CANCELLED; the next call goes on */
    void (*on_event)(void *ctx, const dpl_migrate_event *event); /* caller's thread; may be NULL */
    void (*on_change)(void *ctx, const dpl_migrate_change *change); /* likewise */
    void *ctx;
} dpl_migrate_options;

#define DPL_MIGRATE_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(dpl_migrate_options), NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL                      \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_migrate_options_init(dpl_migrate_options *options, size_t struct_size);

typedef struct dpl_migrate_report {
    int64_t n_photos;                               /* that have something to be made anew */
    int64_t n_from_photo, n_from_thumbnail, n_lost; /* templates */
    int64_t n_earlier;                              /* of them, those that a run before had made */
    int64_t n_references; /* whose decisions were compared, of n_references_all */
    int64_t n_references_all;
    int64_t n_changed;  /* decisions that are others, told by on_change */
    bool has_changed;   /* the gallery is the new model's now; false too when it was already */
    char set_aside[64]; /* what calibration.json, which was the former model's, is called now; "" */
    double seconds;
} dpl_migrate_report;

/**
 * Make a gallery's vectors anew by the models of a pipeline: those of each space whose model is
 * another, and those that were made from thumbnails and whose photos are found again.
 *
 * A photo whose file has the content that was enrolled is read again, and the face in it that
 * covers most of the old one gives the vector; where there is none, it is cut out where the old one
 * was. Where the photo is not to be had, the vector is made from the face's thumbnail, and the
 * photo is marked (dpl_photo_is_from_thumbnail) until an enrolment or a migration finds it.
 * Templates keep their ids, and with them whose they are, what was said of them, and their groups.
 *
 * What is made is kept beside the gallery ("gallery.migrate") until all of it is there, and then
 * put in one transaction: killed at any instant, the gallery is wholly the former model's or wholly
 * the new one's, and the next call goes on. It cannot be taken back by dpl_gallery_undo: an export
 * beforehand keeps the former vectors. Indexes are made anew; a calibration beside the gallery of
 * another model is set aside.
 *
 * Before the transaction the decisions are told that change, if the heads compare directions: each
 * reference against the mean of its person's others, and against the people most like it by either
 * model, judged as dpl_query does. Of large galleries every n-th reference is looked at. Without
 * before those are told that the new model decides wrongly, and those whose most like person is
 * another.
 *
 * @param pipeline  the new models; it must find faces as the gallery does
 * @retval DPL_E_MISMATCH  a space's model is missing in the pipeline, or it finds faces otherwise
 * @retval DPL_E_INPUT     something can be had no more (without drop), or more than half of the
 *                         photos are not there (without from_thumbnails); what was made is kept
 * @retval DPL_E_SYSTEM    there is not enough room on the disk; err says how much is needed
 * @retval DPL_E_CANCELLED stopped on request
 * Memory: a few photos at a time, 24 bytes a template, and the means of the people.
 */
DPL_API dpl_status dpl_migrate(dpl_migrate_report *report, dpl_gallery *gallery,
                               const dpl_pipeline *pipeline, const dpl_migrate_options *options,
                               dpl_error *err);

/**
 * Go over to another model of sentences: the captions' vectors are made anew of their words, which
 * the gallery has, in one transaction. It cannot be taken back by dpl_gallery_undo.
 *
 * @param[out] n        captions
 * @param      dry_run  make them, and change nothing
 * @retval DPL_E_INPUT  a caption that the new model cannot take; nothing was changed
 */
DPL_API dpl_status dpl_migrate_captions(int64_t *n, dpl_gallery *gallery,
                                        const dpl_text_encoder *encoder, int n_threads,
                                        bool dry_run, dpl_error *err);

/** Whether the vectors of a photo were made from thumbnails. */
DPL_API bool dpl_photo_is_from_thumbnail(const dpl_photo_row *row);

#ifdef __cplusplus
}
#endif

#endif
