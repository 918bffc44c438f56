/*
 * eval_pairs.c - `doppel eval pairs`: how well pairs of one are told from pairs of two.
 */
#include "app/eval_pairs.h"

#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/eval_items.h"
#include "app/json.h"
#include "app/json_print.h"
#include "app/plot.h"

typedef struct pairs_result {
    dpl_pairs pairs;
    float *scores;
    uint8_t *same;
    dpl_metrics metrics;
    dpl_folds folds; /* when there is no other list */
    bool graded;     /* and then nothing but grades is measured */
    double *grades;  /* [n] as given */
    dpl_agreement agreement;
    double squared_error;    /* of the score as a grade; NaN where it is none */
    double slope, intercept; /* the other list's line from score to grade; NaN without one */
    double threshold;        /* given, or the other list's best; NaN without */
    dpl_share accuracy;      /* at it */
    size_t n_false_matches, n_false_non_matches;
} pairs_result;

/* Scores and kinds of pairs as arrays of their own. */
static void score_pairs(const evaluation *e, pairs_result *r, const dpl_embeddings *embeddings)
{
    const size_t n = r->pairs.n;

    r->scores = text_need(malloc((n + 1) * sizeof *r->scores));
    r->same = text_need(malloc(n + 1));
    dpl_pairs_score(r->scores, &r->pairs, eval_head(e), embeddings);
    for (size_t i = 0; i < n; i++)
        r->same[i] = r->pairs.pairs[i].same;
}

static void clear_pairs(pairs_result *r)
{
    dpl_pairs_clear(&r->pairs);
    dpl_metrics_clear(&r->metrics);
    free(r->scores);
    free(r->same);
    free(r->grades);
}

/* The same of a list, or data, that need not be of pictures. */
static int open_item_pairs(evaluation *e, pairs_result *r, const char *source,
                           dpl_dataset **dataset, dpl_pictures *pictures,
                           dpl_embeddings *embeddings)
{
    const eval_options *o = e->o;
    const bool first = dataset == &e->dataset;
    dpl_error err;
    dpl_status status;
    int code = *dataset ? 0 : eval_open_items(dataset, e, source);

    if (!code && first)
        code = eval_open_item_models(e, *dataset);
    if (code)
        return code;
    for (int side = 0; side < 2 && !o->random; side++)
        if (dpl_dataset_side_kind(*dataset, side) != e->kinds[side])
            return common_refuse(e->self, &o->common, DPL_E_INPUT, "\"%s\" has %s, not %s", source,
                                 eval_kind_names(dpl_dataset_side_kind(*dataset, side)),
                                 eval_kind_names(e->kinds[side]));
    status = o->random ? dpl_pairs_draw(&r->pairs, *dataset, (size_t)o->random, o->within_group,
                                        (uint64_t)o->seed, &err)
                       : dpl_pairs_given(&r->pairs, *dataset, e->apart, &err);
    if (status != DPL_OK)
        return common_refuse(e->self, &o->common, err.status, "\"%s\": %s", source, err.message);
    r->graded = dpl_dataset_is_graded(*dataset);
    r->grades = text_need(calloc(r->pairs.n + 1, sizeof *r->grades));
    for (size_t i = 0; i < r->pairs.n && !o->random; i++)
        r->grades[i] = dpl_dataset_pair(*dataset, (int32_t)i)->given;
    *pictures =
        (dpl_pictures){.n = r->pairs.n_pictures, .dataset = *dataset, .items = r->pairs.items};
    code = eval_embed_items(e, embeddings, &r->pairs, *dataset);
    if (!code)
        score_pairs(e, r, embeddings);
    return code;
}

/* Read or draw pairs, and embed their pictures. */
static int open_pairs(evaluation *e, pairs_result *r, const char *source, dpl_dataset **dataset,
                      dpl_pictures *pictures, dpl_embeddings *embeddings)
{
    const eval_options *o = e->o;
    dpl_error err;
    dpl_status status;

    if (e->of_items)
        return open_item_pairs(e, r, source, dataset, pictures, embeddings);
    int code = o->random && !*dataset ? eval_open_items(dataset, e, source) : 0;
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
    code = eval_embed(e, embeddings, pictures);
    if (!code)
        score_pairs(e, r, embeddings);
    return code;
}

/* What the other list says: its best threshold, or of grades its line from score to grade. */
static int ask_other_list(evaluation *e, pairs_result *r)
{
    pairs_result other = {0};
    dpl_dataset *dataset = NULL;
    dpl_pictures pictures;
    dpl_embeddings embeddings = {0};
    dpl_error err;
    int code = open_pairs(e, &other, e->o->threshold_from, &dataset, &pictures, &embeddings);

    if (!code && r->graded) {
        dpl_agreement a;
        if (dpl_agreement_make(&a, other.scores, other.grades, other.pairs.n, &err) != DPL_OK)
            code = common_fail(e->self, &e->o->common, &err);
        r->slope = a.slope;
        r->intercept = a.intercept;
    } else if (!code && dpl_best_threshold(&r->threshold, other.scores, other.same, other.pairs.n,
                                           &err) != DPL_OK) {
        code = common_fail(e->self, &e->o->common, &err);
    }
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

/* Scores beside grades. Those of a cosine, of exp(-distance) and of a sigmoid lie from 0 to 1 as
 * grades do on their scale; a distance is on no scale. */
static int measure_grades(evaluation *e, pairs_result *r)
{
    const double low = e->o->scale_low, high = e->o->scale_high;
    const bool on_scale = dpl_head_get_kind(eval_head(e)) != DPL_HEAD_EUCLIDEAN;
    dpl_error err;

    r->squared_error =
        on_scale ? dpl_squared_error(r->scores, r->grades, r->pairs.n, high - low, low) : NAN;
    return dpl_agreement_make(&r->agreement, r->scores, r->grades, r->pairs.n, &err) == DPL_OK
               ? 0
               : common_fail(e->self, &e->o->common, &err);
}

static int measure_pairs(evaluation *e, pairs_result *r)
{
    if (r->graded)
        return measure_grades(e, r);
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
        return text_format("%.4f ± %.4f (%.4f to %.4f): %lld of %lld right at threshold %.4g, %s%s",
                           a->rate, sqrt(a->rate * (1 - a->rate) / (double)a->of), a->low, a->high,
                           (long long)a->n, (long long)a->of, r->threshold,
                           e->o->threshold_from ? "the best on " : "as given",
                           e->o->threshold_from ? e->o->threshold_from : "");
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

static char *describe_correlation(const dpl_correlation *c)
{
    return isfinite(c->value) ? text_format("%.4f (%.4f to %.4f)", c->value, c->low, c->high)
                              : text_format("none: scores or grades do not vary");
}

static void tell_grades_text(const evaluation *e, const pairs_result *r)
{
    const dpl_agreement *a = &r->agreement;
    const size_t n = r->pairs.n;
    char count[64];

    text_counted(count, (int64_t)n, "pair");
    eval_print_row(
        "pairs",
        a->n_unscored == 0
            ? text_format("%s with grades from %g to %g", count, e->o->scale_low, e->o->scale_high)
            : text_format("%s with grades from %g to %g; %lld without a score, left out", count,
                          e->o->scale_low, e->o->scale_high, (long long)a->n_unscored));
    eval_print_row("items", eval_describe_items(e));
    eval_print_row("Pearson", describe_correlation(&a->pearson));
    eval_print_row("Spearman", describe_correlation(&a->spearman));
    if (isfinite(r->squared_error))
        eval_print_row(
            "squared error",
            text_format("%.4f, the score from 0 to 1 laid onto the scale", r->squared_error));
    if (isfinite(r->slope))
        eval_print_row(
            "squared error",
            text_format("%.4f, by the line %.4g + %.4g score, the best on %s",
                        dpl_squared_error(r->scores, r->grades, n, r->slope, r->intercept),
                        r->intercept, r->slope, e->o->threshold_from));
    puts("Intervals are at 95 %.");
}

static void tell_pairs_text(const evaluation *e, const pairs_result *r)
{
    const dpl_metrics *m = &r->metrics;

    if (r->graded) {
        tell_grades_text(e, r);
        return;
    }
    eval_print_row("pairs", describe_pairs(r));
    if (e->of_items)
        eval_print_row("items", eval_describe_items(e));
    else
        eval_print_row("pictures", eval_describe_pictures(e));
    if (e->o->random)
        eval_print_row("drawn",
                       text_format("seed %d, pairs of two %s", e->o->seed,
                                   e->o->within_group ? "within a group" : "from anywhere"));
    eval_print_row("accuracy", describe_accuracy(e, r));
    eval_print_row("errors", describe_errors(r));
    eval_print_row("AUC", text_format("%.4f (%.4f to %.4f)", m->auc, m->auc_low, m->auc_high));
    eval_print_row("EER",
                   text_format("%.4f (%.4f to %.4f) at threshold %.4g; resampled from seed %d",
                               m->eer, m->eer_low, m->eer_high, m->eer_threshold, e->o->seed));
    for (int i = 0; i < DPL_N_TAR; i++) {
        char *name = text_format("TAR at %g", m->tar[i].far);
        eval_print_row(name, describe_tar(&m->tar[i]));
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
        eval_put_share(answer, "accuracy", &r->accuracy);
        json_put_real(answer, "threshold", r->threshold);
        if (e->o->threshold_from)
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
        eval_put_share(&fold, "accuracy", &r->folds.accuracies[f]);
        json_add(&folds, fold);
    }
    json_put(answer, "folds", folds);
    json_put_bool(answer, "folds_given", r->pairs.folds_given);
}

static json_t *grades_json(const evaluation *e, const pairs_result *r)
{
    const dpl_agreement *a = &r->agreement;
    json_t *answer = eval_begin_json(e, "pairs"), *scale = json_array();

    json_put_int(&answer, "n_pairs", (int64_t)r->pairs.n);
    json_put_int(&answer, "n_unscored", a->n_unscored);
    json_add(&scale, json_real(e->o->scale_low));
    json_add(&scale, json_real(e->o->scale_high));
    json_put(&answer, "scale", scale);
    put_interval(&answer, "pearson", a->pearson.value, a->pearson.low, a->pearson.high, NAN);
    put_interval(&answer, "spearman", a->spearman.value, a->spearman.low, a->spearman.high, NAN);
    json_put_real(&answer, "squared_error", r->squared_error);
    if (isfinite(r->slope)) {
        json_t *line = json_object();
        json_put_real(&line, "slope", r->slope);
        json_put_real(&line, "intercept", r->intercept);
        json_put_real(&line, "squared_error",
                      dpl_squared_error(r->scores, r->grades, r->pairs.n, r->slope, r->intercept));
        json_put_text(&line, "from", e->o->threshold_from);
        json_put(&answer, "line", line);
    }
    return answer;
}

static json_t *pairs_json(const evaluation *e, const pairs_result *r)
{
    if (r->graded)
        return grades_json(e, r);
    const dpl_metrics *m = &r->metrics;
    json_t *answer = eval_begin_json(e, "pairs"), *tars = json_array();

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
        eval_put_share(&tar, "tar", &m->tar[i].tar);
        eval_put_share(&tar, "reached", &m->tar[i].reached);
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
    for (size_t k = 0; k < n && k < EVAL_N_SHOWN; k++) {
        const dpl_pair *p = &r->pairs.pairs[list[k].pair];
        char *line = text_format("score %.4g, threshold %.4g", (double)r->scores[list[k].pair],
                                 threshold_of(r, list[k].pair));
        fputs("<div><div class=\"chips\">", e->page.f);
        eval_page_thumb(e, scratch, p->a,
                        text_format("%s", dpl_picture_name(&e->pictures, (size_t)p->a)));
        eval_page_thumb(e, scratch, p->b,
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
    bool short_of = false;

    eval_page_source(e, line);
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
    fputs("<table class=\"stack\"><tr class=\"heads\"><th class=\"num\">false match rate</th>"
          "<th class=\"num\">true match rate</th><th class=\"num\">95 %</th>"
          "<th class=\"num\">threshold</th><th class=\"num\">false matches</th></tr>\n",
          page->f);
    for (int i = 0; i < DPL_N_TAR; i++) {
        const dpl_tar *t = &m->tar[i];
        fprintf(page->f,
                "<tr><td class=\"num\" data-name=\"false match rate\">%g</td>"
                "<td class=\"num\" data-name=\"true match rate\">%.4f</td>"
                "<td class=\"num\" data-name=\"95 %%\">%.4f to %.4f</td>"
                "<td class=\"num\" data-name=\"threshold\">%.4g</td>"
                "<td class=\"num\" data-name=\"false matches\">%lld of %lld</td></tr>\n",
                t->far, t->tar.rate, t->tar.low, t->tar.high, t->threshold, (long long)t->reached.n,
                (long long)t->reached.of);
        short_of |= *too_short(t) != '\0';
    }
    fputs("</table>", page->f);
    if (short_of)
        html_paragraph(page, "soft",
                       "At the rates with no false match there are too few pairs of "
                       "two: their true match rate is that of a rate not measured.");
    fputs("</section>\n<section class=\"card\" style=\"display:grid;gap:24px;"
          "grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr))\">\n",
          page->f);
    plot_roc(page, m);
    plot_det(page, m);
    fputs("</section>\n", page->f);
    page_mistakes(e, r, scratch, false);
    page_mistakes(e, r, scratch, true);
    eval_page_failed(e);
}

/* Whether it is about pictures, and their models: they are wanted before a list's files are. */
static int begin(evaluation *e)
{
    char *copy;

    if (!e->o->random) {
        e->of_items = !eval_is_of_pictures(e, e->source);
        copy = text_format("%s", e->source);
        e->dir = text_format("%s", e->o->dir ? e->o->dir : dirname(copy));
        free(copy);
    } else {
        const int code = eval_open_items(&e->dataset, e, e->source);
        if (code)
            return code;
        e->of_items = dpl_dataset_item_kind(e->dataset) != DPL_ITEM_PICTURE;
    }
    if (e->of_items && e->page.f)
        return common_refuse(e->self, &e->o->common, DPL_E_ARGUMENT,
                             "--html shows pictures, and \"%s\" is of other items", e->source);
    return e->of_items ? 0 : eval_open_models(e, e->o->random > 0);
}

int eval_pairs(evaluation *e)
{
    pairs_result r = {.threshold = e->o->threshold, .slope = NAN, .intercept = NAN};
    dpl_scratch *scratch = NULL;
    dpl_error err;
    int code = begin(e);

    if (!code)
        code = open_pairs(e, &r, e->source, &e->dataset, &e->pictures, &e->embeddings);
    if (!code && e->o->threshold_from)
        code = ask_other_list(e, &r);
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
