/* What a model is called. */
#ifndef DOPPEL_APP_MODEL_NAME_H
#define DOPPEL_APP_MODEL_NAME_H

#include "doppel/net.h"

/** The name that a model gives itself, "model" when it gives none. Borrowed from it. */
const char *model_name(const dpl_net *net);

#endif
