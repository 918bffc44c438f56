/*
 * store_postgres_audit.c - the audit of a gallery in PostgreSQL: lines in the table audit_line.
 *
 * Who adds one holds an advisory lock of the audit until that is committed, and each has the number
 * after the one before as its key: lines are in one order, whoever writes them.
 */
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/store_postgres.h"

#define AUDIT_LOCK "pg_advisory_xact_lock(hashtextextended('doppel audit ' || current_schema(), 0))"

static dpl_status last_line(char **last, int64_t *n, dpli_db *db, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, db, "SELECT n, line FROM audit_line ORDER BY n DESC LIMIT 1", err);

    *last = NULL;
    *n = 0;
    if (dpli_stmt_next(&status, &s, err)) {
        *n = dpli_get_int(&s, 0);
        *last = dpli_strdup(dpli_get_string(&s, 1), err);
        status = *last ? DPL_OK : DPL_E_MEMORY;
    }
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status put_line(dpli_db *db, int64_t n, const char *line, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, db, "INSERT INTO audit_line VALUES(?, ?)", err);

    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, n);
        dpli_bind_text(&s, 2, line);
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* The last line, once a transaction of the gallery's: nobody adds one before it ends. */
static dpl_status know_line(dpli_store_postgres *s, dpl_error *err)
{
    dpl_status status;

    if (s->has_line)
        return DPL_OK;
    status = dpli_db_exec(s->sql.db, "SELECT " AUDIT_LOCK, err);
    if (status == DPL_OK)
        status = last_line(&s->last_line, &s->last_n, s->sql.db, err);
    s->has_line = status == DPL_OK;
    return status;
}

void dpli_postgres_forget_line(dpli_store_postgres *s)
{
    free(s->last_line);
    s->last_line = NULL;
    s->has_line = false;
}

dpl_status dpli_postgres_add_line(dpli_store *store, dpli_next_line *make, void *ctx,
                                  dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    const bool own = !s->in_write;
    dpli_db *db = s->sql.db;
    char *line = NULL;
    dpl_status status = own ? dpli_postgres_begin(db, "SELECT " AUDIT_LOCK, err) : DPL_OK;

    if (status != DPL_OK)
        return status;
    if (own)
        status = last_line(&s->last_line, &s->last_n, db, err);
    else
        status = know_line(s, err);
    if (status == DPL_OK)
        status = make(ctx, &line, s->last_line, err);
    if (status == DPL_OK && line)
        status = put_line(db, s->last_n + 1, line, err);
    if (status == DPL_OK && line) {
        free(s->last_line);
        s->last_line = line;
        s->last_n++;
        line = NULL;
    }
    free(line);
    if (!own)
        return status;
    dpli_postgres_forget_line(s);
    return dpli_db_end(db, status, err);
}

dpl_status dpli_postgres_each_line(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db, "SELECT line FROM audit_line ORDER BY n", err);

    if (status == DPL_OK)
        dpli_stmt_expect_many(&s);
    while (dpli_stmt_next(&status, &s, err))
        status = fn(ctx, dpli_get_string(&s, 0), err);
    dpli_stmt_clear(&s);
    return status;
}
