/*
 * Groups: the gallery's unnamed faces, gathered by who they show, and given a name at once.
 *
 * A group has a number that people use. It keeps it while it goes on, however often is grouped
 * anew, and no other group ever gets it. What has been said of a face holds: named, it is in no
 * group; said not to be the same as another, it is in no group with that.
 */
#ifndef DOPPEL_GROUP_H
#define DOPPEL_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/face.h"
#include "doppel/gallery.h"
#include "doppel/job.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ telling */

/* A face of a group. */
typedef struct dpl_group_member {
    int64_t template_id, photo_id;
    const char *photo_path;
    int32_t number; /* of the face in its photo, from 1 */
    dpl_face face;
} dpl_group_member;

typedef struct dpl_group_row {
    int64_t number;
    int64_t n_faces, n_photos;
    const dpl_group_member *members; /* [n_faces], the best face first */
    const char *like; /* the known person whom the group matches; NULL: nobody, or it was not
                         asked */
    int64_t like_id;
    dpl_comparison comparison; /* with them; with the one person that was asked for, in any case */
} dpl_group_row;

/* Which groups are told. */
typedef struct dpl_groups_options {
    size_t struct_size;
    int64_t number;     /* this one only; 0: all */
    int64_t min_faces;  /* default 2 */
    int64_t limit;      /* so many, the largest; 0: all */
    const char *person; /* compare with this known person alone; NULL: with all that are like it */
} dpl_groups_options;

#define DPL_GROUPS_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_groups_options), 0, 2, 0, NULL                                                  \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_groups_options_init(dpl_groups_options *options, size_t struct_size);

/**
 * Tell the groups as they were made last, the largest first; of as many faces, the lower number.
 *
 * @param pipeline  of the gallery's model, to compare each group with the known people; NULL: not
 * @param n_groups  how many there are of min_faces and more; may be NULL
 * @param fn        gets each, whose strings live until it returns; it may read the gallery, but not
 *                  change it. A status other than DPL_OK ends the walk and is passed on
 */
DPL_API dpl_status dpl_gallery_each_group(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                                          const dpl_groups_options *options, int64_t *n_groups,
                                          dpl_status (*fn)(void *ctx, const dpl_group_row *row),
                                          void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ grouping */

typedef struct dpl_group_options {
    size_t struct_size;
    double precision;    /* wished for, DPL_GROUP_PRECISION_MIN to _MAX; default 0.99 */
    int64_t exact_up_to; /* faces of which all pairs are compared; default 50,000 */
    int32_t n_threads;   /* 0: as many as there are cores */
    const volatile int *cancel;
    /* How many faces have been compared. In the caller's thread. */
    void (*on_progress)(void *ctx, int64_t n_done, int64_t n_total);
    /* The groups, as dpl_gallery_each_group tells them; also where the gallery rehearses. */
    dpl_status (*on_group)(void *ctx, const dpl_group_row *row);
    void *ctx;                /* of both */
    int64_t min_faces, limit; /* of the groups that on_group gets: as of dpl_groups_options */
} dpl_group_options;

#define DPL_GROUP_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(dpl_group_options), 0.99, 50000, 0, NULL, NULL, NULL, NULL, 2, 0                    \
    }
#define DPL_GROUP_PRECISION_MIN 0.9
#define DPL_GROUP_PRECISION_MAX 0.995

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_group_options_init(dpl_group_options *options, size_t struct_size);

typedef struct dpl_group_report {
    int64_t n_faces;    /* nobody's */
    int64_t n_too_poor; /* of them, left out */
    int64_t n_copies; /* that are in another copy of the same photo: they go where the first goes */
    int64_t n_grouped, n_single; /* in groups of two and more; in none for want of another */
    int64_t n_groups;
    int64_t n_new;  /* of the groups, those with a new number */
    int64_t n_gone; /* numbers that were and are no more */
    bool changed;   /* a face is in another group than before */
    bool exact;     /* all pairs were compared */
    double recall;  /* of the index that found who was compared; 1 when exact */
    double level;   /* of the strength that was asked of large groups: docs/groups.md */
} dpl_group_report;

/**
 * Put nobody's faces into groups of one person each, by average linkage at a level that was
 * measured to have the precision wished for (B-cubed; docs/groups.md). One change, none when every
 * face is where it was.
 *
 * Two faces of one photo are never in one group; the same face in copies of a photo is one.
 *
 * @param pipeline  its encoder made the gallery's faces
 * @retval DPL_E_ARGUMENT  the precision is out of range; the model has no calibration, or its head
 * is not the cosine
 * @retval DPL_E_MISMATCH  the gallery's faces are another model's
 * @retval DPL_E_CANCELLED nothing was changed
 * Numerics: the same groups, whatever the order of enrolment and the number of threads, but for
 * pairs that are alike to the last bit, of which the ones enrolled first go first.
 */
DPL_API dpl_status dpl_group(dpl_group_report *out, dpl_gallery *gallery,
                             const dpl_pipeline *pipeline, const dpl_group_options *options,
                             dpl_error *err);

/* ------------------------------------------------------------------ changing */

typedef struct dpl_name_report {
    int64_t n_named;
    int64_t n_refused; /* of the group, that somebody has said not to be this person: they stay
                          nobody's */
} dpl_name_report;

/**
 * Say who a group shows: its faces become this person's, known or new, as if each had been assigned
 * by hand. One change.
 *
 * @retval DPL_E_NOT_FOUND  there is no such group
 * @retval DPL_E_ARGUMENT   the name is empty
 */
DPL_API dpl_status dpl_gallery_name_group(dpl_name_report *out, dpl_gallery *gallery,
                                          int64_t number, const char *name, dpl_error *err);

/**
 * Say that a face is not who the others of its group are. It leaves the group, with its copies, and
 * is in no group with any of them again. One change.
 *
 * @param[out] number  of the group; may be NULL
 * @retval DPL_E_NOT_FOUND  there is no such template, or it is in no group; err says which
 */
DPL_API dpl_status dpl_gallery_reject_from_group(dpl_gallery *gallery, int64_t template_id,
                                                 int64_t *number, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
