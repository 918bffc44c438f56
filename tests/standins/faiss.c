/*
 * faiss.c - FAISS's C API as far as index/ann.c calls it, without FAISS: for tests of the gallery
 * under valgrind, which has no AVX-512, while a FAISS built for this processor uses it from its
 * first constructor on. Exact search only; what a large gallery needs besides aborts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/IndexIVFFlat_c.h>
#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/clone_index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>

struct FaissIndex_H {
    idx_t n, dim;
    float *rows;
};

int faiss_IndexFlat_new_with(FaissIndexFlat **out, idx_t dim, FaissMetricType metric)
{
    FaissIndex *index = calloc(1, sizeof *index);

    if (!index || metric != METRIC_L2)
        abort();
    index->dim = dim;
    *out = (FaissIndexFlat *)index;
    return 0;
}

int faiss_clone_index(const FaissIndex *index, FaissIndex **out)
{
    const size_t n = (size_t)(index->n * index->dim);
    FaissIndex *copy = malloc(sizeof *copy);

    if (!copy)
        abort();
    *copy = *index;
    copy->rows = malloc((n + 1) * sizeof *copy->rows);
    if (!copy->rows)
        abort();
    memcpy(copy->rows, index->rows, n * sizeof *copy->rows);
    *out = copy;
    return 0;
}

void faiss_Index_free(FaissIndex *index)
{
    free(index->rows);
    free(index);
}

int faiss_Index_add(FaissIndex *index, idx_t n, const float *rows)
{
    const size_t old = (size_t)(index->n * index->dim), more = (size_t)(n * index->dim);

    index->rows = realloc(index->rows, (old + more + 1) * sizeof *rows);
    if (!index->rows)
        abort();
    memcpy(index->rows + old, rows, more * sizeof *rows);
    index->n += n;
    return 0;
}

idx_t faiss_Index_ntotal(const FaissIndex *index)
{
    return index->n;
}

int faiss_Index_d(const FaissIndex *index)
{
    return (int)index->dim;
}

FaissIndexFlat *faiss_IndexFlat_cast(FaissIndex *index)
{
    return (FaissIndexFlat *)index;
}

void faiss_IndexFlat_xb(FaissIndexFlat *flat, float **rows, size_t *n)
{
    FaissIndex *index = (FaissIndex *)flat;

    *rows = index->rows;
    *n = (size_t)(index->n * index->dim);
}

int faiss_Index_reconstruct(const FaissIndex *index, idx_t at, float *out)
{
    memcpy(out, index->rows + at * index->dim, (size_t)index->dim * sizeof *out);
    return 0;
}

int faiss_Index_search(const FaissIndex *index, idx_t n, const float *probes, idx_t k,
                       float *distances, idx_t *labels)
{
    for (idx_t p = 0; p < n; p++, distances += k, labels += k) {
        idx_t found = 0;

        for (idx_t i = 0; i < index->n; i++) {
            float sum = 0;
            idx_t at = found;

            for (idx_t d = 0; d < index->dim; d++) {
                const float apart = probes[p * index->dim + d] - index->rows[i * index->dim + d];

                sum += apart * apart;
            }
            while (at > 0 && distances[at - 1] > sum)
                at--;
            if (at == k)
                continue;
            found += found < k;
            for (idx_t j = found - 1; j > at; j--) {
                distances[j] = distances[j - 1];
                labels[j] = labels[j - 1];
            }
            distances[at] = sum;
            labels[at] = i;
        }
        for (; found < k; found++)
            labels[found] = -1;
    }
    return 0;
}

int faiss_write_index(const FaissIndex *index, FILE *file)
{
    const size_t n = (size_t)(index->n * index->dim);

    return fwrite(&index->n, sizeof index->n, 1, file) != 1 ||
           fwrite(&index->dim, sizeof index->dim, 1, file) != 1 ||
           fwrite(index->rows, sizeof *index->rows, n, file) != n;
}

int faiss_read_index(FILE *file, int flags, FaissIndex **out)
{
    FaissIndex *index = calloc(1, sizeof *index);
    size_t n;

    (void)flags;
    if (!index || fread(&index->n, sizeof index->n, 1, file) != 1 ||
        fread(&index->dim, sizeof index->dim, 1, file) != 1)
        abort();
    n = (size_t)(index->n * index->dim);
    index->rows = malloc((n + 1) * sizeof *index->rows);
    if (!index->rows || fread(index->rows, sizeof *index->rows, n, file) != n)
        abort();
    *out = index;
    return 0;
}

/* FAISS declares it without void. */
const char *faiss_get_last_error(void);

const char *faiss_get_last_error(void)
{
    return "there is no FAISS here";
}

int faiss_index_factory(FaissIndex **out, int dim, const char *recipe, FaissMetricType metric)
{
    (void)out, (void)dim, (void)recipe, (void)metric;
    abort();
}

int faiss_Index_train(FaissIndex *index, idx_t n, const float *rows)
{
    (void)index, (void)n, (void)rows;
    abort();
}

FaissIndexIVF *faiss_IndexIVF_cast(FaissIndex *index)
{
    (void)index;
    abort();
}

FaissIndexIVFFlat *faiss_IndexIVFFlat_cast(FaissIndex *index)
{
    (void)index;
    abort();
}

int faiss_IndexIVF_make_direct_map(FaissIndexIVF *index, int yes)
{
    (void)index, (void)yes;
    abort();
}

size_t faiss_IndexIVF_nlist(const FaissIndexIVF *index)
{
    (void)index;
    abort();
}

size_t faiss_IndexIVF_nprobe(const FaissIndexIVF *index)
{
    (void)index;
    abort();
}

void faiss_IndexIVF_set_nprobe(FaissIndexIVF *index, size_t n)
{
    (void)index, (void)n;
    abort();
}
