#include "text/tokenizer.h"

#include <utility>

#include "text/detokenizer.h"
#include "text/vocabulary.h"

namespace pingti::text {

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Create(TokenizerSpec spec) {
  PT_TRY(ValidateSpec(spec));
  if (spec.model == "gpt2") return MakeByteBpe(std::move(spec));
  if (spec.model == "llama") return MakeSentencePieceBpe(std::move(spec));
  if (spec.model == "t5") return MakeUnigram(std::move(spec));
  if (spec.model == "bert") return MakeWordPiece(std::move(spec));
  return SpecError("model",
                   "no tokenizer of kind \"" + spec.model + "\"; known: gpt2, llama, t5, bert");
}

std::string Tokenizer::Decode(std::span<const int32_t> tokens, bool keep_special) const {
  // Borrowed: the detokenizer lives no longer than this call.
  const std::shared_ptr<const Tokenizer> self(std::shared_ptr<void>(), this);
  Detokenizer detokenizer(self, keep_special);
  std::string text;
  for (const int32_t token : tokens) text += detokenizer.Append(token);
  return text + detokenizer.Finish();
}

bool Tokenizer::IsControl(int32_t token) const {
  const std::vector<TokenType>& types = spec().types;
  return token >= 0 && static_cast<size_t>(token) < types.size() &&
         types[static_cast<size_t>(token)] == TokenType::kControl;
}

}  // namespace pingti::text
