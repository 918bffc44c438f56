/*
 * store_sealed_text.c - one value of an encrypted gallery sealed, and opened again.
 *
 * What is sealed is bound to the gallery (its ring's id), the part of a row, the row's id, and
 * where another row decides what it means, that one's: a value that was moved to another row,
 * column or gallery does not open there.
 */
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/store_sealed.h"

/* ------------------------------------------------------------------ room */

dpl_status dpli_room_begin(dpli_room *room, const dpli_store_sealed *s, size_t n, dpl_error *err)
{
    if (s && s->form.cipher == DPLI_AES && !room->aes && dpli_aes_new(&room->aes, err) != DPL_OK)
        return DPL_E_MEMORY;
    if (n > room->cap) {
        uint8_t *grown;

        free(room->bytes);
        room->bytes = NULL;
        room->cap = 0;
        grown = dpli_alloc(n, 1, err);
        if (!grown)
            return DPL_E_MEMORY;
        room->bytes = grown;
        room->cap = n;
    }
    room->n = 0;
    return DPL_OK;
}

void *dpli_room_take(dpli_room *room, size_t n)
{
    void *at = room->bytes + room->n;

    room->n += (n + 15) / 16 * 16;
    return at;
}

void dpli_room_clear(dpli_room *room)
{
    if (room->bytes)
        dpli_secret_wipe(room->bytes, room->cap);
    free(room->bytes);
    dpli_aes_free(room->aes);
    memset(room, 0, sizeof *room);
}

/* ------------------------------------------------------------------ keys */

bool dpli_sealed_row_key(uint8_t key[DPLI_KEY_BYTES], dpli_store_sealed *s, dpli_numbered table,
                         int64_t id)
{
    return dpli_ring_key(key, s->ring, table, id);
}

/* What a value is bound to, as bytes. */
typedef struct about {
    uint8_t ring[DPLI_RING_ID_BYTES];
    int64_t part, id, photo_id, other;
} about;
_Static_assert(sizeof(about) == DPLI_RING_ID_BYTES + 32, "no padding");

static about about_of(const dpli_store_sealed *s, const dpli_sealed_place *place)
{
    about a = {
        .part = place->part, .id = place->id, .photo_id = place->photo_id, .other = place->other};

    memcpy(a.ring, dpli_ring_told(s->ring)->id, sizeof a.ring);
    return a;
}

/* ------------------------------------------------------------------ values */

dpl_status dpli_sealed_bytes(uint8_t **out, const dpli_store_sealed *s, dpli_room *room,
                             const uint8_t *key, const dpli_sealed_place *place, const void *plain,
                             size_t n, dpl_error *err)
{
    const about a = about_of(s, place);

    *out = dpli_room_take(room, n + DPLI_SEAL_EXTRA);
    if (s->form.cipher != DPLI_AES)
        dpli_seal(*out, key, &a, sizeof a, plain, n);
    else if (!dpli_aes_seal(*out, room->aes, key, &a, sizeof a, plain, n))
        return dpli_fail(err, DPL_E_MEMORY, "%zu bytes could not be sealed", n);
    return DPL_OK;
}

uint8_t *dpli_opened_bytes(size_t *n, const dpli_store_sealed *s, dpli_room *room,
                           const uint8_t *key, const dpli_sealed_place *place, const void *sealed,
                           size_t n_sealed)
{
    const about a = about_of(s, place);
    uint8_t *plain;

    *n = 0;
    if (!sealed || n_sealed < DPLI_SEAL_EXTRA)
        return NULL;
    plain = dpli_room_take(room, n_sealed - DPLI_SEAL_EXTRA + 1);
    if (!(s->form.cipher == DPLI_AES
              ? dpli_aes_unseal(plain, room->aes, key, &a, sizeof a, sealed, n_sealed)
              : dpli_unseal(plain, key, &a, sizeof a, sealed, n_sealed)))
        return NULL;
    *n = n_sealed - DPLI_SEAL_EXTRA;
    plain[*n] = '\0';
    return plain;
}

dpl_status dpli_sealed_text(char **out, const dpli_store_sealed *s, dpli_room *room,
                            const uint8_t *key, const dpli_sealed_place *place, const void *plain,
                            size_t n, dpl_error *err)
{
    uint8_t *sealed;
    const dpl_status status = dpli_sealed_bytes(&sealed, s, room, key, place, plain, n, err);

    if (status != DPL_OK)
        return status;
    *out = dpli_room_take(room, dpli_text_length(n + DPLI_SEAL_EXTRA) + 1);
    dpli_to_text(*out, sealed, n + DPLI_SEAL_EXTRA);
    return DPL_OK;
}

uint8_t *dpli_opened_text(size_t *n, const dpli_store_sealed *s, dpli_room *room,
                          const uint8_t *key, const dpli_sealed_place *place, const char *text)
{
    const size_t n_text = strlen(text);
    uint8_t *sealed = dpli_room_take(room, n_text);
    size_t n_sealed;

    *n = 0;
    if (!dpli_from_text(sealed, &n_sealed, text, n_text))
        return NULL;
    return dpli_opened_bytes(n, s, room, key, place, sealed, n_sealed);
}

/* ------------------------------------------------------------------ hashes and sums */

void dpli_sealed_hash_text(char out[DPLI_HASH_TEXT + 1], const dpli_store_sealed *s,
                           dpli_sealed_hash kind, const char *string)
{
    uint8_t hash[DPLI_HASH_BYTES];

    dpli_secret_hash(hash, s->keys->hashes[kind], string, strlen(string));
    dpli_to_text(out, hash, sizeof hash);
}

/* Sixteen million marks are enough for what lies side by side to be told apart, and where two are
   the same the rows are opened. A URI is no other thing's bytes that are summed by this key. */
static char *put_marks(char *at, const dpli_store_sealed *s, const char *uri)
{
    const char *scheme = strstr(uri, "://"), *slash = scheme ? scheme + 2 : uri;

    for (int i = 0; i < DPLI_N_FOLDER_MARKS; i++) {
        uint64_t sum;

        slash = strchr(slash + 1, '/');
        if (!slash)
            break;
        sum = dpli_secret_sum(s->keys->sums, uri, (size_t)(slash - uri) + 1);
        dpli_to_text(at, (const uint8_t *)&sum, DPLI_FOLDER_MARK / 4 * 3);
        at += DPLI_FOLDER_MARK;
    }
    *at = '\0';
    return at;
}

void dpli_sealed_uri_text(char out[DPLI_URI_TEXT + 1], const dpli_store_sealed *s, const char *uri)
{
    char *at = s->form.by_folder ? put_marks(out, s, uri) : out;

    dpli_sealed_hash_text(at, s, DPLI_HASH_URI, uri);
}

void dpli_sealed_folder_text(char out[DPLI_URI_TEXT + 1], const dpli_store_sealed *s,
                             const char *folder)
{
    put_marks(out, s, folder);
}

uint64_t dpli_sealed_sum(const dpli_store_sealed *s, const char *kind, const int64_t *numbers,
                         size_t n)
{
    int64_t all[8] = {0};
    const size_t n_kind = strlen(kind);

    memcpy(all, kind, n_kind < sizeof all[0] ? n_kind : sizeof all[0]);
    for (size_t i = 0; i < n && i + 1 < sizeof all / sizeof all[0]; i++)
        all[i + 1] = numbers[i];
    return dpli_secret_sum(s->keys->sums, all, sizeof all);
}

/* ------------------------------------------------------------------ a photo's row */

enum { N_PHOTO_NUMBERS = 9, N_PHOTO_STRINGS = 5 };

char *dpli_pack_photo(size_t *n, const dpli_photo_record *row, dpl_error *err)
{
    const int64_t numbers[N_PHOTO_NUMBERS] = {
        (int64_t)row->sum, row->size_bytes, row->mtime_ns,  row->enrolled_unix_s, row->width_px,
        row->height_px,    row->n_faces,    row->person_id, row->meant != NULL};
    const char *const strings[N_PHOTO_STRINGS] = {row->uri, row->sha256, row->reason, row->options,
                                                  row->meant ? row->meant : ""};
    char *packed, *at;

    *n = sizeof numbers;
    for (int i = 0; i < N_PHOTO_STRINGS; i++)
        *n += strlen(strings[i]) + 1;
    packed = dpli_alloc(*n, 1, err);
    if (!packed)
        return NULL;
    memcpy(packed, numbers, sizeof numbers);
    at = packed + sizeof numbers;
    for (int i = 0; i < N_PHOTO_STRINGS; i++) {
        const size_t length = strlen(strings[i]) + 1;

        memcpy(at, strings[i], length);
        at += length;
    }
    return packed;
}

bool dpli_unpack_photo(dpli_photo_record *row, const uint8_t *plain, size_t n)
{
    int64_t numbers[N_PHOTO_NUMBERS];
    const char *strings[N_PHOTO_STRINGS], *at = (const char *)plain + sizeof numbers;
    const char *end = (const char *)plain + n;

    if (n < sizeof numbers)
        return false;
    memcpy(numbers, plain, sizeof numbers);
    for (int i = 0; i < N_PHOTO_STRINGS; i++) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));

        if (!nul)
            return false;
        strings[i] = at;
        at = nul + 1;
    }
    if (at != end || numbers[7] != row->person_id)
        return false;
    row->sum = (uint64_t)numbers[0];
    row->size_bytes = numbers[1];
    row->mtime_ns = numbers[2];
    row->enrolled_unix_s = numbers[3];
    row->width_px = numbers[4];
    row->height_px = numbers[5];
    row->n_faces = numbers[6];
    row->uri = strings[0];
    row->sha256 = strings[1];
    row->reason = strings[2];
    row->options = strings[3];
    row->meant = numbers[8] ? strings[4] : NULL;
    return true;
}
