// Cutting a long text into pieces of bounded size, in tokens: at the borders of paragraphs where
// they fit, else of lines, sentences, words, and at last anywhere between two characters. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::endpoints {

using TokenCounter = std::function<Result<int64_t>(std::string_view text)>;

// The pieces, in order and together the whole text, each at most `tokens_max` by `count` (where one
// character is more, it stands alone). They borrow from `text`. Counting is asked for small parts
// only, never for the whole of a long text.
Result<std::vector<std::string_view>> SplitIntoChunks(std::string_view text, int64_t tokens_max,
                                                      const TokenCounter& count);

}  // namespace pingti::endpoints
