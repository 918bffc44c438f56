/* Galleries for tests in the server of PostgreSQL that $DOPPEL_TEST_POSTGRES names (the folder of
 * tests/postgres/server.sh). A build without libpq has none. All of it fails the test when it cannot do its work. */
#ifndef DOPPEL_TESTS_POSTGRES_POSTGRES_KIT_H
#define DOPPEL_TESTS_POSTGRES_POSTGRES_KIT_H

#include <stdbool.h>
#include <stddef.h>

/** Whether galleries are to be there. Ends the program with 77, which is skipped, where there is no
 * such server. */
bool postgres_kit_is_wanted(void);

/** The address of a database, in which nothing is yet but what make has made there, if it is not
 * NULL: all calls of a program say the same. postgres_kit_drop takes it back, and frees it. */
char *postgres_kit_new(void (*make)(const char *address));
void postgres_kit_drop(char *address);

/** One more that holds what this one does, with an identity of its own. Nobody may be connected to
 * it. */
char *postgres_kit_copy(const char *address);

/** Run statements in that database, as its owner. */
void postgres_kit_run(const char *address, const char *sql);
/** The first column of the first row, freed with free(); "" when there is none. */
char *postgres_kit_ask(const char *address, const char *sql);

/** A number that is another one when the server has begun anew; 0: it takes no connection now. */
int postgres_kit_life(const char *address);

/** How many rows of the database hold these bytes, whichever table they are in. */
int postgres_kit_rows_with(const char *address, const void *bytes, size_t n);

#endif
