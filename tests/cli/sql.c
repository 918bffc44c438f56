/*
 * sql.c - cli_sql FILE SQL: changes a database behind doppel's back, as a disk would.
 */
#include <stdio.h>

#include <sqlite3.h>

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    int code = argc == 3 ? sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL) : SQLITE_MISUSE;

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, argv[2], NULL, NULL, &why);
    if (code != SQLITE_OK)
        fprintf(stderr, "%s\n", why ? why : sqlite3_errstr(code));
    sqlite3_free(why);
    sqlite3_close(db);
    return code != SQLITE_OK;
}
