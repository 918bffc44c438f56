/*
 * Statuses and messages.
 *
 * A dpl_status says what the caller should do; a dpl_error says what to tell the user. Every
 * function that can fail returns a status and takes an optional dpl_error as its last parameter.
 * The error is the caller's memory, is written only on failure, and needs no freeing.
 */
#ifndef DOPPEL_ERROR_H
#define DOPPEL_ERROR_H

#include "doppel/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pinned: numbers never change meaning. X(number, name, words, exit code of the program). */
#define DPL_STATUS_LIST(X)                                                                         \
    X(0, OK, "ok", 0)                                                                              \
    X(1, E_ARGUMENT, "invalid argument", 2)                                                        \
    X(2, E_INPUT, "input not usable", 3)                                                           \
    X(3, E_LIMIT, "input over a limit", 3)                                                         \
    X(4, E_NO_FACE, "no face found", 3)                                                            \
    X(5, E_MANY_FACES, "several faces where one is needed", 3)                                     \
    X(6, E_QUALITY, "face too poor", 3)                                                            \
    X(7, E_NUMERIC, "non-finite or empty result", 3)                                               \
    X(8, E_MODEL, "model not usable", 4)                                                           \
    X(9, E_GALLERY, "gallery not usable", 4)                                                       \
    X(10, E_LOCKED, "gallery in use", 4)                                                           \
    X(11, E_MISMATCH, "model and gallery do not belong together", 4)                               \
    X(12, E_NOT_FOUND, "not found", 1)                                                             \
    X(13, E_MEMORY, "out of memory", 5)                                                            \
    X(14, E_SYSTEM, "system error", 5)                                                             \
    X(15, E_CANCELLED, "interrupted", 130)                                                         \
    X(16, E_BUG, "internal error", 70)                                                             \
    X(17, E_NO_PERSON, "no such person", 4)

typedef enum dpl_status {
#define DPL_STATUS_ENUM(number, name, words, exit_code) DPL_##name = number,
    DPL_STATUS_LIST(DPL_STATUS_ENUM)
#undef DPL_STATUS_ENUM
} dpl_status;

typedef struct dpl_error {
    dpl_status status;
    char message[508]; /* UTF-8 as far as the names in it are; lower case, no full stop */
} dpl_error;

/** The status in a few lower-case words, never NULL. */
DPL_API const char *dpl_status_words(dpl_status status);

/** The status's pinned name without prefix ("E_NO_FACE"), for logs and JSON; never NULL. */
DPL_API const char *dpl_status_name(dpl_status status);

/** The exit code that the program gives for this status (0, 1, 2, 3, 4, 5, 70, 130). */
DPL_API int dpl_status_exit_code(dpl_status status);

#ifdef __cplusplus
}
#endif

#endif
