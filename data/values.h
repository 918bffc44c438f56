/* Items of a list that are numbers: vectors and codes. */
#ifndef DOPPEL_DATA_VALUES_H
#define DOPPEL_DATA_VALUES_H

#include "data/list.h"

/** A number in full: digits, sign, point, exponent, nothing around it; not finite when it is too
 * large, or "nan" or "inf". */
bool dpli_read_number(double *out, const char *text);

/** Blanks to one each, none at the ends: as much text as the values say. */
void dpli_squeeze(char *text);

/**
 * Read the values of f, whose name is their text, squeezed and not empty: of vectors numbers or
 * FILE.npy:ROW, of codes whole numbers. Vectors of a list have the length of the first. Errors do
 * not name the line.
 * @param dim  of the vectors before, 0: none yet
 */
dpl_status dpli_read_values(dpli_found *f, dpli_list *list, dpl_item_kind kind, int32_t *dim,
                            dpl_error *err);

#endif
