#include "endpoints/text_chunks.h"

#include <algorithm>
#include <array>

namespace pingti::endpoints {

namespace {

// More bytes a token than any text has: what is longer is cut without being counted.
constexpr size_t kBytesPerTokenMax = 16;

// Ends of parts, coarse to fine; each list is one level.
const std::array<std::vector<std::string_view>, 4> kBorders = {{
    {"\n\n", "\n\r\n"},
    {"\n"},
    {". ", "! ", "? ", "; ", "。", "！", "？", "；"},
    {" ", "\t", "，", "、"},
}};

struct Part {
  std::string_view text;
  int64_t tokens;
};

class Splitter final {
 public:
  Splitter(int64_t tokens_max, const TokenCounter& count)
      : tokens_max_(tokens_max), count_(count) {}

  Status Split(std::string_view text, size_t level) {
    if (text.empty()) return Status::Ok();
    const bool small = text.size() <= kBytesPerTokenMax * static_cast<size_t>(tokens_max_);
    if (small) {
      PT_ASSIGN(const int64_t tokens, count_(text));
      if (tokens <= tokens_max_) return Add({.text = text, .tokens = tokens});
    }
    if (level >= kBorders.size()) return Halve(text);
    while (!text.empty()) {
      const size_t end = NextBorder(text, kBorders[level]);
      PT_TRY(Split(text.substr(0, end), level + 1));
      text.remove_prefix(end);
    }
    return Status::Ok();
  }

  std::vector<std::string_view> Take() {
    if (!chunk_.empty()) chunks_.push_back(chunk_);
    return std::move(chunks_);
  }

 private:
  // Behind the first of the borders, or the end.
  static size_t NextBorder(std::string_view text, const std::vector<std::string_view>& borders) {
    size_t end = text.size();
    for (const std::string_view border : borders) {
      const size_t at = text.substr(0, end).find(border);
      if (at != std::string_view::npos) end = at + border.size();
    }
    return end;
  }

  Status Halve(std::string_view text) {
    const auto inside = [&](size_t at) {
      return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    };
    size_t middle = text.size() / 2;
    while (middle > 0 && inside(middle)) --middle;
    if (middle == 0) ++middle;
    while (middle < text.size() && inside(middle)) ++middle;
    if (middle == text.size()) return Add({.text = text, .tokens = tokens_max_});  // one character
    PT_TRY(Split(text.substr(0, middle), kBorders.size()));
    return Split(text.substr(middle), kBorders.size());
  }

  // Parts come in order and touch, so that a chunk is a range of the text. The sum of parts is at
  // least about what the whole has: tokens only merge over borders.
  Status Add(const Part& part) {
    if (!chunk_.empty() && tokens_ + part.tokens > tokens_max_) {
      chunks_.push_back(chunk_);
      chunk_ = {};
      tokens_ = 0;
    }
    chunk_ = chunk_.empty() ? part.text
                            : std::string_view(chunk_.data(), chunk_.size() + part.text.size());
    tokens_ += part.tokens;
    return Status::Ok();
  }

  int64_t tokens_max_;
  const TokenCounter& count_;
  std::vector<std::string_view> chunks_;
  std::string_view chunk_;
  int64_t tokens_ = 0;
};

}  // namespace

Result<std::vector<std::string_view>> SplitIntoChunks(std::string_view text, int64_t tokens_max,
                                                      const TokenCounter& count) {
  Splitter splitter(tokens_max, count);
  PT_TRY(splitter.Split(text, 0));
  return splitter.Take();
}

}  // namespace pingti::endpoints
