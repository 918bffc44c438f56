/*
 * Pictures to train on and to evaluate with: a folder per class, a CSV, or a zip read in place.
 *
 *     folder   every folder that directly holds pictures is a class, at any depth; its parent is
 *              the class's group (an alphabet's characters). Items of a class are in the order of
 *              their names: item k of each Omniglot character is drawer k.
 *     CSV      a header with the columns path (or file, filename, image, chip) and label (or class,
 *              identity, person), and group if there is one: a class is then named group/label;
 *              paths are relative to the CSV, or to root. For calibration: stratum (or strata;
 *              several parted by ";") and role
 *     zip      as a folder; "file.zip" or "file.zip:inner/folder"
 *     plain    all pictures below a folder, without classes (for distillation)
 *
 * Everything is sorted bytewise, so that a run repeats on another machine.
 */
#ifndef DOPPEL_DATASET_H
#define DOPPEL_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the items of a dataset are. */
typedef enum dpl_item_kind {
    DPL_ITEM_PICTURE = 0 /* dpl_dataset_image */
} dpl_item_kind;

typedef struct dpl_dataset dpl_dataset;

typedef struct dpl_dataset_options {
    size_t struct_size;
    const char *root;  /* CSV: where its paths begin; NULL: its own folder */
    bool plain;        /* no classes */
    int32_t min_items; /* classes with fewer are left out; at least 1 */
} dpl_dataset_options;

#define DPL_DATASET_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(dpl_dataset_options), NULL, 0, 1                                                    \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_dataset_options_init(dpl_dataset_options *options, size_t struct_size);

/** @retval DPL_E_INPUT  path missing, or no picture in it; err names it */
DPL_API dpl_status dpl_dataset_open(dpl_dataset **out, const char *path,
                                    const dpl_dataset_options *options, dpl_error *err);
DPL_API void dpl_dataset_close(dpl_dataset *d);

DPL_API dpl_item_kind dpl_dataset_item_kind(const dpl_dataset *d); /* all are of one kind */
DPL_API int32_t dpl_dataset_n_items(const dpl_dataset *d);
DPL_API int32_t dpl_dataset_n_classes(const dpl_dataset *d); /* 0 when plain */
DPL_API int32_t dpl_dataset_n_groups(const dpl_dataset *d);
DPL_API const char *dpl_dataset_item_name(const dpl_dataset *d, int32_t item); /* path as given */
DPL_API const char *dpl_dataset_class_name(const dpl_dataset *d, int32_t cls);
DPL_API const char *dpl_dataset_group_name(const dpl_dataset *d, int32_t group);
DPL_API int32_t dpl_dataset_class_of(const dpl_dataset *d, int32_t item);
/** What a CSV's columns stratum and role say of an item; "" where they say nothing. */
DPL_API const char *dpl_dataset_stratum_of(const dpl_dataset *d, int32_t item);
DPL_API const char *dpl_dataset_role_of(const dpl_dataset *d, int32_t item);
DPL_API int32_t dpl_dataset_group_of(const dpl_dataset *d, int32_t cls);
/** Items of a class are neighbours: first, and how many. */
DPL_API int32_t dpl_dataset_class_items(const dpl_dataset *d, int32_t cls, int32_t *n);
/** The class, or item, of this name; -1. */
DPL_API int32_t dpl_dataset_find_class(const dpl_dataset *d, const char *name);
DPL_API int32_t dpl_dataset_find_item(const dpl_dataset *d, const char *name);

/** Bytes of an item's file, unpacked, to decide whether there is memory for it; 0 when that cannot
 * be told. Threads: any number at once. */
DPL_API uint64_t dpl_dataset_item_bytes(const dpl_dataset *d, int32_t item);
/**
 * An item's file as it is, unpacked; freed by dpl_bytes_free. err names it.
 * @retval DPL_E_LIMIT  more than max_bytes, or than 64 MiB in a zip; told before memory is taken
 * Threads: any number at once.
 */
DPL_API dpl_status dpl_dataset_item_file(uint8_t **bytes, size_t *n_bytes, const dpl_dataset *d,
                                         int32_t item, size_t max_bytes, dpl_error *err);
/** Decode an item of kind DPL_ITEM_PICTURE, within the limits of DPL_DECODE_OPTIONS_INIT. Threads:
 * any number at once, each with its own memory. */
DPL_API dpl_status dpl_dataset_image(dpl_image *out, const dpl_dataset *d, int32_t item,
                                     dpl_error *err);
/** The bytes of a file inside the zip or folder that is not a picture (Lake's class_labels.txt);
 * freed by the caller. */
DPL_API dpl_status dpl_dataset_file(uint8_t **bytes, size_t *n_bytes, const dpl_dataset *d,
                                    const char *name, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
