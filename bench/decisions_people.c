/*
 * decisions_people.c - people of several photos: claims, who is named, searches.
 */
#include "bench/decisions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/binomial.h"
#include "index/pipeline.h"

/* ------------------------------------------------------------------ people of several photos */

/* What stands for a person of these photos, as in index/person.c, which reads it from a gallery:
   the mean of the fair ones, of the poor where none is fair, of all where those are too poor. */
static void make_person(face *out, const set *s, const size_t *photos, size_t n)
{
    double sum[DPL_MAX_DIM] = {0}, norm = 0;
    dpl_fitness fitness = DPL_FITNESS_TOO_POOR;
    size_t n_compared = 0;

    *out = (face){.name = copy(""), .vector = get((size_t)judges.dim, sizeof(float))};
    for (size_t i = 0; i < n; i++)
        if (s->at[photos[i]].side.fitness < fitness)
            fitness = s->at[photos[i]].side.fitness;
    for (size_t i = 0; i < n; i++) {
        const face *f = &s->at[photos[i]];

        if (f->side.fitness != fitness)
            continue;
        n_compared++;
        for (int32_t d = 0; d < judges.dim; d++) /* vectors are of unit length */
            sum[d] += (double)f->vector[d];
    }
    for (int32_t d = 0; d < judges.dim; d++)
        norm += sum[d] * sum[d];
    for (int32_t d = 0; d < judges.dim; d++)
        out->vector[d] = (float)(sum[d] / sqrt(norm));
    out->side = dpli_side_of(&judges.judge[0], out->vector, fitness);
    out->times = n_compared > 1 ? dpl_calibration_mean_factor(judges.calibration) : 1;
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
static void claim(const set *s, const struct by_person *people, const float *scores, size_t m,
                  bool pooled)
{
    const size_t each = pooled ? m / 2 : m;
    accepted genuine = {0};
    cell strangers = cell_new("", s->n_people);
    double before_hits[N_RATES] = {0}, before_genuine[N_RATES] = {0};
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
            best_of(&best, &three, scores + i * s->n, photos, n);
            for (int r = 0; r < N_RATES; r++)
                *(own ? &before_genuine[r] : &before_hits[r]) +=
                    dpl_accepts((double)best, (double)judges.bar_before[r]);
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
        printf(" %.2g%s", before_hits[r] / strangers.n, r + 1 < N_RATES ? "," : " |");
    for (int r = 0; r < N_RATES; r++)
        printf(" %.4f%s", before_genuine[r] / genuine.n, r + 1 < N_RATES ? "," : " |\n");
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

void part_claim(void)
{
    struct by_person people;
    float *evidence, *scores;
    set s;

    load_celeba(&s);
    people = group_by_person(&s);
    evidence = get(s.n * s.n, sizeof *evidence);
    scores = get(s.n * s.n, sizeof *scores);
    for (size_t i = 0; i < s.n; i++)
        for (size_t j = i + 1; j < s.n; j++) {
            verdict v;

            judge(&v, &s.at[i], &s.at[j]);
            evidence[i * s.n + j] = evidence[j * s.n + i] = v.evidence;
            scores[i * s.n + j] = scores[j * s.n + i] = v.score;
        }
    printf("## `verify --as`: celeba-test's development people by the number of their photos\n\n"
           "| photos | people | claims of strangers | accepted at 1e-2 | at 1e-3 | at 1e-4 | own "
           "claims accepted | before, by the best photo's score: strangers | own |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t m = 1; m <= 20; m = m == 2 ? 5 : 2 * m)
        claim(&s, &people, scores, m, false);
    claim(&s, &people, scores, 40, true);
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
    free(scores);
    by_person_free(&people);
    unload(&s);
}

/* ------------------------------------------------------------------ query */

static const double fpir_asked = 1e-2;

/* Searches of strangers that name somebody, and of known people that name them. */
struct searches {
    double strangers, false_named, named_before, known, right, wrong, right_before;
    int n_people;
    float *degree, *hits; /* by person of the strangers */
};

/* As in a query: a decision that says more first, of equal ones the higher evidence. */
static int weight(dpl_decision decision)
{
    return decision == DPL_DECISION_MATCH          ? 3
           : decision == DPL_DECISION_INCONCLUSIVE ? 2
           : decision == DPL_DECISION_NO_MATCH     ? 1
                                                   : 0;
}

/* Every probe that is not to be skipped searches persons, whose[] of the same numbers as the
   probes' (-1: nobody who searches); photos[] of_person[] are what was enrolled of them. */
static void search(struct searches *r, const dpl_policy *policy, const set *probes,
                   const face *persons, const int *whose, size_t n_persons,
                   const face *const *photos, const int *of_person, size_t n_photos,
                   const bool *skip, bool strangers)
{
    const dpli_judge now = dpli_pipeline_judge(judges.pipeline, policy);
    float bar_before, reject;
    dpl_error err = {0};

    check(dpl_calibration_threshold(&bar_before, &reject, judges.before,
                                    fmax(policy->fmr, dpl_calibration_lowest_fmr(judges.before)),
                                    &err),
          &err);
    for (size_t i = 0; i < probes->n; i++) {
        const face *probe = &probes->at[i];
        dpl_comparison most = {.evidence = -1e9f};
        size_t who = 0;
        int who_before = -1;
        float most_before = -1e9f;
        bool known = false;

        if (skip && skip[i])
            continue;
        for (size_t p = 0; p < n_persons; p++) {
            const dpl_comparison c =
                dpli_compare(&now, &probe->side, &persons[p].side, persons[p].times);

            known |= !strangers && whose[p] == probe->person;
            if (weight(c.decision) > weight(most.decision) ||
                (weight(c.decision) == weight(most.decision) && c.evidence > most.evidence)) {
                most = c;
                who = p;
            }
        }
        for (size_t p = 0; p < n_photos; p++) {
            const float score = dpl_head_score(now.head, probe->vector, photos[p]->vector);

            if (score > most_before) {
                most_before = score;
                who_before = of_person[p];
            }
        }
        const bool named_one = most.decision == DPL_DECISION_MATCH;
        const bool before = dpl_accepts((double)most_before, (double)bar_before);
        if (known) {
            r->known++;
            r->right += named_one && whose[who] == probe->person;
            r->wrong += named_one && whose[who] != probe->person;
            r->right_before += before && who_before == probe->person;
        } else {
            r->strangers++;
            r->false_named += named_one;
            r->named_before += before;
            r->degree[probe->person]++;
            r->hits[probe->person] += named_one;
        }
    }
}

static void print_searches(const struct searches *r, const char *name, double stated)
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
    printf("| %s | %.2g | %.0f | %.2g [%.2g, %.2g] %s | %.4f | %.2g | %.2g | %.4f |\n", name,
           fmin(1, stated), r->strangers, rate, low, high,
           rate <= stated  ? "holds"
           : low <= stated ? "**above**, within its interval"
                           : "**ABOVE**",
           r->known > 0 ? r->right / r->known : (double)NAN,
           r->known > 0 ? r->wrong / r->known : (double)NAN, r->named_before / r->strangers,
           r->known > 0 ? r->right_before / r->known : (double)NAN);
    fflush(stdout);
}

static const char *searches_header =
    "| gallery | stated | searches of strangers | named | known people named rightly "
    "| "
    "wrongly | before, by the best photo's score at the same rate a comparison: strangers named | "
    "known |\n|---|---|---|---|---|---|---|---|\n";

/* n people of celeba-test's development set with m photos each, drawn again and again.
 * @param fmr  that is asked for of each comparison; NaN: what FPIR 1e-2 allows */
static void query(const set *s, const struct by_person *people, size_t n, size_t m, double fmr)
{
    enum { DRAWS = 16 };
    struct searches r = {.n_people = s->n_people};
    dpl_policy policy;
    dpl_error err = {0};
    char name[64];

    check(isnan(fmr)
              ? dpl_policy_for_search(&policy, judges.calibration, fpir_asked, (int64_t)n, &err)
              : dpl_policy_make(&policy, judges.calibration, fmr, (double)NAN, &err),
          &err);
    r.degree = get((size_t)s->n_people, sizeof(float));
    r.hits = get((size_t)s->n_people, sizeof(float));
    for (int t = 0; t < DRAWS; t++) {
        size_t *order = get((size_t)s->n_people, sizeof *order), n_known = 0;
        face *persons = get(n, sizeof *persons);
        int *whose = get(n, sizeof *whose);
        bool *skip = get(s->n, sizeof *skip);
        const face **photos = get(n * m, sizeof *photos);
        int *of_person = get(n * m, sizeof *of_person);

        for (int k = 0; k < s->n_people; k++)
            order[k] = (size_t)k;
        shuffle(order, (size_t)s->n_people);
        for (int k = 0; k < s->n_people && n_known < n; k++) {
            const size_t p = order[k];

            if (people->n[p] <= m)
                continue;
            shuffle(people->photos[p], people->n[p]);
            make_person(&persons[n_known], s, people->photos[p], m);
            for (size_t i = 0; i < m; i++) {
                skip[people->photos[p][i]] = true;
                photos[n_known * m + i] = &s->at[people->photos[p][i]];
                of_person[n_known * m + i] = (int)p;
            }
            whose[n_known++] = (int)p;
        }
        search(&r, &policy, s, persons, whose, n_known, photos, of_person, n_known * m, skip,
               false);
        for (size_t k = 0; k < n_known; k++) {
            free(persons[k].name);
            free(persons[k].vector);
        }
        free(persons);
        free(whose);
        free(skip);
        free(photos);
        free(of_person);
        free(order);
    }
    snprintf(name, sizeof name, "%zu people, %zu photos, %s", n, n * m,
             isnan(fmr) ? "FPIR 1e-2" : "FMR 1e-2");
    print_searches(&r, name, (double)n * policy.fmr);
    free(r.degree);
    free(r.hits);
}

void part_query(void)
{
    struct by_person people;
    set s;

    load_celeba(&s);
    people = group_by_person(&s);
    printf("## `query`: people of celeba-test's development set\n\n%s", searches_header);
    query(&s, &people, 10, 7, (double)NAN);
    query(&s, &people, 10, 7, 1e-2);
    query(&s, &people, 81, 6, (double)NAN);
    printf("\n");
    by_person_free(&people);
    unload(&s);
}

/* Galleries of one photo a person, lfw-dev's people first, then UTKFace's; asked by the strangers
   of celeba-test and by other photos of lfw-dev's people. */
void part_sizes(void)
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
        const face **photos = get(sizes[k], sizeof *photos);
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
        for (size_t i = 0; i < n; i++)
            photos[i] = &persons[i];
        check(dpl_policy_for_search(&policy, judges.calibration, fpir_asked, (int64_t)n, &err),
              &err);
        r.degree = get((size_t)celeba.n_people, sizeof(float));
        r.hits = get((size_t)celeba.n_people, sizeof(float));
        search(&r, &policy, &celeba, persons, whose, n, photos, whose, n, NULL, true);
        search(&r, &policy, &lfw, persons, whose, n, photos, whose, n, skip, false);
        snprintf(name, sizeof name, "%zu people, FPIR 1e-2", n);
        print_searches(&r, name, (double)n * policy.fmr);
        free(r.degree);
        free(r.hits);
        free(persons);
        free(photos);
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
