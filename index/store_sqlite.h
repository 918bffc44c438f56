/*
 * The SQLite keeper's own inside, shared by its files: store_sqlite.c (folder, lock, transactions,
 * settings), store_sqlite_schema.c (tables, versions), store_sqlite_rows.c (reading),
 * store_sqlite_write.c, store_sqlite_undo.c (taking back) and store_sqlite_audit.c.
 */
#ifndef DOPPEL_INDEX_STORE_SQLITE_H
#define DOPPEL_INDEX_STORE_SQLITE_H

#include "index/db.h"
#include "index/store.h"

/* The statements that write, prepared when first needed and kept. */
enum {
    DPLI_SQLITE_FIND_PERSON,
    DPLI_SQLITE_FIND_PERSON_BY,
    DPLI_SQLITE_ADD_PERSON,
    DPLI_SQLITE_RENAME_PERSON,
    DPLI_SQLITE_DROP_PERSON,
    DPLI_SQLITE_FIND_PHOTO,
    DPLI_SQLITE_ADD_PHOTO,
    DPLI_SQLITE_SET_PHOTO,
    DPLI_SQLITE_DROP_PHOTO,
    DPLI_SQLITE_DROP_TEMPLATES,
    DPLI_SQLITE_DROP_TEMPLATE,
    DPLI_SQLITE_ADD_VECTOR,
    DPLI_SQLITE_SET_VECTOR,
    DPLI_SQLITE_ADD_FACE,
    DPLI_SQLITE_SET_FACE,
    DPLI_SQLITE_ADD_THUMB,
    DPLI_SQLITE_ADD_CAPTION,
    DPLI_SQLITE_SET_OWNER,
    DPLI_SQLITE_DROP_OWNER,
    DPLI_SQLITE_SET_FILE,
    DPLI_SQLITE_DROP_FILE,
    DPLI_SQLITE_FIND_ALIAS,
    DPLI_SQLITE_FIND_ALIAS_BY,
    DPLI_SQLITE_SET_ALIAS,
    DPLI_SQLITE_DROP_ALIAS,
    DPLI_SQLITE_FIND_REFUSAL,
    DPLI_SQLITE_ADD_REFUSAL,
    DPLI_SQLITE_DROP_REFUSAL,
    DPLI_SQLITE_SET_MEMBER,
    DPLI_SQLITE_DROP_MEMBER,
    DPLI_N_SQLITE
};

/* People of whom there is a photo or a template. Of others only what is not theirs is known. */
#define DPLI_SQLITE_IS_SHOWN                                                                       \
    "(EXISTS(SELECT 1 FROM photo WHERE person_id = person.id)"                                     \
    " OR EXISTS(SELECT 1 FROM owner WHERE person_id = person.id))"

/* Columns of table undo for those of the row that it keeps. */
enum { DPLI_SQLITE_UNDO_COLUMNS = 26 };

/* Walks that are asked for again and again, one statement for each query of photos and of
   templates. A walk within a walk of the same kind makes its own. */
enum {
    DPLI_N_SQLITE_PHOTOS = DPLI_PHOTO_BY_ID + 1,
    DPLI_N_SQLITE_TEMPLATES = DPLI_TEMPLATE_BY_ID + 1
};
/* Told of a folder, by who looks for one in it. */
#define DPLI_NO_GALLERY                                                                            \
    "there is no gallery in \"%s\"; \"doppel enroll\" with a folder of photos makes one"

typedef struct dpli_sqlite_walk {
    dpli_stmt stmt;
    bool busy;
} dpli_sqlite_walk;

typedef struct dpli_store_sqlite {
    dpli_store store; /* first: a store is one of these */
    dpli_db *db;
    char *dir;
    int lock_fd;       /* of gallery.lock, -1 when reading */
    bool in_write;     /* within a transaction that writes */
    int64_t change_id; /* within one that is logged: of which change; else 0 */
    dpli_stmt kept[DPLI_N_SQLITE];
    dpli_sqlite_walk photos[DPLI_N_SQLITE_PHOTOS], templates[DPLI_N_SQLITE_TEMPLATES];
} dpli_store_sqlite;

static inline dpli_store_sqlite *dpli_sqlite_of(dpli_store *store)
{
    return (dpli_store_sqlite *)(void *)store;
}

/** A gallery in a folder: gallery.db and gallery.lock. */
dpl_status dpli_store_sqlite_open(dpli_store **out, const char *dir, dpl_gallery_mode mode,
                                  dpl_error *err);

/* ------------------------------------------------------------------ store_sqlite_schema.c */

/** Whose file it is, of what version, and whether it is whole (up to 4 MiB all of it). Makes the
 * tables when may_make and there are none, and brings those of an older version up to date when
 * open for writing. */
dpl_status dpli_sqlite_check(dpli_store_sqlite *s, bool may_make, int64_t n_bytes, dpl_error *err);

/** Give the gallery an identity of its own, at creation or anew. */
dpl_status dpli_sqlite_new_identity(dpli_store *store, dpl_error *err);

/** Within a writing transaction, before it ends: the sum over what has no sum in its row. */
dpl_status dpli_sqlite_seal(dpli_store_sqlite *s, dpl_error *err);
dpl_status dpli_sqlite_faults(dpli_store *store, dpli_on_fault *fn, void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ store_sqlite_rows.c */

dpl_status dpli_sqlite_each_person(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                                   dpl_error *err);
dpl_status dpli_sqlite_one_person(dpli_store *store, int64_t id, dpli_on_person *fn, void *ctx,
                                  dpl_error *err);
dpl_status dpli_sqlite_each_photo(dpli_store *store, const dpli_photo_query *query,
                                  dpli_on_photo *fn, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_template(dpli_store *store, const dpli_template_query *query,
                                     dpli_on_template *fn, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_n_vectors(dpli_store *store, int64_t *n, int64_t model_id, dpl_error *err);
dpl_status dpli_sqlite_each_vector(dpli_store *store, int64_t model_id, bool with_bytes,
                                   dpli_on_vector *fn, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_alias(dpli_store *store, dpli_on_alias *fn, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_refusal(dpli_store *store, int64_t template_id, dpli_on_refusal *fn,
                                    void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_member(dpli_store *store, dpli_on_member *fn, void *ctx,
                                   dpl_error *err);

/** The statements that are kept. */
void dpli_sqlite_clear_walks(dpli_store_sqlite *s);

/* ------------------------------------------------------------------ store_sqlite_write.c */

dpl_status dpli_sqlite_find_person(dpli_store *store, int64_t *id, const char *name,
                                   dpl_error *err);
dpl_status dpli_sqlite_find_person_by(dpli_store *store, int64_t *id, const char *beginning,
                                      dpl_error *err);
dpl_status dpli_sqlite_find_alias_by(dpli_store *store, int64_t *person_id, char **name,
                                     const char *beginning, dpl_error *err);
dpl_status dpli_sqlite_add_person(dpli_store *store, int64_t *id, const char *name, uint64_t sum,
                                  dpl_error *err);
dpl_status dpli_sqlite_rename_person(dpli_store *store, int64_t id, const char *name, uint64_t sum,
                                     dpl_error *err);
dpl_status dpli_sqlite_drop_if_lonely(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sqlite_drop_lonely(dpli_store *store, dpl_error *err);
dpl_status dpli_sqlite_find_photo(dpli_store *store, int64_t *id, int64_t *person_id,
                                  const char *uri, dpl_error *err);
dpl_status dpli_sqlite_add_photo(dpli_store *store, int64_t *id, const dpli_photo_record *row,
                                 dpl_error *err);
dpl_status dpli_sqlite_set_photo(dpli_store *store, const dpli_photo_record *row, dpl_error *err);
dpl_status dpli_sqlite_drop_photo(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sqlite_drop_templates(dpli_store *store, int64_t *n, int64_t photo_id,
                                      dpl_error *err);
dpl_status dpli_sqlite_drop_template(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sqlite_add_vector(dpli_store *store, int64_t *id, const dpli_vector_record *row,
                                  dpl_error *err);
dpl_status dpli_sqlite_set_vector(dpli_store *store, const dpli_vector_record *row, dpl_error *err);
dpl_status dpli_sqlite_set_face(dpli_store *store, int64_t template_id,
                                const double face[DPLI_N_FACE], const char *weakest, uint64_t sum,
                                dpl_error *err);
dpl_status dpli_sqlite_add_face(dpli_store *store, int64_t template_id,
                                const double face[DPLI_N_FACE], const char *weakest, uint64_t sum,
                                dpl_error *err);
dpl_status dpli_sqlite_add_caption(dpli_store *store, int64_t template_id, const char *source,
                                   const char *caption, uint64_t sum, dpl_error *err);
dpl_status dpli_sqlite_add_thumb(dpli_store *store, int64_t template_id, const void *bytes,
                                 size_t n, uint64_t sum, dpl_error *err);
dpl_status dpli_sqlite_set_owner(dpli_store *store, const dpli_owner_record *row, dpl_error *err);
dpl_status dpli_sqlite_set_file(dpli_store *store, const dpli_file_record *row, dpl_error *err);
dpl_status dpli_sqlite_find_alias(dpli_store *store, int64_t *person_id, const char *name,
                                  dpl_error *err);
dpl_status dpli_sqlite_set_alias(dpli_store *store, const dpli_alias_record *row, dpl_error *err);
dpl_status dpli_sqlite_add_refusal(dpli_store *store, int64_t *id, const dpli_refusal_record *row,
                                   dpl_error *err);
dpl_status dpli_sqlite_drop_refusal(dpli_store *store, int64_t id, dpl_error *err);
dpl_status dpli_sqlite_set_member(dpli_store *store, const dpli_member_record *row, dpl_error *err);
dpl_status dpli_sqlite_drop_members(dpli_store *store, dpl_error *err);
/** The statements that are kept. */
void dpli_sqlite_clear_kept(dpli_store_sqlite *s);

/* ------------------------------------------------------------------ store_sqlite_undo.c */

/** From now on the log can be read, and what this connection writes is logged while change_id is
 * not 0. */
dpl_status dpli_sqlite_make_log(dpli_store_sqlite *s, dpl_error *err);
dpl_status dpli_sqlite_log_faults(dpli_store_sqlite *s, dpli_on_fault *fn, void *ctx,
                                  dpl_error *err);
dpl_status dpli_sqlite_log_change(dpli_store *store, int64_t *id, const char *words,
                                  dpl_error *err);
dpl_status dpli_sqlite_end_log(dpli_store *store, const char *words, dpl_error *err);
dpl_status dpli_sqlite_last_change(dpli_store *store, dpli_on_change *fn, void *ctx,
                                   dpl_error *err);
dpl_status dpli_sqlite_count_change(dpli_store *store, dpli_change_counts *out, dpl_error *err);
dpl_status dpli_sqlite_undo(dpli_store *store, const char *words, dpl_error *err);

/* ------------------------------------------------------------------ store_sqlite_audit.c */

/* The file of the audit, in the gallery's folder. */
#define DPLI_SQLITE_AUDIT "audit.jsonl"

dpl_status dpli_sqlite_audit_record(dpli_store *store, dpli_on_audit *fn, void *ctx,
                                    dpl_error *err);
dpl_status dpli_sqlite_set_audit_record(dpli_store *store, const dpli_audit_record *row,
                                        dpl_error *err);
dpl_status dpli_sqlite_add_line(dpli_store *store, dpli_next_line *make, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_line(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err);

#endif
