/*
 * db_postgres.c - the driver of PostgreSQL: connect, prepare, bind, step, and turn its codes into
 * statuses that say what to do.
 *
 * Parameters and values travel in binary form. A statement is prepared on the server when its
 * wording runs for the second time, and stays so. Rows that may be more than memory holds come by a
 * cursor, piece by piece, within the transaction that is open or one of their own.
 *
 * Within a transaction that writes, what gives no rows is sent and not waited for: its failure is
 * that of the next statement that waits, which is the commit at the latest. The server, too, does
 * nothing of a transaction after its first failure.
 *
 * It knows nothing of the gallery's tables.
 *
 * In libdoppel.so (DPL_LATE_LIBPQ: its file) libpq is loaded with the first address: it, Kerberos,
 * LDAP and TLS below it take a fifth of what starting the program takes, and most galleries are
 * folders.
 */
#include "index/db_postgres.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "index/db_driver.h"

#if defined(DPL_LATE_LIBPQ)

#include <dlfcn.h>
#include <pthread.h>

#define EACH_OF_LIBPQ(one)                                                                         \
    one(PQclear) one(PQcmdStatus) one(PQcmdTuples) one(PQconnectdbParams) one(PQconninfo)          \
        one(PQconninfoFree) one(PQconninfoParse) one(PQconsumeInput) one(PQenterPipelineMode)      \
            one(PQerrorMessage) one(PQexec) one(PQexitPipelineMode) one(PQfinish) one(PQfreemem)   \
                one(PQgetCopyData) one(PQgetResult) one(PQgetisnull) one(PQgetlength)              \
                    one(PQgetvalue) one(PQnotifies) one(PQntuples) one(PQpipelineStatus)           \
                        one(PQpipelineSync) one(PQreset) one(PQresultErrorField)                   \
                            one(PQresultErrorMessage) one(PQresultStatus) one(PQsendPrepare)       \
                                one(PQsendQueryParams) one(PQsendQueryPrepared)                    \
                                    one(PQserverVersion) one(PQsetNoticeReceiver) one(PQsocket)    \
                                        one(PQstatus) one(PQtransactionStatus) one(PQuser)

#define FIELD(name) __typeof__(name) *name;
static struct {
    char missing[200]; /* why it is not there; "": it is */
    EACH_OF_LIBPQ(FIELD)
} late;

static void load(void)
{
    void *library = dlopen(DPL_LATE_LIBPQ, RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;

/* POSIX's way from an object's address to a function's. */
#define FIND(name)                                                                                 \
    if (all)                                                                                       \
        *(void **)&late.name = dlsym(library, #name);                                              \
    all = all && late.name;
    EACH_OF_LIBPQ(FIND)
    if (!all) {
        const char *words = dlerror();

        snprintf(late.missing, sizeof late.missing, "%s", words ? words : "no reason given");
    }
}

static dpl_status need(dpl_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return late.missing[0]
               ? dpli_fail(err, DPL_E_SYSTEM, "libpq cannot be loaded: %s", late.missing)
               : DPL_OK;
}

#define PQclear              late.PQclear
#define PQcmdStatus          late.PQcmdStatus
#define PQcmdTuples          late.PQcmdTuples
#define PQconnectdbParams    late.PQconnectdbParams
#define PQconninfo           late.PQconninfo
#define PQconninfoFree       late.PQconninfoFree
#define PQconninfoParse      late.PQconninfoParse
#define PQconsumeInput       late.PQconsumeInput
#define PQenterPipelineMode  late.PQenterPipelineMode
#define PQerrorMessage       late.PQerrorMessage
#define PQexec               late.PQexec
#define PQexitPipelineMode   late.PQexitPipelineMode
#define PQfinish             late.PQfinish
#define PQfreemem            late.PQfreemem
#define PQgetCopyData        late.PQgetCopyData
#define PQgetResult          late.PQgetResult
#define PQgetisnull          late.PQgetisnull
#define PQgetlength          late.PQgetlength
#define PQgetvalue           late.PQgetvalue
#define PQnotifies           late.PQnotifies
#define PQntuples            late.PQntuples
#define PQpipelineStatus     late.PQpipelineStatus
#define PQpipelineSync       late.PQpipelineSync
#define PQreset              late.PQreset
#define PQresultErrorField   late.PQresultErrorField
#define PQresultErrorMessage late.PQresultErrorMessage
#define PQresultStatus       late.PQresultStatus
#define PQsendPrepare        late.PQsendPrepare
#define PQsendQueryParams    late.PQsendQueryParams
#define PQsendQueryPrepared  late.PQsendQueryPrepared
#define PQserverVersion      late.PQserverVersion
#define PQsetNoticeReceiver  late.PQsetNoticeReceiver
#define PQsocket             late.PQsocket
#define PQstatus             late.PQstatus
#define PQtransactionStatus  late.PQtransactionStatus
#define PQuser               late.PQuser

#else

static dpl_status need(dpl_error *err)
{
    (void)err;
    return DPL_OK;
}

#endif

/* Parameters of a statement; rows that a cursor gives at once; wordings that are remembered to be
   prepared; statements that wait for their answers. */
enum { MAX_PARAMETERS = 64, PIECE_ROWS = 256, MAX_WORDINGS = 128, MAX_SENT = 512 };

/* Options that name files. */
enum { N_FILES = 6 };
static const char *const file_options[N_FILES] = {"sslrootcert", "sslcert",   "sslkey",
                                                  "sslcrl",      "sslcrldir", "passfile"};

/* What a statement says, which several may. */
typedef struct wording {
    char *sql;
    bool has_run;
    char name[32];          /* on the server; "": not yet */
    unsigned of_connection; /* which knows the name */
} wording;

typedef struct postgres_db {
    dpli_db db; /* first: a database is one of these */
    PGconn *conn;
    char *name;           /* for messages */
    char *password;       /* of the address, to keep out of messages; NULL: none */
    char *files[N_FILES]; /* that are read for a connection */
    size_t n_files;
    bool in_begun;    /* within a transaction that was begun, */
    bool in_write;    /* to write */
    bool in_walks;    /* within one that the open cursors have begun */
    bool in_both;     /* a reading one was begun within that: it is part of it */
    bool clashed;     /* since the last begin */
    int n_walks;      /* cursors that are open */
    unsigned n_names; /* given to statements and cursors */
    uint32_t token;   /* in the names of statements: behind a pooler nobody else's are meant */
    unsigned n_conns; /* connections so far: what was prepared is of one of them */
    int64_t changes;
    wording wordings[MAX_WORDINGS];
    int n_wordings;
    wording *sent[MAX_SENT]; /* not answered yet: what it prepares; NULL: it runs something */
    int n_sent;
    dpl_error failed; /* of what was sent, and not told yet */
} postgres_db;

typedef struct postgres_stmt {
    char *sql;
    wording *wording; /* NULL: there are too many to be prepared */
    bool many;
    bool walking; /* its cursor is open */
    char cursor[16];
    int n_parameters;
    const char *values[MAX_PARAMETERS]; /* NULL: null */
    int lengths[MAX_PARAMETERS], formats[MAX_PARAMETERS];
    uint64_t numbers[MAX_PARAMETERS]; /* as they travel */
    PGresult *result;                 /* NULL: it is to be run */
    int row;
} postgres_stmt;

static const dpli_db_driver driver;

static postgres_db *postgres_of(dpli_db *db)
{
    return (postgres_db *)(void *)db;
}

/* ------------------------------------------------------------------ messages */

/* The first line of libpq's or the server's words, without the address's password. The caller's;
   NULL when memory is out. */
static char *words_of(const postgres_db *db, const char *text)
{
    const size_t n_secret = db->password ? strlen(db->password) : 0;
    const char *at;
    char *words;

    while (*text == ' ' || *text == '\n')
        text++;
    words = dpli_asprintf(NULL, "%.*s", (int)strcspn(text, "\n"), text);
    at = words && n_secret > 0 ? strstr(words, db->password) : NULL;
    while (at) {
        char *without = dpli_asprintf(NULL, "%.*s...%s", (int)(at - words), words, at + n_secret);
        const size_t n_before = (size_t)(at - words) + 3;

        free(words);
        words = without;
        at = words ? strstr(words + n_before, db->password) : NULL;
    }
    return words;
}

static dpl_status fail_as(postgres_db *db, dpl_status status, const char *text, dpl_error *err)
{
    char *words = words_of(db, text);

    dpli_fail(err, status, "\"%s\": %s", db->name, words ? words : "out of memory");
    free(words);
    return status;
}

static dpl_status lost(postgres_db *db, dpl_error *err)
{
    char *words = words_of(db, PQerrorMessage(db->conn));

    dpli_fail(err, DPL_E_SYSTEM, "the connection to \"%s\" was lost: %s", db->name,
              words && *words ? words : "no answer");
    free(words);
    return DPL_E_SYSTEM;
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* By SQLSTATE. */
static dpl_status fail(postgres_db *db, const PGresult *result, dpl_error *err)
{
    const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (!code || !text) {
        const char *said = result ? PQresultErrorMessage(result) : PQerrorMessage(db->conn);

        if (PQstatus(db->conn) == CONNECTION_BAD)
            return lost(db, err);
        if (!result || strstr(said, "out of memory"))
            return dpli_fail(err, DPL_E_MEMORY, "out of memory while working on \"%s\"", db->name);
        return fail_as(db, DPL_E_SYSTEM, said, err);
    }
    if (strcmp(code, "40001") == 0 || strcmp(code, "40P01") == 0) {
        db->clashed = true;
        return dpli_fail(err, DPL_E_LOCKED,
                         "another client of \"%s\" changed the same at the same time; nothing of "
                         "this was kept",
                         db->name);
    }
    if (strcmp(code, "55P03") == 0)
        return dpli_fail(err, DPL_E_LOCKED, "\"%s\" is in use by another client", db->name);
    if (strcmp(code, "25P03") == 0)
        return dpli_fail(err, DPL_E_LOCKED,
                         "\"%s\" has ended a change that stood still for too long; nothing of it "
                         "was kept",
                         db->name);
    if (strcmp(code, "25006") == 0)
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" can only be read: it is a replica, or was made so", db->name);
    if (strcmp(code, "42501") == 0)
        return dpli_fail(err, DPL_E_GALLERY, "the role \"%s\" may not do this in \"%s\": %s",
                         PQuser(db->conn), db->name, text);
    if (begins_with(code, "57P") || begins_with(code, "08") || PQstatus(db->conn) == CONNECTION_BAD)
        return dpli_fail(err, DPL_E_SYSTEM, "the connection to \"%s\" was lost: %s", db->name,
                         text);
    if (begins_with(code, "53200"))
        return dpli_fail(err, DPL_E_SYSTEM, "the server of \"%s\" is out of memory", db->name);
    if (begins_with(code, "54"))
        return fail_as(db, DPL_E_LIMIT, text, err);
    if (strcmp(code, "26000") == 0 || strcmp(code, "42P05") == 0)
        return dpli_fail(err, DPL_E_SYSTEM,
                         "before \"%s\" stands a pooler that gives every transaction another "
                         "connection: it has to pool by session",
                         db->name);
    /* Our statements and rows are right, so the tables are not what they were made as. */
    if (begins_with(code, "23") || begins_with(code, "42") || begins_with(code, "22") ||
        begins_with(code, "XX"))
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s", db->name, text);
    return fail_as(db, DPL_E_SYSTEM, text, err);
}

/* ------------------------------------------------------------------ address */

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && *o->val ? o->val : NULL;
    return NULL;
}

/* The first that is asked of libpq. Its words on what it cannot read repeat the address. */
static dpl_status parse(PQconninfoOption **options, const char *address, dpl_error *err)
{
    const dpl_status status = need(err);

    *options = NULL;
    if (status != DPL_OK)
        return status;
    *options = PQconninfoParse(address, NULL);
    return *options ? DPL_OK
                    : dpli_fail(err, DPL_E_ARGUMENT,
                                "the gallery's address is not one that libpq reads: "
                                "postgresql://user@host:port/database, where what is not a letter "
                                "or digit is written as %%XX");
}

static dpl_status name_of(char **name, const PQconninfoOption *options, dpl_error *err)
{
    const char *user = option_of(options, "user"), *host = option_of(options, "host");
    const char *port = option_of(options, "port"), *database = option_of(options, "dbname");
    const char *service = option_of(options, "service");
    dpli_buf out = {0};
    dpl_status status;

    /* What stands before a password that was not written as %XX is taken for the host. */
    if ((host && strchr(host, '@')) || (database && strchr(database, '@')))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the gallery's address has an \"@\" too many: in a password it is written "
                         "as %%40, and \"/\" as %%2F");
    dpli_buf_str(&out, "postgresql://");
    if (user)
        dpli_buf_printf(&out, "%s@", user);
    if (host && host[0] != '/')
        dpli_buf_str(&out, host);
    if (port)
        dpli_buf_printf(&out, ":%s", port);
    dpli_buf_printf(&out, "/%s", database ? database : "");
    if (host && host[0] == '/')
        dpli_buf_printf(&out, "?host=%s", host);
    if (service)
        dpli_buf_printf(&out, "%sservice=%s", host && host[0] == '/' ? "&" : "?", service);
    status = dpli_buf_check(&out, err);
    *name = status == DPL_OK ? dpli_strdup(out.data, err) : NULL;
    dpli_buf_clear(&out);
    return *name ? DPL_OK : DPL_E_MEMORY;
}

dpl_status dpli_postgres_name(char **name, const char *address, dpl_error *err)
{
    PQconninfoOption *options;
    dpl_status status = parse(&options, address, err);

    *name = NULL;
    if (status == DPL_OK)
        status = name_of(name, options, err);
    if (options)
        PQconninfoFree(options);
    return status;
}

/* ------------------------------------------------------------------ connection */

static void say_nothing(void *ctx, const PGresult *result)
{
    (void)ctx;
    (void)result;
}

static void close_db(dpli_db *any)
{
    postgres_db *db = postgres_of(any);

    if (db->conn)
        PQfinish(db->conn);
    for (int i = 0; i < db->n_wordings; i++)
        free(db->wordings[i].sql);
    for (size_t i = 0; i < db->n_files; i++)
        free(db->files[i]);
    free(db->name);
    free(db->password);
    free(db);
}

/* As libpq has put them together: of the address, the environment and a service. */
static dpl_status keep_files(postgres_db *db, dpl_error *err)
{
    PQconninfoOption *options = PQconninfo(db->conn);
    dpl_status status =
        options ? DPL_OK
                : dpli_fail(err, DPL_E_MEMORY, "no memory for a connection to \"%s\"", db->name);

    for (size_t i = 0; i < N_FILES && status == DPL_OK; i++) {
        const char *path = option_of(options, file_options[i]);

        if (!path)
            continue;
        db->files[db->n_files] = dpli_strdup(path, err);
        if (db->files[db->n_files])
            db->n_files++;
        else
            status = DPL_E_MEMORY;
    }
    PQconninfoFree(options);
    return status;
}

const char *dpli_postgres_file(dpli_db *any, size_t i)
{
    const postgres_db *db = postgres_of(any);

    return i < db->n_files ? db->files[i] : NULL;
}

dpl_status dpli_postgres_open(dpli_db **out, const char *address, dpl_error *err)
{
    /* What the address says counts more. A peer that has gone is noticed within a minute. */
    const char *const keywords[] = {
        "connect_timeout",  "keepalives_idle",           "keepalives_interval",
        "keepalives_count", "tcp_user_timeout",          "dbname",
        "client_encoding",  "fallback_application_name", NULL};
    const char *const values[] = {"10", "30", "10", "3", "60000", address, "UTF8", "doppel", NULL};
    postgres_db *db = dpli_calloc(1, sizeof *db, err);
    PQconninfoOption *options = NULL;
    const char *password;
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!db)
        return DPL_E_MEMORY;
    db->db.driver = &driver;
    db->n_conns = 1;
    if (getentropy(&db->token, sizeof db->token) != 0)
        errno = 0;
    status = parse(&options, address, err);
    if (status == DPL_OK)
        status = name_of(&db->name, options, err);
    if (status != DPL_OK)
        goto done;
    password = option_of(options, "password");
    db->password = password ? dpli_strdup(password, err) : NULL;
    if (password && !db->password) {
        status = DPL_E_MEMORY;
        goto done;
    }
    db->conn = PQconnectdbParams(keywords, values, 1);
    if (!db->conn) {
        status = dpli_fail(err, DPL_E_MEMORY, "no memory for a connection to \"%s\"", db->name);
        goto done;
    }
    PQsetNoticeReceiver(db->conn, say_nothing, NULL);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        char *words = words_of(db, PQerrorMessage(db->conn));

        status = dpli_fail(err, DPL_E_SYSTEM, "no connection to \"%s\": %s", db->name,
                           words ? words : "out of memory");
        free(words);
        goto done;
    }
    status = keep_files(db, err);
    if (status != DPL_OK)
        goto done;
    *out = &db->db;
    db = NULL;
done:
    if (options)
        PQconninfoFree(options);
    if (db)
        close_db(&db->db);
    return status;
}

const char *dpli_postgres_name_of(dpli_db *db)
{
    return postgres_of(db)->name;
}

int dpli_postgres_version(dpli_db *db)
{
    return PQserverVersion(postgres_of(db)->conn);
}

unsigned dpli_postgres_connection(dpli_db *db)
{
    return postgres_of(db)->n_conns;
}

bool dpli_postgres_has_clashed(dpli_db *db)
{
    return postgres_of(db)->clashed;
}

static bool in_transaction(const postgres_db *db)
{
    return db->in_begun || db->in_walks;
}

/* Where no transaction is under way, a connection that was lost is made again. */
static dpl_status connected(postgres_db *db, dpl_error *err)
{
    if (PQstatus(db->conn) == CONNECTION_OK)
        return DPL_OK;
    if (in_transaction(db))
        return lost(db, err);
    PQreset(db->conn);
    db->n_conns++;
    return PQstatus(db->conn) == CONNECTION_OK ? DPL_OK : lost(db, err);
}

/* ------------------------------------------------------------------ sent and answered */

static bool is_right(const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

/* Answers to all that was sent, up to the mark that ends them. What comes after the first failure
   was not done. *last: of the last one, when all is right; the caller's. */
static dpl_status take_answers(postgres_db *db, PGresult **last, dpl_error *err)
{
    dpl_status status = DPL_OK;
    bool at_end = false;
    int n = 0;

    while (!at_end) {
        PGresult *r = PQgetResult(db->conn);
        const ExecStatusType is = PQresultStatus(r);

        if (!r && PQstatus(db->conn) == CONNECTION_BAD)
            break;
        at_end = r ? is == PGRES_PIPELINE_SYNC : ++n > db->n_sent;
        if (r && !at_end && is_right(r)) {
            PQclear(*last);
            *last = r;
            continue;
        }
        if (r && !at_end && n < db->n_sent && db->sent[n])
            db->sent[n]->name[0] = '\0';
        if (r && !at_end && is != PGRES_PIPELINE_ABORTED && status == DPL_OK)
            status = fail(db, r, err);
        PQclear(r);
    }
    if (status == DPL_OK && PQstatus(db->conn) == CONNECTION_BAD)
        status = lost(db, err);
    return status;
}

/* Wait for the answers to what was sent. last: where that of the last one goes when all is right,
   the caller's; NULL: it is not wanted. */
static dpl_status settle(postgres_db *db, PGresult **last, dpl_error *err)
{
    PGresult *r = NULL;
    dpl_status status = DPL_OK;

    if (PQpipelineStatus(db->conn) != PQ_PIPELINE_OFF) {
        status = PQpipelineSync(db->conn) ? take_answers(db, &r, err) : lost(db, err);
        db->n_sent = 0;
        if (PQexitPipelineMode(db->conn) == 0 && status == DPL_OK)
            status = lost(db, err);
    }
    if (db->failed.status != DPL_OK) {
        status = dpli_fail(err, db->failed.status, "%s", db->failed.message);
        db->failed.status = DPL_OK;
    }
    if (status == DPL_OK && r)
        db->changes = strtoll(PQcmdTuples(r), NULL, 10);
    if (status == DPL_OK && last) {
        *last = r;
        r = NULL;
    }
    PQclear(r);
    return status;
}

/* What is sent with it is answered in its place, by settle(). */
static dpl_status make_room(postgres_db *db, dpl_error *err)
{
    dpl_status status = db->n_sent + 2 > MAX_SENT ? settle(db, NULL, err) : DPL_OK;

    if (status == DPL_OK && PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF &&
        PQenterPipelineMode(db->conn) == 0)
        status = fail(db, NULL, err);
    return status;
}

/* The name that a wording has on the server, "" for none; what gives it one is sent. */
static dpl_status name_wording(postgres_db *db, wording *t, dpl_error *err)
{
    if (!t->has_run || (t->name[0] && t->of_connection == db->n_conns))
        return DPL_OK;
    snprintf(t->name, sizeof t->name, "dpl%u_%08x", ++db->n_names, db->token);
    t->of_connection = db->n_conns;
    if (PQsendPrepare(db->conn, t->name, t->sql, 0, NULL) == 0) {
        t->name[0] = '\0';
        return fail(db, NULL, err);
    }
    db->sent[db->n_sent++] = t;
    return DPL_OK;
}

/* s NULL: sql has no parameters. t NULL: it is not to be prepared. */
static dpl_status post(postgres_db *db, const char *sql, wording *t, const postgres_stmt *s,
                       dpl_error *err)
{
    const int n = s ? s->n_parameters : 0;
    const char *const *values = s ? s->values : NULL;
    const int *lengths = s ? s->lengths : NULL, *formats = s ? s->formats : NULL;
    dpl_status status = make_room(db, err);
    int sent;

    if (status == DPL_OK && t)
        status = name_wording(db, t, err);
    if (status != DPL_OK)
        return status;
    sent = t && t->name[0] ? PQsendQueryPrepared(db->conn, t->name, n, values, lengths, formats, 1)
                           : PQsendQueryParams(db->conn, sql, n, NULL, values, lengths, formats, 1);
    if (sent == 0)
        return fail(db, NULL, err);
    db->sent[db->n_sent++] = NULL;
    if (t)
        t->has_run = true;
    return DPL_OK;
}

/* ------------------------------------------------------------------ simple statements */

/* Several statements at once, or one, and wait. */
static dpl_status exec_now(postgres_db *db, const char *sql, dpl_error *err)
{
    dpl_status status = settle(db, NULL, err);
    PGresult *result;

    if (status == DPL_OK)
        status = connected(db, err);
    if (status != DPL_OK)
        return status;
    result = PQexec(db->conn, sql);
    if (!is_right(result))
        status = fail(db, result, err);
    else
        db->changes = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return status;
}

static dpl_status exec_sql(dpli_db *any, const char *sql, dpl_error *err)
{
    postgres_db *db = postgres_of(any);

    return db->in_write && !strchr(sql, ';') ? post(db, sql, NULL, NULL, err)
                                             : exec_now(db, sql, err);
}

/* Ids are chosen before a row is added. */
static int64_t last_id(dpli_db *db)
{
    (void)db;
    return 0;
}

/* A failure that is met here is told by what waits next. */
static int64_t changes(dpli_db *any)
{
    postgres_db *db = postgres_of(any);
    dpl_error err = {DPL_OK, ""};

    if (settle(db, NULL, &err) != DPL_OK)
        db->failed = err;
    return db->failed.status == DPL_OK ? db->changes : 0;
}

static dpl_status begin_by(postgres_db *db, const char *sql, bool write, dpl_error *err)
{
    dpl_status status = exec_now(db, sql, err);

    /* A connection that has stood idle may have been cut without a word. */
    if (status != DPL_OK && PQstatus(db->conn) == CONNECTION_BAD)
        status = exec_now(db, sql, err);
    db->in_begun = status == DPL_OK;
    db->in_write = db->in_begun && write;
    db->clashed = false;
    return status;
}

static dpl_status begin(dpli_db *any, bool write, dpl_error *err)
{
    postgres_db *db = postgres_of(any);

    if (!write && db->in_walks) {
        db->in_both = true;
        return DPL_OK;
    }
    return begin_by(db,
                    write ? "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
                          : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    write, err);
}

dpl_status dpli_postgres_begin(dpli_db *any, const char *sql, dpl_error *err)
{
    postgres_db *db = postgres_of(any);
    char *all = dpli_asprintf(err, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;%s", sql);
    dpl_status status = all ? begin_by(db, all, true, err) : DPL_E_MEMORY;

    free(all);
    if (status != DPL_OK && PQstatus(db->conn) == CONNECTION_OK &&
        PQtransactionStatus(db->conn) != PQTRANS_IDLE)
        PQclear(PQexec(db->conn, "ROLLBACK"));
    return status;
}

static dpl_status commit(postgres_db *db, dpl_error *err)
{
    PGresult *result = NULL;
    dpl_status status = post(db, "COMMIT", NULL, NULL, err);

    if (status == DPL_OK)
        status = settle(db, &result, err);
    if (status != DPL_OK && PQstatus(db->conn) == CONNECTION_BAD)
        status = dpli_fail(err, DPL_E_SYSTEM,
                           "the connection to \"%s\" was lost while a change was being kept: it is "
                           "whole there, or nothing of it is; the same command again makes sure",
                           db->name);
    else if (status == DPL_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        status =
            dpli_fail(err, DPL_E_SYSTEM, "\"%s\" has not kept a change that had failed", db->name);
    PQclear(result);
    return status;
}

/* What was to be taken back all the same must have been possible, if that is what was asked. */
static dpl_status end(dpli_db *any, dpl_status status, dpl_error *err)
{
    postgres_db *db = postgres_of(any);
    dpl_status settled;

    if (db->in_both) {
        db->in_both = false;
        return status;
    }
    if (status == DPL_OK) {
        status = PQstatus(db->conn) == CONNECTION_OK ? commit(db, err) : lost(db, err);
    } else if (status == DPL_E_CANCELLED) {
        settled = settle(db, NULL, err);
        status = settled == DPL_OK ? status : settled;
    } else {
        settle(db, NULL, NULL);
    }
    if (status != DPL_OK && PQstatus(db->conn) == CONNECTION_OK &&
        PQtransactionStatus(db->conn) != PQTRANS_IDLE)
        PQclear(PQexec(db->conn, "ROLLBACK"));
    db->in_begun = db->in_write = false;
    db->failed.status = DPL_OK;
    return status;
}

/* ------------------------------------------------------------------ statements */

static postgres_stmt *stmt_of(dpli_stmt *s)
{
    return s->handle;
}

/* "?" and "?1" as "$1". */
static dpl_status translate(postgres_stmt *s, const char *sql, dpl_error *err)
{
    dpli_buf out = {0};
    dpl_status status;
    char quote = 0;

    for (const char *c = sql; *c; c++) {
        long n;
        char *rest;

        if (quote)
            quote = *c == quote ? 0 : quote;
        else if (*c == '\'' || *c == '"')
            quote = *c;
        if (quote || *c != '?') {
            dpli_buf_add(&out, c, 1);
            continue;
        }
        n = strtol(c + 1, &rest, 10);
        if (rest == c + 1)
            n = s->n_parameters + 1;
        if (n > s->n_parameters)
            s->n_parameters = (int)n;
        dpli_buf_printf(&out, "$%ld", n);
        c = rest - 1;
    }
    status = dpli_buf_check(&out, err);
    if (status == DPL_OK && s->n_parameters > MAX_PARAMETERS)
        status = dpli_fail(err, DPL_E_BUG, "a statement of %d parameters", s->n_parameters);
    if (status == DPL_OK)
        s->sql = dpli_strdup(out.data, err);
    dpli_buf_clear(&out);
    return status != DPL_OK ? status : s->sql ? DPL_OK : DPL_E_MEMORY;
}

/* Its place among those that are remembered; NULL: there is none left. */
static dpl_status remember(wording **out, postgres_db *db, const char *sql, dpl_error *err)
{
    *out = NULL;
    for (int i = 0; i < db->n_wordings; i++)
        if (strcmp(db->wordings[i].sql, sql) == 0) {
            *out = &db->wordings[i];
            return DPL_OK;
        }
    if (db->n_wordings == MAX_WORDINGS)
        return DPL_OK;
    db->wordings[db->n_wordings] = (wording){.sql = dpli_strdup(sql, err)};
    if (!db->wordings[db->n_wordings].sql)
        return DPL_E_MEMORY;
    *out = &db->wordings[db->n_wordings++];
    return DPL_OK;
}

static dpl_status prepare(dpli_stmt *out, dpli_db *db, const char *sql, dpl_error *err)
{
    postgres_stmt *s = dpli_calloc(1, sizeof *s, err);
    dpl_status status = s ? translate(s, sql, err) : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = remember(&s->wording, postgres_of(db), s->sql, err);
    out->db = db;
    out->failed = 0;
    out->handle = NULL;
    if (status == DPL_OK) {
        out->handle = s;
    } else if (s) {
        free(s->sql);
        free(s);
    }
    return status;
}

static void expect_many(dpli_stmt *s)
{
    stmt_of(s)->many = true;
}

/* Its result goes; a cursor is closed, and the transaction that the last one has begun is ended. */
static void stop(postgres_db *db, postgres_stmt *s)
{
    char sql[40];

    PQclear(s->result);
    s->result = NULL;
    if (!s->walking)
        return;
    s->walking = false;
    db->n_walks--;
    if (db->n_walks > 0 || !db->in_walks) {
        snprintf(sql, sizeof sql, "CLOSE %s", s->cursor);
        /* In a transaction that has failed it is closed already. */
        if (db->n_sent > 0 || PQtransactionStatus(db->conn) == PQTRANS_INTRANS)
            post(db, sql, NULL, NULL, NULL);
        return;
    }
    db->in_walks = false;
    settle(db, NULL, NULL);
    if (PQstatus(db->conn) == CONNECTION_OK)
        PQclear(PQexec(db->conn, "ROLLBACK"));
}

static void finalize(dpli_stmt *out)
{
    postgres_stmt *s = stmt_of(out);

    stop(postgres_of(out->db), s);
    free(s->sql);
    free(s);
}

static void bind(dpli_stmt *out, int i, const void *bytes, size_t n)
{
    postgres_stmt *s = stmt_of(out);

    if (i < 1 || i > s->n_parameters || n > INT32_MAX) {
        out->failed = 1;
        return;
    }
    s->values[i - 1] = bytes;
    s->lengths[i - 1] = (int)n;
    s->formats[i - 1] = 1;
}

static void bind_null(dpli_stmt *s, int i)
{
    bind(s, i, NULL, 0);
}

static void bind_number(dpli_stmt *s, int i, uint64_t bits)
{
    if (i >= 1 && i <= MAX_PARAMETERS)
        stmt_of(s)->numbers[i - 1] = htobe64(bits);
    bind(s, i, i >= 1 && i <= MAX_PARAMETERS ? &stmt_of(s)->numbers[i - 1] : NULL, 8);
}

static void bind_int(dpli_stmt *s, int i, int64_t value)
{
    bind_number(s, i, (uint64_t)value);
}

static void bind_real(dpli_stmt *s, int i, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    bind_number(s, i, bits);
}

static void bind_text(dpli_stmt *s, int i, const char *text)
{
    bind(s, i, text, text ? strlen(text) : 0);
}

static void bind_blob(dpli_stmt *s, int i, const void *bytes, size_t n)
{
    /* Empty is not null. */
    bind(s, i, bytes || n > 0 ? bytes : "", n);
}

static dpl_status fetch(postgres_db *db, postgres_stmt *s, dpl_error *err)
{
    char sql[64];
    dpl_status status;

    PQclear(s->result);
    s->result = NULL;
    s->row = -1;
    snprintf(sql, sizeof sql, "FETCH %d FROM %s", PIECE_ROWS, s->cursor);
    status = post(db, sql, NULL, NULL, err);
    return status == DPL_OK ? settle(db, &s->result, err) : status;
}

static dpl_status open_walk(postgres_db *db, postgres_stmt *s, dpl_error *err)
{
    dpl_status status = DPL_OK;
    char *sql;

    if (!in_transaction(db)) {
        status = exec_now(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
        if (status != DPL_OK && PQstatus(db->conn) == CONNECTION_BAD)
            status = exec_now(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
        if (status != DPL_OK)
            return status;
        db->in_walks = true;
    }
    db->n_walks++;
    s->walking = true;
    snprintf(s->cursor, sizeof s->cursor, "dpl%u", ++db->n_names);
    sql = dpli_asprintf(err, "DECLARE %s NO SCROLL CURSOR FOR %s", s->cursor, s->sql);
    if (!sql)
        return DPL_E_MEMORY;
    status = post(db, sql, NULL, s, err);
    free(sql);
    return status == DPL_OK ? fetch(db, s, err) : status;
}

/* A reading that found the connection cut, with nothing begun, is made again on another. */
static dpl_status run(postgres_db *db, postgres_stmt *s, dpl_error *err)
{
    const bool may_repeat = !in_transaction(db) && begins_with(s->sql, "SELECT");
    dpl_status status = DPL_OK;

    s->row = -1;
    for (int i = 0; i < 2; i++) {
        status = connected(db, err);
        if (status != DPL_OK)
            return status;
        status = post(db, s->sql, s->wording, s, err);
        if (status == DPL_OK)
            status = settle(db, &s->result, err);
        if (status == DPL_OK || !may_repeat || PQstatus(db->conn) != CONNECTION_BAD)
            break;
    }
    return status;
}

static dpl_status refuse_parameter(dpli_stmt *out, dpl_error *err)
{
    out->failed = 0;
    return dpli_fail(err, DPL_E_BUG, "\"%s\": a parameter that a statement does not have",
                     postgres_of(out->db)->name);
}

static dpl_status step(dpli_stmt *out, bool *row, dpl_error *err)
{
    postgres_db *db = postgres_of(out->db);
    postgres_stmt *s = stmt_of(out);
    dpl_status status = DPL_OK;

    *row = false;
    if (out->failed)
        return refuse_parameter(out, err);
    if (!s->result)
        status = s->many ? open_walk(db, s, err) : run(db, s, err);
    if (status == DPL_OK && s->walking && s->row + 1 == PQntuples(s->result) &&
        s->row + 1 == PIECE_ROWS)
        status = fetch(db, s, err);
    if (status == DPL_OK) {
        s->row++;
        *row = s->row < PQntuples(s->result);
    }
    if (!*row)
        stop(db, s);
    return status;
}

static dpl_status run_to_end(dpli_stmt *out, dpl_error *err)
{
    postgres_db *db = postgres_of(out->db);
    postgres_stmt *s = stmt_of(out);
    dpl_status status;

    if (out->failed)
        return refuse_parameter(out, err);
    stop(db, s);
    status = db->in_write ? post(db, s->sql, s->wording, s, err) : run(db, s, err);
    PQclear(s->result);
    s->result = NULL;
    return status;
}

static void reset(dpli_stmt *s)
{
    s->failed = 0;
    stop(postgres_of(s->db), stmt_of(s));
}

static void unbind(dpli_stmt *out)
{
    memset(stmt_of(out)->values, 0, sizeof stmt_of(out)->values);
}

/* ------------------------------------------------------------------ values */

static bool is_null(dpli_stmt *out, int i)
{
    const postgres_stmt *s = stmt_of(out);

    return PQgetisnull(s->result, s->row, i) != 0;
}

/* Whole numbers of any width. */
static int64_t get_int(dpli_stmt *out, int i)
{
    const postgres_stmt *s = stmt_of(out);
    const char *at = PQgetvalue(s->result, s->row, i);
    uint64_t eight;
    uint32_t four;
    uint16_t two;

    if (is_null(out, i))
        return 0;
    switch (PQgetlength(s->result, s->row, i)) {
    case 8: memcpy(&eight, at, 8); return (int64_t)be64toh(eight);
    case 4: memcpy(&four, at, 4); return (int32_t)be32toh(four);
    case 2: memcpy(&two, at, 2); return (int16_t)be16toh(two);
    case 1: return *at;
    default: return 0;
    }
}

static double get_real(dpli_stmt *out, int i)
{
    const int64_t bits = get_int(out, i);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static const void *get_blob(dpli_stmt *out, int i, size_t *n)
{
    const postgres_stmt *s = stmt_of(out);

    *n = (size_t)PQgetlength(s->result, s->row, i);
    return *n > 0 ? PQgetvalue(s->result, s->row, i) : NULL;
}

/* libpq ends every value by a NUL. */
static const char *get_string(dpli_stmt *out, int i)
{
    const postgres_stmt *s = stmt_of(out);

    return is_null(out, i) ? "" : PQgetvalue(s->result, s->row, i);
}

/* A result is there whole or not at all. */
static dpl_status check_row(dpli_stmt *s, dpl_error *err)
{
    (void)s;
    (void)err;
    return DPL_OK;
}

/* ------------------------------------------------------------------ being told */

dpl_status dpli_postgres_listen(dpli_db *any, const char *channel, dpl_error *err)
{
    char sql[80];

    snprintf(sql, sizeof sql, "LISTEN %.60s", channel);
    return exec_now(postgres_of(any), sql, err);
}

static bool take_notices(postgres_db *db)
{
    bool any = false;

    for (PGnotify *n = PQnotifies(db->conn); n; n = PQnotifies(db->conn)) {
        any = true;
        PQfreemem(n);
    }
    return any;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

dpl_status dpli_postgres_copy(dpli_db *any, const char *sql, dpli_postgres_on_row *fn, void *ctx,
                              dpl_error *err)
{
    postgres_db *db = postgres_of(any);
    dpl_status status = settle(db, NULL, err);
    PGresult *result;
    char *row = NULL;
    int n;

    if (status == DPL_OK)
        status = connected(db, err);

    if (status != DPL_OK)
        return status;
    result = PQexec(db->conn, sql);
    if (PQresultStatus(result) != PGRES_COPY_OUT)
        status = fail(db, result, err);
    PQclear(result);
    if (status != DPL_OK)
        return status;
    /* To its end in any case: nothing else can be asked before. */
    for (n = PQgetCopyData(db->conn, &row, 0); n > 0; n = PQgetCopyData(db->conn, &row, 0)) {
        if (status == DPL_OK)
            status = fn(ctx, row, (size_t)n, err);
        PQfreemem(row);
    }
    for (result = PQgetResult(db->conn); result; result = PQgetResult(db->conn)) {
        if (status == DPL_OK && !is_right(result))
            status = fail(db, result, err);
        PQclear(result);
    }
    return status == DPL_OK && n == -2 ? lost(db, err) : status;
}

dpl_status dpli_postgres_wait(bool *told, dpli_db *any, int timeout_ms, dpl_error *err)
{
    postgres_db *db = postgres_of(any);
    const int64_t until = now_ms() + timeout_ms;

    for (*told = take_notices(db); !*told;) {
        struct pollfd p = {.fd = PQsocket(db->conn), .events = POLLIN};
        const int64_t left = until - now_ms();

        if (PQstatus(db->conn) == CONNECTION_BAD)
            return lost(db, err);
        if (left <= 0)
            return DPL_OK;
        if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
            return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "waiting for \"%s\"", db->name);
        if (p.revents && !PQconsumeInput(db->conn))
            return lost(db, err);
        *told = take_notices(db);
    }
    return DPL_OK;
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
    .expect_many = expect_many,
    .bind_null = bind_null,
    .bind_int = bind_int,
    .bind_real = bind_real,
    .bind_text = bind_text,
    .bind_blob = bind_blob,
    .step = step,
    .run = run_to_end,
    .reset = reset,
    .unbind = unbind,
    .is_null = is_null,
    .get_int = get_int,
    .get_real = get_real,
    .get_blob = get_blob,
    .get_string = get_string,
    .check_row = check_row,
};
