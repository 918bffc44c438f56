/*
 * photos.c - many photos looked at in parallel and handed over one by one.
 *
 * Files are found first, so that their number is known. Each is opened by whichever thread is free;
 * the caller's thread hands over what is done in the order of files and opens photos itself while
 * the next one is not. A photo that is done waits in its place among those held: their number
 * bounds the memory, whatever the callback takes its time for.
 */
#include "index/photos.h"

#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "index/files.h"

enum { MAX_HELD = 64, HELD_BYTES = 64 << 20 };

/* A photo that is being opened, or waits to be handed over. */
typedef struct item {
    dpl_photo photo;
    dpl_error error;
    bool passed_over;
} item;

typedef struct job {
    const dpl_pipeline *pipeline;
    const dpli_known_vectors *known;
    dpl_photos_options options;
    dpli_found_files files;
    dpl_scratch **scratches; /* one a worker */
    int n_threads;
    item items[MAX_HELD]; /* of file i: i % n_held */
    size_t n_held;
    dpl_photos_report *report;
} job;

static dpl_status look_at(void *ctx, int worker, size_t index, dpl_error *err)
{
    job *j = ctx;
    const dpli_found_file *file = &j->files.items[index];
    item *it = &j->items[index % j->n_held];
    struct stat st = {0};
    dpl_status status;

    *it = (item){.photo = DPL_PHOTO_INIT};
    if (dpli_cancelled(j->options.cancel))
        return dpli_fail(err, DPL_E_CANCELLED, "interrupted after %zu of %zu files", index,
                         j->files.n);
    if (stat(file->path, &st) != 0)
        st = (struct stat){0};
    if (!dpli_is_photo(file, &st)) {
        it->passed_over = true;
        return DPL_OK;
    }
    status = dpli_photo_open(&it->photo, j->pipeline, j->scratches[worker], file->given, j->known,
                             j->options.preview_px, &it->error);
    if (!dpli_stops_the_run(status))
        return DPL_OK;
    if (err)
        *err = it->error;
    return status;
}

static void hand_over(void *ctx, size_t index)
{
    job *j = ctx;
    dpl_photos_report *r = j->report;
    item *it = &j->items[index % j->n_held];
    const dpl_status status = it->error.status;
    const dpl_photos_event event = {
        .path = j->files.items[index].given,
        .passed_over = it->passed_over,
        .status = status,
        .message = it->error.message,
        .photo = status == DPL_OK && !it->passed_over ? &it->photo : NULL,
        .n_done = (int64_t)index + 1,
        .n_total = (int64_t)j->files.n,
    };

    r->n_files += !it->passed_over;
    r->n_passed_over += it->passed_over;
    r->n_failed += status != DPL_OK;
    /* the worst is the one with the highest exit code */
    if (dpl_status_exit_code(status) > dpl_status_exit_code(r->worst))
        r->worst = status;
    if (j->options.on_photo)
        j->options.on_photo(j->options.ctx, &event);
    dpl_photo_clear(&it->photo);
}

/* How many photos of this size may wait: one a thread in any case, as so many are opened. */
static size_t n_to_hold(int32_t preview_px, int n_threads)
{
    const int64_t least = n_threads < MAX_HELD ? n_threads : MAX_HELD;
    const int64_t fit = preview_px > 0 ? HELD_BYTES / 3 / preview_px / preview_px : MAX_HELD;

    return (size_t)(fit > MAX_HELD ? MAX_HELD : fit > least ? fit : least);
}

dpl_status dpl_photos_each(dpl_photos_report *report, const dpl_pipeline *pipeline,
                           const char *const *paths, size_t n_paths,
                           const dpl_photos_options *options, dpl_error *err)
{
    return dpli_photos_each(report, pipeline, paths, n_paths, options, NULL, err);
}

dpl_status dpli_photos_each(dpl_photos_report *report, const dpl_pipeline *pipeline,
                            const char *const *paths, size_t n_paths,
                            const dpl_photos_options *options, const dpli_known_vectors *known,
                            dpl_error *err)
{
    const double start = dpli_now();
    dpli_find_options find = {.whose = DPLI_FIND_AS_GIVEN};
    dpl_photos_options o = DPL_PHOTOS_OPTIONS_INIT;
    job *j = NULL;
    dpl_status status;

    *report = (dpl_photos_report){0};
    status = dpli_options(&o, sizeof o, options, "photos", err);
    if (status != DPL_OK)
        return status;
    j = dpli_calloc(1, sizeof *j, err);
    if (!j)
        return DPL_E_MEMORY;
    j->pipeline = pipeline;
    j->known = known;
    j->options = o;
    j->report = report;
    j->n_threads = o.n_threads > 0 ? o.n_threads : dpli_n_cores();
    j->n_held = n_to_hold(o.preview_px, j->n_threads);
    find.follow_links = o.follow_links;
    status = dpli_scratches_new(&j->scratches, j->n_threads, err);
    if (status == DPL_OK)
        status = dpli_find_files(&j->files, paths, n_paths, &find, err);
    report->n_links = j->files.n_links;
    report->n_left_out = j->files.n_left_out;
    if (status == DPL_OK)
        status =
            dpli_pool_run_in_order(j->n_threads, j->files.n, j->n_held, look_at, hand_over, j, err);
    for (size_t i = 0; i < j->n_held; i++) /* what was done after the one that failed */
        dpl_photo_clear(&j->items[i].photo);
    dpli_scratches_free(j->scratches, j->n_threads);
    dpli_found_files_clear(&j->files);
    free(j);
    report->seconds = dpli_now() - start;
    return status;
}
