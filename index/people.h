/* What a gallery's people are compared as, kept from one query to the next. */
#ifndef DOPPEL_INDEX_PEOPLE_H
#define DOPPEL_INDEX_PEOPLE_H

#include "index/person.h"

/* A gallery handle's; used by its thread only. */
typedef struct dpli_people dpli_people;

/**
 * The gallery's, emptied when its templates have changed since, or when it was of another encoder,
 * range or cohort. By cosine only: by other heads a person is not one vector.
 */
dpl_status dpli_people_open(dpli_people **out, dpl_gallery *gallery, const dpli_judge *judge,
                            const dpl_encoder *encoder, dpl_error *err);
void dpli_people_free(dpli_people *people);

/** NULL when it is not kept. Borrowed until the next call on people. */
const dpli_person_templates *dpli_people_find(const dpli_people *people, int64_t person_id);

/** Keep them, in the place of somebody else's where need be; *templates is empty afterwards. */
void dpli_people_keep(dpli_people *people, int64_t person_id, dpli_person_templates *templates);

#endif
