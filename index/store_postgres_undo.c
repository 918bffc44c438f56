/*
 * store_postgres_undo.c - the log of the last change to a gallery in PostgreSQL, by which it is
 * taken back.
 *
 * The tables' own triggers write it, of whoever has said which change it is (doppel.change, which
 * ends with the transaction): store_postgres_schema.c has them, and the function that goes back
 * through it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/fail.h"
#include "index/store_postgres.h"

static const char bad_rows[] =
    "SELECT count(*) FROM undo WHERE op NOT BETWEEN 1 AND 3 OR tbl NOT BETWEEN 0 AND 11 OR sum <>"
    " hashtextextended(change_id || ' ' || tbl || ' ' || op || ' ' || row || ' ' ||"
    " coalesce(old, ''), 0)";

/* id 0: nothing is logged from here on. */
static dpl_status log_as(dpli_store *store, int64_t id, dpl_error *err)
{
    char sql[80];

    snprintf(sql, sizeof sql, "SET LOCAL doppel.change = '%" PRId64 "'", id);
    return dpli_db_exec(dpli_sql_of(store)->db,
                        id ? sql : "SELECT set_config('doppel.change', '', true)", err);
}

dpl_status dpli_postgres_log_change(dpli_store *store, int64_t *id, const char *words,
                                    dpl_error *err)
{
    dpl_status status = dpli_sql_log_change(store, id, words, err);

    return status == DPL_OK ? log_as(store, *id, err) : status;
}

dpl_status dpli_postgres_end_log(dpli_store *store, const char *words, dpl_error *err)
{
    dpl_status status = dpli_sql_end_log(store, words, err);

    return status == DPL_OK ? log_as(store, 0, err) : status;
}

dpl_status dpli_postgres_log_faults(dpli_store_postgres *s, dpli_on_fault *fn, void *ctx,
                                    dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    int64_t id, n = 0;
    dpl_status status = dpli_sql_read_change(&id, &s->sql.store, NULL, NULL, &why);

    if (status == DPL_OK)
        status = dpli_db_int(&n, s->sql.db, bad_rows, &why);
    if (status == DPL_E_GALLERY || (status == DPL_OK && n > 0))
        return fn(ctx, "the log of the last change is not what was written", err);
    return status == DPL_OK ? DPL_OK : dpli_fail(err, status, "%s", why.message);
}

dpl_status dpli_postgres_undo(dpli_store *store, const char *words, dpl_error *err)
{
    /* Removed templates whose model is not there any more. */
    static const char lost[] = "SELECT count(*) FROM undo WHERE tbl = 2 AND op = 3 AND NOT EXISTS"
                               "(SELECT 1 FROM model WHERE id = ((old::template).model_id))";
    dpli_store_postgres *s = dpli_postgres_of(store);
    dpli_db *db = s->sql.db;
    char sql[80];
    int64_t id, n;
    dpl_status status = dpli_sql_read_change(&id, store, NULL, NULL, err);

    if (status == DPL_OK)
        status = dpli_db_int(&n, db, bad_rows, err);
    if (status == DPL_OK && n > 0)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" is damaged: the log of the last change is not what was written",
                           store->name);
    if (status == DPL_OK)
        status = dpli_db_int(&n, db, lost, err);
    if (status == DPL_OK && n > 0)
        status =
            dpli_fail(err, DPL_E_NOT_FOUND,
                      "the last change removed vectors of a model that \"%s\" is no longer bound "
                      "to: it cannot be taken back",
                      store->name);
    if (status == DPL_OK)
        status = dpli_sql_next_change(&s->sql.change_id, store, words, false, err);
    if (status == DPL_OK)
        status = log_as(store, s->sql.change_id, err);
    snprintf(sql, sizeof sql, "SELECT doppel_undo(%" PRId64 ")", id);
    if (status == DPL_OK)
        status = dpli_db_exec(db, sql, err);
    snprintf(sql, sizeof sql, "DELETE FROM undo WHERE change_id = %" PRId64, id);
    return status == DPL_OK ? dpli_db_exec(db, sql, err) : status;
}
