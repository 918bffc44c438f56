/*
 * calibrate.c - from faces of known people to the tables that decisions are made by.
 *
 * What strangers.c counts becomes a calibration of version 2 (calibration_read.c reads it). Three
 * walks over all pairs: where the points of the tables are to lie, the marginals of score and
 * normalised score first when there is a cohort; how many pairs reach them, with bounds; and once
 * more for the pairs within each stratum.
 *
 * A point's rate is that of all pairs. Its bounds hold for every stratum, too: the lowest low and
 * the highest high. A stratum speaks at a rate for which it has people and pairs enough; further
 * down its bounds keep their distance from the table's rate at the lowest rate where it does.
 *
 * Not done: tables are not gone on with past their last point. What is known there is its upper
 * bound.
 */
#include "doppel/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "index/strangers.h"

enum { TOP = 1000 /* pairs among which double entries are looked for */ };

/* Rates that a table has points for, as far as pairs go. */
static const double rates[] = {.5,   .2,   .1,   5e-2, 2e-2, 1e-2, 5e-3, 2e-3,
                               1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 5e-6,
                               2e-6, 1e-6, 5e-7, 2e-7, 1e-7, 5e-8, 2e-8};
#define N_RATES (sizeof rates / sizeof *rates)
/* Shares of genuine pairs below that the other table has points for. */
static const double misses[] = {1e-3, 2e-3, 5e-3, .01, .02, .05, .1,  .15, .2,  .3,
                                .4,   .5,   .6,   .7,  .8,  .9,  .95, .98, .99, .995};
#define N_MISSES (sizeof misses / sizeof *misses)
_Static_assert(N_RATES <= DPLI_MAX_EDGES && N_MISSES <= DPLI_MAX_EDGES, "edges");

/* One being made. */
typedef struct making {
    const dpl_samples *samples;
    dpl_calibrate_options o;
    dpl_calibrated *out;
    dpli_faces faces;
    dpli_walking walking;
    bool has_range;
    dpli_cohort *cohort; /* NULL: none */
    char cohort_sha256[65];
    dpl_calibration *marginals; /* with a cohort, once they are known */
    dpl_point_row *score, *normalised;
    size_t n_score, n_normalised;
    dpli_tally tallies[DPLI_N_KINDS];
    dpli_edges edges[DPLI_N_KINDS];
    dpli_counts all;
} making;

/* ------------------------------------------------------------------ which faces */

static dpl_status check_samples(const dpl_samples *s, const dpl_head *head,
                                const dpl_calibrate_options *o, dpl_error *err)
{
    if (s->dim != dpl_head_dim(head))
        return dpli_fail(err, DPL_E_ARGUMENT, "vectors of %d numbers, the head's have %d",
                         (int)s->dim, (int)dpl_head_dim(head));
    if (!(o->fmr > 0 && o->fmr < 1))
        return dpli_fail(err, DPL_E_ARGUMENT, "a false match rate of %g is not between 0 and 1",
                         o->fmr);
    if (!(o->strata_within >= 1 && o->strata_within <= 100))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "strata within %g times the rate, 1 to 100 are possible",
                         o->strata_within);
    if (!(o->range.too_poor <= o->range.quality) || !(o->range.too_poor >= 0) ||
        !(o->range.quality <= 1) || !(o->range.yaw_deg >= 0))
        return dpli_fail(err, DPL_E_ARGUMENT, "fair faces from quality %g, too poor below %g",
                         (double)o->range.quality, (double)o->range.too_poor);
    if (s->n_strata > DPL_CALIBRATE_MAX_STRATA)
        return dpli_fail(err, DPL_E_LIMIT, "%d strata, limit is %d", (int)s->n_strata,
                         DPL_CALIBRATE_MAX_STRATA);
    for (size_t i = 0; i < s->n; i++) {
        if (s->people[i] < 0 || s->people[i] >= s->n_people)
            return dpli_fail(err, DPL_E_ARGUMENT, "sample %zu is of nobody", i);
        for (size_t k = i * (size_t)s->dim; k < (i + 1) * (size_t)s->dim; k++)
            if (!isfinite(s->vectors[k]))
                return dpli_fail(err, DPL_E_INPUT, "\"%s\": its vector is not finite", s->names[i]);
    }
    return DPL_OK;
}

/* Of more faces than are compared, those of people drawn until there are so many. */
static dpl_status draw_faces(bool *keep, making *m, dpl_error *err)
{
    const dpl_samples *s = m->samples;
    const size_t n_people = (size_t)s->n_people;
    size_t *faces = dpli_calloc(n_people + 1, sizeof *faces, err), n = 0, n_drawn = 0;
    int32_t *order = dpli_alloc(n_people, sizeof *order, err);
    bool *drawn = dpli_calloc(n_people + 1, sizeof *drawn, err);
    dpl_status status = faces && order && drawn ? DPL_OK : DPL_E_MEMORY;
    dpli_rng rng;

    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < s->n; i++) {
        faces[s->people[i]] += keep[i];
        n += keep[i];
    }
    if (n <= DPL_CALIBRATE_MAX_FACES)
        goto done;
    for (size_t p = 0; p < n_people; p++)
        order[p] = (int32_t)p;
    dpli_rng_seed(&rng, m->o.seed);
    for (size_t p = n_people; p > 1; p--) {
        const size_t other = dpli_rng_below(&rng, p);
        const int32_t swap = order[p - 1];
        order[p - 1] = order[other];
        order[other] = swap;
    }
    for (size_t p = 0; p < n_people && n_drawn + faces[order[p]] <= DPL_CALIBRATE_MAX_FACES; p++) {
        n_drawn += faces[order[p]];
        drawn[order[p]] = true;
    }
    for (size_t i = 0; i < s->n; i++)
        keep[i] = keep[i] && drawn[s->people[i]];
    m->out->n_left_out = (int64_t)(n - n_drawn);
done:
    free(faces);
    free(order);
    free(drawn);
    return status;
}

static dpl_status choose_faces(making *m, const dpl_head *head, dpl_error *err)
{
    const dpl_samples *s = m->samples;
    const dpl_range *range = &m->o.range;
    bool *keep = dpli_alloc(s->n, sizeof *keep, err);
    bool *is_fair = dpli_alloc(s->n, sizeof *is_fair, err);
    dpl_status status = keep && is_fair ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; status == DPL_OK && i < s->n; i++) {
        const dpl_quality *q = s->quality ? &s->quality[i] : NULL;
        const bool known = q && isfinite(q->overall);

        keep[i] = !known || q->overall >= range->too_poor;
        is_fair[i] =
            !known || (q->overall >= range->quality && fabsf(q->yaw_deg) <= range->yaw_deg);
        m->out->n_too_poor += !keep[i];
        m->has_range = m->has_range || known;
    }
    if (status == DPL_OK)
        status = draw_faces(keep, m, err);
    if (status == DPL_OK)
        status = dpli_faces_make(&m->faces, s, head, m->cohort, keep, is_fair, err);
    free(keep);
    free(is_fair);
    return status;
}

/* ------------------------------------------------------------------ as text */

static void put_rows(dpli_buf *json, const char *key, const dpl_point_row *rows, size_t n,
                     bool bounds)
{
    dpli_buf_printf(json, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        dpli_buf_printf(json, "%s[%.9g,%.5g", i ? "," : "", (double)rows[i].at, rows[i].rate);
        if (bounds)
            dpli_buf_printf(json, ",%.5g,%.5g,%.5g", rows[i].low, rows[i].high, rows[i].bar);
        dpli_buf_str(json, "]");
    }
    dpli_buf_str(json, "]");
}

/* A string of any bytes; what is not UTF-8, or is not seen, becomes "?". */
static void put_string(dpli_buf *json, const char *s)
{
    uint32_t point;

    dpli_buf_str(json, "\"");
    for (size_t n; *s; s += n) {
        n = dpli_utf8_next(&point, s);
        if (n == 0 || dpli_utf8_is_unsafe(point))
            dpli_buf_str(json, "?");
        else if (point == '"' || point == '\\')
            dpli_buf_printf(json, "\\%c", (char)point);
        else
            dpli_buf_add(json, s, n);
        n += n == 0;
    }
    dpli_buf_str(json, "\"");
}

/* What evidence is made of. */
static void put_cohort(dpli_buf *json, const making *m)
{
    dpli_buf_printf(json, ",\"cohort\":{\"top\":%d,\"sha256\":\"%s\"}", m->o.cohort_top,
                    m->cohort_sha256);
    put_rows(json, "score", m->score, m->n_score, false);
    put_rows(json, "normalised", m->normalised, m->n_normalised, false);
}

/* ------------------------------------------------------------------ tables */

/* Where the points lie: at each rate that enough pairs exceed, once. */
static void choose_edges(dpli_edges *edges, const dpli_tally *tally, const double *shares,
                         size_t n_shares, bool below)
{
    edges->n = 0;
    for (size_t i = 0; i < n_shares; i++) {
        const double share = below ? 1 - shares[i] : shares[i];
        const double rarer = share < .5 ? share : 1 - share;
        float at;

        if (rarer * (double)tally->n >= DPL_CALIBRATE_MIN_ABOVE &&
            dpli_tally_point(&at, tally, share) && (edges->n == 0 || at > edges->at[edges->n - 1]))
            edges->at[edges->n++] = at;
    }
}

/* A marginal's points: rates without bounds, each lower than the one before. */
static dpl_status make_marginal(dpl_point_row **rows, size_t *n_rows, const dpli_tally *tally,
                                dpl_error *err)
{
    dpli_edges edges;

    choose_edges(&edges, tally, rates, N_RATES, false);
    *rows = dpli_calloc(edges.n, sizeof **rows, err);
    if (!*rows)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < edges.n; i++) {
        const double rate = (double)dpli_tally_count(tally, edges.at[i]) / (double)tally->n;

        if (rate > 0 && (*n_rows == 0 || rate < (*rows)[*n_rows - 1].rate))
            (*rows)[(*n_rows)++] = (dpl_point_row){edges.at[i], rate, rate, rate, rate};
    }
    if (*n_rows < 2)
        return dpli_fail(err, DPL_E_INPUT,
                         "%.0f pairs of strangers are too few to normalise scores by a cohort",
                         (double)tally->n);
    return DPL_OK;
}

/* Points that too few pairs reach after all (many at the same score) go; they are the last. */
static dpl_status make_rows(dpl_point_row **rows, size_t *n_rows, const making *m, int kind,
                            dpl_error *err)
{
    const dpli_edges *edges = &m->edges[kind];
    const double n = (double)m->all.n_pairs[kind];

    *rows = dpli_calloc(edges->n, sizeof **rows, err);
    if (!*rows)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < edges->n; i++) {
        dpl_point_row *row = &(*rows)[*n_rows];

        if (kind != DPLI_GENUINE && m->all.hits[kind][i] < DPL_CALIBRATE_MIN_ABOVE)
            break;
        row->at = edges->at[i];
        row->rate = (double)m->all.hits[kind][i] / n;
        if (kind == DPLI_GENUINE) {
            row->rate = 1 - row->rate;
        } else {
            row->low = m->all.low[kind][i];
            row->high = row->bar = m->all.high[kind][i];
        }
        ++*n_rows;
    }
    return DPL_OK;
}

/* A higher score is not more common, nor are its bounds. */
static void let_fall(dpl_point_row *rows, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        rows[i].low = fmin(rows[i].low, rows[i - 1].low);
        rows[i].high = fmin(rows[i].high, rows[i - 1].high);
        rows[i].bar = fmin(rows[i].bar, rows[i - 1].bar);
    }
}

/* Widen the bounds for what a stratum says. */
static void widen(dpl_point_row *rows, size_t n, const dpli_counts *c, int kind, double within,
                  dpl_stratum_row *told)
{
    double low = 1, high = 1;
    bool has_spoken = false;

    if (c->n_people[kind] < DPL_CALIBRATE_MIN_PEOPLE)
        return;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].rate * (double)c->n_pairs[kind] >= DPL_CALIBRATE_MIN_ABOVE) {
            has_spoken = true;
            low = c->low[kind][i] / rows[i].rate;
            high = c->high[kind][i] / rows[i].rate;
            if (told) {
                told->lowest_rate = rows[i].rate;
                told->factor = (double)c->hits[kind][i] / (double)c->n_pairs[kind] / rows[i].rate;
            }
        }
        if (!has_spoken)
            continue;
        rows[i].low = fmin(rows[i].low, low * rows[i].rate);
        rows[i].high = fmax(rows[i].high, fmin(high * rows[i].rate, 1));
        rows[i].bar = fmax(rows[i].bar, fmin(high * rows[i].rate, 1) / within);
    }
}

static dpl_status add_stratum(making *m, int k, dpl_error *err)
{
    dpl_calibrated *out = m->out;
    dpl_stratum_row *told = &out->strata[k];
    dpli_faces faces;
    dpli_counts counts;
    dpl_status status = dpli_faces_of(&faces, &m->faces, k, err);

    if (status == DPL_OK)
        status = dpli_strangers_count(&counts, NULL, &faces, m->edges, m->o.seed + (uint64_t)k + 1,
                                      &m->walking, err);
    dpli_faces_clear(&faces);
    if (status != DPL_OK)
        return status;
    *told = (dpl_stratum_row){m->samples->strata_names[k], counts.n_people[DPLI_FAIR],
                              (int64_t)counts.n_pairs[DPLI_FAIR], NAN, NAN};
    if (counts.n_pairs[DPLI_FAIR] > 0)
        widen(out->points, out->n_points, &counts, DPLI_FAIR, m->o.strata_within, told);
    if (counts.n_pairs[DPLI_POOR] > 0)
        widen(out->poor, out->n_poor, &counts, DPLI_POOR, m->o.strata_within, NULL);
    return DPL_OK;
}

/* With a cohort: what evidence is, read as it will be. */
static dpl_status make_marginals(making *m, dpl_error *err)
{
    dpli_tally tallies[2] = {{0}, {0}};
    dpli_buf json = {0};
    dpl_status status = dpli_strangers_marginals(tallies, &m->faces, &m->walking, err);

    if (status == DPL_OK)
        status = make_marginal(&m->score, &m->n_score, &tallies[0], err);
    if (status == DPL_OK)
        status = make_marginal(&m->normalised, &m->n_normalised, &tallies[1], err);
    for (int k = 0; k < 2; k++)
        dpli_tally_clear(&tallies[k]);
    if (status != DPL_OK)
        return status;
    dpli_buf_printf(&json, "{\"version\":2,\"metric\":\"%s\",\"people\":1,\"pairs\":1",
                    dpl_head_name(m->faces.head));
    put_cohort(&json, m);
    dpli_buf_str(&json, ",\"points\":[[0,1,0,1]]}");
    status = dpli_buf_check(&json, err);
    if (status == DPL_OK)
        status = dpl_calibration_parse(&m->marginals, json.data, err);
    m->faces.marginals = m->marginals;
    dpli_buf_clear(&json);
    return status;
}

static dpl_status make_tables(making *m, dpli_top *top, dpl_error *err)
{
    dpl_calibrated *out = m->out;
    dpl_status status = dpli_strangers_tally(m->tallies, &m->faces, &m->walking, err);

    if (status != DPL_OK)
        return status;
    choose_edges(&m->edges[DPLI_FAIR], &m->tallies[DPLI_FAIR], rates, N_RATES, false);
    choose_edges(&m->edges[DPLI_POOR], &m->tallies[DPLI_POOR], rates, N_RATES, false);
    choose_edges(&m->edges[DPLI_GENUINE], &m->tallies[DPLI_GENUINE], misses, N_MISSES, true);
    status = dpli_strangers_count(&m->all, top, &m->faces, m->edges, m->o.seed, &m->walking, err);
    if (status == DPL_OK)
        status = make_rows(&out->points, &out->n_points, m, DPLI_FAIR, err);
    if (status == DPL_OK && m->all.n_people[DPLI_POOR] >= DPL_CALIBRATE_MIN_PEOPLE)
        status = make_rows(&out->poor, &out->n_poor, m, DPLI_POOR, err);
    if (status == DPL_OK)
        status = make_rows(&out->genuine, &out->n_genuine, m, DPLI_GENUINE, err);
    if (status != DPL_OK)
        return status;
    out->n_people = m->all.n_people[DPLI_FAIR];
    out->n_faces = (int64_t)m->faces.n;
    out->n_pairs = (int64_t)m->all.n_pairs[DPLI_FAIR];
    out->n_poor_pairs = (int64_t)m->all.n_pairs[DPLI_POOR];
    out->n_genuine_pairs = (int64_t)m->all.n_pairs[DPLI_GENUINE];
    if (m->samples->strata && m->samples->n_strata > 0) {
        out->strata = dpli_calloc((size_t)m->samples->n_strata, sizeof *out->strata, err);
        if (!out->strata)
            return DPL_E_MEMORY;
        for (; (int32_t)out->n_strata < m->samples->n_strata && status == DPL_OK; out->n_strata++)
            status = add_stratum(m, (int)out->n_strata, err);
    }
    let_fall(out->points, out->n_points);
    let_fall(out->poor, out->n_poor);
    return status;
}

/* ------------------------------------------------------------------ what is missing */

/* Rounded up to two digits, as nobody needs more of a guess. */
static double two_digits_up(double x)
{
    const double unit = pow(10, floor(log10(x)) - 1);

    return ceil(x / unit) * unit;
}

static dpl_status need_people(const making *m, dpl_error *err)
{
    if (m->faces.n_people >= DPL_CALIBRATE_MIN_PEOPLE)
        return DPL_OK;
    return dpli_fail(err, DPL_E_INPUT,
                     "a calibration needs %d people or more, there are %d (for a false match rate "
                     "of %g about %.0f of one photo each)",
                     DPL_CALIBRATE_MIN_PEOPLE, (int)m->faces.n_people, m->o.fmr,
                     fmax(DPL_CALIBRATE_MIN_PEOPLE, two_digits_up(sqrt(2 * 20 / m->o.fmr))));
}

static dpl_status need_pairs(const making *m, dpl_error *err)
{
    const dpl_calibrated *out = m->out;
    const dpl_point_row *last = out->n_points > 0 ? &out->points[out->n_points - 1] : NULL;
    /* Bounds of a rate that 10 pairs exceed reach about twice as high. */
    const double have = fmax((double)out->n_pairs, 1);
    const double need = two_digits_up(last ? have * last->bar / m->o.fmr : 20 / m->o.fmr);

    if (last && last->bar <= m->o.fmr)
        return DPL_OK;
    if (last)
        return dpli_fail(err, DPL_E_INPUT,
                         "for a false match rate of %g about %.0f pairs of strangers are needed, "
                         "the %.0f pairs of %lld people support %.2g: about %.0f people with as "
                         "many photos each, or a higher --fmr",
                         m->o.fmr, need, have, (long long)out->n_people, two_digits_up(last->bar),
                         two_digits_up((double)out->n_people * sqrt(need / have)));
    return dpli_fail(err, DPL_E_INPUT,
                     "for a false match rate of %g about %.0f pairs of strangers are needed, there "
                     "are %.0f of %lld people whose scores differ",
                     m->o.fmr, need, (double)out->n_pairs, (long long)out->n_people);
}

/* ------------------------------------------------------------------ double entries */

/* How many pairs of strangers would score so high, by the last decade of the distribution that is
 * beyond suspicion: the hundredth and the thousandth highest. */
static double expected_above(const dpli_tally *tally, float score)
{
    float hundredth, thousandth;

    if (tally->n_top < 1000)
        return NAN;
    hundredth = tally->top[99];
    thousandth = tally->top[999];
    if (!(hundredth > thousandth))
        return score > hundredth ? 0 : NAN;
    return 100 *
           pow(10, -((double)score - (double)hundredth) / ((double)hundredth - (double)thousandth));
}

/* Two people's pairs: how many, and how many of them as alike as half of one person's. */
static void compare_people(dpl_double *d, const making *m, int32_t a, int32_t b)
{
    const dpli_faces *f = &m->faces;
    const dpl_calibrated *out = m->out;
    float half = INFINITY;

    for (size_t i = 0; i < out->n_genuine; i++)
        if (out->genuine[i].rate <= .5)
            half = out->genuine[i].at;
    for (size_t i = f->first[a]; i < f->first[a + 1]; i++)
        for (size_t j = f->first[b]; j < f->first[b + 1]; j++)
            if (f->is_fair[i] && f->is_fair[j] && (f->strata[i] & f->strata[j])) {
                d->n_pairs++;
                d->n_alike += dpli_faces_score(f, i, j) >= half;
            }
}

static bool is_judged(const dpl_samples *s, int32_t a, int32_t b)
{
    for (size_t i = 0; i < s->n_judged; i++)
        if ((s->judged[2 * i] == a && s->judged[2 * i + 1] == b) ||
            (s->judged[2 * i] == b && s->judged[2 * i + 1] == a))
            return true;
    return false;
}

/* Expected this often, a pair is told. */
#define SELDOM 0.05

static dpl_status find_doubles(making *m, dpli_top *top, dpl_error *err)
{
    const dpli_faces *f = &m->faces;
    dpl_calibrated *out = m->out;

    dpli_top_sort(top);
    out->doubles = dpli_calloc(DPL_CALIBRATE_N_SHOWN, sizeof *out->doubles, err);
    if (!out->doubles)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < top->n && out->n_doubles < DPL_CALIBRATE_N_SHOWN; i++) {
        const size_t a = top->best[i].at / f->n, b = top->best[i].at % f->n;
        dpl_double d = {.person_a = m->samples->people[f->sample[a]],
                        .person_b = m->samples->people[f->sample[b]],
                        .sample_a = f->sample[a],
                        .sample_b = f->sample[b],
                        .score = dpli_faces_raw(f, a, b),
                        .expected = expected_above(&m->tallies[DPLI_FAIR], top->best[i].score)};
        bool told = false;

        for (size_t k = 0; k < out->n_doubles && !told; k++)
            told = out->doubles[k].person_a == d.person_a && out->doubles[k].person_b == d.person_b;
        if (told || is_judged(m->samples, d.person_a, d.person_b))
            continue;
        compare_people(&d, m, f->person[a], f->person[b]);
        /* Either one pair is far beyond the tail, or several are as of one person, of whose own
           pairs half would be. */
        if (d.expected < SELDOM || (d.n_alike > 1 && 4 * d.n_alike >= d.n_pairs))
            out->doubles[out->n_doubles++] = d;
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ the whole as text */

static dpl_status write_json(making *m, dpl_error *err)
{
    dpl_calibrated *out = m->out;
    dpli_buf json = {0};
    dpl_status status;

    dpli_buf_printf(&json, "{\"version\":2,\"metric\":\"%s\",\"people\":%lld,\"pairs\":%lld",
                    dpl_head_name(m->faces.head), (long long)out->n_people,
                    (long long)out->n_pairs);
    dpli_buf_str(&json, ",\"source\":");
    put_string(&json, m->o.source ? m->o.source : "");
    if (m->o.model)
        dpli_buf_printf(&json, ",\"model\":\"%s\"", m->o.model);
    if (m->cohort)
        put_cohort(&json, m);
    put_rows(&json, "points", out->points, out->n_points, true);
    if (m->has_range) {
        dpli_buf_printf(&json, ",\"range\":{\"quality\":%.6g,\"yaw_deg\":%.6g,\"too_poor\":%.6g}",
                        (double)m->o.range.quality, (double)m->o.range.yaw_deg,
                        (double)m->o.range.too_poor);
        if (out->n_poor > 0)
            put_rows(&json, "poor", out->poor, out->n_poor, true);
    }
    if (isfinite(out->mean_factor))
        dpli_buf_printf(&json, ",\"mean_factor\":%.4g", out->mean_factor);
    if (out->n_strata > 0) {
        dpli_buf_str(&json, ",\"strata\":[");
        for (size_t i = 0, n = 0; i < out->n_strata; i++) {
            if (out->strata[i].n_pairs < 1)
                continue;
            dpli_buf_printf(&json, "%s{\"name\":", n++ ? "," : "");
            put_string(&json, out->strata[i].name);
            dpli_buf_printf(&json, ",\"people\":%lld,\"pairs\":%lld}",
                            (long long)out->strata[i].n_people, (long long)out->strata[i].n_pairs);
        }
        dpli_buf_str(&json, "]");
    }
    if (out->n_genuine > 0) {
        dpli_buf_printf(&json, ",\"genuine\":{\"pairs\":%lld", (long long)out->n_genuine_pairs);
        put_rows(&json, "points", out->genuine, out->n_genuine, false);
        dpli_buf_str(&json, "}");
    }
    dpli_buf_str(&json, "}\n");
    status = dpli_buf_check(&json, err);
    if (status == DPL_OK) {
        out->json = json.data;
        json = (dpli_buf){0};
    }
    dpli_buf_clear(&json);
    return status;
}

/* ------------------------------------------------------------------ all of it */

static dpl_status open_cohort(making *m, const dpl_head *head, dpl_error *err)
{
    const char *text = m->o.cohort;
    dpl_status status;

    if (dpl_head_get_kind(head) != DPL_HEAD_COSINE)
        return dpli_fail(err, DPL_E_ARGUMENT, "a cohort normalises the cosine, not the head %s",
                         dpl_head_name(head));
    status = dpli_sha256_of(m->cohort_sha256, text, strlen(text), err);
    if (status != DPL_OK)
        return status;
    return dpli_cohort_parse(&m->cohort, text, dpl_head_dim(head), m->o.cohort_top, err);
}

/* Pairs of all walks to come, for who watches. */
static int64_t all_work(const making *m)
{
    const dpl_samples *s = m->samples;
    int64_t work = (m->cohort ? 3 : 2) * dpli_faces_work(&m->faces);

    for (int k = 0; s->strata && k < s->n_strata; k++) {
        dpli_faces of = {0};
        for (size_t i = 0; i < m->faces.n; i++)
            of.n += m->faces.strata[i] >> k & 1;
        work += dpli_faces_work(&of);
    }
    if (dpl_head_get_kind(m->faces.head) == DPL_HEAD_COSINE)
        work += (int64_t)m->faces.n_people * (int64_t)m->faces.n;
    return work;
}

dpl_status dpl_calibrate(dpl_calibrated *out, const dpl_samples *samples, const dpl_head *head,
                         const dpl_calibrate_options *options, dpl_error *err)
{
    making m = {.samples = samples, .out = out};
    dpli_top top = {.k = TOP};
    dpl_status status;

    *out = (dpl_calibrated){.mean_factor = NAN};
    m.o = (dpl_calibrate_options)DPL_CALIBRATE_OPTIONS_INIT;
    status = dpli_options(&m.o, sizeof m.o, options, "calibrate", err);
    if (status == DPL_OK)
        status = check_samples(samples, head, &m.o, err);
    if (status == DPL_OK && m.o.cohort)
        status = open_cohort(&m, head, err);
    if (status == DPL_OK)
        status = choose_faces(&m, head, err);
    if (status == DPL_OK)
        status = need_people(&m, err);
    if (status != DPL_OK)
        goto done;
    m.walking = (dpli_walking){.n_threads = m.o.n_threads > 0 ? m.o.n_threads : dpli_n_cores(),
                               .cancel = m.o.cancel,
                               .on_progress = m.o.on_progress,
                               .ctx = m.o.ctx,
                               .n_total = all_work(&m)};
    top.best = dpli_calloc(TOP, sizeof *top.best, err);
    status = top.best ? DPL_OK : DPL_E_MEMORY;
    if (status == DPL_OK && m.cohort)
        status = make_marginals(&m, err);
    if (status == DPL_OK)
        status = make_tables(&m, &top, err);
    if (status == DPL_OK)
        status = need_pairs(&m, err);
    if (status == DPL_OK)
        status = find_doubles(&m, &top, err);
    if (status == DPL_OK && dpl_head_get_kind(head) == DPL_HEAD_COSINE)
        status = dpli_strangers_mean_factor(&out->mean_factor, &m.faces, &m.edges[DPLI_FAIR],
                                            &m.walking, err);
    /* Up to two digits, so that what is stated is no less than what was found. */
    out->mean_factor = ceil(out->mean_factor * 100) / 100;
    if (status == DPL_OK)
        status = write_json(&m, err);
done:
    for (int k = 0; k < DPLI_N_KINDS; k++)
        dpli_tally_clear(&m.tallies[k]);
    dpli_faces_clear(&m.faces);
    dpl_calibration_free(m.marginals);
    dpli_cohort_free(m.cohort);
    free(m.score);
    free(m.normalised);
    free(top.best);
    if (status != DPL_OK)
        dpl_calibrated_clear(out);
    return status;
}

void dpl_calibrated_clear(dpl_calibrated *calibrated)
{
    if (!calibrated)
        return;
    free(calibrated->json);
    free(calibrated->points);
    free(calibrated->poor);
    free(calibrated->genuine);
    free(calibrated->strata);
    free(calibrated->doubles);
    *calibrated = (dpl_calibrated){0};
}
