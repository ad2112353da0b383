// GGUF v2 and v3 as bytes: header, metadata and tensor directory of one file (ggml, docs/gguf.md).
// Parsing checks every count, length, offset, type and product against the bytes that are there
// before it uses it; what it returns borrows from the file's bytes. Memory stays within a small
// multiple of the directory's size whatever the file says. Pure functions and values: thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor_view.h"

namespace pingti::formats {

enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
std::string_view GgufTypeName(GgufType type);  // "u8", ..., "string", "array"

// One key of the metadata.
struct GgufEntry {
  std::string_view key;
  GgufType type = GgufType::kU8;     // kArray: an array of `element`
  GgufType element = GgufType::kU8;  // of the items; of the value itself where it is not an array
  uint64_t count = 1;                // items
  size_t offset = 0;                 // of the first item in the file
  std::span<const std::byte> bytes;  // the items, one after the other; strings with their lengths
};

struct Gguf {
  uint32_t version = 0;
  std::vector<GgufEntry> entries;   // sorted by key, each key once
  std::vector<TensorView> tensors;  // in file order, each name once, no two overlapping
  size_t directory_bytes = 0;       // header, metadata and tensor directory: the file up to here
};

Result<Gguf> ParseGguf(std::span<const std::byte> file);

// What a file that is no GGUF is instead, in plain words; an error for every input.
Status ExplainNotGguf(std::span<const std::byte> file);

}  // namespace pingti::formats
