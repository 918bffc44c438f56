/*
 * gallery_write.c - changing the gallery: put, move, rename.
 *
 * Each public function is one transaction: what it has returned DPL_OK for is on disk, and after a
 * failure, or a kill, nothing of it is. A person exists as long as a photo names them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "index/gallery.h"

/* ------------------------------------------------------------------ rows */

dpl_status dpli_put_person(int64_t *id, dpli_putter *p, const char *name, int64_t wanted,
                           dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    dpl_status status = s->ops->find_person(s, id, name, err);

    if (status != DPL_OK || *id)
        return status;
    *id = wanted;
    return s->ops->add_person(s, id, name, dpli_person_sum(name), err);
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
    return status;
}

static dpl_status drop_person(dpli_putter *p, int64_t person_id, dpl_error *err)
{
    dpli_store *s = p->gallery->store;

    return person_id ? s->ops->drop_if_lonely(s, person_id, err) : DPL_OK;
}

static dpl_status drop_templates(dpli_putter *p, int64_t photo_id, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    int64_t n;
    dpl_status status = s->ops->drop_templates(s, &n, photo_id, err);

    p->touched |= n > 0;
    return status;
}

dpl_status dpli_drop_photo(dpli_putter *p, int64_t id, int64_t person_id, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    dpl_status status;

    status = drop_templates(p, id, err);
    if (status == DPL_OK)
        status = s->ops->drop_photo(s, id, err);
    if (status != DPL_OK)
        return status;
    return drop_person(p, person_id, err);
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

dpl_status dpli_put_template(dpli_putter *p, const dpl_new_template *t, int64_t photo_id,
                             int64_t wanted, dpl_error *err)
{
    dpli_store *s = p->gallery->store;
    dpli_vector_record r = {.photo_id = photo_id, .bytes = t->vector};
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
    if (dpli_face_is_known(&t->face)) {
        status = put_face(s, id, &t->face, err);
        if (status != DPL_OK)
            return status;
    }
    return t->thumb && t->n_thumb ? s->ops->add_thumb(s, id, t->thumb, t->n_thumb,
                                                      dpli_thumb_sum(id, t->thumb, t->n_thumb), err)
                                  : DPL_OK;
}

/* ------------------------------------------------------------------ put */

/* One file's outcome, over what was known of the same path. */
static dpl_status put_one(dpli_putter *p, const dpl_new_photo *photo, dpl_error *err)
{
    dpl_photo_row row = photo->row;
    int64_t id, person_id = 0, old_person_id;
    dpl_status status;

    status = dpli_find_path(&id, &old_person_id, p, row.path, err);
    if (status == DPL_OK)
        status = dpli_check_photo(&row, err);
    if (status != DPL_OK)
        return status;
    if (row.enrolled_unix_s == 0)
        row.enrolled_unix_s = time(NULL);
    status = row.person ? dpli_put_person(&person_id, p, row.person, 0, err) : DPL_OK;
    if (status == DPL_OK && id)
        status = drop_templates(p, id, err);
    if (status == DPL_OK)
        status = dpli_put_photo(&id, p, &row, person_id, id != 0, err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < photo->n_templates; i++) {
        status = dpli_put_template(p, &photo->templates[i], id, 0, err);
        if (status != DPL_OK)
            return status;
    }
    return drop_person(p, old_person_id, err);
}

dpl_status dpl_gallery_put(dpl_gallery *gallery, const dpl_new_photo *photos, size_t n,
                           dpl_error *err)
{
    dpli_putter p = {.gallery = gallery};
    dpli_store *s = gallery->store;
    dpl_status status;

    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = s->ops->begin(s, true, err);
    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        status = put_one(&p, &photos[i], err);
    if (status == DPL_OK && p.touched)
        status = s->ops->touch(s, err);
    return s->ops->end(s, status, err);
}

/* ------------------------------------------------------------------ move, rename */

enum { N_STRINGS = 5 };

/* A photo's row as it is, to be written again: its strings are the caller's. */
struct kept_row {
    const dpl_gallery *gallery;
    dpli_photo_record row; /* id 0: none */
    char *strings[N_STRINGS];
};

static dpl_status keep_row(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    const char *const from[N_STRINGS] = {r->sha256, r->reason, r->options, r->meant, r->uri};
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
        status = s->ops->begin(s, true, err);
        if (status == DPL_OK) {
            status = s->ops->each_photo(s, &query, keep_row, &k, err);
            if (status == DPL_OK && k.row.id) {
                k.row.size_bytes = size_bytes;
                k.row.mtime_ns = mtime_ns;
                k.row.sum = dpli_photo_sum(&k.row);
                status = s->ops->set_photo(s, &k.row, err);
            }
            status = s->ops->end(s, status, err);
        }
    }
    for (int i = 0; i < N_STRINGS; i++)
        free(k.strings[i]);
    free(uri);
    return status;
}

dpl_status dpl_gallery_move_photo(dpl_gallery *gallery, int64_t photo_id, const char *path,
                                  int64_t mtime_ns, dpl_error *err)
{
    dpli_putter p = {.gallery = gallery};
    dpli_store *s = gallery->store;
    int64_t taken, taken_person_id;
    char *uri = NULL;
    dpl_status status;

    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = dpli_check_path(&uri, path, err);
    if (status != DPL_OK)
        return status;
    status = s->ops->begin(s, true, err);
    if (status != DPL_OK)
        goto done;
    status = s->ops->find_photo(s, &taken, &taken_person_id, uri, err);
    if (status == DPL_OK && taken && taken != photo_id)
        status = dpli_drop_photo(&p, taken, taken_person_id, err);
    if (status == DPL_OK)
        status = change_row(gallery, photo_id, uri, mtime_ns, NULL, err);
    if (status == DPL_OK && p.touched)
        status = s->ops->touch(s, err);
    status = s->ops->end(s, status, err);
done:
    free(uri);
    return status;
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
static dpl_status rename_meant(int64_t *n, dpl_gallery *gallery, const char *from, const char *to,
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

dpl_status dpl_gallery_rename(dpl_gallery *gallery, const char *from, const char *to,
                              dpl_error *err)
{
    dpli_store *s = gallery->store;
    int64_t from_id, to_id, n_meant = 0;
    dpl_status status;

    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = dpli_check_string("person's name", from, 0, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = dpli_check_string("new name", to, 0, DPLI_NAME_MAX_BYTES, err);
    if (status == DPL_OK)
        status = s->ops->begin(s, true, err);
    if (status != DPL_OK)
        return status;
    status = s->ops->find_person(s, &from_id, from, err);
    if (status == DPL_OK)
        status = s->ops->find_person(s, &to_id, to, err);
    if (status == DPL_OK)
        status = rename_meant(&n_meant, gallery, from, to, err);
    if (status == DPL_OK && !from_id && !n_meant)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", from);
    else if (status == DPL_OK && to_id && to_id != from_id)
        status = dpli_fail(err, DPL_E_ARGUMENT, "there is a person \"%s\" already", to);
    else if (status == DPL_OK && from_id)
        status = s->ops->rename_person(s, from_id, to, dpli_person_sum(to), err);
    return s->ops->end(s, status, err);
}
