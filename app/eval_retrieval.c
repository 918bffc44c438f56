/*
 * eval_retrieval.c - `doppel eval retrieval`: how far down an answer's list the right one stands,
 * asked with each item of either side of the list's pairs.
 */
#include "app/eval_retrieval.h"

#include <stdlib.h>
#include <string.h>

#include "app/eval_items.h"
#include "app/json.h"
#include "app/json_print.h"

/* A side's vectors, as a part of all. */
static dpl_embeddings side_of(const evaluation *e, int side)
{
    const dpl_embeddings *all = &e->embeddings;
    const size_t first = e->apart && side == 1 ? e->n_first : 0;
    const size_t n = !e->apart ? all->n : side == 0 ? e->n_first : all->n - e->n_first;

    return (dpl_embeddings){.n = n,
                            .dim = all->dim,
                            .vectors = all->vectors + first * (size_t)all->dim,
                            .errors = all->errors + first};
}

static int measure(evaluation *e, dpl_retrieval out[2])
{
    dpl_embed_options options = DPL_EMBED_OPTIONS_INIT;
    dpl_error err = {DPL_OK, ""};

    for (int side = 0; side < 2; side++) {
        const dpl_embeddings asked = side_of(e, side), answers = side_of(e, 1 - side);
        options.cancel = e->cancel;
        if (dpl_retrieval_make(&out[side], e->dataset, side, eval_head(e), &asked, &answers,
                               &options, &err) != DPL_OK)
            return common_refuse(e->self, &e->o->common, err.status, "\"%s\": %s", e->source,
                                 err.message);
    }
    return 0;
}

static char *describe(const evaluation *e, const dpl_retrieval *r, int side)
{
    const dpl_share *s = r->recall;
    char n[32], candidates[32], failed[64] = "";

    text_count(n, (int64_t)r->n);
    text_count(candidates, (int64_t)r->n_candidates);
    if (r->n_failed)
        snprintf(failed, sizeof failed, "; %lld not found for want of a vector",
                 (long long)r->n_failed);
    return text_format("R@1 %.4f, R@5 %.4f, R@10 %.4f (%.4f to %.4f), median rank %g, mean %.1f: "
                       "%s asked with, among %s %s%s",
                       s[0].rate, s[1].rate, s[2].rate, s[2].low, s[2].high, r->median_rank,
                       r->mean_rank, n, candidates, eval_kind_names(e->kinds[1 - side]), failed);
}

static void tell_text(const evaluation *e, const dpl_retrieval r[2])
{
    eval_print_row("items", eval_describe_items(e));
    for (int side = 1; side >= 0; side--)
        eval_print_row(e->kinds[0] != e->kinds[1] ? eval_kind_names(e->kinds[side])
                       : side == 0                ? "a"
                                                  : "b",
                       describe(e, &r[side], side));
    puts("Intervals are at 95 %.");
}

static json_t *to_json(const evaluation *e, const dpl_retrieval r[2])
{
    static const char *const keys[2] = {"a", "b"};
    json_t *answer = eval_begin_json(e, "retrieval");

    for (int side = 0; side < 2; side++) {
        json_t *one = json_object(), *recall = json_array();
        json_put_int(&one, "n", (int64_t)r[side].n);
        json_put_int(&one, "n_candidates", (int64_t)r[side].n_candidates);
        json_put_int(&one, "n_failed", r[side].n_failed);
        for (int k = 0; k < DPL_N_RECALL; k++) {
            json_t *at = json_object();
            json_put_int(&at, "at", r[side].at[k]);
            eval_put_share(&at, "recall", &r[side].recall[k]);
            json_add(&recall, at);
        }
        json_put(&one, "recall", recall);
        json_put_real(&one, "median_rank", r[side].median_rank);
        json_put_real(&one, "mean_rank", r[side].mean_rank);
        json_put(&answer, keys[side], one);
    }
    return answer;
}

int eval_retrieval(evaluation *e)
{
    dpl_retrieval r[2] = {{0}, {0}};
    dpl_pairs pairs = {0};
    dpl_error err;
    int code = eval_open_items(&e->dataset, e, e->source);

    e->of_items = true;
    if (!code)
        code = eval_open_item_models(e, e->dataset);
    if (!code && dpl_pairs_given(&pairs, e->dataset, e->apart, &err) != DPL_OK)
        code =
            common_refuse(e->self, &e->o->common, err.status, "\"%s\": %s", e->source, err.message);
    if (!code) {
        e->pictures =
            (dpl_pictures){.n = pairs.n_pictures, .dataset = e->dataset, .items = pairs.items};
        code = eval_embed_items(e, &e->embeddings, &pairs, e->dataset);
    }
    if (!code)
        code = measure(e, r);
    if (!code && e->o->common.json)
        json_print(to_json(e, r));
    else if (!code)
        tell_text(e, r);
    dpl_retrieval_clear(&r[0]);
    dpl_retrieval_clear(&r[1]);
    dpl_pairs_clear(&pairs);
    return code;
}
