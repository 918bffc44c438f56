/*
 * gallery_import.c - reading an export (gallery_export.c) into a gallery, line by line, in one
 * transaction.
 *
 * The file is hostile: a line is limited before it is parsed, every key and value is checked, ids
 * have to rise and to refer to what came before. Errors name the file and the line.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/secret.h"
#include "doppel/image.h"
#include "index/gallery.h"
#include "index/groups.h"
#include "index/head.h"
#include "index/sealed_export.h"
#include "index/unlock.h"
#include "net/json_text.h"

/* The highest id that a file may have given: far above any gallery, and far below where SQLite has
   no next one left. */
#define ID_MAX (INT64_C(1) << 53)

/* Ids of the file to ids of the gallery, rising in the first. */
struct id_map {
    int64_t (*pairs)[2];
    size_t n, cap;
};

/* The order of the lines. */
enum section {
    HEADER,
    SETTING,
    MODEL,
    PERSON,
    NAME,
    PHOTO,
    TEMPLATE,
    REFUSAL,
    MEMBER,
    END,
    N_SECTIONS
};

struct import {
    dpl_gallery *gallery;
    dpli_putter putter;
    enum section section; /* of the last line */
    bool keep_ids;        /* the gallery never held a row, so the file's ids are free */
    int64_t last_ids[DPLI_N_NUMBERED];  /* the header's */
    int64_t first_ids[DPLI_N_NUMBERED]; /* the gallery's before: above them are this file's */
    int64_t last_template;              /* the file's latest */
    int64_t last_person;                /* the highest of ours that a line has given */
    struct id_map persons, photos, templates;
    struct id_map owners; /* the file's photos to our people, 0: nobody */
    char *last_name;      /* of the other names */
    int64_t last_member;  /* the file's template in a group that came last */
    int64_t counts[N_SECTIONS];
    char *last_key;                /* of the settings */
    bool has_model[DPLI_N_SPACES]; /* the file has said which model a space has */
};

/* ------------------------------------------------------------------ ids */

static dpl_status id_map_add(struct id_map *m, int64_t theirs, int64_t ours, dpl_error *err)
{
    int64_t(*pairs)[2] = dpli_grow(m->pairs, &m->cap, m->n + 1, sizeof *pairs, err);

    if (!pairs)
        return DPL_E_MEMORY;
    m->pairs = pairs;
    m->pairs[m->n][0] = theirs;
    m->pairs[m->n++][1] = ours;
    return DPL_OK;
}

static int by_first(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* 0 when the file has not given this id. */
static int64_t id_map_find(const struct id_map *m, int64_t theirs)
{
    const int64_t(*pair)[2] =
        m->n ? bsearch(&theirs, m->pairs, m->n, sizeof *m->pairs, by_first) : NULL;

    return pair ? (*pair)[1] : 0;
}

/* An id of the file: above the one before it, and not above what the header says was given. */
static dpl_status check_id(int64_t id, int64_t before, int64_t last, dpl_error *err)
{
    if (id <= before)
        return dpli_fail(err, DPL_E_INPUT, "id %" PRId64 " does not rise above %" PRId64, id,
                         before);
    if (id > last)
        return dpli_fail(err, DPL_E_INPUT,
                         "id %" PRId64 " is above %" PRId64 ", the last in the header", id, last);
    return DPL_OK;
}

/* ------------------------------------------------------------------ keys and values */

/* The values of a line are taken one by one; the first failure is kept, and a key that nobody took
   is one in the end. */
struct fields {
    json_t *object;
    size_t n_taken;
    dpl_status status;
    dpl_error *err;
    char *strings[8]; /* decoded, freed with the line */
    size_t n_strings;
};

static json_t *take(struct fields *f, const char *key, json_type type, bool optional)
{
    static const char *const words[] = {"an object", "an array", "a string", "an integer",
                                        "a number"};
    json_t *value = json_object_get(f->object, key);

    if (f->status != DPL_OK)
        return NULL;
    if (!value) {
        if (!optional)
            f->status = dpli_fail(f->err, DPL_E_INPUT, "\"%s\" is missing", key);
        return NULL;
    }
    f->n_taken++;
    if (json_typeof(value) == type || (type == JSON_REAL && json_is_integer(value)))
        return value;
    f->status = dpli_fail(f->err, DPL_E_INPUT, "\"%s\" is not %s", key, words[type]);
    return NULL;
}

static int64_t take_int(struct fields *f, const char *key, int64_t min, int64_t max)
{
    json_t *value = take(f, key, JSON_INTEGER, 0);
    int64_t n = json_integer_value(value);

    if (!value || (n >= min && n <= max))
        return n;
    f->status =
        dpli_fail(f->err, DPL_E_INPUT, "\"%s\" is %" PRId64 ", allowed is %" PRId64 " to %" PRId64,
                  key, n, min, max);
    return 0;
}

static float take_float(struct fields *f, const char *key)
{
    json_t *value = take(f, key, JSON_REAL, 0);
    float number = (float)json_number_value(value);

    if (!value || isfinite(number))
        return number;
    f->status = dpli_fail(f->err, DPL_E_NUMERIC, "\"%s\" is beyond float32", key);
    return 0;
}

static const char *take_text(struct fields *f, const char *key)
{
    const char *text = json_string_value(take(f, key, JSON_STRING, 0));

    return text ? text : "";
}

/* The caller's, NULL when there is none. */
static uint8_t *take_base64(struct fields *f, const char *key, bool optional, size_t *n)
{
    const char *text = json_string_value(take(f, key, JSON_STRING, optional));
    uint8_t *bytes = NULL;
    dpl_error why;

    *n = 0;
    if (!text)
        return NULL;
    f->status = dpli_base64_decode(&bytes, n, text, &why);
    if (f->status != DPL_OK)
        dpli_fail(f->err, f->status, "\"%s\": %s", key, why.message);
    return bytes;
}

/* A string that may be given as its bytes. */
static const char *take_string(struct fields *f, const char *key)
{
    char base64_key[64];
    uint8_t *bytes;
    char *string = NULL;
    size_t n;

    snprintf(base64_key, sizeof base64_key, "%s_base64", key);
    if (!json_object_get(f->object, base64_key))
        return take_text(f, key);
    bytes = take_base64(f, base64_key, 0, &n);
    if (bytes && memchr(bytes, '\0', n))
        f->status = dpli_fail(f->err, DPL_E_INPUT, "\"%s\" contains a zero byte", base64_key);
    else {
        if (bytes) {
            string = dpli_calloc(n + 1, 1, f->err);
            if (!string)
                f->status = DPL_E_MEMORY;
        }
    }
    if (string) {
        memcpy(string, bytes, n);
        f->strings[f->n_strings++] = string;
    }
    free(bytes);
    return string ? string : "";
}

static dpl_status check_taken(struct fields *f)
{
    if (f->status == DPL_OK && json_object_size(f->object) != f->n_taken)
        f->status = dpli_fail(f->err, DPL_E_INPUT, "a key is not one of this kind of line");
    return f->status;
}

/* ------------------------------------------------------------------ lines */

static dpl_status read_header(struct import *in, struct fields *f)
{
    static const char schema[] = "doppel.export/1";
    struct fields last = {.object = NULL, .status = DPL_OK, .err = f->err};
    const char *text = take_text(f, "schema");
    bool empty = true;

    if (f->status == DPL_OK && strcmp(text, schema) != 0)
        f->status =
            dpli_fail(f->err, DPL_E_INPUT, "the schema is \"%.50s\", not \"%s\"", text, schema);
    last.object = take(f, "last_ids", JSON_OBJECT, 0);
    if (check_taken(f) != DPL_OK)
        return f->status;
    for (int i = 0; i < DPLI_N_NUMBERED; i++) {
        dpli_store *s = in->gallery->store;

        in->last_ids[i] = take_int(&last, dpli_numbered_names[i], 0, ID_MAX);
        if (last.status == DPL_OK)
            last.status = s->ops->last_id(s, &in->first_ids[i], (dpli_numbered)i, f->err);
        empty &= in->first_ids[i] == 0;
    }
    in->keep_ids = empty;
    return check_taken(&last);
}

static dpl_status read_setting(struct import *in, struct fields *f)
{
    const char *key = take_text(f, "key"), *value = take_text(f, "value");

    if (check_taken(f) != DPL_OK)
        return f->status;
    /* Said twice it would be said in two ways, of which the later one would count. */
    if (in->last_key && strcmp(in->last_key, key) >= 0)
        return dpli_fail(f->err, DPL_E_INPUT, "setting \"%.100s\" comes after \"%.100s\"", key,
                         in->last_key);
    free(in->last_key);
    in->last_key = dpli_strdup(key, f->err);
    /* Groups come with their ids only; a gallery of its own goes on counting its own. */
    if (in->last_key && !in->keep_ids && strcmp(key, DPLI_LAST_GROUP) == 0)
        return DPL_OK;
    return in->last_key ? dpli_remember_inside(in->gallery, key, value, f->err) : DPL_E_MEMORY;
}

static dpl_status read_model(struct import *in, struct fields *f)
{
    dpli_binding binding = {
        .space = take_text(f, "space"),
        .hash = take_text(f, "hash"),
        .name = take_text(f, "name"),
        .head = take_text(f, "head"),
        .dim = (int32_t)take_int(f, "dim", 1, DPLI_DIM_MAX),
    };
    const dpli_space *space;

    if (json_object_get(f->object, "path")) {
        binding.path = take_text(f, "path");
        binding.preset = take_text(f, "preset");
    }
    if (check_taken(f) != DPL_OK)
        return f->status;
    f->status = dpli_space_need(&space, binding.space, f->err);
    if (f->status)
        return f->status;
    if (!dpli_head_is_name(binding.head))
        return dpli_fail(f->err, DPL_E_INPUT, "the head \"%.100s\" is unknown", binding.head);
    if (in->has_model[dpli_space_number(space)])
        return dpli_fail(f->err, DPL_E_INPUT, "the %s model is there twice", space->name);
    in->has_model[dpli_space_number(space)] = true;
    return dpli_bind_inside(in->gallery, &binding, f->err);
}

static dpl_status read_person(struct import *in, struct fields *f)
{
    int64_t id = take_int(f, "id", 1, ID_MAX), ours;
    const char *name = take_string(f, "name");
    struct id_map *m = &in->persons;

    if (check_taken(f) != DPL_OK)
        return f->status;
    f->status =
        check_id(id, m->n ? m->pairs[m->n - 1][0] : 0, in->last_ids[DPLI_PERSON_IDS], f->err);
    if (f->status != DPL_OK)
        return f->status;
    f->status = dpli_check_string("person's name", name, 0, DPLI_NAME_MAX_BYTES, f->err);
    if (f->status != DPL_OK)
        return f->status;
    f->status = dpli_put_person(&ours, &in->putter, name, in->keep_ids ? id : 0, f->err);
    if (f->status != DPL_OK)
        return f->status;
    /* Found rather than made, and not there before this file: made by an earlier line of it. */
    if (ours > in->first_ids[DPLI_PERSON_IDS] && ours <= in->last_person)
        return dpli_fail(f->err, DPL_E_INPUT, "person \"%s\" is there twice", name);
    if (ours > in->last_person)
        in->last_person = ours;
    return id_map_add(m, id, ours, f->err);
}

/* Another name of a person, unless it is somebody's own here. */
static dpl_status read_name(struct import *in, struct fields *f)
{
    int64_t person = take_int(f, "person", 1, ID_MAX), taken = 0;
    dpli_alias_record r = {.name = take_string(f, "name"),
                           .person_id = id_map_find(&in->persons, person)};
    dpli_store *s = in->gallery->store;

    if (check_taken(f) != DPL_OK)
        return f->status;
    if (!r.person_id)
        return dpli_fail(f->err, DPL_E_INPUT, "there is no person %" PRId64, person);
    f->status = dpli_check_string("person's name", r.name, 0, DPLI_NAME_MAX_BYTES, f->err);
    if (f->status != DPL_OK)
        return f->status;
    if (in->last_name && strcmp(in->last_name, r.name) >= 0)
        return dpli_fail(f->err, DPL_E_INPUT, "name \"%.100s\" comes after \"%.100s\"", r.name,
                         in->last_name);
    free(in->last_name);
    in->last_name = dpli_strdup(r.name, f->err);
    if (!in->last_name)
        return DPL_E_MEMORY;
    f->status = dpli_find_person(&taken, in->gallery, r.name, f->err);
    r.sum = dpli_alias_sum(&r);
    return f->status == DPL_OK && !taken ? s->ops->set_alias(s, &r, f->err) : f->status;
}

static dpl_status status_by_name(dpl_status *out, const char *name, dpl_error *err)
{
    for (int i = DPL_OK; i <= DPL_E_BUG; i++) {
        *out = (dpl_status)i;
        if (strcmp(name, dpl_status_name(*out)) == 0)
            return DPL_OK;
    }
    return dpli_fail(err, DPL_E_INPUT, "\"%.50s\" is no status", name);
}

static dpl_status read_photo(struct import *in, struct fields *f)
{
    int64_t id = take_int(f, "id", 1, ID_MAX), person_id = 0, old_id, old_person_id, ours;
    dpl_photo_row row = {.path = take_string(f, "path")};
    struct id_map *m = &in->photos;
    const char *status, *unreadable = NULL;

    if (json_object_get(f->object, "person")) {
        int64_t person = take_int(f, "person", 1, ID_MAX);

        person_id = id_map_find(&in->persons, person);
        if (f->status == DPL_OK && !person_id)
            f->status = dpli_fail(f->err, DPL_E_INPUT, "there is no person %" PRId64, person);
    }
    if (json_object_get(f->object, "meant") || json_object_get(f->object, "meant_base64"))
        row.meant = take_string(f, "meant");
    row.sha256 = take_text(f, "sha256");
    status = take_text(f, "status");
    row.reason = take_string(f, "reason");
    row.options = take_string(f, "options");
    row.size_bytes = take_int(f, "size_bytes", 0, INT64_MAX);
    row.mtime_ns = take_int(f, "mtime_ns", INT64_MIN, INT64_MAX);
    row.enrolled_unix_s = take_int(f, "enrolled_unix_s", INT64_MIN, INT64_MAX);
    row.width_px = (int32_t)take_int(f, "width_px", 0, INT32_MAX);
    row.height_px = (int32_t)take_int(f, "height_px", 0, INT32_MAX);
    row.n_faces = (int32_t)take_int(f, "n_faces", 0, INT32_MAX);
    if (json_object_get(f->object, "file_system"))
        row.file_system = take_int(f, "file_system", INT64_MIN, INT64_MAX);
    if (json_object_get(f->object, "unreadable_since_unix_s")) {
        row.unreadable_since_unix_s = take_int(f, "unreadable_since_unix_s", 1, INT64_MAX);
        unreadable = take_text(f, "unreadable_status");
        row.unreadable_reason = take_string(f, "unreadable_reason");
    }
    if (check_taken(f) != DPL_OK)
        return f->status;
    f->status = status_by_name(&row.status, status, f->err);
    if (f->status == DPL_OK && unreadable)
        f->status = status_by_name(&row.unreadable_status, unreadable, f->err);
    if (f->status != DPL_OK)
        return f->status;
    f->status =
        check_id(id, m->n ? m->pairs[m->n - 1][0] : 0, in->last_ids[DPLI_PHOTO_IDS], f->err);
    if (f->status != DPL_OK)
        return f->status;
    f->status = dpli_check_photo(&row, f->err);
    if (f->status != DPL_OK)
        return f->status;
    f->status = dpli_find_path(&old_id, &old_person_id, &in->putter, row.path, f->err);
    if (f->status != DPL_OK)
        return f->status;
    if (old_id > in->first_ids[DPLI_PHOTO_IDS])
        return dpli_fail(f->err, DPL_E_INPUT, "photo \"%s\" is there twice", row.path);
    ours = in->keep_ids ? id : 0;
    f->status = old_id ? dpli_drop_photo(&in->putter, old_id, 0, f->err) : DPL_OK;
    if (f->status == DPL_OK)
        f->status = dpli_put_photo(&ours, &in->putter, &row, person_id, 0, f->err);
    if (f->status == DPL_OK)
        f->status = id_map_add(&in->owners, id, person_id, f->err);
    if (f->status != DPL_OK)
        return f->status;
    return id_map_add(m, id, ours, f->err);
}

static dpl_status read_face(dpl_face *face, json_t *object, dpl_error *err)
{
    struct fields f = {.object = object, .err = err};
    const char *weakest;

    for (int i = 0; i < DPLI_N_FACE; i++)
        *dpli_face_at(face, i) = take_float(&f, dpli_face_fields[i].name);
    weakest = take_text(&f, "weakest");
    if (f.status == DPL_OK && strlen(weakest) >= sizeof face->quality.weakest)
        f.status = dpli_fail(err, DPL_E_INPUT, "\"weakest\" has over %zu bytes",
                             sizeof face->quality.weakest - 1);
    if (f.status == DPL_OK)
        strcpy(face->quality.weakest, weakest);
    return check_taken(&f);
}

/* A chip of a few hundred pixels a side: nothing else is shown as one. */
static dpl_status check_thumb(const uint8_t *bytes, size_t n, dpl_error *err)
{
    dpl_decode_options options = DPL_DECODE_OPTIONS_INIT;
    dpl_image image = DPL_IMAGE_INIT;
    dpl_error why = {DPL_OK, ""};
    dpl_status status;
    bool whole;

    if (!bytes)
        return DPL_OK;
    options.max_pixels = 1 << 20;
    options.max_bytes = (size_t)64 << 20;
    status = dpl_image_decode(&image, bytes, n, &options, &why);
    whole = status == DPL_OK && strcmp(image.format, "jpeg") == 0 && !image.warning[0];
    if (status != DPL_E_MEMORY && !whole)
        status = dpli_fail(err, DPL_E_INPUT, "\"thumb\" is no whole JPEG%s%s",
                           status != DPL_OK || image.warning[0] ? ": " : "",
                           status != DPL_OK ? why.message : image.warning);
    else if (status != DPL_OK)
        dpli_fail(err, status, "%s", why.message);
    dpl_image_clear(&image);
    return status;
}

/* Whose a template is: the photo's, unless the line says another, or nobody. */
static int64_t take_owner(const struct import *in, struct fields *f, int64_t photo, bool *by_hand)
{
    int64_t person, owner = id_map_find(&in->owners, photo);

    if (json_object_get(f->object, "person")) {
        person = take_int(f, "person", 0, ID_MAX);
        owner = person ? id_map_find(&in->persons, person) : 0;
        if (f->status == DPL_OK && person && !owner)
            f->status = dpli_fail(f->err, DPL_E_INPUT, "there is no person %" PRId64, person);
    }
    if (json_object_get(f->object, "by_hand"))
        *by_hand = take_int(f, "by_hand", 0, 1) != 0;
    return owner;
}

static dpl_status read_template(struct import *in, struct fields *f)
{
    int64_t id = take_int(f, "id", 1, ID_MAX), photo = take_int(f, "photo", 1, ID_MAX);
    dpl_new_template t = {.space = take_text(f, "space")};
    json_t *face = take(f, "face", JSON_OBJECT, 1);
    uint8_t *vector = NULL, *thumb = NULL;
    int64_t photo_id = id_map_find(&in->photos, photo), ours = 0;
    int64_t owner = take_owner(in, f, photo, &t.by_hand);
    size_t n_vector;

    vector = take_base64(f, "vector", 0, &n_vector);
    thumb = take_base64(f, "thumb", 1, &t.n_thumb);
    t.thumb = thumb;
    if (json_object_get(f->object, "caption")) {
        t.caption = take_text(f, "caption");
        t.caption_source = take_text(f, "caption_source");
    }
    check_taken(f);
    if (f->status == DPL_OK && face)
        f->status = read_face(&t.face, face, f->err);
    if (f->status == DPL_OK)
        f->status = check_id(id, in->last_template, in->last_ids[DPLI_TEMPLATE_IDS], f->err);
    if (f->status == DPL_OK)
        f->status = check_thumb(thumb, t.n_thumb, f->err);
    if (f->status != DPL_OK)
        goto done;
    if (!photo_id) {
        f->status = dpli_fail(f->err, DPL_E_INPUT, "there is no photo %" PRId64, photo);
        goto done;
    }
    if (n_vector % sizeof(float) != 0 || n_vector / sizeof(float) > DPLI_DIM_MAX) {
        f->status = dpli_fail(f->err, DPL_E_INPUT, "a vector of %zu bytes", n_vector);
        goto done;
    }
    t.vector = (const float *)(const void *)vector;
    t.dim = (int32_t)(n_vector / sizeof(float));
    f->status =
        dpli_put_template(&ours, &in->putter, &t, photo_id, owner, in->keep_ids ? id : 0, f->err);
    in->last_template = id;
    if (f->status == DPL_OK)
        f->status = id_map_add(&in->templates, id, ours, f->err);
done:
    free(vector);
    free(thumb);
    return f->status;
}

static dpl_status need_template(int64_t *ours, const struct import *in, int64_t theirs,
                                dpl_error *err)
{
    *ours = id_map_find(&in->templates, theirs);
    return *ours ? DPL_OK : dpli_fail(err, DPL_E_INPUT, "there is no template %" PRId64, theirs);
}

static dpl_status read_refusal(struct import *in, struct fields *f)
{
    int64_t template_id = take_int(f, "template", 1, ID_MAX), id = 0;
    bool of_person = json_object_get(f->object, "person") != NULL;
    int64_t other = take_int(f, of_person ? "person" : "other", 1, ID_MAX);
    dpli_refusal_record r = {.id = 0};
    dpli_store *s = in->gallery->store;

    if (check_taken(f) != DPL_OK)
        return f->status;
    f->status = need_template(&r.template_id, in, template_id, f->err);
    if (f->status == DPL_OK && of_person) {
        r.person_id = id_map_find(&in->persons, other);
        if (!r.person_id)
            f->status = dpli_fail(f->err, DPL_E_INPUT, "there is no person %" PRId64, other);
    } else if (f->status == DPL_OK) {
        f->status = need_template(&r.other_id, in, other, f->err);
    }
    r.sum = dpli_refusal_sum(&r);
    return f->status == DPL_OK ? s->ops->add_refusal(s, &id, &r, f->err) : f->status;
}

static dpl_status read_member(struct import *in, struct fields *f)
{
    int64_t template_id = take_int(f, "template", 1, ID_MAX);
    dpli_member_record r = {.group_number = take_int(f, "group", 1, ID_MAX)};
    dpli_store *s = in->gallery->store;

    if (check_taken(f) != DPL_OK)
        return f->status;
    if (template_id <= in->last_member)
        return dpli_fail(f->err, DPL_E_INPUT, "template %" PRId64 " does not rise above %" PRId64,
                         template_id, in->last_member);
    in->last_member = template_id;
    f->status = need_template(&r.template_id, in, template_id, f->err);
    r.sum = dpli_member_sum(&r);
    /* Numbers of groups are this gallery's own, which another's would mix with. */
    return f->status == DPL_OK && in->keep_ids ? s->ops->set_member(s, &r, f->err) : f->status;
}

static dpl_status read_end(struct import *in, struct fields *f)
{
    static const char *const keys[N_SECTIONS] = {
        [SETTING] = "settings",   [MODEL] = "models", [PERSON] = "persons",   [PHOTO] = "photos",
        [TEMPLATE] = "templates", [NAME] = "names",   [REFUSAL] = "refusals", [MEMBER] = "members",
    };

    for (int i = SETTING; i < END; i++) {
        /* What few galleries have is not counted where there is none. */
        if ((i == NAME || i == REFUSAL || i == MEMBER) && in->counts[i] == 0 &&
            !json_object_get(f->object, keys[i]))
            continue;

        int64_t n = take_int(f, keys[i], 0, INT64_MAX);

        if (f->status == DPL_OK && n != in->counts[i])
            f->status =
                dpli_fail(f->err, DPL_E_INPUT, "there were %" PRId64 " %s, the end says %" PRId64,
                          in->counts[i], keys[i], n);
    }
    return check_taken(f);
}

/* ------------------------------------------------------------------ the file */

static dpl_status read_line(struct import *in, const char *text, size_t n, dpl_error *err)
{
    static const struct {
        const char *type;
        dpl_status (*read)(struct import *in, struct fields *f);
    } sections[N_SECTIONS] = {
        [HEADER] = {NULL, read_header},
        [SETTING] = {"setting", read_setting},
        [MODEL] = {"model", read_model},
        [PERSON] = {"person", read_person},
        [NAME] = {"name", read_name},
        [PHOTO] = {"photo", read_photo},
        [TEMPLATE] = {"template", read_template},
        [REFUSAL] = {"refusal", read_refusal},
        [MEMBER] = {"member", read_member},
        [END] = {"end", read_end},
    };
    struct fields f = {.status = DPL_OK, .err = err};
    enum section section = HEADER;
    json_error_t why;
    bool is_short;

    f.object = dpli_json_read(&is_short, text, n, &why);
    if (!f.object) {
        f.status = is_short ? dpli_fail(err, DPL_E_MEMORY, "out of memory reading a line")
                            : dpli_fail(err, DPL_E_INPUT, "no JSON: %s", why.text);
        goto done;
    }
    if (!json_is_object(f.object)) {
        f.status = dpli_fail(err, DPL_E_INPUT, "not a JSON object");
        goto done;
    }
    if (in->counts[HEADER]) {
        const char *type = take_text(&f, "type");

        for (section = SETTING; section < N_SECTIONS; section++)
            if (strcmp(type, sections[section].type) == 0)
                break;
        if (f.status == DPL_OK && section == N_SECTIONS)
            f.status = dpli_fail(err, DPL_E_INPUT, "\"%.50s\" is no type of line", type);
        else if (f.status == DPL_OK && (section < in->section || in->section == END))
            f.status = dpli_fail(err, DPL_E_INPUT, "a %s line after the %ss", type,
                                 sections[in->section].type);
        if (f.status != DPL_OK)
            goto done;
    }
    f.status = sections[section].read(in, &f);
    in->section = section;
    in->counts[section]++;
done:
    for (size_t i = 0; i < f.n_strings; i++)
        free(f.strings[i]);
    json_decref(f.object);
    return f.status;
}

/* A file in pieces, of which lines are made. */
struct reader {
    FILE *file;
    size_t at, n, n_read;
    char piece[1 << 16];
};

/* The next line without its end; *more is 0 at the end of the file. */
static dpl_status next_line(dpli_buf *line, bool *more, struct reader *r, dpl_error *err)
{
    const char *end = NULL;

    line->len = 0;
    *more = false;
    while (!end) {
        size_t n;

        if (r->at == r->n) {
            r->at = 0;
            r->n = fread(r->piece, 1, sizeof r->piece, r->file);
            r->n_read += r->n;
            if (r->n == 0)
                break;
        }
        *more = true;
        end = memchr(r->piece + r->at, '\n', r->n - r->at);
        n = (end ? (size_t)(end - r->piece) : r->n) - r->at;
        if (n > DPLI_EXPORT_LINE_MAX_BYTES - line->len)
            return dpli_fail(err, DPL_E_LIMIT, "line has over %d MiB",
                             DPLI_EXPORT_LINE_MAX_BYTES >> 20);
        dpli_buf_add(line, r->piece + r->at, n);
        r->at += n + (end != NULL);
    }
    if (ferror(r->file))
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be read");
    return dpli_buf_check(line, err);
}

static dpl_status read_file(struct import *in, FILE *file, const char *path, dpl_error *err)
{
    struct reader *reader = dpli_calloc(1, sizeof *reader, err);
    dpli_buf line = {0};
    size_t number = 0;
    dpl_status status;
    bool more = true;

    if (!reader)
        return DPL_E_MEMORY;
    reader->file = file;
    do {
        const size_t before = reader->n_read >> 20;

        number++;
        status = next_line(&line, &more, reader, err);
        if (reader->n_read >> 20 > before)
            dpli_progress_step(in->gallery, (int64_t)((reader->n_read >> 20) - before));
        if (status == DPL_OK && more)
            status = read_line(in, line.data ? line.data : "", line.len, err);
        else if (status == DPL_OK && in->section != END)
            status = dpli_fail(err, DPL_E_INPUT, "the file ends before its end line");
    } while (status == DPL_OK && more);
    /* What is wrong with the file is told with the line; what is wrong with the gallery, or the
       machine, has told where it is. */
    if (status == DPL_E_ARGUMENT || status == DPL_E_INPUT)
        status = DPL_E_INPUT;
    if (status == DPL_E_INPUT || status == DPL_E_LIMIT || status == DPL_E_NUMERIC ||
        status == DPL_E_MISMATCH) {
        char *where = dpli_asprintf(NULL, "%s:%zu", path, number);

        dpli_fail_in(err, status, where ? where : path);
        free(where);
    }
    dpli_buf_clear(&line);
    free(reader);
    return status;
}

/* What opens an export that is sealed; *seal stays NULL where it is not. */
static dpl_status open_sealed(FILE **file, dpli_sealed_export **seal, FILE *behind,
                              const char *path, const dpl_key_options *key, dpl_error *err)
{
    uint8_t *secret = NULL;
    size_t n_secret;
    dpl_status status = DPL_OK;

    *file = behind;
    if (!dpli_is_sealed_export(behind))
        return DPL_OK;
    status = dpli_take_secret(&secret, &n_secret, key, path, err);
    if (status == DPL_OK && !secret)
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" is sealed by a passphrase, and none was given", path);
    if (status == DPL_OK) {
        status = dpli_sealed_export_from(file, seal, behind, secret, n_secret, err);
        if (status != DPL_OK)
            *file = behind;
        if (status == DPL_E_INPUT || status == DPL_E_GALLERY)
            dpli_fail_in(err, status, path);
    }
    dpli_secret_free(secret);
    return status;
}

static dpl_status import_from(dpl_gallery *gallery, const char *path, const dpl_key_options *key,
                              int64_t *n_photos, int64_t *n_templates, dpl_error *err)
{
    struct import in = {.gallery = gallery, .putter = {.gallery = gallery, .keep_persons = true}};
    dpli_store *s = gallery->store;
    FILE *file = NULL, *behind;
    dpli_sealed_export *seal = NULL;
    struct stat st;
    dpl_status status;

    *n_photos = 0;
    *n_templates = 0;
    status = dpli_gallery_may_write(gallery, err);
    if (status == DPL_OK)
        status = dpli_check_string("import's path", path, 0, DPLI_PATH_MAX_BYTES, err);
    if (status != DPL_OK)
        return status;
    behind = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (!behind)
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\" cannot be opened", path);
    dpli_progress_begin(gallery, "MiB",
                        fstat(fileno(behind), &st) == 0 && S_ISREG(st.st_mode) ? st.st_size >> 20
                                                                               : 0);
    status = open_sealed(&file, &seal, behind, path, key, err);
    if (status == DPL_OK)
        status = dpli_begin_change(gallery, "import", err);
    if (status != DPL_OK)
        goto done;
    status = read_file(&in, file, path, err);
    if (status != DPL_OK && seal && dpli_sealed_export_is_bad(seal))
        status = dpli_fail(err, DPL_E_GALLERY,
                           "\"%s\" has been cut short, or is not what was written", path);
    /* Of a sealed one less is read than is in the file. */
    if (status == DPL_OK && gallery->progress.n_done < gallery->progress.n_total)
        dpli_progress_step(gallery, gallery->progress.n_total - gallery->progress.n_done);
    for (int i = 0; i < DPLI_N_NUMBERED && in.keep_ids && status == DPL_OK; i++)
        status = s->ops->raise_last_id(s, (dpli_numbered)i, in.last_ids[i], err);
    /* People whose photos the file has replaced with somebody else's. */
    if (status == DPL_OK)
        status = s->ops->drop_lonely(s, err);
    if (status == DPL_OK && in.putter.touched)
        status = s->ops->touch(s, err);
    status = dpli_end_change(gallery, status, err);
    if (status == DPL_OK) {
        *n_photos = in.counts[PHOTO];
        *n_templates = in.counts[TEMPLATE];
        dpli_search_ready(gallery, *n_templates);
    }
done:
    if (file != behind)
        fclose(file);
    dpli_sealed_export_free(seal);
    if (behind != stdin)
        fclose(behind);
    free(in.last_key);
    free(in.persons.pairs);
    free(in.photos.pairs);
    free(in.templates.pairs);
    free(in.owners.pairs);
    free(in.last_name);
    return status;
}

dpl_status dpl_gallery_import(dpl_gallery *gallery, const char *path, int64_t *n_photos,
                              int64_t *n_templates, dpl_error *err)
{
    return import_from(gallery, path, NULL, n_photos, n_templates, err);
}

dpl_status dpl_gallery_import_sealed(dpl_gallery *gallery, const char *path,
                                     const dpl_key_options *key, int64_t *n_photos,
                                     int64_t *n_templates, dpl_error *err)
{
    dpl_key_options ours = DPL_KEY_OPTIONS_INIT;
    dpl_status status = dpli_options(&ours, sizeof ours, key, "key", err);

    *n_photos = *n_templates = 0;
    return status == DPL_OK ? import_from(gallery, path, &ours, n_photos, n_templates, err)
                            : status;
}
