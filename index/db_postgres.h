/*
 * PostgreSQL as db.h knows a database, and what only it has. db_postgres.c is the one file that
 * includes libpq-fe.h.
 *
 * A password in the address is in no message, and in no name that this gives out.
 */
#ifndef DOPPEL_INDEX_DB_POSTGRES_H
#define DOPPEL_INDEX_DB_POSTGRES_H

#include "index/db.h"

/**
 * Connect. A connection that is lost outside of a transaction is made again by the next statement.
 *
 * @param[in] address  postgresql://… as libpq reads it: also a service, and what the environment
 * and a password file say
 * @retval DPL_E_ARGUMENT  libpq cannot read the address
 * @retval DPL_E_SYSTEM    no connection; err has the server's words
 */
dpl_status dpli_postgres_open(dpli_db **out, const char *address, dpl_error *err);
/** The address without a password and what else is nobody's business; the caller's.
 * @retval DPL_E_ARGUMENT  as above */
dpl_status dpli_postgres_name(char **name, const char *address, dpl_error *err);
/** What is connected to, as messages name it. */
const char *dpli_postgres_name_of(dpli_db *db);
/** The server's version as libpq numbers it: 150004. */
int dpli_postgres_version(dpli_db *db);
/** A transaction that writes, as dpli_db_begin, and these statements, which end in no ";", with it:
 * asked for and answered at once. After a failure none is under way. */
dpl_status dpli_postgres_begin(dpli_db *db, const char *sql, dpl_error *err);
/** Whether a statement since the last begin has failed as another client's change came between. */
bool dpli_postgres_has_clashed(dpli_db *db);

/** The rows of a COPY … TO STDOUT, as they come. */
typedef dpl_status dpli_postgres_on_row(void *ctx, const void *bytes, size_t n, dpl_error *err);
dpl_status dpli_postgres_copy(dpli_db *db, const char *sql, dpli_postgres_on_row *fn, void *ctx,
                              dpl_error *err);

/** The number of the connection, from 1: of one that was lost and made again, the next. */
unsigned dpli_postgres_connection(dpli_db *db);
/** Be told of what is notified on a channel. */
dpl_status dpli_postgres_listen(dpli_db *db, const char *channel, dpl_error *err);
/** Wait for that, at most so long. *told: whether it has come. */
dpl_status dpli_postgres_wait(bool *told, dpli_db *db, int timeout_ms, dpl_error *err);

#endif
