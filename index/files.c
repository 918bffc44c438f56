/*
 * files.c - the photos under some paths, and whose they are.
 *
 * Folders are walked by name order, links followed, each folder once by device and inode, so a link
 * to a folder above ends the walk there. A folder that cannot be read is itself listed, so that it
 * gets a status and a reason like any file.
 */
#include "index/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/mem.h"

#define MAX_DEPTH 200

typedef struct visited {
    dev_t dev;
    ino_t ino;
} visited;

typedef struct walk {
    dpli_found_files *out;
    void *seen; /* tree of visited, by search.h */
} walk;

/** The name that a file stands for without its folder's: "ann.jpg" is "ann". */
static char *stem(const char *path, dpl_error *err)
{
    const char *base = strrchr(path, '/');
    char *name = dpli_strdup(base ? base + 1 : path, err);
    char *dot = name ? strrchr(name, '.') : NULL;

    if (dot && dot != name)
        *dot = '\0';
    return name;
}

/** Takes path. person NULL: by the file's own name. */
static dpl_status add_file(dpli_found_files *out, char *path, const char *person, dpl_error *err)
{
    char *name = person ? dpli_strdup(person, err) : stem(path, err);

    if (name && out->n == out->cap) {
        const size_t cap = out->cap ? out->cap * 2 : 256;
        dpli_found_file *grown = dpli_realloc(out->items, cap, sizeof *grown, err);
        if (grown) {
            out->items = grown;
            out->cap = cap;
        }
    }
    if (!name || out->n == out->cap) {
        free(name);
        free(path);
        return DPL_E_MEMORY;
    }
    out->items[out->n++] = (dpli_found_file){path, name};
    return DPL_OK;
}

static int by_inode(const void *a, const void *b)
{
    const visited *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

/** Remember a folder; *fresh tells whether it is new. */
static dpl_status visit(walk *w, const struct stat *st, bool *fresh, dpl_error *err)
{
    visited *v = dpli_alloc(1, sizeof *v, err), **slot;

    if (!v)
        return DPL_E_MEMORY;
    *v = (visited){st->st_dev, st->st_ino};
    slot = tsearch(v, &w->seen, by_inode);
    *fresh = slot && *slot == v;
    if (!*fresh)
        free(v);
    return slot ? DPL_OK : dpli_fail(err, DPL_E_MEMORY, "no memory for the list of folders");
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/** person NULL: the folder given, whose files are a person each. */
static dpl_status walk_folder(walk *w, const char *folder, const char *person, int depth,
                              dpl_error *err)
{
    struct dirent **entries = NULL;
    const int n = depth < MAX_DEPTH ? scandir(folder, &entries, not_hidden, by_bytes) : -1;
    dpl_status status = DPL_OK;

    if (n < 0) {
        char *path = dpli_strdup(folder, err);
        return path ? add_file(w->out, path, person, err) : DPL_E_MEMORY;
    }
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char *path = status == DPL_OK ? dpli_asprintf(err, "%s%s%s", folder,
                                                      strcmp(folder, "/") ? "/" : "", name)
                                      : NULL;
        struct stat st;
        if (status == DPL_OK && !path)
            status = DPL_E_MEMORY;
        if (status == DPL_OK && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            bool fresh;
            status = visit(w, &st, &fresh, err);
            if (status == DPL_OK && fresh)
                status = walk_folder(w, path, name, depth + 1, err);
            free(path);
        } else if (status == DPL_OK) {
            status = add_file(w->out, path, person, err);
        } else {
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
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
                           dpl_error *err)
{
    walk w = {out, NULL};
    dpl_status status = DPL_OK;

    *out = (dpli_found_files){0};
    for (size_t i = 0; i < n_paths && status == DPL_OK; i++) {
        char *full = realpath(paths[i], NULL);
        struct stat st;
        if (!full || stat(full, &st) != 0) {
            status = dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\"", paths[i]);
            free(full);
        } else if (S_ISDIR(st.st_mode)) {
            bool fresh;
            status = visit(&w, &st, &fresh, err);
            if (status == DPL_OK && fresh)
                status = walk_folder(&w, full, NULL, 0, err);
            free(full);
        } else {
            status = add_file(out, full, NULL, err);
        }
    }
    if (status == DPL_OK)
        drop_repeated(out);
    else
        dpli_found_files_clear(out);
    tdestroy(w.seen, free);
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
