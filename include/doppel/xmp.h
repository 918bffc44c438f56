/*
 * Names of faces in and out of sidecars: XMP files beside photos, with face regions as the Metadata
 * Working Group (MWG) describes them and digiKam, Lightroom, immich and PhotoPrism read them. The
 * photo itself is never touched.
 *
 * A region's area is relative to the photo as it is stored, before any EXIF orientation (MWG 2.0,
 * section 5.9). Here areas are always of the upright photo: they are turned on the way in and out.
 */
#ifndef DOPPEL_XMP_H
#define DOPPEL_XMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/gallery.h"
#include "doppel/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whether sidecars can be read and written: XMP is optional when doppel is built. Where it is not,
 * the functions below that need it end with DPL_E_ARGUMENT. */
DPL_API bool dpl_xmp_is_built(void);

/* ------------------------------------------------------------------ regions */

typedef struct dpl_region {
    char *name;        /* UTF-8; "": not named */
    double x, y, w, h; /* left, top, width, height, as parts of the upright photo */
    bool is_own;       /* when read: doppel wrote this name, and nobody has changed it since */
} dpl_region;

/* What a sidecar says of faces. */
typedef struct dpl_regions {
    dpl_region *items; /* [n], in the order of the file */
    size_t n;
    size_t n_unusable; /* faces whose area or name is none */
    size_t n_others;   /* regions of something else: pets, points of focus, bar codes */
    bool is_microsoft; /* from Microsoft's people tags, as there are no MWG regions */
} dpl_regions;

#define DPL_REGIONS_INIT                                                                           \
    {                                                                                              \
        NULL, 0, 0, 0, false                                                                       \
    }

DPL_API void dpl_regions_clear(dpl_regions *regions);

/* How a photo lies in its file. */
typedef struct dpl_photo_shape {
    int32_t width_px, height_px; /* upright */
    int32_t exif_orientation;    /* 1..8, as dpl_image_orientation gives it */
} dpl_photo_shape;

/**
 * Which areas are of one face: the centre of each lies in the other, and they share at least 0.15
 * of their union. So two boxes of one face are paired though one includes hair and chin and the
 * other does not, and neighbours are not. Of several, those that share most.
 *
 * @param[out] of  [n_a]: which of b, or -1; none of b is paired twice
 * @retval DPL_E_MEMORY
 */
DPL_API dpl_status dpl_regions_pair(int32_t *of, const dpl_region *a, size_t n_a,
                                    const dpl_region *b, size_t n_b, dpl_error *err);

/* ------------------------------------------------------------------ sidecars */

/**
 * The sidecar of a photo: PHOTO.EXT.xmp ("a.jpg.xmp"), or PHOTO.xmp ("a.xmp") where only that is
 * there; to be written, only if no other file of that name ("a.cr2") shares it.
 *
 * @param[out] path      freed by dpl_bytes_free
 * @param[out] is_there  something of that name is there
 */
DPL_API dpl_status dpl_sidecar_find(char **path, bool *is_there, const char *photo, bool to_write,
                                    dpl_error *err);

/**
 * Read the faces in a sidecar: MWG regions of the type Face, or where there are none Microsoft's
 * people tags.
 *
 * Regions say the size of the photo that they were made on. Where that is the photo as stored, or
 * nothing is said, areas are taken as the guideline has them; where it is the size of the upright
 * photo and that is another, as of that.
 *
 * @param[out] out  filled on success (clear with dpl_regions_clear), empty on failure
 * @retval DPL_E_INPUT     not XMP, a link, or its regions are of a photo of another shape; err
 * names the file
 * @retval DPL_E_LIMIT     over 16 MiB, or over a limit on elements, depth or regions
 * @retval DPL_E_ARGUMENT  built without XMP
 * Threads: any number, of which one works at a time.
 */
DPL_API dpl_status dpl_sidecar_read(dpl_regions *out, const char *path,
                                    const dpl_photo_shape *shape, dpl_error *err);

typedef struct dpl_sidecar_options {
    size_t struct_size;
    bool overwrite; /* names that others gave to the same faces, too */
    bool dry_run;   /* only report */
} dpl_sidecar_options;

#define DPL_SIDECAR_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(dpl_sidecar_options), false, false                                                  \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_sidecar_options_init(dpl_sidecar_options *options, size_t struct_size);

/* What became of the faces. */
typedef struct dpl_sidecar_report {
    size_t n_added, n_renamed;
    size_t n_same;    /* there already, under this name */
    size_t n_kept;    /* there under a name that somebody else gave, which stays */
    size_t n_removed; /* doppel's own, of faces that are nobody's now */
    bool is_new;      /* the sidecar was not there */
} dpl_sidecar_report;

/**
 * Bring the named faces of a photo into its sidecar, atomically; what else is in it stays.
 *
 * A face that has a region there (dpl_regions_pair) gets no second one: where that has no name, or
 * one that doppel wrote, it gets the face's; another name stays, unless options->overwrite. A
 * region that doppel wrote and nobody has changed goes when its face is not among the faces. Where
 * Microsoft's people tags are there, they follow. A new sidecar has the photo's mode.
 *
 * @param path   of the sidecar, as dpl_sidecar_find gives it
 * @param photo  beside which it lies
 * @param faces  [n], each with a name
 * @retval DPL_E_INPUT   a name is not UTF-8 or holds what XML cannot; the sidecar is not XMP, a
 *                       link, or of a photo of another shape. Nothing was written
 * @retval DPL_E_SYSTEM  it cannot be written
 */
DPL_API dpl_status dpl_sidecar_write(dpl_sidecar_report *out, const char *path, const char *photo,
                                     const dpl_photo_shape *shape, const dpl_region *faces,
                                     size_t n, const dpl_sidecar_options *options, dpl_error *err);

/* ------------------------------------------------------------------ a gallery's names */

/* What became of a region that was read. */
typedef enum dpl_region_fate {
    DPL_REGION_NAMED = 0,   /* its face is now the person's */
    DPL_REGION_SAME = 1,    /* it was already */
    DPL_REGION_KEPT = 2,    /* the gallery says otherwise, which stays */
    DPL_REGION_NO_FACE = 3, /* the gallery has no face there */
    DPL_REGION_UNNAMED = 4  /* it names nobody */
} dpl_region_fate;

/* One photo's result. Strings and arrays live until the callback returns. */
typedef struct dpl_xmp_event {
    const char *photo, *sidecar; /* sidecar NULL: the photo could not be looked at */
    dpl_status status;
    const char *message;               /* "", or why nothing was done */
    const dpl_sidecar_report *written; /* by dpl_xmp_write; NULL: nothing */
    const dpl_regions *regions;        /* by dpl_xmp_read, and */
    const dpl_region_fate *fates;      /* [regions->n]; NULL: nothing */
    int64_t n_done, n_total;
} dpl_xmp_event;

typedef struct dpl_xmp_options {
    size_t struct_size;
    bool overwrite; /* written: names that others gave; read: names that somebody gave by hand */
    bool dry_run;   /* report all of it, and change nothing */
    dpl_decode_options decode;
    const volatile int *cancel; /* may be NULL; raised by dpl_cancel: finish the photo in hand */
    void (*on_event)(void *ctx, const dpl_xmp_event *event); /* caller's thread; may be NULL */
    void *ctx;
} dpl_xmp_options;

#define DPL_XMP_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(dpl_xmp_options), false, false, DPL_DECODE_OPTIONS_INIT, NULL, NULL, NULL           \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_xmp_options_init(dpl_xmp_options *options, size_t struct_size);

typedef struct dpl_xmp_report {
    int64_t n_photos;  /* looked at: with named faces or a sidecar when writing, with a sidecar when
                          reading */
    int64_t n_refused; /* of them, those whose status is not DPL_OK */
    int64_t n_sidecars_new, n_sidecars_changed;            /* written */
    int64_t n_added, n_renamed, n_removed, n_same, n_kept; /* regions, as in dpl_sidecar_report */
    int64_t n_named, n_no_face, n_unnamed;                 /* read, beside n_same and n_kept */
    int64_t n_not_enrolled; /* photos with a sidecar that are not in the gallery; not of n_photos */
    dpl_status worst;       /* of the photos' statuses */
    double seconds;
} dpl_xmp_report;

/**
 * Write the names of faces into the sidecars of their photos, by dpl_sidecar_write: all named faces
 * of each photo that is there and unchanged since it was enrolled. A photo without named faces is
 * looked at only if it has a sidecar, from which what doppel wrote before then goes.
 *
 * @param persons, paths  of these people's photos, and those at or below these absolute paths; none
 *                        of either: of all photos
 * @retval DPL_E_NOT_FOUND  the gallery has no such person, or no photo there; err names it
 * @retval DPL_E_CANCELLED  stopped on request; what was done stays
 * Any photo's own failure is reported in its event and in report->worst, not returned.
 */
DPL_API dpl_status dpl_xmp_write(dpl_xmp_report *report, dpl_gallery *gallery,
                                 const char *const *persons, size_t n_persons,
                                 const char *const *paths, size_t n_paths,
                                 const dpl_xmp_options *options, dpl_error *err);

/**
 * Read names from the sidecars of photos: a face of the gallery that a region is of
 * (dpl_regions_pair) becomes, by hand, the person's whom the region names. All of it is one change.
 *
 * A face's own name stays where somebody gave it by hand, or has said that it is not this person,
 * unless options->overwrite; and where the region is what doppel itself wrote before.
 *
 * @param paths  photos, and folders that are walked as dpl_enroll does
 * @retval DPL_E_INPUT      a path that is not there; err names it
 * @retval DPL_E_CANCELLED  stopped on request; what was done is committed
 * Any photo's own failure is reported in its event and in report->worst, not returned.
 */
DPL_API dpl_status dpl_xmp_read(dpl_xmp_report *report, dpl_gallery *gallery,
                                const char *const *paths, size_t n_paths,
                                const dpl_xmp_options *options, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
