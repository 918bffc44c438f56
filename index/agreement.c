/*
 * agreement.c - scores beside grades: correlations and squared error.
 *
 * For pairs that have a grade instead of being of one or of two. A pair without a score is counted
 * and left out: there is no score that would be fair to give it.
 *
 * Sources: Fisher 1921 (interval of Pearson's r); Bonett and Wright 2000 (of Spearman's).
 */
#include <math.h>
#include <stdbool.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/eval.h"

static const double z95 = 1.959963984540054; /* 97.5 % quantile of the normal distribution */

static double mean_of(const double *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

/* Pearson's r; NaN where either does not vary. */
static double correlation(const double *x, const double *y, size_t n)
{
    const double mx = mean_of(x, n), my = mean_of(y, n);
    double xx = 0, yy = 0, xy = 0;

    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? fmax(-1, fmin(1, xy / sqrt(xx) / sqrt(yy))) : NAN;
}

static dpl_correlation with_bounds(double r, size_t n, double widen)
{
    dpl_correlation c = {r, NAN, NAN};

    if (fabs(r) >= 1) {
        c.low = c.high = r;
    } else if (n > 3 && isfinite(r)) {
        const double half = z95 * widen / sqrt((double)n - 3);
        c.low = tanh(atanh(r) - half);
        c.high = tanh(atanh(r) + half);
    }
    return c;
}

typedef struct placed {
    double value;
    size_t at;
} placed;

static int by_value(const void *a, const void *b)
{
    const double x = ((const placed *)a)->value, y = ((const placed *)b)->value;

    return (x > y) - (x < y);
}

/* Values to their ranks, equal ones to the mean of theirs. room: [n]. */
static void rank(double *v, size_t n, placed *room)
{
    for (size_t i = 0; i < n; i++)
        room[i] = (placed){v[i], i};
    qsort(room, n, sizeof *room, by_value);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && room[to].value == room[from].value; to++)
            continue;
        for (size_t i = from; i < to; i++)
            v[room[i].at] = (double)(from + to + 1) / 2;
    }
}

dpl_status dpl_agreement_make(dpl_agreement *out, const float *scores, const double *grades,
                              size_t n, dpl_error *err)
{
    double *x = dpli_alloc(n, sizeof *x, err), *y = dpli_alloc(n, sizeof *y, err);
    placed *room = dpli_alloc(n, sizeof *room, err);
    dpl_status status = DPL_E_MEMORY;
    size_t m = 0;

    *out = (dpl_agreement){0};
    if (!x || !y || !room)
        goto done;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(scores[i]))
            continue;
        x[m] = (double)scores[i];
        y[m++] = grades[i];
    }
    status = m > 1 ? DPL_OK
                   : dpli_fail(err, DPL_E_INPUT,
                               "%zu pairs with a score are too few for a "
                               "correlation",
                               m);
    if (status != DPL_OK)
        goto done;
    out->n = (int64_t)m;
    out->n_unscored = (int64_t)(n - m);
    out->pearson = with_bounds(correlation(x, y, m), m, 1);
    const double r = out->pearson.value;
    const double mx = mean_of(x, m), my = mean_of(y, m);
    double xx = 0, yy = 0;
    for (size_t i = 0; i < m; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    out->slope = isfinite(r) ? r * sqrt(yy / xx) : 0;
    out->intercept = my - out->slope * mx;
    rank(x, m, room);
    rank(y, m, room);
    const double rho = correlation(x, y, m);
    out->spearman = with_bounds(rho, m, sqrt(1 + rho * rho / 2));
done:
    free(x);
    free(y);
    free(room);
    return status;
}

double dpl_squared_error(const float *scores, const double *grades, size_t n, double slope,
                         double intercept)
{
    double sum = 0;
    size_t m = 0;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(scores[i]))
            continue;
        const double off = intercept + slope * (double)scores[i] - grades[i];
        sum += off * off;
        m++;
    }
    return m > 0 ? sum / (double)m : NAN;
}
