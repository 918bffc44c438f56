/*
 * test_memory.c - the most memory that enrolment and evaluation take, over sizes of photos and
 * numbers of threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doppel/doppel.h"

#define BOUND_MIB      160
#define EVALUATION_MIB 60

/* Width and height of the photos: all shapes that a detector's input can have, small and large. */
static const int sizes[][2] = {{640, 480},   {3000, 2000}, {1000, 1500}, {4000, 1800},
                               {1280, 1280}, {500, 900},   {2400, 1080}, {3200, 2400},
                               {700, 650},   {1900, 1000}, {1080, 2340}, {2048, 1536},
                               {1600, 900},  {900, 2000},  {4096, 2160}, {1300, 1200}};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static void write_photo(const char *path, int w, int h)
{
    uint8_t *pixels = malloc((size_t)w * (size_t)h * 3), *jpeg;
    dpl_image image;
    size_t n;
    FILE *f = fopen(path, "wb");

    assert_non_null(pixels);
    assert_non_null(f);
    for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
        pixels[i] = (uint8_t)(i / 3 % (size_t)w * 255 / (size_t)w);
    assert_int_equal(dpl_image_from_rgb(&image, pixels, w, h, 3 * (size_t)w, NULL), DPL_OK);
    assert_int_equal(dpl_image_to_jpeg(&jpeg, &n, &image, 50, NULL), DPL_OK);
    assert_int_equal(fwrite(jpeg, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    dpl_bytes_free(jpeg);
    dpl_image_clear(&image);
    free(pixels);
}

static long kib_of(const char *what)
{
    char line[128];
    size_t n = strlen(what);
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, n) == 0)
            kib = atol(line + n);
    if (f)
        fclose(f);
    return kib;
}

/* What a process that does nothing else takes at most to enrol the photos, beside its models, KiB.
 */
static long enrol(const char *gallery_dir, int n_threads)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    dpl_enroll_options how = DPL_ENROLL_OPTIONS_INIT;
    const char *folder = "photos";
    dpl_enroll_report report;
    dpl_pipeline *pipeline;
    dpl_gallery *gallery;
    dpl_error err;
    long before, most = -1;

    options.detector_path = DPL_MODELS_DIR "/" DPL_MODEL_DETECTOR;
    options.encoder_path = DPL_MODELS_DIR "/" DPL_MODEL_ENCODER;
    options.decode.max_bytes = (size_t)BOUND_MIB << 20;
    how.n_threads = n_threads;
    if (dpl_gallery_open(&gallery, gallery_dir, DPL_GALLERY_CREATE, &err) != DPL_OK ||
        dpl_pipeline_open(&pipeline, &options, &err) != DPL_OK)
        return -1;
    before = kib_of("VmHWM:");
    if (dpl_enroll(&report, gallery, pipeline, &folder, 1, &how, &err) == DPL_OK &&
        report.n_files == N_SIZES)
        most = kib_of("VmHWM:") - before;
    dpl_pipeline_close(pipeline);
    dpl_gallery_close(gallery);
    return most;
}

/* The same for an evaluation of one photo of a data set, many times. */
static long evaluate(const char *unused, int n_threads)
{
    enum { BATCH = 16 }; /* as many are a thread's work */
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    dpl_embed_options how = DPL_EMBED_OPTIONS_INIT;
    dpl_pictures pictures = {.n = (size_t)n_threads * BATCH};
    int32_t *items = calloc(pictures.n, sizeof *items);
    dpl_embeddings embeddings;
    dpl_pipeline *pipeline;
    dpl_dataset *dataset;
    dpl_error err;
    long before, most = -1;

    (void)unused;
    options.encoder_path = DPL_MODELS_DIR "/" DPL_MODEL_ENCODER;
    options.decode.max_bytes = (size_t)EVALUATION_MIB << 20;
    how.n_threads = n_threads;
    if (!items || dpl_dataset_open(&dataset, "set", NULL, &err) != DPL_OK ||
        dpl_pipeline_open(&pipeline, &options, &err) != DPL_OK)
        return -1;
    pictures.dataset = dataset;
    pictures.items = items;
    before = kib_of("VmHWM:");
    if (dpl_embed(&embeddings, pipeline, &pictures, &how, &err) == DPL_OK &&
        embeddings.n_failed == 0)
        most = kib_of("VmHWM:") - before;
    dpl_embeddings_clear(&embeddings);
    dpl_dataset_close(dataset);
    dpl_pipeline_close(pipeline);
    free(items);
    return most;
}

static long aside(long (*work)(const char *dir, int n_threads), int n_threads)
{
    char dir[] = "gallery-XXXXXX";
    long kib = -1;
    int ends[2], status;
    pid_t child;

    assert_non_null(mkdtemp(dir));
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        mallopt(M_ARENA_MAX, 1); /* as the program does */
        mallopt(M_MMAP_THRESHOLD, 64 << 20);
        mallopt(M_TRIM_THRESHOLD, 64 << 20);
        kib = work(dir, n_threads);
        _exit(write(ends[1], &kib, sizeof kib) == sizeof kib ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &kib, sizeof kib), sizeof kib);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return kib;
}

static void enrolment_keeps_to_its_memory_whatever_the_sizes_and_the_threads(void **state)
{
    static const int n_threads[] = {1, 4, 12};

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* what is freed is kept there, to be watched */
#endif
    assert_true(mkdir("photos", 0700) == 0 || errno == EEXIST);
    for (int i = 0; i < N_SIZES; i++) {
        char path[32];

        snprintf(path, sizeof path, "photos/%d.jpg", i);
        write_photo(path, sizes[i][0], sizes[i][1]);
    }
    for (size_t i = 0; i < sizeof n_threads / sizeof *n_threads; i++) {
        const long kib = aside(enrol, n_threads[i]);

        print_message("%d threads: %ld MiB\n", n_threads[i], kib >> 10);
        assert_true(kib >= 0);
        /* A quarter for the files read; 48 MiB for the database, the ledger, the stacks and arenas
         * of threads, and what is small beside a photo (reduced pictures, faces, chips). */
        assert_in_range(kib, 1, (BOUND_MIB + BOUND_MIB / 4 + 48) << 10);
    }
}

/* Twelve threads that each had a photo of 17 MiB would take 206. */
static void evaluation_of_a_data_set_keeps_to_its_memory(void **state)
{
    long kib;

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* as above */
#endif
    assert_true(mkdir("set", 0700) == 0 || errno == EEXIST);
    write_photo("set/one.jpg", 3000, 2000);
    kib = aside(evaluate, 12);
    print_message("12 threads: %ld MiB\n", kib >> 10);
    assert_in_range(kib, 1, (EVALUATION_MIB + EVALUATION_MIB / 4 + 48) << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enrolment_keeps_to_its_memory_whatever_the_sizes_and_the_threads),
        cmocka_unit_test(evaluation_of_a_data_set_keeps_to_its_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
