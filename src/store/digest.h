// Digest: SHA-256 or SHA-1 of bytes that come in pieces. Move-only; one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace pingti::store {

class Digest final {
 public:
  enum class Kind { kSha256, kSha1 };
  explicit Digest(Kind kind);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void Add(std::span<const std::byte> bytes);
  std::string Hex();  // lower case; ends the digest

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pingti::store
