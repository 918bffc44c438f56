/*
 * store_sql_change.c - what the last change was and what its log counts, and what the audit is
 * told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/hash.h"
#include "index/store_sql.h"

/* ------------------------------------------------------------------ the change */

static uint64_t change_sum(const dpli_change_record *r)
{
    const int64_t numbers[] = {r->id, r->made_unix_s, r->is_final};

    return dpli_sum64(dpli_sum64(0, numbers, sizeof numbers), r->words, strlen(r->words));
}

dpl_status dpli_sql_read_change(int64_t *id, dpli_store *store, dpli_on_change *fn, void *ctx,
                                dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db,
                      "SELECT id, made_unix_s, is_final, words, sum FROM change", err);

    *id = 0;
    if (dpli_stmt_next(&status, &s, err)) {
        const dpli_change_record r = {
            .id = dpli_get_int(&s, 0),
            .made_unix_s = dpli_get_int(&s, 1),
            .is_final = dpli_get_int(&s, 2) != 0,
            .words = dpli_get_string(&s, 3),
        };

        status = dpli_stmt_check(&s, err);
        if (status == DPL_OK && (uint64_t)dpli_get_int(&s, 4) != change_sum(&r))
            status = dpli_fail(
                err, DPL_E_GALLERY,
                "\"%s\" is damaged: what its last change was is not what was written", store->name);
        *id = r.id;
        if (status == DPL_OK && fn)
            status = fn(ctx, &r, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status put_change(dpli_store *store, const dpli_change_record *r, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db,
                      "INSERT INTO change VALUES(1, ?1, ?2, ?3, ?4, ?5) ON CONFLICT(one) DO UPDATE"
                      " SET id = ?1, made_unix_s = ?2, is_final = ?3, words = ?4, sum = ?5",
                      err);

    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, r->id);
        dpli_bind_int(&s, 2, r->made_unix_s);
        dpli_bind_int(&s, 3, r->is_final);
        dpli_bind_bytes(&s, 4, r->words);
        dpli_bind_int(&s, 5, (int64_t)change_sum(r));
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* The id before this one, whatever else its row says: a damaged one must not stop what comes next.
 */
static dpl_status last_change_id(int64_t *id, dpli_store *store, dpl_error *err)
{
    return dpli_db_int(id, dpli_sql_of(store)->db, "SELECT id FROM change", err);
}

static dpl_status put_next(int64_t *id, dpli_store *store, int64_t last, const char *words,
                           bool is_final, dpl_error *err)
{
    const dpli_change_record r = {
        .id = last + 1, .made_unix_s = time(NULL), .is_final = is_final, .words = words};

    *id = r.id;
    return put_change(store, &r, err);
}

dpl_status dpli_sql_next_change(int64_t *id, dpli_store *store, const char *words, bool is_final,
                                dpl_error *err)
{
    int64_t last;
    dpl_status status = last_change_id(&last, store, err);

    return status == DPL_OK ? put_next(id, store, last, words, is_final, err) : status;
}

/* Only the last change's rows are in it. Named by its number, PostgreSQL finds them and reads
   nothing else: it keeps all that was ever removed until the table is vacuumed. SQLite empties the
   table without looking at its rows. */
static dpl_status empty_log(dpli_store_sql *s, int64_t last, dpl_error *err)
{
    char sql[64];

    snprintf(sql, sizeof sql, "DELETE FROM undo WHERE change_id = %" PRId64, last);
    return dpli_db_exec(s->db, s->dialect == DPLI_POSTGRES ? sql : "DELETE FROM undo", err);
}

dpl_status dpli_sql_log_change(dpli_store *store, int64_t *id, const char *words, dpl_error *err)
{
    dpli_store_sql *s = dpli_sql_of(store);
    int64_t last;
    dpl_status status = last_change_id(&last, store, err);

    /* An id that was given out in a transaction that was taken back is not the last one. */
    if (status == DPL_OK && (*id == 0 || *id != last)) {
        status = empty_log(s, last, err);
        if (status == DPL_OK)
            status = put_next(id, store, last, words, false, err);
    }
    if (status == DPL_OK)
        s->change_id = *id;
    return status;
}

dpl_status dpli_sql_end_log(dpli_store *store, const char *words, dpl_error *err)
{
    dpli_store_sql *s = dpli_sql_of(store);
    int64_t id, last;
    dpl_status status = last_change_id(&last, store, err);

    s->change_id = 0;
    if (status == DPL_OK)
        status = empty_log(s, last, err);
    return status == DPL_OK ? put_next(&id, store, last, words, true, err) : status;
}

dpl_status dpli_sql_last_change(dpli_store *store, dpli_on_change *fn, void *ctx, dpl_error *err)
{
    int64_t id;

    return dpli_sql_read_change(&id, store, fn, ctx, err);
}

/* Faces that were given to somebody, or taken from them: templates that neither came nor went (tbl
   2). Each is looked at by its number: PostgreSQL would else, when the log is long, read through
   all templates, and go on doing so when it is short again. */
static dpl_status count_given(int64_t *n, dpli_store *store, int64_t id, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db,
                      "SELECT count(DISTINCT row) FROM undo WHERE change_id = ?1 AND tbl = 5"
                      " AND row NOT IN (SELECT row FROM undo WHERE change_id = ?1 AND tbl = 2)"
                      " AND (SELECT m.space FROM template t JOIN model m ON m.id = t.model_id"
                      " WHERE t.id = undo.row) = 'face'",
                      err);

    if (status == DPL_OK)
        dpli_bind_int(&s, 1, id);
    if (dpli_stmt_next(&status, &s, err))
        *n = dpli_get_int(&s, 0);
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_count_change(dpli_store *store, int64_t id, dpli_change_counts *out,
                                 dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "SELECT tbl, op, count(DISTINCT row) FROM undo"
                                      " WHERE change_id = ? GROUP BY tbl, op",
                                      err);

    if (status == DPL_OK)
        dpli_bind_int(&s, 1, id);
    memset(out, 0, sizeof *out);
    while (dpli_stmt_next(&status, &s, err)) {
        dpli_change_rows *rows = &out->others;
        const int64_t n = dpli_get_int(&s, 2);

        switch (dpli_get_int(&s, 0)) {
        case DPLI_SQL_PERSONS: rows = &out->persons; break;
        case DPLI_SQL_PHOTOS: rows = &out->photos; break;
        case DPLI_SQL_TEMPLATES: rows = &out->templates; break;
        case DPLI_SQL_OWNERS: rows = &out->owners; break;
        default: break;
        }
        switch (dpli_get_int(&s, 1)) {
        case DPLI_SQL_ADDED: rows->n_added += n; break;
        case DPLI_SQL_CHANGED: rows->n_changed += n; break;
        default: rows->n_removed += n; break;
        }
    }
    dpli_stmt_clear(&s);
    out->owners.n_changed = 0;
    return status == DPL_OK ? count_given(&out->owners.n_changed, store, id, err) : status;
}

/* ------------------------------------------------------------------ what the audit is told */

dpl_status dpli_sql_audit_record(dpli_store *store, dpli_on_audit *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db,
                      "SELECT change, log_id, made_unix_s, who, what, facts, last_n, last_hash, sum"
                      " FROM audit",
                      err);

    if (dpli_stmt_next(&status, &s, err)) {
        const dpli_audit_record r = {
            .change = dpli_get_int(&s, 0),
            .log_id = dpli_get_int(&s, 1),
            .made_unix_s = dpli_get_int(&s, 2),
            .user = dpli_get_string(&s, 3),
            .what = dpli_get_string(&s, 4),
            .facts = dpli_get_string(&s, 5),
            .last_n = dpli_get_int(&s, 6),
            .last_hash = dpli_get_string(&s, 7),
            .sum = (uint64_t)dpli_get_int(&s, 8),
        };

        status = dpli_stmt_check(&s, err);
        if (status == DPL_OK && r.sum != dpli_audit_sum(&r))
            status = dpli_fail(err, DPL_E_GALLERY,
                               "\"%s\" is damaged: what the audit is to be told is not what was "
                               "written",
                               store->name);
        if (status == DPL_OK)
            status = fn(ctx, &r, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_sql_set_audit_record(dpli_store *store, const dpli_audit_record *r, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                                      "INSERT INTO audit VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                                      " ?8, ?9) ON CONFLICT(one) DO UPDATE SET change = ?1,"
                                      " log_id = ?2, made_unix_s = ?3, who = ?4, what = ?5,"
                                      " facts = ?6, last_n = ?7, last_hash = ?8, sum = ?9",
                                      err);

    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, r->change);
        dpli_bind_int(&s, 2, r->log_id);
        dpli_bind_int(&s, 3, r->made_unix_s);
        dpli_bind_bytes(&s, 4, r->user);
        dpli_bind_text(&s, 5, r->what);
        dpli_bind_text(&s, 6, r->facts);
        dpli_bind_int(&s, 7, r->last_n);
        dpli_bind_text(&s, 8, r->last_hash);
        dpli_bind_int(&s, 9, (int64_t)dpli_audit_sum(r));
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status;
}
