/*
 * store_postgres.c - the PostgreSQL keeper: a gallery in a database that many machines use, opened;
 * who writes, and what is scrubbed.
 *
 * The database is the truth; what is derived from it (search indexes) lies in a folder of this
 * machine's, by the gallery's identity. Tables are made and brought up to date by "doppel migrate"
 * alone.
 */
#include "index/store_postgres.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"

/* Least version that has all that the tables need. */
enum { OLDEST_SERVER = 130000 };

/* ------------------------------------------------------------------ transactions */

static dpl_status begin(dpli_store *store, bool write, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    dpl_status status =
        write ? dpli_postgres_begin_turn(s, err) : dpli_db_begin(s->sql.db, false, err);

    if (status != DPL_OK)
        return status;
    store->in_transaction = true;
    s->in_write = write;
    s->has_ids = false;
    return DPL_OK;
}

static dpl_status end(dpli_store *store, dpl_status status, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);

    if (s->in_write && status == DPL_OK)
        status = dpli_postgres_keep_ids(s, err);
    store->in_transaction = s->in_write = s->has_ids = false;
    dpli_postgres_forget_line(s);
    s->sql.change_id = 0;
    status = dpli_db_end(s->sql.db, status, err);
    store->clashed = status == DPL_E_LOCKED && dpli_postgres_has_clashed(s->sql.db);
    return status;
}

/* ------------------------------------------------------------------ ids */

static dpl_status last_id(dpli_store *store, int64_t *id, dpli_numbered table, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    dpl_status status = dpli_postgres_know_ids(s, err);

    *id = status == DPL_OK ? s->ids[table] : 0;
    /* Outside of a transaction that writes, others raise them. */
    s->has_ids = s->has_ids && s->in_write;
    return status;
}

static dpl_status raise_last_id(dpli_store *store, dpli_numbered table, int64_t id, dpl_error *err)
{
    int64_t taken = id;

    /* 0 would have one chosen. */
    return id == 0 ? DPL_OK : dpli_postgres_choose_id(dpli_sql_of(store), &taken, (int)table, err);
}

/* ------------------------------------------------------------------ what it is */

static dpl_status count(dpli_store *store, dpli_counts *out, dpl_error *err)
{
    dpl_status status = dpli_sql_count(store, out, err);

    return status == DPL_OK
               ? dpli_db_int(&out->n_bytes, dpli_sql_of(store)->db,
                             "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM"
                             " pg_class WHERE relkind = 'r' AND relnamespace ="
                             " current_schema()::regnamespace",
                             err)
               : status;
}

static dpl_status beside(dpli_store *store, uint8_t **bytes, size_t *n, const char *name,
                         dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, dpli_sql_of(store)->db, "SELECT bytes FROM beside WHERE name = ?", err);
    const void *from;

    *bytes = NULL;
    *n = 0;
    if (status == DPL_OK)
        dpli_bind_text(&s, 1, name);
    if (dpli_stmt_next(&status, &s, err)) {
        from = dpli_get_blob(&s, 0, n);
        *bytes = dpli_alloc(*n + 1, 1, err);
        if (*bytes)
            memcpy(*bytes, from ? from : "", *n);
        else
            status = DPL_E_MEMORY;
    }
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status set_beside(dpli_store *store, const char *name, const void *bytes, size_t n,
                             dpl_error *err)
{
    const bool own = !dpli_postgres_of(store)->in_write;
    dpli_stmt s = {0};
    dpl_status status = own ? begin(store, true, err) : DPL_OK;

    if (status != DPL_OK)
        return status;
    status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                           bytes ? "INSERT INTO beside VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE"
                                   " SET bytes = ?2"
                                 : "DELETE FROM beside WHERE name = ?1",
                           err);
    if (status == DPL_OK) {
        dpli_bind_text(&s, 1, name);
        if (bytes)
            dpli_bind_blob(&s, 2, bytes, n);
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return own ? end(store, status, err) : status;
}

/* ------------------------------------------------------------------ scrub */

/* A row that was removed is copied where a transaction that began before may still look at it: wait
   until all have ended, here and on replicas that say so. */
static dpl_status wait_for_readers(dpli_store_postgres *s, dpl_error *err)
{
    static const char now[] = "SELECT pg_current_xact_id()::xid::text::bigint";
    const struct timespec tenth = {0, 100000000};
    int64_t xid, n = 0;
    char sql[640];
    dpl_status status = dpli_db_int(&xid, s->sql.db, now, err);

    snprintf(sql, sizeof sql,
             "SELECT (SELECT count(*) FROM pg_stat_activity WHERE (datname = current_database() OR"
             " backend_type = 'walsender') AND pid <> pg_backend_pid() AND age(backend_xmin) >"
             " age('%" PRId64 "'::xid)) + (SELECT count(*) FROM pg_prepared_xacts WHERE database ="
             " current_database() AND age(transaction) > age('%" PRId64 "'::xid)) +"
             " (SELECT count(*) FROM pg_replication_slots WHERE age(xmin) > age('%" PRId64
             "'::xid))",
             xid, xid, xid);
    for (int i = 0; i < 100 && status == DPL_OK; i++) {
        status = dpli_db_int(&n, s->sql.db, sql, err);
        if (status != DPL_OK || n == 0)
            return status;
        nanosleep(&tenth, NULL);
    }
    return status != DPL_OK
               ? status
               : dpli_fail(err, DPL_E_LOCKED,
                           "%" PRId64 " other clients of \"%s\" have been reading what "
                           "was there before for ten seconds",
                           n, s->sql.store.name);
}

/* Names of tables, each with a "," behind it. */
static dpl_status list_tables(dpli_buf *names, dpli_store_postgres *s, const char *which,
                              dpl_error *err)
{
    dpli_stmt stmt = {0};
    char *sql = dpli_asprintf(err,
                              "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND"
                              " relnamespace = current_schema()::regnamespace AND (%s)"
                              " ORDER BY relname",
                              which);
    dpl_status status = sql ? dpli_stmt_new(&stmt, s->sql.db, sql, err) : DPL_E_MEMORY;

    while (dpli_stmt_next(&status, &stmt, err))
        dpli_buf_printf(names, "%s,", dpli_get_string(&stmt, 0));
    dpli_stmt_clear(&stmt);
    free(sql);
    return status == DPL_OK ? dpli_buf_check(names, err) : status;
}

/* The next of them, which then ends in NUL; NULL: that was the last. */
static char *next_table(char **at)
{
    char *name = *at, *end = name ? strchr(name, ',') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return name;
}

/* What is large is written anew, and then counted: of a table that nobody has counted PostgreSQL
   takes one row in two hundred to be of a model, and fetches the vectors of all one by one. Only
   numbers are counted: a statistic holds values. */
static dpl_status vacuum(dpli_store_postgres *s, dpl_error *err)
{
    dpli_buf names = {0};
    /* Parts of vectors that hold nothing of what went are left alone: they are what is large. */
    dpl_status status = list_tables(&names, s,
                                    "NOT relispartition OR relname IN (SELECT part FROM dirty) OR"
                                    " pg_stat_get_dead_tuples(oid) > 0",
                                    err);
    char *at = names.data;

    for (const char *name = next_table(&at); name && status == DPL_OK; name = next_table(&at)) {
        char *sql = dpli_asprintf(err, "VACUUM (FULL) %s", name);

        status = sql ? dpli_db_exec(s->sql.db, sql, err) : DPL_E_MEMORY;
        free(sql);
    }
    dpli_buf_clear(&names);
    return status == DPL_OK
               ? dpli_db_exec(s->sql.db,
                              "ANALYZE template(photo_id, model_id), owner(template_id, person_id)",
                              err)
               : status;
}

typedef struct row_walk {
    dpli_on_bytes *fn;
    void *ctx;
    const char *table;
} row_walk;

static dpl_status give_row(void *ctx, const void *bytes, size_t n, dpl_error *err)
{
    const row_walk *w = ctx;

    return w->fn(w->ctx, w->table, bytes, n, err);
}

static dpl_status each_row(dpli_store *store, dpli_on_bytes *fn, void *ctx, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    row_walk w = {.fn = fn, .ctx = ctx};
    dpli_buf names = {0};
    dpl_status status = list_tables(&names, s, "true", err);
    char *at = names.data;

    for (w.table = next_table(&at); w.table && status == DPL_OK; w.table = next_table(&at)) {
        char *sql = dpli_asprintf(err, "COPY %s TO STDOUT (FORMAT binary)", w.table);

        status = sql ? dpli_postgres_copy(s->sql.db, sql, give_row, &w, err) : DPL_E_MEMORY;
        free(sql);
    }
    dpli_buf_clear(&names);
    return status;
}

/* VACUUM FULL writes a table anew without what was removed, and its old file goes. What PostgreSQL
   has written elsewhere (its log of changes, replicas, backups) is beyond reach. */
static dpl_status scrub(dpli_store *store, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    dpli_db *db = s->sql.db;
    int64_t n = 0;
    dpl_status status =
        dpli_db_int(&n, db,
                    "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace ="
                    " current_schema()::regnamespace AND NOT pg_has_role(relowner, 'USAGE')",
                    err);

    if (status == DPL_OK && n > 0)
        return dpli_fail(
            err, DPL_E_GALLERY,
            "the tables of \"%s\" belong to another role, and only that can write them "
            "anew: it does with its next \"doppel migrate\" or other change",
            store->name);
    if (status == DPL_OK)
        status = wait_for_readers(s, err);
    if (status == DPL_OK)
        status = dpli_db_exec(db, "SET lock_timeout = '10s'", err);
    if (status != DPL_OK)
        return status;
    status = vacuum(s, err);
    dpli_db_exec(db, "RESET lock_timeout", NULL);
    if (status == DPL_OK)
        status = begin(store, true, err);
    if (status != DPL_OK)
        return status;
    return end(store, dpli_db_exec(db, "UPDATE gallery SET scrub = 0; DELETE FROM dirty", err),
               err);
}

/* ------------------------------------------------------------------ what has changed */

static dpl_status each_touched(dpli_store *store, bool *is_all, int64_t since, dpli_on_touched *fn,
                               void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    int64_t from = 0;
    dpl_status status =
        dpli_db_int(&from, dpli_sql_of(store)->db, "SELECT generation FROM touched_from", err);

    *is_all = status == DPL_OK && since >= from;
    if (status != DPL_OK || !*is_all)
        return status;
    status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                           "SELECT DISTINCT template_id FROM touched WHERE generation > ?"
                           " ORDER BY template_id",
                           err);
    if (status == DPL_OK)
        dpli_bind_int(&s, 1, since);
    while (dpli_stmt_next(&status, &s, err))
        status = fn(ctx, dpli_get_int(&s, 0), err);
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status wait_for_change(dpli_store *store, bool *changed, int timeout_ms, dpl_error *err)
{
    dpli_store_postgres *s = dpli_postgres_of(store);
    char identity[DPLI_IDENTITY], channel[48];
    int64_t generation;
    dpl_status status = DPL_OK;

    *changed = false;
    if (!s->listens || dpli_postgres_connection(s->sql.db) != s->listens) {
        status = dpli_sql_generation(store, &generation, identity, err);
        snprintf(channel, sizeof channel, "doppel_%s", identity);
        if (status == DPL_OK)
            status = dpli_postgres_listen(s->sql.db, channel, err);
        s->listens = status == DPL_OK ? dpli_postgres_connection(s->sql.db) : 0;
        /* What came before is not told. */
        *changed = status == DPL_OK;
        return status;
    }
    return dpli_postgres_wait(changed, s->sql.db, timeout_ms, err);
}

/* ------------------------------------------------------------------ open and close */

static void close_store(dpli_store *store)
{
    dpli_store_postgres *s = dpli_postgres_of(store);

    dpli_postgres_forget_line(s);
    dpli_sql_clear_kept(&s->sql);
    dpli_sql_clear_walks(&s->sql);
    dpli_db_close(s->sql.db);
    free(s->sql.store.folder);
    free(s->sql.store.name);
    free(s);
}

static const char *connection_file(const dpli_store *store, size_t i)
{
    const dpli_store_postgres *s = (const dpli_store_postgres *)(const void *)store;

    return dpli_postgres_file(s->sql.db, i);
}

static const dpli_store_ops ops = {
    .connection_file = connection_file,
    .close = close_store,
    .discard = close_store, /* who has made the tables is not who fills them */
    .begin = begin,
    .end = end,
    .count = count,
    .last_id = last_id,
    .raise_last_id = raise_last_id,
    .log_change = dpli_postgres_log_change,
    .end_log = dpli_postgres_end_log,
    .undo = dpli_postgres_undo,
    .near_info = dpli_postgres_near_info,
    .near = dpli_postgres_near,
    .each_touched = each_touched,
    .wait_for_change = wait_for_change,
    .beside = beside,
    .set_beside = set_beside,
    .add_line = dpli_postgres_add_line,
    .each_line = dpli_postgres_each_line,
    .faults = dpli_postgres_faults,
    .scrub = scrub,
    .each_row = each_row,
    DPLI_SQL_OPS,
};

static dpl_status check_server(dpli_store_postgres *s, dpl_error *err)
{
    const int version = dpli_postgres_version(s->sql.db);
    int64_t is_replica = 0;
    dpl_status status;

    if (version < OLDEST_SERVER)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is PostgreSQL %d, and a gallery needs %d",
                         s->sql.store.name, version / 10000, OLDEST_SERVER / 10000);
    if (!s->sql.store.writing)
        return DPL_OK;
    status = dpli_db_int(&is_replica, s->sql.db, "SELECT pg_is_in_recovery()", err);
    if (status == DPL_OK && is_replica)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" is a replica, which can only be read: changes go to its primary",
                           s->sql.store.name);
    return status;
}

/* Before hours of work, not after. */
static dpl_status check_rights(dpli_store_postgres *s, dpl_error *err)
{
    int64_t may = 0;
    dpl_status status =
        dpli_db_int(&may, s->sql.db,
                    s->sql.store.writing ? "SELECT has_table_privilege('photo', 'INSERT')"
                                         : "SELECT has_table_privilege('photo', 'SELECT')",
                    err);

    if (status == DPL_OK && !may)
        status = dpli_fail(err, DPL_E_GALLERY, "this role may not %s gallery \"%s\"",
                           s->sql.store.writing ? "change" : "read", s->sql.store.name);
    return status;
}

static char *cache_folder(const char *identity, dpl_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    /* The XDG rule: a path that is not absolute counts as unset. */
    if (cache && cache[0] == '/')
        return dpli_asprintf(err, "%s/doppel/%s", cache, identity);
    if (home && home[0] == '/')
        return dpli_asprintf(err, "%s/.cache/doppel/%s", home, identity);
    return dpli_asprintf(err, "/var/cache/doppel/%s", identity);
}

/* For its owner alone. Where it cannot be made, nothing is kept in it, and who writes there says
   so. */
static dpl_status make_folder(dpli_store_postgres *s, dpl_error *err)
{
    char identity[DPLI_IDENTITY];
    int64_t generation;
    struct stat st;
    char *path;
    dpl_status status = dpli_sql_generation(&s->sql.store, &generation, identity, err);

    if (status != DPL_OK)
        return status;
    path = cache_folder(identity, err);
    if (!path)
        return DPL_E_MEMORY;
    s->sql.store.folder = path;
    for (char *c = path + 1;; c++) {
        const char was = *c;

        if (was != '/' && was != '\0')
            continue;
        *c = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            errno = 0;
        *c = was;
        if (was == '\0')
            break;
    }
    if (lstat(path, &st) == 0 &&
        (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0))
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\", which is to hold this machine's search indexes, is not this "
                         "user's alone",
                         path);
    return DPL_OK;
}

dpl_status dpli_store_postgres_open(dpli_store **out, const char *address, dpl_gallery_mode mode,
                                    dpl_error *err)
{
    dpli_store_postgres *s = dpli_calloc(1, sizeof *s, err);
    dpl_status status;

    *out = NULL;
    if (!s)
        return DPL_E_MEMORY;
    s->sql.store.ops = &ops;
    s->sql.store.writing = mode != DPL_GALLERY_READ;
    s->sql.store.shared = true;
    s->sql.dialect = DPLI_POSTGRES;
    s->sql.choose_id = dpli_postgres_choose_id;
    status = dpli_postgres_open(&s->sql.db, address, err);
    if (status == DPL_OK) {
        s->sql.store.name = dpli_strdup(dpli_postgres_name_of(s->sql.db), err);
        status = s->sql.store.name ? DPL_OK : DPL_E_MEMORY;
    }
    if (status == DPL_OK)
        status = check_server(s, err);
    if (status == DPL_OK)
        status = dpli_postgres_check(s, mode == DPL_GALLERY_MIGRATE, err);
    if (status == DPL_OK && mode == DPL_GALLERY_MIGRATE)
        status = dpli_postgres_near_make(s, err);
    if (status == DPL_OK)
        status = check_rights(s, err);
    if (status == DPL_OK)
        status = make_folder(s, err);
    if (status == DPL_OK) {
        *out = &s->sql.store;
        s = NULL;
    }
    if (s)
        close_store(&s->sql.store);
    return status;
}
