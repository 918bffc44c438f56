/* The answers of `enroll` and `scan` as JSON: an object a file, and one for the whole run. */
#ifndef DOPPEL_APP_ANSWER_ENROLL_H
#define DOPPEL_APP_ANSWER_ENROLL_H

#include <jansson.h>

#include "doppel/doppel.h"

/** What became of a file, in a word: "added", "refused", … */
const char *enroll_outcome_words(dpl_outcome outcome);

/** doppel.enroll/1 or doppel.scan/1, by the command's name, of a file; NULL when there is no
 * memory.
 */
json_t *enroll_event_json(const char *command, const dpl_enroll_event *event);

/** The same of the run. n_by_status: files refused, by their status as index. */
json_t *enroll_report_json(const char *command, const dpl_enroll_report *report,
                           const int64_t *n_by_status, const dpl_gallery_counts *counts,
                           const char *gallery_dir, const dpl_pipeline *pipeline);

#endif
