#include "formats/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "formats/byte_reader.h"

namespace pingti::formats {
namespace {

constexpr uint32_t kVersionMin = 2;
constexpr uint32_t kVersionMax = 3;
constexpr uint64_t kAlignmentDefault = 32;
constexpr uint64_t kAlignmentMin =
    8;  // the format's own rule; readers of F32 and F16 data rely on it
constexpr uint64_t kAlignmentMax = uint64_t{1} << 30;
constexpr size_t kKeyBytesMax = 65535;
constexpr size_t kNameBytesMax = 1024;  // the format says 64; converters have written longer ones
constexpr uint32_t kDimsMax = 4;
constexpr uint64_t kEntryBytesMin = 8 + 4 + 1;  // key length, type, a one-byte value
constexpr uint64_t kTensorBytesMin =
    8 + 4 + 8 + 4 + 8;  // name length, dimensions, one of them, type, offset

struct TensorType {
  uint32_t id;
  std::string_view name;
  std::optional<DType> dtype;  // none: known to the format, not to us
};

constexpr std::array<TensorType, 37> kTensorTypes = {{
    {0, "F32", DType::kF32},
    {1, "F16", DType::kF16},
    {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", DType::kQ4_1},
    {6, "Q5_0", DType::kQ5_0},
    {7, "Q5_1", DType::kQ5_1},
    {8, "Q8_0", DType::kQ8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", DType::kQ2_K},
    {11, "Q3_K", DType::kQ3_K},
    {12, "Q4_K", DType::kQ4_K},
    {13, "Q5_K", DType::kQ5_K},
    {14, "Q6_K", DType::kQ6_K},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},
    {17, "IQ2_XS", {}},
    {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},
    {20, "IQ4_NL", DType::kIQ4_NL},
    {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},
    {23, "IQ4_XS", DType::kIQ4_XS},
    {24, "I8", {}},
    {25, "I16", {}},
    {26, "I32", {}},
    {27, "I64", {}},
    {28, "F64", {}},
    {29, "IQ1_M", {}},
    {30, "BF16", DType::kBF16},
    {34, "TQ1_0", {}},
    {35, "TQ2_0", {}},
    {39, "MXFP4", {}},
    {40, "NVFP4", {}},
    {41, "Q1_0", {}},
    {42, "Q2_0", {}},
    {139, "IQ4_K", {}},
    {212, "Q4_K_R4", {}},
}};

// Bytes of one item; 0 for strings and arrays.
size_t ItemBytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  return 0;
}

Result<GgufType> ReadType(ByteReader& reader, const std::string& field) {
  const size_t offset = reader.offset();
  PT_ASSIGN(const uint32_t type, reader.Read<uint32_t>(field));
  if (type > static_cast<uint32_t>(GgufType::kF64)) {
    return DataLoss(
        fmt::format("{} at offset {}: unknown value type {}, wanted 0 to 12", field, offset, type),
        field);
  }
  return static_cast<GgufType>(type);
}

// Moves past `count` items of `type`, each checked.
Status SkipItems(ByteReader& reader, GgufType type, uint64_t count, const std::string& field) {
  if (const size_t item_bytes = ItemBytes(type); item_bytes > 0) {
    if (count > reader.left() / item_bytes) {
      return DataLoss(
          fmt::format("{} at offset {}: {} items of {} bytes do not fit into the {} bytes left",
                      field, reader.offset(), count, item_bytes, reader.left()),
          field);
    }
    return reader.Take(count * item_bytes, field).status();
  }
  if (count > reader.left() / sizeof(uint64_t)) {
    return DataLoss(fmt::format("{} at offset {}: {} strings do not fit into the {} bytes left",
                                field, reader.offset(), count, reader.left()),
                    field);
  }
  for (uint64_t i = 0; i < count; ++i) {
    if (!reader.ReadString(field).ok()) {
      return DataLoss(
          fmt::format("{}: string {} of {} at offset {} is longer than the {} bytes left", field, i,
                      count, reader.offset(), reader.left()),
          field);
    }
  }
  return Status::Ok();
}

Status CheckBools(const GgufEntry& entry, const std::string& field) {
  for (size_t i = 0; i < entry.bytes.size(); ++i) {
    if (std::to_integer<uint8_t>(entry.bytes[i]) > 1) {
      return DataLoss(fmt::format("{} at offset {}: a bool is {}, wanted 0 or 1", field,
                                  entry.offset + i, std::to_integer<int>(entry.bytes[i])),
                      field);
    }
  }
  return Status::Ok();
}

Result<GgufEntry> ReadEntry(std::span<const std::byte> file, ByteReader& reader, uint64_t index) {
  const size_t key_offset = reader.offset();
  GgufEntry entry;
  PT_ASSIGN(entry.key, reader.ReadString(fmt::format("metadata key {}", index)));
  if (entry.key.empty() || entry.key.size() > kKeyBytesMax) {
    return DataLoss(
        fmt::format("metadata key {} at offset {}: its name has {} bytes, wanted 1 to {}", index,
                    key_offset, entry.key.size(), kKeyBytesMax));
  }
  const std::string field =
      fmt::format("metadata key {} '{}'", index, entry.key.substr(0, kNameBytesMax));
  PT_ASSIGN(entry.type, ReadType(reader, field));
  entry.element = entry.type;
  if (entry.type == GgufType::kArray) {
    const size_t type_offset = reader.offset();
    PT_ASSIGN(entry.element, ReadType(reader, field));
    if (entry.element == GgufType::kArray) {
      return DataLoss(
          fmt::format("{} at offset {}: an array of arrays is not supported", field, type_offset),
          field);
    }
    PT_ASSIGN(entry.count, reader.Read<uint64_t>(field));
  }
  entry.offset = reader.offset();
  PT_TRY(SkipItems(reader, entry.element, entry.count, field));
  entry.bytes = file.subspan(entry.offset, reader.offset() - entry.offset);
  if (entry.element == GgufType::kBool) PT_TRY(CheckBools(entry, field));
  return entry;
}

Result<std::vector<GgufEntry>> ReadEntries(std::span<const std::byte> file, ByteReader& reader,
                                           uint64_t count) {
  if (count > reader.left() / kEntryBytesMin) {
    return DataLoss(
        fmt::format("metadata count at offset 16: {} keys do not fit into the {} bytes left", count,
                    reader.left()),
        "metadata count");
  }
  std::vector<GgufEntry> entries;
  entries.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    PT_ASSIGN(GgufEntry entry, ReadEntry(file, reader, i));
    entries.push_back(entry);
  }
  std::ranges::sort(entries, {}, &GgufEntry::key);
  const auto twin = std::ranges::adjacent_find(entries, {}, &GgufEntry::key);
  if (twin != entries.end()) {
    return DataLoss(
        fmt::format("metadata key '{}' is there twice (values at offsets {} and {})",
                    twin->key.substr(0, kNameBytesMax), twin->offset, (twin + 1)->offset),
        std::string(twin->key.substr(0, kNameBytesMax)));
  }
  return entries;
}

// general.alignment, a power of two.
Result<uint64_t> ReadAlignment(const std::vector<GgufEntry>& entries) {
  constexpr std::string_view kKey = "general.alignment";
  const auto found = std::ranges::lower_bound(entries, kKey, {}, &GgufEntry::key);
  if (found == entries.end() || found->key != kKey) return kAlignmentDefault;
  if (found->type != GgufType::kU32) {
    return DataLoss(fmt::format("{} at offset {}: type {}, wanted u32", kKey, found->offset,
                                GgufTypeName(found->type)),
                    std::string(kKey));
  }
  PT_ASSIGN(const uint32_t alignment, ByteReader(found->bytes).Read<uint32_t>(kKey));
  if ((alignment & (alignment - 1)) != 0 || alignment < kAlignmentMin ||
      alignment > kAlignmentMax) {
    return DataLoss(fmt::format("{} at offset {}: {} is not a power of two from {} to {}", kKey,
                                found->offset, alignment, kAlignmentMin, kAlignmentMax),
                    std::string(kKey));
  }
  return alignment;
}

// A tensor as the directory describes it; its place is checked when the directory's end is known.
struct TensorEntry {
  TensorView view;
  uint64_t offset = 0;  // from the start of the tensor data
  uint64_t bytes = 0;
  size_t directory_offset = 0;
};

Result<DType> ReadTensorType(ByteReader& reader, const std::string& field) {
  const size_t offset = reader.offset();
  PT_ASSIGN(const uint32_t id, reader.Read<uint32_t>(field));
  const auto* found = std::ranges::find(kTensorTypes, id, &TensorType::id);
  if (found == kTensorTypes.end()) {
    return DataLoss(fmt::format("{}: unknown tensor type {} at offset {}", field, id, offset),
                    field);
  }
  if (!found->dtype) {
    return Unimplemented(
        fmt::format(
            "{}: tensor type {} is not supported (supported: F32, F16, BF16, Q4_0, Q4_1, Q5_0, "
            "Q5_1, Q8_0, Q2_K to Q6_K, IQ4_NL, IQ4_XS)",
            field, found->name),
        field);
  }
  return *found->dtype;
}

// GGUF lists the contiguous dimension first; a TensorView lists it last.
Status ReadShape(ByteReader& reader, const std::string& field, TensorView& view) {
  const size_t count_offset = reader.offset();
  PT_ASSIGN(const uint32_t dims, reader.Read<uint32_t>(field));
  if (dims < 1 || dims > kDimsMax) {
    return DataLoss(fmt::format("{}: {} dimensions at offset {}, wanted 1 to {}", field, dims,
                                count_offset, kDimsMax),
                    field);
  }
  view.dims = static_cast<int>(dims);
  for (uint32_t i = 0; i < dims; ++i) {
    const size_t offset = reader.offset();
    PT_ASSIGN(const uint64_t size, reader.Read<uint64_t>(field));
    if (size < 1 || size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return DataLoss(fmt::format("{}: dimension {} at offset {} is {}", field, i, offset, size),
                      field);
    }
    view.shape[dims - 1 - i] = static_cast<int64_t>(size);
  }
  return Status::Ok();
}

Result<uint64_t> TensorBytes(const TensorView& view, const std::string& field) {
  const DTypeInfo& info = Info(view.type);
  const uint64_t cols = static_cast<uint64_t>(view.cols());
  if (cols % info.block_values != 0) {
    return DataLoss(fmt::format("{}: rows of {} values are not whole blocks of {} ({})", field,
                                cols, info.block_values, info.name),
                    field);
  }
  uint64_t bytes = 0;
  bool overflow =
      __builtin_mul_overflow(cols / info.block_values, uint64_t{info.block_bytes}, &bytes);
  for (int i = 0; i + 1 < view.dims; ++i) {
    overflow |= __builtin_mul_overflow(
        bytes, static_cast<uint64_t>(view.shape[static_cast<size_t>(i)]), &bytes);
  }
  // Values, too, must be countable in int64_t: the smallest block holds more values than bytes.
  if (overflow || bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 256) {
    return DataLoss(field + ": the product of its dimensions overflows", field);
  }
  return bytes;
}

Result<TensorEntry> ReadTensor(ByteReader& reader, uint64_t index) {
  TensorEntry tensor;
  tensor.directory_offset = reader.offset();
  PT_ASSIGN(const std::string_view name, reader.ReadString(fmt::format("tensor {} name", index)));
  if (name.empty() || name.size() > kNameBytesMax) {
    return DataLoss(fmt::format("tensor {} at offset {}: its name has {} bytes, wanted 1 to {}",
                                index, tensor.directory_offset, name.size(), kNameBytesMax));
  }
  const std::string field = fmt::format("tensor {} '{}'", index, name);
  tensor.view.name = name;
  PT_TRY(ReadShape(reader, field, tensor.view));
  PT_ASSIGN(tensor.view.type, ReadTensorType(reader, field));
  PT_ASSIGN(tensor.offset, reader.Read<uint64_t>(field));
  PT_ASSIGN(tensor.bytes, TensorBytes(tensor.view, field));
  return tensor;
}

Result<std::vector<TensorEntry>> ReadTensors(ByteReader& reader, uint64_t count) {
  if (count > reader.left() / kTensorBytesMin) {
    return DataLoss(
        fmt::format("tensor count at offset 8: {} tensors do not fit into the {} bytes left", count,
                    reader.left()),
        "tensor count");
  }
  std::vector<TensorEntry> tensors;
  tensors.reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    PT_ASSIGN(TensorEntry tensor, ReadTensor(reader, i));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// Gives each tensor its bytes; `data` is the file from the first tensor on.
Status PlaceTensors(std::span<const std::byte> file, size_t data_offset, uint64_t alignment,
                    std::vector<TensorEntry>& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    TensorEntry& tensor = tensors[i];
    const std::string field = fmt::format("tensor {} '{}'", i, tensor.view.name);
    if (tensor.offset % alignment != 0) {
      return DataLoss(fmt::format("{}: offset {} is not a multiple of the alignment {}", field,
                                  tensor.offset, alignment),
                      field);
    }
    const uint64_t room = file.size() > data_offset ? file.size() - data_offset : 0;
    if (tensor.offset > room || tensor.bytes > room - tensor.offset) {
      return DataLoss(
          fmt::format("{}: offset {} + {} bytes is past the end of the file ({} bytes)", field,
                      uint64_t{data_offset} + tensor.offset, tensor.bytes, file.size()),
          field);
    }
    tensor.view.bytes = file.subspan(data_offset + tensor.offset, tensor.bytes);
  }
  return Status::Ok();
}

Status CheckDisjoint(const std::vector<TensorEntry>& tensors) {
  std::vector<const TensorEntry*> sorted;
  sorted.reserve(tensors.size());
  for (const TensorEntry& tensor : tensors) sorted.push_back(&tensor);
  std::ranges::sort(
      sorted, {}, [](const TensorEntry* tensor) -> std::string_view { return tensor->view.name; });
  const auto same_name = [](const TensorEntry* a, const TensorEntry* b) {
    return a->view.name == b->view.name;
  };
  if (const auto twin = std::ranges::adjacent_find(sorted, same_name); twin != sorted.end()) {
    return DataLoss(
        fmt::format("tensor '{}' is there twice (directory offsets {} and {})", (*twin)->view.name,
                    (*twin)->directory_offset, (*(twin + 1))->directory_offset),
        (*twin)->view.name);
  }
  std::ranges::sort(sorted, {}, &TensorEntry::offset);
  const auto overlap = [](const TensorEntry* a, const TensorEntry* b) {
    return a->offset + a->bytes > b->offset;
  };
  if (const auto first = std::ranges::adjacent_find(sorted, overlap); first != sorted.end()) {
    const TensorEntry& a = **first;
    const TensorEntry& b = **(first + 1);
    return DataLoss(
        fmt::format("tensors '{}' (data offset {} + {} bytes) and '{}' (data offset {}) overlap",
                    a.view.name, a.offset, a.bytes, b.view.name, b.offset),
        b.view.name);
  }
  return Status::Ok();
}

Status CheckVersion(uint32_t version) {
  if (version >= kVersionMin && version <= kVersionMax) return Status::Ok();
  if (__builtin_bswap32(version) <= kVersionMax) {
    return Unimplemented(
        "version at offset 4: this GGUF file is big-endian; convert it to little-endian",
        "version");
  }
  return Unimplemented(fmt::format("version at offset 4: GGUF version {}, wanted {} or {}", version,
                                   kVersionMin, kVersionMax),
                       "version");
}

bool StartsWith(std::span<const std::byte> file, std::string_view prefix) {
  return file.size() >= prefix.size() &&
         std::memcmp(file.data(), prefix.data(), prefix.size()) == 0;
}

}  // namespace

std::string_view GgufTypeName(GgufType type) {
  static constexpr std::array<std::string_view, 13> kNames = {
      "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
      "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<size_t>(type)];
}

Result<Gguf> ParseGguf(std::span<const std::byte> file) {
  if (!StartsWith(file, "GGUF")) return ExplainNotGguf(file);
  ByteReader reader(file);
  PT_TRY(reader.Take(sizeof(uint32_t), "magic").status());
  Gguf gguf;
  PT_ASSIGN(gguf.version, reader.Read<uint32_t>("version"));
  PT_TRY(CheckVersion(gguf.version));
  PT_ASSIGN(const uint64_t tensor_count, reader.Read<uint64_t>("tensor count"));
  PT_ASSIGN(const uint64_t entry_count, reader.Read<uint64_t>("metadata count"));
  PT_ASSIGN(gguf.entries, ReadEntries(file, reader, entry_count));
  PT_ASSIGN(const uint64_t alignment, ReadAlignment(gguf.entries));
  PT_ASSIGN(std::vector<TensorEntry> tensors, ReadTensors(reader, tensor_count));
  gguf.directory_bytes = reader.offset();
  const size_t data_offset = (reader.offset() + alignment - 1) / alignment * alignment;
  PT_TRY(PlaceTensors(file, data_offset, alignment, tensors));
  PT_TRY(CheckDisjoint(tensors));
  gguf.tensors.reserve(tensors.size());
  for (TensorEntry& tensor : tensors) gguf.tensors.push_back(std::move(tensor.view));
  return gguf;
}

Status ExplainNotGguf(std::span<const std::byte> file) {
  constexpr uint64_t kSafetensorsHeaderMax = 100'000'000;
  if (file.empty()) return DataLoss("the file is empty; an interrupted download?", "magic");
  if (StartsWith(file, "version https://git-lfs")) {
    return InvalidArgument(
        "this is a Git LFS pointer, not the model: fetch the real file with 'git lfs pull' or "
        "download it",
        "magic");
  }
  if (StartsWith(file, "<!DOCTYPE") || StartsWith(file, "<!doctype") || StartsWith(file, "<html")) {
    return InvalidArgument(
        "this is an HTML page, not a model: the download address gave a web page", "magic");
  }
  if (StartsWith(file, "PK\x03\x04")) {
    return InvalidArgument("this is a ZIP archive or a PyTorch checkpoint, not a GGUF model",
                           "magic");
  }
  if (StartsWith(file, "lmgg") || StartsWith(file, "fmgg") || StartsWith(file, "tjgg")) {
    return InvalidArgument("this is a GGML file from before GGUF: convert the model again",
                           "magic");
  }
  uint64_t header_bytes = 0;
  if (file.size() > sizeof(header_bytes)) {
    std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
    if (header_bytes <= kSafetensorsHeaderMax && file[sizeof(header_bytes)] == std::byte{'{'}) {
      return InvalidArgument("this is a safetensors file; a GGUF file is wanted", "magic");
    }
  }
  std::string found;
  for (const std::byte byte : file.first(std::min<size_t>(file.size(), 4))) {
    found += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return InvalidArgument(
      fmt::format("magic at offset 0: bytes {}, wanted 47475546 (\"GGUF\")", found), "magic");
}

}  // namespace pingti::formats
