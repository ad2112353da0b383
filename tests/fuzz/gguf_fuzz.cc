// Any bytes as a GGUF file: parsed or refused, and every value of a parsed file can be asked for.
// layers: formats
#include <cstddef>
#include <cstdint>

#include "formats/gguf.h"
#include "formats/gguf_metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using pingti::formats::Gguf;
  pingti::Result<Gguf> gguf =
      pingti::formats::ParseGguf({reinterpret_cast<const std::byte*>(data), size});
  if (!gguf.ok()) return 0;
  for (const pingti::TensorView& tensor : gguf->tensors) {
    if (tensor.bytes.empty()) __builtin_trap();
    volatile std::byte touched = tensor.bytes.front() ^ tensor.bytes.back();
    static_cast<void>(touched);
  }
  const pingti::formats::GgufMetadata metadata(std::move(gguf->entries));
  for (const pingti::formats::GgufEntry& entry : metadata.entries()) {
    static_cast<void>(metadata.String(entry.key).ok());
    static_cast<void>(metadata.Int(entry.key).ok());
    static_cast<void>(metadata.Float(entry.key).ok());
    static_cast<void>(metadata.Bool(entry.key).ok());
    static_cast<void>(metadata.Strings(entry.key).ok());
    static_cast<void>(metadata.Ints(entry.key).ok());
    static_cast<void>(metadata.Floats(entry.key).ok());
  }
  return 0;
}
