/* Which kernels this processor can run, and its denormal switch. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <xmmintrin.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
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
    if (name && (strcmp(name, "avx2") == 0 || strcmp(name, "avxvnni") == 0))
        return DPLI_CPU_AVX2;
    return DPLI_CPU_AVX512;
}

/* A level below AVX-512 has no bfloat16 either. */
static dpli_narrow wanted_narrow(void)
{
    const char *name = getenv("DOPPEL_CPU");

    if (name && strcmp(name, "avx512") == 0)
        return DPLI_NARROW_NONE;
    if (name && strcmp(name, "bf16") == 0)
        return DPLI_NARROW_AVX512;
    return DPLI_NARROW_AMX;
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

/* ------------------------------------------------------------------ bfloat16 */

#if defined(__x86_64__) && defined(__linux__)

/* Of arch_prctl: may this process have the state of this number, AMX's tiles? */
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA  18

static bool may_use_tiles(void)
{
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static dpli_narrow detect_narrow(void)
{
    unsigned a, b, c, d;

    /* Leaf 7, subleaf 1, EAX bit 5: AVX512-BF16; subleaf 0, EDX bits 22 and 24: AMX's products of
     * bfloat16, and its tiles. */
    if (dpli_cpu_level() < DPLI_CPU_AVX512 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) ||
        !(a & 1u << 5))
        return DPLI_NARROW_NONE;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24))
        return DPLI_NARROW_AVX512;
    return wanted_narrow() < DPLI_NARROW_AMX || !may_use_tiles() ? DPLI_NARROW_AVX512
                                                                 : DPLI_NARROW_AMX;
}

#elif defined(__AARCH64EL__) && defined(__linux__)

/* Bits of the kernel's interface, whose header may be older than the kernel. */
#define HWCAP_AES_    (1ul << 3)
#define HWCAP_PMULL_  (1ul << 4)
#define HWCAP_DOTPROD (1ul << 20)
#define HWCAP2_I8MM_  (1ul << 13)
#define HWCAP2_BF16_  (1ul << 14)

/* Whether DOPPEL_CPU asks for something below this word: each has what stands before it. */
static bool wants_less_than(const char *word)
{
    static const char *const words[] = {"baseline", "dotprod", "i8mm", "bf16"};
    const char *name = getenv("DOPPEL_CPU");

    for (size_t i = 0; name && strcmp(words[i], word) != 0; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return false;
}

static dpli_narrow detect_narrow(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_BF16_ && !wants_less_than("bf16") ? DPLI_NARROW_NEON
                                                                           : DPLI_NARROW_NONE;
}

#else

static dpli_narrow detect_narrow(void)
{
    return DPLI_NARROW_NONE;
}

#endif

dpli_narrow dpli_cpu_narrow(void)
{
    /* As the level's; asking the kernel twice does no harm. */
    static _Atomic int narrow = -1;
    int now = atomic_load_explicit(&narrow, memory_order_relaxed);

    if (now < 0) {
        const dpli_narrow has = detect_narrow(), want = wanted_narrow();

        now = (int)(has < want || has == DPLI_NARROW_NEON ? has : want);
        atomic_store_explicit(&narrow, now, memory_order_relaxed);
    }
    return (dpli_narrow)now;
}

/* ------------------------------------------------------------------ bytes */

#if defined(__x86_64__) && defined(__linux__)

static dpli_bytes detect_bytes(void)
{
    const char *name = getenv("DOPPEL_CPU");
    unsigned a, b, c = 0, d = 0, a1 = 0, b1, c1, d1;

    if (dpli_cpu_level() == DPLI_CPU_BASELINE)
        return DPLI_BYTES_BASELINE;
    if ((name && strcmp(name, "avx2") == 0) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return DPLI_BYTES_AVX2;
    /* Leaf 7, subleaf 0, EDX bits 25 and 24: AMX's products of bytes, and its tiles; ECX bit 11:
     * AVX512-VNNI; subleaf 1, EAX bit 4: AVX-VNNI. */
    if (dpli_cpu_level() == DPLI_CPU_AVX512 && (c & 1u << 11)) {
        if (wanted_narrow() == DPLI_NARROW_AMX && (d & 1u << 25) && (d & 1u << 24) &&
            may_use_tiles())
            return DPLI_BYTES_AMX;
        return DPLI_BYTES_AVX512;
    }
    if (__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) && (a1 & 1u << 4))
        return DPLI_BYTES_AVXVNNI;
    return DPLI_BYTES_AVX2;
}

#elif defined(__AARCH64EL__) && defined(__linux__)

static dpli_bytes detect_bytes(void)
{
    if (getauxval(AT_HWCAP2) & HWCAP2_I8MM_ && !wants_less_than("i8mm"))
        return DPLI_BYTES_I8MM;
    return getauxval(AT_HWCAP) & HWCAP_DOTPROD && !wants_less_than("dotprod") ? DPLI_BYTES_DOTPROD
                                                                              : DPLI_BYTES_BASELINE;
}

#else

static dpli_bytes detect_bytes(void)
{
    return dpli_cpu_level() == DPLI_CPU_BASELINE ? DPLI_BYTES_BASELINE : DPLI_BYTES_AVX2;
}

#endif

dpli_bytes dpli_cpu_bytes(void)
{
    /* As the level's. */
    static _Atomic int bytes = -1;
    int now = atomic_load_explicit(&bytes, memory_order_relaxed);

    if (now < 0) {
        now = (int)detect_bytes();
        atomic_store_explicit(&bytes, now, memory_order_relaxed);
    }
    return (dpli_bytes)now;
}

/* ------------------------------------------------------------------ ciphers */

bool dpli_cpu_has_aes(void)
{
#if defined(__x86_64__)
    const char *name = getenv("DOPPEL_CPU");

    __builtin_cpu_init();
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
           !(name && strcmp(name, "baseline") == 0);
#elif defined(__AARCH64EL__) && defined(__linux__)
    const unsigned long has = getauxval(AT_HWCAP);

    return (has & HWCAP_AES_) && (has & HWCAP_PMULL_) && !wants_less_than("dotprod");
#else
    return false;
#endif
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

#elif defined(__aarch64__)

/* Flush to zero, of operands and results, of FPCR. */
#define FLUSH (1ul << 24)

static unsigned long fpcr(void)
{
    unsigned long state;

    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
}

static void set_fpcr(unsigned long state)
{
    /* What was computed before is, and what comes after is not. */
    __asm__ volatile("msr fpcr, %0" : : "r"(state) : "memory");
}

unsigned dpli_fpu_enter(void)
{
    const unsigned long state = fpcr();

    set_fpcr(state | FLUSH);
    return (unsigned)state;
}

void dpli_fpu_restore(unsigned state)
{
    set_fpcr((fpcr() & ~FLUSH) | (state & FLUSH));
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
