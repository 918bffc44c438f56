/*
 * bench_group.c - how right groups of unnamed faces are at each level, and what they cost.
 *
 * usage: bench_group MODEL GALLERIES DATA precision|shipped|lfw|graph
 *        bench_group MODEL GALLERIES DATA sizes FOLDER N
 *
 *   MODEL, GALLERIES, DATA  as of bench_decisions; bench/decisions.sh makes the galleries
 *   precision  libraries of many kinds, made of CelebA's development people (celeba-test) and of
 *              UTKFace's odd photos, each face a stranger; doubles of decisions-same.txt are one
 *              person. For each precision the level from which on it is reached, brought to 3,000
 *              faces; and what the shipped level comes to. What the levels of index/group.c are
 *              chosen by
 *   shipped    the same without looking for levels, which takes minutes
 *   lfw        the same figures of lfw-dev, which only reports; with bystanders, each a stranger
 *   graph      all pairs against an index's, 5,000 faces
 *   sizes      a gallery of N made faces in FOLDER, grouped: seconds and memory
 *
 * Precision and recall are B-cubed (Bagga and Baldwin 1998): of each face, which share of its group
 * is its person's, and which share of its person's faces is in its group; the means over all faces,
 * single ones among them. "in groups" is the precision over the faces in groups of two and more.
 */
#include "bench/decisions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "doppel/group.h"
#include "index/groups.h"
#include "index/linkage.h"
#include "index/neighbours.h"
#include "index/pipeline.h"

enum { MAX_LEVELS = 128, N_WISHES = 5, DRAWS = 3 };

static const double wishes[N_WISHES] = {0.90, 0.96, 0.98, 0.99, 0.995};

/* ------------------------------------------------------------------ a library */

typedef struct library {
    size_t n;
    float *rows, *means, *deviations;
    int64_t *photos;
    int *people;
} library;

/* How right groups are. */
typedef struct score {
    double precision, recall, in_groups;
    size_t n_in_groups, n_groups;
} score;

static void library_add(library *l, size_t cap, const face *f, int person)
{
    double norm = 0;

    if (dpl_calibration_fitness(judges.calibration, &f->face) == DPL_FITNESS_TOO_POOR)
        return;
    if (!l->rows) {
        l->rows = get(cap * (size_t)judges.dim, sizeof *l->rows);
        l->means = get(cap, sizeof *l->means);
        l->deviations = get(cap, sizeof *l->deviations);
        l->photos = get(cap, sizeof *l->photos);
        l->people = get(cap, sizeof *l->people);
    }
    for (int32_t i = 0; i < judges.dim; i++)
        norm += (double)f->vector[i] * (double)f->vector[i];
    for (int32_t i = 0; i < judges.dim; i++)
        l->rows[l->n * (size_t)judges.dim + (size_t)i] = (float)((double)f->vector[i] / sqrt(norm));
    l->means[l->n] = f->side.mean;
    l->deviations[l->n] = f->side.deviation;
    l->photos[l->n] = f->photo;
    l->people[l->n++] = person;
}

static void library_clear(library *l)
{
    free(l->rows);
    free(l->means);
    free(l->deviations);
    free(l->photos);
    free(l->people);
    *l = (library){0};
}

static dpli_looking looking_at(const library *l, double level)
{
    return (dpli_looking){.n = l->n,
                          .dim = judges.dim,
                          .rows = l->rows,
                          .floor = dpli_linkage_floor(judges.calibration, level),
                          .k = 512};
}

static void group_by(uint32_t *group, const library *l, const dpli_edges *edges, double level,
                     bool apart)
{
    const dpli_linking linking = {.n = l->n,
                                  .dim = judges.dim,
                                  .rows = l->rows,
                                  .means = l->means,
                                  .deviations = l->deviations,
                                  .photos = apart ? l->photos : NULL,
                                  .calibration = judges.calibration,
                                  .level = level,
                                  .edges = edges->items,
                                  .n_edges = edges->n};
    dpl_error err;

    check(dpli_linkage(group, &linking, &err), &err);
}

/* ------------------------------------------------------------------ B-cubed */

typedef struct place {
    uint32_t group;
    int person;
} place;

static int by_group(const void *a, const void *b)
{
    const place *x = a, *y = b;

    if (x->group != y->group)
        return (x->group > y->group) - (x->group < y->group);
    return (x->person > y->person) - (x->person < y->person);
}

static score score_of(const uint32_t *group, const library *l)
{
    place *all = get(l->n, sizeof *all);
    size_t *of_group = get(l->n, sizeof *of_group), *of_person;
    int n_people = 0;
    score s = {0};

    for (size_t i = 0; i < l->n; i++) {
        n_people = l->people[i] >= n_people ? l->people[i] + 1 : n_people;
        of_group[group[i]]++;
        all[i] = (place){group[i], l->people[i]};
    }
    of_person = get((size_t)n_people, sizeof *of_person);
    for (size_t i = 0; i < l->n; i++)
        of_person[l->people[i]]++;
    qsort(all, l->n, sizeof *all, by_group);
    for (size_t i = 0, j; i < l->n; i = j) {
        for (j = i; j < l->n && by_group(&all[i], &all[j]) == 0; j++)
            continue;
        const double both = (double)(j - i), n = (double)of_group[all[i].group];

        s.precision += both * both / n;
        s.recall += both * both / (double)of_person[all[i].person];
        if (n > 1) {
            s.in_groups += both * both / n;
            s.n_in_groups += j - i;
        }
    }
    for (size_t i = 0; i < l->n; i++)
        s.n_groups += of_group[i] > 1;
    s.precision /= (double)l->n;
    s.recall /= (double)l->n;
    s.in_groups = s.n_in_groups ? s.in_groups / (double)s.n_in_groups : 1;
    free(all);
    free(of_group);
    free(of_person);
    return s;
}

/* ------------------------------------------------------------------ levels */

static bool only_shipped;

/* What one library came to: the lowest level from which on each precision holds, and the scores at
   the shipped levels. */
typedef struct outcome {
    double level[N_WISHES];
    score at_level[N_WISHES], shipped[N_WISHES];
} outcome;

static void measure(outcome *out, const library *l)
{
    const double lowest = 1, step = 0.05, shift = log10((double)l->n / 3000);
    const dpli_looking looking = looking_at(l, lowest);
    uint32_t *group = get(l->n, sizeof *group);
    dpli_edges edges;
    dpl_error err;

    check(dpli_neighbours_all(&edges, &looking, &err), &err);
    for (int w = 0; w < N_WISHES; w++)
        out->level[w] = (double)NAN;
    for (int i = MAX_LEVELS; i >= 0 && !only_shipped; i--) {
        const double level = lowest + step * i;
        score s;
        bool holds = false;

        group_by(group, l, &edges, level, true);
        s = score_of(group, l);
        for (int w = 0; w < N_WISHES; w++) {
            if (s.precision >= wishes[w] &&
                (i == MAX_LEVELS || out->level[w] < level - shift + 1.5 * step)) {
                out->level[w] = level - shift;
                out->at_level[w] = s;
                holds = true;
            }
        }
        if (!holds)
            break;
    }
    for (int w = 0; w < N_WISHES; w++) {
        group_by(group, l, &edges, dpli_group_level(wishes[w], l->n), true);
        out->shipped[w] = score_of(group, l);
    }
    free(edges.items);
    free(group);
}

static void print(const char *name, size_t n, const outcome *o)
{
    printf("| %s | %zu |", name, n);
    for (int w = 0; w < N_WISHES; w++)
        printf(" %.2f |", o->level[w]);
    for (int w = 0; w < N_WISHES; w++)
        printf(" %.4f, %.4f, %.4f |", o->shipped[w].precision, o->shipped[w].recall,
               o->shipped[w].in_groups);
    putchar('\n');
    fflush(stdout);
}

static void print_head(void)
{
    printf("| library | faces |");
    for (int w = 0; w < N_WISHES; w++)
        printf(" level of %g |", wishes[w]);
    for (int w = 0; w < N_WISHES; w++)
        printf(" at %g: precision, recall, in groups |", wishes[w]);
    printf("\n|---|---|");
    for (int w = 0; w < 2 * N_WISHES; w++)
        printf("---|");
    putchar('\n');
}

/* ------------------------------------------------------------------ precision */

static void shuffle(const face **faces, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = draw((uint32_t)i);
        const face *f = faces[i - 1];

        faces[i - 1] = faces[j];
        faces[j] = f;
    }
}

/* Strangers whose photos are listed as one person's are one. */
static void join_doubles(set *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < i && s->at[i].listed; j++)
            if (s->at[j].listed && is_same(&s->at[i], &s->at[j]))
                s->at[i].person = s->at[j].person;
}

static void part_precision(void)
{
    /* So many people at most of so many photos, and strangers of one photo each. */
    static const struct {
        const char *name;
        int people, photos, strangers;
    } kinds[] = {
        {"149 people, all their photos", 149, 1000, 0},
        {"149 people, all; 2,400 strangers", 149, 1000, 2400},
        {"149 people, up to 3; 2,400 strangers", 149, 3, 2400},
        {"149 people, up to 3; 1,200 strangers", 149, 3, 1200},
        {"149 people, up to 3; 600 strangers", 149, 3, 600},
        {"149 people, up to 3; 150 strangers", 149, 3, 150},
        {"149 people, up to 10; 1,000 strangers", 149, 10, 1000},
        {"149 people, up to 5", 149, 5, 0},
        {"40 people, all; 2,400 strangers", 40, 1000, 2400},
        {"20 people, all; 2,400 strangers", 20, 1000, 2400},
        {"20 people, all; 1,000 strangers", 20, 1000, 1000},
        {"20 people, all; 200 strangers", 20, 1000, 200},
    };
    set people, strangers;
    const face **p, **u;

    load_celeba(&people);
    load_utkface(&strangers);
    join_doubles(&strangers);
    p = get(people.n, sizeof(face *));
    u = get(strangers.n, sizeof(face *));
    for (size_t i = 0; i < people.n; i++)
        p[i] = &people.at[i];
    for (size_t i = 0; i < strangers.n; i++)
        u[i] = &strangers.at[i];
    print_head();
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int d = 0; d < (k == 0 ? 1 : DRAWS); d++) {
            int *known = get((size_t)people.n_people, sizeof *known);
            int *have = get((size_t)people.n_people, sizeof *have);
            int n_places = 0, n_strangers = 0;
            library l = {0};
            outcome o;

            shuffle(p, people.n);
            shuffle(u, strangers.n);
            for (size_t i = 0; i < people.n; i++) {
                const int who = p[i]->person;

                if (!known[who] && n_places < kinds[k].people)
                    known[who] = ++n_places;
                if (known[who] && have[who]++ < kinds[k].photos)
                    library_add(&l, people.n + strangers.n, p[i], who);
            }
            for (size_t i = 0; i < strangers.n && n_strangers < kinds[k].strangers;
                 i++, n_strangers++)
                library_add(&l, people.n + strangers.n, u[i], people.n_people + u[i]->person);
            measure(&o, &l);
            print(kinds[k].name, l.n, &o);
            library_clear(&l);
            free(known);
            free(have);
        }
    unload(&people);
    unload(&strangers);
    free(p);
    free(u);
}

/* ------------------------------------------------------------------ lfw */

static void part_lfw_groups(void)
{
    for (int all = 0; all < 2; all++) {
        set s;
        library l = {0};
        outcome o;

        load(&s, "lfw");
        int next = s.n_people;
        for (size_t i = 0; i < s.n; i++)
            if (s.at[i].main || all)
                library_add(&l, s.n, &s.at[i], s.at[i].main ? s.at[i].person : next++);
        measure(&o, &l);
        if (!all)
            print_head();
        print(all ? "lfw-dev, bystanders too" : "lfw-dev", l.n, &o);
        if (all) {
            const dpli_looking looking = looking_at(&l, 1);
            uint32_t *group = get(l.n, sizeof *group);
            dpli_edges edges;
            dpl_error err;
            score c;

            check(dpli_neighbours_all(&edges, &looking, &err), &err);
            group_by(group, &l, &edges, dpli_group_level(0.99, l.n), false);
            c = score_of(group, &l);
            printf("\nfaces of one photo not kept apart, at 0.99: %.4f, %.4f, %.4f\n", c.precision,
                   c.recall, c.in_groups);
            free(edges.items);
            free(group);
        }
        library_clear(&l);
        unload(&s);
    }
}

/* ------------------------------------------------------------------ graph */

static void part_graph(void)
{
    set people, strangers;
    library l = {0};
    dpli_edges all, near;
    dpl_head *head;
    dpl_error err;
    double recall;

    load_celeba(&people);
    load_utkface(&strangers);
    join_doubles(&strangers);
    for (size_t i = 0; i < people.n; i++)
        library_add(&l, people.n + strangers.n, &people.at[i], people.at[i].person);
    for (size_t i = 0; i < strangers.n && l.n < 5000; i++)
        library_add(&l, people.n + strangers.n, &strangers.at[i],
                    people.n_people + strangers.at[i].person);
    const double level = dpli_group_level(0.99, l.n);
    dpli_looking looking = looking_at(&l, level);
    uint32_t *by_all = get(l.n, sizeof *by_all), *by_index = get(l.n, sizeof *by_index);
    library as_truth = l;

    check(dpl_head_open(&head, dpl_pipeline_encoder(judges.pipeline), &err), &err);
    check(dpli_neighbours_all(&all, &looking, &err), &err);
    group_by(by_all, &l, &all, level, true);
    as_truth.people = get(l.n, sizeof *as_truth.people);
    for (size_t i = 0; i < l.n; i++)
        as_truth.people[i] = (int)by_all[i];
    printf("| neighbours | edges | precision, recall, in groups | against all pairs |\n"
           "|---|---|---|---|\n");
    score s = score_of(by_all, &l);
    printf("| all pairs | %zu | %.4f, %.4f, %.4f | |\n", all.n, s.precision, s.recall, s.in_groups);
    for (size_t k = 8; k <= 128; k *= 2) {
        looking.k = k;
        check(dpli_neighbours_by_index(&near, &recall, &looking, head, &err), &err);
        group_by(by_index, &l, &near, level, true);
        s = score_of(by_index, &l);
        const score t = score_of(by_index, &as_truth);
        printf("| %zu, recall %.3f | %zu | %.4f, %.4f, %.4f | %.5f, %.5f |\n", k, recall, near.n,
               s.precision, s.recall, s.in_groups, t.precision, t.recall);
        free(near.items);
    }
    free(all.items);
    free(as_truth.people);
    free(by_all);
    free(by_index);
    dpl_head_free(head);
    library_clear(&l);
    unload(&people);
    unload(&strangers);
}

/* ------------------------------------------------------------------ sizes */

static double normal(void)
{
    const double u = (draw(1u << 30) + 1.0) / (1 << 30), v = draw(1u << 30) / (double)(1 << 30);

    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

/* Made faces have the mean and the spread of real ones: a person is that mean and a random
   combination of real faces' differences from it, a photo the person and one of what differs
   between photos of a person. */
typedef struct maker {
    set real;
    float *mean; /* [dim] */
} maker;

static void mix(float *out, const maker *m, bool within, int n)
{
    const size_t dim = (size_t)judges.dim;

    for (int k = 0; k < n; k++) {
        const face *a = &m->real.at[draw((uint32_t)m->real.n)], *b = a;
        const double g = normal() / sqrt(n);

        if (within) /* photos of a person follow each other for the most part */
            for (int i = 0; i < 50 && (b == a || b->person != a->person); i++)
                b = &m->real.at[draw((uint32_t)m->real.n)];
        if (within && b->person != a->person)
            continue;
        for (size_t i = 0; i < dim; i++)
            out[i] += (float)(g * (double)(a->vector[i] - (within ? b->vector[i] : m->mean[i])) /
                              (within ? sqrt(2) : 1));
    }
}

static void make_faces(const char *folder, int64_t n)
{
    const size_t dim = (size_t)judges.dim;
    maker m = {.mean = get(dim, sizeof(float))};
    float *person = get(dim, sizeof *person), *within = get(256 * dim, sizeof *within);
    enum { BATCH = 2000 };
    float *vectors = get(BATCH * dim, sizeof *vectors);
    static dpl_new_template templates[BATCH];
    static dpl_new_photo photos[BATCH];
    static char paths[BATCH][64], sums[BATCH][65];
    dpl_gallery *gallery;
    dpl_error err;
    int left = 0;

    load_celeba(&m.real);
    for (size_t k = 0; k < m.real.n; k++)
        for (size_t i = 0; i < dim; i++)
            m.mean[i] += m.real.at[k].vector[i] / (float)m.real.n;
    for (int k = 0; k < 256; k++) {
        /* a person's photos, by their order in the set */
        const face *a = &m.real.at[draw((uint32_t)m.real.n)];
        int tries = 0;
        const face *b;

        do
            b = &m.real.at[draw((uint32_t)m.real.n)];
        while ((b == a || b->person != a->person) && tries++ < 100000);
        for (size_t i = 0; i < dim; i++)
            within[(size_t)k * dim + i] = (a->vector[i] - b->vector[i]) / sqrtf(2);
    }
    check(dpl_gallery_open(&gallery, folder, DPL_GALLERY_CREATE, &err), &err);
    check(dpl_gallery_bind(gallery, dpl_pipeline_encoder(judges.pipeline), &err), &err);
    for (int64_t at = 0; at < n; at += BATCH) {
        const size_t count = n - at < BATCH ? (size_t)(n - at) : BATCH;

        for (size_t j = 0; j < count; j++) {
            float *v = vectors + j * dim;

            if (left-- == 0) { /* half the people have one photo, the others up to 40 */
                memset(person, 0, dim * sizeof *person);
                mix(person, &m, false, 30);
                for (size_t i = 0; i < dim; i++)
                    person[i] += m.mean[i];
                left = draw(2) ? 0 : (int)draw(40);
            }
            memcpy(v, person, dim * sizeof *v);
            for (int k = 0; k < 20; k++) {
                const float g = (float)(normal() / sqrt(20));
                const float *w = within + draw(256) * dim;

                for (size_t i = 0; i < dim; i++)
                    v[i] += g * w[i];
            }
            snprintf(paths[j], sizeof paths[j], "/made/%09lld.jpg", (long long)(at + (int64_t)j));
            snprintf(sums[j], sizeof sums[j], "%064llx",
                     (unsigned long long)(at + (int64_t)j) << 8);
            memmove(sums[j], sums[j] + 32, 32); /* the first half names the content */
            templates[j] = (dpl_new_template){
                .space = "face", .vector = v, .dim = judges.dim, .is_nobodys = true};
            photos[j] = (dpl_new_photo){
                .row = {.path = paths[j], .sha256 = sums[j], .reason = "", .options = ""},
                .templates = &templates[j],
                .n_templates = 1};
        }
        check(dpl_gallery_put(gallery, photos, count, &err), &err);
    }
    dpl_gallery_close(gallery);
    unload(&m.real);
    free(m.mean);
    free(person);
    free(within);
    free(vectors);
}

static double last_mib(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (f)
        fclose(f);
    return kib / 1024;
}

static void part_sizes_of(const char *folder, int64_t n)
{
    dpl_group_options options = DPL_GROUP_OPTIONS_INIT;
    dpl_gallery *gallery;
    dpl_group_report r;
    dpl_error err;
    double began;

    if (dpl_gallery_open(&gallery, folder, DPL_GALLERY_WRITE, &err) != DPL_OK) {
        make_faces(folder, n);
        printf("made; run again to measure\n");
        return;
    }
    for (int again = 0; again < 2; again++) {
        began = dpli_now();
        check(dpl_group(&r, gallery, judges.pipeline, &options, &err), &err);
        printf("%lld faces, %s, recall %.3f: %lld groups of %lld, %lld single; %.1f s, %.0f MiB at "
               "most, changed %d\n",
               (long long)r.n_faces, r.exact ? "all pairs" : "by an index", r.recall,
               (long long)r.n_groups, (long long)r.n_grouped, (long long)r.n_single,
               dpli_now() - began, last_mib(), r.changed);
        fflush(stdout);
    }
    dpl_gallery_close(gallery);
}

int main(int argc, char **argv)
{
    dpl_pipeline_options options = DPL_PIPELINE_OPTIONS_INIT;
    dpl_error err = {0};

    if (argc < 5 || (strcmp(argv[4], "sizes") == 0 && argc < 7)) {
        fputs("usage: bench_group MODEL GALLERIES DATA precision|shipped|lfw|graph\n"
              "       bench_group MODEL GALLERIES DATA sizes FOLDER N\n",
              stderr);
        return 2;
    }
    options.encoder_path = argv[1];
    galleries = argv[2];
    data = argv[3];
    check(dpl_pipeline_open(&judges.pipeline, &options, &err), &err);
    judges.dim = dpl_encoder_dim(dpl_pipeline_encoder(judges.pipeline));
    judges.calibration = dpl_pipeline_calibration(judges.pipeline);
    if (!judges.calibration)
        die("\"%s\" has no calibration", argv[1]);
    for (int r = 0; r < N_RATES; r++) {
        check(dpl_policy_make(&judges.policy[r], judges.calibration, rates[r], (double)NAN, &err),
              &err);
        judges.judge[r] = dpli_pipeline_judge(judges.pipeline, &judges.policy[r]);
    }
    only_shipped = strcmp(argv[4], "shipped") == 0;
    if (strcmp(argv[4], "precision") == 0 || only_shipped)
        part_precision();
    else if (strcmp(argv[4], "lfw") == 0)
        part_lfw_groups();
    else if (strcmp(argv[4], "graph") == 0)
        part_graph();
    else if (strcmp(argv[4], "sizes") == 0)
        part_sizes_of(argv[5], strtoll(argv[6], NULL, 10));
    else
        die("no part \"%s\"", argv[4]);
    dpl_pipeline_close(judges.pipeline);
    return 0;
}
