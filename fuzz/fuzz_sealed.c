/*
 * fuzz_sealed.c - what is read with a key: a key file, a snapshot, an export, and an encrypted
 * gallery's rows. Refused or read, without a crash and without a hang.
 *
 * Nearly every input would end at a seal that does not open. So the target seals it, with the right
 * key: it is what somebody writes who has the key. The first byte says what the rest is:
 *
 *     0  a key file: its head, and what is sealed behind it
 *     1  the plain bytes of a snapshot; 2: the same, and its sum is put right
 *     3  a whole file in a sealed snapshot's place
 *     4  the plain text of an export
 *     5  what is behind the head of a sealed export; 6: a head, and nothing sealed behind it
 *     7  changes to an encrypted gallery's file, as fuzz_gallery.c has them
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "doppel/encryption.h"
#include "fuzz/file.h"
#include "index/ring.h"
#include "index/snapshot.h"
#include "index/vault.h"

enum { N_RING_HEAD = 88, N_EXPORT_HEAD = 64, N_PIECE = 64 << 10, N_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static const uint8_t key[DPLI_KEY_BYTES] = {7, 1, 7}, no_lock[DPLI_KEY_BYTES];

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    return path;
}

/* A folder in that one, and all that is in it. */
static void empty(const char *name)
{
    DIR *dir = opendir(path_of(name));
    const struct dirent *entry = dir ? readdir(dir) : NULL;

    for (; entry; entry = readdir(dir))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path_of(name));
}

static uint8_t *bytes_of(size_t n)
{
    uint8_t *bytes = malloc(n ? n : 1);

    fuzz_require(bytes != NULL);
    return bytes;
}

/* ------------------------------------------------------------------ a key file */

/* One that is read gives a key for each row that has one, forgets, and is read again as it was
 * written. */
static void use_ring(dpli_ring *ring, const char *path)
{
    static const int64_t first = 1;
    const int64_t *ids[DPLI_N_NUMBERED];
    size_t n[DPLI_N_NUMBERED];
    int64_t last[DPLI_N_NUMBERED];
    const dpli_ring_secret none = {NULL, 0};
    uint8_t one[DPLI_KEY_BYTES], other[DPLI_KEY_BYTES];
    dpli_ring *again;
    bool wrong;

    for (int t = 0; t < DPLI_N_NUMBERED; t++) {
        for (int64_t id = 0; id < 3; id++)
            (void)dpli_ring_key(one, ring, (dpli_numbered)t, id);
        (void)dpli_ring_key(one, ring, (dpli_numbered)t, INT64_MAX);
        ids[t] = &first;
        n[t] = 1;
        last[t] = 3;
    }
    fuzz_require(dpli_ring_keep_only(ring, ids, n, last, NULL) == DPL_OK);
    fuzz_require(dpli_ring_write(ring, path, NULL) == DPL_OK);
    fuzz_require(dpli_ring_read(&again, &wrong, path, &none, NULL) == DPL_OK);
    for (int t = 0; t < DPLI_N_NUMBERED; t++) {
        const bool has = dpli_ring_key(one, ring, (dpli_numbered)t, 1);

        fuzz_require(dpli_ring_key(other, again, (dpli_numbered)t, 1) == has);
        fuzz_require(!has || memcmp(one, other, sizeof one) == 0);
        fuzz_require(!dpli_ring_key(one, again, (dpli_numbered)t, 2));
    }
    dpli_ring_free(again);
}

static void try_ring(const uint8_t *data, size_t n_bytes)
{
    const dpli_ring_secret none = {NULL, 0};
    const size_t n_plain = n_bytes < N_RING_HEAD ? 0 : n_bytes - N_RING_HEAD;
    const size_t n = N_RING_HEAD + n_plain + DPLI_SEAL_EXTRA + DPLI_HASH_BYTES;
    uint8_t *file = bytes_of(n);
    dpl_error err = {DPL_OK, ""};
    dpli_ring_head head;
    dpli_ring *ring;
    const char *path;
    bool wrong;

    memset(file, 0, n);
    memcpy(file, data, n_bytes < N_RING_HEAD ? n_bytes : N_RING_HEAD);
    dpli_seal(file + N_RING_HEAD, no_lock, file, N_RING_HEAD, data + n_bytes - n_plain, n_plain);
    dpli_secret_hash(file + n - DPLI_HASH_BYTES, NULL, file, n - DPLI_HASH_BYTES);
    path = fuzz_file("keys", file, n);
    fuzz_require(chmod(path, 0600) == 0);
    (void)dpli_ring_peek(&head, path, &err);
    if (dpli_ring_read(&ring, &wrong, path, &none, &err) == DPL_OK)
        use_ring(ring, path);
    else
        fuzz_require(err.message[0] != '\0');
    dpli_ring_free(ring);
    free(file);
}

/* ------------------------------------------------------------------ a snapshot */

static void read_snapshot(const char *path)
{
    dpl_error err = {DPL_OK, ""};
    dpli_index index = {0};
    uint64_t n;

    if (dpli_snapshot_read(&index, path, key, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0');
    } else {
        for (size_t i = 1; i < index.n; i++)
            fuzz_require(index.ids[i] > index.ids[i - 1]);
        (void)dpli_rows_check(&index.vectors, &err);
    }
    dpli_index_clear(&index);
    if (dpli_snapshot_peek(&index, &n, path, key, &err) == DPL_OK)
        dpli_index_clear(&index);
}

static void try_snapshot(const uint8_t *data, size_t n_bytes, bool with_sum)
{
    const char *path = fuzz_file("plain", data, n_bytes);
    dpli_vault *vault;
    uint8_t *bytes;
    size_t n;

    if (with_sum)
        (void)dpli_snapshot_seal(path, NULL);
    fuzz_require(dpli_file_read(&bytes, &n, path, N_MAX, NULL) == DPL_OK);
    fuzz_require(dpli_vault_make(&vault, path_of("vault"), key, NULL) == DPL_OK);
    fuzz_require(dpli_vault_put(vault, bytes, n) && dpli_vault_finish(vault));
    dpli_vault_close(vault);
    free(bytes);
    read_snapshot(path_of("vault"));
}

static void try_vault(const uint8_t *data, size_t n_bytes)
{
    const char *path = fuzz_file("vault", data, n_bytes);
    dpli_vault *vault;

    if (dpli_vault_open(&vault, path, key, NULL) == DPL_OK) {
        const size_t n = (size_t)dpli_vault_bytes(vault);
        uint8_t *bytes;

        fuzz_require(n <= n_bytes);
        bytes = bytes_of(n);
        (void)dpli_vault_read(vault, bytes, n, 0, NULL);
        (void)dpli_vault_read(vault, bytes, n - n / 2, n / 2, NULL);
        fuzz_require(dpli_vault_read(vault, bytes, n, 1, NULL) != DPL_OK || n == 0);
        free(bytes);
        dpli_vault_close(vault);
    }
    read_snapshot(path);
}

/* ------------------------------------------------------------------ an export */

static dpl_gallery *imported;

static void end_import(void)
{
    dpl_gallery_close(imported);
    empty("imported");
}

static void import(const char *path)
{
    dpl_key_options secret = DPL_KEY_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};
    int64_t n_photos, n_templates;

    if (!imported) {
        fuzz_require(dpl_gallery_open(&imported, path_of("imported"), DPL_GALLERY_CREATE, NULL) ==
                     DPL_OK);
        atexit(end_import);
        dpl_gallery_rehearse(imported, true);
    }
    secret.secret = "x";
    secret.n_secret = 1;
    if (dpl_gallery_import_sealed(imported, path, &secret, &n_photos, &n_templates, &err) != DPL_OK)
        fuzz_require(err.message[0] != '\0');
}

/* The least that a head may ask of whoever opens it: the rest would be spent on the passphrase. */
static void export_head(uint8_t head[N_EXPORT_HEAD])
{
    const uint64_t memory = 8 << 20;
    const uint32_t passes = 1;

    memset(head, 0, N_EXPORT_HEAD);
    memcpy(head, "doppelex", 8);
    memcpy(head + 24, &memory, sizeof memory);
    memcpy(head + 32, &passes, sizeof passes);
}

static void try_export(const uint8_t *data, size_t n_bytes)
{
    static uint8_t lock[DPLI_KEY_BYTES];
    static bool has_lock;
    const size_t n_pieces = 1 + (n_bytes ? (n_bytes - 1) / N_PIECE : 0);
    const size_t n = N_EXPORT_HEAD + n_bytes + n_pieces * DPLI_STREAM_EXTRA;
    uint8_t *file = bytes_of(n), *to = file + N_EXPORT_HEAD;
    dpli_stream *stream;

    export_head(file);
    if (!has_lock)
        fuzz_require(dpli_secret_stretch(lock, "x", 1, file + 8, 1, 8 << 20, NULL) == DPL_OK);
    has_lock = true;
    fuzz_require(dpli_stream_seal_from(&stream, file + N_EXPORT_HEAD - DPLI_STREAM_HEAD, lock,
                                       NULL) == DPL_OK);
    for (size_t i = 0; i < n_pieces; i++) {
        const size_t left = n_bytes - i * N_PIECE, now = left < N_PIECE ? left : N_PIECE;

        dpli_stream_seal(to, stream, data + i * N_PIECE, now, i + 1 == n_pieces);
        to += now + DPLI_STREAM_EXTRA;
    }
    dpli_secret_free(stream);
    import(fuzz_file("export", file, n));
    free(file);
}

static void try_behind(const uint8_t *data, size_t n_bytes, bool with_head)
{
    const size_t n_head = with_head ? N_EXPORT_HEAD : 0, n = n_head + n_bytes;
    uint8_t *file = bytes_of(n);
    uint64_t memory;
    uint32_t passes;

    if (with_head)
        export_head(file);
    memcpy(file + n_head, data, n_bytes);
    /* What a head may ask for takes minutes; that it is no more is asked by test_encryption. */
    if (n >= N_EXPORT_HEAD) {
        memcpy(&memory, file + 24, sizeof memory);
        memcpy(&passes, file + 32, sizeof passes);
        if (memory <= (uint64_t)2 << 30 && memory > 8 << 20 && passes <= 64)
            memset(file + 24, 0, 8);
        if (passes > 1 && passes <= 64)
            memset(file + 32, 0, 4);
    }
    import(fuzz_file("export", file, n));
    free(file);
}

/* ------------------------------------------------------------------ an encrypted gallery */

static uint8_t *whole, *keys;
static size_t n_whole, n_keys;

static dpl_key_options key_file(void)
{
    static char path[128];
    dpl_key_options o = DPL_KEY_OPTIONS_INIT;

    snprintf(path, sizeof path, "%s/keys", fuzz_folder());
    o.key_file = path;
    return o;
}

static void make_whole(void)
{
    dpl_key_options o = key_file();
    dpl_gallery *gallery;
    int64_t n_photos, n_templates;

    fuzz_require(dpl_gallery_open(&gallery, path_of("sealed"), DPL_GALLERY_CREATE, NULL) == DPL_OK);
    fuzz_require(dpl_gallery_import(gallery, DPL_SOURCE_DIR "/fuzz/corpus/fuzz_import/small.jsonl",
                                    &n_photos, &n_templates, NULL) == DPL_OK);
    fuzz_require(n_photos > 0);
    unlink(o.key_file);
    fuzz_require(dpl_gallery_encrypt(gallery, &o, NULL) == DPL_OK);
    dpl_gallery_close(gallery);
    fuzz_require(dpli_file_read(&whole, &n_whole, path_of("sealed/gallery.db"), N_MAX << 4, NULL) ==
                 DPL_OK);
    fuzz_require(dpli_file_read(&keys, &n_keys, path_of("keys"), N_MAX, NULL) == DPL_OK);
    empty("sealed");
}

static dpl_status see_person(void *ctx, const dpl_person *row)
{
    if (row->name && !((char *)ctx)[0])
        snprintf(ctx, 256, "%s", row->name);
    return DPL_OK;
}

static dpl_status see_photo(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    fuzz_require(row->path != NULL && row->sha256 != NULL);
    return DPL_OK;
}

static dpl_status see_template(void *ctx, const dpl_template_row *row)
{
    (void)ctx;
    for (int32_t i = 0; i < row->dim; i++)
        fuzz_require(isfinite(row->vector[i]));
    return DPL_OK;
}

static void use_gallery(dpl_gallery *gallery, bool write)
{
    char person[256] = "";
    dpl_gallery_counts counts;
    dpl_forget_report report;

    dpl_gallery_count(&counts, gallery, NULL);
    dpl_gallery_each_person(gallery, see_person, person, NULL);
    dpl_gallery_each_photo(gallery, NULL, see_photo, NULL, NULL);
    dpl_gallery_each_template(gallery, NULL, "face", see_template, NULL, NULL);
    dpl_gallery_export(gallery, fuzz_file("export", "", 0), NULL);
    if (!write)
        return;
    if (person[0] && dpl_gallery_rename(gallery, person, "Somebody Else", NULL) == DPL_OK)
        dpl_gallery_forget(&report, gallery, "Somebody Else", NULL, 0, 0, NULL);
    dpl_gallery_decrypt(gallery, NULL);
}

static void try_gallery(const uint8_t *data, size_t n_bytes)
{
    const dpl_key_options o = key_file();
    uint8_t *bytes;
    size_t n;

    if (!whole)
        make_whole();
    n = n_whole;
    bytes = bytes_of(n_whole);
    memcpy(bytes, whole, n_whole);
    for (size_t i = 0; i + 3 <= n_bytes; i += 3) {
        const size_t at = (size_t)(data[i] << 8 | data[i + 1]) * 4 % n_whole;

        if (i == 0 && data[0] == 0xFF)
            n = at;
        else
            bytes[at + i % 4] = data[i + 2];
    }
    for (int write = 0; write < 2; write++) {
        dpl_error err = {DPL_OK, ""};
        dpl_gallery *gallery;

        fuzz_require(mkdir(path_of("sealed"), 0700) == 0);
        fuzz_file("sealed/gallery.db", bytes, n);
        fuzz_require(chmod(fuzz_file("keys", keys, n_keys), 0600) == 0);
        if (dpl_gallery_open_with_key(&gallery, path_of("sealed"),
                                      write ? DPL_GALLERY_WRITE : DPL_GALLERY_READ, &o,
                                      &err) == DPL_OK)
            use_gallery(gallery, write);
        else
            fuzz_require(err.message[0] != '\0');
        dpl_gallery_close(gallery);
        empty("sealed");
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 1 || n_bytes > N_MAX)
        return 0;
    fuzz_require(dpli_secret_start(NULL) == DPL_OK);
    switch (data[0]) {
    case 0: try_ring(data + 1, n_bytes - 1); break;
    case 1:
    case 2: try_snapshot(data + 1, n_bytes - 1, data[0] == 2); break;
    case 3: try_vault(data + 1, n_bytes - 1); break;
    case 4: try_export(data + 1, n_bytes - 1); break;
    case 5:
    case 6: try_behind(data + 1, n_bytes - 1, data[0] == 5); break;
    case 7: try_gallery(data + 1, n_bytes - 1); break;
    default: break;
    }
    return 0;
}
