/* What is written about a photo: beside it and in it. */
#ifndef DOPPEL_DATA_DESCRIBED_H
#define DOPPEL_DATA_DESCRIBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

enum { DPLI_MAX_CAPTIONS = 64 }; /* of one photo: more are left out */

/* Where captions come from, as a gallery keeps it. */
#define DPLI_FROM_SIDECAR "sidecar" /* PHOTO.txt, a caption a line */
#define DPLI_FROM_XMP     "xmp"     /* the description in an XMP sidecar */
#define DPLI_FROM_PHOTO   "photo"   /* that in a JPEG: XMP's, or IPTC's 2:120 */

typedef struct dpli_caption {
    char *text; /* UTF-8, not empty, white space at its ends gone */
    const char *source;
} dpli_caption;

/* Zero-initialise, free with dpli_captions_clear. */
typedef struct dpli_captions {
    dpli_caption *items;
    size_t n, cap;
    char refused[256]; /* "", or why the first file that was not read was not, with its name */
} dpli_captions;

/**
 * Gather what is written about a photo, each text once. What is not there, or cannot be read, adds
 * nothing.
 *
 * @param in_photo  look into the photo's file, too
 * @retval DPL_E_MEMORY  the only failure
 */
dpl_status dpli_captions_find(dpli_captions *out, const char *photo, bool in_photo, dpl_error *err);

/** Add one more, of n bytes. A text that is empty, not UTF-8, too long or there
 * already is not added. */
dpl_status dpli_captions_add(dpli_captions *c, const char *text, size_t n, const char *source,
                             dpl_error *err);
void dpli_captions_clear(dpli_captions *c);

/** The descriptions in the head of a JPEG of n bytes. */
dpl_status dpli_captions_in_jpeg(dpli_captions *c, const uint8_t *bytes, size_t n, dpl_error *err);

#endif
