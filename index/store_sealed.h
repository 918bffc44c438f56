/*
 * The keeper that seals: it stands between the rules and another keeper, and everything that says
 * who somebody is, what they look like or where a photo lies goes through it sealed, and comes out
 * opened. The rules know nothing of it, and the keeper behind it sees texts and bytes that mean
 * nothing.
 *
 * store_sealed.c opens, writes, and destroys keys; store_sealed_rows.c reads; store_sealed_text.c
 * seals one value and opens it. docs/encryption.md says what stays to be seen.
 */
#ifndef DOPPEL_INDEX_STORE_SEALED_H
#define DOPPEL_INDEX_STORE_SEALED_H

#include "base/piece.h"
#include "index/ring.h"
#include "index/store.h"

/* Where the keeper behind has a gallery's ring noted; empty or unset: it is not encrypted. */
#define DPLI_SEALED_SETTING "encrypted"
/* The ring's file where no other is named. */
#define DPLI_SEALED_KEYS "gallery.keys"

/* What a value is of: it opens nowhere else. */
typedef enum dpli_sealed_part {
    DPLI_SEALED_CHECK = 1, /* numbers stay as they are: they are in files */
    DPLI_SEALED_SETTING_VALUE,
    DPLI_SEALED_PERSON,
    DPLI_SEALED_ALIAS,
    DPLI_SEALED_PHOTO,
    DPLI_SEALED_FILE,
    DPLI_SEALED_VECTOR,
    DPLI_SEALED_FACE,
    DPLI_SEALED_THUMB,
    DPLI_SEALED_CAPTION,
    DPLI_SEALED_WORDS,
    DPLI_SEALED_LAST_WORDS
} dpli_sealed_part;

/* What is looked for, each by a hash of its own key. */
typedef enum dpli_sealed_hash {
    DPLI_HASH_NAME,
    DPLI_HASH_ALIAS,
    DPLI_HASH_MEANT,
    DPLI_HASH_URI,
    DPLI_HASH_CONTENT,
    DPLI_N_SEALED_HASHES
} dpli_sealed_hash;
/* Characters; and of what a photo is looked for by: the hash, and before it a mark for each folder
   that it lies in, of so many at most, so that what is in a folder stands together. */
enum {
    DPLI_HASH_TEXT = 43,
    DPLI_FOLDER_MARK = 4,
    DPLI_N_FOLDER_MARKS = 32,
    DPLI_URI_TEXT = DPLI_FOLDER_MARK * DPLI_N_FOLDER_MARKS + DPLI_HASH_TEXT
};

/* How a gallery's values are sealed, as its note says. */
typedef struct dpli_sealed_form {
    dpli_cipher cipher; /* AES, or XChaCha20 */
    bool by_folder;     /* what a photo is looked for by has marks */
} dpli_sealed_form;

/* Made of the ring's; in memory for keys. */
typedef struct dpli_sealed_keys {
    uint8_t base[DPLI_KEY_BYTES], words[DPLI_KEY_BYTES], files[DPLI_KEY_BYTES];
    uint8_t former_files[DPLI_KEY_BYTES]; /* of the epoch before */
    uint8_t sums[DPLI_KEY_BYTES];
    uint8_t hashes[DPLI_N_SEALED_HASHES][DPLI_KEY_BYTES];
} dpli_sealed_keys;

typedef struct dpli_store_sealed {
    dpli_store store; /* first: a store is one of these */
    dpli_store *inner;
    dpli_ring *ring;
    dpli_sealed_keys *keys;
    char *path;                       /* of the ring's file */
    dpli_sealed_form form;
    int64_t next_id[DPLI_N_NUMBERED]; /* within a transaction that writes; 0: not known */
    int n_held;                       /* walks that hold a transaction of their own behind */
    int n_within;                     /* the rules' transactions within those */
} dpli_store_sealed;

static inline dpli_store_sealed *dpli_sealed_of(dpli_store *store)
{
    return (dpli_store_sealed *)(void *)store;
}

/**
 * Stand before a keeper whose gallery is encrypted with this ring.
 *
 * @param inner   *inner and *ring are taken over, and NULL after, unless this fails
 * @param path    of the ring's file
 * @param is_its  the ring has to be the one that the gallery notes; false: it is to become it, and
 *                values are to be sealed as dpli_sealed_form_here says
 * @retval DPL_E_GALLERY  the ring is another gallery's
 */
dpl_status dpli_store_sealed_open(dpli_store **out, dpli_store **inner, dpli_ring **ring,
                                  const char *path, bool is_its, dpl_error *err);
/** Whether a store is one, and what it stands before. */
bool dpli_store_is_sealed(const dpli_store *store);
/** Take the keeper behind out, and free what stands before it. */
dpli_store *dpli_store_unwrap(dpli_store *store);

/** How values are sealed where that is begun on this machine. */
dpli_sealed_form dpli_sealed_form_here(void);
/** What the keeper behind notes of a ring, and of how values are sealed; the caller's. */
char *dpli_sealed_mark(const dpli_ring *ring, dpli_sealed_form form, dpl_error *err);
/** Both out of such a note; false: it is none. */
bool dpli_sealed_mark_read(uint8_t id[DPLI_RING_ID_BYTES], dpli_sealed_form *form,
                           const char *mark);

/* ------------------------------------------------------------------ store_sealed_text.c */

/* Room for one row's opened and sealed values, and what they are opened and sealed by;
   zero-initialise, free with dpli_room_clear. */
typedef struct dpli_room {
    uint8_t *bytes;
    size_t n, cap;
    dpli_aes *aes; /* where values are sealed by it */
} dpli_room;

/** Nothing in it, and room for n bytes, which dpli_room_take then cannot fail for. s NULL: for
 * values that are neither sealed nor opened. */
dpl_status dpli_room_begin(dpli_room *room, const dpli_store_sealed *s, size_t n, dpl_error *err);
void *dpli_room_take(dpli_room *room, size_t n);
void dpli_room_clear(dpli_room *room);

/* Which value: of a part, of a row, and what else it is bound to. */
typedef struct dpli_sealed_place {
    dpli_sealed_part part;
    int64_t id, photo_id, other;
} dpli_sealed_place;

/** Keys of the gallery's own, and of a row; false: destroyed. */
bool dpli_sealed_row_key(uint8_t key[DPLI_KEY_BYTES], dpli_store_sealed *s, dpli_numbered table,
                         int64_t id);

/** Bytes as they are kept: n + DPLI_SEAL_EXTRA, in the room. */
dpl_status dpli_sealed_bytes(uint8_t **out, const dpli_store_sealed *s, dpli_room *room,
                             const uint8_t *key, const dpli_sealed_place *place, const void *plain,
                             size_t n, dpl_error *err);
/** The plain bytes, in the room; NULL: not what was written. */
uint8_t *dpli_opened_bytes(size_t *n, const dpli_store_sealed *s, dpli_room *room,
                           const uint8_t *key, const dpli_sealed_place *place, const void *sealed,
                           size_t n_sealed);
/** The same as text that a column of texts takes; in the room. */
dpl_status dpli_sealed_text(char **out, const dpli_store_sealed *s, dpli_room *room,
                            const uint8_t *key, const dpli_sealed_place *place, const void *plain,
                            size_t n, dpl_error *err);
uint8_t *dpli_opened_text(size_t *n, const dpli_store_sealed *s, dpli_room *room,
                          const uint8_t *key, const dpli_sealed_place *place, const char *text);
/** How much room they take. */
static inline size_t dpli_sealed_text_room(size_t n)
{
    return (n + DPLI_SEAL_EXTRA) * 3 + 64;
}
static inline size_t dpli_opened_text_room(size_t n_text)
{
    return n_text * 2 + 64;
}

/** What a photo is looked for by; and how that of those in a folder and below it begins, and maybe
 * of others, too: folder ends in a slash. */
void dpli_sealed_uri_text(char out[DPLI_URI_TEXT + 1], const dpli_store_sealed *s, const char *uri);
void dpli_sealed_folder_text(char out[DPLI_URI_TEXT + 1], const dpli_store_sealed *s,
                             const char *folder);
/** What another string is looked for by. */
void dpli_sealed_hash_text(char out[DPLI_HASH_TEXT + 1], const dpli_store_sealed *s,
                           dpli_sealed_hash kind, const char *string);
/** Of rows that hold numbers alone: their sum, which only who has the key can make. */
uint64_t dpli_sealed_sum(const dpli_store_sealed *s, const char *kind, const int64_t *numbers,
                         size_t n);

/* Rows as they are sealed. */
char *dpli_pack_photo(size_t *n, const dpli_photo_record *row, dpl_error *err);
bool dpli_unpack_photo(dpli_photo_record *row, const uint8_t *plain, size_t n);

/* ------------------------------------------------------------------ store_sealed_rows.c */

dpl_status dpli_sealed_one_person(dpli_store *store, int64_t id, dpli_on_person *fn, void *ctx,
                                  dpl_error *err);
dpl_status dpli_sealed_each_person(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                                   dpl_error *err);
dpl_status dpli_sealed_each_photo(dpli_store *store, const dpli_photo_query *query,
                                  dpli_on_photo *fn, void *ctx, dpl_error *err);
dpl_status dpli_sealed_each_template(dpli_store *store, const dpli_template_query *query,
                                     dpli_on_template *fn, void *ctx, dpl_error *err);
dpl_status dpli_sealed_each_vector(dpli_store *store, int64_t model_id, bool with_bytes,
                                   dpli_on_vector *fn, void *ctx, dpl_error *err);
dpl_status dpli_sealed_each_alias(dpli_store *store, dpli_on_alias *fn, void *ctx, dpl_error *err);
dpl_status dpli_sealed_each_refusal(dpli_store *store, int64_t template_id, dpli_on_refusal *fn,
                                    void *ctx, dpl_error *err);
dpl_status dpli_sealed_each_member(dpli_store *store, dpli_on_member *fn, void *ctx,
                                   dpl_error *err);

#endif
