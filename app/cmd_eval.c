/*
 * cmd_eval.c - `doppel eval`: how good an encoder is, by pairs or by one-shot trials.
 */
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/common.h"
#include "app/html.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/model_name.h"
#include "app/plot.h"
#include "app/progress.h"

#define N_SHOWN 12 /* pairs of either kind, or trials, on the page */
#define N_TOLD  10 /* failed pictures told one by one */

typedef struct eval_options {
    common common;
    const char *dir, *threshold_from, *runs;
    int random, way, trials, seed;
    bool aligned, within_group;
} eval_options;

#define AT(member) offsetof(eval_options, member)

static const option_spec own[] = {
    {.name = "dir",
     .kind = OPTION_TEXT,
     .offset = AT(dir),
     .value = "DIR",
     .help = "pairs: the folder that the list's pictures are in (default the list's own)"},
    {.name = "threshold-from",
     .kind = OPTION_TEXT,
     .offset = AT(threshold_from),
     .value = "LIST",
     .help = "pairs: judge at the threshold that is best on this other list (with --random, on "
             "pairs of this other DATA), instead of fold by fold"},
    {.name = "random",
     .kind = OPTION_INT,
     .offset = AT(random),
     .value = "N",
     .help = "pairs: draw N pairs from DATA, half of them of one class, instead of reading a list",
     .low = 2,
     .high = 10000000},
    {.name = "runs",
     .kind = OPTION_TEXT,
     .offset = AT(runs),
     .value = "ZIP",
     .help = "oneshot: Lake's runs (folders with class_labels.txt), read in place"},
    {.name = "way",
     .kind = OPTION_INT,
     .offset = AT(way),
     .value = "N",
     .help = "oneshot: candidates a trial (default 20)",
     .low = 2,
     .high = 10000},
    {.name = "trials",
     .kind = OPTION_INT,
     .offset = AT(trials),
     .value = "N",
     .help = "oneshot: trials drawn from DATA (default 400)",
     .low = 1,
     .high = 1000000},
    {.name = "within-group",
     .kind = OPTION_FLAG,
     .offset = AT(within_group),
     .help = "draw the classes of a trial, or of a pair of two, from one group (an alphabet)"},
    {.name = "seed",
     .kind = OPTION_INT,
     .offset = AT(seed),
     .value = "N",
     .help = "what drawing and resampling start from (default 1)",
     .low = 0,
     .high = 2147483647},
    {.name = "aligned",
     .kind = OPTION_FLAG,
     .offset = AT(aligned),
     .help = "the pictures are cut out already: the same as --detect none"},
    {.name = "encoder",
     .kind = OPTION_TEXT,
     .offset = AT(common.model),
     .value = "FILE",
     .help = "the same as --model"},
    {0}};

const option_spec *const options_of_eval[] = {own, options_html, options_models, options_output,
                                              NULL};

/* An evaluation under way. */
typedef struct evaluation {
    const command *self;
    eval_options *o;
    const char *source; /* list or data as given */
    dpl_pipeline *pipeline;
    dpl_dataset *dataset; /* NULL: a list of files */
    char *dir;            /* of a list's files */
    dpl_pictures pictures;
    dpl_embeddings embeddings;
    progress progress;
    const volatile int *cancel;
    html page;
    dpl_status worst; /* of the pictures that failed */
} evaluation;

/* ------------------------------------------------------------------ opening */

/* Whether pictures are taken whole where nothing says so: an encoder of whole pictures does. */
static int open_models(evaluation *e, bool whole)
{
    common *o = &e->o->common;
    dpl_encoder *encoder = NULL;
    dpl_error err;

    if (e->o->aligned)
        o->detect = 1;
    if (o->detect < 0 && !whole && o->model) {
        if (dpl_encoder_open(&encoder, o->model, o->preset, &err) != DPL_OK)
            return common_fail(e->self, &e->o->common, &err);
        whole = strcmp(dpl_encoder_space(encoder), "image") == 0;
        dpl_encoder_close(encoder);
    }
    if (o->detect < 0)
        o->detect = whole ? 1 : 0;
    return common_open_pipeline(&e->pipeline, e->self, o, NULL, 0);
}

static int open_data(dpl_dataset **out, const evaluation *e, const char *path, bool plain)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_error err;

    options.plain = plain;
    return dpl_dataset_open(out, path, &options, &err) == DPL_OK
               ? 0
               : common_fail(e->self, &e->o->common, &err);
}

static void step(void *ctx, int64_t n_done, int64_t n_total)
{
    progress_step(ctx, n_done, n_total);
}

/* Tell which pictures gave no vector, the first of them by name. */
static void tell_failed(evaluation *e, const dpl_embeddings *embeddings)
{
    size_t told = 0;

    for (size_t i = 0; i < embeddings->n; i++) {
        const dpl_error *why = embeddings->errors[i];
        if (!why)
            continue;
        if (dpl_status_exit_code(why->status) > dpl_status_exit_code(e->worst))
            e->worst = why->status;
        if (told++ >= N_TOLD)
            continue;
        fprintf(stderr, "doppel %s: no vector: ", e->self->name);
        text_put(stderr, why->message);
        fputc('\n', stderr);
    }
    if (told > N_TOLD)
        fprintf(stderr, "doppel %s: and %zu more (--json lists all)\n", e->self->name,
                told - N_TOLD);
}

static int embed(evaluation *e, dpl_embeddings *out, const dpl_pictures *pictures)
{
    dpl_embed_options options = DPL_EMBED_OPTIONS_INIT;
    dpl_error err;
    dpl_status status;

    options.cancel = e->cancel;
    options.on_progress = step;
    options.ctx = &e->progress;
    progress_start(&e->progress, "pictures", e->o->common.quiet);
    status = dpl_embed(out, e->pipeline, pictures, &options, &err);
    progress_wipe(&e->progress);
    if (status != DPL_OK)
        return common_fail(e->self, &e->o->common, &err);
    tell_failed(e, out);
    return 0;
}

/* ------------------------------------------------------------------ telling what both have */

static void put_share(json_t **object, const char *key, const dpl_share *s)
{
    json_t *share = json_object();

    json_put_int(&share, "n", s->n);
    json_put_int(&share, "of", s->of);
    json_put_real(&share, "rate", s->rate);
    json_put_real(&share, "low", s->low);
    json_put_real(&share, "high", s->high);
    json_put(object, key, share);
}

static json_t *begin_json(const evaluation *e, const char *task)
{
    json_t *answer = json_answer(e->self->name), *failed = json_array();

    json_put_text(&answer, "task", task);
    json_put_text(&answer, "data", e->source);
    json_put_model(&answer, e->pipeline);
    json_put_int(&answer, "n_pictures", (int64_t)e->embeddings.n);
    for (size_t i = 0; i < e->embeddings.n; i++) {
        const dpl_error *why = e->embeddings.errors[i];
        json_t *one;
        if (!why)
            continue;
        one = json_object();
        json_put_text(&one, "picture", dpl_picture_name(&e->pictures, i));
        json_put_status(&one, why->status, why->message);
        json_add(&failed, one);
    }
    json_put(&answer, "failed", failed);
    return answer;
}

static void print_row(const char *name, char *value)
{
    printf("%-12s ", name);
    text_put(stdout, value);
    putchar('\n');
    free(value);
}

static char *describe_pictures(const evaluation *e)
{
    char n[64];

    text_counted(n, (int64_t)e->embeddings.n, "picture");
    return e->embeddings.n_failed == 0
               ? text_format("%s", n)
               : text_format("%s, %zu without a vector", n, e->embeddings.n_failed);
}

static void page_thumb(const evaluation *e, dpl_scratch *scratch, int32_t picture, char *caption)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;

    fputs("<figure>", e->page.f);
    if (dpl_picture_thumb(&jpeg, &n, e->pipeline, scratch, &e->pictures, (size_t)picture, NULL) ==
        DPL_OK)
        html_jpeg(&e->page, jpeg, n, dpl_picture_name(&e->pictures, (size_t)picture));
    dpl_bytes_free(jpeg);
    fputs("<figcaption>", e->page.f);
    html_text(&e->page, caption);
    fputs("</figcaption></figure>\n", e->page.f);
    free(caption);
}

static void page_source(const evaluation *e, const char *what)
{
    char *line = text_format("%s; %s; encoder %s, head %s", what, e->source,
                             model_name(dpl_encoder_net(dpl_pipeline_encoder(e->pipeline))),
                             dpl_head_name(dpl_pipeline_head(e->pipeline)));

    html_paragraph(&e->page, "soft", line);
    free(line);
}

static void page_failed(const evaluation *e)
{
    if (e->embeddings.n_failed == 0)
        return;
    fprintf(e->page.f,
            "<section class=\"card\"><h2>Pictures without a vector</h2><p>%zu; none of them "
            "matches anything.</p><details><summary>which, and why</summary>\n",
            e->embeddings.n_failed);
    for (size_t i = 0; i < e->embeddings.n; i++)
        if (e->embeddings.errors[i])
            html_paragraph(&e->page, "soft", e->embeddings.errors[i]->message);
    fputs("</details></section>\n", e->page.f);
}

/* ------------------------------------------------------------------ pairs */

typedef struct pairs_result {
    dpl_pairs pairs;
    float *scores;
    uint8_t *same;
    dpl_metrics metrics;
    dpl_folds folds;    /* when there is no other list */
    double threshold;   /* the other list's best; NaN without one */
    dpl_share accuracy; /* at it */
    size_t n_false_matches, n_false_non_matches;
} pairs_result;

/* Scores and kinds of pairs as arrays of their own. */
static void score_pairs(const evaluation *e, pairs_result *r, const dpl_embeddings *embeddings)
{
    const size_t n = r->pairs.n;

    r->scores = text_need(malloc((n + 1) * sizeof *r->scores));
    r->same = text_need(malloc(n + 1));
    dpl_pairs_score(r->scores, &r->pairs, dpl_pipeline_head(e->pipeline), embeddings);
    for (size_t i = 0; i < n; i++)
        r->same[i] = r->pairs.pairs[i].same;
}

static void clear_pairs(pairs_result *r)
{
    dpl_pairs_clear(&r->pairs);
    dpl_metrics_clear(&r->metrics);
    free(r->scores);
    free(r->same);
}

/* Read or draw pairs, and embed their pictures. */
static int open_pairs(evaluation *e, pairs_result *r, const char *source, dpl_dataset **dataset,
                      dpl_pictures *pictures, dpl_embeddings *embeddings)
{
    const eval_options *o = e->o;
    dpl_error err;
    dpl_status status;
    int code = o->random ? open_data(dataset, e, source, false) : 0;

    if (code)
        return code;
    status = o->random ? dpl_pairs_draw(&r->pairs, *dataset, (size_t)o->random, o->within_group,
                                        (uint64_t)o->seed, &err)
                       : dpl_pairs_read(&r->pairs, source, e->dir, &err);
    if (status != DPL_OK)
        return common_fail(e->self, &e->o->common, &err);
    *pictures = (dpl_pictures){.n = r->pairs.n_pictures,
                               .dir = e->dir,
                               .names = (const char *const *)r->pairs.names,
                               .dataset = *dataset,
                               .items = r->pairs.items};
    code = embed(e, embeddings, pictures);
    if (!code)
        score_pairs(e, r, embeddings);
    return code;
}

/* The best threshold on the other list. */
static int other_threshold(evaluation *e, double *out)
{
    pairs_result other = {0};
    dpl_dataset *dataset = NULL;
    dpl_pictures pictures;
    dpl_embeddings embeddings = {0};
    dpl_error err;
    int code = open_pairs(e, &other, e->o->threshold_from, &dataset, &pictures, &embeddings);

    if (!code && dpl_best_threshold(out, other.scores, other.same, other.pairs.n, &err) != DPL_OK)
        code = common_fail(e->self, &e->o->common, &err);
    dpl_embeddings_clear(&embeddings);
    clear_pairs(&other);
    dpl_dataset_close(dataset);
    return code;
}

/* The threshold that judges a pair. */
static double threshold_of(const pairs_result *r, size_t i)
{
    if (isfinite(r->threshold))
        return r->threshold;
    return r->folds.n > 0 ? r->folds.thresholds[r->pairs.pairs[i].fold] : r->metrics.eer_threshold;
}

static bool is_wrong(const pairs_result *r, size_t i)
{
    return dpl_accepts((double)r->scores[i], threshold_of(r, i)) != (r->same[i] != 0);
}

static int measure_pairs(evaluation *e, pairs_result *r)
{
    const size_t n = r->pairs.n;
    int32_t *folds = text_need(malloc((n + 1) * sizeof *folds));
    dpl_error err;
    dpl_status status =
        dpl_metrics_make(&r->metrics, r->scores, r->same, n, (uint64_t)e->o->seed, &err);

    for (size_t i = 0; i < n; i++)
        folds[i] = r->pairs.pairs[i].fold;
    if (status == DPL_OK && isfinite(r->threshold))
        r->accuracy = dpl_accuracy_at(r->scores, r->same, n, r->threshold);
    else if (status == DPL_OK && r->pairs.n_folds > 0)
        status = dpl_folds_make(&r->folds, r->scores, r->same, folds, n, r->pairs.n_folds, &err);
    free(folds);
    if (status != DPL_OK)
        return common_fail(e->self, &e->o->common, &err);
    for (size_t i = 0; i < n; i++)
        if (is_wrong(r, i))
            ++*(r->same[i] ? &r->n_false_non_matches : &r->n_false_matches);
    return 0;
}

static void span(double *low, double *high, const double *values, int32_t n)
{
    *low = *high = values[0];
    for (int32_t i = 1; i < n; i++) {
        *low = fmin(*low, values[i]);
        *high = fmax(*high, values[i]);
    }
}

static char *describe_accuracy(const evaluation *e, const pairs_result *r)
{
    const dpl_share *a = &r->accuracy;
    double low, high;

    if (isfinite(r->threshold))
        return text_format("%.4f ± %.4f (%.4f to %.4f): %lld of %lld right at threshold %.4g, the "
                           "best on %s",
                           a->rate, sqrt(a->rate * (1 - a->rate) / (double)a->of), a->low, a->high,
                           (long long)a->n, (long long)a->of, r->threshold, e->o->threshold_from);
    if (r->folds.n == 0)
        return text_format("none: two pairs of either kind are needed");
    span(&low, &high, r->folds.thresholds, r->folds.n);
    return text_format("%.4f ± %.4f over %d folds%s, thresholds %.4g to %.4g chosen on the others",
                       r->folds.mean, r->folds.standard_error, (int)r->folds.n,
                       r->pairs.folds_given ? "" : " cut in order", low, high);
}

/* What "none allowed" hides: the list is too short for the rate. */
static const char *too_short(const dpl_tar *t)
{
    return t->far * (double)t->reached.of < 1 ? ", at no false match: too few pairs for this rate"
                                              : "";
}

static char *describe_tar(const dpl_tar *t)
{
    return text_format("%.4f (%.4f to %.4f) at threshold %.4g%s", t->tar.rate, t->tar.low,
                       t->tar.high, t->threshold, too_short(t));
}

static char *describe_pairs(const pairs_result *r)
{
    const dpl_metrics *m = &r->metrics;
    char n[64], genuine[32], impostor[32];

    text_counted(n, (int64_t)r->pairs.n, "pair");
    text_count(genuine, m->n_genuine);
    text_count(impostor, m->n_impostor);
    return m->n_unscored == 0
               ? text_format("%s: %s of one, %s of two", n, genuine, impostor)
               : text_format("%s: %s of one, %s of two; %lld without a score, each \"no match\"", n,
                             genuine, impostor, (long long)m->n_unscored);
}

static char *describe_errors(const pairs_result *r)
{
    return text_format("%zu false matches, %zu false non-matches", r->n_false_matches,
                       r->n_false_non_matches);
}

static void tell_pairs_text(const evaluation *e, const pairs_result *r)
{
    const dpl_metrics *m = &r->metrics;

    print_row("pairs", describe_pairs(r));
    print_row("pictures", describe_pictures(e));
    if (e->o->random)
        print_row("drawn", text_format("seed %d, pairs of two %s", e->o->seed,
                                       e->o->within_group ? "within a group" : "from anywhere"));
    print_row("accuracy", describe_accuracy(e, r));
    print_row("errors", describe_errors(r));
    print_row("AUC", text_format("%.4f (%.4f to %.4f)", m->auc, m->auc_low, m->auc_high));
    print_row("EER", text_format("%.4f (%.4f to %.4f) at threshold %.4g; resampled from seed %d",
                                 m->eer, m->eer_low, m->eer_high, m->eer_threshold, e->o->seed));
    for (int i = 0; i < DPL_N_TAR; i++) {
        char *name = text_format("TAR at %g", m->tar[i].far);
        print_row(name, describe_tar(&m->tar[i]));
        free(name);
    }
    puts("Intervals are at 95 %.");
}

static void put_interval(json_t **object, const char *key, double value, double low, double high,
                         double threshold)
{
    json_t *one = json_object();

    json_put_real(&one, "value", value);
    json_put_real(&one, "low", low);
    json_put_real(&one, "high", high);
    json_put_real(&one, "threshold", threshold);
    json_put(object, key, one);
}

static void put_accuracy(json_t **answer, const evaluation *e, const pairs_result *r)
{
    json_t *accuracy, *folds;

    if (isfinite(r->threshold)) {
        put_share(answer, "accuracy", &r->accuracy);
        json_put_real(answer, "threshold", r->threshold);
        json_put_text(answer, "threshold_from", e->o->threshold_from);
        return;
    }
    if (r->folds.n == 0)
        return;
    accuracy = json_object();
    json_put_real(&accuracy, "value", r->folds.mean);
    json_put_real(&accuracy, "standard_error", r->folds.standard_error);
    json_put(answer, "accuracy", accuracy);
    folds = json_array();
    for (int32_t f = 0; f < r->folds.n; f++) {
        json_t *fold = json_object();
        json_put_real(&fold, "threshold", r->folds.thresholds[f]);
        put_share(&fold, "accuracy", &r->folds.accuracies[f]);
        json_add(&folds, fold);
    }
    json_put(answer, "folds", folds);
    json_put_bool(answer, "folds_given", r->pairs.folds_given);
}

static json_t *pairs_json(const evaluation *e, const pairs_result *r)
{
    const dpl_metrics *m = &r->metrics;
    json_t *answer = begin_json(e, "pairs"), *tars = json_array();

    json_put_int(&answer, "n_genuine", m->n_genuine);
    json_put_int(&answer, "n_impostor", m->n_impostor);
    json_put_int(&answer, "n_unscored", m->n_unscored);
    json_put_int(&answer, "seed", e->o->seed);
    if (e->o->random)
        json_put_bool(&answer, "within_group", e->o->within_group);
    put_accuracy(&answer, e, r);
    json_put_int(&answer, "n_false_matches", (int64_t)r->n_false_matches);
    json_put_int(&answer, "n_false_non_matches", (int64_t)r->n_false_non_matches);
    put_interval(&answer, "auc", m->auc, m->auc_low, m->auc_high, NAN);
    put_interval(&answer, "eer", m->eer, m->eer_low, m->eer_high, m->eer_threshold);
    for (int i = 0; i < DPL_N_TAR; i++) {
        json_t *tar = json_object();
        json_put_real(&tar, "far", m->tar[i].far);
        json_put_real(&tar, "threshold", m->tar[i].threshold);
        put_share(&tar, "tar", &m->tar[i].tar);
        put_share(&tar, "reached", &m->tar[i].reached);
        json_add(&tars, tar);
    }
    json_put(&answer, "tar", tars);
    return answer;
}

/* A wrong pair, by how far its score is on the wrong side. */
typedef struct mistake {
    double by;
    size_t pair;
} mistake;

static int worst_first(const void *a, const void *b)
{
    const mistake *x = a, *y = b;

    return x->by != y->by ? (x->by < y->by) - (x->by > y->by)
                          : (x->pair > y->pair) - (x->pair < y->pair);
}

static void page_mistakes(const evaluation *e, const pairs_result *r, dpl_scratch *scratch,
                          bool same)
{
    mistake *list = text_need(malloc((r->pairs.n + 1) * sizeof *list));
    size_t n = 0;

    for (size_t i = 0; i < r->pairs.n; i++)
        if (r->same[i] == same && isfinite(r->scores[i]) && is_wrong(r, i))
            list[n++] = (mistake){fabs((double)r->scores[i] - threshold_of(r, i)), i};
    qsort(list, n, sizeof *list, worst_first);
    fprintf(e->page.f, "<section class=\"card\"><h2>%s</h2>",
            same ? "Worst false non-matches: pairs of one, told apart"
                 : "Worst false matches: pairs of two, taken for one");
    if (n == 0)
        html_paragraph(&e->page, "soft", "none");
    fputs("<div class=\"people\">\n", e->page.f);
    for (size_t k = 0; k < n && k < N_SHOWN; k++) {
        const dpl_pair *p = &r->pairs.pairs[list[k].pair];
        char *line = text_format("score %.4g, threshold %.4g", (double)r->scores[list[k].pair],
                                 threshold_of(r, list[k].pair));
        fputs("<div><div class=\"chips\">", e->page.f);
        page_thumb(e, scratch, p->a,
                   text_format("%s", dpl_picture_name(&e->pictures, (size_t)p->a)));
        page_thumb(e, scratch, p->b,
                   text_format("%s", dpl_picture_name(&e->pictures, (size_t)p->b)));
        fputs("</div>", e->page.f);
        html_paragraph(&e->page, "soft", line);
        fputs("</div>\n", e->page.f);
        free(line);
    }
    fputs("</div></section>\n", e->page.f);
    free(list);
}

static void page_pairs(const evaluation *e, const pairs_result *r, dpl_scratch *scratch)
{
    const dpl_metrics *m = &r->metrics;
    const html *page = &e->page;
    char *line = describe_pairs(r);

    page_source(e, line);
    free(line);
    fputs("<section class=\"card\"><dl class=\"facts\">\n", page->f);
    if (isfinite(r->threshold) || r->folds.n > 0)
        html_fact(page, "accuracy", "%.4f",
                  isfinite(r->threshold) ? r->accuracy.rate : r->folds.mean);
    html_fact(page, "AUC", "%.4f", m->auc);
    html_fact(page, "EER", "%.4f", m->eer);
    html_fact(page, "false matches", "%zu", r->n_false_matches);
    html_fact(page, "false non-matches", "%zu", r->n_false_non_matches);
    html_fact(page, "pictures without a vector", "%zu", e->embeddings.n_failed);
    fputs("</dl>\n", page->f);
    line = describe_accuracy(e, r);
    char *all = text_format("accuracy %s; AUC %.4f to %.4f; EER %.4f to %.4f, resampled from seed "
                            "%d. Intervals are at 95 %%.",
                            line, m->auc_low, m->auc_high, m->eer_low, m->eer_high, e->o->seed);
    html_paragraph(page, "soft", all);
    free(all);
    free(line);
    fputs("<div class=\"scroll\"><table><tr><th class=\"num\">false match rate</th>"
          "<th class=\"num\">true match rate</th><th class=\"num\">95 %</th>"
          "<th class=\"num\">threshold</th><th>false matches</th></tr>\n",
          page->f);
    for (int i = 0; i < DPL_N_TAR; i++) {
        const dpl_tar *t = &m->tar[i];
        fprintf(page->f,
                "<tr><td class=\"num\">%g</td><td class=\"num\">%.4f</td><td class=\"num\">%.4f to "
                "%.4f</td><td class=\"num\">%.4g</td><td>%lld of %lld%s</td></tr>\n",
                t->far, t->tar.rate, t->tar.low, t->tar.high, t->threshold, (long long)t->reached.n,
                (long long)t->reached.of, too_short(t));
    }
    fputs("</table></div></section>\n<section class=\"card\" style=\"display:grid;gap:24px;"
          "grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr))\">\n",
          page->f);
    plot_roc(page, m);
    plot_det(page, m);
    fputs("</section>\n", page->f);
    page_mistakes(e, r, scratch, false);
    page_mistakes(e, r, scratch, true);
    page_failed(e);
}

static int eval_pairs(evaluation *e)
{
    pairs_result r = {.threshold = NAN};
    char *copy = text_format("%s", e->source);
    dpl_scratch *scratch = NULL;
    dpl_error err;
    int code;

    if (!e->o->random)
        e->dir = text_format("%s", e->o->dir ? e->o->dir : dirname(copy));
    free(copy);
    code = open_models(e, e->o->random > 0);
    if (!code)
        code = open_pairs(e, &r, e->source, &e->dataset, &e->pictures, &e->embeddings);
    if (!code && e->o->threshold_from)
        code = other_threshold(e, &r.threshold);
    if (!code)
        code = measure_pairs(e, &r);
    if (!code && dpl_scratch_new(&scratch, 0, &err) != DPL_OK)
        code = common_fail(e->self, &e->o->common, &err);
    if (!code && e->page.f)
        page_pairs(e, &r, scratch);
    if (!code && e->o->common.json)
        json_print(pairs_json(e, &r));
    else if (!code)
        tell_pairs_text(e, &r);
    dpl_scratch_free(scratch);
    clear_pairs(&r);
    return code;
}

/* ------------------------------------------------------------------ one-shot trials */

static char *describe_trials(const evaluation *e, const dpl_trials *t)
{
    char n[64];

    text_counted(n, (int64_t)t->n, "trial");
    if (t->n_runs > 0)
        return text_format("%s of %d runs, %d ways", n, (int)t->n_runs, (int)t->trials[0].way);
    return text_format("%s of %d ways%s, drawn from seed %d", n, e->o->way,
                       e->o->within_group ? " within a group" : "", e->o->seed);
}

static void tell_oneshot_text(const evaluation *e, const dpl_trials *t, const dpl_oneshot *o)
{
    const dpl_share *a = &o->accuracy;

    print_row("trials", describe_trials(e, t));
    print_row("pictures", describe_pictures(e));
    print_row("accuracy",
              text_format("%lld of %lld = %.1f %% (%.1f to %.1f)", (long long)a->n,
                          (long long)a->of, 100 * a->rate, 100 * a->low, 100 * a->high));
    if (isfinite(o->mean))
        print_row("runs", text_format("%.1f %% ± %.1f (mean and standard error of %d runs)",
                                      100 * o->mean, 100 * o->standard_error, (int)t->n_runs));
    for (int32_t i = 0; i < t->n_runs; i++) {
        char *name = text_format("  %s", t->run_names[i]);
        print_row(name,
                  text_format("%lld of %lld", (long long)o->runs[i].n, (long long)o->runs[i].of));
        free(name);
    }
    if (o->n_tied > 0 || o->n_failed > 0)
        print_row("lost", text_format("%lld to a tie, %lld to pictures without a vector; they "
                                      "count as wrong",
                                      (long long)o->n_tied, (long long)o->n_failed));
    puts("Intervals are at 95 %.");
}

static json_t *oneshot_json(const evaluation *e, const dpl_trials *t, const dpl_oneshot *o)
{
    json_t *answer = begin_json(e, "oneshot"), *runs = json_array();

    put_share(&answer, "accuracy", &o->accuracy);
    json_put_int(&answer, "n_tied", o->n_tied);
    json_put_int(&answer, "n_failed", o->n_failed);
    if (t->n_runs == 0) {
        json_put_int(&answer, "way", e->o->way);
        json_put_int(&answer, "seed", e->o->seed);
        json_put_bool(&answer, "within_group", e->o->within_group);
    }
    json_put_real(&answer, "mean", o->mean);
    json_put_real(&answer, "standard_error", o->standard_error);
    for (int32_t i = 0; i < t->n_runs; i++) {
        json_t *run = json_object();
        json_put_text(&run, "run", t->run_names[i]);
        put_share(&run, "accuracy", &o->runs[i]);
        json_add(&runs, run);
    }
    json_put(&answer, "runs", runs);
    return answer;
}

static void page_oneshot(const evaluation *e, const dpl_trials *t, const dpl_oneshot *o,
                         dpl_scratch *scratch)
{
    const html *page = &e->page;
    const dpl_share *a = &o->accuracy;
    char *line = describe_trials(e, t);
    int shown = 0;

    page_source(e, line);
    free(line);
    fputs("<section class=\"card\"><dl class=\"facts\">\n", page->f);
    html_fact(page, "accuracy", "%.1f %%", 100 * a->rate);
    html_fact(page, "right", "%lld of %lld", (long long)a->n, (long long)a->of);
    html_fact(page, "95 % interval", "%.1f to %.1f %%", 100 * a->low, 100 * a->high);
    html_fact(page, "ties", "%lld", (long long)o->n_tied);
    html_fact(page, "pictures without a vector", "%zu", e->embeddings.n_failed);
    fputs("</dl>", page->f);
    if (t->n_runs > 0)
        fputs("<details><summary>each run</summary><table><tr><th>run</th><th>right</th></tr>\n",
              page->f);
    for (int32_t i = 0; i < t->n_runs; i++) {
        fputs("<tr><td>", page->f);
        html_text(page, t->run_names[i]);
        fprintf(page->f, "</td><td>%lld of %lld</td></tr>\n", (long long)o->runs[i].n,
                (long long)o->runs[i].of);
    }
    fprintf(page->f,
            "%s</section>\n<section class=\"card\"><h2>Wrong answers</h2>"
            "<p class=\"soft\">the test, the right candidate, the one chosen</p>"
            "<div class=\"people\" style=\"grid-template-columns:repeat(auto-fill,"
            "minmax(min(100%%,312px),1fr))\">\n",
            t->n_runs > 0 ? "</table></details>" : "");
    for (size_t i = 0; i < t->n && shown < 2 * N_SHOWN; i++) {
        const dpl_trial *trial = &t->trials[i];
        if (o->chosen[i] < 0 || o->chosen[i] == trial->answer)
            continue;
        shown++;
        fputs("<div><div class=\"chips\">", page->f);
        page_thumb(e, scratch, trial->test, text_format("test"));
        page_thumb(e, scratch, t->candidates[trial->first + trial->answer], text_format("right"));
        page_thumb(e, scratch, t->candidates[trial->first + o->chosen[i]], text_format("chosen"));
        fputs("</div></div>\n", page->f);
    }
    fputs("</div></section>\n", page->f);
    page_failed(e);
}

static int eval_oneshot(evaluation *e)
{
    const eval_options *o = e->o;
    dpl_trials trials = {0};
    dpl_oneshot result = {0};
    dpl_scratch *scratch = NULL;
    dpl_error err;
    dpl_status status = DPL_OK;
    int code = open_models(e, true);

    if (!code)
        code = open_data(&e->dataset, e, e->source, o->runs != NULL);
    if (!code)
        status = o->runs ? dpl_trials_read(&trials, e->dataset, &err)
                         : dpl_trials_draw(&trials, e->dataset, o->way, (size_t)o->trials,
                                           o->within_group, (uint64_t)o->seed, &err);
    if (status != DPL_OK)
        code = common_refuse(e->self, &o->common, status, "%s: %s", e->source, err.message);
    e->pictures =
        (dpl_pictures){.n = trials.n_pictures, .dataset = e->dataset, .items = trials.items};
    if (!code)
        code = embed(e, &e->embeddings, &e->pictures);
    if (!code) {
        status = dpl_trials_score(&result, &trials, dpl_pipeline_head(e->pipeline), &e->embeddings,
                                  &err);
        if (status == DPL_OK)
            status = dpl_scratch_new(&scratch, 0, &err);
        code = status == DPL_OK ? 0 : common_fail(e->self, &e->o->common, &err);
    }
    if (!code && e->page.f)
        page_oneshot(e, &trials, &result, scratch);
    if (!code && o->common.json)
        json_print(oneshot_json(e, &trials, &result));
    else if (!code)
        tell_oneshot_text(e, &trials, &result);
    dpl_scratch_free(scratch);
    dpl_oneshot_clear(&result);
    dpl_trials_clear(&trials);
    return code;
}

/* ------------------------------------------------------------------ the command */

/* What the options say against each other. */
static int check_arguments(const command *self, const eval_options *o, int n, char **rest)
{
    const bool pairs = n > 0 && strcmp(rest[0], "pairs") == 0;

    if (n == 0 || (!pairs && strcmp(rest[0], "oneshot") != 0))
        return options_usage(self, "it takes \"pairs\" or \"oneshot\" first");
    if (pairs && n != 2)
        return options_usage(self, "pairs takes one LIST, or DATA with --random N");
    if (pairs && (o->runs || o->way || o->trials))
        return options_usage(self, "--runs, --way and --trials are of oneshot");
    if (pairs && o->random && o->dir)
        return options_usage(self, "--dir is of a list, and --random reads none");
    if (pairs && o->random % 2)
        return options_usage(self, "--random takes an even number, half of each kind");
    if (pairs && o->within_group && !o->random)
        return options_usage(self, "--within-group says how to draw: with --random or oneshot");
    if (!pairs && (o->dir || o->threshold_from || o->random))
        return options_usage(self, "--dir, --threshold-from and --random are of pairs");
    if (!pairs && n != (o->runs ? 1 : 2))
        return options_usage(self, "oneshot takes one DATA, or --runs ZIP");
    if (o->runs && (o->way || o->trials || o->within_group))
        return options_usage(self, "--way, --trials and --within-group draw trials, --runs has "
                                   "its own");
    if (o->aligned && o->common.detect == 0)
        return options_usage(self, "--aligned and --detect faces exclude each other");
    return 0;
}

int cmd_eval(const command *self, int argc, char **argv)
{
    eval_options o = {.common = COMMON_INIT, .seed = 1};
    evaluation e = {.self = self, .o = &o};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code)
        code = check_arguments(self, &o, n, argv + 1);
    if (code)
        return code;
    const bool pairs = strcmp(argv[1], "pairs") == 0;
    e.source = o.runs ? o.runs : argv[2];
    if (!o.way)
        o.way = 20;
    if (!o.trials)
        o.trials = 400;
    e.cancel = common_watch_signals();
    code = html_open(&e.page, self, &o.common,
                     pairs ? "How well pairs are told apart" : "How well one example is enough");
    if (code)
        return code;
    code = pairs ? eval_pairs(&e) : eval_oneshot(&e);
    if (code)
        html_abandon(&e.page);
    else
        code = html_close(&e.page, self, &o.common);
    dpl_embeddings_clear(&e.embeddings);
    dpl_dataset_close(e.dataset);
    dpl_pipeline_close(e.pipeline);
    free(e.dir);
    return code ? code : dpl_status_exit_code(e.worst);
}
