/*
 * plot.c - curves as SVG inside a page, in the page's colours, so that they follow light and dark:
 * error rates of an evaluation, and what a training logs over its steps; each with its numbers as a
 * table behind it.
 *
 * A logarithmic axis ends at the decade below one pair out of all: what is 0 there lies on its end.
 */
#include "app/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Small, so that the letters stay readable when a telephone shrinks it. */
#define WIDTH  420.0
#define HEIGHT 320.0
#define LEFT   68.0
#define RIGHT  (WIDTH - 16.0)
#define TOP    12.0
#define BOTTOM (HEIGHT - 48.0)

/* One axis: from low to high, logarithmic when decades is above 0. */
typedef struct axis {
    double low, high;
    int decades; /* low is 10^-decades, high is 1 */
    const char *label;
    double first, step; /* linear: its ticks */
} axis;

static axis decades_of(int64_t n, const char *label)
{
    int decades = (int)ceil(log10((double)n) - 1e-9);

    decades = decades < 1 ? 1 : decades > 9 ? 9 : decades;
    return (axis){pow(10, -decades), 1, decades, label, 0, 0};
}

/* Where a rate lies on an axis, 0..1. */
static double share(const axis *a, double rate)
{
    const double v = fmin(a->high, fmax(a->low, rate));

    return a->decades > 0 ? 1 + log10(v) / a->decades : (v - a->low) / (a->high - a->low);
}

static double at_x(const axis *a, double rate)
{
    return LEFT + share(a, rate) * (RIGHT - LEFT);
}

static double at_y(const axis *a, double rate)
{
    return BOTTOM - share(a, rate) * (BOTTOM - TOP);
}

/* A linear axis, with ticks at round numbers: of 1, 2 or 5 times a power of ten, about five. */
static axis round_of(double low, double high, const char *label)
{
    const double base = pow(10, floor(log10((high - low) / 5))), x = (high - low) / 5 / base;
    const double step = base * (x < 1.5 ? 1 : x < 3.5 ? 2 : x < 7.5 ? 5 : 10);

    return (axis){low, high, 0, label, ceil(low / step - 1e-9) * step, step};
}

static int n_ticks(const axis *a)
{
    return a->decades > 0 ? a->decades : (int)floor((a->high - a->first) / a->step + 1e-9);
}

static double tick(const axis *a, int i)
{
    const double v = a->first + a->step * i;

    return a->decades > 0 ? pow(10, i - a->decades) : fabs(v) < a->step / 2 ? 0 : v;
}

static void put_grid(FILE *f, const axis *x, const axis *y)
{
    for (int i = 0; i <= n_ticks(x); i++) {
        const double v = tick(x, i), at = at_x(x, v);
        fprintf(f,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
                at, TOP, at, BOTTOM, at, BOTTOM + 18, v);
    }
    for (int i = 0; i <= n_ticks(y); i++) {
        const double v = tick(y, i), at = at_y(y, v);
        fprintf(f,
                "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
                LEFT, at, RIGHT, at, LEFT - 8, at + 4, v);
    }
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", (LEFT + RIGHT) / 2,
            HEIGHT - 10, x->label);
    fprintf(f,
            "<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            (TOP + BOTTOM) / 2, y->label);
}

static double height_of(const dpl_roc_point *p, bool true_accepts)
{
    return true_accepts ? 1 - p->fnmr : p->fnmr;
}

/* The curve as steps from point to point, those that move it by less than half a pixel left out.
 */
static void put_curve(FILE *f, const dpl_metrics *m, const axis *x, const axis *y,
                      bool true_accepts)
{
    double last_x = 0, last_y = 0;

    fputs("<path class=\"curve\" d=\"", f);
    for (size_t i = 0; i < m->n_roc; i++) {
        const double px = at_x(x, m->roc[i].fmr);
        const double py = at_y(y, height_of(&m->roc[i], true_accepts));
        if (i > 0 && i + 1 < m->n_roc && fabs(px - last_x) < 0.5 && fabs(py - last_y) < 0.5)
            continue;
        if (i == 0)
            fprintf(f, "M%.1f %.1f", px, py);
        else
            fprintf(f, "H%.1fV%.1f", px, py);
        last_x = px;
        last_y = py;
    }
    fputs("\"/>\n", f);
}

/* The rates of the table, with their intervals. */
static void put_rates(FILE *f, const dpl_metrics *m, const axis *x, const axis *y,
                      bool true_accepts)
{
    for (int i = 0; i < DPL_N_TAR; i++) {
        const dpl_tar *t = &m->tar[i];
        const double px = at_x(x, t->far);
        const double a = true_accepts ? t->tar.low : 1 - t->tar.low;
        const double b = true_accepts ? t->tar.high : 1 - t->tar.high;
        if (t->far < x->low)
            continue;
        fprintf(f,
                "<line class=\"bar\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n",
                px, at_y(y, a), px, at_y(y, b), px,
                at_y(y, true_accepts ? t->tar.rate : 1 - t->tar.rate));
    }
}

static void begin(FILE *f, const axis *x, const axis *y, const char *said)
{
    fprintf(
        f,
        "<figure class=\"plot\"><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
        WIDTH, HEIGHT, said);
    put_grid(f, x, y);
}

/* The curve at the decades of false matches, and at the points with intervals. */
static void put_roc_table(FILE *f, const dpl_metrics *m, bool true_accepts)
{
    fprintf(f,
            "<details><summary>the numbers</summary><table><tr><th class=\"num\">false match "
            "rate</th><th class=\"num\">%s</th><th class=\"num\">95 %%</th></tr>\n",
            true_accepts ? "true match rate" : "false non-match rate");
    for (int i = 0; i < DPL_N_TAR; i++) {
        const dpl_tar *t = &m->tar[i];
        fprintf(f,
                "<tr><td class=\"num\">%g</td><td class=\"num\">%.4f</td>"
                "<td class=\"num\">%.4f–%.4f</td></tr>\n",
                t->far, true_accepts ? t->tar.rate : 1 - t->tar.rate,
                true_accepts ? t->tar.low : 1 - t->tar.high,
                true_accepts ? t->tar.high : 1 - t->tar.low);
    }
    fprintf(f,
            "<tr><td class=\"num\">%.4f</td><td class=\"num\">%.4f</td><td class=\"num\">equal "
            "errors</td></tr></table></details>\n",
            m->eer, true_accepts ? 1 - m->eer : m->eer);
}

static void put_plot(const html *page, const dpl_metrics *m, const axis *x, const axis *y,
                     bool true_accepts, const char *said)
{
    begin(page->f, x, y, said);
    put_curve(page->f, m, x, y, true_accepts);
    put_rates(page->f, m, x, y, true_accepts);
    fprintf(page->f, "</svg><figcaption>%s; bars: 95 %% intervals</figcaption>\n", said);
    put_roc_table(page->f, m, true_accepts);
    fputs("</figure>\n", page->f);
}

void plot_roc(const html *page, const dpl_metrics *metrics)
{
    const axis x = decades_of(metrics->n_impostor, "false match rate");
    axis y = {0, 1, 0, "true match rate", 0, 0};

    /* A good encoder's curve would be a line along the top. */
    for (int i = 0; i < DPL_N_TAR; i++)
        if (metrics->tar[i].far >= x.low)
            y.low = fmax(0, floor(fmin(metrics->tar[i].tar.low, 0.9) * 10) / 10);
    y.first = y.low;
    y.step = (y.high - y.low) / 5;
    put_plot(page, metrics, &x, &y, true, "ROC: true matches over false matches");
}

void plot_det(const html *page, const dpl_metrics *metrics)
{
    const axis x = decades_of(metrics->n_impostor, "false match rate");
    const axis y = decades_of(metrics->n_genuine, "false non-match rate");

    put_plot(page, metrics, &x, &y, false, "DET: false non-matches over false matches");
}

/* ------------------------------------------------------------------ lines over steps */

/* The colours of the lines, in light and in dark, and dashes for who sees none. */
static const char series_style[] =
    "<style>.s0{--s:#17703a}.s1{--s:#1f5fbf;stroke-dasharray:7 3}"
    ".s2{--s:#8a5a00;stroke-dasharray:2 3}.s3{--s:#7a3fb0;stroke-dasharray:9 3 2 3}"
    "@media(prefers-color-scheme:dark){.s0{--s:#6fd693}.s1{--s:#7fb2ff}.s2{--s:#f0c05a}"
    ".s3{--s:#c9a2f2}}polyline,.key line{fill:none;stroke:var(--s);stroke-width:2}"
    ".key{width:28px!important;height:8px!important;display:inline!important;"
    "vertical-align:middle}</style>\n";

enum { N_ROWS = 12 }; /* of a table: enough to read the curve's course */

/* Where the curves stand at some of the steps of the longest. */
static void put_curves_table(FILE *f, const char *x_label, const plot_curve *curves, int n)
{
    const plot_curve *longest = &curves[0];

    for (int s = 1; s < n; s++)
        if (curves[s].n > longest->n)
            longest = &curves[s];
    fprintf(f,
            "<details><summary>the numbers</summary><div class=\"scroll\"><table><tr>"
            "<th class=\"num\">%s</th>",
            x_label);
    for (int s = 0; s < n; s++)
        fprintf(f, "<th class=\"num\">%s</th>", curves[s].name);
    fputs("</tr>\n", f);
    for (size_t r = 0; r < N_ROWS && r < longest->n; r++) {
        const size_t rows = longest->n < N_ROWS ? longest->n : N_ROWS;
        const size_t i = rows > 1 ? r * (longest->n - 1) / (rows - 1) : 0;
        fprintf(f, "<tr><td class=\"num\">%.6g</td>", longest->x[i]);
        for (int s = 0; s < n; s++) {
            size_t j = 0; /* the last point that is no further */
            while (j + 1 < curves[s].n && curves[s].x[j + 1] <= longest->x[i])
                j++;
            if (curves[s].n > 0 && curves[s].x[j] <= longest->x[i])
                fprintf(f, "<td class=\"num\">%.4g</td>", curves[s].y[j]);
            else
                fputs("<td></td>", f);
        }
        fputs("</tr>\n", f);
    }
    fputs("</table></div></details>\n", f);
}

void plot_curves(const html *page, const char *said, const char *x_label, const char *y_label,
                 double x_end, const plot_curve *curves, int n)
{
    const axis x = round_of(0, x_end, x_label);
    double low = INFINITY, high = -INFINITY;

    for (int s = 0; s < n; s++)
        for (size_t i = 0; i < curves[s].n; i++) {
            low = fmin(low, curves[s].y[i]);
            high = fmax(high, curves[s].y[i]);
        }
    if (!(low <= high))
        return;
    if (high - low < 1e-12 * fmax(1, fabs(high))) { /* a flat line in the middle */
        const double room = fabs(high) > 0 ? fabs(high) / 2 : 1;
        low -= room;
        high += room;
    }
    axis y = round_of(low, high, y_label);
    y.low = y.first = floor(low / y.step + 1e-9) * y.step;
    y.high = ceil(high / y.step - 1e-9) * y.step;
    begin(page->f, &x, &y, said);
    fputs(series_style, page->f);
    for (int s = 0; s < n; s++) {
        fprintf(page->f, "<polyline class=\"s%d\" points=\"", s);
        for (size_t i = 0; i < curves[s].n; i++)
            fprintf(page->f, "%.1f,%.1f ", at_x(&x, curves[s].x[i]), at_y(&y, curves[s].y[i]));
        fputs("\"/>\n", page->f);
    }
    fprintf(page->f, "</svg><figcaption>%s, at the end:", said);
    for (int s = 0; s < n; s++)
        if (curves[s].n > 0)
            fprintf(page->f,
                    " <span style=\"white-space:nowrap\"><svg class=\"key\" viewBox=\"0 0 28 8\">"
                    "<line class=\"s%d\" x1=\"0\" y1=\"4\" x2=\"28\" y2=\"4\"/></svg> %s "
                    "%.4g</span>",
                    s, curves[s].name, curves[s].y[curves[s].n - 1]);
    fputs("</figcaption>\n", page->f);
    put_curves_table(page->f, x_label, curves, n);
    fputs("</figure>\n", page->f);
}
