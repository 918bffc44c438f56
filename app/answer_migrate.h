/* The answers of `migrate` as JSON. Each is NULL when there is no memory. */
#ifndef DOPPEL_APP_ANSWER_MIGRATE_H
#define DOPPEL_APP_ANSWER_MIGRATE_H

#include <jansson.h>

#include "doppel/doppel.h"

/** "photo", "thumbnail" or "lost". */
const char *migrate_from_words(dpl_migrate_from from);

/** doppel.migrate/1, a photo whose vectors are not from it. */
json_t *migrate_event_json(const dpl_migrate_event *event);

/** doppel.migrate/1, a decision that changes. before: NULL when it is not at hand. */
json_t *migrate_change_json(const dpl_migrate_change *change, const dpl_pipeline *before,
                            const dpl_pipeline *after);

/** doppel.migrate/1, of captions. */
json_t *migrate_captions_json(int64_t n, bool dry_run, const dpl_text_encoder *encoder);

/** doppel.migrate/1, into another gallery. */
json_t *migrate_copy_json(const char *to, int64_t n_photos, int64_t n_templates, bool dry_run);

/** doppel.migrate/1, the whole. */
json_t *migrate_report_json(const dpl_migrate_report *report, bool dry_run,
                            const dpl_pipeline *after);

#endif
