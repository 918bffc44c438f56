/* What `xmp` answers as JSON. Each is NULL when there is no memory. */
#ifndef DOPPEL_APP_ANSWER_XMP_H
#define DOPPEL_APP_ANSWER_XMP_H

#include <jansson.h>
#include <stdbool.h>

#include "doppel/doppel.h"

/** doppel.xmp/1, a photo. */
json_t *xmp_photo_json(const dpl_xmp_event *event);

/** doppel.xmp/1, the whole. */
json_t *xmp_json(const dpl_xmp_report *report, bool writes, bool dry_run);

#endif
