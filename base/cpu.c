/* Which kernels this processor can run, and its denormal switch. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static dpli_cpu detect(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return DPLI_CPU_BASELINE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return DPLI_CPU_AVX2;
    return DPLI_CPU_AVX512;
#else
    return DPLI_CPU_BASELINE;
#endif
}

/* What DOPPEL_CPU asks for; an unknown word asks for nothing. */
static dpli_cpu wanted(void)
{
    const char *name = getenv("DOPPEL_CPU");

    if (name && strcmp(name, "baseline") == 0)
        return DPLI_CPU_BASELINE;
    if (name && strcmp(name, "avx2") == 0)
        return DPLI_CPU_AVX2;
    return DPLI_CPU_AVX512;
}

dpli_cpu dpli_cpu_level(void)
{
    /* Threads that race here store the same value. */
    static _Atomic int level = -1;
    int now = atomic_load_explicit(&level, memory_order_relaxed);

    if (now < 0) {
        const dpli_cpu has = detect(), want = wanted();

        now = (int)(has < want ? has : want);
        atomic_store_explicit(&level, now, memory_order_relaxed);
    }
    return (dpli_cpu)now;
}

#if defined(__x86_64__)

/* Flush to zero (bit 15) and denormals are zero (bit 6) of MXCSR. */
#define FLUSH 0x8040u

unsigned dpli_fpu_enter(void)
{
    const unsigned state = _mm_getcsr();

    _mm_setcsr(state | FLUSH);
    return state;
}

void dpli_fpu_restore(unsigned state)
{
    /* Only the two bits: exception flags raised in between stay raised. */
    _mm_setcsr((_mm_getcsr() & ~FLUSH) | (state & FLUSH));
}

#else

unsigned dpli_fpu_enter(void)
{
    return 0;
}

void dpli_fpu_restore(unsigned state)
{
    (void)state;
}

#endif
