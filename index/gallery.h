/*
 * The gallery's own inside: what stands on the store (store.h) and knows no database. In the order
 * in which they build on each other: gallery_check.c (what may come in), gallery_settings.c
 * (settings, models), gallery_rows.c (reading), audit.c (who changed what), gallery_change.c (what
 * can be taken back),
 * gallery_write.c, gallery_right.c (who is who), search.c, gallery_forget.c, gallery.c (open,
 * close); gallery_export.c and gallery_import.c stand beside.
 */
#ifndef DOPPEL_INDEX_GALLERY_H
#define DOPPEL_INDEX_GALLERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/gallery.h"
#include "index/shelf.h"
#include "index/store.h"

struct dpl_gallery {
    dpli_store *store;
    char *address;     /* as it was opened by, which may hold a password: in no message */
    char *dir;         /* the same as people may read it */
    int walking;       /* depth of row callbacks, in which nothing may be changed */
    bool rehearsing;   /* what is changed is taken back at the end */
    char *change;      /* a change of several transactions that is under way, in words; or NULL */
    int64_t change_id; /* what has been logged of it; 0: nothing yet */
    int64_t kept_id;   /* the same without the transaction under way */
    char *user;        /* who makes the changes, for the audit */
    bool owes_line;    /* something was told to the audit, and may have no line yet */
    int64_t told;      /* the change that this handle has told the audit of last, */
    int64_t telling;   /* and the one that it tells of in the transaction under way; 0: none */
    uint64_t index_max_bytes; /* above this a search is the database's, where it can; 0: no limit */
    int64_t waited_for;       /* the generation that dpl_gallery_wait saw last; -1: none */
    struct {
        void (*fn)(void *ctx, const char *what, int64_t n_done, int64_t n_total);
        void *ctx;
        const char *what;
        int64_t n_done, n_total;
    } progress;    /* of a walk through all of it; fn NULL: nobody asks */
    char *setting; /* what dpl_gallery_setting lent last */
    char *notice;
    dpli_shelf *shelf;          /* the search indexes, shared with other handles on this gallery */
    struct dpli_people *people; /* what people are compared as; NULL until somebody asks */
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

/* No number of a vector is beyond: DPLI_DIM_MAX squares of it add up to a float32. Encoders give
   numbers of about 1. */
#define DPLI_VECTOR_MAX 1e16F

/* ------------------------------------------------------------------ gallery_check.c */

/** DPL_E_ARGUMENT unless the gallery is open for writing and no walk is under way. */
dpl_status dpli_gallery_may_write(const dpl_gallery *gallery, dpl_error *err);
/** Set the notice that dpl_gallery_notice gives. */
void dpli_gallery_tell(dpl_gallery *gallery, const char *text);

/** DPL_E_ARGUMENT when s is NULL or, unless it may be, empty; DPL_E_LIMIT when longer than max. */
dpl_status dpli_check_string(const char *what, const char *s, bool may_be_empty, size_t max_bytes,
                             dpl_error *err);
dpl_status dpli_check_sha256(const char *what, const char *hex, dpl_error *err);
/** A photo's path, or the URI that stands for it; gives the URI that it is kept under. */
dpl_status dpli_check_path(char **uri, const char *path, dpl_error *err);
/** All of a row but its path. */
dpl_status dpli_check_photo(const dpl_photo_row *row, dpl_error *err);

/* ------------------------------------------------------------------ gallery_settings.c */

/* What an encoder's vectors are: dpl_gallery_bind takes it from the encoder, an import from the
 * file. */
typedef struct dpli_binding {
    const char *space, *hash, *name, *head;
    int32_t dim;
    const char *path;   /* of the model: absolute, or the bare name of one that comes with doppel;
                           NULL: not known, nor the preset */
    const char *preset; /* "": none */
} dpli_binding;
dpl_status dpli_gallery_bind(dpl_gallery *gallery, const dpli_binding *binding, dpl_error *err);
/** The same within a transaction. */
dpl_status dpli_bind_inside(dpl_gallery *gallery, const dpli_binding *binding, dpl_error *err);

/* Beside a gallery: decides in the place of the model's own. */
#define DPLI_CALIBRATION_FILE "calibration.json"

/* Told who meets a gallery of another model. */
#define DPLI_WAY_OUT "\"doppel migrate\" re-encodes a gallery for another model"

/* The model that a space is bound to; id 0 when there is none. */
typedef struct dpli_bound {
    int64_t id;
    int32_t dim;
    bool by_cosine; /* its head compares directions */
} dpli_bound;
dpl_status dpli_bound_model(dpli_bound *out, dpl_gallery *gallery, const dpli_space *space,
                            dpl_error *err);
/** How many templates a space (DPLI_FACE_SPACE …) has: one number of dpl_gallery_count, which
 * counts photos, too. */
dpl_status dpli_count_space(int64_t *n, dpl_gallery *gallery, int space, dpl_error *err);
dpl_status dpli_remember_inside(dpl_gallery *gallery, const char *key, const char *value,
                                dpl_error *err);
/** Within a transaction: a space is bound to another encoder, also for the templates that it has,
 * whose vectors the caller replaces in it. *model_id: of its row. */
dpl_status dpli_rebind_inside(int64_t *model_id, dpl_gallery *gallery, const dpl_encoder *encoder,
                              dpl_error *err);
/** The same of captions. */
dpl_status dpli_rebind_text_inside(int64_t *model_id, dpl_gallery *gallery,
                                   const dpl_text_encoder *encoder, dpl_error *err);
/** The hash that a space is bound to, freed by free(); NULL when there is none. */
dpl_status dpli_bound_hash(char **hash, dpl_gallery *gallery, const char *space, dpl_error *err);
/** DPL_E_MISMATCH unless vectors of this encoder can be compared with what the gallery holds. */
dpl_status dpli_gallery_fits(dpl_gallery *gallery, const dpl_encoder *encoder, dpl_error *err);
/* "model.SPACE.FACT", as settings are named that say what a space is bound to. */
enum { DPLI_MODEL_KEY = 64 };
void dpli_model_key(char key[DPLI_MODEL_KEY], const char *space, const char *fact);

/* ------------------------------------------------------------------ gallery_rows.c */

/** How far a walk is: so many of these there are. Nothing is told when n_total is 0. */
void dpli_progress_begin(dpl_gallery *gallery, const char *what, int64_t n_total);
/** The same of all people, photos and templates. */
void dpli_progress_begin_rows(dpl_gallery *gallery);
/** And n more are done. */
void dpli_progress_step(dpl_gallery *gallery, int64_t n);

/** A row as it came out of the database: DPL_E_GALLERY when it is not what was written, or cannot
 * be right. *path, as people see it, is the caller's. */
dpl_status dpli_person_checked(const dpl_gallery *gallery, const dpli_person_record *r,
                               dpl_error *err);
dpl_status dpli_photo_checked(char **path, const dpl_gallery *gallery, const dpli_photo_record *r,
                              dpl_error *err);

/** dpl_gallery_each_photo of those in a folder, an absolute path, and below it. */
dpl_status dpli_photos_under(dpl_gallery *gallery, const char *folder,
                             dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                             dpl_error *err);

/** The person whom a name means: who is called so, in any Unicode form, or once was. *id 0:
 * nobody. */
dpl_status dpli_find_person(int64_t *id, dpl_gallery *gallery, const char *name, dpl_error *err);
/** The person who is called so, in any Unicode form; *id 0: nobody. A name that somebody only once
 * had is not taken for theirs where something is removed: DPL_E_NOT_FOUND tells what it is now.
 * *name: as it is kept, whatever its sum; the caller's. */
dpl_status dpli_find_called(int64_t *id, char **name, dpl_gallery *gallery, const char *called,
                            dpl_error *err);
/** Their name as it is kept; the caller's, NULL when there is no such person. */
dpl_status dpli_name_of(char **name, dpl_gallery *gallery, int64_t id, dpl_error *err);

/* All vectors of a space in one consistent read, by rising id: ids [n], owners [n] (person or 0),
 *  photos [n], rows [n, dim], each freed with free(). Each row is checked (DPL_E_GALLERY).
 * The generation is that of the same read. */
typedef struct dpli_vectors {
    size_t n;
    int32_t dim;
    int64_t *ids, *owners, *photos;
    float *rows;
    int64_t generation;
} dpli_vectors;
dpl_status dpli_gallery_load(dpli_vectors *out, dpl_gallery *gallery, const char *space,
                             int32_t dim, bool with_rows, dpl_error *err);
void dpli_vectors_clear(dpli_vectors *v);

/* ------------------------------------------------------------------ gallery_change.c */

/** From now until dpli_change_end all transactions are one change, which begins with the first of
 * them. */
dpl_status dpli_change_begin(dpl_gallery *gallery, const char *what, dpl_error *err);
void dpli_change_end(dpl_gallery *gallery);

/** Begin a transaction whose changes can be taken back: as part of the change under way, or as one
 * of its own that is told by what. */
dpl_status dpli_begin_change(dpl_gallery *gallery, const char *what, dpl_error *err);
/** The same of a change that cannot be taken back, and empties the log.
 * @param facts  what the audit is told of it: a JSON object; NULL: none */
dpl_status dpli_end_log(dpl_gallery *gallery, const char *words, const char *facts, dpl_error *err);
/** End any transaction that writes: as the store's end, or when rehearsing, taking back what is
 * right, too. A change that is over gets its line in the audit. */
dpl_status dpli_end_change(dpl_gallery *gallery, dpl_status status, dpl_error *err);

/* ------------------------------------------------------------------ gallery_write.c */

/* What putting photos keeps for a transaction. */
typedef struct dpli_putter {
    dpl_gallery *gallery;
    dpli_bound models[DPLI_N_SPACES];  /* id 0: not looked up yet */
    bool touched;                      /* a template has come or gone */
    bool knows_refusals, has_refusals; /* whether there are any */
    char name[128]; /* of photos put one after the other: whose the last one was; "": nobody's */
    int64_t named_id;
    bool keep_persons; /* who loses their last photo stays, as another may come; the caller drops
                          the lonely in the end */
} dpli_putter;

/** *id: the person's, made (under the id wanted, unless that is 0) when there is none. */
dpl_status dpli_put_person(int64_t *id, dpli_putter *p, const char *name, int64_t wanted,
                           dpl_error *err);
/** *id 0 when the path is unknown; *person_id 0 when it is nobody's. */
dpl_status dpli_find_path(int64_t *id, int64_t *person_id, dpli_putter *p, const char *path,
                          dpl_error *err);
/** Write a photo's row: over the one with this id, or with replace 0 a new one, under that id
 * unless it is 0. */
dpl_status dpli_put_photo(int64_t *id, dpli_putter *p, const dpl_photo_row *row, int64_t person_id,
                          bool replace, dpl_error *err);
/** Remove a photo with its templates, and the person if no photo of theirs is left. */
dpl_status dpli_drop_photo(dpli_putter *p, int64_t id, int64_t person_id, dpl_error *err);
/** What is known of a photo's file, over what was. */
dpl_status dpli_put_file(dpl_gallery *gallery, int64_t photo_id, const dpl_photo_row *row,
                         dpl_error *err);
/* Ends a photo's options when its vectors were made from thumbnails, for want of the photo: they
   are made again from the photo when it is found. */
#define DPLI_FROM_THUMBNAIL ",thumbnail"
bool dpli_is_from_thumbnail(const char *options);
/** Say so of a photo, or that it is not so any more; its row is otherwise as it was. */
dpl_status dpli_mark_photo(dpl_gallery *gallery, int64_t photo_id, bool from_thumbnail,
                           dpl_error *err);
/** Whose a template is; person_id 0: nobody's. */
dpl_status dpli_put_owner(dpl_gallery *gallery, int64_t template_id, int64_t person_id,
                          bool by_hand, dpl_error *err);
/** A photo's row becomes a person's, or with person_id 0 nobody's; it is meant for nobody any more.
 */
dpl_status dpli_own_photo(dpl_gallery *gallery, int64_t photo_id, int64_t person_id,
                          dpl_error *err);
/** After faces of a photo have changed hands: a photo none of whose faces is its person's any more
 * becomes to's (0: nobody's), and so does one of nobody's whose only face is to's, or which was
 * meant to be to's. What it has of the whole picture goes with it. */
dpl_status dpli_settle_photo(dpl_gallery *gallery, int64_t photo_id, int64_t to, dpl_error *err);
/** Another name of a person, over whom it meant; person_id 0: nobody any more. */
dpl_status dpli_put_alias(dpl_gallery *gallery, int64_t person_id, const char *name,
                          dpl_error *err);
/** Photos that were to be from's, to be to's. *n: how many. */
dpl_status dpli_rename_meant(int64_t *n, dpl_gallery *gallery, const char *from, const char *to,
                             dpl_error *err);
/* What becomes of a photo that a run has looked at. */
typedef struct dpli_step {
    const dpl_new_photo *put; /* NULL: */
    int64_t photo_id;         /* this one */
    const char *path;         /* is here now; NULL: where it was */
    int64_t mtime_ns;
    const dpl_photo_row *file; /* what is known of its file: what the row says of that */
    bool is_note;              /* of a file only, which changes nothing that people know of */
    bool was_unknown;          /* put's path, when the run looked */
} dpli_step;
/** All of them in one transaction; if all are notes, it is no change that is to be taken back. */
dpl_status dpli_take_steps(dpl_gallery *gallery, const dpli_step *steps, size_t n, dpl_error *err);
/** Remove photos by id, so that it can be taken back. */
dpl_status dpli_drop_photos(dpl_gallery *gallery, const int64_t *ids, size_t n, dpl_error *err);
/** Size and time of a photo's file, by path. */
dpl_status dpli_note_file(dpl_gallery *gallery, const char *path, int64_t size_bytes,
                          int64_t mtime_ns, dpl_error *err);
/** Add a template, under the id wanted unless that is 0; person_id 0: nobody's. *id: which it got,
 * may be NULL. */
dpl_status dpli_put_template(int64_t *id, dpli_putter *p, const dpl_new_template *t,
                             int64_t photo_id, int64_t person_id, int64_t wanted, dpl_error *err);

/* ------------------------------------------------------------------ gallery_right.c */

/** As dpl_gallery_assign, within a change. */
dpl_status dpli_assign(dpl_gallery *gallery, int64_t template_id, const char *name, dpl_error *err);
/** What was said not to be a person is forgotten. */
dpl_status dpli_drop_refusals_of(dpl_gallery *gallery, int64_t person_id, dpl_error *err);

/* ------------------------------------------------------------------ search.c */

/** Remove every index from disk and memory. A search that is under way in another thread ends with
 * what it began with. */
void dpli_search_drop(dpl_gallery *gallery);
/** After so many templates came or changed: an index that the next search would have to make anew
 * for it is made now, if there is to be a file of it. One to which a search only adds is left to
 * it; so is an approximate one, which takes minutes, one of a database that others change, too, and
 * one of a head that is not the cosine. What fails here fails nothing: the search makes it. Outside
 * of a transaction. */
void dpli_search_ready(dpl_gallery *gallery, int64_t n_changed);
/** A file of a later generation than the gallery's, which was put back from a copy since, goes:
 * when the gallery has come as far again, by other changes, it would be believed. Before any
 * change. */
void dpli_search_disown(dpl_gallery *gallery);
/** The gallery has another key, or none any more: files that were sealed by this one (NULL: plain)
 * go on serving. */
void dpli_search_reseal(dpl_gallery *gallery, const uint8_t *key);
/** The same after a forgetting: nothing removed may be found in a file. A file is written anew
 * without it, where few have gone. */
void dpli_search_scrub(dpl_gallery *gallery);

/** The file of a snapshot; the caller's. */
char *dpli_search_file(const dpl_gallery *gallery, int space, dpl_error *err);

/* ------------------------------------------------------------------ gallery_forget.c */

/** Finish a forget whose rows are gone: snapshots, file, write-ahead log. */
dpl_status dpli_gallery_scrub(dpl_gallery *gallery, dpl_error *err);

#endif
