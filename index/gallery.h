/*
 * The gallery's own inside, shared by gallery.c (open, lock, settings), gallery_rows.c (reading),
 * gallery_write.c (put, move, rename), gallery_forget.c and gallery_export.c, gallery_import.c.
 */
#ifndef DOPPEL_INDEX_GALLERY_H
#define DOPPEL_INDEX_GALLERY_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/gallery.h"
#include "index/db.h"
#include "index/store.h"

struct dpl_gallery {
    dpli_db *db;
    char *dir, *db_path;
    int lock_fd;   /* of gallery.lock, -1 when reading */
    int walking;   /* depth of row callbacks, in which nothing may be changed */
    char *setting; /* what dpl_gallery_setting lent last */
    char *notice;
    dpli_search_state *search;
};

/* Limits of what a gallery takes. A line of an export that keeps them is below
   DPLI_EXPORT_LINE_MAX, escapes and base64 included. */
enum {
    DPLI_NAME_MAX_BYTES = 4096, /* person, reason, key, model's name and head */
    DPLI_PATH_MAX_BYTES = 32768,
    DPLI_SETTING_MAX_BYTES = 512 << 10,
    DPLI_DIM_MAX = 65536,
    DPLI_THUMB_MAX_BYTES = 1 << 20,
    DPLI_EXPORT_LINE_MAX_BYTES = 4 << 20
};

/* The numbers of a dpl_face, in the order of columns and of an export's keys. */
#define DPLI_FACE_LIST(X)                                                                          \
    X(x_px, x_px)                                                                                  \
    X(y_px, y_px)                                                                                  \
    X(w_px, w_px)                                                                                  \
    X(h_px, h_px)                                                                                  \
    X(score, score)                                                                                \
    X(eye_1_x_px, landmarks[0].x_px)                                                               \
    X(eye_1_y_px, landmarks[0].y_px)                                                               \
    X(eye_2_x_px, landmarks[1].x_px)                                                               \
    X(eye_2_y_px, landmarks[1].y_px)                                                               \
    X(nose_x_px, landmarks[2].x_px)                                                                \
    X(nose_y_px, landmarks[2].y_px)                                                                \
    X(mouth_1_x_px, landmarks[3].x_px)                                                             \
    X(mouth_1_y_px, landmarks[3].y_px)                                                             \
    X(mouth_2_x_px, landmarks[4].x_px)                                                             \
    X(mouth_2_y_px, landmarks[4].y_px)                                                             \
    X(quality, quality.overall)                                                                    \
    X(size_px, quality.size_px)                                                                    \
    X(sharpness, quality.sharpness)                                                                \
    X(brightness, quality.brightness)                                                              \
    X(contrast, quality.contrast)                                                                  \
    X(yaw_deg, quality.yaw_deg)                                                                    \
    X(pitch_deg, quality.pitch_deg)                                                                \
    X(roll_deg, quality.roll_deg)                                                                  \
    X(detector, quality.detector)

#define DPLI_FACE_COUNT(column, member) +1
enum { DPLI_N_FACE = 0 DPLI_FACE_LIST(DPLI_FACE_COUNT) };

typedef struct dpli_face_field {
    const char *name;
    size_t offset; /* of a float in dpl_face */
} dpli_face_field;
extern const dpli_face_field dpli_face_fields[DPLI_N_FACE];

static inline float *dpli_face_at(dpl_face *face, int i)
{
    return (float *)((char *)face + dpli_face_fields[i].offset);
}

/** DPL_E_ARGUMENT unless the gallery is open for writing and no walk is under way. */
dpl_status dpli_gallery_may_write(const dpl_gallery *gallery, dpl_error *err);
/** Vectors have come or gone: within the transaction. */
dpl_status dpli_gallery_touch(dpl_gallery *gallery, dpl_error *err);
/** Finish a forget whose rows are gone: snapshots, file, write-ahead log. */
dpl_status dpli_gallery_scrub(dpl_gallery *gallery, dpl_error *err);

/** DPL_E_ARGUMENT when s is NULL or, unless it may be, empty; DPL_E_LIMIT when longer than max. */
dpl_status dpli_check_string(const char *what, const char *s, int may_be_empty, size_t max_bytes,
                             dpl_error *err);
/** "face" or "image", else DPL_E_ARGUMENT. */
dpl_status dpli_check_space(const char *space, dpl_error *err);
dpl_status dpli_check_sha256(const char *what, const char *hex, dpl_error *err);

/** What an encoder's vectors are: dpl_gallery_bind takes it from the encoder, an import from the
 * file. */
typedef struct dpli_binding {
    const char *space, *hash, *name, *head;
    int32_t dim;
} dpli_binding;
dpl_status dpli_gallery_bind(dpl_gallery *gallery, const dpli_binding *binding, dpl_error *err);
/** The same within a transaction. */
dpl_status dpli_bind_inside(dpl_gallery *gallery, const dpli_binding *binding, dpl_error *err);
/** The bound model of a space: its row and dim; *id is 0 when there is none. */
dpl_status dpli_bound_model(int64_t *id, int32_t *dim, dpl_gallery *gallery, const char *space,
                            dpl_error *err);
/** Whether its head, as far as it is known, is the cosine. */
dpl_status dpli_bound_by_cosine(int *cosine, dpl_gallery *gallery, const char *space,
                                dpl_error *err);
dpl_status dpli_remember_inside(dpl_gallery *gallery, const char *key, const char *value,
                                dpl_error *err);

/* The tables whose ids never come back. */
enum { DPLI_N_NUMBERED = 3 };
extern const char *const dpli_numbered[DPLI_N_NUMBERED]; /* "person", "photo", "template" */
/** The highest id that a table ever gave, 0 when none. */
dpl_status dpli_last_id(int64_t *id, dpl_gallery *gallery, const char *table, dpl_error *err);
/** Raise it, so that ids up to this one are taken. */
dpl_status dpli_raise_last_id(dpl_gallery *gallery, const char *table, int64_t id, dpl_error *err);

/* ------------------------------------------------------------------ writing rows */

/** The statements that put photos, kept for a transaction. */
typedef struct dpli_putter {
    dpl_gallery *gallery;
    dpli_stmt find_person, add_person, drop_person, find_photo, add_photo, set_photo, drop_photo,
        drop_templates, add_template, add_thumb;
    struct {
        int64_t id; /* 0: not looked up yet */
        int32_t dim;
        int cosine; /* its head */
    } models[2]; /* of faces, of images */
    int touched; /* a template has come or gone */
} dpli_putter;

dpl_status dpli_putter_open(dpli_putter *p, dpl_gallery *gallery, dpl_error *err);
void dpli_putter_clear(dpli_putter *p);
/** *id: the person's, made (under the id wanted, unless that is 0) when there is none. */
dpl_status dpli_put_person(int64_t *id, dpli_putter *p, const char *name, int64_t wanted,
                           dpl_error *err);
/** *id 0 when the path is unknown; *person_id 0 when it is nobody's. */
dpl_status dpli_find_path(int64_t *id, int64_t *person_id, dpli_putter *p, const char *path,
                          dpl_error *err);
/** Write a photo's row: over the one with this id, or with replace 0 a new one, under that id
 * unless it is 0. */
dpl_status dpli_put_photo(int64_t *id, dpli_putter *p, const dpl_photo_row *row, int64_t person_id,
                          int replace, dpl_error *err);
/** Remove a photo with its templates, and the person if no photo of theirs is left. */
dpl_status dpli_drop_photo(dpli_putter *p, int64_t id, int64_t person_id, dpl_error *err);
/** Remove all people whom no photo names. */
dpl_status dpli_drop_lonely(dpl_gallery *gallery, dpl_error *err);
/** Add a template, under the id wanted unless that is 0. */
dpl_status dpli_put_template(dpli_putter *p, const dpl_new_template *t, int64_t photo_id,
                             int64_t wanted, dpl_error *err);
dpl_status dpli_check_photo(const dpl_photo_row *row, dpl_error *err);

#endif
