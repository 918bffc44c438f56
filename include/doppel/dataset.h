/*
 * What to train on and to evaluate with: pictures, sentences, vectors or lists of codes, with
 * classes or as given pairs.
 *
 *     folder   every folder that directly holds pictures is a class, at any depth; its parent is
 *              the class's group (an alphabet's characters). Items of a class are in the order of
 *              their names: item k of each Omniglot character is drawer k.
 *     zip      as a folder; "file.zip" or "file.zip:inner/folder"
 *     list     CSV, or fields parted by tabs (TSV), a row an item or a pair; see below. Paths are
 *              relative to the list, or to root
 *     .npy     NumPy's array [n, dim] of vectors (float16, float32, float64, or whole numbers of 8,
 *              32 or 64 bits with a sign, or of 8 without; C order), classes in another file
 *     plain    items without classes (for distillation)
 *
 * A list of items has a header with a column of the items
 *
 *     pictures    path, file, filename, image, chip, picture or photo
 *     sentences   sentence, text, caption or question
 *     vectors     vector or attributes: numbers parted by blanks, or FILE.npy:ROW (rows from 0);
 *                 or every column that has no other meaning holds one number
 *     codes       codes or ids: whole numbers from 0, parted by blanks
 *
 * and label (or class, identity, person), and group if there is one: a class is then named
 * group/label. For calibration: stratum (or strata; several parted by ";") and role. split: with
 * the option split only its rows count. Without a header: TSV of two columns, sentence and class;
 * CSV of numbers only, vectors without classes.
 *
 * A list of pairs has a header with the columns a and b (or sentence1 and sentence2, question1 and
 * question2, sentence_a and sentence_b, text_a and text_b) and label (or same, score, grade,
 * similarity, is_duplicate, relatedness_score), and fold if there is one. The label is 1 (of one)
 * or 0 (of two), or a grade on the scale that the options say. a and b are pictures where the label
 * is called same, else sentences; kinds says otherwise. Pairs of two kinds have one column of
 * either, as above (picture and sentence, picture and attributes, sentence and codes); without a
 * column same, score, grade or similarity each row is a pair of one. Without a header: TSV of three
 * columns, a, b and label; of four, split, picture, number and sentence.
 *
 * In TSV a field in quotes is one as CSV has them where every field that begins with a quote is;
 * else quotes are letters. All of a list is right or it is refused, with the line.
 *
 * Everything is sorted bytewise, so that a run repeats on another machine; vectors stay in the
 * order of their rows, pairs in that of the list.
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
    DPL_ITEM_PICTURE = 0,  /* dpl_dataset_image */
    DPL_ITEM_SENTENCE = 1, /* dpl_dataset_sentence */
    DPL_ITEM_VECTOR = 2,   /* dpl_dataset_vector; all of a side have one length */
    DPL_ITEM_CODES = 3     /* dpl_dataset_codes: a short list of whole numbers */
} dpl_item_kind;

typedef struct dpl_dataset dpl_dataset;

typedef struct dpl_dataset_options {
    size_t struct_size;
    const char *root;  /* CSV: where its paths begin; NULL: its own folder */
    bool plain;        /* no classes */
    int32_t min_items; /* classes with fewer are left out; at least 1 */
    int32_t kinds[2];  /* a dpl_item_kind: of a list's items, of pairs either side's; -1: as the
                          list says */
    double scale_low, scale_high; /* of the grades of pairs; both 0: labels are 0 or 1 */
    const char *split;            /* of a list: only the rows of this split; NULL: all */
    const char *classes; /* vectors: a file with the class of every row, a text with one a line or
                            an array [n] of whole numbers in .npy; NULL: the column label */
} dpl_dataset_options;

#define DPL_DATASET_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(dpl_dataset_options), NULL, 0, 1, {-1, -1}, 0, 0, NULL, NULL                        \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_dataset_options_init(dpl_dataset_options *options, size_t struct_size);

/** @retval DPL_E_INPUT  path missing, nothing of the kind in it, or a list that is wrong; err names
 * it, and the line
 * @retval DPL_E_LIMIT  a sentence of more than 64 KiB, a list of more than 1024 codes, vectors of
 * more than 4 GiB in memory */
DPL_API dpl_status dpl_dataset_open(dpl_dataset **out, const char *path,
                                    const dpl_dataset_options *options, dpl_error *err);
DPL_API void dpl_dataset_close(dpl_dataset *d);

/** What the items are; of pairs of two kinds, those of the first side. */
DPL_API dpl_item_kind dpl_dataset_item_kind(const dpl_dataset *d);
DPL_API int32_t dpl_dataset_n_items(const dpl_dataset *d);
DPL_API int32_t dpl_dataset_n_classes(const dpl_dataset *d); /* 0 when plain */
DPL_API int32_t dpl_dataset_n_groups(const dpl_dataset *d);
/** A picture's path as given, a sentence itself, a vector's name ("row 0" where it has none), codes
 * as text. */
DPL_API const char *dpl_dataset_item_name(const dpl_dataset *d, int32_t item);
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
 * be told, or when it is no picture. Threads: any number at once. */
DPL_API uint64_t dpl_dataset_item_bytes(const dpl_dataset *d, int32_t item);
/**
 * A picture's file as it is, unpacked; freed by dpl_bytes_free. err names it.
 * @retval DPL_E_LIMIT  more than max_bytes, or than 64 MiB in a zip; told before memory is taken
 * Threads: any number at once.
 */
DPL_API dpl_status dpl_dataset_item_file(uint8_t **bytes, size_t *n_bytes, const dpl_dataset *d,
                                         int32_t item, size_t max_bytes, dpl_error *err);
/** Decode an item of kind DPL_ITEM_PICTURE, within the limits of DPL_DECODE_OPTIONS_INIT. Threads:
 * any number at once, each with its own memory. */
DPL_API dpl_status dpl_dataset_image(dpl_image *out, const dpl_dataset *d, int32_t item,
                                     dpl_error *err);
/** A sentence: UTF-8, not empty; NULL when the item is none. */
DPL_API const char *dpl_dataset_sentence(const dpl_dataset *d, int32_t item);
/** A vector's numbers, all finite, dpl_dataset_side_dim of them; NULL when the item is none. */
DPL_API const float *dpl_dataset_vector(const dpl_dataset *d, int32_t item);
/** A list's codes, from 0, and how many, at least 1; NULL and 0 when the item is none. */
DPL_API const int32_t *dpl_dataset_codes(const dpl_dataset *d, int32_t item, int32_t *n);

/* ------------------------------------------------------------------ given pairs */

/* A pair that a list gives. */
typedef struct dpl_given_pair {
    int32_t a, b; /* items: of the first and of the second side */
    float grade;  /* 0: of two, 1: of one; between: where on the scale */
    double given; /* as the list says it, on its scale */
    int32_t fold; /* of the column fold; -1: there is none */
    int32_t line; /* of the list, from 1 */
} dpl_given_pair;

/** How many pairs are given; 0 where items have classes or are plain. Data sets with pairs have no
 * classes. */
DPL_API int32_t dpl_dataset_n_pairs(const dpl_dataset *d);
/** Pair i, in the order of the list. */
DPL_API const dpl_given_pair *dpl_dataset_pair(const dpl_dataset *d, int32_t i);
/** Whether pairs have grades on a scale, not labels 0 and 1. */
DPL_API bool dpl_dataset_is_graded(const dpl_dataset *d);

/*
 * A pair's sides, 0 and 1. Items with the same bytes are one item, and sides of one kind share
 * their items; of two kinds the first side's come first. Without pairs both sides are all items.
 */
DPL_API dpl_item_kind dpl_dataset_side_kind(const dpl_dataset *d, int side);
/** Items of a side are neighbours: first, and how many. */
DPL_API int32_t dpl_dataset_side_items(const dpl_dataset *d, int side, int32_t *n);
/** Numbers of each vector; codes of the longest list; else 0. */
DPL_API int32_t dpl_dataset_side_dim(const dpl_dataset *d, int side);
/** One more than the largest code of a side; 0 where there are none. */
DPL_API int32_t dpl_dataset_side_codes(const dpl_dataset *d, int side);

/** The bytes of a file inside the zip or folder that is not a picture (Lake's class_labels.txt);
 * freed by the caller. */
DPL_API dpl_status dpl_dataset_file(uint8_t **bytes, size_t *n_bytes, const dpl_dataset *d,
                                    const char *name, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
