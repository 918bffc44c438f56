/*
 * db_call.c - the calls of db.h, whichever database they are of.
 */
#include <string.h>

#include "index/db_driver.h"

void dpli_db_close(dpli_db *db)
{
    if (db)
        db->driver->close(db);
}

dpl_status dpli_db_exec(dpli_db *db, const char *sql, dpl_error *err)
{
    return db->driver->exec(db, sql, err);
}

dpl_status dpli_db_int(int64_t *out, dpli_db *db, const char *sql, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;

    *out = 0;
    status = dpli_stmt_new(&s, db, sql, err);
    if (dpli_stmt_next(&status, &s, err))
        *out = dpli_get_int(&s, 0);
    dpli_stmt_clear(&s);
    return status;
}

int64_t dpli_db_last_id(dpli_db *db)
{
    return db->driver->last_id(db);
}

int64_t dpli_db_changes(dpli_db *db)
{
    return db->driver->changes(db);
}

dpl_status dpli_db_begin(dpli_db *db, int write, dpl_error *err)
{
    return db->driver->begin(db, write != 0, err);
}

dpl_status dpli_db_end(dpli_db *db, dpl_status status, dpl_error *err)
{
    return db->driver->end(db, status, err);
}

/* ------------------------------------------------------------------ statements */

dpl_status dpli_stmt_new(dpli_stmt *out, dpli_db *db, const char *sql, dpl_error *err)
{
    return db->driver->prepare(out, db, sql, err);
}

/* One that was never made has no database either. */
void dpli_stmt_clear(dpli_stmt *s)
{
    if (s->handle)
        s->db->driver->finalize(s);
    s->handle = NULL;
}

void dpli_stmt_expect_many(dpli_stmt *s)
{
    if (s->db->driver->expect_many)
        s->db->driver->expect_many(s);
}

void dpli_bind_null(dpli_stmt *s, int i)
{
    s->db->driver->bind_null(s, i);
}

void dpli_bind_int(dpli_stmt *s, int i, int64_t value)
{
    s->db->driver->bind_int(s, i, value);
}

void dpli_bind_real(dpli_stmt *s, int i, double value)
{
    s->db->driver->bind_real(s, i, value);
}

void dpli_bind_text(dpli_stmt *s, int i, const char *text)
{
    s->db->driver->bind_text(s, i, text);
}

void dpli_bind_blob(dpli_stmt *s, int i, const void *bytes, size_t n)
{
    s->db->driver->bind_blob(s, i, bytes, n);
}

void dpli_bind_bytes(dpli_stmt *s, int i, const char *bytes)
{
    /* An empty blob needs a pointer all the same, or it is null: bytes is one. */
    if (bytes)
        dpli_bind_blob(s, i, bytes, strlen(bytes));
    else
        dpli_bind_null(s, i);
}

dpl_status dpli_stmt_step(dpli_stmt *s, bool *row, dpl_error *err)
{
    return s->db->driver->step(s, row, err);
}

bool dpli_stmt_next(dpl_status *status, dpli_stmt *s, dpl_error *err)
{
    bool row = false;

    if (*status == DPL_OK)
        *status = dpli_stmt_step(s, &row, err);
    return *status == DPL_OK && row;
}

dpl_status dpli_stmt_run(dpli_stmt *s, dpl_error *err)
{
    dpl_status status;
    bool row;

    if (s->db->driver->run)
        return s->db->driver->run(s, err);
    for (status = dpli_stmt_step(s, &row, err); status == DPL_OK && row;
         status = dpli_stmt_step(s, &row, err))
        ;
    return status;
}

void dpli_stmt_reset(dpli_stmt *s)
{
    s->db->driver->reset(s);
}

void dpli_stmt_unbind(dpli_stmt *s)
{
    s->db->driver->unbind(s);
}

int dpli_get_is_null(dpli_stmt *s, int i)
{
    return s->db->driver->is_null(s, i);
}

int64_t dpli_get_int(dpli_stmt *s, int i)
{
    return s->db->driver->get_int(s, i);
}

double dpli_get_real(dpli_stmt *s, int i)
{
    return s->db->driver->get_real(s, i);
}

const void *dpli_get_blob(dpli_stmt *s, int i, size_t *n)
{
    return s->db->driver->get_blob(s, i, n);
}

const char *dpli_get_string(dpli_stmt *s, int i)
{
    return s->db->driver->get_string(s, i);
}

dpl_status dpli_stmt_check(dpli_stmt *s, dpl_error *err)
{
    return s->db->driver->check_row(s, err);
}
