/*
 * pixels.c - every picture of a dataset at the net's input size, decoded once.
 *
 * Between the dataset and the augmentation. Kept as bytes: a quarter of what the net's own numbers
 * would take.
 */
#include "train/pixels.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/fail.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "net/scratch.h"
#include "vision/encoder.h"
#include "vision/face/detect.h"
#include "vision/image/decode.h"

struct dpli_pixels {
    uint8_t *bytes; /* [n_items, h, w, c] */
    uint8_t *there; /* [n_items], 1: the item was read */
    int32_t first;  /* item */
    size_t n_items, item_bytes;
};

typedef struct loading {
    dpli_pixels *p;
    const dpl_dataset *d;
    int32_t h, w, c;
    const dpli_aligner *aligner;
    dpl_decode_options limits; /* max_bytes: of all workers together */
    dpli_budget *budget;
    size_t plan_bytes;     /* what the aligner works in */
    dpl_scratch **scratch; /* [team], with an aligner */
    dpl_error *troubles;   /* [team], the first lack of memory of each worker */
    char **warnings;       /* [n_items], NULL or what is wrong with it */
} loading;

/* The face that a photo is of, on the template. */
static dpl_status align(uint8_t *chip, const loading *l, int worker, const dpl_image *photo,
                        dpl_error *err)
{
    dpl_face *faces;
    size_t n;
    dpl_status status =
        dpl_detect(&faces, &n, l->aligner->detector, l->scratch[worker], photo, NULL, err);

    if (status == DPL_OK && n == 0)
        status = dpli_fail(err, DPL_E_INPUT, "no face found");
    if (status == DPL_OK)
        status = dpl_align(chip, &faces[dpl_main_face(faces, n, photo)], l->aligner->encoder, photo,
                           err);
    dpl_faces_free(faces);
    return status;
}

/* The picture as the net takes it, from its file's bytes. */
static dpl_status convert(uint8_t *to, const loading *l, int worker, int32_t item,
                          const uint8_t *bytes, size_t n_bytes, dpl_error *err)
{
    const char *name = dpl_dataset_item_name(l->d, item);
    const size_t n = (size_t)l->h * (size_t)l->w;
    dpl_decode_options limits = l->limits;
    dpl_image photo = DPL_IMAGE_INIT;
    uint8_t *chip = NULL;
    dpl_status status;

    limits.max_bytes -= n_bytes;
    status = dpl_image_decode(&photo, bytes, n_bytes, &limits, err);
    if (status == DPL_OK && photo.warning[0])
        l->warnings[item - l->p->first] = dpli_asprintf(NULL, "\"%s\": %s", name, photo.warning);
    if (status == DPL_OK) {
        chip = l->c == 3 ? to : dpli_alloc(n, 3, err);
        if (!chip)
            status = DPL_E_MEMORY;
        else if (l->aligner)
            status = align(chip, l, worker, &photo, err);
        else
            status = dpli_whole_chip(chip, l->w, l->h, &photo, err);
    }
    if (status != DPL_OK)
        dpli_fail_in_item(err, status, l->d, item);
    /* The encoder takes the luma as it is; here it is rounded to a level, which changes no grey. */
    for (size_t i = 0; i < n && status == DPL_OK && l->c == 1; i++)
        to[i] = (uint8_t)(dpli_luma(chip + 3 * i) + 0.5f);
    if (chip != to)
        free(chip);
    dpl_image_clear(&photo);
    return status;
}

/* Read and convert, once there is memory for it. */
static dpl_status load_item(const loading *l, int worker, int32_t item, dpl_error *err)
{
    const size_t limit = l->limits.max_bytes;
    const uint64_t told = dpl_dataset_item_bytes(l->d, item);
    const size_t n_held = told == 0 || told > limit ? limit : (size_t)told;
    dpl_scratch *scratch = l->scratch[worker];
    dpli_kept *kept = scratch ? dpli_scratch_kept(scratch) : NULL;
    uint8_t *bytes;
    size_t n_bytes;
    dpl_status status;

    dpli_budget_hold(l->budget, n_held);
    status = dpl_dataset_item_file(&bytes, &n_bytes, l->d, item, limit, err);
    if (status == DPL_OK) {
        const uint64_t need = dpli_image_need(bytes, n_bytes, &l->limits);
        /* What is over the limit is refused before it is taken. */
        const size_t n = (need <= limit ? (size_t)need : 0) + l->plan_bytes;

        dpli_budget_begin(l->budget, n, kept);
        status = convert(l->p->bytes + (size_t)(item - l->p->first) * l->p->item_bytes, l, worker,
                         item, bytes, n_bytes, err);
        dpli_budget_end(l->budget, n, kept, scratch ? dpli_scratch_bytes(scratch) : 0);
    }
    free(bytes);
    dpli_budget_release(l->budget, n_held);
    return status;
}

static void load_some(void *ctx, int worker, size_t from, size_t to)
{
    loading *l = ctx;
    dpl_error err;

    for (size_t i = from; i < to && l->troubles[worker].status == DPL_OK; i++) {
        const dpl_status status = load_item(l, worker, l->p->first + (int32_t)i, &err);
        if (status == DPL_OK) {
            l->p->there[i] = 1;
            continue;
        }
        free(l->warnings[i]);
        l->warnings[i] = dpli_asprintf(NULL, "%s; the picture is left out", err.message);
        if (status == DPL_E_MEMORY)
            l->troubles[worker] = err;
    }
}

/* Memory of the machine, so that a dataset that cannot fit is refused instead of half loaded. */
static dpl_status check_bytes(size_t *n_bytes, size_t n_items, size_t item_bytes, dpl_error *err)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    if (!dpli_mul(n_bytes, n_items, item_bytes) ||
        (pages > 0 && page > 0 && *n_bytes / (size_t)page >= (size_t)pages))
        return dpli_fail(err, DPL_E_LIMIT,
                         "%zu pictures of %zu bytes do not fit into the memory of this machine",
                         n_items, item_bytes);
    return DPL_OK;
}

static dpl_status judge(const loading *l, int n_workers, void (*warn)(void *ctx, const char *text),
                        void *ctx, dpl_error *err)
{
    size_t n_read = 0;

    for (int i = 0; i < n_workers; i++)
        if (l->troubles[i].status != DPL_OK) {
            if (err)
                *err = l->troubles[i];
            return l->troubles[i].status;
        }
    for (size_t i = 0; i < l->p->n_items; i++) {
        n_read += l->p->there[i];
        if (warn && l->warnings[i])
            warn(ctx, l->warnings[i]);
    }
    if (n_read == 0)
        return dpli_fail(err, DPL_E_INPUT, "none of %zu pictures can be read", l->p->n_items);
    return DPL_OK;
}

dpl_status dpli_pixels_load(dpli_pixels **out, const dpl_dataset *d, int side, int32_t h, int32_t w,
                            int32_t channels, const dpli_aligner *aligner,
                            const dpl_decode_options *limits, dpli_team *team,
                            void (*warn)(void *ctx, const char *text), void *ctx, dpl_error *err)
{
    int32_t n_items;
    const int32_t first = dpl_dataset_side_items(d, side, &n_items);
    const size_t n = (size_t)n_items;
    loading l = {.d = d, .h = h, .w = w, .c = channels, .aligner = aligner};
    dpl_status status;
    size_t n_bytes;

    *out = NULL;
    l.limits = limits ? *limits : (dpl_decode_options)DPL_DECODE_OPTIONS_INIT;
    if (h < 1 || w < 1 || h > 65535 || w > 65535 || (channels != 1 && channels != 3))
        return dpli_fail(err, DPL_E_ARGUMENT, "pictures of %dx%d pixels and %d channels", (int)w,
                         (int)h, (int)channels);
    const size_t item_bytes = (size_t)h * (size_t)w * (size_t)channels;
    status = check_bytes(&n_bytes, n, item_bytes, err);
    if (status != DPL_OK)
        return status;
    status = DPL_E_MEMORY;
    l.p = dpli_calloc(1, sizeof *l.p, err);
    l.warnings = dpli_calloc(n, sizeof *l.warnings, err);
    l.troubles = dpli_calloc((size_t)dpli_team_size(team), sizeof *l.troubles, err);
    l.scratch = dpli_calloc((size_t)dpli_team_size(team), sizeof(dpl_scratch *), err);
    if (!l.p || !l.warnings || !l.troubles || !l.scratch)
        goto done;
    for (int i = 0; i < dpli_team_size(team) && aligner; i++)
        if (dpl_scratch_new(&l.scratch[i], 0, err) != DPL_OK)
            goto done;
    status = dpli_budget_new(&l.budget, l.limits.max_bytes, err);
    if (status != DPL_OK)
        goto done;
    l.plan_bytes = aligner ? dpli_detector_bytes(aligner->detector, NULL) : 0;
    status = DPL_E_MEMORY;
    l.p->first = first;
    l.p->n_items = n;
    l.p->item_bytes = item_bytes;
    l.p->bytes = dpli_alloc(n_bytes, 1, err);
    l.p->there = dpli_calloc(n, 1, err);
    if (!l.p->bytes || !l.p->there)
        goto done;
    dpli_team_run(team, n, load_some, &l);
    status = judge(&l, dpli_team_size(team), warn, ctx, err);
    if (status == DPL_OK) {
        *out = l.p;
        l.p = NULL;
    }
done:
    for (size_t i = 0; i < n && l.warnings; i++)
        free(l.warnings[i]);
    for (int i = 0; l.scratch && i < dpli_team_size(team); i++)
        dpl_scratch_free(l.scratch[i]);
    dpli_budget_free(l.budget);
    free(l.scratch);
    free(l.warnings);
    free(l.troubles);
    dpli_pixels_free(l.p);
    return status;
}

void dpli_pixels_free(dpli_pixels *p)
{
    if (!p)
        return;
    free(p->bytes);
    free(p->there);
    free(p);
}

const uint8_t *dpli_pixels_at(const dpli_pixels *p, int32_t item)
{
    const size_t at = (size_t)item - (size_t)p->first; /* before the first: past the last */

    return at < p->n_items && p->there[at] ? p->bytes + at * p->item_bytes : NULL;
}

size_t dpli_pixels_bytes(const dpli_pixels *p)
{
    return p->n_items * p->item_bytes;
}
