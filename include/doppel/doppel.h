/* Everything: include this one. */
#ifndef DOPPEL_DOPPEL_H
#define DOPPEL_DOPPEL_H

#include "doppel/audit.h"
#include "doppel/calibrate.h"
#include "doppel/cancel.h"
#include "doppel/copies.h"
#include "doppel/dataset.h"
#include "doppel/encryption.h"
#include "doppel/error.h"
#include "doppel/eval.h"
#include "doppel/face.h"
#include "doppel/gallery.h"
#include "doppel/group.h"
#include "doppel/image.h"
#include "doppel/job.h"
#include "doppel/migrate.h"
#include "doppel/models.h"
#include "doppel/net.h"
#include "doppel/photos.h"
#include "doppel/score.h"
#include "doppel/sketch.h"
#include "doppel/text.h"
#include "doppel/train.h"
#include "doppel/version.h"
#include "doppel/xmp.h"

#endif
