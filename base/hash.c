/*
 * hash.c - SHA-256 (FIPS 180-4, section 6.2), with the processor's own instructions where it has
 * them, and XXH64 (the xxHash specification, version 0.1.1) as the fast sum.
 */
#include "base/hash.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void blocks_portable(uint32_t state[8], const uint8_t *p, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, p += 64) {
        uint32_t w[64];
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

        for (int t = 0; t < 16; t++)
            w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 |
                   (uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3];
        for (int t = 16; t < 64; t++) {
            uint32_t x = w[t - 15], y = w[t - 2];

            w[t] = (rotate_right(y, 17) ^ rotate_right(y, 19) ^ y >> 10) + w[t - 7] +
                   (rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3) + w[t - 16];
        }
        for (int t = 0; t < 64; t++) {
            uint32_t t1 = h + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                          ((e & f) ^ (~e & g)) + k256[t] + w[t];
            uint32_t t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
                          ((a & b) ^ (a & c) ^ (b & c));

            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + t2;
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

#if defined(__x86_64__)
/* The SHA instructions keep the state as (A,B,E,F) and (C,D,G,H), and do two rounds at a time. */
__attribute__((target("sha,sse4.1"))) static void blocks_sha_ni(uint32_t state[8], const uint8_t *p,
                                                                size_t n_blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 0)), 0xB1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(dcba, hgfe, 8);
    __m128i cdgh = _mm_blend_epi16(hgfe, dcba, 0xF0);

    for (; n_blocks > 0; n_blocks--, p += 64) {
        const __m128i abef0 = abef, cdgh0 = cdgh;
        __m128i w[4];

        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), big_endian);
        for (int i = 0; i < 16; i++) {
            /* w[i % 4] holds the words 4i .. 4i+3; from them and the three next come 4i+16 .. */
            __m128i now = w[i % 4];
            __m128i wk = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(k256 + 4 * i)));

            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0E));
            if (i < 12) {
                __m128i next = _mm_sha256msg1_epu32(now, w[(i + 1) % 4]);

                next = _mm_add_epi32(next, _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
                w[i % 4] = _mm_sha256msg2_epu32(next, w[(i + 3) % 4]);
            }
        }
        abef = _mm_add_epi32(abef, abef0);
        cdgh = _mm_add_epi32(cdgh, cdgh0);
    }
    dcba = _mm_blend_epi16(_mm_shuffle_epi32(abef, 0x1B), _mm_shuffle_epi32(cdgh, 0xB1), 0xF0);
    hgfe = _mm_alignr_epi8(_mm_shuffle_epi32(cdgh, 0xB1), _mm_shuffle_epi32(abef, 0x1B), 8);
    _mm_storeu_si128((__m128i *)(state + 0), dcba);
    _mm_storeu_si128((__m128i *)(state + 4), hgfe);
}

static int has_sha_ni(void)
{
    /* 0 not asked yet, 1 no, 2 yes. Whoever asks twice gets the same answer. */
    static atomic_int known;
    int answer = atomic_load_explicit(&known, memory_order_relaxed);

    if (!answer) {
        unsigned a, b = 0, c, d;

        answer = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) &&
                         __builtin_cpu_supports("sse4.1")
                     ? 2
                     : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}
#endif

static void blocks(uint32_t state[8], const uint8_t *p, size_t n_blocks)
{
#if defined(__x86_64__)
    if (has_sha_ni()) {
        blocks_sha_ni(state, p, n_blocks);
        return;
    }
#endif
    blocks_portable(state, p, n_blocks);
}

void dpli_sha256_init(dpli_sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(s->state, start, sizeof start);
    s->n_bytes = 0;
}

void dpli_sha256_add(dpli_sha256 *s, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t held = s->n_bytes % 64;

    if (n == 0)
        return;
    s->n_bytes += n;
    if (held) {
        size_t take = n < 64 - held ? n : 64 - held;

        memcpy(s->block + held, p, take);
        p += take;
        n -= take;
        if (held + take < 64)
            return;
        blocks(s->state, s->block, 1);
    }
    blocks(s->state, p, n / 64);
    memcpy(s->block, p + n / 64 * 64, n % 64);
}

void dpli_sha256_hex(dpli_sha256 *s, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t tail[72] = {0x80};
    size_t held = s->n_bytes % 64;
    /* 0x80, zeros up to 8 bytes before a block's end, then the length in bits. */
    size_t n = (held < 56 ? 56 : 120) - held;
    uint64_t bits = s->n_bytes * 8;

    for (size_t i = 0; i < 8; i++)
        tail[n + i] = (uint8_t)(bits >> (56 - 8 * i));
    dpli_sha256_add(s, tail, n + 8);
    for (size_t i = 0; i < 64; i++)
        hex[i] = digits[s->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}

void dpli_sha256_of(char hex[65], const void *bytes, size_t n)
{
    dpli_sha256 s;

    dpli_sha256_init(&s);
    dpli_sha256_add(&s, bytes, n);
    dpli_sha256_hex(&s, hex);
}

#define P1 0x9E3779B185EBCA87u
#define P2 0xC2B2AE3D27D4EB4Fu
#define P3 0x165667B19E3779F9u
#define P4 0x85EBCA77C2B2AE63u
#define P5 0x27D4EB2F165667C5u

static uint64_t rotate64(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static uint64_t load32(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t lane(uint64_t acc, uint64_t word)
{
    return rotate64(acc + word * P2, 31) * P1;
}

uint64_t dpli_sum64(uint64_t seed, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t left = n;
    uint64_t h = seed + P5;

    if (n >= 32) {
        uint64_t v[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};

        for (; left >= 32; left -= 32, p += 32)
            for (int i = 0; i < 4; i++)
                v[i] = lane(v[i], load64(p + 8 * i));
        h = rotate64(v[0], 1) + rotate64(v[1], 7) + rotate64(v[2], 12) + rotate64(v[3], 18);
        for (int i = 0; i < 4; i++)
            h = (h ^ lane(0, v[i])) * P1 + P4;
    }
    h += n;
    for (; left >= 8; left -= 8, p += 8)
        h = rotate64(h ^ lane(0, load64(p)), 27) * P1 + P4;
    if (left >= 4) {
        h = rotate64(h ^ load32(p) * P1, 23) * P2 + P3;
        left -= 4;
        p += 4;
    }
    for (; left > 0; left--, p++)
        h = rotate64(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}
