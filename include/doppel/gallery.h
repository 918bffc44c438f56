/*
 * The gallery: people, their photos and templates, in a folder.
 *
 * gallery.db (SQLite, WAL, synchronous=FULL) is the truth; *.faiss beside it are snapshots that are
 * rebuilt from it whenever missing, stale or damaged. What a call has returned DPL_OK for survives
 * a kill.
 *
 * Threads and processes: many readers or one writer. A dpl_gallery is used by one thread at a time;
 * a second process that opens the gallery for writing gets DPL_E_LOCKED.
 */
#ifndef DOPPEL_GALLERY_H
#define DOPPEL_GALLERY_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/face.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dpl_gallery dpl_gallery;

typedef enum dpl_gallery_mode {
    DPL_GALLERY_READ = 0,  /* must exist */
    DPL_GALLERY_WRITE = 1, /* must exist; one at a time */
    DPL_GALLERY_CREATE = 2 /* as WRITE, made when missing */
} dpl_gallery_mode;

/**
 * Open a gallery folder.
 *
 * @retval DPL_E_GALLERY  missing, damaged, not a gallery, or of a later version
 * @retval DPL_E_LOCKED   somebody else is writing
 */
DPL_API dpl_status dpl_gallery_open(dpl_gallery **out, const char *dir, dpl_gallery_mode mode,
                                    dpl_error *err);
DPL_API void dpl_gallery_close(dpl_gallery *gallery);
DPL_API const char *dpl_gallery_dir(const dpl_gallery *gallery);

/** A note for the user about the last open or search ("index was stale and has been rebuilt"); ""
 * if none. */
DPL_API const char *dpl_gallery_notice(const dpl_gallery *gallery);

/** A remembered setting ("detect", "model.face.hash", "model.face.name", …); NULL when unset.
 * Borrowed until the next call on the gallery. */
DPL_API const char *dpl_gallery_setting(dpl_gallery *gallery, const char *key);

typedef struct dpl_gallery_counts {
    int64_t n_persons, n_photos, n_templates_face, n_templates_image, n_failed;
    int64_t db_bytes;
} dpl_gallery_counts;
DPL_API dpl_status dpl_gallery_count(dpl_gallery_counts *out, dpl_gallery *gallery, dpl_error *err);

/* ------------------------------------------------------------------ rows */

typedef struct dpl_person {
    int64_t id;
    const char *name; /* UTF-8 or the bytes that the folder's name had */
    int64_t n_photos, n_templates;
} dpl_person;

/** A photo's line in the ledger: every file that enrolment ever looked at and has not forgotten. */
typedef struct dpl_photo_row {
    int64_t id;
    const char *path;    /* absolute */
    const char *sha256;  /* of the file's content, 64 hex digits, "" when it could not be read */
    const char *person;  /* NULL when it belongs to nobody */
    dpl_status status;   /* DPL_OK: enrolled */
    const char *reason;  /* "" or why not, or the decoder's warning */
    const char *options; /* of the run that looked at it: a refusal is tried again under others;
                            never NULL */
    int64_t size_bytes, mtime_ns, enrolled_unix_s;
    int32_t width_px, height_px, n_faces;
} dpl_photo_row;

typedef struct dpl_template_row {
    int64_t id, photo_id;
    const char *person; /* NULL: nobody's */
    const char *photo_path, *photo_sha256;
    const char *space;      /* "face" or "image" */
    const char *model_hash; /* 64 hex digits */
    dpl_face face;          /* zero for whole pictures */
    int32_t dim;
    const float *vector;  /* [dim] */
    const uint8_t *thumb; /* JPEG of the chip */
    size_t n_thumb;
} dpl_template_row;

/* Walk rows. The callback's strings and buffers live until it returns; a status other than DPL_OK
   stops the walk and is passed on (without touching err). Order: name; path; id. NULL filter: all.
 */
DPL_API dpl_status dpl_gallery_each_person(dpl_gallery *gallery,
                                           dpl_status (*fn)(void *ctx, const dpl_person *row),
                                           void *ctx, dpl_error *err);
DPL_API dpl_status dpl_gallery_each_photo(dpl_gallery *gallery, const char *person,
                                          dpl_status (*fn)(void *ctx, const dpl_photo_row *row),
                                          void *ctx, dpl_error *err);
DPL_API dpl_status dpl_gallery_each_template(
    dpl_gallery *gallery, const char *person, const char *space,
    dpl_status (*fn)(void *ctx, const dpl_template_row *row), void *ctx, dpl_error *err);
/** One template by its id; DPL_E_NOT_FOUND when it is not there. */
DPL_API dpl_status dpl_gallery_get_template(dpl_gallery *gallery, int64_t template_id,
                                            dpl_status (*fn)(void *ctx,
                                                             const dpl_template_row *row),
                                            void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ adding */

/** What dpl_gallery_put records about one file, in one transaction. */
typedef struct dpl_new_template {
    const char *space;
    const float *vector; /* [dim] finite */
    int32_t dim;
    dpl_face face;
    const uint8_t *thumb; /* JPEG, may be NULL */
    size_t n_thumb;
} dpl_new_template;

typedef struct dpl_new_photo {
    dpl_photo_row row; /* id ignored */
    const dpl_new_template *templates;
    size_t n_templates;
} dpl_new_photo;

/**
 * Bind the gallery to an encoder's space, or check that it is bound to it.
 *
 * The first call for a space records the encoder's hash, name, dim, head and its other facts; a
 * later one must agree.
 * @retval DPL_E_MISMATCH  the gallery's vectors of this space are another model's; err names both
 */
DPL_API dpl_status dpl_gallery_bind(dpl_gallery *gallery, const dpl_encoder *encoder,
                                    dpl_error *err);

/** Remember a setting; DPL_E_MISMATCH when another value was set and the gallery holds templates.
 */
DPL_API dpl_status dpl_gallery_remember(dpl_gallery *gallery, const char *key, const char *value,
                                        dpl_error *err);

/**
 * Record n files' outcomes in one transaction: replaces what was known of the same path, with all
 * its templates. On DPL_OK it is on disk.
 * @retval DPL_E_NUMERIC  a vector is not finite; nothing was changed
 */
DPL_API dpl_status dpl_gallery_put(dpl_gallery *gallery, const dpl_new_photo *photos, size_t n,
                                   dpl_error *err);

/** Look up a photo by absolute path (else by content when path is NULL). *found is 0 when it is
 * unknown; the row goes to fn otherwise. */
DPL_API dpl_status dpl_gallery_find_photo(dpl_gallery *gallery, const char *path,
                                          const char *sha256,
                                          dpl_status (*fn)(void *ctx, const dpl_photo_row *row),
                                          void *ctx, int *found, dpl_error *err);

/** A photo has moved: give it its new path, size and mtime, keeping person, templates and ids. */
DPL_API dpl_status dpl_gallery_move_photo(dpl_gallery *gallery, int64_t photo_id, const char *path,
                                          int64_t mtime_ns, dpl_error *err);

/* ------------------------------------------------------------------ changing */

typedef struct dpl_forget_report {
    int64_t n_photos, n_templates;
    int64_t
        n_left; /* of the forgotten templates, still found by a search afterwards; 0 is the proof */
} dpl_forget_report;

/**
 * Forget a person, or photos by path: rows, thumbnails, vectors, index entries; vacuums once, then
 * searches for every forgotten vector and counts what it still finds.
 *
 * @param person         a name, or NULL and then
 * @param paths, n_paths absolute paths of photos in the ledger
 * @param dry_run        nonzero: only count
 * @retval DPL_E_NOT_FOUND  no such person, or no such photo (err names it; nothing was changed)
 */
DPL_API dpl_status dpl_gallery_forget(dpl_forget_report *out, dpl_gallery *gallery,
                                      const char *person, const char *const *paths, size_t n_paths,
                                      int dry_run, dpl_error *err);

/** @retval DPL_E_ARGUMENT  to is taken or empty; DPL_E_NOT_FOUND  from is nobody */
DPL_API dpl_status dpl_gallery_rename(dpl_gallery *gallery, const char *from, const char *to,
                                      dpl_error *err);

/**
 * All of the gallery as JSON lines (first line: header), atomically to a file ("-": standard
 * output). Vectors and thumbnails in base64. Import into an empty gallery gives the same gallery:
 * export → import → export is byte-identical.
 */
DPL_API dpl_status dpl_gallery_export(dpl_gallery *gallery, const char *path, dpl_error *err);

/** Read an export into this gallery in one transaction; photos already known by path are replaced.
 */
DPL_API dpl_status dpl_gallery_import(dpl_gallery *gallery, const char *path, int64_t *n_photos,
                                      int64_t *n_templates, dpl_error *err);

/* ------------------------------------------------------------------ search */

typedef struct dpl_hit {
    int64_t template_id, photo_id, person_id; /* person_id 0: nobody's */
    float score;                              /* the head's own, higher is more alike */
} dpl_hit;

typedef struct dpl_search_options {
    size_t struct_size;
    int32_t k;           /* default 10 */
    int64_t exact_up_to; /* templates up to which search is exact; default 1,000,000 */
    double min_recall;   /* recall@10 that an approximate index is tuned to; default 0.99 */
} dpl_search_options;

#define DPL_SEARCH_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_search_options), 10, 1000000, 0.99                                              \
    }

typedef struct dpl_search_info {
    int exact;           /* 1: every template was compared */
    double recall;       /* 1 when exact, else recall@10 measured on the gallery's own vectors */
    const char *index;   /* "flat", "ivf", …; static */
    int64_t n_templates; /* compared or indexed */
} dpl_search_info;

/**
 * The k templates most like each of n probes, best first; ties by lower id.
 *
 * @param[out] hits    [n, k]; missing ones have template_id -1
 * @param      space   "face" or "image"
 * @param      probes  [n, dim]
 * @param[out] info    may be NULL
 * @retval DPL_E_NUMERIC  a probe is not finite
 */
DPL_API dpl_status dpl_gallery_search(dpl_hit *hits, dpl_gallery *gallery, const dpl_head *head,
                                      const char *space, const float *probes, size_t n, int32_t dim,
                                      const dpl_search_options *options, dpl_search_info *info,
                                      dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
