/*
 * gallery_kit.c - what the tests of the gallery share.
 */
#include "tests/index/gallery_kit.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "doppel/encryption.h"
#include "index/gallery.h"
#include "index/store_sealed.h"
#include "index/store_sqlite.h"
#include "tests/postgres/postgres_kit.h"

bool kit_is_database(void)
{
    return postgres_kit_is_wanted();
}

bool kit_is_sealed(void)
{
    return getenv("DOPPEL_ENCRYPTED") != NULL;
}

const uint8_t *kit_file_key(const char *dir)
{
    static uint8_t key[DPLI_KEY_BYTES];
    dpl_gallery *gallery;

    if (!kit_is_sealed())
        return NULL;
    gallery = kit_open(dir, DPL_GALLERY_READ);
    memcpy(key, gallery->store->file_key, sizeof key);
    dpl_gallery_close(gallery);
    return key;
}

void kit_needs_folder(void **state)
{
    (void)state;
    skip();
}

/* They are made by whoever asks for that. */
static void make_tables(const char *address)
{
    dpl_gallery_close(kit_open(address, DPL_GALLERY_MIGRATE));
}

char *kit_folder(void)
{
    char *dir;

    if (kit_is_database())
        return postgres_kit_new(make_tables);
    dir = strdup("gallery-XXXXXX");
    assert_non_null(dir);
    assert_non_null(mkdtemp(dir));
    return dir;
}

void kit_drop(char *dir)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;
    char path[1024];

    if (kit_is_database() && !folder) {
        postgres_kit_drop(dir);
        return;
    }
    assert_non_null(folder);
    for (entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        assert_int_equal(unlink(path), 0);
    }
    closedir(folder);
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

char *kit_copy(const char *dir)
{
    struct dirent *entry;
    char *to, from[1024], path[1024];
    DIR *folder;

    if (kit_is_database())
        return postgres_kit_copy(dir);
    to = kit_folder();
    folder = opendir(dir);
    assert_non_null(folder);
    for (entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char *bytes;
        size_t n;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(from, sizeof from, "%s/%s", dir, entry->d_name);
        snprintf(path, sizeof path, "%s/%s", to, entry->d_name);
        bytes = kit_read(from, &n);
        kit_write(path, bytes, n);
        assert_int_equal(chmod(path, 0600), 0);
        free(bytes);
    }
    closedir(folder);
    return to;
}

void kit_beside(char path[512], const char *dir, const char *name)
{
    char *identity;

    if (!kit_is_database()) {
        snprintf(path, 512, "%s/%s", dir, name);
        return;
    }
    identity = postgres_kit_ask(dir, "SELECT identity FROM gallery");
    snprintf(path, 512, "%s/doppel/%s/%s", getenv("XDG_CACHE_HOME"), identity, name);
    free(identity);
}

void kit_expect(dpl_status wanted, dpl_status got, const dpl_error *err)
{
    if (got != wanted)
        print_error("%s where %s is right: %s\n", dpl_status_name(got), dpl_status_name(wanted),
                    got == DPL_OK || !err ? "" : err->message);
    assert_int_equal(got, wanted);
}

dpl_gallery *kit_open(const char *dir, dpl_gallery_mode mode)
{
    dpl_gallery *gallery;
    dpl_error err;

    kit_expect(DPL_OK, dpl_gallery_open(&gallery, dir, mode, &err), &err);
    return gallery;
}

dpli_db *kit_db(dpl_gallery *gallery)
{
    dpli_store *store = gallery->store;

    if (dpli_store_is_sealed(store))
        store = dpli_sealed_of(store)->inner;
    return dpli_sql_of(store)->db;
}

/* Each from in text by to. */
static char *replaced(char *text, const char *from, const char *to)
{
    dpli_buf out = {0};
    const char *rest = text;

    for (const char *at = strstr(rest, from); at; at = strstr(rest, from)) {
        dpli_buf_add(&out, rest, (size_t)(at - rest));
        dpli_buf_add(&out, to, strlen(to));
        rest = at + strlen(from);
    }
    dpli_buf_add(&out, rest, strlen(rest) + 1);
    assert_false(out.failed);
    free(text);
    return out.data;
}

void kit_exec(dpl_gallery *gallery, const char *sql)
{
    char *text = strdup(sql);
    dpl_error err;

    assert_non_null(text);
    if (kit_is_database()) {
        const bool of_vector = strncmp(sql, "UPDATE template SET vector =", 28) == 0;

        text = replaced(text, " x'", " '\\x");
        text = replaced(text, "SELECT vector FROM template", "SELECT bytes FROM embedding");
        text = replaced(text, "UPDATE template SET vector =", "UPDATE embedding SET bytes =");
        if (of_vector)
            text = replaced(text, "WHERE id =", "WHERE template_id =");
    }
    kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), text, &err), &err);
    free(text);
}

static dpl_status tell_fault(void *ctx, const char *what, dpl_error *err)
{
    (void)ctx;
    return dpli_fail(err, DPL_E_GALLERY, "%s", what);
}

void kit_check(dpl_gallery *gallery)
{
    dpli_store *s = gallery->store;
    dpl_error err;

    if (!kit_is_database())
        kit_expect(DPL_OK, dpli_db_check(kit_db(gallery), &err), &err);
    kit_expect(DPL_OK, s->ops->begin(s, false, &err), &err);
    kit_expect(DPL_OK, s->ops->end(s, s->ops->faults(s, tell_fault, NULL, &err), &err), &err);
}

void kit_checkpoint(dpl_gallery *gallery)
{
    dpl_error err;

    if (!kit_is_database())
        kit_expect(DPL_OK, dpli_db_checkpoint(kit_db(gallery), &err), &err);
}

/* With a key that opens without being asked for: all that is tested of a gallery holds of one that
   is encrypted, too. */
void kit_seal(dpl_gallery *gallery)
{
    dpl_key_options key = DPL_KEY_OPTIONS_INIT;
    dpl_error err;
    char path[512];

    if (!kit_is_sealed() || dpli_store_is_sealed(gallery->store))
        return;
    snprintf(path, sizeof path, "%s/gallery.keys", dpl_gallery_folder(gallery));
    key.key_file = path;
    kit_expect(DPL_OK, dpl_gallery_encrypt(gallery, &key, &err), &err);
}

dpl_gallery *kit_new(const char *dir)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_CREATE);
    dpli_binding binding = {"face", KIT_HASH, "kit", "cosine", KIT_DIM, NULL, NULL};
    dpl_error err;

    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &binding, &err), &err);
    binding.space = "image";
    binding.dim = 2 * KIT_DIM;
    kit_expect(DPL_OK, dpli_gallery_bind(gallery, &binding, &err), &err);
    kit_seal(gallery);
    return gallery;
}

/* A JPEG of 8 by 8 grey pixels with a comment of 40 bytes from rng. */
static void make_thumb(uint8_t to[KIT_THUMB], dpli_rng *rng)
{
    static const uint8_t head[] = {0xff, 0xd8, 0xff, 0xfe, 0, 42},
                         rest[] = {
                             0xff, 0xdb, 0x00, 0x43, 0x00, 0x10, 0x0b, 0x0c, 0x0e, 0x0c, 0x0a, 0x10,
                             0x0e, 0x0d, 0x0e, 0x12, 0x11, 0x10, 0x13, 0x18, 0x28, 0x1a, 0x18, 0x16,
                             0x16, 0x18, 0x31, 0x23, 0x25, 0x1d, 0x28, 0x3a, 0x33, 0x3d, 0x3c, 0x39,
                             0x33, 0x38, 0x37, 0x40, 0x48, 0x5c, 0x4e, 0x40, 0x44, 0x57, 0x45, 0x37,
                             0x38, 0x50, 0x6d, 0x51, 0x57, 0x5f, 0x62, 0x67, 0x68, 0x67, 0x3e, 0x4d,
                             0x71, 0x79, 0x70, 0x64, 0x78, 0x5c, 0x65, 0x67, 0x63, 0xff, 0xc0, 0x00,
                             0x0b, 0x08, 0x00, 0x08, 0x00, 0x08, 0x01, 0x01, 0x11, 0x00, 0xff, 0xc4,
                             0x00, 0x14, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                             0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xc4, 0x00, 0x14,
                             0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                             0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01,
                             0x00, 0x00, 0x3f, 0x00, 0x3f, 0xff, 0xd9,
                         };

    _Static_assert(sizeof head + 40 + sizeof rest == KIT_THUMB, "all of it");
    memcpy(to, head, sizeof head);
    for (size_t k = 0; k < 40; k++)
        to[sizeof head + k] = (uint8_t)dpli_rng_u64(rng);
    memcpy(to + sizeof head + 40, rest, sizeof rest);
}

void kit_photo_make(kit_photo *p, uint64_t seed, const char *path, const char *person,
                    size_t n_templates)
{
    dpli_rng rng;

    memset(p, 0, sizeof *p);
    dpli_rng_seed(&rng, seed);
    assert_true(n_templates <= 4);
    snprintf(p->path, sizeof p->path, "%s", path);
    snprintf(p->person, sizeof p->person, "%s", person ? person : "");
    assert_int_equal(dpli_sha256_of(p->sha256, &seed, sizeof seed, NULL), DPL_OK);
    snprintf(p->reason, sizeof p->reason, seed % 3 ? "" : "reason %u", (unsigned)seed);
    p->photo.row = (dpl_photo_row){
        .path = p->path,
        .person = person ? p->person : NULL,
        .sha256 = p->sha256,
        .status = n_templates ? DPL_OK : DPL_E_NO_FACE,
        .reason = p->reason,
        .options = "faces=refuse",
        .size_bytes = (int64_t)dpli_rng_below(&rng, 1 << 24),
        .mtime_ns = (int64_t)dpli_rng_u64(&rng),
        .enrolled_unix_s = 1 + (int64_t)dpli_rng_below(&rng, 1 << 30),
        .width_px = (int32_t)dpli_rng_below(&rng, 10000),
        .height_px = (int32_t)dpli_rng_below(&rng, 10000),
        .n_faces = (int32_t)n_templates,
    };
    p->photo.templates = p->templates;
    p->photo.n_templates = n_templates;
    for (size_t i = 0; i < n_templates; i++) {
        dpl_new_template *t = &p->templates[i];
        int image = seed % 2 == 0 && i + 1 == n_templates;

        t->space = image ? "image" : "face";
        t->dim = image ? 2 * KIT_DIM : KIT_DIM;
        t->vector = p->vectors[i];
        for (int k = 0; k < t->dim; k++)
            p->vectors[i][k] = (float)dpli_rng_normal(&rng);
        make_thumb(p->thumbs[i], &rng);
        t->thumb = p->thumbs[i];
        t->n_thumb = KIT_THUMB;
        if (image)
            continue;
        for (int k = 0; k < DPLI_N_FACE; k++)
            *dpli_face_at(&t->face, k) = (float)dpli_rng_normal(&rng) * 1000;
        strcpy(t->face.quality.weakest, "sharpness");
    }
}

dpl_status kit_put(dpl_gallery *gallery, uint64_t seed, const char *path, const char *person,
                   size_t n_templates, dpl_error *err)
{
    kit_photo p;

    kit_photo_make(&p, seed, path, person, n_templates);
    return dpl_gallery_put(gallery, &p.photo, 1, err);
}

void kit_put_well(dpl_gallery *gallery, uint64_t seed, const char *path, const char *person,
                  size_t n_templates)
{
    dpl_error err = {0};

    kit_expect(DPL_OK, kit_put(gallery, seed, path, person, n_templates, &err), &err);
}

const char *kit_setting(dpl_gallery *gallery, const char *key)
{
    const char *value;
    dpl_error err;

    kit_expect(DPL_OK, dpl_gallery_setting(&value, gallery, key, &err), &err);
    return value;
}

char *kit_read(const char *path, size_t *n)
{
    uint8_t *bytes;
    dpl_error err;

    kit_expect(DPL_OK, dpli_file_read(&bytes, n, path, 1 << 28, &err), &err);
    return (char *)bytes;
}

void kit_write(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

int kit_files_with(const char *dir, const void *bytes, size_t n)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;
    char beside[512], path[1024];
    int n_files = 0;

    if (kit_is_database() && !folder) {
        n_files = postgres_kit_rows_with(dir, bytes, n);
        kit_beside(beside, dir, "");
        folder = opendir(beside);
        if (!folder)
            return n_files;
        dir = beside;
    }
    assert_non_null(folder);
    for (entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat st;
        size_t n_text;
        char *text;

        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        text = kit_read(path, &n_text);
        n_files += memmem(text, n_text, bytes, n) != NULL;
        free(text);
    }
    closedir(folder);
    return n_files;
}

static int is_kept(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && (n < 4 || strcmp(entry->d_name + n - 4, "-shm") != 0);
}

/* Of the names and contents of a folder's files. */
static void digest(char hex[65], const char *dir)
{
    struct dirent **entries;
    const int n = scandir(dir, &entries, is_kept, alphasort);
    dpli_sha256 sum;

    assert_true(n >= 0);
    dpli_sha256_init(&sum);
    for (int i = 0; i < n; i++) {
        char path[1024], *bytes;
        size_t n_bytes;

        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        bytes = kit_read(path, &n_bytes);
        dpli_sha256_add(&sum, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
        dpli_sha256_add(&sum, &n_bytes, sizeof n_bytes);
        dpli_sha256_add(&sum, bytes, n_bytes);
        free(bytes);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(dpli_sha256_hex(&sum, hex, NULL), DPL_OK);
}

char *kit_once(const char *dir, char *(*fn)(const char *dir))
{
    static struct {
        char *(*fn)(const char *dir);
        char sum[65], *said;
    } seen[4096];
    static size_t n;
    char sum[65];

    digest(sum, dir);
    for (size_t i = 0; i < n; i++)
        if (seen[i].fn == fn && strcmp(seen[i].sum, sum) == 0)
            return strdup(seen[i].said);
    char *said = fn(dir);

    if (n < sizeof seen / sizeof *seen) {
        seen[n].fn = fn;
        memcpy(seen[n].sum, sum, sizeof sum);
        seen[n++].said = strdup(said);
    }
    return said;
}

char *kit_dump(dpl_gallery *gallery)
{
    static const char path[] = "dump.jsonl";
    dpl_error err;
    char *text;
    size_t n;

    kit_expect(DPL_OK, dpl_gallery_export(gallery, path, &err), &err);
    text = kit_read(path, &n);
    unlink(path);
    return text;
}

void kit_is_still(dpl_gallery *gallery, char *before)
{
    char *now = kit_dump(gallery);

    assert_string_equal(before, now);
    free(now);
    free(before);
}

void kit_end(dpl_gallery *gallery, char *dir)
{
    dpl_gallery_close(gallery);
    kit_drop(dir);
}
