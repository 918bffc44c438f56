/* JSON for programs: one object a line on stdout. */
#ifndef DOPPEL_APP_JSON_H
#define DOPPEL_APP_JSON_H

#include <jansson.h>

#include "doppel/doppel.h"

/** A new object that begins with the command's schema. */
json_t *json_answer(const char *command);

/** Set a string whose bytes may be anything: what is not UTF-8 becomes U+FFFD. NULL: no key. */
void json_put_text(json_t *object, const char *key, const char *bytes);

/** Set a number; one that is not finite gets no key. */
void json_put_real(json_t *object, const char *key, double v);
void json_put_int(json_t *object, const char *key, int64_t v);
void json_put(json_t *object, const char *key, json_t *value); /* takes value */
void json_add(json_t *array, json_t *value);                   /* takes value */

/** "status": "OK" or the status's name, and the "reason" where there is one. */
void json_put_status(json_t *object, dpl_status status, const char *reason);

/** Model, metric, direction, and the thresholds that decide. */
void json_put_model(json_t *object, const dpl_pipeline *pipeline);
void json_put_policy(json_t *object, const dpl_policy *policy);

/** "decision", if one was made. */
void json_put_decision(json_t *object, dpl_decision decision);

/** "fmr": {"rate", "low", "high"} and "beyond" past the table's end. */
void json_put_rate(json_t *object, dpl_rate rate);

/** Box, landmarks, detector's score and quality of a face, with its number from 1. */
json_t *json_face(int32_t number, const dpl_face *face);

/** Print on a line of its own, flush, and let go. */
void json_print(json_t *object);

#endif
