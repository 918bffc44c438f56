/*
 * gallery.c - the gallery's folder: made, opened, locked, checked; its settings, and which model
 * its vectors belong to.
 *
 * gallery.db is the truth and everything beside it is derived from it. SQLite keeps it whole when
 * the process is killed or the disk is full; what this file adds is that a hostile or damaged file
 * is told from a gallery, that only one process writes, and that a forget which was cut short is
 * finished by the next writer.
 */
#include "index/gallery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "vectors lie in the database as they do in memory, which has to be little-endian");

/* "dplg", in the place where file(1) and SQLite look for whose file it is. */
enum { APPLICATION_ID = 0x64706c67, VERSION = 1 };

/* Up to this size all of the file is checked whenever it is opened (about 10 ms); beyond it what a
   check would find is found when it is read. */
static const int64_t check_up_to_bytes = 4 << 20;

#define FACE_COLUMN(column, member) #column " REAL NOT NULL,"
#define FACE_FIELD(column, member)  {#column, offsetof(dpl_face, member)},

const dpli_face_field dpli_face_fields[DPLI_N_FACE] = {DPLI_FACE_LIST(FACE_FIELD)};

/* docs/gallery.md says what each column holds. Names, paths and reasons are bytes, hence blobs;
   AUTOINCREMENT so that a removed id never comes back; thumbnails apart, so that reading all
   vectors does not read them. SQLite keeps these texts, and a gallery's must be these. */
static const char *const schema[] = {
    "CREATE TABLE gallery(one INTEGER PRIMARY KEY CHECK(one = 1), identity TEXT NOT NULL,"
    " generation INTEGER NOT NULL, scrub INTEGER NOT NULL) STRICT",
    "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE model(id INTEGER PRIMARY KEY, space TEXT NOT NULL, hash TEXT NOT NULL,"
    " dim INTEGER NOT NULL, UNIQUE(space, hash)) STRICT",
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE) STRICT",
    "CREATE TABLE photo(id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE,"
    " person_id INTEGER REFERENCES person(id), sha256 TEXT NOT NULL, status INTEGER NOT NULL,"
    " reason BLOB NOT NULL, options BLOB NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER "
    "NOT NULL,"
    " enrolled_unix_s INTEGER NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL,"
    " n_faces INTEGER NOT NULL) STRICT",
    "CREATE TABLE template(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " photo_id INTEGER NOT NULL REFERENCES photo(id) ON DELETE CASCADE,"
    " model_id INTEGER NOT NULL REFERENCES model(id)," DPLI_FACE_LIST(
        FACE_COLUMN) " weakest TEXT NOT NULL, vector BLOB NOT NULL) STRICT",
    "CREATE TABLE thumb(template_id INTEGER PRIMARY KEY REFERENCES template(id) ON DELETE CASCADE,"
    " jpeg BLOB NOT NULL) STRICT",
    "CREATE INDEX photo_person ON photo(person_id)",
    "CREATE INDEX photo_sha256 ON photo(sha256)",
    "CREATE INDEX template_photo ON template(photo_id, model_id)",
};
enum { N_SCHEMA = sizeof schema / sizeof *schema };

/* ------------------------------------------------------------------ checks of what comes in */

dpl_status dpli_check_string(const char *what, const char *s, int may_be_empty, size_t max_bytes,
                             dpl_error *err)
{
    if (!s || (!*s && !may_be_empty))
        return dpli_fail(err, DPL_E_ARGUMENT, "the %s is %s", what, s ? "empty" : "missing");
    if (strnlen(s, max_bytes + 1) > max_bytes)
        return dpli_fail(err, DPL_E_LIMIT, "the %s has over %zu bytes", what, max_bytes);
    return DPL_OK;
}

dpl_status dpli_check_space(const char *space, dpl_error *err)
{
    if (space && (strcmp(space, "face") == 0 || strcmp(space, "image") == 0))
        return DPL_OK;
    return dpli_fail(err, DPL_E_ARGUMENT, "the space is neither \"face\" nor \"image\"");
}

dpl_status dpli_check_sha256(const char *what, const char *hex, dpl_error *err)
{
    if (hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64)
        return DPL_OK;
    return dpli_fail(err, DPL_E_ARGUMENT, "the %s is not 64 lower-case hex digits", what);
}

dpl_status dpli_gallery_may_write(const dpl_gallery *gallery, dpl_error *err)
{
    if (gallery->lock_fd < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "gallery \"%s\" is open for reading only",
                         gallery->dir);
    if (gallery->walking)
        return dpli_fail(err, DPL_E_ARGUMENT, "gallery \"%s\" cannot change while it is walked",
                         gallery->dir);
    return DPL_OK;
}

/* ------------------------------------------------------------------ open */

/* The folder and what leads to it, each level that is missing for its owner alone. */
static dpl_status make_folder(const char *dir, dpl_error *err)
{
    char *path = dpli_strdup(dir, err);
    dpl_status status = DPL_OK;

    if (!path)
        return DPL_E_MEMORY;
    for (char *c = path + 1; status == DPL_OK; c++) {
        char end = *c;

        if (end != '/' && end != '\0')
            continue;
        *c = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot make folder \"%s\"", path);
        *c = end;
        if (end == '\0')
            break;
    }
    free(path);
    return status;
}

/* One writer at a time. The lock ends with the process, however that ends; the number in the file
   only serves the message. */
static dpl_status take_lock(dpl_gallery *gallery, dpl_error *err)
{
    char *path = dpli_asprintf(err, "%s/gallery.lock", gallery->dir);
    dpl_status status = DPL_OK;
    char text[32] = "";
    ssize_t n;

    if (!path)
        return DPL_E_MEMORY;
    gallery->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (gallery->lock_fd < 0) {
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot open \"%s\"", path);
        goto done;
    }
    while (flock(gallery->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot lock \"%s\"", path);
            goto done;
        }
        n = pread(gallery->lock_fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strspn(text, "0123456789")] = '\0';
        status = dpli_fail(err, DPL_E_LOCKED, "gallery \"%s\" is being written by %s%s",
                           gallery->dir, *text ? "process " : "another process", text);
        goto done;
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(gallery->lock_fd, 0) != 0 || pwrite(gallery->lock_fd, text, (size_t)n, 0) != n) {
        /* A full disk costs the number, not the lock. */
    }
done:
    free(path);
    return status;
}

/* No database file is made for one who only asks, and nothing but a file is opened. */
static dpl_status look_at_file(const dpl_gallery *gallery, int may_make, int64_t *n_bytes,
                               dpl_error *err)
{
    struct stat st;

    *n_bytes = 0;
    if (stat(gallery->db_path, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return dpli_fail_errno(err, DPL_E_GALLERY, errno, "\"%s\" cannot be opened",
                                   gallery->db_path);
        return may_make
                   ? DPL_OK
                   : dpli_fail(err, DPL_E_GALLERY, "there is no gallery in \"%s\"", gallery->dir);
    }
    if (!S_ISREG(st.st_mode))
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is not a file", gallery->db_path);
    *n_bytes = st.st_size;
    return DPL_OK;
}

static int64_t file_bytes(const char *path, const char *suffix)
{
    char *full = dpli_asprintf(NULL, "%s%s", path, suffix);
    struct stat st;
    int64_t n = full && stat(full, &st) == 0 ? st.st_size : 0;

    free(full);
    return n;
}

/* A reader wants to write as well: the index of the write-ahead log. On a medium that cannot be
   written there is no writer either, so without a log the file may be read as it is. */
static dpl_status open_reader(dpl_gallery *gallery, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_db_open(&gallery->db, gallery->db_path, DPLI_DB_READ, &why);
    int64_t n_tables;

    if (status == DPL_OK)
        status = dpli_db_int(&n_tables, gallery->db, "SELECT count(*) FROM sqlite_schema", &why);
    if (status == DPL_E_SYSTEM && access(gallery->dir, W_OK) != 0 &&
        file_bytes(gallery->db_path, "-wal") == 0) {
        dpli_db_close(gallery->db);
        return dpli_db_open(&gallery->db, gallery->db_path, DPLI_DB_READ_FROZEN, err);
    }
    return status == DPL_OK ? DPL_OK : dpli_fail(err, status, "%s", why.message);
}

static dpl_status make_tables(dpl_gallery *gallery, dpl_error *err)
{
    dpli_db *db = gallery->db;
    dpl_status status;
    uint8_t identity[16];
    char sql[256];
    char hex[33];

    if (getrandom(identity, sizeof identity, 0) != (ssize_t)sizeof identity)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "no random numbers from the system");
    for (size_t i = 0; i < sizeof identity; i++)
        snprintf(hex + 2 * i, 3, "%02x", identity[i]);
    if ((status = dpli_db_begin(db, 1, err)) != DPL_OK)
        return status;
    for (size_t i = 0; i < N_SCHEMA; i++)
        if ((status = dpli_db_exec(db, schema[i], err)) != DPL_OK)
            goto done;
    snprintf(sql, sizeof sql,
             "INSERT INTO gallery VALUES(1, '%s', 0, 0);"
             "PRAGMA application_id=%d;"
             "PRAGMA user_version=%d;",
             hex, APPLICATION_ID, VERSION);
    status = dpli_db_exec(db, sql, err);
done:
    return dpli_db_end(db, status, err);
}

static dpl_status check_tables(dpl_gallery *gallery, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int64_t n = 0;
    int row;

    status = dpli_stmt_new(&s, gallery->db, "SELECT 1 FROM sqlite_schema WHERE sql = ?", err);
    for (size_t i = 0; i < N_SCHEMA && status == DPL_OK; i++) {
        dpli_bind_text(&s, 1, schema[i]);
        status = dpli_stmt_step(&s, &row, err);
        if (status == DPL_OK && !row)
            status =
                dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its tables are not a gallery's",
                          gallery->db_path);
        dpli_stmt_reset(&s);
    }
    dpli_stmt_clear(&s);
    if (status == DPL_OK)
        status = dpli_db_int(&n, gallery->db,
                             "SELECT length(identity) = 32 AND identity NOT GLOB '*[^0-9a-f]*'"
                             " FROM gallery",
                             err);
    if (status == DPL_OK && n != 1)
        status = dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: it has no identity",
                           gallery->db_path);
    return status;
}

/* Whose file it is, of what version, and whether it is whole. (That none of it was cut off, SQLite
   sees by itself when it first reads.) */
static dpl_status check_gallery(dpl_gallery *gallery, dpl_gallery_mode mode, int64_t n_bytes,
                                dpl_error *err)
{
    int64_t application_id, version, n_objects, utf8;
    dpli_db *db = gallery->db;
    dpl_status status;

    if ((status = dpli_db_int(&application_id, db, "PRAGMA application_id", err)) != DPL_OK ||
        (status = dpli_db_int(&version, db, "PRAGMA user_version", err)) != DPL_OK ||
        (status = dpli_db_int(&n_objects, db, "SELECT count(*) FROM sqlite_schema", err)) != DPL_OK)
        return status;
    if (application_id == 0 && version == 0 && n_objects == 0) {
        if (mode != DPL_GALLERY_CREATE)
            return dpli_fail(err, DPL_E_GALLERY, "there is no gallery in \"%s\"", gallery->dir);
        if ((status = make_tables(gallery, err)) != DPL_OK)
            return status;
        application_id = APPLICATION_ID;
        version = VERSION;
    }
    if (application_id != APPLICATION_ID)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is a database, but not a gallery",
                         gallery->db_path);
    if (version != VERSION)
        return dpli_fail(err, DPL_E_GALLERY,
                         version > VERSION
                             ? "\"%s\" is of version %" PRId64
                               ", made by a later doppel than this one, which knows version %d"
                             : "\"%s\" is of version %" PRId64 ", this doppel knows version %d",
                         gallery->db_path, version, VERSION);
    if ((status = dpli_db_int(&utf8, db, "SELECT encoding = 'UTF-8' FROM pragma_encoding", err)) !=
        DPL_OK)
        return status;
    if (!utf8)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its texts are not UTF-8",
                         gallery->db_path);
    if ((status = check_tables(gallery, err)) != DPL_OK)
        return status;
    return n_bytes <= check_up_to_bytes ? dpli_db_check(db, err) : DPL_OK;
}

/* A forget was killed, or had to wait for a reader: its rows are gone, their bytes may not be. */
static dpl_status finish_forget(dpl_gallery *gallery, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status;
    int64_t scrub;
    char *text;

    if ((status = dpli_db_int(&scrub, gallery->db, "SELECT scrub FROM gallery", err)) != DPL_OK ||
        !scrub)
        return status;
    if (dpli_gallery_scrub(gallery, &why) == DPL_OK) {
        dpli_store_notice(gallery, "a forget that was cut short has been finished");
        return DPL_OK;
    }
    text = dpli_asprintf(err, "bytes of what was forgotten are still in the gallery's files: %s",
                         why.message);
    if (!text)
        return DPL_E_MEMORY;
    dpli_store_notice(gallery, text);
    free(text);
    return DPL_OK;
}

dpl_status dpl_gallery_open(dpl_gallery **out, const char *dir, dpl_gallery_mode mode,
                            dpl_error *err)
{
    dpl_gallery *gallery = NULL;
    dpl_status status;
    int64_t n_bytes;

    *out = NULL;
    if ((status = dpli_check_string("gallery's folder", dir, 0, DPLI_PATH_MAX_BYTES, err)) !=
        DPL_OK)
        return status;
    status = DPL_E_MEMORY;
    gallery = dpli_calloc(1, sizeof *gallery, err);
    if (!gallery)
        goto done;
    gallery->lock_fd = -1;
    gallery->dir = dpli_strdup(dir, err);
    gallery->db_path = dpli_asprintf(err, "%s/gallery.db", dir);
    if (!gallery->dir || !gallery->db_path)
        goto done;
    if (mode == DPL_GALLERY_CREATE && (status = make_folder(dir, err)) != DPL_OK)
        goto done;
    if ((status = look_at_file(gallery, mode == DPL_GALLERY_CREATE, &n_bytes, err)) != DPL_OK)
        goto done;
    if (mode == DPL_GALLERY_READ) {
        status = open_reader(gallery, err);
    } else {
        if ((status = take_lock(gallery, err)) == DPL_OK)
            status = dpli_db_open(&gallery->db, gallery->db_path, DPLI_DB_WRITE, err);
    }
    if (status != DPL_OK || (status = check_gallery(gallery, mode, n_bytes, err)) != DPL_OK)
        goto done;
    if (mode != DPL_GALLERY_READ && ((status = dpli_db_log(gallery->db, err)) != DPL_OK ||
                                     (status = finish_forget(gallery, err)) != DPL_OK))
        goto done;
    *out = gallery;
    gallery = NULL;
done:
    dpl_gallery_close(gallery);
    return status;
}

void dpl_gallery_close(dpl_gallery *gallery)
{
    if (!gallery)
        return;
    if (gallery->search)
        dpli_search_state_free(gallery->search);
    /* The lock last: closing the database empties its log into it. */
    dpli_db_close(gallery->db);
    if (gallery->lock_fd >= 0)
        close(gallery->lock_fd);
    free(gallery->dir);
    free(gallery->db_path);
    free(gallery->setting);
    free(gallery->notice);
    free(gallery);
}

const char *dpl_gallery_dir(const dpl_gallery *gallery)
{
    return gallery->dir;
}

const char *dpl_gallery_notice(const dpl_gallery *gallery)
{
    return gallery->notice ? gallery->notice : "";
}

void dpli_store_notice(dpl_gallery *gallery, const char *text)
{
    free(gallery->notice);
    gallery->notice = dpli_strdup(text, NULL);
}

dpli_search_state **dpli_store_search_state(dpl_gallery *gallery)
{
    return &gallery->search;
}

/* ------------------------------------------------------------------ generation */

dpl_status dpli_gallery_touch(dpl_gallery *gallery, dpl_error *err)
{
    return dpli_db_exec(gallery->db, "UPDATE gallery SET generation = generation + 1", err);
}

dpl_status dpli_store_generation(dpl_gallery *gallery, int64_t *generation, char identity[33],
                                 dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    if ((status = dpli_stmt_new(&s, gallery->db, "SELECT generation, identity FROM gallery",
                                err)) != DPL_OK ||
        (status = dpli_stmt_step(&s, &row, err)) != DPL_OK)
        goto done;
    *generation = row ? dpli_get_int(&s, 0) : 0;
    snprintf(identity, 33, "%s", row ? dpli_get_string(&s, 1) : "");
    if (strlen(identity) != 32)
        status = dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: it has no identity",
                           gallery->db_path);
done:
    dpli_stmt_clear(&s);
    return status;
}

const char *const dpli_numbered[DPLI_N_NUMBERED] = {"person", "photo", "template"};

dpl_status dpli_last_id(int64_t *id, dpl_gallery *gallery, const char *table, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    *id = 0;
    if ((status = dpli_stmt_new(&s, gallery->db, "SELECT seq FROM sqlite_sequence WHERE name = ?",
                                err)) != DPL_OK)
        goto done;
    dpli_bind_text(&s, 1, table);
    if ((status = dpli_stmt_step(&s, &row, err)) == DPL_OK && row)
        *id = dpli_get_int(&s, 0);
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_raise_last_id(dpl_gallery *gallery, const char *table, int64_t id, dpl_error *err)
{
    static const char *const sql[] = {
        "INSERT INTO sqlite_sequence(name, seq) SELECT ?1, 0"
        " WHERE NOT EXISTS(SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
    };
    dpl_status status = DPL_OK;

    for (int i = 0; i < 2 && status == DPL_OK; i++) {
        dpli_stmt s = {0};

        if ((status = dpli_stmt_new(&s, gallery->db, sql[i], err)) == DPL_OK) {
            dpli_bind_text(&s, 1, table);
            if (i == 1)
                dpli_bind_int(&s, 2, id);
            status = dpli_stmt_run(&s, err);
        }
        dpli_stmt_clear(&s);
    }
    return status;
}

dpl_status dpl_gallery_count(dpl_gallery_counts *out, dpl_gallery *gallery, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    memset(out, 0, sizeof *out);
    /* One statement, so that the numbers are of one instant. */
    status = dpli_stmt_new(
        &s, gallery->db,
        "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM photo),"
        " (SELECT count(*) FROM photo WHERE status <> 0),"
        " (SELECT count(*) FROM template WHERE model_id IN (SELECT id FROM model WHERE space ="
        " 'face')),"
        " (SELECT count(*) FROM template WHERE model_id IN (SELECT id FROM model WHERE space ="
        " 'image'))",
        err);
    if (status == DPL_OK && (status = dpli_stmt_step(&s, &row, err)) == DPL_OK && row) {
        out->n_persons = dpli_get_int(&s, 0);
        out->n_photos = dpli_get_int(&s, 1);
        out->n_failed = dpli_get_int(&s, 2);
        out->n_templates_face = dpli_get_int(&s, 3);
        out->n_templates_image = dpli_get_int(&s, 4);
        out->db_bytes = file_bytes(gallery->db_path, "") + file_bytes(gallery->db_path, "-wal");
    }
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ settings */

/* *value is the caller's, NULL when the key is unset. */
static dpl_status get_setting(char **value, dpl_gallery *gallery, const char *key, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    *value = NULL;
    if ((status = dpli_stmt_new(&s, gallery->db, "SELECT value FROM setting WHERE key = ?", err)) !=
        DPL_OK)
        goto done;
    dpli_bind_text(&s, 1, key);
    if ((status = dpli_stmt_step(&s, &row, err)) != DPL_OK || !row)
        goto done;
    *value = dpli_strdup(dpli_get_string(&s, 0), err);
    status = *value ? dpli_stmt_check(&s, err) : DPL_E_MEMORY;
done:
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status set_setting(dpl_gallery *gallery, const char *key, const char *value,
                              dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, gallery->db,
                      "INSERT INTO setting VALUES(?1, ?2)"
                      " ON CONFLICT(key) DO UPDATE SET value = ?2 WHERE value <> ?2",
                      err);

    if (status == DPL_OK) {
        dpli_bind_text(&s, 1, key);
        dpli_bind_text(&s, 2, value);
        status = dpli_stmt_run(&s, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpl_gallery_setting(const char **value, dpl_gallery *gallery, const char *key,
                               dpl_error *err)
{
    dpl_status status;

    free(gallery->setting);
    status = get_setting(&gallery->setting, gallery, key, err);
    if (status != DPL_OK) {
        free(gallery->setting);
        gallery->setting = NULL;
    }
    *value = gallery->setting;
    return status;
}

dpl_status dpli_remember_inside(dpl_gallery *gallery, const char *key, const char *value,
                                dpl_error *err)
{
    char *old = NULL;
    dpl_status status;
    int64_t n;

    if ((status = dpli_check_string("setting's key", key, 0, DPLI_NAME_MAX_BYTES, err)) != DPL_OK ||
        (status = dpli_check_string("setting's value", value, 1, DPLI_SETTING_MAX_BYTES, err)) !=
            DPL_OK)
        return status;
    if (!dpli_is_utf8(key) || !dpli_is_utf8(value))
        return dpli_fail(err, DPL_E_ARGUMENT, "setting \"%s\" is not UTF-8", key);
    if (strncmp(key, "model.", 6) == 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "setting \"%s\" is set by binding a model only", key);
    if ((status = get_setting(&old, gallery, key, err)) != DPL_OK)
        goto done;
    if (old && strcmp(old, value) == 0)
        goto done;
    if ((status = dpli_db_int(&n, gallery->db, "SELECT EXISTS(SELECT 1 FROM template)", err)) !=
        DPL_OK)
        goto done;
    if (old && n) {
        status = dpli_fail(err, DPL_E_MISMATCH,
                           "gallery \"%s\" was made with %s \"%.100s\", not \"%.100s\"",
                           gallery->dir, key, old, value);
        goto done;
    }
    if ((status = dpli_gallery_may_write(gallery, err)) == DPL_OK)
        status = set_setting(gallery, key, value, err);
done:
    free(old);
    return status;
}

dpl_status dpl_gallery_remember(dpl_gallery *gallery, const char *key, const char *value,
                                dpl_error *err)
{
    dpl_status status = dpli_db_begin(gallery->db, gallery->lock_fd >= 0, err);

    if (status != DPL_OK)
        return status;
    return dpli_db_end(gallery->db, dpli_remember_inside(gallery, key, value, err), err);
}

/* ------------------------------------------------------------------ models */

dpl_status dpli_bound_model(int64_t *id, int32_t *dim, dpl_gallery *gallery, const char *space,
                            dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    *id = 0;
    *dim = 0;
    if ((status = dpli_stmt_new(&s, gallery->db,
                                "SELECT m.id, m.dim FROM model m JOIN setting s ON s.value = m.hash"
                                " WHERE m.space = ?1 AND s.key = 'model.' || ?1 || '.hash'",
                                err)) != DPL_OK)
        goto done;
    dpli_bind_text(&s, 1, space);
    if ((status = dpli_stmt_step(&s, &row, err)) != DPL_OK || !row)
        goto done;
    if (dpli_get_int(&s, 1) < 1 || dpli_get_int(&s, 1) > DPLI_DIM_MAX) {
        status =
            dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its %s model has dimension %" PRId64,
                      gallery->db_path, space, dpli_get_int(&s, 1));
        goto done;
    }
    *id = dpli_get_int(&s, 0);
    *dim = (int32_t)dpli_get_int(&s, 1);
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_bound_by_cosine(int *cosine, dpl_gallery *gallery, const char *space,
                                dpl_error *err)
{
    char key[64], *head;
    dpl_status status;

    snprintf(key, sizeof key, "model.%s.head", space);
    status = get_setting(&head, gallery, key, err);
    *cosine = status == DPL_OK && head && strcmp(head, "cosine") == 0;
    free(head);
    return status;
}

static dpl_status count_of_space(int64_t *n, dpl_gallery *gallery, const char *space,
                                 dpl_error *err)
{
    return dpli_db_int(n, gallery->db,
                       strcmp(space, "face") == 0
                           ? "SELECT EXISTS(SELECT 1 FROM template WHERE model_id IN"
                             " (SELECT id FROM model WHERE space = 'face'))"
                           : "SELECT EXISTS(SELECT 1 FROM template WHERE model_id IN"
                             " (SELECT id FROM model WHERE space = 'image'))",
                       err);
}

/* The space gets a new model: it holds no vector of another. */
static dpl_status replace_model(dpl_gallery *gallery, const dpli_binding *b, dpl_error *err)
{
    dpli_stmt drop = {0}, add = {0};
    dpl_status status;

    if ((status = dpli_stmt_new(&drop, gallery->db, "DELETE FROM model WHERE space = ?", err)) !=
            DPL_OK ||
        (status = dpli_stmt_new(&add, gallery->db,
                                "INSERT INTO model(space, hash, dim) VALUES(?, ?, ?)", err)) !=
            DPL_OK)
        goto done;
    dpli_bind_text(&drop, 1, b->space);
    if ((status = dpli_stmt_run(&drop, err)) != DPL_OK)
        goto done;
    dpli_bind_text(&add, 1, b->space);
    dpli_bind_text(&add, 2, b->hash);
    dpli_bind_int(&add, 3, b->dim);
    status = dpli_stmt_run(&add, err);
done:
    dpli_stmt_clear(&drop);
    dpli_stmt_clear(&add);
    return status;
}

dpl_status dpli_bind_inside(dpl_gallery *gallery, const dpli_binding *b, dpl_error *err)
{
    const char *const facts[4][2] = {
        {"hash", b->hash}, {"name", b->name}, {"head", b->head}, {"dim", NULL}};
    char key[64], dim_text[16];
    char *hash = NULL, *name = NULL;
    int64_t model_id, n;
    dpl_status status;
    int32_t dim;

    if ((status = dpli_check_space(b->space, err)) != DPL_OK ||
        (status = dpli_check_sha256("model's hash", b->hash, err)) != DPL_OK ||
        (status = dpli_check_string("model's name", b->name, 1, DPLI_NAME_MAX_BYTES, err)) !=
            DPL_OK ||
        (status = dpli_check_string("model's head", b->head, 1, DPLI_NAME_MAX_BYTES, err)) !=
            DPL_OK)
        return status;
    if (!dpli_is_utf8(b->name) || !dpli_is_utf8(b->head))
        return dpli_fail(err, DPL_E_ARGUMENT, "the model's name or head is not UTF-8");
    if (b->dim < 1 || b->dim > DPLI_DIM_MAX)
        return dpli_fail(err, DPL_E_LIMIT, "the model's vectors have %d numbers, limit is %d",
                         (int)b->dim, DPLI_DIM_MAX);
    snprintf(key, sizeof key, "model.%s.hash", b->space);
    if ((status = get_setting(&hash, gallery, key, err)) != DPL_OK ||
        (status = dpli_bound_model(&model_id, &dim, gallery, b->space, err)) != DPL_OK ||
        (status = count_of_space(&n, gallery, b->space, err)) != DPL_OK)
        goto done;
    if (!hash || !model_id || strcmp(hash, b->hash) != 0 || dim != b->dim) {
        if (n) {
            snprintf(key, sizeof key, "model.%s.name", b->space);
            if ((status = get_setting(&name, gallery, key, err)) != DPL_OK)
                goto done;
            status = dpli_fail(err, DPL_E_MISMATCH,
                               "the %s vectors of gallery \"%s\" were made by model \"%s\" "
                               "(%.12s, %d numbers), not by \"%s\" (%.12s, %d numbers)",
                               b->space, gallery->dir, name ? name : "", hash ? hash : "", (int)dim,
                               b->name, b->hash, (int)b->dim);
            goto done;
        }
        if (gallery->lock_fd >= 0 && (status = replace_model(gallery, b, err)) != DPL_OK)
            goto done;
    }
    /* Name and head do not change a vector, so the latest counts. A reader has nothing to record.
     */
    snprintf(dim_text, sizeof dim_text, "%d", (int)b->dim);
    for (size_t i = 0; i < 4 && gallery->lock_fd >= 0 && status == DPL_OK; i++) {
        snprintf(key, sizeof key, "model.%s.%s", b->space, facts[i][0]);
        status = set_setting(gallery, key, facts[i][1] ? facts[i][1] : dim_text, err);
    }
done:
    free(hash);
    free(name);
    return status;
}

dpl_status dpli_gallery_bind(dpl_gallery *gallery, const dpli_binding *binding, dpl_error *err)
{
    dpl_status status = dpli_db_begin(gallery->db, gallery->lock_fd >= 0, err);

    if (status != DPL_OK)
        return status;
    return dpli_db_end(gallery->db, dpli_bind_inside(gallery, binding, err), err);
}

dpl_status dpl_gallery_bind(dpl_gallery *gallery, const dpl_encoder *encoder, dpl_error *err)
{
    const char *name = dpl_encoder_fact(encoder, "name"), *head = dpl_encoder_fact(encoder, "head");
    dpli_binding binding = {
        .space = dpl_encoder_space(encoder),
        .hash = dpl_encoder_hash(encoder),
        .name = name ? name : "",
        .head = head ? head : "cosine",
        .dim = dpl_encoder_dim(encoder),
    };

    return dpli_gallery_bind(gallery, &binding, err);
}
