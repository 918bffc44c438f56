/*
 * file.c - whole files: read with a limit, replaced so that at any instant either the old or the
 * new content is there, also after a crash.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
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

dpl_status dpli_file_replace_by(const char *path,
                                dpl_status (*fn)(void *ctx, const char *aside, dpl_error *err),
                                void *ctx, dpl_error *err)
{
    dpl_status status;
    char *target = NULL, *aside = NULL;
    int aside_exists = 0;
    int fd = -1;
    mode_t mode;

    status = find_target(&target, &mode, path, err);
    if (status)
        goto done;
    aside = dpli_asprintf(err, "%s.XXXXXX", target);
    if (!aside) {
        status = DPL_E_MEMORY;
        goto done;
    }
    fd = mkostemp(aside, O_CLOEXEC);
    if (fd < 0)
        goto system_error;
    aside_exists = 1;
    close(fd);
    fd = -1;
    status = fn(ctx, aside, err);
    if (status)
        goto done;
    fd = open(aside, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0 || rename(aside, target) != 0)
        goto system_error;
    aside_exists = 0;
    if (sync_folder_of(target) == 0)
        goto done;
system_error:
    status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", path);
done:
    if (fd >= 0)
        close(fd);
    if (aside_exists)
        unlink(aside);
    free(aside);
    free(target);
    return status;
}

struct content {
    const uint8_t *bytes;
    size_t n;
};

static dpl_status write_content(void *ctx, const char *aside, dpl_error *err)
{
    const struct content *content = ctx;
    int fd = open(aside, O_WRONLY | O_CLOEXEC);
    size_t done = 0;

    if (fd < 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
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
        return dpli_fail_errno(err, DPL_E_SYSTEM, saved_errno, "cannot write \"%s\"", aside);
    }
    if (close(fd) != 0)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", aside);
    return DPL_OK;
}

dpl_status dpli_file_replace(const char *path, const void *bytes, size_t n, dpl_error *err)
{
    struct content content = {bytes, n};

    return dpli_file_replace_by(path, write_content, &content, err);
}
