// VARVE_TARGET_CLONES: one plain loop compiled for several instruction sets, chosen once at load time.
// The baseline of the build is x86-64-v2; the clones add AVX2 (v3) and AVX-512 (v4) where the machine has it.
// A clone must be a plain function; what it calls has to be VARVE_INLINE, or it is compiled for the baseline.
// Off with clang 14 (its multiversioning is incomplete), off under sanitizers (their start-up code runs after
// the ifunc resolvers, which then crash), and off on other machines: then the same loops are merely portable.
// The resolvers ask the processor, not glibc: tunables do not change their choice. To measure one set, define
// VARVE_CODEC_ONLY as 3 (AVX2) or 2 (portable) for all files of codec/, as bench/ does.
#pragma once

#define VARVE_INLINE [[gnu::always_inline]] inline

#if defined(VARVE_CODEC_ONLY)
#define VARVE_HAS_TARGET_CLONES 0
#if VARVE_CODEC_ONLY == 3
#define VARVE_TARGET_CLONES __attribute__((target("arch=x86-64-v3")))
#else
#define VARVE_TARGET_CLONES
#endif
#elif defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define VARVE_TARGET_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define VARVE_HAS_TARGET_CLONES 1
#else
#define VARVE_TARGET_CLONES
#define VARVE_HAS_TARGET_CLONES 0
#endif
