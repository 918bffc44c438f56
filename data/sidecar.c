/*
 * sidecar.c - the file beside a photo that says who is in it: found, read, written.
 *
 * Here is what regions mean: of which picture they are, whose they are, and what may be changed.
 * What is in the file is packet.c's.
 *
 * Which picture: the guideline says the one that is stored, and digiKam, Lightroom, Picasa, immich
 * and PhotoPrism do so today; older ones, and converters, wrote areas of the upright photo. The
 * size that regions were applied to tells the two apart where a photo lies on its side and is no
 * square.
 */
#include "doppel/xmp.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/options.h"
#include "base/utf8.h"
#include "data/packet.h"
#include "data/region.h"

#define SUFFIX ".xmp"

/* ------------------------------------------------------------------ its name */

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static bool ends_in_suffix(const char *name)
{
    const size_t n = strlen(name);

    return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

/* Whether the folder of photo, which begins at base, holds another file of the same name but for
 * its ending: n bytes with the dot. A folder that cannot be listed may. */
static bool has_siblings(const char *photo, const char *base, size_t n, dpl_status *status,
                         dpl_error *err)
{
    char *folder = base > photo ? strndup(photo, (size_t)(base - photo)) : dpli_strdup(".", err);
    bool found = false;
    DIR *dir;

    if (!folder) {
        *status = dpli_fail(err, DPL_E_MEMORY, "out of memory for a path");
        return true;
    }
    dir = opendir(folder);
    free(folder);
    if (!dir)
        return true;
    while (!found) {
        const struct dirent *entry = readdir(dir);

        if (!entry)
            break;
        found = strncmp(entry->d_name, base, n) == 0 && strcmp(entry->d_name, base) != 0 &&
                !ends_in_suffix(entry->d_name);
    }
    closedir(dir);
    return found;
}

dpl_status dpl_sidecar_find(char **path, bool *is_there_now, const char *photo, bool to_write,
                            dpl_error *err)
{
    const char *slash = strrchr(photo, '/'), *base = slash ? slash + 1 : photo;
    const char *dot = strrchr(base, '.');
    dpl_status status = DPL_OK;
    char *plain;

    *is_there_now = false;
    *path = dpli_asprintf(err, "%s" SUFFIX, photo);
    if (!*path)
        return DPL_E_MEMORY;
    *is_there_now = is_there(*path);
    if (*is_there_now || !dot || dot == base)
        return DPL_OK;
    plain = dpli_asprintf(err, "%.*s" SUFFIX, (int)(dot - photo), photo);
    if (!plain)
        status = DPL_E_MEMORY;
    else if (is_there(plain) &&
             !(to_write && has_siblings(photo, base, (size_t)(dot - base) + 1, &status, err))) {
        char *full = *path;

        *path = plain;
        plain = full;
        *is_there_now = true;
    }
    free(plain);
    if (status) {
        free(*path);
        *path = NULL;
    }
    return status;
}

/* ------------------------------------------------------------------ what is in it */

/* *bytes NULL: nothing is there. */
static dpl_status read_file(uint8_t **bytes, size_t *n, const char *path, dpl_error *err)
{
    struct stat st;

    *bytes = NULL;
    *n = 0;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? DPL_OK
                               : dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be opened");
    if (S_ISLNK(st.st_mode))
        return dpli_fail(err, DPL_E_INPUT, "is a link, which is not followed");
    if (!S_ISREG(st.st_mode))
        return dpli_fail(err, DPL_E_INPUT, "is not a file");
    return dpli_file_read(bytes, n, path, DPLI_PACKET_BYTES, err);
}

static dpl_status check_shape(const dpl_photo_shape *shape, dpl_error *err)
{
    if (shape->width_px < 1 || shape->height_px < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "photo is %dx%d pixels", shape->width_px,
                         shape->height_px);
    if (shape->exif_orientation < 1 || shape->exif_orientation > 8)
        return dpli_fail(err, DPL_E_ARGUMENT, "exif_orientation is %d, not 1 to 8",
                         shape->exif_orientation);
    return DPL_OK;
}

/* The shapes of previews and of photos differ by a few pixels at the edges. */
static bool is_alike(double width, double height, int32_t w, int32_t h)
{
    return fabs(width * h - height * w) <= 0.02 * height * w;
}

/* By which orientation areas in a packet are turned to be upright. */
static dpl_status find_turn(int32_t *turn, const dpli_packet *packet, const dpl_photo_shape *shape,
                            dpl_error *err)
{
    const bool sideways = shape->exif_orientation >= 5;
    const int32_t w = shape->width_px, h = shape->height_px;

    *turn = shape->exif_orientation;
    if (!(packet->width > 0) ||
        is_alike(packet->width, packet->height, sideways ? h : w, sideways ? w : h))
        return DPL_OK;
    *turn = 1;
    if (sideways && is_alike(packet->width, packet->height, w, h))
        return DPL_OK;
    return dpli_fail(err, DPL_E_INPUT,
                     "its regions are of a picture of %.0fx%.0f pixels, and the photo has %dx%d",
                     packet->width, packet->height, sideways ? h : w, sideways ? w : h);
}

/* Faces of a packet as regions, turned upright, with their names moved into them. */
static dpl_status take_faces(dpl_regions *out, dpli_packet_face *faces, size_t n, int32_t turn,
                             dpl_error *err)
{
    out->items = dpli_calloc(n, sizeof *out->items, err);
    if (!out->items)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const dpli_packet_face *f = &faces[i];
        const dpli_area a = dpli_area_upright((dpli_area){f->x, f->y, f->w, f->h}, turn);

        out->items[i] = (dpl_region){f->name, a.x, a.y, a.w, a.h, f->is_own};
        faces[i].name = NULL;
    }
    out->n = n;
    return DPL_OK;
}

dpl_status dpl_sidecar_read(dpl_regions *out, const char *path, const dpl_photo_shape *shape,
                            dpl_error *err)
{
    const dpl_regions empty = DPL_REGIONS_INIT;
    dpl_status status = check_shape(shape, err);
    dpli_packet packet = {0};
    uint8_t *bytes = NULL;
    int32_t turn = 1;
    size_t n = 0;

    *out = empty;
    if (status)
        return status;
    status = read_file(&bytes, &n, path, err);
    if (!status && !bytes)
        status = dpli_fail(err, DPL_E_INPUT, "is not there");
    if (!status)
        status = dpli_packet_read(&packet, bytes, n, err);
    if (!status && packet.n_mwg + packet.n_microsoft > 0)
        status = find_turn(&turn, &packet, shape, err);
    if (!status) {
        out->is_microsoft = packet.n_mwg + packet.n_unusable == 0 &&
                            packet.n_microsoft + packet.n_unusable_microsoft > 0;
        out->n_unusable = out->is_microsoft ? packet.n_unusable_microsoft : packet.n_unusable;
        out->n_others = packet.n_others;
        status = out->is_microsoft
                     ? take_faces(out, packet.microsoft, packet.n_microsoft, turn, err)
                     : take_faces(out, packet.mwg, packet.n_mwg, turn, err);
    }
    if (status)
        dpl_regions_clear(out);
    dpli_packet_clear(&packet);
    free(bytes);
    return status ? dpli_fail_in(err, status, path) : DPL_OK;
}

/* ------------------------------------------------------------------ what is changed */

void dpl_sidecar_options_init(dpl_sidecar_options *options, size_t struct_size)
{
    const dpl_sidecar_options defaults = DPL_SIDECAR_OPTIONS_INIT;

    memset(options, 0, struct_size);
    memcpy(options, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
    options->struct_size = struct_size;
}

/* Faces and what the packet has, all in the packet's own picture. */
typedef struct merge {
    dpl_region *faces, *there, *tags; /* names borrowed */
    size_t n_faces, n_there, n_tags;
    int32_t *of_faces; /* [n_faces]: which of there */
    int32_t *of_there; /* [n_there]: which of tags */
    dpli_edit *edits;
    size_t n_edits;
    bool overwrite;
    dpl_sidecar_report *report;
} merge;

static dpl_status check_name(const char *name, dpl_error *err)
{
    if (!name || !*name)
        return dpli_fail(err, DPL_E_ARGUMENT, "a face has no name");
    if (strlen(name) > DPLI_PACKET_NAME_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "name has %zu bytes, limit is %d", strlen(name),
                         DPLI_PACKET_NAME_BYTES);
    if (!dpli_is_utf8(name))
        return dpli_fail(err, DPL_E_INPUT, "the name \"%s\" is not UTF-8, as XMP has to be", name);
    for (const char *p = name; *p;) {
        uint32_t point;

        p += dpli_utf8_next(&point, p);
        if (point < 0x20 || point == 0xFFFE || point == 0xFFFF)
            return dpli_fail(err, DPL_E_INPUT, "the name \"%s\" holds a character that XML cannot",
                             name);
    }
    return DPL_OK;
}

static dpl_status is_same_name(bool *same, const char *a, const char *b, dpl_error *err)
{
    char *x, *y;

    *same = strcmp(a, b) == 0;
    if (*same)
        return DPL_OK;
    x = dpli_name_composed(a, err);
    y = x ? dpli_name_composed(b, err) : NULL;
    *same = y && strcmp(x, y) == 0;
    free(x);
    free(y);
    return y ? DPL_OK : DPL_E_MEMORY;
}

static void edit(merge *m, dpli_edit_kind kind, int32_t index, const char *name,
                 const dpl_region *area, bool is_own)
{
    dpli_edit *e = &m->edits[m->n_edits++];

    *e = (dpli_edit){.kind = kind, .index = index, .name = name, .is_own = is_own};
    if (area) {
        e->x = area->x;
        e->y = area->y;
        e->w = area->w;
        e->h = area->h;
    }
}

/* Whether a name that is there may become the face's: *same when it is that. */
static dpl_status may_rename(bool *may, bool *same, const merge *m, const dpl_region *there,
                             const char *name, dpl_error *err)
{
    dpl_status status = is_same_name(same, there->name, name, err);

    *may = !*same && (!*there->name || there->is_own || m->overwrite);
    return status;
}

/* The tag of the same face goes with an MWG region, if it says the same. */
static void edit_tag(merge *m, size_t k, dpli_edit_kind kind, const dpli_packet *packet,
                     const char *name)
{
    const int32_t tag = m->of_there[k];

    if (tag >= 0 && (!*m->tags[tag].name || strcmp(m->tags[tag].name, m->there[k].name) == 0))
        edit(m, kind, packet->microsoft[tag].index, name, NULL, false);
}

/* What is done about the face that is there as k, which may take the name or may not. */
typedef void place_face(merge *m, const dpli_packet *packet, size_t k, const char *name, bool may);

/* Each of ours: new, the same, kept as it is there, or renamed. */
static dpl_status merge_faces(merge *m, const dpli_packet *packet, bool *paired, place_face *place,
                              dpl_error *err)
{
    dpl_sidecar_report *r = m->report;

    for (size_t i = 0; i < m->n_faces; i++) {
        const dpl_region *face = &m->faces[i];
        const int32_t k = m->of_faces[i];
        bool may, same;
        dpl_status status;

        if (k < 0) {
            edit(m, DPLI_EDIT_ADD, 0, face->name, face, true);
            r->n_added++;
            continue;
        }
        paired[k] = true;
        status = may_rename(&may, &same, m, &m->there[k], face->name, err);
        if (status)
            return status;
        r->n_same += same;
        r->n_kept += !same && !may;
        r->n_renamed += may;
        place(m, packet, (size_t)k, face->name, may);
    }
    return DPL_OK;
}

static void place_mwg(merge *m, const dpli_packet *packet, size_t k, const char *name, bool may)
{
    if (!may)
        return;
    edit(m, DPLI_EDIT_NAME, packet->mwg[k].index, name, NULL, true);
    edit_tag(m, k, DPLI_EDIT_NAME_TAG, packet, name);
}

static dpl_status merge_mwg(merge *m, const dpli_packet *packet, bool *paired, dpl_error *err)
{
    const dpl_status status = merge_faces(m, packet, paired, place_mwg, err);

    for (size_t k = 0; k < m->n_there && status == DPL_OK; k++)
        if (!paired[k] && m->there[k].is_own) {
            edit(m, DPLI_EDIT_REMOVE, packet->mwg[k].index, NULL, NULL, false);
            edit_tag(m, k, DPLI_EDIT_REMOVE_TAG, packet, NULL);
            m->report->n_removed++;
        }
    return status;
}

static void place_tag(merge *m, const dpli_packet *packet, size_t k, const char *name, bool may)
{
    if (may)
        edit(m, DPLI_EDIT_NAME_TAG, packet->microsoft[k].index, name, NULL, false);
    edit(m, DPLI_EDIT_ADD, 0, may ? name : m->there[k].name, &m->there[k], may);
}

/* There are Microsoft's tags alone. Readers take MWG regions before them, so with the first of
 * those all that the tags say has to be said there, too. */
static dpl_status merge_tags(merge *m, const dpli_packet *packet, bool *paired, dpl_error *err)
{
    const dpl_status status = merge_faces(m, packet, paired, place_tag, err);

    for (size_t k = 0; k < m->n_there && status == DPL_OK; k++)
        if (!paired[k])
            edit(m, DPLI_EDIT_ADD, 0, m->there[k].name, &m->there[k], false);
    if (m->report->n_added + m->report->n_renamed == 0)
        m->n_edits = 0;
    return status;
}

static dpl_region *regions_of(const dpli_packet_face *faces, size_t n, dpl_error *err)
{
    dpl_region *regions = dpli_calloc(n, sizeof *regions, err);

    for (size_t i = 0; regions && i < n; i++)
        regions[i] = (dpl_region){faces[i].name, faces[i].x, faces[i].y,
                                  faces[i].w,    faces[i].h, faces[i].is_own};
    return regions;
}

/* What is to be done to a packet: m->edits. */
static dpl_status plan(merge *m, const dpli_packet *packet, const dpl_region *faces, size_t n,
                       int32_t turn, dpl_error *err)
{
    const bool tags_alone = packet->n_mwg == 0 && packet->n_microsoft > 0;
    dpl_status status;
    bool *paired;

    m->n_faces = n;
    m->n_there = tags_alone ? packet->n_microsoft : packet->n_mwg;
    m->n_tags = packet->n_microsoft;
    m->faces = dpli_calloc(n, sizeof *m->faces, err);
    m->there = tags_alone ? regions_of(packet->microsoft, m->n_there, err)
                          : regions_of(packet->mwg, m->n_there, err);
    m->tags = regions_of(packet->microsoft, m->n_tags, err);
    m->of_faces = dpli_calloc(n, sizeof *m->of_faces, err);
    m->of_there = dpli_calloc(m->n_there, sizeof *m->of_there, err);
    /* At most two for each face and each that is there. */
    m->edits = dpli_calloc(2 * (n + m->n_there), sizeof *m->edits, err);
    paired = dpli_calloc(m->n_there, sizeof *paired, err);
    status = m->faces && m->there && m->tags && m->of_faces && m->of_there && m->edits && paired
                 ? DPL_OK
                 : DPL_E_MEMORY;
    for (size_t i = 0; !status && i < n; i++) {
        const dpl_region *f = &faces[i];
        const dpli_area a = dpli_area_stored((dpli_area){f->x, f->y, f->w, f->h}, turn);

        m->faces[i] = (dpl_region){f->name, a.x, a.y, a.w, a.h, true};
        status = check_name(f->name, err);
    }
    if (!status)
        status = dpl_regions_pair(m->of_faces, m->faces, n, m->there, m->n_there, err);
    if (!status)
        status = dpl_regions_pair(m->of_there, m->there, m->n_there, m->tags, m->n_tags, err);
    if (!status)
        status =
            tags_alone ? merge_tags(m, packet, paired, err) : merge_mwg(m, packet, paired, err);
    free(paired);
    return status;
}

static void clear_merge(merge *m)
{
    free(m->faces);
    free(m->there);
    free(m->tags);
    free(m->of_faces);
    free(m->of_there);
    free(m->edits);
}

/* Who may read the photo may read who is in it: the programs that show it do. */
static dpl_status write_file(const char *path, const char *photo, const dpli_buf *content,
                             bool is_new, dpl_error *err)
{
    struct stat st;
    dpl_status status;

    if (is_new && stat(photo, &st) != 0)
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\" cannot be opened", photo);
    status = dpli_file_replace(path, content->data, content->len, err);
    if (!status && is_new && chmod(path, st.st_mode & 0666) != 0)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot set the mode of \"%s\"", path);
    return status;
}

dpl_status dpl_sidecar_write(dpl_sidecar_report *out, const char *path, const char *photo,
                             const dpl_photo_shape *shape, const dpl_region *faces, size_t n,
                             const dpl_sidecar_options *options, dpl_error *err)
{
    dpl_sidecar_options known = DPL_SIDECAR_OPTIONS_INIT;
    const bool sideways = shape->exif_orientation >= 5;
    dpl_status status = check_shape(shape, err);
    merge m = {.report = out};
    dpli_packet packet = {0};
    dpli_buf content = {0};
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    int32_t turn = shape->exif_orientation;

    *out = (dpl_sidecar_report){0};
    if (!status)
        status = dpli_options(&known, sizeof known, options, "sidecar", err);
    if (!status && !ends_in_suffix(path))
        status = dpli_fail(err, DPL_E_ARGUMENT, "\"%s\" is not called as a sidecar is", path);
    if (status)
        return status;
    m.overwrite = known.overwrite;
    status = read_file(&bytes, &n_bytes, path, err);
    if (!status && bytes)
        status = dpli_packet_read(&packet, bytes, n_bytes, err);
    if (!status)
        status = find_turn(&turn, &packet, shape, err);
    if (!status)
        status = plan(&m, &packet, faces, n, turn, err);
    if (!status && m.n_edits > 0)
        status = dpli_packet_edit(&content, bytes, n_bytes, m.edits, m.n_edits,
                                  sideways ? shape->height_px : shape->width_px,
                                  sideways ? shape->width_px : shape->height_px, err);
    if (status)
        status = dpli_fail_in(err, status, path);
    out->is_new = !status && !bytes && m.n_edits > 0;
    /* It names the file itself. */
    if (!status && m.n_edits > 0 && !known.dry_run)
        status = write_file(path, photo, &content, out->is_new, err);
    clear_merge(&m);
    dpli_packet_clear(&packet);
    dpli_buf_clear(&content);
    free(bytes);
    return status;
}
