/*
 * gallery_write.c - changing the gallery: put and move photos.
 *
 * Each public function is one transaction: what it has returned DPL_OK for is on disk, and after a
 * failure, or a kill, nothing of it is. A person exists as long as a photo or a face is theirs, or
 * was said not to be.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/utf8.h"
#include "index/gallery.h"

/* ------------------------------------------------------------------ rows */

dpl_status dpli_put_alias(dpl_gallery *gallery, int64_t person_id, const char *name, dpl_error *err)
{
    dpli_alias_record r = {.person_id = person_id, .name = name};
    dpli_store *s = gallery->store;

    r.sum = dpli_alias_sum(&r);
    return s->ops->set_alias(s, &r, err);
}

/* A name that is not in its composed form is found by that, too. */
static dpl_status put_composed(dpl_gallery *gallery, int64_t person_id, const char *name,
                               dpl_error *err)
{
    char *composed = dpli_name_composed(name, err);
    dpl_status status = composed ? DPL_OK : DPL_E_MEMORY;

    if (status == DPL_OK && strcmp(composed, name) != 0)
        status = dpli_put_alias(gallery, person_id, composed, err);
    free(composed);
    return status;
}

dpl_status dpli_put_person(int64_t *id, dpli_putter *p, const char *name, int64_t wanted,
                           dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    dpl_status status = dpli_find_person(id, p->gallery, name, err);

    if (status != DPL_OK || *id)
        return status;
    *id = wanted;
    status = s->ops->add_person(s, id, name, dpli_person_sum(name), err);
    return status == DPL_OK ? put_composed(p->gallery, *id, name, err) : status;
}

dpl_status dpli_find_path(int64_t *id, int64_t *person_id, dpli_putter *p, const char *path,
                          dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    char *uri;
    dpl_status status = dpli_check_path(&uri, path, err);

    *id = *person_id = 0;
    if (status == DPL_OK)
        status = s->ops->find_photo(s, id, person_id, uri, err);
    free(uri);
    return status;
}

dpl_status dpli_put_photo(int64_t *id, dpli_putter *p, const dpl_photo_row *row, int64_t person_id,
                          bool replace, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    char *uri;
    dpl_status status = dpli_check_path(&uri, row->path, err);
    dpli_photo_record r = {
        .id = *id,
        .person_id = person_id,
        .uri = uri,
        .meant = row->meant,
        .sha256 = row->sha256,
        .reason = row->reason,
        .options = row->options,
        .status = row->status,
        .size_bytes = row->size_bytes,
        .mtime_ns = row->mtime_ns,
        .enrolled_unix_s = row->enrolled_unix_s,
        .width_px = row->width_px,
        .height_px = row->height_px,
        .n_faces = row->n_faces,
    };

    if (status != DPL_OK)
        return status;
    r.sum = dpli_photo_sum(&r);
    status = replace ? s->ops->set_photo(s, &r, err) : s->ops->add_photo(s, id, &r, err);
    free(uri);
    return status == DPL_OK ? dpli_put_file(p->gallery, *id, row, err) : status;
}

dpl_status dpli_put_file(dpl_gallery *gallery, int64_t photo_id, const dpl_photo_row *row,
                         dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpli_file_record r = {
        .photo_id = photo_id,
        .file_system = row->file_system,
        .unreadable_since_unix_s = row->unreadable_since_unix_s,
        .status = row->unreadable_since_unix_s ? (int64_t)row->unreadable_status : DPL_OK,
        .reason =
            row->unreadable_since_unix_s && row->unreadable_reason ? row->unreadable_reason : "",
    };

    r.sum = dpli_file_sum(&r);
    return s->ops->set_file(s, &r, err);
}

dpl_status dpli_put_owner(dpl_gallery *gallery, int64_t template_id, int64_t person_id,
                          bool by_hand, dpl_error *err)
{
    dpli_owner_record r = {template_id, person_id, by_hand, 0};
    dpli_store *s = gallery->store;

    r.sum = dpli_owner_sum(&r);
    return s->ops->set_owner(s, &r, err);
}

/* As dpli_put_person. Photos come by folders: most are of who had the one before. */
static dpl_status put_person_again(int64_t *id, dpli_putter *p, const char *name, dpl_error *err)
{
    dpl_status status;

    if (p->name[0] && strcmp(p->name, name) == 0) {
        *id = p->named_id;
        return DPL_OK;
    }
    status = dpli_put_person(id, p, name, 0, err);
    p->named_id = *id;
    snprintf(p->name, sizeof p->name, "%s",
             status == DPL_OK && strlen(name) < sizeof p->name ? name : "");
    return status;
}

static dpl_status drop_person(dpli_putter *p, int64_t person_id, dpl_error *err)
{
    dpli_store *s = p->gallery->store;

    if (person_id)
        p->name[0] = '\0'; /* it may have been that one */
    return person_id && !p->keep_persons ? s->ops->drop_if_lonely(s, person_id, err) : DPL_OK;
}

/* The templates of a photo, whose they are, and whose they were said not to be. */
struct older {
    int64_t *ids, *owners;
    size_t n, cap;
    int64_t *texts; /* those of what is written about it, when they are to stay; not of ids */
    size_t n_texts, cap_texts;
    bool keep_texts;
    int64_t *refused;
    size_t n_refused, cap_refused;
    dpl_gallery *gallery;
};

static dpl_status keep_refused(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct older *o = ctx;
    int64_t *refused;

    if (!r->person_id)
        return DPL_OK;
    refused = dpli_grow(o->refused, &o->cap_refused, o->n_refused + 1, sizeof *refused, err);
    if (!refused)
        return DPL_E_MEMORY;
    o->refused = refused;
    refused[o->n_refused++] = r->person_id;
    return DPL_OK;
}

static dpl_status keep_template(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct older *o = ctx;
    dpli_store *s = o->gallery->store;
    const dpli_space *space = dpli_space_find(r->space);

    /* A damaged one does not stay: it is found again where it was found. */
    if (o->keep_texts && space && space->is_text && r->caption &&
        r->caption_sum == dpli_caption_sum(r->vector.id, r->caption_source, r->caption) &&
        r->vector.sum == dpli_vector_sum(&r->vector)) {
        int64_t *texts = dpli_grow(o->texts, &o->cap_texts, o->n_texts + 1, sizeof *texts, err);

        if (!texts)
            return DPL_E_MEMORY;
        o->texts = texts;
        texts[o->n_texts++] = r->vector.id;
        return DPL_OK;
    }
    if (o->n == o->cap) {
        const size_t cap = o->cap ? 2 * o->cap : 8;
        int64_t *ids = dpli_realloc(o->ids, cap, sizeof *ids, err), *owners;

        if (!ids)
            return DPL_E_MEMORY;
        o->ids = ids;
        owners = dpli_realloc(o->owners, cap, sizeof *owners, err);
        if (!owners)
            return DPL_E_MEMORY;
        o->owners = owners;
        o->cap = cap;
    }
    o->ids[o->n] = r->vector.id;
    o->owners[o->n++] = r->vector.owner.person_id;
    return s->ops->each_refusal(s, r->vector.id, keep_refused, o, err);
}

static dpl_status find_older(struct older *o, dpl_gallery *gallery, int64_t photo_id,
                             dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATES_IN, photo_id, NULL};
    dpli_store *s = gallery->store;

    o->gallery = gallery;
    return s->ops->each_template(s, &query, keep_template, o, err);
}

static void older_clear(struct older *o)
{
    free(o->ids);
    free(o->owners);
    free(o->texts);
    free(o->refused);
}

/* Of people of whom it may have been the last. */
static dpl_status drop_people(dpli_putter *p, const int64_t *ids, size_t n, dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < n && status == DPL_OK; i++)
        if (i == 0 || ids[i] != ids[i - 1])
            status = drop_person(p, ids[i], err);
    return status;
}

/* They go, and whoever was only in them. */
static dpl_status drop_older(dpli_putter *p, const struct older *o, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < o->n && status == DPL_OK; i++)
        status = s->ops->drop_template(s, o->ids[i], err);
    p->touched |= o->n > 0;
    if (status == DPL_OK)
        status = drop_people(p, o->owners, o->n, err);
    return status == DPL_OK ? drop_people(p, o->refused, o->n_refused, err) : status;
}

dpl_status dpli_drop_photo(dpli_putter *p, int64_t id, int64_t person_id, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    struct older older = {0};
    dpl_status status = find_older(&older, p->gallery, id, err);

    if (status == DPL_OK)
        status = s->ops->drop_photo(s, id, err);
    p->touched |= older.n > 0;
    if (status == DPL_OK)
        status = drop_person(p, person_id, err);
    if (status == DPL_OK)
        status = drop_people(p, older.owners, older.n, err);
    if (status == DPL_OK)
        status = drop_people(p, older.refused, older.n_refused, err);
    older_clear(&older);
    return status;
}

/* ------------------------------------------------------------------ templates */

static dpl_status check_vector(const dpl_new_template *t, const dpli_bound *model,
                               const dpl_gallery *gallery, dpl_error *err)
{
    bool zero = true;

    if (!model->id)
        return dpli_fail(err, DPL_E_ARGUMENT, "no model is bound to the %s vectors of \"%s\"",
                         t->space, gallery->dir);
    if (t->dim != model->dim)
        return dpli_fail(err, DPL_E_MISMATCH, "a %s vector has %d numbers, those of \"%s\" have %d",
                         t->space, (int)t->dim, gallery->dir, (int)model->dim);
    if (!t->vector)
        return dpli_fail(err, DPL_E_ARGUMENT, "a template has no vector");
    for (int32_t i = 0; i < t->dim; i++) {
        if (!isfinite(t->vector[i]))
            return dpli_fail(err, DPL_E_NUMERIC, "number %d of a %s vector is not finite", (int)i,
                             t->space);
        if (fabsf(t->vector[i]) > DPLI_VECTOR_MAX)
            return dpli_fail(err, DPL_E_NUMERIC, "number %d of a %s vector is %g, limit is %g",
                             (int)i, t->space, (double)t->vector[i], (double)DPLI_VECTOR_MAX);
        zero &= t->vector[i] == 0;
    }
    if (zero && model->by_cosine)
        return dpli_fail(err, DPL_E_NUMERIC, "a %s vector is all zero and has no direction",
                         t->space);
    return DPL_OK;
}

static dpl_status check_rest(const dpl_new_template *t, dpl_error *err)
{
    dpl_face face = t->face;

    for (int i = 0; i < DPLI_N_FACE; i++)
        if (!isfinite(*dpli_face_at(&face, i)))
            return dpli_fail(err, DPL_E_NUMERIC, "the %s of a face is not finite",
                             dpli_face_fields[i].name);
    if (!memchr(face.quality.weakest, '\0', sizeof face.quality.weakest) ||
        !dpli_is_utf8(face.quality.weakest))
        return dpli_fail(err, DPL_E_ARGUMENT, "the weakest part of a face's quality is no string");
    if (t->caption) {
        static const char *const sources[] = {"sidecar", "xmp", "photo", "list"};
        bool known = false;

        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
            known |= t->caption_source && strcmp(t->caption_source, sources[i]) == 0;
        if (!known || !*t->caption || !dpli_is_utf8(t->caption))
            return dpli_fail(err, DPL_E_ARGUMENT, "a caption is empty, not UTF-8, or of no source");
        if (strlen(t->caption) > DPL_MAX_SENTENCE_BYTES)
            return dpli_fail(err, DPL_E_LIMIT, "a caption has %zu bytes, limit is %d",
                             strlen(t->caption), DPL_MAX_SENTENCE_BYTES);
    }
    if (t->n_thumb > DPLI_THUMB_MAX_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "a thumbnail has %zu bytes, limit is %d", t->n_thumb,
                         DPLI_THUMB_MAX_BYTES);
    return DPL_OK;
}

static dpl_status put_face(dpli_store *s, int64_t id, const dpl_face *from, dpl_error *err)
{
    double numbers[DPLI_N_FACE];
    dpl_face face = *from;

    for (int i = 0; i < DPLI_N_FACE; i++)
        numbers[i] = (double)*dpli_face_at(&face, i);
    return s->ops->add_face(s, id, numbers, face.quality.weakest,
                            dpli_face_sum(id, numbers, face.quality.weakest), err);
}

dpl_status dpli_put_template(int64_t *given, dpli_putter *p, const dpl_new_template *t,
                             int64_t photo_id, int64_t person_id, int64_t wanted, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    dpli_vector_record r = {.photo_id = photo_id, .owner.person_id = person_id, .bytes = t->vector};
    const dpli_space *space;
    dpli_bound *model;
    int64_t id = wanted;
    dpl_status status = dpli_space_need(&space, t->space, err);

    if (status != DPL_OK)
        return status;
    model = &p->models[dpli_space_number(space)];
    if (!model->id) {
        status = dpli_bound_model(model, p->gallery, space, err);
        if (status != DPL_OK)
            return status;
    }
    status = check_vector(t, model, p->gallery, err);
    if (status == DPL_OK && space->is_text != (t->caption != NULL))
        status = dpli_fail(err, DPL_E_ARGUMENT, "a %s vector %s a caption", space->name,
                           space->is_text ? "needs" : "has no");
    if (status == DPL_OK)
        status = check_rest(t, err);
    if (status != DPL_OK)
        return status;
    r.model_id = model->id;
    r.n_bytes = (size_t)t->dim * sizeof *t->vector;
    r.sum = dpli_vector_sum(&r);
    status = s->ops->add_vector(s, &id, &r, err);
    if (status != DPL_OK)
        return status;
    p->touched = true;
    if (given)
        *given = id;
    if (person_id) {
        status = dpli_put_owner(p->gallery, id, person_id, t->by_hand, err);
        if (status != DPL_OK)
            return status;
    }
    if (dpli_face_is_known(&t->face)) {
        status = put_face(s, id, &t->face, err);
        if (status != DPL_OK)
            return status;
    }
    if (t->caption) {
        status = s->ops->add_caption(s, id, t->caption_source, t->caption,
                                     dpli_caption_sum(id, t->caption_source, t->caption), err);
        if (status != DPL_OK)
            return status;
    }
    return t->thumb && t->n_thumb ? s->ops->add_thumb(s, id, t->thumb, t->n_thumb,
                                                      dpli_thumb_sum(id, t->thumb, t->n_thumb), err)
                                  : DPL_OK;
}

/* ------------------------------------------------------------------ put */

/* What somebody has said of a face, to be said of the one that is in its place. */
struct said {
    int64_t template_id; /* as it was */
    int64_t person_id;   /* 0: nothing */
    bool has_face;       /* else it is not known where the face was: of a picture of one */
    double face[DPLI_N_FACE];
};

struct said_of {
    dpl_gallery *gallery;
    int64_t photo_id; /* that is put; 0: a new one. Of others of its content only refusals count */
    const char *sha256; /* its content */
    bool is_copy;       /* what is looked at is one of those */
    struct said *items;
    size_t n, cap;
};

static bool is_of_face(const char *space_name)
{
    const dpli_space *space = dpli_space_find(space_name);

    return space && space->is_face;
}

static dpl_status keep_said(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct said_of *all = ctx;
    struct said *items;

    if (!is_of_face(r->space))
        return DPL_OK;
    items = dpli_grow(all->items, &all->cap, all->n + 1, sizeof *items, err);
    if (!items)
        return DPL_E_MEMORY;
    all->items = items;
    items[all->n] = (struct said){.template_id = r->vector.id, .has_face = r->has_face};
    if (!all->is_copy && r->vector.owner.by_hand &&
        r->vector.owner.sum == dpli_owner_sum(&r->vector.owner))
        items[all->n].person_id = r->vector.owner.person_id;
    if (r->has_face)
        memcpy(items[all->n].face, r->face, sizeof r->face);
    all->n++;
    return DPL_OK;
}

/* How much of two boxes (x, y, w, h) is in both: the area of that over the area of either. */
static double overlap(const double *a, const dpl_face *b)
{
    const double w =
        fmin(a[0] + a[2], (double)b->x_px + (double)b->w_px) - fmax(a[0], (double)b->x_px);
    const double h =
        fmin(a[1] + a[3], (double)b->y_px + (double)b->h_px) - fmax(a[1], (double)b->y_px);
    const double both = w > 0 && h > 0 ? w * h : 0;
    const double either = a[2] * a[3] + (double)b->w_px * (double)b->h_px - both;

    return either > 0 ? both / either : 0;
}

/* The template among the new ones that is of the same face; NULL when it is not clear that one is.
 */
static const int64_t *same_face(const int64_t *ids, const dpl_new_photo *photo,
                                const struct said *said)
{
    const int64_t *best = NULL;
    double most = 0.5;
    int n_alike = 0; /* where no place is known: others of which none is */

    for (size_t i = 0; i < photo->n_templates; i++) {
        const dpl_new_template *t = &photo->templates[i];
        const bool known = dpli_face_is_known(&t->face);
        const double o = known && said->has_face ? overlap(said->face, &t->face) : 0;

        if (!known && !said->has_face && is_of_face(t->space)) {
            n_alike++;
            best = &ids[i];
        } else if (o > most) {
            most = o;
            best = &ids[i];
        }
    }
    return n_alike > 1 ? NULL : best;
}

struct refused {
    const struct said_of *said;
    const int64_t *ids;
    const dpl_new_photo *photo;
    dpli_refusal_record *items;
    size_t n, cap;
};

/* A refusal that names a template that is to go, as it reads of the one in its place. */
static dpl_status keep_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct refused *all = ctx;
    dpli_refusal_record now = *r, *items;

    if (r->sum != dpli_refusal_sum(r))
        return DPL_OK; /* said of whom is not known any more */

    for (size_t i = 0; i < all->said->n; i++) {
        const struct said *said = &all->said->items[i];
        const int64_t *id = said->template_id == r->template_id || said->template_id == r->other_id
                                ? same_face(all->ids, all->photo, said)
                                : NULL;

        if (id && said->template_id == r->template_id)
            now.template_id = *id;
        else if (id)
            now.other_id = *id;
    }
    if (now.template_id == r->template_id && now.other_id == r->other_id)
        return DPL_OK;
    items = dpli_grow(all->items, &all->cap, all->n + 1, sizeof *items, err);
    if (!items)
        return DPL_E_MEMORY;
    all->items = items;
    now.id = 0;
    now.sum = dpli_refusal_sum(&now);
    items[all->n++] = now;
    return DPL_OK;
}

/* The new templates get what was said of the old ones, which are still there. Who a face was said
   not to be, it is not by its photo either. *to: whose the photo's faces are by hand; -1: nothing
   was changed by what was said, 0: nobody's, or several people's. */
static dpl_status say_again(int64_t *to, dpli_putter *p, const struct said_of *said,
                            const int64_t *ids, const int64_t *owners, const dpl_new_photo *photo,
                            dpl_error *err)
{
    struct refused refused = {.said = said, .ids = ids, .photo = photo};
    dpli_store *s = p->gallery->store;
    dpl_status status = DPL_OK;
    int n_by_hand = 0;

    *to = -1;

    for (size_t i = 0; i < said->n && status == DPL_OK; i++)
        status = s->ops->each_refusal(s, said->items[i].template_id, keep_refusal, &refused, err);
    for (size_t i = 0; i < refused.n && status == DPL_OK; i++) {
        const dpli_refusal_record *r = &refused.items[i];
        int64_t id = 0;

        status = s->ops->add_refusal(s, &id, r, err);
        for (size_t k = 0; k < photo->n_templates && status == DPL_OK; k++)
            if (r->person_id && ids[k] == r->template_id && owners[k] == r->person_id) {
                status = dpli_put_owner(p->gallery, ids[k], 0, false, err);
                *to = 0;
            }
    }
    for (size_t i = 0; i < said->n && status == DPL_OK; i++) {
        const int64_t person_id = said->items[i].person_id;
        const int64_t *id = person_id ? same_face(ids, photo, &said->items[i]) : NULL;

        if (!id)
            continue;
        status = dpli_put_owner(p->gallery, *id, person_id, true, err);
        *to = n_by_hand++ == 0 || *to == person_id ? person_id : 0;
    }
    free(refused.items);
    return status;
}

/* Whose a new template is. */
static dpl_status owner_of(int64_t *id, dpli_putter *p, const dpl_new_template *t,
                           int64_t photos_person_id, dpl_error *err)
{
    *id = t->is_nobodys ? 0 : photos_person_id;
    return t->person ? put_person_again(id, p, t->person, err) : DPL_OK;
}

static dpl_status put_templates(dpli_putter *p, const dpl_new_photo *photo, int64_t photo_id,
                                int64_t person_id, const struct said_of *said, dpl_error *err)
{
    int64_t *ids = dpli_calloc(2 * photo->n_templates + 1, sizeof *ids, err);
    int64_t *owners = ids ? ids + photo->n_templates : NULL, to = -1;
    dpl_status status = ids ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < photo->n_templates && status == DPL_OK; i++) {
        status = owner_of(&owners[i], p, &photo->templates[i], person_id, err);
        if (status == DPL_OK)
            status =
                dpli_put_template(&ids[i], p, &photo->templates[i], photo_id, owners[i], 0, err);
    }
    if (status == DPL_OK)
        status = say_again(&to, p, said, ids, owners, photo, err);
    if (status == DPL_OK && to >= 0)
        status = dpli_settle_photo(p->gallery, photo_id, to, err);
    /* Whom the photo names, but what was said does not. */
    if (status == DPL_OK && to >= 0)
        status = drop_people(p, owners, photo->n_templates, err);
    if (status == DPL_OK && to >= 0)
        status = drop_person(p, person_id, err);
    free(ids);
    return status;
}

static dpl_status what_was_said_there(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    const dpli_template_query templates = {DPLI_TEMPLATES_IN, r->id, NULL};
    struct said_of *said = ctx;
    dpli_store *s = said->gallery->store;

    said->is_copy = r->id != said->photo_id;
    if (strcmp(r->sha256, said->sha256) != 0)
        return DPL_OK;
    return s->ops->each_template(s, &templates, keep_said, said, err);
}

static dpl_status stop_at_any(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    (void)r;
    (void)err;
    *(bool *)ctx = true;
    return DPL_E_CANCELLED;
}

/* Of the faces of this content. Copies of it are looked at only where anything was ever refused: of
   a picture that is everywhere there are as many as of photos. */
static dpl_status what_was_said(struct said_of *said, dpli_putter *p, const char *sha256,
                                dpl_error *err)
{
    const dpli_photo_query alike = {DPLI_PHOTOS_LIKE, sha256, 0};
    const dpli_photo_query itself = {DPLI_PHOTO_BY_ID, NULL, said->photo_id};
    dpli_store *s = said->gallery->store;
    dpl_status status = DPL_OK;

    said->sha256 = sha256;
    if (!*sha256)
        return DPL_OK;
    /* Where there are none, putting makes none. */
    if (!p->knows_refusals)
        status = s->ops->each_refusal(s, 0, stop_at_any, &p->has_refusals, err);
    if (status != DPL_OK && !p->has_refusals)
        return status;
    p->knows_refusals = true;
    if (!p->has_refusals && !said->photo_id)
        return DPL_OK;
    return s->ops->each_photo(s, p->has_refusals ? &alike : &itself, what_was_said_there, said,
                              err);
}

static dpl_status keep_ids(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    dpli_photo_record *to = ctx;

    (void)err;
    to->id = r->id;
    to->person_id = r->person_id;
    return DPL_OK;
}

/* A photo that has moved takes the place of what was known of its new path. */
static dpl_status make_way(int64_t *id, int64_t *person_id, dpli_putter *p, int64_t moved_id,
                           dpl_error *err)
{
    const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, moved_id};
    dpli_store *s = p->gallery->store;
    dpli_photo_record moved = {0};
    dpl_status status = *id ? dpli_drop_photo(p, *id, *person_id, err) : DPL_OK;

    if (status == DPL_OK)
        status = s->ops->each_photo(s, &query, keep_ids, &moved, err);
    if (status == DPL_OK && !moved.id)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no photo %" PRId64, moved_id);
    *id = moved.id;
    *person_id = moved.person_id;
    return status;
}

/* One file's outcome, over what was known of the same path. */
static dpl_status put_one(dpli_putter *p, const dpl_new_photo *photo, dpl_error *err)
{
    dpl_photo_row row = photo->row;
    int64_t id, person_id = 0, old_person_id, meant_id = 0;
    struct older older = {.keep_texts = row.status == DPL_OK};
    struct said_of said = {.gallery = p->gallery};
    char *meant = NULL;
    dpl_status status;

    status = dpli_find_path(&id, &old_person_id, p, row.path, err);
    if (status == DPL_OK)
        status = dpli_check_photo(&row, err);
    if (status == DPL_OK && photo->moved_id && photo->moved_id != id)
        status = make_way(&id, &old_person_id, p, photo->moved_id, err);
    if (status != DPL_OK)
        return status;
    if (row.enrolled_unix_s == 0)
        row.enrolled_unix_s = time(NULL);
    /* What was meant is kept by the name that the person has. */
    if (row.meant) {
        status = dpli_find_person(&meant_id, p->gallery, row.meant, err);
        if (status == DPL_OK && meant_id)
            status = dpli_name_of(&meant, p->gallery, meant_id, err);
        if (meant)
            row.meant = meant;
    }
    if (status == DPL_OK && row.person)
        status = put_person_again(&person_id, p, row.person, err);
    said.photo_id = id;
    if (status == DPL_OK)
        status = what_was_said(&said, p, row.sha256, err);
    if (status == DPL_OK && id)
        status = find_older(&older, p->gallery, id, err);
    if (status == DPL_OK)
        status = dpli_put_photo(&id, p, &row, person_id, id != 0, err);
    /* What is written about a photo is not of what its file holds, and stays, whosever that is now.
     */
    for (size_t i = 0; i < older.n_texts && status == DPL_OK; i++)
        status = dpli_put_owner(p->gallery, older.texts[i], person_id, false, err);
    p->touched |= older.n_texts > 0;
    /* The old ones go last: what was said of them refers to them. */
    if (status == DPL_OK)
        status = put_templates(p, photo, id, person_id, &said, err);
    if (status == DPL_OK)
        status = drop_older(p, &older, err);
    if (status == DPL_OK)
        status = drop_person(p, old_person_id, err);
    free(said.items);
    older_clear(&older);
    free(meant);
    return status;
}

/* ------------------------------------------------------------------ move */

enum { N_STRINGS = 6 };

/* A photo's row as it is, to be written again: its strings are the caller's. */
struct kept_row {
    const dpl_gallery *gallery;
    dpli_photo_record row; /* id 0: none */
    char *strings[N_STRINGS];
};

static dpl_status keep_row(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    const char *const from[N_STRINGS] = {r->sha256, r->reason, r->options,
                                         r->meant,  r->uri,    r->file.reason};
    struct kept_row *k = ctx;

    /* Written again, its sum would be right. */
    if (r->sum != dpli_photo_sum(r))
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: the row of photo %" PRId64 " is not what was written",
                         k->gallery->store->name, r->id);
    for (int i = 0; i < N_STRINGS; i++) {
        if (!from[i])
            continue;
        free(k->strings[i]);
        k->strings[i] = dpli_strdup(from[i], err);
        if (!k->strings[i])
            return DPL_E_MEMORY;
    }
    k->row = *r;
    k->row.sha256 = k->strings[0];
    k->row.reason = k->strings[1];
    k->row.options = k->strings[2];
    k->row.meant = k->strings[3];
    k->row.uri = k->strings[4];
    k->row.file.reason = k->strings[5];
    return DPL_OK;
}

/* A photo's row gets a new source and time, or with uri NULL a new name that was meant, and the sum
   that goes with it. */
static dpl_status change_row(dpl_gallery *gallery, int64_t photo_id, const char *uri,
                             int64_t mtime_ns, const char *meant, dpl_error *err)
{
    const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, photo_id};
    struct kept_row k = {.gallery = gallery};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_photo(s, &query, keep_row, &k, err);

    if (status == DPL_OK && !k.row.id)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no photo %" PRId64, photo_id);
    if (status == DPL_OK) {
        if (uri) {
            k.row.uri = uri;
            k.row.mtime_ns = mtime_ns;
        } else {
            k.row.meant = meant;
        }
        k.row.sum = dpli_photo_sum(&k.row);
        status = s->ops->set_photo(s, &k.row, err);
    }
    for (int i = 0; i < N_STRINGS; i++)
        free(k.strings[i]);
    return status;
}

dpl_status dpli_own_photo(dpl_gallery *gallery, int64_t photo_id, int64_t person_id, dpl_error *err)
{
    const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, photo_id};
    struct kept_row k = {.gallery = gallery};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_photo(s, &query, keep_row, &k, err);

    if (status == DPL_OK && k.row.id) {
        k.row.person_id = person_id;
        k.row.meant = NULL;
        k.row.sum = dpli_photo_sum(&k.row);
        status = s->ops->set_photo(s, &k.row, err);
    }
    for (int i = 0; i < N_STRINGS; i++)
        free(k.strings[i]);
    return status;
}

bool dpli_is_from_thumbnail(const char *options)
{
    const size_t n = strlen(options), n_mark = sizeof DPLI_FROM_THUMBNAIL - 1;

    return n >= n_mark && strcmp(options + n - n_mark, DPLI_FROM_THUMBNAIL) == 0;
}

dpl_status dpli_mark_photo(dpl_gallery *gallery, int64_t photo_id, bool from_thumbnail,
                           dpl_error *err)
{
    const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, photo_id};
    struct kept_row k = {.gallery = gallery};
    dpli_store *s = gallery->store;
    char *options = NULL;
    dpl_status status = s->ops->each_photo(s, &query, keep_row, &k, err);

    if (status != DPL_OK || !k.row.id || dpli_is_from_thumbnail(k.row.options) == from_thumbnail)
        goto done;
    options = dpli_asprintf(err, "%s%s", k.row.options, DPLI_FROM_THUMBNAIL);
    if (!options) {
        status = DPL_E_MEMORY;
        goto done;
    }
    if (!from_thumbnail)
        options[strlen(k.row.options) - (sizeof DPLI_FROM_THUMBNAIL - 1)] = '\0';
    k.row.options = options;
    k.row.sum = dpli_photo_sum(&k.row);
    status = s->ops->set_photo(s, &k.row, err);
done:
    free(options);
    for (int i = 0; i < N_STRINGS; i++)
        free(k.strings[i]);
    return status;
}

/* Whose a photo is, as its faces say. */
struct settling {
    int64_t photo_person_id;
    const char *to; /* name; NULL: nobody */
    bool was_meant; /* it was to be theirs */
    int64_t n_faces, n_theirs;
    int64_t *pictures; /* templates of the whole, which are whosever the photo is */
    size_t n_pictures, cap;
};

static dpl_status look_at_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    struct settling *w = ctx;

    (void)err;
    w->photo_person_id = r->person_id;
    w->was_meant = r->meant && w->to && strcmp(r->meant, w->to) == 0;
    return DPL_OK;
}

static dpl_status look_at_face(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct settling *w = ctx;
    int64_t *pictures;

    if (is_of_face(r->space)) {
        w->n_faces++;
        w->n_theirs += w->photo_person_id && r->vector.owner.person_id == w->photo_person_id;
        return DPL_OK;
    }
    pictures = dpli_grow(w->pictures, &w->cap, w->n_pictures + 1, sizeof *pictures, err);
    if (!pictures)
        return DPL_E_MEMORY;
    w->pictures = pictures;
    pictures[w->n_pictures++] = r->vector.id;
    return DPL_OK;
}

dpl_status dpli_settle_photo(dpl_gallery *gallery, int64_t photo_id, int64_t to, dpl_error *err)
{
    const dpli_photo_query photo = {DPLI_PHOTO_BY_ID, NULL, photo_id};
    const dpli_template_query templates = {DPLI_TEMPLATES_IN, photo_id, NULL};
    struct settling w = {0};
    dpli_store *s = gallery->store;
    char *name = NULL;
    dpl_status status = to ? dpli_name_of(&name, gallery, to, err) : DPL_OK;

    w.to = name;
    if (status == DPL_OK)
        status = s->ops->each_photo(s, &photo, look_at_photo, &w, err);
    if (status == DPL_OK)
        status = s->ops->each_template(s, &templates, look_at_face, &w, err);
    /* One of nobody's that shows more than one face would give a second one's photo away. */
    if (status == DPL_OK &&
        (w.photo_person_id ? w.n_theirs == 0 : to && (w.n_faces == 1 || w.was_meant))) {
        status = dpli_own_photo(gallery, photo_id, to, err);
        for (size_t i = 0; i < w.n_pictures && status == DPL_OK; i++)
            status = dpli_put_owner(gallery, w.pictures[i], to, false, err);
    }
    free(w.pictures);
    free(name);
    return status;
}

dpl_status dpli_note_file(dpl_gallery *gallery, const char *path, int64_t size_bytes,
                          int64_t mtime_ns, dpl_error *err)
{
    dpli_photo_query query = {DPLI_PHOTO_AT, NULL, 0};
    struct kept_row k = {.gallery = gallery};
    dpli_store *s = gallery->store;
    char *uri = NULL;
    dpl_status status = dpli_check_path(&uri, path, err);

    query.text = uri;
    if (status == DPL_OK) {
        status = dpli_begin_change(gallery, "a photo's file noted", err);
        if (status == DPL_OK) {
            status = s->ops->each_photo(s, &query, keep_row, &k, err);
            if (status == DPL_OK && k.row.id) {
                k.row.size_bytes = size_bytes;
                k.row.mtime_ns = mtime_ns;
                k.row.sum = dpli_photo_sum(&k.row);
                status = s->ops->set_photo(s, &k.row, err);
            }
            status = dpli_end_change(gallery, status, err);
        }
    }
    for (int i = 0; i < N_STRINGS; i++)
        free(k.strings[i]);
    free(uri);
    return status;
}

static dpl_status move_inside(dpli_putter *p, int64_t photo_id, const char *path, int64_t mtime_ns,
                              dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    int64_t taken, taken_person_id;
    char *uri = NULL;
    dpl_status status = dpli_check_path(&uri, path, err);

    if (status == DPL_OK)
        status = s->ops->find_photo(s, &taken, &taken_person_id, uri, err);
    if (status == DPL_OK && taken && taken != photo_id)
        status = dpli_drop_photo(p, taken, taken_person_id, err);
    if (status == DPL_OK)
        status = change_row(p->gallery, photo_id, uri, mtime_ns, NULL, err);
    free(uri);
    return status;
}

dpl_status dpl_gallery_move_photo(dpl_gallery *gallery, int64_t photo_id, const char *path,
                                  int64_t mtime_ns, dpl_error *err)
{
    const dpli_step step = {.photo_id = photo_id, .path = path, .mtime_ns = mtime_ns};

    return dpli_take_steps(gallery, &step, 1, err);
}

/* Whether what is known of a path is what is to be put. */
typedef struct meanwhile {
    const dpl_photo_row *row;
    int64_t person_id; /* the row's; 0: nobody */
    bool is_same;
} meanwhile;

static dpl_status compare_put(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    meanwhile *m = ctx;

    (void)err;
    m->is_same = r->status == DPL_OK && m->row->status == DPL_OK && r->person_id == m->person_id &&
                 strcmp(r->sha256, m->row->sha256) == 0 && strcmp(r->options, m->row->options) == 0;
    return DPL_OK;
}

/* Two who enrol the same folder at once: whoever comes second finds it done, and does not take away
   what was said of it since. */
static dpl_status put_unless_done(dpli_putter *p, const dpl_new_photo *photo, dpl_error *err)
{
    dpli_photo_query query = {DPLI_PHOTO_AT, NULL, 0};
    meanwhile m = {.row = &photo->row};
    dpli_store *s = p->gallery->store;
    char *uri = NULL;
    dpl_status status = dpli_check_path(&uri, photo->row.path, err);

    query.text = uri;
    if (status == DPL_OK && photo->row.person)
        status = dpli_find_person(&m.person_id, p->gallery, photo->row.person, err);
    if (status == DPL_OK)
        status = s->ops->each_photo(s, &query, compare_put, &m, err);
    free(uri);
    return status == DPL_OK && !m.is_same ? put_one(p, photo, err) : status;
}

static dpl_status take_step(dpli_putter *p, const dpli_step *step, dpl_error *err)
{
    dpl_status status = DPL_OK;

    if (step->put && step->was_unknown && p->gallery->store->shared)
        return put_unless_done(p, step->put, err);
    if (step->put)
        return put_one(p, step->put, err);
    if (step->path)
        status = move_inside(p, step->photo_id, step->path, step->mtime_ns, err);
    return status == DPL_OK && step->file
               ? dpli_put_file(p->gallery, step->photo_id, step->file, err)
               : status;
}

static dpl_status take_steps_once(dpl_gallery *gallery, const dpli_step *steps, size_t n,
                                  dpl_error *err)
{
    dpli_putter p = {.gallery = gallery};
    dpli_store *s = gallery->store;
    dpl_status status = dpli_gallery_may_write(gallery, err);
    bool notes = n > 0;

    for (size_t i = 0; i < n; i++)
        notes &= steps[i].is_note;
    if (status == DPL_OK && notes)
        status = s->ops->begin(s, true, err);
    else if (status == DPL_OK)
        status = dpli_begin_change(gallery,
                                   n != 1          ? "photos put"
                                   : steps[0].put  ? "a photo put"
                                   : steps[0].path ? "a photo moved"
                                                   : "a photo's file noted",
                                   err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        status = take_step(&p, &steps[i], err);
    if (status == DPL_OK && p.touched)
        status = s->ops->touch(s, err);
    return dpli_end_change(gallery, status, err);
}

dpl_status dpli_take_steps(dpl_gallery *gallery, const dpli_step *steps, size_t n, dpl_error *err)
{
    enum { TRIES = 5 };
    dpl_status status = DPL_E_LOCKED;

    for (int i = 0; i < TRIES && status == DPL_E_LOCKED; i++) {
        status = take_steps_once(gallery, steps, n, err);
        if (!gallery->store->clashed)
            break;
    }
    return status;
}

dpl_status dpl_gallery_put(dpl_gallery *gallery, const dpl_new_photo *photos, size_t n,
                           dpl_error *err)
{
    dpli_step *steps = dpli_calloc(n + 1, sizeof *steps, err);
    dpl_status status = DPL_E_MEMORY;

    for (size_t i = 0; steps && i < n; i++)
        steps[i].put = &photos[i];
    if (steps)
        status = dpli_take_steps(gallery, steps, n, err);
    free(steps);
    return status;
}

dpl_status dpli_drop_photos(dpl_gallery *gallery, const int64_t *ids, size_t n, dpl_error *err)
{
    dpli_putter p = {.gallery = gallery};
    dpli_store *s = gallery->store;
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = dpli_begin_change(gallery, "photos removed", err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, ids[i]};
        dpli_photo_record r = {0};

        status = s->ops->each_photo(s, &query, keep_ids, &r, err);
        if (status == DPL_OK && r.id)
            status = dpli_drop_photo(&p, r.id, r.person_id, err);
    }
    if (status == DPL_OK)
        status = s->ops->touch(s, err);
    return dpli_end_change(gallery, status, err);
}

/* Photos of a query, by id. */
struct photo_ids {
    int64_t *ids;
    size_t n, cap;
};

static dpl_status keep_id(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    struct photo_ids *p = ctx;
    int64_t *ids = dpli_grow(p->ids, &p->cap, p->n + 1, sizeof *ids, err);

    if (!ids)
        return DPL_E_MEMORY;
    p->ids = ids;
    p->ids[p->n++] = r->id;
    return DPL_OK;
}

/* Refused photos keep whose they were to be by the name that the person has now. */
dpl_status dpli_rename_meant(int64_t *n, dpl_gallery *gallery, const char *from, const char *to,
                             dpl_error *err)
{
    const dpli_photo_query query = {DPLI_PHOTOS_MEANT_FOR, from, 0};
    struct photo_ids p = {0};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_photo(s, &query, keep_id, &p, err);

    *n = (int64_t)p.n;
    for (size_t i = 0; i < p.n && status == DPL_OK; i++)
        status = change_row(gallery, p.ids[i], NULL, 0, to, err);
    free(p.ids);
    return status;
}
