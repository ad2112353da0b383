// Activations to 8 bits, over a level's vocabulary. Included inside a level's anonymous namespace.

void QuantizeColumn(const float* x, int64_t cols, int64_t columns, int8_t* codes, float* scales,
                    int16_t* sums) noexcept {
  for (int64_t begin = 0; begin < cols; begin += kChunk) {
    const int64_t rest = cols - begin < kChunk ? cols - begin : kChunk;
    const auto groups = static_cast<int>(rest / kGroup);
    if (groups == kGroupsPerChunk) {
      QuantizeChunk(x + begin, codes, scales, sums);
    } else {
      for (int g = 0; g < groups; ++g) {
        QuantizeGroup(x + begin + g * kGroup, codes + g * kGroup, scales + g, sums + 2 * g);
      }
    }
    for (int g = groups; g < kGroupsPerChunk; ++g) {
      memset(codes + g * kGroup, 0, kGroup);
      scales[g] = 0;
      sums[2 * g] = sums[2 * g + 1] = 0;
    }
    codes += columns * kChunk;
    scales += columns * kGroupsPerChunk;
    sums += columns * 2 * kGroupsPerChunk;
  }
}

void MakeTerms(TermSpec spec, int64_t chunks, int64_t columns, const int16_t* sums,
               const float* scales, void* terms) noexcept {
  const int per_chunk = spec.kind == TermKind::kZero16 || spec.kind == TermKind::kMin16 ? 16 : 8;
  auto* ints = static_cast<int32_t*>(terms);
  auto* floats = static_cast<float*>(terms);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    switch (spec.kind) {
      case TermKind::kNone: return;
      case TermKind::kZero32:
        for (int g = 0; g < 8; ++g) ints[g] = -spec.zero * (sums[2 * g] + sums[2 * g + 1]);
        break;
      case TermKind::kZero16:
        for (int g = 0; g < 16; ++g) ints[g] = -spec.zero * sums[g];
        break;
      case TermKind::kMin32:
        for (int g = 0; g < 8; ++g) {
          floats[g] = scales[g] * static_cast<float>(sums[2 * g] + sums[2 * g + 1]);
        }
        break;
      case TermKind::kMin16:
        for (int g = 0; g < 16; ++g) floats[g] = scales[g / 2] * static_cast<float>(sums[g]);
        break;
    }
    ints += columns * per_chunk;
    floats += columns * per_chunk;
    sums += columns * 2 * kGroupsPerChunk;
    scales += columns * kGroupsPerChunk;
  }
}
