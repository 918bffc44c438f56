/*
 * test_snapshot_cuts.c - a search is killed, or power goes, while it writes its index to a file:
 * the next search has the right answers, says what it found and leaves the file whole.
 *
 * Killed: at bytes of the file (the limit on a file's size ends the process there), and before and
 * after each call that brings the file to its name; with a file without a name, and where the file
 * system has none. Torn: the name is there, and what it names is a mixture of the new, the old and
 * nothing, as of a disk that brings a rename to itself before the content.
 *
 * What is random comes from DOPPEL_SEED, or else from the clock, and is printed; DOPPEL_ROUNDS says
 * how many torn files there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "doppel/doppel.h"
#include "tests/index/gallery_kit.h"
#include "tests/slowed.h"

/* As many templates as make an index worth a file. */
enum { A_PHOTO = 1000, N_PHOTOS = 20, N_MORE = 1, N_PROBES = 4, K = 5, SECTOR = 512 };

static dpl_error err;
static dpli_rng rng;
static long n_rounds = 40;
static dpl_head *head;
static float probes[N_PROBES * KIT_DIM];

/* ------------------------------------------------------------------ calls that end the process */

static int die_before, die_after, fail_at, n_calls; /* 0: none */
static bool no_nameless;

static int note_call(void)
{
    n_calls++;
    if (n_calls == die_before)
        raise(SIGKILL);
    if (n_calls == fail_at)
        errno = EIO;
    return n_calls == fail_at ? -1 : 0;
}

static int end_call(int result)
{
    if (n_calls == die_after)
        raise(SIGKILL);
    return result;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return note_call() != 0 ? -1 : end_call(__real_fsync(fd));
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    return note_call() != 0 ? -1 : end_call(__real_rename(from, to));
}

int __real_linkat(int from_at, const char *from, int to_at, const char *to, int flags);
int __wrap_linkat(int from_at, const char *from, int to_at, const char *to, int flags);
int __wrap_linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    return note_call() != 0 ? -1 : end_call(__real_linkat(from_at, from, to_at, to, flags));
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    return note_call() != 0 ? -1 : end_call(__real_fchmod(fd, mode));
}

/* By which it is asked whether a file without a name can be named later. */
int __real_access(const char *path, int how);
int __wrap_access(const char *path, int how);
int __wrap_access(const char *path, int how)
{
    return no_nameless && strncmp(path, "/proc/", 6) == 0 ? -1 : __real_access(path, how);
}

/* ------------------------------------------------------------------ galleries and searches */

static void put_photos(dpl_gallery *gallery, size_t first, size_t n)
{
    static dpl_new_template templates[A_PHOTO];
    static float vectors[A_PHOTO * KIT_DIM];

    for (size_t number = first; number < first + n; number++) {
        char path[32], person[32], sha256[65];
        dpl_new_photo photo = {.row = {.path = path,
                                       .person = person,
                                       .sha256 = sha256,
                                       .reason = "",
                                       .options = "",
                                       .n_faces = A_PHOTO},
                               .templates = templates,
                               .n_templates = A_PHOTO};
        dpli_rng numbers;

        dpli_rng_seed(&numbers, 100 + number);
        snprintf(path, sizeof path, "/photo/%zu", number);
        snprintf(person, sizeof person, "p%zu", number);
        snprintf(sha256, sizeof sha256, "%064zx", number);
        for (size_t i = 0; i < A_PHOTO; i++) {
            float *v = vectors + i * KIT_DIM, norm = 0;

            for (size_t k = 0; k < KIT_DIM; k++) {
                v[k] = (float)dpli_rng_normal(&numbers);
                norm += v[k] * v[k];
            }
            for (size_t k = 0; k < KIT_DIM; k++)
                v[k] /= sqrtf(norm);
            templates[i] = (dpl_new_template){.space = "face", .vector = v, .dim = KIT_DIM};
            strcpy(templates[i].face.quality.weakest, "size");
        }
        kit_expect(DPL_OK, dpl_gallery_put(gallery, &photo, 1, &err), &err);
    }
}

static dpl_status search(dpl_hit hits[N_PROBES * K], dpl_gallery *gallery)
{
    dpl_search_options o = DPL_SEARCH_OPTIONS_INIT;
    dpl_search_info info;

    o.k = K;
    return dpl_gallery_search(hits, gallery, head, "face", probes, N_PROBES, KIT_DIM, &o, &info,
                              &err);
}

/* What an undisturbed search gives and leaves. */
typedef struct reference {
    dpl_hit hits[N_PROBES * K];
    char *file;
    size_t n_file;
} reference;

static void make_reference(reference *r, const char *dir, const char *file)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_READ);

    kit_expect(DPL_OK, search(r->hits, gallery), &err);
    dpl_gallery_close(gallery);
    r->file = kit_read(file, &r->n_file);
}

static void assert_same_hits(const dpl_hit *a, const dpl_hit *b)
{
    for (int i = 0; i < N_PROBES * K; i++)
        assert_true(a[i].template_id == b[i].template_id && a[i].photo_id == b[i].photo_id &&
                    a[i].person_id == b[i].person_id && a[i].score == b[i].score);
}

/* The next search: right, with a word when what it found is not whole, and all is well again. */
static void check_search(const char *dir, const char *file, const reference *r, bool damaged)
{
    dpl_gallery *gallery = kit_open(dir, DPL_GALLERY_READ);
    dpl_hit hits[N_PROBES * K];
    const struct dirent *entry;
    char *bytes;
    size_t n;
    DIR *folder;

    kit_expect(DPL_OK, search(hits, gallery), &err);
    assert_same_hits(hits, r->hits);
    if (damaged)
        assert_non_null(strstr(dpl_gallery_notice(gallery),
                               "was damaged and has been rebuilt from the gallery"));
    else
        assert_null(strstr(dpl_gallery_notice(gallery), "damaged"));
    dpl_gallery_close(gallery);
    bytes = kit_read(file, &n);
    assert_int_equal(n, r->n_file);
    assert_memory_equal(bytes, r->file, n);
    free(bytes);
    folder = opendir(dir);
    assert_non_null(folder);
    for (entry = readdir(folder); entry; entry = readdir(folder))
        assert_null(strstr(entry->d_name, ".doppel-"));
    closedir(folder);
}

/* A search in a process of its own, which a limit on the file's size or a call may end. Whether it
 * was ended. */
static bool search_aside(const char *dir, rlim_t limit)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit at_most = {limit, RLIM_INFINITY}, no_core = {0, 0};
        dpl_hit hits[N_PROBES * K];
        dpl_gallery *gallery;

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGXFSZ, SIG_DFL);
        if (dpl_gallery_open(&gallery, dir, DPL_GALLERY_READ, NULL) != DPL_OK)
            _exit(1);
        /* From here on nothing else is written. */
        n_calls = 0;
        if (setrlimit(RLIMIT_FSIZE, &at_most) != 0 || search(hits, gallery) != DPL_OK)
            _exit(1);
        die_before = die_after = fail_at = 0;
        dpl_gallery_close(gallery);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* Put the file as it was before: of an older gallery, or none. */
static void put_before(const char *file, const reference *old)
{
    unlink(file);
    if (old)
        kit_write(file, old->file, old->n_file);
}

static bool is_whole(const char *file, const reference *r)
{
    size_t n;
    char *bytes = kit_read(file, &n);
    const bool same = n == r->n_file && memcmp(bytes, r->file, n) == 0;

    free(bytes);
    return same;
}

/* ------------------------------------------------------------------ tests */

typedef struct bench {
    char *dir, file[300];
    reference old, now;
} bench;

/* The name is of the old file, of none or of the whole new one: never of a part. */
static void check_after_a_kill(const bench *b, const reference *old)
{
    if (access(b->file, F_OK) == 0)
        assert_true(is_whole(b->file, &b->now) || (old && is_whole(b->file, old)));
    else
        assert_null(old);
    check_search(b->dir, b->file, &b->now, false);
}

static void killed_at_any_byte_of_the_file_nothing_is_lost(void **state)
{
    const bench *b = *state;
    const size_t step = b->now.n_file / 24;
    int n_killed = 0;

    for (int with_old = 0; with_old < 2; with_old++)
        for (int nameless = 0; nameless < 2; nameless++)
            for (size_t at = 0; at < b->now.n_file + step;
                 at += 1 + dpli_rng_below(&rng, 2 * step)) {
                const reference *old = with_old ? &b->old : NULL;
                bool killed;

                put_before(b->file, old);
                no_nameless = nameless == 0;
                killed = search_aside(b->dir, at);
                /* What is held back in memory is written in pieces, so the last may be whole. */
                assert_true(killed || at + 4096 >= b->now.n_file);
                n_killed += killed;
                no_nameless = false;
                check_after_a_kill(b, old);
            }
    print_message("killed at %d places\n", n_killed);
    assert_true(n_killed > 40);
}

static void killed_round_any_call_that_names_the_file_nothing_is_lost(void **state)
{
    const bench *b = *state;
    int n_killed = 0;

    for (int with_old = 0; with_old < 2; with_old++)
        for (int nameless = 0; nameless < 2; nameless++)
            for (int after = 0; after < 2; after++)
                for (int call = 1;; call++) {
                    const reference *old = with_old ? &b->old : NULL;
                    bool killed;

                    put_before(b->file, old);
                    no_nameless = nameless == 0;
                    *(after ? &die_after : &die_before) = call;
                    killed = search_aside(b->dir, RLIM_INFINITY);
                    no_nameless = false;
                    die_before = die_after = 0;
                    check_after_a_kill(b, old);
                    n_killed += killed;
                    if (!killed) {
                        assert_true(call > 4); /* sync, rename, mode, sync of the folder */
                        break;
                    }
                }
    print_message("killed round %d calls\n", n_killed);
}

static void when_any_call_that_names_the_file_fails_the_search_goes_on(void **state)
{
    const bench *b = *state;

    for (int with_old = 0; with_old < 2; with_old++)
        for (int call = 1; call <= 5; call++) {
            const reference *old = with_old ? &b->old : NULL;
            dpl_gallery *gallery;
            dpl_hit hits[N_PROBES * K];

            put_before(b->file, old);
            gallery = kit_open(b->dir, DPL_GALLERY_READ);
            n_calls = 0;
            fail_at = call;
            kit_expect(DPL_OK, search(hits, gallery), &err);
            fail_at = 0;
            assert_same_hits(hits, b->now.hits);
            assert_non_null(strstr(dpl_gallery_notice(gallery), "could not be saved"));
            dpl_gallery_close(gallery);
            check_after_a_kill(b, old);
        }
}

static void of_a_torn_file_nothing_is_believed(void **state)
{
    const bench *b = *state;
    const reference *now = &b->now, *old = &b->old;
    char *torn = malloc(now->n_file);
    long n = 0;

    assert_non_null(torn);
    while (n < n_rounds) {
        const size_t length =
            dpli_rng_below(&rng, 3) ? now->n_file : dpli_rng_below(&rng, now->n_file);
        const uint64_t torn_one_in = 1 + dpli_rng_below(&rng, 64);

        for (size_t at = 0; at < length; at += SECTOR) {
            const size_t n_here = length - at < SECTOR ? length - at : SECTOR;
            const bool gone = dpli_rng_below(&rng, torn_one_in) == 0;
            const bool was = gone && dpli_rng_below(&rng, 2) && at + n_here <= old->n_file;

            memset(torn + at, 0, n_here);
            if (!gone || was)
                memcpy(torn + at, (was ? old->file : now->file) + at, n_here);
        }
        if (length == now->n_file && memcmp(torn, now->file, length) == 0)
            continue;
        unlink(b->file);
        kit_write(b->file, torn, length);
        check_search(b->dir, b->file, now, true);
        n++;
    }
    free(torn);
    print_message("%ld torn files\n", n);
}

static int set_up(void **state)
{
    static bench b;
    dpl_gallery *gallery;

    kit_expect(DPL_OK, dpl_head_new(&head, DPL_HEAD_COSINE, KIT_DIM, NULL, 0, &err), &err);
    for (size_t i = 0; i < N_PROBES * KIT_DIM; i++)
        probes[i] = (float)dpli_rng_normal(&rng);
    b.dir = kit_folder();
    snprintf(b.file, sizeof b.file, "%s/face.faiss", b.dir);
    gallery = kit_new(b.dir);
    put_photos(gallery, 0, N_PHOTOS);
    dpl_gallery_close(gallery);
    make_reference(&b.old, b.dir, b.file);
    gallery = kit_open(b.dir, DPL_GALLERY_WRITE);
    put_photos(gallery, N_PHOTOS, N_MORE);
    dpl_gallery_close(gallery);
    make_reference(&b.now, b.dir, b.file);
    assert_true(b.old.n_file < b.now.n_file);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;

    kit_drop(b->dir);
    free(b->old.file);
    free(b->now.file);
    dpl_head_free(head);
    return 0;
}

/* Threads that FAISS and OpenBLAS keep do not live on in a forked process, which would wait for
 * them: they are to make none, and read that when they are loaded. */
static void begin_without_threads(char **argv)
{
    if (getenv("OMP_NUM_THREADS") && getenv("OPENBLAS_NUM_THREADS"))
        return;
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        unit_test_unless_slowed(killed_at_any_byte_of_the_file_nothing_is_lost),
        unit_test_unless_slowed(killed_round_any_call_that_names_the_file_nothing_is_lost),
        cmocka_unit_test(when_any_call_that_names_the_file_fails_the_search_goes_on),
        cmocka_unit_test(of_a_torn_file_nothing_is_believed),
    };
    const char *given = getenv("DOPPEL_SEED"), *rounds = getenv("DOPPEL_ROUNDS");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    (void)argc;
    begin_without_threads(argv);
    if (rounds)
        n_rounds = strtol(rounds, NULL, 10);
    print_message("DOPPEL_SEED=%llu\n", (unsigned long long)seed);
    dpli_rng_seed(&rng, seed);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
