/*
 * eval_items.c - the items of a data set, whatever they are, to vectors, for evaluation.
 *
 * Beside embed.c, which does it for pictures: sentences go through a text encoder, vectors and
 * codes through a network that takes numbers, and vectors without one stay what they are. An item
 * that gives no vector has its reason and does not stop the others.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "doppel/eval.h"

enum { SENTENCES = 512, ROWS = 64 /* at once */ };

/* Items, and where their vectors go. */
typedef struct embedding {
    const dpl_dataset *d;
    const int32_t *items;
    const dpl_item_model *model;
    dpl_embed_options o;
    dpl_embeddings *out;
} embedding;

/* Keep an item's failure, or pass on the system's and the model's. */
static dpl_status note_failure(embedding *e, size_t i, const dpl_error *why, dpl_error *err)
{
    float *const row = e->out->vectors + i * (size_t)e->out->dim;

    if (why->status != DPL_E_INPUT && why->status != DPL_E_LIMIT && why->status != DPL_E_NUMERIC) {
        if (err)
            *err = *why;
        return why->status;
    }
    e->out->errors[i] = dpli_alloc(1, sizeof *why, err);
    if (!e->out->errors[i])
        return DPL_E_MEMORY;
    dpli_fail(e->out->errors[i], why->status, "\"%.60s\": %s",
              dpl_dataset_item_name(e->d, e->items[i]), why->message);
    for (int32_t k = 0; k < e->out->dim; k++)
        row[k] = NAN;
    return DPL_OK;
}

static dpl_status look_up(const embedding *e, size_t n_done, dpl_error *err)
{
    if (dpli_cancelled(e->o.cancel))
        return dpli_fail(err, DPL_E_CANCELLED, "interrupted");
    if (e->o.on_progress)
        e->o.on_progress(e->o.ctx, (int64_t)n_done, (int64_t)e->out->n);
    return DPL_OK;
}

/* Room for n vectors. */
static dpl_status make_room(embedding *e, size_t n, int32_t dim, dpl_error *err)
{
    size_t floats;

    e->out->n = n;
    e->out->dim = dim;
    if (!dpli_mul(&floats, n, (size_t)dim))
        return dpli_fail(err, DPL_E_LIMIT, "%zu vectors of %d numbers", n, (int)dim);
    e->out->vectors = dpli_alloc(floats, sizeof *e->out->vectors, err);
    e->out->faces = dpli_calloc(n, sizeof *e->out->faces, err);
    e->out->errors = dpli_calloc(n, sizeof(dpl_error *), err);
    return e->out->vectors && e->out->faces && e->out->errors ? DPL_OK : DPL_E_MEMORY;
}

/* ------------------------------------------------------------------ sentences */

/* Sentences from to to-1: together, or, when one of them has no vector, one by one. */
static dpl_status embed_sentences(embedding *e, const char **texts, float *rows, size_t from,
                                  size_t to, dpl_error *err)
{
    const dpl_text_encoder *encoder = e->model->sentences;
    const size_t dim = (size_t)e->out->dim;
    dpl_error why = {DPL_OK, ""};
    dpl_status status;

    for (size_t i = from; i < to; i++)
        texts[i - from] = dpl_dataset_sentence(e->d, e->items[i]);
    status = dpl_text_encode(rows, NULL, encoder, texts, to - from, e->o.n_threads, &why);
    if (status == DPL_OK) {
        memcpy(e->out->vectors + from * dim, rows, (to - from) * dim * sizeof *rows);
        return DPL_OK;
    }
    status = DPL_OK;
    for (size_t i = from; i < to && status == DPL_OK; i++)
        if (dpl_text_encode(e->out->vectors + i * dim, NULL, encoder, &texts[i - from], 1, 1,
                            &why) != DPL_OK)
            status = note_failure(e, i, &why, err);
    return status;
}

static dpl_status embed_all_sentences(embedding *e, size_t n, dpl_error *err)
{
    const int32_t dim = dpl_text_encoder_dim(e->model->sentences);
    const char *texts[SENTENCES];
    float *rows = NULL;
    dpl_status status = make_room(e, n, dim, err);

    if (status == DPL_OK) {
        rows = dpli_alloc(SENTENCES * (size_t)dim, sizeof *rows, err);
        status = rows ? DPL_OK : DPL_E_MEMORY;
    }
    for (size_t from = 0; from < n && status == DPL_OK; from += SENTENCES) {
        const size_t to = n - from < SENTENCES ? n : from + SENTENCES;
        status = look_up(e, from, err);
        if (status == DPL_OK)
            status = embed_sentences(e, texts, rows, from, to, err);
    }
    free(rows);
    return status;
}

/* ------------------------------------------------------------------ numbers */

/* A network of vectors or codes, laid out for so many rows of so many numbers. */
typedef struct numbers {
    const dpl_net *net;
    dpl_plan *plan;
    int32_t rows, width;
    bool codes;     /* int64, 0 behind the end of each */
    bool normalize; /* to unit length */
} numbers;

/* What the network takes, beside what the items have: width is of the longest. */
static dpl_status read_input(numbers *m, const embedding *e, int32_t width, dpl_error *err)
{
    const dpl_shape shape = dpl_net_input_shape(m->net, 0);
    const char *normalize = dpl_net_meta(m->net, "doppel.normalize");
    const bool codes = dpl_dataset_vector(e->d, e->items[0]) == NULL;

    m->codes = dpl_net_input_type(m->net, 0) == DPL_TYPE_INT64;
    m->normalize = !normalize || strcmp(normalize, "none") != 0;
    if (dpl_net_n_inputs(m->net) != 1 || shape.rank != 2 || m->codes != codes)
        return dpli_fail(err, DPL_E_MISMATCH, "the model does not take %s",
                         codes ? "codes: integers [n, steps]" : "vectors: numbers [n, width]");
    m->width = shape.dims[1] > 0 ? (int32_t)shape.dims[1] : width;
    m->rows = shape.dims[0] > 0 ? (int32_t)shape.dims[0] : ROWS;
    if (shape.dims[0] > ROWS || shape.dims[1] > INT32_MAX)
        return dpli_fail(err, DPL_E_MODEL, "the model's input is too large");
    if (!codes && m->width != width)
        return dpli_fail(err, DPL_E_MISMATCH, "vectors of %d numbers, the model takes %d",
                         (int)width, (int)m->width);
    return DPL_OK;
}

/* Items from on, as many as there are up to to, into the plan; the rest of its rows are the first.
 */
static void fill(const numbers *m, const embedding *e, size_t from, size_t to)
{
    const size_t width = (size_t)m->width;

    for (size_t r = 0; r < (size_t)m->rows; r++) {
        const int32_t item = e->items[from + r < to ? from + r : from];
        if (!m->codes) {
            memcpy(dpl_plan_input(m->plan, 0) + r * width, dpl_dataset_vector(e->d, item),
                   width * sizeof(float));
            continue;
        }
        int64_t *ids = dpl_plan_input_int64(m->plan, 0) + r * width;
        int32_t n;
        const int32_t *codes = dpl_dataset_codes(e->d, item, &n);
        memset(ids, 0, width * sizeof *ids);
        for (int32_t i = 0; i < n && i < m->width; i++)
            ids[i] = codes[i];
    }
}

/* A row of the output to item i's vector. */
static dpl_status take_row(embedding *e, const numbers *m, size_t i, const float *row,
                           dpl_error *err)
{
    float *const out = e->out->vectors + i * (size_t)e->out->dim;
    double sum = 0;

    for (int32_t k = 0; k < e->out->dim; k++)
        sum += (double)row[k] * (double)row[k];
    if (!isfinite(sum) || (m->normalize && sum == 0)) {
        const dpl_error why = {DPL_E_NUMERIC, "its vector is all zero or not finite"};
        return note_failure(e, i, &why, err);
    }
    for (int32_t k = 0; k < e->out->dim; k++)
        out[k] = m->normalize ? (float)((double)row[k] / sqrt(sum)) : row[k];
    return DPL_OK;
}

static dpl_status run_rows(embedding *e, const numbers *m, size_t from, size_t to, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status = DPL_OK;

    fill(m, e, from, to);
    if (dpl_plan_run(m->plan, &why) == DPL_OK) {
        for (size_t i = from; i < to && status == DPL_OK; i++)
            status = take_row(e, m, i,
                              dpl_plan_output(m->plan, 0) + (i - from) * (size_t)e->out->dim, err);
        return status;
    }
    /* A code that is not in the table: whose it is. */
    for (size_t i = from; i < to && status == DPL_OK; i++) {
        fill(m, e, i, i + 1);
        if (dpl_plan_run(m->plan, &why) != DPL_OK)
            status = note_failure(e, i, &why, err);
        else
            status = take_row(e, m, i, dpl_plan_output(m->plan, 0), err);
    }
    return status;
}

static dpl_status embed_all_numbers(embedding *e, size_t n, int32_t width, dpl_error *err)
{
    numbers m = {.net = e->model->numbers};
    dpl_shape shape, in;
    dpl_status status = read_input(&m, e, width, err);

    if (status == DPL_OK) {
        in = (dpl_shape){2, {m.rows, m.width}};
        status = dpl_plan_new(&m.plan, m.net, &in, DPL_LAYOUT_NCHW, err);
    }
    if (status != DPL_OK)
        return status;
    shape = dpl_plan_output_shape(m.plan, 0);
    if (shape.rank != 2 || shape.dims[0] != m.rows || shape.dims[1] > DPL_MAX_DIM)
        status = dpli_fail(err, DPL_E_MODEL, "the model does not give a vector each, [n, dim]");
    else
        status = make_room(e, n, (int32_t)shape.dims[1], err);
    for (size_t from = 0; from < n && status == DPL_OK; from += (size_t)m.rows) {
        status = look_up(e, from, err);
        if (status == DPL_OK)
            status =
                run_rows(e, &m, from, n - from < (size_t)m.rows ? n : from + (size_t)m.rows, err);
    }
    dpl_plan_free(m.plan);
    return status;
}

static dpl_status copy_all(embedding *e, size_t n, int32_t width, dpl_error *err)
{
    const dpl_status status = make_room(e, n, width, err);

    for (size_t i = 0; i < n && status == DPL_OK; i++)
        memcpy(e->out->vectors + i * (size_t)width, dpl_dataset_vector(e->d, e->items[i]),
               (size_t)width * sizeof(float));
    return status;
}

/* ------------------------------------------------------------------ any */

/* The side whose items this is one of. */
static int side_of(const dpl_dataset *d, int32_t item)
{
    int32_t n;
    const int32_t first = dpl_dataset_side_items(d, 0, &n);

    return item >= first && item - first < n ? 0 : 1;
}

dpl_status dpl_embed_items(dpl_embeddings *out, const dpl_dataset *dataset, const int32_t *items,
                           size_t n, const dpl_item_model *model, const dpl_embed_options *options,
                           dpl_error *err)
{
    dpl_embeddings all = {0};
    embedding e = {
        .d = dataset, .items = items, .model = model, .o = DPL_EMBED_OPTIONS_INIT, .out = &all};
    const int side = n > 0 ? side_of(dataset, items[0]) : 0;
    const dpl_item_kind kind = dpl_dataset_side_kind(dataset, side);
    const int32_t width = dpl_dataset_side_dim(dataset, side);
    dpl_status status;

    *out = all;
    status = dpli_options(&e.o, sizeof e.o, options, "embed", err);
    if (status != DPL_OK)
        return status;
    if (kind == DPL_ITEM_PICTURE && model->pictures) {
        const dpl_pictures pictures = {.n = n, .dataset = dataset, .items = items};
        return dpl_embed(out, model->pictures, &pictures, &e.o, err);
    }
    if (kind == DPL_ITEM_SENTENCE && model->sentences)
        status = embed_all_sentences(&e, n, err);
    else if ((kind == DPL_ITEM_VECTOR || kind == DPL_ITEM_CODES) && model->numbers)
        status = embed_all_numbers(&e, n, width, err);
    else if (kind == DPL_ITEM_VECTOR)
        status = copy_all(&e, n, width, err);
    else
        status = dpli_fail(err, DPL_E_ARGUMENT, "no model for these items");
    if (status != DPL_OK) {
        dpl_embeddings_clear(&all);
        return status;
    }
    for (size_t i = 0; i < n; i++)
        all.n_failed += all.errors[i] != NULL;
    *out = all;
    return DPL_OK;
}

/* Both in one: a's, and b's behind them. Takes them. */
static dpl_status join(dpl_embeddings *out, dpl_embeddings *a, dpl_embeddings *b, dpl_error *err)
{
    const size_t n = a->n + b->n, dim = (size_t)a->dim;

    if (a->dim != b->dim)
        return dpli_fail(err, DPL_E_MISMATCH,
                         "the sides' vectors have %d and %d numbers: these models are not made for "
                         "each other",
                         (int)a->dim, (int)b->dim);
    *out = (dpl_embeddings){.n = n, .n_failed = a->n_failed + b->n_failed, .dim = a->dim};
    out->vectors = dpli_alloc(n * dim, sizeof *out->vectors, err);
    out->faces = dpli_calloc(n, sizeof *out->faces, err);
    out->errors = dpli_calloc(n, sizeof(dpl_error *), err);
    if (!out->vectors || !out->faces || !out->errors) {
        dpl_embeddings_clear(out);
        return DPL_E_MEMORY;
    }
    for (int part = 0; part < 2; part++) {
        dpl_embeddings *from = part == 0 ? a : b;
        const size_t at = part == 0 ? 0 : a->n;
        memcpy(out->vectors + at * dim, from->vectors, from->n * dim * sizeof *out->vectors);
        memcpy(out->faces + at, from->faces, from->n * sizeof *out->faces);
        memcpy(out->errors + at, from->errors, from->n * sizeof(dpl_error *));
        memset(from->errors, 0, from->n * sizeof(dpl_error *)); /* they are out's now */
    }
    return DPL_OK;
}

dpl_status dpl_embed_pairs(dpl_embeddings *out, const dpl_pairs *pairs, const dpl_dataset *dataset,
                           const dpl_item_model models[2], const dpl_embed_options *options,
                           dpl_error *err)
{
    const size_t n_first = pairs->n_first;
    dpl_embeddings a = {0}, b = {0};
    dpl_status status;

    if (n_first == pairs->n_pictures)
        return dpl_embed_items(out, dataset, pairs->items, n_first, &models[0], options, err);
    *out = a;
    status = dpl_embed_items(&a, dataset, pairs->items, n_first, &models[0], options, err);
    if (status == DPL_OK)
        status = dpl_embed_items(&b, dataset, pairs->items + n_first, pairs->n_pictures - n_first,
                                 &models[1], options, err);
    if (status == DPL_OK)
        status = join(out, &a, &b, err);
    dpl_embeddings_clear(&a);
    dpl_embeddings_clear(&b);
    return status;
}
