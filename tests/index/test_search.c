/*
 * test_search.c - search in a gallery: the head's own ranking with the right people, whatever
 * became of the snapshot; what was added is found, what was removed is not.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/flat.h"
#include "index/gallery.h"
#include "index/snapshot.h"
#include "tests/index/gallery_kit.h"
#include "tests/index/vectors.h"
#include "tests/slowed.h"

enum {
    DIM = KIT_DIM,
    A_PHOTO = 100, /* templates of one */
    BIG = 24000,   /* enough for a snapshot */
    K = 10
};
#define SEED 20240617

static float rows[(size_t)BIG * DIM * 2];

enum { PHOTOS_MAX = BIG / A_PHOTO };
typedef struct names {
    char path[32], person[32], sha256[65];
} names;

/* Photos number first .. first+n-1 of person "p<number modulo 100>", with A_PHOTO rows each, in one
   commit. */
static void put_photos(dpl_gallery *gallery, size_t first, size_t n)
{
    static dpl_new_template templates[PHOTOS_MAX][A_PHOTO];
    static dpl_new_photo photos[PHOTOS_MAX];
    static names of[PHOTOS_MAX];
    dpl_error err;

    assert_true(n <= PHOTOS_MAX);
    for (size_t p = 0; p < n; p++) {
        size_t number = first + p;

        snprintf(of[p].path, sizeof of[p].path, "/photo/%zu", number);
        snprintf(of[p].person, sizeof of[p].person, "p%zu", number % 100);
        snprintf(of[p].sha256, sizeof of[p].sha256, "%064zx", number);
        photos[p] = (dpl_new_photo){.row = {.path = of[p].path,
                                            .person = of[p].person,
                                            .sha256 = of[p].sha256,
                                            .reason = "",
                                            .options = "",
                                            .n_faces = A_PHOTO},
                                    .templates = templates[p],
                                    .n_templates = A_PHOTO};
        for (size_t i = 0; i < A_PHOTO; i++) {
            templates[p][i] = (dpl_new_template){
                .space = "face", .vector = rows + (number * A_PHOTO + i) * DIM, .dim = DIM};
            strcpy(templates[p][i].face.quality.weakest, "size");
        }
    }
    kit_expect(DPL_OK, dpl_gallery_put(gallery, photos, n, &err), &err);
}

static char *big; /* a gallery of BIG templates, which those of the tests are copied from */

static char *make_big(void)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);

    put_photos(gallery, 0, BIG / A_PHOTO);
    dpl_gallery_close(gallery);
    return dir;
}

static int drop_big(void **state)
{
    (void)state;
    if (big)
        kit_drop(big);
    return 0;
}

static dpl_gallery *new_gallery(char **dir, size_t n_photos)
{
    dpl_gallery *gallery;
    dpli_rng rng;

    dpli_rng_seed(&rng, SEED);
    make_clusters(rows, sizeof rows / sizeof rows[0] / DIM, DIM, 2000, 1, &rng);
    if (n_photos == BIG / A_PHOTO) {
        if (!big)
            big = make_big();
        *dir = kit_copy(big);
        return kit_open(*dir, DPL_GALLERY_WRITE);
    }
    *dir = kit_folder();
    gallery = kit_new(*dir);
    put_photos(gallery, 0, n_photos);
    return gallery;
}

static dpl_head *make_head(dpl_head_kind kind)
{
    const float w[DIM] = {-1, -2, -1, -3, -1, -0.5f, -1, -1};
    dpl_head *head = NULL;

    assert_int_equal(
        dpl_head_new(&head, kind, DIM, kind == DPL_HEAD_L1_SIGMOID ? w : NULL, 0, NULL), DPL_OK);
    return head;
}

static void search(dpl_hit *hits, dpl_gallery *gallery, const dpl_head *head, const float *probes,
                   size_t n, const dpl_search_options *options, dpl_search_info *info)
{
    dpl_error err;

    kit_expect(DPL_OK,
               dpl_gallery_search(hits, gallery, head, "face", probes, n, DIM, options, info, &err),
               &err);
}

static void same(const dpl_hit *got, const dpl_hit *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[i].template_id != want[i].template_id || got[i].photo_id != want[i].photo_id ||
            got[i].person_id != want[i].person_id || got[i].score != want[i].score)
            fail_msg("hit %zu is template %lld at %.9g, not %lld at %.9g", i,
                     (long long)got[i].template_id, (double)got[i].score,
                     (long long)want[i].template_id, (double)want[i].score);
}

/* A few probes, by search and by brute force over what the database has now. */
static void right(dpl_gallery *gallery, const dpl_head *head)
{
    dpl_search_info info;
    dpli_vectors v;

    assert_int_equal(dpli_gallery_load(&v, gallery, "face", DIM, 1, NULL), DPL_OK);
    for (size_t i = 0; i < 5; i++) {
        const float *probe = rows + (i * 4999 + 13) * DIM;
        dpl_hit got[K], want[K];
        dpli_found found[K];

        assert_int_equal(dpli_flat_search(found, head, v.rows, v.n, probe, 1, K, NULL), DPL_OK);
        for (size_t j = 0; j < K; j++)
            want[j] = (dpl_hit){v.ids[found[j].at], v.photos[found[j].at], v.owners[found[j].at],
                                found[j].score};
        search(got, gallery, head, probe, 1, NULL, &info);
        same(got, want, K);
        assert_true(info.exact && info.recall == 1);
        assert_string_equal(info.index, "flat");
        assert_int_equal(info.n_templates, v.n);
    }
    dpli_vectors_clear(&v);
}

static char *snapshot_of(const char *dir)
{
    static char path[512];

    kit_beside(path, dir, "face.faiss");
    return path;
}

static int exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* ------------------------------------------------------------------ small galleries */

static void every_head_ranks_its_own_way(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, 3);

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        dpl_head *head = make_head((dpl_head_kind)kind);
        right(gallery, head);
        dpl_head_free(head);
    }
    assert_false(exists(snapshot_of(dir))); /* not worth a file */
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void an_empty_gallery_and_too_large_a_k_give_missing_hits(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    const float probe[DIM] = {1};
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_search_info info;
    dpl_hit hits[7];
    dpl_error err;

    (void)state;
    options.k = 7;
    for (int n = 0; n < 4; n++) {
        search(hits, gallery, head, probe, 1, &options, &info);
        assert_int_equal(info.n_templates, n);
        assert_true(info.exact);
        for (int j = 0; j < 7; j++) {
            assert_int_equal(hits[j].template_id == -1, j >= n);
            assert_int_equal(isnan(hits[j].score) != 0, j >= n);
        }
        char path[32];
        snprintf(path, sizeof path, "/p%d", n);
        /* odd seeds: all templates are faces */
        kit_expect(DPL_OK, kit_put(gallery, 2 * (uint64_t)n + 1, path, n ? "a" : NULL, 1, &err),
                   &err);
    }
    /* Nobody's photo has person 0. */
    options.k = 4;
    search(hits, gallery, head, probe, 1, &options, &info);
    for (int j = 0; j < 4; j++)
        assert_int_equal(hits[j].person_id == 0, hits[j].photo_id == 1);
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void equal_vectors_come_by_rising_id(void **state)
{
    char *dir = kit_folder();
    dpl_gallery *gallery = kit_new(dir);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpl_hit hits[K];
    dpl_error err;

    (void)state;
    for (int i = 0; i < 25; i++) {
        char path[32];
        snprintf(path, sizeof path, "/p%d", 25 - i);
        kit_expect(DPL_OK, kit_put(gallery, 3, path, "a", 1, &err), &err);
    }
    kit_photo p;
    kit_photo_make(&p, 3, "", "", 1);
    search(hits, gallery, head, p.vectors[0], 1, NULL, NULL);
    for (int j = 0; j < K; j++)
        assert_true(hits[j].template_id == j + 1 && hits[j].score == hits[0].score);
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void what_makes_no_sense_is_refused(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, 1);
    dpl_head *head = make_head(DPL_HEAD_COSINE), *wide = NULL;
    float probes[3 * DIM];
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_hit hits[3 * K];
    dpl_error err = {0};

    (void)state;
    memcpy(probes, rows, sizeof probes);
    probes[2 * DIM + 5] = NAN;
    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "face", probes, 3, DIM, NULL, NULL, &err),
        DPL_E_NUMERIC);
    assert_string_equal(err.message, "probe 2 is not finite");
    probes[2 * DIM + 5] = -INFINITY;
    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "face", probes, 3, DIM, NULL, NULL, &err),
        DPL_E_NUMERIC);
    memset(probes + DIM, 0, 2 * DIM * sizeof *probes);
    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "face", probes, 3, DIM, NULL, NULL, &err),
        DPL_E_NUMERIC);
    assert_string_equal(err.message, "probe 1 is zero and has no direction");

    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "voice", rows, 1, DIM, NULL, NULL, &err),
        DPL_E_ARGUMENT);
    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "face", rows, 1, DIM - 1, NULL, NULL, &err),
        DPL_E_ARGUMENT);
    assert_int_equal(dpl_head_new(&wide, DPL_HEAD_COSINE, 2 * DIM, NULL, 0, NULL), DPL_OK);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(
            dpl_gallery_search(hits, gallery, wide, "face", rows, 1, 2 * DIM, NULL, NULL, &err),
            DPL_E_MISMATCH);
        search(hits, gallery, head, rows, 1, NULL, NULL);
    }
    for (int32_t k = -1; k < 1; k++) {
        options.k = k;
        assert_int_equal(
            dpl_gallery_search(hits, gallery, head, "face", rows, 1, DIM, &options, NULL, &err),
            DPL_E_ARGUMENT);
    }
    options.k = 1;
    options.min_recall = NAN;
    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "face", rows, 1, DIM, &options, NULL, &err),
        DPL_E_ARGUMENT);
    options.min_recall = 0.9;
    options.exact_up_to = -1;
    assert_int_equal(
        dpl_gallery_search(hits, gallery, head, "face", rows, 1, DIM, &options, NULL, &err),
        DPL_E_ARGUMENT);
    /* Of an older caller's shorter options what it knows is taken, and nothing beyond. */
    options.struct_size = offsetof(dpl_search_options, exact_up_to);
    options.k = 3;
    search(hits, gallery, head, rows, 1, &options, NULL);
    dpl_head_free(head);
    dpl_head_free(wide);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ snapshots */

static void a_snapshot_is_written_once_and_then_used(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpli_index index;
    dpl_hit hits[K];
    struct stat before, after;

    (void)state;
    assert_false(exists(snapshot_of(dir)));
    right(gallery, head);
    assert_string_equal(dpl_gallery_notice(gallery), "");
    assert_int_equal(stat(snapshot_of(dir), &before), 0);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_READ);
    right(gallery, head);
    assert_int_equal(stat(snapshot_of(dir), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    dpl_gallery_close(gallery);

    /* Nothing else tells whether it was read: one that says what the database does not. */
    assert_int_equal(dpli_snapshot_read(&index, snapshot_of(dir), kit_file_key(dir), NULL), DPL_OK);
    for (size_t i = 0; i < index.n; i++)
        index.owners[i] = 4711;
    assert_int_equal(dpli_snapshot_write(snapshot_of(dir), &index, kit_file_key(dir), NULL),
                     DPL_OK);
    dpli_index_clear(&index);
    gallery = kit_open(dir, DPL_GALLERY_READ);
    search(hits, gallery, head, rows, 1, NULL, NULL);
    assert_int_equal(hits[0].person_id, 4711);
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

/* Sealed rows take longer to be read. */
static void an_encrypted_gallery_has_a_snapshot_from_fewer_templates_on(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);

    (void)state;
    for (size_t n = 3000; n <= 5000; n += 2000) {
        char *dir;
        dpl_gallery *gallery = new_gallery(&dir, n / A_PHOTO);

        right(gallery, head);
        assert_int_equal(exists(snapshot_of(dir)), n == 5000 && kit_is_sealed());
        dpl_gallery_close(gallery);
        kit_drop(dir);
    }
    dpl_head_free(head);
}

static void a_damaged_or_foreign_snapshot_is_rebuilt_and_it_is_said(void **state)
{
    char *dir, *good, *bad;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpli_index index;
    /* A sealed piece of 8192 bytes is longer by 16. */
    const size_t n_rows = (size_t)BIG * DIM * sizeof *rows,
                 behind_rows = (kit_is_sealed() ? n_rows + n_rows / 8192 * 16 : n_rows) + 99;
    size_t n;

    (void)state;
    right(gallery, head);
    dpl_gallery_close(gallery);
    good = kit_read(snapshot_of(dir), &n);
    bad = malloc(n);
    for (int way = 0; way < 7; way++) {
        const char *says = "index \"face.faiss\" was damaged and has been rebuilt from the gallery";
        size_t m;
        char *now;

        memcpy(bad, good, n);
        if (way < 3)
            bad[way == 0 ? 5 : way == 1 ? behind_rows : n - 100] ^= 4;
        unlink(snapshot_of(dir));
        kit_write(snapshot_of(dir), bad, way == 3 ? 0 : way == 4 ? n - 1 : way == 5 ? n / 3 : n);
        if (way == 6) {
            assert_int_equal(dpli_snapshot_read(&index, snapshot_of(dir), kit_file_key(dir), NULL),
                             DPL_OK);
            memset(index.identity, 'f', 32);
            assert_int_equal(dpli_snapshot_write(snapshot_of(dir), &index, kit_file_key(dir), NULL),
                             DPL_OK);
            dpli_index_clear(&index);
            says = "index \"face.faiss\" was out of date and has been rebuilt from the gallery";
        }
        gallery = kit_open(dir, DPL_GALLERY_READ);
        if (way == 0) { /* a vector: noticed when it is compared */
            dpl_hit hits[K];

            search(hits, gallery, head, rows, 1, NULL, NULL);
            assert_true(hits[0].template_id == 1);
            assert_string_equal(dpl_gallery_notice(gallery), says);
        }
        right(gallery, head);
        if (way > 0)
            assert_string_equal(dpl_gallery_notice(gallery), says);
        dpl_gallery_close(gallery);
        now = kit_read(snapshot_of(dir), &m);
        assert_int_equal(m, n);
        if (!kit_is_sealed()) /* by another nonce each time */
            assert_memory_equal(now, good, n);
        free(now);
    }
    free(good);
    free(bad);
    dpl_head_free(head);
    kit_drop(dir);
}

/* A copy of the database is put back, and changed otherwise than it was before: to the number of
   the generation that the file is of, which nobody has taken away, and beyond. */
static void a_snapshot_of_what_a_copy_took_back_is_not_believed(void **state)
{
    if (kit_is_database())
        skip(); /* its copy is put back by the server's own tools */
    for (int further = 0; further < 2; further++) {
        char *dir, *copy, *file;
        dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
        dpl_head *head = make_head(DPL_HEAD_COSINE);
        const float *probe = rows + (BIG + 1300) * DIM;
        dpl_hit hits[K];
        size_t n;

        (void)state;
        right(gallery, head);
        dpl_gallery_close(gallery);
        copy = kit_copy(dir);
        gallery = kit_open(dir, DPL_GALLERY_WRITE);
        put_photos(gallery, BIG / A_PHOTO, 1);
        right(gallery, head);
        dpl_gallery_close(gallery);
        file = kit_read(snapshot_of(dir), &n);
        kit_write(snapshot_of(copy), file, n);
        free(file);
        gallery = kit_open(copy, DPL_GALLERY_WRITE);
        assert_string_equal(dpl_gallery_notice(gallery),
                            "index \"face.faiss\" was of later than the gallery, and is made anew");
        put_photos(gallery, BIG / A_PHOTO + 13, 1);
        for (int i = 0; i < further; i++)
            put_photos(gallery, BIG / A_PHOTO + 20, 1);
        search(hits, gallery, head, probe, 1, NULL, NULL);
        assert_int_equal(hits[0].template_id, BIG + 1);
        assert_true(hits[0].score > 0.9999);
        right(gallery, head);
        dpl_gallery_close(gallery);
        dpl_head_free(head);
        kit_drop(copy);
        kit_drop(dir);
    }
}

static void a_snapshot_cut_while_it_is_in_use_is_rebuilt_and_it_is_said(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    struct stat before, after;

    (void)state;
    right(gallery, head);
    assert_int_equal(stat(snapshot_of(dir), &before), 0);
    /* Not as doppel replaces one, but as a copy over it begins. */
    assert_int_equal(truncate(snapshot_of(dir), 1000), 0);
    right(gallery, head);
    assert_string_equal(dpl_gallery_notice(gallery),
                        "index \"face.faiss\" was damaged and has been rebuilt from the gallery");
    assert_int_equal(stat(snapshot_of(dir), &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void an_index_tells_how_it_searches(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_search_info info;
    dpl_index_info is;
    struct stat st;
    dpl_hit hits[K];
    dpl_error err;

    (void)state;
    assert_int_equal(dpl_gallery_index(&is, gallery, "face", &err), DPL_E_NOT_FOUND);
    assert_int_equal(dpl_gallery_index(&is, gallery, "voice", &err), DPL_E_ARGUMENT);
    right(gallery, head);
    assert_int_equal(dpl_gallery_index(&is, gallery, "face", &err), DPL_OK);
    assert_int_equal(stat(snapshot_of(dir), &st), 0);
    assert_true(is.exact && !is.exact_is_faster && is.recall == 1 && is.n_kept == 0);
    assert_true(is.n_templates == BIG && is.n_bytes == st.st_size && is.search_ms == 0);
    options.exact_up_to = 10000;
    options.min_recall = 0.9;
    search(hits, gallery, head, rows, 1, &options, &info);
    assert_int_equal(dpl_gallery_index(&is, gallery, "face", &err), DPL_OK);
    assert_int_equal(stat(snapshot_of(dir), &st), 0);
    assert_true(!is.exact && is.recall == info.recall && is.n_kept >= K);
    assert_true(is.n_bytes == st.st_size && is.search_ms > 0 && is.exact_ms > 0);
    kit_write(snapshot_of(dir), "nothing", 7);
    assert_int_equal(dpl_gallery_index(&is, gallery, "face", &err), DPL_E_INPUT);
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

static void a_folder_that_takes_no_file_is_searched_all_the_same(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);

    (void)state;
    assert_int_equal(mkdir(snapshot_of(dir), 0700), 0);
    right(gallery, head);
    assert_string_equal(dpl_gallery_notice(gallery),
                        "index \"face.faiss\" could not be saved and is made anew each time");
    dpl_gallery_close(gallery);
    rmdir(snapshot_of(dir));
    dpl_head_free(head);
    kit_drop(dir);
}

static void what_is_added_is_found_and_what_is_removed_is_not(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO), *reader;
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    const float *added = rows + (size_t)BIG * DIM;
    dpl_forget_report report;
    dpl_error err;
    dpl_hit hits[K];
    dpli_index index;

    (void)state;
    right(gallery, head);
    reader = kit_open(dir, DPL_GALLERY_READ); /* with the same in memory */
    right(reader, head);

    for (int round = 0; round < 3; round++) {
        /* Few: both catch up, in memory and in the file. Many, and a replaced photo: made anew. */
        put_photos(gallery, BIG / A_PHOTO + (size_t)round, round == 1 ? 30 : 1);
        search(hits, gallery, head, added, 1, NULL, NULL);
        assert_true(hits[0].template_id > BIG && hits[0].score > 0.9999f);
        right(gallery, head);
        right(reader, head);
        assert_int_equal(dpli_snapshot_read(&index, snapshot_of(dir), kit_file_key(dir), NULL),
                         DPL_OK);
        assert_int_equal(index.n, BIG + A_PHOTO * (round == 0 ? 1 : 31));
        dpli_index_clear(&index);
    }
    dpl_gallery_close(reader);

    /* A process that starts with an old file finds what is new. */
    put_photos(gallery, BIG / A_PHOTO + 40, 1);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    right(gallery, head);
    search(hits, gallery, head, added + (size_t)40 * A_PHOTO * DIM, 1, NULL, NULL);
    assert_true(hits[0].score > 0.9999f);
    assert_string_equal(dpl_gallery_notice(gallery), "");
    assert_int_equal(dpli_snapshot_read(&index, snapshot_of(dir), kit_file_key(dir), NULL), DPL_OK);
    assert_int_equal(index.n, BIG + 32 * A_PHOTO); /* and the next one need not look for it */
    dpli_index_clear(&index);

    /* All of p7: photos 7, 107, 207 and none of those added. */
    search(hits, gallery, head, rows + (size_t)7 * A_PHOTO * DIM, 1, NULL, NULL);
    assert_true(hits[0].template_id == 7 * A_PHOTO + 1);
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "p7", NULL, 0, 0, &err), &err);
    assert_int_equal(report.n_left, 0);
    /* The file is there without them, and the next search need not make it anew. */
    assert_int_equal(dpli_snapshot_read(&index, snapshot_of(dir), kit_file_key(dir), NULL), DPL_OK);
    assert_int_equal(index.n, BIG + 29 * A_PHOTO);
    dpli_index_clear(&index);
    right(gallery, head);
    assert_null(strstr(dpl_gallery_notice(gallery), "rebuilt"));
    for (size_t i = 0; i < A_PHOTO; i++) {
        search(hits, gallery, head, rows + ((size_t)7 * A_PHOTO + i) * DIM, 1, NULL, NULL);
        for (int j = 0; j < K; j++)
            assert_false(hits[j].template_id > 7 * A_PHOTO && hits[j].template_id <= 8 * A_PHOTO);
    }
    /* And in no file: the forgotten vectors' bytes. */
    assert_true(exists(snapshot_of(dir)));
    assert_int_equal(kit_files_with(dir, rows + (size_t)7 * A_PHOTO * DIM, DIM * sizeof *rows), 0);
    assert_int_equal(kit_files_with(dir, rows + (size_t)8 * A_PHOTO * DIM, DIM * sizeof *rows),
                     kit_is_sealed() ? 0 : 2);
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

/* A reader that holds an index is told by the same rows as one that makes it. */
static void what_is_taken_back_is_found_as_it_was(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, 20), *reader;
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpl_forget_report report;
    dpl_merge_report merged;
    dpl_error err;

    (void)state;
    reader = kit_open(dir, DPL_GALLERY_READ);
    right(reader, head);
    for (int way = 0; way < 5; way++) {
        switch (way) {
        case 0: put_photos(gallery, 20, 1); break;
        /* Again, with other vectors. */
        case 1: kit_expect(DPL_OK, kit_put(gallery, 3, "/photo/3", "p3", 4, &err), &err); break;
        case 2: kit_expect(DPL_OK, dpl_gallery_assign(gallery, 401, "p9", &err), &err); break;
        case 3:
            kit_expect(DPL_OK, dpl_gallery_merge(&merged, gallery, "p5", "p6", &err), &err);
            break;
        default: kit_expect(DPL_OK, kit_put(gallery, 5, "/photo/4", NULL, 0, &err), &err); break;
        }
        right(reader, head);
        right(gallery, head);
        kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
        right(reader, head);
        right(gallery, head);
        kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err); /* the change again */
        right(reader, head);
        kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err);
    }
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "p9", NULL, 0, 0, &err), &err);
    right(reader, head);
    dpl_gallery_close(reader);
    dpl_head_free(head);
    kit_end(gallery, dir);
}

/* How many rows a handle reads: its store's operations, counted. */
static dpli_store_ops counted;
static const dpli_store_ops *behind;
static size_t n_all, n_single;

static dpl_status count_all(dpli_store *store, int64_t model_id, bool with_bytes,
                            dpli_on_vector *fn, void *ctx, dpl_error *e)
{
    n_all++;
    return behind->each_vector(store, model_id, with_bytes, fn, ctx, e);
}

static dpl_status count_single(dpli_store *store, const dpli_template_query *query,
                               dpli_on_template *fn, void *ctx, dpl_error *e)
{
    n_single++;
    return behind->each_template(store, query, fn, ctx, e);
}

/* From here on; one handle at a time. */
static void count_rows(dpl_gallery *gallery)
{
    behind = gallery->store->ops;
    counted = *behind;
    counted.each_vector = count_all;
    counted.each_template = count_single;
    gallery->store->ops = &counted;
    n_all = n_single = 0;
}

/* What a search reads, which is right. */
static size_t n_read(dpl_gallery *reader, const dpl_head *head)
{
    dpl_hit hits[K];
    size_t n;

    n_all = n_single = 0;
    search(hits, reader, head, rows, 1, NULL, NULL);
    assert_int_equal(n_all, 0);
    n = n_single;
    right(reader, head);
    return n;
}

static void a_small_change_is_followed_without_reading_the_gallery(void **state)
{
    enum { N_CHANGES = 7 };
    size_t n[2][N_CHANGES];
    dpl_head *head = make_head(DPL_HEAD_COSINE);

    (void)state;
    for (int size = 0; size < 2; size++) {
        char *dir;
        dpl_gallery *gallery = new_gallery(&dir, size ? 40 : 20), *reader;
        dpl_merge_report merged;
        dpl_forget_report report;
        dpl_error err;

        kit_put_well(gallery, 5, "/few/1", "few", 3);
        kit_put_well(gallery, 7, "/few/2", "others", 3);
        reader = kit_open(dir, DPL_GALLERY_READ); /* with an index of its own */
        count_rows(reader);
        right(reader, head);
        for (int i = 0; i < N_CHANGES; i++) {
            switch (i) {
            case 0: kit_put_well(gallery, 9, "/few/3", "few", 3); break;
            case 1:
            case 2: kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err); break;
            case 3: kit_expect(DPL_OK, dpl_gallery_assign(gallery, 401, "p9", &err), &err); break;
            case 4: kit_expect(DPL_OK, dpl_gallery_undo(gallery, &err), &err); break;
            case 5:
                kit_expect(DPL_OK, dpl_gallery_merge(&merged, gallery, "others", "few", &err),
                           &err);
                break;
            default:
                kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "few", NULL, 0, 0, &err),
                           &err);
            }
            /* Taken back, what went has its old number again: an index that let it go is made anew.
             */
            if (i == 2) {
                right(reader, head);
                n[size][i] = 0;
                continue;
            }
            n[size][i] = n_read(reader, head);
            assert_true(n[size][i] > 0);
        }
        dpl_gallery_close(reader);
        kit_end(gallery, dir);
    }
    assert_memory_equal(n[0], n[1], sizeof n[0]);
    dpl_head_free(head);
}

static void a_file_is_brought_up_to_date_without_reading_the_gallery(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpl_error err;

    (void)state;
    right(gallery, head);
    assert_true(exists(snapshot_of(dir)));
    kit_put_well(gallery, 9, "/few/3", "few", 3);
    kit_expect(DPL_OK, dpl_gallery_assign(gallery, 401, "p9", &err), &err);
    dpl_gallery_close(gallery);
    gallery = kit_open(dir, DPL_GALLERY_READ);
    count_rows(gallery);
    assert_true(n_read(gallery, head) > 0);
    dpl_gallery_close(gallery);
    kit_drop(dir);
    dpl_head_free(head);
}

static int64_t number(dpl_gallery *gallery, const char *sql)
{
    dpl_error err;
    int64_t n;

    kit_expect(DPL_OK, dpli_db_int(&n, kit_db(gallery), sql, &err), &err);
    return n;
}

/* Whatever the table of what was touched lacks or says wrongly. */
static void what_is_not_known_to_be_touched_has_all_read(void **state)
{
    static const char *const damages[] = {
        "DELETE FROM touched",
        "DELETE FROM touched WHERE generation = (SELECT max(generation) FROM touched)",
        "DELETE FROM touched WHERE generation = (SELECT max(generation) - 1 FROM touched)",
        "DELETE FROM touched WHERE generation < (SELECT max(generation) - 1 FROM touched)",
        "UPDATE touched SET ids = x''",
        "UPDATE touched SET ids = substr(ids, 9) WHERE length(ids) > 8",
        "UPDATE touched SET ids = substr(ids, 2) WHERE length(ids) > 8",
        "UPDATE touched SET ids = zeroblob(1000000)",
        "UPDATE touched SET sum = sum - 1",
        "UPDATE touched SET since = since - 1",
        "UPDATE touched SET generation = generation + 100",
        "INSERT INTO touched VALUES(9223372036854775807, 9223372036854775807, x'', 0)",
    };
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, 20), *reader;
    dpl_forget_report report;
    dpl_error err;

    (void)state;
    reader = kit_open(dir, DPL_GALLERY_READ);
    count_rows(reader);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        dpl_hit hits[K];
        char path[32];

        right(reader, head);
        snprintf(path, sizeof path, "/few/%zu", i);
        kit_put_well(gallery, 2 * i + 5, path, "few", 3);
        kit_expect(DPL_OK, dpl_gallery_assign(gallery, 401 + (int64_t)i, "p9", &err), &err);
        kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "few", NULL, 0, 0, &err), &err);
        kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), damages[i], &err), &err);
        n_all = 0;
        search(hits, reader, head, rows, 1, NULL, NULL);
        if (n_all == 0)
            fail_msg("\"%s\" is believed", damages[i]);
        right(reader, head);
    }
    /* The next changes are known again. */
    kit_expect(DPL_OK, dpli_db_exec(kit_db(gallery), "DELETE FROM touched", &err), &err);
    kit_put_well(gallery, 3, "/few/last", "few", 3);
    assert_true(n_read(reader, head) > 0);
    dpl_gallery_close(reader);
    kit_end(gallery, dir);
    dpl_head_free(head);
}

static void no_more_is_kept_of_what_was_touched_than_is_asked_for(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, 20), *reader;
    dpl_head *head = make_head(DPL_HEAD_COSINE);

    (void)state;
    reader = kit_open(dir, DPL_GALLERY_READ);
    assert_int_equal(number(gallery, "SELECT sum(length(ids)) FROM touched"),
                     8 * 20 * A_PHOTO); /* 2,000 */
    right(reader, head);
    put_photos(gallery, 20, 21);
    assert_int_equal(number(gallery, "SELECT count(*) FROM touched"), 0);
    right(reader, head);
    for (size_t i = 0; i < 60; i++)
        put_photos(gallery, 41 + i, 1);
    assert_true(number(gallery, "SELECT sum(length(ids)) FROM touched") <=
                8 * (DPLI_TOUCHED_MAX + 16 * A_PHOTO));
    assert_true(number(gallery, "SELECT sum(length(ids)) FROM touched") >=
                8 * (DPLI_TOUCHED_MAX - 2 * A_PHOTO));
    right(reader, head);
    dpl_gallery_close(reader);
    kit_end(gallery, dir);
    dpl_head_free(head);
}

/* What happens between a search's reading of the rows and its snapshot: the linker puts this in
   place of the writing. */
dpl_status __real_dpli_snapshot_write(const char *path, const dpli_index *index, const uint8_t *key,
                                      dpl_error *err);
dpl_status __wrap_dpli_snapshot_write(const char *path, const dpli_index *index, const uint8_t *key,
                                      dpl_error *err);
static dpl_gallery *forgets_meanwhile;

dpl_status __wrap_dpli_snapshot_write(const char *path, const dpli_index *index, const uint8_t *key,
                                      dpl_error *err)
{
    dpl_gallery *gallery = forgets_meanwhile;
    dpl_forget_report report;
    dpl_error why;

    forgets_meanwhile = NULL;
    if (gallery)
        kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "p7", NULL, 0, 0, &why), &why);
    return __real_dpli_snapshot_write(path, index, key, err);
}

static void a_snapshot_written_while_somebody_is_forgotten_does_not_stay(void **state)
{
    char *dir;
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO), *reader;
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpl_hit hits[K];

    (void)state;
    reader = kit_open(dir, DPL_GALLERY_READ);
    forgets_meanwhile = gallery;
    search(hits, reader, head, rows, 1, NULL, NULL);
    assert_null(forgets_meanwhile);
    assert_false(exists(snapshot_of(dir)));
    assert_int_equal(kit_files_with(dir, rows + (size_t)7 * A_PHOTO * DIM, DIM * sizeof *rows), 0);
    right(reader, head);
    dpl_gallery_close(reader);
    dpl_gallery_close(gallery);
    dpl_head_free(head);
    kit_drop(dir);
}

static void dropping_leaves_no_snapshot_nor_half_of_one(void **state)
{
    char *dir, path[512];
    dpl_gallery *gallery = new_gallery(&dir, BIG / A_PHOTO);
    dpl_head *head = make_head(DPL_HEAD_COSINE);

    (void)state;
    right(gallery, head);
    kit_beside(path, dir, "image.faiss.a1B2c3");
    kit_write(path, "half", 4);
    dpli_search_drop(gallery);
    assert_false(exists(snapshot_of(dir)));
    assert_false(exists(path));
    kit_beside(path, dir, "gallery.db");
    assert_true(kit_is_database() || exists(path));
    right(gallery, head);
    assert_true(exists(snapshot_of(dir)));
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ approximate */

enum { N_PROBES = 200 };

/* Share of brute force's ten that are among the ten found; every score is the head's own. */
static double recall_of(dpl_gallery *gallery, const dpl_head *head, const float *probes,
                        const dpl_search_options *options, dpl_search_info *info)
{
    static dpl_hit hits[N_PROBES * K], one[K];
    static dpli_found want[N_PROBES * K];
    dpli_vectors v;
    size_t n_hits = 0;

    search(hits, gallery, head, probes, N_PROBES, options, info);
    assert_int_equal(dpli_gallery_load(&v, gallery, "face", DIM, 1, NULL), DPL_OK);
    assert_int_equal(info->n_templates, v.n);
    assert_int_equal(dpli_flat_search(want, head, v.rows, v.n, probes, N_PROBES, K, NULL), DPL_OK);
    for (size_t i = 0; i < N_PROBES; i++) {
        for (size_t j = 0; j < K; j++) {
            const dpl_hit *hit = &hits[i * K + j];
            size_t at = 0;

            assert_true(j == 0 || hit->score <= hit[-1].score);
            n_hits += hit->score >= want[i * K + K - 1].score;
            if (i % 20)
                continue;
            while (at < v.n && v.ids[at] != hit->template_id)
                at++;
            assert_true(at < v.n);
            assert_true(hit->score == dpl_head_score(head, probes + i * DIM, v.rows + at * DIM));
            assert_true(hit->person_id == v.owners[at] && hit->photo_id == v.photos[at]);
        }
        if (i % 20 == 0) { /* a batch is as many single ones */
            search(one, gallery, head, probes + i * DIM, 1, options, NULL);
            same(one, hits + i * K, K);
        }
    }
    dpli_vectors_clear(&v);
    return (double)n_hits / (N_PROBES * K);
}

static void past_the_limit_search_is_approximate_with_the_recall_it_states(void **state)
{
    char *dir, *first, *second;
    dpl_gallery *gallery;
    const float *probes = rows + (size_t)(BIG + 10000) * DIM; /* of nobody enrolled */
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_search_info info;
    dpl_forget_report report;
    dpl_hit hits[K];
    dpli_index index;
    dpl_error err;
    double recall;
    size_t n, m;

    (void)state;
    if (kit_is_sealed()) /* which changes nothing of what is found, and this is long */
        skip();
    gallery = new_gallery(&dir, BIG / A_PHOTO);
    printf("seed %d\n", SEED);
    options.exact_up_to = 10000;
    options.min_recall = 0.95;
    for (int kind = 0; kind < 4; kind += 2) {
        dpl_head *head = make_head((dpl_head_kind)kind);

        recall = recall_of(gallery, head, probes, &options, &info);
        printf("%s: recall %.4f said, %.4f seen\n", dpl_head_name(head), info.recall, recall);
        assert_int_equal(info.exact, 0);
        assert_string_equal(info.index, "hnsw");
        assert_true(info.recall >= 0.95 && info.recall <= 1);
        /* Two standard errors of 200 probes, whose ten answers are found or missed together. */
        assert_true(recall >= 0.95 - 0.02);
        dpl_head_free(head);
    }
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    recall_of(gallery, head, probes, &options, &info);
    dpl_gallery_close(gallery);

    /* From its file it is the same, and is not tuned again. */
    first = kit_read(snapshot_of(dir), &n);
    assert_int_equal(dpli_snapshot_read(&index, snapshot_of(dir), kit_file_key(dir), NULL), DPL_OK);
    assert_true(info.recall == index.recall && info.recall < 1);
    dpli_index_clear(&index);
    gallery = kit_open(dir, DPL_GALLERY_WRITE);
    assert_true(recall_of(gallery, head, probes, &options, &info) >= 0.95 - 0.02);
    assert_int_equal(info.exact, 0);
    second = kit_read(snapshot_of(dir), &m);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    free(first);
    free(second);
    /* A higher wish, or another head, does not take it. */
    options.min_recall = 0.995;
    search(hits, gallery, head, probes, 1, &options, &info);
    assert_true(info.recall >= 0.995);
    options.min_recall = 0.95;

    /* After adding, in the lists that there are. */
    put_photos(gallery, BIG / A_PHOTO, 20);
    recall = recall_of(gallery, head, probes, &options, &info);
    printf("after adding: %.4f\n", recall);
    assert_true(!info.exact && recall >= 0.95 - 0.02);
    search(hits, gallery, head, rows + (size_t)(BIG + 777) * DIM, 1, &options, NULL);
    assert_true(hits[0].template_id > BIG && hits[0].score > 0.9999f);

    /* After removing. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, gallery, "p3", NULL, 0, 0, &err), &err);
    assert_int_equal(report.n_left, 0);
    recall = recall_of(gallery, head, probes, &options, &info);
    printf("after removing: %.4f\n", recall);
    assert_true(!info.exact && recall >= 0.95 - 0.02);
    for (size_t i = 0; i < A_PHOTO; i++) {
        search(hits, gallery, head, rows + ((size_t)3 * A_PHOTO + i) * DIM, 1, &options, NULL);
        for (int j = 0; j < K; j++)
            assert_false(hits[j].template_id > 3 * A_PHOTO && hits[j].template_id <= 4 * A_PHOTO);
    }
    dpl_head_free(head);
    dpl_gallery_close(gallery);
    kit_drop(dir);
}

/* ------------------------------------------------------------------ threads */

static dpl_gallery *again(const dpl_gallery *gallery)
{
    dpl_gallery *out;
    dpl_error err;

    kit_expect(DPL_OK, dpl_gallery_open_again(&out, gallery, &err), &err);
    return out;
}

/* The index on the shelf, only to be compared. */
static const void *on_shelf(const dpl_gallery *gallery)
{
    dpli_held *held = dpli_shelf_hold(gallery->shelf, DPLI_FACE_SPACE);

    dpli_shelf_release(gallery->shelf, held);
    return held;
}

static void handles_on_one_gallery_share_one_index(void **state)
{
    char *dir;
    dpl_gallery *writer = new_gallery(&dir, 20), *one = again(writer), *two = again(one);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    dpl_forget_report report;
    const void *first, *second;
    dpli_held *held;
    dpl_hit hits[K];
    dpl_error err;

    (void)state;
    assert_null(on_shelf(writer));
    search(hits, one, head, rows, 1, NULL, NULL);
    first = on_shelf(one);
    assert_non_null(first);
    search(hits, two, head, rows, 1, NULL, NULL);
    search(hits, writer, head, rows, 1, NULL, NULL);
    assert_ptr_equal(on_shelf(two), first);

    /* Whoever searches while the gallery changes keeps what they hold; who comes after has the new
       one, made once. */
    held = dpli_shelf_hold(one->shelf, DPLI_FACE_SPACE);
    put_photos(writer, 20, 1);
    right(two, head);
    second = on_shelf(two);
    assert_ptr_not_equal(second, first);
    assert_int_equal(held->index.n, 20 * A_PHOTO);
    right(one, head);
    right(writer, head);
    assert_ptr_equal(on_shelf(one), second);
    dpli_shelf_release(one->shelf, held);

    /* Nothing of what is forgotten stays in memory for the others. */
    kit_expect(DPL_OK, dpl_gallery_forget(&report, writer, "p3", NULL, 0, 0, &err), &err);
    assert_int_equal(report.n_left, 0);
    held = dpli_shelf_hold(two->shelf, DPLI_FACE_SPACE);
    assert_true(!held || held->index.n < 21 * A_PHOTO);
    dpli_shelf_release(two->shelf, held);
    right(two, head);

    /* The first to open may be the first to go. */
    dpl_gallery_close(writer);
    right(one, head);
    dpl_gallery_close(one);
    right(two, head);
    dpl_gallery_close(two);
    dpl_head_free(head);
    kit_drop(dir);
}

/* Searches within a walk, during which it goes on seeing the gallery as the walk began. */
typedef struct walker {
    dpl_gallery *writer, *reader;
    const dpl_head *head;
    int n;
} walker;

static dpl_status change_and_search(void *ctx, const dpl_photo_row *row)
{
    walker *w = ctx;
    dpl_search_info info;
    dpl_hit hits[K];

    (void)row;
    if (w->n++ > 0)
        return DPL_OK;
    put_photos(w->writer, 20, 1);
    search(hits, w->writer, w->head, rows, 1, NULL, &info);
    assert_int_equal(info.n_templates, 21 * A_PHOTO);
    search(hits, w->reader, w->head, rows, 1, NULL, &info);
    assert_int_equal(info.n_templates, 20 * A_PHOTO);
    search(hits, w->writer, w->head, rows, 1, NULL, &info);
    assert_int_equal(info.n_templates, 21 * A_PHOTO);
    return DPL_OK;
}

static void a_search_within_a_walk_sees_what_the_walk_sees(void **state)
{
    char *dir;
    dpl_gallery *writer = new_gallery(&dir, 20);
    walker w = {writer, again(writer), make_head(DPL_HEAD_COSINE), 0};
    const void *shared;

    (void)state;
    right(w.reader, w.head);
    kit_expect(DPL_OK, dpl_gallery_each_photo(w.reader, NULL, change_and_search, &w, NULL), NULL);
    shared = on_shelf(writer);
    right(w.reader, w.head);
    assert_ptr_equal(on_shelf(writer), shared);
    dpl_head_free((dpl_head *)(uintptr_t)w.head);
    dpl_gallery_close(w.reader);
    dpl_gallery_close(writer);
    kit_drop(dir);
}

typedef struct searcher {
    dpl_gallery *gallery;
    const dpl_head *head;
    int32_t k;
    atomic_int *stop;
    int n_searches, n_wrong;
} searcher;

/* Each probe is a vector of the gallery's first photos, which stay: it finds itself first. */
static void *search_on(void *ctx)
{
    searcher *s = ctx;
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_hit hits[30];

    options.exact_up_to = 3000;
    options.k = s->k;
    for (size_t i = 0; !atomic_load(s->stop) || s->n_searches < 20; i = (i + 37) % 1000) {
        if (dpl_gallery_search(hits, s->gallery, s->head, "face", rows + i * DIM, 1, DIM, &options,
                               NULL, NULL) != DPL_OK ||
            hits[0].template_id != (int64_t)i + 1 || hits[0].score < 0.9999f)
            s->n_wrong++;
        s->n_searches++;
    }
    return NULL;
}

/* From exact to approximate and on, under threads that ask for few and for many, so that they want
   to visit different numbers of lists. */
static void forget_and_put_back(dpl_gallery *writer)
{
    dpl_forget_report report;
    dpl_error err;
    dpl_status status = dpl_gallery_forget(&report, writer, "p22", NULL, 0, 0, &err);

    /* A reader may be in the way of the last step, for as long as it reads. */
    if (status != DPL_E_LOCKED)
        kit_expect(DPL_OK, status, &err);
    put_photos(writer, 22, 1);
}

static void threads_search_while_a_writer_adds_and_forgets(void **state)
{
    enum { N_THREADS = 4 };
    char *dir;
    dpl_gallery *writer = new_gallery(&dir, 20);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    searcher searchers[N_THREADS];
    pthread_t threads[N_THREADS];
    atomic_int stop = 0;

    (void)state;
    for (int t = 0; t < N_THREADS; t++) {
        searchers[t] = (searcher){again(writer), head, t % 2 ? 30 : 1, &stop, 0, 0};
        assert_int_equal(pthread_create(&threads[t], NULL, search_on, &searchers[t]), 0);
    }
    for (size_t i = 0; i < 15; i++) {
        put_photos(writer, 20 + i, 1);
        if (i % 5 == 4)
            forget_and_put_back(writer);
    }
    atomic_store(&stop, 1);
    for (int t = 0; t < N_THREADS; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(searchers[t].n_wrong, 0);
        assert_true(searchers[t].n_searches >= 20);
        dpl_gallery_close(searchers[t].gallery);
    }
    dpl_head_free(head);
    dpl_gallery_close(writer);
    kit_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_ranks_its_own_way),
        cmocka_unit_test(an_empty_gallery_and_too_large_a_k_give_missing_hits),
        cmocka_unit_test(equal_vectors_come_by_rising_id),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_snapshot_is_written_once_and_then_used),
        cmocka_unit_test(an_encrypted_gallery_has_a_snapshot_from_fewer_templates_on),
        cmocka_unit_test(a_damaged_or_foreign_snapshot_is_rebuilt_and_it_is_said),
        cmocka_unit_test(a_snapshot_of_what_a_copy_took_back_is_not_believed),
        cmocka_unit_test(a_snapshot_cut_while_it_is_in_use_is_rebuilt_and_it_is_said),
        cmocka_unit_test(an_index_tells_how_it_searches),
        cmocka_unit_test(a_folder_that_takes_no_file_is_searched_all_the_same),
        cmocka_unit_test(what_is_added_is_found_and_what_is_removed_is_not),
        cmocka_unit_test(what_is_taken_back_is_found_as_it_was),
        cmocka_unit_test(a_small_change_is_followed_without_reading_the_gallery),
        kit_unit_test_of_folder(a_file_is_brought_up_to_date_without_reading_the_gallery),
        kit_unit_test_of_folder(what_is_not_known_to_be_touched_has_all_read),
        kit_unit_test_of_folder(no_more_is_kept_of_what_was_touched_than_is_asked_for),
        cmocka_unit_test(a_snapshot_written_while_somebody_is_forgotten_does_not_stay),
        cmocka_unit_test(dropping_leaves_no_snapshot_nor_half_of_one),
        cmocka_unit_test(handles_on_one_gallery_share_one_index),
        /* Rows of an encrypted gallery are gathered before the first is told. */
        cmocka_unit_test(a_search_within_a_walk_sees_what_the_walk_sees),
        cmocka_unit_test(threads_search_while_a_writer_adds_and_forgets),
        unit_test_unless_slowed(past_the_limit_search_is_approximate_with_the_recall_it_states),
    };

    return cmocka_run_group_tests(tests, NULL, drop_big);
}
