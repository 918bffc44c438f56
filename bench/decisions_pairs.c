/*
 * decisions_pairs.c - pairs of strangers by kind of face, and genuine pairs.
 */
#include "bench/decisions.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/binomial.h"

enum { N_TOP = 40 };

/* ------------------------------------------------------------------ counting */

cell cell_new(const char *name, int n_people)
{
    cell c = {.name = name, .n_people = n_people};

    c.degree = get((size_t)n_people, sizeof(float));
    for (int r = 0; r < N_RATES; r++)
        c.hits[r] = get((size_t)n_people, sizeof(float));
    return c;
}

void cell_free(cell *c)
{
    free(c->degree);
    for (int r = 0; r < N_RATES; r++)
        free(c->hits[r]);
}

void count(cell *c, const verdict *v, int a, int b)
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
void bounds(double *low, double *high, const cell *c, int r)
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

void part_lfw(void)
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

void part_utkface(void)
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

void part_celeba(void)
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

void add_genuine(accepted *g, const face *a, const face *b)
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

void part_turned(void)
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

void part_genuine(void)
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
