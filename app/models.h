/* Where the models are. */
#ifndef DOPPEL_APP_MODELS_H
#define DOPPEL_APP_MODELS_H

#define MODEL_ENCODER  "face-105.onnx"
#define MODEL_DETECTOR "face-detect.onnx"

/**
 * Path of a model by its file name: in $DOPPEL_MODELS when that is set and nowhere else, else in
 * share/doppel/models beside the program's bin, else where doppel was installed.
 * Freed by free(); NULL when it is in none of them.
 */
char *models_find(const char *name);

/** The folders that models_find looks in, as one line. Freed by free(). */
char *models_places(void);

#endif
