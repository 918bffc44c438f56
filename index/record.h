/*
 * Rows of a gallery as a database keeps them, whichever database it is; and the sum that each
 * carries of its own content. What comes out of a database is hostile until it was checked.
 */
#ifndef DOPPEL_INDEX_RECORD_H
#define DOPPEL_INDEX_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/space.h"

/* The tables whose ids never come back. */
typedef enum dpli_numbered {
    DPLI_PERSON_IDS,
    DPLI_PHOTO_IDS,
    DPLI_TEMPLATE_IDS,
    DPLI_N_NUMBERED
} dpli_numbered;
extern const char *const dpli_numbered_names[DPLI_N_NUMBERED];

typedef struct dpli_person_record {
    int64_t id;
    const char *name;
    int64_t n_photos, n_templates; /* where they were asked for */
    uint64_t sum;
} dpli_person_record;

/* What is known of a photo's file beside its content; a photo of which nothing is has no such row.
 */
typedef struct dpli_file_record {
    int64_t photo_id;
    int64_t file_system;             /* that it was on when it was last read; 0: not known */
    int64_t unreadable_since_unix_s; /* 0: it could be read when it was last looked for */
    int64_t status;                  /* why not */
    const char *reason;              /* "" when it could be read */
    uint64_t sum;
} dpli_file_record;

typedef struct dpli_photo_record {
    int64_t id, person_id;    /* whose the photo as a whole is; 0: nobody's */
    dpli_person_record owner; /* read only; name is NULL when nobody's */
    dpli_file_record file;    /* read only; photo_id is 0 when there is no such row */
    const char *uri, *sha256, *reason, *options;
    const char *meant; /* whose a refused photo was to be; NULL when not known, and of others */
    int64_t status, size_bytes, mtime_ns, enrolled_unix_s, width_px, height_px, n_faces;
    uint64_t sum;
} dpli_photo_record;

/* Whose a template is: its own person, whosever the photo is. A template of nobody's has no such
   row. */
typedef struct dpli_owner_record {
    int64_t template_id, person_id;
    bool by_hand; /* somebody has said so, and enrolling the photo again does not change it */
    uint64_t sum;
} dpli_owner_record;

/* A name that means a person beside the one they have. */
typedef struct dpli_alias_record {
    int64_t id, person_id;
    const char *name;
    uint64_t sum;
} dpli_alias_record;

/* What a template is not, as somebody has said: this person, or the person of that template. One of
   person_id and other_id is 0. */
typedef struct dpli_refusal_record {
    int64_t id, template_id, person_id, other_id;
    uint64_t sum;
} dpli_refusal_record;

/* A template in a group of nobody's faces, by the number that people see. */
typedef struct dpli_member_record {
    int64_t template_id, group_number;
    uint64_t sum;
} dpli_member_record;

/* A vector alone, as a search needs it. */
typedef struct dpli_vector_record {
    int64_t id, photo_id, model_id;
    dpli_owner_record owner; /* read only; person_id 0: nobody's */
    const void *bytes;       /* little-endian float32, aligned to nothing */
    size_t n_bytes;
    uint64_t sum;
} dpli_vector_record;

typedef struct dpli_template_record {
    dpli_vector_record vector;
    dpli_photo_record photo;        /* read only */
    dpli_person_record person;      /* the vector's owner; name NULL: nobody. Read only */
    const char *space, *model_hash; /* read only */
    int64_t dim;                    /* the model's. Read only */
    bool has_face;
    double face[DPLI_N_FACE]; /* in the order of dpli_face_fields */
    const char *weakest;
    uint64_t face_sum;
    const void *thumb; /* NULL: none */
    size_t n_thumb;
    uint64_t thumb_sum;
    const char *caption, *caption_source; /* of a text; NULL: none */
    uint64_t caption_sum;
} dpli_template_record;

/* What the audit still has to be told, or was told last: a change that is over or under way. */
typedef struct dpli_audit_record {
    int64_t change; /* numbers changes, from 1 */
    int64_t log_id; /* of the change in the log, whose rows are counted; 0: facts says it all */
    int64_t made_unix_s;
    const char *user, *what;
    const char *facts;     /* further members of the line: a JSON object */
    int64_t last_n;        /* the audit's last line when the change began; 0: there was none */
    const char *last_hash; /* "" when there was none */
    uint64_t sum;
} dpli_audit_record;

/* The sums: XXH64 of what a row says, without its own id (the sums of a template's face,
   thumbnail and caption take the template's). They find a damaged disk, not an attacker. */
uint64_t dpli_person_sum(const char *name);
uint64_t dpli_photo_sum(const dpli_photo_record *r);
uint64_t dpli_vector_sum(const dpli_vector_record *r);
/** Numbers count as float32. */
uint64_t dpli_face_sum(int64_t template_id, const double face[DPLI_N_FACE], const char *weakest);
uint64_t dpli_thumb_sum(int64_t template_id, const void *bytes, size_t n);
uint64_t dpli_caption_sum(int64_t template_id, const char *source, const char *caption);
uint64_t dpli_owner_sum(const dpli_owner_record *r);
uint64_t dpli_file_sum(const dpli_file_record *r);
uint64_t dpli_alias_sum(const dpli_alias_record *r);
uint64_t dpli_refusal_sum(const dpli_refusal_record *r);
uint64_t dpli_member_sum(const dpli_member_record *r);
uint64_t dpli_audit_sum(const dpli_audit_record *r);

#endif
