/* Error curves as SVG inside a page. */
#ifndef DOPPEL_APP_PLOT_H
#define DOPPEL_APP_PLOT_H

#include "app/html.h"
#include "doppel/eval.h"

/** True accepts over false ones (ROC): false ones on a logarithmic axis. */
void plot_roc(const html *page, const dpl_metrics *metrics);

/** The two errors, one over the other (DET): both axes logarithmic. */
void plot_det(const html *page, const dpl_metrics *metrics);

#endif
