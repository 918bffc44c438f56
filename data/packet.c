/*
 * packet.c - the regions in an XMP packet, by exempi: read, and edited with all else kept.
 *
 * exempi's state (the table of namespaces, the last error) is the process's and grows with what it
 * reads, so each operation is done under a lock, from the library's start to its end. Whatever
 * comes has passed packet_guard.c.
 *
 * Source: Metadata Working Group, Guidelines for Handling Image Metadata 2.0, section 5.9;
 * Microsoft, People Tagging Overview. Numbers are read and written here, because those of the C
 * library depend on the process's locale.
 */
#include "data/packet.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <exempi/xmp.h>

#include "base/fail.h"
#include "base/mem.h"
#include "data/packet_guard.h"
#include "doppel/xmp.h"

#define NS_MWG    "http://www.metadataworkinggroup.com/schemas/regions/"
#define NS_AREA   "http://ns.adobe.com/xmp/sType/Area#"
#define NS_DIM    "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
#define NS_MP     "http://ns.microsoft.com/photo/1.2/"
#define NS_MPRI   "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
#define NS_MPREG  "http://ns.microsoft.com/photo/1.2/t/Region#"
#define NS_DC     "http://purl.org/dc/elements/1.1/"
#define NS_DOPPEL "urn:x-doppel:xmp:1/"

/* As paths name things below; registered before anything is read, so that they stand for these
   namespaces whatever a file calls them. */
static const char *const prefixes[][2] = {
    {NS_MWG, "mwg-rs"}, {NS_AREA, "stArea"}, {NS_DIM, "stDim"}, {NS_MP, "MP"},
    {NS_MPRI, "MPRI"},  {NS_MPREG, "MPReg"}, {NS_DC, "dc"},     {NS_DOPPEL, "doppel"},
};

#define REGIONS    "mwg-rs:Regions"
#define LIST       REGIONS "/mwg-rs:RegionList"
#define DIMENSIONS REGIONS "/mwg-rs:AppliedToDimensions"
/* The name as doppel wrote it. Another program that changes a region leaves this behind, or drops
   it; either tells. */
#define OWN_NAME "/mwg-rs:Extensions/doppel:Name"
#define TAGS     "MP:RegionInfo/MPRI:Regions"

enum { PATH_SIZE = 160 };

static pthread_mutex_t exempi = PTHREAD_MUTEX_INITIALIZER;

bool dpl_xmp_is_built(void)
{
    return true;
}

typedef struct session {
    XmpPtr xmp;
    XmpStringPtr text;
} session;

/* ------------------------------------------------------------------ opening */

static dpl_status fail(dpl_error *err, const char *what)
{
    return dpli_fail(err, DPL_E_INPUT, "%s (exempi's error %d)", what, xmp_get_error());
}

static dpl_status open_session(session *s, const uint8_t *bytes, size_t n, dpl_error *err)
{
    bool there = true;

    *s = (session){NULL, NULL};
    if (!xmp_init())
        return fail(err, "cannot be read: exempi does not start");
    s->text = xmp_string_new();
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        there = there && xmp_register_namespace(prefixes[i][0], prefixes[i][1], s->text);
    s->xmp = xmp_new_empty();
    if (!there || !s->xmp || !s->text)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for XMP");
    if (bytes && !xmp_parse(s->xmp, (const char *)bytes, n))
        return fail(err, "is not XMP");
    return DPL_OK;
}

static void close_session(session *s)
{
    if (s->xmp)
        xmp_free(s->xmp);
    if (s->text)
        xmp_string_free(s->text);
    xmp_terminate();
}

/* ------------------------------------------------------------------ reading */

/* The text of a property; NULL when there is none. Lent until the next. */
static const char *get(session *s, const char *ns, const char *path)
{
    return xmp_get_property(s->xmp, ns, path, s->text, NULL) ? xmp_string_cstr(s->text) : NULL;
}

static const char *get_of(session *s, const char *ns, const char *list, int32_t index,
                          const char *field)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s[%d]%s", list, index, field);
    return get(s, ns, path);
}

/* Whether there is a structure. exempi writes a line on stderr where fields are asked of what has
 * none, so that it is looked at first. */
static bool is_struct(session *s, const char *ns, const char *path)
{
    uint32_t options = 0;

    return xmp_get_property(s->xmp, ns, path, s->text, &options) &&
           (options & XMP_PROP_VALUE_IS_STRUCT);
}

static bool is_struct_of(session *s, const char *ns, const char *list, int32_t index,
                         const char *field)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s[%d]%s", list, index, field);
    return is_struct(s, ns, path);
}

/* Whether there is a list in a structure. */
static bool is_list(session *s, const char *ns, const char *whole, const char *list)
{
    uint32_t options = 0;

    return is_struct(s, ns, whole) && xmp_get_property(s->xmp, ns, list, s->text, &options) &&
           (options & XMP_PROP_VALUE_IS_ARRAY);
}

/* A decimal number as XMP writes it; *end is moved past it. NaN: none. */
static double number(const char **end)
{
    const char *p = *end;
    double value = 0, sign = 1, unit = 1;
    long exponent = 0;
    int n_digits = 0;

    p += strspn(p, " \t\r\n");
    if (*p == '-' || *p == '+')
        sign = *p++ == '-' ? -1 : 1;
    for (; *p >= '0' && *p <= '9'; p++, n_digits++)
        value = 10 * value + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, n_digits++) {
            unit /= 10;
            value += unit * (*p - '0');
        }
    if (n_digits == 0)
        return NAN;
    if (*p == 'e' || *p == 'E') {
        char *past;

        exponent = strtol(p + 1, &past, 10);
        if (past == p + 1)
            return NAN;
        p = past;
    }
    p += strspn(p, " \t\r\n");
    *end = p;
    return sign * value * pow(10, (double)exponent);
}

/* NaN when there is no text, or it is more than a number. */
static double whole_number(const char *text)
{
    double value;

    if (!text)
        return NAN;
    value = number(&text);
    return *text == '\0' ? value : NAN;
}

/* Whether numbers can be a face's area, once they are parts. */
static bool is_area(const dpli_packet_face *face)
{
    return isfinite(face->x) && isfinite(face->y) && face->w > 0 && face->w <= 1 && face->h > 0 &&
           face->h <= 1 && face->x + face->w / 2 >= 0 && face->x + face->w / 2 <= 1 &&
           face->y + face->h / 2 >= 0 && face->y + face->h / 2 <= 1;
}

static bool read_mwg_area(dpli_packet_face *face, session *s, const dpli_packet *packet)
{
    static const char *const fields[] = {"x", "y", "w", "h"};
    double values[4];
    const char *unit;

    if (!is_struct_of(s, NS_MWG, LIST, face->index, "/mwg-rs:Area"))
        return false;
    for (int i = 0; i < 4; i++) {
        char field[64];

        snprintf(field, sizeof field, "/mwg-rs:Area/stArea:%s", fields[i]);
        values[i] = whole_number(get_of(s, NS_MWG, LIST, face->index, field));
    }
    unit = get_of(s, NS_MWG, LIST, face->index, "/mwg-rs:Area/stArea:unit");
    if (unit && strcmp(unit, "pixel") == 0) {
        /* By 0, if the size is not said: then no area comes out. */
        values[0] /= packet->width;
        values[1] /= packet->height;
        values[2] /= packet->width;
        values[3] /= packet->height;
    } else if (unit && strcmp(unit, "normalized") != 0) {
        return false;
    }
    face->x = values[0] - values[2] / 2;
    face->y = values[1] - values[3] / 2;
    face->w = values[2];
    face->h = values[3];
    return is_area(face);
}

/* "x, y, w, h" from the top left corner. */
static bool read_rectangle(dpli_packet_face *face, session *s)
{
    const char *text = get_of(s, NS_MP, TAGS, face->index, "/MPReg:Rectangle");
    double values[4];

    for (int i = 0; i < 4; i++) {
        if (!text)
            return false;
        values[i] = number(&text);
        if (!isfinite(values[i]) || *text != (i < 3 ? ',' : '\0'))
            return false;
        text++;
    }
    face->x = values[0];
    face->y = values[1];
    face->w = values[2];
    face->h = values[3];
    return is_area(face);
}

static dpl_status add_face(dpli_packet_face **faces, size_t *n, size_t *n_unusable,
                           dpli_packet_face *face, bool has_area, dpl_error *err)
{
    dpli_packet_face *grown;

    if (!has_area || strlen(face->name) > DPLI_PACKET_NAME_BYTES) {
        free(face->name);
        (*n_unusable)++;
        return DPL_OK;
    }
    grown = dpli_realloc(*faces, *n + 1, sizeof *grown, err);
    if (!grown) {
        free(face->name);
        return DPL_E_MEMORY;
    }
    *faces = grown;
    grown[(*n)++] = *face;
    return DPL_OK;
}

static dpl_status read_mwg(dpli_packet *out, session *s, dpl_error *err)
{
    static const char *const dimensions[] = {DIMENSIONS "/stDim:w", DIMENSIONS "/stDim:h"};
    double *const sizes[] = {&out->width, &out->height};
    dpl_status status = DPL_OK;

    for (int i = 0; i < 2 && is_struct(s, NS_MWG, REGIONS) && is_struct(s, NS_MWG, DIMENSIONS);
         i++) {
        *sizes[i] = whole_number(get(s, NS_MWG, dimensions[i]));
        if (!(*sizes[i] >= 1 && *sizes[i] <= INT32_MAX))
            out->width = out->height = 0;
    }
    if (!is_list(s, NS_MWG, REGIONS, LIST))
        return DPL_OK;
    for (int32_t i = 1; !status && get_of(s, NS_MWG, LIST, i, ""); i++) {
        dpli_packet_face face = {.index = i};
        const char *text;

        if (i > DPLI_PACKET_REGIONS)
            return dpli_fail(err, DPL_E_LIMIT, "has more than %d regions", DPLI_PACKET_REGIONS);
        if (!is_struct_of(s, NS_MWG, LIST, i, "")) {
            out->n_unusable++;
            continue;
        }
        text = get_of(s, NS_MWG, LIST, i, "/mwg-rs:Type");
        if (text && strcmp(text, "Face") != 0) {
            out->n_others++;
            continue;
        }
        text = get_of(s, NS_MWG, LIST, i, "/mwg-rs:Name");
        face.name = dpli_strdup(text ? text : "", err);
        if (!face.name)
            return DPL_E_MEMORY;
        text = is_struct_of(s, NS_MWG, LIST, i, "/mwg-rs:Extensions")
                   ? get_of(s, NS_MWG, LIST, i, OWN_NAME)
                   : NULL;
        face.is_own = text && strcmp(text, face.name) == 0;
        status = add_face(&out->mwg, &out->n_mwg, &out->n_unusable, &face,
                          read_mwg_area(&face, s, out), err);
    }
    return status;
}

static dpl_status read_tags(dpli_packet *out, session *s, dpl_error *err)
{
    dpl_status status = DPL_OK;

    if (!is_list(s, NS_MP, "MP:RegionInfo", TAGS))
        return DPL_OK;
    for (int32_t i = 1; !status && get_of(s, NS_MP, TAGS, i, ""); i++) {
        dpli_packet_face face = {.index = i};
        const char *text;

        if (i > DPLI_PACKET_REGIONS)
            return dpli_fail(err, DPL_E_LIMIT, "has more than %d people tags", DPLI_PACKET_REGIONS);
        if (!is_struct_of(s, NS_MP, TAGS, i, "")) {
            out->n_unusable_microsoft++;
            continue;
        }
        text = get_of(s, NS_MP, TAGS, i, "/MPReg:PersonDisplayName");
        face.name = dpli_strdup(text ? text : "", err);
        if (!face.name)
            return DPL_E_MEMORY;
        /* Without a rectangle it says who is in the photo, not where. */
        status = add_face(&out->microsoft, &out->n_microsoft, &out->n_unusable_microsoft, &face,
                          read_rectangle(&face, s), err);
    }
    return status;
}

dpl_status dpli_packet_read(dpli_packet *out, const uint8_t *bytes, size_t n, dpl_error *err)
{
    dpl_status status;
    session s;

    *out = (dpli_packet){0};
    status = dpli_packet_guard(bytes, n, err);
    if (status)
        return status;
    pthread_mutex_lock(&exempi);
    status = open_session(&s, bytes, n, err);
    if (!status)
        status = read_mwg(out, &s, err);
    if (!status)
        status = read_tags(out, &s, err);
    close_session(&s);
    pthread_mutex_unlock(&exempi);
    if (status)
        dpli_packet_clear(out);
    return status;
}

/* One more text; takes nothing. */
static dpl_status add_text(char ***texts, size_t *n, const char *text, dpl_error *err)
{
    char **grown = dpli_realloc(*texts, *n + 1, sizeof *grown, err);

    if (!grown)
        return DPL_E_MEMORY;
    *texts = grown;
    grown[*n] = dpli_strdup(text, err);
    return grown[*n] ? (++*n, DPL_OK) : DPL_E_MEMORY;
}

static dpl_status read_descriptions(char ***texts, size_t *n, session *s, dpl_error *err)
{
    static const char list[] = "dc:description";
    uint32_t options = 0;
    dpl_status status = DPL_OK;

    if (!xmp_get_property(s->xmp, NS_DC, list, s->text, &options) ||
        (options & XMP_PROP_VALUE_IS_STRUCT))
        return DPL_OK;
    if (!(options & XMP_PROP_VALUE_IS_ARRAY))
        return add_text(texts, n, xmp_string_cstr(s->text), err);
    for (int32_t i = 1; status == DPL_OK && i <= DPLI_PACKET_DESCRIPTIONS; i++) {
        const char *text = get_of(s, NS_DC, list, i, "");

        if (!text)
            break;
        status = add_text(texts, n, text, err);
    }
    return status;
}

dpl_status dpli_packet_descriptions(char ***texts, size_t *n_texts, const uint8_t *bytes, size_t n,
                                    dpl_error *err)
{
    dpl_status status = dpli_packet_guard(bytes, n, err);
    session s;

    *texts = NULL;
    *n_texts = 0;
    if (status)
        return status;
    pthread_mutex_lock(&exempi);
    status = open_session(&s, bytes, n, err);
    if (!status)
        status = read_descriptions(texts, n_texts, &s, err);
    close_session(&s);
    pthread_mutex_unlock(&exempi);
    if (status) {
        for (size_t i = 0; i < *n_texts; i++)
            free((*texts)[i]);
        free(*texts);
        *texts = NULL;
        *n_texts = 0;
    }
    return status;
}

/* ------------------------------------------------------------------ editing */

static bool put(session *s, const char *ns, const char *path, const char *value, uint32_t options)
{
    return xmp_set_property(s->xmp, ns, path, value, options);
}

static bool put_of(session *s, const char *ns, const char *list, int32_t index, const char *field,
                   const char *value, uint32_t options)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s[%d]%s", list, index, field);
    return put(s, ns, path, value, options);
}

/* A part of the picture with six digits. */
static bool put_part(session *s, int32_t index, const char *field, double value)
{
    const long millionth = lround(value * 1e6);
    char text[32];

    snprintf(text, sizeof text, "%s%ld.%06ld", millionth < 0 ? "-" : "", labs(millionth) / 1000000,
             labs(millionth) % 1000000);
    return put_of(s, NS_MWG, LIST, index, field, text, 0);
}

/* The mark goes when the name is not ours. */
static bool put_name(session *s, int32_t index, const dpli_edit *edit)
{
    char path[PATH_SIZE];

    if (!put_of(s, NS_MWG, LIST, index, "/mwg-rs:Name", edit->name, 0))
        return false;
    if (edit->is_own) {
        if (!get_of(s, NS_MWG, LIST, index, "/mwg-rs:Extensions") &&
            !put_of(s, NS_MWG, LIST, index, "/mwg-rs:Extensions", "", XMP_PROP_VALUE_IS_STRUCT))
            return false;
        return put_of(s, NS_MWG, LIST, index, OWN_NAME, edit->name, 0);
    }
    snprintf(path, sizeof path, "%s[%d]%s", LIST, index, OWN_NAME);
    return xmp_delete_property(s->xmp, NS_MWG, path);
}

static bool add_region(session *s, const dpli_edit *edit, int32_t *n)
{
    const int32_t at = ++*n;

    return xmp_append_array_item(s->xmp, NS_MWG, LIST, 0, NULL, XMP_PROP_VALUE_IS_STRUCT) &&
           put_of(s, NS_MWG, LIST, at, "/mwg-rs:Area", "", XMP_PROP_VALUE_IS_STRUCT) &&
           put_part(s, at, "/mwg-rs:Area/stArea:x", edit->x + edit->w / 2) &&
           put_part(s, at, "/mwg-rs:Area/stArea:y", edit->y + edit->h / 2) &&
           put_part(s, at, "/mwg-rs:Area/stArea:w", edit->w) &&
           put_part(s, at, "/mwg-rs:Area/stArea:h", edit->h) &&
           put_of(s, NS_MWG, LIST, at, "/mwg-rs:Area/stArea:unit", "normalized", 0) &&
           put_of(s, NS_MWG, LIST, at, "/mwg-rs:Type", "Face", 0) && put_name(s, at, edit);
}

/* Structure and size, as far as they are not there. */
static bool make_list(session *s, int32_t width, int32_t height)
{
    char text[16];

    if (!get(s, NS_MWG, REGIONS) && !put(s, NS_MWG, REGIONS, "", XMP_PROP_VALUE_IS_STRUCT))
        return false;
    if (!get(s, NS_MWG, DIMENSIONS)) {
        if (!put(s, NS_MWG, DIMENSIONS, "", XMP_PROP_VALUE_IS_STRUCT))
            return false;
        snprintf(text, sizeof text, "%d", width);
        if (!put(s, NS_MWG, DIMENSIONS "/stDim:w", text, 0))
            return false;
        snprintf(text, sizeof text, "%d", height);
        if (!put(s, NS_MWG, DIMENSIONS "/stDim:h", text, 0) ||
            !put(s, NS_MWG, DIMENSIONS "/stDim:unit", "pixel", 0))
            return false;
    }
    return get(s, NS_MWG, LIST) || put(s, NS_MWG, LIST, "", XMP_PROP_VALUE_IS_ARRAY);
}

/* Items of one kind of edit: from the last, so that what goes moves no other that is to go. */
static bool remove_items(session *s, const dpli_edit *edits, size_t n_edits, dpli_edit_kind kind,
                         const char *ns, const char *list, const char *whole)
{
    int32_t below = INT32_MAX, n_removed = 0;

    for (;;) {
        char path[PATH_SIZE];
        int32_t at = 0;

        for (size_t i = 0; i < n_edits; i++)
            if (edits[i].kind == kind && edits[i].index < below && edits[i].index > at)
                at = edits[i].index;
        if (at == 0)
            break;
        snprintf(path, sizeof path, "%s[%d]", list, at);
        if (!xmp_delete_property(s->xmp, ns, path))
            return false;
        below = at;
        n_removed++;
    }
    if (n_removed == 0 || get_of(s, ns, list, 1, ""))
        return true;
    return xmp_delete_property(s->xmp, ns, whole);
}

static bool edit_all(session *s, const dpli_edit *edits, size_t n_edits, int32_t width,
                     int32_t height)
{
    int32_t n_items = 0;
    bool adds = false;

    for (size_t i = 0; i < n_edits; i++) {
        const dpli_edit *edit = &edits[i];

        adds = adds || edit->kind == DPLI_EDIT_ADD;
        if (edit->kind == DPLI_EDIT_NAME && !put_name(s, edit->index, edit))
            return false;
        if (edit->kind == DPLI_EDIT_NAME_TAG &&
            !put_of(s, NS_MP, TAGS, edit->index, "/MPReg:PersonDisplayName", edit->name, 0))
            return false;
    }
    if (!remove_items(s, edits, n_edits, DPLI_EDIT_REMOVE, NS_MWG, LIST, REGIONS) ||
        !remove_items(s, edits, n_edits, DPLI_EDIT_REMOVE_TAG, NS_MP, TAGS, "MP:RegionInfo"))
        return false;
    if (!adds)
        return true;
    if (!make_list(s, width, height))
        return false;
    while (get_of(s, NS_MWG, LIST, n_items + 1, ""))
        n_items++;
    for (size_t i = 0; i < n_edits; i++)
        if (edits[i].kind == DPLI_EDIT_ADD && !add_region(s, &edits[i], &n_items))
            return false;
    return true;
}

dpl_status dpli_packet_edit(dpli_buf *out, const uint8_t *bytes, size_t n, const dpli_edit *edits,
                            size_t n_edits, int32_t width, int32_t height, dpl_error *err)
{
    dpl_status status = bytes ? dpli_packet_guard(bytes, n, err) : DPL_OK;
    session s;

    if (status)
        return status;
    pthread_mutex_lock(&exempi);
    status = open_session(&s, bytes, n, err);
    if (!status && !edit_all(&s, edits, n_edits, width, height))
        status = fail(err, "its regions cannot be changed");
    if (!status && !xmp_serialize(s.xmp, s.text, XMP_SERIAL_OMITPACKETWRAPPER, 0))
        status = fail(err, "cannot be written as XMP");
    if (!status && xmp_string_len(s.text) > DPLI_PACKET_BYTES)
        status = dpli_fail(err, DPL_E_LIMIT, "would have %zu bytes, limit is %d",
                           xmp_string_len(s.text), DPLI_PACKET_BYTES);
    if (!status) {
        dpli_buf_add(out, xmp_string_cstr(s.text), xmp_string_len(s.text));
        status = dpli_buf_check(out, err);
    }
    close_session(&s);
    pthread_mutex_unlock(&exempi);
    /* It takes the place of what others wrote: whatever exempi did, it can be read again. */
    return status ? status : dpli_packet_guard((const uint8_t *)out->data, out->len, err);
}

void dpli_packet_clear(dpli_packet *packet)
{
    for (size_t i = 0; i < packet->n_mwg; i++)
        free(packet->mwg[i].name);
    for (size_t i = 0; i < packet->n_microsoft; i++)
        free(packet->microsoft[i].name);
    free(packet->mwg);
    free(packet->microsoft);
    *packet = (dpli_packet){0};
}
