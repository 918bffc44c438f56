/* What a gallery holds of a person, as it is compared. */
#ifndef DOPPEL_INDEX_PERSON_H
#define DOPPEL_INDEX_PERSON_H

#include "doppel/gallery.h"
#include "index/compare.h"

typedef struct dpli_person_templates {
    int64_t n_templates; /* of the judge's encoder */
    int64_t n_compared;  /* of them: the fair ones; where there are none, all that are not too poor;
                            and else all */
    bool foreign;        /* there are templates of another model */
    float *mean;         /* [dim] of unit length, of those compared; NULL: each is compared */
    dpli_side side;      /* of the mean, or of the best */
    float *best;         /* [dim], of those compared the most like the probe; NULL without one */
    int64_t best_id;     /* its row; 0 without */
    float best_score;    /* NaN without */
} dpli_person_templates;

/**
 * Read them.
 *
 * By cosine they are compared as one, their mean, which one poor or wrong reference does not turn
 * and of which a stranger has one chance however many there are. By other heads a mean says nothing
 * about distances, and the best decides at a rate that counts them.
 *
 * @param space, model_hash, dim  of the encoder; other models' rows are passed over
 * @param probe  [dim], for the best; NULL: none is wanted, possible with a mean only
 * @retval DPL_E_ARGUMENT  and no probe where there must be one
 * Nobody of this name is DPL_OK with n_templates 0. Cleared by dpli_person_templates_clear, also
 * after a failure.
 */
dpl_status dpli_person_templates_read(dpli_person_templates *out, dpl_gallery *gallery,
                                      const dpli_judge *judge, const char *person,
                                      const char *space, const char *model_hash, int32_t dim,
                                      const float *probe, dpl_error *err);
void dpli_person_templates_clear(dpli_person_templates *templates);

/** Compare with them; n_compared is not 0. */
dpl_comparison dpli_compare_person(const dpli_judge *judge, const dpli_side *probe,
                                   const dpli_person_templates *templates);

/** Compare two people by their means; by cosine only, n_compared of neither is 0. */
dpl_comparison dpli_compare_people(const dpli_judge *judge, const dpli_person_templates *a,
                                   const dpli_person_templates *b);

#endif
