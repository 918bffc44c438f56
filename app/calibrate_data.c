/*
 * calibrate_data.c - what `doppel calibrate` measures on, as vectors: read from the gallery, or
 * pictures through the pipeline.
 */
#include "app/calibrate_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/text.h"

#define N_TOLD 10 /* failed pictures told one by one */

/* ------------------------------------------------------------------ opening */

/* Whether pictures are taken whole where no option says it: by encoders that know of no face. */
static int choose_detection(calibration_run *r)
{
    common *o = &r->o->common;
    dpl_net_options limits = common_model_limits(o);
    dpl_encoder *encoder;
    dpl_error err;

    if (o->detect >= 0 || !o->model || !r->data)
        return 0;
    if (dpl_encoder_open_with(&encoder, o->model, o->preset, &limits, &err) != DPL_OK)
        return common_fail(r->self, o, &err);
    o->detect = !dpl_encoder_fact(encoder, "template");
    dpl_encoder_close(encoder);
    return 0;
}

/* Own people can be read only with the encoder that made their vectors. */
static int open_gallery(calibration_run *r)
{
    common *o = &r->o->common;

    return r->data && (r->o->into || r->o->dry_run)
               ? 0
               : common_open_gallery(&r->gallery, r->self, o, DPL_GALLERY_READ);
}

int calibrate_open(calibration_run *r)
{
    common *o = &r->o->common;
    dpl_error err;
    int code = choose_detection(r);

    if (!code)
        code = open_gallery(r);
    if (!code)
        code = common_open_pipeline(&r->pipeline, r->self, o, r->gallery, 0);
    if (!code && r->gallery &&
        dpl_gallery_bind(r->gallery, dpl_pipeline_encoder(r->pipeline), &err) != DPL_OK)
        code = common_fail(r->self, o, &err);
    if (!code && r->data && dpl_dataset_open(&r->dataset, r->data, NULL, &err) != DPL_OK)
        code = common_fail(r->self, o, &err);
    return code;
}

/* ------------------------------------------------------------------ samples */

/* One more; takes the name. strata 0: it is in none. */
static void add_sample(calibration_run *r, const float *vector, int32_t person,
                       const dpl_quality *quality, uint64_t strata, char *name)
{
    dpl_samples *s = &r->samples;
    const size_t dim = (size_t)s->dim;

    if (s->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 1024;
        r->vectors = text_need(realloc(r->vectors, r->cap * dim * sizeof *r->vectors));
        r->people = text_need(realloc(r->people, r->cap * sizeof *r->people));
        r->quality = text_need(realloc(r->quality, r->cap * sizeof *r->quality));
        r->strata = text_need(realloc(r->strata, r->cap * sizeof *r->strata));
        r->names = text_need(realloc(r->names, r->cap * sizeof *r->names));
    }
    memcpy(r->vectors + s->n * dim, vector, dim * sizeof *vector);
    r->people[s->n] = person;
    r->quality[s->n] = *quality;
    r->strata[s->n] = strata;
    r->names[s->n] = name;
    s->n++;
}

static void add_person(calibration_run *r, const char *name)
{
    if ((size_t)r->samples.n_people == r->people_cap) {
        r->people_cap = r->people_cap ? 2 * r->people_cap : 256;
        r->people_names =
            text_need(realloc(r->people_names, r->people_cap * sizeof *r->people_names));
    }
    r->people_names[r->samples.n_people++] = text_format("%s", name);
}

/* ------------------------------------------------------------------ of the gallery */

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    calibration_run *r = ctx;
    dpl_quality quality = row->face.quality;

    if (!row->is_face || (quality.overall == 0 && quality.detector == 0))
        quality.overall = NAN; /* not known */
    add_sample(r, row->vector, r->samples.n_people - 1, &quality, 1,
               text_format("%s", row->photo_path));
    return DPL_OK;
}

typedef struct name_list {
    char **names;
    size_t n, cap;
} name_list;

static dpl_status take_person(void *ctx, const dpl_person *row)
{
    name_list *l = ctx;

    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 256;
        l->names = text_need(realloc(l->names, l->cap * sizeof *l->names));
    }
    l->names[l->n++] = text_format("%s", row->name);
    return DPL_OK;
}

static int read_gallery(calibration_run *r)
{
    const char *space = dpl_encoder_space(dpl_pipeline_encoder(r->pipeline));
    name_list list = {0};
    dpl_error err;
    dpl_status status = dpl_gallery_each_person(r->gallery, take_person, &list, &err);

    for (size_t i = 0; i < list.n && status == DPL_OK; i++) {
        add_person(r, list.names[i]);
        status =
            dpl_gallery_each_template(r->gallery, list.names[i], space, take_template, r, &err);
    }
    for (size_t i = 0; i < list.n; i++)
        free(list.names[i]);
    free(list.names);
    r->source = text_format("%s", r->o->source ? r->o->source : "the gallery's own people");
    return status == DPL_OK ? 0 : common_fail(r->self, &r->o->common, &err);
}

/* ------------------------------------------------------------------ of pictures */

static void tell_failed(calibration_run *r, const dpl_error *why)
{
    r->n_failed++;
    if (dpl_status_exit_code(why->status) > dpl_status_exit_code(r->worst))
        r->worst = why->status;
    if (r->n_told++ >= N_TOLD)
        return;
    fprintf(stderr, "doppel %s: no vector: ", r->self->name);
    text_put(stderr, why->message);
    fputc('\n', stderr);
}

/* The bit of a stratum by its name, n bytes; 0 when there are too many. */
static uint64_t stratum_bit(calibration_run *r, const char *name, size_t n)
{
    int32_t k = 0;

    while (k < r->samples.n_strata &&
           (strncmp(r->strata_names[k], name, n) != 0 || r->strata_names[k][n]))
        k++;
    if (k == DPL_CALIBRATE_MAX_STRATA)
        return 0;
    if (k == r->samples.n_strata) {
        r->strata_names[k] = text_format("%.*s", (int)n, name);
        r->samples.n_strata++;
    }
    return (uint64_t)1 << k;
}

/* What a picture's strata are, parted by ";". */
static int read_strata(uint64_t *out, calibration_run *r, int32_t item)
{
    const char *text = dpl_dataset_stratum_of(r->dataset, item);

    *out = 0;
    while (*text) {
        size_t n = strcspn(text, ";"), first = strspn(text, " "), last = n;

        while (last > first && text[last - 1] == ' ')
            last--;
        if (last > first) {
            const uint64_t bit = stratum_bit(r, text + first, last - first);

            if (!bit)
                return common_refuse(r->self, &r->o->common, DPL_E_LIMIT,
                                     "\"%.200s\": more than %d strata", r->data,
                                     DPL_CALIBRATE_MAX_STRATA);
            *out |= bit;
        }
        text += n + (text[n] == ';');
    }
    return 0;
}

/* Whether a picture is to be calibrated with. */
static int read_role(bool *calibrates, const calibration_run *r, int32_t item)
{
    const char *role = dpl_dataset_role_of(r->dataset, item);

    *calibrates = !*role || strcmp(role, "calibrate") == 0;
    return *calibrates || strcmp(role, "cohort") == 0
               ? 0
               : common_refuse(r->self, &r->o->common, DPL_E_INPUT,
                               "\"%.200s\": the role \"%.60s\" of \"%.200s\" is neither "
                               "\"calibrate\" nor \"cohort\"",
                               r->data, role, dpl_dataset_item_name(r->dataset, item));
}

static void step(void *ctx, int64_t n_done, int64_t n_total)
{
    progress_step(ctx, n_done, n_total);
}

/* Which items, in order. */
static int list_items(int32_t **items, size_t *n, calibration_run *r)
{
    const int32_t n_items = dpl_dataset_n_items(r->dataset);
    int code = 0;

    *items = text_need(malloc(((size_t)n_items + 1) * sizeof **items));
    *n = 0;
    for (int32_t i = 0; i < n_items && !code; i++) {
        bool calibrates;

        code = read_role(&calibrates, r, i);
        if (!code && calibrates)
            (*items)[(*n)++] = i;
    }
    return code;
}

static int add_pictures(calibration_run *r, const int32_t *items, const dpl_embeddings *e)
{
    size_t n_placed = 0;
    int32_t cls = -1;

    for (size_t i = 0; i < e->n; i++) {
        const int32_t now = dpl_dataset_class_of(r->dataset, items[i]);
        dpl_quality quality = e->faces[i].quality;
        uint64_t strata;
        int code = read_strata(&strata, r, items[i]);

        if (code)
            return code;
        if (e->errors[i]) {
            tell_failed(r, e->errors[i]);
            continue;
        }
        if (now != cls)
            add_person(r, dpl_dataset_class_name(r->dataset, now));
        cls = now;
        n_placed += strata != 0;
        if (!dpl_pipeline_detector(r->pipeline))
            quality.overall = NAN;
        add_sample(r, e->vectors + i * (size_t)e->dim, r->samples.n_people - 1, &quality, strata,
                   text_format("%s", dpl_dataset_item_name(r->dataset, items[i])));
    }
    for (size_t i = 0; n_placed > 0 && i < r->samples.n; i++)
        if (!r->strata[i])
            return common_refuse(r->self, &r->o->common, DPL_E_INPUT,
                                 "\"%.200s\": \"%.200s\" is in no stratum, others are", r->data,
                                 r->names[i]);
    return 0;
}

/* The last part of a path, without what only the machine's owner should read. */
static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static int read_pictures(calibration_run *r)
{
    dpl_embed_options options = DPL_EMBED_OPTIONS_INIT;
    dpl_pictures pictures = {.dataset = r->dataset};
    dpl_embeddings e = {0};
    int32_t *items;
    dpl_status status;
    dpl_error err;
    int code = list_items(&items, &pictures.n, r);

    if (!code) {
        pictures.items = items;
        options.cancel = r->cancel;
        options.n_threads = r->o->threads;
        options.on_progress = step;
        options.ctx = &r->progress;
        progress_start(&r->progress, "pictures", r->o->common.quiet);
        status = dpl_embed(&e, r->pipeline, &pictures, &options, &err);
        progress_wipe(&r->progress);
        code = status == DPL_OK ? add_pictures(r, items, &e)
                                : common_fail(r->self, &r->o->common, &err);
    }
    if (r->n_told > N_TOLD)
        fprintf(stderr, "doppel %s: and %zu more without a vector\n", r->self->name,
                r->n_told - N_TOLD);
    r->n_pictures = pictures.n;
    r->source = text_format("%s", r->o->source ? r->o->source : base_of(r->data));
    dpl_embeddings_clear(&e);
    free(items);
    return code;
}

int calibrate_read(calibration_run *r)
{
    dpl_samples *s = &r->samples;
    dpl_error err;
    int code;

    s->dim = dpl_encoder_dim(dpl_pipeline_encoder(r->pipeline));
    code = r->data ? read_pictures(r) : read_gallery(r);
    s->vectors = r->vectors;
    s->people = r->people;
    s->quality = r->quality;
    s->strata = s->n_strata > 0 ? r->strata : NULL;
    s->names = (const char *const *)r->names;
    s->people_names = (const char *const *)r->people_names;
    s->strata_names = (const char *const *)r->strata_names;
    if (!code && r->o->review &&
        dpl_review_apply(r->people, s->n, s->people_names, s->n_people, r->o->review, &r->n_merged,
                         &err) != DPL_OK)
        code = common_fail(r->self, &r->o->common, &err);
    return code;
}

void calibrate_close(calibration_run *r)
{
    for (size_t i = 0; i < r->samples.n; i++)
        free(r->names[i]);
    for (int32_t i = 0; i < r->samples.n_people; i++)
        free(r->people_names[i]);
    for (int32_t i = 0; i < r->samples.n_strata; i++)
        free(r->strata_names[i]);
    free(r->vectors);
    free(r->people);
    free(r->quality);
    free(r->strata);
    free(r->names);
    free(r->people_names);
    free(r->source);
    dpl_dataset_close(r->dataset);
    dpl_pipeline_close(r->pipeline);
    dpl_gallery_close(r->gallery);
}
