/*
 * captions.c - what is written about photos, into a gallery.
 *
 * Of a batch of photos: what is kept is read, what is written now is gathered (data/described.c,
 * and a list), the difference is encoded, and put in one transaction. A text that the model cannot
 * take is left out and counted, with the first reason.
 */
#include "index/captions.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "data/described.h"
#include "doppel/dataset.h"
#include "index/gallery.h"

#define FROM_LIST "list"

/* A sentence of the list, by the picture's path. */
typedef struct entry {
    char *path;
    const char *text; /* the dataset's */
    bool met;
} entry;

/* A caption that is kept. */
typedef struct kept {
    int64_t id;
    char *text, *source;
    bool is_damaged; /* it goes, and is found again where it was found */
    bool stays;
} kept;

/* A photo in work. */
typedef struct photo {
    int64_t id, person_id;
    kept *kept;
    size_t n_kept, cap;
    dpli_captions now;
    bool *is_new; /* [now.n] */
} photo;

struct dpli_captioning {
    dpl_gallery *gallery;
    const dpl_text_encoder *encoder;
    int n_threads;
    bool fresh; /* nothing was kept of any photo when it began: what photos carry is looked for in
                   all */
    dpl_dataset *list;
    entry *entries; /* by path */
    size_t n_entries;
};

/* ------------------------------------------------------------------ the list */

static int by_path(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int order = strcmp(x->path, y->path);

    /* Of one picture in the order of the list. */
    return order ? order : (x->text > y->text) - (x->text < y->text);
}

/* A picture's path as files are found: absolute, and without links where it is there. */
static char *absolute(const char *list, const char *name, dpl_error *err)
{
    const char *slash = strrchr(list, '/');
    char *joined = name[0] == '/' || !slash
                       ? dpli_strdup(name, err)
                       : dpli_asprintf(err, "%.*s/%s", (int)(slash - list), list, name);
    char *real = joined ? realpath(joined, NULL) : NULL;

    if (!real)
        return joined;
    free(joined);
    return real;
}

static dpl_status read_list(dpli_captioning *c, const char *path, dpl_error *err)
{
    dpl_dataset_options options = DPL_DATASET_OPTIONS_INIT;
    dpl_status status = dpl_dataset_open(&c->list, path, &options, err);
    int32_t n;

    if (status != DPL_OK)
        return status;
    n = dpl_dataset_n_pairs(c->list);
    if (n == 0 || dpl_dataset_side_kind(c->list, 0) != DPL_ITEM_PICTURE ||
        dpl_dataset_side_kind(c->list, 1) != DPL_ITEM_SENTENCE)
        return dpli_fail(err, DPL_E_INPUT,
                         "\"%s\": not a list of captions: its columns are path and caption", path);
    c->entries = dpli_calloc((size_t)n, sizeof *c->entries, err);
    if (!c->entries)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        const dpl_given_pair *pair = dpl_dataset_pair(c->list, i);
        entry *e = &c->entries[c->n_entries];

        if (pair->grade < 1) /* of another picture */
            continue;
        e->text = dpl_dataset_sentence(c->list, pair->b);
        e->path = absolute(path, dpl_dataset_item_name(c->list, pair->a), err);
        if (!e->path)
            return DPL_E_MEMORY;
        c->n_entries++;
    }
    qsort(c->entries, c->n_entries, sizeof *c->entries, by_path);
    return DPL_OK;
}

/* The first entry of this picture, n_entries: none. */
static size_t find_entry(const dpli_captioning *c, const char *path)
{
    size_t from = 0, to = c->n_entries;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (strcmp(c->entries[middle].path, path) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < c->n_entries && strcmp(c->entries[from].path, path) == 0 ? from : c->n_entries;
}

/* ------------------------------------------------------------------ begin and end */

dpl_status dpli_captioning_new(dpli_captioning **out, dpl_gallery *gallery,
                               const dpl_text_encoder *encoder, const char *list, int n_threads,
                               dpl_error *err)
{
    dpli_captioning *c = dpli_calloc(1, sizeof *c, err);
    dpl_gallery_counts counts;
    dpl_status status = c ? DPL_OK : DPL_E_MEMORY;

    *out = NULL;
    if (status != DPL_OK)
        return status;
    c->gallery = gallery;
    c->encoder = encoder;
    c->n_threads = n_threads;
    status = dpl_gallery_bind_text(gallery, encoder, err);
    if (status == DPL_OK)
        status = dpl_gallery_count(&counts, gallery, err);
    c->fresh = status == DPL_OK && counts.n_templates_text == 0;
    if (status == DPL_OK && list)
        status = read_list(c, list, err);
    if (status == DPL_OK)
        *out = c;
    else
        dpli_captioning_free(c);
    return status;
}

void dpli_captioning_free(dpli_captioning *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_entries; i++)
        free(c->entries[i].path);
    free(c->entries);
    dpl_dataset_close(c->list);
    free(c);
}

void dpli_captioning_unmatched(dpl_enroll_report *report, const dpli_captioning *c)
{
    for (size_t i = 0; i < c->n_entries; i++) {
        const entry *e = &c->entries[i];

        if (e->met || (i > 0 && strcmp(e->path, e[-1].path) == 0))
            continue;
        if (report->n_captions_unmatched++ == 0)
            snprintf(report->caption_unmatched, sizeof report->caption_unmatched, "%s", e->path);
    }
}

/* ------------------------------------------------------------------ a photo, as it is kept */

static dpl_status keep(void *ctx, const dpli_template_record *r, dpl_error *err)
{
    photo *p = ctx;
    kept *grown = dpli_grow(p->kept, &p->cap, p->n_kept + 1, sizeof *grown, err);
    kept *k;

    if (!grown)
        return DPL_E_MEMORY;
    p->kept = grown;
    k = &grown[p->n_kept++];
    *k = (kept){.id = r->vector.id};
    k->is_damaged = !r->caption || r->vector.sum != dpli_vector_sum(&r->vector) ||
                    r->caption_sum != dpli_caption_sum(r->vector.id, r->caption_source, r->caption);
    k->text = dpli_strdup(r->caption ? r->caption : "", err);
    k->source = dpli_strdup(r->caption_source ? r->caption_source : "", err);
    return k->text && k->source ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status note_person(void *ctx, const dpli_photo_record *r, dpl_error *err)
{
    photo *p = ctx;

    (void)err;
    p->id = r->status == DPL_OK ? r->id : 0;
    p->person_id = r->person_id;
    return DPL_OK;
}

static dpl_status look_up(photo *p, dpli_captioning *c, const char *path, dpl_error *err)
{
    dpli_photo_query query = {DPLI_PHOTO_AT, NULL, 0};
    dpli_template_query templates = {DPLI_TEMPLATES_IN, 0, dpli_spaces[DPLI_TEXT_SPACE].name};
    dpli_store *s = c->gallery->store;
    char *uri = NULL;
    dpl_status status = dpli_check_path(&uri, path, err);

    query.text = uri;
    if (status == DPL_OK)
        status = s->ops->each_photo(s, &query, note_person, p, err);
    templates.id = p->id;
    if (status == DPL_OK && p->id)
        status = s->ops->each_template(s, &templates, keep, p, err);
    free(uri);
    return status;
}

static void clear_photos(photo *photos, size_t n)
{
    for (size_t i = 0; photos && i < n; i++) {
        for (size_t k = 0; k < photos[i].n_kept; k++) {
            free(photos[i].kept[k].text);
            free(photos[i].kept[k].source);
        }
        free(photos[i].kept);
        free(photos[i].is_new);
        dpli_captions_clear(&photos[i].now);
    }
    free(photos);
}

/* ------------------------------------------------------------------ as it is written now */

static void refuse(dpl_enroll_report *report, const char *words)
{
    report->n_captions_refused++;
    if (!report->caption_reason[0])
        snprintf(report->caption_reason, sizeof report->caption_reason, "%s", words);
}

static dpl_status gather(photo *p, dpli_captioning *c, const char *path, bool in_photo,
                         dpl_enroll_report *report, dpl_error *err)
{
    size_t at = find_entry(c, path);
    const bool listed = at < c->n_entries;
    dpl_status status = dpli_captions_find(&p->now, path, in_photo, err);

    if (status == DPL_OK && p->now.refused[0])
        refuse(report, p->now.refused);
    for (; status == DPL_OK && at < c->n_entries && strcmp(c->entries[at].path, path) == 0; at++) {
        c->entries[at].met = true;
        status = dpli_captions_add(&p->now, c->entries[at].text, strlen(c->entries[at].text),
                                   FROM_LIST, err);
    }
    if (status != DPL_OK)
        return status;
    p->is_new = dpli_calloc(p->now.n, sizeof *p->is_new, err);
    if (!p->is_new)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < p->now.n; i++)
        p->is_new[i] = true;
    for (size_t k = 0; k < p->n_kept; k++) {
        kept *old = &p->kept[k];

        if (old->is_damaged)
            continue;
        /* Not looked for, or not readable today, is not gone. */
        old->stays = p->now.refused[0] != '\0' ||
                     (strcmp(old->source, FROM_LIST) == 0 && !listed) ||
                     (strcmp(old->source, DPLI_FROM_PHOTO) == 0 && !in_photo);
        for (size_t i = 0; i < p->now.n; i++)
            if (strcmp(p->now.items[i].text, old->text) == 0) {
                /* The same words from elsewhere are no news. */
                p->is_new[i] = false;
                old->stays = true;
            }
    }
    return DPL_OK;
}

/* Leave out what the model cannot take. */
static dpl_status check_texts(photo *p, const dpli_captioning *c, const char *path, int64_t *ids,
                              dpl_enroll_report *report, dpl_error *err)
{
    const dpl_tokenizer *tokenizer = dpl_text_encoder_tokenizer(c->encoder);

    for (size_t i = 0; i < p->now.n; i++) {
        dpl_error why = {DPL_OK, ""};
        const char *text = p->now.items[i].text;
        char words[256];

        if (!p->is_new[i] ||
            dpl_tokenizer_encode(ids, NULL, tokenizer, text, strlen(text), &why) == DPL_OK)
            continue;
        if (why.status == DPL_E_MEMORY)
            return dpli_fail(err, why.status, "%s", why.message);
        p->is_new[i] = false;
        snprintf(words, sizeof words, "a caption of \"%.120s\": %.100s", path, why.message);
        refuse(report, words);
    }
    return DPL_OK;
}

/* ------------------------------------------------------------------ put */

static dpl_status put_photo(dpli_putter *putter, const photo *p, const float **vector, int32_t dim,
                            dpl_enroll_report *report, dpl_error *err)
{
    dpli_store *s = putter->gallery->store;
    dpl_status status = DPL_OK;

    for (size_t k = 0; k < p->n_kept && status == DPL_OK; k++) {
        if (p->kept[k].stays)
            continue;
        status = s->ops->drop_template(s, p->kept[k].id, err);
        putter->touched = true;
        report->n_captions_removed++;
    }
    for (size_t i = 0; i < p->now.n && status == DPL_OK; i++) {
        const dpl_new_template t = {
            .space = dpli_spaces[DPLI_TEXT_SPACE].name,
            .vector = *vector,
            .dim = dim,
            .caption = p->now.items[i].text,
            .caption_source = p->now.items[i].source,
        };

        if (!p->is_new[i])
            continue;
        status = dpli_put_template(NULL, putter, &t, p->id, p->person_id, 0, err);
        *vector += dim;
        report->n_captions++;
    }
    return status;
}

static bool differs(const photo *photos, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < photos[i].n_kept; k++)
            if (!photos[i].kept[k].stays)
                return true;
        for (size_t k = 0; k < photos[i].now.n; k++)
            if (photos[i].is_new[k])
                return true;
    }
    return false;
}

static dpl_status put_all(dpli_captioning *c, const photo *photos, size_t n, const float *vectors,
                          dpl_enroll_report *report, dpl_error *err)
{
    dpli_putter putter = {.gallery = c->gallery};
    const int32_t dim = dpl_text_encoder_dim(c->encoder);
    dpli_store *s = c->gallery->store;
    dpl_status status = dpli_begin_change(c->gallery, "captions", err);

    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        status = put_photo(&putter, &photos[i], &vectors, dim, report, err);
    if (status == DPL_OK && putter.touched)
        status = s->ops->touch(s, err);
    return dpli_end_change(c->gallery, status, err);
}

/* The new texts' vectors, in the order of photos and captions. */
static dpl_status encode(float **vectors, const dpli_captioning *c, const photo *photos, size_t n,
                         dpl_error *err)
{
    const size_t dim = (size_t)dpl_text_encoder_dim(c->encoder);
    const char **texts;
    size_t n_texts = 0;
    dpl_status status = DPL_E_MEMORY;

    for (size_t i = 0; i < n; i++)
        n_texts += photos[i].now.n;
    texts = dpli_alloc(n_texts, sizeof *texts, err);
    *vectors = dpli_alloc(n_texts, dim * sizeof **vectors, err);
    n_texts = 0;
    if (texts && *vectors) {
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < photos[i].now.n; k++)
                if (photos[i].is_new[k])
                    texts[n_texts++] = photos[i].now.items[k].text;
        status = dpl_text_encode(*vectors, NULL, c->encoder, texts, n_texts, c->n_threads, err);
    }
    free(texts);
    return status;
}

dpl_status dpli_captioning_photos(dpli_captioning *c, const char *const *paths, const bool *changed,
                                  size_t n, dpl_enroll_report *report, dpl_error *err)
{
    const size_t length =
        (size_t)dpl_tokenizer_about(dpl_text_encoder_tokenizer(c->encoder))->length;
    photo *photos = dpli_calloc(n, sizeof *photos, err);
    int64_t *ids = dpli_alloc(length, sizeof *ids, err);
    float *vectors = NULL;
    dpl_status status = photos && ids ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        status = look_up(&photos[i], c, paths[i], err);
        if (status != DPL_OK || !photos[i].id)
            continue;
        status = gather(&photos[i], c, paths[i], changed[i] || c->fresh, report, err);
        if (status == DPL_OK)
            status = check_texts(&photos[i], c, paths[i], ids, report, err);
    }
    if (status == DPL_OK && differs(photos, n)) {
        status = encode(&vectors, c, photos, n, err);
        if (status == DPL_OK)
            status = put_all(c, photos, n, vectors, report, err);
    }
    free(vectors);
    free(ids);
    clear_photos(photos, n);
    return status;
}
