// What all users of AMX tiles share. Included inside the level's anonymous namespace.

inline constexpr int kTileStride = 64;  // bytes: a row of any tile

// Eight tiles of 16 rows of 64 bytes (LDTILECFG, palette 1).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// GCC does not know that tile instructions read and write memory.
inline void MemoryBarrier() { asm volatile("" ::: "memory"); }
