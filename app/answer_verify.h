/* The answer of `verify` as JSON. */
#ifndef DOPPEL_APP_ANSWER_VERIFY_H
#define DOPPEL_APP_ANSWER_VERIFY_H

#include <jansson.h>
#include <stdbool.h>

#include "doppel/doppel.h"

/* What two photos, or a photo and a claim, came to. */
typedef struct verify_facts {
    const dpl_pipeline *pipeline;
    const dpl_policy *policy;
    const dpl_verdict *verdict;
    const char *name_a, *name_b; /* as they were asked for; of a claim, name_b is the person */
    const dpl_photo *a, *b;      /* b NULL: a claim */
    const char *template_photo;  /* of a claim: the person's photo that is most like */
    json_t *doubts;              /* of the person's references, lent; NULL: none */
    const char *rival;           /* of a claim: somebody else who matches; NULL: nobody */
    bool same_file;              /* both are one file, or the photo is one of the person's own */
} verify_facts;

/** doppel.verify/1; NULL when there is no memory. */
json_t *verify_json(const verify_facts *f);

#endif
