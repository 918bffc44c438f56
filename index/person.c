/*
 * person.c - a person's templates to what a probe is compared with.
 *
 * By cosine one mean template, as in docs/decisions.md: the unit mean of the unit vectors of their
 * fair photos. Rows are read one by one, so that a person of a million takes no more memory.
 */
#include "index/person.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"

enum { N_FITNESS = DPL_FITNESS_TOO_POOR + 1 };

/* The templates of one fitness. */
typedef struct part {
    int64_t n, best_id;
    float best_score;
    double *sum;  /* [dim] of unit vectors */
    float *first; /* [dim] */
    float *best;  /* [dim]; NaN until there is one */
} part;

typedef struct reading {
    const dpli_judge *judge;
    const char *model_hash;
    int32_t dim;
    const float *probe;
    bool foreign;
    part parts[N_FITNESS];
} reading;

static void take_best(part *p, const reading *r, const dpl_template_row *row)
{
    const float score = dpl_head_score(r->judge->head, r->probe, row->vector);

    /* A score that is not a number is passed over: kept, it would be above every other. */
    if (!isfinite(score) || score <= p->best_score)
        return;
    p->best_score = score;
    p->best_id = row->id;
    memcpy(p->best, row->vector, (size_t)r->dim * sizeof *p->best);
}

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    reading *r = ctx;
    part *p = &r->parts[dpl_calibration_fitness(r->judge->calibration, &row->face)];
    double norm = 0;

    if (row->dim != r->dim || strcmp(row->model_hash, r->model_hash) != 0) {
        r->foreign = true;
        return DPL_OK;
    }
    if (p->n++ == 0)
        memcpy(p->first, row->vector, (size_t)r->dim * sizeof *p->first);
    if (r->probe)
        take_best(p, r, row);
    for (int32_t i = 0; i < r->dim; i++)
        norm += (double)row->vector[i] * (double)row->vector[i];
    /* A vector without a direction has no part in the mean. */
    for (int32_t i = 0; i < r->dim && norm > 0; i++)
        p->sum[i] += (double)row->vector[i] / sqrt(norm);
    return DPL_OK;
}

/* Into p->first, which alone it is: the unit mean. Templates that cancel out have none, and what is
 * compared with it is NaN. */
static void make_mean(const part *p, int32_t dim)
{
    double norm = 0;

    if (p->n == 1)
        return;
    for (int32_t i = 0; i < dim; i++)
        norm += p->sum[i] * p->sum[i];
    for (int32_t i = 0; i < dim; i++)
        p->first[i] = norm > 0 ? (float)(p->sum[i] / sqrt(norm)) : 0;
}

static dpl_status make_parts(reading *r, dpl_error *err)
{
    for (int i = 0; i < N_FITNESS; i++) {
        part *p = &r->parts[i];

        p->best_score = NAN;
        p->sum = dpli_calloc((size_t)r->dim, sizeof *p->sum, err);
        p->first = p->sum ? dpli_calloc((size_t)r->dim, sizeof *p->first, err) : NULL;
        p->best = p->first ? dpli_calloc((size_t)r->dim, sizeof *p->best, err) : NULL;
        if (!p->best)
            return DPL_E_MEMORY;
        for (int32_t j = 0; j < r->dim; j++)
            p->best[j] = NAN;
    }
    return DPL_OK;
}

/* Of all that was read, what is compared. */
static void choose(dpli_person_templates *out, reading *r)
{
    int at = DPL_FITNESS_FAIR;
    part *p;

    while (at < DPL_FITNESS_TOO_POOR && r->parts[at].n == 0)
        at++;
    p = &r->parts[at];
    out->foreign = r->foreign;
    for (int i = 0; i < N_FITNESS; i++)
        out->n_templates += r->parts[i].n;
    out->n_compared = p->n;
    out->best_id = p->best_id;
    out->best_score = p->best_score;
    if (r->probe) {
        out->best = p->best;
        p->best = NULL;
    }
    if (p->n == 0)
        return;
    if (dpl_head_get_kind(r->judge->head) == DPL_HEAD_COSINE) {
        make_mean(p, r->dim);
        out->mean = p->first;
        p->first = NULL;
    }
    out->side = dpli_side_of(r->judge, out->mean ? out->mean : out->best, (dpl_fitness)at);
}

dpl_status dpli_person_templates_read(dpli_person_templates *out, dpl_gallery *gallery,
                                      const dpli_judge *judge, const char *person,
                                      const char *space, const char *model_hash, int32_t dim,
                                      const float *probe, dpl_error *err)
{
    reading r = {.judge = judge, .model_hash = model_hash, .dim = dim, .probe = probe};
    dpl_status status;

    *out = (dpli_person_templates){.best_score = NAN};
    if (!probe && dpl_head_get_kind(judge->head) != DPL_HEAD_COSINE)
        return dpli_fail(err, DPL_E_ARGUMENT, "by the head %s there is no mean to compare with",
                         dpl_head_name(judge->head));
    status = make_parts(&r, err);
    if (status == DPL_OK)
        status = dpl_gallery_each_template(gallery, person, space, take_template, &r, err);
    if (status == DPL_OK)
        choose(out, &r);
    for (int i = 0; i < N_FITNESS; i++) {
        free(r.parts[i].sum);
        free(r.parts[i].first);
        free(r.parts[i].best);
    }
    return status;
}

void dpli_person_templates_clear(dpli_person_templates *templates)
{
    free(templates->mean);
    free(templates->best);
    *templates = (dpli_person_templates){.best_score = NAN};
}

/* How many times as often a stranger comes so far as against a single template. */
static double times_of(const dpli_judge *judge, const dpli_person_templates *templates)
{
    if (!templates->mean)
        return (double)templates->n_compared;
    return templates->n_compared > 1 && judge->calibration
               ? dpl_calibration_mean_factor(judge->calibration)
               : 1;
}

dpl_comparison dpli_compare_person(const dpli_judge *judge, const dpli_side *probe,
                                   const dpli_person_templates *templates)
{
    return dpli_compare(judge, probe, &templates->side, times_of(judge, templates));
}

dpl_comparison dpli_compare_people(const dpli_judge *judge, const dpli_person_templates *a,
                                   const dpli_person_templates *b)
{
    return dpli_compare(judge, &a->side, &b->side, times_of(judge, a) * times_of(judge, b));
}
