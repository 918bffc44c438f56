/*
 * keep.c - the files of enrolled photos.
 */
#include "serve/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/text.h"

enum { HASH = 64 };
#define ASIDE ".new" /* behind the name of a file that is being written */

static dpl_status fail(dpl_error *err, const char *path, const char *what)
{
    err->status = DPL_E_SYSTEM;
    snprintf(err->message, sizeof err->message, "\"%.300s\" %s: %s", path, what, strerror(errno));
    return DPL_E_SYSTEM;
}

/* 64 hex digits and a point: nobody's own file is called so. */
static bool is_ours(const char *name)
{
    return strspn(name, "0123456789abcdef") == HASH && name[HASH] == '.' &&
           !strchr(name + HASH, '/');
}

bool keep_owns(const char *folder, const char *path)
{
    const size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && path[n] == '/' && is_ours(path + n + 1);
}

char *keep_path(const char *folder, const dpl_photo *photo)
{
    return text_try_format("%s/%.64s.%s", folder, photo->sha256,
                           photo->image.format[0] ? photo->image.format : "photo");
}

static dpl_status sync_folder(const char *folder, dpl_error *err)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dpl_status status = DPL_OK;

    if (fd < 0 || fsync(fd) != 0)
        status = fail(err, folder, "cannot be synced");
    if (fd >= 0)
        close(fd);
    return status;
}

static dpl_status write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t wrote = write(fd, bytes, n);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return DPL_E_SYSTEM;
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return DPL_OK;
}

dpl_status keep_write(bool *made, const char *folder, const char *path, const void *bytes, size_t n,
                      dpl_error *err)
{
    char *aside = text_try_format("%s%s", path, ASIDE);
    dpl_status status = DPL_OK;
    int fd;

    *made = false;
    if (!aside) {
        *err = (dpl_error){DPL_E_MEMORY, "out of memory"};
        return DPL_E_MEMORY;
    }
    if (access(path, F_OK) == 0) {
        free(aside);
        return DPL_OK;
    }
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, bytes, n) != DPL_OK || fsync(fd) != 0)
        status = fail(err, path, "cannot be written");
    if (fd >= 0 && close(fd) != 0 && status == DPL_OK)
        status = fail(err, path, "cannot be written");
    if (status == DPL_OK && rename(aside, path) != 0)
        status = fail(err, path, "cannot be written");
    if (status != DPL_OK)
        (void)unlink(aside);
    else
        status = sync_folder(folder, err);
    *made = status == DPL_OK;
    free(aside);
    return status;
}

dpl_status keep_remove(const char *folder, const char *path, dpl_error *err)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return fail(err, path, "cannot be removed");
    return sync_folder(folder, err);
}

/* ------------------------------------------------------------------ at the start */

static dpl_status see(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

dpl_status keep_open(char **out, const char *folder, dpl_gallery *gallery, dpl_error *err)
{
    dpl_status status = DPL_OK;
    const struct dirent *entry;
    DIR *dir;

    *out = NULL;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail(err, folder, "cannot be made");
    *out = realpath(folder, NULL);
    dir = *out ? opendir(*out) : NULL;
    if (!dir) {
        status = fail(err, folder, "cannot be read");
        free(*out);
        *out = NULL;
        return status;
    }
    for (entry = readdir(dir); entry && status == DPL_OK; entry = readdir(dir)) {
        const size_t n = strlen(entry->d_name), aside = strlen(ASIDE);
        char *path;
        int found = 0;

        if (!is_ours(entry->d_name))
            continue;
        path = text_format("%s/%s", *out, entry->d_name);
        if (n < aside || strcmp(entry->d_name + n - aside, ASIDE) != 0)
            status = dpl_gallery_find_photo(gallery, path, NULL, see, NULL, &found, err);
        if (status == DPL_OK && !found)
            status = keep_remove(*out, path, err);
        free(path);
    }
    closedir(dir);
    return status;
}
