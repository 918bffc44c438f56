/*
 * calibrate_text.c - `doppel calibrate --text`: the pairs of a list, scored by a model of
 * sentences, to the table that verify --text decides by.
 */
#include "app/calibrate_text.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/json_print.h"

typedef struct run {
    const command *self;
    const calibrate_options *o;
    const char *list;
    dpl_text_pipeline *pipeline;
    dpl_dataset *pairs;
    float *vectors, *scores;
    float *seconds; /* of the second side; NULL: the same */
    bool *same;
    size_t n;
} run;

static int open_all(run *r, const char *path, const char *merges)
{
    const common *o = &r->o->common;
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_error err;
    int code = common_open_text(&r->pipeline, r->self, o, path, merges);

    if (code)
        return code;
    options.kinds[0] = options.kinds[1] = DPL_ITEM_SENTENCE;
    if (dpl_dataset_open(&r->pairs, r->list, &options, &err) != DPL_OK)
        return common_fail(r->self, o, &err);
    r->n = (size_t)dpl_dataset_n_pairs(r->pairs);
    return r->n > 0
               ? 0
               : common_refuse(r->self, o, DPL_E_INPUT,
                               "\"%.300s\": not a list of pairs: its columns are a, b and label",
                               r->list);
}

/* All sentences once, then all pairs. */
static int score(run *r)
{
    const dpl_text_encoder *encoder = dpl_text_pipeline_encoder(r->pipeline);
    const dpl_text_encoder *second = dpl_text_pipeline_second(r->pipeline);
    const size_t dim = (size_t)dpl_text_encoder_dim(encoder);
    const size_t n_texts = (size_t)dpl_dataset_n_items(r->pairs);
    const char **texts = text_need(calloc(n_texts + 1, sizeof *texts));
    dpl_status status;
    dpl_error err;

    r->vectors = text_need(calloc(n_texts + 1, dim * sizeof *r->vectors));
    r->scores = text_need(calloc(r->n, sizeof *r->scores));
    r->same = text_need(calloc(r->n, sizeof *r->same));
    for (size_t i = 0; i < n_texts; i++)
        texts[i] = dpl_dataset_sentence(r->pairs, (int32_t)i);
    if (dpl_text_encoder_fact(encoder, "side") && second == encoder) {
        free(texts);
        return common_refuse(r->self, &r->o->common, DPL_E_MODEL,
                             "\"%.300s\" is the model of one side of a pair: --second-text-model "
                             "says the other's",
                             dpl_text_encoder_path(encoder));
    }
    status =
        dpl_text_encode(r->vectors, NULL, encoder, texts, n_texts, r->o->common.n_threads, &err);
    if (status == DPL_OK && second != encoder) {
        r->seconds = text_need(calloc(n_texts + 1, dim * sizeof *r->seconds));
        status =
            dpl_text_encode(r->seconds, NULL, second, texts, n_texts, r->o->common.n_threads, &err);
    }
    free(texts);
    if (status != DPL_OK)
        return common_fail(r->self, &r->o->common, &err);
    for (size_t i = 0; i < r->n; i++) {
        const dpl_given_pair *pair = dpl_dataset_pair(r->pairs, (int32_t)i);

        r->scores[i] =
            dpl_head_score(dpl_text_pipeline_head(r->pipeline), r->vectors + (size_t)pair->a * dim,
                           (r->seconds ? r->seconds : r->vectors) + (size_t)pair->b * dim);
        r->same[i] = pair->grade > 0.5f;
    }
    return 0;
}

static void tell(const dpl_calibrated_pairs *c, const char *written)
{
    char pairs[64], same[64], rate[64];

    printf("%s that do not say the same, %s that do\n",
           text_counted(pairs, (int64_t)c->n_pairs, "pair"), text_count(same, (int64_t)c->n_same));
    printf("  supports rates down to %.2g, %s\n", c->lowest_fmr, text_fmr(rate, c->lowest_fmr));
    if (written) {
        fputs("  written into ", stdout);
        text_put(stdout, written);
        putchar('\n');
    } else {
        puts("  nothing was written (--into FILE writes it)");
    }
}

static void tell_json(const run *r, const dpl_calibrated_pairs *c, const char *written)
{
    const dpl_text_encoder *encoder = dpl_text_pipeline_encoder(r->pipeline);
    json_t *answer = json_answer("calibrate");

    json_put_status(&answer, DPL_OK, NULL);
    json_put_int(&answer, "n_pairs", (int64_t)c->n_pairs);
    json_put_int(&answer, "n_genuine_pairs", (int64_t)c->n_same);
    json_put_real(&answer, "lowest_fmr", c->lowest_fmr);
    json_put_net(&answer, "model", dpl_text_encoder_net(encoder), dpl_text_encoder_hash(encoder));
    json_put_text(&answer, "written", written);
    json_print(answer);
}

static int measure(run *r)
{
    const calibrate_options *o = r->o;
    const char *slash = strrchr(r->list, '/'), *name = slash ? slash + 1 : r->list;
    dpl_calibrated_pairs c;
    dpl_error err;
    dpl_status status =
        dpl_calibrate_pairs(&c, r->scores, r->same, r->n, dpl_text_pipeline_head(r->pipeline),
                            o->fmr, o->source ? o->source : name, &err);

    if (status == DPL_OK && o->into)
        status = dpl_calibration_into_model(o->into, c.json, NULL, &err);
    if (status != DPL_OK) {
        dpl_calibrated_pairs_clear(&c);
        return common_fail(r->self, &o->common, &err);
    }
    if (o->common.json)
        tell_json(r, &c, o->into);
    else
        tell(&c, o->into);
    dpl_calibrated_pairs_clear(&c);
    return 0;
}

/* --into must be the model that has scored. */
static int check_into(const run *r)
{
    const dpl_net *scored = dpl_text_encoder_net(dpl_text_pipeline_encoder(r->pipeline));
    dpl_net_options limits = common_model_limits(&r->o->common);
    dpl_net *net;
    dpl_error err;
    int code = 0;

    if (!r->o->into)
        return 0;
    if (dpl_net_open(&net, r->o->into, &limits, &err) != DPL_OK)
        return common_fail(r->self, &r->o->common, &err);
    if (strcmp(dpl_net_hash(net), dpl_net_hash(scored)) != 0)
        code = common_refuse(r->self, &r->o->common, DPL_E_MISMATCH,
                             "--into \"%.200s\" is another model than --text-model", r->o->into);
    dpl_net_close(net);
    return code;
}

int calibrate_text(const command *self, const calibrate_options *o, const char *list)
{
    run r = {.self = self, .o = o, .list = list};
    char *path, *merges;
    int code = common_find_text_model(&path, &merges, self, &o->common, NULL);

    if (!code)
        code = open_all(&r, path, merges);
    if (!code)
        code = check_into(&r);
    if (!code)
        code = score(&r);
    if (!code)
        code = measure(&r);
    free(path);
    free(merges);
    free(r.vectors);
    free(r.seconds);
    free(r.scores);
    free(r.same);
    dpl_dataset_close(r.pairs);
    dpl_text_pipeline_close(r.pipeline);
    return code;
}
