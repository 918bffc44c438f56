/* A graph of vectors in which each is linked to ones near it, to walk towards a probe in. */
#ifndef DOPPEL_INDEX_HNSW_H
#define DOPPEL_INDEX_HNSW_H

#include "base/span.h"
#include "index/codes.h"

enum {
    DPLI_HNSW_NEAR = 32, /* links of a node in the lowest layer */
    DPLI_HNSW_FAR = 16,  /* in each of the others */
    DPLI_HNSW_LAYERS = 16
};
#define DPLI_HNSW_NONE UINT32_MAX

/* Nodes are rows by their number. A link that is not used is DPLI_HNSW_NONE; the used ones stand
 * first. Zero-initialise, free with dpli_hnsw_clear. */
typedef struct dpli_hnsw {
    dpli_span near; /* uint32 [n, DPLI_HNSW_NEAR] */
    dpli_span up;   /* uint32 [n]: layers above the lowest << 28 | the first one's place in far */
    dpli_span far;  /* uint32 [n_far, DPLI_HNSW_FAR], a node's layers one after the other */
    uint32_t n, n_far, entry;
    int32_t top; /* layers above the lowest that the entry is in; -1: nothing is linked */
} dpli_hnsw;

/* The vectors that a graph is of: as many records as it has nodes, or more. */
typedef struct dpli_coded {
    const int8_t *records;
    dpli_code_shape shape;
} dpli_coded;

/* A node and how far it is; distances of one probe can be compared with each other. */
typedef struct dpli_near {
    float distance;
    uint32_t at;
} dpli_near;

/** Room for n nodes, more than there are; the new ones are linked to nothing. */
dpl_status dpli_hnsw_grow(dpli_hnsw *graph, size_t n, dpl_error *err);
/**
 * Link nodes that are not, in this order.
 *
 * @param nodes  in no order that their vectors have; n of them, none twice
 * Threads: alone; uses all cores itself. The graph does not depend on how many.
 */
dpl_status dpli_hnsw_link(dpli_hnsw *graph, const dpli_coded *coded, const uint32_t *nodes,
                           size_t n, dpl_error *err);
/**
 * Take nodes out; who was linked to them is linked to whom they were linked to.
 *
 * @param is_gone  [graph->n], nonzero for those
 */
dpl_status dpli_hnsw_unlink(dpli_hnsw *graph, const dpli_coded *coded, const char *is_gone,
                             dpl_error *err);
/** Whether all links lead to nodes, so that a search stays within the graph. Of a large one it uses
 * all cores itself. */
bool dpli_hnsw_is_whole(const dpli_hnsw *graph);
void dpli_hnsw_clear(dpli_hnsw *graph);

static inline const uint32_t *dpli_hnsw_near(const dpli_hnsw *graph, uint32_t at)
{
    return (const uint32_t *)graph->near.at + (size_t)at * DPLI_HNSW_NEAR;
}

/* What one search at a time needs. */
typedef struct dpli_walker dpli_walker;

dpl_status dpli_walker_new(dpli_walker **out, dpl_error *err);
void dpli_walker_free(dpli_walker *walker);

/**
 * The nodes nearest to a probe, nearest first, as far as a walk that keeps width of them finds them.
 *
 * @param[out] n_found    at most width
 * @param      n_compared  what the walk has compared is added to it; may be NULL
 * @return  borrowed from the walker until its next search; NULL: out of memory
 * Threads: any number with a walker each, while nobody changes the graph.
 */
const dpli_near *dpli_hnsw_search(size_t *n_found, const dpli_hnsw *graph,
                                   const dpli_coded *coded, const dpli_coded_probe *probe,
                                   size_t width, dpli_walker *walker, uint64_t *n_compared,
                                   dpl_error *err);

#endif
