// Dot products in plain C++. Included inside the level's anonymous namespace.

template <DType kType>
constexpr int DotOf() {
  return 0;
}
constexpr bool DotIsSigned(int) { return false; }

// dot[v][c] += quads [first, first + count) of a group; `quad(v, q)` gives the codes of the v-th vector of rows,
// codes + c * kChunk column c's.
template <int kDot, int kVectors, int kColumns, typename Quad>
PT_INLINE void DotQuads(I32 (&dot)[kVectors][kColumns], Quad quad, const int8_t* codes, int first, int count) {
  for (int q = first; q < first + count; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      const Codes w = quad(v, q);
      for (int c = 0; c < kColumns; ++c) {
        const int8_t* x = codes + c * kChunk + 4 * q;
        for (int i = 0; i < kLanes; ++i) {
          const uint8_t* code = w.v + 4 * i;
          dot[v][c].v[i] += code[0] * x[0] + code[1] * x[1] + code[2] * x[2] + code[3] * x[3];
        }
      }
    }
  }
}
