/* What is written about photos, into a gallery: found, encoded, kept as it is now. */
#ifndef DOPPEL_INDEX_CAPTIONS_H
#define DOPPEL_INDEX_CAPTIONS_H

#include "doppel/job.h"

typedef struct dpli_captioning dpli_captioning;

/**
 * Begin: bind the gallery to the encoder and read the list.
 *
 * @param list  pictures and sentences, as dpl_dataset_open reads them; NULL: none
 * @retval DPL_E_MISMATCH  the gallery's captions are another model's
 * @retval DPL_E_INPUT     the list; err names it
 */
dpl_status dpli_captioning_new(dpli_captioning **out, dpl_gallery *gallery,
                               const dpl_text_encoder *encoder, const char *list, int n_threads,
                               dpl_error *err);
void dpli_captioning_free(dpli_captioning *c);

/**
 * Bring what is kept of these photos up to what is written about them now: what is not written any
 * more goes, but for what a list said that is not given again. Photos that are not in the gallery,
 * or were refused, are passed over. One transaction, part of the change under way.
 *
 * @param changed  [n] whether the photo's file was read in this run; else what it carries itself is
 * not looked for again
 */
dpl_status dpli_captioning_photos(dpli_captioning *c, const char *const *paths, const bool *changed,
                                  size_t n, dpl_enroll_report *report, dpl_error *err);

/** Of the list's pictures, how many were among none of those, and the first of them. */
void dpli_captioning_unmatched(dpl_enroll_report *report, const dpli_captioning *c);

#endif
