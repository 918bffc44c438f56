/*
 * The SQLite keeper's own inside, shared by its files: store_sqlite.c (folder, lock, transactions,
 * settings), store_sqlite_schema.c (tables, versions), store_sqlite_rows.c (reading) and
 * store_sqlite_write.c.
 */
#ifndef DOPPEL_INDEX_STORE_SQLITE_H
#define DOPPEL_INDEX_STORE_SQLITE_H

#include "index/db.h"
#include "index/store.h"

/* The statements that write, prepared when first needed and kept. */
enum {
    DPLI_SQLITE_FIND_PERSON,
    DPLI_SQLITE_ADD_PERSON,
    DPLI_SQLITE_RENAME_PERSON,
    DPLI_SQLITE_DROP_PERSON,
    DPLI_SQLITE_FIND_PHOTO,
    DPLI_SQLITE_ADD_PHOTO,
    DPLI_SQLITE_SET_PHOTO,
    DPLI_SQLITE_DROP_PHOTO,
    DPLI_SQLITE_DROP_TEMPLATES,
    DPLI_SQLITE_ADD_VECTOR,
    DPLI_SQLITE_ADD_FACE,
    DPLI_SQLITE_ADD_THUMB,
    DPLI_N_SQLITE
};

/* Walks that are asked for again and again, one statement for each query of photos and of
   templates. A walk within a walk of the same kind makes its own. */
enum {
    DPLI_N_SQLITE_PHOTOS = DPLI_PHOTO_BY_ID + 1,
    DPLI_N_SQLITE_TEMPLATES = DPLI_TEMPLATE_BY_ID + 1
};
typedef struct dpli_sqlite_walk {
    dpli_stmt stmt;
    bool busy;
} dpli_sqlite_walk;

typedef struct dpli_store_sqlite {
    dpli_store store; /* first: a store is one of these */
    dpli_db *db;
    char *dir;
    int lock_fd;   /* of gallery.lock, -1 when reading */
    bool in_write; /* within a transaction that writes */
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

/** Within a writing transaction, before it ends: the sum over what has no sum in its row. */
dpl_status dpli_sqlite_seal(dpli_store_sqlite *s, dpl_error *err);
dpl_status dpli_sqlite_faults(dpli_store *store, dpli_on_fault *fn, void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ store_sqlite_rows.c */

dpl_status dpli_sqlite_each_person(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                                   dpl_error *err);
dpl_status dpli_sqlite_each_photo(dpli_store *store, const dpli_photo_query *query,
                                  dpli_on_photo *fn, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_template(dpli_store *store, const dpli_template_query *query,
                                     dpli_on_template *fn, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_n_vectors(dpli_store *store, int64_t *n, int64_t model_id, dpl_error *err);
dpl_status dpli_sqlite_each_vector(dpli_store *store, int64_t model_id, bool with_bytes,
                                   dpli_on_vector *fn, void *ctx, dpl_error *err);

/** The statements that are kept. */
void dpli_sqlite_clear_walks(dpli_store_sqlite *s);

/* ------------------------------------------------------------------ store_sqlite_write.c */

dpl_status dpli_sqlite_find_person(dpli_store *store, int64_t *id, const char *name,
                                   dpl_error *err);
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
dpl_status dpli_sqlite_add_vector(dpli_store *store, int64_t *id, const dpli_vector_record *row,
                                  dpl_error *err);
dpl_status dpli_sqlite_add_face(dpli_store *store, int64_t template_id,
                                const double face[DPLI_N_FACE], const char *weakest, uint64_t sum,
                                dpl_error *err);
dpl_status dpli_sqlite_add_thumb(dpli_store *store, int64_t template_id, const void *bytes,
                                 size_t n, uint64_t sum, dpl_error *err);
/** The statements that are kept. */
void dpli_sqlite_clear_kept(dpli_store_sqlite *s);

#endif
