/*
 * store_sqlite_undo.c - the log of the last change to gallery.db, by which it is taken back.
 *
 * Every row that a change adds, alters or removes leaves one in the table undo: what it was before,
 * or that it was not there. Triggers of this connection's own write them (those of the file do
 * nothing), so that no statement can forget to, and what a removed row takes with it is logged like
 * the rest. Taking back goes through the log from its end, and is logged in the same way. A row of
 * the log carries the sum of what it says; what it puts back carries its own as before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "index/store_sqlite.h"

#define FACE_COLUMN(column, member) #column ","

/* Columns of undo that keep those of a row: as many as the widest table has beside its key. */
enum { N_KEPT = DPLI_SQLITE_UNDO_COLUMNS };

/* The tables that are logged, by the number that stands in undo.tbl; which does not change. What is
   added to face, thumb and caption goes with its template. */
static const struct logged {
    const char *name, *key, *columns;
    bool additions; /* are logged */
    bool children;  /* other tables refer to it. Of the others, a row may be there again, by what is
                       not logged */
} tables[] = {
    {"person", "id", "name,sum", true, true},
    {"photo", "id",
     "uri,person_id,meant,sha256,status,reason,options,size_bytes,mtime_ns,enrolled_unix_s,"
     "width_px,height_px,n_faces,sum",
     true, true},
    {"template", "id", "photo_id,model_id,vector,sum", true, true},
    {"face", "template_id", DPLI_FACE_LIST(FACE_COLUMN) "weakest,sum", false, false},
    {"thumb", "template_id", "jpeg,sum", false, false},
    {"owner", "template_id", "person_id,by_hand,sum", true, false},
    {"file", "photo_id",
     "file_system,unreadable_since_unix_s,unreadable_status,unreadable_reason,sum", true, false},
    {"alias", "id", "name,person_id,sum", true, false},
    {"refusal", "id", "template_id,person_id,other_id,sum", true, false},
    {"member", "template_id", "group_number,sum", true, false},
    {"caption", "template_id", "source,words,sum", false, false},
};
enum { N_TABLES = sizeof tables / sizeof tables[0] };

/* ------------------------------------------------------------------ triggers */

/* "old.a, old.b, NULL, …": the columns of a table, filled up to N_KEPT; without old all NULL. */
static void put_kept(dpli_buf *sql, const struct logged *t, bool old)
{
    const char *c = t->columns;
    int n = 0;

    for (; old && *c; n++) {
        const size_t length = strcspn(c, ",");

        dpli_buf_printf(sql, ", old.%.*s", (int)length, c);
        c += length + (c[length] == ',');
    }
    for (; n < N_KEPT; n++)
        dpli_buf_str(sql, ", NULL");
}

static void put_trigger(dpli_buf *sql, int table, int op)
{
    static const char *const words[] = {
        [DPLI_SQL_ADDED] = "INSERT", [DPLI_SQL_CHANGED] = "UPDATE", [DPLI_SQL_REMOVED] = "DELETE"};
    const struct logged *t = &tables[table];
    dpli_buf row = {0};

    sql->len = 0;
    dpli_buf_printf(&row, "dpl_change(), %d, %d, %s.%s", table, op,
                    op == DPLI_SQL_ADDED ? "new" : "old", t->key);
    put_kept(&row, t, op != DPLI_SQL_ADDED);
    sql->failed |= dpli_buf_check(&row, NULL) != DPL_OK;
    if (!sql->failed)
        dpli_buf_printf(sql,
                        "CREATE TEMP TRIGGER log_%s_%d AFTER %s ON main.%s WHEN dpl_change() <> 0"
                        " BEGIN INSERT INTO undo SELECT NULL, %s, dpl_sum(%s); END",
                        t->name, op, words[op], t->name, row.data, row.data);
    dpli_buf_clear(&row);
}

dpl_status dpli_sqlite_make_log(dpli_store_sqlite *s, dpl_error *err)
{
    dpli_buf sql = {0};
    dpl_status status = dpli_db_log_functions(s->sql.db, &s->sql.change_id, err);

    for (int t = 0; t < N_TABLES && s->sql.store.writing && status == DPL_OK; t++)
        for (int op = tables[t].additions ? DPLI_SQL_ADDED : DPLI_SQL_CHANGED;
             op <= DPLI_SQL_REMOVED && status == DPL_OK; op++) {
            put_trigger(&sql, t, op);
            status = dpli_buf_check(&sql, err);
            if (status == DPL_OK)
                status = dpli_db_exec(s->sql.db, sql.data, err);
        }
    dpli_buf_clear(&sql);
    return status;
}

/* ------------------------------------------------------------------ taking back */

/* Rows whose sum is wrong, and rows that are missing in the middle. */
static dpl_status n_bad_rows(int64_t *n, dpli_store_sqlite *s, dpl_error *err)
{
    dpli_buf sql = {0};
    dpl_status status;

    dpli_buf_str(&sql, "SELECT coalesce(sum(sum <> dpl_sum(change_id, tbl, op, row");
    for (int i = 1; i <= N_KEPT; i++)
        dpli_buf_printf(&sql, ", c%d", i);
    dpli_buf_printf(&sql,
                    ") OR tbl NOT BETWEEN 0 AND %d OR op NOT BETWEEN 1 AND 3), 0)"
                    " + coalesce(max(seq) - min(seq) + 1 - count(*), 0) FROM undo",
                    N_TABLES - 1);
    *n = 0;
    status = dpli_buf_check(&sql, err);
    if (status == DPL_OK)
        status = dpli_db_int(n, s->sql.db, sql.data, err);
    dpli_buf_clear(&sql);
    return status;
}

dpl_status dpli_sqlite_log_faults(dpli_store_sqlite *s, dpli_on_fault *fn, void *ctx,
                                  dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    int64_t id, n;
    dpl_status status = dpli_sql_read_change(&id, &s->sql.store, NULL, NULL, &why);

    if (status == DPL_OK)
        status = n_bad_rows(&n, s, &why);
    if (status == DPL_E_GALLERY || (status == DPL_OK && n > 0))
        return fn(ctx, "the log of the last change is not what was written", err);
    return status == DPL_OK ? DPL_OK : dpli_fail(err, status, "%s", why.message);
}

/* The statements that take a row of a table back, by what was done. */
static void put_back(dpli_buf *sql, int table, int op)
{
    const struct logged *t = &tables[table];
    const char *c = t->columns;
    int n = 1;

    for (; *c; c++)
        n += *c == ',';
    sql->len = 0;
    if (op == DPLI_SQL_ADDED) {
        dpli_buf_printf(sql, "DELETE FROM %s WHERE %s = (SELECT row FROM undo WHERE seq = ?1)",
                        t->name, t->key);
        return;
    }
    if (op == DPLI_SQL_CHANGED)
        dpli_buf_printf(sql, "UPDATE %s SET (%s) = (SELECT ", t->name, t->columns);
    else
        dpli_buf_printf(sql, "INSERT%s INTO %s(%s,%s) SELECT row, ",
                        t->children ? "" : " OR REPLACE", t->name, t->key, t->columns);
    for (int i = 1; i <= n; i++)
        dpli_buf_printf(sql, "c%d%s", i, i < n ? ", " : " FROM undo WHERE seq = ?1");
    if (op == DPLI_SQL_CHANGED)
        dpli_buf_printf(sql, ") WHERE %s = (SELECT row FROM undo WHERE seq = ?1)", t->key);
}

static dpl_status take_back(dpli_store_sqlite *s, dpli_stmt made[N_TABLES][DPLI_SQL_REMOVED + 1],
                            int64_t seq, int table, int op, dpl_error *err)
{
    dpli_stmt *stmt = &made[table][op];
    dpl_status status = DPL_OK;

    if (!stmt->handle) {
        dpli_buf sql = {0};

        put_back(&sql, table, op);
        status = dpli_buf_check(&sql, err);
        if (status == DPL_OK)
            status = dpli_stmt_new(stmt, s->sql.db, sql.data, err);
        dpli_buf_clear(&sql);
    }
    if (status == DPL_OK) {
        dpli_bind_int(stmt, 1, seq);
        status = dpli_stmt_run(stmt, err);
    }
    return status;
}

/* Row by row from the end of the log; below gets the rows that this itself logs, above. */
static dpl_status take_all_back(dpli_store_sqlite *s, int64_t change_id, dpl_error *err)
{
    dpli_stmt made[N_TABLES][DPLI_SQL_REMOVED + 1] = {0};
    dpli_stmt next = {0};
    int64_t below = INT64_MAX;
    bool row = true;
    dpl_status status =
        dpli_stmt_new(&next, s->sql.db,
                      "SELECT seq, tbl, op FROM undo WHERE seq < ?1 AND change_id = ?2"
                      " ORDER BY seq DESC LIMIT 1",
                      err);

    while (status == DPL_OK) {
        int64_t table, op;

        dpli_bind_int(&next, 1, below);
        dpli_bind_int(&next, 2, change_id);
        status = dpli_stmt_step(&next, &row, err);
        if (status != DPL_OK || !row)
            break;
        below = dpli_get_int(&next, 0);
        table = dpli_get_int(&next, 1);
        op = dpli_get_int(&next, 2);
        dpli_stmt_reset(&next);
        status = take_back(s, made, below, (int)table, (int)op, err);
    }
    for (int t = 0; t < N_TABLES; t++)
        for (int op = DPLI_SQL_ADDED; op <= DPLI_SQL_REMOVED; op++)
            dpli_stmt_clear(&made[t][op]);
    dpli_stmt_clear(&next);
    return status;
}

dpl_status dpli_sqlite_undo(dpli_store *store, const char *words, dpl_error *err)
{
    /* Removed templates (c2: the model). */
    static const char lost[] = "SELECT EXISTS(SELECT 1 FROM undo WHERE tbl = 2 AND op = 3"
                               " AND c2 NOT IN (SELECT id FROM model))";
    dpli_store_sqlite *s = dpli_sqlite_of(store);
    dpli_stmt drop = {0};
    int64_t id, n;
    dpl_status status = dpli_sql_read_change(&id, store, NULL, NULL, err);

    if (status == DPL_OK)
        status = n_bad_rows(&n, s, err);
    if (status == DPL_OK && n > 0)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" is damaged: the log of the last change is not what was written",
                           store->name);
    if (status == DPL_OK)
        status = dpli_db_int(&n, s->sql.db, lost, err);
    if (status == DPL_OK && n > 0)
        status =
            dpli_fail(err, DPL_E_NOT_FOUND,
                      "the last change removed vectors of a model that \"%s\" is no longer bound "
                      "to: it cannot be taken back",
                      store->name);
    if (status != DPL_OK)
        return status;
    /* What was removed last comes back first, and may refer to what comes back later. */
    status = dpli_db_exec(s->sql.db, "PRAGMA defer_foreign_keys=ON", err);
    if (status == DPL_OK)
        status = dpli_sql_next_change(&s->sql.change_id, store, words, false, err);
    if (status == DPL_OK)
        status = take_all_back(s, id, err);
    if (status == DPL_OK)
        status = dpli_stmt_new(&drop, s->sql.db, "DELETE FROM undo WHERE change_id <= ?1", err);
    if (status == DPL_OK) {
        dpli_bind_int(&drop, 1, id);
        status = dpli_stmt_run(&drop, err);
    }
    dpli_stmt_clear(&drop);
    return status;
}
