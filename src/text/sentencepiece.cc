#include "text/sentencepiece.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "text/unicode.h"

namespace pingti::text {
namespace {

// The byte of a token "<0x41>", or -1.
int ByteOf(std::string_view token) {
  constexpr std::string_view kPrefix = "<0x", kSuffix = ">";
  constexpr size_t kDigits = 2;
  if (token.size() != kPrefix.size() + kDigits + kSuffix.size() || !token.starts_with(kPrefix) ||
      !token.ends_with(kSuffix)) {
    return -1;
  }
  int byte = -1;
  const char* digits = token.data() + kPrefix.size();
  const auto parsed = std::from_chars(digits, digits + kDigits, byte, 16);
  return parsed.ec == std::errc() && parsed.ptr == digits + kDigits ? byte : -1;
}

std::string Unescape(std::string_view piece) {
  std::string text;
  while (!piece.empty()) {
    if (piece.starts_with(kSpaceMark)) {
      text += ' ';
      piece.remove_prefix(kSpaceMark.size());
    } else {
      text += piece.front();
      piece.remove_prefix(1);
    }
  }
  return text;
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(TokenizerSpec spec_to_own, CharsMap charsmap)
    : VocabularyTokenizer(std::move(spec_to_own)), charsmap_(std::move(charsmap)) {
  byte_tokens_.fill(-1);
  for (int32_t id = 0; id < vocab_size(); ++id) {
    const std::string& token = spec().tokens[static_cast<size_t>(id)];
    const TokenType type = TypeOf(id);
    const int byte = type == TokenType::kByte ? ByteOf(token) : -1;
    if (byte >= 0) {
      byte_tokens_[static_cast<size_t>(byte)] = id;
      bytes().Add(std::string(1, static_cast<char>(byte)));
    } else {
      bytes().Add(type == TokenType::kControl ? token : Unescape(token));
      piece_bytes_max_ = std::max(piece_bytes_max_, token.size());
    }
  }
  has_bytes_ = std::ranges::find(byte_tokens_, -1) == byte_tokens_.end();
}

std::string SentencePieceTokenizer::Escape(std::string_view text) const {
  std::string normalized;
  if (!charsmap_.empty()) {
    normalized = Normalize(text);
    text = normalized;
  }
  const bool squeeze = spec().remove_extra_spaces;
  if (squeeze) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.empty()) return {};
  }
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 2 + kSpaceMark.size());
  if (spec().add_space_prefix) escaped.append(kSpaceMark);
  bool after_space = false;
  for (const char c : text) {
    const bool space = c == ' ';
    if (!space) {
      escaped += c;
    } else if (!squeeze || !after_space) {
      escaped.append(kSpaceMark);
    }
    after_space = space;
  }
  return escaped;
}

// The longest rule wins at each place; what has none stays, but for bytes that are no character.
std::string SentencePieceTokenizer::Normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  while (!text.empty()) {
    if (const CharsMap::Rule rule = charsmap_.Longest(text); rule.bytes > 0) {
      out.append(rule.replacement);
      text.remove_prefix(rule.bytes);
      continue;
    }
    const Utf8Char next = DecodeUtf8(text);
    if (next.state == Utf8State::kValid) {
      out.append(text.substr(0, next.bytes));
      text.remove_prefix(next.bytes);
    } else {
      out.append(kReplacementUtf8);
      text.remove_prefix(1);
    }
  }
  return out;
}

int32_t SentencePieceTokenizer::FindPiece(std::string_view piece) const {
  if (piece.size() > piece_bytes_max_) return -1;
  const int32_t id = FindToken(piece);
  if (id < 0) return -1;
  const TokenType type = TypeOf(id);
  const bool usable =
      type == TokenType::kNormal || type == TokenType::kUserDefined || type == TokenType::kUnused;
  return usable ? id : -1;
}

void SentencePieceTokenizer::AppendUnknown(std::string_view piece,
                                           std::vector<int32_t>& out) const {
  if (has_bytes_) {
    for (const char c : piece) out.push_back(byte_tokens_[static_cast<uint8_t>(c)]);
  } else if (spec().unknown >= 0) {
    out.push_back(spec().unknown);
  }
}

}  // namespace pingti::text
