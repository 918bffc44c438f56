/*
 * utf8.c - UTF-8 (RFC 3629, section 4), shortest form only.
 */
#include "base/utf8.h"

size_t dpli_utf8_next(uint32_t *point, const char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)s;
    const size_t n = byte[0] < 0x80             ? 1
                     : (byte[0] & 0xe0) == 0xc0 ? 2
                     : (byte[0] & 0xf0) == 0xe0 ? 3
                     : (byte[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
    uint32_t c = n == 1 ? byte[0] : byte[0] & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (byte[i] & 0x3fu);
    }
    if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *point = c;
    return n;
}

bool dpli_is_utf8(const char *s)
{
    uint32_t point;

    while (*s) {
        const size_t n = dpli_utf8_next(&point, s);

        if (n == 0)
            return false;
        s += n;
    }
    return true;
}

bool dpli_utf8_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe007f);
}
