/*
 * The one file that knows FAISS, through its C API.
 *
 * Everything that FAISS throws becomes a status with FAISS's own words. Thread counts are the
 * program's business and not set here. Nothing here depends on heads or galleries.
 */
#include "index/ann.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
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

#include "base/fail.h"
#include "base/mem.h"
#include "base/rng.h"

struct dpli_ann {
    FaissIndex *index;
    dpli_ann_kind kind;
    /* FAISS keeps the number of lists to visit in the index: whoever changes it is alone. */
    pthread_rwlock_t lock;
};

/* An empty shell; freed by dpli_ann_free. */
static dpli_ann *new_ann(dpli_ann_kind kind, dpl_error *err)
{
    dpli_ann *ann = dpli_calloc(1, sizeof *ann, err);

    if (!ann)
        return NULL;
    ann->kind = kind;
    if (pthread_rwlock_init(&ann->lock, NULL) != 0) {
        free(ann);
        dpli_fail(err, DPL_E_MEMORY, "no memory for a lock");
        return NULL;
    }
    return ann;
}

static dpl_status faiss_failed(dpl_error *err, const char *what)
{
    const char *words = faiss_get_last_error();

    if (words && strstr(words, "bad_alloc"))
        return dpli_fail(err, DPL_E_MEMORY, "out of memory while %s", what);
    return dpli_fail(err, DPL_E_SYSTEM, "%s failed: %s", what, words ? words : "no reason given");
}

/* ------------------------------------------------------------------ making */

/* FAISS's guidance for its IVF: about 4 sqrt(n) lists, learnt from at least 39 vectors a list. */
enum { TRAIN_MIN = 50, TRAIN_PER_LIST = 64 };

/* A sample of the rows that are not held out, the same for the same rows; *n_sample becomes what
   there is of it. */
static float *sample_of(const float *rows, size_t n, const char *held_out, size_t *n_sample,
                        size_t dim, dpl_error *err)
{
    size_t n_floats, left = 0, taken = 0;
    float *sample;
    dpli_rng rng;

    for (size_t i = 0; i < n; i++)
        left += !held_out || !held_out[i];
    if (*n_sample > left)
        *n_sample = left;
    if (!dpli_mul(&n_floats, *n_sample, dim))
        return NULL;
    sample = dpli_alloc(n_floats, sizeof *rows, err);
    if (!sample)
        return NULL;
    dpli_rng_seed(&rng, 1);
    for (size_t i = 0; i < n && taken < *n_sample; i++) {
        if (held_out && held_out[i])
            continue;
        if (dpli_rng_below(&rng, left--) < *n_sample - taken)
            memcpy(sample + taken++ * dim, rows + i * dim, dim * sizeof *rows);
    }
    return sample;
}

static dpl_status make_ivf(FaissIndex **out, const float *rows, size_t n, int32_t dim,
                           const char *held_out, dpl_error *err)
{
    size_t n_lists = (size_t)(4.0 * sqrt((double)n)), n_sample;
    dpl_status status = DPL_OK;
    float *sample = NULL;
    char recipe[64];

    if (n_lists > n / TRAIN_MIN)
        n_lists = n / TRAIN_MIN;
    n_sample = n_lists * TRAIN_PER_LIST;
    snprintf(recipe, sizeof recipe, "IVF%zu,Flat", n_lists);
    sample = sample_of(rows, n, held_out, &n_sample, (size_t)dim, err);
    if (!sample)
        return DPL_E_MEMORY;
    if (faiss_index_factory(out, dim, recipe, METRIC_L2) ||
        faiss_Index_train(*out, (idx_t)n_sample, sample) ||
        faiss_IndexIVF_make_direct_map(faiss_IndexIVF_cast(*out), 1))
        status = faiss_failed(err, "building the index");
    free(sample);
    return status;
}

dpl_status dpli_ann_new(dpli_ann **out, dpli_ann_kind kind, const float *rows, size_t n,
                        int32_t dim, const char *held_out, dpl_error *err)
{
    dpli_ann *ann;
    dpl_status status = DPL_OK;

    *out = NULL;
    if (n > INT64_MAX || (kind == DPLI_ANN_IVF && n < DPLI_ANN_IVF_MIN))
        return dpli_fail(err, DPL_E_BUG, "an index of %zu vectors was asked for", n);
    ann = new_ann(kind, err);
    if (!ann)
        return DPL_E_MEMORY;
    if (kind == DPLI_ANN_IVF)
        status = make_ivf(&ann->index, rows, n, dim, held_out, err);
    else if (faiss_IndexFlat_new_with(&ann->index, dim, METRIC_L2))
        status = faiss_failed(err, "building the index");
    if (status == DPL_OK)
        status = dpli_ann_add(ann, rows, n, err);
    if (status == DPL_OK) {
        *out = ann;
        ann = NULL;
    }
    dpli_ann_free(ann);
    return status;
}

void dpli_ann_free(dpli_ann *ann)
{
    if (!ann)
        return;
    if (ann->index)
        faiss_Index_free(ann->index);
    pthread_rwlock_destroy(&ann->lock);
    free(ann);
}

dpl_status dpli_ann_copy(dpli_ann **out, const dpli_ann *ann, dpl_error *err)
{
    *out = new_ann(ann->kind, err);
    if (!*out)
        return DPL_E_MEMORY;
    if (faiss_clone_index(ann->index, &(*out)->index) == 0)
        return DPL_OK;
    (*out)->index = NULL;
    dpli_ann_free(*out);
    *out = NULL;
    return faiss_failed(err, "copying the index");
}

dpl_status dpli_ann_add(dpli_ann *ann, const float *rows, size_t n, dpl_error *err)
{
    return faiss_Index_add(ann->index, (idx_t)n, rows) ? faiss_failed(err, "adding to the index")
                                                       : DPL_OK;
}

/* ------------------------------------------------------------------ reading it */

dpli_ann_kind dpli_ann_get_kind(const dpli_ann *ann)
{
    return ann->kind;
}

size_t dpli_ann_size(const dpli_ann *ann)
{
    return (size_t)faiss_Index_ntotal(ann->index);
}

int32_t dpli_ann_dim(const dpli_ann *ann)
{
    return faiss_Index_d(ann->index);
}

size_t dpli_ann_n_lists(const dpli_ann *ann)
{
    return ann->kind == DPLI_ANN_IVF ? faiss_IndexIVF_nlist(ann->index) : 1;
}

const float *dpli_ann_rows(const dpli_ann *ann)
{
    float *rows = NULL;
    size_t n_floats;

    if (ann->kind == DPLI_ANN_FLAT)
        faiss_IndexFlat_xb(ann->index, &rows, &n_floats);
    return rows;
}

dpl_status dpli_ann_row(float *out, const dpli_ann *ann, size_t at, dpl_error *err)
{
    return faiss_Index_reconstruct(ann->index, (idx_t)at, out)
               ? faiss_failed(err, "reading the index")
               : DPL_OK;
}

dpl_status dpli_ann_search(int64_t *at, float *distance, dpli_ann *ann, const float *probes,
                           size_t n_probes, size_t k, size_t n_visit, dpl_error *err)
{
    int failed;

    pthread_rwlock_rdlock(&ann->lock);
    if (ann->kind == DPLI_ANN_IVF && faiss_IndexIVF_nprobe(ann->index) != n_visit) {
        pthread_rwlock_unlock(&ann->lock);
        pthread_rwlock_wrlock(&ann->lock);
        faiss_IndexIVF_set_nprobe(ann->index, n_visit);
    }
    failed = faiss_Index_search(ann->index, (idx_t)n_probes, probes, (idx_t)k, distance, at);
    pthread_rwlock_unlock(&ann->lock);
    return failed ? faiss_failed(err, "searching the index") : DPL_OK;
}

/* ------------------------------------------------------------------ files */

dpl_status dpli_ann_write(dpli_ann *ann, FILE *file, dpl_error *err)
{
    int failed;

    pthread_rwlock_wrlock(&ann->lock);
    /* What the last search set would be in the file: the same index, other bytes. */
    if (ann->kind == DPLI_ANN_IVF)
        faiss_IndexIVF_set_nprobe(ann->index, 1);
    failed = faiss_write_index(ann->index, file);
    pthread_rwlock_unlock(&ann->lock);
    return failed ? faiss_failed(err, "writing the index") : DPL_OK;
}

dpl_status dpli_ann_read(dpli_ann **out, FILE *file, dpli_ann_kind kind, size_t n, int32_t dim,
                         dpl_error *err)
{
    dpli_ann *ann;
    int right;

    *out = NULL;
    ann = new_ann(kind, err);
    if (!ann)
        return DPL_E_MEMORY;
    if (faiss_read_index(file, 0, &ann->index)) {
        dpli_ann_free(ann);
        return faiss_failed(err, "reading the index");
    }
    right = kind == DPLI_ANN_IVF ? faiss_IndexIVFFlat_cast(ann->index) != NULL
                                 : faiss_IndexFlat_cast(ann->index) != NULL;
    if (!right || dpli_ann_size(ann) != n || dpli_ann_dim(ann) != dim) {
        dpli_ann_free(ann);
        return dpli_fail(err, DPL_E_INPUT, "not the index it says it is");
    }
    *out = ann;
    return DPL_OK;
}
