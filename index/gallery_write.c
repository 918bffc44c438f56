/*
 * gallery_write.c - changing the gallery: put, move, rename.
 *
 * Each public function is one transaction: what it has returned DPL_OK for is on disk, and after a
 * failure, or a kill, nothing of it is. A person exists as long as a photo names them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "index/gallery.h"

#define FACE_COLUMN(column, member) #column ","
#define FACE_MARK(column, member)   "?,"

dpl_status dpli_putter_open(dpli_putter *p, dpl_gallery *gallery, dpl_error *err)
{
    const struct {
        dpli_stmt *stmt;
        const char *sql;
    } statements[] = {
        {&p->find_person, "SELECT id FROM person WHERE name = ?"},
        {&p->add_person, "INSERT INTO person(id, name) VALUES(?, ?)"},
        {&p->drop_person, "DELETE FROM person WHERE id = ?1 AND NOT EXISTS"
                          "(SELECT 1 FROM photo WHERE person_id = ?1)"},
        {&p->find_photo, "SELECT id, person_id FROM photo WHERE path = ?"},
        {&p->add_photo,
         "INSERT INTO photo(id, path, person_id, sha256, status, reason, size_bytes, mtime_ns,"
         " enrolled_unix_s, width_px, height_px, n_faces, options)"
         " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&p->set_photo,
         "UPDATE photo SET path = ?2, person_id = ?3, sha256 = ?4, status = ?5, reason = ?6,"
         " size_bytes = ?7, mtime_ns = ?8, enrolled_unix_s = ?9, width_px = ?10, height_px = ?11,"
         " n_faces = ?12, options = ?13 WHERE id = ?1"},
        {&p->drop_photo, "DELETE FROM photo WHERE id = ?"},
        {&p->drop_templates, "DELETE FROM template WHERE photo_id = ?"},
        {&p->add_template,
         "INSERT INTO template(" DPLI_FACE_LIST(FACE_COLUMN) "weakest, id, photo_id, model_id,"
                                                             " vector) VALUES(" DPLI_FACE_LIST(
                                                                 FACE_MARK) "?,?,?,?,?)"},
        {&p->add_thumb, "INSERT INTO thumb(template_id, jpeg) VALUES(?, ?)"},
    };

    memset(p, 0, sizeof *p);
    p->gallery = gallery;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        dpl_status status = dpli_stmt_new(statements[i].stmt, gallery->db, statements[i].sql, err);

        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

void dpli_putter_clear(dpli_putter *p)
{
    dpli_stmt *const statements[] = {
        &p->find_person, &p->add_person, &p->drop_person,    &p->find_photo,   &p->add_photo,
        &p->set_photo,   &p->drop_photo, &p->drop_templates, &p->add_template, &p->add_thumb,
    };

    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        dpli_stmt_clear(statements[i]);
}

/* The first row's first two columns as numbers, 0 when there is no row or they are null. */
static dpl_status find_ids(int64_t *a, int64_t *b, dpli_stmt *s, dpl_error *err)
{
    dpl_status status;
    int row;

    *a = 0;
    status = dpli_stmt_step(s, &row, err);
    if (status == DPL_OK && row) {
        *a = dpli_get_int(s, 0);
        if (b)
            *b = dpli_get_int(s, 1);
    }
    dpli_stmt_reset(s);
    return status;
}

dpl_status dpli_put_person(int64_t *id, dpli_putter *p, const char *name, int64_t wanted,
                           dpl_error *err)
{
    dpl_status status;

    dpli_bind_bytes(&p->find_person, 1, name);
    if ((status = find_ids(id, NULL, &p->find_person, err)) != DPL_OK || *id)
        return status;
    if (wanted)
        dpli_bind_int(&p->add_person, 1, wanted);
    else
        dpli_bind_null(&p->add_person, 1);
    dpli_bind_bytes(&p->add_person, 2, name);
    if ((status = dpli_stmt_run(&p->add_person, err)) == DPL_OK)
        *id = dpli_db_last_id(p->gallery->db);
    return status;
}

dpl_status dpli_find_path(int64_t *id, int64_t *person_id, dpli_putter *p, const char *path,
                          dpl_error *err)
{
    *person_id = 0;
    dpli_bind_bytes(&p->find_photo, 1, path);
    return find_ids(id, person_id, &p->find_photo, err);
}

dpl_status dpli_put_photo(int64_t *id, dpli_putter *p, const dpl_photo_row *row, int64_t person_id,
                          int replace, dpl_error *err)
{
    dpli_stmt *s = replace ? &p->set_photo : &p->add_photo;
    dpl_status status;

    if (*id)
        dpli_bind_int(s, 1, *id);
    else
        dpli_bind_null(s, 1);
    dpli_bind_bytes(s, 2, row->path);
    if (person_id)
        dpli_bind_int(s, 3, person_id);
    else
        dpli_bind_null(s, 3);
    dpli_bind_text(s, 4, row->sha256);
    dpli_bind_int(s, 5, row->status);
    dpli_bind_bytes(s, 6, row->reason);
    dpli_bind_int(s, 7, row->size_bytes);
    dpli_bind_int(s, 8, row->mtime_ns);
    dpli_bind_int(s, 9, row->enrolled_unix_s);
    dpli_bind_int(s, 10, row->width_px);
    dpli_bind_int(s, 11, row->height_px);
    dpli_bind_int(s, 12, row->n_faces);
    dpli_bind_bytes(s, 13, row->options);
    if ((status = dpli_stmt_run(s, err)) == DPL_OK && !*id)
        *id = dpli_db_last_id(p->gallery->db);
    return status;
}

static dpl_status drop_person(dpli_putter *p, int64_t person_id, dpl_error *err)
{
    if (!person_id)
        return DPL_OK;
    dpli_bind_int(&p->drop_person, 1, person_id);
    return dpli_stmt_run(&p->drop_person, err);
}

static dpl_status drop_templates(dpli_putter *p, int64_t photo_id, dpl_error *err)
{
    dpl_status status;

    dpli_bind_int(&p->drop_templates, 1, photo_id);
    status = dpli_stmt_run(&p->drop_templates, err);
    if (status == DPL_OK && dpli_db_changes(p->gallery->db) > 0)
        p->touched = 1;
    return status;
}

dpl_status dpli_drop_lonely(dpl_gallery *gallery, dpl_error *err)
{
    return dpli_db_exec(gallery->db,
                        "DELETE FROM person WHERE NOT EXISTS"
                        "(SELECT 1 FROM photo WHERE person_id = person.id)",
                        err);
}

dpl_status dpli_drop_photo(dpli_putter *p, int64_t id, int64_t person_id, dpl_error *err)
{
    dpl_status status;

    if ((status = drop_templates(p, id, err)) != DPL_OK)
        return status;
    dpli_bind_int(&p->drop_photo, 1, id);
    if ((status = dpli_stmt_run(&p->drop_photo, err)) != DPL_OK)
        return status;
    return drop_person(p, person_id, err);
}

dpl_status dpli_put_template(dpli_putter *p, const dpl_new_template *t, int64_t photo_id,
                             int64_t wanted, dpl_error *err)
{
    dpl_gallery *gallery = p->gallery;
    dpl_face face = t->face;
    dpl_status status;
    int64_t model_id;
    int32_t dim;
    int image, zero = 1;

    if ((status = dpli_check_space(t->space, err)) != DPL_OK)
        return status;
    image = strcmp(t->space, "image") == 0;
    if (!p->models[image].id &&
        ((status = dpli_bound_model(&p->models[image].id, &p->models[image].dim, gallery, t->space,
                                    err)) != DPL_OK ||
         (status = dpli_bound_by_cosine(&p->models[image].cosine, gallery, t->space, err)) !=
             DPL_OK))
        return status;
    model_id = p->models[image].id;
    dim = p->models[image].dim;
    if (!model_id)
        return dpli_fail(err, DPL_E_ARGUMENT, "no model is bound to the %s vectors of \"%s\"",
                         t->space, gallery->dir);
    if (t->dim != dim)
        return dpli_fail(err, DPL_E_MISMATCH, "a %s vector has %d numbers, those of \"%s\" have %d",
                         t->space, (int)t->dim, gallery->dir, (int)dim);
    if (!t->vector)
        return dpli_fail(err, DPL_E_ARGUMENT, "a template has no vector");
    for (int32_t i = 0; i < dim; i++) {
        if (!isfinite(t->vector[i]))
            return dpli_fail(err, DPL_E_NUMERIC, "number %d of a %s vector is not finite", (int)i,
                             t->space);
        zero &= t->vector[i] == 0;
    }
    if (zero && p->models[image].cosine)
        return dpli_fail(err, DPL_E_NUMERIC, "a %s vector is all zero and has no direction",
                         t->space);
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

    for (int i = 0; i < DPLI_N_FACE; i++)
        dpli_bind_real(&p->add_template, i + 1, *dpli_face_at(&face, i));
    dpli_bind_text(&p->add_template, DPLI_N_FACE + 1, face.quality.weakest);
    if (wanted)
        dpli_bind_int(&p->add_template, DPLI_N_FACE + 2, wanted);
    else
        dpli_bind_null(&p->add_template, DPLI_N_FACE + 2);
    dpli_bind_int(&p->add_template, DPLI_N_FACE + 3, photo_id);
    dpli_bind_int(&p->add_template, DPLI_N_FACE + 4, model_id);
    dpli_bind_blob(&p->add_template, DPLI_N_FACE + 5, t->vector, (size_t)dim * sizeof *t->vector);
    if ((status = dpli_stmt_run(&p->add_template, err)) != DPL_OK)
        return status;
    p->touched = 1;
    if (!t->thumb || !t->n_thumb)
        return DPL_OK;
    dpli_bind_int(&p->add_thumb, 1, dpli_db_last_id(gallery->db));
    dpli_bind_blob(&p->add_thumb, 2, t->thumb, t->n_thumb);
    return dpli_stmt_run(&p->add_thumb, err);
}

static dpl_status check_path(const char *path, dpl_error *err)
{
    dpl_status status = dpli_check_string("photo's path", path, 0, DPLI_PATH_MAX_BYTES, err);

    if (status == DPL_OK && *path != '/')
        status = dpli_fail(err, DPL_E_ARGUMENT, "the photo's path \"%s\" is not absolute", path);
    return status;
}

dpl_status dpli_check_photo(const dpl_photo_row *row, dpl_error *err)
{
    dpl_status status;

    if ((status = check_path(row->path, err)) != DPL_OK ||
        (row->person && (status = dpli_check_string("person's name", row->person, 0,
                                                    DPLI_NAME_MAX_BYTES, err)) != DPL_OK) ||
        (status = dpli_check_string("photo's options", row->options, 1, DPLI_NAME_MAX_BYTES,
                                    err)) != DPL_OK ||
        (status = dpli_check_string("reason", row->reason, 1, DPLI_NAME_MAX_BYTES, err)) !=
            DPL_OK ||
        (status = dpli_check_string("photo's hash", row->sha256, 1, 64, err)) != DPL_OK ||
        (*row->sha256 && (status = dpli_check_sha256("photo's hash", row->sha256, err)) != DPL_OK))
        return status;
    if (row->status < DPL_OK || row->status > DPL_E_BUG)
        return dpli_fail(err, DPL_E_ARGUMENT, "photo status %d is none", (int)row->status);
    if (row->size_bytes < 0 || row->width_px < 0 || row->height_px < 0 || row->n_faces < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "a size of photo \"%s\" is negative", row->path);
    return DPL_OK;
}

/* One file's outcome, over what was known of the same path. */
static dpl_status put_one(dpli_putter *p, const dpl_new_photo *photo, dpl_error *err)
{
    dpl_photo_row row = photo->row;
    int64_t id, person_id = 0, old_person_id;
    dpl_status status;

    if ((status = dpli_check_photo(&row, err)) != DPL_OK)
        return status;
    if (row.enrolled_unix_s == 0)
        row.enrolled_unix_s = time(NULL);
    if ((row.person && (status = dpli_put_person(&person_id, p, row.person, 0, err)) != DPL_OK) ||
        (status = dpli_find_path(&id, &old_person_id, p, row.path, err)) != DPL_OK ||
        (id && (status = drop_templates(p, id, err)) != DPL_OK) ||
        (status = dpli_put_photo(&id, p, &row, person_id, id != 0, err)) != DPL_OK)
        return status;
    for (size_t i = 0; i < photo->n_templates; i++)
        if ((status = dpli_put_template(p, &photo->templates[i], id, 0, err)) != DPL_OK)
            return status;
    return drop_person(p, old_person_id, err);
}

dpl_status dpl_gallery_put(dpl_gallery *gallery, const dpl_new_photo *photos, size_t n,
                           dpl_error *err)
{
    dpli_putter p;
    dpl_status status;

    if ((status = dpli_gallery_may_write(gallery, err)) != DPL_OK ||
        (status = dpli_db_begin(gallery->db, 1, err)) != DPL_OK)
        return status;
    status = dpli_putter_open(&p, gallery, err);
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        status = put_one(&p, &photos[i], err);
    if (status == DPL_OK && p.touched)
        status = dpli_gallery_touch(gallery, err);
    dpli_putter_clear(&p);
    return dpli_db_end(gallery->db, status, err);
}

/* ------------------------------------------------------------------ move, rename */

dpl_status dpl_gallery_move_photo(dpl_gallery *gallery, int64_t photo_id, const char *path,
                                  int64_t mtime_ns, dpl_error *err)
{
    int64_t taken, taken_person_id;
    dpli_stmt s = {0};
    dpli_putter p;
    dpl_status status;

    if ((status = dpli_gallery_may_write(gallery, err)) != DPL_OK ||
        (status = check_path(path, err)) != DPL_OK ||
        (status = dpli_db_begin(gallery->db, 1, err)) != DPL_OK)
        return status;
    if ((status = dpli_putter_open(&p, gallery, err)) != DPL_OK ||
        (status = dpli_find_path(&taken, &taken_person_id, &p, path, err)) != DPL_OK ||
        (taken && taken != photo_id &&
         (status = dpli_drop_photo(&p, taken, taken_person_id, err)) != DPL_OK) ||
        (status = dpli_stmt_new(&s, gallery->db,
                                "UPDATE photo SET path = ?, mtime_ns = ? WHERE id = ?", err)) !=
            DPL_OK)
        goto done;
    dpli_bind_bytes(&s, 1, path);
    dpli_bind_int(&s, 2, mtime_ns);
    dpli_bind_int(&s, 3, photo_id);
    if ((status = dpli_stmt_run(&s, err)) != DPL_OK)
        goto done;
    if (dpli_db_changes(gallery->db) == 0)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no photo %" PRId64, photo_id);
    else if (p.touched)
        status = dpli_gallery_touch(gallery, err);
done:
    dpli_stmt_clear(&s);
    dpli_putter_clear(&p);
    return dpli_db_end(gallery->db, status, err);
}

dpl_status dpl_gallery_rename(dpl_gallery *gallery, const char *from, const char *to,
                              dpl_error *err)
{
    dpli_stmt find = {0}, set = {0};
    int64_t from_id, to_id;
    dpl_status status;

    if ((status = dpli_gallery_may_write(gallery, err)) != DPL_OK ||
        (status = dpli_check_string("person's name", from, 0, DPLI_NAME_MAX_BYTES, err)) !=
            DPL_OK ||
        (status = dpli_check_string("new name", to, 0, DPLI_NAME_MAX_BYTES, err)) != DPL_OK ||
        (status = dpli_db_begin(gallery->db, 1, err)) != DPL_OK)
        return status;
    if ((status = dpli_stmt_new(&find, gallery->db, "SELECT id FROM person WHERE name = ?", err)) !=
            DPL_OK ||
        (status = dpli_stmt_new(&set, gallery->db, "UPDATE person SET name = ? WHERE id = ?",
                                err)) != DPL_OK)
        goto done;
    dpli_bind_bytes(&find, 1, from);
    if ((status = find_ids(&from_id, NULL, &find, err)) != DPL_OK)
        goto done;
    dpli_bind_bytes(&find, 1, to);
    if ((status = find_ids(&to_id, NULL, &find, err)) != DPL_OK)
        goto done;
    if (!from_id) {
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no person \"%s\"", from);
    } else if (to_id && to_id != from_id) {
        status = dpli_fail(err, DPL_E_ARGUMENT, "there is a person \"%s\" already", to);
    } else {
        dpli_bind_bytes(&set, 1, to);
        dpli_bind_int(&set, 2, from_id);
        status = dpli_stmt_run(&set, err);
    }
done:
    dpli_stmt_clear(&find);
    dpli_stmt_clear(&set);
    return dpli_db_end(gallery->db, status, err);
}
