/*
 * png_text.c - the orientation in a PNG's text: XMP, and the "raw profiles" of ImageMagick and
 * ExifTool, which are EXIF or XMP in hexadecimal digits.
 *
 * Compressed text is inflated as far as a bound and no further; what is damaged says nothing.
 *
 * Source: ISO/IEC 15948, 11.3.4 (tEXt, zTXt, iTXt); XMP specification, part 3 (2020), 1.1.5;
 * ExifTool's tag names for PNG ("Raw profile type").
 */
#include "vision/image/png_text.h"

#include <stdbool.h>
#include <string.h>

#include <zlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/decode.h"

/* EXIF is at most 64 KiB, which as digits and line ends are two and a bit; an XMP packet has its
 * properties in front and padding behind. */
#define MAX_TEXT_BYTES ((size_t)256 << 10)
#define MAX_EXIF_BYTES ((size_t)65535)

typedef struct text {
    const char *keyword;
    const uint8_t *bytes;
    size_t n;
    bool deflated;
} text;

/* The end of a string within [at, end), or NULL. */
static const uint8_t *end_of(const uint8_t *at, const uint8_t *end)
{
    return at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
}

/* The parts of a chunk of text; false when it is not well formed. */
static bool read_chunk(text *t, const char *type, const uint8_t *data, size_t n)
{
    const uint8_t *end = data + n, *at = end_of(data, end);

    if (!at)
        return false;
    *t = (text){.keyword = (const char *)data};
    at++;
    if (memcmp(type, "zTXt", 4) == 0) {
        if (at == end || *at++ != 0)
            return false;
        t->deflated = true;
    } else if (memcmp(type, "iTXt", 4) == 0) {
        if (end - at < 2 || at[1] != 0)
            return false;
        t->deflated = at[0] == 1;
        at += 2;
        for (int i = 0; i < 2; i++) { /* the language, and the keyword in it */
            at = end_of(at, end);
            if (!at)
                return false;
            at++;
        }
    }
    t->bytes = at;
    t->n = (size_t)(end - at);
    return true;
}

/* As much of the text as the bound allows, with a NUL behind it. */
static dpl_status plain_text(char **out, size_t *n_out, const text *t, dpl_error *err)
{
    const size_t most = t->deflated || t->n > MAX_TEXT_BYTES ? MAX_TEXT_BYTES : t->n;
    char *plain = dpli_alloc(most + 1, 1, err);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)t->bytes, .avail_in = (uInt)t->n};

    *out = plain;
    *n_out = most;
    if (!plain)
        return DPL_E_MEMORY;
    if (t->deflated) {
        z.next_out = (Bytef *)plain;
        z.avail_out = (uInt)most;
        if (inflateInit(&z) != Z_OK) {
            free(plain);
            *out = NULL;
            return dpli_fail(err, DPL_E_MEMORY, "out of memory for a PNG's text");
        }
        /* Whatever ends it, what came until then is there. */
        (void)inflate(&z, Z_FINISH);
        *n_out = most - z.avail_out;
        inflateEnd(&z);
    } else {
        memcpy(plain, t->bytes, most);
    }
    plain[*n_out] = '\0';
    return DPL_OK;
}

/* The property as an attribute, tiff:Orientation="6", or as an element, <tiff:Orientation>6</…>; 0
 * when there is none. */
static int32_t in_xmp(const char *xmp, size_t n)
{
    static const char name[] = "tiff:Orientation";

    while (n >= sizeof name) {
        const char *at = memmem(xmp, n, name, sizeof name - 1);

        if (!at)
            return 0;
        n -= (size_t)(at - xmp) + sizeof name - 1;
        xmp = at + sizeof name - 1;
        /* What is searched ends with NUL. */
        at = xmp + strspn(xmp, " \t\r\n");
        if (*at == '=') {
            at++;
            at += strspn(at, " \t\r\n");
            at += *at == '"' || *at == '\'';
        } else if (*at == '>') {
            at++;
            at += strspn(at, " \t\r\n");
        } else {
            continue;
        }
        if (*at >= '1' && *at <= '8' && at[1] && strchr("\"'< \t\r\n", at[1]))
            return *at - '0';
    }
    return 0;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "\nexif\n     102\n45786966…": a name, a length, digits in lines. Decoded in place; returns how
 * many bytes. */
static size_t decode_profile(char *profile)
{
    const char *at = profile;
    size_t n = 0;

    at += strspn(at, "\n");
    at += strcspn(at, "\n");
    at += strspn(at, " \n");
    at += strspn(at, "0123456789");
    while (n < MAX_EXIF_BYTES) {
        int high, low;

        at += strspn(at, " \r\n");
        high = digit_of(*at);
        low = high < 0 ? -1 : digit_of(at[1]);
        if (low < 0)
            break;
        profile[n++] = (char)(high << 4 | low);
        at += 2;
    }
    profile[n] = '\0';
    return n;
}

static dpl_status in_profile(int32_t *orientation, char *profile, dpl_error *err)
{
    static const char exif[] = "Exif\0";
    size_t n = decode_profile(profile);

    if (n >= sizeof exif && memcmp(profile, exif, sizeof exif) == 0)
        return dpli_exif_orientation(orientation, (const uint8_t *)profile, n, err);
    if (n >= 2 && n <= MAX_EXIF_BYTES - sizeof exif &&
        (memcmp(profile, "II", 2) == 0 || memcmp(profile, "MM", 2) == 0)) {
        /* There is room: as digits it was longer. */
        memmove(profile + sizeof exif, profile, n);
        memcpy(profile, exif, sizeof exif);
        return dpli_exif_orientation(orientation, (const uint8_t *)profile, n + sizeof exif, err);
    }
    *orientation = in_xmp(profile, n);
    return DPL_OK;
}

bool dpli_png_is_text(const uint8_t *type)
{
    return memcmp(type, "tEXt", 4) == 0 || memcmp(type, "zTXt", 4) == 0 ||
           memcmp(type, "iTXt", 4) == 0;
}

dpl_status dpli_png_text_orientation(int32_t *orientation, const uint8_t *type, const uint8_t *data,
                                     size_t n, dpl_error *err)
{
    static const char raw[] = "Raw profile type ";
    char *plain;
    size_t n_plain;
    dpl_status status;
    bool xmp, profile;
    text t;

    *orientation = 0;
    if (!read_chunk(&t, (const char *)type, data, n))
        return DPL_OK;
    xmp = strcmp(t.keyword, "XML:com.adobe.xmp") == 0;
    profile = strncmp(t.keyword, raw, sizeof raw - 1) == 0 &&
              (strcmp(t.keyword + sizeof raw - 1, "exif") == 0 ||
               strcmp(t.keyword + sizeof raw - 1, "APP1") == 0 ||
               strcmp(t.keyword + sizeof raw - 1, "xmp") == 0);
    if (!xmp && !profile)
        return DPL_OK;
    status = plain_text(&plain, &n_plain, &t, err);
    if (status != DPL_OK)
        return status;
    if (xmp)
        *orientation = in_xmp(plain, n_plain);
    else
        status = in_profile(orientation, plain, err);
    free(plain);
    return status;
}
