// A streamed answer in C++20 with Boost only (headers; nothing of pingti is linked). Build and run:
//   c++ -std=c++20 -O1 examples/chat.cc -o chat && ./chat "Name three rivers."
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/src.hpp>
#include <cstdlib>
#include <iostream>
#include <string>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;

namespace {

std::string Variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

http::request<http::string_body> ChatRequest(const std::string& host, const std::string& question) {
  http::request<http::string_body> request(http::verb::post, "/v1/chat/completions", 11);
  request.set(http::field::host, host);
  request.set(http::field::content_type, "application/json");
  request.set(http::field::authorization, "Bearer " + Variable("PINGTI_API_KEY", "none"));
  request.body() = json::serialize(
      json::object{{"messages", json::array{json::object{{"role", "user"}, {"content", question}}}},
                   {"max_tokens", 64},
                   {"stream", true}});
  request.prepare_payload();
  return request;
}

// Prints the text of the complete events in `pending` and removes them.
void PrintEvents(std::string& pending) {
  for (size_t end = pending.find("\n\n"); end != std::string::npos; end = pending.find("\n\n")) {
    const std::string event = pending.substr(0, end);
    pending.erase(0, end + 2);
    if (!event.starts_with("data: {"))
      continue;  // [DONE], or a comment that keeps the connection alive
    const json::value chunk = json::parse(event.substr(6));
    if (const json::value* error = chunk.as_object().if_contains("error")) {
      throw std::runtime_error(json::serialize(*error));
    }
    for (const json::value& choice : chunk.at("choices").as_array()) {
      const json::value* content = choice.at("delta").as_object().if_contains("content");
      if (content != nullptr && content->is_string())
        std::cout << content->get_string().c_str() << std::flush;
    }
  }
}

void Chat(const std::string& host, const std::string& port, const std::string& question) {
  asio::io_context context;
  beast::tcp_stream stream(context);
  stream.connect(asio::ip::tcp::resolver(context).resolve(host, port));
  http::write(stream, ChatRequest(host + ":" + port, question));

  beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  http::read_header(stream, buffer, parser);
  std::string pending;
  char bytes[4096];
  while (!parser.is_done()) {
    parser.get().body() = {.data = bytes, .size = sizeof bytes, .more = true};
    beast::error_code error;
    http::read_some(stream, buffer, parser,
                    error);  // returns with what is there: a token or several
    if (error && error != http::error::need_buffer) throw beast::system_error(error);
    pending.append(bytes, sizeof bytes - parser.get().body().size);
    if (parser.get().result_int() == 200) PrintEvents(pending);
  }
  std::cout << "\n";
  if (parser.get().result_int() != 200) throw std::runtime_error(pending);
}

}  // namespace

int main(int count, char** words) {
  std::string address =
      Variable("PINGTI_URL", "http://127.0.0.1:8080").substr(std::string("http://").size());
  const size_t colon = address.find(':');
  const std::string port = colon == std::string::npos ? "80" : address.substr(colon + 1);
  try {
    Chat(address.substr(0, colon), port, count > 1 ? words[1] : "Name three rivers.");
  } catch (const std::exception& error) {
    std::cerr << "chat: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
