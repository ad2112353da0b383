#include "mutate.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace pingti::fuzz {
namespace {

// Lengths and counts at which parsers err: the borders of the widths, signs and small numbers.
constexpr std::array<uint64_t, 20> kInterestingNumbers = {
    0,          1,          2,          7,           16,
    31,         64,         127,        128,         255,
    256,        0x7FFF,     0x8000,     0xFFFF,      0x7FFFFFFF,
    0x80000000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF};

// What text formats find hard: nesting, escapes, half characters, ends of lines, numbers out of range.
constexpr std::array<std::string_view, 34> kInterestingText = {
    "{",  "}",  "[",  "]",  "[[[[[[[[", "\"", "\\", "\\u", "\\ud800", "\\u0000",
    ",",  ":",  "-1", "1e999", "0.0000000001", "NaN", "null", "true", "\r\n", "\r\n\r\n",
    "\n", "\t", "{{", "}}", "{%", "%}", "{#", "\xF0\x9F\x98\x80", "\xC3", "\xED\xA0\x80",
    "\xEF\xBF\xBD", "99999999999999999999", "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"};

void FlipBit(Random& random, std::string& bytes) {
  if (bytes.empty()) return;
  char& byte = bytes[random.Below(bytes.size())];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << random.Below(8)));
}

void SetByte(Random& random, std::string& bytes) {
  if (!bytes.empty()) bytes[random.Below(bytes.size())] = static_cast<char>(random.Next() & 0xFF);
}

// Takes bytes out of the middle, or cuts the end off.
void Cut(Random& random, std::string& bytes) {
  if (bytes.empty()) return;
  const size_t start = random.Below(bytes.size());
  const size_t longest = bytes.size() - start;
  bytes.erase(start, random.Below(4) == 0 ? longest : 1 + random.Below(std::min<size_t>(longest, 32)));
}

// Says a part twice, or many times.
void Repeat(Random& random, std::string& bytes) {
  if (bytes.empty()) return;
  const size_t start = random.Below(bytes.size());
  const std::string part = bytes.substr(start, 1 + random.Below(std::min<size_t>(bytes.size() - start, 64)));
  const size_t times = random.Below(8) == 0 ? random.Below(200) : 1;
  std::string all;
  for (size_t i = 0; i < times; ++i) all += part;
  bytes.insert(start, all);
}

// A little-endian number of 1, 2, 4 or 8 bytes over what is there.
void WriteNumber(Random& random, std::string& bytes) {
  const size_t width = size_t{1} << random.Below(4);
  if (bytes.size() < width) return;
  const size_t start = random.Below(bytes.size() - width + 1);
  uint64_t number = kInterestingNumbers[random.Below(kInterestingNumbers.size())];
  if (random.Below(4) == 0) number = bytes.size() + random.Below(3) - 1;
  for (size_t i = 0; i < width; ++i) bytes[start + i] = static_cast<char>((number >> (8 * i)) & 0xFF);
}

void InsertText(Random& random, std::string& bytes) {
  bytes.insert(random.Below(bytes.size() + 1), kInterestingText[random.Below(kInterestingText.size())]);
}

// The start of one input and the end of another.
void Splice(Random& random, std::string& bytes, const std::string& other) {
  bytes.resize(random.Below(bytes.size() + 1));
  bytes.append(other, random.Below(other.size() + 1));
}

}  // namespace

uint64_t Random::Next() {
  state_ += 0x9E3779B97F4A7C15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

Mutator::Mutator(std::vector<std::string> corpus, size_t bytes_max)
    : corpus_(std::move(corpus)), bytes_max_(bytes_max) {}

std::string Mutator::Make(uint64_t seed, uint64_t run) const {
  Random random(Random(seed ^ (run * 0xD1B54A32D192ED03)).Next());
  std::string bytes = corpus_[random.Below(corpus_.size())];
  const size_t steps = 1 + random.Below(random.Below(4) == 0 ? 16 : 4);
  for (size_t i = 0; i < steps; ++i) Mutate(random, bytes);
  if (bytes.size() > bytes_max_) bytes.resize(bytes_max_);
  return bytes;
}

void Mutator::Mutate(Random& random, std::string& bytes) const {
  switch (random.Below(8)) {
    case 0: return FlipBit(random, bytes);
    case 1: return SetByte(random, bytes);
    case 2: return Cut(random, bytes);
    case 3: return Repeat(random, bytes);
    case 4: return WriteNumber(random, bytes);
    case 5: return WriteNumber(random, bytes);
    case 6: return InsertText(random, bytes);
    default: return Splice(random, bytes, corpus_[random.Below(corpus_.size())]);
  }
}

}  // namespace pingti::fuzz
