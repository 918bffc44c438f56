/*
 * near.c - a search whose candidates the database finds, by an index of its own over vectors in 16
 * bits; here they are scored again exactly and put in order.
 */
#include "index/near.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/head.h"

/* A number of a vector takes so much in an index in memory: itself, and its code. */
enum { BYTES_A_NUMBER = 5, MAX_K = 250 };

void dpl_gallery_set_index_memory(dpl_gallery *gallery, uint64_t max_bytes)
{
    gallery->index_max_bytes = max_bytes;
}

dpl_status dpl_gallery_near(dpl_near_info *out, dpl_gallery *gallery, const char *space,
                            dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpli_near_info info = {0};
    const dpli_space *named;
    dpl_status status = dpli_space_need(&named, space, err);

    *out = (dpl_near_info){0};
    if (status == DPL_OK && s->ops->near_info)
        status = s->ops->near_info(s, &info, space, err);
    if (status == DPL_OK)
        *out = (dpl_near_info){info.is_there, info.n, info.recall};
    return status;
}

dpl_status dpli_near_serves(bool *serves, dpli_near_info *info, dpl_gallery *gallery,
                            const dpl_head *head, const char *space, int32_t dim, size_t k,
                            dpl_error *err)
{
    dpli_store *s = gallery->store;
    const dpli_space *named;
    dpli_bound bound;
    int64_t n = 0;
    dpl_status status;

    *serves = false;
    if (!gallery->index_max_bytes || !s->ops->near || k > MAX_K || gallery->walking ||
        dpl_head_get_kind(head) != DPL_HEAD_COSINE)
        return DPL_OK;
    status = dpli_space_need(&named, space, err);
    if (status == DPL_OK)
        status = dpli_bound_model(&bound, gallery, named, err);
    if (status == DPL_OK && bound.id && bound.dim == dim)
        status = s->ops->n_vectors(s, &n, bound.id, err);
    if (status != DPL_OK ||
        (uint64_t)n * (uint64_t)dim * BYTES_A_NUMBER <= gallery->index_max_bytes)
        return status;
    status = s->ops->near_info(s, info, space, err);
    *serves = status == DPL_OK && info->n > 0 && info->dim == dim;
    if (status == DPL_OK && !*serves)
        dpli_gallery_tell(gallery,
                          info->is_there
                              ? "the gallery is larger than $DOPPEL_INDEX_MEMORY, and its database "
                                "has no index of it yet: \"doppel migrate\" makes one"
                              : "the gallery is larger than $DOPPEL_INDEX_MEMORY, and its database "
                                "does not have the extension pgvector: all of it is read");
    return status;
}

typedef struct candidate {
    dpl_hit hit;
    double rank;
} candidate;

typedef struct scoring {
    dpl_gallery *gallery;
    const dpl_head *head;
    const float *probe;
    float *row; /* [dim] */
    size_t dim;
    candidate *items;
    size_t n, cap;
} scoring;

static dpl_status score_one(void *ctx, const dpli_vector_record *r, dpl_error *err)
{
    scoring *s = ctx;
    candidate *items;
    double rank;

    if (r->n_bytes != s->dim * sizeof *s->row || r->sum != dpli_vector_sum(r) ||
        (r->owner.person_id && r->owner.sum != dpli_owner_sum(&r->owner)))
        return dpli_fail(err, DPL_E_GALLERY,
                         "\"%s\" is damaged: template %lld is not what was written",
                         s->gallery->store->name, (long long)r->id);
    memcpy(s->row, r->bytes, r->n_bytes);
    rank = dpli_head_rank(s->head, s->probe, s->row);
    if (isnan(rank))
        return DPL_OK;
    items = dpli_grow(s->items, &s->cap, s->n + 1, sizeof *items, err);
    if (!items)
        return DPL_E_MEMORY;
    s->items = items;
    items[s->n++] = (candidate){
        {r->id, r->photo_id, r->owner.person_id, dpl_head_score(s->head, s->probe, s->row)}, rank};
    return DPL_OK;
}

static int by_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    return (x->hit.template_id > y->hit.template_id) - (x->hit.template_id < y->hit.template_id);
}

dpl_status dpli_near_search(dpl_hit *hits, dpl_gallery *gallery, const dpl_head *head,
                            const char *space, const dpli_near_info *info, const float *probes,
                            size_t n, size_t k, dpl_error *err)
{
    const size_t dim = (size_t)info->dim;
    dpli_store *store = gallery->store;
    scoring s = {.gallery = gallery, .head = head, .dim = dim};
    dpl_status status = DPL_OK;

    s.row = dpli_alloc(dim, sizeof *s.row, err);
    if (!s.row)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n && status == DPL_OK; i++) {
        s.probe = probes + i * dim;
        s.n = 0;
        status = store->ops->near(store, space, info, s.probe, k, score_one, &s, err);
        if (status != DPL_OK)
            break;
        if (s.n > 0)
            qsort(s.items, s.n, sizeof *s.items, by_rank);
        for (size_t j = 0; j < k; j++)
            hits[i * k + j] = j < s.n ? s.items[j].hit : (dpl_hit){-1, 0, 0, NAN};
    }
    free(s.items);
    free(s.row);
    return status;
}
