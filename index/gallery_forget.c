/*
 * gallery_forget.c - forgetting a person or a photo so that nothing of them is left, and proving
 * it.
 *
 * In this order, so that a kill at any instant leaves either everything or the certainty that the
 * next writer finishes: (1) one transaction removes the rows (SQLite overwrites them with zeros)
 * and sets the gallery's scrub mark; (2) snapshots of the index go; (3) VACUUM writes the database
 * anew; (4) the write-ahead log, which still has the rows as they once were, is cut to nothing; (5)
 * the mark is cleared. What a disk keeps of blocks that it has freed is beyond a program's reach.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/score.h"
#include "index/gallery.h"

dpl_status dpli_gallery_scrub(dpl_gallery *gallery, dpl_error *err)
{
    dpl_status status;

    dpli_search_drop(gallery);
    if ((status = dpli_db_exec(gallery->db, "VACUUM", err)) != DPL_OK ||
        (status = dpli_db_checkpoint(gallery->db, err)) != DPL_OK)
        return status;
    return dpli_db_exec(gallery->db, "UPDATE gallery SET scrub = 0", err);
}

/* ------------------------------------------------------------------ what goes */

/* The ids of the photos that are to go, rising. */
struct target {
    int64_t *ids;
    size_t n, cap;
};

/* Add the photos that a statement gives; none is DPL_E_NOT_FOUND. */
static dpl_status target_add(struct target *t, dpli_stmt *s, const char *kind, const char *name,
                             dpl_error *err)
{
    size_t n_before = t->n;
    dpl_status status;
    int row;

    dpli_bind_bytes(s, 1, name);
    while ((status = dpli_stmt_step(s, &row, err)) == DPL_OK && row) {
        int64_t *ids = dpli_grow(t->ids, &t->cap, t->n + 1, sizeof *ids, err);

        if (!ids)
            return DPL_E_MEMORY;
        t->ids = ids;
        t->ids[t->n++] = dpli_get_int(s, 0);
    }
    if (status == DPL_OK && t->n == n_before)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no %s \"%s\"", kind, name);
    return status;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static dpl_status target_find(struct target *t, dpl_gallery *gallery, const char *person,
                              const char *const *paths, size_t n_paths, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(
        &s, gallery->db,
        person ? "SELECT id FROM photo WHERE person_id = (SELECT id FROM person WHERE name = ?)"
               : "SELECT id FROM photo WHERE path = ?",
        err);
    size_t n = 0;

    if (status == DPL_OK && person)
        status = target_add(t, &s, "person", person, err);
    for (size_t i = 0; i < n_paths && !person && status == DPL_OK; i++)
        status = target_add(t, &s, "photo", paths[i], err);
    dpli_stmt_clear(&s);
    if (status != DPL_OK)
        return status;
    /* A path given twice counts once. */
    qsort(t->ids, t->n, sizeof *t->ids, by_id);
    for (size_t i = 0; i < t->n; i++)
        if (i == 0 || t->ids[i] != t->ids[i - 1])
            t->ids[n++] = t->ids[i];
    t->n = n;
    return DPL_OK;
}

/* Run a statement for each photo, its id being the parameter; *sum += the first column, if any. */
static dpl_status on_target(int64_t *sum, const struct target *t, dpl_gallery *gallery,
                            const char *sql, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status = dpli_stmt_new(&s, gallery->db, sql, err);

    for (size_t i = 0; i < t->n && status == DPL_OK; i++) {
        int row;

        dpli_bind_int(&s, 1, t->ids[i]);
        status = dpli_stmt_step(&s, &row, err);
        if (status == DPL_OK && row)
            *sum += dpli_get_int(&s, 0);
        dpli_stmt_reset(&s);
    }
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ the proof */

/* The templates of one space that are to go. A damaged vector cannot be searched for, but must not
   keep its row from being forgotten. */
struct gone {
    const char *space;
    int32_t dim;
    size_t n, n_rows;
    int64_t *ids; /* [n] rising */
    char *left;   /* [n] found afterwards */
    float *rows;  /* [n_rows, dim], n_rows at most n */
};

static void gone_clear(struct gone *g)
{
    free(g->ids);
    free(g->left);
    free(g->rows);
}

static dpl_status gone_collect(struct gone *g, dpl_gallery *gallery, const struct target *t,
                               size_t n_templates, dpl_error *err)
{
    dpli_stmt s = {0};
    int64_t model_id;
    size_t n_numbers;
    dpl_status status;

    if ((status = dpli_bound_model(&model_id, &g->dim, gallery, g->space, err)) != DPL_OK ||
        !model_id)
        return status;
    status = DPL_E_MEMORY;
    if (!dpli_mul(&n_numbers, n_templates, (size_t)g->dim) ||
        !(g->ids = dpli_alloc(n_templates, sizeof *g->ids, err)) ||
        !(g->left = dpli_calloc(n_templates, 1, err)) ||
        !(g->rows = dpli_alloc(n_numbers, sizeof *g->rows, err)))
        goto done;
    status =
        dpli_stmt_new(&s, gallery->db,
                      "SELECT id, vector FROM template WHERE photo_id = ? AND model_id = ?", err);
    for (size_t i = 0; i < t->n && status == DPL_OK; i++) {
        int row;

        dpli_bind_int(&s, 1, t->ids[i]);
        dpli_bind_int(&s, 2, model_id);
        while ((status = dpli_stmt_step(&s, &row, err)) == DPL_OK && row && g->n < n_templates) {
            float *to = g->rows + g->n_rows * (size_t)g->dim;
            size_t n_bytes;
            const void *bytes = dpli_get_blob(&s, 1, &n_bytes);
            int searchable = n_bytes == (size_t)g->dim * sizeof *to;

            g->ids[g->n++] = dpli_get_int(&s, 0);
            if (!searchable)
                continue;
            memcpy(to, bytes, n_bytes);
            for (int32_t k = 0; k < g->dim; k++)
                searchable &= isfinite(to[k]) != 0;
            g->n_rows += searchable != 0;
        }
        dpli_stmt_reset(&s);
    }
    if (status == DPL_OK)
        qsort(g->ids, g->n, sizeof *g->ids, by_id);
done:
    dpli_stmt_clear(&s);
    return status;
}

/* Search for each vector as a query would; a hit among the forgotten is one that is left. By
   distance, because then a vector's own row comes first whatever its length. */
static dpl_status gone_search(struct gone *g, dpl_gallery *gallery, dpl_error *err)
{
    dpl_search_options options = DPL_SEARCH_OPTIONS_INIT;
    dpl_head *head = NULL;
    dpl_hit *hits = NULL;
    dpl_status status;
    size_t n_hits;

    /* The index is gone, and making one anew for a proof would take longer than comparing all. */
    options.exact_up_to = INT64_MAX;
    if ((status = dpl_head_new(&head, DPL_HEAD_EUCLIDEAN, g->dim, NULL, 0, err)) != DPL_OK)
        goto done;
    if (!dpli_mul(&n_hits, g->n_rows, (size_t)options.k) ||
        !(hits = dpli_alloc(n_hits, sizeof *hits, err))) {
        status = DPL_E_MEMORY;
        goto done;
    }
    if ((status = dpl_gallery_search(hits, gallery, head, g->space, g->rows, g->n_rows, g->dim,
                                     &options, NULL, err)) != DPL_OK)
        goto done;
    for (size_t i = 0; i < n_hits; i++) {
        int64_t *left = bsearch(&hits[i].template_id, g->ids, g->n, sizeof *g->ids, by_id);

        if (left)
            g->left[left - g->ids] = 1;
    }
done:
    free(hits);
    dpl_head_free(head);
    return status;
}

/* *n_left += templates that a search or the table still has. */
static dpl_status gone_prove(int64_t *n_left, struct gone *g, dpl_gallery *gallery, dpl_error *err)
{
    dpli_stmt s = {0};
    dpl_status status;
    int row;

    if ((g->n_rows && (status = gone_search(g, gallery, err)) != DPL_OK) ||
        (status = dpli_stmt_new(&s, gallery->db, "SELECT 1 FROM template WHERE id = ?1", err)) !=
            DPL_OK)
        goto done;
    for (size_t i = 0; i < g->n; i++) {
        dpli_bind_int(&s, 1, g->ids[i]);
        if ((status = dpli_stmt_step(&s, &row, err)) != DPL_OK)
            goto done;
        dpli_stmt_reset(&s);
        *n_left += row || g->left[i];
    }
done:
    dpli_stmt_clear(&s);
    return status;
}

/* ------------------------------------------------------------------ forget */

static dpl_status remove_rows(dpl_gallery *gallery, const struct target *t, dpl_error *err)
{
    dpl_status status;

    /* Templates and thumbnails go with their photo, a person with the last one. */
    if ((status = on_target(NULL, t, gallery, "DELETE FROM photo WHERE id = ?", err)) != DPL_OK ||
        (status = dpli_drop_lonely(gallery, err)) != DPL_OK)
        return status;
    return dpli_db_exec(gallery->db, "UPDATE gallery SET generation = generation + 1, scrub = 1",
                        err);
}

dpl_status dpl_gallery_forget(dpl_forget_report *out, dpl_gallery *gallery, const char *person,
                              const char *const *paths, size_t n_paths, int dry_run, dpl_error *err)
{
    struct gone face = {.space = "face"}, image = {.space = "image"};
    dpl_error why = {DPL_OK, ""};
    struct target t = {0};
    dpl_status status;
    size_t n;

    memset(out, 0, sizeof *out);
    if (!person == !n_paths)
        return dpli_fail(err, DPL_E_ARGUMENT, "forget takes either a person or photos");
    if ((!dry_run && (status = dpli_gallery_may_write(gallery, err)) != DPL_OK) ||
        (status = dpli_db_begin(gallery->db, !dry_run, err)) != DPL_OK)
        return status;
    if ((status = target_find(&t, gallery, person, paths, n_paths, err)) == DPL_OK)
        status = on_target(&out->n_templates, &t, gallery,
                           "SELECT count(*) FROM template WHERE photo_id = ?", err);
    out->n_photos = (int64_t)t.n;
    n = (size_t)out->n_templates;
    if (status == DPL_OK && !dry_run &&
        (status = gone_collect(&face, gallery, &t, n, err)) == DPL_OK &&
        (status = gone_collect(&image, gallery, &t, n, err)) == DPL_OK)
        status = remove_rows(gallery, &t, err);
    status = dpli_db_end(gallery->db, status, err);
    if (status != DPL_OK || dry_run)
        goto done;
    status = dpli_gallery_scrub(gallery, &why);
    if (status != DPL_OK) {
        status =
            dpli_fail(err, status,
                      "the rows are removed, but bytes of them are still in \"%s\" until it is "
                      "next opened for writing: %s",
                      gallery->dir, why.message);
        goto done;
    }
    if ((status = gone_prove(&out->n_left, &face, gallery, err)) == DPL_OK)
        status = gone_prove(&out->n_left, &image, gallery, err);
done:
    free(t.ids);
    gone_clear(&face);
    gone_clear(&image);
    return status;
}
