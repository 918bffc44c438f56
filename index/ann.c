/*
 * The one file that knows FAISS, through its C API.
 *
 * Everything that FAISS throws becomes a status with FAISS's own words. Thread counts are the
 * program's business and not set here. Nothing here depends on heads or galleries.
 *
 * In libdoppel.so (DPL_LATE_FAISS: its file) FAISS is loaded when the first index is made: it,
 * BLAS, OpenMP and C++ below it take longer to load than two photos take to compare.
 */
#include "index/ann.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/clone_index_c.h>
#include <faiss/c_api/error_c.h>

#include "base/fail.h"
#include "base/mem.h"

struct dpli_ann {
    FaissIndex *index;
};

#if defined(DPL_LATE_FAISS)

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#define EACH_OF_FAISS(one)                                                                         \
    one(faiss_IndexFlat_new_with) one(faiss_IndexFlat_xb) one(faiss_Index_add) one(faiss_Index_d)  \
        one(faiss_Index_free) one(faiss_Index_ntotal) one(faiss_Index_search)                      \
            one(faiss_clone_index) one(faiss_get_last_error)

#define FIELD(name) __typeof__(name) *name;
static struct {
    char missing[200]; /* why it is not there; "": it is */
    EACH_OF_FAISS(FIELD)
} late;

static void load(void)
{
    void *library = dlopen(DPL_LATE_FAISS, RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;

/* POSIX's way from an object's address to a function's. */
#define FIND(name)                                                                                 \
    if (all)                                                                                       \
        *(void **)&late.name = dlsym(library, #name);                                              \
    all = all && late.name;
    EACH_OF_FAISS(FIND)
    if (!all) {
        const char *words = dlerror();

        snprintf(late.missing, sizeof late.missing, "%s", words ? words : "no reason given");
    }
}

static dpl_status need(dpl_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return late.missing[0]
               ? dpli_fail(err, DPL_E_SYSTEM, "FAISS cannot be loaded: %s", late.missing)
               : DPL_OK;
}

#define faiss_IndexFlat_new_with late.faiss_IndexFlat_new_with
#define faiss_IndexFlat_xb       late.faiss_IndexFlat_xb
#define faiss_Index_add          late.faiss_Index_add
#define faiss_Index_d            late.faiss_Index_d
#define faiss_Index_free         late.faiss_Index_free
#define faiss_Index_ntotal       late.faiss_Index_ntotal
#define faiss_Index_search       late.faiss_Index_search
#define faiss_clone_index        late.faiss_clone_index
#define faiss_get_last_error     late.faiss_get_last_error

#else

static dpl_status need(dpl_error *err)
{
    (void)err;
    return DPL_OK;
}

#endif

static dpl_status faiss_failed(dpl_error *err, const char *what)
{
    const char *words = faiss_get_last_error();

    if (words && strstr(words, "bad_alloc"))
        return dpli_fail(err, DPL_E_MEMORY, "out of memory while %s", what);
    return dpli_fail(err, DPL_E_SYSTEM, "%s failed: %s", what, words ? words : "no reason given");
}

dpl_status dpli_ann_new(dpli_ann **out, const float *rows, size_t n, int32_t dim, dpl_error *err)
{
    dpli_ann *ann = dpli_calloc(1, sizeof *ann, err);
    dpl_status status = need(err);

    *out = NULL;
    if (!ann)
        return DPL_E_MEMORY;
    if (status == DPL_OK && faiss_IndexFlat_new_with(&ann->index, dim, METRIC_L2))
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
    free(ann);
}

dpl_status dpli_ann_copy(dpli_ann **out, const dpli_ann *ann, dpl_error *err)
{
    *out = dpli_calloc(1, sizeof **out, err);
    if (!*out)
        return DPL_E_MEMORY;
    if (faiss_clone_index(ann->index, &(*out)->index) == 0)
        return DPL_OK;
    free(*out);
    *out = NULL;
    return faiss_failed(err, "copying the index");
}

dpl_status dpli_ann_add(dpli_ann *ann, const float *rows, size_t n, dpl_error *err)
{
    return faiss_Index_add(ann->index, (idx_t)n, rows) ? faiss_failed(err, "adding to the index")
                                                       : DPL_OK;
}

size_t dpli_ann_size(const dpli_ann *ann)
{
    return (size_t)faiss_Index_ntotal(ann->index);
}

int32_t dpli_ann_dim(const dpli_ann *ann)
{
    return faiss_Index_d(ann->index);
}

float *dpli_ann_rows(const dpli_ann *ann)
{
    float *rows = NULL;
    size_t n_floats;

    faiss_IndexFlat_xb(ann->index, &rows, &n_floats);
    return rows;
}

dpl_status dpli_ann_search(int64_t *at, float *distance, const dpli_ann *ann, const float *probes,
                           size_t n_probes, size_t k, dpl_error *err)
{
    return faiss_Index_search(ann->index, (idx_t)n_probes, probes, (idx_t)k, distance, at)
               ? faiss_failed(err, "searching the index")
               : DPL_OK;
}
