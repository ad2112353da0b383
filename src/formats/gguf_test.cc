#include "formats/gguf.h"

#include <fmt/format.h>

#include <limits>

#include "formats/gguf_metadata.h"
#include "formats/testing/gguf_writer.h"
#include "gtest/gtest.h"

namespace pingti::formats {
namespace {

using testing::AsBytes;
using testing::GgufWriter;

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ4K = 12;

// A small right file: some keys of every kind and two tensors.
GgufWriter SmallModel() {
  GgufWriter writer;
  writer.AddString("general.architecture", "llama").Add("llama.block_count", uint32_t{2});
  writer.Add("llama.rope.freq_base", 10000.0F).Add("tokenizer.ggml.add_bos_token", true);
  writer.AddStrings("tokenizer.ggml.tokens", {"a", "bc", ""})
      .AddArray<int32_t>("tokenizer.ggml.token_type", {1, 3, 1});
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  writer.AddF32("token_embd.weight", {2, 3}, values);
  writer.AddTensor("blk.0.attn_q.weight", {256, 1}, kQ4K, std::string(144, '\7'));
  return writer;
}

Status ParseStatus(const std::string& bytes) { return ParseGguf(AsBytes(bytes)).status(); }

void ExpectError(const std::string& bytes, std::string_view wanted) {
  const Status status = ParseStatus(bytes);
  ASSERT_FALSE(status.ok()) << "wanted: " << wanted;
  EXPECT_NE(status.message().find(wanted), std::string::npos)
      << status.message() << "\nwanted: " << wanted;
}

TEST(Gguf, ReadsMetadataAndTensors) {
  const std::string bytes = SmallModel().Bytes();
  const Result<Gguf> gguf = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(gguf.ok()) << gguf.status().ToString();
  EXPECT_EQ(gguf->version, 3U);
  EXPECT_EQ(gguf->entries.size(), 6U);
  ASSERT_EQ(gguf->tensors.size(), 2U);
  const TensorView& embed = gguf->tensors[0];
  EXPECT_EQ(embed.name, "token_embd.weight");
  EXPECT_EQ(embed.type, DType::kF32);
  EXPECT_EQ(embed.dims, 2);
  EXPECT_EQ(embed.rows(), 3);
  EXPECT_EQ(embed.cols(), 2);
  ASSERT_EQ(embed.bytes.size(), 24U);
  float last = 0;
  std::memcpy(&last, embed.bytes.data() + 20, sizeof(last));
  EXPECT_EQ(last, 6.0F);
  EXPECT_EQ(gguf->tensors[1].type, DType::kQ4_K);
  EXPECT_EQ(gguf->tensors[1].bytes.size(), 144U);
}

TEST(Gguf, ReadsVersion2AndOtherAlignments) {
  GgufWriter writer = SmallModel();
  writer.version = 2;
  EXPECT_TRUE(ParseStatus(writer.Bytes()).ok());
  GgufWriter wide;
  wide.alignment = 256;
  wide.AddF32("a", {1}, std::vector<float>{1}).AddF32("b", {1}, std::vector<float>{2});
  const std::string bytes = wide.Bytes();
  const Result<Gguf> gguf = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(gguf.ok()) << gguf.status().ToString();
  EXPECT_EQ(gguf->tensors[1].bytes.data() - gguf->tensors[0].bytes.data(), 256);
}

TEST(Gguf, EveryTruncationIsAnErrorWithAnOffset) {
  const std::string bytes = SmallModel().Bytes();
  const std::string whole =
      bytes.substr(0, bytes.size() - (32 - 144 % 32));  // without the last padding
  ASSERT_TRUE(ParseStatus(whole).ok());
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string cut =
        whole.substr(0, length);  // its own allocation: reads past it are seen by the sanitizer
    const Status status = ParseStatus(cut);
    ASSERT_FALSE(status.ok()) << length;
    if (length >= 4) {
      EXPECT_NE(status.message().find_first_of("0123456789"), std::string::npos)
          << status.message();
    }
  }
}

TEST(Gguf, EveryChangedByteIsReadOrRefused) {
  const std::string bytes = SmallModel().Bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const char change : {'\x01', '\x80', '\xFF'}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ change);
      const Result<Gguf> gguf = ParseGguf(AsBytes(changed));
      if (!gguf.ok()) continue;
      for (const TensorView& tensor : gguf->tensors) {
        EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(),
                  AsBytes(changed).data() + changed.size());
      }
    }
  }
}

TEST(Gguf, LyingCountsAreRefusedBeforeTheyAreUsed) {
  GgufWriter entries = SmallModel();
  entries.extra_entry_count = int64_t{1} << 60;
  ExpectError(entries.Bytes(),
              "metadata count at offset 16: 1152921504606846982 keys do not fit into");
  GgufWriter tensors = SmallModel();
  tensors.extra_tensor_count = std::numeric_limits<int64_t>::max();
  ExpectError(tensors.Bytes(), "tensor count at offset 8");
  GgufWriter one_more = SmallModel();
  one_more.extra_tensor_count = 1;
  EXPECT_FALSE(ParseStatus(one_more.Bytes()).ok());
}

std::string U64(uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }
std::string U32(uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

TEST(Gguf, HostileMetadataValues) {
  ExpectError(GgufWriter().AddRaw("k", 8, U64(uint64_t{1} << 63)).Bytes(), "metadata key 0 'k'");
  ExpectError(GgufWriter().AddRaw("k", 9, U32(8) + U64(uint64_t{1} << 61)).Bytes(),
              "strings do not fit");
  ExpectError(GgufWriter().AddRaw("k", 9, U32(4) + U64(uint64_t{1} << 62)).Bytes(),
              "items of 4 bytes do not fit");
  ExpectError(GgufWriter().AddRaw("k", 9, U32(9) + U64(1) + U32(0) + U64(0)).Bytes(),
              "an array of arrays");
  ExpectError(GgufWriter().AddRaw("k", 9, U32(13) + U64(0)).Bytes(), "unknown value type 13");
  ExpectError(GgufWriter().AddRaw("k", 77, U64(0)).Bytes(), "unknown value type 77");
  ExpectError(GgufWriter().AddRaw("k", 7, "\2").Bytes(), "a bool is 2");
  ExpectError(GgufWriter().AddRaw("", 7, "\1").Bytes(), "its name has 0 bytes");
  ExpectError(GgufWriter().Add("twice", 1).Add("x", 2).Add("twice", 3).Bytes(),
              "'twice' is there twice");
}

TEST(Gguf, AlignmentMustBeAPowerOfTwo) {
  for (const uint32_t alignment : {0U, 1U, 4U, 24U, 33U, 1U << 31}) {
    GgufWriter writer;
    writer.Add("general.alignment", alignment);
    ExpectError(writer.Bytes(), "is not a power of two");
  }
  ExpectError(GgufWriter().AddString("general.alignment", "32").Bytes(), "type string, wanted u32");
}

TEST(Gguf, HostileTensorShapes) {
  ExpectError(
      GgufWriter().AddTensorEntry("t", {}, kF32, 0).AddTensorEntry("u", {1, 1}, kF32, 0).Bytes(),
      "tensor 0 't': 0 dimensions");
  ExpectError(GgufWriter().AddTensorEntry("t", {1, 1, 1, 1, 1}, kF32, 0).Bytes(), "5 dimensions");
  ExpectError(GgufWriter().AddTensorEntry("t", {4, 0}, kF32, 0).Bytes(), "dimension 1 at offset");
  ExpectError(GgufWriter().AddTensorEntry("t", {uint64_t{1} << 63}, kF32, 0).Bytes(),
              "dimension 0 at offset");
  const uint64_t big = uint64_t{1} << 32;
  ExpectError(GgufWriter().AddTensorEntry("t", {big, big, 4}, kF32, 0).Bytes(),
              "product of its dimensions overflows");
  ExpectError(GgufWriter().AddTensorEntry("t", {100, 2}, kQ4K, 0).Bytes(),
              "not whole blocks of 256 (Q4_K)");
  ExpectError(GgufWriter().AddTensorEntry("", {1}, kF32, 0).Bytes(), "its name has 0 bytes");
}

TEST(Gguf, TensorTypesThatWeDoNotRead) {
  ExpectError(GgufWriter().AddTensorEntry("blk.3.x", {256}, 18, 0).Bytes(),
              "tensor 0 'blk.3.x': tensor type IQ3_XXS is not supported");
  ExpectError(GgufWriter().AddTensorEntry("blk.3.x", {256}, 5, 0).Bytes(), "unknown tensor type 5");
  EXPECT_EQ(ParseStatus(GgufWriter().AddTensorEntry("t", {256}, 26, 0).Bytes()).code(),
            StatusCode::kUnimplemented);
}

TEST(Gguf, TensorPlaces) {
  const std::string data(64, '\0');
  ExpectError(GgufWriter().AddTensorEntry("t", {4}, kF32, 8).AddData(data).Bytes(),
              "not a multiple of the alignment 32");
  GgufWriter late;
  late.AddTensorEntry("t", {4}, kF32, 64).AddData(data);
  ExpectError(
      late.Bytes(),
      fmt::format("tensor 0 't': offset {0} + 16 bytes is past the end of the file ({0} bytes)",
                  late.Bytes().size()));
  ExpectError(GgufWriter().AddTensorEntry("t", {4}, kF32, ~uint64_t{31}).AddData(data).Bytes(),
              "past the end");
  ExpectError(GgufWriter().AddTensorEntry("t", {1 << 20}, kF32, 0).AddData(data).Bytes(),
              "past the end");
  ExpectError(GgufWriter()
                  .AddTensorEntry("t", {9}, kF32, 0)
                  .AddTensorEntry("u", {1}, kF32, 32)
                  .AddData(data)
                  .Bytes(),
              "tensors 't' (data offset 0 + 36 bytes) and 'u' (data offset 32) overlap");
  ExpectError(GgufWriter()
                  .AddTensorEntry("t", {1}, kF32, 0)
                  .AddTensorEntry("t", {1}, kF32, 32)
                  .AddData(data)
                  .Bytes(),
              "tensor 't' is there twice");
}

TEST(Gguf, SaysWhatOtherFilesAre) {
  ExpectError("", "empty");
  ExpectError("version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer");
  ExpectError("<!DOCTYPE html><html>", "HTML page");
  ExpectError("PK\x03\x04....", "ZIP archive");
  ExpectError(U64(100) + "{\"a\":1}", "safetensors");
  ExpectError("lmgg....", "before GGUF");
  ExpectError("abcdefgh", "bytes 61626364, wanted 47475546");
  ExpectError("GG", "bytes 4747, wanted");
  GgufWriter old;
  old.version = 1;
  ExpectError(old.Bytes(), "GGUF version 1, wanted 2 or 3");
  old.version = __builtin_bswap32(3);
  ExpectError(old.Bytes(), "big-endian");
}

TEST(GgufMetadata, ConvertsNumbersThatFit) {
  GgufWriter writer;
  writer.Add("u8", uint8_t{200})
      .Add("i8", int8_t{-3})
      .Add("u16", uint16_t{65535})
      .Add("i64", int64_t{-1} << 40);
  writer.Add("u64", ~uint64_t{0})
      .Add("f64", 0.25)
      .Add("bool", true)
      .AddArray<uint64_t>("u64s", {1, ~uint64_t{0}});
  writer.AddArray<int16_t>("i16s", {-1, 2})
      .AddArray<double>("f64s", {0.5})
      .AddArray<int8_t>("none", {});
  const std::string bytes = writer.Bytes();
  Result<Gguf> gguf = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(gguf.ok());
  const GgufMetadata metadata(std::move(gguf->entries));
  EXPECT_EQ(**metadata.Int("u8"), 200);
  EXPECT_EQ(**metadata.Int("i8"), -3);
  EXPECT_EQ(**metadata.Int("u16"), 65535);
  EXPECT_EQ(**metadata.Int("i64"), int64_t{-1} << 40);
  EXPECT_EQ(metadata.Int("u64").status().field(), "u64");
  EXPECT_EQ(**metadata.Float("u64"), 0x1p64);
  EXPECT_EQ(**metadata.Float("f64"), 0.25);
  EXPECT_EQ(**metadata.Float("i8"), -3.0);
  EXPECT_TRUE(**metadata.Bool("bool"));
  EXPECT_EQ(**metadata.Ints("i16s"), (std::vector<int64_t>{-1, 2}));
  EXPECT_FALSE(metadata.Ints("u64s").ok());
  EXPECT_EQ(**metadata.Floats("f64s"), std::vector<float>{0.5F});
  EXPECT_EQ((**metadata.Floats("i16s"))[0], -1.0F);
  EXPECT_TRUE((**metadata.Strings("none")).empty());
}

TEST(GgufMetadata, MissingIsNoneAndWrongTypeNamesBoth) {
  const std::string bytes = SmallModel().Bytes();
  Result<Gguf> gguf = ParseGguf(AsBytes(bytes));
  ASSERT_TRUE(gguf.ok());
  const GgufMetadata metadata(std::move(gguf->entries));
  EXPECT_FALSE(metadata.String("nothing")->has_value());
  EXPECT_FALSE(metadata.Ints("nothing")->has_value());
  const Status status = metadata.Int("general.architecture").status();
  EXPECT_NE(status.message().find("'general.architecture' at offset"), std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find("is of type string, wanted an integer"), std::string::npos)
      << status.message();
  EXPECT_NE(metadata.Strings("tokenizer.ggml.token_type")
                .status()
                .message()
                .find("array of i32, wanted array of string"),
            std::string::npos);
  EXPECT_FALSE(metadata.Float("tokenizer.ggml.add_bos_token").ok());
  EXPECT_FALSE(metadata.Bool("llama.block_count").ok());
  EXPECT_FALSE(metadata.String("llama.block_count").ok());
  EXPECT_EQ((**metadata.Strings("tokenizer.ggml.tokens"))[1], "bc");
}

}  // namespace
}  // namespace pingti::formats
