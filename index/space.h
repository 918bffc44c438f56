/*
 * Spaces: what kinds of vectors there are, what each is of, how it is decided and which columns it
 * has. A new kind of vector is a row of this table; nothing else compares a space's name.
 */
#ifndef DOPPEL_INDEX_SPACE_H
#define DOPPEL_INDEX_SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "doppel/face.h"

enum { DPLI_FACE_SPACE, DPLI_IMAGE_SPACE, DPLI_TEXT_SPACE, DPLI_N_SPACES };

typedef struct dpli_space {
    const char *name; /* in the database, in exports, of the snapshot's file */
    bool is_face;     /* one vector is of a face, told with its box, landmarks, quality; else of a
                         whole picture, or of a text about it */
    bool is_text; /* one vector is of a text, told with it: not of what the photo's file holds */
} dpli_space;
extern const dpli_space dpli_spaces[DPLI_N_SPACES];

/** The row of this name; NULL when name is NULL or none's. */
const dpli_space *dpli_space_find(const char *name);
/** Where it stands in the table. */
static inline int dpli_space_number(const dpli_space *space)
{
    return (int)(space - dpli_spaces);
}
/** The row of this name, else DPL_E_ARGUMENT with the names that there are. */
dpl_status dpli_space_need(const dpli_space **out, const char *name, dpl_error *err);

/* ------------------------------------------------------------------ faces */

/* The numbers of a dpl_face, in the order of columns and of an export's keys. */
#define DPLI_FACE_LIST(X)                                                                          \
    X(x_px, x_px)                                                                                  \
    X(y_px, y_px)                                                                                  \
    X(w_px, w_px)                                                                                  \
    X(h_px, h_px)                                                                                  \
    X(score, score)                                                                                \
    X(eye_1_x_px, landmarks[0].x_px)                                                               \
    X(eye_1_y_px, landmarks[0].y_px)                                                               \
    X(eye_2_x_px, landmarks[1].x_px)                                                               \
    X(eye_2_y_px, landmarks[1].y_px)                                                               \
    X(nose_x_px, landmarks[2].x_px)                                                                \
    X(nose_y_px, landmarks[2].y_px)                                                                \
    X(mouth_1_x_px, landmarks[3].x_px)                                                             \
    X(mouth_1_y_px, landmarks[3].y_px)                                                             \
    X(mouth_2_x_px, landmarks[4].x_px)                                                             \
    X(mouth_2_y_px, landmarks[4].y_px)                                                             \
    X(quality, quality.overall)                                                                    \
    X(size_px, quality.size_px)                                                                    \
    X(sharpness, quality.sharpness)                                                                \
    X(brightness, quality.brightness)                                                              \
    X(contrast, quality.contrast)                                                                  \
    X(yaw_deg, quality.yaw_deg)                                                                    \
    X(pitch_deg, quality.pitch_deg)                                                                \
    X(roll_deg, quality.roll_deg)                                                                  \
    X(detector, quality.detector)

#define DPLI_FACE_COUNT(column, member) +1
enum { DPLI_N_FACE = 0 DPLI_FACE_LIST(DPLI_FACE_COUNT) };

typedef struct dpli_face_field {
    const char *name;
    size_t offset; /* of a float in dpl_face */
} dpli_face_field;
extern const dpli_face_field dpli_face_fields[DPLI_N_FACE];

static inline float *dpli_face_at(dpl_face *face, int i)
{
    return (float *)((char *)face + dpli_face_fields[i].offset);
}

/** Whether anything is said of where a vector was taken from: then there is a row of it. */
bool dpli_face_is_known(const dpl_face *face);

#endif
