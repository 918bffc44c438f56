/*
 * db.c - the driver of SQLite: open with every defence on, prepare, bind, step, and turn its result
 * codes into statuses that say what to do.
 *
 * It knows nothing of the gallery's tables.
 */
#include "index/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "doppel/version.h"
#include "index/db_driver.h"

const char *dpl_sqlite_version(void)
{
    return sqlite3_libversion();
}

typedef struct sqlite_db {
    dpli_db db; /* first: a database is one of these */
    sqlite3 *handle;
    char *path;
    bool checking; /* within dpli_db_check, whose own failures are not checked again */
} sqlite_db;

static sqlite_db *sqlite_of(dpli_db *db)
{
    return (sqlite_db *)(void *)db;
}

static const dpli_db_driver driver;
static dpl_status exec_sql(dpli_db *db, const char *sql, dpl_error *err);

/* How long a lock may be waited for. Only recovery after a kill, or the end of a forget, locks
   readers and the writer against each other. */
static const int busy_ms = 10000;

static dpl_status fail(dpli_db *any, int code, dpl_error *err)
{
    sqlite_db *db = sqlite_of(any);
    dpl_error found = {DPL_OK, ""};
    int saved_errno;

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return dpli_fail(err, DPL_E_MEMORY, "out of memory while working on \"%s\"", db->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return dpli_fail(err, DPL_E_LOCKED, "\"%s\" is in use by another process", db->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        /* SQLite words all damage alike; looking for it says more. */
        if (!db->checking && (code & 0xff) == SQLITE_CORRUPT &&
            dpli_db_check(any, &found) == DPL_E_GALLERY)
            return dpli_fail(err, DPL_E_GALLERY, "%s", found.message);
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s", db->path,
                         sqlite3_errstr(code));
    case SQLITE_READONLY:
        /* A writer died before the file had its write-ahead log: only a writer can clear that up.
         */
        if (code == SQLITE_READONLY_ROLLBACK)
            return dpli_fail(err, DPL_E_GALLERY,
                             "the making of \"%s\" was cut short; the next writer finishes it",
                             db->path);
        /* The file could be opened for writing, so it is its own header that forbids it. */
        if (code == SQLITE_READONLY)
            return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: it forbids to be written",
                             db->path);
        break;
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
        /* Our statements and rows are right, so the file contradicts itself. */
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s", db->path,
                         sqlite3_errmsg(db->handle));
    case SQLITE_TOOBIG:
        return dpli_fail(err, DPL_E_LIMIT, "a row of \"%s\" would be over 16 MiB", db->path);
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return dpli_fail(err, DPL_E_BUG, "\"%s\": %s", db->path, sqlite3_errstr(code));
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM)
            return dpli_fail(err, DPL_E_MEMORY, "out of memory while working on \"%s\"", db->path);
        break;
    default: break;
    }
    saved_errno = sqlite3_system_errno(db->handle);
    if (saved_errno != 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, saved_errno, "\"%s\": %s", db->path,
                               sqlite3_errstr(code));
    return dpli_fail(err, DPL_E_SYSTEM, "\"%s\": %s", db->path, sqlite3_errstr(code));
}

/* ------------------------------------------------------------------ connection */

/* "file:PATH?immutable=1", which only the URI form can say. */
static dpl_status frozen_uri(dpli_buf *out, const char *path, dpl_error *err)
{
    dpli_buf_str(out, "file:");
    for (const char *c = path; *c; c++) {
        if (*c == '%' || *c == '?' || *c == '#')
            dpli_buf_printf(out, "%%%02x", (unsigned)*c);
        else
            dpli_buf_add(out, c, 1);
    }
    dpli_buf_str(out, "?immutable=1");
    return dpli_buf_check(out, err);
}

static void defend(sqlite3 *handle)
{
    static const struct {
        int option, value;
    } config[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},    {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_DQS_DDL, 0},
    };
    static const struct {
        int limit, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 16 << 20},     {SQLITE_LIMIT_SQL_LENGTH, 64 << 10},
        {SQLITE_LIMIT_COLUMN, 100},          {SQLITE_LIMIT_EXPR_DEPTH, 50},
        {SQLITE_LIMIT_COMPOUND_SELECT, 5},   {SQLITE_LIMIT_VDBE_OP, 100000},
        {SQLITE_LIMIT_ATTACHED, 1}, /* VACUUM's own */
        {SQLITE_LIMIT_VARIABLE_NUMBER, 100}, {SQLITE_LIMIT_TRIGGER_DEPTH, 10},
    };

    for (size_t i = 0; i < sizeof config / sizeof *config; i++)
        sqlite3_db_config(handle, config[i].option, config[i].value, NULL);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        sqlite3_limit(handle, limits[i].limit, limits[i].value);
}

/* SQLite makes its files as the database file is, and that is for its owner alone. */
static dpl_status make_private(const char *path, dpl_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    dpl_status status = DPL_OK;
    struct stat st;

    if (fd < 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "\"%s\" cannot be opened for writing",
                               path);
    if (fstat(fd, &st) != 0 || ((st.st_mode & 0777) != 0600 && fchmod(fd, 0600) != 0))
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "\"%s\" cannot be made private", path);
    close(fd);
    return status;
}

/* The path with its folder's links followed: SQLite is told to follow none, and would refuse one
   that leads to the folder as well. The caller's. */
static char *without_links(const char *path, dpl_error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? dpli_strdup(path, err) : NULL, *real, *out;

    if (folder)
        folder[slash - path + 1] = '\0';
    real = folder || !slash ? realpath(folder ? folder : ".", NULL) : NULL;
    free(folder);
    /* What cannot be resolved cannot be opened, and SQLite tells why. */
    out =
        real ? dpli_asprintf(err, "%s/%s", real, slash ? slash + 1 : path) : dpli_strdup(path, err);
    free(real);
    return out;
}

dpl_status dpli_db_log(dpli_db *db, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    bool row;

    status = dpli_stmt_new(&s, db, "PRAGMA journal_mode=WAL", err);
    if (status == DPL_OK)
        status = dpli_stmt_step(&s, &row, err);
    if (status != DPL_OK)
        goto done;
    if (!row || strcmp(dpli_get_string(&s, 0), "wal") != 0)
        status = dpli_fail(err, DPL_E_SYSTEM,
                           "\"%s\" is on a file system that cannot keep a write-ahead log",
                           sqlite_of(db)->path);
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_db_open(dpli_db **out, const char *path, dpli_db_mode mode, dpl_error *err)
{
    sqlite_db *db = dpli_calloc(1, sizeof *db, err);
    dpli_buf uri = {0};
    dpl_status status = DPL_E_MEMORY;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
    char *real = NULL;
    int code;

    *out = NULL;
    if (!db)
        goto done;
    db->db.driver = &driver;
    db->path = dpli_strdup(path, err);
    if (!db->path)
        goto done;
    if (mode == DPLI_DB_WRITE) {
        status = make_private(path, err);
        if (status != DPL_OK)
            goto done;
    }
    real = without_links(path, err);
    if (!real) {
        status = DPL_E_MEMORY;
        goto done;
    }
    path = real;
    if (mode == DPLI_DB_READ_FROZEN) {
        status = frozen_uri(&uri, path, err);
        if (status != DPL_OK)
            goto done;
        path = uri.data;
        flags |= SQLITE_OPEN_URI;
    }
    flags |= mode == DPLI_DB_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    code = sqlite3_open_v2(path, &db->handle, flags, NULL);
    if (code != SQLITE_OK) {
        status = db->handle ? fail(&db->db, code, err)
                            : dpli_fail(err, DPL_E_MEMORY, "out of memory opening a database");
        goto done;
    }
    defend(db->handle);
    sqlite3_busy_timeout(db->handle, busy_ms);
    /* The page size matters only when the file is made. Of thumbnails of 4 KiB, three go into a
       page of 16 KiB, but one into 8 KiB. */
    status = exec_sql(&db->db,
                      "PRAGMA page_size=16384;"
                      "PRAGMA cell_size_check=ON;"
                      "PRAGMA foreign_keys=ON;"
                      "PRAGMA secure_delete=ON;"
                      "PRAGMA synchronous=FULL;"
                      "PRAGMA cache_size=-32768;"
                      "PRAGMA mmap_size=0;"
                      "PRAGMA journal_size_limit=67108864;",
                      err);
    if (status == DPL_OK && mode != DPLI_DB_WRITE)
        status = exec_sql(&db->db, "PRAGMA query_only=ON", err);
    if (status != DPL_OK)
        goto done;
    *out = &db->db;
    db = NULL;
done:
    free(real);
    dpli_buf_clear(&uri);
    dpli_db_close(db ? &db->db : NULL);
    return status;
}

static void close_db(dpli_db *any)
{
    sqlite_db *db = sqlite_of(any);

    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

static dpl_status exec_sql(dpli_db *db, const char *sql, dpl_error *err)
{
    int code = sqlite3_exec(sqlite_of(db)->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? DPL_OK : fail(db, code, err);
}

static int64_t last_id(dpli_db *db)
{
    return sqlite3_last_insert_rowid(sqlite_of(db)->handle);
}

static int64_t changes(dpli_db *db)
{
    return sqlite3_changes64(sqlite_of(db)->handle);
}

static void change_function(sqlite3_context *out, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_int64(out, *(const int64_t *)sqlite3_user_data(out));
}

/* Each value as its type and its bytes, so that no two lists that differ give the same. */
static void sum_function(sqlite3_context *out, int n, sqlite3_value **values)
{
    uint64_t sum = 0;

    for (int i = 0; i < n; i++) {
        const int type = sqlite3_value_type(values[i]);
        const int64_t whole = type == SQLITE_INTEGER ? sqlite3_value_int64(values[i]) : 0;
        const double real = type == SQLITE_FLOAT ? sqlite3_value_double(values[i]) : 0;
        int64_t head[2] = {type, whole};

        if (type == SQLITE_FLOAT)
            memcpy(&head[1], &real, sizeof real);
        if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
            const void *bytes = sqlite3_value_blob(values[i]);

            head[1] = sqlite3_value_bytes(values[i]);
            if (!bytes && head[1] > 0) {
                sqlite3_result_error_nomem(out);
                return;
            }
            sum = dpli_sum64(sum, bytes ? bytes : "", (size_t)head[1]);
        }
        sum = dpli_sum64(sum, head, sizeof head);
    }
    sqlite3_result_int64(out, (int64_t)sum);
}

dpl_status dpli_db_log_functions(dpli_db *db, const int64_t *change, dpl_error *err)
{
    sqlite3 *handle = sqlite_of(db)->handle;
    int code = sqlite3_create_function(handle, "dpl_change", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                                       (void *)(uintptr_t)change, change_function, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_create_function(handle, "dpl_sum", -1,
                                       SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, NULL,
                                       sum_function, NULL, NULL);
    return code == SQLITE_OK ? DPL_OK : fail(db, code, err);
}

typedef struct touched {
    void (*fn)(void *ctx, int64_t id);
    void *ctx;
} touched;

static void touched_function(sqlite3_context *out, int n, sqlite3_value **values)
{
    const touched *t = sqlite3_user_data(out);

    (void)n;
    t->fn(t->ctx, sqlite3_value_int64(values[0]));
    sqlite3_result_null(out);
}

/* SQLite frees what it is given, also when it fails. */
dpl_status dpli_db_touched_function(dpli_db *db, void (*fn)(void *ctx, int64_t id), void *ctx,
                                    dpl_error *err)
{
    touched *t = dpli_alloc(1, sizeof *t, err);
    int code;

    if (!t)
        return DPL_E_MEMORY;
    *t = (touched){fn, ctx};
    code = sqlite3_create_function_v2(sqlite_of(db)->handle, "dpl_touched", 1,
                                      SQLITE_UTF8 | SQLITE_DIRECTONLY, t, touched_function, NULL,
                                      NULL, free);
    return code == SQLITE_OK ? DPL_OK : fail(db, code, err);
}

static dpl_status begin(dpli_db *db, bool write, dpl_error *err)
{
    return exec_sql(db, write ? "BEGIN IMMEDIATE" : "BEGIN", err);
}

static dpl_status end(dpli_db *db, dpl_status status, dpl_error *err)
{
    if (status == DPL_OK)
        status = exec_sql(db, "COMMIT", err);
    /* Some failures have rolled back by themselves. */
    if (status != DPL_OK && !sqlite3_get_autocommit(sqlite_of(db)->handle))
        exec_sql(db, "ROLLBACK", NULL);
    return status;
}

dpl_status dpli_db_checkpoint(dpli_db *db, dpl_error *err)
{
    int code = sqlite3_wal_checkpoint_v2(sqlite_of(db)->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                         NULL, NULL);

    return code == SQLITE_OK ? DPL_OK : fail(db, code, err);
}

typedef dpl_status on_fault(void *ctx, const char *what, dpl_error *err);

/* SQLite's findings, a row each; it heads them with a line of its own. */
static dpl_status structure_faults(dpli_db *db, on_fault *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, db, "PRAGMA integrity_check(100)", err);
    bool row = false;
    int n = 0;

    while (status == DPL_OK) {
        status = dpli_stmt_step(&s, &row, err);
        if (status != DPL_OK || !row)
            break;
        const char *what = dpli_get_string(&s, 0), *end = strchr(what, '\n');

        n++;
        if (strcmp(what, "ok") == 0)
            continue;
        status = fn(ctx, what[0] == '*' && end ? end + 1 : what, err);
    }
    if (status == DPL_OK && n == 0)
        status = fn(ctx, "the check gave no answer", err);
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status reference_faults(dpli_db *db, on_fault *fn, void *ctx, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, db, "PRAGMA foreign_key_check", err);

    for (int n = 0; n < 100 && dpli_stmt_next(&status, &s, err); n++) {
        char *what = dpli_asprintf(
            err, "row %lld of %.100s refers to a row of %.100s that is not there",
            (long long)dpli_get_int(&s, 1), dpli_get_string(&s, 0), dpli_get_string(&s, 2));

        status = what ? fn(ctx, what, err) : DPL_E_MEMORY;
        free(what);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_db_faults(dpli_db *db, on_fault *fn, void *ctx, dpl_error *err)
{
    dpl_status status;

    sqlite_of(db)->checking = true;
    status = structure_faults(db, fn, ctx, err);
    if (status == DPL_OK)
        status = reference_faults(db, fn, ctx, err);
    sqlite_of(db)->checking = false;
    return status;
}

static dpl_status tell_fault(void *ctx, const char *what, dpl_error *err)
{
    const sqlite_db *db = ctx;

    return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s", db->path, what);
}

dpl_status dpli_db_check(dpli_db *db, dpl_error *err)
{
    return dpli_db_faults(db, tell_fault, sqlite_of(db), err);
}

/* ------------------------------------------------------------------ statements */

static dpl_status prepare(dpli_stmt *out, dpli_db *db, const char *sql, dpl_error *err)
{
    sqlite3_stmt *handle = NULL;
    int code = sqlite3_prepare_v2(sqlite_of(db)->handle, sql, -1, &handle, NULL);

    out->db = db;
    out->handle = handle;
    out->failed = SQLITE_OK;
    return code == SQLITE_OK ? DPL_OK : fail(db, code, err);
}

static void finalize(dpli_stmt *s)
{
    sqlite3_finalize(s->handle);
    s->handle = NULL;
}

static void note(dpli_stmt *s, int code)
{
    if (s->failed == SQLITE_OK)
        s->failed = code;
}

static void bind_null(dpli_stmt *s, int i)
{
    note(s, sqlite3_bind_null(s->handle, i));
}

static void bind_int(dpli_stmt *s, int i, int64_t value)
{
    note(s, sqlite3_bind_int64(s->handle, i, value));
}

static void bind_real(dpli_stmt *s, int i, double value)
{
    note(s, sqlite3_bind_double(s->handle, i, value));
}

static void bind_text(dpli_stmt *s, int i, const char *text)
{
    note(s, sqlite3_bind_text(s->handle, i, text, -1, SQLITE_STATIC));
}

static void bind_blob(dpli_stmt *s, int i, const void *bytes, size_t n)
{
    note(s, sqlite3_bind_blob64(s->handle, i, bytes, n, SQLITE_STATIC));
}

static dpl_status step(dpli_stmt *s, bool *row, dpl_error *err)
{
    int code = s->failed != SQLITE_OK ? s->failed : sqlite3_step(s->handle);

    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return DPL_OK;
    s->failed = SQLITE_OK;
    if (code == SQLITE_DONE) {
        sqlite3_reset(s->handle);
        return DPL_OK;
    }
    {
        dpl_status status = fail(s->db, code, err);

        sqlite3_reset(s->handle);
        return status;
    }
}

static void reset(dpli_stmt *s)
{
    sqlite3_reset(s->handle);
}

static void unbind(dpli_stmt *s)
{
    sqlite3_clear_bindings(s->handle);
}

static bool is_null(dpli_stmt *s, int i)
{
    return sqlite3_column_type(s->handle, i) == SQLITE_NULL;
}

static int64_t get_int(dpli_stmt *s, int i)
{
    return sqlite3_column_int64(s->handle, i);
}

static double get_real(dpli_stmt *s, int i)
{
    return sqlite3_column_double(s->handle, i);
}

static const void *get_blob(dpli_stmt *s, int i, size_t *n)
{
    const void *bytes = sqlite3_column_blob(s->handle, i);

    *n = bytes ? (size_t)sqlite3_column_bytes(s->handle, i) : 0;
    return bytes;
}

static const char *get_string(dpli_stmt *s, int i)
{
    const void *text = sqlite3_column_text(s->handle, i);

    return text ? text : "";
}

static dpl_status check_row(dpli_stmt *s, dpl_error *err)
{
    return sqlite3_errcode(sqlite_of(s->db)->handle) == SQLITE_NOMEM
               ? fail(s->db, SQLITE_NOMEM, err)
               : DPL_OK;
}

static const dpli_db_driver driver = {
    .close = close_db,
    .exec = exec_sql,
    .last_id = last_id,
    .changes = changes,
    .begin = begin,
    .end = end,
    .prepare = prepare,
    .finalize = finalize,
    .bind_null = bind_null,
    .bind_int = bind_int,
    .bind_real = bind_real,
    .bind_text = bind_text,
    .bind_blob = bind_blob,
    .step = step,
    .reset = reset,
    .unbind = unbind,
    .is_null = is_null,
    .get_int = get_int,
    .get_real = get_real,
    .get_blob = get_blob,
    .get_string = get_string,
    .check_row = check_row,
};
