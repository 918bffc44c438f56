/* Search where the database finds the candidates: for a gallery larger than what may be held here.
 */
#ifndef DOPPEL_INDEX_NEAR_H
#define DOPPEL_INDEX_NEAR_H

#include <stdbool.h>

#include "index/gallery.h"

/**
 * Whether a search is the database's: the gallery is larger than dpl_gallery_set_index_memory, the
 * database has an index of the space, and the head compares directions, as that does.
 */
dpl_status dpli_near_serves(bool *serves, dpli_near_info *info, dpl_gallery *gallery,
                            const dpl_head *head, const char *space, int32_t dim, size_t k,
                            dpl_error *err);

/** As dpl_gallery_search, of what has been checked. Scores are the head's, of the vectors
 * themselves, and each row is checked. */
dpl_status dpli_near_search(dpl_hit *hits, dpl_gallery *gallery, const dpl_head *head,
                            const char *space, const dpli_near_info *info, const float *probes,
                            size_t n, size_t k, dpl_error *err);

#endif
