/* The formats of pictures that are read: one row each. */
#ifndef DOPPEL_VISION_IMAGE_FORMATS_H
#define DOPPEL_VISION_IMAGE_FORMATS_H

#include "vision/image/decode.h"

typedef struct dpli_format {
    const char *name;         /* in messages, with its article: "a JPEG" */
    const char *suffixes[12]; /* of files that collections take for it, NULL past the last */
    bool (*is)(const uint8_t *bytes, size_t n_bytes);
    dpl_status (*decode)(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                         const dpl_decode_options *options, uint8_t fill, dpl_error *err);
    uint64_t (*need)(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
} dpli_format;

/** The format that these bytes are of; NULL when no decoder reads them. */
const dpli_format *dpli_format_of(const uint8_t *bytes, size_t n_bytes);

/** DPL_E_INPUT, and what bytes are that no decoder reads. */
dpl_status dpli_format_refuse(const uint8_t *bytes, size_t n_bytes, dpl_error *err);

/** Whether a file is called as a picture is; what it is, only its bytes tell. */
bool dpli_format_is_name(const char *file_name);

/** All suffixes, as ".jpg, .jpeg, .png". */
void dpli_format_suffixes(char *out, size_t size);

#endif
