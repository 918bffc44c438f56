/*
 * report.c - a run's curves as one page, everything inside: loss, validation, rate over the steps.
 *
 * Drawn from log.jsonl, which a resumed run goes on with, so the page is always of the whole run.
 */
#include "train/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "train/run.h"

#define MAX_LOG_BYTES ((size_t)1 << 30)
#define MAX_POINTS    500 /* of a curve: more than its pixels; the rest is averaged */

enum { WIDTH = 860, HEIGHT = 240, LEFT = 64, RIGHT = 16, TOP = 12, BOTTOM = 34 };

typedef struct curve {
    size_t n, cap;
    double *steps, *values;
} curve;

static dpl_status curve_add(curve *c, double step, double value, dpl_error *err)
{
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 256;
        double *steps = dpli_realloc(c->steps, cap, sizeof *steps, err);
        if (!steps)
            return DPL_E_MEMORY;
        c->steps = steps;
        double *values = dpli_realloc(c->values, cap, sizeof *values, err);
        if (!values)
            return DPL_E_MEMORY;
        c->values = values;
        c->cap = cap;
    }
    c->steps[c->n] = step;
    c->values[c->n++] = value;
    return DPL_OK;
}

static void curve_clear(curve *c)
{
    free(c->steps);
    free(c->values);
}

/** Neighbours to their mean, until there are few enough to draw. */
static void curve_thin(curve *c)
{
    const size_t k = (c->n + MAX_POINTS - 1) / MAX_POINTS;
    size_t out = 0;

    for (size_t i = 0; k > 1 && i < c->n; i += k, out++) {
        const size_t m = c->n - i < k ? c->n - i : k;
        double step = 0, value = 0;
        for (size_t j = i; j < i + m; j++) {
            step += c->steps[j] / (double)m;
            value += c->values[j] / (double)m;
        }
        c->steps[out] = step;
        c->values[out] = value;
    }
    c->n = k > 1 ? out : c->n;
}

/* ------------------------------------------------------------------ drawing */

typedef struct series {
    const char *key, *name, *color;
} series;

typedef struct chart {
    const char *title, *group; /* group: the object in a line that has the keys, or NULL */
    series series[4];
} chart;

static const chart charts[] = {
    {"Loss", NULL, {{"loss", "loss", "#1f6feb"}}},
    {"Validation",
     "validation",
     {{"oneshot", "one-shot accuracy", "#1a7f37"},
      {"auc", "area under the curve", "#1f6feb"},
      {"accuracy", "accuracy of pairs", "#9a6700"},
      {"tar", "true accepts at 1 % false", "#8250df"}}},
    {"Learning rate", NULL, {{"rate", "rate", "#57606a"}}},
    {"Length of the gradient", NULL, {{"grad-norm", "length", "#cf222e"}}},
};
#define N_CHARTS (sizeof charts / sizeof charts[0])
#define N_SERIES 4

/** A round number of 1, 2 or 5 times a power of ten, of which about five fit the range. */
static double tick_of(double range)
{
    const double base = pow(10, floor(log10(range / 5))), x = range / 5 / base;

    return base * (x < 1.5 ? 1 : x < 3.5 ? 2 : x < 7.5 ? 5 : 10);
}

static void draw_axes(dpli_buf *b, double low, double high, double last)
{
    const double dy = tick_of(high - low), dx = tick_of(last);

    for (double v = ceil(low / dy) * dy; v <= high + dy * 1e-9; v += dy) {
        const double y = TOP + (high - v) / (high - low) * (HEIGHT - TOP - BOTTOM);
        dpli_buf_printf(b,
                        "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#d0d7de'/><text x='%d' "
                        "y='%.1f' text-anchor='end'>%.4g</text>",
                        LEFT, y, WIDTH - RIGHT, y, LEFT - 6, y + 4, fabs(v) < dy / 2 ? 0 : v);
    }
    for (double v = 0; v <= last * (1 + 1e-9); v += dx)
        dpli_buf_printf(b, "<text x='%.1f' y='%d' text-anchor='middle'>%.6g</text>",
                        LEFT + v / last * (WIDTH - LEFT - RIGHT), HEIGHT - 12, v);
}

static void draw(dpli_buf *b, const chart *c, curve *curves, double last)
{
    double low = INFINITY, high = -INFINITY;

    for (int s = 0; s < N_SERIES; s++)
        for (size_t i = 0; i < curves[s].n; i++) {
            low = fmin(low, curves[s].values[i]);
            high = fmax(high, curves[s].values[i]);
        }
    if (!(low <= high))
        return;
    if (high - low < 1e-12 * fmax(1, fabs(high))) { /* a flat line in the middle */
        const double room = fabs(high) > 0 ? fabs(high) / 2 : 1;
        low -= room;
        high += room;
    }
    dpli_buf_printf(b,
                    "<section><h2>%s</h2><svg viewBox='0 0 %d %d' role='img' aria-label='%s "
                    "over steps'>",
                    c->title, WIDTH, HEIGHT, c->title);
    draw_axes(b, low, high, last);
    for (int s = 0; s < N_SERIES && c->series[s].key; s++) {
        dpli_buf_printf(b, "<polyline fill='none' stroke='%s' stroke-width='1.6' points='",
                        c->series[s].color);
        for (size_t i = 0; i < curves[s].n; i++)
            dpli_buf_printf(
                b, "%.1f,%.1f ", LEFT + curves[s].steps[i] / last * (WIDTH - LEFT - RIGHT),
                TOP + (high - curves[s].values[i]) / (high - low) * (HEIGHT - TOP - BOTTOM));
        dpli_buf_str(b, "'/>");
    }
    dpli_buf_str(b, "</svg><p>");
    for (int s = 0; s < N_SERIES && c->series[s].key; s++)
        if (curves[s].n)
            dpli_buf_printf(b, "<span style='color:%s'>&#9632;</span> %s (last %.4g) ",
                            c->series[s].color, c->series[s].name,
                            curves[s].values[curves[s].n - 1]);
    dpli_buf_str(b, "</p></section>\n");
}

/* ------------------------------------------------------------------ page */

static void put_escaped(dpli_buf *b, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': dpli_buf_str(b, "&amp;"); break;
        case '<': dpli_buf_str(b, "&lt;"); break;
        case '>': dpli_buf_str(b, "&gt;"); break;
        default: dpli_buf_add(b, text, 1);
        }
}

/** Numbers of a line of the log to the curves that show them. */
static dpl_status take_line(curve curves[N_CHARTS][N_SERIES], const json_t *line, double *last,
                            dpl_error *err)
{
    const double step = json_number_value(json_object_get(line, "step"));
    dpl_status status = DPL_OK;

    *last = fmax(*last, step);
    for (size_t c = 0; c < N_CHARTS; c++) {
        const json_t *group = charts[c].group ? json_object_get(line, charts[c].group) : line;
        for (int s = 0; s < N_SERIES && charts[c].series[s].key && status == DPL_OK; s++) {
            const json_t *v = json_object_get(group, charts[c].series[s].key);
            if (json_is_number(v))
                status = curve_add(&curves[c][s], step, json_number_value(v), err);
        }
    }
    return status;
}

static dpl_status read_log(curve curves[N_CHARTS][N_SERIES], const char *path, double *last,
                           dpl_error *err)
{
    uint8_t *text = NULL;
    size_t n = 0;
    dpl_status status = DPL_OK;

    if (access(path, F_OK) != 0)
        return DPL_OK;
    status = dpli_file_read(&text, &n, path, MAX_LOG_BYTES, err);
    for (size_t at = 0; status == DPL_OK && at < n;) {
        const uint8_t *end = memchr(text + at, '\n', n - at);
        const size_t len = end ? (size_t)(end - (text + at)) : n - at;
        json_t *line = json_loadb((const char *)text + at, len, 0, NULL);
        if (line)
            status = take_line(curves, line, last, err);
        json_decref(line);
        at += len + 1;
    }
    free(text);
    return status;
}

dpl_status dpli_report_write(const dpli_trainer *t, dpl_error *err)
{
    curve curves[N_CHARTS][N_SERIES] = {0};
    char *log = dpli_run_path(t, "log.jsonl", err);
    char *page = log ? dpli_run_path(t, "report.html", err) : NULL, *config = NULL;
    dpli_buf b = {0};
    double last = 1;
    dpl_status status = page ? read_log(curves, log, &last, err) : DPL_E_MEMORY;

    if (status == DPL_OK)
        status = dpli_settings_text(&config, &t->settings, err);
    if (status != DPL_OK)
        goto done;
    dpli_buf_str(&b,
                 "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
                 "content='width=device-width'><title>Training</title><style>body{font:15px/1.5 "
                 "system-ui,sans-serif;max-width:880px;margin:2em auto;padding:0 1em;"
                 "color:#1f2328}svg{width:100%;height:auto}text{font:11px system-ui;"
                 "fill:#57606a}h2{font-size:1.1em;margin:1.2em 0 .2em}p{margin:.2em 0;"
                 "color:#57606a}pre{background:#f6f8fa;padding:1em;overflow:auto}</style>\n"
                 "<h1>Training ");
    put_escaped(&b, t->plan.arch);
    dpli_buf_printf(&b, "</h1><p>loss %s, step %lld of %lld, epoch %.2f", t->plan.loss,
                    (long long)t->step, (long long)t->plan.n_steps,
                    (double)t->step / (double)t->plan.epoch_steps);
    if (isfinite(t->best))
        dpli_buf_printf(&b, "; best %s %.4f at step %lld", t->plan.best, t->best,
                        (long long)t->best_step);
    dpli_buf_str(&b, "</p>\n");
    for (size_t c = 0; c < N_CHARTS; c++) {
        for (int s = 0; s < N_SERIES; s++)
            curve_thin(&curves[c][s]);
        draw(&b, &charts[c], curves[c], last);
    }
    dpli_buf_str(&b, "<details><summary>Settings</summary><pre>");
    put_escaped(&b, config);
    dpli_buf_str(&b, "</pre></details></html>\n");
    status = dpli_buf_check(&b, err);
    if (status == DPL_OK)
        status = dpli_file_replace(page, b.data, b.len, err);
done:
    for (size_t c = 0; c < N_CHARTS; c++)
        for (int s = 0; s < N_SERIES; s++)
            curve_clear(&curves[c][s]);
    dpli_buf_clear(&b);
    free(config);
    free(page);
    free(log);
    return status;
}
