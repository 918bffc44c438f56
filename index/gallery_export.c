/*
 * gallery_export.c - the whole gallery as JSON lines: header, settings, models, people, photos,
 * templates, each by rising id, and an end with their numbers, so that a file cut short is known
 * for one. docs/gallery.md has the format; gallery_import.c reads it.
 *
 * A string that is not UTF-8 (paths and names are bytes) goes under its key with "_base64" after
 * it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/utf8.h"
#include "index/gallery.h"

struct export
{
    dpl_gallery *gallery;
    FILE *file;
    const char *path; /* for messages */
    dpli_buf base64;  /* reused */
    int64_t n;        /* templates written */
    dpl_error *err;
};

static int write_bytes(const char *bytes, size_t n, void *ctx)
{
    const struct export *e = ctx;

    return fwrite(bytes, 1, n, e->file) == n ? 0 : -1;
}

/* Write and free line, which is NULL when memory failed while it was made. Nine digits give a
   float32 back exactly. */
static dpl_status put_line(struct export *e, json_t *line, dpl_error *err)
{
    dpl_status status = DPL_OK;

    if (!line)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory writing an export");
    errno = 0;
    if (json_dump_callback(line, write_bytes, e, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0 ||
        putc('\n', e->file) == EOF)
        status = ferror(e->file)
                     ? dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path)
                     : dpli_fail(err, DPL_E_MEMORY, "out of memory writing an export");
    json_decref(line);
    return status;
}

/* Add a value to *line; when it is NULL, *line becomes NULL, too. */
static void add(json_t **line, const char *key, json_t *value)
{
    if (*line && json_object_set_new(*line, key, value) == 0)
        return;
    if (!*line)
        json_decref(value);
    json_decref(*line);
    *line = NULL;
}

static json_t *new_line(const char *type)
{
    json_t *line = json_object();

    add(&line, "type", json_string(type));
    return line;
}

static void add_base64(struct export *e, json_t **line, const char *key, const void *bytes,
                       size_t n)
{
    e->base64.len = 0;
    dpli_buf_base64(&e->base64, bytes, n);
    add(line, key, e->base64.failed ? NULL : json_stringn_nocheck(e->base64.data, e->base64.len));
}

static void add_string(struct export *e, json_t **line, const char *key, const char *s)
{
    char base64_key[64];

    if (dpli_is_utf8(s)) {
        add(line, key, json_string_nocheck(s));
        return;
    }
    snprintf(base64_key, sizeof base64_key, "%s_base64", key);
    add_base64(e, line, base64_key, s, strlen(s));
}

/* ------------------------------------------------------------------ sections */

static json_t *setting_line(struct export *e, dpli_stmt *s)
{
    json_t *line = new_line("setting");

    add_string(e, &line, "key", dpli_get_string(s, 0));
    add_string(e, &line, "value", dpli_get_string(s, 1));
    return line;
}

static json_t *model_line(struct export *e, dpli_stmt *s)
{
    static const char *const keys[] = {"space", "hash", "name", "head"};
    json_t *line = new_line("model");

    for (int i = 0; i < 4; i++)
        add_string(e, &line, keys[i], dpli_get_string(s, i));
    add(&line, "dim", json_integer(dpli_get_int(s, 4)));
    return line;
}

static json_t *person_line(struct export *e, dpli_stmt *s)
{
    json_t *line = new_line("person");

    add(&line, "id", json_integer(dpli_get_int(s, 0)));
    add_string(e, &line, "name", dpli_get_string(s, 1));
    return line;
}

static json_t *photo_line(struct export *e, dpli_stmt *s)
{
    static const char *const numbers[] = {"size_bytes", "mtime_ns",  "enrolled_unix_s",
                                          "width_px",   "height_px", "n_faces"};
    json_t *line = new_line("photo");

    add(&line, "id", json_integer(dpli_get_int(s, 0)));
    add_string(e, &line, "path", dpli_get_string(s, 1));
    if (!dpli_get_is_null(s, 2))
        add(&line, "person", json_integer(dpli_get_int(s, 2)));
    add_string(e, &line, "sha256", dpli_get_string(s, 3));
    add(&line, "status", json_string(dpl_status_name((dpl_status)dpli_get_int(s, 4))));
    add_string(e, &line, "reason", dpli_get_string(s, 5));
    add_string(e, &line, "options", dpli_get_string(s, 12));
    for (int i = 0; i < 6; i++)
        add(&line, numbers[i], json_integer(dpli_get_int(s, 6 + i)));
    return line;
}

static dpl_status put_template(void *ctx, const dpl_template_row *row)
{
    json_t *line = new_line("template"), *face = json_object();
    const char *weakest = row->face.quality.weakest;
    struct export *e = ctx;
    dpl_face numbers = row->face;
    int any = *weakest != '\0';

    add(&line, "id", json_integer(row->id));
    add(&line, "photo", json_integer(row->photo_id));
    add_string(e, &line, "space", row->space);
    for (int i = 0; i < DPLI_N_FACE; i++) {
        float number = *dpli_face_at(&numbers, i);

        any |= number != 0;
        add(&face, dpli_face_fields[i].name, json_real(number));
    }
    add_string(e, &face, "weakest", weakest);
    /* A whole picture has no face. */
    if (any || !face)
        add(&line, "face", face);
    else
        json_decref(face);
    add_base64(e, &line, "vector", row->vector, (size_t)row->dim * sizeof *row->vector);
    if (row->thumb)
        add_base64(e, &line, "thumb", row->thumb, row->n_thumb);
    e->n++;
    return put_line(e, line, e->err);
}

/* One line a row of sql; *n: how many. */
static dpl_status put_section(int64_t *n, struct export *e, const char *sql,
                              json_t *(*make)(struct export *e, dpli_stmt *s), dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    *n = 0;
    if ((status = dpli_stmt_new(&s, e->gallery->db, sql, err)) != DPL_OK)
        goto done;
    while ((status = dpli_stmt_step(&s, &row, err)) == DPL_OK && row) {
        json_t *line = make(e, &s);

        if ((status = dpli_stmt_check(&s, err)) != DPL_OK) {
            json_decref(line);
            goto done;
        }
        if ((status = put_line(e, line, err)) != DPL_OK)
            goto done;
        ++*n;
    }
done:
    dpli_stmt_clear(&s);
    return status;
}

/* last_ids: so that an id removed here does not come back in a gallery made of the export. */
static dpl_status put_header(struct export *e, dpl_error *err)
{
    json_t *line = json_object(), *last = json_object();
    dpl_status status = DPL_OK;

    add(&line, "schema", json_string("doppel.export/1"));
    for (size_t i = 0; i < DPLI_N_NUMBERED && status == DPL_OK; i++) {
        int64_t id;

        status = dpli_last_id(&id, e->gallery, dpli_numbered[i], err);
        add(&last, dpli_numbered[i], json_integer(id));
    }
    add(&line, "last_ids", last);
    if (status == DPL_OK)
        return put_line(e, line, err);
    json_decref(line);
    return status;
}

static dpl_status put_all(struct export *e, dpl_error *err)
{
    static const struct {
        const char *type, *sql;
        json_t *(*make)(struct export *e, dpli_stmt *s);
    } sections[] = {
        {"settings", "SELECT key, value FROM setting WHERE key NOT GLOB 'model.*' ORDER BY key",
         setting_line},
        {"models",
         "SELECT m.space, m.hash, n.value, h.value, m.dim FROM model m"
         " JOIN setting s ON s.key = 'model.' || m.space || '.hash' AND s.value = m.hash"
         " JOIN setting n ON n.key = 'model.' || m.space || '.name'"
         " JOIN setting h ON h.key = 'model.' || m.space || '.head' ORDER BY m.space",
         model_line},
        {"persons", "SELECT id, name FROM person ORDER BY id", person_line},
        {"photos",
         "SELECT id, path, person_id, sha256, status, reason, size_bytes, mtime_ns,"
         " enrolled_unix_s, width_px, height_px, n_faces, options FROM photo ORDER BY id",
         photo_line},
    };
    json_t *end = new_line("end");
    dpl_status status = put_header(e, err);

    for (size_t i = 0; i < sizeof sections / sizeof *sections && status == DPL_OK; i++) {
        int64_t n = 0;

        status = put_section(&n, e, sections[i].sql, sections[i].make, err);
        add(&end, sections[i].type, json_integer(n));
    }
    if (status == DPL_OK)
        status = dpl_gallery_each_template(e->gallery, NULL, NULL, put_template, e, err);
    add(&end, "templates", json_integer(e->n));
    if (status == DPL_OK)
        return put_line(e, end, err);
    json_decref(end);
    return status;
}

/* ------------------------------------------------------------------ export */

/* Everything in one read, so that a writer meanwhile does not show. */
static dpl_status put_file(struct export *e, dpl_error *err)
{
    dpl_status status = dpli_db_begin(e->gallery->db, 0, err);

    if (status != DPL_OK)
        return status;
    status = dpli_db_end(e->gallery->db, put_all(e, err), err);
    dpli_buf_clear(&e->base64);
    if (status == DPL_OK && fflush(e->file) != 0)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    return status;
}

static dpl_status put_aside(void *ctx, const char *aside, dpl_error *err)
{
    struct export *e = ctx;
    dpl_status status;

    e->file = fopen(aside, "wbe");
    if (!e->file)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    status = put_file(e, err);
    if (fclose(e->file) != 0 && status == DPL_OK)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    return status;
}

dpl_status dpl_gallery_export(dpl_gallery *gallery, const char *path, dpl_error *err)
{
    struct export e = {.gallery = gallery, .path = path, .err = err};
    dpl_status status = dpli_check_string("export's path", path, 0, DPLI_PATH_MAX_BYTES, err);

    if (status != DPL_OK)
        return status;
    if (strcmp(path, "-") != 0)
        return dpli_file_replace_by(path, put_aside, &e, err);
    e.file = stdout;
    e.path = "standard output";
    return put_file(&e, err);
}
