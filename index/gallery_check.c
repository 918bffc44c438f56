/*
 * gallery_check.c - what may come into a gallery: strings, hashes, paths, rows; and who may change
 * it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/gallery.h"
#include "index/source.h"

dpl_status dpli_check_string(const char *what, const char *s, bool may_be_empty, size_t max_bytes,
                             dpl_error *err)
{
    if (!s || (!*s && !may_be_empty))
        return dpli_fail(err, DPL_E_ARGUMENT, "the %s is %s", what, s ? "empty" : "missing");
    if (strnlen(s, max_bytes + 1) > max_bytes)
        return dpli_fail(err, DPL_E_LIMIT, "the %s has over %zu bytes", what, max_bytes);
    return DPL_OK;
}

dpl_status dpli_check_sha256(const char *what, const char *hex, dpl_error *err)
{
    if (hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64)
        return DPL_OK;
    return dpli_fail(err, DPL_E_ARGUMENT, "the %s is not 64 lower-case hex digits", what);
}

dpl_status dpli_check_path(char **uri, const char *path, dpl_error *err)
{
    dpl_status status = dpli_check_string("photo's path", path, 0, DPLI_PATH_MAX_BYTES, err);

    *uri = NULL;
    return status == DPL_OK ? dpli_source_of(uri, path, err) : status;
}

dpl_status dpli_check_photo(const dpl_photo_row *row, dpl_error *err)
{
    dpl_status status;

    status = row->person
                 ? dpli_check_string("person's name", row->person, 0, DPLI_NAME_MAX_BYTES, err)
                 : DPL_OK;
    if (status == DPL_OK && row->meant)
        status = dpli_check_string("name that was meant", row->meant, 0, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("photo's options", row->options, 1, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("reason", row->reason, 1, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("photo's hash", row->sha256, 1, 64, err);
    if (status == DPL_OK && *row->sha256)
        status = dpli_check_sha256("photo's hash", row->sha256, err);
    if (status != DPL_OK)
        return status;
    if (row->status < DPL_OK || row->status > DPL_E_BUG)
        return dpli_fail(err, DPL_E_ARGUMENT, "photo status %d is none", (int)row->status);
    if (row->size_bytes < 0 || row->width_px < 0 || row->height_px < 0 || row->n_faces < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "a size of photo \"%s\" is negative", row->path);
    return DPL_OK;
}

dpl_status dpli_gallery_may_write(const dpl_gallery *gallery, dpl_error *err)
{
    if (!gallery->store->writing)
        return dpli_fail(err, DPL_E_ARGUMENT, "gallery \"%s\" is open for reading only",
                         gallery->dir);
    if (gallery->walking)
        return dpli_fail(err, DPL_E_ARGUMENT, "gallery \"%s\" cannot change while it is walked",
                         gallery->dir);
    return DPL_OK;
}

void dpli_gallery_tell(dpl_gallery *gallery, const char *text)
{
    free(gallery->notice);
    gallery->notice = dpli_strdup(text, NULL);
}
