/* LSTM and GRU, forward for training and back. */
#ifndef DOPPEL_NET_OPS_RECURRENT_TRAIN_H
#define DOPPEL_NET_OPS_RECURRENT_TRAIN_H

#include "net/tape.h"

extern const dpli_trained dpli_recurrent_trained;

#endif
