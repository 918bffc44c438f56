/* The answer of `query` as JSON, an object a photo. */
#ifndef DOPPEL_APP_ANSWER_QUERY_H
#define DOPPEL_APP_ANSWER_QUERY_H

#include <jansson.h>
#include <stdbool.h>

#include "doppel/doppel.h"

/* A photo and its answers. */
typedef struct query_facts {
    const dpl_pipeline *pipeline;
    const dpl_policy *policy;
    bool judges_pictures; /* whether the policy's threshold is of whole pictures, too */
    double min_fmr;       /* hits that strangers reach more often are left out; NaN: those that half
                             of all strangers reach */
    const char *name;     /* the photo as it was asked for */
    const dpl_photo *photo;
    const dpl_answer *answers; /* [n] */
    size_t n;
    json_t *doubts; /* of the references of who was named, lent; NULL: none */
} query_facts;

/**
 * What decides a search: by fmr, by threshold, or else so that strangers are named in the share
 * fpir of searches, of DPL_DEFAULT_FPIR where none of the three is given (NaN).
 *
 * @param[out] n_persons  who are compared; may be NULL
 * @retval DPL_E_ARGUMENT  a rate is asked for, min_fmr too, and the model has no calibration
 */
dpl_status query_policy(dpl_policy *out, int64_t *n_persons, dpl_gallery *gallery,
                        const dpl_pipeline *pipeline, double fmr, double fpir, double threshold,
                        double min_fmr, dpl_error *err);

/** People who match, the first of the candidates; of two one should not. */
size_t query_n_matches(const dpl_answer *answer);

/** Hits that min_fmr leaves: the best first ones, as rates rise down the list. */
size_t query_n_kept(const dpl_answer *answer, double min_fmr);
/** The same of candidates. */
size_t query_n_candidates(const dpl_answer *answer, double min_fmr);

/** Of a picture that is a copy of the one found, "same picture: mirrored, cropped to 64 %"; freed by
 * free(), NULL: no memory. */
char *query_copied(const dpl_answer_hit *hit);

/** doppel.query/1; NULL when there is no memory. */
json_t *query_json(const query_facts *f);

/** The same of a photo that cannot be answered. */
json_t *query_failure_json(const char *name, const dpl_error *err);

/** And of one in which a person is who was asked for. */
json_t *query_person_json(const char *person, const char *photo);

#endif
