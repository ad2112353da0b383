// Dot products where the CPU multiplies four 8-bit pairs and adds them to a 32-bit lane (VNNI), or in plain C++. Included
// inside a level's anonymous namespace, after matmul_codes.inl.

// dot[c] += quads [first, first + count) of a group; `quad(q)` gives the codes, codes + c * kChunk column c's.
template <DType kType, int kColumns, typename Quad>
PT_INLINE void DotQuads(I32 (&dot)[kColumns], Quad quad, const int8_t* codes, int first, int count) {
#pragma GCC unroll 8
  for (int q = first; q < first + count; ++q) {
    const Codes w = quad(q);
    for (int c = 0; c < kColumns; ++c) dot[c] = Dot(dot[c], w, codes + c * kChunk + 4 * q);
  }
}
