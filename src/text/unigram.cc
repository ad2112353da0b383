// SentencePiece Unigram: of all ways to cut the text into tokens the one with the highest sum of
// scores (Viterbi).
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "text/sentencepiece.h"
#include "text/unicode.h"

namespace pingti::text {
namespace {

class Unigram final : public SentencePieceTokenizer {
 public:
  Unigram(TokenizerSpec spec_to_own, CharsMap charsmap)
      : SentencePieceTokenizer(std::move(spec_to_own), std::move(charsmap)) {
    float least = 0;
    for (int32_t id = 0; id < vocab_size(); ++id) {
      const std::string_view token = spec().tokens[static_cast<size_t>(id)];
      if (FindPiece(token) != id || token.empty()) continue;
      pieces_.push_back({token, id});
      least = std::min(least, Score(id));
    }
    std::ranges::sort(pieces_, {}, &Piece::text);
    // What SentencePiece takes for a character that no token covers.
    constexpr float kUnknownPenalty = 10.0f;
    unknown_score_ = least - kUnknownPenalty;
  }

 private:
  struct Piece {
    std::string_view text;
    int32_t id = -1;
  };
  // The best way to reach a byte of the text.
  struct Step {
    double score = -std::numeric_limits<double>::infinity();
    uint32_t begin = 0;  // of the last token
    int32_t id = -1;     // -1: a character without a token
  };

  float Score(int32_t id) const { return spec().scores[static_cast<size_t>(id)]; }

  void EncodePlain(std::string_view text, std::vector<int32_t>& out) const override {
    const std::string escaped = Escape(text);
    const std::vector<Step> steps = BestSteps(escaped);
    std::vector<Step> path;
    for (size_t end = escaped.size(); end > 0; end = path.back().begin) {
      path.push_back(steps[end]);
    }
    size_t end = 0;
    std::string_view unknown;  // neighbours without a token make one unknown
    for (size_t i = path.size(); i-- > 0;) {
      end = i > 0 ? path[i - 1].begin : escaped.size();
      const Step& step = path[i];
      if (step.id < 0) {
        const size_t begin =
            unknown.empty() ? step.begin : static_cast<size_t>(unknown.data() - escaped.data());
        unknown = std::string_view(escaped).substr(begin, end - begin);
        continue;
      }
      if (!unknown.empty()) AppendUnknown(std::exchange(unknown, {}), out);
      out.push_back(step.id);
    }
    if (!unknown.empty()) AppendUnknown(unknown, out);
  }

  std::vector<Step> BestSteps(std::string_view text) const {
    std::vector<Step> steps(text.size() + 1);
    steps[0].score = 0;
    for (uint32_t begin = 0; begin < text.size();) {
      const uint32_t size = DecodeUtf8(text.substr(begin)).bytes;
      const double before = steps[begin].score;
      const auto improve = [&](uint32_t end, double score, int32_t id) {
        if (before + score > steps[end].score) steps[end] = {before + score, begin, id};
      };
      bool covered = false;  // a token of this one character
      auto first = pieces_.begin(), last = pieces_.end();
      for (uint32_t length = 1; begin + length <= text.size(); ++length) {
        const auto byte_at = [length](const Piece& piece) {
          return piece.text.size() < length ? -1
                                            : int{static_cast<uint8_t>(piece.text[length - 1])};
        };
        const auto agreeing = std::ranges::equal_range(
            first, last, int{static_cast<uint8_t>(text[begin + length - 1])}, {}, byte_at);
        first = agreeing.begin();
        last = agreeing.end();
        if (first == last) break;
        if (first->text.size() == length) {
          improve(begin + length, Score(first->id), first->id);
          covered = covered || length == size;
        }
      }
      if (!covered) improve(begin + size, unknown_score_, -1);
      begin += size;
    }
    return steps;
  }

  std::vector<Piece> pieces_;  // ascending by text
  float unknown_score_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> MakeUnigram(TokenizerSpec spec) {
  if (spec.scores.empty()) return SpecError("scores", "missing; a t5 vocabulary needs them");
  PT_ASSIGN(CharsMap charsmap, CharsMap::Parse(spec.charsmap));
  return std::shared_ptr<const Tokenizer>(
      std::make_shared<Unigram>(std::move(spec), std::move(charsmap)));
}

}  // namespace pingti::text
