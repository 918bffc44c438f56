/*
 * store_sqlite_touched.c - which templates each generation of gallery.db has touched, for readers
 * that hold an index of an earlier one.
 *
 * Triggers of this connection's own (those of the file do nothing) tell of every template that
 * comes or goes and of every owner that does or changes; the ids are gathered in memory and are one
 * row at the end of the transaction. It says which generation it follows and carries a sum, so that
 * a row that is missing or damaged is noticed: then nothing is known, and the reader reads all.
 *
 * No more is kept than a reader asks for (DPLI_TOUCHED_MAX): of a transaction that touches more
 * there is no row, and what is older than so many ids is removed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "index/store_sqlite.h"

_Static_assert(sizeof(int64_t) == 8, "ids are of 8 bytes in the database, too");

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* In order, each once: how many. */
static size_t put_in_order(int64_t *ids, size_t n)
{
    size_t n_once = 0;

    if (n > 0)
        qsort(ids, n, sizeof *ids, by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            ids[n_once++] = ids[i];
    return n_once;
}

static int64_t sum_of(int64_t generation, int64_t since, const void *ids, size_t n_bytes)
{
    const int64_t numbers[] = {generation, since};

    return (int64_t)dpli_sum64(dpli_sum64(0, numbers, sizeof numbers), ids, n_bytes);
}

/* ------------------------------------------------------------------ noted */

/* A template and its owner come one after the other. Ids are put in order when there is no room for
   more, which halves them at least or is the end of it. */
static void note(void *ctx, int64_t id)
{
    dpli_sqlite_touched *t = ctx;

    if (t->too_many || (t->n > 0 && t->ids[t->n - 1] == id))
        return;
    if (t->n == sizeof t->ids / sizeof *t->ids) {
        t->n = put_in_order(t->ids, t->n);
        t->too_many = t->n > DPLI_TOUCHED_MAX;
    }
    if (!t->too_many)
        t->ids[t->n++] = id;
}

dpl_status dpli_sqlite_make_touched(dpli_store_sqlite *s, dpl_error *err)
{
    static const struct {
        const char *table, *op, *id;
    } triggers[] = {
        {"template", "INSERT", "new.id"},       {"template", "DELETE", "old.id"},
        {"owner", "INSERT", "new.template_id"}, {"owner", "UPDATE", "new.template_id"},
        {"owner", "DELETE", "old.template_id"},
    };
    dpl_status status = DPL_OK;
    char sql[160];

    if (!s->sql.store.writing)
        return DPL_OK;
    status = dpli_db_touched_function(s->sql.db, note, &s->touched, err);
    for (size_t i = 0; i < sizeof triggers / sizeof *triggers && status == DPL_OK; i++) {
        snprintf(sql, sizeof sql,
                 "CREATE TEMP TRIGGER touched_%zu AFTER %s ON main.%s"
                 " BEGIN SELECT dpl_touched(%s); END",
                 i, triggers[i].op, triggers[i].table, triggers[i].id);
        status = dpli_db_exec(s->sql.db, sql, err);
    }
    return status;
}

static dpl_status read_generation(int64_t *generation, dpli_store_sqlite *s, dpl_error *err)
{
    return dpli_db_int(generation, s->sql.db, "SELECT generation FROM gallery", err);
}

dpl_status dpli_sqlite_begin_touched(dpli_store_sqlite *s, dpl_error *err)
{
    s->touched.n = 0;
    s->touched.too_many = false;
    return read_generation(&s->touched.since, s, err);
}

static dpl_status put(dpli_store_sqlite *s, int64_t generation, dpl_error *err)
{
    const dpli_sqlite_touched *t = &s->touched;
    const size_t n_bytes = t->n * sizeof *t->ids;
    dpli_stmt stmt = {0};
    dpl_status status = dpli_stmt_new(&stmt, s->sql.db,
                                      "INSERT OR REPLACE INTO touched VALUES(?1, ?2, ?3, ?4)", err);

    if (status == DPL_OK) {
        dpli_bind_int(&stmt, 1, generation);
        dpli_bind_int(&stmt, 2, t->since);
        dpli_bind_blob(&stmt, 3, t->ids, n_bytes);
        dpli_bind_int(&stmt, 4, sum_of(generation, t->since, t->ids, n_bytes));
        status = dpli_stmt_run(&stmt, err);
    }
    dpli_stmt_clear(&stmt);
    return status;
}

/* What is older than the newest DPLI_TOUCHED_MAX ids, a row counting as one more; and what cannot
   be, which would stand in the way of all that comes. */
static dpl_status thin(dpli_store_sqlite *s, dpl_error *err)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "DELETE FROM touched WHERE generation <= (SELECT max(generation) FROM"
             " (SELECT generation, sum(8 + length(ids)) OVER (ORDER BY generation DESC"
             " ROWS UNBOUNDED PRECEDING) AS n_bytes FROM touched) WHERE n_bytes > %d)"
             " OR generation > (SELECT generation FROM gallery)",
             8 * (DPLI_TOUCHED_MAX + 1));
    return dpli_db_exec(s->sql.db, sql, err);
}

dpl_status dpli_sqlite_end_touched(dpli_store_sqlite *s, dpl_error *err)
{
    enum { THIN_EVERY = 16 }; /* generations: it looks at all rows */
    dpli_sqlite_touched *t = &s->touched;
    int64_t now;
    dpl_status status;

    t->n = put_in_order(t->ids, t->n);
    t->too_many |= t->n > DPLI_TOUCHED_MAX;
    status = read_generation(&now, s, err);
    if (status != DPL_OK || (now == t->since && t->n == 0 && !t->too_many))
        return status;
    /* An index of this generation would not look for what it lacks. */
    if (now == t->since) {
        status = dpli_sql_touch(&s->sql.store, err);
        if (status == DPL_OK)
            status = read_generation(&now, s, err);
    }
    if (status == DPL_OK)
        status =
            t->too_many ? dpli_db_exec(s->sql.db, "DELETE FROM touched", err) : put(s, now, err);
    return status == DPL_OK && now / THIN_EVERY != t->since / THIN_EVERY ? thin(s, err) : status;
}

/* ------------------------------------------------------------------ told */

/* Those after a generation into ids, which has room for DPLI_TOUCHED_MAX. *known: there are all of
   them up to this one. */
static dpl_status read_since(bool *known, int64_t *ids, size_t *n, dpli_store_sqlite *s,
                             int64_t since, dpl_error *err)
{
    dpli_stmt stmt = {0};
    int64_t now = 0;
    dpl_status status = read_generation(&now, s, err);

    *n = 0;
    *known = true;
    if (status == DPL_OK)
        status = dpli_stmt_new(&stmt, s->sql.db,
                               "SELECT generation, since, ids, sum FROM touched"
                               " WHERE generation > ? ORDER BY generation",
                               err);
    if (status == DPL_OK)
        dpli_bind_int(&stmt, 1, since);
    while (*known && dpli_stmt_next(&status, &stmt, err)) {
        const int64_t generation = dpli_get_int(&stmt, 0);
        size_t n_bytes;
        const void *bytes = dpli_get_blob(&stmt, 2, &n_bytes);

        status = dpli_stmt_check(&stmt, err);
        if (status != DPL_OK)
            break;
        *known = dpli_get_int(&stmt, 1) == since && n_bytes % sizeof *ids == 0 &&
                 n_bytes / sizeof *ids <= DPLI_TOUCHED_MAX - *n &&
                 dpli_get_int(&stmt, 3) == sum_of(generation, since, bytes ? bytes : "", n_bytes);
        if (*known && n_bytes > 0)
            memcpy(ids + *n, bytes, n_bytes);
        if (*known)
            *n += n_bytes / sizeof *ids;
        since = generation;
    }
    dpli_stmt_clear(&stmt);
    *known = status == DPL_OK && *known && since == now;
    return status;
}

dpl_status dpli_sqlite_each_touched(dpli_store *store, bool *is_all, int64_t since,
                                    dpli_on_touched *fn, void *ctx, dpl_error *err)
{
    int64_t *ids = dpli_alloc(DPLI_TOUCHED_MAX, sizeof *ids, err);
    size_t n = 0;
    dpl_status status = DPL_E_MEMORY;

    *is_all = false;
    if (ids)
        status = read_since(is_all, ids, &n, dpli_sqlite_of(store), since, err);
    n = *is_all ? put_in_order(ids, n) : 0;
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        status = fn(ctx, ids[i], err);
    free(ids);
    return status;
}
