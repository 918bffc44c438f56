/*
 * bench_gallery.c - the gallery over made-up people (ten photos each, one face a photo): putting
 * them in commits of 64 photos, a first search, which reads every row, one whose index is in
 * memory, and looking up a hit's row; opening what has a snapshot; and what a photo more and a
 * person less cost, and the search after each.
 *
 * usage: bench_gallery ENCODER [N [REPEATS [EXACT_UP_TO]]]
 *
 * ENCODER: an ONNX file whose space the vectors are in. EXACT_UP_TO 0: by an approximate index.
 *
 * With $DOPPEL_ENCRYPTED set the gallery is encrypted first, by a key that opens without being
 * asked for.
 *
 * Through the public API alone, so that an older libdoppel can be measured with the same source.
 * CSV on standard output: what, templates, min, median and 95th percentile in ms.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "doppel/doppel.h"

enum { COMMIT = 64, K = 10, REPEATS_MAX = 1000 };

static void check(dpl_status status, const dpl_error *err)
{
    if (status == DPL_OK)
        return;
    fprintf(stderr, "bench_gallery: %s\n", err->message);
    exit(5);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *what, int n_rows, double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, ascending);
    printf("%s,%d,%.3f,%.3f,%.3f\n", what, n_rows, ms[0], ms[n / 2], ms[n * 95 / 100]);
    fflush(stdout);
}

/* The same numbers at each run, whatever the library's own generator is. */
static unsigned long long state = 88172645463325252ULL;

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 40) / (double)(1 << 24) - 0.5;
}

/* A photo of somebody: 64 directions carry it, as with the bundled encoder, and between two photos
   of one person the cosine is about 0.67. */
static void photo_of(float *row, int person, int dim)
{
    const int n = dim < 64 ? dim : 64;
    const unsigned long long kept = state;
    double sum = 0;

    state = ((unsigned long long)person + 1) * 0x9E3779B97F4A7C15ULL;
    uniform();
    for (int i = 0; i < dim; i++)
        row[i] = i < n ? (float)uniform() : 0;
    state = kept;
    for (int i = 0; i < n; i++) {
        row[i] += (float)(0.7 * uniform());
        sum += (double)row[i] * (double)row[i];
    }
    for (int i = 0; i < n; i++)
        row[i] = (float)((double)row[i] / sqrt(sum));
}

static void put_one_commit(dpl_gallery *gallery, int first, int n, int dim)
{
    static char paths[COMMIT][64], persons[COMMIT][32], sums[COMMIT][65];
    static uint8_t thumb[4096];
    static dpl_new_photo photos[COMMIT];
    static dpl_new_template templates[COMMIT];
    float *rows = malloc((size_t)n * (size_t)dim * sizeof *rows);
    dpl_error err;

    if (!rows)
        exit(5);
    for (int i = 0; i < n; i++) {
        photo_of(rows + (size_t)i * (size_t)dim, (first + i) / 10, dim);
        snprintf(paths[i], sizeof paths[i], "/photos/%07d/%d.jpg", (first + i) / 10,
                 (first + i) % 10);
        snprintf(persons[i], sizeof persons[i], "person %07d", (first + i) / 10);
        snprintf(sums[i], sizeof sums[i], "%064x", (unsigned)(first + i));
        templates[i] = (dpl_new_template){.space = "face",
                                          .vector = rows + (size_t)i * (size_t)dim,
                                          .dim = dim,
                                          .thumb = thumb,
                                          .n_thumb = sizeof thumb};
        templates[i].face.w_px = templates[i].face.h_px = 100;
        photos[i] = (dpl_new_photo){.row = {.path = paths[i],
                                            .person = persons[i],
                                            .sha256 = sums[i],
                                            .reason = "",
                                            .options = "",
                                            .n_faces = 1},
                                    .templates = &templates[i],
                                    .n_templates = 1};
    }
    check(dpl_gallery_put(gallery, photos, (size_t)n, &err), &err);
    free(rows);
}

static dpl_status see(void *ctx, const dpl_template_row *row)
{
    *(int64_t *)ctx += row->id;
    return DPL_OK;
}

int main(int argc, char **argv)
{
    const int n = argc > 2 ? atoi(argv[2]) : 100000, repeats = argc > 3 ? atoi(argv[3]) : 10;
    static double ms[REPEATS_MAX], many[REPEATS_MAX];
    char dir[] = "bench-gallery-XXXXXX", command[64];
    dpl_encoder *encoder = NULL;
    dpl_gallery *gallery = NULL;
    dpl_head *head = NULL;
    dpl_hit hits[K];
    dpl_error err = {DPL_OK, ""};
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_forget_report report;
    int64_t seen = 0;
    double start;
    float *probe;
    int dim;

    if (argc < 2 || n < 1 || repeats < 1 || repeats > REPEATS_MAX || !mkdtemp(dir)) {
        fputs("usage: bench_gallery ENCODER [N [REPEATS [EXACT_UP_TO]]]\n", stderr);
        return 2;
    }
    if (argc > 4)
        options.exact_up_to = atoll(argv[4]);
    check(dpl_encoder_open(&encoder, argv[1], NULL, &err), &err);
    dim = dpl_encoder_dim(encoder);
    probe = malloc((size_t)dim * sizeof *probe);
    if (!probe)
        return 5;
    check(dpl_head_new(&head, DPL_HEAD_COSINE, dim, NULL, 0, &err), &err);
    printf("# %s, %d templates of %d numbers\nwhat,n,min_ms,median_ms,p95_ms\n", dpl_version(), n,
           dim);

    check(dpl_gallery_open(&gallery, dir, DPL_GALLERY_CREATE, &err), &err);
    check(dpl_gallery_bind(gallery, encoder, &err), &err);
    if (getenv("DOPPEL_ENCRYPTED")) {
        dpl_key_options key = DPL_KEY_OPTIONS_INIT;

        snprintf(command, sizeof command, "%s/gallery.keys", dir);
        key.key_file = command;
        check(dpl_gallery_encrypt(gallery, &key, &err), &err);
    }
    for (int first = 0, i = 0; first < n; first += COMMIT, i = (i + 1) % REPEATS_MAX) {
        start = now_ms();
        put_one_commit(gallery, first, n - first < COMMIT ? n - first : COMMIT, dim);
        many[i] = now_ms() - start;
        if (first + COMMIT >= n)
            print("put 64", n, many,
                  n / COMMIT < REPEATS_MAX ? n / COMMIT + (n % COMMIT != 0) : REPEATS_MAX);
    }
    dpl_gallery_close(gallery);
    for (int i = 0; i < repeats; i++) {
        /* Without the snapshot: each first search reads the rows. */
        snprintf(command, sizeof command, "%s/face.faiss", dir);
        unlink(command);
        check(dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err), &err);
        photo_of(probe, i, dim);
        start = now_ms();
        check(dpl_gallery_search(hits, gallery, head, "face", probe, 1, dim, &options, NULL, &err),
              &err);
        ms[i] = now_ms() - start;
        if (i + 1 < repeats)
            dpl_gallery_close(gallery);
    }
    print("first search", n, ms, repeats);
    for (int i = 0; i < 100; i++) {
        photo_of(probe, i, dim);
        start = now_ms();
        check(dpl_gallery_search(hits, gallery, head, "face", probe, 1, dim, &options, NULL, &err),
              &err);
        many[i] = now_ms() - start;
        start = now_ms();
        for (int j = 0; j < K; j++)
            check(dpl_gallery_get_template(gallery, hits[j].template_id, see, &seen, &err), &err);
        ms[i] = now_ms() - start;
    }
    print("search", n, many, 100);
    print("ten hits' rows", n, ms, 100);
    dpl_gallery_close(gallery);
    for (int i = 0; i < repeats; i++) {
        photo_of(probe, i, dim);
        start = now_ms();
        check(dpl_gallery_open(&gallery, dir, DPL_GALLERY_WRITE, &err), &err);
        check(dpl_gallery_search(hits, gallery, head, "face", probe, 1, dim, &options, NULL, &err),
              &err);
        ms[i] = now_ms() - start;
        if (i + 1 < repeats)
            dpl_gallery_close(gallery);
    }
    print("opened and searched", n, ms, repeats);
    for (int what = 0; what < 2; what++) {
        for (int i = 0; i < repeats; i++) {
            char name[32];

            start = now_ms();
            snprintf(name, sizeof name, "person %07d", i + 1);
            if (what == 0)
                put_one_commit(gallery, n + i, 1, dim);
            else
                check(dpl_gallery_forget(&report, gallery, name, NULL, 0, 0, &err), &err);
            ms[i] = now_ms() - start;
            start = now_ms();
            check(dpl_gallery_search(hits, gallery, head, "face", probe, 1, dim, &options, NULL,
                                     &err),
                  &err);
            many[i] = now_ms() - start;
        }
        print(what == 0 ? "put one" : "forget ten photos of one", n, ms, repeats);
        print(what == 0 ? "search after it" : "search after that", n, many, repeats);
    }
    dpl_gallery_close(gallery);
    dpl_head_free(head);
    dpl_encoder_close(encoder);
    free(probe);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 && seen > 0 ? 0 : 5;
}
