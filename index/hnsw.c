/*
 * hnsw.c - a hierarchical navigable small world over codes of 8 bits.
 *
 * Malkov and Yashunin 2020 (IEEE TPAMI 42, 4), algorithms 1 to 5: a node is in the lowest layer and
 * in each higher one with a sixteenth of the chance; a search walks greedily through the upper
 * layers and keeps the best it has met in the lowest. Neighbours are chosen by their heuristic:
 * one that is nearer to a chosen one than to the node is left out.
 *
 * We differ: nodes are linked in groups. Those of a group look for neighbours in the graph as it is
 * before the group, and among themselves, all at once and without locks; then the links back to
 * them are made, each node's by one thread. So the graph does not depend on the number of threads.
 * Of vectors that are equal at most half of a node's links are to its like, so that a thousand
 * copies of one vector do not cut themselves off. Removed nodes are taken out of all lists, and
 * what they led to is offered in their place (as in FreshDiskANN, Singh et al. 2021), with links
 * back from what is taken.
 *
 * Distances are squared Euclidean ones of the codes; of unit vectors the cosine, negated.
 */
#include "index/hnsw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/pool.h"
#include "net/rows8.h"

enum {
    NEAR = DPLI_HNSW_NEAR,
    FAR = DPLI_HNSW_FAR,
    CHOSEN = 16,       /* neighbours that a new node chooses; the rest of its room is for others */
    BUILD_WIDTH = 100, /* kept by a walk that looks for neighbours */
    GROUP_MIN = 64,    /* nodes linked at once: at least, */
    GROUP_SHARE = 4,   /* a quarter of those there are, */
    GROUP_MAX = 1024,  /* and at most: each is compared with all others of its group */
    NODES = 16,        /* that a thread takes at once */
    LIKES = 2          /* of a node's links, one in so many may be to an equal vector */
};

#define NONE     DPLI_HNSW_NONE
#define EXPANDED 0x80000000U

/* ------------------------------------------------------------------ nodes and links */

static uint32_t *near_of(const dpli_hnsw *g, uint32_t at)
{
    return (uint32_t *)g->near.at + (size_t)at * NEAR;
}

static uint32_t up_of(const dpli_hnsw *g, uint32_t at)
{
    return ((const uint32_t *)g->up.at)[at];
}

static int layers_of(const dpli_hnsw *g, uint32_t at)
{
    return (int)(up_of(g, at) >> 28);
}

/* Links in a layer; *room is how many there may be. */
static uint32_t *links_of(const dpli_hnsw *g, uint32_t at, int layer, size_t *room)
{
    *room = layer == 0 ? NEAR : FAR;
    if (layer == 0)
        return near_of(g, at);
    return (uint32_t *)g->far.at + ((size_t)(up_of(g, at) & 0x0FFFFFFFU) + (size_t)layer - 1) * FAR;
}

static size_t n_links(const uint32_t *links, size_t room)
{
    size_t n = 0;

    while (n < room && links[n] != NONE)
        n++;
    return n;
}

/* How many layers a node is in above the lowest: by chance, and always the same for its number. */
static uint32_t layers_for(uint32_t at)
{
    uint64_t x = (at + 1) * 0x9E3779B97F4A7C15U;
    uint32_t layers = 0;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    x ^= x >> 31;
    for (; layers < DPLI_HNSW_LAYERS - 1 && (x & 15) == 0; x >>= 4)
        layers++;
    return layers;
}

dpl_status dpli_hnsw_grow(dpli_hnsw *g, size_t n, dpl_error *err)
{
    const uint32_t before = g->n;
    size_t n_far = g->n_far;
    dpl_status status;

    if (n >= EXPANDED)
        return dpli_fail(err, DPL_E_LIMIT, "%zu vectors in an index, limit is %u", n, EXPANDED - 1);
    for (uint32_t i = before; i < n; i++)
        n_far += layers_for(i);
    status = dpli_span_resize(&g->near, n * NEAR * sizeof(uint32_t), err);
    if (status == DPL_OK)
        status = dpli_span_resize(&g->up, n * sizeof(uint32_t), err);
    if (status == DPL_OK)
        status = dpli_span_resize(&g->far, n_far * FAR * sizeof(uint32_t), err);
    if (status != DPL_OK)
        return status;
    if (g->n == 0)
        g->top = -1;
    memset(near_of(g, before), 0xFF, (n - before) * NEAR * sizeof(uint32_t));
    memset((uint32_t *)g->far.at + (size_t)g->n_far * FAR, 0xFF,
           (n_far - g->n_far) * FAR * sizeof(uint32_t));
    for (uint32_t i = before; i < n; i++) {
        const uint32_t layers = layers_for(i);

        ((uint32_t *)g->up.at)[i] = layers ? layers << 28 | g->n_far : 0;
        g->n_far += layers;
    }
    g->n = (uint32_t)n;
    return DPL_OK;
}

/* Nodes that are checked by one thread at a time. */
#define CHECKED ((size_t)1 << 15)

typedef struct checking {
    const dpli_hnsw *graph;
    bool wrong;
} checking;

static bool is_node_whole(const dpli_hnsw *g, uint32_t at)
{
    const int layers = layers_of(g, at);

    if (up_of(g, at) != 0 && (size_t)(up_of(g, at) & 0x0FFFFFFFU) + (size_t)layers > g->n_far)
        return false;
    /* A link in a layer leads to a node of that layer. */
    for (int layer = 1; layer <= layers; layer++) {
        size_t room;
        const uint32_t *to = links_of(g, at, layer, &room);

        for (size_t j = 0; j < room && to[j] != NONE; j++)
            if (to[j] >= g->n || layers_of(g, to[j]) < layer)
                return false;
    }
    return true;
}

static dpl_status check_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    checking *c = ctx;
    const dpli_hnsw *g = c->graph;
    const size_t from = item * CHECKED, end = from + CHECKED < g->n ? from + CHECKED : g->n;
    const uint32_t *links = g->near.at;
    uint32_t wrong = 0;

    (void)worker;
    (void)err;
    /* Without a branch, so that it is done at once for many. NONE + 1 is 0. */
    for (size_t i = from * NEAR; i < end * NEAR; i++)
        wrong |= links[i] + 1 > g->n;
    for (size_t i = from; i < end && !wrong; i++)
        wrong = !is_node_whole(g, (uint32_t)i);
    if (wrong)
        __atomic_store_n(&c->wrong, true, __ATOMIC_RELAXED);
    return DPL_OK;
}

bool dpli_hnsw_is_whole(const dpli_hnsw *g)
{
    const size_t n_items = (g->n + CHECKED - 1) / CHECKED;
    checking c = {.graph = g};

    if (g->near.n_bytes != (size_t)g->n * NEAR * sizeof(uint32_t) ||
        g->up.n_bytes != (size_t)g->n * sizeof(uint32_t) ||
        g->far.n_bytes != (size_t)g->n_far * FAR * sizeof(uint32_t) || g->top < -1 ||
        g->top >= DPLI_HNSW_LAYERS || (g->top >= 0 && g->entry >= g->n) ||
        (g->top > 0 && layers_of(g, g->entry) < g->top))
        return false;
    return dpli_pool_run(n_items > 1 ? 0 : 1, n_items, check_some, &c, NULL) == DPL_OK && !c.wrong;
}

void dpli_hnsw_clear(dpli_hnsw *g)
{
    dpli_span_free(&g->near);
    dpli_span_free(&g->up);
    dpli_span_free(&g->far);
    memset(g, 0, sizeof *g);
}

/* ------------------------------------------------------------------ distances */

static const int8_t *record_of(const dpli_coded *c, uint32_t at)
{
    return c->records + (size_t)at * c->shape.stride;
}

/* What distances are reckoned with: of a probe, or of a node. */
typedef struct from {
    const int16_t *code;
    float scale, square; /* square: of the vector's norm; 0 of a unit vector */
} from;

static from from_probe(const dpli_coded_probe *probe, const dpli_code_shape *shape)
{
    return (from){probe->code, (float)probe->scale,
                  shape->unit ? 0 : (float)(probe->scale * probe->scale * probe->square)};
}

static from from_node(int16_t *code, const dpli_coded *c, uint32_t at)
{
    const int8_t *record = record_of(c, at);
    const dpli_code_end *end = dpli_code_end_of(record, &c->shape);

    for (int32_t i = 0; i < c->shape.width; i++)
        code[i] = record[i];
    return (from){code, end->scale,
                  c->shape.unit ? 0 : end->scale * end->scale * (float)end->square};
}

static void fetch(const dpli_coded *c, uint32_t at)
{
    const char *record = (const char *)record_of(c, at);

    for (size_t i = 0; i < c->shape.stride; i += 64)
        __builtin_prefetch(record + i);
}

enum { AT_ONCE = 64 };

/* Distances of n <= AT_ONCE nodes. */
static void measure(float *out, const dpli_coded *c, const from *f, const uint32_t *at, size_t n)
{
    int32_t dots[AT_ONCE];

    dpli_rows8_dot_at(dots, f->code, c->records, c->shape.stride, at, n, c->shape.width);
    for (size_t i = 0; i < n; i++) {
        const dpli_code_end *end = dpli_code_end_of(record_of(c, at[i]), &c->shape);
        const float ab = f->scale * end->scale * (float)dots[i];

        out[i] =
            c->shape.unit ? -ab : f->square + end->scale * end->scale * (float)end->square - 2 * ab;
        /* Vectors too long for a float to square are as far as can be. */
        if (!(out[i] < INFINITY))
            out[i] = INFINITY;
    }
}

/* ------------------------------------------------------------------ a walk */

/* The nodes met, as an open table; and the best of them, nearest first. */
struct dpli_walker {
    uint32_t *met;
    size_t n_met, n_slots; /* n_slots is a power of two */
    dpli_near *best;
    size_t n, width, cap;
    uint64_t n_compared;
};

static dpl_status make_room(dpli_walker *w, size_t width, dpl_error *err)
{
    if (width > w->cap) {
        dpli_near *best = dpli_realloc(w->best, width + 1, sizeof *best, err);

        if (!best)
            return DPL_E_MEMORY;
        w->best = best;
        w->cap = width;
    }
    w->width = width;
    return DPL_OK;
}

dpl_status dpli_walker_new(dpli_walker **out, dpl_error *err)
{
    dpli_walker *w = dpli_calloc(1, sizeof *w, err);

    *out = NULL;
    if (!w)
        return DPL_E_MEMORY;
    w->n_slots = 4096;
    w->met = dpli_alloc(w->n_slots, sizeof *w->met, err);
    if (!w->met || make_room(w, BUILD_WIDTH, err) != DPL_OK) {
        dpli_walker_free(w);
        return DPL_E_MEMORY;
    }
    *out = w;
    return DPL_OK;
}

void dpli_walker_free(dpli_walker *w)
{
    if (!w)
        return;
    free(w->met);
    free(w->best);
    free(w);
}

static size_t slot_of(const dpli_walker *w, uint32_t at)
{
    return ((uint64_t)at * 0x9E3779B97F4A7C15U >> 32) & (w->n_slots - 1);
}

static void forget_all(dpli_walker *w)
{
    memset(w->met, 0xFF, w->n_slots * sizeof *w->met);
    w->n_met = 0;
}

/* Whether it was not met before. There is room for a node's links. */
static bool is_new(dpli_walker *w, uint32_t at)
{
    size_t slot = slot_of(w, at);

    while (w->met[slot] != NONE) {
        if (w->met[slot] == at)
            return false;
        slot = (slot + 1) & (w->n_slots - 1);
    }
    w->met[slot] = at;
    w->n_met++;
    return true;
}

/* Room for a node's links more, at most half full. */
static dpl_status widen(dpli_walker *w, dpl_error *err)
{
    const size_t n_old = w->n_slots;
    uint32_t *old = w->met;

    if (w->n_met + NEAR <= w->n_slots / 2)
        return DPL_OK;
    w->met = dpli_alloc(2 * n_old, sizeof *w->met, err);
    if (!w->met) {
        w->met = old;
        return DPL_E_MEMORY;
    }
    w->n_slots = 2 * n_old;
    forget_all(w);
    for (size_t i = 0; i < n_old; i++)
        if (old[i] != NONE)
            is_new(w, old[i]);
    free(old);
    return DPL_OK;
}

/* Into its place; returns that, or width when it has none. Of equals the earlier comer is first. */
static size_t put(dpli_walker *w, float distance, uint32_t at)
{
    size_t low = 0, high = w->n;

    if (w->n == w->width && !(distance < w->best[w->n - 1].distance))
        return w->width;
    while (low < high) {
        const size_t middle = (low + high) / 2;

        if (w->best[middle].distance <= distance)
            low = middle + 1;
        else
            high = middle;
    }
    if (w->n == w->width)
        w->n--;
    memmove(w->best + low + 1, w->best + low, (w->n - low) * sizeof *w->best);
    w->best[low] = (dpli_near){distance, at};
    w->n++;
    return low;
}

/* From what is in best, which is in order, to what can be met in a layer. */
static dpl_status walk(dpli_walker *w, const dpli_hnsw *g, const dpli_coded *c, const from *f,
                       int layer, dpl_error *err)
{
    size_t next = 0;

    forget_all(w);
    for (size_t i = 0; i < w->n; i++) {
        w->best[i].at &= ~EXPANDED;
        is_new(w, w->best[i].at);
    }
    while (next < w->n) {
        uint32_t fresh[NEAR];
        float distance[NEAR];
        size_t room, n = 0, first = w->n;
        const uint32_t *links;
        dpl_status status;

        if (w->best[next].at & EXPANDED) {
            next++;
            continue;
        }
        links = links_of(g, w->best[next].at, layer, &room);
        w->best[next].at |= EXPANDED;
        status = widen(w, err);
        if (status != DPL_OK)
            return status;
        for (size_t i = 0; i < room && links[i] != NONE; i++)
            if (is_new(w, links[i])) {
                fetch(c, links[i]);
                fresh[n++] = links[i];
            }
        measure(distance, c, f, fresh, n);
        w->n_compared += n;
        for (size_t i = 0; i < n; i++) {
            const size_t place = put(w, distance[i], fresh[i]);

            if (place < first)
                first = place;
        }
        if (first < next)
            next = first;
        if (next < w->n && !(w->best[next].at & EXPANDED))
            __builtin_prefetch(near_of(g, w->best[next].at));
    }
    for (size_t i = 0; i < w->n; i++)
        w->best[i].at &= ~EXPANDED;
    return DPL_OK;
}

/* From the entry down to above a layer, by the nearest alone. */
static void descend(dpli_walker *w, const dpli_hnsw *g, const dpli_coded *c, const from *f,
                    int to_above)
{
    dpli_near at = {0, g->entry};

    measure(&at.distance, c, f, &at.at, 1);
    for (int layer = g->top; layer > to_above; layer--) {
        for (bool moved = true; moved;) {
            size_t room, n;
            const uint32_t *links = links_of(g, at.at, layer, &room);
            float distance[NEAR];

            moved = false;
            n = n_links(links, room);
            for (size_t i = 0; i < n; i++)
                fetch(c, links[i]);
            measure(distance, c, f, links, n);
            w->n_compared += n;
            for (size_t i = 0; i < n; i++)
                if (distance[i] < at.distance) {
                    at = (dpli_near){distance[i], links[i]};
                    moved = true;
                }
        }
    }
    w->best[0] = at;
    w->n = 1;
}

const dpli_near *dpli_hnsw_search(size_t *n_found, const dpli_hnsw *graph, const dpli_coded *coded,
                                  const dpli_coded_probe *probe, size_t width, dpli_walker *walker,
                                  uint64_t *n_compared, dpl_error *err)
{
    const from f = from_probe(probe, &coded->shape);

    *n_found = 0;
    if (make_room(walker, width > 0 ? width : 1, err) != DPL_OK)
        return NULL;
    if (graph->top < 0)
        return walker->best;
    walker->n_compared = 0;
    descend(walker, graph, coded, &f, 0);
    if (walk(walker, graph, coded, &f, 0, err) != DPL_OK)
        return NULL;
    *n_found = walker->n;
    if (n_compared)
        *n_compared += walker->n_compared;
    return walker->best;
}

/* ------------------------------------------------------------------ choosing neighbours */

/* What a thread has for the making. */
typedef struct maker {
    dpli_walker *walker;
    int16_t *code, *other; /* [width] each */
    float *distance;       /* to the others of a group [GROUP_MAX] */
    dpli_near *offered;    /* [NEAR * (NEAR + 1) + GROUP_MAX] */
} maker;

enum { OFFERED_MAX = NEAR * (NEAR + 1) + GROUP_MAX };

/* Of n offered, nearest first, the ones to link to; returns how many. */
static size_t choose(uint32_t *chosen, size_t room, const dpli_near *offered, size_t n,
                     const dpli_coded *c, const from *f, int32_t own_square, maker *m)
{
    /* What a vector is from its like, and a rounding more. */
    const float square = f->scale * f->scale * (float)own_square;
    const float like = (c->shape.unit ? -square : 0) + 1e-6F * square;
    size_t n_chosen = 0, n_likes = 0;

    for (size_t i = 0; i < n && n_chosen < room; i++) {
        const from other = from_node(m->other, c, offered[i].at);
        float between[NEAR];
        bool is_like = offered[i].distance <= like, far = true;

        if (is_like && n_likes >= room / LIKES)
            continue;
        measure(between, c, &other, chosen, n_chosen);
        for (size_t j = 0; j < n_chosen && far; j++)
            far = !(between[j] < offered[i].distance);
        if (!far)
            continue;
        n_likes += is_like;
        chosen[n_chosen++] = offered[i].at;
    }
    return n_chosen;
}

static int by_distance(const void *a, const void *b)
{
    const dpli_near *x = a, *y = b;

    return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance)
                                      : (x->at > y->at) - (x->at < y->at);
}

static int32_t square_of(const dpli_coded *c, uint32_t at)
{
    return dpli_code_end_of(record_of(c, at), &c->shape)->square;
}

/* Set a node's links to the best of what is offered, in any order and some of it twice. */
static void set_links(const dpli_hnsw *g, const dpli_coded *c, uint32_t node, int layer,
                      const uint32_t *at, size_t n, maker *m)
{
    const from f = from_node(m->code, c, node);
    size_t room, n_offered = 0;
    uint32_t *links = links_of(g, node, layer, &room), chosen[NEAR];
    float distance[AT_ONCE];

    for (size_t i = 0; i < n; i += AT_ONCE) {
        const size_t some = n - i < AT_ONCE ? n - i : AT_ONCE;

        measure(distance, c, &f, at + i, some);
        for (size_t j = 0; j < some; j++)
            m->offered[i + j] = (dpli_near){distance[j], at[i + j]};
    }
    qsort(m->offered, n, sizeof *m->offered, by_distance);
    for (size_t i = 0; i < n; i++)
        if (m->offered[i].at != node &&
            (n_offered == 0 || m->offered[n_offered - 1].at != m->offered[i].at))
            m->offered[n_offered++] = m->offered[i];
    n = choose(chosen, room, m->offered, n_offered, c, &f, square_of(c, node), m);
    memset(links, 0xFF, room * sizeof *links);
    memcpy(links, chosen, n * sizeof *links);
}

static void clear_makers(maker *makers, size_t n)
{
    for (size_t i = 0; makers && i < n; i++) {
        dpli_walker_free(makers[i].walker);
        free(makers[i].code);
        free(makers[i].other);
        free(makers[i].distance);
        free(makers[i].offered);
    }
    free(makers);
}

static maker *make_makers(size_t n, const dpli_coded *c, dpl_error *err)
{
    maker *makers = dpli_calloc(n, sizeof *makers, err);

    for (size_t i = 0; makers && i < n; i++) {
        maker *m = &makers[i];

        m->code = dpli_alloc_aligned((size_t)c->shape.width, sizeof *m->code, err);
        m->other = dpli_alloc_aligned((size_t)c->shape.width, sizeof *m->other, err);
        m->distance = dpli_alloc(GROUP_MAX, sizeof *m->distance, err);
        m->offered = dpli_alloc(OFFERED_MAX, sizeof *m->offered, err);
        if (!m->code || !m->other || !m->distance || !m->offered ||
            dpli_walker_new(&m->walker, err) != DPL_OK) {
            clear_makers(makers, n);
            return NULL;
        }
    }
    return makers;
}

/* ------------------------------------------------------------------ linking a group */

/* A link that is to be made back. */
typedef struct back {
    uint32_t to, from;
    int32_t layer;
} back;

typedef struct group {
    dpli_hnsw *graph;
    const dpli_coded *coded;
    const uint32_t *nodes;
    size_t n;
    maker *makers;
    back *backs;
    size_t n_backs, *starts, n_starts; /* where the links back to one node begin */
} group;

/* One node's neighbours in the graph before the group, and in the group. Nobody is led to the node
   yet, so its links are this thread's. */
static dpl_status link_one(const group *gr, size_t number, maker *m, dpl_error *err)
{
    const dpli_hnsw *g = gr->graph;
    const dpli_coded *c = gr->coded;
    dpli_walker *w = m->walker;
    const uint32_t node = gr->nodes[number];
    const from f = from_node(m->code, c, node);
    const int layers = layers_of(g, node);
    dpl_status status = make_room(w, BUILD_WIDTH, err);

    if (status != DPL_OK)
        return status;
    for (size_t i = 0; i < gr->n; i += AT_ONCE)
        measure(m->distance + i, c, &f, gr->nodes + i, gr->n - i < AT_ONCE ? gr->n - i : AT_ONCE);
    w->n = 0;
    if (g->top >= 0)
        descend(w, g, c, &f, layers);
    for (int layer = layers; layer >= 0; layer--) {
        size_t room, n = 0;
        uint32_t *links = links_of(g, node, layer, &room);
        float worst;

        if (layer <= g->top) {
            status = walk(w, g, c, &f, layer, err);
            if (status != DPL_OK)
                return status;
            n = w->n;
            memcpy(m->offered, w->best, n * sizeof *w->best);
        }
        worst = n < w->width ? INFINITY : w->best[n - 1].distance;
        /* What is of the group is not in the graph yet, so it begins no walk. */
        for (size_t i = 0; i < gr->n; i++)
            if (i != number && m->distance[i] < worst && layers_of(g, gr->nodes[i]) >= layer)
                m->offered[n++] = (dpli_near){m->distance[i], gr->nodes[i]};
        qsort(m->offered, n, sizeof *m->offered, by_distance);
        n = choose(links, CHOSEN, m->offered, n < BUILD_WIDTH ? n : BUILD_WIDTH, c, &f,
                   square_of(c, node), m);
    }
    return DPL_OK;
}

static dpl_status link_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    const group *gr = ctx;
    dpl_status status = DPL_OK;

    for (size_t i = item * NODES; i < gr->n && i < (item + 1) * NODES && status == DPL_OK; i++)
        status = link_one(gr, i, &gr->makers[worker], err);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const back *x = a, *y = b;

    if (x->layer != y->layer)
        return (x->layer > y->layer) - (x->layer < y->layer);
    return x->to != y->to ? (x->to > y->to) - (x->to < y->to)
                          : (x->from > y->from) - (x->from < y->from);
}

/* Bring links back in order, those to one node together. */
static dpl_status sort_backs(group *gr, dpl_error *err)
{
    free(gr->starts);
    gr->n_starts = 0;
    gr->starts = dpli_alloc(gr->n_backs + 1, sizeof *gr->starts, err);
    if (!gr->starts)
        return DPL_E_MEMORY;
    if (gr->n_backs > 0)
        qsort(gr->backs, gr->n_backs, sizeof *gr->backs, by_place);
    for (size_t i = 0; i < gr->n_backs; i++)
        if (i == 0 || gr->backs[i].to != gr->backs[i - 1].to ||
            gr->backs[i].layer != gr->backs[i - 1].layer)
            gr->starts[gr->n_starts++] = i;
    gr->starts[gr->n_starts] = gr->n_backs;
    return DPL_OK;
}

static dpl_status note_backs(group *gr, dpl_error *err)
{
    const dpli_hnsw *g = gr->graph;
    size_t n = 0;

    free(gr->backs);
    for (size_t i = 0; i < gr->n; i++)
        n += (size_t)(layers_of(g, gr->nodes[i]) + 1) * CHOSEN;
    gr->n_backs = 0;
    gr->backs = dpli_alloc(n, sizeof *gr->backs, err);
    if (!gr->backs)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < gr->n; i++)
        for (int layer = 0; layer <= layers_of(g, gr->nodes[i]); layer++) {
            size_t room;
            const uint32_t *links = links_of(g, gr->nodes[i], layer, &room);

            for (size_t j = 0; j < room && links[j] != NONE; j++)
                gr->backs[gr->n_backs++] = (back){links[j], gr->nodes[i], layer};
        }
    return sort_backs(gr, err);
}

/* The links back to one node. */
static void link_back(const group *gr, size_t number, maker *m)
{
    const size_t first = gr->starts[number], n_new = gr->starts[number + 1] - first;
    const back *b = gr->backs + first;
    uint32_t at[NEAR + GROUP_MAX];
    size_t room, n;
    uint32_t *links = links_of(gr->graph, b->to, b->layer, &room);

    n = n_links(links, room);
    memcpy(at, links, n * sizeof *links);
    for (size_t i = 0; i < n_new; i++) {
        bool there = false;

        for (size_t j = 0; j < n && !there; j++)
            there = at[j] == b[i].from;
        if (!there)
            at[n++] = b[i].from;
    }
    if (n <= room)
        memcpy(links, at, n * sizeof *links);
    else
        set_links(gr->graph, gr->coded, b->to, b->layer, at, n, m);
}

static dpl_status link_some_back(void *ctx, int worker, size_t item, dpl_error *err)
{
    const group *gr = ctx;

    (void)err;
    for (size_t i = item * NODES; i < gr->n_starts && i < (item + 1) * NODES; i++)
        link_back(gr, i, &gr->makers[worker]);
    return DPL_OK;
}

static size_t n_items(size_t n)
{
    return (n + NODES - 1) / NODES;
}

dpl_status dpli_hnsw_link(dpli_hnsw *g, const dpli_coded *coded, const uint32_t *nodes, size_t n,
                          dpl_error *err)
{
    const int n_threads = n < GROUP_MIN ? 1 : dpli_n_cores();
    group gr = {.graph = g, .coded = coded};
    size_t n_linked = g->top < 0 ? 0 : g->n - n;
    dpl_status status = DPL_OK;

    gr.makers = make_makers((size_t)n_threads, coded, err);
    if (!gr.makers)
        return DPL_E_MEMORY;
    for (size_t at = 0; at < n && status == DPL_OK; at += gr.n) {
        size_t most = n_linked / GROUP_SHARE;

        most = most < GROUP_MIN ? GROUP_MIN : most > GROUP_MAX ? GROUP_MAX : most;
        gr.nodes = nodes + at;
        gr.n = n - at < most ? n - at : most;
        status = dpli_pool_run(n_threads, n_items(gr.n), link_some, &gr, err);
        if (status == DPL_OK)
            status = note_backs(&gr, err);
        if (status == DPL_OK)
            status = dpli_pool_run(n_threads, n_items(gr.n_starts), link_some_back, &gr, err);
        for (size_t i = 0; i < gr.n && status == DPL_OK; i++)
            if (layers_of(g, gr.nodes[i]) > g->top) {
                g->top = layers_of(g, gr.nodes[i]);
                g->entry = gr.nodes[i];
            }
        n_linked += gr.n;
    }
    free(gr.backs);
    free(gr.starts);
    clear_makers(gr.makers, (size_t)n_threads);
    return status;
}

/* ------------------------------------------------------------------ taking nodes out */

/* Links that a thread has made while repairing. */
typedef struct made {
    back *items;
    size_t n, cap;
} made;

typedef struct removal {
    dpli_hnsw *graph;
    const dpli_coded *coded;
    const char *is_gone;
    maker *makers;
    made *made; /* a thread each */
} removal;

enum { REPAIRED = 1024 /* nodes that a thread looks at at once */ };

/* What a node is linked to in a layer, and what those are linked to that go; none of them goes. */
static size_t gather_through(uint32_t *at, const removal *r, uint32_t node, int layer,
                             bool *touched)
{
    size_t room, n = 0;
    const uint32_t *links = links_of(r->graph, node, layer, &room);

    *touched = false;
    for (size_t i = 0; i < room && links[i] != NONE; i++) {
        const uint32_t *through;

        if (!r->is_gone[links[i]]) {
            at[n++] = links[i];
            continue;
        }
        *touched = true;
        through = links_of(r->graph, links[i], layer, &room);
        for (size_t j = 0; j < room && through[j] != NONE; j++)
            if (!r->is_gone[through[j]])
                at[n++] = through[j];
    }
    return n;
}

static dpl_status repair_node(const removal *r, uint32_t node, int layer, int worker,
                              dpl_error *err)
{
    const dpli_hnsw *g = r->graph;
    made *mine = &r->made[worker];
    uint32_t at[OFFERED_MAX], before[NEAR];
    bool touched;
    const size_t n = gather_through(at, r, node, layer, &touched);
    size_t room;
    const uint32_t *links = links_of(g, node, layer, &room);
    const size_t n_before = n_links(links, room);

    if (!touched)
        return DPL_OK;
    memcpy(before, links, n_before * sizeof *links);
    set_links(g, r->coded, node, layer, at, n, &r->makers[worker]);
    for (size_t i = 0; i < room && links[i] != NONE; i++) {
        bool is_new = true;
        back *items;

        for (size_t j = 0; j < n_before && is_new; j++)
            is_new = before[j] != links[i];
        if (!is_new)
            continue;
        items = dpli_grow(mine->items, &mine->cap, mine->n + 1, sizeof *items, err);
        if (!items)
            return DPL_E_MEMORY;
        mine->items = items;
        items[mine->n++] = (back){links[i], node, layer};
    }
    return DPL_OK;
}

static dpl_status repair_some(void *ctx, int worker, size_t item, dpl_error *err)
{
    const removal *r = ctx;
    const dpli_hnsw *g = r->graph;
    const size_t end = (item + 1) * REPAIRED < g->n ? (item + 1) * REPAIRED : g->n;
    dpl_status status = DPL_OK;

    for (uint32_t node = (uint32_t)(item * REPAIRED); node < end; node++)
        for (int layer = 0; layer <= layers_of(g, node) && !r->is_gone[node] && status == DPL_OK;
             layer++)
            status = repair_node(r, node, layer, worker, err);
    return status;
}

/* Links that are new are made back, too: else who was found through a node that went alone might
   be found no more. */
static dpl_status link_made_back(const removal *r, int n_threads, dpl_error *err)
{
    group gr = {.graph = r->graph, .coded = r->coded, .makers = r->makers};
    dpl_status status = DPL_E_MEMORY;

    for (int t = 0; t < n_threads; t++)
        gr.n_backs += r->made[t].n;
    gr.backs = dpli_alloc(gr.n_backs, sizeof *gr.backs, err);
    if (gr.backs) {
        size_t n = 0;

        for (int t = 0; t < n_threads; t++) {
            if (r->made[t].n > 0)
                memcpy(gr.backs + n, r->made[t].items, r->made[t].n * sizeof *gr.backs);
            n += r->made[t].n;
        }
        status = sort_backs(&gr, err);
    }
    if (status == DPL_OK)
        status = dpli_pool_run(n_threads, n_items(gr.n_starts), link_some_back, &gr, err);
    free(gr.backs);
    free(gr.starts);
    return status;
}

dpl_status dpli_hnsw_unlink(dpli_hnsw *g, const dpli_coded *coded, const char *is_gone,
                            dpl_error *err)
{
    const int n_threads = g->n > REPAIRED ? dpli_n_cores() : 1;
    removal r = {.graph = g, .coded = coded, .is_gone = is_gone};
    dpl_status status;

    r.makers = make_makers((size_t)n_threads, coded, err);
    r.made = r.makers ? dpli_calloc((size_t)n_threads, sizeof *r.made, err) : NULL;
    /* Links of those that go are read meanwhile and changed by nobody. */
    status = r.made ? dpli_pool_run(n_threads, ((size_t)g->n + REPAIRED - 1) / REPAIRED,
                                    repair_some, &r, err)
                    : DPL_E_MEMORY;
    if (status == DPL_OK)
        status = link_made_back(&r, n_threads, err);
    for (int t = 0; t < n_threads && r.made; t++)
        free(r.made[t].items);
    free(r.made);
    clear_makers(r.makers, (size_t)n_threads);
    if (status != DPL_OK)
        return status;
    for (uint32_t i = 0; i < g->n; i++)
        for (int layer = 0; layer <= layers_of(g, i) && is_gone[i]; layer++) {
            size_t room;
            uint32_t *links = links_of(g, i, layer, &room);

            memset(links, 0xFF, room * sizeof *links);
        }
    if (g->top >= 0 && is_gone[g->entry]) {
        g->top = -1;
        for (uint32_t i = 0; i < g->n; i++)
            if (!is_gone[i] && layers_of(g, i) > g->top) {
                g->top = layers_of(g, i);
                g->entry = i;
            }
    }
    return DPL_OK;
}
