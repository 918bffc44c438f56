/*
 * limits.c - what every decoder must keep to: how many pixels, how much memory, how little of a
 * broken file is still a photo.
 */
#include "vision/image/limits.h"

#include <ctype.h>
#include <stdio.h>

#include "base/fail.h"

enum { MAX_SIDE_PX = 65535 };

dpl_status dpli_check_pixels(uint64_t width_px, uint64_t height_px,
                             const dpl_decode_options *options, dpl_error *err)
{
    const uint64_t limit = options->max_pixels;

    if (width_px == 0 || height_px == 0)
        return dpli_fail(err, DPL_E_INPUT, "image is %llux%llu pixels",
                         (unsigned long long)width_px, (unsigned long long)height_px);
    if (width_px > MAX_SIDE_PX || height_px > MAX_SIDE_PX)
        return dpli_fail(err, DPL_E_LIMIT, "image is %llux%llu pixels, limit is %d a side",
                         (unsigned long long)width_px, (unsigned long long)height_px, MAX_SIDE_PX);
    if (width_px * height_px > limit)
        return limit % 1000000 == 0 && limit
                   ? dpli_fail(err, DPL_E_LIMIT,
                               "image is %llux%llu pixels, limit is %llu megapixels (--max-pixels)",
                               (unsigned long long)width_px, (unsigned long long)height_px,
                               (unsigned long long)(limit / 1000000))
                   : dpli_fail(err, DPL_E_LIMIT,
                               "image is %llux%llu pixels, limit is %llu pixels (--max-pixels)",
                               (unsigned long long)width_px, (unsigned long long)height_px,
                               (unsigned long long)limit);
    return DPL_OK;
}

uint64_t dpli_need(uint64_t n_decoding, uint64_t n_pixels, bool turns)
{
    const uint64_t n_turning = turns ? 2 * 3 * n_pixels : 0;

    return n_decoding > n_turning ? n_decoding : n_turning;
}

dpl_status dpli_check_bytes(uint64_t n_decoding, uint64_t w, uint64_t h, int32_t orientation,
                            const dpl_decode_options *options, dpl_error *err)
{
    const uint64_t need = dpli_need(n_decoding, w * h, orientation > 1);

    /* Rounded up, so that the two numbers differ. */
    if (need > options->max_bytes)
        return dpli_fail(
            err, DPL_E_LIMIT, "decoding needs %.1f MiB, limit is %.1f MiB (--max-memory)",
            (double)((need * 10 + 1048575) / 1048576) / 10, (double)options->max_bytes / 1048576);
    return DPL_OK;
}

unsigned dpli_reduce(int32_t *w, int32_t *h, int32_t enough_px)
{
    for (int32_t by = 8; by > 1 && enough_px > 0; by /= 2) {
        const int32_t scaled_w = (*w + by - 1) / by, scaled_h = (*h + by - 1) / by;

        if ((scaled_w > scaled_h ? scaled_w : scaled_h) >= enough_px) {
            *w = scaled_w;
            *h = scaled_h;
            return (unsigned)by;
        }
    }
    return 1;
}

dpl_status dpli_judge_partial(char warning[160], bool cut, int32_t there, int32_t all,
                              const char *unit, const char *reason, dpl_error *err)
{
    const char *what = cut ? "truncated" : "damaged";

    if (there < all / 8 + (all % 8 != 0))
        return dpli_fail(err, DPL_E_INPUT, "%s: %d of %d %s are there", what, there, all, unit);
    if (there < all)
        snprintf(warning, 160, "%s: %d of %d %s are there", what, there, all, unit);
    else
        snprintf(warning, 160, "%s: %c%s", what, tolower((unsigned char)reason[0]), reason + 1);
    return DPL_OK;
}
