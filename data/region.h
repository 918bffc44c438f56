/* Areas of faces: between a photo as stored and upright. */
#ifndef DOPPEL_DATA_REGION_H
#define DOPPEL_DATA_REGION_H

#include <stdint.h>

/* Left, top, width, height, as parts of a picture. */
typedef struct dpli_area {
    double x, y, w, h;
} dpli_area;

/** An area of the photo as stored, in the photo turned upright by an EXIF orientation (1..8). */
dpli_area dpli_area_upright(dpli_area stored, int32_t orientation);

/** The inverse. */
dpli_area dpli_area_stored(dpli_area upright, int32_t orientation);

#endif
