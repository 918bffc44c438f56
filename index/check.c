/*
 * check.c - all of a gallery read and compared with what was written: the database's structure, the
 * sum of every row, the snapshots of the index. Finds everything, where reading for an answer stops
 * at the first.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/audit.h"
#include "index/gallery.h"
#include "index/snapshot.h"
#include "index/source.h"

static const char changed[] = "is not what was written";

typedef struct check {
    dpl_gallery *gallery;
    dpl_check_report *report;
    dpl_status (*fn)(void *ctx, const dpl_damage *damage);
    void *ctx;
} check;

static dpl_status tell(check *c, const dpl_damage *damage)
{
    c->report->n_damaged++;
    return c->fn ? c->fn(c->ctx, damage) : DPL_OK;
}

/* Of a photo, whose source may be damaged, too. */
static dpl_status tell_photo(check *c, const char *part, const dpli_photo_record *r,
                             const char *message)
{
    char *path = NULL;
    dpl_damage damage = {.part = part, .photo_id = r->id, .message = message};
    dpl_status status;

    if (dpli_source_shown(&path, r->uri, NULL) == DPL_OK)
        damage.photo = path;
    status = tell(c, &damage);
    free(path);
    return status;
}

static dpl_status on_fault(void *ctx, const char *what, dpl_error *err)
{
    const dpl_damage damage = {.part = "database", .message = what};

    (void)err;
    return tell(ctx, &damage);
}

static dpl_status on_person(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    check *c = ctx;
    char text[64];
    const dpl_damage damage = {.part = "person", .person_id = r->id, .message = text};

    (void)err;
    c->report->n_persons++;
    dpli_progress_step(c->gallery, 1);
    snprintf(text, sizeof text, "name %" PRId64 " %s", r->id, changed);
    return r->sum == dpli_person_sum(r->name) ? DPL_OK : tell(c, &damage);
}

static dpl_status on_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    check *c = ctx;
    dpli_photo_record alone = *r;
    dpl_error why;
    char *path;
    dpl_status status;

    (void)err;
    c->report->n_photos++;
    dpli_progress_step(c->gallery, 1);
    /* The name has a finding of its own. */
    if (r->owner.name)
        alone.owner.sum = dpli_person_sum(r->owner.name);
    status = dpli_photo_checked(&path, c->gallery, &alone, &why);
    free(path);
    if (status == DPL_E_MEMORY)
        return status;
    if (status == DPL_OK)
        return DPL_OK;
    return tell_photo(c, "photo", r,
                      r->sum != dpli_photo_sum(r) ||
                              (r->file.photo_id && r->file.sum != dpli_file_sum(&r->file))
                          ? changed
                          : why.message);
}

static bool is_finite(const dpli_vector_record *v)
{
    float x;

    for (size_t i = 0; i + sizeof x <= v->n_bytes; i += sizeof x) {
        memcpy(&x, (const char *)v->bytes + i, sizeof x);
        if (!isfinite(x))
            return false;
    }
    return true;
}

static dpl_status on_template(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    check *c = ctx;
    dpl_status status = DPL_OK;

    (void)err;
    c->report->n_templates++;
    dpli_progress_step(c->gallery, 1);
    if (r->dim < 1 || r->dim > DPLI_DIM_MAX ||
        r->vector.n_bytes != (size_t)r->dim * sizeof(float) ||
        r->vector.sum != dpli_vector_sum(&r->vector) || !is_finite(&r->vector))
        status = tell_photo(c, "vector", &r->photo, changed);
    if (status == DPL_OK && r->has_face &&
        r->face_sum != dpli_face_sum(r->vector.id, r->face, r->weakest))
        status = tell_photo(c, "face", &r->photo, changed);
    if (status == DPL_OK && r->vector.owner.person_id &&
        r->vector.owner.sum != dpli_owner_sum(&r->vector.owner))
        status = tell_photo(c, "person", &r->photo, changed);
    if (status == DPL_OK && r->thumb &&
        r->thumb_sum != dpli_thumb_sum(r->vector.id, r->thumb, r->n_thumb))
        status = tell_photo(c, "thumbnail", &r->photo, changed);
    if (status == DPL_OK && r->caption &&
        r->caption_sum != dpli_caption_sum(r->vector.id, r->caption_source, r->caption))
        status = tell_photo(c, "caption", &r->photo, changed);
    return status;
}

static dpl_status check_snapshots(check *c, dpl_error *err)
{
    for (int i = 0; i < DPLI_N_SPACES; i++) {
        char *path = dpli_search_file(c->gallery, i, err);
        dpli_index index;
        dpl_error why;
        const uint8_t *key = c->gallery->store->file_key;
        dpl_status status = path ? dpli_snapshot_read(&index, path, key, &why) : DPL_E_MEMORY;

        if (status == DPL_OK) {
            status = dpli_rows_check(&index.vectors, &why);
            dpli_index_clear(&index);
        }
        free(path);
        if (status == DPL_E_MEMORY)
            return status;
        c->report->n_snapshots += status != DPL_E_NOT_FOUND;
        if (status != DPL_OK && status != DPL_E_NOT_FOUND) {
            char *text = dpli_asprintf(err, "%s.faiss: %s", dpli_spaces[i].name, why.message);
            const dpl_damage damage = {.part = "snapshot", .message = text};

            status = text ? tell(c, &damage) : DPL_E_MEMORY;
            free(text);
            if (status != DPL_OK)
                return status;
        }
    }
    return DPL_OK;
}

static dpl_status on_alias(void *ctx, const dpli_alias_record *r, dpl_error *err)
{
    return r->sum == dpli_alias_sum(r) ? DPL_OK
                                       : on_fault(ctx,
                                                  "another name of a person is not what was "
                                                  "written",
                                                  err);
}

static dpl_status on_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    return r->sum == dpli_refusal_sum(r)
               ? DPL_OK
               : on_fault(ctx, "what a face was said not to be is not what was written", err);
}

static dpl_status on_member(void *ctx, const dpli_member_record *r, dpl_error *err)
{
    return r->sum == dpli_member_sum(r)
               ? DPL_OK
               : on_fault(ctx, "the group of a face is not what was written", err);
}

/* One kind of row after the other; where the database itself gives up, that is a finding, too. */
static dpl_status check_rows(check *c, dpl_error *err)
{
    static const dpli_photo_query photos = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    static const dpli_template_query templates = {DPLI_ALL_TEMPLATES, 0, NULL};
    dpli_store *s = c->gallery->store;
    dpl_status status = DPL_OK;

    for (int i = 0; i < 7 && status == DPL_OK; i++) {
        dpl_error why = {DPL_OK, ""};

        switch (i) {
        case 0: status = s->ops->faults(s, on_fault, c, &why); break;
        case 1: status = s->ops->each_person(s, true, on_person, c, &why); break;
        case 2: status = s->ops->each_photo(s, &photos, on_photo, c, &why); break;
        case 3: status = s->ops->each_alias(s, on_alias, c, &why); break;
        case 4: status = s->ops->each_refusal(s, 0, on_refusal, c, &why); break;
        case 5: status = s->ops->each_member(s, on_member, c, &why); break;
        default: status = s->ops->each_template(s, &templates, on_template, c, &why); break;
        }
        if (status == DPL_E_GALLERY && why.message[0])
            status = on_fault(c, why.message, err);
        else if (status != DPL_OK && why.message[0])
            dpli_fail(err, status, "%s", why.message);
    }
    return status;
}

static dpl_status on_record(void *ctx, const dpli_audit_record *row, dpl_error *err)
{
    (void)ctx;
    (void)row;
    (void)err;
    return DPL_OK;
}

/* What the database knows of the audit, and of its lines the first fault, which makes all that
   follows doubtful. */
static dpl_status check_audit(check *c, dpl_error *err)
{
    dpl_damage damage = {.part = "audit"};
    dpli_store *s = c->gallery->store;
    dpl_error why = {DPL_OK, ""};
    dpl_audit_report audit;
    char text[320];
    dpl_status status = s->ops->audit_record(s, on_record, NULL, &why);

    damage.message = why.message;
    if (status == DPL_E_GALLERY)
        status = tell(c, &damage);
    else if (status != DPL_OK)
        dpli_fail(err, status, "%s", why.message);
    if (status == DPL_OK)
        status = dpl_gallery_audit(&audit, c->gallery, NULL, NULL, err);
    if (status != DPL_OK || !audit.broken_at)
        return status;
    snprintf(text, sizeof text, "the audit's line %" PRId64 " is wrong: %s", audit.broken_at,
             audit.why);
    damage.message = text;
    return tell(c, &damage);
}

dpl_status dpl_gallery_check(dpl_check_report *out, dpl_gallery *gallery,
                             dpl_status (*fn)(void *ctx, const dpl_damage *damage), void *ctx,
                             dpl_error *err)
{
    check c = {gallery, out, fn, ctx};
    dpli_store *s = gallery->store;
    dpl_status status;

    memset(out, 0, sizeof *out);
    dpli_progress_begin_rows(gallery);
    status = s->ops->begin(s, false, err);
    if (status != DPL_OK)
        return status;
    gallery->walking++;
    status = check_rows(&c, err);
    gallery->walking--;
    status = s->ops->end(s, status, err);
    if (status == DPL_OK)
        status = check_audit(&c, err);
    return status == DPL_OK ? check_snapshots(&c, err) : status;
}
