/*
 * bench_search.c - search by cosine over made-up people (ten unit vectors each, of 192 numbers):
 * exact and approximate, one probe at a time and a hundred at once; what an index costs to make, to
 * save and to read. FAISS's own flat search runs beside ours, alternating.
 *
 * usage: bench_search [N [REPEATS]]
 *
 * CSV on standard output; a line "# ..." says what it ran on. cpu_ms is the median of the processor
 * time of all threads: on a busy machine the figure to compare, if the program was held to one core
 * (taskset -c 0, OMP_NUM_THREADS=1), for threads that wait spin.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"
#include "base/rng.h"
#include "doppel/version.h"
#include "index/retrieve.h"

enum { BATCH_UP_TO = 200000 /* rows of which a hundred probes take less than a second */ };
enum { DIM = 192, K = 10, BATCH = 100, PHOTOS = 10, SEED = 20240618, REPEATS_MAX = 1000 };

static size_t n_repeats = 30;

static void *need(void *p)
{
    if (!p) {
        fputs("bench_search: no memory\n", stderr);
        exit(5);
    }
    return p;
}

static void check(dpl_status status, const dpl_error *err)
{
    if (status == DPL_OK)
        return;
    fprintf(stderr, "bench_search: %s\n", err->message);
    exit(5);
}

/* A photo of somebody. As with the bundled encoder's vectors, about 64 directions carry all there
   is, the last of them a fifth of what the first does; between two photos of one person the cosine
   is about 0.67. Which way the 64 lie does not matter to a distance, so they are the first. */
static void photo_of(float *row, uint64_t person, dpli_rng *rng)
{
    enum { CARRY = 64 };
    double sum = 0;
    dpli_rng own;

    dpli_rng_seed(&own, person);
    memset(row, 0, DIM * sizeof *row);
    for (int i = 0; i < CARRY; i++) {
        double x = sqrt(1 - 0.8 * i / CARRY) * (dpli_rng_normal(&own) + 0.7 * dpli_rng_normal(rng));
        row[i] = (float)x;
        sum += x * x;
    }
    for (int i = 0; i < CARRY; i++)
        row[i] = (float)(row[i] / sqrt(sum));
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A moment: on the wall's clock and on the processor's. */
typedef struct moment {
    double wall, cpu;
} moment;

static moment now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (moment){dpli_now(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

typedef struct series {
    double wall[REPEATS_MAX], cpu[REPEATS_MAX];
} series;

static void note_time(series *s, size_t i, moment start)
{
    moment end = now();

    s->wall[i] = end.wall - start.wall;
    s->cpu[i] = end.cpu - start.cpu;
}

/* Sorts; n values of each. */
static void print(const char *what, size_t n_rows, size_t n_probes, series *s, size_t n,
                  const char *note)
{
    qsort(s->wall, n, sizeof *s->wall, ascending);
    qsort(s->cpu, n, sizeof *s->cpu, ascending);
    printf("%s,%zu,%d,%zu,%.3f,%.3f,%.3f,%.3f,%s\n", what, n_rows, DIM, n_probes, s->wall[0] * 1e3,
           s->wall[n / 2] * 1e3, s->wall[n * 95 / 100] * 1e3, s->cpu[n / 2] * 1e3, note);
    fflush(stdout);
}

static void print_once(const char *what, size_t n_rows, moment start, const char *note)
{
    static series s;

    note_time(&s, 0, start);
    print(what, n_rows, 0, &s, 1, note);
}

typedef struct setting {
    const dpl_head *head;
    const float *rows, *probes;
    size_t n;
    dpli_found *found, *truth; /* [BATCH, K] */
} setting;

static dpli_index make_index(const setting *s, dpli_wish wish, moment *start)
{
    dpli_vectors v = {.n = s->n, .dim = DIM};
    dpli_index index;
    dpl_error err;

    v.ids = need(calloc(s->n, sizeof *v.ids));
    v.owners = need(calloc(s->n, sizeof *v.owners));
    v.photos = need(calloc(s->n, sizeof *v.photos));
    v.rows = need(malloc(s->n * DIM * sizeof *v.rows));
    for (size_t i = 0; i < s->n; i++)
        v.ids[i] = (int64_t)i;
    memcpy(v.rows, s->rows, s->n * DIM * sizeof *v.rows);
    *start = now();
    check(dpli_index_make(&index, &v, s->head, wish, &err), &err);
    return index;
}

/* Ours, and beside it FAISS alone, which neither scores by the head nor proves anything: in turns
   of ten, so that each finds in the caches what it left there. */
static void time_search(const setting *s, const dpli_index *index, size_t n_probes,
                        const char *what, dpli_ann *faiss, const char *note)
{
    enum { TURN = 10 };
    static series ours, theirs;
    static int64_t at[BATCH * K];
    static float distance[BATCH * K];
    const size_t n_turns = n_repeats / TURN;
    dpl_error err;
    char ratio[64];

    for (size_t i = 0; i < n_turns * TURN * 2; i++) {
        const size_t turn = i / TURN / 2, of_turn = i % TURN, slot = turn * TURN + of_turn;
        const float *probe = n_probes == 1 ? s->probes + slot % BATCH * DIM : s->probes;
        const bool is_ours = i / TURN % 2 == 0;
        moment start;

        if (!is_ours && !faiss)
            continue;
        for (int warm = of_turn == 0; warm >= 0; warm--) {
            start = now();
            if (is_ours)
                check(dpli_index_search(s->found, index, s->head, probe, n_probes, K, &err), &err);
            else
                check(dpli_ann_search(at, distance, faiss, probe, n_probes, K, &err), &err);
        }
        note_time(is_ours ? &ours : &theirs, slot, start);
    }
    print(what, s->n, n_probes, &ours, n_turns * TURN, note);
    if (faiss) {
        qsort(theirs.cpu, n_turns * TURN, sizeof *theirs.cpu, ascending);
        snprintf(ratio, sizeof ratio, "%.2f of ours in cpu_ms",
                 theirs.cpu[n_turns * TURN / 2] / ours.cpu[n_turns * TURN / 2]);
        print("FAISS flat alone", s->n, n_probes, &theirs, n_turns * TURN, ratio);
    }
}

static void time_flat_batch(const setting *s)
{
    static series seconds;
    dpl_error err;

    for (size_t i = 0; i < n_repeats; i++) {
        moment start = now();

        check(dpli_flat_search(s->truth, s->head, s->rows, s->n, s->probes, BATCH, K, &err), &err);
        note_time(&seconds, i, start);
    }
    print("exact without FAISS", s->n, BATCH, &seconds, n_repeats, "");
}

static size_t resident_mib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;

    if (file && fscanf(file, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) >> 20;
}

/* Written, read, and searched from the file. */
static void time_snapshot(const setting *s, const dpli_index *index, const char *what)
{
    const char *path = "bench_search.faiss";
    dpl_error err;
    dpli_index read;
    moment start = now();
    char note[64];

    check(dpli_snapshot_write(path, index, NULL, &err), &err);
    print_once("snapshot written and synced", s->n, start, "");
    for (int i = 0; i < 2; i++) {
        const size_t before = resident_mib();

        start = now();
        check(dpli_snapshot_read(&read, path, NULL, &err), &err);
        snprintf(note, sizeof note, "%zu MiB more resident", resident_mib() - before);
        if (i) {
            print_once("snapshot read from cache", s->n, start, note);
            time_search(s, &read, 1, what, NULL, "from the snapshot");
        }
        dpli_index_clear(&read);
    }
    unlink(path);
}

/* A fifth goes, then a tenth comes: how long, and what is still found. */
static void time_changes(const setting *s, dpli_index *index)
{
    char *is_gone = need(calloc(s->n, 1)), note[64];
    const float *more = s->rows + (s->n - s->n / 50) * DIM; /* of people who are there */
    dpl_error err;
    moment start;
    bool done;
    size_t n = 0;

    for (size_t i = 0; i < s->n / 5; i++)
        n += is_gone[i * 5] = 1;
    start = now();
    check(dpli_index_take_out(&done, index, is_gone, n, &err), &err);
    print_once("a fifth taken out", s->n, start, done ? "" : "refused");
    start = now();
    check(dpli_index_retune(&done, index, s->head, 0.99, &err), &err);
    snprintf(note, sizeof note, "%s%zu kept of a walk; recall %.4f said", done ? "" : "refused; ",
             index->width, index->recall);
    print_once("tuned again", s->n, start, note);
    start = now();
    check(dpli_index_extend(&done, index, more, s->n / 50, &err), &err);
    print_once("a fiftieth added", s->n, start, done ? "" : "refused");
    free(is_gone);
}

static void run(size_t n)
{
    dpl_head *head = NULL;
    float *rows = need(malloc(n * DIM * sizeof *rows)),
          *probes = need(malloc(sizeof *probes * BATCH * DIM));
    setting s = {.rows = rows, .probes = probes, .n = n};
    dpl_error err;
    dpli_index index;
    dpli_rng rng;
    dpli_ann *faiss = NULL;
    moment start;
    char note[128];
    size_t n_same = 0;

    dpli_rng_seed(&rng, SEED);
    for (size_t i = 0; i < n; i++)
        photo_of(rows + i * DIM, i / PHOTOS, &rng);
    for (size_t i = 0; i < BATCH; i++)
        photo_of(probes + i * DIM, dpli_rng_below(&rng, n / PHOTOS), &rng);
    check(dpl_head_new(&head, DPL_HEAD_COSINE, DIM, NULL, 0, &err), &err);
    s.head = head;
    s.found = need(calloc(BATCH * K, sizeof *s.found));
    s.truth = need(calloc(BATCH * K, sizeof *s.truth));

    index = make_index(&s, (dpli_wish){INT64_MAX, 0.99}, &start);
    print_once("exact index made", n, start, "");
    check(dpli_ann_new(&faiss, rows, n, DIM, &err), &err);
    time_search(&s, &index, 1, "exact", faiss, "");
    if (n <= BATCH_UP_TO) {
        time_search(&s, &index, BATCH, "exact", faiss, "");
        time_flat_batch(&s);
    }
    dpli_ann_free(faiss);
    check(dpli_index_search(s.truth, &index, head, probes, BATCH, K, &err), &err);
    time_snapshot(&s, &index, "exact");
    dpli_index_clear(&index);

    index = make_index(&s, (dpli_wish){0, 0.99}, &start);
    snprintf(note, sizeof note, "%zu kept of a walk; %.0f compared; recall %.4f said", index.width,
             index.n_compared, index.recall);
    print_once("approximate index made", n, start, note);
    check(dpli_index_search(s.found, &index, head, probes, BATCH, K, &err), &err);
    for (size_t i = 0; i < BATCH; i++)
        for (size_t j = 0; j < K; j++)
            n_same += s.found[i * K + j].score >= s.truth[i * K + K - 1].score;
    snprintf(note, sizeof note, "recall %.4f seen", (double)n_same / (BATCH * K));
    time_search(&s, &index, 1, "approximate", NULL, note);
    time_search(&s, &index, BATCH, "approximate", NULL, note);
    time_snapshot(&s, &index, "approximate");
    time_changes(&s, &index);
    dpli_index_clear(&index);

    dpl_head_free(head);
    free(rows);
    free(probes);
    free(s.found);
    free(s.truth);
}

static void print_machine(void)
{
    char line[256], cpu[256] = "unknown";
    FILE *file = fopen("/proc/cpuinfo", "r");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %255[^\n]", cpu) == 1)
            break;
    if (file)
        fclose(file);
    printf("# cpu %s, %d cores, doppel %s, FAISS %s, seed %d\n", cpu, dpli_n_cores(), dpl_version(),
           dpl_faiss_version(), SEED);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

    if (argc > 2)
        n_repeats = strtoul(argv[2], NULL, 10);
    if (argc > 3 || (argc > 1 && n < 1000) || n_repeats < 10 || n_repeats > REPEATS_MAX) {
        fputs("usage: bench_search [N (1000 or more) [REPEATS (10 or more)]]\n", stderr);
        return 2;
    }
    print_machine();
    printf("what,n,dim,probes,min_ms,median_ms,p95_ms,cpu_ms,note\n");
    if (n) {
        run(n);
        return 0;
    }
    for (n = 10000; n <= 1000000; n *= 10)
        run(n);
    return 0;
}
