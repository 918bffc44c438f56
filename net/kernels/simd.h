/*
 * Vectors of DPLI_LANES floats (4, 8 or 16, set by the file that includes this): the compiler's
 * vector extension for arithmetic, intrinsics where it has no word for what is meant.
 */
#ifndef DOPPEL_NET_KERNELS_SIMD_H
#define DOPPEL_NET_KERNELS_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if DPLI_LANES > 4
#include <immintrin.h>
#elif defined(__AARCH64EL__)
#include <arm_neon.h>
#define DPLI_NEON 1
#endif

typedef float vf __attribute__((vector_size(4 * DPLI_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * DPLI_LANES)));

#define DPLI_INLINE static inline __attribute__((always_inline))
#if defined(DPLI_KEEP_LOOPS)
#define DPLI_UNROLL
#elif defined(__clang__)
#define DPLI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define DPLI_UNROLL _Pragma("GCC unroll 32")
#endif

DPLI_INLINE vf vf_load(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof v);
    return v;
}

DPLI_INLINE void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

DPLI_INLINE vf vf_set(float x)
{
    return x - (vf){0};
}

/** The first n values (0 < n < DPLI_LANES), zeros after them; nothing past them is read. */
DPLI_INLINE vf vf_load_n(const float *p, size_t n)
{
#if DPLI_LANES == 16
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    float buf[DPLI_LANES] = {0};

    for (size_t i = 0; i < n; i++)
        buf[i] = p[i];
    return vf_load(buf);
#endif
}

DPLI_INLINE void vf_store_n(float *p, vf v, size_t n)
{
#if DPLI_LANES == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    float buf[DPLI_LANES];

    vf_store(buf, v);
    for (size_t i = 0; i < n; i++)
        p[i] = buf[i];
#endif
}

/*
 * An element of an activation in memory: float32, in a narrow level (DPLI_NARROW) bfloat16, or a
 * byte (DPLI_BYTES). Registers hold float32 all the same, of bytes the whole number: what it stands
 * for is known to who loads and stores. Stored, it is rounded, and kept from 0 to 255; NaN is 0.
 */
#if defined(DPLI_BYTE)
typedef uint8_t elem;

DPLI_INLINE vf ve_load(const elem *p)
{
#if DPLI_LANES == 16
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)p)));
#elif DPLI_LANES == 8
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)p)));
#elif defined(DPLI_NEON)
    uint32_t four;

    memcpy(&four, p, sizeof four);
    return (vf)vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
#else
    return (vf){p[0], p[1], p[2], p[3]};
#endif
}

DPLI_INLINE vf ve_load_n(const elem *p, size_t n)
{
#if DPLI_LANES == 16
    return (vf)_mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), p)));
#else
    elem buf[DPLI_LANES] = {0};

    for (size_t i = 0; i < n; i++)
        buf[i] = p[i];
    return ve_load(buf);
#endif
}

DPLI_INLINE void ve_store(elem *p, vf v)
{
#if DPLI_LANES == 16
    _mm_storeu_si128((__m128i_u *)p, _mm512_cvtusepi32_epi8(_mm512_max_epi32(
                                         _mm512_cvtps_epi32((__m512)v), _mm512_setzero_si512())));
#elif DPLI_LANES == 8
    const __m256i whole = _mm256_cvtps_epi32((__m256)v);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));

    _mm_storel_epi64((__m128i_u *)p, _mm_packus_epi16(words, words));
#elif defined(DPLI_NEON)
    /* Each step keeps what does not fit at the nearest number that does. */
    const uint16x4_t words = vqmovun_s32(vcvtnq_s32_f32((float32x4_t)v));
    const uint8x8_t bytes = vqmovn_u16(vcombine_u16(words, words));

    vst1_lane_u32((uint32_t *)(void *)p, vreinterpret_u32_u8(bytes), 0);
#else
    for (int i = 0; i < DPLI_LANES; i++)
        p[i] = (elem)rintf(v[i] > 0 ? v[i] < 255 ? v[i] : 255 : 0);
#endif
}

DPLI_INLINE void ve_store_n(elem *p, vf v, size_t n)
{
#if DPLI_LANES == 16
    _mm_mask_storeu_epi8(p, (__mmask16)((1u << n) - 1),
                         _mm512_cvtusepi32_epi8(_mm512_max_epi32(_mm512_cvtps_epi32((__m512)v),
                                                                 _mm512_setzero_si512())));
#else
    elem buf[DPLI_LANES];

    ve_store(buf, v);
    for (size_t i = 0; i < n; i++)
        p[i] = buf[i];
#endif
}
#elif defined(DPLI_NARROW)
typedef uint16_t elem;

#if defined(DPLI_NEON)
DPLI_INLINE vf ve_load(const elem *p)
{
    return (vf)vshll_n_u16(vld1_u16(p), 16);
}

DPLI_INLINE vf ve_load_n(const elem *p, size_t n)
{
    elem buf[DPLI_LANES] = {0};

    for (size_t i = 0; i < n; i++)
        buf[i] = p[i];
    return ve_load(buf);
}

DPLI_INLINE void ve_store(elem *p, vf v)
{
    vst1_u16(p, (uint16x4_t)vcvt_bf16_f32((float32x4_t)v));
}

DPLI_INLINE void ve_store_n(elem *p, vf v, size_t n)
{
    elem buf[DPLI_LANES];

    ve_store(buf, v);
    for (size_t i = 0; i < n; i++)
        p[i] = buf[i];
}
#else
DPLI_INLINE vf ve_load(const elem *p)
{
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i_u *)p)),
                                 16);
}

DPLI_INLINE vf ve_load_n(const elem *p, size_t n)
{
    return (vf)_mm512_slli_epi32(
        _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), p)), 16);
}

DPLI_INLINE void ve_store(elem *p, vf v)
{
    _mm256_storeu_si256((__m256i_u *)p, (__m256i)_mm512_cvtneps_pbh((__m512)v));
}

DPLI_INLINE void ve_store_n(elem *p, vf v, size_t n)
{
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1), (__m256i)_mm512_cvtneps_pbh((__m512)v));
}
#endif
#else
typedef float elem;
#define ve_load    vf_load
#define ve_load_n  vf_load_n
#define ve_store   vf_store
#define ve_store_n vf_store_n
#endif

/** less ? a : b, less being an integer vector of 0 and -1. */
DPLI_INLINE vf vf_select(vi less, vf a, vf b)
{
    return (vf)((less & (vi)a) | (~less & (vi)b));
}

/** a > b ? a : b, so b where either is NaN. */
DPLI_INLINE vf vf_max(vf a, vf b)
{
#if DPLI_LANES == 16
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif DPLI_LANES == 8
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return vf_select((vi)(a > b), a, b);
#endif
}

/** a < b ? a : b, so b where either is NaN. */
DPLI_INLINE vf vf_min(vf a, vf b)
{
#if DPLI_LANES == 16
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif DPLI_LANES == 8
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return vf_select((vi)(a < b), a, b);
#endif
}

/** x < 0 ? slope * x : x. */
DPLI_INLINE vf vf_prelu(vf x, vf slope)
{
#if DPLI_LANES == 16
    const __mmask16 below = _mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_LT_OQ);

    return (vf)_mm512_mask_mul_ps((__m512)x, below, (__m512)x, (__m512)slope);
#elif DPLI_LANES == 8
    /* NaN has any sign: multiplied or not, it stays NaN. -0 becomes slope * -0, again a zero. */
    return (vf)_mm256_blendv_ps((__m256)x, (__m256)(x * slope), (__m256)x);
#else
    return vf_select((vi)(x < 0), x * slope, x);
#endif
}

/** |x|. */
DPLI_INLINE vf vf_abs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

/** exp(x) to 2 ulp: 2^n * e^r with |r| <= ln(2) / 2, e^r by a polynomial of degree 6 (Taylor's last
 * coefficients nudged by Cephes' expf). Overflows to infinity, underflows to 0, NaN stays. */
DPLI_INLINE vf vf_exp(vf x)
{
    const vf magic = vf_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vf n, r, p;
    vi k, k_half;

    /* The bounds come first: at an unordered comparison vf_min and vf_max return the second. */
    x = vf_max(vf_set(-104.0f), vf_min(vf_set(89.0f), x));
    n = x * 1.44269504088896341f + magic;
    k = (vi)n - (vi)magic;
    n = n - magic;
    /* ln 2 in two parts, the first with so few bits that n times it is exact. */
    r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    /* 2^k in two factors: k may be 128 or -150. */
    k_half = k >> 1;
    return p * (vf)((k_half + 127) << 23) * (vf)((k - k_half + 127) << 23);
}

/** tanh(x) to 2 ulp: near 0 a polynomial (Cephes' tanhf), else 1 - 2 / (e^2x + 1). NaN stays. */
DPLI_INLINE vf vf_tanh(vf x)
{
    const vf size = vf_abs(x), z = x * x;
    vf p = z * -5.70498872745e-3f + 2.06390887954e-2f, far;

    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * x + x;
    far = 1.0f - 2.0f / (vf_exp(size + size) + 1.0f);
    far = (vf)((vi)far | ((vi)x & INT32_MIN));
    return vf_select((vi)(size < 0.625f), p, far);
}

/** erf(x), off by 4e-7 at most: a quotient of polynomials on -4..4, behind which it is 1. NaN
 * stays. Source: the coefficients of Eigen's erf for float. */
DPLI_INLINE vf vf_erf(vf x)
{
    vf z, p, q;

    x = vf_max(vf_set(-4.0f), vf_min(vf_set(4.0f), x));
    z = x * x;
    p = z * -2.72614225801306e-10f + 2.77068142495902e-08f;
    p = p * z - 2.10102402082508e-06f;
    p = p * z - 5.69250639462346e-05f;
    p = p * z - 7.34990630326855e-04f;
    p = p * z - 2.95459980854025e-03f;
    p = p * z - 1.60960333262415e-02f;
    q = z * -1.45660718464996e-05f - 2.13374055278905e-04f;
    q = q * z - 1.68282697438203e-03f;
    q = q * z - 7.37332916720468e-03f;
    q = q * z - 1.42647390514189e-02f;
    return x * p / q;
}

#endif
