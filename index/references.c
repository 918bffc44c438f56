/*
 * references.c - what is wrong with a gallery's people, seen beside all others.
 *
 * Doubts of each person by themselves are doubt.c's. Here each reference is compared with the mean
 * of everybody else, and each mean with each: people who match at the gallery's own rate will be
 * confused, or are one; a reference that far more strangers are like than the rate says attracts
 * everyone; and photos of two people that are more alike than two photos of one person hardly ever
 * are show one picture. All three rules are rates of the calibration, none is a score.
 *
 * The products are n people times n references, and n times n: of 5,000 people with two photos each
 * it takes seconds. Only what a score could make notable is normalised and rated.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"
#include "index/binomial.h"
#include "index/gallery.h"
#include "index/person.h"
#include "index/pipeline.h"
#include "net/blas.h"

/* A reference is like a stranger when strangers come so far no more often than this; it attracts
   everyone when certainly (95 %) so many times as many are like it. */
#define LIKE_RATE  1e-2
#define HUB_FACTOR 10.0
/* Two photos are one picture when of two photos of one person so many are less alike. */
#define SAME_FNMR 0.99

enum {
    MAX_PEOPLE = 20000, /* compared with each other */
    MAX_REFERENCES = 20000,
    MAX_ALIKE = 4, /* people told of one: more, and it is not they who are wrong */
    BLOCK = 32,    /* rows that are multiplied with all others at a time */
    NOBODY = -1
};

typedef struct person {
    int64_t id;
    char *name;
    dpli_person_templates templates; /* mean NULL: nothing to compare with */
    int32_t alike[MAX_ALIKE];        /* people after this one, the most like first */
    float evidence[MAX_ALIKE];
    int n_alike;
} person;

typedef struct reference {
    int64_t id, photo_id;
    uint64_t content; /* the file's, by the first digits of its hash; 0: not known */
    int32_t person;   /* index */
    bool by_hand;
    dpl_fitness fitness;
    int64_t n_like, n_compared;
    bool told;       /* as unlike its person's, and matching whom it matches */
    int32_t matched; /* the person whom it matches most, of the others; NOBODY */
    dpl_comparison match;
    int64_t same; /* index of the one after it that is the most like it, of another person */
    float same_score;
} reference;

/* Two people, by index, a < b. */
typedef struct parting {
    int32_t a, b;
} parting;

typedef struct job {
    dpl_gallery *gallery;
    dpli_judge judge;   /* decides by the policy, which takes its time */
    dpli_judge looking; /* decides nothing */
    dpl_policy policy;
    const dpl_pipeline *pipeline;
    const dpl_encoder *encoder;
    int32_t dim;
    person *people; /* by id */
    size_t n_people, cap_people, n_means;
    reference *references; /* by id */
    float *vectors;        /* [n, dim], theirs, of unit length */
    float *means;          /* [n_people, dim], 0 where there is none */
    size_t n, cap, cap_vectors;
    parting *partings; /* people of whom a face of one was said not to be the other's */
    size_t n_partings, cap_partings;
    parting *shared; /* people who have a file in common, which was told */
    size_t n_shared, cap_shared;
    float like_from, match_from, same_from; /* scores below which nothing is notable */
    float **scratches;                      /* a worker's, [BLOCK, the more of n and n_means] */
    int n_threads;
    int64_t n_compared; /* references, by all workers, that are not told of yet */
    dpl_doubts_report *report;
    void (*fn)(void *ctx, const dpl_doubt *doubt);
    void *ctx;
} job;

/* ------------------------------------------------------------------ reading */

static dpl_status take_person(void *ctx, const dpl_person *row)
{
    job *j = ctx;
    person *people;

    if (row->n_templates == 0)
        return DPL_OK;
    people = dpli_grow(j->people, &j->cap_people, j->n_people + 1, sizeof *people, NULL);
    if (!people)
        return DPL_E_MEMORY;
    j->people = people;
    people[j->n_people] = (person){.id = row->id, .name = dpli_strdup(row->name, NULL)};
    return people[j->n_people++].name ? DPL_OK : DPL_E_MEMORY;
}

static int by_id(const void *a, const void *b)
{
    const int64_t x = ((const person *)a)->id, y = ((const person *)b)->id;

    return (x > y) - (x < y);
}

static int32_t find_person(const job *j, int64_t id)
{
    const person key = {.id = id};
    const person *found =
        j->n_people ? bsearch(&key, j->people, j->n_people, sizeof key, by_id) : NULL;

    return found ? (int32_t)(found - j->people) : NOBODY;
}

/* The direction of a vector; false when it has none. */
static bool put_unit(float *out, const float *vector, int32_t dim)
{
    double norm = 0;

    for (int32_t i = 0; i < dim; i++)
        norm += (double)vector[i] * (double)vector[i];
    for (int32_t i = 0; i < dim && norm > 0; i++)
        out[i] = (float)((double)vector[i] / sqrt(norm));
    return norm > 0;
}

static uint64_t content_of(const char *sha256)
{
    char digits[17] = "";

    strncat(digits, sha256, 16);
    return strtoull(digits, NULL, 16);
}

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    job *j = ctx;
    const dpl_fitness fitness = dpl_calibration_fitness(j->judge.calibration, &row->face);
    const size_t dim = (size_t)j->dim;
    const int32_t who = find_person(j, row->person_id);
    reference *references;
    float *vectors;

    if (who == NOBODY || row->dim != j->dim || fitness == DPL_FITNESS_TOO_POOR ||
        strcmp(row->model_hash, dpl_encoder_hash(j->encoder)) != 0)
        return DPL_OK;
    if (j->n == MAX_REFERENCES) {
        j->report->n_references_left++;
        return DPL_OK;
    }
    references = dpli_grow(j->references, &j->cap, j->n + 1, sizeof *references, NULL);
    if (!references)
        return DPL_E_MEMORY;
    j->references = references;
    vectors = dpli_grow(j->vectors, &j->cap_vectors, j->n + 1, dim * sizeof *vectors, NULL);
    if (!vectors)
        return DPL_E_MEMORY;
    j->vectors = vectors;
    if (!put_unit(vectors + j->n * dim, row->vector, j->dim))
        return DPL_OK;
    references[j->n++] = (reference){.id = row->id,
                                     .photo_id = row->photo_id,
                                     .content = content_of(row->photo_sha256),
                                     .person = who,
                                     .by_hand = row->by_hand,
                                     .fitness = fitness,
                                     .matched = NOBODY,
                                     .same = NOBODY};
    return DPL_OK;
}

static dpl_status read_people(job *j, dpl_error *err)
{
    dpl_status status = dpl_gallery_each_person(j->gallery, take_person, j, err);

    if (status == DPL_E_MEMORY)
        return dpli_fail(err, status, "no memory for %zu people", j->n_people);
    if (status == DPL_OK && j->n_people > 0)
        qsort(j->people, j->n_people, sizeof *j->people, by_id);
    return status;
}

static dpl_status read_means(job *j, dpl_error *err)
{
    const size_t dim = (size_t)j->dim;
    dpl_status status = DPL_OK;

    if (j->n_people > MAX_PEOPLE) {
        j->report->n_people_left = (int64_t)(j->n_people - MAX_PEOPLE);
        j->n_means = MAX_PEOPLE;
    } else {
        j->n_means = j->n_people;
    }
    j->means = dpli_calloc(j->n_means + 1, dim * sizeof *j->means, err);
    if (!j->means)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < j->n_means && status == DPL_OK; i++) {
        person *p = &j->people[i];

        status = dpli_person_templates_read(&p->templates, j->gallery, &j->judge, p->name,
                                            dpl_encoder_space(j->encoder),
                                            dpl_encoder_hash(j->encoder), j->dim, NULL, err);
        if (status == DPL_OK && p->templates.side.fitness == DPL_FITNESS_TOO_POOR)
            dpli_person_templates_clear(&p->templates);
        if (p->templates.mean && put_unit(j->means + i * dim, p->templates.mean, j->dim))
            j->report->n_people++;
        else
            dpli_person_templates_clear(&p->templates);
    }
    return status;
}

static dpl_status read_references(job *j, dpl_error *err)
{
    dpl_status status = dpl_gallery_each_template(j->gallery, NULL, dpl_encoder_space(j->encoder),
                                                  take_template, j, err);

    if (status == DPL_E_MEMORY)
        return dpli_fail(err, status, "no memory for %zu references", j->n);
    j->report->n_references = (int64_t)j->n;
    return status;
}

static int by_pair(const void *a, const void *b)
{
    const parting *x = a, *y = b;

    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

static reference *find_reference(const job *j, int64_t id)
{
    size_t low = 0, high = j->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (j->references[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < j->n && j->references[low].id == id ? &j->references[low] : NULL;
}

static dpl_status take_refusal(void *ctx, const dpl_refusal *row)
{
    job *j = ctx;
    const reference *r = find_reference(j, row->template_id);
    const int32_t not_whose = row->person_id ? find_person(j, row->person_id) : NOBODY;
    parting *partings;

    if (!r || not_whose == NOBODY)
        return DPL_OK;
    partings = dpli_grow(j->partings, &j->cap_partings, j->n_partings + 1, sizeof *partings, NULL);
    if (!partings)
        return DPL_E_MEMORY;
    j->partings = partings;
    partings[j->n_partings++] = (parting){r->person < not_whose ? r->person : not_whose,
                                          r->person < not_whose ? not_whose : r->person};
    return DPL_OK;
}

/* Who was said not to be one. */
static dpl_status read_refusals(job *j, dpl_error *err)
{
    dpl_status status = dpl_gallery_each_refusal(j->gallery, 0, take_refusal, j, err);

    if (status == DPL_E_MEMORY)
        return dpli_fail(err, status, "no memory for what was said not to be");
    if (j->n_partings > 0)
        qsort(j->partings, j->n_partings, sizeof *j->partings, by_pair);
    return status;
}

/* ------------------------------------------------------------------ what could be notable */

/* Whether a score could, whatever the cohort says. */
typedef bool is_notable(const job *j, float evidence);

static bool is_like(const job *j, float evidence)
{
    const dpl_calibration *c = j->judge.calibration;

    return dpl_calibration_fmr(c, evidence).rate <= LIKE_RATE ||
           dpl_calibration_poor_fmr(c, evidence).rate <= LIKE_RATE;
}

static bool is_match(const job *j, float evidence)
{
    return dpl_decide(&j->policy, evidence) == DPL_DECISION_MATCH;
}

static bool is_same(const job *j, float evidence)
{
    return dpl_calibration_fnmr(j->judge.calibration, evidence) >= SAME_FNMR;
}

/* The lowest score, to within a little and never above it; 2 when none could. */
static float notable_from(const job *j, is_notable *fn)
{
    const float seen_best = 1e6F; /* as a cohort could see it */
    float low = -1, high = 1;

    if (!fn(j, dpl_calibration_evidence(j->judge.calibration, 1, seen_best)))
        return 2;
    for (int i = 0; i < 20; i++) {
        const float middle = 0.5F * (low + high);

        if (fn(j, dpl_calibration_evidence(j->judge.calibration, middle, seen_best)))
            high = middle;
        else
            low = middle;
    }
    return low - 1e-4F;
}

/* ------------------------------------------------------------------ comparing all */

/* Scores of rows with others, [n, m], to within rounding. */
static void multiply(float *scores, const job *j, const float *rows, size_t n, const float *others,
                     size_t m)
{
    const size_t dim = (size_t)j->dim;

    dpli_gemm(false, true, n, m, dim, 1, rows, dim, others, dim, 0, scores, m);
}

static void with_people(const job *j, reference *r, const dpli_side *side, const float *scores)
{
    const float from = fminf(j->like_from, j->match_from);

    for (size_t i = 0; i < j->n_means; i++) {
        const person *p = &j->people[i];

        if (!p->templates.mean || (int32_t)i == r->person)
            continue;
        r->n_compared++;
        if (!(scores[i] >= from))
            continue;
        dpl_comparison c = dpli_compare_person(&j->looking, side, &p->templates);
        r->n_like += c.rate.rate <= LIKE_RATE;
        if (!is_match(j, c.evidence) || (r->matched != NOBODY && !(c.evidence > r->match.evidence)))
            continue;
        c = dpli_compare_person(&j->judge, side, &p->templates);
        if (c.decision == DPL_DECISION_MATCH) {
            r->matched = (int32_t)i;
            r->match = c;
        }
    }
}

/* scores: with those from first on. */
static void with_references(const job *j, reference *r, const dpli_side *side, const float *scores,
                            size_t first)
{
    for (size_t i = (size_t)(r - j->references) + 1; i < j->n; i++) {
        const reference *o = &j->references[i];
        const float score = scores[i - first];

        /* One file is told as such. */
        if (!(score >= j->same_from) || o->person == r->person || o->photo_id == r->photo_id ||
            (r->content && r->content == o->content) ||
            (r->same != NOBODY && score <= r->same_score))
            continue;
        const dpli_side other =
            dpli_side_of(&j->judge, j->vectors + i * (size_t)j->dim, o->fitness);
        if (!is_same(j, dpli_compare(&j->looking, side, &other, 1).evidence))
            continue;
        r->same = (int64_t)i;
        r->same_score = score;
    }
}

/* References [first, first + n) with all people, and with those after them. */
static void compare_block(job *j, float *scores, size_t first, size_t n)
{
    const size_t dim = (size_t)j->dim, n_after = j->n - first;
    const float *vectors = j->vectors + first * dim;
    dpli_side sides[BLOCK];

    multiply(scores, j, vectors, n, j->means, j->n_means);
    for (size_t i = 0; i < n; i++) {
        reference *r = &j->references[first + i];

        sides[i] = dpli_side_of(&j->judge, vectors + i * dim, r->fitness);
        with_people(j, r, &sides[i], scores + i * j->n_means);
    }
    if (j->same_from > 1)
        return;
    multiply(scores, j, vectors, n, vectors, n_after);
    for (size_t i = 0; i < n; i++)
        with_references(j, &j->references[first + i], &sides[i], scores + i * n_after, first);
}

/* How far it is, is told in the caller's thread, which is worker 0. */
static dpl_status compare_references(void *ctx, int worker, size_t item, dpl_error *err)
{
    job *j = ctx;
    const size_t first = item * BLOCK, n = j->n - first < BLOCK ? j->n - first : BLOCK;

    (void)err;
    compare_block(j, j->scratches[worker], first, n);
    __atomic_add_fetch(&j->n_compared, (int64_t)n, __ATOMIC_RELAXED);
    if (worker == 0)
        dpli_progress_step(j->gallery, __atomic_exchange_n(&j->n_compared, 0, __ATOMIC_RELAXED));
    return DPL_OK;
}

/* Keep the most alike. */
static void keep_alike(person *p, int32_t other, float evidence)
{
    int at = p->n_alike < MAX_ALIKE ? p->n_alike++ : MAX_ALIKE;

    for (; at > 0 && evidence > p->evidence[at - 1]; at--)
        if (at < MAX_ALIKE) {
            p->alike[at] = p->alike[at - 1];
            p->evidence[at] = p->evidence[at - 1];
        }
    if (at == MAX_ALIKE)
        return;
    p->alike[at] = other;
    p->evidence[at] = evidence;
}

static void with_those_after(job *j, size_t at, const float *scores, size_t first)
{
    person *p = &j->people[at];

    for (size_t i = at + 1; i < j->n_means && p->templates.mean; i++) {
        const person *o = &j->people[i];

        if (!o->templates.mean || !(scores[i - first] >= j->match_from))
            continue;
        const dpl_comparison c = dpli_compare_people(&j->judge, &p->templates, &o->templates);
        if (c.decision == DPL_DECISION_MATCH)
            keep_alike(p, (int32_t)i, c.evidence);
    }
}

static dpl_status compare_people(void *ctx, int worker, size_t item, dpl_error *err)
{
    job *j = ctx;
    const size_t first = item * BLOCK, n_after = j->n_means - first;
    const size_t n = n_after < BLOCK ? n_after : BLOCK;
    const float *means = j->means + first * (size_t)j->dim;
    float *scores = j->scratches[worker];

    (void)err;
    multiply(scores, j, means, n, means, n_after);
    for (size_t i = 0; i < n; i++)
        with_those_after(j, first + i, scores + i * n_after, first);
    return DPL_OK;
}

static dpl_status compare_all(job *j, dpl_error *err)
{
    const size_t most = j->n > j->n_means ? j->n : j->n_means;
    dpl_status status = DPL_OK;

    j->like_from = notable_from(j, is_like);
    j->match_from = notable_from(j, is_match);
    j->same_from = notable_from(j, is_same);
    j->scratches = dpli_calloc((size_t)j->n_threads, sizeof *j->scratches, err);
    if (!j->scratches)
        return DPL_E_MEMORY;
    for (int i = 0; i < j->n_threads && status == DPL_OK; i++) {
        j->scratches[i] = dpli_alloc(BLOCK * most + 1, sizeof **j->scratches, err);
        status = j->scratches[i] ? DPL_OK : DPL_E_MEMORY;
    }
    dpli_progress_begin(j->gallery, "references", (int64_t)j->n);
    if (status == DPL_OK)
        status =
            dpli_pool_run(j->n_threads, (j->n + BLOCK - 1) / BLOCK, compare_references, j, err);
    return status == DPL_OK ? dpli_pool_run(j->n_threads, (j->n_means + BLOCK - 1) / BLOCK,
                                            compare_people, j, err)
                            : status;
}

/* ------------------------------------------------------------------ telling */

/* The path of a template's photo, "" when it is not there any more; the caller's. */
static dpl_status keep_path(void *ctx, const dpl_template_row *row)
{
    *(char **)ctx = dpli_strdup(row->photo_path, NULL);
    return *(char **)ctx ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status path_of(char **path, const job *j, int64_t template_id, dpl_error *err)
{
    *path = NULL;
    return dpl_gallery_get_template(j->gallery, template_id, keep_path, path, err);
}

/* Whether of two people a face of one was said not to be the other's. */
static bool are_apart(const job *j, int32_t a, int32_t b)
{
    const parting key = {a < b ? a : b, a < b ? b : a};

    return j->n_partings && bsearch(&key, j->partings, j->n_partings, sizeof key, by_pair);
}

static bool are_alike(const job *j, int32_t a, int32_t b)
{
    const person *first = &j->people[a < b ? a : b];

    for (int i = 0; i < first->n_alike; i++)
        if (first->alike[i] == (a < b ? b : a))
            return true;
    return false;
}

static void tell(job *j, const dpl_doubt *doubt)
{
    j->report->n_doubts++;
    j->fn(j->ctx, doubt);
}

/* Two who have a file in common are alike for that. Without memory they are told as such, too. */
static void keep_shared(job *j, const dpl_doubt *d)
{
    const reference *a = find_reference(j, d->template_id), *b = find_reference(j, d->other_id);
    parting *shared =
        a && b ? dpli_grow(j->shared, &j->cap_shared, j->n_shared + 1, sizeof *shared, NULL) : NULL;

    if (!shared)
        return;
    j->shared = shared;
    shared[j->n_shared++] = (parting){a->person, b->person};
}

static bool have_shared(const job *j, int32_t a, int32_t b)
{
    for (size_t i = 0; i < j->n_shared; i++)
        if ((j->shared[i].a == a && j->shared[i].b == b) ||
            (j->shared[i].a == b && j->shared[i].b == a))
            return true;
    return false;
}

/* A person's own; a file of two is told once. */
static void on_own(void *ctx, const dpl_doubt *doubt)
{
    job *j = ctx;
    dpl_doubt d = *doubt;
    reference *r = find_reference(j, d.template_id);

    if (d.kind == DPL_DOUBT_SHARED && strcmp(d.photo, d.other_photo) > 0)
        return;
    if (d.kind == DPL_DOUBT_UNLIKE && r && r->matched != NOBODY) {
        r->told = true;
        d.other_person = j->people[r->matched].name;
        d.other_score = r->match.score;
        d.other_rate = r->match.rate;
    }
    if (d.kind == DPL_DOUBT_SHARED)
        keep_shared(j, &d);
    tell(j, &d);
}

static dpl_status tell_same(job *j, const reference *r, dpl_error *err)
{
    const reference *o = &j->references[r->same];
    const size_t dim = (size_t)j->dim;
    const dpli_side a =
        dpli_side_of(&j->judge, j->vectors + (size_t)(r - j->references) * dim, r->fitness);
    const dpli_side b = dpli_side_of(&j->judge, j->vectors + (size_t)r->same * dim, o->fitness);
    const dpl_comparison c = dpli_compare(&j->judge, &a, &b, 1);
    dpl_doubt d = {.kind = DPL_DOUBT_SAME,
                   .person = j->people[r->person].name,
                   .other_person = j->people[o->person].name,
                   .template_id = r->id,
                   .other_id = o->id,
                   .score = c.score,
                   .rate = c.rate};
    char *path = NULL, *other = NULL;
    dpl_status status = path_of(&path, j, r->id, err);

    if (status == DPL_OK)
        status = path_of(&other, j, o->id, err);
    d.photo = path;
    d.other_photo = other;
    if (status == DPL_OK)
        tell(j, &d);
    free(path);
    free(other);
    return status;
}

static dpl_status tell_hub(job *j, const reference *r, dpl_error *err)
{
    dpl_doubt d = {.kind = DPL_DOUBT_HUB,
                   .person = j->people[r->person].name,
                   .template_id = r->id,
                   .n_others = r->n_compared,
                   .n_like = r->n_like,
                   .score = NAN,
                   .rate = {LIKE_RATE, LIKE_RATE, LIKE_RATE, false}};
    char *path = NULL;
    dpl_status status = path_of(&path, j, r->id, err);

    d.photo = path;
    if (status == DPL_OK)
        tell(j, &d);
    free(path);
    return status;
}

static bool is_hub(const reference *r)
{
    double low, high;

    if (r->by_hand || r->n_like < 2)
        return false;
    dpli_binomial_bounds(&low, &high, (double)r->n_like / (double)r->n_compared,
                         (double)r->n_compared);
    return low > HUB_FACTOR * LIKE_RATE;
}

/* The photo of a person that is the most like somebody. */
static dpl_status most_like(char **path, int64_t *id, const job *j, const person *p,
                            const person *other, dpl_error *err)
{
    dpli_person_templates t;
    dpl_status status = dpli_person_templates_read(
        &t, j->gallery, &j->judge, p->name, dpl_encoder_space(j->encoder),
        dpl_encoder_hash(j->encoder), j->dim, other->templates.mean, err);

    *path = NULL;
    *id = t.best_id;
    if (status == DPL_OK && t.best_id)
        status = path_of(path, j, t.best_id, err);
    dpli_person_templates_clear(&t);
    return status;
}

static dpl_status tell_alike(job *j, const person *p, const person *o, dpl_error *err)
{
    const dpl_comparison c = dpli_compare_people(&j->judge, &p->templates, &o->templates);
    dpl_doubt d = {.kind = DPL_DOUBT_ALIKE,
                   .person = p->name,
                   .other_person = o->name,
                   .score = c.score,
                   .rate = c.rate};
    char *path = NULL, *other = NULL;
    dpl_status status = most_like(&path, &d.template_id, j, p, o, err);

    if (status == DPL_OK)
        status = most_like(&other, &d.other_id, j, o, p, err);
    d.photo = path;
    d.other_photo = other;
    if (status == DPL_OK && path && other)
        tell(j, &d);
    free(path);
    free(other);
    return status;
}

/* Of two who match as people, that is what is told; who are two all the same have one picture too
   many. Nor is it news of one that was told to be the other's. */
static bool is_told_same(const job *j, const reference *r)
{
    const reference *o = r->same != NOBODY ? &j->references[r->same] : NULL;

    return o && !(r->by_hand && o->by_hand) && !(r->told && r->matched == o->person) &&
           !(o->told && o->matched == r->person) &&
           (!are_alike(j, r->person, o->person) || are_apart(j, r->person, o->person));
}

static dpl_status tell_all(job *j, dpl_error *err)
{
    dpl_status status = DPL_OK;

    dpli_progress_begin(j->gallery, "people", (int64_t)j->n_people);
    for (size_t i = 0; i < j->n_people && status == DPL_OK; i++) {
        status = dpl_gallery_doubts(j->gallery, j->pipeline, j->people[i].name, on_own, j, err);
        dpli_progress_step(j->gallery, 1);
    }
    for (size_t i = 0; i < j->n && status == DPL_OK; i++)
        if (is_told_same(j, &j->references[i]))
            status = tell_same(j, &j->references[i], err);
    for (size_t i = 0; i < j->n_means && status == DPL_OK; i++)
        for (int k = 0; k < j->people[i].n_alike && status == DPL_OK; k++)
            if (!are_apart(j, (int32_t)i, j->people[i].alike[k]) &&
                !have_shared(j, (int32_t)i, j->people[i].alike[k]))
                status = tell_alike(j, &j->people[i], &j->people[j->people[i].alike[k]], err);
    for (size_t i = 0; i < j->n && status == DPL_OK; i++)
        if (is_hub(&j->references[i]))
            status = tell_hub(j, &j->references[i], err);
    return status;
}

static void clear_job(job *j)
{
    for (size_t i = 0; i < j->n_people; i++) {
        free(j->people[i].name);
        dpli_person_templates_clear(&j->people[i].templates);
    }
    for (int i = 0; j->scratches && i < j->n_threads; i++)
        free(j->scratches[i]);
    free(j->scratches);
    free(j->people);
    free(j->references);
    free(j->vectors);
    free(j->means);
    free(j->partings);
    free(j->shared);
}

dpl_status dpl_gallery_all_doubts(dpl_doubts_report *out, dpl_gallery *gallery,
                                  const dpl_pipeline *pipeline, int n_threads,
                                  void (*fn)(void *ctx, const dpl_doubt *doubt), void *ctx,
                                  dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(pipeline);
    job j = {.gallery = gallery,
             .pipeline = pipeline,
             .encoder = encoder,
             .dim = dpl_encoder_dim(encoder),
             .n_threads = n_threads > 0 ? n_threads : dpli_n_cores(),
             .report = out,
             .fn = fn,
             .ctx = ctx};
    bool compares;
    dpl_status status;

    *out = (dpl_doubts_report){0};
    j.judge = dpli_pipeline_judge(pipeline, &j.policy);
    j.looking = dpli_pipeline_judge(pipeline, NULL);
    compares = j.judge.calibration && dpl_head_get_kind(j.judge.head) == DPL_HEAD_COSINE;
    status = dpli_gallery_fits(gallery, encoder, err);
    if (status == DPL_OK)
        status = read_people(&j, err);
    if (status == DPL_OK && compares)
        status = dpl_policy_for_search(&j.policy, j.judge.calibration, DPL_DEFAULT_FPIR,
                                       (int64_t)j.n_people, err);
    if (status == DPL_OK && compares)
        status = read_means(&j, err);
    if (status == DPL_OK && compares)
        status = read_references(&j, err);
    if (status == DPL_OK && compares)
        status = read_refusals(&j, err);
    if (status == DPL_OK && compares)
        status = compare_all(&j, err);
    if (status == DPL_OK)
        status = tell_all(&j, err);
    clear_job(&j);
    return status;
}
