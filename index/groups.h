/* Groups as they are kept and told. */
#ifndef DOPPEL_INDEX_GROUPS_H
#define DOPPEL_INDEX_GROUPS_H

#include "doppel/group.h"

/* Which template is in which group, by rising template; zero-initialise, free with
 * dpli_groups_clear. */
typedef struct dpli_groups {
    int64_t *ids, *numbers; /* [n] */
    size_t n, cap;
} dpli_groups;

void dpli_groups_clear(dpli_groups *groups);
/** One more, of a higher id than all before. */
dpl_status dpli_groups_add(dpli_groups *groups, int64_t id, int64_t number, dpl_error *err);
/** The number of a template's group; 0: it is in none. */
int64_t dpli_groups_of(const dpli_groups *groups, int64_t id);

/** Those that the gallery keeps, of faces that are nobody's still; each row is checked
 * (DPL_E_GALLERY). */
dpl_status dpli_groups_read(dpli_groups *out, dpl_gallery *gallery, dpl_error *err);

/** Tell them; as dpl_gallery_each_group. */
dpl_status dpli_groups_tell(const dpli_groups *groups, dpl_gallery *gallery,
                            const dpl_pipeline *pipeline, const dpl_groups_options *options,
                            int64_t *n_groups,
                            dpl_status (*fn)(void *ctx, const dpl_group_row *row), void *ctx,
                            dpl_error *err);

/** People whom somebody has said a template not to be: fn is called with each, perhaps more than
 * once. */
dpl_status dpli_each_refused(dpl_gallery *gallery, int64_t template_id,
                             dpl_status (*fn)(void *ctx, int64_t person_id, dpl_error *err),
                             void *ctx, dpl_error *err);

#endif
