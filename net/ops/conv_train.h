/* Convolution, forward for training and back. */
#ifndef DOPPEL_NET_OPS_CONV_TRAIN_H
#define DOPPEL_NET_OPS_CONV_TRAIN_H

#include "net/tape.h"

extern const dpli_trained dpli_conv_trained;

#endif
