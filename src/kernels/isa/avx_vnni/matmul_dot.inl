// dot[row] + sum of 4 products, exact, with AVX-VNNI.

PT_INLINE I32 Dot(I32 dot, Codes codes, Inputs x) { return _mm256_dpbusd_avx_epi32(dot, codes, x); }
