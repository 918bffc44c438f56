/* Curves as SVG inside a page. */
#ifndef DOPPEL_APP_PLOT_H
#define DOPPEL_APP_PLOT_H

#include "app/html.h"
#include "doppel/eval.h"

/* A line of a plot: n points, from left to right. */
typedef struct plot_curve {
    const char *name;
    size_t n;
    const double *x, *y;
} plot_curve;

/** Up to four lines over x from 0 to x_end, each in a colour of its own, with what it ends at.
 * Nothing where none of them has a point. */
void plot_curves(const html *page, const char *said, const char *x_label, const char *y_label,
                 double x_end, const plot_curve *curves, int n);

/* A comparison among those that its calibration was measured on. */
typedef struct plot_place {
    const dpl_calibration *calibration; /* NULL: nothing is drawn */
    const dpl_head *head;
    float at;                /* its evidence: the score, where there is no cohort */
    float threshold, reject; /* of the same; NaN: none */
} plot_place;

/** How strangers and the same person score, with where this comparison stands. */
void plot_scores(const html *page, const plot_place *place);

/** True accepts over false ones (ROC): false ones on a logarithmic axis. */
void plot_roc(const html *page, const dpl_metrics *metrics);

/** The two errors, one over the other (DET): both axes logarithmic. */
void plot_det(const html *page, const dpl_metrics *metrics);

#endif
