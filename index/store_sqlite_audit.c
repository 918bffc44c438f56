/*
 * store_sqlite_audit.c - the audit of a gallery in a folder: audit.jsonl.
 *
 * A line is written under a lock of the file and synchronised before the lock goes: lines are whole
 * and in one order, whoever writes them. Half a line can only be the last, left by a kill.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/store_sqlite.h"

/* Of a line with its newline; what is written stays far below. */
enum { LINE_MAX_BYTES = 64 << 10 };

/* ------------------------------------------------------------------ the file */

typedef struct audit_file {
    int fd;     /* -1: it is not there */
    char *path; /* for messages */
} audit_file;

static void close_file(audit_file *f)
{
    /* The lock goes with it. */
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
}

static dpl_status cannot(const audit_file *f, int saved_errno, const char *what, dpl_error *err)
{
    return dpli_fail_errno(err, DPL_E_SYSTEM, saved_errno, "the audit \"%s\" cannot be %s", f->path,
                           what);
}

/* Closed by close_file, whatever this returns. */
static dpl_status open_file(audit_file *f, const dpli_store_sqlite *s, int flags, dpl_error *err)
{
    const bool to_write = (flags & O_RDWR) != 0;
    struct stat st;

    *f = (audit_file){-1, dpli_asprintf(err, "%s/" DPLI_SQLITE_AUDIT, s->dir)};
    if (!f->path)
        return DPL_E_MEMORY;
    f->fd = open(f->path, flags | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (f->fd < 0 && errno == ENOENT && !(flags & O_CREAT))
        return DPL_OK;
    if (f->fd < 0)
        return cannot(f, errno, to_write ? "written" : "read", err);
    if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is not a file", f->path);
    while (flock(f->fd, to_write ? LOCK_EX : LOCK_SH) != 0)
        if (errno != EINTR)
            return cannot(f, errno, "locked", err);
    return DPL_OK;
}

/* *last: the last whole line without its newline, "" when there is none; the caller's. What follows
   it is cut off. */
static dpl_status cut_to_last(char **last, const audit_file *f, dpl_error *err)
{
    char *tail = dpli_alloc(2 * LINE_MAX_BYTES + 1, 1, err), *end, *begin;
    const off_t size = lseek(f->fd, 0, SEEK_END);
    const off_t from = size > 2 * LINE_MAX_BYTES ? size - 2 * LINE_MAX_BYTES : 0;
    dpl_status status = DPL_OK;
    ssize_t n;

    *last = tail;
    if (!tail)
        return DPL_E_MEMORY;
    do
        n = pread(f->fd, tail, (size_t)(size - from), from);
    while (n < 0 && errno == EINTR);
    if (size < 0 || n != size - from)
        return cannot(f, errno, "read", err);
    tail[n] = '\0';
    end = memrchr(tail, '\n', (size_t)n);
    if (!end && from > 0)
        return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: its last line has no end",
                         f->path);
    if (from + (end ? end + 1 - tail : 0) < size &&
        ftruncate(f->fd, from + (end ? end + 1 - tail : 0)) != 0)
        status = cannot(f, errno, "cut to its last whole line", err);
    if (!end) {
        tail[0] = '\0';
        return status;
    }
    *end = '\0';
    begin = memrchr(tail, '\n', (size_t)(end - tail));
    if (begin)
        memmove(tail, begin + 1, (size_t)(end - begin));
    return status;
}

static dpl_status append(const audit_file *f, const char *line, dpl_error *err)
{
    char *text = dpli_asprintf(err, "%s\n", line);
    const off_t before = lseek(f->fd, 0, SEEK_END);
    size_t n_done = 0;
    dpl_status status = text ? DPL_OK : DPL_E_MEMORY;

    for (const size_t n = text ? strlen(text) : 0; n_done < n && status == DPL_OK;) {
        const ssize_t n_now = write(f->fd, text + n_done, n - n_done);

        if (n_now < 0 && errno != EINTR)
            status = cannot(f, errno, "written", err);
        n_done += n_now > 0 ? (size_t)n_now : 0;
    }
    if (status == DPL_OK && fdatasync(f->fd) != 0)
        status = cannot(f, errno, "written", err);
    /* Half a line is no line; if it stays, the next one cuts it. */
    if (status != DPL_OK && before >= 0 && ftruncate(f->fd, before) != 0)
        errno = 0;
    free(text);
    return status;
}

/* A file that has just been made is there after a power cut only if its folder is. */
static dpl_status sync_folder(const dpli_store_sqlite *s, dpl_error *err)
{
    const int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dpl_status status = DPL_OK;

    if (fd < 0 || fsync(fd) != 0)
        status =
            dpli_fail_errno(err, DPL_E_SYSTEM, errno, "folder \"%s\" cannot be written", s->dir);
    if (fd >= 0)
        close(fd);
    return status;
}

/* The next line, of what stands in the file now. */
static dpl_status make_next(char **line, bool *is_first, const audit_file *f, dpli_next_line *make,
                            void *ctx, dpl_error *err)
{
    char *last = NULL;
    dpl_status status = f->fd >= 0 ? cut_to_last(&last, f, err) : DPL_OK;

    *line = NULL;
    *is_first = !last || !*last;
    if (status == DPL_OK)
        status = make(ctx, line, *is_first ? NULL : last, err);
    free(last);
    return status;
}

dpl_status dpli_sqlite_add_line(dpli_store *store, dpli_next_line *make, void *ctx, dpl_error *err)
{
    const dpli_store_sqlite *s = dpli_sqlite_of(store);
    char *line = NULL;
    bool is_first = false;
    audit_file f;
    dpl_status status = open_file(&f, s, O_RDWR, err);

    if (status == DPL_OK)
        status = make_next(&line, &is_first, &f, make, ctx, err);
    /* No file is made for no line; and who makes it may meet another's. */
    if (status == DPL_OK && line && f.fd < 0) {
        free(line);
        line = NULL;
        close_file(&f);
        status = open_file(&f, s, O_RDWR | O_CREAT, err);
        if (status == DPL_OK)
            status = make_next(&line, &is_first, &f, make, ctx, err);
    }
    if (status == DPL_OK && line)
        status = append(&f, line, err);
    if (status == DPL_OK && line && is_first)
        status = sync_folder(s, err);
    close_file(&f);
    free(line);
    return status;
}

dpl_status dpli_sqlite_each_line(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err)
{
    char *line = dpli_alloc(LINE_MAX_BYTES, 1, err);
    FILE *file = NULL;
    audit_file f;
    dpl_status status = open_file(&f, dpli_sqlite_of(store), O_RDONLY, err);

    if (status == DPL_OK && !line)
        status = DPL_E_MEMORY;
    if (status == DPL_OK && f.fd >= 0) {
        file = fdopen(f.fd, "r");
        if (!file)
            status = cannot(&f, errno, "read", err);
    }
    while (status == DPL_OK && file && fgets(line, LINE_MAX_BYTES, file)) {
        char *end = strchr(line, '\n');

        /* Half a line at the end is none; a NUL, or too much in a line, is for fn to refuse. */
        if (!end && feof(file) && strlen(line) + 1 < LINE_MAX_BYTES)
            break;
        if (end)
            *end = '\0';
        status = fn(ctx, line, err);
    }
    if (status == DPL_OK && file && ferror(file))
        status = cannot(&f, errno, "read", err);
    if (file) {
        fclose(file);
        f.fd = -1;
    }
    close_file(&f);
    free(line);
    return status;
}
