/* Many photos, of some of which the vectors are known. */
#ifndef DOPPEL_INDEX_PHOTOS_H
#define DOPPEL_INDEX_PHOTOS_H

#include "doppel/photos.h"
#include "index/pipeline.h"

/** dpl_photos_each, by dpli_photo_open. */
dpl_status dpli_photos_each(dpl_photos_report *report, const dpl_pipeline *pipeline,
                            const char *const *paths, size_t n_paths,
                            const dpl_photos_options *options, const dpli_known_vectors *known,
                            dpl_error *err);

#endif
