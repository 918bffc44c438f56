/*
 * The gallery: people, their photos and templates, in a folder or a database.
 *
 * gallery.db (SQLite, WAL, synchronous=FULL) is the truth; *.faiss beside it are snapshots that are
 * rebuilt from it whenever missing, stale or damaged. What a call has returned DPL_OK for survives
 * a kill.
 *
 * Threads and processes: many readers or one writer. A dpl_gallery is used by one thread at a time,
 * and dpl_gallery_open_again gives another thread its own; a second process that opens the gallery
 * for writing gets DPL_E_LOCKED. Every row carries a sum of its content, which is checked wherever
 * one is read: DPL_E_GALLERY names the photo whose row a disk has changed.
 *
 * Names of people and paths of photos are bytes, whatever a file system allows. Paths are compared
 * byte by byte, names in their composed Unicode form, and kept as they were first written.
 * docs/gallery.md says what is stored, and what a kill and a forget leave.
 */
#ifndef DOPPEL_GALLERY_H
#define DOPPEL_GALLERY_H

#include <stdbool.h>
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
    DPL_GALLERY_CREATE = 2, /* as WRITE, made when missing: a folder; in a database tables are not */
    DPL_GALLERY_MIGRATE = 3 /* as WRITE, and in a database tables are made or brought up to date */
} dpl_gallery_mode;

/**
 * Open a gallery: a folder, or a database by postgresql://user@host/database (docs/postgresql.md),
 * which many write, one transaction at a time, and whose tables DPL_GALLERY_MIGRATE alone makes. A
 * password in an address is in no message and in nothing that is given out.
 *
 * A new one is for its owner alone (folder 0700, files 0600). A reader needs no more than the right
 * to read, so a gallery on a read-only medium can be searched. A folder that group or others may
 * write, a link in a file's place, and another user's folder for a writer are refused. What a kill
 * has interrupted is cleared up here, by a writer.
 *
 * @retval DPL_E_GALLERY  missing, damaged, not a gallery, not to be trusted, or of a later version;
 * or of an earlier one and opened for reading: opening for writing brings it up to date. err names
 * the file
 * @retval DPL_E_LOCKED   somebody else is writing; err names the process
 * @retval DPL_E_SYSTEM   the folder or a file in it cannot be made
 */
DPL_API dpl_status dpl_gallery_open(dpl_gallery **out, const char *dir, dpl_gallery_mode mode,
                                    dpl_error *err);
/**
 * Open the same gallery once more, for reading by another thread. The two handles are used by a
 * thread each, and share the search index in memory: one object, which a search holds as it found
 * it and a change of the gallery replaces for both. Either may be closed first.
 */
DPL_API dpl_status dpl_gallery_open_again(dpl_gallery **out, const dpl_gallery *gallery,
                                          dpl_error *err);
DPL_API void dpl_gallery_close(dpl_gallery *gallery);
/** The folder, or the database's address without its password. */
DPL_API const char *dpl_gallery_dir(const dpl_gallery *gallery);
/** Where what is derived from the gallery lies on this machine: its folder, or for a database one in
 * the user's cache. */
DPL_API const char *dpl_gallery_folder(const dpl_gallery *gallery);
/** The i-th of the files that are read again whenever a gallery in a database connects: certificates
 * and the password file that its address, or the service that it names, speaks of. Borrowed; NULL:
 * there are no more. For whoever takes files away from the process. */
DPL_API const char *dpl_gallery_connection_file(const dpl_gallery *gallery, size_t i);

/** A note for the user about the last open or search ("index was stale and has been rebuilt"); ""
 * if none. */
DPL_API const char *dpl_gallery_notice(const dpl_gallery *gallery);

/**
 * Wait until the gallery's templates, or whose they are, have changed since the last call on this
 * handle, at most so long. A database tells of it (LISTEN); a folder is looked at four times a
 * second. The first call returns at once.
 *
 * @param[out] changed  whether they have, or may have
 * @retval DPL_E_SYSTEM the connection was lost; the next call makes another
 */
DPL_API dpl_status dpl_gallery_wait(bool *changed, dpl_gallery *gallery, int timeout_ms,
                                    dpl_error *err);

/** A remembered setting ("detect", "model.face.hash", "model.face.name", …).
 * @param[out] value  NULL when it is unset, and on failure; borrowed until the next call on the
 *                    gallery
 * @retval DPL_E_GALLERY  it cannot be read, which is not the same as unset
 */
DPL_API dpl_status dpl_gallery_setting(const char **value, dpl_gallery *gallery, const char *key,
                                       dpl_error *err);

/** The path of the calibration beside the gallery ("calibration.json" in its folder), which decides
 * in the place of the model's.
 * @param[out] path  NULL when there is none; else freed by dpl_bytes_free
 * @retval DPL_E_GALLERY  it is there and no file, or a link
 */
DPL_API dpl_status dpl_gallery_calibration(char **path, const dpl_gallery *gallery, dpl_error *err);

typedef struct dpl_gallery_counts {
    int64_t n_persons;
    int64_t n_photos; /* lines of the ledger */
    int64_t n_failed; /* of them, those whose status is not DPL_OK */
    int64_t n_templates_face, n_templates_image;
    int64_t db_bytes;         /* of the database and its log */
    int64_t n_faces_nobodys;  /* of n_templates_face */
    int64_t n_templates_text; /* captions */
} dpl_gallery_counts;
DPL_API dpl_status dpl_gallery_count(dpl_gallery_counts *out, dpl_gallery *gallery, dpl_error *err);
/**
 * How many people there are, of whom there is a photo or a template: n_persons of the above, without
 * looking at all photos. What a rate for all searches is a share of (dpl_policy_for_search).
 *
 * @return DPL_OK, DPL_E_IO, DPL_E_CORRUPT
 */
DPL_API dpl_status dpl_gallery_count_people(int64_t *n_persons, dpl_gallery *gallery,
                                            dpl_error *err);

/* ------------------------------------------------------------------ rows */

typedef struct dpl_person {
    int64_t id;
    const char *name; /* UTF-8 or the bytes that the folder's name had */
    int64_t n_photos, n_templates;
} dpl_person;

/* A photo's line in the ledger: every file that enrolment ever looked at and has not forgotten. */
typedef struct dpl_photo_row {
    int64_t id;
    const char *path;    /* absolute; or the URI of a source that is no file */
    const char *sha256;  /* of the file's content, 64 hex digits, "" when it could not be read */
    const char *person;  /* whose the photo as a whole is; NULL: nobody's. Its faces have people of
                            their own (dpl_template_row) */
    const char *meant;   /* whose a photo was to be that is not, because it was refused or which of
                            its faces is theirs is not known; NULL: of others, or unknown */
    dpl_status status;   /* DPL_OK: enrolled */
    const char *reason;  /* "" or why not, or the decoder's warning */
    const char *options; /* of the run that looked at it: a refusal is tried again under others;
                            never NULL */
    int64_t size_bytes, mtime_ns, enrolled_unix_s;
    int32_t width_px, height_px, n_faces;
    int64_t file_system; /* a number of the one that the file was on when it was last read; 0: not
                            known */
    int64_t unreadable_since_unix_s; /* the file could not be read when it was last looked for,
                                        since then; what was enrolled of it stays. 0: it could */
    dpl_status unreadable_status;    /* and why */
    const char *unreadable_reason;   /* "" when it could; NULL, for a row that is put, the same */
} dpl_photo_row;

typedef struct dpl_template_row {
    int64_t id, photo_id;
    const char *person; /* whose face it is, whosever the photo is; NULL: nobody's */
    int64_t person_id, photo_person_id; /* whose it is and whose the photo is; 0: nobody's */
    bool by_hand; /* somebody has said so, and enrolling the photo again does not change it */
    const char *photo_path, *photo_sha256;
    const char *space;      /* "face", "image" or "text" */
    const char *model_hash; /* 64 hex digits */
    int is_face;            /* 1: of a face; 0: of a whole picture, or of a text */
    dpl_face face;          /* where it was taken from; zero when not known */
    int32_t dim;
    const float *vector;  /* [dim] */
    const uint8_t *thumb; /* JPEG of the chip */
    size_t n_thumb;
    const char *caption;        /* the text that it is of; NULL: of none */
    const char *caption_source; /* where the text was found: "sidecar", "xmp", "photo" or "list" */
    int32_t photo_width_px, photo_height_px; /* upright; 0: not known */
} dpl_template_row;

/* Walk rows: people by name, photos by the URI that stands for their path, templates by id, all of
   one instant whatever a writer does meanwhile. The callback's strings and buffers live until it
   returns; it may read the gallery and search it, but not change it (DPL_E_ARGUMENT); a status
   other than DPL_OK stops the walk and is passed on (without touching err). A filter that is NULL,
   or matches nothing, is no error. */
DPL_API dpl_status dpl_gallery_each_person(dpl_gallery *gallery,
                                           dpl_status (*fn)(void *ctx, const dpl_person *row),
                                           void *ctx, dpl_error *err);
DPL_API dpl_status dpl_gallery_each_photo(dpl_gallery *gallery, const char *person,
                                          dpl_status (*fn)(void *ctx, const dpl_photo_row *row),
                                          void *ctx, dpl_error *err);
DPL_API dpl_status dpl_gallery_each_template(
    dpl_gallery *gallery, const char *person, const char *space,
    dpl_status (*fn)(void *ctx, const dpl_template_row *row), void *ctx, dpl_error *err);
/** The templates of one photo; its row has the id. */
DPL_API dpl_status dpl_gallery_each_template_of(dpl_gallery *gallery, int64_t photo_id,
                                                dpl_status (*fn)(void *ctx,
                                                                 const dpl_template_row *row),
                                                void *ctx, dpl_error *err);
/** One template by its id; DPL_E_NOT_FOUND when it is not there. */
DPL_API dpl_status dpl_gallery_get_template(dpl_gallery *gallery, int64_t template_id,
                                            dpl_status (*fn)(void *ctx,
                                                             const dpl_template_row *row),
                                            void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ adding */

/* What dpl_gallery_put records about one file, in one transaction. */
typedef struct dpl_new_template {
    const char *space;
    const float *vector; /* [dim] finite */
    int32_t dim;
    dpl_face face;
    const uint8_t *thumb; /* JPEG, may be NULL */
    size_t n_thumb;
    const char *person; /* whose it is; NULL: whosever the photo is, unless is_nobodys */
    bool is_nobodys;
    bool by_hand;                         /* see dpl_template_row */
    const char *caption, *caption_source; /* of the space "text", as in dpl_template_row */
} dpl_new_template;

typedef struct dpl_new_photo {
    dpl_photo_row row; /* id ignored */
    const dpl_new_template *templates;
    size_t n_templates;
    int64_t moved_id; /* this is the photo of that id, which has moved to the row's path; 0: the one
                         that has the path, or a new one */
} dpl_new_photo;

/**
 * Bind the gallery to an encoder's space, or check that it is bound to it.
 *
 * The first call for a space records the encoder's hash, dim, name and head (settings
 * "model.face.hash", …). Later ones must agree in hash and dim for as long as the space holds
 * templates; name and head, which change no vector, are updated. A reader only compares.
 * @retval DPL_E_MISMATCH  the gallery's vectors of this space are another model's; err names both
 */
DPL_API dpl_status dpl_gallery_bind(dpl_gallery *gallery, const dpl_encoder *encoder,
                                    dpl_error *err);

/** The same for captions, the space "text". */
DPL_API dpl_status dpl_gallery_bind_text(dpl_gallery *gallery, const dpl_text_encoder *encoder,
                                         dpl_error *err);

/** Remember a setting, UTF-8 of at most 512 KiB; DPL_E_MISMATCH when another value was set and the
 * gallery holds templates. Keys that begin with "model." are dpl_gallery_bind's. */
DPL_API dpl_status dpl_gallery_remember(dpl_gallery *gallery, const char *key, const char *value,
                                        dpl_error *err);

/**
 * Record n files' outcomes in one transaction: replaces what was known of the same path, with all
 * its templates. On DPL_OK it is on disk; otherwise nothing was changed.
 *
 * A photo keeps its id when it is replaced; its templates get new ones, and no id is ever given
 * again. A face of the same content that somebody has named by hand keeps that name, and what it
 * was said not to be: the new face that covers most of the old one gets both, and the photo follows
 * as by dpl_gallery_assign. A copy of the same content is said not to be the same. A person is made
 * by the first photo or face that names them and vanishes with the last. A name is a person's when
 * it is theirs in any Unicode form, or one that they had before a rename. An enrolled_unix_s of 0
 * is taken as now.
 *
 * @retval DPL_E_NUMERIC   a number of a vector or a face is not finite, or one of a vector beyond
 *                         1e16; a vector is all zero, which by the cosine has no direction
 * @retval DPL_E_MISMATCH  a vector's dim is not that of the space's model
 * @retval DPL_E_ARGUMENT  no model is bound to the space; a path is neither absolute nor a URI; a
 *                         name is empty
 * @retval DPL_E_LIMIT     a thumbnail over 1 MiB, a path over 32 KiB, a name or reason over 4 KiB
 * @retval DPL_E_SYSTEM    the disk is full, or failed
 */
DPL_API dpl_status dpl_gallery_put(dpl_gallery *gallery, const dpl_new_photo *photos, size_t n,
                                   dpl_error *err);

/** Look up a photo by absolute path, or when path is NULL all photos of that content, by id.
 * *found: how many rows went to fn. */
DPL_API dpl_status dpl_gallery_find_photo(dpl_gallery *gallery, const char *path,
                                          const char *sha256,
                                          dpl_status (*fn)(void *ctx, const dpl_photo_row *row),
                                          void *ctx, int *found, dpl_error *err);

/** A photo has moved: give it its new path and mtime, keeping person, templates and ids. What was
 * known of the new path is replaced. DPL_E_NOT_FOUND when there is no such photo. */
DPL_API dpl_status dpl_gallery_move_photo(dpl_gallery *gallery, int64_t photo_id, const char *path,
                                          int64_t mtime_ns, dpl_error *err);

/* ------------------------------------------------------------------ changing */

typedef struct dpl_forget_report {
    int64_t n_photos, n_templates;
    int64_t n_photos_kept; /* that show others by name, too: only the person's faces in them went */
    int64_t n_left;    /* of the forgotten templates, still found by a search afterwards; 0 is the
                          proof */
    int64_t n_strings; /* names, paths and hashes that went */
    int64_t n_strings_left; /* of them, still in a file of the gallery's folder that nothing else
                               there has a right to; 0 is the proof */
    char left_in[256];      /* the first such file, "" when there is none */
    int64_t n_persons;      /* who are gone with it: the person, and whose last photo it was */
    int64_t audit_n;     /* the number of its line in the audit (audit.h), 0 when there is none */
    char audit_hash[65]; /* of that line */
    char secret[33];     /* by which dpl_forget_receipt proves whom it was about */
} dpl_forget_report;

/**
 * Forget a person with the refused photos that were to be theirs, or photos by path: lines of the
 * ledger, thumbnails, vectors, index entries; vacuums once, then searches for every forgotten
 * vector, reads every file in the gallery's folder for every forgotten name, path and hash, and
 * counts what it still finds. A name of under 8 bytes is looked for as rows hold it, as by chance
 * it stands anywhere. The photos themselves stay where they are: enrolling their folder again
 * brings them back.
 *
 * Killed at any instant it has done nothing, or the next writer finishes it.
 *
 * @param person         a name, or NULL and then
 * @param paths, n_paths absolute paths of photos in the ledger
 * @param dry_run        nonzero: only count
 * @retval DPL_E_NOT_FOUND  no such person, or no such photo (err names it; nothing was changed)
 * @retval DPL_E_LOCKED     the rows are removed, but a reader keeps their bytes in the log; the
 * next writer removes them
 */
DPL_API dpl_status dpl_gallery_forget(dpl_forget_report *out, dpl_gallery *gallery,
                                      const char *person, const char *const *paths, size_t n_paths,
                                      bool dry_run, dpl_error *err);

/** Of a person, and of photos that were to be theirs. The old name means the same person from then
 * on, so that a folder of that name goes on being theirs.
 * @retval DPL_E_ARGUMENT  to is taken or empty; DPL_E_NOT_FOUND  from is nobody */
DPL_API dpl_status dpl_gallery_rename(dpl_gallery *gallery, const char *from, const char *to,
                                      dpl_error *err);

/* ------------------------------------------------------------------ putting right */

/**
 * A face is a person's: somebody says so, and enrolling its photo again does not change it. A
 * person of that name is made where there is none; a name that they once had means them.
 *
 * What was said before against it is not said any more. A photo follows its faces: one of which no
 * other face is its person's becomes the new one's, and so does one of nobody's that shows only
 * this face, or that was meant to be theirs. Who has lost the last photo and face vanishes. A face
 * with a person is in no group.
 *
 * @param template_id  of a face, as the row says
 * @retval DPL_E_NOT_FOUND  there is no such template
 * @retval DPL_E_ARGUMENT   it is of a whole picture; the name is empty
 * @retval DPL_E_LIMIT      the name is over 4 KiB
 */
DPL_API dpl_status dpl_gallery_assign(dpl_gallery *gallery, int64_t template_id, const char *name,
                                      dpl_error *err);

/**
 * A face is not a person's. If it was theirs, it is nobody's, and its photo follows as when it is
 * assigned. That lasts: no enrolment of the same content gives it back to them, by whatever path
 * or option, also when they have no other photo and vanish; forgetting the person or the photo
 * does away with it.
 *
 * @retval DPL_E_NOT_FOUND  there is no such template, or nobody of this name
 * @retval DPL_E_ARGUMENT   it is of a whole picture; the name is empty
 */
DPL_API dpl_status dpl_gallery_reject(dpl_gallery *gallery, int64_t template_id, const char *name,
                                      dpl_error *err);

typedef struct dpl_merge_report {
    int64_t n_photos, n_faces; /* that were from's */
    int64_t n_meant;           /* refused photos that were to be from's */
} dpl_merge_report;

/**
 * Two people are one: all that is from's is into's, also what was said not to be from, photos that
 * were to be theirs, and their names, which mean into from then on. That a face of one is not the
 * other's is not said any more.
 *
 * @retval DPL_E_NOT_FOUND  there is no such person
 * @retval DPL_E_ARGUMENT   they are one already
 */
DPL_API dpl_status dpl_gallery_merge(dpl_merge_report *out, dpl_gallery *gallery, const char *from,
                                     const char *into, dpl_error *err);

/**
 * Two people are two, however alike: no face of one is the other's, as if each had been rejected.
 *
 * @retval DPL_E_NOT_FOUND  there is no such person
 * @retval DPL_E_ARGUMENT   they are one
 */
DPL_API dpl_status dpl_gallery_set_apart(dpl_gallery *gallery, const char *a, const char *b,
                                         dpl_error *err);

/* What a face is not, as somebody has said: this person, or whoever is in that template. */
typedef struct dpl_refusal {
    int64_t id, template_id;
    int64_t person_id;  /* 0: */
    int64_t other_id;   /* a template */
    const char *person; /* NULL with other_id */
} dpl_refusal;

/** Walk what was said against a template, or with 0 against any, by id; as the other walks. */
DPL_API dpl_status dpl_gallery_each_refusal(dpl_gallery *gallery, int64_t template_id,
                                            dpl_status (*fn)(void *ctx, const dpl_refusal *row),
                                            void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ copies of all of it */

/**
 * All of the gallery as JSON lines, of one instant, atomically to a file of mode 0600 ("-":
 * standard output). Vectors (little-endian float32) and thumbnails are in base64; so is a name or
 * path that is not UTF-8. docs/gallery.md has the format.
 */
DPL_API dpl_status dpl_gallery_export(dpl_gallery *gallery, const char *path, dpl_error *err);

/**
 * Read an export ("-": standard input) into this gallery in one transaction; on failure nothing was
 * changed.
 *
 * Photos already known by path are replaced, people of the same name are the same person. A gallery
 * that has never held a row takes the export's ids, so that export, import, export gives the same
 * bytes; any other gives new ids.
 *
 * @retval DPL_E_INPUT     not an export, or cut off; err names the file and the line
 * @retval DPL_E_MISMATCH  another model's vectors, or a setting that contradicts the gallery's
 */
DPL_API dpl_status dpl_gallery_import(dpl_gallery *gallery, const char *path, int64_t *n_photos,
                                      int64_t *n_templates, dpl_error *err);

/**
 * All of a gallery into another, open for writing, that has never held a row, in one transaction; on
 * failure the other holds nothing. Exports of both are then the same bytes; the audit and the
 * calibration beside the gallery go with it. The first stays as it is.
 *
 * @retval DPL_E_GALLERY  the other has held rows, or the audit of another gallery; or this one is
 *                        damaged
 */
DPL_API dpl_status dpl_gallery_copy(int64_t *n_photos, int64_t *n_templates, dpl_gallery *to,
                                    dpl_gallery *from, dpl_error *err);

/**
 * Rehearse from now on, or no more: changes are checked and made as always, told of, and taken back
 * at the end of each, so that nothing is changed on disk. A forget has a dry run of its own.
 */
DPL_API void dpl_gallery_rehearse(dpl_gallery *gallery, bool on);

/** Close a gallery, and if opening it has made it, remove it again. Takes NULL. */
DPL_API void dpl_gallery_abandon(dpl_gallery *gallery);

/* ------------------------------------------------------------------ taking back */

/* The last change, and what taking it back does. A change is one call of a function that changes
   people, photos or faces, or all that one dpl_enroll does, or what is between
   dpl_gallery_begin_change and dpl_gallery_end_change. */
typedef struct dpl_change {
    const char *what; /* in words: "enroll /photos"; NULL: nothing was changed yet */
    int64_t made_unix_s;
    bool is_final; /* a forget: it cannot be taken back */
    int64_t n_persons_added, n_persons_changed, n_persons_removed;
    int64_t n_photos_added, n_photos_changed, n_photos_removed;
    int64_t n_templates_added, n_templates_removed;
    int64_t n_owners_changed; /* faces that it gave to somebody else, or to nobody */
} dpl_change;

/**
 * From now on, until dpl_gallery_end_change, all that is changed is one change, told by what. It
 * begins with the first that is changed; what each call has returned DPL_OK for is on disk.
 */
DPL_API dpl_status dpl_gallery_begin_change(dpl_gallery *gallery, const char *what, dpl_error *err);
DPL_API void dpl_gallery_end_change(dpl_gallery *gallery);

/**
 * Tell of the last change. fn is called once.
 */
DPL_API dpl_status dpl_gallery_last_change(dpl_gallery *gallery,
                                           dpl_status (*fn)(void *ctx, const dpl_change *change),
                                           void *ctx, dpl_error *err);

/**
 * Take the last change back, in one transaction. This is then the last change, so that calling it
 * again brings the former back. What a forget removed is gone: its change is final at once.
 *
 * @retval DPL_E_NOT_FOUND  there is no change, or it is final; err says which
 * @retval DPL_E_GALLERY    the log of it is damaged; nothing was changed
 */
DPL_API dpl_status dpl_gallery_undo(dpl_gallery *gallery, dpl_error *err);

/**
 * From now on what goes through all of this gallery tells how far it is: dpl_gallery_check,
 * dpl_gallery_repair, dpl_gallery_all_doubts, exports, imports, dpl_gallery_copy (of the gallery
 * that is read), encrypting, rekeying and decrypting.
 *
 * @param fn  gets what is counted, in the plural ("rows", "references", "people", "photos", "MiB"; a
 *            string that stays), how many are done and of how many. A piece of work of several parts
 *            counts each from the start. In the caller's thread; NULL: nobody is told
 */
DPL_API void dpl_gallery_set_progress(dpl_gallery *gallery,
                                      void (*fn)(void *ctx, const char *what, int64_t n_done,
                                                 int64_t n_total),
                                      void *ctx);

/* ------------------------------------------------------------------ damage */

/* Something in the gallery that is not what was written. */
typedef struct dpl_damage {
    const char *part;    /* "database", "person", "photo", "vector", "face", "thumbnail", "caption",
                            "snapshot" */
    int64_t photo_id;    /* 0: of none, or not known */
    int64_t person_id;   /* of a person; else 0 */
    const char *photo;   /* path of the photo from which it can be had again, NULL: of none */
    const char *message; /* what is wrong */
} dpl_damage;

typedef struct dpl_check_report {
    int64_t n_persons, n_photos, n_templates, n_snapshots; /* that were read */
    int64_t n_damaged;                                     /* findings */
} dpl_check_report;

/**
 * Read all of the gallery: the database's structure, every row against its sum, every snapshot of
 * the index. Damage that is found is no failure.
 *
 * @param fn  gets each finding, whose strings live until it returns; a status other than DPL_OK
 * ends the check and is passed on. May be NULL
 */
DPL_API dpl_status dpl_gallery_check(dpl_check_report *out, dpl_gallery *gallery,
                                     dpl_status (*fn)(void *ctx, const dpl_damage *damage),
                                     void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ search */

typedef struct dpl_hit {
    int64_t template_id, photo_id, person_id; /* person_id 0: nobody's */
    float score;                              /* the head's own, higher is more alike */
} dpl_hit;

typedef struct dpl_search_options {
    size_t struct_size;
    int32_t k;           /* default 10 */
    int64_t exact_up_to; /* templates up to which search is exact; default 1,000,000 */
    double min_recall; /* recall@10 that an approximate index is tuned to, above 0; default 0.99 */
} dpl_search_options;

#define DPL_SEARCH_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_search_options), 10, 1000000, 0.99                                              \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_search_options_init(dpl_search_options *options, size_t struct_size);

typedef struct dpl_search_info {
    bool exact;          /* every template was compared */
    double recall;       /* 1 when exact, else recall@10 measured on the gallery's own vectors */
    const char *index;   /* "flat", "hnsw" or "pgvector"; static */
    int64_t n_templates; /* compared or indexed */
} dpl_search_info;

/**
 * The k templates most like each of n probes, best first; ties by lower id.
 *
 * Up to options.exact_up_to templates every one is compared and the order is the head's own. Past
 * it an approximate index is made from the gallery and tuned until recall@10, measured with this
 * head on vectors it has not learnt from, is a standard error above min_recall; where none gets
 * there, and of fewer than 1000 templates, search stays exact. Scores are the head's in any case.
 * For k above 10 recall may be lower than stated.
 *
 * The first search, and one after the gallery has changed, reads the rows or a snapshot
 * ("face.faiss" in the gallery's folder, written for 20,000 templates or more) and may take
 * seconds, of a new approximate index minutes; dpl_gallery_notice then says what was rebuilt. Later
 * ones use what is in memory. A template whose score is NaN (by cosine, a vector of zeros) is never
 * a hit.
 *
 * @param[out] hits    [n, k]; missing ones have template_id -1 and a score of NaN
 * @param      space   "face" or "image"
 * @param      probes  [n, dim]
 * @param      options NULL for the defaults
 * @param[out] info    may be NULL
 * @retval DPL_E_ARGUMENT  no such space, k below 1, an option out of range, dim not the head's
 * @retval DPL_E_MISMATCH  the gallery's vectors of this space have another dim
 * @retval DPL_E_NUMERIC   a probe is not finite, or by cosine all zero; err says which
 * @retval DPL_E_GALLERY   the database is damaged
 */
DPL_API dpl_status dpl_gallery_search(dpl_hit *hits, dpl_gallery *gallery, const dpl_head *head,
                                      const char *space, const float *probes, size_t n, int32_t dim,
                                      const dpl_search_options *options, dpl_search_info *info,
                                      dpl_error *err);

/**
 * From now on a search of this handle whose index would take more memory than this is left to the
 * database, where that can find candidates itself (PostgreSQL with the extension pgvector, an index
 * made by DPL_GALLERY_MIGRATE, and a head that compares directions): dpl_search_info calls it
 * "pgvector", with the recall that was measured when the index was made. Scores are the head's in
 * any case. Where the database cannot, the index is made, and dpl_gallery_notice says so. 0, as it
 * is at first: there is no limit.
 */
DPL_API void dpl_gallery_set_index_memory(dpl_gallery *gallery, uint64_t max_bytes);

/* What a database itself can find by. */
typedef struct dpl_near_info {
    bool is_there;       /* the database has the extension */
    int64_t n_templates; /* indexed when recall was measured; 0: there is no index of the space */
    double recall;       /* of the ten most alike, before they are scored again */
} dpl_near_info;
DPL_API dpl_status dpl_gallery_near(dpl_near_info *out, dpl_gallery *gallery, const char *space,
                                    dpl_error *err);

/* What a search of a space goes by, as its snapshot tells. */
typedef struct dpl_index_info {
    int64_t n_templates;
    int64_t n_bytes; /* of the file */
    bool exact;      /* every template is compared */
    double recall;   /* recall@10: 1 when exact, else measured on the gallery's own vectors */
    int64_t n_kept;  /* templates that a walk through an approximate index keeps; 0 when exact */
    /* One search on one core when the index was tuned, and what comparing every template took
       there; 0 where that was not measured. */
    double search_ms, exact_ms;
    bool exact_is_faster; /* past the limit, but no approximate index was better than exact */
} dpl_index_info;

/**
 * What a space's index is. Nothing is searched or made: a gallery whose snapshot is missing is
 * compared template by template, or has not been searched yet.
 *
 * @param space  "face" or "image"
 * @retval DPL_E_ARGUMENT   no such space
 * @retval DPL_E_NOT_FOUND  there is no snapshot
 * @retval DPL_E_INPUT      it is not one, or of another version: the next search makes it anew
 */
DPL_API dpl_status dpl_gallery_index(dpl_index_info *out, dpl_gallery *gallery, const char *space,
                                     dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
