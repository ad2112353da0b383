// Runner: a model with a KV cache of its own, and sequences that tests feed in whatever pieces they
// like. Each sequence's blocks are scattered over the cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "models/model.h"
#include "ops/kv_cache.h"

namespace pingti::models::testing {

using Logits = std::vector<std::vector<float>>;  // [positions][vocab]

// Some tokens of one sequence, which follow what it has already.
struct Piece {
  int sequence = 0;
  std::vector<int32_t> tokens;
};

class Runner final {
 public:
  static constexpr int32_t kSequences = 4;
  static constexpr int32_t kBlocksPerSequence = 64;

  // Rows are of prompts or of answers (ops/batch.h).
  Runner(Model& model, ops::KvType type, bool prompts = true) : model_(model), prompts_(prompts) {
    constexpr int32_t kBlocks = kSequences * kBlocksPerSequence;
    auto cache = ops::KvCache::Create(model.shape().kv, type, kBlocks);
    PT_CHECK(cache.ok(), cache.status().message().c_str());
    cache_ = std::move(cache).value();
    for (int32_t i = 0; i < kBlocks; ++i) {
      // 37 is coprime to the number of blocks: neighbours in a sequence are far apart in the cache.
      tables_[i / kBlocksPerSequence].push_back(i * 37 % kBlocks);
    }
  }

  // One batch of these pieces; logits of all their rows, in order.
  Logits Step(const std::vector<Piece>& pieces) {
    std::vector<int32_t> tokens;
    std::vector<int32_t> positions;
    std::vector<int32_t> outputs;
    std::vector<ops::SequenceRows> sequences;
    for (const Piece& piece : pieces) {
      int32_t& length = lengths_[piece.sequence];
      sequences.push_back({.row_begin = static_cast<int32_t>(tokens.size()),
                           .row_count = static_cast<int32_t>(piece.tokens.size()),
                           .position_begin = length,
                           .blocks = tables_[piece.sequence]});
      for (const int32_t token : piece.tokens) {
        outputs.push_back(static_cast<int32_t>(tokens.size()));
        tokens.push_back(token);
        positions.push_back(length++);
      }
    }
    const auto vocab = static_cast<size_t>(model_.shape().vocab_size);
    std::vector<float> flat(outputs.size() * vocab);
    model_.Forward(
        {.tokens = tokens,
         .positions = positions,
         .sequences = sequences,
         .output_rows = outputs,
         .prompt_begin = prompts_ ? 0 : static_cast<int64_t>(tokens.size())},
        *cache_, flat.data());
    Logits logits;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto begin = flat.begin() + static_cast<std::ptrdiff_t>(i * vocab);
      logits.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(vocab));
    }
    return logits;
  }

  // `tokens` of one sequence in pieces of `size`.
  Logits Chunks(int sequence, std::span<const int32_t> tokens, size_t size) {
    Logits logits;
    for (size_t begin = 0; begin < tokens.size(); begin += size) {
      const std::span<const int32_t> piece =
          tokens.subspan(begin, std::min(size, tokens.size() - begin));
      for (std::vector<float>& row : Step({{sequence, {piece.begin(), piece.end()}}}))
        logits.push_back(std::move(row));
    }
    return logits;
  }

  // The most likely tokens after `prompt`, one by one.
  std::vector<int32_t> Greedy(int sequence, std::span<const int32_t> prompt, size_t count) {
    std::vector<int32_t> tokens;
    std::vector<float> last = Chunks(sequence, prompt, prompt.size()).back();
    while (tokens.size() < count) {
      tokens.push_back(static_cast<int32_t>(std::ranges::max_element(last) - last.begin()));
      if (tokens.size() < count) last = Step({{sequence, {tokens.back()}}}).back();
    }
    return tokens;
  }

 private:
  Model& model_;
  bool prompts_ = true;
  std::unique_ptr<ops::KvCache> cache_;
  std::vector<int32_t> tables_[kSequences];
  int32_t lengths_[kSequences] = {};
};

}  // namespace pingti::models::testing
