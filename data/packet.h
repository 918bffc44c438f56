/*
 * The regions in an XMP packet, as they stand there: read, and edited with all else kept. Whole
 * operations on bytes; what the regions mean is sidecar.c's.
 */
#ifndef DOPPEL_DATA_PACKET_H
#define DOPPEL_DATA_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "doppel/error.h"

/* Limits of what is looked at. The largest sidecars of editors that keep their whole history are of
   some MiB. */
enum {
    DPLI_PACKET_BYTES = 16 << 20,
    DPLI_PACKET_DEPTH = 100,    /* of elements in each other: exempi goes into them recursively */
    DPLI_PACKET_NODES = 200000, /* elements, attributes and declared namespaces */
    DPLI_PACKET_FIELDS = 2048,  /* properties of one structure, or of all: exempi compares each
                                   with all that came before */
    DPLI_PACKET_REGIONS = 10000,
    DPLI_PACKET_NAME_BYTES = 4096,
    DPLI_PACKET_DESCRIPTIONS = 16 /* languages of one */
};

/* A face, its area by its top left corner, in parts of the picture that the packet speaks of. */
typedef struct dpli_packet_face {
    char *name;
    double x, y, w, h;
    int32_t index; /* in its list, from 1 */
    bool is_own;   /* doppel wrote its name, which is still that */
} dpli_packet_face;

typedef struct dpli_packet {
    dpli_packet_face *mwg, *microsoft; /* MWG regions of faces; Microsoft's people tags */
    size_t n_mwg, n_microsoft;
    size_t n_unusable, n_unusable_microsoft, n_others;
    double width, height; /* what MWG regions were applied to; 0: not said */
} dpli_packet;

/**
 * @param bytes  [n], and a NUL after them
 * @retval DPL_E_INPUT  not XMP; DPL_E_LIMIT  over a limit above
 */
dpl_status dpli_packet_read(dpli_packet *out, const uint8_t *bytes, size_t n, dpl_error *err);
void dpli_packet_clear(dpli_packet *packet);

/**
 * What a packet says that the photo shows (dc:description), in all its languages; none where it does
 * not say. Of two of which one is "x-default", exempi takes that for both.
 *
 * @param[out] texts  [*n_texts], each and the array free()d by the caller; NULL after a failure
 * @param bytes       [n], and a NUL after them
 */
dpl_status dpli_packet_descriptions(char ***texts, size_t *n_texts, const uint8_t *bytes, size_t n,
                                    dpl_error *err);

typedef enum dpli_edit_kind {
    DPLI_EDIT_NAME,      /* of the MWG region at index */
    DPLI_EDIT_REMOVE,    /* the MWG region at index */
    DPLI_EDIT_ADD,       /* an MWG region */
    DPLI_EDIT_NAME_TAG,  /* of Microsoft's tag at index */
    DPLI_EDIT_REMOVE_TAG /* Microsoft's tag at index */
} dpli_edit_kind;

typedef struct dpli_edit {
    dpli_edit_kind kind;
    int32_t index;
    const char *name;  /* borrowed */
    double x, y, w, h; /* of what is added */
    bool is_own;       /* the name is to be known for doppel's */
} dpli_edit;

/**
 * Edit a packet. Indexes are those of what was read.
 *
 * @param bytes          [n], and a NUL after them; NULL: of a new packet
 * @param width, height  what is added was applied to, where the packet does not say yet
 */
dpl_status dpli_packet_edit(dpli_buf *out, const uint8_t *bytes, size_t n, const dpli_edit *edits,
                            size_t n_edits, int32_t width, int32_t height, dpl_error *err);

#endif
