/*
 * record.c - the sum that a row of a gallery carries of its own content.
 *
 * Numbers are taken as little-endian 64 bits, strings with their end, so that no two rows that
 * differ give the same bytes. The same whichever database keeps the row.
 */
#include "index/record.h"

#include <string.h>

#include "base/hash.h"

const char *const dpli_numbered_names[DPLI_N_NUMBERED] = {
    [DPLI_PERSON_IDS] = "person",
    [DPLI_PHOTO_IDS] = "photo",
    [DPLI_TEMPLATE_IDS] = "template",
};

static uint64_t add_ints(uint64_t sum, const int64_t *values, size_t n)
{
    return dpli_sum64(sum, values, n * sizeof *values);
}

static uint64_t add_string(uint64_t sum, const char *s)
{
    return dpli_sum64(sum, s, strlen(s) + 1);
}

uint64_t dpli_person_sum(const char *name)
{
    return add_string(0, name);
}

uint64_t dpli_photo_sum(const dpli_photo_record *r)
{
    const int64_t numbers[] = {r->person_id, r->status,          r->size_bytes,
                               r->mtime_ns,  r->enrolled_unix_s, r->width_px,
                               r->height_px, r->n_faces,         r->meant != NULL};
    uint64_t sum = add_ints(0, numbers, sizeof numbers / sizeof numbers[0]);

    sum = add_string(sum, r->uri);
    sum = add_string(sum, r->sha256);
    sum = add_string(sum, r->reason);
    sum = add_string(sum, r->options);
    return add_string(sum, r->meant ? r->meant : "");
}

uint64_t dpli_vector_sum(const dpli_vector_record *r)
{
    /* All vectors are summed whenever an index is made: one call, the numbers in its seed. */
    const uint64_t seed = (uint64_t)r->photo_id * 0x9E3779B97F4A7C15U + (uint64_t)r->model_id;

    return dpli_sum64(seed, r->bytes, r->n_bytes);
}

uint64_t dpli_face_sum(int64_t template_id, const double face[DPLI_N_FACE], const char *weakest)
{
    float numbers[DPLI_N_FACE];

    for (int i = 0; i < DPLI_N_FACE; i++)
        numbers[i] = (float)face[i];
    return add_string(dpli_sum64(add_ints(0, &template_id, 1), numbers, sizeof numbers), weakest);
}

uint64_t dpli_thumb_sum(int64_t template_id, const void *bytes, size_t n)
{
    return dpli_sum64(add_ints(0, &template_id, 1), bytes, n);
}

uint64_t dpli_caption_sum(int64_t template_id, const char *source, const char *caption)
{
    return add_string(add_string(add_ints(0, &template_id, 1), source), caption);
}

uint64_t dpli_owner_sum(const dpli_owner_record *r)
{
    const int64_t numbers[] = {r->template_id, r->person_id, r->by_hand};

    return add_ints(0, numbers, sizeof numbers / sizeof numbers[0]);
}

uint64_t dpli_file_sum(const dpli_file_record *r)
{
    const int64_t numbers[] = {r->photo_id, r->file_system, r->unreadable_since_unix_s, r->status};

    return add_string(add_ints(0, numbers, sizeof numbers / sizeof numbers[0]), r->reason);
}

uint64_t dpli_alias_sum(const dpli_alias_record *r)
{
    return add_string(add_ints(0, &r->person_id, 1), r->name);
}

uint64_t dpli_refusal_sum(const dpli_refusal_record *r)
{
    const int64_t numbers[] = {r->template_id, r->person_id, r->other_id};

    return add_ints(0, numbers, sizeof numbers / sizeof numbers[0]);
}

uint64_t dpli_member_sum(const dpli_member_record *r)
{
    const int64_t numbers[] = {r->template_id, r->group_number};

    return add_ints(0, numbers, sizeof numbers / sizeof numbers[0]);
}

uint64_t dpli_audit_sum(const dpli_audit_record *r)
{
    const int64_t numbers[] = {r->change, r->log_id, r->made_unix_s, r->last_n};
    uint64_t sum = add_ints(0, numbers, sizeof numbers / sizeof numbers[0]);

    sum = add_string(sum, r->user);
    sum = add_string(sum, r->what);
    sum = add_string(sum, r->facts);
    return add_string(sum, r->last_hash);
}
