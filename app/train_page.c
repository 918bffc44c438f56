/*
 * train_page.c - a run's curves as one page: loss, validation, rate and gradient over the steps.
 *
 * Drawn from the run's folder alone, of which a resumed run goes on with the log: so the page is
 * always of the whole run. A line that is cut off or damaged is passed over.
 */
#include "app/train_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "app/html.h"
#include "app/json.h"
#include "app/plot.h"

#define MAX_POINTS 500 /* of a curve: more than its pixels; the rest is averaged */
#define N_SERIES   4

typedef struct chart {
    const char *title, *label, *group; /* group: the object in a line that has the keys, or NULL */
    const char *keys[N_SERIES], *names[N_SERIES];
} chart;

static const chart charts[] = {
    {"Loss", "loss, mean of the steps of a line", NULL, {"loss"}, {"loss"}},
    {"Validation",
     "share",
     "validation",
     {"oneshot", "auc", "accuracy", "tar"},
     {"one-shot accuracy", "area under the curve", "accuracy of pairs",
      "true accepts at 1 % false"}},
    {"Validation on given pairs",
     "share, or correlation",
     "validation",
     {"correct", "pearson", "spearman"},
     {"on the right side", "Pearson", "Spearman"}},
    {"Validation: pictures from a sentence",
     "share found within the first 1, 5 and 10",
     "validation",
     {"r1", "r5", "r10"},
     {"R@1", "R@5", "R@10"}},
    {"Median rank of the right picture", "rank", "validation", {"median-rank"}, {"median rank"}},
    {"Learning rate", "rate", NULL, {"rate"}, {"rate"}},
    {"Length of the gradient", "length", NULL, {"grad-norm"}, {"length"}},
};
#define N_CHARTS (sizeof charts / sizeof charts[0])

typedef struct curve {
    size_t n, cap;
    double *steps, *values;
} curve;

/* What the folder says of the run. */
typedef struct record {
    curve curves[N_CHARTS][N_SERIES];
    double last_step, epoch, loss, best; /* loss, best: NaN before there is one */
    int64_t best_step;
    json_t *config;
    const char *figure; /* that decides, in config */
} record;

static void curve_add(curve *c, double step, double value)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 256;
        c->steps = text_need(realloc(c->steps, c->cap * sizeof *c->steps));
        c->values = text_need(realloc(c->values, c->cap * sizeof *c->values));
    }
    c->steps[c->n] = step;
    c->values[c->n++] = value;
}

/* Neighbours to their mean, until there are few enough to draw. */
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

/* ------------------------------------------------------------------ reading */

/* The log's word for the figure that decides. */
static const char *figure_key(const char *figure)
{
    return strcmp(figure, "rank") == 0 ? "median-rank" : figure;
}

static void take_line(record *r, const json_t *line)
{
    const double step = json_number_value(json_object_get(line, "step"));
    const json_t *figures = json_object_get(line, "validation");
    const json_t *loss = json_object_get(line, "loss");

    r->last_step = fmax(r->last_step, step);
    r->epoch = fmax(r->epoch, json_number_value(json_object_get(line, "epoch")));
    if (json_is_number(loss))
        r->loss = json_number_value(loss);
    if (r->figure && json_is_true(json_object_get(line, "best"))) {
        r->best = json_number_value(json_object_get(figures, figure_key(r->figure)));
        r->best_step = (int64_t)step;
    }
    for (size_t c = 0; c < N_CHARTS; c++)
        for (int s = 0; s < N_SERIES && charts[c].keys[s]; s++) {
            const json_t *v = json_object_get(
                charts[c].group ? json_object_get(line, charts[c].group) : line, charts[c].keys[s]);
            if (json_is_number(v))
                curve_add(&r->curves[c][s], step, json_number_value(v));
        }
}

static void read_record(record *r, const char *run)
{
    char *config = text_format("%s/config.json", run), *log = text_format("%s/log.jsonl", run);
    FILE *f = fopen(log, "re");
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;

    *r = (record){.last_step = 1, .loss = NAN, .best = NAN};
    r->config = json_load_file(config, 0, NULL);
    r->figure = json_string_value(json_object_get(r->config, "best"));
    for (n = f ? getline(&text, &cap, f) : -1; n > 0; n = getline(&text, &cap, f)) {
        json_t *line = json_loadb(text, (size_t)n, 0, NULL);
        if (line)
            take_line(r, line);
        json_decref(line);
    }
    if (f)
        fclose(f);
    free(text);
    free(log);
    free(config);
}

static void clear_record(record *r)
{
    for (size_t c = 0; c < N_CHARTS; c++)
        for (int s = 0; s < N_SERIES; s++) {
            free(r->curves[c][s].steps);
            free(r->curves[c][s].values);
        }
    json_decref(r->config);
}

/* ------------------------------------------------------------------ writing */

/* A setting that is a text; "" where there is none. */
static const char *setting(const record *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->config, key));

    return text ? text : "";
}

static void put_facts(const html *page, const record *r, int64_t step, int64_t n_steps)
{
    char done[32], all[32], at[32];

    fputs("<section class=\"card\"><dl class=\"facts\">\n", page->f);
    html_fact(page, "steps", "%s of %s", text_count(done, step), text_count(all, n_steps));
    html_fact(page, "epoch", "%.2f", r->epoch);
    if (isfinite(r->loss))
        html_fact(page, "loss", "%.4g", r->loss);
    if (isfinite(r->best)) {
        char *name = text_format("best %s", r->figure);
        html_fact(page, name, "%.4f", r->best);
        html_fact(page, "at step", "%s", text_count(at, r->best_step));
        free(name);
    }
    fputs("</dl></section>\n", page->f);
}

static void put_charts(const html *page, record *r)
{
    fputs("<section class=\"card\" style=\"display:grid;gap:24px;"
          "grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr))\">\n",
          page->f);
    for (size_t c = 0; c < N_CHARTS; c++) {
        plot_curve curves[N_SERIES];
        int n = 0;
        for (int s = 0; s < N_SERIES && charts[c].keys[s]; s++) {
            curve *one = &r->curves[c][s];
            curve_thin(one);
            if (one->n)
                curves[n++] = (plot_curve){charts[c].names[s], one->n, one->steps, one->values};
        }
        /* of pairs, of classes or of captions: a run has the figures of one of them */
        if (n == 0 && charts[c].group)
            continue;
        plot_curves(page, charts[c].title, "step", charts[c].label, r->last_step, curves, n);
    }
    fputs("</section>\n", page->f);
}

static void put_settings(const html *page, const record *r)
{
    const char *name;
    json_t *value;

    fputs("<section class=\"card\"><details><summary>Settings</summary><table>\n", page->f);
    json_object_foreach(r->config, name, value)
    {
        char *text = json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        fputs("<tr><th>", page->f);
        html_text(page, name);
        fputs("</th><td>", page->f);
        html_text(page, json_is_string(value) ? json_string_value(value) : text ? text : "");
        fputs("</td></tr>\n", page->f);
        free(text);
    }
    fputs("</table></details></section>\n", page->f);
}

int train_page_write(const command *self, const common *o, const char *run, int64_t step,
                     int64_t n_steps)
{
    char *path = text_format("%s/report.html", run), *line;
    common into = *o;
    record r;
    html page;
    int code;

    read_record(&r, run);
    into.html = path;
    code = html_open(&page, self, &into, "Training");
    if (!code) {
        page.has_pictures = false;
        html_heading(&page, "Training");
        line =
            text_format("; loss %s, optimizer %s", setting(&r, "loss"), setting(&r, "optimizer"));
        fputs("<p class=\"soft\">", page.f);
        html_text(&page, setting(&r, "arch"));
        if (*setting(&r, "init")) {
            fputs("going on from ", page.f);
            html_path(&page, setting(&r, "init"));
        }
        fputs("; trained on ", page.f);
        html_path(&page, setting(&r, "data"));
        html_text(&page, line);
        fputs("</p>\n", page.f);
        free(line);
        put_facts(&page, &r, step, n_steps);
        put_charts(&page, &r);
        put_settings(&page, &r);
        html_made_begin(&page, &into);
        html_made_end(&page);
        code = html_close(&page, self, &into);
    }
    clear_record(&r);
    free(path);
    return code;
}
