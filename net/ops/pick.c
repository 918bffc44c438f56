/*
 * pick.c - what takes some of a value's elements by where they are: GatherND, Trilu. CLIP's towers
 * of text take the state at the end of each text, and a mask's lower half.
 *
 * Source: ONNX GatherND-13, Trilu-14.
 */
#include "net/ops/pick.h"

#include <string.h>

#include "net/planner.h"

/* Where the result goes, and what of: known, or of a run. */
typedef struct pick_io {
    void *known;
    dpli_ref out, in[2];
} pick_io;

static dpl_status open_io(dpli_planner *p, const dpli_node *node, dpli_planned *x,
                          dpli_planned *indices, const dpl_shape *shape, pick_io *io,
                          dpl_error *err)
{
    dpl_status status;

    *io = (pick_io){.in = {DPLI_NO_REF, DPLI_NO_REF}};
    if ((!indices || indices->known) && dpli_plan_foldable(x, dpli_shape_elements(shape)))
        return dpli_plan_known(p, node, 0, x->type, shape, &io->known, err);
    status = dpli_plan_out_of(p, node, 0, x->type, shape, DPLI_PLAIN, &io->out, err);
    if (status == DPL_OK)
        status = dpli_plan_use(p, node, x, DPLI_PLAIN, &io->in[0], err);
    if (status == DPL_OK && indices)
        status = dpli_plan_use(p, node, indices, DPLI_PLAIN, &io->in[1], err);
    return status;
}

static dpl_status add_step(dpli_planner *p, const dpli_node *node,
                           void (*run)(const dpli_step *step), const void *params, size_t n_bytes,
                           const dpl_shape *shape, const pick_io *io, dpl_error *err)
{
    dpli_step *step = dpli_plan_step(p, node, run, n_bytes, shape, err);

    if (!step)
        return DPL_E_MEMORY;
    memcpy(step->params, params, n_bytes);
    step->in_ref[0] = io->in[0];
    step->in_ref[1] = io->in[1];
    step->out_ref = io->out;
    return DPL_OK;
}

/* ------------------------------------------------------------------ GatherND */

static dpl_status load_gather_nd(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t *batch_dims = dpli_node_params(node, sizeof *batch_dims, err);

    if (!batch_dims)
        return DPL_E_MEMORY;
    *batch_dims = 0;
    dpl_status status = dpli_attr_int(g, node, "batch_dims", batch_dims, err);
    if (status == DPL_OK && *batch_dims < 0)
        status = dpli_node_fail(g, node, DPL_E_MODEL, err, "batch_dims is %lld, below 0",
                                (long long)*batch_dims);
    return status;
}

/* Places of depth numbers each in the dimensions dims, row after row; at each of them lies a slice
 * of n_bytes. Batches have their own rows and their own part of the data. */
typedef struct gather_nd {
    int64_t batches, rows, depth, dims[DPL_MAX_RANK], part;
    size_t n_bytes;
    const dpli_node *node;
} gather_nd;

/* The slice at a row's place; -1, and in *bad which number, where there is none. */
static int64_t slice_at(const gather_nd *s, const int64_t *place, int64_t *bad)
{
    int64_t at = 0;

    for (int64_t d = 0; d < s->depth; d++) {
        const int64_t n = s->dims[d], i = place[d] < 0 ? place[d] + n : place[d];

        if (place[d] < -n || place[d] >= n) {
            *bad = d;
            return -1;
        }
        at = at * n + i;
    }
    return at;
}

/* Of a place that is not there the slice is zeros, and the fault is noted. */
static void gather_slices(const gather_nd *s, void *to, const void *from, const int64_t *indices,
                          dpli_fault *fault)
{
    char *y = to;

    for (int64_t b = 0; b < s->batches; b++) {
        for (int64_t r = 0; r < s->rows; r++, y += s->n_bytes, indices += s->depth) {
            int64_t bad = 0;
            const int64_t at = slice_at(s, indices, &bad);

            if (at < 0) {
                memset(y, 0, s->n_bytes);
                if (!fault->node)
                    *fault = (dpli_fault){s->node, indices[bad], s->dims[bad], DPLI_FAULT_ID};
                continue;
            }
            memcpy(y, (const char *)from + (size_t)(b * s->part + at) * s->n_bytes, s->n_bytes);
        }
    }
}

static void run_gather_nd(const dpli_step *step)
{
    gather_slices(step->params, step->out, step->in[0], step->in[1], step->fault);
}

static dpl_status plan_gather_nd(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    const int64_t given = *(const int64_t *)node->params;
    const int32_t batch_dims = given < DPL_MAX_RANK ? (int32_t)given : DPL_MAX_RANK;
    dpli_planned *x = dpli_plan_in(p, node, 0), *indices = dpli_plan_in(p, node, 1);
    const dpl_shape *of = &x->shape, *at = &indices->shape;
    const dpli_graph *g = dpli_plan_graph(p);
    gather_nd s = {.batches = 1, .rows = 1, .part = 1, .node = node};
    dpl_shape shape = {0};
    dpli_fault fault = {0};
    bool fits = of->rank > batch_dims && at->rank > batch_dims;
    pick_io io;
    dpl_status status;

    if (indices->type != DPLI_I64)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "indices are not integers");
    s.depth = fits ? at->dims[at->rank - 1] : 0;
    fits = fits && s.depth >= 1 && s.depth <= of->rank - batch_dims;
    for (int32_t i = 0; i < batch_dims && fits; i++)
        fits = of->dims[i] == at->dims[i];
    if (!fits) {
        char words[2][DPLI_SHAPE_TEXT];

        return dpli_node_fail(
            g, node, DPL_E_ARGUMENT, err, "indices %s do not fit %s with %d batch dimensions",
            dpli_shape_text(at, words[0]), dpli_shape_text(of, words[1]), (int)batch_dims);
    }
    if (at->rank - 1 + of->rank - batch_dims - s.depth > DPL_MAX_RANK)
        return dpli_node_fail(g, node, DPL_E_MODEL, err, "result has more than %d dimensions",
                              DPL_MAX_RANK);
    s.n_bytes = dpli_type_bytes(x->type);
    for (int32_t i = 0; i + 1 < at->rank; i++) {
        *(i < batch_dims ? &s.batches : &s.rows) *= at->dims[i];
        shape.dims[shape.rank++] = at->dims[i];
    }
    for (int32_t i = batch_dims; i < of->rank; i++) {
        if (i < batch_dims + s.depth) {
            s.dims[i - batch_dims] = of->dims[i];
            s.part *= of->dims[i];
        } else {
            s.n_bytes *= (size_t)of->dims[i];
            shape.dims[shape.rank++] = of->dims[i];
        }
    }
    status = open_io(p, node, x, indices, &shape, &io, err);
    if (status != DPL_OK)
        return status;
    if (!io.known)
        return add_step(p, node, run_gather_nd, &s, sizeof s, &shape, &io, err);
    gather_slices(&s, io.known, x->known, indices->known, &fault);
    return dpli_fault_fail(g, &fault, err);
}

/* ------------------------------------------------------------------ Trilu */

static dpl_status load_trilu(dpli_graph *g, dpli_node *node, dpl_error *err)
{
    int64_t *upper = dpli_node_params(node, sizeof *upper, err);

    if (!upper)
        return DPL_E_MEMORY;
    *upper = 1;
    return dpli_attr_int(g, node, "upper", upper, err);
}

typedef struct trilu {
    int64_t matrices, rows, columns, k;
    size_t element_bytes;
    bool upper;
} trilu;

/* y = x where the column less the row is at least k (upper) or at most k, else 0. */
static void cut(const trilu *s, void *to, const void *from)
{
    const size_t row_bytes = (size_t)s->columns * s->element_bytes;
    char *y = to;
    const char *x = from;

    for (int64_t i = 0; i < s->matrices * s->rows; i++, y += row_bytes, x += row_bytes) {
        /* Columns begin .. end - 1 stay. */
        const int64_t row = i % s->rows, edge = s->upper ? row + s->k : row + s->k + 1;
        const int64_t inside = edge < 0 ? 0 : edge > s->columns ? s->columns : edge;
        const size_t split = (size_t)inside * s->element_bytes;

        if (s->upper) {
            memset(y, 0, split);
            memcpy(y + split, x + split, row_bytes - split);
        } else {
            memcpy(y, x, split);
            memset(y + split, 0, row_bytes - split);
        }
    }
}

static void run_trilu(const dpli_step *step)
{
    cut(step->params, step->out, step->in[0]);
}

static dpl_status plan_trilu(dpli_planner *p, const dpli_node *node, dpl_error *err)
{
    dpli_planned *x = dpli_plan_in(p, node, 0);
    const dpl_shape shape = x->shape;
    trilu s = {.matrices = 1, .upper = *(const int64_t *)node->params != 0};
    dpl_status status = DPL_OK;
    pick_io io;

    if (shape.rank < 2)
        return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_ARGUMENT, err,
                              "a value of %d dimensions is no matrix", (int)shape.rank);
    s.rows = shape.dims[shape.rank - 2];
    s.columns = shape.dims[shape.rank - 1];
    if (dpli_plan_in(p, node, 1)) {
        const int64_t *k = NULL;
        int64_t n = 0;

        status = dpli_plan_ints(p, node, 1, &k, &n, err);
        if (status != DPL_OK)
            return status;
        if (n != 1)
            return dpli_node_fail(dpli_plan_graph(p), node, DPL_E_MODEL, err,
                                  "k is %lld numbers, not one", (long long)n);
        /* Beyond the matrix all diagonals are one. */
        s.k = *k < -s.rows ? -s.rows : *k > s.columns ? s.columns : *k;
    }
    for (int32_t i = 0; i + 2 < shape.rank; i++)
        s.matrices *= shape.dims[i];
    s.element_bytes = dpli_type_bytes(x->type);
    status = open_io(p, node, x, NULL, &shape, &io, err);
    if (status != DPL_OK)
        return status;
    if (!io.known)
        return add_step(p, node, run_trilu, &s, sizeof s, &shape, &io, err);
    cut(&s, io.known, x->known);
    return DPL_OK;
}

const dpli_op dpli_ops_pick[] = {
    {"GatherND", DPLI_ROLE_OTHER, 2, 2, 1, false, load_gather_nd, NULL, plan_gather_nd, NULL},
    {"Trilu", DPLI_ROLE_OTHER, 1, 2, 1, false, load_trilu, NULL, plan_trilu, NULL},
    {0},
};
