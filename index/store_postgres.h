/*
 * The PostgreSQL keeper's own inside, beside what it shares with others (store_sql.h):
 * store_postgres.c (open, scrub), store_postgres_turn.c (who writes, ids), store_postgres_schema.c
 * (tables, versions), store_postgres_undo.c (the log, taking back), store_postgres_audit.c.
 *
 * Many write, one transaction at a time: a transaction that writes holds an advisory lock of the
 * gallery, which PostgreSQL lets go of when the transaction ends, however it ends. Ids are chosen
 * under it and kept in the table counter, so that they are as gapless as with a single writer.
 */
#ifndef DOPPEL_INDEX_STORE_POSTGRES_H
#define DOPPEL_INDEX_STORE_POSTGRES_H

#include "index/db_postgres.h"
#include "index/store_sql.h"

typedef struct dpli_store_postgres {
    dpli_store_sql sql; /* first: a store is one of these */
    unsigned listens;   /* the connection on which changes are told; 0: none */
    bool in_write;      /* within a transaction that writes */
    bool has_ids;       /* within a transaction: the highest ids are known */
    bool has_line;      /* and so is the last line of the audit: */
    char *last_line;    /* NULL: there is none */
    int64_t last_n;     /* its number */
    int64_t ids[DPLI_N_CHOSEN], kept_ids[DPLI_N_CHOSEN]; /* now, and as they are in the table */
} dpli_store_postgres;

static inline dpli_store_postgres *dpli_postgres_of(dpli_store *store)
{
    return (dpli_store_postgres *)(void *)store;
}

/** A gallery in a PostgreSQL database, in the first schema of the role's search path. */
dpl_status dpli_store_postgres_open(dpli_store **out, const char *address, dpl_gallery_mode mode,
                                    dpl_error *err);

/* ------------------------------------------------------------------ store_postgres_turn.c */

/** Begin a transaction that writes: wait for the gallery's other writers, and keep them waiting. */
dpl_status dpli_postgres_begin_turn(dpli_store_postgres *s, dpl_error *err);
/** Know the highest ids. */
dpl_status dpli_postgres_know_ids(dpli_store_postgres *s, dpl_error *err);
/** As dpli_store_sql.choose_id. */
dpl_status dpli_postgres_choose_id(dpli_store_sql *sql, int64_t *id, int table, dpl_error *err);
/** What was chosen is kept: before the transaction ends. */
dpl_status dpli_postgres_keep_ids(dpli_store_postgres *s, dpl_error *err);

/* ------------------------------------------------------------------ store_postgres_schema.c */

/** Whose tables they are, and of what version. With may_migrate they are made where there are none,
 * and brought up to date. */
dpl_status dpli_postgres_check(dpli_store_postgres *s, bool may_migrate, dpl_error *err);
dpl_status dpli_postgres_faults(dpli_store *store, dpli_on_fault *fn, void *ctx, dpl_error *err);

/* ------------------------------------------------------------------ store_postgres_near.c */

/** Where the database has pgvector: what it needs to find candidates is made, and measured. Outside
 * of a transaction, by who may make tables. */
dpl_status dpli_postgres_near_make(dpli_store_postgres *s, dpl_error *err);
dpl_status dpli_postgres_near_info(dpli_store *store, dpli_near_info *out, const char *space,
                                   dpl_error *err);
dpl_status dpli_postgres_near(dpli_store *store, const char *space, const dpli_near_info *info,
                              const float *probe, size_t n, dpli_on_vector *fn, void *ctx,
                              dpl_error *err);

/* ------------------------------------------------------------------ store_postgres_undo.c */

dpl_status dpli_postgres_log_change(dpli_store *store, int64_t *id, const char *words,
                                    dpl_error *err);
dpl_status dpli_postgres_end_log(dpli_store *store, const char *words, dpl_error *err);
dpl_status dpli_postgres_undo(dpli_store *store, const char *words, dpl_error *err);
dpl_status dpli_postgres_log_faults(dpli_store_postgres *s, dpli_on_fault *fn, void *ctx,
                                    dpl_error *err);

/* ------------------------------------------------------------------ store_postgres_audit.c */

dpl_status dpli_postgres_add_line(dpli_store *store, dpli_next_line *make, void *ctx,
                                  dpl_error *err);
/** What is known of the last line within a transaction. */
void dpli_postgres_forget_line(dpli_store_postgres *s);
dpl_status dpli_postgres_each_line(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err);

#endif
