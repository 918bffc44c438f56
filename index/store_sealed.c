/*
 * store_sealed.c - the keeper that seals: opened before another, what it writes there, and keys
 * destroyed.
 *
 * Where the keeper behind compares strings (a name, a source, a content's hash) it is given hashes
 * of a secret key. The numbers of a photo and of a face are in what is sealed, and stand as zeros
 * behind; whose a face is, what it is not and its group are numbers of rows, left as they are under
 * sums that only who has the key can make.
 */
#include "index/store_sealed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"

/* ------------------------------------------------------------------ the note */

dpli_sealed_form dpli_sealed_form_here(void)
{
    return (dpli_sealed_form){.cipher = dpli_cipher_here(), .by_folder = true};
}

/* "3:<ring's id>:<check>", or "4:…" where values are sealed by AES; "1:…" and "2:…" where photos
   are not looked for by folders. The check says that a ring of this id is the right one. */
char *dpli_sealed_mark(const dpli_ring *ring, dpli_sealed_form form, dpl_error *err)
{
    uint8_t key[DPLI_KEY_BYTES], check[DPLI_HASH_BYTES];
    char id[2 * DPLI_RING_ID_BYTES + 1], text[DPLI_HASH_TEXT + 1];

    for (int i = 0; i < DPLI_RING_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", dpli_ring_told(ring)->id[i]);
    dpli_secret_derive(key, dpli_ring_base(ring), "doppel check");
    dpli_secret_hash(check, key, id, strlen(id));
    dpli_secret_wipe(key, sizeof key);
    dpli_to_text(text, check, sizeof check);
    return dpli_asprintf(err, "%d:%s:%s", 1 + (form.cipher == DPLI_AES) + 2 * (int)form.by_folder,
                         id, text);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool dpli_sealed_mark_read(uint8_t id[DPLI_RING_ID_BYTES], dpli_sealed_form *form, const char *mark)
{
    form->cipher = mark[0] == '2' || mark[0] == '4' ? DPLI_AES : DPLI_CHACHA20;
    form->by_folder = mark[0] >= '3';
    if (mark[0] < '1' || mark[0] > '4' || mark[1] != ':' ||
        strlen(mark) != 2 + 2 * DPLI_RING_ID_BYTES + 1 + DPLI_HASH_TEXT)
        return false;
    for (int i = 0; i < DPLI_RING_ID_BYTES; i++) {
        const int high = digit(mark[2 + 2 * i]), low = digit(mark[3 + 2 * i]);

        if (high < 0 || low < 0)
            return false;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ------------------------------------------------------------------ open and close */

static void close_sealed(dpli_store *store)
{
    dpli_store_close(dpli_store_unwrap(store));
}

static void discard(dpli_store *store)
{
    dpli_store *inner = dpli_store_unwrap(store);

    inner->ops->discard(inner);
}

static void derive_keys(dpli_store_sealed *s)
{
    static const char *const hashes[DPLI_N_SEALED_HASHES] = {
        [DPLI_HASH_NAME] = "doppel name",       [DPLI_HASH_ALIAS] = "doppel alias",
        [DPLI_HASH_MEANT] = "doppel meant",     [DPLI_HASH_URI] = "doppel uri",
        [DPLI_HASH_CONTENT] = "doppel content",
    };
    const uint8_t *base = dpli_ring_base(s->ring), *epoch = dpli_ring_epoch(s->ring);

    dpli_secret_derive(s->keys->base, base, "doppel gallery");
    dpli_secret_derive(s->keys->sums, base, "doppel sums");
    for (int i = 0; i < DPLI_N_SEALED_HASHES; i++)
        dpli_secret_derive(s->keys->hashes[i], base, hashes[i]);
    dpli_secret_derive(s->keys->words, epoch, "doppel words");
    dpli_secret_derive(s->keys->files, epoch, "doppel files");
}

/* ------------------------------------------------------------------ transactions */

static dpl_status begin(dpli_store *store, bool write, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);

    if (s->n_held > 0 && write)
        return dpli_fail(err, DPL_E_ARGUMENT, "a walk does not change what it walks through");
    if (s->n_held > 0) {
        s->n_within++;
        return DPL_OK;
    }
    memset(s->next_id, 0, sizeof s->next_id);
    return s->inner->ops->begin(s->inner, write, err);
}

static dpl_status end(dpli_store *store, dpl_status status, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);

    if (s->n_within > 0) {
        s->n_within--;
        return status;
    }
    memset(s->next_id, 0, sizeof s->next_id);
    return s->inner->ops->end(s->inner, status, err);
}

/* The id that a row gets: a value is bound to it, so it is chosen before the row is written. */
static dpl_status choose_id(int64_t *id, dpli_store_sealed *s, dpli_numbered table, dpl_error *err)
{
    dpl_status status = DPL_OK;

    if (*id)
        return DPL_OK;
    if (!s->next_id[table]) {
        status = s->inner->ops->last_id(s->inner, &s->next_id[table], table, err);
        s->next_id[table]++;
    }
    if (status == DPL_OK)
        *id = s->next_id[table]++;
    return status;
}

static dpl_status need_key(uint8_t key[DPLI_KEY_BYTES], dpli_store_sealed *s, dpli_numbered table,
                           int64_t id, dpl_error *err)
{
    if (dpli_sealed_row_key(key, s, table, id))
        return DPL_OK;
    if (id >> DPLI_RING_DEPTH != 0)
        return dpli_fail(err, DPL_E_LIMIT,
                         "%s %" PRId64 " is beyond what an encrypted gallery numbers",
                         dpli_numbered_names[table], id);
    return dpli_fail(err, DPL_E_GALLERY,
                     "\"%s\": the key of %s %" PRId64 " was destroyed when it was forgotten",
                     s->store.name, dpli_numbered_names[table], id);
}

/* ------------------------------------------------------------------ what it is: passed on */

#define BEHIND dpli_store *inner = dpli_sealed_of(store)->inner

/* Another handle may have forgotten somebody, and so changed the ring. */
static dpl_status generation(dpli_store *store, int64_t *number, char identity[DPLI_IDENTITY],
                             dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    bool changed;
    dpl_status status = dpli_ring_refresh(&changed, s->ring, s->path, err);

    if (status != DPL_OK)
        return status;
    if (changed)
        derive_keys(s);
    return s->inner->ops->generation(s->inner, number, identity, err);
}

static dpl_status touch(dpli_store *store, dpl_error *err)
{
    BEHIND;
    return inner->ops->touch(inner, err);
}

static dpl_status each_touched(dpli_store *store, bool *is_all, int64_t since, dpli_on_touched *fn,
                               void *ctx, dpl_error *err)
{
    BEHIND;
    return inner->ops->each_touched(inner, is_all, since, fn, ctx, err);
}

static dpl_status count(dpli_store *store, dpli_counts *out, dpl_error *err)
{
    BEHIND;
    return inner->ops->count(inner, out, err);
}

static dpl_status n_persons(dpli_store *store, int64_t *n, dpl_error *err)
{
    BEHIND;
    return inner->ops->n_persons(inner, n, err);
}

static dpl_status last_id(dpli_store *store, int64_t *id, dpli_numbered table, dpl_error *err)
{
    BEHIND;
    return inner->ops->last_id(inner, id, table, err);
}

static dpl_status raise_last_id(dpli_store *store, dpli_numbered table, int64_t id, dpl_error *err)
{
    dpli_sealed_of(store)->next_id[table] = 0;
    BEHIND;
    return inner->ops->raise_last_id(inner, table, id, err);
}

static dpl_status find_model(dpli_store *store, int64_t *id, int64_t *dim, const char *space,
                             const char *hash, dpl_error *err)
{
    BEHIND;
    return inner->ops->find_model(inner, id, dim, space, hash, err);
}

static dpl_status set_model(dpli_store *store, const char *space, const char *hash, int32_t dim,
                            dpl_error *err)
{
    BEHIND;
    return inner->ops->set_model(inner, space, hash, dim, err);
}

static dpl_status change_model(dpli_store *store, int64_t *id, const char *space, const char *hash,
                               int32_t dim, dpl_error *err)
{
    BEHIND;
    return inner->ops->change_model(inner, id, space, hash, dim, err);
}

static dpl_status change_identity(dpli_store *store, dpl_error *err)
{
    BEHIND;
    return inner->ops->change_identity(inner, err);
}

static dpl_status has_templates(dpli_store *store, bool *any, const char *space, dpl_error *err)
{
    BEHIND;
    return inner->ops->has_templates(inner, any, space, err);
}

static dpl_status n_vectors(dpli_store *store, int64_t *n, int64_t model_id, dpl_error *err)
{
    BEHIND;
    return inner->ops->n_vectors(inner, n, model_id, err);
}

/* ------------------------------------------------------------------ settings */

/* A key is a word of the program's; its value may be a path. The value is sealed with its key. */
static const dpli_sealed_place setting_place = {.part = DPLI_SEALED_SETTING_VALUE};

static dpl_status open_setting(const char **value, const dpli_store_sealed *s, dpli_room *room,
                               const char *key, const char *kept, dpl_error *err)
{
    const size_t n_key = strlen(key) + 1;
    const uint8_t *plain;
    size_t n;
    dpl_status status = dpli_room_begin(room, s, dpli_opened_text_room(strlen(kept)), err);

    if (status != DPL_OK)
        return status;
    plain = dpli_opened_text(&n, s, room, s->keys->base, &setting_place, kept);
    if (!plain || n <= n_key || memcmp(plain, key, n_key) != 0 || plain[n - 1] != '\0')
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: setting \"%s\" is not what was written", s->store.name,
                         key);
    *value = (const char *)plain + n_key;
    return DPL_OK;
}

static dpl_status setting(dpli_store *store, char **value, const char *key, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_room room = {0};
    const char *opened;
    char *kept;
    dpl_status status = s->inner->ops->setting(s->inner, &kept, key, err);

    *value = NULL;
    if (status == DPL_OK && kept && strcmp(key, DPLI_SEALED_SETTING) != 0) {
        status = open_setting(&opened, s, &room, key, kept, err);
        if (status == DPL_OK) {
            *value = dpli_strdup(opened, err);
            status = *value ? DPL_OK : DPL_E_MEMORY;
        }
    }
    free(kept);
    dpli_room_clear(&room);
    return status;
}

static dpl_status set_setting(dpli_store *store, const char *key, const char *value, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const size_t n_key = strlen(key) + 1, n = value ? n_key + strlen(value) + 1 : 0;
    dpli_room room = {0};
    char *plain = NULL, *text;
    dpl_status status;

    if (!value)
        return s->inner->ops->set_setting(s->inner, key, NULL, err);
    plain = dpli_alloc(n, 1, err);
    status = plain ? dpli_room_begin(&room, s, dpli_sealed_text_room(n), err) : DPL_E_MEMORY;
    if (status == DPL_OK) {
        memcpy(plain, key, n_key);
        memcpy(plain + n_key, value, n - n_key);
        status = dpli_sealed_text(&text, s, &room, s->keys->base, &setting_place, plain, n, err);
    }
    if (status == DPL_OK)
        status = s->inner->ops->set_setting(s->inner, key, text, err);
    free(plain);
    dpli_room_clear(&room);
    return status;
}

typedef struct settings_walk {
    const dpli_store_sealed *s;
    dpli_room room;
    dpli_on_setting *fn;
    void *ctx;
} settings_walk;

static dpl_status on_setting(void *ctx, const char *key, const char *value, dpl_error *err)
{
    settings_walk *w = ctx;
    const char *opened;
    dpl_status status;

    if (strcmp(key, DPLI_SEALED_SETTING) == 0)
        return DPL_OK;
    status = open_setting(&opened, w->s, &w->room, key, value, err);
    return status == DPL_OK ? w->fn(w->ctx, key, opened, err) : status;
}

static dpl_status each_setting(dpli_store *store, dpli_on_setting *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    settings_walk w = {.s = s, .fn = fn, .ctx = ctx};
    const dpl_status status = s->inner->ops->each_setting(s->inner, on_setting, &w, err);

    dpli_room_clear(&w.room);
    return status;
}

/* ------------------------------------------------------------------ names */

/* A name as it is kept: what it is looked for by, and behind it, sealed with its sum. In the room.
 */
static dpl_status keep_name(char **out, dpli_store_sealed *s, dpli_room *room,
                            dpli_sealed_part part, dpli_sealed_hash hash, int64_t person_id,
                            const char *name, uint64_t sum, dpl_error *err)
{
    const dpli_sealed_place place = {.part = part, .id = person_id};
    const size_t n_name = strlen(name) + 1, n = sizeof sum + n_name;
    uint8_t key[DPLI_KEY_BYTES], *plain;
    char *text, *kept;
    dpl_status status =
        dpli_room_begin(room, s, 2 * dpli_sealed_text_room(n) + DPLI_HASH_TEXT + 64, err);

    if (status == DPL_OK)
        status = need_key(key, s, DPLI_PERSON_IDS, person_id, err);
    if (status != DPL_OK)
        return status;
    plain = dpli_room_take(room, n);
    memcpy(plain, &sum, sizeof sum);
    memcpy(plain + sizeof sum, name, n_name);
    status = dpli_sealed_text(&text, s, room, key, &place, plain, n, err);
    dpli_secret_wipe(key, sizeof key);
    if (status != DPL_OK)
        return status;
    kept = dpli_room_take(room, DPLI_HASH_TEXT + strlen(text) + 1);
    dpli_sealed_hash_text(kept, s, hash, name);
    memcpy(kept + DPLI_HASH_TEXT, text, strlen(text) + 1);
    *out = kept;
    return DPL_OK;
}

static uint64_t sum_of_text(const dpli_store_sealed *s, const char *text)
{
    return dpli_secret_sum(s->keys->sums, text, strlen(text));
}

static dpl_status find_person(dpli_store *store, int64_t *id, const char *name, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    char hash[DPLI_HASH_TEXT + 1];

    dpli_sealed_hash_text(hash, s, DPLI_HASH_NAME, name);
    return s->inner->ops->find_person_by(s->inner, id, hash, err);
}

static dpl_status add_person(dpli_store *store, int64_t *id, const char *name, uint64_t sum,
                             dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    int64_t chosen = *id;
    dpli_room room = {0};
    char *kept;
    dpl_status status = choose_id(&chosen, s, DPLI_PERSON_IDS, err);

    if (status == DPL_OK)
        status =
            keep_name(&kept, s, &room, DPLI_SEALED_PERSON, DPLI_HASH_NAME, chosen, name, sum, err);
    if (status == DPL_OK)
        status = s->inner->ops->add_person(s->inner, &chosen, kept, sum_of_text(s, kept), err);
    if (status == DPL_OK)
        *id = chosen;
    dpli_room_clear(&room);
    return status;
}

static dpl_status rename_person(dpli_store *store, int64_t id, const char *name, uint64_t sum,
                                dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_room room = {0};
    char *kept;
    dpl_status status =
        keep_name(&kept, s, &room, DPLI_SEALED_PERSON, DPLI_HASH_NAME, id, name, sum, err);

    if (status == DPL_OK)
        status = s->inner->ops->rename_person(s->inner, id, kept, sum_of_text(s, kept), err);
    dpli_room_clear(&room);
    return status;
}

static dpl_status drop_if_lonely(dpli_store *store, int64_t id, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_if_lonely(inner, id, err);
}

static dpl_status drop_lonely(dpli_store *store, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_lonely(inner, err);
}

static dpl_status find_alias(dpli_store *store, int64_t *person_id, const char *name,
                             dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    char hash[DPLI_HASH_TEXT + 1], *kept;
    dpl_status status;

    dpli_sealed_hash_text(hash, s, DPLI_HASH_ALIAS, name);
    status = s->inner->ops->find_alias_by(s->inner, person_id, &kept, hash, err);
    free(kept);
    return status;
}

/* The keeper behind takes two that begin alike for two names: the one before goes first. */
static dpl_status set_alias(dpli_store *store, const dpli_alias_record *row, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    char hash[DPLI_HASH_TEXT + 1], *before = NULL, *kept;
    dpli_alias_record r = {.person_id = 0};
    dpli_room room = {0};
    int64_t was;
    dpl_status status;

    dpli_sealed_hash_text(hash, s, DPLI_HASH_ALIAS, row->name);
    status = s->inner->ops->find_alias_by(s->inner, &was, &before, hash, err);
    r.name = before;
    if (status == DPL_OK && before)
        status = s->inner->ops->set_alias(s->inner, &r, err);
    if (status == DPL_OK && row->person_id) {
        status = keep_name(&kept, s, &room, DPLI_SEALED_ALIAS, DPLI_HASH_ALIAS, row->person_id,
                           row->name, row->sum, err);
        if (status == DPL_OK) {
            r = (dpli_alias_record){
                .person_id = row->person_id, .name = kept, .sum = sum_of_text(s, kept)};
            status = s->inner->ops->set_alias(s->inner, &r, err);
        }
    }
    free(before);
    dpli_room_clear(&room);
    return status;
}

/* ------------------------------------------------------------------ photos */

static dpl_status find_photo(dpli_store *store, int64_t *id, int64_t *person_id, const char *uri,
                             dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    char text[DPLI_URI_TEXT + 1];

    dpli_sealed_uri_text(text, s, uri);
    return s->inner->ops->find_photo(s->inner, id, person_id, text, err);
}

/* *id: of the row; of a new one 0, or the one that it has to have, and then its own. */
static dpl_status put_photo(dpli_store_sealed *s, int64_t *id, const dpli_photo_record *row,
                            bool is_new, dpl_error *err)
{
    dpli_sealed_place place = {.part = DPLI_SEALED_PHOTO, .id = *id};
    char uri[DPLI_URI_TEXT + 1], content[DPLI_HASH_TEXT + 1], meant[DPLI_HASH_TEXT + 1];
    uint8_t key[DPLI_KEY_BYTES];
    dpli_room room = {0};
    size_t n = 0;
    char *packed = NULL, *text;
    dpl_status status = is_new ? choose_id(&place.id, s, DPLI_PHOTO_IDS, err) : DPL_OK;

    if (status == DPL_OK)
        status = need_key(key, s, DPLI_PHOTO_IDS, place.id, err);
    if (status == DPL_OK) {
        packed = dpli_pack_photo(&n, row, err);
        status = packed ? dpli_room_begin(&room, s, dpli_sealed_text_room(n), err) : DPL_E_MEMORY;
    }
    if (status == DPL_OK)
        status = dpli_sealed_text(&text, s, &room, key, &place, packed, n, err);
    if (status == DPL_OK) {
        dpli_photo_record r = {.id = place.id,
                               .person_id = row->person_id,
                               .uri = uri,
                               .sha256 = content,
                               .meant = row->meant ? meant : NULL,
                               .options = "",
                               .status = row->status};

        dpli_sealed_uri_text(uri, s, row->uri);
        dpli_sealed_hash_text(content, s, DPLI_HASH_CONTENT, row->sha256);
        if (row->meant)
            dpli_sealed_hash_text(meant, s, DPLI_HASH_MEANT, row->meant);
        r.reason = text;
        r.sum = sum_of_text(s, text);
        status = is_new ? s->inner->ops->add_photo(s->inner, &place.id, &r, err)
                        : s->inner->ops->set_photo(s->inner, &r, err);
    }
    if (status == DPL_OK)
        *id = place.id;
    dpli_secret_wipe(key, sizeof key);
    free(packed);
    dpli_room_clear(&room);
    return status;
}

static dpl_status add_photo(dpli_store *store, int64_t *id, const dpli_photo_record *row,
                            dpl_error *err)
{
    return put_photo(dpli_sealed_of(store), id, row, true, err);
}

static dpl_status set_photo(dpli_store *store, const dpli_photo_record *row, dpl_error *err)
{
    int64_t id = row->id;

    return put_photo(dpli_sealed_of(store), &id, row, false, err);
}

static dpl_status drop_photo(dpli_store *store, int64_t id, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_photo(inner, id, err);
}

static dpl_status set_file(dpli_store *store, const dpli_file_record *row, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const dpli_sealed_place place = {.part = DPLI_SEALED_FILE, .id = row->photo_id};
    const int64_t numbers[] = {(int64_t)row->sum, row->file_system, row->unreadable_since_unix_s,
                               row->status};
    const size_t n_reason = strlen(row->reason) + 1, n = sizeof numbers + n_reason;
    dpli_file_record r = {.photo_id = row->photo_id, .reason = ""};
    uint8_t key[DPLI_KEY_BYTES], *plain;
    dpli_room room = {0};
    char *text;
    dpl_status status;

    /* Nothing known: no row. */
    if (!row->file_system && !row->unreadable_since_unix_s)
        return s->inner->ops->set_file(s->inner, &r, err);
    status = need_key(key, s, DPLI_PHOTO_IDS, row->photo_id, err);
    if (status == DPL_OK)
        status = dpli_room_begin(&room, s, 2 * dpli_sealed_text_room(n), err);
    if (status == DPL_OK) {
        plain = dpli_room_take(&room, n);
        memcpy(plain, numbers, sizeof numbers);
        memcpy(plain + sizeof numbers, row->reason, n_reason);
        status = dpli_sealed_text(&text, s, &room, key, &place, plain, n, err);
    }
    if (status == DPL_OK) {
        r.file_system = 1;
        r.reason = text;
        /* Of what it says, as one that says the same is not written again. */
        r.sum = dpli_secret_sum(s->keys->sums, plain, n);
        status = s->inner->ops->set_file(s->inner, &r, err);
    }
    dpli_secret_wipe(key, sizeof key);
    dpli_room_clear(&room);
    return status;
}

/* ------------------------------------------------------------------ templates */

static dpl_status drop_templates(dpli_store *store, int64_t *n, int64_t photo_id, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_templates(inner, n, photo_id, err);
}

static dpl_status drop_template(dpli_store *store, int64_t id, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_template(inner, id, err);
}

/* Bytes with their sum before them, sealed; in the room. */
static dpl_status seal_summed(uint8_t **out, size_t *n_out, dpli_store_sealed *s, dpli_room *room,
                              const dpli_sealed_place *place, uint64_t sum, const void *bytes,
                              size_t n, dpl_error *err)
{
    uint8_t key[DPLI_KEY_BYTES], *plain;
    dpl_status status = need_key(key, s, DPLI_TEMPLATE_IDS, place->id, err);

    if (status == DPL_OK)
        status = dpli_room_begin(room, s, 2 * (n + sizeof sum + DPLI_SEAL_EXTRA) + 64, err);
    if (status != DPL_OK)
        return status;
    plain = dpli_room_take(room, sizeof sum + n);
    memcpy(plain, &sum, sizeof sum);
    if (n > 0)
        memcpy(plain + sizeof sum, bytes, n);
    *n_out = sizeof sum + n + DPLI_SEAL_EXTRA;
    status = dpli_sealed_bytes(out, s, room, key, place, plain, sizeof sum + n, err);
    dpli_secret_wipe(key, sizeof key);
    return status;
}

static dpl_status put_vector(dpli_store_sealed *s, int64_t *id, const dpli_vector_record *row,
                             bool is_new, dpl_error *err)
{
    dpli_sealed_place place = {
        .part = DPLI_SEALED_VECTOR, .id = *id, .photo_id = row->photo_id, .other = row->model_id};
    dpli_vector_record r = {.photo_id = row->photo_id, .model_id = row->model_id};
    dpli_room room = {0};
    uint8_t *sealed;
    dpl_status status = is_new ? choose_id(&place.id, s, DPLI_TEMPLATE_IDS, err) : DPL_OK;

    if (status == DPL_OK)
        status = seal_summed(&sealed, &r.n_bytes, s, &room, &place, row->sum, row->bytes,
                             row->n_bytes, err);
    if (status == DPL_OK) {
        r.id = place.id;
        r.bytes = sealed;
        r.sum = dpli_secret_sum(s->keys->sums, sealed, 24); /* the nonce: no two are alike */
        status = is_new ? s->inner->ops->add_vector(s->inner, &place.id, &r, err)
                        : s->inner->ops->set_vector(s->inner, &r, err);
    }
    if (status == DPL_OK)
        *id = place.id;
    dpli_room_clear(&room);
    return status;
}

static dpl_status add_vector(dpli_store *store, int64_t *id, const dpli_vector_record *row,
                             dpl_error *err)
{
    return put_vector(dpli_sealed_of(store), id, row, true, err);
}

static dpl_status set_vector(dpli_store *store, const dpli_vector_record *row, dpl_error *err)
{
    int64_t id = row->id;

    return put_vector(dpli_sealed_of(store), &id, row, false, err);
}

static dpl_status put_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                           const char *weakest, uint64_t sum, bool is_new, dpl_error *err)
{
    static const double nothing[DPLI_N_FACE];
    dpli_store_sealed *s = dpli_sealed_of(store);
    const dpli_sealed_place place = {.part = DPLI_SEALED_FACE, .id = template_id};
    const size_t n_face = DPLI_N_FACE * sizeof *face, n_weakest = strlen(weakest) + 1;
    const size_t n = sizeof sum + n_face + n_weakest;
    uint8_t key[DPLI_KEY_BYTES], *plain;
    dpli_room room = {0};
    char *text;
    dpl_status status = need_key(key, s, DPLI_TEMPLATE_IDS, template_id, err);

    if (status == DPL_OK)
        status = dpli_room_begin(&room, s, 2 * dpli_sealed_text_room(n), err);
    if (status == DPL_OK) {
        plain = dpli_room_take(&room, n);
        memcpy(plain, &sum, sizeof sum);
        memcpy(plain + sizeof sum, face, n_face);
        memcpy(plain + sizeof sum + n_face, weakest, n_weakest);
        status = dpli_sealed_text(&text, s, &room, key, &place, plain, n, err);
    }
    if (status == DPL_OK)
        status = (is_new ? s->inner->ops->add_face : s->inner->ops->set_face)(
            s->inner, template_id, nothing, text, sum_of_text(s, text), err);
    dpli_secret_wipe(key, sizeof key);
    dpli_room_clear(&room);
    return status;
}

static dpl_status set_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                           const char *weakest, uint64_t sum, dpl_error *err)
{
    return put_face(store, template_id, face, weakest, sum, false, err);
}

static dpl_status add_face(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                           const char *weakest, uint64_t sum, dpl_error *err)
{
    return put_face(store, template_id, face, weakest, sum, true, err);
}

static dpl_status add_thumb(dpli_store *store, int64_t template_id, const void *bytes, size_t n,
                            uint64_t sum, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const dpli_sealed_place place = {.part = DPLI_SEALED_THUMB, .id = template_id};
    dpli_room room = {0};
    uint8_t *sealed;
    size_t n_sealed;
    dpl_status status = seal_summed(&sealed, &n_sealed, s, &room, &place, sum, bytes, n, err);

    if (status == DPL_OK)
        status = s->inner->ops->add_thumb(s->inner, template_id, sealed, n_sealed,
                                          dpli_secret_sum(s->keys->sums, sealed, 24), err);
    dpli_room_clear(&room);
    return status;
}

static dpl_status add_caption(dpli_store *store, int64_t template_id, const char *source,
                              const char *caption, uint64_t sum, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const dpli_sealed_place place = {.part = DPLI_SEALED_CAPTION, .id = template_id};
    const size_t n_source = strlen(source) + 1, n_caption = strlen(caption) + 1;
    const size_t n = sizeof sum + n_source + n_caption;
    uint8_t key[DPLI_KEY_BYTES], *plain;
    dpli_room room = {0};
    char *text;
    dpl_status status = need_key(key, s, DPLI_TEMPLATE_IDS, template_id, err);

    if (status == DPL_OK)
        status = dpli_room_begin(&room, s, 2 * dpli_sealed_text_room(n), err);
    if (status == DPL_OK) {
        plain = dpli_room_take(&room, n);
        memcpy(plain, &sum, sizeof sum);
        memcpy(plain + sizeof sum, source, n_source);
        memcpy(plain + sizeof sum + n_source, caption, n_caption);
        status = dpli_sealed_text(&text, s, &room, key, &place, plain, n, err);
    }
    if (status == DPL_OK)
        status =
            s->inner->ops->add_caption(s->inner, template_id, "", text, sum_of_text(s, text), err);
    dpli_secret_wipe(key, sizeof key);
    dpli_room_clear(&room);
    return status;
}

/* ------------------------------------------------------------------ who is who */

static dpl_status set_owner(dpli_store *store, const dpli_owner_record *row, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const int64_t numbers[] = {row->template_id, row->person_id, row->by_hand};
    dpli_owner_record r = *row;

    r.sum = dpli_sealed_sum(s, "owner", numbers, 3);
    return s->inner->ops->set_owner(s->inner, &r, err);
}

static dpl_status add_refusal(dpli_store *store, int64_t *id, const dpli_refusal_record *row,
                              dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const int64_t numbers[] = {row->template_id, row->person_id, row->other_id};
    dpli_refusal_record r = *row;

    r.sum = dpli_sealed_sum(s, "refusal", numbers, 3);
    return s->inner->ops->add_refusal(s->inner, id, &r, err);
}

static dpl_status drop_refusal(dpli_store *store, int64_t id, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_refusal(inner, id, err);
}

static dpl_status set_member(dpli_store *store, const dpli_member_record *row, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    const int64_t numbers[] = {row->template_id, row->group_number};
    dpli_member_record r = *row;

    r.sum = dpli_sealed_sum(s, "member", numbers, 2);
    return s->inner->ops->set_member(s->inner, &r, err);
}

static dpl_status drop_members(dpli_store *store, dpl_error *err)
{
    BEHIND;
    return inner->ops->drop_members(inner, err);
}

/* ------------------------------------------------------------------ the last change */

/* Words of a change that can be taken back may name somebody: they go with the epoch. Those of one
   that cannot are the program's own. Which they are stands before them. */
static char *seal_words(const dpli_store_sealed *s, dpli_room *room, bool last, const char *words,
                        dpl_error *err)
{
    const dpli_sealed_place place = {.part = last ? DPLI_SEALED_LAST_WORDS : DPLI_SEALED_WORDS};
    const size_t n = strlen(words) + 1;
    char *text, *kept;

    if (dpli_room_begin(room, s, 2 * dpli_sealed_text_room(n), err) != DPL_OK)
        return NULL;
    if (dpli_sealed_text(&text, s, room, last ? s->keys->base : s->keys->words, &place, words, n,
                         err) != DPL_OK)
        return NULL;
    kept = dpli_room_take(room, strlen(text) + 2);
    kept[0] = last ? '!' : ':';
    memcpy(kept + 1, text, strlen(text) + 1);
    return kept;
}

static dpl_status log_change(dpli_store *store, int64_t *id, const char *words, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_room room = {0};
    const char *kept = seal_words(s, &room, false, words, err);
    const dpl_status status =
        kept ? s->inner->ops->log_change(s->inner, id, kept, err) : DPL_E_MEMORY;

    dpli_room_clear(&room);
    return status;
}

static dpl_status end_log(dpli_store *store, const char *words, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_room room = {0};
    const char *kept = seal_words(s, &room, true, words, err);
    const dpl_status status = kept ? s->inner->ops->end_log(s->inner, kept, err) : DPL_E_MEMORY;

    dpli_room_clear(&room);
    return status;
}

static dpl_status undo(dpli_store *store, const char *words, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_room room = {0};
    const char *kept = seal_words(s, &room, false, words, err);
    const dpl_status status = kept ? s->inner->ops->undo(s->inner, kept, err) : DPL_E_MEMORY;

    memset(s->next_id, 0, sizeof s->next_id);
    dpli_room_clear(&room);
    return status;
}

typedef struct change_walk {
    const dpli_store_sealed *s;
    dpli_room room;
    dpli_on_change *fn;
    void *ctx;
} change_walk;

static dpl_status on_change(void *ctx, const dpli_change_record *row, dpl_error *err)
{
    change_walk *w = ctx;
    dpli_change_record r = *row;
    const bool last = r.words[0] == '!';
    const dpli_sealed_place place = {.part = last ? DPLI_SEALED_LAST_WORDS : DPLI_SEALED_WORDS};
    const uint8_t *plain = NULL;
    size_t n = 0;
    dpl_status status =
        dpli_room_begin(&w->room, w->s, dpli_opened_text_room(strlen(r.words)), err);

    if (status != DPL_OK)
        return status;
    if (r.words[0])
        plain = dpli_opened_text(&n, w->s, &w->room, last ? w->s->keys->base : w->s->keys->words,
                                 &place, r.words + 1);
    if (!plain || n == 0 || plain[n - 1] != '\0')
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: what its last change was is not what was written",
                         w->s->store.name);
    r.words = (const char *)plain;
    return w->fn(w->ctx, &r, err);
}

static dpl_status last_change(dpli_store *store, dpli_on_change *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    change_walk w = {.s = s, .fn = fn, .ctx = ctx};
    const dpl_status status = s->inner->ops->last_change(s->inner, on_change, &w, err);

    dpli_room_clear(&w.room);
    return status;
}

static dpl_status count_change(dpli_store *store, int64_t id, dpli_change_counts *out,
                               dpl_error *err)
{
    BEHIND;
    return inner->ops->count_change(inner, id, out, err);
}

/* ------------------------------------------------------------------ the audit: names nobody */

static dpl_status audit_record(dpli_store *store, dpli_on_audit *fn, void *ctx, dpl_error *err)
{
    BEHIND;
    return inner->ops->audit_record(inner, fn, ctx, err);
}

static dpl_status set_audit_record(dpli_store *store, const dpli_audit_record *row, dpl_error *err)
{
    BEHIND;
    return inner->ops->set_audit_record(inner, row, err);
}

static dpl_status add_line(dpli_store *store, dpli_next_line *make, void *ctx, dpl_error *err)
{
    BEHIND;
    return inner->ops->add_line(inner, make, ctx, err);
}

static dpl_status each_line(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err)
{
    BEHIND;
    return inner->ops->each_line(inner, fn, ctx, err);
}

static dpl_status faults(dpli_store *store, dpli_on_fault *fn, void *ctx, dpl_error *err)
{
    BEHIND;
    return inner->ops->faults(inner, fn, ctx, err);
}

/* ------------------------------------------------------------------ forgetting */

/* Ids as a walk gives them, rising. */
typedef struct ids {
    int64_t *items;
    size_t n, cap;
} ids;

static dpl_status keep_id(ids *to, int64_t id, dpl_error *err)
{
    int64_t *grown = dpli_grow(to->items, &to->cap, to->n + 1, sizeof *grown, err);

    if (!grown)
        return DPL_E_MEMORY;
    to->items = grown;
    grown[to->n++] = id;
    return DPL_OK;
}

static dpl_status keep_person(void *ctx, const dpli_person_record *row, dpl_error *err)
{
    return keep_id(ctx, row->id, err);
}

static dpl_status keep_photo(void *ctx, const dpli_photo_record *row, dpl_error *err)
{
    return keep_id(ctx, row->id, err);
}

static dpl_status keep_template(void *ctx, const dpli_template_record *row, dpl_error *err)
{
    return keep_id(ctx, row->vector.id, err);
}

/* The keys of all rows that are no longer there. */
static dpl_status destroy_keys(dpli_store *store, dpl_error *err)
{
    static const dpli_photo_query photos = {DPLI_ALL_PHOTOS_BY_ID, NULL, 0};
    static const dpli_template_query templates = {DPLI_ALL_TEMPLATES, 0, NULL};
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_store *inner = s->inner;
    ids kept[DPLI_N_NUMBERED] = {{0}};
    int64_t last[DPLI_N_NUMBERED];
    dpl_status status = inner->ops->begin(inner, false, err);

    if (status != DPL_OK)
        return status;
    status = inner->ops->each_person(inner, true, keep_person, &kept[DPLI_PERSON_IDS], err);
    if (status == DPL_OK)
        status = inner->ops->each_photo(inner, &photos, keep_photo, &kept[DPLI_PHOTO_IDS], err);
    if (status == DPL_OK)
        status = inner->ops->each_template(inner, &templates, keep_template,
                                           &kept[DPLI_TEMPLATE_IDS], err);
    for (int t = 0; t < DPLI_N_NUMBERED && status == DPL_OK; t++)
        status = inner->ops->last_id(inner, &last[t], (dpli_numbered)t, err);
    status = inner->ops->end(inner, status, err);
    if (status == DPL_OK) {
        const int64_t *items[DPLI_N_NUMBERED];
        size_t n[DPLI_N_NUMBERED];

        for (int t = 0; t < DPLI_N_NUMBERED; t++) {
            items[t] = kept[t].items;
            n[t] = kept[t].n;
        }
        status = dpli_ring_keep_only(s->ring, items, n, last, err);
    }
    if (status == DPL_OK) {
        memcpy(s->keys->former_files, s->keys->files, sizeof s->keys->files);
        s->store.former_file_key = s->keys->former_files;
        derive_keys(s);
        status = dpli_ring_write(s->ring, s->path, err);
    }
    for (int t = 0; t < DPLI_N_NUMBERED; t++)
        free(kept[t].items);
    return status;
}

/* Told before anything is removed where keys could not be. */
static dpl_status want_scrub(dpli_store *store, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    char *folder = dpli_strdup(s->path, err), *slash = folder ? strrchr(folder, '/') : NULL;
    const char *where = ".";
    dpl_status status = DPL_OK;

    if (!folder)
        return DPL_E_MEMORY;
    if (slash) {
        slash[slash == folder] = '\0';
        where = folder;
    }
    if (access(where, W_OK) != 0 || access(s->path, W_OK) != 0)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno,
                                 "keys have to be destroyed, and the key file \"%s\" cannot be "
                                 "written",
                                 s->path);
    free(folder);
    return status == DPL_OK ? s->inner->ops->want_scrub(s->inner, err) : status;
}

static dpl_status wants_scrub(dpli_store *store, bool *wanted, dpl_error *err)
{
    BEHIND;
    return inner->ops->wants_scrub(inner, wanted, err);
}

static dpl_status scrub(dpli_store *store, dpl_error *err)
{
    BEHIND;
    return inner->ops->scrub(inner, err);
}

/* ------------------------------------------------------------------ the operations */

static const dpli_store_ops ops = {
    .close = close_sealed,
    .discard = discard,
    .begin = begin,
    .end = end,
    .generation = generation,
    .touch = touch,
    .count = count,
    .n_persons = n_persons,
    .last_id = last_id,
    .raise_last_id = raise_last_id,
    .setting = setting,
    .set_setting = set_setting,
    .each_setting = each_setting,
    .find_model = find_model,
    .set_model = set_model,
    .change_model = change_model,
    .change_identity = change_identity,
    .has_templates = has_templates,
    .one_person = dpli_sealed_one_person,
    .each_person = dpli_sealed_each_person,
    .each_photo = dpli_sealed_each_photo,
    .each_template = dpli_sealed_each_template,
    .n_vectors = n_vectors,
    .each_vector = dpli_sealed_each_vector,
    .each_alias = dpli_sealed_each_alias,
    .each_refusal = dpli_sealed_each_refusal,
    .each_member = dpli_sealed_each_member,
    .find_person = find_person,
    .add_person = add_person,
    .rename_person = rename_person,
    .drop_if_lonely = drop_if_lonely,
    .drop_lonely = drop_lonely,
    .find_photo = find_photo,
    .add_photo = add_photo,
    .set_photo = set_photo,
    .drop_photo = drop_photo,
    .drop_templates = drop_templates,
    .drop_template = drop_template,
    .add_vector = add_vector,
    .set_vector = set_vector,
    .add_face = add_face,
    .set_face = set_face,
    .add_thumb = add_thumb,
    .add_caption = add_caption,
    .set_owner = set_owner,
    .set_file = set_file,
    .find_alias = find_alias,
    .set_alias = set_alias,
    .add_refusal = add_refusal,
    .drop_refusal = drop_refusal,
    .set_member = set_member,
    .drop_members = drop_members,
    .log_change = log_change,
    .end_log = end_log,
    .last_change = last_change,
    .count_change = count_change,
    .undo = undo,
    .each_touched = each_touched,
    .audit_record = audit_record,
    .set_audit_record = set_audit_record,
    .add_line = add_line,
    .each_line = each_line,
    .faults = faults,
    .destroy_keys = destroy_keys,
    .want_scrub = want_scrub,
    .wants_scrub = wants_scrub,
    .scrub = scrub,
};

bool dpli_store_is_sealed(const dpli_store *store)
{
    return store->ops == &ops;
}

dpli_store *dpli_store_unwrap(dpli_store *store)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_store *inner = s->inner;

    dpli_secret_free(s->keys);
    dpli_ring_free(s->ring);
    free(s->path);
    free(s);
    return inner;
}

/* Its ring is the gallery's, or is about to be. */
static dpl_status check_mark(dpli_store_sealed *s, dpl_error *err)
{
    char *said = NULL, *mark = NULL;
    uint8_t id[DPLI_RING_ID_BYTES];
    dpl_status status = s->inner->ops->setting(s->inner, &said, DPLI_SEALED_SETTING, err);

    /* A note that is none is not this ring's, either. */
    if (status == DPL_OK && said) {
        (void)dpli_sealed_mark_read(id, &s->form, said);
        mark = dpli_sealed_mark(s->ring, s->form, err);
        status = mark ? DPL_OK : DPL_E_MEMORY;
        if (status == DPL_OK && strcmp(mark, said) != 0)
            status =
                dpli_fail(err, DPL_E_GALLERY, "the key in \"%s\" is not that of gallery \"%s\"",
                          s->path, s->store.name);
    }
    free(said);
    free(mark);
    return status;
}

dpl_status dpli_store_sealed_open(dpli_store **out, dpli_store **inner, dpli_ring **ring,
                                  const char *path, bool is_its, dpl_error *err)
{
    dpli_store_sealed *s = dpli_calloc(1, sizeof *s, err);
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!s)
        return DPL_E_MEMORY;
    s->store = **inner;
    s->store.ops = &ops;
    s->inner = *inner;
    s->ring = *ring;
    s->form = dpli_sealed_form_here();
    s->path = dpli_strdup(path, err);
    s->keys = s->path ? dpli_secret_alloc(sizeof *s->keys, err) : NULL;
    if (s->keys) {
        derive_keys(s);
        s->store.file_key = s->keys->files;
        status = is_its ? check_mark(s, err) : DPL_OK;
    }
    if (status != DPL_OK) {
        s->ring = NULL; /* the caller's still */
        dpli_store_unwrap(&s->store);
        return status;
    }
    *out = &s->store;
    *inner = NULL;
    *ring = NULL;
    return DPL_OK;
}
