/* The answers of `dupes`: what two photos have to do with each other in words, and all as JSON. */
#ifndef DOPPEL_APP_ANSWER_DUPES_H
#define DOPPEL_APP_ANSWER_DUPES_H

#include <jansson.h>

#include "doppel/doppel.h"

/** "same picture: mirrored, cropped to 64 %", freed by free(); NULL: no memory. */
char *dupes_words(const dpl_copy *copy);

/** How sure that is: "score 0.994, less than once in 1,000,000 pairs"; "" of the same bytes and
 * pixels. Freed by free(); NULL: no memory. */
char *dupes_evidence(const dpl_copy *copy);

/** doppel.dupes/1 of a group; NULL when there is no memory. */
json_t *dupes_group_json(const dpl_copy *photos, size_t n);

/** doppel.dupes/1 of a photo that could not be read. */
json_t *dupes_failure_json(const dpl_photos_event *event);

/** doppel.dupes/1 of the run. */
json_t *dupes_report_json(const dpl_copies_report *report, const dpl_pipeline *pipeline);

#endif
