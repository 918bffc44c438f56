/* audit.h - a line for each change of the gallery that came through the server. */
#ifndef DOPPEL_SERVE_AUDIT_H
#define DOPPEL_SERVE_AUDIT_H

#include "serve/server.h"

/**
 * Write a line to audit.jsonl in the gallery's folder: when, what, by which token (its number; 0:
 * none was asked for), on how many photos and faces.
 *
 * No name, path or hash is in it: whoever is forgotten is not to be found in it, either.
 */
void audit_change(const desk *d, const http_request *r, const char *action, int64_t n_photos,
                  int64_t n_faces);

#endif
