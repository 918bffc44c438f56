/* The answers of the commands that look after a gallery as JSON: list, info, rename, assign,
 * reject, merge, forget, export, import, check. Each is NULL when there is no memory. */
#ifndef DOPPEL_APP_ANSWER_GALLERY_H
#define DOPPEL_APP_ANSWER_GALLERY_H

#include <jansson.h>
#include <stdbool.h>

#include "doppel/doppel.h"

/** doppel.list/1, a person. */
json_t *list_json(const dpl_person *person);

/** doppel.info/1, a photo; its templates are added by info_template_json, where asked for. */
json_t *info_photo_json(const dpl_photo_row *row);

/** A template, the number-th of its photo, from 1. */
json_t *info_template_json(int32_t number, const dpl_template_row *row);

/* The model of one of a gallery's spaces, as settings say it; each NULL when unset. */
typedef struct gallery_model {
    const char *space;
    char *name, *vectors, *path, *preset, *head, *dim;
} gallery_model;

/* The index of a space; n_templates 0: there is none. */
typedef struct gallery_index {
    const char *space;
    dpl_index_info is;
} gallery_index;

/* What `info` tells of a gallery. */
typedef struct gallery_facts {
    const char *dir;
    dpl_gallery_counts counts;
    int64_t index_bytes;          /* of the snapshots in its folder */
    const gallery_index *indexes; /* [n_indexes] */
    size_t n_indexes;
    const dpl_near_info *near;   /* of faces, where the gallery is in a database; NULL: a folder */
    const int64_t *n_by_status;  /* photos by their status as index */
    int64_t n_from_thumbnail;    /* photos whose vectors were made from thumbnails */
    const char *detect;          /* "faces", "none", or NULL: unset */
    const gallery_model *models; /* [n_models] */
    size_t n_models;
} gallery_facts;

/** doppel.info/1, the gallery. */
json_t *info_gallery_json(const gallery_facts *f);

/** doppel.rename/1. */
json_t *rename_json(const char *from, const char *to);

/** doppel.assign/1: a face of a photo, whose it was (NULL: nobody's) and is. */
json_t *assign_json(const char *photo, int32_t face, int64_t template_id, const char *from,
                    const char *to, bool dry_run);

/** doppel.reject/1: a face of a photo, whose it was (NULL: nobody's) and is not; or the number of
 * the group that it was in; or two people who are two. */
json_t *reject_json(const char *photo, int32_t face, int64_t template_id, const char *from,
                    const char *not_to, bool dry_run);
json_t *reject_from_group_json(const char *photo, int32_t face, int64_t template_id, int64_t group,
                               bool dry_run);
json_t *set_apart_json(const char *a, const char *b, bool dry_run);

/** doppel.merge/1: report NULL: nothing was changed. alike: how alike the two are; NULL: not known.
 */
json_t *merge_json(const char *from, const char *into, const dpl_merge_report *report,
                   const dpl_calibration *calibration, const dpl_comparison *alike, bool dry_run);

/** doppel.forget/1, of a person, or with person NULL of photos. */
json_t *forget_json(const char *person, const char *const *paths, size_t n_paths, bool dry_run,
                    const dpl_forget_report *report);

/** doppel.export/1, of an export to a file. */
json_t *export_json(const dpl_gallery_counts *counts);

/** doppel.check/1, a finding. */
json_t *check_damage_json(const dpl_damage *damage);

/** doppel.check/1, what became of a photo or a name. */
json_t *check_repair_json(const dpl_repair_event *event);

/** doppel.check/1, the whole. repair: NULL when none was asked for; doubts: NULL when references
 * were not compared. */
json_t *check_json(const dpl_check_report *report, const dpl_repair_report *repair,
                   const dpl_doubts_report *doubts);

/** doppel.undo/1: the change that would be taken back, or, done, the one that taking it back was.
 */
json_t *undo_json(const dpl_change *change, bool done);

/** doppel.import/1. */
json_t *import_json(int64_t n_photos, int64_t n_templates);

#endif
