/*
 * overlay.c - the turn, the place and the size at which one small picture agrees best with another.
 *
 * Both are made small (24 pixels). One, in its eight orientations and at sizes from all down to
 * 0.4, is moved over the other, and the normalised correlation says how well it fits there
 * (template matching; Lewis 1995, "Fast Normalized Cross-Correlation"): the second within the
 * first, which is a crop, and the first within the second, which has a frame. Then again with what
 * changes slowly taken away, as a caption outweighs all else where it is not. The best places are
 * made exact at 64 pixels: an affine map is fitted by Gauss and Newton's method to the difference
 * of the two, brought to one mean and variance (Lucas and Kanade 1981; Evangelidis and Psarakis
 * 2008). Light and sky, which agree in most pictures, are taken away before, and the fifth of the
 * pixels that agrees least is left out at each step and of the score.
 *
 * What agrees is not to be the frame: where both have one, what is within is laid over each other
 * by itself, and the lower numbers count.
 *
 * Does not say what a score is worth: sketch.c does.
 */
#include "index/overlay.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

#define SIDE       DPL_SKETCH_SIDE_PX
#define MAX_PIXELS (SIDE * SIDE)
enum {
    N_ORIENT = 8,
    COARSE = 24,        /* side that is searched first */
    COARSE_WIDE = 3,    /* radius of the mean that is taken away there */
    FINE_WIDE = 6,      /* and at SIDE */
    N_TRIED = 3,        /* places made exact */
    N_TILTED = 2,       /* of them also begun tilted */
    SOFT_ROUNDS = 6,    /* of fitting, at half of SIDE */
    EARLY_ROUND = 2,    /* after which a fit that leads nowhere ends */
    SHARP_ROUNDS = 8,   /* at SIDE */
    MIN_PIXELS = 64,    /* that a fit needs */
    N_CELLS = 5,        /* across and down, that are looked at by themselves */
    BESIDE = 2,         /* pixels around a place that are looked at with it */
    PIXELS_A_FACT = 12, /* neighbours agree with each other: so many count as one */
    TONE = 10,          /* grey levels that a frame's band may vary by */
    WITHIN = 8          /* pixels that must be within a frame, each way */
};
#define SIZE_STEP  0.9
#define SMALLEST   0.4
#define TILT       0.12  /* radians */
#define FAINT      8.0f  /* grey levels: what varies less is not made as strong as the rest */
#define PLAIN      0.125 /* deviation of what is made even, below which it tells nothing */
#define CELL_PLAIN 0.25  /* deviation below which a cell shows nothing */
#define DROPPED    0.2f  /* of the pixels */
#define MIN_SHOWN  0.7f  /* so much of the one must lie within the other */
#define MIN_COARSE                                                                                 \
    0.55f                /* correlations below which it is not gone on with: where pictures lie,   \
                          */
#define MIN_EVEN  0.45f  /* where those made even do, */
#define MIN_EARLY 0.6f   /* of a fit begun, */
#define MIN_SOFT  0.75f  /* and of one at half of SIDE */
#define SURE      250.0f /* evidence, and what is reached all over, past which nothing better is */
#define SURE_ALL  0.8f   /* looked for */

typedef struct plane {
    int w, h;
    float v[MAX_PIXELS];
} plane;

/* ------------------------------------------------------------------ planes */

static void from_sketch(plane *out, const dpl_sketch *s)
{
    out->w = s->width_px;
    out->h = s->height_px;
    for (int i = 0; i < out->w * out->h; i++)
        out->v[i] = s->grey[i];
}

/* What each output pixel of an axis that is made smaller takes of the input's: the shares of those
 * from first on, of which they are the more the smaller it is made. */
typedef struct shares {
    int first[SIDE], n[SIDE];
    double share[SIDE][SIDE];
} shares;

static void share_out(shares *out, int n_in, int n_out)
{
    static const double tiny = 1e-9;
    const double size = (double)n_in / n_out;

    for (int o = 0; o < n_out; o++) {
        const double from = o * size, to = from + size;
        const int last = (int)ceil(to - tiny) - 1;

        out->first[o] = (int)from;
        out->n[o] = (last < n_in ? last + 1 : n_in) - out->first[o];
        for (int k = 0; k < out->n[o]; k++) {
            const int i = out->first[o] + k;
            const double a = i > from ? i : from, b = i + 1 < to ? i + 1 : to;

            out->share[o][k] = b > a ? b - a : 0;
        }
    }
}

/* The mean over each pixel's area. */
DPLI_EACH_CPU(static, void, shrink, (plane * out, const plane *in, int w, int h), (out, in, w, h))
{
    float rows[MAX_PIXELS]; /* [in->h, w] */
    const double sx = (double)in->w / w, sy = (double)in->h / h;
    double sum[SIDE];
    shares part;

    share_out(&part, in->w, w);
    for (int y = 0; y < in->h; y++)
        for (int x = 0; x < w; x++) {
            const float *v = in->v + y * in->w + part.first[x];
            double all = 0;

            for (int k = 0; k < part.n[x]; k++)
                all += part.share[x][k] * (double)v[k];
            rows[y * w + x] = (float)(all / sx);
        }
    share_out(&part, in->h, h);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++)
            sum[x] = 0;
        for (int k = 0; k < part.n[y]; k++) {
            const float *v = rows + (part.first[y] + k) * w;
            const double share = part.share[y][k];

            for (int x = 0; x < w; x++)
                sum[x] += share * (double)v[x];
        }
        for (int x = 0; x < w; x++)
            out->v[y * w + x] = (float)(sum[x] / sy);
    }
    out->w = w;
    out->h = h;
}

/* Means over (2 radius + 1) squared, of what there is of it within the picture. */
DPLI_EACH_CPU(static, void, mean_around, (float *out, const plane *in, int radius),
              (out, in, radius))
{
    float rows[MAX_PIXELS], sum[SIDE];
    const int w = in->w, h = in->h;

    for (int y = 0; y < h; y++) {
        const float *v = in->v + y * w;

        for (int x = 0; x < w; x++)
            sum[x] = 0;
        for (int d = -radius; d <= radius; d++)
            for (int x = d < 0 ? -d : 0; x < (d < 0 ? w : w - d); x++)
                sum[x] += v[x + d];
        for (int x = 0; x < w; x++) {
            const int a = x > radius ? x - radius : 0, b = x + radius < w ? x + radius : w - 1;

            rows[y * w + x] = sum[x] / (float)(b - a + 1);
        }
    }
    for (int y = 0; y < h; y++) {
        const int a = y > radius ? y - radius : 0, b = y + radius < h ? y + radius : h - 1;

        for (int x = 0; x < w; x++)
            sum[x] = 0;
        for (int i = a; i <= b; i++)
            for (int x = 0; x < w; x++)
                sum[x] += rows[i * w + x];
        for (int x = 0; x < w; x++)
            out[y * w + x] = sum[x] / (float)(b - a + 1);
    }
}

/* Take away what changes slowly, and make faint and strong detail alike, so that a caption's edges
 * do not outweigh a dark photo. */
static void even_out(plane *p, int radius)
{
    float mean[MAX_PIXELS];
    plane squared;

    if (radius == 0)
        return;

    mean_around(mean, p, radius);
    for (int i = 0; i < p->w * p->h; i++)
        p->v[i] -= mean[i];
    squared = *p;
    for (int i = 0; i < p->w * p->h; i++)
        squared.v[i] *= squared.v[i];
    mean_around(mean, &squared, radius);
    for (int i = 0; i < p->w * p->h; i++)
        p->v[i] /= sqrtf(mean[i]) + FAINT;
}

/* Orientation o: mirrored left to right when o >= 4, then turned clockwise by o % 4 quarters. */
static void orient(plane *out, const plane *in, int o)
{
    const bool flat = o % 2 == 0;

    out->w = flat ? in->w : in->h;
    out->h = flat ? in->h : in->w;
    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++) {
            int u, v;

            switch (o % 4) {
            case 0: u = x, v = y; break;
            case 1: u = y, v = in->h - 1 - x; break;
            case 2: u = in->w - 1 - x, v = in->h - 1 - y; break;
            default: u = in->w - 1 - y, v = x; break;
            }
            if (o >= 4)
                u = in->w - 1 - u;
            out->v[y * out->w + x] = in->v[v * in->w + u];
        }
}

/* ------------------------------------------------------------------ coarse */

/* A place of the drawn picture in the other, of which the coarse search thinks well. */
typedef struct place {
    float score; /* below -1: none */
    int o;
    double size;   /* of the drawn one, in the other's coarse pixels over its own */
    double cx, cy; /* its middle, in coarse pixels of the other */
    bool second;   /* the drawn one is the second of the two */
} place;

/* The other picture, its rows padded so that a template's may be read past its end. */
typedef struct scene {
    int w, h;
    double plain; /* where it deviates less than this it is not matched */
    float v[(COARSE + 1) * 2 * COARSE];
    double sum[(COARSE + 1) * (COARSE + 1)], squares[(COARSE + 1) * (COARSE + 1)];
} scene;

static void make_scene(scene *s, const plane *p)
{
    memset(s, 0, sizeof *s);
    s->w = p->w;
    s->h = p->h;
    for (int y = 0; y < p->h; y++) {
        double sum = 0, squares = 0;

        for (int x = 0; x < p->w; x++) {
            const double v = (double)p->v[y * p->w + x];

            s->v[y * 2 * COARSE + x] = p->v[y * p->w + x];
            sum += v;
            squares += v * v;
            s->sum[(y + 1) * (COARSE + 1) + x + 1] = s->sum[y * (COARSE + 1) + x + 1] + sum;
            s->squares[(y + 1) * (COARSE + 1) + x + 1] =
                s->squares[y * (COARSE + 1) + x + 1] + squares;
        }
    }
}

static double within(const double *sums, int x, int y, int w, int h)
{
    return sums[(y + h) * (COARSE + 1) + x + w] - sums[y * (COARSE + 1) + x + w] -
           sums[(y + h) * (COARSE + 1) + x] + sums[y * (COARSE + 1) + x];
}

/* columns[i] = sum over rows of template's column i times the scene's; both rows 2 COARSE apart. */
DPLI_EACH_CPU(static, void, multiply, (float *columns, const float *t, const float *s, int rows),
              (columns, t, s, rows))
{
    float sum[COARSE] = {0};

    for (int y = 0; y < rows; y++)
        for (int x = 0; x < COARSE; x++)
            sum[x] += t[y * COARSE + x] * s[y * 2 * COARSE + x];
    for (int x = 0; x < COARSE; x++)
        columns[x] = sum[x];
}

/* The best place of a template, of which mean and length are 0 and 1. */
static void slide(place *best, const scene *s, const plane *t, int o, double size)
{
    float padded[COARSE * COARSE] = {0}, columns[COARSE];
    const double n = t->w * t->h;

    for (int y = 0; y < t->h; y++)
        memcpy(padded + y * COARSE, t->v + y * t->w, sizeof(float) * (size_t)t->w);
    for (int y = 0; y + t->h <= s->h; y++)
        for (int x = 0; x + t->w <= s->w; x++) {
            const double sum = within(s->sum, x, y, t->w, t->h);
            const double variance = within(s->squares, x, y, t->w, t->h) - sum * sum / n;
            float product = 0;

            if (variance < n * s->plain * s->plain)
                continue;
            multiply(columns, padded, s->v + y * 2 * COARSE + x, t->h);
            for (int i = 0; i < t->w; i++)
                product += columns[i];
            const float score = product / (float)sqrt(variance);
            if (score > best->score)
                *best = (place){score, o, size, x + t->w / 2.0, y + t->h / 2.0, false};
        }
}

static bool bring_to_unit(plane *p, double plain)
{
    const int n = p->w * p->h;
    double mean = 0, squares = 0;

    for (int i = 0; i < n; i++)
        mean += (double)p->v[i];
    mean /= n;
    for (int i = 0; i < n; i++)
        squares += ((double)p->v[i] - mean) * ((double)p->v[i] - mean);
    if (squares < n * plain * plain)
        return false;
    for (int i = 0; i < n; i++)
        p->v[i] = (float)(((double)p->v[i] - mean) / sqrt(squares));
    return true;
}

static int rounded(double v)
{
    return v < 1 ? 1 : (int)(v + 0.5);
}

/* The best place of each orientation of the drawn picture. */
static void search(place best[N_ORIENT], const plane *drawn, const plane *other, int wide,
                   bool all_sizes)
{
    plane small, turned;
    scene s;

    for (int o = 0; o < N_ORIENT; o++)
        best[o].score = -2;
    shrink(&small, other, rounded((double)other->w * COARSE / SIDE),
           rounded((double)other->h * COARSE / SIDE));
    even_out(&small, wide);
    make_scene(&s, &small);
    s.plain = wide ? PLAIN : 1;
    for (double size = all_sizes ? 1 : SIZE_STEP; size >= SMALLEST; size *= SIZE_STEP) {
        plane t;
        const int w = rounded(drawn->w * size * COARSE / SIDE);
        const int h = rounded(drawn->h * size * COARSE / SIDE);

        if (w < 4 || h < 4)
            break;
        shrink(&t, drawn, w, h);
        even_out(&t, wide);
        if (!bring_to_unit(&t, s.plain))
            continue;
        for (int o = 0; o < N_ORIENT; o++) {
            orient(&turned, &t, o);
            slide(&best[o], &s, &turned, o, size);
        }
    }
}

/* ------------------------------------------------------------------ fine */

/* x of the other = m[0] (u - middle) + m[1] (v - middle) + m[2], y likewise. */
typedef struct affine {
    double m[6];
} affine;

typedef struct fit {
    affine map;
    float score, evidence, all_over;
    float inside; /* how much of the drawn picture lies within the other */
    int w, h;     /* of the template that map is for */
} fit;

/* What is read of the other picture under the template. */
typedef struct reading {
    float v[MAX_PIXELS], gx[MAX_PIXELS], gy[MAX_PIXELS], off[MAX_PIXELS];
    bool in[MAX_PIXELS], kept[MAX_PIXELS];
    int n_in;
} reading;

static void read_under(reading *r, const plane *other, const affine *a, int w, int h)
{
    r->n_in = 0;
    for (int v = 0; v < h; v++)
        for (int u = 0; u < w; u++) {
            const int at = v * w + u;
            const double du = u + 0.5 - w / 2.0, dv = v + 0.5 - h / 2.0;
            const double x = a->m[0] * du + a->m[1] * dv + a->m[2] - 0.5;
            const double y = a->m[3] * du + a->m[4] * dv + a->m[5] - 0.5;

            r->in[at] = x >= -0.5 && y >= -0.5 && x <= other->w - 0.5 && y <= other->h - 0.5;
            if (!r->in[at]) {
                r->v[at] = 0;
                continue;
            }
            r->n_in++;
            const int i = x > other->w - 2 ? other->w - 2 : (int)x;
            const int j = y > other->h - 2 ? other->h - 2 : (int)y;
            const double dx = x - i, dy = y - j;
            const float fx = (float)(dx < 0 ? 0 : dx > 1 ? 1 : dx);
            const float fy = (float)(dy < 0 ? 0 : dy > 1 ? 1 : dy);
            const float *p = other->v + j * other->w + i;
            const float p00 = p[0], p01 = p[1], p10 = p[other->w], p11 = p[other->w + 1];

            r->v[at] = (p00 * (1 - fx) + p01 * fx) * (1 - fy) + (p10 * (1 - fx) + p11 * fx) * fy;
            r->gx[at] = (p01 - p00) * (1 - fy) + (p11 - p10) * fy;
            r->gy[at] = (p10 - p00) * (1 - fx) + (p11 - p01) * fx;
        }
}

/* What all but the share DROPPED of n differences stay below, to within 1/64. */
static float most_kept(const float *off, const bool *in, int n, int n_in)
{
    enum { PER_UNIT = 64, N_BINS = 8 * PER_UNIT };
    int bins[N_BINS + 1] = {0}, left = (int)((1 - DROPPED) * (float)n_in), bin = 0;

    for (int i = 0; i < n; i++)
        if (in[i]) {
            const float v = fabsf(off[i]) * PER_UNIT;
            bins[v < N_BINS ? (int)v : N_BINS]++;
        }
    for (; bin < N_BINS && left > bins[bin]; bin++)
        left -= bins[bin];
    return (float)(bin + 1) / PER_UNIT;
}

/* Mean and deviation of what is kept. */
static void moments(double *mean, double *dev, const float *v, const bool *kept, int n)
{
    double sum = 0, squares = 0;
    int m = 0;

    for (int i = 0; i < n; i++)
        if (kept[i]) {
            sum += (double)v[i];
            squares += (double)v[i] * (double)v[i];
            m++;
        }
    *mean = m ? sum / m : 0;
    squares = m ? squares / m - *mean * *mean : 0;
    *dev = squares > 0 ? sqrt(squares) : 0;
}

/* (v - mean) / dev of the one, less that of the other. */
DPLI_EACH_CPU(static, void, differ,
              (float *restrict off, const float *restrict v, double mean, double dev,
               const float *restrict t, double mean_t, double dev_t, int n),
              (off, v, mean, dev, t, mean_t, dev_t, n))
{
    for (int i = 0; i < n; i++)
        off[i] = (float)(((double)v[i] - mean) / dev - ((double)t[i] - mean_t) / dev_t);
}

/* Both brought to mean 0 and deviation 1 over what is kept; off is their difference. False when one
 * of them is plain. */
static bool subtract(reading *r, double *dev_read, const plane *t)
{
    const int n = t->w * t->h;
    double mean_t, dev_t, mean;

    moments(&mean_t, &dev_t, t->v, r->kept, n);
    moments(&mean, dev_read, r->v, r->kept, n);
    if (dev_t < PLAIN || *dev_read < PLAIN)
        return false;
    differ(r->off, r->v, mean, *dev_read, t->v, mean_t, dev_t, n);
    return true;
}

/* Keep all but the share of pixels that agree least, twice, as the first moments hold all of them.
 */
static bool choose(reading *r, double *dev_read, const plane *t)
{
    const int n = t->w * t->h;

    memcpy(r->kept, r->in, sizeof(bool) * (size_t)n);
    for (int round = 0; round < 2; round++) {
        float most;

        if (!subtract(r, dev_read, t))
            return false;
        most = most_kept(r->off, r->in, n, r->n_in);
        for (int i = 0; i < n; i++)
            r->kept[i] = r->in[i] && fabsf(r->off[i]) <= most;
    }
    return subtract(r, dev_read, t);
}

/* The six equations of a step; false where they have no one solution. */
static bool solve(double x[6], double a[6][6], double b[6])
{
    for (int i = 0; i < 6; i++)
        a[i][i] *= 1 + 1e-4;
    for (int c = 0; c < 6; c++) {
        int best = c;

        for (int r = c + 1; r < 6; r++)
            if (fabs(a[r][c]) > fabs(a[best][c]))
                best = r;
        if (fabs(a[best][c]) < 1e-9)
            return false;
        for (int k = 0; k < 6; k++) {
            const double swap = a[c][k];
            a[c][k] = a[best][k];
            a[best][k] = swap;
        }
        const double swap = b[c];
        b[c] = b[best];
        b[best] = swap;
        for (int r = c + 1; r < 6; r++) {
            const double f = a[r][c] / a[c][c];

            for (int k = c; k < 6; k++)
                a[r][k] -= f * a[c][k];
            b[r] -= f * b[c];
        }
    }
    for (int c = 5; c >= 0; c--) {
        x[c] = b[c];
        for (int k = c + 1; k < 6; k++)
            x[c] -= a[c][k] * x[k];
        x[c] /= a[c][c];
    }
    return true;
}

static bool step(affine *map, const reading *r, double dev_read, int w, int h)
{
    double a[6][6] = {{0}}, b[6] = {0}, x[6];

    for (int v = 0; v < h; v++)
        for (int u = 0; u < w; u++) {
            const int at = v * w + u;
            const double du = u + 0.5 - w / 2.0, dv = v + 0.5 - h / 2.0;

            if (!r->kept[at])
                continue;
            const double gx = (double)r->gx[at] / dev_read, gy = (double)r->gy[at] / dev_read;
            const double g[6] = {gx * du, gx * dv, gx, gy * du, gy * dv, gy};
            for (int i = 0; i < 6; i++) {
                for (int j = i; j < 6; j++)
                    a[i][j] += g[i] * g[j];
                b[i] -= g[i] * (double)r->off[at];
            }
        }
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            a[i][j] = a[j][i];
    if (!solve(x, a, b))
        return false;
    for (int i = 0; i < 6; i++)
        map->m[i] += x[i];
    return true;
}

/* Still a photo, not a smear of it: no more than a fifth larger, stretched or leaning than the
 * coarse search said. */
static bool is_sane(const affine *a)
{
    const double *m = a->m, det = m[0] * m[4] - m[1] * m[3];
    const double x = hypot(m[0], m[3]), y = hypot(m[1], m[4]);

    return det > 0.55 && det < 1.6 && x / y < 1.3 && y / x < 1.3 &&
           fabs(m[0] * m[1] + m[3] * m[4]) < 0.2 * x * y && fabs(m[3]) < 0.3 * x;
}

/* How much more likely the correlation is of one picture than of two, as the logarithm: of n pixels
 * of noise, n / 2 times this would be. */
static float evidence(float r, float n)
{
    const float most = 0.9999f;
    const float known = r > most ? most : r > 0 ? r : 0;

    return -0.5f * n / PIXELS_A_FACT * logf(1 - known * known);
}

static float correlation(const reading *r, const plane *t)
{
    const int n = t->w * t->h;
    double mean_t, dev_t, mean, dev, sum = 0;
    int m = 0;

    moments(&mean_t, &dev_t, t->v, r->kept, n);
    moments(&mean, &dev, r->v, r->kept, n);
    for (int i = 0; i < n; i++)
        if (r->kept[i]) {
            sum += ((double)t->v[i] - mean_t) * ((double)r->v[i] - mean);
            m++;
        }
    return dev_t < PLAIN || dev < PLAIN || m == 0 ? 0 : (float)(sum / (m * dev_t * dev));
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The correlation within a cell; -2 where there is too little of it, or it is plain. */
static float cell_correlation(const reading *r, const plane *t, int x0, int y0, int x1, int y1)
{
    double st = 0, sr = 0, stt = 0, srr = 0, str = 0;
    int n = 0;

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            const int at = y * t->w + x;
            const double a = (double)t->v[at], b = (double)r->v[at];

            if (!r->in[at])
                continue;
            st += a;
            sr += b;
            stt += a * a;
            srr += b * b;
            str += a * b;
            n++;
        }
    if (n < 2 * (x1 - x0) * (y1 - y0) / 3 || n == 0)
        return -2;
    const double vt = stt / n - st / n * (st / n), vr = srr / n - sr / n * (sr / n);
    if (fmax(vt, vr) < CELL_PLAIN * CELL_PLAIN)
        return -2;
    return (float)((str / n - st / n * (sr / n)) / sqrt(fmax(vt, 1e-4) * fmax(vr, 1e-4)));
}

/* How well they agree all over: of the cells that show something, the correlation that a third does
 * not reach, of which a caption takes a part. What is of one kind, on a plain ground, agrees in its
 * outline alone. */
static float all_over(const reading *r, const plane *t)
{
    float cells[N_CELLS * N_CELLS];
    int n = 0;

    for (int j = 0; j < N_CELLS; j++)
        for (int i = 0; i < N_CELLS; i++) {
            const float c = cell_correlation(r, t, i * t->w / N_CELLS, j * t->h / N_CELLS,
                                             (i + 1) * t->w / N_CELLS, (j + 1) * t->h / N_CELLS);
            if (c >= -1.5f)
                cells[n++] = c;
        }
    if (n == 0)
        return 0;
    qsort(cells, (size_t)n, sizeof *cells, by_value);
    return cells[n / 3];
}

/* Fit the map on pictures of one degree of detail. The last round only looks. */
static bool refine(fit *f, reading *r, const plane *t, const plane *other, int n_rounds)
{
    double dev_read;

    for (int round = 0;; round++) {
        read_under(r, other, &f->map, t->w, t->h);
        f->inside = (float)r->n_in / (float)(t->w * t->h);
        if (f->inside < MIN_SHOWN || r->n_in < MIN_PIXELS || !choose(r, &dev_read, t))
            return false;
        if (round == n_rounds)
            break;
        if (round == EARLY_ROUND && correlation(r, t) < MIN_EARLY)
            return false;
        if (!step(&f->map, r, dev_read, t->w, t->h) || !is_sane(&f->map))
            return false;
    }
    f->score = correlation(r, t);
    f->all_over = all_over(r, t);
    f->evidence = evidence(f->score, (1 - DROPPED) * (float)r->n_in);
    return true;
}

/* What lies around a place, and how much further: what is beyond is not to count in the means that
 * are taken away, as a frame would. */
static void cut(plane *out, int *left, int *top, const plane *in, double cx, double cy, int w,
                int h)
{
    const int x0 = (int)fmax(0, floor(cx - w / 2.0 - BESIDE));
    const int y0 = (int)fmax(0, floor(cy - h / 2.0 - BESIDE));
    const int x1 = (int)fmin(in->w, ceil(cx + w / 2.0 + BESIDE));
    const int y1 = (int)fmin(in->h, ceil(cy + h / 2.0 + BESIDE));

    out->w = x1 - x0;
    out->h = y1 - y0;
    for (int y = 0; y < out->h; y++)
        memcpy(out->v + y * out->w, in->v + (y0 + y) * in->w + x0, sizeof(float) * (size_t)out->w);
    *left = x0;
    *top = y0;
}

/* The same map between pictures of other sizes. */
static void rescale(affine *a, const plane *t, const plane *other, const plane *new_t,
                    const plane *new_other)
{
    const double tx = (double)t->w / new_t->w, ty = (double)t->h / new_t->h;
    const double ox = (double)new_other->w / other->w, oy = (double)new_other->h / other->h;

    a->m[0] *= ox * tx;
    a->m[1] *= ox * ty;
    a->m[2] *= ox;
    a->m[3] *= oy * tx;
    a->m[4] *= oy * ty;
    a->m[5] *= oy;
}

static bool make_exact(fit *f, reading *r, const place *p, double angle, const plane *drawn,
                       const plane *other)
{
    plane turned, t, half_t, seen, half_seen;
    const double up = (double)SIDE / COARSE, c = cos(angle), s = sin(angle);
    int left, top;

    orient(&turned, drawn, p->o);
    f->w = rounded(turned.w * p->size);
    f->h = rounded(turned.h * p->size);
    shrink(&t, &turned, f->w, f->h);
    cut(&seen, &left, &top, other, p->cx * up, p->cy * up, f->w, f->h);
    f->map = (affine){{c, -s, p->cx * up - left, s, c, p->cy * up - top}};
    even_out(&t, FINE_WIDE);
    even_out(&seen, FINE_WIDE);
    shrink(&half_t, &t, (t.w + 1) / 2, (t.h + 1) / 2);
    shrink(&half_seen, &seen, (seen.w + 1) / 2, (seen.h + 1) / 2);
    rescale(&f->map, &t, &seen, &half_t, &half_seen);
    if (!refine(f, r, &half_t, &half_seen, SOFT_ROUNDS) || f->score < MIN_SOFT)
        return false;
    rescale(&f->map, &half_t, &half_seen, &t, &seen);
    if (!refine(f, r, &t, &seen, SHARP_ROUNDS))
        return false;
    f->map.m[2] += left;
    f->map.m[5] += top;
    return true;
}

/* ------------------------------------------------------------------ the whole */

/* o as EXIF numbers it. */
static const int32_t exif_of[N_ORIENT] = {1, 6, 3, 8, 2, 7, 4, 5};
/* What takes orientation o back. Mirrored ones are their own opposites. */
static const int opposite[N_ORIENT] = {0, 3, 2, 1, 4, 5, 6, 7};

/* @param second  whether the drawn picture is the second one */
static void tell(dpl_overlay *out, const fit *f, int o, bool second, const dpl_sketch *drawn,
                 const dpl_sketch *other)
{
    const double *m = f->map.m, det = m[0] * m[4] - m[1] * m[3];
    const double area = fmin(1, (double)f->inside * det * f->w * f->h /
                                    ((double)other->width_px * other->height_px));
    const double angle = atan2(m[3] - m[1], m[0] + m[4]) * 180 / 3.14159265358979323846;
    /* Pixels of the other photo for one of the drawn one. */
    const bool flat = o % 2 == 0;
    const double per_drawn = (double)(flat ? drawn->full_width_px : drawn->full_height_px) / f->w;
    const double per_other = (double)other->full_width_px / other->width_px;
    const double scale = sqrt(det) * per_other / per_drawn;

    out->score = f->score;
    out->evidence = f->evidence;
    out->all_over = f->all_over;
    out->orientation = exif_of[second ? o : opposite[o]];
    /* The drawn picture lies turned by the angle in the other; a mirror image of it the other way.
     */
    out->angle_deg = (float)(second || o >= 4 ? -angle : angle);
    out->shown_a = second ? (float)area : f->inside;
    out->shown_b = second ? f->inside : (float)area;
    out->scale = (float)(second ? 1 / scale : scale);
}

/* The best places for the fine search, best first, of all orientations and both ways round. */
static int propose(place tried[N_TRIED], const plane planes[2], int wide)
{
    place places[2 * N_ORIENT];
    int n = 0;

    search(places, &planes[1], &planes[0], wide, true);
    search(places + N_ORIENT, &planes[0], &planes[1], wide, false);
    for (int i = 0; i < 2 * N_ORIENT; i++) {
        int at;

        places[i].second = i < N_ORIENT;
        if (places[i].score < (wide ? MIN_EVEN : MIN_COARSE) ||
            (n == N_TRIED && places[i].score <= tried[n - 1].score))
            continue;
        n += n < N_TRIED;
        for (at = n - 1; at > 0 && places[i].score > tried[at - 1].score; at--)
            tried[at] = tried[at - 1];
        tried[at] = places[i];
    }
    return n;
}

static void lay_over(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b)
{
    place tried[N_TRIED];
    plane planes[2];
    reading r;

    *out = (dpl_overlay){.orientation = 1};
    from_sketch(&planes[0], a);
    from_sketch(&planes[1], b);
    for (int wide = 0; wide <= COARSE_WIDE; wide += COARSE_WIDE) {
        const int n = propose(tried, planes, wide);

        /* All as they lie, then the best of them tilted. */
        for (int k = 0;
             k < n + 2 * N_TILTED && !(out->evidence >= SURE && out->all_over >= SURE_ALL); k++) {
            const place *p = &tried[k < n ? k : (k - n) / 2];
            const double angle = k < n ? 0 : (k - n) % 2 ? -TILT : TILT;
            fit f;

            if (p < tried + n &&
                make_exact(&f, &r, p, angle, &planes[p->second], &planes[!p->second]) &&
                f.evidence > out->evidence)
                tell(out, &f, p->o, p->second, p->second ? b : a, p->second ? a : b);
        }
    }
}

/* ------------------------------------------------------------------ frames */

/* What is looked at of a sketch: from its column and row on, up to others. */
typedef struct part {
    int x0, y0, x1, y1;
} part;

/* How deep the part is from a side (0 top, 1 bottom, 2 left, 3 right). */
static int depth(const part *p, int side)
{
    return side < 2 ? p->y1 - p->y0 : p->x1 - p->x0;
}

/* How often each tone is in the line that lies k within the part from a side, and of how many
 * pixels. */
static int count_tones(int count[256], const dpl_sketch *s, const part *p, int side, int k)
{
    const int along = side < 2 ? p->x1 - p->x0 : p->y1 - p->y0;

    memset(count, 0, 256 * sizeof *count);
    for (int i = 0; i < along; i++) {
        const int x = side < 2 ? p->x0 + i : side == 2 ? p->x0 + k : p->x1 - 1 - k;
        const int y = side >= 2 ? p->y0 + i : side == 0 ? p->y0 + k : p->y1 - 1 - k;

        count[s->grey[y * s->width_px + x]]++;
    }
    return along;
}

/* How many pixels have the tone, or nearly. */
static int of_tone(const int count[256], int tone)
{
    int n = 0;

    for (int v = tone > TONE ? tone - TONE : 0; v <= tone + TONE && v < 256; v++)
        n += count[v];
    return n;
}

/* How many lines from a side are a frame's: nine tenths of each of one tone, and where they end,
 * they end along a straight edge; the one in which the edge lies counts. What is there of sky, or
 * of a dark ground, ends otherwise. */
static int frame_at(const dpl_sketch *s, const part *p, int side)
{
    int count[256], tone = -1, k = 0, n;

    for (; k < depth(p, side); k++) {
        int middle = 0, upto = 0;

        n = count_tones(count, s, p, side, k);
        while (upto + count[middle] <= n / 2)
            upto += count[middle++];
        if (10 * of_tone(count, middle) < 9 * n)
            break;
        tone = middle;
    }
    if (k == 0 || k + 1 >= depth(p, side))
        return 0;
    n = count_tones(count, s, p, side, k + 1);
    return 2 * of_tone(count, tone) <= n ? k + 1 : 0;
}

/* Take a frame off, or one within the other, as around a print on a page. False where there is
 * none, or hardly anything in it. */
static bool take_frame_off(dpl_sketch *out, const dpl_sketch *s)
{
    part p = {0, 0, s->width_px, s->height_px};
    bool is_framed = false, again = true;

    while (again) {
        const int top = frame_at(s, &p, 0), bottom = frame_at(s, &p, 1);
        const int left = frame_at(s, &p, 2), right = frame_at(s, &p, 3);

        again = top || bottom || left || right;
        is_framed |= again;
        p = (part){p.x0 + left, p.y0 + top, p.x1 - right, p.y1 - bottom};
        if (p.x1 - p.x0 < WITHIN || p.y1 - p.y0 < WITHIN)
            return false;
    }
    *out = *s;
    out->width_px = p.x1 - p.x0;
    out->height_px = p.y1 - p.y0;
    for (int y = p.y0; y < p.y1; y++)
        memcpy(out->grey + (size_t)(y - p.y0) * (size_t)out->width_px,
               s->grey + (size_t)y * (size_t)s->width_px + p.x0, (size_t)out->width_px);
    return is_framed;
}

/* Two prints on the same page, two pictures from the same instant camera agree in their frames,
 * which says nothing: where both have one, what is within has to agree by itself. */
void dpli_overlay(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b)
{
    dpl_sketch within_a, within_b;
    dpl_overlay within;

    lay_over(out, a, b);
    if (out->evidence <= 0 || !take_frame_off(&within_a, a) || !take_frame_off(&within_b, b))
        return;
    lay_over(&within, &within_a, &within_b);
    out->score = fminf(out->score, within.score);
    out->evidence = fminf(out->evidence, within.evidence);
    out->all_over = fminf(out->all_over, within.all_over);
}
