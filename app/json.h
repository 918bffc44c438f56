/*
 * json.h - answers as JSON objects: what they are built with, and the parts that several have.
 *
 * A builder starts with json_answer or json_object, puts, and returns the object. A put that finds
 * no memory lets go of *object and makes it NULL; later puts then do nothing, so it is looked at
 * once, at the end. Nothing here ends the program, prints, or knows of a command's options.
 */
#ifndef DOPPEL_APP_JSON_H
#define DOPPEL_APP_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "doppel/doppel.h"

/** A new object that begins with the command's schema. */
json_t *json_answer(const char *command);

/** What a command says that cannot give its answer: schema "doppel.error/1", command, status, exit,
 * message. */
json_t *json_error(const char *command, dpl_status status, const char *message);
json_t *json_failure(const char *command, const dpl_error *err);

/** Set a value, which is taken; NULL is the failure of who made it. */
void json_put(json_t **object, const char *key, json_t *value);
void json_add(json_t **array, json_t *value);

/** json_dumps, which without memory may leave out a name and go on: this is all of it, or NULL.
 * Freed by free(). */
char *json_text(const json_t *json, size_t flags);

/** Set a string whose bytes may be anything: what is not UTF-8 becomes U+FFFD. NULL: no key. */
void json_put_text(json_t **object, const char *key, const char *bytes);

/** Set a number; one that is not finite gets no key. */
void json_put_real(json_t **object, const char *key, double v);
void json_put_int(json_t **object, const char *key, int64_t v);
void json_put_bool(json_t **object, const char *key, bool v);

/** "status": "OK" or the status's name, and the "reason" where there is one. */
void json_put_status(json_t **object, dpl_status status, const char *reason);

/** A model's name and its hashes: of the file, of the net in it, and of what its vectors are (NULL:
 * none). */
void json_put_net(json_t **object, const char *key, const dpl_net *net, const char *vectors);
/** The same of an encoder. */
void json_put_encoder(json_t **object, const char *key, const dpl_encoder *encoder);

/** Models, metric, direction, and the thresholds that decide. */
void json_put_model(json_t **object, const dpl_pipeline *pipeline);
void json_put_policy(json_t **object, const dpl_policy *policy);

/** "calibration": whose it is and what it was measured on, where there is one. */
void json_put_calibration(json_t **object, const dpl_pipeline *pipeline);

/** The same of any calibration, from where that was. */
void json_put_measured(json_t **object, const dpl_calibration *calibration, const char *from);

/** A comparison: score, "normalised" and "evidence" where the calibration has them, "faces" and
 * "times" where they are not the usual, "fmr", "fnmr". */
void json_put_comparison(json_t **object, const dpl_calibration *calibration,
                         const dpl_comparison *comparison);

/** "decision", if one was made. */
void json_put_decision(json_t **object, dpl_decision decision);

/** "fmr": {"rate", "low", "high"} and "beyond" past the table's end. */
void json_put_rate(json_t **object, dpl_rate rate);

/** How many of each status but DPL_OK that occurs, by the statuses' names. */
void json_put_statuses(json_t **object, const char *key, const int64_t *n_by_status);

/** Box, landmarks, detector's score and quality of a face, with its number from 1. */
json_t *json_face(int32_t number, const dpl_face *face);

#endif
