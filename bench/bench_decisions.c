/*
 * bench_decisions.c - whether stated rates hold: strangers declared a match, and genuine pairs
 * accepted, at FMR 1e-2, 1e-3 and 1e-4, on faces of every kind and against people of many photos.
 *
 * usage: bench_decisions MODEL GALLERIES DATA BEFORE [PART...]
 *        bench_decisions turn DEGREES FOLDER PHOTO...
 *
 *   MODEL      an ONNX file with a calibration: what decides now
 *   GALLERIES  a folder of the galleries that decisions.sh enrols by MODEL
 *   DATA       where lfw-dev/ and faces-train/ lie
 *   BEFORE     calibration of version 1, whose bars the score alone had to pass before
 *   PART       lfw, utkface, celeba, turned, genuine, claim, query, sizes; all unless told
 *
 * "turn" writes copies of photos, turned within a larger black picture.
 *
 * Tables in Markdown on standard output; pairs of strangers of the highest evidence follow them,
 * for looking: the labels hold doubles. decisions-same.txt lists those that were looked at; they do
 * not count. No two faces of one photo are compared, nor faces in photos of the same person.
 *
 * The 95 % intervals take into account that a face is in many pairs: the variance is the
 * dyadic-robust one over people (Aronow, Samii and Assenova 2015, equation 5, with as many
 * comparisons of a person as there are), the interval that of the binomial for the count of
 * independent pairs that would have this variance (Korn and Graubard 1998).
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "doppel/doppel.h"
#include "index/binomial.h"
#include "vision/image/warp.h"

enum { N_RATES = 3, N_TOP = 40, MAX_NUMBER = 30000, LINE = 4096 };

static const double rates[N_RATES] = {1e-2, 1e-3, 1e-4};

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *format, ...)
{
    va_list words;

    fputs("bench_decisions: ", stderr);
    va_start(words, format);
    vfprintf(stderr, format, words);
    va_end(words);
    fputc('\n', stderr);
    exit(5);
}

static void check(dpl_status status, const dpl_error *err)
{
    if (status != DPL_OK)
        die("%s", err->message);
}

static void *get(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p)
        die("out of memory");
    return p;
}

static char *copy(const char *s)
{
    char *p = get(strlen(s) + 1, 1);

    return strcpy(p, s);
}

/* The same numbers at each run. */
static uint32_t draw(uint32_t n)
{
    static uint64_t state = 88172645463325252ULL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * n >> 32);
}

/* ------------------------------------------------------------------ faces */

typedef struct face {
    char *name; /* the photo's, without folders and suffix */
    int64_t photo;
    int person;  /* faces of one number are never strangers */
    bool main;   /* the face that its photo is of */
    bool listed; /* its photo is in decisions-same.txt */
    dpl_face face;
    float *vector;
    int age, group;
} face;

typedef struct set {
    char name[32];
    size_t n, cap;
    face *at;
    int n_people;
    char **people; /* their names */
} set;

/* What judges: now, and the score alone before. */
static struct {
    dpl_pipeline *pipeline;
    const dpl_head *head;
    int32_t dim;
    dpl_policy policy[N_RATES];
    float bar_before[N_RATES];
} judges;

typedef struct verdict {
    float score, evidence;
    bool before[N_RATES];
    dpl_decision now[N_RATES];
    bool too_poor;
} verdict;

static void judge(verdict *v, const face *a, const face *b)
{
    v->score = dpl_head_score(judges.head, a->vector, b->vector);
    v->evidence = v->score;
    v->too_poor = false;
    for (int r = 0; r < N_RATES; r++) {
        v->before[r] = dpl_accepts((double)v->score, (double)judges.bar_before[r]);
        v->now[r] = dpl_decide(&judges.policy[r], v->evidence);
    }
}

static char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = copy(slash ? slash + 1 : path), *dot = strrchr(name, '.');

    if (dot)
        *dot = '\0';
    return name;
}

static int number_of(const char *name)
{
    const long n = strtol(name, NULL, 10);

    if (n < 0 || n >= MAX_NUMBER)
        die("\"%s\" is no number below %d", name, MAX_NUMBER);
    return (int)n;
}

struct photo {
    int64_t id;
    dpl_image size;
};

struct photos {
    size_t n, cap;
    struct photo *at;
};

static dpl_status take_photo(void *ctx, const dpl_photo_row *row)
{
    struct photos *p = ctx;

    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 1024;
        p->at = realloc(p->at, p->cap * sizeof *p->at);
        if (!p->at)
            die("out of memory");
    }
    p->at[p->n++] = (struct photo){.id = row->id,
                                   .size = {.width_px = row->width_px,
                                            .height_px = row->height_px,
                                            .full_width_px = row->width_px,
                                            .full_height_px = row->height_px}};
    return DPL_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct photo *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    set *s = ctx;

    if (!row->is_face || row->dim != judges.dim)
        return DPL_OK;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        if (!s->at)
            die("out of memory");
    }
    face *f = &s->at[s->n++];
    *f = (face){.name = base_name(row->photo_path),
                .photo = row->photo_id,
                .face = row->face,
                .vector = get((size_t)row->dim, sizeof(float))};
    memcpy(f->vector, row->vector, (size_t)row->dim * sizeof(float));
    /* templates come by photo, so that a person's follow each other but not always */
    int p = s->n_people - 1;
    while (p >= 0 && strcmp(s->people[p], row->person ? row->person : "") != 0)
        p--;
    if (p < 0) {
        s->people = realloc(s->people, (size_t)(s->n_people + 1) * sizeof *s->people);
        if (!s->people)
            die("out of memory");
        p = s->n_people++;
        s->people[p] = copy(row->person ? row->person : "");
    }
    f->person = p;
    return DPL_OK;
}

/* Mark each photo's main face. Templates come by id, a photo's one after the other. */
static void mark_main(set *s, struct photos *photos)
{
    qsort(photos->at, photos->n, sizeof *photos->at, by_id);
    for (size_t i = 0, j; i < s->n; i = j) {
        dpl_face faces[256];
        size_t n = 0;

        for (j = i; j < s->n && s->at[j].photo == s->at[i].photo; j++)
            if (n < 256)
                faces[n++] = s->at[j].face;
        const struct photo key = {.id = s->at[i].photo};
        const struct photo *p = bsearch(&key, photos->at, photos->n, sizeof key, by_id);
        if (!p)
            die("photo %lld of \"%s\" is not there", (long long)key.id, s->name);
        s->at[i + dpl_main_face(faces, n, &p->size)].main = true;
    }
}

static void read_same(set *s, const char *line, char **a, char **b)
{
    char kind[64], left[256], right[256];

    *a = *b = NULL;
    if (line[0] == '#' || sscanf(line, "%63s %255s %255s", kind, left, right) != 3 ||
        strcmp(kind, s->name) != 0)
        return;
    *a = copy(left);
    *b = copy(right);
}

static struct {
    size_t n;
    char *a[1024], *b[1024];
} same;

/* Whether a line's word is a photo's name or, without its number, its person's. */
static bool covers(const char *word, const char *name)
{
    const size_t n = strlen(word);

    return strncmp(word, name, n) == 0 &&
           (name[n] == '\0' ||
            (name[n] == '_' && strspn(name + n + 1, "0123456789") == strlen(name + n + 1)));
}

/* The reviewed doubles of this set: same.a[i] and same.b[i] show one person. */
static void load_same(set *s, const char *path)
{
    char line[LINE];
    FILE *f = fopen(path, "r");

    same.n = 0;
    if (!f)
        die("\"%s\": %s", path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        char *a, *b;

        read_same(s, line, &a, &b);
        if (!a)
            continue;
        if (same.n == sizeof same.a / sizeof same.a[0])
            die("\"%s\" has too many lines", path);
        same.a[same.n] = a;
        same.b[same.n++] = b;
        for (size_t i = 0; i < s->n; i++)
            s->at[i].listed |= covers(a, s->at[i].name) || covers(b, s->at[i].name);
    }
    fclose(f);
}

static bool is_same(const face *a, const face *b)
{
    if (!a->listed || !b->listed)
        return false;
    for (size_t i = 0; i < same.n; i++)
        if ((covers(same.a[i], a->name) && covers(same.b[i], b->name)) ||
            (covers(same.a[i], b->name) && covers(same.b[i], a->name)))
            return true;
    return false;
}

static const char *galleries, *data;

static void load(set *s, const char *name)
{
    struct photos photos = {0};
    char path[LINE];
    dpl_gallery *gallery;
    dpl_error err = {0};

    *s = (set){0};
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s", galleries, name);
    check(dpl_gallery_open(&gallery, path, DPL_GALLERY_READ, &err), &err);
    check(dpl_gallery_each_photo(gallery, NULL, take_photo, &photos, &err), &err);
    check(dpl_gallery_each_template(gallery, NULL, "face", take_template, s, &err), &err);
    dpl_gallery_close(gallery);
    if (s->n == 0)
        die("gallery \"%s\" has no faces of this model", path);
    mark_main(s, &photos);
    free(photos.at);
    load_same(s, "bench/decisions-same.txt");
}

static void unload(set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->at[i].name);
        free(s->at[i].vector);
    }
    for (int i = 0; i < s->n_people; i++)
        free(s->people[i]);
    free(s->people);
    free(s->at);
}

/* Keep the faces for which keep is true. */
static void filter(set *s, bool (*keep)(face *f))
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (keep(&s->at[i])) {
            s->at[n++] = s->at[i];
        } else {
            free(s->at[i].name);
            free(s->at[i].vector);
        }
    }
    s->n = n;
}

static bool is_main(face *f)
{
    return f->main;
}

/* A CSV of DATA without quotes; its first column a chip, whose name is a number. */
static FILE *open_csv(const char *name)
{
    char path[LINE], line[LINE];
    snprintf(path, sizeof path, "%s/faces-train/%s", data, name);
    FILE *f = fopen(path, "r");

    if (!f || !fgets(line, sizeof line, f))
        die("\"%s\": %s", path, f ? "is empty" : strerror(errno));
    return f;
}

static int next_row(FILE *f, char line[LINE], char *columns[8])
{
    int n = 0;

    if (!fgets(line, LINE, f)) {
        fclose(f);
        return 0;
    }
    line[strcspn(line, "\r\n")] = '\0';
    for (char *p = line; p && n < 8; n++) {
        columns[n] = p;
        p = strchr(p, ',');
        if (p)
            *p++ = '\0';
    }
    return n;
}

static int identity[MAX_NUMBER], age[MAX_NUMBER], group[MAX_NUMBER];

static bool label_celeba(face *f)
{
    f->person = identity[number_of(f->name)];
    return f->main && f->person > 0;
}

/* celeba-test's development people, one face a photo. */
static void load_celeba(set *s)
{
    char line[LINE], *c[8];
    FILE *f = open_csv("celeba-test.csv");
    int n_people = 0;
    static int number[1000000];

    memset(identity, 0, sizeof identity);
    memset(number, 0, sizeof number);
    while (next_row(f, line, c) >= 3) {
        char *name = base_name(c[0]);
        const long id = strtol(c[1], NULL, 10);

        if (id < 0 || id >= 1000000)
            die("celeba-test.csv: no identity \"%s\"", c[1]);
        if (strcmp(c[2], "dev") == 0) {
            if (!number[id])
                number[id] = ++n_people;
            identity[number_of(name)] = number[id];
        }
        free(name);
    }
    load(s, "ctest");
    filter(s, label_celeba);
    for (size_t i = 0; i < s->n; i++)
        s->at[i].person--;
    for (int i = 0; i < s->n_people; i++)
        free(s->people[i]);
    free(s->people);
    s->people = NULL;
    s->n_people = 0;
    s->n_people = n_people;
    s->people = get((size_t)n_people, sizeof *s->people);
    for (int i = 0; i < n_people; i++)
        s->people[i] = copy("");
}

static bool label_utkface(face *f)
{
    const int n = number_of(f->name);

    f->age = age[n];
    f->group = group[n];
    return f->main && n % 2 == 1 && f->age > 0;
}

/* UTKFace's odd numbers, each face a person of its own. */
static void load_utkface(set *s)
{
    char line[LINE], *c[8];
    FILE *f = open_csv("utkface.csv");

    while (next_row(f, line, c) >= 4) {
        char *name = base_name(c[0]);
        const int n = number_of(name);

        /* age 0 is not kept apart from no age: those below 1 are 1 */
        age[n] = atoi(c[1]) > 0 ? atoi(c[1]) : 1;
        group[n] = atoi(c[3]);
        free(name);
    }
    load(s, "utk");
    filter(s, label_utkface);
    for (int i = 0; i < s->n_people; i++)
        free(s->people[i]);
    s->n_people = (int)s->n;
    s->people = realloc(s->people, s->n * sizeof *s->people);
    if (!s->people)
        die("out of memory");
    for (size_t i = 0; i < s->n; i++) {
        s->at[i].person = (int)i;
        s->people[i] = copy("");
    }
}

/* ------------------------------------------------------------------ counting */

/* Pairs of one kind. */
typedef struct cell {
    const char *name;
    double n, before[N_RATES], now[N_RATES], open[N_RATES], too_poor;
    int n_people;
    float *degree, *hits[N_RATES]; /* by person: pairs, and those declared a match */
} cell;

static cell cell_new(const char *name, int n_people)
{
    cell c = {.name = name, .n_people = n_people};

    c.degree = get((size_t)n_people, sizeof(float));
    for (int r = 0; r < N_RATES; r++)
        c.hits[r] = get((size_t)n_people, sizeof(float));
    return c;
}

static void cell_free(cell *c)
{
    free(c->degree);
    for (int r = 0; r < N_RATES; r++)
        free(c->hits[r]);
}

static void count(cell *c, const verdict *v, int a, int b)
{
    c->n++;
    c->degree[a]++;
    c->degree[b]++;
    c->too_poor += v->too_poor;
    for (int r = 0; r < N_RATES; r++) {
        c->before[r] += v->before[r];
        if (v->now[r] == DPL_DECISION_MATCH) {
            c->now[r]++;
            c->hits[r][a]++;
            c->hits[r][b]++;
        } else if (v->now[r] == DPL_DECISION_INCONCLUSIVE) {
            c->open[r]++;
        }
    }
}

/* 95 % bounds of the rate of matches. Each pair is at two people, so that it counts twice in the
   sum over people and once of that is taken off; less than what independent pairs have is not
   believed. */
static void bounds(double *low, double *high, const cell *c, int r)
{
    const double rate = c->now[r] / c->n, independent = c->n * rate * (1 - rate);
    double sum = -independent;

    for (int p = 0; p < c->n_people; p++) {
        const double d = (double)c->hits[r][p] - rate * (double)c->degree[p];
        sum += d * d;
    }
    dpli_binomial_bounds(low, high, rate,
                         sum > independent && independent > 0 ? c->n * independent / sum : c->n);
}

static const char *header = "| | pairs | before: 1e-2, 1e-3, 1e-4 | now, at 1e-2: strangers "
                            "[95 %], times the rate | at 1e-3 | at 1e-4 | inconclusive | too poor "
                            "| |\n|---|---|---|---|---|---|---|---|---|\n";

static void print_strangers(const cell *c)
{
    const char *mark = "holds";

    if (c->n < 1) {
        printf("| %s | 0 | | | | | | | |\n", c->name);
        return;
    }
    printf("| %s | %.0f |", c->name, c->n);
    for (int r = 0; r < N_RATES; r++)
        printf(" %.2g%s", c->before[r] / c->n, r + 1 < N_RATES ? "," : " |");
    for (int r = 0; r < N_RATES; r++) {
        double low, high;

        bounds(&low, &high, c, r);
        printf(" %.0f: %.2g [%.2g, %.2g] ×%.2g |", c->now[r], c->now[r] / c->n, low, high,
               c->now[r] / c->n / rates[r]);
        if (c->now[r] > 3 * rates[r] * c->n)
            mark = low > 3 * rates[r] ? "**ABOVE 3×**" : "**above 3×**, within its interval";
    }
    printf(" %.3g, %.3g, %.3g | %.3g | %s |\n", c->open[0] / c->n, c->open[1] / c->n,
           c->open[2] / c->n, c->too_poor / c->n, mark);
    fflush(stdout);
}

/* The strangers of the highest evidence, for looking. */
typedef struct pair {
    const face *a, *b;
    float evidence, score;
} pair;

static struct {
    size_t n;
    pair at[N_TOP];
} top;

static void offer(const face *a, const face *b, const verdict *v)
{
    size_t i = top.n;

    if (i == N_TOP && !(v->evidence > top.at[N_TOP - 1].evidence))
        return;
    if (i < N_TOP)
        top.n++;
    else
        i--;
    for (; i > 0 && v->evidence > top.at[i - 1].evidence; i--)
        top.at[i] = top.at[i - 1];
    top.at[i] = (pair){a, b, v->evidence, v->score};
}

static void print_top(const set *s)
{
    printf("\nStrangers of the highest evidence:\n\n");
    for (size_t i = 0; i < top.n; i++) {
        const pair *p = &top.at[i];

        printf("    %s %s %s  evidence %.2f score %.3f; eyes at %.0f,%.0f and %.0f,%.0f; quality "
               "%.2f %.2f\n",
               s->name, p->a->name, p->b->name, (double)p->evidence, (double)p->score,
               (double)p->a->face.landmarks[0].x_px, (double)p->a->face.landmarks[0].y_px,
               (double)p->b->face.landmarks[0].x_px, (double)p->b->face.landmarks[0].y_px,
               (double)p->a->face.quality.overall, (double)p->b->face.quality.overall);
    }
    printf("\n");
    top.n = 0;
}

/* Call fn with every pair of strangers of a set. */
static void each_stranger(const set *s,
                          void (*fn)(void *ctx, const face *a, const face *b, const verdict *v),
                          void *ctx)
{
    top.n = 0;
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = i + 1; j < s->n; j++) {
            const face *a = &s->at[i], *b = &s->at[j];
            verdict v;

            if (a->person == b->person || a->photo == b->photo || is_same(a, b))
                continue;
            judge(&v, a, b);
            fn(ctx, a, b, &v);
            offer(a, b, &v);
        }
}

/* ------------------------------------------------------------------ lfw-dev, bystanders too */

static const char *const quality_names[] = {"quality 0–.1",  "quality .1–.2",
                                            "quality .2–.3", "quality .3–.5",
                                            "quality .5–.8", "quality .8 and more"};
static const float quality_from[] = {0, 0.1f, 0.2f, 0.3f, 0.5f, 0.8f};
static const char *const yaw_names[] = {"yaw 0–15°", "yaw 15–30°", "yaw 30–45°", "yaw 45–60°",
                                        "yaw 60° and more"};
static const float yaw_from[] = {0, 15, 30, 45, 60};

enum {
    N_QUALITY = sizeof quality_from / sizeof quality_from[0],
    N_YAW = sizeof yaw_from / sizeof yaw_from[0]
};

static int class_of(float v, const float *from, int n)
{
    int k = n - 1;

    while (k > 0 && !(v >= from[k]))
        k--;
    return k;
}

struct lfw {
    cell all, quality[N_QUALITY], yaw[N_YAW];
};

static void count_lfw(void *ctx, const face *a, const face *b, const verdict *v)
{
    struct lfw *l = ctx;
    const float quality = fminf(a->face.quality.overall, b->face.quality.overall);
    const float yaw = fmaxf(fabsf(a->face.quality.yaw_deg), fabsf(b->face.quality.yaw_deg));

    count(&l->all, v, a->person, b->person);
    count(&l->quality[class_of(quality, quality_from, N_QUALITY)], v, a->person, b->person);
    count(&l->yaw[class_of(yaw, yaw_from, N_YAW)], v, a->person, b->person);
}

static void part_lfw(void)
{
    struct lfw l;
    set s;

    load(&s, "lfw");
    printf(
        "## lfw-dev, bystanders too: %zu faces, %d people\n\nBy the worse of the two faces.\n\n%s",
        s.n, s.n_people, header);
    l.all = cell_new("all", s.n_people);
    for (int k = 0; k < N_QUALITY; k++)
        l.quality[k] = cell_new(quality_names[k], s.n_people);
    for (int k = 0; k < N_YAW; k++)
        l.yaw[k] = cell_new(yaw_names[k], s.n_people);
    each_stranger(&s, count_lfw, &l);
    print_strangers(&l.all);
    for (int k = 0; k < N_QUALITY; k++)
        print_strangers(&l.quality[k]);
    for (int k = 0; k < N_YAW; k++)
        print_strangers(&l.yaw[k]);
    print_top(&s);
    cell_free(&l.all);
    for (int k = 0; k < N_QUALITY; k++)
        cell_free(&l.quality[k]);
    for (int k = 0; k < N_YAW; k++)
        cell_free(&l.yaw[k]);
    unload(&s);
}

/* ------------------------------------------------------------------ UTKFace, odd numbers */

static const char *const age_names[] = {"age 0–3",   "age 4–8",   "age 9–12",       "age 13–17",
                                        "age 18–40", "age 41–60", "age 61 and more"};
static const float age_from[] = {0, 4, 9, 13, 18, 41, 61};
static const char *const group_names[] = {"adults: White", "adults: Black", "adults: East Asian",
                                          "adults: Indian", "adults: other"};

enum {
    N_AGE = sizeof age_from / sizeof age_from[0],
    N_GROUP = sizeof group_names / sizeof group_names[0],
    ADULT = 18
};

struct utkface {
    cell age[N_AGE], ages, group[N_GROUP], groups;
};

static void count_utkface(void *ctx, const face *a, const face *b, const verdict *v)
{
    struct utkface *u = ctx;
    const int x = class_of((float)a->age, age_from, N_AGE);
    const int y = class_of((float)b->age, age_from, N_AGE);

    count(x == y ? &u->age[x] : &u->ages, v, a->person, b->person);
    if (a->age >= ADULT && b->age >= ADULT && a->group >= 0 && a->group < N_GROUP &&
        b->group >= 0 && b->group < N_GROUP)
        count(a->group == b->group ? &u->group[a->group] : &u->groups, v, a->person, b->person);
}

static void part_utkface(void)
{
    struct utkface u;
    set s;

    load_utkface(&s);
    printf("## UTKFace, odd numbers: %zu faces\n\nBoth of the age or group named.\n\n%s", s.n,
           header);
    for (int k = 0; k < N_AGE; k++)
        u.age[k] = cell_new(age_names[k], s.n_people);
    for (int k = 0; k < N_GROUP; k++)
        u.group[k] = cell_new(group_names[k], s.n_people);
    u.ages = cell_new("of two such ages", s.n_people);
    u.groups = cell_new("adults of two groups", s.n_people);
    each_stranger(&s, count_utkface, &u);
    for (int k = 0; k < N_AGE; k++)
        print_strangers(&u.age[k]);
    print_strangers(&u.ages);
    for (int k = 0; k < N_GROUP; k++)
        print_strangers(&u.group[k]);
    print_strangers(&u.groups);
    print_top(&s);
    for (int k = 0; k < N_AGE; k++)
        cell_free(&u.age[k]);
    for (int k = 0; k < N_GROUP; k++)
        cell_free(&u.group[k]);
    cell_free(&u.ages);
    cell_free(&u.groups);
    unload(&s);
}

/* ------------------------------------------------------------------ CelebA, turned photos */

static void count_all(void *ctx, const face *a, const face *b, const verdict *v)
{
    count(ctx, v, a->person, b->person);
}

static void part_celeba(void)
{
    cell all;
    set s;

    load_celeba(&s);
    printf("## celeba-test, development people: %zu faces, %d people\n\n%s", s.n, s.n_people,
           header);
    all = cell_new("all", s.n_people);
    each_stranger(&s, count_all, &all);
    print_strangers(&all);
    print_top(&s);
    cell_free(&all);
    unload(&s);
}

static int by_name(const void *a, const void *b)
{
    const face *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Genuine pairs accepted. */
typedef struct accepted {
    double n, missing, before[N_RATES], now[N_RATES], open[N_RATES], too_poor;
} accepted;

static void add_genuine(accepted *g, const face *a, const face *b)
{
    verdict v;

    g->n++;
    if (!a || !b) {
        g->missing++;
        return;
    }
    judge(&v, a, b);
    g->too_poor += v.too_poor;
    for (int r = 0; r < N_RATES; r++) {
        g->before[r] += v.before[r];
        g->now[r] += v.now[r] == DPL_DECISION_MATCH;
        g->open[r] += v.now[r] == DPL_DECISION_INCONCLUSIVE;
    }
}

static const char *genuine_header =
    "| genuine pairs | pairs | no face | accepted before: 1e-2, 1e-3, 1e-4 | now | inconclusive | "
    "too poor | |\n|---|---|---|---|---|---|---|---|\n";

static void print_genuine(const char *name, const accepted *g)
{
    printf("| %s | %.0f | %.0f |", name, g->n, g->missing);
    for (int r = 0; r < N_RATES; r++)
        printf(" %.4f%s", g->before[r] / g->n, r + 1 < N_RATES ? "," : " |");
    for (int r = 0; r < N_RATES; r++)
        printf(" %.4f%s", g->now[r] / g->n, r + 1 < N_RATES ? "," : " |");
    printf(" %.3f, %.3f, %.3f | %.3f | %s |\n", g->open[0] / g->n, g->open[1] / g->n,
           g->open[2] / g->n, g->too_poor / g->n,
           g->now[1] >= g->before[1] ? "as before or more at 1e-3" : "**less at 1e-3**");
    fflush(stdout);
}

static void part_turned(void)
{
    static const int degrees[] = {30, 45, 90, 180};
    accepted same_photo[4] = {{0}};
    set upright;

    load(&upright, "lfw");
    filter(&upright, is_main);
    qsort(upright.at, upright.n, sizeof *upright.at, by_name);
    printf("## Turned photos of lfw-dev\n\nStrangers, both turned.\n\n%s", header);
    for (int k = 0; k < 4; k++) {
        char name[32];
        cell all;
        set s;

        snprintf(name, sizeof name, "turned-%d", degrees[k]);
        load(&s, name);
        filter(&s, is_main);
        snprintf(name, sizeof name, "turned by %d°", degrees[k]);
        all = cell_new(name, s.n_people);
        each_stranger(&s, count_all, &all);
        print_strangers(&all);
        for (size_t i = 0; i < s.n; i++)
            add_genuine(&same_photo[k], &s.at[i],
                        bsearch(&s.at[i], upright.at, upright.n, sizeof *upright.at, by_name));
        cell_free(&all);
        unload(&s);
    }
    printf("\nThe same photo, upright and turned (of those in which a face was found).\n\n%s",
           genuine_header);
    for (int k = 0; k < 4; k++) {
        char name[32];

        snprintf(name, sizeof name, "turned by %d°", degrees[k]);
        print_genuine(name, &same_photo[k]);
    }
    printf("\n");
    unload(&upright);
}

/* ------------------------------------------------------------------ genuine pairs */

static const face *find(const set *s, const char *name)
{
    const face key = {.name = (char *)(uintptr_t)name};

    return bsearch(&key, s->at, s->n, sizeof *s->at, by_name);
}

static void part_genuine(void)
{
    accepted celeba = {0}, lfw = {0};
    char line[LINE], path[LINE], *c[8];
    set s;
    FILE *f = open_csv("celeba-dev-pairs.csv");

    load(&s, "ctest");
    filter(&s, is_main);
    qsort(s.at, s.n, sizeof *s.at, by_name);
    while (next_row(f, line, c) >= 3)
        if (strcmp(c[2], "1") == 0) {
            char *a = base_name(c[0]), *b = base_name(c[1]);

            add_genuine(&celeba, find(&s, a), find(&s, b));
            free(a);
            free(b);
        }
    unload(&s);
    load(&s, "lfw");
    filter(&s, is_main);
    qsort(s.at, s.n, sizeof *s.at, by_name);
    snprintf(path, sizeof path, "%s/lfw-dev/pairsDevTest.txt", data);
    f = fopen(path, "r");
    if (!f)
        die("\"%s\": %s", path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        char person[256], a[300], b[300];
        int i, j, end = 0;

        /* three columns: the same person */
        if (sscanf(line, "%255s %d %d %n", person, &i, &j, &end) != 3 || line[end] != '\0')
            continue;
        snprintf(a, sizeof a, "%s_%04d", person, i);
        snprintf(b, sizeof b, "%s_%04d", person, j);
        add_genuine(&lfw, find(&s, a), find(&s, b));
    }
    fclose(f);
    unload(&s);
    printf("## Genuine pairs\n\n%s", genuine_header);
    print_genuine("celeba-dev-pairs.csv", &celeba);
    print_genuine("lfw-dev, pairsDevTest.txt", &lfw);
    printf("\n");
}

/* ------------------------------------------------------------------ people of several photos */

/* What stands for a person of these photos, as claims and queries form it. */
static void make_person(face *out, const set *s, const size_t *photos, size_t n)
{
    const float *vectors[256];
    dpl_face faces[256];

    *out = (face){.name = copy(""), .vector = get((size_t)judges.dim, sizeof(float))};
    for (size_t i = 0; i < n; i++) {
        vectors[i] = s->at[photos[i]].vector;
        faces[i] = s->at[photos[i]].face;
    }
    (void)faces;
    double sum[DPL_MAX_DIM] = {0}, norm = 0;
    for (int32_t d = 0; d < judges.dim; d++) {
        for (size_t i = 0; i < n; i++)
            sum[d] += (double)vectors[i][d];
        norm += sum[d] * sum[d];
    }
    for (int32_t d = 0; d < judges.dim; d++)
        out->vector[d] = (float)(sum[d] / sqrt(norm));
}

static void shuffle(size_t *at, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = draw((uint32_t)i), t = at[i - 1];

        at[i - 1] = at[j];
        at[j] = t;
    }
}

/* The photos of each person, shuffled. */
struct by_person {
    int n_people;
    size_t *n, **photos;
};

static struct by_person group_by_person(const set *s)
{
    struct by_person p = {.n_people = s->n_people};

    p.n = get((size_t)s->n_people, sizeof *p.n);
    p.photos = get((size_t)s->n_people, sizeof *p.photos);
    for (int k = 0; k < s->n_people; k++)
        p.photos[k] = get(s->n, sizeof **p.photos);
    for (size_t i = 0; i < s->n; i++)
        p.photos[s->at[i].person][p.n[s->at[i].person]++] = i;
    for (int k = 0; k < s->n_people; k++)
        shuffle(p.photos[k], p.n[k]);
    return p;
}

static void by_person_free(struct by_person *p)
{
    for (int k = 0; k < p->n_people; k++)
        free(p->photos[k]);
    free(p->photos);
    free(p->n);
}

/* Evidence of a probe against each of n photos, by the best of them and by the mean of the three
   best. */
static void best_of(float *best, float *three, const float *evidence, const size_t *photos,
                    size_t n)
{
    float t[3] = {-1e9f, -1e9f, -1e9f};

    for (size_t i = 0; i < n; i++) {
        float e = evidence[photos[i]];
        for (int k = 0; k < 3; k++)
            if (e > t[k]) {
                const float lower = t[k];
                t[k] = e;
                e = lower;
            }
    }
    *best = t[0];
    *three = n >= 3 ? (t[0] + t[1] + t[2]) / 3 : n == 2 ? (t[0] + t[1]) / 2 : t[0];
}

enum { METHODS = 3 };

static const char *const methods[METHODS] = {"best", "mean of best three", "mean template"};

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* verify --as, people of m photos; pooled: those of two people under one name. */
static void claim(const set *s, const struct by_person *people, const float *evidence, size_t m,
                  bool pooled)
{
    const size_t each = pooled ? m / 2 : m;
    accepted genuine = {0};
    cell strangers = cell_new("", s->n_people);
    double best_hits[N_RATES] = {0}, best_genuine[N_RATES] = {0};
    int n_claimed = 0;

    for (int k = 0; k < s->n_people; k++) {
        size_t photos[256], n = each;
        int other = k;
        face person;

        if (people->n[k] <= each)
            continue;
        memcpy(photos, people->photos[k], each * sizeof *photos);
        if (pooled) {
            do
                other = (other + 1) % s->n_people;
            while (people->n[other] <= each);
            memcpy(photos + each, people->photos[other], each * sizeof *photos);
            n = 2 * each;
        }
        make_person(&person, s, photos, n);
        n_claimed++;
        for (size_t i = 0; i < s->n; i++) {
            const face *probe = &s->at[i];
            const bool own = probe->person == k || probe->person == other;
            float best, three;
            bool enrolled = false;

            for (size_t j = 0; j < n; j++)
                enrolled |= photos[j] == i;
            if (enrolled)
                continue;
            best_of(&best, &three, evidence + i * s->n, photos, n);
            for (int r = 0; r < N_RATES; r++)
                *(own ? &best_genuine[r] : &best_hits[r]) +=
                    dpl_accepts((double)best, (double)judges.policy[r].threshold);
            if (own) {
                add_genuine(&genuine, &person, probe);
            } else {
                verdict v;

                judge(&v, &person, probe);
                count(&strangers, &v, k, probe->person);
            }
        }
        free(person.name);
        free(person.vector);
    }
    if (n_claimed == 0)
        return;
    printf("| %zu%s | %d | %.0f |", m, pooled ? ", of two people" : "", n_claimed, strangers.n);
    for (int r = 0; r < N_RATES; r++) {
        double low, high;

        bounds(&low, &high, &strangers, r);
        printf(" %.2g [%.2g, %.2g] ×%.2g%s |", strangers.now[r] / strangers.n, low, high,
               strangers.now[r] / strangers.n / rates[r],
               strangers.now[r] > 3 * rates[r] * strangers.n ? " **above 3×**" : "");
    }
    for (int r = 0; r < N_RATES; r++)
        printf(" %.4f%s", genuine.now[r] / genuine.n, r + 1 < N_RATES ? "," : " |");
    for (int r = 0; r < N_RATES; r++)
        printf(" %.2g%s", best_hits[r] / strangers.n, r + 1 < N_RATES ? "," : " |");
    for (int r = 0; r < N_RATES; r++)
        printf(" %.4f%s", best_genuine[r] / genuine.n, r + 1 < N_RATES ? "," : " |\n");
    fflush(stdout);
    cell_free(&strangers);
}

/* Half of the people known by m photos each, the others strangers: who is named, by each way to
   compare, at the bar at which 1 % of the strangers' searches name somebody. */
static void named(const set *s, const struct by_person *people, const float *evidence, size_t m)
{
    enum { DRAWS = 4 };
    double rank1[METHODS] = {0}, named_right[METHODS] = {0}, n_genuine = 0;

    for (int t = 0; t < DRAWS; t++) {
        const int n_people = s->n_people;
        size_t *order = get((size_t)n_people, sizeof *order);
        face *persons = get((size_t)n_people, sizeof *persons);
        bool *known = get((size_t)n_people, sizeof *known), *enrolled = get(s->n, sizeof *enrolled);
        float *stranger[METHODS], *right[METHODS];
        size_t n_strangers = 0, n_right = 0;
        float bar[METHODS];

        for (int k = 0; k < n_people; k++)
            order[k] = (size_t)k;
        shuffle(order, (size_t)n_people);
        for (int k = 0; k < n_people / 2; k++) {
            const size_t p = order[k];

            known[p] = people->n[p] > m;
            if (!known[p])
                continue;
            shuffle(people->photos[p], people->n[p]);
            make_person(&persons[p], s, people->photos[p], m);
            for (size_t i = 0; i < m; i++)
                enrolled[people->photos[p][i]] = true;
        }
        for (int q = 0; q < METHODS; q++) {
            stranger[q] = get(s->n, sizeof(float));
            right[q] = get(s->n, sizeof(float));
        }
        for (size_t i = 0; i < s->n; i++) {
            float most[METHODS] = {-1e9f, -1e9f, -1e9f}, own[METHODS] = {-1e9f, -1e9f, -1e9f};
            const int me = s->at[i].person;
            bool is_stranger = true;

            for (int k = 0; k < n_people / 2; k++)
                is_stranger &= order[k] != (size_t)me;
            if (enrolled[i] || (!is_stranger && !known[me]))
                continue;
            for (int p = 0; p < n_people; p++) {
                float e[METHODS];
                verdict v;

                if (!known[p])
                    continue;
                best_of(&e[0], &e[1], evidence + i * s->n, people->photos[p], m);
                judge(&v, &persons[p], &s->at[i]);
                e[2] = v.evidence;
                for (int q = 0; q < METHODS; q++) {
                    most[q] = fmaxf(most[q], e[q]);
                    if (p == me)
                        own[q] = e[q];
                }
            }
            for (int q = 0; q < METHODS; q++) {
                if (is_stranger) {
                    stranger[q][n_strangers] = most[q];
                } else {
                    right[q][n_right] = own[q] >= most[q] ? own[q] : -1e9f;
                    rank1[q] += own[q] >= most[q];
                }
            }
            *(is_stranger ? &n_strangers : &n_right) += 1;
        }
        for (int q = 0; q < METHODS; q++) {
            qsort(stranger[q], n_strangers, sizeof(float), ascending);
            bar[q] = stranger[q][n_strangers - 1 - n_strangers / 100];
            for (size_t i = 0; i < n_right; i++)
                named_right[q] += right[q][i] > bar[q];
            free(stranger[q]);
            free(right[q]);
        }
        n_genuine += (double)n_right;
        for (int p = 0; p < n_people; p++)
            if (known[p]) {
                free(persons[p].name);
                free(persons[p].vector);
            }
        free(persons);
        free(known);
        free(enrolled);
        free(order);
    }
    printf("| %zu | %.0f |", m, n_genuine);
    for (int q = 0; q < METHODS; q++)
        printf(" %.4f, %.4f |", rank1[q] / n_genuine, named_right[q] / n_genuine);
    printf("\n");
    fflush(stdout);
}

static void part_claim(void)
{
    struct by_person people;
    float *evidence;
    set s;

    load_celeba(&s);
    people = group_by_person(&s);
    evidence = get(s.n * s.n, sizeof *evidence);
    for (size_t i = 0; i < s.n; i++)
        for (size_t j = i + 1; j < s.n; j++) {
            verdict v;

            judge(&v, &s.at[i], &s.at[j]);
            evidence[i * s.n + j] = evidence[j * s.n + i] = v.evidence;
        }
    printf("## `verify --as`: celeba-test's development people by the number of their photos\n\n"
           "| photos | people | claims of strangers | accepted at 1e-2 | at 1e-3 | at 1e-4 | own "
           "claims accepted | strangers by the best photo at the same bars | own so |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t m = 1; m <= 20; m = m == 2 ? 5 : 2 * m)
        claim(&s, &people, evidence, m, false);
    claim(&s, &people, evidence, 40, true);
    printf(
        "\n## Who is named: half of the people known, FPIR 1e-2 by each way's own bar\n\n| photos "
        "| searches |");
    for (int q = 0; q < METHODS; q++)
        printf(" %s: first, named |", methods[q]);
    printf("\n|---|---|---|---|---|\n");
    for (size_t m = 1; m <= 10; m = m == 2 ? 5 : 2 * m)
        named(&s, &people, evidence, m);
    printf("\n");
    free(evidence);
    by_person_free(&people);
    unload(&s);
}

/* ------------------------------------------------------------------ query */

/* Searches of strangers that name somebody, and of known people that name them. */
struct searches {
    double strangers, false_named, known, right, wrong;
    int n_people;
    float *degree, *hits; /* by person of the strangers */
};

static void search(struct searches *r, const dpl_policy *policy, const set *probes,
                   const face *persons, const int *whose, size_t n_persons, const bool *skip,
                   bool strangers)
{
    for (size_t i = 0; i < probes->n; i++) {
        const face *probe = &probes->at[i];
        float most = -1e9f;
        size_t who = 0;
        bool known = false;
        verdict v;

        if (skip && skip[i])
            continue;
        for (size_t p = 0; p < n_persons; p++) {
            known |= !strangers && whose[p] == probe->person;
            judge(&v, &persons[p], probe);
            if (v.evidence > most) {
                most = v.evidence;
                who = p;
            }
        }
        const bool named_one = dpl_decide(policy, most) == DPL_DECISION_MATCH;
        if (known) {
            r->known++;
            r->right += named_one && whose[who] == probe->person;
            r->wrong += named_one && whose[who] != probe->person;
        } else {
            r->strangers++;
            r->false_named += named_one;
            r->degree[probe->person]++;
            r->hits[probe->person] += named_one;
        }
    }
}

static void print_searches(const struct searches *r, const char *name, double asked, double bound)
{
    const double rate = r->false_named / r->strangers;
    double sum = 0, low, high;

    for (int p = 0; p < r->n_people; p++) {
        const double d = (double)r->hits[p] - rate * (double)r->degree[p];
        sum += d * d;
    }
    const double independent = r->strangers * rate * (1 - rate);
    dpli_binomial_bounds(&low, &high, rate,
                         sum > independent && independent > 0 ? r->strangers * independent / sum
                                                              : r->strangers);
    printf("| %s | %.2g | %.2g | %.0f | %.2g [%.2g, %.2g] %s | %.4f | %.2g |\n", name, asked, bound,
           r->strangers, rate, low, high, rate <= bound ? "holds" : "**above**",
           r->known > 0 ? r->right / r->known : NAN, r->known > 0 ? r->wrong / r->known : NAN);
    fflush(stdout);
}

static const char *searches_header = "| gallery | FPIR asked | stated | searches of strangers | "
                                     "named | known people named rightly | "
                                     "wrongly |\n|---|---|---|---|---|---|---|\n";

/* n people of celeba-test's development set with m photos each, drawn again and again. */
static void query(const set *s, const struct by_person *people, size_t n, size_t m, double fpir)
{
    enum { DRAWS = 8 };
    struct searches r = {.n_people = s->n_people};
    dpl_policy policy;
    dpl_error err = {0};
    char name[64];

    check(dpl_policy_for_search(&policy, dpl_pipeline_calibration(judges.pipeline), fpir,
                                (int64_t)n, &err),
          &err);
    r.degree = get((size_t)s->n_people, sizeof(float));
    r.hits = get((size_t)s->n_people, sizeof(float));
    for (int t = 0; t < DRAWS; t++) {
        size_t *order = get((size_t)s->n_people, sizeof *order), n_known = 0;
        face *persons = get(n, sizeof *persons);
        int *whose = get(n, sizeof *whose);
        bool *skip = get(s->n, sizeof *skip);

        for (int k = 0; k < s->n_people; k++)
            order[k] = (size_t)k;
        shuffle(order, (size_t)s->n_people);
        for (int k = 0; k < s->n_people && n_known < n; k++) {
            const size_t p = order[k];

            if (people->n[p] <= m)
                continue;
            shuffle(people->photos[p], people->n[p]);
            make_person(&persons[n_known], s, people->photos[p], m);
            for (size_t i = 0; i < m; i++)
                skip[people->photos[p][i]] = true;
            whose[n_known++] = (int)p;
        }
        search(&r, &policy, s, persons, whose, n_known, skip, false);
        for (size_t k = 0; k < n_known; k++) {
            free(persons[k].name);
            free(persons[k].vector);
        }
        free(persons);
        free(whose);
        free(skip);
        free(order);
    }
    snprintf(name, sizeof name, "%zu people, %zu photos", n, n * m);
    print_searches(&r, name, fpir, fmin(1, fpir));
    free(r.degree);
    free(r.hits);
}

static void part_query(void)
{
    struct by_person people;
    set s;

    load_celeba(&s);
    people = group_by_person(&s);
    printf("## `query`: people of celeba-test's development set\n\n%s", searches_header);
    query(&s, &people, 10, 7, 1e-2);
    query(&s, &people, 10, 7, 1e-1);
    query(&s, &people, 81, 6, 1e-2);
    query(&s, &people, 81, 6, 1e-1);
    printf("\n");
    by_person_free(&people);
    unload(&s);
}

/* Galleries of one photo a person, lfw-dev's people first, then UTKFace's; asked by the strangers
   of celeba-test and by other photos of lfw-dev's people. */
static void part_sizes(void)
{
    static const size_t sizes[] = {10, 100, 1000, 5000};
    set lfw, utk, celeba;

    load(&lfw, "lfw");
    filter(&lfw, is_main);
    load_utkface(&utk);
    load_celeba(&celeba);
    printf("## Galleries of one photo a person\n\n%s", searches_header);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        face *persons = get(sizes[k], sizeof *persons);
        int *whose = get(sizes[k], sizeof *whose);
        bool *skip = get(lfw.n, sizeof *skip), *known = get((size_t)lfw.n_people, sizeof *known);
        struct searches r = {.n_people = celeba.n_people};
        size_t *order = get(lfw.n, sizeof *order), n = 0;
        dpl_policy policy;
        dpl_error err = {0};
        char name[64];

        for (size_t i = 0; i < lfw.n; i++)
            order[i] = i;
        shuffle(order, lfw.n);
        for (size_t i = 0; i < lfw.n && n < sizes[k]; i++) {
            const face *f = &lfw.at[order[i]];

            if (known[f->person])
                continue;
            known[f->person] = skip[order[i]] = true;
            persons[n] = *f;
            whose[n++] = f->person;
        }
        /* who is not in the gallery does not search: strangers are celeba-test's alone */
        for (size_t i = 0; i < lfw.n; i++)
            skip[i] |= !known[lfw.at[i].person];
        for (size_t i = 0; i < utk.n && n < sizes[k]; i++) {
            persons[n] = utk.at[i];
            whose[n++] = -1;
        }
        check(dpl_policy_for_search(&policy, dpl_pipeline_calibration(judges.pipeline), 1e-2,
                                    (int64_t)n, &err),
              &err);
        r.degree = get((size_t)celeba.n_people, sizeof(float));
        r.hits = get((size_t)celeba.n_people, sizeof(float));
        search(&r, &policy, &celeba, persons, whose, n, NULL, true);
        search(&r, &policy, &lfw, persons, whose, n, skip, false);
        snprintf(name, sizeof name, "%zu people", n);
        print_searches(&r, name, 1e-2, fmin(1, (double)n * policy.fmr));
        free(r.degree);
        free(r.hits);
        free(persons);
        free(whose);
        free(skip);
        free(known);
        free(order);
    }
    printf("\n");
    unload(&celeba);
    unload(&utk);
    unload(&lfw);
}

/* ------------------------------------------------------------------ turn */

static void turn_one(double degrees, const char *folder, const char *path)
{
    const double turn = degrees * 3.14159265358979323846 / 180, c = cos(turn), s = sin(turn);
    dpl_image in = DPL_IMAGE_INIT, out = DPL_IMAGE_INIT;
    dpl_error err = {0};
    uint8_t *jpeg, *pixels;
    size_t n;
    char parent[LINE], name[LINE];

    check(dpl_image_open(&in, path, NULL, &err), &err);
    const int32_t w = (int32_t)lround(fabs(in.width_px * c) + fabs(in.height_px * s));
    const int32_t h = (int32_t)lround(fabs(in.width_px * s) + fabs(in.height_px * c));
    const double x = in.width_px / 2.0, y = in.height_px / 2.0;
    const float m[6] = {(float)c,  (float)s, (float)(x - (c * w + s * h) / 2),
                        (float)-s, (float)c, (float)(y - (c * h - s * w) / 2)};
    pixels = get((size_t)w * (size_t)h, 3);
    check(dpli_warp_affine(pixels, w, h, &in, m, &err), &err);
    check(dpl_image_from_rgb(&out, pixels, w, h, (size_t)w * 3, &err), &err);
    check(dpl_image_to_jpeg(&jpeg, &n, &out, 95, &err), &err);

    /* FOLDER/person/photo */
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        die("\"%s\" lies in no folder", path);
    *slash = '\0';
    const char *person = strrchr(parent, '/') ? strrchr(parent, '/') + 1 : parent;
    if (snprintf(name, sizeof name, "%s/%s", folder, person) >= (int)sizeof name)
        die("\"%s\" is too long", path);
    if (mkdir(name, 0777) != 0 && errno != EEXIST)
        die("\"%s\": %s", name, strerror(errno));
    if (snprintf(name, sizeof name, "%s/%s/%s", folder, person, slash + 1) >= (int)sizeof name)
        die("\"%s\" is too long", path);
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(jpeg, 1, n, f) != n || fclose(f) != 0)
        die("\"%s\": %s", name, strerror(errno));
    dpl_bytes_free(jpeg);
    free(pixels);
    dpl_image_clear(&in);
    dpl_image_clear(&out);
}

/* ------------------------------------------------------------------ main */

static void read_before(const char *path)
{
    dpl_calibration *before;
    dpl_error err = {0};
    FILE *f = fopen(path, "r");
    static char text[65536];

    if (!f)
        die("\"%s\": %s", path, strerror(errno));
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    check(dpl_calibration_parse(&before, text, &err), &err);
    for (int r = 0; r < N_RATES; r++) {
        float reject;

        check(dpl_calibration_threshold(&judges.bar_before[r], &reject, before, rates[r], &err),
              &err);
    }
    dpl_calibration_free(before);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"lfw", part_lfw},       {"utkface", part_utkface}, {"celeba", part_celeba},
                 {"turned", part_turned}, {"genuine", part_genuine}, {"claim", part_claim},
                 {"query", part_query},   {"sizes", part_sizes}};
    enum { N_PARTS = sizeof parts / sizeof parts[0] };
    dpl_error err = {0};

    if (argc >= 4 && strcmp(argv[1], "turn") == 0) {
        for (int i = 4; i < argc; i++)
            turn_one(strtod(argv[2], NULL), argv[3], argv[i]);
        return 0;
    }
    if (argc < 5) {
        fputs("usage: bench_decisions MODEL GALLERIES DATA BEFORE [PART...]\n"
              "       bench_decisions turn DEGREES FOLDER PHOTO...\n",
              stderr);
        return 2;
    }
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    options.encoder_path = argv[1];
    galleries = argv[2];
    data = argv[3];
    check(dpl_pipeline_open(&judges.pipeline, &options, &err), &err);
    judges.head = dpl_pipeline_head(judges.pipeline);
    judges.dim = dpl_encoder_dim(dpl_pipeline_encoder(judges.pipeline));
    if (!dpl_pipeline_calibration(judges.pipeline))
        die("\"%s\" has no calibration", argv[1]);
    for (int r = 0; r < N_RATES; r++)
        check(dpl_policy_make(&judges.policy[r], dpl_pipeline_calibration(judges.pipeline),
                              rates[r], NAN, &err),
              &err);
    read_before(argv[4]);
    printf("Before: score at least %.4f, %.4f, %.4f. Now: %s\n\n", (double)judges.bar_before[0],
           (double)judges.bar_before[1], (double)judges.bar_before[2],
           dpl_calibration_source(dpl_pipeline_calibration(judges.pipeline)));
    for (int i = 5; i < argc; i++) {
        int k = 0;

        while (k < N_PARTS && strcmp(parts[k].name, argv[i]) != 0)
            k++;
        if (k == N_PARTS)
            die("no part \"%s\"", argv[i]);
        parts[k].run();
    }
    for (int k = 0; argc == 5 && k < N_PARTS; k++)
        parts[k].run();
    dpl_pipeline_close(judges.pipeline);
    return 0;
}
