/*
 * ranks.c - recall at 1, 5 and 10 and the median rank of sentences' pictures, as Karpathy, Joulin,
 * Fei-Fei 2014, section 4.3, have them.
 *
 * Sentences are not of unit length: a cosine's order is that of products with the pictures.
 */
#include "train/ranks.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/blas.h"

/* Sentences whose products with all pictures are in memory at a time, of a worker. */
#define BLOCK ((size_t)64)

typedef struct ranking {
    const float *sentences, *pictures;
    const int32_t *own;
    size_t n_pictures, dim;
    float **products; /* [team] of [BLOCK, n_pictures] */
    int32_t *ranks;   /* [n] */
} ranking;

static int32_t rank_of(const float *products, size_t n, size_t own)
{
    int32_t rank = 1;

    for (size_t j = 0; j < n; j++)
        rank += j != own && !(products[j] < products[own]);
    return rank;
}

static void rank_some(void *ctx, int worker, size_t from, size_t to)
{
    const ranking *k = ctx;
    float *products = k->products[worker];

    for (size_t at = from; at < to; at += BLOCK) {
        const size_t n = to - at < BLOCK ? to - at : BLOCK;

        dpli_gemm(0, 1, n, k->n_pictures, k->dim, 1, k->sentences + at * k->dim, k->dim,
                  k->pictures, k->dim, 0, products, k->n_pictures);
        for (size_t i = 0; i < n; i++)
            k->ranks[at + i] =
                rank_of(products + i * k->n_pictures, k->n_pictures, (size_t)k->own[at + i]);
    }
}

static int rising(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static double share_within(const int32_t *sorted, size_t n, int32_t limit)
{
    size_t within = 0;

    while (within < n && sorted[within] <= limit)
        within++;
    return (double)within / (double)n;
}

dpl_status dpli_ranks(dpl_train_figures *out, const float *sentences, const int32_t *own, size_t n,
                      const float *pictures, size_t n_pictures, size_t dim, dpli_team *team,
                      dpl_error *err)
{
    const int n_workers = dpli_team_size(team);
    ranking k = {.sentences = sentences,
                 .pictures = pictures,
                 .own = own,
                 .n_pictures = n_pictures,
                 .dim = dim};
    dpl_status status = DPL_E_MEMORY;

    k.ranks = dpli_alloc(n, sizeof *k.ranks, err);
    k.products = dpli_calloc((size_t)n_workers, sizeof *k.products, err);
    if (!k.ranks || !k.products)
        goto done;
    for (int i = 0; i < n_workers; i++) {
        k.products[i] = dpli_alloc(BLOCK * n_pictures, sizeof(float), err);
        if (!k.products[i])
            goto done;
    }
    status = DPL_OK;
    dpli_team_run(team, n, rank_some, &k);
    qsort(k.ranks, n, sizeof *k.ranks, rising);
    out->n_sentences = (int64_t)n;
    out->n_pictures = (int64_t)n_pictures;
    out->recall_1 = share_within(k.ranks, n, 1);
    out->recall_5 = share_within(k.ranks, n, 5);
    out->recall_10 = share_within(k.ranks, n, 10);
    out->median_rank = n == 0 ? (double)NAN : ((double)k.ranks[(n - 1) / 2] + k.ranks[n / 2]) / 2;
done:
    for (int i = 0; k.products && i < n_workers; i++)
        free(k.products[i]);
    free(k.products);
    free(k.ranks);
    return status;
}
