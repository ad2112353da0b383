// SentencePiece BPE: characters are merged into the neighbouring pair whose token has the highest
// score, until none is in the vocabulary.
#include <memory>
#include <queue>
#include <utility>

#include "text/seen_pieces.h"
#include "text/sentencepiece.h"
#include "text/unicode.h"

namespace pingti::text {
namespace {

constexpr uint32_t kNowhere = 0xFFFFFFFF;

class SentencePieceBpe final : public SentencePieceTokenizer {
 public:
  SentencePieceBpe(TokenizerSpec spec_to_own, CharsMap charsmap)
      : SentencePieceTokenizer(std::move(spec_to_own), std::move(charsmap)),
        words_are_apart_(WordsAreApart()) {}

 private:
  struct Symbol {
    uint32_t begin = 0;
    uint32_t size = 0;  // 0: merged into the one before
    uint32_t previous = kNowhere;
    uint32_t next = kNowhere;
  };
  struct Candidate {
    float score = 0;
    uint32_t left = 0;
    uint32_t right = 0;
    uint32_t size = 0;                              // of both, to know a stale one
    bool operator<(const Candidate& other) const {  // true: comes later
      return score != other.score ? score < other.score : left > other.left;
    }
  };
  using Candidates = std::priority_queue<Candidate>;

  // Whether no token has a space after something else: then merges never cross from one word to the
  // next.
  bool WordsAreApart() const {
    for (int32_t id = 0; id < vocab_size(); ++id) {
      std::string_view token = spec().tokens[static_cast<size_t>(id)];
      if (FindPiece(token) < 0) continue;
      while (token.starts_with(kSpaceMark)) token.remove_prefix(kSpaceMark.size());
      if (token.find(kSpaceMark) != std::string_view::npos) return false;
    }
    return true;
  }

  void EncodePlain(std::string_view text, std::vector<int32_t>& out) const override {
    const std::string escaped = Escape(text);
    if (!words_are_apart_) return EncodeWord(escaped, out);
    SeenPieces seen(escaped.size());
    for (std::string_view rest = escaped; !rest.empty();) {
      const std::string_view word = rest.substr(0, WordSize(rest));
      rest.remove_prefix(word.size());
      const size_t out_begin = out.size();
      const SeenPieces::Place place = seen.Find(word);
      for (size_t i = place.begin; i < place.end; ++i) out.push_back(out[i]);
      if (place.end > place.begin) continue;
      EncodeWord(word, out);
      seen.Put(word, {out_begin, out.size()});
    }
  }

  // Marks for spaces and what follows up to the next mark.
  static size_t WordSize(std::string_view text) {
    size_t at = 0;
    while (text.substr(at).starts_with(kSpaceMark)) at += kSpaceMark.size();
    const size_t next = text.find(kSpaceMark, at);
    return next == std::string_view::npos ? text.size() : next;
  }

  void EncodeWord(std::string_view word, std::vector<int32_t>& out) const {
    std::vector<Symbol> symbols = Characters(word);
    Candidates candidates;
    for (uint32_t i = 1; i < symbols.size(); ++i) Consider(word, symbols, i - 1, candidates);
    while (!candidates.empty()) {
      const Candidate best = candidates.top();
      candidates.pop();
      Symbol& left = symbols[best.left];
      Symbol& right = symbols[best.right];
      if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
      left.size += right.size;
      right.size = 0;
      left.next = right.next;
      if (right.next != kNowhere) symbols[right.next].previous = best.left;
      if (left.previous != kNowhere) Consider(word, symbols, left.previous, candidates);
      Consider(word, symbols, best.left, candidates);
    }
    for (const Symbol& symbol : symbols) {
      if (symbol.size == 0) continue;
      const std::string_view piece = word.substr(symbol.begin, symbol.size);
      if (const int32_t id = FindPiece(piece); id >= 0) {
        out.push_back(id);
      } else {
        AppendUnknown(piece, out);
      }
    }
  }

  static std::vector<Symbol> Characters(std::string_view word) {
    std::vector<Symbol> symbols;
    for (uint32_t begin = 0; begin < word.size();) {
      const uint32_t size = DecodeUtf8(word.substr(begin)).bytes;
      const auto index = static_cast<uint32_t>(symbols.size());
      symbols.push_back({.begin = begin, .size = size, .previous = index - 1, .next = index + 1});
      begin += size;
    }
    if (!symbols.empty()) symbols.back().next = kNowhere;
    return symbols;
  }

  void Consider(std::string_view word, const std::vector<Symbol>& symbols, uint32_t left,
                Candidates& candidates) const {
    const uint32_t right = symbols[left].next;
    if (right == kNowhere) return;
    const uint32_t size = symbols[left].size + symbols[right].size;
    const int32_t id = FindPiece(word.substr(symbols[left].begin, size));
    if (id < 0) return;
    candidates.push({spec().scores[static_cast<size_t>(id)], left, right, size});
  }

  bool words_are_apart_;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> MakeSentencePieceBpe(TokenizerSpec spec) {
  if (spec.scores.empty()) return SpecError("scores", "missing; a llama vocabulary needs them");
  PT_ASSIGN(CharsMap charsmap, CharsMap::Parse(spec.charsmap));
  return std::shared_ptr<const Tokenizer>(
      std::make_shared<SentencePieceBpe>(std::move(spec), std::move(charsmap)));
}

}  // namespace pingti::text
