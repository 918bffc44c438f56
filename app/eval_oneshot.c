/*
 * eval_oneshot.c - `doppel eval oneshot`: how often the right one of several is found from one
 * example.
 */
#include "app/eval_oneshot.h"

#include <math.h>
#include <stdlib.h>

#include "app/json.h"
#include "app/json_print.h"

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

    eval_print_row("trials", describe_trials(e, t));
    eval_print_row("pictures", eval_describe_pictures(e));
    eval_print_row("accuracy",
                   text_format("%lld of %lld = %.1f %% (%.1f to %.1f)", (long long)a->n,
                               (long long)a->of, 100 * a->rate, 100 * a->low, 100 * a->high));
    if (isfinite(o->mean))
        eval_print_row("runs", text_format("%.1f %% ± %.1f (mean and standard error of %d runs)",
                                           100 * o->mean, 100 * o->standard_error, (int)t->n_runs));
    for (int32_t i = 0; i < t->n_runs; i++) {
        char *name = text_format("  %s", t->run_names[i]);
        eval_print_row(
            name, text_format("%lld of %lld", (long long)o->runs[i].n, (long long)o->runs[i].of));
        free(name);
    }
    if (o->n_tied > 0 || o->n_failed > 0)
        eval_print_row("lost", text_format("%lld to a tie, %lld to pictures without a vector; they "
                                           "count as wrong",
                                           (long long)o->n_tied, (long long)o->n_failed));
    puts("Intervals are at 95 %.");
}

static json_t *oneshot_json(const evaluation *e, const dpl_trials *t, const dpl_oneshot *o)
{
    json_t *answer = eval_begin_json(e, "oneshot"), *runs = json_array();

    eval_put_share(&answer, "accuracy", &o->accuracy);
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
        eval_put_share(&run, "accuracy", &o->runs[i]);
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

    eval_page_source(e, line);
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
    for (size_t i = 0; i < t->n && shown < 2 * EVAL_N_SHOWN; i++) {
        const dpl_trial *trial = &t->trials[i];
        if (o->chosen[i] < 0 || o->chosen[i] == trial->answer)
            continue;
        shown++;
        fputs("<div><div class=\"chips\">", page->f);
        eval_page_thumb(e, scratch, trial->test, text_format("test"));
        eval_page_thumb(e, scratch, t->candidates[trial->first + trial->answer],
                        text_format("right"));
        eval_page_thumb(e, scratch, t->candidates[trial->first + o->chosen[i]],
                        text_format("chosen"));
        fputs("</div></div>\n", page->f);
    }
    fputs("</div></section>\n", page->f);
    eval_page_failed(e);
}

int eval_oneshot(evaluation *e)
{
    const eval_options *o = e->o;
    dpl_trials trials = {0};
    dpl_oneshot result = {0};
    dpl_scratch *scratch = NULL;
    dpl_error err;
    dpl_status status = DPL_OK;
    int code = eval_open_models(e, true);

    if (!code)
        code = eval_open_data(&e->dataset, e, e->source, o->runs != NULL);
    if (!code)
        status = o->runs ? dpl_trials_read(&trials, e->dataset, &err)
                         : dpl_trials_draw(&trials, e->dataset, o->way, (size_t)o->trials,
                                           o->within_group, (uint64_t)o->seed, &err);
    if (status != DPL_OK)
        code = common_refuse(e->self, &o->common, status, "%s: %s", e->source, err.message);
    e->pictures =
        (dpl_pictures){.n = trials.n_pictures, .dataset = e->dataset, .items = trials.items};
    if (!code)
        code = eval_embed(e, &e->embeddings, &e->pictures);
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
