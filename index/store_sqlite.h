/*
 * The SQLite keeper's own inside, beside what it shares with others (store_sql.h): store_sqlite.c
 * (folder, lock, transactions), store_sqlite_schema.c (tables, versions), store_sqlite_undo.c (the
 * log, taking back), store_sqlite_touched.c (what has changed) and store_sqlite_audit.c.
 */
#ifndef DOPPEL_INDEX_STORE_SQLITE_H
#define DOPPEL_INDEX_STORE_SQLITE_H

#include "index/store_sql.h"

/* Columns of table undo for those of the row that it keeps. */
enum { DPLI_SQLITE_UNDO_COLUMNS = 26 };

/* Told of a folder, by who looks for one in it. */
#define DPLI_NO_GALLERY                                                                            \
    "there is no gallery in \"%s\"; \"doppel enroll\" with a folder of photos makes one"

/* What a transaction that writes has touched. */
typedef struct dpli_sqlite_touched {
    int64_t ids[2 * DPLI_TOUCHED_MAX]; /* as they came */
    size_t n;
    bool too_many; /* to be known */
    int64_t since; /* the generation that it began at */
} dpli_sqlite_touched;

typedef struct dpli_store_sqlite {
    dpli_store_sql sql; /* first: a store is one of these */
    char *dir;
    int lock_fd;   /* of gallery.lock, -1 when reading */
    bool in_write; /* within a transaction that writes */
    dpli_sqlite_touched touched;
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

/* ------------------------------------------------------------------ store_sqlite_undo.c */

/** From now on the log can be read, and what this connection writes is logged while change_id is
 * not 0. */
dpl_status dpli_sqlite_make_log(dpli_store_sqlite *s, dpl_error *err);
dpl_status dpli_sqlite_log_faults(dpli_store_sqlite *s, dpli_on_fault *fn, void *ctx,
                                  dpl_error *err);
dpl_status dpli_sqlite_undo(dpli_store *store, const char *words, dpl_error *err);

/* ------------------------------------------------------------------ store_sqlite_touched.c */

/** From now on what this connection writes is noted. */
dpl_status dpli_sqlite_make_touched(dpli_store_sqlite *s, dpl_error *err);
/** Within a transaction that writes, when it begins, and when it is about to be committed. */
dpl_status dpli_sqlite_begin_touched(dpli_store_sqlite *s, dpl_error *err);
dpl_status dpli_sqlite_end_touched(dpli_store_sqlite *s, dpl_error *err);
dpl_status dpli_sqlite_each_touched(dpli_store *store, bool *is_all, int64_t since,
                                    dpli_on_touched *fn, void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ store_sqlite_audit.c */

/* The file of the audit, in the gallery's folder. */
#define DPLI_SQLITE_AUDIT "audit.jsonl"

dpl_status dpli_sqlite_add_line(dpli_store *store, dpli_next_line *make, void *ctx, dpl_error *err);
dpl_status dpli_sqlite_each_line(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err);

#endif
