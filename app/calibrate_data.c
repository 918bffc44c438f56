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
static void add_sample(sample_set *set, const float *vector, int32_t person,
                       const dpl_quality *quality, uint64_t strata, char *name)
{
    dpl_samples *s = &set->samples;
    const size_t dim = (size_t)s->dim;

    if (s->n == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 1024;
        set->vectors = text_need(realloc(set->vectors, set->cap * dim * sizeof *set->vectors));
        set->people = text_need(realloc(set->people, set->cap * sizeof *set->people));
        set->quality = text_need(realloc(set->quality, set->cap * sizeof *set->quality));
        set->strata = text_need(realloc(set->strata, set->cap * sizeof *set->strata));
        set->names = text_need(realloc(set->names, set->cap * sizeof *set->names));
    }
    memcpy(set->vectors + s->n * dim, vector, dim * sizeof *vector);
    set->people[s->n] = person;
    set->quality[s->n] = *quality;
    set->strata[s->n] = strata;
    set->names[s->n] = name;
    s->n++;
}

static void add_person(sample_set *set, const char *name)
{
    if ((size_t)set->samples.n_people == set->people_cap) {
        set->people_cap = set->people_cap ? 2 * set->people_cap : 256;
        set->people_names =
            text_need(realloc(set->people_names, set->people_cap * sizeof *set->people_names));
    }
    set->people_names[set->samples.n_people++] = text_format("%s", name);
}

/* Now that nothing moves any more. */
static void point(sample_set *set)
{
    dpl_samples *s = &set->samples;

    s->vectors = set->vectors;
    s->people = set->people;
    s->quality = set->quality;
    s->strata = s->n_strata > 0 ? set->strata : NULL;
    s->names = (const char *const *)set->names;
    s->people_names = (const char *const *)set->people_names;
    s->strata_names = (const char *const *)set->strata_names;
}

static void clear_set(sample_set *set)
{
    for (size_t i = 0; i < set->samples.n; i++)
        free(set->names[i]);
    for (int32_t i = 0; i < set->samples.n_people; i++)
        free(set->people_names[i]);
    for (int32_t i = 0; i < set->samples.n_strata; i++)
        free(set->strata_names[i]);
    free(set->vectors);
    free(set->people);
    dpl_bytes_free(set->judged);
    free(set->quality);
    free(set->strata);
    free(set->names);
    free(set->people_names);
}

/* ------------------------------------------------------------------ of the gallery */

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    calibration_run *r = ctx;
    dpl_quality quality = row->face.quality;

    if (!row->is_face || (quality.overall == 0 && quality.detector == 0))
        quality.overall = NAN; /* not known */
    add_sample(&r->own, row->vector, r->own.samples.n_people - 1, &quality, 0,
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
        add_person(&r->own, list.names[i]);
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
static uint64_t stratum_bit(sample_set *set, const char *name, size_t n)
{
    int32_t k = 0;

    while (k < set->samples.n_strata &&
           (strncmp(set->strata_names[k], name, n) != 0 || set->strata_names[k][n]))
        k++;
    if (k == DPL_CALIBRATE_MAX_STRATA)
        return 0;
    if (k == set->samples.n_strata) {
        set->strata_names[k] = text_format("%.*s", (int)n, name);
        set->samples.n_strata++;
    }
    return (uint64_t)1 << k;
}

/* What a picture's strata are, parted by ";". */
static int read_strata(uint64_t *out, const calibration_run *r, sample_set *set, int32_t item)
{
    const char *text = dpl_dataset_stratum_of(r->dataset, item);

    *out = 0;
    while (*text) {
        size_t n = strcspn(text, ";"), first = strspn(text, " "), last = n;

        while (last > first && text[last - 1] == ' ')
            last--;
        if (last > first) {
            const uint64_t bit = stratum_bit(set, text + first, last - first);

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

static bool is_of_cohort(const calibration_run *r, int32_t item)
{
    return strcmp(dpl_dataset_role_of(r->dataset, item), "cohort") == 0;
}

/* Roles are known words, and no class has both: whoever is in the cohort is no stranger to it. */
static int check_roles(bool *any, const calibration_run *r)
{
    *any = false;
    for (int32_t i = 0; i < dpl_dataset_n_items(r->dataset); i++) {
        const char *role = dpl_dataset_role_of(r->dataset, i);
        const int32_t cls = dpl_dataset_class_of(r->dataset, i);

        if (*role && strcmp(role, "calibrate") != 0 && !is_of_cohort(r, i))
            return common_refuse(r->self, &r->o->common, DPL_E_INPUT,
                                 "\"%.200s\": the role \"%.60s\" of \"%.200s\" is neither "
                                 "\"calibrate\" nor \"cohort\"",
                                 r->data, role, dpl_dataset_item_name(r->dataset, i));
        if (i > 0 && dpl_dataset_class_of(r->dataset, i - 1) == cls &&
            is_of_cohort(r, i) != is_of_cohort(r, i - 1))
            return common_refuse(r->self, &r->o->common, DPL_E_INPUT,
                                 "\"%.200s\": \"%.200s\" is of the cohort and is calibrated with",
                                 r->data, dpl_dataset_class_name(r->dataset, cls));
        *any = *any || is_of_cohort(r, i);
    }
    return 0;
}

static void step(void *ctx, int64_t n_done, int64_t n_total)
{
    progress_step(ctx, n_done, n_total);
}

/* Which classes make the cohort: those of that role; where no role is given, half of all, drawn.
 * [n_classes] */
static bool *choose_classes(const calibration_run *r, bool by_role)
{
    const int32_t n = dpl_dataset_n_classes(r->dataset);
    bool *chosen = text_need(calloc((size_t)n + 1, sizeof *chosen));
    int32_t n_items, first;
    uint64_t state = (uint64_t)r->o->seed;

    for (int32_t cls = 0; cls < n; cls++) {
        first = dpl_dataset_class_items(r->dataset, cls, &n_items);
        /* splitmix64's step and mix: the same draw on every machine. */
        uint64_t x = state += UINT64_C(0x9E3779B97F4A7C15);
        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        chosen[cls] = by_role ? is_of_cohort(r, first) : r->o->cohort && (x & 1);
    }
    return chosen;
}

/* Items to encode, in order: those of the cohort only where one is to be made. */
static size_t list_items(int32_t *items, const calibration_run *r, const bool *chosen)
{
    size_t n = 0;

    for (int32_t i = 0; i < dpl_dataset_n_items(r->dataset); i++)
        if (r->o->cohort || !chosen[dpl_dataset_class_of(r->dataset, i)])
            items[n++] = i;
    return n;
}

/* What can be refused before anything is encoded, which takes long: what the strata are, and whom
 * the review names. */
static int check_pictures(calibration_run *r, const bool *chosen, const int32_t *items, size_t n)
{
    sample_set *sets[] = {&r->own, &r->others};
    const int32_t n_classes = dpl_dataset_n_classes(r->dataset);
    const char **names = text_need(calloc((size_t)n_classes + 1, sizeof *names));
    int32_t n_names = 0, none[2] = {-1, -1}, *judged = NULL;
    int64_t n_merged;
    size_t n_judged;
    dpl_error err;
    int code = 0;

    for (size_t i = 0; i < n && !code; i++) {
        const bool which = chosen[dpl_dataset_class_of(r->dataset, items[i])];
        uint64_t strata;

        code = read_strata(&strata, r, sets[which], items[i]);
        if (!strata && none[which] < 0)
            none[which] = items[i];
    }
    for (int k = 0; k < 2 && !code; k++)
        if (sets[k]->samples.n_strata > 0 && none[k] >= 0)
            code = common_refuse(r->self, &r->o->common, DPL_E_INPUT,
                                 "\"%.200s\": \"%.200s\" is in no stratum, others are", r->data,
                                 dpl_dataset_item_name(r->dataset, none[k]));
    for (int32_t cls = 0; cls < n_classes; cls++)
        if (!chosen[cls])
            names[n_names++] = dpl_dataset_class_name(r->dataset, cls);
    if (!code && r->o->review &&
        dpl_review_apply(NULL, 0, names, n_names, r->o->review, &n_merged, &judged, &n_judged,
                         &err) != DPL_OK)
        code = common_fail(r->self, &r->o->common, &err);
    dpl_bytes_free(judged);
    free(names);
    return code;
}

static int add_pictures(calibration_run *r, const bool *chosen, const int32_t *items,
                        const dpl_embeddings *e)
{
    sample_set *sets[] = {&r->own, &r->others};
    int32_t cls = -1;
    int code = 0;

    for (size_t i = 0; i < e->n && !code; i++) {
        const int32_t now = dpl_dataset_class_of(r->dataset, items[i]);
        sample_set *set = sets[chosen[now]];
        dpl_quality quality = e->faces[i].quality;
        uint64_t strata;

        if (e->errors[i]) {
            tell_failed(r, e->errors[i]);
            continue;
        }
        code = read_strata(&strata, r, set, items[i]);
        if (now != cls)
            add_person(set, dpl_dataset_class_name(r->dataset, now));
        cls = now;
        if (!dpl_pipeline_detector(r->pipeline))
            quality.overall = NAN;
        add_sample(set, e->vectors + i * (size_t)e->dim, set->samples.n_people - 1, &quality,
                   strata, text_format("%s", dpl_dataset_item_name(r->dataset, items[i])));
    }
    return code;
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
    int32_t *items = NULL;
    bool *chosen = NULL, by_role;
    dpl_status status;
    dpl_error err;
    int code = check_roles(&by_role, r);

    if (!code) {
        chosen = choose_classes(r, by_role);
        items = text_need(malloc(((size_t)dpl_dataset_n_items(r->dataset) + 1) * sizeof *items));
        pictures.n = list_items(items, r, chosen);
        pictures.items = items;
        code = check_pictures(r, chosen, items, pictures.n);
    }
    if (!code) {
        options.cancel = r->cancel;
        options.n_threads = r->o->common.n_threads;
        options.on_progress = step;
        options.ctx = &r->progress;
        progress_start(&r->progress, "pictures", r->o->common.quiet);
        status = dpl_embed(&e, r->pipeline, &pictures, &options, &err);
        progress_wipe(&r->progress);
        code = status == DPL_OK ? add_pictures(r, chosen, items, &e)
                                : common_fail(r->self, &r->o->common, &err);
    }
    if (r->n_told > N_TOLD)
        fprintf(stderr, "doppel %s: and %zu more without a vector\n", r->self->name,
                r->n_told - N_TOLD);
    r->source = text_format("%s", r->o->source ? r->o->source : base_of(r->data));
    dpl_embeddings_clear(&e);
    free(items);
    free(chosen);
    return code;
}

int calibrate_read(calibration_run *r)
{
    const int32_t dim = dpl_encoder_dim(dpl_pipeline_encoder(r->pipeline));
    dpl_samples *s = &r->own.samples;
    dpl_error err;
    int code;

    s->dim = r->others.samples.dim = dim;
    code = r->data ? read_pictures(r) : read_gallery(r);
    point(&r->own);
    point(&r->others);
    if (!code && r->o->review &&
        dpl_review_apply(r->own.people, s->n, s->people_names, s->n_people, r->o->review,
                         &r->n_merged, &r->own.judged, &s->n_judged, &err) != DPL_OK)
        code = common_fail(r->self, &r->o->common, &err);
    s->judged = r->own.judged;
    return code;
}

/* ------------------------------------------------------------------ the cohort */

/* "N", or "NAME=N,…" with the strata of the cohort's pictures. */
static int read_seeds(int32_t n_seeds[DPL_CALIBRATE_MAX_STRATA], const calibration_run *r)
{
    const dpl_samples *s = &r->others.samples;
    const char *at = r->o->cohort;

    memset(n_seeds, 0, DPL_CALIBRATE_MAX_STRATA * sizeof *n_seeds);
    while (*at) {
        const size_t n = strcspn(at, ",");
        const char *equals = memchr(at, '=', n);
        const size_t n_name = equals ? (size_t)(equals - at) : 0;
        const char *digits = equals ? equals + 1 : at;
        int32_t k = 0;
        char *end;
        const long count = strtol(digits, &end, 10);

        while (equals && k < s->n_strata &&
               (strncmp(s->strata_names[k], at, n_name) != 0 || s->strata_names[k][n_name]))
            k++;
        if (end == digits || end != at + n || count < 1 || count > 65536)
            return options_usage(r->self, "--cohort \"%.100s\": not N, nor NAME=N,…", r->o->cohort);
        if (equals && k == s->n_strata)
            return options_usage(r->self,
                                 "--cohort: no picture of the cohort is in stratum \"%.*s\"",
                                 (int)n_name, at);
        if (!equals && s->n_strata > 1)
            return options_usage(r->self,
                                 "--cohort: its pictures are in %d strata: NAME=N,… says "
                                 "how many of each",
                                 (int)s->n_strata);
        n_seeds[k] = (int32_t)count;
        at += n + (at[n] == ',');
    }
    return 0;
}

int calibrate_cohort(char **text, calibration_run *r)
{
    int32_t n_seeds[DPL_CALIBRATE_MAX_STRATA];
    int64_t n_centres;
    dpl_error err;
    int code;

    *text = NULL;
    if (!r->o->cohort)
        return 0;
    code = read_seeds(n_seeds, r);
    if (!code &&
        dpl_cohort_make(text, &n_centres, &r->others.samples, dpl_pipeline_head(r->pipeline),
                        n_seeds, (uint64_t)r->o->seed, r->o->common.n_threads, &err) != DPL_OK)
        code = common_fail(r->self, &r->o->common, &err);
    return code;
}

void calibrate_close(calibration_run *r)
{
    clear_set(&r->own);
    clear_set(&r->others);
    free(r->source);
    dpl_dataset_close(r->dataset);
    dpl_pipeline_close(r->pipeline);
    dpl_gallery_close(r->gallery);
}
