// Small pieces for the per-ISA products. Included inside a level's anonymous namespace, before everything else.

#define PT_INLINE [[gnu::always_inline]] inline

template <int... kValues>
struct IntList {};

template <int kNext, int... kValues>
struct MakeIntList {
  using Type = typename MakeIntList<kNext - 1, kNext - 1, kValues...>::Type;
};
template <int... kValues>
struct MakeIntList<0, kValues...> {
  using Type = IntList<kValues...>;
};

template <DType... kTypes>
struct TypeList {};
using QuantizedTypes = TypeList<DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K,
                                DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS>;
using FloatTypes = TypeList<DType::kF32, DType::kF16, DType::kBF16>;

PT_INLINE void Prefetch(const void* p) { __builtin_prefetch(p); }

PT_INLINE void Zero(float* p, int64_t count) { memset(p, 0, static_cast<size_t>(count) * sizeof(float)); }

// Below this a group of activations counts as zero: its scale's inverse would overflow.
inline constexpr float kScaleMin = 1e-30F;
// A group's largest input becomes +-127, 126, ...: as many greatest codes are tried (see quantize_column).
inline constexpr int kCodeMax = 127;
inline constexpr int kCodeMaxTries = 8;
// The inputs of a group in 16 bits: all that follows is integers, so every level finds the same.
inline constexpr float kFixedMax = 32767.0F;
