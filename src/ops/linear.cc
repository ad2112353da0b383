#include "ops/linear.h"

#include <algorithm>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "kernels/ref/dequantize.h"
#include "ops/bf16_tiles.h"
#include "ops/quantized_input.h"
#include "tensor/packed.h"

namespace pingti::ops {
namespace {

using kernels::ProductArgs;
using kernels::WeightKernels;

constexpr int64_t kRows = kTileRows;
constexpr size_t kBf16Grain = 8;  // tiles that a worker takes at once: a block of the kernel

// One source: a matrix of one type in consecutive tiles.
struct Part {
  const WeightKernels* kernels = nullptr;
  int64_t rows = 0;
  int64_t tiles = 0;
  int64_t row_begin = 0;    // first output
  int64_t tile_begin = 0;   // counted over all parts
  size_t tile_bytes = 0;
  size_t offset = 0;        // of the first tile in the packed bytes
  std::vector<float> bias;  // [rows] or empty
};

std::string ShapeText(const TensorView& tensor) {
  return "[" + std::to_string(tensor.rows()) + ", " + std::to_string(tensor.cols()) + "]";
}

Status CheckWeight(const TensorView& weight, int64_t cols) {
  const DTypeInfo& info = Info(weight.type);
  if (weight.cols() != cols || weight.rows() <= 0 || cols <= 0) {
    return InvalidArgument("wanted [rows, " + std::to_string(cols) + "], found " + ShapeText(weight),
                           weight.name);
  }
  if (cols % info.block_values != 0) {
    return InvalidArgument("rows of type " + std::string(info.name) + " need a multiple of " +
                               std::to_string(info.block_values) + " values, found " +
                               std::to_string(cols),
                           weight.name);
  }
  const size_t wanted =
      RowBytes(weight.type, static_cast<size_t>(cols)) * static_cast<size_t>(weight.rows());
  if (weight.bytes.size() != wanted) {
    return InvalidArgument("wanted " + std::to_string(wanted) + " bytes of " +
                               std::string(info.name) + ", found " +
                               std::to_string(weight.bytes.size()),
                           weight.name);
  }
  return Status::Ok();
}

Result<std::vector<float>> ReadBias(const TensorView& bias, int64_t rows) {
  if (bias.type != DType::kF32 && bias.type != DType::kF16 && bias.type != DType::kBF16) {
    return InvalidArgument(
        "a bias of F32, F16 or BF16 is wanted, found " + std::string(Info(bias.type).name),
        bias.name);
  }
  const auto count = static_cast<size_t>(rows);
  if (bias.rows() * bias.cols() != rows || bias.bytes.size() != RowBytes(bias.type, count)) {
    return InvalidArgument("a bias of " + std::to_string(rows) + " values is wanted, found " +
                               ShapeText(bias),
                           bias.name);
  }
  std::vector<float> values(count);
  kernels::Dequantize(bias.type, bias.bytes.data(), count, values.data());
  return values;
}

}  // namespace

struct Linear::State {
  int64_t in = 0;
  int64_t out = 0;
  int64_t tiles = 0;
  std::vector<Part> parts;
  std::vector<kernels::TermSpec> terms;  // of the quantised parts, without repeats
  bool quantized_input = false;
  AlignedBuffer owned;
  std::span<const std::byte> packed;

  Status AddPart(Context& ctx, const Source& source);
  Status AddParts(Context& ctx, std::span<const Source> sources);
  size_t PackedBytes() const { return parts.back().offset + static_cast<size_t>(parts.back().tiles) * parts.back().tile_bytes; }
  void PackTiles(Context& ctx, std::span<const Source> sources);
  bool HasPromptPath() const;
  // Calls `multiply(part, args)` for the tiles [tile_begin, tile_end), with all of `args` set but the inputs.
  template <typename Function>
  void ForEachPart(Matrix result, bool accumulate, int64_t tile_begin, int64_t tile_end, Function multiply) const;
  void Multiply(Matrix x, const QuantizedInput& input, Matrix result, bool accumulate,
                int64_t tile_begin, int64_t tile_end) const;
  void ApplyQuantized(Context& ctx, Matrix x, Matrix result, bool accumulate) const;
  void ApplyBf16(Context& ctx, Matrix x, Matrix result, bool accumulate) const;
  // The first tile of worker `worker`'s share by bytes.
  int64_t ShareBegin(int worker, int workers) const;
};

Status Linear::State::AddPart(Context& ctx, const Source& source) {
  const TensorView& weight = *source.weight;
  PT_TRY(CheckWeight(weight, in));
  Part part;
  part.kernels = &ctx.kernels.matmul.weights[static_cast<size_t>(weight.type)];
  part.rows = weight.rows();
  part.tiles = (part.rows + kRows - 1) / kRows;
  part.row_begin = out;
  part.tile_begin = tiles;
  part.tile_bytes = part.kernels->tile_bytes(in);
  if (!parts.empty()) {
    const Part& last = parts.back();
    part.offset = last.offset + static_cast<size_t>(last.tiles) * last.tile_bytes;
  }
  if (source.maybe_bias != nullptr) {
    PT_ASSIGN(part.bias, ReadBias(*source.maybe_bias, part.rows));
  }
  if (part.kernels->quantized_input) {
    quantized_input = true;
    if (std::find(terms.begin(), terms.end(), part.kernels->term) == terms.end()) {
      terms.push_back(part.kernels->term);
    }
  }
  out += part.rows;
  tiles += part.tiles;
  parts.push_back(std::move(part));
  return Status::Ok();
}

Status Linear::State::AddParts(Context& ctx, std::span<const Source> sources) {
  PT_CHECK(!sources.empty(), "a Linear has at least one source");
  in = sources.front().weight->cols();
  for (const Source& source : sources) PT_TRY(AddPart(ctx, source));
  return Status::Ok();
}

void Linear::State::PackTiles(Context& ctx, std::span<const Source> sources) {
  for (size_t p = 0; p < parts.size(); ++p) {
    const Part& part = parts[p];
    const TensorView& weight = *sources[p].weight;
    const size_t row_bytes = RowBytes(weight.type, static_cast<size_t>(in));
    auto* base = reinterpret_cast<uint8_t*>(owned.data()) + part.offset;
    constexpr size_t kGrain = 4;
    ctx.pool.ForEach(static_cast<size_t>(part.tiles), kGrain, [&](size_t begin, size_t end) {
      for (size_t tile = begin; tile < end; ++tile) {
        const int64_t row = static_cast<int64_t>(tile) * kRows;
        part.kernels->pack_tile(weight.bytes.data() + static_cast<size_t>(row) * row_bytes, row_bytes,
                                static_cast<int>(std::min(kRows, part.rows - row)), in,
                                base + tile * part.tile_bytes);
      }
    });
  }
}

bool Linear::State::HasPromptPath() const {
  return std::all_of(parts.begin(), parts.end(),
                     [](const Part& part) { return part.kernels->multiply_bf16 != nullptr; });
}

template <typename Function>
void Linear::State::ForEachPart(Matrix result, bool accumulate, int64_t tile_begin, int64_t tile_end,
                                Function multiply) const {
  for (const Part& part : parts) {
    const int64_t begin = std::max(tile_begin - part.tile_begin, int64_t{0});
    const int64_t end = std::min(tile_end - part.tile_begin, part.tiles);
    if (begin >= end) continue;
    const int64_t row = begin * kRows;
    ProductArgs args;
    args.tiles = reinterpret_cast<const uint8_t*>(packed.data()) + part.offset +
                 static_cast<size_t>(begin) * part.tile_bytes;
    args.rows = std::min(end * kRows, part.rows) - row;
    args.cols = in;
    args.columns = result.rows;
    args.maybe_bias = part.bias.empty() ? nullptr : part.bias.data() + row;
    args.out = result.data + part.row_begin + row;
    args.out_stride = result.stride;
    args.accumulate = accumulate;
    multiply(part, args);
  }
}

void Linear::State::Multiply(Matrix x, const QuantizedInput& input, Matrix result, bool accumulate,
                             int64_t tile_begin, int64_t tile_end) const {
  ForEachPart(result, accumulate, tile_begin, tile_end, [&](const Part& part, ProductArgs& args) {
    if (part.kernels->quantized_input) args.quantized = input.Columns(part.kernels->term);
    args.x = x.data;
    args.x_stride = x.stride;
    part.kernels->Multiply(args);
  });
}

int64_t Linear::State::ShareBegin(int worker, int workers) const {
  const size_t target = packed.size() / static_cast<size_t>(workers) * static_cast<size_t>(worker);
  if (worker == workers) return tiles;
  for (const Part& part : parts) {
    const size_t bytes = static_cast<size_t>(part.tiles) * part.tile_bytes;
    if (target < part.offset + bytes) {
      const size_t tile = (target - part.offset + part.tile_bytes / 2) / part.tile_bytes;
      return part.tile_begin + static_cast<int64_t>(tile);
    }
  }
  return tiles;
}

Linear::Linear() : state_(std::make_unique<State>()) {}
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

Result<Linear::PackPlan> Linear::Plan(Context& ctx, std::span<const Source> sources) {
  const Linear linear;
  PT_TRY(linear.state_->AddParts(ctx, sources));
  return PackPlan{.layout = linear.layout(), .bytes = linear.state_->PackedBytes()};
}

Result<Linear> Linear::Pack(Context& ctx, std::span<const Source> sources,
                            std::span<const std::byte> packed) {
  Linear linear;
  State& state = *linear.state_;
  PT_TRY(state.AddParts(ctx, sources));
  const size_t bytes = state.PackedBytes();
  if (packed.empty()) {
    state.owned = AlignedBuffer(bytes);
    state.packed = state.owned.span();
    state.PackTiles(ctx, sources);
    return linear;
  }
  const bool aligned = reinterpret_cast<uintptr_t>(packed.data()) % kPackedAlign == 0;
  if (packed.size() != bytes || !aligned) {
    return InvalidArgument("a repacked copy of " + std::to_string(bytes) + " bytes at a multiple of " +
                               std::to_string(kPackedAlign) + " is wanted, found " +
                               std::to_string(packed.size()),
                           sources.front().weight->name);
  }
  state.packed = packed;
  return linear;
}

int64_t Linear::in() const { return state_->in; }
int64_t Linear::out() const { return state_->out; }
size_t Linear::weight_bytes() const { return state_->packed.size(); }
std::span<const std::byte> Linear::packed() const { return state_->packed; }

std::string Linear::layout() const {
  std::string name;
  for (const Part& part : state_->parts) {
    if (!name.empty()) name += '+';
    name += part.kernels->layout;
    name += '[' + std::to_string(part.rows) + 'x' + std::to_string(state_->in) + ']';
  }
  return name;
}

void Linear::State::ApplyQuantized(Context& ctx, Matrix x, Matrix result, bool accumulate) const {
  const int64_t block = QuantizedInput::BlockColumns(in);
  QuantizedInput input;
  for (int64_t row = 0; row < x.rows; row += block) {
    const int64_t count = std::min(block, x.rows - row);
    const Matrix x_block = x.Rows(row, count);
    const Matrix out_block = result.Rows(row, count);
    if (quantized_input) input.Quantize(ctx, x_block, terms);
    if (count <= kDecodeColumns) {
      // Each worker streams its own contiguous share of the weights.
      ctx.pool.Run([&](int worker) {
        Multiply(x_block, input, out_block, accumulate, ShareBegin(worker, ctx.pool.size()),
                 ShareBegin(worker + 1, ctx.pool.size()));
      });
    } else {
      ctx.pool.ForEach(static_cast<size_t>(tiles), kPrefillGrain, [&](size_t begin, size_t end) {
        Multiply(x_block, input, out_block, accumulate, static_cast<int64_t>(begin), static_cast<int64_t>(end));
      });
    }
  }
}

void Linear::State::ApplyBf16(Context& ctx, Matrix x, Matrix result, bool accumulate) const {
  const int64_t block = kernels::Bf16ColumnsAtOnce(in);
  for (int64_t row = 0; row < x.rows; row += block) {
    const int64_t count = std::min(block, x.rows - row);
    const uint16_t* input = ConvertToBf16Tiles(ctx, x.Rows(row, count));
    const Matrix out_block = result.Rows(row, count);
    ctx.pool.ForEach(static_cast<size_t>(tiles), kBf16Grain, [&](size_t begin, size_t end) {
      ForEachPart(out_block, accumulate, static_cast<int64_t>(begin), static_cast<int64_t>(end),
                  [&](const Part& part, ProductArgs& args) {
                    args.bf16 = input;
                    part.kernels->multiply_bf16(args);
                  });
    });
  }
}

bool Linear::has_prompt_path() const { return state_->HasPromptPath(); }

void Linear::Apply(Context& ctx, Matrix x, Matrix out, int64_t prompt_begin, bool accumulate) const {
  const State& state = *state_;
  PT_CHECK(x.cols == state.in && out.cols == state.out && x.rows == out.rows, "shapes of a Linear");
  const int64_t answers = state.HasPromptPath() ? std::min(prompt_begin, x.rows) : x.rows;
  if (answers > 0) state.ApplyQuantized(ctx, x.Rows(0, answers), out.Rows(0, answers), accumulate);
  if (answers < x.rows) {
    const int64_t prompts = x.rows - answers;
    state.ApplyBf16(ctx, x.Rows(answers, prompts), out.Rows(answers, prompts), accumulate);
  }
}

void Embed(Context& ctx, const TensorView& table, std::span<const int32_t> tokens, Matrix out) {
  PT_CHECK(out.cols == table.cols() && out.rows == static_cast<int64_t>(tokens.size()),
           "shapes of an embedding");
  const auto cols = static_cast<size_t>(table.cols());
  const size_t row_bytes = RowBytes(table.type, cols);
  constexpr size_t kGrain = 16;
  ctx.pool.ForEach(tokens.size(), kGrain, [&](size_t begin, size_t end) {
    for (size_t t = begin; t < end; ++t) {
      PT_CHECK(tokens[t] >= 0 && tokens[t] < table.rows(), "a token id below the vocabulary's size");
      kernels::Dequantize(table.type,
                          table.bytes.data() + static_cast<size_t>(tokens[t]) * row_bytes, cols,
                          out.data + static_cast<int64_t>(t) * out.stride);
    }
  });
}

}  // namespace pingti::ops
