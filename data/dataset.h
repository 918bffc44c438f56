/* What jobs over a data set's items need beyond its public face. */
#ifndef DOPPEL_DATA_DATASET_H
#define DOPPEL_DATA_DATASET_H

#include "doppel/dataset.h"

/** Put before a message where an item is: its path, in a zip its name. Returns status. */
dpl_status dpli_fail_in_item(dpl_error *err, dpl_status status, const dpl_dataset *d, int32_t item);

#endif
