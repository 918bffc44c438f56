/*
 * fuzz_xmp.c - any bytes as a sidecar: it is refused with a reason, or its faces have areas and
 * names; and then a face can be added, which is there when that is read again, with all others.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/packet.h"
#include "fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void check(const dpli_packet_face *faces, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fuzz_require(dpli_is_utf8(faces[i].name) && isfinite(faces[i].x) && isfinite(faces[i].y) &&
                     faces[i].w > 0 && faces[i].h > 0 && faces[i].index > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    const dpli_edit edits[] = {{DPLI_EDIT_ADD, 0, "Ann", 0.1, 0.2, 0.3, 0.4, true}};
    uint8_t *bytes = malloc(n_bytes + 1);
    dpl_error err = {DPL_OK, ""};
    dpli_packet packet, again;
    dpli_buf out = {0};

    fuzz_require(bytes != NULL);
    memcpy(bytes, data, n_bytes);
    bytes[n_bytes] = '\0';
    if (dpli_packet_read(&packet, bytes, n_bytes, &err) != DPL_OK) {
        fuzz_require(err.message[0] != '\0');
        free(bytes);
        return 0;
    }
    check(packet.mwg, packet.n_mwg);
    check(packet.microsoft, packet.n_microsoft);
    if (dpli_packet_edit(&out, bytes, n_bytes, edits, 1, 400, 300, &err) == DPL_OK) {
        fuzz_require(dpli_packet_read(&again, (uint8_t *)out.data, out.len, &err) == DPL_OK);
        fuzz_require(again.n_mwg == packet.n_mwg + 1 && again.n_microsoft == packet.n_microsoft &&
                     again.n_others == packet.n_others);
        fuzz_require(strcmp(again.mwg[packet.n_mwg].name, "Ann") == 0 &&
                     again.mwg[packet.n_mwg].is_own);
        for (size_t i = 0; i < packet.n_mwg; i++)
            fuzz_require(strcmp(again.mwg[i].name, packet.mwg[i].name) == 0);
        dpli_packet_clear(&again);
    } else {
        fuzz_require(err.message[0] != '\0');
    }
    dpli_buf_clear(&out);
    dpli_packet_clear(&packet);
    free(bytes);
    return 0;
}
