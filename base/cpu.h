/* The processor: which instructions the kernels may use, and its denormal switch. */
#ifndef DOPPEL_BASE_CPU_H
#define DOPPEL_BASE_CPU_H

#include <stdbool.h>

typedef enum dpli_cpu { DPLI_CPU_BASELINE = 0, DPLI_CPU_AVX2 = 1, DPLI_CPU_AVX512 = 2 } dpli_cpu;

/** The level in use: the processor's, or the lower one that DOPPEL_CPU ("baseline", "avx2",
 * "avxvnni", "avx512", "bf16", "amx") asks for. ARM (aarch64) has one, NEON, which is its baseline.
 */
dpli_cpu dpli_cpu_level(void);

/* What multiplies bfloat16, beside AVX-512: nothing, AVX512-BF16, or that and AMX; beside NEON: the
 * products of matrices of ARM's BF16. */
typedef enum dpli_narrow {
    DPLI_NARROW_NONE = 0,
    DPLI_NARROW_AVX512 = 1,
    DPLI_NARROW_AMX = 2,
    DPLI_NARROW_NEON = 3
} dpli_narrow;

/** What there is of it, and may be used: AMX's registers are asked of the kernel, once a process,
 * and a refusal is as if there were none. DOPPEL_CPU=avx512 is none, bf16 is without AMX; of ARM
 * "baseline", "dotprod" and "i8mm" are none. */
dpli_narrow dpli_cpu_narrow(void);

/* What multiplies bytes and sums them up as int32. */
typedef enum dpli_bytes {
    DPLI_BYTES_BASELINE = 0,
    DPLI_BYTES_AVX2 = 1,
    DPLI_BYTES_AVXVNNI = 2,
    DPLI_BYTES_AVX512 = 3, /* with VNNI */
    DPLI_BYTES_AMX = 4,
    DPLI_BYTES_DOTPROD = 5, /* ARM's products by fours (ARMv8.2), */
    DPLI_BYTES_I8MM = 6     /* and of matrices (ARMv8.6) */
} dpli_bytes;

/** The best there is, and may be used. Each word of DOPPEL_CPU below "amx" is a level without it:
 * "avx512" and "bf16" are AVX-512's, "avxvnni" and "avx2" are that; of ARM "dotprod" is that, and
 * "baseline" is NEON alone. */
dpli_bytes dpli_cpu_bytes(void);

/** Whether it has instructions for AES and its sums, and may use them: DOPPEL_CPU=baseline is
 * without. */
bool dpli_cpu_has_aes(void);

/*
 * A function once a processor level, of which each call takes the one for dpli_cpu_level():
 *
 *     DPLI_EACH_CPU(static, double, sum_of, (const float *x, size_t n), (x, n))
 *     {
 *         ...
 *     }
 *
 * The first argument is static, or nothing; the last names the parameters again. The body is the
 * same at each level, with longer vectors at the higher ones. Products are not contracted in it and
 * no sum changes its order: the levels agree to the bit. What it calls has longer vectors too when
 * it is always_inline. For loops that are worth two jumps more, not for single numbers.
 * DPLI_EACH_CPU_TO_AVX2 is for those that AVX-512 does not make faster, or slower.
 */
#if defined(__x86_64__) && defined(__GNUC__)
#define DPLI_EACH_CPU(linkage, type, name, params, args)                                           \
    DPLI_AVX2_AND_BELOW(type, name, params, args)                                                  \
    static __attribute__((noinline, target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))        \
    type name##_avx512 params                                                                      \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    linkage type name params                                                                       \
    {                                                                                              \
        switch (dpli_cpu_level()) {                                                                \
        case DPLI_CPU_AVX512: return name##_avx512 args;                                           \
        case DPLI_CPU_AVX2: return name##_avx2 args;                                               \
        case DPLI_CPU_BASELINE: break;                                                             \
        }                                                                                          \
        return name##_baseline args;                                                               \
    }                                                                                              \
    static inline type name##_body params
#define DPLI_EACH_CPU_TO_AVX2(linkage, type, name, params, args)                                   \
    DPLI_AVX2_AND_BELOW(type, name, params, args)                                                  \
    linkage type name params                                                                       \
    {                                                                                              \
        if (dpli_cpu_level() >= DPLI_CPU_AVX2)                                                     \
            return name##_avx2 args;                                                               \
        return name##_baseline args;                                                               \
    }                                                                                              \
    static inline type name##_body params
#define DPLI_AVX2_AND_BELOW(type, name, params, args)                                              \
    static inline __attribute__((always_inline)) type name##_body params;                          \
    static __attribute__((noinline)) type name##_baseline params                                   \
    {                                                                                              \
        return name##_body args;                                                                   \
    }                                                                                              \
    static __attribute__((noinline, target("avx2,fma"))) type name##_avx2 params                   \
    {                                                                                              \
        return name##_body args;                                                                   \
    }
#else
#define DPLI_EACH_CPU(linkage, type, name, params, args)         linkage type name params
#define DPLI_EACH_CPU_TO_AVX2(linkage, type, name, params, args) linkage type name params
#endif

/** Flush denormals to zero in this thread's floating-point unit; returns the state for
 * dpli_fpu_restore. */
unsigned dpli_fpu_enter(void);
void dpli_fpu_restore(unsigned state);

#endif
