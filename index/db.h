/*
 * A database behind as little as the gallery needs of it. db.c drives SQLite, the one file that
 * includes sqlite3.h; db_postgres.c PostgreSQL, the one that includes libpq-fe.h. Parameters are
 * "?" or "?1", for either.
 *
 * Every failure is a dpl_status with a message that names the database file: damage is
 * DPL_E_GALLERY, a full or failing disk DPL_E_SYSTEM, a lock held too long DPL_E_LOCKED.
 */
#ifndef DOPPEL_INDEX_DB_H
#define DOPPEL_INDEX_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef struct dpli_db dpli_db;

typedef enum dpli_db_mode {
    DPLI_DB_READ,
    DPLI_DB_READ_FROZEN, /* nobody can write the file: no locks, no files beside it */
    DPLI_DB_WRITE        /* made when missing (mode 0600); a commit is on disk */
} dpli_db_mode;

/** The file is hostile: its triggers and views do nothing, its cells are checked, its rows are
 * limited to 16 MiB. */
dpl_status dpli_db_open(dpli_db **out, const char *path, dpli_db_mode mode, dpl_error *err);
void dpli_db_close(dpli_db *db);
/** From now on, and for all who open it: a write-ahead log, so that readers and a writer do not
 * wait for each other. */
dpl_status dpli_db_log(dpli_db *db, dpl_error *err);

/** Run statements that give no rows of interest. */
dpl_status dpli_db_exec(dpli_db *db, const char *sql, dpl_error *err);
/** The first column of the first row; 0 when there is no row. */
dpl_status dpli_db_int(int64_t *out, dpli_db *db, const char *sql, dpl_error *err);
int64_t dpli_db_last_id(dpli_db *db);
int64_t dpli_db_changes(dpli_db *db); /* rows that the last statement changed */

/** A transaction: one consistent view when reading, all or nothing when writing. */
dpl_status dpli_db_begin(dpli_db *db, int write, dpl_error *err);
/** Commit when status is DPL_OK, else roll back. The status, or why the commit failed (then it is
 * rolled back, too). */
dpl_status dpli_db_end(dpli_db *db, dpl_status status, dpl_error *err);

/** Give SQL dpl_change(), which reads *change, and dpl_sum(…), the sum of its values. */
dpl_status dpli_db_log_functions(dpli_db *db, const int64_t *change, dpl_error *err);

/** Give SQL dpl_touched(id), which calls fn. */
dpl_status dpli_db_touched_function(dpli_db *db, void (*fn)(void *ctx, int64_t id), void *ctx,
                                    dpl_error *err);

/** Everything to the database file, and the write-ahead log cut to nothing. DPL_E_LOCKED when a
 * reader still needs the log. */
dpl_status dpli_db_checkpoint(dpli_db *db, dpl_error *err);
/** DPL_E_GALLERY with the first thing that is wrong; reads the whole file. */
dpl_status dpli_db_check(dpli_db *db, dpl_error *err);
/** Everything that is wrong (up to 100 findings): pages, cells, order, rows and the indexes on
 * them, rows that others refer to. A status other than DPL_OK ends it and is passed on. */
dpl_status dpli_db_faults(dpli_db *db,
                          dpl_status (*fn)(void *ctx, const char *what, dpl_error *err), void *ctx,
                          dpl_error *err);

/* A prepared statement. Zero-initialise, free with dpli_stmt_clear. A failed bind is remembered
 * and told by the next step. */
typedef struct dpli_stmt {
    void *handle;
    dpli_db *db;
    int failed;
} dpli_stmt;

dpl_status dpli_stmt_new(dpli_stmt *out, dpli_db *db, const char *sql, dpl_error *err);
void dpli_stmt_clear(dpli_stmt *s);
/** Its rows may be more than memory holds: they are had piece by piece, of one instant. */
void dpli_stmt_expect_many(dpli_stmt *s);

/* Parameters count from 1. Bytes are borrowed until the statement is stepped to its end. */
void dpli_bind_null(dpli_stmt *s, int i);
void dpli_bind_int(dpli_stmt *s, int i, int64_t value);
void dpli_bind_real(dpli_stmt *s, int i, double value);
void dpli_bind_text(dpli_stmt *s, int i, const char *text);
void dpli_bind_blob(dpli_stmt *s, int i, const void *bytes, size_t n);
/** A string that may not be UTF-8 (a path, a name), as a blob; NULL binds null. */
void dpli_bind_bytes(dpli_stmt *s, int i, const char *bytes);

/** *row is 1 when there is a row to read, 0 at the end, when the statement is ready to run again.
 */
dpl_status dpli_stmt_step(dpli_stmt *s, bool *row, dpl_error *err);
/** Whether there is one row more: false at the end, on failure, and when *status is one already. */
bool dpli_stmt_next(dpl_status *status, dpli_stmt *s, dpl_error *err);
/** Step to the end; what rows it gives are of no interest. In a transaction that writes a driver
 * may do so later: then a failure is told by a later call, dpli_db_end at the latest, and nothing
 * is kept. So may dpli_db_exec. */
dpl_status dpli_stmt_run(dpli_stmt *s, dpl_error *err);
/** Ready to run again from anywhere. */
void dpli_stmt_reset(dpli_stmt *s);
/** All parameters null. */
void dpli_stmt_unbind(dpli_stmt *s);

/* Columns count from 0; what is borrowed lives until the next step. A value that memory failed for
   reads as null: dpli_stmt_get_* are followed by dpli_stmt_check where that would matter. */
int dpli_get_is_null(dpli_stmt *s, int i);
int64_t dpli_get_int(dpli_stmt *s, int i);
double dpli_get_real(dpli_stmt *s, int i);
const void *dpli_get_blob(dpli_stmt *s, int i, size_t *n);
/** A text or a blob as a NUL-terminated string, "" for null. */
const char *dpli_get_string(dpli_stmt *s, int i);
/** DPL_E_MEMORY when a column of this row could not be had. */
dpl_status dpli_stmt_check(dpli_stmt *s, dpl_error *err);

#endif
