/*
 * store_sqlite.c - the SQLite keeper: a gallery's database in a folder, made, opened, locked; its
 * transactions.
 *
 * gallery.db is the truth and everything beside it is derived from it. SQLite keeps it whole when
 * the process is killed or the disk is full; what this file adds is that only one process writes.
 */
#include "index/store_sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "vectors lie in the database as they do in memory, which has to be little-endian");

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

/* Who may write the folder can put a link or a file of theirs in the place of any of the gallery's,
   at any instant: nothing in it is opened then. On a medium that nobody writes, nobody does. */
static dpl_status check_folder(const dpli_store_sqlite *s, uid_t *owner, dpl_error *err)
{
    struct statvfs fs;
    struct stat st;

    *owner = geteuid();
    if (stat(s->dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return DPL_OK; /* told as a gallery that is not there */
    *owner = st.st_uid;
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        (statvfs(s->dir, &fs) != 0 || (fs.f_flag & ST_RDONLY) == 0))
        return dpli_fail(err, DPL_E_GALLERY,
                         "others than its owner may write gallery folder \"%s\" (mode %04o); chmod "
                         "go-w mends it",
                         s->dir, (unsigned)(st.st_mode & 07777));
    if (s->sql.store.writing && st.st_uid != geteuid())
        return dpli_fail(
            err, DPL_E_GALLERY,
            "gallery folder \"%s\" belongs to another user (number %lu), who alone may "
            "change it",
            s->dir, (unsigned long)st.st_uid);
    return DPL_OK;
}

/* A file that is there already: no link, the folder's owner's, and for a writer, who is the owner,
   nobody else's to read. */
static dpl_status check_file(const dpli_store_sqlite *s, const char *name, uid_t owner,
                             dpl_error *err)
{
    char *path = dpli_asprintf(err, "%s/%s", s->dir, name);
    dpl_status status = DPL_OK;
    struct stat st;
    int fd = -1;

    if (!path)
        return DPL_E_MEMORY;
    if (lstat(path, &st) != 0)
        goto done; /* what keeps it from being opened is told when it is */
    if (S_ISLNK(st.st_mode))
        status =
            dpli_fail(err, DPL_E_GALLERY, "\"%s\" is a link, and a gallery's files are not", path);
    else if (!S_ISREG(st.st_mode))
        status = dpli_fail(err, DPL_E_GALLERY, "\"%s\" is not a file", path);
    else if (st.st_uid != owner)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" belongs to another user (number %lu) than its folder", path,
                           (unsigned long)st.st_uid);
    if (status != DPL_OK || !s->sql.store.writing || (st.st_mode & 0777) == 0600)
        goto done;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && fchmod(fd, 0600) != 0)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "\"%s\" cannot be made private", path);
done:
    if (fd >= 0)
        close(fd);
    free(path);
    return status;
}

static dpl_status check_trust(const dpli_store_sqlite *s, dpl_error *err)
{
    static const char *const names[] = {"gallery.lock",   "gallery.db",         "gallery.db-wal",
                                        "gallery.db-shm", "gallery.db-journal", DPLI_SQLITE_AUDIT};
    uid_t owner;
    dpl_status status = check_folder(s, &owner, err);

    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == DPL_OK; i++)
        status = check_file(s, names[i], owner, err);
    return status;
}

/* One writer at a time. The lock ends with the process, however that ends; the number in the file
   only serves the message. */
static dpl_status take_lock(dpli_store_sqlite *s, dpl_error *err)
{
    char *path = dpli_asprintf(err, "%s/gallery.lock", s->dir);
    dpl_status status = DPL_OK;
    char text[32] = "";
    struct stat st;
    ssize_t n;

    if (!path)
        return DPL_E_MEMORY;
    s->lock_fd =
        open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (s->lock_fd < 0) {
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot open \"%s\"", path);
        goto done;
    }
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot lock \"%s\"", path);
            goto done;
        }
        n = pread(s->lock_fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strspn(text, "0123456789")] = '\0';
        status = dpli_fail(err, DPL_E_LOCKED, "gallery \"%s\" is being written by %s%s", s->dir,
                           *text ? "process " : "another process", text);
        goto done;
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Under a second name it is somebody's other file. */
    if (fstat(s->lock_fd, &st) != 0 || st.st_nlink != 1)
        goto done;
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, text, (size_t)n, 0) != n) {
        /* A full disk costs the number, not the lock. */
    }
done:
    free(path);
    return status;
}

/* A gallery is made in a folder of its own: whoever names one by mistake (their photos', their
   home) would have it among their files. What lies hidden is the desktop's;
   "models" is there where doppel is installed for one user. */
static dpl_status check_free(const dpli_store_sqlite *s, dpl_error *err)
{
    static const char *const own[] = {"gallery.", "face.faiss", "image.faiss",
                                      "audit.",   "lost+found", "."};
    DIR *dir = opendir(s->dir);
    const struct dirent *entry;
    dpl_status status = DPL_OK;

    for (entry = dir ? readdir(dir) : NULL; entry && status == DPL_OK; entry = readdir(dir)) {
        bool is_own = strcmp(entry->d_name, "models") == 0;

        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            is_own |= strncmp(entry->d_name, own[i], strlen(own[i])) == 0;
        if (!is_own)
            status = dpli_fail(err, DPL_E_GALLERY,
                               "\"%s\" holds other files (\"%s\") and no gallery; one is made in a "
                               "folder of its own",
                               s->dir, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return status;
}

/* No database file is made for one who only asks, and nothing but a file is opened. */
static dpl_status look_at_file(const dpli_store_sqlite *s, bool may_make, int64_t *n_bytes,
                               dpl_error *err)
{
    struct stat st;

    *n_bytes = 0;
    if (stat(s->sql.store.name, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return dpli_fail_errno(err, DPL_E_GALLERY, errno, "\"%s\" cannot be opened",
                                   s->sql.store.name);
        return may_make ? check_free(s, err)
                        : dpli_fail(err, DPL_E_GALLERY, DPLI_NO_GALLERY, s->dir);
    }
    if (!S_ISREG(st.st_mode))
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is not a file", s->sql.store.name);
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
static dpl_status open_reader(dpli_store_sqlite *s, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_db_open(&s->sql.db, s->sql.store.name, DPLI_DB_READ, &why);
    int64_t n_tables;

    if (status == DPL_OK)
        status = dpli_db_int(&n_tables, s->sql.db, "SELECT count(*) FROM sqlite_schema", &why);
    if (status == DPL_E_SYSTEM && access(s->dir, W_OK) != 0 &&
        file_bytes(s->sql.store.name, "-wal") == 0) {
        dpli_db_close(s->sql.db);
        return dpli_db_open(&s->sql.db, s->sql.store.name, DPLI_DB_READ_FROZEN, err);
    }
    return status == DPL_OK ? DPL_OK : dpli_fail(err, status, "%s", why.message);
}

static void close_store(dpli_store *store)
{
    dpli_store_sqlite *s = dpli_sqlite_of(store);

    dpli_sql_clear_kept(&s->sql);
    dpli_sql_clear_walks(&s->sql);
    /* The lock last: closing the database empties its log into it. */
    dpli_db_close(s->sql.db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->dir);
    free(s->sql.store.name);
    free(s);
}

/* The lock is held until its file is gone: nobody else makes a gallery here meanwhile. */
static void discard_store(dpli_store *store)
{
    static const char *const names[] = {"gallery.db-wal", "gallery.db-shm",  "gallery.db-journal",
                                        "gallery.db",     DPLI_SQLITE_AUDIT, "gallery.lock"};
    dpli_store_sqlite *s = dpli_sqlite_of(store);

    dpli_sql_clear_kept(&s->sql);
    dpli_sql_clear_walks(&s->sql);
    dpli_db_close(s->sql.db);
    s->sql.db = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = dpli_asprintf(NULL, "%s/%s", s->dir, names[i]);

        if (path)
            unlink(path);
        free(path);
    }
    /* Whatever it says: where the folder holds more, or may not be removed, it stays. */
    if (rmdir(s->dir) != 0)
        errno = 0;
    close_store(store);
}

/* ------------------------------------------------------------------ transactions */

static dpl_status begin(dpli_store *store, bool write, dpl_error *err)
{
    dpli_store_sqlite *s = dpli_sqlite_of(store);
    dpl_status status = dpli_db_begin(s->sql.db, write, err);

    if (status == DPL_OK && write)
        status = dpli_sqlite_begin_touched(s, err);
    if (status != DPL_OK)
        return dpli_db_end(s->sql.db, status, err);
    store->in_transaction = true;
    s->in_write = write;
    return DPL_OK;
}

static dpl_status end(dpli_store *store, dpl_status status, dpl_error *err)
{
    dpli_store_sqlite *s = dpli_sqlite_of(store);

    if (s->in_write && status == DPL_OK)
        status = dpli_sqlite_end_touched(s, err);
    if (s->in_write && status == DPL_OK)
        status = dpli_sqlite_seal(s, err);
    store->in_transaction = s->in_write = false;
    s->sql.change_id = 0;
    return dpli_db_end(s->sql.db, status, err);
}

/* ------------------------------------------------------------------ what it is */

static dpl_status count(dpli_store *store, dpli_counts *out, dpl_error *err)
{
    const dpl_status status = dpli_sql_count(store, out, err);

    out->n_bytes = file_bytes(store->name, "") + file_bytes(store->name, "-wal");
    return status;
}

static dpl_status last_id(dpli_store *store, int64_t *id, dpli_numbered table, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    bool row;

    *id = 0;
    status = dpli_stmt_new(&s, dpli_sql_of(store)->db,
                           "SELECT seq FROM sqlite_sequence WHERE name = ?", err);
    if (status != DPL_OK)
        goto done;
    dpli_bind_text(&s, 1, dpli_numbered_names[table]);
    status = dpli_stmt_step(&s, &row, err);
    if (status == DPL_OK && row)
        *id = dpli_get_int(&s, 0);
done:
    dpli_stmt_clear(&s);
    return status;
}

static dpl_status raise_last_id(dpli_store *store, dpli_numbered table, int64_t id, dpl_error *err)
{
    static const char *const sql[] = {
        "INSERT INTO sqlite_sequence(name, seq) SELECT ?1, 0"
        " WHERE NOT EXISTS(SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
    };
    dpl_status status = DPL_OK;

    for (int i = 0; i < 2 && status == DPL_OK; i++) {
        dpli_stmt s = {0};

        status = dpli_stmt_new(&s, dpli_sql_of(store)->db, sql[i], err);
        if (status == DPL_OK) {
            dpli_bind_text(&s, 1, dpli_numbered_names[table]);
            if (i == 1)
                dpli_bind_int(&s, 2, id);
            status = dpli_stmt_run(&s, err);
        }
        dpli_stmt_clear(&s);
    }
    return status;
}

/* ------------------------------------------------------------------ scrub */

/* SQLite has overwritten the rows with zeros when they were removed. VACUUM writes the file anew;
   the write-ahead log, which still has the rows as they once were, is cut to nothing. */
static dpl_status scrub(dpli_store *store, dpl_error *err)
{
    dpli_db *db = dpli_sql_of(store)->db;
    dpl_status status;

    status = dpli_db_exec(db, "VACUUM", err);
    if (status == DPL_OK)
        status = dpli_db_checkpoint(db, err);
    if (status != DPL_OK)
        return status;
    status = begin(store, true, err);
    if (status != DPL_OK)
        return status;
    return end(store, dpli_db_exec(db, "UPDATE gallery SET scrub = 0", err), err);
}

/* ------------------------------------------------------------------ the operations */

static const dpli_store_ops ops = {
    .close = close_store,
    .discard = discard_store,
    .begin = begin,
    .end = end,
    .count = count,
    .last_id = last_id,
    .raise_last_id = raise_last_id,
    .log_change = dpli_sql_log_change,
    .end_log = dpli_sql_end_log,
    .undo = dpli_sqlite_undo,
    .each_touched = dpli_sqlite_each_touched,
    .add_line = dpli_sqlite_add_line,
    .each_line = dpli_sqlite_each_line,
    .faults = dpli_sqlite_faults,
    .find_person_by = dpli_sql_find_person_by,
    .find_alias_by = dpli_sql_find_alias_by,
    .scrub = scrub,
    DPLI_SQL_OPS,
};

dpl_status dpli_store_sqlite_open(dpli_store **out, const char *dir, dpl_gallery_mode mode,
                                  dpl_error *err)
{
    dpli_store_sqlite *s = dpli_calloc(1, sizeof *s, err);
    dpl_status status = DPL_E_MEMORY;
    int64_t n_bytes;

    *out = NULL;
    if (!s)
        return DPL_E_MEMORY;
    s->sql.store.ops = &ops;
    s->sql.store.writing = mode != DPL_GALLERY_READ;
    s->lock_fd = -1;
    s->dir = dpli_strdup(dir, err);
    s->sql.store.name = dpli_asprintf(err, "%s/gallery.db", dir);
    s->sql.store.folder = s->dir;
    if (!s->dir || !s->sql.store.name)
        goto done;
    if (mode == DPL_GALLERY_CREATE) {
        status = make_folder(dir, err);
        if (status != DPL_OK)
            goto done;
    }
    status = check_trust(s, err);
    if (status == DPL_OK)
        status = look_at_file(s, mode == DPL_GALLERY_CREATE, &n_bytes, err);
    if (status != DPL_OK)
        goto done;
    if (mode == DPL_GALLERY_READ)
        status = open_reader(s, err);
    else {
        status = take_lock(s, err);
        if (status == DPL_OK)
            status = dpli_db_open(&s->sql.db, s->sql.store.name, DPLI_DB_WRITE, err);
    }
    if (status == DPL_OK)
        status = dpli_sqlite_check(s, mode == DPL_GALLERY_CREATE, n_bytes, err);
    if (status == DPL_OK && s->sql.store.writing)
        status = dpli_db_log(s->sql.db, err);
    if (status == DPL_OK)
        status = dpli_sqlite_make_log(s, err);
    if (status == DPL_OK)
        status = dpli_sqlite_make_touched(s, err);
    if (status != DPL_OK)
        goto done;
    *out = &s->sql.store;
    s = NULL;
done:
    if (s)
        close_store(&s->sql.store);
    return status;
}
