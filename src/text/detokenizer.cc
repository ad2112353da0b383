#include "text/detokenizer.h"

#include <utility>

#include "text/unicode.h"

namespace pingti::text {
namespace {

// Kinds whose words carry the space before them: the one before the first word is not the text's.
bool DropsFirstSpace(const TokenizerSpec& spec) {
  return spec.model == "bert" ||
         ((spec.model == "llama" || spec.model == "t5") && spec.add_space_prefix);
}

}  // namespace

Detokenizer::Detokenizer(std::shared_ptr<const Tokenizer> tokenizer, bool keep_special)
    : tokenizer_(std::move(tokenizer)),
      keep_special_(keep_special),
      first_(DropsFirstSpace(tokenizer_->spec())) {}

std::string Detokenizer::Append(int32_t token) {
  std::string_view bytes = tokenizer_->TokenBytes(token, keep_special_);
  if (bytes.empty()) return {};
  if (first_ && bytes.front() == ' ') bytes.remove_prefix(1);
  first_ = false;
  std::string text;
  if (incomplete_.empty()) {
    const size_t rest = AppendValidUtf8(bytes, text);
    incomplete_.assign(bytes.substr(bytes.size() - rest));
    return text;
  }
  incomplete_.append(bytes);
  const size_t rest = AppendValidUtf8(incomplete_, text);
  incomplete_.erase(0, incomplete_.size() - rest);
  return text;
}

std::string Detokenizer::Finish() {
  if (incomplete_.empty()) return {};
  incomplete_.clear();
  return std::string(kReplacementUtf8);
}

}  // namespace pingti::text
