/*
 * store_postgres_turn.c - whose turn it is to write a gallery in PostgreSQL, and the ids that are
 * chosen meanwhile.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "index/store_postgres.h"

static const char *const counters[DPLI_N_CHOSEN] = {"person", "photo", "template", "refusal"};

/* The lock goes with the transaction. A client that stands still in one is cut off before those
   who wait give up. */
dpl_status dpli_postgres_lock(dpli_store_postgres *s, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_db_exec(
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
    dpl_status status = DPL_OK;

    for (int i = 0; i < DPLI_N_CHOSEN && s->has_ids && status == DPL_OK; i++) {
        char sql[96];

        if (s->ids[i] == s->kept_ids[i])
            continue;
        snprintf(sql, sizeof sql, "UPDATE counter SET last = %" PRId64 " WHERE tbl = '%s'",
                 s->ids[i], counters[i]);
        status = dpli_db_exec(s->sql.db, sql, err);
    }
    return status;
}
