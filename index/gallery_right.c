/*
 * gallery_right.c - who is who, put right by hand: a face is a person's, or is not; two people are
 * one, or are two; a person has another name.
 *
 * What was said not to be somebody lasts, so the name that it was said of lasts, too: a person of
 * whom there is neither photo nor face stays in the database as long as a refusal names them, and
 * nobody is told of them.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/name.h"
#include "index/gallery.h"

/* ------------------------------------------------------------------ what is there */

/* Ids that a walk gives, to be gone through when it has ended. */
struct ids {
    int64_t *items;
    size_t n, cap;
};

static dpl_status add_id(struct ids *ids, int64_t id, dpl_error *err)
{
    int64_t *items = dpli_grow(ids->items, &ids->cap, ids->n + 1, sizeof *items, err);

    if (!items)
        return DPL_E_MEMORY;
    ids->items = items;
    items[ids->n++] = id;
    return DPL_OK;
}

/* The face that is spoken of. */
struct face {
    const dpl_gallery *gallery;
    int64_t id, photo_id, person_id, photo_person_id;
    bool is_face;
    char *path;
};

static dpl_status keep_face(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    const dpli_space *space = dpli_space_find(r->space);
    struct face *f = ctx;
    /* A damaged row of the photo cannot be written again. */
    dpl_status status = dpli_photo_checked(&f->path, f->gallery, &r->photo, err);

    f->id = r->vector.id;
    f->photo_id = r->vector.photo_id;
    f->person_id = r->vector.owner.person_id;
    f->photo_person_id = r->photo.person_id;
    f->is_face = space && space->is_face;
    return status;
}

static dpl_status find_face(struct face *f, dpl_gallery *gallery, int64_t id, dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, id, NULL};
    dpli_store *s = gallery->store;
    dpl_status status;

    *f = (struct face){.gallery = gallery};
    status = s->ops->each_template(s, &query, keep_face, f, err);
    if (status == DPL_OK && !f->id)
        return dpli_fail(err, DPL_E_NOT_FOUND, "there is no template %" PRId64, id);
    if (status == DPL_OK && !f->is_face)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "template %" PRId64 " is of a whole picture, which is nobody's face", id);
    return status;
}

static dpl_status keep_owner(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    (void)err;
    *(int64_t *)ctx = r->vector.owner.person_id;
    return DPL_OK;
}

/* 0: nobody's. */
static dpl_status owner_of(int64_t *person_id, dpl_gallery *gallery, int64_t template_id,
                           dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, template_id, NULL};
    dpli_store *s = gallery->store;

    *person_id = 0;
    return s->ops->each_template(s, &query, keep_owner, person_id, err);
}

/* ------------------------------------------------------------------ refusals */

struct refusals {
    dpli_refusal_record *items;
    size_t n, cap;
};

static dpl_status keep_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct refusals *all = ctx;
    dpli_refusal_record *items = dpli_grow(all->items, &all->cap, all->n + 1, sizeof *items, err);

    if (!items)
        return DPL_E_MEMORY;
    all->items = items;
    items[all->n++] = *r;
    return DPL_OK;
}

static dpl_status refuse(dpl_gallery *gallery, int64_t template_id, int64_t person_id,
                         dpl_error *err)
{
    dpli_refusal_record r = {.template_id = template_id, .person_id = person_id};
    dpli_store *s = gallery->store;
    int64_t id = 0;

    r.sum = dpli_refusal_sum(&r);
    return s->ops->add_refusal(s, &id, &r, err);
}

/* Whether a refusal says of a face of a person's that it is not that person's: by name, or because
   it is not the same as another face of theirs. */
static dpl_status is_against(bool *is, dpl_gallery *gallery, const dpli_refusal_record *r,
                             int64_t person_id, dpl_error *err)
{
    int64_t whose = 0, others = r->person_id;
    dpl_status status = owner_of(&whose, gallery, r->template_id, err);

    if (status == DPL_OK && r->other_id)
        status = owner_of(&others, gallery, r->other_id, err);
    *is = whose == person_id && others == person_id;
    return status;
}

/* What was said of these faces, and is not true any more of a person's. template_id 0: of all. */
static dpl_status drop_false(dpl_gallery *gallery, int64_t template_id, int64_t person_id,
                             dpl_error *err)
{
    struct refusals all = {0};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_refusal(s, template_id, keep_refusal, &all, err);

    for (size_t i = 0; i < all.n && status == DPL_OK; i++) {
        bool is;

        status = is_against(&is, gallery, &all.items[i], person_id, err);
        if (status == DPL_OK && is)
            status = s->ops->drop_refusal(s, all.items[i].id, err);
    }
    free(all.items);
    return status;
}

/* What was said not to be from is said not to be to; with to 0 nothing more is said. */
static dpl_status pass_refusals(dpl_gallery *gallery, int64_t from, int64_t to, dpl_error *err)
{
    struct refusals all = {0};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_refusal(s, 0, keep_refusal, &all, err);

    for (size_t i = 0; i < all.n && status == DPL_OK; i++) {
        if (all.items[i].person_id != from)
            continue;
        status = s->ops->drop_refusal(s, all.items[i].id, err);
        if (status == DPL_OK && to)
            status = refuse(gallery, all.items[i].template_id, to, err);
    }
    free(all.items);
    return status;
}

dpl_status dpli_drop_refusals_of(dpl_gallery *gallery, int64_t person_id, dpl_error *err)
{
    return pass_refusals(gallery, person_id, 0, err);
}

struct refusal_walk {
    dpl_gallery *gallery;
    dpl_status (*fn)(void *ctx, const dpl_refusal *row);
    void *ctx;
};

static dpl_status take_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    const struct refusal_walk *w = ctx;
    dpl_refusal row = {.id = r->id,
                       .template_id = r->template_id,
                       .person_id = r->person_id,
                       .other_id = r->other_id};
    char *name = NULL;
    dpl_status status = DPL_OK;

    if (r->sum != dpli_refusal_sum(r))
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: refusal %" PRId64 " is not what was written",
                         w->gallery->store->name, r->id);
    if (r->person_id)
        status = dpli_name_of(&name, w->gallery, r->person_id, err);
    row.person = name;
    if (status == DPL_OK)
        status = w->fn(w->ctx, &row);
    free(name);
    return status;
}

dpl_status dpl_gallery_each_refusal(dpl_gallery *gallery, int64_t template_id,
                                    dpl_status (*fn)(void *ctx, const dpl_refusal *row), void *ctx,
                                    dpl_error *err)
{
    struct refusal_walk w = {gallery, fn, ctx};
    dpli_store *s = gallery->store;
    dpl_status status;

    gallery->walking++;
    status = s->ops->each_refusal(s, template_id, take_refusal, &w, err);
    gallery->walking--;
    return status;
}

/* ------------------------------------------------------------------ one face */

static dpl_status begin(dpl_gallery *gallery, const char *verb, const char *a, const char *b,
                        dpl_error *err)
{
    char *what = dpli_asprintf(err, "%s \"%s\" \"%s\"", verb, a, b);
    dpl_status status = what ? dpli_begin_change(gallery, what, err) : DPL_E_MEMORY;

    free(what);
    return status;
}

/* It has one: whose the photo is follows, and who has lost the last of theirs vanishes. */
static dpl_status give_face(dpl_gallery *gallery, const struct face *f, int64_t to, dpl_error *err)
{
    const dpli_member_record none = {.template_id = f->id};
    dpli_store *s = gallery->store;
    dpl_status status = dpli_put_owner(gallery, f->id, to, to != 0, err);

    /* Groups are of nobody's faces. */
    if (status == DPL_OK && to)
        status = s->ops->set_member(s, &none, err);
    if (status == DPL_OK)
        status = dpli_settle_photo(gallery, f->photo_id, to, err);
    if (status == DPL_OK && f->person_id)
        status = s->ops->drop_if_lonely(s, f->person_id, err);
    if (status == DPL_OK && f->photo_person_id && f->photo_person_id != f->person_id)
        status = s->ops->drop_if_lonely(s, f->photo_person_id, err);
    return status == DPL_OK ? s->ops->touch(s, err) : status;
}

static dpl_status assign_inside(dpl_gallery *gallery, const struct face *f, const char *name,
                                dpl_error *err)
{
    dpli_putter p = {.gallery = gallery};
    int64_t to;
    dpl_status status = dpli_put_person(&to, &p, name, 0, err);

    if (status == DPL_OK)
        status = give_face(gallery, f, to, err);
    return status == DPL_OK ? drop_false(gallery, f->id, to, err) : status;
}

static dpl_status reject_inside(dpl_gallery *gallery, const struct face *f, const char *name,
                                dpl_error *err)
{
    int64_t not_theirs = 0;
    dpl_status status = dpli_find_person(&not_theirs, gallery, name, err);

    if (status == DPL_OK && !not_theirs)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", name);
    if (status == DPL_OK)
        status = refuse(gallery, f->id, not_theirs, err);
    if (status == DPL_OK && f->person_id == not_theirs)
        status = give_face(gallery, f, 0, err);
    return status;
}

/* A name, the face that it is said of, and the change that says it. */
static dpl_status say(dpl_gallery *gallery, const char *verb, int64_t template_id, const char *name,
                      dpl_status (*inside)(dpl_gallery *gallery, const struct face *f,
                                           const char *name, dpl_error *err),
                      dpl_error *err)
{
    struct face f = {0};
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = dpli_check_string("person's name", name, false, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = find_face(&f, gallery, template_id, err);
    if (status == DPL_OK)
        status = begin(gallery, verb, f.path, name, err);
    if (status == DPL_OK)
        status = dpli_end_change(gallery, inside(gallery, &f, name, err), err);
    free(f.path);
    return status;
}

dpl_status dpli_assign(dpl_gallery *gallery, int64_t template_id, const char *name, dpl_error *err)
{
    struct face f = {0};
    dpl_status status = find_face(&f, gallery, template_id, err);

    if (status == DPL_OK)
        status = assign_inside(gallery, &f, name, err);
    free(f.path);
    return status;
}

dpl_status dpl_gallery_assign(dpl_gallery *gallery, int64_t template_id, const char *name,
                              dpl_error *err)
{
    return say(gallery, "assign", template_id, name, assign_inside, err);
}

dpl_status dpl_gallery_reject(dpl_gallery *gallery, int64_t template_id, const char *name,
                              dpl_error *err)
{
    return say(gallery, "reject", template_id, name, reject_inside, err);
}

/* ------------------------------------------------------------------ two people */

/* A person's templates. */
struct theirs {
    struct ids all, faces, by_hand;
};

static dpl_status keep_template(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct theirs *t = ctx;
    const dpli_space *space = dpli_space_find(r->space);
    dpl_status status = add_id(&t->all, r->vector.id, err);

    if (status == DPL_OK)
        status = add_id(&t->by_hand, r->vector.owner.by_hand, err);
    return status == DPL_OK && space && space->is_face ? add_id(&t->faces, r->vector.id, err)
                                                       : status;
}

static dpl_status find_theirs(struct theirs *t, dpl_gallery *gallery, int64_t person_id,
                              dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATES_OF, person_id, NULL};
    dpli_store *s = gallery->store;

    *t = (struct theirs){0};
    return s->ops->each_template(s, &query, keep_template, t, err);
}

static void theirs_clear(struct theirs *t)
{
    free(t->all.items);
    free(t->faces.items);
    free(t->by_hand.items);
}

/* A person's photos: those that are theirs as a whole, and how many show them. */
struct their_photos {
    int64_t person_id;
    struct ids whole;
    int64_t n;
};

static dpl_status keep_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    struct their_photos *t = ctx;

    t->n++;
    return r->person_id == t->person_id ? add_id(&t->whole, r->id, err) : DPL_OK;
}

static dpl_status pass_photos(dpl_merge_report *out, dpl_gallery *gallery, int64_t from, int64_t to,
                              dpl_error *err)
{
    const dpli_photo_query photos = {DPLI_PHOTOS_OF, NULL, from};
    struct their_photos theirs = {.person_id = from};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_photo(s, &photos, keep_photo, &theirs, err);

    for (size_t i = 0; i < theirs.whole.n && status == DPL_OK; i++)
        status = dpli_own_photo(gallery, theirs.whole.items[i], to, err);
    out->n_photos = theirs.n;
    free(theirs.whole.items);
    return status;
}

static dpl_status pass_templates(dpl_merge_report *out, dpl_gallery *gallery, int64_t from,
                                 int64_t to, dpl_error *err)
{
    struct theirs theirs;
    dpl_status status = find_theirs(&theirs, gallery, from, err);

    for (size_t i = 0; i < theirs.all.n && status == DPL_OK; i++)
        status =
            dpli_put_owner(gallery, theirs.all.items[i], to, theirs.by_hand.items[i] != 0, err);
    out->n_faces = (int64_t)theirs.faces.n;
    theirs_clear(&theirs);
    return status;
}

struct names {
    int64_t person_id;
    char **items;
    size_t n, cap;
};

static dpl_status keep_name(void *ctx, const dpli_alias_record *r, dpl_error *err)
{
    struct names *names = ctx;
    char **items;

    if (r->person_id != names->person_id)
        return DPL_OK;
    items = dpli_grow(names->items, &names->cap, names->n + 1, sizeof *items, err);
    if (!items)
        return DPL_E_MEMORY;
    names->items = items;
    items[names->n] = dpli_strdup(r->name, err);
    return items[names->n++] ? DPL_OK : DPL_E_MEMORY;
}

/* What meant from means to, and so does from's own name. */
static dpl_status pass_names(dpl_gallery *gallery, int64_t from, int64_t to, dpl_error *err)
{
    struct names names = {.person_id = from};
    dpli_store *s = gallery->store;
    char *own = NULL, *composed = NULL;
    dpl_status status = s->ops->each_alias(s, keep_name, &names, err);

    for (size_t i = 0; i < names.n && status == DPL_OK; i++)
        status = dpli_put_alias(gallery, to, names.items[i], err);
    if (status == DPL_OK)
        status = dpli_name_of(&own, gallery, from, err);
    if (status == DPL_OK && own) {
        composed = dpli_name_composed(own, err);
        status = composed ? dpli_put_alias(gallery, to, composed, err) : DPL_E_MEMORY;
    }
    for (size_t i = 0; i < names.n; i++)
        free(names.items[i]);
    free(names.items);
    free(composed);
    free(own);
    return status;
}

static dpl_status merge_people(dpl_merge_report *out, dpl_gallery *gallery, int64_t from,
                               int64_t to, dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = pass_names(gallery, from, to, err);

    if (status == DPL_OK)
        status = pass_photos(out, gallery, from, to, err);
    if (status == DPL_OK)
        status = pass_templates(out, gallery, from, to, err);
    if (status == DPL_OK)
        status = pass_refusals(gallery, from, to, err);
    /* That the two were two. */
    if (status == DPL_OK)
        status = drop_false(gallery, 0, to, err);
    return status == DPL_OK ? s->ops->drop_if_lonely(s, from, err) : status;
}

/* Of somebody who is known only by what was said not to be theirs, all goes to to_id, and they
   vanish: *id is 0 then. Of others nothing changes. */
static dpl_status take_over(int64_t *id, dpl_gallery *gallery, int64_t to_id, dpl_error *err)
{
    const dpli_photo_query photos = {DPLI_PHOTOS_OF, NULL, *id};
    struct their_photos theirs = {0};
    dpl_merge_report report = {0};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->each_photo(s, &photos, keep_photo, &theirs, err);

    free(theirs.whole.items);
    if (status != DPL_OK || theirs.n > 0)
        return status;
    status = merge_people(&report, gallery, *id, to_id, err);
    if (status == DPL_OK)
        *id = 0;
    return status;
}

static dpl_status merge_inside(dpl_merge_report *out, dpl_gallery *gallery, const char *from,
                               const char *into, dpl_error *err)
{
    int64_t from_id, into_id;
    char *old = NULL, *now = NULL;
    dpli_store *s = gallery->store;
    dpl_status status = dpli_find_called(&from_id, &old, gallery, from, err);

    if (status == DPL_OK)
        status = dpli_find_called(&into_id, &now, gallery, into, err);
    if (status == DPL_OK && !into_id)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", into);
    else if (status == DPL_OK && from_id == into_id)
        status =
            dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" and \"%s\" are one person already", from, into);
    if (status == DPL_OK)
        status = dpli_rename_meant(&out->n_meant, gallery, old ? old : from, now, err);
    if (status == DPL_OK && !from_id && !out->n_meant)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", from);
    if (status == DPL_OK && from_id)
        status = merge_people(out, gallery, from_id, into_id, err);
    if (status == DPL_OK)
        status = s->ops->touch(s, err);
    free(old);
    free(now);
    return status;
}

/* Two names, and the change that is of them. */
static dpl_status begin_with_two(dpl_gallery *gallery, const char *verb, const char *a,
                                 const char *b, dpl_error *err)
{
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK)
        status = dpli_check_string("person's name", a, false, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("person's name", b, false, DPLI_NAME_MAX_BYTES, err);
    return status == DPL_OK ? begin(gallery, verb, a, b, err) : status;
}

dpl_status dpl_gallery_merge(dpl_merge_report *out, dpl_gallery *gallery, const char *from,
                             const char *into, dpl_error *err)
{
    dpl_status status;

    *out = (dpl_merge_report){0};
    status = begin_with_two(gallery, "merge", from, into, err);
    return status == DPL_OK
               ? dpli_end_change(gallery, merge_inside(out, gallery, from, into, err), err)
               : status;
}

/* No face of one is the other's. */
static dpl_status refuse_all(dpl_gallery *gallery, int64_t of, int64_t not_of, dpl_error *err)
{
    struct theirs theirs;
    dpl_status status = find_theirs(&theirs, gallery, of, err);

    for (size_t i = 0; i < theirs.faces.n && status == DPL_OK; i++)
        status = refuse(gallery, theirs.faces.items[i], not_of, err);
    theirs_clear(&theirs);
    return status;
}

static dpl_status set_apart_inside(dpl_gallery *gallery, const char *const names[2], dpl_error *err)
{
    int64_t ids[2] = {0};
    dpl_status status = DPL_OK;

    for (int i = 0; i < 2 && status == DPL_OK; i++) {
        char *name = NULL;

        status = dpli_find_called(&ids[i], &name, gallery, names[i], err);
        if (status == DPL_OK && !ids[i])
            status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", names[i]);
        free(name);
    }
    if (status == DPL_OK && ids[0] == ids[1])
        status =
            dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" and \"%s\" are one person", names[0], names[1]);
    if (status == DPL_OK)
        status = refuse_all(gallery, ids[0], ids[1], err);
    return status == DPL_OK ? refuse_all(gallery, ids[1], ids[0], err) : status;
}

dpl_status dpl_gallery_set_apart(dpl_gallery *gallery, const char *a, const char *b, dpl_error *err)
{
    const char *const names[2] = {a, b};
    dpl_status status = begin_with_two(gallery, "set apart", a, b, err);

    return status == DPL_OK ? dpli_end_change(gallery, set_apart_inside(gallery, names, err), err)
                            : status;
}

/* ------------------------------------------------------------------ rename */

/* From now on the person is called so, and is meant by the name that they had. */
static dpl_status give_name(dpl_gallery *gallery, int64_t id, const char *old, const char *to,
                            dpl_error *err)
{
    char *composed = dpli_name_composed(old, err), *now = dpli_name_composed(to, err);
    dpli_store *s = gallery->store;
    dpl_status status = composed && now ? DPL_OK : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = s->ops->rename_person(s, id, to, dpli_person_sum(to), err);
    /* What the new name meant before, if anything, it does not any more. */
    if (status == DPL_OK)
        status = dpli_put_alias(gallery, strcmp(now, to) != 0 ? id : 0, now, err);
    if (status == DPL_OK && strcmp(composed, now) != 0)
        status = dpli_put_alias(gallery, id, composed, err);
    free(composed);
    free(now);
    return status;
}

static dpl_status rename_inside(dpl_gallery *gallery, const char *from, const char *to,
                                dpl_error *err)
{
    dpli_store *s = gallery->store;
    int64_t from_id, to_id, n_meant = 0;
    char *composed = NULL, *old = NULL;
    dpl_status status = dpli_find_called(&from_id, &old, gallery, from, err);

    if (status == DPL_OK)
        status = s->ops->find_person(s, &to_id, to, err);
    if (status == DPL_OK && !to_id) {
        composed = dpli_name_composed(to, err);
        status = composed ? s->ops->find_person(s, &to_id, composed, err) : DPL_E_MEMORY;
    }
    if (status == DPL_OK && from_id && to_id && to_id != from_id)
        status = take_over(&to_id, gallery, from_id, err);
    if (status == DPL_OK)
        status = dpli_rename_meant(&n_meant, gallery, old ? old : from, to, err);
    if (status == DPL_OK && !from_id && !n_meant)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", from);
    else if (status == DPL_OK && to_id && to_id != from_id)
        status = dpli_fail(err, DPL_E_ARGUMENT, "there is a person \"%s\" already", to);
    else if (status == DPL_OK && from_id)
        status = give_name(gallery, from_id, old ? old : from, to, err);
    free(composed);
    free(old);
    return status;
}

dpl_status dpl_gallery_rename(dpl_gallery *gallery, const char *from, const char *to,
                              dpl_error *err)
{
    char *what = NULL;
    dpl_status status;

    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = dpli_check_string("person's name", from, 0, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("new name", to, 0, DPLI_NAME_MAX_BYTES, err);
    if (status != DPL_OK)
        return status;
    what = dpli_asprintf(err, "rename \"%s\" to \"%s\"", from, to);
    status = what ? dpli_begin_change(gallery, what, err) : DPL_E_MEMORY;
    free(what);
    if (status != DPL_OK)
        return status;
    return dpli_end_change(gallery, rename_inside(gallery, from, to, err), err);
}
