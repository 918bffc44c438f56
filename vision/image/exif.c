/*
 * exif.c - the orientation tag of an EXIF block.
 */
#include "vision/image/decode.h"

#include <string.h>

#include <libexif/exif-data.h>

#include "base/fail.h"
#include "base/mem.h"

/* As long as a JPEG's segment can be; also the end of what another file can make us parse. */
enum { MAX_BLOCK = 65535 };

/* The tag's value; 0 when it is not one number. The standard says SHORT; there are phones that
 * write BYTE or LONG. */
static uint32_t read_value(const ExifEntry *entry, ExifByteOrder order)
{
    if (entry->components != 1 || entry->size < exif_format_get_size(entry->format))
        return 0;
    switch (entry->format) {
    case EXIF_FORMAT_BYTE: return entry->data[0];
    case EXIF_FORMAT_SHORT: return exif_get_short(entry->data, order);
    case EXIF_FORMAT_LONG: return exif_get_long(entry->data, order);
    default: return 0;
    }
}

dpl_status dpli_exif_orientation(int32_t *orientation, const uint8_t *exif, size_t n_bytes,
                                 dpl_error *err)
{
    ExifData *data;
    ExifEntry *entry;

    *orientation = 1;
    if (n_bytes == 0 || n_bytes > MAX_BLOCK)
        return DPL_OK;
    data = exif_data_new();
    if (!data)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for the EXIF block");
    /* The file is read as it is: nothing is added that the standard wants. */
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(data, exif, (unsigned)n_bytes);
    /* IFD 0 describes the photo, IFD 1 its thumbnail. */
    entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry) {
        const uint32_t value = read_value(entry, exif_data_get_byte_order(data));

        if (value >= 1 && value <= 8)
            *orientation = (int32_t)value;
    }
    exif_data_unref(data);
    return DPL_OK;
}

dpl_status dpli_exif_orientation_bare(int32_t *orientation, const uint8_t *tiff, size_t n_bytes,
                                      dpl_error *err)
{
    dpl_status status;
    uint8_t *exif;

    *orientation = 1;
    if (n_bytes >= 6 && memcmp(tiff, "Exif\0", 6) == 0)
        return dpli_exif_orientation(orientation, tiff, n_bytes, err);
    if (n_bytes == 0 || n_bytes > MAX_BLOCK - 6)
        return DPL_OK;
    exif = dpli_alloc(6 + n_bytes, 1, err);
    if (!exif)
        return DPL_E_MEMORY;
    memcpy(exif, "Exif\0", 6);
    memcpy(exif + 6, tiff, n_bytes);
    status = dpli_exif_orientation(orientation, exif, 6 + n_bytes, err);
    free(exif);
    return status;
}
