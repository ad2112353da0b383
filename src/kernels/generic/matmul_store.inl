// Sums to outputs, over a level's vocabulary. Included inside a level's anonymous namespace.

// out[column, row0 ..] of one tile and column from 16 sums; rows past the end are dropped.
PT_INLINE void StoreSums(const ProductArgs& args, int64_t row0, int64_t column, const float* sums) {
  float* out = args.out + column * args.out_stride + row0;
  if (row0 + kTileRows <= args.rows) {
    for (int lane = 0; lane < kTileRows; lane += kLanes) {
      F32 sum = LoadF32(sums + lane);
      if (args.maybe_bias != nullptr) sum = Add(sum, LoadF32(args.maybe_bias + row0 + lane));
      if (args.accumulate) sum = Add(sum, LoadF32(out + lane));
      StoreF32(out + lane, sum);
    }
    return;
  }
  for (int64_t r = 0; row0 + r < args.rows; ++r) {
    float sum = sums[r];
    if (args.maybe_bias != nullptr) sum += args.maybe_bias[row0 + r];
    if (args.accumulate) sum += out[r];
    out[r] = sum;
  }
}
