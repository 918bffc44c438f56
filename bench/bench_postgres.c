/*
 * bench_postgres.c - one gallery and many clients, each a process: enrolments (commits of one
 * photo, of one face) and probes a second from 1, 4 and 8 of them, in PostgreSQL and in a folder,
 * in turns. A folder has one writer.
 *
 * usage: bench_postgres ENCODER ADDRESS [N [SECONDS]]
 *
 * ENCODER: an ONNX file whose space the vectors are in. ADDRESS: postgresql://… of a database in
 * which nothing is yet; tests/postgres/server.sh starts a server (with fsync=on, as a folder syncs,
 * too). Vectors are drawn; what decodes and encodes photos is not measured.
 * CSV on standard output: what, keeper, templates, clients, a second, median and 95th percentile in
 * ms.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "doppel/doppel.h"

enum { COMMIT = 256, K = 10, MAX_CLIENTS = 8, MAX_TIMES = 100000 };

/* Seen by all processes. */
typedef struct shared {
    atomic_int n_ready, go;
    atomic_int n_times;
    double ms[MAX_TIMES];
} shared;

static shared *all;
static dpl_encoder *encoder;
static dpl_head *head;
static int dim;

static void check(dpl_status status, const dpl_error *err)
{
    if (status == DPL_OK)
        return;
    fprintf(stderr, "bench_postgres: %s\n", err->message);
    exit(5);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Numbers that follow from one. */
static double drawn(unsigned long long *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 40) / (double)(1 << 24) - 0.5;
}

static void draw(float *row, unsigned long long number)
{
    unsigned long long state = (number + 1) * 0x9E3779B97F4A7C15ULL;
    double sum = 0;

    for (int i = 0; i < dim; i++) {
        row[i] = (float)drawn(&state);
        sum += (double)row[i] * (double)row[i];
    }
    for (int i = 0; i < dim; i++)
        row[i] = (float)((double)row[i] / sqrt(sum));
}

/* Photos first to first + n - 1, ten of each person. */
static void put(dpl_gallery *gallery, unsigned first, int n)
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
        const unsigned at = first + (unsigned)i;

        draw(rows + (size_t)i * (size_t)dim, at);
        snprintf(paths[i], sizeof paths[i], "/photos/%u/%u.jpg", at / 10, at % 10);
        snprintf(persons[i], sizeof persons[i], "person %u", at / 10);
        snprintf(sums[i], sizeof sums[i], "%064x", at);
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

static void probe(dpl_gallery *gallery, unsigned number)
{
    float *row = malloc((size_t)dim * sizeof *row);
    dpl_hit hits[K];
    dpl_error err;

    if (!row)
        exit(5);
    draw(row, number);
    check(dpl_gallery_search(hits, gallery, head, "face", row, 1, dim, NULL, NULL, &err), &err);
    free(row);
}

/* A client: warm, it waits for the others. */
static void be_client(const char *address, bool writes, unsigned first, double seconds)
{
    dpl_gallery *gallery;
    dpl_error err;
    double start, end;

    check(dpl_gallery_open(&gallery, address, writes ? DPL_GALLERY_WRITE : DPL_GALLERY_READ, &err),
          &err);
    if (!writes)
        probe(gallery, first);
    atomic_fetch_add(&all->n_ready, 1);
    while (!atomic_load(&all->go))
        usleep(1000);
    end = now_s() + seconds;
    for (start = now_s(); start < end; start = now_s()) {
        int at;

        if (writes)
            put(gallery, first++, 1);
        else
            probe(gallery, first++);
        at = atomic_fetch_add(&all->n_times, 1);
        if (at < MAX_TIMES)
            all->ms[at] = (now_s() - start) * 1e3;
    }
    dpl_gallery_close(gallery);
    exit(0);
}

static void measure(const char *keeper, const char *address, bool writes, int n_templates,
                    int n_clients, double seconds)
{
    /* Of nobody else's photos, in any run of this program. */
    static unsigned next = 1U << 24;
    double start;
    int n, how;

    atomic_store(&all->n_ready, 0);
    atomic_store(&all->go, 0);
    atomic_store(&all->n_times, 0);
    fflush(NULL);
    for (int i = 0; i < n_clients; i++, next += 1U << 20)
        if (fork() == 0)
            be_client(address, writes, next, seconds);
    while (atomic_load(&all->n_ready) < n_clients)
        usleep(1000);
    start = now_s();
    atomic_store(&all->go, 1);
    for (int i = 0; i < n_clients; i++)
        if (wait(&how) < 0 || how != 0)
            exit(5);
    n = atomic_load(&all->n_times);
    if (n > MAX_TIMES || n == 0)
        exit(5);
    qsort(all->ms, (size_t)n, sizeof *all->ms, ascending);
    printf("%s,%s,%d,%d,%.1f,%.3f,%.3f\n", writes ? "enrol" : "probe", keeper, n_templates,
           n_clients, (double)n / (now_s() - start), all->ms[n / 2], all->ms[n * 95 / 100]);
    fflush(stdout);
}

/* Made and filled, in commits of 256 photos. */
static void fill(const char *keeper, const char *address, dpl_gallery_mode mode, int n)
{
    dpl_gallery *gallery;
    dpl_error err;
    double start;

    check(dpl_gallery_open(&gallery, address, mode, &err), &err);
    check(dpl_gallery_bind(gallery, encoder, &err), &err);
    start = now_s();
    for (int first = 0; first < n; first += COMMIT)
        put(gallery, (unsigned)first, n - first < COMMIT ? n - first : COMMIT);
    printf("fill,%s,%d,1,%.1f,,\n", keeper, n, n / (now_s() - start));
    fflush(stdout);
    dpl_gallery_close(gallery);
    /* The first who searches makes the index, of which the others have the file. */
    start = now_s();
    check(dpl_gallery_open(&gallery, address, DPL_GALLERY_READ, &err), &err);
    probe(gallery, 0);
    printf("first probe,%s,%d,1,,%.3f,\n", keeper, n, (now_s() - start) * 1e3);
    fflush(stdout);
    dpl_gallery_close(gallery);
}

int main(int argc, char **argv)
{
    static const int clients[] = {1, 4, MAX_CLIENTS};
    const int n = argc > 3 ? atoi(argv[3]) : 10000;
    const double seconds = argc > 4 ? atof(argv[4]) : 3;
    char dir[] = "bench-postgres-XXXXXX", command[64];
    dpl_error err = {DPL_OK, ""};

    if (argc < 3 || n < 1 || !(seconds > 0) || !mkdtemp(dir)) {
        fputs("usage: bench_postgres ENCODER ADDRESS [N [SECONDS]]\n", stderr);
        return 2;
    }
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return 5;
    check(dpl_encoder_open(&encoder, argv[1], NULL, &err), &err);
    dim = dpl_encoder_dim(encoder);
    check(dpl_head_new(&head, DPL_HEAD_COSINE, dim, NULL, 0, &err), &err);
    printf("# %s, vectors of %d numbers\nwhat,keeper,templates,clients,a_second,median_ms,p95_ms\n",
           dpl_version(), dim);
    fill("folder", dir, DPL_GALLERY_CREATE, n);
    fill("postgres", argv[2], DPL_GALLERY_MIGRATE, n);
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        measure("folder", dir, false, n, clients[i], seconds);
        measure("postgres", argv[2], false, n, clients[i], seconds);
    }
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        if (clients[i] == 1)
            measure("folder", dir, true, n, 1, seconds);
        measure("postgres", argv[2], true, n, clients[i], seconds);
    }
    dpl_head_free(head);
    dpl_encoder_close(encoder);
    munmap(all, sizeof *all);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 ? 0 : 5;
}
