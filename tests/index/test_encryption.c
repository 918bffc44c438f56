/*
 * test_encryption.c - a gallery that is encrypted: the same to who has the key, nothing to who has
 * not, whoever is killed, whatever is moved or changed; and what forgetting does to old copies.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/piece.h"
#include "base/rng.h"
#include "doppel/audit.h"
#include "doppel/encryption.h"
#include "index/gallery.h"
#include "index/ring.h"
#include "index/sealed_export.h"
#include "index/store_sealed.h"
#include "index/vault.h"
#include "tests/index/gallery_kit.h"

static dpl_error err;

/* Rows of every kind. */
static void fill(dpl_gallery *gallery)
{
    dpl_new_photo refused = {.row = {.path = "/photos/refused face.jpg",
                                     .sha256 = "",
                                     .meant = "somebody meant",
                                     .status = DPL_E_NO_FACE,
                                     .reason = "there is no face in it",
                                     .options = "faces=one",
                                     .enrolled_unix_s = 1700000001,
                                     .file_system = 77,
                                     .unreadable_since_unix_s = 1700000000,
                                     .unreadable_status = DPL_E_INPUT,
                                     .unreadable_reason = "cannot be opened by anybody"}};

    kit_put_well(gallery, 1, "/photos/secret folder/one.jpg", "Anna Secretmann", 3);
    kit_put_well(gallery, 2, "/photos/secret folder/two.jpg", "Bob Hiddenburg", 4);
    kit_put_well(gallery, 3, "/photos/secret folder/three.jpg", NULL, 2);
    kit_put_well(gallery, 4, "/photos/secret folder/four.jpg", "Anna Secretmann", 1);
    kit_expect(DPL_OK, dpl_gallery_put(gallery, &refused, 1, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_rename(gallery, "Bob Hiddenburg", "Robert Hiddenburg", &err),
               &err);
    kit_expect(DPL_OK, dpl_gallery_reject(gallery, 8, "Anna Secretmann", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_remember(gallery, "note", "/home/anna/private model", &err),
               &err);
}

/* Numbers of files in the folder with a byte of what fill has put in. */
static int n_plain(const char *dir)
{
    static const char *const words[] = {"Secretmann",    "Hiddenburg", "secret%20folder",
                                        "secret folder", "four.jpg",   "somebody meant",
                                        "no face in it", "by anybody", "private model"};
    int n = 0;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        n += kit_files_with(dir, words[i], strlen(words[i]));
    for (uint64_t seed = 1; seed <= 4; seed++) {
        kit_photo p;

        kit_photo_make(&p, seed, "/", NULL, 4);
        for (int t = 0; t < 4; t++) {
            n += kit_files_with(dir, p.vectors[t], KIT_DIM * sizeof(float));
            n += kit_files_with(dir, p.thumbs[t] + 6, 40);
        }
        n += kit_files_with(dir, p.sha256, 64);
    }
    return n;
}

static dpl_key_options file_key(const char *path)
{
    dpl_key_options key = DPL_KEY_OPTIONS_INIT;

    key.key_file = path;
    return key;
}

static dpl_key_options secret_key(const char *secret)
{
    dpl_key_options key = DPL_KEY_OPTIONS_INIT;

    key.secret = secret;
    key.n_secret = strlen(secret);
    return key;
}

static dpl_gallery *open_by(const char *dir, dpl_gallery_mode mode, const dpl_key_options *key)
{
    dpl_gallery *gallery = NULL;

    kit_expect(DPL_OK, dpl_gallery_open_with_key(&gallery, dir, mode, key, &err), &err);
    return gallery;
}

static void refused(const char *dir, const dpl_key_options *key, const char *why)
{
    dpl_gallery *gallery = NULL;

    kit_expect(DPL_E_GALLERY, dpl_gallery_open_with_key(&gallery, dir, DPL_GALLERY_READ, key, &err),
               &err);
    assert_null(gallery);
    if (!strstr(err.message, why))
        print_error("\"%s\" is not in: %s\n", why, err.message);
    assert_non_null(strstr(err.message, why));
}

static void copy_folder(const char *from, const char *to)
{
    char command[512];

    snprintf(command, sizeof command, "cp -a %s %s", from, to);
    assert_int_equal(system(command), 0);
}

static void remove_folder(const char *dir)
{
    char command[512];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* A gallery with rows of every kind, encrypted by a key file beside it. */
typedef struct fixture {
    char *dir, key_path[64], other_path[64];
    dpl_key_options key, other;
    dpl_gallery *gallery;
    char *plain; /* its dump before */
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->dir = kit_folder();
    snprintf(f->key_path, sizeof f->key_path, "%s.key", f->dir);
    snprintf(f->other_path, sizeof f->other_path, "%s.other", f->dir);
    f->key = file_key(f->key_path);
    f->other = file_key(f->other_path);
    f->gallery = kit_new(f->dir);
    fill(f->gallery);
    f->plain = kit_dump(f->gallery);
    kit_expect(DPL_OK, dpl_gallery_encrypt(f->gallery, &f->key, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    dpl_gallery_close(f->gallery);
    kit_drop(f->dir);
    unlink(f->key_path);
    unlink(f->other_path);
    free(f->plain);
    free(f);
    return 0;
}

static void reopen(fixture *f, const dpl_key_options *key)
{
    dpl_gallery_close(f->gallery);
    f->gallery = open_by(f->dir, DPL_GALLERY_WRITE, key);
}

static void is_as_before(const fixture *f)
{
    char *now = kit_dump(f->gallery);

    assert_string_equal(now, f->plain);
    free(now);
}

/* As on a processor without instructions for AES, until with_aes gets what this gave. */
static char *without_aes(void)
{
    const char *word = getenv("DOPPEL_CPU");
    char *kept = word ? strdup(word) : NULL;

    setenv("DOPPEL_CPU", "baseline", 1);
    assert_int_equal(dpli_cipher_here(), DPLI_CHACHA20);
    return kept;
}

static void with_aes(char *kept)
{
    if (kept)
        setenv("DOPPEL_CPU", kept, 1);
    else
        unsetenv("DOPPEL_CPU");
    free(kept);
}

/* ------------------------------------------------------------------ the same to who has the key */

static void it_is_the_same_encrypted_rekeyed_and_decrypted(void **state)
{
    fixture *f = *state;
    const dpl_key_options secret = secret_key("correct horse");
    dpl_encryption told;

    is_as_before(f);
    dpl_gallery_encryption(&told, f->gallery);
    assert_true(told.is_encrypted);
    assert_false(told.has_secret);
    assert_string_equal(told.key_file, f->key_path);
    reopen(f, &f->key);
    is_as_before(f);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
    is_as_before(f);
    reopen(f, &f->other);
    is_as_before(f);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
    reopen(f, &f->other);
    is_as_before(f);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &secret, &err), &err);
    reopen(f, &secret);
    is_as_before(f);
    dpl_gallery_encryption(&told, f->gallery);
    assert_true(told.has_secret);
    kit_expect(DPL_OK, dpl_gallery_decrypt(f->gallery, &err), &err);
    is_as_before(f);
    reopen(f, NULL);
    is_as_before(f);
    dpl_gallery_encryption(&told, f->gallery);
    assert_false(told.is_encrypted);
    assert_int_equal(kit_files_with(f->dir, "doppel", 0) > 0, 1);
}

static void what_is_changed_then_is_the_same_as_in_a_plain_one(void **state)
{
    fixture *f = *state;
    dpl_gallery *plain;
    char *dir = kit_folder(), *a, *b;

    plain = kit_new(dir);
    fill(plain);
    for (int i = 0; i < 2; i++) {
        dpl_gallery *g = i ? plain : f->gallery;
        dpl_merge_report report;

        kit_put_well(g, 9, "/photos/secret folder/two.jpg", "Carl", 2);
        kit_expect(DPL_OK, dpl_gallery_move_photo(g, 3, "/photos/moved.jpg", 5, &err), &err);
        kit_expect(DPL_OK, dpl_gallery_assign(g, 2, "Dora", &err), &err);
        kit_expect(DPL_OK, dpl_gallery_merge(&report, g, "Carl", "Anna Secretmann", &err), &err);
        kit_expect(DPL_OK, dpl_gallery_undo(g, &err), &err);
        kit_expect(DPL_OK, dpl_gallery_set_apart(g, "Carl", "Anna Secretmann", &err), &err);
    }
    a = kit_dump(f->gallery);
    b = kit_dump(plain);
    assert_string_equal(a, b);
    free(a);
    free(b);
    kit_end(plain, dir);
}

static dpl_status name_of_change(void *ctx, const dpl_change *change)
{
    snprintf(ctx, 128, "%s", change->what);
    return DPL_OK;
}

static void it_is_a_change_that_is_final(void **state)
{
    fixture *f = *state;
    char what[128];

    kit_expect(DPL_OK, dpl_gallery_last_change(f->gallery, name_of_change, what, &err), &err);
    assert_string_equal(what, "encrypt");
    kit_expect(DPL_E_NOT_FOUND, dpl_gallery_undo(f->gallery, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_rename(f->gallery, "Anna Secretmann", "Ann", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_last_change(f->gallery, name_of_change, what, &err), &err);
    assert_non_null(strstr(what, "Anna Secretmann"));
    assert_int_equal(kit_files_with(f->dir, "Anna Secretmann", 15), 0);
    kit_expect(DPL_OK, dpl_gallery_undo(f->gallery, &err), &err);
    is_as_before(f);
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_encrypt(f->gallery, &f->other, &err), &err);
}

/* Or by an older doppel: by the other cipher, which it keeps until it gets another key. */
static void one_encrypted_without_aes_is_the_same_everywhere(void **state)
{
    fixture *f = *state;
    const dpli_cipher here = dpli_cipher_here();
    char *word = without_aes();

    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
    is_as_before(f);
    with_aes(word);
    for (int i = 0; i < 2; i++) {
        reopen(f, &f->other);
        assert_int_equal(dpli_sealed_of(f->gallery->store)->form.cipher, DPLI_CHACHA20);
        is_as_before(f);
        kit_expect(DPL_OK, dpl_gallery_rename(f->gallery, "Anna Secretmann", "Ann", &err), &err);
        reopen(f, &f->other);
        kit_expect(DPL_OK, dpl_gallery_undo(f->gallery, &err), &err);
    }
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->key, &err), &err);
    reopen(f, &f->key);
    assert_int_equal(dpli_sealed_of(f->gallery->store)->form.cipher, here);
    is_as_before(f);
    word = without_aes();
    reopen(f, &f->key);
    assert_int_equal(dpli_sealed_of(f->gallery->store)->form.cipher, here);
    is_as_before(f);
    with_aes(word);
}

static dpl_status count_photo(void *ctx, const dpl_photo_row *row)
{
    (void)row;
    ++*(int *)ctx;
    return DPL_OK;
}

static int n_under(dpl_gallery *gallery, const char *folder)
{
    int n = 0;

    kit_expect(DPL_OK, dpli_photos_under(gallery, folder, count_photo, &n, &err), &err);
    return n;
}

/* The gallery as a doppel has encrypted it that did not look for photos by their folders. */
static void take_marks_away(fixture *f)
{
    dpli_store_sealed *s = dpli_sealed_of(f->gallery->store);
    dpli_store *behind = s->inner;
    char *mark;

    s->form.by_folder = false;
    mark = dpli_sealed_mark(s->ring, s->form, &err);
    kit_expect(DPL_OK, behind->ops->begin(behind, true, &err), &err);
    kit_expect(DPL_OK, behind->ops->set_setting(behind, DPLI_SEALED_SETTING, mark, &err), &err);
    kit_expect(DPL_OK, behind->ops->end(behind, DPL_OK, &err), &err);
    kit_exec(f->gallery, "UPDATE photo SET uri = substr(uri, -43)");
    free(mark);
    reopen(f, &f->key);
}

static void one_encrypted_without_marks_of_folders_is_the_same(void **state)
{
    fixture *f = *state;
    int found = 0;

    assert_true(dpli_sealed_of(f->gallery->store)->form.by_folder);
    assert_int_equal(n_under(f->gallery, "/photos/secret folder"), 4);
    take_marks_away(f);
    for (int i = 0; i < 2; i++) {
        assert_true(dpli_sealed_of(f->gallery->store)->form.by_folder == (i == 1));
        if (i == 0)
            is_as_before(f);
        assert_int_equal(n_under(f->gallery, "/photos"), 5);
        assert_int_equal(n_under(f->gallery, "/photos/secret folder"), 4);
        assert_int_equal(n_under(f->gallery, "/photos/secret"), 0);
        kit_expect(DPL_OK,
                   dpl_gallery_find_photo(f->gallery, "/photos/secret folder/two.jpg", NULL,
                                          count_photo, &found, &found, &err),
                   &err);
        assert_int_equal(found, 1);
        kit_put_well(f->gallery, 9, "/photos/secret folder/two.jpg", "Carl", 2);
        assert_int_equal(n_under(f->gallery, "/photos/secret folder"), 4);
        kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
        reopen(f, &f->other);
    }
}

static void another_handle_needs_no_key(void **state)
{
    fixture *f = *state;
    dpl_gallery *reader = NULL;
    char *dump;

    kit_expect(DPL_OK, dpl_gallery_open_again(&reader, f->gallery, &err), &err);
    dump = kit_dump(reader);
    assert_string_equal(dump, f->plain);
    free(dump);
    dpl_gallery_close(reader);
}

/* ------------------------------------------------------------------ an index's file */

/* The file is there, of the gallery as it is, and sealed as that is. */
static void has_index(const dpl_gallery *gallery, const char *dir, size_t n)
{
    dpli_store *s = gallery->store;
    char path[512], identity[DPLI_IDENTITY];
    dpli_index index = {0};
    int64_t generation;
    uint64_t n_bytes;

    snprintf(path, sizeof path, "%s/face.faiss", dir);
    kit_expect(DPL_OK, s->ops->generation(s, &generation, identity, &err), &err);
    kit_expect(DPL_OK, dpli_snapshot_peek(&index, &n_bytes, path, s->file_key, &err), &err);
    assert_int_equal(index.generation, generation);
    assert_string_equal(index.identity, identity);
    assert_int_equal(index.n, n);
    kit_expect(DPL_OK, dpli_snapshot_read(&index, path, s->file_key, &err), &err);
    dpli_index_clear(&index);
}

static void after_a_change_of_much_the_next_search_finds_an_index(void **state)
{
    enum { N = 4200, AT_ONCE = 200 };
    static kit_photo photos[AT_ONCE];
    static dpl_new_photo put[AT_ONCE];
    fixture *f = *state;
    char *dir = kit_folder(), key_path[64];
    dpl_key_options key;
    dpl_gallery *other;
    int64_t n_photos, n_templates;
    size_t n_faces;

    snprintf(key_path, sizeof key_path, "%s.key", dir);
    key = file_key(key_path);
    for (int i = 0; i < N; i += AT_ONCE) {
        for (int k = 0; k < AT_ONCE; k++) {
            char path[32];

            snprintf(path, sizeof path, "/many/%d.jpg", i + k);
            kit_photo_make(&photos[k], (uint64_t)(2 * (i + k) + 101), path, "Many", 1);
            put[k] = photos[k].photo;
        }
        kit_expect(DPL_OK, dpl_gallery_put(f->gallery, put, AT_ONCE, &err), &err);
    }
    kit_expect(DPL_OK, dpl_gallery_export(f->gallery, "many.jsonl", &err), &err);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
    dpl_gallery_counts counts;
    kit_expect(DPL_OK, dpl_gallery_count(&counts, f->gallery, &err), &err);
    n_faces = (size_t)counts.n_templates_face;
    assert_true(n_faces > N);
    has_index(f->gallery, f->dir, n_faces);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->key, &err), &err);
    has_index(f->gallery, f->dir, n_faces);

    other = kit_new(dir);
    kit_expect(DPL_OK, dpl_gallery_encrypt(other, &key, &err), &err);
    kit_expect(DPL_OK, dpl_gallery_import(other, "many.jsonl", &n_photos, &n_templates, &err),
               &err);
    assert_int_equal(n_photos, N + 5);
    has_index(other, dir, n_faces);
    kit_end(other, dir);
    unlink(key_path);
    unlink("many.jsonl");
}

/* ------------------------------------------------------------------ nothing to who has not */

static void no_file_has_a_plain_byte(void **state)
{
    fixture *f = *state;
    char *dir = kit_folder();
    dpl_gallery *plain = kit_new(dir);

    /* The search finds what is there. */
    fill(plain);
    assert_true(n_plain(dir) > 30);
    kit_end(plain, dir);
    assert_int_equal(n_plain(f->dir), 0);
    kit_put_well(f->gallery, 2, "/photos/secret folder/two.jpg", "Anna Secretmann", 3);
    assert_int_equal(n_plain(f->dir), 0);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
    assert_int_equal(n_plain(f->dir), 0);
    reopen(f, &f->other);
    assert_int_equal(n_plain(f->dir), 0);
}

/* A writer in a process of its own is killed while a transaction of it is under way: some are done.
 */
static void no_file_has_one_after_a_kill(void **state)
{
    fixture *f = *state;

    dpl_gallery_close(f->gallery);
    for (int i = 0; i < 6; i++) {
        int ends[2], status;
        char byte;
        pid_t pid;

        assert_int_equal(pipe(ends), 0);
        pid = fork();
        if (pid == 0) {
            dpl_gallery *g = open_by(f->dir, DPL_GALLERY_WRITE, &f->key);

            close(ends[0]);
            for (int k = 0;; k++) {
                kit_put_well(g, (uint64_t)(1 + k % 4), "/photos/secret folder/more.jpg",
                             "Anna Secretmann", 4);
                if (write(ends[1], "+", 1) != 1)
                    _exit(1);
            }
        }
        close(ends[1]);
        for (int n = 0; n < 1 + i; n++)
            assert_int_equal(read(ends[0], &byte, 1), 1);
        usleep(700 * (useconds_t)i);
        kill(pid, SIGKILL);
        close(ends[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(n_plain(f->dir), 0);
    }
    f->gallery = open_by(f->dir, DPL_GALLERY_WRITE, &f->key);
    assert_int_equal(n_plain(f->dir), 0);
}

static void keys_are_told_apart(void **state)
{
    fixture *f = *state;
    const dpl_key_options right = secret_key("correct horse"), wrong = secret_key("battery staple");
    char path[128];
    char *dir = kit_folder(), *bytes;
    dpl_gallery *other = kit_new(dir);
    size_t n;

    refused(f->dir, NULL, "its key is in a file of its own that was not named");
    refused(f->dir, &f->other, "there is no key file");
    kit_expect(DPL_OK, dpl_gallery_encrypt(other, &f->other, &err), &err);
    dpl_gallery_close(other);
    refused(f->dir, &f->other, "is not that of gallery");
    /* Another's key file is not written over. */
    kit_expect(DPL_E_GALLERY, dpl_gallery_rekey(f->gallery, &f->other, &err), &err);
    assert_non_null(strstr(err.message, "is the key of another gallery"));
    assert_int_equal(chmod(f->key_path, 0640), 0);
    refused(f->dir, &f->key, "chmod go= mends it");
    assert_int_equal(chmod(f->key_path, 0600), 0);
    /* Any byte of a key file that was changed. */
    bytes = kit_read(f->key_path, &n);
    for (size_t i = 0; i < n; i += 5) {
        bytes[i] ^= 1;
        kit_write(f->key_path, bytes, n);
        refused(f->dir, &f->key, i < 8 ? "is not one of doppel's" : "is damaged");
        bytes[i] ^= 1;
    }
    kit_write(f->key_path, bytes, n / 2);
    refused(f->dir, &f->key, "is damaged");
    kit_write(f->key_path, bytes, n);
    free(bytes);
    kit_expect(DPL_OK, dpl_gallery_rekey(f->gallery, &right, &err), &err);
    refused(f->dir, NULL, "its passphrase was not given");
    refused(f->dir, &wrong, "that is not the passphrase");
    refused(f->dir, &f->key, "is not that of gallery");
    snprintf(path, sizeof path, "%s/gallery.keys", f->dir);
    assert_int_equal(access(path, R_OK), 0);
    reopen(f, &right);
    is_as_before(f);
    kit_drop(dir);
}

static void a_key_is_not_kept_beside_what_it_opens_unless_it_is_locked(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    (void)state;
    kit_expect(DPL_E_ARGUMENT, dpl_gallery_encrypt(gallery, NULL, &err), &err);
    assert_non_null(strstr(err.message, "neither a key file nor a passphrase"));
    kit_end(gallery, dir);
}

/* ------------------------------------------------------------------ moved and changed */

static dpl_status ignore_template(void *ctx, const dpl_template_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

static dpl_status ignore_photo(void *ctx, const dpl_photo_row *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

static dpl_status ignore_person(void *ctx, const dpl_person *row)
{
    (void)ctx;
    (void)row;
    return DPL_OK;
}

static dpl_status read_all(dpl_gallery *g)
{
    dpl_check_report report;
    dpl_status status = dpl_gallery_each_person(g, ignore_person, NULL, &err);

    if (status == DPL_OK)
        status = dpl_gallery_each_photo(g, NULL, ignore_photo, NULL, &err);
    if (status == DPL_OK)
        status = dpl_gallery_each_template(g, NULL, NULL, ignore_template, NULL, &err);
    if (status == DPL_OK)
        status = dpl_gallery_check(&report, g, NULL, NULL, &err);
    return status == DPL_OK && report.n_damaged > 0 ? DPL_E_GALLERY : status;
}

static void rows_and_columns_that_change_places_are_noticed(void **state)
{
#define SWAP(table, column, key)                                                                   \
    "UPDATE " #table " SET " #column " = (SELECT " #column " FROM " #table " WHERE " #key          \
    " = 2) WHERE " #key " = 1"
    static const char *const cases[] = {
        SWAP(template, vector, id),
        SWAP(thumb, jpeg, template_id),
        SWAP(face, weakest, template_id),
        SWAP(photo, reason, id),
        "UPDATE photo SET uri = 'x' WHERE id = 1; UPDATE photo SET uri = (SELECT uri FROM photo"
        " WHERE id = 1) || 'y' WHERE id = 2",
        "UPDATE photo SET sha256 = (SELECT sha256 FROM photo WHERE id = 2) WHERE id = 1",
        "UPDATE photo SET person_id = 2 WHERE id = 1",
        "UPDATE photo SET status = 3 WHERE id = 1",
        "UPDATE photo SET meant = NULL WHERE meant IS NOT NULL",
        "UPDATE template SET photo_id = 2 WHERE id = 1",
        "UPDATE owner SET person_id = 2 WHERE template_id = 1",
        "UPDATE owner SET by_hand = 1 WHERE template_id = 1",
        "UPDATE refusal SET person_id = 2",
        "UPDATE template SET vector = (SELECT jpeg FROM thumb WHERE template_id = 1) WHERE id = 1",
        "UPDATE thumb SET jpeg = (SELECT vector FROM template WHERE id = 1) WHERE template_id = 1",
        "UPDATE person SET name = CAST('x' || (SELECT name FROM person WHERE id = 2) AS BLOB)"
        " WHERE id = 1",
        "UPDATE alias SET person_id = 1",
        "UPDATE setting SET value = (SELECT value FROM setting WHERE key = 'model.face.hash')"
        " WHERE key = 'note'",
    };
#undef SWAP
    fixture *f = *state;
    char copy[64];

    kit_expect(DPL_OK, read_all(f->gallery), &err);
    dpl_gallery_close(f->gallery);
    f->gallery = NULL;
    snprintf(copy, sizeof copy, "%s.copy", f->dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dpl_gallery *gallery;
        dpl_status status;

        copy_folder(f->dir, copy);
        gallery = open_by(copy, DPL_GALLERY_WRITE, &f->key);
        kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), cases[i], &err), &err);
        status = read_all(gallery);
        if (status == DPL_OK && strstr(cases[i], "setting"))
            status = dpl_gallery_export(gallery, "swapped.jsonl", &err);
        if (status != DPL_E_GALLERY)
            print_error("not noticed: %s\n", cases[i]);
        assert_int_equal(status, DPL_E_GALLERY);
        dpl_gallery_close(gallery);
        remove_folder(copy);
    }
    f->gallery = open_by(f->dir, DPL_GALLERY_WRITE, &f->key);
}

/* Of a gallery with the same ids, encrypted by another key. */
static void rows_of_another_gallery_are_noticed(void **state)
{
    fixture *f = *state;
    char *dir = kit_folder(), sql[256];
    dpl_gallery *other = kit_new(dir);

    fill(other);
    kit_expect(DPL_OK, dpl_gallery_encrypt(other, &f->other, &err), &err);
    dpl_gallery_close(other);
    snprintf(sql, sizeof sql,
             "ATTACH '%s/gallery.db' AS o; UPDATE template SET vector = (SELECT vector FROM"
             " o.template WHERE id = 1) WHERE id = 1; DETACH o",
             dir);
    kit_expect(DPL_OK, dpli_db_exec(kit_db(f->gallery), sql, &err), &err);
    kit_expect(DPL_E_GALLERY, read_all(f->gallery), &err);
    kit_drop(dir);
}

static void each_byte_that_is_changed_is_noticed(void **state)
{
    static const char *const cells[][3] = {{"template", "vector", "id"},
                                           {"thumb", "jpeg", "template_id"},
                                           {"face", "weakest", "template_id"},
                                           {"photo", "reason", "id"},
                                           {"person", "name", "id"}};
    fixture *f = *state;
    char sql[512];

    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
        const char *table = cells[c][0], *column = cells[c][1], *key = cells[c][2];
        const bool is_text = strcmp(column, "weakest") == 0;
        int64_t n = 0;

        snprintf(sql, sizeof sql, "SELECT length(CAST(%s AS BLOB)) FROM %s WHERE %s = 1", column,
                 table, key);
        kit_expect(DPL_OK, dpli_db_int(&n, kit_db(f->gallery), sql, &err), &err);
        assert_true(n > 40);
        for (int64_t at = 1; at <= n; at += 1 + n / 60) {
            /* Neither of the two is of base64's. */
            kit_expect(DPL_OK, dpli_db_exec(kit_db(f->gallery), "SAVEPOINT s", &err), &err);
            snprintf(sql, sizeof sql,
                     "UPDATE %s SET %s = CAST(CAST(substr(%s, 1, %d) AS BLOB) ||"
                     " CASE WHEN CAST(substr(%s, %d, 1) AS BLOB) = x'3f' THEN x'2a' ELSE x'3f' END"
                     " || CAST(substr(%s, %d) AS BLOB) AS %s) WHERE %s = 1",
                     table, column, column, (int)at - 1, column, (int)at, column, (int)at + 1,
                     is_text ? "TEXT" : "BLOB", key);
            kit_expect(DPL_OK, dpli_db_exec(kit_db(f->gallery), sql, &err), &err);
            if (dpl_gallery_each_template(f->gallery, NULL, NULL, ignore_template, NULL, &err) !=
                DPL_E_GALLERY)
                fail_msg("byte %d of %s.%s", (int)at, table, column);
            kit_expect(DPL_OK, dpli_db_exec(kit_db(f->gallery), "ROLLBACK TO s; RELEASE s", &err),
                       &err);
        }
    }
    kit_expect(DPL_OK, read_all(f->gallery), &err);
}

/* ------------------------------------------------------------------ killed meanwhile */

enum { ENCRYPT, REKEY, DECRYPT };

static void do_it(dpl_gallery *g, int what, const dpl_key_options *key)
{
    if (what == ENCRYPT)
        kit_expect(DPL_OK, dpl_gallery_encrypt(g, key, &err), &err);
    else if (what == REKEY)
        kit_expect(DPL_OK, dpl_gallery_rekey(g, key, &err), &err);
    else
        kit_expect(DPL_OK, dpl_gallery_decrypt(g, &err), &err);
}

/* By whichever of the two it opens, or by none. */
static dpl_gallery *open_somehow(const fixture *f, const char *dir)
{
    const dpl_key_options *keys[] = {&f->key, &f->other, NULL};
    dpl_error why[3];

    for (size_t i = 0; i < 3; i++) {
        dpl_gallery *g = NULL;

        if (dpl_gallery_open_with_key(&g, dir, DPL_GALLERY_WRITE, keys[i], &why[i]) == DPL_OK)
            return g;
    }
    for (size_t i = 0; i < 3; i++)
        print_error("%s\n", why[i].message);
    return NULL;
}

/* To open it and give it another key. */
static double time_of_one(fixture *f)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    reopen(f, &f->key);
    do_it(f->gallery, REKEY, &f->key);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

static void killed_at_any_instant_it_is_as_before_or_done(void **state)
{
    const char *seed = getenv("DOPPEL_SEED"), *rounds = getenv("DOPPEL_ROUNDS");
    fixture *f = *state;
    int n_done = 0, n_not = 0;
    double took_us;
    dpli_rng rng;

    dpli_rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 11);
    took_us = time_of_one(f);
    for (int i = 0; i < (rounds ? atoi(rounds) : 16) || n_not == 0; i++) {
        const int what = i % 4 == 3 ? DECRYPT : i % 4 == 0 ? ENCRYPT : REKEY;
        /* The second time by the key file that it has. */
        const dpl_key_options *to = i % 4 == 2 || i % 4 == 0 ? &f->key : &f->other;
        dpl_encryption before, after;
        pid_t pid;
        int status;

        dpl_gallery_encryption(&before, f->gallery);
        if ((what == ENCRYPT) == before.is_encrypted) {
            /* A kill came first: bring it to where this one begins. */
            do_it(f->gallery, before.is_encrypted ? DECRYPT : ENCRYPT, &f->key);
        }
        dpl_gallery_close(f->gallery);
        f->gallery = NULL;
        pid = fork();
        if (pid == 0) {
            dpl_gallery *g = open_somehow(f, f->dir);

            do_it(g, what, to);
            _exit(0);
        }
        usleep((useconds_t)(dpli_rng_unit(&rng) * 1.3 * took_us));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        f->gallery = open_somehow(f, f->dir);
        assert_non_null(f->gallery);
        is_as_before(f);
        dpl_gallery_encryption(&after, f->gallery);
        if (after.is_encrypted)
            assert_int_equal(n_plain(f->dir), 0);
        n_done += WIFEXITED(status);
        n_not += !WIFEXITED(status);
        /* The one that was timed may have had to wait for the machine. */
        if (WIFEXITED(status))
            took_us *= 0.9;
    }
    print_message("%d done, %d cut short\n", n_done, n_not);
}

/* Killed when the former key's file was overwritten, and the new one not yet in its place. */
static void a_key_file_that_was_half_removed_is_had_from_beside(void **state)
{
    fixture *f = *state;
    char aside[80];
    char *key;
    size_t n;

    dpl_gallery_close(f->gallery);
    key = kit_read(f->key_path, &n);
    snprintf(aside, sizeof aside, "%s.new", f->key_path);
    for (size_t n_there = 0; n_there <= n; n_there += n / 3) {
        kit_write(aside, key, n);
        assert_int_equal(chmod(aside, 0600), 0);
        memset(key, 0, n_there);
        kit_write(f->key_path, key, n);
        free(key);
        f->gallery = open_by(f->dir, DPL_GALLERY_WRITE, &f->key);
        is_as_before(f);
        assert_int_not_equal(access(aside, F_OK), 0);
        dpl_gallery_close(f->gallery);
        key = kit_read(f->key_path, &n);
    }
    /* Nothing beside: it is told what is wrong with the file itself. */
    memset(key, 0, n);
    kit_write(f->key_path, key, n);
    refused(f->dir, &f->key, "is not one of doppel's");
    free(key);
    f->gallery = NULL;
}

/* ------------------------------------------------------------------ forgetting, and old copies */

typedef struct found {
    int n_readable, n_anna;
    int n_others;
} found;

static dpl_status look(void *ctx, const dpl_template_row *row)
{
    found *f = ctx;

    f->n_readable++;
    f->n_anna += row->person && strcmp(row->person, "Anna Secretmann") == 0;
    return DPL_OK;
}

static dpl_status count_damage(void *ctx, const dpl_damage *damage)
{
    *(int *)ctx += strcmp(damage->part, "vector") == 0 || strcmp(damage->part, "person") == 0;
    return DPL_OK;
}

static void an_old_copy_of_whoever_was_forgotten_opens_for_nobody(void **state)
{
    fixture *f = *state;
    char copy[64], old_key[80], command[256];
    dpl_forget_report report;
    dpl_check_report checked;
    dpl_gallery *g;
    found seen = {0};
    int n_damaged = 0;

    dpl_gallery_close(f->gallery);
    snprintf(copy, sizeof copy, "%s.copy", f->dir);
    snprintf(old_key, sizeof old_key, "%s.old", f->key_path);
    copy_folder(f->dir, copy);
    snprintf(command, sizeof command, "cp -p %s %s", f->key_path, old_key);
    assert_int_equal(system(command), 0);
    f->gallery = open_by(f->dir, DPL_GALLERY_WRITE, &f->key);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, f->gallery, "Anna Secretmann", NULL, 0, 0, &err),
               &err);
    assert_int_equal(report.n_left, 0);
    assert_int_equal(report.n_strings_left, 0);
    kit_expect(DPL_OK, read_all(f->gallery), &err);

    /* The copy by the key as it is now. */
    g = open_by(copy, DPL_GALLERY_READ, &f->key);
    kit_expect(DPL_E_GALLERY,
               dpl_gallery_each_template(g, "Anna Secretmann", NULL, look, &seen, &err), &err);
    assert_int_equal(seen.n_readable, 0);
    kit_expect(DPL_OK, dpl_gallery_check(&checked, g, count_damage, &n_damaged, &err), &err);
    assert_true(n_damaged >= 5); /* her name and four vectors */
    seen = (found){0};
    kit_expect(DPL_OK, dpl_gallery_each_template(g, "Robert Hiddenburg", NULL, look, &seen, &err),
               &err);
    assert_true(seen.n_readable > 0);
    dpl_gallery_close(g);

    /* By a copy of the key file that was made before, all of it: which is why one is not kept. */
    f->other = file_key(old_key);
    g = open_by(copy, DPL_GALLERY_READ, &f->other);
    seen = (found){0};
    kit_expect(DPL_OK, dpl_gallery_each_template(g, NULL, NULL, look, &seen, &err), &err);
    assert_true(seen.n_anna > 0);
    dpl_gallery_close(g);
    remove_folder(copy);
    unlink(old_key);

    /* And it goes on. */
    kit_put_well(f->gallery, 21, "/photos/after.jpg", "Anna Secretmann", 2);
    reopen(f, &f->key);
    kit_expect(DPL_OK, read_all(f->gallery), &err);
}

static void nothing_is_forgotten_where_its_key_cannot_be(void **state)
{
    fixture *f = *state;
    dpl_forget_report report;
    char aside[96];

    snprintf(aside, sizeof aside, "%s.away", f->key_path);
    assert_int_equal(rename(f->key_path, aside), 0);
    kit_expect(DPL_E_SYSTEM,
               dpl_gallery_forget(&report, f->gallery, "Anna Secretmann", NULL, 0, 0, &err), &err);
    assert_non_null(strstr(err.message, "cannot be written"));
    is_as_before(f);
    assert_int_equal(rename(aside, f->key_path), 0);
}

/* ------------------------------------------------------------------ an export */

static void a_sealed_export_opens_by_its_passphrase_whole_or_not(void **state)
{
    fixture *f = *state;
    const dpl_key_options right = secret_key("correct horse"), wrong = secret_key("another");
    char *dir = kit_folder(), *bytes, *dump;
    dpl_gallery *other = kit_open(dir, DPL_GALLERY_CREATE);
    int64_t n_photos, n_templates;
    size_t n;

    kit_expect(DPL_E_ARGUMENT, dpl_gallery_export_sealed(f->gallery, "sealed", &f->key, &err),
               &err);
    kit_expect(DPL_OK, dpl_gallery_export_sealed(f->gallery, "sealed", &right, &err), &err);
    bytes = kit_read("sealed", &n);
    assert_null(memmem(bytes, n, "Secretmann", 10));
    kit_expect(DPL_E_GALLERY,
               dpl_gallery_import_sealed(other, "sealed", &wrong, &n_photos, &n_templates, &err),
               &err);
    assert_non_null(strstr(err.message, "that is not its passphrase"));
    kit_expect(DPL_E_GALLERY, dpl_gallery_import(other, "sealed", &n_photos, &n_templates, &err),
               &err);
    assert_non_null(strstr(err.message, "sealed by a passphrase, and none was given"));
    /* Salt, memory, passes, what is zero, the stream's head and pieces. */
    for (int i = 0; i < 8; i++) {
        const size_t ats[] = {10, 29, 34, 37, 50, 70, n / 2, n - 1}, at = ats[i];

        bytes[at] ^= 1;
        kit_write("sealed", bytes, n);
        kit_expect(
            DPL_E_GALLERY,
            dpl_gallery_import_sealed(other, "sealed", &right, &n_photos, &n_templates, &err),
            &err);
        bytes[at] ^= 1;
        kit_write("sealed", bytes, i ? n - 1 - (size_t)i : 20);
        kit_expect(
            DPL_E_GALLERY,
            dpl_gallery_import_sealed(other, "sealed", &right, &n_photos, &n_templates, &err),
            &err);
    }
    kit_write("sealed", bytes, n);
    kit_expect(DPL_OK,
               dpl_gallery_import_sealed(other, "sealed", &right, &n_photos, &n_templates, &err),
               &err);
    dump = kit_dump(other);
    assert_string_equal(dump, f->plain);
    free(dump);
    free(bytes);
    unlink("sealed");
    kit_end(other, dir);
}

/* Longer than two of its pieces, and cut between them. */
static void a_long_sealed_export_that_is_cut_between_pieces_is_refused(void **state)
{
    fixture *f = *state;
    const dpl_key_options right = secret_key("correct horse");
    const size_t n_head = 64, n_piece = 65536 + 17;
    char *dir = kit_folder(), *bytes, path[64];
    dpl_gallery *other = kit_open(dir, DPL_GALLERY_CREATE);
    int64_t n_photos, n_templates;
    size_t n;

    for (int i = 0; i < 120; i++) {
        snprintf(path, sizeof path, "/photos/more/%d.jpg", i);
        kit_put_well(f->gallery, (uint64_t)(100 + i), path, "Carl", 3);
    }
    kit_expect(DPL_OK, dpl_gallery_export_sealed(f->gallery, "sealed", &right, &err), &err);
    bytes = kit_read("sealed", &n);
    assert_true(n > n_head + 2 * n_piece);
    kit_write("sealed", bytes, n_head + n_piece);
    kit_expect(DPL_E_GALLERY,
               dpl_gallery_import_sealed(other, "sealed", &right, &n_photos, &n_templates, &err),
               &err);
    assert_non_null(strstr(err.message, "cut short"));
    kit_write("sealed", bytes, n);
    kit_expect(DPL_OK,
               dpl_gallery_import_sealed(other, "sealed", &right, &n_photos, &n_templates, &err),
               &err);
    assert_int_equal(n_photos, 125);
    free(bytes);
    unlink("sealed");
    kit_end(other, dir);
}

typedef struct far {
    int64_t n_done, n_total;
} far;

static void how_far(void *ctx, const char *what, int64_t n_done, int64_t n_total)
{
    (void)what;
    *(far *)ctx = (far){n_done, n_total};
}

/* It is a mebibyte only with what seals it. */
static void an_import_of_a_sealed_export_comes_to_its_end(void **state)
{
    static const char words[] = "correct horse";
    fixture *f = *state;
    const dpl_key_options right = secret_key(words);
    char *dir = kit_folder(), *bytes;
    dpl_gallery *other = kit_open(dir, DPL_GALLERY_CREATE);
    dpli_sealed_export *seal = NULL;
    FILE *file, *behind;
    int64_t n_photos, n_templates;
    far seen = {0};
    size_t n;

    kit_expect(DPL_OK, dpl_gallery_export(f->gallery, "plain", &err), &err);
    bytes = kit_read("plain", &n);
    behind = fopen("sealed", "wb");
    assert_non_null(behind);
    kit_expect(DPL_OK, dpli_sealed_export_to(&file, &seal, behind, words, sizeof words - 1, &err),
               &err);
    /* Blanks before the first line's end. */
    for (size_t i = 0, padded = n; i < n; i++) {
        for (; bytes[i] == '\n' && padded < (1 << 20) - 100; padded++)
            fputc(' ', file);
        fputc(bytes[i], file);
    }
    assert_int_equal(fflush(file), 0);
    assert_true(dpli_sealed_export_end(seal));
    fclose(file);
    dpli_sealed_export_free(seal);
    fclose(behind);
    dpl_gallery_set_progress(other, how_far, &seen);
    kit_expect(DPL_OK,
               dpl_gallery_import_sealed(other, "sealed", &right, &n_photos, &n_templates, &err),
               &err);
    assert_int_equal(seen.n_total, 1);
    assert_int_equal(seen.n_done, 1);
    free(bytes);
    unlink("plain");
    unlink("sealed");
    kit_end(other, dir);
}

/* ------------------------------------------------------------------ the ring and the vault */

/* Which keys are left is compared with a list, over many rounds of destroying. */
static void a_ring_keeps_the_keys_that_it_is_to_keep_and_no_others(void **state)
{
    enum { N = 300, ROUNDS = 6 };
    static uint8_t before[N + 1][DPLI_KEY_BYTES], key[DPLI_KEY_BYTES];
    bool alive[N + 1];
    dpli_ring *ring = NULL, *read = NULL;
    dpli_rng rng;
    bool wrong;

    (void)state;
    dpli_rng_seed(&rng, 5);
    kit_expect(
        DPL_OK,
        dpli_ring_new(&ring, "0123456789abcdef0123456789abcdef", &(dpli_ring_secret){0}, &err),
        &err);
    for (int i = 0; i <= N; i++) {
        assert_true(dpli_ring_key(before[i], ring, DPLI_PHOTO_IDS, i));
        alive[i] = i > 0;
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(before[i], before[k], DPLI_KEY_BYTES);
    }
    for (int round = 0; round < ROUNDS; round++) {
        int64_t kept[N], last = 40 * (round + 1);
        const int64_t *ids[DPLI_N_NUMBERED] = {kept, kept, kept};
        size_t n[DPLI_N_NUMBERED] = {0};
        const int64_t lasts[DPLI_N_NUMBERED] = {0, last, 0};

        for (int64_t i = 1; i <= last; i++) {
            alive[i] &= dpli_rng_unit(&rng) < 0.8;
            if (alive[i])
                kept[n[DPLI_PHOTO_IDS]++] = i;
        }
        kit_expect(DPL_OK, dpli_ring_keep_only(ring, ids, n, lasts, &err), &err);
        kit_expect(DPL_OK, dpli_ring_write(ring, "ring.key", &err), &err);
        kit_expect(DPL_OK, dpli_ring_read(&read, &wrong, "ring.key", &(dpli_ring_secret){0}, &err),
                   &err);
        for (int i = N; i > 0; i--) {
            assert_int_equal(dpli_ring_key(key, ring, DPLI_PHOTO_IDS, i), alive[i]);
            if (alive[i])
                assert_memory_equal(key, before[i], DPLI_KEY_BYTES);
            assert_int_equal(dpli_ring_key(key, read, DPLI_PHOTO_IDS, i), alive[i]);
            if (alive[i])
                assert_memory_equal(key, before[i], DPLI_KEY_BYTES);
        }
        assert_true(dpli_ring_key(key, ring, DPLI_PHOTO_IDS, INT64_C(1) << 40));
        assert_false(dpli_ring_key(key, ring, DPLI_PHOTO_IDS, INT64_C(1) << 48));
        assert_false(dpli_ring_key(key, ring, DPLI_PHOTO_IDS, -1));
        dpli_ring_free(read);
    }
    dpli_ring_free(ring);
    unlink("ring.key");
}

static void bytes_come_back_from_their_text_and_from_no_other(void **state)
{
    enum { N = 70 };
    uint8_t bytes[N], back[N];
    char text[2 * N];
    size_t n;

    (void)state;
    for (size_t i = 0; i < N; i++)
        bytes[i] = (uint8_t)(i * 151 + 250);
    for (size_t n_bytes = 0; n_bytes <= N; n_bytes++) {
        const size_t n_text = dpli_text_length(n_bytes);

        dpli_to_text(text, bytes, n_bytes);
        assert_int_equal(strlen(text), n_text);
        assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_"),
                         n_text);
        assert_true(dpli_from_text(back, &n, text, n_text));
        assert_int_equal(n, n_bytes);
        assert_memory_equal(back, bytes, n);
        for (size_t i = 0; i < n_text; i++) {
            const char was = text[i], wrong[] = "+/=., \n\x7f\xc1";

            for (size_t k = 0; k < sizeof wrong; k++) {
                text[i] = wrong[k];
                assert_false(dpli_from_text(back, &n, text, n_text));
            }
            text[i] = was;
        }
    }
    /* Bits that say nothing, and a character too many. */
    assert_true(dpli_from_text(back, &n, "-_8", 3));
    assert_false(dpli_from_text(back, &n, "-_9", 3));
    assert_false(dpli_from_text(back, &n, "-____", 5));
}

/* By what the processor is best at, or as on one without instructions for AES. */
static void try_vault(bool is_plain_processor)
{
    enum { N = 200001 };
    static const uint8_t key[DPLI_KEY_BYTES] = "a key of thirty-two bytes, here";
    static uint8_t bytes[N], read[N];
    char *word = NULL;
    dpli_vault *v = NULL;
    dpli_rng rng;
    char *file;
    size_t n;

    dpli_rng_seed(&rng, 3);
    for (size_t i = 0; i < N; i++)
        bytes[i] = (uint8_t)(dpli_rng_unit(&rng) * 256);
    if (is_plain_processor)
        word = without_aes();
    kit_expect(DPL_OK, dpli_vault_make(&v, "vault", key, &err), &err);
    if (is_plain_processor)
        with_aes(word);
    for (size_t at = 0; at < N;) {
        const size_t now = (size_t)(dpli_rng_unit(&rng) * 9000) + 1;
        const size_t left = N - at;

        assert_true(dpli_vault_put(v, bytes + at, now < left ? now : left));
        at += now < left ? now : left;
    }
    assert_true(dpli_vault_finish(v));
    dpli_vault_close(v);
    assert_int_equal(kit_files_with(".", bytes + 5000, 16), 0);
    kit_expect(DPL_OK, dpli_vault_open(&v, "vault", key, &err), &err);
    assert_int_equal(dpli_vault_bytes(v), N);
    for (int i = 0; i < 500; i++) {
        const size_t at = (size_t)(dpli_rng_unit(&rng) * N);
        const size_t most = N - at;

        n = (size_t)(dpli_rng_unit(&rng) * (i % 2 ? 300 : 40000)) % (most + 1);
        kit_expect(DPL_OK, dpli_vault_read(v, read, n, at, &err), &err);
        assert_memory_equal(read, bytes + at, n);
    }
    kit_expect(DPL_E_INPUT, dpli_vault_read(v, read, 2, N - 1, &err), &err);
    dpli_vault_close(v);
    file = kit_read("vault", &n);
    for (size_t i = 0; i < n; i += 997) {
        file[i] ^= 4;
        kit_write("vault", file, n);
        if (dpli_vault_open(&v, "vault", key, &err) == DPL_OK) {
            kit_expect(DPL_E_INPUT, dpli_vault_read(v, read, N, 0, &err), &err);
            dpli_vault_close(v);
        }
        file[i] ^= 4;
    }
    kit_write("vault", file, n);
    free(file);
    kit_expect(DPL_E_INPUT, dpli_vault_open(&v, "/etc/passwd", key, &err), &err);
    unlink("vault");
}

static void a_vault_gives_what_was_put_and_notices_each_change(void **state)
{
    (void)state;
    try_vault(false);
    try_vault(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define OF_ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        OF_ONE(it_is_the_same_encrypted_rekeyed_and_decrypted),
        OF_ONE(what_is_changed_then_is_the_same_as_in_a_plain_one),
        OF_ONE(it_is_a_change_that_is_final),
        OF_ONE(one_encrypted_without_aes_is_the_same_everywhere),
        OF_ONE(one_encrypted_without_marks_of_folders_is_the_same),
        OF_ONE(another_handle_needs_no_key),
        OF_ONE(after_a_change_of_much_the_next_search_finds_an_index),
        OF_ONE(no_file_has_a_plain_byte),
        OF_ONE(no_file_has_one_after_a_kill),
        OF_ONE(keys_are_told_apart),
        cmocka_unit_test(a_key_is_not_kept_beside_what_it_opens_unless_it_is_locked),
        OF_ONE(rows_and_columns_that_change_places_are_noticed),
        OF_ONE(rows_of_another_gallery_are_noticed),
        OF_ONE(each_byte_that_is_changed_is_noticed),
        OF_ONE(killed_at_any_instant_it_is_as_before_or_done),
        OF_ONE(a_key_file_that_was_half_removed_is_had_from_beside),
        OF_ONE(an_old_copy_of_whoever_was_forgotten_opens_for_nobody),
        OF_ONE(nothing_is_forgotten_where_its_key_cannot_be),
        OF_ONE(a_sealed_export_opens_by_its_passphrase_whole_or_not),
        OF_ONE(a_long_sealed_export_that_is_cut_between_pieces_is_refused),
        OF_ONE(an_import_of_a_sealed_export_comes_to_its_end),
        cmocka_unit_test(a_ring_keeps_the_keys_that_it_is_to_keep_and_no_others),
        cmocka_unit_test(bytes_come_back_from_their_text_and_from_no_other),
        cmocka_unit_test(a_vault_gives_what_was_put_and_notices_each_change),
#undef OF_ONE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
