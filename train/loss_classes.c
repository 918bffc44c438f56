/*
 * loss_classes.c - losses that know the class of each row, on rows of unit length.
 *
 * Triplet: Schroff, Kalenichenko, Philbin 2015: max(0, |a - p|^2 - |a - n|^2 + m), over all ordered
 * pairs (a, p) of a class in the batch. The negative of each is the nearest that is farther than p
 * (semi-hard where it is within the margin); where every negative is nearer than p, the farthest:
 * the nearest ones collapse the embedding early in training (section 3.2 there). The mean is over
 * the pairs that have a loss.
 *
 * Additive angular margin: Deng et al. 2019: softmax cross-entropy over s cos(theta_j), with
 * s cos(theta + m) for the row's own class; where theta + m is over pi, cos(theta) - m sin(m) in
 * its place, so that it keeps falling with theta. A margin of 0 is the plain normalised softmax.
 *
 * Matrix products are cut by rows of their result, one part a thread.
 */
#include "train/loss_classes.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "net/blas.h"
#include "train/loss_rows.h"

/* ------------------------------------------------------------------ triplets */

typedef struct triplet_run {
    const int32_t *labels;
    size_t n, dim;
    double margin;
    float *unit, *inverse; /* [n, dim], [n] */
    float *cosines;        /* [n, n] */
    float *counts;         /* [n, n]: triplets with anchor i: + j as negative, - j as positive */
    double *parts;         /* [n], by anchor */
    size_t *active;        /* [n] */
    uint8_t *right;        /* [n] */
    float scale;
    float *grad; /* [n, dim] */
} triplet_run;

static void triplet_cosines(void *ctx, int worker, size_t from, size_t to)
{
    const triplet_run *k = ctx;

    (void)worker;
    dpli_gemm(0, 1, to - from, k->n, k->dim, 1, k->unit + from * k->dim, k->dim, k->unit, k->dim, 0,
              k->cosines + from * k->n, k->n);
}

/* The negative for anchor a and positive p; n when there is none. By cosines, of which distances of
 * unit vectors are made: |a - b|^2 = 2 - 2 cos. */
static size_t mine(const triplet_run *k, size_t a, size_t p)
{
    const float *cosine = k->cosines + a * k->n;
    size_t nearest_beyond = k->n, farthest = k->n;

    for (size_t j = 0; j < k->n; j++) {
        if (k->labels[j] == k->labels[a])
            continue;
        if (cosine[j] < cosine[p] && (nearest_beyond == k->n || cosine[j] > cosine[nearest_beyond]))
            nearest_beyond = j;
        if (farthest == k->n || cosine[j] < cosine[farthest])
            farthest = j;
    }
    return nearest_beyond < k->n ? nearest_beyond : farthest;
}

static void triplet_anchors(void *ctx, int worker, size_t from, size_t to)
{
    const triplet_run *k = ctx;

    (void)worker;
    for (size_t a = from; a < to; a++) {
        const float *cosine = k->cosines + a * k->n;
        float *counts = k->counts + a * k->n;
        size_t nearest = k->n;

        memset(counts, 0, k->n * sizeof *counts);
        k->parts[a] = 0;
        k->active[a] = 0;
        for (size_t p = 0; p < k->n; p++) {
            size_t negative;
            double part;

            if (p == a)
                continue;
            if (nearest == k->n || cosine[p] > cosine[nearest])
                nearest = p;
            if (k->labels[p] != k->labels[a])
                continue;
            negative = mine(k, a, p);
            if (negative == k->n)
                continue;
            part = 2 * ((double)cosine[negative] - (double)cosine[p]) + k->margin;
            if (part <= 0)
                continue;
            k->parts[a] += part;
            k->active[a]++;
            counts[p] -= 1;
            counts[negative] += 1;
        }
        k->right[a] = nearest < k->n && k->labels[nearest] == k->labels[a];
    }
}

/* d unit = scale (counts + counts^T) unit */
static void triplet_back(void *ctx, int worker, size_t from, size_t to)
{
    const triplet_run *k = ctx;
    float *grad = k->grad + from * k->dim;

    (void)worker;
    dpli_gemm(0, 0, to - from, k->dim, k->n, k->scale, k->counts + from * k->n, k->n, k->unit,
              k->dim, 0, grad, k->dim);
    dpli_gemm(1, 0, to - from, k->dim, k->n, k->scale, k->counts + from, k->n, k->unit, k->dim, 1,
              grad, k->dim);
}

dpl_status dpli_loss_triplet_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                                 dpli_team *team, size_t *n_correct, dpl_error *err)
{
    const size_t n = (size_t)batch->n, dim = (size_t)loss->options.dim;
    triplet_run k = {.labels = batch->labels,
                     .n = n,
                     .dim = dim,
                     .margin = loss->options.margin,
                     .grad = batch->grad};
    size_t active = 0;
    char *at;
    dpl_status status = dpli_loss_room(
        &at, loss,
        dpli_loss_bytes(n * dim, sizeof *k.unit) + dpli_loss_bytes(n, sizeof *k.inverse) +
            2 * dpli_loss_bytes(n * n, sizeof *k.cosines) + dpli_loss_bytes(n, sizeof *k.parts) +
            dpli_loss_bytes(n, sizeof *k.active) + dpli_loss_bytes(n, sizeof *k.right),
        err);

    if (status != DPL_OK)
        return status;
    k.unit = dpli_loss_take(&at, n * dim, sizeof *k.unit);
    k.inverse = dpli_loss_take(&at, n, sizeof *k.inverse);
    k.cosines = dpli_loss_take(&at, n * n, sizeof *k.cosines);
    k.counts = dpli_loss_take(&at, n * n, sizeof *k.counts);
    k.parts = dpli_loss_take(&at, n, sizeof *k.parts);
    k.active = dpli_loss_take(&at, n, sizeof *k.active);
    k.right = dpli_loss_take(&at, n, sizeof *k.right);

    dpli_rows_unit(k.unit, k.inverse, batch->embeddings, n, dim, team);
    dpli_team_run(team, n, triplet_cosines, &k);
    dpli_team_run(team, n, triplet_anchors, &k);
    for (size_t r = 0; r < n; r++) {
        /* A row that is not finite may be in no triplet: it counts as well. */
        *out += k.parts[r] + 0 * (double)k.inverse[r];
        active += k.active[r];
        *n_correct += k.right[r];
    }
    *out = active > 0 ? *out / (double)active : *out;
    if (!batch->grad)
        return DPL_OK;
    k.scale = active > 0 ? (float)(2 / (double)active) : 0;
    dpli_team_run(team, n, triplet_back, &k);
    dpli_rows_unit_back(batch->grad, batch->grad, k.unit, k.inverse, n, dim, team);
    return DPL_OK;
}

/* ------------------------------------------------------------------ angular margin */

typedef struct arc_run {
    const int32_t *labels;
    size_t n, dim, n_classes;
    double margin, scale;
    float *unit, *inverse;           /* [n, dim], [n] */
    float *centres, *centre_inverse; /* [n_classes, dim], [n_classes] */
    float *cosines;                  /* [n, n_classes], then their gradient */
    double *parts;                   /* [n] */
    uint8_t *right;                  /* [n] */
    float *grad, *centre_grad;
} arc_run;

static void arc_cosines(void *ctx, int worker, size_t from, size_t to)
{
    const arc_run *k = ctx;

    (void)worker;
    dpli_gemm(0, 1, k->n, to - from, k->dim, 1, k->unit, k->dim, k->centres + from * k->dim, k->dim,
              0, k->cosines + from, k->n_classes);
}

/* cos(theta + m) from cos(theta), and its derivative by it. */
static double with_margin(double *slope, double cosine, double m)
{
    double sine = sqrt(fmax(0, 1 - cosine * cosine));

    if (m == 0) {
        *slope = 1;
        return cosine;
    }
    if (cosine > -cos(m)) {
        /* The slope grows without bound where a row meets its centre, and the cosine's own falls to
           0 as fast: a floor where float32 no longer tells the sine. */
        *slope = cos(m) + sin(m) * cosine / fmax(sine, 1e-3);
        return cosine * cos(m) - sine * sin(m);
    }
    *slope = 1;
    return cosine - m * sin(m);
}

static void arc_rows(void *ctx, int worker, size_t from, size_t to)
{
    const arc_run *k = ctx;

    (void)worker;
    for (size_t r = from; r < to; r++) {
        float *row = k->cosines + r * k->n_classes;
        const size_t own = (size_t)k->labels[r];
        size_t best = 0;
        double slope, target, top, sum = 0;

        for (size_t c = 1; c < k->n_classes; c++)
            best = row[c] > row[best] ? c : best;
        k->right[r] = best == own;
        target = k->scale * with_margin(&slope, row[own], k->margin);
        top = fmax(k->scale * (double)row[best], target);
        for (size_t c = 0; c < k->n_classes; c++) {
            double logit = c == own ? target : k->scale * (double)row[c];
            row[c] = expf((float)(logit - top));
            sum += (double)row[c];
        }
        k->parts[r] = (log(sum) + top - target) / (double)k->n;
        if (!k->grad)
            continue;
        const float part = (float)(k->scale / (sum * (double)k->n));
        const double p = (double)row[own] / sum;
        for (size_t c = 0; c < k->n_classes; c++)
            row[c] *= part;
        row[own] = (float)(slope * k->scale * (p - 1) / (double)k->n);
    }
}

static void arc_back_rows(void *ctx, int worker, size_t from, size_t to)
{
    const arc_run *k = ctx;

    (void)worker;
    dpli_gemm(0, 0, to - from, k->dim, k->n_classes, 1, k->cosines + from * k->n_classes,
              k->n_classes, k->centres, k->dim, 0, k->grad + from * k->dim, k->dim);
}

static void arc_back_centres(void *ctx, int worker, size_t from, size_t to)
{
    const arc_run *k = ctx;

    (void)worker;
    dpli_gemm(1, 0, to - from, k->dim, k->n, 1, k->cosines + from, k->n_classes, k->unit, k->dim, 0,
              k->centre_grad + from * k->dim, k->dim);
}

dpl_status dpli_loss_arc_check(const dpli_loss_options *o, dpl_error *err)
{
    if (o->n_classes < 2 || o->n_classes > DPLI_LOSS_MAX_CLASSES)
        return dpli_fail(err, DPL_E_ARGUMENT, "a loss of %d classes, wanted is 2 to %d",
                         (int)o->n_classes, DPLI_LOSS_MAX_CLASSES);
    if (!isnan(o->scale) && !(o->scale > 0 && o->scale <= 1e4f))
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "the loss's scale is %g, wanted is above 0, at most 10000",
                         (double)o->scale);
    return DPL_OK;
}

dpl_status dpli_loss_arc_start(dpli_loss *loss, dpl_error *err)
{
    const dpli_loss_options *o = &loss->options;
    dpli_param *centres;
    dpli_rng rng;
    const dpl_status status = dpli_loss_add_param(&centres, loss, "loss.centres", DPLI_PARAM_DENSE,
                                                  o->n_classes, o->dim, err);

    if (status != DPL_OK)
        return status;
    dpli_rng_seed(&rng, o->seed);
    dpli_loss_start_normal(centres, &rng);
    return DPL_OK;
}

dpl_status dpli_loss_arc_check_batch(const dpli_loss *loss, const dpli_loss_batch *b,
                                     dpl_error *err)
{
    for (int32_t i = 0; i < b->n; i++)
        if (b->labels[i] < 0 || b->labels[i] >= loss->options.n_classes)
            return dpli_fail(err, DPL_E_ARGUMENT, "row %d is of class %d, there are %d", (int)i,
                             (int)b->labels[i], (int)loss->options.n_classes);
    return DPL_OK;
}

dpl_status dpli_loss_arc_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                             dpli_team *team, size_t *n_correct, dpl_error *err)
{
    const size_t n = (size_t)batch->n, dim = (size_t)loss->options.dim;
    const size_t n_classes = (size_t)loss->options.n_classes;
    arc_run k = {.labels = batch->labels,
                 .n = n,
                 .dim = dim,
                 .n_classes = n_classes,
                 .margin = loss->options.margin,
                 .scale = loss->options.scale,
                 .grad = batch->grad,
                 .centre_grad = loss->params[0].grad};
    char *at;
    dpl_status status = dpli_loss_room(
        &at, loss,
        dpli_loss_bytes(n * dim, sizeof *k.unit) + dpli_loss_bytes(n, sizeof *k.inverse) +
            dpli_loss_bytes(n_classes * dim, sizeof *k.centres) +
            dpli_loss_bytes(n_classes, sizeof *k.centre_inverse) +
            dpli_loss_bytes(n * n_classes, sizeof *k.cosines) +
            dpli_loss_bytes(n, sizeof *k.parts) + dpli_loss_bytes(n, sizeof *k.right),
        err);

    if (status != DPL_OK)
        return status;
    k.unit = dpli_loss_take(&at, n * dim, sizeof *k.unit);
    k.inverse = dpli_loss_take(&at, n, sizeof *k.inverse);
    k.centres = dpli_loss_take(&at, n_classes * dim, sizeof *k.centres);
    k.centre_inverse = dpli_loss_take(&at, n_classes, sizeof *k.centre_inverse);
    k.cosines = dpli_loss_take(&at, n * n_classes, sizeof *k.cosines);
    k.parts = dpli_loss_take(&at, n, sizeof *k.parts);
    k.right = dpli_loss_take(&at, n, sizeof *k.right);

    dpli_rows_unit(k.unit, k.inverse, batch->embeddings, n, dim, team);
    dpli_rows_unit(k.centres, k.centre_inverse, loss->params[0].value, n_classes, dim, team);
    dpli_team_run(team, n_classes, arc_cosines, &k);
    dpli_team_run(team, n, arc_rows, &k);
    for (size_t r = 0; r < n; r++) {
        *out += k.parts[r];
        *n_correct += k.right[r];
    }
    if (!batch->grad)
        return DPL_OK;
    dpli_team_run(team, n, arc_back_rows, &k);
    dpli_team_run(team, n_classes, arc_back_centres, &k);
    dpli_rows_unit_back(batch->grad, batch->grad, k.unit, k.inverse, n, dim, team);
    dpli_rows_unit_back(k.centre_grad, k.centre_grad, k.centres, k.centre_inverse, n_classes, dim,
                        team);
    return DPL_OK;
}
