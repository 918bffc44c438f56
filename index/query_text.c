/*
 * query_text.c - a sentence to photos: by their captions, and by the pictures themselves.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "doppel/job.h"
#include "index/gallery.h"

enum {
    FETCH_TIMES = 8, /* fetched for one wanted: a photo may have many captions */
    FETCH_MIN = 64,
    FETCH_MAX = 4096
};

/* Of ranks in two lists (Cormack, Clarke, Büttcher 2009), which found that little hangs on it. */
#define RANKS 60.0

typedef struct asking {
    dpl_gallery *gallery;
    const dpl_text_pipeline *pipeline;
    const dpl_search_options *options;
    dpl_text_answer *out;
    size_t cap;
    const float *vector;
} asking;

/* ------------------------------------------------------------------ what can be searched */

static dpl_status setting_is(bool *same, dpl_gallery *gallery, const char *key, const char *value,
                             dpl_error *err)
{
    const char *text;
    const dpl_status status = dpl_gallery_setting(&text, gallery, key, err);

    *same = status == DPL_OK && text && value && strcmp(text, value) == 0;
    return status;
}

static dpl_status find_spaces(asking *a, dpl_text_by by, bool is_pair, dpl_error *err)
{
    const dpl_text_encoder *encoder = dpl_text_pipeline_encoder(a->pipeline);
    dpl_text_answer *out = a->out;
    bool is_ours = false, is_theirs = false;
    int64_t n_captions = 0, n_pictures = 0;
    dpl_status status = dpli_count_space(&n_captions, a->gallery, DPLI_TEXT_SPACE, err);

    if (status == DPL_OK)
        status = dpli_count_space(&n_pictures, a->gallery, DPLI_IMAGE_SPACE, err);
    if (status == DPL_OK)
        status = setting_is(&is_ours, a->gallery, "model.text.hash", dpl_text_encoder_hash(encoder),
                            err);
    if (status == DPL_OK)
        status = setting_is(&is_theirs, a->gallery, "model.image.hash",
                            dpl_text_encoder_fact(encoder, "pictures"), err);
    if (status != DPL_OK)
        return status;
    out->by_captions = by != DPL_TEXT_BY_PICTURES && n_captions > 0 && is_ours;
    out->by_pictures = by != DPL_TEXT_BY_CAPTIONS && n_pictures > 0 && (is_theirs || is_pair);
    if (out->by_captions || out->by_pictures)
        return DPL_OK;
    if (by != DPL_TEXT_BY_PICTURES && n_captions > 0)
        return dpl_gallery_bind_text(a->gallery, encoder, err); /* which says how they differ */
    if (by == DPL_TEXT_BY_CAPTIONS)
        return dpli_fail(
            err, DPL_E_MISMATCH,
            "gallery \"%s\" holds no captions (doppel scan --text-model puts them there)",
            dpl_gallery_dir(a->gallery));
    const char *held = by == DPL_TEXT_BY_PICTURES
                           ? "vectors of pictures to find"
                           : "no captions (doppel scan --text-model puts them there)";
    if (n_pictures == 0)
        return dpli_fail(err, DPL_E_MISMATCH, "gallery \"%s\" holds no vectors of pictures%s%s",
                         dpl_gallery_dir(a->gallery), by == DPL_TEXT_BY_PICTURES ? "" : ", and ",
                         by == DPL_TEXT_BY_PICTURES ? "" : held);
    return dpli_fail(
        err, DPL_E_MISMATCH,
        "gallery \"%s\" holds %s, and \"%s\" is not a model of sentences for its model "
        "of pictures",
        dpl_gallery_dir(a->gallery), held, dpl_text_encoder_path(encoder));
}

/* ------------------------------------------------------------------ hits */

/* What a hit's row says. */
typedef struct filling {
    dpl_text_hit *hit;
    bool failed;
} filling;

static dpl_status fill(void *ctx, const dpl_template_row *row)
{
    filling *f = ctx;
    dpl_text_hit *h = f->hit;

    h->photo_path = dpli_strdup(row->photo_path, NULL);
    h->person = row->person ? dpli_strdup(row->person, NULL) : NULL;
    h->caption = row->caption ? dpli_strdup(row->caption, NULL) : NULL;
    f->failed = !h->photo_path || (row->person && !h->person) || (row->caption && !h->caption);
    return DPL_OK;
}

static dpl_status find_thumb(void *ctx, const dpl_template_row *row)
{
    dpl_text_hit *h = ctx;

    if (!row->thumb || row->n_thumb == 0 || h->thumb)
        return DPL_OK;
    h->thumb = dpli_alloc(row->n_thumb, 1, NULL);
    if (h->thumb) {
        memcpy(h->thumb, row->thumb, row->n_thumb);
        h->n_thumb = row->n_thumb;
    }
    return DPL_OK;
}

static void clear_hit(dpl_text_hit *h)
{
    free(h->photo_path);
    free(h->person);
    free(h->caption);
    free(h->thumb);
}

/* The answer's hit of this photo, made when there is none. *is_new: it was. */
static dpl_text_hit *hit_of(asking *a, int64_t photo_id, bool *is_new, dpl_error *err)
{
    dpl_text_answer *out = a->out;
    dpl_text_hit *grown;

    *is_new = false;
    for (size_t i = 0; i < out->n_hits; i++)
        if (out->hits[i].photo_id == photo_id)
            return &out->hits[i];
    grown = dpli_grow(out->hits, &a->cap, out->n_hits + 1, sizeof *grown, err);
    if (!grown)
        return NULL;
    out->hits = grown;
    grown += out->n_hits++;
    *grown = (dpl_text_hit){.photo_id = photo_id, .caption_score = NAN, .picture_score = NAN};
    *is_new = true;
    return grown;
}

/* Photos by their rank: of several captions of one the best counts. */
static dpl_status add_hits(asking *a, const dpl_hit *hits, size_t n, bool by_captions,
                           dpl_error *err)
{
    int32_t rank = 0;

    for (size_t i = 0; i < n && hits[i].template_id >= 0; i++) {
        bool is_new;
        dpl_text_hit *h = hit_of(a, hits[i].photo_id, &is_new, err);
        filling f = {h, false};
        dpl_status status;

        if (!h)
            return DPL_E_MEMORY;
        if (by_captions ? h->caption_rank > 0 : h->picture_rank > 0)
            continue;
        if (by_captions) {
            h->caption_rank = ++rank;
            h->caption_score = hits[i].score;
        } else {
            h->picture_rank = ++rank;
            h->picture_score = hits[i].score;
        }
        if (!is_new)
            continue;
        status = dpl_gallery_get_template(a->gallery, hits[i].template_id, fill, &f, err);
        if (status == DPL_E_NOT_FOUND) { /* forgotten by another process since the search */
            a->out->n_hits--;
            continue;
        }
        if (status == DPL_OK && f.failed)
            status = dpli_fail(err, DPL_E_MEMORY, "no memory for the answer");
        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

static dpl_status search(asking *a, const dpl_head *head, const char *space, bool by_captions,
                         dpl_search_info *info, dpl_error *err)
{
    dpl_search_options options = *a->options;
    const int64_t wanted = (int64_t)options.k * FETCH_TIMES;
    dpl_hit *hits;
    dpl_status status;

    options.k = (int32_t)(wanted < FETCH_MIN ? FETCH_MIN : wanted);
    if (options.k > FETCH_MAX) /* what was asked for is fetched in any case */
        options.k = a->options->k > FETCH_MAX ? a->options->k : FETCH_MAX;
    hits = dpli_alloc((size_t)options.k, sizeof *hits, err);
    if (!hits)
        return DPL_E_MEMORY;
    status = dpl_gallery_search(hits, a->gallery, head, space, a->vector, 1, dpl_head_dim(head),
                                &options, info, err);
    if (status == DPL_OK)
        status = add_hits(a, hits, (size_t)options.k, by_captions, err);
    free(hits);
    return status;
}

static double merit(const dpl_text_hit *h)
{
    return (h->caption_rank ? 1 / (RANKS + h->caption_rank) : 0) +
           (h->picture_rank ? 1 / (RANKS + h->picture_rank) : 0);
}

static int by_merit(const void *a, const void *b)
{
    const dpl_text_hit *x = a, *y = b;
    const double left = merit(x), right = merit(y);

    if (left != right)
        return left > right ? -1 : 1;
    return (x->photo_id > y->photo_id) - (x->photo_id < y->photo_id);
}

static void decide(dpl_text_hit *h, const dpl_policy *policy)
{
    const dpl_decision of_caption = dpl_decide(policy, h->caption_score);
    const dpl_decision of_picture = dpl_decide(policy, h->picture_score);
    const bool found = of_caption == DPL_DECISION_MATCH || of_picture == DPL_DECISION_MATCH;

    h->decision = found                                     ? DPL_DECISION_MATCH
                  : of_caption == DPL_DECISION_INCONCLUSIVE ? of_caption
                                                            : of_picture;
}

dpl_status dpl_query_text(dpl_text_answer *out, dpl_gallery *gallery,
                          const dpl_text_pipeline *pipeline, dpl_text_by by, bool is_pair,
                          const dpl_policy *policy, const char *text,
                          const dpl_search_options *options, dpl_error *err)
{
    dpl_search_options known = DPL_SEARCH_OPTIONS_INIT;
    const dpl_text_encoder *encoder = dpl_text_pipeline_encoder(pipeline);
    const int32_t dim = dpl_text_encoder_dim(encoder);
    asking a = {.gallery = gallery, .pipeline = pipeline, .options = &known, .out = out};
    float *vector = NULL;
    dpl_head *cosine = NULL;
    dpl_status status;

    *out = (dpl_text_answer){0};
    status = dpli_options(&known, sizeof known, options, "search", err);
    if (status == DPL_OK && known.k < 1)
        status = dpli_fail(err, DPL_E_ARGUMENT, "k is %d, not 1 or more", (int)known.k);
    if (status == DPL_OK)
        status = find_spaces(&a, by, is_pair, err);
    if (status != DPL_OK)
        return status;
    vector = dpli_alloc((size_t)dim, sizeof *vector, err);
    status =
        vector ? dpl_text_encode(vector, &out->about, encoder, &text, 1, 1, err) : DPL_E_MEMORY;
    a.vector = vector;
    if (status == DPL_OK && out->by_captions)
        status = search(&a, dpl_text_pipeline_head(pipeline), dpli_spaces[DPLI_TEXT_SPACE].name,
                        true, &out->captions, err);
    if (status == DPL_OK && out->by_pictures) {
        status = dpl_head_new(&cosine, DPL_HEAD_COSINE, dim, NULL, 0, err);
        if (status == DPL_OK)
            status =
                search(&a, cosine, dpli_spaces[DPLI_IMAGE_SPACE].name, false, &out->pictures, err);
    }
    if (status != DPL_OK)
        goto done;
    qsort(out->hits, out->n_hits, sizeof *out->hits, by_merit);
    while (out->n_hits > (size_t)known.k)
        clear_hit(&out->hits[--out->n_hits]);
    for (size_t i = 0; i < out->n_hits && status == DPL_OK; i++) {
        dpl_text_hit *h = &out->hits[i];

        if (policy)
            decide(h, policy);
        status = dpl_gallery_each_template_of(gallery, h->photo_id, find_thumb, h, err);
    }
done:
    dpl_head_free(cosine);
    free(vector);
    if (status != DPL_OK)
        dpl_text_answer_clear(out);
    return status;
}

void dpl_text_answer_clear(dpl_text_answer *answer)
{
    if (!answer)
        return;
    for (size_t i = 0; i < answer->n_hits; i++)
        clear_hit(&answer->hits[i]);
    free(answer->hits);
    *answer = (dpl_text_answer){0};
}
