/* An evaluation under way: what pairs and one-shot trials have in common. */
#ifndef DOPPEL_APP_EVAL_SHARED_H
#define DOPPEL_APP_EVAL_SHARED_H

#include <jansson.h>
#include <stdbool.h>

#include "app/common.h"
#include "app/html.h"
#include "app/progress.h"

#define EVAL_N_SHOWN 12 /* pairs of either kind, or trials, on the page */

typedef struct eval_options {
    common common;
    const char *dir, *threshold_from, *runs;
    const char *kinds, *grades, *split, *classes, *second_model;
    double threshold;             /* NaN: not given */
    int kind[2];                  /* that kinds says: a dpl_item_kind, -1 */
    double scale_low, scale_high; /* that grades says; both 0: labels */
    int random, way, trials, seed;
    bool aligned, within_group;
} eval_options;

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
    /* Of items that need not be pictures (eval_items.h). */
    bool of_items, apart; /* apart: either side has vectors of its own */
    dpl_item_kind kinds[2];
    dpl_text_encoder *sentences[2];
    dpl_net *numbers[2];
    dpl_item_model models[2]; /* of either side; borrowed from these, and from the pipeline */
    dpl_head *item_head;      /* NULL: the pipeline's */
    size_t n_first;           /* of the embeddings, a's */
} evaluation;

/** What compares. */
const dpl_head *eval_head(const evaluation *e);

/** Open the models that the options name. whole: whether pictures are taken whole where neither an
 * option nor the encoder says so. 0, or an exit code after a message; so of all here. */
int eval_open_models(evaluation *e, bool whole);
int eval_open_data(dpl_dataset **out, const evaluation *e, const char *path, bool plain);

/** Vectors of all pictures; those that give none are told. */
int eval_embed(evaluation *e, dpl_embeddings *out, const dpl_pictures *pictures);

/** Around embedding by another way than eval_embed: what it is told, and what comes of it, which a
 * status not OK has not filled. */
void eval_embed_begin(evaluation *e, dpl_embed_options *options, const char *what);
int eval_embed_end(evaluation *e, const dpl_embeddings *embeddings, dpl_status status,
                   const dpl_error *err);

/** "picture", "sentence" …; "pictures", "sentences" … */
const char *eval_kind_name(dpl_item_kind kind);
const char *eval_kind_names(dpl_item_kind kind);

/** doppel.eval/1, as far as both tasks have it; and a share of it. */
json_t *eval_begin_json(const evaluation *e, const char *task);
void eval_put_share(json_t **object, const char *key, const dpl_share *s);

/** A line of the answer as text; value is freed. */
void eval_print_row(const char *name, char *value);
/** How many pictures there were, and how many gave no vector; freed by free(). */
char *eval_describe_pictures(const evaluation *e);

/** Parts of the page: a picture with a caption, which is freed; what was evaluated; what failed. */
void eval_page_thumb(const evaluation *e, dpl_scratch *scratch, int32_t picture, char *caption);
void eval_page_source(const evaluation *e, const char *what);
void eval_page_failed(const evaluation *e);

#endif
