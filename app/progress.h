/* How far a long work is, on one line of a terminal. */
#ifndef DOPPEL_APP_PROGRESS_H
#define DOPPEL_APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool shown; /* stderr is a terminal, and there is no --quiet */
    const char *what;
    double start_s, drawn_s;
    int64_t n_last; /* of progress_of_gallery */
    /* The rate is that of the last seconds: since the earlier of two marks. */
    struct {
        double s;
        int64_t n;
    } marks[2];
} progress;

/** @param what  what is counted, in the plural: "photos" */
void progress_start(progress *p, const char *what, bool quiet);

/** Draw n_done of n_total, with rate and time left; at most ten times a second. */
void progress_step(progress *p, int64_t n_done, int64_t n_total);

/** The same, with the time left by work instead of by count: where items differ in it. Until some
 * is done, no time is told. The first call is the start. */
void progress_step_work(progress *p, int64_t n_done, int64_t n_total, int64_t work_done,
                        int64_t work_total);

/** For dpl_gallery_set_progress, ctx a progress that was started: each thing that is counted begins
 * anew, and leaves no line when it is done. */
void progress_of_gallery(void *ctx, const char *what, int64_t n_done, int64_t n_total);

/** Wipe the line: something else is to be printed, or the work is over. */
void progress_wipe(progress *p);

#endif
