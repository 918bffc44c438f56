/*
 * space.c - the table of spaces, and the numbers that the space of faces has beside its vectors.
 */
#include "index/space.h"

#include <string.h>

#include "base/buf.h"
#include "base/fail.h"

const dpli_space dpli_spaces[DPLI_N_SPACES] = {
    [DPLI_FACE_SPACE] = {"face", true, false},
    [DPLI_IMAGE_SPACE] = {"image", false, false},
    [DPLI_TEXT_SPACE] = {"text", false, true},
};

#define FACE_FIELD(column, member) {#column, offsetof(dpl_face, member)},

const dpli_face_field dpli_face_fields[DPLI_N_FACE] = {DPLI_FACE_LIST(FACE_FIELD)};

const dpli_space *dpli_space_find(const char *name)
{
    for (int i = 0; name && i < DPLI_N_SPACES; i++)
        if (strcmp(name, dpli_spaces[i].name) == 0)
            return &dpli_spaces[i];
    return NULL;
}

dpl_status dpli_space_need(const dpli_space **out, const char *name, dpl_error *err)
{
    dpli_buf names = {0};
    dpl_status status;

    *out = dpli_space_find(name);
    if (*out)
        return DPL_OK;
    for (int i = 0; i < DPLI_N_SPACES; i++)
        dpli_buf_printf(&names, "%s\"%s\"",
                        i == 0                  ? ""
                        : i < DPLI_N_SPACES - 1 ? ", "
                                                : " nor ",
                        dpli_spaces[i].name);
    status = dpli_buf_check(&names, err);
    if (status == DPL_OK)
        status = dpli_fail(err, DPL_E_ARGUMENT, "the space is neither %s", names.data);
    dpli_buf_clear(&names);
    return status;
}

bool dpli_face_is_known(const dpl_face *face)
{
    dpl_face copy = *face;
    bool known = face->quality.weakest[0] != '\0';

    for (int i = 0; i < DPLI_N_FACE; i++)
        known |= *dpli_face_at(&copy, i) != 0;
    return known;
}
