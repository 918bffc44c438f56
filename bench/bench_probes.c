/*
 * bench_probes.c - an index of vectors from a file, which answers probes when it is asked to: our
 * side of bench/search_vs_peers.py.
 *
 * usage: bench_probes FOLDER DIM exact|approximate RECALL
 *
 * FOLDER has rows.f32 [n, DIM], probes.f32 [m, DIM] of unit length, and truth.i64 [m, 10], the rows
 * that are most like each. The index is made, written, read, and asked from the file. The first
 * line is what that took: seconds by the clock and of all processors, milliseconds to open it, MiB
 * that it takes in memory, MiB of the file, and the recall@10. Then, for each line of standard
 * input, the milliseconds a probe of a pass over all, one by one, by the clock and of all
 * processors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "index/retrieve.h"

enum { K = 10 };

static dpl_error err;

static void check(dpl_status status)
{
    if (status == DPL_OK)
        return;
    fprintf(stderr, "bench_probes: %s\n", err.message);
    exit(5);
}

static void *need(void *p)
{
    if (!p) {
        fputs("bench_probes: no memory\n", stderr);
        exit(5);
    }
    return p;
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double resident_mib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;

    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        exit(5);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* A file's numbers, in an allocation of the library's. */
static void *numbers(size_t *n, const char *folder, const char *name, size_t size)
{
    char path[4096];
    uint8_t *bytes = NULL;
    size_t n_bytes;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    check(dpli_file_read(&bytes, &n_bytes, path, (size_t)64 << 30, &err));
    *n = n_bytes / size;
    return bytes;
}

static void make(const char *path, const char *folder, int32_t dim, const dpl_head *head,
                 dpli_wish wish)
{
    size_t n;
    dpli_vectors v = {.dim = dim};
    dpli_index index;
    double wall, cpu;

    v.rows = numbers(&n, folder, "rows.f32", sizeof(float) * (size_t)dim);
    v.n = n;
    v.ids = need(calloc(n, sizeof *v.ids));
    v.owners = need(calloc(n, sizeof *v.owners));
    v.photos = need(calloc(n, sizeof *v.photos));
    for (size_t i = 0; i < n; i++)
        v.ids[i] = (int64_t)i;
    wall = dpli_now();
    cpu = cpu_now();
    check(dpli_index_make(&index, &v, head, wish, &err));
    printf("%.2f %.2f ", dpli_now() - wall, cpu_now() - cpu);
    check(dpli_snapshot_write(path, &index, &err));
    dpli_index_clear(&index);
}

/* Probes, asked one by one. */
typedef struct questions {
    const dpl_head *head;
    dpli_index index;
    float *probes;
    int64_t *truth;
    size_t n;
} questions;

static void ask(dpli_found found[K], const questions *q, size_t i)
{
    check(dpli_index_search(found, &q->index, q->head, q->probes + i * (size_t)q->index.dim, 1, K,
                            &err));
}

/* The share of the ten most alike that is found, of every step-th probe. */
static double recall(const questions *q, size_t step)
{
    dpli_found found[K];
    size_t n = 0, n_right = 0;

    for (size_t i = 0; i < q->n; i += step) {
        ask(found, q, i);
        for (size_t j = 0; j < K * K; j++)
            n_right += found[j / K].at != DPLI_NOWHERE &&
                       q->index.ids[found[j / K].at] == q->truth[i * K + j % K];
        n += K;
    }
    return (double)n_right / (double)n;
}

int main(int argc, char **argv)
{
    static const size_t widths[] = {10, 12, 16, 20, 24,  28,  32,  36,  40,  44,  48,
                                    56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512};
    char path[4096], line[64];
    dpl_head *head = NULL;
    questions q = {0};
    struct stat about;
    size_t n_truth, own, at = 0;
    double start, before, ms, wanted;

    if (argc != 5) {
        fputs("usage: bench_probes FOLDER DIM exact|approximate RECALL\n", stderr);
        return 2;
    }
    const int32_t dim = atoi(argv[2]);
    const bool exact = strcmp(argv[3], "exact") == 0;

    wanted = atof(argv[4]);
    snprintf(path, sizeof path, "%s/%s.faiss", argv[1], argv[3]);
    check(dpl_head_new(&head, DPL_HEAD_COSINE, dim, NULL, 0, &err));
    make(path, argv[1], dim, head, (dpli_wish){exact ? INT64_MAX : 0, wanted});
    q.head = head;
    q.probes = numbers(&q.n, argv[1], "probes.f32", sizeof(float) * (size_t)dim);
    q.truth = numbers(&n_truth, argv[1], "truth.i64", sizeof *q.truth * K);
    before = resident_mib();
    start = dpli_now();
    check(dpli_snapshot_read(&q.index, path, &err));
    ms = 1e3 * (dpli_now() - start);
    own = q.index.width;
    printf("%.2f %zu %.4f ", ms, own, recall(&q, 1));
    printf("%.1f %.1f ", resident_mib() - before,
           stat(path, &about) == 0 ? (double)about.st_size / (1 << 20) : 0);
    for (; !exact && at + 1 < sizeof widths / sizeof *widths; at++) {
        q.index.width = widths[at];
        if (recall(&q, 2) >= wanted)
            break;
    }
    printf("%zu %.4f\n", widths[at], recall(&q, 1));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        dpli_found found[K];
        double wall, cpu;

        q.index.width = strtoul(line, NULL, 10);
        wall = dpli_now();
        cpu = cpu_now();
        for (size_t i = 0; i < q.n; i++)
            ask(found, &q, i);
        printf("%.5f %.5f\n", 1e3 * (dpli_now() - wall) / (double)q.n,
               1e3 * (cpu_now() - cpu) / (double)q.n);
        fflush(stdout);
    }
    dpli_index_clear(&q.index);
    dpl_head_free(head);
    unlink(path);
    free(q.truth);
    free(q.probes);
    return 0;
}
