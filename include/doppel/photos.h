/*
 * Many photos looked at: files and folders in, each photo with its faces and vectors out, for who
 * does something with them. Nothing is kept, and there is no gallery.
 */
#ifndef DOPPEL_PHOTOS_H
#define DOPPEL_PHOTOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What became of one file. All of it lives until the callback returns. */
typedef struct dpl_photos_event {
    const char *path; /* as it was given, or below the folder as it was given */
    bool passed_over; /* no picture (a note, a cache, a video): only counted */
    dpl_status status;
    const char *message;    /* "", or the reason, which names the file */
    const dpl_photo *photo; /* NULL when it failed or was passed over */
    int64_t n_done, n_total;
} dpl_photos_event;

typedef struct dpl_photos_options {
    size_t struct_size;
    bool follow_links;  /* links that lead out of the folders given are followed, too */
    int n_threads;      /* 0: one a core */
    int32_t preview_px; /* larger side of event->photo's picture, which is never enlarged; 0: it has
                           no pixels. Faces are of the whole picture all the same */
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: finish the photos in hand,
                                   return DPL_E_CANCELLED */
    void (*on_photo)(void *ctx, const dpl_photos_event *event); /* may be NULL */
    void *ctx;
} dpl_photos_options;

#define DPL_PHOTOS_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_photos_options), 0, 0, 0, NULL, NULL, NULL                                      \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_photos_options_init(dpl_photos_options *options, size_t struct_size);

typedef struct dpl_photos_report {
    int64_t n_files, n_failed;
    int64_t n_passed_over; /* no pictures: not of n_files */
    int64_t n_links;       /* links that lead out of the folders given, not followed */
    int64_t n_left_out;    /* files and folders: what machines put aside, ignore files name */
    dpl_status worst;      /* of the files' statuses */
    double seconds;
} dpl_photos_report;

/**
 * Open photos and run all of the pipeline on each, several at a time.
 *
 * Folders are walked as dpl_enroll does it, with what it leaves out and passes over. A file that is
 * given by name is always taken, and gets a status whatever it is, also when it is not there. Files
 * come in the order in which they were given, those of a folder by name; one that is reached twice
 * comes once. At most 64 photos are held at a time, fewer where preview_px makes them large (some
 * 64 MB of pixels, or one photo a thread), beside what the pipeline's limits allow for decoding.
 *
 * @param[out] report  filled also when the call fails
 * @param      paths   n_paths files and folders
 * @param      options NULL for the defaults
 * @retval DPL_E_CANCELLED  stopped on request; the files before have been reported
 * @retval DPL_E_MEMORY, DPL_E_MODEL and what else the next photo would meet, too; err names the
 *         file
 * Any file's own failure is reported in its event and in report->worst, not returned.
 * Threads: on_photo is called in the caller's, in the order of files, while others work on.
 */
DPL_API dpl_status dpl_photos_each(dpl_photos_report *report, const dpl_pipeline *pipeline,
                                   const char *const *paths, size_t n_paths,
                                   const dpl_photos_options *options, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
