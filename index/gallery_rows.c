/*
 * gallery_rows.c - reading the gallery: its people, photos and templates row by row, and all
 * vectors of a space at once for the search.
 *
 * Rows come from a database that anyone may have made, on a disk that may have changed them: every
 * number that sizes or selects something is checked here, and every row against its sum, before it
 * goes into an answer or an index.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/name.h"
#include "index/gallery.h"
#include "index/source.h"

static dpl_status damaged(const dpl_gallery *gallery, const char *what, int64_t id, dpl_error *err)
{
    return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s %" PRId64 " cannot be right",
                     gallery->store->name, what, id);
}

/* A row is not what was written: it says so with the photo that it is of, from which it can be had
   again. */
static dpl_status changed(const dpl_gallery *gallery, const char *what, const char *uri,
                          dpl_error *err)
{
    char *shown = NULL;

    if (dpli_source_shown(&shown, uri, NULL) != DPL_OK)
        shown = NULL;
    dpli_fail(err, DPL_E_GALLERY,
              "\"%s\" is damaged: the %s of photo \"%s\" is not what was written",
              gallery->store->name, what, shown ? shown : uri);
    free(shown);
    return DPL_E_GALLERY;
}

static dpl_status walked(dpl_gallery *gallery, dpl_status status)
{
    gallery->walking--;
    return status;
}

/* ------------------------------------------------------------------ people */

dpl_status dpli_find_person(int64_t *id, dpl_gallery *gallery, const char *name, dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *composed = NULL;
    dpl_status status = s->ops->find_person(s, id, name, err);

    if (status != DPL_OK || *id)
        return status;
    composed = dpli_name_composed(name, err);
    if (!composed)
        return DPL_E_MEMORY;
    if (strcmp(composed, name) != 0)
        status = s->ops->find_person(s, id, composed, err);
    if (status == DPL_OK && !*id)
        status = s->ops->find_alias(s, id, composed, err);
    free(composed);
    return status;
}

static dpl_status keep_name(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    char **name = ctx;

    *name = dpli_strdup(r->name, err);
    return *name ? DPL_OK : DPL_E_MEMORY;
}

dpl_status dpli_find_called(int64_t *id, char **name, dpl_gallery *gallery, const char *called,
                            dpl_error *err)
{
    dpli_store *s = gallery->store;
    char *a = NULL, *b = NULL;
    dpl_status status = dpli_find_person(id, gallery, called, err);

    *name = NULL;
    if (status != DPL_OK || !*id)
        return status;
    status = s->ops->one_person(s, *id, keep_name, name, err);
    if (status == DPL_OK && *name) {
        a = dpli_name_composed(called, err);
        b = a ? dpli_name_composed(*name, err) : NULL;
        if (!b)
            status = DPL_E_MEMORY;
        else if (strcmp(a, b) != 0)
            status = dpli_fail(err, DPL_E_NOT_FOUND,
                               "there is no person \"%s\": who was called so is now \"%s\"", called,
                               *name);
    }
    free(a);
    free(b);
    if (status != DPL_OK) {
        free(*name);
        *name = NULL;
    }
    return status;
}

struct name_walk {
    const dpl_gallery *gallery;
    char *name;
};

static dpl_status take_name(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    struct name_walk *w = ctx;
    dpl_status status = dpli_person_checked(w->gallery, r, err);

    if (status == DPL_OK) {
        w->name = dpli_strdup(r->name, err);
        status = w->name ? DPL_OK : DPL_E_MEMORY;
    }
    return status;
}

dpl_status dpli_name_of(char **name, dpl_gallery *gallery, int64_t id, dpl_error *err)
{
    struct name_walk w = {gallery, NULL};
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->one_person(s, id, take_name, &w, err);

    *name = w.name;
    return status;
}

struct person_walk {
    dpl_gallery *gallery;
    dpl_status (*fn)(void *ctx, const dpl_person *row);
    void *ctx;
};

dpl_status dpli_person_checked(const dpl_gallery *gallery, const dpli_person_record *r,
                               dpl_error *err)
{
    if (r->sum == dpli_person_sum(r->name))
        return DPL_OK;
    return dpli_fail(err, DPL_E_GALLERY,
                     "\"%s\" is damaged: the name of person %" PRId64 " is not what was written",
                     gallery->store->name, r->id);
}

static dpl_status take_person(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    const struct person_walk *w = ctx;
    const dpl_person row = {r->id, r->name, r->n_photos, r->n_templates};
    dpl_status status = dpli_person_checked(w->gallery, r, err);

    return status != DPL_OK ? status : w->fn(w->ctx, &row);
}

dpl_status dpl_gallery_each_person(dpl_gallery *gallery,
                                   dpl_status (*fn)(void *ctx, const dpl_person *row), void *ctx,
                                   dpl_error *err)
{
    struct person_walk w = {gallery, fn, ctx};
    dpli_store *s = gallery->store;

    gallery->walking++;
    return walked(gallery, s->ops->each_person(s, false, take_person, &w, err));
}

/* ------------------------------------------------------------------ photos */

struct photo_walk {
    dpl_gallery *gallery;
    dpl_status (*fn)(void *ctx, const dpl_photo_row *row);
    void *ctx;
    int n; /* rows seen */
};

dpl_status dpli_photo_checked(char **path, const dpl_gallery *gallery, const dpli_photo_record *r,
                              dpl_error *err)
{
    *path = NULL;
    if (r->sum != dpli_photo_sum(r))
        return changed(gallery, "row", r->uri, err);
    if (r->status < DPL_OK || r->status > DPL_E_BUG || r->width_px < 0 || r->width_px > INT32_MAX ||
        r->height_px < 0 || r->height_px > INT32_MAX || r->n_faces < 0 || r->n_faces > INT32_MAX)
        return damaged(gallery, "photo", r->id, err);
    if (r->file.photo_id) {
        if (r->file.sum != dpli_file_sum(&r->file))
            return changed(gallery, "file", r->uri, err);
        if (r->file.status < DPL_OK || r->file.status > DPL_E_BUG)
            return damaged(gallery, "photo", r->id, err);
    }
    if (r->person_id && !r->owner.name)
        return damaged(gallery, "the person of photo", r->id, err);
    if (r->owner.name) {
        dpl_status status = dpli_person_checked(gallery, &r->owner, err);

        if (status != DPL_OK)
            return status;
    }
    switch (dpli_source_shown(path, r->uri, err)) {
    case DPL_OK: return DPL_OK;
    case DPL_E_MEMORY: return DPL_E_MEMORY;
    default: return damaged(gallery, "photo", r->id, err);
    }
}

static dpl_status take_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    struct photo_walk *w = ctx;
    char *path;
    dpl_status status = dpli_photo_checked(&path, w->gallery, r, err);
    const dpl_photo_row row = {
        .id = r->id,
        .path = path,
        .sha256 = r->sha256,
        .person = r->owner.name,
        .meant = r->meant,
        .status = (dpl_status)r->status,
        .reason = r->reason,
        .options = r->options,
        .size_bytes = r->size_bytes,
        .mtime_ns = r->mtime_ns,
        .enrolled_unix_s = r->enrolled_unix_s,
        .width_px = (int32_t)r->width_px,
        .height_px = (int32_t)r->height_px,
        .n_faces = (int32_t)r->n_faces,
        .file_system = r->file.file_system,
        .unreadable_since_unix_s = r->file.unreadable_since_unix_s,
        .unreadable_status = (dpl_status)r->file.status,
        .unreadable_reason = r->file.reason,
    };

    if (status != DPL_OK)
        return status;
    w->n++;
    status = w->fn(w->ctx, &row);
    free(path);
    return status;
}

static dpl_status walk_photos(int *n, dpl_gallery *gallery, const dpli_photo_query *query,
                              dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                              dpl_error *err)
{
    struct photo_walk w = {gallery, fn, ctx, 0};
    dpli_store *s = gallery->store;
    dpl_status status;

    gallery->walking++;
    status = walked(gallery, s->ops->each_photo(s, query, take_photo, &w, err));
    *n = w.n;
    return status;
}

dpl_status dpl_gallery_each_photo(dpl_gallery *gallery, const char *person,
                                  dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                                  dpl_error *err)
{
    dpli_photo_query query = {person ? DPLI_PHOTOS_OF : DPLI_ALL_PHOTOS, NULL, 0};
    dpl_status status = person ? dpli_find_person(&query.id, gallery, person, err) : DPL_OK;
    int n;

    return status == DPL_OK ? walk_photos(&n, gallery, &query, fn, ctx, err) : status;
}

dpl_status dpl_gallery_find_photo(dpl_gallery *gallery, const char *path, const char *sha256,
                                  dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                                  int *found, dpl_error *err)
{
    dpli_photo_query query = {path ? DPLI_PHOTO_AT : DPLI_PHOTOS_LIKE, sha256, 0};
    char *uri = NULL;
    dpl_status status;

    *found = 0;
    if (!path && !sha256)
        return dpli_fail(err, DPL_E_ARGUMENT, "neither a path nor a hash to find a photo by");
    if (path) {
        status = dpli_source_of(&uri, path, err);
        if (status != DPL_OK)
            return status == DPL_E_ARGUMENT ? DPL_OK : status; /* no photo is known by it */
        query.text = uri;
    }
    status = walk_photos(found, gallery, &query, fn, ctx, err);
    free(uri);
    return status;
}

dpl_status dpli_photos_under(dpl_gallery *gallery, const char *folder,
                             dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                             dpl_error *err)
{
    dpli_photo_query query = {DPLI_PHOTOS_UNDER, NULL, 0};
    char *uri = NULL, *begins = NULL;
    dpl_status status = dpli_source_of(&uri, folder, err);
    int n;

    if (status == DPL_OK) {
        /* The root's has one already. */
        query.text = begins =
            dpli_asprintf(err, "%s%s", uri, uri[strlen(uri) - 1] == '/' ? "" : "/");
        status = begins ? walk_photos(&n, gallery, &query, fn, ctx, err) : DPL_E_MEMORY;
    }
    free(begins);
    free(uri);
    return status;
}

/* ------------------------------------------------------------------ templates */

struct template_walk {
    dpl_gallery *gallery;
    dpl_status (*fn)(void *ctx, const dpl_template_row *row);
    void *ctx;
    int n;
    float *vector; /* [dim]: a database aligns bytes to nothing */
    int32_t dim;
};

/* A row's vector, whole and finite, into to. */
static dpl_status take_floats(float *to, size_t dim, const dpl_gallery *gallery,
                              const dpli_vector_record *r, const char *uri, dpl_error *err)
{
    bool finite = true;

    if (r->n_bytes != dim * sizeof *to)
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: the vector of template %" PRId64
                         " has %zu bytes where %zu are right",
                         gallery->store->name, r->id, r->n_bytes, dim * sizeof *to);
    if (r->sum != dpli_vector_sum(r))
        return changed(gallery, "vector", uri, err);
    memcpy(to, r->bytes, r->n_bytes);
    for (size_t i = 0; i < dim; i++)
        finite &= isfinite(to[i]) != 0;
    if (!finite)
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: the vector of template %" PRId64 " is not finite",
                         gallery->store->name, r->id);
    return DPL_OK;
}

static dpl_status take_face(dpl_face *face, const dpl_gallery *gallery,
                            const dpli_template_record *r, dpl_error *err)
{
    memset(face, 0, sizeof *face);
    if (!r->has_face)
        return DPL_OK;
    if (r->face_sum != dpli_face_sum(r->vector.id, r->face, r->weakest))
        return changed(gallery, "face", r->photo.uri, err);
    if (strlen(r->weakest) >= sizeof face->quality.weakest)
        return damaged(gallery, "template", r->vector.id, err);
    for (int i = 0; i < DPLI_N_FACE; i++) {
        float *number = dpli_face_at(face, i);

        *number = (float)r->face[i];
        if (!isfinite(*number))
            return damaged(gallery, "template", r->vector.id, err);
    }
    strcpy(face->quality.weakest, r->weakest);
    return DPL_OK;
}

/* Whose a template is. */
static dpl_status check_owner(const dpl_gallery *gallery, const dpli_template_record *r,
                              dpl_error *err)
{
    if (!r->vector.owner.person_id)
        return DPL_OK;
    if (r->vector.owner.sum != dpli_owner_sum(&r->vector.owner))
        return changed(gallery, "person of a face", r->photo.uri, err);
    if (!r->person.name)
        return damaged(gallery, "the person of template", r->vector.id, err);
    return dpli_person_checked(gallery, &r->person, err);
}

static dpl_status take_template(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    struct template_walk *w = ctx;
    const dpli_space *space = dpli_space_find(r->space);
    char *path;
    dpl_status status = dpli_photo_checked(&path, w->gallery, &r->photo, err);
    dpl_template_row row = {
        .id = r->vector.id,
        .photo_id = r->vector.photo_id,
        .person = r->person.name,
        .person_id = r->vector.owner.person_id,
        .photo_person_id = r->photo.person_id,
        .by_hand = r->vector.owner.by_hand,
        .photo_path = path,
        .photo_sha256 = r->photo.sha256,
        .space = r->space,
        .model_hash = r->model_hash,
        .is_face = space && space->is_face,
        .dim = (int32_t)r->dim,
        .thumb = r->thumb,
        .n_thumb = r->n_thumb,
        .caption = r->caption,
        .caption_source = r->caption_source,
        .photo_width_px = (int32_t)r->photo.width_px,
        .photo_height_px = (int32_t)r->photo.height_px,
    };

    if (status != DPL_OK)
        return status;
    if (r->dim < 1 || r->dim > DPLI_DIM_MAX) {
        status = damaged(w->gallery, "template", row.id, err);
        goto done;
    }
    if (w->dim < row.dim) {
        free(w->vector);
        w->dim = 0;
        w->vector = dpli_alloc((size_t)row.dim, sizeof *w->vector, err);
        if (!w->vector) {
            status = DPL_E_MEMORY;
            goto done;
        }
        w->dim = row.dim;
    }
    row.vector = w->vector;
    status = take_floats(w->vector, (size_t)row.dim, w->gallery, &r->vector, r->photo.uri, err);
    if (status == DPL_OK)
        status = check_owner(w->gallery, r, err);
    if (status == DPL_OK)
        status = take_face(&row.face, w->gallery, r, err);
    if (status == DPL_OK && r->thumb &&
        r->thumb_sum != dpli_thumb_sum(row.id, r->thumb, r->n_thumb))
        status = changed(w->gallery, "thumbnail", r->photo.uri, err);
    if (status == DPL_OK && r->caption &&
        r->caption_sum != dpli_caption_sum(row.id, r->caption_source, r->caption))
        status = changed(w->gallery, "caption", r->photo.uri, err);
    if (status == DPL_OK) {
        w->n++;
        status = w->fn(w->ctx, &row);
    }
done:
    free(path);
    return status;
}

static dpl_status walk_templates(int *n, dpl_gallery *gallery, const dpli_template_query *query,
                                 dpl_status (*fn)(void *ctx, const dpl_template_row *row),
                                 void *ctx, dpl_error *err)
{
    struct template_walk w = {gallery, fn, ctx, 0, NULL, 0};
    dpli_store *s = gallery->store;
    dpl_status status;

    gallery->walking++;
    status = walked(gallery, s->ops->each_template(s, query, take_template, &w, err));
    free(w.vector);
    *n = w.n;
    return status;
}

dpl_status dpl_gallery_each_template(dpl_gallery *gallery, const char *person, const char *space,
                                     dpl_status (*fn)(void *ctx, const dpl_template_row *row),
                                     void *ctx, dpl_error *err)
{
    dpli_template_query query = {person ? DPLI_TEMPLATES_OF : DPLI_ALL_TEMPLATES, 0, space};
    dpl_status status = person ? dpli_find_person(&query.id, gallery, person, err) : DPL_OK;
    int n;

    return status == DPL_OK ? walk_templates(&n, gallery, &query, fn, ctx, err) : status;
}

dpl_status dpl_gallery_each_template_of(dpl_gallery *gallery, int64_t photo_id,
                                        dpl_status (*fn)(void *ctx, const dpl_template_row *row),
                                        void *ctx, dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATES_IN, photo_id, NULL};
    int n;

    return walk_templates(&n, gallery, &query, fn, ctx, err);
}

dpl_status dpl_gallery_get_template(dpl_gallery *gallery, int64_t template_id,
                                    dpl_status (*fn)(void *ctx, const dpl_template_row *row),
                                    void *ctx, dpl_error *err)
{
    const dpli_template_query query = {DPLI_TEMPLATE_BY_ID, template_id, NULL};
    int n;
    dpl_status status = walk_templates(&n, gallery, &query, fn, ctx, err);

    if (status == DPL_OK && n == 0)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no template %" PRId64, template_id);
    return status;
}

/* ------------------------------------------------------------------ all vectors */

void dpli_vectors_clear(dpli_vectors *v)
{
    free(v->ids);
    free(v->owners);
    free(v->photos);
    free(v->rows);
    memset(v, 0, sizeof *v);
}

struct loading {
    dpl_gallery *gallery;
    dpli_vectors *out;
    size_t n; /* there is room for */
};

/* Only for a message: the source of a photo whose vector is damaged. */
static dpl_status keep_source(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    char **uri = ctx;

    free(*uri);
    *uri = dpli_strdup(r->uri, err);
    return *uri ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status take_vector(void *ctx, const dpli_vector_record *r, dpl_error *err)
{
    struct loading *l = ctx;
    dpli_vectors *out = l->out;
    const size_t dim = (size_t)out->dim;

    /* An index that contradicts its table can give more rows than were counted. */
    if (out->n == l->n)
        return damaged(l->gallery, "template", r->id, err);
    out->ids[out->n] = r->id;
    out->photos[out->n] = r->photo_id;
    out->owners[out->n] = r->owner.person_id;
    if (r->owner.person_id && r->owner.sum != dpli_owner_sum(&r->owner))
        return damaged(l->gallery, "the person of template", r->id, err);
    if (out->rows) {
        dpl_status status = take_floats(out->rows + out->n * dim, dim, l->gallery, r, "", err);

        if (status != DPL_OK && r->n_bytes == dim * sizeof(float) && r->sum != dpli_vector_sum(r)) {
            const dpli_photo_query query = {DPLI_PHOTO_BY_ID, NULL, r->photo_id};
            dpli_store *s = l->gallery->store;
            char *uri = NULL;

            if (s->ops->each_photo(s, &query, keep_source, &uri, NULL) == DPL_OK && uri)
                changed(l->gallery, "vector", uri, err);
            free(uri);
        }
        if (status != DPL_OK)
            return status;
    }
    out->n++;
    return DPL_OK;
}

typedef struct whose {
    int64_t id, owner, photo;
} whose;

static int by_id(const void *a, const void *b)
{
    const whose *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static size_t n_rising(const dpli_vectors *v)
{
    size_t n = v->n > 0;

    while (n < v->n && v->ids[n] > v->ids[n - 1])
        n++;
    return n;
}

/* Without vectors rows come by photo, which is mostly the order of ids, too. */
static dpl_status put_in_order(const dpli_vectors *v, dpl_error *err)
{
    whose *all = n_rising(v) < v->n ? dpli_alloc(v->n, sizeof *all, err) : NULL;

    if (!all)
        return n_rising(v) < v->n ? DPL_E_MEMORY : DPL_OK;
    for (size_t i = 0; i < v->n; i++)
        all[i] = (whose){v->ids[i], v->owners[i], v->photos[i]};
    qsort(all, v->n, sizeof *all, by_id);
    for (size_t i = 0; i < v->n; i++) {
        v->ids[i] = all[i].id;
        v->owners[i] = all[i].owner;
        v->photos[i] = all[i].photo;
    }
    free(all);
    return DPL_OK;
}

/* Room for n rows, and the rows. */
static dpl_status load_rows(dpli_vectors *out, dpl_gallery *gallery, int64_t model_id, int64_t n,
                            bool with_rows, dpl_error *err)
{
    struct loading l = {gallery, out, (size_t)n};
    dpli_store *s = gallery->store;
    size_t n_numbers;
    dpl_status status;

    if (n < 0 || (uint64_t)n > SIZE_MAX || !dpli_mul(&n_numbers, (size_t)n, (size_t)out->dim))
        return dpli_fail(err, DPL_E_MEMORY, "%" PRId64 " vectors do not fit into memory", n);
    out->ids = dpli_alloc((size_t)n, sizeof *out->ids, err);
    out->owners = out->ids ? dpli_alloc((size_t)n, sizeof *out->owners, err) : NULL;
    out->photos = out->owners ? dpli_alloc((size_t)n, sizeof *out->photos, err) : NULL;
    if (!out->photos)
        return DPL_E_MEMORY;
    if (with_rows) {
        out->rows = dpli_alloc_aligned(n_numbers, sizeof *out->rows, err);
        if (!out->rows)
            return DPL_E_MEMORY;
    }
    status = s->ops->each_vector(s, model_id, with_rows, take_vector, &l, err);
    if (status == DPL_OK && !with_rows)
        status = put_in_order(out, err);
    if (status == DPL_OK && n_rising(out) < out->n)
        status = damaged(gallery, "template", out->ids[n_rising(out)], err);
    return status;
}

dpl_status dpli_gallery_load(dpli_vectors *out, dpl_gallery *gallery, const char *space_name,
                             int32_t dim, bool with_rows, dpl_error *err)
{
    dpli_store *s = gallery->store;
    char identity[DPLI_IDENTITY];
    const dpli_space *space;
    dpli_bound bound;
    int64_t n = 0;
    dpl_status status;

    memset(out, 0, sizeof *out);
    out->dim = dim;
    status = dpli_space_need(&space, space_name, err);
    if (status == DPL_OK)
        status = s->ops->begin(s, false, err);
    if (status != DPL_OK)
        return status;
    status = s->ops->generation(s, &out->generation, identity, err);
    if (status == DPL_OK)
        status = dpli_bound_model(&bound, gallery, space, err);
    if (status != DPL_OK)
        goto done;
    if (bound.id && bound.dim != dim) {
        status =
            dpli_fail(err, DPL_E_MISMATCH,
                      "the %s vectors of gallery \"%s\" have %d numbers, not %d; " DPLI_WAY_OUT,
                      space->name, gallery->dir, (int)bound.dim, (int)dim);
        goto done;
    }
    status = s->ops->n_vectors(s, &n, bound.id, err);
    if (status == DPL_OK)
        status = load_rows(out, gallery, bound.id, n, with_rows, err);
done:
    status = s->ops->end(s, status, err);
    if (status != DPL_OK)
        dpli_vectors_clear(out);
    return status;
}

/* ------------------------------------------------------------------ how far a walk is */

void dpl_gallery_set_progress(dpl_gallery *gallery,
                              void (*fn)(void *ctx, const char *what, int64_t n_done,
                                         int64_t n_total),
                              void *ctx)
{
    gallery->progress.fn = fn;
    gallery->progress.ctx = ctx;
    gallery->progress.n_total = 0;
}

void dpli_progress_begin(dpl_gallery *gallery, const char *what, int64_t n_total)
{
    gallery->progress.what = what;
    gallery->progress.n_done = 0;
    gallery->progress.n_total = n_total;
}

void dpli_progress_begin_rows(dpl_gallery *gallery)
{
    dpl_gallery_counts n = {0};

    /* Of a damaged database it may not be known: whoever reads it says what is wrong. */
    if (gallery->progress.fn && dpl_gallery_count(&n, gallery, NULL) != DPL_OK)
        n = (dpl_gallery_counts){0};
    dpli_progress_begin(gallery, "rows",
                        n.n_persons + n.n_photos + n.n_templates_face + n.n_templates_image +
                            n.n_templates_text);
}

void dpli_progress_step(dpl_gallery *gallery, int64_t n)
{
    gallery->progress.n_done += n;
    if (gallery->progress.fn && gallery->progress.n_done <= gallery->progress.n_total)
        gallery->progress.fn(gallery->progress.ctx, gallery->progress.what,
                             gallery->progress.n_done, gallery->progress.n_total);
}
