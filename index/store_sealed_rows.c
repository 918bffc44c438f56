/*
 * store_sealed_rows.c - reading an encrypted gallery: each row that comes from behind is opened and
 * handed on.
 *
 * What does not open is handed on as a row whose sum is wrong, as a damaged one of a gallery that
 * is not encrypted has it: so the rules tell it, and mend it, as they do there. Walks that are in
 * the order of something sealed are gathered first, and what is read while they hand on their rows
 * is of the same instant.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/store_sealed.h"

/* ------------------------------------------------------------------ one row opened */

/* Whether a string is what it is looked for by: else two rows have changed places. */
static bool is_hash(const dpli_store_sealed *s, dpli_sealed_hash kind, const char *kept,
                    const char *string)
{
    char hash[DPLI_HASH_TEXT + 1];

    dpli_sealed_hash_text(hash, s, kind, string);
    return strncmp(hash, kept, DPLI_HASH_TEXT) == 0;
}

static bool is_uri(const dpli_store_sealed *s, const char *kept, const char *uri)
{
    char text[DPLI_URI_TEXT + 1];

    dpli_sealed_uri_text(text, s, uri);
    return strcmp(text, kept) == 0;
}

/* "name" behind the hash that it is looked for by. NULL: it does not open. */
static const char *open_name(uint64_t *sum, dpli_store_sealed *s, dpli_room *room,
                             dpli_sealed_part part, int64_t person_id, const char *kept)
{
    const dpli_sealed_hash hash = part == DPLI_SEALED_ALIAS ? DPLI_HASH_ALIAS : DPLI_HASH_NAME;
    const dpli_sealed_place place = {.part = part, .id = person_id};
    uint8_t key[DPLI_KEY_BYTES];
    const uint8_t *plain = NULL;
    size_t n = 0;

    if (strlen(kept) > DPLI_HASH_TEXT && dpli_sealed_row_key(key, s, DPLI_PERSON_IDS, person_id))
        plain = dpli_opened_text(&n, s, room, key, &place, kept + DPLI_HASH_TEXT);
    dpli_secret_wipe(key, sizeof key);
    if (!plain || n <= sizeof *sum || plain[n - 1] != '\0')
        return NULL;
    if (!is_hash(s, hash, kept, (const char *)plain + sizeof *sum))
        return NULL;
    memcpy(sum, plain, sizeof *sum);
    return (const char *)plain + sizeof *sum;
}

static void open_person(dpli_store_sealed *s, dpli_room *room, dpli_person_record *r)
{
    const char *name = open_name(&r->sum, s, room, DPLI_SEALED_PERSON, r->id, r->name);

    if (!name)
        r->sum = ~dpli_person_sum("?");
    r->name = name ? name : "?";
}

static size_t room_of_photo(const dpli_photo_record *r)
{
    return dpli_opened_text_room(strlen(r->reason)) +
           (r->owner.name ? dpli_opened_text_room(strlen(r->owner.name)) : 0) +
           (r->file.photo_id ? dpli_opened_text_room(strlen(r->file.reason)) : 0) + 256;
}

static void open_file_row(dpli_store_sealed *s, dpli_room *room, dpli_file_record *f,
                          const uint8_t *key)
{
    const dpli_sealed_place place = {.part = DPLI_SEALED_FILE, .id = f->photo_id};
    int64_t numbers[4];
    size_t n = 0;
    const uint8_t *plain = key ? dpli_opened_text(&n, s, room, key, &place, f->reason) : NULL;

    f->reason = "";
    if (!plain || n <= sizeof numbers || plain[n - 1] != '\0') {
        f->sum = ~dpli_file_sum(f);
        return;
    }
    memcpy(numbers, plain, sizeof numbers);
    f->sum = (uint64_t)numbers[0];
    f->file_system = numbers[1];
    f->unreadable_since_unix_s = numbers[2];
    f->status = numbers[3];
    f->reason = (const char *)plain + sizeof numbers;
}

/* Whether it has opened. */
static bool open_photo(dpli_store_sealed *s, dpli_room *room, dpli_photo_record *r)
{
    const dpli_sealed_place place = {.part = DPLI_SEALED_PHOTO, .id = r->id};
    uint8_t key[DPLI_KEY_BYTES];
    const bool has_key = dpli_sealed_row_key(key, s, DPLI_PHOTO_IDS, r->id);
    const dpli_photo_record kept = *r;
    size_t n = 0;
    const uint8_t *plain = has_key ? dpli_opened_text(&n, s, room, key, &place, r->reason) : NULL;
    bool is_good = true;

    if (!plain || !dpli_unpack_photo(r, plain, n) || !is_uri(s, kept.uri, r->uri) ||
        !is_hash(s, DPLI_HASH_CONTENT, kept.sha256, r->sha256) ||
        (kept.meant != NULL) != (r->meant != NULL) ||
        (r->meant && !is_hash(s, DPLI_HASH_MEANT, kept.meant, r->meant))) {
        char *uri = dpli_room_take(room, 64);

        /* A URI of no scheme that a photo has; people see it. */
        snprintf(uri, 64, "%s:photo-%" PRId64, has_key ? "unreadable" : "forgotten", r->id);
        r->uri = uri;
        r->sha256 = r->reason = r->options = "";
        r->meant = NULL;
        r->sum = ~dpli_photo_sum(r);
        is_good = false;
    }
    if (r->file.photo_id)
        open_file_row(s, room, &r->file, has_key ? key : NULL);
    if (r->owner.name)
        open_person(s, room, &r->owner);
    dpli_secret_wipe(key, sizeof key);
    return is_good;
}

static void open_owner(const dpli_store_sealed *s, dpli_owner_record *r)
{
    const int64_t numbers[] = {r->template_id, r->person_id, r->by_hand};
    const bool good = r->sum == dpli_sealed_sum(s, "owner", numbers, 3);

    r->sum = good ? dpli_owner_sum(r) : ~dpli_owner_sum(r);
}

static size_t room_of_vector(const dpli_vector_record *r)
{
    return 2 * r->n_bytes + 128;
}

static void open_vector(dpli_store_sealed *s, dpli_room *room, dpli_vector_record *r,
                        const uint8_t *key)
{
    const dpli_sealed_place place = {
        .part = DPLI_SEALED_VECTOR, .id = r->id, .photo_id = r->photo_id, .other = r->model_id};
    const size_t n_extra = DPLI_SEAL_EXTRA + sizeof r->sum;
    size_t n = 0;
    uint8_t *plain = key ? dpli_opened_bytes(&n, s, room, key, &place, r->bytes, r->n_bytes) : NULL;

    if (!plain || n < sizeof r->sum) {
        const size_t n_plain = r->n_bytes > n_extra ? r->n_bytes - n_extra : 0;

        plain = dpli_room_take(room, n_plain);
        memset(plain, 0, n_plain);
        r->bytes = plain;
        r->n_bytes = n_plain;
        r->sum = ~dpli_vector_sum(r);
        return;
    }
    memcpy(&r->sum, plain, sizeof r->sum);
    r->bytes = plain + sizeof r->sum;
    r->n_bytes = n - sizeof r->sum;
}

static void open_face(dpli_store_sealed *s, dpli_room *room, dpli_template_record *r,
                      const uint8_t *key)
{
    const dpli_sealed_place place = {.part = DPLI_SEALED_FACE, .id = r->vector.id};
    const size_t n_fixed = sizeof r->face_sum + sizeof r->face;
    size_t n = 0;
    const uint8_t *plain = key ? dpli_opened_text(&n, s, room, key, &place, r->weakest) : NULL;

    if (!plain || n <= n_fixed || plain[n - 1] != '\0') {
        r->weakest = "";
        r->face_sum = ~dpli_face_sum(r->vector.id, r->face, r->weakest);
        return;
    }
    memcpy(&r->face_sum, plain, sizeof r->face_sum);
    memcpy(r->face, plain + sizeof r->face_sum, sizeof r->face);
    r->weakest = (const char *)plain + n_fixed;
}

static void open_thumb(dpli_store_sealed *s, dpli_room *room, dpli_template_record *r,
                       const uint8_t *key)
{
    const dpli_sealed_place place = {.part = DPLI_SEALED_THUMB, .id = r->vector.id};
    size_t n = 0;
    const uint8_t *plain =
        key ? dpli_opened_bytes(&n, s, room, key, &place, r->thumb, r->n_thumb) : NULL;

    if (!plain || n < sizeof r->thumb_sum) {
        r->thumb = "";
        r->n_thumb = 0;
        r->thumb_sum = ~dpli_thumb_sum(r->vector.id, r->thumb, 0);
        return;
    }
    memcpy(&r->thumb_sum, plain, sizeof r->thumb_sum);
    r->thumb = plain + sizeof r->thumb_sum;
    r->n_thumb = n - sizeof r->thumb_sum;
}

static void open_caption(dpli_store_sealed *s, dpli_room *room, dpli_template_record *r,
                         const uint8_t *key)
{
    const dpli_sealed_place place = {.part = DPLI_SEALED_CAPTION, .id = r->vector.id};
    size_t n = 0;
    const uint8_t *plain = key ? dpli_opened_text(&n, s, room, key, &place, r->caption) : NULL;
    const char *source = plain ? (const char *)plain + sizeof r->caption_sum : NULL;
    const char *end =
        plain && n > sizeof r->caption_sum ? memchr(source, '\0', n - sizeof r->caption_sum) : NULL;

    if (!end || end + 1 >= (const char *)plain + n || plain[n - 1] != '\0') {
        r->caption = r->caption_source = "";
        r->caption_sum = ~dpli_caption_sum(r->vector.id, "", "");
        return;
    }
    memcpy(&r->caption_sum, plain, sizeof r->caption_sum);
    r->caption_source = source;
    r->caption = end + 1;
}

static size_t room_of_template(const dpli_template_record *r)
{
    return room_of_vector(&r->vector) + room_of_photo(&r->photo) + r->n_thumb + 512 +
           (r->has_face ? dpli_opened_text_room(strlen(r->weakest)) : 0) +
           (r->caption ? dpli_opened_text_room(strlen(r->caption)) : 0) +
           (r->person.name ? dpli_opened_text_room(strlen(r->person.name)) : 0);
}

static void open_template(dpli_store_sealed *s, dpli_room *room, dpli_template_record *r)
{
    uint8_t bytes[DPLI_KEY_BYTES];
    const uint8_t *key =
        dpli_sealed_row_key(bytes, s, DPLI_TEMPLATE_IDS, r->vector.id) ? bytes : NULL;

    open_vector(s, room, &r->vector, key);
    if (r->has_face)
        open_face(s, room, r, key);
    if (r->thumb)
        open_thumb(s, room, r, key);
    if (r->caption)
        open_caption(s, room, r, key);
    if (r->vector.owner.person_id)
        open_owner(s, &r->vector.owner);
    dpli_secret_wipe(bytes, sizeof bytes);
    if (r->person.name)
        open_person(s, room, &r->person);
    (void)open_photo(s, room, &r->photo);
}

/* ------------------------------------------------------------------ walks in the order behind */

typedef struct walk {
    dpli_store_sealed *s;
    dpli_room room;
    void *ctx;
    union {
        dpli_on_person *person;
        dpli_on_photo *photo;
        dpli_on_template *template;
        dpli_on_vector *vector;
        dpli_on_refusal *refusal;
        dpli_on_member *member;
    } fn;
} walk;

static dpl_status walked(walk *w, dpl_status status)
{
    dpli_room_clear(&w->room);
    return status;
}

static dpl_status on_person(void *ctx, const dpli_person_record *row, dpl_error *err)
{
    walk *w = ctx;
    dpli_person_record r = *row;
    dpl_status status =
        dpli_room_begin(&w->room, w->s, dpli_opened_text_room(strlen(r.name)) + 64, err);

    if (status != DPL_OK)
        return status;
    open_person(w->s, &w->room, &r);
    return w->fn.person(w->ctx, &r, err);
}

static dpl_status on_photo(void *ctx, const dpli_photo_record *row, dpl_error *err)
{
    walk *w = ctx;
    dpli_photo_record r = *row;
    dpl_status status = dpli_room_begin(&w->room, w->s, room_of_photo(&r), err);

    if (status != DPL_OK)
        return status;
    (void)open_photo(w->s, &w->room, &r);
    return w->fn.photo(w->ctx, &r, err);
}

static dpl_status on_template(void *ctx, const dpli_template_record *row, dpl_error *err)
{
    walk *w = ctx;
    dpli_template_record r = *row;
    dpl_status status = dpli_room_begin(&w->room, w->s, room_of_template(&r), err);

    if (status != DPL_OK)
        return status;
    open_template(w->s, &w->room, &r);
    return w->fn.template(w->ctx, &r, err);
}

dpl_status dpli_sealed_each_template(dpli_store *store, const dpli_template_query *query,
                                     dpli_on_template *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    walk w = {.s = s, .ctx = ctx, .fn.template = fn};

    return walked(&w, s->inner->ops->each_template(s->inner, query, on_template, &w, err));
}

static dpl_status on_vector(void *ctx, const dpli_vector_record *row, dpl_error *err)
{
    walk *w = ctx;
    dpli_vector_record r = *row;
    dpl_status status = DPL_OK;

    if (r.owner.person_id)
        open_owner(w->s, &r.owner);
    if (r.bytes) {
        uint8_t key[DPLI_KEY_BYTES];
        bool has_key;

        status = dpli_room_begin(&w->room, w->s, room_of_vector(&r), err);
        if (status != DPL_OK)
            return status;
        has_key = dpli_sealed_row_key(key, w->s, DPLI_TEMPLATE_IDS, r.id);
        open_vector(w->s, &w->room, &r, has_key ? key : NULL);
        dpli_secret_wipe(key, sizeof key);
    }
    return w->fn.vector(w->ctx, &r, err);
}

dpl_status dpli_sealed_each_vector(dpli_store *store, int64_t model_id, bool with_bytes,
                                   dpli_on_vector *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    walk w = {.s = s, .ctx = ctx, .fn.vector = fn};

    return walked(&w,
                  s->inner->ops->each_vector(s->inner, model_id, with_bytes, on_vector, &w, err));
}

dpl_status dpli_sealed_one_person(dpli_store *store, int64_t id, dpli_on_person *fn, void *ctx,
                                  dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    walk w = {.s = s, .ctx = ctx, .fn.person = fn};

    return walked(&w, s->inner->ops->one_person(s->inner, id, on_person, &w, err));
}

static dpl_status on_refusal(void *ctx, const dpli_refusal_record *row, dpl_error *err)
{
    const walk *w = ctx;
    dpli_refusal_record r = *row;
    const int64_t numbers[] = {r.template_id, r.person_id, r.other_id};
    const bool good = r.sum == dpli_sealed_sum(w->s, "refusal", numbers, 3);

    r.sum = good ? dpli_refusal_sum(&r) : ~dpli_refusal_sum(&r);
    return w->fn.refusal(w->ctx, &r, err);
}

dpl_status dpli_sealed_each_refusal(dpli_store *store, int64_t template_id, dpli_on_refusal *fn,
                                    void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    walk w = {.s = s, .ctx = ctx, .fn.refusal = fn};

    return walked(&w, s->inner->ops->each_refusal(s->inner, template_id, on_refusal, &w, err));
}

static dpl_status on_member(void *ctx, const dpli_member_record *row, dpl_error *err)
{
    const walk *w = ctx;
    dpli_member_record r = *row;
    const int64_t numbers[] = {r.template_id, r.group_number};
    const bool good = r.sum == dpli_sealed_sum(w->s, "member", numbers, 2);

    r.sum = good ? dpli_member_sum(&r) : ~dpli_member_sum(&r);
    return w->fn.member(w->ctx, &r, err);
}

dpl_status dpli_sealed_each_member(dpli_store *store, dpli_on_member *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    walk w = {.s = s, .ctx = ctx, .fn.member = fn};

    return walked(&w, s->inner->ops->each_member(s->inner, on_member, &w, err));
}

/* ------------------------------------------------------------------ walks by something sealed */

/* A row with its strings in one block; key points into it. */
typedef struct gathered {
    const char *key;
    char *block;
    union {
        dpli_person_record person;
        dpli_photo_record photo;
        dpli_alias_record alias;
    } row;
} gathered;

typedef struct gathering {
    dpli_store_sealed *s;
    dpli_room room;
    gathered *items;
    size_t n, cap;
    bool held;
    const char *folder; /* only photos whose sources begin so, where that can be read; NULL: all */
} gathering;

/* What is read from here on, by this handle, is of one instant, until it is let go of. Within a
   transaction it is so anyway. */
static dpl_status hold(dpli_store_sealed *s, bool *held, dpl_error *err)
{
    dpl_status status = DPL_OK;

    *held = s->n_held > 0 || !s->inner->in_transaction;
    if (*held && s->n_held == 0)
        status = s->inner->ops->begin(s->inner, false, err);
    *held = *held && status == DPL_OK;
    s->n_held += *held;
    return status;
}

/* The status, or why the end of it failed. */
static dpl_status let_go(dpli_store_sealed *s, bool held, dpl_status status, dpl_error *err)
{
    dpl_status ended = DPL_OK;

    if (held && --s->n_held == 0)
        ended = s->inner->ops->end(s->inner, DPL_OK, status == DPL_OK ? err : NULL);
    return status == DPL_OK ? ended : status;
}

static dpl_status gathering_begin(gathering *g, dpli_store_sealed *s, dpl_error *err)
{
    *g = (gathering){.s = s};
    return hold(s, &g->held, err);
}

/* The status, or why it failed to end. */
static dpl_status gathering_end(gathering *g, dpl_status status, dpl_error *err)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->items[i].block);
    free(g->items);
    dpli_room_clear(&g->room);
    return let_go(g->s, g->held, status, err);
}

static gathered *gather(gathering *g, size_t n_block, dpl_error *err)
{
    gathered *items = dpli_grow(g->items, &g->cap, g->n + 1, sizeof *items, err);
    char *block = items ? dpli_alloc(n_block, 1, err) : NULL;

    if (items)
        g->items = items;
    if (!block)
        return NULL;
    items[g->n] = (gathered){.block = block};
    return &items[g->n++];
}

/* A copy of a string at *at, which moves on; NULL stays NULL. */
static const char *put(char **at, const char *string)
{
    const size_t n = string ? strlen(string) + 1 : 0;
    char *to = *at;

    if (!string)
        return NULL;
    memcpy(to, string, n);
    *at += n;
    return to;
}

static size_t length(const char *string)
{
    return string ? strlen(string) + 1 : 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const gathered *)a)->key, ((const gathered *)b)->key);
}

static void put_in_order(gathering *g)
{
    if (g->n > 0)
        qsort(g->items, g->n, sizeof *g->items, by_key);
}

static dpl_status gather_person(void *ctx, const dpli_person_record *row, dpl_error *err)
{
    gathering *g = ctx;
    dpli_person_record r = *row;
    dpl_status status =
        dpli_room_begin(&g->room, g->s, dpli_opened_text_room(strlen(r.name)) + 64, err);
    gathered *to;
    char *at;

    if (status != DPL_OK)
        return status;
    open_person(g->s, &g->room, &r);
    to = gather(g, length(r.name), err);
    if (!to)
        return DPL_E_MEMORY;
    at = to->block;
    r.name = to->key = put(&at, r.name);
    to->row.person = r;
    return DPL_OK;
}

dpl_status dpli_sealed_each_person(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                                   dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    gathering g;
    dpl_status status;

    if (by_id) {
        walk w = {.s = s, .ctx = ctx, .fn.person = fn};

        return walked(&w, s->inner->ops->each_person(s->inner, true, on_person, &w, err));
    }
    status = gathering_begin(&g, s, err);
    if (status == DPL_OK)
        status = s->inner->ops->each_person(s->inner, false, gather_person, &g, err);
    put_in_order(&g);
    for (size_t i = 0; i < g.n && status == DPL_OK; i++)
        status = fn(ctx, &g.items[i].row.person, err);
    return gathering_end(&g, status, err);
}

static dpl_status gather_photo(void *ctx, const dpli_photo_record *row, dpl_error *err)
{
    gathering *g = ctx;
    dpli_photo_record r = *row;
    dpl_status status = dpli_room_begin(&g->room, g->s, room_of_photo(&r), err);
    gathered *to;
    char *at;

    if (status != DPL_OK)
        return status;
    if (open_photo(g->s, &g->room, &r) && g->folder &&
        strncmp(r.uri, g->folder, strlen(g->folder)) != 0)
        return DPL_OK;
    to = gather(g,
                length(r.uri) + length(r.sha256) + length(r.reason) + length(r.options) +
                    length(r.meant) + length(r.owner.name) + length(r.file.reason),
                err);
    if (!to)
        return DPL_E_MEMORY;
    at = to->block;
    r.uri = to->key = put(&at, r.uri);
    r.sha256 = put(&at, r.sha256);
    r.reason = put(&at, r.reason);
    r.options = put(&at, r.options);
    r.meant = put(&at, r.meant);
    r.owner.name = put(&at, r.owner.name);
    r.file.reason = put(&at, r.file.reason);
    to->row.photo = r;
    return DPL_OK;
}

dpl_status dpli_sealed_each_photo(dpli_store *store, const dpli_photo_query *query,
                                  dpli_on_photo *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    dpli_photo_query behind = *query;
    char hash[DPLI_URI_TEXT + 1];
    gathering g;
    bool in_order = false;
    dpl_status status;

    switch (query->by) {
    case DPLI_PHOTO_AT: dpli_sealed_uri_text(hash, s, query->text); break;
    case DPLI_PHOTOS_LIKE: dpli_sealed_hash_text(hash, s, DPLI_HASH_CONTENT, query->text); break;
    case DPLI_PHOTOS_MEANT_FOR:
        dpli_sealed_hash_text(hash, s, DPLI_HASH_MEANT, query->text);
        in_order = true;
        break;
    case DPLI_ALL_PHOTOS:
        behind.by = DPLI_ALL_PHOTOS_BY_ID;
        in_order = true;
        break;
    case DPLI_PHOTOS_UNDER:
        dpli_sealed_folder_text(hash, s, query->text);
        if (!s->form.by_folder)
            behind.by = DPLI_ALL_PHOTOS_BY_ID;
        in_order = true;
        break;
    case DPLI_PHOTOS_OF: in_order = true; break;
    default: break;
    }
    if (query->text)
        behind.text = hash;
    if (!in_order) {
        walk w = {.s = s, .ctx = ctx, .fn.photo = fn};

        return walked(&w, s->inner->ops->each_photo(s->inner, &behind, on_photo, &w, err));
    }
    status = gathering_begin(&g, s, err);
    g.folder = query->by == DPLI_PHOTOS_UNDER ? query->text : NULL;
    if (status == DPL_OK)
        status = s->inner->ops->each_photo(s->inner, &behind, gather_photo, &g, err);
    put_in_order(&g);
    for (size_t i = 0; i < g.n && status == DPL_OK; i++)
        status = fn(ctx, &g.items[i].row.photo, err);
    return gathering_end(&g, status, err);
}

static dpl_status gather_alias(void *ctx, const dpli_alias_record *row, dpl_error *err)
{
    gathering *g = ctx;
    dpli_alias_record r = *row;
    dpl_status status =
        dpli_room_begin(&g->room, g->s, dpli_opened_text_room(strlen(r.name)) + 64, err);
    const char *name;
    gathered *to;
    char *at;

    if (status != DPL_OK)
        return status;
    name = open_name(&r.sum, g->s, &g->room, DPLI_SEALED_ALIAS, r.person_id, r.name);
    r.name = name ? name : "?";
    if (!name)
        r.sum = ~dpli_alias_sum(&r);
    to = gather(g, length(r.name), err);
    if (!to)
        return DPL_E_MEMORY;
    at = to->block;
    r.name = to->key = put(&at, r.name);
    to->row.alias = r;
    return DPL_OK;
}

dpl_status dpli_sealed_each_alias(dpli_store *store, dpli_on_alias *fn, void *ctx, dpl_error *err)
{
    dpli_store_sealed *s = dpli_sealed_of(store);
    gathering g;
    dpl_status status = gathering_begin(&g, s, err);

    if (status == DPL_OK)
        status = s->inner->ops->each_alias(s->inner, gather_alias, &g, err);
    put_in_order(&g);
    for (size_t i = 0; i < g.n && status == DPL_OK; i++)
        status = fn(ctx, &g.items[i].row.alias, err);
    return gathering_end(&g, status, err);
}
