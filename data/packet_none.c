/*
 * packet_none.c - packet.h where exempi or expat was not there to build with.
 */
#include "base/fail.h"
#include "data/packet.h"
#include "doppel/xmp.h"

bool dpl_xmp_is_built(void)
{
    return false;
}

static dpl_status refuse(dpl_error *err)
{
    return dpli_fail(err, DPL_E_ARGUMENT, "doppel was built without XMP (exempi and expat)");
}

dpl_status dpli_packet_read(dpli_packet *out, const uint8_t *bytes, size_t n, dpl_error *err)
{
    (void)bytes;
    (void)n;
    *out = (dpli_packet){0};
    return refuse(err);
}

dpl_status dpli_packet_descriptions(char ***texts, size_t *n_texts, const uint8_t *bytes, size_t n,
                                    dpl_error *err)
{
    (void)bytes;
    (void)n;
    (void)err;
    *texts = NULL;
    *n_texts = 0;
    return DPL_OK;
}

void dpli_packet_clear(dpli_packet *packet)
{
    *packet = (dpli_packet){0};
}

dpl_status dpli_packet_edit(dpli_buf *out, const uint8_t *bytes, size_t n, const dpli_edit *edits,
                            size_t n_edits, int32_t width, int32_t height, dpl_error *err)
{
    (void)out;
    (void)bytes;
    (void)n;
    (void)edits;
    (void)n_edits;
    (void)width;
    (void)height;
    return refuse(err);
}
