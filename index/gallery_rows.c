/*
 * gallery_rows.c - reading the gallery: its people, photos and templates row by row, and all
 * vectors of a space at once for the search.
 *
 * A walk is one SELECT, so it sees one instant of the gallery whatever a writer does meanwhile.
 * Rows come from a file that anyone may have made: every number that sizes or selects something is
 * checked here.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/gallery.h"

#define FACE_COLUMN(column, member) "t." #column ","

static dpl_status damaged(const dpl_gallery *gallery, const char *what, int64_t id, dpl_error *err)
{
    return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s %" PRId64 " cannot be right",
                     gallery->db_path, what, id);
}

/* Checks a row and gives it to the function of the walk's caller. */
typedef dpl_status read_row(dpl_gallery *gallery, dpli_stmt *s, void *walk, dpl_error *err);

static dpl_status walk(dpl_gallery *gallery, dpli_stmt *s, read_row *read, void *ctx,
                       dpl_error *err)
{
    dpl_status status;
    int row;

    gallery->walking++;
    while ((status = dpli_stmt_step(s, &row, err)) == DPL_OK && row)
        if ((status = read(gallery, s, ctx, err)) != DPL_OK)
            break;
    gallery->walking--;
    return status;
}

/* ------------------------------------------------------------------ people */

struct person_walk {
    dpl_status (*fn)(void *ctx, const dpl_person *row);
    void *ctx;
};

static dpl_status read_person(dpl_gallery *gallery, dpli_stmt *s, void *ctx, dpl_error *err)
{
    const struct person_walk *w = ctx;
    dpl_person row = {
        .id = dpli_get_int(s, 0),
        .name = dpli_get_string(s, 1),
        .n_photos = dpli_get_int(s, 2),
        .n_templates = dpli_get_int(s, 3),
    };
    dpl_status status = dpli_stmt_check(s, err);

    (void)gallery;
    return status != DPL_OK ? status : w->fn(w->ctx, &row);
}

dpl_status dpl_gallery_each_person(dpl_gallery *gallery,
                                   dpl_status (*fn)(void *ctx, const dpl_person *row), void *ctx,
                                   dpl_error *err)
{
    struct person_walk w = {fn, ctx};
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, gallery->db,
        "SELECT id, name, (SELECT count(*) FROM photo p WHERE p.person_id = person.id),"
        " (SELECT count(*) FROM photo p JOIN template t ON t.photo_id = p.id"
        "  WHERE p.person_id = person.id)"
        " FROM person ORDER BY name",
        err);

    if (status == DPL_OK)
        status = walk(gallery, &s, read_person, &w, err);
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ photos */

#define PHOTO_COLUMNS                                                                              \
    "p.id, p.path, p.sha256, n.name, p.status, p.reason, p.size_bytes, p.mtime_ns,"                \
    " p.enrolled_unix_s, p.width_px, p.height_px, p.n_faces, p.options"                            \
    " FROM photo p LEFT JOIN person n ON n.id = p.person_id "

struct photo_walk {
    dpl_status (*fn)(void *ctx, const dpl_photo_row *row);
    void *ctx;
    int n; /* rows seen */
};

static dpl_status read_photo(dpl_gallery *gallery, dpli_stmt *s, void *ctx, dpl_error *err)
{
    struct photo_walk *w = ctx;
    int64_t status_number = dpli_get_int(s, 4), width = dpli_get_int(s, 9),
            height = dpli_get_int(s, 10), n_faces = dpli_get_int(s, 11);
    dpl_photo_row row = {
        .id = dpli_get_int(s, 0),
        .path = dpli_get_string(s, 1),
        .sha256 = dpli_get_string(s, 2),
        .person = dpli_get_is_null(s, 3) ? NULL : dpli_get_string(s, 3),
        .reason = dpli_get_string(s, 5),
        .options = dpli_get_string(s, 12),
        .size_bytes = dpli_get_int(s, 6),
        .mtime_ns = dpli_get_int(s, 7),
        .enrolled_unix_s = dpli_get_int(s, 8),
    };
    dpl_status status = dpli_stmt_check(s, err);

    if (status != DPL_OK)
        return status;
    if (status_number < DPL_OK || status_number > DPL_E_BUG || width < 0 || width > INT32_MAX ||
        height < 0 || height > INT32_MAX || n_faces < 0 || n_faces > INT32_MAX)
        return damaged(gallery, "photo", row.id, err);
    row.status = (dpl_status)status_number;
    row.width_px = (int32_t)width;
    row.height_px = (int32_t)height;
    row.n_faces = (int32_t)n_faces;
    w->n++;
    return w->fn(w->ctx, &row);
}

dpl_status dpl_gallery_each_photo(dpl_gallery *gallery, const char *person,
                                  dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                                  dpl_error *err)
{
    struct photo_walk w = {fn, ctx, 0};
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, gallery->db,
                      person ? "SELECT " PHOTO_COLUMNS
                               "WHERE p.person_id = (SELECT id FROM person WHERE name = ?)"
                               " ORDER BY p.path"
                             : "SELECT " PHOTO_COLUMNS "ORDER BY p.path",
                      err);

    if (status == DPL_OK) {
        if (person)
            dpli_bind_bytes(&s, 1, person);
        status = walk(gallery, &s, read_photo, &w, err);
    }
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpl_gallery_find_photo(dpl_gallery *gallery, const char *path, const char *sha256,
                                  dpl_status (*fn)(void *ctx, const dpl_photo_row *row), void *ctx,
                                  int *found, dpl_error *err)
{
    struct photo_walk w = {fn, ctx, 0};
    dpli_stmt s = {0};
    dpl_status status;

    *found = 0;
    if (!path && !sha256)
        return dpli_fail(err, DPL_E_ARGUMENT, "neither a path nor a hash to find a photo by");
    status = dpli_stmt_new(&s, gallery->db,
                           path ? "SELECT " PHOTO_COLUMNS "WHERE p.path = ?"
                                : "SELECT " PHOTO_COLUMNS "WHERE p.sha256 = ? ORDER BY p.id",
                           err);
    if (status == DPL_OK) {
        if (path)
            dpli_bind_bytes(&s, 1, path);
        else
            dpli_bind_text(&s, 1, sha256);
        status = walk(gallery, &s, read_photo, &w, err);
        *found = w.n;
    }
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ templates */

/* The face's columns first, so that they are numbered as in dpli_face_fields. */
#define TEMPLATE_COLUMNS                                                                           \
    DPLI_FACE_LIST(FACE_COLUMN)                                                                    \
    "t.weakest, t.id, t.photo_id, n.name, p.path, p.sha256, m.space, m.hash, m.dim, t.vector,"     \
    " b.jpeg FROM template t JOIN photo p ON p.id = t.photo_id JOIN model m ON m.id = t.model_id"  \
    " LEFT JOIN person n ON n.id = p.person_id LEFT JOIN thumb b ON b.template_id = t.id "

struct template_walk {
    dpl_status (*fn)(void *ctx, const dpl_template_row *row);
    void *ctx;
    int n;
    float *vector; /* [DPLI_DIM_MAX] at most: SQLite aligns a blob to nothing */
    int32_t dim;
};

static dpl_status read_template(dpl_gallery *gallery, dpli_stmt *s, void *ctx, dpl_error *err)
{
    struct template_walk *w = ctx;
    const int after = DPLI_N_FACE;
    dpl_template_row row = {
        .id = dpli_get_int(s, after + 1),
        .photo_id = dpli_get_int(s, after + 2),
        .person = dpli_get_is_null(s, after + 3) ? NULL : dpli_get_string(s, after + 3),
        .photo_path = dpli_get_string(s, after + 4),
        .photo_sha256 = dpli_get_string(s, after + 5),
        .space = dpli_get_string(s, after + 6),
        .model_hash = dpli_get_string(s, after + 7),
    };
    const char *weakest = dpli_get_string(s, after);
    int64_t dim = dpli_get_int(s, after + 8);
    size_t n_bytes;
    const void *bytes = dpli_get_blob(s, after + 9, &n_bytes);
    dpl_status status;

    row.thumb = dpli_get_blob(s, after + 10, &row.n_thumb);
    if ((status = dpli_stmt_check(s, err)) != DPL_OK)
        return status;
    if (dim < 1 || dim > DPLI_DIM_MAX || n_bytes != (size_t)dim * sizeof(float) ||
        strlen(weakest) >= sizeof row.face.quality.weakest)
        return damaged(gallery, "template", row.id, err);
    for (int i = 0; i < DPLI_N_FACE; i++) {
        float *number = dpli_face_at(&row.face, i);

        *number = (float)dpli_get_real(s, i);
        if (!isfinite(*number))
            return damaged(gallery, "template", row.id, err);
    }
    strcpy(row.face.quality.weakest, weakest);
    if (w->dim < dim) {
        free(w->vector);
        w->dim = 0;
        w->vector = dpli_alloc((size_t)dim, sizeof *w->vector, err);
        if (!w->vector)
            return DPL_E_MEMORY;
        w->dim = (int32_t)dim;
    }
    memcpy(w->vector, bytes, n_bytes);
    for (int64_t i = 0; i < dim; i++)
        if (!isfinite(w->vector[i]))
            return damaged(gallery, "template", row.id, err);
    row.dim = (int32_t)dim;
    row.vector = w->vector;
    w->n++;
    return w->fn(w->ctx, &row);
}

dpl_status dpl_gallery_each_template(dpl_gallery *gallery, const char *person, const char *space,
                                     dpl_status (*fn)(void *ctx, const dpl_template_row *row),
                                     void *ctx, dpl_error *err)
{
    struct template_walk w = {fn, ctx, 0, NULL, 0};
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, gallery->db,
        person ? "SELECT " TEMPLATE_COLUMNS
                 "WHERE p.person_id = (SELECT id FROM person WHERE name = ?2)"
                 " AND (?1 IS NULL OR m.space = ?1) ORDER BY t.id"
               : "SELECT " TEMPLATE_COLUMNS "WHERE ?1 IS NULL OR m.space = ?1 ORDER BY t.id",
        err);

    if (status == DPL_OK) {
        if (space)
            dpli_bind_text(&s, 1, space);
        if (person)
            dpli_bind_bytes(&s, 2, person);
        status = walk(gallery, &s, read_template, &w, err);
    }
    dpli_stmt_clear(&s);
    free(w.vector);
    return status;
}

dpl_status dpl_gallery_each_template_of(
    dpl_gallery *gallery, int64_t photo_id,
    dpl_status (*fn)(void *ctx, const dpl_template_row *row), void *ctx, dpl_error *err)
{
    struct template_walk w = {fn, ctx, 0, NULL, 0};
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, gallery->db, "SELECT " TEMPLATE_COLUMNS "WHERE t.photo_id = ? ORDER BY t.id", err);

    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, photo_id);
        status = walk(gallery, &s, read_template, &w, err);
    }
    dpli_stmt_clear(&s);
    free(w.vector);
    return status;
}

dpl_status dpl_gallery_get_template(dpl_gallery *gallery, int64_t template_id,
                                    dpl_status (*fn)(void *ctx, const dpl_template_row *row),
                                    void *ctx, dpl_error *err)
{
    struct template_walk w = {fn, ctx, 0, NULL, 0};
    dpli_stmt s = {0};
    dpl_status status =
        dpli_stmt_new(&s, gallery->db, "SELECT " TEMPLATE_COLUMNS "WHERE t.id = ?", err);

    if (status == DPL_OK) {
        dpli_bind_int(&s, 1, template_id);
        status = walk(gallery, &s, read_template, &w, err);
    }
    dpli_stmt_clear(&s);
    free(w.vector);
    if (status == DPL_OK && w.n == 0)
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

/* Room for n rows, and the rows. */
static dpl_status load_rows(dpli_vectors *out, dpl_gallery *gallery, int64_t model_id, int64_t n,
                            int with_rows, dpl_error *err)
{
    size_t dim = (size_t)out->dim, n_numbers;
    dpli_stmt s = {0};
    dpl_status status = DPL_E_MEMORY;
    int row;

    if (n < 0 || (uint64_t)n > SIZE_MAX || !dpli_mul(&n_numbers, (size_t)n, dim))
        return dpli_fail(err, DPL_E_MEMORY, "%" PRId64 " vectors do not fit into memory", n);
    if (!(out->ids = dpli_alloc((size_t)n, sizeof *out->ids, err)) ||
        !(out->owners = dpli_alloc((size_t)n, sizeof *out->owners, err)) ||
        !(out->photos = dpli_alloc((size_t)n, sizeof *out->photos, err)) ||
        (with_rows && !(out->rows = dpli_alloc_aligned(n_numbers, sizeof *out->rows, err))))
        goto done;
    status = dpli_stmt_new(
        &s, gallery->db,
        with_rows ? "SELECT t.id, t.photo_id, p.person_id, t.vector FROM template t"
                    " JOIN photo p ON p.id = t.photo_id WHERE t.model_id = ? ORDER BY t.id"
                  : "SELECT t.id, t.photo_id, p.person_id FROM template t"
                    " JOIN photo p ON p.id = t.photo_id WHERE t.model_id = ? ORDER BY t.id",
        err);
    if (status != DPL_OK)
        goto done;
    dpli_bind_int(&s, 1, model_id);
    while ((status = dpli_stmt_step(&s, &row, err)) == DPL_OK && row) {
        int64_t id = dpli_get_int(&s, 0);

        /* An index that contradicts its table can give more rows than were counted. */
        if (out->n == (size_t)n || (out->n > 0 && id <= out->ids[out->n - 1])) {
            status = damaged(gallery, "template", id, err);
            goto done;
        }
        out->ids[out->n] = id;
        out->photos[out->n] = dpli_get_int(&s, 1);
        out->owners[out->n] = dpli_get_int(&s, 2);
        if (with_rows) {
            float *to = out->rows + out->n * dim;
            size_t n_bytes;
            const void *bytes = dpli_get_blob(&s, 3, &n_bytes);
            int finite = 1;

            if ((status = dpli_stmt_check(&s, err)) != DPL_OK)
                goto done;
            if (n_bytes != dim * sizeof *to) {
                status = dpli_fail(err, DPL_E_GALLERY,
                                   "\"%s\" is damaged: the vector of template %" PRId64
                                   " has %zu bytes where %zu are right",
                                   gallery->db_path, id, n_bytes, dim * sizeof *to);
                goto done;
            }
            memcpy(to, bytes, n_bytes);
            for (size_t i = 0; i < dim; i++)
                finite &= isfinite(to[i]) != 0;
            if (!finite) {
                status =
                    dpli_fail(err, DPL_E_GALLERY,
                              "\"%s\" is damaged: the vector of template %" PRId64 " is not finite",
                              gallery->db_path, id);
                goto done;
            }
        }
        out->n++;
    }
done:
    dpli_stmt_clear(&s);
    return status;
}

dpl_status dpli_store_load(dpli_vectors *out, dpl_gallery *gallery, const char *space, int32_t dim,
                           int with_rows, dpl_error *err)
{
    int64_t model_id, n = 0;
    char identity[33];
    int32_t bound_dim;
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    memset(out, 0, sizeof *out);
    out->dim = dim;
    if ((status = dpli_check_space(space, err)) != DPL_OK ||
        (status = dpli_db_begin(gallery->db, 0, err)) != DPL_OK)
        return status;
    if ((status = dpli_store_generation(gallery, &out->generation, identity, err)) != DPL_OK ||
        (status = dpli_bound_model(&model_id, &bound_dim, gallery, space, err)) != DPL_OK)
        goto done;
    if (model_id && bound_dim != dim) {
        status = dpli_fail(err, DPL_E_MISMATCH,
                           "the %s vectors of gallery \"%s\" have %d numbers, not %d", space,
                           gallery->dir, (int)bound_dim, (int)dim);
        goto done;
    }
    if ((status = dpli_stmt_new(&s, gallery->db, "SELECT count(*) FROM template WHERE model_id = ?",
                                err)) != DPL_OK)
        goto done;
    dpli_bind_int(&s, 1, model_id);
    if ((status = dpli_stmt_step(&s, &row, err)) != DPL_OK)
        goto done;
    n = row ? dpli_get_int(&s, 0) : 0;
    status = load_rows(out, gallery, model_id, n, with_rows, err);
done:
    dpli_stmt_clear(&s);
    status = dpli_db_end(gallery->db, status, err);
    if (status != DPL_OK)
        dpli_vectors_clear(out);
    return status;
}
