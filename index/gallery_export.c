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
#include "base/options.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "index/gallery.h"
#include "index/sealed_export.h"
#include "index/unlock.h"
#include "net/json_text.h"

struct export
{
    dpl_gallery *gallery;
    FILE *file;
    const char *path; /* for messages */
    uint8_t *secret;  /* by which it is sealed; NULL: it is plain */
    size_t n_secret;
    dpli_buf base64; /* reused */
    int64_t n;       /* lines of this kind written */
    dpl_error *err;
};

/* What could drive a terminal or mislead a reader goes as JSON's escape; within strings only, as
   nothing else of a line is such a character. */
static void put_safe(FILE *file, const char *text)
{
    const char *from = text;

    while (*text) {
        uint32_t c = 0;
        const size_t n = dpli_utf8_next(&c, text);

        if (dpli_utf8_is_unsafe(c)) {
            fwrite(from, 1, (size_t)(text - from), file);
            if (c < 0x10000)
                fprintf(file, "\\u%04x", (unsigned)c);
            else
                fprintf(file, "\\u%04x\\u%04x", 0xd7c0U + (unsigned)(c >> 10),
                        0xdc00U + (unsigned)(c & 0x3ff));
            from = text + n;
        }
        text += n ? n : 1;
    }
    fwrite(from, 1, (size_t)(text - from), file);
}

/* Write and free line, which is NULL when memory failed while it was made. Nine digits give a
   float32 back exactly. */
static dpl_status put_line(struct export *e, json_t *line, dpl_error *err)
{
    char *text = line ? dpli_json_write(line, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    dpl_status status = DPL_OK;

    json_decref(line);
    if (!text)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory writing an export");
    errno = 0;
    put_safe(e->file, text);
    if (putc('\n', e->file) == EOF || ferror(e->file))
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    free(text);
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

static dpl_status put_setting(void *ctx, const char *key, const char *value, dpl_error *err)
{
    struct export *e = ctx;
    json_t *line;

    /* Those of a model are in its line. */
    if (strncmp(key, "model.", 6) == 0)
        return DPL_OK;
    line = new_line("setting");
    add_string(e, &line, "key", key);
    add_string(e, &line, "value", value);
    e->n++;
    return put_line(e, line, err);
}

static dpl_status put_model(struct export *e, const dpli_space *space, dpl_error *err)
{
    static const char *const keys[] = {"hash", "name", "head", "path", "preset"};
    enum { N_NEEDED = 3, N_KEYS = sizeof keys / sizeof *keys };
    dpli_store *s = e->gallery->store;
    char *facts[N_KEYS] = {NULL}, key[DPLI_MODEL_KEY];
    dpli_bound bound;
    dpl_status status = dpli_bound_model(&bound, e->gallery, space, err);
    json_t *line;

    for (int i = 0; i < N_KEYS && status == DPL_OK; i++) {
        dpli_model_key(key, space->name, keys[i]);
        status = s->ops->setting(s, &facts[i], key, err);
    }
    if (status == DPL_OK && bound.id && facts[1] && facts[2]) {
        line = new_line("model");
        add_string(e, &line, "space", space->name);
        for (int i = 0; i < N_NEEDED; i++)
            add_string(e, &line, keys[i], facts[i]);
        add(&line, "dim", json_integer(bound.dim));
        /* Galleries of before do not say where their model is. */
        for (int i = N_NEEDED; i < N_KEYS && facts[N_NEEDED]; i++)
            add_string(e, &line, keys[i], facts[i] ? facts[i] : "");
        e->n++;
        status = put_line(e, line, err);
    }
    for (int i = 0; i < N_KEYS; i++)
        free(facts[i]);
    return status;
}

static dpl_status put_person(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    struct export *e = ctx;
    dpl_status status = dpli_person_checked(e->gallery, r, err);
    json_t *line;

    if (status != DPL_OK)
        return status;
    line = new_line("person");
    add(&line, "id", json_integer(r->id));
    add_string(e, &line, "name", r->name);
    e->n++;
    dpli_progress_step(e->gallery, 1);
    return put_line(e, line, err);
}

static dpl_status put_name(void *ctx, const dpli_alias_record *r, dpl_error *err)
{
    struct export *e = ctx;
    json_t *line;

    if (r->sum != dpli_alias_sum(r))
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: another name of person %lld is not what was written",
                         e->gallery->store->name, (long long)r->person_id);
    line = new_line("name");
    add(&line, "person", json_integer(r->person_id));
    add_string(e, &line, "name", r->name);
    e->n++;
    return put_line(e, line, err);
}

static dpl_status damaged(const struct export *e, const char *what, int64_t id, dpl_error *err)
{
    return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s %lld is not what was written",
                     e->gallery->store->name, what, (long long)id);
}

static dpl_status put_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct export *e = ctx;
    json_t *line;

    if (r->sum != dpli_refusal_sum(r))
        return damaged(e, "refusal", r->id, err);
    line = new_line("refusal");
    add(&line, "template", json_integer(r->template_id));
    add(&line, r->person_id ? "person" : "other",
        json_integer(r->person_id ? r->person_id : r->other_id));
    e->n++;
    return put_line(e, line, err);
}

static dpl_status put_member(void *ctx, const dpli_member_record *r, dpl_error *err)
{
    struct export *e = ctx;
    json_t *line;

    if (r->sum != dpli_member_sum(r))
        return damaged(e, "the group of template", r->template_id, err);
    line = new_line("member");
    add(&line, "template", json_integer(r->template_id));
    add(&line, "group", json_integer(r->group_number));
    e->n++;
    return put_line(e, line, err);
}

/* What is known of the file beside its content, where anything is. */
static void add_file(struct export *e, json_t **line, const dpli_file_record *r)
{
    if (r->file_system)
        add(line, "file_system", json_integer(r->file_system));
    if (!r->unreadable_since_unix_s)
        return;
    add(line, "unreadable_since_unix_s", json_integer(r->unreadable_since_unix_s));
    add(line, "unreadable_status", json_string(dpl_status_name((dpl_status)r->status)));
    add_string(e, line, "unreadable_reason", r->reason);
}

static dpl_status put_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    struct export *e = ctx;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"size_bytes", r->size_bytes},
        {"mtime_ns", r->mtime_ns},
        {"enrolled_unix_s", r->enrolled_unix_s},
        {"width_px", r->width_px},
        {"height_px", r->height_px},
        {"n_faces", r->n_faces},
    };
    char *path;
    dpl_status status = dpli_photo_checked(&path, e->gallery, r, err);
    json_t *line;

    if (status != DPL_OK)
        return status;
    line = new_line("photo");
    add(&line, "id", json_integer(r->id));
    add_string(e, &line, "path", path);
    if (r->owner.name)
        add(&line, "person", json_integer(r->person_id));
    if (r->meant)
        add_string(e, &line, "meant", r->meant);
    add_string(e, &line, "sha256", r->sha256);
    add(&line, "status", json_string(dpl_status_name((dpl_status)r->status)));
    add_string(e, &line, "reason", r->reason);
    add_string(e, &line, "options", r->options);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        add(&line, numbers[i].key, json_integer(numbers[i].value));
    add_file(e, &line, &r->file);
    e->n++;
    dpli_progress_step(e->gallery, 1);
    free(path);
    return put_line(e, line, err);
}

static dpl_status put_template(void *ctx, const dpl_template_row *row)
{
    json_t *line = new_line("template"), *face;
    struct export *e = ctx;
    dpl_face numbers = row->face;

    add(&line, "id", json_integer(row->id));
    add(&line, "photo", json_integer(row->photo_id));
    add_string(e, &line, "space", row->space);
    if (row->person_id != row->photo_person_id)
        add(&line, "person", json_integer(row->person_id));
    if (row->by_hand)
        add(&line, "by_hand", json_integer(1));
    if (dpli_face_is_known(&row->face)) {
        face = json_object();
        for (int i = 0; i < DPLI_N_FACE; i++)
            add(&face, dpli_face_fields[i].name, json_real(*dpli_face_at(&numbers, i)));
        add_string(e, &face, "weakest", row->face.quality.weakest);
        add(&line, "face", face);
    }
    add_base64(e, &line, "vector", row->vector, (size_t)row->dim * sizeof *row->vector);
    if (row->thumb)
        add_base64(e, &line, "thumb", row->thumb, row->n_thumb);
    if (row->caption) {
        add_string(e, &line, "caption", row->caption);
        add_string(e, &line, "caption_source", row->caption_source);
    }
    e->n++;
    dpli_progress_step(e->gallery, 1);
    return put_line(e, line, e->err);
}

/* last_ids: so that an id removed here does not come back in a gallery made of the export. */
static dpl_status put_header(struct export *e, dpl_error *err)
{
    json_t *line = json_object(), *last = json_object();
    dpl_status status = DPL_OK;

    add(&line, "schema", json_string("doppel.export/1"));
    for (int i = 0; i < DPLI_N_NUMBERED && status == DPL_OK; i++) {
        dpli_store *s = e->gallery->store;
        int64_t id;

        status = s->ops->last_id(s, &id, (dpli_numbered)i, err);
        add(&last, dpli_numbered_names[i], json_integer(id));
    }
    add(&line, "last_ids", last);
    if (status == DPL_OK)
        return put_line(e, line, err);
    json_decref(line);
    return status;
}

/* Every line of one kind; e->n: how many. */
static dpl_status put_section(struct export *e, int section, dpl_error *err)
{
    static const dpli_photo_query all = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    dpli_store *s = e->gallery->store;
    dpl_status status = DPL_OK;

    e->n = 0;
    switch (section) {
    case 0: return s->ops->each_setting(s, put_setting, e, err);
    case 1:
        for (int i = 0; i < DPLI_N_SPACES && status == DPL_OK; i++)
            status = put_model(e, &dpli_spaces[i], err);
        return status;
    case 2: return s->ops->each_person(s, true, put_person, e, err);
    case 3: return s->ops->each_alias(s, put_name, e, err);
    case 4: return s->ops->each_photo(s, &all, put_photo, e, err);
    case 6: return s->ops->each_refusal(s, 0, put_refusal, e, err);
    case 7: return s->ops->each_member(s, put_member, e, err);
    default: return dpl_gallery_each_template(e->gallery, NULL, NULL, put_template, e, err);
    }
}

static dpl_status put_all(struct export *e, dpl_error *err)
{
    static const struct {
        const char *key;
        bool always; /* counted where there is none, too */
    } sections[] = {
        {"settings", true}, {"models", true},    {"persons", true},   {"names", false},
        {"photos", true},   {"templates", true}, {"refusals", false}, {"members", false},
    };
    json_t *end = new_line("end");
    dpl_status status = put_header(e, err);

    for (int i = 0; i < (int)(sizeof sections / sizeof sections[0]) && status == DPL_OK; i++) {
        status = put_section(e, i, err);
        if (sections[i].always || e->n > 0)
            add(&end, sections[i].key, json_integer(e->n));
    }
    if (status == DPL_OK)
        return put_line(e, end, err);
    json_decref(end);
    return status;
}

/* ------------------------------------------------------------------ export */

static dpl_status tell_fault(void *ctx, const char *what, dpl_error *err)
{
    const struct export *e = ctx;

    return dpli_fail(err, DPL_E_GALLERY, "\"%s\" is damaged: %s", e->gallery->store->name, what);
}

/* Everything in one read, so that a writer meanwhile does not show. */
static dpl_status put_file(struct export *e, dpl_error *err)
{
    dpli_store *s = e->gallery->store;
    dpl_status status;

    dpli_progress_begin_rows(e->gallery);
    status = s->ops->begin(s, false, err);
    if (status != DPL_OK)
        return status;
    /* Rows that a damaged page has lost would be missing in silence. */
    status = s->ops->faults(s, tell_fault, e, err);
    status = s->ops->end(s, status == DPL_OK ? put_all(e, err) : status, err);
    dpli_buf_clear(&e->base64);
    if (status == DPL_OK && fflush(e->file) != 0)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    return status;
}

/* To e->file, through what seals it where it is to be sealed. */
static dpl_status put_to(struct export *e, dpl_error *err)
{
    FILE *behind = e->file;
    dpli_sealed_export *seal;
    dpl_status status;

    if (!e->secret)
        return put_file(e, err);
    status = dpli_sealed_export_to(&e->file, &seal, behind, e->secret, e->n_secret, err);
    if (status == DPL_OK) {
        status = put_file(e, err);
        if (status == DPL_OK && (!dpli_sealed_export_end(seal) || fflush(behind) != 0))
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
        fclose(e->file);
        dpli_sealed_export_free(seal);
    }
    e->file = behind;
    return status;
}

static dpl_status put_aside(void *ctx, const char *aside, dpl_error *err)
{
    struct export *e = ctx;
    dpl_status status;

    e->file = fopen(aside, "wbe");
    if (!e->file)
        return dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    status = put_to(e, err);
    if (fclose(e->file) != 0 && status == DPL_OK)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", e->path);
    return status;
}

/* key: with a secret, by which it is sealed; NULL: it is plain. */
static dpl_status export_to(dpl_gallery *gallery, const char *path, const dpl_key_options *key,
                            dpl_error *err)
{
    struct export e = {.gallery = gallery, .path = path, .err = err};
    dpl_status status = dpli_check_string("export's path", path, 0, DPLI_PATH_MAX_BYTES, err);

    if (status == DPL_OK && key)
        status = dpli_take_secret(&e.secret, &e.n_secret, key, path, err);
    if (status == DPL_OK && key && !e.secret)
        status = dpli_fail(err, DPL_E_ARGUMENT,
                           "an export is sealed by a passphrase, and none was "
                           "given");
    if (status == DPL_OK && strcmp(path, "-") != 0) {
        status = dpli_file_replace_by(path, put_aside, &e, err);
    } else if (status == DPL_OK) {
        e.file = stdout;
        e.path = "standard output";
        status = put_to(&e, err);
    }
    dpli_secret_free(e.secret);
    return status;
}

dpl_status dpl_gallery_export(dpl_gallery *gallery, const char *path, dpl_error *err)
{
    return export_to(gallery, path, NULL, err);
}

dpl_status dpl_gallery_export_sealed(dpl_gallery *gallery, const char *path,
                                     const dpl_key_options *key, dpl_error *err)
{
    dpl_key_options ours = DPL_KEY_OPTIONS_INIT;
    dpl_status status = dpli_options(&ours, sizeof ours, key, "key", err);

    return status == DPL_OK ? export_to(gallery, path, &ours, err) : status;
}
