/*
 * avif.c - one AV1 picture, as AVIF keeps it, to planes, by dav1d.
 *
 * dav1d refuses frames larger than it is told to take, and gives out only pictures that it decoded
 * whole. Memory for pictures is ours, of the size that the container says: one, and one more for
 * film grain.
 */
#include "vision/image/heif.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dav1d/dav1d.h>

#include "base/fail.h"
#include "base/mem.h"

enum { MAX_PICTURES = 2 };

struct memory {
    const dpli_coded *coded;
    size_t n_bytes; /* of a picture, at most */
    int n_pictures;
    uint8_t fill;
    bool out_of_memory;
};

/* Bytes of a picture with that many bits and samples: sides of whole 128. */
static uint64_t picture_bytes(uint32_t w, uint32_t h, bool deep, bool mono, int halved_x,
                              int halved_y)
{
    const uint64_t aw = ((uint64_t)w + 127) / 128 * 128, ah = ((uint64_t)h + 127) / 128 * 128;
    const uint64_t light = (aw + 64) * ah;

    return (light + (mono ? 0 : 2 * (((aw >> halved_x) + 64) * (ah >> halved_y)))) *
               (deep ? 2 : 1) +
           256;
}

/* AV1CodecConfigurationRecord: marker and version, profile and level, then in one byte tier, more
 * than 8 bits, 12 bits, monochrome, subsampling across and down. */
static uint64_t planned_bytes(const dpli_coded *coded)
{
    const uint8_t how = coded->n_config >= 4 ? coded->config[2] : 0;

    return picture_bytes(coded->width_px, coded->height_px, how & 0x40, how & 0x10, how >> 3 & 1,
                         how >> 2 & 1);
}

static uint64_t need(const dpli_coded *coded, dpl_error *err)
{
    if (coded->n_config < 4 || coded->config[0] != 0x81) {
        dpli_fail(err, DPL_E_INPUT, "broken AVIF: its configuration makes no sense");
        return 0;
    }
    /* The pictures, and what is known of each block of 4x4. */
    return MAX_PICTURES * planned_bytes(coded) +
           ((uint64_t)coded->width_px / 4 + 32) * ((uint64_t)coded->height_px / 4 + 32) * 16 +
           1024 * ((uint64_t)coded->width_px + 128) + 2 * 1024 * 1024;
}

static int alloc_picture(Dav1dPicture *picture, void *cookie)
{
    struct memory *memory = cookie;
    const Dav1dPictureParameters *p = &picture->p;
    const bool mono = p->layout == DAV1D_PIXEL_LAYOUT_I400, deep = p->bpc > 8;
    const int halved_x =
        p->layout == DAV1D_PIXEL_LAYOUT_I420 || p->layout == DAV1D_PIXEL_LAYOUT_I422;
    const int halved_y = p->layout == DAV1D_PIXEL_LAYOUT_I420;
    const size_t aw = ((size_t)p->w + 127) / 128 * 128, ah = ((size_t)p->h + 127) / 128 * 128;
    /* Not a multiple of what a cache folds together. */
    const size_t stride = (aw + 64) << deep, colour_stride = ((aw >> halved_x) + 64) << deep;
    uint8_t *bytes;

    if (memory->n_pictures >= MAX_PICTURES || p->w != (int)memory->coded->width_px ||
        p->h != (int)memory->coded->height_px ||
        picture_bytes((uint32_t)p->w, (uint32_t)p->h, deep, mono, halved_x, halved_y) >
            memory->n_bytes)
        return DAV1D_ERR(EINVAL);
    bytes = dpli_alloc_aligned(memory->n_bytes, 1, NULL);
    if (!bytes) {
        memory->out_of_memory = true;
        return DAV1D_ERR(ENOMEM);
    }
    memset(bytes, memory->fill, memory->n_bytes);
    picture->stride[0] = (ptrdiff_t)stride;
    picture->stride[1] = mono ? 0 : (ptrdiff_t)colour_stride;
    picture->data[0] = picture->allocator_data = bytes;
    picture->data[1] = mono ? NULL : bytes + stride * ah;
    picture->data[2] = mono ? NULL : bytes + stride * ah + colour_stride * (ah >> halved_y);
    memory->n_pictures++;
    return 0;
}

static void release_picture(Dav1dPicture *picture, void *cookie)
{
    struct memory *memory = cookie;

    free(picture->allocator_data);
    memory->n_pictures--;
}

static void keep(const uint8_t *bytes, void *cookie)
{
    (void)bytes;
    (void)cookie;
}

/* The first picture of the data: 0, or an error of dav1d's. */
static int run(Dav1dPicture *picture, Dav1dContext *decoder, const dpli_coded *coded)
{
    Dav1dData data = {0};
    int code = dav1d_data_wrap(&data, coded->data, coded->n_data, keep, NULL);

    while (code == 0 && data.sz > 0) {
        code = dav1d_send_data(decoder, &data);
        if (code == DAV1D_ERR(EAGAIN))
            code = 0;
        if (code == 0) {
            code = dav1d_get_picture(decoder, picture);
            if (code == 0)
                break;
            if (code == DAV1D_ERR(EAGAIN))
                code = 0;
        }
    }
    dav1d_data_unref(&data);
    if (code == 0 && !picture->data[0])
        code = dav1d_get_picture(decoder, picture);
    return code;
}

static dpl_status decode(const dpli_coded *coded, uint8_t fill,
                         void (*take)(void *to, const dpli_planes *planes), void *to,
                         dpl_error *err)
{
    struct memory memory = {.coded = coded, .n_bytes = planned_bytes(coded), .fill = fill};
    Dav1dSettings settings;
    Dav1dContext *decoder = NULL;
    Dav1dPicture picture = {0};
    dpl_status status = DPL_OK;
    int code;

    if (coded->n_data == 0)
        return dpli_fail(err, DPL_E_INPUT, "damaged: no picture in its data");
    dav1d_default_settings(&settings);
    settings.n_threads = 1;
    settings.max_frame_delay = 1;
    settings.all_layers = 0;
    settings.frame_size_limit = coded->width_px * coded->height_px;
    settings.allocator = (Dav1dPicAllocator){&memory, alloc_picture, release_picture};
    settings.logger.callback = NULL;
    if (dav1d_open(&decoder, &settings) != 0)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the AVIF decoder");
    code = run(&picture, decoder, coded);
    if (memory.out_of_memory || code == DAV1D_ERR(ENOMEM))
        status = dpli_fail(err, DPL_E_MEMORY, "out of memory in the AVIF decoder");
    else if (code != 0)
        status = dpli_fail(err, DPL_E_INPUT,
                           "damaged: its data make no picture of the size that it says");
    else {
        dpli_planes planes = {
            .width_px = (uint32_t)picture.p.w,
            .height_px = (uint32_t)picture.p.h,
            .bits = picture.p.bpc,
            .has_colour = picture.p.layout != DAV1D_PIXEL_LAYOUT_I400,
            .halved_x = picture.p.layout == DAV1D_PIXEL_LAYOUT_I420 ||
                        picture.p.layout == DAV1D_PIXEL_LAYOUT_I422,
            .halved_y = picture.p.layout == DAV1D_PIXEL_LAYOUT_I420,
            .plane = {picture.data[0], picture.data[1], picture.data[2]},
            .stride_bytes = {picture.stride[0], picture.stride[1], picture.stride[1]},
            .matrix = (int)picture.seq_hdr->mtrx,
            .full_range = picture.seq_hdr->color_range,
        };

        take(to, &planes);
    }
    dav1d_picture_unref(&picture);
    dav1d_close(&decoder);
    return status;
}

const dpli_codec dpli_avif_codec = {"av01", "av1C", "AVIF", need, decode};
