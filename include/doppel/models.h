/* The models that come with doppel: what they are called, and where they are. */
#ifndef DOPPEL_MODELS_H
#define DOPPEL_MODELS_H

#include "doppel/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DPL_MODEL_ENCODER       "face-105.onnx"       /* of faces */
#define DPL_MODEL_ENCODER_LARGE "face-105-large.onnx" /* of faces: fewer errors, twice the work */
#define DPL_MODEL_DETECTOR      "face-detect.onnx"    /* of faces */
#define DPL_MODEL_IMAGE         "image-105.onnx"      /* of whole pictures */
#define DPL_MODEL_SENTENCE      "sentence-256.onnx"   /* of English, for DPL_MODEL_IMAGE */

/**
 * Find a model that comes with doppel.
 *
 * In $DOPPEL_MODELS where that is set, and then nowhere else. Otherwise in share/doppel/models
 * beside the bin that holds the running program, beside the lib that holds this library, and last
 * where doppel was installed when it was built.
 *
 * @param[out] path  freed by dpl_bytes_free
 * @param      name  the file's, as DPL_MODEL_ENCODER
 * @retval DPL_E_MODEL  it is in none of these; err names them
 * Threads: any, as long as none changes the environment.
 */
DPL_API dpl_status dpl_models_find(char **path, const char *name, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif
