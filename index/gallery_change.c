/*
 * gallery_change.c - the last change to a gallery: begun, told, taken back.
 *
 * The store logs what a transaction does; here is which transactions are one change, and what
 * people are told of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/audit.h"
#include "index/gallery.h"

dpl_status dpli_change_begin(dpl_gallery *gallery, const char *what, dpl_error *err)
{
    dpli_change_end(gallery);
    gallery->change = dpli_strdup(what, err);
    return gallery->change ? DPL_OK : DPL_E_MEMORY;
}

void dpli_change_end(dpl_gallery *gallery)
{
    if (gallery->change)
        dpli_audit_write_or_tell(gallery);
    free(gallery->change);
    gallery->change = NULL;
    gallery->change_id = gallery->kept_id = 0;
}

dpl_status dpl_gallery_begin_change(dpl_gallery *gallery, const char *what, dpl_error *err)
{
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = dpli_check_string("change", what, false, DPLI_PATH_MAX_BYTES, err);
    return status == DPL_OK ? dpli_change_begin(gallery, what, err) : status;
}

void dpl_gallery_end_change(dpl_gallery *gallery)
{
    dpli_change_end(gallery);
}

dpl_status dpli_begin_change(dpl_gallery *gallery, const char *what, dpl_error *err)
{
    dpli_store *s = gallery->store;
    int64_t alone = 0, *id = gallery->change ? &gallery->change_id : &alone;
    const char *words = gallery->change ? gallery->change : what;
    dpl_status status = s->ops->begin(s, true, err);

    if (status != DPL_OK)
        return status;
    status = dpli_audit_change(gallery, id, words, err);
    return status == DPL_OK ? DPL_OK : dpli_end_change(gallery, status, err);
}

dpl_status dpli_end_log(dpl_gallery *gallery, const char *words, const char *facts, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = dpli_audit_settle(gallery, 0, err);

    if (status == DPL_OK)
        status = s->ops->end_log(s, words, err);
    return status == DPL_OK ? dpli_audit_tell(gallery, words, 0, facts, err) : status;
}

/* An id that a transaction was given that was taken back may be another client's now. */
static void settle_id(dpl_gallery *gallery, dpl_status status)
{
    dpli_audit_ended(gallery, status);
    if (status == DPL_OK)
        gallery->kept_id = gallery->change_id;
    else
        gallery->change_id = gallery->kept_id;
}

dpl_status dpli_end_change(dpl_gallery *gallery, dpl_status status, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status ended;

    if (!gallery->rehearsing || status != DPL_OK) {
        /* In the transaction itself, where its line can be, it costs no second one. */
        if (status == DPL_OK && s->shared && !gallery->change)
            status = dpli_audit_write(gallery, NULL, NULL, err);
        status = s->ops->end(s, status, err);
        settle_id(gallery, status);
        if (status == DPL_OK && !gallery->change)
            dpli_audit_write_or_tell(gallery);
        return status;
    }
    ended = s->ops->end(s, DPL_E_CANCELLED, err);
    settle_id(gallery, ended);
    return ended == DPL_E_CANCELLED ? DPL_OK : ended;
}

void dpl_gallery_rehearse(dpl_gallery *gallery, bool on)
{
    gallery->rehearsing = on;
}

/* ------------------------------------------------------------------ told */

struct telling {
    dpl_gallery *gallery;
    dpl_status (*fn)(void *ctx, const dpl_change *change);
    void *ctx;
    bool told;
};

static dpl_status tell_change(void *ctx, const dpli_change_record *r, dpl_error *err)
{
    struct telling *t = ctx;
    dpli_store *s = t->gallery->store;
    dpl_change change = {.what = r->words, .made_unix_s = r->made_unix_s, .is_final = r->is_final};
    dpli_change_counts n;
    dpl_status status = s->ops->count_change(s, r->id, &n, err);

    if (status != DPL_OK)
        return status;
    change.n_persons_added = n.persons.n_added;
    change.n_persons_changed = n.persons.n_changed;
    change.n_persons_removed = n.persons.n_removed;
    change.n_photos_added = n.photos.n_added;
    change.n_photos_changed = n.photos.n_changed;
    change.n_photos_removed = n.photos.n_removed;
    change.n_templates_added = n.templates.n_added;
    change.n_templates_removed = n.templates.n_removed;
    change.n_owners_changed = n.owners.n_changed;
    t->told = true;
    return t->fn(t->ctx, &change);
}

dpl_status dpl_gallery_last_change(dpl_gallery *gallery,
                                   dpl_status (*fn)(void *ctx, const dpl_change *change), void *ctx,
                                   dpl_error *err)
{
    static const dpl_change none = {.what = NULL};
    struct telling t = {gallery, fn, ctx, false};
    dpli_store *s = gallery->store;
    dpl_status status;

    gallery->walking++;
    status = s->ops->last_change(s, tell_change, &t, err);
    if (status == DPL_OK && !t.told)
        status = fn(ctx, &none);
    gallery->walking--;
    return status;
}

/* ------------------------------------------------------------------ taken back */

static const char undo[] = "undo: ";

static dpl_status keep_id(void *ctx, const dpli_change_record *r, dpl_error *err)
{
    (void)err;
    *(int64_t *)ctx = r->id;
    return DPL_OK;
}

/* What the change is called that takes this one back: the undoing of an undo is the change again.
 */
static dpl_status words_back(void *ctx, const dpli_change_record *r, dpl_error *err)
{
    char **words = ctx;
    const size_t n = sizeof undo - 1;

    if (r->is_final)
        return dpli_fail(err, DPL_E_NOT_FOUND,
                         "the last change was a %s, which is final: it cannot be taken back",
                         r->words);
    *words = strncmp(r->words, undo, n) == 0 ? dpli_strdup(r->words + n, err)
                                             : dpli_asprintf(err, "%s%s", undo, r->words);
    return *words ? DPL_OK : DPL_E_MEMORY;
}

dpl_status dpl_gallery_undo(dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *words = NULL;
    int64_t id = 0;
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = s->ops->begin(s, true, err);
    if (status != DPL_OK)
        return status;
    status = s->ops->last_change(s, words_back, &words, err);
    if (status == DPL_OK && !words)
        status = dpli_fail(err, DPL_E_NOT_FOUND,
                           "nothing was changed in gallery \"%s\" yet that "
                           "could be taken back",
                           gallery->dir);
    if (status == DPL_OK)
        status = dpli_audit_settle(gallery, 0, err);
    if (status == DPL_OK)
        status = s->ops->undo(s, words, err);
    if (status == DPL_OK)
        status = s->ops->last_change(s, keep_id, &id, err);
    if (status == DPL_OK)
        status = dpli_audit_tell(gallery, words, id, NULL, err);
    if (status == DPL_OK)
        status = s->ops->touch(s, err);
    status = dpli_end_change(gallery, status, err);
    free(words);
    return status;
}
