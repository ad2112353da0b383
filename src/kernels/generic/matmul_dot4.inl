// Dot products where the CPU multiplies four 8-bit pairs and adds them to a 32-bit lane (VNNI). Included inside a level's
// anonymous namespace, after matmul_codes.inl.

// All types' dot products are the same.
template <DType kType>
constexpr int DotOf() {
  return 0;
}
constexpr bool DotIsSigned(int) { return false; }

// dot[v][c] += quads [first, first + count) of a group; `quad(v, q)` gives the codes of the v-th vector of rows,
// codes + c * kChunk column c's.
template <int kDot, int kVectors, int kColumns, typename Quad>
PT_INLINE void DotQuads(I32 (&dot)[kVectors][kColumns], Quad quad, const int8_t* codes, int first, int count) {
#pragma GCC unroll 8
  for (int q = first; q < first + count; ++q) {
    Codes w[kVectors];
    for (int v = 0; v < kVectors; ++v) w[v] = quad(v, q);
    for (int c = 0; c < kColumns; ++c) {
      const Inputs x = SplatQuad(codes + c * kChunk + 4 * q);
      for (int v = 0; v < kVectors; ++v) dot[v][c] = Dot(dot[v][c], w[v], x);
    }
  }
}
