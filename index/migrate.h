/* Which decisions change by another model: the part of a migration that tells. */
#ifndef DOPPEL_INDEX_MIGRATE_H
#define DOPPEL_INDEX_MIGRATE_H

#include "doppel/migrate.h"
#include "index/staged.h"

/**
 * Compare what the gallery holds with what is staged, reference by reference; sets the report's
 * n_references, n_references_all and n_changed. By other heads than the cosine nothing is told.
 *
 * @param before  NULL: not at hand
 * @retval DPL_E_CANCELLED  options->cancel was raised
 */
dpl_status dpli_migrate_changes(dpl_migrate_report *report, dpl_gallery *gallery,
                                dpli_staged *staged, const dpl_pipeline *after,
                                const dpl_migrate_options *options, dpl_error *err);

#endif
