/*
 * postgres_kit.c - galleries for tests in a server of PostgreSQL.
 *
 * A database with its tables takes longer to make than what most tests do in it, so that it is
 * emptied and used again.
 */
#include "tests/postgres/postgres_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#if DPL_HAS_POSTGRES
#include <libpq-fe.h>

static char spare[64][512];
static size_t n_spare;

static const char *host(void)
{
    static char line[256];
    const char *dir = getenv("DOPPEL_TEST_POSTGRES");
    char path[4096];
    FILE *file;

    if (line[0])
        return line;
    snprintf(path, sizeof path, "%s/host", dir);
    file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) {
        fprintf(stderr, "there is no server of PostgreSQL in %s\n", dir);
        exit(77);
    }
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

bool postgres_kit_is_wanted(void)
{
    return getenv("DOPPEL_TEST_POSTGRES") != NULL && host() != NULL;
}

static PGconn *connected(const char *address)
{
    PGconn *c = PQconnectdb(address);

    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s: %s", address, PQerrorMessage(c));
    return c;
}

static void run(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    const ExecStatusType status = PQresultStatus(r);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%.200s: %s", sql, PQerrorMessage(c));
    PQclear(r);
}

void postgres_kit_run(const char *address, const char *sql)
{
    PGconn *c = connected(address);

    run(c, sql);
    PQfinish(c);
}

char *postgres_kit_ask(const char *address, const char *sql)
{
    PGconn *c = connected(address);
    PGresult *r = PQexec(c, sql);
    char *text;

    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%.200s: %s", sql, PQerrorMessage(c));
    text = strdup(PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    assert_non_null(text);
    PQclear(r);
    PQfinish(c);
    return text;
}

int postgres_kit_life(const char *address)
{
    PGconn *c = PQconnectdb(address);
    PGresult *r = PQexec(c, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    const int pid = PQntuples(r) > 0 ? atoi(PQgetvalue(r, 0, 0)) : 0;

    PQclear(r);
    PQfinish(c);
    return pid;
}

/* Where databases are made. */
static const char *first(void)
{
    static char address[512];

    snprintf(address, sizeof address, "postgresql://doppel@/postgres?host=%s", host());
    return address;
}

/* What is in the tables when they are made, to be so again. */
static const char keep[] =
    "SET client_min_messages = error; CREATE SCHEMA kit;"
    "DO $$ DECLARE t text; n bigint; BEGIN"
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
    "  EXECUTE format('SELECT count(*) FROM public.%I', t) INTO n;"
    "  IF n > 0 THEN EXECUTE format('CREATE TABLE kit.%I AS TABLE public.%I', t, t); END IF;"
    " END LOOP; END $$;"
    "CREATE TABLE kit.tables AS SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'public'";
/* Fails where a test has dropped a table. */
static const char empty[] =
    "SET client_min_messages = error; SET session_replication_role = replica;"
    "DO $$ DECLARE t text; b boolean; BEGIN"
    " IF (SELECT n FROM kit.tables) <>"
    "  (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') THEN RAISE 'gone'; END IF;"
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
    "  EXECUTE format('SELECT EXISTS(SELECT 1 FROM public.%I)', t) INTO b;"
    "  IF b THEN EXECUTE format('DELETE FROM public.%I', t); END IF;"
    " END LOOP;"
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'kit' AND tablename <> 'tables'"
    " LOOP EXECUTE format('INSERT INTO public.%I SELECT * FROM kit.%I', t, t); END LOOP;"
    " FOR t IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
    " LOOP EXECUTE format('ALTER SEQUENCE public.%I RESTART', t); END LOOP;"
    " UPDATE gallery SET identity = md5(random()::text); END $$";

char *postgres_kit_new(void (*make)(const char *address))
{
    static unsigned n;
    char sql[128], *address;

    if (n_spare > 0)
        return strdup(spare[--n_spare]);
    snprintf(sql, sizeof sql, "CREATE DATABASE kit_%d_%u", (int)getpid(), ++n);
    postgres_kit_run(first(), sql);
    address = malloc(sizeof spare[0]);
    assert_non_null(address);
    snprintf(address, sizeof spare[0], "postgresql://doppel@/kit_%d_%u?host=%s", (int)getpid(), n,
             host());
    if (make) {
        make(address);
        postgres_kit_run(address, keep);
    }
    return address;
}

static const char *name_in(const char *address, size_t *n)
{
    const char *name = strstr(address, "@/") + 2;

    *n = strcspn(name, "?");
    return name;
}

char *postgres_kit_copy(const char *of)
{
    static unsigned n;
    char sql[256], *address = malloc(sizeof spare[0]);
    size_t n_name;
    const char *name = name_in(of, &n_name);

    assert_non_null(address);
    snprintf(sql, sizeof sql, "CREATE DATABASE copy_%d_%u TEMPLATE %.*s", (int)getpid(), ++n,
             (int)n_name, name);
    postgres_kit_run(first(), sql);
    snprintf(address, sizeof spare[0], "postgresql://doppel@/copy_%d_%u?host=%s", (int)getpid(), n,
             host());
    postgres_kit_run(address, "UPDATE gallery SET identity = md5(random()::text)");
    return address;
}

void postgres_kit_drop(char *address)
{
    char sql[256];
    size_t n;
    const char *name = name_in(address, &n);
    PGconn *c;
    PGresult *r;

    if (strncmp(name, "copy_", 5) == 0) {
        snprintf(sql, sizeof sql, "DROP DATABASE %.*s WITH (FORCE)", (int)n, name);
        postgres_kit_run(first(), sql);
        free(address);
        return;
    }
    c = connected(address);
    r = PQexec(c, empty);

    if (PQresultStatus(r) == PGRES_COMMAND_OK && n_spare < sizeof spare / sizeof *spare)
        snprintf(spare[n_spare++], sizeof spare[0], "%s", address);
    PQclear(r);
    PQfinish(c);
    free(address);
}

int postgres_kit_rows_with(const char *address, const void *bytes, size_t n)
{
    static const char each[] =
        "SELECT format('SELECT t::text FROM %I.%I AS t', n.nspname, c.relname) FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
        " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    PGconn *c = connected(address);
    PGresult *tables = PQexec(c, each);
    char *hex = calloc(2 * n + 1, 1);
    int n_rows = 0;

    assert_non_null(hex);
    assert_int_equal(PQresultStatus(tables), PGRES_TUPLES_OK);
    for (size_t i = 0; i < n; i++)
        sprintf(hex + 2 * i, "%02x", ((const unsigned char *)bytes)[i]);
    for (int i = 0; i < PQntuples(tables); i++) {
        PGresult *rows = PQexec(c, PQgetvalue(tables, i, 0));

        assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
        for (int k = 0; k < PQntuples(rows); k++) {
            const char *text = PQgetvalue(rows, k, 0);

            n_rows += strstr(text, hex) != NULL ||
                      memmem(text, (size_t)PQgetlength(rows, k, 0), bytes, n) != NULL;
        }
        PQclear(rows);
    }
    PQclear(tables);
    PQfinish(c);
    free(hex);
    return n_rows;
}

#else

bool postgres_kit_is_wanted(void)
{
    return false;
}

char *postgres_kit_new(void (*make)(const char *address))
{
    (void)make;
    fail_msg("this build knows no PostgreSQL");
    return NULL;
}

void postgres_kit_drop(char *address)
{
    free(address);
}

char *postgres_kit_copy(const char *address)
{
    (void)address;
    return NULL;
}

void postgres_kit_run(const char *address, const char *sql)
{
    (void)address, (void)sql;
}

char *postgres_kit_ask(const char *address, const char *sql)
{
    (void)address, (void)sql;
    return NULL;
}

int postgres_kit_life(const char *address)
{
    (void)address;
    return 0;
}

int postgres_kit_rows_with(const char *address, const void *bytes, size_t n)
{
    (void)address, (void)bytes, (void)n;
    return 0;
}

#endif
