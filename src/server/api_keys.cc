#include "server/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/file.h"

namespace pingti::server {

namespace {

constexpr std::string_view kSpace = " \t\r";
constexpr std::string_view kSumPrefix = "sha256:";
constexpr size_t kFileBytesMax = 4 << 20;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ApiKeys::Sum ApiKeys::SumOf(std::string_view key) {
  Sum sum{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), sum.data());
  return sum;
}

Status ApiKeys::AddLine(std::string_view line, const std::string& where) {
  line = Trim(line);
  if (line.empty() || line.front() == '#') return Status::Ok();
  const size_t gap = line.find_first_of(kSpace);
  Key key{.name = "key-" + std::to_string(keys_.size() + 1), .sum = {}};
  std::string_view secret = line;
  if (gap != std::string_view::npos) {
    key.name = std::string(line.substr(0, gap));
    secret = Trim(line.substr(gap));
  }
  if (secret.find_first_of(kSpace) != std::string_view::npos) {
    return InvalidArgument(where + ": wanted 'name key', found more than two words", "api_keys");
  }
  if (!secret.starts_with(kSumPrefix)) {
    key.sum = SumOf(secret);
    keys_.push_back(std::move(key));
    return Status::Ok();
  }
  secret.remove_prefix(kSumPrefix.size());
  bool hex = secret.size() == 2 * key.sum.size();
  for (size_t i = 0; hex && i < key.sum.size(); ++i) {
    const int high = HexDigit(secret[2 * i]);
    const int low = HexDigit(secret[2 * i + 1]);
    hex = high >= 0 && low >= 0;
    if (hex) key.sum[i] = static_cast<unsigned char>(high * 16 + low);
  }
  if (!hex) return InvalidArgument(where + ": 'sha256:' wants 64 hex digits", "api_keys");
  keys_.push_back(std::move(key));
  return Status::Ok();
}

Result<ApiKeys> ApiKeys::Load(const std::filesystem::path& file, const std::vector<std::string>& lines) {
  ApiKeys keys;
  if (!file.empty()) {
    PT_ASSIGN(const std::string text, ReadFile(file, kFileBytesMax));
    std::string_view rest = text;
    for (int number = 1; !rest.empty(); ++number) {
      const size_t end = rest.find('\n');
      PT_TRY(keys.AddLine(rest.substr(0, end), file.string() + ":" + std::to_string(number)));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    if (keys.empty()) return InvalidArgument(file.string() + " holds no key", "api_key_file");
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    PT_TRY(keys.AddLine(lines[i], "API key " + std::to_string(i + 1)));
  }
  return keys;
}

std::optional<std::string> ApiKeys::NameOf(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() <= kScheme.size() || (authorization[0] | 0x20) != 'b' ||
      authorization.substr(1, kScheme.size() - 1) != kScheme.substr(1)) {
    return std::nullopt;
  }
  const Sum sum = SumOf(Trim(authorization.substr(kScheme.size())));
  // All keys are looked at, so that the time tells nothing about which was near.
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (CRYPTO_memcmp(key.sum.data(), sum.data(), sum.size()) == 0) found = &key;
  }
  return found == nullptr ? std::nullopt : std::optional<std::string>(found->name);
}

}  // namespace pingti::server
