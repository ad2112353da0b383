// dot[row] + sum of 4 products, exact, with AVX-512 VNNI.

PT_INLINE I32 Dot(I32 dot, Codes codes, Inputs x) { return _mm512_dpbusd_epi32(dot, codes, x); }
