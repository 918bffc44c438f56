/*
 * people.c - means of people, kept while nothing in the gallery changes.
 *
 * To compare with a person all their rows are read: of a hundred photos that takes longer than the
 * search. A slot for each of a few thousand ids, whoever comes last has it: enough for the people
 * of a home, and bounded for an archive. The gallery's generation, which every commit raises that
 * adds, removes or renames the owner of a vector, says when all of it is void; it is read before
 * the rows, so that what is kept is never of an earlier one.
 */
#include "index/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "index/calibration.h"
#include "index/gallery.h"

#define SLOTS 4096 /* a power of two */

typedef struct slot {
    int64_t person_id; /* 0: empty */
    dpli_person_templates templates;
} slot;

/* What the means hold for. */
typedef struct key {
    int64_t generation;
    char identity[DPLI_IDENTITY]; /* of the gallery */
    char model[65], cohort[65];   /* "": none */
    int32_t top;
    bool has_range;
    dpl_range range;
} key;

struct dpli_people {
    key key;
    slot slots[SLOTS];
};

static void clear(dpli_people *people)
{
    for (size_t i = 0; i < SLOTS; i++) {
        dpli_person_templates_clear(&people->slots[i].templates);
        people->slots[i].person_id = 0;
    }
}

static bool is_same(const key *a, const key *b)
{
    return a->generation == b->generation && strcmp(a->identity, b->identity) == 0 &&
           strcmp(a->model, b->model) == 0 && strcmp(a->cohort, b->cohort) == 0 &&
           a->top == b->top && a->has_range == b->has_range &&
           a->range.quality == b->range.quality && a->range.yaw_deg == b->range.yaw_deg &&
           a->range.too_poor == b->range.too_poor;
}

dpl_status dpli_people_open(dpli_people **out, dpl_gallery *gallery, const dpli_judge *judge,
                            const dpl_encoder *encoder, dpl_error *err)
{
    const dpl_calibration *calibration = judge->calibration;
    dpli_store *s = gallery->store;
    key now = {0};
    dpl_status status = s->ops->generation(s, &now.generation, now.identity, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    snprintf(now.model, sizeof now.model, "%s", dpl_encoder_hash(encoder));
    if (calibration) {
        snprintf(now.cohort, sizeof now.cohort, "%s", calibration->cohort_sha256);
        now.top = calibration->top;
        now.has_range = dpl_calibration_range(&now.range, calibration);
    }
    if (!gallery->people)
        gallery->people = dpli_calloc(1, sizeof *gallery->people, err);
    if (!gallery->people)
        return DPL_E_MEMORY;
    if (!is_same(&gallery->people->key, &now)) {
        clear(gallery->people);
        gallery->people->key = now;
    }
    *out = gallery->people;
    return DPL_OK;
}

void dpli_people_free(dpli_people *people)
{
    if (!people)
        return;
    clear(people);
    free(people);
}

const dpli_person_templates *dpli_people_find(const dpli_people *people, int64_t person_id)
{
    const slot *at = &people->slots[(uint64_t)person_id & (SLOTS - 1)];

    return at->person_id == person_id ? &at->templates : NULL;
}

void dpli_people_keep(dpli_people *people, int64_t person_id, dpli_person_templates *templates)
{
    slot *at = &people->slots[(uint64_t)person_id & (SLOTS - 1)];

    dpli_person_templates_clear(&at->templates);
    at->person_id = person_id;
    at->templates = *templates;
    *templates = (dpli_person_templates){0};
}
