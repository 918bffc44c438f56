/*
 * plot_scores.c - how strangers and photos of the same person score, with one comparison's place
 * among them, as SVG inside a page.
 *
 * A calibration holds, at some scores, how often strangers score so high and the same person so
 * low. Both are carried to the normal's scale (the inverse of its distribution function), where
 * they are nearly straight; a monotone cubic through them (Fritsch and Carlson 1980) has a slope
 * everywhere, and the slope times the normal's density is the distribution's own density. Beyond
 * the table it goes on as a straight line: that part is drawn with dots, as nobody has measured it.
 *
 * The two are told apart without colour: hatched with a dashed outline, and plain with a solid one.
 */
#include <math.h>
#include <stdbool.h>

#include "app/plot.h"

#define WIDTH  420.0
#define HEIGHT 200.0
#define LEFT   10.0
#define RIGHT  (WIDTH - 10.0)
#define TOP    40.0
#define BOTTOM (HEIGHT - 46.0)

/* Fewer knots than a table has points, as its points waver and its course between them is made of
   pieces. */
enum { N_KNOTS = 10, N_STEPS = 160, N_ROWS = 7 };

/* A distribution's curve on the normal's scale. */
typedef struct shape {
    double x[N_KNOTS], z[N_KNOTS], slope[N_KNOTS];
    double peak, mode; /* of its density, over what is drawn, and where */
} shape;

typedef struct frame {
    double x0, x1;    /* what is drawn */
    double low, high; /* what was measured */
} frame;

/* ------------------------------------------------------------------ densities */

/* The inverse of the normal's distribution function: Newton's method from Tukey's approximation. */
static double probit(double p)
{
    double z = 4.91 * (pow(p, 0.14) - pow(1 - p, 0.14));

    for (int i = 0; i < 20; i++)
        z -= (0.5 * erfc(-z * M_SQRT1_2) - p) / fmax(1e-300, exp(-z * z / 2) / sqrt(2 * M_PI));
    return z;
}

/* Slopes that let the cubic between two knots rise only. */
static void find_slopes(shape *s)
{
    double secant[N_KNOTS - 1];

    for (int i = 0; i + 1 < N_KNOTS; i++)
        secant[i] = fmax(0, (s->z[i + 1] - s->z[i]) / (s->x[i + 1] - s->x[i]));
    s->slope[0] = secant[0];
    s->slope[N_KNOTS - 1] = secant[N_KNOTS - 2];
    for (int i = 1; i + 1 < N_KNOTS; i++)
        s->slope[i] =
            secant[i - 1] > 0 && secant[i] > 0 ? 2 / (1 / secant[i - 1] + 1 / secant[i]) : 0;
}

static double density(const shape *s, double x)
{
    const int last = N_KNOTS - 1;
    double z, slope;

    if (x <= s->x[0] || x >= s->x[last]) {
        const int end = x <= s->x[0] ? 0 : last;
        slope = s->slope[end];
        z = s->z[end] + slope * (x - s->x[end]);
    } else {
        const double h = s->x[1] - s->x[0];
        const int i = (int)fmin(last - 1, (x - s->x[0]) / h);
        const double t = (x - s->x[i]) / h, u = 1 - t;
        z = u * u * (1 + 2 * t) * s->z[i] + t * t * (3 - 2 * t) * s->z[i + 1] +
            h * t * u * (u * s->slope[i] - t * s->slope[i + 1]);
        slope = 6 * t * u * (s->z[i + 1] - s->z[i]) / h + u * (1 - 3 * t) * s->slope[i] +
                t * (3 * t - 2) * s->slope[i + 1];
    }
    return fmax(0, slope) * exp(-z * z / 2);
}

/* The ends of the table of the same person, which are where it stops changing: it may go further
 * than that of strangers. */
static void find_ends(double *low, double *high, const dpl_calibration *c)
{
    const double step = (*high - *low) / 16;

    for (int i = 0; i < 64; i++) {
        const double to = *high + step;
        if (!(dpl_calibration_fnmr(c, (float)to) > dpl_calibration_fnmr(c, (float)*high)))
            break;
        *high = to;
    }
    for (int i = 0; i < 64; i++) {
        const double to = *low - step;
        if (!(dpl_calibration_fnmr(c, (float)to) < dpl_calibration_fnmr(c, (float)*low)))
            break;
        *low = to;
    }
}

/* false when the calibration says nothing of it. */
static bool read_shape(shape *s, const dpl_calibration *c, const frame *f, bool same)
{
    double low = f->low, high = f->high;

    if (same)
        find_ends(&low, &high, c);
    for (int i = 0; i < N_KNOTS; i++) {
        const float x = (float)(i + 1 < N_KNOTS ? low + (high - low) * i / (N_KNOTS - 1) : high);
        const double p = same ? dpl_calibration_fnmr(c, x) : 1 - dpl_calibration_fmr(c, x).rate;
        if (!isfinite(p))
            return false;
        s->x[i] = (double)x;
        s->z[i] = probit(fmin(1 - 1e-12, fmax(1e-12, p)));
    }
    find_slopes(s);
    return true;
}

/* ------------------------------------------------------------------ what is drawn */

/* Where all but a hundredth of a distribution lies, as far as its ends tell. */
static void widen(frame *f, const shape *s)
{
    const double z = 2.3;

    for (int i = 0; i < N_KNOTS; i++)
        if (fabs(s->z[i]) < z) {
            f->x0 = fmin(f->x0, s->x[i]);
            f->x1 = fmax(f->x1, s->x[i + 1 < N_KNOTS ? i + 1 : i]);
        }
    if (s->slope[0] > 0 && s->z[0] > -z)
        f->x0 = fmin(f->x0, s->x[0] - (s->z[0] + z) / s->slope[0]);
    if (s->slope[N_KNOTS - 1] > 0 && s->z[N_KNOTS - 1] < z)
        f->x1 = fmax(f->x1, s->x[N_KNOTS - 1] + (z - s->z[N_KNOTS - 1]) / s->slope[N_KNOTS - 1]);
}

/* What a score can be, and evidence. */
static void clip(frame *f, const plot_place *p)
{
    const dpl_head_kind kind = dpl_head_get_kind(p->head);
    const double span = f->high - f->low;

    f->x0 = fmax(f->x0, f->low - 2 * span);
    f->x1 = fmin(f->x1, f->high + 2 * span);
    if (isfinite(p->at)) {
        f->x0 = fmin(f->x0, (double)p->at - 0.03 * span);
        f->x1 = fmax(f->x1, (double)p->at + 0.03 * span);
    }
    if (dpl_calibration_has_cohort(p->calibration)) {
        f->x0 = fmax(f->x0, fmin(0, isfinite(p->at) ? (double)p->at : 0));
    } else if (kind == DPL_HEAD_COSINE) {
        f->x0 = fmax(f->x0, -1);
        f->x1 = fmin(f->x1, 1);
    } else if (kind == DPL_HEAD_EUCLIDEAN) {
        f->x1 = fmin(f->x1, 0);
    } else {
        f->x0 = fmax(f->x0, 0);
        f->x1 = fmin(f->x1, 1);
    }
}

static double at_x(const frame *f, double x)
{
    return LEFT + (fmin(f->x1, fmax(f->x0, x)) - f->x0) / (f->x1 - f->x0) * (RIGHT - LEFT);
}

static void find_peak(shape *s, const frame *f)
{
    s->peak = 0;
    s->mode = f->low;
    for (int i = 0; i <= N_STEPS; i++) {
        const double x = f->x0 + (f->x1 - f->x0) * i / N_STEPS, d = density(s, x);
        if (d > s->peak) {
            s->peak = d;
            s->mode = x;
        }
    }
}

/* ------------------------------------------------------------------ drawing */

static void put_outline(FILE *out, const frame *f, const shape *s, double from, double to,
                        const char *class_name, bool filled)
{
    fprintf(out, "<path class=\"%s\" d=\"", class_name);
    for (int i = 0; i <= N_STEPS; i++) {
        const double x = from + (to - from) * i / N_STEPS;
        const double y = BOTTOM - density(s, x) / s->peak * (BOTTOM - TOP - 18);
        if (i == 0 && filled)
            fprintf(out, "M%.1f %.1fL", at_x(f, x), BOTTOM);
        fprintf(out, i == 0 && !filled ? "M%.1f %.1fL" : "%.1f %.1f ", at_x(f, x), y);
    }
    if (filled)
        fprintf(out, "%.1f %.1fZ", at_x(f, to), BOTTOM);
    fputs("\"/>\n", out);
}

static void put_label(FILE *out, const frame *f, const shape *s, const char *label)
{
    if (s->peak > 0)
        fprintf(out,
                "<text class=\"halo\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                fmin(RIGHT - 42, fmax(LEFT + 34, at_x(f, s->mode))), TOP + 12, label);
}

static void put_shape(FILE *out, const frame *f, shape *s, const char *name)
{
    find_peak(s, f);
    if (!(s->peak > 0))
        return;
    const double low = fmax(f->x0, s->x[0]), high = fmin(f->x1, s->x[N_KNOTS - 1]);
    char fill[16], line[16];
    snprintf(fill, sizeof fill, "%s-fill", name);
    snprintf(line, sizeof line, "%s-line", name);
    put_outline(out, f, s, low, high, fill, true);
    put_outline(out, f, s, low, high, line, false);
    if (f->x0 < low)
        put_outline(out, f, s, f->x0, low, "guess", false);
    if (f->x1 > high)
        put_outline(out, f, s, high, f->x1, "guess", false);
}

static void put_ticks(FILE *out, const frame *f)
{
    const double base = pow(10, floor(log10((f->x1 - f->x0) / 5))), x = (f->x1 - f->x0) / 5 / base;
    const double step = base * (x < 1.5 ? 1 : x < 3.5 ? 2 : x < 7.5 ? 5 : 10);
    const double first = ceil(f->x0 / step);

    fprintf(out, "<line class=\"bar\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
            BOTTOM, RIGHT, BOTTOM);
    for (int i = 0; i <= 20; i++) {
        const double v = (first + i) * step;

        if (v > f->x1 + step * 1e-9)
            break;
        fprintf(out,
                "<line class=\"bar\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n",
                at_x(f, v), BOTTOM, at_x(f, v), BOTTOM + 4, at_x(f, v), BOTTOM + 17,
                fabs(v) < step / 2 ? 0 : v);
    }
}

/* A mark with words that stay within the picture. */
static void put_mark(FILE *out, const frame *f, double x, double top, double y,
                     const char *class_name, const char *words)
{
    const double at = at_x(f, x);
    const char *anchor = at < WIDTH / 4 ? "start" : at > WIDTH * 3 / 4 ? "end" : "middle";

    fprintf(out,
            "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"halo %s-words\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
            class_name, at, top, at, BOTTOM, class_name, at, y, anchor, words);
}

static void put_marks(FILE *out, const frame *f, const plot_place *p)
{
    const double at = (double)p->at, threshold = (double)p->threshold, reject = (double)p->reject;
    char words[64];

    if (isfinite(threshold) && reject < threshold && at_x(f, threshold) - at_x(f, reject) > 1)
        fprintf(out,
                "<rect class=\"zone\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                at_x(f, reject), TOP, at_x(f, threshold) - at_x(f, reject), BOTTOM - TOP);
    if (isfinite(threshold)) {
        snprintf(words, sizeof words, "match from %.3f on", threshold);
        put_mark(out, f, threshold, TOP, BOTTOM + 36, "limit", words);
    }
    if (isfinite(at)) {
        snprintf(words, sizeof words, "this pair: %.3f", at);
        put_mark(out, f, at, 24, 16, "here", words);
        fprintf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", at_x(f, at),
                BOTTOM);
    }
}

static const char style[] =
    "<style>.strangers-fill{fill:url(#hatch);stroke:none}"
    ".strangers-line{fill:none;stroke:var(--ink);stroke-width:1.6;stroke-dasharray:6 3}"
    ".same-fill{fill:var(--ink);fill-opacity:.13;stroke:none}"
    ".same-line{fill:none;stroke:var(--ink);stroke-width:1.8}"
    ".guess{fill:none;stroke:var(--soft);stroke-width:1.4;stroke-dasharray:1 4;"
    "stroke-linecap:round}.zone{fill:var(--warn);fill-opacity:.25}"
    ".limit{stroke:var(--ink);stroke-width:1.4;stroke-dasharray:2 2}"
    ".here{stroke:var(--ink);stroke-width:2.6}.here-words{font-weight:700}</style>\n"
    "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" "
    "stroke=\"var(--soft)\" stroke-width=\"1.6\"/></pattern></defs>\n";

/* ------------------------------------------------------------------ the numbers */

static void put_row(FILE *out, const dpl_calibration *c, double x, const char *words)
{
    const double same = dpl_calibration_fnmr(c, (float)x);
    const dpl_rate strangers = dpl_calibration_fmr(c, (float)x);

    fprintf(out, "<tr><td class=\"num\">%.3f%s</td><td class=\"num\">%s%.3g %%</td>", x, words,
            strangers.beyond && strangers.rate < 1 ? "&lt; " : "", 100 * strangers.rate);
    if (isfinite(same))
        fprintf(out, "<td class=\"num\">%.3g %%</td>", 100 * same);
    fputs("</tr>\n", out);
}

static void put_table(FILE *out, const frame *f, const plot_place *p, const char *what)
{
    const double marks[] = {(double)p->threshold, (double)p->at};
    static const char *const words[] = {" (match from here)", " (this pair)"};
    bool told[2] = {!isfinite(marks[0]), !isfinite(marks[1])};

    fprintf(out,
            "<details><summary>the numbers</summary><table><tr><th class=\"num\">%s</th>"
            "<th class=\"num\">strangers so high</th>%s</tr>\n",
            what,
            dpl_calibration_genuine_pairs(p->calibration)
                ? "<th class=\"num\">same person so low</th>"
                : "");
    for (int i = 0; i <= N_ROWS; i++) {
        const double x = i < N_ROWS ? f->low + (f->high - f->low) * i / (N_ROWS - 1) : INFINITY;
        for (;;) { /* the marks before this row, lower first */
            int next = -1;
            for (int m = 0; m < 2; m++)
                if (!told[m] && marks[m] <= x && (next < 0 || marks[m] < marks[next]))
                    next = m;
            if (next < 0)
                break;
            put_row(out, p->calibration, marks[next], words[next]);
            told[next] = true;
        }
        if (i < N_ROWS)
            put_row(out, p->calibration, x, "");
    }
    fputs("</table></details>\n", out);
}

void plot_scores(const html *page, const plot_place *p)
{
    shape strangers, same;
    frame f;
    float low, high;
    bool has_same;
    FILE *out = page->f;

    if (!p->calibration)
        return;
    dpl_calibration_ends(&low, &high, p->calibration);
    if (!(low < high))
        return;
    f = (frame){(double)low, (double)high, (double)low, (double)high};
    if (!read_shape(&strangers, p->calibration, &f, false))
        return;
    has_same = read_shape(&same, p->calibration, &f, true);
    const char *what = dpl_calibration_has_cohort(p->calibration) ? "evidence" : "score";
    widen(&f, &strangers);
    if (has_same)
        widen(&f, &same);
    clip(&f, p);
    fprintf(out,
            "<figure class=\"plot\"><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"How "
            "strangers "
            "and the same person score; this pair has %s %.3g\">\n%s",
            WIDTH, HEIGHT, what, (double)p->at, style);
    put_shape(out, &f, &strangers, "strangers");
    if (has_same)
        put_shape(out, &f, &same, "same");
    put_ticks(out, &f);
    put_marks(out, &f, p);
    put_label(out, &f, &strangers, "strangers");
    if (has_same)
        put_label(out, &f, &same, "same person");
    fprintf(out,
            "</svg><figcaption>%s of pairs of strangers (hatched)%s, as the calibration has them, "
            "each to its own height; dotted: beyond what was measured</figcaption>\n",
            what[0] == 'e' ? "Evidence" : "Score",
            has_same ? " and of the same person (plain)" : "");
    put_table(out, &f, p, what);
    fputs("</figure>\n", out);
}
