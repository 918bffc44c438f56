/*
 * exif.c - the orientation tag of an EXIF block.
 */
#include "vision/image/decode.h"

#include <libexif/exif-data.h>

#include "base/fail.h"

dpl_status dpli_exif_orientation(int32_t *orientation, const uint8_t *exif, size_t n_bytes,
                                 dpl_error *err)
{
    ExifData *data;
    ExifEntry *entry;

    *orientation = 1;
    /* As long as a JPEG's segment can be; also the end of what a PNG's chunk can make us parse. */
    if (n_bytes == 0 || n_bytes > 65535)
        return DPL_OK;
    data = exif_data_new();
    if (!data)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for the EXIF block");
    /* The file is read as it is: nothing is added that the standard wants. */
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(data, exif, (unsigned)n_bytes);
    /* IFD 0 describes the photo, IFD 1 its thumbnail. */
    entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components == 1 && entry->size >= 2) {
        int value = exif_get_short(entry->data, exif_data_get_byte_order(data));

        if (value >= 1 && value <= 8)
            *orientation = value;
    }
    exif_data_unref(data);
    return DPL_OK;
}
