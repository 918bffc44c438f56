/*
 * torn_vfs.c - a VFS over SQLite's own that keeps, for each file, what was last synced and all that
 * was written since.
 *
 * A sync reaches no disk: what it would have put there is remembered, which also makes thousands of
 * them cheap. A write that is torn ends at a multiple of 512 bytes. Files in shared memory (-shm) are
 * made anew by SQLite after a loss of power and are not kept.
 */
#include "tests/index/torn_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/index/gallery_kit.h"

enum { MAX_FILES = 8, SECTOR = 512 };

/* A write, or with bytes NULL a cut to n. */
typedef struct change {
    uint8_t *bytes;
    sqlite3_int64 at;
    size_t n;
} change;

typedef struct watched {
    char path[512];
    bool there, was_removed; /* as synced; removed since without its folder being synced */
    uint8_t *synced;
    size_t n_synced;
    change *changes;
    size_t n_changes;
} watched;

typedef struct torn_file {
    sqlite3_file base;
    watched *kept; /* NULL: temporary */
    sqlite3_file *real;
} torn_file;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs torn;
static watched files[MAX_FILES];
static size_t n_files, n_calls, fail_at;
static bool is_cut, watching;

static bool fails(void)
{
    if (!watching)
        return false;
    n_calls++;
    return fail_at && (n_calls == fail_at || (is_cut && n_calls > fail_at));
}

/* ------------------------------------------------------------------ what is kept */

static watched *find(const char *path)
{
    for (size_t i = 0; i < n_files; i++)
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    return NULL;
}

static watched *watch(const char *path)
{
    watched *w = find(path);

    if (w)
        return w;
    assert_true(n_files < MAX_FILES);
    w = &files[n_files++];
    memset(w, 0, sizeof *w);
    snprintf(w->path, sizeof w->path, "%s", path);
    w->there = access(path, F_OK) == 0;
    if (w->there)
        w->synced = (uint8_t *)kit_read(path, &w->n_synced);
    return w;
}

static void note(watched *w, const void *bytes, sqlite3_int64 at, size_t n)
{
    change *changes = realloc(w->changes, (w->n_changes + 1) * sizeof *changes);

    assert_non_null(changes);
    w->changes = changes;
    changes[w->n_changes] = (change){NULL, at, n};
    if (bytes) {
        changes[w->n_changes].bytes = malloc(n + 1);
        assert_non_null(changes[w->n_changes].bytes);
        memcpy(changes[w->n_changes].bytes, bytes, n);
    }
    w->n_changes++;
}

/* The first n bytes of a change, all of them when it is a cut. */
static void apply(uint8_t **bytes, size_t *n_bytes, const change *c, size_t n)
{
    const size_t end = c->bytes ? (size_t)c->at + n : c->n;

    if (end > *n_bytes || (!c->bytes && end < *n_bytes)) {
        uint8_t *grown = realloc(*bytes, end + 1);

        assert_non_null(grown);
        if (end > *n_bytes)
            memset(grown + *n_bytes, 0, end - *n_bytes);
        *bytes = grown;
        *n_bytes = end;
    }
    if (c->bytes && n > 0)
        memcpy(*bytes + c->at, c->bytes, n);
}

static void forget_changes(watched *w)
{
    for (size_t i = 0; i < w->n_changes; i++)
        free(w->changes[i].bytes);
    free(w->changes);
    w->changes = NULL;
    w->n_changes = 0;
}

/* ------------------------------------------------------------------ a file's methods */

#define REAL(file) (((torn_file *)(void *)(file))->real)
#define KEPT(file) (((torn_file *)(void *)(file))->kept)

static int torn_close(sqlite3_file *f)
{
    const int code = REAL(f)->pMethods->xClose(REAL(f));

    free(REAL(f));
    return code;
}

static int torn_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return fails() ? SQLITE_IOERR_READ : REAL(f)->pMethods->xRead(REAL(f), to, n, at);
}

static int torn_write_bytes(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    const bool was_cut = is_cut && fail_at && n_calls >= fail_at, failed = fails();

    /* A write on which power goes may be there by halves. */
    if (watching && KEPT(f) && !was_cut && (!failed || is_cut))
        note(KEPT(f), bytes, at, (size_t)n);
    return failed ? SQLITE_IOERR_WRITE : REAL(f)->pMethods->xWrite(REAL(f), bytes, n, at);
}

static int torn_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    if (fails())
        return SQLITE_IOERR_TRUNCATE;
    if (watching && KEPT(f))
        note(KEPT(f), NULL, 0, (size_t)n);
    return REAL(f)->pMethods->xTruncate(REAL(f), n);
}

static int torn_sync(sqlite3_file *f, int flags)
{
    watched *w = KEPT(f);

    (void)flags;
    if (fails())
        return SQLITE_IOERR_FSYNC;
    if (!watching || !w)
        return SQLITE_OK;
    for (size_t i = 0; i < w->n_changes; i++)
        apply(&w->synced, &w->n_synced, &w->changes[i], w->changes[i].n);
    forget_changes(w);
    w->there = true;
    w->was_removed = false;
    return SQLITE_OK;
}

static int torn_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), n);
}

static int torn_lock(sqlite3_file *f, int kind)
{
    return REAL(f)->pMethods->xLock(REAL(f), kind);
}

static int torn_unlock(sqlite3_file *f, int kind)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), kind);
}

static int torn_reserved(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int torn_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int torn_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int torn_traits(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int torn_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **out)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, n, extend, out);
}

static int torn_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}

static void torn_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int torn_shm_unmap(sqlite3_file *f, int remove_it)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), remove_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = torn_close,
    .xRead = torn_read,
    .xWrite = torn_write_bytes,
    .xTruncate = torn_truncate,
    .xSync = torn_sync,
    .xFileSize = torn_size,
    .xLock = torn_lock,
    .xUnlock = torn_unlock,
    .xCheckReservedLock = torn_reserved,
    .xFileControl = torn_control,
    .xSectorSize = torn_sector,
    .xDeviceCharacteristics = torn_traits,
    .xShmMap = torn_shm_map,
    .xShmLock = torn_shm_lock,
    .xShmBarrier = torn_shm_barrier,
    .xShmUnmap = torn_shm_unmap,
};

/* ------------------------------------------------------------------ the VFS */

static int torn_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    torn_file *file = (torn_file *)(void *)f;
    int code;

    (void)vfs;
    memset(file, 0, sizeof *file);
    if (path && watching)
        file->kept = watch(path);
    if (fails())
        return SQLITE_CANTOPEN;
    file->real = calloc(1, (size_t)real_vfs->szOsFile);
    assert_non_null(file->real);
    /* Made anew under a name that was removed: another file. */
    if (file->kept && file->kept->was_removed) {
        forget_changes(file->kept);
        file->kept->there = file->kept->was_removed = false;
        file->kept->n_synced = 0;
    }
    code = real_vfs->xOpen(real_vfs, path, file->real, flags, out_flags);
    if (code == SQLITE_OK)
        file->base.pMethods = &methods;
    else
        free(file->real);
    return code;
}

static int torn_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    watched *w = find(path);

    (void)vfs;
    if (fails())
        return SQLITE_IOERR_DELETE;
    if (watching && w) {
        w->was_removed = true;
        w->there = w->there && !sync_folder;
    }
    return real_vfs->xDelete(real_vfs, path, sync_folder);
}

void torn_start(size_t at, bool cut)
{
    if (!real_vfs) {
        real_vfs = sqlite3_vfs_find(NULL);
        assert_non_null(real_vfs);
        torn = *real_vfs;
        torn.zName = "torn";
        torn.pNext = NULL;
        torn.szOsFile = sizeof(torn_file);
        torn.xOpen = torn_open;
        torn.xDelete = torn_delete;
    }
    torn_clear();
    n_calls = 0;
    fail_at = at;
    is_cut = cut;
    watching = true;
    assert_int_equal(sqlite3_vfs_register(&torn, 1), SQLITE_OK);
}

size_t torn_stop(void)
{
    watching = false;
    sqlite3_vfs_unregister(&torn);
    sqlite3_vfs_register(real_vfs, 1);
    return n_calls;
}

/* All of what came after the last sync, none, a part in order, torn, or out of order. */
static void settle(uint8_t **bytes, size_t *n, const watched *w, dpli_rng *rng)
{
    const int how = (int)dpli_rng_below(rng, 5);
    size_t *order = malloc((w->n_changes + 1) * sizeof *order);

    assert_non_null(order);
    for (size_t i = 0; i < w->n_changes; i++)
        order[i] = i;
    for (size_t i = w->n_changes; how == 4 && i > 1; i--) {
        const size_t j = dpli_rng_below(rng, i), held = order[j];

        order[j] = order[i - 1];
        order[i - 1] = held;
    }
    for (size_t i = 0; i < w->n_changes; i++) {
        const change *c = &w->changes[order[i]];
        size_t kept = c->n;

        if (how == 0 || (how >= 2 && dpli_rng_below(rng, 2)))
            continue;
        if (how >= 3 && c->bytes && dpli_rng_below(rng, 2))
            kept = dpli_rng_below(rng, c->n / SECTOR + 1) * SECTOR;
        apply(bytes, n, c, kept);
    }
    free(order);
}

void torn_write(const char *dir, dpli_rng *rng)
{
    for (size_t i = 0; i < n_files; i++) {
        const watched *w = &files[i];
        const char *name = strrchr(w->path, '/');
        uint8_t *bytes = malloc(w->n_synced + 1);
        size_t n = w->n_synced;
        char path[1024];

        assert_non_null(bytes);
        if (n > 0)
            memcpy(bytes, w->synced, n);
        /* A file that was made and never synced, or removed without its folder, may be there. */
        if (w->there ? !w->was_removed || dpli_rng_below(rng, 2)
                     : !w->was_removed && w->n_changes > 0 && dpli_rng_below(rng, 2)) {
            settle(&bytes, &n, w, rng);
            snprintf(path, sizeof path, "%s%s", dir, name);
            kit_write(path, bytes, n);
        }
        free(bytes);
    }
}

void torn_clear(void)
{
    for (size_t i = 0; i < n_files; i++) {
        forget_changes(&files[i]);
        free(files[i].synced);
    }
    n_files = 0;
}
