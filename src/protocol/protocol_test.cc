#include <gtest/gtest.h>

#include <cmath>

#include "protocol/answers.h"
#include "protocol/errors.h"
#include "protocol/generation_request.h"

namespace pingti::protocol {
namespace {

const RequestLimits kLimits;

std::string ChatBody(const std::string& fields) {
  return R"({"messages":[{"role":"user","content":"hi"}])" + (fields.empty() ? "" : "," + fields) + "}";
}

Status ChatError(const std::string& fields) {
  const auto request = ParseChatRequest(ChatBody(fields), kLimits);
  return request.status();
}

TEST(ChatRequest, Defaults) {
  auto request = ParseChatRequest(ChatBody(""), kLimits);
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_EQ(request->options.model, "");
  EXPECT_FALSE(request->stream.stream);
  EXPECT_EQ(request->options.choices.n, 1);
  EXPECT_FALSE(request->options.sampling.temperature.has_value());
  EXPECT_FALSE(request->options.sampling.max_tokens.has_value());
  EXPECT_TRUE(request->input.add_generation_prompt);
}

TEST(ChatRequest, NullIsAbsentAndUnknownIsIgnored) {
  auto request = ParseChatRequest(
      ChatBody(R"("temperature":null,"n":null,"stream":null,"stop":null,"logit_bias":null,"tools":null,"zebra":[1,{}])"),
      kLimits);
  EXPECT_TRUE(request.ok()) << request.status().ToString();
}

TEST(ChatRequest, AllSamplingFields) {
  auto request = ParseChatRequest(
      ChatBody(R"("temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,"typical_p":0.8,"top_n_sigma":1.5,
      "repetition_penalty":1.2,"presence_penalty":-1,"frequency_penalty":2,"dry_multiplier":0.8,"dry_base":1.7,
      "dry_allowed_length":3,"dry_penalty_last_n":64,"dry_sequence_breakers":["a","b"],"xtc_probability":0.5,
      "xtc_threshold":0.2,"mirostat":2,"mirostat_tau":4,"mirostat_eta":0.2,"logit_bias":{"5":-100,"7":2.5},
      "seed":-3,"stop":["x","y"],"stop_token_ids":[1,2.0],"include_stop_str_in_output":true,"ignore_eos":true,
      "skip_special_tokens":false,"min_tokens":2,"max_new_tokens":128,"max_total_tokens":500,"prompt_logprobs":1,
      "logprobs":true,"top_logprobs":5,"n":3,"best_of":4,"priority":-2,"cache_salt":"s","chat_template_kwargs":{"a":1})"),
      kLimits);
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  const SamplingParams& s = request->options.sampling;
  EXPECT_FLOAT_EQ(*s.temperature, 0.5F);
  EXPECT_FLOAT_EQ(*s.repetition_penalty, 1.2F);
  EXPECT_EQ(*s.top_k, 40);
  EXPECT_EQ(s.dry_sequence_breakers->size(), 2U);
  EXPECT_EQ(s.logit_bias.size(), 2U);
  EXPECT_EQ(*s.seed, static_cast<uint64_t>(-3));
  EXPECT_EQ(s.stop, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(s.stop_token_ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(*s.max_tokens, 128);
  EXPECT_EQ(*s.max_total_tokens, 500);
  EXPECT_EQ(s.top_logprobs, 5);
  EXPECT_EQ(s.prompt_logprobs, 1);
  EXPECT_EQ(request->options.choices.best_of, 4);
  EXPECT_EQ(request->options.priority, -2);
  EXPECT_TRUE(request->input.template_kwargs.contains("a"));
}

TEST(ChatRequest, AliasesHaveAnOrder) {
  auto request = ParseChatRequest(ChatBody(R"("max_tokens":5,"max_completion_tokens":7)"), kLimits);
  EXPECT_EQ(*request->options.sampling.max_tokens, 7);
  EXPECT_EQ(ChatError(R"("max_new_tokens":0)").field(), "max_new_tokens");
}

TEST(ChatRequest, SeedsOf64BitsComeBack) {
  auto request = ParseChatRequest(ChatBody(R"("seed":18446744073709551615)"), kLimits);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(*request->options.sampling.seed, UINT64_MAX);
}

struct ErrorCase {
  const char* fields;
  const char* field;
  const char* reason;
};

TEST(ChatRequest, EveryWrongFieldIsNamed) {
  const ErrorCase cases[] = {
      {R"("temperature":2.1)", "temperature", "decimal_above_max_value"},
      {R"("temperature":-0.1)", "temperature", "decimal_below_min_value"},
      {R"("temperature":"hot")", "temperature", "invalid_type"},
      {R"("temperature":true)", "temperature", "invalid_type"},
      {R"("temperature":1e999)", "", ""},
      {R"("top_p":1.5)", "top_p", "decimal_above_max_value"},
      {R"("top_k":-2)", "top_k", "integer_below_min_value"},
      {R"("top_k":1.5)", "top_k", "invalid_type"},
      {R"("min_p":2)", "min_p", "decimal_above_max_value"},
      {R"("typical_p":0)", "typical_p", "decimal_below_min_value"},
      {R"("repetition_penalty":0)", "repetition_penalty", "decimal_below_min_value"},
      {R"("presence_penalty":3)", "presence_penalty", "decimal_above_max_value"},
      {R"("mirostat":1)", "mirostat", "invalid_value"},
      {R"("logit_bias":{"x":1})", "logit_bias", "invalid_value"},
      {R"("logit_bias":{"1":101})", "logit_bias", "invalid_value"},
      {R"("logit_bias":{"1":"a"})", "logit_bias", "invalid_type"},
      {R"("logit_bias":[])", "logit_bias", "invalid_type"},
      {R"("stop":5)", "stop", "invalid_type"},
      {R"("stop":["a",5])", "stop", "invalid_type"},
      {R"("stop_token_ids":["a"])", "stop_token_ids", "invalid_type"},
      {R"("stop_token_ids":[-1])", "stop_token_ids", "invalid_value"},
      {R"("max_tokens":0)", "max_tokens", "integer_below_min_value"},
      {R"("max_tokens":"5")", "max_tokens", "invalid_type"},
      {R"("max_tokens":99999999999)", "max_tokens", "integer_above_max_value"},
      {R"("max_tokens":5,"min_tokens":6)", "min_tokens", "invalid_value"},
      {R"("seed":"a")", "seed", "invalid_type"},
      {R"("n":0)", "n", "integer_below_min_value"},
      {R"("n":129)", "n", "integer_above_max_value"},
      {R"("n":3,"best_of":2)", "best_of", "invalid_value"},
      {R"("stream":"yes")", "stream", "invalid_type"},
      {R"("stream_options":{"include_usage":true})", "stream_options", "invalid_value"},
      {R"("stream":true,"stream_options":{"include_usage":1})", "stream_options.include_usage", "invalid_type"},
      {R"("logprobs":5)", "logprobs", "invalid_type"},
      {R"("top_logprobs":5)", "top_logprobs", "invalid_value"},
      {R"("logprobs":true,"top_logprobs":21)", "top_logprobs", "integer_above_max_value"},
      {R"("response_format":{"type":"json_object"})", "response_format", "unsupported_value"},
      {R"("response_format":{})", "response_format.type", "missing_required_parameter"},
      {R"("response_format":"text")", "response_format", "invalid_type"},
      {R"("tool_choice":"required")", "tool_choice", "unsupported_value"},
      {R"("tool_choice":{"type":"function"})", "tool_choice", "unsupported_value"},
      {R"("tool_choice":"maybe")", "tool_choice", "invalid_value"},
      {R"("tools":[{}])", "tools[0].type", "missing_required_parameter"},
      {R"("tools":[{"type":"function","function":{}}])", "tools[0].function.name", "missing_required_parameter"},
      {R"("guided_json":{})", "guided_json", "unsupported_value"},
      {R"("audio":{})", "audio", "unsupported_value"},
      {R"("modalities":["text","audio"])", "modalities", "unsupported_value"},
      {R"("model":5)", "model", "invalid_type"},
      {R"("user":5)", "user", "invalid_type"},
      {R"("continue_final_message":true,"add_generation_prompt":true)", "continue_final_message", "invalid_value"},
  };
  for (const ErrorCase& c : cases) {
    const Status error = ChatError(c.fields);
    EXPECT_EQ(error.code(), StatusCode::kInvalidArgument) << c.fields;
    if (*c.field == '\0') continue;
    EXPECT_EQ(error.field(), c.field) << c.fields << ": " << error.message();
    EXPECT_EQ(error.reason(), c.reason) << c.fields << ": " << error.message();
  }
}

TEST(ChatRequest, Messages) {
  const auto parse = [](const std::string& messages) {
    return ParseChatRequest(R"({"messages":)" + messages + "}", kLimits);
  };
  auto joined = parse(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])");
  ASSERT_TRUE(joined.ok()) << joined.status().ToString();
  EXPECT_EQ(joined->input.messages[0].at("content"), "a\nb");
  auto developer = parse(R"([{"role":"developer","content":"x"}])");
  EXPECT_EQ(developer->input.messages[0].at("role"), "system");
  auto calls = parse(R"([{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",
      "function":{"name":"f","arguments":"{\"a\":1}"}}]}])");
  ASSERT_TRUE(calls.ok()) << calls.status().ToString();
  EXPECT_EQ(calls->input.messages[0].at("tool_calls").at(0).at("function").at("arguments").at("a"), 1);
  EXPECT_EQ(calls->input.messages[0].at("content"), "");
  const std::pair<const char*, const char*> wrong[] = {
      {"[]", "messages"},
      {"5", "messages"},
      {"[5]", "messages[0]"},
      {R"([{"content":"x"}])", "messages[0].role"},
      {R"([{"role":"king","content":"x"}])", "messages[0].role"},
      {R"([{"role":"user"}])", "messages[0].content"},
      {R"([{"role":"user","content":5}])", "messages[0].content"},
      {R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}])", "messages[0].content[0]"},
      {R"([{"role":"user","content":[{"type":"input_audio"}]}])", "messages[0].content[0]"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text"},
      {R"([{"role":"assistant","tool_calls":[{}]}])", "messages[0].tool_calls[0].function"},
  };
  for (const auto& [messages, field] : wrong) {
    const auto request = parse(messages);
    EXPECT_EQ(request.status().field(), field) << messages;
  }
  EXPECT_EQ(ParseChatRequest("{}", kLimits).status().field(), "messages");
  EXPECT_FALSE(ParseChatRequest("[]", kLimits).ok());
  EXPECT_FALSE(ParseChatRequest("", kLimits).ok());
  EXPECT_EQ(ParseChatRequest("{\"a\":", kLimits).status().reason(), "invalid_json");
  EXPECT_FALSE(ParseChatRequest(std::string(100'000, '['), kLimits).ok());
}

TEST(CompletionRequest, Prompts) {
  const auto count = [](const std::string& prompt) -> int {
    auto request = ParseCompletionRequest(R"({"prompt":)" + prompt + "}", kLimits);
    return request.ok() ? static_cast<int>(request->prompts.size()) : -1;
  };
  EXPECT_EQ(count(R"("a")"), 1);
  EXPECT_EQ(count(R"(["a","b"])"), 2);
  EXPECT_EQ(count("[1,2,3]"), 1);
  EXPECT_EQ(count("[[1,2],[3]]"), 2);
  for (const char* wrong : {"null", "5", "[]", "[[]]", "[1,\"a\"]", "[\"a\",1]", "[-1]", "[1.5]", "[[1],[\"a\"]]", "{}"}) {
    EXPECT_EQ(count(wrong), -1) << wrong;
  }
}

TEST(CompletionRequest, DefaultsAndRefusals) {
  const auto error = [](const std::string& fields) {
    return ParseCompletionRequest(R"({"prompt":"a",)" + fields + "}", kLimits).status();
  };
  EXPECT_EQ(*ParseCompletionRequest(R"({"prompt":"a"})", kLimits)->options.sampling.max_tokens, 16);
  EXPECT_EQ(error(R"("suffix":"x")").field(), "suffix");
  EXPECT_TRUE(error(R"("suffix":"")").ok());
  EXPECT_EQ(error(R"("logprobs":true)").reason(), "invalid_type");
  EXPECT_EQ(error(R"("echo":true,"logprobs":1,"stream":true)").field(), "echo");
  EXPECT_EQ(error(R"("best_of":2,"stream":true)").field(), "best_of");
  EXPECT_EQ(ParseCompletionRequest(R"({"prompt":["a","b"],"n":100})", kLimits).status().field(), "prompt");
}

TEST(TokenizeRequest, BothForms) {
  EXPECT_FALSE(ParseTokenizeRequest(R"({"prompt":"a"})", kLimits)->chat);
  EXPECT_TRUE(ParseTokenizeRequest(R"({"messages":[{"role":"user","content":"a"}]})", kLimits)->chat);
  EXPECT_EQ(ParseTokenizeRequest("{}", kLimits).status().field(), "prompt");
  EXPECT_EQ(ParseDetokenizeRequest(R"({"tokens":[1,2]})")->tokens.size(), 2U);
  EXPECT_EQ(ParseDetokenizeRequest("{}").status().field(), "tokens");
}

TEST(Errors, EveryCodeHasAnHttpStatus) {
  const auto answer = ToErrorAnswer(InvalidArgument("m", "f").WithReason("r"));
  EXPECT_EQ(answer.http_status, 400);
  EXPECT_EQ(answer.body, R"({"error":{"message":"m","type":"invalid_request_error","param":"f","code":"r"}})");
  EXPECT_EQ(ToErrorAnswer(ResourceExhausted("full")).http_status, 429);
  EXPECT_GT(ToErrorAnswer(ResourceExhausted("full")).retry_after_s, 0);
  EXPECT_EQ(ToErrorAnswer(Unavailable("drain")).http_status, 503);
  EXPECT_GT(ToErrorAnswer(Unavailable("drain")).retry_after_s, 0);
  EXPECT_EQ(ToErrorAnswer(NotFound("m", "model").WithReason(kModelNotFound)).http_status, 404);
  EXPECT_EQ(ToErrorAnswer(Internal("x")).http_status, 500);
  EXPECT_EQ(ToErrorAnswer(Status(StatusCode::kUnauthenticated, "k")).http_status, 401);
}

TEST(Answers, Logprobs) {
  const std::vector<TokenInfo> tokens = {
      {.chosen = {.token = 5, .bytes = "a", .logprob = -0.5F},
       .top = {{.token = 5, .bytes = "a", .logprob = -0.5F}, {.token = 6, .bytes = "\xE4", .logprob = -INFINITY}}},
      {.chosen = {.token = 7, .bytes = "bc", .logprob = -1}, .top = {}}};
  const json::object chat = ChatLogprobs(tokens, TokenForm::kText);
  EXPECT_EQ(chat.at("content").at(0).at("token"), "a");
  EXPECT_EQ(chat.at("content").at(0).at("top_logprobs").at(1).at("token"), "\xEF\xBF\xBD");
  EXPECT_EQ(chat.at("content").at(0).at("top_logprobs").at(1).at("bytes").at(0), 0xE4);
  EXPECT_EQ(chat.at("content").at(0).at("top_logprobs").at(1).at("logprob"), -9999.0);
  const json::object classic = CompletionLogprobs(tokens, TokenForm::kId, 3, true);
  EXPECT_EQ(classic.at("tokens").at(1), "token_id:7");
  EXPECT_TRUE(classic.at("token_logprobs").at(0).is_null());
  EXPECT_EQ(classic.at("text_offset").at(1), 4);
  const json::array prompt = PromptLogprobs(tokens);
  EXPECT_TRUE(prompt[0].is_null());
  EXPECT_EQ(prompt[1].at("7").at("decoded_token"), "bc");
}

TEST(Answers, LossyTextIsUtf8) {
  EXPECT_EQ(LossyText("aä中😀"), "aä中😀");
  EXPECT_EQ(LossyText("\xFF\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(LossyText("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(LossyText("\xE4\xB8"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace pingti::protocol
