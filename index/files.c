/*
 * files.c - the photos under some paths, and whose they are.
 *
 * Folders are walked by name order (base/walk.c). A folder that cannot be read is itself listed, so
 * that it gets a status and a reason like any file; links that lead out of the folder given, and
 * file systems without files in them, are counted.
 */
#include "index/files.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/walk.h"

/* Some 150 bytes each. */
enum { MAX_FILES = 10000000 };

/* The name that a file stands for without its folder's: "ann.jpg" is "ann". */
static char *stem(const char *path, dpl_error *err)
{
    const char *base = strrchr(path, '/');
    char *name = dpli_strdup(base ? base + 1 : path, err);
    char *dot = name ? strrchr(name, '.') : NULL;

    if (dot && dot != name)
        *dot = '\0';
    return name;
}

/* Takes path. person NULL: by the file's own name. */
static dpl_status add_file(dpli_found_files *out, char *path, const char *person, bool told,
                           dpl_error *err)
{
    char *name = person ? dpli_strdup(person, err) : stem(path, err);
    dpli_found_file *items = NULL;
    dpl_status status = DPL_E_MEMORY;

    if (name && out->n >= MAX_FILES)
        status = dpli_fail(err, DPL_E_LIMIT, "more than %d files; give fewer folders at a time",
                           MAX_FILES);
    else if (name)
        items = dpli_grow(out->items, &out->cap, out->n + 1, sizeof *items, err);
    if (!items) {
        free(name);
        free(path);
        return status;
    }
    out->items = items;
    out->items[out->n++] = (dpli_found_file){path, name, told};
    return DPL_OK;
}

/* What is in a folder given is of the person that its own folder is named by; what lies in the
 * folder given itself, of the person that its name says. */
static dpl_status on_walked(void *ctx, dpli_walked what, const char *path, const char *below,
                            dpl_error *err)
{
    dpli_found_files *out = ctx;
    const bool is_folder = what == DPLI_WALKED_UNREADABLE || what == DPLI_WALKED_DEEP;
    char *copy, *names, *person = NULL, *slash;
    dpl_status status = DPL_E_MEMORY;

    if (what == DPLI_WALKED_PSEUDO && !*below)
        return dpli_fail(err, DPL_E_INPUT, "folder \"%s\" holds no files but the kernel's words",
                         path);
    if (what == DPLI_WALKED_LINK || what == DPLI_WALKED_PSEUDO) {
        out->n_links += what == DPLI_WALKED_LINK;
        return DPL_OK;
    }
    copy = dpli_strdup(path, err);
    names = dpli_strdup(below, err);
    if (copy && names) {
        slash = strrchr(names, '/');
        if (!is_folder && slash)
            *slash = '\0';
        if (is_folder ? *names : slash != NULL)
            person = strrchr(names, '/') ? strrchr(names, '/') + 1 : names;
        status = add_file(out, copy, person, is_folder, err);
        copy = NULL;
    }
    free(copy);
    free(names);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const dpli_found_file *)a)->path, ((const dpli_found_file *)b)->path);
}

static void drop_repeated(dpli_found_files *files)
{
    size_t kept = 0;

    if (files->n == 0)
        return;
    qsort(files->items, files->n, sizeof files->items[0], by_path);
    for (size_t i = 1; i < files->n; i++) {
        if (strcmp(files->items[i].path, files->items[kept].path) == 0) {
            free(files->items[i].path);
            free(files->items[i].person);
        } else {
            files->items[++kept] = files->items[i];
        }
    }
    files->n = kept + 1;
}

dpl_status dpli_find_files(dpli_found_files *out, const char *const *paths, size_t n_paths,
                           bool follow_links, dpl_error *err)
{
    dpli_walker walker = {.follow_links = follow_links};
    dpl_status status = DPL_OK;

    *out = (dpli_found_files){0};
    for (size_t i = 0; i < n_paths && status == DPL_OK; i++) {
        char *full = realpath(paths[i], NULL);
        struct stat st;
        if (!full || stat(full, &st) != 0) {
            status = dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\"", paths[i]);
            free(full);
        } else if (S_ISDIR(st.st_mode)) {
            status = dpli_walk(&walker, full, on_walked, out, err);
            free(full);
        } else {
            status = add_file(out, full, NULL, true, err);
        }
    }
    if (status == DPL_OK)
        drop_repeated(out);
    else
        dpli_found_files_clear(out);
    dpli_walker_clear(&walker);
    return status;
}

void dpli_found_files_clear(dpli_found_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->items[i].path);
        free(files->items[i].person);
    }
    free(files->items);
    *files = (dpli_found_files){0};
}

bool dpli_path_is_under(const char *path, const char *const *roots, size_t n_roots)
{
    for (size_t i = 0; i < n_roots; i++) {
        char *full = realpath(roots[i], NULL);
        const size_t n = full ? strlen(full) : 0;
        const bool under = full && strncmp(path, full, n) == 0 &&
                           (path[n] == '/' || path[n] == '\0' || (n == 1 && full[0] == '/'));
        free(full);
        if (under)
            return true;
    }
    return false;
}
