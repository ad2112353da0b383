// Byte-level BPE: the text's bytes are the smallest tokens, so that any text can be said and
// nothing is unknown.
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "text/merges.h"
#include "text/pretokenizer.h"
#include "text/seen_pieces.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace pingti::text {
namespace {

// Vocabularies write bytes as printable characters: those that are printable in Latin-1 as
// themselves, the others as U+0100 onwards.
class ByteAlphabet final {
 public:
  ByteAlphabet() {
    char32_t next = kFirstForUnprintable;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      char_of_[byte] = printable ? byte : next++;
      byte_of_[char_of_[byte]] = static_cast<int16_t>(byte);
    }
  }
  char32_t CharOf(uint8_t byte) const { return char_of_[byte]; }
  // -1 where the character stands for no byte.
  int ByteOf(char32_t code) const { return code < byte_of_.size() ? byte_of_[code] : -1; }

 private:
  static constexpr char32_t kFirstForUnprintable = 0x100;
  static std::array<int16_t, 0x180> NoBytes() {
    std::array<int16_t, 0x180> none;
    none.fill(-1);
    return none;
  }
  std::array<char32_t, 256> char_of_{};
  std::array<int16_t, 0x180> byte_of_ = NoBytes();
};

// The bytes that a token's text stands for; characters outside the alphabet stand for themselves.
std::string BytesOf(const ByteAlphabet& alphabet, std::string_view token) {
  std::string bytes;
  while (!token.empty()) {
    const Utf8Char next = DecodeUtf8(token);
    const int byte = next.state == Utf8State::kValid ? alphabet.ByteOf(next.code) : -1;
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      bytes.append(token.substr(0, next.bytes));
    }
    token.remove_prefix(next.bytes);
  }
  return bytes;
}

class ByteBpe final : public VocabularyTokenizer {
 public:
  ByteBpe(TokenizerSpec spec_to_own, const Pretokenizer& pretokenizer, MergeTable merges)
      : VocabularyTokenizer(std::move(spec_to_own)),
        pretokenizer_(pretokenizer),
        merges_(std::move(merges)) {
    const ByteAlphabet alphabet;
    for (int32_t id = 0; id < vocab_size(); ++id) {
      const std::string& token = spec().tokens[static_cast<size_t>(id)];
      const TokenType type = TypeOf(id);
      const bool written_as_is = type == TokenType::kControl || type == TokenType::kUserDefined;
      bytes().Add(written_as_is ? token : BytesOf(alphabet, token));
    }
    for (uint32_t byte = 0; byte < byte_tokens_.size(); ++byte) {
      std::string text;
      AppendUtf8(alphabet.CharOf(static_cast<uint8_t>(byte)), text);
      byte_tokens_[byte] = FindToken(text);
    }
    if (pretokenizer_.whole_pieces_first()) IndexWholePieces();
  }

 private:
  void IndexWholePieces() {
    whole_pieces_ = StringIndex(spec().tokens.size());
    for (int32_t id = 0; id < vocab_size(); ++id) {
      if (TypeOf(id) == TokenType::kNormal)
        whole_pieces_.Add(bytes().Of(static_cast<size_t>(id)), id);
    }
  }

  void EncodePlain(std::string_view text, std::vector<int32_t>& out) const override {
    SeenPieces seen(text.size());
    std::vector<int32_t> scratch;
    size_t begin = 0;
    for (const size_t end : pretokenizer_.Split(text)) {
      const std::string_view piece = text.substr(begin, end - begin);
      begin = end;
      const size_t out_begin = out.size();
      const SeenPieces::Place place = seen.Find(piece);
      if (place.end > place.begin) {
        for (size_t i = place.begin; i < place.end; ++i) out.push_back(out[i]);
        continue;
      }
      EncodePiece(piece, scratch, out);
      seen.Put(piece, {out_begin, out.size()});
    }
  }

  void EncodePiece(std::string_view piece, std::vector<int32_t>& scratch,
                   std::vector<int32_t>& out) const {
    if (const int32_t whole = whole_pieces_.Find(piece); whole >= 0) {
      out.push_back(whole);
      return;
    }
    scratch.clear();
    for (const char c : piece) {
      const int32_t token = byte_tokens_[static_cast<uint8_t>(c)];
      // A vocabulary may lack bytes that its training text had not; then they are unknown, or lost
      // as its authors had it.
      if (token >= 0) {
        scratch.push_back(token);
      } else if (spec().unknown >= 0) {
        scratch.push_back(spec().unknown);
      }
    }
    merges_.Merge(scratch);
    out.insert(out.end(), scratch.begin(), scratch.end());
  }

  const Pretokenizer& pretokenizer_;  // static
  MergeTable merges_;
  std::array<int32_t, 256> byte_tokens_{};  // -1: none
  StringIndex whole_pieces_;                // bytes -> id; empty unless the pre-tokenizer wants it
};

Result<MergeTable> ParseMerges(const TokenizerSpec& spec) {
  StringIndex index(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); ++id)
    index.Add(spec.tokens[id], static_cast<int32_t>(id));
  MergeTable merges(spec.merges.size());
  std::string joined;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string_view rule = spec.merges[rank];
    const std::string place = "rule " + std::to_string(rank) + " \"" + spec.merges[rank] + "\"";
    const size_t space = rule.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == rule.size()) {
      return SpecError("merges", place + " is not two tokens with a space between");
    }
    const std::string_view left = rule.substr(0, space), right = rule.substr(space + 1);
    joined.assign(left).append(right);
    const MergeTable::Pair pair{index.Find(left), index.Find(right)};
    const int32_t token = index.Find(joined);
    if (pair.left < 0 || pair.right < 0 || token < 0) {
      return SpecError("merges", place + " names or makes a text that is not in the vocabulary");
    }
    // Users' text must never merge into a control token.
    const bool control =
        !spec.types.empty() && spec.types[static_cast<size_t>(token)] == TokenType::kControl;
    if (!control) merges.Add(pair, {static_cast<uint32_t>(rank), token});
  }
  return merges;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> MakeByteBpe(TokenizerSpec spec) {
  const Pretokenizer* pretokenizer = Pretokenizer::Find(spec.pre.empty() ? "default" : spec.pre);
  if (pretokenizer == nullptr) {
    return SpecError("pre",
                     "no pre-tokenizer \"" + spec.pre + "\"; known: " + Pretokenizer::Names());
  }
  if (spec.merges.empty()) return SpecError("merges", "missing; a gpt2 vocabulary needs them");
  PT_ASSIGN(MergeTable merges, ParseMerges(spec));
  return std::shared_ptr<const Tokenizer>(
      std::make_shared<ByteBpe>(std::move(spec), *pretokenizer, std::move(merges)));
}

}  // namespace pingti::text
