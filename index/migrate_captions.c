/*
 * migrate_captions.c - a gallery's captions, gone over to another model of sentences: their words
 * are in the gallery, so that nothing else is needed. In one transaction.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/migrate.h"
#include "index/gallery.h"

#define CHUNK 4096 /* captions encoded at once */

typedef struct caption {
    int64_t id, photo_id;
    char *text;
} caption;

typedef struct captions {
    dpl_gallery *gallery;
    caption *items;
    size_t n, cap;
} captions;

static dpl_status keep(void *ctx, const dpl_template_row *row)
{
    captions *c = ctx;
    caption *grown = dpli_grow(c->items, &c->cap, c->n + 1, sizeof *grown, NULL);

    if (!grown)
        return DPL_E_MEMORY;
    c->items = grown;
    grown[c->n] = (caption){row->id, row->photo_id, dpli_strdup(row->caption, NULL)};
    return grown[c->n++].text ? DPL_OK : DPL_E_MEMORY;
}

static dpl_status put_vectors(const captions *c, const float *vectors, int32_t dim,
                              const dpl_text_encoder *encoder, dpl_error *err)
{
    dpli_store *s = c->gallery->store;
    int64_t model_id = 0;
    char facts[64];
    dpl_status status;

    snprintf(facts, sizeof facts, "{\"templates_changed\":%zu}", c->n);
    status = dpli_end_log(c->gallery, "migrate captions", facts, err);

    if (status == DPL_OK)
        status = dpli_rebind_text_inside(&model_id, c->gallery, encoder, err);
    for (size_t i = 0; i < c->n && status == DPL_OK; i++) {
        dpli_vector_record r = {.id = c->items[i].id,
                                .photo_id = c->items[i].photo_id,
                                .model_id = model_id,
                                .bytes = vectors + i * (size_t)dim,
                                .n_bytes = (size_t)dim * sizeof *vectors};

        r.sum = dpli_vector_sum(&r);
        status = s->ops->set_vector(s, &r, err);
    }
    if (status == DPL_OK)
        status = s->ops->change_identity(s, err);
    return status == DPL_OK ? s->ops->touch(s, err) : status;
}

static dpl_status encode(float *vectors, const captions *c, const dpl_text_encoder *encoder,
                         int n_threads, dpl_error *err)
{
    const size_t dim = (size_t)dpl_text_encoder_dim(encoder);
    const char **texts = dpli_alloc(c->n, sizeof *texts, err);
    dpl_status status = texts ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; texts && i < c->n; i++)
        texts[i] = c->items[i].text;
    for (size_t at = 0; at < c->n && status == DPL_OK; at += CHUNK)
        status = dpl_text_encode(vectors + at * dim, NULL, encoder, texts + at,
                                 c->n - at < CHUNK ? c->n - at : CHUNK, n_threads, err);
    free(texts);
    return status;
}

dpl_status dpl_migrate_captions(int64_t *n, dpl_gallery *gallery, const dpl_text_encoder *encoder,
                                int n_threads, bool dry_run, dpl_error *err)
{
    const int32_t dim = dpl_text_encoder_dim(encoder);
    captions c = {.gallery = gallery};
    dpli_store *s = gallery->store;
    float *vectors = NULL;
    dpl_status status = dpli_gallery_may_write(gallery, err);

    *n = 0;
    if (status == DPL_OK)
        status = dpl_gallery_each_template(gallery, NULL, dpli_spaces[DPLI_TEXT_SPACE].name, keep,
                                           &c, err);
    if (status == DPL_E_MEMORY)
        dpli_fail(err, status, "no memory for %zu captions", c.n);
    if (status != DPL_OK)
        goto done;
    vectors = dpli_alloc(c.n, (size_t)dim * sizeof *vectors, err);
    status = vectors ? encode(vectors, &c, encoder, n_threads, err) : DPL_E_MEMORY;
    if (status == DPL_OK && !dry_run) {
        status = s->ops->begin(s, true, err);
        if (status == DPL_OK)
            status = dpli_end_change(gallery, put_vectors(&c, vectors, dim, encoder, err), err);
        if (status == DPL_OK)
            dpli_search_drop(gallery);
    }
    if (status == DPL_OK)
        *n = (int64_t)c.n;
done:
    for (size_t i = 0; i < c.n; i++)
        free(c.items[i].text);
    free(c.items);
    free(vectors);
    return status;
}
