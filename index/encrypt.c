/*
 * encrypt.c - a gallery encrypted, given another key, and decrypted: three times the same, every
 * row read as one store has it and written as another does, both before one database, in one
 * transaction.
 *
 * The new key file is on disk before the transaction, and the old one goes after it. What the
 * transaction has replaced is then scrubbed as after a forget, and by the same mark: the next
 * writer finishes what was cut short.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "index/audit.h"
#include "index/gallery.h"
#include "index/store_sealed.h"
#include "index/unlock.h"

/* ------------------------------------------------------------------ one row after the other */

/* Ids, and rows without ids of their own that are few. */
typedef struct rows {
    int64_t *ids;
    size_t n, cap;
    struct pair {
        char *key, *value; /* of a setting; of an alias the name */
        int64_t numbers[4];
        bool flag;
    } * pairs;
    size_t n_pairs, cap_pairs;
} rows;

static void rows_clear(rows *r)
{
    for (size_t i = 0; i < r->n_pairs; i++) {
        free(r->pairs[i].key);
        free(r->pairs[i].value);
    }
    free(r->pairs);
    free(r->ids);
    memset(r, 0, sizeof *r);
}

static dpl_status add_id(rows *r, int64_t id, dpl_error *err)
{
    int64_t *grown = dpli_grow(r->ids, &r->cap, r->n + 1, sizeof *grown, err);

    if (!grown)
        return DPL_E_MEMORY;
    r->ids = grown;
    grown[r->n++] = id;
    return DPL_OK;
}

static dpl_status add_pair(rows *r, const char *key, const char *value, struct pair *pair,
                           dpl_error *err)
{
    struct pair *grown = dpli_grow(r->pairs, &r->cap_pairs, r->n_pairs + 1, sizeof *grown, err);

    if (!grown)
        return DPL_E_MEMORY;
    r->pairs = grown;
    pair->key = key ? dpli_strdup(key, err) : NULL;
    pair->value = value ? dpli_strdup(value, err) : NULL;
    grown[r->n_pairs++] = *pair;
    return (key && !pair->key) || (value && !pair->value) ? DPL_E_MEMORY : DPL_OK;
}

static dpl_status damaged(const char *what, int64_t id, dpl_error *err)
{
    return dpli_fail(err, DPL_E_GALLERY,
                     "the %s of row %" PRId64
                     " is not what was written, and the gallery is left as "
                     "it is; doppel check --repair mends it, or with --drop forgets it",
                     what, id);
}

/* A row that was read, with its strings in a block of its own. */
typedef struct copy {
    dpli_photo_record photo;
    dpli_template_record template;
    dpli_room room;
} copy;

static const char *put(dpli_room *room, const char *string)
{
    const size_t n = string ? strlen(string) + 1 : 0;

    return string ? memcpy(dpli_room_take(room, n), string, n) : NULL;
}

static size_t length(const char *string)
{
    return string ? strlen(string) + 32 : 0;
}

typedef struct conversion {
    dpl_gallery *gallery;
    dpli_store *from, *to;
    rows rows;
    copy copy;
    const char *name; /* of a person, in the copy's room */
} conversion;

/* ------------------------------------------------------------------ settings */

static dpl_status take_setting(void *ctx, const char *key, const char *value, dpl_error *err)
{
    struct pair pair = {0};

    if (strcmp(key, DPLI_SEALED_SETTING) == 0)
        return DPL_OK;
    return add_pair(ctx, key, value, &pair, err);
}

static dpl_status convert_settings(conversion *c, dpl_error *err)
{
    dpl_status status = c->from->ops->each_setting(c->from, take_setting, &c->rows, err);

    for (size_t i = 0; i < c->rows.n_pairs && status == DPL_OK; i++)
        status = c->to->ops->set_setting(c->to, c->rows.pairs[i].key, c->rows.pairs[i].value, err);
    rows_clear(&c->rows);
    return status;
}

/* ------------------------------------------------------------------ people and their names */

static dpl_status take_person_id(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    return add_id(ctx, r->id, err);
}

static dpl_status take_person(void *ctx, const dpli_person_record *r, dpl_error *err)
{
    conversion *c = ctx;
    dpl_status status;

    if (r->sum != dpli_person_sum(r->name))
        return damaged("name", r->id, err);
    status = dpli_room_begin(&c->copy.room, NULL, length(r->name), err);
    if (status == DPL_OK)
        c->name = put(&c->copy.room, r->name);
    return status;
}

static dpl_status convert_persons(conversion *c, dpl_error *err)
{
    dpl_status status = c->from->ops->each_person(c->from, true, take_person_id, &c->rows, err);

    for (size_t i = 0; i < c->rows.n && status == DPL_OK; i++) {
        dpli_progress_step(c->gallery, 1);
        status = c->from->ops->one_person(c->from, c->rows.ids[i], take_person, c, err);
        if (status == DPL_OK)
            status = c->to->ops->rename_person(c->to, c->rows.ids[i], c->name,
                                               dpli_person_sum(c->name), err);
    }
    rows_clear(&c->rows);
    return status;
}

static dpl_status take_alias(void *ctx, const dpli_alias_record *r, dpl_error *err)
{
    struct pair pair = {.numbers = {r->person_id}};

    if (r->sum != dpli_alias_sum(r))
        return damaged("other name", r->id, err);
    return add_pair(ctx, r->name, NULL, &pair, err);
}

static dpl_status convert_aliases(conversion *c, dpl_error *err)
{
    dpl_status status = c->from->ops->each_alias(c->from, take_alias, &c->rows, err);

    for (size_t i = 0; i < c->rows.n_pairs && status == DPL_OK; i++) {
        dpli_alias_record r = {.name = c->rows.pairs[i].key};

        status = c->from->ops->set_alias(c->from, &r, err);
        r.person_id = c->rows.pairs[i].numbers[0];
        r.sum = dpli_alias_sum(&r);
        if (status == DPL_OK)
            status = c->to->ops->set_alias(c->to, &r, err);
    }
    rows_clear(&c->rows);
    return status;
}

/* ------------------------------------------------------------------ photos */

static dpl_status take_photo_id(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    return add_id(ctx, r->id, err);
}

static dpl_status take_photo(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    conversion *c = ctx;
    dpli_photo_record *to = &c->copy.photo;
    dpl_status status;

    if (r->sum != dpli_photo_sum(r) || (r->file.photo_id && r->file.sum != dpli_file_sum(&r->file)))
        return damaged("photo", r->id, err);
    status = dpli_room_begin(&c->copy.room, NULL,
                             length(r->uri) + length(r->sha256) + length(r->reason) +
                                 length(r->options) + length(r->meant) + length(r->file.reason),
                             err);
    if (status != DPL_OK)
        return status;
    *to = *r;
    to->uri = put(&c->copy.room, r->uri);
    to->sha256 = put(&c->copy.room, r->sha256);
    to->reason = put(&c->copy.room, r->reason);
    to->options = put(&c->copy.room, r->options);
    to->meant = put(&c->copy.room, r->meant);
    to->file.reason = put(&c->copy.room, r->file.reason);
    return DPL_OK;
}

static dpl_status convert_photos(conversion *c, dpl_error *err)
{
    const dpli_photo_query all = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    dpl_status status = c->from->ops->each_photo(c->from, &all, take_photo_id, &c->rows, err);

    for (size_t i = 0; i < c->rows.n && status == DPL_OK; i++) {
        const dpli_photo_query one = {DPLI_PHOTO_BY_ID, NULL, c->rows.ids[i]};

        status = c->from->ops->each_photo(c->from, &one, take_photo, c, err);
        if (status == DPL_OK)
            status = c->to->ops->set_photo(c->to, &c->copy.photo, err);
        if (status == DPL_OK && c->copy.photo.file.photo_id)
            status = c->to->ops->set_file(c->to, &c->copy.photo.file, err);
        dpli_progress_step(c->gallery, 1);
    }
    rows_clear(&c->rows);
    return status;
}

/* ------------------------------------------------------------------ templates */

static dpl_status take_template_id(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    return add_id(ctx, r->vector.id, err);
}

static dpl_status check_template(const dpli_template_record *r, dpl_error *err)
{
    if (r->vector.sum != dpli_vector_sum(&r->vector))
        return damaged("vector", r->vector.id, err);
    if (r->has_face && r->face_sum != dpli_face_sum(r->vector.id, r->face, r->weakest))
        return damaged("face", r->vector.id, err);
    if (r->thumb && r->thumb_sum != dpli_thumb_sum(r->vector.id, r->thumb, r->n_thumb))
        return damaged("thumbnail", r->vector.id, err);
    if (r->caption &&
        r->caption_sum != dpli_caption_sum(r->vector.id, r->caption_source, r->caption))
        return damaged("caption", r->vector.id, err);
    if (r->vector.owner.person_id && r->vector.owner.sum != dpli_owner_sum(&r->vector.owner))
        return damaged("person", r->vector.id, err);
    return DPL_OK;
}

static dpl_status take_template(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    conversion *c = ctx;
    dpli_template_record *to = &c->copy.template;
    dpli_room *room = &c->copy.room;
    dpl_status status = check_template(r, err);

    if (status == DPL_OK)
        status = dpli_room_begin(room, NULL,
                                 r->vector.n_bytes + r->n_thumb + length(r->weakest) +
                                     length(r->caption) + length(r->caption_source) + 64,
                                 err);
    if (status != DPL_OK)
        return status;
    *to = *r;
    to->vector.bytes =
        memcpy(dpli_room_take(room, r->vector.n_bytes), r->vector.bytes, r->vector.n_bytes);
    to->weakest = put(room, r->weakest);
    to->caption = put(room, r->caption);
    to->caption_source = put(room, r->caption_source);
    if (r->thumb)
        to->thumb = memcpy(dpli_room_take(room, r->n_thumb), r->thumb, r->n_thumb);
    return DPL_OK;
}

static dpl_status put_template(dpli_store *to, const dpli_template_record *r, dpl_error *err)
{
    const int64_t id = r->vector.id;
    dpl_status status = to->ops->set_vector(to, &r->vector, err);

    if (status == DPL_OK && r->has_face)
        status = to->ops->set_face(to, id, r->face, r->weakest, r->face_sum, err);
    if (status == DPL_OK && r->thumb)
        status = to->ops->add_thumb(to, id, r->thumb, r->n_thumb, r->thumb_sum, err);
    if (status == DPL_OK && r->caption)
        status = to->ops->add_caption(to, id, r->caption_source, r->caption, r->caption_sum, err);
    if (status == DPL_OK && r->vector.owner.person_id)
        status = to->ops->set_owner(to, &r->vector.owner, err);
    return status;
}

static dpl_status convert_templates(conversion *c, dpl_error *err)
{
    const dpli_template_query all = {DPLI_ALL_TEMPLATES, 0, NULL};
    dpl_status status = c->from->ops->each_template(c->from, &all, take_template_id, &c->rows, err);

    for (size_t i = 0; i < c->rows.n && status == DPL_OK; i++) {
        const dpli_template_query one = {DPLI_TEMPLATE_BY_ID, c->rows.ids[i], NULL};

        status = c->from->ops->each_template(c->from, &one, take_template, c, err);
        if (status == DPL_OK)
            status = put_template(c->to, &c->copy.template, err);
        dpli_progress_step(c->gallery, 1);
    }
    rows_clear(&c->rows);
    return status;
}

/* ------------------------------------------------------------------ what faces are not, and groups
 */

static dpl_status take_refusal(void *ctx, const dpli_refusal_record *r, dpl_error *err)
{
    struct pair pair = {.numbers = {r->id, r->template_id, r->person_id, r->other_id}};

    if (r->sum != dpli_refusal_sum(r))
        return damaged("refusal", r->id, err);
    return add_pair(ctx, NULL, NULL, &pair, err);
}

static dpl_status convert_refusals(conversion *c, dpl_error *err)
{
    dpl_status status = c->from->ops->each_refusal(c->from, 0, take_refusal, &c->rows, err);

    for (size_t i = 0; i < c->rows.n_pairs && status == DPL_OK; i++) {
        const int64_t *n = c->rows.pairs[i].numbers;
        dpli_refusal_record r = {
            .id = n[0], .template_id = n[1], .person_id = n[2], .other_id = n[3]};
        int64_t id = n[0];

        r.sum = dpli_refusal_sum(&r);
        status = c->from->ops->drop_refusal(c->from, id, err);
        if (status == DPL_OK)
            status = c->to->ops->add_refusal(c->to, &id, &r, err);
    }
    rows_clear(&c->rows);
    return status;
}

static dpl_status take_member(void *ctx, const dpli_member_record *r, dpl_error *err)
{
    struct pair pair = {.numbers = {r->template_id, r->group_number}};

    if (r->sum != dpli_member_sum(r))
        return damaged("group", r->template_id, err);
    return add_pair(ctx, NULL, NULL, &pair, err);
}

static dpl_status convert_members(conversion *c, dpl_error *err)
{
    dpl_status status = c->from->ops->each_member(c->from, take_member, &c->rows, err);

    for (size_t i = 0; i < c->rows.n_pairs && status == DPL_OK; i++) {
        dpli_member_record r = {.template_id = c->rows.pairs[i].numbers[0],
                                .group_number = c->rows.pairs[i].numbers[1]};

        r.sum = dpli_member_sum(&r);
        status = c->to->ops->set_member(c->to, &r, err);
    }
    rows_clear(&c->rows);
    return status;
}

/* Within a writing transaction. */
static dpl_status convert(dpl_gallery *gallery, dpli_store *from, dpli_store *to, dpl_error *err)
{
    conversion c = {.gallery = gallery, .from = from, .to = to};
    dpl_status status = convert_settings(&c, err);

    if (status == DPL_OK)
        status = convert_persons(&c, err);
    if (status == DPL_OK)
        status = convert_aliases(&c, err);
    if (status == DPL_OK)
        status = convert_photos(&c, err);
    if (status == DPL_OK)
        status = convert_templates(&c, err);
    if (status == DPL_OK)
        status = convert_refusals(&c, err);
    if (status == DPL_OK)
        status = convert_members(&c, err);
    rows_clear(&c.rows);
    dpli_room_clear(&c.copy.room);
    return status;
}

/* ------------------------------------------------------------------ the whole of it */

/* The transaction, and what has to go after it. On failure the gallery's store is from. */
static dpl_status change_over(dpl_gallery *gallery, dpli_store *from, dpli_store *to,
                              const char *mark, const char *words, dpl_error *err)
{
    dpl_status status;

    gallery->store = from;
    dpli_progress_begin_rows(gallery);
    dpli_change_end(gallery);
    status = from->ops->begin(from, true, err);
    if (status != DPL_OK)
        return status;
    /* What the change before is counted by is about to go. */
    status = dpli_audit_write(gallery, NULL, NULL, err);
    gallery->store = to;
    if (status == DPL_OK)
        status = dpli_end_log(gallery, words, NULL, err);
    if (status == DPL_OK)
        status = convert(gallery, from, to, err);
    if (status == DPL_OK) {
        dpli_store *behind = dpli_store_is_sealed(to) ? dpli_sealed_of(to)->inner : to;

        status = behind->ops->set_setting(behind, DPLI_SEALED_SETTING, mark, err);
    }
    if (status == DPL_OK)
        status = to->ops->touch(to, err);
    if (status == DPL_OK)
        status = to->ops->want_scrub(to, err);
    status = dpli_end_change(gallery, status, err);
    if (status != DPL_OK)
        gallery->store = from;
    else
        dpli_search_reseal(gallery, from->file_key);
    return status;
}

static dpl_status scrub(dpl_gallery *gallery, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_gallery_scrub(gallery, &why);

    if (status != DPL_OK)
        dpli_fail(err, status,
                  "it is done, but bytes of what was are still in \"%s\" until it is next opened "
                  "for writing: %s",
                  gallery->dir, why.message);
    /* If there was none, or it did not serve. */
    dpli_search_ready(gallery, INT64_MAX);
    return status;
}

static dpl_status may_change(const dpl_gallery *gallery, bool encrypted, dpl_error *err)
{
    dpl_status status = dpli_gallery_may_write(gallery, err);

    if (status == DPL_OK && gallery->rehearsing)
        status = dpli_fail(err, DPL_E_ARGUMENT, "keys are not rehearsed");
    if (status == DPL_OK && dpli_store_is_sealed(gallery->store) != encrypted)
        status = dpli_fail(err, DPL_E_ARGUMENT, "gallery \"%s\" is %s", gallery->dir,
                           encrypted ? "not encrypted" : "encrypted already");
    if (status == DPL_OK && !gallery->store->ops->find_person_by && !encrypted)
        status =
            dpli_fail(err, DPL_E_ARGUMENT, "a gallery in \"%s\" cannot be encrypted", gallery->dir);
    return status;
}

/* A new ring for a key, in a file; nothing is there that is not this gallery's own. */
static dpl_status make_ring(dpli_ring **ring, const char *path, const char *final_path,
                            const dpl_key_options *key, const char *identity, bool may_replace,
                            dpl_error *err)
{
    dpli_ring_secret secret = {NULL, 0};
    uint8_t *bytes = NULL;
    dpli_ring_head head;
    dpl_status status;

    *ring = NULL;
    if (!may_replace && key->key_file) {
        status = dpli_ring_peek(&head, final_path, err);
        /* One that was made for this gallery before a kill opens nothing. */
        if (status == DPL_OK && strcmp(head.identity, identity) != 0)
            status =
                dpli_fail(err, DPL_E_GALLERY,
                          "\"%s\" is there already, and is the key of another gallery", final_path);
        if (status != DPL_OK && status != DPL_E_NOT_FOUND)
            return status;
    }
    status = dpli_take_secret(&bytes, &secret.n, key, final_path, err);
    secret.bytes = bytes;
    if (status == DPL_OK && !bytes && !key->key_file)
        status = dpli_fail(err, DPL_E_ARGUMENT,
                           "neither a key file nor a passphrase was given; a key without a "
                           "passphrase is not kept beside what it opens");
    if (status == DPL_OK)
        status = dpli_ring_new(ring, identity, &secret, err);
    if (status == DPL_OK)
        status = dpli_ring_write(*ring, path, err);
    dpli_secret_free(bytes);
    if (status != DPL_OK) {
        dpli_ring_free(*ring);
        *ring = NULL;
    }
    return status;
}

static dpl_status own_key(dpl_key_options *ours, const dpl_key_options *key, dpl_error *err)
{
    *ours = (dpl_key_options)DPL_KEY_OPTIONS_INIT;
    return key ? dpli_options(ours, sizeof *ours, key, "key", err) : DPL_OK;
}

dpl_status dpl_gallery_encrypt(dpl_gallery *gallery, const dpl_key_options *key, dpl_error *err)
{
    dpli_store *plain = gallery->store, *behind = plain, *sealed = NULL;
    char identity[DPLI_IDENTITY], *path = NULL, *mark = NULL;
    dpli_ring *ring = NULL;
    int64_t generation;
    dpl_key_options ours;
    bool made = false;
    dpl_status status = may_change(gallery, false, err);

    if (status == DPL_OK)
        status = own_key(&ours, key, err);
    if (status == DPL_OK)
        status = plain->ops->generation(plain, &generation, identity, err);
    if (status != DPL_OK)
        return status;
    path = dpli_key_path(gallery->dir, &ours, err);
    status = path ? make_ring(&ring, path, path, &ours, identity, false, err) : DPL_E_MEMORY;
    made = status == DPL_OK;
    mark = made ? dpli_sealed_mark(ring, dpli_sealed_form_here(), err) : NULL;
    if (made && !mark)
        status = DPL_E_MEMORY;
    if (status == DPL_OK)
        status = dpli_store_sealed_open(&sealed, &behind, &ring, path, false, err);
    if (status == DPL_OK)
        status = change_over(gallery, plain, sealed, mark, "encrypt", err);
    if (status != DPL_OK) {
        if (sealed)
            dpli_store_unwrap(sealed);
        if (made)
            dpli_ring_shred(path);
    } else {
        status = scrub(gallery, err);
    }
    dpli_ring_free(ring);
    free(mark);
    free(path);
    return status;
}

dpl_status dpl_gallery_rekey(dpl_gallery *gallery, const dpl_key_options *key, dpl_error *err)
{
    char identity[DPLI_IDENTITY], *path = NULL, *aside = NULL, *mark = NULL;
    dpli_store *from = gallery->store, *behind = NULL, *to = NULL;
    dpli_ring *ring = NULL;
    int64_t generation;
    dpl_key_options ours;
    bool same, made = false;
    dpl_status status = may_change(gallery, true, err);

    if (status == DPL_OK)
        status = own_key(&ours, key, err);
    if (status == DPL_OK)
        status = from->ops->generation(from, &generation, identity, err);
    if (status != DPL_OK)
        return status;
    behind = dpli_sealed_of(from)->inner;
    path = dpli_key_path(gallery->dir, &ours, err);
    aside = path ? dpli_key_path_aside(path, err) : NULL;
    if (!aside) {
        status = DPL_E_MEMORY;
        goto done;
    }
    same = strcmp(path, dpli_sealed_of(from)->path) == 0;
    status = make_ring(&ring, aside, path, &ours, identity, same, err);
    made = status == DPL_OK;
    mark = made ? dpli_sealed_mark(ring, dpli_sealed_form_here(), err) : NULL;
    if (made && !mark)
        status = DPL_E_MEMORY;
    if (status == DPL_OK)
        status = dpli_store_sealed_open(&to, &behind, &ring, aside, false, err);
    if (status == DPL_OK)
        status = change_over(gallery, from, to, mark, "rekey", err);
    if (status != DPL_OK) {
        if (to)
            dpli_store_unwrap(to);
        if (made)
            dpli_ring_shred(aside);
        goto done;
    }
    /* From here on the former ring opens nothing that is here. */
    dpli_ring_shred(path);
    if (rename(aside, path) == 0) {
        free(dpli_sealed_of(to)->path);
        dpli_sealed_of(to)->path = path;
        path = NULL;
    }
    if (!same) {
        char *own = dpli_key_path(gallery->dir, NULL, NULL);

        if (own && strcmp(own, dpli_sealed_of(from)->path) == 0)
            dpli_ring_shred(own);
        free(own);
    }
    dpli_store_unwrap(from);
    status = scrub(gallery, err);
done:
    dpli_ring_free(ring);
    free(mark);
    free(path);
    free(aside);
    return status;
}

dpl_status dpl_gallery_decrypt(dpl_gallery *gallery, dpl_error *err)
{
    dpli_store *sealed = gallery->store, *plain;
    char *path = NULL, *own = NULL;
    dpl_status status = may_change(gallery, true, err);

    if (status != DPL_OK)
        return status;
    plain = dpli_sealed_of(sealed)->inner;
    path = dpli_strdup(dpli_sealed_of(sealed)->path, err);
    own = path ? dpli_key_path(gallery->dir, NULL, err) : NULL;
    status = own ? change_over(gallery, sealed, plain, NULL, "decrypt", err) : DPL_E_MEMORY;
    if (status == DPL_OK) {
        dpli_store_unwrap(sealed);
        if (strcmp(path, own) == 0)
            dpli_ring_shred(path);
        status = scrub(gallery, err);
    }
    free(path);
    free(own);
    return status;
}
