// VARVE_TARGET_CLONES: one plain loop compiled for several instruction sets, chosen once at load time.
// The baseline of the build is x86-64-v2; the clones add AVX2 (v3) and AVX-512 (v4) where the machine has it.
// A clone must be a plain function; what it calls has to be VARVE_INLINE, or it is compiled for the baseline.
// Off with clang 14 (its multiversioning is incomplete), off under sanitizers (their start-up code runs after
// the ifunc resolvers, which then crash), and off on other machines: then the same loops are merely portable.
#pragma once

#define VARVE_INLINE [[gnu::always_inline]] inline

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define VARVE_TARGET_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define VARVE_HAS_TARGET_CLONES 1
#else
#define VARVE_TARGET_CLONES
#define VARVE_HAS_TARGET_CLONES 0
#endif
