/*
 * cohort_make.c - from faces of many people to the centres by which scores are normalised.
 *
 * A centre is what faces of one kind have in common (young, blurred, cut off, of one group): the
 * mean of a face drawn at random and of the nearest faces of four other people. k-means centres
 * would not do: where people have many photos each, most of them are single persons, whose vectors
 * would be given away.
 *
 * Format and use: cohort.c. Source: Matejka et al. 2017; what differs, and why: docs/decisions.md.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "doppel/calibrate.h"
#include "index/cohort.h"

enum { MIN_CENTRES = 40 };

/* Faces of one stratum, and which of them are seeds. */
typedef struct pool {
    const dpl_head *head;
    size_t n, dim;
    float *rows;     /* [n, dim] */
    int32_t *people; /* [n] */
    size_t *seeds;   /* [n], the first of them used */
    float *centres;  /* [seeds used, dim] */
    float **scores;  /* [n_threads] [n] */
} pool;

/* The face most like the seed of somebody who is none of who, n_who of them; pool->n if none is. */
static size_t nearest(const pool *p, const float *scores, const int32_t *who, int n_who)
{
    size_t best = p->n;

    for (size_t i = 0; i < p->n; i++) {
        bool taken = best < p->n && !(scores[i] > scores[best]);

        for (int k = 0; k < n_who && !taken; k++)
            taken = p->people[i] == who[k];
        if (!taken && isfinite(scores[i]))
            best = i;
    }
    return best;
}

static void add_unit(float *to, const float *row, size_t dim)
{
    double square = 0;

    for (size_t i = 0; i < dim; i++)
        square += (double)row[i] * (double)row[i];
    for (size_t i = 0; i < dim; i++)
        to[i] += (float)((double)row[i] / sqrt(square));
}

static dpl_status make_centre(void *ctx, int worker, size_t item, dpl_error *err)
{
    const pool *p = ctx;
    const size_t seed = p->seeds[item];
    float *scores = p->scores[worker], *centre = p->centres + item * p->dim;
    int32_t who[DPL_COHORT_PEOPLE];

    (void)err;
    dpl_head_scores(scores, p->head, p->rows + seed * p->dim, p->rows, p->n);
    memset(centre, 0, p->dim * sizeof *centre);
    add_unit(centre, p->rows + seed * p->dim, p->dim);
    who[0] = p->people[seed];
    for (int k = 1; k < DPL_COHORT_PEOPLE; k++) {
        const size_t next = nearest(p, scores, who, k);

        if (next == p->n)
            return dpli_fail(err, DPL_E_INPUT, "a centre of fewer than %d people",
                             DPL_COHORT_PEOPLE);
        add_unit(centre, p->rows + next * p->dim, p->dim);
        who[k] = p->people[next];
    }
    /* Of unit length all centres use the whole of what 8 bits can say. */
    double square = 0;
    for (size_t i = 0; i < p->dim; i++)
        square += (double)centre[i] * (double)centre[i];
    for (size_t i = 0; i < p->dim; i++)
        centre[i] = (float)((double)centre[i] / sqrt(square));
    return DPL_OK;
}

static void clear_pool(pool *p, size_t n_threads)
{
    for (size_t t = 0; p->scores && t < n_threads; t++)
        free(p->scores[t]);
    free(p->scores);
    free(p->rows);
    free(p->people);
    free(p->seeds);
    free(p->centres);
}

static dpl_status fill_pool(pool *p, const dpl_samples *s, uint64_t bit, size_t n_threads,
                            dpl_error *err)
{
    p->rows = dpli_alloc(s->n * p->dim, sizeof *p->rows, err);
    p->people = dpli_alloc(s->n, sizeof *p->people, err);
    p->seeds = dpli_alloc(s->n, sizeof *p->seeds, err);
    p->scores = dpli_calloc(n_threads, sizeof *p->scores, err);
    if (!p->rows || !p->people || !p->seeds || !p->scores)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < s->n; i++)
        if (!bit || (s->strata[i] & bit)) {
            memcpy(p->rows + p->n * p->dim, s->vectors + i * p->dim, p->dim * sizeof *p->rows);
            p->people[p->n] = s->people[i];
            p->seeds[p->n] = p->n;
            p->n++;
        }
    for (size_t t = 0; t < n_threads; t++) {
        p->scores[t] = dpli_alloc(p->n, sizeof(float), err);
        if (!p->scores[t])
            return DPL_E_MEMORY;
    }
    return DPL_OK;
}

/* The centres of one stratum (bit 0: of all), behind those that there are. */
static dpl_status add_centres(float **all, size_t *n_all, const dpl_samples *s,
                              const dpl_head *head, uint64_t bit, int32_t n_seeds, dpli_rng *rng,
                              int n_threads, dpl_error *err)
{
    pool p = {.head = head, .dim = (size_t)s->dim};
    dpl_status status = fill_pool(&p, s, bit, (size_t)n_threads, err);
    const size_t n = p.n < (size_t)n_seeds ? p.n : (size_t)n_seeds;
    float *longer;

    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < n; i++) {
        const size_t other = i + dpli_rng_below(rng, p.n - i), swap = p.seeds[i];
        p.seeds[i] = p.seeds[other];
        p.seeds[other] = swap;
    }
    p.centres = dpli_alloc(n * p.dim, sizeof *p.centres, err);
    status = p.centres ? dpli_pool_run(n_threads, n, make_centre, &p, err) : DPL_E_MEMORY;
    if (status != DPL_OK)
        goto done;
    longer = dpli_realloc(*all, (*n_all + n) * p.dim, sizeof *longer, err);
    if (!longer) {
        status = DPL_E_MEMORY;
        goto done;
    }
    *all = longer;
    memcpy(longer + *n_all * p.dim, p.centres, n * p.dim * sizeof *longer);
    *n_all += n;
done:
    clear_pool(&p, (size_t)n_threads);
    return status;
}

static void put_uint32(dpli_buf *to, uint32_t x)
{
    const uint8_t bytes[] = {(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)};

    dpli_buf_add(to, bytes, sizeof bytes);
}

static dpl_status write_cohort(char **text, const float *centres, size_t n, size_t dim,
                               dpl_error *err)
{
    dpli_buf bytes = {0}, out = {0};
    float most = 0, scale;
    uint32_t bits;
    dpl_status status;

    for (size_t i = 0; i < n * dim; i++)
        most = fmaxf(most, fabsf(centres[i]));
    scale = most / 127;
    memcpy(&bits, &scale, sizeof bits);
    put_uint32(&bytes, (uint32_t)n);
    put_uint32(&bytes, (uint32_t)dim);
    put_uint32(&bytes, bits);
    for (size_t i = 0; i < n * dim; i++) {
        const int8_t x = (int8_t)lrintf(centres[i] / scale);
        dpli_buf_add(&bytes, &x, 1);
    }
    status = dpli_buf_check(&bytes, err);
    if (status == DPL_OK) {
        dpli_buf_base64(&out, bytes.data, bytes.len);
        status = dpli_buf_check(&out, err);
    }
    if (status == DPL_OK) {
        *text = out.data;
        out = (dpli_buf){0};
    }
    dpli_buf_clear(&bytes);
    dpli_buf_clear(&out);
    return status;
}

static dpl_status check(const dpl_samples *s, const dpl_head *head, const int32_t *n_seeds,
                        dpl_error *err)
{
    const int32_t n_strata = s->strata ? s->n_strata : 1;
    int64_t n = 0;

    if (dpl_head_get_kind(head) != DPL_HEAD_COSINE)
        return dpli_fail(err, DPL_E_ARGUMENT, "a cohort normalises the cosine, not the head %s",
                         dpl_head_name(head));
    if (s->dim != dpl_head_dim(head))
        return dpli_fail(err, DPL_E_ARGUMENT, "vectors of %d numbers, the head's have %d",
                         (int)s->dim, (int)dpl_head_dim(head));
    for (int32_t k = 0; k < n_strata; k++) {
        if (n_seeds[k] < 0)
            return dpli_fail(err, DPL_E_ARGUMENT, "%d centres of a stratum", (int)n_seeds[k]);
        n += n_seeds[k];
    }
    if (n < MIN_CENTRES || n > DPLI_COHORT_MAX)
        return dpli_fail(err, DPL_E_ARGUMENT, "a cohort of %lld centres, %d to %d are possible",
                         (long long)n, MIN_CENTRES, DPLI_COHORT_MAX);
    for (size_t i = 0; i < s->n * (size_t)s->dim; i++)
        if (!isfinite(s->vectors[i]))
            return dpli_fail(err, DPL_E_INPUT, "\"%s\": its vector is not finite",
                             s->names[i / (size_t)s->dim]);
    return DPL_OK;
}

dpl_status dpl_cohort_make(char **text, int64_t *n_centres, const dpl_samples *samples,
                           const dpl_head *head, const int32_t *n_seeds, uint64_t seed,
                           int n_threads, dpl_error *err)
{
    float *centres = NULL;
    size_t n = 0;
    dpli_rng rng;
    dpl_status status = check(samples, head, n_seeds, err);

    *text = NULL;
    *n_centres = 0;
    dpli_rng_seed(&rng, seed);
    if (n_threads <= 0)
        n_threads = dpli_n_cores();
    if (status == DPL_OK && !samples->strata)
        status = add_centres(&centres, &n, samples, head, 0, n_seeds[0], &rng, n_threads, err);
    for (int32_t k = 0; samples->strata && k < samples->n_strata && status == DPL_OK; k++) {
        status = add_centres(&centres, &n, samples, head, (uint64_t)1 << k, n_seeds[k], &rng,
                             n_threads, err);
        if (status == DPL_E_INPUT)
            dpli_fail_in(err, status, samples->strata_names[k]);
    }
    if (status == DPL_OK && n < MIN_CENTRES)
        status = dpli_fail(err, DPL_E_INPUT, "faces for %zu centres of a cohort, %d are needed", n,
                           MIN_CENTRES);
    if (status == DPL_OK)
        status = write_cohort(text, centres, n, (size_t)samples->dim, err);
    if (status == DPL_OK)
        *n_centres = (int64_t)n;
    free(centres);
    return status;
}
