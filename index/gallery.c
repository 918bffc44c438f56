/*
 * gallery.c - a gallery opened and closed; a forget that was cut short is finished by whoever next
 * opens it for writing.
 */
#include "index/gallery.h"

#include <stdlib.h>
#include <time.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/audit.h"
#include "index/people.h"
#include "index/unlock.h"

/* A forget was killed, or had to wait for a reader: its rows are gone, their bytes may not be. */
static dpl_status finish_forget(dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_error why = {DPL_OK, ""};
    dpl_status status;
    bool wanted;
    char *text;

    status = s->ops->wants_scrub(s, &wanted, err);
    if (status != DPL_OK || !wanted)
        return status;
    if (dpli_gallery_scrub(gallery, &why) == DPL_OK) {
        dpli_gallery_tell(gallery, "a forget that was cut short has been finished");
        return DPL_OK;
    }
    text = dpli_asprintf(err, "bytes of what was forgotten are still in the gallery's files: %s",
                         why.message);
    if (!text)
        return DPL_E_MEMORY;
    dpli_gallery_tell(gallery, text);
    free(text);
    return DPL_OK;
}

static dpl_status tell_version(dpl_gallery *gallery, dpl_error *err)
{
    char *text;

    if (gallery->store->shared && gallery->store->made) {
        dpli_gallery_tell(gallery, "the gallery's tables have been made");
        return DPL_OK;
    }
    if (!gallery->store->was_version)
        return DPL_OK;
    text = dpli_asprintf(err, "the gallery was of version %d and has been brought up to date",
                         (int)gallery->store->was_version);
    if (!text)
        return DPL_E_MEMORY;
    dpli_gallery_tell(gallery, text);
    free(text);
    return DPL_OK;
}

/* other: a handle on the same gallery, whose indexes and keys it shares, or NULL. */
static dpl_status open_gallery(dpl_gallery **out, const char *dir, dpl_gallery_mode mode,
                               const dpl_key_options *key, const dpl_gallery *other, dpl_error *err)
{
    dpl_gallery *gallery;
    dpl_status status;

    *out = NULL;
    status = dpli_check_string("gallery's folder", dir, 0, DPLI_PATH_MAX_BYTES, err);
    if (status != DPL_OK)
        return status;
    gallery = dpli_calloc(1, sizeof *gallery, err);
    if (!gallery)
        return DPL_E_MEMORY;
    gallery->waited_for = -1;
    gallery->address = dpli_strdup(dir, err);
    status = gallery->address ? dpli_store_name(&gallery->dir, dir, err) : DPL_E_MEMORY;
    if (status == DPL_OK && other)
        gallery->shelf = dpli_shelf_share(other->shelf);
    else if (status == DPL_OK)
        status = dpli_shelf_new(&gallery->shelf, err);
    if (status == DPL_OK)
        status = dpli_store_open(&gallery->store, dir, mode, err);
    if (status == DPL_OK)
        status = dpli_unlock(&gallery->store, dir, key, other, err);
    if (status == DPL_OK)
        status = tell_version(gallery, err);
    if (status == DPL_OK && gallery->store->writing)
        dpli_search_disown(gallery);
    if (status == DPL_OK && gallery->store->writing)
        status = finish_forget(gallery, err);
    if (status == DPL_OK) {
        gallery->user = dpli_audit_user(err);
        status = gallery->user ? DPL_OK : DPL_E_MEMORY;
    }
    /* Of many, each settles before its own change: what is told now may be another's, under way. */
    if (status == DPL_OK && gallery->store->writing && !gallery->store->shared) {
        gallery->owes_line = true;
        dpli_audit_write_or_tell(gallery);
    }
    if (status == DPL_OK) {
        *out = gallery;
        gallery = NULL;
    }
    dpl_gallery_close(gallery);
    return status;
}

dpl_status dpl_gallery_open(dpl_gallery **out, const char *dir, dpl_gallery_mode mode,
                            dpl_error *err)
{
    return open_gallery(out, dir, mode, NULL, NULL, err);
}

dpl_status dpl_gallery_open_with_key(dpl_gallery **out, const char *dir, dpl_gallery_mode mode,
                                     const dpl_key_options *key, dpl_error *err)
{
    return open_gallery(out, dir, mode, key, NULL, err);
}

dpl_status dpl_gallery_open_again(dpl_gallery **out, const dpl_gallery *gallery, dpl_error *err)
{
    return open_gallery(out, gallery->address, DPL_GALLERY_READ, NULL, gallery, err);
}

dpl_status dpl_gallery_wait(bool *changed, dpl_gallery *gallery, int timeout_ms, dpl_error *err)
{
    enum { LOOK_MS = 250 };
    const struct timespec pause = {0, LOOK_MS * 1000000L};
    dpli_store *s = gallery->store;
    char identity[DPLI_IDENTITY];
    int64_t now;
    dpl_status status;

    *changed = false;
    if (gallery->walking)
        return dpli_fail(err, DPL_E_ARGUMENT, "a walk does not wait for a change");
    if (s->ops->wait_for_change)
        return s->ops->wait_for_change(s, changed, timeout_ms, err);
    for (int left = timeout_ms;; left -= LOOK_MS) {
        status = s->ops->generation(s, &now, identity, err);
        *changed = status == DPL_OK && now != gallery->waited_for;
        if (status != DPL_OK || *changed || left <= 0)
            break;
        nanosleep(&pause, NULL);
    }
    if (*changed)
        gallery->waited_for = now;
    return status;
}

static void close_gallery(dpl_gallery *gallery, bool discard)
{
    if (!gallery)
        return;
    dpli_change_end(gallery);
    dpli_people_free(gallery->people);
    dpli_shelf_close(gallery->shelf);
    if (gallery->store && discard && gallery->store->made)
        gallery->store->ops->discard(gallery->store);
    else
        dpli_store_close(gallery->store);
    free(gallery->address);
    free(gallery->dir);
    free(gallery->setting);
    free(gallery->user);
    free(gallery->notice);
    free(gallery);
}

void dpl_gallery_close(dpl_gallery *gallery)
{
    close_gallery(gallery, false);
}

void dpl_gallery_abandon(dpl_gallery *gallery)
{
    close_gallery(gallery, true);
}

const char *dpl_gallery_dir(const dpl_gallery *gallery)
{
    return gallery->dir;
}

const char *dpl_gallery_folder(const dpl_gallery *gallery)
{
    return gallery->store->folder;
}

const char *dpl_gallery_connection_file(const dpl_gallery *gallery, size_t i)
{
    const dpli_store *s = gallery->store;

    return s->ops->connection_file ? s->ops->connection_file(s, i) : NULL;
}

const char *dpl_gallery_notice(const dpl_gallery *gallery)
{
    return gallery->notice ? gallery->notice : "";
}
