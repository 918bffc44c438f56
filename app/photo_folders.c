/*
 * photo_folders.c - where a gallery's photos lie.
 */
#include "app/photo_folders.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/text.h"

/* Whether the path lies in the folder, or below it. */
static bool is_in(const char *folder, const char *path)
{
    const size_t n = strlen(folder);

    return strncmp(folder, path, n) == 0 && path[n] == '/';
}

/* Rows come by path, so that what is in a folder, and below it, mostly stands together. */
static dpl_status take_folder(void *ctx, const dpl_photo_row *row)
{
    photo_folders *f = ctx;
    const char *slash = strrchr(row->path, '/');

    if (row->path[0] != '/' || slash == row->path ||
        (f->n > 0 && is_in(f->paths[f->n - 1], row->path)))
        return DPL_OK;
    if (f->n > 0 && (f->n & (f->n + 1)) == 0) /* it is full at 1, 3, 7 … */
        f->paths = text_need(reallocarray(f->paths, 2 * f->n + 1, sizeof *f->paths));
    f->paths[f->n++] = text_format("%.*s", (int)(slash - row->path), row->path);
    return DPL_OK;
}

dpl_status photo_folders_find(photo_folders *out, dpl_gallery *gallery, dpl_error *err)
{
    /* An empty list is one, too: none at all would be no sandbox. */
    *out = (photo_folders){.paths = text_need(calloc(1, sizeof *out->paths))};
    return dpl_gallery_each_photo(gallery, NULL, take_folder, out, err);
}

void photo_folders_clear(photo_folders *folders)
{
    for (size_t i = 0; i < folders->n; i++)
        free((void *)(uintptr_t)folders->paths[i]);
    free(folders->paths);
    *folders = (photo_folders){0};
}
