/*
 * exif.c - of an EXIF block: the orientation, and when the photo was taken.
 */
#include "vision/image/decode.h"

#include <stdbool.h>
#include <stdlib.h>
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

/* *out NULL where there is no block; freed by exif_data_unref. */
static dpl_status parse(ExifData **out, const uint8_t *exif, size_t n_bytes, dpl_error *err)
{
    *out = NULL;
    if (n_bytes == 0 || n_bytes > MAX_BLOCK)
        return DPL_OK;
    *out = exif_data_new();
    if (!*out)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for the EXIF block");
    /* The file is read as it is: nothing is added that the standard wants. */
    exif_data_unset_option(*out, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_load_data(*out, exif, (unsigned)n_bytes);
    return DPL_OK;
}

dpl_status dpli_exif_orientation(int32_t *orientation, const uint8_t *exif, size_t n_bytes,
                                 dpl_error *err)
{
    ExifData *data;
    ExifEntry *entry;
    dpl_status status = parse(&data, exif, n_bytes, err);

    *orientation = 1;
    if (!data)
        return status;
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

/* Whether text is like the pattern, in which 0 stands for any digit. */
static bool is_like(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++)
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return true;
}

dpl_status dpli_exif_taken(char taken[DPLI_TAKEN_BYTES], const uint8_t *exif, size_t n_bytes,
                           dpl_error *err)
{
    const char *date = "0000:00:00 00:00:00";
    ExifData *data;
    ExifEntry *entry, *part;
    dpl_status status = parse(&data, exif, n_bytes, err);

    taken[0] = '\0';
    if (!data)
        return status;
    entry = exif_content_get_entry(data->ifd[EXIF_IFD_EXIF], EXIF_TAG_DATE_TIME_ORIGINAL);
    part = exif_content_get_entry(data->ifd[EXIF_IFD_EXIF], EXIF_TAG_SUB_SEC_TIME_ORIGINAL);
    if (entry && entry->format == EXIF_FORMAT_ASCII && entry->size >= strlen(date) &&
        is_like((const char *)entry->data, date)) {
        memcpy(taken, entry->data, strlen(date));
        taken[strlen(date)] = '\0';
        taken[4] = taken[7] = '-';
        taken[10] = 'T';
        if (part && part->format == EXIF_FORMAT_ASCII && part->size > 0 && part->data[0] >= '0' &&
            part->data[0] <= '9') {
            size_t at = strlen(taken), i = 0;

            taken[at++] = '.';
            for (; i < part->size && i < 6 && part->data[i] >= '0' && part->data[i] <= '9'; i++)
                taken[at++] = (char)part->data[i];
            taken[at] = '\0';
        }
        /* A camera whose clock was never set says so in zeros. */
        if (strncmp(taken, "0000", 4) == 0)
            taken[0] = '\0';
    }
    exif_data_unref(data);
    return DPL_OK;
}

/* Put "Exif" in front, where it is not. *out is freed by free(), NULL where nothing needed doing or
 * there is nothing to read. */
static dpl_status with_head(uint8_t **out, const uint8_t **exif, size_t *n_bytes, dpl_error *err)
{
    *out = NULL;
    if (*n_bytes >= 6 && memcmp(*exif, "Exif\0", 6) == 0)
        return DPL_OK;
    if (*n_bytes == 0 || *n_bytes > MAX_BLOCK - 6) {
        *n_bytes = 0;
        return DPL_OK;
    }
    *out = dpli_alloc(6 + *n_bytes, 1, err);
    if (!*out)
        return DPL_E_MEMORY;
    memcpy(*out, "Exif\0", 6);
    memcpy(*out + 6, *exif, *n_bytes);
    *exif = *out;
    *n_bytes += 6;
    return DPL_OK;
}

dpl_status dpli_exif_orientation_bare(int32_t *orientation, const uint8_t *tiff, size_t n_bytes,
                                      dpl_error *err)
{
    uint8_t *exif;
    dpl_status status = with_head(&exif, &tiff, &n_bytes, err);

    *orientation = 1;
    if (status == DPL_OK)
        status = dpli_exif_orientation(orientation, tiff, n_bytes, err);
    free(exif);
    return status;
}

dpl_status dpli_exif_taken_bare(char taken[DPLI_TAKEN_BYTES], const uint8_t *tiff, size_t n_bytes,
                                dpl_error *err)
{
    uint8_t *exif;
    dpl_status status = with_head(&exif, &tiff, &n_bytes, err);

    taken[0] = '\0';
    if (status == DPL_OK)
        status = dpli_exif_taken(taken, tiff, n_bytes, err);
    free(exif);
    return status;
}
