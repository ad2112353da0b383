#include "text/charsmap.h"

#include "gtest/gtest.h"
#include "text/tokenizer.h"

namespace pingti::text {
namespace {

void AppendUnit(uint32_t unit, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(unit >> shift & 0xFF);
}

std::string Blob(const std::vector<uint32_t>& units, std::string_view replacements) {
  std::string blob;
  AppendUnit(static_cast<uint32_t>(units.size() * 4), blob);
  for (const uint32_t unit : units) AppendUnit(unit, blob);
  return blob.append(replacements);
}

// "a" -> "xy", "ab" -> "", "c" -> " ", by hand: a child stands at its parent's base ^ byte, a value
// at the base itself.
std::string SmallMap() {
  constexpr uint32_t kHasValue = 1U << 8, kValue = 1U << 31;
  const auto base = [](uint32_t from, uint32_t to) { return (from ^ to) << 10; };
  std::vector<uint32_t> units(1024, 0x7FFFFFFF);  // labels of no byte
  units[0] = base(0, 256);
  units[256 ^ 'a'] = 'a' | kHasValue | base(256 ^ 'a', 512);
  units[512] = kValue | 0;
  units[512 ^ 'b'] = 'b' | kHasValue | base(512 ^ 'b', 640);
  units[640] = kValue | 3;
  units[256 ^ 'c'] = 'c' | kHasValue | base(256 ^ 'c', 768);
  units[768] = kValue | 4;
  return Blob(units, std::string_view("xy\0\0 \0", 6));
}

TEST(CharsMap, TheLongestRuleWins) {
  const auto map = CharsMap::Parse(SmallMap());
  ASSERT_TRUE(map.ok()) << map.status().ToString();
  EXPECT_EQ(map->Longest("a").replacement, "xy");
  EXPECT_EQ(map->Longest("ac").bytes, 1u);
  EXPECT_EQ(map->Longest("abc").bytes, 2u);
  EXPECT_EQ(map->Longest("abc").replacement, "");
  EXPECT_EQ(map->Longest("b").bytes, 0u);
  EXPECT_EQ(map->Longest("").bytes, 0u);
}

TEST(CharsMap, ErrorsNameWhatIsWrong) {
  const auto message = [](const std::string& blob) {
    return CharsMap::Parse(blob).status().ToString();
  };
  EXPECT_NE(message("ab").find("precompiled_charsmap: wanted the size of a trie"),
            std::string::npos);
  EXPECT_NE(message(Blob({}, "x")).find("0 bytes"), std::string::npos);
  EXPECT_NE(message(std::string("\xFF\xFF\xFF\x7F 1234")).find("wanted units of 4 within"),
            std::string::npos);
  EXPECT_NE(message(Blob({0}, "open")).find("does not end with a zero byte"), std::string::npos);
  EXPECT_NE(message(Blob({0}, std::string(300, 'x') + '\0')).find("has 300 bytes, more than 256"),
            std::string::npos);
  EXPECT_TRUE(CharsMap::Parse("")->empty());
}

TEST(CharsMap, AMapThatLeadsNowhereStaysInBounds) {
  for (const uint32_t unit : {0u, 0xFFFFFFFFu, 0x7FFFFFFFu, 0x00000361u, 0xFFFFFD61u}) {
    const auto map =
        CharsMap::Parse(Blob(std::vector<uint32_t>(300, unit), std::string_view("x\0", 2)));
    ASSERT_TRUE(map.ok());
    EXPECT_LE(map->Longest(std::string(1000, 'a')).bytes, 1000u);
  }
}

TokenizerSpec UnigramSpec() {
  TokenizerSpec spec;
  spec.model = "t5";
  spec.tokens = {"<unk>", "\u2581", "x", "y", "b", "\u2581x", "\uFFFD"};
  spec.types = {TokenType::kUnknown};
  spec.types.resize(spec.tokens.size(), TokenType::kNormal);
  spec.scores = {0, -2, -3, -3, -3, -1, -3};
  spec.unknown = 0;
  spec.charsmap = SmallMap();
  return spec;
}

using Ids = std::vector<int32_t>;

TEST(CharsMap, NormalizesBeforeUnigram) {
  TokenizerSpec spec = UnigramSpec();
  const auto tokenizer = Tokenizer::Create(spec);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  EXPECT_EQ((*tokenizer)->Encode("a", {}), (Ids{5, 3}));
  EXPECT_EQ((*tokenizer)->Encode("xabb", {}), (Ids{5, 4}));
  EXPECT_EQ((*tokenizer)->Encode("xc\xFF", {}), (Ids{5, 1, 6}));
  EXPECT_EQ((*tokenizer)->Encode(" x", {}), (Ids{1, 5}));
  spec.remove_extra_spaces = true;
  const auto squeezed = Tokenizer::Create(spec);
  EXPECT_EQ((*squeezed)->Encode("  x cc y c", {}), (Ids{5, 1, 3}));
  EXPECT_EQ((*squeezed)->Encode("  c ", {}), Ids{});
}

TEST(CharsMap, ABadMapIsAnErrorOfTheFile) {
  TokenizerSpec spec = UnigramSpec();
  spec.charsmap = "abc";
  const auto tokenizer = Tokenizer::Create(std::move(spec));
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.status().field(), "tokenizer.ggml.precompiled_charsmap");
}

}  // namespace
}  // namespace pingti::text
