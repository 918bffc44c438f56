/*
 * test_search_snapshot.c - the file of an index: back from disk it answers alike and is written
 * alike; cut or changed anywhere it is refused, or found when a vector is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "index/retrieve.h"
#include "tests/index/vectors.h"

enum { DIM = 4 };
#define SEED 20240616

static dpli_index make(size_t n, int64_t exact_up_to, const dpl_head *head)
{
    dpli_vectors v = {.n = n, .dim = DIM, .generation = 42};
    dpli_index index;
    dpli_rng rng;

    v.ids = malloc(n * sizeof *v.ids);
    v.owners = malloc(n * sizeof *v.owners);
    v.photos = malloc(n * sizeof *v.photos);
    v.rows = malloc(n * DIM * sizeof *v.rows);
    dpli_rng_seed(&rng, SEED);
    make_clusters(v.rows, n, DIM, 100, 1, &rng);
    for (size_t i = 0; i < n; i++) {
        v.ids[i] = (int64_t)(2 * i + 1);
        v.owners[i] = (int64_t)(i % 7);
        v.photos[i] = (int64_t)(i / 2);
    }
    assert_int_equal(dpli_index_make(&index, &v, head, (dpli_wish){exact_up_to, 0.9}, NULL),
                     DPL_OK);
    memcpy(index.identity, "0123456789abcdef0123456789abcdef", 33);
    return index;
}

static dpl_head *cosine(void)
{
    dpl_head *head = NULL;

    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, DIM, NULL, 0, NULL), DPL_OK);
    return head;
}

static uint8_t *bytes_of(size_t *n, const char *path)
{
    uint8_t *bytes = NULL;

    assert_int_equal(dpli_file_read(&bytes, n, path, SIZE_MAX / 2, NULL), DPL_OK);
    return bytes;
}

/* A new file each time: what replaces another's content is brought to the disk by some file
   systems, and a thousand of them need not be. */
static void write_bytes(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *file;

    unlink(path);
    file = fopen(path, "wb");
    assert_true(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
}

static void saved_loaded_and_saved_again_is_the_same_file(void **state)
{
    dpl_head *head = cosine();

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        dpli_index index = make(3000, kind ? 0 : 5000, head), again;
        dpli_found a[40], b[40];
        const float probes[4 * DIM] = {1, 2, 3, 4, -1, 1, -1, 1, 0.5f, 0, 0, -9, 3, 1, 1, 1};
        uint8_t *first, *second;
        size_t n, m;

        assert_int_equal(dpli_index_is_approximate(&index), kind);
        assert_int_equal(dpli_index_search(a, &index, head, probes, 4, 10, NULL), DPL_OK);
        assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, NULL), DPL_OK);
        assert_int_equal(dpli_snapshot_read(&again, "a.faiss", NULL, NULL), DPL_OK);
        assert_int_equal(again.generation, 42);
        assert_string_equal(again.identity, index.identity);
        assert_int_equal(again.n, 3000);
        assert_int_equal(again.dim, DIM);
        assert_true(again.min_norm == index.min_norm && again.max_norm == index.max_norm);
        assert_true(again.head_sum == index.head_sum && again.recall == index.recall);
        assert_true(again.width == index.width && again.wide == index.wide);
        assert_true(again.n_changed == index.n_changed && again.n_compared == index.n_compared);
        assert_memory_equal(again.ids, index.ids, 3000 * sizeof *index.ids);
        assert_memory_equal(again.owners, index.owners, 3000 * sizeof *index.ids);
        assert_memory_equal(again.photos, index.photos, 3000 * sizeof *index.ids);
        assert_int_equal(dpli_index_search(b, &again, head, probes, 4, 10, NULL), DPL_OK);
        for (int i = 0; i < 40; i++)
            assert_true(a[i].at == b[i].at && a[i].score == b[i].score);
        assert_int_equal(dpli_snapshot_write("b.faiss", &again, NULL, NULL), DPL_OK);
        first = bytes_of(&n, "a.faiss");
        second = bytes_of(&m, "b.faiss");
        assert_int_equal(n, m);
        assert_memory_equal(first, second, n);
        free(first);
        free(second);
        dpli_index_clear(&index);
        dpli_index_clear(&again);
    }
    dpl_head_free(head);
}

static void a_file_cut_or_changed_anywhere_is_refused(void **state)
{
    dpl_head *head = cosine();
    dpli_index index = make(20, 100, head), read;
    uint8_t *bytes;
    dpl_error err;
    size_t n;

    (void)state;
    assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, NULL), DPL_OK);
    bytes = bytes_of(&n, "a.faiss");
    for (size_t cut = 0; cut < n; cut++) {
        write_bytes("a.faiss", bytes, cut);
        if (dpli_snapshot_read(&read, "a.faiss", NULL, &err) != DPL_E_INPUT)
            fail_msg("cut to %zu of %zu bytes and not refused", cut, n);
        assert_int_equal(read.vectors.n, 0);
    }
    for (size_t at = 0; at < n; at++) {
        for (int bit = 0; bit < 8; bit += 3) {
            bytes[at] ^= (uint8_t)(1 << bit);
            write_bytes("a.faiss", bytes, n);
            /* Vectors are checked when they are looked at. */
            if (dpli_snapshot_read(&read, "a.faiss", NULL, &err) != DPL_E_INPUT &&
                dpli_rows_check(&read.vectors, &err) != DPL_E_INPUT)
                fail_msg("bit %d of byte %zu changed and not refused", bit, at);
            dpli_index_clear(&read);
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    }
    write_bytes("a.faiss", bytes, n);
    assert_int_equal(dpli_snapshot_read(&read, "a.faiss", NULL, &err), DPL_OK);
    dpli_index_clear(&read);
    free(bytes);
    dpli_index_clear(&index);
    dpl_head_free(head);
}

static void ids_out_of_order_are_refused_though_the_sum_is_right(void **state)
{
    dpl_head *head = cosine();
    dpli_index index = make(20, 100, head), read;
    dpl_error err;

    (void)state;
    index.ids[7] = index.ids[6];
    assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, NULL), DPL_OK);
    assert_int_equal(dpli_snapshot_read(&read, "a.faiss", NULL, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "the ids are not in order");
    assert_int_equal(read.vectors.n, 0);
    dpli_index_clear(&index);
    dpl_head_free(head);
}

static void what_is_not_a_file_is_refused_and_what_is_not_there_not_found(void **state)
{
    dpli_index read;

    (void)state;
    unlink("pipe.faiss");
    assert_int_equal(mkfifo("pipe.faiss", 0600), 0);
    mkdir("folder.faiss", 0700);
    assert_int_equal(dpli_snapshot_read(&read, "pipe.faiss", NULL, NULL), DPL_E_INPUT);
    assert_int_equal(dpli_snapshot_read(&read, "folder.faiss", NULL, NULL), DPL_E_INPUT);
    assert_int_equal(dpli_snapshot_read(&read, "nothing.faiss", NULL, NULL), DPL_E_NOT_FOUND);
    unlink("pipe.faiss");
    rmdir("folder.faiss");
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
    dpl_head *head = cosine();
    dpli_index index = make(20, 100, head), read;
    dpl_error err = {0};
    struct rlimit old;
    uint8_t *bytes;
    size_t n, m;
    glob_t half;

    (void)state;
    assert_int_equal(dpli_snapshot_write("no/such/folder/a.faiss", &index, NULL, &err),
                     DPL_E_SYSTEM);
    mkdir("taken.faiss", 0700);
    assert_int_equal(dpli_snapshot_write("taken.faiss", &index, NULL, &err), DPL_E_SYSTEM);
    rmdir("taken.faiss");
    /* A disk that is full within the vectors, within the rest, and at the last byte. */
    assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, NULL), DPL_OK);
    bytes = bytes_of(&n, "a.faiss");
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    for (int where = 0; where < 3; where++) {
        const struct rlimit full = {where == 0 ? 100 : where == 1 ? n - 300 : n - 1, old.rlim_max};
        uint8_t *now;

        setrlimit(RLIMIT_FSIZE, &full);
        assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, &err), DPL_E_SYSTEM);
        setrlimit(RLIMIT_FSIZE, &old);
        now = bytes_of(&m, "a.faiss");
        assert_int_equal(m, n);
        assert_memory_equal(now, bytes, n);
        free(now);
        assert_int_equal(glob("a.faiss.*", 0, NULL, &half), GLOB_NOMATCH);
    }
    free(bytes);
    assert_int_equal(dpli_snapshot_read(&read, "a.faiss", NULL, NULL), DPL_OK);
    dpli_index_clear(&read);
    dpli_index_clear(&index);
    dpl_head_free(head);
}

static void a_file_cut_while_it_is_searched_is_an_error_and_no_crash(void **state)
{
    dpl_head *head = cosine();

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        dpli_index index = make(3000, kind ? 0 : 5000, head), read, copy;
        const float probe[DIM] = {1, 2, 3, 4};
        dpli_found found[2600];
        dpl_error err;

        assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, NULL), DPL_OK);
        assert_int_equal(dpli_snapshot_read(&read, "a.faiss", NULL, NULL), DPL_OK);
        assert_int_equal(dpli_index_copy(&copy, &read, NULL), DPL_OK);
        assert_int_equal(dpli_index_search(found, &read, head, probe, 1, 10, NULL), DPL_OK);
        /* As when another is copied over it. */
        assert_int_equal(truncate("a.faiss", 100), 0);
        assert_int_equal(dpli_index_search(found, &read, head, probe, 1, 10, &err), DPL_E_INPUT);
        assert_string_equal(err.message, "the index has been cut short");
        assert_int_equal(dpli_index_search(found, &copy, head, probe, 1, 10, NULL), DPL_E_INPUT);
        /* So many that every vector is compared. */
        assert_int_equal(dpli_index_search(found, &read, head, probe, 1, 2600, NULL), DPL_E_INPUT);
        assert_int_equal(dpli_snapshot_write("b.faiss", &read, NULL, NULL), DPL_E_INPUT);
        dpli_index_clear(&read);
        dpli_index_clear(&copy);
        dpli_index_clear(&index);
    }
    dpl_head_free(head);
}

static void vectors_in_the_file_and_added_ones_are_searched_as_one(void **state)
{
    enum { N = 20000, K = 7, P = 3 };
    dpl_head *head = cosine();
    dpli_index index = make(N, INT64_MAX, head), read;
    const float more[3 * DIM] = {1, 2, 3, 4, 9, 9, -9, 9, 1, 2, 3, 4};
    const float probes[P * DIM] = {1, 2, 3, 4, 9, 9, -9, 9, -1, 0, 0, 1};
    dpli_found *want = malloc((size_t)P * N * sizeof *want);
    dpli_found *got = malloc((size_t)P * N * sizeof *got);
    bool done;

    (void)state;
    assert_true(want && got);
    assert_int_equal(dpli_snapshot_write("a.faiss", &index, NULL, NULL), DPL_OK);
    assert_int_equal(dpli_snapshot_read(&read, "a.faiss", NULL, NULL), DPL_OK);
    assert_int_equal(dpli_index_extend(&done, &index, more, 3, NULL), DPL_OK);
    assert_int_equal(dpli_index_extend(&done, &read, more, 3, NULL), DPL_OK);
    for (size_t k = K; k <= N; k += N - K) { /* by codes, and all of them in blocks */
        assert_int_equal(dpli_index_search(want, &index, head, probes, P, k, NULL), DPL_OK);
        assert_int_equal(dpli_index_search(got, &read, head, probes, P, k, NULL), DPL_OK);
        for (size_t i = 0; i < P * k; i++)
            assert_true(got[i].at == want[i].at && got[i].score == want[i].score);
        assert_true(got[k].at == N + 1);
    }
    /* One of those in the file and an added one go. */
    for (int round = 0; round < 2; round++) {
        char *is_gone = calloc(N + 3, 1);
        const size_t goes = round ? N + 1 : got[2 * N].at;

        assert_non_null(is_gone);
        is_gone[goes] = 1;
        assert_int_equal(dpli_index_take_out(&done, &read, is_gone, 1, NULL), DPL_OK);
        assert_true(done);
        for (size_t k = K; k <= N; k += N - K) {
            assert_int_equal(dpli_index_search(got, &read, head, probes, P, k, NULL), DPL_OK);
            for (size_t i = 0; i < P * k; i++)
                assert_true(got[i].at != goes);
        }
        free(is_gone);
    }
    free(want);
    free(got);
    dpli_index_clear(&read);
    dpli_index_clear(&index);
    dpl_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_loaded_and_saved_again_is_the_same_file),
        cmocka_unit_test(a_file_cut_or_changed_anywhere_is_refused),
        cmocka_unit_test(ids_out_of_order_are_refused_though_the_sum_is_right),
        cmocka_unit_test(what_is_not_a_file_is_refused_and_what_is_not_there_not_found),
        cmocka_unit_test(a_write_that_fails_leaves_the_old_file),
        cmocka_unit_test(a_file_cut_while_it_is_searched_is_an_error_and_no_crash),
        cmocka_unit_test(vectors_in_the_file_and_added_ones_are_searched_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
