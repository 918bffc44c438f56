/*
 * common_face.h - a face of a photo in the gallery, as it is written on the command line: PHOTO,
 * where it shows one, or PHOTO#N, N from 1 in the order in which `doppel info PHOTO` lists them. A
 * file whose own name ends so wins.
 */
#ifndef DOPPEL_APP_COMMON_FACE_H
#define DOPPEL_APP_COMMON_FACE_H

#include "app/common.h"

/* A face of a photo. */
typedef struct common_face {
    int64_t template_id, person_id; /* person_id 0: nobody's */
    char *person;                   /* NULL: nobody's */
    bool by_hand;
    dpl_face face;
} common_face;

/* A photo of the gallery with its faces. */
typedef struct common_faces {
    int64_t photo_id;
    char *path;         /* as the ledger has it */
    common_face *items; /* [n], in the order of their numbers */
    size_t n;
    size_t number; /* of the face that was named, from 1; 0: only the photo was */
} common_faces;

/**
 * Look a photo, or a face of it, up.
 *
 * @param typed  PHOTO or PHOTO#N
 * @return 0, or an exit code after a message: the photo is not in the gallery, or has no such face
 * Cleared by common_faces_clear, also after a failure.
 */
int common_find_faces(common_faces *out, const command *self, const common *o, dpl_gallery *gallery,
                      const char *typed);

/** The same, where one face is meant: *out is one of faces->items. Of a photo that shows several
 * all are told, and the exit code is that of several faces. */
int common_find_face(const common_face **out, common_faces *faces, const command *self,
                     const common *o, dpl_gallery *gallery, const char *typed);

void common_faces_clear(common_faces *faces);

/** A face as it can be typed, from here and quoted for a shell where need be: 'my photo.jpg#2'; of
 * the only one of a photo without its number. number 0: the photo. Freed by free(). */
char *common_face_typed(const char *path, size_t number, size_t n);

/** A word quoted for a shell where need be; one that begins with '-' gets a "./" when it is a path.
 * Freed by free(). */
char *common_quoted(const char *word);

#endif
