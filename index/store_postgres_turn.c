/*
 * store_postgres_turn.c - whose turn it is to write a gallery in PostgreSQL, and the ids that are
 * chosen meanwhile.
 */
#include <string.h>

#include "base/fail.h"
#include "index/store_postgres.h"

static const char *const counters[DPLI_N_CHOSEN] = {"person", "photo", "template", "refusal"};

/* The lock goes with the transaction. A client that stands still in one is cut off before those
   who wait give up. */
dpl_status dpli_postgres_begin_turn(dpli_store_postgres *s, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_postgres_begin(
        s->sql.db,
        "SET LOCAL lock_timeout = '90s'; SET LOCAL idle_in_transaction_session_timeout = '60s';"
        "SELECT pg_advisory_xact_lock(hashtextextended('doppel ' || current_schema(), 0))",
        &why);

    if (status == DPL_E_LOCKED)
        return dpli_fail(err, DPL_E_LOCKED,
                         "gallery \"%s\" is being written by another client, for 90 seconds now",
                         s->sql.store.name);
    return status == DPL_OK ? DPL_OK : dpli_fail(err, status, "%s", why.message);
}

dpl_status dpli_postgres_know_ids(dpli_store_postgres *s, dpl_error *err)
{
    dpli_stmt stmt = {0};
    dpl_status status = DPL_OK;

    if (s->has_ids)
        return DPL_OK;
    status = dpli_stmt_new(&stmt, s->sql.db, "SELECT tbl, last FROM counter", err);
    while (dpli_stmt_next(&status, &stmt, err))
        for (int i = 0; i < DPLI_N_CHOSEN; i++)
            if (strcmp(dpli_get_string(&stmt, 0), counters[i]) == 0)
                s->ids[i] = s->kept_ids[i] = dpli_get_int(&stmt, 1);
    dpli_stmt_clear(&stmt);
    s->has_ids = status == DPL_OK;
    return status;
}

dpl_status dpli_postgres_choose_id(dpli_store_sql *sql, int64_t *id, int table, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(&sql->store);
    dpl_status status = dpli_postgres_know_ids(s, err);

    if (status != DPL_OK)
        return status;
    if (!*id)
        *id = s->ids[table] + 1;
    if (*id > s->ids[table])
        s->ids[table] = *id;
    return DPL_OK;
}

dpl_status dpli_postgres_keep_ids(dpli_store_postgres *s, dpl_error *err)
{
    static const char keep[] =
        "UPDATE counter SET last = v.last FROM (VALUES('person', ?::bigint), ('photo', ?::bigint),"
        " ('template', ?::bigint), ('refusal', ?::bigint)) AS v(tbl, last)"
        " WHERE counter.tbl = v.tbl AND counter.last <> v.last";
    dpli_stmt stmt = {0};
    dpl_status status;

    if (!s->has_ids || memcmp(s->ids, s->kept_ids, sizeof s->ids) == 0)
        return DPL_OK;
    status = dpli_stmt_new(&stmt, s->sql.db, keep, err);
    for (int i = 0; i < DPLI_N_CHOSEN && status == DPL_OK; i++)
        dpli_bind_int(&stmt, i + 1, s->ids[i]);
    if (status == DPL_OK)
        status = dpli_stmt_run(&stmt, err);
    dpli_stmt_clear(&stmt);
    return status;
}
