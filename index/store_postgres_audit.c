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

dpl_status dpli_postgres_add_line(dpli_store *store, dpli_next_line *make, void *ctx,
                                  dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    const bool own = !s->in_write;
    dpli_db *db = s->sql.db;
    char *last = NULL, *line = NULL;
    int64_t n;
    dpl_status status = own ? dpli_db_begin(db, true, err) : DPL_OK;

    if (status != DPL_OK)
        return status;
    status = dpli_db_exec(db,
                          "SELECT pg_advisory_xact_lock(hashtextextended('doppel audit ' ||"
                          " current_schema(), 0))",
                          err);
    if (status == DPL_OK)
        status = last_line(&last, &n, db, err);
    if (status == DPL_OK)
        status = make(ctx, &line, last, err);
    if (status == DPL_OK && line)
        status = put_line(db, n + 1, line, err);
    free(last);
    free(line);
    return own ? dpli_db_end(db, status, err) : status;
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
