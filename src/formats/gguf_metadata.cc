#include "formats/gguf_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "formats/byte_reader.h"

namespace pingti::formats {
namespace {

bool IsInteger(GgufType type) {
  return type <= GgufType::kI32 || type == GgufType::kU64 || type == GgufType::kI64;
}

bool IsNumber(GgufType type) {
  return IsInteger(type) || type == GgufType::kF32 || type == GgufType::kF64;
}

std::string FoundType(const GgufEntry& entry) {
  if (entry.type != GgufType::kArray) return std::string(GgufTypeName(entry.type));
  return fmt::format("array of {}", GgufTypeName(entry.element));
}

Status WrongType(const GgufEntry& entry, std::string_view wanted) {
  return InvalidArgument(fmt::format("metadata key '{}' at offset {} is of type {}, wanted {}",
                                     entry.key, entry.offset, FoundType(entry), wanted),
                         std::string(entry.key));
}

// The parser has checked that the entry's bytes hold its items, so these reads cannot fail.
template <typename T>
T ReadNumber(ByteReader& reader) {
  return *reader.Read<T>("value");
}

// An integer item; nullopt where it does not fit.
std::optional<int64_t> ReadInteger(GgufType type, ByteReader& reader) {
  switch (type) {
    case GgufType::kU8:
      return ReadNumber<uint8_t>(reader);
    case GgufType::kI8:
      return ReadNumber<int8_t>(reader);
    case GgufType::kU16:
      return ReadNumber<uint16_t>(reader);
    case GgufType::kI16:
      return ReadNumber<int16_t>(reader);
    case GgufType::kU32:
      return ReadNumber<uint32_t>(reader);
    case GgufType::kI32:
      return ReadNumber<int32_t>(reader);
    case GgufType::kI64:
      return ReadNumber<int64_t>(reader);
    case GgufType::kU64: {
      const uint64_t value = ReadNumber<uint64_t>(reader);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    case GgufType::kF32:
    case GgufType::kF64:
    case GgufType::kBool:
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  PT_CHECK(false, "not an integer type");
}

double ReadFloat(GgufType type, ByteReader& reader) {
  if (type == GgufType::kF32) return ReadNumber<float>(reader);
  if (type == GgufType::kF64) return ReadNumber<double>(reader);
  if (type == GgufType::kU64) return static_cast<double>(ReadNumber<uint64_t>(reader));
  return static_cast<double>(*ReadInteger(type, reader));
}

bool IsArrayOf(const GgufEntry& entry, bool (*accepts)(GgufType)) {
  return entry.type == GgufType::kArray && (accepts(entry.element) || entry.count == 0);
}

}  // namespace

const GgufEntry* GgufMetadata::Find(std::string_view key) const {
  const auto found = std::ranges::lower_bound(entries_, key, {}, &GgufEntry::key);
  return found != entries_.end() && found->key == key ? &*found : nullptr;
}

Result<std::optional<std::string>> GgufMetadata::String(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<std::string>();
  if (entry->type != GgufType::kString) return WrongType(*entry, "string");
  ByteReader reader(entry->bytes);
  return std::optional<std::string>(*reader.ReadString(key));
}

Result<std::optional<int64_t>> GgufMetadata::Int(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<int64_t>();
  if (!IsInteger(entry->type)) return WrongType(*entry, "an integer");
  ByteReader reader(entry->bytes);
  const std::optional<int64_t> value = ReadInteger(entry->type, reader);
  if (!value) return WrongType(*entry, "a value below 2^63");
  return value;
}

Result<std::optional<double>> GgufMetadata::Float(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<double>();
  if (!IsNumber(entry->type)) return WrongType(*entry, "a number");
  ByteReader reader(entry->bytes);
  return std::optional<double>(ReadFloat(entry->type, reader));
}

Result<std::optional<bool>> GgufMetadata::Bool(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<bool>();
  if (entry->type != GgufType::kBool) return WrongType(*entry, "bool");
  return std::optional<bool>(entry->bytes[0] != std::byte{0});
}

Result<std::optional<std::vector<std::string>>> GgufMetadata::Strings(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<std::vector<std::string>>();
  if (!IsArrayOf(*entry, [](GgufType type) { return type == GgufType::kString; })) {
    return WrongType(*entry, "array of string");
  }
  ByteReader reader(entry->bytes);
  std::vector<std::string> strings;
  strings.reserve(entry->count);
  for (uint64_t i = 0; i < entry->count; ++i) strings.emplace_back(*reader.ReadString(key));
  return std::optional(std::move(strings));
}

Result<std::optional<std::vector<int64_t>>> GgufMetadata::Ints(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<std::vector<int64_t>>();
  if (!IsArrayOf(*entry, IsInteger)) return WrongType(*entry, "array of integers");
  ByteReader reader(entry->bytes);
  std::vector<int64_t> values;
  values.reserve(entry->count);
  for (uint64_t i = 0; i < entry->count; ++i) {
    const std::optional<int64_t> value = ReadInteger(entry->element, reader);
    if (!value) return WrongType(*entry, "values below 2^63");
    values.push_back(*value);
  }
  return std::optional(std::move(values));
}

Result<std::optional<std::vector<float>>> GgufMetadata::Floats(std::string_view key) const {
  const GgufEntry* entry = Find(key);
  if (entry == nullptr) return std::optional<std::vector<float>>();
  if (!IsArrayOf(*entry, IsNumber)) return WrongType(*entry, "array of numbers");
  ByteReader reader(entry->bytes);
  std::vector<float> values;
  values.reserve(entry->count);
  for (uint64_t i = 0; i < entry->count; ++i) {
    values.push_back(static_cast<float>(ReadFloat(entry->element, reader)));
  }
  return std::optional(std::move(values));
}

}  // namespace pingti::formats
