/*
 * file.c - whole files: read with a limit, replaced so that at any instant either the old or the
 * new content is there, also after a crash.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

/* A pipe whose writer is silent for so long is given up, so that no path can hang a batch. */
enum { PIPE_PATIENCE_MS = 10000 };

/* NULL when it can be read, else what it is. */
static const char *not_readable_kind(mode_t mode)
{
    if (S_ISREG(mode) || S_ISFIFO(mode))
        return NULL;
    if (S_ISDIR(mode))
        return "is a directory";
    if (S_ISCHR(mode) || S_ISBLK(mode))
        return "is a device";
    return "is not a file";
}

/* Like read, but waits for a pipe's writer and never returns EINTR or EAGAIN. */
static ssize_t read_some(int fd, uint8_t *to, size_t n)
{
    for (;;) {
        ssize_t got = read(fd, to, n);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int ready;

        if (got >= 0 || (errno != EINTR && errno != EAGAIN))
            return got;
        if (errno == EINTR)
            continue;
        ready = poll(&wait, 1, PIPE_PATIENCE_MS);
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return -1;
    }
}

dpl_status dpli_file_read(uint8_t **out, size_t *n_out, const char *path, size_t max_bytes,
                          dpl_error *err)
{
    dpl_status status = DPL_OK;
    uint8_t *bytes = NULL;
    size_t n = 0, cap = 0;
    const char *kind;
    struct stat st;
    int fd;

    *out = NULL;
    *n_out = 0;
    /* Not blocking, because opening a named pipe without a writer would wait for ever. */
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENXIO) {
        status = dpli_fail(err, DPL_E_INPUT, "is not a file");
        goto done;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be opened");
        goto done;
    }
    kind = not_readable_kind(st.st_mode);
    if (kind) {
        status = dpli_fail(err, DPL_E_INPUT, "%s", kind);
        goto done;
    }
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > max_bytes) {
        status = dpli_fail(err, DPL_E_LIMIT, "file has %jd bytes, limit is %zu",
                           (intmax_t)st.st_size, max_bytes);
        goto done;
    }
    /* The size is a first guess only: a file may grow, and those of /proc say 0. One byte more than
     * it, so that the end is seen without growing, and one for the NUL. */
    cap = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 2 : 4096;
    bytes = dpli_alloc(cap, 1, err);
    if (!bytes) {
        status = DPL_E_MEMORY;
        goto done;
    }
    for (;;) {
        uint8_t *grown = dpli_grow(bytes, &cap, n + 2, 1, err);
        ssize_t got;

        if (!grown) {
            status = DPL_E_MEMORY;
            goto done;
        }
        bytes = grown;
        got = read_some(fd, bytes + n, cap - n - 1);
        if (got < 0) {
            status = dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be read");
            goto done;
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max_bytes) {
            status =
                dpli_fail(err, DPL_E_LIMIT, "file has more than the limit of %zu bytes", max_bytes);
            goto done;
        }
    }
    bytes[n] = '\0';
    *out = bytes;
    *n_out = n;
    bytes = NULL;
done:
    free(bytes);
    if (fd >= 0)
        close(fd);
    return status;
}

/* What the file at path really is: links are followed, so that a link stays a link, and what is not
 * a file (/dev/stdout, a pipe) is refused, because a rename would put a file in its place.
 * *mode: the old file's, or 0600. */
static dpl_status find_target(char **target, mode_t *mode, const char *path, dpl_error *err)
{
    struct stat st;

    *target = NULL;
    *mode = S_IRUSR | S_IWUSR;
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return dpli_fail(err, DPL_E_SYSTEM, "cannot write \"%s\": not a regular file", path);
        *mode = st.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
        *target = realpath(path, NULL);
    } else if (errno == ENOENT) {
        *target = dpli_strdup(path, err);
        if (!*target)
            return DPL_E_MEMORY;
    }
    if (!*target)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", path);
    return DPL_OK;
}

/* After a rename: the folder's own change reaches the disk. File systems that cannot say EINVAL. */
static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    int fd, saved_errno;

    if (n >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, n ? path : ".", n ? n : 1);
    folder[n ? n : 1] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    saved_errno = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    errno = saved_errno;
    return saved_errno ? -1 : 0;
}

/* ------------------------------------------------------------------ files aside */

/* A file aside is held locked as long as its writer lives, so that what a killed one has left is
 * known and goes at the next write. Where the file system can, it has no name until it is whole. */
#define ASIDE    ".doppel-"
#define N_RANDOM 6
#define FD_PATH  "/proc/self/fd/%d"

typedef struct aside {
    char *path; /* what the callback writes to */
    char *name; /* that it has, or gets before it is renamed */
    bool named; /* the name is in the folder */
    int fd;
} aside_file;

/* Whether name is base ".doppel-" and N_RANDOM letters. */
static bool is_aside_of(const char *name, const char *base)
{
    const size_t n = strlen(base);

    return strncmp(name, base, n) == 0 && strncmp(name + n, ASIDE, strlen(ASIDE)) == 0 &&
           strlen(name + n) == strlen(ASIDE) + N_RANDOM;
}

static void remove_if_left(int folder, const char *name)
{
    const int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

/* What killed writers of this file have left. A folder that cannot be listed keeps it. */
static void remove_leftovers(const char *target)
{
    const char *slash = strrchr(target, '/'), *base = slash ? slash + 1 : target;
    DIR *folder;

    if (slash) {
        char *name = strndup(target, (size_t)(slash - target) + 1);

        folder = name ? opendir(name) : NULL;
        free(name);
    } else {
        folder = opendir(".");
    }
    if (!folder)
        return;
    for (;;) {
        const struct dirent *entry = readdir(folder);

        if (!entry)
            break;
        if (is_aside_of(entry->d_name, base))
            remove_if_left(dirfd(folder), entry->d_name);
    }
    closedir(folder);
}

/* A file without a name in target's folder, or -1 where that cannot be had. */
static int open_nameless(const char *target)
{
#ifdef O_TMPFILE
    const char *slash = strrchr(target, '/');
    char *folder = slash ? strndup(target, (size_t)(slash - target) + 1) : strdup(".");
    char path[64];
    int fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR) : -1;

    free(folder);
    if (fd < 0)
        return -1;
    /* It is written to, and named, through /proc. */
    snprintf(path, sizeof path, FD_PATH, fd);
    if (access(path, W_OK) == 0)
        return fd;
    close(fd);
#else
    (void)target;
#endif
    return -1;
}

static dpl_status open_aside(aside_file *a, const char *target, dpl_error *err)
{
    a->name = dpli_asprintf(err, "%s" ASIDE "XXXXXX", target);
    if (!a->name)
        return DPL_E_MEMORY;
    a->fd = open_nameless(target);
    if (a->fd >= 0) {
        a->path = dpli_asprintf(err, FD_PATH, a->fd);
    } else {
        a->fd = mkostemp(a->name, O_CLOEXEC);
        if (a->fd < 0)
            return DPL_E_SYSTEM;
        a->named = true;
        a->path = dpli_strdup(a->name, err);
    }
    if (!a->path)
        return DPL_E_MEMORY;
    return flock(a->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ? DPL_OK : DPL_E_SYSTEM;
}

/* Give a nameless file its name: one that nothing has, made as mkostemp makes it. */
static int name_aside(aside_file *a)
{
    enum { TRIES = 100 };

    for (int i = 0; i < TRIES && !a->named; i++) {
        char *random = a->name + strlen(a->name) - N_RANDOM;
        uint8_t bytes[N_RANDOM];

        if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
            return -1;
        for (int k = 0; k < N_RANDOM; k++)
            random[k] = "abcdefghijklmnopqrstuvwxyz234567"[bytes[k] & 31];
        if (linkat(AT_FDCWD, a->path, AT_FDCWD, a->name, AT_SYMLINK_FOLLOW) == 0)
            a->named = true;
        else if (errno != EEXIST)
            return -1;
    }
    return a->named ? 0 : -1;
}

static void clear_aside(aside_file *a)
{
    if (a->named)
        unlink(a->name);
    if (a->fd >= 0)
        close(a->fd);
    free(a->path);
    free(a->name);
}

dpl_status dpli_file_replace_by(const char *path,
                                dpl_status (*fn)(void *ctx, const char *aside, dpl_error *err),
                                void *ctx, dpl_error *err)
{
    aside_file aside = {.fd = -1};
    dpl_status status;
    char *target = NULL;
    mode_t mode;

    status = find_target(&target, &mode, path, err);
    if (status)
        goto done;
    remove_leftovers(target);
    status = open_aside(&aside, target, err);
    if (status == DPL_E_SYSTEM)
        goto system_error;
    if (status)
        goto done;
    status = fn(ctx, aside.path, err);
    if (status)
        goto done;
    if (fsync(aside.fd) != 0 || name_aside(&aside) != 0 || rename(aside.name, target) != 0)
        goto system_error;
    aside.named = false;
    /* Only now as wide as the file before it. */
    if (fchmod(aside.fd, mode) == 0 && sync_folder_of(target) == 0)
        goto done;
system_error:
    status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", path);
done:
    clear_aside(&aside);
    free(target);
    return status;
}

struct content {
    const char *path; /* of the file meant, for messages */
    const uint8_t *bytes;
    size_t n;
};

static dpl_status write_content(void *ctx, const char *aside, dpl_error *err)
{
    const struct content *content = ctx;
    int fd = open(aside, O_WRONLY | O_CLOEXEC);
    size_t done = 0;

    if (fd < 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", content->path);
    while (done < content->n) {
        ssize_t put = write(fd, content->bytes + done, content->n - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    if (done < content->n) {
        int saved_errno = errno;

        close(fd);
        return dpli_fail_errno(err, DPL_E_SYSTEM, saved_errno, "cannot write \"%s\"",
                               content->path);
    }
    if (close(fd) != 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", content->path);
    return DPL_OK;
}

dpl_status dpli_file_replace(const char *path, const void *bytes, size_t n, dpl_error *err)
{
    struct content content = {path, bytes, n};

    return dpli_file_replace_by(path, write_content, &content, err);
}
