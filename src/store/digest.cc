#include "store/digest.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"

namespace pingti::store {

struct Digest::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Digest::Digest(Kind kind) : state_(std::make_unique<State>()) {
  const EVP_MD* algorithm = kind == Kind::kSha256 ? EVP_sha256() : EVP_sha1();
  PT_CHECK(EVP_DigestInit_ex(state_->context, algorithm, nullptr) == 1, "the digest must start");
}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::Add(std::span<const std::byte> bytes) {
  PT_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1,
           "the digest must go on");
}

std::string Digest::Hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  PT_CHECK(EVP_DigestFinal_ex(state_->context, bytes.data(), &size) == 1, "the digest must end");
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  return hex;
}

}  // namespace pingti::store
