/* Vectors of pictures by an encoder that is not trained, made once. */
#ifndef DOPPEL_TRAIN_PICTURE_VECTORS_H
#define DOPPEL_TRAIN_PICTURE_VECTORS_H

#include "base/team.h"
#include "doppel/dataset.h"
#include "doppel/face.h"

typedef struct dpli_picture_vectors dpli_picture_vectors;

/** Of the pictures of one side of a data set's pairs, taken whole, as they are.
 * @param[in] limits  for decoding, of all threads together
 * @param warn        told of each picture that cannot be read: it has no vector */
dpl_status dpli_picture_vectors_new(dpli_picture_vectors **out, const dpl_dataset *data, int side,
                                    const dpl_encoder *encoder, const dpl_decode_options *limits,
                                    dpli_team *team, void (*warn)(void *ctx, const char *text),
                                    void *ctx, dpl_error *err);
void dpli_picture_vectors_free(dpli_picture_vectors *v);
int32_t dpli_picture_vectors_dim(const dpli_picture_vectors *v);
size_t dpli_picture_vectors_bytes(const dpli_picture_vectors *v);

/** Of this item, [dim]; NULL when it could not be read, or is of another side. */
const float *dpli_picture_vector(const dpli_picture_vectors *v, int32_t item);

#endif
