/*
 * What a database does below db.h: a driver is a table of these, and a struct of its own that
 * begins with a dpli_db. db.c drives SQLite, db_postgres.c PostgreSQL; db_call.c calls them.
 */
#ifndef DOPPEL_INDEX_DB_DRIVER_H
#define DOPPEL_INDEX_DB_DRIVER_H

#include "index/db.h"

/* As the functions of db.h that are called so. */
typedef struct dpli_db_driver {
    void (*close)(dpli_db *db);
    dpl_status (*exec)(dpli_db *db, const char *sql, dpl_error *err);
    int64_t (*last_id)(dpli_db *db);
    int64_t (*changes)(dpli_db *db);
    dpl_status (*begin)(dpli_db *db, bool write, dpl_error *err);
    dpl_status (*end)(dpli_db *db, dpl_status status, dpl_error *err);
    dpl_status (*prepare)(dpli_stmt *out, dpli_db *db, const char *sql, dpl_error *err);
    void (*finalize)(dpli_stmt *s);
    void (*expect_many)(dpli_stmt *s); /* NULL: of no use */
    void (*bind_null)(dpli_stmt *s, int i);
    void (*bind_int)(dpli_stmt *s, int i, int64_t value);
    void (*bind_real)(dpli_stmt *s, int i, double value);
    void (*bind_text)(dpli_stmt *s, int i, const char *text);
    void (*bind_blob)(dpli_stmt *s, int i, const void *bytes, size_t n);
    dpl_status (*step)(dpli_stmt *s, bool *row, dpl_error *err);
    dpl_status (*run)(dpli_stmt *s, dpl_error *err); /* NULL: by steps */
    void (*reset)(dpli_stmt *s);
    void (*unbind)(dpli_stmt *s);
    bool (*is_null)(dpli_stmt *s, int i);
    int64_t (*get_int)(dpli_stmt *s, int i);
    double (*get_real)(dpli_stmt *s, int i);
    const void *(*get_blob)(dpli_stmt *s, int i, size_t *n);
    const char *(*get_string)(dpli_stmt *s, int i);
    dpl_status (*check_row)(dpli_stmt *s, dpl_error *err);
} dpli_db_driver;

struct dpli_db {
    const dpli_db_driver *driver;
};

#endif
