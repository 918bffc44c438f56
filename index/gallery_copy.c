/*
 * gallery_copy.c - a whole gallery into another one that holds nothing yet, whichever keepers they
 * have: row by row under the ids it had, in one transaction. What an export of it says, one of the
 * copy says to the byte; with it go the audit and the calibration beside it.
 *
 * Not copied: what is derived from rows (indexes), what the last change could be taken back by, and
 * vectors that wait for a migration.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "doppel/calibrate.h"
#include "index/audit.h"
#include "index/gallery.h"

/* Far above any calibration. */
enum { CALIBRATION_MAX_BYTES = 64 << 20 };

typedef struct copying {
    dpl_gallery *from, *to;
    dpli_putter putter; /* of to */
    int64_t n_photos, n_templates;
    dpl_error *err;
} copying;

static dpl_status damaged(const copying *c, const char *what, int64_t id, dpl_error *err)
{
    return dpli_fail(err, DPL_E_GALLERY,
                     "\"%s\" is damaged: %s %" PRId64 " is not what was written",
                     c->from->store->name, what, id);
}

/* ------------------------------------------------------------------ rows */

static dpl_status put_setting(void *ctx, const char *key, const char *value, dpl_error *err)
{
    dpli_store *to = ((copying *)ctx)->to->store;

    return to->ops->set_setting(to, key, value, err);
}

static dpl_status put_person(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    copying *c = ctx;
    dpli_store *to = c->to->store;
    int64_t id = r->id;
    dpl_status status = dpli_person_checked(c->from, r, err);

    dpli_progress_step(c->from, 1);
    return status == DPL_OK ? to->ops->add_person(to, &id, r->name, r->sum, err) : status;
}

static dpl_status put_alias(void *ctx, const dpli_alias_record *r, dpl_error *err)
{
    copying *c = ctx;
    dpli_store *to = c->to->store;

    if (r->sum != dpli_alias_sum(r))
        return damaged(c, "another name of person", r->person_id, err);
    return to->ops->set_alias(to, r, err);
}

static dpl_status put_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    copying *c = ctx;
    dpli_store *to = c->to->store;
    int64_t id = r->id;
    char *path;
    dpl_status status = dpli_photo_checked(&path, c->from, r, err);

    free(path);
    if (status == DPL_OK)
        status = to->ops->add_photo(to, &id, r, err);
    if (status == DPL_OK && r->file.photo_id)
        status = to->ops->set_file(to, &r->file, err);
    c->n_photos++;
    dpli_progress_step(c->from, 1);
    return status;
}

static dpl_status put_template(void *ctx, const dpl_template_row *row)
{
    copying *c = ctx;
    const dpl_new_template t = {.space = row->space,
                                .face = row->face,
                                .vector = row->vector,
                                .dim = row->dim,
                                .thumb = row->thumb,
                                .n_thumb = row->n_thumb,
                                .by_hand = row->by_hand,
                                .caption = row->caption,
                                .caption_source = row->caption_source};

    c->n_templates++;
    dpli_progress_step(c->from, 1);
    return dpli_put_template(NULL, &c->putter, &t, row->photo_id, row->person_id, row->id, c->err);
}

static dpl_status put_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    copying *c = ctx;
    dpli_store *to = c->to->store;
    int64_t id = r->id;

    if (r->sum != dpli_refusal_sum(r))
        return damaged(c, "refusal", r->id, err);
    return to->ops->add_refusal(to, &id, r, err);
}

static dpl_status put_member(void *ctx, const dpli_member_record *r, dpl_error *err)
{
    copying *c = ctx;
    dpli_store *to = c->to->store;

    if (r->sum != dpli_member_sum(r))
        return damaged(c, "the group of template", r->template_id, err);
    return to->ops->set_member(to, r, err);
}

static dpl_status put_models(copying *c, dpl_error *err)
{
    dpli_store *to = c->to->store;
    dpl_status status = DPL_OK;

    for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++) {
        const dpli_space *space = &dpli_spaces[i];
        char *hash = NULL;
        dpli_bound bound;

        status = dpli_bound_model(&bound, c->from, space, err);
        if (status == DPL_OK && bound.id)
            status = dpli_bound_hash(&hash, c->from, space->name, err);
        if (status == DPL_OK && hash)
            status = to->ops->set_model(to, space->name, hash, bound.dim, err);
        free(hash);
    }
    return status;
}

static dpl_status raise_ids(copying *c, dpl_error *err)
{
    dpli_store *from = c->from->store, *to = c->to->store;
    dpl_status status = DPL_OK;

    for (int i = 0; i < DPLI_N_NUMBERED && status == DPL_OK; i++) {
        int64_t id;

        status = from->ops->last_id(from, &id, (dpli_numbered)i, err);
        if (status == DPL_OK)
            status = to->ops->raise_last_id(to, (dpli_numbered)i, id, err);
    }
    return status;
}

static dpl_status put_rows(copying *c, dpl_error *err)
{
    static const dpli_photo_query all = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    dpli_store *from = c->from->store;
    dpl_status status = from->ops->each_setting(from, put_setting, c, err);

    if (status == DPL_OK)
        status = put_models(c, err);
    if (status == DPL_OK)
        status = from->ops->each_person(from, true, put_person, c, err);
    if (status == DPL_OK)
        status = from->ops->each_alias(from, put_alias, c, err);
    if (status == DPL_OK)
        status = from->ops->each_photo(from, &all, put_photo, c, err);
    if (status == DPL_OK)
        status = dpl_gallery_each_template(c->from, NULL, NULL, put_template, c, err);
    if (status == DPL_OK)
        status = from->ops->each_refusal(from, 0, put_refusal, c, err);
    if (status == DPL_OK)
        status = from->ops->each_member(from, put_member, c, err);
    return status == DPL_OK ? raise_ids(c, err) : status;
}

/* ------------------------------------------------------------------ what lies beside */

/* Lines of an audit: all of one's, and those that the other has already. */
typedef struct lines {
    dpli_store *to;
    dpli_buf there; /* each with its newline */
    size_t n_same;  /* bytes of there that were met */
    const char *name;
} lines;

static dpl_status keep_line(void *ctx, const char *line, dpl_error *err)
{
    lines *l = ctx;

    dpli_buf_add(&l->there, line, strlen(line));
    dpli_buf_add(&l->there, "\n", 1);
    return l->there.failed ? dpli_fail(err, DPL_E_MEMORY, "no memory for an audit") : DPL_OK;
}

static dpl_status give_line(void *ctx, char **line, const char *last, dpl_error *err)
{
    (void)last;
    *line = dpli_strdup(ctx, err);
    return *line ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status put_line(void *ctx, const char *line, dpl_error *err)
{
    lines *l = ctx;
    const size_t n = strlen(line), n_left = l->there.len - l->n_same;
    char *text;
    dpl_status status;

    if (n_left > 0) {
        if (n_left <= n || memcmp(l->there.data + l->n_same, line, n) != 0 ||
            l->there.data[l->n_same + n] != '\n')
            return dpli_fail(err, DPL_E_GALLERY, "\"%s\" has an audit already, of another gallery",
                             l->name);
        l->n_same += n + 1;
        return DPL_OK;
    }
    text = dpli_strdup(line, err);
    if (!text)
        return DPL_E_MEMORY;
    status = l->to->ops->add_line(l->to, give_line, text, err);
    free(text);
    return status;
}

static dpl_status put_record(void *ctx, const dpli_audit_record *r, dpl_error *err)
{
    dpli_store *to = ctx;

    return to->ops->set_audit_record(to, r, err);
}

/* A copy that was killed has left the first lines where an audit is a file: it goes on from them.
 */
static dpl_status put_audit(copying *c, dpl_error *err)
{
    dpli_store *from = c->from->store, *to = c->to->store;
    lines l = {.to = to, .name = to->name};
    dpl_status status = to->ops->each_line(to, keep_line, &l, err);

    if (status == DPL_OK)
        status = from->ops->each_line(from, put_line, &l, err);
    if (status == DPL_OK && l.n_same < l.there.len)
        status = dpli_fail(err, DPL_E_GALLERY, "\"%s\" has an audit already, of another gallery",
                           l.name);
    if (status == DPL_OK)
        status = from->ops->audit_record(from, put_record, to, err);
    dpli_buf_clear(&l.there);
    return status;
}

static dpl_status put_calibration(copying *c, dpl_error *err)
{
    uint8_t *json = NULL;
    size_t n;
    char *path;
    dpl_status status = dpl_gallery_calibration(&path, c->from, err);

    if (status == DPL_OK && path) {
        status = dpli_file_read(&json, &n, path, CALIBRATION_MAX_BYTES, err);
        if (status != DPL_OK)
            dpli_fail_in(err, status, path);
        else
            status = dpl_calibration_beside(c->to, (const char *)json, err);
    }
    free(json);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ all of it */

static dpl_status check_empty(dpl_gallery *to, dpl_error *err)
{
    dpli_store *s = to->store;
    dpl_status status = DPL_OK;
    int64_t id = 0;

    for (int i = 0; i < DPLI_N_NUMBERED && status == DPL_OK && id == 0; i++)
        status = s->ops->last_id(s, &id, (dpli_numbered)i, err);
    if (status == DPL_OK && id > 0)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" has held photos before: a gallery goes into one that has not, "
                           "where its numbers stay what they are",
                           s->name);
    return status;
}

static dpl_status tell_fault(void *ctx, const char *what, dpl_error *err)
{
    const copying *c = ctx;

    return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s", c->from->store->name, what);
}

static dpl_status put_all(copying *c, dpl_error *err)
{
    dpli_store *from = c->from->store, *to = c->to->store;
    char facts[96];
    dpl_status status = check_empty(c->to, err);

    if (status == DPL_OK)
        status = from->ops->faults(from, tell_fault, c, err);
    if (status == DPL_OK)
        status = put_rows(c, err);
    /* What lies beside rows is not taken back with them. */
    if (status == DPL_OK && !c->to->rehearsing)
        status = put_audit(c, err);
    if (status == DPL_OK && !c->to->rehearsing)
        status = put_calibration(c, err);
    snprintf(facts, sizeof facts, "{\"photos\":%" PRId64 ",\"templates\":%" PRId64 "}", c->n_photos,
             c->n_templates);
    if (status == DPL_OK)
        status = dpli_end_log(c->to, "migrate", facts, err);
    return status == DPL_OK ? to->ops->touch(to, err) : status;
}

dpl_status dpl_gallery_copy(int64_t *n_photos, int64_t *n_templates, dpl_gallery *to,
                            dpl_gallery *from, dpl_error *err)
{
    copying c = {.from = from, .to = to, .putter = {.gallery = to}, .err = err};
    dpl_status status = dpli_gallery_may_write(to, err);

    *n_photos = 0;
    *n_templates = 0;
    dpli_progress_begin_rows(from);
    if (status == DPL_OK)
        status = from->store->ops->begin(from->store, false, err);
    if (status != DPL_OK)
        return status;
    status = to->store->ops->begin(to->store, true, err);
    if (status == DPL_OK)
        status = dpli_end_change(to, put_all(&c, err), err);
    /* It was only read: how its end ends is no failure of the copy. */
    from->store->ops->end(from->store, DPL_OK, NULL);
    if (status == DPL_OK) {
        *n_photos = c.n_photos;
        *n_templates = c.n_templates;
        dpli_search_ready(to, c.n_templates);
    }
    return status;
}
