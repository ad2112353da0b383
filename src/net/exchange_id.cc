#include "net/exchange_id.h"

#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace pingti::net {

namespace {

constexpr size_t kIdBytesMax = 128;

bool Harmless(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}

}  // namespace

std::string RequestId(std::string_view wanted) {
  if (Harmless(wanted)) return std::string(wanted);
  unsigned char random[16] = {};
  if (RAND_bytes(random, sizeof(random)) != 1) {
    // Without randomness ids must still differ.
    static std::atomic<uint64_t> counter{0};
    const uint64_t value = ++counter;
    for (size_t i = 0; i < sizeof(value); ++i) random[i] = static_cast<unsigned char>(value >> (8 * i));
  }
  std::string id = "req-";
  for (const unsigned char byte : random) {
    id.push_back("0123456789abcdef"[byte >> 4]);
    id.push_back("0123456789abcdef"[byte & 15]);
  }
  return id;
}

}  // namespace pingti::net
